"""Division of a job into tasks, and their dispatch to workers that may die."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Lock, Thread
from typing import Protocol

import pyarrow as pa

from finhash import methods as registry
from finhash.jobs.executors import Workers, wait_for
from finhash.jobs.items import DEFAULTS, PATIENCE, Item, Options, held, reason, size
from finhash.jobs.rows import error_row, hash_batch
from finhash.tables.provenance import versions

TASK_SECONDS = 0.5
"""Target duration of a task. Dask spends about 2 ms dispatching one."""

FIRST_TASK = 2
"""Images per task before any task has been timed."""

LARGEST_TASK = 4096
"""Images per task at most."""

LARGEST_BYTES = 2**23
"""Bytes of images in memory that complete a task. Three tasks per worker are in flight."""

SMALLEST_SHARE = 8
"""Divisor of the usual task size. The last tasks shrink to 1/8 of the usual size, so that all
workers end together.
"""

WORKERS_DIED = "WorkerDiedError: two workers died hashing this image"
"""Text of the column ``error``."""


class Sink(Protocol):
    """Receiver of finished rows."""

    def add(self, position: int, rows: pa.RecordBatch) -> None:
        """Take the rows of consecutive items, of which the first has number ``position``."""

    def write_due(self) -> None:
        """Write the rows taken so far if it is time to; called regularly."""


@dataclass(frozen=True)
class Task:
    """Images that one worker hashes in one call."""

    position: int
    """Number of the first item among all items of the job."""

    items: list[Item]


class Tasks:
    """The items still to be dispatched, taken in tasks of about ``TASK_SECONDS``.

    If reading the items raises an exception, they end there, and ``error`` holds the exception.

    Parameters
    ----------
    items : iterable of Item
        Images of the job, read only as tasks are taken. Open files are then read, and other sources
        that the caller can change are copied.
    length : int or None
        Number of items, if known: tasks then become smaller towards the end.
    """

    def __init__(self, items: Iterable[Item], length: int | None) -> None:
        self._items = map(held, items)
        self._length = length
        self._taken: list[Item] = []
        self._position = 0
        self._size: float = FIRST_TASK
        self.ended = False
        """Whether all items have been taken."""
        self.error: Exception | None = None
        """What reading the items raised."""

    def take(self, ahead: int) -> None:
        """Take the items of the next task, which ``cut`` returns; ``ahead`` tasks are in flight.

        The task is smaller than planned if its images fill ``LARGEST_BYTES``, or if the items take
        longer to come than they should take to hash.
        """
        count = min(LARGEST_TASK, max(1, round(self._size)))
        if self._length is not None:
            left = self._length - self._position
            count = min(count, max(-(-count // SMALLEST_SHARE), left // ahead))
        size_in_bytes, end, append = 0, time.monotonic() + TASK_SECONDS, self._taken.append
        try:
            for taken, item in enumerate(self._items, 1):
                append(item)
                size_in_bytes += size(item)
                if taken == count or size_in_bytes >= LARGEST_BYTES or time.monotonic() > end:
                    return
        except Exception as error:  # the caller's generator can raise anything
            self.error = error
        self.ended = True

    def cut(self) -> Task | None:
        """Return the items taken so far as a task, or None if there are none.

        Another thread may call it during ``take``, but not during another ``cut``.
        """
        items = self._taken[:]
        del self._taken[: len(items)]  # not those that have come meanwhile
        task = Task(self._position, items)
        self._position += len(items)
        return task if items else None

    def learn(self, images: int, seconds: float) -> None:
        """Set the task size to the mean of the current size and the size for ``TASK_SECONDS``.

        The latter is the number of images that would take ``TASK_SECONDS`` at this task's speed.
        """
        self._size = (self._size + TASK_SECONDS * images / max(seconds, 1e-9)) / 2


class Dispatcher:
    """Hashes images with workers, and hands their rows to a sink.

    The calling thread reads the items, because they may depend on it, as those of an SQLite
    database do. While it waits for one, a thread submits those that have come and collects rows.

    Parameters
    ----------
    workers : Workers
        Workers that have been started.
    methods : sequence of str
        Names of hashes.
    sink : Sink
        Receiver of the rows.
    advance : callable
        Called with the number of images that were finished, for a progress bar.
    options : Options, optional
        Preparation, quality and limit on pixels.
    """

    def __init__(
        self,
        workers: Workers,
        methods: Sequence[str],
        sink: Sink,
        advance: Callable[[int], object],
        options: Options = DEFAULTS,
    ) -> None:
        self._workers = workers
        self._methods = [registry.get(name) for name in methods]
        self._sink = sink
        self._advance = advance
        self._options = options
        self._running: dict[Future[tuple[pa.RecordBatch, float]], Task] = {}
        self._lost: list[Task] = []
        self._lock = Lock()
        """Held by a thread that submits tasks or collects rows."""
        self._problem: Exception | None = None
        """Why the thread that collects rows has ended early."""

    def run(self, tasks: Tasks) -> None:
        """Hash all images of ``tasks``; if interrupted, keep the rows of finished tasks.

        If reading the items raises an exception, those that have come are hashed first.
        """
        try:
            with self._tended(tasks):
                full = self._fill(tasks)
                while self._is_unfinished(tasks):
                    running = list(self._running)
                    if running:
                        # Look now and then whether the other thread has met a problem.
                        patience = TASK_SECONDS if full else 0
                        done = wait(running, patience, FIRST_COMPLETED).done
                        with self._lock:
                            self._collect(done, tasks)
                    else:
                        with self._lock:
                            self._repeat_lost()
                    full = self._fill(tasks)
        finally:
            done = {future for future in self._running if future.done()}
            self._collect({f for f in done if not (f.cancelled() or f.exception())}, tasks)
        if tasks.error is not None:
            raise tasks.error

    @contextmanager
    def _tended(self, tasks: Tasks) -> Iterator[None]:
        """Call ``_tend`` regularly in another thread until the context is left."""
        is_over = Event()

        def tend() -> None:
            while not (is_over.wait(PATIENCE) or self._problem):
                with self._lock:
                    self._tend(tasks)

        thread = Thread(target=tend, name="finhash-rows", daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def _tend(self, tasks: Tasks) -> None:
        """Submit the items that have come, collect finished rows, and have them written."""
        try:
            if self._workers.apart and not self._lost and (task := tasks.cut()):
                self._running[self._submit(task)] = task
            self._collect({future for future in self._running if future.done()}, tasks)
            self._sink.write_due()
            self._workers.check()
        except Exception as error:  # raised by the calling thread as soon as it runs again
            self._problem = error

    def _is_unfinished(self, tasks: Tasks) -> bool:
        """Return whether images are left; raise the exception that ended the other thread."""
        with self._lock:
            if self._problem:
                raise self._problem
            return bool(self._running or self._lost or not tasks.ended)

    def _isolate(self, task: Task) -> None:
        """Hash a task that was in flight when a worker died, to find the image that killed it.

        The task runs alone. If a worker dies again, its two halves run alone, and so on. If two
        workers die during a single image, or lack the memory to receive it, its row says so.
        """
        single = len(task.items) == 1
        why = ""
        for _ in range(2 if single else 1):
            try:
                (ended,) = wait_for([self._submit(task)], self._workers)
                rows, _ = ended.result()
            except self._workers.lost as error:
                why = reason(error) if isinstance(error, MemoryError) else WORKERS_DIED
                self._workers.restart()
            else:
                self._finish(task, rows)
                return
        if single:
            self._finish(task, error_row(task.items[0], self._methods, why, self._options))
            return
        middle = len(task.items) // 2
        self._isolate(Task(task.position, task.items[:middle]))
        self._isolate(Task(task.position + middle, task.items[middle:]))

    def _fill(self, tasks: Tasks) -> bool:
        """Submit tasks until enough are in flight; none while lost tasks wait for isolation.

        Return False if the items come so slowly that finished tasks should be collected first.
        """
        ahead, end = self._workers.ahead(), time.monotonic() + TASK_SECONDS
        while not self._lost and len(self._running) < ahead and not tasks.ended:
            tasks.take(ahead)
            with self._lock:
                if task := tasks.cut():
                    self._running[self._submit(task)] = task
            if time.monotonic() > end:
                return False
        return True

    def _collect(self, done: "set[Future[tuple[pa.RecordBatch, float]]]", tasks: Tasks) -> None:
        """Hand over the rows of tasks that have ended, or note that their workers died."""
        for future in done & self._running.keys():  # the other thread may have collected some
            task = self._running.pop(future)
            try:
                rows, seconds = future.result()
            except self._workers.lost:
                self._lost.append(task)
            else:
                tasks.learn(len(task.items), seconds)
                self._finish(task, rows)

    def _repeat_lost(self) -> None:
        """Restart the workers if some died, and isolate every task whose worker died."""
        if self._lost:
            self._workers.restart()
        while self._lost:
            self._isolate(self._lost.pop())

    def _submit(self, task: Task) -> "Future[tuple[pa.RecordBatch, float]]":
        """Send a task to a worker, and return its future."""
        return self._workers.submit(
            hash_batch, task.items, self._methods, versions(), self._options
        )

    def _finish(self, task: Task, rows: pa.RecordBatch) -> None:
        """Hand a task's rows to the sink, and advance the progress bar."""
        self._sink.add(task.position, rows)
        self._advance(len(rows))
