"""Compiled shrinking of RGB and grey pixels, equal to ``thumbnail`` but several times as fast.

Pillow shrinks 8-bit channels in integers, so its pixels can be reproduced exactly:

1. **Average.** If a side is at least four times its target, blocks of pixels are averaged; each
   side has its own ``reduction``. The mean of n pixels is ``(sum + n // 2) * m >> 24``, where m is
   ``2**24 / n`` in single precision, rounded down.
2. **Resize the width.** An output pixel is a weighted sum of neighbouring pixels. The weights are
   those of a cubic filter, normalised to 1 and rounded to 22 fractional bits. A sum starts at one
   half, loses its fraction and is clipped to 0..255.
3. **Resize the height** of the result in the same way.

``LANES`` rows are resized at a time. The scratch memory is therefore small: less than 1 MB for
ordinary images, and less than 3 MB for any. The rows are transposed first: neighbouring bytes then
belong to the same pixel of neighbouring rows and have the same weight, so one vector instruction
serves many rows. The result is transposed back. Output rows follow as soon as all their input rows
exist.
"""

import math
import threading
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from finhash.find.geometry import MAX_SIDE, flatten
from finhash.find.lanes import FRACTION, LANES, SQUARE, mean, transpose_square, weigh
from finhash.find.thumbnail import reduction, thumbnail, thumbnail_size
from finhash.jit import kernel

ROW = 3 * 4 * MAX_SIDE
"""Bytes per row after averaging, at most: fewer than 4 pixels per pixel of the output."""

STRIDE = ROW + 64
"""Bytes between the starts of two rows in the workspace.

Without the 64 bytes, every second row would start at the same offset modulo 4,096, and such rows
compete for the same places in the CPU's cache.
"""

TARGET = 3 * MAX_SIDE
"""Bytes per row after resizing, at most."""

HELD = 4 * LANES
"""Rows held between the passes. An output row needs at most 17 of them."""

SCRATCH = 1 << 18
"""Bytes of pixels that are averaged at a time, unless one block per lane needs more."""

LONGEST = 1 << 17
"""Longest side that is shrunk here. Pillow shrinks images with a longer one."""


class Weights(NamedTuple):
    """Weights along one side; output pixel ``i`` reads ``taps[i]`` pixels from ``first[i]``."""

    first: NDArray[np.int64]
    taps: NDArray[np.int64]
    weight: NDArray[np.int32]  # [target, most taps], in units of 2**-22


class Plan(NamedTuple):
    """How images of one size are shrunk; ``horizontal`` x ``vertical`` pixels are averaged."""

    channels: int
    horizontal: int
    vertical: int
    chunk: int  # bytes per row that are averaged at a time
    multiplier: NDArray[np.uint32]  # [2, 2, LANES]; index 1: last row; last block of a row
    half: NDArray[np.uint32]  # likewise, half the pixels of these blocks
    across: Weights
    down: Weights


class Workspace(NamedTuple):
    """Scratch arrays between the steps."""

    rows: NDArray[np.uint8]  # [LANES, STRIDE]
    columns: NDArray[np.uint8]  # [STRIDE, LANES], averaged and transposed
    narrow: NDArray[np.uint8]  # [TARGET, LANES], width resized
    held: NDArray[np.uint8]  # [HELD, TARGET], transposed back


class _Thread(threading.local):
    """Workspace of each thread."""

    def __init__(self) -> None:
        shapes = (LANES, STRIDE), (STRIDE, LANES), (TARGET, LANES), (HELD, TARGET)
        self.workspace = Workspace(*(np.zeros(shape, np.uint8) for shape in shapes))


_thread = _Thread()


def shrink(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return RGB or grey pixels that fit 512 x 512.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (rows, cols, 3) or (rows, cols)
        Pixels of any size.

    Returns
    -------
    ndarray of uint8, shape (rows, cols, 3) or (rows, cols)
        The pixels of ``thumbnail``. The array itself if no side exceeds 512 pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from finhash.find.resample import shrink
    >>> shrink(np.full((600, 1200, 3), 7, np.uint8)).shape
    (256, 512, 3)
    """
    rows, cols = pixels.shape[:2]
    if max(rows, cols) <= MAX_SIDE:
        return pixels
    if max(rows, cols) > LONGEST:
        return np.asarray(thumbnail(Image.fromarray(pixels)))
    plan = _plan(cols, rows, pixels.size // (rows * cols))
    output = _output(plan)
    _shrink(flatten(pixels), plan, _thread.workspace, output)
    return _shaped(output, plan)


def shrink_image(image: Image.Image) -> NDArray[np.uint8]:
    """Return the pixels of a PIL image of mode RGB or L, shrunk to fit 512 x 512.

    Pixels are copied out of the image in tiles, so that the image is not copied as a whole.

    Examples
    --------
    >>> from PIL import Image
    >>> from finhash.find.resample import shrink_image
    >>> shrink_image(Image.new("L", (600, 1200))).shape
    (512, 256)
    """
    cols, rows = image.size
    if not MAX_SIDE < max(rows, cols) <= LONGEST:
        return np.asarray(thumbnail(image))
    plan = _plan(cols, rows, len(image.getbands()))
    work, output, state = _thread.workspace, _output(plan), _start()
    scratch = _scratch(plan)
    width = plan.chunk // plan.channels
    for top in range(0, rows, LANES * plan.vertical):
        bottom = min(top + LANES * plan.vertical, rows)
        for left in range(0, cols, width):
            tile = np.asarray(image.crop((left, top, min(left + width, cols), bottom)))
            _load(flatten(tile), 0, left * plan.channels, bottom == rows, plan, work, scratch)
        _resize(bottom, plan, work, state, output)
    return _shaped(output, plan)


def _output(plan: Plan) -> NDArray[np.uint8]:
    """Return a flat array for the output, with spare bytes for the last vector of the last row."""
    return np.empty(plan.channels * plan.across.first.size * plan.down.first.size + LANES, np.uint8)


def _shaped(output: NDArray[np.uint8], plan: Plan) -> NDArray[np.uint8]:
    """Return the output as an image."""
    shape = (plan.down.first.size, plan.across.first.size, plan.channels)
    pixels = output[:-LANES].reshape(shape)
    return pixels if plan.channels > 1 else pixels[:, :, 0]


@lru_cache(maxsize=32)
def _plan(cols: int, rows: int, channels: int) -> Plan:
    """Return how images of one size are shrunk."""
    size = thumbnail_size(cols, rows)
    horizontal, vertical = map(reduction, (cols, rows), size)
    block = horizontal * channels
    fit = min(ROW, SCRATCH // (LANES * vertical)) // block
    # Blocks at the lower and right borders are smaller if the side is not a multiple.
    lowest = np.full((2, LANES), vertical)
    lowest[1, (math.ceil(rows / vertical) - 1) % LANES] = (rows - 1) % vertical + 1
    counts = lowest[:, None] * np.array([[horizontal], [(cols - 1) % horizontal + 1]])
    return Plan(
        channels,
        horizontal,
        vertical,
        block * max(1, fit) if horizontal * vertical > 1 else ROW,
        # Pillow divides in single precision.
        (np.float32(2**32) / (256 * counts).astype(np.float32)).astype(np.uint32),
        (counts // 2).astype(np.uint32),
        _weights(math.ceil(cols / horizontal), float(np.float32(cols / horizontal)), size[0]),
        _weights(math.ceil(rows / vertical), float(np.float32(rows / vertical)), size[1]),
    )


def _weights(size: int, extent: float, target: int) -> Weights:
    """Return the weights that resize the first ``extent`` of ``size`` pixels to ``target``."""
    scale = extent / target
    stretch = max(scale, 1.0)
    centre = (np.arange(target) + 0.5) * scale
    first = np.maximum((centre - 2 * stretch + 0.5).astype(np.int64), 0)
    count = np.minimum((centre + 2 * stretch + 0.5).astype(np.int64), size) - first
    tap = np.arange(count.max())
    weight = _cubic((tap + first[:, None] - centre[:, None] + 0.5) * (1.0 / stretch))
    weight[tap >= count[:, None]] = 0.0
    # A cumulative sum adds in order, as Pillow does; ``sum`` would add in pairs.
    weight = weight / np.cumsum(weight, axis=1)[:, -1:] * 2**FRACTION
    return Weights(first, count, (weight + np.copysign(0.5, weight)).astype(np.int32))


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cubic convolution kernel with a = -0.5 (Keys 1981)."""
    x = np.abs(x)
    near = ((-0.5 + 2.0) * x - (-0.5 + 3.0)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * -0.5
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


@kernel
def _shrink(source, plan, work, output):
    """Write the shrunk pixels of an image."""
    state, scratch = _start(), _scratch(plan)
    rows, width = source.shape
    for top in range(0, rows, LANES * plan.vertical):
        bottom = min(top + LANES * plan.vertical, rows)
        for left in range(0, width, plan.chunk):
            _load(source[top:bottom], left, left, bottom == rows, plan, work, scratch)
        _resize(bottom, plan, work, state, output)


@kernel
def _start():
    """Return the state before the first rows.

    It holds the number of rows whose width has been resized, the first of them that is still in
    ``work.held``, and the number of output rows written.
    """
    return np.zeros(3, np.int64)


@kernel
def _scratch(plan):
    """Return an array for the transposed pixels that ``_load`` averages."""
    return np.empty((plan.chunk + SQUARE, plan.vertical, LANES), np.uint8)


@kernel
def _load(rows, start, left, last, plan, work, scratch):
    """Average a chunk of up to ``LANES`` rows of blocks, and write it transposed.

    The chunk begins at byte ``start`` of ``rows`` and at byte ``left`` of the image. The rows of a
    block are transposed separately, so that lane ``r`` holds row ``k`` of the ``r``-th blocks.
    """
    vertical, channels, block = plan.vertical, plan.channels, plan.horizontal * plan.channels
    averaged = plan.horizontal > 1 or vertical > 1
    width = min(plan.chunk, rows.shape[1] - start)
    for k in range(vertical):
        for r in range(LANES):
            if r * vertical + k < len(rows):
                _copy(rows[r * vertical + k, start : start + width], work.rows[r])
            else:
                work.rows[r, :width] = 0
        if averaged:
            _transpose(work.rows[:, :width], scratch[:, k])
        else:
            _transpose(work.rows[:, :width], work.columns)
    if averaged:
        column = left // block * channels
        for x in range(0, width, block):
            count = min(block, width - x) // channels
            kind = np.int64(last), np.int64(count < plan.horizontal)
            for c in range(channels):
                mean(
                    scratch[x + c, 0],
                    channels * vertical * LANES,
                    count,
                    vertical,
                    plan.multiplier[kind],
                    plan.half[kind],
                    work.columns[column],
                )
                column += 1


@kernel
def _copy(source, target):
    """Copy values; unlike a slice assignment, this loop is compiled into a block copy."""
    for p in range(source.size):
        target[p] = source[p]


@kernel
def _resize(bottom, plan, work, state, output):
    """Resize the width of the rows loaded, then the height as far as possible.

    ``bottom`` is the number of rows of the image loaded so far.
    """
    across, down = plan.across, plan.down
    done, first, y = state
    if done - first + LANES > HELD:
        for k in range(down.first[y], done):
            _copy(work.held[k - first], work.held[k - down.first[y]])
        first = down.first[y]
    channels = plan.channels
    for x in range(across.first.size):
        weights = across.weight[x, : across.taps[x]]
        for c in range(channels):
            column = work.columns[across.first[x] * channels + c]
            weigh(column, channels * LANES, weights, work.narrow[x * channels + c])
    width = across.first.size * channels
    _transpose(work.narrow[:width], work.held[done - first :])
    done = (bottom + plan.vertical - 1) // plan.vertical
    while y < down.first.size and down.first[y] + down.taps[y] <= done:
        weights, row = down.weight[y, : down.taps[y]], work.held[down.first[y] - first]
        for p in range(0, width, LANES):
            weigh(row[p:], TARGET, weights, output[y * width + p :])
        y += 1
    state[0], state[1], state[2] = done, first, y


@kernel
def _transpose(source, target):
    """Transpose bytes; rows and columns are rounded up to multiples of ``SQUARE``."""
    rows, cols = source.shape
    for r in range(0, rows, SQUARE):
        for c in range(0, cols, SQUARE):
            transpose_square(source[r:, c:], target[c:, r:])
