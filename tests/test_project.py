"""Committed files agree with each other: pins, README, notebooks, results, report."""

import json
import re
import shutil
import subprocess
import tomllib
from itertools import chain
from pathlib import Path

import nbformat
import pytest
import yaml

from finhash.study import project, results
from finhash.study.report import build, claims, plausible
from finhash.tables.hash_table import HashTable
from tests.conftest import jpeg_bytes

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MOST_WORDS = 3500
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:tmp|home|root|work|Users)/\w")


def release(version: str) -> list[int]:
    return [int(part) for part in version.split(".")[:2]]


def test_pyproject_lock_and_environment_agree():
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = pyproject["project"]
    lock = (ROOT / "requirements.lock").read_text()
    locked = dict(re.findall(r"^([\w.-]+)==([\w.]+)", lock, re.MULTILINE))
    extras = dict(project["optional-dependencies"])
    assert [need.split(">=")[0] for need in extras.pop("cuda")] == ["numba-cuda"]  # not locked
    groups = [project["dependencies"], *extras.values(), *pyproject["dependency-groups"].values()]
    for need in chain.from_iterable(groups):
        name, least = re.fullmatch(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)", need).groups()
        version = locked[name.lower().replace("_", "-")]
        assert release(version) >= release(least), need
    assert "://" not in lock

    conda = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert f"python{project['requires-python']}" in conda
    pip = next(entry["pip"] for entry in conda if isinstance(entry, dict))
    assert pip == ["--requirement requirements.lock"]


def test_readme_code_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("a.jpg").write_bytes(jpeg_bytes(seed=1))
    Path("b.jpg").write_bytes(jpeg_bytes(seed=2))
    Path("broken.jpg").write_bytes(b"not an image")
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    printed = capsys.readouterr().out
    assert "of 256 bits differ" in printed
    assert "NotAnImageError" in printed
    assert "Match(id='a.jpg', distance=0)" in printed
    assert Path("hashes.parquet").exists()


@pytest.fixture
def checkout(monkeypatch) -> None:
    """Read results from the checkout alone, as a run on the committed data set would."""
    monkeypatch.setenv("FINHASH_OUT", str(ROOT))


@pytest.mark.usefixtures("checkout")
def test_readme_block_comes_from_committed_results():
    text = (ROOT / "README.md").read_text()
    assert build.with_block(text) == text


def test_readme_names_what_exists():
    text = (ROOT / "README.md").read_text()
    for name in re.findall(r"`([\w/]+/|\w+\.py)`", text):
        folders = (ROOT, ROOT / "finhash", ROOT / "finhash" / "study")
        assert any((folder / name).exists() for folder in folders), name
    for name in re.findall(r"\b(\d\d_\w+)", text):
        assert (ROOT / "notebooks" / f"{name}.ipynb").exists(), name
    assert len(re.findall(r"\S*\w\S*", text)) <= 900
    for link in re.findall(r"\]\(([^)]+)\)", text):
        assert (ROOT / link).exists(), link
    targets = set(re.findall(r"make ([a-z]+)`", text))
    makefile = (ROOT / "Makefile").read_text()
    assert targets
    assert all(f"\n## {target}:" in makefile for target in targets)


@pytest.mark.usefixtures("checkout")
def test_report_is_built_from_committed_results(tmp_path, monkeypatch):
    monkeypatch.setattr(project, "report", lambda: tmp_path)
    for name in ("report.tex", "part1.tex"):
        shutil.copy(ROOT / "report" / name, tmp_path)
    build.write_generated()
    for path in sorted((ROOT / "report" / "generated").iterdir()):
        assert (tmp_path / "generated" / path.name).read_text() == path.read_text(), path.name
    words = (tmp_path / "generated" / "words.tex").read_text()
    assert int(words.replace(",", "")) <= MOST_WORDS
    assert (ROOT / "report" / "report.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.usefixtures("checkout")
def test_every_claim_holds_on_the_committed_results():
    assert claims.failing(claims.CLAIMS) == []


def test_every_claim_stands_in_a_text_and_every_text_names_known_claims():
    named = set(claims.marked((ROOT / "README.md").read_text()))
    for name in ("report.tex", "part1.tex", "your_images.tex"):
        text = (ROOT / "report" / name).read_text()
        named |= set(re.findall(r"\\(?:claim|otherwise)\{([\w-]+)\}", text))
    for path in NOTEBOOKS:
        for cell in nbformat.read(path.open(), as_version=4).cells:
            named |= set(claims.marked(cell.source))
            if cell.source.startswith("**Finding"):
                assert claims.marked(cell.source), (path.stem, cell.source)
    assert named == claims.CLAIMS.keys()


@pytest.mark.usefixtures("checkout")
def test_no_committed_value_is_impossible():
    names = [path.stem for path in (ROOT / "data" / "results").glob("*.csv")]
    assert list(plausible.faults(names)) == []


def test_every_result_has_provenance_without_machine_paths():
    tables = sorted((ROOT / "data" / "results").glob("*.csv"))
    assert tables
    for table in tables:
        facts = json.loads(table.with_suffix(".json").read_text())
        assert {"command", "dataset", "run", "commit", "seed", "cpu", "versions"} <= facts.keys()
        assert not MACHINE_PATH.search(table.read_text() + json.dumps(facts))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_committed_notebook(path):
    notebook = nbformat.read(path.open(), as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    for cell in code:
        assert len(cell.source.splitlines()) <= 14
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr"
    text = path.read_text()
    assert not MACHINE_PATH.search(text)
    assert len(text) < 1_500_000


ABOUT_SET_A = re.compile(
    r"\bset [AB]\b|stand-in|1,034|55,972|Library of Congress|Zipf|course's", re.I
)
"""Words that only cells about the rendered set may hold."""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_about_the_rendered_set_are_tagged(path):
    notebook = nbformat.read(path.open(), as_version=4)
    tagged = ["set-a" in cell.metadata.get("tags", []) for cell in notebook.cells]
    for cell, tag in zip(notebook.cells, tagged, strict=True):
        if not tag and not tagged[0]:
            assert not ABOUT_SET_A.search(cell.source), cell.source
        if cell.source.startswith("**Finding") and not tagged[0]:
            about = "**Finding (set A).**" if tag else "**Finding.**"
            assert cell.source.startswith(about), cell.source


def test_every_result_is_made_by_a_notebook_and_named_after_a_module():
    tables = {path.stem for path in (ROOT / "data" / "results").glob("*.csv")}
    assert tables == results.makers().keys()
    modules = {path.stem for path in (ROOT / "finhash").rglob("*.py")}
    for table in tables:
        assert any(table == name or table.startswith(f"{name}_") for name in modules), table


def test_readme_of_data_names_the_fingerprints_of_both_sets():
    text = (ROOT / "data" / "README.md").read_text()
    for name in ("memes", "memes_b"):
        for table in (ROOT / "data" / "hashes" / name).glob("*.parquet"):
            assert HashTable.read(table).provenance["fingerprint"] in text


def test_results_are_of_one_scale():
    """Catch a run that stopped half way: its results do not belong together."""
    facts = [json.loads(path.read_text()) for path in (ROOT / "data" / "results").glob("*.json")]
    assert len({fact["scale"] for fact in facts}) == 1


def test_no_image_of_others_is_committed():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    images = [n for n in listed if n.endswith((".jpg", ".jpeg", ".gif", ".webp"))]
    assert all(name.startswith("tests/vectors/") for name in images)
