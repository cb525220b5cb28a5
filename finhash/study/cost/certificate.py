"""Is the deployed hash the published one? Counted over many pictures, margins included."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from finhash.find import compiled
from finhash.find.geometry import MAX_SIDE
from finhash.images import open_image, to_rgb

DECADES = range(-11, 4)
"""Margins are counted by powers of ten of luma, from under the first to over the last."""

COLUMNS = ["certified", "fast_bits_changed", "bits_changed", "pixels_changed", "margin"]


def of_files(paths: Sequence[Path], workers: int) -> pd.DataFrame:
    """A row a file: was it certified, and how many bits and pixels differ from the published path.

    ``fast_bits_changed`` counts the fast path without its certificate, ``bits_changed`` the
    deployed hash, ``pixels_changed`` simplejpeg against Pillow; ``margin`` is in units of luma.
    """
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        found = pool.map(_of_file, paths, chunksize=64)
        rows = list(tqdm(found, "exactness", len(paths), unit="image", leave=False))
    return pd.DataFrame(rows, columns=COLUMNS)


def of_pictures(pictures: Iterable[np.ndarray], total: int) -> pd.DataFrame:
    """The same for RGB arrays."""
    rows = [_compare(rgb, rgb) for rgb in tqdm(pictures, "exactness", total, leave=False)]
    return pd.DataFrame(rows, columns=COLUMNS)


def random_pictures(number: int, seed: int, largest: int = 128) -> Iterator[np.ndarray]:
    """Pictures of any size up to ``largest``: noise, few levels, blocks, stripes and mirrors."""
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


def summary(by_kind: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """One row a kind of picture: how many, how many certified, and what changed."""
    rows = []
    for kind, table in by_kind.items():
        counts = table[["certified", "fast_bits_changed", "bits_changed", "pixels_changed"]].sum()
        rows.append({"kind": kind, "images": len(table), **counts.astype(int)})
    return pd.DataFrame(rows)


def margins(by_kind: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Pictures by power of ten of their margin: ``kind, exponent, pictures``."""
    rows = []
    for kind, table in by_kind.items():
        exponents = np.floor(np.log10(np.maximum(table["margin"], 1e-300)))
        clipped = exponents.clip(DECADES[0], DECADES[-1])
        rows += [(kind, power, int((clipped == power).sum())) for power in DECADES]
    return pd.DataFrame(rows, columns=["kind", "exponent", "images"])


def _of_file(path: Path) -> tuple:
    return _compare(to_rgb(path), to_rgb(open_image(path)))


def _compare(rgb: np.ndarray, pillow: np.ndarray) -> tuple:
    margin, fast = compiled.fast_hash(rgb)
    published = compiled.published_hash(pillow)
    deployed = compiled.hash_rgb(rgb)
    return (
        margin > compiled.MARGIN,
        int(np.bitwise_count(fast ^ published).sum()),
        int(np.bitwise_count(deployed ^ published).sum()),
        int((rgb != pillow).sum()),
        margin / 1000,
    )
