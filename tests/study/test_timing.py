"""Every measured sample is kept, and memory is that of the measured call alone."""

import numpy as np
import pytest

from finhash.study import timing


def test_contenders_alternate_and_every_sample_is_kept(monkeypatch):
    calls = []
    contenders = {n: lambda n=n: calls.append(n) for n in "ab"}
    monkeypatch.setattr(timing, "SHORTEST", 0)
    timings = timing.time_calls(contenders, repeats=3, items=2)
    assert calls == list("aabb" + "ab" * 3)
    assert timings["contender"].tolist() == ["a", "b"] * 4
    assert timings["state"].tolist() == ["cold"] * 2 + ["warm"] * 6
    assert timings["repeat"].tolist() == [0, 0, 0, 0, 1, 1, 2, 2]


def test_seconds_are_divided_by_items_and_loops(monkeypatch):
    monkeypatch.setattr(timing, "_time", lambda call, loops: loops / 1000)
    monkeypatch.setattr(timing, "SHORTEST", 0.005)
    timings = timing.time_calls({"a": int}, repeats=1, items=2)
    assert timings["seconds"].tolist() == [0.0005, 0.0025]


def test_items_may_differ_between_functions(monkeypatch):
    monkeypatch.setattr(timing, "_time", lambda call, loops: 1.0)
    timings = timing.time_calls({"a": int, "b": int}, 1, items={"a": 1, "b": 4})
    assert timings.groupby("contender")["seconds"].max().to_dict() == {"a": 1, "b": 0.25}


def test_files_that_are_gone_are_passed_over(tmp_path):
    timing.read_files([tmp_path / "gone"])


def test_functions_are_applied_to_every_source():
    seen = []
    timing.over(seen.append, [1, 2, 3])()
    assert seen == [1, 2, 3]


def test_traced_peak_sees_numpy():
    assert 8e6 < timing.traced_peak(lambda: np.ones(10**6)) < 9e6


@pytest.mark.slow  # spawns a process
def test_resident_memory_is_the_childs_alone():
    held = np.ones(40 * 10**6)  # 320 MB in this process, which must not be counted
    before, peak = timing.peak_rss(np.ones, 20 * 10**6)
    assert 150e6 < peak - before < 250e6
    assert held[0] == 1
