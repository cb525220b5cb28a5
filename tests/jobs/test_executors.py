"""Workers share one interface."""

import pickle
import time
from concurrent.futures import BrokenExecutor, Executor, Future

import pytest

from finhash.jobs import executors
from finhash.jobs.executors import EXECUTORS, Workers, open_workers


def test_the_names_of_executors():
    assert EXECUTORS == ("serial", "threads", "processes", "dask")


def test_serial_tasks_run_when_submitted():
    done = []
    with open_workers("serial") as workers:
        workers.submit(done.append, 1)
        assert done == [1]
        assert workers.ahead() == 1


def test_more_tasks_are_in_flight_than_workers():
    with open_workers("threads", 4) as workers:
        assert workers.ahead() > 4


def test_a_pool_that_broke_between_tasks_fails_the_next_task_only():
    class Broken(Executor):
        def submit(self, function, /, *arguments, **options):
            raise BrokenExecutor("a worker died")

    with Workers(Broken, 1) as workers:
        assert isinstance(workers.submit(print).exception(), workers.lost)


@pytest.mark.parametrize(
    ("good", "pools", "succeeds"),
    [({1, 2}, 2, True), ({1, 4}, 4, True), ({1}, 4, False), (set(), 1, False)],
)
def test_workers_are_restarted_again_only_if_one_has_ever_started(
    good, pools, succeeds, monkeypatch
):
    """The pools with the numbers ``good`` can start workers."""
    started = []

    class Pool(Executor):
        def submit(self, function, /, *arguments, **options):
            future = Future()
            if len(started) in good:
                future.set_result(None)
            else:
                future.set_exception(BrokenExecutor("a worker died"))
            return future

    def start(*_):
        started.append(None)
        return Pool()

    monkeypatch.setattr(executors, "_start_processes", start)
    with open_workers("processes", 2) as workers:
        if succeeds:
            workers.restart()
        else:
            with pytest.raises(RuntimeError, match="end while they start"):
                workers.restart()
    assert len(started) == pools


@pytest.mark.slow
def test_a_local_dask_cluster_gets_all_its_workers(monkeypatch):
    monkeypatch.setattr(executors, "AT_ONCE", 1)
    with open_workers("dask", 2) as workers:
        deadline = time.monotonic() + 300
        while workers.ahead() < 2 * executors.AHEAD:
            assert time.monotonic() < deadline, "a worker is missing"
            time.sleep(0.1)


def test_a_task_that_does_not_fit_into_memory_is_lost_and_any_other_error_is_explained():
    with pytest.raises(MemoryError):
        executors._unpickle_and_run(pickle.dumps(Unpicklable(MemoryError)))
    with pytest.raises(RuntimeError, match=r"cannot load a function \(AttributeError"):
        executors._unpickle_and_run(pickle.dumps(Unpicklable(AttributeError)))
    assert MemoryError in Workers.lost


class Unpicklable:
    """An object that raises an error when it is unpickled."""

    def __init__(self, error: type[Exception]) -> None:
        self.error = error

    def __reduce__(self):
        return _fail, (self.error,)


def _fail(error: type[Exception]) -> None:
    raise error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("fibres", 1), "known: serial, threads, processes, dask"),
        (("threads", 0), "at least 1, not 0"),
        (("processes", 1, (), "tcp://127.0.0.1:1"), "not 'processes'"),
    ],
)
def test_wrong_arguments_are_refused_before_workers_start(arguments, words):
    with pytest.raises(ValueError, match=words):
        open_workers(*arguments)


def test_a_cluster_without_workers_is_given_up(monkeypatch):
    class Client:
        def __init__(self):
            self.workers = {"tcp://10.0.0.1:1": 2}

        def nthreads(self):
            return self.workers

    client = Client()
    workers = executors._Dask(client)
    workers.check()
    client.workers = {}
    workers.check()  # it may get some
    monkeypatch.setattr(executors, "PATIENCE", -1)
    with pytest.raises(RuntimeError, match="has had no workers"):
        workers.check()
