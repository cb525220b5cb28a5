"""The reference gives the published program's answers, faults included."""

import pytest
from PIL import Image

from finhash.find import reference
from tests.conftest import ANSWERS, VECTORS, golden_names, noise


@pytest.mark.parametrize("name", golden_names())
@pytest.mark.parametrize("published", [False, True])
def test_golden_hashes(name, published):
    answer = ANSWERS["hashes"][name]["published" if published else "corrected"]
    with Image.open(VECTORS / name) as image:
        if answer == "IndexError":
            with pytest.raises(IndexError):
                reference.find_hash(image, published=True)
        else:
            assert str(reference.find_hash(image, published)) == answer


def test_published_faults_are_invisible_on_square_pictures():
    image = Image.fromarray(noise(70, 70))
    assert reference.find_hash(image, published=True) == reference.find_hash(image)


def test_published_hash_of_a_landscape_picture_is_wrong():
    image = Image.fromarray(noise(40, 70))
    assert reference.find_hash(image, published=True) != reference.find_hash(image)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 256])
def test_lower_median(count):
    values = [float(v) for v in noise(1, count).ravel()[:count]]
    assert reference.lower_median(values) == sorted(values)[(count - 1) // 2]


def test_lower_median_of_equal_values():
    assert reference.lower_median([2.5] * 8) == 2.5


def test_the_picture_is_left_as_it_is():
    image = Image.fromarray(noise(600, 700))
    before = image.tobytes()
    reference.find_hash(image.resize((20, 20)))
    reference.shrink(image)
    assert image.size == (700, 600)
    assert image.tobytes() == before
