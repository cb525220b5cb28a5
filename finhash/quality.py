"""Quality of an image for hashing, by the formula of PDQ.

An image of one colour, a gradient or faint noise has nothing that a perceptual hash could describe.
The hashes of such images can be close to each other although nobody would call the images similar.
PDQ, the image hash of Meta, therefore returns a quality beside each hash, and the quality here has
the same formula. It is the sum of the differences between neighbouring pixels of the image at
64 x 64 pixels, without differences below about one percent of the range from black to white.

The formula is ``pdqImageDomainQualityMetric`` in ``pdq/cpp/hashing/pdqhashing.cpp`` of
https://github.com/facebook/ThreatExchange. PDQ blurs an image before it takes 64 x 64 of its
pixels. Here Pillow averages the pixels in integers, so the values do not depend on the machine.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 64
"""Rows and columns of the reduced image."""

LOWEST = 25
"""Hashes of images with a lower quality mean little.

Such an image may no longer match itself after another encoding, and unrelated images of low quality
may match each other. ``finhash.study.accuracy.quality`` of the project's repository measures both
and chooses this value: ``data/results/quality_lowest.csv``.
"""


def quality(pixels: NDArray[np.uint8]) -> int:
    """Return the quality of an image for hashing.

    Parameters
    ----------
    pixels : uint8, shape (rows, cols, 3)
        RGB pixels, such as ``finhash.images.to_rgb`` returns them.

    Returns
    -------
    int
        Quality from 0, an image of one colour, to 100. Hashes of images below ``LOWEST`` mean
        little.

    Raises
    ------
    ValueError
        If the array has another shape or dtype, or no pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from finhash.quality import quality
    >>> quality(np.zeros((20, 30, 3), np.uint8))
    0
    >>> quality(np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8))
    100
    """
    if pixels.dtype != np.uint8 or pixels.shape[2:] != (3,) or not pixels.size:
        raise ValueError(
            f"pixels is an array of {pixels.dtype} of shape {pixels.shape}; pass RGB pixels, uint8 "
            "of shape (rows, cols, 3)"
        )
    image = Image.fromarray(pixels).convert("L")
    # Averaging whole blocks first, until less than a factor of two is left, is faster.
    image = image.resize((SIDE, SIDE), Image.Resampling.BOX, reducing_gap=1.0)
    luma = np.asarray(image, np.int16)
    return min(100, (_steps(luma[1:], luma[:-1]) + _steps(luma[:, 1:], luma[:, :-1])) // 90)


def _steps(here: NDArray[np.int16], there: NDArray[np.int16]) -> int:
    """Return the sum of differences, each in whole percents of the range from black to white."""
    return int((np.abs(here - there) * np.int16(20) // np.int16(51)).sum())  # 100 / 255 = 20 / 51
