"""Encoders of test images, for what Pillow does not write."""

import io
import math
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageOps

ORIENTATION = 0x0112
"""EXIF tag that says how to turn an image."""


def scene(cols: int = 90, rows: int = 60) -> Image.Image:
    """Return a drawn RGB image without symmetry.

    Examples
    --------
    >>> scene(30, 20).size
    (30, 20)
    """
    y, x = np.mgrid[:rows, :cols]
    red = 255 * x // max(cols - 1, 1)
    green = 255 * y // max(rows - 1, 1)
    blue = (x * x + 3 * y * y + x * y) % 251
    pixels = np.stack([red, green, blue], axis=-1).astype(np.uint8)
    pixels[rows // 5 : rows // 2, cols // 8 : cols // 3] = (230, 40, 90)
    return Image.fromarray(pixels)


def with_opacity(image: Image.Image) -> Image.Image:
    """Return an image with a channel of opacity that rises from left to right."""
    opacity = Image.linear_gradient("L").rotate(90).resize(image.size)
    image = image.copy()
    image.putalpha(opacity)
    return image


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    """Return an image as Pillow writes it in a format."""
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def tenths(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield 1 to 9 and the first tenth, two tenths and so on of a file."""
    for tenth in range(1, 10):
        yield tenth, content[: len(content) * tenth // 10]


def animated(form: str, **options: object) -> bytes:
    """Return three frames in one file."""
    others = [ImageOps.mirror(scene()), ImageOps.invert(scene())]
    return encoded(scene(), form, save_all=True, append_images=others, **options)


def oriented(form: str, **options: object) -> Iterator[tuple[int, bytes]]:
    """Yield 1 to 8 and an image with that EXIF orientation."""
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        yield orientation, encoded(scene(), form, exif=exif, **options)


def subsampled(subsampling: str, cols: int = 90, rows: int = 60) -> bytes:
    """Return a JPEG whose colours are subsampled: 444, 422, 420, 440 or 411."""
    return simplejpeg.encode_jpeg(np.asarray(scene(cols, rows)), 85, "RGB", subsampling)


def patched(content: bytes, at: bytes, offset: int, values: bytes) -> bytes:
    """Return a file with bytes replaced, counted from the first place where ``at`` stands."""
    place = content.index(at) + offset
    return content[:place] + values + content[place + len(values) :]


def resized_header(content: bytes, cols: int, rows: int) -> bytes:
    """Return a JPEG whose header says another size."""
    return patched(content, b"\xff\xc0", 5, struct.pack(">HH", rows, cols))


ADAM7 = (
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
)
"""First row and column, and steps between rows and columns, of each pass of an interlaced PNG."""


def chunk(name: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG."""
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


def png(
    samples: NDArray[np.integer],
    depth: int,
    colour: int,
    *,
    interlaced: bool = False,
    extra: bytes = b"",
    size: tuple[int, int] | None = None,
) -> bytes:
    """Return a PNG of any depth and colour type; Pillow does not write all of them.

    Parameters
    ----------
    samples : ndarray of integers, shape (rows, cols) or (rows, cols, channels)
        Values of ``depth`` bits.
    depth : int
        Bits per sample.
    colour : int
        Colour type: 0 grey, 2 RGB, 3 palette, 4 grey with opacity, 6 RGB with opacity.
    interlaced : bool, default False
        Whether to write seven passes.
    extra : bytes
        Chunks before the pixels.
    size : tuple of int, optional
        Columns and rows that the header says instead of the true ones.

    Returns
    -------
    bytes
        The file.
    """
    rows, cols = samples.shape[:2]
    header = struct.pack(">IIBBBBB", *(size or (cols, rows)), depth, colour, 0, 0, interlaced)
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    lines = b"".join(_lines(samples[y::dy, x::dx], depth) for y, x, dy, dx in passes)
    pixels = chunk(b"IDAT", zlib.compress(lines, 9))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + pixels + chunk(b"IEND", b"")


def _lines(samples: NDArray[np.integer], depth: int) -> bytes:
    """Return rows of pixels as a PNG holds them, each after a zero for its filter."""
    rows = len(samples)
    if depth == 16:
        packed = samples.astype(">u2").reshape(rows, -1).view(np.uint8)
    else:
        bits = np.unpackbits(samples.astype(np.uint8)[..., None], axis=-1)[..., 8 - depth :]
        packed = np.packbits(bits.reshape(rows, -1), axis=1)
    return np.pad(packed, ((0, 0), (1, 0))).tobytes()


def grey(depth: int) -> NDArray[np.uint16]:
    """Return the scene in grey, as values of some bits."""
    values = np.asarray(scene().convert("L"), np.uint16)
    return values * 257 if depth == 16 else values >> (8 - depth)


def palette(depth: int) -> bytes:
    """Return a chunk with a palette of all indices of some bits."""
    indices = range(2**depth)
    colours = [(37 * k % 256, 91 * k % 256, 255 - 255 * k // indices[-1]) for k in indices]
    return chunk(b"PLTE", bytes(value for colour in colours for value in colour))


def deep(image: Image.Image) -> NDArray[np.uint16]:
    """Return values of 16 bits whose low bytes differ from their high bytes."""
    pixels = np.asarray(image, np.uint16)
    return pixels * 256 + 255 - pixels


def large_png(cols: int, rows: int) -> bytes:
    """Return a small file with a large image in black and white."""
    image = Image.new("1", (cols, rows))
    image.paste(1, (cols // 5, 0, cols, rows // 3))
    return encoded(image, "PNG", compress_level=9)


def tiff(samples: NDArray[np.integer], photometric: int, *, planar: bool = False) -> bytes:
    """Return a big-endian TIFF without compression, of any number of channels and bits.

    Parameters
    ----------
    samples : ndarray of uint8 or uint16, shape (rows, cols, channels)
        Pixels.
    photometric : int
        Meaning of the channels: 2 RGB, 5 CMYK, 8 CIE L*a*b*.
    planar : bool, default False
        Whether the channels are stored one after another.

    Returns
    -------
    bytes
        The file.
    """
    rows, cols, channels = samples.shape
    bits = 8 * samples.dtype.itemsize
    planes = np.moveaxis(samples, 2, 0) if planar else samples
    pixels = planes.astype(samples.dtype.newbyteorder(">")).tobytes()
    strips = channels if planar else 1
    strip = len(pixels) // strips
    start = 8
    entries = [  # tag, letter of the type for struct, values
        (256, "I", [cols]),
        (257, "I", [rows]),
        (258, "H", [bits] * channels),
        (259, "H", [1]),
        (262, "H", [photometric]),
        (273, "I", [start + strip * k for k in range(strips)]),
        (277, "H", [channels]),
        (278, "I", [rows]),
        (279, "I", [strip] * strips),
        (284, "H", [1 + planar]),
    ]
    body, table = pixels, b""
    for tag, letter, values in entries:
        content = struct.pack(f">{len(values)}{letter}", *values)
        if len(content) > 4:  # the table then holds its place
            content, body = struct.pack(">I", start + len(body)), body + content
        table += struct.pack(">HHI4s", tag, {"H": 3, "I": 4}[letter], len(values), content)
    directory = struct.pack(">H", len(entries)) + table + bytes(4)
    return struct.pack(">2sHI", b"MM", 42, start + len(body)) + body + directory


def fits(values: NDArray[np.uint8]) -> bytes:
    """Return a FITS file with one grey image."""
    rows, cols = values.shape
    cards = {"SIMPLE": "T", "BITPIX": 8, "NAXIS": 2, "NAXIS1": cols, "NAXIS2": rows}
    header = "".join(f"{key:8}= {value!s:>20}".ljust(80) for key, value in cards.items())
    header = (header + "END".ljust(80)).ljust(2880)
    return header.encode() + values[::-1].tobytes().ljust(
        math.ceil(values.size / 2880) * 2880, b"\0"
    )


def psd(image: Image.Image) -> bytes:
    """Return a Photoshop file with one flat RGB image."""
    header = struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3, image.height, image.width, 8, 3)
    return header + bytes(12) + bytes(2) + b"".join(band.tobytes() for band in image.split())


def sun(image: Image.Image) -> bytes:
    """Return a Sun raster file, whose rows hold blue, green and red."""
    rows = np.asarray(image)[:, :, ::-1].reshape(image.height, -1)
    rows = np.pad(rows, ((0, 0), (0, rows.shape[1] % 2)))
    header = (0x59A66A95, *image.size, 24, rows.size, 1, 0, 0)
    return struct.pack(">8I", *header) + rows.tobytes()


def xpm(image: Image.Image) -> bytes:
    """Return an XPM file, which is a text of the language C, of an image in black and white."""
    rows = [f"{image.width} {image.height} 2 1", "0 c #000000", "1 c #FFFFFF"]
    rows += ["".join("01"[int(value)] for value in row) for row in np.asarray(image)]
    lines = ",\n".join(f'"{row}"' for row in rows)
    return f"/* XPM */\nstatic char *image[] = {{\n{lines}\n}};\n".encode()
