"""A folder of finished work: parts of a hash table, so that a job can stop and go on."""

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

from finhash.jobs.provenance import difference, versions
from finhash.jobs.rows import KEY, keyed_schema, path_digest, state_digest
from finhash.jobs.table import as_part, newest, part_files, provenance_of, write_parquet

PART_ROWS = 2**16
"""Rows of a part at most: they are held in memory until it is written."""

SHORTEST, LONGEST = 1.0, 60.0
"""Seconds between parts: a hundredth of the run so far, within these."""


class Parts:
    """The folder, held by one run at a time: what it has, and rows to be added.

    Used in a ``with``: entering locks the folder and reads what is done, leaving writes what was
    added last, whatever ended the run. Entering raises ``RuntimeError`` if another run holds the
    folder, and ``ValueError`` if its rows were made by other methods or versions.
    """

    def __init__(self, folder: str | os.PathLike, methods: Sequence[str]) -> None:
        self.folder = Path(folder)
        self._methods = methods
        self._rows: list[pa.RecordBatch] = []

    def __enter__(self) -> "Parts":
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self.folder / ".lock")
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            raise RuntimeError(f"{self.folder} is in use by another run") from None
        try:
            for left in self.folder.glob(".*.partial"):  # by a run that was killed
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
            if self._rows or not part_files(self.folder):
                self._write()
        finally:
            self._lock.release()

    def missing(self, paths: Iterable[str], skipped: Callable[[int], object]) -> Iterator[str]:
        """Those of the paths that are not done yet, or have changed since.

        ``skipped`` is told how many of them are done, some at a time.
        """
        remaining = iter(paths)
        if not len(self._paths):
            yield from remaining
        while some := list(islice(remaining, 1024)):
            digests = np.frombuffer(b"".join(map(path_digest, some)), "u8")
            states = np.frombuffer(b"".join(map(state_digest, some)), "u8")
            row = np.minimum(np.searchsorted(self._paths, digests), len(self._paths) - 1)
            done = (self._paths[row] == digests) & (self._states[row] == states) & (states != 0)
            skipped(int(done.sum()))
            yield from (path for path, is_done in zip(some, done, strict=True) if not is_done)

    def add(self, rows: pa.RecordBatch) -> None:
        """Rows of finished files, with their keys; written when it is time for a part."""
        self._rows.append(rows)
        now = time.monotonic()
        pause = min(LONGEST, max(SHORTEST, (now - self._started) / 100))
        if now - self._written >= pause or sum(map(len, self._rows)) >= PART_ROWS:
            self._write()

    def _keys(self) -> pa.ChunkedArray:
        """The keys of all parts, oldest first."""
        columns = keyed_schema(self._methods).names
        chunks: list[pa.Array] = []
        for file in part_files(self.folder):
            with pq.ParquetFile(file) as part:
                there = part.schema_arrow
                if there.names != columns:
                    raise ValueError(f"{self.folder} has columns {there.names}, not {columns}")
                differ = difference(versions(), provenance_of(there)["versions"])
                if differ:
                    raise ValueError(f"{self.folder} was made by {differ}: use another folder")
                chunks += part.read(columns=[KEY])[KEY].chunks
        return pa.chunked_array(chunks, pa.binary(16))

    def _write(self) -> None:
        rows, self._rows = self._rows, []
        last = max((int(file.stem.split("-")[1]) for file in part_files(self.folder)), default=0)
        write_parquet(as_part(rows, self._methods), self.folder / f"part-{last + 1:06d}.parquet")
        self._written = time.monotonic()
