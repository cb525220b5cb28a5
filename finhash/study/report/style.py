"""Look of the figures: colours, markers and dashes, text on axes, and the Matplotlib style sheet.

Every hash has one colour, one marker and one dash pattern in all figures, so that lines can be told
apart without colour. Hashes of 64 bits have the look of their longer version, with open markers.
"""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter
from matplotlib.transforms import Bbox

from finhash import methods

DARK = "#333333"
"""Colour of series that need no colour of their own."""

LIGHT = "#bbbbbb"
"""Colour of background series."""

GREY = "#777777"
"""Colour of remarks and of lines that only guide the eye."""

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

LOOKS: dict[str, tuple[str, tuple[float, ...]]] = {
    "find": ("o", ()),
    "find_middle": ("*", (8, 2)),
    "find_luma": ("X", (1, 1)),
    "ahash": ("D", (1, 1.2)),
    "phash": ("s", (5, 1.5)),
    "dhash": ("^", (5, 1.5, 1, 1.5)),
    "whash": ("v", (5, 1.5, 1, 1.5, 1, 1.5)),
    "pdq": ("P", (2.5, 1.2)),
}
"""Marker and dashes of each hash, by its name without the number of bits. No dashes: solid."""

OTHER_LOOKS = (("p", (8, 1, 3, 1)), ("<", (3, 3)), ("h", (10, 3)), (">", (2, 4)))
"""Markers and dashes of registered hashes, in order of registration."""

SMALLEST = 7
"""Size of the smallest text, in points."""


def use_style() -> None:
    """Apply the project's style sheet to all figures drawn afterwards."""
    plt.style.use(str(files("finhash.study.report") / "finhash.mplstyle"))


def look(name: str) -> dict[str, Any]:
    """Return colour, marker and dashes of a hash, as keyword arguments of ``Axes.plot``.

    >>> look("phash64")["marker"], look("phash64")["markerfacecolor"]
    ('s', 'white')
    """
    method = methods.get(name)
    added = [each for each in methods.METHODS if each not in methods.BUILT_IN]
    if name in added:
        marker, dashes = OTHER_LOOKS[added.index(name) % len(OTHER_LOOKS)]
    else:
        marker, dashes = LOOKS[name.removesuffix("256").removesuffix("64")]
    return {
        "color": method.colour,
        "marker": marker,
        "linestyle": (0, dashes) if dashes else "-",
        "markerfacecolor": "white" if method.bits == 64 else method.colour,
    }


def point(name: str) -> dict[str, Any]:
    """Return the look of a hash without its line."""
    return look(name) | {"linestyle": "none"}


def line(name: str) -> dict[str, Any]:
    """Return the look of a hash without its marker."""
    return look(name) | {"marker": ""}


def short(name: str) -> str:
    """Return the label of a hash without "256", the number of bits that is not mentioned.

    >>> short("dhash256"), short("dhash64")
    ('dHash', 'dHash 64')
    """
    return methods.get(name).label.removesuffix(" 256")


def name_rows(axes: Axes, names: list[str]) -> None:
    """Label the rows 0, 1, ... of a chart, from top to bottom, and hide the lines between them."""
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)


def show_percent(axis: Axis) -> None:
    """Write the values 0 to 1 of an axis as 0 % to 100 %."""
    axis.set_major_formatter(PercentFormatter(1, decimals=0))


def show_plain(axis: Axis) -> None:
    """Write plain numbers, with commas between thousands, at the major ticks of an axis only."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))
    axis.set_minor_formatter(NullFormatter())


def plain(value: float) -> str:
    """Return a number with commas between thousands and without needless decimals.

    >>> plain(0.25), plain(16.0), plain(1e6)
    ('0.25', '16', '1,000,000')
    """
    return f"{value:,.0f}" if value >= 1000 else f"{value:g}"


def rounded(value: float) -> str:
    """Return a number with two significant digits.

    >>> rounded(930.4), rounded(4.73), rounded(6460), rounded(99.7)
    ('930', '4.7', '6,500', '100')
    """
    return f"{value:.1f}" if value < 9.95 else f"{float(f'{value:.2g}'):,.0f}"


def spread(values: Sequence[float], gap: float) -> np.ndarray:
    """Return the values, moved as little as needed so that neighbours are ``gap`` apart.

    >>> spread([0.5, 0.52, 0.9], 0.1).round(2).tolist()
    [0.46, 0.56, 0.9]
    """
    order = np.argsort(values, kind="stable")
    groups: list[tuple[float, int]] = []  # centre and size of each run of touching values
    for value in np.asarray(values, float)[order]:
        centre, size = float(value), 1
        while groups and centre - groups[-1][0] < gap * (size + groups[-1][1]) / 2:
            other, count = groups.pop()
            centre = (centre * size + other * count) / (size + count)
            size += count
        groups.append((centre, size))
    moved = [centre + gap * (k - (size - 1) / 2) for centre, size in groups for k in range(size)]
    found = np.empty(len(moved))
    found[order] = moved
    return found


SIDES = {
    (1, 0): ("left", "center"),
    (-1, 0): ("right", "center"),
    (0, 1): ("center", "bottom"),
    (0, -1): ("center", "top"),
    (0.8, 0.8): ("left", "bottom"),
    (-0.8, 0.8): ("right", "bottom"),
    (0.8, -0.8): ("left", "top"),
    (-0.8, -0.8): ("right", "top"),
}
"""Direction from a point to its label -> alignment of the label's text."""


def label_points(axes: Axes, labels: Sequence[tuple[float, float, str]]) -> None:
    """Write a label beside each point, on the side where it covers least.

    Parameters
    ----------
    axes : Axes
        Axes whose limits are set and whose lines are all drawn.
    labels : sequence of (x, y, text)
        Position and label of each point.
    """
    figure = axes.get_figure()
    figure.draw_without_rendering()  # the layout decides where labels overlap
    inside = axes.get_window_extent()
    taken = [
        Bbox.from_extents(x - 4, y - 4, x + 4, y + 4)
        for each in axes.lines
        for x, y in axes.transData.transform(np.column_stack(each.get_data()))
    ]
    for line in axes.lines:  # error bars are lines of two points
        if len(line.get_xdata()) == 2:
            taken.append(Bbox(axes.transData.transform(np.column_stack(line.get_data()))).padded(2))
    texts = [text.get_window_extent() for text in axes.texts]
    for x, y, text in labels:
        options = []
        for distance in (5, 12, 19):
            for (right, up), (ha, va) in SIDES.items():
                written = axes.annotate(
                    text,
                    (x, y),
                    (distance * right, distance * up),
                    textcoords="offset points",
                    ha=ha,
                    va=va,
                    fontsize=SMALLEST,
                    color=DARK,
                )
                box = written.get_window_extent()
                hidden = box.count_overlaps(taken) + 3 * box.count_overlaps(texts)
                outside = not (inside.contains(*box.min) and inside.contains(*box.max))
                options.append((hidden + 10 * outside, len(options), written, box))
        options.sort(key=lambda option: option[:2])
        texts.append(options[0][3])
        for *_, written, _ in options[1:]:
            written.remove()


def power(value: float) -> str:
    r"""Return a power of ten as mathematical text.

    >>> power(1e-5)
    '$10^{-5}$'
    """
    return f"$10^{{{round(np.log10(value))}}}$"


def milliseconds(value: float) -> str:
    """Return milliseconds with two significant digits, three from 100 on.

    >>> milliseconds(213.9), milliseconds(45.7), milliseconds(5.0), milliseconds(0.07043)
    ('214 ms', '46 ms', '5.0 ms', '0.070 ms')
    """
    digits = max(0, 1 - int(np.floor(np.log10(float(f"{value:.2g}"))))) if value < 100 else 0
    return f"{value:.{digits}f} ms"
