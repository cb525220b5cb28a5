"""Statistics of bits and variants of hashes, against brute force."""

import numpy as np
import pytest

from finhash import hamming
from finhash.accuracy import rates, resampling
from finhash.study.accuracy import bits


@pytest.fixture(scope="module")
def twelve_families() -> tuple[np.ndarray, np.ndarray]:
    """150 hashes of 256 bits and their families.

    Bit 0 is set in every second family, bit 1 is random, bit 2 is always set.
    """
    rng = np.random.default_rng(1)
    families = rng.integers(0, 12, 150)
    centres = rng.random((12, 256)) < 0.5
    table = centres[families] ^ (rng.random((150, 256)) < 0.1)
    table[:, 0] = families % 2
    table[:, 1] = rng.random(150) < 0.5
    table[:, 2] = True
    return np.packbits(table, axis=1), families


def test_statistics_by_counting_pairs(twelve_families):
    hashes, families = twelve_families
    table = bits.unpack(hashes)
    found = bits.bit_statistics(table, families)
    i, j = np.triu_indices(len(families), 1)
    differ, same = table[i] ^ table[j], families[i] == families[j]
    np.testing.assert_allclose(found.same, differ[same].mean(axis=0))
    np.testing.assert_allclose(found.other, differ[~same].mean(axis=0))
    np.testing.assert_allclose(found.ones, table.mean(axis=0))


def test_log_odds_ratio_and_entropy_of_known_bits(twelve_families):
    hashes, families = twelve_families
    found = bits.bit_statistics(bits.unpack(hashes), families)
    assert found.log_odds_ratio.argmax() == 0
    assert abs(found.log_odds_ratio[1]) < 0.5
    assert found.log_odds_ratio[2] == 0
    assert found.entropy[1] == pytest.approx(1, abs=0.05)
    assert found.entropy[2] == pytest.approx(0, abs=1e-9)


def test_log_odds_ratio_and_entropy_by_hand():
    # Odds of differing: 1 / 3 within families, 1 between; a quarter of the images have the bit.
    found = bits.BitStatistics(np.array([0.25]), np.array([0.25]), np.array([0.5]))
    assert found.log_odds_ratio == pytest.approx(np.log(3))
    assert found.entropy == pytest.approx(0.25 * 2 + 0.75 * np.log2(4 / 3))


def test_variants_select_and_repeat_bits(twelve_families):
    hashes, families = twelve_families
    table = {"find": bits.unpack(hashes)}
    trained = {"find": bits.bit_statistics(table["find"], families)}
    ratios = trained["find"].log_odds_ratio
    best = bits.best_bits("find", 100)(table, trained)
    kept = np.sort(np.argsort(-ratios, kind="stable")[:100])
    np.testing.assert_array_equal(best, table["find"][:, kept])
    weighted = bits.weighted_bits("find")(table, trained)
    copies = (weighted == table["find"][:, :1]).all(axis=0).sum()
    assert copies == np.rint(2 * ratios[0] / np.clip(ratios, 0, None).mean())
    middle = bits.some_rows("find", bits.MIDDLE_ROWS)(table, trained)
    np.testing.assert_array_equal(middle, table["find"][:, 64:192])
    pair = bits.concatenated(bits.all_bits("find"), bits.best_bits("find", 100))(table, trained)
    np.testing.assert_array_equal(pair, np.hstack([table["find"], best]))


@pytest.mark.parametrize("number", [64, 128, 259])
def test_packing_keeps_distances(number):
    table = np.random.default_rng(0).random((2, number)) < 0.5
    packed = bits.pack(table)
    assert packed.shape[1] % 8 == 0
    assert np.bitwise_count(packed[0] ^ packed[1]).sum() == (table[0] ^ table[1]).sum()


def test_variants_are_made_without_the_fold_left_out(twelve_families, monkeypatch):
    hashes, families = twelve_families
    seen = []

    def spy(own, trained):
        seen.append((own["find"], trained["find"].same))
        return own["find"]

    monkeypatch.setattr(bits, "VARIANTS", {"spy": spy})
    found = bits.held_out({"find": hashes}, families, [0.01], folds=3, seed=0).iloc[0]
    fold_of = resampling.assign_folds(12, 3, seed=0)[families]
    counts = []
    for k, (own, same) in enumerate(seen):
        test, train = fold_of == k, fold_of != k
        np.testing.assert_array_equal(own, bits.unpack(hashes[test]))
        expected = bits.bit_statistics(bits.unpack(hashes[train]), families[train]).same
        np.testing.assert_allclose(same, expected)
        counts.append(hamming.pair_histogram(hashes[test], families[test]))
    assert found["recall"] == rates.at_fpr(*np.sum(counts, axis=0), 0.01)[1]
    recalls = [rates.at_fpr(*count, 0.01)[1] for count in counts]
    assert (found["low"], found["high"]) == (min(recalls), max(recalls))


def test_table_puts_the_lowest_frequency_first(twelve_families):
    hashes, families = twelve_families
    found = bits.table({"find": hashes, "phash256": hashes}, families).set_index("method")
    assert found.loc["phash256", ["row", "column"]].iloc[0].tolist() == [0, 0]
    assert found.loc["find", ["row", "column"]].iloc[0].tolist() == [15, 15]


def test_distance_to_the_majority_hash_and_caption_area(twelve_families):
    hashes, families = twelve_families
    paths = [f"{family:04d}_{k:05d}.jpg" for k, family in enumerate(families)]
    found = bits.by_caption_area({"find": hashes}, paths, families)
    table = bits.unpack(hashes)
    majority = table[families == families[5]].mean(axis=0) > 0.5
    assert found["distance"][5] == (table[5] ^ majority).sum()
    assert found["area"].between(0, 1).all()
    # The area depends on the file name alone, even if families are merged.
    merged = bits.by_caption_area({"find": hashes}, paths, families // 2)
    np.testing.assert_array_equal(merged["area"], found["area"])


def test_concentration_by_brute_force(twelve_families):
    hashes, families = twelve_families
    found = bits.concentration({"find": hashes}, families, {"find": 100}).iloc[0]
    distances = np.bitwise_count(hashes[:, None] ^ hashes[None]).sum(axis=2)
    i, j = np.nonzero(np.triu((distances <= 100) & (families[:, None] != families), 1))
    pairs = [frozenset(pair) for pair in zip(families[i], families[j], strict=True)]
    counts = sorted(map(pairs.count, set(pairs)), reverse=True)
    assert (found["claims"], found["pairs"]) == (len(pairs), len(counts))
    assert found["first_ten"] == pytest.approx(sum(counts[:10]) / len(pairs))
    none = bits.concentration({"find": hashes}, families, {"find": 0}).iloc[0]
    assert (none["claims"], none["first_ten"]) == (0, 0)
