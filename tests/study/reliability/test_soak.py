"""Jobs whose workers are killed at random are complete in the end."""

import pytest

from finhash.study.reliability import soak


@pytest.mark.slow
def test_soak(tmp_path, monkeypatch):
    monkeypatch.setattr(soak, "EXECUTORS", ("processes",))
    monkeypatch.setattr(soak, "PAUSES", (0.1, 0.5))
    monkeypatch.setattr(soak, "MOST", 2)
    counts, programs = soak.soak(tmp_path, 0.02, 60, 1500, seed=3)
    (row,) = counts.itertuples(index=False)
    assert row.rows == 60 * row.jobs > 0
    assert row.rows_lost == row.rows_doubled == row.rows_wrong == row.not_mended == 0
    assert row.unreadable == row.stray == row.processes_left == 0
    assert row.workers_killed + row.programs_killed > 0
    assert (programs["jobs"] > 1).all()


def test_programs_with_several_jobs():
    programs = [_Ended("dask", [(99.0, 7, 3)]), _Ended("dask", [(100.0, 9, 4), (101.5, 9, 5)])]
    (row,) = soak._programs(programs).itertuples(index=False)
    assert (row.executor, row.jobs, row.workers_killed) == ("dask", 2, 6)
    assert (row.mb_first, row.mb_last) == (100, 101.5)
    assert (row.open_files_first, row.open_files_last) == (9, 9)
    assert (row.threads_first, row.threads_last) == (4, 5)


class _Ended(soak.Program):
    """A program that has ended."""

    workers_killed = 6

    def __init__(self, executor, used):
        self.executor, self.used = executor, used
