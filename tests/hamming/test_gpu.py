"""The GPU's pair kernels, simulated, find what the CPU's find."""

import numpy as np
import pytest

from finhash import hamming
from tests.hamming.test_scan import random_hashes, random_labels

cuda = pytest.importorskip("finhash.hamming.gpu", exc_type=ImportError)

RADIUS = 40


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Several blocks, tiles and chunks for a few hashes; a simulated thread is one of Python's."""
    for name, value in {"THREADS": 2, "TILE": 2, "CHUNK": 8, "STRIP": 16}.items():
        monkeypatch.setattr(cuda, name, value)


def assert_same(found, expected):
    for got, wanted in zip(found, expected, strict=True):
        assert got.dtype == wanted.dtype
        np.testing.assert_array_equal(got, wanted)


def concatenated(blocks):
    return map(np.concatenate, zip(*blocks, strict=True))


@pytest.mark.parametrize("n", [1, 2, 8, 9, 21])
def test_join_with_itself(n):
    hashes = random_hashes(n, 32)
    assert_same(cuda.join(hashes, radius=RADIUS), hamming.join(hashes, radius=RADIUS))


@pytest.mark.parametrize(("m", "n"), [(1, 19), (19, 1), (11, 17), (0, 3), (3, 0)])
def test_join_with_others(m, n):
    hashes = random_hashes(m + n, 32)
    a, b = hashes[:m], hashes[m:]
    assert_same(cuda.join(a, b, radius=RADIUS), hamming.join(a, b, radius=RADIUS))


def test_every_distance_is_counted_right():
    """All 256 bits flipped one by one, so that each word's each bit counts once."""
    ones = np.packbits(np.tri(257, 256, -1, bool), axis=1)[::12]
    assert_same(cuda.join(ones[:1], ones, radius=256), hamming.join(ones[:1], ones, radius=256))


def test_more_pairs_than_fit_are_found_in_halves():
    hashes = random_hashes(12, 32)
    blocks = list(cuda.join_blocks(hashes, radius=256, rows=9, capacity=12))
    assert max(len(i) for i, _, _ in blocks) <= 12
    assert_same(concatenated(blocks), hamming.join(hashes, radius=256))


def test_histogram():
    hashes, labels = random_hashes(21, 32), random_labels(21)
    assert_same(cuda.pair_histogram(hashes, labels), hamming.pair_histogram(hashes, labels))


def test_what_cannot_be_joined_is_refused():
    with pytest.raises(ValueError, match="256 bits are joined on a GPU, not of 64"):
        cuda.join(random_hashes(3, 8), radius=3)
    with pytest.raises(ValueError, match="radius must be between 0 and 256"):
        cuda.join(random_hashes(3, 32), radius=257)
    with pytest.raises(ValueError, match="rows must be at least 1"):
        next(cuda.join_blocks(random_hashes(3, 32), radius=3, rows=0))
