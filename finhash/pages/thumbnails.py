"""Thumbnails of image files, made in threads.

Images are shown as they are hashed: unless they were prepared in another way, EXIF orientation is
not applied and transparency is dropped.
"""

import base64
import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from tqdm import tqdm

from finhash.images import converted, reduced
from finhash.preparation import AS_STORED, Preparation

QUALITY = 50
"""Quality of a thumbnail; WebP files of quality 50 take 1.5 kB at 112 pixels."""

ImagePath = str | os.PathLike[str]
"""Path of an image file."""


class Thumbnail(NamedTuple):
    """Thumbnail of an image file, or the reason why there is none.

    Attributes
    ----------
    encoded : str
        WebP file in base64; empty if there is an error.
    width, height : int
        Size of the image in pixels, not of the thumbnail; 0 if there is an error.
    size : int
        Size of the file in bytes; -1 if there is no file.
    error : str
        Why the image cannot be shown; empty if it can.
    """

    encoded: str
    width: int
    height: int
    size: int
    error: str


def thumbnails(
    paths: Sequence[ImagePath],
    sides: Sequence[int],
    *,
    preparation: Preparation = AS_STORED,
    workers: int = 1,
    progress: bool = False,
) -> list[Thumbnail]:
    """Make a thumbnail of each file.

    Parameters
    ----------
    paths : sequence of str or path-like, shape (n,)
        Image files. They need not exist.
    sides : sequence of int, shape (n,)
        Longer side of each thumbnail, in pixels, at most.
    preparation : Preparation, optional
        What was done to the images before they were hashed.
    workers : int, default 1
        Threads.
    progress : bool, default False
        Whether to show a progress bar on stderr, if stderr is a terminal.

    Returns
    -------
    list of Thumbnail
        One per path, in this order.

    Examples
    --------
    >>> from finhash.pages.thumbnails import thumbnails
    >>> thumbnails(["missing.jpg"], [112])[0].error
    'No such file or directory'
    """
    with ThreadPoolExecutor(workers) as pool:
        made = pool.map(thumbnail, paths, sides, repeat(preparation))
        disable = None if progress else True  # None hides the bar unless stderr is a terminal
        return list(tqdm(made, "thumbnails", len(paths), unit="image", disable=disable))


def thumbnail(path: ImagePath, side: int, preparation: Preparation = AS_STORED) -> Thumbnail:
    """Make a thumbnail of one file.

    Parameters
    ----------
    path : str or path-like
        Image file.
    side : int
        Longer side of the thumbnail, in pixels, at most.
    preparation : Preparation, optional
        What was done to the image before it was hashed.

    Returns
    -------
    Thumbnail
        The thumbnail, or the reason why there is none.

    Examples
    --------
    >>> from finhash.pages.thumbnails import thumbnail
    >>> thumbnail("missing.jpg", 112).size
    -1
    """
    size = -1
    try:
        size = Path(path).stat().st_size
        image, (width, height) = _read(path, side, preparation)
    except (OSError, ValueError) as error:
        # The message of an OSError holds the whole path.
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return Thumbnail("", 0, 0, size, reason)
    image.thumbnail((side, side))
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=QUALITY)
    encoded = base64.b64encode(buffer.getvalue()).decode()
    return Thumbnail(encoded, width, height, size, "")


def _read(
    path: ImagePath, side: int, preparation: Preparation
) -> tuple[Image.Image, tuple[int, int]]:
    """Return an image as RGB, of which JPEGs are decoded at reduced size, and its full size."""
    prepared = preparation.apply(path)
    if isinstance(prepared, Image.Image):
        return converted(prepared, "RGB"), prepared.size
    return reduced(path, side)
