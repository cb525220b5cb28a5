"""The available perceptual hashes, by name.

``METHODS`` maps each name to a ``Method``: its label, number of bits, colour in figures, and the
function that computes it. Functions import the packages they need on first call, so importing this
module loads neither Numba nor imagehash.

To add a hash:

1. Write a function ``(image, bits)`` that returns the packed bits. Import packages that only this
   hash needs inside the function.
2. Add its name to ``MethodName`` and a ``Method`` to ``METHODS``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import isqrt
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from finhash.images import Source, open_image, to_rgb

if TYPE_CHECKING:
    from imagehash import ImageHash

MethodName = Literal[
    "find",
    "find64",
    "find_middle",
    "ahash256",
    "ahash64",
    "phash256",
    "phash64",
    "dhash256",
    "dhash64",
    "whash256",
    "whash64",
    "pdq",
]
"""Names of the hashes, for type checkers and editors."""


@dataclass(frozen=True)
class Method:
    """A perceptual hash.

    Parameters
    ----------
    name : MethodName
        Key in ``METHODS`` and column name in hash tables.
    label : str
        Name in figures and text.
    bits : int
        Length of the hash, a square number and a multiple of 64.
    colour : str
        Colour in figures, as ``"#rrggbb"``.
    function : callable
        ``function(image, bits)`` returns the packed hash.
    """

    name: MethodName
    label: str
    bits: int
    colour: str
    function: Callable[[Source, int], NDArray[np.uint8]]

    def hash(self, image: Source) -> NDArray[np.uint8]:
        """Return the packed hash of an image.

        Parameters
        ----------
        image : str, path-like, bytes, PIL.Image.Image or ndarray
            Source as in ``finhash.find_hash``.

        Returns
        -------
        ndarray of uint8, shape (bits / 8,)
            Bits of the hash, the most significant bit of each byte first.

        Raises
        ------
        finhash.images.ImageError
            If the source is empty, not an image, damaged or too large.
        OSError
            If the file cannot be read.
        TypeError
            If the source has another type, or the array another dtype or shape.
        ImportError
            If the method is ``"pdq"`` and the package pdqhash is not installed.

        Examples
        --------
        >>> from PIL import Image
        >>> from finhash import methods
        >>> methods.get("dhash64").hash(Image.radial_gradient("L"))
        array([15, 15, 15, 15, 15, 15, 15, 15], dtype=uint8)
        """
        return self.function(image, self.bits)

    def image_hash(self, image: Source) -> "ImageHash":
        """Return the hash of an image as an ``imagehash.ImageHash``.

        Parameters, errors and bits are those of ``hash``.

        Examples
        --------
        >>> from PIL import Image
        >>> from finhash import methods
        >>> print(methods.get("dhash64").image_hash(Image.radial_gradient("L")))
        0f0f0f0f0f0f0f0f
        """
        from imagehash import ImageHash

        side = isqrt(self.bits)
        return ImageHash(np.unpackbits(self.hash(image)).astype(bool).reshape(side, side))


# "| str": names also come from tables and command lines. The literals let editors complete.
def get(name: MethodName | str) -> Method:
    """Return the method of that name.

    Parameters
    ----------
    name : str
        A key of ``METHODS``.

    Returns
    -------
    Method
        The hash.

    Raises
    ------
    KeyError
        If there is no method of that name; the message lists all names.

    Examples
    --------
    >>> from finhash import methods
    >>> methods.get("phash64").bits
    64
    """
    try:
        return METHODS[name]
    except KeyError:
        raise KeyError(f"unknown method {name!r}; choose one of {', '.join(METHODS)}") from None


def _find(image: Source, bits: int) -> NDArray[np.uint8]:
    """Hash the whole image with FINd."""
    from finhash.find.compiled import hash_rgb

    return hash_rgb(to_rgb(image, reuse=True), bits)


def _find_middle(image: Source, bits: int) -> NDArray[np.uint8]:
    """Hash the middle half of the rows with FINd; captions seldom reach there."""
    from finhash.find.compiled import hash_rgb

    rgb = to_rgb(image, reuse=True)
    quarter = len(rgb) // 4
    return hash_rgb(rgb[quarter : len(rgb) - quarter], bits)


def _imagehash(function: str, image: Source, bits: int) -> NDArray[np.uint8]:
    """Hash an image with a function of the package imagehash."""
    import imagehash

    result = getattr(imagehash, function)(open_image(image), hash_size=isqrt(bits))
    return np.packbits(result.hash)


def _pdq(image: Source, bits: int) -> NDArray[np.uint8]:
    """Hash an image with PDQ, which always has 256 bits."""
    try:
        import pdqhash
    except ImportError as error:
        raise ImportError('the method "pdq" needs: pip install pdqhash') from error

    values, _quality = pdqhash.compute(np.array(open_image(image).convert("RGB")))
    return np.packbits(values)


_ahash = partial(_imagehash, "average_hash")
_phash = partial(_imagehash, "phash")
_dhash = partial(_imagehash, "dhash")
_whash = partial(_imagehash, "whash")

# The colours are Okabe and Ito's palette, which colour-blind readers can tell apart.
METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("find", "FINd", 256, "#D55E00", _find),
        Method("find64", "FINd 64", 64, "#D55E00", _find),
        Method("find_middle", "FINd middle", 256, "#882255", _find_middle),
        Method("ahash256", "aHash 256", 256, "#E69F00", _ahash),
        Method("ahash64", "aHash 64", 64, "#E69F00", _ahash),
        Method("phash256", "pHash 256", 256, "#0072B2", _phash),
        Method("phash64", "pHash 64", 64, "#0072B2", _phash),
        Method("dhash256", "dHash 256", 256, "#009E73", _dhash),
        Method("dhash64", "dHash 64", 64, "#009E73", _dhash),
        Method("whash256", "wHash 256", 256, "#CC79A7", _whash),
        Method("whash64", "wHash 64", 64, "#CC79A7", _whash),
        Method("pdq", "PDQ", 256, "#56B4E9", _pdq),
    )
}
"""All methods by name."""
