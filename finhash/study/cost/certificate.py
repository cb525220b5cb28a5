"""Exactness of the deployed hash: differences from the published hash, counted on many images."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from finhash.find import compiled
from finhash.find.certificate import MARGIN
from finhash.find.geometry import MAX_SIDE
from finhash.images import ImageError, open_image, to_rgb
from finhash.study import project

DECADES = range(-11, 4)
"""Powers of ten by which ``margins`` counts margins.

The first also counts smaller margins, the last larger ones.
"""

COUNTED = ["certified", "fast_bits_changed", "bits_changed", "pixels_changed"]
"""Columns that ``summary`` adds up."""


def of_files(paths: Sequence[Path], workers: int) -> pd.DataFrame:
    """Compare the deployed hash of each readable file with its published hash.

    Parameters
    ----------
    paths : sequence of Path
        Image files. Unreadable ones get no row.
    workers : int
        Number of processes.

    Returns
    -------
    DataFrame
        One row per readable file:

        certified : bool
            Whether the fast path proved that its hash is the published one.
        fast_bits_changed : int
            Number of differing bits of the fast path without the certificate.
        bits_changed : int
            Number of differing bits of the deployed hash.
        pixels_changed : int
            Number of channel values that differ between simplejpeg's and Pillow's decoding.
        margin : float
            Distance from the median to the nearest other coefficient, in units of luma.
    """
    with project.spawn_pool(workers) as pool:
        found = pool.map(_of_file, paths, chunksize=64)
        bar = tqdm(found, "exactness", len(paths), unit="image", leave=False)
        rows = [row for row in bar if row is not None]
    return pd.DataFrame(rows, columns=[*COUNTED, "margin"])


def of_pixels(images: Iterable[np.ndarray], total: int) -> pd.DataFrame:
    """Compare the deployed hash of each image with its published hash.

    Parameters
    ----------
    images : iterable of uint8 arrays, shape (rows, cols, 3)
        RGB pixels.
    total : int
        Number of images, for the progress bar.

    Returns
    -------
    DataFrame
        One row per image, with the columns of ``of_files``.
    """
    rows = [_compare(rgb, rgb) for rgb in tqdm(images, "exactness", total, leave=False)]
    return pd.DataFrame(rows, columns=[*COUNTED, "margin"])


def random_images(number: int, seed: int, largest: int = 128) -> Iterator[np.ndarray]:
    """Yield random images that often lead to equal coefficients.

    They are noise, few grey levels, blocks, stripes and mirror images.

    Parameters
    ----------
    number : int
        Number of images.
    seed : int
        Seed of the random stream.
    largest : int
        Largest side before mirroring, in pixels.

    Yields
    ------
    ndarray of uint8, shape (rows, cols, 3)
        RGB pixels.
    """
    rng = np.random.default_rng(seed)
    for k in range(number):
        rows, cols = rng.integers(1, largest + 1, 2)
        levels = int(rng.choice([1, 2, 3, 16, 256]))
        step = rng.integers(1, 40, 2) if k % 2 else (1, 1)
        grid = rng.integers(0, levels, (-(-rows // step[0]), -(-cols // step[1]), 3))
        grid = (grid * (255 // max(1, levels - 1))).astype(np.uint8)
        rgb = grid.repeat(step[0], axis=0).repeat(step[1], axis=1)[:rows, :cols]
        if k % 5 == 0:
            rgb = np.ascontiguousarray(np.concatenate([rgb, rgb[:, ::-1]], axis=1)[:, :MAX_SIDE])
        yield rgb


def summary(by_kind: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Add up the comparisons of each kind of image.

    Parameters
    ----------
    by_kind : mapping of str to DataFrame
        Results of ``of_files`` or ``of_pixels``, by kind.

    Returns
    -------
    DataFrame
        One row per kind:

        kind : str
            Kind of the images.
        images : int
            Number of images.
        certified : int
            Number of images whose hash the fast path proved.
        fast_bits_changed, bits_changed, pixels_changed : int
            Sums of the columns of ``of_files``.
    """
    rows = []
    for kind, table in by_kind.items():
        rows.append({"kind": kind, "images": len(table), **table[COUNTED].sum().astype(int)})
    return pd.DataFrame(rows)


def margins(by_kind: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Count images by the power of ten of their margin.

    Parameters
    ----------
    by_kind : mapping of str to DataFrame
        Results of ``of_files`` or ``of_pixels``, by kind.

    Returns
    -------
    DataFrame
        One row per kind and power of ten:

        kind : str
            Kind of the images.
        exponent : int
            Power of ten, in units of luma.
        images : int
            Number of images with ``10**exponent <= margin < 10**(exponent + 1)``; the first row
            also counts smaller margins, the last row larger ones.
    """
    rows = []
    for kind, table in by_kind.items():
        exponents = np.floor(np.log10(np.maximum(table["margin"], 1e-300)))
        clipped = exponents.clip(DECADES[0], DECADES[-1])
        rows += [(kind, power, int((clipped == power).sum())) for power in DECADES]
    return pd.DataFrame(rows, columns=["kind", "exponent", "images"])


def _of_file(path: Path) -> tuple | None:
    """Compare a file as the deployed path decodes it with the file as Pillow decodes it.

    Returns None if the file cannot be read.
    """
    try:
        rgb, pillow = to_rgb(path), to_rgb(open_image(path))
    except (OSError, ImageError):
        return None
    return _compare(rgb, pillow)


def _compare(rgb: np.ndarray, pillow: np.ndarray) -> tuple:
    """Return a row of ``of_files``: hashes of ``rgb`` against the published hash of ``pillow``."""
    margin, fast = compiled.fast_hash(rgb)
    published = compiled.published_hash(pillow)
    deployed = compiled.hash_rgb(rgb)
    return (
        margin > MARGIN,
        int(np.bitwise_count(fast ^ published).sum()),
        int(np.bitwise_count(deployed ^ published).sum()),
        int((rgb != pillow).sum()),
        margin / 1000,  # the kernel computes in thousandths of luma
    )
