"""Cost of every hash method: time, memory, growth with size, matching."""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import pandas as pd
from PIL import Image

from finhash import hamming, methods
from finhash.find import loading
from finhash.images import open_image
from finhash.study import results, timing
from finhash.study.data import memes
from finhash.tables.hash_table import HashTable


def times(paths: Sequence[Path], names: Sequence[str], repeats: int) -> pd.DataFrame:
    """Time every method from file and from decoded pixels, in alternation.

    From pixels, every method gets the same decoded ``PIL.Image``.

    Parameters
    ----------
    paths : sequence of Path
        Images to hash.
    names : sequence of str
        Methods of ``finhash.methods``.
    repeats : int
        Number of warm samples per method.

    Returns
    -------
    DataFrame
        One row per sample:

        contender : str
            Name of the method.
        start : str
            ``"file"`` or ``"pixels"``.
        state : str
            ``"cold"`` for the first call, else ``"warm"``.
        repeat : int
            Number of the sample, from 0.
        seconds : float
            Wall time per image, in seconds.
    """
    pixels = [open_image(path).convert("RGB") for path in paths]
    contenders = {
        (name, start): timing.over(methods.get(name).hash, sources)
        for name in names
        for start, sources in (("file", paths), ("pixels", pixels))
    }
    timings = timing.time_calls(contenders, repeats, items=len(paths))
    contender, start = zip(*timings["contender"], strict=True)
    return timings.assign(contender=contender, start=start)


def cpu_share(paths: Sequence[Path], names: Sequence[str]) -> pd.DataFrame:
    """Measure the CPU time per wall time of every method, from file.

    Parameters
    ----------
    paths : sequence of Path
        Images to hash.
    names : sequence of str
        Methods of ``finhash.methods``.

    Returns
    -------
    DataFrame
        One row per method:

        method : str
            Name of the method.
        share : float
            CPU seconds divided by wall seconds; above 1 if the method uses several threads.
    """
    loading.load()
    rows = []
    for name in names:
        call = timing.over(methods.get(name).hash, paths)
        call()
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        rows.append((name, (time.process_time() - cpu) / (time.perf_counter() - wall)))
    return pd.DataFrame(rows, columns=["method", "share"])


def memory(images: Mapping[int, Image.Image], names: Sequence[str]) -> pd.DataFrame:
    """Measure the peak memory of hashing one decoded image.

    Only allocations of Python and NumPy are traced, not those of Pillow.

    Parameters
    ----------
    images : mapping of int to Image
        Images by their side in pixels.
    names : sequence of str
        Methods of ``finhash.methods``.

    Returns
    -------
    DataFrame
        One row per method and image:

        method : str
            Name of the method.
        side : int
            Side of the image, in pixels.
        bytes : int
            Peak memory, in bytes.
    """
    rows = [
        (name, side, timing.traced_peak(partial(methods.get(name).hash, image)))
        for name in names
        for side, image in images.items()
    ]
    return pd.DataFrame(rows, columns=["method", "side", "bytes"])


def growth(images: Mapping[int, Image.Image], names: Sequence[str], repeats: int) -> pd.DataFrame:
    """Time every method on JPEG images of growing size.

    Parameters
    ----------
    images : mapping of int to Image
        Images by their side in pixels.
    names : sequence of str
        Methods of ``finhash.methods``.
    repeats : int
        Number of samples per method and image.

    Returns
    -------
    DataFrame
        One row per sample:

        method : str
            Name of the method.
        repeat : int
            Number of the sample, from 0.
        seconds : float
            Wall time per image, from JPEG bytes in memory to the hash, in seconds.
        side : int
            Side of the image, in pixels.
    """
    tables = []
    for side, image in images.items():
        encoded = memes.jpeg(image)
        contenders = {name: timing.over(methods.get(name).hash, [encoded]) for name in names}
        timings = timing.time_calls(contenders, repeats)
        warm = timings[timings["state"] == "warm"].rename(columns={"contender": "method"})
        tables.append(warm.drop(columns="state").assign(side=side))
    return pd.concat(tables, ignore_index=True)


def matching(
    table: HashTable, radii: Mapping[str, int], repeats: int, *, workers: int = 1
) -> pd.DataFrame:
    """Time the join of all hashes of a table, method by method.

    Parameters
    ----------
    table : HashTable
        Hashes of every method in ``radii``.
    radii : mapping of str to int
        Threshold of each method, in bits.
    repeats : int
        Number of warm samples per method.
    workers : int
        Number of threads.

    Returns
    -------
    DataFrame
        Result of ``timing.time_calls``; ``contender`` is the method, ``seconds`` the time per join.
    """
    hashes = {name: table.hashes(name) for name in radii}
    contenders = {
        name: lambda name=name: hamming.join(hashes[name], radius=radii[name], workers=workers)
        for name in radii
    }
    return timing.time_calls(contenders, repeats)


def summary(timings: pd.DataFrame, shares: pd.DataFrame, peaks: pd.DataFrame) -> pd.DataFrame:
    """Summarise the cost of every method.

    Parameters
    ----------
    timings, shares, peaks : DataFrame
        Results of ``times``, ``cpu_share`` and ``memory``.

    Returns
    -------
    DataFrame
        One row per method:

        method : str
            Name of the method.
        bytes : int
            Size of a hash, in bytes.
        ms_file, ms_pixels : float
            Median time per image, from file and from pixels, in milliseconds.
        cpu : float
            CPU seconds divided by wall seconds.
        peak_kB : float
            Peak memory on the smallest image, in kilobytes.
    """
    seconds = {start: results.medians(rows) * 1e3 for start, rows in timings.groupby("start")}
    table = pd.DataFrame({"ms_file": seconds["file"], "ms_pixels": seconds["pixels"]})
    table.insert(0, "bytes", [methods.get(name).bits // 8 for name in table.index])
    table["cpu"] = shares.set_index("method")["share"]
    smallest = peaks[peaks["side"] == peaks["side"].min()]
    table["peak_kB"] = smallest.set_index("method")["bytes"] / 1e3
    return table.rename_axis("method").reset_index()
