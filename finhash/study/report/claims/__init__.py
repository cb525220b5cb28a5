r"""Comparative and conclusive sentences, each tied to a predicate over results tables.

``CLAIMS`` lists the predicates by key. A sentence names its claim where it stands:

- in the report, ``\claim{key}{sentence}`` prints the sentence only if the claim holds, and
  ``\otherwise{key}{sentence}`` prints its second form only if it does not;
- in a notebook or the README, a Markdown cell or paragraph ends with ``<!-- claims: key, key -->``.
  If one of the claims of a cell fails on a run's results, the run leaves the cell out.

``python -m finhash.study.report.claims`` lists the claims that fail on the results of this run.
"""

import re
from collections.abc import Callable, Iterable

import pandas as pd

from finhash.study import results
from finhash.study.report.claims import accuracy, choice, cost, report, scale

Claim = tuple[Callable[..., bool], tuple[str, ...]]
"""Predicate, and stems of the results tables that it reads, in the order of its arguments."""

PARTS: tuple[dict[str, Claim], ...] = tuple(
    part.CLAIMS for part in (report, cost, accuracy, scale, choice)
)
"""The lists of claims, one per group of notebooks."""

CLAIMS: dict[str, Claim] = {key: claim for part in PARTS for key, claim in part.items()}
"""Key of a sentence -> its claim."""

MARK = re.compile(r"<!-- claims: ([\w, -]+?) -->")
"""Comment that ties a Markdown cell to claims."""


def holds(key: str, load: Callable[[str], pd.DataFrame | None] = results.load) -> bool:
    """Return whether the claim ``key`` holds on the results tables of this run.

    Parameters
    ----------
    key : str
        Key in ``CLAIMS``; another one raises ``KeyError``.
    load : callable
        Return the table of a stem, or None if the run has none. A claim about a table, method or
        row that does not exist does not hold.
    """
    predicate, names = CLAIMS[key]
    try:
        tables = [load(name) for name in names]
        return all(table is not None for table in tables) and bool(predicate(*tables))
    except (results.MissingResultError, KeyError, IndexError, ValueError):
        return False


def failing(
    keys: Iterable[str], load: Callable[[str], pd.DataFrame | None] = results.load
) -> list[str]:
    """Return the keys whose claims do not hold, in order."""
    return [key for key in keys if not holds(key, load)]


def marked(text: str) -> list[str]:
    """Return the keys of the claims that a Markdown text names.

    >>> marked("Luma is second. <!-- claims: box-leads, luma-second -->")
    ['box-leads', 'luma-second']
    """
    return [key.strip() for found in MARK.findall(text) for key in found.split(",")]
