"""The command ``finhash export``: formats, where the output goes, and wrong usage."""

import csv
import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result

from finhash import HashTable
from finhash.commands.export import export

NAMES = ["a.jpg", "=1+1,2.jpg", "-b.jpg", "c\nd.jpg", "+é.jpg", "@e.jpg", "\tf.jpg", "broken.jpg"]
ESCAPED = ["a.jpg", "'=1+1,2.jpg", "'-b.jpg", "c\nd.jpg", "'+é.jpg", "'@e.jpg", "'\tf.jpg"]
ERROR = "NotAnImageError: not an image"


def run(*words: object) -> Result:
    return CliRunner().invoke(export, list(map(str, words)))


@pytest.fixture
def table() -> HashTable:
    values = np.arange(8 * 32, dtype=np.uint8).reshape(8, 32)
    return HashTable.from_hashes(
        NAMES, {"find": values, "dhash64": values[:, :8]}, errors=[""] * 7 + [ERROR]
    ).with_provenance(note="kept")


@pytest.fixture
def hashed(table, tmp_path) -> Path:
    table.write(tmp_path / "hashes.parquet")
    return tmp_path / "hashes.parquet"


def test_csv_has_hexadecimal_digits_and_is_the_default(table, hashed):
    done = run(hashed)
    assert done.exit_code == 0
    assert done.stderr == "8 rows exported, 1 of them without a hash\n"
    rows = list(csv.DictReader(io.StringIO(done.stdout, newline="")))
    assert [row["path"] for row in rows] == NAMES
    assert rows[1] == {
        "path": NAMES[1],
        "find": bytes(range(32, 64)).hex(),
        "dhash64": bytes(range(32, 40)).hex(),
        "error": "",
    }
    assert rows[-1] == {"path": "broken.jpg", "find": "", "dhash64": "", "error": ERROR}


def test_quiet_hides_the_number_of_rows(hashed):
    quiet = run(hashed, "--quiet")
    assert (quiet.stdout, quiet.stderr) == (run(hashed).stdout, "")


def test_json_has_one_object_per_line(hashed):
    lines = run(hashed, "--format", "json").stdout.splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["path"] for row in rows] == NAMES
    assert rows[0] == {
        "path": "a.jpg",
        "find": bytes(range(32)).hex(),
        "dhash64": bytes(range(8)).hex(),
        "error": "",
    }
    assert rows[-1] == {"path": "broken.jpg", "find": None, "dhash64": None, "error": ERROR}


@pytest.mark.parametrize("name", ["out.csv", "out.parquet", "out.PQ", "new/out.csv"])
def test_the_extension_of_the_file_chooses_the_format(table, hashed, tmp_path, name):
    done = run(hashed, "-o", tmp_path / name)
    assert (done.exit_code, done.stdout) == (0, "")
    path = tmp_path / name
    if path.suffix == ".PQ":
        path = path.rename(path.with_suffix(".parquet"))
    found = HashTable.read(path)
    assert found == table
    assert (found.provenance == table.provenance) == (path.suffix == ".parquet")


def test_json_lines_are_written_to_files_of_their_extensions(hashed, tmp_path):
    for name in ("a.json", "b.jsonl", "c.ndjson"):
        assert run(hashed, "-o", tmp_path / name).exit_code == 0
        assert len((tmp_path / name).read_text().splitlines()) == 8
    assert run(hashed, "-o", tmp_path / "d.json", "--format", "csv").exit_code == 0
    assert HashTable.read((tmp_path / "d.json").rename(tmp_path / "d.csv")).paths == NAMES


def test_a_name_without_ending_is_parquet_and_an_unknown_ending_is_refused(table, hashed, tmp_path):
    """HashTable.write and 'finhash export' choose by the same rule."""
    assert run(hashed, "-o", tmp_path / "same").exit_code == 0
    table.write(tmp_path / "other")
    for name in ("same", "other"):
        assert HashTable.read(tmp_path / name) == table
        assert (tmp_path / name).read_bytes()[:4] == b"PAR1"
    refused = run(hashed, "-o", tmp_path / "out.xlsx")
    assert refused.exit_code == 2
    said = " ".join(refused.stderr.split())
    assert "ends in '.xlsx': use a name that ends in .parquet, .csv or .json, or pass --f" in said
    with pytest.raises(ValueError, match=r"use a name that ends in \.parquet or \.csv"):
        table.write(tmp_path / "out.xlsx")
    with pytest.raises(ValueError, match=r"ends in '\.json'"):
        table.write(tmp_path / "out.json")
    assert not list(tmp_path.glob("out.*"))
    assert run(hashed, "-o", tmp_path / "out.xlsx", "--format", "csv").exit_code == 0


def test_methods_are_chosen(hashed):
    chosen = run(hashed, "--method", "dhash64", "--method", "dhash64", "-o", "-")
    assert chosen.stdout.splitlines()[0] == '"path","dhash64","error"'
    unknown = run(hashed, "--method", "pdq")
    assert (unknown.exit_code, unknown.stdout) == (2, "")
    assert "no hashes of 'pdq'; it has: find, dhash64" in " ".join(unknown.stderr.split())


def test_formulas_are_escaped_if_asked(table, hashed):
    shown = run(hashed, "--escape-formulas").stdout
    rows = list(csv.DictReader(io.StringIO(shown, newline="")))
    assert [row["path"] for row in rows[:7]] == ESCAPED
    assert rows[-1]["error"] == ERROR
    other = run(hashed, "--escape-formulas", "--format", "json")
    assert other.exit_code == 2
    assert "--escape-formulas is for CSV, and the format is json" in other.stderr


def test_further_columns_are_exported(table, tmp_path):
    more = table.arrow.append_column("width", pa.array([9] * 8, pa.int64()))
    more = more.append_column("format", pa.array(["=PNG", None, *["PNG"] * 6]))
    HashTable(more).write(tmp_path / "more.parquet")
    shown = run(tmp_path / "more.parquet", "--escape-formulas").stdout
    rows = list(csv.DictReader(io.StringIO(shown, newline="")))
    assert [row["width"] for row in rows] == ["9"] * 8
    assert [row["format"] for row in rows[:3]] == ["'=PNG", "", "PNG"]
    first, second = run(tmp_path / "more.parquet", "--format", "json").stdout.splitlines()[:2]
    assert (json.loads(first)["width"], json.loads(second)["format"]) == (9, None)


def test_columns_that_csv_cannot_hold_are_refused(table, tmp_path):
    lists = table.arrow.append_column("faces", pa.array([[b"\x01\xff"]] * 8))
    HashTable(lists).write(tmp_path / "lists.parquet")
    out = tmp_path / "out.csv"
    refused = run(tmp_path / "lists.parquet", "-o", out)
    assert refused.exit_code == 2
    assert "cannot be written as CSV" in " ".join(refused.stderr.split())
    assert not out.exists()
    assert run(tmp_path / "lists.parquet", "-o", out, "--method", "find").exit_code == 0
    line = run(tmp_path / "lists.parquet", "--format", "json").stdout.splitlines()[0]
    assert json.loads(line)["faces"] == ["01ff"]


def test_folders_of_parts_and_empty_tables_are_exported(table, tmp_path):
    empty = table.filter(lambda path: False)
    empty.write(tmp_path / "empty.parquet")
    for output_format, count in (("csv", 1), ("json", 0)):
        done = run(tmp_path / "empty.parquet", "--format", output_format)
        assert (done.exit_code, done.stderr) == (0, "0 rows exported\n")
        assert len(done.stdout.splitlines()) == count
    folder = Path(__file__).parent / "tables/data/format1"
    rows = [json.loads(line) for line in run(folder, "--format", "json").stdout.splitlines()]
    assert [row["path"] for row in rows] == HashTable.read(folder).paths
    assert set(rows[0]) == {"path", "find", "dhash64", "error"}


def test_parquet_goes_to_standard_output_but_not_to_a_terminal(table, hashed, tmp_path):
    program = "from finhash.commands.export import export; export()"
    words = [sys.executable, "-c", program, os.fspath(hashed), "--format", "parquet"]
    done = subprocess.run(words, capture_output=True, check=True)
    (tmp_path / "out.parquet").write_bytes(done.stdout)
    assert HashTable.read(tmp_path / "out.parquet") == table

    leader, terminal = os.openpty()
    with os.fdopen(leader, "rb"), os.fdopen(terminal, "wb") as shown:
        refused = subprocess.run(words, stdout=shown, stderr=subprocess.PIPE, check=False)
    assert refused.returncode == 2
    assert b"Parquet would be printed to the terminal; pass -o FILE" in refused.stderr


def test_a_reader_that_has_seen_enough_ends_the_export_quietly(tmp_path):
    rows = 20_000
    # Random bits, because Parquet would compress others to less than a pipe holds.
    hashes = np.random.default_rng(1).integers(0, 256, (rows, 32), np.uint8)
    many = HashTable.from_hashes(map(str, range(rows)), {"find": hashes})
    many.write(tmp_path / "many.parquet")
    program = "from finhash.commands.export import export; export()"
    for output_format in ("csv", "json", "parquet"):
        process = subprocess.Popen(
            [sys.executable, "-c", program, tmp_path / "many.parquet", "--format", output_format],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout and process.stderr
        process.stdout.read(4)
        process.stdout.close()
        with process.stderr as errors:
            assert errors.read() == b""
        assert process.wait(60) == 1


def test_the_output_goes_where_it_is_told(hashed, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_text()), daemon=True)
    reader.start()
    assert run(hashed, "-o", pipe).exit_code == 0
    reader.join(30)
    assert found == [run(hashed).stdout]
    assert pipe.is_fifo()
    (tmp_path / "link").symlink_to("target.csv")
    for write in (HashTable.read(hashed).write, lambda link: run(hashed, "-o", link)):
        write(tmp_path / "link")
        assert (tmp_path / "link").is_symlink()
        assert HashTable.read(tmp_path / "target.csv").paths == NAMES
        (tmp_path / "target.csv").unlink()


def test_a_folder_as_the_output_and_a_table_that_is_none_are_wrong_usage(hashed, tmp_path):
    folder = run(hashed, "-o", tmp_path)
    assert folder.exit_code == 2
    assert "is a folder: give the name of a file" in " ".join(folder.stderr.split())
    (tmp_path / "notes.txt").write_text("not a table")
    for path in (tmp_path / "notes.txt", tmp_path / "missing"):
        assert run(path).exit_code == 2
