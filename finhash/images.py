"""Decode paths, files, encoded bytes, PIL images and RGB arrays, in the order that FINd defines.

Pillow's global settings are respected and never changed: its limit on the number of pixels
(``Image.MAX_IMAGE_PIXELS``) and whether truncated files are errors
(``ImageFile.LOAD_TRUNCATED_IMAGES``; by default they are).
"""

import io
import math
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from finhash.find.geometry import MAX_SIDE
from finhash.find.loading import shrink, shrink_image
from finhash.find.thumbnail import thumbnail

_SCRATCH_LIMIT = 2**24
"""Largest scratch buffer that a thread keeps, in bytes: enough for 2,364 x 2,364 RGB pixels."""

_HEAD = 2**16
"""Bytes that are read before it is known whether a file is a JPEG; most small JPEGs have fewer."""

_JPEG = b"\xff\xd8\xff"
"""First bytes of a JPEG."""


@runtime_checkable
class BinaryFile(Protocol):
    """A file opened in binary mode, or an object that can be read like one."""

    def read(self) -> bytes:
        """Return all bytes from the current position on."""
        ...

    def seek(self, offset: int, /) -> object:
        """Move to a position; raise ``io.UnsupportedOperation`` if the file cannot."""
        ...


EncodedImage = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryFile
"""A path, encoded bytes, or an open binary file."""

Source = EncodedImage | Image.Image | NDArray[np.uint8]
"""An encoded image, a PIL image, or RGB pixels of shape (rows, cols, 3)."""


class Header(NamedTuple):
    """What the header of an encoded image says."""

    width: int
    """Pixels per row, before EXIF orientation."""

    height: int
    """Rows of pixels, before EXIF orientation."""

    format: str | None
    """Pillow's name of the format; ``"JPEG"`` also for several JPEGs in one file."""

    orientation: int | None = None
    """EXIF orientation, as ``orientation`` returns it."""


class _Scratch(threading.local):
    """Scratch buffer of each thread, headers that it collects, and its limit on pixels."""

    buffer = np.empty(0, np.uint8)
    headers: list[Header] | None = None
    max_pixels: int | None = None


_scratch = _Scratch()


class ImageError(OSError, ValueError):
    """An image that cannot be hashed; the subclasses give the reason.

    It is an ``OSError`` because Pillow raises that type for most images that it cannot read. Code
    that catches Pillow's errors, such as clients of the published class, thus catches these too.
    """


class EmptyImageError(ImageError, UnidentifiedImageError):
    """An image of zero bytes or zero pixels."""


class NotAnImageError(ImageError, UnidentifiedImageError):
    """Content in a format unknown to Pillow, or the path of a pipe, socket or device."""


class DamagedImageError(ImageError):
    """A truncated or corrupt image."""


class ImageTooLargeError(ImageError, Image.DecompressionBombError):
    """An image with more pixels than Pillow's limit, or that of ``pixel_limit``, allows."""


class UnsupportedModeError(ImageError):
    """An image whose pixels Pillow can decode, but not convert or shrink as the method needs."""


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
    outer, _scratch.headers = _scratch.headers, []
    try:
        yield _scratch.headers
    finally:
        _scratch.headers = outer


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
    finhash.images.ImageTooLargeError: 30 x 20 pixels are more than max_pixels=500; ...
    """
    outer, _scratch.max_pixels = _scratch.max_pixels, max_pixels
    try:
        yield
    finally:
        _scratch.max_pixels = outer


def open_image(source: Source) -> Image.Image:
    """Decode an image with Pillow.

    Parameters
    ----------
    source : str, path-like, bytes-like, binary file, PIL.Image.Image or ndarray
        Path of an image file; its encoded bytes, as ``bytes``, ``bytearray`` or ``memoryview``; a
        file opened in binary mode, or ``BytesIO``; a PIL image; or decoded RGB pixels as ``uint8``
        of shape ``(rows, cols, 3)``. An open file is read from its start, as in
        ``PIL.Image.open``, or from its position if it cannot seek. It is left open.

    Returns
    -------
    PIL.Image.Image
        The image, fully loaded, in its own mode. A PIL image is returned as it is.

    Raises
    ------
    ImageError
        If the source is empty, not an image, damaged or too large; one subclass per reason.
    OSError
        If the file cannot be read.
    TypeError
        If the source has another type, or the array another dtype or shape.

    Examples
    --------
    >>> import numpy as np
    >>> from finhash.images import open_image
    >>> open_image(np.zeros((20, 30, 3), np.uint8)).size
    (30, 20)
    >>> open_image(b"plain text")
    Traceback (most recent call last):
    finhash.images.NotAnImageError: not in an image format that Pillow knows; ...
    """
    if isinstance(source, Image.Image):
        return _load(source)
    if isinstance(source, np.ndarray):
        return Image.fromarray(_checked(source))
    with _open(source) as stream:
        return _decode(stream)


def as_shown(source: Source) -> Image.Image:
    """Decode an image and turn it as its EXIF orientation says, as viewers show it.

    Cameras often store the pixels as the sensor lies, and note in the EXIF data how to turn them.
    Hashes are those of the stored pixels, unless the image is turned first.

    Parameters
    ----------
    source : str, path-like, bytes-like, binary file, PIL.Image.Image or ndarray
        Source as in ``open_image``. A PIL image is left unchanged.

    Returns
    -------
    PIL.Image.Image
        The image, mirrored or turned. If it has no EXIF orientation, or one that cannot be read,
        the image is as stored.

    Raises
    ------
    ImageError, OSError, TypeError
        As in ``open_image``.

    Examples
    --------
    >>> from PIL import Image
    >>> from finhash.images import as_shown
    >>> image = Image.new("L", (30, 20))
    >>> image.getexif()[0x0112] = 6  # a quarter turn clockwise
    >>> as_shown(image).size
    (20, 30)
    """
    from PIL import ImageOps

    image = open_image(source)
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # Pillow raises errors of many types for damaged EXIF data
        return image


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
        return _orientation(source)
    with _open(source) as stream:
        data = stream.read()
    if data.startswith(_JPEG):
        return _jpeg_orientation(data)
    image = _identify(io.BytesIO(data))
    if image.format == "PNG" and not _has_late_chunks(data):
        return _orientation(image, Image.Image)  # Pillow's class for PNG would decode the pixels
    return _orientation(image)


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
    with _open(source) as stream:
        if stream.read(len(_JPEG)) == _JPEG:
            return False
        stream.seek(0)
        return _is_transparent(_identify(stream))


def to_rgb(source: Source, *, reuse: bool = False) -> NDArray[np.uint8]:
    """Decode an image to the RGB pixels that FINd hashes.

    The image is decoded at full size, shrunk in its own mode until no side exceeds 512 pixels, and
    then converted to RGB. Another order, or JPEG draft mode, would give other pixels. As in the
    published program, EXIF orientation is not applied and transparency is dropped. Ordinary JPEGs
    are decoded by simplejpeg, which returns Pillow's pixels in less time.

    Parameters
    ----------
    source : str, path-like, bytes-like, binary file, PIL.Image.Image or ndarray
        Source as in ``open_image``. A PIL image is left unchanged.
    reuse : bool, default False
        Whether the pixels may lie in this thread's scratch buffer, which is faster. They are then
        valid only until this thread's next call with ``reuse=True``.

    Returns
    -------
    ndarray of uint8, shape (rows, cols, 3)
        RGB pixels with ``max(rows, cols) <= 512``. An array that needs no shrinking is returned
        as it is.

    Raises
    ------
    ImageError, OSError, TypeError
        As in ``open_image``.

    Examples
    --------
    >>> from PIL import Image
    >>> from finhash.images import to_rgb
    >>> to_rgb(Image.new("L", (1024, 256))).shape
    (128, 512, 3)
    """
    if isinstance(source, np.ndarray):
        return _shrink_array(_checked(source))
    if isinstance(source, Image.Image):
        return _shrink(_load(source))
    with _open(source) as stream:
        pixels = _decode_ordinary_jpeg(stream, "RGB", reuse=reuse)
        if pixels is not None:
            return _shrink_array(pixels)
        stream.seek(0)
        return _shrink(_decode(stream))


def jpeg_luma(source: Source, *, reuse: bool = False) -> NDArray[np.uint8] | None:
    """Decode only the luma of a JPEG, at reduced size, and shrink it.

    A JPEG stores luma and colour separately. The decoder returns luma at the smallest of 1, 1/2,
    1/4 and 1/8 of the image's size for which the longer side keeps 512 pixels or more. This takes
    less time than decoding all of the image, but the pixels differ a little from the luma of
    ``to_rgb``.

    Parameters
    ----------
    source, reuse
        As in ``to_rgb``.

    Returns
    -------
    ndarray of uint8, shape (rows, cols), or None
        Luma with ``max(rows, cols) <= 512``. None if the source is not the path, the file or the
        bytes of an ordinary JPEG in grey or YCbCr.

    Raises
    ------
    NotAnImageError, EmptyImageError
        If the source is a pipe, socket or device, or has zero bytes. Any other content that cannot
        be decoded gives None.
    OSError
        If the file cannot be read.
    TypeError
        If the source has another type.

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> from finhash.images import jpeg_luma
    >>> file = io.BytesIO()
    >>> Image.radial_gradient("L").resize((2048, 1024)).save(file, "JPEG")
    >>> jpeg_luma(file.getvalue()).shape
    (256, 512)
    """
    if isinstance(source, np.ndarray | Image.Image):
        return None
    with _open(source) as stream:
        pixels = _decode_ordinary_jpeg(stream, "GRAY", reuse=reuse)
    return None if pixels is None else _shrink_array(pixels[:, :, 0])


def _shrink_array(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return RGB or grey pixels, shrunk if a side is too long."""
    if max(pixels.shape) <= MAX_SIDE:
        return pixels
    return shrink(pixels)


def _shrink(image: Image.Image) -> NDArray[np.uint8]:
    """Return the RGB pixels of a PIL image, shrunk in its own mode if a side is too long."""
    if max(image.size) > MAX_SIDE and image.mode in ("RGB", "L"):
        pixels = shrink_image(image)
        return pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)
    with _supported(image.mode):
        small = thumbnail(image)
        return np.asarray(small if small.mode == "RGB" else small.convert("RGB"))


class _File(io.FileIO):
    """A file whose ``read`` reserves no more memory than the file has content.

    A damaged header can state a length of exabytes, which Pillow then asks for.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        """Return at most ``size`` bytes from the current position on, by default all."""
        if size is None or size < 0:
            return super().read()
        left = os.fstat(self.fileno()).st_size - self.tell()
        return super().read(min(size, max(0, left)))


def _open(source: EncodedImage) -> BinaryIO:
    """Open the encoded image as a seekable binary file that is not empty."""
    if isinstance(source, str | os.PathLike):
        status = os.stat(source)
        regular = stat.S_ISREG(status.st_mode)
        # Opening a FIFO would wait for a writer. A directory raises its own OSError below.
        if not (regular or stat.S_ISDIR(status.st_mode)):
            raise NotAnImageError("a pipe, socket or device; pass a regular file or bytes")
        if regular and not status.st_size:
            raise EmptyImageError("0 bytes; copy or download the file again")
        # Unbuffered, because a JPEG is read in one or two calls.
        return _File(source)
    if isinstance(source, bytes | bytearray | memoryview):
        content = bytes(source)
    elif hasattr(source, "read"):
        content = content_of(source)
    else:
        raise TypeError(
            f"cannot read an image from {type(source).__name__}; "
            "pass a path, bytes, a binary file, a PIL image or a uint8 array"
        )
    if not content:
        raise EmptyImageError("0 bytes; pass the content of an image file")
    return io.BytesIO(content)


def converted(image: Image.Image, mode: str) -> Image.Image:
    """Return a copy of an image in another mode.

    Parameters
    ----------
    image : PIL.Image.Image
        Image of any mode.
    mode : str
        Pillow's name of a mode, such as ``"L"`` for grey.

    Returns
    -------
    PIL.Image.Image
        The copy.

    Raises
    ------
    UnsupportedModeError
        If Pillow cannot convert the image.

    Examples
    --------
    >>> from PIL import Image
    >>> from finhash.images import converted
    >>> converted(Image.new("CMYK", (30, 20)), "L").mode
    'L'
    """
    with _supported(image.mode):
        return image.convert(mode)


@contextmanager
def _supported(mode: str) -> Iterator[None]:
    """Raise an ``ImageError`` if Pillow cannot convert or shrink an image of this mode."""
    try:
        yield
    except ValueError as error:
        raise UnsupportedModeError(
            f"Pillow cannot convert or shrink pixels of its mode {mode} ({error}); convert the "
            "image to RGB of 8 bits"
        ) from error
    except AssertionError as error:  # of a transparent image without palette
        raise DamagedImageError(
            "cannot be decoded: the palette is missing; copy or download the file again"
        ) from error


def content_of(file: BinaryFile) -> bytes:
    """Read an open file from its start, or from its position if it cannot seek.

    Parameters
    ----------
    file : binary file
        File opened in binary mode, or ``BytesIO``. It is left open.

    Returns
    -------
    bytes
        The content.

    Raises
    ------
    TypeError
        If the file is opened in text mode or returns something else than bytes.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import io
    >>> from finhash.images import content_of
    >>> content_of(io.BytesIO(b"content"))
    b'content'
    """
    if not isinstance(file, io.TextIOBase):  # its read() would try to decode the image as text
        with suppress(AttributeError, io.UnsupportedOperation):
            file.seek(0)
        content = file.read()
        if isinstance(content, bytes):
            return content
    raise TypeError(
        f"cannot read bytes from {type(file).__name__}; pass a file opened in binary mode ('rb')"
    )


def _checked(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the array; raise an error unless it holds RGB pixels."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise TypeError(
            f"got an array of {pixels.dtype} and shape {pixels.shape}; "
            "pass RGB pixels as uint8 of shape (rows, cols, 3)"
        )
    if pixels.size == 0:
        raise EmptyImageError(f"array of shape {pixels.shape} has no pixels; pass at least one")
    return pixels


def _decode_ordinary_jpeg(
    stream: BinaryIO, space: Literal["RGB", "GRAY"], *, reuse: bool
) -> NDArray[np.uint8] | None:
    """Return the pixels of a complete grey or YCbCr JPEG within Pillow's limit, else None.

    ``GRAY`` returns luma, at reduced size if the longer side keeps ``MAX_SIDE`` pixels.

    Both libraries call libjpeg-turbo. With the accurate DCT and smooth upsampling, Pillow's
    defaults, they return equal pixels. Anything unusual (other colour spaces, truncation, warnings)
    falls back to Pillow, so that only Pillow decides what is valid.
    """
    data = stream.read(_HEAD)
    if not data.startswith(_JPEG):
        return None
    if len(data) == _HEAD:
        stream.seek(0)
        data = stream.read()  # in one piece, so that memory holds it once
    try:
        height, width, stored, _ = simplejpeg.decode_jpeg_header(data, strict=True)
        rows, cols = int(height), int(width)
        limit = min(Image.MAX_IMAGE_PIXELS or math.inf, _scratch.max_pixels or math.inf)
        if stored not in ("YCbCr", "Gray") or rows * cols > limit:
            return None
        size = cols, rows
        scale = 1 if space == "RGB" else _luma_scale(max(rows, cols))
        rows, cols = math.ceil(rows / scale), math.ceil(cols / scale)
        channels = 3 if space == "RGB" else 1
        buffer = _scratch_buffer(rows * cols * channels) if reuse else None
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(
            data,
            space,
            fastdct=False,
            fastupsample=False,
            min_height=rows,
            min_width=cols,
            min_factor=scale,
            buffer=buffer,
            strict=True,
        )
    except ValueError:
        return None
    if _scratch.headers is not None:
        _scratch.headers.append(Header(*size, "JPEG", _jpeg_orientation(data)))
    return pixels


def _collect(image: Image.Image, size: tuple[int, int], orientation: int | None) -> None:
    """Keep the header of an image that Pillow has opened, if this thread collects headers."""
    if _scratch.headers is not None:
        # Pillow reads the first image of an MPO file, which simplejpeg takes for an ordinary JPEG.
        name = "JPEG" if image.format == "MPO" else image.format
        _scratch.headers.append(Header(*size, name, orientation))


def _orientation(image: Image.Image, reader: type[Image.Image] | None = None) -> int | None:
    """Return the EXIF orientation of a PIL image, or None; ``reader`` reads its EXIF data."""
    if image.format == "TIFF":  # Pillow turns it when it decodes it
        return None
    try:
        value = (reader or type(image)).getexif(image).get(0x0112)
    except Exception:  # Pillow raises errors of many types for damaged EXIF data
        return None
    return value if isinstance(value, int) and 1 <= value <= 8 else None


def _jpeg_orientation(data: bytes) -> int | None:
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
    return _orientation(image)


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


def _luma_scale(side: int) -> int:
    """Return the largest of 8, 4, 2 and 1 by which a side can be divided and keep ``MAX_SIDE``."""
    return next((scale for scale in (8, 4, 2) if side > scale * (MAX_SIDE - 1)), 1)


def _scratch_buffer(size: int) -> NDArray[np.uint8] | None:
    """Return this thread's scratch buffer, grown to ``size`` bytes; None if that is too large.

    Without it the operating system would supply and clear new memory for every image.
    """
    if size > _SCRATCH_LIMIT:
        return None
    if _scratch.buffer.size < size:
        _scratch.buffer = np.empty(size, np.uint8)
    return _scratch.buffer


def _identify(stream: BinaryIO) -> Image.Image:
    """Open with Pillow, which reads the header only; translate its errors to ``ImageError``."""
    try:
        with _damage():
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
    if _scratch.max_pixels is not None and cols * rows > _scratch.max_pixels:
        _collect(image, image.size, None)
        raise ImageTooLargeError(
            f"{cols} x {rows} pixels are more than max_pixels={_scratch.max_pixels}; raise "
            "max_pixels if you trust the source"
        )
    return image


def _decode(stream: BinaryIO) -> Image.Image:
    """Decode with Pillow, translating its errors to ``ImageError``."""
    image = _identify(stream)
    size = image.size
    try:
        return _load(image)
    finally:
        _collect(image, size, _orientation(image))


def _load(image: Image.Image) -> Image.Image:
    """Load all pixels of a PIL image."""
    if 0 in image.size:
        cols, rows = image.size
        raise EmptyImageError(f"image of {cols} x {rows} has no pixels; pass at least one")
    if isinstance(image, ImageFile.ImageFile):
        # Pillow puts a row together from blocks of this size, in time quadratic in their number. A
        # damaged header can claim rows of megabytes.
        image.decodermaxblock = max(image.decodermaxblock, 8 * image.width)
    with _damage():
        image.load()
    return image


@contextmanager
def _damage() -> Iterator[None]:
    """Raise ``DamagedImageError`` for a decoding error, whichever type Pillow gives it.

    Pillow's readers raise OSError, SyntaxError, struct.error and more.
    """
    try:
        yield
    except (
        UnidentifiedImageError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
        MemoryError,
    ):
        raise
    except Exception as error:
        raise DamagedImageError(
            f"cannot be decoded: {error}; copy or download the file again"
        ) from error
