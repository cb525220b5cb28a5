"""The compiled kernel gives the bits of the reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from finhash.find import compiled, reference
from finhash.find.certificate import MARGIN
from finhash.find.geometry import DCT, DCT_T
from finhash.images import to_rgb
from finhash.study.cost import candidates, certificate
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


@pytest.mark.parametrize("name", candidates.edge_cases())
def test_equals_the_reference_on_edge_cases(name):
    image = candidates.edge_cases()[name].resize((96, 96), Image.Resampling.NEAREST)
    assert compiled.hash_rgb(np.asarray(image)).tobytes() == reference_bytes(image)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "F"])
@pytest.mark.parametrize("size", [(50, 33), (520, 40)])
def test_equals_the_reference_in_every_mode(mode, size):
    image = Image.fromarray(noise(size[1], size[0]))
    if mode == "I;16":
        image = Image.fromarray(noise(size[1], size[0])[..., 0].astype(np.uint16) * 200)
    elif mode == "LA":
        image = image.convert("L").convert("LA")
    else:
        image = image.convert(mode)
    assert compiled.hash_rgb(to_rgb(image)).tobytes() == reference_bytes(image)


def test_the_memory_layout_of_the_pixels_does_not_matter():
    rgb = noise(80, 50)
    expected = compiled.hash_rgb(rgb).tobytes()
    for layout in (np.asfortranarray(rgb), rgb[::-1, ::-1].copy()[::-1, ::-1]):
        assert compiled.hash_rgb(layout).tobytes() == expected


def test_64_bits_are_the_lowest_coefficients_against_their_own_median():
    samples = noise(64, 64)[..., 0].astype(float)
    lowest = compiled.dct(samples)[:8, :8].ravel()
    expected = (lowest > np.sort(lowest)[31])[::-1]
    bits = np.unpackbits(compiled.cut(compiled.dct(samples), 64))
    np.testing.assert_array_equal(bits, expected)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.integers(1, 512),
    cols=st.integers(1, 512),
    level=st.integers(0, 255),
    spread=st.sampled_from([0, 1, 2, 8, 128]),
    seed=st.integers(0, 99),
    bits=st.sampled_from([64, 256]),
)
def test_a_certified_hash_is_the_published_one(rows, cols, level, spread, seed, bits):
    """Margins of nearly flat images lie close to the certificate's, above and below it."""
    jitter = noise(rows, cols, seed).astype(int) % (spread + 1)
    rgb = np.clip(level + jitter, 0, 255).astype(np.uint8)
    published = compiled.published_hash(rgb, bits)
    margin, packed = compiled.fast_hash(rgb, bits)
    assert margin <= MARGIN or packed.tobytes() == published.tobytes()
    assert compiled.hash_rgb(rgb, bits).tobytes() == published.tobytes()


@pytest.mark.parametrize("name", ["flat grey", "flat black", "flat colour", "halves"])
def test_ties_are_not_certified(name):
    assert compiled.fast_hash(np.asarray(candidates.edge_cases()[name]))[0] <= MARGIN


def test_the_certificate_is_needed_and_sufficient_on_random_images():
    table = certificate.of_pixels(certificate.random_images(2000, seed=3), 2000)
    assert not table["bits_changed"].any()
    assert 0 < table["certified"].sum() < len(table)  # both paths are taken
    assert not table.loc[table["certified"], "fast_bits_changed"].any()
    assert table["fast_bits_changed"].any()  # the fast path alone is not exact


@pytest.mark.parametrize("value", [1, 254, 255])
@pytest.mark.parametrize("side", [1, 64, 65, 449, 512])
def test_the_brightest_windows_do_not_overflow(value, side):
    rgb = np.full((side, side, 3), value, np.uint8)
    rgb[side // 2 :, : side // 3] = 255
    samples = compiled._published_samples(*_published_arguments(rgb))
    fast = compiled._integer_samples(*_fast_arguments(rgb)) / 1000
    np.testing.assert_allclose(fast, samples, rtol=1e-13)


def test_the_bound_holds_for_every_coefficient():
    for rgb in certificate.random_images(300, seed=8, largest=512):
        published = compiled.dct(compiled._published_samples(*_published_arguments(rgb))) * 1000
        fast = DCT @ compiled._integer_samples(*_fast_arguments(rgb)) @ DCT_T
        assert np.abs(fast - published).max() < MARGIN / 4


@pytest.mark.parametrize("bits", [256, 64])
@pytest.mark.parametrize("function", [compiled.hash_rgb, compiled.published_hash])
@pytest.mark.parametrize("size", [(1, 1), (3, 1), (64, 192), (250, 251), (512, 300)])
@pytest.mark.parametrize("values", [255, 2, 1])
def test_grey_pixels_have_the_hash_of_three_equal_channels(size, values, function, bits):
    """With few values many coefficients tie, so that the fallback path is used."""
    grey = noise(*size)[:, :, 0] % values * np.uint8(255 // values)
    rgb = np.repeat(grey[:, :, None], 3, axis=2)
    assert function(grey, bits).tobytes() == compiled.hash_rgb(rgb, bits).tobytes()


def test_images_that_were_not_shrunk_are_refused():
    with pytest.raises(ValueError, match="4 x 513 pixels is too large: shrink it"):
        compiled.hash_rgb(np.zeros((513, 4, 3), np.uint8))


@pytest.mark.parametrize("function", [compiled.hash_rgb, compiled.published_hash])
def test_hashes_of_other_lengths_are_refused(function):
    with pytest.raises(ValueError, match="bits is 128; it must be 256 or 64"):
        function(noise(20, 20), bits=128)


def test_the_callers_pixels_stay_writeable():
    rgb = noise(20, 20)
    compiled.hash_rgb(rgb)
    assert rgb.flags.writeable


def _published_arguments(rgb):
    flat, row, col = compiled._prepare(rgb)
    return flat, row.start, row.stop, col.start, col.stop, col.first, col.width


def _fast_arguments(rgb):
    flat, row, col = compiled._prepare(rgb)
    return flat, False, row.start, row.stop, row.inverse, col.start, col.stop, col.inverse


def test_a_wrong_order_of_additions_is_caught():
    """A summed-area table adds in another order and changes bits of the edge cases."""
    changed = candidates.bits_changed(candidates.edge_cases(), box=candidates.box_summed_area)
    assert sum(changed.values()) > 0
