"""Figures: one function each, from results tables alone, so that restyling measures nothing again.

``export(stem)`` draws one from its results and writes it, as PDF for the report and PNG for the
README, under the stem that the report's label has too. ``python -m finhash.study.plots`` does all.
"""

from collections.abc import Callable
from importlib.resources import files

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter

from finhash import methods
from finhash.find import compiled
from finhash.find.geometry import MAX_SIDE
from finhash.study import costs, evaluate, project, results, scaling
from finhash.study.bench import medians

INK = "#333333"
PALE = "#bbbbbb"
HERO = methods.get("find").colour
SAME, OTHER = "#0072B2", "#D55E00"
EXECUTORS = {
    "serial": "#333333",
    "threads": "#0072B2",
    "processes": "#D55E00",
    "dask": "#CC79A7",
}


def use_style() -> None:
    """Draw all that follows in the project's style."""
    plt.style.use(str(files("finhash.study") / "finhash.mplstyle"))


def export(stem: str) -> Figure:
    """Draw the figure from its results tables and write ``figures/<stem>.pdf`` and ``.png``.

    Neither file holds a date: equal figures are equal files.
    """
    function, tables = FIGURES[stem]
    figure = function(*map(results.load, tables))
    folder = project.figures()
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"{stem}.pdf", metadata={"CreationDate": None})
    figure.savefig(folder / f"{stem}.png", metadata={"Software": None})
    return figure


def family_sizes(sizes: pd.DataFrame) -> Figure:
    """Pictures in each family, by rank: a few large families, a long tail."""
    figure, axis = plt.subplots(figsize=(3.6, 2))
    axis.loglog(sizes["rank"], sizes["pictures"], color=HERO)
    axis.set(xlabel="rank of the family", ylabel="pictures", ylim=(1, None))
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


def profile(shares: pd.DataFrame) -> Figure:
    """Where the reference spends its time, a bar a step, and what removing the step would give."""
    seconds = shares.groupby("step", sort=False)["seconds"].median() * 1e3
    figure, axis = plt.subplots(figsize=(6.3, 1.9))
    axis.barh(seconds.index, seconds, color=[HERO if s == seconds.max() else PALE for s in seconds])
    for k, value in enumerate(seconds):
        share = value / seconds.sum()
        text = f"  {value:,.3g} ms ({share:.1%})"
        if share > 0.01:
            text += f", without it {1 / (1 - share):.3g} times faster"
        axis.text(value, k, text, va="center", fontsize=7.5)
    axis.set(xlabel="milliseconds a picture (fewer is better)", xlim=(0, seconds.max() * 1.9))
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    return figure


def growth(by_count: pd.DataFrame, by_side: pd.DataFrame) -> Figure:
    """The reference's time against the number of pictures and against their size."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.3, 2.5))
    power = costs.exponent(by_count["pictures"], by_count["seconds"])
    count = by_count.groupby("pictures")["seconds"].median()
    left.plot(count.index, count, "o-", color=HERO)
    text = f"power {power['exponent']:.2f}\n95 %: {power['low']:.2f} to {power['high']:.2f}"
    left.text(0.05, 0.82, text, transform=left.transAxes, fontsize=7.5)
    left.set(xlabel="pictures of 250 × 250", ylabel="seconds", title="number of pictures")

    best = by_side.groupby(["content", "side"])["seconds"].min()
    noise, flat = best["noise"], best["flat"]
    model = costs.fit_work([(side, side) for side in noise.index], noise)
    sides = np.unique(np.geomspace(noise.index.min(), noise.index.max(), 400).astype(int))
    line = costs.predict(model, [(side, side) for side in sides])
    right.plot(sides, line, color=PALE, label="counted operations", zorder=1)
    right.plot(noise.index, noise, "o", color=HERO, label="measured, noise")
    right.plot(flat.index, flat, "s", color=INK, markerfacecolor="none", label="measured, flat")
    right.set(xlabel="side of a square picture, pixels", title="size of pictures")
    for axis in (left, right):
        axis.set_xscale("log", base=2)
        axis.set_yscale("log", base=2 if axis is left else 10)
        for scale in (axis.xaxis, axis.yaxis):
            scale.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
            scale.set_minor_formatter(NullFormatter())
    if noise.index.max() > MAX_SIDE:
        right.text(MAX_SIDE * 1.1, noise.max() / 3, "larger ones are\nshrunk to 512", fontsize=7)
    right.legend(loc="upper left" if noise.index.max() <= MAX_SIDE else "lower right")
    return figure


def operations(by_step: pd.DataFrame, by_shape: pd.DataFrame) -> Figure:
    """Time by operation for each step, and other shapes against what their counts say."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.3, 2.5))
    markers = {"luma": "s-", "box filter": "o-", "DCT": "^-"}
    for step, style in markers.items():
        rows = by_step[by_step["step"] == step]
        colour = HERO if step == "box filter" else INK
        left.plot(rows["cols"], rows["ns_an_operation"], style, color=colour, label=step)
    left.set(xlabel="side of a square picture, pixels", ylabel="nanoseconds an operation")
    left.set_xscale("log", base=2)
    left.set_yscale("log")
    left.set(title="an operation", ylim=(None, by_step["ns_an_operation"].max() * 4))
    left.legend(ncols=3, loc="upper center", columnspacing=1)

    shapes = by_shape.groupby(["cols", "rows"], as_index=False)[["seconds", "predicted"]].min()
    top = shapes[["seconds", "predicted"]].max().max() * 1.15
    right.plot([0, top], [0, top], color=PALE, zorder=1)
    lying = shapes["cols"] > shapes["rows"]
    for kind, rows, face in (("landscape", shapes[lying], HERO), ("portrait", shapes[~lying], "w")):
        right.plot(rows["predicted"], rows["seconds"], "o", color=HERO, mfc=face, label=kind)
    right.set(xlabel="seconds, by fitted counts", ylabel="seconds, measured")
    right.set(title="other shapes", xlim=(0, top), ylim=(0, top))
    right.legend(loc="lower right")
    for scale in (left.xaxis, left.yaxis):
        scale.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        scale.set_minor_formatter(NullFormatter())
    return figure


def candidates(timings: pd.DataFrame, exactness: pd.DataFrame) -> Figure:
    """Candidates for one step: time on a log axis, exact ones filled, with the bits they change."""
    seconds = medians(timings) * 1e6
    changed = exactness.set_index("contender")["bits_changed"]
    figure, axis = plt.subplots(figsize=(6.3, 0.55 + 0.28 * len(seconds)))
    for k, (name, value) in enumerate(seconds.items()):
        exact = changed[name] == 0
        axis.barh(k, value, color=HERO if exact else "white", edgecolor=HERO, linewidth=1.2)
        bits = "exact" if exact else f"{changed[name]:,} bits change"
        axis.text(value * 1.15, k, f"{_time(value / 1e6)}, {bits}", va="center", fontsize=7.5)
    axis.set_xscale("log")
    axis.set(xlim=(seconds.min() / 3, seconds.max() * 30))
    axis.set(xlabel="microseconds a picture, log scale (fewer is better)")
    axis.set_yticks(range(len(seconds)), list(seconds.index))
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    return figure


def margins(table: pd.DataFrame) -> Figure:
    """Pictures by their margin, with the bound beyond which the fast path is proved exact."""
    figure, axis = plt.subplots(figsize=(6.3, 2))
    kinds = table["kind"].unique()
    for k, (kind, colour) in enumerate(zip(kinds, (HERO, PALE), strict=False)):
        rows = table[table["kind"] == kind]
        share = rows["pictures"] / rows["pictures"].sum()
        axis.bar(rows["exponent"] + 0.3 + 0.4 * k, share, 0.4, color=colour, label=kind)
    bound = np.log10(compiled.MARGIN / 1000)
    axis.axvline(bound, color=INK, linewidth=1)
    axis.annotate(
        "proved exact →",
        (bound, 1),
        xytext=(4, -8),
        textcoords="offset points",
        xycoords=("data", "axes fraction"),
        fontsize=7,
    )
    axis.annotate(
        "← computed again",
        (bound, 1),
        xytext=(-4, -8),
        textcoords="offset points",
        xycoords=("data", "axes fraction"),
        fontsize=7,
        ha="right",
    )
    axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"$10^{{{x:.0f}}}$"))
    axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axis.set(
        xlabel="margin: distance from the median to the nearest coefficient, units of luma",
        ylabel="share of pictures",
        xlim=(-11.2, 4),
    )
    axis.legend(loc="upper left", bbox_to_anchor=(0.45, 0.85))
    return figure


def ladder(timings: pd.DataFrame) -> Figure:
    """File to hash after each optimisation, with imagehash's hashes beside it."""
    seconds = medians(timings)
    figure, axis = plt.subplots(figsize=(6.3, 0.6 + 0.25 * len(seconds)))
    labels = {method.name: method for method in methods.METHODS.values()}
    for k, (name, value) in enumerate(seconds.items()):
        peer = labels.get(name)
        axis.barh(k, value * 1e3, color=peer.colour if peer else HERO, alpha=0.55 if peer else 1)
        text = f"{_time(value)}"
        if not peer and k:
            text += f", {seconds.iloc[0] / value:,.0f} times faster"
        axis.text(value * 1.15e3, k, text, va="center", fontsize=7.5)
    names = [labels[n].label + " (imagehash)" if n in labels else n for n in seconds.index]
    axis.set_yticks(range(len(seconds)), names)
    axis.set_xscale("log")
    axis.set(xlim=(seconds.min() * 300, seconds.max() * 3e4))
    axis.set(xlabel="milliseconds, JPEG file to hash, log scale (fewer is better)")
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    return figure


def throughput(small: pd.DataFrame, large: pd.DataFrame) -> Figure:
    """Pictures a second, start included and left out, beside twice the rate of decoding alone."""
    figure, axes = plt.subplots(1, 2, figsize=(6.3, 2.3))
    for axis, table, title in zip(
        axes, (small, large), ("250 pixels a side", "2,000 pixels a side"), strict=True
    ):
        rates = table.set_index(["executor", "workers"])
        bars = [(e, w) for e, w in rates.index if e != scaling.DECODE]
        for k, bar in enumerate(bars):
            row, colour = rates.loc[bar], EXECUTORS[bar[0]]
            axis.barh(k, row["rate"], color=colour, alpha=0.35)
            axis.barh(k, row["with_start"], color=colour)
        decoding = rates.loc[(scaling.DECODE, 1), "rate"]
        for cores in (1, 2):
            axis.axvline(cores * decoding, color="#555555", linewidth=0.8, linestyle=(0, (4, 2)))
        axis.set_yticks(range(len(bars)), [f"{e}, {w}" for e, w in bars])
        axis.invert_yaxis()
        axis.set(title=title, xlabel="pictures a second (more is better)")
        axis.grid(axis="y", visible=False)
    return figure


def memory_jobs(jobs: pd.DataFrame, paths: pd.DataFrame) -> Figure:
    """Peak memory of all processes together: by executor, and against the number of files."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.3, 2.1))
    names = [f"{e}, {w}" for e, w in zip(jobs["executor"], jobs["workers"], strict=True)]
    left.barh(names, jobs["bytes"] / 1e6, color=[EXECUTORS[e] for e in jobs["executor"]])
    left.invert_yaxis()
    left.set(xlabel="peak, MB, all processes")
    left.grid(axis="y", visible=False)
    right.semilogx(paths["files"], paths["bytes"] / 1e6, "o-", color=EXECUTORS["processes"])
    right.set(xlabel="files, two processes", ylabel="peak, MB", ylim=(0, 500))
    return figure


def scaling_model(forecast: pd.DataFrame, rates: pd.DataFrame) -> Figure:
    """Pictures a second against cores: modelled lines, and points where it was measured."""
    figure, axis = plt.subplots(figsize=(4.2, 2.4))
    for executor, rows in forecast.groupby("executor", sort=False):
        colour = EXECUTORS[executor]
        axis.loglog(rows["cores"], rows["rate"], "--", color=colour, label=f"{executor}, model")
        measured = rates[rates["executor"] == executor]
        axis.loglog(measured["workers"], measured["rate"], "o", color=colour)
    most = forecast["cores"].max()
    serial = forecast["rate"].min()
    axis.loglog([1, most], [serial, serial * most], ":", color="#999999", label="proportional")
    axis.set(xlabel="cores", ylabel="pictures a second")
    axis.legend(fontsize=6.5)
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
                curve = evaluate.roc(counts["same"], counts["other"])
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
    _percent(axes[0], "pairwise F1 (more is better)", "quality")
    _percent(axes[1], "pictures in the largest cluster", "chaining")
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
        axis.set(title=f"FPR {_power(target)}", xlabel="recall", xlim=(0, 1.03))
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


def peers(table: pd.DataFrame) -> Figure:
    """Queries a second in one batch on one core, exact ones filled, with what they find."""
    figure, axis = plt.subplots(figsize=(6.3, 0.55 + 0.24 * len(table)))
    for k, row in enumerate(table.itertuples()):
        colour = HERO if row.peer.startswith("finhash") else INK
        fill = colour if row.recall == 1 else "white"
        axis.barh(k, row.a_second, color=fill, edgecolor=colour, linewidth=1.2)
        found = "finds all" if row.recall == 1 else f"finds {row.recall:.1%}"
        text = f"{row.a_second:,.0f}, {found}"
        axis.text(row.a_second * 1.15, k, text, va="center", fontsize=7.5)
    axis.set_xscale("log")
    axis.set(xlim=(table["a_second"].min() / 3, table["a_second"].max() * 30))
    axis.set(xlabel="queries a second, one core, log scale (more is better)")
    axis.set_yticks(range(len(table)), list(table["peer"]))
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    return figure


def cluster_jobs(table: pd.DataFrame) -> Figure:
    """Seconds and memory of clustering against the number of pictures."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.3, 2.2))
    for algorithm, rows in table.groupby("algorithm", sort=False):
        colour = HERO if algorithm == "components" else INK
        left.loglog(rows["pictures"], rows["seconds"], "o-", color=colour, label=algorithm)
        right.semilogx(rows["pictures"], rows["peak"] / 1e6, "o-", color=colour)
    left.set(xlabel="pictures", ylabel="seconds")
    right.set(xlabel="pictures", ylabel="peak, MB", ylim=(0, None))
    left.legend()
    return figure


def robustness_distance(table: pd.DataFrame) -> Figure:
    """The same for the median distance to the picture that was transformed."""
    return robustness(table, "own_median", top=128)


def _thousands(accuracy: pd.DataFrame) -> str:
    # n (n - 1) / 2 pairs were counted.
    pairs = accuracy["pairs"].iloc[0]
    return f"{round((1 + (1 + 8 * pairs) ** 0.5) / 2):,}"


def _percent(axis: Axes, label: str, title: str) -> None:
    axis.set(ylabel=label, title=title, ylim=(0, 1.02))
    axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))


def _power(value: float) -> str:
    return f"$10^{{{round(np.log10(value))}}}$"


def _time(seconds: float) -> str:
    unit, factor = ("s", 1) if seconds >= 1 else ("ms", 1e3) if seconds >= 1e-3 else ("µs", 1e6)
    value = seconds * factor
    return f"{value:.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


def offload(timings: pd.DataFrame, floor: pd.DataFrame) -> Figure:
    """A file's way to its hash: today, and if a GPU hashed in no time but had to be sent pixels."""
    micro = medians(timings) * 1e6
    sent = floor[floor["what"] == "picture, sent"]["seconds"].max() * 1e6
    decode = micro["file to pixels"]
    ways = {
        "CPU alone": {"read and decode": decode, "hash": micro["file to hash"] - decode},
        "with a GPU": {
            "read and decode": decode,
            "gather": micro["file to gathered pixels"] - decode,
            "send (bound)": sent,
        },
    }
    colours = {"read and decode": PALE, "hash": HERO, "gather": SAME, "send (bound)": INK}
    figure, axis = plt.subplots(figsize=(6.3, 1.5))
    for k, parts in enumerate(ways.values()):
        start = 0.0
        for name, width in parts.items():
            # Only names not yet in the legend: a leading underscore hides the others.
            label = "_" + name if k and name in ways["CPU alone"] else name
            axis.barh(k, width, left=start, color=colours[name], label=label)
            start += width
        axis.text(start, k, f"  {start:,.0f} µs", va="center", fontsize=7.5)
    axis.set_yticks(range(len(ways)), list(ways))
    axis.set(xlabel="microseconds a picture of 250 × 250, one core (fewer is better)")
    axis.margins(x=0.12)
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


FIGURES: dict[str, tuple[Callable[..., Figure], tuple[str, ...]]] = {
    "family_sizes": (family_sizes, ("family_sizes",)),
    "calibration": (calibration, ("calibration",)),
    "profile": (profile, ("profile_steps",)),
    "growth": (growth, ("growth_count", "growth_side")),
    "operations": (operations, ("operations", "growth_shape")),
    "box_filter": (candidates, ("box_filter", "box_filter_exactness")),
    "luma": (candidates, ("luma", "luma_exactness")),
    "margins": (margins, ("margins",)),
    "ladder": (ladder, ("ladder",)),
    "throughput": (throughput, ("rates_small", "rates_large")),
    "memory_jobs": (memory_jobs, ("memory_jobs", "memory_paths")),
    "scaling_model": (scaling_model, ("scaling_model", "rates_small")),
    "distances": (distances, ("pair_histograms",)),
    "roc": (roc, ("pair_histograms",)),
    "recall_intervals": (recall_intervals, ("recall_intervals",)),
    "clusters": (clusterings, ("clusters",)),
    "robustness": (robustness, ("robustness",)),
    "robustness_distance": (robustness_distance, ("robustness",)),
    "bits": (bit_maps, ("bits",)),
    "caption_area": (caption_area, ("caption_area",)),
    "variants": (variants, ("variants",)),
    "peers": (peers, ("peers",)),
    "cluster_jobs": (cluster_jobs, ("cluster_jobs",)),
    "offload": (offload, ("gpu_offload", "gpu_floors")),
    "pareto": (pareto, ("cost", "ladder", "matching", "accuracy", "variant_intervals")),
}
"""Stem -> the function that draws the figure, and the results tables that it reads."""


def main() -> None:
    """Draw all figures again."""
    use_style()
    for stem in FIGURES:
        plt.close(export(stem))


if __name__ == "__main__":
    main()
