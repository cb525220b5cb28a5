"""Joins about centres, and look-ups in groups, give the results of brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finhash import hamming
from finhash.hamming import centres, layout, pairs, pruned, words
from tests.hamming.test_scan import BY_WIDTH, assert_pairs, brute_force, check_joins, random_hashes

pytestmark = pytest.mark.usefixtures("centres_for_few_hashes")


def work_of(a, b=None, radius=40):
    """Return the work of a pruned join."""
    work, right = pruned.Work(), None if b is None else words.as_rows(b)
    where = pairs.shifts(len(a), len(a if b is None else b), 8 * a.shape[1])
    for task in pruned.tasks(words.as_rows(a), right, radius, where, 10**6, map, 1, work):
        task()
    return work


@pytest.mark.parametrize("width", BY_WIDTH)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_sets(width, data):
    sizes = data.draw(st.integers(0, 400)), data.draw(st.integers(1, 400))
    a, b = (random_hashes(n, width, data.draw(st.integers(0, 5))) for n in sizes)
    radius = data.draw(st.integers(0, 3 * width) | st.integers(0, 8 * width))
    check_joins(a, b, radius, workers=data.draw(st.sampled_from([1, 2])))


def on_a_line(n):
    """Return hashes whose distances are those of places on a line; every one has close ones."""
    places = np.random.default_rng(0).integers(0, 257, (n, 1))
    return np.packbits(np.arange(256) < places, axis=1)


@pytest.mark.parametrize("n", [511, 512, 513, 1500])
@pytest.mark.parametrize("workers", [1, 2])
def test_tiles_and_threads_meet_without_gaps(n, workers):
    a = on_a_line(n)
    assert work_of(a, radius=30).candidates > n / 4
    check_joins(a, np.roll(a, 7, axis=0)[:500], 30, workers)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_centre_with_more_candidates_than_a_chunk_holds(workers, monkeypatch):
    a = on_a_line(14_000)
    work = work_of(a, radius=30)
    assert work.candidates > 520 * sum(number for _, number, _ in work.rounds)
    got = hamming.join(a, radius=30, workers=workers)
    monkeypatch.setattr(pruned, "FEWEST", 2**62)
    np.testing.assert_array_equal(got, hamming.join(a, radius=30))


def test_every_part_of_the_join_is_reached():
    a = random_hashes(600, 32)
    work = work_of(a, radius=80)
    assert len(work.rounds) > 1
    assert min(work.swept, work.candidates, work.compared, work.left) > 0
    assert work.swept + work.compared + work.left < 600 * 599 / 2 / 5
    work = work_of(a, a[::2], radius=20)
    assert min(work.swept, work.candidates, work.compared) > 0


@pytest.mark.parametrize("radius", [0, 1, 255, 256])
def test_equal_hashes_and_opposite_ones(radius):
    a = np.zeros((90, 32), np.uint8)
    a[::3] = 255
    check_joins(a, a[:40], radius)


def test_one_hash_and_a_small_set_against_a_large_one():
    large = random_hashes(800, 32)
    for small in (large[:1], large[5:12], np.empty((0, 32), np.uint8)):
        check_joins(small, large, 50)
        check_joins(large, np.concatenate([small, large[-1:]]), 50)


def test_no_centre_where_none_pays(monkeypatch):
    random = np.random.default_rng(3).integers(0, 256, (400, 32), dtype=np.uint8)
    monkeypatch.setattr(centres, "GROUPED", 0.5)
    monkeypatch.setattr(centres, "MEMBERS", 6)
    assert work_of(random).rounds == []
    assert work_of(np.zeros((400, 32), np.uint8), radius=3).rounds == []
    assert work_of(random_hashes(400, 32), radius=200).rounds == []


def test_centres_need_not_be_members():
    # The majority of three hashes that differ from it in 20 bits each is none of them.
    middle = np.random.default_rng(4).integers(0, 256, (60, 32), dtype=np.uint8)
    three = np.repeat(
        np.packbits(np.arange(256) // 20 == np.arange(3)[:, None], axis=1), 60, axis=0
    )
    a = np.concatenate([middle] * 3) ^ three
    assert work_of(a, radius=45).rounds
    check_joins(a, a[:50], 45)
    check_joins(a, a[:50], 39)


def test_blocks_are_bounded():
    a = random_hashes(1500, 32)
    blocks = list(hamming.join_blocks(a, radius=60, limit=2000))
    assert sum(len(i) for i, _, _ in blocks) == len(hamming.join(a, radius=60)[0])
    assert len(blocks) > 10
    assert max(len(i) for i, _, _ in blocks) <= 512 * 1500


def test_leaders_are_apart_and_the_majority_is_bitwise():
    a = random_hashes(200, 32)
    laid_out = words.columns(words.as_rows(a))
    exact = centres.word_groups(4)
    leaders = centres.leaders.greedy(laid_out.words, 200, 30, exact)
    packed = np.ascontiguousarray(leaders.T).view(np.uint8)
    apart = brute_force(packed, packed)[np.triu_indices(len(packed), 1)]
    assert apart.min() > 30
    assert brute_force(a, packed).min(axis=1).max() <= 30
    owner = centres.leaders.nearest(laid_out.words, leaders, exact, 0, 200)
    np.testing.assert_array_equal(owner, brute_force(a, packed).argmin(axis=1))
    middle = centres.leaders.majority(laid_out.words, owner, len(packed)).T.copy().view(np.uint8)
    for k, hash_ in enumerate(middle):
        members = np.unpackbits(a[owner == k], axis=1)
        np.testing.assert_array_equal(np.unpackbits(hash_), members.mean(axis=0) > 0.5)


@pytest.mark.parametrize("number", [0, 1, 100, pairs.FEW + 1, 3 * pairs.FEW])
@pytest.mark.parametrize("workers", [1, 2])
def test_keys_are_sorted_as_their_pairs(number, workers):
    rng = np.random.default_rng(number)
    where = pairs.shifts(5000, 70_000, 256)
    i, j = rng.integers(0, 5000, number), rng.integers(0, 70_000, number)
    distance = (i + j) % 257
    keys = (i << where.first | j << where.second | distance).astype(np.uint64)
    blocks = np.array_split(keys, 3) if number else []
    got = pairs.ordered(blocks, 5000, where, workers)
    order = np.lexsort((j, i))
    np.testing.assert_array_equal(got, [i[order], j[order], distance[order]])


def test_too_many_hashes_for_keys():
    with pytest.raises(ValueError, match="too many for one join"):
        pairs.shifts(2**31, 2**31, 256)


@pytest.mark.parametrize("width", BY_WIDTH)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_gallery_gives_the_results_of_its_hashes(width, data):
    n = data.draw(st.integers(2, 500))
    hashes = random_hashes(n, width, data.draw(st.integers(0, 5)))
    queries = random_hashes(data.draw(st.integers(1, 60)), width, data.draw(st.integers(0, 5)))
    held = hamming.Gallery(hashes[: n // 2], grouped=data.draw(st.booleans()))
    for start in range(n // 2, n, 70):
        held.add(hashes[start : start + 70])
    assert len(held) == n
    radius, k = data.draw(st.integers(0, 8 * width)), data.draw(st.integers(1, min(n, 20)))
    across = brute_force(queries, hashes)
    assert_pairs(hamming.join(queries, held, radius=radius), across, across <= radius)
    expected = hamming.nearest(queries, hashes, k)
    np.testing.assert_array_equal(hamming.nearest(queries, held, k), expected)
    np.testing.assert_array_equal(hamming.join(held, radius=9), hamming.join(hashes, radius=9))
    halves = words.as_words(held, np.uint32)
    np.testing.assert_array_equal(halves, words.as_words(hashes, np.uint32))


def test_a_gallery_has_groups_and_keeps_its_own_hashes():
    hashes = random_hashes(500, 32)
    held = hamming.Gallery(hashes, workers=2)
    (part,) = held.snapshot().parts
    assert len(part.groups.places) > 10
    before = hamming.nearest(hashes[:5], held, 3)
    queries = hashes[:5].copy()
    hashes[:] = 0
    np.testing.assert_array_equal(hamming.nearest(queries, held, 3), before)


def test_no_centres_for_a_small_set_against_a_large_one():
    a = random_hashes(800, 32)
    assert work_of(a, a[:300], radius=20).rounds
    assert not work_of(a, a[:100], radius=20).rounds
    assert not work_of(a[:100], a, radius=20).rounds


def test_a_gallery_without_members_of_groups():
    # The majority of each family is none of its members, and members may not be away from it.
    middle = np.random.default_rng(5).integers(0, 256, (60, 32), dtype=np.uint8)
    flips = np.packbits(np.arange(256) // 20 == np.arange(3)[:, None], axis=1)
    hashes = np.concatenate([middle ^ flip for flip in flips])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "SHARE", 0)
        held = hamming.Gallery(hashes)
    expected = hamming.nearest(middle, hashes, 3)
    np.testing.assert_array_equal(hamming.nearest(middle, held, 3), expected)
    expected = hamming.join(middle, hashes, radius=20)
    np.testing.assert_array_equal(hamming.join(middle, held, radius=20), expected)


def test_lengths_of_a_gallery_and_queries_must_agree():
    held = hamming.Gallery(random_hashes(3, 32))
    with pytest.raises(ValueError, match="hashes of 64 and 256 bits differ in length"):
        hamming.join(random_hashes(3, 8), held, radius=3)
    with pytest.raises(ValueError, match="hashes of 256 and 64 bits differ in length"):
        held.add(random_hashes(3, 8))
