"""Compiled shrinking gives Pillow's pixels, for all sizes, contents and ways in."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from finhash.find import resample
from finhash.find.thumbnail import reduction, thumbnail, thumbnail_size
from tests.conftest import noise

SIZES = [
    *[(513, 1), (1, 5000), (513, 513), (600, 600), (1000, 750), (700, 1999), (2047, 1333)],
    *[(2048, 64), (1025, 17), (3000, 700), (700, 3000), (20_000, 600), (600, 20_000)],
    *[(2049, 5), (5, 2049), (1080, 2400), (resample.LONGEST, 3), (resample.LONGEST + 1, 3)],
]
"""Columns and rows."""

contents = st.sampled_from(["noise", "flat", "checkers", "ramp", "extremes"])


def made(content, cols, rows, mode, seed=0):
    """Return an image of one kind of content."""
    x, y = np.arange(cols), np.arange(rows)[:, None]
    if content == "noise":
        grey = noise(rows, cols, seed)[:, :, 0]
    elif content == "flat":
        grey = np.full((rows, cols), seed % 256)
    elif content == "checkers":
        grey = 255 * ((x // (1 + seed % 7) + y // (1 + seed % 5)) % 2)
    elif content == "ramp":
        grey = (x * (1 + seed % 3) + y) % 256
    else:  # where sums of weights exceed 0..255
        grey = 255 * (noise(rows, cols, seed)[:, :, 0] > 250)
    grey = grey.astype(np.uint8)
    if mode == "L":
        return Image.fromarray(grey)
    return Image.fromarray(np.stack([grey, 255 - grey, grey // 2 + (x % 2).astype(np.uint8)], 2))


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("size", SIZES)
def test_pixels_are_those_of_pillow(size, mode):
    image = made("noise", *size, mode)
    expected = np.asarray(thumbnail(image))
    np.testing.assert_array_equal(resample.shrink(np.asarray(image)), expected)
    np.testing.assert_array_equal(resample.shrink_image(image), expected)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 2600), st.integers(1, 1600), st.booleans(), contents, st.sampled_from("RL"),
    st.integers(0, 999),
)  # fmt: skip
def test_pixels_of_any_image_are_those_of_pillow(longer, shorter, upright, content, mode, seed):
    size = (shorter, longer) if upright else (longer, shorter)
    image = made(content, *size, "L" if mode == "L" else "RGB", seed)
    expected = np.asarray(thumbnail(image))
    np.testing.assert_array_equal(resample.shrink(np.asarray(image)), expected)


@pytest.mark.parametrize("factor", range(1, 10))
@pytest.mark.parametrize("upright", [False, True])
def test_every_number_of_averaged_pixels(factor, upright):
    """A thin image is averaged along its long side only, or by another number across it."""
    longer = 1024 * factor + 517 % (factor * 300)
    size = (7, longer) if upright else (longer, 7)
    assert reduction(longer, 512) == factor
    image = made("noise", *size, "RGB")
    np.testing.assert_array_equal(resample.shrink(np.asarray(image)), np.asarray(thumbnail(image)))


def test_both_sides_have_their_own_number_of_averaged_pixels():
    size = (20_000, 600)
    assert tuple(map(reduction, size, thumbnail_size(*size))) == (19, 20)


def test_small_images_are_returned_as_they_are():
    pixels = noise(512, 300)
    assert resample.shrink(pixels) is pixels


def test_strided_arrays_are_shrunk_too():
    pixels = noise(1400, 1400)[::2, ::-2]
    np.testing.assert_array_equal(resample.shrink(pixels), resample.shrink(pixels.copy()))


def test_results_do_not_share_memory():
    first = resample.shrink(noise(600, 600, seed=1))
    kept = first.copy()
    resample.shrink(noise(600, 600, seed=2))
    np.testing.assert_array_equal(first, kept)


def test_threads_do_not_disturb_each_other():
    images = [noise(700 + 90 * k, 600 + 200 * (k % 3), seed=k) for k in range(12)]
    expected = [resample.shrink(pixels) for pixels in images]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(resample.shrink, images * 5))
    for pixels, same in zip(found, expected * 5, strict=True):
        np.testing.assert_array_equal(pixels, same)


@pytest.mark.parametrize(
    "size",
    [
        (600, 600),
        (2047, 2047),
        (4000, 4000),
        (65_500, 2700),
        (2700, 65_500),
        (resample.LONGEST,) * 2,
    ],
)
def test_no_more_than_4_mb_are_needed_besides_the_pixels(size):
    plan = resample._plan(*size, 3)
    arrays = [*resample._thread.workspace, resample._output(plan), resample._scratch(plan)]
    tables = [*plan.across, *plan.down, plan.multiplier, plan.half]
    assert sum(array.nbytes for array in arrays + tables) < 4e6
