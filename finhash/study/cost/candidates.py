"""The candidates that notebooks 02 and 03 compare: one function each, same input, same output.

A luma candidate takes the shrunk PIL image to luma ``float64 [rows, cols]``. A box candidate takes
luma to the 64 x 64 samples that the DCT sees, a DCT candidate those to the 16 x 16 coefficients.
``hash_with`` puts any three together, and counting the bits that change says which are exact.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from numba import njit
from PIL import Image
from scipy.ndimage import uniform_filter
from tqdm import tqdm

from finhash.find import compiled, reference
from finhash.find.geometry import half_width, sample_points
from finhash.images import to_rgb

WEIGHTS = np.array([0.299, 0.587, 0.114])


Luma = Callable[[Image.Image], np.ndarray]


Box = Callable[[np.ndarray], np.ndarray]


Dct = Callable[[np.ndarray], np.ndarray]


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


def luma_einsum(image: Image.Image) -> np.ndarray:
    """NumPy's ``einsum``: its own loop, whose order of additions is not promised."""
    return np.einsum("ijk,k->ij", np.asarray(image.convert("RGB")), WEIGHTS)


def luma_integers(image: Image.Image) -> np.ndarray:
    """Integer weights, one division: nearer to the true luma than the published sums are."""
    r, g, b = np.moveaxis(np.asarray(image.convert("RGB"), np.int32), 2, 0)
    return (299 * r + 587 * g + 114 * b) / 1000


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
    return _summed_area(luma)


def _summed_area(values: np.ndarray) -> np.ndarray:
    rows, cols = values.shape
    table = np.zeros((rows + 1, cols + 1), values.dtype)
    table[1:, 1:] = values.cumsum(axis=0).cumsum(axis=1)
    top, bottom = np.array(_windows(rows)).T[:, :, None]
    left, right = np.array(_windows(cols)).T[:, None, :]
    total = table[bottom, right] - table[top, right] - table[bottom, left] + table[top, left]
    return total / ((bottom - top) * (right - left))


def box_uniform(luma: np.ndarray) -> np.ndarray:
    """SciPy's ``uniform_filter``, clipped at the borders by filtering a picture of ones too."""
    size = [2 * half_width(length) for length in luma.shape]

    def summed(values: np.ndarray) -> np.ndarray:
        filtered = uniform_filter(values, size, mode="constant")
        return filtered[np.ix_(*map(sample_points, luma.shape))]

    return summed(luma) / summed(np.ones_like(luma))


def box_integers(luma: np.ndarray) -> np.ndarray:
    """Summed-area table of ``1000 luma`` in integers: exact sums, rounded once at the end."""
    return _summed_area(np.rint(1000 * luma).astype(np.int64)) / 1000


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
    "NumPy einsum": luma_einsum,
    "integers": luma_integers,
    "Pillow L": luma_pillow,
    "Numba": luma_numba,
}
"""Luma candidates by the label that tables and figures show."""


BOX: dict[str, Box] = {
    "reference": box_reference,
    "samples only": box_sampled,
    "shifted copies": box_shifted,
    "summed area": box_summed_area,
    "integer area": box_integers,
    "SciPy uniform": box_uniform,
    "Numba": box_numba,
}
"""Box filter candidates by the label that tables and figures show."""


def dct_reference(samples: np.ndarray) -> np.ndarray:
    """The reference: sums of 64 products in Python loops."""
    return np.array(reference.dct_64_to_16(samples.tolist()))


def dct_matmul(samples: np.ndarray) -> np.ndarray:
    """Two matrix products by BLAS, in an order of its own."""
    return compiled.DCT @ samples @ compiled.DCT_T


DCT: dict[str, Dct] = {
    "reference": dct_reference,
    "NumPy matmul": dct_matmul,
    "Numba": compiled.dct,
}
"""DCT candidates by the label that tables and figures show."""


def hash_with(
    image: Image.Image, luma: Luma = luma_numba, box: Box = box_numba, dct: Dct = compiled.dct
) -> np.ndarray:
    """The packed 256-bit hash with these candidates in place of the reference's steps."""
    return compiled.cut(dct(box(luma(reference.shrink(image)))))


def bits_changed(images: Mapping[str, Image.Image], **candidates: Callable) -> dict[str, int]:
    """Bits of each picture's hash that differ from the deployed kernel's, by picture.

    ``candidates`` are those of ``hash_with``, by the name of their step.
    """
    changed = {}
    for name, image in images.items():
        differ = hash_with(image, **candidates) ^ compiled.hash_rgb(to_rgb(image))
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


def exactness(
    step: str, candidates: Mapping[str, Callable], subjects: Mapping[str, Mapping[str, Image.Image]]
) -> pd.DataFrame:
    """Bits that candidates for ``step`` (luma, box or dct) change, by kind of subject.

    ``contender, kind, pictures, pictures_changed, bits_changed``, against the deployed kernel.
    """
    rows = []
    for name, candidate in tqdm(candidates.items(), "exactness", unit="candidate", leave=False):
        for kind, images in subjects.items():
            changed = list(bits_changed(images, **{step: candidate}).values())
            rows.append((name, kind, len(changed), sum(map(bool, changed)), sum(changed)))
    columns = ["contender", "kind", "images", "images_changed", "bits_changed"]
    return pd.DataFrame(rows, columns=columns)
