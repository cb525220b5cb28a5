"""The command ``finhash threshold``: which threshold the verdicts of a review page support."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from finhash.commands.queries import read_rows
from finhash.commands.shared import (
    format_option,
    of_quality,
    quality_option,
    table_argument,
    usage_errors,
    workers_option,
    write_csv,
)
from finhash.files import counted, printable
from finhash.thresholds import review_margin, threshold

if TYPE_CHECKING:
    from finhash.accuracy.links import Judged

HEADER = ("threshold", "links", "judged", "different", "wrong")
"""Columns of the table of thresholds."""

LINES = 12
"""Number of thresholds in the printed table, about."""

ENOUGH = 30
"""Verdicts below which the answer depends too much on which pairs were judged to give a range."""


@click.command(
    "threshold",
    short_help="Choose the threshold from your verdicts on pairs.",
    epilog="Example: finhash threshold hashes --verdicts verdicts.csv --wrong 0.01",
)
@table_argument
@click.option(
    "--verdicts",
    "verdict_file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV file that the page of 'finhash cluster --html' saved.",
)
@click.option(
    "--wrong",
    default=0.01,
    show_default=True,
    type=click.FloatRange(0, 1, max_open=True),
    help="Largest acceptable share of wrong links.",
)
@click.option(
    "--method",
    default="find",
    metavar="METHOD",
    show_default=True,
    help="Column of TABLE with the hashes to compare: the one that the page was made from.",
)
@click.option(
    "--max-radius",
    "reach",
    type=click.IntRange(0),
    metavar="N",
    help="Largest threshold to consider, in bits. Verdicts on pairs farther apart are left out.  "
    "[default: depends on the hash; "
    f"{threshold('human review', 'find') + review_margin(256)} for find]",
)
@quality_option
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    help="File for the table; - is stdout.  [default: stdout]",
)
@format_option("CSV with a header, or one JSON object per line.")
@workers_option("Number of threads.")
@click.option("--quiet", is_flag=True, help="Hide the sentence with the threshold to use.")
def threshold_command(
    table: Path,
    verdict_file: Path,
    wrong: float,
    method: str,
    reach: int | None,
    min_quality: int,
    out: Path | None,
    output_format: str,
    workers: int,
    quiet: bool,
) -> None:
    """Choose the threshold for 'finhash cluster' from your verdicts on pairs of images.

    TABLE is the folder written by 'finhash hash' from which the page was made. A family of n images
    is held together by n - 1 links, its shortest pairs. A link is wrong if you judged it different.
    Print one row per threshold with the columns threshold (in bits), links (number within the
    threshold), judged and different (number of these that you judged, and judged different) and
    wrong (estimated share of wrong links; empty if none was judged). The last line, on stderr,
    names the largest threshold whose estimated share is at most --wrong, and how much it depends on
    which pairs were judged. Images of low quality are left out, as on the page, so pass the same
    --min-quality as for the page.

    Exit status: 0 if done, also if no threshold keeps to --wrong; 2 if the usage is wrong.
    """
    from finhash.accuracy import verdict_file as files
    from finhash.accuracy.links import judge
    from finhash.files import output

    every = read_rows(table, method)
    hashed = of_quality(every, min_quality, quiet=quiet)
    hashes = hashed.hashes(method)
    if reach is None:
        reach = _reach(method, 8 * hashes.shape[1])
    with usage_errors():
        verdicts = files.read_rows(verdict_file)
        found = judge(hashed.paths, hashes, verdicts, reach=reach, workers=workers)
    largest = len(found.links) - 1
    chosen = found.threshold(wrong)
    links, judged, different = (
        numbers.cumsum() for numbers in (found.links, found.judged, found.wrong)
    )
    shares = found.shares()
    spread = np.linspace(0, largest, LINES).astype(int)
    rows = [
        [
            *map(int, (row, links[row], judged[row], different[row])),
            float(shares[row]) if judged[row] else None,
        ]
        for row in np.union1d(spread, [max(chosen, 0)])
    ]
    with usage_errors(), output(out) as file:
        if output_format == "json":
            file.writelines(json.dumps(dict(zip(HEADER, row, strict=True))) + "\n" for row in rows)
        else:
            write_csv(file, HEADER, ([*row[:-1], _share(row[-1])] for row in rows))
    if quiet:
        return
    if found.unknown:
        poor = " or have a low quality" if len(hashed) < len(every) else ""
        click.echo(
            f"{counted(found.unknown, 'verdict is', 'verdicts are')} on images that are not in "
            f"{printable(str(table))}{poor}",
            err=True,
        )
    if found.far:
        click.echo(
            f"left out {counted(found.far, 'verdict')} on images that differ in more than {reach} "
            "bits; --max-radius N sets another limit",
            err=True,
        )
    click.echo(_sentence(found, wrong), err=True)


def _reach(method: str, bits: int) -> int:
    """Return the largest threshold that is considered by default.

    It is the largest distance on a page for the human review of candidates, the use whose threshold
    is largest. Without a limit, a single verdict on two unrelated images would make the command
    compute nearly all pairs of the table.
    """
    try:
        largest = threshold("human review", method)
    except KeyError:
        largest = 3 * bits // 8
    return largest + review_margin(bits)


def _share(value: float | None) -> str:
    """Return a share as it is written in CSV; empty if it is unknown."""
    return "" if value is None else f"{value:.4f}"


def _sentence(found: "Judged", wrong: float) -> str:
    """Return what to do next."""
    share = f"{100 * wrong:.3g} %"
    chosen = found.threshold(wrong)
    if chosen < 0:
        return (
            f"At every threshold, more than {share} of the links may be wrong; judge closer pairs "
            "on a page made with a smaller --radius."
        )
    answer = f"Use --radius {chosen}: an estimated {share} of the links or fewer are wrong."
    judged = int(found.judged.sum())
    if judged < ENOUGH:
        return (
            f"{answer} {counted(judged, 'verdict is', 'verdicts are')} too few to say how much the "
            f"answer depends on which pairs were judged; judge about {ENOUGH - judged} more."
        )
    if chosen == len(found.links) - 1:
        if found.far:
            return f"{answer} A larger --max-radius can show whether a larger threshold does."
        return (
            f"{answer} No larger distance was judged; a page made with a larger --radius can show "
            "whether a larger threshold does."
        )
    low, high = found.interval(wrong)
    between = f"{max(low, 0)} and {high}"
    return f"{answer} With other pairs judged, the answer might be between {between}."
