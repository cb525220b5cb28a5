"""Rates from counts, against plain counting."""

import itertools

import numpy as np
import pytest

from finhash import hash_files
from finhash.study.accuracy import counting, rates

SAME = np.array([5, 3, 1, 1, 0])
OTHER = np.array([0, 1, 2, 17, 80])


def test_roc_by_counting():
    curve = rates.roc(SAME, OTHER)
    assert curve["tpr"].tolist() == pytest.approx([0.5, 0.8, 0.9, 1, 1])
    assert curve["fpr"].tolist() == pytest.approx([0, 0.01, 0.03, 0.2, 1])


@pytest.mark.parametrize(
    ("target", "expected"), [(0.5, (3, 1.0)), (0.03, (2, 0.9)), (0.029, (1, 0.8)), (0, (0, 0.5))]
)
def test_recall_at_a_false_positive_rate(target, expected):
    assert rates.at_fpr(SAME, OTHER, target) == pytest.approx(expected)


def test_no_radius_reaches_a_rate_that_distance_zero_misses():
    assert rates.at_fpr(SAME, OTHER[::-1], 1e-3) == (-1, 0.0)


def test_auc_by_comparing_every_pair():
    same, other = np.repeat(np.arange(5), SAME), np.repeat(np.arange(5), OTHER)
    wins = (same[:, None] < other).mean() + 0.5 * (same[:, None] == other).mean()
    assert rates.auc(SAME, OTHER) == pytest.approx(wins)


def test_mean_and_deviation():
    values = np.repeat(np.arange(5), SAME)
    assert rates.mean_and_deviation(SAME) == pytest.approx((values.mean(), values.std()))


def test_label_noise_keeps_the_number_of_pairs():
    noisy = rates.with_label_noise(SAME, OTHER, 0.1)
    assert noisy.sum() == pytest.approx(SAME.sum())
    assert noisy[4] == pytest.approx(0.1 * 10 * 0.8)


def ranked(orders) -> float:
    """Mean average precision of orders of right and wrong, by its definition."""
    return np.mean([[(np.cumsum(o) / np.arange(1, len(o) + 1))[o].mean()] for o in orders])


@pytest.mark.parametrize("same", [[1, 2, 0, 1], [0, 3, 1, 0], [2, 0, 0, 2]])
@pytest.mark.parametrize("other", [[0, 2, 1, 1], [2, 1, 0, 1], [0, 0, 0, 0]])
def test_average_precision_over_all_orders_of_the_tied(same, other):
    groups = [[True] * s + [False] * o for s, o in zip(same, other, strict=True)]
    orders = itertools.product(*map(itertools.permutations, groups))
    orders = [np.array(list(itertools.chain(*order)), bool) for order in orders]
    assert rates.average_precision(same, other) == pytest.approx(ranked(orders))
    worst = np.array([flag for group in groups for flag in sorted(group)], bool)
    assert rates.average_precision(same, other, "worst") == pytest.approx(ranked([worst]))


def test_average_precision_of_many_rows_and_of_nothing_to_find():
    same, other = np.array([[1, 1, 0], [0, 0, 0]]), np.array([[0, 2, 0], [1, 0, 3]])
    found = rates.average_precision(same, other)
    assert found[0] == pytest.approx(rates.average_precision(same[0], other[0]))
    assert np.isnan(found[1])


def test_recall_at_a_precision():
    # Right, claimed: 5, 5; 8, 9; 9, 12; 10, 30; 10, 110.
    assert rates.recall_at_precision(SAME, OTHER, 0.99) == 0.5
    assert rates.recall_at_precision(SAME, OTHER, 0.75) == 0.9
    assert rates.recall_at_precision(SAME, OTHER[::-1], 0.99) == 0
    assert rates.precision(0.03, 0.9, 10 / 110) == pytest.approx(9 / 12)


def test_equal_error_rate_lies_between_two_radii():
    # At radius 1 false 0.01 < missed 0.2, at radius 2 0.03 < 0.1, at 3 0.2 > 0.
    share = 0.07 / (0.07 + 0.2)
    assert rates.equal_error_rate(SAME, OTHER) == pytest.approx(0.03 + share * 0.17)
    assert rates.equal_error_rate(np.array([4, 0]), np.array([0, 4])) == 0


def test_fair_bits_are_all_effective():
    bits = np.random.default_rng(0).random((4000, 64)) < 0.3
    distances = (bits[:2000] ^ bits[2000:]).sum(axis=1)
    counts = np.bincount(distances, minlength=65)
    assert rates.effective_bits(counts) == pytest.approx(64, rel=0.1)


def test_summary_of_a_table(folder):
    table = hash_files(sorted(folder.glob("0*.jpg")), ["find", "dhash64"], progress=False)
    families = np.arange(12) // 3
    counts = counting.pair_histograms(table, ["find", "dhash64"], families)
    assert counts.groupby("method")[["same", "other"]].sum().to_numpy().tolist() == [[12, 54]] * 2
    summary = rates.summary(counts).set_index("method")
    assert summary.loc["dhash64", "bits"] == 64
    assert summary["recall_p0.9"].between(0, 1).all()
    radii = rates.at_radii(counts, [("find", 256)]).iloc[0]
    assert (radii["fpr"], radii["recall"]) == (1, 1)
    assert radii["precision"] == pytest.approx(12 / 66)
    effect = rates.noise_effect(counts, 0.5).set_index(["labels", "method"])["auc"]
    assert effect["noisy", "find"] == pytest.approx(effect["as labelled", "find"] / 2 + 0.25)
