"""FINd compiled by Numba: a fast path, a proof that its bits are exact, and an exact fallback.

Each bit of a hash says whether a DCT coefficient exceeds the lower median of all 256 coefficients.
Rounding affects a bit only if its coefficient lies very close to the median. This happens in flat,
striped or symmetric images. ``hash_rgb`` therefore computes the coefficients in a fast order first,
together with a bound on their distance from those of the published program. If no coefficient is
so close to the median that the bound allows another bit, the bits are proved equal to the published
ones. Otherwise the image is hashed again by the published operations in the published order. The
idea is that of adaptive-precision geometric predicates (Shewchuk 1997).

**Fast path.** ``1000 luma = 299 r + 587 g + 114 b`` is an integer, so sums over windows are exact
in integers, in any order. For each row of windows, the kernel first sums each colour channel down
the columns. This loop runs over neighbouring bytes, so it can be vectorised. The kernel then
converts the sums to luma, and computes window sums as differences of the running total along the
row. A window has at most 10 x 10 pixels, so a column's sum fits 16 bits, and the running total of a
row 31 bits.

**Bound.** Let ``u = 2**-53`` be the unit roundoff and ``g(n) = n u / (1 - n u)``. A product of n
factors ``1 + d`` with ``|d| <= u`` differs from 1 by at most ``g(n)`` (Higham 2002, lemma 3.1). Let
``A >= 0`` be the exact window means times 1000, and let ``D`` be the stored DCT matrix, which both
paths use. Let ``B = D A D'`` be the exact coefficients, and ``M = |D| A |D'|``. Each rounded
operation below multiplies the terms of its result by one factor ``1 + d``.

* *Published path*, times 1000. The term of a pixel is affected by the rounding of a constant, one
  product and at most two sums, then by at most n - 1 sums in a window of n pixels, and by one
  division: n + 4 factors. Each of the two matrix products sums 64 products, which adds at most 64
  factors per term. Hence ``|B_published - B| <= g(n + 132) M``.
* *Fast path*. The integer sum is exact. It is multiplied by two rounded reciprocals: 4 factors. The
  two matrix products add at most 64 factors per term each, in any order, and with or without fused
  multiply-add. Hence ``|B_fast - B| <= g(132) M``.

Let ``r = max_i sum_k |D[i, k]|``. As ``A <= 255,000``, ``M <= 255,000 r**2``. As ``n <= 100``,
``|B_published - B_fast| <= e`` with ``e = 255,000 r**2 (g(232) + g(132))``.

**Certificate.** Let m be the lower median of the fast coefficients, found at place c. Suppose that
every other coefficient is farther than ``2 e`` from m. Each of the two coefficients in a comparison
moves by at most ``e`` between the paths, so each coefficient is on the same side of the one at c in
both paths. In the published path, too, 127 coefficients are then below the one at c and 128 above
it. The lower median is at c there as well, and all bits are equal. ``MARGIN`` is twice ``2 e``,
which also covers the rounding of e, of r and of the test itself.

**Fallback.** ``published_hash`` repeats the operations of the published program in their order.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from finhash.find.geometry import (
    KEPT,
    MAX_SIDE,
    SAMPLES,
    check_sides,
    dct_matrix,
    flatten,
    half_width,
    sample_points,
)

DCT = np.array(dct_matrix())
"""The DCT matrix, ``float64 [16, 64]``."""

DCT_T = np.ascontiguousarray(DCT.T)
"""Its transpose, contiguous."""

MARGIN = 4 * 255_000 * np.abs(DCT).sum(axis=1).max() ** 2 * (232 + 132) * 2.0**-53
"""Distance from the median beyond which bits are proved, in coefficients of ``1000 luma``."""


def hash_rgb(rgb: NDArray[np.uint8], bits: int = 256) -> NDArray[np.uint8]:
    """Return the packed FINd hash of an RGB or grey image.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (rows, cols, 3) or (rows, cols)
        Pixels. No side is longer than 512 pixels. A grey image has the hash of the RGB image with
        three equal channels, but is hashed in less time.
    bits : {256, 64}, default 256
        Length of the hash. With 64, the lowest 8 x 8 coefficients are compared with their own lower
        median; this hash is not part of the published program.

    Returns
    -------
    ndarray of uint8, shape (bits / 8,)
        Bits of the hash, most significant bit first. They equal those of ``reference.find_hash``.

    Raises
    ------
    ValueError
        If a side is longer than 512 pixels, or if ``bits`` is neither 256 nor 64.

    Examples
    --------
    >>> import numpy as np
    >>> from finhash.find import compiled
    >>> ramp = np.arange(0, 250, 10, dtype=np.uint8)
    >>> rgb = np.broadcast_to(ramp[:, None, None], (25, 25, 3))
    >>> compiled.hash_rgb(rgb, bits=64).tobytes().hex()
    '64fa45ba46ba46aa'
    """
    margin, packed = fast_hash(rgb, bits)
    return packed if margin > MARGIN else published_hash(rgb, bits)


def fast_hash(rgb: NDArray[np.uint8], bits: int = 256) -> tuple[float, NDArray[np.uint8]]:
    """Return the margin and the packed hash of the fast path.

    The margin is the distance from the median to the nearest other coefficient. The hash is proved
    exact if its margin exceeds ``MARGIN``. Parameters and packing are those of ``hash_rgb``.
    """
    flat, row, col = _prepare(rgb)
    margin, packed = _fast(
        flat,
        rgb.ndim == 2,
        row.start,
        row.stop,
        row.inverse,
        col.start,
        col.stop,
        col.inverse,
        _kept(bits),
    )
    return margin, packed


def published_hash(rgb: NDArray[np.uint8], bits: int = 256) -> NDArray[np.uint8]:
    """Return the packed hash computed by the published operations in the published order.

    Parameters and packing are those of ``hash_rgb``.
    """
    flat, row, col = _prepare(rgb if rgb.ndim == 3 else np.repeat(rgb[:, :, None], 3, axis=2))
    samples = _published_samples(
        flat, row.start, row.stop, col.start, col.stop, col.first, col.width
    )
    return cut(dct(samples), bits)


def dct(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the 16 x 16 lowest coefficients of 64 x 64 samples, summed in the published order."""
    coefficients: NDArray[np.float64] = _published_dct(samples, DCT, DCT_T)
    return coefficients


def cut(coefficients: NDArray[np.float64], bits: int = 256) -> NDArray[np.uint8]:
    """Return the packed hash of 16 x 16 coefficients."""
    packed: NDArray[np.uint8] = _cut(coefficients, _kept(bits))[1]
    return packed


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


def _prepare(rgb: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Side, Side]:
    """Return the pixels as ``[rows, bytes]``, and the windows along both sides."""
    rows, cols = check_sides(rgb)
    return flatten(rgb), side(rows), side(cols)


def _kept(bits: int) -> int:
    """Return the number of coefficients per side for a hash of ``bits``."""
    if bits not in (256, 64):
        raise ValueError(f"bits is {bits}; it must be 256 or 64")
    return KEPT if bits == 256 else KEPT // 2


@njit(cache=True, nogil=True)
def _fast(flat, grey, row_start, row_stop, row_inverse, col_start, col_stop, col_inverse, kept):
    """Return the margin and the packed hash by the fast path."""
    samples = _integer_samples(
        flat, grey, row_start, row_stop, row_inverse, col_start, col_stop, col_inverse
    )
    return _cut(np.dot(np.dot(DCT, samples), DCT_T), kept)


@njit(cache=True, nogil=True)
def _integer_samples(
    flat, grey, row_start, row_stop, row_inverse, col_start, col_stop, col_inverse
):
    """Return the window means times 1000: exact integer sums, times two rounded reciprocals."""
    width = flat.shape[1]
    cols = width if grey else width // 3
    column = np.empty(width, np.uint16)
    luma = np.empty(cols, np.int32)
    running = np.zeros(cols + 1, np.int32)
    total = np.empty(SAMPLES, np.int32)
    samples = np.empty((SAMPLES, SAMPLES))
    for i in range(SAMPLES):
        first, last = np.int64(row_start[i]), np.int64(row_stop[i]) - 1
        _sum_rows(flat[first], flat[last], np.uint16(first < last), column)
        # Adding two rows at once halves the loads and stores.
        for k in range(first + 1, last - 1, 2):
            _add_rows(flat[k], flat[k + 1], column)
        if (last - first) % 2 == 0 and last > first:
            _add_row(flat[last - 1], column)
        if grey:
            for j in range(cols):
                luma[j] = 1000 * np.int32(column[j])
        else:
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
    """Set ``column`` to ``first + both * last``; ``both`` is 0 for a window of one row, else 1."""
    for p in range(column.size):
        column[p] = np.uint16(first[p]) + both * np.uint16(last[p])


@njit(cache=True, nogil=True)
def _add_row(row, column):
    """Add a row to ``column``."""
    for p in range(column.size):
        column[p] += np.uint16(row[p])


@njit(cache=True, nogil=True)
def _add_rows(first, second, column):
    """Add two rows to ``column``."""
    for p in range(column.size):
        column[p] += np.uint16(first[p]) + np.uint16(second[p])


@njit(cache=True, nogil=True)
def _cut(coefficients, kept):
    """Return the margin around the lower median, and the packed bits in reversed order."""
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
def luma_row(row: NDArray[np.uint8], luma: NDArray[np.float64]) -> None:
    """Write the published luma of one row of interleaved RGB into ``luma``."""
    for j in range(luma.size):  # constant strides can be vectorised
        luma[j] = 0.299 * row[3 * j] + 0.587 * row[3 * j + 1] + 0.114 * row[3 * j + 2]


@njit(cache=True, nogil=True)
def add_to_windows(
    framed: NDArray[np.float64],
    first: NDArray[np.int64],
    width: int,
    total: NDArray[np.float64],
) -> None:
    """Add one row's pixels of each window to the window's total, left to right.

    Window ``j`` covers ``width`` pixels of ``framed`` from ``first[j]``.
    """
    for j in range(first.size):
        window = framed[first[j] : first[j] + width]
        running = total[j]
        for m in range(width):
            running += window[m]
        total[j] = running


@njit(cache=True, nogil=True)
def _published_samples(flat, row_start, row_stop, col_start, col_stop, col_first, width):
    """Return the window means, summed in the published order.

    Each row of luma is padded with zeros, so that all windows are equally wide; adding 0.0 is
    exact. If windows overlap, the luma of a row is computed again for each, which takes less time
    than keeping all rows.
    """
    cols = flat.shape[1] // 3
    framed = np.zeros(cols + 2 * width)
    luma = framed[width : width + cols]
    first = col_first + width
    samples = np.zeros((SAMPLES, SAMPLES))
    for i in range(SAMPLES):
        for k in range(row_start[i], row_stop[i]):
            luma_row(flat[k], luma)
            add_to_windows(framed, first, width, samples[i])
        for j in range(SAMPLES):
            samples[i, j] /= (row_stop[i] - row_start[i]) * (col_stop[j] - col_start[j])
    return samples


@njit(cache=True, nogil=True)
def _published_dct(samples, dct, dct_t):
    """Return the DCT coefficients, each summed in the published order.

    The loop over the terms ``k`` is not the innermost one, so that the innermost loop updates
    independent sums and can be vectorised. The order of the terms of each sum is unchanged.
    """
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
