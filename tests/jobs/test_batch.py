"""Many files: every file is a row, whatever the executor."""

import subprocess
import sys

import pytest

from finhash import HashTable, find_hash, hash_files
from finhash.jobs.batch import EXECUTORS


def test_every_file_is_a_row_with_a_hash_or_a_reason(folder):
    paths = [*sorted(folder.iterdir()), folder / "missing.jpg"]
    table = hash_files(paths, progress=False)
    assert table.paths == [str(path) for path in paths]
    reasons = {path: error for path, error in zip(table.paths, table.errors, strict=True) if error}
    assert len(reasons) == 5
    assert reasons[str(folder / "empty.jpg")].startswith("EmptyImageError")
    assert reasons[str(folder / "text.jpg")].startswith("NotAnImageError")
    assert reasons[str(folder / "truncated.jpg")].startswith("DamagedImageError")
    assert reasons[str(folder / "directory.jpg")].startswith("IsADirectoryError")
    assert reasons[str(folder / "missing.jpg")].startswith("FileNotFoundError")
    good = table.without_errors()
    assert len(good) == 12
    assert good.hashes("find")[3].tobytes().hex() == str(find_hash(good.paths[3]))


@pytest.mark.parametrize("executor", EXECUTORS)
def test_executors_agree(folder, executor, monkeypatch):
    monkeypatch.setattr("finhash.jobs.batch.FIRST_TASK", 4)
    paths = sorted(folder.iterdir())
    methods = ["find", "dhash64", "pdq"]
    expected = hash_files(paths, methods, executor="serial", progress=False)
    table = hash_files(paths, methods, workers=2, executor=executor, progress=False)
    assert table.arrow.equals(expected.arrow)


def test_processes_work_in_a_script(folder, tmp_path):
    """Spawned workers import the module, not the caller's functions."""
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
    ("arguments", "error"),
    [
        ({"executor": "fibres"}, ValueError),
        ({"workers": 0}, ValueError),
        ({"methods": ["mhash"]}, KeyError),
    ],
)
def test_wrong_arguments(arguments, error):
    with pytest.raises(error):
        hash_files([], **arguments)


def test_no_files():
    table = hash_files([], progress=False)
    assert len(table) == 0
    assert table.hashes("find").shape == (0, 32)


def test_a_table_is_written_whole_and_read_back(folder, tmp_path):
    table = hash_files(sorted(folder.iterdir()), ["find", "ahash64"], progress=False)
    target = tmp_path / "new" / "hashes.parquet"
    table.with_provenance(note="a fact").write(target)
    back = HashTable.read(target)
    assert back.arrow.equals(table.arrow)
    assert back.provenance["note"] == "a fact"
    assert {"python", "pillow", "numba", "libjpeg-turbo"} <= set(back.provenance["versions"])
    assert [path.name for path in target.parent.iterdir()] == ["hashes.parquet"]


def test_hashes_of_a_table_with_errors_are_refused(folder):
    table = hash_files(sorted(folder.iterdir()), progress=False)
    with pytest.raises(ValueError, match="4 of 16 rows have no hash"):
        table.hashes("find")


def test_a_slice_of_a_table_has_its_own_hashes(folder):
    table = hash_files(sorted(folder.glob("0*.jpg")), progress=False)
    part = HashTable(table.arrow.slice(5, 4))
    assert (part.hashes("find") == table.hashes("find")[5:9]).all()
    assert part.digest("find") != table.digest("find")


def test_a_failed_write_leaves_nothing(folder, tmp_path, monkeypatch):
    table = hash_files(sorted(folder.glob("0*.jpg")), progress=False)
    target = tmp_path / "kept.parquet"
    table.write(target)
    before = target.read_bytes()

    def fail(arrow, path, **_):
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr("pyarrow.parquet.write_table", fail)
    with pytest.raises(OSError, match="disk full"):
        table.write(target)
    assert target.read_bytes() == before
    assert not list(tmp_path.glob(".*partial"))


def test_only_our_tables_are_read(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    with pytest.raises(ValueError, match="not a finhash table"):
        HashTable.read(tmp_path / "other.parquet")
