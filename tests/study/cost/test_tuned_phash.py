"""Tuned pHash gives the hashes of imagehash."""

import io

import numpy as np
import pytest
from PIL import Image

from finhash import methods
from finhash.study import timing
from finhash.study.cost import tuned_phash
from finhash.study.data import drawn, memes

SIZES = [(250, 250), (64, 64), (40, 90), (321, 200), (700, 500), (1200, 33)]


@pytest.fixture
def files(tmp_path):
    """Return JPEG files of several sizes, one of them grey."""
    paths = []
    for number, size in enumerate(SIZES):
        image = drawn.draw_template(3, number).resize(size)
        paths.append(tmp_path / f"{number}.jpg")
        paths[-1].write_bytes(memes.jpeg(image))
    grey = tmp_path / "grey.jpg"
    drawn.draw_template(3, 9).convert("L").save(grey, "JPEG")
    return [*paths, grey]


def test_tuned_hashes_equal_those_of_imagehash(files):
    assert set(tuned_phash.changed_hashes(files).values()) == {0}


def test_a_changed_hash_is_counted(files, monkeypatch):
    monkeypatch.setitem(tuned_phash.CONTENDERS, "pHash, compiled", methods.get("find").hash)
    assert tuned_phash.changed_hashes(files)["pHash, compiled"] == len(files)


def test_samples_equal_those_of_pillow():
    rng = np.random.default_rng(1)
    for cols, rows in SIZES:
        pixels = rng.integers(0, 2, (rows, cols, 3), np.uint8) * np.uint8(255)
        small = Image.fromarray(pixels).convert("L").resize((64, 64), Image.Resampling.LANCZOS)
        assert np.array_equal(tuned_phash.small_luma(pixels), np.asarray(small))


def test_summary_relates_all_contenders_to_find(files):
    changed = tuned_phash.changed_hashes(files)
    timings = tuned_phash.times(files, 2)
    assert set(timings["contender"]) == set(tuned_phash.CONTENDERS)
    table = tuned_phash.summary(timings, changed, len(files)).set_index("contender")
    assert table["ratio"]["FINd"] == 1
    assert (table["low"] <= table["ms"]).all()
    assert table["changed"].isna().tolist() == [True, False, False, True]
    assert io.StringIO(table.to_csv()).readline()


def test_times_are_per_image(monkeypatch):
    seen = {}

    def time_calls(calls, repeats, items):
        seen.update(calls=len(calls), repeats=repeats, items=items)

    monkeypatch.setattr(timing, "time_calls", time_calls)
    tuned_phash.times([], 3)
    assert seen == {"calls": len(tuned_phash.CONTENDERS), "repeats": 3, "items": 0}
