"""The candidates do the same step; those that claim to be exact are."""

import numpy as np
import pytest
from PIL import Image

from finhash.find import steps
from tests.conftest import jpeg_bytes, noise

EXACT_BOX = ["reference", "samples only", "Numba"]
EXACT_LUMA = ["getpixel", "NumPy channels", "Numba"]


@pytest.mark.parametrize("name", steps.BOX)
@pytest.mark.parametrize("size", [(1, 1), (70, 40), (130, 66)])
def test_box_candidates_agree(name, size):
    luma = noise(*size)[..., 0].astype(float)
    np.testing.assert_allclose(steps.BOX[name](luma), steps.box_reference(luma), rtol=1e-9)


@pytest.mark.parametrize("name", steps.LUMA)
def test_luma_candidates_agree(name):
    image = Image.fromarray(noise(20, 30))
    np.testing.assert_allclose(steps.LUMA[name](image), steps.luma_getpixel(image), atol=0.6)


@pytest.mark.parametrize("name", steps.DCT)
def test_dct_candidates_agree(name):
    samples = noise(64, 64)[..., 0].astype(float)
    np.testing.assert_allclose(steps.DCT[name](samples), steps.dct_reference(samples), atol=1e-8)


@pytest.mark.parametrize("name", EXACT_BOX)
def test_exact_box_candidates(name):
    small = {k: im.resize((70, 70)) for k, im in steps.edge_cases().items()}
    assert not any(steps.bits_changed(small, box=steps.BOX[name]).values())


@pytest.mark.parametrize("name", EXACT_LUMA)
def test_exact_luma_candidates(name):
    assert not any(steps.bits_changed(steps.edge_cases(), luma=steps.LUMA[name]).values())


def test_every_rung_of_the_ladder_gives_the_same_hash(tmp_path):
    path = tmp_path / "picture.jpg"
    path.write_bytes(jpeg_bytes(70, 90))
    hashes = {hash_file(path).tobytes() for hash_file in steps.LADDER.values()}
    assert len(hashes) == 1
