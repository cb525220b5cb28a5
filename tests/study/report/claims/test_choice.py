"""Claims of notebooks 11 to 13 hold on the committed results, and fail on others."""

import re
from functools import cache

import nbformat
import numpy as np
import pandas as pd
import pytest

from finhash.study import project
from finhash.study.report import claims
from finhash.study.report.claims import choice

NOTEBOOKS = ("11_confirmation", "12_set_a", "13_choice")
ROOT = project.root()


@cache
def committed(name: str) -> pd.DataFrame | None:
    """Return a committed results table, or None."""
    file = project.results(ROOT) / f"{name}.csv"
    return pd.read_csv(file) if file.exists() else None


def cells(stem: str) -> list[str]:
    notebook = nbformat.read(ROOT / "notebooks" / f"{stem}.ipynb", as_version=4)
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def keys() -> list[str]:
    return [key for stem in NOTEBOOKS for text in cells(stem) for key in claims.marked(text)]


@pytest.mark.parametrize("key", choice.CLAIMS)
def test_claim_holds_on_the_committed_results(key):
    needed = choice.CLAIMS[key][1]
    absent = [name for name in needed if committed(name) is None]
    if absent:
        pytest.skip(f"no committed table {absent[0]}")
    assert claims.holds(key, committed)


def test_every_finding_has_claims_and_every_claim_a_sentence():
    assert set(keys()) == set(choice.CLAIMS)
    for stem in NOTEBOOKS:
        for text in cells(stem):
            if re.match(r"(# .*\n\n)?\*\*Finding", text):
                assert claims.marked(text), text


def _noise(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose numbers are drawn anew from its own range, column by column."""
    rng = np.random.default_rng(1)
    changed = table.copy()
    for column in table.select_dtypes("number"):
        if column not in ("target", "distance", "cols", "rows", "ratio", "growth", "layout"):
            values = table[column].dropna()
            low, high = (values.min(), values.max()) if len(values) else (0, 1)
            changed[column] = rng.uniform(low, high + (high == low), len(table))
    return changed


def test_claims_can_fail():
    """Most claims fail on noise; those that rest on signs alone may hold by chance."""
    testable = [key for key, (_, names) in choice.CLAIMS.items() if names]
    known = [
        key for key in testable if all(committed(n) is not None for n in choice.CLAIMS[key][1])
    ]
    held = [key for key in known if claims.holds(key, lambda name: _noise(committed(name)))]
    assert len(held) < len(known) / 4, held
