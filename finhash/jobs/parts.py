"""The output folder of a job: parts of a hash table, so that the job can stop and resume."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from finhash.jobs.parquet import as_part, newest, part_files, provenance_of, write_table
from finhash.jobs.provenance import difference, versions
from finhash.jobs.rows import KEY, keyed_schema, path_digest, state_digest

PART_ROWS = 2**16
"""Rows per part at most; they are held in memory until the part is written."""

SHORTEST, LONGEST = 1.0, 60.0
"""Least and greatest time between two parts, in seconds; in between, 1% of the run so far."""

CHECKED = 1024
"""Files whose states are compared at a time."""


class Parts:
    """The output folder of one run: finished rows of earlier runs, and rows to be added.

    Entering the context locks the folder and reads which files are done: 16 bytes per file.
    Leaving it writes the rows added last, even after an exception, and unlocks the folder.

    Parameters
    ----------
    folder : str or path-like
        Folder; created if missing.
    methods : sequence of str
        Names of hashes.

    Raises
    ------
    RuntimeError
        On entering, if another run has locked the folder.
    ValueError
        On entering, if the folder's rows were made by other methods or versions, or have another
        number of bits.
    """

    def __init__(self, folder: str | os.PathLike[str], methods: Sequence[str]) -> None:
        self._folder = Path(folder)
        self._methods = methods
        self._rows: list[pa.RecordBatch] = []

    def __enter__(self) -> "Parts":
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self._folder / ".lock")
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            raise RuntimeError(
                f"{self._folder} is in use by another run: wait for its end or use another folder"
            ) from None
        try:
            for left in self._folder.glob(".*.partial"):  # of a run that was killed
                left.unlink()
            self._paths, self._states, _ = newest(self._keys())
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
            if self._rows or not part_files(self._folder):
                self._write()
        finally:
            self._lock.release()

    def missing(self, paths: Iterable[str], skipped: Callable[[int], object]) -> Iterator[str]:
        """Yield the paths that have no finished row, or whose file has changed since.

        Parameters
        ----------
        paths : iterable of str
            Files of the job.
        skipped : callable
            Called after each batch with the number of files skipped because they are finished.

        Yields
        ------
        str
            Path of a file to hash.
        """
        remaining = iter(paths)
        if not len(self._paths):
            yield from remaining
        while some := list(islice(remaining, CHECKED)):
            digests = np.frombuffer(b"".join(map(path_digest, some)), "u8")
            states = np.frombuffer(b"".join(map(state_digest, some)), "u8")
            row = np.minimum(np.searchsorted(self._paths, digests), len(self._paths) - 1)
            # State 0 is UNDONE: the file is missing, or its row is to be made again.
            done = (self._paths[row] == digests) & (self._states[row] == states) & (states != 0)
            skipped(int(done.sum()))
            yield from (path for path, is_done in zip(some, done, strict=True) if not is_done)

    def add(self, position: int, rows: pa.RecordBatch) -> None:
        """Keep the rows of finished files, and write a part if it is due.

        Parameters
        ----------
        position : int
            Not used: a part's rows are found by their keys.
        rows : pyarrow.RecordBatch
            Rows with the columns of ``finhash.jobs.rows.keyed_schema``.
        """
        self._rows.append(rows)
        now = time.monotonic()
        pause = min(LONGEST, max(SHORTEST, (now - self._started) / 100))
        if now - self._written >= pause or sum(map(len, self._rows)) >= PART_ROWS:
            self._write()

    def _keys(self) -> pa.ChunkedArray:
        """Return the keys of all parts, oldest first; check that this run may add to them."""
        wanted = keyed_schema(self._methods)
        chunks: list[pa.Array] = []
        for file in part_files(self._folder):
            with pq.ParquetFile(file) as part:
                there = part.schema_arrow
                if there.names != wanted.names:
                    raise ValueError(
                        f"{self._folder} has columns {there.names}, not {wanted.names}: "
                        "use the same methods or another folder"
                    )
                for old, new in zip(there, wanted, strict=True):
                    if old.type != new.type:
                        raise ValueError(
                            f"{self._folder} has hashes {old.name!r} of {old.type.bit_width} "
                            f"bits, not {new.type.bit_width}: use another name or another folder"
                        )
                differ = difference(versions(), provenance_of(there)["versions"])
                if differ:
                    raise ValueError(f"{self._folder} was made by {differ}: use another folder")
                chunks += part.read(columns=[KEY])[KEY].chunks
        return pa.chunked_array(chunks, pa.binary(16))

    def _write(self) -> None:
        """Write the rows held in memory as the next part."""
        rows, self._rows = self._rows, []
        last = max((int(file.stem.split("-")[1]) for file in part_files(self._folder)), default=0)
        write_table(as_part(rows, self._methods), self._folder / f"part-{last + 1:06d}.parquet")
        self._written = time.monotonic()
