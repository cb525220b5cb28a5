"""The command ``finhash match``."""

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from finhash.commands.queries import Options, Queries, hashed_queries, read_rows
from finhash.commands.shared import (
    METHODS_HELP,
    format_option,
    list_first,
    method_name,
    note_missing,
    of_quality,
    quality_option,
    radius_option,
    report_failed,
    threshold_for,
    usage_errors,
    workers_option,
    write_csv,
)
from finhash.files import counted, printable
from finhash.jobs.folders import absolute
from finhash.orientations import ORIENTATIONS, ORIGINAL, Which

HEADER = ("query", "path", "distance", "orientation")
"""Columns of the list of matches; the last one only with ``--orientations``."""

BLOCK = 2**16
"""Matches that are converted to text at a time."""


@click.command(
    short_help="Find the images of a table that are similar to query images.",
    epilog="Examples: finhash match new.jpg --in hashes; finhash match incoming --in hashes -k 1",
)
@click.argument("queries", nargs=-1, required=True, type=click.Path(allow_dash=True))
@click.option(
    "--in",
    "table",
    required=True,
    type=click.Path(exists=True, path_type=Path),
    help="Hash table: a folder written by 'finhash hash', or a file from HashTable.write.",
)
@radius_option("search")
@click.option(
    "-k",
    "nearest",
    type=click.IntRange(1),
    metavar="N",
    help="List the N nearest images of each query: those within RADIUS if it is given, else at any "
    "distance.",
)
@click.option(
    "--orientations",
    "which",
    type=click.Choice(list(ORIENTATIONS)),
    help="Also find images that are mirrored (mirror), turned by quarter turns (rotate), or both "
    "(all). Each query is compared in 2, 4 or 8 orientations.",
)
@click.option(
    "--exif",
    is_flag=True,
    help="Turn each query image as its EXIF orientation says, as viewers do, even if the images of "
    "the table were hashed as stored.",
)
@click.option(
    "--self",
    "with_self",
    is_flag=True,
    help="List a query also as a match of itself if the table holds its path.",
)
@click.option(
    "--method",
    default="find",
    type=method_name,
    metavar="METHOD",
    show_default=True,
    help=f"Hash to compare. {METHODS_HELP}",
)
@quality_option
@workers_option("Number of threads.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, allow_dash=True),
    help="File for the matches; - is stdout.  [default: stdout]",
)
@format_option("CSV with a header, or one JSON object per line.")
@click.option("--quiet", is_flag=True, help="Hide the progress bar, the threshold and the summary.")
def match(
    queries: tuple[str, ...],
    table: Path,
    radius: int | None,
    nearest: int | None,
    which: Which | None,
    exif: bool,
    with_self: bool,
    method: str,
    min_quality: int,
    workers: int,
    out: Path | None,
    output_format: str,
    quiet: bool,
) -> None:
    """List the images of a hash table that are similar to each query, nearest first.

    QUERIES are image files, folders of them, hashes in hexadecimal digits, hash tables, whose rows
    are then the queries, or - for paths on stdin. Text that names a file or folder is taken as
    such, also if it could be a hash.

    Print one row per match, sorted by query in the given order, then by distance. The columns are
    query, path and distance (in bits). With --orientations there is also the column orientation,
    which says how the query was turned: rotate_90 is a quarter turn counterclockwise. Hashes and
    tables are turned without their images, which adds about 15 bits to the distances. A query whose
    path is also in the table is not listed as a match of itself.

    Query images are prepared as those of the table were: with the same --background and --exif.
    Queries of low quality are named on stderr and have no matches.

    Warn on stderr if the hashes of the table were made by software that can give other bits.

    Exit status: 0 if done, also if nothing was found; 1 if some query images could not be read; 2
    if the usage is wrong.
    """
    start = time.perf_counter()
    from finhash.files import output

    gallery = of_quality(read_rows(table, method), min_quality, quiet=quiet)
    if radius is None and nearest is None:
        radius = threshold_for("search", method, quiet=quiet)
    options = Options(method, which, exif, min_quality, workers, quiet)
    found, failed = hashed_queries(queries, gallery, table, options)
    names = [name for part in found for name in part.names]
    poor = [name for part in found for name in part.poor]
    asked = len(names) + len(poor) + len(failed)
    report_failed(failed, asked)
    list_first(
        f"{counted(len(poor), 'query', 'queries')} with a quality below {min_quality}; matches "
        "would mean little, --min-quality 0 lists them",
        [printable(name) for name in poor],
    )
    packed = np.concatenate([part.packed for part in found])
    paths = gallery.paths
    own = np.empty((0, 2), int) if with_self else _own_rows(found, paths)
    with usage_errors():
        matches = _search(packed, gallery.hashes(method), radius, nearest, own, workers)
    header = HEADER if which else HEADER[:-1]
    turns = ORIENTATIONS[which] if which else (ORIGINAL,)
    listed = (
        (names[query], paths[row], distance, turns[turn])[: len(header)]
        for start_row in range(0, len(matches), BLOCK)
        for query, row, distance, turn in matches[start_row : start_row + BLOCK].tolist()
    )
    with usage_errors(), output(out) as file:
        if output_format == "json":
            file.writelines(
                json.dumps(dict(zip(header, one, strict=True))) + "\n" for one in listed
            )
        else:
            write_csv(file, header, listed)
    if not quiet:
        note_missing(paths[row] for row in np.unique(matches[:, 1]))
        matched = len(np.unique(matches[:, 0]))
        lacking = f", {len(failed):,} failed" if failed else ""
        click.echo(
            f"{counted(asked, 'query', 'queries')}, {matched:,} with matches"
            f"{lacking}; {counted(len(matches), 'match', 'matches')}; "
            f"{time.perf_counter() - start:.1f} s",
            err=True,
        )
    sys.exit(bool(failed))


def _own_rows(found: Sequence[Queries], paths: Sequence[str]) -> NDArray[np.int64]:
    """Return pairs of a query and the row of the table with the same path, shape ``(n, 2)``."""
    # Comparing the names of files first saves most of the time that absolute paths take.
    names = {_name(path) for part in found for path in part.paths}
    rows: dict[str, list[int]] = {}
    for row, path in enumerate(paths):
        if _name(path) in names:
            rows.setdefault(absolute(path), []).append(row)
    pairs: list[tuple[int, int]] = []
    first = 0
    for part in found:
        for query, path in enumerate(part.paths, first):
            pairs += [(query, row) for row in rows.get(absolute(path), ())]
        first += len(part.names)
    return np.array(pairs, np.int64).reshape(-1, 2)


def _name(path: str) -> str:
    """Return the last part of a path."""
    return path.rpartition(os.sep)[2]


def _search(
    packed: NDArray[np.uint8],
    gallery: NDArray[np.uint8],
    radius: int | None,
    nearest: int | None,
    own: NDArray[np.int64],
    workers: int,
) -> NDArray[np.int64]:
    """Find the matches of queries, apart from the pairs ``own`` of a query and a row.

    Return an array with one row per match and the columns query, row of the gallery, distance and
    number of the orientation. Each match is in the orientation with the smallest distance.
    """
    from finhash import hamming

    count, turns, width = packed.shape
    queries = packed.reshape(count * turns, width)
    if nearest is None:
        assert radius is not None
        i, j, distance = hamming.join(queries, gallery, radius=radius, workers=workers)
    else:
        most = np.bincount(own[:, 0]).max(initial=0)  # neighbours that are the query itself
        k = min(nearest + most, len(gallery))
        if k:
            index, far = hamming.nearest(queries, gallery, k, workers=workers)
        else:
            index, far = np.empty((2, len(queries), 0), int)
        i, j, distance = np.arange(len(queries)).repeat(k), index.ravel(), far.ravel()
    matches = np.column_stack([i // turns, j, distance, i % turns]).astype(np.int64)
    if radius is not None:
        matches = matches[matches[:, 2] <= radius]
    pair = matches[:, 0] * len(gallery) + matches[:, 1]
    matches = matches[~np.isin(pair, own @ [len(gallery), 1])]
    query, row, distance, turn = matches.T
    matches = matches[np.lexsort((turn, distance, row, query))]
    matches = matches[_starts(matches[:, :2])]
    query, row, distance, turn = matches.T
    matches = matches[np.lexsort((row, distance, query))]
    if nearest is not None:
        place = np.arange(len(matches))
        first = np.maximum.accumulate(np.where(_starts(matches[:, :1]), place, 0))
        matches = matches[place - first < nearest]
    return matches


def _starts(rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which rows differ from the row before."""
    return np.concatenate(
        [np.full(min(len(rows), 1), True), (np.diff(rows, axis=0) != 0).any(axis=1)]
    )
