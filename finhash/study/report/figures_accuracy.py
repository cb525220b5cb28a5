"""Figures of accuracy. Each function draws one figure from the results tables it is given."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from finhash import methods
from finhash.accuracy import rates
from finhash.study import results
from finhash.study.report.style import (
    DARK,
    FIND,
    GREY,
    LIGHT,
    OTHER_FAMILY,
    SAME_FAMILY,
    SMALLEST,
    label_points,
    line,
    look,
    name_rows,
    point,
    power,
    rounded,
    short,
    show_percent,
    show_plain,
    spread,
)
from finhash.study.results import medians

MIDDLE = "FINd middle (captions placed by us)"
"""Label of FINd's middle half: where a set's captions stand decides how well it does."""

SHIFT = 0.06
"""Distance of neighbouring intervals of one false positive rate, in decades."""

CLUSTERED = ("find", "phash256", "dhash256")
"""Hashes whose clusters are drawn."""

FREQUENCIES = {"find", "phash256", "pdq"}
"""Hashes whose bits are frequencies; the bits of others are places in the image."""

CHANGES = {
    "jpeg": "JPEG quality {}",
    "resize": "resized × {}",
    "aspect": "stretched × {}",
    "blur": "blur, radius {} pixels",
    "noise": "noise, sigma {} of 255",
    "gamma": "gamma {}",
    "contrast": "contrast × {}",
    "crop": "crop {} % per side",
    "border": "border {} % per side",
    "rotation": "rotation {}°",
    "flip": "mirrored, {}",
    "watermark": "watermark, opacity {}",
    "caption_changed": "caption: {}",
    "caption_removed": "no {} caption",
    "screenshot": "screenshot, {}",
    "colour": "colour: {}",
}
"""Name of each transform, with a place for its strength."""


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
                    markerfacecolor="white" if m == 2 else None,
                    capsize=2,
                )
        axes.set(xlabel="Hamming distance of 256 bits, mean ± sd", title=f"{kind} family")
        axes.grid(axis="y", visible=False)
    name_rows(panels[0], [short(name) for name in names])
    for m, source in enumerate(sources):
        fill = "white" if m == 2 else DARK
        panels[0].plot([], [], markers[source], color=DARK, markerfacecolor=fill, label=source)
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
        axes.set_title(short(name))
        axes.set(xlim=(0, 200), yticks=[])
        axes.grid(axis="y", visible=False)
    for axes in panels[len(names) :]:
        axes.remove()
    figure.supxlabel("Hamming distance of 256 bits", fontsize=8)
    figure.supylabel("share of pairs", fontsize=8)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return figure


def roc(
    histograms: pd.DataFrame, intervals: pd.DataFrame | None, middle: pd.DataFrame | None
) -> Figure:
    """Plot the recall of the 256-bit hashes against their false positive rate.

    The axis begins at 1e-6, or at the smallest rate that the pairs can show. Markers stand at the
    rates that have intervals. Vertical bars are these intervals; they are set side by side, so that
    they do not cover each other. Smaller rates are shaded.

    Parameters
    ----------
    histograms : DataFrame
        ``counting_histograms``; columns ``labels``, ``method``, ``same`` and ``other`` (numbers of
        pairs by distance) are read, for the labels that are reported first.
    intervals : DataFrame, optional
        ``resampling_intervals``; columns ``labels``, ``method``, ``target`` (false positive rate),
        ``recall``, ``low`` and ``high`` are read, for the same labels.
    middle : DataFrame, optional
        ``bits_variant_intervals``; columns ``method``, ``target``, ``recall``, ``low`` and ``high``
        are read, for the method ``find_middle``.
    """
    reported = results.headline(histograms)
    pairs = max(10, reported.groupby("method")["other"].sum().max())
    least = max(1e-6, 10.0 ** -np.floor(np.log10(pairs)))
    top = 1e-2 if least < 1e-3 else 1.0
    figure, axes = plt.subplots(figsize=(6.3, 3))
    ends = {}
    for name, counts in reported.groupby("method", sort=False):
        if methods.get(name).bits == 256 and counts["same"].any() and counts["other"].any():
            curve = rates.roc(counts["same"], counts["other"])
            curve = curve[curve["fpr"] > 0]
            logs, recalls = np.log10(curve["fpr"]), curve["tpr"]
            at = max(np.log10(least), logs.min())
            shown = np.append(at, logs[logs > at])
            # The recall at a rate is that of the largest threshold which keeps the rate.
            kept = np.searchsorted(logs, shown + 1e-9, side="right") - 1
            found = recalls.to_numpy()[kept]
            style = line(name) if len(shown) > 1 else point(name)
            axes.plot(10**shown, found, drawstyle="steps-post", **style)
            axes.plot([], [], **look(name), label=short(name))
            ends[name] = 10**at, found[0]
    # Names stand left of the curves' left ends.
    heights = spread([end[1] for end in ends.values()], 0.068)
    heights -= max(0, heights.max(initial=0) - 1.04)  # no name stands above the panel
    for (name, end), height in zip(ends.items(), heights, strict=True):
        axes.annotate(
            short(name),
            end,
            (least / 1.5, height),
            ha="right",
            va="center",
            fontsize=7.5,
            color=DARK,
            arrowprops={"arrowstyle": "-", "color": GREY, "lw": 0.5, "shrinkA": 1, "shrinkB": 0},
        )
    if intervals is not None:
        rows = results.headline(intervals)
        rows = rows[rows["method"].isin(ends) & (rows["target"] >= least)]
        for _, cluster in rows.groupby("target"):
            shifts = SHIFT * (np.arange(len(cluster)) - (len(cluster) - 1) / 2)
            for row, shift in zip(cluster.itertuples(), shifts, strict=True):
                at, colour = row.target * 10**shift, methods.get(row.method).colour
                axes.plot([at] * 2, [row.low, row.high], color=colour, linewidth=0.9)
                axes.plot(row.target, row.recall, **point(row.method))
        if len(rows):
            smallest = rows["target"].min()
            axes.axvspan(least / 10, smallest / 1.6, color=LIGHT, alpha=0.25, linewidth=0, zorder=0)
    rows = _middle(middle)
    if len(rows):
        grey = {"color": GREY, "linewidth": 0.9}
        at = rows["target"] * 10 ** (-SHIFT * (len(ends) + 1) / 2)  # left of the other bars
        for x, row in zip(at, rows.itertuples(), strict=True):
            axes.plot([x] * 2, [row.low, row.high], **grey)
        style = {"markersize": 7, "markerfacecolor": GREY, "linestyle": "-"}
        axes.plot(at, rows["recall"], **look("find_middle") | grey | style)
        axes.annotate(
            MIDDLE,
            (np.sqrt(at.iloc[0] * at.iloc[-1]), rows["recall"].mean()),
            (0, 8),
            textcoords="offset points",
            ha="center",
            fontsize=SMALLEST,
            color=DARK,
        )
    axes.set_xscale("log")
    axes.set(xlim=(least / 4, top), ylim=(0, 1.1))
    axes.set_xticks(10.0 ** np.arange(round(np.log10(least)), round(np.log10(top)) + 1))
    axes.tick_params(axis="x", which="minor", bottom=False)
    axes.set(xlabel="false positive rate, log scale", ylabel="recall of same-family pairs")
    show_percent(axes.yaxis)
    if ends:
        keys = axes.get_legend_handles_labels()
        figure.legend(*keys, loc="outside upper center", ncols=len(ends), handlelength=2.5)
    return figure


def _middle(table: pd.DataFrame | None) -> pd.DataFrame:
    """Return the rows of FINd's middle half, sorted by target; an empty table if there is none."""
    if table is None:
        return pd.DataFrame({"target": [], "recall": []})
    return table[table["method"] == "find_middle"].sort_values("target")


def recall_intervals(table: pd.DataFrame) -> Figure:
    """Plot recall with its interval, one panel per false positive rate.

    Open markers take families as labelled; filled ones, if somebody judged which families show one
    image, merge these.

    Parameters
    ----------
    table : DataFrame
        ``resampling_intervals``; columns ``labels``, ``method``, ``target`` (false positive rate),
        ``recall``, ``low`` and ``high`` are read.
    """
    targets = sorted(table["target"].unique(), reverse=True)
    names = list(table["method"].unique())
    figure, panels = plt.subplots(1, len(targets), figsize=(6.3, 2.4), sharey=True, squeeze=False)
    kinds = {"as labelled": -0.17, "merged": 0.17}
    for axes, target in zip(panels[0], targets, strict=True):
        for labels, shift in kinds.items():
            chosen = (table["target"] == target) & (table["labels"] == labels)
            if not chosen.any():
                continue
            rows = table[chosen].set_index("method").loc[names]
            for k, (name, row) in enumerate(rows.iterrows()):
                colour = methods.get(name).colour
                axes.plot([row["low"], row["high"]], [k + shift] * 2, color=colour, linewidth=1.2)
                fill = colour if labels == "merged" else "white"
                axes.plot(row["recall"], k + shift, **point(name) | {"markerfacecolor": fill})
        axes.set(title=f"false positive rate {power(target)}", xlabel="recall", xlim=(0, 1.03))
        show_percent(axes.xaxis)
        axes.grid(axis="y", visible=False)
    name_rows(panels[0, 0], [short(name) for name in names])
    if (table["labels"] == "merged").any():
        for labels, fill in (("as labelled", "white"), ("families of one image merged", DARK)):
            panels[0, 0].plot([], [], "o", color=DARK, markerfacecolor=fill, label=labels)
        keys = panels[0, 0].get_legend_handles_labels()
        figure.legend(*keys, loc="outside lower center", ncols=2)
    return figure


def confirmation(table: pd.DataFrame) -> Figure:
    """Plot rate and recall of the 256-bit hashes on set B, at the thresholds that set A gave.

    There is one panel per target. A vertical line marks the target; a marker to its right exceeds
    it. Vertical bars are the intervals of recall.

    Parameters
    ----------
    table : DataFrame
        ``confirmation``; columns ``labels``, ``method``, ``target``, ``fpr``, ``recall``, ``low``
        and ``high`` are read, for the labels ``merged``.
    """
    merged = table[table["labels"] == "merged"]
    names = [n for n in merged["method"].unique() if methods.get(n).bits == 256]
    targets = sorted(merged["target"].unique(), reverse=True)
    figure, grid = plt.subplots(1, len(targets), figsize=(6.3, 2.7), sharey=True, squeeze=False)
    for axes, target in zip(grid[0], targets, strict=True):
        axes.axvline(target, color=DARK, linewidth=0.9, linestyle="--")
        rows = merged[merged["target"] == target].set_index("method")
        for name in rows.index.intersection(names):
            row, colour = rows.loc[name], methods.get(name).colour
            axes.plot([row["fpr"]] * 2, [row["low"], row["high"]], color=colour, linewidth=0.8)
            axes.plot(row["fpr"], row["recall"], **point(name) | {"markersize": 5})
        axes.set_xscale("log")
        axes.set(title=f"target {power(target)}", xlabel="false positive rate", ylim=(0, 1.02))
        axes.set_xlim(target / 30, target * 2)
        show_percent(axes.yaxis)
    grid[0, 0].set_ylabel("recall on set B")
    for name in names:
        grid[0, 0].plot([], [], **point(name) | {"markersize": 5}, label=short(name))
    keys = grid[0, 0].get_legend_handles_labels()
    figure.legend(*keys, loc="outside lower center", ncols=len(names), handlelength=1)
    return figure


def pareto(
    each_hash: pd.DataFrame,
    ladder: pd.DataFrame,
    accuracy: pd.DataFrame,
    intervals: pd.DataFrame | None,
    middle: pd.DataFrame | None,
    tuned: pd.DataFrame | None = None,
) -> Figure:
    """Plot recall at a small false positive rate against the time of a hash.

    The rate is 1e-4, or the smallest larger one that the set can show. Up and to the left is
    better. Markers are open for 64 bits. Vertical bars are intervals of recall. A remark at the
    right edge gives the time of the reference implementation, which is far off the axis, over that
    of FINd in the same run. A marker with a cross is pHash compiled as FINd is; its time is FINd's
    times their ratio in ``tuned_phash``.

    The time to match is not drawn: all hashes of one length take about as long, and how long
    depends on the threshold.

    Parameters
    ----------
    each_hash : DataFrame
        ``each_hash``; columns ``method`` and ``ms_file`` (milliseconds, file to hash) are read.
    ladder : DataFrame
        ``ladder``; the times of the contenders ``reference`` and ``+ simplejpeg`` are read.
    accuracy : DataFrame
        ``rates``; columns ``labels``, ``method`` and ``tpr_1e-04``, or that of a larger rate, are
        read, for the labels that are reported first.
    intervals : DataFrame, optional
        ``resampling_intervals``; columns ``labels``, ``method``, ``target``, ``low`` and ``high``
        are read, for the same labels.
    middle : DataFrame, optional
        ``bits_variant_intervals``; columns ``method``, ``target``, ``recall``, ``low`` and ``high``
        are read, for the method ``find_middle``, which is drawn only if it has a row.
    tuned : DataFrame, optional
        ``tuned_phash``; columns ``contender`` and ``ratio`` (time over FINd's) are read.
    """
    reported = results.headline(accuracy).set_index("method")
    known = [r for r in (1e-4, 1e-3, 1e-2) if f"tpr_{r:.0e}" in reported]
    rate = next((r for r in known if reported[f"tpr_{r:.0e}"].notna().any()), known[-1])
    recall = reported[f"tpr_{rate:.0e}"]
    ms = each_hash.set_index("method")["ms_file"]
    slower = medians(ladder)["reference"] / medians(ladder)["+ simplejpeg"]
    figure, axes = plt.subplots(figsize=(6.3, 3.1))
    axes.set_xscale("log")
    axes.set(xlim=(ms.min() / 1.5, ms.max() * 2), ylim=(0, 1.04))
    bars = [] if intervals is None else [results.headline(intervals)]
    found = _middle(middle)
    for row in pd.concat([*bars, found])[lambda t: t["target"] == rate].itertuples():
        colour = methods.get(row.method).colour
        axes.plot([ms[row.method]] * 2, [row.low, row.high], color=colour, linewidth=0.9)
    labels = []
    for name, value in recall.items():
        axes.plot(ms[name], value, **point(name) | {"markersize": 5})
        labels.append((ms[name], value, short(name)))
    for value in found[found["target"] == rate]["recall"]:
        small = {"markersize": 6, "color": GREY, "markerfacecolor": "white"}
        axes.plot(ms["find_middle"], value, **point("find_middle") | small)
        labels.append((ms["find_middle"], value, MIDDLE))
    if tuned is not None and np.isfinite(recall.get("phash256", np.nan)):
        at = ms["find"] * tuned.set_index("contender")["ratio"]["pHash, compiled"]
        style = point("phash256") | {"markersize": 6, "markerfacecolor": "white"}
        axes.plot(at, recall["phash256"], **style)
        axes.plot(at, recall["phash256"], "x", color=style["color"], markersize=4)
        labels.append((at, recall["phash256"], "pHash, compiled"))
    if np.isfinite(recall.get("find", np.nan)):
        axes.annotate(
            f"reference: {rounded(slower)} times\nFINd's time →",
            (1, recall["find"]),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="center",
            fontsize=SMALLEST,
        )
    axes.set(xlabel="milliseconds per image, JPEG file to hash, log scale (lower is better)")
    axes.set(ylabel=f"recall at false positive rate {power(rate)}")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    show_plain(axes.xaxis)
    show_percent(axes.yaxis)
    if recall.notna().any():
        label_points(axes, [label for label in labels if np.isfinite(label[1])])
    else:
        text = "too few pairs to measure recall at a small rate"
        axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center")
    return figure


def clusterings(scores: pd.DataFrame, thresholds: pd.DataFrame | None) -> Figure:
    """Plot the pairwise F1 of clusters against the threshold, one panel per algorithm.

    A grey line is the share of all images that FINd's largest connected component holds. A vertical
    line marks FINd's recommended threshold: the one for clusters beside components, the one for
    search beside spheres. Hashes that ``CLUSTERED`` does not name are not drawn.

    Parameters
    ----------
    scores : DataFrame
        ``clustering``; columns ``truth``, ``algorithm``, ``method``, ``radius`` (bits), ``f1`` and
        ``largest`` (share of all images) are read, for the truth that is reported first.
    thresholds : DataFrame, optional
        ``thresholds``; columns ``use``, ``method`` and ``threshold`` (bits) are read, for the uses
        ``cluster`` and ``search`` and the method ``find``.
    """
    figure, panels = plt.subplots(1, 2, figsize=(6.3, 2.7), sharex=True, sharey=True)
    reported = results.headline(scores, "truth")
    names = [name for name in CLUSTERED if name in set(reported["method"])]
    titles = {"components": "connected components", "spheres": "spheres"}
    for axes, (algorithm, title) in zip(panels, titles.items(), strict=True):
        of_algorithm = reported[reported["algorithm"] == algorithm]
        for name in names:
            rows = of_algorithm[of_algorithm["method"] == name]
            axes.plot(rows["radius"], rows["f1"], **look(name) | {"markevery": 3})
        if algorithm == "components":  # spheres cannot chain, so their largest stays small
            rows = of_algorithm[of_algorithm["method"] == "find"]
            axes.plot(rows["radius"], rows["largest"], color=GREY, linewidth=1)
        if thresholds is not None:
            use = {"components": "cluster", "spheres": "search"}[algorithm]
            chosen = (thresholds["use"] == use) & (thresholds["method"] == "find")
            for threshold in thresholds[chosen]["threshold"]:
                axes.axvline(threshold, color=DARK, linewidth=0.9, linestyle="--", zorder=0.5)
                axes.annotate(
                    f"{threshold}",
                    (threshold, 1.02),
                    (2, 0),
                    xycoords=("data", "data"),
                    textcoords="offset points",
                    va="top",
                    fontsize=SMALLEST,
                )
        axes.set(title=title, xlabel="threshold, bits", ylim=(0, 1.06))
        show_percent(axes.yaxis)
    panels[0].set_ylabel("pairwise F1 (higher is better)")
    for name in names:
        panels[0].plot([], [], **look(name), label=short(name))
    if "find" in names:
        panels[0].plot([], [], color=GREY, linewidth=1, label="images in FINd's largest cluster")
    if thresholds is not None:
        style = {"color": DARK, "linewidth": 0.9, "linestyle": "--"}
        panels[0].plot([], [], **style, label="FINd's threshold")
    keys = panels[0].get_legend_handles_labels()
    figure.legend(*keys, loc="outside lower center", ncols=5, columnspacing=1.2)
    return figure


def bit_maps(table: pd.DataFrame) -> Figure:
    """Draw each bit of a hash as a cell: how often it differs within families, and its entropy.

    Bits of FINd, pHash and PDQ are frequencies, the lowest at the top left; those of other hashes
    are places in the image.

    Parameters
    ----------
    table : DataFrame
        ``bits``; columns ``method``, ``row``, ``column``, ``same`` (share of same-family pairs in
        which the bit differs) and ``entropy`` (bits) are read.
    """
    names = sorted(table["method"].unique(), key=lambda name: name not in FREQUENCIES)
    figure, grid = plt.subplots(2, len(names), figsize=(6.3, 2.7), squeeze=False)
    maps = (
        ("same", "differs within\nfamilies", (0, 0.5)),
        ("entropy", "entropy, bits", (0.5, 1)),
    )
    for panels, (column, label, (low, high)) in zip(grid, maps, strict=True):
        last = column == "entropy"
        for k, (axes, name) in enumerate(zip(panels, names, strict=True)):
            rows = table[table["method"] == name]
            cells = rows.pivot(index="row", columns="column", values=column)
            image = axes.imshow(cells, cmap="viridis", vmin=low, vmax=high)
            ends = [0, len(cells) - 1]
            axes.set_xticks(ends, [1, len(cells)], fontsize=SMALLEST)
            axes.set_yticks(ends, [1, len(cells)] if k == 0 else [])
            axes.tick_params(length=2, labelsize=SMALLEST, labelbottom=last)
            axes.grid(visible=False)
            frequency = name in FREQUENCIES
            if k == 0 or frequency != (names[k - 1] in FREQUENCIES):
                text = "vertical\nfrequency" if frequency else "row"
                axes.set_ylabel(text, fontsize=SMALLEST)
            if last:
                text = "horizontal\nfrequency" if frequency else "column"
                axes.set_xlabel(text, fontsize=SMALLEST)
        bar = figure.colorbar(image, ax=panels, aspect=10, pad=0.01)
        bar.set_label(label, fontsize=SMALLEST)
        bar.ax.tick_params(labelsize=SMALLEST)
    for axes, name in zip(grid[0], names, strict=True):
        axes.set_title(short(name))
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
        axes.plot(median.index, median, **look(name), label=short(name))
    show_percent(axes.xaxis)
    axes.set(xlabel="share of the image under captions", ylim=(0, None))
    axes.set(ylabel="median distance, bits")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right center")
    return figure


def variants(table: pd.DataFrame) -> Figure:
    """Plot the recall of hashes with chosen bits, one panel per false positive rate below 1e-4.

    Colour and marker show the original hash; its variants have open markers.
    Recall is measured on families that had no part in choosing the bits; a line spans the folds.

    Parameters
    ----------
    table : DataFrame
        ``bits_variants``; columns ``variant``, ``bits``, ``target`` (false positive rate),
        ``recall``, ``low`` and ``high`` are read.
    """
    targets = sorted(table["target"].unique(), reverse=True)
    targets = [target for target in targets if target < 1e-4] or targets
    bits = table.groupby("variant", sort=False)["bits"].first()
    figure, panels = plt.subplots(1, len(targets), figsize=(6.3, 2.1), sharey=True, squeeze=False)
    for axes, target in zip(panels[0], targets, strict=True):
        rows = table[table["target"] == target].set_index("variant").loc[bits.index]
        for k, (name, row) in enumerate(rows.iterrows()):
            style = _variant(name)
            axes.plot([row["low"], row["high"]], [k, k], color=style["color"], linewidth=1)
            axes.plot(row["recall"], k, **style)
        title = f"false positive rate {power(target)}"
        axes.set(title=title, xlabel="recall", xlim=(0, 1.03))
        show_percent(axes.xaxis)
        axes.grid(axis="y", visible=False)
    name_rows(panels[0, 0], [f"{name} ({count})" for name, count in bits.items()])
    return figure


def _variant(name: str) -> dict:
    """Return the look of a changed hash: that of its origin, open unless it is the origin."""
    origin = {"FINd": "find", "dHash": "dhash256"}.get(name.split(",")[0])
    if origin is None:  # made of two hashes
        return {"color": DARK, "marker": "s", "linestyle": "none", "markerfacecolor": "white"}
    return point(origin) | ({"markerfacecolor": "white"} if "," in name else {})


def robustness(table: pd.DataFrame) -> Figure:
    """Draw recall for changed images as numbers, one row per hash and one column per change.

    Each change has its middle strength, the second of those measured. Changes are sorted by their
    mean recall. The first column, "undisturbed", is the recall of images that keep their hash: for
    each hash it is that of the change which moves the hash by the fewest bits, half of the colour
    or all of it taken away on our sets. Changes are grouped by their mean recall over that of
    undisturbed images: from 90 %, from 10 %, and below.

    Parameters
    ----------
    table : DataFrame
        ``robustness``; columns ``method``, ``transform``, ``strength``, ``recall`` and
        ``own_median`` and ``own_high`` (bits) are read.
    """
    names, changes = list(table["method"].unique()), table["transform"].unique()
    still = table.sort_values(["own_median", "own_high"], kind="stable").groupby("method").first()
    columns = {"undisturbed": still["recall"].reindex(names)}
    for change in changes:
        rows = table[table["transform"] == change]
        strengths = list(rows["strength"].unique())
        strength = strengths[(len(strengths) - 1) // 2]
        label = CHANGES.get(change, f"{change} {{}}".replace("_", " ")).format(strength)
        chosen = rows[rows["strength"] == strength].set_index("method")["recall"]
        columns[label] = chosen.reindex(names)
    cells = pd.DataFrame(columns)
    order = cells.iloc[:, 1:].mean().sort_values(ascending=False, kind="stable").index
    cells = cells[["undisturbed", *order]]
    figure, axes = plt.subplots(figsize=(6.3, 1.35 + 0.19 * len(names)))
    axes.imshow(cells, cmap="Blues", vmin=0, vmax=1.15, aspect="auto")
    for (row, column), value in np.ndenumerate(cells.to_numpy()):
        if np.isfinite(value):
            colour = "white" if value > 0.7 else "black"
            text = f"{100 * value:.0f}"
            axes.text(column, row, text, ha="center", va="center", fontsize=SMALLEST, color=colour)
    share = cells[order].mean() / cells["undisturbed"].mean()
    groups = {"kept": share >= 0.9, "partly lost": (share < 0.9) & (share >= 0.1)}
    groups["lost"] = share < 0.1
    start = 0
    for name, members in groups.items():
        if members.any():
            axes.axvline(start + 0.5, color="white", linewidth=3)
            middle = start + (members.sum() + 1) / 2
            axes.text(middle, len(names) - 0.4, name, ha="center", va="top", fontsize=SMALLEST)
        start += members.sum()
    axes.set_xticks(range(cells.shape[1]), cells.columns, rotation=45, ha="left", va="bottom")
    axes.xaxis.tick_top()
    axes.set_xticks(range(cells.shape[1]), cells.columns, rotation_mode="anchor")
    axes.tick_params(length=0)
    name_rows(axes, [short(name) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("recall of the other images of the family, %", labelpad=12)
    return figure


def robustness_distance(table: pd.DataFrame) -> Figure:
    """Draw the median distance of changed images to their originals, one panel per hash.

    Each row is a transform, with its strengths from left to right.

    Parameters
    ----------
    table : DataFrame
        ``robustness``; columns ``method``, ``transform``, ``strength`` and ``own_median`` (bits)
        are read.
    """
    names, transforms = list(table["method"].unique()), list(table["transform"].unique())
    most = table.groupby(["method", "transform"])["strength"].nunique().max()
    figure, grid = plt.subplots(1, len(names), figsize=(6.3, 2.9), sharey=True, squeeze=False)
    for axes, name in zip(grid[0], names, strict=True):
        cells = np.full((len(transforms), most), np.nan)
        for k, transform in enumerate(transforms):
            rows = table[(table["method"] == name) & (table["transform"] == transform)]
            cells[k, : len(rows)] = rows["own_median"]
        image = axes.imshow(cells, cmap="viridis", vmin=0, vmax=128, aspect="auto")
        axes.set_title(short(name).replace(" ", "\n"), fontsize=8)
        axes.set(xticks=range(most), yticks=[])
        axes.set_xticks(range(most), range(1, most + 1), fontsize=SMALLEST)
        axes.tick_params(length=0)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
    labels = [transform.replace("_", " ") for transform in transforms]
    grid[0, 0].set_yticks(range(len(transforms)), labels)
    bar = figure.colorbar(image, ax=grid, aspect=30, pad=0.01)
    bar.set_label("median distance, bits", fontsize=SMALLEST)
    bar.ax.tick_params(labelsize=SMALLEST)
    figure.supxlabel("strength of the change, in the order of the table of changes", fontsize=8)
    return figure


def _images(pairs: int) -> int:
    """Return the number n of images that form n (n - 1) / 2 pairs."""
    return round((1 + (1 + 8 * pairs) ** 0.5) / 2)
