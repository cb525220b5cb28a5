"""The reference implementation of FINd, in pure Python and in the shape of FIN's published program.

It keeps the published program's nested loops, ``getpixel`` and plain lists, so that profiling it
shows the costs of the program that FIN's users run today. All other implementations must give the
same bits.

The published program has two faults. They do not affect square images, and ``published=True`` keeps
them:

* The box filter indexes its row-major buffers by ``row * rows + col`` instead of
  ``row * cols + col``. A portrait image raises ``IndexError``; a landscape image gets a wrong hash.
* The window computed from the number of columns is used vertically, and the one from the number of
  rows horizontally.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from finhash.find import geometry
from finhash.find.geometry import (
    KEPT,
    SAMPLES,
    half_window,
    sample_points,
    window_size,
)
from finhash.find.thumbnail import thumbnail

if TYPE_CHECKING:
    from imagehash import ImageHash

LUMA = (0.299, 0.587, 0.114)
"""Published weights of red, green and blue in luma."""

DCT: list[list[float]] = geometry.DCT.tolist()
"""The DCT matrix, 16 lists of 64 numbers."""


def find_hash(image: Image.Image, published: bool = False) -> "ImageHash":
    """Return the FINd hash of an image.

    Parameters
    ----------
    image : PIL.Image.Image
        Image of any size and mode. It is not changed.
    published : bool, default False
        Keep the two faults of the published program.

    Returns
    -------
    imagehash.ImageHash
        Hash of 256 bits, shape (16, 16). Its ``str`` is 64 hexadecimal digits.

    Raises
    ------
    IndexError
        If ``published`` is true and the image is taller than wide.

    Examples
    --------
    >>> from PIL import Image
    >>> from finhash.find import reference
    >>> image = Image.linear_gradient("L").resize((16, 16))
    >>> str(reference.find_hash(image))[:16]
    'b3bab38a4c05b3ba'
    """
    from imagehash import ImageHash  # loads SciPy

    small = shrink(image)
    cols, rows = small.size
    luma = fill_luma(small)
    blurred = box_filter(luma, rows, cols, published)
    samples = decimate(blurred, rows, cols)
    coefficients = dct_64_to_16(samples)
    return ImageHash(np.array(hash_bits(coefficients), dtype=bool))


def shrink(image: Image.Image) -> Image.Image:
    """Return a copy of the image that fits 512 x 512 pixels.

    The published program calls Pillow's ``thumbnail``, which does the same up to Pillow 12.1.
    Copying decodes the whole image, so Pillow cannot decode a JPEG at reduced size (draft mode).
    """
    return thumbnail(image.copy())


def fill_luma(image: Image.Image, weights: tuple[float, float, float] = LUMA) -> list[float]:
    """Return the luma of each pixel, row by row: the weighted sum of red, green and blue."""
    red, green, blue = weights
    cols, rows = image.size
    rgb = image.convert("RGB")
    luma = [0.0] * (rows * cols)
    for i in range(rows):
        for j in range(cols):
            r, g, b = rgb.getpixel((j, i))  # type: ignore[misc]  # an RGB pixel is a tuple
            luma[i * cols + j] = red * r + green * g + blue * b
    return luma


def box_filter(
    luma: Sequence[float],
    rows: int,
    cols: int,
    published: bool = False,
    windows: tuple[int, int] | None = None,
) -> list[float]:
    """Return the mean luma of a window around each pixel, row by row.

    The window covers pixels ``i - h`` to ``i + h - 1``, an even number, so it is not centred on
    pixel ``i``. At the borders it is clipped. ``windows`` are its height and width before widening,
    by default those that follow from ``rows`` and ``cols``.
    """
    stride = cols
    height, width = windows or (window_size(rows), window_size(cols))
    if published:
        stride, height, width = rows, width, height
    half_rows, half_cols = half_window(height), half_window(width)
    blurred = [0.0] * (rows * cols)
    for i in range(rows):
        top, bottom = max(0, i - half_rows), min(rows, i + half_rows)
        for j in range(cols):
            left, right = max(0, j - half_cols), min(cols, j + half_cols)
            total = 0.0
            for k in range(top, bottom):
                for m in range(left, right):
                    total += luma[k * stride + m]
            blurred[i * stride + j] = total / ((bottom - top) * (right - left))
    return blurred


def decimate(blurred: Sequence[float], rows: int, cols: int) -> list[list[float]]:
    """Return 64 x 64 samples of the filtered image; images smaller than that repeat pixels."""
    samples = []
    for i in sample_points(rows):
        samples.append([blurred[i * cols + j] for j in sample_points(cols)])
    return samples


def dct_64_to_16(
    samples: Sequence[Sequence[float]], matrix: Sequence[Sequence[float]] = DCT
) -> list[list[float]]:
    """Return the 16 x 16 lowest DCT coefficients ``D A D'``; each sum starts at 0.0, in order."""
    half_done = []
    for i in range(KEPT):
        row = []
        for j in range(SAMPLES):
            total = 0.0
            for k in range(SAMPLES):
                total += matrix[i][k] * samples[k][j]
            row.append(total)
        half_done.append(row)
    coefficients = []
    for i in range(KEPT):
        row = []
        for j in range(KEPT):
            total = 0.0
            for k in range(SAMPLES):
                total += half_done[i][k] * matrix[j][k]
            row.append(total)
        coefficients.append(row)
    return coefficients


def lower_median(values: Sequence[float]) -> float:
    """Return the lower median by Torben Mogensen's method, which counts instead of sorting."""
    low, high = min(values), max(values)
    half = (len(values) + 1) // 2
    while True:
        guess = (low + high) / 2
        less = equal = greater = 0
        below, above = low, high
        for value in values:
            if value < guess:
                less += 1
                if value > below:
                    below = value
            elif value > guess:
                greater += 1
                if value < above:
                    above = value
            else:
                equal += 1
        if less <= half and greater <= half:
            break
        if less > greater:
            high = below
        else:
            low = above
    if less >= half:
        return below
    if less + equal >= half:
        return guess
    return above


def hash_bits(coefficients: Sequence[Sequence[float]]) -> list[list[int]]:
    """Return 16 x 16 bits, 1 where a coefficient exceeds the median, with both axes reversed."""
    median = lower_median([value for row in coefficients for value in row])
    bits = [[0] * KEPT for _ in range(KEPT)]
    for i in range(KEPT):
        for j in range(KEPT):
            if coefficients[i][j] > median:
                bits[KEPT - 1 - i][KEPT - 1 - j] = 1
    return bits
