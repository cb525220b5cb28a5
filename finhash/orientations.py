"""Hashes of mirrored and turned images.

The hash of a mirrored image differs from that of the image in about half of its bits. To find
images that were mirrored or turned, look up the query in several orientations. ``hashes`` decodes
an image once and hashes it in each orientation. ``of_hashes`` computes about the same from a hash
alone, for hashes whose images are not at hand.
"""

from collections.abc import Mapping
from math import isqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from finhash import methods
from finhash.images import Source, content_of, is_open_file, open_image, to_rgb
from finhash.methods import MethodName

Which = Literal["mirror", "rotate", "all"]
"""Keys of ``ORIENTATIONS``, for type checkers and editors."""

ORIGINAL = "original"
"""Name of the image as it is."""

ORIENTATIONS: Mapping[Which, tuple[str, ...]] = {
    "mirror": (ORIGINAL, "flip_left_right"),
    "rotate": (ORIGINAL, "rotate_90", "rotate_180", "rotate_270"),
    "all": (ORIGINAL, *(one.name.lower() for one in Image.Transpose)),
}
"""Names of orientations: ``"original"``, and the members of ``PIL.Image.Transpose`` in lower case.

They say how the image is turned: ``"rotate_90"`` is a quarter turn counterclockwise.
"""

_FIND = frozenset({"find", "find64", "find_middle", "find_luma"})
"""Methods that hash the pixels of ``to_rgb``."""

_DCT = frozenset({"find", "find64", "find_luma", "phash64", "phash256", "pdq"})
"""Methods whose bits tell which coefficients of a DCT of the whole image exceed their median."""

_BLOCK = 2**16
"""Hashes that are transposed at a time; each takes a byte per bit meanwhile."""


def hashes(
    image: Source, which: Which = "all", method: MethodName | str = "find"
) -> dict[str, NDArray[np.uint8]]:
    """Hash an image in several orientations, decoding it once.

    An image that FINd shrinks is turned after shrinking, which takes less time. The hash then
    differs from that of a turned file in 2 bits at most, for the images that were measured. Hashes
    of smaller images, and those by other methods, are equal to the hashes of the turned image.

    Parameters
    ----------
    image : str, path-like, bytes-like, binary file, PIL.Image.Image or ndarray
        Source as in ``finhash.find_hash``.
    which : {"mirror", "rotate", "all"}, default "all"
        Key of ``ORIENTATIONS``: 2, 4 or 8 orientations.
    method : str, default "find"
        Key of ``finhash.methods.METHODS``.

    Returns
    -------
    dict of str to ndarray of uint8, shape (bits / 8,)
        Packed hash of each orientation, by its name. The first is that of the original image.

    Raises
    ------
    ValueError
        If ``which`` is unknown.
    finhash.methods.UnknownMethodError
        If there is no method of that name. It is a ``KeyError``.
    finhash.images.ImageError, OSError, TypeError, ImportError
        As in ``Method.hash``.

    Examples
    --------
    >>> from PIL import Image
    >>> from finhash import find_hash, orientations
    >>> image = Image.linear_gradient("L").rotate(30).crop((0, 40, 256, 200))
    >>> turned = orientations.hashes(image, "rotate")
    >>> list(turned)
    ['original', 'rotate_90', 'rotate_180', 'rotate_270']
    >>> quarter = find_hash(image.transpose(Image.Transpose.ROTATE_90))
    >>> turned["rotate_90"].tobytes().hex() == str(quarter)
    True
    """
    names, chosen = _names(which), methods.get(method)
    if is_open_file(image):  # some files can be read only once
        image = content_of(image)
    decoded = Image.fromarray(to_rgb(image)) if method in _FIND else open_image(image)
    found = {ORIGINAL: chosen.hash(image if chosen.encoded else decoded)}
    for name in names[1:]:
        found[name] = chosen.hash(decoded.transpose(Image.Transpose[name.upper()]))
    return found


def of_hashes(
    packed: NDArray[np.uint8], which: Which = "all", method: MethodName | str = "find"
) -> dict[str, NDArray[np.uint8]]:
    """Approximate the hashes of turned images from the hashes of the originals.

    The bits of these methods say which coefficients of a discrete cosine transform are large. In a
    mirrored image every second coefficient has the other sign. In a transposed image rows and
    columns are exchanged. The result differs from ``hashes`` in 12 to 18 of 256 bits on average for
    FINd, because its samples do not lie symmetrically in the image; only ``"transpose"`` is exact.

    Parameters
    ----------
    packed : ndarray of uint8, shape (n, bits / 8)
        Packed hashes.
    which : {"mirror", "rotate", "all"}, default "all"
        Key of ``ORIENTATIONS``: 2, 4 or 8 orientations.
    method : str, default "find"
        Method that made the hashes: FINd of the whole image, pHash or PDQ.

    Returns
    -------
    dict of str to ndarray of uint8, shape (n, bits / 8)
        Packed hashes in each orientation, by its name. The first are the given hashes.

    Raises
    ------
    ValueError
        If ``which`` is unknown, or the hashes of the method cannot be turned.

    Examples
    --------
    >>> import numpy as np
    >>> from PIL import Image
    >>> from finhash import methods, orientations
    >>> image = Image.linear_gradient("L").rotate(30)
    >>> exact = orientations.hashes(image, "mirror")["flip_left_right"]
    >>> packed = methods.get("find").hash(image)[None]
    >>> about = orientations.of_hashes(packed, "mirror")["flip_left_right"]
    >>> int(np.bitwise_count(packed ^ exact).sum()), int(np.bitwise_count(about ^ exact).sum())
    (114, 14)
    """
    names = _names(which)
    if method not in _DCT:
        raise ValueError(
            f"hashes by {method!r} cannot be turned without their images; pass images, or hashes "
            f"by one of {', '.join(sorted(_DCT))}"
        )
    side = isqrt(8 * packed.shape[1])
    odd = np.broadcast_to(np.arange(side) % 2, (side, side))
    columns, rows = np.packbits(odd), np.packbits(odd.T)
    across = packed
    if which != "mirror":
        across = np.empty_like(packed)
        for start in range(0, len(packed), _BLOCK):
            bits = np.unpackbits(packed[start : start + _BLOCK], axis=1).reshape(-1, side, side)
            turned = bits.transpose(0, 2, 1).reshape(len(bits), -1)
            across[start : start + _BLOCK] = np.packbits(turned, axis=1)
    computed = {
        ORIGINAL: packed,
        "flip_left_right": packed ^ columns,
        "flip_top_bottom": packed ^ rows,
        "rotate_90": across ^ rows,
        "rotate_180": packed ^ columns ^ rows,
        "rotate_270": across ^ columns,
        "transpose": across,
        "transverse": across ^ columns ^ rows,
    }
    return {name: computed[name] for name in names}


def _names(which: str) -> tuple[str, ...]:
    """Return the names of orientations; raise ``ValueError`` if the key is unknown."""
    for known, names in ORIENTATIONS.items():
        if known == which:
            return names
    raise ValueError(f"unknown orientations {which!r}; choose one of {', '.join(ORIENTATIONS)}")
