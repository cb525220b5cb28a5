"""Sources of images: paths, encoded bytes, open files, PIL images and arrays."""

import io
import os
import stat
from contextlib import suppress
from typing import BinaryIO, Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from finhash.images.errors import EmptyImageError, NotAnImageError

JPEG = b"\xff\xd8\xff"
"""First bytes of a JPEG."""


class BinaryFile(Protocol):
    """A file opened in binary mode, or an object that can be read like one."""

    def read(self) -> bytes:
        """Return all bytes from the current position on."""
        ...

    def seek(self, offset: int, /) -> object:
        """Move to a position; raise ``io.UnsupportedOperation`` if the file cannot."""
        ...


EncodedImage = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryFile
"""A path, encoded bytes, or an open binary file."""


Source = EncodedImage | Image.Image | NDArray[np.uint8]
"""An encoded image, a PIL image, or RGB pixels of shape (rows, cols, 3)."""


class _File(io.FileIO):
    """A file whose ``read`` reserves no more memory than the file has content.

    A damaged header can state a length of exabytes, which Pillow then asks for.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        """Return at most ``size`` bytes from the current position on, by default all."""
        if size is None or size < 0:
            return super().read()
        left = os.fstat(self.fileno()).st_size - self.tell()
        return super().read(min(size, max(0, left)))


def open_stream(source: EncodedImage) -> BinaryIO:
    """Open the encoded image as a seekable binary file that is not empty."""
    if isinstance(source, str | os.PathLike):
        status = os.stat(source)
        regular = stat.S_ISREG(status.st_mode)
        # Opening a FIFO would wait for a writer. A directory raises its own OSError below.
        if not (regular or stat.S_ISDIR(status.st_mode)):
            raise NotAnImageError("a pipe, socket or device; pass a regular file or bytes")
        if regular and not status.st_size:
            raise EmptyImageError("0 bytes; copy or download the file again")
        # Unbuffered, because a JPEG is read in one or two calls.
        return _File(source)
    if isinstance(source, bytes | bytearray | memoryview):
        content = bytes(source)
    elif is_open_file(source):
        content = content_of(source)
    else:
        raise TypeError(
            f"cannot read an image from {type(source).__name__}; "
            "pass a path, bytes, a binary file, a PIL image or a uint8 array"
        )
    if not content:
        raise EmptyImageError("0 bytes; pass the content of an image file")
    return io.BytesIO(content)


def is_open_file(source: object) -> TypeGuard[BinaryFile]:
    """Return whether a source is an open file, or an object that can be read like one.

    Some cannot be read twice, such as pipes and responses of a server. ``seek`` is not needed.

    Examples
    --------
    >>> import io
    >>> from finhash.images import is_open_file
    >>> is_open_file(io.BytesIO()), is_open_file(b"")
    (True, False)
    """
    return hasattr(source, "read")


def content_of(file: BinaryFile) -> bytes:
    """Read an open file from its start, or from its position if it cannot seek.

    Parameters
    ----------
    file : binary file
        File opened in binary mode, or ``BytesIO``. It is left open.

    Returns
    -------
    bytes
        The content.

    Raises
    ------
    TypeError
        If the file is opened in text mode or returns something else than bytes.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import io
    >>> from finhash.images import content_of
    >>> content_of(io.BytesIO(b"content"))
    b'content'
    """
    if not isinstance(file, io.TextIOBase):  # its read() would try to decode the image as text
        with suppress(AttributeError, io.UnsupportedOperation):
            file.seek(0)
        content = file.read()
        if isinstance(content, bytes):
            return content
    raise TypeError(
        f"cannot read bytes from {type(file).__name__}; pass a file opened in binary mode ('rb')"
    )
