"""Shrinking as FINd defines it: Pillow's ``thumbnail((512, 512))`` of Pillow 12.1 and earlier.

If a side is at least four times its target, Pillow first averages blocks of pixels. It then resizes
the image in two passes, and each pass rounds to whole values. The order of the passes therefore
affects the pixels. Up to version 12.1 the width is always resized first. Pillow 12.2 starts with
the height if the averaged image is more than 100 times as tall as wide, and Pillow 13 if it is more
than twice as tall. Up to Pillow 12 an image with transparency is not averaged; in Pillow 13 it is.
Stored hashes were made in the old way, so ``thumbnail`` keeps it, whichever version is installed.
The study's table ``shrinking`` counts the differences.
"""

import math
from collections.abc import Callable

from PIL import Image

from finhash.find.geometry import MAX_SIDE

_BICUBIC = Image.Resampling.BICUBIC


def thumbnail(image: Image.Image) -> Image.Image:
    """Return an image that fits 512 x 512 pixels, in its own mode.

    Parameters
    ----------
    image : PIL.Image.Image
        Loaded image of any size and mode. It is not changed.

    Returns
    -------
    PIL.Image.Image
        The image itself if no side exceeds 512 pixels, else a smaller one.

    Raises
    ------
    ValueError
        If Pillow cannot shrink images of this mode, for example large ones of 16 bits.

    Examples
    --------
    >>> from PIL import Image
    >>> from finhash.find.thumbnail import thumbnail
    >>> thumbnail(Image.new("L", (1024, 300))).size
    (512, 150)
    """
    size = thumbnail_size(*image.size)
    if size == image.size:
        return image
    if image.mode in ("1", "P"):  # indices of colours cannot be averaged
        return image.resize(size, Image.Resampling.NEAREST)
    if image.mode in ("LA", "RGBA"):  # shrunk with colours multiplied by their opacity
        premultiplied = image.convert(image.mode.replace("A", "a"))
        return _resize(premultiplied, size, image.size).convert(image.mode)
    horizontal, vertical = map(reduction, image.size, size)
    extent = image.width / horizontal, image.height / vertical
    if horizontal > 1 or vertical > 1:
        image = image.reduce((horizontal, vertical))
    return _resize(image, size, extent)


def _resize(image: Image.Image, size: tuple[int, int], extent: tuple[float, float]) -> Image.Image:
    """Resize the top left part of an image, width first; ``extent`` is the size of that part."""
    narrow = image.resize((size[0], image.height), _BICUBIC, (0, 0, extent[0], image.height))
    return narrow.resize(size, _BICUBIC, (0, 0, size[0], extent[1]))


def thumbnail_size(cols: int, rows: int) -> tuple[int, int]:
    """Return the columns and rows of an image after shrinking.

    The longer side becomes 512 pixels. The shorter one is rounded up or down, whichever changes the
    aspect ratio less, and is at least 1.

    Examples
    --------
    >>> from finhash.find.thumbnail import thumbnail_size
    >>> thumbnail_size(1000, 750), thumbnail_size(3, 5000), thumbnail_size(90, 60)
    ((512, 384), (1, 512), (90, 60))
    """
    aspect = cols / rows
    if max(cols, rows) <= MAX_SIDE:
        return cols, rows
    if cols <= rows:
        return _round(MAX_SIDE * aspect, lambda side: abs(aspect - side / MAX_SIDE)), MAX_SIDE
    return MAX_SIDE, _round(
        MAX_SIDE / aspect, lambda side: abs(aspect - MAX_SIDE / side) if side else 0
    )


def _round(side: float, error: Callable[[int], float]) -> int:
    """Round a side up or down, whichever has the smaller error, to at least 1."""
    return max(min(math.floor(side), math.ceil(side), key=error), 1)


def reduction(side: int, target: int) -> int:
    """Return how many pixels are averaged along a side before it is resized to ``target`` pixels.

    If it exceeds 1, at least two averaged pixels per target pixel remain.

    Examples
    --------
    >>> from finhash.find.thumbnail import reduction
    >>> reduction(2047, 512), reduction(2048, 512), reduction(4000, 512)
    (1, 2, 3)
    """
    return int(side / target / 2.0) or 1
