import numpy as np
import pytest

from finhash.find import compiled, plain
from finhash.images import to_rgb
from finhash.study.cost import candidates
from tests.conftest import VECTORS

FILES = sorted(file for file in VECTORS.iterdir() if file.suffix in (".png", ".jpg"))


@pytest.mark.parametrize("bits", [256, 64])
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_bits_are_those_of_the_compiled_hash(file, bits):
    rgb = to_rgb(file)
    assert plain.hash_rgb(rgb, bits).tobytes() == compiled.hash_rgb(rgb, bits).tobytes()


@pytest.mark.parametrize("seed", range(40))
def test_any_size_and_symmetry(seed):
    rng = np.random.default_rng(seed)
    rows, cols = rng.integers(1, 513, 2)
    levels = rng.choice([2, 3, 256])  # few levels give many ties
    rgb = (rng.integers(0, levels, (rows, cols, 3)) * (255 // (levels - 1))).astype(np.uint8)
    if seed % 2:
        rgb = np.maximum(rgb, rgb[::-1, ::-1])
    for image in (rgb, rgb[:, :, 0]):
        assert plain.hash_rgb(image).tobytes() == compiled.hash_rgb(image).tobytes()


@pytest.mark.parametrize("name", list(candidates.edge_cases()))
def test_images_without_a_certificate(name):
    rgb = np.asarray(candidates.edge_cases()[name])
    assert plain.hash_rgb(rgb).tobytes() == compiled.published_hash(rgb).tobytes()


def test_published_coefficients_are_equal_bit_for_bit():
    rgb = np.random.default_rng(1).integers(0, 256, (70, 300, 3), dtype=np.uint8)
    row, col = (plain.side(size) for size in rgb.shape[:2])
    samples = plain._published_samples(rgb, row, col)
    assert plain._published_dct(samples).tobytes() == compiled.dct(samples).tobytes()
    flat, *_ = compiled._prepare(rgb)
    expected = compiled._published_samples(
        flat, row.start, row.stop, col.start, col.stop, col.first, col.width
    )
    assert samples.tobytes() == expected.tobytes()


def test_wrong_arguments_are_refused_as_by_the_compiled_hash():
    with pytest.raises(ValueError, match="too large"):
        plain.hash_rgb(np.zeros((513, 4, 3), np.uint8))
    with pytest.raises(ValueError, match="bits is 128"):
        plain.hash_rgb(np.zeros((4, 4, 3), np.uint8), 128)
