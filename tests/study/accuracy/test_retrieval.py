"""Leave-one-out retrieval, against rankings worked by hand and sorted one by one."""

import numpy as np
import pandas as pd
import pytest

from finhash.study.accuracy import retrieval
from tests.accuracy.conftest import on_a_line

# On a line: family A at 0 and 2, B at 4 and 9, C at 12. The rankings, with distances:
#   A at 0:  A 2   B 4   B 9   C 12     P@1 1       AP 1
#   A at 2:  A 2 and B 2 tie; B 7 ...   P@1 1 or 0  AP 1 or 1 / 2
#   B at 4:  A 2   A 4   B 5   C 8      P@1 0       AP 1 / 3
#   B at 9:  C 3   B 5   A 7   A 9      P@1 0       AP 1 / 2
#   C has no other image of its family, so it is not a query.
LINE = on_a_line([0, 2, 4, 9, 12])
FAMILIES = np.array([1, 1, 2, 2, 3])


def test_precision_at_one_and_map_by_hand():
    scores = retrieval.leave_one_out(LINE, FAMILIES)
    assert scores["family"].tolist() == [1, 1, 2, 2]
    found = retrieval.summary({"find": scores}).set_index(["score", "ties"])["images"]
    assert found["p1", "expected"] == pytest.approx((1 + 1 / 2 + 0 + 0) / 4)
    assert found["p1", "worst"] == pytest.approx(1 / 4)
    assert found["ap", "expected"] == pytest.approx((1 + 3 / 4 + 1 / 3 + 1 / 2) / 4)
    assert found["ap", "worst"] == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    # Each family has one other image, so R-precision is precision at 1.
    assert found["r_precision", "expected"] == found["p1", "expected"]


def test_open_set_by_hand():
    # Nearest of the same and of other families: (2, 4), (2, 2), (5, 2), (5, 3). Within radius 3 the
    # first query is identified; the second has a tie, and the last two are nearer to others.
    scores = retrieval.leave_one_out(LINE, FAMILIES)
    assert scores["nearest_same"].tolist() == [2, 2, 5, 5]
    assert scores["nearest_other"].tolist() == [4, 2, 2, 3]
    found = retrieval.open_set({"find": scores}, {"find": 3}).iloc[0]
    assert found["identified"] == 1 / 4
    assert found["mistaken"] == found["false_accepts"] == 3 / 4


def test_means_over_queries_and_over_families():
    columns = [f"{score}_{ties}" for score in retrieval.SCORES for ties in retrieval.TIES]
    scores = pd.DataFrame({column: [1.0, 1.0, 1.0, 0.0] for column in columns})
    found = retrieval.summary({"find": scores.assign(family=[1, 1, 1, 2])})
    assert (found["images"] == 3 / 4).all()
    assert (found["families"] == 1 / 2).all()


@pytest.fixture(scope="module")
def tied() -> tuple[np.ndarray, np.ndarray]:
    """Hashes that differ in four bits only, so many distances tie; one family has one image."""
    rng = np.random.default_rng(4)
    hashes = np.zeros((23, 8), np.uint8)
    hashes[:, 0] = rng.integers(0, 16, 23)
    return hashes, np.append(rng.integers(0, 4, 22), 9)


def sorted_scores(hashes, families, query, orders) -> np.ndarray:
    """Mean scores of one query over ``orders``, each a sort key for tied images."""
    distances = np.bitwise_count(hashes ^ hashes[query]).sum(axis=1).astype(int)
    gallery = np.delete(np.arange(len(hashes)), query)
    right = families == families[query]
    found = []
    for order in orders:
        ranked = right[gallery[np.lexsort((order[gallery], distances[gallery]))]]
        precision = np.cumsum(ranked) / np.arange(1, len(ranked) + 1)
        found.append((ranked[0], ranked[: ranked.sum()].mean(), precision[ranked].mean()))
    return np.mean(found, axis=0)


def test_scores_equal_those_of_sorted_galleries(tied):
    hashes, families = tied
    scores = retrieval.leave_one_out(hashes, families)
    queries = np.flatnonzero(families != 9)
    assert scores["family"].tolist() == families[queries].tolist()
    orders = np.random.default_rng(5).random((2000, len(families)))
    for row, query in list(enumerate(queries))[:4]:
        worst = sorted_scores(hashes, families, query, [families == families[query]])
        expected = sorted_scores(hashes, families, query, orders)
        columns = [f"{score}_worst" for score in retrieval.SCORES]
        assert scores.loc[row, columns].tolist() == pytest.approx(worst)
        columns = [f"{score}_expected" for score in retrieval.SCORES]
        assert scores.loc[row, columns].tolist() == pytest.approx(expected, abs=0.03)


def test_without_other_families_the_nearest_is_beyond_every_radius():
    scores = retrieval.leave_one_out(np.zeros((3, 8), np.uint8), np.zeros(3, int))
    assert scores["nearest_other"].tolist() == [65] * 3
    assert (scores["ap_worst"] == 1).all()


def test_first_row_of_each_family_and_hash_is_kept():
    hashes = np.array([[1], [1], [2], [1], [1]], np.uint8).repeat(8, axis=1)
    kept = retrieval.first_of_each(hashes, np.array([300, 300, 300, 44, 300]))
    assert kept.tolist() == [0, 2, 3]
