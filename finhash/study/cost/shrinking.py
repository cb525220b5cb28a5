"""Exactness of the compiled shrinking, and changes by Pillow's version, counted on many images.

``FINHASH_OUT=. python -m finhash.study.cost.shrinking`` compares FINd's shrinking with that of the
installed Pillow and replaces this version's rows in the results table ``shrinking``. Rows of other
versions stay, so the command is run once in an environment of each version.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache, partial

import click
import numpy as np
import pandas as pd
import PIL
from numpy.random import Generator
from PIL import Image
from tqdm import tqdm

from finhash.find import compiled, resample
from finhash.find.geometry import MAX_SIDE
from finhash.find.thumbnail import thumbnail
from finhash.study import project, results

BY = "finhash.study.cost.shrinking"
COUNT = 21_000
"""Number of images; 24 of 25 are RGB or grey, which the kernel shrinks."""

MODES = ("RGBA", "LA", "P", "CMYK")
"""Other modes, which Pillow always shrinks. They are kinds of images of their own."""

SCREENS = [(720, 1600), (750, 1624), (828, 1792), (1080, 2160), (1080, 2400), (1284, 2778)]
"""Columns and rows of screenshots of phones."""

EXTREME = [
    *[(513, 1), (5000, 1), (514, 2), (5000, 2), (2049, 5), (20_000, 600), (20_000, 3)],
    *[(resample.LONGEST, 3), (resample.LONGEST + 1, 3)],
]
"""Longer and shorter sides of extreme shapes."""

COLUMNS = [
    *["pillow", "kind"],
    *["images", "values", "kernel_values", "kernel_changed", "pillow_values", "pillow_images"],
    *["pillow_largest", "hashes", "bits_mean", "bits_most"],
    *["smooth_images", "smooth_bits_mean", "smooth_bits_most"],
]
"""Columns of ``summary``."""

COMPARED = [
    *["kind", "contents", "values", "kernel_values", "kernel_changed"],
    *["pillow_values", "pillow_largest", "bits"],
]
"""Entries of a row of ``compare``; ``summary`` describes them."""


def image(number: int, seed: int) -> tuple[str, str, Image.Image]:
    """Return an image after its kind and its contents.

    Parameters
    ----------
    number : int
        Number of the image. Kinds take turns.
    seed : int
        Seed of the random stream.

    Returns
    -------
    kind : str
        Key of ``SHAPES``, or one of ``MODES``.
    contents : str
        Key of ``CONTENTS``.
    image : PIL.Image.Image
        At least one of its sides exceeds 512 pixels.

    Examples
    --------
    >>> from finhash.study.cost.shrinking import image
    >>> image(6, seed=0)[0], image(24, seed=0)[2].mode
    ('screenshots', 'RGBA')
    """
    rng = np.random.default_rng([seed, number])
    turn, other = divmod(number, 25)
    contents = str(rng.choice(list(CONTENTS)))
    if other == 24:
        mode = MODES[turn % len(MODES)]
        size = _turned(rng, (_side(rng, 513, 4000), _side(rng, 64, 4000)))
        return mode, contents, _of_mode(mode, contents, rng, size)
    kind = list(SHAPES)[number % len(SHAPES)]
    size = SHAPES[kind](rng)
    return kind, contents, _pixels(contents, rng, size, channels=3 if rng.random() < 0.6 else 1)


def images(count: int, seed: int) -> Iterator[tuple[str, str, Image.Image]]:
    """Yield the first ``count`` images after their kinds and contents; see ``image``."""
    for number in range(count):
        yield image(number, seed)


def compare(number: int, kind: str, contents: str, one: Image.Image) -> tuple:
    """Return a row of ``COMPARED``: an image shrunk by FINd's definition, kernel and Pillow.

    Only images of mode RGB or L are shrunk by the kernel. If ``number`` is a multiple of ten, the
    kernel that reads a PIL image is compared too. ``one`` is shrunk in place.
    """
    defined = thumbnail(one)
    expected = np.asarray(defined)
    kernels = []
    if kind not in MODES:
        kernels.append(resample.shrink(np.asarray(one)))
        if number % 10 == 0:
            kernels.append(resample.shrink_image(one))
    one.thumbnail((MAX_SIDE, MAX_SIDE))
    difference = _difference(np.asarray(one), expected)
    bits = 0
    if difference.any():
        ours = kernels[0] if kernels else np.asarray(defined.convert("RGB"))
        theirs = np.asarray(one if kernels else one.convert("RGB"))
        pair = compiled.hash_rgb(ours), compiled.hash_rgb(theirs)
        bits = int(np.bitwise_count(pair[0] ^ pair[1]).sum())
    return (
        kind,
        contents,
        expected.size,
        len(kernels) * expected.size,
        sum(np.count_nonzero(_difference(kernel, expected)) for kernel in kernels),
        np.count_nonzero(difference),
        int(difference.max()),
        bits,
    )


def summary(rows: Iterable[tuple]) -> pd.DataFrame:
    """Add up the comparisons of each kind of image.

    Parameters
    ----------
    rows : iterable of tuple
        Results of ``compare``.

    Returns
    -------
    DataFrame
        One row per kind, in the order of ``SHAPES`` and ``MODES``:

        pillow : str
            Version of Pillow.
        kind : str
            Kind of the images.
        images : int
            Number of images.
        values : int
            Number of channel values after shrinking.
        kernel_values : int
            Number of channel values that the kernel computed, from arrays and from PIL images; 0 if
            it does not shrink this kind.
        kernel_changed : int
            Number of the kernel's values that differ from ``thumbnail``'s.
        pillow_values : int
            Number of the installed Pillow's values that differ from ``thumbnail``'s.
        pillow_images : int
            Number of images with such a value.
        pillow_largest : int
            Largest difference of a value, of 255.
        hashes : int
            Number of images whose hash changes if the installed Pillow shrinks them.
        bits_mean, bits_most : float, int
            Mean and largest number of bits that change, among the images that differ in a value;
            0 if there are none.
        smooth_images, smooth_bits_mean, smooth_bits_most : int, float, int
            As ``pillow_images``, ``bits_mean`` and ``bits_most``, for smooth noise only. It
            resembles photographs, whereas many bits of regular patterns depend on rounding.
    """
    table = pd.DataFrame(rows, columns=COMPARED)
    found = []
    for kind in [*SHAPES, *MODES]:
        own = table[table["kind"] == kind]
        if own.empty:
            continue
        bits = own.loc[own["pillow_values"] > 0, "bits"]
        smooth = bits[own["contents"] == "smooth"]
        sums = own[["values", "kernel_values", "kernel_changed", "pillow_values"]].sum()
        largest, hashes = own["pillow_largest"].max(), (bits > 0).sum()
        row = [PIL.__version__, kind, len(own), *sums, len(bits), largest, hashes]
        found.append([*row, *_mean_and_most(bits), len(smooth), *_mean_and_most(smooth)])
    return pd.DataFrame(found, columns=COLUMNS)


def measure(count: int, seed: int, workers: int) -> pd.DataFrame:
    """Return ``summary`` of the first ``count`` images, compared by ``workers`` processes."""
    with project.spawn_pool(workers) as pool:
        found = pool.map(partial(_compare_one, seed=seed), range(count), chunksize=16)
        return summary(list(tqdm(found, "shrinking", count, unit="image")))


def save(table: pd.DataFrame, count: int) -> pd.DataFrame:
    """Save the rows of the installed Pillow, keep those of other versions, and return all rows.

    The provenance says for each version when and from which commit its rows were made.
    """
    facts = {}
    if results.exists("shrinking"):
        earlier, known = results.load("shrinking"), results.load_provenance("shrinking")
        facts = {key: value for key, value in known.items() if key.startswith("rows of ")}
        table = pd.concat([earlier[earlier["pillow"] != PIL.__version__], table])
        table = table.sort_values("pillow", kind="stable", ignore_index=True)
    today = datetime.now(UTC).date().isoformat()
    facts[f"rows of Pillow {PIL.__version__}"] = f"{today}, commit {results.commit()}"
    about = {"data": f"{count:,} generated images", "machine": facts | {"run": results.GENERATED}}
    return results.save(table, "shrinking", by=BY, **about)


EXAMPLE = "Example: FINHASH_OUT=. python -m finhash.study.cost.shrinking"


@click.command(epilog=EXAMPLE, context_settings={"show_default": True})
@click.option("--count", type=click.IntRange(1), default=COUNT, help="Number of images.")
def main(count: int) -> None:
    """Compare FINd's shrinking with the installed Pillow's and save the table of differences.

    The table is written to data/results in the folder FINHASH_OUT, by default build.
    """
    table = measure(count, project.SEED, os.cpu_count() or 1)
    save(table, count)
    click.echo(table.to_string(index=False))
    changed = table["kernel_changed"].sum()
    if changed:
        raise click.ClickException(f"{changed:,} values of the kernel are not those of thumbnail")


def _compare_one(number: int, seed: int) -> tuple:
    """Return a row of ``COMPARED`` for an image of ``images``."""
    return compare(number, *image(number, seed))


def _mean_and_most(bits: pd.Series) -> tuple[float, int]:
    """Return the mean and the largest number of bits; 0 if there are none."""
    return (float(bits.mean()), int(bits.max())) if len(bits) else (0.0, 0)


def _difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the absolute differences of two uint8 arrays; 255 everywhere if the shapes differ."""
    if one.shape != other.shape:
        return np.full(max(one.size, other.size), 255, np.uint8)
    return np.maximum(one, other) - np.minimum(one, other)


def _side(rng: Generator, low: int, high: int) -> int:
    """Return a side between ``low`` and ``high``; each doubling is equally likely."""
    return int(np.exp(rng.uniform(np.log(low), np.log(high + 1))))


def _turned(rng: Generator, size: tuple[int, int]) -> tuple[int, int]:
    """Return columns and rows, swapped for half of all images."""
    return size if rng.random() < 0.5 else size[::-1]


def _large(rng: Generator) -> tuple[int, int]:
    """Return two sides of 513 to 5,000 pixels."""
    return _side(rng, 513, 5000), _side(rng, 513, 5000)


def _narrow(rng: Generator) -> tuple[int, int]:
    """Return one side of 513 to 5,000 pixels, and one of at most 512."""
    return _turned(rng, (_side(rng, 513, 5000), _side(rng, 1, 512)))


def _slight(rng: Generator) -> tuple[int, int]:
    """Return a longer side of 513 to 600 pixels: the image is hardly shrunk."""
    return _turned(rng, (_side(rng, 513, 600), _side(rng, 1, 600)))


def _limits(rng: Generator) -> tuple[int, int]:
    """Return sides near those at which Pillow starts to average more pixels."""
    longer = int(rng.choice(np.arange(1, 9))) * 1024 + int(rng.integers(-2, 3))
    shorter = longer / rng.choice([1, 4 / 3, 1.5, 2, 3, 10]) + rng.integers(-2, 3)
    return _turned(rng, (longer, max(1, min(longer, int(shorter), 3000))))


def _averaged(rng: Generator) -> tuple[int, int]:
    """Return sides of a thin image; 1 to 9 pixels are averaged along the longer side.

    The shorter side is a few pixels after shrinking, so that rounding it decides how many pixels
    are averaged across.
    """
    factor = int(rng.integers(1, 10))
    longer = int(rng.integers(max(513, 1024 * factor), 1024 * (factor + 1)))
    return _turned(rng, (longer, _side(rng, 1, 24 * factor)))


def _extreme(rng: Generator) -> tuple[int, int]:
    """Return a shape of ``EXTREME``, or a long and thin one."""
    if rng.random() < 0.3:
        longer, shorter = EXTREME[rng.integers(len(EXTREME))]
    else:
        longer, shorter = _side(rng, 5000, 20_000), _side(rng, 1, 600)
    return _turned(rng, (longer, shorter))


def _screenshot(rng: Generator) -> tuple[int, int]:
    """Return columns and rows of a phone's screenshot; a third of them continue downwards."""
    cols, rows = SCREENS[rng.integers(len(SCREENS))]
    return cols, rows if rng.random() < 2 / 3 else _side(rng, rows, 3 * rows)


SHAPES: dict[str, Callable[[Generator], tuple[int, int]]] = {
    "large": _large,
    "narrow": _narrow,
    "slight": _slight,
    "limits": _limits,
    "averaged": _averaged,
    "extreme": _extreme,
    "screenshots": _screenshot,
}
"""Functions that draw columns and rows, by kind of image."""


def _of_mode(mode: str, contents: str, rng: Generator, size: tuple[int, int]) -> Image.Image:
    """Return an image of one of ``MODES``; its last channel has contents of its own."""
    if mode == "P":
        indices = _pixels(contents, rng, size, channels=1)
        indices.putpalette(rng.bytes(768))
        return indices
    colours = _pixels(contents, rng, size, channels=len(mode) - 1)
    last = _pixels(str(rng.choice(list(CONTENTS))), rng, size, channels=1)
    return Image.merge(mode, (*colours.split(), last))


def _pixels(contents: str, rng: Generator, size: tuple[int, int], channels: int) -> Image.Image:
    """Return an RGB or grey image of random contents."""
    cols, rows = size
    made = CONTENTS[contents](rng, rows, cols, channels)
    return Image.fromarray(made.reshape((rows, cols, 3) if channels == 3 else (rows, cols)))


def _noise(rng: Generator, rows: int, cols: int, channels: int) -> np.ndarray:
    """Return evenly distributed values, a part of a fixed stream that is repeated if needed."""
    return _repeated(_stream(), rng, rows * cols * channels)


def _sparse(rng: Generator, rows: int, cols: int, channels: int) -> np.ndarray:
    """Return rare values of 255 among zeros, or the reverse; weighted sums then exceed 0..255."""
    spikes = _repeated(_spikes(), rng, rows * cols * channels)
    return spikes if rng.random() < 0.5 else ~spikes


def _smooth(rng: Generator, rows: int, cols: int, channels: int) -> np.ndarray:
    """Return noise whose amplitude falls with its frequency, as that of photographs does."""
    photo = _photo(channels)
    top, left = rng.integers(0, len(photo), 2)
    down = (top + np.arange(rows)) % len(photo)
    across = (left + np.arange(cols)) % len(photo)
    return photo.take(down, axis=0).take(across, axis=1)


def _flat(rng: Generator, rows: int, cols: int, channels: int) -> np.ndarray:
    """Return one colour."""
    return np.broadcast_to(_colour(rng, channels), (rows * cols, channels)).copy()


def _checkers(rng: Generator, rows: int, cols: int, channels: int) -> np.ndarray:
    """Return rectangles, or stripes if they are larger than the image, in two colours."""
    width, height = rng.choice([1, 2, 3, 4, 7, 10**6], 2)
    colours = np.stack([_colour(rng, channels), _colour(rng, channels)])
    row = np.arange(cols) // width % 2
    both = colours[np.stack([row, 1 - row])]
    return both[np.arange(rows) // height % 2]


def _gradient(rng: Generator, rows: int, cols: int, channels: int) -> np.ndarray:
    """Return values that rise evenly in both directions and start again at 0 after 255."""
    across, down = rng.uniform(0, 4, 2)
    row = np.arange(cols)[:, None] * across + _colour(rng, channels)
    rising = (row % 256).astype(np.uint8).ravel()
    return rising + (np.arange(rows) * down % 256).astype(np.uint8)[:, None]


CONTENTS: dict[str, Callable[[Generator, int, int, int], np.ndarray]] = {
    "noise": _noise,
    "sparse": _sparse,
    "smooth": _smooth,
    "flat": _flat,
    "checkers": _checkers,
    "gradient": _gradient,
}
"""Functions that draw pixels from rows, columns and channels, by kind of contents."""


def _colour(rng: Generator, channels: int) -> np.ndarray:
    """Return a random value per channel; often 0 or 255."""
    even = rng.integers(0, 256, channels, dtype=np.uint8)
    return even if rng.random() < 0.5 else np.where(even < 128, 0, 255).astype(np.uint8)


def _repeated(stream: np.ndarray, rng: Generator, size: int) -> np.ndarray:
    """Return ``size`` values of a stream from a random place on."""
    start = rng.integers(0, len(stream))
    if start + size <= len(stream):
        return stream[start : start + size].copy()
    return np.resize(stream, size)


@lru_cache(maxsize=1)
def _stream() -> np.ndarray:
    """Return about 16 million random values; their number is odd, so rows do not repeat."""
    return np.random.default_rng(0).integers(0, 256, (1 << 24) + 43, dtype=np.uint8)


@lru_cache(maxsize=1)
def _spikes() -> np.ndarray:
    """Return 255 in 2 % of all places, and 0 elsewhere."""
    return np.where(_stream() > 250, 255, 0).astype(np.uint8)


@lru_cache(maxsize=2)
def _photo(channels: int, side: int = 1536) -> np.ndarray:
    """Return a square of smooth noise that continues at the opposite edge."""
    rng = np.random.default_rng(channels)
    y, x = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)
    falling = 1 / np.maximum(np.hypot(x, y), 1 / side)
    planes = []
    for _ in range(channels):
        spectrum = np.fft.rfft2(rng.standard_normal((side, side))) * falling
        plane = np.fft.irfft2(spectrum, (side, side))
        planes.append(128 + 64 * plane / plane.std())
    return np.stack(planes, axis=2).clip(0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
