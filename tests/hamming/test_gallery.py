"""A gallery answers as brute force over the hashes that it should hold."""

import copy
import io
import pickle
import re
import subprocess
import sys
import threading
from pathlib import Path

import imagehash
import numpy as np
import pytest
from PIL import Image

import finhash
from finhash import FINDHasher, Gallery, HashTable, find_hash, hamming, methods
from finhash.hamming import layout, live
from finhash.hamming.gallery import tail
from finhash.hamming.gallery.gallery import Match
from tests.conftest import jpeg_bytes
from tests.hamming.test_scan import brute_force, random_hashes

pytestmark = pytest.mark.usefixtures("centres_for_few_hashes")

IMAGE = Image.radial_gradient("L")


@pytest.fixture
def small_blocks(monkeypatch):
    """Let additions fill several blocks, and look-ups take every way to the nearest hashes."""
    monkeypatch.setattr(tail, "BLOCK", 50)
    monkeypatch.setattr(live, "SPARE", 1)
    monkeypatch.setattr(live, "MANY", 15)


def check(gallery, ids, hashes, seed):
    """Compare all that a gallery answers with brute force."""
    rng = np.random.default_rng(seed)
    width = gallery.bits // 8
    assert len(gallery) == len(gallery.ids) == len(ids)
    assert list(gallery.ids) == gallery.ids[:] == ids
    np.testing.assert_array_equal(np.asarray(gallery), hashes)
    queries = np.concatenate([random_hashes(3, width, seed), hashes[:2]])
    radius, k = int(rng.integers(0, 4 * width)), int(rng.integers(1, 30))
    across = brute_force(queries, hashes)
    for query, far in zip(queries, across, strict=True):
        nearest = np.argsort(far, kind="stable")
        expected = [Match(ids[row], far[row]) for row in nearest]
        assert gallery.search(query, k=k) == expected[:k]
        inside = [match for match in expected if match.distance <= radius]
        assert gallery.search(query, radius=radius) == inside
        assert gallery.search(query, radius=radius, k=k) == inside[:k]
    for ours, plain in ((gallery, hashes), (hashes, gallery)):
        got = hamming.join(ours, plain, radius=radius, workers=2)
        np.testing.assert_array_equal(got, hamming.join(hashes, hashes, radius=radius))
    got = hamming.join(gallery, radius=radius)
    np.testing.assert_array_equal(got, hamming.join(hashes, radius=radius))
    if len(ids):
        k = min(k, len(ids))
        got = hamming.nearest(queries, gallery, k)
        np.testing.assert_array_equal(got, hamming.nearest(queries, hashes, k))
        labels = np.arange(len(ids)) % 3
        got = hamming.pair_histogram(gallery, labels)
        np.testing.assert_array_equal(got, hamming.pair_histogram(hashes, labels))


class Model:
    """A gallery, and the lists that it should be equal to."""

    def __init__(self, gallery):
        self.gallery = gallery
        self.ids = list(gallery.ids)
        self.hashes = np.asarray(gallery).copy()
        self.next_id = max([len(self.ids) - 1, *[i for i in self.ids if isinstance(i, int)]]) + 1

    def change(self, rng):
        """Add or remove some hashes, or group them."""
        action, n = rng.random(), int(rng.integers(0, 120))
        if action < 0.5:
            new = random_hashes(n, self.gallery.bits // 8, int(rng.integers(10**6)))
            ids = list(range(self.next_id, self.next_id + n))
            if action < 0.25:
                self.gallery.add(new)
            else:
                ids = [f"{one}.jpg" if one % 2 else one + 5 for one in ids]
                self.gallery.add(new, ids)
            self.next_id = max([self.next_id, *[i + 1 for i in ids if isinstance(i, int)]])
            self.ids += ids
            self.hashes = np.concatenate([self.hashes, new])
        elif action < 0.8:
            rows = rng.permutation(len(self.ids))[:n]
            self.gallery.remove([self.ids[row] for row in rows])
            self.ids = [one for row, one in enumerate(self.ids) if row not in set(rows)]
            self.hashes = np.delete(self.hashes, rows, axis=0)
        elif action < 0.9 and self.ids:
            # The hash gets another one's place, under an identifier that was used before.
            one = self.ids.pop(0)
            self.gallery.remove(one)
            self.gallery.add(self.hashes[:1], one)
            self.ids.append(one)
            self.hashes = np.concatenate([self.hashes[1:], self.hashes[:1]])
        else:
            self.gallery.optimize()


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("grouped", [True, False])
@pytest.mark.parametrize(
    "width, seed",
    [
        (32, 0),
        *(pytest.param(32, seed, marks=pytest.mark.slow) for seed in range(1, 5)),
        *(pytest.param(width, 0, marks=pytest.mark.slow) for width in (8, 16, 24, 64)),
    ],
)
def test_any_changes(width, seed, grouped):
    rng = np.random.default_rng(seed)
    first = random_hashes(int(rng.integers(0, 300)), width, seed)
    model = Model(Gallery(first, grouped=grouped))
    for step in range(12):
        model.change(rng)
        check(model.gallery, model.ids, model.hashes, seed=100 * seed + step)


def test_removed_hashes_are_left_out_however_many_are_nearer():
    hashes = np.packbits(np.arange(256) < np.arange(250)[:, None], axis=1)
    gallery = Gallery(hashes)
    gallery.remove(range(0, 200))
    assert gallery.search(hashes[0], k=2) == [Match(200, 200), Match(201, 201)]
    assert gallery.search(hashes[0], radius=200) == [Match(200, 200)]
    gallery.remove(range(200, 250))
    assert gallery.search(hashes[0], k=2) == gallery.search(hashes[0], radius=256) == []


def test_a_snapshot_still_finds_ids_that_were_used_again_later():
    gallery = Gallery(random_hashes(3, 32), ids=["a", "b", "c"])
    gallery.add(random_hashes(1, 32), ids="d")
    states = [gallery.snapshot()]
    for _ in range(3):
        gallery.remove(["a", "d"])
        states.append(gallery.snapshot())
        gallery.add(random_hashes(2, 32), ids=["d", "a"])
        states.append(gallery.snapshot())
    for state in states:
        ids = list(state.ids)
        assert [one in state.ids for one in "abcd"] == [one in ids for one in "abcd"]
        numbers = state.find(ids)
        assert [state.id_of(number) for number in numbers.tolist()] == ids
        assert not np.isin(numbers, state.removed).any()


def test_an_addition_lays_nothing_out_again(monkeypatch):
    gallery = Gallery(random_hashes(500, 32))
    for name in ("grouped", "ungrouped", "columns"):
        monkeypatch.setattr(layout, name, None)
    before = gallery.snapshot()
    for k in range(20):
        gallery.add(random_hashes(1, 32, k))
    parts = gallery.snapshot().parts
    assert parts[0] is before.parts[0]
    gallery.add(random_hashes(1, 32, 20))
    after = gallery.snapshot().parts
    assert all(np.shares_memory(a.rows, b.rows) for a, b in zip(parts, after, strict=True))
    assert len(before) == 500


def test_additions_are_laid_out_together_with_those_of_similar_size():
    hashes = random_hashes(2000, 32)
    gallery = Gallery(hashes[:1000])
    for start in range(1000, 2000, 10):
        gallery.add(hashes[start : start + 10])
        gallery.optimize()
        assert not gallery.snapshot().added
    assert 1 < len(gallery.snapshot().segments) <= 5
    check(gallery, list(range(2000)), hashes, seed=0)
    before = gallery.snapshot()
    gallery.optimize()
    assert gallery.snapshot() is before


def test_grouping_frees_what_was_removed():
    gallery = Gallery(random_hashes(500, 32))
    gallery.remove(range(0, 500, 2))
    assert gallery.snapshot().size == 500
    gallery.optimize()
    assert gallery.snapshot().size == 250
    check(gallery, list(range(1, 500, 2)), random_hashes(500, 32)[1::2], seed=1)


def test_changes_during_grouping_are_kept(monkeypatch):
    hashes = random_hashes(600, 32)
    gallery = Gallery(hashes[:300])
    gallery.add(hashes[300:500])
    lay_out = gallery._lay_out

    def meanwhile(*arguments):
        gallery.add(hashes[500:])
        gallery.remove([0, 310, 599])
        check(gallery, ids, hashes[ids], seed=2)
        return lay_out(*arguments)

    ids = [k for k in range(600) if k not in (0, 310, 599)]
    monkeypatch.setattr(gallery, "_lay_out", meanwhile)
    gallery.optimize()
    assert gallery.snapshot().added == 100
    check(gallery, ids, hashes[ids], seed=3)


def test_grouping_that_fails_changes_nothing(monkeypatch):
    gallery = Gallery(random_hashes(300, 32))
    gallery.add(random_hashes(200, 32, 1))
    with monkeypatch.context() as patch:
        patch.setattr(gallery, "_lay_out", lambda *arguments: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            gallery.optimize()
    gallery.add(random_hashes(1, 32, 2))
    assert len(gallery) == 501
    gallery.optimize()
    assert gallery.snapshot().added == 0


def test_threads_read_while_one_changes():
    hashes = random_hashes(1200, 32)
    gallery = Gallery(hashes[:600])
    fixed = hashes[:50]  # never removed
    done, errors = threading.Event(), []

    def read():
        try:
            while not done.is_set():
                for k, query in enumerate(fixed):
                    assert gallery.search(query, k=1)[0].distance == 0
                    matches = gallery.search(query, radius=60)
                    assert k in {match.id for match in matches}
                    assert len({match.id for match in matches}) == len(matches)
                _, far = hamming.nearest(fixed, gallery, 2)
                assert (far[:, 0] == 0).all()
        except BaseException as error:
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for round_ in range(5):
        for start in range(600, 1200, 50):
            ids = [f"{round_}/{k}" for k in range(start, start + 50)]
            gallery.add(hashes[start : start + 50], ids)
        gallery.remove([one for one in gallery.ids if isinstance(one, str)][::2])
        gallery.optimize()
        gallery.remove([one for one in gallery.ids if isinstance(one, str)])
    done.set()
    for reader in readers:
        reader.join()
    assert not errors
    assert len(gallery) == 600


def test_threads_that_add_at_once():
    gallery = Gallery(bits=256)

    def add(number):
        for k in range(50):
            gallery.add(random_hashes(1, 32, k), f"{number}/{k}")
            gallery.add(random_hashes(1, 32, k))

    writers = [threading.Thread(target=add, args=(number,)) for number in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(gallery) == 300
    assert {one for one in gallery.ids if isinstance(one, int)} == set(range(150))


@pytest.fixture
def image_file(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg_bytes())
    return path


def test_every_type_of_query(image_file):
    content = image_file.read_bytes()
    image = Image.open(io.BytesIO(content))
    hashed = find_hash(content)
    packed = np.packbits(hashed.hash)
    items = [
        str(image_file),
        image_file,
        content,
        memoryview(content),
        io.BytesIO(content),
        image,
        np.asarray(image),
        hashed,
        FINDHasher().fromFile(str(image_file)),
        str(hashed),
        str(hashed).upper(),
        packed,
        hashed.hash,
        hashed.hash.ravel(),
        hashed.hash.ravel().astype(int),
        hashed.hash.astype(int),
        imagehash.hex_to_hash(str(hashed)),
    ]
    gallery = Gallery(method="find")
    gallery.add(items)
    with image_file.open("rb") as file:
        gallery.add(file, ids="file")
    for item in items:
        gallery.add(item)
        assert gallery.search(item, k=1) == [Match(0, 0)]
    np.testing.assert_array_equal(np.asarray(gallery), [packed] * len(gallery))
    assert len(gallery) == 2 * len(items) + 1
    # Alone, it could be the packed hashes of 16 images.
    gallery.add([hashed.hash.astype(np.uint8)], ids="bytes")
    assert gallery.search(gallery.rows[-1].view(np.uint8), k=1) == [Match(0, 0)]
    assert gallery.search(hashed.hash.astype(np.uint8), k=1) == [Match(0, 0)]


def test_other_methods_hash_queries():
    gallery = Gallery([IMAGE], ids=["radial"], method="dhash64")
    assert (gallery.bits, gallery.method) == (64, "dhash64")
    np.testing.assert_array_equal(np.asarray(gallery), [methods.get("dhash64").hash(IMAGE)])
    assert gallery.search("0f" * 8, radius=0) == [Match("radial", 0)]


def test_an_empty_gallery_answers():
    for gallery in (Gallery(), Gallery(method="find"), Gallery(np.empty((0, 32), np.uint8))):
        assert len(gallery) == 0
        assert gallery.search("0f" * 32, k=3) == gallery.search("0f" * 32, radius=256) == []
        assert np.asarray(gallery).shape == (0, 32)
        assert np.asarray(gallery).dtype == np.uint8
        assert len(hamming.join(random_hashes(3, 32), gallery, radius=256)[0]) == 0
        gallery.optimize()
        gallery.remove([])
        gallery.add([])
        gallery.add(random_hashes(2, 32))
        assert list(gallery.ids) == [0, 1]
        assert len(gallery.search("0f" * 32, k=10**9)) == 2


def test_ids():
    gallery = Gallery(random_hashes(3, 32), ids=["a", 7, "Zoë \udcff.jpg"])
    assert gallery.ids == ["a", 7, "Zoë \udcff.jpg"]
    assert gallery.ids != ["a", 7]
    assert gallery.ids[-1] == "Zoë \udcff.jpg"
    assert gallery.ids[:2] == ["a", 7]
    with pytest.raises(IndexError):
        gallery.ids[3]
    assert "a" in gallery
    assert 7 in gallery.ids
    assert all(one not in gallery for one in ("7", 0, True, None, [7], "b"))
    gallery.add(random_hashes(1, 32))
    gallery.remove(np.array([8]))
    gallery.add(random_hashes(1, 32), ids=np.array(["x"]))
    gallery.add(random_hashes(2, 32), ids=range(20, 22))
    gallery.add(random_hashes(1, 32))
    assert gallery.ids[3:] == ["x", 20, 21, 22]
    assert type(gallery.ids[3]) is str


def test_repr():
    assert repr(Gallery(bits=64)) == "Gallery(0 hashes of 64 bits, method=None)"
    gallery = Gallery(random_hashes(5, 32), method="find")
    assert repr(gallery) == "Gallery(5 hashes of 256 bits, method='find')"
    assert repr(gallery.ids) == "<5 ids: 0, 1, 2, ...>"


def test_the_array_cannot_be_changed_by_mistake():
    hashes = random_hashes(5, 32)
    gallery = Gallery(hashes)
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(gallery)[0] = 0
    copied = np.array(gallery)
    copied[:] = 0
    hashes[:] = 0
    np.testing.assert_array_equal(np.asarray(gallery), random_hashes(5, 32))
    assert np.asarray(gallery, np.int64).dtype == np.int64


def test_additions_are_copied():
    new = random_hashes(3, 32)
    gallery = Gallery(bits=256)
    gallery.add(new)
    new[:] = 0
    np.testing.assert_array_equal(np.asarray(gallery), random_hashes(3, 32))


def test_a_gallery_of_another():
    gallery = Gallery(random_hashes(5, 32), method="find")
    gallery.remove(3)
    other = Gallery(gallery)
    assert (other.method, list(other.ids)) == ("find", [0, 1, 2, 4])
    assert list(Gallery(gallery, ids=["a", "b", "c", "d"]).ids) == ["a", "b", "c", "d"]
    gallery.remove(4)
    emptier = Gallery(gallery)
    emptier.add("0f" * 32)
    assert list(emptier.ids) == [0, 1, 2, 5]
    gallery = Gallery(other)
    other.add(gallery)
    np.testing.assert_array_equal(np.asarray(other), np.concatenate([np.asarray(gallery)] * 2))


def test_nothing_is_added_or_removed_after_an_error():
    gallery = Gallery(random_hashes(3, 32), ids=["a", "b", "c"], method="find")
    new = random_hashes(2, 32)
    for call, error, message in (
        (lambda: gallery.add(new, ["d", "b"]), ValueError, "the id 'b' is in the gallery already"),
        (lambda: gallery.add(new, ["d", "d"]), ValueError, "the id 'd' is given twice"),
        (lambda: gallery.add(new, ["d"]), ValueError, "got 2 hashes and 1 ids; pass one id"),
        (lambda: gallery.add(new, "de"), ValueError, "got 2 hashes and 1 ids; pass one id"),
        (lambda: gallery.add(new, [1.5, 2]), TypeError, "the id 1.5 has type float"),
        (lambda: gallery.add(new, [True, 2]), TypeError, "the id True has type bool"),
        (lambda: gallery.add([IMAGE, b"text"]), finhash.images.NotAnImageError, "not in an image"),
        (lambda: gallery.add([IMAGE, 3]), TypeError, "cannot hash 3 of type int"),
        (lambda: gallery.add(random_hashes(2, 8)), ValueError, "256 and 64 bits differ in length"),
        (lambda: gallery.remove(["a", "x"]), KeyError, "no hash has the id 'x'; nothing was"),
        (lambda: gallery.add(new, {"d", "e"}), TypeError, "ids are a set, which has no order"),
        (lambda: gallery.add(new, b"de"), TypeError, "the id b'de' has type bytes"),
        (lambda: gallery.add(new, [10**400, 1]), ValueError, "of 1329 bits; pass one of at most"),
        (lambda: gallery.remove(b"ab"), TypeError, "the id b'ab' has type bytes"),
        (lambda: gallery.remove(bytearray(b"ab")), TypeError, "has type bytearray"),
        (lambda: gallery.remove([None]), TypeError, "the id None has type NoneType"),
    ):
        with pytest.raises(error, match=message):
            call()
    assert gallery.ids == ["a", "b", "c"]
    gallery.remove(["b", "b"])
    with pytest.raises(KeyError, match="no hash has the id 'b'"):
        gallery.remove("b")
    with pytest.raises(finhash.images.NotAnImageError) as caught:
        gallery.add([IMAGE, b"text"])
    assert caught.value.__notes__ == ["This is item 1 of 2; nothing was added."]


def test_wrong_arguments():
    hashes = random_hashes(3, 32)
    gallery = Gallery(hashes)
    query = hashes[0]
    for call, error, message in (
        (lambda: gallery.search(query), TypeError, "pass radius, k or both"),
        (lambda: gallery.search(query, radius=True), TypeError, "radius is True of type bool"),
        (lambda: gallery.search(query, radius=0.1), TypeError, "radius is 0.1 of type float"),
        (lambda: gallery.search(query, radius="60"), TypeError, "radius is '60' of type str"),
        (
            lambda: gallery.search(query, radius=257),
            ValueError,
            "radius is 257; it must be between",
        ),
        (lambda: gallery.search(query, radius=-1), ValueError, "radius is -1; it must be between"),
        (lambda: gallery.search(query, k=0), ValueError, "k is 0; it must be at least 1"),
        (lambda: gallery.search(query, k=2.0), TypeError, "k is 2.0 of type float"),
        (lambda: gallery.search(query[:8], k=1), ValueError, r"shape \(8,\); pass 32 packed bytes"),
        (lambda: gallery.search(np.full(256, 2), k=1), ValueError, "256 bits that are 0 or 1"),
        (lambda: gallery.search(IMAGE, k=1), ValueError, "does not know the method of its hashes"),
        (lambda: gallery.search("0f" * 31, k=1), ValueError, "exactly 64 hexadecimal digits"),
        (lambda: gallery.search(None, k=1), TypeError, "cannot hash None of type NoneType"),
        (lambda: gallery.search(hashes, k=1), ValueError, "does not know the method"),
        (lambda: Gallery(method="fnd"), KeyError, "unknown method 'fnd'; choose one of"),
        (lambda: Gallery(bits=60), ValueError, "bits is 60; it must be a multiple of 64"),
        (lambda: Gallery(bits="64"), TypeError, "bits is '64' of type str"),
        (lambda: Gallery(method="find", bits=64), ValueError, "hashes by 'find' have 256"),
        (lambda: Gallery(hashes, method="dhash64"), ValueError, "64 and 256 bits differ in length"),
        (lambda: Gallery(ids=["a"]), TypeError, "got ids without hashes"),
        (lambda: Gallery(hashes, ids=["a"]), ValueError, "got 3 hashes and 1 ids"),
        (lambda: Gallery(hashes.astype(int)), ValueError, "pass packed hashes of dtype uint8"),
        (lambda: Gallery(hashes, workers=0), ValueError, "workers is 0; it must be at least 1"),
        (lambda: Gallery(hashes, workers="2"), TypeError, "workers is '2' of type str"),
        (lambda: Gallery(workers=True), TypeError, "workers is True of type bool"),
        (lambda: Gallery.load("new", create=True, wait=None), TypeError, "wait is None of type"),
        (lambda: gallery.save("new", wait=-1), ValueError, "wait is -1; pass a number of seconds"),
        (lambda: hamming.nearest(hashes, gallery, 4), ValueError, "the gallery's 3 hashes"),
    ):
        with pytest.raises(error, match=message):
            call()
    named = Gallery(method="find")
    with pytest.raises(FileNotFoundError) as caught:
        named.search("0f" * 31, k=1)
    assert "exactly 64 hexadecimal digits" in caught.value.__notes__[0]
    with pytest.raises(TypeError, match="shape"):
        named.search(hashes, k=1)


@pytest.mark.parametrize("workers", [0, -1, True, "2", 2.0])
def test_wrong_numbers_of_threads(workers):
    hashes, labels = random_hashes(3, 32), np.arange(3)
    for call in (
        lambda: hamming.join(hashes, radius=3, workers=workers),
        lambda: hamming.join_blocks(hashes, radius=3, workers=workers),
        lambda: hamming.nearest(hashes, hashes, 1, workers=workers),
        lambda: hamming.pair_histogram(hashes, labels, workers=workers),
        lambda: hamming.query_histograms(hashes, labels, workers=workers),
    ):
        with pytest.raises((ValueError, TypeError), match=f"workers is {workers!r}"):
            call()


def test_a_hash_table_in_place_of_its_hashes():
    table = HashTable.from_hashes(["a.jpg", "b.jpg"], {"find": random_hashes(2, 32)})
    gallery = Gallery(method="find")
    for call in (
        lambda: Gallery(table),
        lambda: gallery.add(table),
        lambda: gallery.search(table, k=1),
        lambda: hamming.join(table, radius=3),
        lambda: hamming.nearest(table, gallery, 1),
    ):
        with pytest.raises(TypeError, match=r'got a HashTable; .* table.hashes\("find"\), .*paths'):
            call()
    gallery.add(table.hashes("find"), table.paths)
    assert gallery.ids == ["a.jpg", "b.jpg"]


def test_default_ids_do_not_follow_a_huge_one():
    gallery = Gallery(random_hashes(3, 32), ids=[10**25, 2**53 - 2, "a"])
    gallery.add(random_hashes(1, 32))
    assert gallery.ids[-1] == 2**53 - 1
    gallery.add(random_hashes(1, 32), ids=2**53)
    gallery.add(random_hashes(2, 32))
    assert gallery.ids[-2:] == [2**53 + 1, 2**53 + 2]
    gallery = Gallery(random_hashes(1, 32), ids=[10**25])
    gallery.add(random_hashes(2, 32))
    assert gallery.ids == [10**25, 0, 1]
    assert 10**5000 not in gallery


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))]
)
@pytest.mark.parametrize("ids", [None, [f"{k}.jpg" for k in range(400)]])
def test_copies_change_on_their_own(duplicate, ids):
    hashes = random_hashes(400, 32)
    gallery = Gallery(hashes[:300], None if ids is None else ids[:300], method="find")
    gallery.add(hashes[300:], None if ids is None else ids[300:])
    gallery.remove(gallery.ids[::50])
    rows = [k for k in range(400) if k % 50]
    names = [ids[k] if ids else k for k in rows]
    other = duplicate(gallery)
    assert other.method == "find"
    other.add(hashes[0])
    assert other.ids[-1] == (0 if ids else 400)
    gallery.add(hashes[1], "new")
    other.remove([other.ids[-1]])
    gallery.remove("new")
    for one in (gallery, other):
        check(one, names, hashes[rows], seed=12)


def test_galleries_of_different_methods_are_not_compared():
    ours, theirs = (Gallery(random_hashes(3, 32), method=name) for name in ("find", "phash256"))
    unknown = Gallery(random_hashes(3, 32))
    labels = np.arange(3)
    for call in (
        lambda: hamming.join(ours, theirs, radius=60),
        lambda: hamming.join_blocks(ours, theirs, radius=60),
        lambda: hamming.nearest(ours, theirs, 1),
        lambda: hamming.query_histograms(ours, labels, theirs, labels),
        lambda: ours.add(theirs),
        lambda: Gallery(ours, method="phash256"),
    ):
        with pytest.raises(ValueError, match=r"cannot compare hashes by '(find|phash256)' with"):
            call()
    assert len(hamming.join(ours, unknown, radius=0)[0]) >= 3


def test_the_code_of_the_guide_runs(image_file, monkeypatch):
    guide = Path(__file__).resolve().parents[2] / "docs" / "guide.md"
    section = guide.read_text().split("## A gallery for a service")[1]
    code = re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]
    monkeypatch.chdir(image_file.parent)
    image_file.rename("new.jpg")
    names = {"Gallery": Gallery, "data": Path("new.jpg").read_bytes()}
    names["table"] = HashTable.from_hashes(["a.jpg", "b.jpg"], {"find": random_hashes(2, 32)})
    exec(compile(code, "guide.md", "exec"), names)
    assert Gallery.load("gallery").ids == ["a.jpg", "b.jpg"]


def test_numba_is_named_if_it_is_missing():
    program = "import sys; sys.modules['numba'] = None; from finhash import Gallery"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    last = ran.stderr.strip().splitlines()[-1]
    assert last == "ImportError: a gallery needs compiled code: pip install numba"


def test_the_package_names_the_class():
    assert finhash.Gallery is hamming.Gallery is Gallery
