"""Half-samples, cross-validation, corrections and label noise."""

import numpy as np
import pandas as pd
import pytest

from finhash.accuracy import counting, rates, resampling
from finhash.study.accuracy import coverage, family_weights, published


def family_table(near: int, far: int) -> counting.PairTable:
    """Families of two images; the pair is at distance 1 in ``near`` of them, else at distance 2."""
    same = np.zeros((near + far, 65), np.int64)
    same[:near, 1] = same[near:, 2] = 1
    cell = (np.array([value]) for value in (0, 1, 1, 1))
    return counting.PairTable(np.full(near + far, 2), same, *cell, reach=1)


def test_half_samples_are_halves_without_repetition():
    halves = resampling.half_samples(np.array([0, 2, 3, 5]), 6, 200, seed=0)
    assert halves.shape == (200, 6)
    assert (halves.sum(axis=1) == 2).all()
    assert halves.max() == 1
    assert not halves[:, [1, 4]].any()


def test_recall_in_halves_by_hand():
    # Of 4 near and 4 far families, a half of 4 has 0 to 4 near ones: recall is their share.
    draws = resampling.resample({"find": family_table(4, 4)}, [1.0], 300, seed=0)
    assert draws.loc[draws["draw"] == -1, "recall"].item() == 1 / 2
    assert set(draws["recall"]) <= {0, 1 / 4, 2 / 4, 3 / 4, 1}


def test_fixed_thresholds_are_used_and_missing_ones_leave_no_row():
    tables = {"find": family_table(4, 4), "pdq": family_table(6, 2)}
    draws = resampling.resample(tables, [1.0, 0.5], 5, 0, {("find", 1.0): 0, ("pdq", 0.5): 1})
    own = draws[draws["draw"] == -1].set_index(["method", "target"])["recall"]
    assert own.to_dict() == {("find", 1.0): 0, ("pdq", 0.5): 6 / 8}


def draws_of(method: str, own: float, drawn: list[float]) -> pd.DataFrame:
    """A table as from ``resample``."""
    recall = [own, *drawn]
    draw = np.arange(len(recall)) - 1
    return pd.DataFrame({"method": method, "target": 0.01, "draw": draw, "recall": recall})


def test_interval_reverses_the_errors_of_the_halves():
    # Halves lie above the value on all families: the statistic is biased upwards, so the interval
    # lies below it.
    low, high = resampling.interval(0.5, np.linspace(0.5, 0.8, 101))
    assert low == pytest.approx(0.2, abs=0.005)
    assert high == pytest.approx(0.5, abs=0.005)
    assert 0 < resampling.interval(0.95, np.linspace(0.7, 1, 101))[0] < 0.95


def test_p_values_by_hand():
    # The difference is -0.1; its errors in 39 halves are 0, 38 times, and 0.2. Hypothesis 0: errors
    # of -0.1 or less never occur, so p = 2 (0 + 1) / 40. Margin 0.15: errors of 0.05 or more occur
    # once, so p = (1 + 1) / 40. Margin 0.05: the difference lies outside it, so p = 1.
    draws = [draws_of("find", 0.5, [0.5] * 39), draws_of("pdq", 0.4, [0.4] * 38 + [0.6])]
    (row,) = resampling.differences(pd.concat(draws), "find", margin=0.15).to_dict("records")
    assert row["difference"] == pytest.approx(-0.1)
    assert row["p"] == pytest.approx(2 / 40)
    assert row["p_equivalent"] == pytest.approx(2 / 40)
    (row,) = resampling.differences(pd.concat(draws), "find", margin=0.05).to_dict("records")
    assert row["p_equivalent"] == pytest.approx(1)


def test_equal_methods_are_equivalent(pair_table):
    draws = resampling.resample({"a": pair_table, "b": pair_table}, [1e-2], 50, seed=3)
    found = resampling.differences(draws, against="a").iloc[0]
    assert (found["difference"], found["low"], found["high"], found["p"]) == (0, 0, 0, 1)
    assert found["p_equivalent"] == pytest.approx(1 / 51)
    low, own, high = resampling.intervals(draws).iloc[0][["low", "recall", "high"]]
    assert low <= own <= high


def test_a_clearly_worse_method_is_neither_equal_nor_equivalent():
    tables = {"good": family_table(60, 4), "bad": family_table(20, 44)}
    draws = resampling.resample(tables, [1.0], 200, seed=3)
    found = resampling.differences(draws, against="good").iloc[0]
    assert found["high"] < -0.3
    assert found["p"] < 0.05
    assert found["p_equivalent"] > 0.5


def test_coverage_of_a_statistic_without_bias():
    # Recall at a fixed radius is a plain share of families: both kinds of interval work.
    table = family_table(60, 60)
    found = coverage.of_intervals(table, 1.0, [120], simulations=60, draws=60, seed=1)
    assert found["interval"].tolist() == ["half-samples", "percentile bootstrap"]
    assert (found["coverage"] > 0.8).all()
    assert found["bias"].abs().max() < 0.05


def test_holm_by_hand():
    # Sorted: 0.01 * 3, 0.03 * 2, 0.04 * 1, the last raised to its predecessor.
    p = resampling.holm(pd.Series({"a": 0.04, "b": 0.01, "c": 0.03}))
    assert p.to_dict() == pytest.approx({"a": 0.06, "b": 0.03, "c": 0.06})
    assert resampling.holm(pd.Series([1.5, 0.9])).tolist() == [1, 1]


def test_macro_recall_is_read_at_the_macro_rate(pair_table):
    found = family_weights.macro({"find": pair_table}, [0.02]).iloc[0]
    expected = rates.at_rate(*pair_table.macro_rates(), 0.02)
    assert (found["radius"], found["recall"]) == expected


def test_folds_are_equal_in_size_and_fixed_by_the_seed():
    folds = resampling.assign_folds(1034, 5, seed=2018)
    assert np.bincount(folds).tolist() == [207, 207, 207, 207, 206]
    # Results are stored; these are the folds they were computed with.
    expected = np.random.default_rng(2018).permutation(1034) % 5
    np.testing.assert_array_equal(folds, expected)


def test_heaviest_pair_of_families_by_hand():
    # Eight families of two images: 4 matches between 0 and 1 at distance 1, 1 between 2 and 3.
    # 112 pairs between families, so 1 / 112 allows the second pair of families only.
    same = np.zeros((8, 65), np.int64)
    same[:, 1] = 1
    cells = (np.array(c) for c in ([0, 2], [1, 3], [1, 0], [4, 1]))
    table = counting.PairTable(np.full(8, 2), same, *cells, reach=1)
    row = family_weights.heaviest({"find": table}, 5 / 112).iloc[0]
    assert (row["first"], row["second"], row["share"]) == (0, 1, 4 / 5)
    row = family_weights.heaviest({"find": table}, 4 / 112).iloc[0]
    assert (row["first"], row["second"], row["recall"], row["without"]) == (2, 3, 0, 1)


def test_label_noise_makes_the_requested_share_of_pairs_wrong():
    families = np.repeat(np.arange(200), 50)
    before = families.copy()
    noisy = published.noisy(families, 0.1, seed=0)
    np.testing.assert_array_equal(families, before)
    # Pairs within a label, and those of them that are within a family too.
    cells = pd.crosstab(noisy, families).to_numpy()
    claimed, right = ((n * (n - 1) / 2).sum() for n in (cells.sum(axis=1), cells))
    assert 1 - right / claimed == pytest.approx(0.1, abs=0.02)
