"""Counts of pairs, against brute force and tables worked by hand."""

import itertools

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from finhash.accuracy import counting, rates, resampling
from finhash.hamming import pair_histogram
from finhash.tables.hash_table import HashTable
from finhash.tables.schema import schema as table_schema
from tests.accuracy.conftest import REACH, on_a_line

# On a line: family A at 0 and 1, B at 3 and 5, C at 6.
# Distances:  A-A 1   B-B 2   A-B 3 5 2 4   A-C 6 5   B-C 3 1
LINE = on_a_line([0, 1, 3, 5, 6])
FAMILIES = np.array([10, 10, 20, 20, 30])


def brute_rates(hashes: np.ndarray, families: np.ndarray) -> pd.DataFrame:
    return rates.roc(*pair_histogram(hashes, families)).iloc[: REACH + 1]


def test_pair_histograms_count_every_pair_once():
    images = [{"path": str(k), "dhash64": h.tobytes(), "error": ""} for k, h in enumerate(LINE)]
    table = HashTable(pa.Table.from_pylist(images, table_schema(["dhash64"])))
    found = counting.pair_histograms(table, ["dhash64"], FAMILIES)
    assert found["distance"].tolist() == list(range(65))
    assert found["same"].tolist() == [0, 1, 1] + [0] * 62
    assert found["other"].tolist() == [0, 1, 1, 2, 1, 2, 1] + [0] * 58


def test_labellings_are_counted_as_if_alone():
    images = [{"path": str(k), "dhash64": h.tobytes(), "error": ""} for k, h in enumerate(LINE)]
    table = HashTable(pa.Table.from_pylist(images, table_schema(["dhash64"])))
    truths = {"fine": FAMILIES, "coarse": np.array([1, 1, 1, 1, 2]), "one each": np.arange(5)}
    found = counting.labelled_histograms(table, ["dhash64"], truths)
    for key, families in truths.items():
        alone = counting.pair_histograms(table, ["dhash64"], families)
        own = found[found["labels"] == key].drop(columns="labels").reset_index(drop=True)
        pd.testing.assert_frame_equal(own, alone)


def test_weighted_rates_by_hand():
    table = counting.count_pairs(LINE, {"": FAMILIES}, 4)[""]
    # Weights A 2, B 1, C 1. Pairs within families: A 2, B 1, together 3.
    # Pairs between: A-B 2 * 4, A-C 2 * 2, B-C 1 * 2, together 14.
    # Up to 1: one of B-C.  2: and one of A-B.  3: one of each.  4: one of A-B.
    fpr, recall = table.rates(np.array([2.0, 1, 1]))
    assert recall == pytest.approx([0, 2 / 3, 1, 1, 1])
    assert fpr == pytest.approx([0, 1 / 14, 3 / 14, 6 / 14, 8 / 14])


def test_macro_rates_by_hand():
    table = counting.count_pairs(LINE, {"": FAMILIES}, 2)[""]
    # Recall: A finds its pair at 1, B at 2; C has none.
    # Share of claimed pairs up to 2: A-B 1 / 4, A-C 0, B-C 1 / 2; the mean is 1 / 4.
    fpr, recall = table.macro_rates()
    assert recall == pytest.approx([0, 1 / 2, 1])
    assert fpr == pytest.approx([0, (1 / 2) / 3, 1 / 4])


def test_rates_equal_those_of_all_pairs(ten_families, pair_table):
    fpr, recall = pair_table.rates()
    expected = brute_rates(*ten_families)
    np.testing.assert_allclose(fpr, expected["fpr"])
    np.testing.assert_allclose(recall, expected["tpr"])


def test_families_of_weight_zero_are_left_out(ten_families, pair_table):
    hashes, families = ten_families
    weights = np.array([1, 0, 1, 1, 0, 1, 0, 1, 1, 1.0])
    kept = weights[families // 3] > 0
    fpr, recall = pair_table.rates(weights)
    expected = brute_rates(hashes[kept], families[kept])
    np.testing.assert_allclose(fpr, expected["fpr"])
    np.testing.assert_allclose(recall, expected["tpr"])


def test_macro_rates_average_over_families(ten_families, pair_table):
    hashes, families = ten_families
    distances = np.bitwise_count(hashes[:, None] ^ hashes[None]).sum(axis=2)
    radii = [30, 60, 110]
    shares = {True: [], False: []}
    for a, b in itertools.combinations_with_replacement(np.unique(families), 2):
        block = distances[np.ix_(families == a, families == b)]
        block = block[np.triu_indices(len(block), 1)] if a == b else block
        shares[a == b].append([(block <= radius).mean() for radius in radii])
    fpr, recall = pair_table.macro_rates()
    np.testing.assert_allclose(recall[radii], np.mean(shares[True], axis=0))
    np.testing.assert_allclose(fpr[radii], np.mean(shares[False], axis=0))


def test_radius_beyond_the_reach_is_refused(pair_table):
    with pytest.raises(ValueError, match="larger reach"):
        pair_table.radius(0.5)


def test_radius_of_rate_zero_claims_no_false_pair(pair_table):
    radius = pair_table.radius(0.0)
    fpr, _ = pair_table.rates()
    assert fpr[radius] == 0 < fpr[radius + 1]


def test_several_labellings_are_counted_in_one_pass(ten_families, pair_table):
    hashes, families = ten_families
    both = counting.count_pairs(hashes, {"own": families, "coarse": families // 9}, REACH)
    np.testing.assert_array_equal(both["own"].rates(), pair_table.rates())
    expected = brute_rates(hashes, families // 9)
    np.testing.assert_allclose(both["coarse"].rates()[0], expected["fpr"])


def test_claims_of_each_family_by_hand():
    # Up to 3: A-B 3 2, B-C 3 1. With B twice, A and C have twice as many.
    table = counting.count_pairs(LINE, {"": FAMILIES}, 3)[""]
    assert table.claims()[:, 3].tolist() == [2, 4, 2]
    assert table.claims(np.array([1.0, 2, 1]))[:, 3].tolist() == [4, 4, 4]


def test_effective_numbers_by_hand():
    table = counting.count_pairs(LINE, {"": FAMILIES}, 3)[""]
    # Two matches in each of two pairs of families; one pair of images in each of two families.
    assert table.effective_numbers(3) == (2, 2)
    assert table.effective_numbers(1)[0] == 1


def test_a_sample_has_the_same_rates_for_its_families(pair_table):
    weights = (np.arange(10) % 3 > 0).astype(float)
    sample = pair_table.sample(weights, reach=100)
    assert len(sample.count) < len(pair_table.count)
    for found, expected in zip(sample.rates(weights), pair_table.rates(weights), strict=True):
        np.testing.assert_allclose(found, expected[:101])


def test_large_families_are_counted_like_small_ones(monkeypatch):
    hashes = np.random.default_rng(0).integers(0, 256, (200, 32), dtype=np.uint8)
    families = np.repeat([0, 1, 2], [150, 49, 1])
    large = counting.count_pairs(hashes, {"": families}, 120)[""]
    monkeypatch.setattr(counting, "LARGE", 1000)
    monkeypatch.setattr(counting, "BLOCK", 300)  # many blocks, merged many times
    small = counting.count_pairs(hashes, {"": families}, 120)[""]
    for column in ("sizes", "same", "first", "second", "distance", "count"):
        np.testing.assert_array_equal(getattr(large, column), getattr(small, column))


def test_fixed_thresholds_give_the_recall_of_all_rates():
    hashes = np.random.default_rng(0).integers(0, 256, (60, 8), dtype=np.uint8)
    table = counting.count_pairs(hashes, {"": np.repeat(range(20), 3)}, 40)[""]
    weights = resampling.half_samples(np.arange(20), 20, 9, seed=1)
    np.testing.assert_allclose(table.recall(weights, 30), table.rates(weights)[1][:, 30])
    assert table.recall(weights, -1).tolist() == [0.0] * 9
