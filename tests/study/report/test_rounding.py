"""Numbers and tables become the LaTeX text that the report prints."""

import pandas as pd
import pytest

from finhash.study import results
from finhash.study.report import rounding


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (999, "999"),
        (9.6, "10"),
        (55_972, r"55\,972"),
        (1_566_404_406, r"1\,566\,404\,406"),
    ],
)
def test_whole_numbers_have_thin_spaces_between_thousands(value, text):
    assert rounding.whole(value) == text


@pytest.mark.parametrize(
    ("share", "digits", "text"),
    [(0.12345, 1, r"12.3\,\%"), (0.12345, 0, r"12\,\%"), (1, 1, r"100.0\,\%"), (0, 2, r"0.00\,\%")],
)
def test_shares_become_percentages(share, digits, text):
    assert rounding.percent(share, digits) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.3224, "322"), (0.0476, "47.6"), (0.00123, "1.23"), (0.00045, "0.45"), (0.001, "1")],
)
def test_durations_are_in_milliseconds(seconds, text):
    assert rounding.milliseconds(seconds) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(3.14, "3.1"), (9.94, "9.9"), (9.96, "10"), (712.4, "712"), (1e4, r"10\,000")],
)
def test_speed_ups_have_a_decimal_below_ten(ratio, text):
    assert rounding.times(ratio) == text


@pytest.mark.parametrize(
    ("rate", "text"),
    [(1.23e-5, r"$1.2\times10^{-5}$"), (1e-4, r"$1.0\times10^{-4}$"), (0, r"$0.0\times10^{0}$")],
)
def test_rates_are_powers_of_ten(rate, text):
    assert rounding.scientific(rate) == text


def test_intervals_are_percentages():
    assert rounding.between(0.25, 1) == r"25.0\,\% to 100.0\,\%"


@pytest.mark.parametrize(("rate", "digit"), [(1e-2, 2), (1e-4, 4), (1e-6, 6)])
def test_false_positive_rates_are_named_by_their_exponent(rate, digit):
    assert rounding.exponent(rate) == digit


@pytest.mark.parametrize(
    ("text", "escaped"), [("5% a_b & #1", r"5\% a\_b \& \#1"), ("2.4 noise", "2.4 noise")]
)
def test_special_characters_are_escaped(text, escaped):
    assert rounding.tex(text) == escaped


def test_a_table_has_head_rules_and_rows():
    assert rounding.tabular("lr", ["hash", "bits"], [["FINd", "256"], ["FINd", "64"]]) == (
        "\\begin{tabular}{lr}\n\\toprule\nhash & bits \\\\\n\\midrule\n"
        "FINd & 256 \\\\\nFINd & 64 \\\\\n\\bottomrule\n\\end{tabular}\n"
    )


def test_a_table_with_two_text_columns_is_grouped_by_the_first():
    rows = [["box", "a", "1"], ["box", "b", "2"], ["luma", "a", "3"]]
    assert rounding.tabular("llr", ["step", "name", "ms"], rows) == (
        "\\begin{tabular}{llr}\n\\toprule\nstep & name & ms \\\\\n\\midrule\n"
        "box & a & 1 \\\\\n & b & 2 \\\\\n\\addlinespace\nluma & a & 3 \\\\\n"
        "\\bottomrule\n\\end{tabular}\n"
    )


def test_numbers_keep_the_table_that_they_come_from(monkeypatch):
    tables = {"one": pd.DataFrame({"x": [1]}), "two": pd.DataFrame({"x": [2, 2]})}
    monkeypatch.setattr(results, "load", tables.__getitem__)
    functions = {
        "one": lambda table: {"first": str(table["x"].sum())},
        "two": lambda table: {"second": str(table["x"].sum())},
    }
    assert rounding.numbers_from(functions) == {"first": ("1", "one"), "second": ("4", "two")}
