"""Twins: two families whose images were made from the same template under two names.

Every pair of families that might be twins was judged by looking at the two blank templates:

``same``
    One photograph or drawing, at most cropped, scaled, mirrored, recoloured, framed or lettered.
``variant``
    One photograph or drawing of which a part was edited, added or replaced.
``background``
    Different subjects before the same kind of background, such as a sunburst.
``different``
    Everything else, including two photographs of one subject.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.metrics import cohen_kappa_score

from finhash.study import project

if TYPE_CHECKING:  # the report reads ``known`` and should not import the code that counts
    from finhash.accuracy.counting import PairTable


def closest(tables: Mapping[str, "PairTable"], target: float) -> pd.DataFrame:
    """Rank pairs of families by the share of their pairs of images that are claimed.

    Parameters
    ----------
    tables : mapping of str to PairTable
        Counts of each method, all of the same families.
    target : float
        False positive rate; it determines each method's radius.

    Returns
    -------
    DataFrame
        One row per pair of families of which any method claims a pair of images, sorted by
        ``median`` from high to low:

        first, second : int
            Ranks of the two family numbers among those counted, from 0. They are not the family
            numbers themselves, unless these are 0, 1, 2, ...
        <method> : float
            Share of the image pairs between the two families within the method's radius. One
            column per method, named after it.
        median : float
            Median over methods; near 1 if the two families show one image.
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
    """Return the pairs of families that were judged by eye.

    Returns
    -------
    DataFrame
        One row per pair of families; empty unless the data set is ``"memes"`` or ``"memes_b"``:

        first, second : int
            Family numbers, as in file names; not ranks.
        first_name, second_name : str
            Names of the two templates.
        found_by : str
            What made the pair a candidate. ``"first search"`` and ``"finer search"``: correlation
            of the templates, see ``finhash.study.data.lookalikes``. ``"hashes"``: the hashes'
            false matches. ``"second reader"``: only the second reader named it.
        whole, detail : float
            Correlations of the two templates by the finer search.
        first_reader : str
            Verdict of the first reader; missing if the pair was not a candidate.
        second_reader : str
            Verdict of the second reader. Set A's named only the pairs that they judged the same,
            so all other pairs count as ``"different"``.
        verdict : str
            Verdict after a third look at the pairs on which the readers disagree.
    """
    files = {"memes": "twins.csv", "memes_b": "twins_b.csv"}
    table = pd.read_csv(project.ASSETS / files.get(dataset, "twins.csv"))
    return table if dataset in files else table.iloc[:0]


def labellings(families: np.ndarray, dataset: str) -> dict[str, np.ndarray]:
    """Return the families under three labellings, which differ in the twins that are merged.

    Returns
    -------
    dict of str to int array of shape (n,)
        ``"as labelled"``: the families given. ``"merged"``: twins that show the same image are one
        family. ``"merged with variants"``: so are variants of an image.
    """
    pairs = known(dataset)
    kinds = {"merged": ["same"], "merged with variants": ["same", "variant"]}
    both = {key: merged(families, pairs[pairs["verdict"].isin(k)]) for key, k in kinds.items()}
    return {"as labelled": families} | both


def agreement(pairs: pd.DataFrame) -> pd.DataFrame:
    """Compare the two readers on the pairs that both judged.

    Parameters
    ----------
    pairs : DataFrame
        Columns ``found_by``, ``first_reader`` and ``second_reader`` of ``known``.

    Returns
    -------
    DataFrame
        One row per source of candidates, and one for all:

        found_by : str
            Source of the candidates, or ``"all"``.
        pairs : int
            Number of pairs judged.
        both, first_only, second_only : int
            Pairs judged the same by both readers, or by one of them only.
        agreement : float
            Share of the pairs on which the readers agree.
        kappa : float
            Cohen's kappa: agreement beyond what chance would give.
    """
    judged = pairs.dropna(subset=["first_reader"])
    groups = [*judged.groupby("found_by"), ("all", judged)]
    rows = []
    for source, group in groups:
        first, second = group["first_reader"] == "same", group["second_reader"] == "same"
        counts = (first & second).sum(), (first & ~second).sum(), (~first & second).sum()
        kappa = cohen_kappa_score(first, second) if first.nunique() > 1 else float("nan")
        rows.append((source, len(group), *counts, (first == second).mean(), kappa))
    columns = ["found_by", "pairs", "both", "first_only", "second_only", "agreement", "kappa"]
    return pd.DataFrame(rows, columns=columns)


def false_share(
    tables: Mapping[str, "PairTable"],
    families: np.ndarray,
    pairs: pd.DataFrame,
    targets: Sequence[float],
) -> pd.DataFrame:
    """Compute the share of each method's false claims that lie between listed pairs of families.

    Parameters
    ----------
    tables : mapping of str to PairTable
        Counts of each method.
    families : int array of shape (n,)
        Family number of each image, as counted in ``tables``.
    pairs : DataFrame
        Columns ``first`` and ``second``: family numbers, as in ``families``; not the ranks of
        ``closest``.
    targets : sequence of float
        False positive rates; they determine the radii.

    Returns
    -------
    DataFrame
        One row per method and target:

        method : str
            Method name.
        target : float
            False positive rate.
        radius : int
            Radius in bits.
        share : float
            Share of the claimed other-family pairs; 0 if none is claimed.
    """
    names = np.unique(families)
    wanted = {tuple(np.searchsorted(names, pair)) for pair in _present(pairs, names)}
    rows = []
    for name, table in tables.items():
        listed = np.array([pair in wanted for pair in zip(table.first, table.second, strict=True)])
        for target in targets:
            radius = table.radius(target)
            claimed = table.count * (table.distance <= radius)
            share = claimed[listed].sum() / max(1, claimed.sum())
            rows.append((name, target, radius, share))
    return pd.DataFrame(rows, columns=["method", "target", "radius", "share"])


def merged(families: np.ndarray, pairs: pd.DataFrame) -> np.ndarray:
    """Return labels in which listed pairs of families are one family, numbered from 0.

    ``pairs`` has the columns ``first`` and ``second``: family numbers, as in ``families``. Merging
    is transitive: if A is listed with B, and B with C, all three become one family, even if A and C
    were judged different. Pairs with a family that has no image are ignored.

    Examples
    --------
    >>> pairs = pd.DataFrame({"first": [3, 9], "second": [8, 99]})
    >>> merged(np.array([3, 5, 8, 9]), pairs).tolist()
    [0, 1, 0, 2]
    """
    names, labels = np.unique(families, return_inverse=True)
    pairs = np.searchsorted(names, _present(pairs, names))
    links = coo_array((np.ones(len(pairs)), pairs.T), (len(names), len(names)))
    return connected_components(links, directed=False)[1][labels]


def _present(pairs: pd.DataFrame, names: np.ndarray) -> np.ndarray:
    """Return the pairs whose families both occur in ``names``, ``int [pairs, 2]``."""
    both = pairs[["first", "second"]].to_numpy()
    return both[np.isin(both, names).all(axis=1)]
