"""Results tables that this run may report.

The stand-in's report needs every table, so a missing one is an error. A user's own set may be too
small for an analysis, or lack what it needs; its report leaves out what the set cannot give.
"""

import re

import pandas as pd

from finhash.study import project, results

FEWEST_PAIRS = 1000
"""Other-family pairs below which the number of effective bits, from a variance, says nothing."""

STUDIED_ONLY = "find_middle"
"""Method that only the stand-in's report explains, so a report on a user's set leaves it out."""


def title() -> str:
    """Return the name of the run's data set as plain text."""
    return results.load_provenance("ladder")["title"]


def exists(name: str) -> bool:
    """Return whether ``load(name)`` returns a table.

    It also does if the stand-in's table is missing, so that ``load`` raises an error.
    """
    return project.is_standin() or load(name) is not None


def load(name: str) -> pd.DataFrame | None:
    """Return the results table ``name``, without what a user's own set is too small to show.

    Parameters
    ----------
    name : str
        Stem of the table's files.

    Returns
    -------
    DataFrame or None
        The table; None if a user's own set has no such table, or one without rows. Tables of the
        stand-in's set B, which hold for every run, are not about a user's set.

    Raises
    ------
    MissingResultError
        If a table of the stand-in is missing.
    """
    if project.is_standin():
        return results.load(name)
    about = (project.data_set(), results.GENERATED)
    if not results.exists(name) or results.load_provenance(name)["run"] not in about:
        return None
    table = results.load(name)
    if "method" in table:
        table = table[table["method"] != STUDIED_ONLY]
    if results.exists("counting_histograms"):
        table = within_reach(table, other_pairs(results.load("counting_histograms")))
    return None if table.empty else table


def other_pairs(histograms: pd.DataFrame) -> int:
    """Return the number of other-family pairs, from ``counting_histograms``."""
    totals = results.headline(histograms).groupby("method")["other"].sum()
    return int(totals.max()) if len(totals) else 0


def within_reach(table: pd.DataFrame, pairs: int) -> pd.DataFrame:
    """Leave out all values at false positive rates that are too small for the set.

    A rate can be measured only if the set has at least 1 / rate other-family pairs. Rows with a
    smaller rate in the column ``target`` are dropped. Columns named after a smaller rate, such as
    ``tpr_1e-05``, are emptied, and so is ``effective_bits`` with fewer than ``FEWEST_PAIRS``.

    Parameters
    ----------
    table : DataFrame
        Any results table.
    pairs : int
        Number of other-family pairs.

    Examples
    --------
    >>> table = pd.DataFrame({"target": [1e-3, 1e-4], "tpr_1e-04": [0.9, 0.8]})
    >>> within_reach(table, 5_000)
       target  tpr_1e-04
    0   0.001        NaN
    """
    small = [c for c in table if _rate(str(c)) and not measurable(_rate(str(c)), pairs)]
    if pairs < FEWEST_PAIRS:
        small += [column for column in ("effective_bits",) if column in table]
    table = table.assign(**dict.fromkeys(small, float("nan")))
    if "target" in table:
        table = table[[measurable(target, pairs) for target in table["target"]]]
    return table


def measurable(rate: float, pairs: int) -> bool:
    """Return whether ``pairs`` other-family pairs suffice to measure a false positive rate.

    >>> measurable(1e-3, 1_000), measurable(1e-3, 999)
    (True, False)
    """
    return rate * pairs >= 1 - 1e-9


def _rate(column: str) -> float:
    """Return the false positive rate that a column is named after, or 0."""
    named = re.fullmatch(r"(?:\w+_)?(1e-\d\d)", column)
    return float(named[1]) if named else 0.0
