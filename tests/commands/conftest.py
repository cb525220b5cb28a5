"""Images and hash tables on which commands run."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from finhash.__main__ import main
from tests.conftest import noise

Turn = Image.Transpose


def run(*words: object) -> Result:
    return CliRunner().invoke(main, list(map(str, words)))


def drawn(seed: int) -> Image.Image:
    """Return an image of soft patches, 120 x 90; images of different seeds are far apart."""
    return Image.fromarray(noise(7, 9, seed)).resize((120, 90), Image.Resampling.BICUBIC)


@pytest.fixture
def photos(tmp_path, monkeypatch) -> Path:
    """Work in a folder with ``photos``: images 0 to 2, a copy of 0, and turned copies of 1."""
    monkeypatch.chdir(tmp_path)
    folder = Path("photos")
    folder.mkdir()
    for seed in range(3):
        drawn(seed).save(folder / f"{seed}.png")
    drawn(0).save(folder / "0 again.png")
    drawn(1).transpose(Turn.FLIP_LEFT_RIGHT).save(folder / "1 mirrored.png")
    drawn(1).transpose(Turn.ROTATE_90).save(folder / "1 turned.png")
    return folder


@pytest.fixture
def table(photos) -> Path:
    """Return the hash table of the images."""
    assert run("hash", photos, "-o", "hashes", "--executor", "serial").exit_code == 0
    return Path("hashes")


@pytest.fixture
def flats(photos) -> Path:
    """Add two equal images of one colour to ``photos``, and return the hash table of all."""
    for name in ("flat.png", "flat again.png"):
        Image.new("RGB", (60, 40), "silver").save(photos / name)
    assert run("hash", photos, "-o", "hashes", "--executor", "serial").exit_code == 0
    return Path("hashes")
