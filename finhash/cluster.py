"""From near pairs to families of pictures, pair by pair as they are found.

Pairs come from ``hamming.join_blocks`` and are never held all at once: a million pictures have
more pairs than they have bytes of hashes.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

import numpy as np
from numba import njit
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from finhash.hamming import Pairs, join_blocks


def families(
    hashes: np.ndarray, radius: int, method: str = "components", *, workers: int = 1
) -> np.ndarray:
    """A family label for each hash, ``int32 [n]``, numbered from 0.

    ``method="components"``: two pictures share a family if a chain of pairs within ``radius``
    links them (single linkage). Its known risk is chaining: one bridge merges two families.
    ``method="spheres"``: every picture lies within ``radius`` of the centre of its family. Pairs
    are found twice for it, first to count neighbours.
    """
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; known: {', '.join(METHODS)}")
    return METHODS[method](hashes, radius, workers)


def add(
    hashes: np.ndarray, labels: np.ndarray, new: np.ndarray, radius: int, *, workers: int = 1
) -> np.ndarray:
    """Labels of the old hashes and then the new, ``int32``: components as of all from scratch.

    ``labels`` are the old components at the same ``radius``. Only pairs with a new picture are
    looked for; such a picture may link families that were apart.
    """
    n = len(hashes)
    within = ((i + n, j + n, d) for i, j, d in join_blocks(new, radius=radius, workers=workers))
    across = ((i + n, j, d) for i, j, d in join_blocks(new, hashes, radius=radius, workers=workers))
    names, old = np.unique(labels, return_inverse=True)
    start = np.concatenate([old, len(names) + np.arange(len(new))])
    return components(components(start, within), across)


def components(labels: np.ndarray, blocks: Iterable[Pairs]) -> np.ndarray:
    """The labels with families merged that pairs link, ``int32 [n]``, numbered from 0.

    ``labels`` are whole numbers from 0; those of unlinked pictures are ``arange(n)``.
    """
    for i, j in _batches(blocks, len(labels)):
        number = int(labels.max(initial=-1)) + 1
        links = coo_array((np.ones(len(i), bool), (labels[i], labels[j])), (number, number))
        labels = connected_components(links, directed=False)[1][labels]
    return labels.astype(np.int32)


def spheres(degree: np.ndarray, blocks_in: Callable[[np.ndarray], Iterable[Pairs]]) -> np.ndarray:
    """Labels of the spheres about the pictures with most neighbours, ``int32 [n]``.

    Taylor and Butina's clustering of fingerprints (Butina 1999): the picture with most neighbours
    becomes a centre and takes them all, then the next of those not taken. Two pictures of a family
    are at most twice the radius apart, so that nothing chains. ``degree`` counts neighbours,
    ``blocks_in(order)`` gives the pairs ``i < j`` of the pictures in that order, by ``i``.
    """
    order = np.argsort(-degree, kind="stable")
    # In this order a picture's turn has come before all pairs in which it is the first: whoever
    # could have taken it has done so.
    centre = np.full(len(order), -1, np.int32)
    for i, j, _ in blocks_in(order):
        _take(centre, i, j)
    centre = np.where(centre < 0, np.arange(len(order)), centre)
    labels = np.empty(len(order), np.int32)
    labels[order] = np.unique(centre, return_inverse=True)[1]
    return labels


def neighbours(n: int, blocks: Iterable[Pairs]) -> np.ndarray:
    """How many pairs each of ``n`` pictures is in, ``int64 [n]``."""
    degree = np.zeros(n, np.int64)
    for i, j in _batches(blocks, n):
        degree += np.bincount(i, minlength=n) + np.bincount(j, minlength=n)
    return degree


def _components(hashes: np.ndarray, radius: int, workers: int) -> np.ndarray:
    return components(np.arange(len(hashes)), join_blocks(hashes, radius=radius, workers=workers))


def _spheres(hashes: np.ndarray, radius: int, workers: int) -> np.ndarray:
    def blocks_in(order: np.ndarray) -> Iterator[Pairs]:
        return join_blocks(hashes[order], radius=radius, workers=workers)

    return spheres(neighbours(len(hashes), blocks_in(np.arange(len(hashes)))), blocks_in)


METHODS = {"components": _components, "spheres": _spheres}


def _batches(blocks: Iterable[Pairs], least: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Ends of pairs, ``least`` or more at a time: each batch costs as much as all labels."""
    held: list[Pairs] = []
    pairs = 0
    for block in chain(blocks, [None]):
        if block is not None:
            held.append(block)
            pairs += len(block[0])
        if held and (block is None or pairs >= least):
            i, j, _ = zip(*held, strict=True)
            yield np.concatenate(i), np.concatenate(j)
            held, pairs = [], 0


@njit(cache=True, nogil=True)
def _take(centre, i, j):
    """Let every ``i`` that is not taken be a centre, and take the ``j`` that are not."""
    for pair in range(len(i)):
        if centre[i[pair]] < 0:
            centre[i[pair]] = i[pair]
        if centre[i[pair]] == i[pair] and centre[j[pair]] < 0:
            centre[j[pair]] = i[pair]
