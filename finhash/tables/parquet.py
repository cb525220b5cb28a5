"""Parquet files of hash tables: single tables, and the parts in a job's output folder.

Each file's metadata has an entry ``"finhash"``: JSON with the versions of the software that made
the hashes, with the preparation of the images (``"preparation"``) unless there was none, and with
``"format": 1``. Later versions of finhash read all files of format 1. Files without the number are
older and are read as format 1. If the columns or their meaning change, the number grows; a version
of finhash that does not know the number refuses the file.

Format 1 has the columns ``path``, one per method, and ``error``, as described by
``finhash.HashTable``. Parts also have the column ``key``: eight bytes that identify the path, and
eight bytes that identify the state of the file, zero if its row is to be made again. The first four
of these are 255 if the id of a row is not the path of its image; the last four are then zero if the
row is to be made again. Further columns may follow ``error``, such as ``width``. All versions
select columns by name, so a further column does not change the number. A file may lack it; its
values are then null.

Files without the entry are read too if other programs, such as pandas, Polars or DuckDB, have
written a hash table: see ``finhash.tables.columns``.
"""

import json
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from finhash.files import whole_file
from finhash.tables.columns import conform
from finhash.tables.schema import METADATA_KEY, hash_columns, preparation_of, provenance_of

FORMAT = 1
"""Number of the format of the files that this version writes; it reads this one and all before."""


def write_table(table: pa.Table, path: str | os.PathLike[str]) -> None:
    """Write a table or a part; the file appears complete or not at all."""
    with whole_file(path) as partial:
        write_rows(table, partial)


def write_rows(table: pa.Table, file: str | os.PathLike[str] | BinaryIO) -> None:
    """Write a table or a part to a file or to a path."""
    facts = json.dumps({**provenance_of(table.schema), "format": FORMAT})
    marked = table.replace_schema_metadata({METADATA_KEY: facts})
    # Hashes rarely repeat, so a dictionary would only make their columns larger.
    options: dict[str, Any] = {"compression": "zstd", "use_dictionary": ["error", "format"]}
    pq.write_table(marked, file, **options)


def read_table(path: str | os.PathLike[str], methods: Collection[str] = ()) -> pa.Table:
    """Read a table or a part; raise ``ValueError`` if the file is not a hash table.

    If another program wrote the file, text in the columns ``methods`` is hashes too.
    """
    schema = read_schema(path)
    if METADATA_KEY in (schema.metadata or {}):
        check_schema(schema, path)
        return unmarked(_columns(path))
    try:
        table = conform(_columns(path), methods)
    except ValueError as error:
        raise ValueError(f"{path} is not a finhash table: {error}") from error
    if not hash_columns(table.schema):
        raise ValueError(
            f"{path} is not a finhash table: no column holds hashes, which are binary values of "
            "one length or, under the name of a method, hexadecimal digits; pass methods=[...] to "
            "HashTable.read if a column of another name does"
        )
    return table


def read_schema(path: str | os.PathLike[str]) -> pa.Schema:
    """Return the schema of a Parquet file; raise ``ValueError`` if it is no such file."""
    try:
        return pq.read_schema(path)
    except pa.ArrowInvalid as error:
        raise ValueError(
            f"{path} is no Parquet file, or is damaged: pass a hash table, such as hashes.parquet "
            "or hashes.csv, or a folder that hash_files wrote"
        ) from error


def read_columns(file: Path, fields: pa.Schema) -> pa.Table:
    """Return the columns ``fields`` of a part; those that it lacks are null."""
    there = set(pq.read_schema(file).names)
    table = _columns(file, [name for name in fields.names if name in there])
    columns = [
        table[field.name] if field.name in there else pa.nulls(len(table), field.type)
        for field in fields
    ]
    return pa.table(columns, schema=fields)


def _columns(path: str | os.PathLike[str], names: Sequence[str] | None = None) -> pa.Table:
    """Return columns of one file, by default all."""
    # pyarrow.parquet.read_table would add columns for folders that are named like "year=2026".
    with pq.ParquetFile(path) as file:
        return file.read(columns=names)


def check_schema(schema: pa.Schema, path: str | os.PathLike[str]) -> None:
    """Raise ``ValueError`` unless a file is a finhash table in a format known here."""
    if METADATA_KEY not in (schema.metadata or {}):
        raise ValueError(f"{path} is not a finhash table: its metadata has no entry 'finhash'")
    try:
        number = provenance_of(schema).get("format", FORMAT)
        preparation_of(schema)
    except ValueError as error:
        raise ValueError(f"{path} is not a finhash table: {error}") from error
    if number not in range(1, FORMAT + 1):
        raise ValueError(
            f"{path} has format {number!r}, but this version of finhash reads formats up to "
            f"{FORMAT}: install a newer finhash"
        )


def unmarked(table: pa.Table) -> pa.Table:
    """Return a table without the number of the format, which describes only its file."""
    facts = provenance_of(table.schema)
    facts.pop("format", None)
    return table.replace_schema_metadata({METADATA_KEY: json.dumps(facts)})
