"""A job with an output folder resumes, and its folder can be given further methods."""

import os
import shutil
from pathlib import Path
from threading import Timer

import numpy as np
import pyarrow.parquet as pq
import pytest
from filelock import FileLock

from finhash import HashTable, hash_files, methods
from finhash.jobs import parts
from finhash.jobs.rows import hash_batch, state_digest
from finhash.tables.folder import part_files
from finhash.tables.parquet import write_table
from finhash.tables.provenance import versions
from tests.conftest import jpeg_bytes


@pytest.fixture
def hashed(monkeypatch) -> dict[str, list[str]]:
    """Return the methods with which each file has been hashed, by name; clear it between runs."""
    found: dict[str, list[str]] = {}
    add = parts.Parts.add

    def record(self, position, rows):
        for row in rows.to_pylist():
            made = [name for name in self.methods if row[name]]
            found[Path(row["path"]).name] = made
        add(self, position, rows)

    monkeypatch.setattr(parts.Parts, "add", record)
    return found


def quiet(paths, names=("find",), **options) -> HashTable:
    return hash_files(paths, names, progress=False, **options)


def test_only_new_changed_and_missing_files_are_hashed(folder, tmp_path, hashed):
    out = tmp_path / "out"
    paths = sorted(folder.glob("0*.jpg"))
    names = [path.name for path in paths]
    quiet(paths[:5], out=out)
    assert sorted(hashed) == names[:5]
    hashed.clear()
    quiet(paths, out=out)
    assert sorted(hashed) == names[5:]
    hashed.clear()
    quiet(paths, out=out)
    assert not hashed
    paths[3].write_bytes(jpeg_bytes(seed=99))
    paths[7].unlink()
    table = quiet(paths, out=out)
    assert table == quiet(paths)
    assert table.errors[7].startswith("FileNotFoundError")
    assert sorted(hashed) == [names[3], names[7]]
    hashed.clear()
    paths[7].write_bytes(jpeg_bytes(seed=98))
    assert quiet(paths, out=out) == quiet(paths)
    assert sorted(hashed) == [names[7]]


def test_a_file_restored_to_an_earlier_state_is_hashed_again(folder, tmp_path):
    """Its state digest occurs in the first part, but its newest row is of another state."""
    path, out = folder / "0000_00000.jpg", tmp_path / "out"
    first, times = path.read_bytes(), path.stat().st_mtime_ns
    hash_files([path], out=out, progress=False)
    path.write_bytes(jpeg_bytes(seed=50))
    hash_files([path], out=out, progress=False)
    path.write_bytes(first)
    os.utime(path, ns=(times, times))
    table = hash_files([path], out=out, progress=False)
    assert table.arrow.equals(hash_files([path], progress=False).arrow)


def test_rows_come_in_the_order_of_the_paths_or_sorted_for_a_generator(folder, tmp_path):
    paths = sorted(folder.glob("0*.jpg"))
    hash_files(paths, out=tmp_path / "out", progress=False)
    some = [paths[5], paths[2], paths[5]]
    table = hash_files(some, out=tmp_path / "out", progress=False)
    assert table.paths == [str(path) for path in some]
    table = hash_files(iter(some), out=tmp_path / "out", progress=False)
    assert table.paths == [str(path) for path in paths]


def test_files_that_are_done_are_counted_in_every_group(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "CHECKED", 5)
    pairs = [(str(path), str(path)) for path in sorted(folder.glob("0*.jpg"))]
    quiet([path for path, _ in pairs[:8]], out=tmp_path / "out")
    skipped = []
    with parts.Parts(tmp_path / "out", ["find"]) as opened:
        assert list(opened.missing(pairs, skipped.append)) == [(*pair, None) for pair in pairs[8:]]
    assert skipped == [5, 3, 0]


def test_rows_added_before_an_exception_are_written(folder, tmp_path):
    paths = [str(path) for path in sorted(folder.glob("0*.jpg"))[:2]]
    rows, _ = hash_batch([(p, p, None) for p in paths], [methods.get("find")], versions())
    with pytest.raises(KeyboardInterrupt), parts.Parts(tmp_path / "out", ["find"]) as opened:
        opened.add(0, rows)
        raise KeyboardInterrupt
    assert HashTable.read(tmp_path / "out").paths == paths


def test_each_row_is_written_once_in_the_order_of_the_images(folder, tmp_path, monkeypatch):
    paths = [str(path) for path in sorted(folder.glob("0*.jpg"))]
    tasks = [hash_batch([(p, p, None)], [methods.get("find")], versions())[0] for p in paths]
    written = []

    def record(table, path):
        written.extend(table["path"].to_pylist())
        write_table(table, path)

    monkeypatch.setattr(parts, "PART_ROWS", 5)
    monkeypatch.setattr(parts, "write_table", record)
    with parts.Parts(tmp_path / "out", ["find"]) as opened:
        for position in (2, 0, 1, 4, 3, 11, 10, 8, 9, 7, 5, 6):
            opened.add(position, tasks[position])
    assert written == [paths[k] for k in (0, 1, 2, 3, 4, 7, 8, 9, 10, 11, 5, 6)]


def test_rows_are_kept_if_their_writing_is_interrupted(folder, tmp_path, monkeypatch):
    path = str(folder / "0000_00000.jpg")
    rows, _ = hash_batch([(path, path, None)], [methods.get("find")], versions())
    monkeypatch.setattr(parts, "SHORTEST", 0)
    with monkeypatch.context() as patch:

        def interrupted(*_):
            patch.undo()
            raise KeyboardInterrupt

        patch.setattr(parts, "write_table", interrupted)
        with pytest.raises(KeyboardInterrupt), parts.Parts(tmp_path / "out", ["find"]) as opened:
            opened.add(0, rows)
    assert HashTable.read(tmp_path / "out").paths == [path]


def test_other_versions_are_refused(folder, tmp_path, monkeypatch):
    paths = sorted(folder.glob("0*.jpg"))[:2]
    quiet(paths, out=tmp_path / "out")
    monkeypatch.setattr(parts, "versions", lambda: {**versions(), "pillow": "1.0"})
    with pytest.raises(ValueError, match=r"pillow .* instead of 1\.0"):
        quiet(paths, out=tmp_path / "out")


def test_a_second_run_waits_for_the_first(folder, tmp_path):
    lock = FileLock(tmp_path / ".lock", thread_local=False)
    lock.acquire()
    end = Timer(0.3, lock.release)
    end.start()
    assert len(quiet(sorted(folder.glob("0*.jpg")), out=tmp_path)) == 12
    end.join()


def test_a_second_run_does_not_wait_for_ever(tmp_path):
    with (
        parts.Parts(tmp_path, ["find"]),
        pytest.raises(RuntimeError, match=r"in use by another run, for 0\.1 s already"),
        parts.Parts(tmp_path, ["find"], wait=0.1),
    ):
        pass


def test_an_added_method_is_the_only_one_computed_for_unchanged_files(folder, tmp_path, hashed):
    out = tmp_path / "out"
    paths = sorted(folder.iterdir())
    new, changed, same, broken = "0003_00011.jpg", "0001_00003.jpg", "0000_00000.jpg", "text.jpg"
    quiet([path for path in paths if path.name != new], out=out)
    (folder / changed).write_bytes(jpeg_bytes(seed=99))
    hashed.clear()
    table = quiet(paths, ["find", "dhash64"], out=out)
    assert hashed[same] == ["dhash64"]
    assert hashed[new] == hashed[changed] == ["find", "dhash64"]
    assert broken not in hashed
    assert table == quiet(paths, ["find", "dhash64"])
    assert {HashTable.read(part).methods == ["find", "dhash64"] for part in part_files(out)} == {
        True
    }
    hashed.clear()
    quiet([path for path in paths if path.is_file()], ["dhash64"], out=out)
    assert not hashed


def test_all_parts_get_the_column_of_an_added_method(folder, tmp_path):
    quiet(sorted(folder.glob("0*.jpg")), out=tmp_path / "out")
    quiet([], ["dhash64"], out=tmp_path / "out")
    (part,) = part_files(tmp_path / "out")
    facts = ["width", "height", "bytes", "format", "modified", "orientation"]
    assert pq.read_schema(part).names == ["path", "find", "dhash64", "error", *facts, "key"]


def test_a_folder_keeps_its_methods_when_fewer_are_asked(folder, tmp_path):
    paths = sorted(folder.glob("0*.jpg"))
    quiet(paths[:6], ["find", "dhash64"], out=tmp_path / "out")
    table = quiet(paths, ["dhash64"], out=tmp_path / "out")
    assert table == quiet(paths, ["dhash64"])
    table = quiet(paths, ["dhash64", "find"], out=tmp_path / "out")
    assert table == quiet(paths, ["dhash64", "find"])
    assert HashTable.read(tmp_path / "out") == quiet(paths, ["find", "dhash64"])


def test_methods_added_for_some_files_are_missing_in_the_others(folder, tmp_path, hashed):
    out = tmp_path / "out"
    paths = sorted(folder.iterdir())
    quiet(paths, out=out)
    quiet(paths[:3], ["dhash64"], out=out)
    quiet(paths[2:5], ["ahash64"], out=out)
    table = HashTable.read(out)
    whole = quiet(paths, ["find", "dhash64", "ahash64"])
    assert table.select(["find"]) == whole.select(["find"])
    assert table.without_errors() == whole.filter(paths[2:5])
    assert table.select(["dhash64"]).without_errors() == whole.select(["dhash64"]).filter(paths[:5])
    with pytest.raises(ValueError, match="11 of 16 rows have no hash"):
        table.hashes("dhash64")
    hashed.clear()
    assert quiet(paths, ["find", "dhash64", "ahash64"], out=out) == whole
    assert hashed[paths[1].name] == ["ahash64"]
    assert hashed[paths[6].name] == ["dhash64", "ahash64"]
    assert paths[2].name not in hashed


def test_adding_a_method_resumes(folder, tmp_path, hashed, monkeypatch):
    out = tmp_path / "out"
    paths = sorted(folder.glob("0*.jpg"))
    quiet(paths, out=out)
    monkeypatch.setattr(parts, "SHORTEST", 0)

    def killed(*_, **__):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(parts, "compact", killed)
        with pytest.raises(SystemExit):
            quiet(paths[:7], ["find", "dhash64"], out=out)
    with_find, without = HashTable.read(out), quiet(paths)
    assert with_find.select(["find"]) == without
    hashed.clear()
    assert quiet(paths, ["find", "dhash64"], out=out) == quiet(paths, ["find", "dhash64"])
    assert sorted(hashed) == [path.name for path in paths[7:]]


def test_a_file_that_changes_while_a_method_is_added_is_hashed_again(folder, tmp_path, monkeypatch):
    path = folder / "0000_00000.jpg"
    quiet([path], out=tmp_path / "out")
    before = state_digest(str(path), path)
    with monkeypatch.context() as patch:
        patch.setattr(parts, "state_digest", lambda name, source: before)
        path.write_bytes(jpeg_bytes(seed=99))
        table = quiet([path], ["find", "dhash64"], out=tmp_path / "out")
    assert table.errors == [parts.CHANGED]
    assert table.arrow["find"].null_count == 1
    assert quiet([path], ["find", "dhash64"], out=tmp_path / "out") == quiet(
        [path], ["find", "dhash64"]
    )


def test_a_folder_with_a_method_that_is_not_registered_is_refused(
    folder, tmp_path, own, monkeypatch
):
    paths = sorted(folder.glob("0*.jpg"))[:2]
    quiet(paths, [own.name], out=tmp_path / "out")
    monkeypatch.delitem(methods.METHODS, own.name)
    with pytest.raises(ValueError, match="'thumbnail', a method that is not registered"):
        quiet(paths, out=tmp_path / "out")


def test_a_hash_of_ones_own_resumes_with_the_same_number_of_bits(folder, tmp_path, own, hashed):
    paths = sorted(folder.iterdir())
    hash_files(paths[:3], [own.name], out=tmp_path / "out", progress=False)
    hashed.clear()
    table = hash_files(paths, [own.name], out=tmp_path / "out", progress=False)
    assert sorted(hashed) == [path.name for path in paths[3:]]
    assert table.arrow.equals(hash_files(paths, [own.name], progress=False).arrow)
    methods.register(own.name, lambda image: np.zeros(32, np.uint8), bits=256)
    with pytest.raises(ValueError, match=r"hashes 'thumbnail' of 192 bits, not 256: use another"):
        hash_files(paths, [own.name], out=tmp_path / "out", progress=False)


def test_a_job_without_files_leaves_an_empty_table(tmp_path):
    assert len(hash_files([], out=tmp_path, progress=False)) == 0
    assert len(HashTable.read(tmp_path)) == 0


@pytest.mark.parametrize("replaced", [False, True])
def test_a_folder_that_is_removed_during_a_run_is_noticed(folder, tmp_path, replaced):
    paths = [str(path) for path in sorted(folder.glob("0*.jpg"))]
    out = tmp_path / "out"
    hash_files(paths[:2], out=out, progress=False)

    def removing():
        yield paths[0]
        shutil.rmtree(out)
        if replaced:
            (tmp_path / "kept").mkdir()  # so that the new folder is not given the old number
            out.mkdir()
        yield paths[3]

    with pytest.raises(RuntimeError, match="out was removed or replaced during the run: repeat"):
        hash_files(removing(), out=out, progress=False)
    assert not list(tmp_path.glob("out/*.parquet"))
