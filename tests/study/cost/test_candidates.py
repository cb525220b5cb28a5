"""The candidates do the same step; those that claim to be exact are."""

import numpy as np
import pytest
from PIL import Image

from finhash.study.cost import candidates, ladder
from tests.conftest import jpeg_bytes, noise

EXACT_BOX = ["reference", "samples only", "Numba"]
EXACT_LUMA = ["getpixel", "NumPy channels", "Numba"]


@pytest.mark.parametrize("name", candidates.BOX)
@pytest.mark.parametrize("size", [(1, 1), (70, 40), (130, 66)])
def test_box_candidates_agree(name, size):
    luma = noise(*size)[..., 0].astype(float)
    np.testing.assert_allclose(
        candidates.BOX[name](luma), candidates.box_reference(luma), rtol=1e-9
    )


@pytest.mark.parametrize("name", candidates.LUMA)
def test_luma_candidates_agree(name):
    image = Image.fromarray(noise(20, 30))
    np.testing.assert_allclose(
        candidates.LUMA[name](image), candidates.luma_getpixel(image), atol=0.6
    )


@pytest.mark.parametrize("name", candidates.DCT)
def test_dct_candidates_agree(name):
    samples = noise(64, 64)[..., 0].astype(float)
    np.testing.assert_allclose(
        candidates.DCT[name](samples), candidates.dct_reference(samples), atol=1e-8
    )


@pytest.mark.parametrize("name", EXACT_BOX)
def test_exact_box_candidates(name):
    small = {k: im.resize((70, 70)) for k, im in candidates.edge_cases().items()}
    assert not any(candidates.bits_changed(small, box=candidates.BOX[name]).values())


@pytest.mark.parametrize("name", EXACT_LUMA)
def test_exact_luma_candidates(name):
    assert not any(
        candidates.bits_changed(candidates.edge_cases(), luma=candidates.LUMA[name]).values()
    )


def test_every_rung_of_the_ladder_gives_the_same_hash(tmp_path):
    path = tmp_path / "picture.jpg"
    path.write_bytes(jpeg_bytes(70, 90))
    hashes = {hash_file(path).tobytes() for hash_file in ladder.LADDER.values()}
    assert len(hashes) == 1
