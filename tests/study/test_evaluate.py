"""Rates from counts, against plain counting."""

import numpy as np
import pytest

from finhash import hash_files
from finhash.study import evaluate

SAME = np.array([5, 3, 1, 1, 0])
OTHER = np.array([0, 1, 2, 17, 80])


def test_roc_by_counting():
    curve = evaluate.roc(SAME, OTHER)
    assert curve["tpr"].tolist() == pytest.approx([0.5, 0.8, 0.9, 1, 1])
    assert curve["fpr"].tolist() == pytest.approx([0, 0.01, 0.03, 0.2, 1])


@pytest.mark.parametrize(
    ("target", "expected"), [(0.5, (3, 1.0)), (0.03, (2, 0.9)), (0.029, (1, 0.8)), (0, (0, 0.5))]
)
def test_recall_at_a_false_positive_rate(target, expected):
    assert evaluate.at_fpr(SAME, OTHER, target) == pytest.approx(expected)


def test_no_radius_reaches_a_rate_that_distance_zero_misses():
    assert evaluate.at_fpr(SAME, OTHER[::-1], 1e-3) == (-1, 0.0)


def test_auc_by_comparing_every_pair():
    same, other = np.repeat(np.arange(5), SAME), np.repeat(np.arange(5), OTHER)
    wins = (same[:, None] < other).mean() + 0.5 * (same[:, None] == other).mean()
    assert evaluate.auc(SAME, OTHER) == pytest.approx(wins)


def test_mean_and_deviation():
    values = np.repeat(np.arange(5), SAME)
    assert evaluate.mean_and_deviation(SAME) == pytest.approx((values.mean(), values.std()))


def test_label_noise_keeps_the_number_of_pairs():
    noisy = evaluate.with_label_noise(SAME, OTHER, 0.1)
    assert noisy.sum() == pytest.approx(SAME.sum())
    assert noisy[4] == pytest.approx(0.1 * 10 * 0.8)


def test_pairwise_scores():
    families = np.array([7, 7, 7, 9, 9])
    assert evaluate.pairwise_scores(np.array([0, 0, 0, 1, 1]), families) == (1, 1)
    assert evaluate.pairwise_scores(np.arange(5), families) == (1, 0)
    assert evaluate.pairwise_scores(np.zeros(5, int), families) == (0.4, 1)
    assert evaluate.pairwise_scores(np.array([0, 0, 1, 1, 1]), families) == (0.5, 0.5)


def test_summary_and_clusterings_of_a_table(folder):
    table = hash_files(sorted(folder.glob("0*.jpg")), ["find", "dhash64"], progress=False)
    families = np.arange(12) // 3
    counts = evaluate.pair_histograms(table, ["find", "dhash64"], families)
    assert counts.groupby("method")[["same", "other"]].sum().to_numpy().tolist() == [[12, 54]] * 2
    summary = evaluate.summary(counts).set_index("method")
    assert summary.loc["dhash64", "bits"] == 64
    scores = evaluate.clusterings(table, [("find", 0), ("find", 256)], families)
    assert scores["clusters"].tolist() == [12, 1]
    assert scores["recall"].tolist() == [0, 1]
