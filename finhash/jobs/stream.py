"""Hashes of files one after another, without a table, for output that begins at once."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from finhash.jobs.items import hashes_of, reason
from finhash.methods import Method

AHEAD = 8
"""Files per thread that are hashed or wait while an earlier file is not finished."""


class Result(NamedTuple):
    """Hashes of one file, or the reason why it has none."""

    path: str | os.PathLike[str]
    hashes: list[str]
    """Hexadecimal digits, one text per method; empty if there is a reason."""

    error: str
    """Reason, as in the column ``error`` of a hash table; empty if there are hashes."""


def hash_in_turn(
    paths: Iterable[str | os.PathLike[str]], methods: Sequence[Method], workers: int = 1
) -> Iterator[Result]:
    """Yield the hashes of each file as soon as those of all earlier files are known.

    Parameters
    ----------
    paths : iterable of str or path-like
        Image files, read a few ahead of the results.
    methods : sequence of finhash.methods.Method
        Hashes.
    workers : int, default 1
        Threads.

    Yields
    ------
    Result
        Hashes or error of the next file.

    Examples
    --------
    >>> from finhash import methods
    >>> [result.error for result in hash_in_turn(["missing.jpg"], [methods.get("find")])]
    ['FileNotFoundError: No such file or directory']
    """
    if workers == 1:
        for path in paths:
            yield _result(path, methods)
        return
    with ThreadPoolExecutor(workers) as pool:
        running: deque[Future[Result]] = deque()
        try:
            for path in paths:
                running.append(pool.submit(_result, path, methods))
                if len(running) > AHEAD * workers:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()


def _result(path: str | os.PathLike[str], methods: Sequence[Method]) -> Result:
    """Return the hashes of a file, or the reason why it has none."""
    try:
        return Result(path, [bits.tobytes().hex() for bits in hashes_of(path, methods)], "")
    except Exception as error:  # the other files are hashed nevertheless
        return Result(path, [], reason(error))
