"""What is committed holds together: pins, README, notebooks, results, report."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml

from finhash.study.report import build
from tests.conftest import jpeg_bytes

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MOST_WORDS = 3500
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:tmp|home|root|work|Users)/\w")


def release(version: str) -> list[int]:
    return [int(part) for part in version.split(".")[:2]]


def test_pyproject_lock_and_environment_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lock = (ROOT / "requirements.lock").read_text()
    locked = {
        name.lower().replace("_", "-"): version
        for name, version in re.findall(r"^([\w.-]+)==([\w.]+)", lock, re.MULTILINE)
    }
    extras = dict(project["optional-dependencies"])
    assert [need.split(">=")[0] for need in extras.pop("cuda")] == ["numba-cuda"]  # not locked
    for need in [*project["dependencies"], *(need for extra in extras.values() for need in extra)]:
        name, least = re.fullmatch(r"([\w-]+)>=([\d.]+)", need).groups()
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
    Path("broken.jpg").write_bytes(b"no picture")
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    printed = capsys.readouterr().out
    assert "of 256 bits differ" in printed
    assert "NotAnImageError" in printed
    assert Path("hashes.parquet").exists()


def test_readme_block_is_todays():
    text = (ROOT / "README.md").read_text()
    assert build.with_block(text) == text
    assert "times faster" in build.readme_block()


def test_report_numbers_and_tables_are_todays():
    generated = ROOT / "report" / "generated"
    assert build.numbers_tex() == (generated / "numbers.tex").read_text()
    for name, table in build.tables().items():
        assert (generated / f"{name}.tex").read_text() == table


def test_report_has_no_unknown_result_and_few_enough_words():
    text = (ROOT / "report" / "report.tex").read_text()
    quoted = set(re.findall(r"\\result\{([^}]*)\}", text)) - {"#1"}
    assert quoted <= build.numbers().keys()
    assert int((ROOT / "report" / "generated" / "words.tex").read_text()) <= MOST_WORDS
    assert (ROOT / "report" / "report.pdf").stat().st_size > 50_000


def test_every_result_has_provenance_without_machine_paths():
    tables = sorted((ROOT / "data" / "results").glob("*.csv"))
    assert tables
    for table in tables:
        facts = json.loads(table.with_suffix(".json").read_text())
        assert {"command", "dataset", "commit", "seed", "cpu", "versions"} <= facts.keys()
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


def test_every_result_is_a_notebooks():
    code = "".join(path.read_text() for path in NOTEBOOKS)
    for table in (ROOT / "data" / "results").glob("*.csv"):
        assert f'\\"{table.stem}\\"' in code, f"no notebook makes {table.name}"


def test_results_are_of_one_scale():
    """A run that stopped half way leaves results that do not belong together."""
    facts = [json.loads(path.read_text()) for path in (ROOT / "data" / "results").glob("*.json")]
    assert len({fact["scale"] for fact in facts}) == 1


def test_no_pictures_of_others_are_committed():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    pictures = [n for n in listed if n.endswith((".jpg", ".jpeg", ".gif", ".webp"))]
    assert all(name.startswith("tests/vectors/") for name in pictures)
