"""From joined pairs to families of pictures."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from finhash.hamming import join


def families(
    hashes: np.ndarray, radius: int, method: str = "components", *, workers: int = 1
) -> np.ndarray:
    """A family label for each hash, ``int32 [n]``, numbered from 0.

    ``method="components"``: two pictures share a family if a chain of pairs within ``radius``
    links them (single linkage). Its known risk is chaining: one bridge merges two families.
    """
    if method != "components":
        raise ValueError(f"unknown method {method!r}; known: components")
    i, j, _ = join(hashes, radius=radius, workers=workers)
    graph = coo_array((np.ones(len(i), bool), (i, j)), shape=(len(hashes), len(hashes)))
    return connected_components(graph, directed=False)[1]
