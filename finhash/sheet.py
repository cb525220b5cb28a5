"""Contact sheets: pictures of families at a glance."""

from collections.abc import Sequence

from PIL import Image, ImageOps

from finhash.images import ImageError, Source, open_image


def contact_sheet(
    families: Sequence[Sequence[Source]], *, side: int = 96, most: int = 10
) -> Image.Image:
    """A row a family, its first ``most`` pictures in squares of ``side`` pixels.

    Pictures that cannot be read any more are left grey.
    """
    width = max((min(len(family), most) for family in families), default=1)
    sheet = Image.new("RGB", (side * width, side * max(1, len(families))), "white")
    for row, family in enumerate(families):
        for column, picture in enumerate(family[:most]):
            sheet.paste(_tile(picture, side), (side * column, side * row))
    return sheet


def _tile(picture: Source, side: int) -> Image.Image:
    try:
        return ImageOps.pad(open_image(picture).convert("RGB"), (side, side), color="white")
    except (OSError, ImageError):
        return Image.new("RGB", (side, side), "grey")
