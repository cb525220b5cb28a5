"""Short descriptions of hash tables, for terminals and notebooks."""

from html import escape

import pyarrow as pa
import pyarrow.compute as pc

from finhash.files import printable
from finhash.tables.columns import as_hex

ROWS = 5
"""Rows shown at most."""

DIGITS = 12
"""Hexadecimal digits shown of each hash."""

WIDTH = 40
"""Characters shown of each path and error."""

FACTS = ("width", "height", "bytes", "format", "quality")
"""Columns shown after the error, if the table has them."""


def as_text(table: pa.Table, methods: list[str]) -> str:
    """Return a table's numbers of rows, its methods and its first rows as plain text.

    Parameters
    ----------
    table : pyarrow.Table
        Table with the columns of ``finhash.HashTable``.
    methods : list of str
        Its columns of hashes.

    Returns
    -------
    str
        One line of facts, then one line per row shown.

    Examples
    --------
    >>> columns = {"path": ["a.jpg"], "dhash64": pa.array([bytes(8)], pa.binary(8)), "error": [""]}
    >>> print(as_text(pa.table(columns), ["dhash64"]))
    HashTable: 1 row, all hashed; methods: dhash64
    path   dhash64        error
    a.jpg  000000000000…
    """
    lines = _cells(table, methods)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([_facts(table, methods), *rows, *_more(table)])


def as_html(table: pa.Table, methods: list[str]) -> str:
    """Return what ``as_text`` returns as an HTML table, for notebooks.

    Parameters
    ----------
    table : pyarrow.Table
        Table with the columns of ``finhash.HashTable``.
    methods : list of str
        Its columns of hashes.

    Returns
    -------
    str
        A paragraph of facts and a table of the rows shown.

    Examples
    --------
    >>> columns = {"path": ["<a>"], "dhash64": pa.array([bytes(8)], pa.binary(8)), "error": [""]}
    >>> "<td>&lt;a&gt;</td>" in as_html(pa.table(columns), ["dhash64"])
    True
    """
    header, *rows = _cells(table, methods)
    lines = ["".join(f"<th>{escape(cell)}</th>" for cell in header)]
    lines += ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    more = "".join(f"<p>{line}</p>" for line in _more(table))
    return f"<p>{escape(_facts(table, methods))}</p><table>{body}</table>{more}"


def _facts(table: pa.Table, methods: list[str]) -> str:
    """Return the numbers of rows, of failures and of rows that lack a hash, and the methods."""
    rows = len(table)
    done = pc.call_function("equal", [table["error"], ""])
    failed = rows - done.to_pylist().count(True)
    found = table.filter(done).select(methods)
    lacking = len(found) - len(found.drop_null()) if methods else 0
    parts = [f"{failed} failed"] if failed else []
    parts += [f"{lacking} without a hash of each method"] if lacking else []
    hashed = ", ".join(parts) or "all hashed"
    plural = "row" if rows == 1 else "rows"
    names = printable(", ".join(methods)) or "none"
    return f"HashTable: {rows} {plural}, {hashed}; methods: {names}"


def _cells(table: pa.Table, methods: list[str]) -> list[list[str]]:
    """Return the header and the first rows as short text."""
    first = table.slice(0, ROWS)
    columns = [["path", *(_last(path) for path in first["path"].to_pylist())]]
    for name in methods:
        digits = as_hex(first[name]).to_pylist()
        columns.append([name, *("" if d is None else f"{d[:DIGITS]}…" for d in digits)])
    columns.append(["error", *(_start(error) for error in first["error"].to_pylist())])
    for name in FACTS:
        if name in first.column_names:
            columns.append([name, *("" if v is None else str(v) for v in first[name].to_pylist())])
    return [list(map(printable, row)) for row in zip(*columns, strict=True)]


def _more(table: pa.Table) -> list[str]:
    """Return a line about the rows that are not shown, if there are any."""
    return [f"… and {len(table) - ROWS} more"] if len(table) > ROWS else []


def _start(text: str) -> str:
    """Return the start of a text."""
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"


def _last(text: str) -> str:
    """Return the end of a text, which tells paths of one folder apart."""
    return text if len(text) <= WIDTH else f"…{text[1 - WIDTH :]}"
