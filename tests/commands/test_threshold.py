"""The command ``finhash threshold``: the table, and the sentence that says what to do."""

import csv
import io
import json
from itertools import accumulate
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import Result

from finhash import HashTable
from tests.accuracy.conftest import on_a_line
from tests.commands.conftest import run

WORDS = ("--verdicts", "verdicts.csv", "--method", "dhash64")

GAPS = [1] * 15 + [2] * 15 + [6] * 3
"""Distance of each image from the one before, in bits: 33 links of 34 images."""


@pytest.fixture(autouse=True)
def hashes(tmp_path, monkeypatch) -> None:
    """Work beside a table of these images, which are numbered from 0."""
    monkeypatch.chdir(tmp_path)
    hashes = on_a_line([0, *accumulate(GAPS)])
    table = HashTable.from_hashes(map(str, range(len(hashes))), {"dhash64": hashes})
    table.write("hashes.parquet")


def judge(verdicts: dict[int, str], more: str = "", *options: str) -> Result:
    """Run the command on verdicts on links, each given by the number of its first image."""
    lines = [f"{first},{first + 1},{verdict}\n" for first, verdict in verdicts.items()]
    Path("verdicts.csv").write_text("first,second,verdict\n" + "".join(lines) + more)
    result = run("threshold", "hashes.parquet", *WORDS, *options)
    assert result.exit_code == 0
    return result


def test_few_verdicts_give_no_range_but_the_number_of_pairs_to_judge():
    one = judge({0: "same"})
    assert one.stderr == (
        "Use --radius 1: an estimated 1 % of the links or fewer are wrong. 1 verdict is too few to "
        "say how much the answer depends on which pairs were judged; judge about 29 more.\n"
    )
    many = judge(dict.fromkeys(range(28), "same") | {30: "different"})
    assert "29 verdicts are too few" in many.stderr
    assert "judge about 1 more." in many.stderr


def test_enough_verdicts_give_a_range():
    verdicts = dict.fromkeys(range(30), "same") | {30: "different", 31: "same"}
    assert judge(verdicts, "", "--wrong", "0.02").stderr == (
        "Use --radius 2: an estimated 2 % of the links or fewer are wrong. With other pairs judged,"
        " the answer might be between 2 and 6.\n"
    )
    assert "No larger distance was judged" in judge(dict.fromkeys(range(33), "same")).stderr


def test_the_share_is_empty_where_nothing_was_judged():
    rows = list(csv.DictReader(io.StringIO(judge({15: "same", 31: "different"}).stdout)))
    shares = {int(row["threshold"]): row["wrong"] for row in rows}
    assert shares == {0: "", 1: "", 2: "0.0000", 3: "0.0000", 4: "0.0000", 5: "0.0000", 6: "0.0909"}
    assert [row["judged"] for row in rows] == ["0", "0", "1", "1", "1", "1", "2"]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("x,1,same\n", "1 verdict is on images that are not in hashes.parquet"),
        ("x,1,same\ny,1,same\n", "2 verdicts are on images that are not in hashes.parquet"),
    ],
)
def test_verdicts_on_other_images_are_counted(more, expected):
    assert judge({0: "same"}, more).stderr.splitlines()[0] == expected


def test_the_page_and_the_command_leave_out_the_same_images():
    """Images of low quality, such as blank ones, have links that the page does not show."""
    hashes = on_a_line([0, 0, 0, 3, 6])
    quality = pa.array([5, 5, 90, 90, 50], pa.int8())
    plain = HashTable.from_hashes("abcde", {"dhash64": hashes}).arrow
    HashTable(plain.append_column("quality", quality)).write("hashes.parquet")
    Path("verdicts.csv").write_text("first,second,verdict\nc,d,same\na,b,same\n")
    words = ("threshold", "hashes.parquet", "--verdicts", "verdicts.csv", "--method", "dhash64")
    found = run(*words)
    assert found.stdout.splitlines()[-1] == "3,2,1,0,0.0000"
    assert "left out 2 images with a quality below" in found.stderr
    assert "1 verdict is on images that are not in hashes.parquet or have a low quality" in (
        found.stderr
    )
    assert run(*words, "--min-quality", 0).stdout.splitlines()[-1] == "3,4,2,0,0.0000"
    assert run(*words, "--min-quality", 60).stdout.splitlines()[-1] == "3,1,1,0,0.0000"


def test_verdicts_on_images_that_are_far_apart_are_left_out():
    """They would take the distances of nearly all pairs."""
    far = judge({0: "same"}, "0,33,different\n")
    assert "\n33" not in far.stdout
    assert far.stderr.splitlines()[0] == (
        "left out 1 verdict on images that differ in more than 16 bits; --max-radius N sets "
        "another limit"
    )
    assert far.stdout == judge({0: "same"}).stdout
    wide = judge({0: "same"}, "0,33,different\n", "--max-radius", "63")
    assert "left out" not in wide.stderr
    assert wide.stdout.splitlines()[-1].startswith("63,33,2,1,")
    Path("verdicts.csv").write_text("first,second,verdict\n0,33,different\n")
    refused = run("threshold", "hashes.parquet", *WORDS)
    assert refused.exit_code == 2
    assert "no pair judged differs in 16 bits or fewer" in " ".join(refused.stderr.split())


def test_the_table_is_written_to_a_file_and_as_json():
    assert judge({15: "same"}, "", "-o", "t.csv").stdout == ""
    assert Path("t.csv").read_text() == judge({15: "same"}).stdout
    rows = [
        json.loads(line)
        for line in judge({15: "same"}, "", "--format", "json").stdout.split("\n")[:-1]
    ]
    assert rows[0] == {"threshold": 0, "links": 0, "judged": 0, "different": 0, "wrong": None}
    assert rows[-1] == {"threshold": 2, "links": 30, "judged": 1, "different": 0, "wrong": 0.0}


def test_quiet_leaves_the_table_alone():
    verdicts = {0: "same"}
    quiet = judge(verdicts, "x,1,same\n", "--quiet")
    assert (quiet.stdout, quiet.stderr) == (judge(verdicts).stdout, "")
