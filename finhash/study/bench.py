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
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
import psutil
import simplejpeg
from line_profiler import LineProfiler
from PIL import Image
from tqdm import tqdm

from finhash.batch import hash_files
from finhash.find import compiled, steps
from finhash.images import open_image, to_rgb

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


def kernel_contenders(paths: Sequence[Path]) -> dict[str, Callable[[], object]]:
    """Parts of the way from file to hash, each over all of ``paths``, and PDQ's kernel."""
    import pdqhash  # a peer, in the study's extra

    encoded = [path.read_bytes() for path in paths]
    pixels = [to_rgb(path) for path in paths]
    steps_ = {
        "file to hash": (lambda path: compiled.hash_rgb(to_rgb(path)), paths),
        "file to pixels": (to_rgb, paths),
        "decode": (lambda data: simplejpeg.decode_jpeg(data, "RGB"), encoded),
        "decode, Pillow": (lambda data: to_rgb(open_image(data)), encoded),
        "kernel": (compiled.hash_rgb, pixels),
        "kernel, published order": (compiled.published_hash, pixels),
        "PDQ kernel": (pdqhash.compute, pixels),
    }
    return {
        name: lambda call=call, over=over: [call(item) for item in over]
        for name, (call, over) in steps_.items()
    }


START_PROGRAMS = {
    "python": "pass",
    "import finhash": "import finhash",
    "find_hash": "import finhash, numpy; finhash.find_hash(numpy.zeros((9, 9, 3), numpy.uint8))",
}
"""What ``cold_start`` runs to tell the package's own cost from the interpreter's."""


def cold_start(programs: Mapping[str, str], repeats: int) -> pd.DataFrame:
    """Wall seconds of fresh interpreters that run each program: ``contender, state, ...``."""
    calls = {
        name: lambda code=code: subprocess.run([sys.executable, "-c", code], check=True)
        for name, code in programs.items()
    }
    return time_calls(calls, repeats)


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
    before = psutil.Process().memory_info().rss
    function(*arguments)
    return before, _peak_rss()


def _peak_rss() -> int:
    # Not getrusage on Linux: a child that is started by vfork inherits its parent's peak there.
    status = Path("/proc/self/status")
    if status.exists():
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(peak.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
