"""Cost of finding all pairs in growing sets of hashes, with measured exponents.

Sets grow by the number of families or by the size of families. A self join is measured by
exhaustive comparison, by the deployed pruned join, and by an approximate index, whose recall is
measured too.
"""

import itertools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import faiss
import numpy as np
import pandas as pd
from tqdm import tqdm

from finhash import hamming
from finhash.accuracy import rates
from finhash.study.cost import operations, peers
from finhash.study.data import simulated

Join = Callable[[], Iterable[tuple[np.ndarray, np.ndarray]]]
"""Function that yields pairs in blocks: rows ``i`` and ``j`` with ``i < j``, each pair once."""

PROBES = 8
"""Inverted lists that FAISS's IVF index searches per query, for every number of hashes."""

BATCH = 4096
"""Queries per call of an index, so that the results of all queries need not fit into memory."""

COMPILED_ON = 50_000
"""Largest set that exact contenders join once before they are timed, which compiles the kernels."""

KEYS = ["method", "growth", "radius", "contender"]
"""Columns of ``measure`` that name a curve: seconds against number."""


@dataclass(frozen=True)
class Contender:
    """Algorithm that finds all pairs of a set within a radius.

    ``build(hashes, radius)`` returns the join. ``exact`` says whether the join finds every pair.
    Slow joins are measured on sets of at most ``largest`` hashes, ``repeats`` times at most.
    """

    build: Callable[[np.ndarray, int], Join]
    exact: bool = False
    largest: int = 10**9
    repeats: int = 10**9


def by_number(
    some: np.ndarray, labels: np.ndarray, number: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return a shuffled set of ``number`` hashes whose families keep their size.

    A small set holds whole families, drawn at random. A large set holds copies of all families, as
    ``simulated.hashes`` makes them: distances between copies are those of unrelated random hashes,
    so real data would have more false positives. Only the last family may be cut off.

    Parameters
    ----------
    some : ndarray of uint8, shape (n, bytes)
        Measured hashes.
    labels : ndarray of int, shape (n,)
        Family of each hash.
    number : int
        Number of hashes to return.
    seed : int
        Seed of the choice of families, of the masks and of the order.

    Returns
    -------
    hashes : ndarray of uint8, shape (number, bytes)
    families : ndarray of int, shape (number,)
    """
    rng = np.random.default_rng(seed)
    _, ranks = np.unique(labels, return_inverse=True)
    rows = np.argsort(rng.permutation(ranks.max() + 1)[ranks], kind="stable")
    order = rng.permutation(number)
    families = simulated.families(labels[rows], number)
    return simulated.hashes(some[rows], number, seed)[order], families[order]


def by_size(
    some: np.ndarray, labels: np.ndarray, number: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return a shuffled set of ``number`` hashes whose families keep their number.

    A small set holds the same fraction of every family, drawn at random. A large set holds all
    measured hashes, and further members of every family in proportion to its size. Each further
    member takes each bit from one of two random members of its family. For every bit, the family
    thus keeps its fraction of ones, and the mean distance between members stays. The distances
    spread less than measured ones, because mixing blurs groups of near copies within a family: the
    fraction of pairs within a small radius falls. A real family would also gain members that
    differ in bits in which all measured members agree.

    Parameters
    ----------
    some, labels, number
        As for ``by_number``.
    seed : int
        Seed of the choice of members, of their bits and of the order.

    Returns
    -------
    hashes : ndarray of uint8, shape (number, bytes)
    families : ndarray of int, shape (number,)
    """
    rng = np.random.default_rng(seed)
    _, ranks, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    firsts = sizes.cumsum() - sizes
    shuffled = np.lexsort((rng.random(len(ranks)), ranks))  # by family, members in random order
    # Member k of a family of c stands at (k + u) / c, with u between 0 and 1, so every leading
    # part of the order holds the same fraction of every family.
    family = ranks[shuffled]
    place = np.arange(len(ranks)) - firsts[family] + rng.random(len(sizes))[family]
    rows = np.resize(shuffled[np.argsort(place / sizes[family])], number)
    made = some[rows]
    if number > len(some):
        further = rows[len(some) :]
        family = ranks[further]
        other = shuffled[firsts[family] + rng.integers(0, sizes[family])]
        mask = rng.integers(0, 256, (len(further), some.shape[1]), dtype=np.uint8)
        made[len(some) :] ^= (some[further] ^ some[other]) & mask
    order = rng.permutation(number)
    return made[order], ranks[rows][order]


GROWTHS = {"number": by_number, "size": by_size}
"""Functions that make sets, by what grows: the number of families, or their size."""


def check(
    some: np.ndarray, labels: np.ndarray, number: int, radius: int, seed: int, *, workers: int
) -> pd.DataFrame:
    """Compare the measured hashes with a set of each growth.

    Returns
    -------
    DataFrame
        Three rows:

        growth : str
            ``"measured"``, ``"number"`` or ``"size"``.
        hashes : int
            Number of hashes.
        families : int
            Number of families.
        same_mean, same_sd : float
            Mean and standard deviation of the distances within families, in bits.
        recall : float
            Fraction of the pairs within families that lie within ``radius``.
        other : int
            Number of pairs between families that lie within ``radius``.
    """
    made = {name: make(some, labels, number, seed) for name, make in GROWTHS.items()}
    rows = []
    for growth, (hashes, families) in {"measured": (some, labels), **made}.items():
        same, other = hamming.pair_histogram(hashes, families, workers=workers)
        near = same[: radius + 1].sum() / same.sum()
        counts = len(hashes), len(np.unique(families))
        false = int(other[: radius + 1].sum())
        rows.append((growth, *counts, *rates.mean_and_deviation(same), near, false))
    columns = ["growth", "hashes", "families", "same_mean", "same_sd", "recall", "other"]
    return pd.DataFrame(rows, columns=columns)


def _exhaustive(hashes: np.ndarray, radius: int) -> Join:
    """Return the join that compares all pairs. Its pairs are discarded block by block."""
    return lambda: ((i, j) for i, j, _ in peers.exhaustive_blocks(hashes, radius))


def _pruned(hashes: np.ndarray, radius: int) -> Join:
    """Return the deployed join. Its pairs are discarded block by block."""
    return lambda: ((i, j) for i, j, _ in hamming.join_blocks(hashes, radius=radius))


def _ivf(hashes: np.ndarray, radius: int) -> Join:
    """Return a join by an index with about as many inverted lists as the root of the number."""
    n = len(hashes)
    lists = max(1, min(round(n**0.5), n // 40))  # k-means needs about 40 points per list
    index = faiss.index_binary_factory(8 * hashes.shape[1], f"BIVF{lists}")
    index.nprobe = min(PROBES, lists)
    index.train(hashes)
    index.add(hashes)

    return _in_batches(lambda queries: peers.faiss_rows(index, queries, radius), hashes)


CONTENDERS = {
    "exhaustive": Contender(_exhaustive, exact=True, largest=100_000, repeats=1),
    "pruned": Contender(_pruned, exact=True),
    "FAISS IVF": Contender(_ivf, largest=100_000, repeats=1),
}
"""Contenders by name, exact ones first."""


def measure(
    hashes: Mapping[str, np.ndarray],
    labels: np.ndarray,
    numbers: Sequence[int],
    radii: Mapping[str, Sequence[int]],
    seed: int,
    *,
    repeats: int = 1,
    growths: Sequence[str] = tuple(GROWTHS),
    contenders: Mapping[str, Contender] = CONTENDERS,
) -> pd.DataFrame:
    """Measure self joins of growing sets, on one core.

    Each repeat draws other sets, so the spread over repeats includes the choice of families. Each
    contender writes every pair that it finds once. An index is asked for the matches of every hash,
    and a pair counts if the query in the lower row finds it; merging the answers to both queries
    would raise recall, and cost a sort of all pairs.

    Parameters
    ----------
    hashes : mapping of str to ndarray of uint8, shape (n, bytes)
        Measured hashes by method.
    labels : ndarray of int, shape (n,)
        Family of each image.
    numbers : sequence of int
        Sizes of the sets.
    radii : mapping of str to sequence of int
        Thresholds of each method, in bits.
    seed : int
        Seed of the first repeat's sets; further repeats count up from it.
    repeats : int, default 1
        Number of sets of each size. Some contenders have fewer.
    growths : sequence of str
        Keys of ``GROWTHS``.
    contenders : mapping of str to Contender
        Joins by name. Recall is measured against the first exact one.

    Returns
    -------
    DataFrame
        One row per method, growth, number, repeat, radius and contender:

        method : str
            Name of the hash.
        growth : str
            What grows: the ``"number"`` of families, or their ``"size"``.
        number : int
            Number of hashes in the set.
        repeat : int
            Number of the repeat, from 0.
        radius : int
            Threshold, in bits.
        contender : str
            Name of the join.
        seconds : float
            Time of the whole self join, including the build, in seconds.
        build : float
            Time to build the index, in seconds; about 0 without an index.
        pairs : int
            Number of pairs found.
        recall : float
            Fraction of the pairs within the radius that are found; missing if no exact contender
            was measured on the set.
    """
    faiss.omp_set_num_threads(1)
    rows = []
    grid = list(itertools.product(hashes, growths, sorted(numbers), range(repeats)))
    exact = [contender for contender in contenders.values() if contender.exact]
    for method in hashes:
        some, _ = by_number(hashes[method], labels, min(max(numbers), COMPILED_ON), seed)
        for contender, radius in itertools.product(exact, radii[method]):
            _time(contender.build, some, radius)
    for method, growth, number, repeat in tqdm(grid, "sets", unit="set", leave=False):
        many, _ = GROWTHS[growth](hashes[method], labels, number, seed + repeat)
        for radius in radii[method]:
            expected = None
            for name, contender in contenders.items():
                if number > contender.largest or repeat >= contender.repeats:
                    continue
                build, seconds, pairs = _time(contender.build, many, radius)
                if contender.exact and expected is None:
                    expected = pairs
                recall = np.nan if expected is None else pairs / expected if expected else 1.0
                key = (method, growth, number, repeat, radius, name)
                rows.append((*key, seconds, build, pairs, recall))
    columns = ["method", "growth", "number", "repeat", "radius", "contender"]
    return pd.DataFrame(rows, columns=[*columns, "seconds", "build", "pairs", "recall"])


def exponents(table: pd.DataFrame) -> pd.DataFrame:
    """Fit ``seconds = c * number ** exponent`` to each curve by least squares on logarithms.

    Parameters
    ----------
    table : DataFrame
        Result of ``measure``.

    Returns
    -------
    DataFrame
        Two rows per method, growth, radius and contender, which the columns of ``measure`` name:

        span : str
            ``"all"`` sets of the contender, or those of its ``"last decade"``: with at least a
            tenth of the largest number.
        least, most : int
            Smallest and largest number of hashes of the span.
        sets : int
            Number of measured sets, all repeats together.
        exponent : float
            Exponent; missing if all sets are of one size.
        low, high : float
            Limits of its 95 % interval from the residuals, which include the spread over repeats;
            missing with two sets.
    """
    rows = []
    for key, curve in table.groupby(KEYS, sort=False):
        last = curve[curve["number"] * 10 >= curve["number"].max()]
        for span, part in (("all", curve), ("last decade", last)):
            least, most = part["number"].min(), part["number"].max()
            found = dict.fromkeys(("exponent", "low", "high"), np.nan)
            if least < most:
                found |= operations.exponent(part["number"], part["seconds"])
            fit = (found[name] for name in ("exponent", "low", "high"))
            rows.append((*key, span, least, most, len(part), *fit))
    columns = [*KEYS, "span", "least", "most", "sets", "exponent", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def _time(build: Callable, hashes: np.ndarray, radius: int) -> tuple:
    """Return the seconds of the build, the seconds of the whole join, and the number of pairs."""
    start = time.perf_counter()
    join = build(hashes, radius)
    built = time.perf_counter()
    pairs = sum(len(i) for i, _ in join())
    return built - start, time.perf_counter() - start, pairs


def _in_batches(find: Callable, hashes: np.ndarray) -> Join:
    """Return a join that takes each hash as query and keeps its matches in later rows."""

    def join() -> Iterable[tuple[np.ndarray, np.ndarray]]:
        for start in range(0, len(hashes), BATCH):
            row, found = find(hashes[start : start + BATCH])
            row = row + start
            later = found > row
            yield row[later], found[later]

    return join
