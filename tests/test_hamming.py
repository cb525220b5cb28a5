"""The pair kernels against brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finhash import cluster, hamming


def random_hashes(n: int, width: int, seed: int = 0) -> np.ndarray:
    """Correlated hashes: a few centres and flipped bits, duplicates among them."""
    rng = np.random.default_rng(seed)
    centres = rng.integers(0, 256, (max(1, n // 8), width), dtype=np.uint8)
    flips = np.packbits(rng.random((n, width * 8)) < 0.05, axis=1)
    hashes = centres[rng.integers(0, len(centres), n)] ^ flips
    hashes[n // 2 :: 7] = hashes[:1]
    return hashes


def brute_force(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.bitwise_count(a[:, None] ^ b[None]).sum(axis=2, dtype=int)


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 300),
    width=st.sampled_from([8, 16, 32, 64]),
    radius=st.integers(0, 64),
    seed=st.integers(0, 5),
)
def test_join_and_histogram_against_brute_force(n, width, radius, seed):
    hashes = random_hashes(n, width, seed)
    families = np.random.default_rng(seed).integers(-3, 4, n)
    distances = brute_force(hashes, hashes)
    i, j = np.triu_indices(n, 1)
    near = distances[i, j] <= radius
    got = hamming.join(hashes, radius=radius, workers=2)
    np.testing.assert_array_equal(got, [i[near], j[near], distances[i, j][near]])
    same, other = hamming.pair_histogram(hashes, families, workers=2)
    is_same = families[i] == families[j]
    bins = 8 * width + 1
    np.testing.assert_array_equal(same, np.bincount(distances[i, j][is_same], minlength=bins))
    np.testing.assert_array_equal(other, np.bincount(distances[i, j][~is_same], minlength=bins))


@pytest.mark.parametrize("sizes", [(5, 9), (1, 1), (300, 2), (0, 4), (4, 0)])
def test_two_sided_join(sizes):
    a, b = random_hashes(max(1, sizes[0]), 32)[: sizes[0]], random_hashes(max(1, sizes[1]), 32, 1)
    b = b[: sizes[1]]
    distances = brute_force(a, b) if a.size and b.size else np.zeros(sizes, int)
    i, j = np.nonzero(distances <= 125)
    got = hamming.join(a, b, radius=125)
    np.testing.assert_array_equal(got, [i, j, distances[i, j]])


@pytest.mark.parametrize("n", [1023, 1025, 2300])
def test_tiles_and_rows_meet_without_gaps(n):
    hashes = np.zeros((n, 32), np.uint8)
    i, _, distance = hamming.join(hashes, radius=0)
    assert len(i) == n * (n - 1) // 2
    assert not distance.any()
    same, other = hamming.pair_histogram(hashes, np.arange(n) // 2)
    assert same[0] == n // 2
    assert same.sum() + other.sum() == n * (n - 1) // 2


def test_the_radius_is_inclusive():
    hashes = np.zeros((2, 32), np.uint8)
    hashes[1, :4] = 0xFF
    assert len(hamming.join(hashes, radius=31)[0]) == 0
    assert len(hamming.join(hashes, radius=32)[0]) == 1


@pytest.mark.parametrize(
    "hashes",
    [
        np.zeros((3, 7), np.uint8),
        np.zeros((3, 0), np.uint8),
        np.zeros(32, np.uint8),
        np.zeros((3, 32), np.int64),
    ],
)
def test_wrong_shapes(hashes):
    with pytest.raises(ValueError, match="multiple of 64"):
        hamming.join(hashes, radius=3)


def test_wrong_widths_radii_and_labels():
    a, b = np.zeros((3, 32), np.uint8), np.zeros((3, 8), np.uint8)
    with pytest.raises(ValueError, match="do not compare"):
        hamming.join(a, b, radius=3)
    for radius in (-1, 257):
        with pytest.raises(ValueError, match="radius"):
            hamming.join(a, radius=radius)
    with pytest.raises(ValueError, match="family labels"):
        hamming.pair_histogram(a, np.zeros(2))


def test_components_link_through_chains():
    hashes = np.zeros((5, 32), np.uint8)
    for k in range(3):
        hashes[k, :k] = 0xFF  # 0, 8 and 16 bits: neighbours are 8 apart
    hashes[3:, 16:] = 0xFF
    labels = cluster.families(hashes, 8)
    assert labels[0] == labels[1] == labels[2]
    assert labels[3] == labels[4] != labels[0]
    assert len(set(cluster.families(hashes, 7))) == 4
    with pytest.raises(ValueError, match="components"):
        cluster.families(hashes, 8, method="magic")
