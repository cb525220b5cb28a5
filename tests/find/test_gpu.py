"""The GPU kernel, run by Numba's simulator, gives the bits of the published order.

The simulator takes over a second per image, so there are few images, each for one reason.
"""

import numpy as np
import pytest

from finhash.find import compiled
from finhash.find.certificate import MARGIN
from tests.conftest import noise

gpu = pytest.importorskip("finhash.find.gpu", exc_type=ImportError)

IMAGES = {
    "more columns than a group has threads": noise(20, 80),
    "fewer pixels than samples": noise(7, 9),
    "all coefficients tie": np.full((5, 6, 3), 77, np.uint8),
}


@pytest.fixture(scope="module")
def batch() -> gpu.Batch:
    """Return a batch of all images, hashed by the GPU but not by the fallback."""
    batch = gpu.Batch(10_000)
    batch.gather(list(IMAGES.values()))
    batch.send()
    batch.compute()
    return batch


@pytest.mark.slow
def test_margins_agree_with_the_cpu(batch):
    margins, _ = batch.fetch()
    for margin, rgb in zip(margins, IMAGES.values(), strict=True):
        assert margin == pytest.approx(compiled.fast_hash(rgb)[0], abs=MARGIN)


@pytest.mark.slow
def test_hashes_that_are_not_proved_are_replaced(batch):
    margins, fast = batch.fetch()
    published = np.stack([compiled.published_hash(rgb) for rgb in IMAGES.values()])
    proved = margins > MARGIN
    assert proved.tolist() == [True, True, False]
    np.testing.assert_array_equal(fast[proved], published[proved])
    np.testing.assert_array_equal(batch.hashes(), published)


@pytest.mark.slow
def test_only_hashes_that_are_not_proved_are_computed_again(batch, monkeypatch):
    monkeypatch.setattr(gpu, "published_hash", lambda rgb: np.full(32, len(rgb), np.uint8))
    assert (batch.hashes() == 5).all(axis=1).tolist() == [False, False, True]


@pytest.mark.slow
def test_batches_keep_the_order():
    images = [noise(3, 4), noise(2, 2, seed=1)[:, ::-1], noise(4, 3, seed=2)]
    found = gpu.hash_many(iter(images), size=36)  # one image per batch: the first is used twice
    expected = [compiled.hash_rgb(np.ascontiguousarray(rgb)) for rgb in images]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
def test_grey_images_have_the_hash_of_three_equal_channels():
    grey = noise(9, 7)[:, :, 0]
    found = gpu.hash_many([grey, np.stack([grey] * 3, axis=2)], size=500)
    np.testing.assert_array_equal(found, [compiled.hash_rgb(grey)] * 2)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (noise(4, 4) / 255, r"dtype float64 and shape \(4, 4, 3\)"),
        (noise(4, 4).astype(np.int16), "dtype int16"),
        (np.zeros((4, 4, 4), np.uint8), r"shape \(4, 4, 4\)"),
        (np.zeros((4, 4, 1), np.uint8), r"shape \(4, 4, 1\)"),
        (np.zeros(48, np.uint8), r"shape \(48,\)"),
    ],
)
def test_pixels_of_another_kind_are_refused(image, words):
    with pytest.raises(ValueError, match=f"{words}.*; pass pixels of dtype uint8"):
        gpu.hash_many([image], size=2000)


def test_grey_images_need_room_for_three_channels():
    images = [np.zeros((1, n), np.uint8) for n in (1, 2, 3)]
    assert [len(some) for some in gpu.split(images, 9)] == [2, 1]


def test_images_are_split_into_lists_that_fit_a_batch():
    images = [np.zeros((1, n, 3), np.uint8) for n in (1, 2, 3, 4, 1)]
    sizes = [[rgb.shape[1] for rgb in some] for some in gpu.split(images, 9)]
    assert sizes == [[1, 2], [3], [4], [1]]


def test_no_images_give_no_hashes():
    assert gpu.hash_many([], size=9).shape == (0, 32)


def test_a_side_too_long_is_refused():
    with pytest.raises(ValueError, match="513 x 1 pixels is too large: shrink it"):
        gpu.hash_many([np.zeros((1, 513, 3), np.uint8)], size=2000)


def test_an_image_larger_than_a_batch_is_refused():
    with pytest.raises(ValueError, match="images have 48 bytes, and a batch holds 40"):
        gpu.hash_many([noise(4, 4)], size=40)
