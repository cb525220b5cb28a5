"""Quality of images: the formula, the reduction to 64 x 64, PDQ, and the lowest value."""

from pathlib import Path

import numpy as np
import pandas as pd
import pdqhash
import pytest
from PIL import Image

from finhash import quality as module
from finhash.images import to_rgb
from finhash.quality import LOWEST, quality
from finhash.study.accuracy import quality as study
from tests.conftest import noise

RESULTS = Path(__file__).resolve().parents[1] / "data" / "results"


def by_the_formula(luma: np.ndarray) -> int:
    """Return the quality of 64 x 64 luma values as PDQ's source computes it."""
    total = 0
    for here, there in ((luma[:-1], luma[1:]), (luma[:, :-1], luma[:, 1:])):
        for u, v in zip(here.ravel().tolist(), there.ravel().tolist(), strict=True):
            total += abs(int((u - v) * 100 / 255))
    return min(100, int(total / 90))


def grey(luma: np.ndarray) -> np.ndarray:
    """Return RGB pixels of these luma values."""
    return np.repeat(luma[..., None], 3, axis=-1)


@pytest.mark.parametrize("amplitude", [2, 3, 8, 20, 60, 255])
def test_the_quality_of_64_by_64_pixels_is_that_of_pdqs_formula(amplitude):
    luma = np.random.default_rng(amplitude).integers(0, amplitude + 1, (64, 64), np.uint8)
    assert quality(grey(luma)) == by_the_formula(luma)


def test_every_difference_is_cut_to_whole_percents():
    high, low = np.arange(256, dtype=np.int16), np.zeros(256, np.int16)
    found = [module._steps(high[k : k + 1], low[k : k + 1]) for k in range(256)]
    assert found == [int(k * 100 / 255) for k in range(256)]


@pytest.mark.parametrize("shape", [(250, 250), (64, 512), (512, 65), (1, 1), (1, 300), (40, 30)])
def test_images_of_one_colour_have_quality_0(shape):
    pixels = np.full((*shape, 3), (10, 200, 30), np.uint8)
    assert quality(pixels) == 0


def test_blocks_of_equal_size_are_averaged():
    luma = np.random.default_rng(4).integers(0, 256, (64, 64), np.uint8)
    for factor in (2, 3, 8):
        assert quality(grey(luma.repeat(factor, 0).repeat(factor, 1))) == quality(grey(luma))


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
    assert quality(to_rgb(image)) == pytest.approx(quality(np.array(image)), abs=2)
    before = np.array(image)
    quality(before[::2, ::2])  # a view
    np.testing.assert_array_equal(before, np.array(image))


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((20, 30), np.uint8),
        np.zeros((20, 30, 4), np.uint8),
        np.zeros((20, 30, 3), np.uint16),
        np.zeros((0, 30, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused(pixels):
    with pytest.raises(ValueError, match=r"of shape \(.*\); pass RGB pixels"):
        quality(pixels)


def test_the_lowest_quality_is_the_studys():
    assert study.choose(pd.read_csv(RESULTS / "quality_lowest.csv")) == LOWEST


def test_no_meme_of_the_study_has_a_low_quality():
    counts = pd.read_csv(RESULTS / "quality_counts.csv")
    assert counts["images"].sum() == 55_972
    assert counts["quality"].min() >= LOWEST
