"""Hash tables: columns, selections, files."""

import numpy as np
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
    assert table.select(["dhash64"]).arrow.column_names == ["path", "dhash64", "error"]
    assert len(table.select(["dhash64"])) == len(table)
    with pytest.raises(KeyError):
        table.select(["pdq"])


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
