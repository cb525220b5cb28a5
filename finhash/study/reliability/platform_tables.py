"""Hashes, tables and matches of one environment, for ``finhash.study.reliability.platforms``.

``python -m finhash.study.reliability.platform_tables FOLDER FILE`` needs only the packages of the
library.
"""

import json
import locale
import math
import random
import sys
from math import inf
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from finhash import HashTable, hash_files
from finhash.cluster import families
from finhash.find import loading
from finhash.find.geometry import DCT, KEPT, SAMPLES
from finhash.hamming import join, nearest
from finhash.jobs.executors import Executor
from finhash.methods import METHODS
from finhash.study.cost import version_hashes
from finhash.tables.provenance import versions

RADIUS = 72
"""Threshold of joins and families, in bits."""

NEAREST = 5
"""Neighbours per image."""

PLAIN = ("find", "find64")
"""Methods that are also computed by NumPy, without Numba."""

ANGLES = [
    [(math.pi / 2 / SAMPLES) * (i + 1) * (2 * j + 1) for j in range(SAMPLES)] for i in range(KEPT)
]
"""Angles of the DCT matrix, in radians."""

MATCHES = ("join", "nearest", "families")
"""Names of the arrays that are computed from FINd's hashes."""


class Settings(NamedTuple):
    """How the files are hashed."""

    executor: Executor = "threads"
    """Argument of ``hash_files``."""

    workers: int = 1
    """Argument of ``hash_files`` and of the matching."""

    order: Literal["sorted", "reversed", "shuffled"] = "sorted"
    """Order in which the files are given."""

    plain: bool = True
    """Whether the methods in ``PLAIN`` are also computed by NumPy."""


def table(folder: Path, settings: Settings) -> HashTable:
    """Hash all files of a folder with all methods that can be used here.

    Parameters
    ----------
    folder : Path
        Folder of images.
    settings : Settings
        Executor, workers and order. The order does not affect the table.

    Returns
    -------
    HashTable
        One row per file, sorted by path.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     _ = Path(name, "a.jpg").write_text("this is not an image")
    ...     len(table(Path(name), Settings(executor="serial")))
    1
    """
    paths = sorted(folder.iterdir())
    given = {
        "sorted": paths,
        "reversed": paths[::-1],
        "shuffled": random.Random(0).sample(paths, len(paths)),
    }[settings.order]
    methods = [name for name, method in METHODS.items() if not method.missing_package()]
    workers = {"workers": settings.workers, "executor": settings.executor}
    found = hash_files(given, methods, quality=True, progress=False, **workers)
    return HashTable(found.arrow.sort_by("path"))


def facts(found: HashTable) -> list[str]:
    """Return each row without its path and hashes, as JSON.

    Examples
    --------
    >>> facts(HashTable.from_hashes(["a"], {"find": np.zeros((1, 32), np.uint8)}))
    ['{"error": ""}']
    """
    arrow = found.arrow.drop_columns(["path", *found.methods])
    return [json.dumps(row) for row in arrow.to_pylist()]


def rows(found: HashTable, method: str) -> np.ndarray:
    """Return the hashes of one method, in the form of ``version_hashes.hash_files``.

    Examples
    --------
    >>> rows(HashTable.from_hashes(["a"], {"dhash64": np.full((1, 8), 7, np.uint8)}), "dhash64")
    array([[1, 7, 7, 7, 7, 7, 7, 7, 7]], dtype=uint8)
    """
    hashed = np.array([not error for error in found.errors])
    result = np.zeros((len(found), 1 + METHODS[method].bits // 8), np.uint8)
    result[hashed, 0] = 1
    result[hashed, 1:] = found.without_errors().hashes(method)
    return result


def cosines() -> np.ndarray:
    """Return the cosines of the DCT matrix by this machine's C library, ``float64 [16, 64]``.

    Examples
    --------
    >>> bool(np.abs(cosines() - DCT).max() < 1e-15)
    True
    """
    return np.array([[math.cos(angle) for angle in row] for row in ANGLES])


def matches(hashes: np.ndarray, workers: int) -> dict[str, np.ndarray]:
    """Return what is computed from FINd's hashes, by the names in ``MATCHES``.

    Examples
    --------
    >>> found = matches(np.zeros((6, 32), np.uint8), workers=1)
    >>> found["families"].tolist()
    [[0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]]
    """
    several = (
        join(hashes, radius=RADIUS, workers=workers),
        nearest(hashes, hashes, k=NEAREST, workers=workers),
        [families(hashes, RADIUS, kind, workers=workers) for kind in ("components", "spheres")],
    )
    return {name: np.stack(some) for name, some in zip(MATCHES, several, strict=True)}


def main(folder: str, file: str, settings: str = "{}") -> None:
    """Save the hashes of all files of a folder, and what depends on them, as NPZ.

    ``settings`` holds fields of ``Settings`` as JSON. FINd's hashes by NumPy come first, before
    compiled code is loaded.
    """
    locale.setlocale(locale.LC_ALL, "")  # as LC_ALL says; Python alone sets only its encoding
    chosen, hashes = Settings(**json.loads(settings)), {}
    if chosen.plain:
        loading.BUDGET = inf
        paths = sorted(Path(folder).iterdir())
        for name in PLAIN:
            found = version_hashes.hash_files(paths, METHODS[name])
            hashes[name + version_hashes.PLAIN] = found
    loading.load()
    hashed = table(Path(folder), chosen)
    hashes |= {method: rows(hashed, method) for method in hashed.methods}
    np.savez(
        file,
        versions=np.array(json.dumps(versions())),
        facts=np.array(facts(hashed)),
        cosines=cosines(),
        matrix=DCT,
        **matches(hashed.without_errors().hashes("find"), chosen.workers),
        **hashes,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
