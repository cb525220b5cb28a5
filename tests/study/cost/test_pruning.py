"""Work of joins is counted against brute force, and shares refer to all pairs."""

import numpy as np
import pytest

from finhash import hamming
from finhash.hamming import pruned
from finhash.study.cost import pruning


def distances(some, others):
    return np.bitwise_count(some[:, None] ^ others[None]).sum(axis=-1).astype(int)


@pytest.mark.parametrize("radius", [0, 20, 45, 256])
def test_work_of_own_centres_is_that_of_brute_force(hashes, radius):
    some, families = hashes[:90], np.arange(90) % 7  # families of 13 and 12
    centres = np.array([pruning.majority(some[families == k]) for k in range(7)])
    far = distances(some, centres)
    compared = found = 0
    for i in range(90):
        for j in range(i):
            own, other = sorted((i, j), key=lambda row: families[row])
            centre = families[own]
            compared += abs(far[own, centre] - far[other, centre]) <= radius
    expected = sum((families >= k).sum() for k in range(7))
    assert pruning.own_centres(some, families, radius) == (expected, compared)
    found = len(hamming.join(some, radius=radius)[0])
    assert compared >= found


def test_shares_of_a_set_that_is_not_pruned(hashes):
    table = pruning.work(hashes, np.arange(600) % 20, [30]).set_index("centres")
    assert table["rounds"].tolist() == [0, 1]
    assert table["number"].tolist() == [0, 20]
    assert table["left"]["of the join"] == table["evaluated"]["of the join"] == 1
    assert 0.04 < table["evaluated"]["of the families"] < 0.1
    assert 0 < table["distances"]["of the families"] < 2 * 20 / 599


@pytest.mark.slow  # compiles the pruned join
def test_shares_of_a_pruned_set(hashes, monkeypatch):
    monkeypatch.setattr(pruned, "FEWEST", 1000)
    rng = np.random.default_rng(2)
    centres = rng.integers(0, 256, (200, 32), dtype=np.uint8)
    families = rng.integers(0, 200, 8000)
    many = centres[families] ^ np.packbits(rng.random((8000, 256)) < 0.05, axis=1)
    table = pruning.work(many, families, [40]).set_index("centres")
    assert table["rounds"]["of the join"] >= 1
    assert 0 < table["evaluated"]["of the join"] < 0.3
    assert 0 < table["distances"]["of the join"] < 1


def test_distances_about_one_centre_count_every_hash(hashes):
    families = np.repeat(np.arange(3), [100, 200, 300])
    table = pruning.about_one_centre(hashes, families, 60)
    assert table["distance"].tolist() == list(range(257))
    assert (table["members"].sum(), table["others"].sum()) == (200, 400)
    assert table["radius"].unique().tolist() == [60]
    at = np.repeat(table["distance"], table["members"])
    assert table["member"].unique().tolist() == [int(np.median(at))]


def test_the_member_lies_within_the_spread_of_the_join(hashes, monkeypatch):
    families = np.repeat(np.arange(3), [100, 200, 300])  # each mixes 20 real ones, so is wide
    families[np.arange(600) % 20 == 0] = 3  # of one real family, so it is narrow
    monkeypatch.setattr(pruning, "_work_of_join", lambda *_: pruned.Work(rounds=[(600, 9, 40)]))
    table = pruning.about_one_centre(hashes, families, 60)
    assert table["members"].sum() == 30
    assert table["member"].iloc[0] <= 40
