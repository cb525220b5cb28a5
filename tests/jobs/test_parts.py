"""A job with an output folder resumes."""

import os

import numpy as np
import pyarrow.parquet as pq
import pytest

from finhash import HashTable, hash_files, methods
from finhash.jobs import parts
from finhash.jobs.parquet import part_files
from finhash.jobs.provenance import versions
from finhash.jobs.rows import hash_batch
from tests.conftest import jpeg_bytes


def rows_per_part(out) -> list[int]:
    return [pq.read_metadata(part).num_rows for part in part_files(out)]


def test_only_new_changed_and_missing_files_are_hashed(folder, tmp_path):
    out = tmp_path / "out"
    paths = sorted(folder.glob("0*.jpg"))
    hash_files(paths[:5], out=out, progress=False)
    hash_files(paths, out=out, progress=False)
    hash_files(paths, out=out, progress=False)
    assert rows_per_part(out) == [5, 7]
    paths[3].write_bytes(jpeg_bytes(seed=99))
    paths[7].unlink()
    table = hash_files(paths, out=out, progress=False)
    assert table.arrow.equals(hash_files(paths, progress=False).arrow)
    assert table.errors[7].startswith("FileNotFoundError")
    assert rows_per_part(out) == [5, 7, 2]
    paths[7].write_bytes(jpeg_bytes(seed=98))
    table = hash_files(paths, out=out, progress=False)
    assert table.arrow.equals(hash_files(paths, progress=False).arrow)
    assert rows_per_part(out) == [5, 7, 2, 1]


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
    paths = [str(path) for path in sorted(folder.glob("0*.jpg"))]
    hash_files(paths[:8], out=tmp_path / "out", progress=False)
    skipped = []
    with parts.Parts(tmp_path / "out", ["find"]) as opened:
        assert list(opened.missing(paths, skipped.append)) == paths[8:]
    assert skipped == [5, 3, 0]


def test_rows_added_before_an_exception_are_written(folder, tmp_path):
    paths = [str(path) for path in sorted(folder.glob("0*.jpg"))[:2]]
    rows, _ = hash_batch(paths, [methods.get("find")], versions())
    with pytest.raises(KeyboardInterrupt), parts.Parts(tmp_path / "out", ["find"]) as opened:
        opened.add(0, rows)
        raise KeyboardInterrupt
    assert HashTable.read(tmp_path / "out").paths == paths


def test_other_methods_or_versions_are_refused(folder, tmp_path, monkeypatch):
    paths = sorted(folder.glob("0*.jpg"))[:2]
    hash_files(paths, out=tmp_path / "out", progress=False)
    with pytest.raises(ValueError, match="has columns"):
        hash_files(paths, ["dhash64"], out=tmp_path / "out", progress=False)
    monkeypatch.setattr(parts, "versions", lambda: {"pillow": "1.0"})
    with pytest.raises(ValueError, match=r"pillow .* instead of 1\.0"):
        hash_files(paths, out=tmp_path / "out", progress=False)


def test_a_hash_of_ones_own_resumes_with_the_same_number_of_bits(folder, tmp_path, own):
    paths = sorted(folder.iterdir())
    hash_files(paths[:3], [own.name], out=tmp_path / "out", progress=False)
    table = hash_files(paths, [own.name], out=tmp_path / "out", progress=False)
    assert rows_per_part(tmp_path / "out") == [3, len(paths) - 3]
    assert table.arrow.equals(hash_files(paths, [own.name], progress=False).arrow)
    methods.register(own.name, lambda image: np.zeros(32, np.uint8), bits=256)
    with pytest.raises(ValueError, match=r"hashes 'thumbnail' of 192 bits, not 256: use another"):
        hash_files(paths, [own.name], out=tmp_path / "out", progress=False)


def test_a_job_without_files_leaves_an_empty_table(tmp_path):
    assert len(hash_files([], out=tmp_path, progress=False)) == 0
    assert len(HashTable.read(tmp_path)) == 0
