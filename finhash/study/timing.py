"""Wall time and memory of function calls."""

import math
import resource
import time
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import cycle, islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import psutil
from tqdm import tqdm

from finhash.find import loading

T = TypeVar("T")

SHORTEST = 0.005
"""Minimum duration of a timed sample, in seconds: shorter calls are repeated within the sample."""


def time_calls(
    contenders: Mapping[Any, Callable[[], object]],
    repeats: int,
    *,
    items: int | Mapping[Any, int] = 1,
) -> pd.DataFrame:
    """Time functions in alternation, so that a slow spell of the machine affects them all.

    FINd's compiled code is loaded first, as in a process that hashes many images.

    Parameters
    ----------
    contenders : mapping of name to callable
        Functions to time. Names may be any hashable values, such as tuples.
    repeats : int
        Number of warm samples per function.
    items : int, or mapping of name to int
        Number of images or other items that one call handles; times are divided by it.

    Returns
    -------
    DataFrame
        One row per sample:

        contender : str
            Name of the function.
        state : str
            ``"cold"`` for the first call, which may compile or read tables; else ``"warm"``.
        repeat : int
            Number of the sample, from 0.
        seconds : float
            Wall time per item, in seconds.
    """
    loading.load()
    rows, loops = [], {}
    number = dict.fromkeys(contenders, items) if isinstance(items, int) else items
    for name, call in contenders.items():
        seconds = _time(call, 1)
        rows.append((name, "cold", 0, seconds / number[name]))
        # The cold call may include compilation, so a second call sets the number of loops. A first
        # call over 1 s is assumed to be slow when warm too.
        warm = seconds if seconds > 1 else _time(call, 1)
        loops[name] = max(1, math.ceil(SHORTEST / max(warm, 1e-9)))
    for repeat in tqdm(range(repeats), "timing", unit="round", leave=False):
        for name, call in contenders.items():
            rows.append((name, "warm", repeat, _time(call, loops[name]) / number[name]))
    return pd.DataFrame(rows, columns=["contender", "state", "repeat", "seconds"])


@contextmanager
def stopwatch() -> Iterator[Callable[[], float]]:
    """Time a ``with`` block; the yielded function returns its seconds once the block has ended.

    >>> with stopwatch() as seconds:
    ...     _ = sum(range(1000))
    >>> seconds() > 0
    True
    """
    start = time.perf_counter()
    taken: list[float] = []
    yield lambda: taken[0]
    taken.append(time.perf_counter() - start)


def traced_peak(call: Callable[[], object]) -> int:
    """Return the peak memory of Python and NumPy during a call, in bytes beyond the start.

    >>> traced_peak(lambda: bytearray(10**6)) >= 10**6
    True
    """
    loading.load()
    call()  # objects that are made once and cached, such as compiled code, are not counted
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def over(call: Callable[[T], object], sources: Sequence[T]) -> Callable[[], object]:
    """Return a function that applies ``call`` to every source and discards the results.

    Keeping the results would add the allocation of their memory to the timing.
    """
    return lambda: deque(map(call, sources), maxlen=0)


def in_turn(call: Callable[[T], object], sources: Sequence[T], size: int) -> Callable[[], object]:
    """Return a function that applies ``call`` to the next ``size`` sources, and starts over.

    A slow function thus sees all sources over several samples, and few of them per sample.

    Examples
    --------
    >>> seen = []
    >>> step = in_turn(seen.append, "abcde", 2)
    >>> for _ in range(3):
    ...     step()
    >>> seen
    ['a', 'b', 'c', 'd', 'e', 'a']
    """
    endless = cycle(sources)

    def step() -> None:
        for source in islice(endless, size):
            call(source)

    return step


def read_files(paths: Iterable[Path]) -> None:
    """Read files, so that they are in the system's page cache; pass over unreadable ones."""
    for path in paths:
        with suppress(OSError):
            path.read_bytes()


def peak_rss(function: Callable[..., object], *arguments: object) -> tuple[int, int]:
    """Call a function in a fresh process; return resident bytes before the call and at the peak.

    See ``in_fresh_process``.
    """
    _, before, peak = in_fresh_process(function, *arguments)
    return before, peak


def in_fresh_process(function: Callable[..., T], *arguments: object) -> tuple[T, int, int]:
    """Call a function in a spawned process, which does not share this process's memory.

    Parameters
    ----------
    function : callable
        An importable function.
    *arguments : object
        Its arguments, which must be picklable.

    Returns
    -------
    result : object
        The function's return value.
    before, peak : int
        Resident memory before the call and at its peak, in bytes. Both include the imports and
        the arguments.
    """
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_rss_around, (function, arguments))


def _time(call: Callable[[], object], loops: int) -> float:
    """Return the mean seconds per call over ``loops`` calls."""
    start = time.perf_counter()
    for _ in range(loops):
        call()
    return (time.perf_counter() - start) / loops


def _rss_around(function: Callable[..., T], arguments: tuple) -> tuple[T, int, int]:
    """Call a function; return its result, and resident bytes before the call and at the peak."""
    loading.load()
    before = psutil.Process().memory_info().rss
    result = function(*arguments)
    return result, before, _peak_rss()


def _peak_rss() -> int:
    """Return the peak resident memory of this process, in bytes."""
    # On Linux, getrusage would report the parent's peak in a child started by vfork.
    status = Path("/proc/self/status")
    if status.exists():
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(peak.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
