"""Images to look at: drawn ones for a stand-in, a user's own otherwise."""

import numpy as np
import pytest

from finhash.images import open_image
from finhash.study.accuracy import examples
from finhash.study.data import datasets, transforms
from tests.study import own_images


@pytest.fixture
def own(tmp_path, monkeypatch) -> datasets.Dataset:
    folder = own_images.make(tmp_path / "photos", families=3, images=2)
    monkeypatch.setenv("FINHASH_DAS_IMAGES", str(folder))
    return datasets.load(progress=False)


@pytest.fixture
def memes(tmp_path) -> datasets.Dataset:
    """Return a stand-in of real templates without any file, as nothing of it may be shown."""
    return datasets.Dataset("memes", tmp_path, [], "memes", 0)


def test_own_images_are_shown_and_drawn_ones_represent_a_standin(own, memes):
    sources, labels = examples.images(own, families=2, each=1)
    assert set(sources) <= set(own.paths)
    assert len(set(labels)) == 2
    sources, labels = examples.images(memes, families=2, each=3)
    assert labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert all(isinstance(source, bytes) for source in sources)


def test_extreme_pairs_come_from_different_families():
    rng = np.random.default_rng(3)
    hashes, labels = rng.integers(0, 256, (30, 8), dtype=np.uint8), np.arange(30) % 5
    found = examples.extremes(hashes, labels, 4)
    i, j = np.triu_indices(30, 1)
    distance = np.bitwise_count(hashes[i] ^ hashes[j]).sum(axis=1)
    same = labels[i] == labels[j]
    by_kind = dict(list(found.groupby("kind")))
    assert by_kind[examples.SAME]["distance"].iloc[0] == distance[same].max()
    assert by_kind[examples.OTHER]["distance"].iloc[0] == distance[~same].min()
    assert labels[by_kind[examples.SAME]["first"]].tolist() == (
        labels[by_kind[examples.SAME]["second"]].tolist()
    )
    assert by_kind[examples.SAME]["first"].map(lambda k: labels[k]).is_unique


def test_every_change_is_shown_with_its_alternative_text(own, memes):
    shown = examples.changed(memes)
    assert len(shown) == 1 + len(transforms.TRANSFORMS)
    assert all(open_image(image).size for _, _, image in shown)
    image = examples.show_changed(shown)
    assert "flip" in image.alt
    assert len(examples.changed(own)) == 1 + len(transforms.grid(own.name))


def test_pairs_and_families_are_drawn(memes):
    sources, labels = examples.images(memes, families=3, each=2)
    hashes = np.arange(6, dtype=np.uint8)[:, None]
    pairs = examples.extremes(hashes, labels, 2)
    assert "bits apart" in examples.show_pairs(sources, pairs).alt
    assert examples.show_families(sources, labels, 3).width == 2 * examples.SCREEN


def test_code_is_shown_without_docstrings():
    shown = examples.show_code(examples.show_code, examples._subject).data
    assert shown.startswith("```python\ndef show_code(")
    assert "\n\ndef _subject(" in shown
    assert '"""' not in shown
    assert "if not dataset.standin:" in shown
