"""How sure accuracy is: families resampled, radii chosen on other families, labels put right.

All pairs are counted, so there is no sampling error in them; but 1.6e9 pairs come from 1,034
families, and another thousand memes would give other numbers. So families are resampled, not pairs:
one that is drawn w times counts w times in its own pairs, and w_a w_b times in its pairs with
another (not w squared in its own: that would invent pairs of a family with its copy).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numba import njit
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from tqdm import tqdm

from finhash import hamming
from finhash.study import evaluate, memes

LEVEL = 0.95
"""What intervals cover."""


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
        radius, _ = evaluate.at_rate(*self.rates(weights), target)
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


def bootstrap(
    tables: Mapping[str, PairTable], targets: Sequence[float], draws: int, seed: int
) -> pd.DataFrame:
    """Recall at false positive rates, families drawn with replacement.

    ``method, target, draw, recall``; draw -1 is the set as it is. All methods see the same draws,
    so that they can be compared draw by draw.
    """
    number = len(next(iter(tables.values())).sizes)
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(number, np.full(number, 1 / number), draws).astype(float)
    rows = []
    weights = np.vstack([np.ones(number), weights])
    for name, table in tqdm(tables.items(), "bootstrap", unit="method", leave=False):
        for draw, (fpr, tpr) in enumerate(zip(*table.rates(weights), strict=True), start=-1):
            for target in targets:
                _, recall = evaluate.at_rate(fpr, tpr, target)
                rows.append((name, target, draw, recall))
    return pd.DataFrame(rows, columns=["method", "target", "draw", "recall"])


def intervals(draws: pd.DataFrame) -> pd.DataFrame:
    """``method, target, recall, low, high``: the set's own value and the draws' percentiles."""
    rows = []
    for (name, target), group in draws.groupby(["method", "target"], sort=False):
        own, drawn = group["recall"][group["draw"] < 0].item(), group["recall"][group["draw"] >= 0]
        rows.append((name, target, own, *_percentiles(drawn)))
    return pd.DataFrame(rows, columns=["method", "target", "recall", "low", "high"])


def differences(draws: pd.DataFrame, against: str) -> pd.DataFrame:
    """Every method's recall less that of ``against``, draw by draw.

    ``method, target, difference, low, high, p``: p is two-sided, by Holm's step-down over the
    methods at each target.
    """
    rows = []
    for target, group in draws.groupby("target", sort=False):
        wide = group.pivot_table(index="draw", columns="method", values="recall", sort=False)
        less = wide.drop(columns=against).sub(wide[against], axis=0)
        drawn = less[less.index >= 0]
        beyond = np.minimum((drawn <= 0).sum(), (drawn >= 0).sum())
        p = holm(2 * (beyond + 1) / (len(drawn) + 1))
        for name in less.columns:
            rows.append((name, target, less.loc[-1, name], *_percentiles(drawn[name]), p[name]))
    return pd.DataFrame(rows, columns=["method", "target", "difference", "low", "high", "p"])


def holm(p: pd.Series) -> pd.Series:
    """P-values corrected for their number by Holm's step-down method."""
    ordered = p.clip(upper=1).sort_values()
    steps = ordered * np.arange(len(ordered), 0, -1)
    return steps.cummax().clip(upper=1).reindex(p.index)


def macro(tables: Mapping[str, PairTable], targets: Sequence[float]) -> pd.DataFrame:
    """Recall at false positive rates, both by family: ``method, target, radius, recall``."""
    rows = []
    for name, table in tables.items():
        rates = table.macro_rates()
        rows += [(name, target, *evaluate.at_rate(*rates, target)) for target in targets]
    return pd.DataFrame(rows, columns=["method", "target", "radius", "recall"])


def held_out(
    tables: Mapping[str, PairTable], targets: Sequence[float], folds: int, seed: int
) -> pd.DataFrame:
    """Radii chosen on all folds but one, judged on that one: families are in one fold each.

    ``method, target, fold, radius, fpr, recall``, the last two on the fold's own pairs.
    """
    number = len(next(iter(tables.values())).sizes)
    fold_of = np.random.default_rng(seed).permutation(number) % folds
    rows = []
    for name, table in tables.items():
        for fold in range(folds):
            test = (fold_of == fold).astype(float)
            fpr, tpr = table.rates(test)
            for target in targets:
                radius = table.radius(target, 1 - test)
                judged = (fpr[radius], tpr[radius]) if radius >= 0 else (0.0, 0.0)
                rows.append((name, target, fold, radius, *judged))
    return pd.DataFrame(rows, columns=["method", "target", "fold", "radius", "fpr", "recall"])


def closest(tables: Mapping[str, PairTable], target: float) -> pd.DataFrame:
    """Pairs of families by the share of their cross pairs that each method claims at ``target``.

    ``first, second``, positions in order of family, a column a method, and ``median`` of these:
    near 1 for one picture under two names.
    """
    columns = {}
    for name, table in tables.items():
        within = table.distance <= table.radius(target)
        index = pd.MultiIndex.from_arrays([table.first[within], table.second[within]])
        claimed = pd.Series(table.count[within], index).groupby(level=[0, 1]).sum()
        a, b = (claimed.index.get_level_values(k) for k in (0, 1))
        columns[name] = claimed / (table.sizes[a] * table.sizes[b])
    shares = pd.DataFrame(columns).fillna(0.0)
    shares["median"] = shares.median(axis=1)
    shares.index.names = ["first", "second"]
    return shares.sort_values("median", ascending=False).reset_index()


def twins(dataset: str) -> pd.DataFrame:
    """Pairs of families looked at because hashes find them close, with what was seen.

    ``first, second`` (family numbers), their templates' names, ``verdict``: ``same`` picture
    (cropped, recoloured or lettered at most), ``variant`` of it, or nothing in common but the
    ``background``. Only of the ``memes`` data set; of others none is known.
    """
    table = pd.read_csv(memes.ASSETS / "twins.csv")
    return table if dataset == "memes" else table.iloc[:0]


def false_share(
    tables: Mapping[str, PairTable],
    families: np.ndarray,
    pairs: pd.DataFrame,
    targets: Sequence[float],
) -> pd.DataFrame:
    """Which share of a method's false claims lies between these pairs of families.

    ``method, target, radius, share``.
    """
    names = np.unique(families)
    known = {tuple(np.searchsorted(names, pair)) for pair in _within(pairs, names)}
    rows = []
    for name, table in tables.items():
        listed = np.array([pair in known for pair in zip(table.first, table.second, strict=True)])
        for target in targets:
            radius = table.radius(target)
            claimed = table.count * (table.distance <= radius)
            share = claimed[listed].sum() / max(1, claimed.sum())
            rows.append((name, target, radius, share))
    return pd.DataFrame(rows, columns=["method", "target", "radius", "share"])


def merged(families: np.ndarray, pairs: pd.DataFrame) -> np.ndarray:
    """The labels with each of the pairs ``first, second`` of families made one."""
    names, labels = np.unique(families, return_inverse=True)
    pairs = np.searchsorted(names, _within(pairs, names))
    links = coo_array((np.ones(len(pairs)), pairs.T), (len(names), len(names)))
    return connected_components(links, directed=False)[1][labels]


@njit(cache=True)
def _weighted_counts(weights, first, second, distance, count, reach):
    """Pairs of families by distance, weighted: ``[reach + 1, draws]`` of ``[families, draws]``."""
    total = np.zeros((reach + 1, weights.shape[1]))
    for cell in range(len(first)):
        a, b, out = weights[first[cell]], weights[second[cell]], total[distance[cell]]
        for draw in range(len(out)):
            out[draw] += a[draw] * b[draw] * count[cell]
    return total


def _within(pairs: pd.DataFrame, names: np.ndarray) -> np.ndarray:
    """Those of the pairs whose families are both there, ``[pairs, 2]``."""
    both = pairs[["first", "second"]].to_numpy()
    return both[np.isin(both, names).all(axis=1)]


def _own_distances(hashes: np.ndarray) -> np.ndarray:
    """Pairs of these hashes by distance, ``int64 [bits + 1]``."""
    words = hashes.view(np.uint64)
    apart = np.bitwise_count(words[:, None] ^ words[None]).sum(axis=2, dtype=np.int64)
    return np.bincount(apart[np.triu_indices(len(hashes), 1)], minlength=8 * hashes.shape[1] + 1)


def _percentiles(values: pd.Series) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
