"""Layout of a gallery's hashes for exact look-ups, and the loops over it."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from finhash.hamming import exhaustive, pairs, pruned
from finhash.hamming.kernels import lookups
from finhash.hamming.kernels.distances import PADDING, word_groups
from finhash.hamming.kernels.masks import LANES
from finhash.hamming.words import Columns, aligned, columns, read_only, threads

SHARE = 0.02
"""Fraction of unrelated hashes that may be near enough to a centre for its members to be read.

It is smaller than for joins (``pruned.SHARE``), because members that are read for a single query
come from memory.
"""

NONE = ~np.uint64(0)
"""Key of a neighbour that has not been found yet."""


class Groups(NamedTuple):
    """Hashes by the centre that they are near.

    Attributes
    ----------
    centres : ndarray of uint64, shape (words, n + PADDING)
        Centres.
    places : ndarray of int32, shape (n, 3)
        For each centre: the number of its first member, the number after its last one, and the
        distance of the farthest one. Each centre's members begin at a multiple of ``LANES``.
    blocks : ndarray of uint64, shape (words * members,)
        Members. Those of a centre are one block, word by word, so that few cache lines are read.
    ids : ndarray of int32, shape (members,)
        Number of each member in the gallery.
    """

    centres: NDArray[np.uint64]
    places: NDArray[np.int32]
    blocks: NDArray[np.uint64]
    ids: NDArray[np.int32]


class Part(NamedTuple):
    """Hashes that were laid out together: those near a centre, and the others."""

    rows: NDArray[np.uint64]
    groups: Groups | None
    others: Columns


def grouped(rows: NDArray[np.uint64], offset: int, workers: int) -> Part:
    """Lay out hashes, the first of which has the number ``offset``."""
    side = pruned.Side(rows)
    found = []
    with threads(workers) as each:
        for batch, ((members, _),) in pruned.batches(
            [side], None, SHARE, each, workers, pruned.Work()
        ):
            found.append((batch, members))
    taken = sum(len(members.distances) for _, members in found)
    groups = _groups(rows, offset, found) if taken else None
    return Part(rows, groups, _shifted(side.left(), offset))


def ungrouped(rows: NDArray[np.uint64], offset: int = 0) -> Part:
    """Lay out hashes without groups."""
    return Part(rows, None, _shifted(columns(rows), offset))


def tasks(
    queries: Columns, parts: Sequence[Part], radius: int, where: pairs.Shifts, limit: int
) -> Iterator[exhaustive.Task]:
    """Yield tasks that together find all pairs of queries and a gallery's hashes.

    Parameters
    ----------
    queries : Columns
        Hashes to look up.
    parts : sequence of Part
        Hashes of the gallery.
    radius : int
        Largest Hamming distance of a pair, in bits.
    where : Shifts
        Place of the rows in the keys.
    limit : int
        Largest number of pairs that a task may find, unless a single query has more.
    """
    exact = word_groups(len(queries.words))
    for _, groups, others in parts:
        if groups:
            width = max(1, min(exhaustive.ROWS, limit // len(groups.ids)))
            for lo in range(0, len(queries.ids), width):
                hi = min(len(queries.ids), lo + width)
                yield partial(lookups.look_up, *queries, *groups, radius, exact, where, lo, hi)
        yield from exhaustive.tasks(queries, others, radius, where, limit)


def nearest(
    queries: Columns, parts: Sequence[Part], k: int, lo: int, hi: int
) -> NDArray[np.uint64]:
    """Return the ``k`` nearest hashes of queries ``lo .. hi``, as ``uint64 [hi - lo, k]``.

    Bits 32 and up hold the distance, the others the number of the hash.
    """
    words = len(queries.words)
    # The distance to beat is not known in advance, so the tightest bound is used: two words per
    # group. Groups must be of equal size, so an odd number of words is compared word by word.
    bound, exact = word_groups(words, 2 - words % 2), word_groups(words)
    best = np.full((hi - lo, k), NONE)
    for _, groups, others in parts:
        lookups.nearest_columns(queries.words, *others, bound, exact, best, lo, hi)
        if groups:
            lookups.nearest_members(queries.words, *groups, exact, best, lo, hi)
    return best


def _groups(
    rows: NDArray[np.uint64], offset: int, found: list[tuple[NDArray[np.uint64], pruned.Members]]
) -> Groups:
    """Return the groups of all batches of centres, without centres that have no members."""
    batches, members = zip(*found, strict=True)
    sizes = np.concatenate([np.diff(one.firsts) for one in members])
    kept = np.flatnonzero(sizes)
    every = np.concatenate([batch[:, :-PADDING] for batch in batches], axis=1)
    centres = aligned(len(every), len(kept) + PADDING)
    centres[:, : len(kept)] = every[:, kept]
    sizes = sizes[kept]
    room = -(-sizes // LANES) * LANES
    first = np.cumsum(room) - room
    ids = np.concatenate([one.columns.ids for one in members])
    distances = np.concatenate([one.distances for one in members])
    places = np.stack([first, first + sizes, distances[np.cumsum(sizes) - 1]], axis=1)
    padded = np.zeros(room.sum(), np.int32)
    padded[np.repeat(first - np.cumsum(sizes) + sizes, sizes) + np.arange(len(ids))] = ids
    blocks = aligned(1, rows.shape[1] * len(padded))[0]
    lookups.fill(read_only(rows), padded, first, room, blocks)
    return Groups(centres, places.astype(np.int32), blocks, padded + np.int32(offset))


def _shifted(given: Columns, offset: int) -> Columns:
    """Return columns whose numbers are larger by ``offset``."""
    return Columns(given.words, given.ids + np.int32(offset))
