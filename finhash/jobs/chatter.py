"""Discard messages of libraries about damaged images, in processes that belong to finhash.

Native libraries print messages on file descriptor 2 (stderr), such as libtiff's "Using code not yet
in table". Pillow warns through Python, for example of corrupt EXIF data, or of an image with more
pixels than ``PIL.Image.MAX_IMAGE_PIXELS``; it refuses only those with twice that number. Such
messages name no file and would tear progress bars. The row of each image says whether it was
hashed.

Worker processes and the commands of ``finhash`` call ``discard``. Python's own messages, such as
tracebacks, are still printed, and a crash prints Python's stack. Pillow's warnings appear if the
option ``-W`` or ``PYTHONWARNINGS`` asks for them.

Processes that do not belong to finhash are left as they are: with the executors ``"serial"`` and
``"threads"``, and on a running Dask cluster, native messages appear, and Python's warning filters
decide about warnings. So the messages about an image appear if it is hashed with ``"serial"``.
"""

import faulthandler
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TextIO

STDERR = 2
"""File descriptor on which native code prints messages."""

_real: list[int] = []
"""Duplicate of the real stderr in a process that discards messages; else empty."""


def reopen_closed() -> None:
    """Open the null device in place of standard streams that the parent process has closed.

    The next file that is opened would otherwise get the number of the closed stream, and whatever
    is printed would be written into it.

    Examples
    --------
    >>> from finhash.jobs import chatter
    >>> chatter.reopen_closed()
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
        if getattr(sys, name) is None:
            mode = "w" if descriptor else "r"
            setattr(sys, name, open(descriptor, mode, closefd=False))  # noqa: SIM115 - stays open


def discard() -> Callable[[], None]:
    """Discard what native code prints and what Pillow warns of, in this process.

    Returns
    -------
    callable
        Function without arguments after whose call messages and warnings appear again.

    Examples
    --------
    >>> import os
    >>> from finhash.jobs import chatter
    >>> restore = chatter.discard()
    >>> os.write(2, b"a native message")
    16
    >>> restore()
    """
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        # Appended, so that the option -W and PYTHONWARNINGS have precedence.
        warnings.filterwarnings("ignore", module=r"PIL\.", append=True)
        with suppress(OSError):  # descriptor 2 is closed, so nothing is printed
            _discard_native(stack)
        return stack.pop_all().close


@contextmanager
def shown() -> Iterator[None]:
    """Let new processes inherit the real stderr, even if this process discards messages.

    A worker process calls ``discard`` itself. If it cannot start, its messages say why.

    Examples
    --------
    >>> from finhash.jobs import chatter
    >>> with chatter.shown():
    ...     pass
    """
    if not _real:
        yield
        return
    discarding = os.dup(STDERR)
    os.dup2(_real[-1], STDERR)
    try:
        yield
    finally:
        os.dup2(discarding, STDERR)
        os.close(discarding)


def _discard_native(stack: ExitStack) -> None:
    """Redirect descriptor 2 to the null device until a stack is closed."""
    real = os.dup(STDERR)
    stack.callback(os.close, real)
    _move_python(stack, real)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, STDERR)
    os.close(null)
    stack.callback(os.dup2, real, STDERR)
    _real.append(real)
    stack.callback(_real.remove, real)


def _move_python(stack: ExitStack, descriptor: int) -> None:
    """Let ``sys.stderr`` print on another descriptor instead of 2 until a stack is closed."""
    old = sys.stderr
    if not _prints_natively(old):
        return
    new = open(descriptor, "w", 1, encoding=old.encoding, errors=old.errors, closefd=False)  # noqa: SIM115
    stack.enter_context(new)
    # Called in reverse order: the fault handler is set again once sys.stderr is the old stream.
    stack.callback(faulthandler.enable if faulthandler.is_enabled() else faulthandler.disable)
    stack.callback(_replace, new, old)
    _replace(old, new)
    faulthandler.enable(new, all_threads=False)


def _prints_natively(stream: TextIO | None) -> bool:
    """Return whether a stream prints on descriptor 2."""
    try:
        return stream is not None and stream.fileno() == STDERR
    except (AttributeError, OSError, ValueError):  # in memory, or closed
        return False


def _replace(old: TextIO, new: TextIO) -> None:
    """Replace a stream as ``sys.stderr`` and in all handlers of loggers."""
    sys.stderr = new
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    for logger in loggers:
        for handler in getattr(logger, "handlers", ()):
            if isinstance(handler, logging.StreamHandler) and handler.stream is old:
                handler.setStream(new)
