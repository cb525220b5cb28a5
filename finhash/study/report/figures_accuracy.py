"""Figures of accuracy: one function each, from results tables alone."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter

from finhash import methods
from finhash.study.accuracy import rates
from finhash.study.report.style import HERO, INK, OTHER, SAME, percent_axis, power
from finhash.study.results import medians


def family_sizes(sizes: pd.DataFrame) -> Figure:
    """Pictures in each family, by rank: a few large families, a long tail."""
    figure, axis = plt.subplots(figsize=(3.6, 2))
    axis.loglog(sizes["rank"], sizes["images"], color=HERO)
    axis.set(xlabel="rank of the family", ylabel="images", ylim=(1, None))
    return figure


def calibration(table: pd.DataFrame) -> Figure:
    """Same- and other-family distances: published for the real set against the stand-in."""
    figure, axes = plt.subplots(1, 2, figsize=(6.3, 2.1), sharey=True)
    sources = list(table["source"].unique())
    names = list(table["method"].unique())
    markers = dict(zip(sources, "os^D", strict=False))
    for axis, kind in zip(axes, ("same", "other"), strict=True):
        wide = table.pivot_table(index=["method", "source"], columns="metric", values="value")
        for k, name in enumerate(names):
            for m, source in enumerate(sources):
                row = wide.loc[(name, source)]
                axis.errorbar(
                    row[f"{kind}_mean"],
                    k + 0.22 * (m - (len(sources) - 1) / 2),
                    xerr=row[f"{kind}_sd"],
                    fmt=markers[source],
                    color=INK if m == 0 else methods.get(name).colour,
                    alpha=1 if m < 2 else 0.5,
                    label=source if k == 0 else None,
                    capsize=2,
                )
        axis.set(xlabel="Hamming distance of 256 bits, mean ± sd", title=f"{kind} family")
        axis.grid(axis="y", visible=False)
    axes[0].set_yticks(range(len(names)), [methods.get(name).label for name in names])
    axes[0].invert_yaxis()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def distances(histograms: pd.DataFrame) -> Figure:
    """Distances within and between families for the 256-bit hashes, each pair class to one."""
    histograms = histograms[histograms["labels"] == "merged"]
    names = [n for n in histograms["method"].unique() if methods.get(n).bits == 256]
    columns = 3
    rows = -(-len(names) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(6.3, 1.35 * rows), sharex=True)
    for axis, name in zip(np.ravel(axes), names, strict=False):
        counts = histograms[histograms["method"] == name]
        for kind, colour in (("same", SAME), ("other", OTHER)):
            # Two distances a bin: where exactly half the bits are set, all distances are even.
            share = counts.groupby(counts["distance"] // 2 * 2)[kind].sum() / counts[kind].sum()
            axis.fill_between(
                share.index,
                share,
                color=colour,
                alpha=0.5,
                step="mid",
                linewidth=0,
                label=f"{kind} family",
            )
        axis.set_title(methods.get(name).label)
        axis.set(xlim=(0, 200), yticks=[])
        axis.grid(axis="y", visible=False)
    for axis in np.ravel(axes)[len(names) :]:
        axis.remove()
    figure.supxlabel("Hamming distance of 256 bits", fontsize=8)
    figure.supylabel("share of pairs", fontsize=8)
    figure.legend(
        *np.ravel(axes)[0].get_legend_handles_labels(), loc="outside upper right", ncols=2
    )
    return figure


def roc(histograms: pd.DataFrame) -> Figure:
    """Recall of the 256-bit hashes against the false positive rate, on a log axis."""
    figure, axes = plt.subplots(1, 2, figsize=(6.3, 2.7), sharey=True)
    titles = {"as labelled": "as labelled", "merged": "one picture, one family"}
    for axis, (labels, title) in zip(axes, titles.items(), strict=True):
        for name, counts in histograms[histograms["labels"] == labels].groupby(
            "method", sort=False
        ):
            method = methods.get(name)
            if method.bits == 256:
                curve = rates.roc(counts["same"], counts["other"])
                curve = curve[curve["fpr"] > 0]
                axis.plot(curve["fpr"], curve["tpr"], color=method.colour, label=method.label)
        axis.set_xscale("log")
        axis.set(title=title, xlabel="false positive rate", xlim=(1e-7, 1), ylim=(0, 1.02))
        axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes[1].legend(loc="lower right")
    axes[0].set_ylabel("recall: same-family pairs found")
    return figure


def recall_intervals(table: pd.DataFrame) -> Figure:
    """Recall with its interval at two false positive rates: as labelled, and families merged."""
    targets = sorted(table["target"].unique(), reverse=True)
    figure, axes = plt.subplots(1, len(targets), figsize=(6.3, 2.2), sharey=True)
    names = list(table["method"].unique())
    for axis, target in zip(axes, targets, strict=True):
        for shift, (labels, rows) in zip((-0.14, 0.14), table.groupby("labels"), strict=True):
            rows = rows[rows["target"] == target].set_index("method").loc[names]
            for k, (name, row) in enumerate(rows.iterrows()):
                colour = methods.get(name).colour
                axis.plot([row["low"], row["high"]], [k + shift] * 2, color=colour, linewidth=1.2)
                fill = colour if labels == "merged" else "white"
                axis.plot(row["recall"], k + shift, "o", color=colour, markerfacecolor=fill)
        power = round(np.log10(target))
        axis.set(title=f"false positive rate $10^{{{power}}}$", xlabel="recall", xlim=(0, 1))
        axis.set_yticks(range(len(names)), [methods.get(name).label for name in names])
        axis.grid(axis="y", visible=False)
    axes[0].invert_yaxis()
    return figure


def pareto(
    costs_: pd.DataFrame,
    ladder_: pd.DataFrame,
    matching: pd.DataFrame,
    accuracy: pd.DataFrame,
    middle: pd.DataFrame,
) -> Figure:
    """Recall at a false positive rate of 1 in 100,000 against two costs: up and left is better."""
    merged = accuracy[accuracy["labels"] == "merged"].set_index("method")
    recall = merged["tpr_1e-05"]
    milliseconds = costs_.set_index("method")["ms_file"]
    seconds = medians(matching)
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.3, 2.7), sharey=True)
    for axis, cost in ((left, milliseconds), (right, seconds)):
        for name in recall.index:
            method = methods.get(name)
            fill = method.colour if method.bits == 256 else "white"
            axis.plot(cost[name], recall[name], "o", color=method.colour, markerfacecolor=fill)
    slow = medians(ladder_)["reference"] * 1e3
    fast = milliseconds["find"]
    left.plot(slow, recall["find"], "o", color=HERO, markerfacecolor="white", markeredgewidth=1.2)
    arrow = {"arrowstyle": "->", "color": HERO, "linewidth": 0.8, "shrinkA": 4, "shrinkB": 4}
    left.annotate("", (fast, recall["find"]), (slow, recall["find"]), arrowprops=arrow)
    left.text(slow, recall["find"] + 0.04, "FINd, published", fontsize=7, ha="right", color=HERO)
    left.set(xlabel="milliseconds, JPEG file to hash", ylabel="recall at FPR $10^{-5}$")
    left.set_xscale("log")
    right.set(xlabel=f"seconds, all pairs of {_thousands(merged)} pictures", xlim=(0, None))
    for name in recall.index:
        method = methods.get(name)
        if method.bits == 256:
            right.plot([], [], "o", color=method.colour, label=method.label)
    right.plot([], [], "o", color=INK, markerfacecolor="white", label="64 bits")
    found = middle.query("method == 'find_middle' and target == 1e-5")["recall"].item()
    for axis, cost in ((left, milliseconds["find_middle"]), (right, seconds["find"])):
        axis.plot(cost, found, "D", color=methods.get("find_middle").colour)
    right.plot([], [], "D", color=methods.get("find_middle").colour, label="FINd middle")
    left.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    left.xaxis.set_minor_formatter(NullFormatter())
    left.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    left.set_ylim(0, 1.02)
    figure.legend(*right.get_legend_handles_labels(), loc="outside right center")
    return figure


def clusterings(scores: pd.DataFrame) -> Figure:
    """Quality and chaining against the radius, for components and for spheres."""
    figure, axes = plt.subplots(1, 2, figsize=(6.3, 2.5))
    scores = scores[scores["truth"] == "merged"]
    styles = {"components": "-", "spheres": "--"}
    for algorithm, style in styles.items():
        rows_ = scores[scores["algorithm"] == algorithm]
        for name, rows in rows_.groupby("method", sort=False):
            method = methods.get(name)
            radius = rows["radius"] / method.bits
            for axis, column in zip(axes, ("f1", "largest"), strict=True):
                axis.plot(radius, rows[column], style, color=method.colour)
    percent_axis(axes[0], "pairwise F1 (more is better)", "quality")
    percent_axis(axes[1], "pictures in the largest cluster", "chaining")
    for axis in axes:
        axis.set_xlabel("radius as a share of the bits")
        axis.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    for name in scores["method"].unique():
        axes[1].plot([], [], color=methods.get(name).colour, label=methods.get(name).label)
    for algorithm, style in styles.items():
        axes[1].plot([], [], style, color=INK, label=algorithm)
    figure.legend(*axes[1].get_legend_handles_labels(), loc="outside right center")
    return figure


def bit_maps(table: pd.DataFrame) -> Figure:
    """For each bit as the picture lies: how often captions flip it, and what it could tell."""
    names = list(table["method"].unique())
    columns = {"same": "differs within families", "entropy": "entropy, bits"}
    figure, axes = plt.subplots(len(columns), len(names), figsize=(6.3, 2.5))
    for row, (column, label) in zip(axes, columns.items(), strict=True):
        limits = {"same": (0, 0.5), "entropy": (0.5, 1)}[column]
        for axis, name in zip(row, names, strict=True):
            own = table[table["method"] == name]
            image = own.pivot(index="row", columns="column", values=column)
            shown = axis.imshow(image, cmap="viridis", vmin=limits[0], vmax=limits[1])
            axis.set(xticks=[], yticks=[])
            axis.grid(visible=False)
        bar = figure.colorbar(shown, ax=row, aspect=10, pad=0.01)
        bar.set_label(label, fontsize=7)
        bar.ax.tick_params(labelsize=6)
    for axis, name in zip(axes[0], names, strict=True):
        axis.set_title(methods.get(name).label)
    return figure


def caption_area(table: pd.DataFrame) -> Figure:
    """Distance to the family's majority hash against the share of the picture under captions."""
    figure, axis = plt.subplots(figsize=(4.2, 2.4))
    bins = (table["area"] * 20).round() / 20
    for name, rows in table.groupby("method", sort=False):
        median = rows.groupby(bins[rows.index])["distance"].median()
        method = methods.get(name)
        axis.plot(median.index, median, "o-", color=method.colour, label=method.label)
    axis.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axis.set(xlabel="share of the picture under captions", ylabel="bits, median", ylim=(0, None))
    figure.legend(*axis.get_legend_handles_labels(), loc="outside right center")
    return figure


def variants(table: pd.DataFrame) -> Figure:
    """Recall of hashes with chosen bits on families that did not choose, at three rates."""
    targets = sorted(table["target"].unique(), reverse=True)
    names = list(table["variant"].unique())
    bits = table.groupby("variant")["bits"].first()
    figure, axes = plt.subplots(1, len(targets), figsize=(6.3, 2.1), sharey=True)
    for axis, target in zip(axes, targets, strict=True):
        rows = table[table["target"] == target].set_index("variant").loc[names]
        for k, (name, row) in enumerate(rows.iterrows()):
            colour = HERO if name in ("FINd", "dHash") else INK
            axis.plot([row["low"], row["high"]], [k, k], color=colour, linewidth=1)
            axis.plot(row["recall"], k, "o", color=colour)
        axis.set(title=f"FPR {power(target)}", xlabel="recall", xlim=(0, 1.03))
        axis.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axis.grid(axis="y", visible=False)
    axes[0].set_yticks(range(len(names)), [f"{name} ({bits[name]})" for name in names])
    axes[0].invert_yaxis()
    return figure


def robustness(table: pd.DataFrame, column: str = "recall", top: float = 1.0) -> Figure:
    """A panel a method: transforms down, strengths from mild to strong, as colours."""
    names = list(table["method"].unique())
    transforms = list(table["transform"].unique())
    widths = table.groupby(["method", "transform"])["strength"].nunique()
    most = widths.max()
    figure, axes = plt.subplots(1, len(names), figsize=(6.3, 2.9), sharey=True)
    for axis, name in zip(axes, names, strict=True):
        cells = np.full((len(transforms), most), np.nan)
        for k, transform in enumerate(transforms):
            own = table[(table["method"] == name) & (table["transform"] == transform)]
            cells[k, : len(own)] = own[column]
        shown = axis.imshow(cells, cmap="viridis", vmin=0, vmax=top, aspect="auto")
        axis.set_title(methods.get(name).label.removesuffix(" 256"), fontsize=8)
        axis.set(xticks=[], yticks=[])
        axis.grid(visible=False)
        axis.spines[:].set_visible(False)
    axes[0].set_yticks(range(len(transforms)), [t.replace("_", " ") for t in transforms])
    bar = figure.colorbar(shown, ax=axes, aspect=30, pad=0.01)
    bar.ax.tick_params(labelsize=6)
    if column == "recall":
        bar.ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    figure.supxlabel("strength: mild to strong, left to right", fontsize=8)
    return figure


def robustness_distance(table: pd.DataFrame) -> Figure:
    """The same for the median distance to the picture that was transformed."""
    return robustness(table, "own_median", top=128)


def _thousands(accuracy: pd.DataFrame) -> str:
    # n (n - 1) / 2 pairs were counted.
    pairs = accuracy["pairs"].iloc[0]
    return f"{round((1 + (1 + 8 * pairs) ** 0.5) / 2):,}"
