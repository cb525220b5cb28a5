"""Finding and unpacking data sets."""

import hashlib
import shutil
import zipfile

import pytest

from finhash.study import project
from finhash.study.data import datasets
from tests.conftest import jpeg_bytes

TINY = project.Scale("tiny", families=3, per_family=4)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty project folder and no environment variables."""
    monkeypatch.setenv("FINHASH_HOME", str(tmp_path))
    for name in ("FINHASH_TEMPLATES", "FINHASH_DAS_IMAGES", "FINHASH_SCALE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_misnamed_images_of_the_user_are_refused_and_kept(home):
    image = home / "data" / "das_images" / "0001_img5.jpg"
    image.parent.mkdir(parents=True)
    image.write_bytes(jpeg_bytes())
    with pytest.raises(FileNotFoundError, match=r"das_images holds neither images named"):
        datasets.load(TINY, progress=False)
    assert image.exists()


def test_load_prefers_the_courses_set(home):
    own = home / "data" / "das_images" / "das_images"
    own.mkdir(parents=True)
    for name in ("0003_77.jpg", "0003_5.jpg", "0010_123456.jpg", "readme.txt"):
        (own / name).write_bytes(jpeg_bytes())
    assert project.data_set() == "das_images"
    dataset = datasets.load(TINY, progress=False)
    assert dataset.name == "das_images"
    assert [path.name for path in dataset.paths] == ["0003_5.jpg", "0003_77.jpg", "0010_123456.jpg"]
    assert dataset.families.tolist() == [3, 3, 10]


def test_the_fingerprint_covers_names_and_bytes(home, monkeypatch):
    folder = home / "set"
    folder.mkdir()
    monkeypatch.setenv("FINHASH_DAS_IMAGES", str(folder))
    found = []
    for name, seed in (("0003_5.jpg", 0), ("0003_5.jpg", 1), ("0003_6.jpg", 1)):
        shutil.rmtree(folder)
        folder.mkdir()
        (folder / name).write_bytes(jpeg_bytes(seed=seed))
        found.append(datasets.load(TINY, progress=False).fingerprint)
        assert datasets.load(TINY, progress=False).fingerprint == found[-1]
    assert len(set(found)) == 3


def test_the_zip_is_checked_and_unpacked_once(home, monkeypatch):
    archive = home / "set.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("das_images/0001_9.jpg", jpeg_bytes())
        file.writestr("../../0002_8.jpg", jpeg_bytes(seed=1))
        file.writestr("das_images/notes.txt", "not an image")
    monkeypatch.setenv("FINHASH_DAS_IMAGES", str(archive))
    assert project.data_set() == "das_images"
    with pytest.raises(ValueError, match="MD5"):
        datasets.load(TINY, progress=False)
    monkeypatch.setattr(datasets, "DAS_MD5", hashlib.md5(archive.read_bytes()).hexdigest())
    dataset = datasets.load(TINY, progress=False)
    assert [path.name for path in dataset.paths] == ["0001_9.jpg", "0002_8.jpg"]
    assert {path.parent for path in dataset.paths} == {home / "data" / "das_images" / "unpacked"}
    assert datasets.load(TINY, progress=False).paths == dataset.paths


def test_a_missing_folder_is_an_error(home, monkeypatch):
    monkeypatch.setenv("FINHASH_DAS_IMAGES", str(home / "nowhere"))
    with pytest.raises(FileNotFoundError, match="nowhere"):
        datasets.load()
    (home / "nowhere").mkdir()
    with pytest.raises(FileNotFoundError, match="neither images"):
        datasets.load()


def test_another_file_name_is_an_error():
    with pytest.raises(ValueError, match=r"cat\.jpg is not named"):
        datasets.family_and_number("images/cat.jpg")
