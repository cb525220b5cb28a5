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

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.metrics import cohen_kappa_score

from finhash.accuracy import rates, verdicts
from finhash.study import project
from finhash.study.data.datasets import families_of
from finhash.tables.hash_table import HashTable

if TYPE_CHECKING:  # the report reads ``known`` and should not import the code that counts
    from finhash.accuracy.counting import PairTable


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


def labellings(
    families: np.ndarray,
    dataset: str,
    judged: pd.DataFrame | None = None,
    paths: Sequence[str | os.PathLike[str]] | None = None,
) -> dict[str, np.ndarray]:
    """Return the families under the labellings of ``finhash.accuracy.verdicts.labellings``.

    Parameters
    ----------
    families : int array of shape (n,)
        Family number of each image.
    dataset : str
        Name of the data set.
    judged : DataFrame, optional
        The user's verdicts, as from ``finhash.accuracy.verdicts.read``; by default those of
        ``known``. Verdicts on families that have no image in this run are left out.
    paths : sequence of str or path-like, shape (n,), optional
        Path of each image, in case the user's verdicts name images.

    Returns
    -------
    dict of str to int array of shape (n,)
        ``"as labelled"``, the families given; if there are verdicts, also ``"merged"`` and
        ``"merged with variants"``.
    """
    judged = known(dataset) if judged is None else judged
    return verdicts.labellings(families, judged, paths, missing="ignore")


def of_table(table: HashTable, judged: Path | None = None) -> dict[str, np.ndarray]:
    """Return the families of a hash table's images under the labellings of ``labellings``.

    ``judged`` is the user's file of verdicts, if there is one.
    """
    read = None if judged is None else verdicts.read(judged)
    families = families_of(table.paths)
    return labellings(families, table.provenance["dataset"], read, table.paths)


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
        ``finhash.accuracy.verdicts.closest``.
    targets : sequence of float
        False positive rates; they determine the radii, which are at most the tables' ``reach``.

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
    wanted = np.sort(verdicts.ranks_of(pairs, names), axis=1) @ (len(names), 1)
    rows = []
    for name, table in tables.items():
        listed = np.isin(table.first * len(names) + table.second, wanted)
        for target in targets:
            radius, _ = rates.at_rate(*table.rates(), target)
            claimed = table.count * (table.distance <= radius)
            share = claimed[listed].sum() / max(1, claimed.sum())
            rows.append((name, target, radius, share))
    return pd.DataFrame(rows, columns=["method", "target", "radius", "share"])
