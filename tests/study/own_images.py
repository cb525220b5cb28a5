"""A folder of labelled images as a user might have, with everything that users' folders hold."""

import random
import shutil
from pathlib import Path

from PIL import Image

from finhash.study.data import drawn, memes

SIZES = [(250, 250), (64, 64), (320, 200), (200, 320), (700, 500), (300, 900), (1200, 900)]
"""Widths and heights of the images, in turn."""


def make(folder: Path, *, families: int = 14, images: int = 6, odd: bool = True) -> Path:
    """Draw captioned images named ``FFFF_ID.jpg`` and return their folder.

    Family numbers have gaps. With ``odd``, two families show one image, one image has a wrong
    label, one family has a single image, a PNG is named ``.jpg``, one file is broken, and two names
    do not match the pattern.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for family in range(families):
        template = drawn.draw_template(7, family)
        for number in range(images):
            rng = random.Random(f"{family} {number}")
            image = memes.render(template, *memes.draw_caption(rng))
            path = folder / f"{3 * family + 5:04d}_{number:05d}.jpg"
            path.write_bytes(image)
            size = SIZES[(family + number) % len(SIZES)]
            with Image.open(path) as square:
                resized = square.resize(size)
            resized.save(path, "JPEG", quality=75)
    if odd:
        _make_odd(folder, sorted(folder.glob("*.jpg")))
    return folder


def _make_odd(folder: Path, paths: list[Path]) -> None:
    """Add to the folder what is wrong in users' folders."""
    by_family: dict[str, list[Path]] = {}
    for path in paths:
        by_family.setdefault(path.name[:4], []).append(path)
    first, second, third, *_ = by_family
    for path in by_family[second]:  # one image under two names
        shutil.copy(path, folder / f"0900_{path.name[5:]}")
    shutil.copy(by_family[first][0], folder / f"{third}_00800.jpg")  # a wrong label
    shutil.copy(by_family[third][0], folder / "0950_00001.jpg")  # a family of one image
    with Image.open(by_family[first][1]) as image:
        image.save(folder / f"{first}_00700.jpg", "PNG")
    (folder / f"{first}_00701.jpg").write_bytes(by_family[first][0].read_bytes()[:500])
    (folder / f"{first}_00702.jpg").write_text("this is not an image")
    shutil.copy(by_family[first][0], folder / "holiday.jpg")
    (folder / "notes.txt").write_text("not an image, and not named like one")
