"""The reference gives the hashes of the published program, including its faults."""

import pytest
from PIL import Image

from finhash.find import reference
from tests.conftest import ANSWERS, VECTORS, golden_names, noise


def golden():
    """Return the names of the golden images; the reference is slow on all but small ones."""
    for name in golden_names():
        with Image.open(VECTORS / name) as image:
            small = image.width * image.height < 20_000
        yield pytest.param(name, marks=() if small else pytest.mark.slow)


@pytest.mark.parametrize("name", list(golden()))
@pytest.mark.parametrize("published", [False, True])
def test_golden_hashes(name, published):
    answer = ANSWERS["hashes"][name]["published" if published else "corrected"]
    with Image.open(VECTORS / name) as image:
        if answer == "IndexError":
            with pytest.raises(IndexError):
                reference.find_hash(image, published=True)
        else:
            assert str(reference.find_hash(image, published)) == answer


def test_published_faults_do_not_change_square_images():
    image = Image.fromarray(noise(70, 70))
    assert reference.find_hash(image, published=True) == reference.find_hash(image)


def test_published_faults_change_landscape_images():
    image = Image.fromarray(noise(40, 70))
    assert reference.find_hash(image, published=True) != reference.find_hash(image)


def test_weights_windows_and_matrix_can_be_given():
    image = Image.fromarray(noise(6, 9))
    green = noise(6, 9)[:, :, 1].ravel().tolist()
    assert reference.fill_luma(image, (0.0, 1.0, 0.0)) == green
    rows, cols = 130, 60  # as many windows of 3 rows and 1 column
    luma = noise(rows, cols)[:, :, 0].ravel().tolist()
    found = reference.box_filter(luma, rows, cols, windows=(3, 1))
    assert found == reference.box_filter(luma, rows, cols)
    assert found != reference.box_filter(luma, rows, cols, windows=(1, 3))
    samples = noise(64, 64)[:, :, 0].tolist()
    twice = [[2 * value for value in row] for row in reference.DCT]
    four_times = [[4 * value for value in row] for row in reference.dct_64_to_16(samples)]
    assert reference.dct_64_to_16(samples, twice) == four_times


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 256])
def test_lower_median(count):
    values = [float(v) for v in noise(1, count).ravel()[:count]]
    assert reference.lower_median(values) == sorted(values)[(count - 1) // 2]


def test_lower_median_of_equal_values():
    assert reference.lower_median([2.5] * 8) == 2.5


def test_the_image_is_not_changed():
    image = Image.fromarray(noise(10, 600))
    before = image.tobytes()
    reference.find_hash(image)
    assert image.size == (600, 10)
    assert image.tobytes() == before
