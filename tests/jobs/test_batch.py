"""``hash_files`` gives the same table with every executor."""

import subprocess
import sys

import pytest

from finhash import hash_files
from finhash.jobs import dispatch


@pytest.mark.parametrize(
    "executor",
    [
        "threads",
        pytest.param("processes", marks=pytest.mark.slow),
        pytest.param("dask", marks=pytest.mark.slow),
    ],
)
def test_executors_agree_with_the_calling_thread(folder, executor, monkeypatch):
    monkeypatch.setattr(dispatch, "FIRST_TASK", 4)
    paths = sorted(folder.iterdir())
    methods = ["find", "dhash64", "pdq"]
    expected = hash_files(paths, methods, executor="serial", progress=False)
    table = hash_files(paths, methods, workers=2, executor=executor, progress=False)
    assert table.arrow.equals(expected.arrow)


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

    monkeypatch.setattr("finhash.jobs.parquet.read_parts", refuse)
    table = hash_files(sorted(folder.iterdir()), out=tmp_path / "out", progress=False)
    with pytest.raises(AssertionError, match="the rows were read"):
        len(table)
