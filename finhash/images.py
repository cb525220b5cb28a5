"""Path, bytes, PIL image or RGB array -> decoded picture: the one decode order, and the guards.

Nothing global in Pillow is changed: its limit on pixels holds as the application has set it, and
truncated files are errors whatever other code does with ``LOAD_TRUNCATED_IMAGES``'s default.
"""

import io
import os
import stat
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from finhash.find.geometry import MAX_SIDE

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
    """The picture as a fully loaded PIL image; a file is closed again.

    ``source`` is a path, the encoded bytes, a PIL image or a ``uint8`` array ``[rows, cols, 3]``.
    Raises a subclass of ``ImageError`` for what is no usable picture, and ``OSError`` for a file
    that cannot be read.
    """
    if isinstance(source, Image.Image):
        return _load(source)
    if isinstance(source, np.ndarray):
        if source.dtype != np.uint8 or source.ndim != 3 or source.shape[2] != 3:
            raise TypeError(f"expected uint8 [rows, cols, 3], got {source.dtype} {source.shape}")
        if source.size == 0:
            raise EmptyImageError("picture has no pixels")
        return Image.fromarray(source)
    if isinstance(source, bytes):
        return _decode(io.BytesIO(source), empty=not source)
    if isinstance(source, str | os.PathLike):
        status = Path(source).stat()
        # Opening a FIFO would wait for a writer; a directory raises its own OSError below.
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            raise NotAnImageError("not a regular file")
        with Path(source).open("rb") as file:
            return _decode(file, empty=status.st_size == 0)
    raise TypeError(f"expected a path, bytes, PIL image or array, got {type(source).__name__}")


def to_rgb(source: Source) -> np.ndarray:
    """The picture as FINd sees it: ``uint8 [rows, cols, 3]``, no side longer than 512 pixels.

    Decode whole, shrink in the picture's own mode, then convert: shrinking first or decoding with
    JPEG draft mode would give other pixels. EXIF orientation is not applied and transparency is
    dropped, as in the published program.
    """
    image = open_image(source)
    if max(image.size) > MAX_SIDE:
        image = image.copy()
        image.thumbnail((MAX_SIDE, MAX_SIDE))
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _decode(file: io.BufferedIOBase, empty: bool) -> Image.Image:
    if empty:
        raise EmptyImageError("no bytes")
    try:
        image = Image.open(file)
    except UnidentifiedImageError as error:
        raise NotAnImageError("not a picture in a known format") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageTooLargeError(str(error)) from error
    return _load(image)


def _load(image: Image.Image) -> Image.Image:
    if 0 in image.size:
        raise EmptyImageError("picture has no pixels")
    try:
        image.load()
    except MemoryError:
        raise
    except Exception as error:  # decoders raise OSError, SyntaxError, struct.error, ...
        raise DamagedImageError(f"cannot be decoded: {error}") from error
    return image
