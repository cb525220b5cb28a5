"""Parquet files of hash tables: single tables, and the parts in a job's output folder."""

import json
import os
from collections.abc import Collection, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from finhash.jobs.files import whole_file
from finhash.jobs.rows import KEY, METADATA_KEY, keyed_schema, path_digest


def write_table(table: pa.Table, path: str | os.PathLike[str]) -> None:
    """Write a table or a part; the file appears complete or not at all."""
    with whole_file(path) as partial:
        # Hashes rarely repeat, so a dictionary would only make their columns larger.
        options: dict[str, Any] = {"compression": "zstd", "use_dictionary": ["error"]}
        pq.write_table(table, partial, **options)


def read_table(path: str | os.PathLike[str]) -> pa.Table:
    """Read a table or a part; raise ``ValueError`` if the file is not from finhash."""
    _check_schema(pq.read_schema(path), path)
    return pq.read_table(path)


def provenance_of(schema: pa.Schema) -> dict[str, Any]:
    """Return the provenance stored in a table's schema: at least ``"versions"``."""
    provenance: dict[str, Any] = json.loads(schema.metadata[METADATA_KEY])
    return provenance


def as_part(batches: Iterable[pa.RecordBatch], methods: Sequence[str]) -> pa.Table:
    """Join rows that have keys into the table of a part, with its metadata."""
    keyed = keyed_schema(methods)
    table = pa.Table.from_batches(batches, keyed.remove_metadata())
    return table.replace_schema_metadata(keyed.metadata)


def part_files(folder: str | os.PathLike[str]) -> list[Path]:
    """Return the parts in a folder, oldest first."""
    return sorted(Path(folder).glob("part-*.parquet"))


def check_parts(folder: str | os.PathLike[str]) -> None:
    """Raise ``ValueError`` unless a folder holds parts of a hash table; read only their schemas."""
    files = part_files(folder)
    if not files:
        raise ValueError(
            f"{folder} holds no parts of a finhash table: give a folder that hash_files wrote"
        )
    for file in files:
        _check_schema(pq.read_schema(file), file)


def read_parts(
    folder: str | os.PathLike[str], paths: Collection[str | os.PathLike[str]] | None = None
) -> pa.Table:
    """Read the newest row of each file from a folder of parts.

    Parameters
    ----------
    folder : str or path-like
        Output folder of ``hash_files``.
    paths : collection of str or path-like, optional
        Files whose rows are wanted, in this order. By default all files, sorted by path.

    Returns
    -------
    pyarrow.Table
        Columns as described by ``finhash.jobs.rows.schema``.

    Raises
    ------
    ValueError
        If the folder holds no parts, or has no row for one of ``paths``.
    """
    check_parts(folder)
    table = pa.concat_tables([pq.read_table(file) for file in part_files(folder)])
    digests, _, rows = newest(table[KEY])
    table = table.drop_columns(KEY)
    if paths is None:
        return table.take(rows).sort_by("path").combine_chunks()
    wanted = np.frombuffer(b"".join(map(path_digest, paths)), "u8")
    places = np.searchsorted(digests, wanted)
    known = places < len(digests)
    known[known] = digests[places[known]] == wanted[known]
    if not known.all():
        first = next(islice(paths, int(known.argmin()), None))
        raise ValueError(f"{folder} has no row for {os.fsdecode(first)}: hash it first")
    return table.take(rows[places]).combine_chunks()


def newest(
    keys: pa.ChunkedArray,
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.intp]]:
    """Return the last key of each path among the keys of many parts.

    Parameters
    ----------
    keys : pyarrow.ChunkedArray of 16-byte binary
        The column ``key`` of all parts, oldest part first.

    Returns
    -------
    paths : ndarray of uint64, shape (n_paths,)
        Digests of the paths, sorted.
    states : ndarray of uint64, shape (n_paths,)
        Digests of the files' states.
    rows : ndarray of int, shape (n_paths,)
        Positions of these keys in ``keys``.
    """
    digests = fixed_width(keys).view(np.uint64)
    order = np.argsort(digests[:, 0], kind="stable")
    is_last = np.append(np.diff(digests[order, 0]) != 0, True)[: len(order)]
    rows = order[is_last]
    return digests[rows, 0], digests[rows, 1], rows


def fixed_width(column: pa.ChunkedArray) -> NDArray[np.uint8]:
    """Return a fixed-width binary column without nulls as ``uint8``, shape ``(n, width)``."""
    values, width = column.combine_chunks(), column.type.byte_width
    start = values.offset * width
    data = np.frombuffer(values.buffers()[1], np.uint8)[start : start + len(values) * width]
    return data.reshape(len(values), width)


def _check_schema(schema: pa.Schema, path: str | os.PathLike[str]) -> None:
    """Raise ``ValueError`` unless a file's schema is that of a finhash table."""
    if METADATA_KEY not in (schema.metadata or {}):
        raise ValueError(f"{path} is not a finhash table: its metadata has no entry 'finhash'")
