"""How well distances tell same family from other family: from exact pair counts to rates."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import digamma

from finhash import methods
from finhash.study import project

FPR_TARGETS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


PRECISION_TARGETS = (0.9, 0.99, 0.999)


PUBLISHED_RADII = (("pdq", 31), ("find", 31), ("phash64", 8), ("phash64", 10))
"""Radii in common use: PDQ's own, FINd by analogy; pHash's by Zannettou et al. and imagededup."""


PUBLISHED_NOISE = 0.024
"""Share of the real set's same-family pairs that do not show the same picture."""


def published() -> pd.DataFrame:
    """Accuracy published for the real set: ``method, metric, value, source``.

    From sdsstudent/find-image-hashing: 1,000 same- and 1,000 other-family pairs of their sample.
    """
    return pd.read_csv(project.ASSETS / "published_accuracy.csv")


def with_label_noise(same: np.ndarray, other: np.ndarray, rate: float) -> np.ndarray:
    """Expected same-family counts if ``rate`` of those pairs were really of other families."""
    same, other = np.asarray(same, float), np.asarray(other, float)
    return (1 - rate) * same + rate * same.sum() * other / other.sum()


def roc(same: np.ndarray, other: np.ndarray) -> pd.DataFrame:
    """``radius, fpr, tpr`` of the rule "distance <= radius means same family"."""
    same, other = np.asarray(same, float), np.asarray(other, float)
    return pd.DataFrame(
        {
            "radius": np.arange(len(same)),
            "fpr": np.cumsum(other) / other.sum(),
            "tpr": np.cumsum(same) / same.sum(),
        }
    )


def auc(same: np.ndarray, other: np.ndarray) -> float:
    """Probability that a same-family pair is nearer than an other-family pair, ties half."""
    same, other = np.asarray(same, float), np.asarray(other, float)
    farther = 1 - np.cumsum(other) / other.sum()
    return float(np.sum(same / same.sum() * (farther + 0.5 * other / other.sum())))


def at_fpr(same: np.ndarray, other: np.ndarray, target: float) -> tuple[int, float]:
    """The largest radius whose false positive rate is at most ``target``, and its recall.

    Radius -1 and recall 0 if even distance 0 has more false positives.
    """
    curve = roc(same, other)
    return at_rate(curve["fpr"].to_numpy(), curve["tpr"].to_numpy(), target)


def at_rate(fpr: np.ndarray, tpr: np.ndarray, target: float) -> tuple[int, float]:
    """The same from the rates at radii 0, 1, ..."""
    radius = int((fpr <= target).sum()) - 1
    return radius, float(tpr[radius]) if radius >= 0 else 0.0


def precision(
    fpr: np.ndarray | float, tpr: np.ndarray | float, prevalence: float
) -> np.ndarray | float:
    """The share of claims that are right, where ``prevalence`` is the share of pairs that are."""
    right, wrong = np.multiply(tpr, prevalence), np.multiply(fpr, 1 - prevalence)
    return right / (right + wrong)


def recall_at_precision(same: np.ndarray, other: np.ndarray, target: float) -> float:
    """The largest recall at which precision is at least ``target``; 0 if it never is."""
    right, claims = np.cumsum(same), np.cumsum(same) + np.cumsum(other)
    precise = (claims > 0) & (right >= target * claims)
    return float(right[precise].max(initial=0) / right[-1])


def average_precision(same: np.ndarray, other: np.ndarray, ties: str = "expected") -> np.ndarray:
    """Average precision of ranking by distance, over the last axis: ``float [...]``.

    Integer distances tie. ``"expected"`` is the mean over all orders of the tied, ``"worst"`` puts
    the wrong first. nan where there is nothing to find.
    """
    same, other = np.asarray(same, float), np.asarray(other, float)
    group = same > 0  # only where something is found does precision count
    before = np.cumsum(same, axis=-1) - same
    ranked = np.cumsum(same + other, axis=-1) - same - other
    s, o, found, rank = same[group], other[group], before[group], ranked[group]
    # A tied group of n at the ranks N + 1 .. N + n, S found before it. In a random order rank
    # N + i holds a right one with chance s / n, and then (i - 1) b others of the group before it:
    # the sum of (S + 1 + (i - 1) b) / (N + i) is b n + (S + 1 - b (N + 1)) (H(N + n) - H(N)).
    if ties == "worst":
        n, s_before, start, share = s, found - rank - o, rank + o, 1.0
        slope = 1.0
    else:
        n, start = s + o, rank
        slope = (s - 1) / np.maximum(n - 1, 1)
        s_before, share = found + 1 - slope * (rank + 1), s / n
    harmonic = digamma(start + n + 1) - digamma(start + 1)
    gained = np.zeros(same.shape)
    gained[group] = share * (slope * n + s_before * harmonic)
    total = same.sum(axis=-1)
    return np.divide(gained.sum(axis=-1), total, out=np.full(total.shape, np.nan), where=total > 0)


def equal_error_rate(same: np.ndarray, other: np.ndarray) -> float:
    """The rate at which as many true pairs are missed as others are claimed, between radii."""
    curve = roc(same, other)
    false = np.append(0.0, curve["fpr"])
    missed = np.append(1.0, 1 - curve["tpr"])
    k = int(np.argmax(false >= missed))
    gap = missed - false
    share = gap[k - 1] / (gap[k - 1] - gap[k])
    return float(false[k - 1] + share * (false[k] - false[k - 1]))


def effective_bits(other: np.ndarray) -> float:
    """Independent fair-or-not bits that would spread other-family distances as these are.

    ``p (1 - p) / s**2`` of the distance as a share of the bits, of mean p and deviation s.
    """
    mean, deviation = mean_and_deviation(other)
    bits = len(other) - 1
    return mean / bits * (1 - mean / bits) / (deviation / bits) ** 2


def summary(histograms: pd.DataFrame) -> pd.DataFrame:
    """One row a method: distances, AUC, average precision, and recall at rates and precisions."""
    rows = []
    for name, counts in histograms.groupby("method", sort=False):
        same, other = counts["same"].to_numpy(), counts["other"].to_numpy()
        row = {"method": name, "bits": methods.get(name).bits, "pairs": same.sum() + other.sum()}
        for kind, weights in (("same", same), ("other", other)):
            row[f"{kind}_mean"], row[f"{kind}_sd"] = mean_and_deviation(weights)
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
    """What radii give untuned: ``method, radius, fpr, recall, precision`` over all pairs."""
    rows = []
    for name, radius in radii:
        counts = histograms[histograms["method"] == name]
        same, other = counts["same"].to_numpy(), counts["other"].to_numpy()
        _, fpr, tpr = roc(same, other).iloc[radius]
        prevalence = same.sum() / (same.sum() + other.sum())
        rows.append((name, radius, fpr, tpr, precision(fpr, tpr, prevalence)))
    return pd.DataFrame(rows, columns=["method", "radius", "fpr", "recall", "precision"])


def noise_effect(histograms: pd.DataFrame, rate: float) -> pd.DataFrame:
    """The summary as it is and if ``rate`` of same-family pairs were really of other families.

    ``labels`` says which: ``as labelled`` or ``noisy``.
    """
    noisy = []
    for _, counts in histograms.groupby("method", sort=False):
        same = with_label_noise(counts["same"].to_numpy(), counts["other"].to_numpy(), rate)
        noisy.append(counts.assign(same=same))
    both = {"as labelled": histograms, "noisy": pd.concat(noisy)}
    return pd.concat([summary(part).assign(labels=labels) for labels, part in both.items()])


def mean_and_deviation(counts: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of the distances that ``counts`` counts."""
    distances, weights = np.arange(len(counts)), np.asarray(counts, float) / np.sum(counts)
    mean = float(weights @ distances)
    return mean, float(weights @ (distances - mean) ** 2) ** 0.5


def calibration(histograms: pd.DataFrame, source: str, noise: float) -> pd.DataFrame:
    """The figures published for the real set, of ours: ``method, metric, value, source``."""
    rows = []
    for name, counts in histograms.groupby("method", sort=False):
        other = counts["other"].to_numpy()
        same = with_label_noise(counts["same"].to_numpy(), other, noise)
        values = {
            "same_mean": mean_and_deviation(same)[0],
            "same_sd": mean_and_deviation(same)[1],
            "other_mean": mean_and_deviation(other)[0],
            "other_sd": mean_and_deviation(other)[1],
            "auc": auc(same, other),
            "tpr_0.1%": at_fpr(same, other, 1e-3)[1],
            "tpr_1%": at_fpr(same, other, 1e-2)[1],
        }
        rows += [(name, metric, value, source) for metric, value in values.items()]
    return pd.DataFrame(rows, columns=["method", "metric", "value", "source"])
