"""Damaged files are determined by their numbers, and every fault of a run is counted."""

import io
import math

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

from finhash import find_hash
from finhash.study import project, results
from finhash.study.reliability import fuzz, mutated
from finhash.study.reliability.fuzz import Run, Watch, Way

SERIAL, THREADS = Way("serial", "bytes", False, 1), Way("threads", "paths", True, 1)
COMMAND = Way(None, "paths", True, 1)
PREPARED = Way("serial", "bytes", True, 1, prepared=True)
WAYS = (SERIAL, THREADS, COMMAND, PREPARED)


def ours(content):
    """Return the packed hash of a file."""
    return np.packbits(find_hash(content).hash).tobytes()


@pytest.fixture(scope="module")
def files():
    """Return 400 damaged files."""
    return [mutated.file(number, seed=1) for number in range(400)]


@pytest.mark.slow
def test_every_original_can_be_decoded_and_has_the_published_hash():
    for kind, form in mutated.KINDS.items():
        for content in mutated.originals(kind, seed=1):
            with Image.open(io.BytesIO(content)) as image:
                assert image.format in (form.name, "ICNS", "JPEG", "MPO", "BMP")
            assert fuzz.published(content) == ours(content), kind


def test_files_depend_on_the_seed_and_the_number_alone(files):
    assert files[:60] == [mutated.file(number, seed=1) for number in range(60)]
    others = [mutated.file(number, seed=2) for number in range(60)]
    assert sum(one == other for one, other in zip(files, others, strict=False)) == 0


def test_files_are_of_all_kinds_and_mutations(files):
    assert {file.kind for file in files} == {*mutated.KINDS, mutated.READ_ONLY}
    assert {name for file in files for name in file.mutations} >= set(mutated.MUTATIONS)
    assert math.gcd(fuzz.EVERY, len(mutated.KINDS) + 1) == 1  # all kinds are compared
    wholes = {content for kind in mutated.KINDS for content in mutated.originals(kind, seed=1)}
    assert sum(file.content in wholes for file in files) < 20


@pytest.mark.parametrize("mutation", mutated.MUTATIONS.values(), ids=list(mutated.MUTATIONS))
@pytest.mark.parametrize("content", [b"", b"x", b"several bytes" * 9], ids=len)
def test_files_of_any_length_can_be_damaged(content, mutation):
    for seed in range(20):
        assert isinstance(mutation(content, mutated.random.Random(seed), 1), bytes)


def test_checksums_of_a_png_are_mended_up_to_the_first_damaged_length():
    whole = mutated.originals("PNG RGB", seed=1)[0]
    assert mutated.with_checksums(whole) == whole
    wider = bytearray(whole)
    wider[19] += 1
    assert fuzz.published(bytes(wider)) is None
    with Image.open(io.BytesIO(mutated.with_checksums(bytes(wider)))) as image:
        assert image.size == (49, 36)
    assert mutated.with_checksums(whole[:40]) == whole[:40]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("", "hashed"),
        ("NotAnImageError: not an image", "NotAnImageError"),
        ("MemoryError: ", "MemoryError"),
        ("PermissionError: denied", "OSError"),
        ("WorkerDiedError: two workers died hashing this image", "died"),
        ("UnidentifiedImageError: cannot identify", "untyped"),
        ("ValueError: unknown mode", "untyped"),
        ("no type", "untyped"),
    ],
)
def test_reasons_are_told_by_their_types(error, expected):
    assert fuzz.outcome(error) == expected


def test_every_fault_is_counted_and_its_file_named(files):
    contents = {number: file.content for number, file in enumerate(files)}
    (good, *_) = (n for n in range(0, 400, fuzz.EVERY) if fuzz.published(contents[n]))
    (bad, *_) = (n for n in range(0, 400, fuzz.EVERY) if not fuzz.published(contents[n]))
    right = fuzz.published(contents[good])
    wrong = bytes([right[0] ^ 3, *right[1:]])
    damaged = (None, "DamagedImageError: cannot be decoded")
    rows = {
        **{1: [], 2: [damaged, damaged], 3: [(None, "KeyError: 7")]},
        **{4: [(None, "WorkerDiedError: two workers died")], 5: [(b"1", "")], 6: [damaged]},
        **{good: [(wrong, "")], bad: [(right, "")]},
    }
    others = {5: [(b"2", "")], 6: [(None, "NotAnImageError: not an image")]}
    run = Run(SERIAL, [1, 2, 3, 4, 5, 6, good, bad], rows, 3.0, Watch(100, None, None))
    table, failing = fuzz.check(run, others, seed=1)
    total = table.drop(columns="kind").sum()
    assert total[["files", "wrong_rows", "untyped", "died"]].to_list() == [8, 2, 1, 1]
    assert total[["hashed", "DamagedImageError"]].to_list() == [3, 2]
    assert total[["compared", "bits", "disputed"]].to_list() == [1, 2, 1]
    assert total[["shared", "disagreeing", "other_reason"]].to_list() == [2, 1, 1]
    assert failing == {
        **{1: "wrong_rows", 2: "wrong_rows", 3: "untyped", 4: "died", 5: "disagreeing"},
        **{good: "bits", bad: "disputed"},
    }


def test_growing_memory_has_a_slope():
    watch = Watch(100, bar=None, stream=None)
    watch.samples = [(100 * k, 50 + 2 * k, 30) for k in range(20)]
    run = Run(THREADS, list(range(2000)), {}, 3.0, watch)
    (row,) = fuzz.memory([run, run._replace(way=COMMAND)]).to_dict("records")
    assert row["driver_slope_mb"] == pytest.approx(2000)
    assert row["workers_slope_mb"] == 0
    assert (row["driver_most_mb"], row["workers_mb"], row["samples"]) == (88, 30, 20)


@pytest.mark.slow
def test_damaged_files_have_one_row_each_and_exact_hashes():
    table, used, failing = fuzz.measure(400, seed=1, workers=2, ways=WAYS)
    assert failing == {}
    by_way = table.groupby(["executor", "prepared"], sort=False)[["files", "shared"]].sum()
    assert by_way.index.to_list() == [(way.executor or "command", way.prepared) for way in WAYS]
    assert by_way["files"].to_list() == [130, 130, 130, 130]
    assert by_way["shared"].to_list() == [0, 40, 40, 0]
    assert (table[fuzz.OUTCOMES].sum(axis=1) == table["files"]).all()
    assert table["compared"].sum() > 0
    assert used["executor"].to_list() == ["serial", "threads", "serial"]
    assert (used["longest_s"] > 0).all()


def test_tables_are_saved_and_failing_files_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("FINHASH_OUT", str(tmp_path))
    table = pd.DataFrame([{**SERIAL.label(), "kind": "GIF", "files": 9}])
    outcomes = [{}, {7: "bits"}]
    monkeypatch.setattr(
        fuzz, "measure", lambda *_: fuzz.Result(table, table[["files"]], outcomes.pop(0))
    )
    options = ["--files", "10", "--keep", str(tmp_path / "kept")]
    assert CliRunner().invoke(fuzz.main, options).exit_code == 0
    assert len(results.load("fuzz")) == len(results.load("fuzz_memory")) == 1
    run = CliRunner().invoke(fuzz.main, options)
    assert run.exit_code == 1
    assert "1 files failed" in run.output
    (kept,) = (tmp_path / "kept").iterdir()
    assert kept.read_bytes() == mutated.file(7, project.SEED).content


def test_a_file_can_be_replayed(tmp_path):
    options = ["--replay", "6", "--seed", "1", "--keep", str(tmp_path)]
    run = CliRunner().invoke(fuzz.main, options)
    assert run.exit_code == 0
    assert f"{tmp_path / '6.png'}: PNG RGB; " in run.output
    assert "finhash: " in run.output
