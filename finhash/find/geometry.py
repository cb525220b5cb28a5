"""The facts about FINd that every version shares: shrink limit, windows, samples, DCT matrix.

Source: the published program's behaviour; the formulas are quoted in each docstring.
"""

import math

import numpy as np

MAX_SIDE = 512
"""Pictures with a longer side are first shrunk to fit this square."""

SAMPLES = 64
"""The filtered picture is decimated to SAMPLES x SAMPLES."""

KEPT = 16
"""The KEPT x KEPT lowest DCT coefficients (without DC) make the 256 bits."""


def check_sides(rgb: np.ndarray) -> tuple[int, int]:
    """Rows and columns of ``[rows, cols, 3]``; a ValueError if one is more than ``MAX_SIDE``."""
    rows, cols, _ = rgb.shape
    if max(rows, cols) > MAX_SIDE:
        raise ValueError(f"a picture of {cols} x {rows} must be shrunk to {MAX_SIDE} first")
    return rows, cols


def half_width(size: int) -> int:
    """Half the width, in pixels, of the box window along a side of ``size`` pixels.

    The window is ``w = int((size + 63) / 64)`` and its half ``int((w + 2) / 2)``.
    """
    window = int((size + SAMPLES - 1) / SAMPLES)
    return int((window + 2) / 2)


def sample_points(size: int) -> list[int]:
    """The 64 positions that decimation keeps along a side: ``int((i + 0.5) * size / 64)``."""
    return [int(((i + 0.5) * size) / SAMPLES) for i in range(SAMPLES)]


def dct_matrix() -> list[list[float]]:
    """The 16 x 64 unscaled DCT-II matrix without its constant row.

    ``D[i][j] = cos((pi / 2 / 64) * (i + 1) * (2j + 1))``. The published program computes a scale
    factor and never uses it; since bits come from comparisons, no scale would change them.
    """
    return [
        [math.cos((math.pi / 2 / SAMPLES) * (i + 1) * (2 * j + 1)) for j in range(SAMPLES)]
        for i in range(KEPT)
    ]
