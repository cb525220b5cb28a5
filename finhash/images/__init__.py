"""Images: their sources, headers and pixels, and the errors of those that cannot be hashed."""

from finhash.images.decode import as_shown, converted, jpeg_luma, open_image, reduced, to_rgb
from finhash.images.errors import (
    DamagedImageError,
    EmptyImageError,
    ImageError,
    ImageTooLargeError,
    NotAnImageError,
    UnsupportedModeError,
)
from finhash.images.headers import (
    Header,
    collected_headers,
    is_transparent,
    orientation,
    pixel_limit,
)
from finhash.images.sources import BinaryFile, EncodedImage, Source, content_of, is_open_file

__all__ = [
    "BinaryFile",
    "DamagedImageError",
    "EmptyImageError",
    "EncodedImage",
    "Header",
    "ImageError",
    "ImageTooLargeError",
    "NotAnImageError",
    "Source",
    "UnsupportedModeError",
    "as_shown",
    "collected_headers",
    "content_of",
    "converted",
    "is_open_file",
    "is_transparent",
    "jpeg_luma",
    "open_image",
    "orientation",
    "pixel_limit",
    "reduced",
    "to_rgb",
]
