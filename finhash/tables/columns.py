"""Columns of hash tables that other programs wrote, brought to the types that finhash uses.

pandas, Polars and DuckDB read and write hash tables, but they change the types: hashes become
binary of variable length, or text in hexadecimal digits; text may become large or dictionary-coded;
empty errors may become null; an index may become a column.

Text can be hexadecimal digits without being hashes, such as a column of MD5 sums. It holds hashes
only if its column is named after a registered method, or if the caller says so.
"""

from collections.abc import Collection

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from finhash import methods as registry
from finhash.tables.schema import FACTS, KEY, METADATA_KEY, QUALITY

INDEX = "__index_level_"
"""Start of the names of columns in which pandas stores an index without a name."""


def conform(table: pa.Table, methods: Collection[str] = ()) -> pa.Table:
    """Return a table with the columns of a hash table, whichever program wrote it.

    Parameters
    ----------
    table : pyarrow.Table
        Column ``path``, columns of hashes, and the column ``error`` if there is one.
    methods : collection of str
        Names of columns that hold hashes in hexadecimal digits, apart from those that are named
        after registered methods.

    Returns
    -------
    pyarrow.Table
        The same rows with the columns that ``finhash.HashTable`` describes. Columns that hold
        neither hashes, paths nor errors are kept. The columns that pandas makes of its index, and
        the column ``key`` of parts, are left out. Times of modification that have become
        floating-point numbers are no longer exact to the nanosecond, and become null.

    Raises
    ------
    ValueError
        If there is no column ``path``, a path is null, paths or errors are not text, or the hashes
        of a registered method have another number of bits. If text in a column of hashes is not
        hexadecimal digits.

    Examples
    --------
    >>> table = conform(pa.table({"path": ["a.jpg"], "dhash64": ["0f" * 8]}))
    >>> table.column_names, str(table.schema.field("dhash64").type)
    (['path', 'dhash64', 'error'], 'fixed_size_binary[8]')
    """
    names = table.column_names
    if "path" not in names:
        raise ValueError(
            f"a hash table needs a column 'path', but the columns are {', '.join(names) or 'none'}"
        )
    extra = [name for name in names if name == KEY or name.startswith(INDEX)]
    found = table.drop_columns(extra) if extra else table
    for name in found.column_names:
        column = found[name]
        if name == "error" and column.null_count == len(column):
            # pandas reads an empty column of CSV as floating-point numbers.
            fitting = pa.chunked_array([pa.nulls(len(column), pa.string())])
        elif name in ("path", "error"):
            fitting = _as_text(column)
        elif name in _FACT_TYPES:
            fitting = _as_fact(column, name)
        elif _is_text(column.type) and (name in registry.METHODS or name in methods):
            fitting = _as_hashes(_from_hex(_as_text(column), name), name)
        else:
            fitting = _as_hashes(column, name)
        if fitting is not column:
            found = found.set_column(found.column_names.index(name), name, fitting)
    if found["path"].null_count:
        raise ValueError(
            f"{found['path'].null_count} of {len(found)} rows have no path: remove these rows"
        )
    if "error" not in found.column_names:
        found = found.append_column("error", pa.array([""] * len(found), pa.string()))
    elif found["error"].null_count:
        place = found.column_names.index("error")
        found = found.set_column(place, "error", found["error"].fill_null(""))
    metadata = table.schema.metadata or {}
    # pandas refuses a file whose metadata names an index that is no longer a column.
    return found.replace_schema_metadata(
        {METADATA_KEY: metadata[METADATA_KEY]} if METADATA_KEY in metadata else None
    )


def as_hex(column: pa.ChunkedArray) -> pa.Array:
    r"""Return hashes as text in hexadecimal digits; null stays null.

    Parameters
    ----------
    column : pyarrow.ChunkedArray of fixed-size binary
        Hashes.

    Returns
    -------
    pyarrow.Array of string
        Two digits per byte.

    Examples
    --------
    >>> as_hex(pa.chunked_array([[b"\x0f\xa0", None]], pa.binary(2))).to_pylist()
    ['0fa0', None]
    """
    width = column.type.byte_width
    is_null = column.is_null().to_numpy()
    data = b"".join(column.fill_null(bytes(width)).to_pylist()).hex().encode()
    digits = pa.Array.from_buffers(pa.binary(2 * width), len(column), [None, pa.py_buffer(data)])
    text = digits.cast(pa.binary()).cast(pa.string())
    return pc.call_function("if_else", [pa.array(is_null), pa.scalar(None, pa.string()), text])


def fixed_width(column: pa.ChunkedArray) -> NDArray[np.uint8]:
    """Return a fixed-width binary column without nulls as ``uint8``, shape ``(n, width)``."""
    values, width = column.combine_chunks(), column.type.byte_width
    start = values.offset * width
    data = np.frombuffer(values.buffers()[1], np.uint8)[start : start + len(values) * width]
    return data.reshape(len(values), width)


def packed(hashes: NDArray[np.uint8]) -> pa.Array:
    """Return ``uint8``, shape ``(n, width)``, as a fixed-width binary column."""
    data = pa.py_buffer(np.ascontiguousarray(hashes))
    return pa.Array.from_buffers(pa.binary(hashes.shape[1]), len(hashes), [None, data])


_FACT_TYPES = {field.name: field.type for field in (*FACTS, QUALITY)}


def _as_fact(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Return a column of facts in its type; return a column of other values as it is."""
    kind = _FACT_TYPES[name]
    if column.type == kind:
        return column
    if name == "modified" and pa.types.is_floating(column.type):
        return pa.chunked_array([pa.nulls(len(column), kind)])
    values = column
    if _is_text(column.type):
        values = _as_text(column)
        # CSV holds nothing in place of null.
        is_empty = pc.call_function("equal", [values, ""])
        values = pc.call_function("if_else", [is_empty, pa.scalar(None, pa.string()), values])
    try:
        return values.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return column


def _is_text(kind: pa.DataType) -> bool:
    """Return whether a type is text, in one of Arrow's layouts."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return kind in (pa.string(), pa.large_string(), pa.string_view())


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column as ``string``; raise ``ValueError`` if it holds something else."""
    if column.type == pa.string():
        return column
    if not (_is_text(column.type) or pa.types.is_null(column.type)):
        raise ValueError(f"the columns 'path' and 'error' must hold text, not {column.type}")
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column.cast(pa.string())


def _from_hex(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Return hexadecimal digits as binary; null and empty text become null."""
    try:
        values = [bytes.fromhex(text) if text else None for text in column.to_pylist()]
    except ValueError as error:
        raise ValueError(f"the column {name!r} is not in hexadecimal digits: {error}") from error
    return pa.chunked_array([pa.array(values, pa.binary())])


def _as_hashes(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Return binary values as hashes of fixed width; return any other column as it is."""
    if column.type not in (pa.binary(), pa.large_binary(), pa.binary_view()):
        return column
    column = column.cast(pa.large_binary())
    lengths = pc.call_function("binary_length", [column]).unique().drop_null().to_pylist()
    if name in registry.METHODS:
        expected = registry.METHODS[name].bits // 8
        if set(lengths) - {expected}:
            raise ValueError(
                f"the column {name!r} has hashes of {', '.join(map(str, sorted(lengths)))} bytes, "
                f"but the method has {expected}: correct the hashes or rename the column"
            )
        return column.cast(pa.binary()).cast(pa.binary(expected))
    if len(lengths) != 1 or lengths[0] == 0 or lengths[0] % 8:
        return column
    return column.cast(pa.binary()).cast(pa.binary(lengths[0]))
