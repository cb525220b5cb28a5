"""Figures of accuracy. Each function draws one figure from the results tables it is given."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from finhash import methods
from finhash.accuracy import rates
from finhash.study import results
from finhash.study.report.style import (
    DARK,
    FIND,
    OTHER_FAMILY,
    SAME_FAMILY,
    name_rows,
    power,
    show_percent,
    show_plain,
)
from finhash.study.results import medians


def family_sizes(sizes: pd.DataFrame) -> Figure:
    """Plot the number of images in each family against the family's rank by size.

    Parameters
    ----------
    sizes : DataFrame
        ``datasets_family_sizes``; columns ``rank`` and ``images`` are read.
    """
    figure, axes = plt.subplots(figsize=(3.6, 2))
    marker = "" if len(sizes) > 50 else "o"
    axes.loglog(sizes["rank"], sizes["images"], marker=marker, color=FIND)
    axes.set(xlabel="rank of the family", ylabel="images", ylim=(1, None))
    show_plain(axes.xaxis)
    show_plain(axes.yaxis)
    return figure


def calibration(table: pd.DataFrame) -> Figure:
    """Plot mean and standard deviation of distances: published, and of the stand-in.

    The left panel shows pairs within a family, the right one pairs between families.

    Parameters
    ----------
    table : DataFrame
        ``rates_calibration``; columns ``method``, ``source``, ``metric`` and ``value`` are read,
        for the metrics ``same_mean``, ``same_sd``, ``other_mean`` and ``other_sd`` (bits).
    """
    figure, panels = plt.subplots(1, 2, figsize=(6.3, 2.1), sharey=True)
    sources, names = list(table["source"].unique()), list(table["method"].unique())
    wide = table.pivot_table(index=["method", "source"], columns="metric", values="value")
    markers = dict(zip(sources, "os^D", strict=False))
    for axes, kind in zip(panels, ("same", "other"), strict=True):
        for k, name in enumerate(names):
            for m, source in enumerate(sources):
                row = wide.loc[(name, source)]
                axes.errorbar(
                    row[f"{kind}_mean"],
                    k + 0.22 * (m - (len(sources) - 1) / 2),
                    xerr=row[f"{kind}_sd"],
                    fmt=markers[source],
                    color=DARK if m == 0 else methods.get(name).colour,
                    alpha=1 if m < 2 else 0.5,
                    label=source if k == 0 else None,
                    capsize=2,
                )
        axes.set(xlabel="Hamming distance of 256 bits, mean ± sd", title=f"{kind} family")
        axes.grid(axis="y", visible=False)
    name_rows(panels[0], [methods.get(name).label for name in names])
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def distances(histograms: pd.DataFrame) -> Figure:
    """Plot the distribution of distances within and between families, one panel per hash.

    Only hashes of 256 bits are drawn. The shares of each kind of pair sum to one.

    Parameters
    ----------
    histograms : DataFrame
        ``counting_histograms``; columns ``labels``, ``method``, ``distance``, ``same`` and
        ``other`` (numbers of pairs) are read, for the labels that are reported first.
    """
    reported = results.headline(histograms)
    names = [name for name in reported["method"].unique() if methods.get(name).bits == 256]
    columns = 3
    rows = -(-len(names) // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(6.3, 1.35 * rows), sharex=True, squeeze=False
    )
    panels = grid.ravel()
    for axes, name in zip(panels, names, strict=False):
        counts = reported[reported["method"] == name]
        for kind, colour in (("same", SAME_FAMILY), ("other", OTHER_FAMILY)):
            # Two distances per bin: hashes with exactly half their bits set differ in an even
            # number of bits.
            total = max(1, counts[kind].sum())
            share = counts.groupby(counts["distance"] // 2 * 2)[kind].sum() / total
            axes.fill_between(
                share.index,
                share,
                color=colour,
                alpha=0.5,
                step="mid",
                linewidth=0,
                label=f"{kind} family",
            )
        axes.set_title(methods.get(name).label)
        axes.set(xlim=(0, 200), yticks=[])
        axes.grid(axis="y", visible=False)
    for axes in panels[len(names) :]:
        axes.remove()
    figure.supxlabel("Hamming distance of 256 bits", fontsize=8)
    figure.supylabel("share of pairs", fontsize=8)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return figure


def roc(histograms: pd.DataFrame) -> Figure:
    """Plot the recall of the 256-bit hashes against their false positive rate.

    One panel takes families as labelled. If somebody judged which families show one image, a second
    one merges these.

    Parameters
    ----------
    histograms : DataFrame
        ``counting_histograms``; columns ``labels``, ``method``, ``same`` and ``other`` (numbers of
        pairs by distance) are read.
    """
    titles = {"as labelled": "as labelled", "merged": "families of one image merged"}
    # The axis begins at the smallest rate that the pairs can show, a power of ten.
    pairs = max(10, results.headline(histograms).groupby("method")["other"].sum().max())
    least = max(1e-7, 10.0 ** -np.floor(np.log10(pairs)))
    titles = {key: title for key, title in titles.items() if key in set(histograms["labels"])}
    width = 6.3 if len(titles) > 1 else 4.2
    figure, grid = plt.subplots(1, len(titles), figsize=(width, 2.7), sharey=True, squeeze=False)
    panels = grid[0]
    for axes, (labels, title) in zip(panels, titles.items(), strict=True):
        rows = histograms[histograms["labels"] == labels]
        for name, counts in rows.groupby("method", sort=False):
            method = methods.get(name)
            if method.bits == 256 and counts["same"].any() and counts["other"].any():
                curve = rates.roc(counts["same"], counts["other"])
                curve = curve[curve["fpr"] > 0]
                axes.plot(curve["fpr"], curve["tpr"], color=method.colour, label=method.label)
        axes.set_xscale("log")
        axes.set(title=title, xlabel="false positive rate", xlim=(least, 1), ylim=(0, 1.02))
        show_percent(axes.yaxis)
    panels[0].set_ylabel("recall of same-family pairs")
    if panels[-1].lines:
        panels[-1].legend(loc="lower right")
    return figure


def recall_intervals(table: pd.DataFrame) -> Figure:
    """Plot recall with its interval, one panel per false positive rate.

    Open circles take families as labelled; filled ones, if somebody judged which families show one
    image, merge these.

    Parameters
    ----------
    table : DataFrame
        ``resampling_intervals``; columns ``labels``, ``method``, ``target`` (false positive rate),
        ``recall``, ``low`` and ``high`` are read.
    """
    targets = sorted(table["target"].unique(), reverse=True)
    names = list(table["method"].unique())
    figure, panels = plt.subplots(1, len(targets), figsize=(6.3, 2.2), sharey=True, squeeze=False)
    for axes, target in zip(panels[0], targets, strict=True):
        for shift, labels in ((-0.14, "as labelled"), (0.14, "merged")):
            chosen = (table["target"] == target) & (table["labels"] == labels)
            if not chosen.any():
                continue
            rows = table[chosen].set_index("method").loc[names]
            for k, (name, row) in enumerate(rows.iterrows()):
                colour = methods.get(name).colour
                axes.plot([row["low"], row["high"]], [k + shift] * 2, color=colour, linewidth=1.2)
                fill = colour if labels == "merged" else "white"
                axes.plot(row["recall"], k + shift, "o", color=colour, markerfacecolor=fill)
        axes.set(title=f"false positive rate {power(target)}", xlabel="recall", xlim=(0, 1))
        axes.grid(axis="y", visible=False)
    name_rows(panels[0, 0], [methods.get(name).label for name in names])
    return figure


def confirmation(table: pd.DataFrame) -> Figure:
    """Plot rate and recall of the 256-bit hashes on set B, at the thresholds that set A gave.

    One colour per hash, one marker per target. A vertical line marks each target; a marker to its
    right exceeds it. Vertical bars are the intervals of recall.

    Parameters
    ----------
    table : DataFrame
        ``confirmation``; columns ``labels``, ``method``, ``target``, ``fpr``, ``recall``, ``low``
        and ``high`` are read, for the labels ``merged``.
    """
    merged = table[table["labels"] == "merged"]
    names = [n for n in merged["method"].unique() if methods.get(n).bits == 256]
    targets = sorted(merged["target"].unique(), reverse=True)
    markers = dict(zip(targets, "so^", strict=False))
    figure, axes = plt.subplots(figsize=(5.4, 2.9))
    for target, marker in markers.items():
        axes.axvline(target, color=DARK, linewidth=0.7, linestyle=":")
        rows = merged[merged["target"] == target].set_index("method")
        for name in rows.index.intersection(names):
            row, colour = rows.loc[name], methods.get(name).colour
            axes.plot([row["fpr"]] * 2, [row["low"], row["high"]], color=colour, linewidth=0.8)
            axes.plot(row["fpr"], row["recall"], marker, color=colour, markersize=4)
    for name in names:
        axes.plot([], [], "o", color=methods.get(name).colour, label=methods.get(name).label)
    for target, marker in markers.items():
        axes.plot([], [], marker, color=DARK, label=f"target {power(target)}")
    axes.set_xscale("log")
    axes.set(xlabel="false positive rate on set B", ylabel="recall on set B", ylim=(0, 1.02))
    show_percent(axes.yaxis)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right center")
    return figure


def pareto(
    each_hash: pd.DataFrame,
    ladder: pd.DataFrame,
    matching: pd.DataFrame,
    accuracy: pd.DataFrame,
    middle: pd.DataFrame,
) -> Figure:
    """Plot recall at a small false positive rate against the time to hash and to match.

    The rate is 1e-5, or the smallest one that the set can show. Up and to the left is better. An
    arrow leads from the reference implementation to the library.

    Parameters
    ----------
    each_hash : DataFrame
        ``each_hash``; columns ``method`` and ``ms_file`` (milliseconds, file to hash) are read.
    ladder : DataFrame
        ``ladder``; the time of the contender ``reference`` is read.
    matching : DataFrame
        ``each_hash_matching``; columns ``contender`` (method), ``state`` and ``seconds`` are read.
    accuracy : DataFrame
        ``rates``; columns ``labels``, ``method``, ``pairs`` and ``tpr_1e-05``, or that of a larger
        rate, are read, for the labels that are reported first.
    middle : DataFrame
        ``bits_variant_intervals``; columns ``method``, ``target`` and ``recall`` are read, for the
        method ``find_middle``, which is drawn only if it has a row.
    """
    reported = results.headline(accuracy).set_index("method")
    known = [r for r in (1e-5, 1e-4, 1e-3, 1e-2) if f"tpr_{r:.0e}" in reported]
    rate = next((r for r in known if reported[f"tpr_{r:.0e}"].notna().any()), known[-1])
    recall = reported[f"tpr_{rate:.0e}"]
    milliseconds = each_hash.set_index("method")["ms_file"]
    seconds = medians(matching)
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.3, 2.7), sharey=True)
    for axes, cost in ((left, milliseconds), (right, seconds)):
        for name in recall.index:
            method = methods.get(name)
            fill = method.colour if method.bits == 256 else "white"
            axes.plot(cost[name], recall[name], "o", color=method.colour, markerfacecolor=fill)
    published = medians(ladder)["reference"] * 1e3
    start, end = (published, recall["find"]), (milliseconds["find"], recall["find"])
    left.plot(*start, "o", color=FIND, markerfacecolor="white", markeredgewidth=1.2)
    arrow = {"arrowstyle": "->", "color": FIND, "linewidth": 0.8, "shrinkA": 4, "shrinkB": 4}
    left.annotate("", end, start, arrowprops=arrow)
    left.text(
        published, recall["find"] + 0.04, "FINd, published", fontsize=7, ha="right", color=FIND
    )
    for name in recall.index:
        method = methods.get(name)
        if method.bits == 256:
            right.plot([], [], "o", color=method.colour, label=method.label)
    right.plot([], [], "o", color=DARK, markerfacecolor="white", label="64 bits")
    # FINd of the middle half has as many bits as FINd, so matching takes as long.
    colour = methods.get("find_middle").colour
    for found in middle[(middle["method"] == "find_middle") & (middle["target"] == rate)]["recall"]:
        left.plot(milliseconds["find_middle"], found, "D", color=colour)
        right.plot(seconds["find"], found, "D", color=colour, label="FINd middle")

    left.set(xlabel="milliseconds per image, JPEG file to hash")
    left.set_xscale("log")
    show_plain(left.xaxis)
    left.set(ylabel=f"recall at false positive rate {power(rate)}", ylim=(0, 1.02))
    show_percent(left.yaxis)
    images = _images(reported["pairs"].iloc[0])
    right.set(xlabel=f"seconds, all pairs of {images:,} images", xlim=(0, None))
    figure.legend(*right.get_legend_handles_labels(), loc="outside right center")
    return figure


def clusterings(scores: pd.DataFrame) -> Figure:
    """Plot the pairwise F1 of clusters and the size of the largest against the threshold.

    Solid lines are connected components, dashed lines spheres.

    Parameters
    ----------
    scores : DataFrame
        ``clustering``; columns ``truth``, ``algorithm``, ``method``, ``radius`` (bits), ``f1`` and
        ``largest`` (share of all images) are read, for the truth that is reported first.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.3, 2.5))
    reported = results.headline(scores, "truth")
    styles = {"components": "-", "spheres": "--"}
    for algorithm, style in styles.items():
        of_algorithm = reported[reported["algorithm"] == algorithm]
        for name, rows in of_algorithm.groupby("method", sort=False):
            method = methods.get(name)
            threshold = rows["radius"] / method.bits
            left.plot(threshold, rows["f1"], style, color=method.colour)
            right.plot(threshold, rows["largest"], style, color=method.colour)
    left.set(title="quality", ylabel="pairwise F1 (higher is better)")
    right.set(title="chaining", ylabel="images in the largest cluster")
    for axes in (left, right):
        axes.set(xlabel="threshold as a share of the bits", ylim=(0, 1.02))
        show_percent(axes.xaxis)
        show_percent(axes.yaxis)
    for name in reported["method"].unique():
        right.plot([], [], color=methods.get(name).colour, label=methods.get(name).label)
    for algorithm, style in styles.items():
        right.plot([], [], style, color=DARK, label=algorithm)
    figure.legend(*right.get_legend_handles_labels(), loc="outside right center")
    return figure


def bit_maps(table: pd.DataFrame) -> Figure:
    """Draw each bit of a hash as a cell: how often it differs within families, and its entropy.

    Parameters
    ----------
    table : DataFrame
        ``bits``; columns ``method``, ``row``, ``column``, ``same`` (share of same-family pairs in
        which the bit differs) and ``entropy`` (bits) are read.
    """
    names = list(table["method"].unique())
    figure, grid = plt.subplots(2, len(names), figsize=(6.3, 2.5), squeeze=False)
    maps = (
        ("same", "differs within families", (0, 0.5)),
        ("entropy", "entropy, bits", (0.5, 1)),
    )
    for panels, (column, label, (low, high)) in zip(grid, maps, strict=True):
        for axes, name in zip(panels, names, strict=True):
            rows = table[table["method"] == name]
            cells = rows.pivot(index="row", columns="column", values=column)
            image = axes.imshow(cells, cmap="viridis", vmin=low, vmax=high)
            axes.set(xticks=[], yticks=[])
            axes.grid(visible=False)
        bar = figure.colorbar(image, ax=panels, aspect=10, pad=0.01)
        bar.set_label(label, fontsize=7)
        bar.ax.tick_params(labelsize=6)
    for axes, name in zip(grid[0], names, strict=True):
        axes.set_title(methods.get(name).label)
    return figure


def caption_area(table: pd.DataFrame) -> Figure:
    """Plot the median distance to the family's majority hash against the area of captions.

    Areas are rounded to 5 %.

    Parameters
    ----------
    table : DataFrame
        ``bits_caption_area``; columns ``method``, ``area`` (share of the image) and ``distance``
        (bits) are read.
    """
    figure, axes = plt.subplots(figsize=(4.2, 2.4))
    area = (table["area"] * 20).round() / 20
    for name, rows in table.groupby("method", sort=False):
        median = rows.groupby(area[rows.index])["distance"].median()
        method = methods.get(name)
        axes.plot(median.index, median, "o-", color=method.colour, label=method.label)
    show_percent(axes.xaxis)
    axes.set(xlabel="share of the image under captions", ylim=(0, None))
    axes.set(ylabel="median distance, bits")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right center")
    return figure


def variants(table: pd.DataFrame) -> Figure:
    """Plot the recall of hashes with chosen bits, one panel per false positive rate.

    Recall is measured on families that had no part in choosing the bits; a line spans the folds.

    Parameters
    ----------
    table : DataFrame
        ``bits_variants``; columns ``variant``, ``bits``, ``target`` (false positive rate),
        ``recall``, ``low`` and ``high`` are read.
    """
    targets = sorted(table["target"].unique(), reverse=True)
    bits = table.groupby("variant", sort=False)["bits"].first()
    figure, panels = plt.subplots(1, len(targets), figsize=(6.3, 2.1), sharey=True, squeeze=False)
    for axes, target in zip(panels[0], targets, strict=True):
        rows = table[table["target"] == target].set_index("variant").loc[bits.index]
        for k, (name, row) in enumerate(rows.iterrows()):
            colour = FIND if name in ("FINd", "dHash") else DARK
            axes.plot([row["low"], row["high"]], [k, k], color=colour, linewidth=1)
            axes.plot(row["recall"], k, "o", color=colour)
        axes.set(title=f"FPR {power(target)}", xlabel="recall", xlim=(0, 1.03))
        show_percent(axes.xaxis)
        axes.grid(axis="y", visible=False)
    name_rows(panels[0, 0], [f"{name} ({count})" for name, count in bits.items()])
    return figure


def robustness(table: pd.DataFrame) -> Figure:
    """Draw recall for transformed queries as colours, one panel per hash.

    Each row is a transform, with its strengths from left to right.

    Parameters
    ----------
    table : DataFrame
        ``robustness``; columns ``method``, ``transform``, ``strength`` (from mild to strong) and
        ``recall`` are read.
    """
    return _strengths(table, "recall", 1.0, "recall")


def robustness_distance(table: pd.DataFrame) -> Figure:
    """Draw the median distance of transformed queries to their originals, as ``robustness`` does.

    Parameters
    ----------
    table : DataFrame
        ``robustness``; columns ``method``, ``transform``, ``strength`` (from mild to strong) and
        ``own_median`` (bits) are read.
    """
    return _strengths(table, "own_median", 128, "median distance, bits")


def _strengths(table: pd.DataFrame, column: str, top: float, label: str) -> Figure:
    """Draw a column by transform and strength as colours from 0 to ``top``."""
    names, transforms = list(table["method"].unique()), list(table["transform"].unique())
    most = table.groupby(["method", "transform"])["strength"].nunique().max()
    figure, grid = plt.subplots(1, len(names), figsize=(6.3, 2.9), sharey=True, squeeze=False)
    for axes, name in zip(grid[0], names, strict=True):
        cells = np.full((len(transforms), most), np.nan)
        for k, transform in enumerate(transforms):
            rows = table[(table["method"] == name) & (table["transform"] == transform)]
            cells[k, : len(rows)] = rows[column]
        image = axes.imshow(cells, cmap="viridis", vmin=0, vmax=top, aspect="auto")
        axes.set_title(methods.get(name).label.removesuffix(" 256").replace(" ", "\n"), fontsize=8)
        axes.set(xticks=[], yticks=[])
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
    labels = [transform.replace("_", " ") for transform in transforms]
    grid[0, 0].set_yticks(range(len(transforms)), labels)
    bar = figure.colorbar(image, ax=grid, aspect=30, pad=0.01)
    bar.set_label(label, fontsize=7)
    bar.ax.tick_params(labelsize=6)
    if column == "recall":
        show_percent(bar.ax.yaxis)
    figure.supxlabel("strength: mild to strong, left to right", fontsize=8)
    return figure


def _images(pairs: int) -> int:
    """Return the number n of images that form n (n - 1) / 2 pairs."""
    return round((1 + (1 + 8 * pairs) ** 0.5) / 2)
