"""Accuracy measures computed from counts of pairs by distance.

A pair of images is claimed to be of one family if its distance is at most the threshold, here
called radius. Functions with the parameters ``same`` and ``other`` take two histograms: ``same``
counts the pairs within families and ``other`` the pairs between families, both indexed by distance.
The module does not import the code that counts pairs, so importing it is cheap.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import digamma

from finhash import methods

FPR_TARGETS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
"""False positive rates at which recall is reported."""

PRECISION_TARGETS = (0.9, 0.99, 0.999)
"""Precisions at which recall is reported."""


def roc(same: np.ndarray, other: np.ndarray) -> pd.DataFrame:
    """Compute the receiver operating characteristic: both rates at every radius.

    Returns
    -------
    DataFrame
        One row per radius:

        radius : int
            Threshold in bits, from 0.
        fpr : float
            False positive rate: share of other-family pairs within the radius.
        tpr : float
            Recall: share of same-family pairs within the radius.

    Examples
    --------
    >>> roc([6, 3, 1], [0, 1, 4])
       radius  fpr  tpr
    0       0  0.0  0.6
    1       1  0.2  0.9
    2       2  1.0  1.0
    """
    same, other = np.asarray(same, float), np.asarray(other, float)
    return pd.DataFrame(
        {
            "radius": np.arange(len(same)),
            "fpr": np.cumsum(other) / other.sum(),
            "tpr": np.cumsum(same) / same.sum(),
        }
    )


def auc(same: np.ndarray, other: np.ndarray) -> float:
    """Compute the area under the ROC curve.

    It is the probability that a random same-family pair is nearer than a random other-family pair,
    where equal distances count one half.

    Examples
    --------
    Pairs at distance 0 (half of them) always win; those at distance 1 tie:

    >>> auc([1, 1], [0, 1])
    0.75
    """
    same, other = np.asarray(same, float), np.asarray(other, float)
    farther = 1 - np.cumsum(other) / other.sum()
    return float(np.sum(same / same.sum() * (farther + 0.5 * other / other.sum())))


def at_fpr(same: np.ndarray, other: np.ndarray, target: float) -> tuple[int, float]:
    """Find the largest radius whose false positive rate is at most ``target``.

    Returns
    -------
    radius : int
        The radius, or -1 if the rate exceeds ``target`` already at distance 0.
    recall : float
        Recall at this radius; 0 if the radius is -1.

    Examples
    --------
    >>> at_fpr([6, 3, 1], [0, 1, 4], target=0.5)
    (1, 0.9)
    """
    curve = roc(same, other)
    return at_rate(curve["fpr"].to_numpy(), curve["tpr"].to_numpy(), target)


def at_rate(fpr: np.ndarray, tpr: np.ndarray, target: float) -> tuple[int, float]:
    """Return the radius and recall of ``at_fpr``, given both rates at radii 0, 1, 2, ...

    The radius is at most the last one given. For rates of a ``PairTable`` it is therefore capped at
    ``reach``, without an error; only ``PairTable.radius`` raises one.
    """
    radius = int((fpr <= target).sum()) - 1
    return radius, float(tpr[radius]) if radius >= 0 else 0.0


def precision(
    fpr: np.ndarray | float, tpr: np.ndarray | float, prevalence: float
) -> np.ndarray | float:
    """Return the share of claimed pairs that are of one family.

    ``prevalence`` is the share of same-family pairs among all pairs.
    """
    right, wrong = np.multiply(tpr, prevalence), np.multiply(fpr, 1 - prevalence)
    return right / (right + wrong)


def recall_at_precision(same: np.ndarray, other: np.ndarray, target: float) -> float:
    """Return the largest recall at which precision is at least ``target``; 0 if it never is."""
    right, claims = np.cumsum(same), np.cumsum(same) + np.cumsum(other)
    precise = (claims > 0) & (right >= target * claims)
    return float(right[precise].max(initial=0) / right[-1])


def average_precision(same: np.ndarray, other: np.ndarray, ties: str = "expected") -> np.ndarray:
    """Compute the average precision of a ranking by distance.

    Average precision is the mean, over all same-family items, of the precision at the item's rank.
    Items at one distance tie, so their order has to be assumed.

    Parameters
    ----------
    same, other : array of shape (..., bits + 1)
        Counts of same-family and other-family items by distance.
    ties : {"expected", "worst"}
        ``"expected"`` returns the mean over all orders of tied items. ``"worst"`` ranks the
        other-family items of a tie first.

    Returns
    -------
    ndarray of shape (...)
        Average precision, float; nan where ``same`` is all zero.

    Examples
    --------
    One item of each kind at distance 0: the right one ranks first (precision 1) or second (1/2).

    >>> float(average_precision([1, 0], [1, 0]))
    0.75
    >>> float(average_precision([1, 0], [1, 0], "worst"))
    0.5
    """
    if ties not in _PRECISION_SUMS:
        raise ValueError(f"unknown ties {ties!r}; use one of {', '.join(_PRECISION_SUMS)}")
    same, other = np.asarray(same, float), np.asarray(other, float)
    same_before = np.cumsum(same, axis=-1) - same
    all_before = np.cumsum(same + other, axis=-1) - same - other
    # Precision is summed over same-family items only, so distances without any contribute nothing.
    present = same > 0
    sums = np.zeros(same.shape)
    sums[present] = _PRECISION_SUMS[ties](
        same[present], other[present], same_before[present], all_before[present]
    )
    total = same.sum(axis=-1)
    return np.divide(sums.sum(axis=-1), total, out=np.full(total.shape, np.nan), where=total > 0)


# The two functions below take one tie each (elementwise): s same-family and o other-family items at
# one distance, S same-family items and N items of both kinds at smaller distances. They return the
# sum of the precisions at the ranks of the tie's same-family items. _reciprocals(R, n) is
# 1 / (R + 1) + ... + 1 / (R + n).


def _expected_precision_sum(
    s: np.ndarray, o: np.ndarray, same_before: np.ndarray, all_before: np.ndarray
) -> np.ndarray:
    """Return the sum of precisions, averaged over all orders of the tie."""
    # The tie fills the ranks N + 1 .. N + n with n = s + o. In a random order, rank N + i holds a
    # same-family item with probability s / n. If it does, each of the i - 1 items of the tie before
    # it is of the same family with probability b = (s - 1) / (n - 1), so the expected precision is
    #   (S + 1 + b (i - 1)) / (N + i)  =  b + (S + 1 - b (N + 1)) / (N + i).
    # Summed over i = 1 .. n:  b n + (S + 1 - b (N + 1)) (1 / (N + 1) + ... + 1 / (N + n)).
    n = s + o
    b = (s - 1) / np.maximum(n - 1, 1)  # a single item, n = s = 1, has none before it: b = 0
    constant = same_before + 1 - b * (all_before + 1)
    return s / n * (b * n + constant * _reciprocals(all_before, n))


def _worst_precision_sum(
    s: np.ndarray, o: np.ndarray, same_before: np.ndarray, all_before: np.ndarray
) -> np.ndarray:
    """Return the sum of precisions if the tie's other-family items come first."""
    # The same-family items fill the ranks R + 1 .. R + s with R = N + o. The j-th has precision
    #   (S + j) / (R + j)  =  1 + (S - R) / (R + j).
    # Summed over j = 1 .. s:  s + (S - R) (1 / (R + 1) + ... + 1 / (R + s)).
    first = all_before + o
    return s + (same_before - first) * _reciprocals(first, s)


_PRECISION_SUMS = {"expected": _expected_precision_sum, "worst": _worst_precision_sum}


def _reciprocals(start: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Return ``1 / (start + 1) + ... + 1 / (start + number)``, elementwise."""
    # digamma(x + 1) = digamma(x) + 1 / x; this also extends the sum to fractional counts.
    return digamma(start + number + 1) - digamma(start + 1)


def equal_error_rate(same: np.ndarray, other: np.ndarray) -> float:
    """Return the rate at which false positive rate and false negative rate are equal.

    Both rates are interpolated linearly between radii.
    """
    curve = roc(same, other)
    # Radius -1 claims no pair.
    false = np.append(0.0, curve["fpr"])
    missed = np.append(1.0, 1 - curve["tpr"])
    k = int(np.argmax(false >= missed))
    gap = missed - false
    share = gap[k - 1] / (gap[k - 1] - gap[k])
    return float(false[k - 1] + share * (false[k] - false[k - 1]))


def effective_bits(other: np.ndarray) -> float:
    """Return the number of independent bits whose distances would have the observed variance.

    The sum of B independent bits, each differing with probability p, has the variance
    ``B p (1 - p)``. Hence ``B = p (1 - p) / s ** 2``, where p and s are the mean and the standard
    deviation of the other-family distances divided by the length of the hash.
    """
    mean, deviation = mean_and_deviation(other)
    bits = len(other) - 1
    return mean / bits * (1 - mean / bits) / (deviation / bits) ** 2


def summary(histograms: pd.DataFrame) -> pd.DataFrame:
    """Summarise the accuracy of every method.

    Parameters
    ----------
    histograms : DataFrame
        Columns ``method``, ``distance``, ``same``, ``other``, as from ``counting.pair_histograms``.

    Returns
    -------
    DataFrame
        One row per method:

        method : str
            Method name.
        bits : int
            Length of the hash.
        pairs : int
            Number of pairs counted.
        same_mean, same_sd, other_mean, other_sd : float
            Mean and standard deviation of the distances of same-family and of other-family pairs,
            in bits.
        d_prime : float
            Difference of the two means in units of the root mean square deviation.
        effective_bits : float
            See ``effective_bits``.
        auc : float
            Area under the ROC curve.
        eer : float
            Equal error rate.
        ap, ap_worst : float
            Average precision of all pairs ranked by distance, with ties as expected and at worst.
        radius_1e-02, tpr_1e-02, ..., radius_1e-06, tpr_1e-06 : int, float
            Largest radius, in bits, with at most this false positive rate, and its recall.
        recall_p0.9, recall_p0.99, recall_p0.999 : float
            Largest recall with at least this precision.
    """
    rows = []
    for name, counts in histograms.groupby("method", sort=False):
        same, other = counts["same"].to_numpy(), counts["other"].to_numpy()
        row = {"method": name, "bits": methods.get(name).bits, "pairs": same.sum() + other.sum()}
        row["same_mean"], row["same_sd"] = mean_and_deviation(same)
        row["other_mean"], row["other_sd"] = mean_and_deviation(other)
        spread = ((row["same_sd"] ** 2 + row["other_sd"] ** 2) / 2) ** 0.5
        row["d_prime"] = (row["other_mean"] - row["same_mean"]) / spread
        row["effective_bits"] = effective_bits(other)
        row["auc"] = auc(same, other)
        row["eer"] = equal_error_rate(same, other)
        row["ap"] = float(average_precision(same, other))
        row["ap_worst"] = float(average_precision(same, other, "worst"))
        for target in FPR_TARGETS:
            row[f"radius_{target:.0e}"], row[f"tpr_{target:.0e}"] = at_fpr(same, other, target)
        for target in PRECISION_TARGETS:
            row[f"recall_p{target:g}"] = recall_at_precision(same, other, target)
        rows.append(row)
    return pd.DataFrame(rows)


def at_radii(histograms: pd.DataFrame, radii: Sequence[tuple[str, int]]) -> pd.DataFrame:
    """Compute rates and precision at given thresholds, over all pairs.

    Parameters
    ----------
    histograms : DataFrame
        Columns ``method``, ``distance``, ``same``, ``other``.
    radii : sequence of (str, int)
        Method names with thresholds in bits.

    Returns
    -------
    DataFrame
        One row per entry of ``radii``:

        method : str
            Method name.
        radius : int
            Threshold in bits.
        fpr, recall, precision : float
            False positive rate, recall, and share of claimed pairs that are right.
    """
    rows = []
    for name, radius in radii:
        counts = histograms[histograms["method"] == name]
        same, other = counts["same"].to_numpy(), counts["other"].to_numpy()
        _, fpr, tpr = roc(same, other).iloc[radius]
        prevalence = same.sum() / (same.sum() + other.sum())
        rows.append((name, radius, fpr, tpr, precision(fpr, tpr, prevalence)))
    return pd.DataFrame(rows, columns=["method", "radius", "fpr", "recall", "precision"])


def mean_and_deviation(counts: np.ndarray) -> tuple[float, float]:
    """Return the mean and the standard deviation of distances, given their histogram."""
    distances, weights = np.arange(len(counts)), np.asarray(counts, float) / np.sum(counts)
    mean = float(weights @ distances)
    return mean, float(weights @ (distances - mean) ** 2) ** 0.5
