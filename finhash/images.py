"""Path, bytes, PIL image or RGB array -> decoded picture: the one decode order, and the guards.

Nothing global in Pillow is changed: its limit on pixels, and whether truncated files are errors
(``LOAD_TRUNCATED_IMAGES``; they are by default), hold as the application has set them.
"""

import io
import math
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
import simplejpeg
from PIL import Image, UnidentifiedImageError

from finhash.find.geometry import MAX_SIDE

LARGEST_KEPT = 2**24
"""Bytes of pixels that a thread keeps for its next picture, at most: 2,364 pixels squared."""


class _Thread(threading.local):
    memory = np.empty(0, np.uint8)


_thread = _Thread()

Source = str | os.PathLike | bytes | Image.Image | np.ndarray


class ImageError(ValueError):
    """A picture that cannot be hashed; the subclasses say why."""


class EmptyImageError(ImageError):
    """No bytes, or no pixels."""


class NotAnImageError(ImageError):
    """Not a picture in any format that Pillow knows, or not a regular file."""


class DamagedImageError(ImageError):
    """Recognised as a picture, but truncated or corrupt."""


class ImageTooLargeError(ImageError):
    """More pixels than Pillow's ``Image.MAX_IMAGE_PIXELS`` policy lets pass."""


def open_image(source: Source) -> Image.Image:
    """The picture as a fully loaded PIL image, decoded by Pillow; a file is closed again.

    ``source`` is a path, the encoded bytes, a PIL image or a ``uint8`` array ``[rows, cols, 3]``.
    Raises a subclass of ``ImageError`` for what is no usable picture, and ``OSError`` for a file
    that cannot be read.
    """
    if isinstance(source, Image.Image):
        return _load(source)
    if isinstance(source, np.ndarray):
        return Image.fromarray(_checked(source))
    with _stream(source) as stream:
        return _decode(stream)


def to_rgb(source: Source, *, reuse: bool = False) -> np.ndarray:
    """The picture as FINd sees it: ``uint8 [rows, cols, 3]``, no side longer than 512 pixels.

    Decode whole, shrink in the picture's own mode, then convert: shrinking first or decoding with
    JPEG draft mode would give other pixels. Ordinary JPEGs are decoded by ``simplejpeg``, to the
    same pixels in less time. EXIF orientation is not applied and transparency is dropped, as in the
    published program. With ``reuse``, the pixels may lie in memory that this thread's next such
    call writes to: for callers that are done with them by then.
    """
    rgb = _checked(source) if isinstance(source, np.ndarray) else None
    image = _load(source) if isinstance(source, Image.Image) else None
    lent = image is not None
    if rgb is None and image is None:
        with _stream(source) as stream:
            rgb = _decode_ordinary_jpeg(stream, reuse)
            if rgb is None:
                stream.seek(0)
                image = _decode(stream)
    if image is None:
        if max(rgb.shape) <= MAX_SIDE:
            return rgb
        image = Image.fromarray(rgb)
    if max(image.size) > MAX_SIDE:
        image = image.copy() if lent else image
        image.thumbnail((MAX_SIDE, MAX_SIDE))
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


@contextmanager
def _stream(source: str | os.PathLike | bytes) -> Iterator[BinaryIO]:
    """The encoded picture as a seekable file that is not empty."""
    if isinstance(source, bytes):
        if not source:
            raise EmptyImageError("no bytes")
        yield io.BytesIO(source)
    elif isinstance(source, str | os.PathLike):
        status = os.stat(source)
        # Opening a FIFO would wait for a writer; a directory raises its own OSError.
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            raise NotAnImageError("not a regular file")
        # Unbuffered: a JPEG is read in one go.
        with open(source, "rb", buffering=0) as file:
            if not status.st_size:
                raise EmptyImageError("no bytes")
            yield file
    else:
        raise TypeError(f"expected a path, bytes, PIL image or array, got {type(source).__name__}")


def _checked(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise TypeError(f"expected uint8 [rows, cols, 3], got {pixels.dtype} {pixels.shape}")
    if pixels.size == 0:
        raise EmptyImageError("picture has no pixels")
    return pixels


def _decode_ordinary_jpeg(stream: BinaryIO, reuse: bool) -> np.ndarray | None:
    """RGB pixels of a whole YCbCr JPEG within Pillow's limit; None for anything else.

    Both libraries call libjpeg-turbo; with the accurate DCT and smooth upsampling, Pillow's
    defaults, they give the same pixels. Whatever is odd (other colour spaces, truncation, warnings)
    is left to Pillow, so that it is judged there and nowhere else.
    """
    magic = stream.read(3)
    if magic != b"\xff\xd8\xff":
        return None
    data = magic + stream.read()
    try:
        rows, cols, colours, _ = simplejpeg.decode_jpeg_header(data, strict=True)
        if colours != "YCbCr" or rows * cols > (Image.MAX_IMAGE_PIXELS or math.inf):
            return None
        buffer = _reused(3 * rows * cols) if reuse else None
        return simplejpeg.decode_jpeg(
            data, "RGB", fastdct=False, fastupsample=False, buffer=buffer, strict=True
        )
    except ValueError:
        return None


def _reused(size: int) -> np.ndarray | None:
    """At least ``size`` bytes that stay with this thread, or None if that is too much to keep.

    Fresh memory for each picture would be asked of the system, and cleared by it, again and again.
    """
    if size > LARGEST_KEPT:
        return None
    if _thread.memory.size < size:
        _thread.memory = np.empty(size, np.uint8)
    return _thread.memory


def _decode(stream: BinaryIO) -> Image.Image:
    try:
        with _damage():
            image = Image.open(stream)
    except UnidentifiedImageError as error:
        raise NotAnImageError("not a picture in a known format") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageTooLargeError(str(error)) from error
    return _load(image)


def _load(image: Image.Image) -> Image.Image:
    if 0 in image.size:
        raise EmptyImageError("picture has no pixels")
    with _damage():
        image.load()
    return image


@contextmanager
def _damage() -> Iterator[None]:
    """Pillow's readers raise OSError, SyntaxError, struct.error and more: all mean damage."""
    spared = (
        UnidentifiedImageError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
        MemoryError,
    )
    try:
        yield
    except spared:
        raise
    except Exception as error:
        raise DamagedImageError(f"cannot be decoded: {error}") from error
