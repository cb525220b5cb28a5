"""Hash tables as CSV files, with the hashes in hexadecimal digits."""

import os
from collections.abc import Collection
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from finhash.tables.columns import as_hex, conform

FORMULA = r"^[=+\-@\t\r\n]"
"""Pattern of text that a spreadsheet may run as a formula."""


def write_csv(
    table: pa.Table,
    methods: list[str],
    file: str | os.PathLike[str] | BinaryIO,
    *,
    escape_formulas: bool = False,
) -> None:
    r"""Write a hash table as CSV, with the hashes in hexadecimal digits.

    Parameters
    ----------
    table : pyarrow.Table
        Table with the columns of ``finhash.HashTable``.
    methods : list of str
        Its columns of hashes.
    file : str, path-like or binary file
        Where to write.
    escape_formulas : bool, default False
        Whether to put an apostrophe before text that begins with ``=``, ``+``, ``-``, ``@``, a tab
        or a line break, such as a path. Spreadsheets could run it as a formula. ``read_csv`` does
        not remove the apostrophe.

    Raises
    ------
    ValueError
        If a column holds values that CSV cannot, such as lists.

    Examples
    --------
    >>> import io
    >>> table = pa.table({"path": ["=1+1.jpg"], "dhash64": pa.array([b"\0" * 8], pa.binary(8))})
    >>> file = io.BytesIO()
    >>> write_csv(table, ["dhash64"], file, escape_formulas=True)
    >>> print(file.getvalue().decode())
    "path","dhash64"
    "'=1+1.jpg","0000000000000000"
    """
    columns = {
        name: as_hex(table[name]) if name in methods else table[name] for name in table.column_names
    }
    if escape_formulas:
        columns |= {
            name: _escaped(column)
            for name, column in columns.items()
            if column.type == pa.string() and name not in methods
        }
    try:
        csv.write_csv(pa.table(columns), file)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ValueError(
            f"a column cannot be written as CSV ({error}): select methods to leave out other "
            "columns, or write Parquet"
        ) from error


def read_csv(path: str | os.PathLike[str], methods: Collection[str] = ()) -> pa.Table:
    """Read a CSV file with the columns that ``write_csv`` writes.

    Parameters
    ----------
    path : str or path-like
        CSV file with a header.
    methods : collection of str
        Names of columns of hashes, apart from those that are named after registered methods.

    Returns
    -------
    pyarrow.Table
        Table with the columns of ``finhash.HashTable``.

    Raises
    ------
    ValueError
        If the file is empty or has no column ``path``, or a column of hashes holds other text.
    """
    parsing = csv.ParseOptions(newlines_in_values=True)
    try:
        with csv.open_csv(path, parse_options=parsing) as reader:
            names = reader.schema.names
        # Digits alone would otherwise become numbers.
        types = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
        return conform(csv.read_csv(path, parse_options=parsing, convert_options=types), methods)
    except ValueError as error:
        raise ValueError(f"{path} is not a finhash table: {error}") from error


def _escaped(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return text with an apostrophe before values that could be formulas."""
    is_formula = pc.call_function(
        "match_substring_regex", [column], pc.MatchSubstringOptions(FORMULA)
    )
    escaped = pc.call_function("binary_join_element_wise", ["'", column, ""])
    return pc.call_function("if_else", [is_formula, escaped, column])
