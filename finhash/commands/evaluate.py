"""The command ``finhash evaluate``."""

import os
import shlex
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from finhash.commands.queries import holds_hashes
from finhash.commands.shared import (
    METHODS_HELP,
    background_option,
    exif_option,
    images_in,
    max_pixels_option,
    method_name,
    usage_errors,
    workers_option,
)
from finhash.files import printable
from finhash.jobs.folders import UNREADABLE

if TYPE_CHECKING:
    from finhash import HashTable


@click.command(
    short_help="Compare hashes and thresholds on labelled images.",
    epilog="Example: finhash evaluate photos --fpr 1e-4 -o answer",
)
@click.argument("sources", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--labels",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV file with the columns path and label. By default the label is the number before the "
    "underscore if all names are like 0007_00012.jpg, else the name of the folder.",
)
@click.option(
    "--fpr",
    default=1e-4,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Largest acceptable false positive rate.",
)
@click.option(
    "--method",
    "names",
    multiple=True,
    type=method_name,
    metavar="METHOD",
    help="Hash to evaluate; repeat the option for several. By default those of the table, or all "
    "that are installed. "
    f"{METHODS_HELP}",
)
@click.option(
    "--verdicts",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV file with the columns first, second and verdict, which says which families show one "
    "image. By default verdicts.csv in the folder of images, if it is there.",
)
@click.option(
    "--review",
    type=click.Path(dir_okay=False, path_type=Path),
    help="HTML file for the closest pairs of families, side by side; it saves verdicts.csv.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for methods.csv, comparisons.csv, the figures and the page index.html.",
)
@background_option
@exif_option
@max_pixels_option("they are left out.")
@workers_option("Number of processes that hash files, and of threads that compare hashes.")
@click.option(
    "--quiet", is_flag=True, help="Hide the progress bars, and which files are read and written."
)
def evaluate(
    sources: tuple[Path, ...],
    labels: Path | None,
    fpr: float,
    names: tuple[str, ...],
    verdicts: Path | None,
    review: Path | None,
    out: Path | None,
    background: str | None,
    exif: bool,
    max_pixels: int | None,
    workers: int,
    quiet: bool,
) -> None:
    """Find which hash, at which threshold, matches images of one label and no others.

    SOURCES are image files or folders of them, or one hash table: a folder written by 'finhash
    hash', or a file from HashTable.write. A table has no times, and its images are prepared as they
    were when it was made, so --background, --exif and --max-pixels are for images only.

    Images of one label are a family. Print one line per hash, the largest recall first, and what
    these images cannot show. METHODs are compared at the largest false positive rate that each can
    keep below --fpr.

    Exit status: 0 if done; 1 if some images could not be hashed or some folders not be read; 2 if
    the usage is wrong.
    """
    with usage_errors():
        from finhash import evaluation
    from finhash.accuracy import findings
    from finhash.accuracy import labels as given_labels
    from finhash.pages import answer

    skipped: Counter[str] = Counter()
    images, files = _images(sources, skipped)
    verdicts = verdicts or _verdicts_in(sources, quiet=quiet)
    with usage_errors():
        found = evaluation.evaluate(
            images,
            None if labels is None else list(given_labels.read(labels, files)),
            fpr=fpr,
            methods=names or None,
            verdicts=verdicts,
            background=background,
            exif=exif,
            max_pixels=max_pixels,
            workers=workers,
            progress=not quiet,
        )
        if out is not None:
            found.write(out, command=shlex.join(["finhash", *sys.argv[1:]]))
        if review is not None:
            found.review(review)
    if out is not None and not quiet:
        _say(f"the page is {out / 'index.html'}")
    if review is not None and not quiet:
        _say(f"the page of pairs to judge is {review}")
    click.echo(answer.text_table(found))
    step = findings.next_step(found.methods)
    for text in (printable(found.answer), step, *map(printable, found.notes)):
        if text:
            click.echo(f"\n{text}")
    sys.exit(found.images < len(files) or skipped[UNREADABLE] > 0)


def _images(
    sources: tuple[Path, ...], skipped: Counter[str]
) -> tuple["HashTable | list[str]", list[str]]:
    """Return the table or the image files to evaluate, and the path of each image."""
    if len(sources) == 1 and holds_hashes(sources[0]):
        from finhash.tables.hash_table import HashTable

        with usage_errors():
            table = HashTable.read(sources[0])
        return table, table.paths
    found = images_in(sources, "SOURCES", skipped=skipped)
    files = list(dict.fromkeys(os.fspath(path) for path in found))
    return files, files


def _say(message: str) -> None:
    """Print a message, which may hold paths, to stderr."""
    click.echo(printable(message), err=True)


def _verdicts_in(sources: tuple[Path, ...], *, quiet: bool) -> Path | None:
    """Return the file of verdicts in the folders of images, and say so on stderr."""
    from finhash.accuracy.labels import VERDICTS_FILE

    found = [source / VERDICTS_FILE for source in sources if (source / VERDICTS_FILE).is_file()]
    if len(found) > 1:
        raise click.UsageError(
            f"{len(found)} folders hold a {VERDICTS_FILE}; name one of them as --verdicts"
        )
    if found and not quiet:
        _say(f"verdicts on families are read from {found[0]}")
    return found[0] if found else None
