"""The available perceptual hashes, by name.

``METHODS`` maps each name to a ``Method``: its label, number of bits, colour in figures, and the
function that computes it. Functions import the packages they need on first call, so importing this
module loads neither Numba nor imagehash.

``register`` adds a hash of your own. To add a hash to the library:

1. Write a function ``(image, bits)`` that returns the packed bits. Import packages that only this
   hash needs inside the function.
2. Add its name to ``MethodName`` and a ``Method`` to ``METHODS``.
"""

import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from math import isqrt
from operator import index
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from finhash.find.loading import hash_rgb
from finhash.images import (
    Source,
    content_of,
    converted,
    is_open_file,
    jpeg_luma,
    open_image,
    to_rgb,
)

if TYPE_CHECKING:
    from imagehash import ImageHash

MethodName = Literal[
    "find",
    "find64",
    "find_middle",
    "find_luma",
    "ahash256",
    "ahash64",
    "phash256",
    "phash64",
    "dhash256",
    "dhash64",
    "whash256",
    "whash64",
    "pdq",
]
"""Names of the library's own hashes, for type checkers and editors."""

OwnFunction = Callable[[Image.Image], "ImageHash | NDArray[np.uint8]"]
"""Function that hashes an RGB image into an ``ImageHash`` or ``uint8 [bits / 8]``."""

RESERVED = (
    *("path", "error", "width", "height", "bytes", "format", "modified", "orientation", "quality"),
    "key",
)
"""Columns of hash tables that are not hashes. No method has one of these names."""


class UnknownMethodError(KeyError, ValueError):
    """Error for a name that no method has.

    It is both a ``KeyError`` and a ``ValueError``.
    """

    def __str__(self) -> str:
        """Return the message as it is; ``KeyError`` would put it in quotes."""
        return str(self.args[0]) if self.args else ""


@dataclass(frozen=True)
class Method:
    """A perceptual hash.

    Parameters
    ----------
    name : str
        Key in ``METHODS`` and column name in hash tables.
    label : str
        Name in figures and text.
    bits : int
        Length of the hash, a multiple of 64.
    colour : str
        Colour in figures, as ``"#rrggbb"``.
    function : callable
        ``function(image, bits)`` returns the packed hash.
    encoded : bool, default False
        Whether the hash depends on how the method itself decodes a file, so that the file cannot be
        decoded once for several methods.
    shrunk : bool, default False
        Whether the hash depends only on the pixels of ``finhash.images.to_rgb``, which are then
        computed once for several methods.
    approximates : str, optional
        Name of the method whose hashes this one approximates. Comparisons of methods leave it out
        unless it is named.
    requires : str, optional
        Name of a package that the method imports and that an installation may lack.
    module : str, optional
        Name by which the package is imported, if that is another one.
    extra : str, optional
        Extra of ``finhash`` that installs the package, if a plain installation lacks it.
    """

    name: str
    label: str
    bits: int
    colour: str
    function: Callable[[Source, int], NDArray[np.uint8]]
    encoded: bool = False
    shrunk: bool = False
    approximates: str | None = None
    requires: str | None = None
    module: str | None = None
    extra: str | None = None

    def missing_package(self) -> str:
        """Return which package to install before the method can be used; empty if none is missing.

        Examples
        --------
        >>> from finhash import methods
        >>> methods.get("find").missing_package()
        ''
        """
        if self.requires is None or find_spec(self.module or self.requires) is not None:
            return ""
        extra = f'pip install "finhash[{self.extra}]" or ' if self.extra else ""
        return (
            f"the method {self.name!r} needs the package {self.requires}, which is not installed: "
            f"{extra}pip install {self.requires}"
        )

    def hash(self, image: Source) -> NDArray[np.uint8]:
        """Return the packed hash of an image.

        Parameters
        ----------
        image : str, path-like, bytes, PIL.Image.Image or ndarray
            Source as in ``finhash.find_hash``.

        Returns
        -------
        ndarray of uint8, shape (bits / 8,)
            Bits of the hash, the most significant bit of each byte first.

        Raises
        ------
        finhash.images.ImageError
            If the source is empty, not an image, damaged or too large.
        OSError
            If the file cannot be read.
        TypeError
            If the source has another type, or the array another dtype or shape. Also if a
            registered function returns another type than it should.
        ValueError
            If a registered function returns another number of bits than ``bits``.
        ImportError
            If the method's package is not installed.

        Examples
        --------
        >>> from PIL import Image
        >>> from finhash import methods
        >>> methods.get("dhash64").hash(Image.radial_gradient("L"))
        array([15, 15, 15, 15, 15, 15, 15, 15], dtype=uint8)
        """
        return self.function(image, self.bits)

    def image_hash(self, image: Source) -> "ImageHash":
        """Return the hash of an image as an ``imagehash.ImageHash``.

        Parameters, errors and bits are those of ``hash``. The bits form a square; if their number
        is no square number, they form eight rows.

        Examples
        --------
        >>> from PIL import Image
        >>> from finhash import methods
        >>> print(methods.get("dhash64").image_hash(Image.radial_gradient("L")))
        0f0f0f0f0f0f0f0f
        """
        from imagehash import ImageHash

        side = isqrt(self.bits)
        rows = side if side**2 == self.bits else 8
        return ImageHash(np.unpackbits(self.hash(image)).astype(bool).reshape(rows, -1))


# "| str": names also come from tables and command lines. The literals let editors complete.
def get(name: MethodName | str) -> Method:
    """Return the method of that name.

    Parameters
    ----------
    name : str
        A key of ``METHODS``.

    Returns
    -------
    Method
        The hash.

    Raises
    ------
    UnknownMethodError
        If there is no method of that name; the message lists all names. It is a ``KeyError``.

    Examples
    --------
    >>> from finhash import methods
    >>> methods.get("phash64").bits
    64
    """
    try:
        return METHODS[name]
    except KeyError:
        raise UnknownMethodError(
            f"unknown method {name!r}; choose one of {', '.join(METHODS)}"
        ) from None


def usable(names: Iterable[MethodName | str]) -> list[Method]:
    """Return the methods of these names; raise an error unless all of them can be used here.

    Parameters
    ----------
    names : iterable of str
        Keys of ``METHODS``, or ``"module:name"`` as for ``resolve``. Names that come from a file
        must be keys of ``METHODS``, because ``resolve`` runs code of the module.

    Returns
    -------
    list of Method
        The hashes, in the same order.

    Raises
    ------
    TypeError
        If ``names`` is a single string, or holds anything but strings.
    ValueError
        If ``names`` is empty or holds a name twice, or the function of a ``"module:name"`` cannot
        be used.
    UnknownMethodError
        If there is no method of a name. It is a ``KeyError``.
    ImportError
        If a method's package is not installed.

    Examples
    --------
    >>> from finhash import methods
    >>> [method.bits for method in methods.usable(["find", "phash64"])]
    [256, 64]
    >>> methods.usable("find")
    Traceback (most recent call last):
    TypeError: methods is 'find'; pass a list of names, such as ["find"]
    """
    if isinstance(names, str | Method) or not isinstance(names, Iterable):
        raise TypeError(f'methods is {names!r}; pass a list of names, such as ["find"]')
    names = list(names)
    if not names:
        raise ValueError('methods is empty; name at least one, such as ["find"]')
    found: dict[str, Method] = {}
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f'methods holds {name!r}; pass names of methods, such as ["find"]')
        if name in found:
            raise ValueError(f"methods holds {name!r} twice; name each method once")
        found[name] = resolve(name) if ":" in name else get(name)
        if missing := found[name].missing_package():
            raise ImportError(missing)
    return list(found.values())


def register(
    name: str,
    function: OwnFunction,
    *,
    bits: int,
    label: str | None = None,
    colour: str | None = None,
) -> Method:
    """Add a hash of your own to ``METHODS``, or replace one that was registered before.

    The hash can then be used by name, as in ``finhash.hash_files(paths, [name])``.

    Parameters
    ----------
    name : str
        Key in ``METHODS`` and column name in hash tables. Change the name when you change the
        function: hashes of two functions in one column cannot be compared.
    function : callable
        ``function(image)`` takes a ``PIL.Image.Image`` of mode RGB and returns the hash: an
        ``imagehash.ImageHash`` of ``bits`` bits, or the packed bits as ``uint8`` of shape
        ``(bits / 8,)``. The image is decoded at full size, without its EXIF orientation. Worker
        processes must be able to import the function, so for ``executor="processes"`` define it
        with ``def`` at the top level of a module or script. Functions of a notebook can be used
        with ``"threads"`` and ``"dask"``.
    bits : int
        Length of the hash, a multiple of 64.
    label : str, optional
        Name in figures and text; by default ``name``.
    colour : str, optional
        Colour in figures, as ``"#rrggbb"``. By default one that no built-in hash has.

    Returns
    -------
    Method
        The hash.

    Raises
    ------
    ValueError
        If ``name`` is empty, the name of a built-in hash or of another column of hash tables, or
        if ``bits`` is not a multiple of 64.
    TypeError
        If ``function`` cannot be called, ``name`` is not a string or ``bits`` not an integer.

    Examples
    --------
    >>> import imagehash
    >>> from PIL import Image
    >>> from finhash import methods
    >>> def green(image):
    ...     return imagehash.dhash(image.getchannel("G"), hash_size=16)
    >>> method = methods.register("green", green, bits=256)
    >>> method.hash(Image.radial_gradient("L")).shape
    (32,)
    >>> methods.get("green") is method
    True
    >>> del methods.METHODS["green"]
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of a method must be a string, not {name!r}")
    if not name.strip() or name in RESERVED:
        raise ValueError(
            f"a method cannot have the name {name!r}: choose a name that is not empty and none of "
            f"{', '.join(RESERVED)}"
        )
    if name in BUILT_IN:
        raise ValueError(f"{name!r} is a built-in method: choose another name")
    if not callable(function):
        raise TypeError(f"the function of the method {name!r} is {function!r}; pass a callable")
    bits = index(bits)
    _check_bits(name, bits)
    if colour is None:
        known = METHODS.get(name)
        colour = known.colour if known else COLOURS[(len(METHODS) - len(BUILT_IN)) % len(COLOURS)]
    method = Method(name, label or name, bits, colour, partial(_own, name, function))
    METHODS[name] = method
    return method


def resolve(text: str) -> Method:
    """Return the method of that name, or register and return the function ``"module:name"``.

    ``hash_files``, ``Gallery`` and ``evaluate`` accept such text in place of a name, and so does
    ``--method`` of the command line. A function is imported and hashes one image, which gives the
    number of bits. It is then registered under the name ``"module:name"``.

    Parameters
    ----------
    text : str
        A key of ``METHODS``, or a module and a function in it as described for ``register``,
        separated by a colon.

    Returns
    -------
    Method
        The hash.

    Raises
    ------
    UnknownMethodError
        If ``text`` has no colon and there is no method of that name. It is a ``KeyError``.
    ValueError
        If the function cannot be imported, fails, or returns a hash whose number of bits is not a
        multiple of 64.
    TypeError
        If it is not a function, or returns another type than it should.

    Examples
    --------
    >>> from finhash import methods
    >>> methods.resolve("pdq").bits
    256
    >>> methods.resolve("imagehash:dhash").bits
    64
    >>> del methods.METHODS["imagehash:dhash"]
    """
    if text in METHODS:
        return METHODS[text]
    if ":" not in text:
        raise UnknownMethodError(
            f"unknown method {text!r}; choose one of {', '.join(METHODS)}, or pass a function of "
            "your own as module:name"
        )
    try:
        function: OwnFunction = pkgutil.resolve_name(text)
    except Exception as error:  # importing a module can raise anything
        raise ValueError(
            f"cannot load the method {text!r} ({type(error).__name__}: {error}); pass module:name, "
            "where the module can be imported and has a function of that name"
        ) from error
    if not callable(function):
        raise TypeError(f"cannot use {text!r} as a method: it is {function!r}, not a function")
    try:
        result = function(Image.radial_gradient("L").convert("RGB"))
    except Exception as error:  # so can calling a function
        raise ValueError(
            f"the method {text!r} fails on an RGB image of 256 x 256 pixels "
            f"({type(error).__name__}: {error}); correct its function"
        ) from error
    return register(text, function, bits=8 * len(_packed(text, result)))


def _find(image: Source, bits: int) -> NDArray[np.uint8]:
    """Hash the whole image with FINd."""
    return hash_rgb(to_rgb(image, reuse=True), bits)


def _find_middle(image: Source, bits: int) -> NDArray[np.uint8]:
    """Hash the middle half of the rows with FINd; captions seldom reach there."""
    rgb = to_rgb(image, reuse=True)
    quarter = len(rgb) // 4
    return hash_rgb(rgb[quarter : len(rgb) - quarter], bits)


def _find_luma(image: Source, bits: int) -> NDArray[np.uint8]:
    """Hash the luma of a JPEG as its decoder returns it; hash any other image exactly."""
    if is_open_file(image):  # some files can be read only once
        image = content_of(image)
    luma = jpeg_luma(image, reuse=True)
    return _find(image, bits) if luma is None else hash_rgb(luma, bits)


def _imagehash(function: str, image: Source, bits: int) -> NDArray[np.uint8]:
    """Hash an image with a function of the package imagehash."""
    import imagehash

    result = getattr(imagehash, function)(converted(open_image(image), "L"), hash_size=isqrt(bits))
    return np.packbits(result.hash)


def _pdq(image: Source, bits: int) -> NDArray[np.uint8]:
    """Hash an image with PDQ, which always has 256 bits."""
    try:
        import pdqhash
    except ImportError as error:
        raise ImportError(get("pdq").missing_package() or str(error)) from error

    values, _quality = pdqhash.compute(np.array(converted(open_image(image), "RGB")))
    return np.packbits(values)


def _own(name: str, function: OwnFunction, image: Source, bits: int) -> NDArray[np.uint8]:
    """Hash an image with a registered function; check the number of bits."""
    packed = _packed(name, function(converted(open_image(image), "RGB")))
    if 8 * len(packed) != bits:
        raise ValueError(
            f"the method {name!r} returned {8 * len(packed)} bits, but is registered with {bits}: "
            "correct its function or register it with its number of bits"
        )
    return packed


def _packed(name: str, result: object) -> NDArray[np.uint8]:
    """Return what a registered function returned as packed bits; check its type."""
    from imagehash import ImageHash

    if isinstance(result, ImageHash):
        _check_bits(name, result.hash.size)
        return np.packbits(result.hash)
    if isinstance(result, np.ndarray) and result.dtype == np.uint8 and result.ndim == 1:
        _check_bits(name, 8 * len(result))
        return result
    found = (
        f"an array of dtype {result.dtype} and shape {result.shape}"
        if isinstance(result, np.ndarray)
        else f"an object of type {type(result).__name__}"
    )
    raise TypeError(
        f"the method {name!r} returned {found}; its function must return an imagehash.ImageHash, "
        "or packed bits as a uint8 array of shape (bits / 8,)"
    )


def _check_bits(name: str, bits: int) -> None:
    """Raise ``ValueError`` unless ``finhash.hamming`` can compare hashes of so many bits."""
    if bits < 64 or bits % 64:
        raise ValueError(
            f"the method {name!r} has {bits} bits; the number must be a multiple of 64, so append "
            "zeros"
        )


_ahash = partial(_imagehash, "average_hash")
_phash = partial(_imagehash, "phash")
_dhash = partial(_imagehash, "dhash")
_whash = partial(_imagehash, "whash")

# The colours are Okabe and Ito's palette, which colour-blind readers can tell apart.
METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("find", "FINd", 256, "#D55E00", _find, shrunk=True),
        Method("find64", "FINd 64", 64, "#D55E00", _find, shrunk=True),
        Method("find_middle", "FINd middle", 256, "#882255", _find_middle, shrunk=True),
        Method(
            "find_luma",
            "FINd luma",
            256,
            "#661100",
            _find_luma,
            encoded=True,
            approximates="find",
        ),
        Method("ahash256", "aHash 256", 256, "#E69F00", _ahash),
        Method("ahash64", "aHash 64", 64, "#E69F00", _ahash),
        Method("phash256", "pHash 256", 256, "#0072B2", _phash, requires="scipy"),
        Method("phash64", "pHash 64", 64, "#0072B2", _phash, requires="scipy"),
        Method("dhash256", "dHash 256", 256, "#009E73", _dhash),
        Method("dhash64", "dHash 64", 64, "#009E73", _dhash),
        Method(
            "whash256",
            "wHash 256",
            256,
            "#CC79A7",
            _whash,
            requires="PyWavelets",
            module="pywt",
        ),
        Method(
            "whash64",
            "wHash 64",
            64,
            "#CC79A7",
            _whash,
            requires="PyWavelets",
            module="pywt",
        ),
        Method("pdq", "PDQ", 256, "#56B4E9", _pdq, requires="pdqhash", extra="pdq"),
    )
}
"""All methods by name: the built-in ones, then the registered ones in order of registration."""

BUILT_IN = frozenset(METHODS)
"""Names of the built-in methods, which cannot be replaced."""

COLOURS = ("#332288", "#117733", "#999933", "#AA4499", "#000000", "#888888")
"""Colours of registered methods, in order of registration. No built-in method has one of them."""
