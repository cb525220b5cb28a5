"""The queries of ``finhash match``: image files, hashes or hash tables, and their hashes."""

import os
import string
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import click
import numpy as np
from numpy.typing import NDArray

from finhash import methods
from finhash.commands.shared import images_in, is_poor, read_table, usage_errors
from finhash.images import Source
from finhash.jobs.folders import image_files, is_table
from finhash.orientations import ORIENTATIONS, Which, hashes, of_hashes
from finhash.preparation import Preparation

if TYPE_CHECKING:
    from finhash import HashTable

Kind = Literal["images", "hashes", "table"]
"""Kinds of queries."""

Failed = list[tuple[str, str]]
"""Paths of images that could not be hashed, with the reasons."""


class Queries(NamedTuple):
    """Some queries of one kind, hashed."""

    names: list[str]
    """Paths, or hashes in hexadecimal digits."""

    packed: NDArray[np.uint8]
    """Hashes, shape ``(n, orientations, bits / 8)``."""

    paths: list[str]
    """The names if they are paths, else nothing."""

    poor: list[str]
    """Paths of queries that are left out because of their quality."""


class Options(NamedTuple):
    """How queries are hashed."""

    method: str
    which: Which | None
    exif: bool
    min_quality: int
    workers: int
    quiet: bool


def hashed_queries(
    queries: Sequence[str], gallery: "HashTable", table: Path, options: Options
) -> tuple[list[Queries], Failed]:
    """Return the hashes of all queries in the given order, and which images have none.

    ``gallery`` holds the hashes of ``table``, to which the queries will be compared; warn if they
    were made by software that gives other bits, or of images that were prepared in another way.
    Raise ``UsageError`` for anything that cannot be looked up, before hashing the first image.
    """
    method = options.method
    bits = methods.get(method).bits
    groups = [(kind, list(some)) for kind, some in groupby(queries, lambda one: _kind(one, bits))]
    images = [images_in(some, "QUERIES") if kind == "images" else [] for kind, some in groups]
    if any(images):
        from finhash.tables.provenance import versions

        _warn_of_versions(gallery, table, versions(), "the queries", method)
    found: list[Queries] = []
    failed: Failed = []
    for (kind, some), paths in zip(groups, images, strict=True):
        if kind == "images":
            with usage_errors():
                part, errors = _hash_images(paths, gallery.preparation, options)
            found.append(part)
            failed += errors
        elif kind == "hashes":
            digits = np.frombuffer(bytes.fromhex("".join(some)), np.uint8)
            packed = _in_orientations(digits.reshape(len(some), -1), options)
            found.append(Queries(some, packed, [], []))
        else:
            for query in some:
                rows = read_rows(Path(query), method)
                _warn_of_versions(gallery, table, rows.provenance.get("versions"), query, method)
                _warn_of_preparation(gallery, table, rows.preparation, query)
                poor = is_poor(rows, options.min_quality)
                asked = rows.filter(~poor)
                packed = _in_orientations(asked.hashes(method), options)
                left_out = rows.filter(poor).paths
                found.append(Queries(asked.paths, packed, asked.paths, left_out))
    return found, failed


def read_rows(table: Path, method: str) -> "HashTable":
    """Return the rows of a table that have a hash of the method."""
    return read_table(table, method).without_errors()


def holds_hashes(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is a hash table; a folder that also holds images is none."""
    return is_table(path) and not (Path(path).is_dir() and any(True for _ in image_files([path])))


def _kind(query: str, bits: int) -> Kind:
    """Return what a query is; raise ``UsageError`` if it is nothing that can be looked up."""
    if query == "-":
        return "images"
    if os.path.lexists(query):
        return "table" if holds_hashes(query) else "images"
    digits = bits // 4
    if len(query) == digits and set(query) <= set(string.hexdigits):
        return "hashes"
    raise click.UsageError(
        f"QUERIES has {query!r}, which is neither a file or folder nor a hash of {digits} "
        "hexadecimal digits"
    )


def _hash_images(
    paths: Sequence[str | os.PathLike[str]], preparation: Preparation, options: Options
) -> tuple[Queries, Failed]:
    """Hash image files in all orientations, prepared like the images of the table."""
    from tqdm import tqdm

    from finhash.files import text
    from finhash.jobs import items
    from finhash.jobs.stream import hash_in_turn

    (method,) = methods.usable([options.method])
    turns = len(ORIENTATIONS[options.which]) if options.which else 1
    function = partial(_turned, method.name, options.which)
    # The function needs the image itself, not the pixels that its method hashes.
    turned = replace(method, bits=turns * method.bits, function=function, shrunk=False)
    names: list[str] = []
    digits: list[str] = []
    poor: list[str] = []
    failed: Failed = []
    prepared = replace(preparation, exif=preparation.exif or options.exif)
    measured = items.Options(prepared, quality=options.min_quality > 0)
    hashed = hash_in_turn(paths, [turned], options.workers, measured)
    hidden = options.quiet or None  # None: hidden unless stderr is a terminal
    for result in tqdm(hashed, "hash", len(paths), unit="image", leave=False, disable=hidden):
        name = text(os.fspath(result.path))
        if result.error:
            failed.append((name, result.error))
        elif result.quality is not None and result.quality < options.min_quality:
            poor.append(name)
        else:
            names.append(name)
            digits += result.hashes
    packed = np.frombuffer(bytes.fromhex("".join(digits)), np.uint8)
    packed = packed.reshape(len(names), turns, method.bits // 8)
    return Queries(names, packed, names, poor), failed


def _turned(method: str, which: Which | None, image: Source, bits: int) -> NDArray[np.uint8]:
    """Return the hashes of an image in all orientations, one after another."""
    if which is None:
        return methods.get(method).hash(image)
    return np.concatenate(list(hashes(image, which, method).values()))


def _in_orientations(packed: NDArray[np.uint8], options: Options) -> NDArray[np.uint8]:
    """Return hashes whose images are not at hand, in all orientations, as ``Queries.packed``."""
    if options.which is None:
        return packed[:, None]
    with usage_errors():
        turned = of_hashes(packed, options.which, options.method)
    return np.stack(list(turned.values()), axis=1)


def _warn_of_versions(
    gallery: "HashTable",
    table: Path,
    made: Mapping[str, str] | None,
    queries: str,
    method: str,
) -> None:
    """Print a warning if the queries may have been made by software that gives other bits."""
    from finhash.tables.provenance import difference

    there = gallery.provenance.get("versions")
    if there is None or made is None:
        click.echo(
            f"warning: {table if there is None else queries} does not say which versions made its "
            "hashes; if they are others, a few bits of a hash may differ",
            err=True,
        )
    elif differ := difference(made, there, [method]):
        click.echo(
            f"warning: the hashes of {table} were made by {differ}, as for {queries}; a few bits "
            "of a hash may differ, so hash its images again if matches are missing",
            err=True,
        )


def _warn_of_preparation(
    gallery: "HashTable", table: Path, preparation: Preparation, queries: str
) -> None:
    """Print a warning if the images of a table of queries were prepared in another way."""
    if preparation != gallery.preparation:
        click.echo(
            f"warning: the images of {queries} were hashed with {preparation}, those of {table} "
            f"with {gallery.preparation}; images that this affects may not match",
            err=True,
        )
