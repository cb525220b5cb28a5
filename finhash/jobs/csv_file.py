"""Hash tables as CSV files: path, hashes in hexadecimal digits, error."""

import os

import pyarrow as pa
from pyarrow import csv

from finhash.jobs.columns import as_hex, conform
from finhash.jobs.files import whole_file


def write_csv(table: pa.Table, methods: list[str], path: str | os.PathLike[str]) -> None:
    """Write a hash table as CSV; the file appears complete or not at all.

    Parameters
    ----------
    table : pyarrow.Table
        Table with the columns of ``finhash.HashTable``.
    methods : list of str
        Its columns of hashes.
    path : str or path-like
        Name of the file; missing folders are created.
    """
    digits = {name: as_hex(table[name]) for name in methods}
    columns = pa.table({"path": table["path"], **digits, "error": table["error"]})
    with whole_file(path) as partial:
        csv.write_csv(columns, partial)


def read_csv(path: str | os.PathLike[str]) -> pa.Table:
    """Read a CSV file with the columns that ``write_csv`` writes.

    Parameters
    ----------
    path : str or path-like
        CSV file with a header.

    Returns
    -------
    pyarrow.Table
        Table with the columns of ``finhash.HashTable``.

    Raises
    ------
    ValueError
        If the file has no column ``path``, or a column named after a method holds no hashes.
    """
    parsing = csv.ParseOptions(newlines_in_values=True)
    with csv.open_csv(path, parse_options=parsing) as reader:
        names = reader.schema.names
    # Digits alone would otherwise become numbers.
    types = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
    try:
        return conform(csv.read_csv(path, parse_options=parsing, convert_options=types), guess=True)
    except ValueError as error:
        raise ValueError(f"{path} is not a finhash table: {error}") from error
