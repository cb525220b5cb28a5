"""The command ``finhash cluster``."""

from pathlib import Path
from typing import Literal

import click
import numpy as np
from PIL import Image

from finhash.commands.shared import (
    radius_option,
    read_table,
    usage_errors,
    workers_option,
    write_csv,
)

CLUSTERINGS = ("components", "spheres")
"""Values of ``--by``: the keys of ``finhash.cluster.METHODS``, which would load SciPy."""

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


@click.command("cluster", epilog="Example: finhash cluster hashes -o families.csv --radius 52")
@click.argument("table", type=click.Path(exists=True, path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    help="CSV file for the families; - is stdout.  [default: stdout]",
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
    from finhash.jobs.files import output, whole_file

    hashed = read_table(table, method).select([method]).without_errors()
    with usage_errors():
        labels = cluster.families(hashed.hashes(method), radius, algorithm, workers=workers)
    sizes = np.bincount(labels)
    rank = np.empty(len(sizes), int)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    ranks = rank[labels]
    paths = hashed.paths
    order = np.argsort(ranks, kind="stable")
    rows = ((paths[k], int(ranks[k]), int(sizes[labels[k]])) for k in order)
    header = ("path", "family", "size")
    with usage_errors(), output(out) as file:
        write_csv(file, header, rows)
    if sheet is not None:
        from finhash.sheet import contact_sheet

        largest = [np.flatnonzero(ranks == family) for family in range(len(sizes))[:SHEET_ROWS]]
        drawn = contact_sheet([[paths[k] for k in family] for family in largest])
        image_format = Image.registered_extensions()[sheet.suffix.lower()]
        with usage_errors(), whole_file(sheet) as partial:
            drawn.save(partial, image_format)
    click.echo(f"{len(paths)} images in {len(sizes)} families", err=True)
