"""Sources give the same pixels, those of Pillow, and unusable sources raise clear errors."""

import io
import os
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile, UnidentifiedImageError

from finhash import FINDHasher, find_hash, images, methods
from finhash.find.thumbnail import thumbnail
from tests.conftest import VECTORS, jpeg_bytes, noise


class Pipe(io.RawIOBase):
    """Binary stream that cannot seek, such as the body of an HTTP response."""

    def __init__(self, content):
        self._file = io.BytesIO(content)

    def readable(self):
        return True

    def readinto(self, buffer):
        return self._file.readinto(buffer)


class Body:
    """Object with nothing but a method that returns its content once, such as urllib's response."""

    def __init__(self, content):
        self._content = content

    def read(self):
        content, self._content = self._content, b""
        return content


@pytest.mark.parametrize("size", [(90, 60), (1100, 700), (64, 2000)])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF"])
def test_paths_bytes_files_and_pil_images_give_the_same_pixels(tmp_path, size, form):
    path = tmp_path / "image"
    Image.fromarray(noise(size[1], size[0])).save(path, form)
    from_path = images.to_rgb(path)
    assert max(from_path.shape) <= 512
    np.testing.assert_array_equal(from_path, images.to_rgb(str(path)))
    content = path.read_bytes()
    for kind in (bytes, bytearray, memoryview, io.BytesIO, Pipe, Body):
        np.testing.assert_array_equal(from_path, images.to_rgb(kind(content)))
    with Image.open(path) as image:
        np.testing.assert_array_equal(from_path, images.to_rgb(image))
    with path.open("rb") as file:
        np.testing.assert_array_equal(from_path, images.to_rgb(file))


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
@pytest.mark.parametrize("function", [images.to_rgb, images.open_image])
def test_files_are_read_from_their_start_and_left_open(tmp_path, form, function):
    path = tmp_path / "image"
    Image.fromarray(noise(40, 30)).save(path, form)
    with path.open("rb") as file:
        for _ in range(2):
            file.seek(7)
            np.testing.assert_array_equal(function(file), function(path))
            assert find_hash(file) == find_hash(path)
            assert not file.closed


def test_bytes_of_a_memoryview_may_lie_apart():
    content = jpeg_bytes()
    doubled = bytes(byte for byte in content for _ in range(2))
    np.testing.assert_array_equal(images.to_rgb(memoryview(doubled)[::2]), images.to_rgb(content))


def test_files_that_return_no_bytes_are_refused(tmp_path):
    path = tmp_path / "image.jpg"
    path.write_bytes(jpeg_bytes())
    with path.open() as file, pytest.raises(TypeError, match="binary mode"):
        images.to_rgb(file)
    with pytest.raises(TypeError, match="StringIO"):
        images.to_rgb(io.StringIO("text"))
    with path.open("ab") as file, pytest.raises(OSError, match="read"):
        images.to_rgb(file)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("quality", [10, 75, 95])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 3}])
@pytest.mark.parametrize("size", [(64, 48), (33, 17), (1, 1), (700, 90)])
def test_jpegs_decode_to_the_pixels_of_pillow(mode, quality, subsampling, options, size):
    buffer = io.BytesIO()
    smooth = Image.fromarray(noise(12, 16)).resize(size, Image.Resampling.BICUBIC)
    smooth.convert(mode).save(buffer, "JPEG", quality=quality, subsampling=subsampling, **options)
    with Image.open(buffer) as image:
        small = image.copy()  # loads all pixels, so that thumbnail does not use draft mode
        small.thumbnail((512, 512))
        expected = np.asarray(small.convert("RGB"))
    np.testing.assert_array_equal(images.to_rgb(buffer.getvalue()), expected)


def test_ordinary_jpegs_are_decoded_without_pillow(monkeypatch):
    monkeypatch.setattr(Image, "open", None)
    assert images.to_rgb(jpeg_bytes(40, 50)).shape == (40, 50, 3)


def test_truncated_jpegs_are_accepted_only_if_pillow_accepts_them():
    whole = jpeg_bytes(90, 90)
    for length in range(10, len(whole), len(whole) // 40):
        try:
            with Image.open(io.BytesIO(whole[:length])) as image:
                image.load()
        except OSError:
            with pytest.raises(images.ImageError):
                images.to_rgb(whole[:length])
        else:
            np.testing.assert_array_equal(images.to_rgb(whole[:length]), np.asarray(image))


LARGE = [((1023, 700), 2), ((1022, 700), 1), ((500, 2044), 2), ((2045, 30), 4), ((4089, 9), 8)]
"""Sizes, and the divisor by which their luma is decoded."""


@pytest.mark.parametrize(("size", "scale"), LARGE)
def test_jpeg_luma_is_decoded_by_pillow_with_the_same_pixels(size, scale):
    buffer = io.BytesIO()
    Image.fromarray(noise(*size[::-1])).save(buffer, "JPEG")
    with Image.open(buffer) as image:
        image.draft("L", tuple(side // scale for side in size))
        assert image.size == tuple(-(-side // scale) for side in size)
        expected = np.asarray(thumbnail(image.copy()))
    np.testing.assert_array_equal(images.jpeg_luma(buffer.getvalue()), expected)


def test_luma_of_a_grey_jpeg_is_the_image():
    buffer = io.BytesIO()
    Image.fromarray(noise(700, 600)[:, :, 0]).save(buffer, "JPEG")
    rgb = images.to_rgb(buffer.getvalue())
    np.testing.assert_array_equal(images.jpeg_luma(buffer.getvalue()), rgb[:, :, 1])


def test_luma_of_a_file_is_that_of_its_bytes():
    content = jpeg_bytes(700, 600)
    with io.BytesIO(content) as file:
        np.testing.assert_array_equal(images.jpeg_luma(file), images.jpeg_luma(content))
        assert not file.closed


@pytest.mark.parametrize("form", ["PNG", "GIF", "TIFF"])
def test_only_jpegs_have_jpeg_luma(form):
    buffer = io.BytesIO()
    Image.fromarray(noise(20, 30)).save(buffer, form)
    assert images.jpeg_luma(buffer.getvalue()) is None
    assert images.jpeg_luma(noise(20, 30)) is None
    assert images.jpeg_luma(Image.fromarray(noise(20, 30))) is None
    assert images.jpeg_luma(jpeg_bytes(90, 90)[:2000]) is None


def test_array_is_returned_as_it_is():
    rgb = noise(30, 40)
    np.testing.assert_array_equal(images.to_rgb(rgb), rgb)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_pil_images_are_left_unchanged(mode):
    image = Image.fromarray(noise(700, 600)).convert(mode)
    before = image.copy()
    assert images.to_rgb(image).shape == (512, 439, 3)
    assert image == before


def test_reused_pixels_are_overwritten_and_others_are_not():
    first, second = jpeg_bytes(seed=1), jpeg_bytes(seed=2)
    kept = images.to_rgb(first)
    reused = images.to_rgb(first, reuse=True)
    np.testing.assert_array_equal(kept, reused)
    np.testing.assert_array_equal(images.to_rgb(second, reuse=True), reused)
    np.testing.assert_array_equal(images.to_rgb(first), kept)


def test_find_hash_and_find_hasher_agree_on_all_sources(tmp_path):
    path = VECTORS / "scene_250.png"
    with Image.open(path) as image:
        expected = str(find_hash(image))
        assert str(FINDHasher().fromImage(image)) == expected
    assert str(FINDHasher().fromFile(str(path))) == expected
    assert str(find_hash(path.read_bytes())) == expected
    assert len(expected) == 64


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", images.EmptyImageError),
        (b"this is not an image", images.NotAnImageError),
        (jpeg_bytes(200, 200)[:3000], images.DamagedImageError),
        (jpeg_bytes()[:20], images.NotAnImageError),
    ],
)
def test_unusable_content_raises_the_error_for_its_reason(tmp_path, content, error):
    path = tmp_path / "image.jpg"
    path.write_bytes(content)
    for source in (path, content, bytearray(content), io.BytesIO(content)):
        for kind in (error, images.ImageError, ValueError, OSError):
            with pytest.raises(kind) as raised:
                images.to_rgb(source)
            assert raised.type is error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (images.EmptyImageError, UnidentifiedImageError),
        (images.NotAnImageError, UnidentifiedImageError),
        (images.DamagedImageError, OSError),
        (images.ImageTooLargeError, Image.DecompressionBombError),
    ],
)
def test_errors_are_of_the_types_that_pillow_raises(error, kind):
    raised = pickle.loads(pickle.dumps(error("what is wrong; what to do")))
    assert isinstance(raised, kind)
    assert isinstance(raised, ValueError)
    assert isinstance(raised, OSError)
    assert str(raised) == "what is wrong; what to do"
    assert raised.errno is raised.strerror is None


def test_corrupt_png_is_damaged():
    buffer = io.BytesIO()
    Image.fromarray(noise(50, 50)).save(buffer, "PNG")
    broken = bytearray(buffer.getvalue())
    broken[100:140] = bytes(40)
    with pytest.raises(images.DamagedImageError):
        images.to_rgb(bytes(broken))


def test_image_without_pixels_is_empty():
    with pytest.raises(images.EmptyImageError):
        images.to_rgb(Image.new("RGB", (0, 5)))
    with pytest.raises(images.EmptyImageError):
        images.to_rgb(np.empty((0, 5, 3), np.uint8))


def test_image_beyond_the_pixel_limit_is_too_large(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(images.ImageTooLargeError):
        images.to_rgb(jpeg_bytes(60, 60))


def test_pixel_limit_holds_if_the_application_turns_warnings_into_errors(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 3000)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with pytest.raises(images.ImageTooLargeError):
            images.to_rgb(jpeg_bytes(60, 60))


def test_folders_missing_files_and_pipes_are_refused(tmp_path):
    with pytest.raises(IsADirectoryError):
        images.to_rgb(tmp_path)
    with pytest.raises(FileNotFoundError):
        images.to_rgb(tmp_path / "missing.jpg")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(images.NotAnImageError):
            images.to_rgb(tmp_path / "pipe")


@pytest.mark.parametrize("source", [None, 3, np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3))])
def test_wrong_type_or_shape_is_refused(source):
    with pytest.raises(TypeError):
        images.open_image(source)


def test_global_settings_of_pillow_are_unchanged():
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


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_as_their_exif_orientation_says(orientation):
    """Stored so that a viewer that honours the tag shows the image upright."""
    upright = Image.fromarray(noise(20, 30))
    stored = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    pixels = upright if orientation == 1 else upright.transpose(stored[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    for file_format in ("PNG", "WEBP"):
        file = io.BytesIO()
        pixels.save(file, file_format, exif=exif, lossless=True)
        shown = images.as_shown(file.getvalue())
        np.testing.assert_array_equal(shown, upright)
        np.testing.assert_array_equal(images.open_image(file.getvalue()), pixels)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_images_with_damaged_exif_data_are_as_stored():
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise(20, 30)).save(file, "JPEG", exif=exif)
    data = file.getvalue()
    place = data.index(b"Exif\0\0") + 6
    for at, wrong in ((0, b"XXXX"), (4, b"\xff\xff\xff\x7f"), (8, b"\xff\xff"), (10, b"\xff\xff")):
        damaged = data[: place + at] + wrong + data[place + at + len(wrong) :]
        assert images.as_shown(damaged).size in ((30, 20), (20, 30))
    assert images.as_shown(data).size == (20, 30)


def test_a_length_in_a_header_reserves_no_memory(tmp_path):
    path = tmp_path / "huge.jp2"
    box = (1).to_bytes(4) + b"jp2h" + (2**62).to_bytes(8)
    path.write_bytes(b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 \0\0\0\0jp2 " + box + bytes(50))
    for source in (path, path.read_bytes()):
        with pytest.raises(images.DamagedImageError):
            images.to_rgb(source)


@pytest.mark.parametrize("method", ["find", "dhash64", "ahash64"])
def test_a_missing_palette_is_damage(method):
    file = io.BytesIO()
    Image.radial_gradient("L").convert("P").save(file, "PNG", transparency=3)
    content = file.getvalue()
    start = content.index(b"PLTE") - 4
    end = start + 12 + int.from_bytes(content[start : start + 4])
    with pytest.raises(images.DamagedImageError, match="the palette is missing"):
        methods.get(method).hash(content[:start] + content[end:])


def test_wide_rows_are_read_in_one_block():
    file = io.BytesIO()
    Image.new("RGB", (16_000, 2)).save(file, "WEBP")
    assert images.open_image(file).decodermaxblock >= 4 * 16_000
