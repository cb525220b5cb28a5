"""Faults are provoked for real, and their costs are counted."""

import os
import random
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial

import pyarrow.parquet as pq
import pytest

from finhash import hash_files
from finhash.study.reliability import disks, disturbed, faults, faults_jobs, faults_stores
from finhash.study.reliability.disturbed import MissedError, Outcome
from finhash.tables.folder import part_files

FINE = Outcome(3, 0, 0, 0, 0, completed=True, tracebacks=0, message="")


def test_a_look_at_a_folder(folder, tmp_path):
    out = tmp_path / "out"
    table = hash_files(sorted(folder.glob("0*.jpg")), out=out, progress=False)
    found = disturbed.look(out)
    assert found.doubled == found.unreadable == 0
    assert disturbed.stray(out) == []
    assert [bits for bits, _ in found.rows.values()] == table.arrow["find"].to_pylist()
    part = part_files(out)[0]
    (out / "part-000098.parquet").write_bytes(part.read_bytes())
    (out / "part-000099.parquet").write_bytes(part.read_bytes()[:-9])
    (out / ".x.partial").touch()
    damaged = disturbed.look(out)
    assert damaged.rows == found.rows
    assert (damaged.doubled, damaged.unreadable) == (pq.read_metadata(part).num_rows, 1)
    assert disturbed.stray(out) == [".x.partial"]


def test_lost_rows():
    before = {"a": (b"1", ""), "b": (b"2", ""), "c": (None, "damaged")}
    assert disturbed.lost(before, before) == 0
    assert disturbed.lost(before, {"a": (b"1", "")}) == 1
    assert disturbed.lost(before, {"a": (b"1", ""), "b": (b"3", "")}) == 1


def test_repeats_are_added_up(tmp_path):
    lost = Outcome(4, 1, 0, 2, 0, completed=False, tracebacks=1, message="no")
    outcomes = [FINE, MissedError(), lost, replace(FINE, rows_before=5, message="no")]

    def provoke(home, chance):
        assert list(home.iterdir()) == []
        outcome = outcomes.pop(0)
        if isinstance(outcome, MissedError):
            raise outcome
        return outcome

    moments = [random.Random(k) for k in range(3)]
    row = faults._repeated(tmp_path, provoke, moments, lambda: None)
    assert row == (3, 12, 1, 0, 2, 0, 2, 1, "no")


def test_faults_that_are_not_possible_are_rows(tmp_path):
    def provoke(home, chance):
        raise disks.NotPossibleError("needs root")

    row = faults._repeated(tmp_path, provoke, [random.Random(0)], lambda: None)
    assert row == (*[0] * 8, "not possible here: needs root")


def test_a_disk_needs_a_table_of_mounts(tmp_path, monkeypatch):
    monkeypatch.delenv(disks.PRIVATE, raising=False)
    with (
        pytest.raises(disks.NotPossibleError, match="right to mount"),
        disks.small_disk(tmp_path, 100),
    ):
        pass


def test_names_of_faults_are_rows_of_their_own():
    names = [(name, where) for name, where, _ in [*faults.JOBS, *faults.STORES, *faults.UNTRIED]]
    assert len(set(names)) == len(names)


@pytest.mark.slow
def test_a_fault_of_a_job(tmp_path, monkeypatch):
    killed = partial(faults_jobs.signalled, executor="threads", sent=signal.SIGKILL)
    monkeypatch.setattr(faults, "JOBS", [("killed", "threads", killed)])
    (row,) = faults.measure(tmp_path, 1, 40, 1, ["killed"]).itertuples(index=False)
    assert (row.fault, row.where, row.repeats) == ("killed", "threads", 1)
    assert row.rows_before > 0
    assert row.completed == 1
    assert row.message == "ended by SIGKILL"
    assert row.rows_lost == row.unreadable == row.stray == row.processes_left == 0


@pytest.mark.slow
@pytest.mark.parametrize("provoke", [faults_stores.gallery_killed, faults_stores.move_killed])
def test_a_fault_of_a_store(tmp_path, provoke, monkeypatch):
    monkeypatch.setattr(faults_stores, "ADDED", 100)
    outcome = faults._provoked(tmp_path, provoke, random.Random(1))
    assert outcome.completed
    assert outcome.rows_before > 0
    assert outcome.rows_lost == outcome.unreadable == outcome.stray == 0
    assert outcome.message == "ended by SIGKILL"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="needs root")
def test_full_disks():
    command = [sys.executable, "-m", faults.BY, "--repeats=1", "--files=40", "--only=disk full"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = [line.split("disk full")[1].split() for line in run.stdout.splitlines()[1:]]
    assert [row[0] for row in rows] == ["processes", "gallery", "duplicates"]
    for _, repeats, before, lost, *_ in rows:
        assert (repeats, lost) == ("1", "0") or "not possible here" in run.stdout
        assert int(before) > 0 or "not possible here" in run.stdout
