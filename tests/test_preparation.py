"""Transparency on a background, EXIF orientation, and what both change in a hash."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from finhash import images, methods
from finhash.images import headers
from finhash.preparation import AS_STORED, Preparation
from tests.conftest import jpeg_bytes, noise
from tests.images.test_decode import Body

FIND = methods.get("find")

APPLIED = Preparation(background="white", exif=True)


def soft(seed: int = 0) -> Image.Image:
    """Return an image of soft patches, 120 x 90."""
    return Image.fromarray(noise(7, 9, seed)).resize((120, 90), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def exif(orientation: int) -> Image.Exif:
    found = Image.Exif()
    found[0x010F] = "Maker"
    found[0x0112] = orientation
    return found


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """Return an image that this orientation turns upright again."""
    back = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    return image.transpose(back[orientation]) if orientation in back else image


def differing(first: object, second: object) -> int:
    """Return in how many bits the FINd hashes of two images differ."""
    return int(np.bitwise_count(FIND.hash(first) ^ FIND.hash(second)).sum())


@pytest.mark.parametrize(
    ("given", "kept"),
    [("white", "#ffffff"), ("#FA0", "#ffaa00"), ("rgb(1, 2, 3)", "#010203"), ("#01020304", None)],
)
def test_colours_are_kept_as_hexadecimal_digits_and_must_be_opaque(given, kept):
    if kept:
        assert Preparation(given) == Preparation(kept)
        assert Preparation(given).background == kept
    else:
        with pytest.raises(ValueError, match="background is '#01020304', which is transparent"):
            Preparation(given)


@pytest.mark.parametrize("colour", ["wite", "", "#12", "none"])
def test_a_wrong_colour_is_named(colour):
    with pytest.raises(ValueError, match=f"background is '{colour}', which is no colour: pass"):
        Preparation(colour)


@pytest.mark.parametrize("values", [(7, False), (None, "yes"), (None, 1)])
def test_values_of_other_types_are_refused(values):
    with pytest.raises(TypeError, match=r"is (7|'yes'|1); pass"):
        Preparation(*values)


def test_a_preparation_says_what_it_does():
    assert str(AS_STORED) == "no preparation"
    assert str(APPLIED) == "background #ffffff and EXIF orientation applied"


@pytest.mark.parametrize("preparation", [AS_STORED, APPLIED])
def test_a_source_to_which_nothing_applies_is_returned_itself(tmp_path, preparation):
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg_bytes())
    late = encoded(soft())
    late = late[:-12] + chunk(b"tEXt", b"Comment\0none") + late[-12:]
    sources = [
        *(path, str(path), jpeg_bytes(), noise(9, 9), soft(), soft().convert("P")),
        *(encoded(soft()), late, encoded(soft(), "GIF"), encoded(soft(), "WEBP")),
        encoded(soft(), "JPEG", exif=exif(1)),
        encoded(soft(), "TIFF", exif=exif(6)),
    ]
    for source in sources:
        assert preparation.apply(source) is source


def test_an_open_file_that_can_be_read_once_is_read_once():
    class Once(io.RawIOBase):
        def __init__(self) -> None:
            self.content = jpeg_bytes()

        def read(self, size: int = -1) -> bytes:
            content, self.content = self.content, b""
            return content

    assert APPLIED.apply(Once()) == jpeg_bytes()


def test_an_object_that_can_only_be_read_is_read_once():
    assert APPLIED.apply(Body(jpeg_bytes())) == jpeg_bytes()
    turned = encoded(soft(), "JPEG", exif=exif(6))
    assert APPLIED.apply(Body(turned)).size == (90, 120)


def test_a_source_of_another_type_is_refused():
    with pytest.raises(TypeError, match="cannot read an image from int"):
        APPLIED.apply(5)
    with pytest.raises(images.NotAnImageError):
        APPLIED.apply(b"plain text")
    with pytest.raises(FileNotFoundError):
        APPLIED.apply("missing.jpg")


# Transparency.


def see_through(mode: str) -> Image.Image:
    """Return an image of a mode whose transparency rises from left to right, or is a colour."""
    alpha = Image.fromarray(np.tile(np.linspace(0, 255, 120).astype(np.uint8), (90, 1)))
    image = soft()
    if mode in ("RGB", "L", "P", "1"):
        image = image.convert("L").quantize(16) if mode == "P" else image.convert(mode)
        pixel = image.getpixel((60, 45))
        image.info["transparency"] = pixel
        return image
    image = image.convert({"LA": "L", "La": "L", "PA": "P"}.get(mode, "RGB"))
    image = image.convert("PA") if mode == "PA" else image
    image.putalpha(alpha)
    return image.convert(mode)


@pytest.mark.parametrize("mode", ["LA", "La", "PA", "RGBA", "RGBa", "RGB", "L", "P", "1"])
def test_transparent_images_of_every_mode_are_composed_on_the_background(mode):
    image = see_through(mode)
    before = image.tobytes()
    prepared = Preparation(background="#20c040").apply(image)
    assert (prepared.mode, prepared.size) == ("RGB", image.size)
    rgba = np.asarray((image.convert("LA") if mode == "La" else image).convert("RGBA"), float)
    share = rgba[:, :, 3:] / 255
    assert 0 <= share.min() < share.max() == 1
    expected = rgba[:, :, :3] * share + np.array([0x20, 0xC0, 0x40]) * (1 - share)
    assert np.abs(np.asarray(prepared, float) - expected).max() <= 1
    assert image.tobytes() == before


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "TIFF", "ICO"])
def test_transparent_files_are_composed_on_the_background(kind):
    image = soft().resize((64, 48)).convert("RGBA")
    image.paste((0, 0, 0, 0), (16, 12, 48, 36))
    data = encoded(image, kind)
    prepared = Preparation(background="yellow").apply(data)
    middle = prepared.getpixel((prepared.width // 2, prepared.height // 2))
    assert (prepared.mode, middle) == ("RGB", (255, 255, 0))


def test_a_transparent_grey_level_of_16_bits_is_left_alone():
    image = Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8))
    image.info["transparency"] = 9
    assert APPLIED.apply(image) is image


def test_colours_under_full_transparency_count_unless_there_is_a_background():
    files = []
    for seed in (1, 2):
        image = soft(0).convert("RGBA")
        hidden = soft(seed).convert("RGBA")
        hidden.putalpha(0)
        image.paste(hidden.crop((0, 0, 120, 45)), (0, 0))
        files.append(encoded(image))
    assert differing(*files) > 72
    for colour in ("white", "black"):
        assert differing(*map(Preparation(background=colour).apply, files)) == 0


def test_16_bit_grey_is_clipped_to_white_and_unlike_its_8_bit_twin():
    grey = np.asarray(soft().convert("L"))
    wide = encoded(Image.fromarray(grey.astype(np.uint16) * 257))
    twin = encoded(Image.fromarray(grey))
    assert Image.open(io.BytesIO(wide)).mode == "I;16"
    assert (images.to_rgb(wide) == 255).mean() > 0.99
    assert differing(wide, twin) > 72


# EXIF orientation.


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_as_their_exif_orientation_says(kind, orientation):
    options = {"quality": 95} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    upright = soft()
    stored = turned(upright, orientation)
    data = encoded(stored, kind, exif=exif(orientation), **options)
    assert images.orientation(data) == orientation
    prepared = Preparation(exif=True).apply(data)
    if orientation == 1:
        assert prepared is data
    else:
        assert prepared.size == upright.size
        shown = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
        assert np.array_equal(np.asarray(prepared), np.asarray(shown))
        assert images.orientation(prepared) is None
    far = differing(data, upright)
    assert far > 60 if orientation > 1 else far <= 8
    assert differing(prepared, upright) <= (0 if kind != "JPEG" else 8)
    pil = Image.open(io.BytesIO(data))
    assert images.orientation(pil) == orientation


def test_pillow_turns_tiffs_itself():
    data = encoded(turned(soft(), 6), "TIFF", exif=exif(6))
    assert images.orientation(data) is None
    assert differing(data, soft()) == 0


def test_a_turned_transparent_image_is_turned_and_composed():
    image = soft().convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 60, 45))
    data = encoded(turned(image, 6), exif=exif(6))
    prepared = APPLIED.apply(data)
    assert (prepared.mode, prepared.size) == ("RGB", (120, 90))
    assert prepared.getpixel((5, 5)) == (255, 255, 255)
    assert prepared.getpixel((100, 80)) == image.convert("RGB").getpixel((100, 80))


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG."""
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


def test_exif_data_after_the_pixels_of_a_png_are_found():
    data = encoded(soft())
    late = data[:-12] + chunk(b"eXIf", exif(3).tobytes()[6:]) + data[-12:]
    assert images.orientation(late) == 3
    with images.collected_headers() as collected:
        images.to_rgb(late)
    assert collected[0].orientation == 3


def segment(content: bytes) -> bytes:
    """Return the segment APP1 of a JPEG."""
    return b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content


XMP = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta><rdf tiff:Orientation=%s/></x:xmpmeta>"


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data", "ignore:Truncated File Read")
@pytest.mark.parametrize(
    ("segments", "orientation"),
    [
        (b"", None),
        (segment(exif(6).tobytes()), 6),
        (b"\xff\xff\xff" + segment(exif(6).tobytes()), 6),
        (segment(b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0\0\0\0\0"), 8),
        (segment(b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x05\0\0\0\0\0\0\0"), 5),
        (segment(exif(0).tobytes()), None),
        (segment(exif(9).tobytes()), None),
        (segment(exif(60000).tobytes()), None),
        (segment(b"Exif\0\0II*\0\xff\xff"), None),
        (segment(b"Exif\0\0"), None),
        (segment(b"Exif\0\0" + b"\xff" * 60), None),
        (segment(b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>"), None),
        (segment(XMP % b'"7"'), 7),
        (segment(XMP % b'"7"') + segment(exif(2).tobytes()), 2),
        (segment(XMP % b'"3"') + segment(Image.Exif().tobytes()), 3),
    ],
)
def test_the_orientation_of_a_jpeg_is_what_pillow_finds(segments, orientation, tmp_path):
    plain = jpeg_bytes()
    data = plain[:2] + segments + plain[2:]
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    assert images.orientation(data) == images.orientation(path) == orientation
    assert headers.orientation_of(Image.open(path)) == orientation
    for decode in (images.to_rgb, images.open_image):
        with images.collected_headers() as collected:
            decode(path)
        assert collected == [images.Header(60, 60, "JPEG", orientation)]
    prepared = Preparation(exif=True).apply(path)
    assert (prepared is path) == (orientation is None)


def test_a_segment_beyond_the_first_bytes_of_a_jpeg_is_found():
    plain = jpeg_bytes()
    comment = b"\xff\xfe\xff\xff" + bytes(0xFFFD)
    data = plain[:2] + 3 * comment + segment(exif(6).tobytes()) + plain[2:]
    assert images.orientation(data) == 6


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data", "ignore:Truncated File Read")
def test_cut_jpegs_have_an_orientation_or_none():
    data = encoded(soft(), "JPEG", exif=exif(6))
    found = {images.orientation(data[:length]) for length in range(3, 400)}
    assert found == {None, 6}


# The limit on pixels.


def bomb(cols: int, rows: int) -> bytes:
    """Return a PNG whose header claims a size that its pixels do not have."""
    data = encoded(soft())
    head = struct.pack(">II", cols, rows) + data[24:29]
    return data[:8] + chunk(b"IHDR", head) + data[33:]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("decode", [images.to_rgb, images.open_image, images.as_shown])
def test_larger_images_than_the_limit_are_not_decoded(kind, decode):
    data = encoded(soft(), kind)
    with images.pixel_limit(120 * 90):
        decode(data)
        with images.pixel_limit(120 * 90 - 1):
            message = "120 x 90 pixels are more than max_pixels=10799; raise max_pixels if"
            with pytest.raises(images.ImageTooLargeError, match=message):
                decode(data)
            assert images.jpeg_luma(data) is None
            decode(soft())
        decode(data)
    decode(data)


def test_the_limit_is_checked_before_pixels_are_decoded():
    with images.pixel_limit(10**7), images.collected_headers() as collected:
        with pytest.raises(images.ImageTooLargeError, match="9000 x 9000 pixels are more than"):
            images.to_rgb(bomb(9000, 9000))
        assert collected == [images.Header(9000, 9000, "PNG")]
    with images.pixel_limit(10**7), pytest.raises(images.ImageTooLargeError, match="MAX_IMAGE"):
        images.to_rgb(bomb(30000, 30000))


def test_no_preparation_decodes_a_larger_image(tmp_path):
    path = Path(tmp_path, "a.png")
    path.write_bytes(bomb(9000, 9000))
    with images.pixel_limit(10**7), pytest.raises(images.ImageTooLargeError):
        APPLIED.apply(path)
