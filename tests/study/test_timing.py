"""The harness keeps what it measures; results tables say whence they come."""

import json

import numpy as np
import pandas as pd
import pytest

from finhash.study import results, timing
from finhash.study.report import rounding


def test_contenders_alternate_and_every_repeat_is_kept():
    calls = []
    contenders = {n: lambda n=n: calls.append(n) for n in "ab"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timing, "SHORTEST", 0)
        timings = timing.time_calls(contenders, repeats=3, items=2)
    assert calls == list("aabb" + "ab" * 3)
    assert timings.groupby(["contender", "state"]).size().to_dict() == {
        ("a", "cold"): 1,
        ("a", "warm"): 3,
        ("b", "cold"): 1,
        ("b", "warm"): 3,
    }
    assert (timings["seconds"] >= 0).all()
    assert list(results.medians(timings).index) == ["a", "b"]


def test_traced_peak_sees_numpy():
    assert 8e6 < timing.traced_peak(lambda: np.ones(10**6)) < 9e6


def test_peak_rss_is_the_childs_alone():
    held = np.ones(40 * 10**6)  # 320 MB, that the child must not count
    before, peak = timing.peak_rss(np.ones, 20 * 10**6)
    assert 150e6 < peak - before < 250e6
    assert held[0] == 1


def test_results_have_provenance(tmp_path, monkeypatch):
    monkeypatch.setenv("FINHASH_HOME", str(tmp_path))
    table = pd.DataFrame({"a": [1, 2], "b": [0.1, 1e-9]})
    results.save(table, "thing", by="00_dataset", data="nothing")
    pd.testing.assert_frame_equal(results.load("thing"), table)
    facts = json.loads((tmp_path / "data" / "results" / "thing.json").read_text())
    assert {"command", "dataset", "commit", "seed", "cpu", "cores", "versions"} <= facts.keys()
    assert str(tmp_path) not in json.dumps(facts)
    assert len(list((tmp_path / "data" / "results").iterdir())) == 2


@pytest.mark.parametrize(
    ("value", "text"), [(55972, r"55\,972"), (999, "999"), (1566404406, r"1\,566\,404\,406")]
)
def test_whole_numbers(value, text):
    assert rounding.whole(value) == text


def test_rounding():
    assert rounding.percent(0.12345) == r"12.3\,\%"
    assert [rounding.milliseconds(s) for s in (0.3224, 0.00123, 0.00045)] == ["322", "1.23", "0.45"]
    assert [rounding.times(r) for r in (3.14, 9.96, 712.4)] == ["3.1", "10", "712"]
