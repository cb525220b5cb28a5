"""Cost of matching many hashes: joins, look-ups, clustering, forecasts."""

import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pandas as pd
from distributed import KilledWorker
from tqdm import tqdm

from finhash import cluster, hamming
from finhash.jobs import pairs
from finhash.jobs.table import HashTable
from finhash.study import timing
from finhash.study.accuracy import clustering
from finhash.study.cost import operations, parallel, peers
from finhash.study.data import simulated
from finhash.study.results import medians


@dataclass(frozen=True)
class Joined:
    """A set of hashes to join, ``uint8 [n, bytes]``, at each of ``radii``.

    If ``families`` are given, pairs are also counted by distance within and between them.
    """

    hashes: np.ndarray
    radii: Sequence[int]
    families: np.ndarray | None = None


def kernels(
    sets: Mapping[str, Joined], repeats: int, workers: Sequence[int] = (1, 2)
) -> pd.DataFrame:
    """Measure the throughput of joins and of the histogram of all pairs, in alternation.

    FAISS's flat index looks up a sample of m hashes in all n hashes, which counts as m n pairs.

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
            ``"histogram"`` (distances counted by family); or ``"FAISS flat"``.
        workers : int
            Number of threads.
        repeat : int
            Number of the sample, from 0.
        throughput : float
            Throughput in pairs per second: of all pairs of the set, whether or not they are
            compared.
    """
    calls, counted = {}, {}
    for (name, given), threads in itertools.product(sets.items(), workers):
        n, bits = len(given.hashes), 8 * given.hashes.shape[1]
        for radius, contender in itertools.product(given.radii, ("join", "exhaustive join")):
            key = (name, bits, radius, contender, threads)
            joined = peers.JOINS[f"finhash {contender}"]
            calls[key] = partial(joined, given.hashes, radius, threads)
            counted[key] = n * (n - 1) / 2
        if given.families is not None:
            key = (name, bits, 0, "histogram", threads)
            calls[key] = partial(
                hamming.pair_histogram, given.hashes, given.families, workers=threads
            )
            counted[key] = n * (n - 1) / 2
        # Every query costs the same, so about 2,000 of them are enough.
        queries = given.hashes[:: max(1, n // 2000)]
        for radius in given.radii:
            flat, _ = peers.CONTENDERS["FAISS flat"].build(given.hashes, radius, threads)
            key = (name, bits, radius, "FAISS flat", threads)
            calls[key] = partial(flat, queries)
            counted[key] = len(queries) * n
    timings = timing.time_calls(calls, repeats)
    warm = timings[timings["state"] == "warm"]
    rows = [
        (*row.contender, row.repeat, counted[row.contender] / row.seconds)
        for row in warm.itertuples()
    ]
    columns = ["set", "bits", "radius", "contender", "workers", "repeat", "throughput"]
    return pd.DataFrame(rows, columns=columns)


def by_threads(hashes: np.ndarray, radius: int, workers: Sequence[int] = (1, 2)) -> pd.DataFrame:
    """Measure the join of a large set, whose pairs are streamed, by number of threads.

    Returns
    -------
    DataFrame
        One row per number of threads:

        workers : int
            Number of threads.
        images : int
            Number of hashes.
        seconds : float
            Wall time, in seconds.
        pairs : int
            Number of pairs found.
    """
    rows = []
    for threads in tqdm(workers, "threads", unit="join", leave=False):
        with timing.stopwatch() as seconds:
            blocks = hamming.join_blocks(hashes, radius=radius, workers=threads)
            found = sum(len(i) for i, _, _ in blocks)
        rows.append((threads, len(hashes), seconds(), found))
    return pd.DataFrame(rows, columns=["workers", "images", "seconds", "pairs"])


def look_ups(
    hashes: np.ndarray, queries: np.ndarray, radius: int, repeats: int, workers: int
) -> pd.DataFrame:
    """Time look-ups of one query after another in a large gallery.

    Parameters
    ----------
    hashes : ndarray of uint8, shape (n, bytes)
        Hashes of the gallery.
    queries : ndarray of uint8, shape (m, bytes)
        Queries, asked one by one.
    radius : int
        Threshold, in bits.
    repeats : int
        Number of samples.
    workers : int
        Number of threads that lay out the gallery. Look-ups run on one.

    Returns
    -------
    DataFrame
        As from ``timing.time_calls``, in seconds per query. Contenders are ``"within the radius"``,
        ``"nearest"`` and ``"ten nearest"`` and, with ``", exhaustive"`` added, the look-ups in a
        gallery that is not grouped. ``"layout"`` and ``"layout, exhaustive"`` are the seconds to
        lay the gallery out.
    """
    singles = [queries[k : k + 1] for k in range(len(queries))]
    calls, layouts = {}, {}
    for suffix, grouped in (("", True), (", exhaustive", False)):
        make = partial(hamming.Gallery, hashes, grouped=grouped, workers=workers)
        gallery, layouts[f"layout{suffix}"] = make(), make
        looked_up = {
            "within the radius": partial(hamming.join, b=gallery, radius=radius),
            "nearest": partial(hamming.nearest, gallery=gallery, k=1),
            "ten nearest": partial(hamming.nearest, gallery=gallery, k=min(10, len(hashes))),
        }
        calls |= {f"{name}{suffix}": timing.over(c, singles) for name, c in looked_up.items()}
    found = timing.time_calls(calls, repeats, items=len(singles))
    return pd.concat([found, timing.time_calls(layouts, 1)], ignore_index=True)


KERNELS_PROGRAM = """
import os, tempfile
with tempfile.TemporaryDirectory() as os.environ["NUMBA_CACHE_DIR"]:
    import numpy as np
    from finhash import hamming
    from finhash.study import results, timing
    hashes = np.random.default_rng(1).integers(0, 256, ({number}, 32), dtype=np.uint8)
    calls = {{
        "join": lambda: hamming.join(hashes, radius={radius})[0].size,
        "histogram": lambda: hamming.pair_histogram(hashes, hashes[:, 0])[0].sum(),
    }}
    pairs = len(hashes) * (len(hashes) - 1) / 2
    for kernel, seconds in results.medians(timing.time_calls(calls, 3)).items():
        print(kernel, calls[kernel](), pairs / seconds)
"""
"""Program that compiles the kernels and prints the result and the throughput of each."""

COMPILED_ON = 30_000
"""Hashes that are clustered before the timed call. The join of so many is a pruned one."""

PAIR_FILES = "pairs-*.parquet"
"""Pattern of the names of pair files."""


def by_processor(names: Sequence[str], number: int, radius: int) -> pd.DataFrame:
    """Run the kernels compiled for other processors on this machine.

    Parameters
    ----------
    names : sequence of str
        ``"native"`` for this processor, or LLVM's names of processors. ``"haswell"`` and
        ``"x86-64"`` lack AVX-512.
    number : int
        Number of random hashes of 256 bits.
    radius : int
        Threshold of the join, in bits.

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
    for name in tqdm(names, "processors", unit="processor", leave=False):
        other = {} if name == "native" else {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": ""}
        program = KERNELS_PROGRAM.format(number=number, radius=radius)
        run = subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | other,
            capture_output=True,
            text=True,
            check=True,
        )
        for line in run.stdout.splitlines():
            kernel, found, throughput = line.split()
            rows.append((name, kernel, int(found), float(throughput)))
    return pd.DataFrame(rows, columns=["processor", "kernel", "found", "throughput"])


def on_a_cluster(table: HashTable, radius: int, block: int, workers: int) -> pd.DataFrame:
    """Compare joins of a table on threads and on a Dask cluster on this machine.

    The second join on the cluster loses one of its workers half way.

    Parameters
    ----------
    table : HashTable
        FINd hashes.
    radius : int
        Threshold, in bits.
    block : int
        Rows per block of the distributed join.
    workers : int
        Number of threads, and of Dask workers, at least 2.

    Returns
    -------
    DataFrame
        One row per join:

        where : str
            ``"threads"``, ``"Dask, loopback"`` or ``"Dask, one worker killed"``.
        seconds : float
            Wall time, without the start of the cluster, in seconds.
        calls : int
            Number of calls of ``join_table``. A call that fails is repeated.
        kept : int
            Number of pair files that were complete when the worker was killed.
        files : int
            Number of pair files in the end.
        bytes : int
            Size of these files, in bytes.
        pairs : int
            Number of pairs found.
        same : bool
            Whether the pairs are those found on threads.
    """
    hashes = table.hashes("find")
    with timing.stopwatch() as seconds:
        i, j, _ = hamming.join(hashes, radius=radius, workers=workers)
    expected = np.sort(i.astype(np.int64) * len(hashes) + j)
    rows = [("threads", seconds(), 1, 0, 0, 0, len(i), True)]
    with tempfile.TemporaryDirectory() as folder, parallel.loopback_cluster(workers) as running:
        options = {"executor": "dask", "scheduler": running.address, "progress": False}
        few = HashTable(table.arrow.slice(0, 1000))
        pairs.join_table(few, Path(folder) / "warm", radius=radius, block=100, **options)
        for name, victim in (
            ("Dask, loopback", None),
            ("Dask, one worker killed", running.workers[-1]),
        ):
            out = Path(folder) / name
            kept: list[int] = []
            killer = Thread(target=_kill_half_way, args=(victim, out, _files(table, block), kept))
            with timing.stopwatch() as seconds:
                if victim:
                    killer.start()
                calls = _join_until_done(table, out, radius=radius, block=block, **options)
            if victim:
                killer.join()
            found = [a * len(hashes) + b for a, b, _ in pairs.read_pairs(out)]
            found = np.sort(np.concatenate([np.empty(0, np.int64), *found]))
            sizes = [file.stat().st_size for file in out.glob(PAIR_FILES)]
            same = np.array_equal(found, expected)
            totals = len(sizes), sum(sizes), len(found)
            rows.append((name, seconds(), calls, sum(kept), *totals, same))
    columns = ["where", "seconds", "calls", "kept", "files", "bytes", "pairs", "same"]
    return pd.DataFrame(rows, columns=columns)


def cluster_jobs(
    hashes: np.ndarray,
    families: np.ndarray,
    numbers: Sequence[int],
    radii: Mapping[str, int],
    seed: int,
    workers: int,
) -> pd.DataFrame:
    """Measure the clustering of simulated sets of growing size, each in a fresh process.

    The images of a set are in random order.

    Parameters
    ----------
    hashes : ndarray of uint8, shape (n, bytes)
        Hashes from which the sets are simulated.
    families : ndarray of int, shape (n,)
        Family of each hash.
    numbers : sequence of int
        Sizes of the sets.
    radii : mapping of str to int
        Threshold of each algorithm, in bits.
    seed : int
        Seed of the simulation.
    workers : int
        Number of threads.

    Returns
    -------
    DataFrame
        One row per algorithm and size:

        algorithm : str
            Clustering algorithm: ``algorithm`` of ``cluster.families``.
        images : int
            Number of images in the set.
        seconds : float
            Wall time, in seconds.
        clusters : int
            Number of clusters found.
        f1 : float
            Pairwise F1 score against the simulated families.
        before, peak : int
            Resident memory before the simulation, and at the peak, in bytes.
    """
    rows = []
    for algorithm, radius in radii.items():
        for number in tqdm(numbers, algorithm, unit="set", leave=False):
            (seconds, labels), before, peak = timing.in_fresh_process(
                _cluster, hashes, number, radius, seed, algorithm, workers
            )
            found = clustering.scores(labels, simulated.families(families, number))
            quality = found["clusters"], found["f1"]
            rows.append((algorithm, number, seconds, *quality, before, peak))
    columns = ["algorithm", "images", "seconds", "clusters", "f1", "before", "peak"]
    return pd.DataFrame(rows, columns=columns)


def adding(
    hashes: np.ndarray, late: np.ndarray, radii: Mapping[str, int], workers: int
) -> pd.DataFrame:
    """Compare adding hashes to families with a run from scratch.

    Parameters
    ----------
    hashes : ndarray of uint8, shape (n, bytes)
        All hashes.
    late : ndarray of bool, shape (n,)
        Which of them come later.
    radii : mapping of str to int
        Threshold of each algorithm, in bits.
    workers : int
        Number of threads.

    Returns
    -------
    DataFrame
        One row per algorithm:

        algorithm : str
            Clustering algorithm.
        added : int
            Number of hashes that come later.
        seconds, seconds_again : float
            Wall time of adding them, and of a run from scratch, in seconds.
        clusters, clusters_again : int
            Number of clusters after adding, and from scratch.
        kept : float
            Share of the pairs together after adding that are together from scratch too.
        found : float
            Share of the pairs together from scratch that are together after adding too.
        same : bool
            Whether the clusters are the same.
    """
    rows, old, new = [], hashes[~late], hashes[late]
    both = np.concatenate([old, new])
    for algorithm, radius in radii.items():
        labels = cluster.families(old, radius, algorithm, workers=workers)
        cluster.add(old, labels, new, radius, algorithm, workers=workers)  # compiles
        with timing.stopwatch() as seconds:
            added = cluster.add(old, labels, new, radius, algorithm, workers=workers)
        with timing.stopwatch() as again:
            scratch = cluster.families(both, radius, algorithm, workers=workers)
        found = clustering.scores(added, scratch)
        numbers = len(np.unique(added)), len(np.unique(scratch))
        shares = found["precision"], found["recall"]
        rows.append((algorithm, len(new), seconds(), again(), *numbers, *shares, min(shares) == 1))
    columns = ["algorithm", "added", "seconds", "seconds_again", "clusters", "clusters_again"]
    return pd.DataFrame(rows, columns=[*columns, "kept", "found", "same"])


BYTES_PER_SECOND = 10e9 / 8
"""Assumed bandwidth of a network link of 10 Gbit/s, in bytes per second."""


def forecast(
    jobs: pd.DataFrame,
    numbers: Sequence[int],
    workers: int,
    *,
    pairs_per_image: float,
    bytes_per_pair: float,
    block: int = 2**22,
) -> pd.DataFrame:
    """Extrapolate the cost of clustering by components from the measured sets.

    Families are assumed to grow in number and to keep their size. The number of centres then grows
    with the number of images, and distances to centres with its square, so the time is
    extrapolated with the square from the largest measured set. The exponent that is fitted to all
    measured sets gives a second, lower estimate. The number of pairs grows with the number of
    images. If families grew in size instead, it would grow with the square.

    Parameters
    ----------
    jobs : DataFrame
        Result of ``cluster_jobs``.
    numbers : sequence of int
        Sizes of the sets.
    workers : int
        Number of threads in ``jobs``.
    pairs_per_image : float
        Number of pairs that come out, per image.
    bytes_per_pair : float
        Size of a pair in a pair file, in bytes.
    block : int
        Rows per block of ``finhash.jobs.pairs.join_table``.

    Returns
    -------
    DataFrame
        One row per size:

        images : int
            Number of images in the set.
        core_hours : float
            Time on one core by the square, in hours.
        core_hours_fitted : float
            Time on one core by the fitted exponent, in hours.
        dollars : float
            Price of ``core_hours`` in US dollars, at ``operations.DOLLARS_PER_CORE_HOUR``.
        bytes : int
            Memory of the streaming job: 84 bytes per image, for the hash in two layouts, its number
            and its label.
        pairs : float
            Number of pairs that come out.
        pair_bytes : float
            Size of the pair files, in bytes.
        network_bytes : float
            Bytes that cross the network: two blocks of hashes per pair of blocks, and the pair
            files, written and read once.
        network_hours : float
            Their time at ``BYTES_PER_SECOND`` on one link, in hours.
    """
    components = _components(jobs)
    largest = components.iloc[-1]
    table = pd.DataFrame({"images": numbers})
    images = table["images"].astype(float)
    per_hour = workers / 3600
    table["core_hours"] = (images / largest["images"]) ** 2 * largest["seconds"] * per_hour
    table["core_hours_fitted"] = _power_law(components, images) * per_hour
    table["dollars"] = table["core_hours"] * operations.DOLLARS_PER_CORE_HOUR
    table["bytes"] = table["images"] * 84
    table["pairs"] = images * pairs_per_image
    table["pair_bytes"] = table["pairs"] * bytes_per_pair
    blocks = np.ceil(images / block)
    hashes = 32 * images * (blocks + 1)
    table["network_bytes"] = np.where(blocks > 1, hashes, 0) + 2 * table["pair_bytes"]
    table["network_hours"] = table["network_bytes"] / BYTES_PER_SECOND / 3600
    return table


def check_forecast(jobs: pd.DataFrame) -> pd.DataFrame:
    """Predict each of the larger measured jobs from the smaller ones.

    Parameters
    ----------
    jobs : DataFrame
        Result of ``cluster_jobs``.

    Returns
    -------
    DataFrame
        One row per size of clustering by components, but for the smallest:

        images : int
            Number of images in the set.
        measured : float
            Wall time, in seconds.
        square : float
            Time predicted with the square from the next smaller set, in seconds.
        fitted : float
            Time predicted by the exponent of all smaller sets, in seconds; missing if there is
            only one.
    """
    components = _components(jobs)
    rows = []
    for k in range(1, len(components)):
        smaller, this = components.iloc[:k], components.iloc[k]
        before = smaller.iloc[-1]
        square = (this["images"] / before["images"]) ** 2 * before["seconds"]
        fitted = _power_law(smaller, this["images"]) if k > 1 else np.nan
        rows.append((int(this["images"]), this["seconds"], square, fitted))
    return pd.DataFrame(rows, columns=["images", "measured", "square", "fitted"])


def goal_values(
    speed: pd.DataFrame,
    radius: int,
    threads: pd.DataFrame,
    roof: pd.DataFrame,
    one: pd.DataFrame,
) -> dict[str, float]:
    """Return the measured values of ``goals.SEARCH``, by the name of the goal.

    Parameters
    ----------
    speed : DataFrame
        Result of ``kernels`` on the sets ``"shuffled"``, ``"harder"`` and ``"families of eight"``.
    radius : int
        FINd's radius, in bits. The join of ``"shuffled"`` was measured at it and at 50 bits.
    threads, roof, one : DataFrame
        Results of ``by_threads``, ``roofline.roofline`` and ``look_ups``.
    """
    single = speed[speed["workers"] == 1]
    rate = single.groupby(["set", "radius", "contender"])["throughput"].median()
    cases = {
        "FINd's radius": ("shuffled", radius),
        "50 bits": ("shuffled", 50),
        "harder set": ("harder", radius),
        "families of eight": ("families of eight", 60),
    }
    found = {
        f"join / FAISS flat, {name}": rate[*key, "join"] / rate[*key, "FAISS flat"]
        for name, key in cases.items()
    }
    seconds, looked_up = threads.set_index("workers")["seconds"], medians(one)
    found["join, 2 threads / 1 thread"] = seconds[1] / seconds[2]
    found["histogram / its roofline"] = roof.set_index("kernel")["share"]["histogram"]
    for name in ("within the radius", "nearest"):
        found[f"one image, {name}: exhaustive / gallery"] = (
            looked_up[f"{name}, exhaustive"] / looked_up[name]
        )
    return found


def _components(jobs: pd.DataFrame) -> pd.DataFrame:
    """Return the jobs of clustering by components, smallest first."""
    return jobs[jobs["algorithm"] == "components"].sort_values("images")


def _power_law(jobs: pd.DataFrame, images: float | pd.Series) -> float | pd.Series:
    """Return the seconds that a power law predicts which is fitted to the jobs' seconds."""
    slope, constant = np.polyfit(np.log(jobs["images"]), np.log(jobs["seconds"]), 1)
    return np.exp(constant + slope * np.log(images))


def _files(table: HashTable, block: int) -> int:
    """Return the number of pair files of a join of a table."""
    blocks = -(-len(table) // block)
    return blocks * (blocks + 1) // 2


def _kill_half_way(victim: subprocess.Popen | None, out: Path, files: int, kept: list[int]) -> None:
    """Kill a worker once half of the pair files are complete, and note their number."""
    while (complete := len(list(out.glob(PAIR_FILES)))) < files / 2:
        time.sleep(0.005)
    if victim:
        victim.kill()
    kept.append(complete)


def _join_until_done(table: HashTable, out: Path, **options: Any) -> int:  # noqa: ANN401
    """Join a table, again whenever the call fails; return the number of calls."""
    for call in range(1, 4):
        try:
            pairs.join_table(table, out, **options)
        except (KilledWorker, OSError):
            continue
        return call
    raise RuntimeError(f"the join into {out} failed three times")


def _cluster(
    hashes: np.ndarray, number: int, radius: int, seed: int, algorithm: str, workers: int
) -> tuple[float, np.ndarray]:
    """Cluster a simulated set in random order; return the seconds and the labels in its own."""
    order = np.random.default_rng(seed).permutation(number)
    many = simulated.hashes(hashes, number, seed)[order]
    # Compiles before the timed call; the pruned join is compiled too if there are enough hashes.
    cluster.families(many[:COMPILED_ON], radius, algorithm)
    start = time.perf_counter()
    labels = cluster.families(many, radius, algorithm, workers=workers)
    seconds = time.perf_counter() - start
    in_order = np.empty_like(labels)
    in_order[order] = labels
    return seconds, in_order
