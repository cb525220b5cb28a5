"""The FINd hash of one image, as a function and as the published program's class."""

import os
from typing import TYPE_CHECKING

from PIL import Image

from finhash import methods
from finhash.images import Source

if TYPE_CHECKING:
    from imagehash import ImageHash


def find_hash(image: Source) -> "ImageHash":
    """Hash one image with FINd.

    The hash equals that of the published FINd program bit for bit if the image is square. For
    other images it equals the hash of that program without its two faults, which are described
    in ``finhash.find.reference``. The published program shrinks large images with Pillow; the hash
    is that of Pillow 12.1 and earlier (see ``finhash.find.thumbnail``).

    Parameters
    ----------
    image : str, path-like, bytes, PIL.Image.Image or ndarray
        Path of an image file, its encoded bytes, a PIL image (left unchanged), or decoded RGB
        pixels as ``uint8`` of shape ``(rows, cols, 3)``.

    Returns
    -------
    imagehash.ImageHash
        16 x 16 bits. ``str(h)`` gives 64 hexadecimal digits; ``a - b`` gives the Hamming distance
        of two hashes, from 0 to 256 bits.

    Raises
    ------
    finhash.images.ImageError
        If the source is empty, not an image, damaged or too large.
    OSError
        If the file cannot be read.
    TypeError
        If the source has another type, or the array another dtype or shape.

    Examples
    --------
    >>> import numpy as np
    >>> from finhash import find_hash
    >>> pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    >>> brighter = np.minimum(pixels, 250) + np.uint8(5)
    >>> len(str(find_hash(pixels)))
    64
    >>> int(find_hash(pixels) - find_hash(brighter))
    2
    """
    return methods.get("find").image_hash(image)


class FINDHasher:
    """Drop-in replacement for the published program's class, with the same method names.

    Examples
    --------
    >>> from PIL import Image
    >>> from finhash import FINDHasher, find_hash
    >>> image = Image.radial_gradient("L")
    >>> FINDHasher().fromImage(image) == find_hash(image)
    True
    """

    def fromFile(self, path: str | os.PathLike[str]) -> "ImageHash":  # noqa: N802 - published name
        """Hash an image file; parameters and errors are those of ``find_hash``."""
        return find_hash(path)

    def fromImage(self, image: Image.Image) -> "ImageHash":  # noqa: N802 - published name
        """Hash a PIL image, leaving it unchanged; errors are those of ``find_hash``."""
        return find_hash(image)
