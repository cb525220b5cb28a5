"""Thresholds by rule: the bound, attainable distances and the choice."""

import numpy as np
import pytest
from scipy.stats import poisson

from finhash.accuracy import counting, thresholds
from finhash.study.accuracy import coverage


def pairs_of_families(number: int, matches: dict[tuple[int, int], tuple[int, int]]):
    """Families of two images; ``matches`` gives (distance, pairs of images) of two families."""
    same = np.zeros((number, 257), np.int64)
    same[:, 0] = 1
    first, second = np.array(list(matches)).T
    distance, count = np.array(list(matches.values())).T
    return counting.PairTable(np.full(number, 2), same, first, second, distance, count, reach=40)


def test_without_false_matches_the_bound_is_the_rule_of_three():
    table = pairs_of_families(101, {(0, 1): (30, 4)})
    bound = thresholds.upper_bound(table)
    assert bound[:30] == pytest.approx(3 / (101 * 100 / 2))
    assert bound[30] > bound[29]


def test_the_bound_counts_pairs_of_families_not_of_images():
    # One pair of families with 4 matches, or 4 pairs of families with one each: the same rate, but
    # the first is a single event.
    one = pairs_of_families(101, {(0, 1): (10, 4)})
    four = pairs_of_families(101, {(2 * k, 2 * k + 1): (10, 1) for k in range(4)})
    assert one.rates()[0][10] == four.rates()[0][10]
    assert thresholds.upper_bound(one)[10] > 1.5 * thresholds.upper_bound(four)[10]


def test_many_unrelated_matches_approach_the_poisson_bound():
    number, events = 401, 100
    table = pairs_of_families(number, {(2 * k, 2 * k + 1): (10, 4) for k in range(events)})
    bound = thresholds.upper_bound(table)[10] * number * (number - 1) / 2
    # The jackknife counts each pair of families once for either family, so it is wider.
    assert bound - thresholds.UNSEEN > events + 1.6 * events**0.5
    assert poisson.cdf(events, bound - thresholds.UNSEEN) < 0.05


def test_whole_weights_equal_copies_of_families():
    table = pairs_of_families(30, {(0, 1): (10, 4), (2, 3): (20, 1)})
    weights = np.ones(30)
    weights[9] = 0
    keep = thresholds.upper_bound(table, weights)
    smaller = pairs_of_families(29, {(0, 1): (10, 4), (2, 3): (20, 1)})
    assert keep == pytest.approx(thresholds.upper_bound(smaller))


def test_only_distances_that_occur_are_attainable():
    table = pairs_of_families(10, {(0, 1): (12, 1), (2, 3): (20, 4)})
    assert thresholds.attainable(table).tolist() == [0, 12, 20]


def test_a_recommended_threshold_keeps_its_bound_below_the_target():
    matches = {(k, k + 1): (d, 1) for k, d in enumerate(range(4, 40, 2))}
    table = pairs_of_families(300, matches)
    found = thresholds.recommend({"find": table}, seed=1).set_index("use")
    bound, fpr = thresholds.upper_bound(table), table.rates()[0]
    assert set(found.index) < set(thresholds.TARGETS)  # 1e-5 is out of reach of 300 families
    for row in found.itertuples():
        assert row.fpr_high == bound[row.threshold] <= row.target
        assert row.threshold in thresholds.attainable(table)
        assert fpr[row.threshold + row.margin] <= row.target
        # Chosen without a part, the threshold is never smaller, and so is the rate.
        assert fpr[row.threshold] * 0.9 < row.fpr < 2 * row.target


def test_the_rule_seldom_exceeds_its_target_and_the_estimate_often_does():
    rng = np.random.default_rng(0)
    both = {tuple(sorted(rng.choice(120, 2, replace=False))): None for _ in range(60)}
    matches = {pair: (int(rng.integers(1, 40)), int(rng.integers(1, 5))) for pair in both}
    table = pairs_of_families(120, matches)
    found = coverage.of_thresholds({"find": table}, [3e-3], [120], simulations=60, seed=1).iloc[0]
    assert found["rule_exceeds"] < 0.15 < found["estimate_exceeds"]
    assert found["bound_holds"] > 0.8


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("families", [2, 3, 10])
def test_few_families_are_promised_nothing(families):
    table = pairs_of_families(families, {(0, 1): (10, 1)})
    assert thresholds.recommend({"find": table}, seed=1, progress=False).empty
    assert (thresholds.upper_bound(table) >= 3 / (families * (families - 1) / 2)).all()


def test_the_families_needed_are_just_enough():
    needed = thresholds.families_needed(0.01)
    for number, promised in ((needed - 1, False), (needed, True)):
        table = pairs_of_families(number, {(0, 1): (30, 4)})
        found = thresholds.recommend({"find": table}, 1, {"": 0.01}, progress=False)
        assert len(found) == promised
