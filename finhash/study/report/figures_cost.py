"""Figures of cost: one function each, from results tables alone."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter

from finhash import methods
from finhash.find import compiled
from finhash.find.geometry import MAX_SIDE
from finhash.study.cost import operations
from finhash.study.report.style import EXECUTORS, HERO, INK, PALE, SAME, duration
from finhash.study.results import medians


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
    power = operations.exponent(by_count["images"], by_count["seconds"])
    count = by_count.groupby("images")["seconds"].median()
    left.plot(count.index, count, "o-", color=HERO)
    text = f"power {power['exponent']:.2f}\n95 %: {power['low']:.2f} to {power['high']:.2f}"
    left.text(0.05, 0.82, text, transform=left.transAxes, fontsize=7.5)
    left.set(xlabel="pictures of 250 × 250", ylabel="seconds", title="number of pictures")

    best = by_side.groupby(["content", "side"])["seconds"].min()
    noise, flat = best["noise"], best["flat"]
    model = operations.fit_work([(side, side) for side in noise.index], noise)
    sides = np.unique(np.geomspace(noise.index.min(), noise.index.max(), 400).astype(int))
    line = operations.predict(model, [(side, side) for side in sides])
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


def operation_costs(by_step: pd.DataFrame, by_shape: pd.DataFrame) -> Figure:
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
        axis.text(value * 1.15, k, f"{duration(value / 1e6)}, {bits}", va="center", fontsize=7.5)
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
        share = rows["images"] / rows["images"].sum()
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
        text = f"{duration(value)}"
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
        bars = [(e, w) for e, w in rates.index if e in EXECUTORS]
        for k, bar in enumerate(bars):
            row, colour = rates.loc[bar], EXECUTORS[bar[0]]
            axis.barh(k, row["rate"], color=colour, alpha=0.35)
            axis.barh(k, row["with_start"], color=colour)
        decoding = table.loc[~table["executor"].isin(EXECUTORS), "rate"].item()
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
        left.loglog(rows["images"], rows["seconds"], "o-", color=colour, label=algorithm)
        right.semilogx(rows["images"], rows["peak"] / 1e6, "o-", color=colour)
    left.set(xlabel="images", ylabel="seconds")
    right.set(xlabel="images", ylabel="peak, MB", ylim=(0, None))
    left.legend()
    return figure


def offload(timings: pd.DataFrame, floor: pd.DataFrame) -> Figure:
    """A file's way to its hash: today, and if a GPU hashed in no time but had to be sent pixels."""
    micro = medians(timings) * 1e6
    sent = floor[floor["what"] == "image, sent"]["seconds"].max() * 1e6
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
