"""What the reference costs, beside seconds: operations, bytecodes, memory by step, hours, money.

Operations are counted from the geometry alone, so a picture's cost is known before it is hashed.
"""

import dis
import io
import linecache
import pstats
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import CodeType

import numpy as np
import pandas as pd
from line_profiler import LineProfiler
from PIL import Image
from scipy.optimize import nnls
from scipy.stats import linregress, t
from tqdm import tqdm

from finhash.find import reference
from finhash.find.geometry import KEPT, MAX_SIDE, SAMPLES, half_width, sample_points
from finhash.images import Source, open_image

STEPS = ("open, decode", "shrink", "luma", "box filter", "decimate", "DCT", "median, bits")
"""The reference's steps, in order."""

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


# Operations


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


def operation_times(images: Mapping[str, Image.Image], repeats: int) -> pd.DataFrame:
    """Time by operation: ``picture, cols, rows, step, operations, bytecodes, seconds, ns_*``.

    ``seconds`` is the best of the repeats: what disturbs a measurement only ever adds to it.
    Pictures alternate, so that a slow spell of the machine hits all of them.
    """
    timings = pd.concat(
        step_seconds(image, 1).assign(picture=name)
        for _ in range(repeats)
        for name, image in images.items()
    )
    best = timings.groupby(["picture", "step"])["seconds"].min()
    rows, length = [], bytecodes()
    for name, image in images.items():
        counts = operations(*image.size)
        rows += [(name, *image.size, s, n, length[s], best[name, s]) for s, n in counts.items()]
    columns = ["picture", "cols", "rows", "step", "operations", "bytecodes", "seconds"]
    table = pd.DataFrame(rows, columns=columns)
    table["ns_an_operation"] = table["seconds"] / table["operations"] * 1e9
    table["ns_a_bytecode"] = table["ns_an_operation"] / table["bytecodes"]
    return table


# Steps


def step_seconds(source: Source, repeats: int) -> pd.DataFrame:
    """Seconds of each step of the reference on any source: ``step, repeat, seconds``."""
    rows = [
        (step, repeat, seconds)
        for repeat in tqdm(range(repeats), "steps", unit="round", leave=False)
        for step, seconds in _walk(source, _timed)
    ]
    return pd.DataFrame(rows, columns=["step", "repeat", "seconds"])


def jpeg(image: Image.Image) -> bytes:
    """The picture as JPEG, for steps that begin with decoding."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG")
    return buffer.getvalue()


def memory_steps(images: Mapping[int, Image.Image]) -> pd.DataFrame:
    """Python's memory by step, bytes: ``side, step, before, peak, kept, blocks``.

    ``before`` is held when the step begins; ``peak`` is the most and ``kept`` the rest at its end,
    both beyond that; ``blocks`` counts the small objects it leaves. Pixels in Pillow's own memory
    are not seen. Tracing is slow: each of the box filter's sums makes a float, and each is traced.
    """
    rows = []
    for side, image in tqdm(images.items(), "tracing", unit="picture", leave=False):
        tracemalloc.start()
        try:
            rows += [(side, step, *bytes_) for step, bytes_ in _walk(image, _traced)]
        finally:
            tracemalloc.stop()
    return pd.DataFrame(rows, columns=["side", "step", "before", "peak", "kept", "blocks"])


def memory_peaks(by_step: pd.DataFrame) -> pd.DataFrame:
    """The most that a whole hash held, over ``memory_steps``: ``side, bytes``."""
    held = by_step.assign(bytes=by_step["before"] + by_step["peak"])
    return held.groupby("side", as_index=False)["bytes"].max()


# Profilers


def distortion(profile: pstats.Stats, lines: LineProfiler, steps: pd.DataFrame) -> pd.DataFrame:
    """What the profilers add to the wall clock, milliseconds and ratios by step.

    ``wall, cProfile, cProfile_ratio, line_profiler, line_profiler_ratio``; not a number where
    line_profiler was not asked.
    """
    names = {function.__name__: step for step, function in LOOPS.items()}
    wall = steps.groupby("step", sort=False)["seconds"].median()
    table = pd.DataFrame({"wall": wall.loc[list(LOOPS)] * 1e3})
    called = {key[2]: cumulative for key, (*_, cumulative, _) in profile.stats.items()}
    stats = lines.get_stats()
    by_line = {
        name: sum(ticks for *_, ticks in rows) * stats.unit
        for (_, _, name), rows in stats.timings.items()
    }
    for tool, seconds in (("cProfile", called), ("line_profiler", by_line)):
        found = {names[_short(n)]: s * 1e3 for n, s in seconds.items() if _short(n) in names}
        table[tool] = pd.Series(found, dtype=float)
        table[f"{tool}_ratio"] = table[tool] / table["wall"]
    return table


# Growth


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
    table = pd.DataFrame({"pictures": numbers})
    table["core_hours"] = table["pictures"] * seconds / 3600
    table["core_years"] = table["core_hours"] / HOURS_A_YEAR
    table["dollars"] = table["core_hours"] * DOLLARS_A_CORE_HOUR
    return table


# Faults


def published_faults(
    images: Sequence[Image.Image], shapes: Iterable[tuple[int, int]]
) -> pd.DataFrame:
    """What the published faults do: ``cols, rows, pictures, errors, bits_wrong, unwritten``.

    The pictures are resized to each shape. ``bits_wrong`` is the mean of 256, over those that do
    not raise; ``unwritten`` is the share of the blurred picture that stays zero, by arithmetic.
    """
    rows = []
    for cols, lines in shapes:
        resized = [image.resize((cols, lines)) for image in images]
        wrong = [bits for bits in map(_bits_wrong, resized) if bits is not None]
        written = ((lines - 1) * lines + cols) / (lines * cols)
        mean = np.mean(wrong) if wrong else np.nan
        rows.append((cols, lines, len(images), len(images) - len(wrong), mean, 1 - written))
    columns = ["cols", "rows", "pictures", "errors", "bits_wrong", "unwritten"]
    table = pd.DataFrame(rows, columns=columns)
    # A portrait picture raises before it has written all it could.
    table.loc[table["errors"] > 0, "unwritten"] = np.nan
    return table


def _bits_wrong(image: Image.Image) -> int | None:
    try:
        return int(reference.find_hash(image, published=True) - reference.find_hash(image))
    except IndexError:
        return None


def _walk(source: Source, measure: Callable) -> Iterator[tuple[str, object]]:
    """Each step's name and measurement; what the steps make is held until the end."""
    made: list = []
    calls = (
        lambda: open_image(source),
        lambda: reference.shrink(made[0]),
        lambda: reference.fill_luma(made[1]),
        lambda: reference.box_filter(made[2], made[1].height, made[1].width),
        lambda: reference.decimate(made[3], made[1].height, made[1].width),
        lambda: reference.dct_64_to_16(made[4]),
        lambda: reference.hash_bits(made[5]),
    )
    for step, call in zip(STEPS, calls, strict=True):
        result, measurement = measure(call)
        made.append(result)
        yield step, measurement


def _timed(call: Callable[[], object]) -> tuple[object, float]:
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def _traced(call: Callable[[], object]) -> tuple[object, tuple[int, int, int, int]]:
    blocks = sys.getallocatedblocks()
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    result = call()
    after, peak = tracemalloc.get_traced_memory()
    kept = sys.getallocatedblocks() - blocks
    return result, (before, peak - before, after - before, kept)


def _short(name: str) -> str:
    """A function's name without its class or module."""
    return name.rsplit(".", 1)[-1]


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
