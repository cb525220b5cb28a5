"""Notebooks and report, end to end at smoke scale, in a folder of their own."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from finhash.study.report import figures

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A home with the committed hash tables and report sources, and drawn pictures."""
    home = tmp_path_factory.mktemp("home")
    (home / "data").mkdir()
    (home / "data" / "hashes").symlink_to(ROOT / "data" / "hashes")
    sources = shutil.ignore_patterns("generated", "report.pdf")
    shutil.copytree(ROOT / "report", home / "report", ignore=sources)
    shutil.copytree(ROOT / "notebooks", home / "notebooks")
    return home


def environment(home: Path) -> dict[str, str]:
    own = ("FINHASH_TEMPLATES", "FINHASH_DAS_IMAGES")
    kept = {key: value for key, value in os.environ.items() if key not in own}
    return {**kept, "FINHASH_HOME": str(home), "FINHASH_SCALE": "smoke"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_by_nbconvert(home, path):
    output = home / "executed"
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "jupyter",
            "nbconvert",
            "--to",
            "notebook",
            "--execute",
            "--output-dir",
            output,
            home / "notebooks" / path.name,
        ],
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    notebook = nbformat.read((output / path.name).open(), as_version=4)
    assert any(cell.get("outputs") for cell in notebook.cells)


def test_all_figures_are_exported(home):
    for stem in figures.FIGURES:
        assert (home / "figures" / f"{stem}.pdf").stat().st_size > 3000
        assert (home / "figures" / f"{stem}.png").stat().st_size > 3000


def publish(home: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "finhash.study.report.build"],
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
    )


needs_latex = pytest.mark.skipif(
    not shutil.which("latexmk"), reason="LaTeX is not installed (make help)"
)


@needs_latex
def test_report_is_built(home):
    run = publish(home)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    assert (home / "report" / "report.pdf").stat().st_size > 50_000
    log = (home / "build" / "latex" / "report.log").read_text(errors="replace")
    assert not re.search(r"undefined (references|citations)|Citation .* undefined|\?\?", log)
    assert "Overfull \\hbox" not in log


@needs_latex
def test_an_unknown_result_stops_the_report(home):
    report = home / "report" / "report.tex"
    text = report.read_text()
    report.write_text(text.replace(r"\end{document}", "\\result{no-such-key}\n\\end{document}"))
    try:
        run = publish(home)
        assert run.returncode != 0
        assert "no-such-key" in run.stdout + run.stderr
    finally:
        report.write_text(text)
