"""Hash tables of caption layouts that are hashed now or read from the repository."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from finhash.study import project
from finhash.study.data import committed, layouts, standin
from finhash.study.data.datasets import Dataset
from finhash.tables.hash_table import HashTable
from finhash.tables.schema import schema as table_schema

NAMES = [f"{family:04d}_{number:05d}.jpg" for family in range(12) for number in range(3)]


@pytest.fixture
def saved(tmp_path, monkeypatch) -> tuple[HashTable, HashTable]:
    """Tables of all images, saved as if committed; the scale is smaller."""
    monkeypatch.setenv("FINHASH_HOME", str(tmp_path))
    monkeypatch.setenv("FINHASH_OUT", str(tmp_path))
    monkeypatch.setenv("FINHASH_SCALE", "smoke")
    rng = np.random.default_rng(0)
    schema = table_schema(["find"]).insert(1, pa.field("layout", pa.string()))
    found = [
        {"path": name, "layout": layout, "find": rng.bytes(32), "error": ""}
        for name in NAMES
        for layout in layouts.LAYOUTS
    ]
    table = HashTable(pa.Table.from_pylist(found, schema)).with_provenance(dataset="memes")
    middle = HashTable(table.arrow.drop_columns("layout"))
    committed.save_layouts(table, middle)
    return table, middle


def test_a_drawn_data_set_uses_the_committed_hashes(saved):
    table, middle = saved
    drawn = Dataset("drawn", Path(), [])
    loaded = committed.hash_or_load_layouts(drawn, 1)
    names = layouts.images(project.SCALES["smoke"])
    assert loaded.paths == [name for name in names for _ in layouts.LAYOUTS]
    kept = np.isin(table.paths, names)
    np.testing.assert_array_equal(loaded.hashes("find"), table.hashes("find")[kept])
    gallery = HashTable(middle.arrow.slice(70, 40))
    loaded = committed.hash_or_load_middle(drawn, gallery, 1)
    assert set(loaded.paths) == set(gallery.paths)


@pytest.mark.slow
def test_the_stand_in_is_hashed(saved, tmp_path, monkeypatch):
    monkeypatch.setattr(standin, "MEMES", standin.StandIn("memes", 1))
    monkeypatch.setattr(layouts, "images", lambda scale: NAMES[:2])
    (tmp_path / "images").mkdir()
    paths = [tmp_path / "images" / name for name in NAMES[:2]]
    for path in paths:
        path.write_bytes(
            layouts.render(standin.MEMES, standin.MEMES.template(0), path.name, "natural")
        )
    dataset = Dataset("memes", tmp_path / "images", paths)
    table = committed.hash_or_load_layouts(dataset, 1)
    gallery = HashTable(table.arrow.slice(0, 2 * len(layouts.LAYOUTS)).take([len(layouts.LAYOUTS)]))
    middle = committed.hash_or_load_middle(dataset, gallery, 1)
    assert middle.paths == NAMES[1:2]
    natural = 1 + len(layouts.LAYOUTS)
    assert table.arrow["layout"][natural].as_py() == "natural"
    expected = table.hashes(layouts.DHASH_MIDDLE)[[natural]]
    np.testing.assert_array_equal(middle.hashes(layouts.DHASH_MIDDLE), expected)
    for each in (table, middle):
        assert each.provenance["fingerprint"] == dataset.fingerprint
