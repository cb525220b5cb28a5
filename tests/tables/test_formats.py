"""Files of format 1 stay readable, newer ones are refused, and those of other programs are read.

The files in ``data`` were written by version 0.1.0 and must never be written again: they stand for
the files that users have.
"""

import json
import shutil
from functools import partial
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finhash import HashTable, hash_files, hash_images, methods
from finhash.jobs import parts
from tests.conftest import VECTORS

DATA = Path(__file__).parent / "data"

FIND = {
    "scene_250.png": "80e6e7c31d8f23177e5bf1fd6970c45b26244b0f3e1ae796d80c2370f5918ce0",
    "portrait_200x400.png": "771e82d51fa46d8d5c1f1e5070f59b2c07092d731b8ec63dd87307d669a86271",
    "noise_100.png": "a13b815482cd2bf8a352cd876ccb70e4af38836ee99cb41820302bed1fe98dff",
}
"""Hashes in ``format1.parquet``."""

ERROR = "NotAnImageError: not in an image format that Pillow knows; convert it to JPEG or PNG"


def set_format(file: Path, number: object) -> None:
    """Write another number of the format into a file's metadata; None removes it."""
    table = pq.read_table(file)
    facts = json.loads(table.schema.metadata[b"finhash"])
    facts.pop("format", None)
    if number is not None:
        facts["format"] = number
    pq.write_table(table.replace_schema_metadata({b"finhash": json.dumps(facts)}), file)


@pytest.fixture
def format1(tmp_path) -> Path:
    """Return a copy of the folder of format 1."""
    return Path(shutil.copytree(DATA / "format1", tmp_path / "format1"))


def test_tables_of_format_1_are_read():
    table = HashTable.read(DATA / "format1.parquet")
    assert table.paths == [*FIND, "text.jpg"]
    assert table.methods == ["find", "dhash64", "thumbnail"]
    assert table.errors == ["", "", "", ERROR]
    hashed = table.without_errors()
    assert [row.tobytes().hex() for row in hashed.hashes("find")] == list(FIND.values())
    assert hashed.hashes("dhash64")[0].tobytes().hex() == "d44d8d29686e2436"
    assert hashed.hashes("thumbnail").shape == (3, 24)
    assert table.provenance["note"] == "written by version 0.1.0"
    assert table.provenance["versions"]["finhash"] == "0.1.0"


def test_folders_of_format_1_are_read():
    """One id has rows in two parts; the older part lacks a method."""
    table = HashTable.read(DATA / "format1")
    assert table.paths == ["portrait_200x400.png", "scene_250.png", "text.jpg"]
    assert table.methods == ["find", "dhash64"]
    found = table.arrow["find"].to_pylist()
    assert [value and value.hex() for value in found] == [
        FIND["portrait_200x400.png"],
        FIND["noise_100.png"],
        None,
    ]
    assert [value is None for value in table.arrow["dhash64"].to_pylist()] == [True, False, True]
    assert table.errors == ["", "", ERROR]


def test_folders_of_format_1_are_continued(format1, monkeypatch):
    made_by = HashTable.read(format1).provenance["versions"]
    monkeypatch.setattr(parts, "versions", lambda: made_by)
    portrait = VECTORS / "portrait_200x400.png"
    items = [("scene_250.png", b"never read"), (portrait.name, portrait.read_bytes())]
    table = hash_images(items, ["find", "dhash64"], out=format1, progress=False)
    assert [row.tobytes().hex() for row in table.hashes("find")] == [
        FIND["noise_100.png"],
        FIND[portrait.name],
    ]
    assert table.hashes("dhash64")[1].tobytes().hex() == "c4c8c90c86968697"
    assert sum(pq.read_metadata(part).num_rows for part in format1.glob("*.parquet")) == 3


def test_every_file_has_the_number_of_its_format(folder, tmp_path):
    paths = sorted(folder.glob("0*.jpg"))
    table = hash_files(paths, out=tmp_path / "out", progress=False)
    table.write(tmp_path / "table.parquet")
    for file in (tmp_path / "table.parquet", *(tmp_path / "out").glob("*.parquet")):
        assert json.loads(pq.read_schema(file).metadata[b"finhash"])["format"] == 1
    assert HashTable.read(tmp_path / "table.parquet").provenance == table.provenance
    assert "format" not in table.provenance


def test_files_without_a_number_are_older_and_are_read(format1):
    for part in format1.glob("*.parquet"):
        set_format(part, None)
    assert HashTable.read(format1) == HashTable.read(DATA / "format1")


@pytest.mark.parametrize("name", ["find", "pdq", "transformed"])
def test_the_committed_tables_are_read(name):
    table = HashTable.read(Path(__file__).parents[2] / "data/hashes/ordinary" / f"{name}.parquet")
    assert len(table.hashes(table.methods[0])) == len(table) > 0
    assert "pillow" in table.provenance["versions"]


@pytest.mark.parametrize("number", [2, "1", [1], 0])
def test_newer_formats_are_refused_in_one_sentence(format1, number):
    part = sorted(format1.glob("*.parquet"))[1]
    set_format(part, number)
    message = r"has format .*, but this version of finhash reads formats up to 1: install a newer"
    with pytest.raises(ValueError, match=message):
        HashTable.read(part)
    with pytest.raises(ValueError, match=message):
        HashTable.read(format1)
    with pytest.raises(ValueError, match=message):
        HashTable.scan(format1)
    with pytest.raises(ValueError, match=message):
        hash_files([], out=format1, progress=False)


# Files of other programs.


def through_pandas(source: Path, target: Path) -> None:
    frame = pd.read_parquet(source)
    frame[frame["error"] == ""].to_parquet(target)


def through_pandas_with_an_index(source: Path, target: Path) -> None:
    frame = pd.read_parquet(source).set_index("path")
    frame[frame["error"] == ""].reset_index().iloc[::-1].to_parquet(target)


def through_polars(source: Path, target: Path) -> None:
    pl.read_parquet(source).filter(pl.col("error") == "").write_parquet(target)


def through_duckdb(source: Path, target: Path) -> None:
    rows = f"SELECT * REPLACE (NULLIF(error, '') AS error) FROM '{source}' WHERE error = ''"
    duckdb.sql(f"COPY ({rows}) TO '{target}' (FORMAT parquet)")


def through_duckdb_in_digits(source: Path, target: Path) -> None:
    rows = f"SELECT path, lower(hex(find)) AS find FROM '{source}' WHERE error = ''"
    duckdb.sql(f"COPY ({rows}) TO '{target}' (FORMAT parquet)")


def through_large_arrow_types(source: Path, target: Path) -> None:
    table = pq.read_table(source).filter(pa.compute.field("error") == "")
    columns = {
        "path": table["path"].cast(pa.large_string()),
        "find": table["find"].cast(pa.binary()).cast(pa.large_binary()),
        "error": pa.nulls(len(table)),
    }
    pq.write_table(pa.table(columns), target)


def through_views_and_dictionaries(source: Path, target: Path) -> None:
    table = pq.read_table(source).filter(pa.compute.field("error") == "")
    columns = {
        "path": table["path"].cast(pa.string_view()),
        "find": table["find"].cast(pa.binary()).cast(pa.binary_view()),
        "error": table["error"].dictionary_encode(),
    }
    pq.write_table(pa.table(columns), target)


@pytest.mark.parametrize(
    "through",
    [
        through_pandas,
        through_pandas_with_an_index,
        through_polars,
        through_duckdb,
        through_duckdb_in_digits,
        through_large_arrow_types,
        through_views_and_dictionaries,
    ],
)
@pytest.mark.parametrize("of_a_part", [False, True])
def test_tables_stay_readable_after_other_programs(
    folder, tmp_path, through, of_a_part, monkeypatch
):
    for name in ("SHORTEST", "LONGEST"):  # a slow run would write several parts
        monkeypatch.setattr(parts, name, 3600)
    out = tmp_path / "out"
    table = hash_files(sorted(folder.iterdir()), out=out, progress=False)
    source = next(out.glob("*.parquet"))
    if not of_a_part:
        source = tmp_path / "table.parquet"
        table.write(source)
    through(source, tmp_path / "other.parquet")
    back = HashTable.read(tmp_path / "other.parquet")
    expected = table.without_errors().filter(back.paths)
    assert sorted(back.paths) == expected.paths
    assert not back.compare(expected).changed
    columns = back.arrow.column_names
    assert columns[:3] == ["path", "find", "error"]
    assert columns[3:] in ([], ["width", "height", "bytes", "format", "modified", "orientation"])
    for name in columns[3:]:
        assert back.arrow.schema.field(name).type == table.arrow.schema.field(name).type
        # pandas turns integers with nulls into floats, which cannot hold nanoseconds.
        kept = name != "modified" or not through.__name__.startswith("through_pandas")
        values = expected.column(name) if kept else [None] * 12
        assert dict(zip(back.paths, back.column(name), strict=True)) == dict(
            zip(expected.paths, values, strict=True)
        )
    assert back.methods == ["find"]
    assert back.errors == [""] * 12
    back.write(tmp_path / "again.parquet")
    again = HashTable.read(tmp_path / "again.parquet")
    assert again == back
    assert again.provenance == {}


def test_hashes_of_an_own_method_are_found_in_other_programs_files(folder, tmp_path, own):
    table = hash_files(sorted(folder.glob("0*.jpg")), ["find", own.name], progress=False)
    del methods.METHODS[own.name]
    frame = table.to_pandas().assign(family=3, label="deadbeefdeadbeef")
    frame.to_parquet(tmp_path / "other.parquet")
    back = HashTable.read(tmp_path / "other.parquet")
    assert back.methods == ["find", own.name]
    assert back == table
    assert back.arrow["family"].to_pylist() == [3] * 12


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"path": ["a"], "find": ["xy" * 32]}, "'find' is not in hexadecimal digits"),
        (
            {"path": ["a"], "find": ["ab" * 8]},
            "'find' has hashes of 8 bytes, but the method has 32",
        ),
        ({"path": ["a"], "find": [b"12345678"]}, "'find' has hashes of 8 bytes"),
        ({"path": ["a", None], "find": [bytes(32)] * 2}, "1 of 2 rows have no path"),
        ({"path": [1], "find": [bytes(32)]}, "must hold text, not int64"),
        ({"find": [bytes(32)]}, "needs a column 'path', but the columns are find"),
        ({"path": ["a"], "label": ["b"]}, "no column holds hashes"),
    ],
)
def test_files_that_are_no_tables_are_refused_with_the_reason(tmp_path, columns, message):
    pq.write_table(pa.table(columns), tmp_path / "other.parquet")
    with pytest.raises(ValueError, match=message) as raised:
        HashTable.read(tmp_path / "other.parquet")
    assert "other.parquet is not a finhash table" in str(raised.value)


def test_a_column_without_any_hash_has_the_width_of_its_method(tmp_path):
    columns = {"path": ["a"], "find": pa.array([None], pa.binary()), "error": ["broken"]}
    pq.write_table(pa.table(columns), tmp_path / "other.parquet")
    table = HashTable.read(tmp_path / "other.parquet")
    assert table.methods == ["find"]
    assert HashTable.concat([table, table]).errors == ["broken"] * 2


def test_csv_files_are_read_back(folder, tmp_path, own):
    names = ["find", own.name]
    table = hash_files(sorted(folder.iterdir()), names, progress=False)
    odd = 'a, "b"\nc é.jpg'
    odd_row = HashTable.from_hashes(
        [odd], {n: np.full((1, w), 171, np.uint8) for n, w in [("find", 32), (own.name, 24)]}
    )
    table = HashTable.concat([table, odd_row])
    table.write(tmp_path / "new" / "hashes.csv")
    del methods.METHODS[own.name]
    back = HashTable.read(tmp_path / "new" / "hashes.csv", names)
    assert back == table
    with pytest.raises(KeyError, match=r"methods=\['thumbnail'\]"):
        HashTable.read(tmp_path / "new" / "hashes.csv").hashes(own.name)
    assert back.paths[-1] == odd
    frame = pd.read_csv(tmp_path / "new" / "hashes.csv", keep_default_na=False)
    facts = ["width", "height", "bytes", "format", "modified", "orientation"]
    assert list(frame.columns) == ["path", "find", "thumbnail", "error", *facts]
    assert frame["find"].tolist()[-1] == "ab" * 32
    assert HashTable.from_pandas(frame, names) == table


def test_digits_are_read_from_csv_as_text(tmp_path):
    (tmp_path / "hashes.csv").write_text(
        "path,dhash64\n007,0000000000000012\n08,1e10000000000000\n"
    )
    table = HashTable.read(tmp_path / "hashes.csv")
    assert table.paths == ["007", "08"]
    assert table.hashes("dhash64").tolist() == [[0] * 7 + [0x12], [0x1E, 0x10] + [0] * 6]


def test_paths_of_several_lines_are_read_from_a_long_csv_file(tmp_path):
    """The file is read in blocks, which must not end within a path."""
    paths = [f"{k}\n" * 9 for k in range(20_000)]
    table = HashTable.from_hashes(paths, {"find": np.zeros((len(paths), 32), np.uint8)})
    table.write(tmp_path / "hashes.csv")
    assert HashTable.read(tmp_path / "hashes.csv") == table


def test_other_columns_of_csv_files_are_kept(tmp_path):
    (tmp_path / "hashes.csv").write_text(f"path,label,md5,find\na,cat,{'0f' * 16},{'ab' * 32}\n")
    table = HashTable.read(tmp_path / "hashes.csv")
    assert table.methods == ["find"]
    assert table.column("label") == ["cat"]
    assert table.column("md5") == ["0f" * 16]
    assert table.errors == [""]


def test_text_in_hexadecimal_digits_is_hashes_only_if_the_caller_says_so(tmp_path):
    columns = {"path": ["a"], "time": ["2026011512000000"], "find": ["ab" * 32], "mine": ["0f" * 8]}
    frame = pd.DataFrame(columns)
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    reads = [partial(HashTable.read, tmp_path / f"t.{kind}") for kind in ("csv", "parquet")]
    for read in [*reads, partial(HashTable.from_pandas, frame)]:
        assert read().methods == ["find"]
        assert read(["mine", "find"]).methods == ["mine", "find"]
        assert read(methods=["mine"]).hashes("mine").tolist() == [[0x0F] * 8]
        with pytest.raises(KeyError, match="no hashes 'label'; its methods are: find"):
            read(["label"])
        with pytest.raises(TypeError, match=r"pass a list of names, such as \['mine'\]"):
            read("mine")
    frame["mine"] = "no digits"
    with pytest.raises(ValueError, match="'mine' is not in hexadecimal digits"):
        HashTable.from_pandas(frame, ["mine"])


def test_chosen_methods_are_read_from_every_kind_of_table(folder, tmp_path):
    out = tmp_path / "out"
    table = hash_files(sorted(folder.iterdir()), ["find", "dhash64"], out=out, progress=False)
    for name in ("t.parquet", "t.csv"):
        table.write(tmp_path / name)
    for path in (out, tmp_path / "t.parquet", tmp_path / "t.csv"):
        assert HashTable.read(path, ["dhash64"]) == table.select(["dhash64"])


def test_csv_files_that_are_no_tables_are_refused(tmp_path):
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"other\.csv is not a finhash table: .* column 'path'"):
        HashTable.read(tmp_path / "other.csv")
    (tmp_path / "other.csv").write_text("")
    with pytest.raises(ValueError, match=r"other\.csv is not a finhash table: Empty CSV file"):
        HashTable.read(tmp_path / "other.csv")
