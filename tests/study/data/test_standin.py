"""The stand-ins: their templates, captions and rendering."""

import ast
import csv
import dataclasses
import hashlib
import io
import json
import shutil
import types
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner
from PIL import Image

from finhash.study import project
from finhash.study.data import datasets, drawn, memes, render, standin
from finhash.tables.hash_table import HashTable
from finhash.tables.schema import schema as table_schema
from tests.conftest import jpeg_bytes

TINY = project.Scale("tiny", families=3, per_family=4)
PROBES = standin.PROBES


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty project folder, no environment variables, and a recipe that renders little."""
    monkeypatch.setenv("FINHASH_HOME", str(tmp_path))
    for name in ("TEMPLATES", "TEMPLATES_B", "DAS_IMAGES", "SCALE"):
        monkeypatch.delenv(f"FINHASH_{name}", raising=False)
    monkeypatch.setattr(standin, "PROBES", range(1))
    return tmp_path


@pytest.fixture
def templates(tmp_path, monkeypatch):
    """Listed templates of three families, not 250 x 250 pixels large, and a file beside them."""
    folder = tmp_path / "templates"
    folder.mkdir()
    for k, name in enumerate(("b.jpg", "a.jpg", "c.jpg", "not listed.jpg")):
        (folder / name).write_bytes(jpeg_bytes(120, 100, seed=k))
    listed = [(name, digest(folder / name)) for name in ("b.jpg", "a.jpg", "c.jpg")]
    with (tmp_path / "templates.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("set", "name", "sha256"), *[("memes", *t) for t in listed]])
    monkeypatch.setattr(standin, "TEMPLATES", tmp_path / "templates.csv")
    monkeypatch.setenv("FINHASH_TEMPLATES", str(folder))
    return folder


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.jpg"))}


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.slow
def test_rendering_does_not_depend_on_the_number_of_workers(home, monkeypatch):
    standin.DRAWN.render(home / "one", TINY, workers=1, progress=False)
    monkeypatch.setattr(standin, "SMALL", 0)
    standin.DRAWN.render(home / "two", TINY, workers=2, progress=False)
    assert len(contents(home / "one")) == 12
    assert contents(home / "one") == contents(home / "two")


def test_rendering_resumes_and_a_larger_scale_keeps_the_images_of_a_smaller_one(home):
    folder = home / "images"
    standin.DRAWN.render(folder, TINY, progress=False)
    before = contents(folder)
    (folder / "0001_00002.jpg").unlink()
    (folder / "0002_00000.partial").write_bytes(b"left by a killed process")
    written = (folder / "0000_00000.jpg").stat().st_mtime_ns
    standin.DRAWN.render(folder, project.Scale("more", 4, 5), progress=False)
    after = contents(folder)
    assert len(after) == 20
    assert before.items() <= after.items()
    assert (folder / "0000_00000.jpg").stat().st_mtime_ns == written


def test_images_of_another_recipe_are_rendered_again(home):
    folder = home / "images"
    standin.DRAWN.render(folder, TINY, progress=False)
    before = contents(folder)
    dataclasses.replace(standin.DRAWN, seed=7).render(folder, TINY, progress=False)
    after = contents(folder)
    assert before.keys() == after.keys()
    assert not any(before[name] == after[name] for name in before)


def test_images_without_a_recipe_are_not_deleted(home):
    image = home / "other" / "0000_1.jpg"
    image.parent.mkdir()
    image.write_bytes(jpeg_bytes())
    with pytest.raises(FileExistsError, match=r"no recipe\.json"):
        standin.DRAWN.render(image.parent, TINY, progress=False)
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
    monkeypatch.setattr(standin, "PROBES", PROBES)
    before, module = standin.DRAWN.recipe(), getattr(standin, name)
    source = without_words(Path(module.__file__).read_text())
    assert '"""' not in source
    monkeypatch.setattr(standin, name, executed(module, source))
    assert standin.DRAWN.recipe() == before


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
    before = standin.DRAWN.recipe()
    source = Path(module.__file__).read_text()
    assert source.count(old) == 1
    name = module.__name__.rpartition(".")[2]
    monkeypatch.setattr(standin, name, executed(module, source.replace(old, new)))
    assert standin.DRAWN.recipe() != before


def test_the_recipe_changes_with_the_templates(templates, home, monkeypatch):
    before = standin.MEMES.recipe()
    (home / "other.csv").write_text(standin.TEMPLATES.read_text().replace("c.jpg", "d.jpg"))
    monkeypatch.setattr(standin, "TEMPLATES", home / "other.csv")
    assert standin.MEMES.recipe() != before


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
    assert (
        json.loads((home / "data" / "drawn" / "recipe.json").read_text()) == standin.DRAWN.recipe()
    )


def test_the_lists_name_1034_templates_per_set_and_none_twice():
    sets = [standin.MEMES.templates(), standin.MEMES_B.templates()]
    assert [len(listed) for listed in sets] == [memes.FAMILIES] * 2
    assert len({name for listed in sets for name, _ in listed}) == 2 * memes.FAMILIES
    assert all(len(bytes.fromhex(sha256)) == 32 for listed in sets for _, sha256 in listed)


def test_set_a_keeps_its_templates_and_captions():
    listed = standin.MEMES.templates()
    assert [listed[family].name for family in (0, 1, 1033)] == [
        "potterdeer.jpg",
        "rebecca-black.jpg",
        "felix-baumgartner.jpg",
    ]
    # The digest that the recipe of the committed hash tables holds.
    assert standin._digest(name.encode() for name, _ in listed) == (
        "516045ed4234f2d6ac7cd526d6ed34d006935721066f647d5f1123fe63ba663e"
    )
    assert standin.MEMES.caption(0, 1) == ("WITH ME SANDWICH COTTON SEE", "TOWN BIRD FEBRUARY")
    assert standin.MEMES.caption(500, 12) == ("TODAY", "")
    assert standin.DRAWN.caption(500, 12) == standin.MEMES.caption(500, 12)


def test_set_b_has_other_captions():
    images = [(family, number) for family in range(10) for number in range(4)]
    assert not any(standin.MEMES.caption(*i) == standin.MEMES_B.caption(*i) for i in images)


def test_files_beside_the_listed_templates_change_nothing(templates, home):
    before = standin.MEMES.recipe()
    (templates / "not listed.jpg").unlink()
    (templates / "0.jpg").write_bytes(jpeg_bytes())
    standin.MEMES.check_templates()
    assert standin.MEMES.recipe() == before


def test_missing_templates_are_an_error(templates):
    for name in ("a.jpg", "c.jpg"):
        (templates / name).unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks 2 of the 3 .* first is a\.jpg.*README"):
        datasets.load(TINY, progress=False)


def test_a_template_of_other_bytes_is_an_error(templates, home):
    shutil.copy(templates / "b.jpg", templates / "c.jpg")
    with pytest.raises(ValueError, match=r"1 of the 3 templates .* first is c\.jpg.*README"):
        datasets.load(TINY, progress=False)
    assert not (home / "data" / "memes").exists()


def test_set_b_needs_its_own_folder(templates):
    with pytest.raises(FileNotFoundError, match="FINHASH_TEMPLATES_B is not set"):
        datasets.load(TINY, name="memes_b", progress=False)


def test_another_set_than_that_of_the_run_is_loaded_by_name(templates, home, monkeypatch):
    listed = standin.TEMPLATES.read_text().replace("memes", "memes_b")
    (home / "b.csv").write_text(listed)
    monkeypatch.setattr(standin, "TEMPLATES", home / "b.csv")
    monkeypatch.setenv("FINHASH_TEMPLATES_B", str(templates))
    dataset = datasets.load(TINY, name="memes_b", progress=False)
    assert dataset.name == "memes_b"
    assert {path.parent for path in dataset.paths} == {home / "data" / "memes_b"}
    assert len(dataset) == 12


def test_the_command_compares_with_the_committed_fingerprint(home, monkeypatch):
    monkeypatch.setitem(project.SCALES, "full", TINY)
    found = CliRunner().invoke(render.main, ["drawn"])
    assert found.exit_code == 0
    assert "nothing is committed" in found.output
    fingerprint = datasets.load(TINY, name="drawn").fingerprint
    assert fingerprint in found.output
    table = HashTable(pa.Table.from_pylist([], table_schema(["find"])))
    for committed, status, verdict in ((fingerprint, 0, "equal"), ("0" * 64, 1, "different")):
        facts = {"fingerprint": committed, "versions": {"pillow": "1", "libjpeg-turbo": "2"}}
        table.with_provenance(**facts).write(home / "data" / "hashes" / "drawn" / "find.parquet")
        found = CliRunner().invoke(render.main, ["drawn"])
        assert found.exit_code == status
        assert f"{committed} committed, Pillow 1, libjpeg-turbo 2\n{verdict}" in found.output


def test_the_command_says_what_is_missing():
    found = CliRunner().invoke(render.main, ["memes_b"])
    assert found.exit_code == 2
    assert "FINHASH_TEMPLATES_B is not set" in found.output


def test_the_example_is_drawn():
    with Image.open(io.BytesIO(standin.example(10))) as image:
        assert image.size == (250, 250)
