"""Sets keep their families; contenders find pairs; exponents are computed."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from finhash import hamming
from finhash.study.cost import growth

EXACT = [name for name, contender in growth.CONTENDERS.items() if contender.exact]


@pytest.fixture(scope="module")
def labels():
    """Families of 620 hashes: 20 families of 12 to 50."""
    return np.repeat(np.arange(20), np.arange(12, 52, 2))


@pytest.fixture(scope="module")
def some(labels):
    """Hashes of the families ``labels``."""
    rng = np.random.default_rng(1)
    centres = rng.integers(0, 256, (20, 32), dtype=np.uint8)
    return centres[labels] ^ np.packbits(rng.random((len(labels), 256)) < 0.08, axis=1)


def curve(contender: str, numbers: list[int], seconds: list[float], **others) -> pd.DataFrame:
    columns = {"method": "find", "growth": "size", "radius": 31, "recall": 1.0} | others
    return pd.DataFrame({"contender": contender, "number": numbers, "seconds": seconds, **columns})


# Sets


@pytest.mark.parametrize("number", [100, 300, 600, 1500])
@pytest.mark.parametrize("make", growth.GROWTHS.values(), ids=growth.GROWTHS)
def test_sets_are_shuffled_and_depend_on_the_seed_alone(some, labels, make, number):
    made, families = make(some, labels, number, 3)
    assert made.shape == (number, 32)
    assert families.shape == (number,)
    assert (np.diff(families) < 0).any()
    np.testing.assert_array_equal(made, make(some, labels, number, 3)[0])
    assert not np.array_equal(made, make(some, labels, number, 4)[0])


@pytest.mark.parametrize("number", [300, 1500])
@pytest.mark.parametrize("make", growth.GROWTHS.values(), ids=growth.GROWTHS)
def test_families_of_a_set_are_near_and_others_are_not(some, labels, make, number):
    made, families = make(some, labels, number, 3)
    same, other = hamming.pair_histogram(made, families)
    assert np.average(np.arange(257), weights=same) == pytest.approx(2 * 0.08 * 0.92 * 256, rel=0.1)
    assert other[:75].sum() == 0


@pytest.mark.parametrize("number", [300, 1500])
def test_by_number_keeps_whole_families(some, labels, number):
    _, families = growth.by_number(some, labels, number, 3)
    sizes = np.sort(np.unique(families, return_counts=True)[1])
    known = np.sort(np.unique(labels, return_counts=True)[1])
    whole = np.isin(sizes, known)
    assert (~whole).sum() <= 1
    expected = 20 * number / len(labels)
    assert 0.4 * expected < len(sizes) < 2 * expected


def test_small_sets_by_number_hold_measured_hashes(some, labels):
    made, _ = growth.by_number(some, labels, 300, 3)
    assert set(map(bytes, made)) <= set(map(bytes, some))


@pytest.mark.parametrize("number", [300, 1500])
def test_by_size_keeps_every_family_at_its_share(some, labels, number):
    _, families = growth.by_size(some, labels, number, 3)
    expected = np.bincount(labels) * number / len(labels)
    assert (abs(np.bincount(families, minlength=20) - expected) <= 2).all()


def test_large_sets_by_size_hold_all_measured_hashes_and_mix_members(some, labels):
    made, families = growth.by_size(some, labels, 1500, 3)
    assert set(map(bytes, some)) <= set(map(bytes, made))
    for family in range(20):
        members, bits = made[families == family], np.unpackbits(some[labels == family], axis=1)
        agreed = (bits == bits[0]).all(axis=0)  # no further member differs in these bits
        assert (np.unpackbits(members, axis=1)[:, agreed] == bits[0, agreed]).all()


def test_check_compares_both_growths_with_the_measured_hashes(some, labels):
    found = growth.check(some, labels, 1200, 45, 3, workers=1).set_index("growth")
    assert found["hashes"].to_dict() == {"measured": len(some), "number": 1200, "size": 1200}
    assert found["families"]["size"] == 20
    assert found["families"]["number"] > 20
    assert (found["other"] == 0).all()
    assert found["recall"].between(0.5, 1).all()


# Measurements


@pytest.mark.parametrize("radius", [20, 45])
def test_contenders_find_pairs_once_and_exact_ones_find_all(some, labels, radius):
    made, _ = growth.by_number(some, labels, 500, 3)
    i, j, _ = hamming.join(made, made, radius=radius)
    wanted = set(zip(i[i < j].tolist(), j[i < j].tolist(), strict=True))
    for name, contender in growth.CONTENDERS.items():
        blocks = list(contender.build(made, radius)())
        pairs = [(int(a), int(b)) for i, j in blocks for a, b in zip(i, j, strict=True)]
        assert len(pairs) == len(set(pairs)), name
        assert set(pairs) <= wanted, name
        assert set(pairs) == wanted or name not in EXACT
        assert len(pairs) > 0.8 * len(wanted), name


def test_measure_has_one_row_per_set_radius_and_contender(some, labels):
    contenders = growth.CONTENDERS | {
        "FAISS IVF": replace(growth.CONTENDERS["FAISS IVF"], largest=200),
    }
    found = growth.measure(
        {"find": some, "pdq": some[::-1].copy()},
        labels,
        [200, 400],
        {"find": [20, 45], "pdq": [45]},
        3,
        repeats=2,
        contenders=contenders,
    )
    # Three radii of two hashes, two growths, two sets and, of the pruned join, two repeats.
    counted = found.groupby("contender").size().to_dict()
    assert counted == {"exhaustive": 12, "pruned": 24, "FAISS IVF": 6}
    assert (found["recall"][found["contender"].isin(EXACT)] == 1).all()
    assert found["recall"].between(0, 1).all()
    assert (found["seconds"] >= found["build"]).all()
    sets = ["method", "growth", "number", "repeat", "radius"]
    exact = found[found["contender"].isin(EXACT)]
    assert (exact.groupby(sets)["pairs"].nunique() == 1).all()


def test_recall_is_missing_without_an_exact_contender(some, labels):
    only = {"FAISS IVF": growth.CONTENDERS["FAISS IVF"]}
    found = growth.measure({"find": some}, labels, [200], {"find": [45]}, 3, contenders=only)
    assert set(found["contender"]) == {"FAISS IVF"}
    assert found["recall"].isna().all()


# Exponents


def test_exponents_are_those_of_power_laws():
    numbers = [10_000, 100_000, 1_000_000]
    bent = curve("pruned", numbers, [1.0, 10.0, 1000.0])
    straight = curve("exhaustive", numbers, [2e-9 * n**1.5 for n in numbers])
    found = growth.exponents(pd.concat([straight, bent])).set_index(["contender", "span"])
    for span in ("all", "last decade"):
        assert found["exponent"]["exhaustive", span] == pytest.approx(1.5)
    assert found["exponent"]["pruned", "all"] == pytest.approx(1.5)
    assert found["exponent"]["pruned", "last decade"] == pytest.approx(2)
    assert found["least"]["pruned", "last decade"] == 100_000
    assert found["sets"]["pruned", "last decade"] == 2
    assert np.isnan(found["low"]["pruned", "last decade"])
    assert found["low"]["pruned", "all"] < 1.5 < found["high"]["pruned", "all"]


def test_repeats_widen_the_interval_of_an_exponent():
    numbers = [1000, 1000, 2000, 2000, 4000, 4000]
    exact = [n**1.2 for n in numbers]
    noisy = [value * (1.1 if k % 2 else 1 / 1.1) for k, value in enumerate(exact)]
    rows = [curve("exhaustive", numbers, exact), curve("pruned", numbers, noisy)]
    found = growth.exponents(pd.concat(rows)).query("span == 'all'").set_index("contender")
    assert found["exponent"].tolist() == pytest.approx([1.2, 1.2])
    width = found["high"] - found["low"]
    assert width["exhaustive"] < 1e-6 < width["pruned"]


def test_the_exponent_of_a_single_size_is_missing():
    found = growth.exponents(curve("pruned", [1000, 1000], [1.0, 1.1]))
    assert found["exponent"].isna().all()
