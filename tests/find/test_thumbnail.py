"""Shrinking does not depend on the version of Pillow."""

import hashlib

import pytest
from PIL import Image

from finhash import find_hash
from finhash.find import reference
from finhash.find.thumbnail import thumbnail, thumbnail_size
from tests.conftest import noise

MODES = ["1", "L", "P", "RGB", "CMYK", "YCbCr", "HSV", "I", "F"]


def pillow(image):
    """Return the thumbnail of the installed Pillow."""
    small = image.copy()
    small.thumbnail((512, 512))
    return small


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [(700, 500), (513, 1026), (2500, 1400)])
def test_equals_every_pillow_if_not_more_than_twice_as_tall_as_wide(mode, size):
    image = Image.fromarray(noise(*size[::-1])).convert(mode)
    small = thumbnail(image)
    assert small.mode == mode
    assert small.tobytes() == pillow(image).tobytes()


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_equals_every_pillow_with_transparency_below_four_times_the_target(mode):
    alpha = Image.fromarray(noise(900, 1200, seed=1)[:, :, 0])
    image = Image.fromarray(noise(900, 1200)).convert(mode)
    image.putalpha(alpha)
    assert thumbnail(image).tobytes() == pillow(image).tobytes()


ANSWERS = {
    ("RGB", (5, 2000)): "4482971a026c8db9",
    ("RGB", (600, 1500)): "5d8fa2d15154d125",
    ("L", (540, 1100)): "821ac3ac421077b3",
    ("RGB", (800, 3000)): "e62ccc6ba9576dc5",
    ("CMYK", (520, 1300)): "eac3e85a22dc04cf",
    ("P", (600, 1500)): "95527223805cd6cb",
    ("RGBA", (600, 1500)): "f54d377db5616367",
    ("RGBA", (2100, 2060)): "35d8b560637cd919",
    ("LA", (2500, 700)): "32abb621115fadeb",
}
"""Start of the digest of the pixels that Pillow 12.1.1 gives."""


@pytest.mark.parametrize(("mode", "size"), ANSWERS)
def test_equals_pillow_up_to_12_1(mode, size):
    image = Image.fromarray(noise(*size[::-1])).convert(mode)
    if mode in ("LA", "RGBA"):
        image.putalpha(Image.fromarray(noise(*size[::-1], seed=1)[:, :, 0]))
    assert hashlib.sha256(thumbnail(image).tobytes()).hexdigest()[:16] == ANSWERS[mode, size]


@pytest.mark.parametrize("rows", [1, 511, 513, 600, 1999])
def test_size_is_that_of_pillow(rows):
    for cols in (*range(1, 20), *range(500, 3000, 61)):
        assert thumbnail_size(cols, rows) == pillow(Image.new("1", (cols, rows))).size


def test_the_image_is_not_changed():
    image = Image.new("RGBA", (600, 2000))
    before = image.copy()
    thumbnail(image)
    assert image == before


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA"])
def test_hashes_of_tall_images_are_those_of_the_reference(mode):
    image = Image.fromarray(noise(2060, 30)).convert(mode)
    assert find_hash(image) == reference.find_hash(image)
