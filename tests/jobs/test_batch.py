"""``hash_files`` gives the same table with every executor."""

import subprocess
import sys

import numpy as np
import pytest

from finhash import hash_files, methods
from finhash.jobs import dispatch


@pytest.mark.parametrize(
    "executor",
    [
        "threads",
        pytest.param("processes", marks=pytest.mark.slow),
        pytest.param("dask", marks=pytest.mark.slow),
    ],
)
def test_executors_agree_with_the_calling_thread(folder, own, executor, monkeypatch):
    monkeypatch.setattr(dispatch, "FIRST_TASK", 4)
    paths = sorted(folder.iterdir())
    names = ["find", "dhash64", "pdq", own.name]
    expected = hash_files(paths, names, executor="serial", progress=False)
    assert len(expected.without_errors()) == 12
    table = hash_files(paths, names, workers=2, executor=executor, progress=False)
    assert table.arrow.equals(expected.arrow)


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("executor", ["processes", "dask"])
def test_functions_that_cannot_be_sent_to_workers_are_refused(folder, tmp_path, executor):
    def nested(image):
        return np.zeros(8, np.uint8)

    for name, function in {"nested": nested, "lambda": lambda image: nested(image)}.items():
        methods.register(name, function, bits=64)
        with pytest.raises(ValueError, match=f"'{name}' cannot be sent .* top level of a module"):
            hash_files([], [name], executor=executor, out=tmp_path / "out", progress=False)
        assert not (tmp_path / "out").exists()
        paths = sorted(folder.glob("0*.jpg"))
        assert len(hash_files(paths, [name], progress=False).without_errors()) == 12


@pytest.mark.slow
def test_functions_that_new_processes_cannot_import_end_the_job(folder):
    code = (
        "import sys, finhash, finhash.methods, numpy as np\n"
        "def flat(image):\n"
        "    return np.zeros(8, np.uint8)\n"
        "finhash.methods.register('flat', flat, bits=64)\n"
        "finhash.hash_files(sys.argv[1:], ['flat'], executor='processes', progress=False)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, folder / "0000_00000.jpg"], capture_output=True, text=True
    )
    assert run.returncode == 1
    assert "RuntimeError: a worker process cannot load a function" in run.stderr
    assert "attribute 'flat'" in run.stderr


@pytest.mark.slow
def test_processes_work_in_a_script(folder, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, finhash\n"
        "if __name__ == '__main__':\n"
        "    table = finhash.hash_files(sys.argv[1:], workers=2, executor='processes')\n"
        "    print(len(table.without_errors()))\n"
    )
    paths = [str(path) for path in sorted(folder.glob("0*.jpg"))]
    run = subprocess.run(
        [sys.executable, script, *paths], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "12"


@pytest.mark.slow
@pytest.mark.parametrize("first_lines", ["", "import os\nif __name__ != '__main__': os._exit(3)\n"])
def test_workers_that_cannot_start_end_the_job(folder, tmp_path, first_lines):
    """Without the guard, a worker process runs the job of the script, which Python refuses."""
    script = tmp_path / "script.py"
    script.write_text(
        f"{first_lines}import sys, finhash\n"
        "finhash.hash_files(sys.argv[1:], workers=2, executor='processes', progress=False)\n"
    )
    paths = [str(path) for path in sorted(folder.glob("0*.jpg"))]
    run = subprocess.run([sys.executable, script, *paths], capture_output=True, text=True)
    assert run.returncode == 1
    # A worker that ends can print its own error after that of the script.
    error = "RuntimeError: worker processes end while they start;"
    (last,) = [line for line in run.stderr.splitlines() if line.startswith(error)]
    assert 'if __name__ == "__main__"' in last


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"executor": "fibres"}, ValueError, "unknown executor 'fibres'"),
        ({"workers": 0}, ValueError, "at least 1, not 0"),
        ({"scheduler": "tcp://127.0.0.1:1"}, ValueError, "not 'threads'"),
        ({"methods": ["mhash"]}, KeyError, "mhash"),
    ],
)
def test_wrong_arguments_are_refused_before_the_folder_is_made(tmp_path, arguments, error, words):
    with pytest.raises(error, match=words):
        hash_files([], out=tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


def test_no_files_give_an_empty_table():
    table = hash_files([], progress=False)
    assert len(table) == 0
    assert table.hashes("find").shape == (0, 32)


def test_a_generator_of_paths_gives_its_rows_in_order(folder):
    paths = sorted(folder.iterdir(), reverse=True)
    table = hash_files(iter(paths), progress=False)
    assert table.arrow.equals(hash_files(paths, progress=False).arrow)


def test_with_out_no_row_is_read_before_the_table_is_used(folder, tmp_path, monkeypatch):
    def refuse(*_):
        raise AssertionError("the rows were read")

    monkeypatch.setattr("finhash.tables.hash_table.read_parts", refuse)
    table = hash_files(sorted(folder.iterdir()), out=tmp_path / "out", progress=False)
    with pytest.raises(AssertionError, match="the rows were read"):
        len(table)
