"""Test files have the sizes asked for; costs and changed bits are complete tables."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from finhash import methods
from finhash.study.cost import large
from tests.conftest import jpeg_bytes


@pytest.fixture
def paths(tmp_path):
    """Return three images of 60 x 90 pixels (width x height)."""
    paths = [tmp_path / f"image_{k}.jpg" for k in range(3)]
    for k, path in enumerate(paths):
        path.write_bytes(jpeg_bytes(90, 60, seed=k))
    return paths


@pytest.fixture
def files(paths, tmp_path):
    """Return two of the images as files of two sizes."""
    folder = tmp_path / "sizes"
    folder.mkdir()
    return large.make_files(paths[:2], folder, sides=(16, 600))


def test_every_other_image_is_cropped_to_4_3(paths, tmp_path):
    files = large.make_files(paths, tmp_path, sides=(40, 120))
    assert {side: [Image.open(file).size for file in made] for side, made in files.items()} == {
        40: [(27, 40), (40, 30), (27, 40)],
        120: [(80, 120), (120, 90), (80, 120)],
    }
    assert all(Image.open(file).format == "JPEG" for made in files.values() for file in made)


def test_grain_adds_detail_and_is_the_same_every_time(paths, tmp_path):
    def sizes(grain):
        [made] = large.make_files(paths, tmp_path, sides=(400,), grain=grain).values()
        return [file.stat().st_size for file in made]

    plain, grainy = sizes(0.0), sizes(large.GRAIN)
    assert all(more > less for less, more in zip(plain, grainy, strict=True))
    assert sizes(large.GRAIN) == grainy


def test_a_narrow_image_keeps_a_pixel(tmp_path):
    Image.new("RGB", (1, 500)).save(tmp_path / "narrow.png")
    files = large.make_files([tmp_path / "narrow.png"], tmp_path, sides=(40,))
    assert Image.open(files[40][0]).size == (1, 40)


def test_contenders_hash_files(files):
    for [path, _] in files.values():
        hashes = {name: call(path) for name, call in large.CONTENDERS.items()}
        assert hashes.pop(large.DECODE).shape[2] == 3
        np.testing.assert_array_equal(hashes[large.OLD], hashes["find"])
        for name, packed in hashes.items():
            method = methods.get(name.split(",")[0])
            assert (packed.dtype, len(packed)) == (np.uint8, method.bits // 8)


def test_costs_keep_every_repeat(files):
    timings = large.costs(files, 1)
    assert list(timings) == ["side", "contender", "state", "repeat", "seconds"]
    assert timings["side"].unique().tolist() == [16, 600]
    assert timings["contender"].unique().tolist() == list(large.CONTENDERS)
    counts = timings.groupby(["side", "contender", "state"]).size()
    assert counts.groupby("state").unique().map(list).to_dict() == {"cold": [1], "warm": [3]}
    assert (timings["seconds"] > 0).all()


def test_repeats_are_fewer_for_large_images(monkeypatch):
    asked = []

    def time_calls(contenders, repeats, *, items):
        asked.append((repeats, items))
        return pd.DataFrame({"seconds": [1.0]})

    monkeypatch.setattr(large.timing, "time_calls", time_calls)
    large.costs({999: ["a", "b"], 1000: ["a"]}, 7)
    assert asked == [(21, 2), (7, 1)]


def test_ratios_are_medians_of_single_repeats():
    seconds = {"decode": [1e-3, 2e-3, 1e-3], "find": [2e-3, 3e-3, 4e-3], "dhash64": [4e-3] * 3}
    rows = [
        (side, name, state, repeat, side * value)
        for side in (1, 2)
        for name, values in seconds.items()
        for state, samples in (("cold", [9.0]), ("warm", values))
        for repeat, value in enumerate(samples)
    ]
    timings = pd.DataFrame(rows, columns=["side", "contender", "state", "repeat", "seconds"])
    table = large.summary(timings)
    assert table["side"].tolist() == [1, 1, 1, 2, 2, 2]
    table = table.set_index(["side", "contender"])
    np.testing.assert_allclose(table["ms"], [1, 3, 4, 2, 6, 8])
    expected = {"decode": (1, 1, 1), "find": (2, 1.75, 3), "dhash64": (4, 3, 4)}
    for name, ratios in expected.items():
        row = table.loc[1, name]
        found = row[["over_decode", "over_decode_low", "over_decode_high"]]
        np.testing.assert_allclose(found.astype(float), ratios)
    np.testing.assert_allclose(table["over_find"][1], [0.5, 1, 4 / 3])


def test_changed_bits_are_counted_by_size(files, monkeypatch):
    flips = iter([0b0, 0b11, 0b111, 0b1])  # of the two files of each size
    monkeypatch.setitem(large.CONTENDERS, "exact", lambda path: np.zeros(8, np.uint8))
    monkeypatch.setitem(
        large.CONTENDERS, "changed", lambda path: np.array([next(flips)] + [0] * 7, np.uint8)
    )
    monkeypatch.setattr(large, "APPROXIMATE", {"changed": "exact"})
    table = large.bits_changed(files)
    assert table[["side", "contender", "images"]].values.tolist() == [
        [16, "changed", 2],
        [600, "changed", 2],
    ]
    np.testing.assert_allclose(table["mean"], [1, 2])
    np.testing.assert_allclose(table["p99"], [1.98, 2.98])
    assert table["most"].tolist() == [2, 3]


def test_luma_of_grey_images_below_512_changes_no_bit(tmp_path):
    Image.radial_gradient("L").save(tmp_path / "grey.png")
    table = large.bits_changed(large.make_files([tmp_path / "grey.png"], tmp_path, sides=(64,)))
    assert table["contender"].tolist() == list(large.APPROXIMATE)
    assert table.set_index("contender")["most"]["find_luma"] == 0
