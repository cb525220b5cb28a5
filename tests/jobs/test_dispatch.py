"""Jobs are divided into tasks, and dead workers lose no row."""

from concurrent.futures import BrokenExecutor, Future

import pytest

from finhash.jobs import dispatch
from finhash.jobs.dispatch import Dispatcher, Tasks
from finhash.jobs.executors import Workers

PATHS = [f"missing/{k:02d}.jpg" for k in range(30)]


class MortalWorkers(Workers):
    """Workers that die of certain files, each a given number of times."""

    def __init__(self, deaths: dict[str, int]) -> None:
        self.deaths = deaths
        self.restarts = 0

    def ahead(self) -> int:
        return 3

    def submit(self, function, paths, *arguments) -> Future:
        future: Future = Future()
        deadly = [path for path in paths if self.deaths.get(path)]
        if deadly:
            self.deaths[deadly[0]] -= 1
            future.set_exception(BrokenExecutor("a worker died"))
        else:
            future.set_result(function(paths, *arguments))
        return future

    def restart(self) -> None:
        self.restarts += 1


class Rows:
    """A sink that remembers all rows by the number of their file."""

    def __init__(self) -> None:
        self.rows = {}

    def add(self, position, rows) -> None:
        for k, row in enumerate(rows.to_pylist(), position):
            assert k not in self.rows, "a file was hashed twice"
            self.rows[k] = row


def run(workers) -> tuple[Rows, int]:
    sink, finished = Rows(), []
    Dispatcher(workers, ["find"], sink, finished.append).run(Tasks(PATHS, len(PATHS)))
    return sink, sum(finished)


@pytest.mark.parametrize("first_task", [1, 7, 30])
def test_files_that_kill_their_workers_get_a_row_with_that_reason(first_task, monkeypatch):
    monkeypatch.setattr(dispatch, "FIRST_TASK", first_task)
    workers = MortalWorkers({PATHS[11]: 100, PATHS[12]: 100})
    sink, finished = run(workers)
    assert [sink.rows[k]["path"] for k in range(len(PATHS))] == PATHS
    killers = [k for k, row in sink.rows.items() if row["error"].startswith("WorkerDiedError")]
    assert sorted(killers) == [11, 12]
    assert finished == len(PATHS)
    assert workers.restarts > 0


def test_a_worker_that_dies_once_costs_no_row(monkeypatch):
    monkeypatch.setattr(dispatch, "FIRST_TASK", 7)
    sink, _ = run(MortalWorkers({PATHS[0]: 1, PATHS[29]: 1}))
    assert len(sink.rows) == len(PATHS)
    assert all(row["error"].startswith("FileNotFoundError") for row in sink.rows.values())


def test_a_file_is_given_up_only_after_two_workers_died_of_it_alone(monkeypatch):
    monkeypatch.setattr(dispatch, "LARGEST_TASK", 1)
    # Once with other tasks in flight, then once alone; the second attempt alone succeeds.
    sink, _ = run(MortalWorkers({PATHS[3]: 2}))
    assert sink.rows[3]["error"].startswith("FileNotFoundError")
    sink, _ = run(MortalWorkers({PATHS[3]: 3}))
    assert sink.rows[3]["error"].startswith("WorkerDiedError")


def test_an_interruption_keeps_the_rows_of_finished_tasks(monkeypatch):
    monkeypatch.setattr(dispatch, "FIRST_TASK", 4)

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(dispatch, "wait", interrupt)
    workers, sink, finished = MortalWorkers({PATHS[5]: 1}), Rows(), []
    with pytest.raises(KeyboardInterrupt):
        Dispatcher(workers, ["find"], sink, finished.append).run(Tasks(PATHS, None))
    # Three tasks of four files were in flight; a worker died of the second.
    assert sorted(sink.rows) == [0, 1, 2, 3, 8, 9, 10, 11]


def test_other_exceptions_of_a_task_end_the_job():
    class WrongVersions(MortalWorkers):
        def submit(self, function, paths, *arguments) -> Future:
            future: Future = Future()
            future.set_exception(RuntimeError("a worker has pillow 1.0"))
            return future

    with pytest.raises(RuntimeError, match=r"pillow 1\.0"):
        run(WrongVersions({}))


def test_tasks_cover_all_files_once_and_in_order():
    tasks, found = Tasks(PATHS, None), []
    while task := tasks.take(3):
        assert task.position == len(found)
        found += task.paths
        tasks.learn(len(task.paths), 0.1)
    assert found == PATHS
    assert tasks.take(3) is None


def test_tasks_grow_to_their_target_duration():
    tasks = Tasks((str(k) for k in range(10**6)), None)
    for _ in range(30):
        size = len(tasks.take(3).paths)
        tasks.learn(size, size / 1000)  # 1,000 files per second
    assert size == 1000 * dispatch.TASK_SECONDS


def test_the_last_tasks_shrink_if_the_length_is_known():
    tasks, sizes = Tasks(PATHS * 100, len(PATHS) * 100), []
    for _ in range(12):
        tasks.learn(1000, 0.5)
    while task := tasks.take(6):
        sizes.append(len(task.paths))
    assert sizes[0] == 3000 // 6
    assert sizes == sorted(sizes, reverse=True)
    assert min(sizes[:-1]) >= 1000 // dispatch.SMALLEST_SHARE - 1
