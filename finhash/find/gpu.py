"""FINd on a GPU: many images at once, with ``finhash.find.certificate``.

Each block of threads hashes one image. Sums over windows are taken as on the CPU: colour channels
down each column, then luma, then along the row, in integers and therefore exactly. The rounded
operations are also those of the CPU's fast path: two reciprocals and two products per sample, then
two sums of 64 products. Only the order of these sums differs, and products may be fused with sums.
The bound proved in ``finhash.find.certificate`` holds for any order, fused or not. The certificate
is therefore the same, and the CPU hashes the images that it rejects again, in the published order.

The kernel computes in double precision. In single precision the bound would be 2**29 times as
large.

Requires an NVIDIA GPU with its driver, ``finhash[cuda]``, and ``numba-cuda[cu12]`` or
``numba-cuda[cu13]``. Without a GPU, Numba's simulator runs the same kernels slowly if the
environment variable ``NUMBA_ENABLE_CUDASIM`` is 1.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import cycle
from typing import Any

import numpy as np
from numba import cuda
from numpy.typing import NDArray

from finhash.find.certificate import MARGIN
from finhash.find.compiled import published_hash
from finhash.find.geometry import DCT, DCT_T, KEPT, MAX_SIDE, SAMPLES, check_sides, side

SIZE = 256 << 20
"""Bytes of pixels per batch, some 1,400 images of 250 x 250, about ten per multiprocessor."""

BITS = KEPT * KEPT
"""Bits of a hash."""

THREADS = BITS
"""Threads per block, one per coefficient."""

GROUPS = THREADS // SAMPLES
"""Groups of 64 threads per block. Each group computes one row of samples at a time."""

LOWER_MEDIAN = BITS // 2 - 1
"""Position of the lower median in sorted order, from 0."""

THREAD_SUMS = KEPT // GROUPS
"""Sums of the first matrix product per thread, held in registers."""


def hash_many(images: Iterable[NDArray[np.uint8]], size: int = SIZE) -> NDArray[np.uint8]:
    """Return the packed FINd hashes of many RGB or grey images.

    While the GPU hashes one batch, the CPU gathers the next.

    Parameters
    ----------
    images : iterable of ndarray of uint8, shape (rows, cols, 3) or (rows, cols)
        Pixels of each image. No side is longer than 512 pixels. The GPU gets a grey image as an RGB
        image of three equal channels.
    size : int, default 256 MiB
        Bytes of pixels per batch. The GPU holds two batches, and so does the CPU, in page-locked
        memory.

    Returns
    -------
    ndarray of uint8, shape (n, 32)
        Packed hashes in the order of the images, bit for bit those of ``compiled.hash_rgb``.

    Raises
    ------
    ValueError
        If an image has another dtype or shape, if a side is longer than 512 pixels, or if an image
        has more than ``size`` bytes.

    Examples
    --------
    >>> import numpy as np
    >>> from finhash.find import compiled, gpu
    >>> rgb = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)
    >>> hashes = gpu.hash_many([rgb], size=48)
    >>> bool((hashes[0] == compiled.hash_rgb(rgb)).all())
    True
    """
    batches = cycle((Batch(size), Batch(size)))
    hashes = []
    for some in split(images, size):
        batch = next(batches)
        hashes.append(batch.hashes())  # of the images that the batch held before
        batch.gather(some)
        batch.send()
        batch.compute()
    hashes += [next(batches).hashes(), next(batches).hashes()]
    return np.concatenate(hashes)


class Batch:
    """Buffers for up to ``size`` bytes of pixels on the CPU and the GPU, and a stream of GPU work.

    Call ``gather``, ``send`` and ``compute``, then ``fetch`` or ``hashes``. Of these, only the last
    two wait for the GPU.
    """

    def __init__(self, size: int = SIZE) -> None:
        self.stream = cuda.stream()
        # The GPU can copy from page-locked memory while the CPU goes on.
        self._staging = cuda.pinned_array(size, np.uint8)
        self._pixels = cuda.device_array(size, np.uint8)
        self.gather([])

    def gather(self, images: Sequence[NDArray[np.uint8]]) -> None:
        """Copy the images' pixels into the CPU's buffer, one image after the other."""
        shapes = np.array([_checked(rgb) for rgb in images], np.int64).reshape(-1, 2)
        sizes = 3 * shapes.prod(axis=1)
        self._used, size = int(sizes.sum()), len(self._staging)
        if self._used > size:
            raise ValueError(
                f"images have {self._used} bytes, and a batch holds {size}; pass a larger size"
            )
        self._places = np.column_stack([np.cumsum(sizes) - sizes, shapes])
        for rgb, (start, rows, cols) in zip(images, self._places.tolist(), strict=True):
            pixels = self._staging[start : start + 3 * rows * cols].reshape(rows, cols, 3)
            pixels[...] = rgb if rgb.ndim == 3 else rgb[:, :, None]

    def send(self) -> None:
        """Start copying the pixels to the GPU."""
        number, used = len(self._places), self._used
        self._pixels[:used].copy_to_device(self._staging[:used], self.stream)
        self._on_gpu = cuda.to_device(self._places, self.stream)
        self._margins = cuda.device_array(number, np.float64, stream=self.stream)
        self._packed = cuda.device_array((number, BITS // 8), np.uint8, stream=self.stream)

    def compute(self) -> None:
        """Start hashing on the GPU."""
        _hash[len(self._places), THREADS, self.stream](
            self._pixels, self._on_gpu, *_windows(), self._margins, self._packed
        )

    def fetch(self) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """Return margins ``float64 [n]`` and packed hashes ``uint8 [n, 32]`` of the fast path.

        A hash is proved exact if its margin exceeds ``certificate.MARGIN``.
        """
        margins = self._margins.copy_to_host(stream=self.stream)
        packed = self._packed.copy_to_host(stream=self.stream)
        self.stream.synchronize()
        return margins, packed

    def hashes(self) -> NDArray[np.uint8]:
        """Return the packed hashes ``uint8 [n, 32]``; the CPU replaces those not proved exact."""
        if not len(self._places):
            return np.empty((0, BITS // 8), np.uint8)
        margins, packed = self.fetch()
        for k in np.flatnonzero(margins <= MARGIN):
            start, rows, cols = self._places[k]
            rgb = self._staging[start : start + 3 * rows * cols]
            packed[k] = published_hash(rgb.reshape(rows, cols, 3))
        return packed


def split(images: Iterable[NDArray[np.uint8]], size: int) -> Iterator[list[NDArray[np.uint8]]]:
    """Yield lists of consecutive images that together have at most ``size`` bytes in RGB.

    An image of more than ``size`` bytes is yielded alone.
    """
    some: list[NDArray[np.uint8]] = []
    held = 0
    for rgb in images:
        rows, cols = _checked(rgb)
        needed = 3 * rows * cols
        if some and held + needed > size:
            yield some
            some, held = [], 0
        some.append(rgb)
        held += needed
    if some:
        yield some


def _checked(rgb: NDArray[np.uint8]) -> tuple[int, int]:
    """Return the rows and columns of an image; raise ``ValueError`` if it cannot be hashed here."""
    if rgb.dtype != np.uint8 or rgb.ndim not in (2, 3) or rgb.shape[2:] not in ((), (3,)):
        raise ValueError(
            f"an image has dtype {rgb.dtype} and shape {rgb.shape}; pass pixels of dtype uint8 and "
            "shape (rows, cols, 3), or (rows, cols) if they are grey"
        )
    return check_sides(rgb)


@lru_cache(maxsize=1)
def _windows() -> tuple[Any, ...]:
    """Copy the windows of sides of every length and the transposed DCT matrix to the GPU.

    The arrays ``start``, ``stop`` and ``inverse`` are ``[MAX_SIDE + 1, 64]``, one row per length.
    """
    sides = [side(max(1, size)) for size in range(MAX_SIDE + 1)]
    tables = (np.stack([getattr(s, name) for s in sides]) for name in ("start", "stop", "inverse"))
    return *map(cuda.to_device, tables), cuda.to_device(DCT_T)


@cuda.jit
def _hash(pixels, places, starts, stops, inverses, dct_t, margins, packed):
    """Hash one image per block of threads; write its margin and its packed hash.

    Indices of the inner loops are unsigned, because Numba checks whether a signed index is
    negative and counts from the end.
    """
    luma = cuda.shared.array((GROUPS, MAX_SIDE), np.int32)
    samples = cuda.shared.array((GROUPS, SAMPLES), np.float64)
    half_done = cuda.shared.array((KEPT, SAMPLES), np.float64)
    values = cuda.shared.array(BITS, np.float64)
    middle = cuda.shared.array(3, np.float64)
    above = cuda.shared.array(BITS, np.uint8)
    dct = cuda.const.array_like(DCT)
    sums = cuda.local.array(THREAD_SUMS, np.float64)

    image, t = cuda.blockIdx.x, cuda.threadIdx.x
    place, rows, cols = places[image, 0], places[image, 1], places[image, 2]
    group, j = t // SAMPLES, t % SAMPLES
    for m in range(THREAD_SUMS):
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
            for m in range(THREAD_SUMS):
                sums[m] += dct[THREAD_SUMS * group + m, first + k] * samples[k, j]
    for m in range(THREAD_SUMS):
        half_done[THREAD_SUMS * group + m, j] = sums[m]
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
        if below <= LOWER_MEDIAN - 1 + k < upto:  # threads with equal values write the same number
            middle[k] = value
    cuda.syncthreads()
    above[BITS - 1 - t] = value > middle[1]
    cuda.syncthreads()
    if t < BITS // 8:
        byte = 0
        for bit in range(8):
            byte = 2 * byte + above[8 * t + bit]
        packed[image, t] = byte
    if t == 0:
        margins[image] = min(middle[1] - middle[0], middle[2] - middle[1])


@cuda.jit(device=True)
def _column(pixels, at, stride, rows):
    """Return the sum of ``1000 luma`` down ``rows`` pixels, the first of which is at ``at``."""
    at, stride, one = np.uint64(at), np.uint64(stride), np.uint64(1)
    red = green = blue = np.int32(0)
    for _ in range(rows):
        red = np.int32(red + pixels[at])
        green = np.int32(green + pixels[at + one])
        blue = np.int32(blue + pixels[at + one + one])
        at += stride
    return np.int32(299 * red + 587 * green + 114 * blue)
