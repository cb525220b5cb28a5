"""Scans give the results of brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finhash import hamming
from finhash.hamming import exhaustive, words
from finhash.hamming.kernels import counting, distances

BY_WIDTH = [
    pytest.param(width, marks=() if width == 32 else pytest.mark.slow)
    for width in (8, 16, 24, 32, 64)
]
"""Bytes per hash. Each length compiles kernels of its own, which is slow."""

EDGES = [1, 2, 3, 4, 5, 127, 128, 129, 255, 256, 257, 511, 512, 513, 1023, 1024, 1025, 1537]
"""Numbers of hashes near multiples of a group, strip, task and tile."""


def random_hashes(n: int, width: int, seed: int = 0) -> np.ndarray:
    """Return hashes near a few centres, with duplicates."""
    rng = np.random.default_rng(seed)
    centres = rng.integers(0, 256, (max(1, n // 8), width), dtype=np.uint8)
    flips = np.packbits(rng.random((n, width * 8)) < 0.05, axis=1)
    hashes = centres[rng.integers(0, len(centres), n)] ^ flips
    hashes[n // 2 :: 7] = hashes[:1]
    return hashes


def random_labels(n: int, seed: int = 0) -> np.ndarray:
    """Return labels of families of several sizes, in random order."""
    return np.random.default_rng(seed).geometric(0.2, n) - 3


def brute_force(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = a.view(np.uint64), b.view(np.uint64)
    return np.bitwise_count(a[:, None] ^ b[None]).sum(axis=2, dtype=int)


def assert_pairs(got, distances, wanted):
    i, j = np.nonzero(wanted)
    np.testing.assert_array_equal(got, [i, j, distances[i, j]])
    assert [column.dtype for column in got] == [np.int32, np.int32, np.uint16]


def assert_histograms(blocks, distances, same, counted, bins):
    """Compare with ``distances``; ``same`` pairs share a label, ``counted`` ones are counted."""
    end = 0
    for start, stop, *got in blocks:
        assert start == end
        end = stop
        for histograms, wanted in zip(got, (same & counted, ~same & counted), strict=True):
            assert histograms.dtype == np.int32
            rows = zip(distances[start:stop], wanted[start:stop], strict=True)
            expected = [np.bincount(row[kept], minlength=bins) for row, kept in rows]
            np.testing.assert_array_equal(histograms, np.reshape(expected, (-1, bins)))
    assert end == len(distances)


def check_joins(a, b, radius, workers=1):
    within, across = brute_force(a, a), brute_force(a, b)
    later = np.triu(np.ones(within.shape, bool), 1)
    got = hamming.join(a, radius=radius, workers=workers)
    assert_pairs(got, within, later & (within <= radius))
    assert_pairs(hamming.join(a, b, radius=radius, workers=workers), across, across <= radius)
    return within, across, later


def check_all(a, b, radius, k, workers):
    within, across, later = check_joins(a, b, radius, workers)
    labels, owners, bins = random_labels(len(a)), random_labels(len(b), 1), 8 * a.shape[1] + 1
    same = labels[:, None] == labels
    got = hamming.pair_histogram(a, labels, workers=workers)
    for histogram, wanted in zip(got, (same, ~same), strict=True):
        expected = np.bincount(within[wanted & later], minlength=bins)
        np.testing.assert_array_equal(histogram, expected)
        assert histogram.dtype == np.int64
    blocks = hamming.query_histograms(a, labels, workers=workers)
    assert_histograms(blocks, within, same, ~np.eye(len(a), dtype=bool), bins)
    blocks = hamming.query_histograms(a, labels, b, owners, workers=workers, rows=50)
    assert_histograms(blocks, across, labels[:, None] == owners, True, bins)

    index, distance = hamming.nearest(a, b, k, workers=workers)
    expected = np.argsort(across, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(index, expected)
    np.testing.assert_array_equal(distance, np.take_along_axis(across, expected, axis=1))
    assert (index.dtype, distance.dtype) == (np.int32, np.uint16)


@pytest.mark.parametrize("width", BY_WIDTH)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_small_sets(width, data):
    sizes = data.draw(st.integers(0, 300)), data.draw(st.integers(1, 300))
    a, b = (random_hashes(n, width, data.draw(st.integers(0, 5))) for n in sizes)
    radius, k = data.draw(st.integers(0, 8 * width)), data.draw(st.integers(1, min(20, len(b))))
    check_all(a, b, radius, k, workers=data.draw(st.sampled_from([1, 2])))


@pytest.mark.parametrize("n, m", list(zip(EDGES, EDGES[::-1], strict=True)))
def test_groups_strips_tiles_and_tasks_meet_without_gaps(n, m):
    a, b = random_hashes(n, 32), random_hashes(m, 32, 1)
    check_all(a, b, radius=40, k=1, workers=2)


@pytest.mark.parametrize("width", [*BY_WIDTH, pytest.param(128, marks=pytest.mark.slow)])
def test_all_within_the_full_radius(width):
    a, b = random_hashes(40, width), random_hashes(30, width, 1)
    check_all(a, b, radius=8 * width, k=30, workers=1)


@pytest.mark.parametrize("sizes", [[1], [2, 1, 3], [4, 8], [5, 3, 600], [1000]])
@pytest.mark.parametrize("lo, hi", [(0, 7), (3, 8), (500, 503), (0, 40), (990, 1000)])
def test_histograms_of_any_block_and_families_of_any_size(sizes, lo, hi):
    hashes, owners = random_hashes(1000, 32), np.repeat(range(1000), np.resize(sizes, 1000))[:1000]
    laid_out, ends = words.by_family(words.as_words(hashes), owners)
    got = counting.histogram_rows(laid_out, ends, distances.word_groups(4), lo, hi)
    later = np.arange(lo, hi)[:, None] < np.arange(1000)
    same, apart = owners[lo:hi, None] == owners, brute_force(hashes[lo:hi], hashes)
    for histogram, wanted in zip(got, (same & later, ~same & later), strict=True):
        np.testing.assert_array_equal(histogram, np.bincount(apart[wanted], minlength=257))


def test_duplicates_only():
    hashes = np.zeros((700, 32), np.uint8)
    check_all(hashes, hashes[:300], radius=0, k=300, workers=2)


@pytest.mark.parametrize("width", BY_WIDTH)
def test_the_radius_is_inclusive_at_every_radius(width):
    rng = np.random.default_rng(0)
    far = random_hashes(1, width)
    for radius in range(8 * width + 1):
        flips = np.zeros(8 * width, bool)
        flips[rng.permutation(8 * width)[:radius]] = True
        near = far ^ np.packbits(flips)
        assert hamming.join(near, far, radius=radius)[2].tolist() == [radius]
        assert radius == 0 or len(hamming.join(near, far, radius=radius - 1)[2]) == 0


@pytest.mark.parametrize("limit", [1, 700, 10**6])
def test_blocks_together_are_the_join(limit):
    hashes = random_hashes(100, 16)
    blocks = list(hamming.join_blocks(hashes, radius=20, workers=2, limit=limit))
    assert all(len(i) <= max(limit, 100) for i, _, _ in blocks)
    pieces = np.stack([np.concatenate(column) for column in zip(*blocks, strict=True)])
    pieces = pieces[:, np.lexsort(pieces[1::-1])]
    np.testing.assert_array_equal(pieces, hamming.join(hashes, radius=20))


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("module, kernel", [(exhaustive, "join_rows"), (counting, "query_rows")])
def test_few_blocks_are_computed_ahead_of_the_consumer(module, kernel, workers, monkeypatch):
    hashes, calls, compiled = random_hashes(100, 8), [], getattr(module, kernel)

    def counted(*arguments):
        calls.append(arguments)
        return compiled(*arguments)

    monkeypatch.setattr(module, kernel, counted)
    if kernel == "join_rows":
        blocks = hamming.join_blocks(hashes, radius=3, workers=workers, limit=1)
    else:
        blocks = hamming.query_histograms(hashes, np.zeros(100), workers=workers, rows=1)
    assert not calls
    for _ in range(5):
        next(blocks)
    blocks.close()  # waits for the running tasks
    assert 5 <= len(calls) <= 5 + 2 * workers


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
    labels = np.zeros(len(hashes))
    for call in (
        lambda: hamming.join(hashes, radius=3),
        lambda: hamming.join_blocks(hashes, radius=3),
        lambda: hamming.nearest(hashes, hashes, 1),
        lambda: hamming.pair_histogram(hashes, labels),
        lambda: hamming.query_histograms(hashes, labels),
    ):
        with pytest.raises(ValueError, match="multiple of 64"):
            call()


def test_wrong_widths_radii_numbers_and_labels():
    a, b, labels = np.zeros((3, 32), np.uint8), np.zeros((3, 8), np.uint8), np.zeros(3)
    for call in (
        lambda: hamming.join(a, b, radius=3),
        lambda: hamming.nearest(a, b, 1),
        lambda: hamming.query_histograms(a, labels, b, labels),
    ):
        with pytest.raises(ValueError, match="differ in length"):
            call()
    for radius in (-1, 257):
        with pytest.raises(ValueError, match="must be between 0 and the hashes' 256 bits"):
            hamming.join_blocks(a, radius=radius)
    for k in (0, 4):
        with pytest.raises(ValueError, match="must be between 1 and the gallery's 3 hashes"):
            hamming.nearest(a, a, k)
    for call in (
        lambda: hamming.pair_histogram(a, labels[:2]),
        lambda: hamming.query_histograms(a, labels[:2]),
        lambda: hamming.query_histograms(a, labels, a, labels[:2]),
        lambda: hamming.query_histograms(a, labels, a),
    ):
        with pytest.raises(ValueError, match=r"one label per hash, shape \(3,\)"):
            call()
    for rows in (0, -1):
        with pytest.raises(ValueError, match="a block needs at least 1 pair"):
            hamming.join_blocks(a, radius=3, limit=rows)
        with pytest.raises(ValueError, match="a block needs at least 1 row"):
            hamming.query_histograms(a, labels, rows=rows)
