"""No row is lost by killed runs, killed workers, Ctrl-C or two runs in one folder."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread

import psutil
import pyarrow.parquet as pq
import pytest

from finhash import HashTable, hash_files
from finhash.jobs import dispatch, parts
from finhash.study.cost.parallel import loopback_cluster
from finhash.tables.folder import part_files
from tests.conftest import jpeg_bytes

pytestmark = pytest.mark.slow

LIMIT = 300
"""Seconds after which a test gives up waiting for an event."""

SITECUSTOMIZE = """
import os, sys, time
def hold(event, arguments):
    if event == "open" and str(arguments[0]).endswith(".held.jpg"):
        while not os.path.exists(os.environ["GO"]):
            time.sleep(0.01)
sys.addaudithook(hold)
"""
"""Makes a new interpreter wait for the file ``GO`` before it opens a held image.

A job with held images cannot end before the test has disturbed it, however busy the machine is.
"""

SCRIPT = """
import os, signal, sys, finhash
from finhash.jobs import dispatch, parts
from pathlib import Path

def interrupt(number, frame):
    Path(os.environ["GO"]).touch()
    raise KeyboardInterrupt

parts.SHORTEST, dispatch.LARGEST_TASK = 0, 2
if __name__ == "__main__":
    signal.signal(signal.SIGINT, interrupt)
    folder, out, executor = sys.argv[1:]
    finhash.hash_files(sorted(Path(folder).iterdir()), workers=2, executor=executor, out=out)
"""
"""Writes a part after every task. Ctrl-C also lets workers finish the held images in flight."""


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> list[Path]:
    """Return sixty names of one image; the last forty are held."""
    folder = tmp_path_factory.mktemp("images")
    first = folder / "00.jpg"
    first.write_bytes(jpeg_bytes())
    for k in range(1, 60):
        (folder / f"{k:02d}{'.held' if k >= 20 else ''}.jpg").hardlink_to(first)
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def expected(images) -> HashTable:
    return hash_files(images, executor="serial", progress=False)


@pytest.fixture
def go(tmp_path, monkeypatch) -> Path:
    """Hold the held images in all new processes until the returned file exists."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "sitecustomize.py").write_text(SITECUSTOMIZE)
    monkeypatch.setenv("PYTHONPATH", str(code))
    monkeypatch.setenv("GO", str(tmp_path / "go"))
    return tmp_path / "go"


@pytest.fixture
def start(images, go, tmp_path):
    """Return a function that starts a job and waits until its first part is written."""
    runs = []

    def start(executor: str) -> subprocess.Popen:
        run = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, images[0].parent, tmp_path / "out", executor],
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        runs.append(run)
        wait_until(lambda: part_files(tmp_path / "out") or run.poll() is not None)
        assert run.poll() is None, "the job ended before it could be disturbed"
        return run

    yield start
    for run in runs:
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
        run.wait()


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, f"nothing happened for {LIMIT} s"
        time.sleep(0.01)


def count_rows(out: Path) -> int:
    return sum(pq.read_metadata(part).num_rows for part in part_files(out))


@pytest.mark.parametrize(("first", "second"), [("threads", "processes"), ("processes", "serial")])
def test_a_killed_run_resumes(images, expected, start, go, tmp_path, first, second, monkeypatch):
    out = tmp_path / "out"
    hashed = []
    add = parts.Parts.add

    def count(self, position, rows):
        hashed.extend(rows["path"].to_pylist())
        add(self, position, rows)

    monkeypatch.setattr(parts.Parts, "add", count)
    run = start(first)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    (out / ".part-000099.parquet.1.partial").write_bytes(b"half a part")
    done = count_rows(out)
    assert 0 < done < len(images)
    go.touch()
    table = hash_files(images, workers=2, executor=second, out=out, progress=False)
    assert table.arrow.equals(expected.arrow)
    assert len(hashed) == len(images) - done, "a file was hashed twice"
    assert count_rows(out) == len(images)
    assert not list(out.glob(".*.partial"))
    assert HashTable.read(out).arrow.equals(expected.arrow)


@pytest.mark.parametrize("executor", ["threads", "processes", "dask"])
def test_ctrl_c_stops_the_job_and_keeps_finished_rows(images, expected, start, tmp_path, executor):
    out = tmp_path / "out"
    run = start(executor)
    before = count_rows(out)
    os.killpg(run.pid, signal.SIGINT)  # as terminals and Jupyter do: to the whole group
    assert run.wait(timeout=LIMIT) != 0
    assert before <= count_rows(out) < len(images)
    table = hash_files(images, out=out, progress=False)
    assert table.arrow.equals(expected.arrow)


def test_two_runs_cannot_share_a_folder(images, start, tmp_path):
    start("threads")
    with pytest.raises(RuntimeError, match="in use by another run"):
        hash_files(images[:1], out=tmp_path / "out", progress=False)


@pytest.mark.parametrize("executor", ["processes", "dask"])
def test_a_killed_worker_costs_no_row(expected, start, go, tmp_path, executor):
    run = start(executor)
    workers = [
        child
        for child in psutil.Process(run.pid).children(recursive=True)
        if "spawn_main" in " ".join(child.cmdline())
    ]
    workers[-1].kill()
    go.touch()
    assert run.wait(timeout=LIMIT) == 0
    assert HashTable.read(tmp_path / "out").arrow.equals(expected.arrow)


def test_workers_end_with_a_killed_program(start):
    """They are waiting for held images, and would then wait for tasks."""
    run = start("processes")
    workers = psutil.Process(run.pid).children(recursive=True)
    assert len(workers) >= 2
    run.kill()
    run.wait()
    wait_until(lambda: not any(map(is_running, workers)))


def is_running(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def test_a_cluster_loses_a_worker_and_no_row(images, expected, go, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "SHORTEST", 0)
    monkeypatch.setattr(dispatch, "LARGEST_TASK", 2)
    out = tmp_path / "out"
    with loopback_cluster(3) as cluster:
        victim = cluster.workers[0]

        def kill() -> None:
            try:
                wait_until(lambda: part_files(out))
                victim.kill()
                victim.wait()
            finally:
                go.touch()

        killer = Thread(target=kill)
        killer.start()
        table = hash_files(
            images, executor="dask", scheduler=cluster.address, out=out, progress=False
        )
        killer.join()
        assert victim.returncode == -signal.SIGKILL
    assert table.arrow.equals(expected.arrow)


def test_a_file_that_kills_its_workers_is_a_row_with_that_reason(folder, tmp_path, monkeypatch):
    """Each new interpreter kills itself when it opens one certain file."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "sitecustomize.py").write_text(
        "import os, signal, sys\n"
        "def end(event, arguments):\n"
        "    if event == 'open' and str(arguments[0]).endswith('0001_00004.jpg'):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "sys.addaudithook(end)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(code))
    paths = sorted(folder.glob("0*.jpg"))
    table = hash_files(paths, workers=2, executor="processes", progress=False)
    assert table.paths == [str(path) for path in paths]
    reasons = {k: error for k, error in enumerate(table.errors) if error}
    assert reasons == {4: "WorkerDiedError: two workers died hashing this image"}
