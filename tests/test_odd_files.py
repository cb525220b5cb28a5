"""Odd files give a hash or a typed reason, by all routes the same, as docs/inputs.md says."""

import csv
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from finhash import find_hash, hash_files, hash_images, images
from finhash.__main__ import main
from finhash.files import text
from finhash.find import reference
from finhash.find.compiled import published_hash
from finhash.find.thumbnail import thumbnail
from finhash.jobs.folders import is_image_file
from finhash.jobs.items import reason
from finhash.methods import METHODS
from finhash.tables.hash_table import HashTable
from tests import odd_files
from tests.odd_formats import encoded, scene, subsampled

DOCUMENT = Path(__file__).parent.parent / "docs" / "inputs.md"

FEW = 2
"""Files of each kind that the reference hashes, which takes up to 50 ms for each."""

pytestmark = [
    pytest.mark.slow,  # the corpus is written and hashed by all methods
    pytest.mark.filterwarnings("ignore"),  # Pillow warns of large images and damaged EXIF data
]


@pytest.fixture(scope="module")
def home():
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def corpus(home):
    return odd_files.write(home)


@pytest.fixture(scope="module")
def attempted(corpus):
    """Return for each file its hash by each method alone, or the exception."""
    return {path: odd_files.attempts(kind, path) for path, kind in corpus.items()}


@pytest.fixture(scope="module")
def ordinary(corpus):
    """Return the files that are neither large nor forbidden."""
    return [
        path
        for path, kind in corpus.items()
        if not kind.large and kind.files is not odd_files.forbidden
    ]


@pytest.fixture(scope="module")
def hashed(ordinary, attempted):
    """Return the ordinary files that FINd can hash."""
    return [path for path in ordinary if not isinstance(attempted[path]["find"], Exception)]


def rgb(image: Image.Image) -> np.ndarray:
    """Return the RGB pixels of an image, shrunk as FINd defines it."""
    return np.asarray(thumbnail(image).convert("RGB"))


def check_rows(table, paths, attempted, methods):
    """Check that each file has one row, with the hashes or the reason that methods give alone."""
    assert table.paths == [text(str(path)) for path in paths]
    for k, path in enumerate(paths):
        alone = [attempted[path][method] for method in methods]
        reasons = [reason(found) for found in alone if isinstance(found, Exception)]
        assert table.errors[k] == (reasons[0] if reasons else ""), path
        if not reasons:
            stored = [table.column(method)[k] for method in methods]
            assert stored == [found.tobytes() for found in alone], path


def test_the_corpus_is_the_same_each_time():
    for kind in odd_files.KINDS:
        if kind.available() and not kind.large:
            first, second = (
                [(name, content) for name, content in kind.files() if isinstance(content, bytes)]
                for _ in range(2)
            )
            assert first == second, kind.title


def test_every_method_gives_a_hash_or_a_typed_reason(attempted):
    for path, by_method in attempted.items():
        for name, found in by_method.items():
            if isinstance(found, Exception):
                assert isinstance(found, images.ImageError | OSError), (path, name, found)
                assert str(found)
            else:
                assert found.shape == (METHODS[name].bits // 8,)


def test_find_hash_gives_the_hash_or_the_reason_of_the_method(ordinary, attempted):
    for path in ordinary:
        expected = attempted[path]["find"]
        if isinstance(expected, Exception):
            with pytest.raises(type(expected)):
                find_hash(path)
        else:
            assert str(find_hash(path)) == expected.tobytes().hex()


def test_hash_files_gives_each_file_a_row(ordinary, attempted):
    table = hash_files(ordinary, list(METHODS), workers=2, progress=False)
    check_rows(table, ordinary, attempted, list(METHODS))


def test_preparation_and_quality_make_no_file_fail(corpus, ordinary, attempted):
    options = {"background": "white", "exif": True, "quality": True}
    table = hash_files(ordinary, workers=2, progress=False, **options)
    plain = {"image", "image, turned by Pillow's reader", "first frame"}
    for path, found, error in zip(ordinary, table.column("find"), table.errors, strict=True):
        expected = attempted[path]["find"]
        if isinstance(expected, Exception):
            assert error == reason(expected)
        else:
            assert error == ""
            if corpus[path].hashed in plain:
                assert found == expected.tobytes()


def test_hash_images_gives_the_content_of_each_file_a_row(ordinary, attempted):
    regular = [path for path in ordinary if path.is_file()]
    contents = ((str(path), path.read_bytes()) for path in regular)
    table = hash_images(contents, workers=2, progress=False)
    assert table.paths == [text(str(path)) for path in regular]
    for path, found, error in zip(regular, table.column("find"), table.errors, strict=True):
        expected = attempted[path]["find"]
        if isinstance(expected, Exception):
            assert error.startswith(f"{type(expected).__name__}: ")
        else:
            assert found == expected.tobytes()


def test_processes_give_each_file_a_row(corpus, attempted):
    paths = [path for path, kind in corpus.items() if kind.files is not odd_files.forbidden]
    methods = ["find", "ahash64"]
    table = hash_files(paths, methods, workers=2, executor="processes", progress=False)
    check_rows(table, paths, attempted, methods)


def test_the_command_prints_the_hash_of_each_path_on_stdin_or_the_reason(ordinary, attempted):
    paths = [path for path in ordinary if not path.is_dir()]
    result = CliRunner().invoke(main, ["hash", "-"], input=b"\0".join(map(os.fsencode, paths)))
    assert result.exit_code == 1
    printed, failed = [], 0
    for path in paths:
        expected = attempted[path]["find"]
        if isinstance(expected, Exception):
            failed += 1
            assert f"{path}: {reason(expected)}" in result.stderr
        else:
            printed.append([expected.tobytes().hex(), text(str(path))])
    assert list(csv.reader(io.StringIO(result.stdout, newline=""))) == printed
    assert f"hashed {len(printed)} files, 0 skipped, {failed} failed" in result.stderr


def test_the_command_writes_a_row_for_each_file_that_it_finds(
    home, corpus, ordinary, attempted, tmp_path
):
    documented = odd_files.read_table(DOCUMENT.read_text("utf-8"))
    found = [path for path in ordinary if documented[corpus[path].title][-1] != "skipped"]
    folders = sorted({path.parent for path in ordinary})
    words = ["hash", *map(str, folders), "-o", str(tmp_path / "out"), "--executor", "threads"]
    assert CliRunner().invoke(main, words).exit_code == 1
    table = HashTable.read(tmp_path / "out")
    assert len(table) == len(found)
    found.sort(key=lambda path: text(str(path)))
    check_rows(table, found, attempted, ["find"])


def test_the_command_hashes_files_whose_names_are_odd_words(home, corpus, attempted):
    paths = [path for path, kind in corpus.items() if kind.files is odd_files.odd_names]
    words = [sys.executable, "-m", "finhash", "hash", "--", *(path.name for path in paths)]
    done = subprocess.run(words, cwd=paths[0].parent, capture_output=True, timeout=120)
    assert done.returncode == 0
    lines = csv.reader(io.StringIO(done.stdout.decode(), newline=""))
    assert list(lines) == [[attempted[path]["find"].tobytes().hex(), path.name] for path in paths]


def test_files_that_may_not_be_read_have_a_row(corpus):
    (path,) = (path for path, kind in corpus.items() if kind.files is odd_files.forbidden)
    with odd_files.unprivileged():
        assert path.stat().st_size  # the folders may be read
        table = hash_files([path], progress=False)
        result = CliRunner().invoke(main, ["hash", str(path)])
    assert table.errors == ["PermissionError: Permission denied"]
    assert result.exit_code == 1
    assert "PermissionError: Permission denied" in result.stderr


def test_find_equals_the_reference_on_the_pixels_of_pillow(corpus, hashed, attempted):
    tried = dict.fromkeys(odd_files.KINDS, 0)
    for path in hashed:
        image = Image.open(path)
        image.load()
        expected = published_hash(rgb(image))
        kind = corpus[path]
        if tried[kind] < FEW and image.width * image.height <= 6000:
            tried[kind] += 1
            assert str(reference.find_hash(image)) == expected.tobytes().hex(), path
        np.testing.assert_array_equal(attempted[path]["find"], expected, str(path))
    assert sum(tried.values()) > 60


def test_what_is_hashed_is_what_the_table_says(corpus, hashed):
    for path in hashed:
        expected = rgb(odd_files.HASHED[corpus[path].hashed](path))
        np.testing.assert_array_equal(images.to_rgb(path), expected, str(path))


def test_the_orientation_does_not_change_what_is_hashed(corpus, hashed):
    first = {}
    for path in hashed:
        kind = corpus[path]
        if kind.hashed == "pixels as stored; orientation is ignored":
            pixels = images.to_rgb(path)
            np.testing.assert_array_equal(pixels, first.setdefault((kind, path.suffix), pixels))
    assert len(first) >= 2


def test_pixels_of_jpegs_are_those_of_pillow(corpus):
    jpegs = 0
    for path in corpus:
        if not path.is_file() or path.suffix not in (".jpg", ".jpeg", ".mpo"):
            continue
        jpegs += 1
        try:
            with Image.open(path) as image:
                image.load()
                expected = rgb(image)
        except Exception:
            with pytest.raises((images.ImageError, OSError)):
                images.to_rgb(path)
        else:
            np.testing.assert_array_equal(images.to_rgb(path), expected, str(path))
    assert jpegs > 80


@pytest.mark.parametrize("subsampling", ["444", "422", "420", "440", "411"])
def test_pixels_of_subsampled_jpegs_of_any_size_are_those_of_pillow(subsampling):
    for cols in range(1, 34):
        for rows in (1, 2, 7, 8, 9, 15, 16, 17):
            content = subsampled(subsampling, cols, rows)
            with Image.open(io.BytesIO(content)) as image:
                np.testing.assert_array_equal(images.to_rgb(content), rgb(image))


def test_the_document_says_what_happens(home, corpus, attempted):
    documented = odd_files.read_table(DOCUMENT.read_text("utf-8"))
    for title, row in odd_files.table(corpus, attempted, home).items():
        assert documented.get(title) == row, "python -m tests.odd_files --table docs/inputs.md"
    assert list(documented) == [kind.title for kind in odd_files.KINDS]


@pytest.mark.parametrize(
    ("image", "methods"),
    [
        (Image.new("La", (60, 40)), list(METHODS)),
        (Image.new("LAB", (60, 40)), ["ahash64", "phash256", "dhash64", "whash64"]),
        (Image.new("I;16", (3000, 40)), ["find", "find64", "find_middle", "find_luma"]),
    ],
)
def test_pixels_that_pillow_cannot_convert_are_a_typed_reason(image, methods):
    for method in methods:
        with pytest.raises(images.UnsupportedModeError, match=f"mode {image.mode}"):
            METHODS[method].hash(image)


def test_files_without_extension_are_told_by_their_content(corpus, tmp_path, monkeypatch):
    """Some versions of Pillow register "" as an extension."""
    from finhash.jobs import folders

    monkeypatch.setitem(Image.EXTENSION, "", "SPIDER")
    folders._formats.cache_clear()
    (tmp_path / "text").write_text("this is not an image")
    (tmp_path / "image").write_bytes(encoded(scene(), "PNG"))
    assert not is_image_file(tmp_path / "text")
    assert is_image_file(tmp_path / "image")
    folders._formats.cache_clear()
