"""Other DCT matrices change the bits of flat images, as the committed table says."""

import math
import shutil

import numpy as np
import pytest

from finhash.find.geometry import DCT
from finhash.study.reliability import cosines
from finhash.study.reliability.cosines import Library
from finhash.study.reliability.platform_tables import ANGLES


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_a_program_returns_the_cosines_of_its_c_library(tmp_path):
    found = cosines.of_library(Library("here", ("gcc",)), tmp_path)
    assert found.tolist() == [[math.cos(angle) for angle in row] for row in ANGLES]


def test_libraries_whose_programs_are_missing_are_left_out(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda program: None)
    names = [name for name, _ in cosines.matrices()]
    assert names == ["NumPy", "one value changed in its last bit"]


def test_values_images_and_bits_that_change_are_counted():
    images = list(np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8))
    mirrored = np.ascontiguousarray(DCT[:, ::-1])  # negates every other coefficient
    table = cosines.compare(iter([("same", DCT), ("mirrored", mirrored)]), {"noise": images})
    same, other = table.to_dict("records")
    assert (same["values"], same["most_ulps"], same["changed"], same["bits"]) == (0, 0, 0, 0)
    assert (other["values"], other["images"], other["changed"]) == (
        np.count_nonzero(mirrored != DCT),
        2,
        2,
    )
    bits = np.bitwise_count(cosines.hashes(images, DCT) ^ cosines.hashes(images, mirrored))
    assert other["bits"] == bits.sum()


def test_hashes_leave_the_matrix_of_the_library_as_it_is():
    before = cosines.plain.DCT.copy()
    cosines.hashes(cosines.flat_images()[:1], cosines.one_bit_off())
    assert np.array_equal(cosines.plain.DCT, before)
