"""State of a gallery at one moment, which never changes."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from finhash.hamming import live
from finhash.hamming.gallery.ids import ABSENT, LONGEST, Id, Ids, following, sealed
from finhash.hamming.gallery.tail import Tail
from finhash.hamming.layout import Part
from finhash.hamming.words import Packed

MERGE = 4
"""Later hashes are laid out together with a segment of at most ``MERGE`` times their number."""

EMPTIED = 0.25
"""Fraction of removed hashes from which on a segment is laid out again without them."""

LayOut = Callable[[NDArray[np.uint64], int], Part]
"""A function that lays hashes out, given the number of the first one."""


class Segment(NamedTuple):
    """Hashes that were laid out together, and their identifiers."""

    part: Part
    ids: Ids


class Addition(NamedTuple):
    """Hashes to add, ``uint64 [n, words]``, and their identifiers."""

    ids: Sequence[Id]
    rows: NDArray[np.uint64]


class Removal(NamedTuple):
    """Identifiers of hashes to remove."""

    ids: Sequence[Id]


Change = Addition | Removal
"""A change of a gallery. It holds identifiers only, so that it does not depend on the layout."""


@dataclass(frozen=True)
class Snapshot(Packed):
    """State of a gallery at one moment.

    Hashes have numbers in the order of their addition. Numbers of removed hashes stay unused until
    the segment is laid out again.

    Attributes
    ----------
    bits : int
        Length of a hash.
    method : str or None
        Name of the method that made the hashes.
    segments : tuple of Segment
        Hashes that were laid out together.
    tail : Tail
        Hashes after those.
    added : int
        Number of hashes of the tail.
    removed : ndarray of int64
        Numbers of the removed hashes, in rising order.
    next_id : int
        Identifier of the next hash that is added without one.
    change : int
        Number of the last change in the folder's list of changes; 0 without a folder.
    """

    bits: int
    method: str | None
    segments: tuple[Segment, ...]
    tail: Tail
    added: int
    removed: live.Removed
    next_id: int
    change: int = 0

    def __len__(self) -> int:
        return self.size - len(self.removed)

    def snapshot(self) -> "Snapshot":
        """Return this state."""
        return self

    @property
    def size(self) -> int:
        """Return the number of hashes, removed ones included."""
        return self.tail.first + self.added

    @cached_property
    def parts(self) -> list[Part]:
        """Return all hashes, removed ones included, as they are laid out."""
        return [segment.part for segment in self.segments] + self.tail.parts(self.added)

    @property
    def rows(self) -> NDArray[np.uint64]:
        """Return the hashes, shape ``(n, words)``, in the order of their addition."""
        return self.rows_from(0)

    @property
    def ids(self) -> "RowIds":
        """Return the identifiers by row."""
        return RowIds(self)

    def rows_from(self, first: int) -> NDArray[np.uint64]:
        """Return the hashes from the number ``first`` on, where a segment or the tail begins."""
        start, rows = 0, [np.empty((0, self.bits // 64), np.uint64)]
        for part in self.parts:
            if start >= first:
                rows.append(part.rows)
            start += len(part.rows)
        every = np.concatenate(rows) if len(rows) > 2 else rows[-1]
        removed = self.removed[self.removed >= first]
        return np.delete(every, removed - first, axis=0) if len(removed) else every

    def ids_from(self, first: int) -> list[Id]:
        """Return the identifiers of the hashes from the number ``first`` on."""
        ids: list[Id] = []
        for start, segment in zip(self.starts, self.segments, strict=False):
            if start >= first:
                ids.extend(segment.ids[k] for k in range(len(segment.ids)))
        ids.extend(self.tail.ids[: self.added])
        removed = set((self.removed[self.removed >= first] - first).tolist())
        return [one for k, one in enumerate(ids) if k not in removed] if removed else ids

    @cached_property
    def starts(self) -> list[int]:
        """Return the number of the first hash of each segment and of the tail."""
        sizes = [len(segment.ids) for segment in self.segments]
        return np.cumsum([0, *sizes]).tolist()

    def id_of(self, number: int) -> Id:
        """Return the identifier of a hash."""
        if number >= self.tail.first:
            return self.tail.ids[number - self.tail.first]
        k = bisect_right(self.starts, number) - 1
        return self.segments[k].ids[number - self.starts[k]]

    def find(self, ids: Sequence[Id]) -> NDArray[np.int64]:
        """Return the number of each identifier's hash, or ``ABSENT``."""
        numbers = np.full(len(ids), ABSENT, np.int64)
        for k, one in enumerate(ids):
            number = self.tail.find(one, self.size)
            if number is not None:
                numbers[k] = number
        numbers[live.among(numbers, self.removed)] = ABSENT
        # An identifier of a removed hash can have been used again, in a later segment.
        for start, segment in zip(reversed(self.starts[:-1]), reversed(self.segments), strict=True):
            left = np.flatnonzero(numbers == ABSENT)
            if not len(left):
                break
            places = segment.ids.find([ids[k] for k in left.tolist()])
            found = np.where(places == ABSENT, ABSENT, places + start)
            found[live.among(found, self.removed)] = ABSENT
            numbers[left] = found
        return numbers

    def unused(self, n: int) -> list[int]:
        """Return ``n`` default identifiers."""
        first = self.next_id
        while True:
            ids = list(range(first, first + n))
            taken = np.flatnonzero(self.find(ids) != ABSENT)
            if not len(taken):
                return ids
            first = ids[taken[-1]] + 1

    def after(self, change: Change, number: int = 0) -> "Snapshot":
        """Return the state after a change, which is number ``number`` in the folder's list."""
        if isinstance(change, Addition):
            self.tail.write(self.added, change.rows, change.ids)
            return replace(
                self,
                added=self.added + len(change.ids),
                next_id=following(self.next_id, change.ids),
                change=number,
            )
        gone = np.sort(self.find(change.ids))
        places = np.searchsorted(self.removed, gone)
        return replace(self, removed=np.insert(self.removed, places, gone), change=number)

    def laid_out(self, lay_out: LayOut) -> "Snapshot":
        """Return the same hashes without a tail.

        Added hashes are laid out together with earlier segments of similar size, and so are
        segments from which many hashes were removed. A hash is therefore laid out again about as
        often as the logarithm of the number of hashes.
        """
        kept = self._kept()
        first = self.starts[kept]
        if first == self.size:
            return self
        rows = self.rows_from(first)
        segments = self.segments[:kept]
        if len(rows):
            segments += (Segment(lay_out(rows, first), sealed(self.ids_from(first))),)
        return replace(
            self,
            segments=segments,
            tail=Tail(first + len(rows), self.bits // 64),
            added=0,
            removed=self.removed[self.removed < first],
        )

    def _kept(self) -> int:
        """Return the number of segments that stay as they are."""
        gone = np.diff(np.searchsorted(self.removed, self.starts))
        sizes = np.diff(self.starts)
        emptied = np.flatnonzero(gone > EMPTIED * sizes)
        kept = int(emptied[0]) if len(emptied) else len(self.segments)
        while kept and sizes[kept - 1] <= MERGE * (self.size - self.starts[kept]):
            kept -= 1
        return kept


def empty(bits: int, method: str | None, next_id: int = 0) -> Snapshot:
    """Return the state of a gallery without hashes."""
    return of_segments((), bits, method, live.NONE, next_id)


def of_segments(
    segments: Iterable[Segment],
    bits: int,
    method: str | None,
    removed: live.Removed,
    next_id: int,
    change: int = 0,
) -> Snapshot:
    """Return the state of a gallery without a tail."""
    segments = tuple(segments)
    tail = Tail(sum(len(segment.ids) for segment in segments), bits // 64)
    return Snapshot(bits, method, segments, tail, 0, removed, next_id, change)


class RowIds(Sequence[Id]):
    """Identifiers of a gallery's hashes by row. Nothing is copied."""

    def __init__(self, state: Snapshot) -> None:
        self._state = state

    def __len__(self) -> int:
        return len(self._state)

    @overload
    def __getitem__(self, row: int) -> Id: ...
    @overload
    def __getitem__(self, row: slice) -> list[Id]: ...
    def __getitem__(self, row: int | slice) -> Id | list[Id]:
        rows = range(len(self))[row]
        if isinstance(rows, range):
            return self.at(np.arange(rows.start, rows.stop, rows.step))
        return self.at(np.array([rows]))[0]

    def __iter__(self) -> Iterator[Id]:
        return iter(self._state.ids_from(0))

    def __contains__(self, one: object) -> bool:
        if not isinstance(one, str | int) or isinstance(one, bool):
            return False
        if isinstance(one, int) and one.bit_length() > LONGEST:
            return False
        return bool(self._state.find([one])[0] != ABSENT)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    def __repr__(self) -> str:
        first = ", ".join(map(repr, self[:3]))
        return f"<{len(self)} ids: {first}{', ...' if len(self) > 3 else ''}>"

    def at(self, rows: NDArray[Any]) -> list[Id]:
        """Return the identifiers of some rows."""
        numbers = live.numbers(rows.astype(np.int64), self._state.removed)
        return [self._state.id_of(number) for number in numbers.tolist()]
