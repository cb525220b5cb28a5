"""FINd in pure Python, in the shape of the published program: slow, readable, the oracle.

Nested loops, ``getpixel`` and plain lists are kept on purpose, so that profiling this module shows
what FIN's users pay today. Every faster version must give the same bits. ``published=True`` keeps
the published program's two faults, which square pictures do not show:

* the box filter walks its row-major buffers with a stride of ``rows`` instead of ``cols``, so a
  portrait picture raises ``IndexError`` and a landscape one is hashed wrong;
* the window made from the number of columns is used vertically, and the other way round.
"""

import numpy as np
from imagehash import ImageHash
from PIL import Image

from finhash.find.geometry import KEPT, MAX_SIDE, SAMPLES, dct_matrix, half_width, sample_points

DCT = dct_matrix()


def find_hash(image: Image.Image, published: bool = False) -> ImageHash:
    """The 256-bit FINd hash of a PIL image, as an ``imagehash.ImageHash``."""
    small = shrink(image)
    cols, rows = small.size
    luma = fill_luma(small)
    blurred = box_filter(luma, rows, cols, published)
    samples = decimate(blurred, rows, cols)
    coefficients = dct_64_to_16(samples)
    return ImageHash(np.array(hash_bits(coefficients), dtype=bool))


def shrink(image: Image.Image) -> Image.Image:
    """A copy of the picture that fits 512 x 512; the copy loads it whole, so no JPEG draft mode."""
    small = image.copy()
    small.thumbnail((MAX_SIDE, MAX_SIDE))
    return small


def fill_luma(image: Image.Image) -> list[float]:
    """Luma of every pixel, row-major."""
    cols, rows = image.size
    rgb = image.convert("RGB")
    luma = [0.0] * (rows * cols)
    for i in range(rows):
        for j in range(cols):
            r, g, b = rgb.getpixel((j, i))
            luma[i * cols + j] = 0.299 * r + 0.587 * g + 0.114 * b
    return luma


def box_filter(luma: list[float], rows: int, cols: int, published: bool = False) -> list[float]:
    """Mean of the input over a clipped window around every pixel, row-major.

    The window is half-open, ``[i - h, i + h)``: an even number of pixels, one off centre.
    """
    stride, half_rows, half_cols = cols, half_width(rows), half_width(cols)
    if published:
        stride, half_rows, half_cols = rows, half_cols, half_rows
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


def decimate(blurred: list[float], rows: int, cols: int) -> list[list[float]]:
    """64 x 64 samples of the filtered picture; pictures smaller than 64 repeat pixels."""
    samples = []
    for i in sample_points(rows):
        samples.append([blurred[i * cols + j] for j in sample_points(cols)])
    return samples


def dct_64_to_16(samples: list[list[float]]) -> list[list[float]]:
    """The 16 x 16 lowest DCT coefficients ``D A D'``, each sum in order from 0.0."""
    half_done = []
    for i in range(KEPT):
        row = []
        for j in range(SAMPLES):
            total = 0.0
            for k in range(SAMPLES):
                total += DCT[i][k] * samples[k][j]
            row.append(total)
        half_done.append(row)
    coefficients = []
    for i in range(KEPT):
        row = []
        for j in range(KEPT):
            total = 0.0
            for k in range(SAMPLES):
                total += half_done[i][k] * DCT[j][k]
            row.append(total)
        coefficients.append(row)
    return coefficients


def lower_median(values: list[float]) -> float:
    """The lower median by Torben Mogensen's method: bisection by counting, nothing is sorted."""
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


def hash_bits(coefficients: list[list[float]]) -> list[list[int]]:
    """16 x 16 bits, one where a coefficient exceeds the median, both axes reversed."""
    median = lower_median([value for row in coefficients for value in row])
    bits = [[0] * KEPT for _ in range(KEPT)]
    for i in range(KEPT):
        for j in range(KEPT):
            if coefficients[i][j] > median:
                bits[KEPT - 1 - i][KEPT - 1 - j] = 1
    return bits
