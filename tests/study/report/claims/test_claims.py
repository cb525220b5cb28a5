"""Every claim can fail, keys are unique, and a text's claims are found."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from finhash.study import project, results
from finhash.study.report import claims

PARTS = claims.PARTS

DISTORTIONS: tuple[Callable[[pd.DataFrame], pd.DataFrame], ...] = (
    lambda numbers: -numbers,
    lambda numbers: 1 - numbers,
    lambda numbers: numbers / 3,
    lambda numbers: numbers * 0,
    lambda numbers: numbers * 0 + 1,
    lambda numbers: numbers * 1000,
    lambda numbers: numbers * 0 + np.arange(len(numbers.columns)),
    lambda numbers: numbers.iloc[::-1].set_axis(numbers.index),
    lambda numbers: numbers.sample(frac=1, random_state=1).set_axis(numbers.index),
)
"""Changes of the numbers of a table. Each claim must fail after at least one."""

KEYS = ("target", "radius", "workers", "side", "row", "files", "cols")
"""Numeric columns that name a row, and keep their values."""


def distorted(name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> pd.DataFrame:
    table = results.load(name)
    numbers = table.select_dtypes("number").astype(float)
    numbers = numbers.drop(columns=[c for c in KEYS if c in numbers])
    flags = table.select_dtypes("bool")
    return table.assign(**dict(change(numbers)), **dict(~flags))


@pytest.fixture
def committed(monkeypatch) -> None:
    monkeypatch.setenv("FINHASH_OUT", str(project.root()))
    monkeypatch.setenv("FINHASH_TEMPLATES", "any")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.usefixtures("committed")
@pytest.mark.parametrize("key", sorted(key for key, (_, names) in claims.CLAIMS.items() if names))
def test_every_claim_can_fail(key):
    assert any(
        not claims.holds(key, lambda name, change=change: distorted(name, change))
        for change in DISTORTIONS
    )


def test_keys_are_unique():
    assert sum(len(part) for part in PARTS) == len(claims.CLAIMS)


def test_a_claim_without_its_table_does_not_hold():
    assert not claims.holds(next(iter(claims.CLAIMS)), lambda _: None)


def test_claims_read_tables_that_are_saved():
    read = {name for _, names in claims.CLAIMS.values() for name in names}
    assert read <= results.makers().keys()
