"""What was published about the course's set, and our counts beside it."""

import numpy as np
import pandas as pd

from finhash.accuracy.rates import at_fpr, auc, mean_and_deviation, summary
from finhash.study import project

RADII = (("pdq", 31), ("find", 31), ("phash64", 8), ("phash64", 10))
"""Methods and thresholds in common use.

31 is PDQ's recommended threshold, applied to FINd by analogy. For pHash, 8 is used by Zannettou et
al. (2018) and 10 by the package imagededup.
"""

NOISE = 0.024
"""Share of same-family pairs of the course's set that do not show the same image."""


def measures() -> pd.DataFrame:
    """Return the accuracy published for the course's set.

    The source is github.com/sdsstudent/find-image-hashing: 1,000 same-family and 1,000
    other-family pairs of their sample.

    Returns
    -------
    DataFrame
        One row per method and metric:

        method : str
            Method name.
        metric : str
            Name of the measure, as in ``calibration``.
        value : float
            Distances in bits; AUC and recall between 0 and 1.
        source : str
            Always ``"published"``.
    """
    return pd.read_csv(project.ASSETS / "published_accuracy.csv")


def with_label_noise(same: np.ndarray, other: np.ndarray, rate: float) -> np.ndarray:
    """Return the same-family counts expected under label noise, ``float [bits + 1]``.

    A share ``rate`` of the same-family pairs is replaced by pairs distributed like the other-family
    pairs. The total is unchanged.

    Examples
    --------
    Of 8 pairs, 4 are replaced: 1 by a pair at distance 1, 3 by pairs at distance 2.

    >>> with_label_noise([8, 0, 0], [0, 1, 3], rate=0.5)
    array([4., 1., 3.])
    """
    same, other = np.asarray(same, float), np.asarray(other, float)
    return (1 - rate) * same + rate * same.sum() * other / other.sum()


def noise_effect(histograms: pd.DataFrame, rate: float) -> pd.DataFrame:
    """Compare the summary of the counts with the summary under label noise.

    Parameters
    ----------
    histograms : DataFrame
        Columns ``method``, ``distance``, ``same``, ``other``.
    rate : float
        Share of same-family pairs that would have wrong labels; see ``with_label_noise``.

    Returns
    -------
    DataFrame
        Two rows per method: the columns of ``summary``, and

        labels : str
            ``"as labelled"`` or ``"noisy"``.
    """
    noisy = []
    for _, counts in histograms.groupby("method", sort=False):
        same = with_label_noise(counts["same"].to_numpy(), counts["other"].to_numpy(), rate)
        noisy.append(counts.assign(same=same))
    both = {"as labelled": histograms, "noisy": pd.concat(noisy)}
    return pd.concat([summary(counts).assign(labels=labels) for labels, counts in both.items()])


def calibration(histograms: pd.DataFrame, source: str, noise: float) -> pd.DataFrame:
    """Compute from our counts the measures that were published for the course's set.

    Parameters
    ----------
    histograms : DataFrame
        Columns ``method``, ``distance``, ``same``, ``other``.
    source : str
        Value of the column ``source``.
    noise : float
        Label noise added to the same-family counts; see ``with_label_noise``.

    Returns
    -------
    DataFrame
        One row per method and metric, with the columns of ``measures``:

        method : str
            Method name.
        metric : str
            ``same_mean``, ``same_sd``, ``other_mean``, ``other_sd`` (bits), ``auc``, or recall at a
            false positive rate: ``tpr_0.1%``, ``tpr_1%``.
        value : float
            Value of the metric.
        source : str
            ``source``.
    """
    rows = []
    for name, counts in histograms.groupby("method", sort=False):
        other = counts["other"].to_numpy()
        same = with_label_noise(counts["same"].to_numpy(), other, noise)
        same_mean, same_sd = mean_and_deviation(same)
        other_mean, other_sd = mean_and_deviation(other)
        values = {
            "same_mean": same_mean,
            "same_sd": same_sd,
            "other_mean": other_mean,
            "other_sd": other_sd,
            "auc": auc(same, other),
            "tpr_0.1%": at_fpr(same, other, 1e-3)[1],
            "tpr_1%": at_fpr(same, other, 1e-2)[1],
        }
        rows += [(name, metric, value, source) for metric, value in values.items()]
    return pd.DataFrame(rows, columns=["method", "metric", "value", "source"])


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
