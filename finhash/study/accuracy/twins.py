"""Families that show one image under two names: candidates, verdicts, merged labels."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from finhash.study import project
from finhash.study.accuracy.counting import PairTable


def closest(tables: Mapping[str, PairTable], target: float) -> pd.DataFrame:
    """Pairs of families by the share of their cross pairs that each method claims at ``target``.

    ``first, second``, positions in order of family, a column a method, and ``median`` of these:
    near 1 for one picture under two names.
    """
    columns = {}
    for name, table in tables.items():
        within = table.distance <= table.radius(target)
        index = pd.MultiIndex.from_arrays([table.first[within], table.second[within]])
        claimed = pd.Series(table.count[within], index).groupby(level=[0, 1]).sum()
        a, b = (claimed.index.get_level_values(k) for k in (0, 1))
        columns[name] = claimed / (table.sizes[a] * table.sizes[b])
    shares = pd.DataFrame(columns).fillna(0.0)
    shares["median"] = shares.median(axis=1)
    shares.index.names = ["first", "second"]
    return shares.sort_values("median", ascending=False).reset_index()


def known(dataset: str) -> pd.DataFrame:
    """Pairs of families looked at because hashes find them close, with what was seen.

    ``first, second`` (family numbers), their templates' names, ``verdict``: ``same`` picture
    (cropped, recoloured or lettered at most), ``variant`` of it, or nothing in common but the
    ``background``. Only of the ``memes`` data set; of others none is known.
    """
    table = pd.read_csv(project.ASSETS / "twins.csv")
    return table if dataset == "memes" else table.iloc[:0]


def false_share(
    tables: Mapping[str, PairTable],
    families: np.ndarray,
    pairs: pd.DataFrame,
    targets: Sequence[float],
) -> pd.DataFrame:
    """Which share of a method's false claims lies between these pairs of families.

    ``method, target, radius, share``.
    """
    names = np.unique(families)
    known = {tuple(np.searchsorted(names, pair)) for pair in _within(pairs, names)}
    rows = []
    for name, table in tables.items():
        listed = np.array([pair in known for pair in zip(table.first, table.second, strict=True)])
        for target in targets:
            radius = table.radius(target)
            claimed = table.count * (table.distance <= radius)
            share = claimed[listed].sum() / max(1, claimed.sum())
            rows.append((name, target, radius, share))
    return pd.DataFrame(rows, columns=["method", "target", "radius", "share"])


def merged(families: np.ndarray, pairs: pd.DataFrame) -> np.ndarray:
    """The labels with each of the pairs ``first, second`` of families made one."""
    names, labels = np.unique(families, return_inverse=True)
    pairs = np.searchsorted(names, _within(pairs, names))
    links = coo_array((np.ones(len(pairs)), pairs.T), (len(names), len(names)))
    return connected_components(links, directed=False)[1][labels]


def _within(pairs: pd.DataFrame, names: np.ndarray) -> np.ndarray:
    """Those of the pairs whose families are both there, ``[pairs, 2]``."""
    both = pairs[["first", "second"]].to_numpy()
    return both[np.isin(both, names).all(axis=1)]
