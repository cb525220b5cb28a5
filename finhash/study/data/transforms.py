"""Robustness: pictures changed as they are in the wild, and whether their hashes still find them.

A grid of sixteen transforms, each at three strengths or more. A changed picture is saved as JPEG
and decoded again before it is hashed, as it would be when found. What is random has its own stream,
named by seed, transform, strength and picture: neither order nor workers change a byte.
"""

import io
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps
from tqdm import tqdm

from finhash import methods
from finhash.images import open_image
from finhash.jobs import rows
from finhash.jobs.table import HashTable
from finhash.study import project
from finhash.study.data import datasets, memes

QUALITY = 95
"""JPEG quality of a changed picture, unless that is the change."""


CELL = ["transform", "strength"]


FROM_TEMPLATE = {"caption_changed", "caption_removed"}
"""Transforms that render a picture anew, for which its blank template must be known."""


Strength = float | str


@dataclass(frozen=True)
class Subject:
    """A picture to change; if it is one of the stand-in's, also what it was rendered from."""

    path: Path

    @cached_property
    def image(self) -> Image.Image:
        """The picture as decoded from its file, RGB."""
        return open_image(self.path).convert("RGB")

    @cached_property
    def template(self) -> Image.Image:
        """The blank template."""
        return datasets.template(int(self.path.stem[:4]))

    @cached_property
    def caption(self) -> tuple[str, str]:
        """The upper and the lower caption."""
        return datasets.caption(*datasets.family_and_number(self.path))

    def stream(self, transform: str, strength: Strength) -> random.Random:
        """The random stream of one change to this picture."""
        return random.Random(f"{transform} {strength} {project.SEED} {self.path.stem}")


@dataclass(frozen=True)
class Transform:
    """A change to a picture; ``unit`` says what its strengths are, the mildest of them first."""

    name: str
    label: str
    unit: str
    strengths: tuple[Strength, ...]
    function: Callable[[Subject, Strength], Image.Image | bytes]

    def apply(self, subject: Subject, strength: Strength) -> bytes:
        """The changed picture, encoded as JPEG."""
        made = self.function(subject, strength)
        return made if isinstance(made, bytes) else _jpeg(made, QUALITY)


def grid(dataset: str) -> list[str]:
    """Names of the transforms that can be made of a data set: all, if its templates are known."""
    return [name for name in TRANSFORMS if dataset != "das_images" or name not in FROM_TEMPLATE]


def described() -> pd.DataFrame:
    """What is changed and how strongly, a row a transform: ``change, unit, strengths``."""
    rows = [(t.label, t.unit, ", ".join(map(str, t.strengths))) for t in TRANSFORMS.values()]
    return pd.DataFrame(rows, index=list(TRANSFORMS), columns=["change", "unit", "strengths"])


def queries(dataset: datasets.Dataset, number: int) -> list[Path]:
    """The first picture of each of ``number`` families, evenly chosen; of all if that is fewer."""
    _, first = np.unique(dataset.families, return_index=True)
    number = min(number, len(first))
    return [dataset.paths[row] for row in first[np.arange(number) * len(first) // number]]


def hash_transformed(
    dataset: datasets.Dataset,
    paths: Sequence[Path],
    names: Sequence[str],
    *,
    workers: int = 1,
    progress: bool = True,
) -> HashTable:
    """Hashes by the methods ``names`` of each picture of ``paths`` in every cell of the grid.

    ``path`` is the file name of the unchanged picture; columns ``transform`` and ``strength`` stand
    beside it. A picture that cannot be changed or hashed is a row with the reason in ``error``.
    Processes are spawned, so a script needs the ``__main__`` guard.
    """
    schema = rows.schema(names)
    for position, column in enumerate(CELL, start=1):
        schema = schema.insert(position, pa.field(column, pa.string(), nullable=False))
    hash_one = partial(_hash_query, transforms=grid(dataset.name), names=names)
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        found = pool.map(hash_one, paths)
        bar = tqdm(found, "transforms", len(paths), disable=not progress, leave=False)
        table = HashTable(pa.Table.from_pylist([row for query in bar for row in query], schema))
    return table.with_provenance(dataset=dataset.name, fingerprint=dataset.fingerprint)


def _hash_query(path: Path, transforms: Sequence[str], names: Sequence[str]) -> list[dict]:
    subject, found = Subject(path), []
    for name in transforms:
        for strength in TRANSFORMS[name].strengths:
            row = {"path": path.name, "transform": name, "strength": str(strength), "error": ""}
            try:
                # All methods share one decoding: the pixels are those that each would decode.
                image = open_image(TRANSFORMS[name].apply(subject, strength))
                row |= {method: methods.get(method).hash(image).tobytes() for method in names}
            except Exception as error:
                row["error"] = f"{type(error).__name__}: {error}"
            found.append(row)
    return found


def _jpeg(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _resize(image: Image.Image, across: float, down: float) -> Image.Image:
    size = (round(image.width * across), round(image.height * down))
    return image.resize(size, Image.Resampling.LANCZOS)


def _add_noise(subject: Subject, sigma: float) -> Image.Image:
    pixels = np.asarray(subject.image)
    rng = np.random.default_rng(subject.stream("noise", sigma).getrandbits(64))
    noisy = pixels + rng.normal(0, sigma, pixels.shape)
    return Image.fromarray(noisy.round().clip(0, 255).astype(np.uint8))


def _gamma(image: Image.Image, exponent: float) -> Image.Image:
    return image.point([round(255 * (value / 255) ** exponent) for value in range(256)] * 3)


def _crop(image: Image.Image, percent: float) -> Image.Image:
    """Without so much of width and height at each of its sides; with a black border if negative."""
    x, y = (round(side * percent / 100) for side in image.size)
    return image.crop((x, y, image.width - x, image.height - y))


def _watermark(subject: Subject, opacity: float) -> Image.Image:
    """Three words across the middle, over four fifths of the width."""
    text = memes.words(subject.stream("watermark", opacity), 3)
    image = subject.image.copy()
    font = memes.font(int(80 * image.width / memes.font(100).getlength(text)))
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
    """A post with the picture as wide as an upright phone's screen of these sides."""
    long, short = map(float, screen.split(":"))
    width, height = image.width, round(image.width * long / short)
    top = (height - image.height) // 2
    foot = top + image.height
    shot = Image.new("RGB", (width, height), "white")
    shot.paste(image, (0, top))
    draw = ImageDraw.Draw(shot)
    draw.text((8, 2), "12:30", "black", memes.font(10))
    draw.rectangle((width - 26, 4, width - 8, 11), "black")
    draw.ellipse((8, top - 24, 28, top - 4), "steelblue")
    draw.rectangle((36, top - 18, width // 2, top - 10), "darkgrey")
    for x in (8, 36, 64):
        draw.ellipse((x, foot + 6, x + 16, foot + 22), outline="black", width=2)
    draw.rectangle((width // 3, height - 7, 2 * width // 3, height - 5), "black")
    return shot


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
    # What is added is black, as most programs have it: borders, and the corners of a rotation.
    transforms = [
        ("jpeg", "JPEG", "quality", (50, 20, 10), lambda s, q: _jpeg(s.image, q)),
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
