"""The command ``finhash export``."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from finhash.commands.shared import counted, table_argument, usage_errors

if TYPE_CHECKING:
    from finhash import HashTable

Format = Literal["parquet", "csv", "json"]
"""Values of ``--format``."""

FORMATS: dict[str, Format] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
}
"""Formats by the extension of a file."""

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
    help="Parquet, CSV with a header, or one JSON object per line.  [default: by the extension of "
    "the file, else csv]",
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
        output_format = FORMATS.get(out.suffix.lower(), "csv") if out else "csv"
    if escape_formulas and output_format != "csv":
        raise click.UsageError(
            f"--escape-formulas is for CSV, and the format is {output_format}; leave it out, or "
            "pass --format csv"
        )
    if to_stdout and output_format == "parquet" and sys.stdout.isatty():
        raise click.UsageError("Parquet would be printed to the terminal; pass -o FILE")
    from finhash.files import output
    from finhash.tables import csv_file, parquet
    from finhash.tables.hash_table import HashTable

    with usage_errors():
        rows = HashTable.read(table)
    if unknown := [name for name in names if name not in rows.methods]:
        raise click.UsageError(
            f"{table} has no hashes of {unknown[0]!r}; it has: {', '.join(rows.methods)}. Pass one "
            "of these as --method"
        )
    if names:
        rows = rows.select(dict.fromkeys(names))
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


def _json_lines(rows: "HashTable") -> Iterator[str]:
    """Yield one JSON object per row, with hashes in hexadecimal digits."""
    for batch in rows.arrow.to_batches(BATCH):
        for row in batch.to_pylist():
            yield json.dumps(row, default=_as_json) + "\n"


def _as_json(value: object) -> str:
    """Return a value for which JSON has no type: bytes as hexadecimal digits, others as text."""
    return value.hex() if isinstance(value, bytes) else str(value)
