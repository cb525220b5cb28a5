"""A corpus of odd files, and a table of what happens to each kind.

``python -m tests.odd_files FOLDER`` writes the corpus, and ``python -m tests.odd_files --table
docs/inputs.md`` replaces the table in that document.
"""

import contextlib
import os
import re
import shutil
import socket
import struct
import tempfile
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageOps, ImageSequence, features

from finhash.find.thumbnail import thumbnail
from finhash.jobs.folders import image_files
from finhash.methods import METHODS, Method
from tests.odd_formats import (
    ORIENTATION,
    animated,
    chunk,
    deep,
    encoded,
    fits,
    grey,
    large_png,
    oriented,
    palette,
    patched,
    png,
    psd,
    resized_header,
    scene,
    subsampled,
    sun,
    tenths,
    tiff,
    with_opacity,
    xpm,
)

Content = bytes | Callable[[Path], object]
"""Content of a file, or a function that creates another entry of a folder at a path."""

Files = Iterator[tuple[str, Content]]
"""Names and contents."""

MEGAPIXELS_81 = (40_500, 2_000)
"""Columns and rows of an image below Pillow's limits."""

MEGAPIXELS_144 = (48_000, 3_000)
"""Columns and rows of an image for which Pillow warns."""

MEGAPIXELS_4290 = (65_500, 65_500)
"""Columns and rows of the largest JPEG."""

NOBODY = 65_534
"""Number of a user without rights."""


@dataclass(frozen=True)
class Kind:
    """Files that are treated alike."""

    title: str
    """Words for the table."""

    hashed: str
    """What the methods hash: a key of ``HASHED``."""

    files: Callable[[], Files]
    """Function that yields the files."""

    available: Callable[[], bool]
    """Function that says whether the files can be made and decoded here."""

    large: bool
    """Whether there are so many pixels that only some methods are tried."""

    @property
    def methods(self) -> list[Method]:
        """Methods that are tried."""
        return [METHODS[name] for name in (("find", "ahash64") if self.large else METHODS)]


KINDS: list[Kind] = []
"""All kinds, in the order of the table."""


def _opened(path: Path) -> Image.Image:
    """Return the image as Pillow decodes it."""
    image = Image.open(path)
    image.load()
    return image


def _first_frame(path: Path) -> Image.Image:
    """Return the first frame."""
    return next(ImageSequence.Iterator(Image.open(path))).copy()


def _colours(path: Path) -> Image.Image:
    """Return the colours without their opacity; large images are shrunk with it."""
    image = thumbnail(_opened(path))
    if image.mode == "P":
        colours = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
        return Image.fromarray(colours[np.asarray(image)])
    bands = image.split()
    return Image.merge("RGB", bands[:3] if len(bands) >= 3 else bands[:1] * 3)


def _high_bytes(path: Path) -> Image.Image:
    """Return the scene, whose files of 16 bits have other low bytes."""
    image = scene()
    return image.convert("L") if "grey" in path.name else image


def _clipped(path: Path) -> Image.Image:
    """Return the values, those above 255 as 255 and those below 0 as 0."""
    return Image.fromarray(np.clip(np.asarray(_opened(path)), 0, 255).astype(np.uint8))


def _turned(path: Path) -> Image.Image:
    """Return the scene, turned as the number in the file's name says."""
    image = scene()
    image.getexif()[ORIENTATION] = int(path.stem)
    return ImageOps.exif_transpose(image)


HASHED: dict[str, Callable[[Path], Image.Image]] = {
    "image": _opened,
    "image; Pillow fills the missing rows with grey": _opened,
    "first frame": _first_frame,
    "colours; transparency is dropped": _colours,
    "pixels as stored; orientation is ignored": _opened,
    "image, rotated by Pillow's reader": _turned,
    "high byte of each value": _high_bytes,
    "values; above 255 is white, below 0 black": _clipped,
    "–": _opened,
}
"""What is hashed: the words of the table, and operations that give the same image."""


def _kind(
    title: str,
    hashed: str = "image",
    available: Callable[[], bool] = lambda: True,
    *,
    large: bool = False,
) -> Callable[[Callable[[], Files]], Callable[[], Files]]:
    """Add a kind of files to ``KINDS``."""

    def add(files: Callable[[], Files]) -> Callable[[], Files]:
        KINDS.append(Kind(title, hashed, files, available, large))
        return files

    return add


def _has(*names: str) -> Callable[[], bool]:
    """Return a function that says whether Pillow has these features."""
    return lambda: all(map(features.check, names))


@_kind("JPEG in colour or grey: baseline, progressive, every subsampling and quality")
def _jpeg() -> Files:
    for subsampling in ("444", "422", "420", "440", "411"):
        yield f"{subsampling}.jpg", subsampled(subsampling)
    for quality in (5, 50, 100):
        yield f"quality {quality}.jpg", encoded(scene(), "JPEG", quality=quality, optimize=True)
    for mode in ("L", "RGB"):
        yield f"{mode}.jpg", encoded(scene().convert(mode), "JPEG")
        yield f"progressive {mode}.jpg", encoded(scene().convert(mode), "JPEG", progressive=True)
    # Factors of the only component have no effect.
    yield (
        "grey factors.jpg",
        patched(encoded(scene(88, 56).convert("L"), "JPEG"), b"\xff\xc0", 11, b"\x22"),
    )


@_kind("JPEG in CMYK or YCCK, inverted, as Adobe writes them; JPEG in RGB")
def _jpeg_spaces() -> Files:
    for name, content in (
        ("cmyk", encoded(scene().convert("CMYK"), "JPEG")),
        ("progressive", encoded(scene().convert("CMYK"), "JPEG", progressive=True)),
        ("rgb", encoded(scene(), "JPEG", keep_rgb=True)),
    ):
        yield f"{name}.jpg", content
        yield f"{name} unmarked.jpg", content.replace(b"Adobe", b"other")
    yield "ycck.jpg", simplejpeg.encode_jpeg(np.asarray(scene().convert("CMYK")), 85, "CMYK")


@_kind("JPEG with restart markers, comment, ICC profile, fill bytes, or missing tables or JFIF")
def _jpeg_segments() -> Files:
    whole = encoded(scene(), "JPEG")
    length = struct.unpack(">H", whole[4:6])[0]
    yield "restart.jpg", encoded(scene(), "JPEG", restart_marker_blocks=2)
    yield "comment.jpg", encoded(scene(), "JPEG", comment=b"comment")
    yield "profile.jpg", encoded(scene(), "JPEG", icc_profile=b"profile" * 20_000)
    yield "fill.jpg", whole[:2] + b"\xff\xff\xff" + whole[2:]
    yield "no jfif.jpg", whole[:2] + whole[4 + length :]
    yield "no tables.jpg", whole.replace(b"\xff\xc4", b"\xff\xe4")


@_kind("JPEG with other bytes, or another JPEG, after its end marker")
def _jpeg_trailing() -> Files:
    whole = encoded(scene(), "JPEG")
    yield "zeros.jpg", whole + bytes(1000)
    yield "text.jpg", whole + b"text\n" * 200
    yield "two.jpg", whole + encoded(scene(64, 64), "JPEG")


@_kind(
    "JPEG, PNG, WebP with EXIF orientation 1 to 8",
    "pixels as stored; orientation is ignored",
    _has("webp"),
)
def _exif() -> Files:
    for form in ("JPEG", "PNG", "WEBP"):
        for orientation, content in oriented(form):
            yield f"{orientation}.{form.lower()}", content


@_kind("JPEG with damaged EXIF data", "pixels as stored; orientation is ignored")
def _exif_damaged() -> Files:
    content = dict(oriented("JPEG"))[6]
    for offset in (6, 10, 14, 16, 18):
        yield f"{offset}.jpg", patched(content, b"Exif\0\0", offset, b"\xff\xff")
    yield "9.jpg", patched(content, struct.pack(">H", ORIENTATION), 8, b"\0\x09")


@_kind("JPEG cut off after one to nine tenths, or without its end marker", "–")
def _jpeg_cut() -> Files:
    for name, options in (("baseline", {}), ("progressive", {"progressive": True})):
        whole = encoded(scene(), "JPEG", **options)
        yield f"{name} without end.jpg", whole[:-2]
        for tenth, content in tenths(whole):
            yield f"{name} {tenth}.jpg", content


@_kind("JPEG with other bytes before its start marker; of height 0; of 12 bits; lossless", "–")
def _jpeg_impossible() -> Files:
    whole = encoded(scene(), "JPEG")
    yield "newline.jpg", b"\n" + whole
    yield "zeros.jpg", bytes(8) + whole
    yield "12 bits.jpg", patched(whole, b"\xff\xc0", 4, b"\x0c")
    yield "lossless.jpg", patched(whole, b"\xff\xc0", 1, b"\xc3")
    yield "height 0.jpg", resized_header(whole, 90, 0)
    yield "five components.jpg", patched(whole, b"\xff\xc0", 9, b"\x05")


@_kind(
    "JPEG of 2 KB whose header says 81 megapixels",
    "image; Pillow fills the missing rows with grey",
    large=True,
)
def _jpeg_81() -> Files:
    yield "81.jpg", resized_header(encoded(scene(), "JPEG"), *MEGAPIXELS_81)


@_kind("JPEG, PNG of a few KB whose header says 4,290 megapixels", "–")
def _bombs() -> Files:
    yield "4290.jpg", resized_header(encoded(scene(), "JPEG"), *MEGAPIXELS_4290)
    yield "4290.png", png(grey(8), 8, 0, size=MEGAPIXELS_4290)


@_kind("PNG in grey, RGB or with palette, of 1 to 8 bits, also interlaced")
def _png() -> Files:
    yield "rgb.png", encoded(scene(), "PNG")
    yield "profile.png", encoded(scene(), "PNG", icc_profile=b"profile")
    yield "interlaced.png", png(np.asarray(scene()), 8, 2, interlaced=True)
    for depth in (1, 2, 4, 8):
        yield f"grey {depth}.png", png(grey(depth), depth, 0)
        yield f"grey interlaced {depth}.png", png(grey(depth), depth, 0, interlaced=True)
        yield f"palette {depth}.png", png(grey(depth), depth, 3, extra=palette(depth))


@_kind("PNG without its last chunk, or with other bytes after it")
def _png_end() -> Files:
    whole = encoded(scene(), "PNG")
    yield "no end.png", whole[:-12]
    yield "text.png", whole + b"text\n" * 200
    yield "two.png", whole + whole


@_kind("PNG cut off after one to nine tenths", "–")
def _png_cut() -> Files:
    for tenth, content in tenths(encoded(scene(), "PNG")):
        yield f"{tenth}.png", content


@_kind("PNG with a wrong checksum, of width 0, or with a text of 10 MB in 10 KB", "–")
def _png_wrong() -> Files:
    whole = encoded(scene(), "PNG")
    yield "checksum.png", patched(whole, b"IDAT", 8, b"\0\0\0\0")
    yield "header.png", patched(whole, b"IHDR", 17, b"\0\0\0\0")
    yield "width 0.png", png(grey(8), 8, 0, size=(0, 60))
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(10**7), 9))
    yield "text.png", png(grey(8), 8, 0, extra=text)


@_kind("PNG of 10 KB with 81 megapixels", large=True)
def _png_81() -> Files:
    yield "81.png", large_png(*MEGAPIXELS_81)


@_kind("PNG of 20 KB with 144 megapixels, which makes Pillow warn", large=True)
def _png_144() -> Files:
    yield "144.png", large_png(*MEGAPIXELS_144)


@_kind("PNG of 4 KB whose header says 81 megapixels", "–", large=True)
def _png_81_header() -> Files:
    yield "81.png", png(grey(8), 8, 0, size=MEGAPIXELS_81)


@_kind("GIF, also interlaced")
def _gif() -> Files:
    yield "grey.gif", encoded(scene().convert("L"), "GIF")
    yield "palette.gif", encoded(scene().quantize(32), "GIF")
    yield "interlaced.gif", encoded(scene().quantize(32), "GIF", interlace=1)


@_kind("GIF cut off after one to nine tenths", "–")
def _gif_cut() -> Files:
    for tenth, content in tenths(encoded(scene().quantize(32), "GIF")):
        yield f"{tenth}.gif", content


@_kind(
    "animated GIF, PNG, WebP; TIFF of several pages; MPO, several JPEGs in one file",
    "first frame",
    _has("webp"),
)
def _animated() -> Files:
    yield "three.gif", animated("GIF", duration=100)
    yield "disposal.gif", animated("GIF", duration=100, disposal=2)
    yield "three.png", animated("PNG", duration=100)
    yield "three.apng", animated("PNG", duration=100)
    yield "still.png", animated("PNG", default_image=True)
    yield "three.webp", animated("WEBP", duration=100)
    yield "three.tif", animated("TIFF")
    yield "three.mpo", animated("MPO")
    yield "three.jpg", animated("MPO")


@_kind(
    "BMP, BLP, DDS, PNG, QOI, SGI, TGA, TIFF with alpha channel; GIF, PNG with transparent colour",
    "colours; transparency is dropped",
)
def _opacity() -> Files:
    for form in ("BMP", "DDS", "PNG", "QOI", "SGI", "TGA", "TIFF"):
        yield f"rgba.{form.lower()}", encoded(with_opacity(scene()), form)
    for form in ("PNG", "TIFF"):
        yield f"grey.{form.lower()}", encoded(with_opacity(scene().convert("L")), form)
    opacity = chunk(b"tRNS", bytes(range(256)))
    yield "palette.png", png(grey(8), 8, 3, extra=palette(8) + opacity)
    yield "palette.blp", encoded(with_opacity(scene()).quantize(64), "BLP", blp_version="BLP2")
    yield "colour.png", encoded(scene(), "PNG", transparency=(230, 40, 90))
    yield "level.png", encoded(scene().convert("L"), "PNG", transparency=100)
    yield "colour.gif", encoded(scene().quantize(32), "GIF", transparency=3)


@_kind("WebP, lossy or lossless", available=_has("webp"))
def _webp() -> Files:
    yield "lossy.webp", encoded(scene(), "WEBP")
    yield "lossless.webp", encoded(scene(), "WEBP", lossless=True)


@_kind("WebP with an alpha channel", "colours; transparency is dropped", _has("webp"))
def _webp_opacity() -> Files:
    yield "lossy.webp", encoded(with_opacity(scene()), "WEBP")
    yield "lossless.webp", encoded(with_opacity(scene()), "WEBP", lossless=True, exact=True)


@_kind(
    "WebP cut off after one to nine tenths",
    "–",
    _has("webp"),
)
def _webp_cut() -> Files:
    for tenth, content in tenths(encoded(scene(), "WEBP")):
        yield f"{tenth}.webp", content


AVIF = {"speed": 10, "max_threads": 1}
"""Options that make encoding fast and its result the same everywhere."""


@_kind("AVIF", available=_has("avif"))
def _avif() -> Files:
    for subsampling in ("4:4:4", "4:2:2", "4:2:0", "4:0:0"):
        content = encoded(scene(), "AVIF", subsampling=subsampling, **AVIF)
        yield f"{subsampling.replace(':', '')}.avif", content


@_kind("AVIF with an alpha channel", "colours; transparency is dropped", _has("avif"))
def _avif_opacity() -> Files:
    yield "rgba.avif", encoded(with_opacity(scene()), "AVIF", **AVIF)


@_kind("AVIF, animated", "first frame", _has("avif"))
def _avif_animated() -> Files:
    yield "three.avif", animated("AVIF", duration=100, **AVIF)


@_kind("AVIF with orientation 1 to 8", "pixels as stored; orientation is ignored", _has("avif"))
def _avif_oriented() -> Files:
    for orientation, content in oriented("AVIF", **AVIF):
        yield f"{orientation}.avif", content


@_kind("JPEG 2000 in RGB or grey", available=_has("jpg_2000"))
def _jpeg2000() -> Files:
    yield "rgb.jp2", encoded(scene(), "JPEG2000")
    yield "grey.jp2", encoded(scene().convert("L"), "JPEG2000")
    yield "lossy.j2k", encoded(scene(), "JPEG2000", irreversible=True, no_jp2=True)


@_kind("JPEG 2000 with an alpha channel", "colours; transparency is dropped", _has("jpg_2000"))
def _jpeg2000_opacity() -> Files:
    yield "rgba.jp2", encoded(with_opacity(scene()), "JPEG2000")
    yield "grey.jp2", encoded(with_opacity(scene().convert("L")), "JPEG2000")


@_kind(
    "JPEG 2000 in grey of 16 bits",
    "values; above 255 is white, below 0 black",
    _has("jpg_2000"),
)
def _jpeg2000_deep() -> Files:
    yield "bright.jp2", encoded(Image.fromarray(grey(16)), "JPEG2000")
    yield "dark.jp2", encoded(Image.fromarray(grey(8)), "JPEG2000")


@_kind("TIFF in grey, RGB or CMYK: LZW, deflate, PackBits, JPEG, CCITT; big-endian; planes")
def _tiff() -> Files:
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        yield f"{compression}.tif", encoded(scene(), "TIFF", compression=compression)
    for compression in ("group3", "group4"):
        content = encoded(scene().convert("1"), "TIFF", compression=compression)
        yield f"{compression}.tif", content
    yield "cmyk.tif", encoded(scene().convert("CMYK"), "TIFF")
    yield "big endian.tif", tiff(np.asarray(scene()), 2)
    yield "big endian cmyk.tif", tiff(np.asarray(scene().convert("CMYK")), 5)
    yield "planes.tif", tiff(np.asarray(scene()), 2, planar=True)


@_kind("TIFF in CIE L\\*a\\*b\\*")
def _tiff_lab() -> Files:
    yield "lab.tif", tiff(np.asarray(scene()), 8)


@_kind("TIFF with orientation 1 to 8", "image, rotated by Pillow's reader")
def _tiff_oriented() -> Files:
    for orientation, content in oriented("TIFF"):
        yield f"{orientation}.tif", content


@_kind("TIFF cut off after one to nine tenths", "–")
def _tiff_cut() -> Files:
    for compression in ("raw", "tiff_lzw"):
        for tenth, content in tenths(encoded(scene(), "TIFF", compression=compression)):
            yield f"{compression} {tenth}.tif", content


@_kind("PNG, TIFF in RGB or with an alpha channel, of 16 bits", "high byte of each value")
def _deep() -> Files:
    yield "rgb.png", png(deep(scene()), 16, 2)
    yield "rgba.png", png(deep(with_opacity(scene())), 16, 6)
    yield "grey.png", png(deep(with_opacity(scene().convert("L"))), 16, 4)
    yield "rgb.tif", tiff(deep(scene()), 2)


@_kind(
    "PNG, TIFF, PGM in grey of 16 or 32 bits; TIFF, PFM of floats",
    "values; above 255 is white, below 0 black",
)
def _deep_grey() -> Files:
    yield "bright.png", png(grey(16), 16, 0)
    yield "dark.png", png(grey(8), 16, 0)
    yield "dark.pgm", encoded(Image.fromarray(grey(8) * 2), "PPM")
    yield "floats.pfm", encoded(Image.fromarray(grey(8).astype(np.float32) * 2), "PPM")
    for kind in ("<u2", ">u2", "<i4", "<f4"):
        values = Image.fromarray((grey(8) * 2).astype(kind))
        yield f"{kind[1:]} {'big' if kind[0] == '>' else 'little'}.tif", encoded(values, "TIFF")
    negative = Image.fromarray(grey(8).astype(np.float32) - 100)
    yield "negative.tif", encoded(negative, "TIFF")


@_kind(
    "PNG, TIFF in grey of 16 bits with a side of 2,048 pixels or more",
    "values; above 255 is white, below 0 black",
)
def _deep_large() -> Files:
    values = np.asarray(scene(2_048, 40).convert("L"), np.uint16)
    yield "large.png", png(values, 16, 0)
    yield "large.tif", encoded(Image.fromarray(values), "TIFF")


@_kind("BMP, DIB, PBM, PGM, PPM, TGA of 1, 8, 24 bits")
def _bitmaps() -> Files:
    for mode in ("1", "L", "P", "RGB"):
        for form in ("BMP", "DIB", "TGA"):
            yield f"{mode}.{form.lower()}", encoded(scene().convert(mode), form)
    yield "compressed.tga", encoded(scene(), "TGA", compression="tga_rle")
    for mode, extension in (("1", "pbm"), ("L", "pgm"), ("RGB", "ppm")):
        yield f"{mode}.{extension}", encoded(scene().convert(mode), "PPM")
    numbers = " ".join(map(str, np.asarray(scene(20, 10)).ravel()))
    yield "text.ppm", f"P3\n# comment\n20 10 255\n{numbers}\n".encode()


@_kind("ICO, ICNS, CUR; Pillow takes the largest icon", "colours; transparency is dropped")
def _icons() -> Files:
    square = with_opacity(scene(64, 64))
    yield "icon.ico", encoded(square, "ICO", sizes=[(16, 16), (64, 64)])
    bitmap = encoded(square, "ICO", sizes=[(32, 32)], bitmap_format="bmp")
    yield "bitmap.ico", bitmap
    yield "cursor.cur", bitmap[:2] + b"\x02" + bitmap[3:]
    yield "icon.icns", encoded(square, "ICNS")


@_kind("DCX, DDS, FITS, IM, MSP, PCX, PSD, QOI, SGI, Sun, XBM, XPM")
def _others() -> Files:
    for form in ("DDS", "IM", "PCX", "QOI", "SGI"):
        yield f"rgb.{form.lower()}", encoded(scene(), form)
    for form in ("MSP", "XBM"):
        yield f"bits.{form.lower()}", encoded(scene().convert("1"), form)
    yield "one.dcx", struct.pack("<III", 987654321, 12, 0) + encoded(scene(), "PCX")
    yield "bits.xpm", xpm(scene().convert("1"))
    yield "grey.fits", fits(np.asarray(scene().convert("L")))
    yield "rgb.psd", psd(scene())
    yield "rgb.ras", sun(scene())


@_kind("SPIDER (not recognizable by extension or first bytes)")
def _spider() -> Files:
    yield "float.spider", encoded(scene().convert("F"), "SPIDER")


@_kind("EPS, without Ghostscript", "–", lambda: shutil.which("gs") is None)
def _eps() -> Files:
    yield "rgb.eps", encoded(scene(), "EPS")


@_kind("MPEG, WMF (Pillow recognizes but does not decode them)", "–", lambda: os.name == "posix")
def _recognized() -> Files:
    yield "film.mpg", b"\0\0\x01\xb3" + bytes([16, 1, 0x20, 0x13]) + bytes(100)
    placeable = struct.pack("<IHhhhhH", 0x9AC6CDD7, 0, 0, 0, 90, 60, 96)
    yield "drawing.wmf", placeable + bytes(6) + b"\x01\0\t\0" + bytes(100)


@_kind("HEIC, JPEG XL, PALM, PDF, SVG (unknown to Pillow)", "–")
def _unknown() -> Files:
    yield "photo.heic", struct.pack(">I4s4sI4s", 20, b"ftyp", b"heic", 0, b"mif1") + bytes(200)
    yield "photo.jxl", b"\xff\x0a" + bytes(200)
    yield "bits.palm", encoded(scene().convert("1"), "PALM")
    yield "page.pdf", b"%PDF-1.4\n%%EOF\n"
    yield "drawing.svg", b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'


@_kind("1 x 1, 1 x N and N x 1 pixels")
def _tiny() -> Files:
    for cols, rows in ((1, 1), (1, 2), (2, 1), (1, 100), (100, 1), (1, 512), (512, 1)):
        yield f"{cols} x {rows}.png", encoded(scene(cols, rows), "PNG")
        yield f"{cols} x {rows}.jpg", encoded(scene(cols, rows), "JPEG")


@_kind("sides of 63 to 65 and 511 to 513 pixels")
def _borders() -> Files:
    for side in (63, 64, 65, 511, 512, 513):
        yield f"{side}.png", encoded(scene(side, 64), "PNG")
        yield f"{side}.jpg", encoded(scene(64, side), "JPEG")


@_kind("20,000 x 1 and 1 x 20,000 pixels")
def _long() -> Files:
    for cols, rows in ((20_000, 1), (1, 20_000)):
        yield f"{cols} x {rows}.png", encoded(scene(cols, rows), "PNG")
        yield f"{cols} x {rows}.jpg", encoded(scene(cols, rows), "JPEG")


@_kind("the extension of another format, of text, or none")
def _wrong_extensions() -> Files:
    jpeg = encoded(scene(), "JPEG")
    yield "png.jpg", encoded(scene(), "PNG")
    yield "png", encoded(scene(), "PNG")
    yield "jpeg.png", jpeg
    yield "jpeg.heic", jpeg
    yield "jpeg.txt", jpeg
    yield "upper case.JPG", jpeg


@_kind("zero bytes, with the extension of an image", "–")
def _empty() -> Files:
    yield "empty.jpg", b""
    yield "empty.png", b""


@_kind("text, HTML, ZIP, random bytes, or one byte, with the extension of an image", "–")
def _no_images() -> Files:
    yield "text.jpg", b"this is not an image\n"
    yield "page.png", b"<!DOCTYPE html><title>404</title><p>Not found"
    yield "archive.gif", b"PK\x05\x06" + bytes(18)
    yield "random.webp", np.random.default_rng(0).bytes(5000)
    yield "one byte.jpg", b"\xff"


@_kind("text, HTML, or zero bytes, with another extension or none", "–")
def _texts() -> Files:
    yield "notes.txt", b"this is not an image\n"
    yield "page.html", b"<!DOCTYPE html><title>404</title><p>Not found"
    yield "empty", b""
    yield "words", b"BMW and GIFs are words that begin as images do\n"


@_kind("only the first 4, 12 or 16 bytes of an image", "–")
def _signatures() -> Files:
    for form in ("JPEG", "PNG", "GIF", "WEBP", "TIFF"):
        if form in Image.SAVE:
            for length in (4, 12, 16):
                yield f"{length}.{form.lower()}", encoded(scene(), form)[:length]


NAMES = (
    *("two\nlines", "carriage\rreturn", "a\ttab", " spaces ", "\x1b[31mred", "\x7f"),
    *("\N{GRINNING FACE}", "cafe\N{COMBINING ACUTE ACCENT}", "\u202egpj", "line\u2028end"),
    *("-n", "--help", "=1+1", "@sum", "*", "%00", "$(ls)", "back\\slash", "quo\"te's", "n" * 251),
)
"""Names of files without their extension."""


@_kind("names with line breaks, tabs, control characters, emoji, -n, =1+1; of 255 bytes")
def odd_names() -> Files:
    """Yield an image under names that programs can misunderstand."""
    for stem in NAMES:
        yield f"{stem}.jpg", encoded(scene(), "JPEG")


@_kind("a name that is not valid UTF-8")
def _bytes_names() -> Files:
    yield os.fsdecode(b"caf\xe9.jpg"), encoded(scene(), "JPEG")


@_kind("a symbolic link to an image; a second hard link")
def _links() -> Files:
    yield "target.jpg", encoded(scene(), "JPEG")
    yield "symbolic.jpg", lambda path: path.symlink_to("target.jpg")
    yield "hard.jpg", lambda path: path.hardlink_to(path.with_name("target.jpg"))


@_kind("a folder with the name of an image", "–")
def _folders() -> Files:
    yield "folder.jpg", Path.mkdir


@_kind("a named pipe, a socket, a link to a device", "–", lambda: hasattr(os, "mkfifo"))
def _special() -> Files:
    yield "pipe.jpg", os.mkfifo
    yield "socket.jpg", _bind
    yield "null.jpg", lambda path: path.symlink_to(os.devnull)


@_kind("a dangling symbolic link", "–")
def _broken_links() -> Files:
    yield "broken.jpg", lambda path: path.symlink_to("missing.jpg")


@_kind("symbolic links in a loop", "–")
def _circles() -> Files:
    yield "one.jpg", lambda path: path.symlink_to("two.jpg")
    yield "two.jpg", lambda path: path.symlink_to("one.jpg")


@_kind("an image without read permission", "–", lambda: hasattr(os, "seteuid"))
def forbidden() -> Files:
    """Yield a file without permissions, which only root may read."""
    yield "forbidden.jpg", _forbid


def _bind(path: Path) -> None:
    """Create a socket; the system limits the length of its path, but not that of its folder."""
    with socket.socket(socket.AF_UNIX) as unix, contextlib.chdir(path.parent):
        unix.bind(path.name)


def _forbid(path: Path) -> None:
    """Create an image without permissions."""
    path.write_bytes(encoded(scene(), "JPEG"))
    path.chmod(0)


def write(folder: Path) -> dict[Path, Kind]:
    """Write the corpus into a new or empty folder.

    Parameters
    ----------
    folder : Path
        Each kind of files gets a folder of its own in it. All users may read these.

    Returns
    -------
    dict of Path to Kind
        Each path with its kind, in the order of the table. Kinds that cannot be made here are
        missing.
    """
    corpus = {}
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    for number, kind in enumerate(KINDS):
        if not kind.available():
            continue
        place = folder / f"{number:02d}"
        place.mkdir()
        place.chmod(0o755)
        for name, content in kind.files():
            path = place / name
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                content(path)
            corpus[path] = kind
    return corpus


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """Take root's privileges from this process in the block."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


def attempts(kind: Kind, path: Path) -> dict[str, NDArray[np.uint8] | Exception]:
    """Return the hash of a file by each method that is tried, or the exception that it raises."""
    found: dict[str, NDArray[np.uint8] | Exception] = {}
    privileges = unprivileged() if kind.files is forbidden else contextlib.nullcontext()
    with privileges, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of large images and damaged EXIF data
        for method in kind.methods:
            try:
                found[method.name] = method.hash(path)
            except Exception as error:
                found[method.name] = error
    return found


def table(
    corpus: dict[Path, Kind],
    attempted: dict[Path, dict[str, NDArray[np.uint8] | Exception]],
    folder: Path,
) -> dict[str, list[str]]:
    """Return the rows of the table.

    Parameters
    ----------
    corpus : dict of Path to Kind
        Files, as ``write`` returns them.
    attempted : dict of Path to dict
        What ``attempts`` returns for each file.
    folder : Path
        Folder of the corpus.

    Returns
    -------
    dict of str to list of str
        Cells by title of the kind: the title, number of files, what is hashed, outcomes of FINd
        and of other methods, and what ``hash_files`` and a search of the folder lead to.
    """
    by_kind: dict[Kind, list[Path]] = {}
    for path, kind in corpus.items():
        by_kind.setdefault(kind, []).append(path)
    found = set(map(Path, image_files([folder])))
    rows = {}
    for kind, paths in by_kind.items():
        outcomes = [(name, _word(o)) for path in paths for name, o in attempted[path].items()]
        # The tests check that rows of hash_files agree with FINd alone.
        named = {path: _row(attempted[path]["find"]) for path in paths}
        rows[kind.title] = [
            kind.title,
            str(len(paths)),
            kind.hashed,
            _words(word for name, word in outcomes if name.startswith("find")),
            _words(word for name, word in outcomes if not name.startswith("find")),
            _words(named.values()),
            _words(row if path in found else "skipped" for path, row in named.items()),
        ]
    return rows


def _word(found: NDArray[np.uint8] | Exception) -> str:
    """Return ``"hash"``, or the name of the exception's type."""
    return f"`{type(found).__name__}`" if isinstance(found, Exception) else "hash"


def _row(found: NDArray[np.uint8] | Exception) -> str:
    """Return what the row of a file holds."""
    return "row with reason" if isinstance(found, Exception) else "row with hash"


def _words(outcomes: Iterable[str]) -> str:
    """Return the different outcomes in words, hashes first."""
    return " or ".join(sorted(set(outcomes), key=lambda word: (word.startswith("`"), word)))


HEADER = [
    "kind of file",
    "files",
    "what is hashed",
    "FINd",
    "other methods",
    "`hash_files` of the files",
    "`finhash hash` of their folder",
]
"""Cells of the table's first row."""

PLACE = re.compile("(<!-- odd files -->\n).*?(<!-- /odd files -->)", re.DOTALL)
"""Where the table stands in a document."""


def read_table(text: str) -> dict[str, list[str]]:
    """Return the rows of the table in a document, by the title of the kind."""
    place = PLACE.search(text)
    if place is None:
        raise ValueError("the document lacks the line <!-- odd files --> or <!-- /odd files -->")
    lines = place[0].splitlines()[3:-1]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row for row in rows}


def replace_table(text: str, rows: dict[str, list[str]]) -> str:
    """Return a document with these rows; rows of kinds that are not available here stay."""
    rows = read_table(text) | rows
    cells = [HEADER, ["---"] * len(HEADER), *(rows[k.title] for k in KINDS if k.title in rows)]
    lines = "".join(f"| {' | '.join(row)} |\n" for row in cells)
    return PLACE.sub(lambda place: place[1] + lines + place[2], text)


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.option(
    "--table",
    "document",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Document whose table is replaced.",
)
def main(folder: Path | None, document: Path | None) -> None:
    """Write the corpus, or the table."""
    if (folder is None) == (document is None):
        raise click.UsageError("name either a folder for the corpus, or --table and a document")
    if folder is not None:
        if folder.exists() and any(folder.iterdir()):
            raise click.UsageError(f"{folder} is not empty; name a new folder")
        click.echo(f"wrote {len(write(folder))} files to {folder}")
    else:
        with tempfile.TemporaryDirectory() as temporary:
            home = Path(temporary)
            corpus = write(home)
            attempted = {path: attempts(kind, path) for path, kind in corpus.items()}
            rows = table(corpus, attempted, home)
        document.write_text(replace_table(document.read_text("utf-8"), rows), "utf-8")


if __name__ == "__main__":
    main()
