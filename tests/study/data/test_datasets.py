"""The pictures: deterministic, resuming, named and sized like the course's set."""

import hashlib
import random
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from finhash.images import open_image
from finhash.study import project
from finhash.study.data import datasets, drawn, memes
from tests.conftest import jpeg_bytes

TINY = project.Scale("tiny", families=3, per_family=4)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FINHASH_HOME", str(tmp_path))
    for name in ("FINHASH_TEMPLATES", "FINHASH_DAS_IMAGES", "FINHASH_SCALE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.jpg"))}


def test_families_are_as_published():
    sizes = memes.family_sizes()
    assert len(sizes) == 1034
    assert sum(sizes) == 55_972
    assert (sizes[0], sizes[8]) == (766, 419)
    assert sizes == sorted(sizes, reverse=True)
    assert min(sizes) >= 10  # so that quick and smoke scale find enough in every family


def test_rendering_is_deterministic_whatever_the_workers(home, monkeypatch):
    datasets.render(home / "one", TINY, workers=1, progress=False)
    monkeypatch.setattr(datasets, "FEW", 0)
    datasets.render(home / "two", TINY, workers=2, progress=False)
    assert len(contents(home / "one")) == 12
    assert contents(home / "one") == contents(home / "two")


def test_rendering_resumes_and_scales_nest(home):
    folder = home / "images"
    datasets.render(folder, TINY, progress=False)
    before = contents(folder)
    (folder / "0001_00002.jpg").unlink()
    (folder / "0002_00000.partial").write_bytes(b"left by a run that was killed")
    kept = (folder / "0000_00000.jpg").stat().st_mtime_ns
    datasets.render(folder, project.Scale("more", 4, 5), progress=False)
    after = contents(folder)
    assert len(after) == 20
    assert before.items() <= after.items()
    assert (folder / "0000_00000.jpg").stat().st_mtime_ns == kept


def test_pictures_of_another_recipe_are_made_anew(home, monkeypatch):
    folder = home / "images"
    datasets.render(folder, TINY, progress=False)
    before = contents(folder)
    monkeypatch.setattr(project, "SEED", 7)
    datasets.render(folder, TINY, progress=False)
    after = contents(folder)
    assert before.keys() == after.keys()
    assert not any(before[name] == after[name] for name in before)


def test_strangers_pictures_are_not_removed(home):
    (home / "theirs").mkdir()
    (home / "theirs" / "0000_1.jpg").write_bytes(jpeg_bytes())
    with pytest.raises(FileExistsError):
        datasets.render(home / "theirs", TINY, progress=False)


def test_load_takes_the_course_set_first(home):
    own = home / "data" / "das_images" / "das_images"
    own.mkdir(parents=True)
    for name in ("0003_77.jpg", "0003_5.jpg", "0010_123456.jpg", "readme.txt"):
        (own / name).write_bytes(jpeg_bytes())
    dataset = datasets.load(TINY, progress=False)
    assert dataset.name == "das_images"
    assert [path.name for path in dataset.paths] == ["0003_5.jpg", "0003_77.jpg", "0010_123456.jpg"]
    assert dataset.families.tolist() == [3, 3, 10]
    first = dataset.fingerprint
    (own / "0003_5.jpg").write_bytes(jpeg_bytes(seed=1))
    assert datasets.load(TINY, progress=False).fingerprint != first


def test_the_zip_is_checked_and_unpacked(home, monkeypatch):
    archive = home / "set.zip"
    with zipfile.ZipFile(archive, "w") as contents_:
        contents_.writestr("das_images/0001_9.jpg", jpeg_bytes())
        contents_.writestr("../../0002_8.jpg", jpeg_bytes(seed=1))
        contents_.writestr("das_images/notes.txt", "no picture")
    monkeypatch.setenv("FINHASH_DAS_IMAGES", str(archive))
    with pytest.raises(ValueError, match="MD5"):
        datasets.load(TINY, progress=False)
    monkeypatch.setattr(datasets, "DAS_MD5", hashlib.md5(archive.read_bytes()).hexdigest())
    dataset = datasets.load(TINY, progress=False)
    assert [path.name for path in dataset.paths] == ["0001_9.jpg", "0002_8.jpg"]
    assert {path.parent for path in dataset.paths} == {home / "data" / "das_images" / "unpacked"}


def test_a_missing_folder_is_said(home, monkeypatch):
    monkeypatch.setenv("FINHASH_DAS_IMAGES", str(home / "nowhere"))
    with pytest.raises(FileNotFoundError, match="nowhere"):
        datasets.load(TINY, progress=False)
    monkeypatch.delenv("FINHASH_DAS_IMAGES")
    monkeypatch.setenv("FINHASH_TEMPLATES", str(home))
    with pytest.raises(FileNotFoundError, match="1034 are needed"):
        datasets.load(TINY, progress=False)


def test_real_templates_are_captioned(home, monkeypatch):
    folder = home / "templates"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(jpeg_bytes(120, 100))
    for k in range(1033):
        shutil.copy(folder / "a.jpg", folder / f"t{k:04d}.jpg")
    monkeypatch.setenv("FINHASH_TEMPLATES", str(folder))
    dataset = datasets.load(TINY, progress=False)
    assert dataset.name == "memes"
    assert len(dataset) == 12
    with Image.open(dataset.paths[0]) as image:
        assert image.size == (250, 250)


@pytest.mark.parametrize(
    "text", ["A", "WORD " * 40, "X" * 60, "TWO LINES OF ABOUT THE SAME WIDTH AS EACH OTHER"]
)
def test_captions_fit(text):
    lines, size = memes._fit(text.strip())
    assert len(lines) <= 2
    assert " ".join(lines) == text.strip()
    assert 1 <= size <= memes.LARGEST_FONT
    assert max(memes.font(size).getlength(line) for line in lines) <= 250 - 2 * memes.MARGIN


def test_a_filled_caption_has_its_lines_at_the_largest_size():
    for lines in (1, 2, 3):
        text = memes.fill(random.Random(3), lines)
        assert memes._fit(text) == (text.split("\n"), memes.LARGEST_FONT)
        assert all(
            memes.font(memes.LARGEST_FONT).getlength(line) > 120 for line in text.split("\n")
        )


def test_caption_area_is_what_the_captions_change():
    blank = np.zeros((250, 250, 3), np.uint8)
    captions = "AN UPPER CAPTION", "ONE BELOW THAT IS SOMEWHAT LONGER THAN IT"
    drawn_ = np.asarray(open_image(memes.render(Image.fromarray(blank), *captions)))
    rows = np.flatnonzero(drawn_.max(axis=(1, 2)) > 128)
    gap = np.flatnonzero(np.diff(rows) > 10)[0]
    halves = rows[: gap + 1], rows[gap + 1 :]
    box = 0
    for half in halves:
        columns = np.flatnonzero(drawn_[half].max(axis=(0, 2)) > 128)
        box += (half[-1] - half[0] + 1) * (columns[-1] - columns[0] + 1)
    # The boxes have the outline, which is as black as the picture, about them.
    assert memes.caption_area(*captions) * 250**2 == pytest.approx(box, rel=0.25)
    assert memes.caption_area(*captions) * 250**2 > box
    assert memes.caption_area("", "") == 0


def test_captions_follow_the_tables():
    rng = random.Random(0)
    captions = [memes.draw_caption(rng) for _ in range(4000)]
    empty = np.mean([not top or not bottom for top, bottom in captions])
    assert 0.05 < empty < 0.2  # about one in ten has an empty half
    assert all(top or bottom for top, bottom in captions)


def test_words_have_the_length_they_stand_for():
    by_length, weights = memes._word_lengths()
    assert len(by_length) == len(weights) == 14
    for length, group in enumerate(by_length, start=1):
        assert all(len(word) == length or (length == 14 and len(word) > 14) for word in group)


def test_drawn_templates_differ_and_repeat():
    first, again, other = (drawn.draw_template(1, f).tobytes() for f in (5, 5, 6))
    assert first == again != other
