"""Leave-one-out retrieval: each image is a query, and all other images are the gallery.

The gallery is ranked by distance. Integer distances tie, so each score is given twice: ``expected``
is the mean over all orders of tied images, ``worst`` ranks images of other families first.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from finhash import hamming
from finhash.accuracy.rates import average_precision

TIES = ("expected", "worst")
"""Assumptions about the order of tied images."""

SCORES = ("p1", "r_precision", "ap")
"""Precision at 1, R-precision and average precision."""


def leave_one_out(hashes: np.ndarray, families: np.ndarray, *, workers: int = 1) -> pd.DataFrame:
    """Score the ranking of all other images, for each query.

    Images without another image of their family are not queries, but stay in the gallery.

    Parameters
    ----------
    hashes : uint8 array of shape (n, bits / 8)
        Packed hashes.
    families : int array of shape (n,)
        Family of each image.
    workers : int
        Number of threads.

    Returns
    -------
    DataFrame
        One row per query, in the order of ``hashes``:

        family : int
            Family of the query.
        p1_expected : float
            Precision at 1: 1 if the first image is of the family, else 0, averaged over all orders
            of tied images.
        p1_worst : float
            Precision at 1 in the worst order: 1 or 0.
        r_precision_expected, r_precision_worst : float
            R-precision: precision among the first R images, where R is the number of other images
            of the family.
        ap_expected, ap_worst : float
            Average precision.
        nearest_same : int
            Distance to the nearest other image of the same family, in bits.
        nearest_other : int
            Distance to the nearest image of another family, in bits; bits + 1 if there is no other
            family.

    Examples
    --------
    Two equal images of family 7 and a third image that differs in one bit:

    >>> hashes = np.zeros((3, 8), np.uint8)
    >>> hashes[2, 0] = 1
    >>> found = leave_one_out(hashes, np.array([7, 7, 8]))
    >>> found[["family", "p1_worst", "nearest_same", "nearest_other"]].to_numpy().tolist()
    [[7.0, 1.0, 0.0, 1.0], [7.0, 1.0, 0.0, 1.0]]
    """
    families, tables = np.asarray(families), []
    for start, stop, same, other in hamming.query_histograms(hashes, families, workers=workers):
        queries = same.any(axis=1)
        columns = _scores(same[queries], other[queries])
        tables.append(pd.DataFrame({"family": families[start:stop][queries], **columns}))
    return pd.concat(tables, ignore_index=True)


def summary(scores: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Average the scores of ``leave_one_out`` for each method.

    Returns
    -------
    DataFrame
        One row per method, score and assumption about ties:

        method : str
            Method name.
        score : str
            One of ``SCORES``; the mean of ``ap`` is the mean average precision (mAP).
        ties : str
            One of ``TIES``.
        images : float
            Mean over queries.
        families : float
            Mean over families of each family's mean.
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
    """Compute how often a search with a threshold identifies the query's family.

    Parameters
    ----------
    scores : mapping of str to DataFrame
        Tables of ``leave_one_out`` by method.
    radii : mapping of str to int
        Threshold of each method, in bits.

    Returns
    -------
    DataFrame
        One row per method:

        method : str
            Method name.
        radius : int
            Threshold in bits.
        identified : float
            Share of queries whose nearest image is within the radius and of the query's family.
        mistaken : float
            Share of queries whose nearest image is within the radius and of another family. If
            images of both kinds are nearest, the query counts as mistaken.
        false_accepts : float
            Share of queries with an image of another family within the radius. These queries would
            be accepted even if their own family were not in the gallery.
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
    """Return the index of the first row of each distinct (family, hash), ascending.

    Examples
    --------
    >>> hashes = np.array([[1], [1], [2], [1]], np.uint8)
    >>> first_of_each(hashes, np.array([5, 5, 5, 6])).tolist()
    [0, 2, 3]
    """
    keys = np.column_stack([np.asarray(families, np.int64).view(np.uint8).reshape(-1, 8), hashes])
    return np.sort(np.unique(keys, axis=0, return_index=True)[1])


def _scores(same: np.ndarray, other: np.ndarray) -> dict[str, np.ndarray]:
    """Compute columns of ``leave_one_out`` from counts by distance, ``[queries, bits + 1]``."""
    ranked, found = np.cumsum(same + other, axis=1), np.cumsum(same, axis=1)
    wanted = found[:, -1]
    columns = {}
    for score, k in (("p1", np.ones_like(wanted)), ("r_precision", wanted)):
        for ties in TIES:
            columns[f"{score}_{ties}"] = _found_among(ranked, found, k, ties) / k
    for ties in TIES:
        columns[f"ap_{ties}"] = average_precision(same, other, ties)
    columns["nearest_same"] = (same > 0).argmax(axis=1)
    # Without any other family the distance is set to bits + 1, beyond every radius.
    columns["nearest_other"] = np.where(
        other.any(axis=1), (other > 0).argmax(axis=1), other.shape[1]
    )
    return columns


def _found_among(ranked: np.ndarray, found: np.ndarray, k: np.ndarray, ties: str) -> np.ndarray:
    """Count the same-family images among the first k, ``[queries]``.

    ``ranked`` and ``found`` count all images and same-family images up to each distance.
    """
    # Rank k falls into the tie at distance ``cut``; all smaller distances lie wholly before it.
    cut = (ranked >= k[:, None]).argmax(axis=1)
    row = np.arange(len(k))
    ranked_before, found_before = (
        np.where(cut > 0, counts[row, cut - 1], 0) for counts in (ranked, found)
    )
    tied = ranked[row, cut] - ranked_before
    tied_same = found[row, cut] - found_before
    room = k - ranked_before
    if ties == "expected":
        within = room * tied_same / np.maximum(tied, 1)
    else:
        within = np.maximum(room - (tied - tied_same), 0)
    return found_before + within
