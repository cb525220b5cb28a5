"""Alternative implementations of FINd's steps, compared in notebooks 02 and 03.

A luma candidate maps a shrunk PIL image to luma, ``float64 [rows, cols]``. A box candidate maps
luma to the 64 x 64 samples that the DCT reads. A DCT candidate maps the samples to the 16 x 16
coefficients. ``hash_with`` combines any three of them into a hash; a candidate is exact if no bit
of the hash changes.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from scipy.ndimage import uniform_filter
from tqdm import tqdm

from finhash.find import compiled, geometry, reference
from finhash.find.geometry import half_width, sample_points
from finhash.images import open_image, to_rgb
from finhash.jit import kernel

WEIGHTS = np.array([0.299, 0.587, 0.114])
"""Published weights of red, green and blue in luma."""

Luma = Callable[[Image.Image], np.ndarray]
Box = Callable[[np.ndarray], np.ndarray]
Dct = Callable[[np.ndarray], np.ndarray]


def luma_getpixel(image: Image.Image) -> np.ndarray:
    """Call ``getpixel`` in a Python loop, as the reference does."""
    cols, rows = image.size
    return np.array(reference.fill_luma(image)).reshape(rows, cols)


def luma_channels(image: Image.Image) -> np.ndarray:
    """Weight and add the channels with NumPy, in the published order."""
    r, g, b = np.moveaxis(np.asarray(image.convert("RGB")), 2, 0)
    return 0.299 * r + 0.587 * g + 0.114 * b


def luma_matmul(image: Image.Image) -> np.ndarray:
    """Multiply by the weights with BLAS, which may reorder and fuse the operations."""
    return np.asarray(image.convert("RGB")) @ WEIGHTS


def luma_pillow(image: Image.Image) -> np.ndarray:
    """Convert with Pillow, which uses fixed-point weights and rounds to whole grey levels."""
    return np.asarray(image.convert("RGB").convert("L"), float)


def luma_einsum(image: Image.Image) -> np.ndarray:
    """Multiply by the weights with ``einsum``, whose order of additions is not specified."""
    return np.einsum("ijk,k->ij", np.asarray(image.convert("RGB")), WEIGHTS)


def luma_integers(image: Image.Image) -> np.ndarray:
    """Add integer products and divide once, which rounds less than the published sums."""
    r, g, b = np.moveaxis(np.asarray(image.convert("RGB"), np.int32), 2, 0)
    return (299 * r + 587 * g + 114 * b) / 1000


def luma_numba(image: Image.Image) -> np.ndarray:
    """Compute luma with the compiled loop of the fallback path, in the published order."""
    rgb = np.asarray(image.convert("RGB"))
    return _luma_rows(rgb.reshape(len(rgb), -1))


def box_reference(luma: np.ndarray) -> np.ndarray:
    """Filter every pixel in Python loops and then decimate, as the reference does."""
    rows, cols = luma.shape
    blurred = reference.box_filter(luma.ravel().tolist(), rows, cols)
    return np.array(reference.decimate(blurred, rows, cols))


def box_sampled(luma: np.ndarray) -> np.ndarray:
    """Add up, in Python loops, only the 4,096 windows that decimation keeps."""
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
    """Average a stack of shifted copies; memory grows with the area of the window."""
    rows, cols = luma.shape
    up, left = half_width(rows), half_width(cols)
    padded = np.pad(luma, ((up, up), (left, left)), constant_values=np.nan)
    copies = [padded[k : k + rows, m : m + cols] for k in range(2 * up) for m in range(2 * left)]
    blurred = np.nanmean(np.stack(copies), axis=0)
    return blurred[np.ix_(sample_points(rows), sample_points(cols))]


def box_summed_area(luma: np.ndarray) -> np.ndarray:
    """Compute each window from four values of a summed-area table of floats.

    The cost does not depend on the size of the window, but rounding errors accumulate.
    """
    return _summed_area(luma)


def box_uniform(luma: np.ndarray) -> np.ndarray:
    """Filter with SciPy; dividing by a filtered image of ones clips the windows at the borders."""
    size = [2 * half_width(length) for length in luma.shape]

    def summed(values: np.ndarray) -> np.ndarray:
        filtered = uniform_filter(values, size, mode="constant")
        return filtered[np.ix_(*map(sample_points, luma.shape))]

    return summed(luma) / summed(np.ones_like(luma))


def box_integers(luma: np.ndarray) -> np.ndarray:
    """Compute windows from a summed-area table of ``1000 * luma`` in integers, which is exact."""
    return _summed_area(np.rint(1000 * luma).astype(np.int64)) / 1000


def box_numba(luma: np.ndarray) -> np.ndarray:
    """Sum windows with the compiled loop of the fallback path, in the published order."""
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
"""Luma candidates, by the label that tables and figures show."""

BOX: dict[str, Box] = {
    "reference": box_reference,
    "samples only": box_sampled,
    "shifted copies": box_shifted,
    "summed area": box_summed_area,
    "integer area": box_integers,
    "SciPy uniform": box_uniform,
    "Numba": box_numba,
}
"""Box filter candidates, by the label that tables and figures show."""


def dct_reference(samples: np.ndarray) -> np.ndarray:
    """Add 64 products per value in Python loops, as the reference does."""
    return np.array(reference.dct_64_to_16(samples.tolist()))


def dct_matmul(samples: np.ndarray) -> np.ndarray:
    """Compute two matrix products with BLAS, which chooses the order of additions."""
    return geometry.DCT @ samples @ geometry.DCT_T


DCT: dict[str, Dct] = {
    "reference": dct_reference,
    "NumPy matmul": dct_matmul,
    "Numba": compiled.dct,
}
"""DCT candidates, by the label that tables and figures show."""


def hash_with(
    image: Image.Image, luma: Luma = luma_numba, box: Box = box_numba, dct: Dct = compiled.dct
) -> np.ndarray:
    """Hash an image with the given candidates.

    Parameters
    ----------
    image : Image
        Image to hash.
    luma, box, dct : callable
        Candidates for the three steps.

    Returns
    -------
    ndarray of uint8, shape (32,)
        Packed 256-bit hash.
    """
    return compiled.cut(dct(box(luma(reference.shrink(image)))))


def bits_changed(images: Mapping[str, Image.Image], **candidates: Callable) -> dict[str, int]:
    """Count the bits of each image's hash that differ from the deployed hash.

    Parameters
    ----------
    images : mapping of name to Image
        Images to hash.
    **candidates : callable
        Arguments of ``hash_with``: candidates by the name of their step.

    Returns
    -------
    dict
        Number of bits by the name of the image.
    """
    changed = {}
    for name, image in images.items():
        differ = hash_with(image, **candidates) ^ compiled.hash_rgb(to_rgb(image))
        changed[name] = int(np.bitwise_count(differ).sum())
    return changed


def exactness(
    step: str, candidates: Mapping[str, Callable], subjects: Mapping[str, Mapping[str, Image.Image]]
) -> pd.DataFrame:
    """Count the bits that candidates change against the deployed hash.

    Parameters
    ----------
    step : {"luma", "box", "dct"}
        Step that the candidates implement.
    candidates : mapping of name to callable
        Candidates, such as ``LUMA``.
    subjects : mapping of kind to mapping of name to Image
        Images by kind.

    Returns
    -------
    DataFrame
        One row per candidate and kind:

        contender : str
            Name of the candidate.
        kind : str
            Kind of the images.
        images : int
            Number of images.
        images_changed : int
            Number of images with at least one changed bit.
        bits_changed : int
            Number of changed bits in all hashes together.
    """
    rows = []
    for name, candidate in tqdm(candidates.items(), "exactness", unit="candidate", leave=False):
        for kind, images in subjects.items():
            changed = list(bits_changed(images, **{step: candidate}).values())
            rows.append((name, kind, len(changed), sum(map(bool, changed)), sum(changed)))
    columns = ["contender", "kind", "images", "images_changed", "bits_changed"]
    return pd.DataFrame(rows, columns=columns)


def subjects(paths: Sequence[Path], side: int) -> dict[str, dict[str, Image.Image]]:
    """Return images for ``exactness``: of files (``set``), and whose coefficients tie (``edge``).

    Images of other sizes are resized to squares of ``side`` pixels.
    """
    kinds = {"set": {path.name: open_image(path) for path in paths}, "edge": edge_cases()}
    return {
        kind: {name: image.resize((side, side)) for name, image in images.items()}
        for kind, images in kinds.items()
    }


def edge_cases() -> dict[str, Image.Image]:
    """Return images whose DCT coefficients are equal up to rounding.

    Flat, striped, chequered and symmetric images provoke ties at the median, where any change of
    rounding can change bits.
    """
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
    images = {
        name: Image.fromarray(ground.astype(np.uint8)).convert("RGB")
        for name, ground in grounds.items()
    }
    return {**images, "flat colour": Image.new("RGB", (250, 250), (12, 200, 77))}


def source(candidate: Callable) -> str:
    """Return the source of a candidate, followed by that of the functions that do its work.

    Comments for the type checker are left out.
    """
    return _text((candidate, *HELPERS.get(candidate, ())))


def sources(candidates: Mapping[str, Callable]) -> dict[str, str]:
    """Return the ``source`` of each candidate, by name; each function stands with its first user.

    >>> list(sources(DCT))
    ['reference', 'NumPy matmul', 'Numba']
    """
    seen: set[Callable] = set()
    texts = {}
    for name, candidate in candidates.items():
        functions = (candidate, *HELPERS.get(candidate, ()))
        texts[name] = _text(function for function in functions if function not in seen)
        seen.update(functions)
    return texts


def _text(functions: Iterable[Callable]) -> str:
    """Return the source of functions, without comments for the type checker."""
    plain = [getattr(function, "py_func", function) for function in functions]
    text = "\n\n".join(inspect.getsource(function) for function in plain)
    return re.sub(r"  # type: ignore.*", "", text)


@kernel
def _luma_rows(flat: np.ndarray) -> np.ndarray:
    """Return the luma of rows of interleaved RGB, in the published order."""
    luma = np.empty((flat.shape[0], flat.shape[1] // 3))
    for i in range(len(flat)):
        compiled.luma_row(flat[i], luma[i])
    return luma


@kernel
def _box_rows(
    framed: np.ndarray, rows: np.ndarray, cols: np.ndarray, starts: np.ndarray, width: int
) -> np.ndarray:
    """Return the means of the windows ``rows`` x ``cols``, added row by row."""
    samples = np.zeros((len(rows), len(cols)))
    for i in range(len(rows)):
        for k in range(rows[i, 0], rows[i, 1]):
            compiled.add_to_windows(framed[k], starts, width, samples[i])
        for j in range(len(cols)):
            samples[i, j] /= (rows[i, 1] - rows[i, 0]) * (cols[j, 1] - cols[j, 0])
    return samples


def _windows(size: int) -> list[tuple[int, int]]:
    """Return the start and stop of the clipped window of each of the 64 samples along a side."""
    half = half_width(size)
    return [(max(0, i - half), min(size, i + half)) for i in sample_points(size)]


def _summed_area(values: np.ndarray) -> np.ndarray:
    """Return the means of the windows of the 64 x 64 samples, by a summed-area table."""
    rows, cols = values.shape
    table = np.zeros((rows + 1, cols + 1), values.dtype)
    table[1:, 1:] = values.cumsum(axis=0).cumsum(axis=1)
    top, bottom = np.array(_windows(rows)).T[:, :, None]
    left, right = np.array(_windows(cols)).T[:, None, :]
    total = table[bottom, right] - table[top, right] - table[bottom, left] + table[top, left]
    return total / ((bottom - top) * (right - left))


HELPERS: dict[Callable, tuple[Callable, ...]] = {
    luma_numba: (_luma_rows, compiled.luma_row),
    luma_getpixel: (reference.fill_luma,),
    box_reference: (reference.box_filter, reference.decimate),
    box_sampled: (_windows,),
    box_summed_area: (_summed_area, _windows),
    box_integers: (_summed_area, _windows),
    box_numba: (_windows, _box_rows, compiled.add_to_windows),
    dct_reference: (reference.dct_64_to_16,),
    compiled.dct: (compiled._published_dct,),
}
"""Candidate -> functions that do its work, which ``source`` shows with it."""
