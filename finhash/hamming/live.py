"""Look-ups that leave out the hashes that were removed from a gallery.

Hashes keep their numbers when others are removed. A hash's row is its number minus the number of
removed hashes before it.
"""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from finhash.hamming import exhaustive, layout, pairs
from finhash.hamming.layout import Part
from finhash.hamming.words import Columns

Removed = NDArray[np.int64]
"""Numbers of the removed hashes, in rising order."""

NONE = np.empty(0, np.int64)
"""No removed hashes."""

SPARE = 16
"""Neighbours that are looked for beyond twice the number asked for, if hashes were removed."""

MANY = 2**12
"""Number of neighbours from which on it is faster to compute all distances and sort them."""

NUMBER = np.uint64(2**32 - 1)
"""Bits of a neighbour's key that hold the number of the hash."""


def rows(numbers: NDArray[np.int64], removed: Removed) -> NDArray[np.int64]:
    """Return the rows of hashes that were not removed.

    >>> rows(np.array([0, 2, 5]), np.array([1, 3])).tolist()
    [0, 1, 3]
    """
    return numbers - np.searchsorted(removed, numbers)


def numbers(rows: NDArray[np.int64], removed: Removed) -> NDArray[np.int64]:
    """Return the numbers of hashes, the inverse of ``rows``.

    >>> numbers(np.array([0, 1, 3]), np.array([1, 3])).tolist()
    [0, 2, 5]
    """
    return rows + np.searchsorted(removed - np.arange(len(removed)), rows, side="right")


def among(numbers: NDArray[np.int64], removed: Removed) -> NDArray[np.bool_]:
    """Return which hashes were removed.

    >>> among(np.array([0, 1, 5]), np.array([1, 3])).tolist()
    [False, True, False]
    """
    if not len(removed):
        return np.zeros(numbers.shape, bool)
    place = np.searchsorted(removed, numbers)
    return removed[np.minimum(place, len(removed) - 1)] == numbers


def tasks(
    queries: Columns,
    parts: Sequence[Part],
    removed: Removed,
    radius: int,
    where: pairs.Shifts,
    limit: int,
) -> Iterator[exhaustive.Task]:
    """Yield tasks that find all pairs of queries and hashes; see ``layout.tasks``."""
    for task in layout.tasks(queries, parts, radius, where, limit):
        yield partial(_without, task, removed, where) if len(removed) else task


def nearest(
    queries: Columns, parts: Sequence[Part], removed: Removed, k: int, lo: int, hi: int
) -> NDArray[np.uint64]:
    """Return the ``k`` nearest hashes of queries ``lo .. hi``, as ``uint64 [hi - lo, k]``.

    Bits 32 and up hold the distance, the others the row. There must be ``k`` hashes that were not
    removed.
    """
    wanted = k + min(len(removed), k + SPARE)
    if wanted > MANY:
        best = np.empty((hi - lo, k), np.uint64)
        lacking = np.arange(hi - lo)
    else:
        keys = layout.nearest(queries, parts, wanted, lo, hi)
        gone = among((keys & NUMBER).astype(np.int64), removed)
        order = np.argsort(gone, axis=1, kind="stable")[:, :k]
        best = np.take_along_axis(keys, order, axis=1)
        lacking = np.flatnonzero(gone.shape[1] - gone.sum(axis=1) < k)
    for q in lacking.tolist():
        best[q] = _nearest_of_all(queries.words[:, lo + q], parts, removed, k)
    before = np.searchsorted(removed, (best & NUMBER).astype(np.int64))
    return best - before.astype(np.uint64)


def _without(task: exhaustive.Task, removed: Removed, where: pairs.Shifts) -> NDArray[np.uint64]:
    """Return the keys of a task without those of removed hashes, with rows in place of numbers."""
    keys = task()
    bits = np.uint64(2 ** (where.first - where.second) - 1)
    found = (keys >> np.uint64(where.second) & bits).astype(np.int64)
    before = np.searchsorted(removed, found).astype(np.uint64)
    return (keys - (before << np.uint64(where.second)))[~among(found, removed)]


def _nearest_of_all(
    query: NDArray[np.uint64], parts: Sequence[Part], removed: Removed, k: int
) -> NDArray[np.uint64]:
    """Return the keys of the ``k`` nearest hashes of one query by computing all distances."""
    far = [np.bitwise_count(part.rows ^ query).sum(axis=1, dtype=np.uint64) for part in parts]
    keys = np.concatenate(far) << np.uint64(32)
    keys |= np.arange(len(keys), dtype=np.uint64)
    keys = np.delete(keys, removed)
    return np.sort(np.partition(keys, k - 1)[:k])
