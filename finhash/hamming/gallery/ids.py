"""Identifiers of a gallery's hashes: strings or integers, each used once."""

import hashlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from operator import index
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Id = str | int
"""Identifier of a hash. ``1`` and ``"1"`` are different ones."""

LONGEST = 1024
"""Largest number of bits of an integer. Python and JSON refuse to write much longer ones."""

COUNTED = 2**53
"""Default identifiers do not follow integers from here on, which databases may not hold."""

ABSENT = -1
"""Place of an identifier that a set does not hold."""


class Ids(ABC):
    """Identifiers that never change, in the order of their hashes."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, place: int) -> Id: ...

    @abstractmethod
    def find(self, wanted: Sequence[Id]) -> NDArray[np.int64]:
        """Return the place of each identifier, or ``ABSENT``."""


class Counted(Ids):
    """Consecutive integers, which take no memory."""

    def __init__(self, first: int, number: int) -> None:
        self.first = first
        self._number = number

    def __len__(self) -> int:
        return self._number

    def __getitem__(self, place: int) -> int:
        return self.first + place

    def find(self, wanted: Sequence[Id]) -> NDArray[np.int64]:
        """Return the place of each identifier, or ``ABSENT``."""
        last = self.first + self._number
        places = (
            one - self.first if isinstance(one, int) and self.first <= one < last else ABSENT
            for one in wanted
        )
        return np.fromiter(places, np.int64, len(wanted))


class Arrays(NamedTuple):
    """Arrays that ``Listed`` consists of, so that a file can be mapped into memory.

    Attributes
    ----------
    text : ndarray of uint8, shape (bytes,)
        Encoded identifiers, one after the other.
    ends : ndarray of int64, shape (n,)
        Where each one ends in ``text``.
    digests : ndarray of uint64, shape (n,)
        Digests of the encoded identifiers, in rising order.
    order : ndarray of int32, shape (n,)
        Place of the identifier that each digest belongs to.
    """

    text: NDArray[np.uint8]
    ends: NDArray[np.int64]
    digests: NDArray[np.uint64]
    order: NDArray[np.int32]


class Listed(Ids):
    """Any identifiers. They are found by their digests."""

    def __init__(self, arrays: Arrays) -> None:
        self.arrays = arrays

    def __len__(self) -> int:
        return len(self.arrays.ends)

    def __getitem__(self, place: int) -> Id:
        return _decode(self._encoded(place))

    def find(self, wanted: Sequence[Id]) -> NDArray[np.int64]:
        """Return the place of each identifier, or ``ABSENT``."""
        encoded = [_encode(one) for one in wanted]
        digests = _digests(encoded)
        firsts = np.searchsorted(self.arrays.digests, digests)
        last = len(self) - 1
        possible = self.arrays.digests[np.minimum(firsts, last)] == digests
        places = np.full(len(wanted), ABSENT, np.int64)
        for k in np.flatnonzero(possible).tolist():
            at = int(firsts[k])
            # Several identifiers can have the same digest.
            while at <= last and self.arrays.digests[at] == digests[k]:
                place = int(self.arrays.order[at])
                if self._encoded(place) == encoded[k]:
                    places[k] = place
                at += 1
        return places

    def _encoded(self, place: int) -> bytes:
        """Return an encoded identifier."""
        start = self.arrays.ends[place - 1] if place else 0
        return self.arrays.text[start : self.arrays.ends[place]].tobytes()


def sealed(ids: Sequence[Id]) -> Ids:
    """Return identifiers in the form that takes least memory.

    Examples
    --------
    >>> sealed([4, 5, 6]).find([6, "6"]).tolist()
    [2, -1]
    >>> sealed(["a.jpg", 7]).find([7, "a.jpg", 8]).tolist()
    [1, 0, -1]
    """
    first = ids[0]
    if isinstance(first, int) and all(one == first + k for k, one in enumerate(ids)):
        return Counted(first, len(ids))
    encoded = [_encode(one) for one in ids]
    digests = _digests(encoded)
    order = np.argsort(digests, kind="stable").astype(np.int32)
    ends = np.cumsum([len(one) for one in encoded], dtype=np.int64)
    text = np.frombuffer(b"".join(encoded), np.uint8)
    return Listed(Arrays(text, ends, digests[order], order))


def checked(ids: Any, number: int) -> list[Id]:  # noqa: ANN401 - anything can be passed
    """Return one identifier per hash as a list; raise an error unless each is valid and unique."""
    if isinstance(ids, set | frozenset):
        raise TypeError("ids are a set, which has no order; pass a list in the order of the hashes")
    listed = as_list(ids)
    if len(listed) != number:
        raise ValueError(f"got {number} hashes and {len(listed)} ids; pass one id per hash")
    if len(set(listed)) < len(listed):
        twice = next(one for one, count in Counter(listed).items() if count > 1)
        raise ValueError(f"the id {twice!r} is given twice; pass a different id for each hash")
    return listed


def as_list(ids: Any) -> list[Id]:  # noqa: ANN401 - anything can be passed
    """Return one identifier or several as a list; raise ``TypeError`` for other types."""
    if isinstance(ids, str | bytes | bytearray | memoryview) or not isinstance(ids, Iterable):
        ids = [ids]
    return [_checked(one) for one in ids]


def following(first: int, ids: Sequence[Id]) -> int:
    """Return the first default identifier after others: at least ``first``, beyond integers."""
    counted = (one for one in ids if isinstance(one, int) and one < COUNTED)
    return max(chain((first,), (one + 1 for one in counted)))


def _checked(one: Any) -> Id:  # noqa: ANN401 - anything can be passed
    """Return one identifier; raise ``TypeError`` unless it is a string or an integer."""
    if isinstance(one, str):
        return str(one)  # NumPy's strings too become Python's
    try:
        # Python counts True as an integer; as an id it is a mistake.
        if not isinstance(one, bool | np.bool_):
            return _short(index(one))
    except TypeError:
        pass
    raise TypeError(f"the id {one!r} has type {type(one).__name__}; pass a string or an integer")


def _short(one: int) -> int:
    """Return an integer; raise ``ValueError`` if it has too many digits."""
    if one.bit_length() > LONGEST:
        raise ValueError(
            f"an id is an integer of {one.bit_length()} bits; pass one of at most {LONGEST} bits, "
            "or a string"
        )
    return one


def _encode(one: Id) -> bytes:
    """Return an identifier as bytes; the first tells strings from integers."""
    # File names that are not valid UTF-8 hold surrogates in Python.
    return b"s" + one.encode("utf-8", "surrogatepass") if isinstance(one, str) else b"i%d" % one


def _decode(encoded: bytes) -> Id:
    """Return the identifier that was encoded."""
    text = encoded[1:].decode("utf-8", "surrogatepass")
    return text if encoded.startswith(b"s") else int(text)


def _digests(encoded: Sequence[bytes]) -> NDArray[np.uint64]:
    """Return a digest of 64 bits of each encoded identifier."""
    digests = (hashlib.blake2b(one, digest_size=8).digest() for one in encoded)
    return np.frombuffer(b"".join(digests), "<u8")
