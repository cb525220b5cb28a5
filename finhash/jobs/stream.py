"""Hashes of files one after another, without a table, for output that begins at once."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from finhash.images import collected_headers, pixel_limit
from finhash.jobs.items import DEFAULTS, Options, hashes_of, reason
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

    quality: int | None = None
    """Quality of the image, if it was asked for and there are hashes."""

    orientation: int | None = None
    """EXIF orientation, if the image has one."""


def hash_in_turn(
    paths: Iterable[str | os.PathLike[str]],
    methods: Sequence[Method],
    workers: int = 1,
    options: Options = DEFAULTS,
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
    options : Options, optional
        Preparation, quality and limit on pixels.

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
            yield _result(path, methods, options)
        return
    with ThreadPoolExecutor(workers) as pool:
        running: deque[Future[Result]] = deque()
        try:
            for path in paths:
                running.append(pool.submit(_result, path, methods, options))
                if len(running) > AHEAD * workers:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()


def _result(path: str | os.PathLike[str], methods: Sequence[Method], options: Options) -> Result:
    """Return the hashes of a file, or the reason why it has none."""
    with collected_headers() as headers, pixel_limit(options.max_pixels):
        try:
            hashes, quality = hashes_of(path, methods, options.preparation, quality=options.quality)
        except Exception as error:  # the other files are hashed nevertheless
            return Result(path, [], reason(error))
    orientation = headers[0].orientation if headers else None
    return Result(path, [bits.tobytes().hex() for bits in hashes], "", quality, orientation)
