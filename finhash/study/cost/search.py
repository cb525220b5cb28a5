"""Matching at scale: the deployed kernels beside their peers, on the same hashes and radius."""

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
"""Queries ``uint8 [m, bytes]`` -> rows of queries and of the gallery within the radius."""


@dataclass(frozen=True)
class Peer:
    """A way to find what lies within a radius: ``build(gallery, radius)`` gives its search.

    ``queries`` is how many it is asked at most, for the slow.
    """

    build: Callable[[np.ndarray, int], tuple[Search, int]]
    queries: int = 10**9


def scan(gallery: np.ndarray, radius: int) -> tuple[Search, int]:
    """The deployed scan on one core, and its bytes."""
    laid_out = hamming.Gallery(gallery)
    return lambda q: hamming.join(q, laid_out, radius=radius)[:2], laid_out.words.nbytes


def numpy_scan(gallery: np.ndarray, radius: int) -> tuple[Search, int]:
    """A scan by NumPy, one query at a time."""
    words = gallery.view(np.uint64)

    def search(queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = [
            np.flatnonzero(np.bitwise_count(words ^ query).sum(axis=1) <= radius)
            for query in queries.view(np.uint64)
        ]
        return np.repeat(np.arange(len(found)), [len(f) for f in found]), np.concatenate(found)

    return search, gallery.nbytes


def bk_tree(gallery: np.ndarray, radius: int) -> tuple[Search, int]:
    """A BK-tree of Python integers; its bytes are not counted."""
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
    """A builder of what ``make(bits, n)`` gives; asked for ``nearest`` if it knows no radius."""

    def build(gallery: np.ndarray, radius: int) -> tuple[Search, int]:
        index = make(8 * gallery.shape[1], len(gallery))
        if not index.is_trained:
            index.train(gallery)
        index.add(gallery)

        def within(queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            limits, _, found = index.range_search(queries, radius + 1)  # FAISS's radius is beyond
            return np.repeat(np.arange(len(queries)), np.diff(limits).astype(int)), found

        def near(queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            distance, found = index.search(queries, nearest)
            row, rank = np.nonzero((distance <= radius) & (found >= 0))
            return row, found[row, rank]

        return near if nearest else within, len(faiss.serialize_index_binary(index))

    return build


def _flat(bits: int, n: int) -> faiss.IndexBinaryFlat:
    return faiss.IndexBinaryFlat(bits)


def _ivf(bits: int, n: int, share: float) -> faiss.IndexBinaryIVF:
    lists = min(round(n**0.5), max(1, n // 40))  # k-means asks for about 40 points a list
    quantizer = faiss.IndexBinaryFlat(bits)
    index = faiss.IndexBinaryIVF(quantizer, bits, lists)
    index.own_fields = True
    quantizer.this.disown()
    index.nprobe = max(1, round(share * lists))
    return index


def _multi_hash(bits: int, tables: int, flips: int) -> faiss.IndexBinaryMultiHash:
    index = faiss.IndexBinaryMultiHash(bits, tables, bits // tables)
    index.nflip = flips
    return index


def _hash(bits: int, prefix: int, flips: int) -> faiss.IndexBinaryHash:
    index = faiss.IndexBinaryHash(bits, prefix)
    index.nflip = flips
    return index


def _hnsw(bits: int, links: int) -> faiss.IndexBinaryHNSW:
    index = faiss.IndexBinaryHNSW(bits, links)
    index.hnsw.efSearch = 128
    return index


PEERS: dict[str, Peer] = {
    "finhash scan": Peer(scan),
    "NumPy scan": Peer(numpy_scan, 200),
    "FAISS flat": Peer(faiss_index(_flat)),
    "FAISS hash, 16 bits, 2 flips": Peer(faiss_index(lambda d, n: _hash(d, 16, 2))),
    "FAISS multi-index, 16 x 16, 1 flip": Peer(faiss_index(lambda d, n: _multi_hash(d, 16, 1))),
    "FAISS multi-index, 16 x 16, 3 flips": Peer(
        faiss_index(lambda d, n: _multi_hash(d, 16, 3)), 200
    ),
    "FAISS IVF, 1/32 of the lists": Peer(faiss_index(lambda d, n: _ivf(d, n, 1 / 32))),
    "FAISS IVF, 1/4 of the lists": Peer(faiss_index(lambda d, n: _ivf(d, n, 1 / 4))),
    "FAISS HNSW, 100 nearest": Peer(faiss_index(lambda d, n: _hnsw(d, 32), nearest=100)),
    "BK-tree": Peer(bk_tree, 20),
}


def compare(
    gallery: np.ndarray,
    queries: np.ndarray,
    radius: int,
    *,
    singles: int,
    peers: Mapping[str, Peer] = PEERS,
) -> pd.DataFrame:
    """Every peer on one core: ``peer, build, bytes, a_second, p50, p99, recall``.

    Seconds to build, bytes, queries a second in one batch, median and 99th percentile of seconds
    of ``singles`` queries one by one, share of the pairs within the radius that it finds.
    """
    faiss.omp_set_num_threads(1)
    rows = []
    for name, peer in tqdm(peers.items(), "peers", unit="peer", leave=False):
        asked = queries[: peer.queries]
        start = time.perf_counter()
        search, size = peer.build(gallery, radius)
        built = time.perf_counter()
        search(asked[:1])  # compiled, and its tables read, before it is timed
        batch = time.perf_counter()
        found = _keys(search(asked), len(gallery))
        rate = len(asked) / (time.perf_counter() - batch)
        each = []
        for k in range(min(singles, len(asked))):
            single = time.perf_counter()
            search(asked[k : k + 1])
            each.append(time.perf_counter() - single)
        wanted = _keys(hamming.join(asked, gallery, radius=radius), len(gallery))
        recall = np.isin(wanted, found).mean()
        times = np.quantile(each, [0.5, 0.99])
        rows.append((name, built - start, size, rate, *times, recall))
    columns = ["peer", "build", "bytes", "a_second", "p50", "p99", "recall"]
    return pd.DataFrame(rows, columns=columns)


def kernels(
    hashes: Mapping[int, np.ndarray], families: np.ndarray, radii: Mapping[int, int], repeats: int
) -> pd.DataFrame:
    """Pairs a second: ``contender, bits, workers, repeat, rate``; all alternate.

    All pairs of the hashes, by width in bits: joined as they lie, family by family, and in an order
    that scatters families; counted by family; and joined by FAISS's flat index (which looks at
    every pair twice: once is counted).
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
        # A part of the queries will do: every query costs the same.
        part = table[:: max(1, len(table) // 2000)]
        calls["FAISS flat", bits, 1] = lambda search=flat, q=part: search(q)
        counted |= {key: len(table) * (len(table) - 1) / 2 for key in calls if key[1] == bits}
        counted["FAISS flat", bits, 1] = len(part) * len(table)
    timings = timing.time_calls(calls, repeats)
    warm = timings[timings["state"] == "warm"]
    rows = [
        (*row.contender, row.repeat, counted[row.contender] / row.seconds)
        for row in warm.itertuples()
    ]
    return pd.DataFrame(rows, columns=["contender", "bits", "workers", "repeat", "rate"])


SLOWER = """
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


def by_processor(names: Sequence[str], number: int, radius: int) -> pd.DataFrame:
    """The kernels compiled for other processors, run on this: ``processor, kernel, found, rate``.

    ``native`` is this one, the others are LLVM's names; ``haswell`` and ``x86-64`` lack AVX-512.
    ``found`` is what came out, which must not differ.
    """
    rows = []
    for name in tqdm(names, "processors", unit="processor", leave=False):
        other = {} if name == "native" else {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": ""}
        program = SLOWER.format(number=number, radius=radius)
        run = subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | other,
            capture_output=True,
            text=True,
            check=True,
        )
        for line in run.stdout.splitlines():
            kernel, found, rate = line.split()
            rows.append((name, kernel, int(found), float(rate)))
    return pd.DataFrame(rows, columns=["processor", "kernel", "found", "rate"])


def on_a_cluster(table: HashTable, radius: int, block: int, workers: int) -> pd.DataFrame:
    """All pairs on a Dask cluster of this machine and on threads: ``where, seconds, pairs, same``.

    ``same``: are they the pairs of one join? A cluster's start is not in the seconds.
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
    found = np.sort(np.concatenate(found))
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
    """Clustering of growing simulated sets, each in a process of its own.

    ``algorithm, pictures, seconds, clusters, f1, before, peak``: pairwise F1 against the simulated
    families; bytes resident before and at most.
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
    """What clustering by components would take: ``pictures, core_hours, dollars, bytes``.

    By the pairs a second of the largest job, half of n squared of them, at 32 bytes a hash and
    twelve for labels. A model: no such set was clustered.
    """
    largest = jobs[jobs["algorithm"] == "components"].sort_values("images").iloc[-1]
    rate = largest["images"] ** 2 / 2 / largest["seconds"] / workers
    table = pd.DataFrame({"images": numbers})
    table["core_hours"] = table["images"] ** 2 / 2 / rate / 3600
    table["dollars"] = table["core_hours"] * operations.DOLLARS_A_CORE_HOUR
    table["bytes"] = table["images"] * 44
    return table


def _cluster(
    hashes: np.ndarray, number: int, radius: int, seed: int, algorithm: str, workers: int
) -> tuple[float, np.ndarray]:
    many = simulated.hashes(hashes, number, seed)
    cluster.families(hashes[:1000], radius, algorithm)  # compiled before it is timed
    start = time.perf_counter()
    labels = cluster.families(many, radius, algorithm, workers=workers)
    return time.perf_counter() - start, labels


def _keys(rows: Sequence[np.ndarray], n: int) -> np.ndarray:
    return rows[0].astype(np.int64) * n + rows[1]


def goals(real: pd.DataFrame, random: pd.DataFrame) -> pd.DataFrame:
    """What the kernels should reach: ``quantity, goal, measured, met``."""
    here, empty = (
        table.groupby(["contender", "bits", "workers"])["rate"].median() for table in (real, random)
    )
    one, two = here["join", 256, 1], here["join", 256, 2]
    rows = [
        ("join, real hashes, 1e9 pairs a second", 7, one / 1e9),
        ("join, random bits at radius 30", 7, empty["join", 256, 1] / 1e9),
        ("join / FAISS flat", 7, one / here["FAISS flat", 256, 1]),
        ("histogram, 1e9 pairs a second", 2.5, here["histogram", 256, 1] / 1e9),
        ("two threads / one, join", 1.9, two / one),
        (
            "two threads / one, histogram",
            1.9,
            here["histogram", 256, 2] / here["histogram", 256, 1],
        ),
    ]
    table = pd.DataFrame(rows, columns=["quantity", "goal", "measured"])
    return table.assign(met=table["measured"] >= table["goal"])
