"""Values that cannot be are found; possible ones are not."""

import pytest

from finhash.study import results
from finhash.study.report import plausible
from tests.study.report.tables import table, timings


@pytest.mark.parametrize(
    ("name", "wrong", "words"),
    [
        ("rates", table("method recall", ("find", 1.2)), "beyond 0 to 1"),
        ("rates", table("recall low high", (0.5, 0.6, 0.7)), "do not hold"),
        (
            "ladder_kernel",
            timings({"kernel": 1.0, "decode": 4.0, "file to hash": 3.0}),
            "decode takes longer",
        ),
        (
            "parallel_throughput_small",
            table(
                "executor workers throughput efficiency",
                ("decode only", 1, 9.0, 1.0),
                ("serial", 1, 5.0, 1.0),
                ("processes", 2, 15.0, 1.5),
            ),
            "efficiency of 1.50",
        ),
        (
            "parallel_whole_set",
            table("executor workers seconds", ("decode only", 1, 30.0), ("processes", 2, 10.0)),
            "more core time",
        ),
        (
            "large_images_costs",
            table("side contender over_decode", (1000, "find", 0.8)),
            "less time than decoding",
        ),
    ],
)
def test_impossible_values_are_found(monkeypatch, name, wrong, words):
    monkeypatch.setattr(results, "load", lambda _: wrong)
    assert any(words in fault for fault in plausible.faults([name]))


def test_possible_values_pass(monkeypatch):
    right = table("recall low high p", (0.5, 0.4, 0.7, 1.0))
    monkeypatch.setattr(results, "load", lambda _: right)
    assert list(plausible.faults(["rates"])) == []
