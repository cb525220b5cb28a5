"""Checks and memory layout of packed hashes, shared by the CPU and GPU scans."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.unsignedinteger[Any]]


class Gallery:
    """Hashes kept in the memory layout that the scans need.

    A gallery can be passed wherever a function of ``finhash.hamming`` takes hashes. Without it,
    each call copies the hashes into this layout, which takes several times as long as comparing one
    query with them. A service that answers many single queries should therefore make its gallery
    once.

    Parameters
    ----------
    hashes : ndarray of uint8, shape (n, bits / 8)
        Packed hashes. ``bits`` is a multiple of 64.

    Raises
    ------
    ValueError
        If ``hashes`` has another dtype or shape.

    Examples
    --------
    >>> import numpy as np
    >>> from finhash import hamming
    >>> gallery = hamming.Gallery(np.array([[0] * 8, [255] * 8], np.uint8))
    >>> len(gallery)
    2
    >>> query = np.array([[1] + [0] * 7], np.uint8)
    >>> index, distance = hamming.nearest(query, gallery, k=1)
    >>> index.tolist(), distance.tolist()
    ([[0]], [[1]])
    """

    def __init__(self, hashes: NDArray[np.uint8]) -> None:
        self.words = as_words(hashes)

    def __len__(self) -> int:
        return self.words.shape[1]


Hashes = NDArray[np.uint8] | Gallery
"""Packed hashes, ``uint8 [n, bits / 8]``, or a gallery of them."""

Pairs = tuple[NDArray[np.integer[Any]], NDArray[np.integer[Any]], NDArray[np.integer[Any]]]
"""Pairs of hashes as three arrays of equal length: first row, second row, distance in bits."""


def as_words(hashes: Hashes, word: type[np.unsignedinteger[Any]] = np.uint64) -> Words:
    """Return the hashes as an array of shape ``(words, n)`` and dtype ``word``.

    Word ``k`` of all hashes is contiguous in memory.
    """
    if isinstance(hashes, Gallery):
        if word is np.uint64:
            return hashes.words
        hashes = np.ascontiguousarray(hashes.words.T).view(np.uint8)
    hashes = np.asarray(hashes)
    if hashes.dtype != np.uint8 or hashes.ndim != 2 or hashes.shape[1] % 8 or not hashes.shape[1]:
        raise ValueError(
            f"hashes have dtype {hashes.dtype} and shape {hashes.shape}; pass packed hashes of "
            "dtype uint8 and shape (n, bits / 8) where bits is a multiple of 64"
        )
    return np.ascontiguousarray(np.ascontiguousarray(hashes).view(word).T)


def both_as_words(
    a: Hashes, b: Hashes | None, word: type[np.unsignedinteger[Any]] = np.uint64
) -> tuple[Words, Words]:
    """Return the words of two sets of hashes; if ``b`` is None, those of ``a`` twice."""
    left = as_words(a, word)
    right = left if b is None else as_words(b, word)
    if len(left) != len(right):
        bits = [8 * words.itemsize * len(words) for words in (left, right)]
        raise ValueError(
            f"hashes of {bits[0]} and {bits[1]} bits differ in length; pass hashes of one length"
        )
    return left, right


def by_family(words: Words, families: NDArray[Any]) -> tuple[Words, NDArray[np.int64]]:
    """Return the words sorted by family, and the end of each column's family, ``int64 [n]``.

    The columns of ``c``'s family that follow ``c`` are then ``c + 1 .. ends[c]``, one range, which
    excludes ``ends[c]``.
    """
    families = as_labels(families, words.shape[1])
    order = np.argsort(families, kind="stable")
    families = families[order]
    return np.ascontiguousarray(words[:, order]), np.searchsorted(families, families, side="right")


def as_labels(labels: NDArray[Any] | None, n: int) -> NDArray[Any]:
    """Return the labels as an array; raise ``ValueError`` unless there are ``n`` of them."""
    labels = np.asarray(labels)
    if labels.shape != (n,):
        raise ValueError(f"labels have shape {labels.shape}; pass one label per hash, shape ({n},)")
    return labels


def check_radius(radius: int, bits: int) -> None:
    """Raise ``ValueError`` unless ``0 <= radius <= bits``."""
    if not 0 <= radius <= bits:
        raise ValueError(f"radius is {radius}; it must be between 0 and the hashes' {bits} bits")


def check_rows(rows: int) -> None:
    """Raise ``ValueError`` if a block would hold fewer than one row."""
    if rows < 1:
        raise ValueError(f"rows is {rows}; a block needs at least 1 row")


def concatenate_blocks(blocks: Iterable[tuple[NDArray[Any], ...]]) -> tuple[NDArray[Any], ...]:
    """Concatenate the first arrays of all blocks into one, the second arrays, and so on."""
    return tuple(map(np.concatenate, zip(*blocks, strict=True)))
