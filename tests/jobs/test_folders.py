"""Image files in folders are told by their extension or their first bytes."""

import os
import re
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image, ImageFile

from finhash import hash_files
from finhash.jobs.folders import absolute, describe_skipped, image_files, is_image_file
from tests.conftest import jpeg_bytes, noise


def found(folder: Path) -> list[str]:
    return [Path(path).name for path in image_files([folder])]


def test_photos_without_their_extension_are_found(tmp_path):
    for name in ("scan", "photo.heic", "download.php", "a.jpg.bak"):
        (tmp_path / name).write_bytes(jpeg_bytes())
    image = Image.fromarray(noise(9, 9))
    for kind in ("PNG", "GIF", "TIFF", "BMP", "WEBP", "PPM", "ICO", "JPEG2000", "AVIF", "PCX"):
        image.save(tmp_path / f"{kind}.bin", kind)
    image.save(tmp_path / "targa.tga", "TGA")
    assert sorted(found(tmp_path)) == sorted(os.listdir(tmp_path))  # noqa: PTH208
    assert hash_files(tmp_path, progress=False).errors == [""] * 15


def test_other_files_are_skipped_and_counted(tmp_path):
    contents = {
        "report.PDF": b"%PDF-1.7\n",
        "film.mpg": b"\x00\x00\x01\xb3" + bytes(60),
        "drawing.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n",
        "data.h5": b"\x89HDF\r\n\x1a\n" + bytes(60),
        "phone.heic": b"\x00\x00\x00\x24ftypheic\x00\x00\x00\x00mif1heic" + bytes(60),
        "notes.txt": b"text",
        "README": b"",
        ".hidden": b"x",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    skipped: Counter[str] = Counter()
    assert list(image_files([tmp_path], skipped)) == []
    assert skipped == {
        **dict.fromkeys([".pdf", ".mpg", ".eps", ".h5", ".heic", ".txt"], 1),
        "": 2,
    }


@pytest.mark.parametrize(
    "text",
    [
        "BM is a prefix of bitmaps",
        "Python notes",
        "P5, the fifth part",
        "#define WIDTH 3\nint main;",
        "\n\0\1 text",
        "II*",
        "P",
    ],
)
def test_text_that_begins_like_an_image_is_skipped(tmp_path, text):
    (tmp_path / "notes").write_bytes(text.encode())
    assert found(tmp_path) == []


def test_damaged_images_are_found_by_their_extension(folder):
    assert set(found(folder)) >= {"empty.jpg", "text.jpg", "truncated.jpg"}
    assert "directory.jpg" not in found(folder)


def test_damaged_images_are_found_by_their_first_bytes(tmp_path):
    (tmp_path / "scan").write_bytes(jpeg_bytes(200, 200)[:300])
    assert found(tmp_path) == ["scan"]


def test_files_with_the_extension_of_an_image_are_not_opened(folder, monkeypatch):
    monkeypatch.setattr("pathlib.Path.open", lambda *_, **__: pytest.fail("a file was opened"))
    assert len(found(folder)) == 15


def test_files_are_found_before_the_folder_has_been_searched(tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").write_bytes(jpeg_bytes())
    files = image_files([tmp_path])
    assert next(files) == str(tmp_path / "a" / "1.jpg")
    (tmp_path / "b" / "0.jpg").write_bytes(jpeg_bytes())
    assert [Path(path).name for path in files] == ["0.jpg", "1.jpg"]


def test_a_file_that_is_named_is_taken_whatever_it_is(tmp_path):
    (tmp_path / "report.pdf").write_bytes(b"%PDF-1.7\n")
    assert list(image_files([tmp_path / "report.pdf"])) == [tmp_path / "report.pdf"]


def test_files_are_sorted_by_the_parts_of_their_paths(tmp_path, monkeypatch):
    names = ["a/z.jpg", "a.jpg", "a-b/c.jpg", "B.jpg", "a/b/c.jpg"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    assert list(image_files(["."])) == [str(path) for path in sorted(map(Path, names))]
    assert list(image_files(["./a/"])) == ["a/b/c.jpg", "a/z.jpg"]


def test_links_to_files_are_followed_and_links_to_folders_are_not(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(jpeg_bytes())
    (tmp_path / "photos" / "link.jpg").symlink_to("a.jpg")
    (tmp_path / "photos" / "dangling.jpg").symlink_to("nothing.jpg")
    (tmp_path / "photos" / "again").symlink_to(tmp_path / "photos")
    os.mkfifo(tmp_path / "photos" / "pipe.jpg")
    assert found(tmp_path / "photos") == ["a.jpg", "link.jpg"]


def test_an_opener_that_is_registered_is_used(tmp_path, monkeypatch):
    class Reader(ImageFile.ImageFile):
        format = "MINE"

        def _open(self):
            self._size, self._mode = (9, 9), "L"

    monkeypatch.setattr(Image, "OPEN", dict(Image.OPEN))
    monkeypatch.setattr(Image, "ID", list(Image.ID))
    Image.register_open("MINE", Reader, lambda head: head.startswith(b"MINE"))
    from finhash.jobs import folders

    folders._formats.cache_clear()
    (tmp_path / "a.mine").write_bytes(b"MINE")
    assert found(tmp_path) == ["a.mine"]
    folders._formats.cache_clear()


@pytest.fixture
def half_closed(tmp_path, monkeypatch) -> Path:
    """Return a folder with an image, whose subfolder ``closed`` cannot be read."""
    (tmp_path / "closed").mkdir()
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "a.jpg").write_bytes(jpeg_bytes())
    scandir = os.scandir

    def refuse(path):
        if path.endswith("closed"):
            raise PermissionError(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    return tmp_path


def test_folders_that_cannot_be_read_are_counted(half_closed):
    skipped: Counter[str] = Counter()
    assert len(list(image_files([half_closed], skipped))) == 1
    assert describe_skipped(skipped) == "skipped 1 folder that cannot be read"


def test_hashing_a_folder_warns_of_subfolders_that_cannot_be_read(half_closed):
    closed = re.escape(str(half_closed / "closed"))
    with pytest.warns(RuntimeWarning, match=f"the folder {closed} cannot be read") as warned:
        table = hash_files(half_closed, progress=False)
    assert len(table) == 1
    assert warned[0].filename == __file__
    with pytest.raises(ValueError, match=rf"no image files \(the folder {closed} cannot be read\)"):
        hash_files(half_closed / "closed", progress=False)


def test_what_was_skipped_is_said_by_kind():
    assert describe_skipped(Counter()) == ""
    assert describe_skipped(Counter({"/": 2})) == "skipped 2 folders that cannot be read"
    many = Counter({f".{k}": 9 - k for k in range(8)})
    assert describe_skipped(many) == (
        "skipped 44 files that are not images (9 .0, 8 .1, 7 .2, 6 .3, 5 .4, 9 others)"
    )


def test_a_file_that_cannot_be_opened_is_no_image_file(tmp_path):
    assert not is_image_file(tmp_path / "missing")
    assert not is_image_file(tmp_path)


def test_absolute_paths_have_one_spelling(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    expected = str(tmp_path / "photos" / "a.jpg")
    for path in ("photos/a.jpg", "./photos/../photos//a.jpg", expected, Path("photos/a.jpg")):
        assert absolute(path) == expected


def test_links_stay_in_absolute_paths_but_decide_where_dots_lead(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "far" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far" / "inner")
    assert absolute("link/a.jpg") == str(tmp_path / "link" / "a.jpg")
    assert absolute("link/../a.jpg") == str(tmp_path / "far" / "a.jpg")
    (tmp_path / "near").symlink_to("far")
    assert absolute("near/../near/a.jpg") == str(tmp_path / "near" / "a.jpg")
