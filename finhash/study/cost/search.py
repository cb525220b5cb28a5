"""Cost of matching many hashes: the deployed kernels and other indexes, clustering, forecasts."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np
import pandas as pd
import pybktree
from tqdm import tqdm

from finhash import cluster, hamming
from finhash.jobs import pairs
from finhash.jobs.table import HashTable
from finhash.study import project, timing
from finhash.study.accuracy import clustering
from finhash.study.cost import operations, parallel
from finhash.study.data import simulated

Search = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Function from queries, ``uint8 [m, bytes]``, to matching rows of queries and of the gallery."""


@dataclass(frozen=True)
class Contender:
    """Search algorithm that finds all gallery hashes within a radius.

    ``build(gallery, radius)`` returns the search function and the size of its index in bytes. Slow
    searches get only the first ``queries`` queries.
    """

    build: Callable[[np.ndarray, int], tuple[Search, int]]
    queries: int = 10**9


def scan(gallery: np.ndarray, radius: int) -> tuple[Search, int]:
    """Return the deployed search on one core, and the size of its gallery in bytes."""
    laid_out = hamming.Gallery(gallery)
    return lambda q: hamming.join(q, laid_out, radius=radius)[:2], laid_out.words.nbytes


def numpy_scan(gallery: np.ndarray, radius: int) -> tuple[Search, int]:
    """Return a search with NumPy, one query at a time, and the size of its gallery in bytes."""
    words = gallery.view(np.uint64)

    def search(queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = [
            np.flatnonzero(np.bitwise_count(words ^ query).sum(axis=1) <= radius)
            for query in queries.view(np.uint64)
        ]
        return np.repeat(np.arange(len(found)), [len(f) for f in found]), np.concatenate(found)

    return search, gallery.nbytes


def bk_tree(gallery: np.ndarray, radius: int) -> tuple[Search, int]:
    """Return a search in a BK-tree of Python integers, and 0, since its size is not measured."""
    rows: dict[int, list[int]] = {}
    for row, packed in enumerate(gallery):
        rows.setdefault(int.from_bytes(packed.tobytes()), []).append(row)
    tree = pybktree.BKTree(lambda a, b: (a ^ b).bit_count(), rows)

    def search(queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        near = (tree.find(int.from_bytes(query.tobytes()), radius) for query in queries)
        found = [[row for _, item in items for row in rows[item]] for items in near]
        lengths = [len(f) for f in found]
        return np.repeat(np.arange(len(found)), lengths), np.concatenate(found).astype(int)

    return search, 0


def faiss_index(make: Callable[[int, int], faiss.IndexBinary], nearest: int = 0) -> Callable:
    """Return the ``build`` function of a FAISS index.

    Parameters
    ----------
    make : callable
        Returns an empty index for a number of bits and a number of gallery hashes.
    nearest : int
        Number of nearest neighbours to ask for, if the index does not support a radius; else 0.
    """

    def build(gallery: np.ndarray, radius: int) -> tuple[Search, int]:
        index = make(8 * gallery.shape[1], len(gallery))
        if not index.is_trained:
            index.train(gallery)
        index.add(gallery)

        def within(queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            limits, _, found = index.range_search(queries, radius + 1)  # distances < radius + 1
            return np.repeat(np.arange(len(queries)), np.diff(limits).astype(int)), found

        def near(queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            distance, found = index.search(queries, nearest)
            row, rank = np.nonzero((distance <= radius) & (found >= 0))
            return row, found[row, rank]

        return near if nearest else within, len(faiss.serialize_index_binary(index))

    return build


def _flat(bits: int, n: int) -> faiss.IndexBinaryFlat:
    """Return FAISS's exhaustive index."""
    return faiss.IndexBinaryFlat(bits)


def _ivf(bits: int, n: int, share: float) -> faiss.IndexBinaryIVF:
    """Return an index of inverted lists that searches the given fraction of its lists."""
    lists = min(round(n**0.5), max(1, n // 40))  # k-means needs about 40 points per list
    quantizer = faiss.IndexBinaryFlat(bits)
    index = faiss.IndexBinaryIVF(quantizer, bits, lists)
    index.own_fields = True
    quantizer.this.disown()
    index.nprobe = max(1, round(share * lists))
    return index


def _multi_hash(bits: int, tables: int, flips: int) -> faiss.IndexBinaryMultiHash:
    """Return an index with ``tables`` keys per hash, each looked up with up to ``flips`` flips."""
    index = faiss.IndexBinaryMultiHash(bits, tables, bits // tables)
    index.nflip = flips
    return index


def _hash(bits: int, prefix: int, flips: int) -> faiss.IndexBinaryHash:
    """Return an index by the first ``prefix`` bits, looked up with up to ``flips`` flipped bits."""
    index = faiss.IndexBinaryHash(bits, prefix)
    index.nflip = flips
    return index


def _hnsw(bits: int, links: int) -> faiss.IndexBinaryHNSW:
    """Return a graph index with ``links`` links per hash."""
    index = faiss.IndexBinaryHNSW(bits, links)
    index.hnsw.efSearch = 128
    return index


CONTENDERS: dict[str, Contender] = {
    "finhash scan": Contender(scan),
    "NumPy scan": Contender(numpy_scan, 200),
    "FAISS flat": Contender(faiss_index(_flat)),
    "FAISS hash, 16 bits, 2 flips": Contender(faiss_index(lambda d, n: _hash(d, 16, 2))),
    "FAISS multi-index, 16 x 16, 1 flip": Contender(
        faiss_index(lambda d, n: _multi_hash(d, 16, 1))
    ),
    "FAISS multi-index, 16 x 16, 3 flips": Contender(
        faiss_index(lambda d, n: _multi_hash(d, 16, 3)), 200
    ),
    "FAISS IVF, 1/32 of the lists": Contender(faiss_index(lambda d, n: _ivf(d, n, 1 / 32))),
    "FAISS IVF, 1/4 of the lists": Contender(faiss_index(lambda d, n: _ivf(d, n, 1 / 4))),
    "FAISS HNSW, 100 nearest": Contender(faiss_index(lambda d, n: _hnsw(d, 32), nearest=100)),
    "BK-tree": Contender(bk_tree, 20),
}
"""Searches to compare, by the label that tables and figures show."""


def compare(
    gallery: np.ndarray,
    queries: np.ndarray,
    radius: int,
    *,
    singles: int,
    contenders: Mapping[str, Contender] = CONTENDERS,
) -> pd.DataFrame:
    """Compare searches on one core, on the same queries.

    Parameters
    ----------
    gallery : ndarray of uint8, shape (n, bytes)
        Hashes to search.
    queries : ndarray of uint8, shape (m, bytes)
        Hashes to look for.
    radius : int
        Threshold, in bits.
    singles : int
        Number of queries that are also asked one by one.
    contenders : mapping of str to Contender
        Searches by label.

    Returns
    -------
    DataFrame
        One row per search:

        contender : str
            Label of the search.
        build : float
            Time to build the index, in seconds.
        bytes : int
            Size of the index, in bytes; 0 if unknown.
        throughput : float
            Throughput in queries per second, asked in one batch.
        p50, p99 : float
            Median and 99th percentile of the time of a single query, in seconds.
        recall : float
            Fraction of the pairs within the radius that are found.
    """
    faiss.omp_set_num_threads(1)
    rows = []
    for name, contender in tqdm(contenders.items(), "contenders", unit="contender", leave=False):
        asked = queries[: contender.queries]
        start = time.perf_counter()
        search, size = contender.build(gallery, radius)
        built = time.perf_counter()
        search(asked[:1])  # the first call compiles or reads tables, and is not timed
        batch = time.perf_counter()
        found = _keys(search(asked), len(gallery))
        throughput = len(asked) / (time.perf_counter() - batch)
        each = []
        for k in range(min(singles, len(asked))):
            single = time.perf_counter()
            search(asked[k : k + 1])
            each.append(time.perf_counter() - single)
        wanted = _keys(hamming.join(asked, gallery, radius=radius), len(gallery))
        recall = np.isin(wanted, found).mean()
        times = np.quantile(each, [0.5, 0.99])
        rows.append((name, built - start, size, throughput, *times, recall))
    columns = ["contender", "build", "bytes", "throughput", "p50", "p99", "recall"]
    return pd.DataFrame(rows, columns=columns)


def kernels(
    hashes: Mapping[int, np.ndarray], families: np.ndarray, radii: Mapping[int, int], repeats: int
) -> pd.DataFrame:
    """Measure the throughput of the all-pairs kernels, in alternation.

    FAISS's flat index compares every pair twice; only one comparison is counted.

    Parameters
    ----------
    hashes : mapping of int to ndarray of uint8, shape (n, bytes)
        Hashes by their width in bits, family by family.
    families : ndarray of int, shape (n,)
        Family of each hash.
    radii : mapping of int to int
        Threshold for each width, in bits.
    repeats : int
        Number of samples per kernel.

    Returns
    -------
    DataFrame
        One row per sample:

        contender : str
            ``"join"``, ``"join, scattered"`` (hashes in random order), ``"histogram"`` (distances
            counted by family) or ``"FAISS flat"``.
        bits : int
            Width of the hashes, in bits.
        workers : int
            Number of threads.
        repeat : int
            Number of the sample, from 0.
        throughput : float
            Throughput in pairs per second.
    """
    faiss.omp_set_num_threads(1)
    calls, counted = {}, {}
    for bits, table in hashes.items():
        flat, _ = faiss_index(_flat)(table, radii[bits])
        for workers in (1, 2):
            calls["join", bits, workers] = lambda t=table, r=radii[bits], w=workers: hamming.join(
                t, radius=r, workers=w
            )
            calls["histogram", bits, workers] = lambda t=table, w=workers: hamming.pair_histogram(
                t, families, workers=w
            )
        scattered = table[np.random.default_rng(project.SEED).permutation(len(table))]
        calls["join, scattered", bits, 1] = lambda t=scattered, r=radii[bits]: hamming.join(
            t, radius=r
        )
        # Every query costs the same, so about 2,000 of them are enough.
        queries = table[:: max(1, len(table) // 2000)]
        calls["FAISS flat", bits, 1] = lambda search=flat, q=queries: search(q)
        counted |= {key: len(table) * (len(table) - 1) / 2 for key in calls if key[1] == bits}
        counted["FAISS flat", bits, 1] = len(queries) * len(table)
    timings = timing.time_calls(calls, repeats)
    warm = timings[timings["state"] == "warm"]
    rows = [
        (*row.contender, row.repeat, counted[row.contender] / row.seconds)
        for row in warm.itertuples()
    ]
    return pd.DataFrame(rows, columns=["contender", "bits", "workers", "repeat", "throughput"])


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

    Parameters
    ----------
    table : HashTable
        FINd hashes.
    radius : int
        Threshold, in bits.
    block : int
        Rows per block of the distributed join.
    workers : int
        Number of threads, and of Dask workers.

    Returns
    -------
    DataFrame
        One row per join:

        where : str
            ``"threads"`` or ``"Dask, loopback"``.
        seconds : float
            Wall time, without the start of the cluster, in seconds.
        pairs : int
            Number of pairs found.
        same : bool
            Whether the pairs are those found on threads.
    """
    hashes = table.hashes("find")
    with timing.stopwatch() as seconds:
        i, j, _ = hamming.join(hashes, radius=radius, workers=workers)
    expected = np.sort(i.astype(np.int64) * len(hashes) + j)
    rows = [("threads", seconds(), len(i), True)]
    with tempfile.TemporaryDirectory() as out, parallel.loopback_cluster(workers) as running:
        options = {"executor": "dask", "scheduler": running.address, "progress": False}
        few = HashTable(table.arrow.slice(0, 1000))
        pairs.join_table(few, Path(out) / "warm", radius=radius, block=100, **options)
        with timing.stopwatch() as seconds:
            pairs.join_table(table, Path(out) / "pairs", radius=radius, block=block, **options)
        found = [a * len(hashes) + b for a, b, _ in pairs.read_pairs(Path(out) / "pairs")]
    found = np.sort(np.concatenate([np.empty(0, np.int64), *found]))
    rows.append(("Dask, loopback", seconds(), len(found), np.array_equal(found, expected)))
    return pd.DataFrame(rows, columns=["where", "seconds", "pairs", "same"])


def cluster_jobs(
    hashes: np.ndarray,
    families: np.ndarray,
    numbers: Sequence[int],
    radii: Mapping[str, int],
    seed: int,
    workers: int,
) -> pd.DataFrame:
    """Measure the clustering of simulated sets of growing size, each in a fresh process.

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


def forecast(jobs: pd.DataFrame, numbers: Sequence[int], workers: int) -> pd.DataFrame:
    """Extrapolate the cost of clustering by components, from the largest measured set.

    The time grows with the number of pairs, ``n**2 / 2``. Memory is 32 bytes per hash and 12 per
    label.

    Parameters
    ----------
    jobs : DataFrame
        Result of ``cluster_jobs``.
    numbers : sequence of int
        Sizes of the sets.
    workers : int
        Number of threads in ``jobs``.

    Returns
    -------
    DataFrame
        One row per size:

        images : int
            Number of images in the set.
        core_hours : float
            Time on one core, in hours.
        dollars : float
            Price in US dollars, at ``operations.DOLLARS_PER_CORE_HOUR``.
        bytes : int
            Memory of hashes and labels, in bytes.
    """
    largest = jobs[jobs["algorithm"] == "components"].sort_values("images").iloc[-1]
    speed = largest["images"] ** 2 / 2 / largest["seconds"] / workers
    table = pd.DataFrame({"images": numbers})
    table["core_hours"] = table["images"] ** 2 / 2 / speed / 3600
    table["dollars"] = table["core_hours"] * operations.DOLLARS_PER_CORE_HOUR
    table["bytes"] = table["images"] * 44
    return table


def goal_values(real: pd.DataFrame, random: pd.DataFrame) -> dict[str, float]:
    """Return the measured values of ``goals.SEARCH``, by the name of the goal.

    Parameters
    ----------
    real, random : DataFrame
        Results of ``kernels`` on real hashes, and on random bits at radius 30.
    """
    here, empty = (
        table.groupby(["contender", "bits", "workers"])["throughput"].median()
        for table in (real, random)
    )
    join, histogram = here["join", 256], here["histogram", 256]
    return {
        "join, 1e9 pairs per second": join[1] / 1e9,
        "join of random bits at radius 30, 1e9 pairs per second": empty["join", 256, 1] / 1e9,
        "join / FAISS flat": join[1] / here["FAISS flat", 256, 1],
        "histogram, 1e9 pairs per second": histogram[1] / 1e9,
        "join, 2 threads / 1 thread": join[2] / join[1],
        "histogram, 2 threads / 1 thread": histogram[2] / histogram[1],
    }


def _cluster(
    hashes: np.ndarray, number: int, radius: int, seed: int, algorithm: str, workers: int
) -> tuple[float, np.ndarray]:
    """Cluster a simulated set; return the seconds and the labels."""
    many = simulated.hashes(hashes, number, seed)
    cluster.families(hashes[:1000], radius, algorithm)  # compiles before the timed call
    start = time.perf_counter()
    labels = cluster.families(many, radius, algorithm, workers=workers)
    return time.perf_counter() - start, labels


def _keys(rows: Sequence[np.ndarray], n: int) -> np.ndarray:
    """Return one integer per pair of a query and a row of a gallery of ``n`` hashes."""
    return rows[0].astype(np.int64) * n + rows[1]
