"""Every method has one calling shape, and is the library's own hash."""

import subprocess
import sys

import imagehash
import numpy as np
import pytest
from PIL import Image

from finhash import methods
from tests.conftest import VECTORS, noise

SCENE = VECTORS / "scene_250.png"
LIBRARY = {
    "ahash": imagehash.average_hash,
    "phash": imagehash.phash,
    "dhash": imagehash.dhash,
    "whash": imagehash.whash,
}


@pytest.mark.parametrize("name", methods.METHODS)
def test_shape_of_a_hash(name):
    method = methods.get(name)
    packed = method.hash(SCENE)
    assert packed.dtype == np.uint8
    assert packed.shape == (method.bits // 8,)
    assert str(method.image_hash(SCENE)) == packed.tobytes().hex()


@pytest.mark.parametrize("name", methods.METHODS)
@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_every_mode_is_hashed(name, mode):
    image = Image.fromarray(noise(80, 60)).convert(mode)
    assert len(methods.get(name).hash(image)) == methods.get(name).bits // 8


@pytest.mark.parametrize("family", LIBRARY)
@pytest.mark.parametrize("bits", [64, 256])
def test_imagehash_methods_are_the_librarys(family, bits):
    with Image.open(SCENE) as image:
        expected = str(LIBRARY[family](image, hash_size=int(bits**0.5)))
    assert methods.get(f"{family}{bits}").hash(SCENE).tobytes().hex() == expected


def test_unknown_method_names_the_known():
    with pytest.raises(KeyError, match="phash256"):
        methods.get("mhash")


def test_labels_are_unique():
    labels = [method.label for method in methods.METHODS.values()]
    assert len(set(labels)) == len(labels)


def test_importing_the_package_loads_no_compiler():
    code = "import sys, finhash; assert not {'numba', 'scipy', 'pandas'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_deployed_wing_imports_nothing_of_the_study():
    code = (
        "import sys, finhash.jobs.batch, finhash.cluster, finhash.hasher;"
        "assert not [m for m in sys.modules if m.startswith('finhash.study')];"
        "assert not {'pandas', 'matplotlib', 'pdqhash'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
