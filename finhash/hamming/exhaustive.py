"""Join of two sets of hashes by comparing every pair."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from finhash.hamming import pairs
from finhash.hamming.kernels.distances import bounds, cheapest_bound
from finhash.hamming.kernels.joins import join_rows
from finhash.hamming.words import Columns

ROWS = 256
"""Largest number of rows per task, the unit of work of a thread."""

Task = Callable[[], NDArray[np.uint64]]
"""Function that computes the keys of some of the pairs (see ``finhash.hamming.pairs``)."""


def tasks(
    left: Columns,
    right: Columns | None,
    radius: int,
    where: pairs.Shifts,
    limit: int,
    ends: NDArray[np.int64] | None = None,
) -> Iterator[Task]:
    """Yield tasks that compare all pairs of two sets, or of one with itself.

    Parameters
    ----------
    left, right : Columns
        Hashes. If ``right`` is None, ``left`` is compared with itself.
    radius : int
        Largest Hamming distance of a pair, in bits.
    where : Shifts
        Place of the rows in the keys.
    limit : int
        Largest number of pairs that a task may find, unless a single row has more.
    ends : ndarray of int64, shape (n,), optional
        Row after the last with which each row is compared, in rising order. By default each is
        compared with all.
    """
    n, itself = len(left.ids), right is None
    right = left if right is None else right
    words = len(left.words)
    bound = cheapest_bound(words, radius)
    if ends is None:
        ends = np.full(n, len(right.ids))
    rows = max(1, min(ROWS, limit // max(1, len(right.ids))))
    for lo in range(0, n, rows):
        yield partial(
            join_rows, left.words, left.ids, right.words, right.ids, ends, radius, itself,
            bounds(words), bound, where, lo, min(n, lo + rows),
        )  # fmt: skip
