"""The library works where nothing can be written: read-only packages, another user, no home."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from finhash import find_hash
from tests.packaging.conftest import run

NOBODY = 65534
"""User and group without rights, if the tests run as root."""

OTHER = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
"""Options of ``subprocess.run`` for a user to whom the installation does not belong."""

BARE = {"PATH": "/usr/bin:/bin"}
"""Environment variables: no home, and no folder for caches."""


def runs(python: str) -> bool:
    """Return whether that user can run an interpreter; one in root's home is out of reach."""
    try:
        done = subprocess.run([python, "-c", ""], check=False, cwd="/", env=BARE, **OTHER)
    except PermissionError:
        return False
    return done.returncode == 0


@pytest.fixture(scope="module")
def programs(archives, environment) -> Path:
    """Install the wheel, and take away all rights to write to it."""
    here = os.path.realpath(sys.executable)
    usable = [python for python in (here, "/usr/bin/python3") if runs(python)]
    if not usable:
        pytest.skip("no interpreter that another user can run")
    found = environment(archives.wheel, python=usable[0])
    for path in (found.parent, *found.parent.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o555 | 0o444)
    return found


@pytest.fixture
def image(images) -> bytes:
    return (images / "0001_00003.jpg").read_bytes()


def test_the_installation_cannot_be_written(programs):
    (package,) = programs.parent.glob("lib/python*/site-packages/finhash")
    code = "import os, sys; print(os.access(sys.argv[1], os.W_OK))"
    printed = run(programs / "python", "-c", code, package, cwd="/", env=BARE, **OTHER)
    assert printed == "False\n"


def test_the_version_is_shown(programs):
    printed = run(programs / "finhash", "--version", cwd="/", env=BARE, **OTHER)
    assert printed.startswith("finhash")


@pytest.mark.parametrize("warm", ["", "finhash.warm_up(); "])
def test_an_image_is_hashed(programs, image, warm):
    code = f"import sys, finhash; {warm}print(finhash.find_hash(sys.stdin.buffer.read()))"
    options = {"cwd": "/", "env": BARE, "input": image, "capture_output": True, **OTHER}
    done = subprocess.run([programs / "python", "-c", code], check=False, **options)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().strip() == str(find_hash(image))
