"""The reports' numbers are listed once, all are quoted, and queries give hand-computed values."""

import re

import numpy as np
import pandas as pd

from finhash.study import project, results
from finhash.study.report import build, quoted
from tests.study.report.tables import table, timings

REPORT = project.root() / "report"


def test_listed_numbers_are_those_that_the_texts_quote():
    texts = [(REPORT / name).read_text() for name in ("report.tex", "part1.tex", "your_images.tex")]
    keys = set(re.findall(r"\\result\{([\w-]+)\}", "".join(texts)))
    keys = {key for key in keys if not key.startswith("sentence-")}
    block = re.findall(r"\{([a-z][\w-]*)\}", (project.root() / build.__file__).read_text())
    listed = quoted.NUMBERS.keys() | quoted.SETTING
    assert keys <= listed
    assert listed <= keys | set(block) | {f"b-rate4-{name}" for name in build.README_RECALLS}


def value(key: str, frame: pd.DataFrame) -> str:
    number = quoted.NUMBERS[key]
    return number.text(number.query(frame))


def test_times_are_warm_medians_and_gains_their_ratios():
    ladder = timings({"reference": 0.2, "+ simplejpeg": 0.00023})
    assert value("reference-ms", ladder) == "200"
    assert value("deployed-ms", ladder) == "0.23"
    assert value("deployed-times", ladder) == "870"


def test_share_of_a_step_is_that_of_its_median():
    steps = table("step seconds", ("luma", 1), ("box filter", 3), ("box filter", 5), ("DCT", 1))
    assert value("share-box", steps) == r"67\,\%"


def test_false_matches_at_perfect_recall():
    histograms = table(
        "method same other labels",
        ("find", 2, 8_000, "as labelled"),
        ("find", 9, 9, "merged"),
        ("pdq", 9, 9, "as labelled"),
    )
    assert value("false-claims-3", histograms) == r"80\,\%"  # 8 of 10
    assert value("prevalence", histograms) == r"0.02\,\%"


def test_join_is_quoted_at_the_widest_threshold_on_one_core():
    rows = [
        ("shuffled", 256, 72, "join", 1, 4e9),
        ("shuffled", 256, 72, "FAISS flat", 1, 1e9),
        ("shuffled", 256, 52, "join", 1, 9e9),
        ("shuffled", 256, 72, "join", 2, 8e9),
        ("64 bits", 64, 99, "join", 1, 9e9),
    ]
    kernels = table("set bits radius contender workers throughput", *rows)
    assert (value("join-rate", kernels), value("join-flat", kernels)) == ("4.0", "4.0")


def test_a_number_that_a_small_run_lacks_is_a_dash(monkeypatch):
    monkeypatch.setattr(quoted, "_setting", dict)
    monkeypatch.setattr(quoted.available, "load", lambda _: pd.DataFrame({"images": [np.nan]}))
    assert quoted.numbers()["match-one"] == ("--", "search_one")


def test_numbers_come_from_tables_that_are_saved():
    assert {number.table for number in quoted.NUMBERS.values()} <= results.makers().keys()
