"""Verdicts on pairs of families, and the labellings that follow from them."""

import numpy as np
import pandas as pd
import pytest

from finhash.accuracy import counting, verdicts
from tests.accuracy.conftest import on_a_line


def judged(*rows: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["first", "second", "verdict"])


def written(folder, text: str, encoding: str = "utf-8"):
    path = folder / "verdicts.csv"
    path.write_text(text, encoding=encoding)
    return path


def test_reading_tolerates_spaces_blank_lines_capitals_and_further_columns(tmp_path):
    text = (
        "\n First , Note,second,verdict\n\n 0085 ,x, 86 ,Same\n"
        ' cats , , "dogs, wet ",VARIANT,\n  \n,,,\nNA,,null,different\n'
    )
    for encoding in ("utf-8", "utf-8-sig"):
        found = verdicts.read(written(tmp_path, text, encoding))
        assert list(found) == ["first", "second", "verdict"]
        assert found.to_numpy().tolist() == [
            ["0085", "86", "same"],
            ["cats", "dogs, wet", "variant"],
            ["NA", "null", "different"],
        ]


def test_a_file_without_verdicts_is_an_empty_table(tmp_path):
    found = verdicts.read(written(tmp_path, "first,second,verdict\n"))
    assert found.empty
    assert list(verdicts.labellings([1, 2], found)) == ["as labelled"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "verdicts.csv is empty; its first line must be first,second,verdict"),
        ("first,second\n1,2\n", "line 1: no column verdict among first, second"),
        ("first;second;verdict\n", "no column first, second, verdict among first;second;verdict"),
        ("first,second,verdict\n\n1,2,equal\n", "line 3: unknown verdict 'equal'; use one of same"),
        ("first,second,verdict\n1,2\n", "line 2: unknown verdict ''"),
        ("first,second,verdict\n1,,same\n", "line 2: '1,,same' lacks a family"),
        ("first,second,verdict\na,b, c,same\n", "line 2: 4 values in 3 columns"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(tmp_path, text, message):
    with pytest.raises(ValueError) as error:
        verdicts.read(written(tmp_path, text))
    assert message in str(error.value)
    assert str(tmp_path) in str(error.value)


def test_another_encoding_is_an_error_that_names_the_file(tmp_path):
    path = written(tmp_path, "first,second,verdict\nmüde,b,same\n", "latin-1")
    with pytest.raises(ValueError, match=r"verdicts\.csv cannot be read as CSV.*UTF-8"):
        verdicts.read(path)


@pytest.mark.parametrize("labels", [[85, 86, 85], ["0085", "0086", "0085"], ["85", "86", "85"]])
@pytest.mark.parametrize("value", ["85", "0085", " 085", "1.jpg", "0085/3.jpg", "/set/0085/3.jpg"])
def test_a_value_is_a_family_or_an_image(labels, value):
    paths = ["/set/0085/1.jpg", "/set/0086/2.jpg", "/set/0085/3.jpg"]
    found = verdicts.resolve(labels, judged((value, "86", "same")), paths)
    assert found.to_numpy().tolist() == [[labels[0], labels[1], "same"]]


def test_a_relative_path_may_be_given_in_full(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = judged((str(tmp_path / "a" / "1.jpg"), "dog", "same"))
    found = verdicts.resolve(["cat", "dog"], given, ["a/1.jpg", "b/1.jpg"])
    assert found["first"].tolist() == ["cat"]


def test_a_value_that_means_nothing_is_named():
    given = judged(("cat", "dog", "same"), ("cat", "brid", "same"))
    with pytest.raises(ValueError, match="'brid', which is neither a family nor an image"):
        verdicts.resolve(["bird", "cat", "dog"], given, ["1.jpg", "2.jpg", "3.jpg"])
    kept = verdicts.resolve(["bird", "cat", "dog"], given, missing="ignore")
    assert kept["second"].tolist() == ["dog"]


def test_a_value_that_may_mean_two_families_is_named():
    with pytest.raises(ValueError, match=r"'1\.jpg', which may mean 2 families"):
        verdicts.resolve(["cat", "dog"], judged(("1.jpg", "cat", "same")), ["a/1.jpg", "b/1.jpg"])
    with pytest.raises(ValueError, match="'085', which may mean 2 families"):
        verdicts.resolve(["85", "0085", "7"], judged(("085", "7", "same")))
    exact = verdicts.resolve(["85", "0085", "7"], judged(("0085", "7", "same")))
    assert exact["second"].tolist() == ["7"]


def test_the_last_verdict_on_a_pair_counts_in_either_order():
    given = judged(("1", "2", "same"), ("3", "1", "variant"), ("002", "1", "different"))
    found = verdicts.resolve([1, 2, 3], given)
    assert found.to_numpy().tolist() == [[1, 3, "variant"], [1, 2, "different"]]
    truths = verdicts.labellings([1, 2, 3], given)
    assert truths["merged"].tolist() == [0, 1, 2]
    assert truths["merged with variants"].tolist() == [0, 1, 0]


def test_a_verdict_within_a_family_changes_nothing():
    given = judged(("1.jpg", "2.jpg", "different"))
    assert verdicts.resolve(["cat", "cat"], given, ["1.jpg", "2.jpg"]).empty
    truths = verdicts.labellings(["cat", "cat"], given, ["1.jpg", "2.jpg"])
    assert [values.tolist() for values in truths.values()] == [["cat", "cat"], [0, 0], [0, 0]]


def test_a_chain_of_verdicts_is_one_family():
    given = judged(("a", "b", "same"), ("b", "c", "same"), ("a", "c", "different"))
    assert verdicts.labellings(["a", "b", "c", "d"], given)["merged"].tolist() == [0, 0, 0, 1]
    pairs = pd.DataFrame({"first": [0, 1, 2], "second": [1, 4, 99]})
    assert verdicts.merged(np.arange(5), pairs).tolist() == [0, 0, 1, 2, 0]
    assert verdicts.merged(np.arange(5), pairs[:0]).tolist() == [0, 1, 2, 3, 4]


def test_merging_removes_false_claims():
    families, hashes = np.array([5, 5, 6, 9]), on_a_line([0, 1, 2, 8])
    merged = verdicts.merged(families, pd.DataFrame({"first": [6], "second": [5]}))
    assert merged.tolist() == [0, 0, 0, 1]
    counts = counting.count_pairs(hashes, {"given": families, "merged": merged}, 10)
    assert counts["given"].rates()[0][[2, 10]].tolist() == [2 / 5, 1]
    assert counts["merged"].rates()[0][[2, 10]].tolist() == [0, 1]


def test_families_that_show_one_image_are_the_closest():
    # Claimed at radius 3: 2 of the 4 pairs of the first two families, both pairs of the last two.
    families = np.array([5, 5, 6, 6, 9, 9, 12])
    hashes = on_a_line([0, 20, 1, 21, 40, 41, 42])
    table = counting.count_pairs(hashes, {"": families}, 10)[""]
    found = verdicts.closest({"find": table}, 0.25)
    assert found.to_numpy().tolist() == [[2, 3, 1.0, 1.0], [0, 1, 0.5, 0.5]]


def test_closest_copes_with_any_threshold():
    # Families 5 at 0 and 1, 6 at 2, 9 at 8: the pairs between families lie at 2, 1, 8, 7 and 6.
    families = np.array([5, 5, 6, 9])
    table = counting.count_pairs(on_a_line([0, 1, 2, 8]), {"": families}, 4)[""]
    at_reach = verdicts.closest({"find": table, "pdq": table}, 0.9)
    expected = {"first": 0, "second": 1, "find": 1.0, "pdq": 1.0, "median": 1.0}
    assert at_reach.to_dict("records") == [expected]
    nothing = counting.count_pairs(on_a_line([0, 0, 0, 8]), {"": families}, 4)[""]
    assert nothing.radius(1e-3) == -1
    for tables in ({"find": nothing}, {"find": nothing, "pdq": nothing}):
        found = verdicts.closest(tables, 1e-3)
        assert found.empty
        assert list(found) == ["first", "second", *tables, "median"]
    mixed = verdicts.closest({"find": table, "pdq": nothing}, 0.2)
    assert mixed[["find", "pdq"]].to_numpy().tolist() == [[0.5, 0.0]]


@pytest.mark.filterwarnings("error")
def test_closest_copes_with_families_of_one_image():
    table = counting.count_pairs(on_a_line([0, 1, 30]), {"": np.array([1, 2, 3])}, 4)[""]
    assert verdicts.closest({"find": table}, 0.5)["find"].tolist() == [1.0]


def test_verdicts_on_images_merge_their_families(tmp_path):
    text = 'first,second,verdict,drawn\n"set/cat/1.jpg","set/dog/1.jpg",same,yes\n'
    given = verdicts.read(written(tmp_path, text))
    paths = ["set/cat/1.jpg", "set/cat/2.jpg", "set/dog/1.jpg", "set/cow/1.jpg"]
    truths = verdicts.labellings(["cat", "cat", "dog", "cow"], given, paths)
    assert truths["merged"].tolist() == [0, 0, 0, 1]
