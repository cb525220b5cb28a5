"""Images with other caption layouts, made from the stand-in's templates, and their hashes.

The stand-in breaks a caption once and then reduces the font, so each caption has at most two lines
and ends above row 67 of 250. Real captions are often broken into more lines. Here, the same
templates and the same font carry captions of one to four lines, or one caption across the middle.
"""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import groupby, product
from pathlib import Path

import imagehash
import numpy as np
import pandas as pd
import pyarrow as pa
from PIL import Image

from finhash import methods
from finhash.images import open_image
from finhash.study import project
from finhash.study.data import datasets, memes, standin
from finhash.study.data.standin import StandIn
from finhash.study.data.transforms import hash_in_processes
from finhash.tables.hash_table import HashTable
from finhash.tables.schema import schema as table_schema

CHUNK = 8
"""Number of families, or of images, that a process takes at a time."""

METHODS = ("find", "find_middle", "dhash256")
"""Methods of the library that hash these images."""

DHASH_MIDDLE = "dhash_middle"
"""Column that holds the 256-bit dHash of the middle half of the image.

The middle half is the part that ``find_middle`` hashes. The library has no such method.
"""

MOST_LINES = 4
"""Largest number of lines of a caption; a longer caption gets a smaller font."""

Caption = tuple[str, str]
"""The upper and the lower caption of an image of the stand-in."""

Blocks = tuple[str, str, str]
"""The upper, the lower and the middle caption of an image; lines are separated by newlines."""

Layout = Callable[[Caption, random.Random], Blocks]
"""Function that makes the captions of an image from its stand-in caption and a random stream."""


def wrap(text: str) -> str:
    r"""Break a caption into as many lines as it needs at the largest font size.

    A caption that needs more than ``MOST_LINES`` lines is broken at a smaller size.

    Examples
    --------
    >>> wrap("THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG")
    'THE QUICK BROWN FOX\nJUMPS OVER THE LAZY\nDOG'
    """
    size, lines = memes.LARGEST_FONT, _lines(text, memes.LARGEST_FONT)
    while len(lines) > MOST_LINES:
        size -= 1
        lines = _lines(text, size)
    return "\n".join(lines)


def line_count(text: str) -> int:
    """Return the number of lines of a caption; 0 if it is empty."""
    return len(text.splitlines())


def _lines(text: str, size: int) -> list[str]:
    """Return the lines of a text in which each takes as many words as fit its width."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and memes.font(size).getlength(longer) <= memes.LINE_WIDTH:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _natural(caption: Caption, _: random.Random) -> Blocks:
    top, bottom = caption
    return wrap(top), wrap(bottom), ""


def _across_middle(caption: Caption, _: random.Random) -> Blocks:
    return "", "", wrap(" ".join(caption))


def _full_lines(lines: int) -> Layout:
    return lambda _, rng: (memes.fill(rng, lines), memes.fill(rng, lines), "")


LAYOUTS: Mapping[str, Layout] = {
    "stand-in": lambda caption, _: (*caption, ""),
    "natural": _natural,
    "1 full line": _full_lines(1),
    "2 full lines": _full_lines(2),
    "3 full lines": _full_lines(3),
    "4 full lines": _full_lines(4),
    "across the middle": _across_middle,
}
"""Layout -> function that returns the captions of an image, given those of the stand-in.

``"stand-in"`` gives the images of the stand-in itself. ``"natural"`` has the same words, with the
line breaks of ``wrap``; ``"across the middle"`` has them in one caption, centred vertically. The
other layouts have an upper and a lower caption of full lines. Four lines at the top and at the
bottom cover the whole height, and overlap by 9 pixels.
"""


def images(scale: project.Scale) -> list[str]:
    """Return the names of the images that have layouts: some of every second family.

    Bits and thresholds can thus be chosen on the remaining families.

    Examples
    --------
    >>> images(project.SCALES["smoke"])[:4]
    ['0000_00000.jpg', '0000_00001.jpg', '0002_00000.jpg', '0002_00001.jpg']
    """
    each = scale.pick(full=4, quick=3, smoke=2)
    return [
        f"{family:04d}_{number:05d}.jpg"
        for family in range(memes.FAMILIES)[: scale.families : 2]
        for number in range(each)
    ]


def render(source: StandIn, blank: Image.Image, name: str, layout: str) -> bytes:
    """Return an image of the stand-in ``source`` with its captions in a layout, as JPEG bytes.

    ``blank`` is the blank template of its family, which several images share.
    """
    family, number = datasets.family_and_number(name)
    rng = random.Random(f"{layout} {source.seed} {family} {number}")
    return memes.render(blank, *LAYOUTS[layout](source.caption(family, number), rng))


def count_lines(names: Iterable[str], source: StandIn = standin.MEMES) -> pd.DataFrame:
    """Count the lines of natural captions.

    Parameters
    ----------
    names : iterable of str
        File names of images.
    source : StandIn
        Stand-in that has the images.

    Returns
    -------
    DataFrame
        One row per number of lines:

        lines : int
            Number of lines, from 0 to ``MOST_LINES``.
        captions : float
            Share of the captions, two per image, that have this many lines.
        images : float
            Share of the images whose longer caption has this many lines.

    Examples
    --------
    >>> count_lines(["0000_00000.jpg"])["images"].tolist()
    [0.0, 0.0, 0.0, 1.0, 0.0]
    """
    captions = [source.caption(*datasets.family_and_number(name)) for name in names]
    lines = np.array([[line_count(wrap(text)) for text in caption] for caption in captions])
    shares = {
        "captions": np.bincount(lines.ravel(), minlength=MOST_LINES + 1) / lines.size,
        "images": np.bincount(lines.max(axis=1), minlength=MOST_LINES + 1) / len(lines),
    }
    return pd.DataFrame({"lines": np.arange(MOST_LINES + 1), **shares})


def dhash_middle(image: Image.Image) -> np.ndarray:
    """Return the 256-bit dHash of the middle half of the rows, packed: ``uint8 [32]``.

    Examples
    --------
    >>> dhash_middle(Image.linear_gradient("L").rotate(90)).any()
    np.True_
    """
    quarter = image.height // 4
    middle = image.crop((0, quarter, image.width, image.height - quarter))
    return np.packbits(imagehash.dhash(middle, hash_size=16).hash)


def hash_layouts(
    source: StandIn, names: Sequence[str], *, workers: int = 1, progress: bool = True
) -> HashTable:
    """Render and hash images in every layout.

    The processes are spawned, so a script that calls this function needs the ``__main__`` guard.

    Parameters
    ----------
    source : StandIn
        Stand-in that has the images and the templates.
    names : sequence of str
        File names of its images, as from ``images``; those of a family must be adjacent.
    workers : int
        Number of processes.
    progress : bool
        Show a progress bar.

    Returns
    -------
    HashTable
        One row per image and layout:

        path : str
            File name of the image.
        layout : str
            Key of ``LAYOUTS``.
        find, find_middle, dhash256, dhash_middle : bytes
            Packed hashes.
        error : str
            Always empty.
    """
    schema = _schema(METHODS).insert(1, pa.field("layout", pa.string(), nullable=False))
    families = [list(group) for _, group in groupby(names, lambda name: name[:4])]
    hash_one = partial(_hash_family, source)
    return hash_in_processes(
        hash_one, families, schema, "layouts", workers=workers, progress=progress, chunk=CHUNK
    )


def hash_middle(paths: Sequence[Path], *, workers: int = 1, progress: bool = True) -> HashTable:
    """Hash the middle half of image files with dHash.

    The processes are spawned, so a script that calls this function needs the ``__main__`` guard.

    Parameters
    ----------
    paths : sequence of Path
        Readable image files.
    workers : int
        Number of processes.
    progress : bool
        Show a progress bar.

    Returns
    -------
    HashTable
        One row per image:

        path : str
            File name of the image.
        dhash_middle : bytes
            Packed hash.
        error : str
            Always empty.
    """
    return hash_in_processes(
        _hash_middle, paths, _schema(()), "dHash", workers=workers, progress=progress, chunk=CHUNK
    )


def _hash_family(source: StandIn, names: Sequence[str]) -> list[dict]:
    """Return the rows of images of one family, one per image and layout."""
    blank = source.template(datasets.family_and_number(names[0])[0])
    found = []
    for name, layout in product(names, LAYOUTS):
        # Decode once for all methods: each of them would decode the same pixels.
        image = open_image(render(source, blank, name, layout))
        hashes = {method: methods.get(method).hash(image).tobytes() for method in METHODS}
        hashes[DHASH_MIDDLE] = dhash_middle(image).tobytes()
        found.append({"path": name, "layout": layout, **hashes, "error": ""})
    return found


def _hash_middle(path: Path) -> list[dict]:
    hashed = dhash_middle(open_image(path)).tobytes()
    return [{"path": path.name, DHASH_MIDDLE: hashed, "error": ""}]


def _schema(names: Sequence[str]) -> pa.Schema:
    """Return the schema of a hash table of these methods and of ``DHASH_MIDDLE``."""
    schema = table_schema(names, facts=False)
    return schema.insert(len(schema) - 1, pa.field(DHASH_MIDDLE, pa.binary(32)))
