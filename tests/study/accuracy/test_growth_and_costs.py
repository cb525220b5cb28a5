"""Clustering thresholds and costs: held out, by size of the collection, and by cost."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from finhash import cluster
from finhash.accuracy import resampling
from finhash.study.accuracy import clustering, costs
from finhash.study.report import figures_thresholds, style

RADII = {"find64": [0, 4, 8, 12, 16]}


@pytest.fixture(scope="module")
def hashes() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    centres = rng.integers(0, 256, (16, 8), dtype=np.uint8)
    noise = np.packbits(rng.random((160, 64)) < 0.08, axis=1)
    return {"find64": centres[np.arange(160) % 16] ^ noise}


@pytest.fixture(scope="module")
def families() -> np.ndarray:
    return np.arange(160) % 16


@pytest.fixture(scope="module")
def histograms() -> pd.DataFrame:
    counts = {"distance": range(4), "same": [5, 3, 2, 0], "other": [0, 1, 9, 90]}
    return pd.DataFrame({"method": "find", **counts})


@pytest.mark.parametrize("step", [1, 3])
def test_members_are_clustered_as_if_the_other_images_were_absent(hashes, step):
    packed = hashes["find64"]
    members = np.arange(0, len(packed), step)
    near = clustering.Neighbours.within(packed, 16)
    found = near.clusters([12, 4, 8], clustering.ALGORITHMS, members)
    for radius, algorithm, labels in found:
        own = packed[members]
        expected = cluster.families(own, radius, algorithm)
        assert clustering.scores(labels, expected)["f1"] == 1, (radius, algorithm)


def test_neighbours_found_before_give_the_same_scores(hashes, families):
    near = {"find64": clustering.Neighbours.within(hashes["find64"], 20)}
    found, expected = (
        clustering.sweep(each, RADII, {"families": families}) for each in (near, hashes)
    )
    pd.testing.assert_frame_equal(found, expected)


def test_a_radius_beyond_the_neighbours_found_is_an_error(hashes):
    near = clustering.Neighbours.within(hashes["find64"], 6)
    with pytest.raises(ValueError, match="radius 8: neighbours were sought up to 6"):
        next(near.clusters([4, 8], ["components"]))


def test_a_single_image_is_clustered_without_error():
    found = clustering.scores(np.array([3]), np.array([8]))
    assert (found["f1"], found["b3_f1"]) == (1, 1)


def test_held_out_scores_every_half_by_every_rule(hashes, families):
    found = clustering.held_out(
        hashes,
        RADII,
        families,
        score=["f1", "b3_f1"],
        algorithms=["components", "spheres"],
        seed=3,
        splits=3,
        given={"given": {"find64": 6}},
    )
    assert len(found) == 3 * 2 * 2 * 3
    given = found[found["rule"] == "given"]
    assert (given["radius"] == 6).all()
    # The given radius lies between those that can be chosen.
    assert found.loc[found["rule"] != "given", "radius"].isin(RADII["find64"]).all()
    row = given[(given["split"] == 2) & (given["half"] == 1)].iloc[0]
    own = resampling.assign_folds(16, 2, seed=5)[families] == 1
    labels = cluster.families(hashes["find64"][own], 6, row["algorithm"])
    assert row["f1"] == pytest.approx(clustering.scores(labels, families[own])["f1"])


def test_held_out_leaves_out_methods_without_a_given_radius(hashes, families):
    found = clustering.held_out(
        hashes,
        RADII,
        families,
        score="f1",
        algorithms=["components"],
        seed=0,
        given={"given": {"pdq": 31}},
    )
    assert found["rule"].tolist() == ["f1", "f1"]


def test_growth_measures_the_loss_against_the_whole(hashes, families):
    found = clustering.growth(
        hashes, RADII, families, [4, 8, 99], algorithms=["components"], draws=2, seed=1
    )
    assert found.groupby("families").size().to_dict() == {4: 4, 8: 4, 16: 2}
    whole = found[found["families"] == 16].set_index("score")
    swept = clustering.sweep(
        hashes, RADII, {"families": families}, algorithms=["components"]
    ).set_index("radius")
    assert (whole["loss"] == 0).all()
    for row in found.itertuples():
        assert row.whole == pytest.approx(swept.loc[row.radius, row.score])
        assert row.loss == pytest.approx(whole.loc[row.score, "value"] - row.whole)
    assert (found["images"] == 10 * found["families"]).all()


def test_slopes_span_the_draws():
    # From 8 families on, the best radius grows by 1 bit per halving in draw 0, by 2 in draw 1.
    rows = [
        ("find", "components", "f1", 2 ** (3 - k), draw, 60 + k * (draw + 1))
        for k in range(3)
        for draw in (0, 1)
    ]
    columns = ["method", "algorithm", "score", "families", "draw", "radius"]
    grown = pd.DataFrame(rows, columns=columns)
    grown = grown[(grown["families"] < 8) | (grown["draw"] == 0)]
    slope = clustering.per_doubling(grown).iloc[0]
    assert slope[["bits", "low", "high"]].tolist() == pytest.approx([-1.5, -2, -1])


def test_cost_counts_missed_and_false_pairs(histograms):
    curve = costs.curve(histograms, ratios=[2]).set_index("threshold")
    # At threshold 1: 2 of 10 pairs are missed and 1 false pair costs 2.
    assert curve.loc[1, "cost"] == pytest.approx((2 + 2 * 1) / 10)
    assert curve.loc[-1, "cost"] == 1


def test_growth_of_the_collection_acts_like_a_higher_ratio(histograms):
    grown = costs.curve(histograms, ratios=[2], growth=[10])
    dearer = costs.curve(histograms, ratios=[20], growth=[1])
    columns = ["threshold", "recall", "fpr", "cost"]
    pd.testing.assert_frame_equal(grown[columns], dearer[columns])


def test_least_cost_is_no_claim_if_every_threshold_claims_too_many_false_pairs(histograms):
    first_is_false = histograms.assign(other=[1, 1, 9, 90])
    found = costs.least(costs.curve(first_is_false, ratios=[1, 1000]))
    assert found["threshold"].tolist() == [1, -1]
    assert found["cost"].tolist() == [pytest.approx(0.4), 1]


def test_figures_draw_their_tables(histograms, hashes, families):
    grown = clustering.growth(
        hashes, RADII, families, [4, 8], algorithms=["components", "spheres"], draws=2, seed=1
    )
    curves = costs.curve(histograms, ratios=[1, 100]).assign(labels="merged")
    with matplotlib.rc_context():
        plt.switch_backend("agg")
        style.use_style()
        growth = figures_thresholds.cluster_growth(grown)
        cost = figures_thresholds.cost_curves(curves)
        left, _ = growth.axes
        best = grown[(grown["score"] == "f1") & (grown["algorithm"] == "components")]
        medians = best.groupby("families")["radius"].median()
        assert list(left.lines[0].get_ydata()) == medians.tolist()
        assert left.get_ylabel() == "bits"
        left, _ = cost.axes
        costs_of_one = curves.loc[curves["ratio"] == 1, "cost"]
        assert list(left.lines[0].get_ydata()) == costs_of_one.tolist()
        plt.close("all")
