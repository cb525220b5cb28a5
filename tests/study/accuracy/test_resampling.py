"""Rates by family against brute force; resampling, hold-out and correction against known cases."""

import itertools

import numpy as np
import pandas as pd
import pytest

from finhash.hamming import pair_histogram
from finhash.study.accuracy import counting, rates, resampling, twins

REACH = 120


@pytest.fixture(scope="module")
def made() -> tuple[np.ndarray, np.ndarray]:
    """Hashes of ten families about random centres, the last two about nearly the same one."""
    rng = np.random.default_rng(1)
    centres = rng.integers(0, 256, (10, 32), dtype=np.uint8)
    centres[9] = centres[8] ^ np.eye(1, 32, dtype=np.uint8)[0]
    labels = rng.integers(0, 10, 200) * 3  # families need not be numbered without gaps
    flips = np.packbits(rng.random((200, 256)) < 0.08, axis=1)
    return centres[labels // 3] ^ flips, labels


@pytest.fixture(scope="module")
def table(made) -> counting.PairTable:
    hashes, labels = made
    return counting.count_pairs(hashes, {"": labels}, REACH)[""]


def brute(hashes, labels) -> pd.DataFrame:
    return rates.roc(*pair_histogram(hashes, labels)).iloc[: REACH + 1]


def test_rates_are_those_of_all_pairs(made, table):
    fpr, tpr = table.rates()
    assert np.allclose(fpr, brute(*made)["fpr"])
    assert np.allclose(tpr, brute(*made)["tpr"])


def test_families_of_no_weight_are_not_there(made, table):
    hashes, labels = made
    weights = np.array([1, 0, 1, 1, 0, 1, 0, 1, 1, 1.0])
    kept = weights[labels // 3] > 0
    fpr, tpr = table.rates(weights)
    assert np.allclose(fpr, brute(hashes[kept], labels[kept])["fpr"])
    assert np.allclose(tpr, brute(hashes[kept], labels[kept])["tpr"])


def test_macro_rates_count_every_family_alike(made, table):
    hashes, labels = made
    apart = np.unpackbits(hashes[:, None] ^ hashes[None], axis=2).sum(axis=2)
    names = np.unique(labels)
    shares = {True: [], False: []}
    for a, b in itertools.combinations_with_replacement(names, 2):
        block = apart[np.ix_(labels == a, labels == b)]
        block = block[np.triu_indices(len(block), 1)] if a == b else block
        shares[a == b].append([(block <= radius).mean() for radius in (30, 60, 110)])
    fpr, tpr = table.macro_rates()
    assert np.allclose(tpr[[30, 60, 110]], np.mean(shares[True], axis=0))
    assert np.allclose(fpr[[30, 60, 110]], np.mean(shares[False], axis=0))
    found = resampling.macro({"find": table}, [0.02]).iloc[0]
    assert (found["radius"], found["recall"]) == rates.at_rate(fpr, tpr, 0.02)


def test_a_radius_beyond_the_reach_is_refused(table):
    with pytest.raises(ValueError, match="beyond"):
        table.radius(0.5)
    assert table.radius(0.0) == (table.rates()[0] == 0).sum() - 1


def test_equal_methods_do_not_differ(table):
    draws = resampling.bootstrap({"a": table, "b": table}, [1e-2], 50, seed=3)
    found = resampling.differences(draws, against="a").iloc[0]
    assert (found["difference"], found["low"], found["high"], found["p"]) == (0, 0, 0, 1)
    low, own, high = resampling.intervals(draws).iloc[0][["low", "recall", "high"]]
    assert low <= own <= high
    assert low < high


def test_a_better_method_is_found_better(made, table):
    hashes, labels = made
    rng = np.random.default_rng(2)
    noisier = hashes ^ np.packbits(rng.random((200, 256)) < 0.25, axis=1)
    worse = counting.count_pairs(noisier, {"": labels}, REACH)[""]
    draws = resampling.bootstrap({"good": table, "bad": worse}, [1e-3], 200, seed=3)
    found = resampling.differences(draws, against="good").iloc[0]
    assert found["high"] < 0
    assert found["p"] < 0.05


def test_holm():
    p = resampling.holm(pd.Series({"a": 0.04, "b": 0.01, "c": 0.03}))
    assert p.to_dict() == pytest.approx({"a": 0.06, "b": 0.03, "c": 0.06})
    assert resampling.holm(pd.Series([1.5, 0.9])).tolist() == [1, 1]


def test_held_out_radii_do_not_know_the_fold(table):
    found = resampling.held_out({"find": table}, [1e-2], folds=5, seed=0)
    assert sorted(found["fold"]) == [0, 1, 2, 3, 4]
    fold = np.random.default_rng(0).permutation(10) % 5
    for row in found.itertuples():
        train = (fold != row.fold).astype(float)
        assert row.radius == table.radius(1e-2, train)
        fpr, tpr = table.rates(1 - train)
        assert (row.fpr, row.recall) == (fpr[row.radius], tpr[row.radius])


def test_one_picture_under_two_names_is_found_and_merged(made, table):
    hashes, labels = made
    top = twins.closest({"find": table}, 0.02).iloc[0]
    assert (top["first"], top["second"]) == (8, 9)
    assert top["median"] > 0.5
    pair = pd.DataFrame({"first": [24], "second": [27]})
    share = twins.false_share({"find": table}, labels, pair, [0.02]).iloc[0]
    assert share["share"] == 1
    joined = twins.merged(labels, pair)
    assert len(np.unique(joined)) == 9
    assert len(np.unique(joined[(labels == 24) | (labels == 27)])) == 1
    both = counting.count_pairs(hashes, {"apart": labels, "joined": joined}, REACH)
    fpr, _ = both["joined"].rates()
    assert fpr[60] == 0 < table.rates()[0][60]
    np.testing.assert_array_equal(both["apart"].rates(), table.rates())


def test_merging_chains_and_leaves_out_what_is_not_there():
    pairs = pd.DataFrame({"first": [0, 1, 2], "second": [1, 4, 99]})
    assert len(np.unique(twins.merged(np.arange(5), pairs))) == 3
    assert len(np.unique(twins.merged(np.arange(5), pairs[:0]))) == 5


def test_twins_name_families_of_the_stand_in_and_of_nothing_else():
    pairs = twins.known("memes")
    assert set(pairs["verdict"]) == {"same", "variant", "background"}
    assert (pairs["first"] < pairs["second"]).all()
    assert pairs[["first", "second"]].max().max() < 1034
    assert twins.known("das_images").empty
