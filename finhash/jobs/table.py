"""The hash table: one row a file, one fixed-width binary column a method, kept as Parquet.

A table is one file, or a folder of parts that ``finhash.jobs.parts`` has written.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from finhash.jobs.files import whole_file
from finhash.jobs.rows import KEY, METADATA_KEY, keyed_schema, path_digest
from finhash.methods import METHODS


def provenance_of(schema: pa.Schema) -> dict:
    """What a table's schema says of its making."""
    return json.loads(schema.metadata[METADATA_KEY])


class HashTable:
    """Paths, hashes and errors of many files, with the versions that made them.

    ``arrow`` is the table itself: ``path``, a column for each method, ``error`` (empty, or the
    exception's type and words; such a row has no hashes). It may be given as a function, called
    when the table is first looked at.
    """

    def __init__(self, arrow: pa.Table | Callable[[], pa.Table]) -> None:
        self._arrow = arrow

    @classmethod
    def from_batches(cls, batches: Iterable[pa.RecordBatch], methods: Sequence[str]) -> "HashTable":
        """The table of rows that have keys, in the order given."""
        table = as_part(batches, methods).drop_columns(KEY)
        return cls(table.combine_chunks())

    @property
    def arrow(self) -> pa.Table:
        """The table as Arrow holds it."""
        if not isinstance(self._arrow, pa.Table):
            self._arrow = self._arrow()
        return self._arrow

    def __len__(self) -> int:
        return self.arrow.num_rows

    @property
    def paths(self) -> list[str]:
        """The path of each row, as it was given."""
        return self.arrow["path"].to_pylist()

    @property
    def errors(self) -> list[str]:
        """Why each row has no hash; empty where it has."""
        return self.arrow["error"].to_pylist()

    @property
    def methods(self) -> list[str]:
        """Names of the methods that have a column."""
        return [name for name in self.arrow.column_names if name in METHODS]

    @property
    def provenance(self) -> dict:
        """What is known of the table's making: at least ``versions``."""
        return provenance_of(self.arrow.schema)

    def with_provenance(self, **facts: object) -> "HashTable":
        """The same table with facts added to its provenance."""
        text = json.dumps({**self.provenance, **facts})
        return HashTable(self.arrow.replace_schema_metadata({METADATA_KEY: text}))

    def select(self, methods: Iterable[str]) -> "HashTable":
        """The same rows with these methods only."""
        return HashTable(self.arrow.select(["path", *methods, "error"]))

    def without_errors(self) -> "HashTable":
        """The rows that have hashes."""
        return HashTable(self.arrow.filter(pc.equal(self.arrow["error"], "")))

    def hashes(self, method: str) -> np.ndarray:
        """The hashes of one method, ``uint8 [n, bits / 8]``.

        Raises ``ValueError`` if any row has none: pick ``without_errors()`` first, so that rows
        and hashes cannot fall out of step.
        """
        column = self.arrow[method]
        if column.null_count:
            raise ValueError(
                f"{column.null_count} of {len(self)} rows have no hash; use without_errors()"
            )
        return _fixed_width(column)

    def digest(self, method: str) -> str:
        """SHA-256 over one method's names and hashes: equal digests, equal tables."""
        state = hashlib.sha256()
        for path in self.paths:
            state.update(Path(path).name.encode() + b"\0")
        state.update(self.hashes(method).tobytes())
        return state.hexdigest()

    def write(self, path: str | os.PathLike) -> None:
        """Write as Parquet; the file appears whole or not at all."""
        write_parquet(self.arrow, path)

    @classmethod
    def read(cls, path: str | os.PathLike) -> "HashTable":
        """The table written by ``write``, or the folder that ``hash_files`` was given as ``out``.

        A folder's rows are the newest for each file, in the order of their paths.
        """
        if Path(path).is_dir():
            return cls(read_parts(path))
        return cls(_read(path))


def as_part(batches: Iterable[pa.RecordBatch], methods: Sequence[str]) -> pa.Table:
    """The table of a part, with its metadata."""
    keyed = keyed_schema(methods)
    table = pa.Table.from_batches(batches, keyed.remove_metadata())
    return table.replace_schema_metadata(keyed.metadata)


def part_files(folder: str | os.PathLike) -> list[Path]:
    """The parts in a folder, oldest first."""
    return sorted(Path(folder).glob("part-*.parquet"))


def newest(keys: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of many parts' keys, the last of each path: path digest, state digest, row.

    All ``[paths]``, sorted by the path digest; digests are ``uint64``.
    """
    digests = _fixed_width(keys).view("u8")
    order = np.argsort(digests[:, 0], kind="stable")
    is_last = np.append(np.diff(digests[order, 0]) != 0, True)[: len(order)]
    rows = order[is_last]
    return digests[rows, 0], digests[rows, 1], rows


def read_parts(
    folder: str | os.PathLike, paths: Iterable[str | os.PathLike] | None = None
) -> pa.Table:
    """The newest row of each file in a folder of parts: by path, or those of ``paths`` in order."""
    files = part_files(folder)
    if not files:
        raise ValueError(f"{folder} holds no parts of a finhash table")
    table = pa.concat_tables([_read(file) for file in files])
    digests, _, rows = newest(table[KEY])
    table = table.drop_columns(KEY)
    if paths is None:
        return table.take(rows).sort_by("path").combine_chunks()
    wanted = np.frombuffer(b"".join(map(path_digest, paths)), "u8")
    return table.take(rows[np.searchsorted(digests, wanted)]).combine_chunks()


def write_parquet(table: pa.Table, path: str | os.PathLike) -> None:
    """Write a table or a part; the file appears whole or not at all."""
    with whole_file(path) as partial:
        # Hashes do not repeat, so a dictionary would only add to them.
        pq.write_table(table, partial, compression="zstd", use_dictionary=["error"])


def _fixed_width(column: pa.ChunkedArray) -> np.ndarray:
    """The values of a fixed-width binary column without nulls, ``uint8 [n, width]``."""
    values, width = column.combine_chunks(), column.type.byte_width
    start = values.offset * width
    data = np.frombuffer(values.buffers()[1], np.uint8)[start : start + len(values) * width]
    return data.reshape(len(values), width)


def _read(path: str | os.PathLike) -> pa.Table:
    table = pq.read_table(path)
    if METADATA_KEY not in (table.schema.metadata or {}):
        raise ValueError(f"{path} is not a finhash table")
    return table
