"""Workers that cannot start give one clear error, within seconds; other scripts simply work."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from finhash import hash_files
from finhash.jobs import executors
from tests.conftest import jpeg_bytes

LIMIT = 300
"""Seconds after which a test gives up. Workers of a busy machine start slowly."""

JOB = "print(len(finhash.hash_files('images', workers=3, executor={!r}, progress=False)))"

WITHOUT_GUARD = f"import sys, finhash\n{JOB}\n"

WITH_GUARD = f"import sys, finhash\nif __name__ == '__main__':\n    {JOB}\n"

WITH_ERROR = f"{WITH_GUARD}else:\n    import no_such_module\n"
"""Only workers meet the error."""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    """Return the current directory, which holds a folder of five images."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "images"
    folder.mkdir()
    for k in range(5):
        (folder / f"{k}.jpg").write_bytes(jpeg_bytes(seed=k))
    return tmp_path


def run(*arguments: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
        **options,
    )


def check_message(done: subprocess.CompletedProcess) -> None:
    """Check that there are at most three tracebacks, of which one says what to do."""
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("Traceback (most recent call last)") <= 3
    error = "RuntimeError: worker processes end while they start;"
    (line,) = [line for line in done.stderr.splitlines() if line.startswith(error)]
    assert "__main__" in line
    assert "a script that is a file" in line


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["processes", "dask"])
def test_a_script_without_guard_is_told_so_once(here, executor):
    (here / "script.py").write_text(WITHOUT_GUARD.format(executor))
    done = run("script.py")
    check_message(done)
    assert done.stderr.count("Traceback (most recent call last)") == 1


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["processes", "dask"])
def test_workers_that_cannot_import_the_script_say_why(here, executor):
    (here / "script.py").write_text(WITH_ERROR.format(executor))
    done = run("script.py")
    check_message(done)
    assert "No module named 'no_such_module'" in done.stderr


@pytest.mark.slow
def test_a_script_on_standard_input_is_told_to_be_a_file():
    check_message(run("-", input=WITH_GUARD.format("processes")))


@pytest.mark.slow
def test_code_on_the_command_line_needs_no_guard():
    done = run("-c", WITHOUT_GUARD.format("processes"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "5\n", "")


@pytest.mark.slow
def test_notebooks_need_no_guard(here):
    cell = nbformat.v4.new_code_cell(WITHOUT_GUARD.format("processes"))
    notebook = nbformat.v4.new_notebook(cells=[cell])
    client = NotebookClient(notebook, timeout=LIMIT, resources={"metadata": {"path": str(here)}})
    client.execute()
    assert [output.get("text") for output in cell.outputs] == ["5\n"]


@pytest.mark.slow
def test_a_cluster_without_workers_is_named(monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(executors, "PATIENCE", 0.2)
    with (
        distributed.LocalCluster(
            n_workers=0, processes=False, dashboard_address=None, protocol="tcp"
        ) as cluster,
        pytest.raises(RuntimeError, match=re.escape(cluster.scheduler_address)) as raised,
    ):
        hash_files("images", executor="dask", scheduler=cluster.scheduler_address, progress=False)
    assert "has had no workers for 0.2 s" in str(raised.value)


@pytest.mark.slow
def test_a_cluster_whose_workers_lack_the_library_is_named(here, monkeypatch):
    """Each new interpreter hides finhash."""
    distributed = pytest.importorskip("distributed")
    (here / "sitecustomize.py").write_text("import sys\nsys.modules['finhash'] = None\n")
    monkeypatch.setenv("PYTHONPATH", str(here))
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address=None, protocol="tcp"
        ) as cluster,
        pytest.raises(RuntimeError, match="cannot load finhash"),
    ):
        hash_files("images", executor="dask", scheduler=cluster.scheduler_address, progress=False)
