"""Comparisons with the published hash are counted by kind of image and by margin."""

import numpy as np
import pandas as pd
import pytest

from finhash.find.certificate import MARGIN
from finhash.study.cost import certificate
from tests.conftest import jpeg_bytes, noise


def test_flat_image_is_not_certified_but_exact():
    table = certificate.of_pixels([np.full((9, 9, 3), 7, np.uint8), noise(64, 64)], 2)
    assert table["certified"].tolist() == [False, True]
    assert not table[["bits_changed", "pixels_changed"]].any(axis=None)
    assert (table["margin"] > MARGIN / 1000).tolist() == [False, True]


@pytest.mark.slow  # spawns processes
def test_files_are_compared_in_the_given_order(tmp_path):
    paths = [tmp_path / f"{k}.jpg" for k in range(3)]
    for k, path in enumerate(paths):
        path.write_bytes(jpeg_bytes(seed=k))
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(jpeg_bytes()[:500])
    table = certificate.of_files([broken, *paths], workers=2)
    assert not table["bits_changed"].any()
    alone = [certificate.of_files([path], workers=1)["margin"].item() for path in paths]
    assert table["margin"].tolist() == alone


def test_random_images_depend_on_the_seed_alone():
    first, again = (list(certificate.random_images(20, seed=5, largest=40)) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert max(max(rgb.shape[:2]) for rgb in first) <= 80
    assert len({rgb.shape for rgb in first}) > 10


def test_summary_adds_up_and_margins_keep_every_image():
    table = pd.DataFrame(
        {
            "certified": [True, False],
            "fast_bits_changed": [0, 3],
            "bits_changed": [0, 0],
            "pixels_changed": [4, 5],
            "margin": [0.05, 0.0],
        }
    )
    row = certificate.summary({"two": table}).iloc[0]
    assert row.tolist() == ["two", 2, 1, 3, 0, 9]
    counts = certificate.margins({"two": table}).set_index("exponent")["images"]
    assert counts[counts > 0].to_dict() == {-11: 1, -2: 1}
