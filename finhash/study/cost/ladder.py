"""Cost from file to hash, one optimisation after another: time, memory, changed bits."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pdqhash
import simplejpeg
from PIL import Image

from finhash import methods
from finhash.find import compiled, reference
from finhash.images import open_image, to_rgb
from finhash.study import results, timing
from finhash.study.cost import baseline, candidates


def _reference_file(path: Path) -> np.ndarray:
    """Hash a file with the reference implementation."""
    with Image.open(path) as image:
        return np.packbits(reference.find_hash(image).hash)


def _interpreted_file(path: Path, luma: candidates.Luma) -> np.ndarray:
    """Hash a file with the compiled box filter; the other steps are still interpreted."""
    with Image.open(path) as image:
        samples = candidates.box_numba(luma(reference.shrink(image)))
    return np.packbits(np.array(reference.hash_bits(reference.dct_64_to_16(samples.tolist()))))


def _published_file(path: Path) -> np.ndarray:
    """Hash a file with the compiled kernel in the published order of operations."""
    return compiled.published_hash(to_rgb(open_image(path)))


def _pillow_file(path: Path) -> np.ndarray:
    """Hash a file with the deployed kernel, decoded by Pillow."""
    return compiled.hash_rgb(to_rgb(open_image(path)))


def _deployed_file(path: Path) -> np.ndarray:
    """Hash a file as deployed: JPEGs are decoded by simplejpeg."""
    return compiled.hash_rgb(to_rgb(path, reuse=True))


LADDER: dict[str, Callable[[Path], np.ndarray]] = {
    "reference": _reference_file,
    "+ box filter": partial(_interpreted_file, luma=candidates.luma_getpixel),
    "+ luma": partial(_interpreted_file, luma=candidates.luma_channels),
    "+ DCT, compiled": _published_file,
    "+ certified integers": _pillow_file,
    "+ simplejpeg": _deployed_file,
}
"""Functions from file to packed hash. Each rung adds one optimisation to the rung before it."""

SLOW = ("reference", "+ box filter")
"""Rungs that loop in Python over pixels, and therefore hash fewer files per sample."""


def _without(
    path: Path, luma: candidates.Luma, box: candidates.Box, dct: candidates.Dct
) -> np.ndarray:
    """Hash a file as deployed, but with the given luma, box filter and DCT."""
    samples = box(luma(Image.fromarray(to_rgb(path, reuse=True))))
    return compiled.cut(dct(samples))


def _without_certificate(path: Path) -> np.ndarray:
    """Hash a file as deployed, but always in the published order of operations."""
    return compiled.published_hash(to_rgb(path, reuse=True))


STEPS = {
    "luma": candidates.luma_numba,
    "box": candidates.box_numba,
    "dct": compiled.dct,
}
"""Compiled steps of ``REVERTED``, by the argument of ``_without``."""

REVERTED: dict[str, Callable[[Path], np.ndarray]] = {
    "+ box filter": partial(_without, **STEPS | {"box": candidates.box_reference}),
    "+ luma": partial(_without, **STEPS | {"luma": candidates.luma_getpixel}),
    "+ DCT, compiled": partial(_without, **STEPS | {"dct": candidates.dct_reference}),
    "+ certified integers": _without_certificate,
    "+ simplejpeg": _pillow_file,
}
"""Rung -> function that hashes a file as deployed, but without the optimisation of this rung."""

SLOW_REVERTED = ("+ box filter", "+ luma")
"""Keys of ``REVERTED`` whose functions loop in Python over pixels."""

DEPLOYED = "deployed"
"""Contender of ``reverted_contenders`` with all optimisations."""


@dataclass(frozen=True)
class Trade:
    """Price of a rung that no clock measures.

    Attributes
    ----------
    needs : str
        Dependencies that the rung adds.
    portability : str
        Where the rung runs.
    planned, difficulty : str
        Difficulty as planned (``baseline.IDEAS``), and as it turned out.
    """

    needs: str
    portability: str
    planned: str
    difficulty: str


def _planned(step: str) -> str:
    """Return the planned difficulty of the idea that attacks a step."""
    return baseline.IDEAS[step].difficulty


TRADE_COLUMNS = [field.name for field in fields(Trade)]
"""Columns of ``ladder_costs`` that come from ``TRADES``."""

TRADES = {
    "reference": Trade("Pillow", "wherever Python runs", "-", "-"),
    "+ box filter": Trade("Numba", "where LLVM runs", _planned("box filter"), "low"),
    "+ luma": Trade("NumPy", "wherever NumPy runs", _planned("luma"), "low"),
    "+ DCT, compiled": Trade("Numba", "where LLVM runs", _planned("DCT"), "medium"),
    "+ certified integers": Trade(
        "a proof, BLAS", "IEEE 754 doubles", _planned("all arithmetic"), "high"
    ),
    "+ simplejpeg": Trade(
        "simplejpeg", "its wheels, else Pillow", _planned("open, decode"), "medium"
    ),
}
"""Rung -> its dependencies, portability and difficulty."""

FIRST_HASH = "import finhash, numpy; finhash.find_hash(numpy.zeros((9, 9, 3), numpy.uint8))"
"""Program that imports the package and computes one hash."""

LOAD = "from finhash.find import loading; loading.load()"
"""Program that loads FINd's compiled code."""

START_PROGRAMS = {
    "python": "pass",
    "import finhash": "import finhash",
    "find_hash": FIRST_HASH,
    "load": LOAD,
}
"""Programs for ``cold_start`` that separate the package's cost from the interpreter's."""

COMPILE_PROGRAMS = {"compile and load": LOAD}
"""Programs for ``cold_start`` with an empty compilation cache."""


FIRST_CALLS = """
import json, sys, time
from pathlib import Path
from finhash.study.cost.ladder import LADDER

seconds = {}
for rung, hash_file in LADDER.items():
    start = time.perf_counter()
    hash_file(Path(sys.argv[1]))
    seconds[rung] = time.perf_counter() - start
print(json.dumps(seconds))
"""
"""Program that prints the seconds of the first call of each rung, in order."""


def contenders(
    paths: Sequence[Path], per_sample: int
) -> tuple[dict[str, Callable[[], object]], dict[str, int]]:
    """Return functions for ``timing.time_calls`` that apply each rung to files.

    Parameters
    ----------
    paths : sequence of Path
        Image files. One call of a function handles all of them.
    per_sample : int
        Number of files that one call of a ``SLOW`` rung handles. Each call takes the next ones.

    Returns
    -------
    calls : dict
        Functions by rung.
    items : dict
        Numbers of files per call, by rung.
    """
    return _over_files(LADDER, SLOW, paths, per_sample)


def reverted_contenders(
    paths: Sequence[Path], per_sample: int
) -> tuple[dict[str, Callable[[], object]], dict[str, int]]:
    """Return functions and numbers as ``contenders``, for ``REVERTED`` and ``DEPLOYED``."""
    functions = {DEPLOYED: _deployed_file, **REVERTED}
    return _over_files(functions, SLOW_REVERTED, paths, per_sample)


def first_calls(path: Path, *, compiling: bool = True) -> pd.Series:
    """Return the seconds of each rung's first call in a fresh process.

    If ``compiling``, nothing is compiled before. The rungs run in order, so a rung compiles only
    what the rungs before it have not compiled.
    """
    return pd.Series(json.loads(_run(FIRST_CALLS, path, compiling=compiling)))


def kernel_contenders(paths: Sequence[Path]) -> dict[str, Callable[[], object]]:
    """Return functions for ``timing.time_calls`` that time sections of the way from file to hash.

    Parameters
    ----------
    paths : sequence of Path
        JPEG files. Every function handles all of them.

    Returns
    -------
    dict
        Functions by name. The PDQ kernel is included for comparison.
    """
    encoded = [path.read_bytes() for path in paths]
    pixels = [to_rgb(path) for path in paths]
    sections = {
        "file to hash": (methods.get("find").hash, paths),
        "file to pixels": (to_rgb, paths),
        "decode": (lambda data: simplejpeg.decode_jpeg(data, "RGB"), encoded),
        "decode, Pillow": (lambda data: to_rgb(open_image(data)), encoded),
        "kernel": (compiled.hash_rgb, pixels),
        "kernel, published order": (compiled.published_hash, pixels),
        "PDQ kernel": (pdqhash.compute, pixels),
    }
    return {name: timing.over(call, sources) for name, (call, sources) in sections.items()}


def ladder_costs(
    paths: Sequence[Path], timings: pd.DataFrame, reverted: pd.DataFrame, first: pd.Series
) -> pd.DataFrame:
    """Summarise what each rung of the ladder gains and costs.

    Parameters
    ----------
    paths : sequence of Path
        Image files on which bits are compared; memory is measured on the first.
    timings : DataFrame
        Result of ``timing.time_calls`` on ``contenders``.
    reverted : DataFrame
        Result of ``timing.time_calls`` on ``reverted_contenders``.
    first : Series
        Result of ``first_calls``.

    Returns
    -------
    DataFrame
        One row per rung:

        rung : str
            Name of the rung.
        ms, low_ms, high_ms : float
            Median and quartiles of the warm time per image, in milliseconds.
        times : float
            Time of the reference divided by that of the rung.
        step : float
            Time of the rung before divided by that of the rung; missing for the reference.
        alone : float
            Time of the deployed hash without this rung's optimisation, divided by the time of the
            deployed hash: what the optimisation is worth if all others are done.
        images, bits_changed : int
            Number of images, and of their bits that differ from the reference's hashes.
        peak_kB : float
            Peak memory of Python and NumPy, in kilobytes, without decoders.
        first_s : float
            Time of the first call with nothing compiled, in seconds.
        needs, portability, planned, difficulty : str
            Fields of ``Trade``.
    """
    expected = [_reference_file(path) for path in paths]
    warm = timings[timings["state"] == "warm"].groupby("contender")["seconds"]
    quartiles = warm.quantile([0.5, 0.25, 0.75]).unstack() * 1e3
    one_less = results.medians(reverted)
    alone = one_less.drop(DEPLOYED) / one_less[DEPLOYED]
    rows = []
    for rung, hash_file in LADDER.items():
        pairs = zip(map(hash_file, paths), expected, strict=True)
        changed = sum(int(np.bitwise_count(found ^ right).sum()) for found, right in pairs)
        peak = timing.traced_peak(partial(hash_file, paths[0])) / 1e3
        trade = astuple(TRADES[rung])
        rows.append((rung, *quartiles.loc[rung], len(paths), changed, peak, first[rung], *trade))
    measured = ["images", "bits_changed", "peak_kB", "first_s"]
    columns = ["rung", "ms", "low_ms", "high_ms", *measured, *TRADE_COLUMNS]
    table = pd.DataFrame(rows, columns=columns)
    table.insert(4, "times", table["ms"].iloc[0] / table["ms"])
    table.insert(5, "step", table["ms"].shift() / table["ms"])
    table.insert(6, "alone", table["rung"].map(alone))
    return table


def cold_start(
    programs: Mapping[str, str], repeats: int, *, compiling: bool = False
) -> pd.DataFrame:
    """Time fresh interpreters that run each program.

    Parameters
    ----------
    programs : mapping of str to str
        Source of the programs, by name.
    repeats : int
        Number of warm samples per program.
    compiling : bool
        Start each program with an empty compilation cache.

    Returns
    -------
    DataFrame
        Result of ``timing.time_calls``; ``seconds`` is the wall time of one interpreter.
    """
    calls = {name: partial(_run, code, compiling=compiling) for name, code in programs.items()}
    return timing.time_calls(calls, repeats)


def _run(program: str, *arguments: object, compiling: bool) -> str:
    """Run a program in a fresh interpreter and return what it prints.

    If ``compiling``, the interpreter finds no compiled code in Numba's cache.
    """
    command = [sys.executable, "-c", program, *map(str, arguments)]
    with tempfile.TemporaryDirectory() as empty:
        cache = {"NUMBA_CACHE_DIR": empty} if compiling else {}
        done = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | cache
        )
    return done.stdout


def _over_files(
    functions: Mapping[str, Callable[[Path], object]],
    slow: Sequence[str],
    paths: Sequence[Path],
    per_sample: int,
) -> tuple[dict[str, Callable[[], object]], dict[str, int]]:
    """Return functions that handle all files per call, or the next few if slow, and the numbers."""
    few = min(per_sample, len(paths))
    calls = {
        name: timing.in_turn(call, paths, few) if name in slow else timing.over(call, paths)
        for name, call in functions.items()
    }
    return calls, {name: few if name in slow else len(paths) for name in functions}
