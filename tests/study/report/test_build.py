"""The report is chosen by the data, and its text asks only for what the run can have."""

import re

import pytest

from finhash.study import project
from finhash.study.report import build, sentences

REPORT = project.root() / "report"
STANDIN_ONLY = re.compile(
    r"stand-in|set [AB]\b|template|Zipf|calibrat|Congress|middle half|1,034|55,972|62,500|course",
    re.IGNORECASE,
)


@pytest.mark.parametrize(("own", "name"), [(True, "your_images.tex"), (False, "report.tex")])
def test_the_source_is_chosen_by_the_data_set(monkeypatch, own, name):
    monkeypatch.setattr(project, "is_standin", lambda: not own)
    assert build.main_source() == name
    assert (REPORT / name).exists()


@pytest.mark.parametrize(
    ("text", "resolved"),
    [
        (r"a \given{x}{b} c", "a b c"),
        (r"a \given{y}{b} c", "a  c"),
        (r"a \lacking{x}{b} c", "a  c"),
        (r"\lacking{y}{b \given{x}{c {d}}}", "b c {d}"),
        (r"\given{y}{b \given{x}{c}}d", "d"),
        (r"\result{x} \result{y}", r"5\,ms \result{y}"),
        (r"\claim{fast}{It takes \result{x}.}\otherwise{fast}{It is slow.}", r"It takes 5\,ms."),
        (r"\claim{small}{It is small.}\otherwise{small}{It is large.}", "It is large."),
    ],
)
def test_conditions_claims_and_numbers_are_filled_in(text, resolved):
    assert build.resolve(text, {"x": r"5\,ms"}, ["fast"]) == resolved


@pytest.mark.parametrize("name", ["part1.tex", "your_images.tex"])
def test_nothing_of_the_stand_in_is_said_about_a_users_images(name):
    assert not STANDIN_ONLY.search((REPORT / name).read_text())


def test_nothing_compares_in_the_text_on_a_users_images():
    text = (REPORT / "your_images.tex").read_text()
    assert not re.search(r"\b(keep|best|worst|faster than|cheapest|wins?)\b", text, re.IGNORECASE)


def test_the_text_on_a_users_images_guards_every_figure_table_and_sentence():
    text = (REPORT / "your_images.tex").read_text()
    for key in set(re.findall(r"\\result\{(sentence-[\w-]+)\}", text)):
        assert rf"\given{{{key}}}" in text
    for stem in re.findall(r"\\includegraphics\{(\w+)\}", text):
        assert rf"\given{{figure-{stem.replace('_', '-')}}}" in text
    for name in re.findall(r"\\input\{generated/(table_\w+)\}", text):
        assert rf"\given{{{name.replace('_', '-')}}}" in text
    quoted = set(re.findall(r"sentence-([\w-]+)\}", text))
    assert quoted <= sentences.SENTENCES.keys()


def test_a_sentence_that_quotes_a_missing_number_is_left_out():
    source = r"\claim{a}{It is \result{x}.} \claim{b}{It is {\result{y}}.} \given{z}{\result{z}}"
    assert build._without_numbers(source, {"x"}) == {"b"}
