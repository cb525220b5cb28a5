"""Folder of a gallery that several processes read and change.

A folder holds the database ``gallery.sqlite`` and ``segments/``, with one folder of arrays per
segment (see ``finhash.hamming.gallery.segments``). The database has three tables:

``facts``
    Version of the format, method and length of the hashes, whether they are grouped, the next
    default identifier, the number of the last change that the segments hold, and a generation that
    rises whenever segments are replaced.
``segments``
    Name of each segment's folder, in order, its first identifier if they are consecutive integers,
    and the places of its removed hashes.
``changes``
    Additions and removals since. An addition takes 32 bytes per hash of 256 bits and the text of
    its identifiers.

SQLite writes changes completely or not at all, makes other writers wait, and tells readers cheaply
whether anything has changed. The folder must be on a local disk.

A reader that cannot write the folder reads the database without locks while no writer has it open,
and opens it again when the file has changed.
"""

import errno
import json
import os
import shutil
import sqlite3
import uuid
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from filelock import FileLock, Timeout

from finhash.files import sync_folder
from finhash.hamming import live
from finhash.hamming.gallery import segments
from finhash.hamming.gallery.snapshot import (
    Addition,
    Change,
    Removal,
    Segment,
    Snapshot,
    of_segments,
)

FORMAT = 1
"""Version of the folder's format. It rises when older versions of finhash could not read it."""

DATABASE, SEGMENTS, LOCK = "gallery.sqlite", "segments", ".lock"
"""Names in the folder. The lock is held while segments are written."""

ROWS = 2**15
"""Hashes per row of ``changes``, so that no value is too large for SQLite."""

ATTEMPTS = 10
"""Times that segments are looked for; each time, another process may have just replaced them."""

SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE segments (position INTEGER PRIMARY KEY, folder TEXT, first_id TEXT, removed BLOB);
CREATE TABLE changes (number INTEGER PRIMARY KEY AUTOINCREMENT, ids TEXT, hashes BLOB);
"""

Record = Callable[[Change], None]
"""A function that adds a change to those of the running transaction."""


class Store:
    """A gallery's folder, as one process sees it.

    Parameters
    ----------
    folder : Path
        Folder that ``create`` made.
    wait : float
        Longest time to wait for other processes, in seconds.

    Attributes
    ----------
    included : int
        Number of the last change that the segments include.

    Raises
    ------
    FileNotFoundError
        If the folder holds no gallery.
    ValueError
        If the gallery has a format that this version cannot read.
    """

    def __init__(self, folder: Path, wait: float) -> None:
        self.folder = folder.resolve()
        self.wait = wait
        if not (folder / DATABASE).exists():
            raise FileNotFoundError(
                f"{folder} holds no gallery; save one there, or load it with create=True"
            )
        self._process, self._unlocked = 0, False
        self._closing: Callable[[], object] = lambda: None
        self._version = self._generation = -1
        self.included = 0
        facts = _facts(self._connections()[0], folder)
        self.method: str | None = facts["method"]
        self.bits: int = facts["bits"]
        self.grouped: bool = facts["grouped"]

    def news(self, change: int) -> tuple[Snapshot | None, list[tuple[int, Change]]]:
        """Return what other processes, or this one, have changed since the last call.

        Parameters
        ----------
        change : int
            Number of the last change that is known.

        Returns
        -------
        base : Snapshot or None
            State that replaces the known one, if segments were replaced.
        changes : list of (int, Change)
            Numbered changes of that state, or else of the known one.
        """
        for _ in range(ATTEMPTS):
            with suppress(_ReplacedError):
                return self._news(change)
        return self._news(change)

    @contextmanager
    def transaction(self) -> Iterator[Record]:
        """Record changes, all of them or, if the block raises, none.

        No other process can change the gallery meanwhile. The changes are on the disk when the
        block has ended.

        Raises
        ------
        TimeoutError
            If others keep changing the gallery.
        """
        with self._writing() as writer:
            yield lambda change: _record(writer, change)

    @contextmanager
    def replacing(self) -> Iterator[None]:
        """Let no other process replace segments; raise ``TimeoutError`` after a while."""
        self._connections()  # the lock would create a folder that was deleted
        with _lock(self.folder, self.wait):
            yield

    def write(self, new: Iterable[Segment]) -> list[str]:
        """Write segments, and return the names of their folders. Call it inside ``replacing``."""
        return _write(new, self.folder)

    def replace(self, base: Snapshot, names: list[str], kept: int) -> set[str]:
        """Replace all but the first ``kept`` segments, and the changes that ``base`` includes.

        Call it inside ``replacing``.

        Parameters
        ----------
        base : Snapshot
            State without a tail.
        names : list of str
            Folders of its segments after the first ``kept``, from ``write``.
        kept : int
            Number of segments that stay.

        Returns
        -------
        set of str
            Folders of all segments.
        """
        with self._writing() as writer:
            _put(writer, base, names, kept)
            return _folders(writer)

    def replace_all(self, base: Snapshot, grouped: bool) -> None:
        """Replace the whole gallery. Call it inside ``replacing``."""
        names = self.write(base.segments)
        with self._writing() as writer:
            last = writer.execute(
                "SELECT max(number) FROM (SELECT number FROM changes UNION ALL "
                "SELECT CAST(value AS INTEGER) FROM facts WHERE name = 'change')"
            ).fetchone()[0]
            _put(writer, replace(base, change=last), names, 0)
            _set(writer, grouped=grouped)
            listed = _folders(writer)
        self.delete_others(listed)

    def delete_others(self, listed: set[str]) -> None:
        """Delete the files of segments that were replaced, or that a killed process left.

        Call it inside ``replacing``.
        """
        for folder in (self.folder / SEGMENTS).glob("*"):
            if folder.name not in listed:
                shutil.rmtree(folder, ignore_errors=True)

    def _news(self, change: int) -> tuple[Snapshot | None, list[tuple[int, Change]]]:
        """Return the news, or raise ``_ReplacedError`` if the files changed meanwhile."""
        reader, _ = self._connections()
        version = reader.execute("PRAGMA data_version").fetchone()[0]
        if version == self._version:
            return None, []
        try:
            news = self._read(reader, version, change)
        except FileNotFoundError as error:
            raise _ReplacedError(str(error)) from error
        except sqlite3.DatabaseError as error:
            if self._unlocked and self._changed():
                raise _ReplacedError(str(error)) from error
            raise
        if self._unlocked and self._changed():
            raise _ReplacedError(f"{self.folder} is being changed; try again")
        return news

    def _read(
        self, reader: sqlite3.Connection, version: int, change: int
    ) -> tuple[Snapshot | None, list[tuple[int, Change]]]:
        """Return the news, which make up ``version`` of the database or a later one."""
        with _busy(self.folder, self.wait), _transaction(reader, "BEGIN"):
            facts = _facts(reader, self.folder)
            fresh = facts["generation"] != self._generation
            listed = reader.execute(
                "SELECT folder, first_id, removed FROM segments ORDER BY position"
            ).fetchall()
            found = reader.execute(
                "SELECT number, ids, hashes FROM changes WHERE number > ? ORDER BY number",
                (facts["change"] if fresh else change,),
            ).fetchall()
        base = self._base(facts, listed) if fresh else None
        self._version, self._generation = version, facts["generation"]
        self.included = facts["change"]
        return base, [(number, _decoded(ids, hashes, self.bits)) for number, ids, hashes in found]

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Run a transaction that changes the gallery."""
        _, writer = self._connections()
        with _busy(self.folder, self.wait), _transaction(writer, "BEGIN IMMEDIATE"):
            yield writer

    def _connections(self) -> tuple[sqlite3.Connection, sqlite3.Connection]:
        """Return a connection for reading and one for writing, of this process.

        SQLite's connections cannot be used by a forked process, and those without locks see no
        changes.

        Raises
        ------
        FileNotFoundError
            If the folder was moved or deleted.
        """
        changed = self._process != 0 and self._changed()
        if changed and not self._unlocked:
            raise _moved(self.folder)
        if changed or self._process != os.getpid():
            if self._process == os.getpid():
                self._closing()
            if changed:
                self._generation = -1
            self._process = 0  # should opening fail
            self._stamp = _stamp(self.folder)
            opened = [_connect(self.folder, self.wait) for _ in range(2)]
            self._opened = tuple(connection for connection, _ in opened)
            self._unlocked = any(unlocked for _, unlocked in opened)
            self._process, self._version = os.getpid(), -1
            self._closing = weakref.finalize(self, _close, self._opened, self._process)
        reader, writer = self._opened
        return reader, writer

    def _changed(self) -> bool:
        """Return whether the database is another file or, without locks, has been written to."""
        now = _stamp(self.folder)
        return now != self._stamp if self._unlocked else now[:2] != self._stamp[:2]

    def _base(self, facts: dict[str, Any], listed: list[tuple[str, str, bytes]]) -> Snapshot:
        """Map the listed segments into memory."""
        found, gone, start = [], [live.NONE], 0
        for name, first_id, places in listed:
            segment = segments.read(self.folder / SEGMENTS / name, json.loads(first_id))
            gone.append(np.frombuffer(places, np.int64) + start)
            found.append(segment)
            start += len(segment.ids)
        removed = np.concatenate(gone)
        return of_segments(
            found, self.bits, self.method, removed, facts["next_id"], change=facts["change"]
        )


def save(base: Snapshot, folder: Path, wait: float, grouped: bool, *, only_new: bool) -> None:
    """Write a gallery without a tail into a folder.

    Parameters
    ----------
    base : Snapshot
        Gallery.
    folder : Path
        Folder; created if missing.
    wait : float
        Longest time to wait for other processes, in seconds.
    grouped : bool
        Whether hashes of the gallery are grouped.
    only_new : bool
        Whether a gallery that is there already stays. Otherwise it is replaced.

    Raises
    ------
    ValueError
        If the folder holds hashes of another method or length.
    TimeoutError
        If other processes keep changing the gallery.
    """
    if only_new and (folder / DATABASE).exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    with _lock(folder, wait):
        if not (folder / DATABASE).exists():
            _create(base, folder, grouped)
        elif not only_new:
            store = Store(folder, wait)
            if (store.method, store.bits) != (base.method, base.bits):
                raise ValueError(
                    f"{folder} holds hashes of {store.bits} bits by the method {store.method!r}, "
                    f"and this gallery has {base.bits} bits by {base.method!r}; choose another "
                    "folder"
                )
            store.replace_all(base, grouped)


def _create(base: Snapshot, folder: Path, grouped: bool) -> None:
    """Write a gallery into a folder without one; its database appears last, and complete."""
    partial = folder / f".{DATABASE}.partial"
    partial.unlink(missing_ok=True)
    names = _write(base.segments, folder)
    with closing(sqlite3.connect(partial, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(SCHEMA)
        with _transaction(database, "BEGIN IMMEDIATE"):
            _set(database, format=FORMAT, method=base.method, bits=base.bits, grouped=grouped)
            _set(database, generation=0)
            _put(database, replace(base, change=0), names, 0)
    partial.replace(folder / DATABASE)
    sync_folder(folder)


class _ReplacedError(FileNotFoundError):
    """Another process replaced files while they were read."""


def _stamp(folder: Path) -> tuple[int, ...]:
    """Return numbers that identify a database, device and file first, and that change with it."""
    path = folder / DATABASE
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise _moved(folder) from None
    wal = path.with_name(f"{DATABASE}-wal").exists()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, wal


def _moved(folder: Path) -> FileNotFoundError:
    """Return the error for a folder that is not the one that was opened."""
    return FileNotFoundError(
        f"the gallery in {folder} was moved, deleted or replaced after it was loaded; load it "
        "again from its present folder"
    )


def _connect(folder: Path, wait: float) -> tuple[sqlite3.Connection, bool]:
    """Open a gallery's database; return also whether it is read without locks."""
    path, unlocked = folder / DATABASE, False
    connection = _opened(path, wait, "mode=rw")
    try:
        connection.execute("SELECT count(*) FROM facts")
    except sqlite3.DatabaseError as error:
        connection.close()
        code = error.sqlite_errorcode & 0xFF
        if code in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_NOTADB):
            text = f"{path} is not a gallery's database; choose another folder"
            raise ValueError(text) from error
        # If SQLite cannot create a file beside the database, it must be told that nobody writes.
        unwritable = code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
        if not unwritable:
            raise
        if path.with_name(f"{DATABASE}-wal").exists():
            text = f"cannot read {path}-wal and {path}-shm; give this user permission to read them"
            raise PermissionError(text) from error
        connection, unlocked = _opened(path, wait, "immutable=1"), True
    connection.execute("PRAGMA synchronous = FULL")
    return connection, unlocked


def _opened(path: Path, wait: float, options: str) -> sqlite3.Connection:
    """Open a database in which transactions begin and end when they are told to."""
    return sqlite3.connect(
        f"file:{quote(str(path))}?{options}",
        timeout=wait,
        isolation_level=None,
        check_same_thread=False,  # the gallery's locks let one thread in at a time
        uri=True,
    )


def _close(connections: tuple[sqlite3.Connection, ...], process: int) -> None:
    """Close connections, unless they were inherited from a parent process."""
    if process == os.getpid():
        for connection in connections:
            connection.close()


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    """Run a transaction; roll it back if the block raises."""
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _busy(folder: Path, wait: float) -> Iterator[None]:
    """Raise ``TimeoutError`` or ``OSError`` in place of SQLite's errors."""
    try:
        yield
    except sqlite3.OperationalError as error:
        code = error.sqlite_errorcode & 0xFF
        if code == sqlite3.SQLITE_READONLY:
            text = f"the gallery in {folder} cannot be written by this user; change its permissions"
            raise PermissionError(text) from error
        if code == sqlite3.SQLITE_FULL:
            text = f"no space left on the disk of the gallery in {folder}; free some and try again"
            raise OSError(errno.ENOSPC, text) from error
        if code != sqlite3.SQLITE_BUSY:
            raise
        raise TimeoutError(_waited(folder, wait)) from error


@contextmanager
def _lock(folder: Path, wait: float) -> Iterator[None]:
    """Hold the lock of a folder's segments."""
    lock = FileLock(folder / LOCK, timeout=wait)
    try:
        lock.acquire(poll_interval=0.01)
    except Timeout:
        raise TimeoutError(_waited(folder, wait)) from None
    try:
        yield
    finally:
        lock.release()


def _waited(folder: Path, wait: float) -> str:
    """Return the message for a writer that has waited too long."""
    return (
        f"another process has been changing the gallery in {folder} for more than {wait} seconds; "
        "try again, or pass a longer wait"
    )


def _facts(connection: sqlite3.Connection, folder: Path) -> dict[str, Any]:
    """Return the table ``facts``; raise ``ValueError`` for another version of the format."""
    found = connection.execute("SELECT name, value FROM facts")
    facts = {name: json.loads(value) for name, value in found}
    if facts["format"] != FORMAT:
        raise ValueError(
            f"the gallery in {folder} has format {facts['format']}, and this version of finhash "
            f"reads format {FORMAT}; install a newer version of finhash"
        )
    return facts


def _set(connection: sqlite3.Connection, **facts: object) -> None:
    """Set entries of the table ``facts``."""
    rows = [(name, json.dumps(value)) for name, value in facts.items()]
    connection.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", rows)


def _put(connection: sqlite3.Connection, base: Snapshot, names: list[str], kept: int) -> None:
    """Replace all but the first ``kept`` segments by new ones, whose folders have these names."""
    connection.execute("DELETE FROM segments WHERE position >= ?", (kept,))
    for position, name in enumerate(names, kept):
        first_id = json.dumps(segments.first_id(base.segments[position]))
        connection.execute("INSERT INTO segments VALUES (?, ?, ?, x'')", (position, name, first_id))
    for position, start in enumerate(base.starts[:-1]):
        first, last = np.searchsorted(base.removed, base.starts[position : position + 2])
        connection.execute(
            "UPDATE segments SET removed = ? WHERE position = ?",
            ((base.removed[first:last] - start).tobytes(), position),
        )
    connection.execute("DELETE FROM changes WHERE number <= ?", (base.change,))
    _set(connection, change=base.change, next_id=base.next_id)
    connection.execute("UPDATE facts SET value = value + 1 WHERE name = 'generation'")


def _record(connection: sqlite3.Connection, change: Change) -> None:
    """Add a change to the table ``changes``."""
    if isinstance(change, Removal):
        connection.execute("INSERT INTO changes (ids) VALUES (?)", (json.dumps(list(change.ids)),))
        return
    for start in range(0, len(change.ids), ROWS):
        ids = json.dumps(list(change.ids[start : start + ROWS]))
        hashes = change.rows[start : start + ROWS].tobytes()
        connection.execute("INSERT INTO changes (ids, hashes) VALUES (?, ?)", (ids, hashes))


def _decoded(ids: str, hashes: bytes | None, bits: int) -> Change:
    """Return a change from its row of the table ``changes``."""
    if hashes is None:
        return Removal(json.loads(ids))
    return Addition(json.loads(ids), np.frombuffer(hashes, np.uint64).reshape(-1, bits // 64))


def _folders(connection: sqlite3.Connection) -> set[str]:
    """Return the folders of all segments."""
    return {name for (name,) in connection.execute("SELECT folder FROM segments")}


def _write(new: Iterable[Segment], folder: Path) -> list[str]:
    """Write each segment into a folder of its own, and return the names of these folders."""
    names = []
    for segment in new:
        names.append(uuid.uuid4().hex)
        segments.write(segment, folder / SEGMENTS / names[-1])
    return names
