"""Cost of false and of missed matches, from counts of pairs by distance.

The cost of a threshold is the number of missed same-family pairs, plus the number of claimed
other-family pairs times the cost of one of them, in units of a missed pair. The module does not
import the code that counts pairs, so importing it is cheap.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from finhash.accuracy import rates

RATIOS = (1, 10, 100, 1000)
"""Costs of one false pair, in units of one missed pair."""

GROWTH = (1, 10, 100)
"""How many times as many families the collection has."""


def curve(
    histograms: pd.DataFrame, ratios: Sequence[float] = RATIOS, growth: Sequence[float] = (1,)
) -> pd.DataFrame:
    """Compute the cost of every threshold, relative to claiming no pair.

    In a collection of g times as many families, of the same sizes, there are g times as many
    same-family pairs and about g ** 2 times as many other-family pairs. Relative to claiming no
    pair, the cost is therefore ``1 - recall + ratio * g * odds * fpr``, where ``odds`` is the
    number of other-family pairs per same-family pair today. Growth by g raises the threshold's
    cost as a ratio g times as high does.

    Parameters
    ----------
    histograms : DataFrame
        Table of ``counting.pair_histograms``.
    ratios : sequence of float
        Costs of one false pair, in units of one missed pair.
    growth : sequence of float
        How many times as many families the collection has.

    Returns
    -------
    DataFrame
        One row per method, ratio, growth and threshold. Thresholds equal to no pair's distance are
        left out, because they claim the same pairs as the next smaller one.

        method : str
            Method name.
        ratio : float
            Cost of one false pair, in units of one missed pair.
        growth : float
            How many times as many families the collection has.
        threshold : int
            Threshold in bits; -1 claims no pair.
        recall : float
            Share of the same-family pairs that are claimed.
        fpr : float
            Share of the other-family pairs that are claimed.
        cost : float
            Cost relative to claiming no pair; below 1 if claiming pairs is worth it.

    Examples
    --------
    Of 10 same-family pairs, 6 lie at distance 0 and 3 at distance 1, where 1 of 5 other-family
    pairs lies too. At a ratio of 2 it costs 1 missed and 1 false pair to claim both distances.

    >>> counts = {"method": "find", "distance": [0, 1, 2], "same": [6, 3, 1], "other": [0, 1, 4]}
    >>> curve(pd.DataFrame(counts), ratios=[2])["cost"].tolist()
    [1.0, 0.4, 0.3, 1.0]
    """
    tables = []
    for name, counts in histograms.groupby("method", sort=False):
        same, other = counts["same"].to_numpy(), counts["other"].to_numpy()
        rows = rates.roc(same, other)[same + other > 0]
        rows = pd.DataFrame(
            {
                "threshold": np.append(-1, rows["radius"]),
                "recall": np.append(0.0, rows["tpr"]),
                "fpr": np.append(0.0, rows["fpr"]),
            }
        )
        odds = other.sum() / same.sum()
        for ratio in ratios:
            for times in growth:
                cost = 1 - rows["recall"] + ratio * times * odds * rows["fpr"]
                key = {"method": name, "ratio": ratio, "growth": times}
                tables.append(pd.DataFrame({**key, **rows, "cost": cost.round(12)}))
    return pd.concat(tables, ignore_index=True)


def least(curves: pd.DataFrame) -> pd.DataFrame:
    """Return the row of least cost of each method, ratio and growth.

    Of equal costs, that of the smallest threshold is taken. The columns are those of ``curve``.

    Examples
    --------
    >>> counts = {"method": "find", "distance": [0, 1, 2], "same": [6, 3, 1], "other": [0, 1, 4]}
    >>> least(curve(pd.DataFrame(counts), ratios=[2, 4]))["threshold"].tolist()
    [1, 0]
    """
    keys = ["method", "ratio", "growth"]
    return curves.loc[curves.groupby(keys, sort=False)["cost"].idxmin()].reset_index(drop=True)
