"""Exact searches and joins of other libraries find the pairs of ``hamming.join``."""

import numpy as np
import pytest

from finhash import hamming
from finhash.study.cost import peers

EXACT = [
    "finhash gallery",
    "finhash gallery, not grouped",
    "NumPy scan",
    "FAISS flat",
    "NumKong distances",
    "USearch exact, 1,000 nearest",
    "PDQ's index (FAISS multi-index, exact)",
    "BK-tree",
]


@pytest.fixture(scope="module")
def many() -> np.ndarray:
    """2,000 hashes of 256 bits in 100 families, which lie scattered."""
    rng = np.random.default_rng(2)
    centres = rng.integers(0, 256, (100, 32), dtype=np.uint8)
    noise = np.packbits(rng.random((2000, 256)) < 0.08, axis=1)
    return centres[rng.integers(0, 100, 2000)] ^ noise


def pairs_of(rows: tuple[np.ndarray, np.ndarray]) -> list[tuple[int, int]]:
    """Return the pairs in order, repeats included."""
    return sorted(zip(rows[0].tolist(), rows[1].tolist(), strict=True))


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("radius", [15, 45])
def test_exact_contenders_find_exactly_the_pairs(many, radius, workers):
    queries = many[:150]
    expected = pairs_of(hamming.join(queries, many, radius=radius)[:2])
    assert len(expected) > len(queries) or radius < 20
    for name in EXACT:
        find, _ = peers.CONTENDERS[name].build(many, radius, workers)
        assert pairs_of(find(queries)) == expected, name


@pytest.mark.parametrize("workers", [1, 2])
def test_joins_find_exactly_the_pairs(many, workers):
    expected = pairs_of(hamming.join(many, radius=45)[:2])
    assert len(expected) > len(many)
    for join in (peers.finhash_join, peers.exhaustive_join):
        assert pairs_of(join(many, 45, workers)) == expected


def test_tiles_of_numkong_find_exactly_the_pairs(many, monkeypatch):
    monkeypatch.setattr(peers, "TILE", (10, 70))
    find, _ = peers.numkong_scan(many, 45, 2)
    assert pairs_of(find(many[:90])) == pairs_of(hamming.join(many[:90], many, radius=45)[:2])


def test_no_contender_reports_a_pair_beyond_the_radius(hashes):
    far = np.bitwise_not(hashes[:10])
    for name, contender in peers.CONTENDERS.items():
        find, _ = contender.build(hashes, 30, 1)
        assert len(find(far)[0]) == 0, name


def test_comparison_has_one_and_two_threads_where_possible(hashes):
    found = peers.compare(hashes, hashes[:30], 45, singles=3, repeats=1, workers=(1, 2))
    numbers = found.groupby("contender", sort=False)["workers"].agg(list).to_dict()
    alone = ["NumPy scan", "BK-tree"]
    assert numbers == {name: [1] if name in alone else [1, 2] for name in peers.CONTENDERS}
    found = found.set_index("contender")
    assert (found.loc[EXACT, "recall"] == 1).all()
    assert found["recall"].between(0, 1).all()
    assert (found["throughput"] > 0).all()
    assert (found.loc["finhash gallery", "bytes"] >= 2 * hashes.nbytes).all()


def test_too_few_nearest_neighbours_lower_the_recall(hashes):
    few = {"USearch": peers.Contender(peers.usearch_scan(5))}
    found = peers.compare(hashes, hashes[:30], 60, singles=1, contenders=few, workers=[1])
    wanted = len(hamming.join(hashes[:30], hashes, radius=60)[0])
    assert found["recall"].tolist() == [pytest.approx(30 * 5 / wanted)]
