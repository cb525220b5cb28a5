"""The wheel and the sdist are installed in bare environments and used from another folder."""

import csv
import io
import shutil
import subprocess
from pathlib import Path

import pytest

from finhash import find_hash
from tests.packaging.conftest import ROOT, UV, interpreter, run

CLIENT = Path(__file__).with_name("client.py")
SMALL = ("numpy", "pillow", "simplejpeg", "imagehash")
"""Packages that ``find_hash`` needs, without the packages that they need in turn."""

ALL = ["imagehash", "numpy", "pillow", "simplejpeg"]
"""Packages that ``find_hash`` needs; imagehash without its own dependencies."""

VERSIONS = ["3.11", "3.12", "3.13", "3.14"]
EXTRAS = ["cluster", "evaluate", "pdq"]


def installed(version: str) -> str:
    """Return the path of an interpreter; skip the test if there is none."""
    python = interpreter(version)
    if python is None:
        pytest.skip(f"Python {version} is not installed")
    return python


def use(programs: Path, images: Path, folder: Path) -> None:
    """Run the client and all commands in ``folder``, with the environment of ``programs``."""
    client = shutil.copy(CLIENT, folder)
    printed = run(programs / "python", client, images, cwd=folder)
    assert printed.split()[-1] == str(find_hash(images / "0000_00000.jpg"))

    finhash = programs / "finhash"
    assert run(finhash, "--version", cwd=folder).startswith("finhash")
    done = subprocess.run(
        [finhash, "hash", images, "-o", "table", "--quiet", "--workers", "2"],
        **{"cwd": folder, "check": False, "capture_output": True, "text": True},
    )
    assert done.returncode == 1, done.stderr  # one file is not an image
    query = images / "0001_00003.jpg"
    found = run(finhash, "match", query, "--in", "table", "--radius", "60", cwd=folder)
    assert (str(query), "0") in {
        (row["path"], row["distance"]) for row in csv.DictReader(io.StringIO(found))
    }
    rows = run(finhash, "cluster", "table", "--radius", "60", cwd=folder).splitlines()
    assert len(rows) == 1 + 12


def evaluate(programs: Path, images: Path, folder: Path) -> str:
    """Return what ``finhash evaluate`` prints."""
    methods = ["--method", "find", "--method", "pdq"]
    done = subprocess.run(
        [programs / "finhash", "evaluate", images, *methods, "--quiet"],
        **{"cwd": folder, "check": False, "capture_output": True, "text": True},
    )
    assert done.returncode == 1, done.stderr  # one file is not an image
    return done.stdout


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_a_plain_installation_hashes_matches_and_clusters(
    archives, environment, images, tmp_path, kind
):
    programs = environment(getattr(archives, kind))
    use(programs, images, tmp_path)


def test_a_missing_extra_is_named_before_any_file_is_opened(
    archives, environment, images, tmp_path
):
    programs = environment(archives.wheel)
    command = [programs / "finhash", "hash", images, "-o", "table", "--method", "pdq"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "finhash[pdq]" in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 4
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "table").exists()
    done = subprocess.run(
        [programs / "finhash", "evaluate", images],
        **{"cwd": tmp_path, "capture_output": True, "text": True, "check": False},
    )
    assert done.returncode == 2
    assert "finhash[evaluate]" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("version", VERSIONS)
def test_the_newest_packages_work(archives, environment, images, tmp_path, version):
    programs = environment(f"{archives.wheel}[{','.join(EXTRAS)}]", python=installed(version))
    use(programs, images, tmp_path)
    assert "pdq" in evaluate(programs, images, tmp_path)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_oldest_admitted_packages_work(archives, environment, images, tmp_path, version):
    python = installed(version)
    # Without pdqhash, which has no wheels for some versions of Python.
    extras = ["--extra", "cluster", "--extra", "evaluate"]
    options = ["--resolution", "lowest-direct", "--only-binary", ":all:", "--python", python]
    pins = tmp_path / "pins.txt"
    run(*UV, "pip", "compile", "--quiet", *options, *extras, ROOT / "pyproject.toml", "-o", pins)
    wheel = f"{archives.wheel}[{','.join(EXTRAS)}]"
    programs = environment(wheel, "--requirement", pins, python=python)
    use(programs, images, tmp_path)
    assert "pdq" in evaluate(programs, images, tmp_path)


def test_find_hash_alone_needs_four_packages(archives, environment, images, tmp_path):
    programs = environment("--no-deps", archives.wheel, *SMALL)
    code = (
        "import sys, finhash; print(finhash.find_hash(sys.argv[1]))\n"
        "print(finhash.FINDHasher().fromFile(sys.argv[1]))"
    )
    image = images / "0002_00008.jpg"
    found = run(programs / "python", "-c", code, image, cwd=tmp_path)
    assert found.split() == [str(find_hash(image))] * 2
    (packages,) = programs.parent.glob("lib/python*/site-packages")
    size = sum(path.stat().st_size for path in packages.rglob("*") if path.is_file())
    assert size < 120e6
