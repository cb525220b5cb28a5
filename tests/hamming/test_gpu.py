"""The GPU kernels, run by Numba's simulator, give the results of the CPU kernels."""

import numpy as np
import pytest

from finhash import hamming
from tests.hamming.test_scan import random_hashes, random_labels

gpu = pytest.importorskip("finhash.hamming.gpu", exc_type=ImportError)

RADIUS = 40


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Give a few hashes several launches, blocks and tiles; simulated threads are slow."""
    for name, value in {"THREADS": 2, "TILE": 2, "BLOCK_COLUMNS": 8, "LAUNCH_ROWS": 16}.items():
        monkeypatch.setattr(gpu, name, value)


def assert_same(found, expected):
    for got, wanted in zip(found, expected, strict=True):
        assert got.dtype == wanted.dtype
        np.testing.assert_array_equal(got, wanted)


def concatenated(blocks):
    return map(np.concatenate, zip(*blocks, strict=True))


@pytest.mark.parametrize("n", [1, 2, 8, 9, 21])
def test_join_with_itself(n):
    hashes = random_hashes(n, 32)
    assert_same(gpu.join(hashes, radius=RADIUS), hamming.join(hashes, radius=RADIUS))


@pytest.mark.parametrize(("m", "n"), [(1, 19), (19, 1), (11, 17), (0, 3), (3, 0)])
def test_join_with_others(m, n):
    hashes = random_hashes(m + n, 32)
    a, b = hashes[:m], hashes[m:]
    assert_same(gpu.join(a, b, radius=RADIUS), hamming.join(a, b, radius=RADIUS))


def test_every_bit_counts_once():
    """Compare with hashes that have more and more one bits, twelve at a time."""
    ones = np.packbits(np.tri(257, 256, -1, bool), axis=1)[::12]
    assert_same(gpu.join(ones[:1], ones, radius=256), hamming.join(ones[:1], ones, radius=256))


def test_blocks_with_too_many_pairs_are_halved():
    hashes = random_hashes(12, 32)
    blocks = list(gpu.join_blocks(hashes, radius=256, rows=9, capacity=12))
    assert max(len(i) for i, _, _ in blocks) <= 12
    assert_same(concatenated(blocks), hamming.join(hashes, radius=256))


def test_histogram():
    hashes, labels = random_hashes(21, 32), random_labels(21)
    assert_same(gpu.pair_histogram(hashes, labels), hamming.pair_histogram(hashes, labels))


def test_wrong_lengths_radii_and_rows_are_refused():
    with pytest.raises(ValueError, match="hashes have 64 bits; the GPU compares hashes of 256"):
        gpu.join(random_hashes(3, 8), radius=3)
    with pytest.raises(ValueError, match="radius is 257; it must be between 0 and the hashes' 256"):
        gpu.join(random_hashes(3, 32), radius=257)
    with pytest.raises(ValueError, match="rows is 0; a block needs at least 1 row"):
        next(gpu.join_blocks(random_hashes(3, 32), radius=3, rows=0))
