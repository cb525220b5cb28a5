"""The command line: ``finhash hash``, ``finhash match``, ``finhash cluster``.

Data goes to stdout or to the file that is named, everything else to stderr.
"""

import csv
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TypeVar

import click
import numpy as np
from PIL import Image

from finhash import __version__, cluster, hamming, hash_files, methods
from finhash.jobs.executors import EXECUTORS
from finhash.jobs.files import whole_file
from finhash.jobs.table import HashTable
from finhash.sheet import contact_sheet

T = TypeVar("T")

SHOWN = 5
"""Reasons for failed files that are listed on stderr."""

SHEET_ROWS = 12
"""Families on a contact sheet."""

method_option = click.option(
    "--method", default="find", type=click.Choice(list(methods.METHODS)), show_default=True
)
workers_option = click.option(
    "--workers", default=os.cpu_count() or 1, type=click.IntRange(1), show_default="all cores"
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Match and cluster images by perceptual hashes.

    Exit status: 0 done, 1 done but some files could not be read (hash) or nothing was found
    (match), 2 wrong usage or unusable input.
    """


@main.command("hash", epilog="Example: finhash hash photos -o hashes --workers 4")
@click.argument("sources", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="Folder.")
@click.option(
    "--method",
    "names",
    multiple=True,
    default=["find"],
    show_default=True,
    type=click.Choice(list(methods.METHODS)),
    help="May be given more than once.",
)
@click.option(
    "--executor", default="processes", show_default=True, type=click.Choice(list(EXECUTORS))
)
@workers_option
@click.option("--quiet", is_flag=True, help="No progress bar.")
def hash_command(
    sources: tuple[Path, ...],
    out: Path,
    names: tuple[str, ...],
    executor: str,
    workers: int,
    quiet: bool,
) -> None:
    """Hash the pictures in SOURCES, files or folders, into OUT.

    OUT is a folder of Parquet parts that any Parquet reader takes as one table: a row a file, a
    column a method, and in 'error' why a file has no hash. Run it again after an interruption, or
    when pictures were added: only what is missing or has changed is hashed.
    """
    paths = list(_pictures(sources))
    if not paths:
        raise click.UsageError("no pictures found")
    table = _checked(
        hash_files, paths, names, workers=workers, executor=executor, out=out, progress=not quiet
    )
    sys.exit(_tell_failures(table))


@main.command(epilog="Example: finhash match new.jpg --in hashes --radius 60")
@click.argument("queries", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--in",
    "table",
    required=True,
    type=click.Path(exists=True, path_type=Path),
    help="Hashes made by 'finhash hash'.",
)
@click.option("--radius", required=True, type=click.IntRange(0), help="Bits that may differ.")
@method_option
@workers_option
@click.option("--format", "form", default="csv", type=click.Choice(["csv", "json"]))
def match(
    queries: tuple[Path, ...], table: Path, radius: int, method: str, workers: int, form: str
) -> None:
    """Print what in the table lies within RADIUS of the pictures QUERIES, nearest first.

    CSV has a header and a row a match, JSON (one object a line) the same: query, path, distance.
    """
    gallery = _read(table, method)
    asked = hash_files(list(_pictures(queries)), [method], workers=workers, progress=False)
    unreadable = _tell_failures(asked)
    asked = asked.without_errors()
    i, j, distance = _checked(
        hamming.join, asked.hashes(method), gallery.hashes(method), radius=radius, workers=workers
    )
    order = np.lexsort((j, distance, i))
    names = asked.paths
    paths = gallery.arrow["path"].take(j[order]).to_pylist()
    rows = zip((names[k] for k in i[order]), paths, map(int, distance[order]), strict=True)
    _print(("query", "path", "distance"), rows, form)
    sys.exit(2 if unreadable else not len(order))


@main.command("cluster", epilog="Example: finhash cluster hashes -o families.csv --radius 50")
@click.argument("table", type=click.Path(exists=True, path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="CSV file; stdout if not given.",
)
@click.option("--radius", required=True, type=click.IntRange(0), help="Bits that may differ.")
@click.option(
    "--by",
    "algorithm",
    default="components",
    type=click.Choice(list(cluster.METHODS)),
    show_default=True,
    help="Chains of near pictures, or spheres about a centre.",
)
@method_option
@workers_option
@click.option(
    "--sheet",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Picture (PNG or JPEG) of the largest families.",
)
def cluster_command(
    table: Path,
    out: Path | None,
    radius: int,
    algorithm: str,
    method: str,
    workers: int,
    sheet: Path | None,
) -> None:
    """Group the pictures of TABLE into families: path, family, size of the family.

    Families are numbered from the largest. Pictures that could not be hashed are left out.
    """
    hashed = _read(table, method)
    labels = _checked(cluster.families, hashed.hashes(method), radius, algorithm, workers=workers)
    sizes = np.bincount(labels)
    rank = np.empty(len(sizes), int)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    paths = hashed.paths
    order = np.argsort(rank[labels], kind="stable")
    rows = ((paths[k], int(rank[labels[k]]), int(sizes[labels[k]])) for k in order)
    header = ("path", "family", "size")
    if out is None:
        _print(header, rows, "csv")
    else:
        with whole_file(out) as partial, partial.open("w", newline="") as file:
            csv.writer(file).writerows([header, *rows])
    if sheet is not None:
        ranks = rank[labels]
        largest = [np.flatnonzero(ranks == family) for family in range(len(sizes))[:SHEET_ROWS]]
        contact_sheet([[paths[k] for k in family] for family in largest]).save(sheet)
    click.echo(f"{len(paths)} pictures in {len(sizes)} families", err=True)


def _pictures(sources: Iterable[Path]) -> Iterator[Path]:
    """Files as they are, folders' files if their names end as pictures' do."""
    known = Image.registered_extensions()
    for source in sources:
        if source.is_dir():
            found = (path for path in source.rglob("*") if path.suffix.lower() in known)
            yield from sorted(path for path in found if path.is_file())
        else:
            yield source


def _read(table: Path, method: str) -> HashTable:
    """The rows of the table that have hashes."""
    try:
        found = HashTable.read(table)
    except (ValueError, OSError) as error:
        raise click.UsageError(str(error)) from error
    if method not in found.methods:
        known = ", ".join(found.methods)
        raise click.UsageError(f"{table} has no hashes by {method!r}; it has: {known}")
    return found.select([method]).without_errors()


def _checked(function: Callable[..., T], *arguments: object, **options: object) -> T:
    """The function's answer; what it refuses is wrong usage."""
    try:
        return function(*arguments, **options)
    except (RuntimeError, ValueError) as error:
        raise click.UsageError(str(error)) from error


def _tell_failures(table: HashTable) -> bool:
    """Whether files could not be hashed; how many, and why the first could not, on stderr."""
    failed = [row for row in zip(table.paths, table.errors, strict=True) if row[1]]
    if failed:
        click.echo(f"{len(failed)} of {len(table)} files could not be hashed:", err=True)
    for path, error in failed[:SHOWN]:
        click.echo(f"  {path}: {error}", err=True)
    if len(failed) > SHOWN:
        click.echo(f"  and {len(failed) - SHOWN} more; see the column 'error'", err=True)
    return bool(failed)


def _print(header: Sequence[str], rows: Iterable[Sequence], form: str) -> None:
    if form == "json":
        for row in rows:
            print(json.dumps(dict(zip(header, row, strict=True))))
    else:
        csv.writer(sys.stdout, lineterminator="\n").writerows(chain([header], rows))


if __name__ == "__main__":
    main(prog_name="finhash")
