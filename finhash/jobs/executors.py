"""Where tasks run: here, in threads, in processes, or on a Dask cluster; one interface to all.

Nothing heavy is imported at the top: a spawned worker imports this module first, and what it sets
must be set before NumPy is there.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from multiprocessing import get_context

AHEAD = 3
"""Tasks in flight for each worker: none waits for work, and little is lost with one that dies."""


class Workers:
    """An executor that can be started again after its workers have died."""

    lost: tuple[type[Exception], ...] = (BrokenExecutor,)
    """What a task raises whose worker died."""

    def __init__(self, start: Callable[[], Executor], count: int) -> None:
        self._start = start
        self._executor = start()
        self._count = count

    def ahead(self) -> int:
        """How many tasks to keep in flight."""
        return AHEAD * self._count

    def submit(self, function: Callable, *arguments: object) -> Future:
        """The future of ``function(*arguments)``."""
        try:
            return self._executor.submit(function, *arguments)
        except BrokenExecutor as error:  # died between two tasks: the same as dying in the next
            future: Future = Future()
            future.set_exception(error)
            return future

    def restart(self) -> None:
        """Start again, after a task has raised one of ``lost``."""
        self._executor.shutdown(wait=False)
        self._executor = self._start()

    def close(self, wait: bool) -> None:
        """Free the workers; without ``wait`` their running tasks end behind the caller's back."""
        self._executor.shutdown(wait=wait, cancel_futures=True)


class _Here(Executor):
    """Runs each task when it is submitted."""

    def submit(self, function: Callable, /, *arguments: object) -> Future:
        future: Future = Future()
        future.set_result(function(*arguments))
        return future


class _Serial(Workers):
    def ahead(self) -> int:
        return 1


class _Dask(Workers):
    """Dask restarts workers itself, and gives a task up when several have died of it."""

    def __init__(self, client: object) -> None:
        from distributed import KilledWorker

        self.lost = (KilledWorker,)
        self._client = client
        self._asked = float("-inf")
        super().__init__(lambda: client.get_executor(pure=False), 1)

    def ahead(self) -> int:
        if time.monotonic() > self._asked + 1:  # workers may come and go
            self._asked = time.monotonic()
            self._count = max(1, sum(self._client.nthreads().values()))
        return AHEAD * self._count

    def submit(self, function: Callable, *arguments: object) -> Future:
        # As one sealed object: Dask would look at every path for futures among them.
        return super().submit(partial(function, *arguments))

    def restart(self) -> None:
        pass

    def close(self, wait: bool) -> None:
        self._executor.shutdown(wait=wait)


@contextmanager
def _closing(workers: Workers) -> Iterator[Workers]:
    try:
        yield workers
    except BaseException:  # Ctrl-C above all: do not wait for what runs
        workers.close(wait=False)
        raise
    workers.close(wait=True)


def _serial(count: int, methods: Sequence[str], scheduler: str | None) -> AbstractContextManager:
    return _closing(_Serial(_Here, 1))


def _threads(count: int, methods: Sequence[str], scheduler: str | None) -> AbstractContextManager:
    _warm_up(methods)
    return _closing(Workers(lambda: ThreadPoolExecutor(count), count))


def _processes(count: int, methods: Sequence[str], scheduler: str | None) -> AbstractContextManager:
    def start() -> Executor:
        return ProcessPoolExecutor(count, get_context("spawn"), _start_worker, (methods,))

    return _closing(Workers(start, count))


@contextmanager
def _dask(count: int, methods: Sequence[str], scheduler: str | None) -> Iterator[Workers]:
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise ImportError('executor="dask" needs: pip install "finhash[cluster]"') from error
    if scheduler is not None:
        with Client(scheduler) as client, _closing(_Dask(client)) as workers:
            yield workers
        return
    with (
        LocalCluster(n_workers=count, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
        _closing(_Dask(client)) as workers,
    ):
        client.run(_start_worker, methods)
        yield workers


EXECUTORS: dict[str, Callable[..., AbstractContextManager]] = {
    "serial": _serial,
    "threads": _threads,
    "processes": _processes,
    "dask": _dask,
}
"""By name: ``(count, methods, scheduler)`` to a context manager that gives ``Workers``."""


def _start_worker(methods: Sequence[str]) -> None:
    """In a fresh process: one thread for BLAS, Ctrl-C left to the parent, kernels loaded."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _warm_up(methods)


def _warm_up(methods: Sequence[str]) -> None:
    """Compile, or load from the cache, whatever the methods need, on a small picture."""
    import numpy as np

    from finhash import methods as registry

    for name in methods:
        registry.get(name).hash(np.zeros((16, 16, 3), np.uint8))
