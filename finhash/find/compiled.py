"""FINd compiled by Numba: a fast path, proved exact by a certificate, and an exact fallback.

The fast path computes the coefficients in a fast order. If ``finhash.find.certificate`` proves the
bits, they are the published ones; otherwise the fallback hashes the image again.

**Fast path.** ``1000 luma = 299 r + 587 g + 114 b`` is an integer, so sums over windows are exact
in integers, in any order. For each row of windows, the kernel first sums each colour channel down
the columns. This loop runs over neighbouring bytes, so it can be vectorised. The kernel then
converts the sums to luma, and computes window sums as differences of the running total along the
row. A window has at most 10 x 10 pixels, so a column's sum fits 16 bits, and the running total of a
row 31 bits.

**Fallback.** ``published_hash`` repeats the operations of the published program in their order.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from finhash.find.certificate import MARGIN
from finhash.find.geometry import (
    DCT,
    DCT_T,
    KEPT,
    PERCENT,
    SAMPLES,
    Side,
    check_sides,
    flatten,
    kept_per_side,
    side,
)
from finhash.jit import kernel


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


def contrast(rgb: NDArray[np.uint8]) -> int:
    """Return the sum of differences between neighbouring samples, in whole percents of the range.

    Parameters are those of ``hash_rgb``. ``finhash.quality`` explains the sum.

    Examples
    --------
    >>> import numpy as np
    >>> from finhash.find import compiled
    >>> compiled.contrast(np.zeros((25, 25, 3), np.uint8))
    0
    """
    return int(_contrast(*_for_integer_samples(rgb)))


def fast_hash(rgb: NDArray[np.uint8], bits: int = 256) -> tuple[float, NDArray[np.uint8]]:
    """Return the margin and the packed hash of the fast path.

    The margin is the distance from the median to the nearest other coefficient. The hash is proved
    exact if its margin exceeds ``MARGIN``. Parameters and packing are those of ``hash_rgb``.
    """
    margin, packed = _fast(*_for_integer_samples(rgb), kept_per_side(bits))
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
    packed: NDArray[np.uint8] = _cut(coefficients, kept_per_side(bits))[1]
    return packed


def _prepare(rgb: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Side, Side]:
    """Return the pixels as ``[rows, bytes]``, and the windows along both sides."""
    rows, cols = check_sides(rgb)
    return flatten(rgb), side(rows), side(cols)


def _for_integer_samples(rgb: NDArray[np.uint8]) -> tuple[Any, ...]:
    """Return the arguments of ``_integer_samples`` for an image."""
    flat, row, col = _prepare(rgb)
    is_grey = rgb.ndim == 2
    return flat, is_grey, row.start, row.stop, row.inverse, col.start, col.stop, col.inverse


@kernel
def _fast(flat, grey, row_start, row_stop, row_inverse, col_start, col_stop, col_inverse, kept):
    """Return the margin and the packed hash by the fast path."""
    samples = _integer_samples(
        flat, grey, row_start, row_stop, row_inverse, col_start, col_stop, col_inverse
    )
    return _cut(np.dot(np.dot(DCT, samples), DCT_T), kept)


@kernel
def _contrast(flat, grey, row_start, row_stop, row_inverse, col_start, col_stop, col_inverse):
    """Return the sum of differences between samples below and beside each other, in percents."""
    samples = _integer_samples(
        flat, grey, row_start, row_stop, row_inverse, col_start, col_stop, col_inverse
    )
    total = 0
    for i in range(SAMPLES):
        for j in range(SAMPLES - 1):
            total += int(abs(samples[i, j + 1] - samples[i, j]) / PERCENT)
            total += int(abs(samples[j + 1, i] - samples[j, i]) / PERCENT)
    return total


@kernel
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


@kernel
def _sum_rows(first, last, both, column):
    """Set ``column`` to ``first + both * last``; ``both`` is 0 for a window of one row, else 1."""
    for p in range(column.size):
        column[p] = np.uint16(first[p]) + both * np.uint16(last[p])


@kernel
def _add_row(row, column):
    """Add a row to ``column``."""
    for p in range(column.size):
        column[p] += np.uint16(row[p])


@kernel
def _add_rows(first, second, column):
    """Add two rows to ``column``."""
    for p in range(column.size):
        column[p] += np.uint16(first[p]) + np.uint16(second[p])


@kernel
def _cut(coefficients, kept):
    """Return the margin around the lower median, and the packed bits in reversed order."""
    values = coefficients[:kept, :kept].copy().ravel()
    median, times = _select(values, values.size // 2 - 1)
    margin = np.inf if times == 1 else 0.0
    packed = np.zeros(values.size // 8, np.uint8)
    for p in range(values.size):
        value = values[values.size - 1 - p]
        if value != median:
            margin = min(margin, abs(value - median))
        if value > median:
            packed[p // 8] |= 128 >> p % 8
    return margin, packed


@kernel
def _select(values, rank):
    """Return the value that would have index ``rank`` if sorted, and how often it occurs.

    Each guess halves the values between the bounds on average. NumPy's ``partition`` is as fast,
    but Numba compiles it for seven seconds.
    """
    low, high = -np.inf, np.inf
    for guess in values:
        if low < guess < high:
            less = equal = 0
            for value in values:
                less += value < guess
                equal += value == guess
            if less > rank:
                high = guess
            elif less + equal > rank:
                return guess, equal
            else:
                low = guess
    return np.nan, 0  # not reached: values are numbers


@kernel
def luma_row(row: NDArray[np.uint8], luma: NDArray[np.float64]) -> None:
    """Write the published luma of one row of interleaved RGB into ``luma``."""
    for j in range(luma.size):  # constant strides can be vectorised
        luma[j] = 0.299 * row[3 * j] + 0.587 * row[3 * j + 1] + 0.114 * row[3 * j + 2]


@kernel
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


@kernel
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


@kernel
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
