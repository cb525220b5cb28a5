"""Images that several tests share."""

import atexit
import io
import json
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

# Numba reads this variable when it is first imported. Set it to 0 to test on a real GPU.
os.environ.setdefault("NUMBA_ENABLE_CUDASIM", "1")

# Results go to a folder of this process, and none of earlier runs are read from build/.
os.environ["FINHASH_OUT"] = tempfile.mkdtemp(prefix="finhash-tests-")
atexit.register(shutil.rmtree, os.environ["FINHASH_OUT"], ignore_errors=True)

VECTORS = Path(__file__).parent / "vectors"
ANSWERS = json.loads((Path(__file__).parent / "vectors.json").read_text())


def golden_names() -> list[str]:
    """Return the names of the golden images; JPEGs only if this decoder made their hashes."""
    same_decoder = features.version("libjpeg_turbo") == ANSWERS["libjpeg_turbo"]
    return [n for n in ANSWERS["hashes"] if same_decoder or not n.endswith(".jpg")]


def noise(rows: int, cols: int, seed: int = 0) -> np.ndarray:
    """Return random RGB pixels, ``uint8 [rows, cols, 3]``."""
    return np.random.default_rng(seed).integers(0, 256, (rows, cols, 3), dtype=np.uint8)


def jpeg_bytes(rows: int = 60, cols: int = 60, seed: int = 0) -> bytes:
    """Return an encoded JPEG of random pixels."""
    buffer = io.BytesIO()
    Image.fromarray(noise(rows, cols, seed)).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of twelve images and four entries that cannot be hashed."""
    for k in range(12):
        (tmp_path / f"{k // 3:04d}_{k:05d}.jpg").write_bytes(jpeg_bytes(seed=k))
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("this is not an image")
    (tmp_path / "truncated.jpg").write_bytes(jpeg_bytes(200, 200)[:3000])
    (tmp_path / "directory.jpg").mkdir()
    return tmp_path


def thumbnail(image: Image.Image) -> np.ndarray:
    """Hash an RGB image into 192 bits; worker processes import this function."""
    return np.array(image.resize((8, 1))).ravel()


@pytest.fixture
def own(monkeypatch):
    """Register a hash of the user's own until the test ends."""
    from finhash import methods

    monkeypatch.setattr(methods, "METHODS", dict(methods.METHODS))
    return methods.register("thumbnail", thumbnail, bits=192)
