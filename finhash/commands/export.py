"""The command ``finhash export``."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from finhash.commands.shared import read_table, table_argument, usage_errors
from finhash.files import counted
from finhash.tables.formats import Format, format_of

if TYPE_CHECKING:
    from finhash import HashTable

BATCH = 10_000
"""Rows that are turned into JSON at a time."""


@click.command(epilog="Example: finhash export hashes -o hashes.csv")
@table_argument
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, allow_dash=True),
    help="File to write; - is stdout.  [default: stdout]",
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["parquet", "csv", "json"]),
    help="Parquet, CSV with a header, or one JSON object per line.  [default: by the ending of the "
    "file's name, parquet if it has none; csv for stdout and pipes]",
)
@click.option(
    "--method",
    "names",
    multiple=True,
    metavar="METHOD",
    help="Column of TABLE with hashes; repeat the option for several. Only the paths, these hashes "
    "and the errors are written.  [default: all columns]",
)
@click.option(
    "--escape-formulas",
    is_flag=True,
    help="In CSV, put an apostrophe before paths and other text that spreadsheets could run as "
    "formulas: text that begins with =, +, -, @, a tab or a line break.",
)
@click.option("--quiet", is_flag=True, help="Hide the number of rows.")
def export(
    table: Path,
    out: Path | None,
    output_format: Format | None,
    names: tuple[str, ...],
    escape_formulas: bool,
    quiet: bool,
) -> None:
    """Write the rows of TABLE as one Parquet, CSV or JSON file.

    TABLE is a folder written by 'finhash hash', or a file from HashTable.write. Every row is
    written, with the columns path, one per method, error (the reason why the file has no hash, or
    nothing), and, if TABLE has them, width, height, bytes, format, modified (nanoseconds since
    1970), orientation (by EXIF) and quality. In CSV and JSON, hashes are hexadecimal digits. In
    Parquet they are bytes, and the file can be read as a TABLE by other commands.

    Exit status: 0 if done; 2 if the usage is wrong or the output cannot be written.
    """
    to_stdout = out is None or str(out) == "-"
    if output_format is None:
        output_format = "csv" if out is None or _is_stream(out) else _format_of(out)
    if escape_formulas and output_format != "csv":
        raise click.UsageError(
            f"--escape-formulas is for CSV, and the format is {output_format}; leave it out, or "
            "pass --format csv"
        )
    if to_stdout and output_format == "parquet" and sys.stdout.isatty():
        raise click.UsageError("Parquet would be printed to the terminal; pass -o FILE")
    from finhash.files import output
    from finhash.tables import csv_file, parquet

    rows = read_table(table, *names)
    with usage_errors(), output(out) as file:
        if output_format == "parquet":
            parquet.write_rows(rows.arrow, file.buffer)
        elif output_format == "csv":
            csv_file.write_csv(
                rows.arrow, rows.methods, file.buffer, escape_formulas=escape_formulas
            )
        else:
            file.writelines(_json_lines(rows))
    if not quiet:
        failed = len(rows) - len(rows.without_errors())
        missing = f", {failed:,} of them without a hash" if failed else ""
        click.echo(f"{counted(len(rows), 'row')} exported{missing}", err=True)


def _is_stream(out: Path) -> bool:
    """Return whether the output is stdout, a pipe or a device."""
    return str(out) == "-" or (out.exists() and not (out.is_file() or out.is_dir()))


def _format_of(out: Path) -> Format:
    """Return the format of a file by its name; raise ``UsageError`` if the ending is unknown."""
    try:
        return format_of(out)
    except ValueError as error:
        raise click.UsageError(f"{error}, or pass --format") from error


def _json_lines(rows: "HashTable") -> Iterator[str]:
    """Yield one JSON object per row, with hashes in hexadecimal digits."""
    for batch in rows.arrow.to_batches(BATCH):
        for row in batch.to_pylist():
            yield json.dumps(row, default=_as_json) + "\n"


def _as_json(value: object) -> str:
    """Return a value for which JSON has no type: bytes as hexadecimal digits, others as text."""
    return value.hex() if isinstance(value, bytes) else str(value)
