"""What a user of FINd calls: one function, and the drop-in class for FIN's present code."""

import os

from imagehash import ImageHash
from PIL import Image

from finhash import methods
from finhash.images import Source


def find_hash(image: Source) -> ImageHash:
    """The 256-bit FINd hash of a path, encoded bytes, PIL image or RGB array.

    Bit for bit that of the published program on square pictures, and of the program without its
    two faults on all others (see ``finhash.find.reference``). ``str()`` of it gives 64 hex digits,
    ``a - b`` the Hamming distance. Raises ``finhash.images.ImageError`` for what is no picture.
    """
    return methods.get("find").image_hash(image)


class FINDHasher:
    """Drop-in for the published program's class of the same name and methods."""

    def fromFile(self, path: str | os.PathLike) -> ImageHash:  # noqa: N802 - the published name
        """The FINd hash of a picture file."""
        return find_hash(path)

    def fromImage(self, image: Image.Image) -> ImageHash:  # noqa: N802 - the published name
        """The FINd hash of a PIL image, which is left as it is."""
        return find_hash(image)
