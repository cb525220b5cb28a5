"""Contact sheets: how images are drawn."""

import pytest
from PIL import Image

from finhash.preparation import AS_STORED, Preparation
from finhash.sheet import contact_sheet

GREY = (128, 128, 128)


@pytest.mark.parametrize("image", [b"no image", "missing.jpg", Image.new("La", (40, 40))])
def test_images_that_cannot_be_drawn_are_grey_squares(image):
    red = Image.new("RGB", (40, 40), "red")
    sheet = contact_sheet([[image, red]], side=20)
    assert [sheet.getpixel((x, 10)) for x in (10, 30)] == [GREY, (255, 0, 0)]


def test_images_are_drawn_as_they_were_hashed():
    clear = Image.new("RGBA", (40, 20), (0, 0, 255, 0))
    clear.getexif()[0x0112] = 6  # a quarter turn clockwise
    for preparation, size, colour in (
        (AS_STORED, (40, 20), (0, 0, 255)),
        (Preparation(background="red", exif=True), (20, 40), (255, 0, 0)),
    ):
        sheet = contact_sheet([[clear]], side=40, preparation=preparation)
        drawn = [x for x in range(40) if sheet.getpixel((x, 20)) == colour]
        assert len(drawn) == size[0]
