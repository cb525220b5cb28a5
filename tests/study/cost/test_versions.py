"""Hashes that change are counted by version, and the library's ranges are the measured ones."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

from finhash import methods
from finhash.study import project, results
from finhash.study.cost import version_hashes, versions
from finhash.study.cost.versions import Outcome, Trial
from finhash.tables import provenance
from finhash.tables.provenance import SOFTWARE


def outcome(version, hashed, bits, package="pillow", others=()):
    """Return hashes of one method; ``bits`` are the packed hashes of the images."""
    rows = np.column_stack([np.array(hashed, np.uint8), np.array(bits, np.uint8)])
    return Outcome(Trial(package, version, others), {"libjpeg-turbo": "3.1"}, {"a": rows})


@pytest.mark.slow
def test_images_depend_on_the_seed_alone_and_have_all_formats(tmp_path):
    folders = [tmp_path / name for name in ("first", "again", "other")]
    for folder, seed in zip(folders, (1, 1, 2), strict=True):
        folder.mkdir()
        versions.write_images(folder, 9, seed)
    first, again, other = ({f.name: f.read_bytes() for f in folder.iterdir()} for folder in folders)
    assert first == again
    assert first.keys() == other.keys()
    assert first != other
    assert len(first) == len(list((project.root() / "tests" / "vectors").iterdir())) + 2 * 9
    for end in versions.FORMATS:
        assert any(name.endswith(f".{end}") for name in first)
    for file in folders[0].iterdir():
        with Image.open(file) as image:
            image.load()
            assert image.width * image.height <= versions.LARGEST


def test_hashes_that_differ_or_exist_in_one_version_alone_are_counted():
    before = outcome("1.0", [1, 1, 1, 0], [[0, 0], [255, 0], [7, 7], [0, 0]])
    after = outcome("2.0", [1, 1, 0, 0], [[0, 0], [240, 1], [0, 0], [0, 0]], others=("numpy==2",))
    (row,) = versions.compare(before, after).to_dict("records")
    assert row == {
        **{"package": "pillow", "before": "1.0", "version": "2.0", "with": "numpy==2"},
        **{"libjpeg_turbo_before": "3.1", "libjpeg_turbo": "3.1"},
        **{"method": "a", "images": 4, "changed": 2, "most_bits": 5},
    }


def test_versions_are_compared_with_the_one_before(monkeypatch):
    made = {"1.0": 0, "2.0": 1, "3.0": 3, "7.0": 0, "8.0": 0}
    monkeypatch.setattr(versions, "write_images", lambda *_: None)
    monkeypatch.setattr(
        versions, "_try", lambda t, *_: outcome(t.version, [1], [[made[t.version]]], t.package)
    )
    trials = [Trial("pillow", v) for v in ("1.0", "2.0", "3.0")]
    trials += [Trial("numpy", v) for v in ("7.0", "8.0")]
    table = versions.measure(trials, 1, 0)
    columns = ["package", "before", "version", "changed", "most_bits"]
    assert table[columns].to_numpy().tolist() == [
        ["pillow", "1.0", "2.0", 1, 1],
        ["pillow", "2.0", "3.0", 1, 1],
        ["numpy", "7.0", "8.0", 0, 0],
    ]


@pytest.fixture
def commands(monkeypatch):
    """Record the commands; the environment reports NumPy 2.2.6 and Numba 0.61.2."""
    found = []

    def run(*command, **_):
        found.append([str(word) for word in command])
        if version_hashes.__name__ in command:
            used = json.dumps({"numba": "0.61.2", "numpy": "2.2.6", "python": "3.11.7"})
            np.savez(command[-1], versions=np.array(used), a=np.zeros((1, 9), np.uint8))

    monkeypatch.setattr(versions, "_run", run)
    monkeypatch.setattr(versions, "_python", lambda wanted: f"python{wanted}")
    return found


def test_an_environment_differs_in_the_named_packages_alone(commands, tmp_path):
    trial = Trial("numba", "0.61.2", ("numpy==2.2.6",))
    found = versions._try(trial, tmp_path, tmp_path)
    assert list(found.hashes) == ["a"]
    install = next(command for command in commands if "install" in command)
    pins = dict(word.split("==") for word in install if "==" in word)
    assert pins.keys() == set(versions.PACKAGES)
    changed = {name for name in pins if pins[name] != versions.version(name)}
    assert changed == {"numba", "numpy"}
    assert (pins["numba"], pins["numpy"]) == ("0.61.2", "2.2.6")
    assert next(c for c in commands if "venv" in c)[-2] == f"python{versions.OWN}"
    count = len(commands)
    versions._try(trial, tmp_path, tmp_path)
    assert len(commands) == count  # an environment is created once


def test_a_package_can_require_another_python(commands, tmp_path):
    versions._try(Trial("numpy", "2.2.6", ("python==3.99",)), tmp_path, tmp_path)
    assert next(c for c in commands if "venv" in c)[-2] == "python3.99"
    assert not any("python==" in word for command in commands for word in command[:-1])


def test_another_version_than_wanted_is_an_error(commands, tmp_path):
    with pytest.raises(RuntimeError, match=r"numba 0\.63\.1 has 0\.61\.2: another package"):
        versions._try(Trial("numba", "0.63.1"), tmp_path, tmp_path)


def test_pythons_that_are_not_installed_are_left_out(monkeypatch):
    monkeypatch.setattr(versions, "_python", lambda wanted: wanted if wanted == "3.12" else "")
    newer = Trial("numpy", "3.0", ("python==3.99",))
    trials = [Trial("python", "3.12"), Trial("python", "3.99"), newer, Trial("numpy", "2.0")]
    assert versions.available(trials) == [trials[0], trials[3]]


def test_files_without_a_hash_are_rows_of_zeros(tmp_path):
    Image.radial_gradient("L").save(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("this is not an image")
    rows = version_hashes.hash_files(sorted(tmp_path.iterdir()), methods.get("dhash64"))
    assert rows[0, 0] == 1
    assert rows[0, 1:].tolist() == methods.get("dhash64").hash(tmp_path / "a.png").tolist()
    assert not rows[1].any()


def test_command_saves_the_table(monkeypatch, tmp_path):
    monkeypatch.setenv("FINHASH_HOME", str(tmp_path))
    monkeypatch.delenv("FINHASH_OUT", raising=False)
    table = versions.compare(outcome("1.0", [1], [[1]]), outcome("2.0", [1], [[2]]))
    asked = []
    monkeypatch.setattr(versions, "measure", lambda trials, *_: asked.extend(trials) or table)
    result = CliRunner().invoke(versions.main, ["--package", "scipy"])
    assert result.exit_code == 0, result.output
    assert {trial.package for trial in asked} == {"scipy"}
    assert results.load("versions")["changed"].tolist() == [1]
    assert "2.0" in result.output


@pytest.fixture(scope="module")
def measured():
    """Return the committed table."""
    file = project.results(project.root()) / "versions.csv"
    return pd.read_csv(file, dtype={"before": str, "version": str}, keep_default_na=False)


@pytest.mark.parametrize("family", sorted(SOFTWARE))
def test_ranges_of_the_library_are_the_measured_ones(measured, family):
    """Two versions lie in one range exactly if no hash changed between them."""
    names = measured["method"].str.removesuffix(version_hashes.PLAIN).str.rstrip("0123456789")
    steps = measured[names == family].groupby(["package", "before", "version"])["changed"].sum()
    assert len(steps) >= 25
    ranges = SOFTWARE[family]
    for (package, before, version), changed in steps.items():
        spans = ranges.get(package, ((before, version),))
        assert provenance._same(spans, before, version) == (changed == 0), (package, version)
    for package in ranges.keys() - {"libjpeg-turbo"}:
        seen = steps.reset_index().query("package == @package")
        ends = {end for span in ranges[package] for end in span}
        assert ends <= {*seen["before"], *seen["version"]}


def test_versions_of_the_decoder_are_those_of_the_measured_pillows(measured):
    pillows = measured[measured["package"] == "pillow"]
    seen = {*pillows["libjpeg_turbo_before"], *pillows["libjpeg_turbo"]}
    for ranges in SOFTWARE.values():
        ((first, last),) = spans = ranges["libjpeg-turbo"]
        assert {first, last} <= seen
        assert all(provenance._same(spans, first, found) for found in seen)
