"""The command line: ``finhash hash``, ``match``, ``cluster`` and ``evaluate``.

Results go to stdout or to the given file; messages and progress go to stderr. Numba, SciPy and
PyArrow are imported by the commands that need them, so ``finhash --help`` answers at once.
"""

import csv
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO, TypeVar

import click
import numpy as np
from PIL import Image

from finhash import __version__, methods
from finhash.jobs.executors import EXECUTORS, Executor

if TYPE_CHECKING:
    from finhash import HashTable

FC = TypeVar("FC", bound=Callable[..., Any])

CLUSTERINGS = ("components", "spheres")
"""Values of ``--by``: the keys of ``finhash.cluster.METHODS``, which would load SciPy."""

SHOWN = 5
"""Number of failed files whose reasons are listed on stderr."""

SHEET_ROWS = 12
"""Number of families on a contact sheet."""

METHODS_HELP = f"""One of {", ".join(methods.METHODS)}; or module:name, a function of your own in a
module of the current directory or an installed one. It takes an RGB PIL image and returns an
imagehash.ImageHash or packed bits."""
"""Values of ``--method``."""


def method_name(text: str) -> str:
    """Return the name of a method given as ``--method``; import the method if it is a function.

    Modules are looked for in the current directory first. This affects later imports, also those of
    worker processes, so other calls leave ``sys.path`` as it is.
    """
    here = str(Path.cwd())
    if ":" in text and here != sys.path[0]:
        sys.path.insert(0, here)
    try:
        return methods.resolve(text).name
    except (KeyError, TypeError, ValueError) as error:
        raise click.BadParameter(error.args[0]) from error


radius_option = click.option(
    "--radius", required=True, type=click.IntRange(0), help="Largest Hamming distance, in bits."
)


def workers_option(help_text: str) -> Callable[[FC], FC]:
    """Return the option ``--workers`` with this help."""
    return click.option(
        "--workers",
        default=os.cpu_count() or 1,
        type=click.IntRange(1),
        show_default="all cores",
        help=help_text,
    )


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Match and cluster images by perceptual hashes.

    Exit status: 0 if done; 1 if done, but some files could not be read (hash) or nothing was found
    (match); 2 if the usage is wrong, the input is unusable, or a query image could not be read
    (match; results for the others are still printed).
    """


@main.command("hash", epilog="Example: finhash hash photos -o hashes --workers 4")
@click.argument("sources", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder for the hashes; created if missing.",
)
@click.option(
    "--method",
    "names",
    multiple=True,
    default=["find"],
    show_default=True,
    type=method_name,
    metavar="METHOD",
    help=f"Hash to compute; repeat the option for several. {METHODS_HELP}",
)
@click.option(
    "--executor",
    default="processes",
    show_default=True,
    type=click.Choice(EXECUTORS),
    help="Workers to use.",
)
@workers_option("Number of threads or processes.")
@click.option("--quiet", is_flag=True, help="Hide the progress bar.")
def hash_command(
    sources: tuple[Path, ...],
    out: Path,
    names: tuple[str, ...],
    executor: Executor,
    workers: int,
    quiet: bool,
) -> None:
    """Hash the images in SOURCES, which are files or folders, and write the hashes to OUT.

    OUT is a folder of Parquet files, readable by any Parquet reader as one table. It has one row
    per file, one column per method, and a column 'error' with the reason if a file has no hash.
    Run the command again after an interruption or after adding images: it hashes only new and
    changed files.
    """
    from finhash.jobs.batch import hash_files

    paths = list(_image_files(sources))
    if not paths:
        raise click.UsageError(
            "no image files found in SOURCES; name files, or folders with image file extensions"
        )
    with _usage_errors():
        table = hash_files(
            paths, names, workers=workers, executor=executor, out=out, progress=not quiet
        )
    sys.exit(_report_failures(table, "; see the column 'error'"))


@main.command(epilog="Example: finhash match new.jpg --in hashes --radius 72")
@click.argument("queries", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--in",
    "table",
    required=True,
    type=click.Path(exists=True, path_type=Path),
    help="Hash table: a folder written by 'finhash hash', or a file from HashTable.write.",
)
@radius_option
@click.option(
    "--method",
    default="find",
    type=method_name,
    metavar="METHOD",
    show_default=True,
    help=f"Hash to compare. {METHODS_HELP}",
)
@workers_option("Number of threads.")
@click.option(
    "--format",
    "output_format",
    default="csv",
    show_default=True,
    type=click.Choice(["csv", "json"]),
    help="CSV with a header, or one JSON object per line.",
)
def match(
    queries: tuple[Path, ...],
    table: Path,
    radius: int,
    method: str,
    workers: int,
    output_format: str,
) -> None:
    """For each image in QUERIES, list the images of a hash table within RADIUS.

    QUERIES are files or folders. Print one row per match, sorted by query in the given order, then
    by distance. The columns are query, path and distance (in bits).
    """
    from finhash import hamming
    from finhash.jobs.batch import hash_files

    gallery = _read(table, method)
    with _usage_errors():
        hashed = hash_files(list(_image_files(queries)), [method], workers=workers, progress=False)
    any_failed = _report_failures(hashed)
    hashed = hashed.without_errors()
    with _usage_errors():
        i, j, distance = hamming.join(
            hashed.hashes(method), gallery.hashes(method), radius=radius, workers=workers
        )
    order = np.lexsort((j, distance, i))
    names = hashed.paths
    paths = gallery.arrow["path"].take(j[order]).to_pylist()
    rows = zip((names[k] for k in i[order]), paths, map(int, distance[order]), strict=True)
    header = ("query", "path", "distance")
    if output_format == "json":
        for row in rows:
            print(json.dumps(dict(zip(header, row, strict=True))))
    else:
        _write_csv(sys.stdout, header, rows)
    sys.exit(2 if any_failed else not len(order))


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


@main.command("cluster", epilog="Example: finhash cluster hashes -o families.csv --radius 52")
@click.argument("table", type=click.Path(exists=True, path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="CSV file for the families; stdout if omitted.",
)
@radius_option
@click.option(
    "--by",
    "algorithm",
    default="components",
    type=click.Choice(CLUSTERINGS),
    show_default=True,
    help="Connected components, or spheres: every image within RADIUS of its family's centre.",
)
@click.option(
    "--method",
    default="find",
    metavar="METHOD",
    show_default=True,
    help="Column of TABLE with the hashes to compare: the value of --method with which 'finhash "
    "hash' made them.",
)
@workers_option("Number of threads.")
@click.option(
    "--sheet",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_check_sheet,
    help="PNG or JPEG file for a contact sheet of the largest families. Images that are no longer "
    "at their paths are drawn as grey squares.",
)
def cluster_command(
    table: Path,
    out: Path | None,
    radius: int,
    algorithm: Literal["components", "spheres"],
    method: str,
    workers: int,
    sheet: Path | None,
) -> None:
    """Group the images of TABLE into families of near-duplicates.

    TABLE is a folder written by 'finhash hash', or a file from HashTable.write. Write one row per
    image with the columns path, family and size (number of images in the family). Families are
    numbered from 0, the largest first. Images without a hash are left out.
    """
    from finhash import cluster

    hashed = _read(table, method)
    with _usage_errors():
        labels = cluster.families(hashed.hashes(method), radius, algorithm, workers=workers)
    sizes = np.bincount(labels)
    rank = np.empty(len(sizes), int)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    ranks = rank[labels]
    paths = hashed.paths
    order = np.argsort(ranks, kind="stable")
    rows = ((paths[k], int(ranks[k]), int(sizes[labels[k]])) for k in order)
    header = ("path", "family", "size")
    if out is None:
        _write_csv(sys.stdout, header, rows)
    else:
        from finhash.jobs.files import whole_file

        with _usage_errors(), whole_file(out) as partial, partial.open("w", newline="") as file:
            _write_csv(file, header, rows)
    if sheet is not None:
        from finhash.sheet import contact_sheet

        largest = [np.flatnonzero(ranks == family) for family in range(len(sizes))[:SHEET_ROWS]]
        drawn = contact_sheet([[paths[k] for k in family] for family in largest])
        with _usage_errors():
            drawn.save(sheet)
    click.echo(f"{len(paths)} images in {len(sizes)} families", err=True)


@main.command(epilog="Example: finhash evaluate photos --fpr 1e-4 -o answer")
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
    help="Hash to evaluate; repeat the option for several. By default all that are installed. "
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
@workers_option("Number of processes that hash files, and of threads that compare hashes.")
@click.option("--quiet", is_flag=True, help="Hide the progress bars.")
def evaluate(
    sources: tuple[Path, ...],
    labels: Path | None,
    fpr: float,
    names: tuple[str, ...],
    verdicts: Path | None,
    review: Path | None,
    out: Path | None,
    workers: int,
    quiet: bool,
) -> None:
    """Find which hash, at which threshold, matches images of one label and no others.

    SOURCES are files or folders. Images of one label are a family. Print one line per hash, the
    largest recall first, and what these images cannot show. METHODs are compared at the largest
    false positive rate that each can keep below --fpr.
    """
    with _usage_errors():
        from finhash import evaluation
    from finhash.accuracy import findings
    from finhash.accuracy import labels as given_labels
    from finhash.pages import answer

    files = list(dict.fromkeys(_image_files(sources)))
    verdicts = verdicts or _verdicts_in(sources)
    with _usage_errors():
        found = evaluation.evaluate(
            files,
            None if labels is None else list(given_labels.read(labels, files)),
            fpr=fpr,
            methods=names or None,
            verdicts=verdicts,
            workers=workers,
            progress=not quiet,
        )
        if out is not None:
            found.write(out, command=shlex.join(["finhash", *sys.argv[1:]]))
            click.echo(f"the page is {out / 'index.html'}", err=True)
        if review is not None:
            found.review(review)
            click.echo(f"the page of pairs to judge is {review}", err=True)
    click.echo(answer.text_table(found))
    for line in (found.answer, findings.next_step(found.methods), *found.notes):
        if line:
            click.echo(f"\n{line}")


def _verdicts_in(sources: tuple[Path, ...]) -> Path | None:
    """Return the file of verdicts in the folders of images, and say so on stderr."""
    from finhash.accuracy.labels import VERDICTS_FILE

    found = [source / VERDICTS_FILE for source in sources if (source / VERDICTS_FILE).is_file()]
    if len(found) > 1:
        raise click.UsageError(
            f"{len(found)} folders hold a {VERDICTS_FILE}; name one of them as --verdicts"
        )
    for path in found:
        click.echo(f"verdicts on families are read from {path}", err=True)
    return found[0] if found else None


def _image_files(sources: Iterable[Path]) -> Iterator[Path]:
    """Yield each file, and each file of a folder whose extension is an image format's."""
    extensions = Image.registered_extensions()
    for source in sources:
        if source.is_dir():
            found = (path for path in source.rglob("*") if path.suffix.lower() in extensions)
            yield from sorted(path for path in found if path.is_file())
        else:
            yield source


def _read(table: Path, method: str) -> "HashTable":
    """Return the rows of the table that have a hash of this method."""
    from finhash.jobs.table import HashTable

    try:
        found = HashTable.read(table)
    except (ValueError, OSError) as error:
        raise click.UsageError(str(error)) from error
    if method not in found.methods:
        known = ", ".join(found.methods)
        raise click.UsageError(
            f"{table} has no hashes of {method!r}; it has: {known}. Pass one of these as --method"
        )
    return found.select([method]).without_errors()


@contextmanager
def _usage_errors() -> Iterator[None]:
    """Report wrong arguments, missing packages and unwritable files as wrong usage (status 2)."""
    try:
        yield
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        raise click.UsageError(str(error)) from error


def _report_failures(table: "HashTable", where: str = "") -> bool:
    """Print to stderr which files could not be hashed; return whether there are any.

    ``where`` says where the reasons of files that are not listed can be found.
    """
    failed = [row for row in zip(table.paths, table.errors, strict=True) if row[1]]
    if failed:
        click.echo(f"{len(failed)} of {len(table)} files could not be hashed:", err=True)
    for path, error in failed[:SHOWN]:
        click.echo(f"  {path}: {error}", err=True)
    if len(failed) > SHOWN:
        click.echo(f"  and {len(failed) - SHOWN} more{where}", err=True)
    return bool(failed)


def _write_csv(file: TextIO, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write rows as CSV to a file that is open for writing."""
    csv.writer(file, lineterminator="\n").writerows(chain([header], rows))


if __name__ == "__main__":
    main(prog_name="finhash")
