"""The page on reliability quotes the committed tables."""

import pandas as pd
import pytest

from finhash.study import project, results
from finhash.study.reliability import page


def test_the_page_quotes_the_committed_tables(monkeypatch):
    monkeypatch.setenv("FINHASH_OUT", str(project.root()))
    text = (project.root() / "docs" / "reliability.md").read_text()
    assert page.filled(text) == text


def test_the_page_has_a_place_for_each_block():
    text = (project.root() / "docs" / "reliability.md").read_text()
    for name in page.BLOCKS:
        assert text.count(f"<!-- {name} -->\n") == text.count(f"<!-- /{name} -->\n") == 1


def test_a_block_without_a_table_stays(monkeypatch):
    def missing(name: str) -> pd.DataFrame:
        raise results.MissingResultError(name)

    monkeypatch.setattr(results, "load", missing)
    text = "<!-- soak -->\nearlier figures\n<!-- /soak -->\n"
    assert page.filled(text) == text


@pytest.fixture
def tables(monkeypatch) -> dict[str, pd.DataFrame]:
    """Return tables by name, in the place of results."""
    found: dict[str, pd.DataFrame] = {}

    def load(name: str) -> pd.DataFrame:
        if name not in found:
            raise results.MissingResultError(name)
        return found[name].copy()

    monkeypatch.setattr(results, "load", load)
    return found


def test_faults(tables):
    sums = {"unreadable": 0, "stray": 0, "processes_left": 0, "tracebacks": 0}
    tables["faults"] = pd.DataFrame(
        [
            ("disk full", "processes", 5, 1200, 2, 5, "Error: no space"),
            ("folder removed", "processes", 5, 30, 30, 4, None),
            ("power cut", "processes", 0, 0, 0, 0, "not possible here: needs a switch"),
        ],
        columns=["fault", "where", "repeats", "rows_before", "rows_lost", "completed", "message"],
    ).assign(**sums)
    block = page.filled("<!-- faults -->\nearlier figures\n<!-- /faults -->\n")
    assert "2 of 1,200 finished rows were lost" in block
    assert "9 of 10 next runs completed" in block
    assert "- No processes were left running.\n" in block
    assert "- Not tested: power cut (needs a switch).\n" in block
    assert "| disk full | processes | 2 of 1,200 | 5 of 5 | `Error: no space` |\n" in block
    assert "| folder removed | processes | 30 of 30 | 4 of 5 |  |\n" in block
    assert "earlier figures" not in block


def test_soak(tables):
    counts = ["jobs", "workers_killed", "programs_killed", "runs_failed", "rows_lost"]
    counts += ["rows", "rows_doubled", "rows_wrong", "worker_died", "not_mended"]
    counts += ["unreadable", "stray", "processes_left"]
    tables["soak"] = pd.DataFrame({"executor": ["processes", "dask"]} | dict.fromkeys(counts, 1234))
    used = ["mb_first", "mb_last", "open_files_first", "open_files_last"]
    used += ["threads_first", "threads_last"]
    tables["soak_programs"] = pd.DataFrame(
        {"executor": "dask", "jobs": [2, 7], "workers_killed": [1, 9]} | dict.fromkeys(used, 55)
    )
    block = page.soak()
    assert "|  | processes | dask |\n" in block
    assert "| rows lost | 1,234 | 1,234 |\n" in block
    assert "completed 7 while 9 workers were killed" in block


def test_fuzz_and_volume(tables):
    tables["fuzz"] = pd.DataFrame(
        {
            "executor": ["serial", "serial", "command"],
            "files": 1000,
            "hashed": 300,
            "wrong_rows": 0,
            "untyped": 0,
            "died": 0,
            "compared": 6,
            "bits": 0,
        }
    )
    tables["volume"] = pd.DataFrame(
        {"kind": ["a", "b"], "route": "compiled", "images": 600, "images_changed": 0, "bits": 0}
    )
    assert "| serial | 2,000 | 600 | 0 | 0 | 0 | 12 | 0 |\n" in page.fuzz()
    assert "| `finhash hash` | 1,000 | 300 |" in page.fuzz()
    assert "| total | 3,000 | 900 |" in page.fuzz()
    assert "| compiled | 1,200 | 0 | 0 |\n" in page.volume()


def test_platforms(tables):
    kinds = ["locale", "packages", "packages"]
    tables["platforms"] = pd.DataFrame(
        {
            "varied": kinds,
            "value": ["LC_ALL=C", "oldest", "newest"],
            "hashes": 3000,
            "differing": [0, 7, 0],
            "differing_methods": [None, "dhash64", None],
            "facts": 0,
            "join": [True, True, False],
            "nearest": True,
            "families": True,
        }
    )
    assert "| locale | `LC_ALL=C` | 3,000 | 0 |  | 0 | 1 of 1 |\n" in page.platforms()
    assert (
        "| packages | `oldest`, `newest` | 6,000 | 7 | dhash64 | 0 | 1 of 2 |\n" in page.platforms()
    )
    tables["platforms_libm"] = pd.DataFrame(
        {
            "cosines": ["musl", "musl"],
            "values": 33,
            "set": ["golden", "flat"],
            "images": [37, 256],
            "changed": [8, 250],
        }
    )
    assert "| cosines of | values that differ | golden | flat |\n" in page.platforms_libm()
    assert "| musl | 33 of 1,024 | 8 of 37 | 250 of 256 |\n" in page.platforms_libm()
