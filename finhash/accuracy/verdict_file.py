"""Files of verdicts: their words, their columns and how they are read.

The module needs neither pandas nor SciPy, so pages can be written and thresholds chosen without
them.
"""

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from finhash.accuracy.labels import open_csv

MEANINGS = {
    "same": "One photograph or drawing, at most cropped, scaled, mirrored, recoloured, framed "
    "or lettered.",
    "variant": "One photograph or drawing of which a part was edited, added or replaced.",
    "different": "Everything else, including two photographs of one subject.",
}
"""Definition of each verdict."""

VERDICTS = tuple(MEANINGS)
"""The verdicts: ``same``, ``variant`` and ``different``."""

COLUMNS = ("first", "second", "verdict")
"""Columns of a file of verdicts."""

DRAWN = "drawn"
"""Column that says which pairs were drawn at random; a file may lack it."""


class Verdict(NamedTuple):
    """Verdict on two families, or on two images.

    Attributes
    ----------
    first, second : str
        The two families or images. Each family is given by its name or number, or by the path of
        one of its images.
    verdict : str
        One of ``VERDICTS``.
    drawn : bool, optional
        Whether the pair was drawn at random by the page on which it was judged; None if the file
        does not say.
    """

    first: str
    second: str
    verdict: str
    drawn: bool | None = None


def read_rows(path: str | os.PathLike[str]) -> list[Verdict]:
    r"""Read a CSV file with the columns first, second and verdict.

    Parameters
    ----------
    path : str or path-like
        CSV file in UTF-8 with a header. A further column, drawn, says yes or no for each row. Other
        columns, blank lines, spaces around values and capitals in verdicts are ignored.

    Returns
    -------
    list of Verdict
        Verdicts in the order of the file.

    Raises
    ------
    ValueError
        If the file is not a CSV file in UTF-8, a column or a value is missing, or a verdict is
        unknown. The message gives the file, the line and the value.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from finhash.accuracy.verdict_file import read_rows
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = Path(folder.name, "verdicts.csv")
    >>> _ = file.write_text("first,second,verdict,drawn\na.jpg,b.jpg,Same,yes\n")
    >>> read_rows(file)
    [Verdict(first='a.jpg', second='b.jpg', verdict='same', drawn=True)]
    >>> folder.cleanup()
    """
    path = Path(path)
    with open_csv(path) as file:
        return list(_rows(path, file))


def _rows(path: Path, lines: Iterator[str]) -> Iterator[Verdict]:
    """Yield the verdict of each row that is not blank."""
    reader = csv.reader(lines, skipinitialspace=True)
    positions: list[int] = []
    width, drawn = 0, None
    for cells in reader:
        values = [cell.strip() for cell in cells]
        if not any(values):
            continue
        where = f"{path}, line {reader.line_num}"
        if not positions:
            positions, width = _positions(where, values), len(values)
            drawn = next((k for k, name in enumerate(values) if name.lower() == DRAWN), None)
            continue
        if any(values[width:]):
            raise ValueError(
                f"{where}: {len(values)} values in {width} columns; "
                "put a name that contains a comma between double quotes"
            )
        values += [""] * (width - len(values))
        row = first, second, verdict = tuple(values[position] for position in positions)
        if not (first and second):
            raise ValueError(
                f"{where}: {','.join(row)!r} lacks a family; "
                "write a family or the path of an image in first and in second"
            )
        if verdict.lower() not in VERDICTS:
            raise ValueError(
                f"{where}: unknown verdict {verdict!r}; use one of {', '.join(VERDICTS)}"
            )
        known = None if drawn is None else values[drawn].lower() == "yes"
        yield Verdict(first, second, verdict.lower(), known)
    if not positions:
        raise ValueError(f"{path} is empty; its first line must be {','.join(COLUMNS)}")


def _positions(where: str, header: list[str]) -> list[int]:
    """Return the position of each of ``COLUMNS`` in the header."""
    names = [name.lower() for name in header]
    missing = [column for column in COLUMNS if column not in names]
    if missing:
        raise ValueError(
            f"{where}: no column {', '.join(missing)} among {', '.join(header)}; "
            f"the first line must be {','.join(COLUMNS)}, separated by commas"
        )
    return [names.index(column) for column in COLUMNS]
