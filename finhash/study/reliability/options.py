"""What preparation and quality cost per image, and how many bits of FINd a preparation changes.

``FINHASH_OUT=. python -m finhash.study.reliability.options`` draws images and saves two tables.
``options_bits`` holds the distances between the hashes of two files of one image: as an 8-bit and a
16-bit grey image; upright and turned with an EXIF orientation; with two sets of colours under full
transparency. ``options_cost`` holds the CPU time of making a row.
"""

import io
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from finhash import images, methods
from finhash.find import loading
from finhash.jobs.items import DEFAULTS, Options
from finhash.jobs.rows import hash_batch
from finhash.preparation import AS_STORED, Preparation
from finhash.study import project, results
from finhash.tables.provenance import versions

BY = "finhash.study.reliability.options"

SIDE = 250
"""Rows and columns of the drawn images, about the size of the memes."""

TIMED = 20
"""Images of each kind that are timed."""

TURNED = 6
"""EXIF orientation of an image that a quarter turn clockwise sets upright."""

BITS_COLUMNS = ["files", "preparation", "images", "median_bits", "most_bits", "within_52"]
"""Columns of ``bits``."""

OPTIONS = {
    "none": DEFAULTS,
    "quality": Options(quality=True),
    "background": Options(Preparation(background="white")),
    "exif": Options(Preparation(exif=True)),
    "background and exif": Options(Preparation(background="white", exif=True)),
}
"""Options of which ``cost`` takes the time, by name."""


def drawn(number: int) -> Image.Image:
    """Return an image of coloured patches, ``SIDE`` x ``SIDE`` pixels; about 12 KB as a JPEG."""
    patches = np.random.default_rng([project.SEED, number]).integers(0, 256, (25, 25, 3), np.uint8)
    return Image.fromarray(patches).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str, orientation: int | None = None) -> bytes:
    """Return an image as a file, with an EXIF orientation unless that is None."""
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    file = io.BytesIO()
    image.save(file, kind, exif=exif)
    return file.getvalue()


def grey_twins(number: int) -> tuple[bytes, bytes]:
    """Return a grey image as PNGs of 8 and of 16 bits per pixel."""
    grey = np.asarray(drawn(number).convert("L"))
    wide = Image.fromarray(grey.astype(np.uint16) * 257)
    return encoded(Image.fromarray(grey), "PNG"), encoded(wide, "PNG")


def turned_twins(number: int) -> tuple[bytes, bytes]:
    """Return an image as an upright PNG, and as one stored in a quarter turn with EXIF data."""
    image = drawn(number)
    stored = image.transpose(Image.Transpose.ROTATE_90)
    return encoded(image, "PNG"), encoded(stored, "PNG", TURNED)


def transparent_twins(number: int) -> tuple[bytes, bytes]:
    """Return two PNGs that differ only in the colours of a fully transparent quarter."""
    found = []
    for hidden in (drawn(number + 1), Image.new("RGB", (SIDE, SIDE))):
        hidden.putalpha(0)
        image = drawn(number).convert("RGBA")
        image.paste(hidden.crop((0, 0, SIDE // 2, SIDE // 2)), (0, 0))
        found.append(encoded(image, "PNG"))
    return found[0], found[1]


TWINS: dict[str, tuple[Callable[[int], tuple[bytes, bytes]], list[Preparation]]] = {
    "8-bit and 16-bit grey": (grey_twins, [AS_STORED]),
    "upright and turned with EXIF": (turned_twins, [AS_STORED, Preparation(exif=True)]),
    "other colours under transparency": (transparent_twins, [AS_STORED, Preparation("white")]),
}
"""Functions that return two files of one image, and the preparations to compare them under."""


def bits(count: int) -> pd.DataFrame:
    """Compare the FINd hashes of two files of one image, for ``count`` images of each kind.

    Returns
    -------
    pandas.DataFrame
        Columns:

        files : str
            How the two files differ.
        preparation : str
            What is done to both before they are hashed.
        images : int
            Number of images.
        median_bits, most_bits : float, int
            Median and largest distance of the two hashes, in bits.
        within_52 : float
            Share of the images whose hashes are within 52 bits.
    """
    find = methods.get("find")
    rows = []
    for files, (twins, preparations) in TWINS.items():
        pairs = [twins(number) for number in tqdm(range(count), files, unit="image", leave=False)]
        for preparation in preparations:
            hashes = [[find.hash(preparation.apply(file)) for file in pair] for pair in pairs]
            apart = np.array([np.bitwise_count(one ^ two).sum() for one, two in hashes])
            rows.append(
                [
                    *(files, str(preparation), count),
                    *(np.median(apart), apart.max(), (apart <= 52).mean()),
                ]
            )
    return pd.DataFrame(rows, columns=BITS_COLUMNS)


def cost(repeats: int, folder: Path) -> pd.DataFrame:
    """Measure the CPU time per image of making rows with FINd, for files of four kinds.

    CPU time depends little on what else the machine does. Options take turns.

    Returns
    -------
    pandas.DataFrame
        Columns:

        kind : str
            Kind of file.
        options : str
            Key of ``OPTIONS``; or ``"orientation alone"``, the time of reading the EXIF
            orientation from encoded bytes, which each row includes.
        microseconds : float
            Median over ``repeats`` of the mean CPU time per image.
        added : float
            The same less that without options; missing for ``"orientation alone"``.
    """
    loading.load()
    calls: dict[tuple[str, str], Callable[[], object]] = {}
    for kind, files in _kinds(folder):
        items = [(str(file), str(file), None) for file in files]
        for name, options in OPTIONS.items():
            make = partial(hash_batch, items, [methods.get("find")], versions(), options)
            calls[kind, name] = make
        contents = [file.read_bytes() for file in files]
        calls[kind, "orientation alone"] = partial(_each, images.orientation, contents)
    times: dict[tuple[str, str], list[float]] = {key: [] for key in calls}
    for _ in tqdm(range(repeats), "cost", unit="round", leave=False):
        for key, call in calls.items():
            start = time.process_time()
            call()
            times[key].append((time.process_time() - start) / TIMED * 1e6)
    table = pd.DataFrame(
        [(*key, np.median(found)) for key, found in times.items()],
        columns=["kind", "options", "microseconds"],
    )
    plain = table[table["options"] == "none"].set_index("kind")["microseconds"]
    added = table["microseconds"] - table["kind"].map(plain)
    return table.assign(added=added.where(table["options"] != "orientation alone"))


def _kinds(folder: Path) -> Iterator[tuple[str, list[Path]]]:
    """Write the files that are timed; yield each kind with its files."""
    makers: dict[str, Callable[[Image.Image], bytes]] = {
        "JPEG": partial(encoded, kind="JPEG"),
        "JPEG with EXIF": partial(encoded, kind="JPEG", orientation=TURNED),
        "PNG": partial(encoded, kind="PNG"),
        "transparent PNG": lambda image: encoded(_faded(image), "PNG"),
    }
    for kind, make in makers.items():
        files = [folder / f"{kind} {number}" for number in range(TIMED)]
        for number, file in enumerate(files):
            file.write_bytes(make(drawn(number)))
        yield kind, files


def _faded(image: Image.Image) -> Image.Image:
    """Return an image that is ever more transparent from one corner to the others."""
    faded = image.copy()
    faded.putalpha(Image.radial_gradient("L").resize(image.size))
    return faded


def _each(function: Callable[[bytes], object], values: list[bytes]) -> None:
    """Call a function with each value."""
    for value in values:
        function(value)


@click.command()
@click.option("--images", "count", default=300, show_default=True, help="Images of each kind.")
@click.option("--repeats", default=31, show_default=True, help="Measurements of each time.")
def main(count: int, repeats: int) -> None:
    """Measure, and save both tables."""
    about = f"{count:,} drawn images of {SIDE} x {SIDE} pixels"
    table = bits(count)
    results.save(table, "options_bits", by=BY, data=about, machine={"run": results.GENERATED})
    print(table.to_string(index=False))
    with TemporaryDirectory() as folder:
        table = cost(repeats, Path(folder))
    about = f"{TIMED} drawn images of {SIDE} x {SIDE} pixels of each kind"
    results.save(table, "options_cost", by=BY, data=about, machine={"run": results.GENERATED})
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
