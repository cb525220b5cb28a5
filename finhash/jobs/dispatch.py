"""Division of a job into tasks, and their dispatch to workers that may die."""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from finhash import methods as registry
from finhash.jobs.executors import Workers
from finhash.jobs.items import Item, held, size
from finhash.jobs.provenance import versions
from finhash.jobs.rows import error_row, hash_batch

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


class Sink(Protocol):
    """Receiver of finished rows."""

    def add(self, position: int, rows: pa.RecordBatch) -> None:
        """Take the rows of consecutive items, of which the first has number ``position``."""


@dataclass(frozen=True)
class Task:
    """Images that one worker hashes in one call."""

    position: int
    """Number of the first item among all items of the job."""

    items: list[Item]


class Tasks:
    """The items still to be dispatched, taken in tasks of about ``TASK_SECONDS``.

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
        self._position = 0
        self._size: float = FIRST_TASK

    def take(self, ahead: int) -> Task | None:
        """Return the next task, or None if no items are left; ``ahead`` tasks are in flight.

        The task is smaller than planned if its images fill ``LARGEST_BYTES``, or if the items take
        longer to come than they should take to hash.
        """
        count = min(LARGEST_TASK, max(1, round(self._size)))
        if self._length is not None:
            left = self._length - self._position
            count = min(count, max(-(-count // SMALLEST_SHARE), left // ahead))
        items: list[Item] = []
        size_in_bytes, end = 0, time.monotonic() + TASK_SECONDS
        for item in self._items:
            items.append(item)
            size_in_bytes += size(item)
            if len(items) == count or size_in_bytes >= LARGEST_BYTES or time.monotonic() > end:
                break
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
    """

    def __init__(
        self,
        workers: Workers,
        methods: Sequence[str],
        sink: Sink,
        advance: Callable[[int], object],
    ) -> None:
        self._workers = workers
        self._methods = [registry.get(name) for name in methods]
        self._sink = sink
        self._advance = advance
        self._running: dict[Future[tuple[pa.RecordBatch, float]], Task] = {}
        self._lost: list[Task] = []

    def run(self, tasks: Tasks) -> None:
        """Hash all images of ``tasks``; if interrupted, keep the rows of finished tasks."""
        try:
            full = self._fill(tasks)
            while self._running or self._lost:
                if self._running:
                    patience = None if full else 0
                    for future in wait(self._running, patience, FIRST_COMPLETED).done:
                        self._collect(future, tasks)
                else:
                    self._repeat_lost()
                full = self._fill(tasks)
        finally:
            for future in [future for future in self._running if future.done()]:
                if not (future.cancelled() or future.exception()):
                    self._collect(future, tasks)

    def _isolate(self, task: Task) -> None:
        """Hash a task that was in flight when a worker died, to find the image that killed it.

        The task runs alone. If a worker dies again, its two halves run alone, and so on. A single
        image during which two workers died gets a row with that reason.
        """
        single = len(task.items) == 1
        for _ in range(2 if single else 1):
            try:
                rows, _ = self._submit(task).result()
            except self._workers.lost:
                self._workers.restart()
            else:
                self._finish(task, rows)
                return
        if single:
            reason = "WorkerDiedError: two workers died hashing this image"
            self._finish(task, error_row(task.items[0][0], self._methods, reason))
            return
        middle = len(task.items) // 2
        self._isolate(Task(task.position, task.items[:middle]))
        self._isolate(Task(task.position + middle, task.items[middle:]))

    def _fill(self, tasks: Tasks) -> bool:
        """Submit tasks until enough are in flight; none while lost tasks wait for isolation.

        Return False if the items come so slowly that finished tasks should be collected first.
        """
        ahead, end = self._workers.ahead(), time.monotonic() + TASK_SECONDS
        while not self._lost and len(self._running) < ahead:
            task = tasks.take(ahead)
            if task is None:
                return True
            self._running[self._submit(task)] = task
            if time.monotonic() > end:
                return False
        return True

    def _collect(self, future: "Future[tuple[pa.RecordBatch, float]]", tasks: Tasks) -> None:
        """Hand over the rows of a task that has ended, or note that its worker died."""
        task = self._running.pop(future)
        try:
            rows, seconds = future.result()
        except self._workers.lost:
            self._lost.append(task)
        else:
            tasks.learn(len(task.items), seconds)
            self._finish(task, rows)

    def _repeat_lost(self) -> None:
        """Restart the workers, and isolate every task whose worker died."""
        self._workers.restart()
        while self._lost:
            self._isolate(self._lost.pop())

    def _submit(self, task: Task) -> "Future[tuple[pa.RecordBatch, float]]":
        """Send a task to a worker, and return its future."""
        return self._workers.submit(hash_batch, task.items, self._methods, versions())

    def _finish(self, task: Task, rows: pa.RecordBatch) -> None:
        """Hand a task's rows to the sink, and advance the progress bar."""
        self._sink.add(task.position, rows)
        self._advance(len(rows))
