"""Wrong input is refused at once, with one sentence that says what to do."""

import glob
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from finhash import HashTable, cluster, evaluate, hamming, hash_files, hash_images, methods
from finhash.jobs.executors import EXECUTORS
from finhash.jobs.pairs import join_table, read_pairs
from tests.conftest import jpeg_bytes, noise


@pytest.fixture
def memes(tmp_path):
    """Create a folder of images, with a subfolder, and work beside it."""
    home = tmp_path / "memes"
    (home / "more").mkdir(parents=True)
    for k, name in enumerate(["b.jpg", "a.JPEG", "more/c.jpg"]):
        (home / name).write_bytes(jpeg_bytes(seed=k))
    (home / "notes.txt").write_text("not an image, and ignored because of its extension")
    return home


@pytest.mark.parametrize("kind", [str, lambda path: path], ids=["str", "Path"])
def test_a_folder_is_searched_like_on_the_command_line(memes, tmp_path, kind):
    table = hash_files(kind(memes), out=tmp_path / "out", progress=False)
    expected = [memes / "a.JPEG", memes / "b.jpg", memes / "more" / "c.jpg"]
    assert table.paths == [str(path) for path in expected]
    assert table.errors == [""] * 3


@pytest.mark.parametrize("kind", [str, lambda path: path], ids=["str", "Path"])
def test_one_path_of_a_file_is_one_row(memes, kind):
    table = hash_files(kind(memes / "b.jpg"), progress=False)
    assert table.paths == [str(memes / "b.jpg")]
    assert table.errors == [""]


def test_a_folder_in_a_list_is_a_row_with_the_reason(memes):
    assert hash_files([memes], progress=False).errors == [
        "IsADirectoryError: this is a folder; pass its path alone, not in a list, to search it"
    ]


def test_empty_paths_are_refused(memes, tmp_path, monkeypatch):
    monkeypatch.chdir(memes)
    with pytest.raises(ValueError, match="paths is an empty path"):
        hash_files("", progress=False)
    with pytest.raises(ValueError, match="out is an empty path; name a folder"):
        hash_files(["b.jpg"], out="", progress=False)
    assert not list(memes.glob("*.parquet"))


def test_out_must_be_a_folder(memes):
    with pytest.raises(NotADirectoryError, match=r"out is '.*b\.jpg', which is no folder"):
        hash_files([memes / "a.JPEG"], out=memes / "b.jpg", progress=False)
    with pytest.raises(TypeError, match="out is of type int; pass the path of a folder"):
        hash_images([("1", b"")], out=5, progress=False)


def test_a_pattern_is_refused_and_glob_is_named(memes, tmp_path):
    pattern = f"{memes}/*.jpg"
    with pytest.raises(ValueError, match=r"there is no file or folder .*glob"):
        hash_files(pattern, out=tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()
    assert len(hash_files(glob.glob(pattern), progress=False)) == 1  # noqa: PTH207


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"the folder .*empty has no image files; pass another"):
        hash_files(tmp_path / "empty", progress=False)


@pytest.mark.parametrize(
    "paths",
    [
        [Image.new("L", (9, 9))],
        [jpeg_bytes()],
        iter([noise(9, 9)]),
        np.stack([noise(9, 9)]),
        [("1", "a.jpg")],
        [None],
        jpeg_bytes(),
        Image.new("L", (9, 9)),
        17,
        None,
    ],
    ids=lambda paths: type(paths).__name__,
)
def test_images_instead_of_paths_are_referred_to_hash_images(paths, tmp_path):
    with pytest.raises(TypeError, match=r"pass paths of files, or pairs .* finhash.hash_images"):
        hash_files(paths, out=tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("items", "words"),
    [
        (["ab"], "element 0 of items is 'ab' of type str; pass pairs of an id and an image"),
        ([jpeg_bytes()], "element 0 of items is of type bytes; pass pairs"),
        ([("a", b"", None)], "element 0 of items is of type tuple; pass pairs"),
        ([(7, b"")], "the id of element 0 of items is 7 of type int; pass a string"),
        ({"a": b""}, r"items is of type dict; pass .* items\.items\(\)"),
        ("memes", "items is of type str; .* paths to finhash.hash_files"),
        (None, "items is of type NoneType; pass pairs"),
    ],
)
def test_items_that_are_no_pairs_are_refused(items, words, tmp_path):
    with pytest.raises(TypeError, match=words):
        hash_images(items, out=tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("hash_all", [hash_files, hash_images])
@pytest.mark.parametrize(
    ("names", "error", "words"),
    [
        ("find", TypeError, r"methods is 'find'; pass a list of names, such as \[\"find\"\]"),
        (None, TypeError, "methods is None; pass a list"),
        (methods.get("find"), TypeError, "methods is Method.*pass a list of names"),
        ([], ValueError, "methods is empty; name at least one"),
        (["find", "dhash64", "find"], ValueError, "holds 'find' twice; name each method once"),
        ([methods.get("find")], TypeError, "methods holds Method.*pass names"),
        (["mhash"], KeyError, "unknown method 'mhash'; choose one of find"),
    ],
)
def test_wrong_methods_are_refused(hash_all, names, error, words, tmp_path):
    with pytest.raises(error, match=words):
        hash_all([], names, out=tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("workers", [2.0, "2", None, True])
def test_workers_must_be_a_whole_number(workers, tmp_path):
    with pytest.raises(TypeError, match=r"workers is .*; pass a whole number"):
        hash_files([], workers=workers, out=tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_missing_package_is_named_before_a_file_is_opened(executor, memes, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pdqhash", None)
    for opening in ("builtins.open", "finhash.images.sources._File"):
        monkeypatch.setattr(opening, lambda *_, **__: pytest.fail("a file was opened"))
    words = r"'pdq' needs the package pdqhash, .*: pip install \"finhash\[pdq\]\""
    with pytest.raises(ImportError, match=words):
        hash_files([memes / "b.jpg"], ["find", "pdq"], executor=executor, out=tmp_path / "out")
    with pytest.raises(ImportError, match=words):
        hash_images([("1", b"...")], ["pdq"], executor=executor, out=tmp_path / "out")
    with pytest.raises(ImportError, match=words):
        evaluate(sorted(memes.rglob("*.*")), [0, 0, 1, 1], methods=["pdq"])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [{"find": b""}, [1, 2], "hashes.parquet"])
def test_a_table_is_not_made_of_other_objects(content):
    with pytest.raises(TypeError, match=r"HashTable\.(from_hashes|read)"):
        HashTable(content)


TABLE = HashTable.from_hashes(["a"], {"dhash64": np.zeros((1, 8), np.uint8)})


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda: TABLE.select("dhash64"),
            TypeError,
            r"pass a list of names, such as \['dhash64'\]",
        ),
        (lambda: TABLE.select(["nope"]), KeyError, "no hashes 'nope'; its methods are: dhash64"),
        (lambda: TABLE.hashes("nope"), KeyError, "no hashes 'nope'; its methods are: dhash64"),
        (lambda: TABLE.hashes("path"), KeyError, "no hashes 'path'"),
        (lambda: TABLE.hashes(1), KeyError, "no hashes 1"),
        (lambda: TABLE.compare(5), TypeError, "other is of type int; pass a HashTable"),
        (lambda: TABLE.compare(TABLE), KeyError, "no hashes 'find'"),
        (lambda: TABLE.filter(slice(1)), TypeError, "rows is of type slice; pass a function"),
        (lambda: HashTable.concat(TABLE), TypeError, "tables must be a list of HashTables"),
        (lambda: HashTable.concat([TABLE, 5]), TypeError, "tables must be a list of HashTables"),
        (lambda: HashTable.from_pandas([1]), TypeError, r"list; pass a pandas\.DataFrame"),
        (
            lambda: HashTable.from_hashes(["a"], np.zeros((1, 8), np.uint8)),
            TypeError,
            "hashes is of type ndarray; pass arrays by name of method",
        ),
    ],
)
def test_wrong_arguments_of_tables_are_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_a_file_that_is_no_table_is_named(memes, tmp_path):
    with pytest.raises(ValueError, match=r"b\.jpg is no Parquet file"):
        HashTable.read(memes / "b.jpg")
    hash_files(memes, out=tmp_path / "out", progress=False)
    (tmp_path / "out" / "part-000009.parquet").write_bytes(b"junk")
    with pytest.raises(ValueError, match=r"part-000009\.parquet is no Parquet file"):
        HashTable.read(tmp_path / "out")
    with pytest.raises(ValueError, match=r"part-000009\.parquet is no Parquet file"):
        hash_files(memes, out=tmp_path / "out", progress=False)


def test_missing_scipy_is_named_before_a_file_is_opened(memes, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(ImportError, match=r"'phash64' needs the package scipy, .*: pip install"):
        hash_files([memes / "b.jpg"], ["phash64"], progress=False)


def test_a_file_of_hashes_is_no_table(tmp_path):
    with pytest.raises(TypeError, match=r"table is of type str; pass .*HashTable\.read"):
        join_table("hashes.parquet", tmp_path, radius=9)


def test_evaluate_searches_a_folder_too(memes):
    (memes / "more" / "d.jpg").write_bytes(jpeg_bytes(seed=2))
    found = evaluate(memes, fpr=0.1, methods=["find"], progress=False)
    assert found.methods["method"].tolist() == ["find"]
    with pytest.raises(ValueError, match="there is no file or folder photos"):
        evaluate("photos")


HASHES = np.packbits(np.arange(256) < np.array([[0], [3], [6], [60]]), axis=1)


def searches():
    """Return functions that take a radius."""
    paths = [str(k) for k in range(len(HASHES))]
    return {
        "join": lambda radius: hamming.join(HASHES, radius=radius),
        "join of two": lambda radius: hamming.join(HASHES, HASHES, radius=radius),
        "join with a gallery": lambda radius: hamming.join(
            HASHES, hamming.Gallery(HASHES), radius=radius
        ),
        "join_blocks": lambda radius: hamming.join_blocks(HASHES, radius=radius),
        "families": lambda radius: cluster.families(HASHES, radius),
        "spheres": lambda radius: cluster.families(HASHES, radius, "spheres"),
        "add": lambda radius: cluster.add(HASHES, np.arange(4), HASHES, radius),
        "join_table": lambda radius: join_table(
            HashTable.from_hashes(paths, {"find": HASHES}), "no_folder", radius=radius
        ),
        "search": lambda radius: hamming.Gallery(HASHES).search(HASHES[0], radius=radius),
    }


@pytest.mark.parametrize("name", searches())
@pytest.mark.parametrize("radius", [0.1, 60.0, True, np.True_, "60", [60]])
def test_a_radius_that_is_no_whole_number_is_refused(name, radius):
    with pytest.raises(TypeError, match=r"radius is .* of type .*; pass a whole number"):
        searches()[name](radius)


@pytest.mark.parametrize("name", ["join", "join with a gallery", "families", "spheres", "search"])
@pytest.mark.parametrize("kind", [np.uint8, np.int64])
def test_integers_of_numpy_are_radii(name, kind):
    search = searches()[name]
    np.testing.assert_array_equal(search(kind(5)), search(5))


@pytest.mark.parametrize("k", [1.0, True, "1", None])
def test_a_k_that_is_no_whole_number_is_refused(k):
    with pytest.raises(TypeError, match=r"k is .* of type .*; pass a whole number"):
        hamming.nearest(HASHES, HASHES, k)


def test_an_integer_of_numpy_is_the_radius_of_a_resumable_join(tmp_path):
    table = HashTable.from_hashes(list("abcd"), {"find": HASHES})
    for radius in (np.int64(5), 5):  # the second call finds the same recipe
        join_table(table, tmp_path, radius=radius, executor="serial", progress=False)
    pairs = [(i.tolist(), j.tolist()) for i, j, _ in read_pairs(tmp_path)]
    assert pairs == [([0, 1], [1, 2])]


def test_an_integer_of_numpy_is_a_k():
    index, _ = hamming.nearest(HASHES, HASHES, np.uint8(1))
    assert index[:, 0].tolist() == [0, 1, 2, 3]


@pytest.mark.slow
def test_a_method_without_its_package_ends_a_script_with_one_sentence(memes, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['pdqhash'] = None\n")
    run = subprocess.run(
        [sys.executable, "-m", "finhash", "hash", memes, "-o", tmp_path / "out", "--method", "pdq"],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(tmp_path)},
    )
    assert run.returncode == 2
    assert "pip install" in run.stderr
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "out").exists()
