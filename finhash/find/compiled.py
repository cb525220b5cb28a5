"""FINd compiled by Numba, in the published order of operations: the deployed kernel.

Bits come from comparing 256 numbers with one of them, so on flat or symmetric pictures rounding
decides. This kernel therefore performs, for every number that reaches the hash, the very additions
and multiplications of ``reference`` in the same order, and leaves out only what cannot matter:

* of the box filter's outputs, only the 64 x 64 that decimation keeps are computed;
* the luma buffer is framed with zeros so that every window has full size; in ``x + 0.0 == x`` the
  frame is exact;
* loops are interchanged across independent sums, never inside one. No ``fastmath``.
"""

import numpy as np
from numba import njit

from finhash.find.geometry import KEPT, SAMPLES, dct_matrix, half_width, sample_points

DCT = np.array(dct_matrix())
DCT_T = np.ascontiguousarray(DCT.T)


def hash_rgb(rgb: np.ndarray, bits: int = 256) -> np.ndarray:
    """The packed FINd hash of ``uint8 [rows, cols, 3]``: ``uint8 [bits / 8]``, MSB first.

    ``bits`` is 256, or 64 for the lowest 8 x 8 coefficients compared with their own lower median.
    """
    return pack(coefficients(rgb), bits)


def coefficients(rgb: np.ndarray) -> np.ndarray:
    """The 16 x 16 DCT coefficients that the bits are cut from, ``float64``."""
    rows, cols, _ = rgb.shape
    return dct(box_samples(framed_luma(rgb, half_width(rows), half_width(cols)), rows, cols))


def box_samples(luma: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """The 64 x 64 box means that decimation keeps, of luma framed by the windows' half-widths."""
    points = np.array(sample_points(rows)), np.array(sample_points(cols))
    return _box_samples(luma, *points, rows, cols, half_width(rows), half_width(cols))


def dct(samples: np.ndarray) -> np.ndarray:
    """The 16 x 16 lowest DCT coefficients of 64 x 64 samples, without DC."""
    return _dct(samples, DCT, DCT_T)


def pack(values: np.ndarray, bits: int) -> np.ndarray:
    """Bits of the lowest coefficients against their lower median, reversed and packed."""
    side = {256: KEPT, 64: KEPT // 2}[bits]
    lowest = values[:side, :side].ravel()
    median = np.partition(lowest, bits // 2 - 1)[bits // 2 - 1]
    return np.packbits(lowest[::-1] > median)


@njit(cache=True, nogil=True)
def framed_luma(rgb: np.ndarray, half_rows: int, half_cols: int) -> np.ndarray:
    """Luma of every pixel inside a frame of zeros, half a window wide on each side."""
    rows, cols, _ = rgb.shape
    luma = np.zeros((rows + 2 * half_rows, cols + 2 * half_cols))
    for i in range(rows):
        for j in range(cols):
            luma[i + half_rows, j + half_cols] = (
                0.299 * rgb[i, j, 0] + 0.587 * rgb[i, j, 1] + 0.114 * rgb[i, j, 2]
            )
    return luma


@njit(cache=True, nogil=True)
def _box_samples(luma, sample_rows, sample_cols, rows, cols, half_rows, half_cols):
    samples = np.empty((SAMPLES, SAMPLES))
    total = np.empty(SAMPLES)
    for i in range(SAMPLES):
        row = sample_rows[i]
        height = min(rows, row + half_rows) - max(0, row - half_rows)
        total[:] = 0.0
        for k in range(row, row + 2 * half_rows):  # framed: row - half + half
            for m in range(2 * half_cols):
                for j in range(SAMPLES):
                    total[j] += luma[k, sample_cols[j] + m]
        for j in range(SAMPLES):
            col = sample_cols[j]
            width = min(cols, col + half_cols) - max(0, col - half_cols)
            samples[i, j] = total[j] / (height * width)
    return samples


@njit(cache=True, nogil=True)
def _dct(samples, dct, dct_t):
    half_done = np.zeros((KEPT, SAMPLES))
    for i in range(KEPT):
        for k in range(SAMPLES):
            for j in range(SAMPLES):
                half_done[i, j] += dct[i, k] * samples[k, j]
    values = np.zeros((KEPT, KEPT))
    for i in range(KEPT):
        for k in range(SAMPLES):
            for j in range(KEPT):
                values[i, j] += half_done[i, k] * dct_t[k, j]
    return values
