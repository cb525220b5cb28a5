"""A file's row: its hashes, or the reason why it has none, and a key that says what it was made of.

This is all that a worker needs, so it imports no more than that.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Sequence

import pyarrow as pa

from finhash import methods as registry
from finhash.images import ImageError, open_image
from finhash.jobs.provenance import difference, versions

METADATA_KEY = b"finhash"

KEY = "key"
"""A column of parts only, 16 bytes: the path's digest, and that of the file's state."""

UNDONE = bytes(8)
"""The state of a row that is to be made again, such as that of a file that was not there."""


def schema(methods: Iterable[str]) -> pa.Schema:
    """The columns of a table of these methods, with the versions that make it."""
    fields = [pa.field("path", pa.string(), nullable=False)]
    fields += [pa.field(name, pa.binary(registry.get(name).bits // 8)) for name in methods]
    fields += [pa.field("error", pa.string(), nullable=False)]
    return pa.schema(fields, {METADATA_KEY: json.dumps({"versions": versions()})})


def keyed_schema(methods: Iterable[str]) -> pa.Schema:
    """The columns of a part."""
    return schema(methods).append(pa.field(KEY, pa.binary(16), nullable=False))


def hash_batch(
    paths: Sequence[str], methods: Sequence[str], expected: dict[str, str]
) -> tuple[pa.RecordBatch, float]:
    """A row for each path, with its key, and the seconds that it took.

    Raises ``RuntimeError`` if this worker's versions are not the ``expected`` ones.
    """
    if differ := difference(expected, versions()):
        raise RuntimeError(f"a worker has {differ}")
    start = time.perf_counter()
    rows = [_hash_file(path, methods) for path in paths]
    return _as_batch(rows, methods), time.perf_counter() - start


def given_up(path: str, methods: Sequence[str], reason: str) -> pa.RecordBatch:
    """The row of a file that no worker lives to hash."""
    return _as_batch([_row(path, UNDONE, reason)], methods)


def path_digest(path: str | os.PathLike) -> bytes:
    """Eight bytes that tell paths apart; names need be no text."""
    return hashlib.blake2b(os.fsencode(path), digest_size=8).digest()


def state_digest(path: str) -> bytes:
    """Eight bytes that change when the file's size or time of change does; ``UNDONE`` if absent."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # the latter for a name that no file can have
        return UNDONE
    state = f"{status.st_size} {status.st_mtime_ns}".encode()
    return hashlib.blake2b(state, digest_size=8).digest()


def _hash_file(path: str, methods: Sequence[str]) -> dict:
    state = state_digest(path)  # before reading: a file that changes meanwhile is not yet done
    try:
        # Several methods share one decoding; one alone may know a faster way to its pixels.
        image = open_image(path) if len(methods) > 1 else path
        hashes = {name: registry.get(name).hash(image).tobytes() for name in methods}
        return _row(path, state, "", hashes)
    except ImageError as error:
        return _row(path, state, _reason(error))
    except Exception as error:  # may be the machine's fault, not the file's: to be tried again
        return _row(path, UNDONE, _reason(error))


def _row(path: str, state: bytes, error: str, hashes: dict | None = None) -> dict:
    # Bytes of a name that are no UTF-8 are escaped: Arrow's strings, and people, cannot hold them.
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return {"path": text, **(hashes or {}), "error": error, KEY: path_digest(path) + state}


def _reason(error: Exception) -> str:
    # An OSError's words repeat the path, which the row has already.
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"{type(error).__name__}: {words}"


def _as_batch(rows: list[dict], methods: Sequence[str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(rows, keyed_schema(methods).remove_metadata())
