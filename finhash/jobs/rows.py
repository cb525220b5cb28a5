"""Rows of a hash table: one per image, with its hashes or the reason why it has none.

A spawned worker runs the calling script's imports, then imports ``finhash.jobs.executors`` and this
module. Neither imports anything that only the calling process needs, so workers start quickly.
"""

import hashlib
import os
import stat
import time
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from PIL import Image

from finhash.files import text
from finhash.images import (
    Header,
    ImageError,
    ImageTooLargeError,
    collected_headers,
    pixel_limit,
)
from finhash.jobs.items import DEFAULTS, Item, Options, Unreadable, hashes_of, is_path, reason
from finhash.methods import Method
from finhash.tables.provenance import difference, versions
from finhash.tables.schema import (
    GIVEN,
    KEY,
    KEY_FIELD,
    NAMED,
    QUALITY,
    UNDONE,
    fields,
    path_digest,
)


def hash_batch(
    items: Sequence[Item],
    methods: Sequence[Method],
    expected: dict[str, str],
    options: Options = DEFAULTS,
) -> tuple[pa.RecordBatch, float]:
    """Hash some images in a worker.

    Parameters
    ----------
    items : sequence of Item
        Images to hash.
    methods : sequence of finhash.methods.Method
        Hashes. Names would not suffice: a new process lacks the hashes that the calling process has
        registered.
    expected : dict of str to str
        Versions of the process that runs the job.
    options : Options, optional
        Preparation, quality and limit on pixels.

    Returns
    -------
    rows : pyarrow.RecordBatch
        One row per item, with the columns of ``keyed_schema``. Columns that an item leaves out are
        null.
    seconds : float
        Wall time, in seconds.

    Raises
    ------
    RuntimeError
        If this worker's versions can give other bits than the expected ones, or a method's package
        is not installed here.
    """
    if differ := difference(expected, versions(), [method.name for method in methods]):
        raise RuntimeError(f"a worker has {differ}: install the same versions on all machines")
    for method in methods:
        if missing := method.missing_package():
            raise RuntimeError(f"on a worker, {missing}")
    start = time.perf_counter()
    rows = [_hash_item(item, methods, options) for item in items]
    return _as_batch(rows, methods, options), time.perf_counter() - start


def error_row(
    item: Item, methods: Sequence[Method], error: str, options: Options = DEFAULTS
) -> pa.RecordBatch:
    """Return one row without hashes, for an image that crashed every worker that tried it."""
    name, source, _ = item
    return _as_batch([_row(name, _as_named(UNDONE, name, source), error)], methods, options)


def state_digest(name: str, source: object) -> bytes:
    """Return eight bytes that change when the source of a row changes.

    They are made of a file's size and modification time. They are ``UNDONE`` if the file is
    missing. They begin with ``NAMED`` if ``name`` is not the path of the file, and are ``GIVEN``
    for any source that is not a path.
    """
    if not is_path(source):
        return GIVEN
    return _as_named(_state_digest(_status(source)), name, source)


def _hash_item(item: Item, methods: Sequence[Method], options: Options) -> dict[str, object]:
    """Return an item's row, with its hashes or with the exception that prevented them."""
    name, source, only = item
    undone = _as_named(UNDONE, name, source)
    if isinstance(source, Unreadable):
        return _row(name, undone, source.reason)
    # Taken before reading: if the file changes meanwhile, the next run hashes it again.
    status = _status(source) if is_path(source) else None
    state = _as_named(_state_digest(status), name, source) if is_path(source) else GIVEN
    quality = options.quality
    if only is not None:
        methods = [method for method in methods if method.name in only]
        quality = QUALITY.name in only
    columns: dict[str, object] = {}
    error = ""
    with collected_headers() as headers, pixel_limit(options.max_pixels):
        try:
            hashes, found = hashes_of(source, methods, options.preparation, quality=quality)
            for method, bits in zip(methods, hashes, strict=True):
                columns[method.name] = bits.tobytes()
            columns[QUALITY.name] = found
        except ImageTooLargeError as problem:  # the next run may have a higher limit
            error, state = reason(problem), undone
        except ImageError as problem:
            error = reason(problem)
            # The same id may come with a complete download next time, so only files are done.
            state = state if is_path(source) else undone
        except Exception as problem:  # may be the machine's fault, so the next run tries again
            error, state = reason(problem), undone
    columns |= _facts(source, status, headers[0] if headers else None)
    return _row(name, state, error, columns)


def _status(path: str | os.PathLike[str]) -> os.stat_result | None:
    """Return the status of a file, or None if it is missing."""
    try:
        return os.stat(path)
    except (OSError, ValueError):  # ValueError: a name that no file can have, such as "\0"
        return None


def _state_digest(status: os.stat_result | None) -> bytes:
    """Return the state digest of a file with this status."""
    if status is None:
        return UNDONE
    state = f"{status.st_size} {status.st_mtime_ns}".encode()
    return hashlib.blake2b(state, digest_size=8).digest()


def _as_named(state: bytes, name: str, source: object) -> bytes:
    """Return the state digest of a file, marked unless the file's path is ``name``."""
    is_file = is_path(source) and os.fsdecode(source) == name
    return state if is_file else NAMED + state[:4]


def _facts(
    source: object, status: os.stat_result | None, header: Header | None
) -> dict[str, object]:
    """Return the values of the columns ``FACTS`` that are known."""
    facts: dict[str, object] = {}
    if status is not None and stat.S_ISREG(status.st_mode):
        facts = {"bytes": status.st_size, "modified": status.st_mtime_ns}
    elif isinstance(source, bytes):
        facts = {"bytes": len(source)}
    if header is not None:
        facts |= header._asdict()
    elif isinstance(source, Image.Image):
        facts |= {"width": source.width, "height": source.height}
    elif isinstance(source, np.ndarray) and source.ndim == 3:
        facts |= {"width": source.shape[1], "height": source.shape[0]}
    return facts


def _row(
    name: str, state: bytes, error: str, columns: Mapping[str, object] | None = None
) -> dict[str, object]:
    """Return a row as a dictionary by column; the values of missing ``columns`` are null."""
    key = path_digest(name) + state
    return {"path": text(name), **(columns or {}), "error": error, KEY: key}


def _as_batch(
    rows: list[dict[str, object]], methods: Sequence[Method], options: Options
) -> pa.RecordBatch:
    """Return rows as a batch with the columns of ``keyed_schema``; missing hashes are null."""
    columns = fields(methods, quality=options.quality)
    return pa.RecordBatch.from_pylist(rows, columns.append(KEY_FIELD))
