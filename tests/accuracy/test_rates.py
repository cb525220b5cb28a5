"""Rates computed from counts, against tables worked by hand and plain counting."""

import itertools

import numpy as np
import pandas as pd
import pytest

from finhash.accuracy import rates
from finhash.study.accuracy import published

# Pairs by distance:       0  1  2   3   4
SAME = np.array([5, 3, 1, 1, 0])  # 10 pairs
OTHER = np.array([0, 1, 2, 17, 80])  # 100 pairs


def test_roc_by_hand():
    # Within radius 0 to 4: same 5, 8, 9, 10, 10 of 10; other 0, 1, 3, 20, 100 of 100.
    curve = rates.roc(SAME, OTHER)
    assert curve["tpr"].tolist() == pytest.approx([0.5, 0.8, 0.9, 1, 1])
    assert curve["fpr"].tolist() == pytest.approx([0, 0.01, 0.03, 0.2, 1])


# The false positive rate is 0.01 at radius 1, 0.03 at radius 2 and 0.2 at radius 3.
@pytest.mark.parametrize(
    ("target", "expected"), [(0.5, (3, 1.0)), (0.03, (2, 0.9)), (0.029, (1, 0.8)), (0, (0, 0.5))]
)
def test_recall_at_a_false_positive_rate_by_hand(target, expected):
    assert rates.at_fpr(SAME, OTHER, target) == pytest.approx(expected)


def test_radius_is_minus_one_if_distance_zero_exceeds_the_rate():
    assert rates.at_fpr(SAME, OTHER[::-1], 1e-3) == (-1, 0.0)


def test_auc_by_hand():
    # Share of other-family pairs that are farther, plus half of those at the same distance:
    #   distance 0: 1       1: 0.99 + 0.005     2: 0.97 + 0.01     3: 0.8 + 0.085
    # weighted by the same-family pairs 5, 3, 1, 1 of 10.
    expected = 0.5 * 1 + 0.3 * 0.995 + 0.1 * 0.98 + 0.1 * 0.885
    assert expected == pytest.approx(0.985)
    assert rates.auc(SAME, OTHER) == pytest.approx(expected)


def test_mean_and_deviation_by_hand():
    # Distances 0 (5 times), 1 (3 times), 2, 3: mean 8 / 10, mean square (3 + 4 + 9) / 10.
    assert rates.mean_and_deviation(SAME) == pytest.approx((0.8, (1.6 - 0.64) ** 0.5))


def test_label_noise_keeps_the_number_of_pairs():
    noisy = published.with_label_noise(SAME, OTHER, 0.1)
    assert noisy.sum() == pytest.approx(10)
    assert noisy[4] == pytest.approx(0.1 * 10 * 0.8)


def mean_average_precision(orders) -> float:
    """Average precision by its definition, over orders of right (True) and wrong (False)."""
    each = [(np.cumsum(order) / np.arange(1, len(order) + 1))[order].mean() for order in orders]
    return np.mean(each)


def test_average_precision_by_hand():
    # Distance 0: one right. Distance 1: one right, one wrong. Precision at the right ones:
    #   right first: 1 and 2 / 2, mean 1.     wrong first: 1 and 2 / 3, mean 5 / 6.
    assert rates.average_precision([1, 1], [0, 1]) == pytest.approx((1 + 5 / 6) / 2)
    assert rates.average_precision([1, 1], [0, 1], "worst") == pytest.approx(5 / 6)


@pytest.mark.parametrize("same", [[1, 2, 0, 1], [0, 3, 1, 0], [2, 0, 0, 2]])
@pytest.mark.parametrize("other", [[0, 2, 1, 1], [2, 1, 0, 1], [0, 0, 0, 0]])
def test_average_precision_over_all_orders_of_ties(same, other):
    ties = [[True] * s + [False] * o for s, o in zip(same, other, strict=True)]
    orders = itertools.product(*map(itertools.permutations, ties))
    orders = [np.array(list(itertools.chain(*order)), bool) for order in orders]
    assert rates.average_precision(same, other) == pytest.approx(mean_average_precision(orders))
    worst = np.array([flag for tie in ties for flag in sorted(tie)], bool)
    found = rates.average_precision(same, other, "worst")
    assert found == pytest.approx(mean_average_precision([worst]))


def test_average_precision_of_several_rows():
    same, other = np.array([[1, 1, 0], [0, 0, 0]]), np.array([[0, 2, 0], [1, 0, 3]])
    found = rates.average_precision(same, other)
    # Right, then one right and two wrong in any order: the second is at rank 2, 3 or 4.
    assert found[0] == pytest.approx((1 + (2 / 2 + 2 / 3 + 2 / 4) / 3) / 2)
    assert np.isnan(found[1])


def test_unknown_rule_for_ties_is_refused():
    with pytest.raises(ValueError, match="'best'"):
        rates.average_precision(SAME, OTHER, "best")


def test_recall_at_a_precision_by_hand():
    # Right of claimed at radius 0 to 4: 5 of 5, 8 of 9, 9 of 12, 10 of 30, 10 of 110.
    assert rates.recall_at_precision(SAME, OTHER, 0.99) == 0.5
    assert rates.recall_at_precision(SAME, OTHER, 0.75) == 0.9
    assert rates.recall_at_precision(SAME, OTHER[::-1], 0.99) == 0
    # Radius 2 from its rates: 10 of 110 pairs are of one family.
    assert rates.precision(0.03, 0.9, 10 / 110) == pytest.approx(9 / 12)


def test_equal_error_rate_by_hand():
    # False positive and false negative rate: 0.03 and 0.1 at radius 2, 0.2 and 0 at radius 3.
    # On the way a share x, 0.03 + 0.17 x = 0.1 - 0.1 x gives x = 0.07 / 0.27.
    assert rates.equal_error_rate(SAME, OTHER) == pytest.approx(0.03 + 0.17 * 0.07 / 0.27)
    assert rates.equal_error_rate(np.array([4, 0]), np.array([0, 4])) == 0


def test_independent_bits_are_all_effective():
    bits = np.random.default_rng(0).random((4000, 64)) < 0.3
    distances = (bits[:2000] ^ bits[2000:]).sum(axis=1)
    counts = np.bincount(distances, minlength=65)
    assert rates.effective_bits(counts) == pytest.approx(64, rel=0.1)


@pytest.fixture
def histograms() -> pd.DataFrame:
    """``SAME`` and ``OTHER`` as the counts of a method of 64 bits."""
    counts = pd.DataFrame({"method": "dhash64", "distance": range(65), "same": 0, "other": 0})
    counts.loc[:4, "same"], counts.loc[:4, "other"] = SAME, OTHER
    return counts


def test_summary_has_the_numbers_worked_by_hand(histograms):
    (row,) = rates.summary(histograms).to_dict("records")
    assert (row["method"], row["bits"], row["pairs"]) == ("dhash64", 64, 110)
    assert row["auc"] == pytest.approx(0.985)
    assert (row["radius_1e-02"], row["tpr_1e-02"]) == pytest.approx((1, 0.8))
    assert (row["radius_1e-03"], row["tpr_1e-03"]) == pytest.approx((0, 0.5))
    assert row["recall_p0.9"] == 0.5
    assert row["same_mean"] == pytest.approx(0.8)


def test_rates_at_given_radii(histograms):
    found = rates.at_radii(histograms, [("dhash64", 2), ("dhash64", 64)])
    assert found["fpr"].tolist() == pytest.approx([0.03, 1])
    assert found["recall"].tolist() == pytest.approx([0.9, 1])
    assert found["precision"].tolist() == pytest.approx([9 / 12, 10 / 110])


def test_label_noise_halves_the_excess_of_auc(histograms):
    # Half of the same-family pairs become other-family pairs, whose AUC is 1 / 2.
    found = published.noise_effect(histograms, 0.5).set_index("labels")["auc"]
    assert found["as labelled"] == pytest.approx(0.985)
    assert found["noisy"] == pytest.approx(0.985 / 2 + 0.5 / 2)


def test_calibration_has_the_published_metrics(histograms):
    found = published.calibration(histograms, "ours", 0.0).set_index("metric")["value"]
    assert set(found.index) == set(published.measures()["metric"])
    assert found["tpr_1%"] == pytest.approx(0.8)
    assert found["auc"] == pytest.approx(0.985)
