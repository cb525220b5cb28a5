"""FINd compiled by Numba, in the published order of operations: the deployed kernel.

Bits come from comparing 256 numbers with one of them, so on flat or symmetric pictures rounding
decides. This kernel therefore performs, for every number that reaches the hash, the very additions
and multiplications of ``reference`` in the same order, and leaves out only what cannot matter:

* of the box filter's outputs, only the 64 x 64 that decimation keeps are computed;
* luma is computed a row at a time, again for every window that needs the row: cheaper than keeping
  a picture of floats, and the same numbers;
* each row of luma stands in a frame of zeros, so that all windows are equally wide, and adding
  0.0 is exact;
* loops are interchanged across independent sums, never inside one. No ``fastmath``.
"""

from functools import lru_cache

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
    flat = np.ascontiguousarray(rgb).reshape(rows, 3 * cols)
    return dct(_box_samples(flat, *_side(rows), *_side(cols)))


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
def luma_row(row: np.ndarray, luma: np.ndarray) -> None:
    """Luma of one row of interleaved RGB into ``luma``: constant strides, so that it vectorises."""
    for j in range(luma.size):
        luma[j] = 0.299 * row[3 * j] + 0.587 * row[3 * j + 1] + 0.114 * row[3 * j + 2]


@njit(cache=True, nogil=True)
def add_row(framed: np.ndarray, starts: np.ndarray, width: int, total: np.ndarray) -> None:
    """Add one row's part of each window, left to right, to the windows' running totals."""
    for j in range(starts.size):
        window = framed[starts[j] : starts[j] + width]
        running = total[j]
        for m in range(width):
            running += window[m]
        total[j] = running


@njit(cache=True, nogil=True)
def _box_samples(flat, rows, sample_rows, half_rows, cols, sample_cols, half_cols):
    samples = np.empty((SAMPLES, SAMPLES))
    total = np.empty(SAMPLES)
    framed = np.zeros(cols + 2 * half_cols)  # a window from j - half starts here at j
    luma = framed[half_cols : half_cols + cols]
    for i in range(SAMPLES):
        top, bottom = max(0, sample_rows[i] - half_rows), min(rows, sample_rows[i] + half_rows)
        total[:] = 0.0
        for k in range(top, bottom):
            luma_row(flat[k], luma)
            add_row(framed, sample_cols, 2 * half_cols, total)
        for j in range(SAMPLES):
            col = sample_cols[j]
            width = min(cols, col + half_cols) - max(0, col - half_cols)
            samples[i, j] = total[j] / ((bottom - top) * width)
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


@lru_cache(maxsize=1024)
def _side(size: int) -> tuple[int, np.ndarray, int]:
    """Size, sample points and half width of the window along one side."""
    return size, np.array(sample_points(size)), half_width(size)
