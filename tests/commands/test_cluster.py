"""``finhash cluster``: thresholds, sizes, stable numbers, orientations, pages."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from finhash import HashTable, thresholds
from finhash.quality import LOWEST
from tests.commands.conftest import drawn, run


def families(result: Result) -> dict[int, set[str]]:
    """Return the names of each family's images; check sizes and order."""
    assert result.exit_code == 0, result.stderr
    found: dict[int, set[str]] = {}
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    for row in rows:
        found.setdefault(int(row["family"]), set()).add(Path(row["path"]).name)
    assert all(int(row["size"]) == len(found[int(row["family"])]) for row in rows)
    assert [int(row["family"]) for row in rows] == sorted(int(row["family"]) for row in rows)
    return found


def write_line(path: str, **places: int) -> None:
    """Write a table of hashes whose distances are those of places on a line."""
    bits = np.arange(256) < np.array(list(places.values()))[:, None]
    HashTable.from_hashes(list(places), {"find": np.packbits(bits, axis=1)}).write(path)


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_the_default_threshold_is_that_for_families():
    radius = thresholds.threshold("cluster", "find")
    write_line("line", a=0, b=radius, c=2 * radius + 1)
    found = run("cluster", "line")
    assert families(found) == {0: {"a", "b"}}
    assert f"threshold: {radius} bits, the default of find for families" in found.stderr
    assert run("cluster", "line", "--quiet").stderr == ""


def test_families_of_fewer_images_are_left_out():
    write_line("line", a=0, b=1, c=2, d=100, e=101, f=200)
    words = ("cluster", "line", "--radius", 5)
    assert families(run(*words, "--min-size", 3)) == {0: {"a", "b", "c"}}
    every = run(*words, "--min-size", 1)
    assert families(every) == {0: {"a", "b", "c"}, 1: {"d", "e"}, 2: {"f"}}
    none = run(*words, "--min-size", 4)
    assert (none.exit_code, none.stdout) == (0, "path,family,size\n")
    assert "6 images: 0 families of 4 or more, with 0 of them; " in none.stderr


def test_families_keep_their_numbers_when_the_table_grows():
    write_line("line", a=0, b=1, d=100, e=101)
    words = ("cluster", "line", "--radius", 5, "-o", "families.csv")
    assert run(*words).exit_code == 0
    write_line("line", z=200, y=201, x=202, d=100, e=101, f=102, a=0, b=1)
    again = run(*words[:-2], "--previous", "families.csv")
    assert families(again) == {0: {"a", "b"}, 1: {"d", "e", "f"}, 2: {"x", "y", "z"}}
    assert run(*words, "--previous", "families.csv").exit_code == 0
    assert Path("families.csv").read_text() == again.stdout
    # Family 1 is gone. A number that the file holds is not given to a new family.
    write_line("line", a=0, b=1, z=200, y=201, n=50, m=51)
    last = run(*words[:-2], "--previous", "families.csv")
    assert families(last) == {0: {"a", "b"}, 2: {"y", "z"}, 3: {"m", "n"}}


def test_paths_in_the_previous_file_may_be_spelled_otherwise():
    write_line("line", **{"photos/a": 0, "photos/b": 1})
    Path("previous.csv").write_text("path,family,size\n./photos//a,5,2\nphotos/../photos/b,5,2\n")
    found = run("cluster", "line", "--radius", 5, "--previous", "previous.csv")
    assert families(found) == {5: {"a", "b"}}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("path,family,size\na,first,1\n", "the family is not a whole number"),
        ("path,family,size\na\n", "the family is not a whole number"),
        ("file,family\na,1\n", "its columns are not path, family, size"),
        # A list of duplicates:
        ("family,role,path,kept\n0,keep,a,\n", "its columns are not path, family, size"),
    ],
)
def test_a_previous_file_without_families_is_refused(text, reason):
    write_line("line", a=0, b=1)
    Path("previous.csv").write_text(text)
    refused = run("cluster", "line", "--radius", 5, "--previous", "previous.csv")
    assert (refused.exit_code, refused.stdout) == (2, "")
    said = " ".join(refused.stderr.split())
    assert "previous.csv is not a list of families" in said
    assert reason in said


def test_turned_images_join_their_family(photos, table):
    words = ("cluster", table, "--radius", 40)
    assert families(run(*words)) == {0: {"0.png", "0 again.png"}}
    mirrored = families(run(*words, "--orientations", "mirror"))
    assert set(map(frozenset, mirrored.values())) == {
        frozenset({"0.png", "0 again.png"}),
        frozenset({"1.png", "1 mirrored.png"}),
    }
    turned = families(run(*words, "--orientations", "all"))
    assert turned == {
        0: {"1.png", "1 mirrored.png", "1 turned.png"},
        1: {"0.png", "0 again.png"},
    }
    refused = run(*words, "--orientations", "all", "--by", "spheres")
    assert refused.exit_code == 2
    assert "--orientations needs --by components, not spheres" in refused.stderr


def test_the_method_names_a_column_of_a_csv_file_of_another_program():
    Path("own.csv").write_text(
        "path,mine\na,00000000000000ff\nb,00000000000000fe\nc,ffffffffffff0000\n"
    )
    words = ("own.csv", "--method", "mine")
    assert families(run("cluster", *words, "--radius", 5)) == {0: {"a", "b"}}
    assert run("match", "00000000000000ff", "--in", *words, "--radius", 0).exit_code == 2
    assert '"path","mine","error"' in run("export", *words).stdout
    refused = run("cluster", "own.csv", "--method", "other", "--radius", 5)
    assert refused.exit_code == 2
    assert "own.csv has no hashes of 'other'" in refused.stderr


def test_json_has_one_family_per_line():
    write_line("line", a=0, b=1, c=100)
    printed = run("cluster", "line", "--radius", 5, "--format", "json", "--min-size", 1).stdout
    assert [json.loads(line) for line in printed.splitlines()] == [
        {"family": 0, "size": 2, "paths": ["a", "b"]},
        {"family": 1, "size": 1, "paths": ["c"]},
    ]


def test_a_page_shows_the_families(photos, table):
    done = run("cluster", table, "--radius", 40, "--html", "review.html")
    assert (done.exit_code, done.stdout) == (0, "")
    page = Path("review.html").read_text()
    assert "0 again.png" in page
    assert "finhash threshold hashes --method find --verdicts verdicts.csv" in page
    assert run("cluster", table, "--html", "photos").exit_code == 2
    other = run("cluster", table, "--radius", 40, "--min-quality", 30, "--html", "review.html")
    assert other.exit_code == 0
    command = "finhash threshold hashes --method find --min-quality 30 --verdicts verdicts.csv"
    assert command in Path("review.html").read_text()


def test_a_sheet_shows_images_as_they_were_hashed(photos):
    for name in ("a.png", "b.png"):
        clear = drawn(5).convert("RGBA")
        clear.putalpha(
            Image.linear_gradient("L").resize(clear.size).point(lambda v: v > 99 and 255)
        )
        clear.save(photos / name)
    options = ("--background", "#00ff00", "-o", "green", "--executor", "serial")
    assert run("hash", photos / "a.png", photos / "b.png", *options).exit_code == 0
    assert run("cluster", "green", "--sheet", "sheet.png", "--min-quality", 0).exit_code == 0
    with Image.open("sheet.png") as sheet:
        assert sheet.getpixel((48, 20)) == (0, 255, 0)


def test_images_of_low_quality_are_left_out(flats):
    found = run("cluster", flats)
    assert families(found) == {0: {"0.png", "0 again.png"}}
    left_out = f"left out 2 images with a quality below {LOWEST}; --min-quality 0 keeps them"
    assert left_out in found.stderr
    assert run("cluster", flats, "--quiet").stderr == ""
    every = run("cluster", flats, "--min-quality", 0)
    assert {"flat.png", "flat again.png"} in families(every).values()
    assert "left out" not in every.stderr


def test_the_page_has_the_quality_of_images_that_are_kept(flats):
    assert run("cluster", flats, "--min-quality", 0, "--html", "review.html").exit_code == 0
    page = Path("review.html").read_text()
    assert len(json.loads(page.split('id="data">')[1].split("</script>")[0])["poor"]) == 2
