"""Ways of clustering, against their definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finhash import cluster
from finhash.hamming import join


def line(*places: int) -> np.ndarray:
    """Hashes of 64 bits whose distances are those of places on a line."""
    bits = np.arange(64) < np.array(places)[:, None]
    return np.packbits(bits, axis=1)


def test_components_chain_and_spheres_do_not():
    hashes = line(0, 5, 10, 15, 20, 50)
    assert cluster.families(hashes, 5).tolist() == [0, 0, 0, 0, 0, 1]
    # Places 5, 10 and 15 have two neighbours each; the first of them is a centre.
    assert cluster.families(hashes, 5, "spheres").tolist() == [0, 0, 0, 1, 1, 2]


@given(st.lists(st.integers(0, 64), min_size=1, max_size=40), st.integers(0, 20))
@settings(deadline=None)
def test_spheres_are_as_defined(places, radius):
    hashes = line(*places)
    labels = cluster.families(hashes, radius, "spheres")
    apart = np.abs(np.subtract.outer(places, places))
    near = apart <= radius
    expected = np.full(len(places), -1)
    for centre in sorted(range(len(places)), key=lambda k: (-near[k].sum(), k)):
        if expected[centre] < 0:
            expected[near[centre] & (expected < 0)] = expected.max() + 1
    assert labels.tolist() == expected.tolist()
    same = labels[:, None] == labels
    assert apart[same].max() <= 2 * radius


def test_equal_hashes_and_none():
    assert cluster.families(line(3, 3, 3), 0, "spheres").tolist() == [0, 0, 0]
    for method in cluster.METHODS:
        assert cluster.families(np.empty((0, 8), np.uint8), 5, method).tolist() == []
        assert cluster.families(line(7), 5, method).tolist() == [0]


def test_neighbours_are_symmetric_and_keep_their_distances():
    hashes = line(0, 2, 9)
    i, j, distance = join(hashes, radius=8)
    graph = cluster.neighbours(3, i, j, distance).toarray()
    assert graph.tolist() == [[0, 2, 0], [2, 0, 7], [0, 7, 0]]


def test_unknown_method_names_the_known():
    with pytest.raises(ValueError, match="components, spheres"):
        cluster.families(line(1), 5, "magic")
