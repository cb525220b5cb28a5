"""The compiled kernel equals the reference bit for bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from finhash.find import compiled, reference, steps
from finhash.images import to_rgb
from tests.conftest import ANSWERS, VECTORS, golden_names, noise


def reference_bytes(image: Image.Image) -> bytes:
    return np.packbits(reference.find_hash(image).hash).tobytes()


@pytest.mark.parametrize("name", golden_names())
def test_golden_hashes(name):
    answer = ANSWERS["hashes"][name]["corrected"]
    assert compiled.hash_rgb(to_rgb(VECTORS / name)).tobytes().hex() == answer


@settings(max_examples=60, deadline=None)
@given(rows=st.integers(1, 140), cols=st.integers(1, 140), seed=st.integers(0, 9))
def test_equals_the_reference_at_any_size(rows, cols, seed):
    image = Image.fromarray(noise(rows, cols, seed))
    assert compiled.hash_rgb(np.asarray(image)).tobytes() == reference_bytes(image)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 90),
    cols=st.integers(1, 90),
    levels=st.sampled_from([1, 2, 3]),
    stripe=st.integers(1, 20),
    upright=st.booleans(),
)
def test_equals_the_reference_on_ties(rows, cols, levels, stripe, upright):
    y, x = np.mgrid[0:rows, 0:cols]
    grey = ((x if upright else y) // stripe % levels * 90 + 17).astype(np.uint8)
    image = Image.fromarray(grey).convert("RGB")
    assert compiled.hash_rgb(np.asarray(image)).tobytes() == reference_bytes(image)


@pytest.mark.parametrize("name", steps.edge_cases())
def test_equals_the_reference_on_edge_cases(name):
    image = steps.edge_cases()[name].resize((96, 96), Image.Resampling.NEAREST)
    assert compiled.hash_rgb(np.asarray(image)).tobytes() == reference_bytes(image)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "F"])
@pytest.mark.parametrize("size", [(50, 33), (520, 40)])
def test_equals_the_reference_in_every_mode(mode, size):
    picture = Image.fromarray(noise(size[1], size[0]))
    if mode == "I;16":
        picture = Image.fromarray(noise(size[1], size[0])[..., 0].astype(np.uint16) * 200)
    elif mode == "LA":
        picture = picture.convert("L").convert("LA")
    else:
        picture = picture.convert(mode)
    assert compiled.hash_rgb(to_rgb(picture)).tobytes() == reference_bytes(picture)


def test_every_row_and_column_order_of_memory():
    rgb = noise(80, 50)
    expected = compiled.hash_rgb(rgb).tobytes()
    for layout in (np.asfortranarray(rgb), rgb[::-1, ::-1].copy()[::-1, ::-1]):
        assert compiled.hash_rgb(layout).tobytes() == expected


def test_64_bits_are_the_lowest_coefficients_against_their_own_median():
    values = compiled.coefficients(noise(90, 120))
    lowest = values[:8, :8].ravel()
    expected = (lowest > np.sort(lowest)[31])[::-1]
    assert (np.unpackbits(compiled.pack(values, 64)) == expected).all()


def test_a_wrong_order_of_additions_is_caught():
    """The exactness tests can fail: the summed-area table adds in another order."""
    changed = steps.bits_changed(steps.edge_cases(), box=steps.box_summed_area)
    assert sum(changed.values()) > 0
