"""Jobs are divided into tasks, and dead workers lose no row."""

import io
from concurrent.futures import BrokenExecutor, Future
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from finhash.jobs import dispatch
from finhash.jobs.dispatch import Dispatcher, Task, Tasks
from finhash.jobs.executors import Workers

PATHS = [f"missing/{k:02d}.jpg" for k in range(30)]
ITEMS = [(path, path, None) for path in PATHS]


class MortalWorkers(Workers):
    """Workers that die of certain images, each a given number of times."""

    error: Exception = BrokenExecutor("a worker died")

    def __init__(self, deaths: dict[str, int]) -> None:
        self.deaths = deaths
        self.restarts = 0

    def ahead(self) -> int:
        return 3

    def submit(self, function, items, *arguments) -> Future:
        future: Future = Future()
        deadly = [source for _, source, _ in items if self.deaths.get(source)]
        if deadly:
            self.deaths[deadly[0]] -= 1
            future.set_exception(self.error)
        else:
            future.set_result(function(items, *arguments))
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

    def write_due(self) -> None:
        pass


def next_task(tasks: Tasks, ahead: int) -> Task | None:
    tasks.take(ahead)
    return tasks.cut()


def run(workers) -> tuple[Rows, int]:
    sink, finished = Rows(), []
    Dispatcher(workers, ["find"], sink, finished.append).run(Tasks(ITEMS, len(ITEMS)))
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


def test_a_file_that_does_not_fit_into_the_memory_of_workers_gets_a_row_with_that_reason():
    class Small(MortalWorkers):
        error = MemoryError("no memory to unpickle")

    sink, finished = run(Small({PATHS[7]: 100}))
    reasons = {k: row["error"] for k, row in sink.rows.items() if "memory" in row["error"]}
    assert reasons == {7: "MemoryError: no memory to unpickle"}
    assert finished == len(PATHS)


def test_an_interruption_keeps_the_rows_of_finished_tasks(monkeypatch):
    monkeypatch.setattr(dispatch, "FIRST_TASK", 4)

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(dispatch, "wait", interrupt)
    workers, sink, finished = MortalWorkers({PATHS[5]: 1}), Rows(), []
    with pytest.raises(KeyboardInterrupt):
        Dispatcher(workers, ["find"], sink, finished.append).run(Tasks(ITEMS, None))
    # Three tasks of four files were in flight; a worker died of the second.
    assert sorted(sink.rows) == [0, 1, 2, 3, 8, 9, 10, 11]


def test_other_exceptions_of_a_task_end_the_job():
    class WrongVersions(MortalWorkers):
        def submit(self, function, items, *arguments) -> Future:
            future: Future = Future()
            future.set_exception(RuntimeError("a worker has pillow 1.0"))
            return future

    with pytest.raises(RuntimeError, match=r"pillow 1\.0"):
        run(WrongVersions({}))


def test_tasks_cover_all_files_once_and_in_order():
    tasks, found = Tasks(ITEMS, None), []
    while task := next_task(tasks, 3):
        assert task.position == len(found)
        found += task.items
        tasks.learn(len(task.items), 0.1)
    assert found == ITEMS
    assert next_task(tasks, 3) is None


def test_tasks_grow_to_their_target_duration():
    tasks = Tasks(ITEMS * 100_000, None)
    for _ in range(30):
        size = len(next_task(tasks, 3).items)
        tasks.learn(size, size / 1000)  # 1,000 images per second
    assert size == 1000 * dispatch.TASK_SECONDS


def test_the_last_tasks_shrink_if_the_length_is_known():
    tasks, sizes = Tasks(ITEMS * 100, len(ITEMS) * 100), []
    for _ in range(12):
        tasks.learn(1000, 0.5)
    while task := next_task(tasks, 6):
        sizes.append(len(task.items))
    assert sizes[0] == 3000 // 6
    assert sizes == sorted(sizes, reverse=True)
    assert min(sizes[:-1]) >= 1000 // dispatch.SMALLEST_SHARE - 1


def test_tasks_hold_a_limited_number_of_bytes(monkeypatch):
    monkeypatch.setattr(dispatch, "LARGEST_BYTES", 1000)
    taken = []

    def items():
        for k in range(100):
            taken.append(k)
            yield str(k), bytes(300), None

    tasks = Tasks(items(), None)
    tasks.learn(4000, 0.5)
    assert [len(next_task(tasks, 3).items) for _ in range(2)] == [4, 4]
    assert len(taken) == 8
    large = [("a", bytes(5000), None), ("b", bytes(5000), None)]
    assert len(next_task(Tasks(large, 2), 1).items) == 1


def test_slow_items_are_hashed_before_a_task_is_full(monkeypatch):
    """Each item waits until the one before it has a row; a full task would wait for ever."""
    monkeypatch.setattr(dispatch, "FIRST_TASK", 3)
    monkeypatch.setattr(dispatch, "TASK_SECONDS", 0)
    sink, missed = Rows(), []

    def items():
        for k, item in enumerate(ITEMS[:5]):
            missed.extend(range(max(0, k - 1)) - sink.rows.keys())
            yield item

    Dispatcher(MortalWorkers({}), ["find"], sink, int).run(Tasks(items(), None))
    assert [sink.rows[k]["path"] for k in range(5)] == PATHS[:5]
    assert not missed


def test_files_and_buffers_may_change_as_soon_as_the_next_item_is_taken(tmp_path):
    buffer, pixels = bytearray(b"first"), np.zeros((2, 2, 3), np.uint8)
    (tmp_path / "file").write_bytes(b"content")
    image = Image.new("L", (3, 3))

    def items():
        yield "buffer", buffer, None
        buffer[:] = b"other"
        yield "view", memoryview(buffer), None
        buffer[:] = b"third"
        yield "pixels", pixels, None
        pixels[:] = 1
        with (tmp_path / "file").open("rb") as file:
            file.seek(3)
            yield "file", file, None
        yield "image", image, None
        image.close()

    tasks = Tasks(items(), None)
    tasks.learn(100, 0.5)
    found = {name: source for name, source, _ in next_task(tasks, 1).items}
    assert found["buffer"] == b"first"
    assert found["view"] == b"other"
    assert not found["pixels"].any()
    assert found["file"] == b"content"
    assert found["image"].tobytes() == bytes(9)


def test_sources_that_cannot_be_read_give_the_reason(tmp_path):
    closed = io.BytesIO(b"content")
    closed.close()
    sources = [closed, io.StringIO("text"), 3.5, None, Image.new("L", (0, 3))]
    items = Tasks([(str(k), source, None) for k, source in enumerate(sources)], 5)
    items.learn(100, 0.5)
    reasons = [source.reason for _, source, _ in next_task(items, 1).items]
    assert [reason.split(":")[0] for reason in reasons] == [
        "ValueError",
        "TypeError",
        "TypeError",
        "TypeError",
        "EmptyImageError",
    ]
    assert "binary" in reasons[1] or "'rb'" in reasons[1]
    assert "cannot read an image from float" in reasons[2]


def test_a_job_ends_if_nobody_is_left_to_finish_it():
    class Nobody(Workers):
        def submit(self, function, *arguments):
            return Future()

        def check(self):
            raise RuntimeError("no workers are left")

    with pytest.raises(RuntimeError, match="no workers are left"):
        sink = SimpleNamespace(write_due=lambda: None)
        Dispatcher(Nobody(None, 1), ["find"], sink, int).run(Tasks([("a", "a.jpg", None)], 1))


def test_a_job_ends_if_nobody_is_left_to_repeat_a_lost_task():
    class Leaving(MortalWorkers):
        """Workers of which one dies of an image, before all leave for good."""

        def submit(self, function, items, *arguments) -> Future:
            return Future() if self.restarts else super().submit(function, items, *arguments)

        def check(self):
            if self.restarts:
                raise RuntimeError("no workers are left")

    with pytest.raises(RuntimeError, match="no workers are left"):
        run(Leaving({PATHS[5]: 1}))
