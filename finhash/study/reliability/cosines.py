"""Cosines of other C libraries, and the bits that they would have changed.

FINd's DCT matrix holds 1,024 cosines. The published program takes them from the C library, finhash
computes them itself, correctly rounded. ``finhash.study.reliability.platforms`` saves the tables.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
import pandas as pd

from finhash.find import plain
from finhash.find.geometry import DCT
from finhash.study.reliability.platform_tables import ANGLES

PROGRAM = """
#include <math.h>
#include <stdio.h>

int main(void)
{
    double x;
    while (fread(&x, sizeof x, 1, stdin) == 1) {
        x = cos(x);
        fwrite(&x, sizeof x, 1, stdout);
    }
    return 0;
}
"""
"""C program that replaces numbers by their cosines."""


class Library(NamedTuple):
    """A C library, as a compiler and perhaps an emulator reach it."""

    name: str
    """Name of the library, and of the processor if it is not this one."""

    compiler: tuple[str, ...]
    """Command that compiles and links the program."""

    emulator: tuple[str, ...] = ()
    """Command that runs the program."""


LIBRARIES = (
    Library("glibc", ("gcc",)),
    Library("glibc on Nehalem", ("gcc", "-static"), ("qemu-x86_64", "-cpu", "Nehalem")),
    Library("glibc on Haswell", ("gcc", "-static"), ("qemu-x86_64", "-cpu", "Haswell-noTSX")),
    Library("musl", ("musl-gcc", "-static")),
    Library("x87 instruction fcos", ("gcc", "-O2", "-ffast-math", "-mfpmath=387")),
)
"""Libraries that are tried; those whose programs are missing are left out."""

FLAT_SIDE = 250
"""Rows and columns of a flat image."""


def matrices() -> Iterator[tuple[str, np.ndarray]]:
    """Yield names and DCT matrices: of each C library found here, of NumPy, and a changed one.

    Yields
    ------
    name : str
        The origin of the cosines.
    matrix : ndarray of float64, shape (16, 64)
        The DCT matrix.
    """
    with tempfile.TemporaryDirectory() as folder:
        for library in LIBRARIES:
            programs = (library.compiler[0], *library.emulator[:1])
            if all(map(shutil.which, programs)):
                yield library.name, of_library(library, Path(folder))
    yield "NumPy", np.cos(ANGLES)
    yield "one value changed in its last bit", one_bit_off()


def of_library(library: Library, folder: Path) -> np.ndarray:
    """Return the DCT matrix by a C library; ``folder`` holds the program while it is needed.

    Returns
    -------
    ndarray of float64, shape (16, 64)
        Cosines of the angles of the DCT matrix.
    """
    source, program = folder / "cosines.c", folder / "cosines"
    source.write_text(PROGRAM)
    subprocess.run([*library.compiler, source, "-o", program, "-lm"], check=True)
    given = np.array(ANGLES).tobytes()
    done = subprocess.run(
        [*library.emulator, program], input=given, stdout=subprocess.PIPE, check=True
    )
    return np.frombuffer(done.stdout).reshape(DCT.shape)


def one_bit_off() -> np.ndarray:
    """Return the DCT matrix with its first value increased by its last bit.

    Examples
    --------
    >>> int(np.count_nonzero(one_bit_off() != DCT))
    1
    """
    matrix = DCT.copy()
    matrix[0, 0] = np.nextafter(matrix[0, 0], 2)
    return matrix


def hashes(images: Sequence[np.ndarray], matrix: np.ndarray) -> np.ndarray:
    """Hash images with FINd in NumPy, with another DCT matrix.

    Parameters
    ----------
    images : sequence of ndarray of uint8, shape (rows, cols, 3)
        Pixels, at most 512 per side.
    matrix : ndarray of float64, shape (16, 64)
        The DCT matrix.

    Returns
    -------
    ndarray of uint8, shape (n_images, 32)
        The hashes.

    Examples
    --------
    >>> hashes([np.zeros((64, 64, 3), np.uint8)], DCT).shape
    (1, 32)
    """
    with patch.multiple(plain, DCT=matrix, DCT_T=np.ascontiguousarray(matrix.T)):
        return np.stack([plain.hash_rgb(image) for image in images])


def flat_images() -> list[np.ndarray]:
    """Return flat images of all 256 greys, ``uint8 [250, 250, 3]`` each.

    Examples
    --------
    >>> len(flat_images())
    256
    """
    shape = (FLAT_SIDE, FLAT_SIDE, 3)
    return [np.full(shape, grey, np.uint8) for grey in range(256)]


def compare(
    matrices: Iterator[tuple[str, np.ndarray]], sets: Mapping[str, Sequence[np.ndarray]]
) -> pd.DataFrame:
    """Count the values and the bits that other DCT matrices change.

    Parameters
    ----------
    matrices : iterator of (str, ndarray of float64, shape (16, 64))
        Names and DCT matrices.
    sets : mapping of str to sequence of ndarray of uint8
        Images by the name of their set.

    Returns
    -------
    DataFrame
        One row per matrix and set of images:

        cosines : str
            Origin of the matrix.
        values : int
            Number of the 1,024 values that differ from the correctly rounded ones.
        most_ulps : int
            Largest difference of a value, in units of its last bit.
        set : str
            Name of the set of images.
        images : int
            Number of images.
        changed : int
            Number of images whose FINd hash differs.
        bits : int
            Number of bits that differ, of all images together.

    Examples
    --------
    >>> table = compare(iter([("same", DCT)]), {"black": flat_images()[:1]})
    >>> table.to_dict("records")
    [{'cosines': 'same', 'values': 0, 'most_ulps': 0,
      'set': 'black', 'images': 1, 'changed': 0, 'bits': 0}]
    """
    expected = {name: hashes(images, DCT) for name, images in sets.items()}
    rows = []
    for origin, matrix in matrices:
        ulps = np.abs(matrix.view(np.int64) - DCT.view(np.int64))
        values = [origin, np.count_nonzero(ulps), ulps.max()]
        for name, images in sets.items():
            bits = np.bitwise_count(hashes(images, matrix) ^ expected[name]).sum(axis=1, dtype=int)
            rows.append([*values, name, len(images), np.count_nonzero(bits), bits.sum()])
    columns = ["cosines", "values", "most_ulps", "set", "images", "changed", "bits"]
    return pd.DataFrame(rows, columns=columns)
