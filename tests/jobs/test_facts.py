"""Tables hold the size, the format and the modification time of each image."""

import builtins
import io
import json
import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from finhash import HashTable, hash_files, hash_images, methods
from finhash.images import sources
from finhash.jobs import parts
from tests.conftest import jpeg_bytes, noise

FACTS = ["width", "height", "bytes", "format", "modified", "orientation"]

DATA = Path(__file__).parents[1] / "tables" / "data"


def facts(table: HashTable, row: int = 0) -> tuple:
    return tuple(table.column(name)[row] for name in FACTS)


@pytest.fixture
def photos(tmp_path) -> dict[str, Path]:
    """Return images of 90 x 60 pixels by the name of their format."""
    image = Image.fromarray(noise(60, 90))
    found = {}
    for name in ("JPEG", "PNG", "GIF", "TIFF", "BMP", "WEBP", "PPM"):
        found[name] = tmp_path / f"image.{name}"
        image.save(found[name], name)
    return found


@pytest.mark.parametrize(
    "names", [["find"], ["find_luma"], ["dhash64"], ["pdq"], ["find", "dhash64", "find_luma"]]
)
def test_a_row_holds_the_size_and_format_of_its_file(photos, names):
    table = hash_files(photos.values(), names, progress=False)
    assert table.errors == [""] * len(photos)
    for row, (name, path) in enumerate(photos.items()):
        status = path.stat()
        assert facts(table, row) == (90, 60, status.st_size, name, status.st_mtime_ns, None)
    types = [table.arrow.schema.field(name).type for name in FACTS]
    assert types == [pa.int32(), pa.int32(), pa.int64(), pa.string(), pa.int64(), pa.int8()]


@pytest.mark.parametrize("names", [["find"], ["find", "dhash64"]])
def test_several_jpegs_in_one_file_are_a_jpeg(tmp_path, names):
    first, second = (Image.fromarray(noise(60, 90, seed)) for seed in range(2))
    first.save(tmp_path / "two.mpo", save_all=True, append_images=[second])
    with Image.open(tmp_path / "two.mpo") as image:
        assert image.format == "MPO"
    assert hash_files(tmp_path, names, progress=False).column("format") == ["JPEG"]


def test_the_size_is_that_before_exif_orientation(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise(60, 90)).save(tmp_path / "turned.jpg", exif=exif)
    assert facts(hash_files(tmp_path, progress=False))[:2] == (90, 60)


def test_facts_that_are_not_known_are_null(folder):
    paths = [*sorted(folder.glob("[a-z]*")), folder / "missing.jpg"]
    table = hash_files(paths, progress=False)
    rows = {path.name: facts(table, row) for row, path in enumerate(paths)}
    assert rows["missing.jpg"] == rows["directory.jpg"] == (None,) * 6
    assert rows["empty.jpg"][:4] == (None, None, 0, None)
    text = (folder / "text.jpg").stat()
    assert rows["text.jpg"] == (None, None, text.st_size, None, text.st_mtime_ns, None)
    damaged = (folder / "truncated.jpg").stat()
    assert rows["truncated.jpg"] == (200, 200, 3000, "JPEG", damaged.st_mtime_ns, None)


def test_images_that_are_no_files_have_the_facts_that_are_known(photos):
    content = photos["PNG"].read_bytes()
    items = {
        "path": photos["PNG"],
        "bytes": content,
        "file": io.BytesIO(content),
        "image": Image.fromarray(noise(60, 90)),
        "array": noise(60, 90),
        "none": None,
    }
    table = hash_images(items.items(), progress=False)
    rows = {name: facts(table, row) for row, name in enumerate(items)}
    status = photos["PNG"].stat()
    assert rows["path"] == (90, 60, status.st_size, "PNG", status.st_mtime_ns, None)
    assert rows["bytes"] == rows["file"] == (90, 60, len(content), "PNG", None, None)
    assert rows["image"] == rows["array"] == (90, 60, None, None, None, None)
    assert rows["none"] == (None,) * 6


@pytest.mark.parametrize("names", [["find"], ["find", "dhash64"]])
def test_no_file_is_opened_twice(photos, names, monkeypatch):
    opened: Counter[str] = Counter()

    def counted(function):
        def count(path, *rest, **more):
            opened[str(path)] += 1
            return function(path, *rest, **more)

        return count

    monkeypatch.setattr("builtins.open", counted(builtins.open))
    monkeypatch.setattr(sources, "_File", counted(sources._File))
    table = hash_files(photos.values(), names, executor="serial", progress=False)
    assert table.column("width") == [90] * len(photos)
    assert {opened[str(path)] for path in photos.values()} == {1}


def test_threads_do_not_mix_facts(tmp_path):
    for k in range(1, 61):
        kind = "png" if k % 2 else "jpg"
        Image.fromarray(noise(64 + k, 64)).save(tmp_path / f"{k:02d}.{kind}")
    table = hash_files(tmp_path, workers=8, progress=False)
    assert table.column("height") == list(range(65, 125))
    assert table.column("format") == ["PNG", "JPEG"] * 30


def test_an_own_method_that_hashes_other_images_leaves_the_facts(tmp_path, monkeypatch):
    monkeypatch.setattr(methods, "METHODS", dict(methods.METHODS))
    other = jpeg_bytes(20, 30)
    methods.register("other", lambda image: methods.get("find").hash(other), bits=256)
    Image.fromarray(noise(60, 90)).save(tmp_path / "a.png")
    assert facts(hash_files(tmp_path, ["other"], progress=False))[:2] == (90, 60)


def test_facts_stay_when_a_method_is_added_and_change_with_the_file(folder, tmp_path):
    paths = sorted(folder.glob("0*.jpg"))
    first = hash_files(paths, out=tmp_path / "out", progress=False)
    both = hash_files(paths, ["find", "dhash64"], out=tmp_path / "out", progress=False)
    assert [both.column(name) for name in FACTS] == [first.column(name) for name in FACTS]
    paths[2].write_bytes(jpeg_bytes(30, 40))
    table = hash_files(paths, ["find", "dhash64"], out=tmp_path / "out", progress=False)
    assert facts(table, 2)[:3] == (40, 30, paths[2].stat().st_size)
    assert facts(table, 3) == facts(first, 3)


def test_older_folders_are_read_and_get_the_columns(tmp_path, monkeypatch):
    out = Path(shutil.copytree(DATA / "format1", tmp_path / "format1"))
    old = HashTable.read(out)
    assert old.arrow.column_names == ["path", "find", "dhash64", "error"]
    with pytest.raises(KeyError, match="has no column 'width'; it has: path, find, dhash64, error"):
        old.column("width")
    monkeypatch.setattr(parts, "versions", lambda: old.provenance["versions"])
    Image.fromarray(noise(60, 90)).save(tmp_path / "new.png")
    hash_files([tmp_path / "new.png"], out=out, progress=False)
    table = HashTable.read(out)
    assert table.filter(old.paths) == old
    row = table.paths.index(str(tmp_path / "new.png"))
    assert facts(table, row)[:2] == (90, 60)
    assert [table.column("width")[k] for k in range(len(table)) if k != row] == [None] * len(old)
    assert {tuple(pq.read_schema(part).names) for part in out.glob("*.parquet")} == {
        ("path", "find", "dhash64", "error", *FACTS, "key")
    }
    number = {
        json.loads(pq.read_schema(part).metadata[b"finhash"])["format"]
        for part in out.glob("*.parquet")
    }
    assert number == {1}


def test_columns_of_other_meaning_are_kept_but_are_no_facts():
    hashes = pa.array([bytes(32)], pa.binary(32))
    arrow = pa.table({"path": ["a"], "find": hashes, "width": ["wide"], "bytes": ["12"]})
    table = HashTable(arrow)
    assert table.column("width") == ["wide"]
    assert table.column("bytes") == [12]
    assert table.select(["find"]).arrow.column_names == ["path", "find", "error", "bytes"]


@pytest.mark.parametrize("name", FACTS)
def test_no_method_has_the_name_of_a_fact(name):
    with pytest.raises(ValueError, match=f"cannot have the name '{name}'"):
        methods.register(name, lambda image: np.zeros(8, np.uint8), bits=64)


def test_times_are_exact_to_the_nanosecond(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg_bytes())
    time = 1_700_000_000_123_456_789
    os.utime(path, ns=(time, time))
    table = hash_files([path, tmp_path / "missing.jpg"], progress=False)
    assert table.column("modified") == [time, None]
    assert HashTable.from_pandas(table.to_pandas()).column("modified") == [time, None]
