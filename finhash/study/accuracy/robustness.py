"""Retrieval of an image's family after the image was transformed."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from tqdm import tqdm

from finhash import hamming
from finhash.study.data.transforms import CELL
from finhash.tables.hash_table import HashTable


def robustness(
    table: HashTable,
    gallery: HashTable,
    families: np.ndarray,
    radii: Mapping[str, int],
    *,
    workers: int = 1,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Search a gallery of unchanged images for transformed images.

    Parameters
    ----------
    table : HashTable
        Hashes of the transformed images (the queries), with columns ``transform`` and ``strength``.
        ``path`` names the original of each query. Rows with errors are skipped.
    gallery : HashTable
        Hashes of the unchanged images, the originals among them.
    families : array of shape (gallery,)
        Families of the gallery; at least two.
    radii : mapping of str to int
        Threshold of each method, in bits.
    workers : int
        Number of threads.

    Returns
    -------
    summary : DataFrame
        One row per method, transform and strength:

        method : str
            Method name.
        transform, strength : str
            Kind and degree of the change.
        own_low, own_median, own_high : float
            Quartiles of the distance from query to original, in bits.
        found_own : float
            Share of queries whose original is within the radius.
        recall : float
            Share of the family's other images that are within the radius, averaged over queries
            whose family has other images.
        false_accepts : float
            Share of queries with an image of another family within the radius.
        nearest_right : float
            Share of queries whose nearest image, leaving out the original, is of their family. If
            several are nearest, the query counts by the share of them that is of its family.
    distances : DataFrame
        One row per method, transform, strength, kind and distance that occurs:

        method, transform, strength : str
            As above.
        kind : str
            ``"own"``: from query to original. ``"same"``: from query to the other images of its
            family.
        distance : int
            Distance in bits.
        count : int
            Number of pairs at this distance.

    Raises
    ------
    KeyError
        If the gallery lacks an original.
    """
    summaries, counts = [], []
    for name, radius in tqdm(radii.items(), "robustness", unit="method", leave=False):
        cells, own, same, other = _counts(table, gallery, families, name, workers)
        # Same-family images up to, and at, the distance of the nearest image of another family.
        query = np.arange(len(own))
        nearest = (other > 0).argmax(axis=1)
        near, tied = same.cumsum(axis=1)[query, nearest], same[query, nearest]
        shares = {
            "found_own": own <= radius,
            "recall": pd.Series(same[:, : radius + 1].sum(axis=1)) / same.sum(axis=1),
            "false_accepts": nearest <= radius,
            "nearest_right": np.where(near > tied, 1, tied / (tied + other[query, nearest])),
        }
        groups = cells.assign(method=name, own=own, **shares).groupby(["method", *CELL], sort=False)
        quartiles = {"own_low": 0.25, "own_median": 0.5, "own_high": 0.75}
        columns = {column: groups["own"].quantile(q) for column, q in quartiles.items()}
        summaries.append(pd.DataFrame(columns).join(groups[list(shares)].mean()).reset_index())
        for key, rows in groups.indices.items():
            kinds = {"own": np.bincount(own[rows]), "same": same[rows].sum(axis=0)}
            for kind, count in kinds.items():
                counts += [(*key, kind, at, count[at]) for at in np.flatnonzero(count)]
    distances = pd.DataFrame(counts, columns=["method", *CELL, "kind", "distance", "count"])
    return pd.concat(summaries, ignore_index=True), distances


def _counts(
    table: HashTable, gallery: HashTable, families: np.ndarray, name: str, workers: int
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, np.ndarray]:
    """Count the gallery by distance from each query with a hash, for the method ``name``.

    Returns the queries' transforms and strengths; their distances ``int [n]`` to the originals; and
    the counts ``int [n, bits + 1]`` of the other images of the family and of other families.
    """
    table = table.without_errors()
    original = pd.Series(range(len(gallery)), gallery.paths).loc[table.paths].to_numpy()
    queries, unchanged = table.hashes(name), gallery.hashes(name)
    own = np.bitwise_count(queries ^ unchanged[original]).sum(axis=1, dtype=int)
    blocks = hamming.query_histograms(
        queries, families[original], unchanged, families, workers=workers
    )
    _, _, same, other = zip(*blocks, strict=True)
    same, other = np.concatenate(same), np.concatenate(other)
    same[np.arange(len(own)), own] -= 1  # the original itself
    return table.arrow.select(CELL).to_pandas(), own, same, other
