"""Whether hashes of transformed images still find the originals' families."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from tqdm import tqdm

from finhash import hamming
from finhash.jobs.table import HashTable
from finhash.study.data.transforms import CELL


def robustness(
    table: HashTable,
    gallery: HashTable,
    families: np.ndarray,
    radii: Mapping[str, int],
    *,
    workers: int = 1,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What changed pictures find in a gallery of unchanged ones, and all distances behind it.

    The first has a row a method and cell. ``families`` are the gallery's, of which there must be
    two. ``own_low``, ``own_median``, ``own_high`` are quartiles of the distance to the own
    original. Means over changed pictures: ``found_own``, is it within the radius; ``recall``, the
    share of the family's other pictures that are (families of one left out); ``false_accepts``, is
    any picture of another family; ``nearest_right``, is the nearest, the original aside, of the
    family (ties by their share).

    The second counts distances, so that other radii can be tried: ``method, transform, strength,
    kind, distance, count``; ``kind`` is ``own``, to the own original, or ``same``, to the other
    pictures of its family. Raises ``KeyError`` if the gallery lacks an original.
    """
    summaries, counts = [], []
    for name, radius in tqdm(radii.items(), "robustness", unit="method", leave=False):
        cells, own, same, other = _counts(table, gallery, families, name, workers)
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
        for key, rows_ in groups.indices.items():
            kinds = {"own": np.bincount(own[rows_]), "same": same[rows_].sum(axis=0)}
            for kind, count in kinds.items():
                counts += [(*key, kind, at, count[at]) for at in np.flatnonzero(count)]
    distances = pd.DataFrame(counts, columns=["method", *CELL, "kind", "distance", "count"])
    return pd.concat(summaries, ignore_index=True), distances


def _counts(
    table: HashTable, gallery: HashTable, families: np.ndarray, name: str, workers: int
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, np.ndarray]:
    """Cells of the rows that have hashes, and their distances by the method ``name``.

    ``own``, to the own original, ``int [n]``; counts of those to the rest of its family and to
    other families, ``int [n, bits + 1]``.
    """
    table = table.without_errors()
    original = pd.Series(range(len(gallery)), gallery.paths).loc[table.paths].to_numpy()
    left, right = table.hashes(name), gallery.hashes(name)
    own = np.bitwise_count(left ^ right[original]).sum(axis=1, dtype=int)
    # In blocks, so that workers share them.
    blocks = hamming.query_histograms(left, families[original], right, families, workers=workers)
    _, _, same, other = zip(*blocks, strict=True)
    same, other = np.concatenate(same), np.concatenate(other)
    same[np.arange(len(own)), own] -= 1
    return table.arrow.select(CELL).to_pandas(), own, same, other
