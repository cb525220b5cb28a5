"""Workers: the calling thread, a thread pool, a process pool or a Dask cluster.

``Workers`` is their common interface, and ``open_workers`` starts them by name.

``_start_worker`` limits the threads of BLAS in a new process. A spawned process runs the calling
script's imports first, then ``_start_worker``. The limit therefore applies only to BLAS libraries
that are not loaded by then, such as SciPy's, which Numba's ``np.dot`` uses. This module must not
import NumPy, directly or indirectly: the limit then also applies to NumPy's own BLAS if the calling
script does not import NumPy.

Workers in processes of their own discard what native libraries and Pillow say about damaged images;
see ``finhash.jobs.chatter``.
"""

import os
import pickle
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent import futures
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from multiprocessing import current_process, get_context, parent_process
from multiprocessing.process import BaseProcess
from operator import index
from threading import Thread
from types import TracebackType
from typing import Any, Literal, ParamSpec, TypeVar, get_args

from finhash.jobs import chatter

P = ParamSpec("P")
T = TypeVar("T")

Executor = Literal["serial", "threads", "processes", "dask"]
"""Name of a kind of worker."""

EXECUTORS: tuple[Executor, ...] = get_args(Executor)
"""All names of kinds of workers."""

AHEAD = 3
"""Tasks in flight per worker: enough to keep it busy, few enough to repeat when it dies."""

AT_ONCE = 2
"""Workers that start together. More are started after one worker has started.

If no worker can start, only these print the reason. If code must be compiled, only these compile.
"""

RESTARTS = 3
"""Attempts to replace workers of which one had started."""

PATIENCE = 20
"""Seconds to wait for a worker while a cluster has none."""

LOOK = 1.0
"""Seconds after which a wait for tasks looks whether workers are left."""

CANNOT_START = (
    "worker processes end while they start; each one imports the calling script as a module, so "
    "start jobs below 'if __name__ == \"__main__\":', in a script that is a file. "
    "The messages on stderr, if any, say why a worker ended. "
    'executor="threads" needs no worker processes'
)
"""Message of the ``RuntimeError`` if no worker can start."""


class Workers:
    """A pool of workers that can be restarted after some have died.

    Entering the context starts the workers. Leaving it normally waits for the running tasks;
    leaving it by an exception, such as Ctrl-C, does not.
    """

    lost: tuple[type[Exception], ...] = (futures.BrokenExecutor, MemoryError)
    """Exceptions that mean a task's worker died, or had no memory to receive or return it."""

    apart = True
    """Whether tasks run elsewhere than in the thread that submits them."""

    def __init__(self, start: Callable[[], futures.Executor], count: int) -> None:
        self._start = start
        self._count = count

    def __enter__(self) -> "Workers":
        self._pool = self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close(wait=kind is None)

    def ahead(self) -> int:
        """Return how many tasks to keep in flight."""
        return AHEAD * self._count

    def submit(self, function: Callable[..., T], *arguments: object) -> "futures.Future[T]":
        """Run ``function(*arguments)`` on a worker, and return its future."""
        try:
            return self._pool.submit(function, *arguments)
        except futures.BrokenExecutor as error:
            # A worker died between two tasks: report it as if it had died during this one.
            future: futures.Future[T] = futures.Future()
            future.set_exception(error)
            return future

    def restart(self) -> None:
        """Replace the workers, after a task has raised one of ``lost``."""
        self._pool.shutdown(wait=False)
        self._pool = self._start()

    def check(self) -> None:
        """Raise ``RuntimeError`` if nobody is left to finish the tasks; called regularly."""

    def _close(self, wait: bool) -> None:
        """Cancel the tasks that have not started, and stop the workers."""
        self._pool.shutdown(wait=wait, cancel_futures=True)


class _CallingThread(futures.Executor):
    """An executor that runs each task as soon as it is submitted."""

    def submit(
        self, function: Callable[P, T], /, *arguments: P.args, **options: P.kwargs
    ) -> "futures.Future[T]":
        """Run the task, and return its finished future."""
        future: futures.Future[T] = futures.Future()
        future.set_result(function(*arguments, **options))
        return future


class _Serial(Workers):
    """The calling thread as the only worker."""

    apart = False

    def ahead(self) -> int:
        """Return 1, because a task ends before the next one can be submitted."""
        return 1


class _Processes(Workers):
    """New processes on this machine.

    A task is pickled here and unpickled when it runs. If the new process cannot import a function,
    the task then raises an exception that says so. Unpickled by the pool, it would kill the worker.
    """

    def __init__(self, count: int, methods: Sequence[str]) -> None:
        super().__init__(partial(_start_processes, count, methods), count)

    def __enter__(self) -> "Workers":
        super().__enter__()
        self._first = self._pool.submit(os.getpid)
        return self

    def ahead(self) -> int:
        """Return how many tasks to keep in flight.

        The pool starts a process for each task until it has all its processes. If these are more
        than ``AT_ONCE``, wait first until one has started or died.
        """
        if self._count > AT_ONCE:
            self._has_started()
        return super().ahead()

    def submit(self, function: Callable[..., T], *arguments: object) -> "futures.Future[T]":
        """Run ``function(*arguments)`` on a worker, and return its future."""
        return super().submit(_unpickle_and_run, pickle.dumps((function, arguments)))

    def restart(self) -> None:
        """Replace the workers; raise ``RuntimeError`` if workers die while they start.

        If no worker has started before, the exception is raised at once. Otherwise the cause may be
        temporary, such as a lack of memory, and a few more attempts are made.
        """
        for _ in range(RESTARTS if self._has_started() else 0):
            super().restart()
            self._first = self._pool.submit(os.getpid)
            if self._has_started():
                return
        raise RuntimeError(CANNOT_START) from None

    def _has_started(self) -> bool:
        """Wait until the pool's first worker has started or died; return whether it started."""
        return self._first.exception() is None


class _Dask(Workers):
    """The workers of a Dask client.

    Dask itself restarts workers and repeats their tasks. It raises ``KilledWorker`` for a task
    during which several workers died.
    """

    def __init__(self, client: Any) -> None:  # noqa: ANN401
        self.lost = (import_module("distributed").KilledWorker, MemoryError)
        self._client = client
        self._counted = float("-inf")
        self._seen = time.monotonic()
        super().__init__(lambda: client.get_executor(pure=False), 1)

    def ahead(self) -> int:
        """Return how many tasks to keep in flight for the cluster's present workers."""
        if time.monotonic() > self._counted + 1:  # workers may join and leave a cluster
            self._counted = time.monotonic()
            self._count = max(1, sum(self._client.nthreads().values()))
        return AHEAD * self._count

    def submit(self, function: Callable[..., T], *arguments: object) -> "futures.Future[T]":
        """Run ``function(*arguments)`` on the cluster, and return its future."""
        # Wrap in a partial: Dask would otherwise scan every path for futures.
        return super().submit(partial(function, *arguments))

    def restart(self) -> None:
        """Do nothing, because Dask restarts its workers itself."""

    def check(self) -> None:
        """Raise ``RuntimeError`` if the cluster has had no workers for ``PATIENCE`` seconds.

        Dask gives up a worker that dies while it starts.
        """
        try:
            seen = bool(self._client.nthreads())
        except OSError:  # the scheduler is lost: the tasks are then cancelled
            seen = True
        if seen:
            self._seen = time.monotonic()
        elif time.monotonic() > self._seen + PATIENCE:
            raise RuntimeError(
                f"the Dask cluster has had no workers for {PATIENCE} s; run the job again, which "
                "keeps what an output folder has"
            )

    def _close(self, wait: bool) -> None:
        """Shut down the executor; ``_open_dask`` closes the client and its own cluster."""
        self._pool.shutdown(wait=wait)


def open_workers(
    executor: Executor,
    count: int = 1,
    methods: Sequence[str] = (),
    scheduler: str | None = None,
) -> AbstractContextManager[Workers]:
    """Check the arguments, and return a context manager that starts and stops workers.

    Parameters
    ----------
    executor : {"serial", "threads", "processes", "dask"}
        Kind of worker.
    count : int
        Number of workers. Without effect on ``"serial"`` and on a cluster given by ``scheduler``.
    methods : sequence of str
        Hashes whose compiled code each new process loads before its first task. Only built-in ones
        have such code.
    scheduler : str, optional
        Address of a running Dask scheduler. Without it, ``"dask"`` starts a cluster on this
        machine.

    Returns
    -------
    context manager
        Entering it starts the workers and gives the ``Workers``.

    Raises
    ------
    ValueError
        If ``executor`` is unknown, ``count`` is below 1, or a scheduler is given for another
        executor than ``"dask"``.
    TypeError
        If ``count`` is not a whole number.
    ImportError
        If Dask is asked for and not installed.
    SystemExit
        If this process is a worker that is still importing the calling script, which starts workers
        outside of ``if __name__ == "__main__":``. The worker then ends without a message, and the
        calling process reports the mistake.

    Examples
    --------
    >>> with open_workers("threads", 2) as workers:
    ...     workers.submit(pow, 2, 10).result()
    1024
    """
    if executor not in EXECUTORS:
        raise ValueError(f"unknown executor {executor!r}; known: {', '.join(EXECUTORS)}")
    try:
        whole = index(count)
    except TypeError:
        whole = None
    if whole is None or isinstance(count, bool):
        raise TypeError(f"workers is {count!r}; pass a whole number, at least 1")
    count = whole
    if count < 1:
        raise ValueError(f"workers must be at least 1, not {count}")
    if scheduler is not None and executor != "dask":
        raise ValueError(f'a scheduler needs executor="dask", not {executor!r}')
    if executor == "dask" and find_spec("distributed") is None:
        raise ImportError('executor="dask" needs: pip install "finhash[cluster]"')
    if executor in ("processes", "dask") and scheduler is None and _is_importing_the_script():
        sys.exit(1)
    if executor == "serial":
        return _Serial(_CallingThread, 1)
    if executor == "threads":
        return Workers(partial(_start_threads, count, methods), count)
    if executor == "processes":
        return _open_processes(count, methods)
    return _open_dask(count, methods, scheduler)


def wait_for(
    tasks: "Collection[futures.Future[T]]", workers: Workers, *, first: bool = False
) -> "set[futures.Future[T]]":
    """Wait until tasks have ended, as long as workers are left to run them.

    Parameters
    ----------
    tasks : collection of Future
        Tasks that were submitted to ``workers``.
    workers : Workers
        Workers that have been started.
    first : bool, default False
        Whether to wait for one task only.

    Returns
    -------
    set of Future
        The tasks that have ended: all or, with ``first``, at least one.

    Raises
    ------
    RuntimeError
        If nobody is left to finish the tasks (see ``Workers.check``).

    Examples
    --------
    >>> with open_workers("threads", 2) as workers:
    ...     tasks = [workers.submit(pow, 2, k) for k in range(3)]
    ...     sorted(task.result() for task in wait_for(tasks, workers))
    [1, 2, 4]
    """
    until = futures.FIRST_COMPLETED if first else futures.ALL_COMPLETED
    while True:
        workers.check()
        done, waiting = futures.wait(tasks, LOOK, until)
        if not waiting or (first and done):
            return done


def _start_threads(count: int, methods: Sequence[str]) -> futures.Executor:
    """Load the methods' compiled code, and return a pool of threads."""
    _warm_up(methods)
    return futures.ThreadPoolExecutor(count)


def _is_importing_the_script() -> bool:
    """Return whether this is a new process that still imports the calling script.

    ``multiprocessing`` checks this attribute, too, and raises an exception for each such process.
    """
    return getattr(current_process(), "_inheriting", False)


@contextmanager
def _open_processes(count: int, methods: Sequence[str]) -> Iterator[Workers]:
    """Yield new processes on this machine, which print their messages on the real stderr."""
    with chatter.shown(), _Processes(count, methods) as workers:
        yield workers


def _start_processes(count: int, methods: Sequence[str]) -> futures.Executor:
    """Return a pool of new processes, each of which runs ``_start_worker`` first."""
    return futures.ProcessPoolExecutor(count, get_context("spawn"), _start_worker, (methods,))


@contextmanager
def _open_dask(count: int, methods: Sequence[str], scheduler: str | None) -> Iterator[Workers]:
    """Yield the workers of a running cluster, or of one started on this machine."""
    distributed: Any = import_module("distributed")  # Any: its annotations are incomplete
    if scheduler is not None:
        with distributed.Client(scheduler) as client, _Dask(client) as workers:
            _check_cluster(client, scheduler)
            try:
                yield workers
            except futures.CancelledError as error:
                raise RuntimeError(
                    f"the connection to the Dask scheduler at {scheduler} was lost; start it, then "
                    "run the job again, which keeps the rows that an output folder has"
                ) from error
        return
    with (
        chatter.shown(),
        _local_cluster(count) as cluster,
        distributed.Client(cluster) as client,
        _Dask(client) as workers,
    ):
        client.register_worker_callbacks(partial(_start_worker, methods))
        cluster.scale(count)
        yield workers


def _local_cluster(count: int) -> Any:  # noqa: ANN401
    """Return a Dask cluster of up to ``AT_ONCE`` new processes, to be scaled to ``count``."""
    distributed: Any = import_module("distributed")
    try:
        return distributed.LocalCluster(
            n_workers=min(count, AT_ONCE),
            threads_per_worker=1,
            memory_limit=1 / count,  # share of the machine's memory per worker
            dashboard_address=None,
            # The scheduler opens a port even without a dashboard: any free one, not always 8787.
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
        )
    except RuntimeError as error:
        raise RuntimeError(f"{CANNOT_START}. Dask says: {error}") from None


def _check_cluster(client: Any, scheduler: str) -> None:  # noqa: ANN401
    """Raise ``RuntimeError`` unless a running cluster has workers that can import this module."""
    try:
        client.wait_for_workers(1, PATIENCE)
    except TimeoutError:
        raise RuntimeError(
            f"the Dask cluster at {scheduler} has had no workers for {PATIENCE} s; start some with "
            f"the shell command: dask worker {scheduler}"
        ) from None
    try:
        client.run(_unpickle_and_run, pickle.dumps((os.getpid, ())))
    except Exception as error:  # unpickling imports modules, which can raise anything
        raise RuntimeError(
            f"a worker of the Dask cluster at {scheduler} cannot load finhash ({error}); install "
            "the same versions on all machines"
        ) from None


def _start_worker(methods: Sequence[str]) -> None:
    """Prepare a new process: one BLAS thread, Ctrl-C left to the parent, compiled code loaded."""
    chatter.discard()
    if parent := parent_process():
        Thread(target=_end_with, args=(parent,), name="finhash-parent", daemon=True).start()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(ImportError):  # an exception here would break the pool; each row will report it
        _warm_up(methods)


def _end_with(parent: BaseProcess) -> None:
    """End this process as soon as its parent has ended, even if the parent was killed.

    Workers of ``ProcessPoolExecutor`` would otherwise wait for further tasks.
    """
    parent.join()
    os._exit(1)


def _unpickle_and_run(task: bytes) -> Any:  # noqa: ANN401
    """Run a task in a worker process; raise ``RuntimeError`` if it cannot be unpickled."""
    try:
        function, arguments = pickle.loads(task)
    except MemoryError:
        raise
    except Exception as error:
        raise RuntimeError(
            f"a worker process cannot load a function ({type(error).__name__}: {error}): define it "
            'in a module that can be imported, not in a notebook, or use executor="threads"'
        ) from error
    return function(*arguments)


def _warm_up(methods: Sequence[str]) -> None:
    """Hash an image with the built-in methods, and load compiled code if they have any."""
    import numpy as np

    from finhash import methods as registry
    from finhash.find import loading

    for name in registry.BUILT_IN.intersection(methods):
        registry.get(name).hash(np.zeros((16, 16, 3), np.uint8))
    if loading.used():
        loading.load()
