"""Facts about FINd that all implementations share: sizes, windows, sample points, DCT matrix.

The formulas are those of FIN's published program.
"""

import math

import numpy as np
from numpy.typing import NDArray

MAX_SIDE = 512
"""Longest side of a hashed image, in pixels. Larger images are first shrunk to fit."""

SAMPLES = 64
"""Samples per side that the filtered image is decimated to."""

KEPT = 16
"""DCT coefficients per side, without the constant one. ``KEPT * KEPT`` gives the 256 bits."""


def check_sides(pixels: NDArray[np.uint8]) -> tuple[int, int]:
    """Return the rows and columns of an image; raise ``ValueError`` if it must first be shrunk."""
    rows, cols = pixels.shape[:2]
    if max(rows, cols) > MAX_SIDE:
        raise ValueError(
            f"image of {cols} x {rows} pixels is too large: shrink it, keeping its aspect ratio, "
            f"until no side exceeds {MAX_SIDE} pixels"
        )
    return rows, cols


def flatten(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return pixels as a contiguous array ``[rows, bytes]`` for compiled code.

    It is read-only, because Numba compiles read-only and writeable arrays separately.
    """
    flat = np.ascontiguousarray(pixels).reshape(len(pixels), -1)
    flat.flags.writeable = False
    return flat


def half_width(size: int) -> int:
    """Return half the width of the box filter's window along a side, in pixels.

    With ``w = int((size + 63) / 64)`` for a side of ``size`` pixels, it is ``int((w + 2) / 2)``.
    """
    window = int((size + SAMPLES - 1) / SAMPLES)
    return int((window + 2) / 2)


def sample_points(size: int) -> list[int]:
    """Return the 64 pixels that decimation keeps along a side: ``int((i + 0.5) * size / 64)``."""
    return [int(((i + 0.5) * size) / SAMPLES) for i in range(SAMPLES)]


def dct_matrix() -> list[list[float]]:
    """Return the 16 x 64 unscaled DCT-II matrix without its constant row.

    ``D[i][j] = cos((pi / 2 / 64) * (i + 1) * (2j + 1))``. The published program computes a scale
    factor but does not use it. Bits come from comparing coefficients, so a common positive factor
    would not change them.
    """
    return [
        [math.cos((math.pi / 2 / SAMPLES) * (i + 1) * (2 * j + 1)) for j in range(SAMPLES)]
        for i in range(KEPT)
    ]
