"""What each hash costs: from file and from pixels, in memory, on all cores, as pictures grow."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
from PIL import Image
from tqdm import tqdm

from finhash import hamming, methods
from finhash.images import Source, open_image
from finhash.jobs.table import HashTable
from finhash.study import results, timing
from finhash.study.data import memes


def times(paths: Sequence[Path], names: Sequence[str], repeats: int) -> pd.DataFrame:
    """Seconds a picture from file and from pixels: ``contender, start, state, repeat, seconds``.

    From pixels, every method gets the same decoded ``PIL.Image``. All alternate.
    """
    pixels = [open_image(path).convert("RGB") for path in paths]
    contenders = {
        (name, start): _over(name, sources)
        for name in names
        for start, sources in (("file", paths), ("pixels", pixels))
    }
    timings = timing.time_calls(contenders, repeats, items=len(paths))
    contender, start = zip(*timings["contender"], strict=True)
    return timings.assign(contender=contender, start=start)


def cpu_share(paths: Sequence[Path], names: Sequence[str]) -> pd.DataFrame:
    """Processor over wall seconds, from file: ``method, share``; above 1 if threads help."""
    rows = []
    for name in names:
        call = _over(name, paths)
        call()
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        rows.append((name, (time.process_time() - cpu) / (time.perf_counter() - wall)))
    return pd.DataFrame(rows, columns=["method", "share"])


def memory(images: Mapping[int, Image.Image], names: Sequence[str]) -> pd.DataFrame:
    """Peak bytes of Python and NumPy while one picture is hashed: ``method, side, bytes``.

    From pixels that are there already; what decoders and Pillow hold is not seen.
    """
    rows = [
        (name, side, timing.traced_peak(lambda name=name, image=image: _hash(name, [image])))
        for name in names
        for side, image in images.items()
    ]
    return pd.DataFrame(rows, columns=["method", "side", "bytes"])


def throughput(
    paths: Sequence[Path], names: Sequence[str], workers: int, repeats: int
) -> pd.DataFrame:
    """Pictures a second, file to hash, by processes that have started: ``method, repeat, rate``."""
    chunks = [paths[k :: 4 * workers] for k in range(4 * workers)]
    rows = []
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        for repeat in tqdm(range(-1, repeats), "throughput", unit="round", leave=False):
            for name in names:
                start = time.perf_counter()
                list(pool.map(_hash, [name] * len(chunks), chunks))
                if repeat >= 0:  # in the first round workers import and compile
                    rows.append((name, repeat, len(paths) / (time.perf_counter() - start)))
    return pd.DataFrame(rows, columns=["method", "repeat", "rate"])


def growth(images: Mapping[int, Image.Image], names: Sequence[str], repeats: int) -> pd.DataFrame:
    """Seconds from JPEG bytes by side of a square picture: ``method, side, repeat, seconds``."""
    parts = []
    for side, image in images.items():
        encoded = memes.jpeg(image)
        contenders = {name: _over(name, [encoded]) for name in names}
        timings = timing.time_calls(contenders, repeats)
        warm = timings[timings["state"] == "warm"].rename(columns={"contender": "method"})
        parts.append(warm.drop(columns="state").assign(side=side))
    return pd.concat(parts, ignore_index=True)


def matching(
    table: HashTable, radii: Mapping[str, int], repeats: int, *, workers: int = 1
) -> pd.DataFrame:
    """Seconds in which all pictures are joined within a radius: ``contender, ..., seconds``."""
    hashes = {name: table.hashes(name) for name in radii}
    contenders = {
        name: lambda name=name: hamming.join(hashes[name], radius=radii[name], workers=workers)
        for name in radii
    }
    return timing.time_calls(contenders, repeats)


def summary(
    timings: pd.DataFrame, rates: pd.DataFrame, shares: pd.DataFrame, peaks: pd.DataFrame
) -> pd.DataFrame:
    """A row a method: bytes a hash, milliseconds, processor share, kilobytes, rate on all cores."""
    seconds = {start: results.medians(part) * 1e3 for start, part in timings.groupby("start")}
    table = pd.DataFrame({"ms_file": seconds["file"], "ms_pixels": seconds["pixels"]})
    table.insert(0, "bytes", [methods.get(name).bits // 8 for name in table.index])
    table["cpu"] = shares.set_index("method")["share"]
    table["peak_kB"] = (
        peaks[peaks["side"] == peaks["side"].min()].set_index("method")["bytes"] / 1e3
    )
    table["rate"] = rates.groupby("method")["rate"].median()
    return table.rename_axis("method").reset_index()


def _over(name: str, sources: Sequence[Source]) -> Callable[[], None]:
    return lambda: _hash(name, sources)


def _hash(name: str, sources: Sequence[Source]) -> None:
    hash_one = methods.get(name).hash
    for source in sources:
        hash_one(source)
