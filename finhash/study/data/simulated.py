"""Hashes for larger data sets, made from measured hashes or from random ones.

``hashes`` enlarges a set by copies that random masks separate. ``harder`` and ``families_of_eight``
make sets that are harder to join.
"""

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


def harder(some: np.ndarray, seed: int) -> np.ndarray:
    """Return eight copies of each hash, with 5 % of the bits flipped, in random order.

    All bits of all copies are flipped independently, so copies of a hash differ from each other in
    24 of 256 bits on average.

    Parameters
    ----------
    some : ndarray of uint8, shape (n, bytes)
        Measured hashes.
    seed : int
        Seed of the flipped bits and of the order.

    Returns
    -------
    ndarray of uint8, shape (8 * n, bytes)
    """
    return _noisy_copies(some, 0.05, np.random.default_rng(seed))


def families_of_eight(number: int, seed: int) -> np.ndarray:
    """Return hashes of 256 bits in families of eight about random centres, in random order.

    Parameters
    ----------
    number : int
        Number of hashes, a multiple of 8. A member differs from the centre of its family in 10 %
        of the bits on average.
    seed : int
        Seed of the centres, of the flipped bits and of the order.

    Returns
    -------
    ndarray of uint8, shape (number, 32)
    """
    rng = np.random.default_rng(seed)
    centres = rng.integers(0, 256, (number // 8, 32), dtype=np.uint8)
    return _noisy_copies(centres, 0.1, rng)


def _noisy_copies(some: np.ndarray, flipped: float, rng: np.random.Generator) -> np.ndarray:
    """Return eight copies of each hash, with a fraction of the bits flipped, in random order."""
    bits = 8 * some.shape[1]
    noise = [np.packbits(rng.random((len(some), bits)) < flipped, axis=1) for _ in range(8)]
    return rng.permutation(np.concatenate([some ^ one for one in noise]))
