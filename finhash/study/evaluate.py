"""How well distances tell same family from other family: from exact pair counts to rates."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from tqdm import tqdm

from finhash import cluster, hamming, methods
from finhash.study import memes
from finhash.table import HashTable

FPR_TARGETS = (1e-2, 1e-3, 1e-4, 1e-5)


PUBLISHED_NOISE = 0.024
"""Share of the real set's same-family pairs that do not show the same picture."""


def published() -> pd.DataFrame:
    """Accuracy published for the real set: ``method, metric, value, source``.

    From sdsstudent/find-image-hashing: 1,000 same- and 1,000 other-family pairs of their sample.
    """
    return pd.read_csv(memes.ASSETS / "published_accuracy.csv")


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


def summary(histograms: pd.DataFrame) -> pd.DataFrame:
    """One row a method: means, deviations, AUC, radius and recall at each false positive rate."""
    rows = []
    for name, counts in histograms.groupby("method", sort=False):
        same, other = counts["same"].to_numpy(), counts["other"].to_numpy()
        row = {"method": name, "bits": methods.get(name).bits}
        for kind, weights in (("same", same), ("other", other)):
            row[f"{kind}_mean"], row[f"{kind}_sd"] = mean_and_deviation(weights)
        row["auc"] = auc(same, other)
        for target in FPR_TARGETS:
            row[f"radius_{target:.0e}"], row[f"tpr_{target:.0e}"] = at_fpr(same, other, target)
        rows.append(row)
    return pd.DataFrame(rows)


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


def clusterings(
    table: HashTable, radii: Iterable[tuple[str, int]], families: np.ndarray, workers: int = 1
) -> pd.DataFrame:
    """Connected components at each ``(method, radius)``, scored by pairs against the families."""
    rows = []
    for name, radius in tqdm(list(radii), "clustering", unit="run", leave=False):
        labels = cluster.families(table.hashes(name), radius, workers=workers)
        precision, recall = pairwise_scores(labels, families)
        sizes = np.bincount(labels)
        rows.append((name, radius, len(sizes), sizes.max() / len(labels), precision, recall))
    columns = ["method", "radius", "clusters", "largest_share", "precision", "recall"]
    scores = pd.DataFrame(rows, columns=columns)
    both = scores["precision"] + scores["recall"]
    return scores.assign(f1=2 * scores["precision"] * scores["recall"] / both)


def pairwise_scores(labels: np.ndarray, families: np.ndarray) -> tuple[float, float]:
    """Precision and recall of "in one cluster" as a claim on pairs; precision 1 if none is made."""
    _, families = np.unique(families, return_inverse=True)
    cells = np.unique(np.stack([labels, families]), axis=1, return_counts=True)[1]
    together, claimed, true = map(_pairs, (cells, np.bincount(labels), np.bincount(families)))
    return (together / claimed if claimed else 1.0), together / true


def _pairs(sizes: np.ndarray) -> int:
    return int((sizes * (sizes - 1) // 2).sum())
