"""Exact join that leaves out most pairs by the triangle inequality.

Hamming distance is a metric, so hashes ``m`` and ``y`` cannot be within a radius ``r`` if
``d(y, c) - d(m, c) > r`` for any hash ``c``. The join chooses centres ``c`` (see
``finhash.hamming.centres``) and goes through them in order. Each centre takes the hashes near it
that no earlier centre has taken, its members. Members are compared with each other. Other hashes
that no earlier centre has taken are candidates of the centre if they are within ``d(m, c) + r`` of
it, where ``m`` is its farthest member. If a centre has many members, each of them is compared only
with the candidates that its own distance allows, else with all candidates. The members are then
done and are removed. Hashes that no centre takes are compared with each other, about centres of
their own if there are many.

Centres are handled in batches. In a batch, the hashes are first compared with all centres. These
comparisons run in threads by ranges of hashes, and so do those of members and candidates. A group
that holds all hashes is therefore divided among the threads too. While the calling thread waits for
comparisons with the next centres, tasks of the batch before still run, so up to twice as many
threads as ``workers`` are busy. Beside the hashes, the join holds a copy of those that are left and
about 16 bytes for each of them. A thread holds about 1 MB for hashes of 256 bits, and the pairs of
its task.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from finhash.hamming import centres, exhaustive, pairs
from finhash.hamming.kernels import joins
from finhash.hamming.kernels.distances import PADDING, TILE, word_groups
from finhash.hamming.kernels.keys import AS_GIVEN, SMALLER, SWAPPED
from finhash.hamming.kernels.masks import COLUMNS
from finhash.hamming.words import Columns, Map, columns

FEWEST = 2**28
"""Number of pairs below which choosing centres would cost more than comparing all pairs."""

BATCH = 64
"""Centres per batch."""

PROGRESS = 0.9
"""Centres are chosen again only if the last round left at most this fraction of the pairs."""

UNEVEN = 4
"""Largest ratio of the sizes of two sets for which centres are chosen.

A centre costs a comparison with each hash of both sets. A member saves comparisons with the other
set only, which are few if that set is the smaller one. A ``Gallery`` is made for such look-ups.
"""

SHARE = 0.07
"""Largest fraction of unrelated hashes that may be candidates of a centre."""

RANGE = 2**17
"""Largest number of hashes per task."""


@dataclass
class Work:
    """Counts of the work of a pruned join, which may be too small with several workers.

    Attributes
    ----------
    rounds : list of (int, int, int)
        For each round of choosing centres: hashes that were left, centres, and the largest distance
        from its centre that a member may have, in bits.
    swept : int
        Distances between centres and hashes.
    candidates : int
        Hashes that were gathered, once for each centre that they were candidates of.
    compared : int
        Pairs of members of one centre, and of members and candidates, that were compared.
    left : int
        Pairs of hashes without a centre, which were all compared.
    """

    rounds: list[tuple[int, int, int]] = field(default_factory=list)
    swept: int = 0
    candidates: int = 0
    compared: int = 0
    left: int = 0


class Side:
    """One set of hashes during the join: those still free, and taken ones not yet removed.

    ``turn`` is ``NEVER`` or ``GONE``, or else the number of centres of the batch from the hash's
    own centre on. Turns count down, so that the hashes that no centre before ``c`` has taken are
    those whose turn is at most the number of centres from ``c`` on.
    """

    def __init__(self, rows: NDArray[np.uint64]) -> None:
        self.rows = rows
        self.columns = columns(rows)
        self.turn = np.zeros(len(rows) + PADDING, np.uint16)
        self.gone = 0

    @property
    def ids(self) -> NDArray[np.int32]:
        """Return the numbers of the hashes that are left."""
        return self.columns.ids[self.turn[: len(self.columns.ids)] == joins.NEVER]

    @property
    def size(self) -> int:
        """Return the number of hashes that are left."""
        return len(self.columns.ids) - self.gone

    def left(self) -> Columns:
        """Remove the hashes that were taken, and return those that are left."""
        if self.gone:
            self.columns = columns(self.rows, self.ids)
            self.turn = np.zeros(len(self.columns.ids) + PADDING, np.uint16)
            self.gone = 0
        return self.columns

    def forget(self, taken: int) -> None:
        """Count the hashes that were taken, and remove them once they exceed an eighth."""
        self.gone += taken
        if self.gone > len(self.columns.ids) // 8:
            self.left()

    def spans(self, workers: int, width: int) -> list[tuple[int, int]]:
        """Return at least ``workers`` ranges of hashes, each at most ``width`` or a tile."""
        tiles = -(-len(self.columns.ids) // TILE)
        parts = max(workers, -(-tiles // max(1, width // TILE)))
        bounds = [min(len(self.columns.ids), k * tiles // parts * TILE) for k in range(parts + 1)]
        return list(pairwise(bounds))


@dataclass
class Members:
    """Hashes that the centres of a batch have taken.

    Attributes
    ----------
    columns : Columns
        Members, sorted by centre, then by distance from it.
    distances : ndarray of uint16, shape (members,)
        Distance from the centre, in bits.
    firsts : ndarray of int64, shape (centres + 1,)
        The members of centre ``c`` are ``firsts[c] .. firsts[c + 1]``.
    """

    columns: Columns
    distances: NDArray[np.uint16]
    firsts: NDArray[np.int64]


@dataclass
class Near:
    """Hashes of one of the sets that are near the centres of a batch.

    Attributes
    ----------
    columns : Columns
        Hashes that were laid out when the batch began. Some were taken before; their turn is
        ``GONE``.
    turn : ndarray of uint16
        When a centre took each hash (see ``Side``).
    masks : list of (int, int, ndarray of uint64)
        For each range of hashes, masks of those that may be candidates (see ``take_members``).
    """

    columns: Columns
    turn: NDArray[np.uint16]
    masks: list[tuple[int, int, NDArray[np.uint64]]]

    def parts(self, members: Members, limit: int) -> Iterator[tuple[int, int, NDArray[np.uint64]]]:
        """Yield ranges of hashes and their masks.

        A range has at most ``limit`` possible pairs, or is a single tile.
        """
        for lo, hi, near in self.masks:
            possible = np.bitwise_count(near) @ np.diff(members.firsts)
            tiles = np.add.reduceat(possible, np.arange(0, len(possible), TILE // COLUMNS))
            start, total = lo, 0
            for tile, pairs_of_tile in enumerate(tiles.tolist()):
                if total and total + pairs_of_tile > limit:
                    stop = lo + tile * TILE
                    yield start, stop, near[(start - lo) // COLUMNS :]
                    start, total = stop, 0
                total += pairs_of_tile
            yield start, hi, near[(start - lo) // COLUMNS :]


def tasks(
    left: NDArray[np.uint64],
    right: NDArray[np.uint64] | None,
    radius: int,
    where: pairs.Shifts,
    limit: int,
    each: Map,
    workers: int,
    work: Work,
) -> Iterator[exhaustive.Task]:
    """Yield tasks that together find all pairs of two sets, or of one with itself.

    Parameters
    ----------
    left, right : ndarray of uint64, shape (n, words)
        Hashes. If ``right`` is None, ``left`` is compared with itself.
    radius : int
        Largest Hamming distance of a pair, in bits.
    where : Shifts
        Place of the rows in the keys.
    limit : int
        Largest number of pairs that a task may find, unless 512 hashes have more.
    each : Map
        Runs the comparisons with the centres, which the tasks depend on.
    workers : int
        Number of threads that ``each`` uses.
    work : Work
        What is done is added to it.
    """
    sides = [Side(left)] if right is None else [Side(left), Side(right)]
    for centre_words, found in batches(sides, radius, SHARE, each, workers, work):
        if right is None:
            members, near = found[0]
            ends = np.repeat(members.firsts[1:], np.diff(members.firsts))
            yield from exhaustive.tasks(members.columns, None, radius, where, limit, ends)
            sizes = np.diff(members.firsts)
            work.compared += int((sizes * (sizes - 1)).sum() // 2)
            turns = [(members, near, 1, SMALLER)]
        else:
            turns = [
                (found[0][0], found[1][1], 0, AS_GIVEN),
                (found[1][0], found[0][1], 1, SWAPPED),
            ]
        for members, near, later, order in turns:
            for lo, hi, close in near.parts(members, limit):
                yield partial(
                    _join, work, centre_words, members, near, close, radius, later, order, where,
                    lo, hi,
                )  # fmt: skip
    work.left += _pairs(sides)
    rest = [side.left() for side in sides]
    yield from exhaustive.tasks(rest[0], None if right is None else rest[1], radius, where, limit)


def batches(
    sides: list[Side], radius: int | None, share: float, each: Map, workers: int, work: Work
) -> Iterator[tuple[NDArray[np.uint64], list[tuple[Members, Near]]]]:
    """Choose centres and let them take members; yield each batch of centres with its members.

    Stops when centres would not pay for the hashes that are left.

    Parameters
    ----------
    sides : list of Side
        The two sets of hashes, or the one that is joined with itself.
    radius : int or None
        Largest distance of a pair, in bits; None if it is not known.
    share : float
        Largest fraction of unrelated hashes that may be candidates of a centre.
    each : Map
        Runs the comparisons with the centres.
    workers : int
        Number of threads that ``each`` uses.
    work : Work
        What is done is added to it.

    Yields
    ------
    centres : ndarray of uint64, shape (words, centres + PADDING)
        Centres.
    found : list of (Members, Near)
        Members and possible candidates of the centres, for each side.
    """
    pairs_before = float("inf")
    while pays(sides) and _pairs(sides) <= PROGRESS * pairs_before:
        pairs_before = _pairs(sides)
        left = [(side.rows, side.ids) for side in sides]
        chosen = centres.choose(left, radius, share, each, workers)
        if chosen is None:
            return
        hashes = sum(side.size for side in sides)
        work.rounds.append((hashes, chosen.number, int(chosen.spreads.max())))
        for first in range(0, chosen.number, BATCH):
            number = min(BATCH, chosen.number - first)
            batch = np.ascontiguousarray(chosen.words[:, first : first + number + PADDING])
            found = []
            for side in sides:
                before, side.turn = side.turn, np.zeros_like(side.turn)
                take = partial(
                    joins.take_members, batch, chosen.spreads[first : first + number], radius or 0,
                    side.columns.words, before, side.turn, word_groups(len(batch)),
                )  # fmt: skip
                spans = side.spans(workers, RANGE)
                taken, near = zip(*each(take, *zip(*spans, strict=True)), strict=True)
                close = [(*span, part) for span, part in zip(spans, near, strict=True)]
                members = _members(side, np.concatenate(taken), number)
                found.append((members, Near(side.columns, side.turn, close)))
                work.swept += number * len(side.columns.ids)
            yield batch, found
            for side, (members, _) in zip(sides, found, strict=True):
                side.forget(len(members.distances))


def pays(sides: list[Side]) -> bool:
    """Return whether the hashes that are left have enough pairs to look for centres."""
    sizes = [side.size for side in sides]
    return _pairs(sides) >= FEWEST and max(sizes) <= UNEVEN * min(sizes)


def _pairs(sides: list[Side]) -> int:
    """Return the number of pairs of the hashes that are left."""
    n, m = sides[0].size, sides[-1].size
    return n * (n - 1) // 2 if len(sides) == 1 else n * m


def _join(
    work: Work,
    batch: NDArray[np.uint64],
    members: Members,
    near: Near,
    close: NDArray[np.uint64],
    radius: int,
    later: int,
    order: int,
    where: pairs.Shifts,
    lo: int,
    hi: int,
) -> NDArray[np.uint64]:
    """Return the keys from ``join_members``, and add to the work done."""
    keys, candidates, compared = joins.join_members(
        batch, *members.columns, members.distances, members.firsts, *near.columns, near.turn, close,
        radius, word_groups(len(batch)), later, order, where, lo, hi,
    )  # fmt: skip
    work.candidates += candidates
    work.compared += compared
    return keys


def _members(side: Side, taken: NDArray[np.uint64], number: int) -> Members:
    """Return the members of a batch's centres from their keys (see ``take_members``)."""
    taken = np.sort(taken)
    places = (taken & np.uint64(0xFFFFFFFF)).astype(np.int64)
    distances = (taken >> np.uint64(32)).astype(np.uint16)
    firsts = np.searchsorted(taken >> np.uint64(48), np.arange(number + 1, dtype=np.uint64))
    return Members(columns(side.rows, side.columns.ids[places]), distances, firsts)
