"""Preparation of images before they are hashed: transparency and EXIF orientation.

By default images are hashed as their files store them, as the published program does: transparency
is dropped, which shows the colours that lie under transparent pixels, and the EXIF orientation is
ignored. A ``Preparation`` changes this. Hashes of images that were prepared in different ways
should not be compared, so hash tables record the preparation of their images.
"""

from dataclasses import dataclass

from PIL import Image, ImageColor

from finhash.images import (
    Source,
    as_shown,
    content_of,
    converted,
    is_open_file,
    is_transparent,
    open_image,
)
from finhash.images import orientation as orientation_of


@dataclass(frozen=True)
class Preparation:
    """What is done to an image before it is hashed.

    Parameters
    ----------
    background : str, optional
        Colour on which transparent images are composed: a name such as ``"white"``, ``"#rgb"``,
        ``"#rrggbb"``, or any other form that ``PIL.ImageColor`` accepts. It is kept as
        ``"#rrggbb"``. By default transparency is dropped.
    exif : bool, default False
        Whether images are turned and mirrored as their EXIF orientation says.

    Raises
    ------
    ValueError
        If ``background`` is no colour, or a colour that is transparent itself.
    TypeError
        If ``background`` is no string, or ``exif`` neither true nor false.

    Examples
    --------
    >>> from PIL import Image
    >>> from finhash.preparation import Preparation
    >>> preparation = Preparation(background="white")
    >>> preparation
    Preparation(background='#ffffff', exif=False)
    >>> preparation.apply(Image.new("LA", (30, 20))).getpixel((0, 0))
    (255, 255, 255)
    """

    background: str | None = None
    exif: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.exif, bool):
            raise TypeError(f"exif is {self.exif!r}; pass True or False")
        if self.background is not None:
            object.__setattr__(self, "background", _normalised(self.background))

    def __str__(self) -> str:
        done = [f"background {self.background}"] if self.background else []
        done += ["EXIF orientation applied"] if self.exif else []
        return " and ".join(done) or "no preparation"

    def apply(self, source: Source) -> Source:
        """Return an image as it is to be hashed.

        Parameters
        ----------
        source : str, path-like, bytes-like, binary file, PIL.Image.Image or ndarray
            Source as in ``finhash.find_hash``. A PIL image is left unchanged.

        Returns
        -------
        source or PIL.Image.Image
            The prepared image, of mode RGB if it was composed on the background. If there is
            nothing to do, the source itself, or the content of an open file.

        Raises
        ------
        finhash.images.ImageError
            If the source is empty, not an image or too large, or if it is damaged and this is
            noticed; one subclass per reason.
        OSError
            If the file cannot be read.
        TypeError
            If the source has another type.

        Examples
        --------
        >>> from PIL import Image
        >>> from finhash.preparation import Preparation
        >>> image = Image.new("L", (30, 20))
        >>> Preparation(exif=True).apply(image) is image
        True
        >>> image.getexif()[0x0112] = 6  # a quarter turn clockwise
        >>> Preparation(exif=True).apply(image).size
        (20, 30)
        """
        if self == AS_STORED:
            return source
        if is_open_file(source):  # some files can be read only once
            source = content_of(source)
        is_turned = self.exif and orientation_of(source) not in (None, 1)
        background = self.background if self.background and is_transparent(source) else None
        if not (is_turned or background):
            return source
        image = as_shown(source) if is_turned else open_image(source)
        return _composed(image, background) if background else image


AS_STORED = Preparation()
"""No preparation: images are hashed as their files store them."""


def _normalised(colour: str) -> str:
    """Return a colour as ``"#rrggbb"``; raise an error unless it is an opaque colour."""
    if not isinstance(colour, str):
        raise TypeError(f"background is {colour!r}; pass a colour as text, such as 'white'")
    try:
        red, green, blue, *alpha = ImageColor.getrgb(colour)
    except ValueError as error:
        raise ValueError(
            f"background is {colour!r}, which is no colour: pass a name such as 'white', or "
            "'#rrggbb'"
        ) from error
    if alpha not in ([], [255]):
        raise ValueError(f"background is {colour!r}, which is transparent: pass an opaque colour")
    return f"#{red:02x}{green:02x}{blue:02x}"


def _composed(image: Image.Image, background: str) -> Image.Image:
    """Return a transparent image composed on a background, in RGB."""
    if image.mode == "La":  # Pillow converts it only to LA
        image = converted(image, "LA")
    ground = Image.new("RGBA", image.size, background)
    ground.alpha_composite(converted(image, "RGBA"))
    return ground.convert("RGB")
