"""Pairs of images counted exactly, by distance and by family."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numba import njit
from tqdm import tqdm

from finhash import hamming
from finhash.jobs.table import HashTable
from finhash.study.accuracy import rates
from finhash.study.data import simulated


def pair_histograms(
    table: HashTable, names: Sequence[str], families: np.ndarray, workers: int = 1
) -> pd.DataFrame:
    """Exact counts over all pairs: ``method, distance, same, other``."""
    parts = []
    for name in tqdm(names, "all pairs", unit="method", leave=False):
        same, other = hamming.pair_histogram(table.hashes(name), families, workers=workers)
        counts = {"distance": np.arange(len(same)), "same": same, "other": other}
        parts.append(pd.DataFrame({"method": name, **counts}))
    return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True)
class PairTable:
    """Pairs counted by family: within each by distance, and between any two, if they are near.

    ``sizes`` are pictures, ``same`` is ``int64 [families, bits + 1]``. Families ``first`` and
    ``second`` have ``count`` pairs at ``distance``, listed up to the distance ``reach``.
    """

    sizes: np.ndarray
    same: np.ndarray
    first: np.ndarray
    second: np.ndarray
    distance: np.ndarray
    count: np.ndarray
    reach: int

    def rates(self, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """False positive rate and recall at radii ``0 .. reach``, ``[..., reach + 1]``.

        ``weights`` are families', ``[..., families]``: one each unless given.
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
        pictures = rows * self.sizes
        pairs = (pictures.sum(axis=1) ** 2 - (pictures**2).sum(axis=1)) / 2
        shape = (*weights.shape[:-1], self.reach + 1)
        fpr, tpr = other / pairs[:, None], same[:, : self.reach + 1] / same[:, -1:]
        return fpr.reshape(shape), tpr.reshape(shape)

    def macro_rates(self) -> tuple[np.ndarray, np.ndarray]:
        """The same with every family, and every pair of families, counting as much as any other.

        Families of one picture have no pairs, and do not count in recall.
        """
        pairs = self.sizes * (self.sizes - 1) // 2
        found = np.cumsum(self.same[pairs > 0], axis=1) / pairs[pairs > 0, None]
        share = self.count / (self.sizes[self.first] * self.sizes[self.second])
        other = np.cumsum(np.bincount(self.distance, share, self.reach + 1))
        number = len(self.sizes)
        return other / (number * (number - 1) / 2), found.mean(axis=0)[: self.reach + 1]

    def radius(self, target: float, weights: np.ndarray | None = None) -> int:
        """The largest radius whose false positive rate is at most ``target``; -1 if none is."""
        radius, _ = rates.at_rate(*self.rates(weights), target)
        if radius == self.reach:
            raise ValueError(f"a rate of {target} lies beyond the distance {self.reach}")
        return radius


def count_pairs(
    hashes: np.ndarray, truths: Mapping[str, np.ndarray], reach: int, *, workers: int = 1
) -> dict[str, PairTable]:
    """The pair table of all pictures by each of the truths, their families.

    Pairs of different families are counted up to ``reach`` only; they are found once for all.
    """
    counters = {truth: _Counter(families, reach) for truth, families in truths.items()}
    for i, j, distance in hamming.join_blocks(hashes, radius=reach, workers=workers):
        for counter in counters.values():
            counter.add(i, j, distance)
    return {truth: counter.table(hashes) for truth, counter in counters.items()}


class _Counter:
    """Pairs of different families, by families and distance, as they come."""

    def __init__(self, families: np.ndarray, reach: int) -> None:
        _, self.labels, self.sizes = np.unique(families, return_inverse=True, return_counts=True)
        self.shape = len(self.sizes), len(self.sizes), reach + 1
        self.cells: list[np.ndarray] = []

    def add(self, i: np.ndarray, j: np.ndarray, distance: np.ndarray) -> None:
        a, b = self.labels[i], self.labels[j]
        other = a != b
        a, b, distance = a[other], b[other], distance[other]
        cells = np.ravel_multi_index((np.minimum(a, b), np.maximum(a, b), distance), self.shape)
        self.cells.append(cells)

    def table(self, hashes: np.ndarray) -> PairTable:
        cells, count = np.unique(np.concatenate(self.cells), return_counts=True)
        own = [_own_distances(hashes[self.labels == k]) for k in range(len(self.sizes))]
        ends = np.unravel_index(cells, self.shape)
        return PairTable(self.sizes, np.stack(own), *ends, count, self.shape[2] - 1)


@njit(cache=True)
def _weighted_counts(weights, first, second, distance, count, reach):
    """Pairs of families by distance, weighted: ``[reach + 1, draws]`` of ``[families, draws]``."""
    total = np.zeros((reach + 1, weights.shape[1]))
    for cell in range(len(first)):
        a, b, out = weights[first[cell]], weights[second[cell]], total[distance[cell]]
        for draw in range(len(out)):
            out[draw] += a[draw] * b[draw] * count[cell]
    return total


def _own_distances(hashes: np.ndarray) -> np.ndarray:
    """Pairs of these hashes by distance, ``int64 [bits + 1]``."""
    words = hashes.view(np.uint64)
    apart = np.bitwise_count(words[:, None] ^ words[None]).sum(axis=2, dtype=np.int64)
    return np.bincount(apart[np.triu_indices(len(hashes), 1)], minlength=8 * hashes.shape[1] + 1)


def check(
    some: np.ndarray, labels: np.ndarray, copies: int, radius: int, seed: int, *, workers: int
) -> pd.DataFrame:
    """The set and copies of it: ``copies, same_mean, other_mean, other_sd, recall, fpr``.

    Means and deviation of distances; recall and false positive rate at the radius.
    """
    rows = []
    for number in (1, copies):
        size = number * len(some)
        many, own = simulated.hashes(some, size, seed), simulated.families(labels, size)
        same, other = hamming.pair_histogram(many, own, workers=workers)
        _, fpr, recall = rates.roc(same, other).iloc[radius]
        mean, _ = rates.mean_and_deviation(same)
        rows.append((number, mean, *rates.mean_and_deviation(other), recall, fpr))
    columns = ["copies", "same_mean", "other_mean", "other_sd", "recall", "fpr"]
    return pd.DataFrame(rows, columns=columns)
