"""pHash made as fast as FINd is: what remains of FINd's lead once both are tuned.

The study tunes FINd and takes the other hashes as their packages have them, so part of FINd's lead
is tuning. Here pHash of 256 bits gets the same treatment, in two steps, neither of which changes a
bit of ``imagehash.phash``:

1. **Libraries only.** The JPEG is decoded by simplejpeg, and only the 256 coefficients that are
   kept are computed, by two products of matrices. Pillow still converts and resizes the image.
2. **Compiled.** Numba converts and resizes the image in the integers of Pillow: luma is a weighted
   sum with 16 fractional bits. The width is resized first, then the height, with the weights of a
   Lanczos filter, rounded to 22 fractional bits. Pillow 13 starts with the height of some tall
   images, so all tall images are left to Pillow.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import simplejpeg
from PIL import Image

from finhash import methods
from finhash.jit import kernel
from finhash.study import timing

SIDE = 64
"""Pixels per side to which pHash of 256 bits resizes an image."""

KEPT = 16
"""Coefficients per side that pHash keeps, the constant one included."""

FRACTION = 22
"""Fractional bits of Pillow's weights."""

SUPPORT = 3
"""Half the width of the Lanczos filter, in pixels of the smaller image."""

STOCK = "pHash of imagehash"
"""Contender whose hashes the tuned ones must equal."""


def with_libraries(path: Path) -> np.ndarray:
    """Hash a JPEG file with simplejpeg, Pillow's resizing and a product of matrices."""
    return _bits(pillow_luma(_decode(path)))


def compiled(path: Path) -> np.ndarray:
    """Hash a JPEG file with simplejpeg, compiled resizing and a product of matrices."""
    return _bits(small_luma(_decode(path)))


CONTENDERS: dict[str, Callable[[Path], np.ndarray]] = {
    STOCK: methods.get("phash256").hash,
    "pHash, libraries only": with_libraries,
    "pHash, compiled": compiled,
    "FINd": methods.get("find").hash,
}
"""Functions from JPEG file to packed hash."""


def pillow_luma(rgb: np.ndarray) -> np.ndarray:
    """Return the 64 x 64 luma samples that ``imagehash.phash`` transforms, by Pillow."""
    image = Image.frombuffer("RGB", rgb.shape[1::-1], rgb, "raw", "RGB", 0, 1)
    return np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def small_luma(rgb: np.ndarray) -> np.ndarray:
    """Return the samples of ``pillow_luma``, compiled, as ``uint8 [64, 64]``.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (rows, cols, 3)
        Pixels of any size.

    Examples
    --------
    >>> small_luma(np.full((90, 120, 3), 7, np.uint8)).mean()
    np.float64(7.0)
    """
    rows, cols = rgb.shape[:2]
    if rows > cols:
        return pillow_luma(rgb)
    small: np.ndarray = _resize(rgb, *_weights(cols), *_weights(rows))
    return small


def times(paths: Sequence[Path], repeats: int) -> pd.DataFrame:
    """Time FINd, stock pHash and tuned pHash from file to hash, in alternation.

    Parameters
    ----------
    paths : sequence of Path
        JPEG files in grey or YCbCr.
    repeats : int
        Number of warm samples per contender.

    Returns
    -------
    DataFrame
        Result of ``timing.time_calls``; ``seconds`` is the time per image.
    """
    calls = {name: timing.over(call, paths) for name, call in CONTENDERS.items()}
    return timing.time_calls(calls, repeats, items=len(paths))


def changed_hashes(paths: Sequence[Path]) -> dict[str, int]:
    """Count the images whose tuned pHash differs from that of imagehash, by contender."""
    expected = [CONTENDERS[STOCK](path) for path in paths]
    tuned = {name: call for name, call in CONTENDERS.items() if name not in (STOCK, "FINd")}
    return {
        name: sum(
            not np.array_equal(call(path), own) for path, own in zip(paths, expected, strict=True)
        )
        for name, call in tuned.items()
    }


def summary(timings: pd.DataFrame, changed: Mapping[str, int], images: int) -> pd.DataFrame:
    """Summarise the cost of the contenders.

    Parameters
    ----------
    timings : DataFrame
        Result of ``times``.
    changed : mapping of str to int
        Result of ``changed_hashes``.
    images : int
        Number of images compared there.

    Returns
    -------
    DataFrame
        One row per contender:

        contender : str
            Name of the contender.
        ms : float
            Median time per image from file to hash, in milliseconds.
        low, high : float
            Quartiles of the time, in milliseconds.
        ratio : float
            Median time divided by that of FINd.
        images : int
            Number of images compared with imagehash.
        changed : float
            Number of these whose hash differs; missing for FINd and for imagehash itself.
    """
    warm = timings[timings["state"] == "warm"].groupby("contender", sort=False)["seconds"]
    table = (warm.quantile([0.5, 0.25, 0.75]).unstack() * 1e3).loc[list(CONTENDERS)]
    table.columns = ["ms", "low", "high"]
    table["ratio"] = table["ms"] / table["ms"]["FINd"]
    return table.assign(images=images, changed=pd.Series(changed, dtype=float)).reset_index()


def _decode(path: Path) -> np.ndarray:
    """Decode a JPEG file to the RGB pixels that Pillow returns."""
    return simplejpeg.decode_jpeg(path.read_bytes(), "RGB", fastdct=False, fastupsample=False)


def _bits(samples: np.ndarray) -> np.ndarray:
    """Return the packed bits of 64 x 64 samples: coefficients above the median of the 256 kept."""
    kept = (_BASIS @ samples.astype(np.float64) @ _BASIS.T).ravel()
    middle = np.partition(kept, (kept.size // 2 - 1, kept.size // 2))[kept.size // 2 - 1 :][:2]
    return np.packbits(kept > middle.mean())


_BASIS = np.cos(np.pi / SIDE * np.arange(KEPT)[:, None] * (np.arange(SIDE) + 0.5))
"""The first 16 rows of the DCT-II matrix."""


@functools.lru_cache(maxsize=64)
def _weights(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return first pixel, number of pixels and weights of each of the 64 samples along a side."""
    scale = size / SIDE
    stretch = max(scale, 1.0)
    centre = (np.arange(SIDE) + 0.5) * scale
    first = np.maximum((centre - SUPPORT * stretch + 0.5).astype(np.int64), 0)
    count = np.minimum((centre + SUPPORT * stretch + 0.5).astype(np.int64), size) - first
    tap = np.arange(count.max())
    x = (tap + first[:, None] - centre[:, None] + 0.5) * (1.0 / stretch)
    weight = np.where(np.abs(x) < SUPPORT, np.sinc(x) * np.sinc(x / SUPPORT), 0.0)
    weight[tap >= count[:, None]] = 0.0
    # A cumulative sum adds in order, as Pillow does; ``sum`` would add in pairs.
    weight = weight / np.cumsum(weight, axis=1)[:, -1:] * 2**FRACTION
    return first, count, (weight + np.copysign(0.5, weight)).astype(np.int32)


@kernel
def _resize(
    rgb: np.ndarray,
    first_x: np.ndarray,
    count_x: np.ndarray,
    weight_x: np.ndarray,
    first_y: np.ndarray,
    count_y: np.ndarray,
    weight_y: np.ndarray,
) -> np.ndarray:
    """Convert pixels to luma and resize them to 64 x 64, with Pillow's roundings."""
    rows, cols, _ = rgb.shape
    luma = np.empty((cols, rows), np.int32)  # transposed, so that the loops below are vectorised
    for r in range(rows):
        for c in range(cols):
            red, green, blue = (
                np.int32(rgb[r, c, 0]),
                np.int32(rgb[r, c, 1]),
                np.int32(rgb[r, c, 2]),
            )
            luma[c, r] = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
    narrow = np.empty((rows, SIDE), np.int32)
    total = np.empty(rows, np.int32)
    for x in range(SIDE):
        total[:] = 1 << (FRACTION - 1)
        for k in range(count_x[x]):
            weight, column = weight_x[x, k], luma[first_x[x] + k]
            for r in range(rows):
                total[r] += weight * column[r]
        for r in range(rows):
            narrow[r, x] = min(max(total[r] >> FRACTION, 0), 255)
    small = np.empty((SIDE, SIDE), np.uint8)
    sums = np.empty(SIDE, np.int32)
    for y in range(SIDE):
        sums[:] = 1 << (FRACTION - 1)
        for k in range(count_y[y]):
            weight, row = weight_y[y, k], narrow[first_y[y] + k]
            for x in range(SIDE):
                sums[x] += weight * row[x]
        for x in range(SIDE):
            small[y, x] = min(max(sums[x] >> FRACTION, 0), 255)
    return small
