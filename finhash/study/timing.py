"""Time and memory, measured the same way everywhere."""

import math
import resource
import time
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import pandas as pd
import psutil
from tqdm import tqdm

T = TypeVar("T")


SHORTEST = 0.005
"""Seconds that a timed sample lasts at least: calls shorter than this are repeated within it."""


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


@contextmanager
def stopwatch() -> Iterator[Callable[[], float]]:
    """Times what stands in the ``with``: the function that it gives returns the seconds."""
    start = time.perf_counter()
    taken: list[float] = []
    yield lambda: taken[0]
    taken.append(time.perf_counter() - start)


def traced_peak(call: Callable[[], object]) -> int:
    """Peak bytes that Python and NumPy held during the call, beyond what they held before."""
    call()  # what is made once and kept, such as compiled code, is not the call's own
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def over(call: Callable[[T], object], sources: Sequence[T]) -> Callable[[], object]:
    """What calls ``call`` with each source and keeps nothing: fresh memory would be timed too."""
    return lambda: deque(map(call, sources), maxlen=0)


def peak_rss(function: Callable[..., object], *arguments: object) -> tuple[int, int]:
    """Resident bytes of a fresh process before the call, and at its peak."""
    _, before, peak = in_fresh_process(function, *arguments)
    return before, peak


def in_fresh_process(function: Callable[..., T], *arguments: object) -> tuple[T, int, int]:
    """The function's answer, resident bytes before the call, and at the peak.

    ``function`` must be importable: the process is spawned, so that nothing of this one's memory
    is counted. Its imports and arguments are in the first number.
    """
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_rss_around, (function, arguments))


def _time(call: Callable[[], object], loops: int) -> float:
    start = time.perf_counter()
    for _ in range(loops):
        call()
    return (time.perf_counter() - start) / loops


def _rss_around(function: Callable[..., T], arguments: tuple) -> tuple[T, int, int]:
    before = psutil.Process().memory_info().rss
    answer = function(*arguments)
    return answer, before, _peak_rss()


def _peak_rss() -> int:
    # Not getrusage on Linux: a child that is started by vfork inherits its parent's peak there.
    status = Path("/proc/self/status")
    if status.exists():
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(peak.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
