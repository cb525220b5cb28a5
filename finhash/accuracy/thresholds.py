"""Thresholds chosen by rule: which one to use for which purpose, and how sure its error rate is.

For each use there is a target, the largest acceptable false positive rate. The rule takes the
largest threshold whose upper bound of the rate on unseen families is at most the target. Because
the rate grows with the threshold, the chosen threshold exceeds the target only if the bound fails,
so the bound's confidence carries over to the choice (Bates et al. 2021 prove this in general).
"""

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import chi2
from tqdm import tqdm

from finhash.accuracy import resampling
from finhash.accuracy.counting import PairTable
from finhash.thresholds import TARGETS

LEVEL = 0.95
"""Nominal confidence level of the upper bound."""

UNSEEN = 3.0
"""Rule of three: if none of n independent trials succeeds, the rate is below 3 / n (95 %)."""

PARTS = 50
"""Number of parts of the families; the rule must accept a threshold without any one of them."""


def upper_bound(table: PairTable, weights: np.ndarray | None = None) -> np.ndarray:
    """Return an upper confidence bound of the false positive rate on unseen families.

    False matches come from few pairs of families, each with many pairs of images. Their effective
    number k is the squared rate over its variance, which the jackknife estimates by leaving out one
    family at a time. The bound is the rate times U(k) / k, where U(k) is the exact upper bound of a
    Poisson mean of which k events were seen, plus ``UNSEEN`` over the number of pairs of families:
    a kind of false match that was not seen yet may be that frequent.

    Parameters
    ----------
    table : PairTable
        Counts of one method.
    weights : float array of shape (families,), optional
        Whole numbers: how often each family is in the sample; one each by default.

    Returns
    -------
    float array of shape (reach + 1,)
        Bound at radii 0, 1, ..., ``reach``; it never falls. It is infinite if there are fewer than
        three families, since the jackknife then leaves no pair of families.
    """
    weights = np.ones(len(table.sizes)) if weights is None else weights
    number = weights.sum()
    if number < 3:
        return np.full(table.reach + 1, np.inf)
    claims, sizes = table.claims(weights)[weights > 0], table.sizes[weights > 0]
    weights = weights[weights > 0]
    total = weights @ claims / 2
    images = weights @ sizes
    pairs = (images**2 - weights @ sizes**2) / 2
    rate = total / pairs
    # Without one family: its claims, and its pairs with all other images, are missing.
    left = (total - claims) / (pairs - sizes * (images - sizes))[:, None]
    mean = weights @ left / number
    variance = (number - 1) / number * (weights @ (left - mean) ** 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        events = rate**2 / variance
        bound = rate * chi2.ppf(LEVEL, 2 * events + 2) / 2 / events
    family_pairs = number * (number - 1) / 2
    bound = np.where(rate > 0, bound, 0.0) + UNSEEN / family_pairs
    return np.maximum.accumulate(bound)


def attainable(table: PairTable) -> np.ndarray:
    """Return the distances up to ``reach`` that occur, ``int [any]``.

    FINd, for example, sets exactly half of its bits, so all its distances are even.
    """
    between = np.bincount(table.distance, table.count, table.reach + 1)
    within = table.same.sum(axis=0)[: table.reach + 1]
    return np.flatnonzero(between + within)


def largest(values: np.ndarray, target: float, distances: np.ndarray) -> int:
    """Return the largest of the distances whose value is at most the target, or -1.

    Examples
    --------
    >>> largest(np.array([0, 0.1, 0.2, 0.3]), target=0.25, distances=np.array([1, 3]))
    1
    """
    return max((int(d) for d in distances if values[d] <= target), default=-1)


def families_needed(target: float) -> int:
    """Return how many families the rule needs at least, if no false match is seen among them.

    Without the largest of the ``PARTS`` parts, ``UNSEEN`` over the number of pairs of families must
    be at most the target.

    Examples
    --------
    >>> families_needed(1e-2), families_needed(1e-4)
    (26, 252)
    """
    left = math.ceil((1 + math.sqrt(1 + 8 * UNSEEN / target)) / 2)
    return next(n for n in itertools.count(left + 1) if n - math.ceil(n / PARTS) >= left)


def recommend(
    tables: Mapping[str, PairTable],
    seed: int,
    targets: Mapping[Any, float] = TARGETS,
    *,
    progress: bool = True,
) -> pd.DataFrame:
    """Choose a threshold for every use and method.

    The families are divided into ``PARTS`` parts at random. The rule is applied to all families,
    and without each of the parts; the smallest of these thresholds is taken, so the rule accepts it
    whichever part is missing.

    Parameters
    ----------
    tables : mapping of str to PairTable
        Counts of each method, all of the same families.
    seed : int
        Seed of the random division.
    targets : mapping of str to float
        Largest acceptable false positive rate of each use.
    progress : bool
        Whether to show a progress bar on stderr.

    Returns
    -------
    DataFrame
        One row per use and method; none if no threshold meets the rule:

        use : str
            Key of ``targets``.
        method : str
            Method name.
        threshold : int
            Chosen threshold, in bits.
        target : float
            False positive rate that must not be exceeded.
        fpr : float
            False positive rate on families that the choice had not seen: for each part, the pairs
            with at least one image in it are counted at the threshold chosen without it, and the
            counts of all parts are pooled.
        fpr_high : float
            Upper bound of the rate on unseen families.
        margin : int
            The largest threshold whose estimated rate meets the target, less the chosen one: the
            price of caution, in bits.
    """
    number = len(next(iter(tables.values())).sizes)
    part = resampling.assign_folds(number, PARTS, seed)
    rests = [np.ones(number), *((part != k).astype(float) for k in range(PARTS))]
    found = {}
    shown = tqdm(tables.items(), "thresholds", unit="method", leave=False, disable=not progress)
    for name, table in shown:
        distances, bounds = attainable(table), [upper_bound(table, rest) for rest in rests]
        fpr = table.rates()[0]
        for use, target in targets.items():
            accepted = [largest(bound, target, distances) for bound in bounds]
            threshold = min(accepted)
            if threshold >= 0:
                margin = largest(fpr, target, distances) - threshold
                unseen = _unseen_rate(table, np.stack(rests[1:]), np.array(accepted[1:]))
                high = bounds[0][threshold]
                found[use, name] = (use, name, threshold, target, unseen, high, margin)
    columns = ["use", "method", "threshold", "target", "fpr", "fpr_high", "margin"]
    ordered = [found[use, name] for use in targets for name in tables if (use, name) in found]
    return pd.DataFrame(ordered, columns=columns)


def by_method(recommended: pd.DataFrame, use: str) -> dict[str, int]:
    """Return the thresholds of one use, by method, from the table of ``recommend``."""
    chosen = recommended[recommended["use"] == use]
    return dict(zip(chosen["method"], chosen["threshold"].astype(int), strict=True))


def estimated(tables: Mapping[str, PairTable], target: float) -> dict[str, int]:
    """Return the largest attainable thresholds whose estimated rate meets the target, by method.

    The threshold is 0 if none meets it. Collections of few families need these: no rule can promise
    them a small rate, since ``UNSEEN`` over the number of pairs of families exceeds it.
    """
    return {
        name: max(0, largest(table.rates()[0], target, attainable(table)))
        for name, table in tables.items()
    }


def effective(tables: Mapping[str, PairTable], recommended: pd.DataFrame) -> pd.DataFrame:
    """Compute how many pairs of families, and families, the rates at the thresholds rest on.

    Returns
    -------
    DataFrame
        One row per row of ``recommended``:

        use, method : str
            As there.
        threshold : int
            As there, in bits.
        family_pairs : float
            Effective number of pairs of families among the false matches.
        families : float
            Effective number of families among the pairs within families.
    """
    rows = [
        (use, name, threshold, *tables[name].effective_numbers(threshold))
        for use, name, threshold in recommended[["use", "method", "threshold"]].itertuples(
            index=False
        )
    ]
    return pd.DataFrame(rows, columns=["use", "method", "threshold", "family_pairs", "families"])


def _unseen_rate(table: PairTable, rests: np.ndarray, radii: np.ndarray) -> float:
    """Return the rate over the pairs with a left-out family, pooled over the parts.

    ``rests`` holds 1 for the families that are left, ``float [parts, families]``, and ``radii`` the
    threshold chosen with these, ``int [parts]``.
    """
    weights = np.vstack([np.ones(len(table.sizes)), rests])
    images, squares = weights @ table.sizes, weights**2 @ table.sizes**2
    pairs = (images**2 - squares) / 2
    claimed = table.rates(weights)[0] * pairs[:, None]
    unseen = claimed[0, radii] - claimed[1 + np.arange(len(radii)), radii]
    return float(unseen.sum() / (pairs[0] - pairs[1:]).sum())
