"""Hashes of mirrored and turned images."""

import numpy as np
import pytest
from PIL import Image

from finhash import methods, orientations
from finhash.orientations import ORIENTATIONS, ORIGINAL
from tests.conftest import jpeg_bytes, noise
from tests.images.test_decode import Body

TURNS = {one.name.lower(): one for one in Image.Transpose}


def drawn(width: int, height: int, seed: int = 0) -> Image.Image:
    """Return an image of soft patches."""
    return Image.fromarray(noise(7, 9, seed)).resize((width, height), Image.Resampling.BICUBIC)


def apart(first: np.ndarray, second: np.ndarray) -> int:
    return int(np.bitwise_count(first ^ second).sum())


def test_the_names_are_those_of_pillow():
    assert ORIENTATIONS["all"] == (ORIGINAL, *TURNS)
    assert all(set(names) <= {ORIGINAL, *TURNS} for names in ORIENTATIONS.values())
    assert [len(names) for names in ORIENTATIONS.values()] == [2, 4, 8]


@pytest.mark.parametrize("method", sorted(methods.BUILT_IN))
@pytest.mark.parametrize("which", ORIENTATIONS)
def test_hashes_are_those_of_the_turned_image(method, which):
    image, function = drawn(200, 120), methods.get(method)
    found = orientations.hashes(image, which, method)
    assert tuple(found) == ORIENTATIONS[which]
    for name, packed in found.items():
        turned = image if name == ORIGINAL else image.transpose(TURNS[name])
        np.testing.assert_array_equal(packed, function.hash(turned))


def test_large_images_are_turned_after_shrinking():
    """Pillow shrinks the width first, so a turned file may have slightly other pixels."""
    for seed in range(4):
        image = drawn(1100, 730, seed)
        found = orientations.hashes(image)
        assert apart(found[ORIGINAL], methods.get("find").hash(image)) == 0
        for name, turn in TURNS.items():
            assert apart(found[name], methods.get("find").hash(image.transpose(turn))) <= 2


@pytest.mark.parametrize("method", ["find", "find_luma"])
def test_encoded_images_of_any_kind_are_hashed(method):
    data = jpeg_bytes(80, 60)
    found = orientations.hashes(data, "mirror", method)
    assert apart(found[ORIGINAL], methods.get(method).hash(data)) == 0
    once = orientations.hashes(Body(data), "mirror", method)
    assert {name: packed.tolist() for name, packed in once.items()} == {
        name: packed.tolist() for name, packed in found.items()
    }


@pytest.mark.parametrize("method", ["find", "find64", "find_luma", "phash256", "phash64", "pdq"])
def test_hashes_alone_tell_about_the_hashes_of_turned_images(method):
    function = methods.get(method)
    images = [drawn(200, 200, seed) for seed in range(20)]
    packed = np.stack([function.hash(image) for image in images])
    found = orientations.of_hashes(packed, "all", method)
    assert tuple(found) == ORIENTATIONS["all"]
    np.testing.assert_array_equal(found[ORIGINAL], packed)
    for name, turn in TURNS.items():
        exact = np.stack([function.hash(image.transpose(turn)) for image in images])
        # Unrelated hashes differ in half of their bits.
        assert apart(found[name], exact) < 0.2 * exact.size * 8
        assert apart(packed, exact) > 0.35 * exact.size * 8


def test_transposed_hashes_are_exact():
    function = methods.get("find")
    images = [drawn(90, 140, seed) for seed in range(5)]
    packed = np.stack([function.hash(image) for image in images])
    exact = [function.hash(image.transpose(Image.Transpose.TRANSPOSE)) for image in images]
    np.testing.assert_array_equal(orientations.of_hashes(packed)["transpose"], exact)


def test_turning_hashes_back_gives_the_hashes(monkeypatch):
    monkeypatch.setattr(orientations, "_BLOCK", 3)
    packed = np.random.default_rng(5).integers(0, 256, (10, 32), dtype=np.uint8)
    found = orientations.of_hashes(packed)
    back = dict.fromkeys(found, "") | {"rotate_90": "rotate_270", "rotate_270": "rotate_90"}
    for name, opposite in back.items():
        turned = orientations.of_hashes(found[name])[opposite or name]
        np.testing.assert_array_equal(turned, packed)
    assert len(np.unique(np.concatenate(list(found.values())), axis=0)) == 80


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="unknown orientations 'both'; choose one of mirror"):
        orientations.hashes(drawn(20, 20), "both")
    with pytest.raises(KeyError, match="unknown method 'md5'"):
        orientations.hashes(drawn(20, 20), "all", "md5")
    with pytest.raises(ValueError, match="hashes by 'dhash256' cannot be turned without"):
        orientations.of_hashes(np.zeros((1, 32), np.uint8), "all", "dhash256")
    with pytest.raises(ValueError, match="unknown orientations 'both'"):
        orientations.of_hashes(np.zeros((1, 32), np.uint8), "both")
