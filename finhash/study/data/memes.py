"""The meme stand-in: how large families are, what captions say, how they are set on a template.

Calibrated on what is published of the course's data set (``data/README.md``): 55,972 pictures in
1,034 families, 250 x 250, and the captions' measured numbers and lengths of words. The words
themselves are neutral. Size and outline of the type are set so that the distances within families
come out as published for the real set (notebook 00 shows how near).
"""

import csv
import io
import random
from functools import cache
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from finhash.study import project

SIDE = 250
FAMILIES = 1034
PICTURES = 55_972
QUALITY = 75
LARGEST_FONT = 24
MARGIN = 5
ROOM = SIDE - 2 * MARGIN
"""Pixels that a line may be wide."""
OUTLINE = 1 / 20
"""Width of the black outline as a fraction of the font's size."""

FONT = project.ASSETS / "Anton-latin.woff"
WORDS = project.ASSETS / "words.txt"
WORD_COUNTS = project.ASSETS / "caption_word_counts.csv"
WORD_LENGTHS = project.ASSETS / "caption_word_lengths.csv"


@cache
def family_sizes() -> list[int]:
    """Pictures in each family, largest first: a Zipf-Mandelbrot law through published counts.

    The Library of Congress counted 766 pictures of its commonest meme and 419 of the ninth it
    lists (Roll Call, 11 Oct 2018). With 55,972 pictures in 1,034 families that fixes the law
    ``C / (rank + q) ** a``: three unknowns, three facts.
    """
    first, ninth = 766, 419
    low, high = 0.3, 1.5
    while high - low > 1e-12:  # the larger a, the fewer pictures in the tail
        a = (low + high) / 2
        ratio = (first / ninth) ** (1 / a)
        q = (9 - ratio) / (ratio - 1)
        sizes = [first * ((1 + q) / (rank + q)) ** a for rank in range(1, FAMILIES + 1)]
        low, high = (a, high) if sum(sizes) > PICTURES else (low, a)
    whole = [int(size) for size in sizes]
    # Hand the pictures lost by rounding down to the families that lost most.
    by_loss = sorted(range(FAMILIES), key=lambda rank: whole[rank] - sizes[rank])
    for rank in by_loss[: PICTURES - sum(whole)]:
        whole[rank] += 1
    return whole


def draw_caption(rng: random.Random) -> tuple[str, str]:
    """An upper and a lower caption in capitals; either may be empty, not both."""
    pairs, weights = _word_counts()
    top, bottom = rng.choices(pairs, weights)[0]
    return words(rng, top), words(rng, bottom)


def render(template: Image.Image, top: str, bottom: str) -> bytes:
    """The captioned picture as JPEG bytes."""
    image = template.copy()
    draw = ImageDraw.Draw(image)
    for text, anchor, y in ((top, "ma", MARGIN), (bottom, "md", SIDE - MARGIN)):
        if text:
            _draw_block(draw, text, anchor, y)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def caption_area(top: str, bottom: str) -> float:
    """The share of the picture that the boxes about the two captions cover."""
    draw = ImageDraw.Draw(Image.new("L", (1, 1)))
    covered = 0.0
    for text in filter(None, (top, bottom)):
        left, upper, right, lower = draw.multiline_textbbox((0, 0), **_block(text))
        covered += (right - left) * (lower - upper)
    return covered / SIDE**2


def _draw_block(draw: ImageDraw.ImageDraw, text: str, anchor: str, y: int) -> None:
    block = _block(text)
    draw.multiline_text((SIDE / 2, y), fill="white", anchor=anchor, stroke_fill="black", **block)


def _block(text: str) -> dict[str, Any]:
    """What Pillow is told of a caption, whether it draws it or measures it."""
    lines, size = _fit(text)
    return {
        "text": "\n".join(lines),
        "font": font(size),
        "spacing": 0,
        "align": "center",
        "stroke_width": size * OUTLINE,
    }


def fill(rng: random.Random, lines: int) -> str:
    """A caption of so many lines, as wide as the largest type allows."""
    filled = []
    for _ in range(lines):
        line = longer = words(rng, 1)
        while font(LARGEST_FONT).getlength(longer) <= ROOM:
            line, longer = longer, f"{longer} {words(rng, 1)}"
        filled.append(line)
    return "\n".join(filled)


def _fit(text: str) -> tuple[list[str], int]:
    """Lines, at most two unless the text has its own, and the largest type that fits the width."""

    def widest(lines: list[str], size: int = LARGEST_FONT) -> float:
        return max(map(font(size).getlength, lines))

    lines = text.split("\n")
    if widest(lines) > ROOM and len(lines) == 1:
        parts = text.split()
        splits = [[" ".join(parts[:i]), " ".join(parts[i:])] for i in range(1, len(parts))]
        lines = min(splits or [[text]], key=widest)
    size = min(LARGEST_FONT, int(LARGEST_FONT * ROOM / widest(lines)))
    while widest(lines, size) > ROOM:  # hinting makes small sizes wider than their share
        size -= 1
    return lines, size


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """The captions' typeface at a size in pixels."""
    # The basic layout engine is always there; Raqm, where installed, would kern differently.
    data = io.BytesIO(FONT.read_bytes())
    return ImageFont.truetype(data, size, layout_engine=ImageFont.Layout.BASIC)


@cache
def _word_counts() -> tuple[list[tuple[int, int]], list[int]]:
    rows = list(csv.DictReader(WORD_COUNTS.open()))
    pairs = [(int(row["top_words"]), int(row["bottom_words"])) for row in rows]
    return pairs, [int(row["captions"]) for row in rows]


@cache
def _word_lengths() -> tuple[list[list[str]], list[int]]:
    """Words of 1, 2, ... 14 or more letters, and how many words of a caption have that length."""
    rows = list(csv.DictReader(WORD_LENGTHS.open()))
    by_length = [line.split() for line in WORDS.read_text().splitlines()]
    return by_length, [int(row["words"]) for row in rows]


def words(rng: random.Random, count: int) -> str:
    """So many words in capitals, their lengths by the measured law."""
    by_length, weights = _word_lengths()
    return " ".join(rng.choice(group) for group in rng.choices(by_length, weights, k=count)).upper()


def jpeg(image: Image.Image) -> bytes:
    """The picture as JPEG, for steps that begin with decoding."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG")
    return buffer.getvalue()
