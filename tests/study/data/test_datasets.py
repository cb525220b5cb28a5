"""Finding, unpacking and describing data sets."""

import hashlib
import shutil
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from finhash.study import project
from finhash.study.data import datasets
from tests.conftest import jpeg_bytes
from tests.study import own_images

TINY = project.Scale("tiny", families=3, per_family=4)
FULL = project.SCALES["full"]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty project folder and no environment variables."""
    monkeypatch.setenv("FINHASH_HOME", str(tmp_path))
    for name in ("FINHASH_TEMPLATES", "FINHASH_DAS_IMAGES", "FINHASH_SCALE", "FINHASH_OUT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def own(tmp_path, monkeypatch) -> Path:
    """Return a user's folder with everything that goes wrong in one."""
    folder = own_images.make(tmp_path / "holiday photos", families=4, images=3)
    monkeypatch.setenv("FINHASH_DAS_IMAGES", str(folder))
    return folder


def fill(folder: Path, *names: str) -> Path:
    """Write a small JPEG under each name; each has other pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(names):
        (folder / name).write_bytes(jpeg_bytes(seed=seed))
    return folder


def pack(archive: Path, **members: bytes) -> Path:
    """Write a zip of the members, whose names are given with ``__`` for the slash."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w") as file:
        for name, data in members.items():
            file.writestr(name.replace("__", "/"), data)
    return archive


def load(scale=FULL) -> datasets.Dataset:
    return datasets.load(scale, progress=False)


def names(dataset: datasets.Dataset) -> list[str]:
    return [path.name for path in dataset.paths]


def test_misnamed_images_of_the_user_are_refused_and_kept(home):
    image = fill(home / "data" / "das_images", "0001_img5.jpg") / "0001_img5.jpg"
    with pytest.raises(FileNotFoundError, match=r"das_images holds neither images named"):
        load()
    assert image.exists()


def test_whatever_the_user_puts_there_counts_as_the_users_set(home):
    own = home / "data" / "das_images"
    (own / "unpacked" / "photos-01234567").mkdir(parents=True)
    (own / ".hidden").touch()
    assert project.data_set() == "drawn"
    (own / "cats").mkdir()
    assert project.data_set() == "das_images"


@pytest.mark.parametrize("place", [".", "photos", "photos/photos"])
def test_images_may_lie_in_a_folder_inside_the_users_folder(home, place):
    own = home / "data" / "das_images" / place
    fill(own, "0003_77.jpg", "0003_5.JPEG", "12345_6.jpg", "0010_123456.jpg")
    dataset = load()
    assert dataset.name == "das_images"
    assert names(dataset) == ["0003_5.JPEG", "0003_77.jpg", "0010_123456.jpg", "12345_6.jpg"]
    assert dataset.families.tolist() == [3, 3, 10, 12345]
    assert dataset.title == ("your images" if place == "." else "photos")
    assert not dataset.standin


def test_two_folders_of_images_are_ambiguous(home):
    for name in ("a", "b"):
        fill(home / "data" / "das_images" / name, "0003_77.jpg")
    with pytest.raises(ValueError, match=r"holds 2 folders of images or zips \(a, b\)"):
        load()


def test_everything_wrong_in_a_users_folder_is_stated(own):
    (own / "verdicts.csv").write_text("first,second,verdict\n")
    (own / ".hidden").touch()
    (own / "sub").mkdir()
    dataset = load()
    assert "not named FFFF_ID.jpg, so left out (3): holiday.jpg, notes.txt, sub" in str(dataset)
    assert dataset.title == "holiday photos"
    assert dataset.skipped == ("holiday.jpg", "notes.txt", "sub")
    assert dataset.verdicts == own / "verdicts.csv"
    files = datasets.inspect(dataset)
    errors = files[files["error"] != ""].set_index("name")["error"]
    assert errors.index.tolist() == ["0005_00701.jpg", "0005_00702.jpg"]
    assert errors["0005_00702.jpg"].startswith("NotAnImageError: not in an image format")
    row = datasets.summary(dataset, files).iloc[0]
    # 4 families of 3 and what own_images adds: a second name for one, a wrong label, a single
    # image, a PNG and two broken files.
    assert row[["images", "families", "single_families"]].tolist() == [20, 6, 1]
    assert row[["unreadable", "skipped"]].tolist() == [2, 3]
    assert row[["width_min", "width_max", "height_min", "height_max"]].tolist() == [
        64, 700, 64, 900,
    ]  # fmt: skip
    assert row["same_pairs"] == 2 * 6 + 3 * 3
    assert row["same_pairs"] + row["other_pairs"] == 18 * 17 // 2
    sizes = datasets.family_sizes(dataset)
    assert sizes["rank"].tolist() == [1, 2, 3, 4, 5, 6]
    assert sizes["images"].tolist() == [6, 4, 3, 3, 3, 1]


def test_what_the_scale_leaves_out_is_stated(own, monkeypatch):
    monkeypatch.setenv("FINHASH_SCALE", "smoke")
    monkeypatch.setitem(project.SCALES, "smoke", project.Scale("smoke", 2, 2))
    left_out = "not named FFFF_ID.jpg, so left out (2): holiday.jpg, notes.txt"
    assert str(datasets.load(progress=False)) == (
        f"holiday photos: 4 images of 2 families; the scale smoke leaves out 16 more; {left_out}"
    )
    assert str(load()) == f"holiday photos: 20 images of 6 families; {left_out}"


def test_the_full_scale_has_no_limit_of_families(home, monkeypatch):
    many = home / "many"
    many.mkdir()
    for family in range(1100):
        (many / f"{family:04d}_0.jpg").touch()
    monkeypatch.setenv("FINHASH_DAS_IMAGES", "many")
    assert len(load()) == 1100


def test_some_images_are_readable_and_spread(own):
    dataset = load()
    for number in (1, 3, 18, 50):
        some = dataset.some(number)
        assert len(set(some)) == len(some) == min(number, 18)
        assert all(map(datasets.readable, some))
    assert [path.name[:4] for path in dataset.some(4)] == ["0005", "0008", "0011", "0014"]


def test_some_images_of_an_unreadable_set_are_an_error(home):
    own = home / "data" / "das_images"
    own.mkdir(parents=True)
    (own / "0001_1.jpg").write_text("not an image")
    with pytest.raises(ValueError, match=r"none of the 1 images in .*das_images can be read"):
        load().some(3)


def test_squares_are_jpegs_of_one_size(own):
    Image.new("CMYK", (250, 250)).save(own / "0011_00002.jpg")
    dataset = load()
    squares = dataset.squares(100)
    assert len(squares) == 18
    for path in squares:
        with Image.open(path) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (250, 250))
    as_they_are = [path.name for path in squares if path.parent == own]
    assert as_they_are == ["0005_00000.jpg", "0011_00800.jpg"]
    assert {path.parent for path in squares} - {own} == {
        project.out() / "squares" / dataset.fingerprint[:16]
    }
    assert dataset.squares(100) == squares


def test_the_fingerprint_covers_names_and_bytes(home, monkeypatch):
    folder = home / "set"
    folder.mkdir()
    monkeypatch.setenv("FINHASH_DAS_IMAGES", str(folder))
    found = []
    for name, seed in (("0003_5.jpg", 0), ("0003_5.jpg", 1), ("0003_6.jpg", 1)):
        shutil.rmtree(folder)
        folder.mkdir()
        (folder / name).write_bytes(jpeg_bytes(seed=seed))
        found.append(load(TINY).fingerprint)
        assert load(TINY).fingerprint == found[-1]
    assert len(set(found)) == 3


def test_any_zip_is_unpacked_once(home, monkeypatch):
    members = {
        "in__0001_9.jpg": jpeg_bytes(),
        "..__..__0002_8.jpg": jpeg_bytes(seed=1),
        "again__0001_9.jpg": jpeg_bytes(),
        "in__notes.txt": b"not an image",
        "__MACOSX__._0001_9.jpg": b"not an image either",
    }
    archive = pack(home / "photos.zip", **members)
    monkeypatch.setenv("FINHASH_DAS_IMAGES", "photos.zip")
    dataset = load()
    assert "so left out (1): in/notes.txt" in str(dataset)
    assert names(dataset) == ["0001_9.jpg", "0002_8.jpg"]
    md5 = hashlib.md5(archive.read_bytes()).hexdigest()
    assert dataset.folder == home / "data" / "das_images" / "unpacked" / f"photos-{md5[:8]}"
    assert (dataset.title, dataset.skipped) == ("photos", ("in/notes.txt",))
    monkeypatch.setattr(datasets, "_extract", None)
    assert load() == dataset
    assert sorted(path.name for path in dataset.folder.iterdir()) == names(dataset)


def test_another_zip_is_unpacked_beside_the_first(home, monkeypatch):
    found = []
    for number in "12":
        pack(home / "photos.zip", **{f"000{number}_1.jpg": jpeg_bytes()})
        monkeypatch.setenv("FINHASH_DAS_IMAGES", str(home / "photos.zip"))
        found.append(load())
    assert [names(dataset) for dataset in found] == [["0001_1.jpg"], ["0002_1.jpg"]]
    assert all(dataset.folder.exists() for dataset in found)


def test_an_interrupted_zip_is_continued(home, monkeypatch):
    own = home / "data" / "das_images"
    pack(own / "photos.zip", **{f"000{k}_1.jpg": jpeg_bytes(seed=k) for k in range(3)})
    read, readings = zipfile.ZipFile.read, []

    def interrupted(archive, member):
        readings.append(member.filename)
        if len(readings) == 2:
            raise KeyboardInterrupt
        return read(archive, member)

    monkeypatch.setattr(zipfile.ZipFile, "read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load()
    assert not [path for path in project.unpacked().iterdir() if path.name[0] != "."]
    assert len(load()) == 3
    assert readings == ["0000_1.jpg", "0001_1.jpg", "0001_1.jpg", "0002_1.jpg"]


@pytest.mark.parametrize("inside", [False, True])
def test_verdicts_may_lie_beside_or_inside_the_zip(home, inside):
    own = home / "data" / "das_images"
    more = {"verdicts.csv": b"first,second,verdict\n"} if inside else {}
    pack(own / "photos.zip", **{"0001_1.jpg": jpeg_bytes()}, **more)
    if not inside:
        (own / "verdicts.csv").write_text("first,second,verdict\n")
    dataset = load()
    assert dataset.verdicts == (dataset.folder if inside else own) / "verdicts.csv"
    assert dataset.skipped == ()


def test_faulty_zips_are_errors(home, monkeypatch):
    archive = home / "photos.zip"
    monkeypatch.setenv("FINHASH_DAS_IMAGES", str(archive))
    archive.write_bytes(b"PK not a zip")
    with pytest.raises(ValueError, match=r"photos\.zip cannot be unpacked \(File is not a zip"):
        load()
    pack(archive, **{"a__0001_1.jpg": jpeg_bytes(), "b__0001_1.jpg": jpeg_bytes(seed=1)})
    with pytest.raises(ValueError, match=r"two different files named 0001_1\.jpg: a/0001_1\.jpg a"):
        load()
    pack(archive, **{"cat.jpg": jpeg_bytes()})
    with pytest.raises(FileNotFoundError, match=r"photos\.zip holds no images named FFFF_ID"):
        load()


def test_a_missing_folder_is_an_error_that_names_the_place_tried(home, monkeypatch):
    monkeypatch.setenv("FINHASH_DAS_IMAGES", "nowhere")
    with pytest.raises(FileNotFoundError, match=f"but {home}/nowhere does not exist: set it to"):
        load()
    (home / "nowhere").mkdir()
    with pytest.raises(FileNotFoundError, match="neither images"):
        load()


def test_a_tilde_is_the_users_home(home, monkeypatch):
    fill(home / "photos", "0001_1.jpg")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("FINHASH_DAS_IMAGES", "~/photos")
    assert names(load()) == ["0001_1.jpg"]


def test_accuracy_needs_pairs_of_one_and_of_two_families(home):
    own = fill(home / "data" / "das_images", "0001_1.jpg", "0002_1.jpg")
    (own / "0001_2.jpg").write_text("not an image")
    with pytest.raises(datasets.NoPairsError, match="no family has two readable images"):
        datasets.require_pairs(load())
    fill(own, "0001_2.jpg")
    datasets.require_pairs(load())
    (own / "0002_1.jpg").unlink()
    with pytest.raises(datasets.NoPairsError, match="all readable images are of one family"):
        datasets.require_pairs(load())


def test_limits_are_one_sentence_or_nothing():
    assert datasets.limits(1, 100_000) == ""
    assert "too few to measure a false positive rate of 1 in 100,000." in datasets.limits(1, 99_999)
    assert "1 in 1,000 or 1 in 10,000 or 1 in 100,000" in datasets.limits(1, 6)
    assert "recall cannot" in datasets.limits(0, 10**9)
    assert "one family" in datasets.limits(10, 0)


def test_another_file_name_is_an_error():
    with pytest.raises(ValueError, match=r"cat\.jpg is not named"):
        datasets.family_and_number("images/cat.jpg")
