"""Hash tables that are hashed now or read from the repository."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from finhash import methods
from finhash.images import open_image
from finhash.study import project
from finhash.study.data import committed, datasets, transforms
from finhash.tables.hash_table import HashTable
from finhash.tables.schema import schema as table_schema
from tests.conftest import jpeg_bytes

METHODS = ["find", "dhash64"]
SIZES = (9, 2, 7, 8, 1, 7, 6, 5, 9, 3, 8, 8)
"""More families than the scale "smoke" uses, some with more images than it uses."""
NAMES = [f"{2 * k:04d}_{n:05d}.jpg" for k, size in enumerate(SIZES) for n in range(size)]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FINHASH_HOME", str(tmp_path))
    monkeypatch.setenv("FINHASH_OUT", str(tmp_path))
    monkeypatch.setenv("FINHASH_SCALE", "smoke")
    return tmp_path


def random_table(names=NAMES, seed=0):
    rng = np.random.default_rng(seed)
    found = [
        {"path": name, "find": rng.bytes(32), "dhash64": rng.bytes(8), "error": ""}
        for name in names
    ]
    table = HashTable(pa.Table.from_pylist(found, table_schema(METHODS)))
    return table.with_provenance(dataset="memes")


def test_saved_methods_load_as_one_table():
    table = random_table()
    committed.save(table)
    loaded = committed.load(METHODS)
    assert loaded.paths == table.paths
    assert loaded.methods == METHODS
    for method in METHODS:
        np.testing.assert_array_equal(loaded.hashes(method), table.hashes(method))
    assert committed.load(["dhash64"]).methods == ["dhash64"]


def test_tables_of_different_images_do_not_load_as_one():
    committed.save(random_table().select(["find"]))
    committed.save(random_table(NAMES[1:]).select(["dhash64"]))
    with pytest.raises(ValueError, match=r"dhash64\.parquet lists other images"):
        committed.load(METHODS)


def test_compare_finds_the_methods_that_differ():
    committed.save(random_table())
    other = committed.subset(random_table(seed=1), project.scale())
    same = committed.subset(random_table(), project.scale())
    assert committed.compare(same) == {"find": True, "dhash64": True}
    committed.save(random_table(seed=1).select(["find"]))
    assert committed.compare(same) == {"find": False, "dhash64": True}
    assert committed.compare(other) == {"find": True, "dhash64": False}


@pytest.mark.parametrize("scale", [*project.SCALES.values(), project.Scale("odd", 3, 1)])
def test_subset_and_load_choose_the_same_images(home, monkeypatch, scale):
    folder = home / "images"
    folder.mkdir()
    for name in NAMES:
        (folder / name).touch()
    monkeypatch.setenv("FINHASH_DAS_IMAGES", str(folder))
    loaded = [path.name for path in datasets.load(scale).paths]
    assert committed.subset(random_table(), scale).paths == loaded


def test_families_come_from_file_names():
    expected = np.repeat(2 * np.arange(len(SIZES)), SIZES)
    np.testing.assert_array_equal(committed.families(random_table()), expected)


def test_a_drawn_data_set_uses_the_committed_hashes():
    committed.save(random_table())
    table = committed.hash_or_load(datasets.Dataset("drawn", Path(), []), METHODS)
    assert table == committed.subset(random_table(), project.scale())


def test_a_drawn_data_set_uses_the_committed_transformed_hashes_of_the_gallery():
    committed.save_transformed(random_table())
    gallery = random_table(NAMES[3:5])
    table = committed.hash_or_load_transformed(datasets.Dataset("drawn", Path(), []), gallery, 1)
    assert table.paths == NAMES[3:5]


def test_transformed_are_the_first_readable_images_of_families(home):
    names = ("0001_1.jpg", "0001_2.jpg", "0002_1.jpg", "0003_1.jpg")
    paths = [home / name for name in names]
    for path in paths:
        path.write_bytes(jpeg_bytes())
    for k in (0, 2):
        paths[k].write_text("not an image")
    dataset = datasets.Dataset("das_images", home, paths)
    chosen = transforms.queries(dataset, 10)
    assert [path.name for path in chosen] == ["0001_2.jpg", "0003_1.jpg"]


@pytest.mark.parametrize("size", [(64, 64), (300, 900), (20, 3), (1500, 400)])
@pytest.mark.parametrize("name", ["screenshot", "watermark", "resize", "crop"])
def test_images_of_any_size_can_be_transformed(home, size, name):
    path = home / "0001_1.jpg"
    Image.new("RGB", size, "teal").save(path)
    transform = transforms.TRANSFORMS[name]
    for strength in transform.strengths:
        made = open_image(transform.apply(transforms.Subject(path), strength))
        assert max(made.size) <= 3 * transforms.LARGEST
        if name == "screenshot":  # all of the image is on the screen
            teal = np.asarray(made).astype(int) - np.array(Image.new("RGB", (1, 1), "teal"))
            seen = (abs(teal).max(axis=2) < 20).sum()
            shrunk = transforms.Subject(path).image
            assert seen >= 0.9 * shrunk.width * shrunk.height - 50


@pytest.mark.slow
def test_another_data_set_is_hashed(home):
    paths = [home / name for name in NAMES[:3]]
    for k, path in enumerate(paths):
        path.write_bytes(jpeg_bytes(seed=k))
    dataset = datasets.Dataset("das_images", home, paths)
    table = committed.hash_or_load(dataset, METHODS, progress=False)
    assert table.paths == NAMES[:3]
    assert table.provenance["dataset"] == "das_images"
    assert table.provenance["fingerprint"] == dataset.fingerprint
    for method in METHODS:
        expected = [methods.get(method).hash(path) for path in paths]
        np.testing.assert_array_equal(table.hashes(method), expected)


@pytest.fixture
def photos(home, monkeypatch) -> datasets.Dataset:
    """Return a user's own set of four images, of which one cannot be read."""
    folder = home / "photos"
    folder.mkdir()
    for k in range(3):
        (folder / f"000{k}_00001.jpg").write_bytes(jpeg_bytes(seed=k))
    (folder / "0003_00001.jpg").write_bytes(b"not an image")
    monkeypatch.setenv("FINHASH_DAS_IMAGES", str(folder))
    monkeypatch.setenv("FINHASH_OUT", str(home / "out"))
    return datasets.load()


def test_saved_hashes_are_used_again_for_the_same_files(photos, monkeypatch):
    first = committed.hash_or_load(photos, METHODS, progress=False)
    assert [bool(error) for error in first.errors] == [False, False, False, True]
    monkeypatch.setattr(committed, "hash_dataset", lambda *_, **__: pytest.fail("hashed again"))
    again = committed.hash_or_load(photos, METHODS, progress=False)
    assert again.paths == first.paths
    assert again.without_errors().digest("find") == first.without_errors().digest("find")


def test_saved_hashes_that_no_longer_come_out_are_replaced(photos, monkeypatch):
    right = committed.hash_or_load(photos, METHODS, progress=False)
    wrong = random_table(right.paths).with_provenance(**right.provenance)
    committed.save(wrong)
    again = committed.hash_or_load(photos, METHODS, progress=False)
    assert again.without_errors().digest("find") == right.without_errors().digest("find")


def test_other_files_are_hashed(photos):
    committed.hash_or_load(photos, METHODS, progress=False)
    (photos.folder / "0004_00001.jpg").write_bytes(jpeg_bytes(seed=9))
    assert len(committed.hash_or_load(datasets.load(), METHODS, progress=False)) == 5
