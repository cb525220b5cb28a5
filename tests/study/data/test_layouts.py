"""Images with other caption layouts."""

import numpy as np
import pytest
from PIL import Image

from finhash import methods
from finhash.images import open_image
from finhash.study import project
from finhash.study.data import datasets, layouts, memes
from finhash.study.data.standin import DRAWN

NAMES = ["0000_00000.jpg", "0000_00001.jpg", "0004_00003.jpg"]


def widths(text: str, size: int) -> list[float]:
    return [memes.font(size).getlength(line) for line in text.splitlines()]


def lettered_rows(layout: str, name: str = NAMES[0]) -> np.ndarray:
    """Return whether a caption changes each row of a grey template, ``bool [250]``."""
    grey = Image.new("RGB", (memes.SIDE, memes.SIDE), "grey")
    pixels = np.asarray(open_image(layouts.render(DRAWN, grey, name, layout)).convert("L"), int)
    return (abs(pixels - 128) > 60).any(axis=1)


def test_a_wrapped_caption_keeps_its_words_in_as_few_lines_as_fit():
    text = "SOME WORDS THAT ARE TOO LONG FOR ONE LINE"
    wrapped = layouts.wrap(text)
    assert wrapped.split() == text.split()
    assert layouts.line_count(wrapped) == 2
    assert max(widths(wrapped, memes.LARGEST_FONT)) <= memes.LINE_WIDTH
    first, second = wrapped.splitlines()
    assert widths(f"{first} {second.split()[0]}", memes.LARGEST_FONT)[0] > memes.LINE_WIDTH


def test_a_long_caption_has_the_most_lines_in_a_smaller_font():
    wrapped = layouts.wrap("MANY WORDS " * 20)
    assert layouts.line_count(wrapped) == layouts.MOST_LINES
    assert max(widths(wrapped, memes.LARGEST_FONT)) > memes.LINE_WIDTH


def test_an_empty_caption_has_no_lines():
    assert layouts.wrap("") == ""
    assert layouts.line_count("") == 0


def test_the_stand_in_layout_is_the_stand_in():
    blank = DRAWN.template(4)
    expected = memes.render(blank, *DRAWN.caption(4, 3))
    assert layouts.render(DRAWN, blank, NAMES[2], "stand-in") == expected


@pytest.mark.parametrize("lines", [1, 2, 3, 4])
def test_more_full_lines_reach_nearer_to_the_middle(lines):
    rows = lettered_rows(f"{lines} full line" + "s" * (lines > 1))
    # A line of letters and the space below it take 31 pixels.
    bottom = memes.MARGIN + 31 * lines + 5
    assert rows[bottom - 20 : bottom].any()
    assert not rows[bottom : memes.SIDE - bottom].any()


def test_a_caption_across_the_middle_is_centred():
    rows = np.flatnonzero(lettered_rows("across the middle"))
    assert rows.mean() == pytest.approx(memes.SIDE / 2, abs=8)


def test_lines_are_counted_by_caption_and_by_image():
    table = layouts.count_lines(NAMES, DRAWN)
    pairs = [DRAWN.caption(*datasets.family_and_number(name)) for name in NAMES]
    lines = [[layouts.line_count(layouts.wrap(text)) for text in pair] for pair in pairs]
    for row in table.itertuples():
        assert row.captions == pytest.approx(np.mean(np.equal(lines, row.lines)))
        assert row.images == pytest.approx(np.mean(np.equal(np.max(lines, axis=1), row.lines)))


@pytest.mark.parametrize("scale", ["quick", "smoke"])
def test_smaller_scales_use_some_of_the_images_of_the_full_scale(scale):
    every = set(layouts.images(project.SCALES["full"]))
    assert every.issuperset(layouts.images(project.SCALES[scale]))


def test_dhash_of_the_middle_is_dhash_of_the_cropped_image():
    image = Image.effect_noise((250, 250), 80)
    changed = image.copy()
    changed.paste(0, (0, 0, 250, 62))
    changed.paste(255, (0, 188, 250, 250))
    expected = methods.get("dhash256").hash(image.crop((0, 62, 250, 188)))
    np.testing.assert_array_equal(layouts.dhash_middle(image), expected)
    np.testing.assert_array_equal(layouts.dhash_middle(changed), expected)


@pytest.mark.slow
def test_every_layout_is_hashed_as_if_from_a_file():
    table = layouts.hash_layouts(DRAWN, NAMES, workers=2, progress=False)
    keys = list(zip(table.paths, table.arrow["layout"].to_pylist(), strict=True))
    assert keys == [(name, layout) for name in NAMES for layout in layouts.LAYOUTS]
    for row, (name, layout) in enumerate(keys):
        family, _ = datasets.family_and_number(name)
        jpeg = layouts.render(DRAWN, DRAWN.template(family), name, layout)
        for method in layouts.METHODS:
            expected = methods.get(method).hash(open_image(jpeg))
            np.testing.assert_array_equal(table.hashes(method)[row], expected)
        expected = layouts.dhash_middle(open_image(jpeg))
        np.testing.assert_array_equal(table.hashes(layouts.DHASH_MIDDLE)[row], expected)


@pytest.mark.slow
def test_the_middle_of_files_is_hashed(tmp_path):
    paths = [tmp_path / name for name in NAMES]
    for k, path in enumerate(paths):
        path.write_bytes(layouts.render(DRAWN, DRAWN.template(k), path.name, "natural"))
    table = layouts.hash_middle(paths, workers=2, progress=False)
    assert table.paths == NAMES
    expected = [layouts.dhash_middle(open_image(path)) for path in paths]
    np.testing.assert_array_equal(table.hashes(layouts.DHASH_MIDDLE), expected)
