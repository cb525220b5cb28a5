"""Workers share one interface."""

from concurrent.futures import BrokenExecutor, Executor

import pytest

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
