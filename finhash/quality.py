"""Quality of an image for hashing, by the formula of PDQ.

An image of one colour, a gradient or faint noise has nothing that a perceptual hash could describe.
The hashes of such images can be close to each other although nobody would call the images similar.
PDQ, the image hash of Meta, therefore returns a quality beside each hash, and the quality here has
the same formula. It is the sum of the differences between neighbouring samples of an image, each in
whole percents of the range from black to white.

The formula is ``pdqImageDomainQualityMetric`` in ``pdq/cpp/hashing/pdqhashing.cpp`` of
https://github.com/facebook/ThreatExchange. PDQ blurs an image before it takes 64 x 64 samples. So
does FINd, with another filter; the samples here are FINd's. Compiled code and NumPy give the same
values.
"""

import numpy as np
from numpy.typing import NDArray

from finhash.find.loading import contrast

DIVISOR = 90
"""Divisor that PDQ's authors chose so that most photographs have the quality 100."""

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
        RGB pixels, such as ``finhash.images.to_rgb`` returns them: no side above 512 pixels.

    Returns
    -------
    int
        Quality from 0, an image of one colour, to 100. Hashes of images below ``LOWEST`` mean
        little.

    Raises
    ------
    ValueError
        If the array has another shape or dtype, no pixels, or a side above 512 pixels.

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
    return min(100, contrast(pixels) // DIVISOR)
