"""Operations of the reference, counted from the geometry alone, and what they predict."""

import dis
import linecache
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import CodeType

import numpy as np
import pandas as pd
from PIL import Image
from scipy.optimize import nnls
from scipy.stats import linregress, t

from finhash.find import reference
from finhash.find.geometry import KEPT, MAX_SIDE, SAMPLES, half_width, sample_points

DOLLARS_A_CORE_HOUR = 0.05
"""An assumption, not a measurement: the order of the list prices of rented cloud cores."""


HOURS_A_YEAR = 24 * 365.25


LOOPS: Mapping[str, Callable] = {
    "luma": reference.fill_luma,
    "box filter": reference.box_filter,
    "decimate": reference.decimate,
    "DCT": reference.dct_64_to_16,
}
"""The steps that are loops over a known number of operations."""


def shrunk(cols: int, rows: int) -> tuple[int, int]:
    """Columns and rows that are left of a picture after ``thumbnail`` to 512 x 512."""
    image = Image.new("1", (cols, rows))
    image.thumbnail((MAX_SIDE, MAX_SIDE))
    return image.size


def window_sum(size: int) -> int:
    """Sum, over all positions along a side, of the window's clipped width there."""
    half = half_width(size)
    return sum(min(size, i + half) - max(0, i - half) for i in range(size))


def operations(cols: int, rows: int) -> dict[str, int]:
    """How often each step's innermost loop runs, on a picture that needs no shrinking.

    Luma calls ``getpixel`` once a pixel; the box filter adds every pixel of every clipped window;
    decimation copies 64 x 64 results; the DCT multiplies and adds, first by rows, then by columns.
    """
    return {
        "luma": rows * cols,
        "box filter": window_sum(rows) * window_sum(cols),
        "decimate": SAMPLES**2,
        "DCT": KEPT * SAMPLES * SAMPLES + KEPT * KEPT * SAMPLES,
    }


def work(cols: int, rows: int) -> dict[str, int]:
    """The counts that decide a picture's time, after shrinking.

    ``once`` stands for what does not depend on the size, ``pixels`` for luma and for setting up
    the box filter's windows; ``window_rows`` is how often its loop over a window's row is set up.
    """
    cols, rows = shrunk(cols, rows)
    return {
        "once": 1,
        "pixels": rows * cols,
        "window_rows": window_sum(rows) * cols,
        "additions": operations(cols, rows)["box filter"],
    }


def used_results(cols: int, rows: int) -> int:
    """How many different results of the box filter decimation keeps: 4,096 at most."""
    return len(set(sample_points(rows))) * len(set(sample_points(cols)))


def windows(sides: Iterable[int]) -> pd.DataFrame:
    """What the box filter does for square pictures: ``side, window, additions_a_pixel, used``.

    ``window`` is its full width before clipping, ``used`` the share of its results that are kept.
    """
    rows = []
    for side in sides:
        additions = operations(side, side)["box filter"]
        used = used_results(side, side) / side**2
        rows.append((side, 2 * half_width(side), additions, additions / side**2, used))
    return pd.DataFrame(rows, columns=["side", "window", "additions", "additions_a_pixel", "used"])


def inner_loops() -> pd.DataFrame:
    """The innermost loops of each step, a row a source line: ``step, line, bytecodes, code``."""
    rows = []
    for step, function in LOOPS.items():
        for code in _codes(function.__code__):
            for loop in _innermost(code):
                rows += [(step, *line) for line in _by_line(loop, code.co_filename)]
    return pd.DataFrame(rows, columns=["step", "line", "bytecodes", "code"])


def bytecodes() -> pd.Series:
    """Bytecodes in one run of each step's innermost loop; the DCT's two loops are averaged."""
    lengths = {
        step: np.mean(
            [len(loop) for code in _codes(function.__code__) for loop in _innermost(code)]
        )
        for step, function in LOOPS.items()
    }
    return pd.Series(lengths, name="bytecodes")


def exponent(x: Sequence[float], y: Sequence[float], level: float = 0.95) -> dict[str, float]:
    """The power of ``x`` that ``y`` grows with, and its interval: ``exponent, low, high, r2``."""
    fit = linregress(np.log(np.asarray(x, float)), np.log(np.asarray(y, float)))
    half = t.ppf((1 + level) / 2, len(x) - 2) * fit.stderr
    found = {"exponent": fit.slope, "low": fit.slope - half, "high": fit.slope + half}
    return {**found, "r2": fit.rvalue**2}


def fit_work(sizes: Sequence[tuple[int, int]], seconds: Sequence[float]) -> pd.Series:
    """Nanoseconds for each of the counts of ``work``, none negative, fitted to measured times.

    Relative errors are minimised, so that small pictures count as much as large ones.
    """
    counts = pd.DataFrame([work(*size) for size in sizes])
    measured = np.asarray(seconds, float)
    found, _ = nnls(counts.to_numpy(float) / measured[:, None], np.ones(len(measured)))
    return pd.Series(found * 1e9, index=counts.columns, name="nanoseconds")


def predict(nanoseconds: pd.Series, sizes: Iterable[tuple[int, int]]) -> np.ndarray:
    """Seconds for pictures of the given ``(cols, rows)``, by what ``fit_work`` found."""
    counts = pd.DataFrame([work(*size) for size in sizes])
    return counts[nanoseconds.index].to_numpy(float) @ nanoseconds.to_numpy() / 1e9


def extrapolate(seconds: float, numbers: Sequence[int]) -> pd.DataFrame:
    """What many pictures cost: ``pictures, core_hours, core_years, dollars``.

    ``seconds`` is the time of one picture on one core; the price is ``DOLLARS_A_CORE_HOUR``.
    """
    table = pd.DataFrame({"images": numbers})
    table["core_hours"] = table["images"] * seconds / 3600
    table["core_years"] = table["core_hours"] / HOURS_A_YEAR
    table["dollars"] = table["core_hours"] * DOLLARS_A_CORE_HOUR
    return table


def _codes(code: CodeType) -> Iterator[CodeType]:
    """A function's code and that of the comprehensions in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _innermost(code: CodeType) -> list[list[dis.Instruction]]:
    """The instructions of each loop that holds no other loop or comprehension, jump included."""
    instructions = list(dis.get_instructions(code))
    jumps = [jump for jump in instructions if jump.opname == "JUMP_BACKWARD"]
    loops = [[i for i in instructions if jump.argval <= i.offset <= jump.offset] for jump in jumps]
    repeats = {"JUMP_BACKWARD", "MAKE_FUNCTION"}
    return [loop for loop in loops if sum(i.opname in repeats for i in loop) == 1]


def _by_line(loop: list[dis.Instruction], file: str) -> list[tuple[int, int, str]]:
    """Line, number of bytecodes and source of each line in a loop."""
    numbers = [instruction.positions.lineno for instruction in loop]
    line = partial(linecache.getline, file)
    return [(n, numbers.count(n), line(n).strip()) for n in sorted(set(numbers))]
