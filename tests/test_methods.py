"""Every hash has the same interface, and packages are imported only when needed."""

import io
import pickle
import subprocess
import sys
from typing import get_args

import imagehash
import numpy as np
import pytest
from PIL import Image

import finhash
from finhash import methods, orientations, thresholds
from finhash.images import DamagedImageError
from tests.conftest import VECTORS, jpeg_bytes, noise
from tests.images.test_decode import Body

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


def test_find_luma_changes_few_bits_of_a_jpeg():
    exact, luma = methods.get("find"), methods.get("find_luma")
    smooth = [Image.fromarray(noise(6, 8, seed)).resize((320, 240)) for seed in range(40)]
    changed = []
    for image in smooth:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=75)
        difference = exact.hash(buffer.getvalue()) ^ luma.hash(buffer.getvalue())
        changed.append(int(np.bitwise_count(difference).sum()))
    assert sum(changed) > 0
    assert max(changed) <= 12


def test_find_luma_is_exact_unless_it_decodes_a_jpeg(tmp_path):
    exact, luma = methods.get("find"), methods.get("find_luma")
    image = Image.fromarray(noise(600, 700))
    image.save(tmp_path / "image.png")
    for source in (image, np.asarray(image), tmp_path / "image.png"):
        assert luma.hash(source).tobytes() == exact.hash(source).tobytes()
    content = (tmp_path / "image.png").read_bytes()
    for file in (io.BytesIO(content), Body(content)):
        assert luma.hash(file).tobytes() == exact.hash(image).tobytes()
    with pytest.raises(DamagedImageError):
        luma.hash(jpeg_bytes(200, 200)[:3000])


@pytest.fixture
def registry(monkeypatch) -> None:
    """Forget the methods that a test registers."""
    monkeypatch.setattr(methods, "METHODS", dict(methods.METHODS))


def green(image: Image.Image) -> imagehash.ImageHash:
    return imagehash.dhash(image.getchannel("G"), hash_size=16)


def thumbnail(image: Image.Image) -> np.ndarray:
    return np.array(image.resize((8, 1))).ravel()


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize(("function", "bits"), [(green, 256), (thumbnail, 192)])
def test_a_registered_function_gets_rgb_and_its_bits_are_packed(function, bits):
    method = methods.register("own", function, bits=bits)
    assert methods.get("own") is method
    assert methods.resolve("own") is method
    for mode in ("L", "RGBA"):
        image = Image.fromarray(noise(80, 60)).convert(mode)
        expected = function(image.convert("RGB"))
        packed = method.hash(image)
        assert packed.dtype == np.uint8
        assert packed.shape == (bits // 8,)
        text = packed.tobytes().hex()
        assert text == str(method.image_hash(image))
        assert text == (expected.tobytes().hex() if bits == 192 else str(expected))
    np.testing.assert_array_equal(method.hash(SCENE), method.hash(SCENE.read_bytes()))


@pytest.mark.usefixtures("registry")
def test_registered_again_a_method_is_replaced_and_keeps_its_colour():
    first = methods.register("own", green, bits=256)
    assert (first.label, first.colour) == ("own", methods.COLOURS[0])
    assert methods.register("other", green, bits=256).colour == methods.COLOURS[1]
    assert methods.register("own", green, bits=256).colour == first.colour
    again = methods.register("own", thumbnail, bits=192, label="Thumbnail")
    assert methods.get("own") is again
    assert (again.label, again.colour, again.bits) == ("Thumbnail", first.colour, 192)
    assert methods.register("third", green, bits=256, colour="#123456").colour == "#123456"
    for k in range(len(methods.COLOURS)):
        assert methods.register(f"more {k}", green, bits=256).colour in methods.COLOURS


def test_colours_of_registered_methods_are_not_those_of_built_in_ones():
    assert not {method.colour for method in methods.METHODS.values()}.intersection(methods.COLOURS)


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize(
    ("name", "function", "bits", "error", "words"),
    [
        ("find", green, 256, ValueError, "'find' is a built-in method"),
        ("path", green, 256, ValueError, "cannot have the name 'path'"),
        ("error", green, 256, ValueError, "cannot have the name 'error'"),
        ("key", green, 256, ValueError, "cannot have the name 'key'"),
        (" ", green, 256, ValueError, "cannot have the name ' '"),
        (None, green, 256, TypeError, "must be a string, not None"),
        ("own", "green", 256, TypeError, "is 'green'; pass a callable"),
        ("own", green, 100, ValueError, "has 100 bits; .* multiple of 64"),
        ("own", green, 0, ValueError, "has 0 bits; .* multiple of 64"),
        ("own", green, 64.0, TypeError, "float"),
    ],
)
def test_methods_that_cannot_be_registered_are_refused(name, function, bits, error, words):
    with pytest.raises(error, match=words):
        methods.register(name, function, bits=bits)
    assert set(methods.METHODS) == methods.BUILT_IN


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize(
    ("result", "error", "words"),
    [
        ("f0" * 8, TypeError, "'own' returned an object of type str"),
        (np.zeros(64, bool), TypeError, r"dtype bool and shape \(64,\)"),
        (np.zeros((8, 1), np.uint8), TypeError, r"dtype uint8 and shape \(8, 1\)"),
        (np.zeros(16, np.uint8), ValueError, "returned 128 bits, but is registered with 64"),
        (np.zeros(9, np.uint8), ValueError, "has 72 bits; .* multiple of 64"),
        (imagehash.ImageHash(np.zeros((6, 10), bool)), ValueError, "has 60 bits"),
    ],
)
def test_wrong_results_of_a_registered_function_are_refused(result, error, words):
    method = methods.register("own", lambda image: result, bits=64)
    with pytest.raises(error, match=words):
        method.hash(SCENE)


@pytest.mark.usefixtures("registry")
def test_a_function_given_as_module_and_name_is_registered_with_its_bits():
    name = f"{__name__}:thumbnail"
    method = methods.resolve(name)
    assert (method.name, method.bits) == (name, 192)
    assert methods.resolve(name) is methods.get(name)
    assert methods.resolve("find") is methods.get("find")


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("mhash", KeyError, "unknown method 'mhash'; choose one of find, .* module:name"),
        ("no_module:own", ValueError, "No module named 'no_module'"),
        (f"{__name__}:absent", ValueError, "has no attribute 'absent'"),
        ("a b:own", ValueError, "cannot load the method 'a b:own'"),
        (f"{__name__}:SCENE", TypeError, "not a function"),
        (f"{__name__}:noise", ValueError, "fails on an RGB image .*TypeError"),
        ("builtins:str", TypeError, "returned an object of type str"),
        ("imagehash:colorhash", ValueError, "has 42 bits"),
    ],
)
def test_functions_that_are_no_hash_are_refused(text, error, words):
    with pytest.raises(error, match=words):
        methods.resolve(text)
    assert set(methods.METHODS) == methods.BUILT_IN


def test_unknown_name_raises_an_error_that_lists_the_known():
    with pytest.raises(KeyError, match=r"mhash.*phash256"):
        methods.get("mhash")


@pytest.mark.parametrize(
    "call",
    [
        methods.get,
        methods.resolve,
        lambda name: finhash.hash_files([SCENE], [name], progress=False),
        lambda name: finhash.Gallery(method=name),
        lambda name: finhash.evaluate([SCENE] * 3, [0, 0, 1], methods=[name]),
        lambda name: orientations.hashes(SCENE, "mirror", name),
        lambda name: thresholds.threshold("search", name),
    ],
)
def test_an_unknown_method_is_the_same_error_everywhere(call):
    with pytest.raises(methods.UnknownMethodError, match="'mhash'") as raised:
        call("mhash")
    assert isinstance(raised.value, KeyError)
    assert isinstance(raised.value, ValueError)
    assert not str(raised.value).startswith(('"', "'"))
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)


@pytest.mark.usefixtures("registry")
def test_functions_are_accepted_as_module_and_name_in_place_of_methods(tmp_path):
    name = f"{__name__}:thumbnail"
    table = finhash.hash_files([SCENE], ["find", name], progress=False)
    assert table.methods == ["find", name]
    del methods.METHODS[name]
    gallery = finhash.Gallery([SCENE], method=name)
    assert gallery.search(SCENE, k=1)[0].distance == 0
    gallery.save(tmp_path)
    del methods.METHODS[name]
    assert finhash.Gallery.load(tmp_path, method=name).search(SCENE, k=1)[0].distance == 0


@pytest.mark.usefixtures("registry")
def test_names_in_files_import_nothing(tmp_path, monkeypatch):
    name = f"{__name__}:thumbnail"
    finhash.hash_files([SCENE], [name], out=tmp_path / "out", progress=False)
    finhash.Gallery([SCENE], method=name).save(tmp_path / "gallery")
    del methods.METHODS[name]
    monkeypatch.setattr("pkgutil.resolve_name", lambda name: pytest.fail(f"{name} was imported"))
    table = finhash.HashTable.read(tmp_path / "out")
    assert finhash.Gallery(table.hashes(name)).bits == 192
    with pytest.raises(ValueError, match="a method that is not registered"):
        finhash.hash_files([SCENE], out=tmp_path / "out", progress=False)
    gallery = finhash.Gallery.load(tmp_path / "gallery")
    with pytest.raises(methods.UnknownMethodError):
        finhash.Gallery(gallery)
    with pytest.raises(methods.UnknownMethodError):
        gallery.search(SCENE, k=1)


def test_names_for_type_checkers_are_the_names_of_the_methods():
    assert get_args(methods.MethodName) == tuple(methods.METHODS)


def test_labels_are_unique():
    labels = [method.label for method in methods.METHODS.values()]
    assert len(set(labels)) == len(labels)


def test_public_names_are_listed_and_unknown_ones_refused():
    assert {*finhash.__all__, "evaluate"} <= set(dir(finhash))
    for name in (*finhash.__all__, "evaluate"):
        assert getattr(finhash, name).__name__ == name
    with pytest.raises(AttributeError, match="find_hsah"):
        finhash.find_hsah  # noqa: B018


def test_a_plain_installation_can_import_all_names(monkeypatch):
    monkeypatch.setitem(sys.modules, "finhash.evaluation", None)
    names: dict[str, object] = {}
    exec("from finhash import *", names)
    assert {"hash_files", "HashTable"} <= names.keys()


# Numba imports parts of SciPy itself, so FINd's compiled code cannot do without these.
HEAVY = "numba", "scipy", "imagehash", "pywt", "pyarrow", "pandas", "matplotlib"
BEYOND_NUMBA = "imagehash", "scipy.fftpack", "scipy.sparse", "pywt", "pdqhash", "pandas"


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import finhash", HEAVY),
        ("from finhash import methods", HEAVY),
        ("import finhash.__main__", HEAVY),
        ("methods.register('own', print, bits=64)", HEAVY),
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


def test_a_missing_package_is_named_as_it_is_installed(monkeypatch):
    monkeypatch.setattr(methods, "find_spec", lambda module: None if module == "pywt" else module)
    message = "'whash64' needs the package PyWavelets, which is not installed"
    with pytest.raises(ImportError, match=f"{message}: pip install PyWavelets"):
        methods.usable(["dhash64", "whash64"])
