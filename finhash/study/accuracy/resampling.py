"""Uncertainty of accuracy: families resampled, thresholds chosen on other families, label noise.

All pairs of the set are counted, so there is no sampling error within the set. But the 1.6e9 pairs
come from only 1,034 families, and other families would give other numbers. The bootstrap therefore
resamples families, not pairs. A family drawn w times counts w times in its own pairs, and
w_a w_b times in its pairs with another family. Its own pairs do not count w ** 2 times, because a
family and its copy would be of different families.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from tqdm import tqdm

from finhash.study.accuracy import rates
from finhash.study.accuracy.counting import PairTable

LEVEL = 0.95
"""Confidence level of the intervals."""


def bootstrap(
    tables: Mapping[str, PairTable], targets: Sequence[float], draws: int, seed: int
) -> pd.DataFrame:
    """Compute recall on resampled sets, whose families are drawn with replacement.

    All methods see the same draws, so they can be compared draw by draw.

    Parameters
    ----------
    tables : mapping of str to PairTable
        Counts of each method, all of the same families.
    targets : sequence of float
        False positive rates at which recall is computed.
    draws : int
        Number of resampled sets.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    DataFrame
        One row per method, draw and target:

        method : str
            Method name.
        target : float
            False positive rate.
        draw : int
            Number of the resampled set; -1 is the original set.
        recall : float
            Recall at the largest radius whose false positive rate is at most the target. The radius
            is capped at the ``reach`` of the counts.
    """
    number = len(next(iter(tables.values())).sizes)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(number, np.full(number, 1 / number), draws).astype(float)
    weights = np.vstack([np.ones(number), drawn])
    rows = []
    for name, table in tqdm(tables.items(), "bootstrap", unit="method", leave=False):
        for draw, (fpr, recalls) in enumerate(zip(*table.rates(weights), strict=True), start=-1):
            for target in targets:
                _, recall = rates.at_rate(fpr, recalls, target)
                rows.append((name, target, draw, recall))
    return pd.DataFrame(rows, columns=["method", "target", "draw", "recall"])


def intervals(draws: pd.DataFrame) -> pd.DataFrame:
    """Compute percentile intervals of recall from the table of ``bootstrap``.

    Returns
    -------
    DataFrame
        One row per method and target:

        method : str
            Method name.
        target : float
            False positive rate.
        recall : float
            Recall on the original set.
        low, high : float
            Bounds of the central interval of level ``LEVEL`` of the draws.
    """
    rows = []
    for (name, target), group in draws.groupby(["method", "target"], sort=False):
        own, drawn = group["recall"][group["draw"] < 0].item(), group["recall"][group["draw"] >= 0]
        rows.append((name, target, own, *_percentiles(drawn)))
    return pd.DataFrame(rows, columns=["method", "target", "recall", "low", "high"])


def differences(draws: pd.DataFrame, against: str) -> pd.DataFrame:
    """Compare every method's recall with that of the method ``against``, draw by draw.

    Parameters
    ----------
    draws : DataFrame
        Table of ``bootstrap``.
    against : str
        Name of the method to compare with.

    Returns
    -------
    DataFrame
        One row per other method and target:

        method : str
            Method name.
        target : float
            False positive rate.
        difference : float
            Recall of the method less that of ``against``, on the original set.
        low, high : float
            Bounds of the central interval of level ``LEVEL`` of the differences in the draws.
        p : float
            Two-sided p-value of no difference, corrected over the methods of one target by Holm's
            method.
    """
    rows = []
    for target, group in draws.groupby("target", sort=False):
        wide = group.pivot_table(index="draw", columns="method", values="recall", sort=False)
        less = wide.drop(columns=against).sub(wide[against], axis=0)
        drawn = less[less.index >= 0]
        # Draws on the rarer side of zero. Adding one to both counts keeps p above zero.
        beyond = np.minimum((drawn <= 0).sum(), (drawn >= 0).sum())
        p = holm(2 * (beyond + 1) / (len(drawn) + 1))
        for name in less.columns:
            rows.append((name, target, less.loc[-1, name], *_percentiles(drawn[name]), p[name]))
    return pd.DataFrame(rows, columns=["method", "target", "difference", "low", "high", "p"])


def holm(p: pd.Series) -> pd.Series:
    """Correct p-values for multiple comparisons by Holm's step-down method.

    Examples
    --------
    The smallest of three is tripled, the next doubled, and none falls below its predecessor:

    >>> holm(pd.Series({"a": 0.01, "b": 0.03, "c": 0.04})).to_dict()
    {'a': 0.03, 'b': 0.06, 'c': 0.06}
    """
    ordered = p.clip(upper=1).sort_values()
    steps = ordered * np.arange(len(ordered), 0, -1)
    return steps.cummax().clip(upper=1).reindex(p.index)


def macro(tables: Mapping[str, PairTable], targets: Sequence[float]) -> pd.DataFrame:
    """Compute recall at false positive rates, both averaged over families.

    Returns
    -------
    DataFrame
        One row per method and target:

        method : str
            Method name.
        target : float
            False positive rate, averaged over pairs of families.
        radius : int
            Largest radius with at most this rate, in bits; -1 if there is none. It is capped at the
            ``reach`` of the counts.
        recall : float
            Recall at this radius, averaged over families.
    """
    rows = []
    for name, table in tables.items():
        macro_rates = table.macro_rates()
        rows += [(name, target, *rates.at_rate(*macro_rates, target)) for target in targets]
    return pd.DataFrame(rows, columns=["method", "target", "radius", "recall"])


def assign_folds(number: int, folds: int, seed: int) -> np.ndarray:
    """Assign ``number`` families to folds of nearly equal size at random, ``int [number]``.

    Examples
    --------
    >>> np.bincount(assign_folds(7, folds=3, seed=0)).tolist()
    [3, 2, 2]
    """
    return np.random.default_rng(seed).permutation(number) % folds


def held_out(
    tables: Mapping[str, PairTable], targets: Sequence[float], folds: int, seed: int
) -> pd.DataFrame:
    """Cross-validate thresholds: choose a radius on all folds but one and apply it to that one.

    Each family belongs to one fold; see ``assign_folds``.

    Returns
    -------
    DataFrame
        One row per method, fold and target:

        method : str
            Method name.
        target : float
            False positive rate that the radius was chosen for.
        fold : int
            Fold left out when choosing.
        radius : int
            Chosen radius in bits; -1 if none meets the target.
        fpr, recall : float
            Rates at this radius over the pairs within the fold left out; 0 if the radius is -1.

    Raises
    ------
    ValueError
        If a radius may lie beyond the ``reach`` of the counts; see ``PairTable.radius``.
    """
    number = len(next(iter(tables.values())).sizes)
    fold_of = assign_folds(number, folds, seed)
    rows = []
    for name, table in tables.items():
        for fold in range(folds):
            test = (fold_of == fold).astype(float)
            fpr, recall = table.rates(test)
            for target in targets:
                radius = table.radius(target, 1 - test)
                measured = (fpr[radius], recall[radius]) if radius >= 0 else (0.0, 0.0)
                rows.append((name, target, fold, radius, *measured))
    return pd.DataFrame(rows, columns=["method", "target", "fold", "radius", "fpr", "recall"])


def _percentiles(values: pd.Series) -> tuple[float, float]:
    """Return the bounds of the central interval of level ``LEVEL``."""
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def noisy(families: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Return a copy of the labels in which about ``share`` of the same-family pairs are wrong.

    A pair is wrong if either of its images has a wrong label. Therefore only ``share / 2`` of the
    images, chosen at random, get the label of another random image.
    """
    rng = np.random.default_rng(seed)
    moved = rng.random(len(families)) < share / 2
    families = families.copy()
    families[moved] = rng.choice(families, moved.sum())
    return families
