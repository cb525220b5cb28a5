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
