"""Calibration of the quality: drawn images, counts of pairs, and the choice."""

import itertools

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from finhash.quality import quality
from finhash.study import results
from finhash.study.accuracy import quality as study
from tests.conftest import jpeg_bytes


@pytest.fixture
def templates(tmp_path):
    paths = [tmp_path / f"{family:04d}_00000.jpg" for family in range(4)]
    for seed, path in enumerate(paths):
        path.write_bytes(jpeg_bytes(250, 250, seed))
    return paths


def counts_of(rows: list[tuple]) -> pd.DataFrame:
    """Return counts as from ``by_quality``, of one half, kind and distance."""
    table = pd.DataFrame(rows, columns=["quality", *study.COUNTS])
    return table.assign(half=study.HALVES[0], method="find", kind="all", radius=72)


def test_images_can_be_drawn_again_and_differ_by_number(templates):
    first, again = (list(study.draw_images(templates)) for _ in range(2))
    assert first == again
    assert len(first) == len(study.KINDS) * len(templates)
    files = [file for kind, _, file in first if kind != "clipped"]  # which may be all white
    assert len(set(files)) == len(files)


def test_kinds_have_rising_quality(templates):
    with Image.open(templates[0]) as file:
        meme = file.convert("RGB")
    draw = study.Draw(study.random.Random(1), meme)
    found = {kind: quality(np.array(function(draw))) for kind, function in study.KINDS.items()}
    assert found["flat"] == 0
    assert found["meme"] >= max(found["faded"], found["blurred"])


def test_pairs_are_counted_by_the_lower_quality():
    rng = np.random.default_rng(1)
    hashes = rng.integers(0, 256, (40, 4), dtype=np.uint8)
    value, number = rng.integers(0, 101, 40), rng.integers(0, 20, 40)
    expected = np.zeros((101, 3), int)
    for a, b in itertools.combinations(range(40), 2):
        if number[a] != number[b]:
            distance = np.bitwise_count(hashes[a] ^ hashes[b]).sum()
            expected[min(value[a], value[b])] += [1, distance <= 12, distance <= 16]
    found = study.count_pairs(hashes, value, number, [12, 16])
    np.testing.assert_array_equal(found, expected)


def test_counts_are_added_up_in_bins_and_from_candidates():
    counts = counts_of(
        [
            (0, 10, 5, 4, 4),
            (20, 12, 2, 3, 0),
            (24, 8, 0, 2, 1),
            (25, 30, 1, 6, 0),
            (100, 40, 0, 7, 0),
        ]
    )
    bins = study.binned(counts).set_index("first")
    assert bins["last"].to_dict() == {0: 0, 18: 24, 25: 34, 100: 100}
    assert bins.loc[18, list(study.COUNTS)].to_list() == [20, 2, 5, 1]
    table = study.candidates(counts).set_index("lowest")
    assert table.loc[25, list(study.COUNTS)].to_list() == [70, 1, 13, 0]
    assert table.loc[25, [f"{name}_below" for name in study.COUNTS]].to_list() == [30, 7, 9, 5]
    assert table.loc[0, "pairs_below"] == 0


@pytest.mark.parametrize(
    ("worst", "chosen"),
    [
        ((10, 10_000, 9, 100, 0), 15),  # too many pairs match below 15
        ((10, 10_000, 0, 100, 9), 15),  # too many images are lost below 15
        ((10, 10_000, 0, 100, 0), 0),
    ],
)
def test_the_smallest_value_that_meets_both_limits_is_chosen(worst, chosen):
    table = study.candidates(counts_of([worst, (60, 10_000, 1, 100, 1)]))
    assert study.choose(table) == chosen


def test_qualities_are_compared_with_pdqs():
    images = pd.DataFrame({"quality": [0, 10, 20, 100], "pdq": [2, 8, 30, 100]})
    found = study.compare_with_pdq(images).set_index("quality_of_pdq")
    assert found.loc["any", ["images", "difference", "distance"]].to_list() == [4, -2.5, 3.5]
    assert found.loc["below 100", "images"] == 3
    assert found.loc["any", "correlation"] == pytest.approx(1)


def test_drawn_images_are_hashed_and_counted(templates):
    images, hashes = study.hash_drawn(templates[:2], workers=1)
    assert images["kind"].to_list() == list(study.KINDS) * 2
    counts = study.by_quality(images, hashes)
    assert (counts["matches"] <= counts["pairs"]).all()
    whole = counts.query("kind == 'all' and method == 'find' and radius == 60")
    assert whole["images"].sum() == len(images)


def test_the_committed_tables_belong_together():
    bins, table = (results.load(name) for name in ("quality", "quality_lowest"))
    keys = ["half", "method", "radius"]
    sums = bins[bins["kind"] == "all"].groupby(keys)[list(study.COUNTS)].sum()
    first = table[table["lowest"] == 0].set_index(keys)[list(study.COUNTS)]
    pd.testing.assert_frame_equal(sums, first, check_like=True, check_dtype=False)
