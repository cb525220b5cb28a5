"""The hash table: one row a file, one fixed-width binary column a method, kept as Parquet."""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from finhash.files import whole_file
from finhash.methods import METHODS
from finhash.provenance import versions

METADATA_KEY = b"finhash"


class HashTable:
    """Paths, hashes and errors of many files, with the versions that made them.

    ``arrow`` is the table itself: ``path``, a column for each method, ``error`` (empty, or the
    exception's type and words; such a row has no hashes).
    """

    def __init__(self, arrow: pa.Table) -> None:
        self.arrow = arrow

    @classmethod
    def from_rows(cls, rows: Iterable[dict], methods: Iterable[str]) -> "HashTable":
        """The table of ``{"path": ..., method: bytes or None, ..., "error": ...}`` rows."""
        fields = [pa.field("path", pa.string(), nullable=False)]
        fields += [pa.field(name, pa.binary(METHODS[name].bits // 8)) for name in methods]
        fields += [pa.field("error", pa.string(), nullable=False)]
        metadata = {METADATA_KEY: json.dumps({"versions": versions()})}
        return cls(pa.Table.from_pylist(list(rows), pa.schema(fields, metadata)))

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
        return json.loads(self.arrow.schema.metadata[METADATA_KEY])

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
        column = self.arrow[method].combine_chunks()
        if column.null_count:
            raise ValueError(
                f"{column.null_count} of {len(self)} rows have no hash; use without_errors()"
            )
        width = column.type.byte_width
        start = column.offset * width
        data = np.frombuffer(column.buffers()[1], np.uint8)[start : start + len(column) * width]
        return data.reshape(len(column), width)

    def digest(self, method: str) -> str:
        """SHA-256 over one method's names and hashes: equal digests, equal tables."""
        state = hashlib.sha256()
        for path in self.paths:
            state.update(Path(path).name.encode() + b"\0")
        state.update(self.hashes(method).tobytes())
        return state.hexdigest()

    def write(self, path: str | os.PathLike) -> None:
        """Write as Parquet; the file appears whole or not at all."""
        with whole_file(path) as partial:
            # Hashes do not repeat, so a dictionary would only add to them.
            pq.write_table(self.arrow, partial, compression="zstd", use_dictionary=["error"])

    @classmethod
    def read(cls, path: str | os.PathLike) -> "HashTable":
        """The table written by ``write``."""
        table = pq.read_table(path)
        if METADATA_KEY not in (table.schema.metadata or {}):
            raise ValueError(f"{path} is not a finhash table")
        return cls(table)
