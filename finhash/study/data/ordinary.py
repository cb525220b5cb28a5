"""Ordinary images: photographs and drawings that are not memes, and their hashes.

The images come from the wheel of scikit-image 0.26.0 and from five packages of wallpapers in
Debian 12: gnome-backgrounds, mate-backgrounds, plasma-workspace-wallpapers, ukui-wallpapers and
xfdesktop4-data. ``data/hashes/ordinary/images.csv`` lists their files, with versions and SHA-256.
The images belong to others and are not in this repository; their hash tables are, beside the list.
Each package states the licences of its files: Creative Commons (CC0, BY-SA), GPL-2+ and BSD.

The list holds all PNG, JPEG and WebP files of wallpapers and sample images with at least 150 pixels
a side, except previews. Of images in several sizes, crops, colours or brightnesses only one is
hashed, as judged by eye on contact sheets before any image was hashed. Transparent
images are left out, because their look depends on the background. SVG files, which Pillow cannot
read, are not listed, nor are the images that scikit-image downloads on demand: their server was
unreachable.

To hash the images again, unpack the packages into one folder and run the module::

    pip download --no-deps scikit-image==0.26.0
    unzip scikit_image-0.26.0-*.whl -d FOLDER
    apt-get download mate-backgrounds  # and the four other packages
    dpkg-deb -x mate-backgrounds_*.deb FOLDER
    python -m finhash.study.data.ordinary FOLDER
"""

import hashlib
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from finhash.images import open_image
from finhash.study import project
from finhash.study.data import committed, transforms
from finhash.study.data.datasets import Dataset
from finhash.tables.hash_table import HashTable

NAME = "ordinary"
"""Name of the folder of hash tables, and of the data set in their provenance."""
SIDE = 250
"""Longer side in pixels to which an image is reduced before it is transformed: that of the memes.
Blur, noise and resizing are then as strong, relative to the image, as they are for memes."""
SUFFIXES = {".jpg", ".png", ".webp"}
"""Endings of the names of listed files."""


def listed() -> pd.DataFrame:
    """Return the list of files, the left out ones included.

    Returns
    -------
    DataFrame
        One row per file:

        name : str
            Name of the image, used as ``path`` in hash tables.
        kind : str
            ``"photograph"``, scientific ones included, or ``"drawing"``, renderings included.
        left_out : str
            Why the file is not hashed: ``"variant of"`` another one, or ``"transparent"``. Empty
            if it is hashed.
        package : str
            Name and version of the package.
        file : str
            Path of the file within the package.
        sha256 : str
            SHA-256 of the file, in hexadecimal.
    """
    return pd.read_csv(project.hashes() / NAME / "images.csv", keep_default_na=False)


def counted() -> pd.DataFrame:
    """Return the rows of ``listed`` whose images are hashed, without the column ``left_out``."""
    images = listed()
    return images[images["left_out"] == ""].drop(columns="left_out").reset_index(drop=True)


def find_images(folder: Path) -> dict[str, Path]:
    """Find the images to hash in ``folder`` and its subfolders, by their SHA-256.

    Returns
    -------
    dict of str to Path
        File of each image, by the image's name, in the order of the list.

    Raises
    ------
    FileNotFoundError
        If an image is missing.
    """
    files = (path for path in sorted(folder.rglob("*")) if path.suffix in SUFFIXES)
    by_digest = {_sha256(path): path for path in files if path.is_file()}
    images = counted()
    missing = images[~images["sha256"].isin(by_digest.keys())]
    if len(missing):
        first = missing.iloc[0]
        raise FileNotFoundError(
            f"{folder} lacks {len(missing)} of {len(images)} images, for example {first['file']} "
            f"of {first['package']}: unpack all packages into it"
        )
    return {
        name: by_digest[sha256]
        for name, sha256 in zip(images["name"], images["sha256"], strict=True)
    }


def hash_images(
    images: dict[str, Path], *, side: int = SIDE, workers: int = 1, progress: bool = True
) -> tuple[HashTable, HashTable]:
    """Hash images unchanged, at their full size, and in each cell of the grid of changes.

    The grid lacks the transforms that change a caption. The processes are spawned, so a script that
    calls this function needs the ``__main__`` guard.

    Parameters
    ----------
    images : dict of str to Path
        File of each image, by the image's name.
    side : int
        Longer side, in pixels, to which a larger image is reduced before it is transformed.
    workers : int
        Number of processes that hash transformed images.
    progress : bool
        Show progress bars.

    Returns
    -------
    unchanged : HashTable
        One row per image; ``path`` is the image's name.
    transformed : HashTable
        One row per image and cell, as from ``transforms.hash_transformed``.
    """
    with TemporaryDirectory() as temporary:
        full, reduced = Path(temporary, "full"), Path(temporary, "reduced")
        for folder in (full, reduced):
            folder.mkdir()
        for name, path in images.items():
            (full / name).symlink_to(path.resolve())
            copy = open_image(path).convert("RGB")
            copy.thumbnail((side, side))
            copy.save(reduced / name, "png")
        originals = Dataset(NAME, full, [full / name for name in images])
        copies = Dataset(NAME, reduced, [reduced / name for name in images])
        methods = committed.TRANSFORMED_METHODS
        unchanged = committed.hash_dataset(originals, methods, progress=progress)
        transformed = transforms.hash_transformed(
            copies, copies.paths, methods, workers=workers, progress=progress
        )
    return unchanged, transformed.with_provenance(**unchanged.provenance, side=side)


def load(kind: str | None = None) -> tuple[HashTable, HashTable]:
    """Load the committed hashes.

    Parameters
    ----------
    kind : str, optional
        Load only the images of this kind: ``"photograph"`` or ``"drawing"``.

    Returns
    -------
    unchanged, transformed : HashTable
        As from ``hash_images``.
    """
    images = counted()
    names = pa.array(images["name"][images["kind"].eq(kind) | (kind is None)])
    tables = (
        committed.load(committed.TRANSFORMED_METHODS, NAME),
        committed.load_transformed(NAME),
    )
    unchanged, transformed = (
        HashTable(table.arrow.filter(pc.is_in(table.arrow["path"], names))) for table in tables
    )
    return unchanged, transformed


EXAMPLE = "Example: FINHASH_OUT=. python -m finhash.study.data.ordinary packages"


@click.command(epilog=EXAMPLE)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(folder: Path) -> None:
    """Hash the ordinary images that FOLDER, with the unpacked packages, holds.

    The hash tables are written to data/hashes/ordinary in the folder FINHASH_OUT, by default build.
    """
    try:
        images = find_images(folder)
    except FileNotFoundError as error:
        raise click.UsageError(str(error)) from error
    unchanged, transformed = hash_images(images, workers=os.cpu_count() or 1)
    committed.save(unchanged)
    committed.save_transformed(transformed)
    click.echo(f"hashed {len(unchanged)} images and {len(transformed)} transformed ones", err=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    main()
