"""Contact sheets of image families."""

from collections.abc import Sequence

from PIL import Image, ImageOps

from finhash.images import Source, converted, open_image
from finhash.preparation import AS_STORED, Preparation


def contact_sheet(
    families: Sequence[Sequence[Source]],
    *,
    side: int = 96,
    most: int = 10,
    preparation: Preparation = AS_STORED,
) -> Image.Image:
    """Draw one row per family, one square per image.

    Parameters
    ----------
    families : sequence of sequences of images
        Images of each family: paths, encoded bytes, PIL images or ``uint8`` RGB arrays.
    side : int, default 96
        Side of a square, in pixels. Images keep their aspect ratio.
    most : int, default 10
        Number of images shown per family, at most.
    preparation : Preparation, optional
        What was done to the images before they were hashed; they are drawn like this.

    Returns
    -------
    PIL.Image.Image
        RGB image. Images that cannot be read are drawn as grey squares.

    Examples
    --------
    >>> from PIL import Image
    >>> from finhash.sheet import contact_sheet
    >>> red, blue = Image.new("RGB", (40, 30), "red"), Image.new("RGB", (30, 40), "blue")
    >>> contact_sheet([[red, blue], [blue]], side=50).size
    (100, 100)
    """
    width = max((min(len(family), most) for family in families), default=1)
    sheet = Image.new("RGB", (side * width, side * max(1, len(families))), "white")
    for row, family in enumerate(families):
        for column, image in enumerate(family[:most]):
            sheet.paste(_tile(image, side, preparation), (side * column, side * row))
    return sheet


def _tile(image: Source, side: int, preparation: Preparation) -> Image.Image:
    """Return the image padded to a square, or a grey square if it cannot be read."""
    try:
        shown = converted(open_image(preparation.apply(image)), "RGB")
    except OSError:  # also any ImageError
        return Image.new("RGB", (side, side), "grey")
    return ImageOps.pad(shown, (side, side), color="white")
