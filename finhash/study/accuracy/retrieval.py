"""Every picture asked for its family: leave-one-out ranking of all others by distance.

Integer distances tie, so each score stands twice: ``expected``, the mean over all orders of the
tied, and ``worst``, where the wrong come first.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from finhash import hamming
from finhash.study.accuracy.rates import average_precision

TIES = ("expected", "worst")
SCORES = ("p1", "r_precision", "ap")


def leave_one_out(hashes: np.ndarray, families: np.ndarray, *, workers: int = 1) -> pd.DataFrame:
    """A row a picture that has another of its family: what ranking all others by distance gives.

    ``family``; ``p1``, ``r_precision`` and ``ap`` (precision of the first, of as many as there are
    to find, average precision), each expected and worst; ``nearest_same`` and ``nearest_other``,
    the distances of the nearest picture of its own and of other families.
    """
    families, parts = np.asarray(families), []
    for start, stop, same, other in hamming.query_histograms(hashes, families, workers=workers):
        asked = same.any(axis=1)
        columns = _scores(same[asked], other[asked])
        parts.append(pd.DataFrame({"family": families[start:stop][asked], **columns}))
    return pd.concat(parts, ignore_index=True)


def summary(scores: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Means of the scores: ``method, score, ties, pictures, families``.

    ``pictures`` counts every picture once, ``families`` every family.
    """
    rows = []
    for name, table in scores.items():
        by_family = table.groupby("family").mean()
        for score in SCORES:
            for ties in TIES:
                column = f"{score}_{ties}"
                rows.append((name, score, ties, table[column].mean(), by_family[column].mean()))
    return pd.DataFrame(rows, columns=["method", "score", "ties", "images", "families"])


def open_set(scores: Mapping[str, pd.DataFrame], radii: Mapping[str, int]) -> pd.DataFrame:
    """What a search at a radius answers: ``method, radius, identified, mistaken, false_accepts``.

    Of pictures whose family is in the gallery: the share whose nearest picture within the radius is
    of it, and of another (ties count as mistaken). Of pictures whose family is taken out of the
    gallery: the share that is accepted all the same.
    """
    rows = []
    for name, radius in radii.items():
        same, other = scores[name]["nearest_same"], scores[name]["nearest_other"]
        identified = (same <= radius) & (same < other)
        mistaken = (other <= radius) & (other <= same)
        rows.append((name, radius, identified.mean(), mistaken.mean(), (other <= radius).mean()))
    columns = ["method", "radius", "identified", "mistaken", "false_accepts"]
    return pd.DataFrame(rows, columns=columns)


def first_of_each(hashes: np.ndarray, families: np.ndarray) -> np.ndarray:
    """Rows left, ``int``, if of pictures of one family with equal hashes only the first stays."""
    keys = np.column_stack([np.asarray(families, np.int64).view(np.uint8).reshape(-1, 8), hashes])
    return np.sort(np.unique(keys, axis=0, return_index=True)[1])


def _scores(same: np.ndarray, other: np.ndarray) -> dict[str, np.ndarray]:
    """Columns of ``leave_one_out`` from counts by distance, ``[pictures, bits + 1]``."""
    ranked, found = np.cumsum(same + other, axis=1), np.cumsum(same, axis=1)
    wanted = found[:, -1]
    columns = {}
    for score, k in (("p1", np.ones_like(wanted)), ("r_precision", wanted)):
        for ties in TIES:
            columns[f"{score}_{ties}"] = _found_among(ranked, found, k, ties) / k
    for ties in TIES:
        columns[f"ap_{ties}"] = average_precision(same, other, ties)
    columns["nearest_same"] = (same > 0).argmax(axis=1)
    # Farther than any distance where there is no other at all.
    columns["nearest_other"] = np.where(
        other.any(axis=1), (other > 0).argmax(axis=1), other.shape[1]
    )
    return columns


def _found_among(ranked: np.ndarray, found: np.ndarray, k: np.ndarray, ties: str) -> np.ndarray:
    """How many of the first k are right: whole tied groups, and a part of the one that k cuts.

    ``ranked`` and ``found`` count all and the right ones up to each distance.
    """
    cut = (ranked >= k[:, None]).argmax(axis=1)
    row = np.arange(len(k))
    # What comes before the group that is cut: nothing, if it is that of distance 0.
    all_before, right_before = (
        np.where(cut > 0, counts[row, cut - 1], 0) for counts in (ranked, found)
    )
    n, s = ranked[row, cut] - all_before, found[row, cut] - right_before
    room = k - all_before
    within = room * s / np.maximum(n, 1) if ties == "expected" else np.maximum(room - (n - s), 0)
    return right_before + within
