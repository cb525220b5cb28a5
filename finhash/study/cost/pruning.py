"""Work of the pruned join, and of a join about the centres of the true families.

Hamming distance is a metric: if ``d(y, c) - d(m, c) > r`` for any hash ``c``, then
``d(y, m) > r``. See ``finhash.hamming.pruned``.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from tqdm import tqdm

from finhash.hamming import pairs, pruned
from finhash.hamming.scan import LIMIT
from finhash.hamming.words import as_rows, threads

CENTRES = ("of the join", "of the families")
"""Values of ``centres`` in ``work``."""


def work(hashes: np.ndarray, families: np.ndarray, radii: Sequence[int]) -> pd.DataFrame:
    """Count the comparisons of the pruned join, and of a join about the families' own centres.

    The join does not know the families and chooses its centres from a sample. A family's own centre
    is the bitwise majority of its members; all of them belong to it. Both joins then go through
    their centres in order, and hashes that a centre has taken are left out afterwards.

    Parameters
    ----------
    hashes : ndarray of uint8, shape (n, bytes)
        Hashes to join.
    families : ndarray of int, shape (n,)
        Family of each hash.
    radii : sequence of int
        Thresholds, in bits.

    Returns
    -------
    DataFrame
        Two rows per radius. Shares are of all ``n (n - 1) / 2`` pairs.

        radius : int
            Threshold, in bits.
        centres : str
            ``"of the join"`` or ``"of the families"``.
        rounds : int
            Number of times that centres were chosen; 0 if the join compares all pairs.
        number : int
            Number of centres.
        distances : float
            Distances between centres and hashes, as a share.
        compared : float
            Pairs of a centre's members, and of its members and candidates, that were compared, as a
            share.
        left : float
            Pairs of hashes without a centre, which were all compared, as a share.
        evaluated : float
            Sum of ``compared`` and ``left``.
    """
    rows, n = [], len(hashes)
    every = n * (n - 1) / 2
    for radius in tqdm(radii, "radii", unit="radius", leave=False):
        done = _work_of_join(hashes, radius)
        number = sum(centres for _, centres, _ in done.rounds)
        counts = done.swept, done.compared, done.left
        rows.append((radius, CENTRES[0], len(done.rounds), number, *(c / every for c in counts)))
        distances, compared = own_centres(hashes, families, radius)
        counts = distances, compared, 0
        number = len(np.unique(families))
        rows.append((radius, CENTRES[1], 1, number, *(c / every for c in counts)))
    columns = ["radius", "centres", "rounds", "number", "distances", "compared", "left"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(evaluated=table["compared"] + table["left"])


def own_centres(hashes: np.ndarray, families: np.ndarray, radius: int) -> tuple[int, int]:
    """Count the work of a join about the bitwise majority of each family, largest family first.

    A member ``m`` is compared with each hash ``y`` that is not of an earlier family if
    ``|d(y, c) - d(m, c)| <= radius``, where ``c`` is the centre of the family of ``m``. Pairs are
    counted once.

    Returns
    -------
    distances : int
        Number of distances between centres and hashes that are not of an earlier family.
    compared : int
        Number of pairs to compare.

    Examples
    --------
    Two families lie 64 bits apart, so only the pair within the first family is compared.

    >>> both = np.array([[0] * 8, [1] + [0] * 7, [255] * 8], np.uint8)
    >>> own_centres(both, np.array([5, 5, 9]), radius=4)
    (4, 1)
    """
    _, family, sizes = np.unique(families, return_inverse=True, return_counts=True)
    rank = np.empty_like(sizes)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    order = np.argsort(rank[family], kind="stable")
    rows, bits = hashes[order], 8 * hashes.shape[1]
    distances = compared = start = 0
    for size in -np.sort(-sizes):
        distance = distances_to(majority(rows[start : start + size]), rows[start:])
        own = np.bincount(distance[:size], minlength=bits + 1)
        later = np.bincount(distance[size:], minlength=bits + 1)
        within = (own @ _within(own, radius) - size) // 2  # each pair twice, and each hash itself
        compared += int(within + own @ _within(later, radius))
        distances += len(distance)
        start += size
    return distances, compared


def about_one_centre(hashes: np.ndarray, families: np.ndarray, radius: int) -> pd.DataFrame:
    """Count the hashes by distance from the centre of a typical family.

    The join gives a centre only the hashes within a certain distance, its spread, as members. The
    family is the one of median size among those whose median distance from their own centre is at
    most the spread of the join's first round.

    Parameters
    ----------
    hashes : ndarray of uint8, shape (n, bytes)
        All hashes.
    families : ndarray of int, shape (n,)
        Family of each hash. A family of one hash is chosen only if all families have one hash.
    radius : int
        Threshold, in bits.

    Returns
    -------
    DataFrame
        One row per distance:

        distance : int
            Distance from the centre, in bits, from 0 to the number of bits.
        members : int
            Number of hashes of the family at that distance.
        others : int
            Number of other hashes at that distance.
        member : int
            Median distance of the family's members from the centre, in bits; equal in all rows.
        radius : int
            Threshold, in bits; equal in all rows.
    """
    bits = 8 * hashes.shape[1]
    rounds = _work_of_join(hashes, radius).rounds
    spread = rounds[0][2] if rounds else bits
    _, family, sizes = np.unique(families, return_inverse=True, return_counts=True)
    rows = np.split(np.argsort(family, kind="stable"), sizes.cumsum()[:-1])
    centres = [majority(hashes[own]) for own in rows]
    middle = np.array(
        [
            np.median(distances_to(centre, hashes[own]))
            for centre, own in zip(centres, rows, strict=True)
        ]
    )
    order = np.argsort(sizes, kind="stable")
    for wanted in (sizes > 1, middle <= spread):
        order = order[wanted[order]] if wanted[order].any() else order
    chosen = order[len(order) // 2]
    own, distance = family == chosen, distances_to(centres[chosen], hashes)
    counted = {
        "distance": np.arange(bits + 1),
        "members": np.bincount(distance[own], minlength=bits + 1),
        "others": np.bincount(distance[~own], minlength=bits + 1),
    }
    return pd.DataFrame(counted).assign(member=int(middle[chosen]), radius=radius)


def majority(hashes: np.ndarray) -> np.ndarray:
    """Return the bitwise majority of some hashes; bits that are 1 in half of them become 1.

    >>> majority(np.array([[1], [3], [7]], np.uint8)).tolist()
    [3]
    """
    return np.packbits(np.unpackbits(hashes, axis=1).mean(axis=0) >= 0.5)


def distances_to(centre: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """Return the distance of each hash from a centre, in bits."""
    words = as_rows(hashes) ^ centre.view(np.uint64)
    return np.bitwise_count(words).sum(axis=1, dtype=np.int64)


def _within(counts: np.ndarray, radius: int) -> np.ndarray:
    """Return for each distance the number of hashes at distances that differ by at most a radius.

    >>> _within(np.array([1, 0, 2, 5]), 1).tolist()
    [1, 3, 7, 7]
    """
    total = np.concatenate([[0], counts.cumsum()])
    at = np.arange(len(counts))
    low, high = np.maximum(at - radius, 0), np.minimum(at + radius + 1, len(counts))
    return total[high] - total[low]


def _work_of_join(hashes: np.ndarray, radius: int) -> pruned.Work:
    """Join hashes on one thread, discard the pairs, and return what the join has done."""
    done, n = pruned.Work(), len(hashes)
    where = pairs.shifts(n, n, 8 * hashes.shape[1])
    with threads(1) as each:
        for task in pruned.tasks(as_rows(hashes), None, radius, where, LIMIT, each, 1, done):
            task()
    return done
