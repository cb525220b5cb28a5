"""Many files -> hash table: every file is a row, whatever happens to it or to who hashes it."""

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice

import pyarrow as pa
from tqdm import tqdm

from finhash import methods as registry
from finhash.jobs.executors import EXECUTORS, Workers
from finhash.jobs.parts import Parts
from finhash.jobs.provenance import versions
from finhash.jobs.rows import given_up, hash_batch
from finhash.jobs.table import HashTable, read_parts

TASK_SECONDS = 0.5
"""What a task should last: handing it over costs Dask about two thousandths of a second."""

FIRST_TASK, LARGEST_TASK = 2, 4096
"""Files in a task before any has been timed, and at most."""

SMALLEST_SHARE = 8
"""Towards the end tasks become smaller, so that workers end together, but not below a share."""


def hash_files(
    paths: Iterable[str | os.PathLike],
    methods: Sequence[str] = ("find",),
    *,
    workers: int = 1,
    executor: str = "threads",
    out: str | os.PathLike | None = None,
    scheduler: str | None = None,
    progress: bool = True,
) -> HashTable:
    """The hash table of many files, one row a file in the order given.

    Every file is decoded once for all ``methods``. A file that cannot be hashed is a row with the
    reason in ``error``; so is one that its worker dies of. ``executor`` is ``"serial"``,
    ``"threads"``, ``"processes"`` or ``"dask"``: a cluster on this machine, or that of the Dask
    ``scheduler`` whose address is given. Processes are spawned, so a script that asks for them or
    for Dask needs the ``__main__`` guard.

    With ``out``, finished rows are kept in that folder as Parquet parts, and a second call does
    only what is missing, has changed, or could not be read; ``HashTable.read(out)`` reads them.
    Memory then does not grow with the number of files, but for 16 bytes each when going on, until
    the table is looked at. If ``paths`` can be iterated only once, the table is that of the whole
    folder, ordered by path. Raises ``RuntimeError`` if another run holds the folder, and
    ``ValueError`` if it was made by other methods or versions.
    """
    if executor not in EXECUTORS:
        raise ValueError(f"unknown executor {executor!r}; known: {', '.join(EXECUTORS)}")
    if workers < 1:
        raise ValueError(f"workers must be at least 1, not {workers}")
    if scheduler is not None and executor != "dask":
        raise ValueError('a scheduler is for executor="dask"')
    methods = list(methods)
    for name in methods:
        registry.get(name)
    length = len(paths) if isinstance(paths, Collection) else None
    names = map(os.fsdecode, paths)
    kept: dict[int, pa.RecordBatch] = {}
    with (
        nullcontext() if out is None else Parts(out, methods) as parts,
        tqdm(total=length, unit="file", disable=not progress, leave=False) as bar,
        EXECUTORS[executor](workers, methods, scheduler) as pool,
    ):

        def keep(task: _Task, rows: pa.RecordBatch) -> None:
            if parts:
                parts.add(rows)
            else:
                kept[task.position] = rows
            bar.update(len(rows))

        todo = parts.missing(names, bar.update) if parts else names
        _run(_Todo(todo, length), pool, methods, keep)
    if parts:
        return HashTable(lambda: read_parts(parts.folder, None if length is None else paths))
    return HashTable.from_batches([kept[position] for position in sorted(kept)], methods)


@dataclass(frozen=True)
class _Task:
    position: int
    paths: list[str]


class _Todo:
    """Hands out files in tasks of about ``TASK_SECONDS``, fewer towards the end."""

    def __init__(self, paths: Iterable[str], length: int | None) -> None:
        self.length = length
        self._paths = iter(paths)
        self._position = 0
        self._size: float = FIRST_TASK

    def take(self, ahead: int) -> _Task | None:
        """The next task, or None if nothing is left to do."""
        size = min(LARGEST_TASK, max(1, round(self._size)))
        if self.length is not None:
            left = self.length - self._position
            size = min(size, max(-(-size // SMALLEST_SHARE), left // ahead))
        paths = list(islice(self._paths, size))
        task = _Task(self._position, paths)
        self._position += len(paths)
        return task if paths else None

    def learn(self, files: int, seconds: float) -> None:
        """Move the size of tasks half of the way to what these files would have asked for."""
        self._size = (self._size + TASK_SECONDS * files / max(seconds, 1e-9)) / 2


def _run(
    todo: _Todo, workers: Workers, methods: list[str], keep: Callable[[_Task, pa.RecordBatch], None]
) -> None:
    """Hash everything in ``todo``; what is finished is kept even if the run is interrupted."""
    running: dict[Future, _Task] = {}
    lost: list[_Task] = []

    def submit(task: _Task) -> None:
        running[workers.submit(hash_batch, task.paths, methods, versions())] = task

    def collect(future: Future) -> None:
        task = running.pop(future)
        try:
            rows, seconds = future.result()
        except workers.lost:
            lost.append(task)
        else:
            todo.learn(len(task.paths), seconds)
            keep(task, rows)

    try:
        exhausted = False
        while not exhausted or running or lost:
            if lost and not running:
                workers.restart()
                while lost:
                    _isolate(lost.pop(), workers, methods, keep)
            while not (lost or exhausted) and len(running) < workers.ahead():
                task = todo.take(workers.ahead())
                exhausted = task is None
                if task:
                    submit(task)
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                collect(future)
    finally:
        for future in [future for future in running if future.done() and not future.cancelled()]:
            if not future.exception():
                collect(future)


def _isolate(
    task: _Task, workers: Workers, methods: list[str], keep: Callable[[_Task, pa.RecordBatch], None]
) -> None:
    """Hash a task in flight when a worker died: alone, then in halves, to find what kills workers.

    A single file that kills two workers with nothing beside it becomes a row with that reason.
    """
    single = len(task.paths) == 1
    for _ in range(2 if single else 1):
        try:
            rows, _ = workers.submit(hash_batch, task.paths, methods, versions()).result()
        except workers.lost:
            workers.restart()
        else:
            keep(task, rows)
            return
    if single:
        reason = "WorkerDiedError: two workers died hashing this file"
        keep(task, given_up(task.paths[0], methods, reason))
        return
    middle = len(task.paths) // 2
    for start, paths in ((0, task.paths[:middle]), (middle, task.paths[middle:])):
        _isolate(_Task(task.position + start, paths), workers, methods, keep)
