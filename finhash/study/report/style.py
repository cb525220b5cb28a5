"""Look of the figures: colours, text on axes, and the Matplotlib style sheet."""

from importlib.resources import files

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter

from finhash import methods

DARK = "#333333"
"""Colour of series that need no colour of their own."""

LIGHT = "#bbbbbb"
"""Colour of background series."""

BLUE = "#0072B2"
"""Blue of Okabe and Ito's palette, which colour-blind readers can tell apart."""

FIND = methods.get("find").colour
"""Colour of FINd. Other hashes have theirs in ``finhash.methods``."""

SAME_FAMILY, OTHER_FAMILY = BLUE, "#D55E00"
"""Colours of pairs within a family and between families."""

EXECUTOR_COLOURS = {
    "serial": DARK,
    "threads": BLUE,
    "processes": "#D55E00",
    "dask": "#CC79A7",
}
"""Colour of each executor of ``finhash.jobs``."""


def use_style() -> None:
    """Apply the project's style sheet to all figures drawn afterwards."""
    plt.style.use(str(files("finhash.study.report") / "finhash.mplstyle"))


def name_rows(axes: Axes, names: list[str]) -> None:
    """Label the rows 0, 1, ... of a chart, from top to bottom, and hide the lines between them."""
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)


def show_percent(axis: Axis) -> None:
    """Write the values 0 to 1 of an axis as 0 % to 100 %."""
    axis.set_major_formatter(PercentFormatter(1, decimals=0))


def show_plain(axis: Axis) -> None:
    """Write plain numbers on a log axis, at its major ticks only."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def power(value: float) -> str:
    r"""Return a power of ten as mathematical text.

    >>> power(1e-5)
    '$10^{-5}$'
    """
    return f"$10^{{{round(np.log10(value))}}}$"


def duration(seconds: float) -> str:
    """Return a duration in seconds, milliseconds or microseconds.

    It has no decimals from 100 on, and three significant digits below.

    >>> duration(0.00024), duration(0.1589), duration(47.6)
    ('240 µs', '159 ms', '47.6 s')
    """
    unit, factor = ("s", 1) if seconds >= 1 else ("ms", 1e3) if seconds >= 1e-3 else ("µs", 1e6)
    value = seconds * factor
    return f"{value:.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"
