"""Which hash at which threshold: the tables, the notes, the folder and wrong input."""

import math
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image

from finhash import methods
from finhash.accuracy import findings, labels, rates
from finhash.evaluation import Evaluation, evaluate
from finhash.tables.hash_table import HashTable

COLUMNS = [
    *("method", "bits", "threshold", "margin", "recall", "recall_low", "recall_high"),
    *("fpr", "fpr_high", "auc", "ms_per_image", "bytes"),
]


def table_of(families: list[int], *, flips: float = 0.08, seed: int = 0, **bits: int) -> HashTable:
    """Return random hashes around one centre per family; a method's name gives its bits."""
    rng = np.random.default_rng(seed)
    columns = {"path": [f"{family:04d}_{k}.jpg" for k, family in enumerate(families)]}
    for name, length in bits.items():
        centres = rng.integers(0, 256, (max(families) + 1, length // 8), dtype=np.uint8)
        noise = np.packbits(rng.random((len(families), length)) < flips, axis=1)
        rows = [row.tobytes() for row in centres[families] ^ noise]
        columns[name] = pa.array(rows, pa.binary(length // 8))
    return HashTable(pa.table({**columns, "error": [""] * len(families)}))


def quiet(images, *arguments, **options) -> Evaluation:
    """Evaluate without progress bars; warnings are errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return evaluate(images, *arguments, progress=False, **options)


@pytest.fixture(scope="module")
def many() -> Evaluation:
    """Evaluation of 120 families of four images; the short hash is worse."""
    table = table_of(sorted([*range(120)] * 4), flips=0.12, find=256, dhash64=64)
    return quiet(table, fpr=1e-3)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder of three families of three images, one unreadable file among them."""
    for family in range(3):
        noise = np.random.default_rng(family).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        for k in range(3):
            side = 60 + 4 * k
            image = Image.fromarray(noise).resize((side, side), Image.Resampling.BICUBIC)
            image.save(tmp_path / f"{family:04d}_{k}.png")
    (tmp_path / "0002_9.png").write_text("this is not an image")
    return tmp_path


def test_the_table_holds_rates_over_all_pairs(many):
    assert list(many.methods.columns) == COLUMNS
    assert list(many.methods["method"]) == ["find", "dhash64"]
    for row in many.methods.itertuples():
        counts = many.histograms[many.histograms["method"] == row.method]
        _, fpr, recall = rates.roc(counts["same"], counts["other"]).iloc[row.threshold]
        assert (row.fpr, row.recall) == pytest.approx((fpr, recall))
        assert row.recall_low <= row.recall <= row.recall_high
        assert row.fpr <= row.fpr_high <= 1e-3
        best, _ = rates.at_fpr(counts["same"].to_numpy(), counts["other"].to_numpy(), 1e-3)
        assert row.threshold <= row.threshold + row.margin <= best
        assert row.bytes * 8 == row.bits == counts["distance"].max()
        assert math.isnan(row.ms_per_image)
    assert (many.images, many.families) == (480, 120)


def test_a_worse_hash_is_told_apart(many):
    row = many.comparisons.iloc[0]
    assert (row["method"], row["against"]) == ("find", "dhash64")
    assert row["difference"] == pytest.approx(-np.diff(many.methods["recall"])[0])
    assert row["low"] <= row["difference"] <= row["high"]
    assert row["p"] < findings.LEVEL < row["p_equivalent"]
    assert any("finds less than find" in note for note in many.notes)
    assert "Use find with a threshold of" in many.answer


@pytest.mark.parametrize("families", [2, 3, 10])
def test_few_families_give_a_threshold_that_is_not_promised(families):
    found = quiet(table_of(sorted([*range(families)] * 3), find=256, dhash64=64))
    assert (found.methods["margin"] == 0).all()
    assert (found.methods["fpr_high"] > found.fpr).all()
    assert (
        found.methods["recall"]
        .between(found.methods["recall_low"], found.methods["recall_high"])
        .all()
    )
    assert (found.comparisons["p"] > findings.LEVEL).all()
    assert any("on unseen families takes at least 252" in note for note in found.notes)
    assert any("allows no false match" in note for note in found.notes)


def test_a_family_needs_two_images_for_recall_only():
    found = quiet(table_of([0, 0, 1, 2, 3, 4], find=256))
    assert found.methods[["recall_low", "recall_high"]].to_numpy().tolist() == [[0, 1]]
    assert any("4 families have one image only" in note for note in found.notes)
    assert found.comparisons.empty


def test_equal_hashes_of_two_families_leave_no_threshold():
    table = table_of([0, 0, 1, 1], flips=0, find=256)
    hashes = pa.array([b"\0" * 32] * 4, pa.binary(32))
    found = quiet(HashTable(table.arrow.set_column(1, "find", hashes)))
    row = found.methods.iloc[0]
    assert (row["threshold"], row["recall"], row["fpr"]) == (-1, 0, 0)
    assert found.answer.startswith("No hash meets")


def test_verdicts_merge_families_and_mark_their_pairs():
    families = sorted([*range(40)] * 3)
    table = table_of(families, find=256, dhash64=64)
    twins = [family - (family == 39) for family in families]  # families 38 and 39 show one image
    same = table_of(twins, find=256, dhash64=64).arrow.set_column(0, "path", table.arrow["path"])
    verdicts = pd.DataFrame([("38", "0039", "same")], columns=["first", "second", "verdict"])
    before, after = quiet(HashTable(same)), quiet(HashTable(same), verdicts=verdicts)
    assert (before.families, after.families) == (40, 39)
    assert before.pairs.iloc[0][["first", "second", "verdict"]].tolist() == ["0038", "0039", ""]
    assert after.pairs.iloc[0]["verdict"] == "same"
    assert after.pairs.iloc[0]["first_images"][0].startswith("0038_")
    assert after.methods["auc"].max() > before.methods["auc"].max()
    assert any("Nobody has judged" in note for note in before.notes)
    assert not any("Nobody has judged" in note for note in after.notes)


def test_images_are_hashed_and_unreadable_files_noted(photos):
    paths = sorted(photos.glob("*.png"))
    found = quiet(paths, methods=["find", "dhash64"], fpr=0.01)
    assert found.images == 9
    assert (found.methods["ms_per_image"] > 0).all()
    assert any("1 of 10 files has no hash" in note for note in found.notes)
    assert any("NotAnImageError" in note for note in found.notes)
    assert quiet(paths, ["a", "b"] * 5, methods=["find"]).families == 2
    assert quiet(paths, [7, 8] * 5, methods=["find"]).families == 2


def test_rows_without_a_hash_of_a_method_are_left_out_and_noted():
    whole = table_of(sorted([*range(6)] * 3), find=256, dhash64=64)
    short = [None if row in (4, 5) else one for row, one in enumerate(whole.column("dhash64"))]
    place = whole.arrow.column_names.index("dhash64")
    column = pa.array(short, pa.binary(8))
    table = HashTable(whole.arrow.set_column(place, "dhash64", column))
    assert quiet(table, methods=["find"], fpr=0.01).images == 18
    found = quiet(table, fpr=0.01)
    assert found.images == 16
    assert any("2 of 18 files have no hash" in n and "dhash64" in n for n in found.notes)
    expected = quiet(table.without_errors(), fpr=0.01)
    pd.testing.assert_frame_equal(found.methods, expected.methods)


def test_a_registered_hash_joins(photos):
    def corner(image: Image.Image) -> np.ndarray:
        return np.asarray(image.convert("L").resize((8, 1))).ravel()

    methods.register("corner", corner, bits=64)
    try:
        found = quiet(sorted(photos.glob("*.png")), methods=["corner", "find"], fpr=0.01)
    finally:
        del methods.METHODS["corner"]
    assert set(found.methods["method"]) == {"corner", "find"}


def test_approximate_methods_are_evaluated_only_if_named(photos):
    paths = sorted(photos.glob("*.png"))
    assert set(quiet(paths, fpr=0.01).methods["method"]) == methods.BUILT_IN - {"find_luma"}
    assert set(quiet(paths, methods=["find_luma"]).methods["method"]) == {"find_luma"}


def test_methods_whose_package_is_missing_are_left_out(monkeypatch, photos):
    monkeypatch.setitem(sys.modules, "pdqhash", None)
    monkeypatch.setattr(methods, "METHODS", {name: methods.get(name) for name in ("find", "pdq")})
    found = quiet(sorted(photos.glob("*.png")), fpr=0.01)
    assert "pdq" not in set(found.methods["method"])
    assert any(note.startswith("pdq was left out") for note in found.notes)
    with pytest.raises(ImportError, match="pip install pdqhash"):
        quiet(sorted(photos.glob("*.png")), methods=["pdq"])


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        ([0, 0], {}, "have one label"),
        ([0, 1, 2], {}, "have one image"),
        ([0], {}, "at least 2"),
        ([0, 0, 1], {"labels": ["a"]}, "number of labels is 1"),
        ([0, 0, 1], {"labels": ["a", "a", None]}, "label of"),
        ([0, 0, 1], {"labels": ["a", "a", float("nan")]}, "label of"),
        ([0, 0, 1], {"methods": ["md5"]}, "no hashes of md5"),
        ([0, 0, 1], {"methods": []}, "no method"),
        ([0, 0, 1], {"fpr": 0}, "between 0 and 1"),
        ([0, 0, 1], {"workers": 0}, "at least 1"),
    ],
)
def test_wrong_input_is_one_sentence(given, options, message):
    with pytest.raises(ValueError, match=message):
        quiet(table_of(given, find=256), **options)


def test_unknown_methods_and_unreadable_sets_are_refused(photos):
    with pytest.raises(ValueError, match="unknown method 'md5'"):
        quiet(sorted(photos.glob("*.png")), methods=["md5"])
    missing = [photos / f"{k:04d}_{j}.png" for k in (7, 8) for j in (0, 1)]
    with pytest.raises(ValueError, match="no image after 4 files without a hash"):
        quiet(missing, methods=["find"])


def test_labels_come_from_names_or_folders():
    assert labels.from_paths(["a/12_3.jpg", "b/12_4.png"]).tolist() == ["12", "12"]
    assert labels.from_paths(["cat/12_3.jpg", "dog/x.png"]).tolist() == ["cat", "dog"]
    with pytest.raises(ValueError, match=r"no labels.*'x\.png'"):
        labels.from_paths(["cat/12_3.jpg", "cat/x.png"])


def test_labels_are_read_relative_to_their_file_or_here(tmp_path, monkeypatch):
    (tmp_path / "set").mkdir()
    file = tmp_path / "set" / "labels.csv"
    file.write_text(f"Path, label, by\na.jpg, cat, me\nset/b.jpg,dog,me\n{tmp_path}/c.jpg,fox,me\n")
    monkeypatch.chdir(tmp_path)
    images = ["set/a.jpg", tmp_path / "set" / "b.jpg", "c.jpg"]
    assert labels.read(file, images).tolist() == ["cat", "dog", "fox"]
    with pytest.raises(ValueError, match=r"no label for 1 of 4 images, for example 'd\.jpg'"):
        labels.read(file, [*images, "d.jpg"])
    for text, message in [
        ("path,kind\na,b\n", "no column label"),
        ("", "no column path and no column label"),
        ("path,label\na,\n", "line 2 has the path 'a' and the label ''"),
        ("path,label\na,b\na,c\n", "line 3: 'a' has the label 'c', but"),
    ]:
        file.write_text(text)
        with pytest.raises(ValueError, match=message):
            labels.read(file, images)
    file.write_bytes(b"path,label\n\xff,a\n")
    with pytest.raises(ValueError, match="CSV in UTF-8"):
        labels.read(file, images)


@pytest.mark.slow
def test_the_folder_is_complete_and_its_page_escapes_text(many, tmp_path):
    strange = many.methods.assign(method=["<b>find</b>", "dhash64"])
    histograms = many.histograms.replace({"method": {"find": "<b>find</b>"}})
    found = Evaluation(
        **{**vars(many), "methods": strange, "histograms": histograms, "notes": ["<i>$x_1$</i>"]}
    )
    found.write(tmp_path / "new" / "answer", command="finhash evaluate 'a & b'")
    folder = tmp_path / "new" / "answer"
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["comparisons.csv", "methods.csv", "index.html"]
        + [f"{name}.{kind}" for name in ("recall", "roc", "distances") for kind in ("png", "svg")]
    )
    page = (folder / "index.html").read_text()
    assert "<b>" not in page
    assert "&lt;i&gt;$x_1$" in page
    assert "finhash evaluate &#x27;a &amp; b&#x27;" in page
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert page.index("Use find with") < page.index("<table") < page.index("<figure")
    written = pd.read_csv(folder / "methods.csv")
    assert list(written.columns) == COLUMNS
    assert written["threshold"].tolist() == many.methods["threshold"].tolist()


def test_the_page_of_pairs_repeats_verdicts_that_it_does_not_show(many, tmp_path):
    first, second, *_ = many.pairs.iloc[0]
    given = [(first, second, "same"), ("0000", "none of these", "variant")]
    verdicts = pd.DataFrame(given, columns=["first", "second", "verdict"])
    pairs = many.pairs.head(1).assign(verdict="same")
    found = Evaluation(**{**vars(many), "pairs": pairs, "verdicts": verdicts})
    found.review(tmp_path / "review.html")
    text = (tmp_path / "review.html").read_text()
    assert f"{first} and {second}" in text
    assert '"others": [["0000", "none of these", "variant"]]' in text


@pytest.mark.slow
def test_the_committed_hashes_give_the_numbers_of_notebook_05():
    from finhash.study.accuracy import twins
    from finhash.study.data import committed

    names = ["find", "dhash256", "phash64"]
    verdicts = twins.known("memes")[["first", "second", "verdict"]]
    found = quiet(committed.load(names), verdicts=verdicts, workers=2)
    assert (found.images, found.families) == (55_972, 956)
    rows = found.methods.set_index("method")
    folder = Path(__file__).parents[1] / "data" / "results"
    expected = pd.read_csv(folder / "rates.csv").query("labels == 'merged'").set_index("method")
    ruled = pd.read_csv(folder / "thresholds.csv").query("use == 'search'").set_index("method")
    for name in names:
        row = rows.loc[name]
        assert row["auc"] == pytest.approx(expected.loc[name, "auc"], rel=1e-8)
        for column in ("threshold", "margin", "fpr_high"):
            assert row[column] == pytest.approx(ruled.loc[name, column], rel=1e-6)
    assert rows.loc["find", "threshold"] == 72
    for name in names:
        counts = found.histograms[found.histograms["method"] == name]
        radius, recall = rates.at_fpr(counts["same"].to_numpy(), counts["other"].to_numpy(), 1e-4)
        assert radius == expected.loc[name, "radius_1e-04"]
        assert recall == pytest.approx(expected.loc[name, "tpr_1e-04"], rel=1e-8)
