"""Larger sets made from copies of measured hashes."""

import numpy as np
import pytest

from finhash.study.data import simulated


def distances(hashes):
    return np.bitwise_count(hashes[:, None] ^ hashes[None]).sum(axis=-1)


def test_distances_within_a_copy_are_the_measured_ones(hashes):
    some = hashes[:50]
    many = simulated.hashes(some, 120, seed=3)
    assert many.shape == (120, 32)
    np.testing.assert_array_equal(many[:50], some)
    np.testing.assert_array_equal(distances(many[50:100]), distances(some))
    np.testing.assert_array_equal(distances(many[100:]), distances(some[:20]))


def test_copies_are_as_far_apart_as_random_hashes(hashes):
    many = simulated.hashes(hashes[:50], 100, seed=3)
    between = np.bitwise_count(many[:50, None] ^ many[None, 50:]).sum(axis=-1)
    # 256 random bits differ in 128 +- 8 positions; seven standard deviations are allowed.
    assert between.min() > 72
    assert between.max() < 184


def test_copies_share_no_family():
    labels = simulated.families(np.array([4, 9, 9]), 8)
    assert labels.tolist() == [0, 1, 1, 2, 3, 3, 4, 5]


def test_harder_sets_hold_eight_noisy_copies_of_each_hash(hashes):
    some = np.unique(hashes, axis=0)[:40]
    made = simulated.harder(some, seed=3)
    np.testing.assert_array_equal(made, simulated.harder(some, seed=3))
    far = np.bitwise_count(made[:, None] ^ made[None]).sum(axis=-1)
    to_some = np.bitwise_count(made[:, None] ^ some[None]).sum(axis=-1)
    assert made.shape == (320, 32)
    assert far[np.triu_indices(320, 1)].min() > 0
    assert to_some.min(axis=1).mean() == pytest.approx(0.05 * 256, rel=0.1)


def test_families_of_eight_are_near_and_far_from_each_other():
    made = simulated.families_of_eight(160, seed=3)
    far = np.bitwise_count(made[:, None] ^ made[None]).sum(axis=-1)
    assert made.shape == (160, 32)
    assert ((far < 80).sum(axis=1) == 8).all()
    near = far[(far < 80) & (far > 0)]
    assert near.mean() == pytest.approx(2 * 0.1 * 0.9 * 256, rel=0.1)
