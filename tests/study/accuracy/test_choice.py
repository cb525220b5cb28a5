"""The rule chooses by its four steps, whichever hash that is."""

import pandas as pd
import pytest

from finhash.study.accuracy import choice
from finhash.study.data.datasets import NoPairsError

RATE = 1e-4
MS = {"find": 0.3, "phash256": 1.0, "dhash256": 0.9, "pdq": 1.5, "find_middle": 0.3}


def compared(*rows: tuple) -> pd.DataFrame:
    """Build tests: method, against, difference, p, p_equivalent."""
    columns = ["method", "against", "target", "difference", "p", "p_equivalent"]
    table = pd.DataFrame([(*row[:2], RATE, *row[2:]) for row in rows], columns=columns)
    return choice.every_test(table.iloc[:0].drop(columns="against"), table)


def judge(recall: dict[str, float], *rows: tuple, ms: dict[str, float] = MS, **options: str):
    """Return the verdicts of the rule, by method."""
    table = choice.criteria(pd.Series(recall), compared(*rows), pd.Series(ms), rate=RATE, **options)
    return table.set_index("method")["verdict"]


def test_a_hash_that_is_as_good_and_cheaper_than_the_best_is_chosen():
    verdicts = judge({"find": 0.87, "phash256": 0.89}, ("phash256", "find", 0.02, 1, 0.01))
    assert verdicts.to_dict() == {"find": "chosen", "phash256": "3.3 times the cost"}


def test_a_difference_that_may_be_chance_is_no_equality():
    verdicts = judge({"find": 0.87, "phash256": 0.89}, ("phash256", "find", 0.02, 1, 1))
    assert verdicts["phash256"] == "chosen"
    assert verdicts["find"] == "not shown within 5 points of the best"


def test_a_hash_that_finds_significantly_less_is_rejected_however_cheap():
    equal = ("phash256", "find", 0.02, 1, 0.01)
    verdicts = judge({"find": 0.87, "phash256": 0.89}, equal, ("find", "phash256", -0.02, 0.01, 1))
    assert verdicts["find"] == "chosen"  # the first test of a pair counts
    verdicts = judge({"find": 0.6, "phash256": 0.89}, ("phash256", "find", 0.29, 0.01, 1))
    assert verdicts.to_dict() == {"find": "pHash 256 finds more", "phash256": "chosen"}


def test_a_loss_at_any_rate_rejects():
    low = pd.DataFrame(
        [("pdq", 1e-5, -0.2, 0.01, 1.0), ("pdq", RATE, 0.01, 1.0, 0.01)],
        columns=["method", "target", "difference", "p", "p_equivalent"],
    )
    recall, tests = pd.Series({"find": 0.87, "pdq": 0.88}), choice.every_test(low)
    table = choice.criteria(recall, tests, pd.Series(MS), RATE)
    assert table["beaten_by"].tolist() == ["", "find"]
    assert choice.chosen(table) == "find"
    table = choice.criteria(recall, tests[tests["target"] == RATE], pd.Series(MS), RATE)
    assert table["beaten_by"].tolist() == ["", ""]


def test_the_sentence_says_what_is_open():
    recall = {"find": 0.87, "phash256": 0.89, "dhash256": 0.85}
    tests = compared(("phash256", "find", 0.02, 1, 0.01))
    table = choice.criteria(pd.Series(recall), tests, pd.Series(MS), RATE)
    assert choice.sentence(table, tests, RATE) == (
        "The rule chooses FINd. Shown neither to be as good as the best nor to be worse: dHash 256."
    )
    assert "rests on estimates" in choice.sentence(table, tests, 1e-2)
    table = table[table["method"] != "dhash256"]
    assert choice.sentence(table, tests, RATE) == "The rule chooses FINd."


def test_a_hash_designed_on_the_images_is_no_candidate():
    verdicts = judge({"find": 0.8, "find_middle": 0.95}, ("find_middle", "find", 0.15, 0.01, 1))
    assert verdicts.to_dict() == {"find": "chosen", "find_middle": "designed on these images"}


def test_a_tie_of_costs_is_won_by_the_stored_hash():
    ms = {"find": 0.31, "dhash256": 0.3}
    alike = ("find", "dhash256", 0.0, 1, 0.01)
    recall = {"find": 0.87, "dhash256": 0.86}
    assert judge(recall, alike, ms=ms)["find"] == "chosen"
    assert judge(recall, alike, ms=ms)["dhash256"] == "a tie of costs"
    assert judge(recall, alike, ms=ms, stored="dhash256")["dhash256"] == "chosen"
    assert judge(recall, alike, ms={"find": 0.4, "dhash256": 0.3})["dhash256"] == "chosen"


def test_equal_recalls_are_both_best_even_without_a_test():
    assert judge({"find": 1.0, "dhash256": 1.0, "pdq": 0.9})["find"] == "chosen"


def test_tests_hold_in_both_directions_and_small_rates_are_left_out():
    against_find = pd.DataFrame(
        [("pdq", 1e-4, -0.1, 0.2, 1.0), ("pdq", 1e-5, -0.3, 0.01, 1.0)],
        columns=["method", "target", "difference", "p", "p_equivalent"],
    )
    both = choice.every_test(against_find)
    assert both.groupby("method")["difference"].apply(sorted).to_dict() == {
        "find": [0.1, 0.3],
        "pdq": [-0.3, -0.1],
    }
    assert set(choice.every_test(against_find, smallest=1e-4)["target"]) == {1e-4}


def test_tests_of_every_pair_replace_those_against_find():
    columns = ["method", "target", "difference", "p", "p_equivalent"]
    against_find = pd.DataFrame([("pdq", RATE, -0.1, 0.2, 1.0)], columns=columns)
    pairs = pd.DataFrame(
        [("find", "pdq", RATE, 0.1, 0.04, 1.0)], columns=["method", "against", *columns[1:]]
    )
    assert choice.every_test(against_find, pairs)["p"].tolist() == [0.04, 0.04]


def histograms(same: list[int], other: list[int]) -> pd.DataFrame:
    counts = {"distance": range(len(same)), "same": same, "other": other}
    return pd.DataFrame({"method": "find", "labels": "as labelled", **counts})


COUNTS = histograms([5, 0, 3, 0, 2], [0, 0, 1, 0, 9999])
THRESHOLDS = pd.DataFrame(
    [("search", "find", 2, 1e-3, 1e-4, 9e-4)],
    columns=["use", "method", "threshold", "target", "fpr", "fpr_high"],
)


def test_a_set_that_is_too_small_is_not_compared():
    assert choice.compared_rate(COUNTS) == 1e-4
    with pytest.raises(NoPairsError, match="too few pairs"):
        choice.compared_rate(histograms([1, 1], [0, 99]))


def test_needs_hold_what_a_threshold_finds_and_the_size_of_one_false_match():
    needs = choice.needs(THRESHOLDS, COUNTS, "find").iloc[0]
    assert needs["recall"] == 0.8
    assert needs["images"] == pytest.approx(10_000)
    assert needs["images_high"] == pytest.approx(1 / 9e-4)
    assert "rate_b" not in needs
    confirmed = pd.DataFrame(
        [("find", "merged", 1e-3, 2e-4, 0.7, 0.6, 0.8), ("pdq", "merged", 1e-3, 0, 0, 0, 0)],
        columns=["method", "labels", "target", "fpr", "recall", "low", "high"],
    )
    needs = choice.needs(THRESHOLDS, COUNTS, "find", confirmed).iloc[0]
    assert needs[["rate_b", "recall_b", "low_b", "high_b"]].tolist() == [2e-4, 0.7, 0.6, 0.8]


def test_a_method_without_thresholds_has_no_needs():
    needs = choice.needs(THRESHOLDS.iloc[:0], COUNTS, "find")
    assert needs.empty
    assert choice.growth(needs).empty
    assert choice.by_threshold(needs).empty


def test_uses_with_one_threshold_are_one_row():
    other = THRESHOLDS.assign(use="human review", threshold=3)
    uses = choice.needs(
        pd.concat([THRESHOLDS, other, THRESHOLDS.assign(use="match")]), COUNTS, "find"
    )
    together = choice.by_threshold(uses)
    assert together["use"].tolist() == ["search and match", "human review"]
    assert together["threshold"].tolist() == [2, 3]


def test_thresholds_shrink_with_the_collection_until_none_is_left():
    sized = choice.by_size(THRESHOLDS, COUNTS, "find", [1000, 10_000, 100_000])
    assert sized["threshold"].fillna(-1).tolist() == [2, -1, -1]
    # Distances 1 and 3 occur nowhere, so the thresholds 2 and 0 stand for them.
    assert sized["estimated"].tolist() == [2, 2, 0]
    assert sized["estimated_recall"].tolist() == [0.8, 0.8, 0.5]
