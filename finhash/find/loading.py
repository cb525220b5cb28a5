"""Choice between FINd in NumPy and compiled FINd, by the time that a process has spent on hashes.

Loading compiled code takes about a second, and compiling it, once per machine, some seconds. A
process that hashes a few images should not wait for that. Images are therefore shrunk and hashed by
Pillow and NumPy at first. Once this has taken ``BUDGET`` seconds, a thread loads the compiled code,
while NumPy goes on hashing. Both give the same bits.
"""

import logging
import os
import threading
from collections.abc import Callable
from time import perf_counter
from typing import ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from finhash.find import plain
from finhash.find.geometry import MAX_SIDE
from finhash.find.thumbnail import thumbnail

P = ParamSpec("P")
T = TypeVar("T")

LOG = logging.getLogger("finhash")
"""Logger of the library."""

BUDGET = 1.0
"""Seconds that a process spends on hashes without compiled code; loading takes about as long."""


class _State:
    """What this process has done so far."""

    compiled = False
    spent = 0.0
    lock = threading.Lock()
    thread: threading.Thread | None = None


def load() -> bool:
    """Load the compiled code now, compiling it if that has not been done on this machine.

    Returns
    -------
    bool
        Whether the code is loaded. False if Numba is not installed; hashes are then always computed
        without it.

    Examples
    --------
    >>> from finhash.find import loading
    >>> loading.load()
    True
    """
    with _State.lock:
        if not _State.compiled:
            try:
                from finhash.find import compiled, resample
            except ImportError as error:
                LOG.info("hashes are computed without compiled code: %s", error)
                _State.spent = float("-inf")
                return False
            for bits in (256, 64):
                compiled.hash_rgb(np.zeros((64, 64, 3), np.uint8), bits)  # flat: uses the fallback
            compiled.contrast(np.zeros((64, 64, 3), np.uint8))
            resample.shrink(np.zeros((MAX_SIDE + 1, 16, 3), np.uint8))
            _State.compiled = True
    return True


def is_compiled() -> bool:
    """Return whether loading takes little time, because the code has been compiled before.

    Examples
    --------
    >>> from finhash.find import loading
    >>> loading.load() and isinstance(loading.is_compiled(), bool)
    True
    """
    try:
        from finhash.find import compiled
        from finhash.jit import is_kept
    except ImportError:
        return True  # there is nothing to compile without Numba
    return _State.compiled or is_kept(compiled._fast)


def used() -> bool:
    """Return whether this process has shrunk or hashed an image for FINd without compiled code.

    Examples
    --------
    >>> import numpy as np
    >>> from finhash.find import loading
    >>> hashed = loading.hash_rgb(np.zeros((16, 16, 3), np.uint8))
    >>> loading.used() or loading.load()
    True
    """
    return _State.spent != 0.0


def hash_rgb(rgb: NDArray[np.uint8], bits: int = 256) -> NDArray[np.uint8]:
    """Return the packed FINd hash of an RGB or grey image; see ``finhash.find.compiled.hash_rgb``.

    Examples
    --------
    >>> import numpy as np
    >>> from finhash.find import loading
    >>> loading.hash_rgb(np.zeros((16, 16, 3), np.uint8)).shape
    (32,)
    """
    if _use_compiled():
        from finhash.find import compiled

        return compiled.hash_rgb(rgb, bits)
    return _timed(plain.hash_rgb, rgb, bits)


def contrast(rgb: NDArray[np.uint8]) -> int:
    """Return the sum of differences between samples; see ``finhash.find.compiled.contrast``.

    Examples
    --------
    >>> import numpy as np
    >>> from finhash.find import loading
    >>> loading.contrast(np.zeros((16, 16, 3), np.uint8))
    0
    """
    if _use_compiled():
        from finhash.find import compiled

        return compiled.contrast(rgb)
    return _timed(plain.contrast, rgb)


def shrink(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return RGB or grey pixels that fit 512 x 512; see ``finhash.find.resample.shrink``.

    Examples
    --------
    >>> import numpy as np
    >>> from finhash.find import loading
    >>> loading.shrink(np.zeros((600, 1200, 3), np.uint8)).shape
    (256, 512, 3)
    """
    if _use_compiled():
        from finhash.find import resample

        return resample.shrink(pixels)
    return np.asarray(_timed(thumbnail, Image.fromarray(pixels)))


def shrink_image(image: Image.Image) -> NDArray[np.uint8]:
    """Return the pixels of a PIL image of mode RGB or L; see ``resample.shrink_image``.

    Examples
    --------
    >>> from PIL import Image
    >>> from finhash.find import loading
    >>> loading.shrink_image(Image.new("L", (600, 1200))).shape
    (512, 256)
    """
    if _use_compiled():
        from finhash.find import resample

        return resample.shrink_image(image)
    return np.asarray(_timed(thumbnail, image))


def _use_compiled() -> bool:
    """Return whether compiled code is loaded; begin to load it once the budget is spent."""
    if not _State.compiled and _State.thread is None and _State.spent > BUDGET:
        # Not a daemon: at the end of the program the compiler must not be interrupted.
        _State.thread = threading.Thread(target=load, name="finhash-load")
        _State.thread.start()
    return _State.compiled


def _wait() -> None:
    """Wait for the thread that loads compiled code, whose locks a forked process would inherit."""
    if _State.thread is not None:
        _State.thread.join()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_wait)


def _timed(function: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """Call a function, and add its seconds to those spent."""
    start = perf_counter()
    result = function(*arguments, **options)
    _State.spent += perf_counter() - start
    return result
