"""Notebooks and report, end to end at smoke scale, in a copy of the checkout.

Two runs go on side by side: one on drawn images, notebook by notebook, and one on a user's folder
of images with mistakes.
"""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from finhash.study.report import figures
from tests.study import own_images

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
MADE_BY_SCRIPTS = (
    "confirmation*",
    "shrinking*",
    "*_coverage*",
    "volume*",
    "fuzz*",
    "faults*",
    "soak*",
)
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file that a run must leave as it is."""
    kept = [path for part in ("notebooks", "report") for path in (folder / part).rglob("*")]
    kept += (folder / "data" / "results").iterdir()
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in [*kept, folder / "README.md"]
        if path.is_file()
    }


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """Return a checkout with committed hash tables and with the results that no notebook makes.

    Scripts make those about set B, shrinking, simulated intervals and reliability.
    """
    home = tmp_path_factory.mktemp("home")
    (home / "data" / "results").mkdir(parents=True)
    for made_by_script in MADE_BY_SCRIPTS:
        for table in (ROOT / "data" / "results").glob(made_by_script):
            shutil.copy(table, home / "data" / "results")
    (home / "data" / "hashes").symlink_to(ROOT / "data" / "hashes")
    shutil.copytree(ROOT / "report", home / "report")
    shutil.copytree(ROOT / "notebooks", home / "notebooks")
    shutil.copy(ROOT / "README.md", home / "README.md")
    return home


@pytest.fixture(scope="module", autouse=True)
def own_run(home, committed, tmp_path_factory) -> Iterator[tuple[Path, subprocess.Popen]]:
    """Start a run on a user's images, and return its output folder and its process."""
    folder = own_images.make(tmp_path_factory.mktemp("holiday") / "photos", families=7, images=3)
    out = tmp_path_factory.mktemp("own")
    names = " ".join(path.stem for path in NOTEBOOKS)
    module = f"{sys.executable} -m finhash.study.report"
    steps = f"{module}.notebooks digests && {module}.notebooks run {names} && {module}.build"
    own = {"FINHASH_DAS_IMAGES": str(folder), "FINHASH_OUT": str(out)}
    with (out / "log").open("w") as log:
        process = subprocess.Popen(
            ["sh", "-c", steps],
            env=environment(home) | own,
            cwd=home,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    yield out, process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def committed(home) -> dict[str, str]:
    """Return the digests of the checkout's files before anything has run."""
    return digests(home)


def environment(home: Path) -> dict[str, str]:
    own = ("FINHASH_TEMPLATES", "FINHASH_DAS_IMAGES", "FINHASH_OUT")
    kept = {key: value for key, value in os.environ.items() if key not in own}
    return {**kept, "FINHASH_HOME": str(home), "FINHASH_SCALE": "smoke"}


def run(home: Path, *words: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", *map(str, words)],
        env=environment(home),
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_by_nbconvert(home, committed, path):
    output = home / "build" / "notebooks"
    command = ["nbconvert", "--to", "notebook", "--execute", "--output-dir", output]
    done = run(home, "jupyter", *command, home / "notebooks" / path.name)
    assert done.returncode == 0, done.stderr[-3000:]
    notebook = nbformat.read((output / path.name).open(), as_version=4)
    assert any(cell.get("outputs") for cell in notebook.cells)


def test_all_figures_are_exported(home):
    for suffix in ("pdf", "png"):
        drawn = {path.stem for path in (home / "build" / "figures").glob(f"*.{suffix}")}
        assert drawn == set(figures.FIGURES)


needs_latex = pytest.mark.skipif(
    not shutil.which("latexmk"), reason="LaTeX is not installed (see make help)"
)


@needs_latex
def test_report_is_built(home):
    done = run(home, "finhash.study.report.build")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    pdf = home / "build" / "report" / "report.pdf"
    assert pdf.read_bytes().startswith(b"%PDF")
    log = (home / "build" / "latex" / "report" / "report.log").read_text(errors="replace")
    assert not re.search(r"undefined (references|citations)|Citation .* undefined|\?\?", log)
    assert "Overfull \\hbox" not in log


def test_a_run_leaves_the_checkout_as_it_is(home, committed):
    assert digests(home) == committed
    assert not (home / "figures").exists()


LEFT_OVER = re.compile(
    r"stand-in|\bset A\b|\bset B\b|Library of Congress|Zipf|Dank|1,034|1\\,034|55,972|55\\,972",
    re.I,
)
"""Words and numbers that are about the stand-in."""


@needs_latex
def test_run_on_own_images_builds_a_report_about_them(own_run):
    out, process = own_run
    assert process.wait() == 0, (out / "log").read_text()[-3000:]
    assert (out / "report" / "report.pdf").read_bytes().startswith(b"%PDF")
    assert "left out" in (out / "log").read_text()  # notebooks about the stand-in
    numbers = (out / "report" / "generated" / "numbers.tex").read_text()
    assert "endcsname{nan" not in numbers
    text = (out / "report" / "your_images.tex").read_text()
    assert r"\def\csname result@title\endcsname{photos}" in numbers
    assert not LEFT_OVER.search(text + numbers)
    for table in (out / "report" / "generated").glob("*.tex"):
        assert not re.search(r"\b(nan|inf)\b", table.read_text()), table


def test_notebooks_of_own_images_are_about_them(own_run):
    out, process = own_run
    assert process.wait() == 0, (out / "log").read_text()[-3000:]
    executed = sorted((out / "notebooks").glob("*.ipynb"))
    about_standin = ("11_confirmation", "12_set_a")
    assert [path.stem for path in executed] == [
        path.stem for path in NOTEBOOKS if path.stem not in about_standin
    ]
    for path in executed:
        notebook = nbformat.read(path.open(), as_version=4)
        for cell in notebook.cells:
            assert not LEFT_OVER.search(cell.source), (path.stem, cell.source)
            for output in cell.get("outputs", []):
                assert output.get("name") != "stderr", (path.stem, output.text)
                assert not LEFT_OVER.search(output.get("text", "")), (path.stem, output.text)
    counted = pd.read_csv(out / "data" / "results" / "datasets_images.csv").iloc[0]
    assert counted["unreadable"] == 2
    assert counted["skipped"] == 2


@needs_latex
def test_an_unknown_result_stops_the_report(home):
    source = home / "report" / "report.tex"
    text = source.read_text()
    source.write_text(text.replace(r"\end{document}", "\\result{no-such-key}\n\\end{document}"))
    try:
        done = run(home, "finhash.study.report.build")
        assert done.returncode != 0
        assert "no-such-key" in done.stdout + done.stderr
    finally:
        source.write_text(text)
