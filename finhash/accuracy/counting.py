"""Exact counts of all pairs of images, by distance and by family."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from tqdm import tqdm

from finhash import hamming
from finhash.accuracy import rates
from finhash.jit import kernel
from finhash.tables.hash_table import HashTable

BLOCK = 2**22
"""Largest number of pairs of images that one block of a scan may hold."""

LARGE = 64
"""Number of images from which a family's own pairs are scanned instead of held in a matrix."""


def pair_histograms(
    table: HashTable,
    names: Sequence[str],
    families: np.ndarray,
    workers: int = 1,
    *,
    progress: bool = True,
) -> pd.DataFrame:
    """Count all pairs of images by distance, for each method.

    Parameters
    ----------
    table : HashTable
        Hashes of the images.
    names : sequence of str
        Methods, which are columns of the table.
    families : array of shape (n,)
        Family of each image.
    workers : int
        Number of threads.
    progress : bool
        Whether to show a progress bar on stderr.

    Returns
    -------
    DataFrame
        One row per method and distance:

        method : str
            Method name.
        distance : int
            Hamming distance in bits, from 0 to the length of the hash.
        same : int
            Number of pairs within families.
        other : int
            Number of pairs between families.
    """
    tables = []
    for name in tqdm(names, "all pairs", unit="method", leave=False, disable=not progress):
        same, other = hamming.pair_histogram(table.hashes(name), families, workers=workers)
        counts = {"distance": np.arange(len(same)), "same": same, "other": other}
        tables.append(pd.DataFrame({"method": name, **counts}))
    return pd.concat(tables, ignore_index=True)


def labelled_histograms(
    table: HashTable,
    names: Sequence[str],
    truths: Mapping[str, np.ndarray],
    workers: int = 1,
    *,
    progress: bool = True,
) -> pd.DataFrame:
    """Count all pairs of images by distance under several labellings, scanning all pairs once.

    Parameters
    ----------
    table, names, workers, progress
        As for ``pair_histograms``.
    truths : mapping of str to array of shape (n,)
        Family of each image, under each labelling.

    Returns
    -------
    DataFrame
        One row per labelling, method and distance: the columns of ``pair_histograms``, and

        labels : str
            Key of ``truths``.
    """
    (first, families), *others = truths.items()
    counted = pair_histograms(table, names, families, workers, progress=progress)
    tables = [counted.assign(labels=first)]
    every = counted["same"] + counted["other"]
    for key, labels in others:
        _, numbers = np.unique(labels, return_inverse=True)
        own = [_by_family(table.hashes(name), numbers, workers).sum(axis=0) for name in names]
        same = np.concatenate(own)
        tables.append(counted.assign(same=same, other=every - same, labels=key))
    return pd.concat(tables, ignore_index=True)


@dataclass(frozen=True)
class PairTable:
    """Pairs of images counted for every family and for every two families.

    From these counts the rates of any weighting of families follow without counting again.
    Families are numbered from 0 in sorted order. The four arrays ``first``, ``second``,
    ``distance`` and ``count`` are the columns of one sparse table.

    Attributes
    ----------
    sizes : int array of shape (families,)
        Number of images in each family.
    same : int64 array of shape (families, bits + 1)
        Number of pairs within each family, by distance.
    first, second : int array of shape (cells,)
        Two different families, ``first < second``.
    distance : int array of shape (cells,)
        Distance in bits, at most ``reach``.
    count : int array of shape (cells,)
        Number of pairs between the two families at this distance; always positive.
    reach : int
        Largest distance, in bits, up to which pairs between families were counted.
    """

    sizes: np.ndarray
    same: np.ndarray
    first: np.ndarray
    second: np.ndarray
    distance: np.ndarray
    count: np.ndarray
    reach: int

    def rates(self, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Compute false positive rate and recall at every radius up to ``reach``.

        A family of weight w counts as w families: its own pairs have the weight w, and its pairs
        with a family of weight v have the weight w v.

        Parameters
        ----------
        weights : float array of shape (..., families), optional
            Weights of the families; one each by default. Leading axes hold several weightings.

        Returns
        -------
        fpr, recall : float arrays of shape (..., reach + 1)
            Rates at radii 0, 1, ..., ``reach``; nan where a weighting leaves no pair to count.
        """
        weights = np.ones(len(self.sizes)) if weights is None else weights
        rows = np.atleast_2d(weights)
        same = np.cumsum(rows @ self.same, axis=1)
        near = _weighted_counts(
            np.ascontiguousarray(rows.T),
            *(self.first, self.second, self.distance, self.count),
            self.reach,
        )
        other = np.cumsum(near, axis=0).T
        # The sum of x_a x_b over families a < b is (sum(x) ** 2 - sum(x ** 2)) / 2.
        images = rows * self.sizes
        pairs = (images.sum(axis=1) ** 2 - (images**2).sum(axis=1)) / 2
        shape = (*weights.shape[:-1], self.reach + 1)
        with np.errstate(invalid="ignore"):
            fpr, recall = other / pairs[:, None], same[:, : self.reach + 1] / same[:, -1:]
        return fpr.reshape(shape), recall.reshape(shape)

    def recall(self, weights: np.ndarray, radius: int) -> np.ndarray:
        """Compute recall at one radius, which is much faster than all ``rates``.

        Parameters
        ----------
        weights : float array of shape (..., families)
            Weights of the families.
        radius : int
            Radius in bits, up to the length of the hash; -1 claims no pair.

        Returns
        -------
        float array of shape (...)
            Recall; nan where a weighting leaves no pair within families.
        """
        within = self.same[:, : radius + 1].sum(axis=1)
        with np.errstate(invalid="ignore"):
            return (weights @ within) / (weights @ self.same.sum(axis=1))

    def claims(self, weights: np.ndarray | None = None) -> np.ndarray:
        """Count each family's pairs with all other families within every radius.

        Parameters
        ----------
        weights : float array of shape (families,), optional
            Weights of the other families; one each by default.

        Returns
        -------
        float array of shape (families, reach + 1)
            Weighted numbers of pairs with one image in the family, at radii 0, 1, ..., ``reach``.
        """
        weights = np.ones(len(self.sizes)) if weights is None else weights
        shape = len(self.sizes), self.reach + 1
        sides = [
            np.bincount(
                np.ravel_multi_index((own, self.distance), shape),
                self.count * weights[others],
                shape[0] * shape[1],
            )
            for own, others in ((self.first, self.second), (self.second, self.first))
        ]
        return np.cumsum(np.add(*sides).reshape(shape), axis=1)

    def effective_numbers(self, radius: int) -> tuple[float, float]:
        """Return how many equal family pairs and families would be as informative as these.

        Both are Kish's effective sample size, (sum x) ** 2 / sum(x ** 2). The first takes the
        numbers of image pairs claimed between two families, the second the numbers of image pairs
        within a family.

        Returns
        -------
        family_pairs, families : float
            Each is 0 if there are no pairs to count.
        """
        near = self.distance <= radius
        both = self.first[near] * len(self.sizes) + self.second[near]
        _, place = np.unique(both, return_inverse=True)
        return kish(np.bincount(place, self.count[near])), kish(self.same.sum(axis=1))

    def sample(self, weights: np.ndarray, reach: int | None = None) -> "PairTable":
        """Return the table without the cells of families of weight 0, cut at ``reach``.

        Families keep their numbers, so ``weights`` remain valid; rates computed with weights that
        are 0 for the same families are unchanged up to the new reach.
        """
        reach = self.reach if reach is None else reach
        kept = (weights[self.first] > 0) & (weights[self.second] > 0) & (self.distance <= reach)
        first, second, distance, count = (
            column[kept] for column in (self.first, self.second, self.distance, self.count)
        )
        return PairTable(self.sizes, self.same, first, second, distance, count, reach)

    def macro_rates(self) -> tuple[np.ndarray, np.ndarray]:
        """Compute the rates averaged over families instead of over pairs of images.

        Recall is the mean of the families' own recalls; families of one image have no pair and are
        left out. The false positive rate is the mean over all pairs of families.

        Returns
        -------
        fpr, recall : float arrays of shape (reach + 1,)
            Rates at radii 0, 1, ..., ``reach``.
        """
        pairs = self.sizes * (self.sizes - 1) // 2
        found = np.cumsum(self.same[pairs > 0], axis=1) / pairs[pairs > 0, None]
        share = self.count / (self.sizes[self.first] * self.sizes[self.second])
        other = np.cumsum(np.bincount(self.distance, share, self.reach + 1))
        number = len(self.sizes)
        return other / (number * (number - 1) / 2), found.mean(axis=0)[: self.reach + 1]

    def radius(self, target: float, weights: np.ndarray | None = None) -> int:
        """Return the largest radius whose false positive rate is at most ``target``, or -1.

        Raises
        ------
        ValueError
            If the false positive rate does not exceed ``target`` even at ``reach``, so that a
            larger radius might qualify too.
        """
        radius, _ = rates.at_rate(*self.rates(weights), target)
        if radius == self.reach:
            raise ValueError(
                f"the radius for the false positive rate {target} may lie beyond {self.reach}, "
                "the largest distance counted; count pairs again with a larger reach"
            )
        return radius


def kish(counts: np.ndarray) -> float:
    """Return Kish's effective number of terms of a sum, (sum x) ** 2 / sum(x ** 2); 0 if none.

    Examples
    --------
    >>> kish(np.array([5, 5, 5])), round(kish(np.array([100, 1, 1])), 2)
    (3.0, 1.04)
    """
    counts = np.asarray(counts, float)
    return float(counts.sum() ** 2 / (counts**2).sum()) if counts.any() else 0.0


def count_pairs(
    hashes: np.ndarray, truths: Mapping[str, np.ndarray], reach: int, *, workers: int = 1
) -> dict[str, PairTable]:
    """Count pairs by family under several labellings, computing distances only once.

    Parameters
    ----------
    hashes : uint8 array of shape (n, bits / 8)
        Packed hashes.
    truths : mapping of str to array of shape (n,)
        Family of each hash, under each labelling.
    reach : int
        Largest distance, in bits, up to which pairs between families are counted.
    workers : int
        Number of threads.

    Returns
    -------
    dict of str to PairTable
        One table per labelling.
    """
    counters = {truth: _Counter(families, reach) for truth, families in truths.items()}
    for i, j, distance in hamming.join_blocks(hashes, radius=reach, workers=workers, limit=BLOCK):
        for counter in counters.values():
            counter.add(i, j, distance)
    return {truth: counter.table(hashes, workers) for truth, counter in counters.items()}


class _Counter:
    """Pairs between families, collected block by block under one labelling.

    ``cells`` and ``counts`` hold what was counted so far; ``fresh`` holds the pairs since then, one
    number each. They are counted once there are as many of them as cells, so memory and time grow
    with the cells and not with the pairs.
    """

    def __init__(self, families: np.ndarray, reach: int) -> None:
        _, self.labels, self.sizes = np.unique(families, return_inverse=True, return_counts=True)
        self.shape = len(self.sizes), len(self.sizes), reach + 1
        self.cells = self.counts = np.empty(0, np.int64)
        self.fresh: list[np.ndarray] = []
        self.waiting = 0

    def add(self, i: np.ndarray, j: np.ndarray, distance: np.ndarray) -> None:
        """Add the pairs ``i, j`` of images, ignoring those within a family."""
        cells = _cells(self.labels, i, j, distance, self.shape[1], self.shape[2])
        self.fresh.append(cells)
        self.waiting += len(cells)
        if self.waiting > max(BLOCK, len(self.cells)):
            self._count()

    def table(self, hashes: np.ndarray, workers: int) -> PairTable:
        """Return the counts of all pairs added, and of all pairs within families."""
        self._count()
        first, second, distance = np.unravel_index(self.cells, self.shape)
        same, reach = _by_family(hashes, self.labels, workers), self.shape[2] - 1
        return PairTable(self.sizes, same, first, second, distance, self.counts, reach)

    def _count(self) -> None:
        """Merge the fresh pairs into the counts."""
        fresh, number = np.unique(np.concatenate([self.cells[:0], *self.fresh]), return_counts=True)
        self.fresh, self.waiting = [], 0
        cells, place = np.unique(np.concatenate([self.cells, fresh]), return_inverse=True)
        counts = np.zeros(len(cells), np.int64)
        counts[place[: len(self.cells)]] = self.counts
        counts[place[len(self.cells) :]] += number
        self.cells, self.counts = cells, counts


@kernel
def _cells(labels, i, j, distance, families, distances):
    """Return the ravelled index of the cell of each pair between families, ``int64 [pairs]``."""
    cells, number = np.empty(len(i), np.int64), 0
    for pair in range(len(i)):
        a, b = labels[i[pair]], labels[j[pair]]
        if a != b:
            cells[number] = (min(a, b) * families + max(a, b)) * distances + distance[pair]
            number += 1
    return cells[:number].copy()


@kernel
def _weighted_counts(weights, first, second, distance, count, reach):
    """Sum the weighted counts by distance: ``float64 [reach + 1, draws]``.

    ``weights`` is ``float64 [families, draws]``; draws lie together in memory for vectorisation.
    """
    total = np.zeros((reach + 1, weights.shape[1]))
    for cell in range(len(first)):
        a, b, out = weights[first[cell]], weights[second[cell]], total[distance[cell]]
        for draw in range(len(out)):
            out[draw] += a[draw] * b[draw] * count[cell]
    return total


def _by_family(hashes: np.ndarray, labels: np.ndarray, workers: int) -> np.ndarray:
    """Count the pairs within each family by distance, ``int64 [families, bits + 1]``."""
    sizes = np.bincount(labels)
    groups = np.split(hashes[np.argsort(labels, kind="stable")], np.cumsum(sizes)[:-1])
    same = np.zeros((len(sizes), 8 * hashes.shape[1] + 1), np.int64)
    for family in np.flatnonzero(sizes > 1):
        same[family] = _own_histogram(groups[family], workers)
    return same


def _own_histogram(hashes: np.ndarray, workers: int) -> np.ndarray:
    """Count all pairs of these hashes by distance, ``int64 [bits + 1]``."""
    if len(hashes) > LARGE:
        return hamming.pair_histogram(hashes, np.zeros(len(hashes)), workers=workers)[0]
    words = hashes.view(np.uint64)
    distances = np.bitwise_count(words[:, None] ^ words[None]).sum(axis=2, dtype=np.int64)
    each_once = distances[np.triu_indices(len(hashes), 1)]
    return np.bincount(each_once, minlength=8 * hashes.shape[1] + 1)
