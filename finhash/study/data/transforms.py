"""Transformed images: a grid of realistic changes, and hashes of what they produce.

The grid has 16 transforms with at least three strengths each; a *cell* is one transform at one
strength. A transformed image is encoded as JPEG and decoded again before hashing, as if it had been
found online. Each random transform has its own stream, seeded by the project's seed, the transform,
its strength and the image, so the bytes depend neither on the order nor on the number of workers.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps
from tqdm import tqdm

from finhash import methods
from finhash.images import open_image
from finhash.study import project
from finhash.study.data import datasets, memes, standin
from finhash.tables.hash_table import HashTable
from finhash.tables.schema import schema as table_schema

T = TypeVar("T")

LARGEST = 1024
"""Longest side of an image that is transformed, in pixels; larger images are shrunk first.

The strongest enlargement of a photograph of 4,000 pixels would need a gigabyte.
"""
QUALITY = 95
"""JPEG quality of a transformed image, except where the transform sets the quality."""

CELL = ["transform", "strength"]
"""Columns that identify a cell of the grid."""

FROM_TEMPLATE = {"caption_changed", "caption_removed"}
"""Transforms that render the image again and therefore need its blank template."""

Strength = float | str


@dataclass(frozen=True)
class Subject:
    """An image to transform. Template and caption are known only if it is the stand-in's."""

    path: Path

    @cached_property
    def image(self) -> Image.Image:
        """The decoded image, RGB, with sides of at most ``LARGEST`` pixels."""
        image = open_image(self.path).convert("RGB")
        image.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
        return image

    @cached_property
    def template(self) -> Image.Image:
        """The blank template from which the image was rendered, RGB."""
        return self._standin.template(datasets.family_and_number(self.path)[0])

    @cached_property
    def caption(self) -> tuple[str, str]:
        """The upper and the lower caption of the image."""
        return self._standin.caption(*datasets.family_and_number(self.path))

    @property
    def _standin(self) -> standin.StandIn:
        """The stand-in that rendered the image; it is named like the image's folder."""
        return standin.STANDINS[self.path.parent.name]

    def stream(self, transform: str, strength: Strength) -> random.Random:
        """Return the random stream for one transform of this image."""
        return random.Random(f"{transform} {strength} {project.SEED} {self.path.stem}")


@dataclass(frozen=True)
class Transform:
    """A kind of change to an image.

    Attributes
    ----------
    name : str
        Name in tables.
    label : str
        Name in prose.
    unit : str
        Meaning of the strengths.
    strengths : tuple of float or str
        In the order drawn, roughly from mild to strong.
    function : callable
        Takes the subject and a strength; returns an image, or JPEG bytes.
    """

    name: str
    label: str
    unit: str
    strengths: tuple[Strength, ...]
    function: Callable[[Subject, Any], Image.Image | bytes]

    def apply(self, subject: Subject, strength: Strength) -> bytes:
        """Return the transformed image as JPEG bytes."""
        made = self.function(subject, strength)
        return made if isinstance(made, bytes) else memes.jpeg(made, QUALITY)


def grid(dataset: str) -> list[str]:
    """Return the names of the transforms that can be applied to a data set.

    Only a stand-in's templates are known, so other data sets lack the transforms of captions.
    """
    known = dataset in standin.STANDINS
    return [name for name in TRANSFORMS if known or name not in FROM_TEMPLATE]


def described() -> pd.DataFrame:
    """Describe the grid.

    Returns
    -------
    DataFrame
        One row per transform, indexed by its name:

        change : str
            What the transform changes.
        unit : str
            Meaning of the strengths.
        strengths : str
            All strengths, separated by commas, in the order drawn: roughly from mild to strong.
    """
    texts = [(t.label, t.unit, ", ".join(map(str, t.strengths))) for t in TRANSFORMS.values()]
    return pd.DataFrame(texts, index=list(TRANSFORMS), columns=["change", "unit", "strengths"])


def queries(dataset: datasets.Dataset, number: int) -> list[Path]:
    """Return the first readable image of each of ``number`` evenly spaced families.

    There are fewer if the data set has fewer families. A family without a readable image is passed
    over.
    """
    families = list(dataset.by_family().values())
    number = min(number, len(families))
    chosen = (families[k * len(families) // number] for k in range(number))
    firsts = (next(filter(datasets.readable, family), None) for family in chosen)
    return [path for path in firsts if path is not None]


def hash_transformed(
    dataset: datasets.Dataset,
    paths: Sequence[Path],
    names: Sequence[str],
    *,
    workers: int = 1,
    progress: bool = True,
) -> HashTable:
    """Hash each image in every cell of the grid.

    The processes are spawned, so a script that calls this function needs the ``__main__`` guard.

    Parameters
    ----------
    dataset : Dataset
        Data set of the images; its name decides which transforms apply.
    paths : sequence of Path
        Images to transform.
    names : sequence of str
        Names of the hash methods.
    workers : int
        Number of processes.
    progress : bool
        Show a progress bar.

    Returns
    -------
    HashTable
        One row per image and cell:

        path : str
            File name of the unchanged image.
        transform : str
            Name of the transform.
        strength : str
            Strength of the transform, as text.
        (name of a method) : bytes
            Packed hash; null if there is an error.
        error : str
            Why the image could not be transformed or hashed; otherwise empty.
    """
    schema = table_schema(names, facts=False)
    for position, column in enumerate(CELL, start=1):
        schema = schema.insert(position, pa.field(column, pa.string(), nullable=False))
    hash_one = partial(_hash_cells, transforms=grid(dataset.name), names=names)
    table = hash_in_processes(
        hash_one, paths, schema, "transforms", workers=workers, progress=progress
    )
    return table.with_provenance(dataset=dataset.name, fingerprint=dataset.fingerprint)


def hash_in_processes(
    hash_one: Callable[[T], list[dict]],
    items: Sequence[T],
    schema: pa.Schema,
    title: str,
    *,
    workers: int,
    progress: bool,
    chunk: int = 1,
) -> HashTable:
    """Return the table of the rows that ``hash_one`` returns for each item.

    Parameters
    ----------
    hash_one : callable
        Function of a module; it runs in the processes.
    items : sequence
        Arguments of ``hash_one``.
    schema : pyarrow.Schema
        Columns of the table.
    title : str
        Title of the progress bar.
    workers : int
        Number of processes.
    progress : bool
        Show a progress bar.
    chunk : int
        Number of items that a process takes at a time.
    """
    with project.spawn_pool(workers) as pool:
        found = pool.map(hash_one, items, chunksize=chunk)
        bar = tqdm(found, title, len(items), disable=not progress, leave=False)
        return HashTable(pa.Table.from_pylist([row for item in bar for row in item], schema))


def _hash_cells(path: Path, transforms: Sequence[str], names: Sequence[str]) -> list[dict]:
    """Return the rows of one image, one per cell."""
    subject, found = Subject(path), []
    for name in transforms:
        for strength in TRANSFORMS[name].strengths:
            row = {"path": path.name, "transform": name, "strength": str(strength), "error": ""}
            try:
                # Decode once for all methods: each of them would decode the same pixels.
                image = open_image(TRANSFORMS[name].apply(subject, strength))
                row |= {method: methods.get(method).hash(image).tobytes() for method in names}
            except Exception as error:
                row["error"] = f"{type(error).__name__}: {error}"
            found.append(row)
    return found


def _resize(image: Image.Image, across: float, down: float) -> Image.Image:
    size = (max(1, round(image.width * across)), max(1, round(image.height * down)))
    return image.resize(size, Image.Resampling.LANCZOS)


def _add_noise(subject: Subject, sigma: float) -> Image.Image:
    pixels = np.asarray(subject.image)
    rng = np.random.default_rng(subject.stream("noise", sigma).getrandbits(64))
    noisy = pixels + rng.normal(0, sigma, pixels.shape)
    return Image.fromarray(noisy.round().clip(0, 255).astype(np.uint8))


def _gamma(image: Image.Image, exponent: float) -> Image.Image:
    return image.point([round(255 * (value / 255) ** exponent) for value in range(256)] * 3)


def _crop(image: Image.Image, percent: float) -> Image.Image:
    """Cut off this percentage at each side; if it is negative, add a black border instead."""
    x, y = (round(side * percent / 100) for side in image.size)
    return image.crop((x, y, image.width - x, image.height - y))


def _watermark(subject: Subject, opacity: float) -> Image.Image:
    """Write three words across the middle, 80 % of the width wide."""
    text = memes.words(subject.stream("watermark", opacity), 3)
    image = subject.image.copy()
    font = memes.font(max(1, int(80 * image.width / memes.font(100).getlength(text))))
    place = (image.width / 2, image.height / 2)
    ImageDraw.Draw(image).text(
        place, text, "white", font, "mm", stroke_width=1, stroke_fill="black"
    )
    return Image.blend(subject.image, image, opacity)


def _other_caption(subject: Subject, length: str) -> Image.Image:
    rng = subject.stream("caption_changed", length)
    lines = {"2 lines": 2, "3 lines": 3}.get(length)
    halves = [memes.fill(rng, lines) for _ in range(2)] if lines else memes.draw_caption(rng)
    return open_image(memes.render(subject.template, *halves))


def _without_caption(subject: Subject, removed: str) -> Image.Image:
    upper, lower = subject.caption
    kept = {"upper": ("", lower), "lower": (upper, ""), "both": ("", "")}
    return open_image(memes.render(subject.template, *kept[removed]))


def _screenshot(image: Image.Image, screen: str) -> Image.Image:
    """Show the image in a post on an upright phone screen with this aspect ratio.

    The screen is as wide as the image; it is wider if the image is so narrow that the post, whose
    bars take 34 pixels above and below the image, would not fit.
    """
    long, short = map(float, screen.split(":"))
    width = max(image.width, math.ceil((image.height + 2 * 34) * short / long), NARROWEST)
    height = round(width * long / short)
    top = (height - image.height) // 2
    foot = top + image.height
    shot = Image.new("RGB", (width, height), "white")
    shot.paste(image, ((width - image.width) // 2, top))
    draw = ImageDraw.Draw(shot)
    draw.text((8, 2), "12:30", "black", memes.font(10))
    draw.rectangle((width - 26, 4, width - 8, 11), "black")
    draw.ellipse((8, top - 24, 28, top - 4), "steelblue")
    draw.rectangle((36, top - 18, width // 2, top - 10), "darkgrey")
    for x in (8, 36, 64):
        draw.ellipse((x, foot + 6, x + 16, foot + 22), outline="black", width=2)
    draw.rectangle((width // 3, height - 7, 2 * width // 3, height - 5), "black")
    return shot


NARROWEST = 74
"""Smallest width of a screenshot, in pixels: a line of the post spans from 36 to half of it."""

FLIPS = {
    "horizontal": Image.Transpose.FLIP_LEFT_RIGHT,
    "vertical": Image.Transpose.FLIP_TOP_BOTTOM,
    "both": Image.Transpose.ROTATE_180,
}

COLOURS = {
    "half": lambda image: ImageEnhance.Color(image).enhance(0.5),
    "16 colours": lambda image: image.quantize(16).convert("RGB"),
    "grey": ImageOps.grayscale,
}


def _registry() -> dict[str, Transform]:
    blur, contrast = ImageFilter.GaussianBlur, ImageEnhance.Contrast
    cubic, screens = Image.Resampling.BICUBIC, ("4:3", "16:9", "19.5:9")
    # Borders and the corners of a rotation are black, as in most programs.
    transforms = [
        ("jpeg", "JPEG", "quality", (50, 20, 10), lambda s, q: memes.jpeg(s.image, q)),
        ("resize", "resize", "times", (2, 0.5, 0.25), lambda s, f: _resize(s.image, f, f)),
        ("aspect", "stretch", "times", (1.1, 1.25, 1.5), lambda s, f: _resize(s.image, f, 1)),
        ("blur", "blur", "radius, px", (1, 2, 4), lambda s, r: s.image.filter(blur(r))),
        ("noise", "noise", "sigma, of 255", (5, 15, 30), _add_noise),
        ("gamma", "gamma", "exponent", (0.7, 1.5, 0.5, 2), lambda s, g: _gamma(s.image, g)),
        ("contrast", "contrast", "times", (1.5, 0.5, 2), lambda s, f: contrast(s.image).enhance(f)),
        ("crop", "crop", "% of each side", (1, 5, 10, 20), lambda s, p: _crop(s.image, p)),
        ("border", "border", "% on each side", (5, 10, 20), lambda s, p: _crop(s.image, -p)),
        ("rotation", "rotation", "degrees", (1, 3, 10), lambda s, a: s.image.rotate(a, cubic)),
        ("flip", "flip", "axis", tuple(FLIPS), lambda s, axis: s.image.transpose(FLIPS[axis])),
        ("watermark", "watermark", "opacity", (0.25, 0.5, 0.75), _watermark),
        (
            "caption_changed",
            "other caption",
            "length",
            ("another", "2 lines", "3 lines"),
            _other_caption,
        ),
        ("caption_removed", "no caption", "half", ("upper", "lower", "both"), _without_caption),
        ("screenshot", "screenshot", "screen", screens, lambda s, r: _screenshot(s.image, r)),
        ("colour", "colour", "left", tuple(COLOURS), lambda s, left: COLOURS[left](s.image)),
    ]
    return {name: Transform(name, *rest) for name, *rest in transforms}


TRANSFORMS = _registry()
