"""The command ``finhash threshold``: which threshold the verdicts of a review page support."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from finhash.commands.shared import (
    counted,
    read_table,
    table_argument,
    usage_errors,
    workers_option,
    write_csv,
)
from finhash.files import printable

if TYPE_CHECKING:
    from finhash.accuracy.links import Judged

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
@workers_option("Number of threads.")
@click.option("--quiet", is_flag=True, help="Hide the sentence with the threshold to use.")
def threshold_command(
    table: Path, verdict_file: Path, wrong: float, method: str, workers: int, quiet: bool
) -> None:
    """Choose the threshold for 'finhash cluster' from your verdicts on pairs of images.

    TABLE is the folder written by 'finhash hash' from which the page was made. A family of n images
    is held together by n - 1 links, its shortest pairs. A link is wrong if you judged it different.
    Print one row per threshold with the columns threshold (in bits), links (number within the
    threshold), judged and different (number of these that you judged, and judged different) and
    wrong (estimated share of wrong links; empty if none was judged). The last line, on stderr,
    names the largest threshold whose estimated share is at most --wrong, and how much it depends on
    which pairs were judged.
    """
    from finhash.accuracy.links import judge
    from finhash.accuracy.verdict_file import read_rows

    hashed = read_table(table, method).select([method]).without_errors()
    with usage_errors():
        verdicts = read_rows(verdict_file)
        found = judge(hashed.paths, hashed.hashes(method), verdicts, workers=workers)
    largest = len(found.links) - 1
    chosen = found.threshold(wrong)
    links, judged, different = (
        numbers.cumsum() for numbers in (found.links, found.judged, found.wrong)
    )
    shares = found.shares()
    spread = np.linspace(0, largest, LINES).astype(int)
    rows = [
        [row, links[row], judged[row], different[row], f"{shares[row]:.4f}" if judged[row] else ""]
        for row in np.union1d(spread, [max(chosen, 0)])
    ]
    write_csv(sys.stdout, ["threshold", "links", "judged", "different", "wrong"], rows)
    if quiet:
        return
    if found.unknown:
        click.echo(
            f"{counted(found.unknown, 'verdict is', 'verdicts are')} on images that are not in "
            f"{printable(str(table))}",
            err=True,
        )
    click.echo(_sentence(found, wrong), err=True)


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
        return (
            f"{answer} No larger distance was judged; a page made with a larger --radius can show "
            "whether a larger threshold does."
        )
    low, high = found.interval(wrong)
    between = f"{max(low, 0)} and {high}"
    return f"{answer} With other pairs judged, the answer might be between {between}."
