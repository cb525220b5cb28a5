"""Decode paths, files, encoded bytes, PIL images and RGB arrays, in the order that FINd defines.

Pillow's global settings are respected and never changed: its limit on the number of pixels
(``Image.MAX_IMAGE_PIXELS``) and whether truncated files are errors
(``ImageFile.LOAD_TRUNCATED_IMAGES``; by default they are).
"""

import math
import threading
from typing import BinaryIO, Literal

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageFile

from finhash.find.geometry import MAX_SIDE
from finhash.find.loading import shrink, shrink_image
from finhash.find.thumbnail import thumbnail
from finhash.images.errors import EmptyImageError, supported, translated_damage
from finhash.images.headers import (
    Header,
    collect,
    identify,
    jpeg_orientation,
    orientation_of,
    this_thread,
)
from finhash.images.sources import JPEG, EncodedImage, Source, open_stream

_SCRATCH_LIMIT = 2**24
"""Largest scratch buffer that a thread keeps, in bytes: enough for 2,364 x 2,364 RGB pixels."""

_HEAD = 2**16
"""Bytes that are read before it is known whether a file is a JPEG; most small JPEGs have fewer."""


class _Scratch(threading.local):
    """Scratch buffer of each thread."""

    buffer = np.empty(0, np.uint8)


_scratch = _Scratch()


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
    finhash.images.errors.NotAnImageError: not in an image format that Pillow knows; ...
    """
    if isinstance(source, Image.Image):
        return _load(source)
    if isinstance(source, np.ndarray):
        return Image.fromarray(_checked(source))
    with open_stream(source) as stream:
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
    with open_stream(source) as stream:
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
    with open_stream(source) as stream:
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
    with supported(image.mode):
        small = thumbnail(image)
        return np.asarray(small if small.mode == "RGB" else small.convert("RGB"))


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
    with supported(image.mode):
        return image.convert(mode)


def reduced(source: EncodedImage, side: int) -> tuple[Image.Image, tuple[int, int]]:
    """Decode an image to RGB in order to show it small, not to hash it.

    A JPEG is decoded at reduced size, which takes less time and gives other pixels than
    ``open_image``.

    Parameters
    ----------
    source : str, path-like, bytes-like or binary file
        Encoded image, as in ``open_image``.
    side : int
        Longer side of the thumbnail for which the image is decoded, in pixels.

    Returns
    -------
    image : PIL.Image.Image
        RGB image. Its longer side has at least ``2 * side`` pixels, or as many as the source has.
    size : (int, int)
        Width and height of the source, in pixels.

    Raises
    ------
    ImageError, OSError, TypeError
        As in ``open_image``; also ``UnsupportedModeError``.

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> from finhash.images import reduced
    >>> file = io.BytesIO()
    >>> Image.radial_gradient("L").resize((2048, 1024)).save(file, "JPEG")
    >>> image, size = reduced(file, 100)
    >>> image.size, size
    ((512, 256), (2048, 1024))
    """
    with open_stream(source) as stream:
        image = identify(stream)
        size = image.size
        with translated_damage():
            image.draft(None, (2 * side, 2 * side))
        return converted(_load(image), "RGB"), size


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
    if not data.startswith(JPEG):
        return None
    if len(data) == _HEAD:
        stream.seek(0)
        data = stream.read()  # in one piece, so that memory holds it once
    try:
        height, width, stored, _ = simplejpeg.decode_jpeg_header(data, strict=True)
        rows, cols = int(height), int(width)
        limit = min(Image.MAX_IMAGE_PIXELS or math.inf, this_thread.max_pixels or math.inf)
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
    if this_thread.headers is not None:
        this_thread.headers.append(Header(*size, "JPEG", jpeg_orientation(data)))
    return pixels


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


def _decode(stream: BinaryIO) -> Image.Image:
    """Decode with Pillow, translating its errors to ``ImageError``."""
    image = identify(stream)
    size = image.size
    try:
        return _load(image)
    finally:
        collect(image, size, orientation_of(image))


def _load(image: Image.Image) -> Image.Image:
    """Load all pixels of a PIL image."""
    if 0 in image.size:
        cols, rows = image.size
        raise EmptyImageError(f"image of {cols} x {rows} has no pixels; pass at least one")
    if isinstance(image, ImageFile.ImageFile):
        # Pillow puts a row together from blocks of this size, in time quadratic in their number. A
        # damaged header can claim rows of megabytes.
        image.decodermaxblock = max(image.decodermaxblock, 8 * image.width)
    with translated_damage():
        image.load()
    return image
