"""The command ``finhash cluster``."""

import csv
import json
import shlex
import time
from pathlib import Path
from typing import Literal, NamedTuple, TextIO

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from finhash.commands.queries import read_rows
from finhash.commands.shared import (
    CLUSTERINGS,
    check_orientations,
    column_option,
    format_option,
    note_missing,
    of_quality,
    orientations_option,
    qualities,
    quality_option,
    radius_option,
    table_argument,
    threshold_for,
    usage_errors,
    workers_option,
    write_csv,
)
from finhash.files import counted, printable
from finhash.jobs.folders import absolute
from finhash.orientations import Which, of_hashes
from finhash.preparation import Preparation
from finhash.quality import LOWEST

HEADER = ("path", "family", "size")
"""Columns of the list of families."""

SHEET_ROWS = 12
"""Number of families on a contact sheet."""


def _check_sheet(
    context: click.Context, parameter: click.Parameter, sheet: Path | None
) -> Path | None:
    """Return the path of the contact sheet; refuse it if Pillow cannot write its format."""
    if sheet is not None:
        image_format = Image.registered_extensions().get(sheet.suffix.lower())
        if image_format not in Image.SAVE:
            raise click.BadParameter(
                f"cannot write an image with the extension {sheet.suffix!r}; use .png or .jpg"
            )
    return sheet


@click.command(
    "cluster",
    short_help="Group the images of a table into families of near-duplicates.",
    epilog="Examples: finhash cluster hashes -o families.csv; finhash cluster hashes --html "
    "review.html",
)
@table_argument
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    help="File for the families; - is stdout.  [default: stdout; with --html or --sheet, none]",
)
@format_option("CSV with one row per image, or one JSON object per family and line.")
@radius_option("cluster")
@click.option(
    "--by",
    "algorithm",
    default="components",
    type=click.Choice(CLUSTERINGS),
    show_default=True,
    help="Connected components, or spheres: every image within RADIUS of its family's centre.",
)
@click.option(
    "--min-size",
    default=2,
    show_default=True,
    type=click.IntRange(1),
    metavar="N",
    help="List families of at least N images. 1 also lists images without near-duplicates.",
)
@orientations_option
@click.option(
    "--previous",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="CSV file that this command has written before: families keep the numbers of those with "
    "which they share most images, and others get new numbers. It may be the file of --out.",
)
@column_option
@quality_option
@workers_option("Number of threads.")
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="HTML file to look through the families and to judge doubtful pairs in a browser.",
)
@click.option(
    "--sheet",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_check_sheet,
    help="PNG or JPEG file for a contact sheet of the largest families. Images that were moved "
    "or deleted are drawn as grey squares.",
)
@click.option("--quiet", is_flag=True, help="Hide the threshold, progress and the summary.")
def cluster_command(
    table: Path,
    out: Path | None,
    output_format: str,
    radius: int | None,
    algorithm: Literal["components", "spheres"],
    min_size: int,
    which: Which | None,
    previous: Path | None,
    method: str,
    min_quality: int,
    workers: int,
    html: Path | None,
    sheet: Path | None,
    quiet: bool,
) -> None:
    """Group the images of TABLE into families of near-duplicates.

    TABLE is a folder written by 'finhash hash', or a file from HashTable.write. Write one row per
    image with the columns path, family and size (number of images in the family), sorted by family.
    Families are numbered from 0, the largest first, unless --previous is given. Images without a
    hash, and those of low quality, are left out.

    Exit status: 0 if done, even if no family was found; 2 if the usage is wrong.
    """
    start = time.perf_counter()
    from finhash import cluster
    from finhash.files import output

    check_orientations(which, algorithm)
    hashed = of_quality(read_rows(table, method), min_quality, quiet=quiet)
    paths, hashes = hashed.paths, hashed.hashes(method)
    earlier, first_new = np.full(len(paths), -1), 0
    if previous is not None:
        earlier, first_new = _numbers_in(previous, paths)
    if radius is None:
        radius = threshold_for("cluster", method, quiet=quiet)
    with usage_errors():
        turned = of_hashes(hashes, which, method) if which else None
        labels = cluster.families(hashes, radius, algorithm, turned=turned, workers=workers)
    numbers = cluster.keep_numbers(labels, earlier, start=first_new)
    found = _Families.of(paths, labels, numbers, min_size)
    if out is not None or not (html or sheet):
        with usage_errors(), output(out) as file:
            if output_format == "json":
                _write_json(file, found)
            else:
                _write_csv(file, found)
    if sheet is not None:
        _draw(sheet, found, hashed.preparation)
    if html is not None:
        from finhash.pages.review import write_families

        # The page joins images by connected components of the hashes as they are.
        own = which or previous or algorithm != "components"
        with usage_errors():
            write_families(
                html,
                paths,
                hashes,
                radius,
                labels=numbers.tolist() if own else None,
                qualities=qualities(hashed),
                preparation=hashed.preparation,
                command=_next_command(table, method, min_quality),
                workers=workers,
                progress=not quiet,
            )
        if not quiet:
            click.echo(printable(f"the page is {html}"), err=True)
    if not quiet:
        note_missing(paths[row] for row in found.rows)
        click.echo(
            f"{counted(len(paths), 'image')}: {counted(len(found.rows_of), 'family', 'families')} "
            f"of {min_size} or more, with {len(found.rows):,} of them; "
            f"{time.perf_counter() - start:.1f} s",
            err=True,
        )


class _Families(NamedTuple):
    """Families to list, with the rows of their images in the table."""

    paths: list[str]
    """Path of each row of the table."""

    numbers: NDArray[np.int64]
    """Number of each row's family."""

    rows: NDArray[np.int64]
    """Rows of the images listed, sorted by the number of their family."""

    rows_of: list[NDArray[np.int64]]
    """Rows of each family."""

    @classmethod
    def of(
        cls,
        paths: list[str],
        labels: NDArray[np.int32],
        numbers: NDArray[np.int64],
        min_size: int,
    ) -> "_Families":
        """Return the families of ``min_size`` images or more."""
        rows = np.flatnonzero(np.bincount(labels)[labels] >= min_size)
        rows = rows[np.argsort(numbers[rows], kind="stable")]
        starts = np.flatnonzero(np.diff(numbers[rows])) + 1
        return cls(paths, numbers, rows, np.split(rows, starts) if len(rows) else [])


def _next_command(table: Path, method: str, min_quality: int) -> str:
    """Return the command that chooses the threshold from verdicts on the page."""
    words = ["finhash", "threshold", str(table), "--method", method]
    if min_quality != LOWEST:
        words += ["--min-quality", str(min_quality)]
    return shlex.join([*words, "--verdicts", "verdicts.csv"])


def _draw(sheet: Path, found: _Families, preparation: Preparation) -> None:
    """Write a contact sheet of the largest families, with images as they were hashed."""
    from finhash.files import whole_file
    from finhash.sheet import contact_sheet

    largest = sorted(found.rows_of, key=len, reverse=True)[:SHEET_ROWS]
    drawn = contact_sheet(
        [[found.paths[row] for row in rows] for rows in largest], preparation=preparation
    )
    image_format = Image.registered_extensions()[sheet.suffix.lower()]
    with usage_errors(), whole_file(sheet) as partial:
        drawn.save(partial, image_format)


def _numbers_in(previous: Path, paths: list[str]) -> tuple[NDArray[np.int64], int]:
    """Return each path's family in a CSV file, -1 if none, and the first number that is free."""
    numbers: dict[str, int] = {}
    from finhash.accuracy.labels import open_csv

    with usage_errors(), open_csv(previous) as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != HEADER:
            raise click.UsageError(
                f"{previous} is not a list of families: its columns are not "
                f"{', '.join(HEADER)}; pass a CSV file that 'finhash cluster' wrote"
            )
        for row in reader:
            try:
                numbers[absolute(row["path"])] = int(row["family"])
            except (TypeError, ValueError) as error:
                raise click.UsageError(
                    f"{previous} is not a list of families: in the row {row} the family is not a "
                    "whole number; pass a CSV file that 'finhash cluster' wrote"
                ) from error
    found = [numbers.get(absolute(path), -1) for path in paths]
    return np.array(found, np.int64), max(numbers.values(), default=-1) + 1


def _write_csv(file: TextIO, found: _Families) -> None:
    """Write one row per image."""
    listed = (
        (found.paths[row], int(found.numbers[row]), len(rows))
        for rows in found.rows_of
        for row in rows
    )
    write_csv(file, HEADER, listed)


def _write_json(file: TextIO, found: _Families) -> None:
    """Write one object per family and line."""
    for rows in found.rows_of:
        line = {
            "family": int(found.numbers[rows[0]]),
            "size": len(rows),
            "paths": [found.paths[row] for row in rows],
        }
        file.write(json.dumps(line) + "\n")
