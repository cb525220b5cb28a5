"""Headers of encoded images: size, format, EXIF orientation and transparency, without pixels."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from finhash.images.errors import ImageTooLargeError, NotAnImageError, translated_damage
from finhash.images.sources import JPEG, Source, open_stream


class Header(NamedTuple):
    """Facts in the header of an encoded image."""

    width: int
    """Pixels per row, before EXIF orientation."""

    height: int
    """Rows of pixels, before EXIF orientation."""

    format: str | None
    """Pillow's name of the format; ``"JPEG"`` also for several JPEGs in one file."""

    orientation: int | None = None
    """EXIF orientation, as ``orientation`` returns it."""


class _ThisThread(threading.local):
    """Headers that each thread collects, and its limit on pixels."""

    headers: list[Header] | None = None
    max_pixels: int | None = None


this_thread = _ThisThread()


@contextmanager
def collected_headers() -> Iterator[list[Header]]:
    """Collect the headers of the encoded images that this thread decodes in the block.

    Decoding reads the header anyway, so the file need not be opened again.

    Yields
    ------
    list of Header
        Header of each image in the order of decoding, also of images that prove to be damaged. An
        image that is decoded several times has several.

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> from finhash.images import collected_headers, to_rgb
    >>> file = io.BytesIO()
    >>> Image.new("RGB", (30, 20)).save(file, "PNG")
    >>> with collected_headers() as headers:
    ...     pixels = to_rgb(file)
    >>> headers
    [Header(width=30, height=20, format='PNG', orientation=None)]
    """
    outer, this_thread.headers = this_thread.headers, []
    try:
        yield this_thread.headers
    finally:
        this_thread.headers = outer


@contextmanager
def pixel_limit(max_pixels: int | None) -> Iterator[None]:
    """Let this thread decode no image whose header says more pixels, in the block.

    Paths, encoded bytes and open files are limited. PIL images and arrays are not: whoever made
    them has decided. Pillow's own limit remains in force.

    Parameters
    ----------
    max_pixels : int or None
        Largest number of pixels, rows times columns; None sets no limit.

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> from finhash.images import open_image, pixel_limit
    >>> file = io.BytesIO()
    >>> Image.new("L", (30, 20)).save(file, "PNG")
    >>> with pixel_limit(500):
    ...     open_image(file)
    Traceback (most recent call last):
    finhash.images.errors.ImageTooLargeError: 30 x 20 pixels are more than max_pixels=500; ...
    """
    outer, this_thread.max_pixels = this_thread.max_pixels, max_pixels
    try:
        yield
    finally:
        this_thread.max_pixels = outer


def collect(image: Image.Image, size: tuple[int, int], orientation: int | None) -> None:
    """Keep the header of an image that Pillow has opened, if this thread collects headers."""
    if this_thread.headers is not None:
        # Pillow reads the first image of an MPO file, which simplejpeg takes for an ordinary JPEG.
        name = "JPEG" if image.format == "MPO" else image.format
        this_thread.headers.append(Header(*size, name, orientation))


def orientation(source: Source) -> int | None:
    """Return the EXIF orientation of an image, which ``as_shown`` applies.

    Pixels are decoded only for a PNG in which EXIF data may follow them.

    Parameters
    ----------
    source : str, path-like, bytes-like, binary file, PIL.Image.Image or ndarray
        Source as in ``open_image``.

    Returns
    -------
    int or None
        1 to 8, as the EXIF tag 0x0112 or its copy in XMP data says; 1 is an upright image. None if
        the image has no such tag, or one that cannot be read. Also None for a TIFF, because Pillow
        turns it when it decodes it.

    Raises
    ------
    ImageError, OSError, TypeError
        As in ``open_image``, but a damaged image is an error only if this is noticed.

    Examples
    --------
    >>> from PIL import Image
    >>> from finhash.images import orientation
    >>> image = Image.new("L", (30, 20))
    >>> image.getexif()[0x0112] = 6  # a quarter turn clockwise
    >>> orientation(image)
    6
    """
    if isinstance(source, np.ndarray):
        return None
    if isinstance(source, Image.Image):
        return orientation_of(source)
    with open_stream(source) as stream:
        data = stream.read()
    if data.startswith(JPEG):
        return jpeg_orientation(data)
    image = identify(io.BytesIO(data))
    if image.format == "PNG" and not _has_late_chunks(data):
        return orientation_of(image, Image.Image)  # Pillow's class for PNG would decode the pixels
    return orientation_of(image)


def is_transparent(source: Source) -> bool:
    """Return whether an image has transparency, without decoding its pixels.

    Parameters
    ----------
    source : str, path-like, bytes-like, binary file, PIL.Image.Image or ndarray
        Source as in ``open_image``.

    Returns
    -------
    bool
        Whether the image has an alpha channel, or a colour or grey level that is transparent, even
        if no pixel is. False for grey images of more than 8 bits with a transparent grey level:
        Pillow cannot apply it.

    Raises
    ------
    ImageError, OSError, TypeError
        As in ``open_image``, but an image with damaged pixels is no error.

    Examples
    --------
    >>> from PIL import Image
    >>> from finhash.images import is_transparent
    >>> is_transparent(Image.new("LA", (30, 20))), is_transparent(Image.new("L", (30, 20)))
    (True, False)
    """
    if isinstance(source, np.ndarray):
        return False
    if isinstance(source, Image.Image):
        return _is_transparent(source)
    with open_stream(source) as stream:
        if stream.read(len(JPEG)) == JPEG:
            return False
        stream.seek(0)
        return _is_transparent(identify(stream))


def orientation_of(image: Image.Image, reader: type[Image.Image] | None = None) -> int | None:
    """Return the EXIF orientation of a PIL image, or None; ``reader`` reads its EXIF data."""
    if image.format == "TIFF":  # Pillow turns it when it decodes it
        return None
    try:
        value = (reader or type(image)).getexif(image).get(0x0112)
    except Exception:  # Pillow raises errors of many types for damaged EXIF data
        return None
    return value if isinstance(value, int) and 1 <= value <= 8 else None


def jpeg_orientation(data: bytes) -> int | None:
    """Return the EXIF orientation of a JPEG, as Pillow finds it; pixels are not decoded.

    Most JPEGs have no EXIF or XMP data. They are recognised in about a microsecond by their
    segments, each of which begins with 0xFF, a marker, and its length in two bytes.
    """
    exif, xmp, start = b"", b"", 2
    while data[start : start + 1] == b"\xff" and (marker := data[start + 1 : start + 2]) != b"\xda":
        if marker == b"\xff":  # a byte that fills the space before a marker
            start += 1
            continue
        end = start + 2 + int.from_bytes(data[start + 2 : start + 4])
        if marker == b"\xe1":
            content = data[start + 4 : end]
            if content.startswith(b"Exif\0\0"):
                exif += content[6:] if exif else content
            elif content.startswith(b"http://ns.adobe.com/xap/1.0/\0"):
                xmp = content.partition(b"\0")[2]
        start = end
    if not exif and b"tiff:Orientation" not in xmp:
        return None
    image = Image.Image()
    image.info = {"exif": exif or None, "xmp": xmp}
    return orientation_of(image)


def _has_late_chunks(data: bytes) -> bool:
    """Return whether chunks that may hold EXIF data follow the pixels of a PNG."""
    start, is_late = 8, False
    while kind := data[start + 4 : start + 8]:  # a chunk: length, kind, content, checksum
        is_late |= kind == b"IDAT"
        if is_late and kind in (b"eXIf", b"tEXt", b"zTXt", b"iTXt"):
            return True
        start += 12 + int.from_bytes(data[start : start + 4])
    return False


def _is_transparent(image: Image.Image) -> bool:
    """Return whether a PIL image has transparency that Pillow can apply."""
    return image.has_transparency_data and not image.mode.startswith(("I", "F"))


def identify(stream: BinaryIO) -> Image.Image:
    """Open with Pillow, which reads the header only; translate its errors to ``ImageError``."""
    try:
        with translated_damage():
            image = Image.open(stream)
            if image.format == "EPS":  # to decode it, Pillow would run Ghostscript
                raise UnidentifiedImageError("a document in PostScript")
    except UnidentifiedImageError as error:
        raise NotAnImageError(
            "not in an image format that Pillow knows; convert it to JPEG or PNG"
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageTooLargeError(
            f"{error} Raise PIL.Image.MAX_IMAGE_PIXELS if you trust the source."
        ) from error
    cols, rows = image.size
    if this_thread.max_pixels is not None and cols * rows > this_thread.max_pixels:
        collect(image, image.size, None)
        raise ImageTooLargeError(
            f"{cols} x {rows} pixels are more than max_pixels={this_thread.max_pixels}; raise "
            "max_pixels if you trust the source"
        )
    return image
