"""The command ``finhash hash``."""

import csv
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from finhash import methods
from finhash.commands.shared import (
    LOG,
    METHODS_HELP,
    CsvLines,
    counted,
    images_in,
    list_first,
    method_name,
    report_failures,
    usage_errors,
    workers_option,
)
from finhash.files import output, printable, text
from finhash.jobs.executors import EXECUTORS, Executor
from finhash.jobs.folders import UNREADABLE, absolute
from finhash.jobs.items import Options, of_paths
from finhash.preparation import Preparation
from finhash.quality import LOWEST

if TYPE_CHECKING:
    from finhash import HashTable
    from finhash.jobs.sync import Plan


def _folder(context: click.Context, parameter: click.Parameter, value: str | None) -> Path | None:
    """Return the value of ``--out``; refuse an empty one, which ``Path`` would take for "."."""
    if value == "":
        raise click.BadParameter('an empty path; name a folder, such as "hashes"')
    return None if value is None else Path(value)


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
@workers_option("Number of threads or processes.")
@click.option(
    "--background",
    metavar="COLOUR",
    help="Compose transparent images on this colour, such as white or #ffffff, before they are "
    "hashed.  [default: drop transparency]",
)
@click.option(
    "--exif",
    is_flag=True,
    help="Turn images as their EXIF orientation says before they are hashed.  [default: hash them "
    "as stored]",
)
@click.option(
    "--max-pixels",
    type=click.IntRange(1),
    metavar="N",
    help="Do not decode images of more pixels; they count as failed, and are tried again by the "
    "next run.  [default: Pillow's limit, 178,956,970]",
)
@click.option(
    "--quality/--no-quality",
    default=True,
    help="Measure the quality of each image, 0 to 100, and write it to the column 'quality'. "
    "Hashes of images with a low quality, such as blank ones, mean little.  [default: quality]",
)
@click.option("--quiet", is_flag=True, help="Hide the progress bar and the summary.")
def hash_command(
    sources: tuple[str, ...],
    out: Path | None,
    sync: bool,
    yes: bool,
    names: tuple[str, ...],
    executor: Executor | None,
    workers: int,
    background: str | None,
    exif: bool,
    max_pixels: int | None,
    quality: bool,
    quiet: bool,
) -> None:
    """Hash the images in SOURCES, which are files or folders, or - for paths on stdin.

    A folder is searched with its subfolders. Its images are told by their extension or, if they
    have another one or none, by their first bytes; other files are skipped. A file that is named
    itself is always tried. Paths on stdin end with null characters or newlines.

    Print one line per image: the hash in hexadecimal digits, a comma and the path, as CSV without a
    header. With several methods, a line has one hash per method, in the order of the options, and
    then the path. Images that cannot be hashed are listed on stderr, and so are those whose quality
    is so low that their hashes mean little.

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
        sources = tuple(source if source == "-" else absolute(source) for source in sources)
    with usage_errors():
        options = Options(Preparation(background, exif), quality, max_pixels)
    skipped: Counter[str] = Counter()
    paths = images_in(sources, "SOURCES", skipped=skipped, may_be_empty=sync)
    if out is None:
        printed = _print_hashes(paths, names, workers, options)
        failed, notable = printed.failed, printed.notable
        done = [f"hashed {counted(printed.hashed, 'file')}"]
    else:
        from finhash.jobs.batch import run
        from finhash.jobs.parts import Tally
        from finhash.jobs.sync import plan

        if absolute(out) in sources:
            raise click.UsageError(
                f"{out} is one of SOURCES; name another folder as --out, so that tables and images "
                "are not mixed"
            )
        folders = [source for source in sources if source != "-" and Path(source).is_dir()]
        tally = Tally()
        with usage_errors():
            todo = plan(out, paths, folders)
        if sync:
            _check(todo, out, found=bool(paths), yes=yes)
        _announce_compilation(names, executor)
        with usage_errors():
            table = run(
                of_paths(todo.paths),
                todo.paths,
                len(todo.paths),
                methods.usable(names),
                workers=workers,
                executor=executor or "processes",
                out=out,
                scheduler=None,
                progress=not quiet and sys.stderr.isatty(),
                options=options,
                tally=tally,
                remove=todo.superfluous if sync else (),
            )
            failed = sum(map(bool, table.errors))
        if sync and not quiet:
            _list("added", tally.added)
            _list("changed", tally.changed)
            _list("removed", todo.superfluous)
        report_failures(table, "; see the column 'error'")
        notable = _notable(table)
        unchanged = len(table) - failed - tally.hashed
        done = [f"hashed {counted(tally.hashed, 'file')}", f"{unchanged:,} unchanged"]
        if sync:
            done.append(f"{len(todo.superfluous):,} removed")
    if not quiet:
        _note(notable, options, listed=out is None)
        done += [f"{skipped.total():,} skipped", f"{failed:,} failed"]
        click.echo(f"{', '.join(done)}; {time.perf_counter() - start:.1f} s", err=True)
    sys.exit(bool(failed or skipped[UNREADABLE]))


def _announce_compilation(names: Sequence[str], executor: Executor | None) -> None:
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
class _Printed:
    """What ``_print_hashes`` has done."""

    hashed: int = 0
    failed: int = 0
    notable: _Notable = field(default_factory=_Notable)


def _print_hashes(
    paths: Iterable[str | os.PathLike[str]], names: Sequence[str], workers: int, options: Options
) -> _Printed:
    """Print the hashes of files, and to stderr why files have none; return what was done.

    The output begins before all files are hashed.
    """
    from finhash.jobs.stream import hash_in_turn

    with usage_errors():
        chosen = methods.usable(names)
    printed = _Printed()
    with output(None) as file:
        lines = csv.writer(CsvLines(file))
        for result in hash_in_turn(paths, chosen, workers, options):
            name = text(os.fspath(result.path))
            if result.error:
                printed.failed += 1
                click.echo(printable(f"{name}: {result.error}"), err=True)
            else:
                printed.hashed += 1
                printed.notable.add(name, result.quality, result.orientation)
                lines.writerow([*result.hashes, name])
                file.flush()  # a program that reads the hashes need not wait for the last one
    return printed


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
