"""Every hash has the same interface, and packages are imported only when needed."""

import subprocess
import sys
from typing import get_args

import imagehash
import numpy as np
import pytest
from PIL import Image

import finhash
from finhash import methods
from tests.conftest import VECTORS, noise

SCENE = VECTORS / "scene_250.png"
IMAGEHASH = {
    "ahash": imagehash.average_hash,
    "phash": imagehash.phash,
    "dhash": imagehash.dhash,
    "whash": imagehash.whash,
}


@pytest.mark.parametrize("name", methods.METHODS)
def test_hash_is_packed_and_image_hash_has_the_same_bits(name):
    method = methods.get(name)
    packed = method.hash(SCENE)
    assert packed.dtype == np.uint8
    assert packed.shape == (method.bits // 8,)
    assert str(method.image_hash(SCENE)) == packed.tobytes().hex()


@pytest.mark.parametrize("name", methods.METHODS)
@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_every_image_mode_is_hashed(name, mode):
    image = Image.fromarray(noise(80, 60)).convert(mode)
    assert len(methods.get(name).hash(image)) == methods.get(name).bits // 8


@pytest.mark.parametrize("family", IMAGEHASH)
@pytest.mark.parametrize("bits", [64, 256])
def test_imagehash_methods_equal_those_of_imagehash(family, bits):
    with Image.open(SCENE) as image:
        expected = str(IMAGEHASH[family](image, hash_size=int(bits**0.5)))
    assert methods.get(f"{family}{bits}").hash(SCENE).tobytes().hex() == expected


def test_unknown_name_raises_an_error_that_lists_the_known():
    with pytest.raises(KeyError, match=r"mhash.*phash256"):
        methods.get("mhash")


def test_names_for_type_checkers_are_the_names_of_the_methods():
    assert get_args(methods.MethodName) == tuple(methods.METHODS)


def test_labels_are_unique():
    labels = [method.label for method in methods.METHODS.values()]
    assert len(set(labels)) == len(labels)


def test_public_names_are_listed_and_unknown_ones_refused():
    assert set(finhash.__all__) <= set(dir(finhash))
    for name in finhash.__all__:
        assert getattr(finhash, name).__name__ == name
    with pytest.raises(AttributeError, match="find_hsah"):
        finhash.find_hsah  # noqa: B018


# Numba imports parts of SciPy itself, so FINd's compiled code cannot do without these.
HEAVY = "numba", "scipy", "imagehash", "pywt", "pyarrow", "pandas", "matplotlib"
BEYOND_NUMBA = "imagehash", "scipy.fftpack", "scipy.sparse", "pywt", "pdqhash", "pandas"


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import finhash", HEAVY),
        ("from finhash import methods", HEAVY),
        ("import finhash.__main__", HEAVY),
        ("from finhash.hasher import find_hash", HEAVY),
        ("import finhash.cluster, finhash.jobs.batch", ("imagehash", "pandas", "finhash.study")),
        ("methods.get('find').hash(np.zeros((9, 9, 3), np.uint8))", BEYOND_NUMBA),
        ("finhash.hash_files([], ['find'], progress=False)", BEYOND_NUMBA),
        ("finhash.find_hash(np.zeros((9, 9, 3), np.uint8))", ("scipy.fftpack", "pywt", "pyarrow")),
    ],
)
def test_modules_load_no_more_than_they_need(code, absent):
    setup = "import finhash, numpy as np; from finhash import methods" if "(" in code else "pass"
    script = f"import sys; {setup}; {code}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    assert set(absent).isdisjoint(loaded)
