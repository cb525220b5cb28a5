"""What the reference costs: seconds and memory by step, profilers, faults."""

import linecache
import pstats
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from line_profiler import LineProfiler
from PIL import Image
from tqdm import tqdm

from finhash.find import reference
from finhash.images import Source, open_image
from finhash.study.cost.operations import LOOPS, bytecodes, operations

STEPS = ("open, decode", "shrink", "luma", "box filter", "decimate", "DCT", "median, bits")
"""The reference's steps, in order."""


def operation_times(images: Mapping[str, Image.Image], repeats: int) -> pd.DataFrame:
    """Time by operation: ``picture, cols, rows, step, operations, bytecodes, seconds, ns_*``.

    ``seconds`` is the best of the repeats: what disturbs a measurement only ever adds to it.
    Pictures alternate, so that a slow spell of the machine hits all of them.
    """
    timings = pd.concat(
        step_seconds(image, 1).assign(image=name)
        for _ in range(repeats)
        for name, image in images.items()
    )
    best = timings.groupby(["image", "step"])["seconds"].min()
    rows, length = [], bytecodes()
    for name, image in images.items():
        counts = operations(*image.size)
        rows += [(name, *image.size, s, n, length[s], best[name, s]) for s, n in counts.items()]
    columns = ["image", "cols", "rows", "step", "operations", "bytecodes", "seconds"]
    table = pd.DataFrame(rows, columns=columns)
    table["ns_an_operation"] = table["seconds"] / table["operations"] * 1e9
    table["ns_a_bytecode"] = table["ns_an_operation"] / table["bytecodes"]
    return table


def step_seconds(source: Source, repeats: int) -> pd.DataFrame:
    """Seconds of each step of the reference on any source: ``step, repeat, seconds``."""
    rows = [
        (step, repeat, seconds)
        for repeat in tqdm(range(repeats), "steps", unit="round", leave=False)
        for step, seconds in _walk(source, _timed)
    ]
    return pd.DataFrame(rows, columns=["step", "repeat", "seconds"])


def memory_steps(images: Mapping[int, Image.Image]) -> pd.DataFrame:
    """Python's memory by step, bytes: ``side, step, before, peak, kept, blocks``.

    ``before`` is held when the step begins; ``peak`` is the most and ``kept`` the rest at its end,
    both beyond that; ``blocks`` counts the small objects it leaves. Pixels in Pillow's own memory
    are not seen. Tracing is slow: each of the box filter's sums makes a float, and each is traced.
    """
    rows = []
    for side, image in tqdm(images.items(), "tracing", unit="image", leave=False):
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
    columns = ["cols", "rows", "images", "errors", "bits_wrong", "unwritten"]
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


def line_table(profiler: LineProfiler) -> pd.DataFrame:
    """What ``%lprun`` measured, a row a source line: ``line, hits, milliseconds, share, code``."""
    stats = profiler.get_stats()
    rows = []
    for (file, _, _), lines in stats.timings.items():
        total = sum(ticks for *_, ticks in lines)
        for number, hits, ticks in lines:
            code = linecache.getline(file, number).rstrip()[4:]
            rows.append((number, hits, ticks * stats.unit * 1e3, ticks / total, code))
    return pd.DataFrame(rows, columns=["line", "hits", "milliseconds", "share", "code"])
