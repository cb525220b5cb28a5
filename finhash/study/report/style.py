"""One style for all figures: colours, axes, units."""

from importlib.resources import files

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from finhash import methods

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
    plt.style.use(str(files("finhash.study.report") / "finhash.mplstyle"))


def percent_axis(axis: Axes, label: str, title: str) -> None:
    axis.set(ylabel=label, title=title, ylim=(0, 1.02))
    axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))


def power(value: float) -> str:
    return f"$10^{{{round(np.log10(value))}}}$"


def duration(seconds: float) -> str:
    unit, factor = ("s", 1) if seconds >= 1 else ("ms", 1e3) if seconds >= 1e-3 else ("µs", 1e6)
    value = seconds * factor
    return f"{value:.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"
