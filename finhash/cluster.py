"""Clustering of hashes into families, from pairs within a radius.

Pairs come in blocks from ``hamming.join_blocks``, and each block is merged into the result before
the next is needed. The pairs of a million images can take more memory than their hashes.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from finhash.hamming import Pairs, join_blocks


def families(
    hashes: NDArray[np.uint8],
    radius: int,
    method: Literal["components", "spheres"] = "components",
    *,
    workers: int = 1,
) -> NDArray[np.int32]:
    """Group hashes into families.

    Parameters
    ----------
    hashes : ndarray of uint8, shape (n, bits / 8)
        Packed hashes. ``bits`` is a multiple of 64.
    radius : int
        Largest Hamming distance, in bits, at which two hashes are neighbours.
    method : {"components", "spheres"}, default "components"
        With ``"components"``, families are the connected components of the graph of neighbours
        (single linkage). Families can chain: one hash between two families merges them.

        With ``"spheres"``, all hashes of a family are neighbours of its centre, so two hashes of a
        family are at most ``2 * radius`` apart. Centres are chosen by number of neighbours (Taylor
        and Butina's clustering, Butina 1999). All pairs are computed twice: first to count the
        neighbours, then to assign them.
    workers : int, default 1
        Threads.

    Returns
    -------
    ndarray of int32, shape (n,)
        Label of each hash's family. Labels are numbered from 0.

    Raises
    ------
    ValueError
        If ``method`` is unknown, if the hashes have a wrong dtype or shape, or if ``radius`` is not
        between 0 and their number of bits.

    Examples
    --------
    Four hashes in a chain: each differs from the next in 3 bits, and the first from the last in 9.
    Single linkage puts the whole chain into one family. The sphere about the second hash holds its
    two neighbours, and the last hash is left alone.

    >>> import numpy as np
    >>> from finhash.cluster import families
    >>> bits = np.arange(64) < np.array([[0], [3], [6], [9]])
    >>> hashes = np.packbits(bits, axis=1)
    >>> families(hashes, radius=3).tolist()
    [0, 0, 0, 0]
    >>> families(hashes, radius=3, method="spheres").tolist()
    [0, 0, 0, 1]
    """
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; choose one of {', '.join(METHODS)}")
    return METHODS[method](hashes, radius, workers)


def add(
    hashes: NDArray[np.uint8],
    labels: NDArray[np.integer[Any]],
    new: NDArray[np.uint8],
    radius: int,
    *,
    workers: int = 1,
) -> NDArray[np.int32]:
    """Update connected components when hashes are added.

    Only pairs with a new hash are computed. A new hash can merge families.

    Parameters
    ----------
    hashes : ndarray of uint8, shape (n, bits / 8)
        Old hashes, packed.
    labels : ndarray of int, shape (n,)
        Their labels, from ``families`` with ``method="components"`` and the same ``radius``.
    new : ndarray of uint8, shape (m, bits / 8)
        New hashes.
    radius : int
        Largest Hamming distance, in bits, at which two hashes are neighbours.
    workers : int, default 1
        Threads.

    Returns
    -------
    ndarray of int32, shape (n + m,)
        Labels of the old and then of the new hashes, numbered from 0. The families are those that
        ``families`` finds in all hashes together.

    Raises
    ------
    ValueError
        If the hashes have a wrong dtype or shape or differ in length, or if ``radius`` is not
        between 0 and their number of bits.

    Examples
    --------
    The new hash lies between two families of one hash each and merges them.

    >>> import numpy as np
    >>> from finhash import cluster
    >>> old = np.array([[0] * 8, [0b1111] + [0] * 7], np.uint8)
    >>> labels = cluster.families(old, radius=2)
    >>> labels.tolist()
    [0, 1]
    >>> cluster.add(old, labels, np.array([[0b11] + [0] * 7], np.uint8), radius=2).tolist()
    [0, 0, 0]
    """
    n = len(hashes)
    within = ((i + n, j + n, d) for i, j, d in join_blocks(new, radius=radius, workers=workers))
    across = ((i + n, j, d) for i, j, d in join_blocks(new, hashes, radius=radius, workers=workers))
    names, old = np.unique(labels, return_inverse=True)
    start = np.concatenate([old, len(names) + np.arange(len(new))])
    return components(components(start, within), across)


def components(labels: NDArray[np.integer[Any]], blocks: Iterable[Pairs]) -> NDArray[np.int32]:
    """Merge families that are linked by pairs.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        Label of each hash's family, a whole number from 0. Use ``np.arange(n)`` to start with one
        family per hash.
    blocks : iterable of Pairs
        Pairs of rows, in any order.

    Returns
    -------
    ndarray of int32, shape (n,)
        Labels of the merged families, numbered from 0.

    Examples
    --------
    >>> import numpy as np
    >>> from finhash import cluster
    >>> pair = np.array([0]), np.array([2]), np.array([5])
    >>> cluster.components(np.arange(3), [pair]).tolist()
    [0, 1, 0]
    """
    for i, j in _batches(blocks, len(labels)):
        number = int(labels.max(initial=-1)) + 1
        links = coo_array((np.ones(len(i), bool), (labels[i], labels[j])), (number, number))
        labels = connected_components(links, directed=False)[1][labels]
    return labels.astype(np.int32)


def spheres(
    degree: NDArray[np.integer[Any]],
    blocks_in: Callable[[NDArray[np.integer[Any]]], Iterable[Pairs]],
) -> NDArray[np.int32]:
    """Assign each hash to a sphere about a centre.

    The hash with most neighbours becomes a centre and claims all its neighbours. The unclaimed hash
    with most neighbours becomes the next centre and claims its unclaimed neighbours, and so on
    (Taylor and Butina's clustering of fingerprints, Butina 1999).

    Parameters
    ----------
    degree : ndarray of int, shape (n,)
        Number of neighbours of each hash.
    blocks_in : callable
        ``blocks_in(order)`` takes row numbers, ``int [n]``, and yields blocks of the pairs of
        ``hashes[order]``. ``i < j`` are positions in ``order``, and pairs are sorted by ``i``.

    Returns
    -------
    ndarray of int32, shape (n,)
        Label of each hash's sphere, numbered from 0.

    Examples
    --------
    Hash 1 is a neighbour of hashes 0 and 2. In the order 1, 0, 2, 3 its position is 0.

    >>> import numpy as np
    >>> from finhash import cluster
    >>> pairs = np.array([0, 0]), np.array([1, 2]), np.array([3, 3])
    >>> cluster.spheres(np.array([1, 2, 1, 0]), lambda order: [pairs]).tolist()
    [0, 0, 0, 1]
    """
    order = np.argsort(-degree, kind="stable")
    # Pairs arrive sorted by i. When hash i is reached, all centres before it in the order have
    # therefore claimed their neighbours, and i is either claimed or becomes a centre.
    centre = np.full(len(order), -1, np.int32)
    for i, j, _ in blocks_in(order):
        _claim(centre, i, j)
    centre = np.where(centre < 0, np.arange(len(order)), centre)
    labels = np.empty(len(order), np.int32)
    labels[order] = np.unique(centre, return_inverse=True)[1]
    return labels


def neighbours(n: int, blocks: Iterable[Pairs]) -> NDArray[np.int64]:
    """Count each hash's neighbours.

    Parameters
    ----------
    n : int
        Number of hashes.
    blocks : iterable of Pairs
        Pairs of rows, each pair once.

    Returns
    -------
    ndarray of int64, shape (n,)
        Number of pairs that each hash is in.

    Examples
    --------
    >>> import numpy as np
    >>> from finhash import cluster
    >>> pairs = np.array([0, 1]), np.array([1, 2]), np.array([3, 3])
    >>> cluster.neighbours(4, [pairs]).tolist()
    [1, 2, 1, 0]
    """
    degree = np.zeros(n, np.int64)
    for i, j in _batches(blocks, n):
        degree += np.bincount(i, minlength=n) + np.bincount(j, minlength=n)
    return degree


def _components(hashes: NDArray[np.uint8], radius: int, workers: int) -> NDArray[np.int32]:
    """Return the connected components of the hashes."""
    return components(np.arange(len(hashes)), join_blocks(hashes, radius=radius, workers=workers))


def _spheres(hashes: NDArray[np.uint8], radius: int, workers: int) -> NDArray[np.int32]:
    """Return the spheres of the hashes."""

    def blocks_in(order: NDArray[np.integer[Any]]) -> Iterator[Pairs]:
        return join_blocks(hashes[order], radius=radius, workers=workers)

    return spheres(neighbours(len(hashes), blocks_in(np.arange(len(hashes)))), blocks_in)


METHODS = {"components": _components, "spheres": _spheres}
"""Clustering functions by the name that ``families`` takes as ``method``."""


def _batches(
    blocks: Iterable[Pairs], least: int
) -> Iterator[tuple[NDArray[np.integer[Any]], NDArray[np.integer[Any]]]]:
    """Yield pairs in batches of at least ``least``, except the last.

    Merging a batch costs O(n), however few pairs it holds.
    """
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
def _claim(centre, i, j):
    """Make every unclaimed ``i`` a centre, and let centres claim their unclaimed ``j``."""
    for pair in range(len(i)):
        if centre[i[pair]] < 0:
            centre[i[pair]] = i[pair]
        if centre[i[pair]] == i[pair] and centre[j[pair]] < 0:
            centre[j[pair]] = i[pair]
