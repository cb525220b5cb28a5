"""One decode order whatever the source, and a clear error for what is no picture."""

import io
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from finhash import FINDHasher, find_hash, images
from tests.conftest import VECTORS, jpeg_bytes, noise


@pytest.mark.parametrize("size", [(90, 60), (1100, 700), (64, 2000)])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF"])
def test_path_bytes_and_image_give_the_same_pixels(tmp_path, size, form):
    path = tmp_path / "picture"
    Image.fromarray(noise(size[1], size[0])).save(path, form)
    from_path = images.to_rgb(path)
    assert max(from_path.shape) <= 512
    assert (from_path == images.to_rgb(str(path))).all()
    assert (from_path == images.to_rgb(path.read_bytes())).all()
    with Image.open(path) as image:
        assert (from_path == images.to_rgb(image)).all()


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("quality", [10, 75, 95])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 3}])
@pytest.mark.parametrize("size", [(64, 48), (33, 17), (1, 1), (700, 90)])
def test_jpegs_have_pillows_pixels(mode, quality, subsampling, options, size):
    buffer = io.BytesIO()
    smooth = Image.fromarray(noise(12, 16)).resize(size, Image.Resampling.BICUBIC)
    smooth.convert(mode).save(buffer, "JPEG", quality=quality, subsampling=subsampling, **options)
    with Image.open(buffer) as image:
        small = image.copy()  # loads it whole, so that thumbnail does not decode in draft mode
        small.thumbnail((512, 512))
        expected = np.asarray(small.convert("RGB"))
    assert (images.to_rgb(buffer.getvalue()) == expected).all()


def test_ordinary_jpegs_take_the_fast_decoder(monkeypatch):
    monkeypatch.setattr(Image, "open", None)
    assert images.to_rgb(jpeg_bytes(40, 50)).shape == (40, 50, 3)


def test_jpegs_that_end_early_are_judged_by_pillow():
    whole = jpeg_bytes(90, 90)
    for length in range(10, len(whole), len(whole) // 40):
        try:
            with Image.open(io.BytesIO(whole[:length])) as image:
                image.load()
        except OSError:
            with pytest.raises(images.ImageError):
                images.to_rgb(whole[:length])
        else:
            assert (images.to_rgb(whole[:length]) == np.asarray(image)).all()


def test_array_is_a_source_too():
    rgb = noise(30, 40)
    assert (images.to_rgb(rgb) == rgb).all()


def test_find_hash_and_hasher_agree(tmp_path):
    path = VECTORS / "scene_250.png"
    with Image.open(path) as image:
        expected = str(find_hash(image))
        assert str(FINDHasher().fromImage(image)) == expected
    assert str(FINDHasher().fromFile(str(path))) == expected
    assert str(find_hash(path.read_bytes())) == expected
    assert len(expected) == 64
    assert find_hash(path) - find_hash(path) == 0


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", images.EmptyImageError),
        (b"this is no picture", images.NotAnImageError),
        (jpeg_bytes(200, 200)[:3000], images.DamagedImageError),
        (jpeg_bytes()[:20], images.NotAnImageError),
    ],
)
def test_what_is_no_picture(tmp_path, content, error):
    path = tmp_path / "picture.jpg"
    path.write_bytes(content)
    for source in (path, content):
        with pytest.raises(error):
            images.to_rgb(source)


def test_corrupt_png():
    buffer = io.BytesIO()
    Image.fromarray(noise(50, 50)).save(buffer, "PNG")
    broken = bytearray(buffer.getvalue())
    broken[100:140] = bytes(40)
    with pytest.raises(images.DamagedImageError):
        images.to_rgb(bytes(broken))


def test_no_pixels():
    with pytest.raises(images.EmptyImageError):
        images.to_rgb(Image.new("RGB", (0, 5)))
    with pytest.raises(images.EmptyImageError):
        images.to_rgb(np.empty((0, 5, 3), np.uint8))


def test_too_large(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(images.ImageTooLargeError):
        images.to_rgb(jpeg_bytes(60, 60))


def test_too_large_where_the_application_makes_warnings_errors(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 3000)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with pytest.raises(images.ImageTooLargeError):
            images.to_rgb(jpeg_bytes(60, 60))


def test_files_that_are_no_regular_files(tmp_path):
    with pytest.raises(IsADirectoryError):
        images.to_rgb(tmp_path)
    with pytest.raises(FileNotFoundError):
        images.to_rgb(tmp_path / "missing.jpg")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(images.NotAnImageError):
            images.to_rgb(tmp_path / "pipe")


@pytest.mark.parametrize("source", [None, 3, np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3))])
def test_wrong_type(source):
    with pytest.raises(TypeError):
        images.open_image(source)


def test_nothing_global_is_changed(tmp_path):
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    with pytest.raises(images.ImageError):
        images.to_rgb(b"nothing")
    images.to_rgb(jpeg_bytes())
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


def test_files_are_closed(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        for path in sorted(folder.iterdir()):
            try:
                images.open_image(path)
            except (images.ImageError, OSError):
                continue
    opened = Path("/proc/self/fd")
    if opened.is_dir():
        targets = [str(link.readlink()) for link in opened.iterdir() if link.is_symlink()]
        assert not [target for target in targets if target.startswith(str(folder))]
