"""Figures of thresholds. Each function draws one figure from the results table it is given."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from finhash import methods
from finhash.study import results
from finhash.study.accuracy import costs
from finhash.study.report.style import (
    DARK,
    SMALLEST,
    look,
    point,
    power,
    short,
    show_percent,
    show_plain,
    spread,
)

TOP = 1.05
"""Largest cost that is drawn, relative to claiming no pair."""


def cluster_growth(table: pd.DataFrame) -> Figure:
    """Plot the best clustering threshold, and its score, against the number of families.

    The right panel shows the F1 of the whole collection at the small collections' thresholds.
    Markers are medians over draws, lines through them span the draws.

    Parameters
    ----------
    table : DataFrame
        ``clustering_growth``; columns ``method``, ``algorithm``, ``score``, ``families``,
        ``radius`` (bits) and ``whole`` (score of the whole collection) are read, for the score
        ``f1``.
    """
    rows = table[table["score"] == "f1"]
    names, styles = list(rows["method"].unique()), {"components": "-", "spheres": "--"}
    series = [(algorithm, name) for algorithm in styles for name in names]
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.3, 2.7))
    for k, (algorithm, name) in enumerate(series):
        chosen = rows[(rows["algorithm"] == algorithm) & (rows["method"] == name)]
        colour = methods.get(name).colour
        fill = colour if algorithm == "components" else "white"
        style = {"linestyle": styles[algorithm], "markerfacecolor": fill, "linewidth": 1}
        for axes, column in ((left, "radius"), (right, "whole")):
            draws = chosen.groupby("families")[column].agg(["median", "min", "max"])
            # Series are set side by side, so that their spans do not cover each other.
            at = draws.index * 1.045 ** (k - (len(series) - 1) / 2)
            axes.vlines(at, draws["min"], draws["max"], color=colour, linewidth=0.7)
            axes.plot(at, draws["median"], **look(name) | style)
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_xticks(sorted(rows["families"].unique()))
        axes.minorticks_off()
        show_plain(axes.xaxis)
        axes.set(xlabel="families in the collection")
    left.set(title="best threshold", ylabel="bits")
    right.set(title="kept for the whole collection", ylabel="pairwise F1", ylim=(0, 1.02))
    show_percent(right.yaxis)
    for name in names:
        right.plot([], [], **point(name), label=short(name))
    for algorithm, style in styles.items():
        fill = DARK if algorithm == "components" else "white"
        right.plot([], [], style + "o", color=DARK, markerfacecolor=fill, label=algorithm)
    figure.legend(*right.get_legend_handles_labels(), loc="outside right center")
    return figure


def cost_curves(table: pd.DataFrame) -> Figure:
    """Plot the cost of FINd's thresholds, and the threshold of least cost of every hash.

    The left panel has one curve per ratio of the cost of a false pair to that of a missed one. The
    ratio stands above its curve, and a dot marks the least cost.

    Parameters
    ----------
    table : DataFrame
        ``costs_curve``; columns ``labels``, ``method``, ``ratio``, ``growth``, ``threshold``
        (bits; -1 claims no pair) and ``cost`` (relative to claiming no pair) are read, for the
        labels that are reported first. Only hashes of 256 bits are drawn.
    """
    reported = results.headline(table)
    best = costs.least(reported)
    ratios = sorted(reported["ratio"].unique())
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.3, 2.7))
    ends = []
    for k, ratio in enumerate(ratios):
        shade = plt.get_cmap("viridis")(0.85 * (1 - k / max(1, len(ratios) - 1)))
        curve = reported[(reported["method"] == "find") & (reported["ratio"] == ratio)]
        left.plot("threshold", "cost", color=shade, data=curve)
        dot = curve.loc[curve["cost"].idxmin()]
        left.plot(dot["threshold"], dot["cost"], "o", color=shade)
        rise = curve[curve["threshold"] >= dot["threshold"]]
        ends.append(np.interp(TOP, rise["cost"], rise["threshold"]))
    # The ratio stands where its curve leaves the panel.
    for ratio, end in zip(ratios, spread(ends, 9), strict=True):
        left.text(end, TOP, power(ratio), ha="center", va="bottom", fontsize=SMALLEST)
    left.set_title("FINd, by cost of a false pair", pad=13)
    left.set(xlabel="threshold, bits", xlim=(0, 102), ylim=(0, TOP))
    left.set_ylabel("cost, relative to no claim")
    names = [name for name in best["method"].unique() if methods.get(name).bits == 256]
    for name in names:
        rows = best[best["method"] == name]
        threshold = rows["threshold"].replace(-1, np.nan)
        right.plot(rows["ratio"], threshold, **look(name) | {"linewidth": 1}, label=short(name))
    right.set_xscale("log")
    right.minorticks_off()
    right.set_title("threshold of least cost", pad=13)
    right.set(xlabel="cost of a false pair, in missed pairs", ylim=(0, None))
    right.set_ylabel("threshold, bits")
    figure.legend(*right.get_legend_handles_labels(), loc="outside right center")
    return figure
