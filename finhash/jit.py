"""Compilation of kernels by Numba, with machine code that is kept between processes if possible.

Numba compiles a kernel when it is first called with arguments of certain types, and keeps the
machine code beside the module, in ``__pycache__``, or else in the user's cache folder
(``NUMBA_CACHE_DIR`` names another one). If no such folder can be written, every process compiles
for itself. The logger ``finhash`` reports each compilation at the level INFO.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit
from numba.core import event
from numba.core.caching import FunctionCache, IndexDataCacheFile

LOG = logging.getLogger("finhash")
"""Logger of the library."""


def kernel(function: Callable[..., Any]) -> Any:  # noqa: ANN401 - Numba has no types
    """Compile a function with Numba at its first call; it then runs without the GIL.

    Parameters
    ----------
    function : callable
        Function in Numba's subset of Python.

    Returns
    -------
    callable
        Compiled function. Its attribute ``py_func`` is the original one.

    Examples
    --------
    >>> @kernel
    ... def double(x):
    ...     return 2 * x
    >>> double(21)
    42
    """
    compiled: Any = njit(nogil=True)(function)
    with suppress(RuntimeError):  # there is no folder that can be written
        compiled._cache = _Cache(function)
    return compiled


def inlined(function: Callable[..., Any]) -> Any:  # noqa: ANN401 - Numba has no types
    """Compile a function into each kernel that calls it, so that no call remains.

    Parameters
    ----------
    function : callable
        Function in Numba's subset of Python, which only kernels call.

    Returns
    -------
    callable
        Compiled function.

    Examples
    --------
    >>> @inlined
    ... def double(x):
    ...     return 2 * x
    >>> @kernel
    ... def sum_of_doubles(x, y):
    ...     return double(x) + double(y)
    >>> sum_of_doubles(1, 2)
    6
    """
    return njit(nogil=True, forceinline=True)(function)


def is_kept(compiled: Any) -> bool:  # noqa: ANN401 - Numba has no types
    """Return whether machine code of a kernel is kept on this machine.

    Parameters
    ----------
    compiled : callable
        Result of ``kernel``.

    Examples
    --------
    >>> @kernel
    ... def triple(x):
    ...     return 3 * x
    >>> is_kept(triple)
    False
    """
    cache = compiled._cache
    return isinstance(cache, _Cache) and cache.is_kept()


class _Cache(FunctionCache):  # type: ignore[misc]  # Numba has no types
    """Numba's cache, apart from two properties.

    Kernels call each other, so machine code is compiled again if any module in the kernel's folder
    has changed. A cache that cannot be read or written is ignored.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        folder = Path(function.__code__.co_filename).parent
        self._cache_file = IndexDataCacheFile(
            self._cache_path, self._impl.filename_base, source_stamp=_digest(folder)
        )

    def is_kept(self) -> bool:
        """Return whether there is machine code for some types, made from the present sources."""
        return bool(self._cache_file._load_index())

    @contextmanager
    def _guard_against_spurious_io_errors(self) -> Iterator[None]:
        """Ignore errors of the file system, such as a full disk."""
        with suppress(OSError):
            yield


@cache
def _digest(folder: Path) -> str:
    """Return a digest of the modules in a folder."""
    state = hashlib.blake2b(digest_size=16)
    for module in sorted(folder.glob("*.py")):
        state.update(module.read_bytes())
    return state.hexdigest()


class _Reporter(event.Listener):  # type: ignore[misc]  # Numba has no types
    """Reports which kernel of this library is being compiled."""

    def on_start(self, event: Any) -> None:  # noqa: ANN401 - its data can have any type
        """Log the name of the kernel."""
        function = event.data["dispatcher"].py_func
        if function.__module__.startswith("finhash."):
            LOG.info("compiling %s.%s", function.__module__, function.__qualname__)

    def on_end(self, event: object) -> None:
        """Do nothing; the class requires this method."""


event.register("numba:compile", _Reporter())
