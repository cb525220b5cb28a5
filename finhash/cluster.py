"""Clustering of hashes into families, from pairs within a radius.

Pairs come in blocks from ``hamming.join_blocks`` and are merged into the result block by block. The
pairs of a million images can take more memory than their hashes.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from finhash.hamming import Gallery, Hashes, Pairs, join, join_blocks
from finhash.hamming.kernels.leaders import majority
from finhash.hamming.words import as_labels, as_rows, check_comparable, columns, fixed
from finhash.jit import kernel

LOOKED_UP = 1024
"""Hashes from which ``spheres`` chooses centres at a time, and looks up their neighbours."""

Method = Literal["components", "spheres"]


def families(
    hashes: Hashes,
    radius: int,
    method: Method = "components",
    *,
    turned: Mapping[str, NDArray[np.uint8]] | None = None,
    workers: int = 1,
) -> NDArray[np.int32]:
    """Group hashes into families.

    Parameters
    ----------
    hashes : ndarray of uint8, shape (n, bits / 8), or Gallery
        Packed hashes. ``bits`` is a multiple of 64.
    radius : int
        Largest Hamming distance, in bits, at which two hashes are neighbours.
    method : {"components", "spheres"}, default "components"
        With ``"components"``, families are the connected components of the graph of neighbours
        (single linkage). Families can chain: one hash between two families merges them.

        With ``"spheres"``, all hashes of a family are neighbours of its centre, so two hashes of a
        family are at most ``2 * radius`` apart. Centres are chosen by number of neighbours (Taylor
        and Butina's clustering, Butina 1999). All pairs are computed to count the neighbours. The
        neighbours of each centre are then looked up.
    turned : dict of str to ndarray of uint8, shape (n, bits / 8), optional
        Hashes of the same images in several orientations, by the names in
        ``finhash.orientations.ORIENTATIONS``, such as ``finhash.orientations.of_hashes`` returns.
        Two images are then neighbours also if one is near the other in one of the orientations.
        Needs ``"components"``.
    workers : int, default 1
        Threads.

    Returns
    -------
    ndarray of int32, shape (n,)
        Label of each hash's family. Labels are numbered from 0.

    Raises
    ------
    ValueError
        If ``method`` is unknown, if the hashes have a wrong dtype or shape, if ``radius`` is not
        between 0 and their number of bits, or if ``turned`` is given with ``"spheres"`` or has
        another number of hashes.

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
    _check(method)
    if turned and method != "components":
        raise ValueError(f'turned hashes need the method "components", not {method!r}')
    hashes = fixed(hashes)
    labels = METHODS[method](hashes, radius, workers)
    return _join_turned(labels, hashes, turned, radius, workers) if turned else labels


def add(
    hashes: Hashes,
    labels: NDArray[np.integer[Any]],
    new: Hashes,
    radius: int,
    method: Method = "components",
    *,
    workers: int = 1,
) -> NDArray[np.int32]:
    """Update families when hashes are added, without computing the pairs of old hashes.

    Parameters
    ----------
    hashes : ndarray of uint8, shape (n, bits / 8), or Gallery
        Old hashes, packed.
    labels : ndarray of int, shape (n,)
        Their labels, from ``families`` with the same ``radius`` and ``method``.
    new : ndarray of uint8, shape (m, bits / 8), or Gallery
        New hashes.
    radius : int
        Largest Hamming distance, in bits, at which two hashes are neighbours.
    method : {"components", "spheres"}, default "components"
        With ``"components"``, the families are those that ``families`` finds in all hashes
        together. A new hash can merge families.

        With ``"spheres"``, old hashes keep their families. Each of these is represented by the
        member nearest to the bitwise majority of its members. A new hash goes to the family with
        most members among those whose representative is its neighbour. The others are grouped by
        ``families``. The result is not the one for all hashes together, in which new hashes could
        become centres of old ones.
    workers : int, default 1
        Threads.

    Returns
    -------
    ndarray of int32, shape (n + m,)
        Labels of the old and then of the new hashes, numbered from 0.

    Raises
    ------
    ValueError
        If ``method`` is unknown, if the hashes have a wrong dtype or shape or differ in length, if
        there is not one label per old hash, or if ``radius`` is not between 0 and their number of
        bits.

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
    _check(method)
    hashes, new = fixed(hashes), fixed(new)
    check_comparable(hashes, new)
    names, old = np.unique(as_labels(labels, len(hashes)), return_inverse=True)
    if method == "spheres":
        return _add_to_spheres(hashes, old, new, radius, workers)
    n = len(hashes)
    within = ((i + n, j + n, d) for i, j, d in join_blocks(new, radius=radius, workers=workers))
    across = ((i + n, j, d) for i, j, d in join_blocks(new, hashes, radius=radius, workers=workers))
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

    Raises
    ------
    ValueError
        If a label is below 0, or a pair has a row that is not between 0 and ``n - 1``.

    Examples
    --------
    >>> import numpy as np
    >>> from finhash import cluster
    >>> pair = np.array([0]), np.array([2]), np.array([5])
    >>> cluster.components(np.arange(3), [pair]).tolist()
    [0, 1, 0]
    """
    if labels.min(initial=0) < 0:
        raise ValueError(f"a label is {labels.min()}; pass labels that are whole numbers from 0")
    parent = np.arange(int(labels.max(initial=-1)) + 1)
    for i, j, _ in blocks:
        _check_rows(i, j, len(labels))
        _merge(parent, labels, i, j)
    roots = _roots(parent)[labels]
    return np.unique(roots, return_inverse=True)[1].astype(np.int32)


def spheres(
    hashes: Hashes,
    degree: NDArray[np.integer[Any]],
    radius: int,
    *,
    workers: int = 1,
) -> NDArray[np.int32]:
    """Assign each hash to a sphere about a centre.

    The hash with most neighbours becomes a centre and claims all its neighbours. The unclaimed hash
    with most neighbours becomes the next centre and claims its unclaimed neighbours, and so on
    (Taylor and Butina's clustering of fingerprints, Butina 1999).

    Parameters
    ----------
    hashes : ndarray of uint8, shape (n, bits / 8), or Gallery
        Packed hashes.
    degree : ndarray of int, shape (n,)
        Number of neighbours of each hash.
    radius : int
        Largest Hamming distance, in bits, at which two hashes are neighbours.
    workers : int, default 1
        Threads.

    Returns
    -------
    ndarray of int32, shape (n,)
        Label of each hash's sphere, numbered from 0.

    Raises
    ------
    ValueError
        If there is not one number of neighbours per hash, if the hashes have a wrong dtype or
        shape, or if ``radius`` is not between 0 and their number of bits.

    Examples
    --------
    Hash 1 is a neighbour of hashes 0 and 2.

    >>> import numpy as np
    >>> from finhash import cluster
    >>> hashes = np.packbits(np.arange(64) < np.array([[0], [3], [6], [60]]), axis=1)
    >>> cluster.spheres(hashes, np.array([1, 2, 1, 0]), radius=3).tolist()
    [0, 0, 0, 1]
    """
    hashes = as_rows(fixed(hashes)).view(np.uint8)
    if degree.shape != (len(hashes),):
        raise ValueError(
            f"degree has shape {degree.shape}; pass one number of neighbours per hash, shape "
            f"({len(hashes)},)"
        )
    order = np.argsort(-degree, kind="stable")
    centre = np.full(len(order), -1, np.int64)
    waiting = order[degree[order] > 0]
    gallery = Gallery(hashes, grouped=False)
    while len(waiting):
        # Of hashes that no centre so far has claimed, those become centres that are not neighbours
        # of an earlier one. Hashes with about as many neighbours are often of one family, so most
        # of them need not be looked up.
        chosen = waiting[:LOOKED_UP]
        i, j, _ = join(hashes[chosen], radius=radius)
        own = np.full(len(chosen), -1, np.int64)
        _claim(own, i, j)
        centres = chosen[(own < 0) | (own == np.arange(len(own)))]
        i, j, _ = join(hashes[centres], gallery, radius=radius, workers=workers)
        _claim(centre, centres[i], j)
        waiting = waiting[LOOKED_UP:]
        waiting = waiting[centre[waiting] < 0]
    centre = np.where(centre < 0, np.arange(len(order)), centre)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return np.unique(rank[centre], return_inverse=True)[1].astype(np.int32)


def keep_numbers(
    labels: NDArray[np.integer[Any]],
    previous: NDArray[np.integer[Any]],
    *,
    start: int | None = None,
) -> NDArray[np.int64]:
    """Give families the numbers that they had in an earlier clustering.

    A family gets the number of the earlier family with which it shares most hashes. If several
    families share hashes with one earlier family, because it was split, the one that shares most
    keeps its number. If a family shares hashes with several earlier ones, because they were merged,
    it keeps the number of the one with which it shares most. Among equals, the lower number is
    kept, by the larger family. All other families get new numbers, the largest first.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        Label of each hash's family, a whole number from 0.
    previous : ndarray of int, shape (n,)
        Number of each hash's earlier family; below 0 if it had none.
    start : int, optional
        First new number. By default the one after the largest of ``previous``.

    Returns
    -------
    ndarray of int64, shape (n,)
        Number of each hash's family.

    Raises
    ------
    ValueError
        If ``previous`` does not have one number per hash, or a label is below 0.

    Examples
    --------
    The first family is new. The second one had the number 7.

    >>> import numpy as np
    >>> from finhash import cluster
    >>> cluster.keep_numbers(np.array([0, 0, 1, 1]), np.array([-1, -1, 7, -1])).tolist()
    [8, 8, 7, 7]
    """
    if previous.shape != labels.shape:
        raise ValueError(
            f"previous has shape {previous.shape}; pass one number per hash, shape {labels.shape}"
        )
    if start is None:
        start = int(previous.max(initial=-1)) + 1
    sizes = np.bincount(labels)
    numbers = np.full(len(sizes), -1)
    known = np.flatnonzero(previous >= 0)
    shared, count = np.unique([previous[known], labels[known]], axis=1, return_counts=True)
    taken = set()
    for pair in np.lexsort((-sizes[shared[1]], shared[0], -count)):
        number, family = shared[:, pair].tolist()
        if numbers[family] < 0 and number not in taken:
            numbers[family] = number
            taken.add(number)
    new = np.flatnonzero(numbers < 0)
    numbers[new[np.argsort(-sizes[new], kind="stable")]] = start + np.arange(len(new))
    return numbers[labels]


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

    Raises
    ------
    ValueError
        If a pair has a row that is not between 0 and ``n - 1``.

    Examples
    --------
    >>> import numpy as np
    >>> from finhash import cluster
    >>> pairs = np.array([0, 1]), np.array([1, 2]), np.array([3, 3])
    >>> cluster.neighbours(4, [pairs]).tolist()
    [1, 2, 1, 0]
    """
    degree = np.zeros(n, np.int64)
    for i, j, _ in blocks:
        _check_rows(i, j, n)
        _count(degree, i, j)
    return degree


def _components(hashes: Hashes, radius: int, workers: int) -> NDArray[np.int32]:
    """Return the connected components of the hashes."""
    return components(np.arange(len(hashes)), join_blocks(hashes, radius=radius, workers=workers))


def _spheres(hashes: Hashes, radius: int, workers: int) -> NDArray[np.int32]:
    """Return the spheres of the hashes."""
    blocks = join_blocks(hashes, radius=radius, workers=workers)
    degree = neighbours(len(hashes), blocks)
    return spheres(hashes, degree, radius, workers=workers)


def _join_turned(
    labels: NDArray[np.int32],
    hashes: Hashes,
    turned: Mapping[str, NDArray[np.uint8]],
    radius: int,
    workers: int,
) -> NDArray[np.int32]:
    """Merge families that hold near-duplicates in other orientations."""
    gallery = Gallery(hashes) if isinstance(hashes, np.ndarray) else hashes
    for name, others in turned.items():
        if len(others) != len(labels):
            raise ValueError(
                f"the hashes {name!r} are {len(others)} and those of the images {len(labels)}; "
                "pass one each"
            )
        # The families already hold the pairs of images as they are. A pair that matches after a
        # quarter turn of one image matches after the opposite turn of the other. All further
        # orientations are their own opposites.
        if name != "original" and not (name == "rotate_270" and "rotate_90" in turned):
            labels = components(
                labels, join_blocks(others, gallery, radius=radius, workers=workers)
            )
    return labels


def _add_to_spheres(
    hashes: Hashes,
    labels: NDArray[np.integer[Any]],
    new: Hashes,
    radius: int,
    workers: int,
) -> NDArray[np.int32]:
    """Return the labels of old and new hashes as ``add`` describes; ``labels`` count from 0."""
    sizes = np.bincount(labels)
    rows, new = as_rows(hashes), as_rows(new).view(np.uint8)
    middle = majority(columns(rows).words, labels, len(sizes)).T
    far = np.bitwise_count(rows ^ middle[labels]).sum(axis=1)
    order = np.lexsort((far, labels))
    first = order[np.searchsorted(labels[order], np.arange(len(sizes)))]
    # Representatives of the largest families first, so that the first neighbour is the right one.
    largest = np.argsort(-sizes, kind="stable")
    chosen = rows[first[largest]].view(np.uint8)
    i, j, _ = join(new, chosen, radius=radius, workers=workers)
    found, at = np.unique(i, return_index=True)
    added = np.full(len(new), -1, np.int32)
    added[found] = largest[j[at]]
    rest = np.flatnonzero(added < 0)
    added[rest] = len(sizes) + families(new[rest], radius, "spheres", workers=workers)
    return np.concatenate([labels.astype(np.int32), added])


METHODS = {"components": _components, "spheres": _spheres}
"""Clustering functions by the name that ``families`` takes as ``method``."""


def _check(method: str) -> None:
    """Raise ``ValueError`` if the method is unknown."""
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; choose one of {', '.join(METHODS)}")


def _check_rows(i: NDArray[np.integer[Any]], j: NDArray[np.integer[Any]], n: int) -> None:
    """Raise ``ValueError`` unless pairs are of rows from 0 to ``n - 1``; kernels do not check."""
    if len(i) != len(j):
        raise ValueError(f"pairs have {len(i)} first rows and {len(j)} second rows; pass as many")
    for rows in (i, j):
        if len(rows) and not 0 <= rows.min() <= rows.max() < n:
            raise ValueError(
                f"pairs have rows from {rows.min()} to {rows.max()}, but there are {n} hashes; "
                "pass pairs of rows of these hashes"
            )


@kernel
def _root(parent, label):
    """Return the smallest label of the family, and shorten the way to it."""
    while parent[label] != label:
        parent[label] = parent[parent[label]]
        label = parent[label]
    return label


@kernel
def _merge(parent, labels, i, j):
    """Merge the families of each pair."""
    for pair in range(len(i)):
        first, second = _root(parent, labels[i[pair]]), _root(parent, labels[j[pair]])
        if first < second:
            parent[second] = first
        else:
            parent[first] = second


@kernel
def _roots(parent):
    """Return the smallest label of each label's family."""
    roots = np.empty_like(parent)
    for label in range(len(parent)):
        roots[label] = _root(parent, label)
    return roots


@kernel
def _count(degree, i, j):
    """Add one neighbour for each end of each pair."""
    for pair in range(len(i)):
        degree[i[pair]] += 1
        degree[j[pair]] += 1


@kernel
def _claim(centre, i, j):
    """Make every unclaimed ``i`` a centre, and let centres claim their unclaimed ``j``."""
    for pair in range(len(i)):
        if centre[i[pair]] < 0:
            centre[i[pair]] = i[pair]
        if centre[i[pair]] == i[pair] and centre[j[pair]] < 0:
            centre[j[pair]] = i[pair]
