"""The commands ``finhash duplicates`` and ``finhash undo``."""

import csv
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from finhash import HashTable, hash_files
from finhash.__main__ import main
from finhash.quality import LOWEST
from tests.commands.conftest import drawn
from tests.duplicates.conftest import draw, table_of, tree

COLUMNS = "family,role,path,kept,distance,bytes,width,height,modified,note"


def run(*words: object) -> Result:
    return CliRunner().invoke(main, list(map(str, words)))


@pytest.fixture
def table(hashed, tmp_path) -> Path:
    hashed.write(tmp_path / "hashes.parquet")
    return tmp_path / "hashes.parquet"


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_turned_images_are_listed_if_asked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    image = drawn(1)
    image.resize((240, 180)).save("photos/large.png")
    image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save("photos/mirrored.png")
    drawn(2).save("photos/other.png")
    assert run("hash", "photos", "-o", "hashes", "--executor", "serial").exit_code == 0
    words = ("duplicates", "hashes", "--radius", 40)
    assert run(*words).stdout == COLUMNS + "\n"
    found = rows(run(*words, "--orientations", "mirror").stdout)
    assert [(Path(row["path"]).name, row["role"], row["orientation"]) for row in found] == [
        ("large.png", "keep", ""),
        ("mirrored.png", "superfluous", "flip_left_right"),
    ]
    assert 0 < int(found[1]["distance"]) <= 40
    refused = run(*words, "--orientations", "all", "--by", "spheres")
    assert refused.exit_code == 2
    assert "--orientations needs --by components, not spheres" in refused.stderr


def test_the_list(photos, table):
    before = tree(photos)
    result = run("duplicates", table)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == COLUMNS
    found = rows(result.stdout)
    assert [(row["family"], row["role"], Path(row["path"]).name) for row in found] == [
        ("0", "keep", "a.png"),
        ("0", "superfluous", "b.png"),
        ("0", "superfluous", "c.png"),
        ("0", "superfluous", "d.png"),
        ("1", "keep", "e.png"),
        ("1", "superfluous", "f.png"),
        ("1", "superfluous", "g.png"),
    ]
    assert found[0] | {"path": ""} == {
        "family": "0",
        "role": "keep",
        "path": "",
        "kept": "",
        "distance": "",
        "bytes": str((photos / "a.png").stat().st_size),
        "width": "40",
        "height": "40",
        "modified": "2001-09-09T01:46:40Z",
        "note": "",
    }
    assert [row["distance"] for row in found] == ["", "10", "20", "30", "", "0", "0"]
    assert found[1]["kept"] == str(photos / "a.png")
    lines = result.stderr.splitlines()
    assert lines[0].startswith("threshold: 52 bits, the default of find for families")
    freed = sum((photos / Path(r["path"])).stat().st_size for r in found if r["distance"])
    assert lines[-1] == f"2 families, 5 superfluous files, {freed / 1e6:.1f} MB could be freed"
    assert tree(photos) == before
    assert run("duplicates", table, "--quiet").stderr == ""


def test_json_has_one_family_per_line_and_what_it_would_free(photos, table, tmp_path):
    out = tmp_path / "list.json"
    result = run("duplicates", table, "--format", "json", "-o", out, "--radius", 10)
    assert (result.exit_code, result.stdout) == (0, "")
    families = [json.loads(line) for line in out.read_text().splitlines()]
    assert [family["family"] for family in families] == [0, 1]
    equal = families[1]
    assert [image["role"] for image in equal["images"]] == ["keep", "superfluous", "superfluous"]
    assert equal["freed"] == 2 * (photos / "e.png").stat().st_size
    assert list(equal["images"][0]) == COLUMNS.split(",")[1:]
    assert equal["images"][0]["distance"] is None
    assert "threshold" not in result.stderr


def test_rules_and_references_are_passed_on(photos, table):
    result = run("duplicates", table, "--keep", "first", "--by", "spheres", "--radius", 0)
    assert "1 family, 2 superfluous files" in result.stderr
    result = run("duplicates", table, "--reference", photos / "sub", "--keep", "newest")
    kept = {Path(r["path"]).name for r in rows(result.stdout) if r["role"] == "keep"}
    assert kept == {"c.png", "d.png", "f.png", "g.png"}


def test_nothing_found_is_no_failure(tmp_path):
    table_of({draw(tmp_path / "a.png"): 0}).write(tmp_path / "hashes.parquet")
    result = run("duplicates", tmp_path / "hashes.parquet")
    assert (result.exit_code, result.stdout) == (0, COLUMNS + "\n")
    assert result.stderr.endswith("0 families, 0 superfluous files, 0.0 MB could be freed\n")
    moved = run("duplicates", tmp_path / "hashes.parquet", "--move-to", tmp_path / "x", "--yes")
    assert (moved.exit_code, moved.stdout) == (0, "")
    assert not (tmp_path / "x").exists()


def test_what_is_left_alone_is_said(photos, table):
    (photos / "b.png").unlink()
    for k in range(7):
        (photos / f"{k}\n.png").symlink_to(photos / "e.png")
    links = table_of(dict.fromkeys(sorted(photos.glob("?\n.png")), 120))
    HashTable.concat([HashTable.read(table), links]).write(table)
    result = run("duplicates", table)
    assert "1 similar file missing, such as" in result.stderr
    assert "7 files left alone:" in result.stderr
    assert "and 2 more" in result.stderr
    assert "0\\n.png: a symbolic link to the same file as" in result.stderr
    left = [row for row in rows(result.stdout) if row["role"] == "left alone"]
    assert len(left) == 8
    assert {bool(row["note"]) for row in left} == {True}


def test_files_are_moved_and_put_back(photos, table, tmp_path):
    before = tree(photos)
    target = tmp_path / "superfluous"
    result = run("duplicates", table, "--move-to", target, "--yes")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "b.png: superfluous, 10 bits from " in result.stderr
    (log,) = target.glob("finhash-*.jsonl")
    last = result.stderr.splitlines()[-1]
    assert last.startswith("2 families, 5 of 5 superfluous files moved, 0.0 MB; to put them back: ")
    assert last.endswith(f"finhash undo {log}")
    assert len(list(target.rglob("*.png"))) == 5
    back = run("undo", log)
    assert (back.exit_code, back.stdout) == (0, "")
    assert back.stderr.splitlines()[-1] == "5 files put back, 0.0 MB"
    assert tree(photos) == before
    assert run("undo", log).stderr == "0 files put back, 0.0 MB\n"


def test_the_list_can_be_kept_when_files_are_moved(photos, table, tmp_path):
    words = ["--move-to", tmp_path / "x", "--yes", "-o", tmp_path / "list.csv"]
    assert run("duplicates", table, *words).exit_code == 0
    assert len(rows((tmp_path / "list.csv").read_text())) == 7


@pytest.mark.parametrize("kind", ["hard", "sym"])
def test_links_take_the_place_of_equal_files_only(photos, table, tmp_path, kind, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = tree(photos)
    result = run("duplicates", table, "--link", kind, "--yes", "-o", "-")
    assert result.exit_code == 0
    assert "1 family, 2 of 2 superfluous files linked" in result.stderr
    assert "content differs from that of" in result.stderr
    assert [Path(r["path"]).name for r in rows(result.stdout)] == ["e.png", "f.png", "g.png"]
    (log,) = tmp_path.glob("finhash-*.jsonl")
    assert (photos / "sub/f.png").samefile(photos / "e.png")
    assert run("undo", log).exit_code == 0
    assert tree(photos) == before


def test_links_need_equal_files(photos, tmp_path):
    table_of({photos / "a.png": 0, photos / "b.png": 1}).write(tmp_path / "unequal.parquet")
    result = run("duplicates", tmp_path / "unequal.parquet", "--link", "hard", "--yes")
    assert result.exit_code == 0
    assert "1 superfluous file cannot be replaced by links" in result.stderr
    assert "--move-to FOLDER moves the files first" in result.stderr


def test_space_that_hard_links_hold_is_said(photos, tmp_path):
    os.link(photos / "b.png", tmp_path / "elsewhere.png")
    table_of({photos / "a.png": 0, photos / "b.png": 1}).write(tmp_path / "linked.parquet")
    found = run("duplicates", tmp_path / "linked.parquet")
    assert "0.0 MB could be freed; hard links elsewhere hold 0.0 MB more" in found.stderr


def test_failures_are_listed_and_give_status_1(photos, table, tmp_path):
    target = tmp_path / "superfluous"
    target.mkdir()
    (target / "sub").write_text("a file where a folder is needed")
    log = tmp_path / "my log.jsonl"
    result = run("duplicates", table, "--move-to", target, "--yes", "--log", log)
    assert result.exit_code == 1
    assert "4 files could not be moved:" in result.stderr
    assert "sub/c.png: " in result.stderr
    assert "1 of 5 superfluous files moved" in result.stderr
    assert f"finhash undo '{log}'" in result.stderr
    (target / "b.png").unlink()
    back = run("undo", log)
    assert back.exit_code == 1
    assert "1 file could not be put back:" in back.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--move-to", "x"], "no terminal to ask; pass --yes"),
        (["--log", "x"], "--log needs --move-to or --link"),
        (["--method", "dhash64"], "has no hashes of 'dhash64'; it has: find"),
        (["--radius", "257"], "257"),
        (["--reference", "elsewhere"], "no image in the reference folder elsewhere"),
        (["--move-to", "photos", "--yes"], "is in photos already"),
        (["--link", "sym", "--yes", "--log", "missing/log"], "No such file or directory"),
        (["-o", "photos"], "is a directory"),
    ],
)
def test_wrong_usage_changes_nothing(photos, table, tmp_path, words, message, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("elsewhere").mkdir()
    before = tree(tmp_path)
    result = run("duplicates", table, *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert tree(tmp_path) == before


def test_undo_refuses_what_is_not_a_log(table):
    result = run("undo", table)
    assert result.exit_code == 2
    assert "is not a log of 'finhash duplicates': pass the file that the run named" in result.stderr


def test_a_hash_of_ones_own_needs_a_threshold(tmp_path):
    own = {"own": np.zeros((2, 8), np.uint8)}
    paths = [draw(tmp_path / "a.png"), draw(tmp_path / "b.png")]
    HashTable.from_hashes(paths, own).write(tmp_path / "own.parquet")
    result = run("duplicates", tmp_path / "own.parquet", "--method", "own")
    assert result.exit_code == 2
    assert "no threshold of 'own' is known for the use 'cluster'; pass --radius" in result.stderr
    assert run("duplicates", tmp_path / "own.parquet", "--method", "own", "--radius", 0).stdout


@pytest.mark.slow
@pytest.mark.parametrize("answer", ["y", "n"])
def test_the_question_at_a_terminal(photos, table, tmp_path, answer):
    before = tree(photos)
    target = tmp_path / "superfluous"
    words = ["duplicates", table, "--move-to", target, "--link", "sym", "--workers", 1]
    command = [sys.executable, "-m", "finhash", *map(str, words)]
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        seen = b""
        while b"]: " not in seen:
            seen += os.read(ours, 1000)
        assert b"5 superfluous files, 0.0 MB could be freed" in seen
        assert b"and put symbolic links to the kept ones in their place? [y/N]: " in seen
        assert tree(photos) == before
        os.write(ours, answer.encode() + b"\n")
        try:
            while more := os.read(ours, 1000):
                seen += more
        except OSError:
            pass  # the terminal has been closed
    assert process.returncode == 0
    assert (tree(photos) == before) == (answer == "n")
    assert (b"nothing was changed" in seen) == (answer == "n")
    os.close(ours)


def test_images_of_low_quality_are_no_duplicates(tmp_path):
    paths = [draw(tmp_path / name) for name in ("a.png", "b.png", "c.png")]
    table = hash_files(paths, progress=False, quality=True)
    table.write(tmp_path / "hashes.parquet")
    result = run("duplicates", tmp_path / "hashes.parquet")
    assert (result.exit_code, result.stdout) == (0, COLUMNS + "\n")
    assert f"left out 3 images with a quality below {LOWEST}; --min-quality 0" in result.stderr
    every = run("duplicates", tmp_path / "hashes.parquet", "--min-quality", 0)
    assert [row["role"] for row in rows(every.stdout)] == ["keep", "superfluous", "superfluous"]
