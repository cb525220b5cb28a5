"""Checks and memory layout of packed hashes, shared by the CPU and GPU scans."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from operator import index
from typing import Any, NamedTuple, TypeGuard

import numpy as np
from numpy.typing import NDArray

from finhash.hamming.kernels.distances import LINE, PADDING, gather

Words = NDArray[np.unsignedinteger[Any]]


class Columns(NamedTuple):
    """Hashes in the memory layout that the joins need.

    Attributes
    ----------
    words : ndarray of uint64, shape (words, n + PADDING or more)
        Word ``k`` of all hashes is contiguous in memory.
    ids : ndarray of int32, shape (n,)
        Number of each hash in the set that it is from.
    """

    words: NDArray[np.uint64]
    ids: NDArray[np.int32]


class Packed(ABC):
    """Hashes that have been checked, the base class of ``Gallery``.

    Attributes
    ----------
    bits : int
        Length of a hash.
    method : str or None
        Name of the method that made the hashes; None if it is not known.
    """

    bits: int
    method: str | None

    @abstractmethod
    def snapshot(self) -> "Packed":
        """Return the present state, which later changes leave as it is."""

    @property
    @abstractmethod
    def rows(self) -> NDArray[np.uint64]:
        """Return the hashes, shape ``(n, words)``."""

    @abstractmethod
    def __len__(self) -> int: ...


Hashes = NDArray[np.uint8] | Packed
"""Packed hashes, ``uint8 [n, bits / 8]``, or a gallery of them."""

Pairs = tuple[NDArray[np.integer[Any]], NDArray[np.integer[Any]], NDArray[np.integer[Any]]]
"""Pairs of hashes as three arrays of equal length: first row, second row, distance in bits."""


Map = Callable[..., Iterable[Any]]
"""A function like ``map``, which may call its function in threads."""


def as_words(hashes: Hashes, word: type[np.unsignedinteger[Any]] = np.uint64) -> Words:
    """Return the hashes as an array of shape ``(words, n)`` and dtype ``word``.

    Word ``k`` of all hashes is contiguous in memory.
    """
    if isinstance(hashes, Packed):
        hashes = hashes.rows.view(np.uint8)
    return np.ascontiguousarray(check_hashes(hashes).view(word).T)


def check_hashes(hashes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the hashes as a contiguous array; raise ``ValueError`` unless they are packed."""
    check_no_table(hashes)
    hashes = np.asarray(hashes)
    if hashes.dtype != np.uint8 or hashes.ndim != 2 or hashes.shape[1] % 8 or not hashes.shape[1]:
        raise ValueError(
            f"hashes have dtype {hashes.dtype} and shape {hashes.shape}; pass packed hashes of "
            "dtype uint8 and shape (n, bits / 8) where bits is a multiple of 64"
        )
    return np.ascontiguousarray(hashes)


def as_rows(hashes: Hashes) -> NDArray[np.uint64]:
    """Return the hashes as an array of shape ``(n, words)``, without copying them if possible."""
    if isinstance(hashes, Packed):
        return hashes.rows
    return np.require(check_hashes(hashes).view(np.uint64), requirements=["C", "A"])


def check_no_table(hashes: object) -> None:
    """Raise ``TypeError`` if a hash table is passed in place of its hashes."""
    if callable(getattr(hashes, "hashes", None)) and hasattr(hashes, "paths"):
        raise TypeError(
            f"got a {type(hashes).__name__}; pass its hashes by one method, as in "
            'table.hashes("find"), and where ids are wanted table.paths'
        )


@contextmanager
def threads(workers: int) -> Iterator[Map]:
    """Open a pool of threads and yield its ``map``; one worker is the calling thread itself."""
    if workers == 1:
        yield map
    else:
        with ThreadPoolExecutor(workers) as pool:
            yield pool.map


def columns(rows: NDArray[np.uint64], ids: NDArray[np.int32] | None = None) -> Columns:
    """Lay out some of the hashes, or all if ``ids`` is None, for the joins."""
    n = len(rows) if ids is None else len(ids)
    words = aligned(rows.shape[1], n + PADDING)
    words[:, n:] = 0
    if ids is None:
        ids = np.arange(n, dtype=np.int32)
        words[:, :n] = rows.T
    else:
        gather(read_only(rows), ids, words)
    return Columns(words, ids)


def read_only(array: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return a view that cannot be written to.

    Numba compiles read-only and writeable arrays separately. Given only read-only ones, it compiles
    a kernel once.
    """
    view = array.view()
    view.flags.writeable = False
    return view


def aligned(words: int, n: int) -> NDArray[np.uint64]:
    """Return an array of shape ``(words, n or more)`` whose rows begin on cache lines.

    Vectors that lie across two cache lines take twice as long to load.
    """
    line = LINE // 8
    width = -(-n // line) * line
    store = np.empty(words * width + line, np.uint64)
    start = -store.ctypes.data % LINE // 8
    return store[start : start + words * width].reshape(words, width)


def both_as_words(
    a: Hashes, b: Hashes | None, word: type[np.unsignedinteger[Any]] = np.uint64
) -> tuple[Words, Words]:
    """Return the words of two sets of hashes; if ``b`` is None, those of ``a`` twice."""
    left = as_words(a, word)
    right = left if b is None else as_words(b, word)
    check_comparable(a, a if b is None else b)
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


def length(hashes: Hashes) -> int:
    """Return the number of bits of each hash."""
    return hashes.bits if isinstance(hashes, Packed) else 8 * check_hashes(hashes).shape[1]


def is_packed(hashes: object) -> TypeGuard[NDArray[np.uint8]]:
    """Return whether an object is an array of dtype ``uint8`` with two dimensions."""
    return isinstance(hashes, np.ndarray) and hashes.dtype == np.uint8 and hashes.ndim == 2


def check_lengths(bits: int, others: int) -> None:
    """Raise ``ValueError`` unless two sets have hashes of the same number of bits."""
    if bits != others:
        raise ValueError(
            f"hashes of {bits} and {others} bits differ in length; pass hashes of one length"
        )


def check_methods(one: str | None, other: str | None) -> None:
    """Raise ``ValueError`` if two sets have hashes of different known methods."""
    if None not in (one, other) and one != other:
        raise ValueError(
            f"cannot compare hashes by {one!r} with hashes by {other!r}; pass hashes of one method"
        )


def fixed(hashes: Hashes) -> Hashes:
    """Return the present state of a gallery, or an array as it is."""
    return hashes.snapshot() if isinstance(hashes, Packed) else hashes


def check_comparable(a: Hashes, b: Hashes) -> None:
    """Raise ``ValueError`` if two sets have hashes of different lengths or known methods."""
    check_lengths(length(a), length(b))
    if isinstance(a, Packed) and isinstance(b, Packed):
        check_methods(a.method, b.method)


def check_radius(radius: int, bits: int) -> int:
    """Return the radius as an ``int``; raise an error unless ``0 <= radius <= bits``."""
    radius = whole_number("radius", radius, "the largest number of bits that may differ")
    if not 0 <= radius <= bits:
        raise ValueError(f"radius is {radius}; it must be between 0 and the hashes' {bits} bits")
    return radius


def check_k(k: int, hashes: int) -> int:
    """Return ``k`` as an ``int``; raise an error unless ``1 <= k <= hashes``."""
    k = whole_number("k", k, "the number of neighbours per query")
    if not 1 <= k <= hashes:
        raise ValueError(f"k is {k}; it must be between 1 and the gallery's {hashes} hashes")
    return k


def whole_number(name: str, value: Any, meaning: str) -> int:  # noqa: ANN401
    """Return an argument as an ``int``; raise ``TypeError`` unless it is a whole number."""
    try:
        # Python counts True as a whole number; as an argument it is a mistake.
        if not isinstance(value, bool):
            return index(value)
    except TypeError:
        pass
    raise TypeError(
        f"{name} is {value!r} of type {type(value).__name__}; pass a whole number, {meaning}"
    )


def check_workers(workers: int) -> int:
    """Return the number of threads as an ``int``; raise an error unless it is at least 1."""
    workers = whole_number("workers", workers, "the number of threads")
    if workers < 1:
        raise ValueError(f"workers is {workers}; it must be at least 1")
    return workers


def check_rows(rows: int) -> None:
    """Raise ``ValueError`` if a block would hold fewer than one row."""
    if rows < 1:
        raise ValueError(f"rows is {rows}; a block needs at least 1 row")


def concatenate_blocks(blocks: Iterable[tuple[NDArray[Any], ...]]) -> tuple[NDArray[Any], ...]:
    """Concatenate the first arrays of all blocks into one, the second arrays, and so on."""
    return tuple(map(np.concatenate, zip(*blocks, strict=True)))
