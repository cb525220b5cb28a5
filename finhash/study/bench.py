"""Time and memory, measured the same way everywhere.

Contenders alternate, so that a noisy neighbour hits all of them; the first call of each is kept
apart as ``cold``; every repeat is kept, and medians and ratios are taken later.
"""

import linecache
import math
import resource
import subprocess
import sys
import time
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
import psutil
import simplejpeg
from line_profiler import LineProfiler
from PIL import Image
from tqdm import tqdm

from finhash import methods
from finhash.find import compiled, steps
from finhash.images import open_image, to_rgb

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


def medians(timings: pd.DataFrame) -> pd.Series:
    """Median warm seconds of each contender, in the order first timed."""
    warm = timings[timings["state"] == "warm"]
    return warm.groupby("contender", sort=False)["seconds"].median()


@contextmanager
def stopwatch() -> Iterator[Callable[[], float]]:
    """Times what stands in the ``with``: the function that it gives returns the seconds."""
    start = time.perf_counter()
    taken: list[float] = []
    yield lambda: taken[0]
    taken.append(time.perf_counter() - start)


def exactness(
    step: str, candidates: Mapping[str, Callable], subjects: Mapping[str, Mapping[str, Image.Image]]
) -> pd.DataFrame:
    """Bits that candidates for ``step`` (luma, box or dct) change, by kind of subject.

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


def traced_peak(call: Callable[[], object]) -> int:
    """Peak bytes that Python and NumPy held during the call, beyond what they held before."""
    call()  # what is made once and kept, such as compiled code, is not the call's own
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def kernel_contenders(paths: Sequence[Path]) -> dict[str, Callable[[], object]]:
    """Parts of the way from file to hash, each over all of ``paths``, and PDQ's kernel."""
    import pdqhash  # a peer, in the study's extra

    encoded = [path.read_bytes() for path in paths]
    pixels = [to_rgb(path) for path in paths]
    steps_ = {
        "file to hash": (methods.get("find").hash, paths),
        "file to pixels": (to_rgb, paths),
        "decode": (lambda data: simplejpeg.decode_jpeg(data, "RGB"), encoded),
        "decode, Pillow": (lambda data: to_rgb(open_image(data)), encoded),
        "kernel": (compiled.hash_rgb, pixels),
        "kernel, published order": (compiled.published_hash, pixels),
        "PDQ kernel": (pdqhash.compute, pixels),
    }
    return {name: over(call, sources) for name, (call, sources) in steps_.items()}


def over(call: Callable[[T], object], sources: Sequence[T]) -> Callable[[], object]:
    """What calls ``call`` with each source and keeps nothing: fresh memory would be timed too."""
    return lambda: deque(map(call, sources), maxlen=0)


def ladder_costs(path: Path, timings: pd.DataFrame) -> pd.DataFrame:
    """What each rung of the ladder costs: ``rung, ms, cold_ms, bits_changed, peak_kB, needs``.

    ``timings`` are those of the ladder; ``bits_changed`` is against the reference, on one file;
    ``peak_kB`` is Python's and NumPy's memory, without decoders and compiled code.
    """
    expected = steps.LADDER["reference"](path)
    cold = timings[timings["state"] == "cold"].set_index("contender")["seconds"]
    warm = medians(timings)
    rows = []
    for rung, hash_file in steps.LADDER.items():
        changed = int(np.bitwise_count(hash_file(path) ^ expected).sum())
        peak = traced_peak(lambda hash_file=hash_file: hash_file(path)) / 1e3
        rows.append((rung, warm[rung] * 1e3, cold[rung] * 1e3, changed, peak, steps.NEEDS[rung]))
    return pd.DataFrame(rows, columns=["rung", "ms", "cold_ms", "bits_changed", "peak_kB", "needs"])


def goals(ladder: pd.Series, kernel: pd.Series) -> pd.DataFrame:
    """Median ratios against their goals: ``ratio, goal, measured, met``; the first is a least."""
    deployed = ladder["+ simplejpeg"]
    rows = [("reference / file to hash", 700, ladder["reference"] / deployed)]
    rows += [
        ("kernel / decoding", 0.10, kernel["kernel"] / kernel["decode"]),
        ("file to hash / file to pixels", 1.25, kernel["file to hash"] / kernel["file to pixels"]),
        ("kernel / PDQ's kernel", 0.10, kernel["kernel"] / kernel["PDQ kernel"]),
        ("file to hash / aHash 64", 0.65, deployed / ladder["ahash64"]),
        ("file to hash / pHash 64", 0.58, deployed / ladder["phash64"]),
        ("file to hash / dHash 64", 0.64, deployed / ladder["dhash64"]),
        ("file to hash / wHash 64", 0.27, deployed / ladder["whash64"]),
    ]
    table = pd.DataFrame(rows, columns=["ratio", "goal", "measured"])
    met = table["measured"] <= table["goal"]
    met[0] = table["measured"][0] >= table["goal"][0]
    return table.assign(met=met)


FIRST_HASH = "import finhash, numpy; finhash.find_hash(numpy.zeros((9, 9, 3), numpy.uint8))"

START_PROGRAMS = {
    "python": "pass",
    "import finhash": "import finhash",
    "find_hash": FIRST_HASH,
}
"""What ``cold_start`` runs to tell the package's own cost from the interpreter's."""

COMPILE_PROGRAMS = {
    "find_hash, not yet compiled": (
        "import os, tempfile\n"
        "with tempfile.TemporaryDirectory() as os.environ['NUMBA_CACHE_DIR']:\n"
        f"    {FIRST_HASH}"
    ),
}
"""The same on a machine where nothing has been compiled."""


def cold_start(programs: Mapping[str, str], repeats: int) -> pd.DataFrame:
    """Wall seconds of fresh interpreters that run each program: ``contender, state, ...``."""
    calls = {
        name: lambda code=code: subprocess.run([sys.executable, "-c", code], check=True)
        for name, code in programs.items()
    }
    return time_calls(calls, repeats)


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
