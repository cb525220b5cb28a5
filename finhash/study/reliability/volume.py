"""Exactness of the deployed hash, counted on a million images of all sizes.

``FINHASH_OUT=. python -m finhash.study.reliability.volume`` compares the ways in which FINd is
computed with the published order of operations, and replaces the results table ``volume``.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from pathlib import Path

import click
import numpy as np
import pandas as pd
from numpy.random import Generator
from PIL import Image
from tqdm import tqdm

from finhash import hash_images
from finhash.find import compiled, loading, plain, reference, resample
from finhash.find.certificate import MARGIN
from finhash.find.geometry import MAX_SIDE
from finhash.images import to_rgb
from finhash.study import project, results
from finhash.study.cost import shrinking
from finhash.study.data import drawn

BY = "finhash.study.reliability.volume"

IMAGES = 1_000_000
"""Number of images."""

CHECKED = 2_000
"""Number of further images for which the published order is compared with the reference."""

SMALL, WHOLE = 64, 41
"""Longest side of most of these images. Every ``WHOLE``-th one can be as large as the others."""

CHUNK = 500
"""Images per task."""

EVERY = {"NumPy": 53, "grey": 11, "batch": 13}
"""Every how many images other routes than the compiled one are taken. The numbers are prime, so
that images of all kinds, which take turns, are compared.
"""

TEMPLATES = 200
"""Drawn templates, if no memes have been rendered."""

LONGEST = 1536
"""Longest side of images that are shrunk."""

LARGER = "larger"
"""Kind of the images with a side above 512 pixels."""

KINDS = {
    "memes": 4,
    **dict.fromkeys(shrinking.CONTENTS, 5),
    "few colours": 5,
    "ties": 5,
    "near ties": 5,
    LARGER: 1,
}
"""Kinds of images, and their shares in fiftieths.

Coefficients of images of the kinds ``flat``, ``checkers`` and ``ties`` are often equal up to
rounding, so that rounding decides bits.
"""

TURNS = [(kind, turn) for kind, share in KINDS.items() for turn in range(share)]
"""Kind of each image by its number, modulo the length, and its turn among those of its kind."""

ROUTES = ("reference", "compiled", "NumPy", "grey", "batch", "shrunk", "shrunk image")
"""Ways to compute the hash, in the order of the table; ``summary`` describes them."""

COLUMNS = ["kind", "route", "images", "images_changed", "bits", "fallbacks", "first_changed"]
"""Columns of ``summary``."""

Compared = tuple[str, str, int, int, int, int | None, int | None]
"""The columns of ``summary`` for one image."""


def image(number: int, seed: int, largest: int = MAX_SIDE) -> tuple[str, np.ndarray]:
    """Return an image after its kind; it depends on the arguments alone.

    Memes come first as they are, then as parts of them. Among 1,024 successive images of another
    kind but ``ties``, there is one of each height and one of each width from 1 to ``largest``.

    Parameters
    ----------
    number : int
        Number of the image.
    seed : int
        Seed of the random stream.
    largest : int
        Longest side in pixels; the shorter side of images of the kind ``larger``.

    Returns
    -------
    kind : str
        Key of ``KINDS``.
    rgb : ndarray of uint8, shape (rows, cols, 3)
        RGB pixels.

    Examples
    --------
    >>> kind, rgb = image(10, seed=0)
    >>> kind, max(rgb.shape) <= 512, image(49, seed=0)[0]
    ('sparse', True, 'larger')
    """
    rng = np.random.default_rng([seed, number])
    kind, turn = TURNS[number % len(TURNS)]
    place = number // len(TURNS) * KINDS[kind] + turn
    rows, cols = 1 + place % largest, int(rng.integers(1, largest + 1))
    if kind == LARGER:
        cols = int(rng.integers(MAX_SIDE + 1, LONGEST + 1))
    if place // largest % 2:
        rows, cols = cols, rows
    if kind == "memes":
        return kind, _meme(place, seed, rng, rows, cols, whole=largest == MAX_SIDE)
    if kind in shrinking.CONTENTS:
        return kind, _contents(kind, rng, rows, cols)
    return kind, DRAWN[kind](rng, rows, cols)


def compare(numbers: Sequence[int], seed: int) -> list[Compared]:
    """Compare the hashes of some images with those of the published order.

    Parameters
    ----------
    numbers : sequence of int
        Numbers of the images.
    seed : int
        Seed of the images.

    Returns
    -------
    list of tuple
        Columns of ``summary`` for each image and route.

    Examples
    --------
    >>> compare([62], seed=0)
    [('sparse', 'compiled', 1, 0, 0, 0, None)]
    """
    found: list[Compared] = []
    batch: list[tuple[int, str, np.ndarray, np.ndarray]] = []
    for number in numbers:
        kind, rgb = image(number, seed)
        if kind == LARGER:
            whole = Image.fromarray(rgb)
            expected = compiled.published_hash(np.asarray(reference.shrink(whole)))
            found.append(_compiled(number, kind, "shrunk", resample.shrink(rgb), expected))
            shrunk = resample.shrink_image(whole)
            found.append(_compiled(number, kind, "shrunk image", shrunk, expected))
            continue
        expected = compiled.published_hash(rgb)
        found.append(_compiled(number, kind, "compiled", rgb, expected))
        if number % EVERY["NumPy"] == 0:
            found.append(_compared(number, kind, "NumPy", plain.hash_rgb(rgb), expected))
        if number % EVERY["grey"] == 0:
            grey = rgb[:, :, 1]
            found.append(_compiled(number, kind, "grey", grey, compiled.published_hash(grey)))
        if number % EVERY["batch"] == 0:
            batch.append((number, kind, rgb, expected))
    if batch:
        items = [(str(number), rgb) for number, _, rgb, _ in batch]
        hashes = hash_images(items, executor="serial", progress=False).hashes("find")
        for (number, kind, _, expected), packed in zip(batch, hashes, strict=True):
            found.append(_compared(number, kind, "batch", packed, expected))
    return found


def compare_with_reference(numbers: Sequence[int], seed: int) -> list[Compared]:
    """Compare the published order of ``compiled`` with the reference in pure Python.

    Parameters and result are those of ``compare``. Most images have sides of up to ``SMALL``
    pixels, because the reference takes two seconds for the largest.
    """
    found = []
    for number in numbers:
        kind, rgb = image(number, seed, SMALL if (number + 1) % WHOLE else MAX_SIDE)
        whole = Image.fromarray(rgb)
        packed = compiled.published_hash(np.asarray(reference.shrink(whole)))
        expected = np.packbits(reference.find_hash(whole).hash)
        found.append(_compared(number, kind, "reference", packed, expected))
    return found


def summary(rows: Iterable[Compared]) -> pd.DataFrame:
    """Add up comparisons.

    Parameters
    ----------
    rows : iterable of tuple
        Results of ``compare`` and ``compare_with_reference``, or rows of earlier summaries.

    Returns
    -------
    DataFrame
        One row per kind, in the order of ``KINDS``, and route:

        kind : str
            Key of ``KINDS``.
        route : str
            ``"compiled"``, the deployed hash; ``"NumPy"``, which hashes the first images of a
            process; ``"grey"``, the compiled hash of a grey image, the green channel; ``"batch"``,
            ``hash_images``; ``"shrunk"`` and ``"shrunk image"``, the compiled hash after shrinking
            an array and a PIL image by vector operations; ``"reference"``, which compares the
            published order with the reference in pure Python.
        images : int
            Number of images.
        images_changed : int
            Number of images with a differing bit.
        bits : int
            Number of differing bits of all images together.
        fallbacks : int
            Number of images for which the certificate fell back to the published order; empty for
            routes that do not say.
        first_changed : int
            Smallest number of an image with a differing bit; empty if there is none.

    Examples
    --------
    >>> rows = [("flat", "grey", 1, 0, 0, 1, None), ("flat", "grey", 1, 1, 2, 0, 7)]
    >>> summary(rows)
       kind route  images  images_changed  bits  fallbacks  first_changed
    0  flat  grey       2               1     2          1              7
    """
    table = pd.DataFrame(rows, columns=COLUMNS)
    table = table.astype({"fallbacks": "Int64", "first_changed": "Int64"})
    groups = table.groupby(["kind", "route"], sort=False)
    total = groups.sum(min_count=1)
    total["first_changed"] = groups["first_changed"].min()
    order = [*KINDS, *ROUTES]
    return total.reset_index().sort_values(
        ["kind", "route"], key=lambda names: names.map(order.index), ignore_index=True
    )


def measure(count: int, checked: int, seed: int, workers: int) -> pd.DataFrame:
    """Compare images in processes, and return the table of ``summary``.

    Parameters
    ----------
    count : int
        Number of images for ``compare``.
    checked : int
        Number of images for ``compare_with_reference``.
    seed : int
        Seed of the images.
    workers : int
        Number of processes.
    """
    tasks = [partial(compare, numbers, seed) for numbers in _chunks(count, CHUNK)]
    # The reference takes longer, so that its chunks are smaller. They come first.
    slow = [partial(compare_with_reference, chunk, seed) for chunk in _chunks(checked, WHOLE)]
    tasks = slow + tasks
    parts = []
    with (
        project.spawn_pool(workers) as pool,
        tqdm(total=count + checked, desc="volume", unit="image") as bar,
    ):
        for task, part in zip(tasks, pool.map(_summarise, tasks), strict=True):
            parts.append(part)
            bar.update(len(task.args[0]))
    return summary(row for part in parts for row in part.itertuples(index=False))


EXAMPLE = "Example: FINHASH_OUT=. python -m finhash.study.reliability.volume"


@click.command(epilog=EXAMPLE, context_settings={"show_default": True})
@click.option("--images", type=click.IntRange(1), default=IMAGES, help="Number of images.")
@click.option(
    "--checked",
    type=click.IntRange(1),
    default=CHECKED,
    help="Number of images that the reference hashes too.",
)
@click.option("--workers", type=click.IntRange(1), default=os.cpu_count() or 1)
def main(images: int, checked: int, workers: int) -> None:
    """Compare all ways to compute FINd with the published order and save the differences.

    The table is written to data/results in the folder FINHASH_OUT, by default build.
    """
    table = measure(images, checked, project.SEED, workers)
    about = f"{images:,} generated images, {len(_rendered()):,} memes among them"
    results.save(table, "volume", by=BY, data=about, machine={"run": results.GENERATED})
    click.echo(table.to_string(index=False))
    changed = table[table["bits"] > 0]
    if len(changed):
        raise click.ClickException(
            f"{changed['images_changed'].sum():,} images have other bits; "
            f"{BY}.image({changed['first_changed'].min()}, {project.SEED}) is the first"
        )


def _summarise(task: Callable[[], list[Compared]]) -> pd.DataFrame:
    """Run a task in a worker, with the code that is compiled."""
    loading.load()
    return summary(task())


def _chunks(count: int, size: int) -> list[range]:
    """Return the numbers below ``count`` in ranges."""
    return [range(start, min(count, start + size)) for start in range(0, count, size)]


def _compiled(
    number: int, kind: str, route: str, pixels: np.ndarray, expected: np.ndarray
) -> Compared:
    """Compare the compiled hash of pixels with the expected one."""
    fell_back = int(compiled.fast_hash(pixels)[0] <= MARGIN)
    return _compared(number, kind, route, compiled.hash_rgb(pixels), expected, fell_back)


def _compared(
    number: int,
    kind: str,
    route: str,
    packed: np.ndarray,
    expected: np.ndarray,
    fell_back: int | None = None,
) -> Compared:
    """Return the columns of ``summary`` for one hash."""
    bits = int(np.bitwise_count(packed ^ expected).sum())
    return kind, route, 1, int(bits > 0), bits, fell_back, number if bits else None


def _meme(
    place: int, seed: int, rng: Generator, rows: int, cols: int, *, whole: bool
) -> np.ndarray:
    """Return a whole meme, or from the last one on a part of up to ``rows`` x ``cols``."""
    memes = _rendered()
    if not memes:
        return _part(_template(seed, place % TEMPLATES), rng, rows, cols)
    rgb = to_rgb(memes[place % len(memes)])
    return rgb if whole and place < len(memes) else _part(rgb, rng, rows, cols)


def _part(rgb: np.ndarray, rng: Generator, rows: int, cols: int) -> np.ndarray:
    """Return a random part of up to ``rows`` x ``cols`` pixels."""
    top = int(rng.integers(0, max(1, len(rgb) - rows + 1)))
    left = int(rng.integers(0, max(1, rgb.shape[1] - cols + 1)))
    return rgb[top : top + rows, left : left + cols]


@cache
def _rendered() -> list[Path]:
    """Return the memes that a run has rendered, or the drawn ones."""
    folders = (project.data() / name for name in ("memes", "drawn"))
    return next(filter(None, (sorted(folder.glob("*.jpg")) for folder in folders)), [])


@cache
def _template(seed: int, number: int) -> np.ndarray:
    """Return the pixels of a drawn template."""
    return to_rgb(drawn.draw_template(seed, number))


def _contents(kind: str, rng: Generator, rows: int, cols: int) -> np.ndarray:
    """Return contents of ``shrinking``."""
    return shrinking.CONTENTS[kind](rng, rows, cols, 3).reshape(rows, cols, 3)


def _few_colours(rng: Generator, rows: int, cols: int) -> np.ndarray:
    """Return rectangles or single pixels of two to eight random colours."""
    colours = rng.integers(0, 256, (int(rng.integers(2, 9)), 3), dtype=np.uint8)
    height, width = rng.choice([1, 2, 5, 16, 64], 2).tolist()
    indices = rng.integers(0, len(colours), (-(-rows // height), -(-cols // width)))
    return colours[indices.repeat(height, 0).repeat(width, 1)[:rows, :cols]]


def _ties(rng: Generator, rows: int, cols: int) -> np.ndarray:
    """Return an image with a symmetry of ``SYMMETRIES``, applied to noise or few colours."""
    draw = (_few_colours, partial(_contents, "noise"), partial(_contents, "smooth"))
    rgb = draw[int(rng.integers(len(draw)))](rng, rows, cols)
    return SYMMETRIES[int(rng.integers(len(SYMMETRIES)))](rgb, rng)


def _near_ties(rng: Generator, rows: int, cols: int) -> np.ndarray:
    """Return an image of ``_ties`` with one value changed by 1."""
    rgb = np.array(_ties(rng, rows, cols))
    place = tuple(rng.integers(0, rgb.shape))
    rgb[place] ^= 1
    return rgb


def _larger(rng: Generator, rows: int, cols: int) -> np.ndarray:
    """Return any contents of ``shrinking``."""
    return _contents(str(rng.choice(list(shrinking.CONTENTS))), rng, rows, cols)


def _mirrored(rgb: np.ndarray, rng: Generator) -> np.ndarray:
    """Return the image with its right half a mirror image of the left one."""
    half = rgb.shape[1] // 2
    return np.concatenate([rgb[:, : rgb.shape[1] - half], rgb[:, :half][:, ::-1]], axis=1)


def _inverted(rgb: np.ndarray, rng: Generator) -> np.ndarray:
    """Return the image with its right half the negative of a mirror image of the left one."""
    half = rgb.shape[1] // 2
    return np.concatenate([rgb[:, : rgb.shape[1] - half], 255 - rgb[:, :half][:, ::-1]], axis=1)


def _upright(rgb: np.ndarray, rng: Generator) -> np.ndarray:
    """Return the image with its lower half a mirror image of the upper one."""
    return _mirrored(rgb.swapaxes(0, 1), rng).swapaxes(0, 1)


def _diagonal(rgb: np.ndarray, rng: Generator) -> np.ndarray:
    """Return a square that is its own mirror image at the diagonal."""
    square = rgb[: min(rgb.shape[:2]), : min(rgb.shape[:2])]
    return np.maximum(square, square.swapaxes(0, 1))


def _repeated(rgb: np.ndarray, rng: Generator) -> np.ndarray:
    """Return a corner of the image, repeated in both directions."""
    rows, cols = rgb.shape[:2]
    down, across = rng.integers(1, 65, 2)
    return rgb[np.arange(rows) % down][:, np.arange(cols) % across]


def _sum_of_sides(rgb: np.ndarray, rng: Generator) -> np.ndarray:
    """Return the sum of a row and a column; all coefficients are 0 up to rounding."""
    return rgb[:1] // 2 + rgb[:, :1] // 2


def _columns(rgb: np.ndarray, rng: Generator) -> np.ndarray:
    """Return equal rows; all coefficients are 0 up to rounding."""
    return np.broadcast_to(rgb[:1], rgb.shape)


SYMMETRIES = (_mirrored, _inverted, _upright, _diagonal, _repeated, _sum_of_sides, _columns)
"""Functions that make coefficients of an image equal up to rounding."""


DRAWN: dict[str, Callable[[Generator, int, int], np.ndarray]] = {
    "few colours": _few_colours,
    "ties": _ties,
    "near ties": _near_ties,
    LARGER: _larger,
}
"""Functions that draw the images of kinds that ``shrinking`` lacks."""


if __name__ == "__main__":
    main()
