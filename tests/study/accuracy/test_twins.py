"""Families that show one image under two names."""

import numpy as np
import pandas as pd

from finhash.accuracy import counting
from finhash.study.accuracy import twins
from tests.accuracy.conftest import on_a_line


def test_share_of_false_claims_by_hand():
    # Family 5 at 0 and 1, family 6 at 2, family 9 at 8 and 20. Pairs between families:
    #   5-6: 2 1     5-9: 8 20 7 19     6-9: 6 18        8 pairs
    # The rate 1 / 4 allows 2 claims: radius 2 to 5, so 5. All claims are of 5-6, both its pairs.
    # The rate 1 / 2 allows 4 claims: radius 7, with 5-6 2, 6-9 1, 5-9 1.
    families = np.array([5, 5, 6, 9, 9])
    table = counting.count_pairs(on_a_line([0, 1, 2, 8, 20]), {"": families}, 10)[""]
    for columns in (["first", "second"], ["second", "first"]):
        pairs = pd.DataFrame([(5, 6), (5, 77)], columns=columns)
        shares = twins.false_share({"find": table}, families, pairs, [1 / 4, 1 / 2])
        assert shares["radius"].tolist() == [5, 7]
        assert shares["share"].tolist() == [1, 1 / 2]


def test_share_of_false_claims_without_pairs_or_claims():
    families = np.array([5, 5, 6, 9, 9])
    near = counting.count_pairs(on_a_line([0, 1, 2, 8, 20]), {"": families}, 10)[""]
    far = counting.count_pairs(on_a_line([0, 1, 20, 40, 60]), {"": families}, 10)[""]
    none = pd.DataFrame(columns=["first", "second"])
    for pairs in (none, twins.known("das_images"), pd.DataFrame({"first": [5], "second": [9]})):
        shares = twins.false_share({"find": near, "pdq": far}, families, pairs, [1e-3])
        assert shares["radius"].tolist() == [0, 10]
        assert shares["share"].tolist() == [0, 0]


def test_labellings_merge_more_and_more():
    families = np.arange(1034)
    labels = twins.labellings(families, "memes")
    assert list(labels) == ["as labelled", "merged", "merged with variants"]
    numbers = [len(np.unique(values)) for values in labels.values()]
    assert numbers[0] == 1034
    assert sorted(numbers, reverse=True) == numbers
    assert labels["merged"][186] == labels["merged"][470]  # byte-identical templates


def test_the_users_set_is_merged_by_the_users_verdicts_only():
    families = np.array([85, 85, 86, 186, 470])
    assert list(twins.labellings(families, "das_images")) == ["as labelled"]
    columns = ["first", "second", "verdict"]
    none = pd.DataFrame(columns=columns)
    assert list(twins.labellings(families, "das_images", none)) == ["as labelled"]
    rows = [("0085", "0086", "same"), ("470_1.jpg", "186", "variant"), ("0999", "0085", "same")]
    paths = ["85_1.jpg", "85_2.jpg", "86_1.jpg", "186_1.jpg", "470_1.jpg"]
    judged = pd.DataFrame(rows, columns=columns)
    own = twins.labellings(families, "das_images", judged, paths)
    assert own["merged"].tolist() == [0, 0, 0, 1, 2]
    assert own["merged with variants"].tolist() == [0, 0, 0, 1, 1]


def test_agreement_by_hand():
    first = ["same", "same", "variant", "different", None]
    second = ["same", "different", "different", "same", "same"]
    pairs = pd.DataFrame({"found_by": "search", "first_reader": first, "second_reader": second})
    found = twins.agreement(pairs).set_index("found_by").loc["all"]
    assert found[["pairs", "both", "first_only", "second_only"]].tolist() == [4, 1, 1, 1]
    assert found["agreement"] == 1 / 2
    assert found["kappa"] == 0  # each reader calls half the same: chance agrees on half


def test_agreement_without_pairs():
    found = twins.agreement(twins.known("das_images"))
    assert found[["found_by", "pairs", "both"]].to_numpy().tolist() == [["all", 0, 0]]
    assert found[["agreement", "kappa"]].isna().all(axis=None)


def test_every_judged_pair_has_a_verdict():
    pairs = twins.known("memes")
    assert set(pairs["verdict"]) == {"same", "variant", "background", "different"}
    assert (pairs["first"] < pairs["second"]).all()
    assert not pairs.duplicated(["first", "second"]).any()
    agreed = pairs["first_reader"].eq("same") & pairs["second_reader"].eq("same")
    assert (pairs.loc[agreed, "verdict"] == "same").all()
    assert twins.known("das_images").empty
