"""Wheel and sdist hold what they should, and nothing else."""

import sys
import tarfile
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

from tests.packaging.conftest import run


@pytest.fixture(scope="module")
def wheel(archives) -> zipfile.ZipFile:
    with zipfile.ZipFile(archives.wheel) as file:
        yield file


@pytest.fixture(scope="module")
def unpacked(archives, tmp_path_factory):
    """Return the sdist's only folder."""
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(archives.sdist) as file:
        file.extractall(folder, filter="data")
    (found,) = folder.iterdir()
    return found


def test_the_wheel_holds_the_library_and_not_the_study(archives, wheel):
    found = (archives.source / "finhash").rglob("*.py")
    modules = {path.relative_to(archives.source).as_posix() for path in found}
    expected = {name for name in modules if not name.startswith("finhash/study/")}
    assert "finhash/hamming/kernels/joins.py" in expected
    expected |= {"finhash/py.typed", "finhash/pages/review.html"}
    assert {name for name in wheel.namelist() if ".dist-info/" not in name} == expected


def test_the_wheel_describes_itself(wheel):
    (name,) = [name for name in wheel.namelist() if name.endswith("/METADATA")]
    facts = message_from_string(wheel.read(name).decode())
    assert {"cluster", "cuda", "evaluate", "pdq"} <= set(facts.get_all("Provides-Extra"))
    assert facts["Requires-Python"] == ">=3.11"
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())


def test_the_sdist_holds_no_data_and_no_notebooks(archives, unpacked):
    assert {path.name for path in unpacked.iterdir() if path.is_dir()} == {
        *("docs", "examples", "finhash", "finhash.egg-info", "tests"),
    }
    assert (unpacked / "tests" / "vectors.json").exists()
    assert archives.sdist.stat().st_size < 3e6


def test_tests_of_the_sdist_pass_without_the_checkout(unpacked):
    files = [
        "tests/find/test_reference.py",
        "tests/images/test_decode.py",
        "tests/tables/test_hash_table.py",
    ]
    pytest_ = [sys.executable, "-m", "pytest", "--quiet"]
    imported = run(sys.executable, "-c", "import finhash; print(finhash.__file__)", cwd=unpacked)
    assert Path(imported.strip()) == unpacked / "finhash" / "__init__.py"
    run(*pytest_, "--collect-only", "tests", cwd=unpacked)
    printed = run(*pytest_, "-m", "not slow", *files, cwd=unpacked)
    assert " passed" in printed
