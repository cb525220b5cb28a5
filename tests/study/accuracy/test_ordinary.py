"""Ordinary images: the list, finding files, counting false matches and recall."""

import hashlib

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from scipy import stats

from finhash.study.accuracy import ordinary as accuracy
from finhash.study.data import committed, ordinary, transforms
from finhash.tables.hash_table import HashTable
from finhash.tables.schema import schema as table_schema
from tests.conftest import jpeg_bytes


def hash_table(names, distances, cells=None):
    """Make hashes of 64 bits on a line: the distance of two is the difference of their numbers."""
    bits = np.arange(64) < np.array(distances)[:, None]
    found = [
        {"path": name, "dhash64": row.tobytes(), "error": ""}
        for name, row in zip(names, np.packbits(bits, axis=1), strict=True)
    ]
    table = pa.Table.from_pylist(found, table_schema(["dhash64"]))
    if cells is not None:
        for column, values in zip(transforms.CELL, zip(*cells, strict=True), strict=True):
            table = table.append_column(column, [values])
    return HashTable(table)


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A folder of three files, of which two are listed to be hashed."""
    monkeypatch.setenv("FINHASH_HOME", str(tmp_path))
    monkeypatch.setenv("FINHASH_OUT", str(tmp_path))
    folder, lines = tmp_path / "packages", ["name,kind,left_out,package,file,sha256"]
    folder.mkdir()
    left_out = {"a": "", "b": "variant of a", "c": ""}
    for seed, (name, why) in enumerate(left_out.items()):
        data = jpeg_bytes(100, 100, seed)
        (folder / f"{name}.jpg").write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        lines.append(f"{name},drawing,{why},wallpapers 1,usr/{name}.jpg,{digest}")
    hashes = tmp_path / "data" / "hashes" / "ordinary"
    hashes.mkdir(parents=True)
    (hashes / "images.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_images_are_found_by_content_wherever_they_lie(packages):
    (packages / "inner").mkdir()
    moved = (packages / "c.jpg").rename(packages / "inner" / "renamed.jpg")
    assert ordinary.find_images(packages) == {"a": packages / "a.jpg", "c": moved}


def test_a_missing_image_is_named(packages):
    (packages / "c.jpg").write_bytes(jpeg_bytes(seed=9))
    found = CliRunner().invoke(ordinary.main, [str(packages)])
    assert found.exit_code == 2
    assert "lacks 1 of 2 images, for example usr/c.jpg of wallpapers 1" in found.output


@pytest.mark.slow
def test_hashed_tables_load_again(packages, monkeypatch):
    monkeypatch.setattr(committed, "TRANSFORMED_METHODS", ("dhash64",))
    images = ordinary.find_images(packages)
    unchanged, transformed = ordinary.hash_images(images, progress=False)
    committed.save(unchanged)
    committed.save_transformed(transformed)
    assert unchanged.paths == ["a", "c"]
    assert not any(unchanged.errors + transformed.errors)
    assert {*transformed.paths} == {"a", "c"}
    for loaded, made in zip(ordinary.load("drawing"), (unchanged, transformed), strict=True):
        assert loaded.digest("dhash64") == made.digest("dhash64")
    assert [len(table) for table in ordinary.load("photograph")] == [0, 0]


def test_the_committed_tables_hold_the_listed_images():
    images = ordinary.listed()
    reasons = images["left_out"][images["left_out"].str.startswith("variant of ")]
    unchanged, transformed = ordinary.load()
    assert unchanged.paths == ordinary.counted()["name"].to_list()
    assert {*reasons.str.removeprefix("variant of ")} <= {*unchanged.paths}
    cells = sum(len(transforms.TRANSFORMS[n].strengths) for n in transforms.grid("das_images"))
    assert len(transformed) == cells * len(unchanged)
    assert not any(unchanged.errors + transformed.errors)
    kinds = [len(ordinary.load(kind)[0]) for kind in ("photograph", "drawing")]
    assert sum(kinds) == len(unchanged) and all(kinds)


def test_false_matches_by_hand():
    # Within 5 are the pairs 0 4 and 4 9 of the images, and 30 to the memes 25, 33 and 33.
    images, memes = hash_table("abcd", [0, 4, 9, 30]), hash_table("efgh", [25, 33, 33, 60])
    found = accuracy.false_matches(images, memes, {"dhash64": 5}).set_index("against")
    columns = ["threshold", "images", "pairs", "matches", "matched", "nearest"]
    assert found.loc["ordinary", columns].to_list() == [5, 4, 6, 2, 3, 4]
    assert found.loc["memes", columns].to_list() == [5, 4, 16, 3, 1, 3]
    assert found.loc["memes", "high"] == accuracy.interval(1 / 4, 4)[1]


def test_recall_by_hand():
    cells = [("blur", "1"), ("blur", "2"), ("flip", "both"), ("caption_removed", "both")]
    transformed = hash_table("aaaabbbb", [1, 5, 40, 0, 14, 19, 10, 10], cells * 2)
    found = accuracy.recall(transformed, hash_table("ba", [10, 0]), {"dhash64": 5})
    found = found.set_index("transform")
    assert found["recall"].to_dict() == {"blur": 3 / 4, "flip": 1 / 2, "all": 4 / 6}
    assert found["changed"].to_dict() == {"blur": 4, "flip": 2, "all": 6}
    assert set(found["images"]) == {2}
    assert tuple(found.loc["flip", ["low", "high"]]) == accuracy.interval(1 / 2, 2)


@pytest.mark.parametrize("count", [0, 1, 40, 93])
def test_the_interval_is_clopper_and_pearsons(count):
    expected = stats.binomtest(count, 93).proportion_ci(0.95, "exact")
    assert accuracy.interval(count / 93, 93) == pytest.approx((expected.low, expected.high))
