"""The command ``finhash hash``."""

import csv
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from finhash import methods
from finhash.commands.shared import (
    METHODS_HELP,
    images_in,
    method_name,
    report_failures,
    usage_errors,
    workers_option,
)
from finhash.jobs.executors import EXECUTORS, Executor
from finhash.jobs.items import text


@click.command("hash", epilog="Example: finhash hash photos -o hashes --workers 4")
@click.argument("sources", nargs=-1, required=True, type=click.Path(exists=True))
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="Folder for the hashes; created if missing. Without it, hashes are printed.",
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
    type=click.Choice(EXECUTORS),
    help="Workers to use with --out.  [default: processes]",
)
@workers_option("Number of threads or processes.")
@click.option("--quiet", is_flag=True, help="Hide the progress bar.")
def hash_command(
    sources: tuple[str, ...],
    out: Path | None,
    names: tuple[str, ...],
    executor: Executor | None,
    workers: int,
    quiet: bool,
) -> None:
    """Hash the images in SOURCES, which are files or folders.

    Print one line per image: the hash in hexadecimal digits, a comma and the path, as CSV without a
    header. With several methods, a line has one hash per method, in the order of the options, and
    then the path. Images that cannot be hashed are listed on stderr.

    With --out, write the hashes to OUT instead. OUT is a folder of Parquet files, readable by any
    Parquet reader as one table. It has one row per file, one column per method, and a column
    'error' with the reason if a file has no hash. Run the command again after an interruption or
    after adding images: it hashes only new and changed files.
    """
    paths = images_in(sources, "SOURCES")
    if out is None:
        if executor is not None:
            raise click.UsageError("--executor needs --out; without it, threads hash the images")
        sys.exit(_print_hashes(paths, names, workers))
    from finhash.jobs.batch import hash_files

    with usage_errors():
        table = hash_files(
            paths,
            names,
            workers=workers,
            executor=executor or "processes",
            out=out,
            progress=not quiet,
        )
    sys.exit(report_failures(table, "; see the column 'error'"))


def _print_hashes(
    paths: Iterable[str | os.PathLike[str]], names: Sequence[str], workers: int
) -> bool:
    """Print the hashes of files, and to stderr why files have none; return whether any failed."""
    from finhash.jobs.stream import hash_in_turn

    with usage_errors():
        chosen = methods.usable(names)
    any_failed, lines = False, csv.writer(sys.stdout, lineterminator="\n")
    for path, hashes, error in hash_in_turn(paths, chosen, workers):
        name = text(os.fspath(path))
        if error:
            any_failed = True
            click.echo(f"{name}: {error}", err=True)
        else:
            lines.writerow([*hashes, name])
            sys.stdout.flush()  # a program that reads the hashes need not wait for the last one
    return any_failed
