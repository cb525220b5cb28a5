"""Preparation, quality and the limit on pixels, in jobs and in the tables that they make."""

import io
import json
import shutil
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from PIL import Image

from finhash import HashTable, hash_files, hash_images, images, methods, quality
from finhash.images import decode
from finhash.jobs import parts, sync
from finhash.preparation import AS_STORED, Preparation
from tests.conftest import jpeg_bytes, noise

DATA = Path(__file__).parents[1] / "tables" / "data"


def soft(seed: int = 0) -> Image.Image:
    """Return an image of soft patches, 120 x 90."""
    return Image.fromarray(noise(7, 9, seed)).resize((120, 90), Image.Resampling.BICUBIC)


@pytest.fixture
def files(tmp_path) -> list[Path]:
    """Return an ordinary JPEG, a turned one, a transparent PNG, a flat image and a text."""
    folder = tmp_path / "photos"
    folder.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    soft(0).save(folder / "plain.jpg", quality=95)
    soft(1).transpose(Image.Transpose.ROTATE_90).save(folder / "turned.jpg", exif=exif, quality=95)
    clear = soft(2).convert("RGBA")
    clear.paste((0, 0, 0, 0), (0, 0, 60, 45))
    clear.save(folder / "clear.png")
    Image.new("RGB", (50, 40), "grey").save(folder / "flat.png")
    (folder / "text.png").write_text("text")
    return sorted(folder.iterdir())


def bits(table: HashTable, name: str, method: str = "find") -> bytes:
    row = [Path(path).name for path in table.paths].index(name)
    return table.arrow[method][row].as_py()


def upright(path: Path, method: str = "find") -> bytes:
    return methods.get(method).hash(images.as_shown(path)).tobytes()


# Preparation.


@pytest.mark.parametrize("names", [["find"], ["dhash64"], ["find", "dhash64", "find_luma"]])
def test_images_are_prepared_before_they_are_hashed(files, names):
    turned = next(file for file in files if file.name == "turned.jpg")
    stored = hash_files(files, names, progress=False)
    table = hash_files(files, names, progress=False, background="white", exif=True)
    assert stored.preparation == AS_STORED
    assert table.preparation == Preparation("#ffffff", exif=True)
    ground = Image.new("RGBA", (120, 90), "white")
    ground.alpha_composite(Image.open(files[0]))
    for name in names:
        hash_of = methods.get(name).hash
        assert bits(table, "plain.jpg", name) == bits(stored, "plain.jpg", name)
        assert bits(table, "flat.png", name) == bits(stored, "flat.png", name)
        assert bits(table, "turned.jpg", name) == upright(turned, name)
        assert bits(table, "clear.png", name) == hash_of(ground.convert("RGB")).tobytes()
        assert bits(stored, "turned.jpg", name) != bits(table, "turned.jpg", name)
    assert table.errors == stored.errors
    for column in ("width", "height", "format", "orientation"):
        assert table.column(column) == stored.column(column)


def test_the_orientation_and_size_are_those_of_the_file(files):
    for exif in (False, True):
        table = hash_files(files, progress=False, exif=exif)
        rows = dict(zip([f.name for f in files], table.column("orientation"), strict=True))
        assert rows == dict.fromkeys(rows) | {"turned.jpg": 6}
        row = [f.name for f in files].index("turned.jpg")
        assert (table.column("width")[row], table.column("height")[row]) == (90, 120)


def test_sources_of_every_kind_are_prepared(files):
    path = next(file for file in files if file.name == "turned.jpg")
    content = path.read_bytes()
    sources = [path, content, bytearray(content), io.BytesIO(content), Image.open(path)]
    items = [(str(k), source) for k, source in enumerate(sources)]
    table = hash_images(items, progress=False, exif=True, quality=True)
    assert set(table.arrow["find"].to_pylist()) == {upright(path)}
    assert len(set(table.column("quality"))) == 1
    array = images.to_rgb(path)
    table = hash_images([("array", array)], progress=False, exif=True, background="red")
    assert table.hashes("find").tobytes() == methods.get("find").hash(array).tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["processes", "dask"])
def test_workers_get_the_options(files, executor):
    given = {"background": "#123", "exif": True, "quality": True, "max_pixels": 11_000}
    here = hash_files(files, progress=False, **given)
    there = hash_files(files, progress=False, executor=executor, **given)
    assert there == here
    assert there.preparation == here.preparation
    assert there.column("quality") == here.column("quality")


def test_the_preparation_is_kept_with_the_table(files, tmp_path):
    table = hash_files(files, out=tmp_path / "out", progress=False, background="white")
    for file in (tmp_path / "out").glob("*.parquet"):
        facts = json.loads(pq.read_schema(file).metadata[b"finhash"])
        assert facts["preparation"] == {"background": "#ffffff", "exif": False}
    wanted = Preparation("white")
    table.write(tmp_path / "table.parquet")
    assert HashTable.read(tmp_path / "table.parquet").preparation == wanted
    assert HashTable.read(tmp_path / "out").preparation == wanted
    assert table.select(["find"]).without_errors().preparation == wanted
    assert HashTable.concat([table, table]).preparation == wanted


def test_tables_without_an_entry_were_not_prepared(files):
    assert HashTable.read(DATA / "format1.parquet").preparation == AS_STORED
    assert HashTable.read(DATA / "format1").preparation == AS_STORED
    hashes = np.zeros((1, 32), np.uint8)
    assert HashTable.from_hashes(["17"], {"find": hashes}).preparation == AS_STORED
    assert "preparation" not in hash_files(files, progress=False).provenance


@pytest.mark.parametrize(
    ("first", "second"),
    [({}, {"exif": True}), ({"background": "white"}, {}), ({"background": "red"}, {"exif": True})],
)
def test_a_folder_of_another_preparation_is_refused(files, tmp_path, first, second):
    out = tmp_path / "out"
    table = hash_files(files[:2], out=out, progress=False, **first)
    message = (
        f"{out} was made with another preparation: {Preparation(**first)}, instead of "
        f"{Preparation(**second)}; pass the same background and exif, or use another folder"
    )
    with pytest.raises(ValueError, match=f"^{message}$"):
        hash_files(files, out=out, progress=False, **second)
    assert HashTable.read(out) == table.filter(HashTable.read(out).paths)
    assert len(hash_files(files, out=out, progress=False, **first)) == len(files)


def test_rows_can_be_removed_whatever_the_preparation(files, tmp_path):
    table = hash_files(files, out=tmp_path, progress=False, exif=True, quality=True)
    assert len(table) == len(files)  # rows are read on first access
    sync.remove(tmp_path, [files[0]])
    left = HashTable.read(tmp_path)
    assert left.paths == table.paths[1:]
    assert left.preparation == Preparation(exif=True)
    assert left.column("quality") == table.column("quality")[1:]


def test_tables_of_two_preparations_are_not_concatenated(files):
    tables = [hash_files(files, progress=False, exif=exif) for exif in (False, True)]
    message = "in different ways, no preparation and EXIF orientation applied: hash the files of"
    with pytest.raises(ValueError, match=message):
        HashTable.concat(tables)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"background": "wite"}, ValueError, "background is 'wite', which is no colour"),
        ({"background": 0}, TypeError, "background is 0; pass a colour"),
        ({"exif": 1}, TypeError, "exif is 1; pass True or False"),
        ({"max_pixels": 0}, ValueError, "max_pixels is 0; pass at least 1"),
        ({"max_pixels": 1.5}, TypeError, "max_pixels is 1.5; pass a whole number"),
        (
            {"max_pixels": 178_956_971},
            ValueError,
            "max_pixels is 178,956,971, but Pillow refuses images of more than 178,956,970 pixels: "
            "set PIL.Image.MAX_IMAGE_PIXELS to 89478486 first",
        ),
    ],
)
def test_wrong_options_are_named_before_anything_is_done(files, tmp_path, options, error, message):
    for call in (
        lambda: hash_files(files, out=tmp_path / "out", progress=False, **options),
        lambda: hash_images([], out=tmp_path / "out", progress=False, **options),
    ):
        with pytest.raises(error, match=message):
            call()
    assert not (tmp_path / "out").exists()


# Quality.


def test_the_quality_is_the_last_column_and_that_of_the_prepared_image(files):
    table = hash_files(files, ["find", "dhash64"], progress=False, quality=True, exif=True)
    assert table.arrow.column_names[-2:] == ["orientation", "quality"]
    expected = [
        None if error else quality.quality(images.to_rgb(images.as_shown(path)))
        for path, error in zip(files, table.errors, strict=True)
    ]
    assert table.column("quality") == expected
    by_name = dict(zip([file.name for file in files], expected, strict=True))
    assert by_name["flat.png"] < quality.LOWEST <= by_name["plain.jpg"]
    assert by_name["text.png"] is None
    assert "quality" not in hash_files(files, progress=False).arrow.column_names
    assert table.select(["find"]).column("quality") == expected
    assert HashTable.from_pandas(table.to_pandas()).column("quality") == expected
    assert "quality" in repr(table)


@pytest.mark.parametrize(
    "names",
    [["find"], ["find_luma"], ["dhash64"], ["find", "find64"], ["find", "pdq", "find_luma"]],
)
def test_the_quality_changes_no_hash_and_no_fact(files, tmp_path, names):
    Image.fromarray(noise(1300, 900)).save(tmp_path / "large.jpg")
    Image.fromarray(noise(600, 900)).save(tmp_path / "large.png")
    files = [*files, tmp_path / "large.jpg", tmp_path / "large.png"]
    first = hash_files(files, names, progress=False)
    second = hash_files(files, names, progress=False, quality=True)
    assert second == first
    alone = [hash_files(files, [name], progress=False) for name in names]
    for name, table in zip(names, alone, strict=True):
        assert first.arrow[name] == table.arrow[name]
    for name in ("width", "height", "format", "bytes", "orientation"):
        assert second.column(name) == first.column(name)


@pytest.mark.parametrize("names", [["find"], ["find", "find64"], ["find", "dhash64"], ["dhash64"]])
def test_an_image_is_decoded_and_shrunk_once(tmp_path, names, monkeypatch):
    Image.fromarray(noise(600, 900)).save(tmp_path / "large.png")
    done = []
    for name in ("_decode", "_shrink", "_shrink_array"):
        function = getattr(decode, name)
        monkeypatch.setattr(
            decode, name, lambda *a, f=function, n=name: done.append((n, np.size(a[0]))) or f(*a)
        )
    hash_files([tmp_path / "large.png"], names, progress=False, quality=True)
    assert [name for name, _ in done].count("_decode") == 1
    assert [name for name, _ in done].count("_shrink") == 1


def test_rows_of_a_folder_get_the_quality_and_keep_their_hashes(files, tmp_path, own, monkeypatch):
    out = tmp_path / "out"
    first = hash_files(files, [own.name], out=out, progress=False)
    monkeypatch.setattr(
        methods.Method, "hash", lambda self, image: pytest.fail("a hash was made again")
    )
    table = hash_files(files, [own.name], out=out, progress=False, quality=True)
    assert table == first
    qualities = table.column("quality")
    assert [value is None for value in qualities] == [bool(error) for error in table.errors]
    again = hash_files(files, [own.name], out=out, progress=False)
    assert again.column("quality") == qualities
    for seen in readers(out):
        assert sorted(seen, key=str) == sorted(qualities, key=str)


def readers(folder: Path) -> list[list[int | None]]:
    """Return the qualities in a folder as other programs read them."""
    pattern = f"{folder}/*.parquet"
    frame = pd.read_parquet(folder)["quality"]
    return [
        [None if np.isnan(value) else int(value) for value in frame],
        pl.read_parquet(pattern)["quality"].to_list(),
        [row[0] for row in duckdb.sql(f"SELECT quality FROM '{pattern}'").fetchall()],
        ds.dataset(folder, exclude_invalid_files=True).to_table()["quality"].to_pylist(),
    ]


def test_an_image_that_cannot_be_shrunk_in_its_own_mode_has_a_quality(tmp_path):
    wide = np.tile(np.arange(0, 60_000, 20, dtype=np.uint16), (40, 1))
    Image.fromarray(wide).save(tmp_path / "wide.png")
    first = hash_files([tmp_path / "wide.png"], ["dhash64"], progress=False)
    second = hash_files([tmp_path / "wide.png"], ["dhash64"], progress=False, quality=True)
    assert first.errors == [""]
    assert second == first
    assert second.column("quality")[0] is not None
    found = hash_files([tmp_path / "wide.png"], progress=False, quality=True)
    assert found.errors[0].startswith("UnsupportedModeError")


def test_new_files_of_a_folder_with_qualities_get_them_too(files, tmp_path):
    hash_files(files[:2], out=tmp_path / "out", progress=False, quality=True)
    table = hash_files(files, out=tmp_path / "out", progress=False)
    whole = hash_files(files, progress=False, quality=True)
    assert table == whole
    assert table.column("quality") == whole.column("quality")


def test_a_changed_file_gets_another_quality(files, tmp_path):
    flat = next(file for file in files if file.name == "flat.png")
    hash_files(files, out=tmp_path / "out", progress=False, quality=True)
    flat.write_bytes(jpeg_bytes(70, 80))
    table = hash_files([flat], ["find", "dhash64"], out=tmp_path / "out", progress=False)
    assert table.column("quality") == [quality.quality(images.to_rgb(flat))]
    assert table.errors == [""]


def test_older_folders_get_the_columns(tmp_path, monkeypatch):
    out = Path(shutil.copytree(DATA / "format1", tmp_path / "format1"))
    old = HashTable.read(out)
    monkeypatch.setattr(parts, "versions", lambda: old.provenance["versions"])
    soft().save(tmp_path / "new.png")
    hash_files([tmp_path / "new.png"], out=out, progress=False, quality=True)
    table = HashTable.read(out)
    assert table.filter(old.paths) == old
    row = table.paths.index(str(tmp_path / "new.png"))
    others = [value for k, value in enumerate(table.column("quality")) if k != row]
    assert table.column("quality")[row] > 0
    assert others == [None] * len(old)
    assert {len(seen) for seen in readers(out)} == {len(old) + 1}


@pytest.mark.parametrize("name", ["quality", "orientation"])
def test_no_method_has_the_name_of_a_column(name):
    with pytest.raises(ValueError, match=f"cannot have the name '{name}'"):
        methods.register(name, lambda image: np.zeros(8, np.uint8), bits=64)


# The limit on pixels.


@pytest.mark.parametrize("names", [["find"], ["find_luma", "dhash64"]])
def test_larger_images_are_rows_that_are_tried_again(tmp_path, names):
    paths = [tmp_path / name for name in ("a.jpg", "b.png", "small.jpg")]
    for path in paths[:2]:
        soft().save(path)
    paths[2].write_bytes(jpeg_bytes(40, 40))
    table = hash_files(paths, names, out=tmp_path / "out", progress=False, max_pixels=120 * 90 - 1)
    reason = (
        "ImageTooLargeError: 120 x 90 pixels are more than max_pixels=10799; raise max_pixels if "
        "you trust the source"
    )
    assert table.errors == [reason, reason, ""]
    assert table.column("width") == [120, 120, 40]
    assert table.column("format") == ["JPEG", "PNG", "JPEG"]
    larger = hash_files(paths, names, out=tmp_path / "out", progress=False, max_pixels=120 * 90)
    assert larger.errors == [""] * 3
    smaller = hash_files(paths, names, out=tmp_path / "out", progress=False, max_pixels=1)
    assert smaller == larger


def test_the_limit_may_exceed_pillows_warning_and_follows_its_setting(tmp_path, monkeypatch):
    soft().save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 6000)
    with pytest.raises(ValueError, match="Pillow refuses images of more than 12,000 pixels"):
        hash_files([tmp_path / "a.png"], progress=False, max_pixels=12_001)
    with pytest.warns(Image.DecompressionBombWarning):
        table = hash_files([tmp_path / "a.png"], progress=False, max_pixels=12_000)
    assert table.errors == [""]
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    table = hash_files([tmp_path / "a.png"], progress=False, max_pixels=10**12)
    assert table.errors == [""]
