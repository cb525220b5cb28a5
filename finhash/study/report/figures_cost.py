"""Figures of cost. Each function draws one figure from the results tables it is given."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from finhash import methods
from finhash.find import compiled
from finhash.find.geometry import MAX_SIDE
from finhash.study.cost import operations
from finhash.study.report.style import (
    BLUE,
    DARK,
    EXECUTOR_COLOURS,
    FIND,
    LIGHT,
    duration,
    name_rows,
    show_percent,
    show_plain,
)
from finhash.study.results import medians

LARGE_LINES = {
    "find": ("find", "o-"),
    "find_luma": ("find_luma", "s-"),
    "ahash64": ("ahash64", "^-"),
    "dhash64": ("dhash64", "v-"),
    "phash64": ("phash64", "D-"),
    "find, Pillow's thumbnail": ("find", ":"),
}
"""Contender of ``large_images_costs`` -> method whose colour it has, and style of its line.

``decode`` is drawn apart. Contenders that are not listed are not drawn.
"""


def profile(steps: pd.DataFrame) -> Figure:
    """Plot the median time of each step of the reference implementation, one bar per step.

    Text beside a bar gives the step's share of the total and, above 1 %, how many times faster
    the reference implementation would be without the step.

    Parameters
    ----------
    steps : DataFrame
        ``baseline_steps``; columns ``step`` and ``seconds`` are read.
    """
    milliseconds = steps.groupby("step", sort=False)["seconds"].median() * 1e3
    figure, axes = plt.subplots(figsize=(6.3, 1.9))
    for k, value in enumerate(milliseconds):
        axes.barh(k, value, color=FIND if value == milliseconds.max() else LIGHT)
        share = value / milliseconds.sum()
        text = f"  {value:,.3g} ms ({share:.1%})"
        if share > 0.01:
            text += f", without it {1 / (1 - share):.3g} times faster"
        _write(axes, value, k, text)
    axes.set(xlabel="milliseconds per image (lower is better)", xlim=(0, milliseconds.max() * 1.9))
    name_rows(axes, list(milliseconds.index))
    return figure


def growth(by_count: pd.DataFrame, by_side: pd.DataFrame) -> Figure:
    """Plot the reference implementation's time against the number of images and their size.

    The left panel gives the fitted exponent with its 95 % interval. The right panel compares the
    fastest repeats with a fit to counted operations.

    Parameters
    ----------
    by_count : DataFrame
        ``baseline_growth_count``; columns ``images`` and ``seconds`` are read.
    by_side : DataFrame
        ``baseline_growth_side``; columns ``content``, ``side`` and ``seconds`` are read.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.3, 2.5))
    fit = operations.exponent(by_count["images"], by_count["seconds"])
    count = by_count.groupby("images")["seconds"].median()
    left.plot(count.index, count, "o-", color=FIND)
    text = f"exponent {fit['exponent']:.2f}\n95 % interval: {fit['low']:.2f} to {fit['high']:.2f}"
    left.text(0.05, 0.82, text, transform=left.transAxes, fontsize=7.5)
    left.set(xlabel="images of the set", ylabel="seconds", title="number of images")

    best = by_side.groupby(["content", "side"])["seconds"].min()
    noise, flat = best["noise"], best["flat"]
    model = operations.fit_work([(side, side) for side in noise.index], noise)
    sides = np.unique(np.geomspace(noise.index.min(), noise.index.max(), 400).astype(int))
    predicted = operations.predict(model, [(side, side) for side in sides])
    right.plot(sides, predicted, color=LIGHT, label="fit to counted operations", zorder=1)
    right.plot(noise.index, noise, "o", color=FIND, label="measured, noise")
    right.plot(flat.index, flat, "s", color=DARK, markerfacecolor="none", label="measured, flat")
    right.set(xlabel="side of a square image, pixels", ylabel="seconds per image")
    right.set(title="size of images")
    for axes, base in ((left, 2), (right, 10)):
        axes.set_xscale("log", base=2)
        axes.set_yscale("log", base=base)
        show_plain(axes.xaxis)
        show_plain(axes.yaxis)
    shrinks = noise.index.max() > MAX_SIDE
    if shrinks:
        text = f"larger images are\nshrunk to {MAX_SIDE}"
        right.text(MAX_SIDE * 1.1, noise.max() / 3, text, fontsize=7)
    right.legend(loc="lower right" if shrinks else "upper left")
    return figure


def operation_costs(by_step: pd.DataFrame, by_shape: pd.DataFrame) -> Figure:
    """Plot the time per operation of each step, and predicted against measured times of shapes.

    Parameters
    ----------
    by_step : DataFrame
        ``baseline_operations``; columns ``step``, ``cols`` (pixels) and ``ns_per_operation`` are
        read.
    by_shape : DataFrame
        ``baseline_growth_shape``; columns ``cols``, ``rows`` (pixels), ``seconds`` and
        ``predicted`` (seconds) are read. The fastest repeat of each shape is drawn.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.3, 2.5))
    markers = {"luma": "s-", "box filter": "o-", "DCT": "^-"}
    for step, style in markers.items():
        rows = by_step[by_step["step"] == step]
        colour = FIND if step == "box filter" else DARK
        left.plot(rows["cols"], rows["ns_per_operation"], style, color=colour, label=step)
    left.set(xlabel="side of a square image, pixels", ylabel="nanoseconds per operation")
    left.set_xscale("log", base=2)
    left.set_yscale("log")
    left.set(title="time per operation", ylim=(None, by_step["ns_per_operation"].max() * 4))
    show_plain(left.xaxis)
    show_plain(left.yaxis)
    left.legend(ncols=3, loc="upper center", columnspacing=1)

    shapes = by_shape.groupby(["cols", "rows"], as_index=False)[["seconds", "predicted"]].min()
    top = shapes[["seconds", "predicted"]].max().max() * 1.15
    right.plot([0, top], [0, top], color=LIGHT, zorder=1)
    wide = shapes["cols"] > shapes["rows"]
    for label, rows, face in (("landscape", shapes[wide], FIND), ("portrait", shapes[~wide], "w")):
        right.plot(rows["predicted"], rows["seconds"], "o", color=FIND, mfc=face, label=label)
    right.set(xlabel="seconds per image, predicted", ylabel="seconds per image, measured")
    right.set(title="other shapes", xlim=(0, top), ylim=(0, top))
    right.legend(loc="lower right")
    return figure


def candidates(timings: pd.DataFrame, exactness: pd.DataFrame) -> Figure:
    """Plot the median time of candidates for one step; bars of exact candidates are filled.

    Parameters
    ----------
    timings : DataFrame
        ``candidates_box`` or ``candidates_luma``; columns ``contender``, ``state`` and ``seconds``
        are read.
    exactness : DataFrame
        The table of the same name with ``_exactness``; columns ``contender`` and ``bits_changed``
        are read.
    """
    seconds = medians(timings)
    changed = exactness.set_index("contender")["bits_changed"]
    figure, axes = plt.subplots(figsize=(6.3, 0.55 + 0.28 * len(seconds)))
    for k, (name, value) in enumerate(seconds.items()):
        exact = changed[name] == 0
        colour = FIND if exact else "white"
        axes.barh(k, value * 1e6, color=colour, edgecolor=FIND, linewidth=1.2)
        result = "exact" if exact else f"{changed[name]:,} bits changed"
        _write(axes, value * 1e6 * 1.15, k, f"{duration(value)}, {result}")
    axes.set_xscale("log")
    axes.set(xlim=(seconds.min() * 1e6 / 3, seconds.max() * 1e6 * 30))
    axes.set(xlabel="microseconds per image, log scale (lower is better)")
    name_rows(axes, list(seconds.index))
    return figure


def margins(table: pd.DataFrame) -> Figure:
    """Plot the share of images by margin, with the bound above which the fast path is exact.

    Parameters
    ----------
    table : DataFrame
        ``certificate_margins``; columns ``kind``, ``exponent`` (of ten, lower end of a bin) and
        ``images`` are read.
    """
    figure, axes = plt.subplots(figsize=(6.3, 2))
    for k, (kind, colour) in enumerate(zip(table["kind"].unique(), (FIND, LIGHT), strict=False)):
        rows = table[table["kind"] == kind]
        share = rows["images"] / rows["images"].sum()
        label = kind if kind == "random" else "images of the set"
        axes.bar(rows["exponent"] + 0.3 + 0.4 * k, share, 0.4, color=colour, label=label)
    # The kernel weighs colours by 299, 587 and 114, so its coefficients are in luma / 1000.
    bound = np.log10(compiled.MARGIN / 1000)
    axes.axvline(bound, color=DARK, linewidth=1)
    for text, side, shift in (("proved exact →", "left", 4), ("← computed again", "right", -4)):
        axes.annotate(
            text,
            (bound, 1),
            xytext=(shift, -8),
            textcoords="offset points",
            xycoords=("data", "axes fraction"),
            fontsize=7,
            ha=side,
        )
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"$10^{{{x:.0f}}}$"))
    show_percent(axes.yaxis)
    axes.set(
        xlabel="margin: distance from the median to the nearest coefficient, units of luma",
        ylabel="share of images",
        xlim=(-11.2, 4),
    )
    axes.legend(loc="upper left", bbox_to_anchor=(0.45, 0.85))
    return figure


def ladder(timings: pd.DataFrame) -> Figure:
    """Plot the time from file to hash after each optimisation, then that of imagehash's hashes.

    Parameters
    ----------
    timings : DataFrame
        ``ladder``; columns ``contender``, ``state`` and ``seconds`` are read. Contenders are
        optimisations of FINd, the first of them the reference implementation, and names of
        methods.
    """
    seconds = medians(timings)
    figure, axes = plt.subplots(figsize=(6.3, 0.6 + 0.25 * len(seconds)))
    names = []
    for k, (name, value) in enumerate(seconds.items()):
        text = duration(value)
        other = methods.METHODS.get(name)
        if other:
            names.append(f"{other.label} (imagehash)")
            axes.barh(k, value * 1e3, color=other.colour, alpha=0.55)
        else:
            names.append(name)
            axes.barh(k, value * 1e3, color=FIND)
            if k:
                text += f", {seconds.iloc[0] / value:,.0f} times faster"
        _write(axes, value * 1e3 * 1.15, k, text)
    axes.set_xscale("log")
    axes.set(xlim=(seconds.min() * 1e3 * 0.3, seconds.max() * 1e3 * 30))
    axes.set(xlabel="milliseconds per image, JPEG file to hash, log scale (lower is better)")
    name_rows(axes, names)
    return figure


def throughput(small: pd.DataFrame, large: pd.DataFrame) -> Figure:
    """Plot the throughput of each executor on small and on large images.

    Solid bars include the start of the workers, pale bars leave it out. Dashed lines mark the
    throughput of decoding alone on one core, and twice that.

    Parameters
    ----------
    small, large : DataFrame
        ``parallel_throughput_small`` and ``parallel_throughput_large``; columns ``executor``,
        ``workers``, ``throughput`` and ``with_start`` (both in images per second) are read. The
        one row whose ``executor`` is none of the executors is that of decoding alone.
    """
    figure, panels = plt.subplots(1, 2, figsize=(6.3, 2.3))
    titles = ("images of the set", "2,000 pixels per side")
    for axes, table, title in zip(panels, (small, large), titles, strict=True):
        hashes = table["executor"].isin(EXECUTOR_COLOURS)
        for k, row in enumerate(table[hashes].itertuples()):
            colour = EXECUTOR_COLOURS[row.executor]
            axes.barh(k, row.throughput, color=colour, alpha=0.35)
            axes.barh(k, row.with_start, color=colour)
        decoding = table.loc[~hashes, "throughput"].item()
        for cores in (1, 2):
            axes.axvline(cores * decoding, color="#555555", linewidth=0.8, linestyle=(0, (4, 2)))
        axes.set(title=title, xlabel="images per second (higher is better)")
        name_rows(axes, _settings(table[hashes]))
    return figure


def memory_jobs(jobs: pd.DataFrame, by_files: pd.DataFrame) -> Figure:
    """Plot the peak memory of all processes by executor, and against the number of files.

    Parameters
    ----------
    jobs : DataFrame
        ``parallel_memory``; columns ``executor``, ``workers`` and ``bytes`` are read.
    by_files : DataFrame
        ``parallel_memory_files``, measured with two processes; columns ``files`` and ``bytes`` are
        read.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.3, 2.1))
    for k, row in enumerate(jobs.itertuples()):
        left.barh(k, row.bytes / 1e6, color=EXECUTOR_COLOURS[row.executor])
    left.set(xlabel="peak memory, MB (lower is better)")
    name_rows(left, _settings(jobs))
    colour = EXECUTOR_COLOURS["processes"]
    right.semilogx(by_files["files"], by_files["bytes"] / 1e6, "o-", color=colour)
    right.set(xlabel="files, two processes", ylabel="peak memory, MB", ylim=(0, 500))
    return figure


def scaling_model(forecast: pd.DataFrame, measured: pd.DataFrame) -> Figure:
    """Plot throughput against cores: modelled as dashed lines, measured as points.

    Parameters
    ----------
    forecast : DataFrame
        ``parallel_model``; columns ``executor``, ``cores`` and ``throughput`` (images per second)
        are read.
    measured : DataFrame
        ``parallel_throughput_small``; columns ``executor``, ``workers`` and ``throughput`` are
        read.
    """
    figure, axes = plt.subplots(figsize=(4.2, 2.4))
    for executor, rows in forecast.groupby("executor", sort=False):
        colour = EXECUTOR_COLOURS[executor]
        label = f"{executor}, model"
        axes.loglog(rows["cores"], rows["throughput"], "--", color=colour, label=label)
        points = measured[measured["executor"] == executor]
        axes.loglog(points["workers"], points["throughput"], "o", color=colour)
    cores, serial = forecast["cores"].max(), forecast["throughput"].min()
    line = [serial, serial * cores]
    axes.loglog([1, cores], line, ":", color="#999999", label="proportional to cores")
    axes.set(xlabel="cores", ylabel="images per second")
    axes.legend(fontsize=6.5)
    return figure


def contenders(table: pd.DataFrame) -> Figure:
    """Plot the queries per second of each search; bars of those that find every match are filled.

    Parameters
    ----------
    table : DataFrame
        ``search_contenders``; columns ``contender``, ``workers``, ``throughput`` (queries per
        second in one batch) and ``recall`` are read. Only rows of one thread are drawn.
    """
    table = table[table["workers"] == 1]
    figure, axes = plt.subplots(figsize=(6.3, 0.55 + 0.24 * len(table)))
    for k, row in enumerate(table.itertuples()):
        colour = FIND if row.contender.startswith("finhash") else DARK
        fill = colour if row.recall == 1 else "white"
        axes.barh(k, row.throughput, color=fill, edgecolor=colour, linewidth=1.2)
        recall = "100%" if row.recall == 1 else f"{row.recall:.1%}"
        _write(axes, row.throughput * 1.15, k, f"{row.throughput:,.0f}, recall {recall}")
    axes.set_xscale("log")
    axes.set(xlim=(table["throughput"].min() / 3, table["throughput"].max() * 50))
    axes.set(xlabel="queries per second, one core, log scale (higher is better)")
    name_rows(axes, list(table["contender"]))
    return figure


def cluster_jobs(table: pd.DataFrame) -> Figure:
    """Plot the time and the memory of clustering against the number of images.

    Parameters
    ----------
    table : DataFrame
        ``search_cluster_jobs``; columns ``algorithm``, ``images``, ``seconds`` and ``peak``
        (bytes) are read.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.3, 2.2))
    for algorithm, rows in table.groupby("algorithm", sort=False):
        colour = FIND if algorithm == "components" else DARK
        left.loglog(rows["images"], rows["seconds"], "o-", color=colour, label=algorithm)
        right.semilogx(rows["images"], rows["peak"] / 1e6, "o-", color=colour)
    left.set(xlabel="images", ylabel="seconds")
    right.set(xlabel="images", ylabel="peak memory, MB", ylim=(0, None))
    left.legend()
    return figure


def offload(timings: pd.DataFrame, floors: pd.DataFrame) -> Figure:
    """Plot the time from file to hash today, and with a GPU that hashes in no time.

    The GPU's bar holds gathering the pixels and sending them at the link's full bandwidth.

    Parameters
    ----------
    timings : DataFrame
        ``gpu_offload``; columns ``contender``, ``state`` and ``seconds`` are read.
    floors : DataFrame
        ``gpu_floors``; columns ``what`` and ``seconds`` are read.
    """
    seconds = medians(timings)
    decode = seconds["file to pixels"]
    bars = {
        "CPU alone": {"read and decode": decode, "hash": seconds["file to hash"] - decode},
        "with a GPU": {
            "read and decode": decode,
            "gather": seconds["file to gathered pixels"] - decode,
            "send (bound)": floors[floors["what"] == "image, sent"]["seconds"].max(),
        },
    }
    colours = {"read and decode": LIGHT, "hash": FIND, "gather": BLUE, "send (bound)": DARK}
    figure, axes = plt.subplots(figsize=(6.3, 1.5))
    labelled = set()
    for k, steps in enumerate(bars.values()):
        start = 0.0
        for name, width in steps.items():
            label = None if name in labelled else name
            axes.barh(k, width * 1e6, left=start, color=colours[name], label=label)
            labelled.add(name)
            start += width * 1e6
        _write(axes, start, k, f"  {start:,.0f} µs")
    axes.set(xlabel="microseconds per image of 250 × 250 pixels, one core (lower is better)")
    axes.margins(x=0.12)
    name_rows(axes, list(bars))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def large_images(table: pd.DataFrame) -> Figure:
    """Plot the time from file to hash against the size of images, alone and over decoding.

    Parameters
    ----------
    table : DataFrame
        ``large_images_costs``; columns ``side`` (longer side, pixels), ``contender``, ``ms``
        (milliseconds per image), ``over_decode``, and its quartiles ``over_decode_low`` and
        ``over_decode_high`` (shaded) are read.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.3, 2.9))
    decode = table[table["contender"] == "decode"]
    grey = {"color": "#888888", "linestyle": "--", "linewidth": 1.2}
    left.plot(decode["side"], decode["ms"], **grey, label="decoding alone")
    right.plot(decode["side"], decode["over_decode"], **grey)
    for name, (method, style) in LARGE_LINES.items():
        rows = table[table["contender"] == name]
        colour, label = methods.get(method).colour, methods.get(method).label
        look = {"color": colour, "markersize": 3, "markerfacecolor": "white", "linewidth": 1}
        if name != method:
            label += ", shrunk by Pillow"
            rows = rows[rows["side"] > MAX_SIDE]  # smaller images are not shrunk
        left.plot(rows["side"], rows["ms"], style, label=label, **look)
        right.plot(rows["side"], rows["over_decode"], style, **look)
        low, high = rows["over_decode_low"], rows["over_decode_high"]
        right.fill_between(rows["side"], low, high, color=colour, alpha=0.2, linewidth=0)
    left.set(title="milliseconds per image", ylabel="milliseconds, file to hash")
    right.set(title="relative to decoding", ylabel="time over that of decoding alone")
    for axes in (left, right):
        axes.set(xlabel="longer side, pixels", xscale="log", yscale="log")
        axes.set_xticks(_apart(sorted(table["side"].unique())))
        axes.tick_params(axis="x", which="minor", bottom=False)
        show_plain(axes.xaxis)
        show_plain(axes.yaxis)
    right.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def _apart(sides: list[int]) -> list[int]:
    """Return the sides without those less than 1.5 times the one before, whose labels overlap."""
    kept: list[int] = []
    for side in sides:
        if not kept or side >= 1.5 * kept[-1]:
            kept.append(side)
    return kept


def _write(axes: Axes, x: float, row: int, text: str) -> None:
    """Write a text beside a bar."""
    axes.text(x, row, text, va="center", fontsize=7.5)


def _settings(table: pd.DataFrame) -> list[str]:
    """Return executor and number of workers of each row, as text."""
    return [f"{row.executor}, {row.workers}" for row in table.itertuples()]
