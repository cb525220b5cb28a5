"""The commands ``finhash duplicates`` and ``finhash undo``."""

import csv
import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO

import click

from finhash.commands.shared import (
    CLUSTERINGS,
    SHOWN,
    CsvLines,
    check_orientations,
    column_option,
    format_option,
    list_first,
    of_quality,
    orientations_option,
    quality_option,
    radius_option,
    read_table,
    table_argument,
    threshold_for,
    usage_errors,
    workers_option,
)
from finhash.files import counted, printable

if TYPE_CHECKING:
    from finhash.duplicates.log import Outcome
    from finhash.duplicates.plan import Family, Keep, Plan
    from finhash.orientations import Which

COLUMNS: tuple[str, ...] = (
    "family",
    "role",
    "path",
    "kept",
    "distance",
    "bytes",
    "width",
    "height",
    "modified",
    "note",
)
"""Columns of the list of duplicates; with ``--orientations`` there is also ``orientation``."""


@click.command(
    short_help="List, move or link superfluous images.",
    epilog="Examples: finhash duplicates hashes -o duplicates.csv; "
    "finhash duplicates hashes --move-to superfluous",
)
@table_argument
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    help="File for the list; - is stdout.  [default: stdout; with --move-to or --link, none]",
)
@format_option("CSV with one row per image, or one JSON object per family and line.")
@radius_option("cluster")
@column_option
@quality_option
@click.option(
    "--by",
    default="components",
    type=click.Choice(CLUSTERINGS),
    show_default=True,
    help="Families, as in 'finhash cluster'. Spheres divide some families, so that fewer images "
    "are superfluous.",
)
@orientations_option
@click.option(
    "--keep",
    default="largest",
    type=click.Choice(["largest", "oldest", "newest", "first"]),
    show_default=True,
    help="Image to keep: the one with most pixels (then most bytes), the one modified first or "
    "last, or the first in TABLE.",
)
@click.option(
    "--reference",
    "references",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Folder whose images are all kept; repeat the option for several. TABLE must hold its "
    "images.",
)
@click.option(
    "--move-to",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Move superfluous files into this folder. Choose one outside the folders that you hash.",
)
@click.option(
    "--link",
    type=click.Choice(["hard", "sym"]),
    help="Put links to the kept files in the place of superfluous ones. Without --move-to, only "
    "files that equal the kept one byte for byte are replaced.",
)
@click.option(
    "--log",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="New file for the log, from which 'finhash undo' puts everything back.  [default: a file "
    "in the folder of --move-to, else in the current folder]",
)
@click.option("--yes", is_flag=True, help="Move or link without asking.")
@workers_option("Number of threads.")
@click.option(
    "--quiet",
    is_flag=True,
    help="Hide the threshold, progress, and the summary of a list.",
)
def duplicates(
    table: Path,
    out: Path | None,
    output_format: str,
    radius: int | None,
    method: str,
    min_quality: int,
    by: Literal["components", "spheres"],
    which: "Which | None",
    keep: "Keep",
    references: tuple[Path, ...],
    move_to: Path | None,
    link: Literal["hard", "sym"] | None,
    log: Path | None,
    yes: bool,
    workers: int,
    quiet: bool,
) -> None:
    """List which images of TABLE to keep and which are superfluous; move or link them if asked.

    TABLE is a folder written by 'finhash hash', or a file from HashTable.write. Only families with
    a superfluous image are listed. Each superfluous image is within the threshold of an image that
    is kept, so a long chain of similar images may keep several. Images that differ only in their
    lettering, such as memes, are similar too: look before you move or delete them. Images of low
    quality are neither kept nor superfluous, because their hashes mean little.

    The columns are family (its number, as in 'finhash cluster'), role (keep, superfluous or left
    alone), path, kept (for a superfluous image, the nearest one that is kept), distance (to that
    one, in bits), bytes, width, height, modified, and note (why a file is left alone). With
    --orientations there is also orientation: how the kept image must be turned to be nearest to the
    superfluous one, such as rotate_90, a quarter turn counterclockwise. JSON has the same facts,
    and the bytes that deleting the superfluous files of each family would free. Files are left
    alone if they are missing, have changed since they were hashed, or are the same file as another
    one.

    Without --move-to and --link, nothing is changed. No content is ever deleted: to free the space,
    look at the files that were moved, and delete them yourself.

    Exit status: 0 if done, also if nothing was found; 1 if some files could not be moved or linked;
    2 if the usage is wrong.
    """
    check_orientations(which, by)
    acting = move_to is not None or link is not None
    if log and not acting:
        raise click.UsageError("--log needs --move-to or --link; without them nothing is changed")
    if yes and not acting:
        raise click.UsageError("--yes needs --move-to or --link; without them nothing is changed")
    if acting and not yes and not sys.stdin.isatty():
        raise click.UsageError(
            "moving or linking needs your consent, and there is no terminal to ask; pass --yes"
        )
    hashed = of_quality(read_table(table, method), min_quality, quiet=quiet)
    if radius is None:
        radius = threshold_for("cluster", method, quiet=quiet)
    from finhash.duplicates.actions import check_target, only_equal
    from finhash.duplicates.plan import find_duplicates

    with usage_errors():
        plan = find_duplicates(
            hashed,
            radius,
            method=method,
            by=by,
            keep=keep,
            references=references,
            orientations=which,
            workers=workers,
            progress=not quiet,
        )
        if move_to:
            check_target(plan, move_to)
    similar = len(plan.superfluous)
    if acting and not move_to:
        plan = only_equal(plan)
    if out or not acting:
        _write(plan, out, output_format, (*COLUMNS, "orientation") if which else COLUMNS)
    _report_left_alone(plan)
    found = f"{_families(plan)}, {_superfluous(len(plan.superfluous))}, {_freed(plan)}"
    if acting and plan.superfluous:
        _show(plan)
    if acting or not quiet:
        click.echo(found, err=True)
    if similar and not plan.superfluous:
        click.echo(
            f"{_superfluous(similar)} cannot be replaced by links, because none equals the kept "
            "file byte for byte; --move-to FOLDER moves the files first",
            err=True,
        )
    if not acting or not plan.superfluous:
        return
    what = _intention(move_to, link)
    if not yes and not click.confirm(f"{what}?", err=True):
        click.echo("nothing was changed", err=True)
        return
    sys.exit(_act(plan, move_to, link, log, not quiet))


@click.command(
    short_help="Put back what duplicates has moved or linked.",
    epilog="Example: finhash undo superfluous/finhash-20260131-235959-123456.jsonl",
)
@click.argument("log", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--quiet", is_flag=True, help="Hide the progress bar.")
def undo(log: Path, quiet: bool) -> None:
    """Put back all files that 'finhash duplicates' has moved or linked.

    LOG is the file that 'finhash duplicates' named at its end. Files that have changed since are
    left alone, and listed. Run the command again after an interruption.

    Exit status: 0 if done; 1 if some files could not be put back; 2 if the usage is wrong.
    """
    from finhash.duplicates.undo import undo as put_back

    with usage_errors():
        outcome = put_back(log, progress=not quiet)
    _report_failed(outcome, "could not be put back")
    click.echo(f"{counted(outcome.done, 'file')} put back, {_size(outcome.bytes)}", err=True)
    sys.exit(bool(outcome.failed))


def _act(
    plan: "Plan",
    move_to: Path | None,
    link: Literal["hard", "sym"] | None,
    log: Path | None,
    progress: bool,
) -> bool:
    """Move or link the superfluous files; return whether any failed."""
    from finhash.duplicates.actions import act

    verb = "moved" if move_to else "linked"
    if log is None:
        name = f"finhash-{datetime.now():%Y%m%d-%H%M%S-%f}.jsonl"
        log = (move_to or Path()) / name
    way_back = f"to put them back: finhash undo {printable(shlex.quote(str(log)))}"
    try:
        with usage_errors():
            outcome = act(plan, log, move_to=move_to, link=link, progress=progress)
    except KeyboardInterrupt:
        click.echo(f"\ninterrupted; some files were {verb}; {way_back}", err=True)
        raise
    _report_failed(outcome, f"could not be {verb}")
    if outcome.stopped:
        click.echo(f"stopped: {printable(outcome.stopped)}", err=True)
    click.echo(
        f"{_families(plan)}, {outcome.done:,} of {_superfluous(len(plan.superfluous))} {verb}, "
        f"{_size(outcome.bytes)}; {way_back}",
        err=True,
    )
    return bool(outcome.failed or outcome.stopped)


def _write(plan: "Plan", out: Path | None, output_format: str, columns: Sequence[str]) -> None:
    """Write the list to a file, or to stdout."""
    from finhash.files import output

    with usage_errors(), output(out) as file:
        if output_format == "json":
            _write_json(plan, file, columns)
        else:
            _write_csv(plan, file, columns)


def _write_csv(plan: "Plan", file: TextIO, columns: Sequence[str]) -> None:
    """Write one row per image."""
    rows = csv.DictWriter(CsvLines(file), columns)
    rows.writeheader()
    for family in plan.families:
        rows.writerows({"family": family.number, **image} for image in _images(family, columns))


def _write_json(plan: "Plan", file: TextIO, columns: Sequence[str]) -> None:
    """Write one object per family and line."""
    for family in plan.families:
        images = list(_images(family, columns))
        line = {"family": family.number, "freed": family.freed, "images": images}
        file.write(json.dumps(line) + "\n")


def _images(family: "Family", columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the values of the columns for each image, without the family."""
    for member in family.members:
        facts: tuple[object, ...] = (None,) * 4
        if member.file:
            status = member.file.status
            seconds = datetime.fromtimestamp(status.st_mtime_ns // 10**9, UTC)
            facts = (status.st_size, *member.file.pixels, f"{seconds:%Y-%m-%dT%H:%M:%SZ}")
        kept = member.kept.path if member.kept else None
        values = (member.role, member.path, kept, member.distance, *facts, member.note or None)
        turned = (*values, member.orientation)
        yield dict(zip(columns[1:], turned, strict=False))


def _show(plan: "Plan") -> None:
    """Print the first superfluous files to stderr."""
    members = plan.superfluous
    for member in members[:SHOWN]:
        kept = member.kept.path if member.kept else ""
        click.echo(
            f"  {printable(member.path)}: superfluous, {member.distance} bits from "
            f"{printable(kept)}",
            err=True,
        )
    if len(members) > SHOWN:
        click.echo(f"  and {len(members) - SHOWN:,} more; -o FILE lists all", err=True)


def _report_left_alone(plan: "Plan") -> None:
    """Print to stderr how many files of families were left alone, and why the first ones were."""
    from finhash.duplicates.facts import MISSING

    missing = [member for member in plan.left_alone if member.note == MISSING]
    others = [member for member in plan.left_alone if member.note != MISSING]
    if missing:
        click.echo(
            f"{counted(len(missing), 'similar file')} missing, such as "
            f"{printable(missing[0].path)}; relative paths are looked up from the current folder; "
            "'finhash hash --sync' removes files that were moved or deleted from a table",
            err=True,
        )
    lines = [f"{printable(member.path)}: {printable(member.note)}" for member in others]
    list_first(f"{counted(len(others), 'file')} left alone", lines)


def _report_failed(outcome: "Outcome", what: str) -> None:
    """Print to stderr which files were left as they were."""
    lines = [f"{printable(path)}: {printable(why)}" for path, why in outcome.failed]
    list_first(f"{counted(len(outcome.failed), 'file')} {what}", lines)


def _intention(move_to: Path | None, link: str | None) -> str:
    """Return the question that is asked before files are changed."""
    links = {"hard": "hard links", "sym": "symbolic links", None: ""}[link]
    if not move_to:
        return f"Replace these files by {links} to the kept ones"
    moved = f"Move these files to {printable(str(move_to))}"
    return f"{moved}, and put {links} to the kept ones in their place" if link else moved


def _families(plan: "Plan") -> str:
    """Return the number of families in words."""
    return counted(len(plan.families), "family", "families")


def _superfluous(count: int) -> str:
    """Return a number of superfluous files in words."""
    return counted(count, "superfluous file")


def _freed(plan: "Plan") -> str:
    """Return how many bytes could be freed, and how many cannot because of hard links."""
    files = [member.file for member in plan.superfluous if member.file]
    sizes = {file.inode: file.status.st_size for file in files}
    held = sum(sizes.values()) - plan.freed
    links = f"; hard links elsewhere hold {_size(held)} more" if held else ""
    return f"{_size(plan.freed)} could be freed{links}"


def _size(size: int) -> str:
    """Return a number of bytes in megabytes."""
    return f"{size / 1e6:,.1f} MB"
