"""Sets larger than the stand-in: copies of its hashes under random masks, family by family."""

import numpy as np


def hashes(some: np.ndarray, number: int, seed: int) -> np.ndarray:
    """So many hashes: copies of the set, each with random bits flipped in all its hashes alike.

    Within a copy all distances are the set's own, so families and their look-alikes are as they
    are; between copies they are those of random bits. The number of families grows, not their
    size. False pairs between copies are too few.
    """
    rng = np.random.default_rng(seed)
    copies = -(-number // len(some))
    masks = rng.integers(0, 256, (copies, some.shape[1]), dtype=np.uint8)
    masks[0] = 0
    return (masks[:, None] ^ some[None]).reshape(-1, some.shape[1])[:number]


def families(labels: np.ndarray, number: int) -> np.ndarray:
    """The families of such hashes: each copy has its own."""
    _, labels = np.unique(labels, return_inverse=True)
    copies = -(-number // len(labels))
    return (np.arange(copies)[:, None] * (labels.max() + 1) + labels[None]).ravel()[:number]
