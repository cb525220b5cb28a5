"""Images of all kinds and sizes are compared, and every differing bit is counted."""

import numpy as np
import pytest
from click.testing import CliRunner

from finhash.find import compiled
from finhash.study import project, results
from finhash.study.reliability import volume


def sizes(kind, numbers, largest):
    """Return the heights and the widths of the images of a kind."""
    images = (volume.image(n, 1, largest) for n in numbers if volume.TURNS[n % 50][0] == kind)
    return [set(sides) for sides in zip(*(rgb.shape[:2] for _, rgb in images), strict=True)]


def test_images_depend_on_the_seed_and_the_number_alone():
    for number in range(50):
        kind, rgb = volume.image(number, seed=1, largest=40)
        assert rgb.dtype == np.uint8
        assert kind == volume.TURNS[number][0]
        again, other = (volume.image(number, seed, largest=40)[1] for seed in (1, 2))
        assert np.array_equal(rgb, again)
        assert kind in ("flat", "memes") or not np.array_equal(rgb, other)


def test_shares_are_fiftieths():
    assert len(volume.TURNS) == 50


@pytest.mark.parametrize("kind", ["few colours", "flat", "near ties"])
def test_every_height_and_width_occurs(kind):
    if kind == "near ties":  # its squares and repetitions are smaller
        assert max(map(max, sizes(kind, range(400), 8))) == 8
    else:
        assert sizes(kind, range(200), 8) == [set(range(1, 9))] * 2


def test_only_larger_images_have_a_side_above_512():
    for number in range(200):
        kind, rgb = volume.image(number, seed=1)
        assert (max(rgb.shape[:2]) > 512) == (kind == volume.LARGER)


def test_symmetric_images_often_need_the_fallback():
    numbers = [n for n in range(400) if volume.TURNS[n % 50][0] == "ties"]
    rows = volume.compare(numbers, seed=1)
    table = volume.summary(row for row in rows if row[1] == "compiled")
    assert table["bits"].sum() == 0
    assert table["fallbacks"].sum() > len(numbers) / 3


def test_all_routes_give_the_published_bits():
    table = volume.summary(volume.compare(range(100), seed=1))
    assert set(table["route"]) == {*volume.ROUTES} - {"reference"}
    assert table["kind"].unique().tolist() == list(volume.KINDS)
    assert table["images_changed"].sum() == table["bits"].sum() == 0
    assert table.loc[table["route"].isin(["compiled", "shrunk"]), "images"].sum() == 100
    assert table["first_changed"].isna().all()
    silent = table["route"].isin(["NumPy", "batch"])
    assert table.loc[silent, "fallbacks"].isna().all()
    assert table.loc[~silent, "fallbacks"].notna().all()


def test_the_published_order_gives_the_bits_of_the_reference():
    rows = volume.compare_with_reference(range(1, 50, 2), seed=1)
    assert {(route, bits) for _, route, _, _, bits, _, _ in rows} == {("reference", 0)}


def test_differing_bits_are_counted(monkeypatch):
    right = compiled.hash_rgb
    monkeypatch.setattr(compiled, "hash_rgb", lambda rgb, *bits: right(rgb, *bits) ^ np.uint8(1))
    table = volume.summary(volume.compare(range(60), seed=1)).set_index("route")
    assert (table.loc["compiled", "bits"] == 32 * table.loc["compiled", "images"]).all()
    assert table.loc["compiled", "first_changed"].min() == 0
    assert table.loc["NumPy", "bits"].sum() == 0


@pytest.mark.slow
def test_tables_are_saved_and_differing_bits_are_an_error(monkeypatch, tmp_path):
    monkeypatch.setenv("FINHASH_OUT", str(tmp_path))
    options = ["--images", "60", "--checked", "3", "--workers", "1"]
    run = CliRunner().invoke(volume.main, options)
    assert run.exit_code == 0, run.output
    saved = results.load("volume")
    assert set(saved["route"]) == {*volume.ROUTES}
    assert results.load_provenance("volume")["seed"] == project.SEED
    wrong = saved.assign(bits=1, images_changed=1, first_changed=7)
    monkeypatch.setattr(volume, "measure", lambda *_: wrong)
    run = CliRunner().invoke(volume.main, options)
    assert run.exit_code == 1
    assert "volume.image(7, 2018)" in run.output
