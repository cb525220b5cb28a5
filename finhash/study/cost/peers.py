"""Cost of matching with finhash and with other libraries: queries in a gallery."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import faiss
import numkong
import numpy as np
import pandas as pd
import pybktree
import usearch.index
from tqdm import tqdm

from finhash import hamming
from finhash.hamming import exhaustive, pairs
from finhash.hamming.scan import LIMIT, run
from finhash.hamming.words import as_rows, columns
from finhash.study import timing

Rows = tuple[np.ndarray, np.ndarray]
"""Rows of the first and of the second hash of each pair."""

Search = Callable[[np.ndarray], Rows]
"""Function from queries, ``uint8 [m, bytes]``, to matching rows of queries and of the gallery."""


@dataclass(frozen=True)
class Contender:
    """Search algorithm that looks for all gallery hashes within a radius.

    ``build(gallery, radius, workers)`` returns the search function, which uses ``workers`` threads,
    and the size of its index in bytes. Slow searches get only the first ``queries`` queries.
    ``threads`` tells whether the search can use more than one thread.
    """

    build: Callable[[np.ndarray, int, int], tuple[Search, int]]
    queries: int = 10**9
    threads: bool = True


def finhash_gallery(grouped: bool) -> Callable:
    """Return the ``build`` function of finhash's gallery.

    Parameters
    ----------
    grouped : bool
        Whether the gallery groups its hashes, as it does by default. Without groups, a query is
        compared with all hashes.
    """

    def build(gallery: np.ndarray, radius: int, workers: int) -> tuple[Search, int]:
        laid_out = hamming.Gallery(gallery, grouped=grouped, workers=workers)

        def search(queries: np.ndarray) -> Rows:
            return hamming.join(queries, laid_out, radius=radius, workers=workers)[:2]

        arrays = [
            array
            for part in laid_out.snapshot().parts
            for array in (part.rows, *part.others, *(part.groups or ()))
        ]
        return search, sum(array.nbytes for array in arrays)

    return build


def numpy_scan(gallery: np.ndarray, radius: int, workers: int) -> tuple[Search, int]:
    """Return a search with NumPy, one query at a time, and the size of its gallery in bytes."""
    words = gallery.view(np.uint64)

    def search(queries: np.ndarray) -> Rows:
        found = [
            np.flatnonzero(np.bitwise_count(words ^ query).sum(axis=1) <= radius)
            for query in queries.view(np.uint64)
        ]
        return np.repeat(np.arange(len(found)), [len(f) for f in found]), np.concatenate(found)

    return search, gallery.nbytes


def bk_tree(gallery: np.ndarray, radius: int, workers: int) -> tuple[Search, int]:
    """Return a search in a BK-tree of Python integers, and 0, since its size is not measured."""
    rows: dict[int, list[int]] = {}
    for row, packed in enumerate(gallery):
        rows.setdefault(int.from_bytes(packed.tobytes()), []).append(row)
    tree = pybktree.BKTree(lambda a, b: (a ^ b).bit_count(), rows)

    def search(queries: np.ndarray) -> Rows:
        near = (tree.find(int.from_bytes(query.tobytes()), radius) for query in queries)
        found = [[row for _, item in items for row in rows[item]] for items in near]
        lengths = [len(f) for f in found]
        return np.repeat(np.arange(len(found)), lengths), np.concatenate(found).astype(int)

    return search, 0


def faiss_index(make: Callable[[int, int, int], faiss.IndexBinary], nearest: int = 0) -> Callable:
    """Return the ``build`` function of a FAISS index.

    Parameters
    ----------
    make : callable
        Returns an empty index for a number of bits, a number of gallery hashes and a radius.
    nearest : int
        Number of nearest neighbours to ask for, if the index does not support a radius; else 0.
    """

    def build(gallery: np.ndarray, radius: int, workers: int) -> tuple[Search, int]:
        faiss.omp_set_num_threads(workers)
        index = make(8 * gallery.shape[1], len(gallery), radius)
        if not index.is_trained:
            index.train(gallery)
        index.add(gallery)

        def within(queries: np.ndarray) -> Rows:
            faiss.omp_set_num_threads(workers)  # the number is global, so another search may set it
            return faiss_rows(index, queries, radius)

        def near(queries: np.ndarray) -> Rows:
            faiss.omp_set_num_threads(workers)
            distance, found = index.search(queries, nearest)
            row, rank = np.nonzero((distance <= radius) & (found >= 0))
            return row, found[row, rank]

        return near if nearest else within, len(faiss.serialize_index_binary(index))

    return build


def usearch_scan(nearest: int) -> Callable:
    """Return the ``build`` function of USearch's exact search.

    USearch has no search within a radius, so a query that matches more than ``nearest`` hashes
    loses the others. USearch reads the gallery as it is, and builds no index.

    Parameters
    ----------
    nearest : int
        Number of nearest neighbours to ask for.
    """

    def build(gallery: np.ndarray, radius: int, workers: int) -> tuple[Search, int]:
        count = min(nearest, len(gallery))

        def search(queries: np.ndarray) -> Rows:
            found = usearch.index.search(
                gallery, queries, count, "hamming", exact=True, threads=workers, dtype="b1"
            )
            row, rank = np.nonzero(np.atleast_2d(found.distances) <= radius)  # 1-D for one query
            return row, np.atleast_2d(found.keys)[row, rank].astype(np.int64)

        return search, gallery.nbytes

    return build


TILE = 64, 8192
"""Queries and gallery hashes of a tile in ``numkong_scan``; its distances take 2 MB."""


def numkong_scan(gallery: np.ndarray, radius: int, workers: int) -> tuple[Search, int]:
    """Return a search by NumKong's distance matrix, and the size of its packed gallery in bytes.

    NumKong succeeds SimSIMD. Its matrix of distances is computed tile by tile, and NumPy then
    selects the distances within the radius. ``hammings_packed`` is used because ``cdist``, which
    takes a gallery that is not packed, is slower. Threads take blocks of queries, because NumKong's
    own ``threads`` argument starts a parallel region per tile, which is slow whenever another
    process uses one of the cores.
    """
    tiles = _packed(gallery)

    def search(queries: np.ndarray) -> Rows:
        return _by_blocks(lambda lo: _numkong_rows(queries, tiles, radius, lo), queries, workers)

    return search, sum(tile.nbytes for tile in tiles)


def exhaustive_blocks(hashes: np.ndarray, radius: int, workers: int = 1) -> Iterator[hamming.Pairs]:
    """Yield the pairs of ``hamming.join_blocks``, found by comparing every pair."""
    where = pairs.shifts(len(hashes), len(hashes), 8 * hashes.shape[1])
    for keys in _exhaustive_keys(hashes, radius, workers, where):
        yield pairs.unpack(keys, where)


def exhaustive_join(hashes: np.ndarray, radius: int, workers: int = 1) -> Rows:
    """Return the pairs of ``hamming.join``, found by comparing every pair."""
    where = pairs.shifts(len(hashes), len(hashes), 8 * hashes.shape[1])
    keys = list(_exhaustive_keys(hashes, radius, workers, where))
    return pairs.ordered(keys, len(hashes), where, workers)[:2]


def finhash_join(hashes: np.ndarray, radius: int, workers: int) -> Rows:
    """Return the pairs of the deployed self join."""
    return hamming.join(hashes, radius=radius, workers=workers)[:2]


def _flat(bits: int, n: int, radius: int) -> faiss.IndexBinaryFlat:
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


def _pdq(bits: int, n: int, radius: int) -> faiss.IndexBinaryMultiHash:
    """Return the multi-index hash by which PDQ's library matches.

    Each hash has 16 keys of 16 bits, each looked up with up to ``radius // 16`` flipped bits. This
    finds all matches: a hash within the radius differs from the query in at most that many bits of
    some key.

    ``PDQMultiHashIndex`` of threatexchange 1.2.17, in ``threatexchange/signal_type/pdq/
    pdq_faiss_matcher.py``, is this FAISS index: 16 tables, and ``radius // 16`` flips. PDQ's own
    implementation, ``pdq/cpp/index/mih.h``, works alike up to a radius of 63, but pdqhash 0.2.8
    ships it as C++ only.
    """
    index = faiss.IndexBinaryMultiHash(bits, 16, bits // 16)
    index.nflip = radius // 16
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
    "finhash gallery": Contender(finhash_gallery(grouped=True)),
    "finhash gallery, not grouped": Contender(finhash_gallery(grouped=False)),
    "NumPy scan": Contender(numpy_scan, 100, threads=False),
    "FAISS flat": Contender(faiss_index(_flat)),
    "NumKong distances": Contender(numkong_scan),
    "USearch exact, 1,000 nearest": Contender(usearch_scan(1000), 100),
    "PDQ's index (FAISS multi-index, exact)": Contender(faiss_index(_pdq), 50),
    "FAISS hash, 16 bits, 2 flips": Contender(
        faiss_index(lambda bits, n, radius: _hash(bits, 16, 2))
    ),
    "FAISS IVF, 1/32 of the lists": Contender(
        faiss_index(lambda bits, n, radius: _ivf(bits, n, 1 / 32))
    ),
    "FAISS HNSW, 100 nearest": Contender(
        faiss_index(lambda bits, n, radius: _hnsw(bits, 32), nearest=100)
    ),
    "BK-tree": Contender(bk_tree, 10, threads=False),
}
"""Searches to compare, by the label that tables and figures show."""


def compare(
    gallery: np.ndarray,
    queries: np.ndarray,
    radius: int,
    *,
    singles: int,
    contenders: Mapping[str, Contender] = CONTENDERS,
    workers: Sequence[int] = (1,),
    repeats: int = 3,
) -> pd.DataFrame:
    """Compare searches on the same queries, each on some numbers of threads.

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
    workers : sequence of int
        Numbers of threads. Searches that cannot use threads are measured on one thread only.
    repeats : int
        Number of times that the batch is asked.

    Returns
    -------
    DataFrame
        One row per search and number of threads:

        contender : str
            Label of the search.
        workers : int
            Number of threads that build the index and search it.
        build : float
            Time to build the index, in seconds.
        bytes : int
            Size of the index, in bytes; 0 if unknown.
        throughput : float
            Throughput in queries per second, asked in one batch: the median of the repeats.
        p50, p99 : float
            Median and 99th percentile of the time of a single query, in seconds.
        recall : float
            Fraction of the pairs within the radius that are found.
    """
    measured = [
        (name, contender, number)
        for name, contender in contenders.items()
        for number in (workers if contender.threads else (1,))
    ]
    rows = []
    for name, contender, number in tqdm(measured, "contenders", unit="contender", leave=False):
        asked = queries[: contender.queries]
        with timing.stopwatch() as building:
            search, size = contender.build(gallery, radius, number)
        found = _keys(search(asked), len(gallery))  # the first call may compile and is not timed
        batches = _durations(search, [asked] * repeats)
        each = _durations(search, [asked[k : k + 1] for k in range(min(singles, len(asked)))])
        wanted = _keys(hamming.join(asked, gallery, radius=radius), len(gallery))
        throughput, recall = len(asked) / np.median(batches), np.isin(wanted, found).mean()
        times = np.quantile(each, [0.5, 0.99])
        rows.append((name, number, building(), size, throughput, *times, recall))
    columns = ["contender", "workers", "build", "bytes", "throughput", "p50", "p99", "recall"]
    return pd.DataFrame(rows, columns=columns)


def _exhaustive_keys(
    hashes: np.ndarray, radius: int, workers: int, where: pairs.Shifts
) -> Iterator[np.ndarray]:
    """Yield the keys of all pairs within the radius, found by comparing every pair."""
    laid_out = columns(as_rows(hashes))
    return run(exhaustive.tasks(laid_out, None, radius, where, LIMIT), workers)


def faiss_rows(index: faiss.IndexBinary, queries: np.ndarray, radius: int) -> Rows:
    """Return the matching rows of the queries and of the index."""
    limits, _, found = index.range_search(queries, radius + 1)  # distances < radius + 1
    return np.repeat(np.arange(len(queries)), np.diff(limits).astype(int)), found


def _packed(hashes: np.ndarray) -> list[numkong.PackedMatrix]:
    """Return the hashes packed for NumKong, one matrix per tile."""
    size = TILE[1]
    parts = (hashes[lo : lo + size] for lo in range(0, len(hashes), size))
    return [numkong.hammings_pack(part, dtype="uint1") for part in parts]


def _numkong_rows(
    queries: np.ndarray,
    tiles: Sequence[numkong.PackedMatrix],
    radius: int,
    lo: int,
) -> Rows:
    """Return the matches of the block of queries from ``lo`` on."""
    block = queries[lo : lo + TILE[0]]
    found = []
    for k, tile in enumerate(tiles):
        distance = np.asarray(numkong.hammings_packed(block, tile))
        row, column = np.divmod(np.flatnonzero(distance <= radius), distance.shape[1])
        found.append((row + lo, column + k * TILE[1]))
    return _concatenate(found)


def _by_blocks(block: Callable[[int], Rows], queries: np.ndarray, workers: int) -> Rows:
    """Return the matches of all blocks of queries; ``block`` takes the first row of a block."""
    starts = range(0, len(queries), TILE[0])
    if workers == 1 or len(starts) == 1:
        return _concatenate([block(lo) for lo in starts])
    with ThreadPoolExecutor(workers) as pool:
        return _concatenate(list(pool.map(block, starts)))


def _concatenate(found: Sequence[Rows]) -> Rows:
    """Return the pairs of all blocks."""
    return np.concatenate([i for i, _ in found]), np.concatenate([j for _, j in found])


def _durations(search: Search, batches: Sequence[np.ndarray]) -> list[float]:
    """Return the seconds of a search for each batch of queries."""
    seconds = []
    for queries in batches:
        start = time.perf_counter()
        search(queries)
        seconds.append(time.perf_counter() - start)
    return seconds


def _keys(rows: Sequence[np.ndarray], n: int) -> np.ndarray:
    """Return one integer per pair of a query and a row of a gallery of ``n`` hashes."""
    return rows[0].astype(np.int64) * n + rows[1]
