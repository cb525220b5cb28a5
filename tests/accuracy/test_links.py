"""Links between images, and the thresholds that verdicts on them support."""

import numpy as np
import pytest

from finhash import cluster
from finhash.accuracy import links as module
from finhash.accuracy.links import Judged, draw, judge, links
from finhash.accuracy.verdict_file import Verdict, read_rows
from tests.accuracy.conftest import on_a_line


def scattered(n: int, seed: int = 0) -> np.ndarray:
    """Return hashes of 64 bits in which random bits of few others are changed."""
    rng = np.random.default_rng(seed)
    bits = np.repeat(rng.random((n // 10, 64)) < 0.5, 10, axis=0)
    return np.packbits(bits ^ (rng.random(bits.shape) < rng.random((len(bits), 1)) / 3), axis=1)


@pytest.mark.parametrize("batch", [1, 50, module.BATCH])
def test_links_give_the_families_at_every_threshold(batch, monkeypatch):
    monkeypatch.setattr(module, "BATCH", batch)
    hashes = scattered(200)
    first, second, distance = links(hashes, reach=30)
    assert (first < second).all()
    bits = np.bitwise_count(hashes[first] ^ hashes[second]).sum(axis=1)
    assert distance.tolist() == bits.tolist() == sorted(bits)
    for radius in range(31):
        within = distance <= radius
        block = first[within], second[within], distance[within]
        found = cluster.components(np.arange(len(hashes)), [block])
        assert found.tolist() == cluster.families(hashes, radius).tolist()
        # One link fewer than images in each family: none is superfluous.
        assert within.sum() == len(hashes) - len(np.unique(found))


def test_there_may_be_no_links():
    for hashes in (on_a_line([0]), on_a_line([0, 50]), on_a_line([])):
        assert [len(column) for column in links(hashes, reach=10)] == [0, 0, 0]
    assert draw(np.empty(0, np.uint16), 52, 16, 10).tolist() == []


def test_doubtful_links_are_drawn_first_and_evenly():
    distance = np.repeat(np.arange(101), 20)
    found = distance[draw(distance, radius=52, margin=4, most=30)]
    near = [52, 51, 53, 50, 54, 49, 55, 48, 56]
    for turn in range(3):
        *doubtful, closer = found[10 * turn : 10 * (turn + 1)]
        assert doubtful == near
        assert closer < 48
    every = draw(distance, radius=52, margin=4, most=10_000)
    assert len(every) == len(set(every)) == (distance <= 56).sum()
    other = draw(distance, radius=52, margin=4, most=30, seed=1)
    assert distance[other][:9].tolist() == near
    assert set(other) != set(draw(distance, radius=52, margin=4, most=30))


def judged(hashes, rows, wrong) -> Judged:
    """Return the estimate after judging links; those that are ``wrong`` are different."""
    first, second, _ = links(hashes, reach=40)
    verdicts = [
        Verdict(str(first[row]), str(second[row]), "different" if wrong[row] else "same", True)
        for row in rows
    ]
    return judge([str(row) for row in range(len(hashes))], hashes, verdicts)


def test_a_sample_estimates_the_share_of_wrong_links():
    rng = np.random.default_rng(3)
    hashes = scattered(3000)
    *_, distance = links(hashes, reach=40)
    wrong = rng.random(len(distance)) < np.clip((distance - 10.0) / 12, 0, 1)
    truth = np.array([wrong[distance <= radius].mean() for radius in range(19)])
    found = judged(hashes, draw(distance, 14, 4, 300), wrong)
    assert len(found.links) == 19
    assert found.judged.sum() == 300
    assert found.links.tolist() == np.bincount(distance)[:19].tolist()
    assert found.shares() == pytest.approx(truth, abs=0.03)
    best = int(np.flatnonzero(truth <= 0.05).max())
    assert abs(found.threshold(0.05) - best) <= 2
    low, high = found.interval(0.05)
    assert low <= best <= high
    assert high - low < 8


def test_shares_never_fall_as_the_distance_grows():
    # Links of 1 to 4 bits; the one of 2 bits is wrong and the one of 3 bits is right.
    hashes = on_a_line([0, 1, 3, 6, 10])
    found = judged(hashes, range(4), [False, True, False, True])
    assert found.shares().tolist() == pytest.approx([0, 0, 1 / 4, 1 / 3, 1 / 2])
    assert found.threshold(0) == 1
    assert found.threshold(0.3) == 2
    only = judged(hashes, [3], [False, False, False, True])
    assert only.shares().tolist() == [0, 1, 1, 1, 1]
    assert only.threshold(0.5) == -1
    several = Judged(*np.array([[0, 1, 1, 2], [0, 1, 3, 0], [0, 1, 0, 0]]))
    assert several.shares().tolist() == [0, 1 / 4, 1 / 4, 1 / 4]
    # No link has 3 bits.
    assert Judged(*np.array([[1, 0, 1, 0], [1, 0, 1, 1], [0, 0, 0, 1]])).threshold(0) == 2
    right = judged(hashes, range(4), [False] * 4)
    assert right.threshold(0) == 4
    assert right.interval(0) == (4, 4)


def test_only_drawn_pairs_of_the_table_count_and_the_last_verdict_on_each():
    hashes = on_a_line([0, 1, 3, 6])
    verdicts = [
        Verdict("a ", "b", "different"),
        Verdict("b", "a", "same"),
        Verdict("b", "c", "variant", True),
        Verdict("c", "d", "different", False),
        Verdict("d", "d", "different"),
        Verdict("gone", "d", "different"),
    ]
    found = judge(["a", "b", " c", "d"], hashes, verdicts)
    assert found.judged.tolist() == [0, 1, 1]
    assert found.wrong.tolist() == [0, 0, 1]
    assert found.unknown == 1
    with pytest.raises(ValueError, match="no verdict is about two images of this table, and 1 are"):
        judge(["a", "b"], hashes[:2], verdicts[-1:])


def test_the_column_drawn_is_read_if_it_is_there(tmp_path):
    path = tmp_path / "verdicts.csv"
    path.write_text("Drawn,first,second,verdict\nYES,a,b,same\nno,a,c,same\n,a,d,Different\n")
    assert [row.drawn for row in read_rows(path)] == [True, False, False]
    path.write_text("first,second,verdict\na,b,same\n")
    assert read_rows(path) == [Verdict("a", "b", "same", None)]
