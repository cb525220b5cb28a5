"""Hashes for larger data sets: copies of measured hashes, separated by random masks."""

import numpy as np


def hashes(some: np.ndarray, number: int, seed: int) -> np.ndarray:
    """Return ``number`` hashes: copies of ``some``, each copy with its own random bits flipped.

    One random mask is applied to all hashes of a copy. Distances within a copy are therefore the
    measured ones, with their families and similar families, whereas distances between copies are
    those of unrelated random hashes. The number of families grows and their sizes stay. Real data
    would have more false positives between the copies.

    Parameters
    ----------
    some : ndarray of uint8, shape (hashes, bytes)
        Measured hashes. They form the first copy, unchanged.
    number : int
        Number of hashes to return; the last copy may be cut off.
    seed : int
        Seed of the masks.

    Returns
    -------
    ndarray of uint8, shape (number, bytes)
    """
    rng = np.random.default_rng(seed)
    copies = -(-number // len(some))
    masks = rng.integers(0, 256, (copies, some.shape[1]), dtype=np.uint8)
    masks[0] = 0
    return (masks[:, None] ^ some[None]).reshape(-1, some.shape[1])[:number]


def families(labels: np.ndarray, number: int) -> np.ndarray:
    """Return the families of ``number`` hashes that ``hashes`` made; copies share no family.

    Examples
    --------
    >>> families(np.array([3, 3, 8]), 7).tolist()
    [0, 0, 1, 2, 2, 3, 4]
    """
    _, labels = np.unique(labels, return_inverse=True)
    copies = -(-number // len(labels))
    return (np.arange(copies)[:, None] * (labels.max() + 1) + labels[None]).ravel()[:number]
