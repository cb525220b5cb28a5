"""The public functions: joins, nearest neighbours and histograms."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial, reduce
from itertools import islice
from operator import add
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from finhash.hamming import exhaustive, live, pairs, pruned
from finhash.hamming.exhaustive import ROWS
from finhash.hamming.gallery.snapshot import Snapshot
from finhash.hamming.kernels import counting
from finhash.hamming.kernels.distances import word_groups
from finhash.hamming.layout import ungrouped
from finhash.hamming.words import (
    Hashes,
    Pairs,
    as_labels,
    as_rows,
    as_words,
    both_as_words,
    by_family,
    check_comparable,
    check_k,
    check_radius,
    check_rows,
    check_workers,
    columns,
    fixed,
    length,
    read_only,
    threads,
)

LIMIT = 2**24
"""Largest number of pairs per task of a join. They take 128 MB, and more while they are found."""

Block = TypeVar("Block")


def join(a: Hashes, b: Hashes | None = None, *, radius: int, workers: int = 1) -> Pairs:
    """Return all pairs of hashes within a distance of ``radius``.

    Parameters
    ----------
    a : ndarray of uint8, shape (n, bits / 8), or Gallery
        Packed hashes. ``bits`` is a multiple of 64.
    b : ndarray of uint8, shape (m, bits / 8), or Gallery, optional
        Hashes to compare with ``a``. By default ``a`` is compared with itself, and each pair is
        returned once, with ``i < j``.
    radius : int
        Largest Hamming distance of a pair, in bits, inclusive.
    workers : int, default 1
        Threads.

    Returns
    -------
    i : ndarray of int32, shape (pairs,)
        Row of ``a``.
    j : ndarray of int32, shape (pairs,)
        Row of ``b``, or of ``a`` if ``b`` is None.
    distance : ndarray of uint16, shape (pairs,)
        Hamming distance in bits. Pairs are sorted by ``i``, then ``j``.

    Raises
    ------
    ValueError
        If the hashes have a wrong dtype or shape or differ in length, if two galleries have hashes
        of different methods, or if ``radius`` is not between 0 and the number of bits.
    TypeError
        If ``radius`` is not a whole number.

    Examples
    --------
    Three hashes of 64 bits. The second differs from the first in one bit, the third in 64.

    >>> import numpy as np
    >>> from finhash import hamming
    >>> hashes = np.array([[0] * 8, [1] + [0] * 7, [255] * 8], np.uint8)
    >>> i, j, distance = hamming.join(hashes, radius=4)
    >>> i.tolist(), j.tolist(), distance.tolist()
    ([0], [1], [1])
    """
    workers = check_workers(workers)
    a, b = fixed(a), None if b is None else fixed(b)
    radius = check_radius(radius, length(a))
    where = _shifts(a, b)
    keys = list(_keys(a, b, radius, where, workers, LIMIT, _call))
    return pairs.ordered(keys, len(a), where, workers)


def join_blocks(
    a: Hashes,
    b: Hashes | None = None,
    *,
    radius: int,
    workers: int = 1,
    limit: int = LIMIT,
) -> Iterator[Pairs]:
    """Yield the pairs of ``join`` in blocks and in no particular order.

    The pairs then need not fit into memory.

    Parameters
    ----------
    a, b, radius, workers
        As for ``join``. With several workers, at most ``2 * workers`` blocks are computed before
        they are asked for; with one worker, none.
    limit : int, default 2**24
        Largest number of pairs in a block, but the pairs of up to 512 hashes stay together.

    Yields
    ------
    i, j, distance : ndarrays of int32, int32 and uint16, shape (pairs,)
        Some of the pairs, as from ``join`` but in any order. Blocks may be empty.

    Raises
    ------
    ValueError
        As for ``join``, and if ``limit`` is less than 1.
    TypeError
        If ``radius`` is not a whole number.

    Examples
    --------
    >>> import numpy as np
    >>> from finhash import hamming
    >>> hashes = np.array([[0] * 8, [1] + [0] * 7, [3] + [0] * 7], np.uint8)
    >>> for i, j, distance in hamming.join_blocks(hashes, radius=1, limit=3):
    ...     print(i.tolist(), j.tolist(), distance.tolist())
    [0] [1] [1]
    [1] [2] [1]
    [] [] []
    """
    workers = check_workers(workers)
    if limit < 1:
        raise ValueError(f"limit is {limit}; a block needs at least 1 pair")
    a, b = fixed(a), None if b is None else fixed(b)
    radius = check_radius(radius, length(a))
    where = _shifts(a, b)
    return _keys(a, b, radius, where, workers, limit, partial(_unpack, where))


def _shifts(a: Hashes, b: Hashes | None) -> pairs.Shifts:
    """Check the arguments of a join, and return the place of its rows in the keys of pairs."""
    other = a if b is None else b
    check_comparable(a, other)
    # Tasks count the removed hashes of a gallery too.
    last = other.size if isinstance(other, Snapshot) else len(other)
    return pairs.shifts(len(a), last, length(a))


def _keys(
    a: Hashes,
    b: Hashes | None,
    radius: int,
    where: pairs.Shifts,
    workers: int,
    limit: int,
    read: Callable[[exhaustive.Task], Block],
) -> Iterator[Block]:
    """Compute the keys of all pairs in blocks, and yield what ``read`` makes of each block."""
    left = as_rows(a)
    with threads(workers) as each:
        if isinstance(b, Snapshot):
            found = live.tasks(columns(left), b.parts, b.removed, radius, where, limit)
        else:
            right, work = None if b is None else as_rows(b), pruned.Work()
            found = pruned.tasks(left, right, radius, where, limit, each, workers, work)
        yield from run((partial(read, task) for task in found), workers)


def _call(task: exhaustive.Task) -> NDArray[np.uint64]:
    """Return the keys that a task computes."""
    return task()


def _unpack(where: pairs.Shifts, task: exhaustive.Task) -> Pairs:
    """Return the pairs that a task computes."""
    return pairs.unpack(task(), where)


def nearest(
    queries: Hashes, gallery: Hashes, k: int, *, workers: int = 1
) -> tuple[NDArray[np.int32], NDArray[np.uint16]]:
    """Return the ``k`` nearest hashes of the gallery for each query.

    Parameters
    ----------
    queries : ndarray of uint8, shape (n, bits / 8), or Gallery
        Packed hashes. ``bits`` is a multiple of 64.
    gallery : ndarray of uint8, shape (m, bits / 8), or Gallery
        Hashes to search.
    k : int
        Neighbours per query, between 1 and ``m``.
    workers : int, default 1
        Threads.

    Returns
    -------
    index : ndarray of int32, shape (n, k)
        Rows of the gallery, sorted by distance, then by row.
    distance : ndarray of uint16, shape (n, k)
        Their Hamming distances in bits.

    Raises
    ------
    ValueError
        If the hashes have a wrong dtype or shape or differ in length, if two galleries have hashes
        of different methods, or if ``k`` is not between 1 and ``m``.
    TypeError
        If ``k`` is not a whole number.

    Examples
    --------
    >>> import numpy as np
    >>> from finhash import hamming
    >>> gallery = np.array([[0] * 8, [255] * 8, [3] + [0] * 7], np.uint8)
    >>> query = np.array([[1] + [0] * 7], np.uint8)
    >>> index, distance = hamming.nearest(query, gallery, k=2)
    >>> index.tolist(), distance.tolist()
    ([[0, 2]], [[1, 1]])
    """
    workers = check_workers(workers)
    queries, gallery = fixed(queries), fixed(gallery)
    check_comparable(queries, gallery)
    k = check_k(k, len(gallery))
    rows = as_rows(queries)
    if isinstance(gallery, Snapshot):
        parts, removed = gallery.parts, gallery.removed
    else:
        parts, removed = [ungrouped(as_rows(gallery))], live.NONE
    task = partial(live.nearest, columns(rows), parts, removed, k)
    best = np.concatenate(list(_by_rows(task, len(rows), ROWS, workers)))
    return best.astype(np.uint32).astype(np.int32), (best >> np.uint64(32)).astype(np.uint16)


def pair_histogram(
    hashes: Hashes, families: NDArray[Any], *, workers: int = 1
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count all pairs by distance, within families and between them.

    Parameters
    ----------
    hashes : ndarray of uint8, shape (n, bits / 8), or Gallery
        Packed hashes. ``bits`` is a multiple of 64.
    families : ndarray, shape (n,)
        Label of each hash's family. Hashes with equal labels are of one family.
    workers : int, default 1
        Threads.

    Returns
    -------
    same : ndarray of int64, shape (bits + 1,)
        Number of pairs within a family at each distance from 0 to ``bits``.
    other : ndarray of int64, shape (bits + 1,)
        Number of pairs from different families. ``same`` and ``other`` sum to ``n * (n - 1) / 2``.

    Raises
    ------
    ValueError
        If the hashes have a wrong dtype or shape, or if there is not one label per hash.

    Examples
    --------
    >>> import numpy as np
    >>> from finhash import hamming
    >>> hashes = np.array([[0] * 8, [1] + [0] * 7, [255] * 8], np.uint8)
    >>> same, other = hamming.pair_histogram(hashes, np.array([5, 5, 9]))
    >>> int(same[1]), int(same.sum())
    (1, 1)
    >>> np.flatnonzero(other).tolist()
    [63, 64]
    """
    workers = check_workers(workers)
    words, ends = by_family(as_words(hashes), families)
    task = partial(counting.histogram_rows, read_only(words), ends, word_groups(len(words)))
    # More rows per task than elsewhere, because each task clears and sums large tables; fewer for
    # many hashes, because a cell of its tables, a uint32, may count half of the task's pairs.
    rows = max(1, min(4 * ROWS, (2**33 - 1) // max(1, len(ends))))
    same, other = reduce(add, _by_rows(task, len(ends), rows, workers))
    return same, other


def query_histograms(
    hashes: Hashes,
    labels: NDArray[Any],
    gallery: Hashes | None = None,
    gallery_labels: NDArray[Any] | None = None,
    *,
    workers: int = 1,
    rows: int = ROWS,
) -> Iterator[tuple[int, int, NDArray[np.int32], NDArray[np.int32]]]:
    """Count the gallery's hashes by distance from each query.

    Hashes with the query's label and hashes with other labels are counted separately.

    Parameters
    ----------
    hashes : ndarray of uint8, shape (n, bits / 8), or Gallery
        Packed hashes of the queries. ``bits`` is a multiple of 64.
    labels : ndarray, shape (n,)
        Label of each query.
    gallery : ndarray of uint8, shape (m, bits / 8), or Gallery, optional
        Hashes to compare with. By default each query is compared with all other queries.
    gallery_labels : ndarray, shape (m,), optional
        Label of each hash of the gallery. Required if ``gallery`` is given.
    workers : int, default 1
        Threads. Blocks are computed ahead as by ``join_blocks``.
    rows : int, default 256
        Queries per block.

    Yields
    ------
    start, stop : int
        The block's queries are rows ``start`` to ``stop - 1``. Blocks come in order.
    same : ndarray of int32, shape (stop - start, bits + 1)
        Number of hashes with the query's label at each distance from 0 to ``bits``.
    other : ndarray of int32, shape (stop - start, bits + 1)
        Number of hashes with other labels.

    Raises
    ------
    ValueError
        If the hashes have a wrong dtype or shape or differ in length, if there is not one label per
        hash, or if ``rows`` is less than 1.

    Examples
    --------
    >>> import numpy as np
    >>> from finhash import hamming
    >>> hashes = np.array([[0] * 8, [1] + [0] * 7, [255] * 8], np.uint8)
    >>> blocks = hamming.query_histograms(hashes, np.array([5, 5, 9]))
    >>> start, stop, same, other = next(blocks)
    >>> start, stop, same[:, 1].tolist(), other.sum(axis=1).tolist()
    (0, 3, [1, 1, 0], [1, 1, 2])
    """
    workers = check_workers(workers)
    hashes, gallery = fixed(hashes), None if gallery is None else fixed(gallery)
    left, right = both_as_words(hashes, gallery)
    check_rows(rows)
    labels = as_labels(labels, len(hashes))
    owners = labels if gallery is None else as_labels(gallery_labels, len(gallery))
    order = np.argsort(owners, kind="stable")
    right, owners = np.ascontiguousarray(right[:, order]), owners[order]
    left, right = read_only(left), read_only(right)
    # Sorted by label, the hashes that share a query's label are one range of columns.
    firsts = np.searchsorted(owners, labels, "left")
    ends = np.searchsorted(owners, labels, "right")
    exact = word_groups(len(left))

    def block(lo: int, hi: int) -> tuple[int, int, NDArray[np.int32], NDArray[np.int32]]:
        total, same = counting.query_rows(left, right, firsts, ends, exact, lo, hi)
        other = total - same
        if gallery is None:
            same[:, 0] -= 1  # the query itself
        return lo, hi, same, other

    return _by_rows(block, len(labels), rows, workers)


def _by_rows(task: Callable[[int, int], Block], n: int, rows: int, workers: int) -> Iterator[Block]:
    """Yield ``task(lo, hi)`` for consecutive blocks of rows; if ``n`` is 0, ``task(0, 0)``."""
    spans = ((lo, min(n, lo + rows)) for lo in range(0, max(1, n), rows))
    # Dispatching to a thread would cost more than a single query.
    return run((partial(task, *span) for span in spans), 1 if n <= rows else workers)


def run(tasks: Iterator[Callable[[], Block]], workers: int) -> Iterator[Block]:
    """Yield the results of tasks in order, at most ``2 * workers`` of them computed ahead."""
    if workers == 1:
        yield from (task() for task in tasks)
        return
    with ThreadPoolExecutor(workers) as pool:
        ahead = deque(pool.submit(task) for task in islice(tasks, 2 * workers))
        while ahead:
            result = ahead.popleft().result()
            ahead.extend(pool.submit(task) for task in islice(tasks, 1))
            yield result
