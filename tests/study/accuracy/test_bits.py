"""Rates of bits against counting pairs; variants against what they are said to be."""

import numpy as np
import pytest

from finhash.study.accuracy import bits
from finhash.study.data import datasets


@pytest.fixture(scope="module")
def made() -> tuple[np.ndarray, np.ndarray]:
    """Hashes of 256 bits: bit 0 tells two halves of the families, bit 1 is noise, bit 2 is set."""
    rng = np.random.default_rng(1)
    families = rng.integers(0, 12, 150)
    centres = rng.random((12, 256)) < 0.5
    table = centres[families] ^ (rng.random((150, 256)) < 0.1)
    table[:, 0] = families % 2
    table[:, 1] = rng.random(150) < 0.5
    table[:, 2] = True
    return np.packbits(table, axis=1), families


def test_rates_by_counting_pairs(made):
    hashes, families = made
    table = bits.unpack(hashes)
    found = bits.bit_rates(table, families)
    i, j = np.triu_indices(len(families), 1)
    differ, same = table[i] ^ table[j], families[i] == families[j]
    assert np.allclose(found.same, differ[same].mean(axis=0))
    assert np.allclose(found.other, differ[~same].mean(axis=0))
    assert np.allclose(found.ones, table.mean(axis=0))


def test_evidence_and_entropy(made):
    hashes, families = made
    found = bits.bit_rates(bits.unpack(hashes), families)
    assert found.evidence.argmax() == 0
    assert abs(found.evidence[1]) < 0.5
    assert found.evidence[2] == 0
    assert found.entropy[2] == pytest.approx(0, abs=1e-9)
    assert found.entropy[1] == pytest.approx(1, abs=0.05)


def test_best_bits_weights_and_rows(made):
    hashes, families = made
    table = {"find": bits.unpack(hashes)}
    learnt = {"find": bits.bit_rates(table["find"], families)}
    assert (bits.best("find", 1)(table, learnt)[:, 0] == table["find"][:, 0]).all()
    assert bits.best("find", 100)(table, learnt).shape == (150, 100)
    weighed = bits.weighed("find")(table, learnt)
    copies = (weighed == table["find"][:, :1]).all(axis=0).sum()
    assert copies == np.rint(2 * learnt["find"].evidence[0] / learnt["find"].evidence.mean())
    middle = bits.rows("find", bits.MIDDLE)(table, learnt)
    assert (middle == table["find"][:, 64:192]).all()
    pair = bits.both(bits.whole("find"), bits.best("find", 3))(table, learnt)
    assert pair.shape == (150, 259)


@pytest.mark.parametrize("number", [64, 128, 259])
def test_packing_keeps_distances(number):
    table = np.random.default_rng(0).random((2, number)) < 0.5
    packed = bits.pack(table)
    assert packed.shape[1] % 8 == 0
    assert np.bitwise_count(packed[0] ^ packed[1]).sum() == (table[0] ^ table[1]).sum()


def test_held_out_choices_do_not_know_the_fold(made, monkeypatch):
    hashes, families = made
    seen = []

    def spy(bits_, learnt):
        seen.append((len(bits_["find"]), learnt["find"].same))
        return bits_["find"]

    monkeypatch.setattr(bits, "VARIANTS", {"spy": spy})
    found = bits.held_out({"find": hashes}, families, [0.01], folds=3, seed=0)
    fold = (np.random.default_rng(0).permutation(12) % 3)[families]
    for k, (judged, same) in enumerate(seen):
        assert judged == (fold == k).sum()
        table = bits.unpack(hashes[fold != k])
        assert np.allclose(same, bits.bit_rates(table, families[fold != k]).same)
    row = found.iloc[0]
    assert row["low"] <= row["recall"] <= row["high"] + 0.05


def test_table_puts_low_frequencies_first(made):
    hashes, families = made
    table = bits.table({"find": hashes, "phash256": hashes}, families).set_index("method")
    assert table.loc["phash256", ["row", "column"]].iloc[0].tolist() == [0, 0]
    assert table.loc["find", ["row", "column"]].iloc[0].tolist() == [15, 15]


def test_distance_by_caption_area(made):
    hashes, families = made
    paths = [f"{family:04d}_{k:05d}.jpg" for k, family in enumerate(families)]
    found = bits.by_caption_area({"find": hashes}, paths, families)
    assert found["area"].between(0, 1).all()
    table = bits.unpack(hashes)
    centre = table[families == families[5]].mean(axis=0) > 0.5
    assert found["distance"][5] == (table[5] ^ centre).sum()
    assert datasets.caption(families[5], 5) == datasets.caption(families[5], 5)


def test_concentration_counts_false_claims(made):
    hashes, families = made
    found = bits.concentration({"find": hashes}, families, {"find": 100}).iloc[0]
    apart = np.bitwise_count(hashes[:, None] ^ hashes[None]).sum(axis=2)
    i, j = np.nonzero(np.triu((apart <= 100) & (families[:, None] != families), 1))
    pairs = [frozenset(pair) for pair in zip(families[i], families[j], strict=True)]
    commonest = sorted(map(pairs.count, set(pairs)), reverse=True)
    assert (found["claims"], found["pairs"]) == (len(pairs), len(commonest))
    assert found["first_ten"] == pytest.approx(sum(commonest[:10]) / len(pairs))
    none = bits.concentration({"find": hashes}, families, {"find": 0}).iloc[0]
    assert (none["claims"], none["first_ten"]) == (0, 0)
