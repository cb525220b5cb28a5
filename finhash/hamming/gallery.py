"""Galleries: hashes laid out for exact look-ups, and the look-ups."""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from finhash.hamming import exhaustive, pairs, pruned
from finhash.hamming.kernels import lookups
from finhash.hamming.kernels.distances import PADDING, word_groups
from finhash.hamming.kernels.masks import LANES
from finhash.hamming.words import (
    Columns,
    Packed,
    aligned,
    as_rows,
    check_lengths,
    columns,
    length,
    threads,
)

SHARE = 0.02
"""Fraction of unrelated hashes that may be near enough to a centre for its members to be read.

It is smaller than for joins (``pruned.SHARE``), because members that are read for a single query
come from memory.
"""

MERGE = 4
"""An addition is merged with the part before it if that has at most ``MERGE`` times its size."""

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


class Gallery(Packed):
    """Hashes laid out for look-ups, to which more can be added.

    A gallery can be passed wherever a function of ``finhash.hamming`` takes hashes, and gives the
    same results. ``join(queries, gallery)`` and ``nearest(queries, gallery, k)`` are faster with a
    gallery, because it groups hashes that are near each other and passes over groups that are far
    from a query. A service that answers many queries should therefore make its gallery once.

    Parameters
    ----------
    hashes : ndarray of uint8, shape (n, bits / 8)
        Packed hashes. ``bits`` is a multiple of 64.
    grouped : bool, default True
        Whether to group hashes. Without groups, a gallery is laid out at once, and each look-up
        compares all its hashes.
    workers : int, default 1
        Threads that lay the hashes out.

    Raises
    ------
    ValueError
        If ``hashes`` has another dtype or shape.

    Notes
    -----
    The hashes are copied. A million hashes of 256 bits take about 80 MB, and ten to twenty seconds
    to group. Fewer than about 23,000 hashes are not grouped.

    Examples
    --------
    >>> import numpy as np
    >>> from finhash import hamming
    >>> gallery = hamming.Gallery(np.array([[0] * 8, [255] * 8], np.uint8))
    >>> gallery.add(np.array([[1] + [0] * 7], np.uint8))
    >>> len(gallery)
    3
    >>> query = np.array([[1] + [0] * 7], np.uint8)
    >>> index, distance = hamming.nearest(query, gallery, k=2)
    >>> index.tolist(), distance.tolist()
    ([[2, 0]], [[0, 1]])
    """

    def __init__(
        self, hashes: NDArray[np.uint8], *, grouped: bool = True, workers: int = 1
    ) -> None:
        self.bits = length(hashes)
        self._lay_out = partial(_part, workers=workers) if grouped else ungrouped
        self.parts = [self._lay_out(as_rows(hashes).copy(), 0)]

    def __len__(self) -> int:
        return sum(len(part.rows) for part in self.parts)

    @property
    def rows(self) -> NDArray[np.uint64]:
        """Return all hashes, ``uint64 [n, words]``, in the order in which they were added."""
        rows = [part.rows for part in self.parts]
        return np.concatenate(rows) if len(rows) > 1 else rows[0]

    def add(self, hashes: NDArray[np.uint8]) -> None:
        """Add hashes after the last one.

        They are laid out together with earlier additions of similar size, so that a hash is laid
        out again about as often as the logarithm of the number of hashes. Look-ups in other threads
        may go on meanwhile; additions must not overlap.

        Parameters
        ----------
        hashes : ndarray of uint8, shape (m, bits / 8)
            Packed hashes, of the same length as the gallery's.

        Raises
        ------
        ValueError
            If ``hashes`` has another dtype or shape.
        """
        check_lengths(self.bits, length(hashes))
        kept, together = list(self.parts), [as_rows(hashes)]
        while kept and len(kept[-1].rows) <= MERGE * sum(map(len, together)):
            together.insert(0, kept.pop().rows)
        offset = sum(len(part.rows) for part in kept)
        # A new list, so that look-ups in other threads see all of the old parts or all of the new.
        self.parts = [*kept, self._lay_out(np.concatenate(together), offset)]


def _part(rows: NDArray[np.uint64], offset: int, workers: int) -> Part:
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
    queries: Columns, parts: list[Part], radius: int, where: pairs.Shifts, limit: int
) -> Iterator[exhaustive.Task]:
    """Yield tasks that together find all pairs of queries and a gallery's hashes.

    Parameters
    ----------
    queries : Columns
        Hashes to look up.
    parts : list of Part
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


def nearest(queries: Columns, parts: list[Part], k: int, lo: int, hi: int) -> NDArray[np.uint64]:
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
    lookups.fill(rows, padded, first, room, blocks)
    return Groups(centres, places.astype(np.int32), blocks, padded + np.int32(offset))


def _shifted(given: Columns, offset: int) -> Columns:
    """Return columns whose numbers are larger by ``offset``."""
    return Columns(given.words, given.ids + np.int32(offset))
