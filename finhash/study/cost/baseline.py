"""Cost of the reference implementation: time and memory by step, profiles, published faults."""

import json
import linecache
import pstats
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from line_profiler import LineProfiler
from PIL import Image
from tqdm import tqdm

from finhash.find import reference
from finhash.images import Source, open_image
from finhash.study.cost.operations import LOOPS, bytecodes, operations

STEPS = ("open, decode", "shrink", "luma", "box filter", "decimate", "DCT", "median, bits")
"""Names of the reference's steps, in order."""

TESTS = Path(__file__).resolve().parents[3] / "tests"
"""Folder of the tests, with the known answers of the published program."""

DECODING = ("open, decode", "shrink")
"""Steps that are compiled already."""


@dataclass(frozen=True)
class Idea:
    """An optimisation as planned before anything is optimised.

    Attributes
    ----------
    name : str
        What to do.
    difficulty : str
        Expected difficulty: ``"low"``, ``"medium"`` or ``"high"``.
    risk : str
        What may go wrong.
    """

    name: str
    difficulty: str
    risk: str


IDEAS = {
    "box filter": Idea(
        "compute only the kept samples, in compiled loops",
        "low",
        "Numba becomes a dependency; the order of additions must stay",
    ),
    "luma": Idea(
        "compute luma with NumPy or compiled loops",
        "low",
        "another order or rounding changes bits",
    ),
    "DCT": Idea(
        "compile the DCT", "low", "another order of additions changes bits where coefficients tie"
    ),
    "all arithmetic": Idea(
        "reorder the arithmetic, and certify the bits",
        "medium",
        "a wrong bound would change bits without notice",
    ),
    "open, decode": Idea("decode JPEGs faster", "low", "another decoder may give other pixels"),
    "everything": Idea(
        "use more cores", "medium", "workers can crash; memory and start-up per worker"
    ),
}
"""Step that an optimisation attacks -> the optimisation, in the order of the work.

``"all arithmetic"`` is every step but ``DECODING``.
"""


def plan(steps: pd.DataFrame, cores: int) -> pd.DataFrame:
    """Tabulate the planned optimisations with the largest gain that Amdahl's law allows.

    Parameters
    ----------
    steps : DataFrame
        Result of ``step_seconds``.
    cores : int
        Number of cores, which limits the gain of working in parallel.

    Returns
    -------
    DataFrame
        One row per optimisation:

        idea : str
            What to do.
        step : str
            Step that it attacks, a key of ``IDEAS``.
        share : float
            Fraction of the reference's time that this step takes.
        bound : float
            How many times faster the whole hash would be if the step took no time,
            ``1 / (1 - share)``; for more cores their number.
        difficulty, risk : str
            Fields of ``Idea``.

    Examples
    --------
    >>> steps = pd.DataFrame({"step": STEPS, "seconds": [1, 0, 4, 12, 0, 2, 1]})
    >>> plan(steps, cores=2)[["step", "share", "bound"]].round(2).values.tolist()[:2]
    [['box filter', 0.6, 2.5], ['luma', 0.2, 1.25]]
    """
    share = steps.groupby("step", sort=False)["seconds"].median()
    share = share / share.sum()
    share["all arithmetic"] = 1 - share[list(DECODING)].sum()
    share["everything"] = 1.0
    rows = []
    for step, idea in IDEAS.items():
        bound = cores if step == "everything" else 1 / (1 - share[step])
        rows.append((idea.name, step, share[step], bound, idea.difficulty, idea.risk))
    columns = ["idea", "step", "share", "bound", "difficulty", "risk"]
    return pd.DataFrame(rows, columns=columns)


def known_answers(most: int) -> pd.DataFrame:
    """Compare the reference with hashes that the published program gave for the test images.

    Parameters
    ----------
    most : int
        Largest number of pixels of an image. The tests compare all images.

    Returns
    -------
    DataFrame
        One row per image:

        image : str
            Name of the file in ``tests/vectors``.
        cols, rows : int
            Size of the image, in pixels.
        published : str
            The published program's hash, or ``"IndexError"``.
        published_equal : bool
            Whether the reference with the published faults gives the same.
        corrected_equal : bool
            Whether the reference without the faults gives the known hash of the corrected program.
    """
    answers = json.loads((TESTS / "vectors.json").read_text())["hashes"]
    rows = []
    for name, answer in tqdm(answers.items(), "known answers", unit="image", leave=False):
        with Image.open(TESTS / "vectors" / name) as image:
            if image.width * image.height > most:
                continue
            corrected = str(reference.find_hash(image))
            published = corrected if image.width == image.height else _published(image)
            equal = published == answer["published"], corrected == answer["corrected"]
            rows.append((name, *image.size, answer["published"], *equal))
    columns = ["image", "cols", "rows", "published", "published_equal", "corrected_equal"]
    return pd.DataFrame(rows, columns=columns)


def operation_times(images: Mapping[str, Image.Image], repeats: int) -> pd.DataFrame:
    """Time the reference's loops and divide by the number of their operations.

    Images alternate, so that a slow spell of the machine affects them all.

    Parameters
    ----------
    images : mapping of name to Image
        Images of at most 512 x 512 pixels.
    repeats : int
        Runs per image. The shortest time of each step is kept, because disturbances only add time.

    Returns
    -------
    DataFrame
        One row per image and step:

        image : str
            Name of the image.
        cols, rows : int
            Size of the image, in pixels.
        step : str
            Name of the step.
        operations : int
            Number of runs of the innermost loop.
        bytecodes : float
            Number of bytecode instructions per run.
        seconds : float
            Shortest wall time of the step, in seconds.
        ns_per_operation : float
            Nanoseconds per run of the innermost loop.
        ns_per_bytecode : float
            Nanoseconds per bytecode instruction.
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
    table["ns_per_operation"] = table["seconds"] / table["operations"] * 1e9
    table["ns_per_bytecode"] = table["ns_per_operation"] / table["bytecodes"]
    return table


def step_seconds(source: Source, repeats: int) -> pd.DataFrame:
    """Time each step of the reference.

    Parameters
    ----------
    source : path, bytes, file, Image or array
        Image to hash.
    repeats : int
        Number of hashes.

    Returns
    -------
    DataFrame
        One row per step and repeat:

        step : str
            Name of the step.
        repeat : int
            Number of the hash, from 0.
        seconds : float
            Wall time of the step, in seconds.
    """
    rows = [
        (step, repeat, seconds)
        for repeat in tqdm(range(repeats), "steps", unit="round", leave=False)
        for step, seconds in _walk(source, _timed)
    ]
    return pd.DataFrame(rows, columns=["step", "repeat", "seconds"])


def memory_steps(images: Mapping[int, Image.Image]) -> pd.DataFrame:
    """Trace the memory that Python and NumPy allocate in each step of the reference.

    Pillow's memory is not traced. Tracing is slow, because every sum of the box filter allocates a
    float.

    Parameters
    ----------
    images : mapping of int to Image
        Images by their side in pixels.

    Returns
    -------
    DataFrame
        One row per image and step:

        side : int
            Side of the image, in pixels.
        step : str
            Name of the step.
        before : int
            Memory held when the step begins, in bytes.
        peak : int
            Most memory held during the step, in bytes beyond ``before``.
        kept : int
            Memory held when the step ends, in bytes beyond ``before``.
        blocks : int
            Number of memory blocks allocated in the step and still held when it ends.
    """
    rows = []
    for side, image in tqdm(images.items(), "tracing", unit="image", leave=False):
        tracemalloc.start()
        try:
            rows += [(side, step, *memory) for step, memory in _walk(image, _traced)]
        finally:
            tracemalloc.stop()
    return pd.DataFrame(rows, columns=["side", "step", "before", "peak", "kept", "blocks"])


def memory_peaks(by_step: pd.DataFrame) -> pd.DataFrame:
    """Return the peak memory of a whole hash.

    Parameters
    ----------
    by_step : DataFrame
        Result of ``memory_steps``.

    Returns
    -------
    DataFrame
        One row per image:

        side : int
            Side of the image, in pixels.
        bytes : int
            Peak memory of Python and NumPy, in bytes.

    Examples
    --------
    >>> steps = pd.DataFrame({"side": 64, "before": [0, 10], "peak": [20, 5]})
    >>> memory_peaks(steps)["bytes"].item()
    20
    """
    held = by_step.assign(bytes=by_step["before"] + by_step["peak"])
    return held.groupby("side", as_index=False)["bytes"].max()


def distortion(profile: pstats.Stats, lines: LineProfiler, steps: pd.DataFrame) -> pd.DataFrame:
    """Compare the times that profilers report with unprofiled times.

    Parameters
    ----------
    profile : pstats.Stats
        cProfile's measurement of one hash.
    lines : LineProfiler
        line_profiler's measurement of one hash.
    steps : DataFrame
        Result of ``step_seconds``.

    Returns
    -------
    DataFrame
        One row per loop of the reference, indexed by step. A missing value means that the profiler
        did not measure the function.

        wall : float
            Median unprofiled time, in milliseconds.
        cProfile, line_profiler : float
            Time under the profiler, in milliseconds.
        cProfile_ratio, line_profiler_ratio : float
            Time under the profiler divided by ``wall``.
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


def line_table(profiler: LineProfiler) -> pd.DataFrame:
    """Tabulate the measurement of ``%lprun``.

    Parameters
    ----------
    profiler : LineProfiler
        Profiler that ``%lprun -r`` returned.

    Returns
    -------
    DataFrame
        One row per executed source line:

        function : str
            Name of its function.
        line : int
            Number of the line in its file.
        hits : int
            Number of executions.
        milliseconds : float
            Total time of the line, in milliseconds.
        share : float
            Fraction of the function's time.
        code : str
            Source of the line, without comments for the type checker.
    """
    stats = profiler.get_stats()
    rows = []
    for (file, _, name), lines in stats.timings.items():
        total = sum(ticks for *_, ticks in lines)
        for number, hits, ticks in lines:
            code = linecache.getline(file, number).partition("  # type: ignore")[0].rstrip()[4:]
            milliseconds = ticks * stats.unit * 1e3
            rows.append((_short(name), number, hits, milliseconds, ticks / total, code))
    columns = ["function", "line", "hits", "milliseconds", "share", "code"]
    return pd.DataFrame(rows, columns=columns)


def published_faults(
    images: Sequence[Image.Image], shapes: Iterable[tuple[int, int]]
) -> pd.DataFrame:
    """Count the errors and wrong bits that the faults of the published program cause.

    Parameters
    ----------
    images : sequence of Image
        Images, which are resized to every shape.
    shapes : iterable of (int, int)
        Columns and rows.

    Returns
    -------
    DataFrame
        One row per shape:

        cols, rows : int
            Size of the images, in pixels.
        images : int
            Number of images.
        errors : int
            Number of images for which the published program raises ``IndexError``.
        bits_wrong : float
            Mean number of wrong bits per hash, of 256, over the other images.
        unwritten : float
            Computed fraction of the blurred image that stays zero; missing where the published
            program raises, because it then stops early.
    """
    rows = []
    for cols, lines in shapes:
        resized = [image.resize((cols, lines)) for image in images]
        wrong = [bits for bits in map(_bits_wrong, resized) if bits is not None]
        # The published program writes result (row, col) to ``row * lines + col`` with
        # ``col < cols``. On a landscape image the rows overlap and leave no gap between them, so
        # the places written are those up to ``(lines - 1) * lines + cols - 1``.
        written = ((lines - 1) * lines + cols) / (lines * cols)
        mean = np.mean(wrong) if wrong else np.nan
        rows.append((cols, lines, len(images), len(images) - len(wrong), mean, 1 - written))
    columns = ["cols", "rows", "images", "errors", "bits_wrong", "unwritten"]
    table = pd.DataFrame(rows, columns=columns)
    table.loc[table["errors"] > 0, "unwritten"] = np.nan
    return table


def _published(image: Image.Image) -> str:
    """Return the hash of the reference with the published faults, or the exception's name."""
    try:
        return str(reference.find_hash(image, published=True))
    except IndexError as error:
        return type(error).__name__


def _bits_wrong(image: Image.Image) -> int | None:
    """Return the wrong bits of the published program's hash; None if the program raises."""
    try:
        return int(reference.find_hash(image, published=True) - reference.find_hash(image))
    except IndexError:
        return None


def _walk(source: Source, measure: Callable) -> Iterator[tuple[str, object]]:
    """Hash an image step by step; yield the name of each step and its measurement.

    The intermediate results are held until the end, as in ``reference.find_hash``.
    """
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
    """Return the result of a call and its wall time in seconds."""
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def _traced(call: Callable[[], object]) -> tuple[object, tuple[int, int, int, int]]:
    """Return the result of a call, and ``before, peak, kept, blocks`` of ``memory_steps``."""
    blocks = sys.getallocatedblocks()
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    result = call()
    after, peak = tracemalloc.get_traced_memory()
    kept = sys.getallocatedblocks() - blocks
    return result, (before, peak - before, after - before, kept)


def _short(name: str) -> str:
    """Return a function's name without its class or module."""
    return name.rsplit(".", 1)[-1]
