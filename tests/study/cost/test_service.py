"""Latencies are measured on the service itself, and nothing stays in the gallery."""

import pandas as pd
import pytest

from finhash import Gallery
from finhash.study.cost import service


def test_in_process(hashes, tmp_path):
    Gallery(hashes[:200], method="find").save(tmp_path)
    table = service.in_process(tmp_path, service.images(4, seed=1), warm=1)
    counts = table.groupby("operation").size()
    assert counts.to_dict() == dict.fromkeys(service.OPERATIONS, 3)
    assert (table["ms"] > 0).all()
    assert list(Gallery.load(tmp_path).ids) == list(range(200))


def test_summary():
    calls = pd.DataFrame({"operation": ["remove", *["add"] * 101], "ms": [7.0, *range(101)]})
    table = service.summary(calls)
    assert table.values.tolist() == [["add", 101, 50, 95, 99, 100], ["remove", 1, 7, 7, 7, 7]]


@pytest.mark.slow
def test_measure(hashes):
    table = service.measure(hashes, [300, 700], service.images(3, seed=1), warm=1)
    assert table["hashes"].unique().tolist() == [300, 700]
    for (_, where), part in table.groupby(["hashes", "where"]):
        expected = [
            one
            for one in service.OPERATIONS
            if where == "in process" or one not in ("load", "refresh")
        ]
        assert part["operation"].tolist() == expected
        assert (part["calls"] == 2).all()
        assert (part["median_ms"] <= part["most_ms"]).all()


@pytest.mark.slow
def test_a_service_that_cannot_start(tmp_path, monkeypatch):
    monkeypatch.setattr(service, "EXAMPLES", tmp_path)
    with (
        pytest.raises(RuntimeError, match="the service ended"),
        service.serving(tmp_path, workers=1),
    ):
        pass
