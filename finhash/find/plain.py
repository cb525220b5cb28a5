"""FINd in NumPy, with the bits of ``finhash.find.compiled``, for the first hashes of a process.

Nothing is compiled or loaded. A hash takes about 2 ms at 250 x 250 pixels and 12 ms at 512 x 512,
many times as long as the compiled one. ``finhash.find.loading`` decides which one is used.
"""

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
    kept_per_side,
    side,
)


def hash_rgb(rgb: NDArray[np.uint8], bits: int = 256) -> NDArray[np.uint8]:
    """Return the packed FINd hash of an RGB or grey image; see ``finhash.find.compiled.hash_rgb``.

    Examples
    --------
    >>> import numpy as np
    >>> from finhash.find import plain
    >>> ramp = np.arange(0, 250, 10, dtype=np.uint8)
    >>> rgb = np.broadcast_to(ramp[:, None, None], (25, 25, 3))
    >>> plain.hash_rgb(rgb, bits=64).tobytes().hex()
    '64fa45ba46ba46aa'
    """
    kept = kept_per_side(bits)
    row, col = (side(size) for size in check_sides(rgb))
    margin, packed = _cut(DCT @ _integer_samples(rgb, row, col) @ DCT_T, kept)
    if margin > MARGIN:
        return packed
    return _cut(_published_dct(_published_samples(rgb, row, col)), kept)[1]


def contrast(rgb: NDArray[np.uint8]) -> int:
    """Return the sum of differences between samples; see ``finhash.find.compiled.contrast``.

    Examples
    --------
    >>> import numpy as np
    >>> from finhash.find import plain
    >>> plain.contrast(np.zeros((25, 25, 3), np.uint8))
    0
    """
    row, col = (side(size) for size in check_sides(rgb))
    samples = _integer_samples(rgb, row, col)
    steps = [np.abs(np.diff(samples, axis=axis)) / PERCENT for axis in (0, 1)]
    return sum(int(step.astype(np.int64).sum()) for step in steps)


def _integer_samples(rgb: NDArray[np.uint8], row: Side, col: Side) -> NDArray[np.float64]:
    """Return the window means times 1000: differences of exact sums over rectangles."""
    r, g, b = (channel.astype(np.int64) for channel in _channels(rgb))
    total = np.zeros((r.shape[0] + 1, r.shape[1] + 1), np.int64)
    total[1:, 1:] = (299 * r + 587 * g + 114 * b).cumsum(axis=0).cumsum(axis=1)
    rows = total[row.stop] - total[row.start]
    return (rows[:, col.stop] - rows[:, col.start]) * col.inverse * row.inverse[:, None]


def _published_samples(rgb: NDArray[np.uint8], row: Side, col: Side) -> NDArray[np.float64]:
    """Return the window means, each summed in the published order.

    The luma is padded with zeros, so that all windows are equally large; adding 0.0 is exact. Each
    step adds one pixel to every window.
    """
    r, g, b = _channels(rgb)
    luma = np.pad(0.299 * r + 0.587 * g + 0.114 * b, [(row.width,) * 2, (col.width,) * 2])
    samples = np.zeros((SAMPLES, SAMPLES))
    for k in range(row.width):
        lines = luma[row.first + row.width + k]
        for m in range(col.width):
            samples += lines[:, col.first + col.width + m]
    sizes = np.multiply.outer(*(np.subtract(s.stop, s.start, dtype=np.int64) for s in (row, col)))
    return samples / sizes


def _published_dct(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the DCT coefficients, each summed in the published order."""
    half_done, values = np.zeros((KEPT, SAMPLES)), np.zeros((KEPT, KEPT))
    for k in range(SAMPLES):
        half_done += np.multiply.outer(DCT[:, k], samples[k])
    for k in range(SAMPLES):
        values += np.multiply.outer(half_done[:, k], DCT_T[k])
    return values


def _cut(coefficients: NDArray[np.float64], kept: int) -> tuple[float, NDArray[np.uint8]]:
    """Return the margin around the lower median, and the packed bits in reversed order."""
    values = coefficients[:kept, :kept].ravel()
    half = values.size // 2
    ordered = np.sort(values)
    median = ordered[half - 1]
    margin = min(median - ordered[half - 2], ordered[half] - median)
    return float(margin), np.packbits(values[::-1] > median)


def _channels(rgb: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], ...]:
    """Return the red, green and blue values; a grey image has equal ones."""
    return (rgb,) * 3 if rgb.ndim == 2 else tuple(np.moveaxis(rgb, 2, 0))
