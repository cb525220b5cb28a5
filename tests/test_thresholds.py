"""The library's thresholds are those that the study recommends."""

from pathlib import Path

import pandas as pd
import pytest

from finhash import thresholds
from finhash.study.data import committed

RESULTS = Path(__file__).resolve().parents[1] / "data" / "results"


def test_thresholds_are_the_studys():
    table = pd.read_csv(RESULTS / "thresholds.csv")
    found = {use: {} for use in thresholds.TARGETS}
    for row in table.itertuples():
        found[row.use][row.method] = row.threshold
        assert row.target == thresholds.TARGETS[row.use]
    for use, chosen in thresholds.THRESHOLDS.items():
        found[use]["find_luma"] = found[use]["find"]  # find_luma approximates find
        assert found[use] == chosen


def test_the_plan_of_the_confirmation_names_the_same_thresholds():
    text = (RESULTS.parent / "plan_b.md").read_text()
    for name in committed.COMPARED:
        cells = [str(chosen[name]) for chosen in thresholds.THRESHOLDS.values()]
        assert f"| {name} | {' | '.join(cells)} |" in text


def test_what_is_unknown_is_an_error():
    with pytest.raises(KeyError, match="choose one of human review, search"):
        thresholds.threshold("dating", "find")
    with pytest.raises(KeyError, match="no threshold of 'md5'"):
        thresholds.threshold("match", "md5")
