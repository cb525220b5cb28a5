"""Environments are compared bit by bit, and the committed table shows equal FINd hashes."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from finhash.find.geometry import DCT
from finhash.study import project, results
from finhash.study.cost import versions
from finhash.study.reliability import cosines, platforms
from finhash.study.reliability.platforms import DEFAULT, Environment, Outcome
from tests.conftest import jpeg_bytes

MATCHES = {name: np.zeros((2, 3), np.int32) for name in platforms.MATCHES}
HERE = {"python": "3.11.7", "platform": "Linux x86_64", "libc": "glibc 2.36"}


def outcome(hashes, *, facts=("{}", "{}", "{}"), matches=MATCHES, matrix=DCT, cosines=DCT):
    """Return an outcome of three images; ``hashes`` are rows of a flag and a byte, by method."""
    rows = {name: np.array(found, np.uint8) for name, found in hashes.items()}
    return Outcome(HERE, np.array(facts), matches, matrix, cosines, rows)


FOUND = outcome({"a": [[1, 0], [1, 255], [0, 0]], "b": [[1, 1], [1, 1], [1, 1]]})


@pytest.fixture(autouse=True)
def no_search(monkeypatch):
    """Let no test look for other versions of Python."""
    monkeypatch.setattr(versions, "available", list)


def test_equal_outcomes_do_not_differ():
    row = platforms.compare(FOUND, FOUND)
    assert row == {
        **HERE,
        **{"images": 3, "methods": 2, "hashes": 6},
        **{"differing": 0, "bits": 0, "differing_methods": "", "facts": 0},
        **{"join": True, "nearest": True, "families": True, "matrix": 0, "cosines": 0},
    }


def test_differing_hashes_and_bits_are_counted():
    other = outcome({"a": [[1, 3], [0, 0], [0, 0]], "b": [[1, 1], [1, 1], [1, 1]]})
    row = platforms.compare(FOUND, other)
    assert (row["differing"], row["bits"], row["differing_methods"]) == (2, 2, "a")


def test_methods_of_both_environments_are_compared():
    row = platforms.compare(FOUND, outcome({"b": FOUND.hashes["b"], "c": FOUND.hashes["a"]}))
    assert (row["methods"], row["hashes"], row["differing"]) == (1, 3, 0)


def test_other_facts_matches_and_cosines_are_counted():
    matches = MATCHES | {"join": np.zeros((2, 2), np.int32)}
    changed = cosines.one_bit_off()
    other = outcome(FOUND.hashes, facts=("{}", "x", "{}"), matches=matches, cosines=changed)
    row = platforms.compare(FOUND, other)
    assert (row["facts"], row["join"], row["nearest"], row["families"]) == (1, False, True, True)
    assert (row["matrix"], row["cosines"]) == (0, 1)
    assert platforms.compare(FOUND, outcome(FOUND.hashes, matrix=changed))["matrix"] == 1


def test_each_environment_is_compared_with_the_default_one(monkeypatch):
    asked = []
    monkeypatch.setattr(
        platforms, "run", lambda environment, *_: asked.append(environment) or FOUND
    )
    several = [Environment("umask", "0o077"), Environment("locale", "C")]
    rows = list(platforms.measure(several, Path("images"), Path("folder")))
    assert asked == [DEFAULT, *several]
    assert [(row["varied"], row["value"]) for row in rows] == [("umask", "0o077"), ("locale", "C")]
    assert all(row["commit"] and row["date"] for row in rows)


def test_environments_are_distinct():
    names = [(one.varied, one.value) for one in platforms.environments()]
    assert len(set(names)) == len(names)
    assert {"locale", "time zone", "workers", "packages", "umask"} <= {what for what, _ in names}


def test_without_uv_no_packages_are_installed(monkeypatch):
    monkeypatch.setattr(platforms, "find_spec", lambda name: None)
    assert platforms.pythons() == []


@pytest.mark.parametrize("version", [0, 7])
def test_without_a_recent_qemu_no_processor_is_emulated(monkeypatch, version):
    monkeypatch.setattr(platforms, "_qemu", lambda program: version)
    assert {one.varied for one in platforms.processors()} <= {"instructions of Numba"}


def test_the_version_of_an_emulator_is_its_major_one(monkeypatch):
    printed = "qemu-x86_64 version 10.0.13 (Debian 1:10.0.13+ds-0+deb13u1)\nCopyright\n"
    monkeypatch.setattr(
        subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0, printed)
    )
    monkeypatch.setattr(platforms.shutil, "which", lambda program: f"/usr/bin/{program}")
    assert platforms._qemu("qemu-x86_64") == 10
    monkeypatch.setattr(platforms.shutil, "which", lambda program: None)
    assert platforms._qemu("qemu-x86_64") == 0


def test_numba_compiles_for_no_processor_with_instructions_that_this_one_lacks(monkeypatch):
    monkeypatch.setattr(platforms.binding, "get_host_cpu_features", lambda: {"sse2": True})
    monkeypatch.setattr(platforms, "_qemu", lambda program: platforms.OLDEST_QEMU)
    assert [(one.varied, one.value) for one in platforms.processors()] == [
        *[("instructions of Numba", "generic"), ("processor", "Nehalem")],
        ("processor", "Haswell-noTSX"),
    ]


def test_a_locale_that_is_not_installed_is_left_out():
    assert platforms._has_locale("C")
    assert not platforms._has_locale("xx_XX.UTF-8")


def test_rows_of_another_number_of_images_are_left_out():
    row = {"varied": "umask", "value": "0o077", "images": 2}
    table = platforms.updated(platforms.updated(None, row), {**row, "value": "000"})
    assert table["value"].tolist() == ["0o077", "000"]
    assert platforms.updated(table, {**row, "images": 3})["images"].tolist() == [3]


@pytest.fixture
def commands(monkeypatch):
    """Record commands instead of running them."""
    found = []
    monkeypatch.setattr(
        subprocess, "run", lambda words, **_: found.append([str(word) for word in words])
    )
    return found


def test_packages_are_installed_for_the_wanted_python(commands, tmp_path):
    (newest,) = (one for one in platforms.pythons() if one.value == "newest")
    assert newest.install(tmp_path) == (str(tmp_path / "bin" / "python"),)
    create, install = commands
    assert create[create.index("--python") + 1] == versions.OWN
    assert install[-2:] == ["--resolution", "highest"]
    assert "pyproject.toml" in install


def test_wheels_for_arm_have_the_installed_versions(commands, tmp_path):
    (one,) = platforms.aarch64(tmp_path / "root")
    assert one.install(tmp_path)[-1] == str(tmp_path / "root" / "usr" / "bin" / "python3.11")
    (command,) = commands
    assert f"numpy=={np.__version__}" in command
    assert command[command.index("--target") + 1] == str(tmp_path / "packages")


def test_files_include_damaged_ones(tmp_path):
    platforms.write_files(tmp_path, 1, 0)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"damaged_cut.jpg", "damaged_empty.jpg", "damaged_text.jpg"} <= names
    kinds = platforms.pixels(tmp_path)
    assert {kind: len(some) for kind, some in kinds.items()} == {
        **{"golden": len(names) - 5, "drawn memes": 1, "generated": 1, "flat": 256},
    }


@pytest.mark.slow
def test_order_and_working_folder_do_not_change_a_table(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for k in range(6):
        (images / f"{k}.jpg").write_bytes(jpeg_bytes(seed=k))
    (images / "text.jpg").write_text("this is not an image")
    folder = tmp_path / "folder"
    folder.mkdir()
    plain = {"plain": False, "order": "shuffled"}
    there = {"NUMBA_CACHE_DIR": ""}  # machine code that these tests share
    one = Environment("nothing", "default", there)
    other = Environment("both", "changed", there, plain, relative=True)
    first, second = (platforms.run(each, images, folder) for each in (one, other))
    assert json.loads(first.facts[-1])["error"]
    assert [int(row[0]) for row in first.hashes["find"]] == [1] * 6 + [0]
    row = platforms.compare(first, second)
    assert (row["images"], row["differing"], row["facts"]) == (7, 0, 0)
    assert all(row[name] for name in platforms.MATCHES)


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """Replace everything that takes time, and write results to an own folder."""
    monkeypatch.setenv("FINHASH_HOME", str(tmp_path))
    monkeypatch.delenv("FINHASH_OUT", raising=False)
    monkeypatch.setattr(platforms, "write_files", lambda *_: None)
    monkeypatch.setattr(platforms, "run", lambda *_: FOUND)
    monkeypatch.setattr(platforms, "pixels", lambda _: {"flat": cosines.flat_images()[:1]})
    monkeypatch.setattr(cosines, "LIBRARIES", ())


def test_command_saves_both_tables(quick):
    result = CliRunner().invoke(platforms.main, ["--varied", "umask"])
    assert result.exit_code == 0, result.output
    assert results.load("platforms")["value"].tolist() == ["0o077"]
    assert results.load("platforms_libm")["cosines"].tolist()[0] == "NumPy"
    result = CliRunner().invoke(platforms.main, ["--varied", "order of files"])
    assert results.load("platforms")["varied"].tolist() == ["umask"] + 2 * ["order of files"]


def test_an_unknown_choice_is_refused_with_the_known_ones(quick):
    result = CliRunner().invoke(platforms.main, ["--varied", "moon"])
    assert result.exit_code == 2
    assert "nothing varies moon" in result.output
    assert "umask" in result.output


@pytest.fixture(scope="module")
def measured():
    """Return the committed table."""
    file = project.results(project.root()) / "platforms.csv"
    return pd.read_csv(file, dtype={"value": str}, keep_default_na=False)


def test_no_environment_changes_a_hash_of_find_or_what_follows_from_it(measured):
    assert len(measured) >= 35
    assert not measured["differing_methods"].str.contains("find").any()
    assert measured[list(platforms.MATCHES)].all(axis=None)
    assert (measured["matrix"] == 0).all()


def test_only_packages_change_hashes_of_other_methods(measured):
    assert set(measured.loc[measured["differing"] > 0, "varied"]) <= {"packages"}


def test_other_c_libraries_would_change_no_drawn_meme():
    table = pd.read_csv(project.results(project.root()) / "platforms_libm.csv")
    assert {"glibc", "musl"} <= set(table["cosines"])
    assert (table.loc[table["set"] == "drawn memes", "bits"] == 0).all()
    assert (table.loc[table["values"] == 0, "bits"] == 0).all()
    assert table.query("cosines == 'musl' and set == 'flat'")["changed"].item() > 200
