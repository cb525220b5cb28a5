"""Columns of hash tables, and the provenance in their metadata."""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from finhash import methods as registry
from finhash.methods import Method
from finhash.preparation import AS_STORED, Preparation
from finhash.tables.provenance import versions

METADATA_KEY = b"finhash"
"""Key of the Parquet metadata under which a table's provenance is stored, as JSON."""

KEY = "key"
"""Column that only parts have, 16 bytes: digest of the path, then digest of the file's state."""

KEY_FIELD = pa.field(KEY, pa.binary(16), nullable=False)
"""Type of the column ``key``."""

FACTS = (
    pa.field("width", pa.int32()),
    pa.field("height", pa.int32()),
    pa.field("bytes", pa.int64()),
    pa.field("format", pa.string()),
    pa.field("modified", pa.int64()),
    pa.field("orientation", pa.int8()),
)
"""Columns of facts about each image; tables of other sources may lack them."""

QUALITY = pa.field("quality", pa.int8())
"""Column of the quality of each image, which follows the facts in tables that have it."""

UNDONE = bytes(8)
"""State digest of a row that the next run makes again, such as the row of a missing file."""

NAMED = bytes([255] * 4)
"""First half of the state digest of a row whose id is not the path of its source.

The id may look like a path, but no file of that name ever belonged to the row. About one state
digest of a file in 2**32 begins so by chance.
"""

NAMED_UNDONE = NAMED + UNDONE[:4]
"""State digest of such a row that the next run makes again."""

GIVEN = NAMED + bytes([255] * 4)
"""State digest of a source that is not a path: a finished row with the same id is up to date."""


def schema(
    methods: Iterable[str],
    *,
    facts: bool = True,
    quality: bool = False,
    preparation: Preparation = AS_STORED,
) -> pa.Schema:
    """Return the schema of a hash table, with the provenance of new rows in its metadata.

    Parameters
    ----------
    methods : iterable of str
        Names of hashes, as in ``finhash.methods.METHODS``.
    facts : bool, default True
        Whether there are the columns of facts that follow ``error``.
    quality : bool, default False
        Whether there is the column ``quality``.
    preparation : Preparation, optional
        What was done to the images. By default nothing, as in tables without such an entry.

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
        width, height : int32
            Size in pixels, before EXIF orientation; null if unknown.
        bytes : int64
            Size of the file; null if unknown.
        format : string
            Pillow's name of the file's format, such as ``"JPEG"``; null if unknown.
        modified : int64
            Modification time of the file, in nanoseconds since 1970; null if the source is no file.
        orientation : int8
            EXIF orientation, 1 to 8; null if the image has none or it is unknown.
        quality : int8
            Quality, 0 to 100, as ``finhash.quality.quality`` returns it; null without a hash.

    Examples
    --------
    >>> schema(["find", "dhash64"]).names[:5]
    ['path', 'find', 'dhash64', 'error', 'width']
    """
    provenance: dict[str, object] = {"versions": versions()}
    if preparation != AS_STORED:
        provenance["preparation"] = asdict(preparation)
    columns = fields(map(registry.get, methods), facts=facts, quality=quality)
    return columns.with_metadata({METADATA_KEY: json.dumps(provenance)})


def keyed_schema(
    methods: Iterable[str], *, quality: bool = False, preparation: Preparation = AS_STORED
) -> pa.Schema:
    """Return the schema of a part: that of a hash table, and the column ``key``."""
    return schema(methods, quality=quality, preparation=preparation).append(KEY_FIELD)


def fields(methods: Iterable[Method], *, facts: bool = True, quality: bool = False) -> pa.Schema:
    """Return the columns of a hash table, without metadata."""
    found = [pa.field("path", pa.string(), nullable=False)]
    found += [pa.field(method.name, pa.binary(method.bits // 8)) for method in methods]
    found.append(pa.field("error", pa.string(), nullable=False))
    found += FACTS if facts else ()
    found += [QUALITY] if quality else ()
    return pa.schema(found)


def path_digest(name: str | os.PathLike[str]) -> bytes:
    """Return eight bytes that identify a path or id, even if it is not valid UTF-8."""
    return hashlib.blake2b(os.fsencode(name), digest_size=8).digest()


def is_undone(states: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return which state digests are those of rows that the next run makes again."""
    return np.isin(states, np.frombuffer(UNDONE + NAMED_UNDONE, np.uint64))


def is_named(states: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return which state digests are those of rows whose id is not the path of their source."""
    halves = np.ascontiguousarray(states).view(np.uint32).reshape(-1, 2)
    named: NDArray[np.bool_] = halves[:, 0] == np.frombuffer(NAMED, np.uint32)
    return named


def hash_columns(schema: pa.Schema) -> list[str]:
    """Return the names of the columns of hashes, even of methods that are not registered here."""
    return [
        field.name
        for field in schema
        if pa.types.is_fixed_size_binary(field.type) and field.name != KEY
    ]


def fact_columns(schema: pa.Schema) -> list[str]:
    """Return the names of the columns of facts about images, such as ``width``, and ``quality``."""
    types = dict(zip(schema.names, schema.types, strict=True))
    return [field.name for field in (*FACTS, QUALITY) if types.get(field.name) == field.type]


def provenance_of(schema: pa.Schema) -> dict[str, Any]:
    """Return the provenance in a table's schema; empty if another program wrote the table.

    Raise ``ValueError`` if it is not what finhash writes.
    """
    try:
        facts: dict[str, Any] = json.loads((schema.metadata or {}).get(METADATA_KEY, "{}"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the entry 'finhash' of its metadata is not JSON ({error})") from error
    versions = facts.get("versions") or {} if isinstance(facts, dict) else None
    if not isinstance(versions, dict) or not all(isinstance(v, str) for v in versions.values()):
        raise ValueError(f"the entry 'finhash' of its metadata is not of finhash: {facts!r:.60}")
    return facts


def preparation_of(schema: pa.Schema) -> Preparation:
    """Return the preparation of the images of a table; none if its metadata has no entry."""
    given = provenance_of(schema).get("preparation", {})
    try:
        return Preparation(**given)
    except TypeError as error:
        raise ValueError(f"its metadata has an unknown preparation: {given!r:.80}") from error
