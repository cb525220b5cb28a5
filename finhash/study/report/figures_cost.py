"""Figures of cost. Each function draws one figure from the results tables it is given."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from finhash import methods
from finhash.find.certificate import MARGIN
from finhash.find.geometry import MAX_SIDE
from finhash.study.cost import operations
from finhash.study.report.measures import LADDER_NAMES
from finhash.study.report.style import (
    BLUE,
    DARK,
    EXECUTOR_COLOURS,
    FIND,
    GREY,
    LIGHT,
    SMALLEST,
    look,
    milliseconds,
    name_rows,
    rounded,
    short,
    show_percent,
    show_plain,
)
from finhash.study.results import medians

LARGE_LINES = ("find", "find_luma", "ahash64", "dhash64", "phash64")
"""Methods of ``large_images_costs`` that are drawn, in order."""

PILLOW_SHRINKS = "find, Pillow's thumbnail"
"""Contender of ``large_images_costs`` in which Pillow shrinks the image."""

EXECUTOR_STYLES = {"serial": "o:", "threads": "^-.", "processes": "s--", "dask": "D-"}
"""Marker and line of each executor, so that lines can be told apart without colour."""

WORKERS = {
    "threads": ("thread", "threads"),
    "processes": ("process", "processes"),
    "dask": ("Dask worker", "Dask workers"),
}
"""Name of one worker, and of several, of each executor that has workers."""


def profile(steps: pd.DataFrame) -> Figure:
    """Plot the median time of each step of the reference implementation, one bar per step.

    Text beside a bar gives the step's share of the total and, above 5 %, how many times faster
    the reference implementation would be without the step.

    Parameters
    ----------
    steps : DataFrame
        ``baseline_steps``; columns ``step`` and ``seconds`` are read.
    """
    ms = steps.groupby("step", sort=False)["seconds"].median() * 1e3
    figure, axes = plt.subplots(figsize=(6.3, 1.9))
    for k, value in enumerate(ms):
        axes.barh(k, value, color=FIND if value == ms.max() else LIGHT)
        share = value / ms.sum()
        text = f"{milliseconds(value)} ({share:.1%})" if share > 5e-4 else milliseconds(value)
        if share > 0.05:
            text += f", without it {rounded(1 / (1 - share))} times faster"
        _write(axes, value, k, text)
    axes.set(xlabel="milliseconds per image (lower is better)", xlim=(0, ms.max() * 1.9))
    name_rows(axes, list(ms.index))
    return figure


def growth(by_side: pd.DataFrame) -> Figure:
    """Plot the reference implementation's time per image against the size of the image.

    The line is a fit to counted operations; points are the fastest repeats. A dotted line is
    proportional to the number of pixels. The time of a set of images is proportional to their
    number and therefore not drawn.

    Parameters
    ----------
    by_side : DataFrame
        ``baseline_growth_side``; columns ``content``, ``side`` and ``seconds`` are read.
    """
    best = by_side.groupby(["content", "side"])["seconds"].min()
    noise, flat = best["noise"], best["flat"]
    model = operations.fit_work([(side, side) for side in noise.index], noise)
    sides = np.unique(np.geomspace(noise.index.min(), noise.index.max(), 400).astype(int))
    predicted = operations.predict(model, [(side, side) for side in sides])
    figure, axes = plt.subplots(figsize=(5.2, 2.5))
    small = noise.index[noise.index <= MAX_SIDE]
    slope = noise[small[0]] * (np.array([small[0], small[-1]]) / small[0]) ** 2
    guide = {"color": GREY, "linewidth": 0.9, "linestyle": (0, (1, 2)), "zorder": 0}
    axes.plot([small[0], small[-1]], slope, **guide, label="proportional to pixels")
    axes.plot(sides, predicted, color=GREY, label="fit to counted operations", zorder=1)
    axes.plot(noise.index, noise, "o", color=FIND, label="measured, noise")
    axes.plot(
        flat.index, flat, "s", color=DARK, mfc="none", markersize=7, label="measured, one colour"
    )
    axes.set(xlabel="side of a square image, pixels", ylabel="seconds per image")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    show_plain(axes.xaxis)
    show_plain(axes.yaxis)
    shrinks = noise.index.max() > MAX_SIDE
    if shrinks:
        axes.axvline(MAX_SIDE, color=GREY, linewidth=0.8, linestyle="--", zorder=0)
        text = f"larger images\nare shrunk\nto {MAX_SIDE} pixels"
        axes.text(MAX_SIDE * 1.06, noise.min() * 1.1, text, fontsize=SMALLEST, va="bottom")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right center")
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
    """Plot the median time of candidates for one step; dots of exact candidates are filled.

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
    changed = exactness.set_index("contender")["bits_changed"].reindex(seconds.index)
    exact = seconds[changed == 0]
    figure, axes = plt.subplots(figsize=(6.3, 0.6 + 0.2 * len(seconds)))
    for k, (name, value) in enumerate(seconds.items()):
        fill = FIND if name in exact.index else "white"
        axes.plot(value * 1e3, k, "o", color=FIND, markerfacecolor=fill, markersize=6)
        result = "exact" if name in exact.index else f"{changed[name]:,.0f} bits changed"
        if len(exact) and name == exact.idxmin():
            result = "fastest exact one"
        _write(axes, value * 1e3, k, f"{milliseconds(value * 1e3)}, {result}")
    _log_rows(axes, seconds * 1e3, list(seconds.index))
    axes.set(xlabel="milliseconds per image, log scale (lower is better)")
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
    bound = np.log10(MARGIN / 1000)
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
    ms = medians(timings) * 1e3
    peers = ms.index.isin(methods.METHODS)
    figure, axes = plt.subplots(figsize=(6.3, 0.85 + 0.19 * len(ms)))
    for k, value in enumerate(ms):
        text = milliseconds(value)
        if peers[k]:
            axes.plot(value, k, "D", color=DARK, markerfacecolor="white", markersize=5.5)
        else:
            axes.plot(value, k, "o", color=FIND, markersize=6)
            text += f", {rounded(ms.iloc[0] / value)} times faster" if k else ""
        _write(axes, value, k, text)
    axes.plot([], [], "o", color=FIND, markersize=6, label="FINd, cumulative optimisations")
    if peers.any():
        axes.axhline(np.argmax(peers) - 0.5, color=GREY, linewidth=0.6)
        label = "imagehash, 64 bits, Pillow decoder"
        axes.plot([], [], "D", color=DARK, mfc="white", markersize=5.5, label=label)
    names = [
        methods.get(name).label.removesuffix(" 64") if peer else LADDER_NAMES.get(name, name)
        for name, peer in zip(ms.index, peers, strict=True)
    ]
    _log_rows(axes, ms, names)
    axes.set(xlabel="milliseconds per image, JPEG file to hash, log scale (lower is better)")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def throughput(small: pd.DataFrame, large: pd.DataFrame) -> Figure:
    """Plot the throughput of whole jobs with each executor, on small and on large images.

    Filled bars include the start of the workers; outlined ones leave it out. The number in or
    beside a bar is that of the filled bar; where the outlined one is much longer, its number stands
    at its end. Dashed lines mark the throughput of decoding alone on one core, and twice that.

    Parameters
    ----------
    small, large : DataFrame
        ``parallel_throughput_small`` and ``parallel_throughput_large``; columns ``executor``,
        ``workers``, ``throughput`` and ``with_start`` (both in images per second) are read. The
        one row whose ``executor`` is none of the executors is that of decoding alone.
    """
    figure, panels = plt.subplots(1, 2, figsize=(6.3, 2.5))
    titles = ("small: images of the set", "large: 2,000 pixels per side")
    for axes, table, title in zip(panels, (small, large), titles, strict=True):
        hashes = table["executor"].isin(EXECUTOR_COLOURS)
        decoding = table.loc[~hashes, "throughput"].item()
        top = max(table["throughput"].max(), 2 * decoding)
        for k, row in enumerate(table[hashes].itertuples()):
            axes.barh(k, row.throughput, color="white", edgecolor=DARK, linewidth=0.8)
            axes.barh(k, row.with_start, color=BLUE, edgecolor=DARK, linewidth=0.8)
            # Write the number inside the bar, or to its right if the bar is short.
            inside = row.with_start > 0.15 * top
            end = row.with_start if inside else max(row.with_start, row.throughput)
            axes.text(
                end + (-0.015 if inside else 0.015) * top,
                k,
                rounded(row.with_start),
                ha="right" if inside else "left",
                va="center",
                fontsize=SMALLEST,
                color="white" if inside else DARK,
            )
            if row.throughput > 1.2 * row.with_start:
                white = {"ha": "right", "va": "center", "fontsize": SMALLEST, "color": DARK}
                axes.text(row.throughput - 0.015 * top, k, rounded(row.throughput), **white)
        for cores in (1, 2):
            axes.axvline(cores * decoding, color=DARK, lw=0.9, ls=(0, (4, 2)), zorder=0.5)
        axes.set(title=title, xlabel="images per second (higher is better)", xlim=(0, top * 1.04))
        show_plain(axes.xaxis)
        name_rows(axes, _settings(table[hashes]))
    keys = (
        plt.Rectangle((0, 0), 1, 1, facecolor=BLUE, edgecolor=DARK, linewidth=0.8),
        plt.Rectangle((0, 0), 1, 1, facecolor="white", edgecolor=DARK, linewidth=0.8),
        plt.Line2D([], [], color=DARK, linewidth=0.9, linestyle=(0, (4, 2))),
    )
    names = (
        "whole job",
        "start of the workers left out",
        "decoding alone, one core and twice that",
    )
    figure.legend(keys, names, loc="outside upper center", ncols=3)
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
        colour, (marker, *line) = EXECUTOR_COLOURS[executor], EXECUTOR_STYLES[executor]
        at = rows["cores"], rows["throughput"]
        axes.loglog(*at, "".join(line), color=colour, label=f"{executor}, model")
        points = measured[measured["executor"] == executor]
        label = f"{executor}, measured" if len(points) else None
        axes.loglog(points["workers"], points["throughput"], marker, color=colour, label=label)
    cores, serial = forecast["cores"].max(), forecast["throughput"].min()
    line = [serial, serial * cores]
    axes.loglog([1, cores], line, ":", color=GREY, label="proportional to cores")
    axes.set(xlabel="cores", ylabel="images per second")
    axes.legend()
    return figure


def contenders(table: pd.DataFrame) -> Figure:
    """Plot the queries per second of each search; dots of those that find every match are filled.

    Parameters
    ----------
    table : DataFrame
        ``search_contenders``; columns ``contender``, ``workers``, ``throughput`` (queries per
        second in one batch) and ``recall`` are read. Only rows of one thread are drawn.
    """
    table = table[table["workers"] == 1]
    figure, axes = plt.subplots(figsize=(6.3, 0.6 + 0.19 * len(table)))
    for k, row in enumerate(table.itertuples()):
        own = row.contender.startswith("finhash")
        colour, marker = (FIND, "o") if own else (DARK, "s")
        fill = colour if row.recall == 1 else "white"
        axes.plot(row.throughput, k, marker, color=colour, markerfacecolor=fill, markersize=5.5)
        recall = "100%" if row.recall == 1 else f"{row.recall:.1%}"
        _write(axes, row.throughput, k, f"{rounded(row.throughput)}, recall {recall}")
    _log_rows(axes, table["throughput"], list(table["contender"]))
    axes.set(xlabel="queries per second, one core, log scale (higher is better)")
    return figure


def cluster_jobs(table: pd.DataFrame) -> Figure:
    """Plot the time and the added memory of clustering against the number of images.

    Parameters
    ----------
    table : DataFrame
        ``search_cluster_jobs``; columns ``algorithm``, ``images``, ``seconds``, ``before`` and
        ``peak`` (bytes) are read.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.3, 2.2))
    for algorithm, rows in table.groupby("algorithm", sort=False):
        colour, style = (FIND, "o-") if algorithm == "components" else (DARK, "s--")
        left.loglog(rows["images"], rows["seconds"], style, color=colour, label=algorithm)
        added = (rows["peak"] - rows["before"]) / 1e6
        right.semilogx(rows["images"], added, style, color=colour)
    left.set(xlabel="images", ylabel="seconds")
    right.set(xlabel="images", ylabel="added memory, MB", ylim=(0, None))
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
    hatches = {"gather": "////"}
    figure, axes = plt.subplots(figsize=(6.3, 1.5))
    labelled = set()
    for k, steps in enumerate(bars.values()):
        start = 0.0
        for name, width in steps.items():
            label = None if name in labelled else name
            look = {"color": colours[name], "hatch": hatches.get(name), "edgecolor": "white"}
            axes.barh(k, width * 1e6, left=start, linewidth=0, label=label, **look)
            labelled.add(name)
            start += width * 1e6
        _write(axes, start, k, f"{start:,.0f} µs")
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
    grey = {"color": GREY, "linestyle": "-", "linewidth": 2.2, "alpha": 0.6}
    left.plot(decode["side"], decode["ms"], **grey, label="decoding alone")
    right.plot(decode["side"], decode["over_decode"], **grey)
    lines = {name: (look(name), short(name)) for name in LARGE_LINES}
    shrunk = look("find") | {"marker": "", "linestyle": ":"}
    lines[PILLOW_SHRINKS] = (shrunk, "FINd, shrunk by Pillow")
    for name, (style, label) in lines.items():
        rows = table[table["contender"] == name]
        if name == PILLOW_SHRINKS:
            rows = rows[rows["side"] > MAX_SIDE]  # smaller images are not shrunk
        style |= {"linewidth": 1, "markersize": 3.5}
        left.plot(rows["side"], rows["ms"], label=label, **style)
        right.plot(rows["side"], rows["over_decode"], **style)
        low, high = rows["over_decode_low"], rows["over_decode_high"]
        right.fill_between(rows["side"], low, high, color=style["color"], alpha=0.2, linewidth=0)
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
    """Write a text to the right of a bar's end or of a dot."""
    axes.annotate(text, (x, row), (7, 0), textcoords="offset points", va="center", fontsize=7.5)


def _log_rows(axes: Axes, values: pd.Series, names: list[str]) -> None:
    """Set the axes of a chart of dots: names of the rows, and a log axis with space for texts."""
    start = values.min() / 2
    axes.hlines(range(len(values)), start, values, color=LIGHT, linewidth=0.7, zorder=0)
    axes.set_xscale("log")
    axes.set(xlim=(start, values.max() * (values.max() / start) ** 0.42))
    axes.set_ylim(-0.6, len(values) - 0.4)
    show_plain(axes.xaxis)
    name_rows(axes, names)


def _settings(table: pd.DataFrame) -> list[str]:
    """Return the workers of each row, as text."""
    return [
        row.executor if row.executor == "serial" else _workers(row.executor, row.workers)
        for row in table.itertuples()
    ]


def _workers(executor: str, number: int) -> str:
    """Return a number of workers as text, such as "2 threads"."""
    one, more = WORKERS[executor]
    return f"{number} {one if number == 1 else more}"
