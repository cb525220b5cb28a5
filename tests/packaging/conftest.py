"""Archives of the library, and environments into which they are installed."""

import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
UV = (sys.executable, "-m", "uv")


class Archives(NamedTuple):
    """The files that a release uploads, and the folder that they are made from."""

    source: Path
    wheel: Path
    sdist: Path


def run(*command, **options) -> str:
    """Run a command, and return what it printed; show all of its output if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def interpreter(version: str) -> str | None:
    """Return the path of an installed Python of a version, or None."""
    command = [*UV, "python", "find", "--no-python-downloads", "--system", version]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() or None


@pytest.fixture(scope="session")
def archives(tmp_path_factory) -> Archives:
    """Build the sdist from a copy of the checkout, and the wheel from the sdist."""
    source, dist = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    # A copy, because files of earlier builds in the checkout would get into the archives.
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in listed.splitlines():
        if not name.startswith("data/") and (ROOT / name).exists():  # no need to copy the images
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    run(*UV, "build", "--quiet", "--out-dir", dist, source)
    return Archives(source, next(dist.glob("*.whl")), next(dist.glob("*.tar.gz")))


@pytest.fixture(scope="session")
def environment():
    """Return a function that creates an environment, and returns its folder of programs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # a test runs a program as another user

        @cache
        def create(*requirements: str | Path, python: str = sys.executable) -> Path:
            home = folder / str(len(list(folder.iterdir())))
            run(*UV, "venv", "--quiet", "--python", python, home)
            # Copied, because hard links would pass changes of permissions on to uv's cache.
            options = ["--quiet", "--link-mode", "copy", "--python", home / "bin" / "python"]
            run(*UV, "pip", "install", *options, *requirements)
            return home / "bin"

        yield create


@pytest.fixture
def images(tmp_path) -> Path:
    """Return a folder of four families of three images of different sizes, and a text file."""
    folder = tmp_path / "images"
    folder.mkdir()
    for k in range(12):
        family, copy = divmod(k, 3)
        pixels = np.random.default_rng(family).integers(0, 256, (8, 8, 3), np.uint8)
        image = Image.fromarray(pixels).resize((300 + 200 * copy, 400), Image.Resampling.BICUBIC)
        image.save(folder / f"{family:04d}_{k:05d}.jpg")
    (folder / "0003_00012.jpg").write_text("this is not an image")
    return folder
