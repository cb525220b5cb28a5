"""Nothing is lost: killed runs, killed workers, Ctrl-C, two runs at once, odd files."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from finhash import HashTable, hash_files
from finhash.jobs.table import part_files
from finhash.study.cost import parallel
from tests.conftest import jpeg_bytes

SCRIPT = """
import signal, sys, finhash, finhash.jobs.batch, finhash.jobs.parts
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored, if tests run in the background
finhash.jobs.parts.SHORTEST, finhash.jobs.batch.TASK_SECONDS = 0, 0.05
if __name__ == "__main__":
    folder, out, executor = sys.argv[1:]
    finhash.hash_files(sorted(Path(folder).iterdir()), workers=2, executor=executor, out=out)
"""
"""Writes a part after every task, so that a test need not wait for one."""


@pytest.fixture(scope="module")
def slow(tmp_path_factory) -> list[Path]:
    """Two hundred names of one picture that takes milliseconds to hash."""
    folder = tmp_path_factory.mktemp("slow")
    first = folder / "0000.jpg"
    first.write_bytes(jpeg_bytes(900, 900))
    for k in range(1, 200):
        (folder / f"{k:04d}.jpg").hardlink_to(first)
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def expected(slow) -> HashTable:
    return hash_files(slow, executor="serial", progress=False)


def start(slow, out, executor) -> subprocess.Popen:
    """A run in a process group of its own, once it has written its first part."""
    run = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, slow[0].parent, out, executor],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not part_files(out) and time.monotonic() < deadline:
        assert run.poll() is None, "ended before it could be disturbed"
        time.sleep(0.01)
    return run


def rows(out) -> int:
    return sum(pq.read_metadata(part).num_rows for part in part_files(out))


@pytest.mark.parametrize(("first", "second"), [("threads", "processes"), ("processes", "serial")])
def test_a_killed_run_goes_on_where_it_was(slow, expected, tmp_path, first, second):
    run = start(slow, tmp_path, first)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    (tmp_path / ".part-000099.parquet.1.partial").write_bytes(b"half a part")
    done = rows(tmp_path)
    assert 0 < done < len(slow)
    table = hash_files(slow, workers=2, executor=second, out=tmp_path, progress=False)
    assert table.arrow.equals(expected.arrow)
    assert rows(tmp_path) == len(slow), "some file was hashed twice"
    assert not list(tmp_path.glob(".*.partial"))
    assert HashTable.read(tmp_path).arrow.equals(expected.arrow)


@pytest.mark.parametrize("executor", ["threads", "processes", "dask"])
def test_ctrl_c_stops_soon_and_keeps_what_is_done(slow, expected, tmp_path, executor):
    run = start(slow, tmp_path, executor)
    before = rows(tmp_path)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does, and Jupyter: to the whole group
    assert run.wait(timeout=10) != 0
    assert before <= rows(tmp_path) < len(slow)
    table = hash_files(slow, out=tmp_path, progress=False)
    assert table.arrow.equals(expected.arrow)


def test_two_runs_cannot_share_a_folder(slow, tmp_path):
    run = start(slow, tmp_path, "threads")
    try:
        with pytest.raises(RuntimeError, match="in use by another run"):
            hash_files(slow[:1], out=tmp_path)
    finally:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()


@pytest.mark.parametrize("executor", ["processes", "dask"])
def test_a_killed_worker_costs_no_row(slow, expected, tmp_path, executor):
    run = start(slow, tmp_path, executor)
    kill_a_worker(run.pid)
    assert run.wait(timeout=120) == 0
    assert HashTable.read(tmp_path).arrow.equals(expected.arrow)


def kill_a_worker(pid: int) -> None:
    spawned = [
        child
        for child in psutil.Process(pid).children(recursive=True)
        if "spawn_main" in " ".join(child.cmdline())
    ]
    spawned[-1].kill()


def test_a_file_that_kills_its_worker_is_a_row_with_that_reason(folder, tmp_path, monkeypatch):
    """Workers are fresh interpreters: this makes them die of opening one certain file."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "sitecustomize.py").write_text(
        "import builtins, os, signal\n"
        "opened = builtins.open\n"
        "def open(path, *rest, **more):\n"
        "    if str(path).endswith('0001_00004.jpg'):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return opened(path, *rest, **more)\n"
        "builtins.open = open\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(code))
    paths = sorted(folder.glob("0*.jpg"))
    table = hash_files(paths, workers=2, executor="processes", progress=False)
    assert table.paths == [str(path) for path in paths]
    reasons = [error for error in table.errors if error]
    assert reasons == ["WorkerDiedError: two workers died hashing this file"]
    assert table.errors[4] == reasons[0]


def test_a_cluster_loses_a_worker_and_no_row(slow, expected, tmp_path):
    with parallel.loopback_cluster(3) as cluster:
        killer = parallel.kill_when_under_way(cluster.workers[0], tmp_path)
        table = hash_files(
            slow, executor="dask", scheduler=cluster.address, out=tmp_path, progress=False
        )
        killer.join()
        assert cluster.workers[0].wait(10) == -signal.SIGKILL
    assert table.arrow.equals(expected.arrow)


def test_only_what_is_missing_or_changed_is_hashed(folder, tmp_path):
    out = tmp_path / "out"
    paths = sorted(folder.glob("0*.jpg"))
    hash_files(paths[:5], out=out, progress=False)
    hash_files(paths, out=out, progress=False)
    hash_files(paths, out=out, progress=False)
    assert [pq.read_metadata(part).num_rows for part in part_files(out)] == [5, 7]
    paths[3].write_bytes(jpeg_bytes(seed=99))
    paths[7].unlink()
    table = hash_files(paths, out=out, progress=False)
    assert table.arrow.equals(hash_files(paths, progress=False).arrow)
    assert table.errors[7].startswith("FileNotFoundError")
    assert rows(out) == 12 + 2
    paths[7].write_bytes(jpeg_bytes(seed=98))  # what was not there is looked for again
    table = hash_files(paths, out=out, progress=False)
    assert table.arrow.equals(hash_files(paths, progress=False).arrow)
    assert rows(out) == 12 + 3


def test_a_file_put_back_as_it_was_is_hashed_again(folder, tmp_path):
    """Its state has been seen before, but the newest row is of another."""
    path, out = folder / "0000_00000.jpg", tmp_path / "out"
    first, times = path.read_bytes(), path.stat().st_mtime_ns
    hash_files([path], out=out, progress=False)
    path.write_bytes(jpeg_bytes(seed=50))
    hash_files([path], out=out, progress=False)
    path.write_bytes(first)
    os.utime(path, ns=(times, times))
    table = hash_files([path], out=out, progress=False)
    assert table.arrow.equals(hash_files([path], progress=False).arrow)


def test_rows_are_those_asked_for_in_that_order(folder, tmp_path):
    paths = sorted(folder.glob("0*.jpg"))
    hash_files(paths, out=tmp_path / "out", progress=False)
    asked = [paths[5], paths[2], paths[5]]
    table = hash_files(asked, out=tmp_path / "out", progress=False)
    assert table.paths == [str(path) for path in asked]
    table = hash_files(iter(asked), out=tmp_path / "out", progress=False)
    assert table.paths == [str(path) for path in paths]


def test_other_methods_or_versions_are_refused(folder, tmp_path, monkeypatch):
    paths = sorted(folder.glob("0*.jpg"))[:2]
    hash_files(paths, out=tmp_path / "out", progress=False)
    with pytest.raises(ValueError, match="columns"):
        hash_files(paths, ["dhash64"], out=tmp_path / "out", progress=False)
    monkeypatch.setattr("finhash.jobs.parts.versions", lambda: {"pillow": "1.0"})
    with pytest.raises(ValueError, match=r"pillow .* instead of 1\.0"):
        hash_files(paths, out=tmp_path / "out", progress=False)


def test_nothing_to_do_leaves_a_table_that_can_be_read(tmp_path):
    assert len(hash_files([], out=tmp_path, progress=False)) == 0
    assert len(HashTable.read(tmp_path)) == 0


@pytest.mark.parametrize("executor", ["threads", "processes", "dask"])
def test_odd_files_are_rows(folder, tmp_path, executor):
    os.mkfifo(folder / "fifo.jpg")
    latin = os.fsdecode(os.fsencode(folder) + b"/caf\xe9.jpg")
    Path(latin).write_bytes(jpeg_bytes(seed=3))
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    paths = [
        folder / "fifo.jpg",
        latin,
        folder / "loop.jpg",
        "nul\0.jpg",
        folder / "0000_00001.jpg",
    ]
    table = hash_files(paths, executor=executor, out=tmp_path / "out", progress=False)
    kinds = [error.split(":")[0] for error in table.errors]
    assert kinds == ["NotAnImageError", "", "OSError", "ValueError", ""]
    assert table.paths[1].endswith("caf\\xe9.jpg")
    again = hash_files(paths, out=tmp_path / "out", progress=False)
    assert again.arrow.equals(table.arrow)


@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_a_row(folder):
    path = folder / "0000_00000.jpg"
    path.chmod(0)
    assert hash_files([path], progress=False).errors == ["PermissionError: Permission denied"]
