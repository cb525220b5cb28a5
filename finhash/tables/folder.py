"""Folders of parts: the files of a hash table that a job writes one after the other."""

import os
import re
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from finhash.tables.columns import fixed_width
from finhash.tables.parquet import check_schema, read_columns, read_schema, unmarked
from finhash.tables.schema import (
    KEY,
    METADATA_KEY,
    fact_columns,
    hash_columns,
    is_named,
    keyed_schema,
    path_digest,
)

T = TypeVar("T")

UNSETTLED = 60.0
"""Seconds for which reading a folder is repeated while a run replaces its parts."""

RETRY = 0.05
"""Seconds between two readings of a folder."""

_NAME = re.compile(r"part-\d+\.parquet")
_ESCAPE = re.compile(rb"\\x([0-9a-f]{2})")


def as_part(batches: Iterable[pa.RecordBatch], keyed: pa.Schema) -> pa.Table:
    """Join rows that have keys into the table of a part, whose schema is ``keyed``."""
    table = pa.Table.from_batches(batches, keyed.remove_metadata())
    return table.replace_schema_metadata(keyed.metadata)


def part_files(folder: str | os.PathLike[str]) -> list[Path]:
    """Return the parts in a folder, oldest first."""
    files = [file for file in Path(folder).glob("part-*.parquet") if _NAME.fullmatch(file.name)]
    return sorted(files, key=part_number)


def part_number(file: Path) -> int:
    """Return the number of a part; later parts have greater numbers."""
    return int(file.stem.removeprefix("part-"))


def part_path(folder: Path, number: int) -> Path:
    """Return the path of the part of that number."""
    return folder / f"part-{number:06d}.parquet"


def check_parts(folder: str | os.PathLike[str]) -> None:
    """Raise ``ValueError`` unless a folder holds parts of a hash table; read only their schemas."""
    _settled(folder, _schemas)


def read_parts(
    folder: str | os.PathLike[str],
    paths: Collection[str | os.PathLike[str]] | None = None,
    methods: Sequence[str] | None = None,
) -> pa.Table:
    """Read the newest row of each file from a folder of parts.

    Another process may add to the folder or merge its parts meanwhile. The rows are those of one
    moment.

    Parameters
    ----------
    folder : str or path-like
        Output folder of ``hash_files``.
    paths : collection of str or path-like, optional
        Files whose rows are wanted, in this order. By default all files, sorted by path.
    methods : sequence of str, optional
        Columns of hashes to read, in this order. By default all.

    Returns
    -------
    pyarrow.Table
        Columns as described by ``finhash.tables.schema.schema``.

    Raises
    ------
    ValueError
        If the folder holds no parts, or has no row for one of ``paths``.
    OSError
        If the parts cannot be read, or another process kept replacing them for a minute.
    """
    table = _settled(folder, lambda files: _read(files, methods))
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


def read_names(folder: str | os.PathLike[str]) -> list[str]:
    """Return the paths of a folder's rows with their original bytes, sorted; no ids of images.

    A path whose bytes cannot be restored is left out, and so is an id that is not the path of its
    image.
    """
    fields = pa.schema([keyed_schema([]).field(name) for name in ("path", KEY)])
    table = _settled(
        folder, lambda files: pa.concat_tables([read_columns(file, fields) for file in files])
    )
    digests, states, rows = newest(table[KEY])
    is_file = ~is_named(states)
    texts = table["path"].take(rows[is_file]).to_pylist()
    found = map(_original, texts, digests[is_file])
    return sorted(name for name in found if name is not None)


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


def _original(text: str, digest: np.uint64) -> str | None:
    """Return a path as it was before ``finhash.files.text`` escaped bytes; None if unknown."""
    if "\\x" not in text:
        return text
    restored = _ESCAPE.sub(lambda escape: bytes.fromhex(escape[1].decode()), os.fsencode(text))
    for name in (text, os.fsdecode(restored)):
        if np.frombuffer(path_digest(name), "u8")[0] == digest:
            return name
    return None


def _settled(folder: str | os.PathLike[str], read: Callable[[list[Path]], T]) -> T:
    """Return ``read(parts)`` for the parts of one moment; repeat it if a run replaces one."""
    limit = time.monotonic() + UNSETTLED
    while time.monotonic() < limit:
        before = _states(folder)
        # Between the two listings there is a moment at which the folder was just as listed.
        if before is not None and before == _states(folder):
            if not before:
                raise ValueError(
                    f"{folder} holds no parts of a finhash table: give a folder that hash_files "
                    "wrote"
                )
            try:
                result = read(list(before))
            except FileNotFoundError:
                pass
            else:
                # New parts do not matter, but rows move when a run replaces or removes parts.
                after = _states(folder)
                if after is not None and before.items() <= after.items():
                    return result
        time.sleep(RETRY)
    raise OSError(
        f"{folder} changed for {UNSETTLED:g} s while it was read: read it when the run that "
        "writes it has ended"
    )


def _states(folder: str | os.PathLike[str]) -> dict[Path, tuple[int, int, int]] | None:
    """Return what identifies the content of each part, oldest first; None if one vanished."""
    try:
        states = {file: file.stat() for file in part_files(folder)}
    except FileNotFoundError:
        return None
    return {file: (s.st_ino, s.st_mtime_ns, s.st_size) for file, s in states.items()}


def _schemas(files: Sequence[Path]) -> list[pa.Schema]:
    """Return the schemas of parts; raise ``ValueError`` if a file is not a finhash table."""
    schemas = [read_schema(file) for file in files]
    for schema, file in zip(schemas, files, strict=True):
        check_schema(schema, file)
    return schemas


def _read(files: Sequence[Path], methods: Sequence[str] | None) -> pa.Table:
    """Return the rows of parts, oldest first, with their keys."""
    schemas = _schemas(files)
    # A run that adds a method and is killed leaves parts that lack its column.
    fields = pa.unify_schemas([schema.remove_metadata() for schema in schemas])
    found = hash_columns(fields) if methods is None else methods
    names = ("path", *found, "error", *fact_columns(fields), KEY)
    fields = pa.schema([fields.field(name) for name in names])
    tables = [read_columns(file, fields) for file in files]
    facts = schemas[-1].metadata[METADATA_KEY]
    return unmarked(pa.concat_tables(tables).replace_schema_metadata({METADATA_KEY: facts}))
