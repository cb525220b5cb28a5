"""Family sizes, captions and their layout."""

import io
import random

import numpy as np
import pytest
from PIL import Image

from finhash.images import open_image
from finhash.study.data import memes


def test_family_sizes_match_the_published_counts():
    sizes = memes.family_sizes()
    assert len(sizes) == 1034
    assert sum(sizes) == 55_972
    assert (sizes[0], sizes[8]) == (766, 419)
    assert sizes == sorted(sizes, reverse=True)
    assert min(sizes) >= 10  # The scales "quick" and "smoke" use up to ten images per family.


@pytest.mark.parametrize(
    "text", ["A", "WORD " * 40, "X" * 60, "TWO LINES OF ABOUT THE SAME WIDTH AS EACH OTHER"]
)
def test_captions_fit_on_two_lines(text):
    lines, size = memes._fit(text.strip())
    assert len(lines) <= 2
    assert " ".join(lines) == text.strip()
    assert 1 <= size <= memes.LARGEST_FONT
    assert max(memes.font(size).getlength(line) for line in lines) <= 250 - 2 * memes.MARGIN


@pytest.mark.parametrize("lines", [1, 2, 3])
def test_a_filled_caption_keeps_its_lines_at_the_largest_size(lines):
    text = memes.fill(random.Random(3), lines)
    assert memes._fit(text) == (text.split("\n"), memes.LARGEST_FONT)
    font = memes.font(memes.LARGEST_FONT)
    assert min(map(font.getlength, text.split("\n"))) > 120


def test_caption_area_covers_the_drawn_letters():
    black = Image.new("RGB", (250, 250))
    captions = "AN UPPER CAPTION", "ONE BELOW THAT IS SOMEWHAT LONGER THAN IT"
    pixels = np.asarray(open_image(memes.render(black, *captions)))
    rows = np.flatnonzero(pixels.max(axis=(1, 2)) > 128)
    gap = np.flatnonzero(np.diff(rows) > 10)[0]
    boxes = 0
    for half in (rows[: gap + 1], rows[gap + 1 :]):
        columns = np.flatnonzero(pixels[half].max(axis=(0, 2)) > 128)
        boxes += (half[-1] - half[0] + 1) * (columns[-1] - columns[0] + 1)
    # caption_area includes the outlines, which are invisible on black.
    area = memes.caption_area(*captions) * 250**2
    assert boxes < area < 1.25 * boxes
    assert memes.caption_area("", "") == 0


def test_captions_follow_the_measured_counts():
    rng = random.Random(0)
    captions = [memes.draw_caption(rng) for _ in range(4000)]
    empty = np.mean([not top or not bottom for top, bottom in captions])
    assert 0.05 < empty < 0.2  # In the measured counts about one caption in ten is empty.
    assert all(top or bottom for top, bottom in captions)


def test_words_are_listed_by_length():
    by_length, weights = memes._word_lengths()
    assert len(by_length) == len(weights) == 14
    for length, group in enumerate(by_length, start=1):
        assert all(len(word) == length or (length == 14 and len(word) > 14) for word in group)


def test_jpeg_uses_the_given_quality():
    image = Image.radial_gradient("L")
    for options in ({}, {"quality": 30}):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=options.get("quality", 75))
        assert memes.jpeg(image, **options) == buffer.getvalue()
