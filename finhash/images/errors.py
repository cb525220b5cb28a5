"""Errors of images that cannot be hashed, and the translation of Pillow's errors to them."""

from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, UnidentifiedImageError


class ImageError(OSError, ValueError):
    """An image that cannot be hashed; the subclasses give the reason.

    It is an ``OSError`` because Pillow raises that type for most images that it cannot read. Code
    that catches Pillow's errors, such as clients of the published class, thus catches these too.
    """


class EmptyImageError(ImageError, UnidentifiedImageError):
    """An image of zero bytes or zero pixels."""


class NotAnImageError(ImageError, UnidentifiedImageError):
    """Content in a format unknown to Pillow, or the path of a pipe, socket or device."""


class DamagedImageError(ImageError):
    """A truncated or corrupt image."""


class ImageTooLargeError(ImageError, Image.DecompressionBombError):
    """An image with more pixels than Pillow's limit, or that of ``pixel_limit``, allows."""


class UnsupportedModeError(ImageError):
    """An image whose pixels Pillow can decode, but not convert or shrink as the method needs."""


@contextmanager
def translated_damage() -> Iterator[None]:
    """Raise ``DamagedImageError`` for a decoding error, whichever type Pillow gives it.

    Pillow's readers raise OSError, SyntaxError, struct.error and more.
    """
    try:
        yield
    except (
        UnidentifiedImageError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
        MemoryError,
    ):
        raise
    except Exception as error:
        raise DamagedImageError(
            f"cannot be decoded: {error}; copy or download the file again"
        ) from error


@contextmanager
def supported(mode: str) -> Iterator[None]:
    """Raise an ``ImageError`` if Pillow cannot convert or shrink an image of this mode."""
    try:
        yield
    except ValueError as error:
        raise UnsupportedModeError(
            f"Pillow cannot convert or shrink pixels of its mode {mode} ({error}); convert the "
            "image to RGB of 8 bits"
        ) from error
    except AssertionError as error:  # of a transparent image without palette
        raise DamagedImageError(
            "cannot be decoded: the palette is missing; copy or download the file again"
        ) from error
