"""Many files -> hash table: serially, by threads or by processes, with errors as rows."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
from tqdm import tqdm

from finhash import methods as registry
from finhash.images import ImageError, open_image
from finhash.table import HashTable

BATCH = 64
"""Files a task: enough to make the hand-over cheap, few enough to share out evenly."""


def hash_files(
    paths: Iterable[str | os.PathLike],
    methods: Sequence[str] = ("find",),
    *,
    workers: int = 1,
    executor: str = "threads",
    progress: bool = True,
) -> HashTable:
    """The hash table of many files, one row a file in the order given.

    Every file is decoded once for all ``methods``. A file that cannot be hashed is a row with the
    reason in ``error``. ``executor`` is ``"serial"``, ``"threads"`` or ``"processes"``; processes
    are spawned, so a script that asks for them needs the ``__main__`` guard.
    """
    if executor not in EXECUTORS:
        raise ValueError(f"unknown executor {executor!r}; known: {', '.join(EXECUTORS)}")
    if workers < 1:
        raise ValueError(f"workers must be at least 1, not {workers}")
    methods = list(methods)
    for name in methods:
        registry.get(name)
    paths = [os.fspath(path) for path in paths]
    batches = [paths[i : i + BATCH] for i in range(0, len(paths), BATCH)]
    rows = []
    with tqdm(total=len(paths), unit="file", disable=not progress, leave=False) as bar:
        for part in EXECUTORS[executor](batches, methods, workers):
            rows += part
            bar.update(len(part))
    return HashTable.from_rows(rows, methods)


def hash_batch(paths: Sequence[str], methods: Sequence[str]) -> list[dict]:
    """One row for each path: its hashes as bytes, or the reason why it has none."""
    return [_hash_file(path, methods) for path in paths]


def warm_up(methods: Sequence[str]) -> None:
    """Compile or load from the cache whatever the methods need, on a small picture."""
    for name in methods:
        registry.get(name).hash(np.zeros((16, 16, 3), np.uint8))


def _hash_file(path: str, methods: Sequence[str]) -> dict:
    try:
        # Several methods share one decoding; one alone may know a faster way to its pixels.
        image = open_image(path) if len(methods) > 1 else path
        hashes = {name: registry.get(name).hash(image).tobytes() for name in methods}
        return {"path": path, **hashes, "error": ""}
    except (ImageError, OSError) as error:
        return {"path": path, "error": f"{type(error).__name__}: {_reason(error)}"}


def _reason(error: Exception) -> str:
    # An OSError's words repeat the path, which the row has already.
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


Batches = Sequence[Sequence[str]]


def _serial(batches: Batches, methods: Sequence[str], workers: int) -> Iterator[list[dict]]:
    for batch in batches:
        yield hash_batch(batch, methods)


def _threads(batches: Batches, methods: Sequence[str], workers: int) -> Iterator[list[dict]]:
    warm_up(methods)
    yield from _pooled(ThreadPoolExecutor(workers), batches, methods)


def _processes(batches: Batches, methods: Sequence[str], workers: int) -> Iterator[list[dict]]:
    # Warmed here first, so that the workers find the compiled code in the cache.
    warm_up(methods)
    pool = ProcessPoolExecutor(workers, get_context("spawn"), warm_up, (methods,))
    yield from _pooled(pool, batches, methods)


def _pooled(pool: Executor, batches: Batches, methods: Sequence[str]) -> Iterator[list[dict]]:
    with pool:
        futures = [pool.submit(hash_batch, batch, methods) for batch in batches]
        try:
            for future in futures:
                yield future.result()
        finally:
            # Nothing is left to cancel unless the caller stopped early (Ctrl-C).
            pool.shutdown(wait=False, cancel_futures=True)


EXECUTORS: dict[str, Callable[[Batches, Sequence[str], int], Iterator[list[dict]]]] = {
    "serial": _serial,
    "threads": _threads,
    "processes": _processes,
}
