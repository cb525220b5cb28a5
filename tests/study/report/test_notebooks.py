"""Notebooks run when what decides their results has changed, and only then."""

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from finhash.study import project
from finhash.study.report import notebooks


def write(folder: Path, name: str, *cells: str) -> None:
    """Write a notebook; a cell that begins with # is text."""
    made = [new_markdown_cell(c) if c.startswith("#") else new_code_cell(c) for c in cells]
    (folder / "notebooks").mkdir(exist_ok=True)
    nbformat.write(new_notebook(cells=made), folder / "notebooks" / f"{name}.ipynb")


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("FINHASH_HOME", str(tmp_path))
    monkeypatch.delenv("FINHASH_OUT", raising=False)
    monkeypatch.setenv("FINHASH_SCALE", "smoke")
    return tmp_path


def digest(name: str = "a") -> str:
    notebooks.write_digests()
    return (project.out() / ".stamps" / f"{name}.digest").read_text()


def test_text_does_not_change_the_digest_but_code_does(home):
    write(home, "a", "# Title", "print(1)")
    before = digest()
    write(home, "a", "# Another title", "print(1)")
    assert digest() == before
    write(home, "a", "# Another title", "print(2)")
    assert digest() != before


def test_scale_changes_the_digest(home, monkeypatch):
    write(home, "a", "print(1)")
    before = digest()
    monkeypatch.setenv("FINHASH_SCALE", "quick")
    assert digest() != before


def test_an_unchanged_digest_file_keeps_its_date(home):
    write(home, "a", "print(1)")
    digest()
    file = home / "build" / ".stamps" / "a.digest"
    written = file.stat().st_mtime_ns
    digest()
    assert file.stat().st_mtime_ns == written


def test_a_module_counts_without_docstrings_and_comments():
    plain = 'def f(x):\n    return x\n\n\nclass C:\n    """Words."""\n'
    worded = '"""Words."""\n\n\ndef f(x):\n    """Other words."""\n    # Why.\n    return x\n'
    assert notebooks._without_docstrings(plain.split("\n\n\n")[0]) == (
        notebooks._without_docstrings(worded)
    )
    assert notebooks._without_docstrings("x = 1") != notebooks._without_docstrings("x = 2")


def test_a_notebook_depends_on_what_it_imports_and_on_nothing_that_draws(home):
    write(
        home,
        "a",
        "from finhash.study.cost import baseline\nfrom finhash.study.report import figures",
    )
    found = notebooks._imported(notebooks._python("a"))
    assert "finhash.study.cost.operations" in found  # baseline imports it
    assert "finhash.study.timing" not in notebooks._imported("from finhash import hamming")
    assert not {module for module in found if "report" in module}


def test_a_notebook_depends_on_the_notebook_whose_results_it_loads(home):
    save = 'BY = "a"\nresults.save(table, "rates", by=BY, data=source)'
    write(home, "a", save)
    write(home, "b", 'results.load("rates")')
    write(home, "c", "print(1)")
    before = digest("b"), digest("c")
    write(home, "a", save + "\nprint(1)")
    assert digest("b") != before[0]
    assert digest("c") == before[1]


@pytest.mark.slow
def test_new_text_keeps_outputs_and_new_code_makes_others(home):
    write(home, "a", "# Title", "%matplotlib inline\nimport os\nprint(os.getpid())")
    digest()
    notebooks.run("a")
    executed = home / "build" / "notebooks" / "a.ipynb"
    first = nbformat.read(executed, as_version=4)
    assert first.cells[1].outputs[0].text.strip().isdigit()
    assert not nbformat.read(home / "notebooks" / "a.ipynb", as_version=4).cells[1].outputs

    write(home, "a", "# Another title", first.cells[1].source)
    digest()
    notebooks.run("a")
    second = nbformat.read(executed, as_version=4)
    assert second.cells[0].source == "# Another title"
    assert second.cells[1].outputs == first.cells[1].outputs

    write(home, "a", "# Another title", "print('code')")
    digest()
    notebooks.run("a")
    assert nbformat.read(executed, as_version=4).cells[1].outputs[0].text == "code\n"


@pytest.mark.slow
def test_a_notebook_that_fails_is_not_written(home):
    write(home, "a", "1 / 0")
    digest()
    with pytest.raises(Exception, match="ZeroDivisionError"):
        notebooks.run("a")
    assert not (home / "build" / "notebooks" / "a.ipynb").exists()
    assert not (home / "build" / ".stamps" / "a").exists()


@pytest.mark.slow
def test_a_finding_whose_claim_fails_is_left_out_and_named(home, monkeypatch, capsys):
    monkeypatch.setattr(
        notebooks.claims,
        "CLAIMS",
        {"right": (lambda: True, ()), "wrong": (lambda: False, ())},
    )
    findings = [f"# {key}\n<!-- claims: {key} -->" for key in ("right", "wrong")]
    write(home, "a", "# Title", *findings, "1")
    digest()
    notebooks.run("a")
    executed = nbformat.read(home / "build" / "notebooks" / "a.ipynb", as_version=4)
    assert [cell.source.split()[1] for cell in executed.cells[:2]] == ["Title", "right"]
    assert len(executed.cells) == 3
    assert "a: a claim fails on these results: wrong" in capsys.readouterr().out
