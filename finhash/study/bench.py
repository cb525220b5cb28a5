"""Time and memory, measured the same way everywhere.

Contenders alternate, so that a noisy neighbour hits all of them; the first call of each is kept
apart as ``cold``; every repeat is kept, and medians and ratios are taken later.
"""

import linecache
import math
import os
import resource
import sys
import time
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
from line_profiler import LineProfiler
from PIL import Image
from tqdm import tqdm

from finhash.batch import hash_files
from finhash.find import reference, steps
from finhash.images import open_image

SHORTEST = 0.005
"""Seconds that a timed sample lasts at least: calls shorter than this are repeated within it."""


STEPS = ("open, decode", "shrink", "luma", "box filter", "decimate", "DCT", "median, bits")
"""The reference's steps, in order."""


def time_calls(
    contenders: Mapping[str, Callable[[], object]], repeats: int, *, items: int = 1
) -> pd.DataFrame:
    """Seconds an item: ``contender, state (cold | warm), repeat, seconds``.

    Each contender is called once cold, then ``repeats`` times in alternation with the others. A
    call that handles several pictures says so with ``items``.
    """
    rows, loops = [], {}
    for name, call in contenders.items():
        seconds = _time(call, 1)
        rows.append((name, "cold", 0, seconds / items))
        # The cold call may include compilation: a second one tells how many fit in a sample.
        warm = seconds if seconds > 1 else _time(call, 1)
        loops[name] = max(1, math.ceil(SHORTEST / max(warm, 1e-9)))
    for repeat in tqdm(range(repeats), "timing", unit="round", leave=False):
        for name, call in contenders.items():
            rows.append((name, "warm", repeat, _time(call, loops[name]) / items))
    return pd.DataFrame(rows, columns=["contender", "state", "repeat", "seconds"])


def medians(timings: pd.DataFrame) -> pd.Series:
    """Median warm seconds of each contender, in the order first timed."""
    warm = timings[timings["state"] == "warm"]
    return warm.groupby("contender", sort=False)["seconds"].median()


def reference_steps(path: Path, repeats: int) -> pd.DataFrame:
    """Seconds of each step of the reference on one file: ``step, repeat, seconds``."""
    rows = []
    for repeat in tqdm(range(repeats), "steps", unit="round", leave=False):
        marks = [time.perf_counter()]
        image = open_image(path)
        marks.append(time.perf_counter())
        small = reference.shrink(image)
        marks.append(time.perf_counter())
        cols, lines = small.size
        luma = reference.fill_luma(small)
        marks.append(time.perf_counter())
        blurred = reference.box_filter(luma, lines, cols)
        marks.append(time.perf_counter())
        samples = reference.decimate(blurred, lines, cols)
        marks.append(time.perf_counter())
        values = reference.dct_64_to_16(samples)
        marks.append(time.perf_counter())
        reference.hash_bits(values)
        marks.append(time.perf_counter())
        rows += [(step, repeat, b - a) for step, (a, b) in zip(STEPS, pairwise(marks), strict=True)]
    return pd.DataFrame(rows, columns=["step", "repeat", "seconds"])


def exactness(
    step: str, candidates: Mapping[str, Callable], subjects: Mapping[str, Mapping[str, Image.Image]]
) -> pd.DataFrame:
    """Bits that candidates for ``step`` ("luma" or "box") change, by kind of subject.

    ``contender, kind, pictures, pictures_changed, bits_changed``, against the deployed kernel.
    """
    rows = []
    for name, candidate in tqdm(candidates.items(), "exactness", unit="candidate", leave=False):
        for kind, images in subjects.items():
            changed = list(steps.bits_changed(images, **{step: candidate}).values())
            rows.append((name, kind, len(changed), sum(map(bool, changed)), sum(changed)))
    columns = ["contender", "kind", "pictures", "pictures_changed", "bits_changed"]
    return pd.DataFrame(rows, columns=columns)


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


def throughput(
    paths: Sequence[Path], settings: Sequence[tuple[str, int]], repeats: int
) -> pd.DataFrame:
    """Whole jobs by executor and workers: ``executor, workers, repeat, pictures, seconds``.

    A job is ``hash_files``: starting the workers, reading, decoding, hashing, making the table.
    """
    rows = []
    for repeat in tqdm(range(repeats), "whole jobs", unit="round", leave=False):
        for executor, workers in settings:
            start = time.perf_counter()
            hash_files(paths, workers=workers, executor=executor, progress=False)
            rows.append((executor, workers, repeat, len(paths), time.perf_counter() - start))
    return pd.DataFrame(rows, columns=["executor", "workers", "repeat", "pictures", "seconds"])


def traced_peak(call: Callable[[], object]) -> int:
    """Peak bytes that Python and NumPy held during the call, beyond what they held before."""
    call()  # what is made once and kept, such as compiled code, is not the call's own
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def peak_rss(function: Callable[..., object], *arguments: object) -> tuple[int, int]:
    """Resident bytes of a fresh process before the call, and at its peak.

    ``function`` must be importable: the process is spawned, so that nothing of this one's memory
    is counted. Its imports are in the first number.
    """
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_rss_around, (function, arguments))


def _time(call: Callable[[], object], loops: int) -> float:
    start = time.perf_counter()
    for _ in range(loops):
        call()
    return (time.perf_counter() - start) / loops


def _rss_around(function: Callable[..., object], arguments: tuple) -> tuple[int, int]:
    before = _resident()
    function(*arguments)
    # Kilobytes on Linux, bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    return before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _resident() -> int:
    import psutil

    return psutil.Process(os.getpid()).memory_info().rss
