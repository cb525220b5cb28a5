"""Items of a job: ids with the sources of their images.

This module does not load PyArrow, so that the command line can hash a few files quickly.
"""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import index
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from finhash.images import (
    Source,
    UnsupportedModeError,
    content_of,
    converted,
    is_open_file,
    open_image,
    to_rgb,
)
from finhash.methods import Method
from finhash.preparation import AS_STORED, Preparation
from finhash.quality import quality as quality_of

PATIENCE = 0.5
"""Seconds for which items are collected before those that have come are processed."""


@dataclass(frozen=True)
class Unreadable:
    """Source that could not be read in the calling process."""

    reason: str
    """Text for the column ``error``."""


@dataclass(frozen=True)
class Options:
    """How a job hashes its images, apart from the methods.

    Raises
    ------
    TypeError, ValueError
        If ``max_pixels`` is no whole number, below 1, or larger than Pillow's own limit.
    """

    preparation: Preparation = AS_STORED
    """What is done to images before they are hashed."""

    quality: bool = False
    """Whether rows have the quality of the prepared images."""

    max_pixels: int | None = None
    """Largest number of pixels of an image that is decoded; None leaves Pillow's limit alone."""

    def __post_init__(self) -> None:
        if self.max_pixels is not None:
            _check_limit(self.max_pixels)


DEFAULTS = Options()
"""Images as stored, no quality, and no limit on pixels but Pillow's."""


Pair = tuple[str, Source]
"""An id, and the source of its image."""

Item = tuple[str, Source | Unreadable, tuple[str, ...] | None]
"""An id, the source of its image, and the columns to fill, or None for all.

These columns are those of hashes, and ``quality``.
"""


def of_paths(paths: Iterable[str | os.PathLike[str]]) -> Iterator[Pair]:
    """Yield a pair for each path, whose id is the path; raise ``TypeError`` for other objects.

    Examples
    --------
    >>> list(of_paths(["a.jpg"]))
    [('a.jpg', 'a.jpg')]
    """
    for position, path in enumerate(paths):
        if not isinstance(path, str | os.PathLike):
            raise TypeError(
                f"element {position} of paths is of type {type(path).__name__}; pass paths of "
                "files, or pairs of an id and an image to finhash.hash_images"
            )
        name = os.fsdecode(path)
        yield name, name


def of_pairs(pairs: Iterable[Pair], ids: list[str] | None = None) -> Iterator[Pair]:
    """Check and yield each pair, and append its id to ``ids`` unless that is None.

    Raises
    ------
    TypeError
        If an element is not a pair, or its id is not a string.

    Examples
    --------
    >>> ids = []
    >>> list(of_pairs([("17", b"...")], ids))
    [('17', b'...')]
    >>> ids
    ['17']
    """
    for position, pair in enumerate(pairs):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise TypeError(
                f"element {position} of items is {_described(pair)}; pass pairs of an id and an "
                "image, such as zip(ids, images)"
            )
        name, source = pair
        if not isinstance(name, str | os.PathLike):
            raise TypeError(
                f"the id of element {position} of items is {_described(name)}; pass a string"
            )
        name = os.fsdecode(name)
        if ids is not None:
            ids.append(name)
        yield name, source


def is_path(source: object) -> TypeGuard[str | os.PathLike[str]]:
    """Return whether a source is the path of a file."""
    return isinstance(source, str | os.PathLike)


def together(pairs: Iterable[Pair], count: int) -> Iterator[list[Pair]]:
    """Yield pairs in lists of up to ``count``; a source that is not a path ends its list.

    The caller of a job may close a file or reuse a buffer as soon as the next pair is taken, so
    such a source must be processed before that. A list also ends after ``PATIENCE`` seconds, and
    before an exception of ``pairs``.

    Examples
    --------
    >>> pairs = [("a", "a.jpg"), ("b", "b.jpg"), ("c", b"..."), ("d", b"...")]
    >>> [len(some) for some in together(pairs, 10)]
    [3, 1]
    """
    some: list[Pair] = []
    start = time.monotonic()
    iterator = iter(pairs)
    while True:
        try:
            pair = next(iterator)
        except Exception as error:  # the end, or anything that the caller's generator raises
            if some:
                yield some
            if isinstance(error, StopIteration):
                return
            raise
        some.append(pair)
        late = time.monotonic() > start + PATIENCE
        if len(some) == count or late or not is_path(pair[1]):
            yield some
            some, start = [], time.monotonic()


def held(item: Item) -> Item:
    """Return an item that can be hashed later and elsewhere, whatever the caller does meanwhile.

    Open files are read. Images, arrays and buffers are copied. If this fails, the source becomes
    ``Unreadable``.

    Examples
    --------
    >>> import io
    >>> held(("17", io.BytesIO(b"..."), None))
    ('17', b'...', None)
    """
    name, source, only = item
    if isinstance(source, str | bytes | Unreadable):
        return item
    try:
        return name, _held(source), only
    except Exception as error:  # files of all kinds raise errors of all kinds
        return name, Unreadable(reason(error)), only


def size(item: Item) -> int:
    """Return about how many bytes of memory the source of a held item takes; 0 for a path.

    Examples
    --------
    >>> size(("17", b"...", None))
    3
    """
    source = item[1]
    if isinstance(source, bytes):
        return len(source)
    if isinstance(source, np.ndarray):
        return source.nbytes
    if isinstance(source, Image.Image):
        return 4 * source.width * source.height  # Pillow stores most modes in four bytes per pixel
    return 0


def hashes_of(
    source: Source,
    methods: Sequence[Method],
    preparation: Preparation = AS_STORED,
    *,
    quality: bool = False,
) -> tuple[list[NDArray[np.uint8]], int | None]:
    """Return the packed hashes of an image by each method, and its quality or None.

    The image is decoded once, and shrunk once, for all methods and the quality. Only methods that
    decode files themselves (``Method.encoded``) do so again.

    Raises
    ------
    Exception
        What ``Method.hash`` raises.

    Examples
    --------
    >>> from finhash import methods
    >>> hashes_of(Image.radial_gradient("L"), [methods.get("dhash64")])
    ([array([15, 15, 15, 15, 15, 15, 15, 15], dtype=uint8)], None)
    """
    source = preparation.apply(source)
    if len(methods) == 1 and not quality:  # it may have a faster decoder than Pillow's
        return [methods[0].hash(source)], None
    hash_shrunk = any(method.shrunk for method in methods)
    needs_image = any(not (method.shrunk or method.encoded) for method in methods)
    image = open_image(source) if needs_image else source
    shrunk, found = image, None
    if hash_shrunk or quality:
        # The scratch buffer serves only if no method decodes another image into it.
        reuse = all(method.shrunk for method in methods)
        shrunk = pixels = (to_rgb if hash_shrunk else _any_rgb)(image, reuse=reuse)
        found = quality_of(pixels) if quality else None
    hashes = [
        method.hash(source if method.encoded else shrunk if method.shrunk else image)
        for method in methods
    ]
    return hashes, found


def reason(error: Exception) -> str:
    """Return the text of an exception for the column ``error``.

    Examples
    --------
    >>> reason(FileNotFoundError(2, "No such file or directory", "a.jpg"))
    'FileNotFoundError: No such file or directory'
    """
    if isinstance(error, IsADirectoryError):
        return (
            "IsADirectoryError: this is a folder; pass its path alone, not in a list, to search it"
        )
    # str(error) of an OSError repeats the path, which has its own column.
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"{type(error).__name__}: {words}"


def _any_rgb(image: Source, *, reuse: bool) -> NDArray[np.uint8]:
    """Return the pixels of ``to_rgb``, even of an image that cannot be shrunk in its own mode."""
    try:
        return to_rgb(image, reuse=reuse)
    except UnsupportedModeError:
        return to_rgb(converted(open_image(image), "RGB"))


def _check_limit(max_pixels: int) -> None:
    """Raise an error unless ``max_pixels`` can limit the images that Pillow decodes."""
    try:
        count = index(max_pixels)
    except TypeError:
        raise TypeError(f"max_pixels is {max_pixels!r}; pass a whole number") from None
    if count < 1:
        raise ValueError(f"max_pixels is {count}; pass at least 1")
    # Pillow warns of images above MAX_IMAGE_PIXELS and refuses those above twice that number.
    most = Image.MAX_IMAGE_PIXELS and 2 * Image.MAX_IMAGE_PIXELS
    if most and count > most:
        raise ValueError(
            f"max_pixels is {count:,}, but Pillow refuses images of more than {most:,} pixels: set "
            f"PIL.Image.MAX_IMAGE_PIXELS to {-(-count // 2)} first, also in worker processes, or "
            "pass a smaller number"
        )


def _held(source: Any) -> Source:  # noqa: ANN401
    """Return what can be hashed later in place of a source."""
    if isinstance(source, os.PathLike):
        return os.fsdecode(source)
    if isinstance(source, bytearray | memoryview):
        return bytes(source)
    if isinstance(source, np.ndarray):
        return source.copy()
    if is_open_file(source):
        return content_of(source)
    return open_image(source).copy()  # an image; raises TypeError for anything else


def _described(value: object) -> str:
    """Return the type of an object, with its text if that is short."""
    described = repr(value) if isinstance(value, str | int | float | None) else ""
    kind = f"of type {type(value).__name__}"
    return f"{described} {kind}" if 0 < len(described) <= 80 else kind
