"""The command ``finhash match``."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from finhash.commands.shared import (
    METHODS_HELP,
    images_in,
    method_name,
    radius_option,
    read_table,
    report_failures,
    usage_errors,
    workers_option,
    write_csv,
)

if TYPE_CHECKING:
    from finhash import HashTable


@click.command(epilog="Example: finhash match new.jpg --in hashes --radius 72")
@click.argument("queries", nargs=-1, required=True, type=click.Path(exists=True))
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
    queries: tuple[str, ...],
    table: Path,
    radius: int,
    method: str,
    workers: int,
    output_format: str,
) -> None:
    """For each image in QUERIES, list the images of a hash table within RADIUS.

    QUERIES are files or folders. Print one row per match, sorted by query in the given order, then
    by distance. The columns are query, path and distance (in bits). Warn on stderr if the hashes of
    the table were made by software that can give other bits than the software installed here.
    """
    from finhash import hamming
    from finhash.jobs.batch import hash_files

    paths_of_queries = images_in(queries, "QUERIES")
    gallery = read_table(table, method).select([method]).without_errors()
    _warn_of_versions(gallery, table, method)
    with usage_errors():
        hashed = hash_files(paths_of_queries, [method], workers=workers, progress=False)
    any_failed = report_failures(hashed)
    hashed = hashed.without_errors()
    with usage_errors():
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
        write_csv(sys.stdout, header, rows)
    sys.exit(2 if any_failed else not len(order))


def _warn_of_versions(gallery: "HashTable", table: Path, method: str) -> None:
    """Print a warning if software that can change the method's bits differs from that here."""
    from finhash.jobs.provenance import difference, versions

    there = gallery.provenance.get("versions")
    if there is None:
        click.echo(
            f"warning: {table} does not say which versions made its hashes; if they differ from "
            "those installed here, a few bits of a hash may differ",
            err=True,
        )
    elif differ := difference(versions(), there, [method]):
        click.echo(
            f"warning: the hashes of {table} were made by {differ}; a few bits of a hash may "
            "differ, so hash its images again if matches are missing",
            err=True,
        )
