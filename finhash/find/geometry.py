"""Facts about FINd that all implementations share: sizes, windows, sample points, DCT matrix.

The formulas are those of FIN's published program.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

MAX_SIDE = 512
"""Longest side of a hashed image, in pixels. Larger images are first shrunk to fit."""

SAMPLES = 64
"""Samples per side that the filtered image is decimated to."""

KEPT = 16
"""DCT coefficients per side, without the constant one. ``KEPT * KEPT`` gives the 256 bits."""


PERCENT = 2550.0
"""One percent of the range from black to white, in units of ``1000 luma``."""


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


def kept_per_side(bits: int) -> int:
    """Return the number of DCT coefficients per side for a hash of ``bits``."""
    if bits not in (256, 64):
        raise ValueError(f"bits is {bits}; it must be 256 or 64")
    return KEPT if bits == 256 else KEPT // 2


def window_size(size: int, divisor: int = SAMPLES) -> int:
    """Return the box filter's window along a side, before widening: ``size / divisor``, rounded up.

    The published formula is ``int((size + divisor - 1) / divisor)``.
    """
    return int((size + divisor - 1) / divisor)


def half_window(window: int) -> int:
    """Return half the width that the box filter gives to a window: ``int((window + 2) / 2)``."""
    return int((window + 2) / 2)


def half_width(size: int) -> int:
    """Return half the width of the box filter's window along a side of ``size`` pixels."""
    return half_window(window_size(size))


def sample_points(size: int) -> list[int]:
    """Return the 64 pixels that decimation keeps along a side: ``int((i + 0.5) * size / 64)``."""
    return [int(((i + 0.5) * size) / SAMPLES) for i in range(SAMPLES)]


def cosine(angle: float) -> float:
    """Return the cosine of an angle in radians, correctly rounded on every machine.

    ``math.cos`` comes from the C library, and libraries differ in the last bit. Here the Taylor
    series of a 64th of the angle is summed in integers, and the angle is then doubled six times.
    """
    places = 128  # binary places of the fixed-point numbers
    top, bottom = angle.as_integer_ratio()
    square = (top * top << places) // (bottom * bottom << 12)
    term = total = 1 << places
    k = 2
    while abs(term) > 1:
        term = -(term * square >> places) // (k * (k - 1))
        total += term
        k += 2
    for _ in range(6):
        total = (total * total >> places - 1) - (1 << places)  # cos 2t = 2 cos^2 t - 1
    return total / (1 << places)


def dct_matrix() -> list[list[float]]:
    """Return the 16 x 64 unscaled DCT-II matrix without its constant row.

    ``D[i][j] = cos((pi / 2 / 64) * (i + 1) * (2j + 1))``. The published program computes a scale
    factor but does not use it. Bits come from comparing coefficients, so a common positive factor
    would not change them. The cosines are those of glibc's ``math.cos``, which the published
    program gives on Linux.
    """
    return [
        [cosine((math.pi / 2 / SAMPLES) * (i + 1) * (2 * j + 1)) for j in range(SAMPLES)]
        for i in range(KEPT)
    ]


DCT = np.array(dct_matrix())
"""The DCT matrix, ``float64 [16, 64]``."""

DCT_T = np.ascontiguousarray(DCT.T)
"""Its transpose, contiguous."""


@dataclass(frozen=True)
class Side:
    """The 64 windows of the box filter along one side of an image.

    Attributes
    ----------
    start, stop : ndarray of uint16, shape (64,)
        First pixel of each window, and the one after its last, clipped to the image.
    inverse : ndarray of float64, shape (64,)
        One divided by the number of pixels of each clipped window.
    first : ndarray of int64, shape (64,)
        First pixel of each window before clipping; negative if it lies outside the image.
    width : int
        Pixels of each window before clipping.
    """

    start: NDArray[np.uint16]
    stop: NDArray[np.uint16]
    inverse: NDArray[np.float64]
    first: NDArray[np.int64]
    width: int


@lru_cache(maxsize=MAX_SIDE)
def side(size: int) -> Side:
    """Return the windows along a side of ``size`` pixels."""
    points, half = np.array(sample_points(size)), half_width(size)
    start, stop = np.maximum(0, points - half), np.minimum(size, points + half)
    return Side(
        # With unsigned indices, compiled code need not check for negative ones.
        start=start.astype(np.uint16),
        stop=stop.astype(np.uint16),
        inverse=1.0 / (stop - start),
        first=points - half,
        width=2 * half,
    )
