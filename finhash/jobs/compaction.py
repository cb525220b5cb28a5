"""Compaction of an output folder: one row per path, in few parts.

A run adds parts. Afterwards a path may have rows in several parts, of which the last is valid, and
there may be many small parts. ``compact`` removes the superseded rows and merges small parts, so
that any reader of Parquet files sees exactly one row per path. It also removes all rows of paths
that are no longer wanted.

At every moment the newest row of each wanted path is in a complete part, and no later part has an
older one. If a compaction is interrupted, some rows occur twice or still have to be removed; the
next one corrects this, if it is given the same paths to remove.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from finhash.tables.folder import newest, part_files, part_number, part_path
from finhash.tables.parquet import read_columns, write_table
from finhash.tables.schema import KEY, keyed_schema

PART_ROWS = 2**16
"""Rows per part at most, apart from those of one task; they are held in memory when written."""


def compact(
    folder: Path,
    fields: pa.Schema,
    *,
    unique: bool,
    unwanted: NDArray[np.uint64],
) -> None:
    """Remove superseded rows from the parts of a folder, merge small parts, and unify columns.

    Memory holds one part, and 80 bytes per row of the folder if its keys are read.

    Parameters
    ----------
    folder : Path
        Output folder, locked by the caller.
    fields : pyarrow.Schema
        Schema as returned by ``keyed_schema``. All parts get its columns; values that a part lacks
        are null. Parts that are written again get its metadata.
    unique : bool
        Whether it is known that no path has two rows, so that the keys need not be read.
    unwanted : ndarray of uint64, shape (n,)
        Digests of paths whose rows are removed too; if there are any, the keys are read.
    """
    files = part_files(folder)
    if unique and not len(unwanted):
        kept: list[NDArray[np.intp] | None] = [None] * len(files)
    else:
        kept = _newest_rows(files, unwanted)
    sizes = [
        pq.read_metadata(file).num_rows if rows is None else len(rows)
        for file, rows in zip(files, kept, strict=True)
    ]
    for group in merged(sizes):
        members = [files[part] for part in group]
        if len(group) > 1:
            target = part_path(folder, part_number(part_files(folder)[-1]) + 1)
        elif kept[group[0]] is not None or pq.read_schema(members[0]).names != fields.names:
            target = members[0]
        else:
            continue
        tables = [_rows(files[part], kept[part], fields) for part in group]
        write_table(pa.concat_tables(tables).replace_schema_metadata(fields.metadata), target)
        for file in members:
            if file != target:
                file.unlink()


def merged(sizes: Sequence[int]) -> list[list[int]]:
    """Return which parts to merge, as groups of their positions.

    Afterwards each part has at least twice the rows of the next smaller one, or both together
    exceed ``PART_ROWS``. A folder of ``n`` rows therefore has at most about
    ``16 + 3 n / PART_ROWS`` parts. Each time a row is written again, its part grows by half or
    more, so a row is written at most 28 times.

    Parameters
    ----------
    sizes : sequence of int
        Rows of each part.

    Returns
    -------
    list of list of int
        Groups of positions in ``sizes``, each in ascending order.

    Examples
    --------
    >>> merged([40, 1, 5, 1])
    [[1, 3], [2], [0]]
    """
    groups: list[list[int]] = []
    total = 0
    for part in np.argsort(sizes, kind="stable").tolist():
        rows = sizes[part]
        if groups and total + rows <= PART_ROWS and (rows < 2 * total or not total):
            groups[-1].append(part)
            total += rows
        else:
            groups.append([part])
            total = rows
    return [sorted(group) for group in groups]


def _newest_rows(
    files: Sequence[Path], unwanted: NDArray[np.uint64]
) -> list[NDArray[np.intp] | None]:
    """Return for each part the wanted rows that no later row supersedes; None if these are all."""
    keys, ends = read_keys(files)
    paths, _, rows = newest(keys)
    rows = np.sort(rows[~np.isin(paths, unwanted)])
    cuts = np.searchsorted(rows, ends)
    starts = np.concatenate([[0], ends])
    parts = np.split(rows, cuts)[: len(files)]
    return [
        None if len(part) == end - start else part - start
        for part, start, end in zip(parts, starts[:-1], ends, strict=True)
    ]


def read_keys(files: Sequence[Path]) -> tuple[pa.ChunkedArray, NDArray[np.intp]]:
    """Return the keys of parts, in the order of ``files``, and where each part's keys end."""
    field = pa.schema([keyed_schema([]).field(KEY)])
    columns = [read_columns(file, field)[KEY] for file in files]
    keys = pa.chunked_array([c for column in columns for c in column.chunks], field.types[0])
    return keys, np.cumsum([len(column) for column in columns], dtype=np.intp)


def _rows(file: Path, rows: NDArray[np.intp] | None, fields: pa.Schema) -> pa.Table:
    """Return rows of a part, by default all, with the columns ``fields``."""
    table = read_columns(file, fields.remove_metadata())
    return table if rows is None else table.take(rows)
