"""Hashes of a folder of images in another environment, for ``finhash.study.cost.versions``.

``python -m finhash.study.cost.version_hashes FOLDER FILE`` needs only the packages of the library.
"""

import json
import sys
from collections.abc import Iterable
from math import inf
from pathlib import Path

import numpy as np

from finhash.find import loading
from finhash.methods import METHODS, Method
from finhash.tables.provenance import versions

PLAIN = " without Numba"
"""Suffix of the names of FINd's methods if compiled code was not used."""


def hash_files(paths: Iterable[Path], method: Method) -> np.ndarray:
    """Hash images with a method.

    Parameters
    ----------
    paths : iterable of Path
        Files of images.
    method : Method
        The hash.

    Returns
    -------
    ndarray of uint8, shape (n_images, 1 + bits / 8)
        Per image 1 if it has a hash, then the hash. If the image cannot be hashed, the row holds
        zeros.

    Examples
    --------
    >>> hash_files([Path("no image.jpg")], METHODS["dhash64"])
    array([[0, 0, 0, 0, 0, 0, 0, 0, 0]], dtype=uint8)
    """
    paths = list(paths)
    rows = np.zeros((len(paths), 1 + method.bits // 8), np.uint8)
    for row, path in zip(rows, paths, strict=True):
        try:
            row[1:] = method.hash(path)
        except (OSError, ValueError):
            continue
        row[0] = 1
    return rows


def main(folder: str, file: str) -> None:
    """Save the hashes of all images of a folder, and this environment's versions, as NPZ."""
    paths = sorted(Path(folder).iterdir())
    finds = [method for name, method in METHODS.items() if name.startswith("find")]
    loading.BUDGET = inf
    found = {method.name + PLAIN: hash_files(paths, method) for method in finds}
    loading.load()
    found |= {method.name: hash_files(paths, method) for method in METHODS.values()}
    np.savez(file, versions=np.array(json.dumps(versions())), **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
