"""The candidates that notebooks 02 and 03 compare: one function each, same input, same output.

A luma candidate takes the shrunk PIL image to luma ``float64 [rows, cols]``. A box candidate takes
luma to the 64 x 64 samples that the DCT sees. ``hash_with`` puts any two together, and counting
the bits that change against the reference says which of them are exact.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numba import njit
from PIL import Image

from finhash.find import compiled, reference
from finhash.find.geometry import half_width, sample_points
from finhash.images import to_rgb

WEIGHTS = np.array([0.299, 0.587, 0.114])

Luma = Callable[[Image.Image], np.ndarray]
Box = Callable[[np.ndarray], np.ndarray]


def luma_getpixel(image: Image.Image) -> np.ndarray:
    """The reference: a Python loop over ``getpixel``."""
    cols, rows = image.size
    return np.array(reference.fill_luma(image)).reshape(rows, cols)


def luma_channels(image: Image.Image) -> np.ndarray:
    """NumPy, one channel at a time: the published products and sums, in the published order."""
    r, g, b = np.moveaxis(np.asarray(image.convert("RGB")), 2, 0)
    return 0.299 * r + 0.587 * g + 0.114 * b


def luma_matmul(image: Image.Image) -> np.ndarray:
    """NumPy's matrix product: BLAS chooses the order and may fuse products with sums."""
    return np.asarray(image.convert("RGB")) @ WEIGHTS


def luma_pillow(image: Image.Image) -> np.ndarray:
    """Pillow's ``convert("L")``: fixed-point weights, rounded to whole grey levels."""
    return np.asarray(image.convert("RGB").convert("L"), float)


def luma_numba(image: Image.Image) -> np.ndarray:
    """The deployed kernel's loop, compiled, in the published order."""
    rgb = np.asarray(image.convert("RGB"))
    return _luma_rows(rgb.reshape(len(rgb), -1))


def box_reference(luma: np.ndarray) -> np.ndarray:
    """The reference: filter every pixel in pure Python, then keep one in fifteen."""
    rows, cols = luma.shape
    blurred = reference.box_filter(luma.ravel().tolist(), rows, cols)
    return np.array(reference.decimate(blurred, rows, cols))


def box_sampled(luma: np.ndarray) -> np.ndarray:
    """Pure Python still, but only the 4,096 windows that decimation keeps."""
    values = luma.tolist()
    samples = []
    for top, bottom in _windows(luma.shape[0]):
        row = []
        for left, right in _windows(luma.shape[1]):
            total = 0.0
            for line in values[top:bottom]:
                for value in line[left:right]:
                    total += value
            row.append(total / ((bottom - top) * (right - left)))
        samples.append(row)
    return np.array(samples)


def box_shifted(luma: np.ndarray) -> np.ndarray:
    """A stack of shifted copies and ``nanmean`` over it: short, and as large as the window."""
    rows, cols = luma.shape
    up, left = half_width(rows), half_width(cols)
    padded = np.pad(luma, ((up, up), (left, left)), constant_values=np.nan)
    copies = [padded[k : k + rows, m : m + cols] for k in range(2 * up) for m in range(2 * left)]
    blurred = np.nanmean(np.stack(copies), axis=0)
    return blurred[np.ix_(sample_points(rows), sample_points(cols))]


def box_summed_area(luma: np.ndarray) -> np.ndarray:
    """Summed-area table: any window from four corners, whatever its size; rounding accumulates."""
    rows, cols = luma.shape
    table = np.zeros((rows + 1, cols + 1))
    table[1:, 1:] = luma.cumsum(axis=0).cumsum(axis=1)
    top, bottom = np.array(_windows(rows)).T[:, :, None]
    left, right = np.array(_windows(cols)).T[:, None, :]
    total = table[bottom, right] - table[top, right] - table[bottom, left] + table[top, left]
    return total / ((bottom - top) * (right - left))


def box_numba(luma: np.ndarray) -> np.ndarray:
    """The deployed kernel's loop, compiled, in the published order."""
    half = half_width(luma.shape[1])
    framed = np.pad(luma, ((0, 0), (half, half)))
    windows = np.array(_windows(luma.shape[0])), np.array(_windows(luma.shape[1]))
    return _box_rows(framed, *windows, np.array(sample_points(luma.shape[1])), 2 * half)


LUMA: dict[str, Luma] = {
    "getpixel": luma_getpixel,
    "NumPy channels": luma_channels,
    "NumPy matmul": luma_matmul,
    "Pillow L": luma_pillow,
    "Numba": luma_numba,
}
"""Luma candidates by the label that tables and figures show."""

BOX: dict[str, Box] = {
    "reference": box_reference,
    "samples only": box_sampled,
    "shifted copies": box_shifted,
    "summed area": box_summed_area,
    "Numba": box_numba,
}
"""Box filter candidates by the label that tables and figures show."""


def hash_with(image: Image.Image, luma: Luma = luma_numba, box: Box = box_numba) -> np.ndarray:
    """The packed 256-bit hash with these candidates in place of the reference's steps."""
    return compiled.pack(compiled.dct(box(luma(reference.shrink(image)))), 256)


def bits_changed(
    images: Mapping[str, Image.Image], luma: Luma = luma_numba, box: Box = box_numba
) -> dict[str, int]:
    """Bits of each picture's hash that differ from the deployed kernel's, by picture."""
    changed = {}
    for name, image in images.items():
        differ = hash_with(image, luma, box) ^ compiled.hash_rgb(to_rgb(image))
        changed[name] = int(np.bitwise_count(differ).sum())
    return changed


def edge_cases() -> dict[str, Image.Image]:
    """Pictures whose coefficients tie but for rounding: flat, striped, checkered, symmetric."""
    y, x = np.mgrid[0:250, 0:250]
    grounds = {
        "flat grey": np.full_like(x, 128),
        "flat black": np.zeros_like(x),
        "halves": np.where(x < 125, 40, 210),
        "stripes": np.where(y // 10 % 2, 30, 220),
        "checker 1": (x + y) % 2 * 255,
        "checker 25": (x // 25 + y // 25) % 2 * 255,
        "ramp": x,
        "cone": np.hypot(x - 124.5, y - 124.5).astype(int),
    }
    pictures = {
        name: Image.fromarray(ground.astype(np.uint8)).convert("RGB")
        for name, ground in grounds.items()
    }
    return {**pictures, "flat colour": Image.new("RGB", (250, 250), (12, 200, 77))}


def _interpreted_dct(samples: np.ndarray) -> np.ndarray:
    return np.packbits(np.array(reference.hash_bits(reference.dct_64_to_16(samples.tolist()))))


def _file_with(luma: Luma, box: Box) -> Callable[[Path], np.ndarray]:
    def hash_file(path: Path) -> np.ndarray:
        with Image.open(path) as image:
            return _interpreted_dct(box(luma(reference.shrink(image))))

    return hash_file


def _reference_file(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.packbits(reference.find_hash(image).hash)


def _deployed_file(path: Path) -> np.ndarray:
    from finhash.methods import get

    return get("find").hash(path)


LADDER: dict[str, Callable[[Path], np.ndarray]] = {
    "reference": _reference_file,
    "+ box filter": _file_with(luma_getpixel, box_numba),
    "+ luma": _file_with(luma_channels, box_numba),
    "+ DCT, fused": _deployed_file,
}
"""File to hash, one optimisation more a rung."""


@njit(cache=True, nogil=True)
def _luma_rows(flat: np.ndarray) -> np.ndarray:
    luma = np.empty((flat.shape[0], flat.shape[1] // 3))
    for i in range(len(flat)):
        compiled.luma_row(flat[i], luma[i])
    return luma


@njit(cache=True, nogil=True)
def _box_rows(
    framed: np.ndarray, rows: np.ndarray, cols: np.ndarray, starts: np.ndarray, width: int
) -> np.ndarray:
    samples = np.zeros((len(rows), len(cols)))
    for i in range(len(rows)):
        for k in range(rows[i, 0], rows[i, 1]):
            compiled.add_row(framed[k], starts, width, samples[i])
        for j in range(len(cols)):
            samples[i, j] /= (rows[i, 1] - rows[i, 0]) * (cols[j, 1] - cols[j, 0])
    return samples


def _windows(size: int) -> list[tuple[int, int]]:
    half = half_width(size)
    return [(max(0, i - half), min(size, i + half)) for i in sample_points(size)]
