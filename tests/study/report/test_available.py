"""A user's own set reports what it can show, and the stand-in lacks nothing without an error."""

import numpy as np
import pandas as pd
import pytest

from finhash.study import project, results
from finhash.study.report import available
from tests.study.report.tables import table

HISTOGRAMS = table(
    "labels method distance same other",
    ("as labelled", "find", 0, 10, 0),
    ("as labelled", "find", 1, 10, 5_000),
    ("as labelled", "pdq", 1, 20, 5_000),
)


@pytest.fixture
def own(monkeypatch) -> dict[str, pd.DataFrame]:
    """Results of a user's set, which a test fills."""
    tables = {"counting_histograms": HISTOGRAMS}
    runs = {"confirmation": "memes_b", "shrinking": results.GENERATED}
    monkeypatch.setattr(project, "data_set", lambda: "das_images")
    monkeypatch.setattr(results, "load", tables.__getitem__)
    monkeypatch.setattr(results, "exists", tables.__contains__)
    monkeypatch.setattr(
        results, "load_provenance", lambda name: {"run": runs.get(name, "das_images")}
    )
    return tables


def test_a_missing_an_empty_and_another_sets_table_are_none(own):
    own |= {"empty": pd.DataFrame({"method": []}), "confirmation": HISTOGRAMS}
    assert available.load("missing") is None
    assert available.load("empty") is None
    assert available.load("confirmation") is None
    assert not available.exists("missing")
    assert available.exists("counting_histograms")


def test_a_table_of_generated_images_holds_for_every_set(own):
    own["shrinking"] = table("kind images", ("large", 5))
    assert available.load("shrinking")["images"].tolist() == [5]


def test_rates_that_need_more_pairs_are_left_out(own):
    own["rates"] = table("method tpr_1e-03 radius_1e-04 recall_p0.9", ("find", 0.5, 12, 0.25))
    [row] = available.load("rates").to_dict("records")
    assert (row["tpr_1e-03"], row["recall_p0.9"]) == (0.5, 0.25)
    assert np.isnan(row["radius_1e-04"])
    own["intervals"] = table("target recall", (1e-3, 0.5), (1e-4, 0.25))
    assert available.load("intervals")["target"].tolist() == [1e-3]
    own["intervals"] = table("target recall", (1e-5, 0.5))
    assert available.load("intervals") is None


def test_the_hash_that_only_the_stand_ins_report_explains_is_left_out(own):
    own["costs"] = table("method ms", ("find", 1), ("find_middle", 2))
    assert available.load("costs")["method"].tolist() == ["find"]


def test_a_missing_table_of_the_stand_in_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr(project, "data_set", lambda: "memes")
    monkeypatch.setenv("FINHASH_OUT", str(tmp_path))
    with pytest.raises(results.MissingResultError):
        available.load("no_such_table")


@pytest.mark.parametrize(("pairs", "yes"), [(9_999, False), (10_000, True), (0, False)])
def test_a_rate_needs_one_pair_per_false_match(pairs, yes):
    assert available.measurable(1e-4, pairs) == yes


def test_pairs_between_families_are_counted_once(own):
    assert available.other_pairs(HISTOGRAMS) == 5_000
    assert available.other_pairs(HISTOGRAMS[:0]) == 0
