"""Galleries: hashes that are looked up often, and that are added and removed meanwhile."""

import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Lock, RLock
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from finhash.hamming import layout, live, pairs
from finhash.hamming.gallery import items
from finhash.hamming.gallery.ids import ABSENT, Counted, Id, as_list, checked, following, sealed
from finhash.hamming.gallery.items import Item
from finhash.hamming.gallery.snapshot import (
    Addition,
    Change,
    LayOut,
    Removal,
    RowIds,
    Segment,
    Snapshot,
    empty,
    of_segments,
)
from finhash.hamming.scan import LIMIT
from finhash.hamming.words import (
    Columns,
    Packed,
    as_rows,
    check_no_table,
    check_radius,
    check_workers,
    columns,
    length,
    whole_number,
)

if TYPE_CHECKING:
    from finhash.hamming.gallery.store import Store

DEFAULT = "find"
"""Method of a gallery of images for which none is named."""


class Match(NamedTuple):
    """A hash that was found.

    Attributes
    ----------
    id : str or int
        Its identifier.
    distance : int
        Its Hamming distance from the query, in bits.
    """

    id: Id
    distance: int


class Gallery(Packed):
    """Hashes to look up, with identifiers; hashes can be added and removed.

    ``search`` looks up one image or hash. A gallery can also be passed wherever a function of
    ``finhash.hamming`` takes hashes, and gives the same results as its hashes. Look-ups are faster
    than in an array, because a gallery groups hashes that are near each other and passes over
    groups that are far from a query.

    ``save`` writes a gallery into a folder, and ``load`` opens it. Several processes can have one
    folder open: each sees the changes of the others after ``refresh``.

    Parameters
    ----------
    hashes : ndarray of uint8, shape (n, bits / 8), or items, optional
        Packed hashes; or images or hashes as in ``add``. By default the gallery is empty.
    ids : sequence of str or int, optional
        Unique identifiers. By default those of ``hashes`` if it is a gallery, else the integers
        from 0 on.
    method : str, optional
        Name of the method that made the hashes, and that hashes images: a key of
        ``finhash.methods.METHODS``, or ``"module:name"`` as for ``finhash.methods.resolve``. By
        default ``"find"``, unless ``hashes`` is an array or
        ``bits`` is given. A gallery without a method takes hashes only.
    bits : int, optional
        Length of a hash, a multiple of 64. By default that of the method or of the array.
    grouped : bool, default True
        Whether to group hashes. Without groups, a gallery is laid out at once, and each look-up
        compares all its hashes.
    workers : int, default 1
        Threads that lay the hashes out.

    Attributes
    ----------
    method : str or None
        Name of the method.
    bits : int
        Length of a hash.

    Raises
    ------
    ValueError
        If ``hashes`` has another dtype, shape or number of bits, if an identifier is given twice
        or is an integer of more than 1024 bits, or if ``workers`` is less than 1.
    finhash.methods.UnknownMethodError
        If there is no method of that name. It is a ``KeyError`` and a ``ValueError``.
    TypeError
        If an argument has another type.

    Notes
    -----
    Hashes are copied. A million hashes of 256 bits take about 80 MB, and ten to twenty seconds to
    group. Fewer than about 23,000 hashes are not grouped.

    Threads may look hashes up while another thread changes the gallery. A look-up sees the state at
    its beginning.

    Examples
    --------
    >>> from PIL import Image
    >>> from finhash import Gallery
    >>> radial, linear = Image.radial_gradient("L"), Image.linear_gradient("L")
    >>> gallery = Gallery([radial, linear], ids=["radial", "linear"])
    >>> gallery
    Gallery(2 hashes of 256 bits, method='find')
    >>> gallery.search(radial.resize((100, 100)), radius=60)
    [Match(id='radial', distance=18)]
    >>> gallery.remove("radial")
    >>> gallery.search(radial, radius=60)
    []

    Packed hashes of any method, and their rows in the gallery:

    >>> import numpy as np
    >>> from finhash import hamming
    >>> gallery = Gallery(np.array([[0] * 8, [255] * 8], np.uint8))
    >>> gallery.add(np.array([[1] + [0] * 7], np.uint8))
    >>> len(gallery)
    3
    >>> query = np.array([[1] + [0] * 7], np.uint8)
    >>> index, distance = hamming.nearest(query, gallery, k=2)
    >>> index.tolist(), distance.tolist()
    ([[2, 0]], [[0, 1]])
    """

    def __init__(
        self,
        hashes: NDArray[np.uint8] | Packed | Item | Sequence[Item] | None = None,
        ids: Sequence[Id] | Id | None = None,
        *,
        method: str | None = None,
        bits: int | None = None,
        grouped: bool = True,
        workers: int = 1,
    ) -> None:
        _register(method)
        if isinstance(hashes, Packed):
            hashes = hashes.snapshot()
            method = method or hashes.method
        source = hashes if isinstance(hashes, Snapshot) and ids is None else None
        check_no_table(hashes)
        if method is None and bits is None:
            if isinstance(hashes, Packed) or (isinstance(hashes, np.ndarray) and hashes.ndim == 2):
                bits = length(hashes)
            else:
                method = DEFAULT
        bits = _bits(method, bits)
        lay_out = _lay_out(grouped, workers)
        state = empty(bits, method)
        if hashes is not None:
            rows = as_rows(items.pack_all(hashes, method, bits)).copy()
            known = ids if source is None else list(source.ids)
            state = _of_rows(rows, known, bits, method, lay_out)
            if source is not None:
                state = replace(state, next_id=source.next_id)
        elif ids is not None:
            raise TypeError("got ids without hashes; pass one hash per id")
        self._begin(state, grouped, workers)

    def _begin(
        self,
        state: Snapshot,
        grouped: bool,
        workers: int,
        store: "Store | None" = None,
        *,
        readonly: bool = False,
    ) -> None:
        """Set all attributes."""
        self.bits, self.method = state.bits, state.method
        self._state = state
        self._grouped = grouped
        self._workers, self._lay_out = workers, _lay_out(grouped, workers)
        self._store = store
        self._readonly = readonly
        # One thread at a time groups hashes, one adds or removes them, and one replaces the state.
        # A thread that needs several locks takes them in this order. Look-ups need none.
        self._groups, self._changes, self._states = Lock(), RLock(), Lock()
        self._meanwhile: list[Change] | None = None

    @classmethod
    def load(
        cls,
        folder: str | os.PathLike[str],
        *,
        readonly: bool | None = None,
        wait: float = 10.0,
        method: str | None = None,
        create: bool = False,
        workers: int = 1,
    ) -> "Gallery":
        """Open a gallery that ``save`` wrote, without reading all of it.

        Parameters
        ----------
        folder : str or path-like
            Folder, which must be on a local disk.
        readonly : bool, optional
            Whether the gallery is only read. Otherwise ``add``, ``remove`` and ``optimize`` change
            the folder, and a change is on the disk when the call has returned. By default a gallery
            is only read, unless ``create`` is true.
        wait : float, default 10.0
            Longest time that a change waits for other processes that change the folder, in seconds.
        method : str, optional
            Name of the method that the hashes must be of.
        create : bool, default False
            Whether to make an empty gallery if the folder holds none, of ``method`` or else of
            ``"find"``.
        workers : int, default 1
            Threads that lay hashes out.

        Returns
        -------
        Gallery
            Its state is that of the folder. Call ``refresh`` to see later changes.

        Raises
        ------
        FileNotFoundError
            If the folder holds no gallery, unless ``create`` is true.
        ValueError
            If the gallery's method is not ``method``, or if this version cannot read its format.

        Examples
        --------
        >>> import tempfile
        >>> from finhash import Gallery
        >>> folder = tempfile.TemporaryDirectory()
        >>> writer = Gallery.load(folder.name, create=True)
        >>> reader = Gallery.load(folder.name)
        >>> writer.add("0f" * 32, ids="a")
        >>> reader.refresh()
        >>> reader.search("0f" * 32, radius=60)
        [Match(id='a', distance=0)]
        >>> del writer, reader
        >>> folder.cleanup()
        """
        from finhash.hamming.gallery import store as stores

        path, wait = Path(folder), _seconds(wait)
        _register(method)
        if create:
            chosen = method or DEFAULT
            new = empty(_bits(chosen, None), chosen)
            stores.save(new, path, wait, grouped=True, only_new=True)
        store = stores.Store(path, wait)
        if method is not None and method != store.method:
            raise ValueError(
                f"the gallery in {path} holds hashes by the method {store.method!r}, not "
                f"{method!r}; open it with that method, or choose another folder"
            )
        gallery = cls.__new__(cls)
        state = empty(store.bits, store.method)
        readonly = not create if readonly is None else readonly
        gallery._begin(state, store.grouped, workers, store, readonly=readonly)
        gallery.refresh()
        return gallery

    def save(self, folder: str | os.PathLike[str], *, wait: float = 10.0) -> None:
        """Write the gallery into a folder, from which ``load`` opens it.

        Added hashes are grouped first, as by ``optimize``. A gallery that the folder holds already
        is replaced, and processes that have it open see the new one after ``refresh``. The gallery
        itself stays in memory: to change the folder later, load it with ``readonly=False``.

        Parameters
        ----------
        folder : str or path-like
            Folder, which must be on a local disk; created if missing. A million hashes of 256 bits
            take about 80 MB, and their identifiers 20 bytes each beside their text, unless they are
            consecutive integers.
        wait : float, default 10.0
            Longest time to wait for other processes that change the folder, in seconds.

        Raises
        ------
        ValueError
            If the folder holds hashes of another method or length.
        TimeoutError
            If other processes keep changing the folder.

        Examples
        --------
        >>> import tempfile
        >>> from finhash import Gallery
        >>> folder = tempfile.TemporaryDirectory()
        >>> Gallery(["0f" * 32], ids=["a"]).save(folder.name)
        >>> Gallery.load(folder.name).ids
        <1 ids: 'a'>
        >>> folder.cleanup()
        """
        from finhash.hamming.gallery import store as stores

        path, wait = Path(folder), _seconds(wait)
        if not self._readonly:
            self.optimize()
        if self._store and self._store.folder.resolve() == path.resolve():
            if self._readonly:
                raise self._unwritable()
            return  # all changes are there already
        state = self._state.laid_out(self._lay_out)
        stores.save(state, path, wait, grouped=self._grouped, only_new=False)

    def add(
        self,
        hashes: NDArray[np.uint8] | Packed | Item | Sequence[Item],
        ids: Sequence[Id] | Id | None = None,
    ) -> None:
        """Add hashes after the last one: all of them or, after an error, none.

        The time depends on the number of added hashes only, not on the size of the gallery.
        Look-ups get slower with every addition until ``optimize``.

        Parameters
        ----------
        hashes : ndarray of uint8, shape (m, bits / 8), or items
            Packed hashes; or one item or a list of items. An item is an image as in
            ``finhash.find_hash``, or a hash: an ``imagehash.ImageHash``, a string of ``bits / 4``
            hexadecimal digits, or an array as in ``search``.
        ids : sequence of str or int, optional
            One identifier per hash, which no hash of the gallery has. By default integers that
            follow all earlier ones below 2**53: 0, 1, 2 and so on. They are not used again after a
            removal.

        Raises
        ------
        ValueError
            If an identifier is used already or is an integer of more than 1024 bits, or if the
            hashes have another dtype or shape.
        TypeError
            If an item or an identifier has another type.
        OSError
            If an image cannot be read, or if the folder was moved or deleted.
        TimeoutError
            If other processes keep changing the folder.
        io.UnsupportedOperation
            If the gallery was loaded with ``readonly=True``.

        Examples
        --------
        >>> from finhash import Gallery
        >>> gallery = Gallery(bits=64)
        >>> gallery.add(["00" * 8, "ff" * 8], ids=["black", "white"])
        >>> gallery.add("0f" * 8)
        >>> list(gallery.ids)
        ['black', 'white', 0]
        """
        rows = as_rows(items.pack_all(hashes, self.method, self.bits))
        chosen = None if ids is None else checked(ids, len(rows))
        with self._changing() as apply:
            state = self._state
            given: Sequence[Id] = state.unused(len(rows)) if chosen is None else chosen
            taken = np.flatnonzero(state.find(given) != ABSENT)
            if len(taken):
                raise ValueError(
                    f"the id {given[taken[0]]!r} is in the gallery already; remove it first, or "
                    "choose another id"
                )
            if given:
                apply(Addition(given, rows))

    def remove(self, ids: Sequence[Id] | Id) -> None:
        """Remove hashes: all of them or, after an error, none.

        Look-ups leave removed hashes out. ``optimize`` frees their memory.

        Parameters
        ----------
        ids : str, int or sequence of them
            Identifiers.

        Raises
        ------
        KeyError
            If no hash has an identifier.
        TimeoutError, io.UnsupportedOperation
            As in ``add``.

        Examples
        --------
        >>> from finhash import Gallery
        >>> gallery = Gallery(["00" * 32, "ff" * 32], ids=["black", "white"])
        >>> gallery.remove("black")
        >>> list(gallery.ids), "black" in gallery
        (['white'], False)
        """
        listed = list(dict.fromkeys(as_list(ids)))
        with self._changing() as apply:
            missing = np.flatnonzero(self._state.find(listed) == ABSENT)
            if len(missing):
                raise KeyError(f"no hash has the id {listed[missing[0]]!r}; nothing was removed")
            if listed:
                apply(Removal(listed))

    def optimize(self) -> None:
        """Group the hashes that were added, and free the memory of removed ones.

        Additions are laid out together with earlier ones of similar size, so that a hash is laid
        out again about as often as the logarithm of the number of hashes. Look-ups and changes go
        on meanwhile, in this process and in others.

        Raises
        ------
        TimeoutError
            If another process is doing the same.
        io.UnsupportedOperation
            If the gallery was loaded with ``readonly=True``.

        Examples
        --------
        >>> from finhash import Gallery
        >>> gallery = Gallery(bits=64)
        >>> gallery.add("0f" * 8)
        >>> gallery.optimize()
        >>> gallery.search("0f" * 8, k=1)
        [Match(id=0, distance=0)]
        """
        if self._readonly:
            raise self._unwritable()
        with self._groups:
            if self._store:
                with self._store.replacing():
                    self.refresh()
                    state = self._state
                    if state.change > self._store.included:
                        self._replace(self._store, state.laid_out(self._lay_out), state)
                self.refresh()
                return
            with self._states:
                state, self._meanwhile = self._state, []
            try:
                base = state.laid_out(self._lay_out)
            except BaseException:
                self._meanwhile = None
                raise
            with self._states:
                if base is not state:
                    for change in self._meanwhile:
                        base = base.after(change)
                    self._state = base
                self._meanwhile = None

    def refresh(self) -> None:
        """Take over the changes that other processes have made in the folder.

        If there are none, this takes some microseconds. Without a folder, nothing happens.

        Raises
        ------
        FileNotFoundError
            If the folder was moved or deleted.
        ValueError
            If a newer version of finhash has replaced the gallery by one of another format.

        Examples
        --------
        >>> import tempfile
        >>> from finhash import Gallery
        >>> folder = tempfile.TemporaryDirectory()
        >>> writer = Gallery.load(folder.name, readonly=False, create=True)
        >>> reader = Gallery.load(folder.name)
        >>> writer.add("0f" * 32)
        >>> len(reader)
        0
        >>> reader.refresh()
        >>> len(reader)
        1
        >>> del writer, reader
        >>> folder.cleanup()
        """
        if self._store is None:
            return
        with self._states:
            base, changes = self._store.news(self._state.change)
            state = self._state if base is None else base
            for number, change in changes:
                state = state.after(change, number)
            self._state = state

    def search(
        self, query: Item, *, radius: int | None = None, k: int | None = None
    ) -> list[Match]:
        """Return the hashes within a radius of a query, or the nearest ones.

        Parameters
        ----------
        query : image or hash
            An image as in ``finhash.find_hash``: a path, bytes, an open binary file, a PIL image or
            an array of pixels. Or a hash: an ``imagehash.ImageHash``, an array of single bits,
            packed bits of dtype ``uint8`` and shape ``(bits / 8,)``, or a string of exactly
            ``bits / 4`` hexadecimal digits. Any other string is a path.
        radius : int, optional
            Largest distance, in bits, inclusive. ``finhash.thresholds`` recommends one.
        k : int, optional
            Largest number of matches. If ``radius`` is given too, both limits hold.

        Returns
        -------
        list of Match
            Identifiers and distances, the nearest first; at equal distance, the earlier addition.
            Fewer than ``k`` if the gallery has fewer hashes.

        Raises
        ------
        ValueError
            If a hash has another length, ``radius`` is not between 0 and ``bits``, or ``k`` is less
            than 1. Also if the query is an image and the gallery has no method.
        TypeError
            If neither ``radius`` nor ``k`` is given, or an argument has another type.
        OSError
            If an image cannot be read.

        Examples
        --------
        >>> from finhash import Gallery
        >>> gallery = Gallery(["00" * 8, "0f" * 8, "ff" * 8], bits=64)
        >>> gallery.search("01" + "00" * 7, radius=32)
        [Match(id=0, distance=1), Match(id=1, distance=31)]
        >>> gallery.search("01" + "00" * 7, k=1)
        [Match(id=0, distance=1)]
        """
        if radius is None and k is None:
            raise TypeError("search needs a limit; pass radius, k or both")
        if radius is not None:
            radius = check_radius(radius, self.bits)
        if k is not None:
            k = whole_number("k", k, "the largest number of matches")
            if k < 1:
                raise ValueError(f"k is {k}; it must be at least 1")
        packed = items.pack(query, self.method, self.bits)
        state, queries = self._state, columns(as_rows(packed[None]))
        if not len(state):
            return []
        if radius is None:
            rows, distances = _nearest(state, queries, min(k or 1, len(state)))
        else:
            rows, distances = _within(state, queries, radius, k)
        found = zip(state.ids.at(rows), distances.tolist(), strict=True)
        return [Match(*one) for one in found]

    def snapshot(self) -> Snapshot:
        """Return the present state, which later changes leave as it is."""
        return self._state

    @property
    def ids(self) -> RowIds:
        """Return the identifiers in the order of the rows, as a sequence."""
        return self._state.ids

    @property
    def rows(self) -> NDArray[np.uint64]:
        """Return all hashes, ``uint64 [n, words]``, in the order in which they were added."""
        return self._state.rows

    def __len__(self) -> int:
        return len(self._state)

    def __contains__(self, one: object) -> bool:
        return one in self._state.ids

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        hashes = self.rows.view(np.uint8)
        hashes.flags.writeable = False  # it may be the memory that look-ups read
        return np.array(hashes, dtype, copy=copy)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and copy a gallery in a folder as its folder, any other as its hashes and ids."""
        if self._store:
            store, workers = self._store, self._workers
            load = partial(
                type(self).load, readonly=self._readonly, wait=store.wait, workers=workers
            )
            return load, (store.folder,)
        state = self._state.laid_out(self._lay_out)
        of = partial(of_segments, state.segments, state.bits, state.method, state.removed)
        return _restored, (type(self), of, state.next_id, self._grouped, self._workers)

    def __repr__(self) -> str:
        folder = f", folder={str(self._store.folder)!r}" if self._store else ""
        return f"Gallery({len(self)} hashes of {self.bits} bits, method={self.method!r}{folder})"

    @contextmanager
    def _changing(self) -> Iterator[Callable[[Change], None]]:
        """Change the gallery by the yielded function, in the folder if there is one."""
        if self._readonly:
            raise self._unwritable()
        with self._changes:
            if self._store is None:
                yield self._apply
                return
            with self._store.transaction() as record:
                self.refresh()
                yield record
            self.refresh()

    def _apply(self, change: Change) -> None:
        """Change the state in memory."""
        with self._states:
            self._state = self._state.after(change)
            if self._meanwhile is not None:
                self._meanwhile.append(change)

    def _replace(self, store: "Store", base: Snapshot, state: Snapshot) -> None:
        """Replace segments of a state in the folder by those of ``base``."""
        kept = sum(a is b for a, b in zip(base.segments, state.segments, strict=False))
        names = store.write(base.segments[kept:])
        with self._changes:
            listed = store.replace(base, names, kept)
        store.delete_others(listed)

    def _unwritable(self) -> io.UnsupportedOperation:
        """Return the error for a change of a gallery that is only read."""
        folder = self._store.folder if self._store else None
        return io.UnsupportedOperation(
            f"the gallery in {folder} was loaded to be read only; load it with readonly=False"
        )


def _register(method: str | None) -> None:
    """Register a function that the caller names as ``"module:name"``.

    The name that a folder holds is not passed here, because this runs code of the module.
    """
    if isinstance(method, str) and ":" in method:
        from finhash import methods

        methods.resolve(method)


def _bits(method: str | None, bits: int | None) -> int:
    """Return the number of bits of a gallery's hashes; raise an error if it cannot be right."""
    if bits is not None:
        bits = whole_number("bits", bits, "the length of a hash")
        if bits < 64 or bits % 64:
            raise ValueError(f"bits is {bits}; it must be a multiple of 64")
    if method is None:
        assert bits is not None
        return bits
    from finhash import methods

    own = methods.get(method).bits
    if bits not in (None, own):
        raise ValueError(f"bits is {bits}, but hashes by {method!r} have {own}; leave bits out")
    return own


def _lay_out(grouped: bool, workers: int) -> LayOut:
    """Return the function that lays hashes out."""
    workers = check_workers(workers)
    return partial(layout.grouped, workers=workers) if grouped else layout.ungrouped


def _seconds(wait: float) -> float:
    """Return a time to wait; raise an error unless it is a number of seconds."""
    if isinstance(wait, bool) or not isinstance(wait, int | float):
        raise TypeError(f"wait is {wait!r} of type {type(wait).__name__}; pass a number of seconds")
    if not 0 <= wait < float("inf"):
        raise ValueError(f"wait is {wait}; pass a number of seconds, at least 0")
    return wait


def _restored(
    kind: type[Gallery], of: Callable[[int], Snapshot], next_id: int, grouped: bool, workers: int
) -> Gallery:
    """Return a gallery that was copied or pickled."""
    gallery = kind.__new__(kind)
    gallery._begin(of(next_id), grouped, workers)
    return gallery


def _of_rows(
    rows: NDArray[np.uint64],
    ids: Sequence[Id] | Id | None,
    bits: int,
    method: str | None,
    lay_out: LayOut,
) -> Snapshot:
    """Return the first state of a gallery that is made with hashes."""
    given = range(len(rows)) if ids is None else checked(ids, len(rows))
    if not len(rows):
        return empty(bits, method)
    known = Counted(0, len(rows)) if ids is None else sealed(given)
    segment = Segment(lay_out(rows, 0), known)
    return of_segments([segment], bits, method, live.NONE, following(0, given))


def _within(
    state: Snapshot, queries: Columns, radius: int, k: int | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows within a radius of one query and their distances, at most ``k``."""
    where = pairs.shifts(1, state.size, state.bits)
    tasks = live.tasks(queries, state.parts, state.removed, radius, where, LIMIT)
    keys = np.concatenate([np.empty(0, np.uint64), *(task() for task in tasks)])
    _, rows, distances = pairs.unpack(keys, where)
    order = np.lexsort((rows, distances))[:k]
    return rows[order].astype(np.int64), distances[order].astype(np.int64)


def _nearest(
    state: Snapshot, queries: Columns, k: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the ``k`` rows nearest to one query and their distances."""
    keys = live.nearest(queries, state.parts, state.removed, k, 0, 1)[0]
    return (keys & live.NUMBER).astype(np.int64), (keys >> np.uint64(32)).astype(np.int64)
