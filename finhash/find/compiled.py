"""FINd compiled by Numba: the deployed kernel, its certificate of exactness, the exact fallback.

A hash's bits come from comparing 256 coefficients with one of them, the lower median. The published
program's rounding decides a bit only where a coefficient lies within rounding of the median: on
flat, striped or symmetric pictures. So the kernel first computes in whatever order is fast, with a
proved bound on how far each coefficient can be from the published program's. If no coefficient lies
within the bound of the median, the bits are the published ones. Otherwise the picture is computed
again by the published operations in the published order. (The idea is that of adaptive-precision
geometric predicates: Shewchuk 1997.)

**The fast path.** ``1000 luma = 299 r + 587 g + 114 b`` is an integer, so sums over windows are
exact in integers, in any order, and luma can be taken after the sums instead of before: first the
three channels down each column of the window (neighbouring bytes, which vectorise), then luma of
each column, then windows as differences of a running sum along the row. No window is larger than
10 x 10, so a column's sum fits 16 bits and a row's running sum 31.

**The bound.** Let ``u = 2**-53`` and ``g(n) = n u / (1 - n u)``: a product of n factors ``1 + d``
with ``|d| <= u`` differs from 1 by at most ``g(n)`` (Higham 2002, lemma 3.1). Let ``A >= 0`` be the
exact box means times 1000, ``D`` the stored DCT matrix, the same for both paths, ``B = D A D'``
exactly, and ``M = |D| A |D'|``. Every operation below multiplies a term by one such factor.

* *Published*, times 1000. A pixel's term meets a rounded constant, a product and at most two sums;
  then at most n - 1 sums in a window of n pixels and a division: n + 4 factors. Two sums of 64
  products, each at most 64 factors a term: ``|B_published - B| <= g(n + 132) M``.
* *Fast*. The integer sum is exact. It meets two rounded reciprocals and two products, and the same
  two sums of products, in any order and fused or not, at most 64 factors a term each:
  ``|B_fast - B| <= g(132) M``.

With ``r = max_i sum_k |D[i, k]|`` and ``A <= 255,000``, ``M <= 255,000 r**2``. With n <= 100,
``|B_published - B_fast| <= e = 255,000 r**2 (g(232) + g(132))``.

**The certificate.** Let m be the fast lower median, at place c. If every other coefficient is
farther than ``2 e`` from m, it lies on the same side of that at c in the published numbers as
well. There too, then, 127 lie below c's and 128 above it: c holds the published lower median, and
every comparison with it comes out the same. The code asks for twice that margin, which covers the
rounding of e, of r and of the test itself.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import njit

from finhash.find.geometry import (
    KEPT,
    MAX_SIDE,
    SAMPLES,
    check_sides,
    dct_matrix,
    half_width,
    sample_points,
)

DCT = np.array(dct_matrix())
DCT_T = np.ascontiguousarray(DCT.T)

MARGIN = 4 * 255_000 * np.abs(DCT).sum(axis=1).max() ** 2 * (232 + 132) * 2.0**-53
"""Distance from the median, in coefficients of luma times 1000, beyond which a bit is proved."""


def hash_rgb(rgb: np.ndarray, bits: int = 256) -> np.ndarray:
    """The packed FINd hash of ``uint8 [rows, cols, 3]``: ``uint8 [bits / 8]``, MSB first.

    No side may be longer than 512. ``bits`` is 256, or 64 for the lowest 8 x 8 coefficients
    compared with their own lower median.
    """
    margin, packed = fast_hash(rgb, bits)
    return packed if margin > MARGIN else published_hash(rgb, bits)


def fast_hash(rgb: np.ndarray, bits: int = 256) -> tuple[float, np.ndarray]:
    """The packed hash by the fast path, and its margin: proved exact if that exceeds ``MARGIN``.

    The margin is the distance from the median to the nearest other coefficient.
    """
    flat, row, col = _prepare(rgb)
    return _fast(
        flat, row.start, row.stop, row.inverse, col.start, col.stop, col.inverse, _kept(bits)
    )


def published_hash(rgb: np.ndarray, bits: int = 256) -> np.ndarray:
    """The packed hash by the published operations in the published order."""
    flat, row, col = _prepare(rgb)
    samples = _published_samples(
        flat, row.start, row.stop, col.start, col.stop, col.first, col.width
    )
    return cut(dct(samples), bits)


def dct(samples: np.ndarray) -> np.ndarray:
    """The 16 x 16 lowest coefficients of 64 x 64 samples, summed in the published order."""
    return _published_dct(samples, DCT, DCT_T)


def cut(coefficients: np.ndarray, bits: int = 256) -> np.ndarray:
    """The packed hash that 16 x 16 coefficients give."""
    return _cut(coefficients, _kept(bits))[1]


@dataclass(frozen=True)
class Side:
    """The 64 windows along one side: ``[start, stop)`` clipped, ``[first, first + width)`` not."""

    start: np.ndarray
    stop: np.ndarray
    inverse: np.ndarray
    first: np.ndarray
    width: int


@lru_cache(maxsize=MAX_SIDE)
def side(size: int) -> Side:
    """The windows along a side of ``size`` pixels."""
    points, half = np.array(sample_points(size)), half_width(size)
    start, stop = np.maximum(0, points - half), np.minimum(size, points + half)
    # Unsigned, so that compiled code need not ask whether an index counts from the end.
    unsigned = start.astype(np.uint16), stop.astype(np.uint16)
    return Side(*unsigned, 1.0 / (stop - start), points - half, 2 * half)


def _prepare(rgb: np.ndarray) -> tuple[np.ndarray, Side, Side]:
    rows, cols = check_sides(rgb)
    flat = np.ascontiguousarray(rgb).reshape(rows, 3 * cols)
    flat.flags.writeable = False  # one compiled version, whoever owns the pixels
    return flat, side(rows), side(cols)


def _kept(bits: int) -> int:
    return {256: KEPT, 64: KEPT // 2}[bits]


@njit(cache=True, nogil=True)
def _fast(flat, row_start, row_stop, row_inverse, col_start, col_stop, col_inverse, kept):
    samples = _integer_samples(
        flat, row_start, row_stop, row_inverse, col_start, col_stop, col_inverse
    )
    return _cut(np.dot(np.dot(DCT, samples), DCT_T), kept)


@njit(cache=True, nogil=True)
def _integer_samples(flat, row_start, row_stop, row_inverse, col_start, col_stop, col_inverse):
    """Box means times 1000: exact integer sums, then two roundings a sample."""
    width = flat.shape[1]
    cols = width // 3
    column = np.empty(width, np.uint16)
    luma = np.empty(cols, np.int32)
    running = np.zeros(cols + 1, np.int32)
    total = np.empty(SAMPLES, np.int32)
    samples = np.empty((SAMPLES, SAMPLES))
    for i in range(SAMPLES):
        first, last = np.int64(row_start[i]), np.int64(row_stop[i]) - 1
        _sum_rows(flat[first], flat[last], np.uint16(first < last), column)
        for k in range(first + 1, last - 1, 2):  # two at a time: half the loads and stores
            _add_rows(flat[k], flat[k + 1], column)
        if (last - first) % 2 == 0 and last > first:
            _add_row(flat[last - 1], column)
        for j in range(cols):
            luma[j] = (
                299 * np.int32(column[3 * j])
                + 587 * np.int32(column[3 * j + 1])
                + 114 * np.int32(column[3 * j + 2])
            )
        so_far = np.int32(0)
        for j in range(cols):
            so_far += luma[j]
            running[j + 1] = so_far
        for j in range(SAMPLES):
            total[j] = running[col_stop[j]] - running[col_start[j]]
        for j in range(SAMPLES):
            samples[i, j] = total[j] * col_inverse[j] * row_inverse[i]
    return samples


@njit(cache=True, nogil=True)
def _sum_rows(first, last, both, column):
    for p in range(column.size):
        column[p] = np.uint16(first[p]) + both * np.uint16(last[p])


@njit(cache=True, nogil=True)
def _add_row(row, column):
    for p in range(column.size):
        column[p] += np.uint16(row[p])


@njit(cache=True, nogil=True)
def _add_rows(first, second, column):
    for p in range(column.size):
        column[p] += np.uint16(first[p]) + np.uint16(second[p])


@njit(cache=True, nogil=True)
def _cut(coefficients, kept):
    """Margin around the lower median, and the packed bits above it in reversed order."""
    values = coefficients[:kept, :kept].copy().ravel()
    half = values.size // 2
    ordered = np.partition(values, half - 1)
    median = ordered[half - 1]
    margin = min(median - ordered[: half - 1].max(), ordered[half:].min() - median)
    packed = np.zeros(values.size // 8, np.uint8)
    for p in range(values.size):
        if values[values.size - 1 - p] > median:
            packed[p // 8] |= 128 >> p % 8
    return margin, packed


@njit(cache=True, nogil=True)
def luma_row(row: np.ndarray, luma: np.ndarray) -> None:
    """Published luma of one row of interleaved RGB into ``luma``."""
    for j in range(luma.size):  # constant strides, so that it vectorises
        luma[j] = 0.299 * row[3 * j] + 0.587 * row[3 * j + 1] + 0.114 * row[3 * j + 2]


@njit(cache=True, nogil=True)
def add_row(framed: np.ndarray, first: np.ndarray, width: int, total: np.ndarray) -> None:
    """Add one row's part of each window, left to right, to the windows' running totals."""
    for j in range(first.size):
        window = framed[first[j] : first[j] + width]
        running = total[j]
        for m in range(width):
            running += window[m]
        total[j] = running


@njit(cache=True, nogil=True)
def _published_samples(flat, row_start, row_stop, col_start, col_stop, col_first, width):
    """Box means in the published order.

    A row's luma stands in a frame of zeros, so that all windows are equally wide: adding 0.0 is
    exact. Luma is computed again for every window that needs the row, cheaper than keeping it.
    """
    cols = flat.shape[1] // 3
    framed = np.zeros(cols + 2 * width)
    luma = framed[width : width + cols]
    first = col_first + width
    samples = np.zeros((SAMPLES, SAMPLES))
    for i in range(SAMPLES):
        for k in range(row_start[i], row_stop[i]):
            luma_row(flat[k], luma)
            add_row(framed, first, width, samples[i])
        for j in range(SAMPLES):
            samples[i, j] /= (row_stop[i] - row_start[i]) * (col_stop[j] - col_start[j])
    return samples


@njit(cache=True, nogil=True)
def _published_dct(samples, dct, dct_t):
    """Loops are interchanged across independent sums, never inside one."""
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
