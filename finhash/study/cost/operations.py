"""Operations and bytecodes of the reference implementation, fits of measured times, and prices.

Counts of operations follow from the size of the image alone. Nothing here measures time: functions
that fit, predict or extrapolate run times are given measured ones.
"""

import dis
import linecache
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import CodeType

import numpy as np
import pandas as pd
from scipy.optimize import nnls
from scipy.stats import linregress, t

from finhash.find import reference
from finhash.find.geometry import KEPT, SAMPLES, half_width, sample_points
from finhash.find.thumbnail import thumbnail_size

DOLLARS_PER_CORE_HOUR = 0.05
"""Assumed price in US dollars, of the order of list prices of rented cloud cores."""

HOURS_PER_YEAR = 24 * 365.25

LOOPS: Mapping[str, Callable] = {
    "luma": reference.fill_luma,
    "box filter": reference.box_filter,
    "decimate": reference.decimate,
    "DCT": reference.dct_64_to_16,
}
"""Steps of the reference that are loops, by the name that tables show."""


def window_sum(size: int) -> int:
    """Return the sum, over all positions along a side, of the width of the clipped window.

    On a side of 5 pixels windows are 2 pixels wide, and the first is clipped to 1.

    >>> window_sum(5)
    9
    """
    half = half_width(size)
    return sum(min(size, i + half) - max(0, i - half) for i in range(size))


def operations(cols: int, rows: int) -> dict[str, int]:
    """Count how often the innermost loop of each step runs.

    Luma calls ``getpixel`` once per pixel. The box filter adds every pixel of every clipped window.
    Decimation copies 64 x 64 values. The DCT multiplies and adds, first by rows, then by columns.

    Parameters
    ----------
    cols, rows : int
        Size of an image that needs no shrinking, in pixels.

    Returns
    -------
    dict
        Number of runs by step.

    Examples
    --------
    >>> operations(250, 250)
    {'luma': 62500, 'box filter': 2223081, 'decimate': 4096, 'DCT': 81920}
    """
    return {
        "luma": rows * cols,
        "box filter": window_sum(rows) * window_sum(cols),
        "decimate": SAMPLES**2,
        "DCT": KEPT * SAMPLES * SAMPLES + KEPT * KEPT * SAMPLES,
    }


def work(cols: int, rows: int) -> dict[str, int]:
    """Count the operations that determine the run time for an image, after shrinking.

    Parameters
    ----------
    cols, rows : int
        Size of the image, in pixels.

    Returns
    -------
    dict
        ``once``: 1, for the work that does not depend on the size. ``pixels``: pixels; each has one
        luma value and one window. ``window_rows``: pixel rows in all windows together.
        ``additions``: pixels added by the box filter.
    """
    cols, rows = thumbnail_size(cols, rows)
    return {
        "once": 1,
        "pixels": rows * cols,
        "window_rows": window_sum(rows) * cols,
        "additions": operations(cols, rows)["box filter"],
    }


def used_results(cols: int, rows: int) -> int:
    """Count the distinct results of the box filter that decimation keeps, at most 4,096."""
    return len(set(sample_points(rows))) * len(set(sample_points(cols)))


def windows(sides: Iterable[int]) -> pd.DataFrame:
    """Describe the work of the box filter on square images.

    Parameters
    ----------
    sides : iterable of int
        Sides of the images, in pixels.

    Returns
    -------
    DataFrame
        One row per side:

        side : int
            Side of the image, in pixels.
        window : int
            Width of a window before clipping, in pixels.
        additions : int
            Number of pixels added in all windows.
        additions_per_pixel : float
            Additions divided by the number of pixels of the image.
        used : float
            Fraction of the results that decimation keeps.
    """
    rows = []
    for side in sides:
        additions = operations(side, side)["box filter"]
        used = used_results(side, side) / side**2
        rows.append((side, 2 * half_width(side), additions, additions / side**2, used))
    columns = ["side", "window", "additions", "additions_per_pixel", "used"]
    return pd.DataFrame(rows, columns=columns)


def inner_loops() -> pd.DataFrame:
    """List the source lines of the innermost loops of each step.

    Returns
    -------
    DataFrame
        One row per source line:

        step : str
            Name of the step.
        line : int
            Number of the line in its file.
        bytecodes : int
            Number of bytecode instructions of the line within the loop.
        code : str
            Source of the line.
    """
    rows = []
    for step, function in LOOPS.items():
        for code in _codes(function.__code__):
            for loop in _innermost(code):
                rows += [(step, *line) for line in _by_line(loop, code.co_filename)]
    return pd.DataFrame(rows, columns=["step", "line", "bytecodes", "code"])


def bytecodes() -> pd.Series:
    """Return the bytecode instructions per run of each step's innermost loop, by step.

    The DCT has two such loops; their mean is returned.
    """
    lengths = {
        step: np.mean(
            [len(loop) for code in _codes(function.__code__) for loop in _innermost(code)]
        )
        for step, function in LOOPS.items()
    }
    return pd.Series(lengths, name="bytecodes")


def exponent(x: Sequence[float], y: Sequence[float], level: float = 0.95) -> dict[str, float]:
    """Fit ``y = c * x ** exponent`` by least squares on logarithms.

    Parameters
    ----------
    x, y : sequence of float
        Positive values.
    level : float
        Confidence level of the interval.

    Returns
    -------
    dict
        ``exponent``, the limits ``low`` and ``high`` of its confidence interval, and ``r2``, the
        coefficient of determination.

    Examples
    --------
    >>> found = exponent([1, 2, 4, 8], [3, 12, 48, 192])
    >>> f"{found['exponent']:.3f}"
    '2.000'
    """
    fit = linregress(np.log(np.asarray(x, float)), np.log(np.asarray(y, float)))
    half = t.ppf((1 + level) / 2, len(x) - 2) * fit.stderr
    found = {"exponent": fit.slope, "low": fit.slope - half, "high": fit.slope + half}
    return {**found, "r2": fit.rvalue**2}


def fit_work(sizes: Sequence[tuple[int, int]], seconds: Sequence[float]) -> pd.Series:
    """Fit the time per operation to measured run times, by non-negative least squares.

    Relative errors are minimised, so small images count as much as large ones.

    Parameters
    ----------
    sizes : sequence of (int, int)
        Columns and rows of the images, in pixels.
    seconds : sequence of float
        Measured run time for each image.

    Returns
    -------
    Series
        Nanoseconds per operation, by the names that ``work`` gives to the counts.
    """
    counts = pd.DataFrame([work(*size) for size in sizes])
    measured = np.asarray(seconds, float)
    found, _ = nnls(counts.to_numpy(float) / measured[:, None], np.ones(len(measured)))
    return pd.Series(found * 1e9, index=counts.columns, name="nanoseconds")


def predict(nanoseconds: pd.Series, sizes: Iterable[tuple[int, int]]) -> np.ndarray:
    """Predict the run time for images of the given sizes, from the result of ``fit_work``.

    Parameters
    ----------
    nanoseconds : Series
        Result of ``fit_work``.
    sizes : iterable of (int, int)
        Columns and rows of the images, in pixels.

    Returns
    -------
    ndarray of float64, shape (n_sizes,)
        Predicted seconds per image.
    """
    counts = pd.DataFrame([work(*size) for size in sizes])
    return counts[nanoseconds.index].to_numpy(float) @ nanoseconds.to_numpy() / 1e9


def extrapolate(seconds: float, numbers: Sequence[int]) -> pd.DataFrame:
    """Extrapolate the time per image to large numbers of images.

    Parameters
    ----------
    seconds : float
        Time per image on one core.
    numbers : sequence of int
        Numbers of images.

    Returns
    -------
    DataFrame
        One row per number:

        images : int
            Number of images.
        core_hours : float
            Time on one core, in hours.
        core_years : float
            Time on one core, in years.
        dollars : float
            Price in US dollars, at ``DOLLARS_PER_CORE_HOUR``.

    Examples
    --------
    >>> extrapolate(0.36, [1_000_000])["core_hours"].item()
    100.0
    """
    table = pd.DataFrame({"images": numbers})
    table["core_hours"] = table["images"] * seconds / 3600
    table["core_years"] = table["core_hours"] / HOURS_PER_YEAR
    table["dollars"] = table["core_hours"] * DOLLARS_PER_CORE_HOUR
    return table


def _codes(code: CodeType) -> Iterator[CodeType]:
    """Yield a code object and those of the comprehensions in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _innermost(code: CodeType) -> list[list[dis.Instruction]]:
    """Return the instructions of each loop without a nested loop or comprehension.

    The jump back to the start of the loop is included.
    """
    instructions = list(dis.get_instructions(code))
    jumps = [jump for jump in instructions if jump.opname == "JUMP_BACKWARD"]
    loops = [[i for i in instructions if jump.argval <= i.offset <= jump.offset] for jump in jumps]
    repeats = {"JUMP_BACKWARD", "MAKE_FUNCTION"}
    return [loop for loop in loops if sum(i.opname in repeats for i in loop) == 1]


def _by_line(loop: list[dis.Instruction], file: str) -> list[tuple[int, int, str]]:
    """Return the number, the count of instructions and the source of each line in a loop."""
    numbers = [instruction.positions.lineno for instruction in loop]
    line = partial(linecache.getline, file)
    return [(n, numbers.count(n), line(n).strip()) for n in sorted(set(numbers))]
