"""Family sizes and captions of the stand-in.

The stand-in follows what is published about the course's set (sources in ``data/README.md``):
55,972 images of 250 x 250 pixels in 1,034 families, and the measured number and length of caption
words. The words themselves are neutral. The font size and the outline were chosen so that distances
within families match the published ones; notebook 12 compares the two.
"""

import csv
import io
import random
from functools import cache
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from finhash.study import project

SIDE = 250
"""Width and height of an image, in pixels."""
FAMILIES = 1034
IMAGES = 55_972
QUALITY = 75
"""JPEG quality of a rendered image; also Pillow's default."""
LARGEST_FONT = 24
"""Largest font size of a caption, in pixels."""
MARGIN = 5
"""Distance of captions from the edges of the image, in pixels."""
LINE_WIDTH = SIDE - 2 * MARGIN
"""Largest width of a caption line, in pixels."""
OUTLINE = 1 / 20
"""Width of the black outline of letters, as a fraction of the font size."""

FONT = project.ASSETS / "Anton-latin.woff"
WORDS = project.ASSETS / "words.txt"
WORD_COUNTS = project.ASSETS / "caption_word_counts.csv"
WORD_LENGTHS = project.ASSETS / "caption_word_lengths.csv"


@cache
def family_sizes() -> list[int]:
    """Return the number of images in each of the 1,034 families, largest family first.

    The sizes follow a Zipf-Mandelbrot law, ``C / (rank + q) ** a``. Three published facts determine
    its three unknowns: the Library of Congress counted 766 images of its most frequent meme and 419
    of the ninth in its list (Roll Call, 11 October 2018), and there are 55,972 images in total.
    """
    first, ninth = 766, 419
    low, high = 0.3, 1.5
    while high - low > 1e-12:  # Bisection: the total falls as `a` grows.
        a = (low + high) / 2
        ratio = (first / ninth) ** (1 / a)
        q = (9 - ratio) / (ratio - 1)
        sizes = [first * ((1 + q) / (rank + q)) ** a for rank in range(1, FAMILIES + 1)]
        low, high = (a, high) if sum(sizes) > IMAGES else (low, a)
    whole = [int(size) for size in sizes]
    # Rounding down loses some images. Give one each to the families that lost the largest fraction.
    by_loss = sorted(range(FAMILIES), key=lambda rank: whole[rank] - sizes[rank])
    for rank in by_loss[: IMAGES - sum(whole)]:
        whole[rank] += 1
    return whole


def draw_caption(rng: random.Random) -> tuple[str, str]:
    """Return a random upper and lower caption in capitals; at most one of them is empty."""
    pairs, weights = _word_counts()
    top, bottom = rng.choices(pairs, weights)[0]
    return words(rng, top), words(rng, bottom)


def words(rng: random.Random, count: int) -> str:
    """Return ``count`` random words in capitals, whose lengths follow the measured distribution."""
    by_length, weights = _word_lengths()
    return " ".join(rng.choice(group) for group in rng.choices(by_length, weights, k=count)).upper()


def fill(rng: random.Random, lines: int) -> str:
    """Return a caption of ``lines`` lines, each as wide as fits at the largest font size."""
    filled = []
    for _ in range(lines):
        line = longer = words(rng, 1)
        while font(LARGEST_FONT).getlength(longer) <= LINE_WIDTH:
            line, longer = longer, f"{longer} {words(rng, 1)}"
        filled.append(line)
    return "\n".join(filled)


def render(template: Image.Image, top: str, bottom: str, middle: str = "") -> bytes:
    """Return the template with an upper, a lower and a middle caption, as JPEG bytes."""
    image = template.copy()
    draw = ImageDraw.Draw(image)
    blocks = ((top, "ma", MARGIN), (bottom, "md", SIDE - MARGIN), (middle, "mm", SIDE / 2))
    for text, anchor, y in blocks:
        if text:
            draw.multiline_text(
                (SIDE / 2, y), fill="white", anchor=anchor, stroke_fill="black", **_layout(text)
            )
    return jpeg(image)


def jpeg(image: Image.Image, quality: int = QUALITY) -> bytes:
    """Return the image as JPEG bytes."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def caption_area(top: str, bottom: str) -> float:
    """Return the fraction of the image that the bounding boxes of the two captions cover."""
    draw = ImageDraw.Draw(Image.new("L", (1, 1)))
    covered = 0.0
    for text in filter(None, (top, bottom)):
        left, upper, right, lower = draw.multiline_textbbox((0, 0), **_layout(text))
        covered += (right - left) * (lower - upper)
    return covered / SIDE**2


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Return the typeface of the captions at a size in pixels."""
    # Every Pillow has the basic layout engine. Raqm, if installed, would kern differently.
    data = io.BytesIO(FONT.read_bytes())
    return ImageFont.truetype(data, size, layout_engine=ImageFont.Layout.BASIC)


def _layout(text: str) -> dict[str, Any]:
    """Return Pillow's arguments for a caption; drawing and measuring need the same ones."""
    lines, size = _fit(text)
    return {
        "text": "\n".join(lines),
        "font": font(size),
        "spacing": 0,
        "align": "center",
        "stroke_width": size * OUTLINE,
    }


def _fit(text: str) -> tuple[list[str], int]:
    """Return the lines of a caption and the largest font size at which they fit the width.

    Line breaks in the text are kept. A text without any is broken once, if it is too wide for one
    line at the largest size.
    """

    def widest(lines: list[str], size: int = LARGEST_FONT) -> float:
        return max(map(font(size).getlength, lines))

    lines = text.split("\n")
    if widest(lines) > LINE_WIDTH and len(lines) == 1:
        separate = text.split()
        splits = [[" ".join(separate[:i]), " ".join(separate[i:])] for i in range(1, len(separate))]
        lines = min(splits or [[text]], key=widest)
    size = min(LARGEST_FONT, int(LARGEST_FONT * LINE_WIDTH / widest(lines)))
    while widest(lines, size) > LINE_WIDTH:  # Hinting makes small sizes wider than proportional.
        size -= 1
    return lines, size


@cache
def _word_counts() -> tuple[list[tuple[int, int]], list[int]]:
    """Return pairs (words above, words below), and how many captions have each pair."""
    rows = list(csv.DictReader(WORD_COUNTS.open()))
    pairs = [(int(row["top_words"]), int(row["bottom_words"])) for row in rows]
    return pairs, [int(row["captions"]) for row in rows]


@cache
def _word_lengths() -> tuple[list[list[str]], list[int]]:
    """Return the words of 1, 2, ... 13 and of 14 or more letters, and each length's frequency."""
    rows = list(csv.DictReader(WORD_LENGTHS.open()))
    by_length = [line.split() for line in WORDS.read_text().splitlines()]
    return by_length, [int(row["words"]) for row in rows]
