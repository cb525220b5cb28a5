"""Leave-one-out scores against ranking by hand."""

import itertools

import numpy as np
import pytest

from finhash.study.accuracy import retrieval


@pytest.fixture(scope="module")
def made() -> tuple[np.ndarray, np.ndarray]:
    """Hashes of a few bits, so that many distances tie; one family has a single picture."""
    rng = np.random.default_rng(4)
    hashes = np.zeros((23, 8), np.uint8)
    hashes[:, 0] = rng.integers(0, 16, 23)
    return hashes, np.append(rng.integers(0, 4, 22), 9)


def by_hand(hashes, families, query, orders):
    """Scores of the query's ranking, meant over ``orders``: keys that order the tied."""
    apart = np.bitwise_count(hashes ^ hashes[query]).sum(axis=1).astype(int)
    others = np.delete(np.arange(len(hashes)), query)
    right = families == families[query]
    found = []
    for order in orders:
        ranked = right[sorted(others, key=lambda k: (apart[k], order[k]))]
        wanted = ranked.sum()
        precision = np.cumsum(ranked) / np.arange(1, len(ranked) + 1)
        found.append((ranked[0], ranked[:wanted].mean(), precision[ranked].mean()))
    return np.mean(found, axis=0)


def test_scores_are_those_of_the_ranking(made):
    hashes, families = made
    scores = retrieval.leave_one_out(hashes, families)
    asked = np.flatnonzero(families != 9)
    assert scores["family"].tolist() == families[asked].tolist()
    rng = np.random.default_rng(5)
    orders = [rng.random(len(families)) for _ in range(3000)]
    for row, query in itertools.islice(enumerate(asked), 6):
        worst = by_hand(hashes, families, query, [families == families[query]])
        expected = by_hand(hashes, families, query, orders)
        columns = [f"{score}_worst" for score in retrieval.SCORES]
        assert scores.loc[row, columns].tolist() == pytest.approx(worst)
        columns = [f"{score}_expected" for score in retrieval.SCORES]
        assert scores.loc[row, columns].tolist() == pytest.approx(expected, abs=0.03)


def test_nearest_and_open_set(made):
    hashes, families = made
    scores = retrieval.leave_one_out(hashes, families)
    apart = np.bitwise_count(hashes[:, None] ^ hashes[None]).sum(axis=2).astype(int)
    np.fill_diagonal(apart, 99)
    right = families[:, None] == families
    same, other = np.where(right, apart, 99).min(axis=1), np.where(right, 99, apart).min(axis=1)
    asked = families != 9
    assert scores["nearest_same"].tolist() == same[asked].tolist()
    assert scores["nearest_other"].tolist() == other[asked].tolist()
    found = retrieval.open_set({"find": scores}, {"find": 1}).iloc[0]
    same, other = same[asked], other[asked]
    assert found["false_accepts"] == (other <= 1).mean()
    assert found["identified"] == ((same <= 1) & (same < other)).mean()
    assert found["mistaken"] == ((other <= 1) & (other <= same)).mean()


def test_one_family_has_no_others():
    scores = retrieval.leave_one_out(np.zeros((3, 8), np.uint8), np.zeros(3, int))
    assert scores["nearest_other"].tolist() == [65] * 3
    assert (scores["ap_worst"] == 1).all()


def test_means_by_picture_and_by_family(made):
    scores = retrieval.leave_one_out(*made)
    row = retrieval.summary({"find": scores}).set_index(["score", "ties"]).loc[("p1", "expected")]
    assert row["images"] == scores["p1_expected"].mean()
    assert row["families"] == scores.groupby("family")["p1_expected"].mean().mean()


def test_of_equal_hashes_the_first_of_each_family_stays():
    hashes = np.array([[1], [1], [2], [1], [1]], np.uint8).repeat(8, axis=1)
    kept = retrieval.first_of_each(hashes, np.array([300, 300, 300, 44, 300]))
    assert kept.tolist() == [0, 2, 3]
