"""Quality of images: the formula, the reduction to 64 x 64, PDQ, and the lowest value."""

from pathlib import Path

import numpy as np
import pandas as pd
import pdqhash
import pytest
from PIL import Image

from finhash.find import compiled, plain, reference
from finhash.images import to_rgb
from finhash.methods import METHODS
from finhash.quality import LOWEST, quality
from finhash.study.accuracy import quality as study
from tests.conftest import noise

RESULTS = Path(__file__).resolve().parents[1] / "data" / "results"


def by_the_formula(pixels: np.ndarray) -> int:
    """Return the quality of the reference's samples as PDQ's source computes it."""
    rows, cols = pixels.shape[:2]
    luma = reference.fill_luma(Image.fromarray(pixels))
    samples = np.array(reference.decimate(reference.box_filter(luma, rows, cols), rows, cols))
    total = 0
    for here, there in ((samples[:-1], samples[1:]), (samples[:, :-1], samples[:, 1:])):
        for u, v in zip(here.ravel().tolist(), there.ravel().tolist(), strict=True):
            total += abs(int((u - v) * 100 / 255))
    return min(100, total // 90)


@pytest.mark.parametrize("amplitude", [2, 8, 20, 60, 255])
@pytest.mark.parametrize("shape", [(64, 64), (20, 90), (100, 70)])
def test_the_quality_is_that_of_pdqs_formula(shape, amplitude):
    pixels = np.random.default_rng(amplitude).integers(0, amplitude + 1, (*shape, 3), np.uint8)
    assert quality(pixels) == pytest.approx(by_the_formula(pixels), abs=1)  # rounding of samples


@pytest.mark.parametrize("shape", [(250, 250, 3), (64, 512, 3), (512, 65, 3), (1, 300, 3), (90, 9)])
def test_numpy_and_compiled_code_give_the_same_values(shape):
    for k in range(40):
        pixels = np.random.default_rng(k).integers(0, 2 + 6 * k, shape, np.uint8)
        assert plain.contrast(pixels) == compiled.contrast(pixels)
    ramp = np.broadcast_to(np.arange(shape[1], dtype=np.uint8)[:, None], (*shape[:2], 3))
    assert plain.contrast(ramp) == compiled.contrast(ramp)


@pytest.mark.parametrize("shape", [(250, 250), (64, 512), (512, 65), (1, 1), (1, 300), (40, 30)])
def test_images_of_one_colour_have_quality_0(shape):
    pixels = np.full((*shape, 3), (10, 200, 30), np.uint8)
    assert quality(pixels) == 0


def test_quality_falls_with_contrast_and_blur():
    image = Image.fromarray(noise(10, 10, 1)).resize((250, 250), Image.Resampling.BICUBIC)
    plain = Image.new("RGB", image.size, "grey")
    faded = [quality(np.array(Image.blend(plain, image, part))) for part in (1, 0.3, 0.1, 0)]
    blurred = [quality(np.array(image.resize((side, side)).resize((250, 250)))) for side in (6, 2)]
    assert faded == sorted(set(faded), reverse=True)
    assert faded[0] > blurred[0] > blurred[1]


def test_quality_is_close_to_that_of_pdqhash():
    found = []
    for seed in range(30):
        image = Image.fromarray(noise(9, 9, seed)).resize((250, 250), Image.Resampling.BICUBIC)
        faded = Image.blend(Image.new("RGB", image.size, "grey"), image, (seed + 1) / 60)
        found.append((quality(np.array(faded)), pdqhash.compute(np.array(faded))[1]))
    ours, theirs = np.array(found).T
    assert np.corrcoef(ours, theirs)[0, 1] > 0.99
    assert np.abs(ours - theirs).mean() < 10


def test_quality_takes_the_pixels_that_are_hashed():
    image = Image.fromarray(noise(30, 40, 1)).resize((1200, 900))
    assert quality(to_rgb(image)) == 100
    before = np.array(image)
    quality(before[::3, ::3])  # a view
    np.testing.assert_array_equal(before, np.array(image))


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((20, 30), np.uint8),
        np.zeros((20, 30, 4), np.uint8),
        np.zeros((20, 30, 3), np.uint16),
        np.zeros((0, 30, 3), np.uint8),
        np.zeros((513, 30, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused(pixels):
    with pytest.raises(ValueError, match=r"; pass RGB pixels|; shrink it|: shrink it"):
        quality(pixels)


def test_the_lowest_quality_is_the_studys():
    assert study.choose(pd.read_csv(RESULTS / "quality_lowest.csv")) == LOWEST


def test_the_documentation_has_the_studys_numbers():
    text = (RESULTS.parents[1] / "docs" / "inputs.md").read_text()
    table = pd.read_csv(RESULTS / "quality_lowest.csv")
    chosen = table[(table["lowest"] == LOWEST) & (table["half"] == study.HALVES[1])]
    for row in chosen[chosen["radius"] == study.COMMON].to_dict("records"):
        for words, end in ((f"below {LOWEST}", "_below"), (f"{LOWEST} or more", "")):
            false = 100 * row[f"matches{end}"] / row[f"pairs{end}"]
            lost = 100 * row[f"lost{end}"] / row[f"images{end}"]
            label = METHODS[row["method"]].label
            assert f"| {words} | {label} | {false:.2g} % | {lost:.2g} % |" in text


def test_no_meme_of_the_study_has_a_low_quality():
    counts = pd.read_csv(RESULTS / "quality_counts.csv")
    assert counts["images"].sum() == 55_972
    assert counts["quality"].min() == 89
    assert counts.loc[counts["quality"] < 100, "images"].sum() == 10
