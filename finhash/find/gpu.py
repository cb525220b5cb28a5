"""FINd for a GPU (Numba for CUDA): many pictures at once, certified as on the CPU.

One block of threads computes one picture. Sums over windows are taken as in ``find.compiled``,
channels down each column, then luma, then along the row, in integers and therefore exactly. What is
rounded is also what is rounded there: two reciprocals and two products a sample, then two sums of
64 products, in another order and fused. The bound proved there holds for any order, fused or not,
so one margin serves both: a picture whose coefficients lie closer to the median is computed again,
by the CPU, by the published operations in the published order.

Numbers are doubles. In single precision the same bound is 2**29 times as wide.

Needs the extra ``finhash[cuda]`` and an NVIDIA GPU with its driver; without them Numba's simulator
(``NUMBA_ENABLE_CUDASIM=1``) runs the same kernels, slowly.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import cycle

import numpy as np
from numba import cuda

from finhash.find.compiled import DCT, DCT_T, MARGIN, published_hash, side
from finhash.find.geometry import KEPT, MAX_SIDE, SAMPLES, check_sides

SIZE = 256 << 20
"""Bytes of pixels in a batch: some 1,400 pictures of 250 x 250, ten for each multiprocessor."""

BITS = KEPT * KEPT
THREADS = BITS
"""Threads a block: one for each coefficient."""

GROUPS = THREADS // SAMPLES
"""Rows of samples computed at a time, by a group of 64 threads each."""

LOWER_MEDIAN = BITS // 2 - 1

EACH = KEPT // GROUPS
"""Sums of the first product that a thread keeps, in registers."""


def hash_many(pictures: Iterable[np.ndarray], size: int = SIZE) -> np.ndarray:
    """The packed FINd hashes of ``uint8 [rows, cols, 3]`` arrays: ``uint8 [n, 32]``, in order.

    No side may be longer than 512. Pictures are taken in batches of ``size`` bytes: while the GPU
    computes one, the CPU gathers the next. Both sides hold twice that, the CPU page-locked.
    """
    batches = cycle((Batch(size), Batch(size)))
    hashes = []
    for group in groups(pictures, size):
        batch = next(batches)
        hashes.append(batch.hashes())  # those of its last group
        batch.gather(group)
        batch.send()
        batch.compute()
    hashes += [next(batches).hashes(), next(batches).hashes()]
    return np.concatenate(hashes)


class Batch:
    """Room for pictures of ``size`` bytes in all, on either side, and a stream of work on them."""

    def __init__(self, size: int = SIZE) -> None:
        self.stream = cuda.stream()
        # Page-locked memory: the GPU fetches from it by itself, while the CPU goes on.
        self._staging = cuda.pinned_array(size, np.uint8)
        self._pixels = cuda.device_array(size, np.uint8)
        self.gather([])

    def gather(self, pictures: list[np.ndarray]) -> None:
        """Lay the pictures' pixels one after the other."""
        shapes = np.array([check_sides(rgb) for rgb in pictures], np.int64).reshape(-1, 2)
        sizes = 3 * shapes.prod(axis=1)
        self._used, size = int(sizes.sum()), len(self._staging)
        if self._used > size:
            raise ValueError(f"{self._used} bytes of pixels do not fit a batch of {size}")
        self._places = np.column_stack([np.cumsum(sizes) - sizes, shapes])
        for rgb, (start, _, _) in zip(pictures, self._places, strict=True):
            self._staging[start : start + rgb.size] = rgb.reshape(-1)

    def send(self) -> None:
        """Copy the pixels to the GPU."""
        number, used = len(self._places), self._used
        self._pixels[:used].copy_to_device(self._staging[:used], self.stream)
        self._on_gpu = cuda.to_device(self._places, self.stream)
        self._margins = cuda.device_array(number, np.float64, stream=self.stream)
        self._packed = cuda.device_array((number, BITS // 8), np.uint8, stream=self.stream)

    def compute(self) -> None:
        """Start the kernel."""
        _hash[len(self._places), THREADS, self.stream](
            self._pixels, self._on_gpu, *_windows(), self._margins, self._packed
        )

    def fetch(self) -> tuple[np.ndarray, np.ndarray]:
        """Margins ``float64 [n]`` and hashes ``uint8 [n, 32]``: proved beyond ``MARGIN``."""
        margins = self._margins.copy_to_host(stream=self.stream)
        packed = self._packed.copy_to_host(stream=self.stream)
        self.stream.synchronize()
        return margins, packed

    def hashes(self) -> np.ndarray:
        """The hashes, with those that are not proved computed again by the CPU."""
        if not len(self._places):
            return np.empty((0, BITS // 8), np.uint8)
        margins, packed = self.fetch()
        for k in np.flatnonzero(margins <= MARGIN):
            start, rows, cols = self._places[k]
            rgb = self._staging[start : start + 3 * rows * cols]
            packed[k] = published_hash(rgb.reshape(rows, cols, 3))
        return packed


def groups(pictures: Iterable[np.ndarray], size: int) -> Iterator[list[np.ndarray]]:
    """Consecutive pictures of at most ``size`` bytes together."""
    group, held = [], 0
    for rgb in pictures:
        if group and held + rgb.size > size:
            yield group
            group, held = [], 0
        group.append(rgb)
        held += rgb.size
    if group:
        yield group


@lru_cache(maxsize=1)
def _windows() -> tuple:
    """On the GPU: where windows start and stop, and 1 / width, ``[size, 64]``; the DCT matrix."""
    sides = [side(max(1, size)) for size in range(MAX_SIDE + 1)]
    tables = (np.stack([getattr(s, name) for s in sides]) for name in ("start", "stop", "inverse"))
    return *map(cuda.to_device, tables), cuda.to_device(DCT_T)


# Numba asks a signed index whether it counts from the end: in loops that count, it is unsigned.


@cuda.jit
def _hash(pixels, places, starts, stops, inverses, dct_t, margins, packed):
    luma = cuda.shared.array((GROUPS, MAX_SIDE), np.int32)
    samples = cuda.shared.array((GROUPS, SAMPLES), np.float64)
    half_done = cuda.shared.array((KEPT, SAMPLES), np.float64)
    values = cuda.shared.array(BITS, np.float64)
    middle = cuda.shared.array(3, np.float64)
    above = cuda.shared.array(BITS, np.uint8)
    dct = cuda.const.array_like(DCT)
    sums = cuda.local.array(EACH, np.float64)

    picture, t = cuda.blockIdx.x, cuda.threadIdx.x
    place, rows, cols = places[picture, 0], places[picture, 1], places[picture, 2]
    group, j = t // SAMPLES, t % SAMPLES
    for m in range(EACH):
        sums[m] = 0.0
    for first in range(0, SAMPLES, GROUPS):
        i = first + group
        start, stop = np.int32(starts[rows, i]), np.int32(stops[rows, i])
        for x in range(j, cols, SAMPLES):
            luma[group, x] = _column(pixels, place + 3 * (start * cols + x), 3 * cols, stop - start)
        cuda.syncthreads()
        total = np.int32(0)
        for x in range(starts[cols, j], stops[cols, j]):
            total = np.int32(total + luma[group, x])
        samples[group, j] = total * inverses[cols, j] * inverses[rows, i]
        cuda.syncthreads()
        for k in range(GROUPS):
            for m in range(EACH):
                sums[m] += dct[EACH * group + m, first + k] * samples[k, j]
    for m in range(EACH):
        half_done[EACH * group + m, j] = sums[m]
    cuda.syncthreads()

    value = 0.0
    for k in range(SAMPLES):
        value += half_done[t // KEPT, k] * dct_t[k, t % KEPT]
    values[t] = value
    cuda.syncthreads()
    below, upto = np.int32(0), np.int32(0)
    for other in range(np.uint64(BITS)):
        below = np.int32(below + (values[other] < value))
        upto = np.int32(upto + (values[other] <= value))
    for k in range(3):
        if below <= LOWER_MEDIAN - 1 + k < upto:  # of equal values all write the same
            middle[k] = value
    cuda.syncthreads()
    above[BITS - 1 - t] = value > middle[1]
    cuda.syncthreads()
    if t < BITS // 8:
        byte = 0
        for bit in range(8):
            byte = 2 * byte + above[8 * t + bit]
        packed[picture, t] = byte
    if t == 0:
        margins[picture] = min(middle[1] - middle[0], middle[2] - middle[1])


@cuda.jit(device=True)
def _column(pixels, at, stride, rows):
    """1000 luma summed down ``rows`` pixels, the first at ``at``."""
    at, stride, one = np.uint64(at), np.uint64(stride), np.uint64(1)
    red = green = blue = np.int32(0)
    for _ in range(rows):
        red = np.int32(red + pixels[at])
        green = np.int32(green + pixels[at + one])
        blue = np.int32(blue + pixels[at + one + one])
        at += stride
    return np.int32(299 * red + 587 * green + 114 * blue)
