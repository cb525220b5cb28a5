"""Bootstrap, cross-validation, corrections and label noise."""

import numpy as np
import pandas as pd
import pytest

from finhash.study.accuracy import counting, rates, resampling
from tests.study.accuracy.conftest import REACH


def test_bootstrap_interval_by_hand():
    # Eight families of two images; the pair is at distance 1 in four of them, else at distance 2.
    # The recall at radius 1 is the share of the eight drawn families that are among these four, so
    # eight times the recall is binomial with n = 8 and p = 1 / 2. P(0) = 1 / 256 = 0.4 % and
    # P(0 or 1) = 9 / 256 = 3.5 %: the 2.5th percentile is 1 / 8 and, by symmetry, the 97.5th 7 / 8.
    same = np.zeros((8, 65), np.int64)
    same[:4, 1] = same[4:, 2] = 1
    cell = (np.array([value]) for value in (0, 1, 1, 1))
    table = counting.PairTable(np.full(8, 2), same, *cell, reach=1)
    draws = resampling.bootstrap({"find": table}, [1.0], 4000, seed=0)
    (row,) = resampling.intervals(draws).to_dict("records")
    assert (row["low"], row["recall"], row["high"]) == (1 / 8, 4 / 8, 7 / 8)


def draws_of(method: str, own: float, drawn: list[float]) -> pd.DataFrame:
    """A table as from ``bootstrap``."""
    recall = [own, *drawn]
    draw = np.arange(len(recall)) - 1
    return pd.DataFrame({"method": method, "target": 0.01, "draw": draw, "recall": recall})


def test_percentiles_by_hand():
    # 41 draws 0 / 40, ..., 40 / 40 in any order; 2.5 % of the way from first to last is 1 / 40.
    draws = draws_of("find", 0.6, [k * 7 % 41 / 40 for k in range(41)])
    (row,) = resampling.intervals(draws).to_dict("records")
    assert row["recall"] == 0.6
    assert (row["low"], row["high"]) == pytest.approx((1 / 40, 39 / 40))


def test_p_value_of_a_difference_by_hand():
    # 39 draws: 38 differences below zero, one above. p = 2 (1 + 1) / (39 + 1).
    draws = [draws_of("find", 0.5, [0.5] * 39), draws_of("pdq", 0.4, [0.4] * 38 + [0.6])]
    (row,) = resampling.differences(pd.concat(draws), against="find").to_dict("records")
    assert row["method"] == "pdq"
    assert row["difference"] == pytest.approx(-0.1)
    assert row["p"] == pytest.approx(0.1)


def test_equal_methods_do_not_differ(pair_table):
    draws = resampling.bootstrap({"a": pair_table, "b": pair_table}, [1e-2], 50, seed=3)
    found = resampling.differences(draws, against="a").iloc[0]
    assert (found["difference"], found["low"], found["high"], found["p"]) == (0, 0, 0, 1)
    low, own, high = resampling.intervals(draws).iloc[0][["low", "recall", "high"]]
    assert low <= own <= high
    assert low < high


def test_noisier_hashes_are_significantly_worse(ten_families, pair_table):
    hashes, families = ten_families
    rng = np.random.default_rng(2)
    noisier = hashes ^ np.packbits(rng.random((200, 256)) < 0.25, axis=1)
    worse = counting.count_pairs(noisier, {"": families}, REACH)[""]
    draws = resampling.bootstrap({"good": pair_table, "bad": worse}, [1e-3], 200, seed=3)
    found = resampling.differences(draws, against="good").iloc[0]
    assert found["high"] < 0
    assert found["p"] < 0.05


def test_holm_by_hand():
    # Sorted: 0.01 * 3, 0.03 * 2, 0.04 * 1, the last raised to its predecessor.
    p = resampling.holm(pd.Series({"a": 0.04, "b": 0.01, "c": 0.03}))
    assert p.to_dict() == pytest.approx({"a": 0.06, "b": 0.03, "c": 0.06})
    assert resampling.holm(pd.Series([1.5, 0.9])).tolist() == [1, 1]


def test_macro_recall_is_read_at_the_macro_rate(pair_table):
    found = resampling.macro({"find": pair_table}, [0.02]).iloc[0]
    expected = rates.at_rate(*pair_table.macro_rates(), 0.02)
    assert (found["radius"], found["recall"]) == expected


def test_folds_are_equal_in_size_and_fixed_by_the_seed():
    folds = resampling.assign_folds(1034, 5, seed=2018)
    assert np.bincount(folds).tolist() == [207, 207, 207, 207, 206]
    # Results are stored; these are the folds they were computed with.
    expected = np.random.default_rng(2018).permutation(1034) % 5
    np.testing.assert_array_equal(folds, expected)


def test_held_out_radius_does_not_depend_on_the_fold_left_out(pair_table):
    found = resampling.held_out({"find": pair_table}, [1e-2], folds=5, seed=0)
    assert sorted(found["fold"]) == [0, 1, 2, 3, 4]
    fold_of = resampling.assign_folds(10, 5, seed=0)
    for row in found.itertuples():
        train = (fold_of != row.fold).astype(float)
        assert row.radius == pair_table.radius(1e-2, train)
        fpr, recall = pair_table.rates(1 - train)
        assert (row.fpr, row.recall) == (fpr[row.radius], recall[row.radius])


def test_label_noise_makes_the_requested_share_of_pairs_wrong():
    families = np.repeat(np.arange(200), 50)
    before = families.copy()
    noisy = resampling.noisy(families, 0.1, seed=0)
    np.testing.assert_array_equal(families, before)
    # Pairs within a label, and those of them that are within a family too.
    cells = pd.crosstab(noisy, families).to_numpy()
    claimed, right = ((n * (n - 1) / 2).sum() for n in (cells.sum(axis=1), cells))
    assert 1 - right / claimed == pytest.approx(0.1, abs=0.02)
