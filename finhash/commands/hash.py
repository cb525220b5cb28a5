"""The command ``finhash hash``."""

import csv
import json
import os
import shlex
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import click

from finhash import methods
from finhash.commands.shared import (
    LOG,
    METHODS_HELP,
    CsvLines,
    background_option,
    exif_option,
    images_in,
    list_first,
    max_pixels_option,
    method_name,
    report_failures,
    usage_errors,
    workers_option,
)
from finhash.files import counted, output, printable, text
from finhash.jobs.executors import EXECUTORS, Executor
from finhash.jobs.folders import UNREADABLE, absolute
from finhash.jobs.items import Options, of_paths
from finhash.preparation import Preparation
from finhash.quality import LOWEST
from finhash.tables.formats import FORMATS

if TYPE_CHECKING:
    from finhash import HashTable
    from finhash.jobs.sync import Plan

Printing = Literal["plain", "csv", "json"]
"""Values of ``--format``."""


def _folder(context: click.Context, parameter: click.Parameter, value: str | None) -> Path | None:
    """Return the value of ``--out``; refuse the name of a file.

    An empty name, which ``Path`` would take for ".", is refused too.
    """
    if value == "":
        raise click.BadParameter('an empty path; name a folder, such as "hashes"')
    if value is None:
        return None
    folder = Path(value)
    if folder.suffix.lower() in FORMATS and not folder.is_dir():
        name = shlex.quote(str(folder.with_suffix("")))
        raise click.BadParameter(
            f"{value} is the name of a file, and hashes are written to a folder; pass -o {name}, "
            f"and then write the file with: finhash export {name} -o {shlex.quote(value)}"
        )
    return folder


@click.command(
    "hash",
    short_help="Hash images: print the hashes, or write them to a table.",
    epilog="Examples: finhash hash photos -o hashes; finhash hash photos -o hashes --sync",
)
@click.argument("sources", nargs=-1, required=True, type=click.Path(exists=True, allow_dash=True))
@click.option(
    "-o",
    "--out",
    type=click.Path(),
    callback=_folder,
    help="Folder for the hashes; created if missing. Without it, hashes are printed.",
)
@click.option(
    "--sync",
    is_flag=True,
    help="Also remove the rows of files that were deleted from the folders in SOURCES, and say "
    "what was added, changed and removed.",
)
@click.option(
    "--yes",
    is_flag=True,
    help="With --sync, remove rows without asking, even if a folder is empty or most of its files "
    "are gone.",
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
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Address of a running Dask scheduler, such as tcp://10.0.0.1:8786, for --executor dask.  "
    "[default: a cluster on this machine]",
)
@workers_option("Number of threads or processes; without effect with --scheduler.")
@background_option
@exif_option
@max_pixels_option("they count as failed, and are tried again by the next run.")
@click.option(
    "--quality/--no-quality",
    default=True,
    help="Measure the quality of each image, 0 to 100, and write it to the column 'quality'. "
    "Hashes of images with a low quality, such as blank ones, mean little.  [default: quality]",
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["plain", "csv", "json"]),
    help="Format of printed hashes: hashes and path without a header; CSV with a header, the path "
    "first; or one JSON object per line.  [default: plain]",
)
@click.option("--quiet", is_flag=True, help="Hide the progress bar and the summary.")
def hash_command(
    sources: tuple[str, ...],
    out: Path | None,
    sync: bool,
    yes: bool,
    names: tuple[str, ...],
    executor: Executor | None,
    scheduler: str | None,
    workers: int,
    background: str | None,
    exif: bool,
    max_pixels: int | None,
    quality: bool,
    output_format: Printing | None,
    quiet: bool,
) -> None:
    """Hash the images in SOURCES, which are files or folders, or - for paths on stdin.

    A folder is searched with its subfolders. Its images are told by their extension or, if they
    have another one or none, by their first bytes; other files are skipped. A file that is named
    itself is always tried. Paths on stdin end with null characters or newlines.

    Print one line per image: the hash in hexadecimal digits, a comma and the path, as CSV without a
    header. With several methods, a line has one hash per method, in the order of the options, and
    then the path. --format chooses CSV with a header, or JSON. Images that cannot be hashed are
    listed on stderr, and so are those whose quality is so low that their hashes mean little.

    With --out, write the hashes to OUT instead. OUT is a folder of Parquet files, readable by any
    Parquet reader as one table. It has one row per file, with its absolute path. If OUT has a row
    of a file under a relative path, this path stays. There is one column per method, and a column
    'error' with the reason if a file has no hash. Run the command again after an interruption or
    after adding images: it hashes only new and changed files. It must have the same --background
    and --exif; OUT keeps its methods and its column 'quality'. Rows of deleted files stay until a
    run with --sync.

    Exit status: 0 if done; 1 if some files could not be hashed or some folders not be read; 2 if
    the usage is wrong.
    """
    start = time.perf_counter()
    if yes and not sync:
        raise click.UsageError("--yes is for --sync, which may ask before it removes rows")
    if out is None:
        if executor is not None:
            raise click.UsageError("--executor needs --out; without it, threads hash the images")
        if sync:
            raise click.UsageError("--sync needs --out, the folder from which rows are removed")
    else:
        if output_format is not None:
            raise click.UsageError(
                "--format is for printed hashes; with --out, hashes are written as Parquet, and "
                "'finhash export' writes them in other formats"
            )
        sources = tuple(source if source == "-" else absolute(source) for source in sources)
        if absolute(out) in sources:
            raise click.UsageError(
                f"{out} is one of SOURCES; name another folder as --out, so that tables and images "
                "are not mixed"
            )
    if scheduler is not None and executor != "dask":
        raise click.UsageError("--scheduler needs --executor dask")
    with usage_errors():
        options = Options(Preparation(background, exif), quality, max_pixels)
    skipped: Counter[str] = Counter()
    paths = images_in(sources, "SOURCES", skipped=skipped, may_be_empty=sync)
    if out is None:
        done = _print_hashes(paths, names, workers, options, output_format or "plain")
    else:
        folders = [source for source in sources if source != "-" and Path(source).is_dir()]
        target = _Target(out, executor or "processes", scheduler, workers, sync, yes, quiet)
        done = _write_table(paths, folders, names, options, target)
    if not quiet:
        _note(done.notable, options, listed=out is None)
        counts = [*done.counts, f"{skipped.total():,} skipped", f"{done.failed:,} failed"]
        click.echo(f"{', '.join(counts)}; {time.perf_counter() - start:.1f} s", err=True)
    sys.exit(bool(done.failed or skipped[UNREADABLE]))


def _announce_compilation(names: Sequence[str], executor: Executor) -> None:
    """Log that worker processes compile FINd, because their own messages are not seen."""
    if executor in ("threads", "serial") or not any(name.startswith("find") for name in names):
        return
    from finhash.find.loading import is_compiled

    if not is_compiled():
        LOG.info("compiling in worker processes")


def _check(todo: "Plan", out: Path, *, found: bool, yes: bool) -> None:
    """Ask before rows are removed by mistake; raise ``UsageError`` if nobody can be asked."""
    count = len(todo.superfluous)
    if not (found or count):
        raise click.UsageError(
            "no image files found in SOURCES; name files, or folders with image files"
        )
    if not todo.doubt or yes:
        return
    rows = f"{counted(count, 'row')} of {printable(str(out))}"
    doubt = f"{printable(todo.doubt)}; a disk may be missing"
    if not sys.stdin.isatty():
        raise click.UsageError(
            f"{rows} would be removed, but {doubt}. Pass --yes to remove the rows nevertheless"
        )
    click.echo(doubt, err=True)
    click.confirm(f"Remove {rows}?", abort=True, err=True)


def _list(what: str, paths: Sequence[str]) -> None:
    """Print to stderr how many files were added, changed or removed, and the first of them."""
    lines = [printable(text(path)) for path in paths]
    list_first(f"{what} {counted(len(paths), 'file')}", lines)


@dataclass
class _Notable:
    """Hashed images of which the summary tells."""

    poor: list[str] = field(default_factory=list)
    """Paths of images with a quality below ``LOWEST``."""

    turned: int = 0
    """Number of images with an EXIF orientation other than 1."""

    def add(self, path: str, quality: int | None, orientation: int | None) -> None:
        """Take an image, if it is notable."""
        if quality is not None and quality < LOWEST:
            self.poor.append(path)
        self.turned += orientation not in (None, 1)


@dataclass
class _Done:
    """What was done, for the summary and the exit status."""

    failed: int
    """Number of files that could not be hashed."""

    counts: list[str]
    """Numbers of other files, in words."""

    notable: _Notable


def _print_hashes(
    paths: Iterable[str | os.PathLike[str]],
    names: Sequence[str],
    workers: int,
    options: Options,
    output_format: Printing,
) -> _Done:
    """Print the hashes of files, and to stderr why files have none.

    The output begins before all files are hashed.
    """
    from finhash.jobs.stream import hash_in_turn

    with usage_errors():
        chosen = methods.usable(names)
    hashed = failed = 0
    notable = _Notable()
    with output(None) as file:
        lines = csv.writer(CsvLines(file))
        header = ["path", *(method.name for method in chosen)]
        if output_format == "csv":
            lines.writerow(header)
        for result in hash_in_turn(paths, chosen, workers, options):
            name = text(os.fspath(result.path))
            if result.error:
                failed += 1
                click.echo(printable(f"{name}: {result.error}"), err=True)
                continue
            hashed += 1
            notable.add(name, result.quality, result.orientation)
            if output_format == "plain":
                lines.writerow([*result.hashes, name])
            elif output_format == "csv":
                lines.writerow([name, *result.hashes])
            else:
                row = dict(zip(header, [name, *result.hashes], strict=True))
                file.write(json.dumps(row) + "\n")
            file.flush()  # a program that reads the hashes need not wait for the last one
    return _Done(failed, [f"hashed {counted(hashed, 'file')}"], notable)


class _Target(NamedTuple):
    """The folder to which hashes are written, and how."""

    out: Path
    executor: Executor
    scheduler: str | None
    workers: int
    sync: bool
    yes: bool
    quiet: bool


def _write_table(
    paths: Sequence[str | os.PathLike[str]],
    folders: Sequence[str],
    names: Sequence[str],
    options: Options,
    target: _Target,
) -> _Done:
    """Hash new and changed files into a folder, and remove rows if asked."""
    from finhash.jobs.batch import run
    from finhash.jobs.parts import Tally
    from finhash.jobs.sync import plan

    tally = Tally()
    with usage_errors():
        todo = plan(target.out, paths, folders)
    if target.sync:
        _check(todo, target.out, found=bool(paths), yes=target.yes)
    _announce_compilation(names, target.executor)
    with usage_errors():
        table = run(
            of_paths(todo.paths),
            todo.paths,
            len(todo.paths),
            methods.usable(names),
            workers=target.workers,
            executor=target.executor,
            out=target.out,
            scheduler=target.scheduler,
            progress=not target.quiet and sys.stderr.isatty(),
            options=options,
            tally=tally,
            remove=todo.superfluous if target.sync else (),
        )
        failed = sum(map(bool, table.errors))
    counts = [
        f"hashed {counted(tally.hashed, 'file')}",
        f"{len(table) - failed - tally.hashed:,} unchanged",
    ]
    if target.sync:
        counts.append(f"{len(todo.superfluous):,} removed")
        if not target.quiet:
            _list("added", tally.added)
            _list("changed", tally.changed)
            _list("removed", todo.superfluous)
    report_failures(table, "; see the column 'error'")
    return _Done(failed, counts, _notable(table))


def _notable(table: "HashTable") -> _Notable:
    """Return the notable images of a table."""
    import pyarrow.compute as pc

    hashed = table.arrow.filter(pc.field("error") == "")
    poor: list[str] = []
    if "quality" in hashed.column_names:
        poor = hashed.filter(pc.field("quality") < LOWEST)["path"].to_pylist()
    turned = hashed.filter(pc.field("orientation") > 1).num_rows
    return _Notable(poor, turned)


def _note(notable: _Notable, options: Options, *, listed: bool) -> None:
    """Say on stderr which images have hashes that mean little or are those of turned images."""
    if notable.poor:
        is_one = len(notable.poor) == 1
        verb, whose = ("has", "its hash means") if is_one else ("have", "their hashes mean")
        images = counted(len(notable.poor), "image")
        message = f"{images} {verb} a quality below {LOWEST}: {whose} little"
        if listed:
            list_first(message, [printable(path) for path in notable.poor])
        else:
            click.echo(f"{message}; see the column 'quality'", err=True)
    if notable.turned and not options.preparation.exif:
        images = counted(notable.turned, "image")
        verb = "has" if notable.turned == 1 else "have"
        click.echo(
            f"{images} {verb} an EXIF orientation other than 1: hashed as stored; --exif hashes "
            "them as shown",
            err=True,
        )
