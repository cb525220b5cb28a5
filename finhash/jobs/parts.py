"""The output folder of a job: parts of a hash table, so that the job can stop and resume."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from finhash import methods as registry
from finhash.jobs.compaction import PART_ROWS, compact, read_keys
from finhash.jobs.items import Item, Pair, together
from finhash.jobs.rows import state_digest
from finhash.methods import MethodName
from finhash.preparation import AS_STORED, Preparation
from finhash.tables.columns import fixed_width, packed
from finhash.tables.folder import as_part, newest, part_files, part_number, part_path
from finhash.tables.parquet import check_schema, read_columns, read_schema, write_table
from finhash.tables.provenance import difference, versions
from finhash.tables.schema import (
    KEY,
    NAMED_UNDONE,
    QUALITY,
    UNDONE,
    fact_columns,
    hash_columns,
    is_named,
    is_undone,
    keyed_schema,
    path_digest,
    preparation_of,
    provenance_of,
)

SHORTEST, LONGEST = 1.0, 60.0
"""Least and greatest time between two parts, in seconds; in between, 1% of the run so far."""

CHECKED = 1024
"""Files whose states are compared at a time."""

WAIT = 10.0
"""Seconds for which a run waits for another one to leave the folder."""

CHANGED = "RuntimeError: the file changed while its hashes were added; hash it again"
"""Error of a row whose old hashes are those of another file than its new ones."""


@dataclass
class Tally:
    """What a run has done, apart from images that needed nothing."""

    added: list[str] = field(default_factory=list)
    """Ids that had no row."""

    changed: list[str] = field(default_factory=list)
    """Ids whose sources had changed since they were hashed."""

    hashed: int = 0
    """Rows written with hashes."""


class Parts:
    """The output folder of one run: finished rows of earlier runs, and rows to be added.

    A folder keeps all its methods. New and changed files get the hashes of all of them. Files that
    have not changed get only those that their rows lack, and keep the others. The quality of the
    images is kept and added in the same way.

    Entering the context locks the folder and reads which images are done. That takes 80 bytes per
    image, of which 24, and one per method, are kept. Leaving it writes the rows added last,
    compacts the folder as described in ``finhash.jobs.compaction``, even after an exception, and
    unlocks it.

    Parameters
    ----------
    folder : str or path-like
        Folder; created if missing.
    methods : sequence of str
        Names of hashes.
    wait : float, default 10.0
        Seconds to wait for another run that is using the folder.
    tally : Tally, optional
        Filled with what the run does. It keeps the ids of all new and changed images.
    quality : bool, default False
        Whether rows get the quality of their images. They also do if the folder has this column.
    preparation : Preparation, optional
        What is done to the images. By default that of the folder.

    Attributes
    ----------
    methods : list of str
        From entering on, the names of all hashes of the folder: those that it had, then new ones.
    quality : bool
        From entering on, whether the folder's rows have the quality of their images.

    Raises
    ------
    RuntimeError
        On entering, if another run has locked the folder for ``wait`` seconds. Later, if the folder
        is removed or replaced.
    ValueError
        On entering, if the folder's rows were made by versions with other hashes or with another
        preparation, have another number of bits, or have a method that is not registered.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        methods: Sequence[MethodName | str],
        wait: float = WAIT,
        tally: Tally | None = None,
        *,
        quality: bool = False,
        preparation: Preparation | None = None,
    ) -> None:
        self._folder = Path(folder)
        self._tally = tally
        self._unwanted = np.empty(0, np.uint64)
        self.methods: list[str] = list(methods)
        self.quality = quality
        self._wanted = preparation
        self._wait = wait
        self._rows: list[tuple[int, pa.RecordBatch]] = []

    def __enter__(self) -> "Parts":
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self._folder / ".lock")
        try:
            self._lock.acquire(timeout=self._wait)
        except Timeout:
            raise RuntimeError(
                f"{self._folder} is in use by another run, for {self._wait:g} s already: wait for "
                "its end or use another folder"
            ) from None
        try:
            for left in self._folder.glob(".*.partial"):  # of a run that was killed
                left.unlink()
            self._identity = self._stat()
            self._open()
        except BaseException:
            self._lock.release()
            raise
        self._started = self._written = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._check_there()
            if self._rows or not part_files(self._folder):
                self._write()
            compact(
                self._folder,
                self._schema(),
                unique=self._is_unique(),
                unwanted=np.setdiff1d(self._unwanted, self._digests_added()),
            )
        finally:
            self._lock.release()

    def missing(self, pairs: Iterable[Pair], skipped: Callable[[int], object]) -> Iterator[Item]:
        """Yield the images that have no finished row, or have changed since, or lack a method.

        Parameters
        ----------
        pairs : iterable of (str, source)
            Ids and sources of the job's images.
        skipped : callable
            Called after each batch with the number of images skipped because they are finished.

        Yields
        ------
        id : str
            Id of an image.
        source : source
            Its source.
        only : tuple of str or None
            Columns of hashes, and ``quality``, that its row lacks; None if all are to be made.
        """
        if not len(self._paths):
            for name, source in pairs:
                self._note([name], [])
                yield name, source, None
            return
        for some in together(pairs, CHECKED):
            digests = np.frombuffer(b"".join(path_digest(name) for name, _ in some), "u8")
            states = np.frombuffer(b"".join(state_digest(*pair) for pair in some), "u8")
            row, there = self._find(digests)
            # If a state is undone, the file is missing, or its row is to be made again.
            known = there & (self._states[row] == states) & ~is_undone(states)
            changed = there & ~known & ~is_undone(self._states[row])
            self._note(
                [some[k][0] for k in np.flatnonzero(~there)],
                [some[k][0] for k in np.flatnonzero(changed)],
            )
            lacking = self._lacking[:, row]
            done = known & ~lacking.any(axis=0)
            skipped(int(done.sum()))
            for k in np.flatnonzero(~done):
                lacks = tuple(self._made[j] for j in np.flatnonzero(lacking[:, k]))
                yield *some[k], lacks if known[k] else None

    def add(self, position: int, rows: pa.RecordBatch) -> None:
        """Keep the rows of finished images, and write a part if it is due.

        Parameters
        ----------
        position : int
            Number of the first image among all images of the run; orders the rows of a part.
        rows : pyarrow.RecordBatch
            Rows with the columns of ``finhash.tables.schema.keyed_schema``. Values that an image
            did not lack are null; they are taken from its row in the folder.
        """
        self._rows.append((position, rows))
        if self._tally is not None:
            self._tally.hashed += rows["error"].to_pylist().count("")
        self.write_due()

    def write_due(self) -> None:
        """Write a part if there are rows and enough time has passed, or if there are many rows."""
        now = time.monotonic()
        pause = min(LONGEST, max(SHORTEST, (now - self._started) / 100))
        is_due = self._rows and now - self._written >= pause
        if is_due or sum(len(rows) for _, rows in self._rows) >= PART_ROWS:
            self._write()

    def remove(self, names: Iterable[str]) -> None:
        """Remove the rows of these ids when the context is left, unless this run adds new ones."""
        self._unwanted = np.frombuffer(b"".join(map(path_digest, names)), "u8")

    def _stat(self) -> tuple[int, int] | None:
        """Return what identifies the folder among all files and folders; None if it is gone."""
        try:
            status = self._folder.stat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino

    def _check_there(self) -> None:
        """Raise ``RuntimeError`` if the folder is no longer the one that this run has locked."""
        if self._stat() != self._identity:
            raise RuntimeError(
                f"{self._folder} was removed or replaced during the run: repeat the run"
            )

    def _note(self, added: Iterable[str], changed: Iterable[str]) -> None:
        """Add new and changed images to the tally, if there is one."""
        if self._tally is not None:
            self._tally.added += added
            self._tally.changed += changed

    def _open(self) -> None:
        """Read which rows the folder has; check that this run may add to them."""
        self._files = part_files(self._folder)
        schemas = [read_schema(file) for file in self._files]
        for schema, file in zip(schemas, self._files, strict=True):
            check_schema(schema, file)
        there = [name for schema in schemas for name in hash_columns(schema)]
        self.methods = list(dict.fromkeys([*there, *self.methods]))
        self.quality |= any(QUALITY.name in fact_columns(schema) for schema in schemas)
        earlier = preparation_of(schemas[-1]) if schemas else AS_STORED
        self._preparation = earlier if self._wanted is None else self._wanted
        for schema in schemas:
            self._check(schema)
        keys, self._ends = read_keys(self._files)
        self._sizes = np.diff(self._ends, prepend=0)
        self._paths, self._states, self._places = newest(keys)
        self._unique = len(self._paths) == len(keys)
        self._lacking = self._lacks()[:, self._places]
        self._added: list[NDArray[np.uint64]] = []

    def _check(self, there: pa.Schema) -> None:
        """Raise ``ValueError`` unless this run's hashes can be compared with those of a part."""
        methods = hash_columns(there)
        for name in methods:
            if name not in registry.METHODS:
                raise ValueError(
                    f"{self._folder} has hashes {name!r}, a method that is not registered here: "
                    "register it, so that new rows get its hashes too, or use another folder"
                )
            bits, wanted = there.field(name).type.bit_width, registry.METHODS[name].bits
            if bits != wanted:
                raise ValueError(
                    f"{self._folder} has hashes {name!r} of {bits} bits, not {wanted}: use another "
                    "name or another folder"
                )
        differ = difference(versions(), provenance_of(there).get("versions", {}), methods)
        if differ:
            raise ValueError(f"{self._folder} was made by {differ}: use another folder")
        if (earlier := preparation_of(there)) != self._preparation:
            raise ValueError(
                f"{self._folder} was made with another preparation: {earlier}, instead of "
                f"{self._preparation}; pass the same background and exif, or use another folder"
            )

    @property
    def _made(self) -> list[str]:
        """Columns that are made of an image's pixels, and that rows can lack."""
        return [*self.methods, QUALITY.name] if self.quality else self.methods

    def _lacks(self) -> NDArray[np.bool_]:
        """Return which made columns each row of the parts lacks, ``[columns, rows]``."""
        fields = self._schema().remove_metadata()
        lacks = np.zeros((len(self._made), sum(self._sizes)), bool)
        for file, end, size in zip(self._files, self._ends, self._sizes, strict=True):
            if _lacks_some(file, self._made):
                lacks[:, end - size : end] = _lacking(read_columns(file, fields), self._made)
        return lacks

    def _schema(self) -> pa.Schema:
        """Return the schema of the folder's parts."""
        return keyed_schema(self.methods, quality=self.quality, preparation=self._preparation)

    def _is_unique(self) -> bool:
        """Return whether no path has two rows in the parts."""
        added = self._digests_added()
        again = len(self._paths) and self._find(added)[1].any()
        return bool(self._unique and not again and len(np.unique(added)) == len(added))

    def _digests_added(self) -> NDArray[np.uint64]:
        """Return the digests of the paths of all rows that this run has written."""
        return np.concatenate([np.empty(0, np.uint64), *self._added])

    def _find(self, digests: NDArray[np.uint64]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Return the place of each path among those of earlier runs, and whether it is one."""
        places = np.minimum(np.searchsorted(self._paths, digests), len(self._paths) - 1)
        return places, self._paths[places] == digests

    def _write(self) -> None:
        """Write the rows held in memory as the next part."""
        self._check_there()
        rows = sorted(self._rows, key=lambda item: item[0])
        table = self._completed(as_part((batch for _, batch in rows), self._schema()))
        files = part_files(self._folder)
        last = part_number(files[-1]) if files else 0
        self._added.append(fixed_width(table[KEY]).view(np.uint64)[:, 0].copy())
        write_table(table, part_path(self._folder, last + 1))
        # Not earlier: if Ctrl-C interrupts the writing, leaving the context writes the rows again.
        self._rows.clear()
        self._written = time.monotonic()

    def _completed(self, table: pa.Table) -> pa.Table:
        """Return new rows with the values that they did not lack, taken from their old rows."""
        lacks = _lacking(table, self._made)
        rows = np.flatnonzero(lacks.any(axis=0))
        if not len(rows):
            return table
        digests = fixed_width(table[KEY]).view(np.uint64).copy()
        places = np.searchsorted(self._paths, digests[rows, 0])
        old = self._old_rows(self._places[places])
        changed = np.zeros(len(table), bool)
        changed[rows] = self._states[places] != digests[rows, 1]
        columns = {name: table[name] for name in table.column_names}
        for name, lacked in zip(self._made, lacks[:, rows], strict=True):
            sources = np.arange(len(table))
            sources[rows[lacked]] = len(table) + np.flatnonzero(lacked)
            both = pa.chunked_array([*table[name].chunks, *old[name].chunks])
            columns[name] = both.take(pa.array(sources, mask=changed))
        undone = np.frombuffer(UNDONE + NAMED_UNDONE, np.uint64)
        digests[changed, 1] = undone[is_named(digests[changed, 1]).astype(int)]
        columns[KEY] = packed(digests.view(np.uint8))
        reasons = table["error"].to_pylist()
        columns["error"] = [CHANGED if c else r for c, r in zip(changed, reasons, strict=True)]
        return pa.table(columns, schema=table.schema)

    def _old_rows(self, places: NDArray[np.intp]) -> pa.Table:
        """Return the rows of the parts that were there on entering, by their positions."""
        parts = np.searchsorted(self._ends, places, side="right")
        tables, order = [], []
        for part in np.unique(parts):
            wanted = np.flatnonzero(parts == part)
            start = self._ends[part] - self._sizes[part]
            table = read_columns(self._files[part], self._schema().remove_metadata())
            tables.append(table.take(places[wanted] - start))
            order.append(wanted)
        return pa.concat_tables(tables).take(np.argsort(np.concatenate(order)))


def _lacks_some(file: Path, columns: Sequence[str]) -> bool:
    """Return whether rows of a part can lack a made column; read only the part's metadata."""
    metadata = pq.read_metadata(file)
    nulls = dict.fromkeys(columns, 0)
    if not nulls.keys() <= set(metadata.schema.to_arrow_schema().names):
        return True
    for group in range(metadata.num_row_groups):
        for column in map(metadata.row_group(group).column, range(metadata.num_columns)):
            if column.path_in_schema in nulls and metadata.num_rows:  # else without statistics
                nulls[column.path_in_schema] += column.statistics.null_count
    # All rows without errors have the folder's first method, so its nulls are the rows with errors.
    return len(set(nulls.values())) > 1


def _lacking(table: pa.Table, columns: Sequence[str]) -> NDArray[np.bool_]:
    """Return which columns each row lacks although its image could be hashed."""
    hashed: NDArray[np.bool_] = pc.call_function("equal", [table["error"], ""]).to_numpy()
    nulls = [table[name].is_null().to_numpy() for name in columns]
    return np.array(nulls, bool).reshape(len(columns), len(table)) & hashed
