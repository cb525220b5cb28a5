"""From joined pairs to families of pictures."""

import numpy as np
from numba import njit
from scipy.sparse import csgraph, csr_array

from finhash.hamming import join


def families(
    hashes: np.ndarray, radius: int, method: str = "components", *, workers: int = 1
) -> np.ndarray:
    """A family label for each hash, ``int32 [n]``, numbered from 0.

    ``method="components"``: two pictures share a family if a chain of pairs within ``radius``
    links them (single linkage). Its known risk is chaining: one bridge merges two families.
    ``method="spheres"``: every picture lies within ``radius`` of the centre of its family.
    """
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; known: {', '.join(METHODS)}")
    i, j, _ = join(hashes, radius=radius, workers=workers)
    return METHODS[method](neighbours(len(hashes), i, j))


def neighbours(n: int, i: np.ndarray, j: np.ndarray, values: np.ndarray | None = None) -> csr_array:
    """The symmetric graph ``[n, n]`` of pairs ``i, j``, with ``values`` or ones on its edges."""
    values = np.ones(len(i), np.uint8) if values is None else values
    ends = np.concatenate([i, j]), np.concatenate([j, i])
    return csr_array((np.concatenate([values, values]), ends), shape=(n, n))


def components(graph: csr_array) -> np.ndarray:
    """Labels of the connected components, ``int32 [n]``."""
    return csgraph.connected_components(graph, directed=False)[1]


def spheres(graph: csr_array) -> np.ndarray:
    """Labels of the spheres about the pictures with most neighbours, ``int32 [n]``.

    Taylor and Butina's clustering of fingerprints (Butina 1999): the picture with most neighbours
    becomes a centre and takes them all, then the next of those not taken. Two pictures of a family
    are at most twice the radius apart, so that nothing chains.
    """
    most_first = np.argsort(-np.diff(graph.indptr), kind="stable")
    return _spheres(graph.indptr, graph.indices, most_first)


METHODS = {"components": components, "spheres": spheres}


@njit(cache=True)
def _spheres(starts, neighbours, order):
    labels = np.full(len(order), -1, np.int32)
    number = 0
    for centre in order:
        if labels[centre] < 0:
            labels[centre] = number
            for k in range(starts[centre], starts[centre + 1]):
                if labels[neighbours[k]] < 0:
                    labels[neighbours[k]] = number
            number += 1
    return labels
