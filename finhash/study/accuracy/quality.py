"""Which quality an image needs for its hash to mean something.

``FINHASH_OUT=. python -m finhash.study.accuracy.quality`` makes images with little and with much
content, from one colour to memes. It measures, by their quality, how often unrelated images match
and how often an image no longer matches itself after a second encoding. It replaces the results
tables ``quality``, ``quality_lowest``, ``quality_counts`` and ``quality_pdq``.
``finhash.quality.LOWEST`` is chosen on one half of the images and checked on the other half. The
command reads the memes that were rendered into ``data/memes``, and takes five minutes.
"""

import io
import math
import os
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import pandas as pd
import pdqhash
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from tqdm import tqdm

from finhash import hash_files, hash_images, thresholds
from finhash.study import project, results
from finhash.study.data import datasets, memes
from finhash.tables.hash_table import HashTable

BY = "finhash.study.accuracy.quality"

METHODS = ("find", "phash256", "dhash256")
"""Methods whose hashes are compared."""

COMMON = 60
"""Distance in bits that is examined for all methods, beside the thresholds of each."""

RADII = {
    method: sorted({COMMON, *(thresholds.threshold(use, method) for use in ("match", "search"))})
    for method in METHODS
}
"""Distances in bits up to which two hashes match, by method."""

SIDE = memes.SIDE
"""Width and height of an image, in pixels."""

ORIGINAL, RECODED = 90, 60
"""JPEG quality of the images, and of their second encoding."""

BINS = (0, 1, 2, 3, 5, 8, 12, 18, 25, 35, 50, 100, 101)
"""Ends of the bins of quality: each begins with a value and ends before the next one."""

CANDIDATES = range(0, 55, 5)
"""Values from which ``LOWEST`` is chosen."""

MOST_FALSE = thresholds.TARGETS["search"]
"""Largest acceptable share of unrelated pairs within FINd's threshold for a search."""

MOST_LOST = 0.01
"""Largest acceptable share of images farther than this threshold from themselves, encoded twice."""

COUNTS = ("pairs", "matches", "images", "lost")
"""What is counted for each quality: columns of ``by_quality``."""

HALVES = ("chosen on", "checked on")
"""What the halves of the images are for, in the order of the parity of their numbers."""


RUN = {"run": results.GENERATED}
"""Provenance of the tables, which do not depend on the data set of the run."""


class Draw(NamedTuple):
    """What an image is drawn from."""

    rng: random.Random
    """Random stream of the image."""

    meme: Image.Image
    """A meme, in RGB. Memes of images with different numbers have different templates."""


def flat(draw: Draw) -> Image.Image:
    """Return an image of one colour."""
    return Image.new("RGB", (SIDE, SIDE), _colour(draw.rng))


def gradient(draw: Draw) -> Image.Image:
    """Return a linear gradient between two colours, in any direction."""
    angle = draw.rng.uniform(0, math.tau)
    rows, cols = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    place = rows * math.sin(angle) + cols * math.cos(angle)
    place = (place - place.min()) / np.ptp(place)
    first, last = (np.array(_colour(draw.rng)) for _ in range(2))
    return Image.fromarray((first + place[..., None] * (last - first)).round().astype(np.uint8))


def noise(draw: Draw) -> Image.Image:
    """Return grey with noise, whose standard deviation is between 0.5 and 50 grey levels."""
    source = np.random.default_rng(draw.rng.getrandbits(64))
    values = source.normal(draw.rng.uniform(50, 205), _spread(draw.rng, 0.5, 50), (SIDE, SIDE))
    return Image.fromarray(values.clip(0, 255).astype(np.uint8)).convert("RGB")


def text(draw: Draw) -> Image.Image:
    """Return 1 to 12 lines of black text on white."""
    image = Image.new("RGB", (SIDE, SIDE), "white")
    pen, rng = ImageDraw.Draw(image), draw.rng
    lines = rng.randint(1, 12)
    font = ImageFont.truetype(io.BytesIO(memes.FONT.read_bytes()), rng.randint(8, 16))
    for line in range(lines):
        words = memes.words(rng, rng.randint(1, 6)).lower()
        pen.text((memes.MARGIN, memes.MARGIN + 20 * line), words, "black", font)
    return image


def clipped(draw: Draw) -> Image.Image:
    """Return a meme as grey values of 16 bits whose values above 255 became white."""
    wide = np.asarray(draw.meme.convert("L"), np.int32) * 257
    return Image.fromarray(wide.clip(0, 255).astype(np.uint8)).convert("RGB")


def meme(draw: Draw) -> Image.Image:
    """Return the meme itself."""
    return draw.meme


def faded(draw: Draw) -> Image.Image:
    """Return a meme blended towards grey; 0.5 to 50 % of its contrast are left."""
    grey = Image.new("RGB", draw.meme.size, (128, 128, 128))
    return Image.blend(grey, draw.meme, _spread(draw.rng, 0.005, 0.5))


def blurred(draw: Draw) -> Image.Image:
    """Return a meme blurred by a Gaussian filter whose radius is 2 to 80 pixels."""
    return draw.meme.filter(ImageFilter.GaussianBlur(_spread(draw.rng, 2, 80)))


KINDS: dict[str, Callable[[Draw], Image.Image]] = {
    "flat": flat,
    "gradient": gradient,
    "noise": noise,
    "text": text,
    "clipped": clipped,
    "faded": faded,
    "blurred": blurred,
    "meme": meme,
}
"""Kinds of images, by name."""


def draw_images(templates: Sequence[Path]) -> Iterator[tuple[str, int, bytes]]:
    """Yield an image of every kind for each meme, as a JPEG file, with its kind and number."""
    for number, path in enumerate(templates):
        with Image.open(path) as file:
            source = file.convert("RGB")
        for kind, function in KINDS.items():
            rng = random.Random(f"{project.SEED} {kind} {number}")
            yield kind, number, _jpeg(function(Draw(rng, source)), ORIGINAL)


def hash_drawn(
    templates: Sequence[Path], workers: int
) -> tuple[pd.DataFrame, dict[str, list[np.ndarray]]]:
    """Hash drawn images, and each once more after a second encoding.

    Parameters
    ----------
    templates : sequence of Path
        One meme of each template.
    workers : int
        Threads.

    Returns
    -------
    images : DataFrame
        One row per image:

        kind : str
            A key of ``KINDS``.
        number : int
            Number of its meme. Images with different numbers are unrelated.
        quality : int
            Quality, 0 to 100.
        pdq : int
            Quality by the package pdqhash.
    hashes : dict of str to list
        By method, the hashes of the images and of those that were encoded twice, each ``uint8
        [n, bits / 8]``.
    """
    facts: list[tuple[str, int, int]] = []

    def files() -> Iterator[tuple[str, bytes]]:
        total = len(templates) * len(KINDS)
        for kind, number, file in tqdm(draw_images(templates), "images", total, leave=False):
            image = Image.open(io.BytesIO(file))
            facts.append((kind, number, pdqhash.compute(np.array(image))[1]))
            yield f"{len(facts)} once", file
            yield f"{len(facts)} twice", _jpeg(image, RECODED)

    table = hash_images(files(), METHODS, workers=workers, progress=False, quality=True)
    images = pd.DataFrame(facts, columns=["kind", "number", "pdq"])
    images = images.assign(quality=_qualities(table)[::2])
    return images, {name: [table.hashes(name)[k::2] for k in (0, 1)] for name in METHODS}


def count_pairs(
    hashes: np.ndarray, quality: np.ndarray, number: np.ndarray, radii: Sequence[int]
) -> np.ndarray:
    """Count pairs of unrelated images by the lower quality of the two.

    Parameters
    ----------
    hashes : ndarray of uint8, shape (n, bits / 8)
        Packed hashes.
    quality : ndarray of int, shape (n,)
        Quality of each image, 0 to 100.
    number : ndarray of int, shape (n,)
        Number of each image. Images of one number are related and are not compared.
    radii : sequence of int, shape (r,)
        Distances in bits.

    Returns
    -------
    ndarray of int, shape (101, 1 + r)
        Pairs by quality, and how many of them are within each distance.

    Examples
    --------
    >>> hashes = np.array([[0], [1], [255]], np.uint8)
    >>> counts = count_pairs(hashes, np.array([5, 3, 3]), np.array([0, 1, 2]), [1])
    >>> counts[3].tolist(), int(counts.sum())
    ([3, 1], 4)
    """
    counts = np.zeros((101, 1 + len(radii)), np.int64)
    for row in range(1, len(hashes)):
        others = number[:row] != number[row]
        distance = np.bitwise_count(hashes[:row] ^ hashes[row]).sum(axis=1, dtype=np.int64)
        lower = np.minimum(quality[:row], quality[row])
        for column, radius in enumerate((hashes.shape[1] * 8, *radii)):
            near = others & (distance <= radius)
            counts[:, column] += np.bincount(lower[near], minlength=101)
    return counts


def by_quality(images: pd.DataFrame, hashes: dict[str, list[np.ndarray]]) -> pd.DataFrame:
    """Measure false matches and lost images by quality, apart for each half and kind.

    Parameters
    ----------
    images, hashes
        As from ``hash_drawn``.

    Returns
    -------
    DataFrame
        One row per half, method, kind, quality and distance:

        half : str
            ``"chosen on"`` or ``"checked on"``: what the images are for.
        method : str
            Method name.
        kind : str
            Kind of both images, or ``"all"`` for pairs of any kinds.
        quality : int
            Lower quality of the two images.
        radius : int
            Distance in bits.
        pairs : int
            Pairs of unrelated images of that quality.
        matches : int
            Pairs within the distance; all are false.
        images : int
            Images of that quality.
        lost : int
            Images that are farther than the distance from themselves, encoded twice.
    """
    found = []
    parts = [(half, kind) for half in (0, 1) for kind in (*KINDS, "all")]
    for half, kind in tqdm(parts, "pairs", unit="part", leave=False):
        chosen = (images["number"] % 2 == half) & ((images["kind"] == kind) | (kind == "all"))
        rows = np.flatnonzero(chosen)
        value, number = (images[name].to_numpy()[rows] for name in ("quality", "number"))
        for method, (first, second) in hashes.items():
            radii = RADII[method]
            pairs = count_pairs(first[rows], value, number, radii)
            distance = np.bitwise_count(first[rows] ^ second[rows]).sum(axis=1, dtype=np.int64)
            present = np.bincount(value, minlength=101)
            for column, radius in enumerate(radii, 1):
                lost = np.bincount(value[distance > radius], minlength=101)
                what = {"half": HALVES[half], "method": method, "kind": kind, "radius": radius}
                counts = dict(zip(COUNTS, (*pairs[:, [0, column]].T, present, lost), strict=True))
                found.append(pd.DataFrame({**what, "quality": range(101), **counts}))
    return pd.concat(found, ignore_index=True)


def binned(counts: pd.DataFrame) -> pd.DataFrame:
    """Add counts up within bins of quality, and leave empty bins out.

    Parameters
    ----------
    counts : DataFrame
        As from ``by_quality``.

    Returns
    -------
    DataFrame
        One row per half, method, kind, distance and bin, with the columns of ``counts``. In place
        of ``quality`` there are:

        first, last : int
            Lowest and highest quality of the bin.
    """
    number = np.digitize(counts["quality"], BINS) - 1
    ends = {"first": np.array(BINS)[number], "last": np.array(BINS)[number + 1] - 1}
    keys = ["half", "method", "kind", "radius", "first", "last"]
    found = counts.assign(**ends).groupby(keys, sort=False)[list(COUNTS)].sum().reset_index()
    return found[found["images"] > 0].reset_index(drop=True)


def candidates(counts: pd.DataFrame) -> pd.DataFrame:
    """Compare images below and from each value that ``LOWEST`` could have.

    Parameters
    ----------
    counts : DataFrame
        As from ``by_quality``.

    Returns
    -------
    DataFrame
        One row per candidate, half, method and distance, for pairs of any kinds:

        lowest : int
            Value of the candidate.
        half, method, radius
            As in ``counts``.
        pairs_below, matches_below, images_below, lost_below : int
            Sums over the qualities below the candidate.
        pairs, matches, images, lost : int
            Sums over the other qualities.
    """
    every = counts[counts["kind"] == "all"]
    found = []
    for lowest in CANDIDATES:
        below = every["quality"] < lowest
        sums = [
            every[rows].groupby(["half", "method", "radius"], sort=False)[list(COUNTS)].sum()
            for rows in (~below, below)
        ]
        table = sums[0].join(sums[1].add_suffix("_below")).fillna(0).astype(int)
        found.append(pd.DataFrame({"lowest": lowest, **table.reset_index()}))
    return pd.concat(found, ignore_index=True)


def choose(table: pd.DataFrame) -> int:
    """Return the smallest candidate that meets ``MOST_FALSE`` and ``MOST_LOST`` for FINd.

    ``table`` is as from ``candidates``; only the half that is for choosing counts.
    """
    keys = {"half": HALVES[0], "method": "find", "radius": thresholds.threshold("search", "find")}
    rows = table[(table[list(keys)] == pd.Series(keys)).all(axis=1)]
    meets = (rows["matches"] <= MOST_FALSE * rows["pairs"]) & (
        rows["lost"] <= MOST_LOST * rows["images"]
    )
    return int(rows.loc[meets, "lowest"].min())


def compare_with_pdq(images: pd.DataFrame) -> pd.DataFrame:
    """Compare the quality with that of pdqhash.

    Parameters
    ----------
    images : DataFrame
        As from ``hash_drawn``.

    Returns
    -------
    DataFrame
        One row per group of images:

        quality_of_pdq : str
            ``"any"``, or ``"below 100"``, where the two are not cut off.
        images : int
            Number of images.
        correlation : float
            Spearman's rank correlation.
        difference : float
            Mean of the quality minus that of pdqhash.
        distance : float
            Mean absolute difference.
    """
    found = []
    for name, part in {"any": images, "below 100": images[images["pdq"] < 100]}.items():
        difference = part["quality"] - part["pdq"]
        correlation = part["quality"].corr(part["pdq"], method="spearman")
        found.append((name, len(part), correlation, difference.mean(), difference.abs().mean()))
    columns = ["quality_of_pdq", "images", "correlation", "difference", "distance"]
    return pd.DataFrame(found, columns=columns)


def load_memes() -> datasets.Dataset:
    """Return the memes that were rendered, whatever the data set of the run is."""
    folder = project.data() / "memes"
    paths = sorted(folder.glob("*_*.jpg"))
    if not paths:
        raise click.ClickException(f"{folder} has no memes: render them as data/README.md says")
    return datasets.Dataset("memes", folder, paths, datasets.TITLES["memes"])


def count_memes(paths: Sequence[Path], workers: int) -> pd.DataFrame:
    """Return how many images (column ``images``) have each ``quality`` that occurs."""
    table = hash_files(paths, ("find",), workers=workers, executor="processes", quality=True)
    counts = np.bincount(_qualities(table), minlength=101)
    found = pd.DataFrame({"quality": range(101), "images": counts})
    return found[found["images"] > 0].reset_index(drop=True)


EXAMPLE = "Example: FINHASH_OUT=. python -m finhash.study.accuracy.quality"


@click.command(epilog=EXAMPLE, context_settings={"show_default": True})
@click.option("--templates", type=click.IntRange(2), help="Templates to use.  [default: all]")
@click.option("--workers", type=click.IntRange(1), default=os.cpu_count(), help="Workers.")
def main(templates: int | None, workers: int) -> None:
    """Measure which quality an image needs for its hash to mean something.

    The tables are written to data/results in the folder FINHASH_OUT, by default build.
    """
    rendered = load_memes()
    firsts = [family[0] for family in rendered.by_family().values()][:templates]
    images, hashes = hash_drawn(firsts, workers)
    counts = by_quality(images, hashes)
    table = candidates(counts)
    about = {"data": f"{len(images):,} images of {len(KINDS)} kinds", "machine": RUN}
    results.save(binned(counts), "quality", by=BY, **about)
    results.save(table, "quality_lowest", by=BY, **about)
    results.save(compare_with_pdq(images), "quality_pdq", by=BY, **about)
    counted = count_memes(rendered.paths, workers)
    results.save(counted, "quality_counts", by=BY, data=rendered, machine=RUN)
    click.echo(table.query("method == 'find'").to_string(index=False))
    click.echo(f"lowest quality: {choose(table)}")


def _colour(rng: random.Random) -> tuple[int, int, int]:
    """Return a random colour."""
    return rng.randint(0, 255), rng.randint(0, 255), rng.randint(0, 255)


def _spread(rng: random.Random, low: float, high: float) -> float:
    """Return a random number whose logarithm is uniformly distributed."""
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def _jpeg(image: Image.Image, encoding: int) -> bytes:
    """Return an image as a JPEG file."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=encoding)
    return file.getvalue()


def _qualities(table: HashTable) -> np.ndarray:
    """Return the quality of all images of a table, which all have hashes."""
    return table.arrow["quality"].to_numpy().astype(np.int64)


if __name__ == "__main__":
    main()
