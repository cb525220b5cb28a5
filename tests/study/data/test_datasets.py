"""Finding, unpacking and rendering data sets."""

import ast
import hashlib
import json
import shutil
import types
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from finhash.study import project
from finhash.study.data import datasets, drawn, memes
from tests.conftest import jpeg_bytes

TINY = project.Scale("tiny", families=3, per_family=4)
PROBES = datasets.PROBES


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty project folder, no environment variables, and a recipe that renders little."""
    monkeypatch.setenv("FINHASH_HOME", str(tmp_path))
    for name in ("FINHASH_TEMPLATES", "FINHASH_DAS_IMAGES", "FINHASH_SCALE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(datasets, "PROBES", range(1))
    return tmp_path


@pytest.fixture
def templates(tmp_path, monkeypatch):
    """1,034 templates of another size than 250 x 250."""
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(jpeg_bytes(120, 100))
    for k in range(1033):
        shutil.copy(folder / "a.jpg", folder / f"t{k:04d}.jpg")
    monkeypatch.setenv("FINHASH_TEMPLATES", str(folder))
    return folder


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.jpg"))}


@pytest.mark.slow
def test_rendering_does_not_depend_on_the_number_of_workers(home, monkeypatch):
    datasets.render(home / "one", TINY, workers=1, progress=False)
    monkeypatch.setattr(datasets, "SMALL", 0)
    datasets.render(home / "two", TINY, workers=2, progress=False)
    assert len(contents(home / "one")) == 12
    assert contents(home / "one") == contents(home / "two")


def test_rendering_resumes_and_a_larger_scale_keeps_the_images_of_a_smaller_one(home):
    folder = home / "images"
    datasets.render(folder, TINY, progress=False)
    before = contents(folder)
    (folder / "0001_00002.jpg").unlink()
    (folder / "0002_00000.partial").write_bytes(b"left by a killed process")
    written = (folder / "0000_00000.jpg").stat().st_mtime_ns
    datasets.render(folder, project.Scale("more", 4, 5), progress=False)
    after = contents(folder)
    assert len(after) == 20
    assert before.items() <= after.items()
    assert (folder / "0000_00000.jpg").stat().st_mtime_ns == written


def test_images_of_another_recipe_are_rendered_again(home, monkeypatch):
    folder = home / "images"
    datasets.render(folder, TINY, progress=False)
    before = contents(folder)
    monkeypatch.setattr(project, "SEED", 7)
    datasets.render(folder, TINY, progress=False)
    after = contents(folder)
    assert before.keys() == after.keys()
    assert not any(before[name] == after[name] for name in before)


def test_images_without_a_recipe_are_not_deleted(home):
    image = home / "other" / "0000_1.jpg"
    image.parent.mkdir()
    image.write_bytes(jpeg_bytes())
    with pytest.raises(FileExistsError, match=r"no recipe\.json"):
        datasets.render(image.parent, TINY, progress=False)
    assert image.exists()


def test_misnamed_images_of_the_user_are_refused_and_kept(home):
    image = home / "data" / "das_images" / "0001_img5.jpg"
    image.parent.mkdir(parents=True)
    image.write_bytes(jpeg_bytes())
    with pytest.raises(FileNotFoundError, match=r"das_images holds neither images named"):
        datasets.load(TINY, progress=False)
    assert image.exists()


def test_a_folder_with_other_files_is_not_deleted(home):
    (home / "data" / "drawn").mkdir(parents=True)
    (home / "data" / "drawn" / "notes.txt").write_text("not rendered here")
    with pytest.raises(FileExistsError, match=r"no recipe\.json"):
        datasets.load(TINY, progress=False)
    assert (home / "data" / "drawn" / "notes.txt").exists()


def executed(module, source):
    """A copy of the module made from this source."""
    copy = types.ModuleType(module.__name__)
    exec(compile(source, module.__file__, "exec"), copy.__dict__)
    return copy


def without_words(source):
    """The source without comments and docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [
                ast.Pass()
                if isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)
                else line
                for line in body
            ]
    return ast.unparse(tree)


@pytest.mark.parametrize("name", ["memes", "drawn"])
def test_the_recipe_ignores_comments_and_docstrings(name, monkeypatch):
    monkeypatch.setattr(datasets, "PROBES", PROBES)
    before, module = datasets._recipe(), getattr(datasets, name)
    source = without_words(Path(module.__file__).read_text())
    assert '"""' not in source
    monkeypatch.setattr(datasets, name, executed(module, source))
    assert datasets._recipe() == before


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        (memes, "OUTLINE = 1 / 20", "OUTLINE = 1 / 18"),
        (memes, "QUALITY = 75", "QUALITY = 76"),
        (memes, "LARGEST_FONT = 24", "LARGEST_FONT = 25"),
        (memes, "MARGIN = 5", "MARGIN = 6"),
        (memes, "first, ninth = 766, 419", "first, ninth = 766, 420"),
        (drawn, "SCALE = 2", "SCALE = 3"),
    ],
)
def test_the_recipe_changes_with_the_rendering(module, old, new, monkeypatch):
    before = datasets._recipe()
    source = Path(module.__file__).read_text()
    assert source.count(old) == 1
    name = module.__name__.rpartition(".")[2]
    monkeypatch.setattr(datasets, name, executed(module, source.replace(old, new)))
    assert datasets._recipe() != before


def test_the_recipe_changes_with_the_templates(templates):
    before = datasets._recipe()
    (templates / "t0000.jpg").rename(templates / "renamed.jpg")
    assert datasets._recipe() != before


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


def test_too_few_templates_are_an_error(home, monkeypatch):
    monkeypatch.setenv("FINHASH_TEMPLATES", str(home))
    with pytest.raises(FileNotFoundError, match="1034 templates are needed"):
        datasets.load()


def test_real_templates_are_resized_and_captioned(templates):
    assert project.data_set() == "memes"
    dataset = datasets.load(TINY, progress=False)
    assert dataset.name == "memes"
    assert len(dataset) == 12
    with Image.open(dataset.paths[0]) as image:
        assert image.size == (250, 250)


def test_the_name_is_known_without_rendering(home):
    assert project.data_set() == "drawn"
    assert not any(home.iterdir())
    assert datasets.load(TINY, progress=False).name == "drawn"
    assert json.loads((home / "data" / "drawn" / "recipe.json").read_text()) == datasets._recipe()


def test_another_file_name_is_an_error():
    with pytest.raises(ValueError, match=r"cat\.jpg is not named"):
        datasets.family_and_number("images/cat.jpg")
