"""Peak memory of a worker that hashes one image at Pillow's limit of pixels.

``FINHASH_OUT=. python -m finhash.study.reliability.memory`` hashes images with twice
``PIL.Image.MAX_IMAGE_PIXELS`` pixels by each method, each in a fresh process, and replaces the
results table ``memory``. It takes some minutes and 4 GB of memory.
"""

import math
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import pandas as pd
from PIL import Image
from tqdm import tqdm

from finhash import methods
from finhash.jobs import chatter
from finhash.study import results
from finhash.study.timing import peak_rss

BY = "finhash.study.reliability.memory"

LIMIT = 178_956_970
"""Pixels of the largest image that Pillow decodes by default."""

KINDS = (("PNG", "L"), ("PNG", "RGB"), ("PNG", "RGBA"), ("JPEG", "RGB"))
"""Formats and modes of the images."""

METHODS = ("find", "find_luma", "ahash256", "dhash256", "phash256", "whash256", "pdq")
"""Methods that are measured, unless their packages are missing."""

EXAMPLE = "Example: FINHASH_OUT=. python -m finhash.study.reliability.memory"


def large_images(folder: Path, pixels: int) -> Iterator[Path]:
    """Write one square image per kind with almost ``pixels`` pixels, and yield its path."""
    side = math.isqrt(pixels)
    for file_format, mode in KINDS:
        path = folder / f"{mode}.{file_format.lower()}"
        image = Image.radial_gradient("L").resize((side, side)).convert(mode)
        image.save(path, **({"compress_level": 1} if file_format == "PNG" else {}))
        yield path


def measure(pixels: int) -> pd.DataFrame:
    """Hash large images in fresh processes.

    Parameters
    ----------
    pixels : int
        Pixels per image.

    Returns
    -------
    DataFrame
        One row per kind of image and method:

        format : str
            Format of the file.
        mode : str
            Pillow's mode of the image.
        method : str
            Name of the hash.
        pixels : int
            Pixels of the image.
        before_bytes : int
            Resident memory before hashing, with all modules loaded.
        peak_bytes : int
            Largest resident memory while hashing.
        bytes_per_pixel : float
            Growth of the memory per pixel of the image.
    """
    names = [name for name in METHODS if not methods.get(name).missing_package()]
    rows: list[dict[str, object]] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        tqdm(total=len(KINDS) * len(names), unit="image", leave=False) as bar,
    ):
        for (file_format, mode), path in zip(
            KINDS, large_images(Path(folder), pixels), strict=True
        ):
            size = math.isqrt(pixels) ** 2
            for name in names:
                before, peak = peak_rss(hash_file, path, name)
                rows.append(
                    {
                        "format": file_format,
                        "mode": mode,
                        "method": name,
                        "pixels": size,
                        "before_bytes": before,
                        "peak_bytes": peak,
                        "bytes_per_pixel": (peak - before) / size,
                    }
                )
                bar.update()
    return pd.DataFrame(rows)


def hash_file(path: Path, method: str) -> bytes:
    """Return the hash of a file by one method, without Pillow's warning of its size."""
    chatter.discard()
    return methods.get(method).hash(path).tobytes()


@click.command(epilog=EXAMPLE, context_settings={"show_default": True})
@click.option("--pixels", type=click.IntRange(1), default=LIMIT, help="Pixels per image.")
def main(pixels: int) -> None:
    """Measure the memory that a worker needs for one large image, and save the table."""
    table = measure(pixels)
    about = f"drawn images of {math.isqrt(pixels) ** 2:,} pixels"
    results.save(table, "memory", by=BY, data=about, machine={"run": results.GENERATED})
    click.echo(table.to_string(index=False))


if __name__ == "__main__":
    main()
