"""Choice of the centres about which the pruned join groups hashes.

Centres come from a sample. Greedy leaders, of which no two lie within a given distance, are chosen
first. Each is then replaced by the bitwise majority of the sampled hashes that are nearest to it,
which lies closer to the members of a group than any one of them.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from finhash.hamming.kernels import leaders
from finhash.hamming.kernels.distances import PADDING, word_groups
from finhash.hamming.words import Columns, Map, columns

CLOSE = 0.05
"""Fraction of unrelated hashes that are candidates of a typical centre.

A hash is a candidate of a centre if it is within the radius plus the distance of the centre's
farthest member. The ``CLOSE`` quantile of the distances of sampled hashes minus the radius is
therefore how far members of a typical centre may be from it. Leaders are chosen for that.
"""

GATHERED = 1 / 1000
"""Fraction of unrelated hashes that may be candidates of a centre, per member that it may have.

Gathering a candidate costs about as much as 70 comparisons. The more members a centre has, the more
comparisons it saves.
"""

RARE, UNLIKE = 0.01, 0.8
"""Leaders need not be farther apart than ``UNLIKE`` times the ``RARE`` quantile of distances.

Otherwise, hashes without near duplicates would be grouped too.
"""

LEADERS = 1.5
"""Distance that two leaders must exceed, in units of the farthest that typical members may be."""

MEMBERS = 6
"""Number of hashes that a centre must be expected to take.

A centre costs a comparison with every hash, and its candidates. Each of its members saves a
comparison with nearly every hash.
"""

GROUPED = 0.5
"""Fraction of the hashes that must belong to groups of ``MEMBERS`` for a join with centres."""

PROBE, SAMPLE = 28, 6
"""The joins look at one hash in ``PROBE`` to judge whether centres pay, then choose from one in
``SAMPLE``. The probe computes at most 0.4 % as many distances as a join of all pairs."""

TYPICAL = 0.6
"""Radius that is assumed if none is given, as a fraction of the ``CLOSE`` quantile of distances."""

LARGEST_SAMPLE = 2**16
"""Largest number of sampled hashes."""

PAIRS = 256
"""Number of hashes from whose pairs the distribution of distances is estimated."""

SEED = 0
"""Seed of the samples. Results do not depend on them, only run times."""


class Centres(NamedTuple):
    """Centres of groups.

    Attributes
    ----------
    words : ndarray of uint64, shape (words, n + PADDING)
        Centres, those with most members in the sample first.
    number : int
        Number of centres.
    spreads : ndarray of int64, shape (n,)
        Largest distance that a member of each centre may have from it, in bits.
    """

    words: NDArray[np.uint64]
    number: int
    spreads: NDArray[np.int64]


def choose(
    sets: Sequence[tuple[NDArray[np.uint64], NDArray[np.int32]]],
    radius: int | None,
    share: float,
    each: Map,
    workers: int,
) -> Centres | None:
    """Return centres for a join, or None if they would not pay.

    Parameters
    ----------
    sets : sequence of (ndarray of uint64, ndarray of int32)
        Hashes, shape ``(n, words)``, and the numbers of those to be joined, for each set.
    radius : int or None
        Radius of the join, in bits; None if it is not known.
    share : float
        Largest fraction of unrelated hashes that may be candidates of a centre.
    each : Map
        Runs the comparisons.
    workers : int
        Number of threads that ``each`` uses.
    """
    rng = np.random.default_rng(SEED)
    total = sum(len(ids) for _, ids in sets)
    close = _distances(_sample(sets, PAIRS, rng))
    typical = np.quantile(close, CLOSE)
    if radius is None:
        radius = int(TYPICAL * typical)
    spread = int(typical) - radius
    if spread < 0:
        return None
    apart = int(min(UNLIKE * np.quantile(close, RARE), LEADERS * spread))
    sizes, _ = _leaders(
        _sample(sets, min(LARGEST_SAMPLE, total // PROBE), rng), apart, each, workers
    )
    expected = _expected(sizes, total)
    if sizes[expected >= MEMBERS].sum() < GROUPED * sizes.sum():
        return None
    sample = _sample(sets, min(LARGEST_SAMPLE, total // SAMPLE), rng)
    sizes, owner = _leaders(sample, apart, each, workers)
    middles = leaders.majority(sample.words, owner, len(sizes))
    expected = _expected(sizes, total)
    order = np.argsort(-sizes, kind="stable")
    order = order[expected[order] >= MEMBERS]
    if not len(order):
        return None
    words = np.zeros((len(middles), len(order) + PADDING), np.uint64)
    words[:, : len(order)] = middles[:, order]
    shares = np.minimum(share, GATHERED * expected[order])
    spreads = np.clip(np.quantile(close, shares).astype(np.int64) - radius, 0, apart)
    return Centres(words, len(order), spreads)


def _sample(
    sets: Sequence[tuple[NDArray[np.uint64], NDArray[np.int32]]],
    number: int,
    rng: np.random.Generator,
) -> Columns:
    """Return about ``number`` hashes, from each set in proportion to its size."""
    total = sum(len(ids) for _, ids in sets)
    drawn = [
        rows[ids[rng.choice(len(ids), min(len(ids), -(-number * len(ids) // total)), False)]]
        for rows, ids in sets
    ]
    return columns(np.concatenate(drawn))


def _distances(sample: Columns) -> NDArray[np.uint16]:
    """Return the distances of all pairs of the sample."""
    words = sample.words[:, : len(sample.ids)]
    found = np.bitwise_count(words[:, :, None] ^ words[:, None]).sum(axis=0, dtype=np.uint16)
    return found[np.triu_indices(len(found), 1)]


def _leaders(
    sample: Columns, apart: int, each: Map, workers: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Choose leaders; return the number of hashes nearest to each, and each hash's nearest."""
    n, exact = len(sample.ids), word_groups(len(sample.words))
    found = leaders.greedy(sample.words, n, apart, exact)
    nearest = partial(leaders.nearest, sample.words, found, exact)
    bounds = np.linspace(0, n, workers + 1).astype(int)
    owner = np.concatenate(list(each(nearest, bounds[:-1], bounds[1:])))
    return np.bincount(owner, minlength=found.shape[1]), owner


def _expected(sizes: NDArray[np.int64], total: int) -> NDArray[np.float64]:
    """Return how many hashes are expected to be nearest to each leader.

    A leader with ``s`` of the sampled hashes is expected to have the same fraction of all. For
    ``s = 1`` this is far too many if most hashes have nothing near them, so Good and Turing's
    estimate is used instead of 1: ``2 * n2 / n1``, where ``n1`` and ``n2`` are the numbers of
    leaders with one and with two hashes (Good 1953, doi:10.1093/biomet/40.3-4.237).
    """
    n1, n2 = np.bincount(sizes, minlength=3)[1:3]
    corrected = np.where(sizes == 1, 2 * n2 / max(1, n1), sizes)
    return corrected * (total / sizes.sum())
