"""Numbers and tables become the LaTeX text that the report prints."""

import pandas as pd
import pytest

from finhash.study.report import available, rounding


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (999, "999"),
        (9.6, "10"),
        (55_972, "55,972"),
        (1_566_404_406, "1,566,404,406"),
    ],
)
def test_whole_numbers_have_commas_between_thousands(value, text):
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
    ("rate", "text"),
    [(1.23e-5, r"$1.2\times10^{-5}$"), (1e-4, r"$1.0\times10^{-4}$"), (0, "0")],
)
def test_rates_are_powers_of_ten(rate, text):
    assert rounding.scientific(rate) == text


@pytest.mark.parametrize(("rate", "digit"), [(1e-2, 2), (1e-4, 4), (1e-6, 6)])
def test_false_positive_rates_are_named_by_their_exponent(rate, digit):
    assert rounding.exponent(rate) == digit


@pytest.mark.parametrize(
    ("text", "escaped"), [("5% a_b & #1", r"5\% a\_b \& \#1"), ("2.4 noise", "2.4 noise")]
)
def test_special_characters_are_escaped(text, escaped):
    assert rounding.tex(text) == escaped


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        (r"C:\my {photos}", r"C:\textbackslash{}my \{photos\}"),
        ("~a^b$", r"\textasciitilde{}a\textasciicircum{}b\$"),
        ("Ferien in Köln", "Ferien in Köln"),
        ("Dvořák, 写真 😀", "Dvorák, ?? ?"),
        ("a\nb", "a?b"),
    ],
)
def test_any_name_of_a_folder_can_be_printed(text, printed):
    assert rounding.tex(text) == printed


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(14.2, 0, "14"), (0.31, 0, "0.3"), (0.04, 1, "0.04"), (0, 1, "0.0"), (float("nan"), 1, "nan")],
)
def test_a_small_number_keeps_a_digit(value, digits, text):
    assert rounding.fixed(value, digits) == text


@pytest.mark.parametrize("text", ["--", r"nan\,\%", r"nan\,\% to nan\,\%", "inf", r"$\infty$"])
def test_what_is_no_number_is_dropped(text):
    kept = {"b": (r"12.3\,\%", "rates"), "c": ("FINd of nanometres", "rates")}
    assert rounding.numeric({"a": (text, "rates")} | kept) == kept


def test_columns_without_a_number_are_dropped_and_gaps_become_dashes():
    rows = [["FINd", "--", r"nan\,\%"], ["PDQ", "nan", "2"]]
    assert rounding.without_empty_columns("lrr", ["hash", "a", "b"], rows) == (
        "lr",
        ["hash", "b"],
        [["FINd", "--"], ["PDQ", "2"]],
    )


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


def test_a_table_whose_results_a_users_set_lacks_is_not_written(monkeypatch):
    tables = {"one": pd.DataFrame({"x": [1]}), "two": None}
    monkeypatch.setattr(available, "load", tables.__getitem__)
    both = {"a": (lambda one: "text", ("one",)), "b": (lambda one, two: "text", ("one", "two"))}
    assert rounding.tables_from(both) == {"a": "text"}
