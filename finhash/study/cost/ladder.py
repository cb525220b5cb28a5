"""From file to hash, one optimisation at a time: time, memory, bits changed."""

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import simplejpeg
from PIL import Image

from finhash import methods
from finhash.find import compiled, reference
from finhash.images import open_image, to_rgb
from finhash.study import results, timing
from finhash.study.cost import candidates


def _reference_file(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.packbits(reference.find_hash(image).hash)


def _interpreted_file(path: Path, luma: candidates.Luma) -> np.ndarray:
    """Compiled box filter, the rest of the reference still interpreted."""
    with Image.open(path) as image:
        samples = candidates.box_numba(luma(reference.shrink(image)))
    return np.packbits(np.array(reference.hash_bits(reference.dct_64_to_16(samples.tolist()))))


def _published_file(path: Path) -> np.ndarray:
    return compiled.published_hash(to_rgb(open_image(path)))


def _pillow_file(path: Path) -> np.ndarray:
    return compiled.hash_rgb(to_rgb(open_image(path)))


def _deployed_file(path: Path) -> np.ndarray:
    return compiled.hash_rgb(to_rgb(path, reuse=True))


LADDER: dict[str, Callable[[Path], np.ndarray]] = {
    "reference": _reference_file,
    "+ box filter": partial(_interpreted_file, luma=candidates.luma_getpixel),
    "+ luma": partial(_interpreted_file, luma=candidates.luma_channels),
    "+ DCT, compiled": _published_file,
    "+ certified integers": _pillow_file,
    "+ simplejpeg": _deployed_file,
}
"""File to hash, one optimisation more a rung."""


NEEDS = {
    "reference": "Pillow",
    "+ box filter": "Numba",
    "+ luma": "NumPy",
    "+ DCT, compiled": "Numba",
    "+ certified integers": "a proof; BLAS",
    "+ simplejpeg": "simplejpeg",
}
"""What each rung of the ladder asks for beyond the one above it."""


def kernel_contenders(paths: Sequence[Path]) -> dict[str, Callable[[], object]]:
    """Parts of the way from file to hash, each timing.over all of ``paths``, and PDQ's kernel."""
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
    return {name: timing.over(call, sources) for name, (call, sources) in steps_.items()}


def ladder_costs(path: Path, timings: pd.DataFrame) -> pd.DataFrame:
    """What each rung of the ladder costs: ``rung, ms, cold_ms, bits_changed, peak_kB, needs``.

    ``timings`` are those of the ladder; ``bits_changed`` is against the reference, on one file;
    ``peak_kB`` is Python's and NumPy's memory, without decoders and compiled code.
    """
    expected = LADDER["reference"](path)
    cold = timings[timings["state"] == "cold"].set_index("contender")["seconds"]
    warm = results.medians(timings)
    rows = []
    for rung, hash_file in LADDER.items():
        changed = int(np.bitwise_count(hash_file(path) ^ expected).sum())
        peak = timing.traced_peak(lambda hash_file=hash_file: hash_file(path)) / 1e3
        rows.append((rung, warm[rung] * 1e3, cold[rung] * 1e3, changed, peak, NEEDS[rung]))
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
    return timing.time_calls(calls, repeats)
