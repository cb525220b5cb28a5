"""``finhash match``: kinds of queries, thresholds, nearest images, orientations."""

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from finhash import HashTable, find_hash, thresholds
from finhash.quality import LOWEST
from tests.commands.conftest import Turn, drawn, run

EXIF_ORIENTATION = 0x0112


def rows(result: Result) -> list[tuple[str, ...]]:
    """Return the printed rows, with the last part of each path."""
    assert result.exit_code == 0, result.stderr
    _header, *found = csv.reader(io.StringIO(result.stdout))
    return [(Path(query).name, Path(path).name, *rest) for query, path, *rest in found]


def test_the_default_threshold_is_that_for_a_search(photos, table):
    """A made table holds a hash at the threshold and one beyond it."""
    own = HashTable.read(table).hashes("find")[0]
    radius = thresholds.threshold("search", "find")
    bits = np.arange(256) < np.array([[radius], [radius + 1]])
    HashTable.from_hashes(["at", "beyond"], {"find": own ^ np.packbits(bits, axis=1)}).write("made")
    found = run("match", own.tobytes().hex(), "--in", "made")
    assert [row[1:] for row in rows(found)] == [("at", str(radius))]
    assert f"threshold: {radius} bits, the default of find for a search" in found.stderr
    assert "threshold" not in run("match", photos, "--in", table, "--radius", 9).stderr
    assert "threshold" not in run("match", photos, "--in", table, "--quiet").stderr


def test_a_query_is_no_match_of_itself_however_its_path_is_spelled(photos, table):
    for query in (photos / "0.png", f"./{photos}/../{photos}/0.png", (photos / "0.png").absolute()):
        assert rows(run("match", query, "--in", table)) == [("0.png", "0 again.png", "0")]
    own = run("match", photos / "0.png", "--in", table, "--self")
    assert [row[1] for row in rows(own)] == ["0 again.png", "0.png"]
    shutil.copy(photos / "0.png", "0.png")  # another file of that name
    assert [row[1] for row in rows(run("match", "0.png", "--in", table))] == [
        "0 again.png",
        "0.png",
    ]


def test_the_nearest_images_with_and_without_a_threshold(photos, table):
    paths = sorted(photos.iterdir())
    nearest = rows(run("match", photos, "--in", table, "-k", 2))
    assert len(nearest) == 2 * len(paths)
    hashes = [find_hash(path) for path in paths]
    for query, path in enumerate(paths):
        apart = sorted(int(hashes[query] - h) for k, h in enumerate(hashes) if k != query)
        assert [int(d) for q, _, d in nearest if q == path.name] == apart[:2]
    within = rows(run("match", photos, "--in", table, "-k", 2, "--radius", 10))
    assert [row[:2] for row in within] == [("0 again.png", "0.png"), ("0.png", "0 again.png")]
    assert len(rows(run("match", photos / "2.png", "--in", table, "-k", 99))) == len(paths) - 1
    assert run("match", photos, "--in", table, "-k", 0).exit_code == 2


def test_hashes_in_hexadecimal_digits_are_queries(photos, table):
    digits = str(find_hash(photos / "0.png"))
    found = [(digits, "0 again.png", "0"), (digits, "0.png", "0")]
    assert rows(run("match", digits, "--in", table)) == found
    upper = rows(run("match", digits.upper(), photos / "2.png", "--in", table, "-k", 1))
    assert [row[0] for row in upper] == [digits.upper(), "2.png"]
    shutil.copy(photos / "0.png", digits)  # the name of a file comes first
    Path(photos, "0 again.png").write_bytes(b"")
    assert [row[1] for row in rows(run("match", digits, "--in", table))] == [
        "0 again.png",
        "0.png",
    ]
    for text in (digits[1:], "g" + digits[1:], "missing.jpg"):
        refused = run("match", text, "--in", table)
        assert refused.exit_code == 2
        message = " ".join(refused.stderr.split())
        assert f"{text!r}, which is neither a file or folder nor a hash of 64" in message


def test_tables_are_queries(photos, table):
    within = rows(run("match", table, "--in", table))
    assert within == [("0 again.png", "0.png", "0"), ("0.png", "0 again.png", "0")]
    HashTable.read(table).filter(lambda path: path.endswith("2.png")).write("other.parquet")
    digits = str(find_hash(photos / "0.png"))
    mixed = rows(run("match", "other.parquet", digits, photos / "0.png", "--in", table, "-k", 1))
    assert [row[0] for row in mixed] == ["2.png", digits, "0.png"]
    run("hash", photos, "-o", "others", "--executor", "serial", "--method", "dhash64")
    refused = run("match", "others", "--in", table)
    assert refused.exit_code == 2
    assert "it has: dhash64" in refused.stderr


def test_a_folder_of_images_that_holds_hashes_too_is_a_folder_of_images(photos, table):
    for part in table.iterdir():
        shutil.copy(part, photos)
    names = {row[0] for row in rows(run("match", photos, "--in", table, "--self"))}
    assert names == {path.name for path in photos.glob("*.png")}


def test_tables_of_other_software_are_warned_of(photos, table):
    old = HashTable.read(table)
    versions = {**old.provenance["versions"], "pillow": "1.0"}
    old.with_provenance(versions=versions).write("old.parquet")
    old.with_provenance(versions=None).write("unknown.parquet")
    assert run("match", "old.parquet", "--in", "old.parquet", "--quiet").stderr == ""
    differs = run("match", table, "--in", "old.parquet")
    assert f"pillow 1.0 instead of {old.provenance['versions']['pillow']}" in differs.stderr
    unknown = run("match", "unknown.parquet", "--in", table)
    assert "unknown.parquet does not say which versions" in unknown.stderr


@pytest.mark.parametrize(
    ("which", "found"),
    [
        (None, {}),
        ("mirror", {"1 mirrored.png": "flip_left_right"}),
        ("rotate", {"1 turned.png": "rotate_90"}),
        ("all", {"1 mirrored.png": "flip_left_right", "1 turned.png": "rotate_90"}),
    ],
)
def test_images_are_found_in_other_orientations(photos, table, which, found):
    words = ("--orientations", which) if which else ()
    exact = rows(run("match", photos / "1.png", "--in", table, *words))
    assert {row[1]: row[3] for row in exact} == found
    assert {row[2] for row in exact} <= {"0"}
    digits = str(find_hash(photos / "1.png"))
    about = rows(run("match", digits, "--in", table, *words))
    expected = {"1.png": "original", **found} if which else {"1.png": "0"}
    assert {row[1]: row[-1] for row in about} == expected
    assert all(int(row[2]) < 40 for row in about)


def test_each_image_is_listed_once_in_its_nearest_orientation(photos, table):
    found = rows(run("match", photos, "--in", table, "--orientations", "all", "--radius", 256))
    assert len(found) == len({row[:2] for row in found}) == 6 * 5
    nearest = rows(run("match", photos, "--in", table, "--orientations", "all", "-k", 3))
    kept = []
    for name in dict.fromkeys(row[0] for row in found):
        kept += [row for row in found if row[0] == name][:3]
    assert [(row[0], row[2]) for row in nearest] == [(row[0], row[2]) for row in kept]
    plain = rows(run("match", photos, "--in", table, "--radius", 256))
    farther = {row[:2]: int(row[2]) for row in plain}
    assert all(int(row[2]) <= farther[row[:2]] for row in found)


def test_hashes_that_cannot_be_turned_are_refused(photos):
    run("hash", photos, "-o", "others", "--executor", "serial", "--method", "dhash64")
    words = ("--in", "others", "--method", "dhash64", "--orientations", "mirror")
    refused = run("match", "others", *words)
    assert refused.exit_code == 2
    assert "'dhash64' cannot be turned without their images" in " ".join(refused.stderr.split())
    assert ("1.png", "1 mirrored.png", "0", "flip_left_right") in rows(run("match", photos, *words))


def test_the_exif_orientation_is_honoured_if_asked(photos, table):
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    drawn(2).transpose(Turn.ROTATE_90).save("camera.png", exif=exif)
    assert rows(run("match", "camera.png", "--in", table)) == []
    assert rows(run("match", "camera.png", "--in", table, "--exif")) == [
        ("camera.png", "2.png", "0")
    ]
    turned = rows(run("match", "camera.png", "--in", table, "--orientations", "rotate"))
    assert turned == [("camera.png", "2.png", "0", "rotate_270")]


def test_json_and_files(photos, table):
    words = ("match", photos / "1.png", "--in", table, "--orientations", "mirror")
    printed = run(*words, "--format", "json").stdout
    (found,) = map(json.loads, printed.splitlines())
    assert (found["query"], Path(found["path"]).name) == ("photos/1.png", "1 mirrored.png")
    assert (found["distance"], found["orientation"]) == (0, "flip_left_right")
    written = run(*words, "--format", "json", "-o", "found.json")
    assert (written.stdout, Path("found.json").read_text()) == ("", printed)


def test_images_that_were_deleted_are_counted(photos, table):
    (photos / "0 again.png").unlink()
    found = run("match", photos / "0.png", "--in", table)
    assert rows(found) == [("0.png", "0 again.png", "0")]
    assert "no file is at 1 of 1 listed paths" in " ".join(found.stderr.split())
    assert "no file is at" not in run("match", photos / "0.png", "--in", table, "--quiet").stderr
    other = run("match", photos / "1.png", "--in", table, "--orientations", "mirror")
    assert len(rows(other)) == 1
    assert "no file is at" not in other.stderr


def test_an_empty_table_has_no_matches(photos, table):
    HashTable.read(table).filter(lambda path: False).write("none.parquet")
    for words in (["--radius", 9], ["-k", 3], ["--orientations", "all"]):
        assert rows(run("match", photos, "--in", "none.parquet", *words)) == []
        assert rows(run("match", "none.parquet", "--in", table, *words)) == []


def test_images_of_low_quality_are_not_looked_up(photos, flats):
    found = run("match", photos / "flat.png", photos / "0.png", "--in", flats)
    assert rows(found) == [("0.png", "0 again.png", "0")]
    assert f"left out 2 images with a quality below {LOWEST}" in found.stderr
    assert f"1 query with a quality below {LOWEST}; matches would mean little" in found.stderr
    assert "photos/flat.png\n" in found.stderr
    assert "2 queries, 1 with matches; 1 match" in found.stderr
    every = run("match", photos / "flat.png", "--in", flats, "--min-quality", 0)
    assert rows(every) == [("flat.png", "flat again.png", "0")]
    assert "quality" not in every.stderr
    assert run("match", photos, "--in", flats, "--min-quality", 101).exit_code == 2


def test_queries_of_tables_and_hashes_are_of_known_or_unknown_quality(photos, flats):
    table = run("match", flats, "--in", flats)
    assert {row[0] for row in rows(table)} == {"0.png", "0 again.png"}
    assert f"2 queries with a quality below {LOWEST}" in table.stderr
    digits = str(find_hash(photos / "flat.png"))
    assert rows(run("match", digits, "--in", flats)) == []
    words = ("--executor", "serial", "--no-quality")
    assert run("hash", photos, "-o", "unknown", *words).exit_code == 0
    for query in (digits, "unknown"):
        found = run("match", query, "--in", "unknown")
        assert ("flat.png" if query == "unknown" else digits) in {row[0] for row in rows(found)}
        assert "left out" not in found.stderr


def test_queries_are_prepared_as_the_table_was(photos):
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    drawn(2).transpose(Turn.ROTATE_90).save("camera.png", exif=exif)
    clear = drawn(5).convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    clear.save(photos / "clear.png")
    options = ("--exif", "--background", "white")
    run("hash", photos, "-o", "prepared", "--executor", "serial", *options)
    run("hash", photos, "-o", "stored", "--executor", "serial")
    assert rows(run("match", "camera.png", "--in", "prepared")) == [("camera.png", "2.png", "0")]
    query = ("match", photos / "clear.png", "--self", "-k", 1)
    for table in ("prepared", "stored"):
        assert rows(run(*query, "--in", table)) == [("clear.png", "clear.png", "0")]
    differs = run("match", "stored", "--in", "prepared")
    assert "the images of stored were hashed with no preparation" in differs.stderr
