"""Differences of shrunk pixels are counted by kind of image and version of Pillow."""

import numpy as np
import PIL
import pytest
from click.testing import CliRunner
from PIL import Image

from finhash.find.thumbnail import reduction, thumbnail, thumbnail_size
from finhash.study import project, results
from finhash.study.cost import shrinking

SUMS = ["values", "kernel_values", "kernel_changed", "pillow_values", "pillow_images"]


def compared(numbers):
    """Return the summary of some images."""
    return shrinking.summary(shrinking.compare(k, *shrinking.image(k, seed=1)) for k in numbers)


@pytest.fixture
def old_pillow(monkeypatch):
    """Make Pillow's own thumbnail give the pixels of ``thumbnail``."""

    def own(image, size):
        image.im = thumbnail(image).im
        image._size = image.im.size

    monkeypatch.setattr(Image.Image, "thumbnail", own)


def test_images_depend_on_the_seed_and_the_number_alone():
    for number, (kind, contents, image) in enumerate(shrinking.images(8, seed=2)):
        again = shrinking.image(number, seed=2)
        assert again[:2] == (kind, contents)
        assert again[2] == image
        assert image.mode in ("RGB", "L")


def test_every_25th_image_is_of_another_mode():
    for number, mode in zip(range(24, 124, 25), shrinking.MODES, strict=True):
        kind, _, image = shrinking.image(number, seed=2)
        assert kind == image.mode == mode


@pytest.mark.parametrize("kind", shrinking.SHAPES)
def test_a_side_of_every_shape_is_shrunk(kind):
    rng = np.random.default_rng(0)
    for _ in range(300):
        size = shrinking.SHAPES[kind](rng)
        assert min(size) >= 1
        assert max(size) > 512
        assert size[0] * size[1] < 30e6


def test_1_to_9_pixels_are_averaged_in_each_direction_apart():
    rng = np.random.default_rng(0)
    sizes = [shrinking.SHAPES["averaged"](rng) for _ in range(2000)]
    pairs = {tuple(map(reduction, size, thumbnail_size(*size))) for size in sizes}
    for way in (0, 1):
        assert {pair[way] for pair in pairs if pair[0] != pair[1]} >= set(range(1, 10))


@pytest.mark.parametrize("contents", shrinking.CONTENTS)
@pytest.mark.parametrize("channels", [1, 3])
def test_contents_fill_any_size(contents, channels):
    rng = np.random.default_rng(0)
    for size in [(1, 700), (700, 1), (1601, 3)]:
        image = shrinking._pixels(contents, rng, size, channels)
        assert (image.size, len(image.getbands())) == (size, channels)


def test_kernel_is_exact_and_images_are_counted(old_pillow):
    numbers = [*range(1, 14), 20, 24, 49]
    table = compared(numbers).set_index("kind")
    assert table["images"].sum() == len(numbers)
    assert table.index.tolist() == [*shrinking.SHAPES, "RGBA", "LA"]
    assert set(table["pillow"]) == {PIL.__version__}
    assert (table.loc[list(shrinking.SHAPES), "kernel_values"] > 0).all()
    assert (table.loc[["RGBA", "LA"], "kernel_values"] == 0).all()
    assert not table[["kernel_changed", "pillow_values", "hashes", "bits_most"]].any(axis=None)


@pytest.mark.parametrize(("kernel", "number"), [("shrink", 2), ("shrink_image", 30)])
def test_one_wrong_value_of_a_kernel_is_counted(monkeypatch, kernel, number):
    right = getattr(shrinking.resample, kernel)

    def wrong(image):
        pixels = right(image).copy()
        pixels.flat[-1] ^= 1
        return pixels

    monkeypatch.setattr(shrinking.resample, kernel, wrong)
    assert compared([number])["kernel_changed"].tolist() == [1]


def test_a_kernel_that_returns_another_shape_differs_everywhere(monkeypatch):
    monkeypatch.setattr(shrinking.resample, "shrink", lambda pixels: np.zeros((1, 1), np.uint8))
    table = compared([2])
    assert table["kernel_changed"].tolist() == table["values"].tolist()


def test_values_and_bits_by_which_pillow_differs_are_counted(monkeypatch):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (600, 600), np.uint8))

    def own(image, size):
        """Return another image's pixels, 1 to 255 brighter, with a hash of its own."""
        pixels = np.asarray(thumbnail(image)).copy()
        pixels[:, 256:] = 255
        image.im = Image.fromarray(pixels).im
        image._size = image.im.size

    monkeypatch.setattr(Image.Image, "thumbnail", own)
    expected = 255 - np.asarray(thumbnail(image))[:, 256:]
    row = shrinking.compare(1, "slight", "smooth", image)
    found = dict(zip(shrinking.COMPARED, row, strict=True))
    assert found["kernel_changed"] == 0
    assert found["pillow_values"] == np.count_nonzero(expected)
    assert found["pillow_largest"] == expected.max()
    assert found["bits"] > 20
    rows = [row, (*row[:-1], 0), ("slight", "noise", 9, 9, 0, 1, 3, 7), (*row[:5], 0, 0, 0)]
    total = shrinking.summary(rows).iloc[0]
    assert total[["images", "pillow_images", "hashes"]].tolist() == [4, 3, 2]
    assert total["bits_mean"] == pytest.approx((found["bits"] + 7) / 3)
    assert total[["smooth_images", "smooth_bits_mean"]].tolist() == [2, found["bits"] / 2]


def test_rows_of_other_versions_stay(monkeypatch, tmp_path, old_pillow):
    monkeypatch.setenv("FINHASH_HOME", str(tmp_path))
    monkeypatch.delenv("FINHASH_OUT", raising=False)
    table = compared([2, 49])
    for version, count in [("12.0.0", 1), ("13.0.0", 2), ("12.0.0", 3)]:
        monkeypatch.setattr(PIL, "__version__", version)
        shrinking.save(table.assign(pillow=version, images=count), count)
    saved = results.load("shrinking")
    assert saved["pillow"].tolist() == ["12.0.0", "12.0.0", "13.0.0", "13.0.0"]
    assert saved["images"].tolist() == [3, 3, 2, 2]
    assert saved[SUMS].dtypes.eq("int64").all()
    facts = results.load_provenance("shrinking")
    assert {"rows of Pillow 12.0.0", "rows of Pillow 13.0.0"} <= facts.keys()


def test_command_fails_if_the_kernel_differs(monkeypatch, tmp_path, old_pillow):
    monkeypatch.setenv("FINHASH_HOME", str(tmp_path))
    monkeypatch.delenv("FINHASH_OUT", raising=False)
    for changed in (0, 3):
        table = compared([2]).assign(kernel_changed=changed)
        monkeypatch.setattr(shrinking, "measure", lambda *_, table=table: table)
        result = CliRunner().invoke(shrinking.main, ["--count", "1"])
        assert result.exit_code == bool(changed)
    assert "3 values of the kernel" in result.output
    assert (project.results() / "shrinking.csv").exists()
