"""Figures of an evaluation: recall with intervals, ROC curves and distances.

Figures are narrow, so that they can be read on a phone. Hashes of 64 bits are dashed or open.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from finhash import methods
from finhash.accuracy import rates

if TYPE_CHECKING:
    from finhash.evaluation import Evaluation

WIDTH = 5.2
"""Width of the figures, in inches."""

SHORT = 64
"""Number of bits up to which a hash is drawn dashed."""

BINS = 64
"""Largest number of bins of a distribution of distances.

Bins hold two distances at least: some hashes differ in an even number of bits only.
"""

SAME_FAMILY, OTHER_FAMILY = "#0072B2", "#D55E00"
"""Colours of pairs within a family and between families."""

PLAIN = "#333333"
"""Colour of a hash that is not registered."""

STYLE: Any = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.use": True,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.labelsize": 9,
    "axes.titlesize": 9,
    "grid.color": "#dddddd",
    "legend.fontsize": 8,
    "legend.frameon": False,
    "savefig.dpi": 200,
    "svg.hashsalt": "finhash",
}
"""Settings of Matplotlib; a fixed salt makes SVG files of equal figures equal."""


@contextmanager
def style() -> Iterator[None]:
    """Apply the style to figures drawn and saved inside the block."""
    with mpl.rc_context(STYLE):
        yield


def recall(found: "Evaluation") -> Figure:
    """Plot each method's recall at its threshold, with the interval."""
    rows = found.methods
    figure = Figure(figsize=(WIDTH, 0.8 + 0.24 * len(rows)))
    axes = figure.subplots()
    for place, row in enumerate(rows.itertuples()):
        colour, short = _look(row.method, row.bits)
        axes.plot([row.recall_low, row.recall_high], [place] * 2, color=colour, linewidth=1.6)
        fill = "white" if short else colour
        axes.plot(row.recall, place, "o", color=colour, markerfacecolor=fill, markersize=5)
    axes.set_yticks(range(len(rows)), [_plain(name) for name in rows["method"]])
    axes.set(xlim=(-0.02, 1.02), ylim=(len(rows) - 0.5, -0.5), xlabel="recall (higher is better)")
    axes.grid(axis="y", visible=False)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return figure


def roc(found: "Evaluation") -> Figure:
    """Plot each method's recall against its false positive rate; dots mark the thresholds."""
    figure = Figure(figsize=(WIDTH, 3.4 + 0.17 * -(-len(found.methods) // 3)))
    axes = figure.subplots()
    pairs = found.histograms.groupby("method")["other"].sum().iloc[0]
    left = min(1 / pairs, found.fpr) / 2
    for row in found.methods.itertuples():
        counts = found.histograms[found.histograms["method"] == row.method]
        curve = rates.roc(counts["same"].to_numpy(), counts["other"].to_numpy())
        colour, short = _look(row.method, row.bits)
        # A rate of 0 has no place on a logarithmic axis, so it is drawn at the left edge.
        shown = np.maximum(np.append(0.0, curve["fpr"]), left)
        axes.plot(
            shown,
            np.append(0.0, curve["tpr"]),
            color=colour,
            linestyle="--" if short else "-",
            linewidth=1.3,
            drawstyle="steps-post",
            label=_plain(row.method),
        )
        if row.threshold >= 0:
            axes.plot(max(row.fpr, left), row.recall, "o", color=colour, markersize=4)
    axes.axvline(found.fpr, color=PLAIN, linewidth=0.8, linestyle=":")
    axes.set_xscale("log")
    axes.set(
        xlim=(left, 1),
        ylim=(-0.02, 1.02),
        xlabel="false positive rate (lower is better)",
        ylabel="recall (higher is better)",
    )
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def distances(found: "Evaluation") -> Figure:
    """Plot how far apart images of one family and of different families are, by method."""
    names = list(found.methods["method"])
    columns = min(2, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(WIDTH, 0.9 + 1.15 * rows))
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, row in zip(panels, found.methods.itertuples(), strict=False):
        counts = found.histograms[found.histograms["method"] == row.method]
        bits = int(counts["distance"].max())
        width = max(2, -(-bits // BINS))
        for kind, colour in (("same", SAME_FAMILY), ("other", OTHER_FAMILY)):
            share = counts.groupby(counts["distance"] // width)[kind].sum() / counts[kind].sum()
            axes.fill_between(
                share.index * width,
                share,
                step="post",
                color=colour,
                alpha=0.55,
                linewidth=0,
                label=f"{kind} family",
            )
        if row.threshold >= 0:
            axes.axvline(row.threshold, color=PLAIN, linewidth=1, linestyle=":", label="threshold")
        axes.set_title(_plain(row.method))
        axes.set(xlim=(0, bits), ylim=(0, None), yticks=[], xticks=np.linspace(0, bits, 5))
        axes.grid(axis="y", visible=False)
    for axes in panels[len(names) :]:
        axes.remove()
    figure.supxlabel("distance of two images, in bits", fontsize=9)
    figure.supylabel("share of pairs", fontsize=9)
    handles: dict[str, Any] = {}
    for axes in panels[: len(names)]:
        handles |= dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=3)
    return figure


def _look(name: str, bits: int) -> tuple[str, bool]:
    """Return a method's colour, and whether its hash is short."""
    known = methods.METHODS.get(name)
    return known.colour if known else PLAIN, bits <= SHORT


def _plain(name: str) -> str:
    """Return a name that Matplotlib does not take for mathematics, shortened if long."""
    short = name if len(name) <= 28 else f"{name[:27]}…"
    return short.replace("$", r"\$")
