"""An output folder has one row per file and few parts, for any reader of Parquet files."""

import subprocess
import sys
from collections import Counter
from itertools import count

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from finhash import HashTable, hash_files, hash_images, methods
from finhash.jobs import compaction, parts
from finhash.jobs.rows import hash_batch
from finhash.tables import folder as folder_of_parts
from finhash.tables.folder import part_files
from finhash.tables.provenance import versions
from tests.conftest import jpeg_bytes, noise
from tests.jobs.conftest import Killed, kill_at

READERS = {
    "duckdb": lambda out: duckdb.sql(f"SELECT * FROM '{out}/*.parquet'").df(),
    "polars": lambda out: pl.read_parquet(f"{out}/*.parquet").to_pandas(),
    "polars, folder": lambda out: pl.read_parquet(out).to_pandas(),
    "pandas": pd.read_parquet,
    "pyarrow": lambda out: ds.dataset(out).to_table().to_pandas(),
}


def quiet(paths, names=("find",), **options) -> HashTable:
    return hash_files(paths, names, progress=False, **options)


def rows_per_part(out) -> list[int]:
    return [pq.read_metadata(part).num_rows for part in part_files(out)]


@pytest.fixture(params=READERS)
def read(request):
    """Return a function that reads a folder with another library."""
    return READERS[request.param]


def agrees(frame: pd.DataFrame, table: HashTable) -> bool:
    """Return whether a data frame, in any order, has the rows of a hash table and no others."""
    frame = frame.sort_values("path")
    hashes = [
        bytes(value) if known else None
        for value, known in zip(frame["find"], frame["find"].notna(), strict=True)
    ]
    return list(frame["path"]) == table.paths and hashes == table.arrow["find"].to_pylist()


def test_any_reader_sees_one_row_per_file(folder, tmp_path, read):
    paths = sorted(folder.glob("*.jpg"))
    out = tmp_path / "out"
    quiet(paths, out=out)
    paths[3].write_bytes(jpeg_bytes(seed=99))
    (folder / "new.jpg").write_bytes(jpeg_bytes(seed=98))
    table = quiet(sorted(folder.glob("*.jpg")), out=out)
    assert agrees(read(out), table)
    assert len(read(out)) == 17


def test_any_reader_sees_an_added_method(folder, tmp_path, read):
    paths = sorted(folder.glob("0*.jpg"))
    quiet(paths, out=tmp_path / "out")
    paths[0].write_bytes(jpeg_bytes(seed=99))
    table = quiet(paths[:5], ["dhash64"], out=tmp_path / "out")
    frame = read(tmp_path / "out").set_index("path")
    facts = {"width", "height", "bytes", "format", "modified", "orientation"}
    assert {"find", "dhash64", "error", *facts, "key"} == set(frame.columns)
    hashes = [bytes(value) for value in frame.loc[table.paths, "dhash64"]]
    assert hashes == table.arrow["dhash64"].to_pylist()
    assert frame["dhash64"].isna().sum() == 7


def test_an_interrupted_run_is_compacted_too(folder, tmp_path, read):
    paths = sorted(folder.glob("0*.jpg"))
    quiet(paths, out=tmp_path / "out")
    paths[3].write_bytes(jpeg_bytes(seed=99))

    rows, _ = hash_batch([(str(paths[3]), str(paths[3]), None)], [methods.get("find")], versions())
    with pytest.raises(KeyboardInterrupt), parts.Parts(tmp_path / "out", ["find"]) as opened:
        opened.add(0, rows)
        raise KeyboardInterrupt
    assert agrees(read(tmp_path / "out"), quiet(paths))


def test_seventy_additions_leave_few_parts(tmp_path):
    array = noise(64, 64)
    for k in range(70):
        hash_images([(f"{k:02d}", array)], out=tmp_path, progress=False)
    assert len(part_files(tmp_path)) <= 7
    assert HashTable.read(tmp_path).paths == [f"{k:02d}" for k in range(70)]


def test_a_file_that_is_given_twice_has_one_row(folder, tmp_path):
    path = folder / "0000_00000.jpg"
    table = quiet([path, path], out=tmp_path / "out")
    assert table.paths == [str(path)] * 2
    assert rows_per_part(tmp_path / "out") == [1]


def test_a_run_without_changes_leaves_the_parts_as_they_are(folder, tmp_path):
    paths = sorted(folder.glob("0*.jpg"))
    quiet(paths, out=tmp_path / "out")
    before = [(part, part.stat().st_mtime_ns) for part in part_files(tmp_path / "out")]
    quiet(paths, out=tmp_path / "out")
    assert [(part, part.stat().st_mtime_ns) for part in part_files(tmp_path / "out")] == before


def test_replacing_one_file_rewrites_only_its_part(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(compaction, "PART_ROWS", 4)
    monkeypatch.setattr(parts, "PART_ROWS", 4)
    paths = sorted(folder.glob("0*.jpg"))
    for start in range(0, 12, 4):
        quiet(paths[start : start + 4], out=tmp_path / "out")
    assert rows_per_part(tmp_path / "out") == [4, 4, 4]
    states = {part: part.stat().st_mtime_ns for part in part_files(tmp_path / "out")}
    paths[5].write_bytes(jpeg_bytes(seed=99))
    assert quiet(paths, out=tmp_path / "out") == quiet(paths)
    same = [part for part in states if part.exists() and part.stat().st_mtime_ns == states[part]]
    assert same == list(states)[::2]


@pytest.mark.parametrize("seed", range(5))
def test_the_number_of_parts_and_of_rewritten_rows_is_bounded(seed, monkeypatch):
    limit, rng = 1024, np.random.default_rng(seed)
    monkeypatch.setattr(compaction, "PART_ROWS", limit)
    sizes: list[int] = []
    added = written = 0
    for _ in range(2000):
        new = int(rng.integers(1, 2 ** rng.integers(1, 11)))
        sizes.append(new)
        added += new
        written += new
        groups = compaction.merged(sizes)
        assert sorted(part for group in groups for part in group) == list(range(len(sizes)))
        written += sum(sizes[part] for group in groups if len(group) > 1 for part in group)
        sizes = [sum(sizes[part] for part in group) for group in groups]
        assert max(sizes) <= limit
        assert len(sizes) <= 10 + 3 * added / limit
    assert written <= 17 * added


def test_no_row_is_lost_if_a_compaction_is_killed_at_any_step(folder, tmp_path, monkeypatch):
    paths = sorted(folder.glob("0*.jpg"))
    for step in count():
        out = tmp_path / f"out{step}"
        for start in range(0, 12, 3):
            quiet(paths[start : start + 3], out=out)
        for path in paths[1::5]:
            path.write_bytes(jpeg_bytes(seed=100 + step))
        expected = quiet(paths)
        with monkeypatch.context() as patch:
            kill_at(step, patch)
            patch.setattr(compaction, "PART_ROWS", 5)
            try:
                quiet(paths, out=out)
            except Killed:
                finished = False
            else:
                finished = True
        assert HashTable.read(out) == expected
        quiet([], out=out)
        assert sum(rows_per_part(out)) == 12
        assert HashTable.read(out) == expected
        if finished:
            break
    assert step > 2


def test_reading_starts_again_if_a_part_vanishes(folder, tmp_path, monkeypatch):
    paths = sorted(folder.glob("0*.jpg"))
    out = tmp_path / "out"
    quiet(paths[:6], out=out)
    read_columns, merge = folder_of_parts.read_columns, [True]

    def slow(file, fields):
        if merge.pop() if merge else False:
            quiet(paths, out=out)
            assert not file.exists()
        return read_columns(file, fields)

    monkeypatch.setattr(folder_of_parts, "read_columns", slow)
    assert HashTable.read(out) == quiet(paths)


def test_reading_starts_again_if_a_row_moves_to_a_new_part(folder, tmp_path, monkeypatch):
    """The reader has listed the old part only, which then loses the row of the changed file."""
    monkeypatch.setattr(compaction, "PART_ROWS", 1)
    paths = sorted(folder.glob("0*.jpg"))
    out = tmp_path / "out"
    quiet(paths, out=out)
    read_columns, change = folder_of_parts.read_columns, [True]

    def slow(file, fields):
        if change.pop() if change else False:
            paths[2].write_bytes(jpeg_bytes(seed=99))
            quiet(paths, out=out)
        return read_columns(file, fields)

    monkeypatch.setattr(folder_of_parts, "read_columns", slow)
    assert HashTable.read(out) == quiet(paths)
    assert rows_per_part(out) == [11, 1]


def test_reading_gives_up_if_the_parts_never_stay(folder, tmp_path, monkeypatch):
    quiet(sorted(folder.glob("0*.jpg")), out=tmp_path / "out")
    monkeypatch.setattr(folder_of_parts, "UNSETTLED", 0.2)
    states = count()
    monkeypatch.setattr(folder_of_parts, "_states", lambda folder: {folder: (next(states), 0, 0)})
    with pytest.raises(OSError, match=r"changed for 0\.2 s while it was read"):
        HashTable.read(tmp_path / "out")


WRITER = """
import sys
import numpy as np
from finhash import hash_images
for k in range(60):
    image = np.full((64, 64, 3), k, np.uint8)
    hash_images([("first", image), (f"{k:02d}", image)], ["ahash64"], out=sys.argv[1],
                rehash=True, progress=False)
"""


@pytest.mark.slow
def test_another_process_reads_while_one_adds_and_compacts(tmp_path):
    hash_images([("first", noise(64, 64))], ["ahash64"], out=tmp_path, progress=False)
    with subprocess.Popen([sys.executable, "-c", WRITER, tmp_path]) as writer:
        seen = []
        while writer.poll() is None:
            paths = HashTable.read(tmp_path).paths
            assert max(Counter(paths).values()) == 1
            assert paths[-1] == "first"
            seen.append(len(paths))
        assert writer.returncode == 0
    assert seen == sorted(seen)
    assert len(HashTable.read(tmp_path)) == 61


def test_parts_are_ordered_by_number(tmp_path):
    names = ["part-000002.parquet", "part-999999.parquet", "part-1000000.parquet"]
    for name in [*names[::-1], "part-x.parquet", ".part-000003.parquet.1.partial"]:
        (tmp_path / name).touch()
    assert [part.name for part in part_files(tmp_path)] == names
