"""The FINd hash of one image, as a function and as the published program's class."""

# ruff: noqa: N802, N803 - the class keeps the published names

import os
from collections.abc import Iterable, MutableSequence, Sequence
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from finhash import methods
from finhash.find import reference
from finhash.find.geometry import KEPT, SAMPLES, window_size
from finhash.images import BinaryFile, Source, open_image

if TYPE_CHECKING:
    from imagehash import ImageHash

Buffer = MutableSequence[Any]
"""A flat list that the callee fills with numbers."""

Rows = Sequence[Buffer]
"""A list of lists that the callee fills with numbers."""

File = str | bytes | os.PathLike[str] | os.PathLike[bytes] | BinaryFile
"""A path, or an open binary file."""


def find_hash(image: Source) -> "ImageHash":
    """Hash one image with FINd.

    The hash equals that of the published FINd program bit for bit if the image is square. For
    other images it equals the hash of that program without its two faults, which are described
    in ``finhash.find.reference``. The published program shrinks large images with Pillow; the hash
    is that of Pillow 12.1 and earlier (see ``finhash.find.thumbnail``).

    The ``ImageHash`` follows the conventions of the package imagehash: it holds 16 x 16 booleans.
    Hashes of ``FINDHasher`` hold the same bits as 256 integers. The two kinds can be compared with
    each other by ``==`` and ``-``, and have the same ``str``.

    Parameters
    ----------
    image : str, path-like, bytes-like, binary file, PIL.Image.Image or ndarray
        Path of an image file; its encoded bytes, as ``bytes``, ``bytearray`` or ``memoryview``; a
        file opened in binary mode, or ``BytesIO``; a PIL image (left unchanged); or decoded RGB
        pixels as ``uint8`` of shape ``(rows, cols, 3)``. An open file is read from its start, as
        in ``PIL.Image.open``, or from its position if it cannot seek. It is left open.

    Returns
    -------
    imagehash.ImageHash
        256 bits; the attribute ``hash`` is a ``bool`` array of shape ``(16, 16)``. ``str(h)`` gives
        64 hexadecimal digits; ``a - b`` gives the Hamming distance of two hashes, from 0 to 256
        bits.

    Raises
    ------
    finhash.images.ImageError
        If the source is empty, not an image, damaged or too large. It is a ``ValueError`` and an
        ``OSError``.
    OSError
        If the file cannot be read.
    TypeError
        If the source has another type, or the array another dtype or shape.

    Examples
    --------
    >>> import numpy as np
    >>> from finhash import find_hash
    >>> pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    >>> brighter = np.minimum(pixels, 250) + np.uint8(5)
    >>> len(str(find_hash(pixels)))
    64
    >>> int(find_hash(pixels) - find_hash(brighter))
    2
    """
    return methods.get("find").image_hash(image)


class FINDHasher:
    """Drop-in replacement for the published program's class.

    Members, names and order of arguments, constants, types and errors are those of the published
    class. Hashes are those of ``find_hash``: equal to the published ones if the image is square,
    and without the published program's two faults if it is not.

    An ``ImageHash`` of this class holds 256 integers, 0 or 1, in an array of shape ``(256,)`` and
    NumPy's default integer type, as in the published class. ``find_hash`` returns the same bits as
    16 x 16 booleans. The two kinds of hash can be compared with each other by ``==`` and ``-``,
    and have the same ``str``. Element-wise operations on their arrays need equal shapes:
    ``h.hash.reshape(16, 16).astype(bool)`` is the array of ``find_hash``.

    ``fromFile`` and ``fromImage`` run compiled code. If a subclass or an assignment replaces a
    constant, a step or ``DCT_matrix``, they run the steps in pure Python instead, which takes about
    a thousand times as long, and the replacement takes effect. Called by themselves, the steps
    always run in pure Python.

    Attributes
    ----------
    LUMA_FROM_R_COEFF, LUMA_FROM_G_COEFF, LUMA_FROM_B_COEFF : float
        Weights of red, green and blue in luma: 0.299, 0.587 and 0.114.
    FIND_WINDOW_SIZE_DIVISOR : int
        A side divided by it gives the window of the box filter: 64.
    DCT_matrix : list of 16 lists of 64 floats
        Result of ``compute_dct_matrix``, set on construction.

    Examples
    --------
    >>> from PIL import Image
    >>> from finhash import FINDHasher, find_hash
    >>> image = Image.radial_gradient("L")
    >>> hasher = FINDHasher()
    >>> h = hasher.fromImage(image)
    >>> h.hash.shape, h == find_hash(image)
    ((256,), True)
    >>> class Green(FINDHasher):
    ...     LUMA_FROM_R_COEFF, LUMA_FROM_G_COEFF, LUMA_FROM_B_COEFF = 0.0, 1.0, 0.0
    >>> rgb = Image.merge("RGB", [image.rotate(45), image, image.rotate(90)]).resize((40, 30))
    >>> int(Green().fromImage(rgb) - hasher.fromImage(rgb.getchannel("G")))
    0
    """

    LUMA_FROM_R_COEFF, LUMA_FROM_G_COEFF, LUMA_FROM_B_COEFF = reference.LUMA
    FIND_WINDOW_SIZE_DIVISOR = SAMPLES

    def __init__(self) -> None:
        self.DCT_matrix = self.compute_dct_matrix()

    def compute_dct_matrix(self) -> list[list[float]]:
        """Return the DCT matrix: 16 lists of 64 numbers, unscaled and without the constant row.

        Examples
        --------
        >>> from finhash import FINDHasher
        >>> FINDHasher().compute_dct_matrix() == FINDHasher().DCT_matrix
        True
        """
        return [list(row) for row in reference.DCT]

    def fromFile(self, filepath: File) -> "ImageHash":
        """Hash an image file.

        Parameters
        ----------
        filepath : str, bytes, path-like or binary file
            Path of an image file, or a file opened in binary mode, as for ``PIL.Image.open``. An
            open file is read from its start and left open. Bytes are a path; wrap the content of a
            file in ``io.BytesIO``.

        Returns
        -------
        imagehash.ImageHash
            256 integers, 0 or 1, in an array of shape ``(256,)``.

        Raises
        ------
        OSError
            If the file cannot be opened or read, or if its image cannot be hashed.

        Examples
        --------
        >>> import io
        >>> from PIL import Image
        >>> from finhash import FINDHasher
        >>> file = io.BytesIO()
        >>> Image.radial_gradient("L").save(file, "PNG")
        >>> str(FINDHasher().fromFile(file))[:16]
        'f330d332bcccfccc'
        """
        source = filepath
        if isinstance(source, str | bytes | os.PathLike):
            source = os.fsdecode(source)
        if self._keeps(["fromImage"]) and self._keeps_steps():
            return _compiled(source)
        # As in the published class, an own fromImage gets the image with its name, not yet loaded.
        with Image.open(cast("str | IO[bytes]", source)) as image:
            return self.fromImage(image)

    def fromImage(self, img: Image.Image) -> "ImageHash":
        """Hash a PIL image, leaving it as it is.

        Parameters
        ----------
        img : PIL.Image.Image
            Image of any size and mode.

        Returns
        -------
        imagehash.ImageHash
            256 integers, 0 or 1, in an array of shape ``(256,)``.

        Raises
        ------
        finhash.images.ImageError
            If the image has no pixels or is damaged.

        Examples
        --------
        >>> from PIL import Image
        >>> from finhash import FINDHasher
        >>> int(FINDHasher().fromImage(Image.radial_gradient("L")).hash.sum())
        128
        """
        if self._keeps_steps():
            return _compiled(img)
        small = reference.shrink(open_image(img))
        cols, rows = small.size
        luma, blurred = [0.0] * (rows * cols), [0.0] * (rows * cols)
        samples, half_done = _zeros(SAMPLES, SAMPLES), _zeros(KEPT, SAMPLES)
        coefficients = _zeros(KEPT, KEPT)
        self.fillFloatLumaFromBufferImage(small, luma)
        return self.findHash256FromFloatLuma(
            luma, blurred, rows, cols, samples, half_done, coefficients
        )

    def fillFloatLumaFromBufferImage(self, img: Image.Image, luma: Buffer) -> None:
        """Fill ``luma`` with the luma of each pixel, row by row.

        Parameters
        ----------
        img : PIL.Image.Image
            Image of any mode.
        luma : list of float
            Buffer of ``rows * cols`` numbers.

        Examples
        --------
        >>> from PIL import Image
        >>> from finhash import FINDHasher
        >>> luma = [0] * 2
        >>> FINDHasher().fillFloatLumaFromBufferImage(Image.new("RGB", (2, 1), (255, 0, 0)), luma)
        >>> [round(value, 3) for value in luma]
        [76.245, 76.245]
        """
        weights = self.LUMA_FROM_R_COEFF, self.LUMA_FROM_G_COEFF, self.LUMA_FROM_B_COEFF
        values = reference.fill_luma(img, weights)
        luma[: len(values)] = values

    def findHash256FromFloatLuma(
        self,
        fullBuffer1: Buffer,
        fullBuffer2: Buffer,
        numRows: int,
        numCols: int,
        buffer64x64: Rows,
        buffer16x64: Rows,
        buffer16x16: Rows,
    ) -> "ImageHash":
        """Hash luma by the four steps below.

        Parameters
        ----------
        fullBuffer1 : list of float
            Luma, ``numRows * numCols`` numbers, row by row.
        fullBuffer2 : list of float
            Buffer of the same size, filled by ``boxFilter``.
        numRows, numCols : int
            Size of the image, in pixels.
        buffer64x64, buffer16x64, buffer16x16 : list of lists of float
            Buffers; ``decimateFloat`` fills the first and ``dct64To16`` the last one.

        Returns
        -------
        imagehash.ImageHash
            256 integers, 0 or 1, in an array of shape ``(256,)``.

        Examples
        --------
        >>> from finhash import FINDHasher
        >>> luma, blurred = [10.0, 20.0, 30.0, 40.0, 50.0, 70.0], [0] * 6
        >>> samples, half_done = [[0] * 64 for _ in range(64)], [[0] * 64 for _ in range(16)]
        >>> coefficients = [[0] * 16 for _ in range(16)]
        >>> h = FINDHasher().findHash256FromFloatLuma(
        ...     luma, blurred, 2, 3, samples, half_done, coefficients
        ... )
        >>> str(h)[:16]
        'db6d249271c7db6d'
        """
        height = self.computeBoxFilterWindowSize(numRows)
        width = self.computeBoxFilterWindowSize(numCols)
        self.boxFilter(fullBuffer1, fullBuffer2, numRows, numCols, height, width)
        self.decimateFloat(fullBuffer2, numRows, numCols, buffer64x64)
        self.dct64To16(buffer64x64, buffer16x64, buffer16x16)
        return self.dctOutput2hash(buffer16x16)

    @classmethod
    def computeBoxFilterWindowSize(cls, dimension: int) -> int:
        """Return ``dimension / FIND_WINDOW_SIZE_DIVISOR``, rounded up.

        Parameters
        ----------
        dimension : int
            Rows or columns of the image, in pixels.

        Returns
        -------
        int
            Window of the box filter along this side, in pixels.

        Examples
        --------
        >>> from finhash import FINDHasher
        >>> FINDHasher.computeBoxFilterWindowSize(250)
        4
        """
        return window_size(dimension, cls.FIND_WINDOW_SIZE_DIVISOR)

    @classmethod
    def boxFilter(
        cls, input: Sequence[float], output: Buffer, rows: int, cols: int, rowWin: int, colWin: int
    ) -> None:
        """Fill ``output`` with the mean of ``input`` in a window around each pixel.

        Parameters
        ----------
        input : list of float
            Luma, ``rows * cols`` numbers, row by row.
        output : list of float
            Buffer of the same size.
        rows, cols : int
            Size of the image, in pixels.
        rowWin, colWin : int
            Height and width of the window. The filter widens them to even numbers: a window of
            ``w`` covers ``2 * int((w + 2) / 2)`` pixels. At the borders it is clipped.

        Examples
        --------
        >>> from finhash import FINDHasher
        >>> output = [0] * 4
        >>> FINDHasher.boxFilter([1, 2, 3, 4], output, 1, 4, 1, 1)
        >>> output
        [1.0, 1.5, 2.5, 3.5]
        """
        values = reference.box_filter(input, rows, cols, windows=(rowWin, colWin))
        output[: len(values)] = values

    @classmethod
    def decimateFloat(cls, in_: Sequence[float], inNumRows: int, inNumCols: int, out: Rows) -> None:
        """Fill ``out`` with 64 x 64 samples of the filtered image.

        Parameters
        ----------
        in_ : list of float
            Filtered luma, ``inNumRows * inNumCols`` numbers, row by row.
        inNumRows, inNumCols : int
            Size of the image, in pixels. A side of fewer than 64 pixels repeats pixels.
        out : list of 64 lists of 64 floats
            Buffer.

        Examples
        --------
        >>> from finhash import FINDHasher
        >>> out = [[0] * 64 for _ in range(64)]
        >>> FINDHasher.decimateFloat([1.0, 2.0, 3.0, 4.0], 2, 2, out)
        >>> out[0][0], out[0][63], out[63][0], out[63][63]
        (1.0, 2.0, 3.0, 4.0)
        """
        _fill(out, reference.decimate(in_, inNumRows, inNumCols))

    def dct64To16(self, A: Sequence[Sequence[float]], T: Rows, B: Rows) -> None:
        """Fill ``B`` with the lowest 16 x 16 DCT coefficients of ``A``, without the constant ones.

        Parameters
        ----------
        A : list of 64 lists of 64 floats
            Samples.
        T : list of 16 lists of 64 floats
            Not used, as in the published class.
        B : list of 16 lists of 16 floats
            Buffer.

        Examples
        --------
        >>> from finhash import FINDHasher
        >>> A, B = [[1.0] * 64 for _ in range(64)], [[9] * 16 for _ in range(16)]
        >>> FINDHasher().dct64To16(A, [], B)
        >>> max(abs(value) for row in B for value in row) < 1e-9
        True
        """
        _fill(B, reference.dct_64_to_16(A, self.DCT_matrix))

    def dctOutput2hash(self, dctOutput16x16: Sequence[Sequence[float]]) -> "ImageHash":
        """Hash DCT coefficients: each bit says whether a coefficient exceeds the lower median.

        Parameters
        ----------
        dctOutput16x16 : list of 16 lists of 16 floats
            DCT coefficients.

        Returns
        -------
        imagehash.ImageHash
            256 integers, 0 or 1, in an array of shape ``(256,)``; the last coefficient is first.

        Examples
        --------
        >>> from finhash import FINDHasher
        >>> rising = [[16 * i + j for j in range(16)] for i in range(16)]
        >>> str(FINDHasher().dctOutput2hash(rising))
        'ffffffffffffffffffffffffffffffff00000000000000000000000000000000'
        """
        return _image_hash(np.array(reference.hash_bits(dctOutput16x16)))

    @classmethod
    def prettyHash(cls, hash: "ImageHash") -> NDArray[np.int_] | None:
        """Return the bits of a hash as 16 x 16 integers.

        Parameters
        ----------
        hash : imagehash.ImageHash
            Hash of this class or of ``find_hash``.

        Returns
        -------
        ndarray of int, shape (16, 16), or None
            Zeros and ones. If the hash has not 256 bits, a sentence is printed and None returned.

        Examples
        --------
        >>> from PIL import Image
        >>> from finhash import FINDHasher
        >>> FINDHasher.prettyHash(FINDHasher().fromImage(Image.radial_gradient("L")))[0]
        array([1, 1, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0])
        """
        bits = np.asarray(hash.hash)
        if bits.size != KEPT * KEPT:
            print(f"prettyHash takes a hash of {KEPT * KEPT} bits; this one has {bits.size}.")
            return None
        return bits.astype(int).reshape(KEPT, KEPT)

    def _keeps_steps(self) -> bool:
        """Return whether the compiled code does what the members of this object say."""
        # Rows are made lists because an array would be compared number by number.
        return self._keeps(_STEPS) and [*map(list, self.DCT_matrix)] == reference.DCT

    def _keeps(self, names: Iterable[str]) -> bool:
        """Return whether members are this class's own: neither overridden nor assigned."""
        bases = type(self).__mro__
        nearer = (vars(owner) for owner in (self, *bases[: bases.index(FINDHasher)]))
        here = vars(FINDHasher)
        return not any(name in members for members in nearer for name in names) and all(
            here[name] is _OWN[name] for name in names
        )


_OWN = dict(vars(FINDHasher))
"""Members of ``FINDHasher`` as defined here, whatever is assigned to the class later."""

_STEPS = (
    "LUMA_FROM_R_COEFF",
    "LUMA_FROM_G_COEFF",
    "LUMA_FROM_B_COEFF",
    "FIND_WINDOW_SIZE_DIVISOR",
    "fillFloatLumaFromBufferImage",
    "findHash256FromFloatLuma",
    "computeBoxFilterWindowSize",
    "boxFilter",
    "decimateFloat",
    "dct64To16",
    "dctOutput2hash",
)
"""Members that hashes depend on, apart from ``DCT_matrix``."""


def _compiled(source: Source) -> "ImageHash":
    """Hash an image with the compiled code."""
    return _image_hash(np.unpackbits(methods.get("find").hash(source)))


def _image_hash(bits: NDArray[np.integer]) -> "ImageHash":
    """Wrap bits as the published class does, as a flat array of integers."""
    from imagehash import ImageHash  # loads SciPy

    return ImageHash(bits.astype(int).ravel())


def _zeros(rows: int, cols: int) -> list[list[float]]:
    """Return a buffer of rows x cols numbers."""
    return [[0.0] * cols for _ in range(rows)]


def _fill(buffer: Rows, values: Sequence[Sequence[float]]) -> None:
    """Write values into a buffer, which keeps its lists."""
    for i, row in enumerate(values):
        buffer[i][: len(row)] = row
