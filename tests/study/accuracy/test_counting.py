"""Simulated sets are what they are said to be."""

import numpy as np
import pytest

from finhash.study.accuracy import counting
from finhash.study.data import simulated


def test_copies_keep_the_distances_within(hashes):
    many = simulated.hashes(hashes, 1500, seed=2)
    assert many.shape == (1500, 32)
    assert (many[:600] == hashes).all()
    own = np.bitwise_count(hashes[3] ^ hashes[500]).sum()
    assert np.bitwise_count(many[603] ^ many[1100]).sum() == own
    across = np.bitwise_count(many[:600] ^ many[600:1200]).sum(axis=1)
    assert len(np.unique(across)) == 1
    assert 90 < across[0] < 166


def test_the_check_of_a_simulation(hashes):
    families = np.arange(600) % 20
    found = counting.check(hashes, families, 3, 100, seed=1, workers=1)
    found = found.set_index("copies")
    assert found["same_mean"][3] == pytest.approx(found["same_mean"][1])
    assert found["recall"][3] == pytest.approx(found["recall"][1])
    labels = simulated.families(families, 1500)
    assert len(np.unique(labels)) == 60
    assert (labels[:600] == families).all()
