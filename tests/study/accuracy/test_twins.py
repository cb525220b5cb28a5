"""Families that show one image under two names."""

import numpy as np
import pandas as pd

from finhash.accuracy import counting
from finhash.study.accuracy import twins
from tests.accuracy.conftest import REACH, on_a_line


def test_share_of_claimed_pairs_by_hand():
    # Family 5 at 0 and 1, family 6 at 2, family 9 at 8 and 20. Pairs between families:
    #   5-6: 2 1     5-9: 8 20 7 19     6-9: 6 18        8 pairs
    # The rate 1 / 4 allows 2 claims: radius 2 to 5, so 5. All claims are of 5-6, both its pairs.
    # The rate 1 / 2 allows 4 claims: radius 7, with 5-6 2, 6-9 1, 5-9 1.
    families = np.array([5, 5, 6, 9, 9])
    table = counting.count_pairs(on_a_line([0, 1, 2, 8, 20]), {"": families}, 10)[""]
    found = twins.closest({"find": table}, 1 / 4)
    assert found.to_dict("records") == [{"first": 0, "second": 1, "find": 1.0, "median": 1.0}]
    pairs = pd.DataFrame({"first": [5, 5], "second": [6, 77]})
    shares = twins.false_share({"find": table}, families, pairs, [1 / 4, 1 / 2])
    assert shares["radius"].tolist() == [5, 7]
    assert shares["share"].tolist() == [1, 1 / 2]


def test_twins_are_the_closest_families(ten_families, pair_table):
    top = twins.closest({"find": pair_table}, 0.02).iloc[0]
    assert (top["first"], top["second"]) == (8, 9)
    assert top["median"] > 0.5


def test_merging_twins_removes_their_false_claims(ten_families, pair_table):
    hashes, families = ten_families
    merged = twins.merged(families, pd.DataFrame({"first": [24], "second": [27]}))
    assert len(np.unique(merged)) == 9
    assert len(np.unique(merged[(families == 24) | (families == 27)])) == 1
    table = counting.count_pairs(hashes, {"merged": merged}, REACH)["merged"]
    assert table.rates()[0][60] == 0 < pair_table.rates()[0][60]


def test_merging_follows_chains_and_ignores_absent_families():
    pairs = pd.DataFrame({"first": [0, 1, 2], "second": [1, 4, 99]})
    assert twins.merged(np.arange(5), pairs).tolist() == [0, 0, 1, 2, 0]
    assert twins.merged(np.arange(5), pairs[:0]).tolist() == [0, 1, 2, 3, 4]


def test_labellings_merge_more_and_more():
    families = np.arange(1034)
    labels = twins.labellings(families, "memes")
    assert list(labels) == ["as labelled", "merged", "merged with variants"]
    numbers = [len(np.unique(values)) for values in labels.values()]
    assert numbers[0] == 1034
    assert sorted(numbers, reverse=True) == numbers
    assert labels["merged"][186] == labels["merged"][470]  # byte-identical templates
    own = twins.labellings(families, "das_images")
    assert [len(np.unique(values)) for values in own.values()] == [1034] * 3


def test_agreement_by_hand():
    first = ["same", "same", "variant", "different", None]
    second = ["same", "different", "different", "same", "same"]
    pairs = pd.DataFrame({"found_by": "search", "first_reader": first, "second_reader": second})
    found = twins.agreement(pairs).set_index("found_by").loc["all"]
    assert found[["pairs", "both", "first_only", "second_only"]].tolist() == [4, 1, 1, 1]
    assert found["agreement"] == 1 / 2
    assert found["kappa"] == 0  # each reader calls half the same: chance agrees on half


def test_every_judged_pair_has_a_verdict():
    pairs = twins.known("memes")
    assert set(pairs["verdict"]) == {"same", "variant", "background", "different"}
    assert (pairs["first"] < pairs["second"]).all()
    assert not pairs.duplicated(["first", "second"]).any()
    agreed = pairs["first_reader"].eq("same") & pairs["second_reader"].eq("same")
    assert (pairs.loc[agreed, "verdict"] == "same").all()
    assert twins.known("das_images").empty
