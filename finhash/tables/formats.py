"""Formats of files that hold a table, told by the names of the files."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

Format = Literal["parquet", "csv", "json"]
"""Formats: Parquet, CSV with a header, and one JSON object per line."""

FORMATS: dict[str, Format] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
}
"""Formats by the ending of a name, in lower case."""


def format_of(path: str | os.PathLike[str], formats: Sequence[Format] = get_args(Format)) -> Format:
    """Return the format in which to write a file.

    Parameters
    ----------
    path : str or path-like
        Name of the file. If it has no ending and is a symbolic link, the name of the file to which
        it leads counts.
    formats : sequence of str, optional
        Formats from which to choose; by default all.

    Returns
    -------
    str
        The format; Parquet if the name has no ending.

    Raises
    ------
    ValueError
        If the ending is that of no format in ``formats``.

    Examples
    --------
    >>> from finhash.tables.formats import format_of
    >>> format_of("hashes.CSV"), format_of("hashes")
    ('csv', 'parquet')
    >>> format_of("hashes.xlsx")
    Traceback (most recent call last):
    ValueError: hashes.xlsx ends in '.xlsx': use a name that ends in .parquet, .csv or .json
    """
    suffix = Path(path).suffix or Path(path).resolve().suffix
    found = FORMATS.get(suffix.lower()) if suffix else "parquet"
    if found is None or found not in formats:
        *others, last = [f".{name}" for name in formats]
        raise ValueError(
            f"{os.fspath(path)} ends in {suffix!r}: use a name that ends in "
            f"{', '.join(others)} or {last}"
        )
    return found
