"""Cost of matching many hashes: joins, compared with other ways to find pairs, and look-ups.

Clustering is measured in ``search_clusters``; ``search_model`` extrapolates its cost.
"""

import itertools
import math
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import faiss
import imagehash
import numpy as np
import pandas as pd
from tqdm import tqdm

from finhash import hamming
from finhash.study import timing
from finhash.study.cost import peers

QUERIES = 2000
"""Queries whose comparison with all hashes is timed. Every query costs the same."""

LOOP = 300
"""Hashes whose pairs are compared by a Python loop. Every pair costs the same."""

JOINS = {"join": peers.finhash_join, "exhaustive join": peers.exhaustive_join}
"""finhash's joins by the name that tables show."""


@dataclass(frozen=True)
class Joined:
    """A set of hashes to join, ``uint8 [n, bytes]``, at each of ``radii``.

    If ``families`` are given, pairs are also counted by distance within and between them. If
    ``plain`` is true, pairs are also compared as without finhash: one by one, and with NumPy.
    """

    hashes: np.ndarray
    radii: Sequence[int]
    families: np.ndarray | None = None
    plain: bool = False


def kernels(
    sets: Mapping[str, Joined], repeats: int, workers: Sequence[int] = (1,)
) -> pd.DataFrame:
    """Measure the throughput of joins and of the histogram of all pairs, in alternation.

    FAISS's flat index and NumPy compare a sample of m hashes with all n hashes, which counts as
    m n pairs. The Python loop compares all pairs of a sample.

    Parameters
    ----------
    sets : mapping of str to Joined
        Sets by name.
    repeats : int
        Number of samples per contender.
    workers : sequence of int
        Numbers of threads.

    Returns
    -------
    DataFrame
        One row per sample:

        set : str
            Name of the set.
        bits : int
            Width of the hashes, in bits.
        radius : int
            Threshold, in bits; 0 for the histogram, which has none.
        contender : str
            ``"join"``, which leaves out pairs; ``"exhaustive join"``, which compares all;
            ``"histogram"`` (distances counted by family); ``"FAISS flat"``; and for plain sets
            ``"NumPy"`` and ``"imagehash"`` (see ``imagehash_loop``), on one thread.
        workers : int
            Number of threads.
        repeat : int
            Number of the sample, from 0.
        throughput : float
            Throughput in pairs per second: of all pairs of the set, whether or not they are
            compared.
    """
    calls: dict[tuple, Callable[[], object]] = {}
    counted = {}
    for (name, given), threads in itertools.product(sets.items(), workers):
        n, bits = len(given.hashes), 8 * given.hashes.shape[1]
        every = n * (n - 1) / 2
        queries = given.hashes[:: max(1, n // QUERIES)]
        for radius in given.radii:
            for contender, join in JOINS.items():
                key = (name, bits, radius, contender, threads)
                calls[key], counted[key] = partial(join, given.hashes, radius, threads), every
            flat, _ = peers.CONTENDERS["FAISS flat"].build(given.hashes, radius, threads)
            key = (name, bits, radius, "FAISS flat", threads)
            calls[key], counted[key] = partial(flat, queries), len(queries) * n
            if given.plain and threads == 1:
                key, some = (
                    (name, bits, radius, "NumPy", 1),
                    queries[:: max(1, len(queries) // 100)],
                )
                scan, _ = peers.numpy_scan(given.hashes, radius, 1)
                calls[key], counted[key] = partial(scan, some), len(some) * n
                key, some = (name, bits, radius, "imagehash", 1), given.hashes[:LOOP]
                calls[key] = partial(imagehash_loop, imagehash_objects(some), radius)
                counted[key] = len(some) * (len(some) - 1) / 2
        if given.families is not None:
            key = (name, bits, 0, "histogram", threads)
            counting = partial(hamming.pair_histogram, given.hashes, given.families)
            calls[key], counted[key] = partial(counting, workers=threads), every
    timings = timing.time_calls(calls, repeats)
    warm = timings[timings["state"] == "warm"]
    rows = [
        (*row.contender, row.repeat, counted[row.contender] / row.seconds)
        for row in warm.itertuples()
    ]
    columns = ["set", "bits", "radius", "contender", "workers", "repeat", "throughput"]
    return pd.DataFrame(rows, columns=columns)


def imagehash_objects(hashes: np.ndarray) -> list[imagehash.ImageHash]:
    """Return packed hashes as square hashes of ``imagehash``."""
    side = math.isqrt(8 * hashes.shape[1])
    bits = np.unpackbits(hashes, axis=1).astype(bool)
    return [imagehash.ImageHash(each) for each in bits.reshape(-1, side, side)]


def imagehash_loop(hashes: Sequence[Any], radius: int) -> list[tuple[int, int]]:
    """Return the pairs within the radius, found by a Python loop over ``a - b``.

    >>> some = imagehash_objects(np.array([[0] * 8, [255] * 8, [1] + [0] * 7], np.uint8))
    >>> imagehash_loop(some, 5)
    [(0, 2)]
    """
    return [
        (i, j)
        for i in range(len(hashes))
        for j in range(i + 1, len(hashes))
        if hashes[i] - hashes[j] <= radius
    ]


LADDER = {
    "imagehash": "imagehash, a - b in a loop",
    "NumPy": "NumPy, XOR and bit counts",
    "FAISS flat": "FAISS flat",
    "exhaustive join": "finhash, all pairs compared",
    "join": "finhash join",
}
"""Contender of ``kernels`` -> label in ``ladder``, from the simplest to the deployed one."""


def ladder(speed: pd.DataFrame, name: str, radius: int) -> pd.DataFrame:
    """Tabulate the throughput of ever faster ways to find all pairs of one set, on one core.

    Parameters
    ----------
    speed : DataFrame
        Result of ``kernels``.
    name : str
        Set, which must be a plain one.
    radius : int
        Threshold, in bits.

    Returns
    -------
    DataFrame
        One row per contender of ``LADDER``, in its order:

        contender : str
            Label.
        pairs_per_second : float
            Median of the samples.
        low, high : float
            Slowest and fastest sample, in pairs per second.
        times : float
            Multiple of the first contender's median.
    """
    chosen = speed.query("set == @name and radius == @radius and workers == 1")
    rates = chosen.groupby("contender")["throughput"].agg(["median", "min", "max"]).loc[[*LADDER]]
    rates.columns = ["pairs_per_second", "low", "high"]
    rates["times"] = rates["pairs_per_second"] / rates["pairs_per_second"].iloc[0]
    return rates.rename(index=LADDER).rename_axis("contender").reset_index()


def ratios(speed: pd.DataFrame) -> pd.DataFrame:
    """Divide the throughput of finhash's joins by that of FAISS's flat index, on one core.

    Samples of one repeat were taken in turn, so a ratio is formed within each repeat.

    Parameters
    ----------
    speed : DataFrame
        Result of ``kernels``.

    Returns
    -------
    DataFrame
        One row per set, radius and join:

        set : str
            Name of the set.
        radius : int
            Threshold, in bits.
        contender : str
            ``"join"`` or ``"exhaustive join"``.
        ratio : float
            Median of the repeats.
        low, high : float
            Smallest and largest ratio of a repeat.
    """
    single = speed[speed["workers"] == 1]
    wide = single.pivot_table(
        index=["set", "radius", "repeat"], columns="contender", values="throughput", sort=False
    )
    times = wide[[*JOINS]].div(wide["FAISS flat"], axis=0).dropna()
    long = times.stack().rename("ratio").reset_index()
    found = long.groupby(["set", "radius", "contender"], sort=False)["ratio"]
    found = found.agg(ratio="median", low="min", high="max")
    return found.reset_index()


def by_threads(
    hashes: np.ndarray, radius: int, repeats: int, workers: Sequence[int] = (1, 2)
) -> pd.DataFrame:
    """Measure the join of a large set, whose pairs are streamed, by number of threads.

    Returns
    -------
    DataFrame
        One row per sample:

        workers : int
            Number of threads.
        images : int
            Number of hashes.
        repeat : int
            Number of the sample, from 0.
        seconds : float
            Wall time, in seconds.
        pairs : int
            Number of pairs found.
    """
    found = {}

    def join(threads: int) -> None:
        blocks = hamming.join_blocks(hashes, radius=radius, workers=threads)
        found[threads] = sum(len(i) for i, _, _ in blocks)

    timings = timing.time_calls({each: partial(join, each) for each in workers}, repeats)
    warm = timings[timings["state"] == "warm"].rename(columns={"contender": "workers"})
    warm = warm.assign(images=len(hashes), pairs=warm["workers"].map(found))
    return warm[["workers", "images", "repeat", "seconds", "pairs"]].reset_index(drop=True)


def look_ups(
    hashes: np.ndarray,
    queries: np.ndarray,
    singles: int,
    radius: int,
    repeats: int,
    workers: int,
) -> pd.DataFrame:
    """Time look-ups in a large gallery, by finhash and by FAISS's flat index.

    Parameters
    ----------
    hashes : ndarray of uint8, shape (n, bytes)
        Hashes of the gallery.
    queries : ndarray of uint8, shape (m, bytes)
        Queries of a batch.
    singles : int
        Number of queries that are also asked one by one.
    radius : int
        Threshold, in bits.
    repeats : int
        Number of samples.
    workers : int
        Number of threads that lay out the gallery. Look-ups run on one.

    Returns
    -------
    DataFrame
        As from ``timing.time_calls``, in seconds per query. Contenders are ``"within the radius"``
        and ``"nearest"``, one query after another, and ``"batch"``, within the radius; each with
        ``", exhaustive"`` added in a gallery that is not grouped, and with ``", FAISS flat"`` in
        that index. ``"layout"`` is the time to lay out the grouped gallery once,
        in seconds.
    """
    hamming.Gallery(hashes[: len(hashes) // 10], workers=workers)  # compiles
    with timing.stopwatch() as seconds:
        grouped = hamming.Gallery(hashes, workers=workers)
    one_by_one = [queries[k : k + 1] for k in range(min(singles, len(queries)))]
    galleries = {
        "": _in_gallery(grouped, radius),
        ", exhaustive": _in_gallery(hamming.Gallery(hashes, grouped=False), radius),
        ", FAISS flat": _in_flat_index(hashes, radius),
    }
    single, batch = {}, {}
    for suffix, calls in galleries.items():
        for name, call in calls.items():
            single[f"{name}{suffix}"] = timing.over(call, one_by_one)
        batch[f"batch{suffix}"] = partial(calls["within the radius"], queries)
    return pd.concat(
        [
            timing.time_calls(single, repeats, items=len(one_by_one)),
            timing.time_calls(batch, repeats, items=len(queries)),
            pd.DataFrame(
                {"contender": ["layout"], "state": "warm", "repeat": 0, "seconds": seconds()}
            ),
        ],
        ignore_index=True,
    )


KERNELS_PROGRAM = """
import numpy as np
from finhash import hamming
from finhash.study import results, timing
hashes = np.random.default_rng(1).integers(0, 256, ({number}, 32), dtype=np.uint8)
hashes[::100] = hashes[0]
calls = {{
    "join": lambda: hamming.join(hashes, radius={radius})[0].size,
    "histogram": lambda: hamming.pair_histogram(hashes, hashes[:, 0])[0].sum(),
}}
pairs = len(hashes) * (len(hashes) - 1) / 2
for kernel, seconds in results.medians(timing.time_calls(calls, {repeats})).items():
    print(kernel, calls[kernel](), pairs / seconds)
"""
"""Program that compiles the kernels and prints the result and the throughput of each."""


def by_processor(names: Sequence[str], number: int, radius: int, repeats: int = 3) -> pd.DataFrame:
    """Run the kernels compiled for other processors on this machine, on random hashes.

    Every hundredth hash is the same, so that the join finds pairs. Numba keeps the machine code of
    each processor apart.

    Parameters
    ----------
    names : sequence of str
        ``"native"`` for this processor, or LLVM's names of processors. ``"haswell"`` and
        ``"x86-64"`` lack AVX-512.
    number : int
        Number of random hashes of 256 bits. From about 23,000 on, a further kernel is compiled,
        that of the pruned join.
    radius : int
        Threshold of the join, in bits.
    repeats : int
        Number of samples; the median counts.

    Returns
    -------
    DataFrame
        One row per processor and kernel:

        processor : str
            Name of the processor.
        kernel : str
            ``"join"`` or ``"histogram"``.
        found : int
            Number of pairs found or counted, which must be equal for all processors.
        throughput : float
            Throughput in pairs per second.
    """
    rows = []
    program = KERNELS_PROGRAM.format(number=number, radius=radius, repeats=repeats)
    for name in tqdm(names, "processors", unit="processor", leave=False):
        other = {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": ""}
        run = subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | ({} if name == "native" else other),
            capture_output=True,
            text=True,
            check=True,
        )
        for line in run.stdout.splitlines():
            kernel, found, throughput = line.split()
            rows.append((name, kernel, int(found), float(throughput)))
    return pd.DataFrame(rows, columns=["processor", "kernel", "found", "throughput"])


def _in_gallery(gallery: hamming.Gallery, radius: int) -> dict[str, Callable]:
    """Return the look-ups of queries in a gallery, by the name that tables show."""
    return {
        "within the radius": partial(hamming.join, b=gallery, radius=radius),
        "nearest": partial(hamming.nearest, gallery=gallery, k=1),
    }


def _in_flat_index(hashes: np.ndarray, radius: int) -> dict[str, Callable]:
    """Return the look-ups of queries in FAISS's flat index, by the name that tables show."""
    faiss.omp_set_num_threads(1)
    index = faiss.IndexBinaryFlat(8 * hashes.shape[1])
    index.add(hashes)
    return {
        "within the radius": lambda queries: peers.faiss_rows(index, queries, radius),
        "nearest": partial(index.search, k=1),
    }
