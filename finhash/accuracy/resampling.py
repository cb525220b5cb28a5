"""Uncertainty of recall: families resampled, comparisons of methods, label noise.

All pairs of the set are counted, so there is no sampling error within the set. But the 1.6e9 pairs
come from about a thousand families, and other families would give other numbers. Families are
therefore resampled, not pairs.

Intervals come from half-samples: random halves of the families, drawn without replacement (Politis
and Romano 1994). If a statistic of n families has the error e(n), the difference between its values
on a half and on all families is distributed like e(n), including its bias: the variance of that
difference is that of n / 2 families less that of n, and both the variance and the bias of a
statistic of n / 2 families are twice those of n. The distribution of the differences, reversed and
added to the value on all families, is then an interval for the population. Recall at a small false
positive rate is biased upwards in small samples, because the few pairs of families that make most
of the false matches are often missing; the bootstrap's percentiles ignore this. The
study's module ``coverage`` simulates how often the intervals hold the true value.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from tqdm import tqdm

from finhash.accuracy import rates
from finhash.accuracy.counting import PairTable

LEVEL = 0.95
"""Confidence level of the intervals."""

NOMINAL = 0.98
"""Level at which quantiles are taken, so that intervals cover about ``LEVEL``.

P-values come from the same differences without such a correction, so they are approximate.
"""

MARGIN = 0.05
"""Equivalence margin: two recalls that differ by less count as equally good."""

ROOM = 16
"""Bits by which a sample's threshold may exceed that of all families.

A sample may lack the pairs of families that make false matches, so its threshold is larger.
"""

SMALLEST = 1e-3
"""Recall is kept this far from 0 and 1 before it is mapped to the logit scale."""

BLOCK = 2**24
"""Largest number of weights, halves times families, that are kept in memory at a time."""


def half_samples(units: np.ndarray, number: int, draws: int, seed: int) -> np.ndarray:
    """Draw random halves of some families.

    Parameters
    ----------
    units : int array of shape (n,)
        Families to draw from; a family may occur several times.
    number : int
        Number of all families.
    draws : int
        Number of halves.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    float array of shape (draws, number)
        How often each family occurs in each half.

    Examples
    --------
    >>> half_samples(np.array([0, 1, 3, 4]), number=5, draws=2, seed=0).sum(axis=1).tolist()
    [2.0, 2.0]
    """
    return np.stack(list(_halves(units, number, draws, seed)))


def _halves(units: np.ndarray, number: int, draws: int, seed: int) -> Iterator[np.ndarray]:
    """Yield the rows of ``half_samples`` one by one."""
    rng = np.random.default_rng(seed)
    for _ in range(draws):
        half = rng.choice(units, len(units) // 2, replace=False)
        yield np.bincount(half, minlength=number).astype(float)


def resample(
    tables: Mapping[str, PairTable],
    targets: Sequence[float],
    draws: int,
    seed: int,
    thresholds: Mapping[tuple[str, float], int] | None = None,
    *,
    progress: bool = True,
) -> pd.DataFrame:
    """Compute recall on all families and on random halves of them.

    All methods see the same halves, so they can be compared half by half.

    Parameters
    ----------
    tables : mapping of str to PairTable
        Counts of each method, all of the same families.
    targets : sequence of float
        False positive rates at which recall is computed.
    draws : int
        Number of halves.
    seed : int
        Seed of the random numbers.
    thresholds : mapping of (method, target) to int, optional
        Fixed thresholds, in bits. A method without a threshold for a target gets no row. By
        default, each half has its own threshold: the largest one whose false positive rate in
        this half is at most the target, capped at the ``reach`` of the counts.
    progress : bool
        Whether to show a progress bar on stderr.

    Returns
    -------
    DataFrame
        One row per method, draw and target:

        method : str
            Method name.
        target : float
            False positive rate.
        draw : int
            Index of the half-sample; -1 for all families.
        recall : float
            Recall in this half; nan if none of its families has two images.

    Notes
    -----
    The smallest p-value that ``differences`` can give is about 2 / ``draws``. Corrected for 44
    tests it falls below 5 % only with 1,800 draws or more.
    """
    number = len(next(iter(tables.values())).sizes)
    chosen, parts = {}, {}
    for name, table in tables.items():
        wanted = [t for t in targets if thresholds is None or (name, t) in thresholds]
        radii = None if thresholds is None else [thresholds[name, t] for t in wanted]
        chosen[name] = near(table, targets, radii), wanted, radii
        parts[name] = [np.empty((0, len(wanted)))]
    weightings = chain([np.ones(number)], _halves(np.arange(number), number, draws, seed))
    with tqdm(total=draws, desc="half-samples", leave=False, disable=not progress) as bar:
        while rows := list(islice(weightings, max(1, BLOCK // number))):
            weights = np.stack(rows)
            for name, (table, wanted, radii) in chosen.items():
                parts[name].append(recalls(table, weights, wanted, radii))
            bar.update(len(rows))
    columns = [
        pd.DataFrame(
            {"method": name, "target": target, "draw": np.arange(-1, draws), "recall": recall}
        )
        for name, (_, wanted, _) in chosen.items()
        for target, recall in zip(wanted, np.concatenate(parts[name]).T, strict=True)
    ]
    return pd.concat(columns, ignore_index=True)


def intervals(draws: pd.DataFrame) -> pd.DataFrame:
    """Compute intervals of recall from the table of ``resample``.

    Returns
    -------
    DataFrame
        One row per method and target:

        method : str
            Method name.
        target : float
            False positive rate.
        recall : float
            Recall on all families.
        low, high : float
            Bounds of the interval of level ``LEVEL``.
    """
    rows = []
    for (name, target), group in draws.groupby(["method", "target"], sort=False):
        own, halves = _own_and_halves(group.set_index("draw")["recall"])
        rows.append((name, target, own, *interval(own, halves)))
    return pd.DataFrame(rows, columns=["method", "target", "recall", "low", "high"])


def interval(own: float, halves: np.ndarray) -> tuple[float, float]:
    """Return the bounds of the interval of a recall, given its values on half-samples.

    The values are mapped to the logit scale, where the interval cannot leave 0 to 1.
    """
    errors = np.quantile(_logit(halves) - _logit(own), tails(NOMINAL))
    low, high = expit(_logit(own) - errors[::-1])
    return float(min(low, own)), float(max(high, own))


def differences(draws: pd.DataFrame, against: str, margin: float = MARGIN) -> pd.DataFrame:
    """Compare every method's recall with that of the method ``against``, half by half.

    Parameters
    ----------
    draws : DataFrame
        Table of ``resample``.
    against : str
        Name of the method to compare with.
    margin : float
        Equivalence margin of recall.

    Returns
    -------
    DataFrame
        One row per other method and target:

        method : str
            Method name.
        target : float
            False positive rate.
        difference : float
            Recall of the method less that of ``against``, on all families.
        low, high : float
            Bounds of the interval of level ``LEVEL`` of the difference.
        p : float
            Two-sided p-value of the hypothesis that the difference is 0.
        p_equivalent : float
            p-value of the hypothesis that the difference is at least ``margin``, in either
            direction (two one-sided tests, Schuirmann 1987). A small value shows equivalence.

        The p-values are not corrected for the number of comparisons; see ``holm``.
    """
    rows = []
    for target, group in draws.groupby("target", sort=False):
        wide = group.pivot_table(index="draw", columns="method", values="recall", sort=False)
        less = wide.drop(columns=against).sub(wide[against], axis=0)
        for name in less.columns:
            own, halves = _own_and_halves(less[name])
            low, high = own - np.quantile(halves - own, tails(NOMINAL))[::-1]
            p = min(1.0, 2 * min(_tail_shares(own, halves, 0)))
            above, _ = _tail_shares(own, halves, -margin)
            _, below = _tail_shares(own, halves, margin)
            rows.append((name, target, own, low, high, p, max(above, below)))
    columns = ["method", "target", "difference", "low", "high", "p", "p_equivalent"]
    return pd.DataFrame(rows, columns=columns)


def every_pair(draws: pd.DataFrame, margin: float = MARGIN) -> pd.DataFrame:
    """Compare every two methods, half by half, and correct all p-values together.

    Parameters
    ----------
    draws : DataFrame
        Table of ``resample``.
    margin : float
        Equivalence margin of recall.

    Returns
    -------
    DataFrame
        One row per target and two methods: the columns of ``differences``, with p-values corrected
        by ``holm``, and

        against : str
            Second method; ``method`` has the larger recall on all families.
    """
    columns = ["method", "against", "target", "difference", "low", "high", "p", "p_equivalent"]
    parts = [pd.DataFrame(columns=columns)]
    for _, group in draws.groupby("target", sort=False):
        own = group[group["draw"] == -1].set_index("method")["recall"]
        ranked = list(own.sort_values(ascending=False, kind="stable").index)
        for place in range(1, len(ranked)):
            known = group[group["method"].isin(ranked[: place + 1])]
            found = differences(known, ranked[place], margin).assign(against=ranked[place])
            parts.append(found[columns])
    table = pd.concat(parts[1:] or parts, ignore_index=True)
    tests = table[["p", "p_equivalent"]].stack()
    table[["p", "p_equivalent"]] = holm(tests).unstack() if len(table) else np.empty((0, 2))
    return table


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


def assign_folds(number: int, folds: int, seed: int) -> np.ndarray:
    """Assign ``number`` families to folds of nearly equal size at random, ``int [number]``.

    Examples
    --------
    >>> np.bincount(assign_folds(7, folds=3, seed=0)).tolist()
    [3, 2, 2]
    """
    return np.random.default_rng(seed).permutation(number) % folds


def near(table: PairTable, targets: Sequence[float], radii: Sequence[int] | None) -> PairTable:
    """Drop the cells beyond the thresholds that halves or other samples can have."""
    if radii is None:
        radii = [rates.at_rate(*table.rates(), target)[0] + ROOM for target in targets]
    return table.sample(np.ones(len(table.sizes)), min(table.reach, max([0, *radii])))


def recalls(
    table: PairTable, weights: np.ndarray, targets: Sequence[float], radii: Sequence[int] | None
) -> np.ndarray:
    """Return recall for each weighting and target, ``float [weightings, targets]``.

    It is taken at the given radii, or at the largest radius that meets the target.
    """
    if radii is not None:
        found = [table.recall(weights, radius) for radius in radii]
        return np.stack(found, axis=1) if found else np.empty((len(weights), 0))
    fpr, recall = table.rates(weights)
    last = np.stack([(fpr <= target).sum(axis=1) - 1 for target in targets], axis=1)
    return np.where(last >= 0, np.take_along_axis(recall, np.maximum(last, 0), axis=1), 0.0)


def _own_and_halves(values: pd.Series) -> tuple[float, np.ndarray]:
    """Split values indexed by draw into the one of all families and those of the halves.

    Halves without any pair within families have no recall, so they are left out.
    """
    return float(values.loc[-1]), values[values.index >= 0].dropna().to_numpy(float)


def _logit(recall: float | np.ndarray) -> np.ndarray:
    return logit(np.clip(recall, SMALLEST, 1 - SMALLEST))


def tails(level: float) -> tuple[float, float]:
    """Return the two quantiles that enclose the share ``level`` in the middle."""
    return (1 - level) / 2, (1 + level) / 2


def _tail_shares(own: float, halves: np.ndarray, value: float) -> tuple[float, float]:
    """Return the p-values of 'true value <= `value`' and 'true value >= `value`'.

    The first is small if the statistic is clearly above ``value``, the second if it is below. The
    error of the statistic is distributed like ``halves - own``. Adding one to both counts keeps
    p-values above zero.
    """
    errors, excess = halves - own, own - value
    above, below = (errors >= excess).sum(), (errors <= excess).sum()
    return (above + 1) / (len(errors) + 1), (below + 1) / (len(errors) + 1)
