"""Rows of a hash table: one per file, with its hashes or the reason why it has none.

A spawned worker runs the calling script's imports, then imports ``finhash.jobs.executors`` and this
module. Neither imports anything that only the calling process needs, so workers start quickly.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa

from finhash import methods as registry
from finhash.images import ImageError, open_image
from finhash.jobs.provenance import difference, versions
from finhash.methods import Method

METADATA_KEY = b"finhash"
"""Key of the Parquet metadata under which a table's provenance is stored, as JSON."""

KEY = "key"
"""Column that only parts have, 16 bytes: digest of the path, then digest of the file's state."""

KEY_FIELD = pa.field(KEY, pa.binary(16), nullable=False)
"""Type of the column ``key``."""

UNDONE = bytes(8)
"""State digest of a row that the next run makes again, such as the row of a missing file."""


def schema(methods: Iterable[str]) -> pa.Schema:
    """Return the schema of a hash table, with the current versions in its metadata.

    Parameters
    ----------
    methods : iterable of str
        Names of hashes, as in ``finhash.methods.METHODS``.

    Returns
    -------
    pyarrow.Schema
        Columns:

        path : string
            Path of the file.
        one column per method : fixed-size binary of ``bits / 8`` bytes
            Hash; null if the file has none.
        error : string
            Reason why the file has no hash; empty if it has one.

    Examples
    --------
    >>> schema(["find", "dhash64"]).names
    ['path', 'find', 'dhash64', 'error']
    """
    metadata = {METADATA_KEY: json.dumps({"versions": versions()})}
    return _columns(map(registry.get, methods)).with_metadata(metadata)


def keyed_schema(methods: Iterable[str]) -> pa.Schema:
    """Return the schema of a part: that of a hash table, and the column ``key``."""
    return schema(methods).append(KEY_FIELD)


def hash_batch(
    paths: Sequence[str], methods: Sequence[Method], expected: dict[str, str]
) -> tuple[pa.RecordBatch, float]:
    """Hash some files in a worker.

    Parameters
    ----------
    paths : sequence of str
        Files to hash.
    methods : sequence of finhash.methods.Method
        Hashes. Names would not suffice: a new process lacks the hashes that the calling process has
        registered.
    expected : dict of str to str
        Versions of the process that runs the job.

    Returns
    -------
    rows : pyarrow.RecordBatch
        One row per file, with the columns of ``keyed_schema``.
    seconds : float
        Wall time, in seconds.

    Raises
    ------
    RuntimeError
        If this worker's versions are not the expected ones.
    """
    if differ := difference(expected, versions()):
        raise RuntimeError(f"a worker has {differ}: install the same versions on all machines")
    start = time.perf_counter()
    rows = [_hash_file(path, methods) for path in paths]
    return _as_batch(rows, methods), time.perf_counter() - start


def error_row(path: str, methods: Sequence[Method], error: str) -> pa.RecordBatch:
    """Return one row without hashes, for a file that crashed every worker that tried it."""
    return _as_batch([_row(path, UNDONE, error)], methods)


def path_digest(path: str | os.PathLike[str]) -> bytes:
    """Return eight bytes that identify a path, even if its name is not valid UTF-8."""
    return hashlib.blake2b(os.fsencode(path), digest_size=8).digest()


def state_digest(path: str) -> bytes:
    """Return eight bytes made of the file's size and modification time; ``UNDONE`` if missing."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # ValueError: a name that no file can have, such as "\0"
        return UNDONE
    state = f"{status.st_size} {status.st_mtime_ns}".encode()
    return hashlib.blake2b(state, digest_size=8).digest()


def _hash_file(path: str, methods: Sequence[Method]) -> dict[str, object]:
    """Return a file's row, with its hashes or with the exception that prevented them."""
    # Taken before reading: if the file changes meanwhile, the next run hashes it again.
    state = state_digest(path)
    try:
        # Several methods share one decoded image; a single method may have a faster decoder.
        image = open_image(path) if len(methods) > 1 else path
        hashes = {
            method.name: method.hash(path if method.encoded else image).tobytes()
            for method in methods
        }
        return _row(path, state, "", hashes)
    except ImageError as error:
        return _row(path, state, _reason(error))
    except Exception as error:  # may be the machine's fault, so the next run tries again
        return _row(path, UNDONE, _reason(error))


def _row(
    path: str, state: bytes, error: str, hashes: Mapping[str, bytes] | None = None
) -> dict[str, object]:
    """Return a row as a dictionary by column; without ``hashes``, their columns are missing."""
    # Arrow strings are UTF-8, so other bytes in a name are escaped.
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return {"path": text, **(hashes or {}), "error": error, KEY: path_digest(path) + state}


def _reason(error: Exception) -> str:
    """Return the text of an exception for the column ``error``."""
    # str(error) of an OSError repeats the path, which has its own column.
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"{type(error).__name__}: {words}"


def _as_batch(rows: list[dict[str, object]], methods: Sequence[Method]) -> pa.RecordBatch:
    """Return rows as a batch with the columns of ``keyed_schema``; missing hashes are null."""
    return pa.RecordBatch.from_pylist(rows, _columns(methods).append(KEY_FIELD))


def _columns(methods: Iterable[Method]) -> pa.Schema:
    """Return the columns of a hash table, without metadata."""
    fields = [pa.field("path", pa.string(), nullable=False)]
    fields += [pa.field(method.name, pa.binary(method.bits // 8)) for method in methods]
    return pa.schema([*fields, pa.field("error", pa.string(), nullable=False)])
