"""Results tables: where they are written, and which ones a run may read."""

import json
from pathlib import Path

import pandas as pd
import pytest

from finhash.study import project, results
from finhash.study.data.datasets import Dataset


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """Return an empty checkout whose run uses drawn images."""
    monkeypatch.setenv("FINHASH_HOME", str(tmp_path))
    for key in ("FINHASH_OUT", "FINHASH_TEMPLATES", "FINHASH_DAS_IMAGES"):
        monkeypatch.delenv(key, raising=False)
    return tmp_path


def table(value: float = 1.5) -> pd.DataFrame:
    return pd.DataFrame({"method": ["find"], "value": [value]})


def commit(home: Path, name: str, value: float, **facts: object) -> None:
    """Write a results table as if it were committed."""
    folder = home / "data" / "results"
    folder.mkdir(parents=True, exist_ok=True)
    table(value).to_csv(folder / f"{name}.csv", index=False)
    (folder / f"{name}.json").write_text(json.dumps(facts))


def test_a_run_writes_to_build_unless_told_otherwise(home, monkeypatch):
    assert project.out() == home / "build"
    assert not project.writes_to_checkout()
    monkeypatch.setenv("FINHASH_OUT", "elsewhere")
    assert project.out() == home / "elsewhere"
    monkeypatch.setenv("FINHASH_OUT", str(home))
    assert project.writes_to_checkout()


def test_saved_tables_are_loaded_with_their_provenance(home):
    results.save(table(), "rates", by="05_accuracy_comparison", data="some words")
    pd.testing.assert_frame_equal(results.load("rates"), table())
    facts = results.load_provenance("rates")
    assert facts["dataset"] == "some words"
    assert facts["run"] == "drawn"
    assert "05_accuracy_comparison" in facts["command"]
    assert {"commit", "seed", "cpu", "cores", "versions", "scale"} <= facts.keys()
    assert sorted(path.name for path in home.rglob("rates.*")) == ["rates.csv", "rates.json"]
    assert (home / "build" / "data" / "results" / "rates.csv").exists()


def test_provenance_describes_the_data_set(home):
    paths = [home / name for name in ("0001_1.jpg", "0001_2.jpg", "0002_1.jpg")]
    for path in paths:
        path.touch()
    results.save(table(), "rates", by="05", data=Dataset("das_images", home, paths, "photos"))
    facts = results.load_provenance("rates")
    assert facts["dataset"] == "das_images"
    assert (facts["title"], facts["images"], facts["families"]) == ("photos", 3, 2)
    assert len(facts["fingerprint"]) == 64


def test_this_runs_table_comes_before_the_committed_one(home):
    commit(home, "rates", 7.0, run="drawn")
    assert results.load("rates")["value"].item() == 7
    results.save(table(8.0), "rates", by="05", data="words")
    assert results.load("rates")["value"].item() == 8


def test_committed_tables_of_another_data_set_are_not_read(home, monkeypatch):
    commit(home, "ladder", 7.0, run="memes", fingerprint="of image files")
    commit(home, "rates", 7.0, run="memes")
    assert not results.exists("ladder")
    assert results.exists("rates")  # from hash tables, which drawn runs use too
    monkeypatch.setenv("FINHASH_TEMPLATES", "somewhere")
    assert results.exists("ladder")
    monkeypatch.setenv("FINHASH_DAS_IMAGES", "elsewhere")
    assert not results.exists("ladder")
    assert not results.exists("rates")


def test_a_missing_table_names_the_command_that_makes_it(home):
    (home / "notebooks").mkdir()
    cell = {"cell_type": "code", "source": ['results.save(found, "rates", by=BY, data=source)']}
    (home / "notebooks" / "05_accuracy.ipynb").write_text(json.dumps({"cells": [cell]}))
    with pytest.raises(results.MissingResultError, match=r"--execute notebooks/05_accuracy\.ipynb"):
        results.load("rates")
    with pytest.raises(results.MissingResultError, match="no program makes it"):
        results.load("unheard_of")
    with pytest.raises(results.MissingResultError, match=r"python -m finhash\.study\.\w+\.\w+$"):
        results.load("confirmation")


def test_the_data_set_is_named_without_loading_it(home, monkeypatch):
    assert project.data_set() == "drawn"
    monkeypatch.setenv("FINHASH_TEMPLATES", "somewhere")
    assert project.data_set() == "memes"
    own = home / "data" / "das_images"
    own.mkdir(parents=True)
    assert project.data_set() == "memes"
    (own / "0001_23.jpg").touch()
    assert project.data_set() == "das_images"


def test_medians_leave_out_cold_calls():
    timings = pd.DataFrame(
        {
            "contender": ["b", "b", "b", "b", "a", "a"],
            "state": ["cold", "warm", "warm", "warm", "cold", "warm"],
            "repeat": [0, 0, 1, 2, 0, 0],
            "seconds": [9.0, 3.0, 1.0, 2.0, 9.0, 5.0],
        }
    )
    found = results.medians(timings)
    assert found.to_dict() == {"b": 2.0, "a": 5.0}
    assert list(found.index) == ["b", "a"]


def test_an_unknown_scale_is_refused(monkeypatch):
    monkeypatch.setenv("FINHASH_SCALE", "huge")
    with pytest.raises(ValueError, match=r"FINHASH_SCALE is 'huge'; set it to one of full, quick"):
        project.scale()


def test_tables_of_set_b_and_of_generated_images_hold_for_every_run(home, monkeypatch):
    commit(home, "confirmation", 7.0, run="memes_b")
    commit(home, "shrinking", 8.0, run=results.GENERATED)
    commit(home, "rates", 7.0, run="memes")
    monkeypatch.setenv("FINHASH_DAS_IMAGES", "somewhere")
    assert results.load("confirmation")["value"].item() == 7
    assert results.load("shrinking")["value"].item() == 8
    assert not results.exists("rates")
