"""Hash tables: columns, selections, comparisons, files."""

import importlib
import pickle
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finhash import HashTable, hash_files, methods


def test_a_table_is_read_back_as_it_was_written(folder, tmp_path):
    table = hash_files(sorted(folder.iterdir()), ["find", "ahash64"], progress=False)
    target = tmp_path / "new" / "hashes.parquet"
    table.with_provenance(note="a fact").write(target)
    back = HashTable.read(target)
    assert back.arrow.equals(table.arrow)
    assert back.methods == ["find", "ahash64"]
    assert back.provenance["note"] == "a fact"
    assert {"python", "pillow", "numba", "libjpeg-turbo"} <= set(back.provenance["versions"])
    assert [path.name for path in target.parent.iterdir()] == ["hashes.parquet"]


def test_columns_of_methods_that_are_not_registered_are_methods(folder, own, monkeypatch):
    out = folder / "out"
    paths = sorted(folder.glob("0*.jpg"))
    table = hash_files(paths, ["find", own.name], out=out, progress=False)
    monkeypatch.delitem(methods.METHODS, own.name)
    back = HashTable.read(out)
    assert back.methods == ["find", own.name]
    np.testing.assert_array_equal(back.hashes(own.name), table.hashes(own.name))
    assert back.select([own.name]).methods == [own.name]
    assert HashTable.read(next(out.glob("part-*.parquet"))).methods == ["find", own.name]


def test_a_failed_write_keeps_the_old_file(folder, tmp_path, monkeypatch):
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


def test_hashes_are_refused_while_rows_have_errors(folder):
    table = hash_files(sorted(folder.iterdir()), progress=False)
    with pytest.raises(ValueError, match="4 of 16 rows have no hash"):
        table.hashes("find")


def test_selected_methods_keep_all_rows(folder):
    table = hash_files(sorted(folder.iterdir()), ["find", "dhash64"], progress=False)
    facts = ["width", "height", "bytes", "format", "modified", "orientation"]
    names = ["path", "dhash64", "error", *facts]
    assert table.select(["dhash64"]).arrow.column_names == names
    assert len(table.select(["dhash64"])) == len(table)
    with pytest.raises(KeyError):
        table.select(["pdq"])


def test_a_method_that_is_selected_twice_has_one_column(folder):
    table = hash_files(sorted(folder.iterdir()), ["find", "dhash64"], progress=False)
    chosen = table.select(["dhash64", "find", "dhash64"])
    assert chosen.methods == ["dhash64", "find"]
    assert chosen.without_errors().hashes("dhash64").shape == (12, 8)


def test_a_slice_has_the_hashes_of_its_rows(folder):
    table = hash_files(sorted(folder.glob("0*.jpg")), progress=False)
    some = HashTable(table.arrow.slice(5, 4))
    np.testing.assert_array_equal(some.hashes("find"), table.hashes("find")[5:9])


def test_digests_tell_order_and_names_but_not_folders(folder, tmp_path):
    paths = sorted(folder.glob("0*.jpg"))[:3]
    table = hash_files(paths, progress=False)
    moved = tmp_path / "moved"
    moved.mkdir()
    copies = [path.rename(moved / path.name) for path in paths]
    assert hash_files(copies, progress=False).digest("find") == table.digest("find")
    assert hash_files(copies[::-1], progress=False).digest("find") != table.digest("find")
    renamed = copies[0].rename(moved / "renamed.jpg")
    other = hash_files([renamed, *copies[1:]], progress=False)
    assert other.digest("find") != table.digest("find")


def test_other_parquet_files_are_refused(tmp_path):
    other = pa.table({"a": [1]})
    pq.write_table(other, tmp_path / "other.parquet")
    with pytest.raises(ValueError, match="not a finhash table"):
        HashTable.read(tmp_path / "other.parquet")


@pytest.mark.parametrize("open_folder", [HashTable.read, HashTable.scan])
def test_folders_of_other_files_are_refused_when_opened(tmp_path, open_folder):
    with pytest.raises(ValueError, match="holds no parts"):
        open_folder(tmp_path)
    pq.write_table(pa.table({"a": [1]}), tmp_path / "part-000001.parquet")
    with pytest.raises(ValueError, match="not a finhash table"):
        open_folder(tmp_path)


def test_a_scanned_folder_gives_the_rows_of_the_paths_in_their_order(folder, tmp_path):
    paths = sorted(folder.glob("0*.jpg"))
    table = hash_files(paths, out=tmp_path / "out", progress=False)
    assert HashTable.scan(tmp_path / "out").arrow.equals(table.arrow)
    some = HashTable.scan(tmp_path / "out", [paths[7], paths[2]])
    assert some.paths == [str(paths[7]), str(paths[2])]
    np.testing.assert_array_equal(some.hashes("find"), table.hashes("find")[[7, 2]])


def test_a_path_without_a_row_is_refused_by_name(folder, tmp_path):
    paths = sorted(folder.glob("0*.jpg"))
    hash_files(paths[:3], out=tmp_path / "out", progress=False)
    with pytest.raises(ValueError, match=f"no row for {paths[3]}"):
        len(HashTable.scan(tmp_path / "out", paths[:4]))
    hash_files([], out=tmp_path / "empty", progress=False)
    with pytest.raises(ValueError, match=f"no row for {paths[0]}"):
        len(HashTable.scan(tmp_path / "empty", paths))


def small(ids, value=0, errors=None) -> HashTable:
    hashes = np.full((len(ids), 32), value, np.uint8)
    return HashTable.from_hashes(ids, {"find": hashes, "dhash64": hashes[:, :8]}, errors)


def test_a_table_shows_its_rows_failures_methods_and_first_hashes(folder):
    paths = sorted(folder.iterdir())
    table = hash_files(paths, ["find", "dhash64"], progress=False)
    first, header, *rows, more = repr(table).splitlines()
    assert first == "HashTable: 16 rows, 4 failed; methods: find, dhash64"
    facts = ["width", "height", "bytes", "format"]
    assert header.split() == ["path", "find", "dhash64", "error", *facts]
    digits = table.filter(paths[:1]).hashes("find").tobytes().hex()
    assert rows[0].split()[:2] == [f"…{str(paths[0])[-39:]}", f"{digits[:12]}…"]
    assert rows[0].split()[-4:] == ["60", "60", str(paths[0].stat().st_size), "JPEG"]
    assert len(rows) == 5
    assert more == "… and 11 more"
    assert max(map(len, rows)) < 150
    failed = repr(table.filter([path.name == "text.jpg" for path in paths]))
    assert "1 row, 1 failed" in failed
    assert "NotAnImageError: " in failed


def test_notebooks_show_a_table_as_html():
    html = small(["<b>.jpg", "&.jpg"], 171, ["", "<i>"])._repr_html_()
    assert "2 rows, 1 failed; methods: find, dhash64" in html
    assert "<td>&lt;b&gt;.jpg</td><td>abababababab…</td>" in html
    assert "&lt;i&gt;" in html
    assert html.count("<tr>") == 3
    assert "more" not in html


def test_an_empty_table_can_be_shown():
    assert repr(small([])).startswith("HashTable: 0 rows, all hashed; methods: find, dhash64")
    assert "0 rows" in small([])._repr_html_()


def test_paths_and_errors_are_listed_once(folder, tmp_path):
    table = hash_files(sorted(folder.iterdir()), out=tmp_path / "out", progress=False)
    assert table.paths is table.paths
    assert table.errors is table.errors
    assert len(table.paths) == len(table.errors) == 16


def test_a_table_is_made_of_ids_and_hashes(folder):
    table = hash_files(sorted(folder.iterdir()), ["find", "dhash64"], progress=False)
    hashes = {name: np.zeros((16, size), np.uint8) for name, size in [("find", 32), ("dhash64", 8)]}
    hashed = np.array(table.errors) == ""
    for name in hashes:
        hashes[name][hashed] = table.without_errors().hashes(name)
    made = HashTable.from_hashes(table.paths, hashes, table.errors)
    assert made == table
    assert made.provenance == {}
    assert made.with_provenance(**table.provenance).provenance == table.provenance


@pytest.mark.parametrize(
    ("hashes", "error", "message"),
    [
        ({"find": np.zeros((2, 256), bool)}, TypeError, r"dtype bool, not uint8: .*packbits"),
        ({"find": np.zeros((3, 32), np.uint8)}, ValueError, r"shape \(3, 32\), not \(2, 32\)"),
        ({"find": np.zeros((2, 8), np.uint8)}, ValueError, r"shape \(2, 8\), not \(2, 32\)"),
        ({"mine": np.zeros((2, 7), np.uint8)}, ValueError, r"not \(2, bits / 8\)"),
        ({"mine": np.zeros(2, np.uint8)}, ValueError, r"shape \(2,\)"),
        ({"key": np.zeros((2, 8), np.uint8)}, ValueError, "cannot have the name 'key'"),
    ],
)
def test_hashes_that_do_not_fit_are_refused(hashes, error, message):
    with pytest.raises(error, match=message):
        HashTable.from_hashes(["a", "b"], hashes)


def test_errors_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="1 errors for 2 ids"):
        small(["a", "b"], errors=[""])


def test_other_objects_are_refused_with_the_ways_to_make_a_table():
    for other in ({"path": []}, "hashes.parquet", pd.DataFrame({"path": []})):
        with pytest.raises(TypeError, match=r"HashTable\.from_hashes.*HashTable\.read"):
            HashTable(other)
    with pytest.raises(ValueError, match="needs a column 'path'"):
        HashTable(pa.table({"find": [bytes(32)]}))


@pytest.mark.parametrize("hexadecimal", [False, True])
def test_a_table_goes_through_pandas(folder, hexadecimal):
    table = hash_files(sorted(folder.iterdir()), ["find", "dhash64"], progress=False)
    frame = table.to_pandas(hexadecimal=hexadecimal)
    facts = ["width", "height", "bytes", "format", "modified", "orientation"]
    assert list(frame.columns) == ["path", "find", "dhash64", "error", *facts]
    digits = table.without_errors().hashes("find")[0].tobytes()
    assert frame["find"][0] == (digits.hex() if hexadecimal else digits)
    assert frame["find"].isna().sum() == 4
    back = HashTable.from_pandas(frame)
    assert back == table
    assert [back.column(name) for name in facts] == [table.column(name) for name in facts]
    some = HashTable.from_pandas(frame[frame["error"] == ""].iloc[::-1])
    assert some.paths == table.without_errors().paths[::-1]


def test_without_pandas_the_package_to_install_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r'pip install "finhash\[evaluate\]"'):
        small(["a"]).to_pandas()


def test_tables_are_concatenated(folder):
    paths = sorted(folder.iterdir())
    table = hash_files(paths, ["find", "dhash64"], progress=False)
    halves = [hash_files(some, table.methods, progress=False) for some in (paths[:9], paths[9:])]
    whole = HashTable.concat([halves[0].with_provenance(note=1), halves[1].with_provenance(note=2)])
    assert whole == table
    assert whole.column("modified") == table.column("modified")
    assert whole.provenance == table.provenance
    for two in ([halves[0], small(["a"])], [small(["a"]), halves[0]]):
        both = HashTable.concat(iter(two))
        assert both.paths == [*two[0].paths, *two[1].paths]
        assert both.filter(["a"]).column("width") == [None]
        assert both.filter(halves[0].paths).column("width") == halves[0].column("width")


def test_tables_that_cannot_be_compared_are_not_concatenated():
    table = small(["a"])
    with pytest.raises(ValueError, match="different methods or bits"):
        HashTable.concat([table, table.select(["find"])])
    with pytest.raises(ValueError, match=r"made by pillow 1\.0 instead of 12\.0"):
        HashTable.concat(
            [table.with_provenance(versions={"pillow": number}) for number in ("12.0", "1.0")]
        )
    with pytest.raises(ValueError, match="no tables"):
        HashTable.concat([])


def test_rows_are_chosen_by_path_function_or_array(folder):
    paths = sorted(folder.iterdir())
    table = hash_files(paths, progress=False)
    assert table.filter([paths[7], str(paths[2])]).paths == [str(paths[2]), str(paths[7])]
    assert table.filter(set(table.paths[:3])).paths == table.paths[:3]
    assert table.filter(lambda path: path.endswith("text.jpg")).errors == [table.errors[14]]
    keep = [not error for error in table.errors]
    for mask in (keep, np.array(keep), pa.array(keep), pd.Series(keep)):
        assert table.filter(mask) == table.without_errors()
    assert table.filter(paths[:1]).provenance == table.provenance
    assert len(table.filter([])) == 0


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ("a.jpg", TypeError, "single path 'a.jpg': pass a list"),
        (["c"], KeyError, "no row for c"),
        ([0, 1], TypeError, "rows holds 0: pass paths"),
        ([True], ValueError, r"shape \(1,\), not \(2,\)"),
    ],
)
def test_rows_that_cannot_be_chosen_are_refused(rows, error, message):
    with pytest.raises(error, match=message):
        small(["a", "b"]).filter(rows)


def test_tables_are_equal_if_paths_methods_hashes_and_errors_are():
    table = small(["a", "b"])
    assert table == small(["a", "b"]).with_provenance(note="not compared")
    assert len({table, small(["a", "b"]), small(["a"])}) == 2
    assert table != small(["b", "a"])
    assert table != small(["a", "b"], 1)
    assert table != small(["a", "b"], errors=["", "broken"])
    assert table.select(["dhash64", "find"]) != table
    assert table != table.arrow
    assert pickle.loads(pickle.dumps(table)) == table


def test_a_comparison_lists_added_removed_and_changed_paths(folder, tmp_path):
    paths = sorted(folder.glob("0*.jpg"))
    before = hash_files(paths[:-1], out=tmp_path / "out", progress=False)
    assert before.compare(before) == ([], [], [])
    paths[3].write_bytes(paths[4].read_bytes())
    paths[5].write_bytes(b"no image")
    after = hash_files(paths[1:], progress=False)
    changes = before.compare(after, "find")
    assert changes.added == [str(paths[-1])]
    assert changes.removed == [str(paths[0])]
    assert changes.changed == [str(paths[3]), str(paths[5])]
    with pytest.raises(KeyError):
        before.compare(after, "pdq")


def test_the_name_of_a_file_says_how_it_is_written(folder, tmp_path):
    table = hash_files(sorted(folder.glob("0*.jpg")), progress=False)
    for name in ("hashes", "hashes.parquet", "HASHES.PQ", "hashes.csv", "HASHES.CSV"):
        table.write(tmp_path / "new" / name)
        back = HashTable.read(tmp_path / "new" / name)
        assert back == table
        assert back.arrow.to_pydict() == table.arrow.to_pydict()
    with pytest.raises(ValueError, match=r"ends in '\.xlsx': use a name that ends in \.parquet or"):
        table.write(tmp_path / "hashes.xlsx")
    assert not (tmp_path / "hashes.xlsx").exists()


def test_a_scanned_folder_gives_the_columns_of_the_methods_in_their_order(folder, tmp_path):
    paths = sorted(folder.glob("0*.jpg"))
    names = ["find", "dhash64", "ahash64"]
    hash_files(paths, names, out=tmp_path / "out", progress=False)
    table = HashTable.scan(tmp_path / "out", paths[:2], ["ahash64", "find"])
    assert table == hash_files(paths[:2], ["ahash64", "find"], progress=False)
    with pytest.raises(KeyError, match="pdq"):
        len(HashTable.scan(tmp_path / "out", methods=["pdq"]))


@pytest.mark.parametrize("section", ["Long jobs", "Tables"])
def test_the_guides_code_runs(folder, monkeypatch, section):
    monkeypatch.chdir(folder)
    Path("memes").mkdir()
    paths = [path.rename(Path("memes", path.name)) for path in sorted(folder.glob("0*.jpg"))]
    table = hash_files(paths, ["find", "phash256"], out="hashes", progress=False)
    hash_files(paths[1:], ["find", "phash256"], out="later", progress=False)
    table.write("other.parquet")
    text = (Path(__file__).parents[2] / "docs" / "guide.md").read_text()
    code = re.search(rf"## {section}\n.*?```python\n(.*?)```", text, re.DOTALL)[1]
    names = {name: importlib.import_module(name) for name in ("duckdb", "pandas", "polars")}
    names |= {"HashTable": HashTable, "ids": ["17"], "hashes": np.zeros((1, 32), np.uint8)}
    exec(compile(code, "guide.md", "exec"), names)
    if section == "Tables":
        assert names["both"].paths == [*map(str, paths), *map(str, paths)]
        assert names["removed"] == [str(paths[0])]


def test_errors_that_are_all_empty_come_back_from_csv_and_pandas(tmp_path):
    table = HashTable.from_hashes(["a", "b"], {"dhash64": np.full((2, 8), 0xAB, np.uint8)})
    table.write(tmp_path / "t.csv")
    frame = pd.read_csv(tmp_path / "t.csv")
    frame.to_parquet(tmp_path / "t.parquet")
    for found in (HashTable.from_pandas(frame), HashTable.read(tmp_path / "t.parquet")):
        assert found == table


def test_rows_that_lack_a_hash_without_an_error_are_counted():
    hashes = pa.array([bytes(8), None], pa.binary(8))
    table = HashTable(pa.table({"path": ["a", "b"], "dhash64": hashes}))
    assert "2 rows, 1 without a hash of each method; methods" in repr(table)
    assert len(table.without_errors()) == 1
