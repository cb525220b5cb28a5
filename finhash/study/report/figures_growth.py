"""Figures of self joins: what pruning leaves out, and cost as sets grow.

They are drawn from results tables alone.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from finhash import methods
from finhash.study.report.style import BLUE, DARK, FIND, LIGHT, SMALLEST, short, spread

CONTENDERS = {
    "exhaustive": (DARK, "-", "o"),
    "pruned": (FIND, "-", "s"),
    "FAISS IVF": (BLUE, "--", "^"),
    "FAISS HNSW": ("#CC79A7", ":", "D"),
}
"""Colour, line and marker of each contender, so that lines can be told apart without colour."""

TITLES = {"number": "families grow in number", "size": "families grow in size"}
"""Title of a panel by what grows."""


def pruning(distances: pd.DataFrame) -> Figure:
    """Plot the hashes by distance from one centre, and what a member is compared with.

    The shaded band holds the distances that differ from the member's by at most the radius. All
    hashes beyond the band are left out.

    Parameters
    ----------
    distances : DataFrame
        ``pruning_distances``; columns ``distance``, ``members``, ``others``, ``member`` and
        ``radius`` (bits) are read.
    """
    member, radius = distances[["member", "radius"]].iloc[0]
    low, high = max(0, member - radius), member + radius
    figure, axes = plt.subplots(figsize=(6.3, 2.4))
    axes.axvspan(low - 0.5, high + 0.5, color=LIGHT, alpha=0.5, lw=0, label="compared with $m$")
    at, counted = distances["distance"], distances["members"] + distances["others"]
    beyond = counted[(at < low) | (at > high)]
    # Many hashes have as many ones as zeros, and their distances are even: bins hold two distances.
    bins = distances.groupby(at // 2 * 2)[["members", "others"]].sum()
    for column, fill, edge, label in (
        ("others", DARK, DARK, "other hashes"),
        ("members", "white", FIND, "family of the centre"),
    ):
        drawn = bins[column][bins[column] > 0]
        axes.bar(drawn.index + 0.5, drawn, 2, color=fill, edgecolor=edge, lw=0.7, label=label)
    axes.axvline(member, color=DARK, linestyle="--", linewidth=1)
    top = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "fontsize": 7}
    axes.annotate("$d(m, c)$", (member, 1), xytext=(3, -8), **top)
    share = beyond.sum() / counted.sum()
    axes.annotate(f"left out: {share:.1%}", (high + 0.5, 1), xytext=(4, -8), **top)
    axes.set_yscale("log")
    axes.set(
        xlabel="Hamming distance from the centre $c$, bits",
        ylabel="hashes, log scale",
        xlim=(-1, at[counted > 0].max() + 2),
        ylim=(0.7, counted.max() * 3),
    )
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def join_growth(times: pd.DataFrame, exponents: pd.DataFrame) -> Figure:
    """Plot the seconds of self joins against the number of hashes, on logarithmic axes.

    There is one row of panels per hash and one column per growth. Each hash is drawn at its first
    radius. Points are medians over repeats. The number at the end of a line is its exponent over
    the last decade. Markers are open where recall is below 99 %.

    Parameters
    ----------
    times : DataFrame
        ``growth_times``; columns ``method``, ``growth``, ``radius`` (bits), ``contender``,
        ``number`` (hashes), ``seconds`` and ``recall`` are read.
    exponents : DataFrame
        ``growth_exponents``; columns ``method``, ``growth``, ``radius``, ``contender``, ``span``
        and ``exponent`` are read.
    """
    names = list(times["method"].unique())
    growths = [growth for growth in TITLES if growth in set(times["growth"])]
    figure, grid = plt.subplots(
        len(names),
        len(growths),
        figsize=(6.3, 0.7 + 1.8 * len(names)),
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    last = exponents[exponents["span"] == "last decade"]
    keys = ["method", "growth", "radius", "contender"]
    slopes = last.set_index(keys)["exponent"]
    for name, panels in zip(names, grid, strict=True):
        of_method = times[times["method"] == name]
        radius = of_method["radius"].iloc[0]
        label = f"{short(name)}, {methods.get(name).bits} bits, threshold {radius}"
        for growth, axes in zip(growths, panels, strict=True):
            chosen = of_method[(of_method["growth"] == growth) & (of_method["radius"] == radius)]
            ends = []
            for contender, (colour, line, marker) in CONTENDERS.items():
                rows = chosen[chosen["contender"] == contender]
                curve = rows.groupby("number")[["seconds", "recall"]].median()
                if curve.empty:
                    continue
                axes.plot(curve.index, curve["seconds"], line, color=colour)
                low = curve["recall"] < 0.99
                for part, face in ((curve[~low], colour), (curve[low], "white")):
                    if len(part):
                        at = part.index, part["seconds"]
                        axes.plot(*at, marker, color=colour, markerfacecolor=face)
                slope = slopes.get((name, growth, radius, contender))
                if pd.notna(slope):
                    ends.append((curve.index[-1], curve["seconds"].iloc[-1], slope))
            # Exponents of lines that end at one place are moved apart.
            place = {"textcoords": "offset points", "va": "center", "fontsize": SMALLEST}
            place |= {"bbox": {"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8}}
            place |= {"color": DARK, "annotation_clip": False}
            for number in {end[0] for end in ends}:
                near = [end for end in ends if end[0] == number]
                heights = 10 ** spread([np.log10(end[1]) for end in near], 0.45)
                for (*_, slope), height in zip(near, heights, strict=True):
                    axes.annotate(f"{slope:.2f}", (number, height), (6, 0), **place)
            axes.set_title(f"{label}\n{TITLES[growth]}", fontsize=7.5)
            axes.set(xscale="log", yscale="log")
            axes.margins(x=0.15)
            axes.xaxis.set_minor_formatter(NullFormatter())
    for axes in grid[-1]:
        axes.set_xlabel("hashes")
    for axes in grid[:, 0]:
        axes.set_ylabel("seconds, one core")
    drawn = set(times["contender"])
    for contender, (colour, line, marker) in CONTENDERS.items():
        if contender in drawn:
            grid[0, 0].plot([], [], line + marker, color=colour, label=contender)
    figure.legend(
        *grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(CONTENDERS)
    )
    return figure
