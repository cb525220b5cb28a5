"""Clustering methods follow their definitions."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finhash import cluster
from finhash.hamming import Gallery, join_blocks


def line(*places: int) -> np.ndarray:
    """Return 64-bit hashes whose distances are those of places on a line."""
    bits = np.arange(64) < np.array(places)[:, None]
    return np.packbits(bits, axis=1)


def test_components_chain_and_spheres_do_not():
    hashes = line(0, 5, 10, 15, 20, 50)
    assert cluster.families(hashes, 5).tolist() == [0, 0, 0, 0, 0, 1]
    # Places 5, 10 and 15 have two neighbours each; the first of these becomes a centre.
    assert cluster.families(hashes, 5, "spheres").tolist() == [0, 0, 0, 1, 1, 2]


@given(st.lists(st.integers(0, 64), min_size=1, max_size=40), st.integers(0, 20))
@settings(deadline=None)
def test_spheres_are_assigned_in_order_of_neighbours(places, radius):
    hashes = line(*places)
    labels = cluster.families(hashes, radius, "spheres")
    apart = np.abs(np.subtract.outer(places, places))
    near = apart <= radius
    expected = np.full(len(places), -1)
    for centre in sorted(range(len(places)), key=lambda k: (-near[k].sum(), k)):
        if expected[centre] < 0:
            expected[near[centre] & (expected < 0)] = expected.max() + 1
    np.testing.assert_array_equal(labels, expected)
    same = labels[:, None] == labels
    assert apart[same].max() <= 2 * radius


def test_equal_hashes_single_hashes_and_none():
    assert cluster.families(line(3, 3, 3), 0, "spheres").tolist() == [0, 0, 0]
    for method in cluster.METHODS:
        assert cluster.families(np.empty((0, 8), np.uint8), 5, method).tolist() == []
        assert cluster.families(line(7), 5, method).tolist() == [0]


def test_neighbours_are_counted():
    hashes = line(0, 2, 9, 40)
    assert cluster.neighbours(4, join_blocks(hashes, radius=8)).tolist() == [1, 2, 1, 0]


def test_the_size_of_blocks_does_not_matter(monkeypatch):
    rng = np.random.default_rng(2)
    hashes = line(*rng.integers(0, 64, 300))
    expected = {method: cluster.families(hashes, 1, method).tolist() for method in cluster.METHODS}
    monkeypatch.setattr(cluster, "join_blocks", partial(join_blocks, limit=3))
    for method, labels in expected.items():
        assert cluster.families(hashes, 1, method).tolist() == labels


@given(
    st.lists(st.integers(0, 64), max_size=30),
    st.lists(st.integers(0, 64), max_size=10),
    st.integers(0, 10),
)
@settings(deadline=None)
def test_adding_gives_the_families_of_all_hashes(old, new, radius):
    before, after = line(*old), line(*new)
    labels = cluster.add(before, cluster.families(before, radius), after, radius)
    again = cluster.families(np.concatenate([before, after]), radius)
    same = labels[:, None] == labels
    np.testing.assert_array_equal(same, again[:, None] == again)
    assert sorted(set(labels)) == list(range(len(set(labels))))


def test_centres_are_chosen_from_a_few_hashes_at_a_time(monkeypatch):
    rng = np.random.default_rng(3)
    hashes = line(*rng.integers(0, 64, 200))
    expected = cluster.families(hashes, 2, "spheres").tolist()
    monkeypatch.setattr(cluster, "LOOKED_UP", 7)
    assert cluster.families(hashes, 2, "spheres").tolist() == expected


def test_new_hashes_join_the_largest_sphere_nearby_or_make_their_own():
    old, new = line(0, 1, 2, 9, 10), line(4, 6, 40, 41)
    labels = cluster.families(old, 3, "spheres")
    assert labels.tolist() == [0, 0, 0, 1, 1]
    added = cluster.add(old, labels, new, 3, "spheres")
    # Place 4 is near the middle of the first sphere, 6 near that of the second.
    assert added.tolist() == [0, 0, 0, 1, 1, 0, 1, 2, 2]


@pytest.mark.parametrize("method", cluster.METHODS)
def test_adding_nothing_and_adding_to_nothing(method):
    hashes, none = line(0, 1, 30), np.empty((0, 8), np.uint8)
    labels = cluster.families(hashes, 2, method)
    assert cluster.add(hashes, labels, none, 2, method).tolist() == labels.tolist()
    start = np.empty(0, np.int32)
    assert cluster.add(none, start, hashes, 2, method).tolist() == labels.tolist()


def test_turned_images_join_families():
    hashes = line(0, 30, 60)
    turned = {"original": hashes, "flip_left_right": line(64, 2, 64)}
    assert cluster.families(hashes, 3).tolist() == [0, 1, 2]
    assert cluster.families(hashes, 3, turned=turned).tolist() == [0, 0, 1]
    assert cluster.families(Gallery(hashes), 3, turned=turned).tolist() == [0, 0, 1]
    with pytest.raises(ValueError, match="need the method \"components\", not 'spheres'"):
        cluster.families(hashes, 3, "spheres", turned=turned)
    with pytest.raises(ValueError, match="'flip_left_right' are 1 and those of the images 3"):
        cluster.families(hashes, 3, turned={"flip_left_right": line(0)})


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="unknown method 'magic'"):
        cluster.add(line(1), np.zeros(1, int), line(1), 5, "magic")
    with pytest.raises(
        ValueError, match="unknown method 'magic'; choose one of components, spheres"
    ):
        cluster.families(line(1), 5, "magic")


def test_families_keep_the_numbers_of_those_with_which_they_share_most():
    labels = np.array([0, 0, 0, 1, 1, 2, 3, 3, 3, 4])
    previous = np.array([4, 4, 9, 9, 9, -1, -1, -1, -1, 4])
    # Family 0 shares most with 4, 1 with 9. Family 4 shares only 4, which is taken.
    kept = cluster.keep_numbers(labels, previous)
    assert kept.tolist() == [4, 4, 4, 9, 9, 11, 10, 10, 10, 12]
    later = cluster.keep_numbers(labels, previous, start=20)
    assert later.tolist() == [4, 4, 4, 9, 9, 21, 20, 20, 20, 22]


def test_merged_and_split_families_keep_the_lower_number_and_the_larger_family():
    merged = cluster.keep_numbers(np.array([0, 0, 0, 0]), np.array([7, 7, 3, 3]))
    assert merged.tolist() == [3, 3, 3, 3]
    split = cluster.keep_numbers(np.array([0, 1, 1, 2]), np.array([5, 5, -1, 5]))
    assert split.tolist() == [6, 5, 5, 7]


def test_without_an_earlier_clustering_the_largest_family_comes_first():
    labels = np.array([0, 1, 1, 2, 2, 2, 3])
    assert cluster.keep_numbers(labels, np.full(7, -1)).tolist() == [2, 1, 1, 0, 0, 0, 3]
    none = np.empty(0, int)
    assert cluster.keep_numbers(none, none).tolist() == []


@given(st.lists(st.integers(0, 64), min_size=1, max_size=30), st.data())
@settings(deadline=None)
def test_numbers_stay_while_families_only_grow(places, data):
    hashes = line(*places)
    before = cluster.keep_numbers(cluster.families(hashes, 2), np.full(len(places), -1))
    added = data.draw(st.lists(st.sampled_from(places), max_size=10))
    labels = cluster.families(line(*places, *added), 2)
    after = cluster.keep_numbers(labels, np.concatenate([before, np.full(len(added), -1)]))
    assert after[: len(places)].tolist() == before.tolist()
    same = labels[:, None] == labels
    np.testing.assert_array_equal(same, after[:, None] == after)


def pair(i: list[int], j: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a block of pairs at distance 1."""
    return np.array(i), np.array(j), np.ones(len(i), np.uint16)


# Compiled loops do not check bounds, so wrong rows would crash the process or change other memory.
@pytest.mark.parametrize("method", cluster.METHODS)
@pytest.mark.parametrize("labels", [[0], [0, 0, 1], [[0, 1]]])
def test_added_hashes_need_a_label_per_old_hash(method, labels):
    with pytest.raises(ValueError, match="one label per hash"):
        cluster.add(line(0, 1), np.array(labels), line(2), 1, method)


@pytest.mark.parametrize("block", [pair([0], [3]), pair([10**9], [1]), pair([0], [-1])])
def test_pairs_of_rows_that_do_not_exist_are_refused(block):
    with pytest.raises(ValueError, match="there are 3 hashes"):
        cluster.components(np.arange(3), [block])
    with pytest.raises(ValueError, match="there are 3 hashes"):
        cluster.neighbours(3, [block])


def test_pairs_of_unequal_columns_are_refused():
    with pytest.raises(ValueError, match="2 first rows and 1 second rows"):
        cluster.neighbours(3, [pair([0, 1], [1])])


def test_labels_below_0_are_refused():
    with pytest.raises(ValueError, match="a label is -1"):
        cluster.components(np.array([0, -1]), [pair([0], [1])])


@pytest.mark.parametrize("degree", [[1], [1, 1, 1]])
def test_spheres_need_a_number_of_neighbours_per_hash(degree):
    with pytest.raises(ValueError, match="one number of neighbours per hash"):
        cluster.spheres(line(0, 1), np.array(degree), 1)


def test_numbers_are_kept_only_with_one_earlier_number_per_hash():
    with pytest.raises(ValueError, match="one number per hash"):
        cluster.keep_numbers(np.array([0, 0, 1]), np.array([3, 3]))


@pytest.mark.parametrize("method", cluster.METHODS)
def test_galleries_are_clustered_like_their_hashes(method):
    hashes = line(0, 5, 10, 15, 20, 50)
    gallery = Gallery(line(0, 5, 10, 63, 15, 20, 50))
    gallery.remove(3)
    labels = cluster.families(gallery, 5, method)
    assert labels.tolist() == cluster.families(hashes, 5, method).tolist()
    added = cluster.add(gallery, labels, Gallery(line(52)), 5, method)
    assert added.tolist() == cluster.add(hashes, labels, line(52), 5, method).tolist()
    with pytest.raises(ValueError, match="differ in length"):
        cluster.add(gallery, labels, np.zeros((1, 16), np.uint8), 5, method)
