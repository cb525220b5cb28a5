"""Image files that are damaged at random, each determined by its number and a seed.

The originals are small images in all formats and modes that Pillow writes. Formats that Pillow only
reads are represented by noise behind their magic numbers.
"""

import io
import random
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

from PIL import Image, ImageOps

from finhash.study.data import drawn

SIZES = ((48, 36), (19, 61), (530, 9))
"""Columns and rows of the originals. FINd shrinks the last one."""

ICON = 128, 128
"""Columns and rows of the originals in ICNS, which holds only certain squares."""

FRAMES = 3
"""Images in files of several."""


class Format(NamedTuple):
    """How the originals of a kind are written."""

    name: str
    """Pillow's name of the format."""

    mode: str
    """Mode of the image."""

    extension: str
    """Extension of file names, one that ``finhash hash`` looks for in folders."""

    options: Mapping[str, object] = MappingProxyType({})
    """Options of Pillow's ``save``."""


KINDS = {
    "JPEG": Format("JPEG", "RGB", "jpg"),
    "JPEG progressive": Format("JPEG", "RGB", "jpg", {"progressive": True, "subsampling": 0}),
    "JPEG grey": Format("JPEG", "L", "jpg"),
    "JPEG CMYK": Format("JPEG", "CMYK", "jpg"),
    "JPEG EXIF": Format(
        "JPEG",
        "RGB",
        "jpeg",
        {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"},
    ),
    "MPO": Format("MPO", "RGB", "mpo", {"save_all": True}),
    "PNG RGB": Format("PNG", "RGB", "png"),
    "PNG RGBA": Format("PNG", "RGBA", "png"),
    "PNG palette": Format("PNG", "P", "png", {"transparency": 3}),
    "PNG grey": Format("PNG", "L", "png"),
    "PNG 1 bit": Format("PNG", "1", "png"),
    "PNG 16 bits": Format("PNG", "I;16", "png"),
    "PNG animated": Format("PNG", "RGB", "png", {"save_all": True}),
    "GIF": Format("GIF", "P", "gif"),
    "GIF animated": Format("GIF", "P", "gif", {"save_all": True}),
    "WebP lossy": Format("WEBP", "RGB", "webp"),
    "WebP lossless": Format("WEBP", "RGBA", "webp", {"lossless": True}),
    "WebP animated": Format("WEBP", "RGB", "webp", {"save_all": True}),
    "AVIF": Format("AVIF", "RGB", "avif"),
    "AVIF RGBA": Format("AVIF", "RGBA", "avif"),
    "JPEG 2000": Format("JPEG2000", "RGB", "jp2"),
    "JPEG 2000 codestream": Format("JPEG2000", "L", "j2k", {"no_jp2": True}),
    "TIFF": Format("TIFF", "RGB", "tif"),
    "TIFF LZW": Format("TIFF", "RGBA", "tif", {"compression": "tiff_lzw"}),
    "TIFF JPEG": Format("TIFF", "RGB", "tif", {"compression": "jpeg"}),
    "TIFF deflate CMYK": Format("TIFF", "CMYK", "tif", {"compression": "tiff_deflate"}),
    "TIFF fax": Format("TIFF", "1", "tif", {"compression": "group4"}),
    "TIFF 16 bits": Format("TIFF", "I;16", "tif"),
    "TIFF float": Format("TIFF", "F", "tif"),
    "TIFF pages": Format("TIFF", "RGB", "tif", {"compression": "packbits", "save_all": True}),
    "BMP": Format("BMP", "RGB", "bmp"),
    "BMP palette": Format("BMP", "P", "bmp"),
    "DIB": Format("DIB", "L", "dib"),
    "ICO": Format("ICO", "RGBA", "ico", {"sizes": [(9, 9), (16, 16), (32, 32)]}),
    "ICNS": Format("PNG", "RGBA", "icns"),
    "TGA": Format("TGA", "RGBA", "tga", {"compression": "tga_rle"}),
    "PCX": Format("PCX", "P", "pcx"),
    "PPM": Format("PPM", "RGB", "ppm"),
    "PFM": Format("PPM", "F", "pfm"),
    "SGI": Format("SGI", "RGB", "sgi"),
    "DDS": Format("DDS", "RGBA", "dds", {"pixel_format": "DXT5"}),
    "QOI": Format("QOI", "RGBA", "qoi"),
    "MSP": Format("MSP", "1", "msp"),
    "XBM": Format("XBM", "1", "xbm"),
    "BLP": Format("BLP", "P", "blp"),
    "SPIDER": Format("SPIDER", "F", "png"),
}
"""Kinds of originals."""

READ_ONLY = "read only"
"""Kind of the files that begin with one of ``MAGIC``."""

MAGIC = (
    *(b"8BPS\0\x01", b"SIMPLE  =                    T", b"\xb1h\xde:", b"PCD_IPI", b"\0\0\x02\0"),
    *(b"FTEX", b"\0\0\0\x14\0\0\0\x02", b"\x1c\x01\x5a\0\x04", b"\0\0\0\0\0\0\0\x04"),
    *(b"\x80\xe8\0\0", b"\x59\xa6\x6a\x95", b"/* XPM */", b"P7 332", b"%!PS-Adobe-3.0 EPSF"),
    *(b"\xd7\xcd\xc6\x9a\0\0", b"GRIB\0\0\0\x01", b"BUFR", b"\x89HDF\r\n\x1a\n", b"\0\0\x01\xb3"),
    *(b"\0\0\0\0\x11\xaf\x01\0", b"\x01\0\0\0", b"P7\nWIDTH 9\n", b"BLP1", b"II+\0", b"\0\0\0\0"),
    b"Image type: RGB image\r\nImage size (x*y): 9*9\r\n",
)
"""First bytes of formats that Pillow reads and does not write, or of their rarer variants."""

TOKENS = (
    *(b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"eXIf", b"iCCP", b"acTL", b"fcTL", b"fdAT"),
    *(b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"RIFF"),
    *(b"ftyp", b"meta", b"iloc", b"iprp", b"ispe", b"av1C", b"mdat", b"jp2h", b"ihdr", b"jp2c"),
    *(b"\xff\xc0", b"\xff\xc2", b"\xff\xc4", b"\xff\xda", b"\xff\xdb", b"\xff\xdd", b"\xff\xe1"),
    *(b"\xff\xe2", b"\xff\x51", b"\xff\x52", b"\xff\x5c", b"\xff\x90", b"\xff\x93"),
    *(b"II*\0", b"MM\0*", b"\0\x01\x01", b"\x01\x01\0", b"\0\x01\x11", b"\x11\x01\0"),
    *(b"\x21\xf9\x04", b"\x2c\0\0\0\0", b"DXT5", b"icns", b"ic0", b"it32"),
)
"""Bytes beside which formats store lengths, sizes and offsets."""

EXTREME = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
"""Values of header fields."""

HEADER = 64
"""Bytes at the start of a file that ``_set_field`` changes."""

LONGEST = 400
"""Bytes that a mutation changes, moves, removes or inserts at most."""

PNG = b"\x89PNG\r\n\x1a\n"
"""First bytes of a PNG."""


class File(NamedTuple):
    """A damaged file."""

    kind: str
    """Key of ``KINDS``, or ``READ_ONLY``."""

    mutations: tuple[str, ...]
    """Keys of ``MUTATIONS`` in the order in which they were applied."""

    extension: str
    """Extension of the original."""

    content: bytes
    """Content of the file."""


def kind(number: int) -> str:
    """Return the kind of a file by its number; kinds take turns.

    Examples
    --------
    >>> kind(0), kind(len(KINDS))
    ('JPEG', 'read only')
    """
    return [*KINDS, READ_ONLY][number % (len(KINDS) + 1)]


def file(number: int, seed: int) -> File:
    """Return a damaged file, which depends on the number and the seed alone.

    One to three mutations are applied. Half of the PNGs then get correct
    checksums, because Pillow would otherwise read no further than the first wrong one.

    Parameters
    ----------
    number : int
        Number of the file.
    seed : int
        Seed of the random stream.

    Returns
    -------
    File
        The file.

    Examples
    --------
    >>> file(6, seed=0).kind, file(6, seed=0) == file(6, seed=0)
    ('PNG RGB', True)
    """
    rng = random.Random(f"mutated {seed} {number}")
    own = kind(number)
    if own == READ_ONLY:
        content = rng.choice(MAGIC) + rng.randbytes(rng.randrange(LONGEST))
        return File(own, ("noise",), "png", content)
    content, names = rng.choice(originals(own, seed)), []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        names.append(rng.choice(list(MUTATIONS)))
        content = MUTATIONS[names[-1]](content, rng, seed)
    if content.startswith(PNG) and rng.random() < 0.5:
        content = with_checksums(content)
    return File(own, tuple(names), KINDS[own].extension, content)


@cache
def originals(kind: str, seed: int) -> list[bytes]:
    """Return the undamaged files of a kind, one for each of ``SIZES``.

    Examples
    --------
    >>> [len(originals(kind, seed=0)) for kind in ("JPEG", "TIFF fax")]
    [3, 3]
    """
    form = KINDS[kind]
    made = []
    for number, size in enumerate(SIZES if kind != "ICNS" else (ICON,) * len(SIZES)):
        templates = (_template(seed, FRAMES * number + k) for k in range(FRAMES))
        first, *others = (_in_mode(image.resize(size), form.mode) for image in templates)
        several = {"append_images": others} if "save_all" in form.options else {}
        written = io.BytesIO()
        first.save(written, form.name, **form.options, **several)
        made.append(written.getvalue())
    return [_as_icon(content) for content in made] if kind == "ICNS" else made


def with_checksums(content: bytes) -> bytes:
    """Return a PNG with the checksum of each chunk corrected, up to the first cut off chunk.

    Examples
    --------
    >>> chunk = bytes([0, 0, 0, 0]) + b"IEND"
    >>> with_checksums(PNG + chunk + b"????")[-4:] == zlib.crc32(b"IEND").to_bytes(4)
    True
    """
    mended, place = bytearray(content), len(PNG)
    while place + 12 <= len(mended):
        end = place + 8 + int.from_bytes(mended[place : place + 4])
        if end + 4 > len(mended):
            break
        mended[end : end + 4] = zlib.crc32(mended[place + 4 : end]).to_bytes(4)
        place = end + 4
    return bytes(mended)


@cache
def _template(seed: int, number: int) -> Image.Image:
    """Return a drawn template."""
    return drawn.draw_template(seed, number)


def _as_icon(content: bytes) -> bytes:
    """Return a PNG as the only icon of an ICNS file. Pillow would write ten, up to 1024 x 1024."""
    return (
        b"".join(
            name + (len(content) + size).to_bytes(4) for name, size in ((b"icns", 16), (b"ic07", 8))
        )
        + content
    )


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    """Return an image in a mode; opacity rises from top to bottom."""
    if mode == "I;16":
        return image.convert("I").point(lambda value: value * 257).convert("I;16")
    if mode == "RGBA":
        image = image.convert("RGB")
        image.putalpha(ImageOps.flip(Image.linear_gradient("L")).resize(image.size))
        return image
    return image.convert("L").convert("F") if mode == "F" else image.convert(mode)


Mutation = Callable[[bytes, random.Random, int], bytes]
"""A function of a file's content, a random stream and the seed of the originals."""


def _flip_bits(content: bytes, rng: random.Random, seed: int) -> bytes:
    """Flip up to eight bits."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 8) if changed else 0):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _overwrite(content: bytes, rng: random.Random, seed: int) -> bytes:
    """Overwrite a run of bytes with zeros, with 255 or with noise."""
    start, stop = _run(content, rng)
    return content[:start] + _filling(stop - start, rng) + content[stop:]


def _truncate(content: bytes, rng: random.Random, seed: int) -> bytes:
    """Cut the end off."""
    return content[: rng.randint(1, max(1, len(content)))]


def _insert(content: bytes, rng: random.Random, seed: int) -> bytes:
    """Insert a run of bytes."""
    start, stop = _run(content, rng)
    return content[:start] + _filling(stop - start, rng) + content[start:]


def _delete(content: bytes, rng: random.Random, seed: int) -> bytes:
    """Remove a run of bytes."""
    start, stop = _run(content, rng)
    return content[:start] + content[stop:]


def _swap(content: bytes, rng: random.Random, seed: int) -> bytes:
    """Swap two blocks that follow each other."""
    start, stop = _run(content, rng)
    middle = rng.randint(start, stop)
    return content[:start] + content[middle:stop] + content[start:middle] + content[stop:]


def _set_field(content: bytes, rng: random.Random, seed: int) -> bytes:
    """Set a number in the header to an extreme value."""
    return _with_number(content, rng.randrange(min(len(content), HEADER) or 1), rng)


def _set_length(content: bytes, rng: random.Random, seed: int) -> bytes:
    """Set a number beside a chunk's name or a marker to an extreme value, or spoil the name."""
    found = [place for token in TOKENS if (place := content.find(token)) >= 0]
    start = rng.choice(found or [0])
    return _with_number(content, max(0, start + rng.randint(-8, 16)), rng)


def _splice(content: bytes, rng: random.Random, seed: int) -> bytes:
    """Join the beginning of the file and the end of another original."""
    other = rng.choice(originals(rng.choice(list(KINDS)), seed))
    return content[: rng.randint(0, len(content))] + other[rng.randint(0, len(other)) :]


def _noise(content: bytes, rng: random.Random, seed: int) -> bytes:
    """Replace all but the first bytes by noise."""
    kept = rng.choice((2, 4, 8, 12, 16, 32))
    return content[:kept] + rng.randbytes(rng.randint(0, len(content)))


MUTATIONS: dict[str, Mutation] = {
    "bits flipped": _flip_bits,
    "bytes overwritten": _overwrite,
    "truncated": _truncate,
    "bytes inserted": _insert,
    "bytes deleted": _delete,
    "blocks swapped": _swap,
    "header field": _set_field,
    "length or marker": _set_length,
    "splice": _splice,
    "noise": _noise,
}
"""Ways to damage a file."""


def _run(content: bytes, rng: random.Random) -> tuple[int, int]:
    """Return start and stop of a run of up to ``LONGEST`` bytes; short runs are likelier."""
    start = rng.randint(0, len(content))
    return start, min(len(content), start + int(LONGEST ** rng.random()))


def _filling(size: int, rng: random.Random) -> bytes:
    """Return zeros, bytes of 255 or noise."""
    return rng.choice((bytes(size), b"\xff" * size, rng.randbytes(size)))


def _with_number(content: bytes, place: int, rng: random.Random) -> bytes:
    """Return the content with one of ``EXTREME`` at a place, as an integer of up to four bytes."""
    size, order = rng.choice((1, 2, 4)), rng.choice(("big", "little"))
    value = rng.choice(EXTREME) & ((1 << 8 * size) - 1)
    return content[:place] + value.to_bytes(size, order) + content[place + size :]
