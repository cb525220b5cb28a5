"""Claims about accuracy hold on the committed tables, can fail, and stand in the notebooks."""

from collections.abc import Callable
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest

from finhash.study import results
from finhash.study.report import claims
from finhash.study.report.claims import accuracy

ROOT = Path(__file__).resolve().parents[4]
NOTEBOOKS = {
    "05_accuracy_comparison": accuracy.ACCURACY,
    "06_retrieval_and_clustering": accuracy.RETRIEVAL,
    "07_changed_images": accuracy.CHANGES,
    "08_bit_by_bit": accuracy.BITS,
}
"""Notebooks, and the claims that they make."""

KEYS = ["column", "families", "growth", "radius", "ratio", "row", "side", "target", "times"]
"""Columns of results tables that identify a row."""


@pytest.fixture(autouse=True)
def checkout(monkeypatch):
    monkeypatch.setenv("FINHASH_HOME", str(ROOT))
    monkeypatch.setenv("FINHASH_OUT", ".")
    monkeypatch.delenv("FINHASH_DAS_IMAGES", raising=False)


SPOILERS = {
    "large": lambda number: 100 * np.random.default_rng(1).random(number),
    "small": lambda number: 0.01 * np.random.default_rng(2).random(number),
    "rising": np.arange,
}
"""Functions that return as many measurements as a table has rows."""


def spoilt(kind: str) -> Callable[[str], pd.DataFrame]:
    """Return a loader of tables whose measurements are replaced."""

    def load(name: str) -> pd.DataFrame:
        table = results.load(name).copy()
        for column in table.select_dtypes("number").columns.difference(KEYS):
            table[column] = SPOILERS[kind](len(table))
        return table

    return load


@pytest.mark.parametrize("key", accuracy.CLAIMS)
def test_claim_holds_and_can_fail(key):
    assert claims.holds(key)
    assert not all(claims.holds(key, spoilt(kind)) for kind in SPOILERS)


def test_no_key_is_used_twice():
    parts = [set(part) for part in NOTEBOOKS.values()]
    assert len(set.union(*parts)) == sum(map(len, parts)) == len(accuracy.CLAIMS)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_findings_name_the_claims_of_their_notebook(name):
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    named = {key for text in texts for key in claims.marked(text)}
    assert set(NOTEBOOKS[name]) <= named <= claims.CLAIMS.keys()
    for text in texts:
        assert not text.startswith("**Finding") or claims.marked(text), text
