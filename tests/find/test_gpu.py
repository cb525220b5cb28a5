"""The GPU's kernel, simulated, equals the published order bit for bit.

The simulator takes seconds a picture: few pictures, each for a reason.
"""

import numpy as np
import pytest

from finhash.find import compiled
from tests.conftest import noise

cuda = pytest.importorskip("finhash.find.gpu", exc_type=ImportError)

PICTURES = {
    "more columns than a group has threads": noise(20, 80),
    "fewer pixels than samples": noise(7, 9),
    "all coefficients tie": np.full((5, 6, 3), 77, np.uint8),
}


@pytest.fixture(scope="module")
def batch() -> cuda.Batch:
    """All pictures, hashed without the second path."""
    batch = cuda.Batch(10_000)
    batch.gather(list(PICTURES.values()))
    batch.send()
    batch.compute()
    return batch


def test_the_margin_is_that_of_the_cpu(batch):
    margins, _ = batch.fetch()
    for margin, rgb in zip(margins, PICTURES.values(), strict=True):
        assert margin == pytest.approx(compiled.fast_hash(rgb)[0], abs=compiled.MARGIN)


def test_only_what_is_proved_is_kept(batch):
    margins, fast = batch.fetch()
    published = np.stack([compiled.published_hash(rgb) for rgb in PICTURES.values()])
    proved = margins > compiled.MARGIN
    assert proved.tolist() == [True, True, False]
    np.testing.assert_array_equal(fast[proved], published[proved])
    np.testing.assert_array_equal(batch.hashes(), published)


def test_doubtful_pictures_are_computed_again(batch, monkeypatch):
    monkeypatch.setattr(cuda, "published_hash", lambda rgb: np.full(32, len(rgb), np.uint8))
    assert (batch.hashes() == 5).all(axis=1).tolist() == [False, False, True]


def test_batches_keep_the_order():
    pictures = [noise(3, 4), noise(2, 2, seed=1)[:, ::-1], noise(4, 3, seed=2)]
    found = cuda.hash_many(iter(pictures), size=36)  # one picture a batch: both rooms, one twice
    expected = [compiled.hash_rgb(np.ascontiguousarray(rgb)) for rgb in pictures]
    np.testing.assert_array_equal(found, expected)


def test_groups_fill_a_batch_and_no_more():
    pictures = [np.zeros((1, n, 3), np.uint8) for n in (1, 2, 3, 4, 1)]
    sizes = [[rgb.shape[1] for rgb in group] for group in cuda.groups(pictures, 9)]
    assert sizes == [[1, 2], [3], [4], [1]]


def test_no_pictures_give_no_hashes():
    assert cuda.hash_many([], size=9).shape == (0, 32)


def test_a_side_too_long_is_refused():
    with pytest.raises(ValueError, match="513 x 1 must be shrunk to 512"):
        cuda.hash_many([np.zeros((1, 513, 3), np.uint8)], size=2000)


def test_a_picture_larger_than_a_batch_is_refused():
    with pytest.raises(ValueError, match="48 bytes of pixels do not fit a batch of 40"):
        cuda.hash_many([noise(4, 4)], size=40)
