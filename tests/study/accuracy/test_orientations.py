"""Recall, false matches and cost of looking up images in several orientations."""

import numpy as np
import pytest

from finhash import methods
from finhash.orientations import of_hashes
from finhash.study.accuracy import orientations
from tests.conftest import jpeg_bytes
from tests.study import own_images


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Two captioned images of each of six families."""
    folder = tmp_path_factory.mktemp("images")
    paths = sorted(own_images.make(folder, families=6, images=2, odd=False).iterdir())
    return list(zip(paths[::2], paths[1::2], strict=True))


def test_copies_are_found_in_the_orientations_that_are_looked_up(pairs):
    found = orientations.recall(pairs, {"search": 72}, workers=2)
    keys = ["turned", "copies", "compared"]
    assert len(found) == 2 * 4 * 4 == len(found[keys].drop_duplicates())
    own = found.set_index(keys)["found_own"]
    for way in ("image", "hash"):
        for copies, compared in [("upright", "one"), ("mirrored", "mirror"), ("turned", "rotate")]:
            assert own[way, copies, compared] == own[way, copies, "all"] == 1
        assert own[way, "mirrored", "one"] < 0.5
        assert own[way, "mirrored and turned", "rotate"] < 0.5
    medians = found.set_index(keys)["own_median"]
    assert medians["image", "turned", "rotate"] < medians["hash", "turned", "rotate"] < 40
    assert found["number"].unique().tolist() == [6, 18]
    again = orientations.recall(pairs, {"search": 72})
    assert again.equals(found)


def test_the_other_image_of_the_family_is_found_as_from_the_upright_image(pairs):
    usual = methods.get("find").hash
    apart = [np.bitwise_count(usual(first) ^ usual(second)).sum() for first, second in pairs]
    radius = int(sorted(apart)[2]) + 3  # half of the pairs, with room for the bits of JPEG
    found = orientations.recall(pairs, {"search": radius})
    other = found.set_index(["turned", "copies", "compared"])["found_other"]
    assert 0 < other["image", "upright", "one"] < 1
    assert other["image", "mirrored", "mirror"] == pytest.approx(
        other["image", "upright", "one"], abs=0.2
    )


def test_false_matches_by_hand():
    """Family 1 holds mirror images of family 0, and family 2 hashes like nothing else."""
    rng = np.random.default_rng(3)
    first, last = rng.integers(0, 256, (2, 1, 32), dtype=np.uint8)
    mirrored = of_hashes(first, "mirror")["flip_left_right"]
    packed = np.concatenate([first, first, mirrored, last])
    found = orientations.false_matches(packed, np.array([0, 0, 1, 2]), {"search": 72})
    found = found.set_index("compared")
    # The three queries are compared with 2, 3 and 3 images of other families.
    assert found["pairs"].unique().tolist() == [8]
    # Family 0's query matches the mirror image, and that one the two images of family 0.
    assert found["matches"].to_dict() == {"one": 0, "mirror": 3, "rotate": 0, "all": 3}
    assert found["matched"].to_dict() == {"one": 0, "mirror": 2 / 3, "rotate": 0, "all": 2 / 3}
    assert found.loc["mirror", "rate"] == 3 / 8


def test_costs_are_measured_for_each_image_and_choice():
    found = orientations.costs({"small": jpeg_bytes(), "large": jpeg_bytes(90, 90)}, 1)
    assert found[["image", "compared"]].value_counts().eq(1).all()
    assert len(found) == 2 * len(orientations.COMPARED)
    assert (found["seconds"] > 0).all()
