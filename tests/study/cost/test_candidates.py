"""Candidates for a step compute the same values; the exact ones change no bit of the hash."""

import numpy as np
import pytest
from PIL import Image

from finhash.study.cost import candidates
from tests.conftest import noise

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
def test_exact_box_candidates_change_no_bit(name):
    small = {k: im.resize((70, 70)) for k, im in candidates.edge_cases().items()}
    assert not any(candidates.bits_changed(small, box=candidates.BOX[name]).values())


@pytest.mark.parametrize("name", EXACT_LUMA)
def test_exact_luma_candidates_change_no_bit(name):
    changed = candidates.bits_changed(candidates.edge_cases(), luma=candidates.LUMA[name])
    assert not any(changed.values())


def test_exactness_counts_images_and_bits_by_kind():
    some = {"exact": candidates.luma_channels, "rounded": candidates.luma_pillow}
    subjects = {
        "edge": {"flat colour": candidates.edge_cases()["flat colour"]},
        "noise": {str(k): Image.fromarray(noise(70, 70, seed=k)) for k in range(2)},
    }
    table = candidates.exactness("luma", some, subjects).set_index(["contender", "kind"])
    assert table["images"].tolist() == [1, 2, 1, 2]
    assert not table.loc["exact", ["images_changed", "bits_changed"]].any(axis=None)
    expected = candidates.bits_changed(subjects["noise"], luma=candidates.luma_pillow).values()
    row = table.loc[("rounded", "noise")]
    assert row["bits_changed"] == sum(expected) > 0
    assert row["images_changed"] == sum(bits > 0 for bits in expected)


def test_source_shows_the_compiled_loops():
    text = candidates.source(candidates.box_numba)
    assert text.startswith("def box_numba(")
    assert "def _box_rows(" in text
    assert "def add_to_windows(" in text


def test_each_function_is_shown_once():
    texts = candidates.sources(candidates.BOX)
    assert list(texts) == list(candidates.BOX)
    assert "".join(texts.values()).count("def _windows(") == 1
    assert "def box_integers(" in texts["integer area"]


def test_subjects_are_files_and_images_with_ties_of_one_size(tmp_path):
    Image.new("RGB", (90, 70)).save(tmp_path / "a.png")
    found = candidates.subjects([tmp_path / "a.png"], 64)
    assert list(found["set"]) == ["a.png"]
    assert list(found["edge"]) == list(candidates.edge_cases())
    assert {image.size for images in found.values() for image in images.values()} == {(64, 64)}
