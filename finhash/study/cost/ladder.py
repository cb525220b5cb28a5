"""Cost from file to hash, one optimisation after another: time, memory, changed bits."""

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
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
from finhash.study.cost import candidates


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

NEEDS = {
    "reference": "Pillow",
    "+ box filter": "Numba",
    "+ luma": "NumPy",
    "+ DCT, compiled": "Numba",
    "+ certified integers": "a proof; BLAS",
    "+ simplejpeg": "simplejpeg",
}
"""Dependencies that each rung adds."""

FIRST_HASH = "import finhash, numpy; finhash.find_hash(numpy.zeros((9, 9, 3), numpy.uint8))"
"""Program that imports the package and computes one hash."""

START_PROGRAMS = {
    "python": "pass",
    "import finhash": "import finhash",
    "find_hash": FIRST_HASH,
}
"""Programs for ``cold_start`` that separate the package's cost from the interpreter's."""

COMPILE_PROGRAMS = {
    "find_hash, not yet compiled": (
        "import os, tempfile\n"
        "with tempfile.TemporaryDirectory() as os.environ['NUMBA_CACHE_DIR']:\n"
        f"    {FIRST_HASH}"
    ),
}
"""Programs for ``cold_start`` with an empty compilation cache."""


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


def ladder_costs(path: Path, timings: pd.DataFrame) -> pd.DataFrame:
    """Summarise the cost of each rung of the ladder.

    Parameters
    ----------
    path : Path
        Image file on which bits and memory are measured.
    timings : DataFrame
        Result of ``timing.time_calls`` on ``LADDER``.

    Returns
    -------
    DataFrame
        One row per rung:

        rung : str
            Name of the rung.
        ms : float
            Median warm time per image, in milliseconds.
        cold_ms : float
            Time of the first call per image, in milliseconds.
        bits_changed : int
            Number of bits that differ from the reference's hash.
        peak_kB : float
            Peak memory of Python and NumPy, in kilobytes, without decoders.
        needs : str
            Dependencies that the rung adds.
    """
    expected = LADDER["reference"](path)
    cold = timings[timings["state"] == "cold"].set_index("contender")["seconds"]
    warm = results.medians(timings)
    rows = []
    for rung, hash_file in LADDER.items():
        changed = int(np.bitwise_count(hash_file(path) ^ expected).sum())
        peak = timing.traced_peak(partial(hash_file, path)) / 1e3
        rows.append((rung, warm[rung] * 1e3, cold[rung] * 1e3, changed, peak, NEEDS[rung]))
    return pd.DataFrame(rows, columns=["rung", "ms", "cold_ms", "bits_changed", "peak_kB", "needs"])


def goal_values(ladder: pd.Series, kernel: pd.Series) -> dict[str, float]:
    """Return the measured ratios of ``goals.LADDER``, by the name of the goal.

    Parameters
    ----------
    ladder : Series
        Median seconds of ``LADDER`` and of the methods that it is compared with, by name.
    kernel : Series
        Median seconds of ``kernel_contenders``, by name.
    """
    deployed = ladder["+ simplejpeg"]
    return {
        "reference / file to hash": ladder["reference"] / deployed,
        "kernel / decoding": kernel["kernel"] / kernel["decode"],
        "file to hash / file to pixels": kernel["file to hash"] / kernel["file to pixels"],
        "kernel / PDQ's kernel": kernel["kernel"] / kernel["PDQ kernel"],
        "file to hash / aHash 64": deployed / ladder["ahash64"],
        "file to hash / pHash 64": deployed / ladder["phash64"],
        "file to hash / dHash 64": deployed / ladder["dhash64"],
        "file to hash / wHash 64": deployed / ladder["whash64"],
    }


def cold_start(programs: Mapping[str, str], repeats: int) -> pd.DataFrame:
    """Time fresh interpreters that run each program.

    Parameters
    ----------
    programs : mapping of str to str
        Source of the programs, by name.
    repeats : int
        Number of warm samples per program.

    Returns
    -------
    DataFrame
        Result of ``timing.time_calls``; ``seconds`` is the wall time of one interpreter.
    """
    calls = {
        name: lambda code=code: subprocess.run([sys.executable, "-c", code], check=True)
        for name, code in programs.items()
    }
    return timing.time_calls(calls, repeats)
