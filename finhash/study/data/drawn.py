"""Drawn meme templates, for machines without real ones.

There are three kinds, with the layouts of real templates: a sunburst behind a figure (the "advice
animal", a background that many families share), a texture with objects that resembles a photograph,
and a plain or shaded background with a figure.
"""

import math
import random

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from finhash.study.data.memes import SIDE

KINDS = {"sunburst": 0.35, "photograph": 0.5, "plain": 0.15}
"""Fraction of families with each kind of template."""

VARIANTS = 0.03
"""Fraction of families whose template is a slight variant of another's, as in real sets."""

SCALE = 2
"""Templates are drawn this many times larger and then reduced, for smooth edges."""

Colour = tuple[int, int, int]


def draw_template(seed: int, family: int) -> Image.Image:
    """Draw the blank template of a family, 250 x 250 pixels, RGB; its pixels depend on the seed."""
    rng = random.Random(f"template {seed} {family}")
    if family and rng.random() < VARIANTS:
        return _variant(draw_template(seed, rng.randrange(family)), rng)
    kind = rng.choices(list(KINDS), KINDS.values())[0]
    canvas = {"sunburst": _sunburst, "photograph": _texture, "plain": _gradient}[kind](rng)
    if kind == "photograph":
        for _ in range(rng.randint(4, 12)):
            canvas = _paste_object(canvas, rng)
    else:
        canvas = _paste_figure(canvas, rng)
    return canvas.resize((SIDE, SIDE), Image.Resampling.BOX)


def _variant(image: Image.Image, rng: random.Random) -> Image.Image:
    """Crop up to 4 % from each side, then lighten or darken."""
    edge = [rng.uniform(0, 0.04) * SIDE for _ in range(4)]
    box = (edge[0], edge[1], SIDE - edge[2], SIDE - edge[3])
    image = image.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=box)
    return ImageEnhance.Brightness(image).enhance(rng.uniform(0.85, 1.15))


def _colour(rng: random.Random, low: int = 0, high: int = 255) -> Colour:
    return tuple(rng.randint(low, high) for _ in range(3))


def _shade(colour: Colour, factor: float) -> Colour:
    return tuple(min(255, max(0, int(channel * factor))) for channel in colour)


def _sunburst(rng: random.Random) -> Image.Image:
    """Draw wedges of two or three colours around a point near the middle."""
    size = SIDE * SCALE
    image = Image.new("RGB", (size, size))
    draw = ImageDraw.Draw(image)
    wedges = rng.choice([6, 8, 12, 12, 16, 20])
    base = _colour(rng, 40, 255)
    palette = [base, _shade(base, rng.uniform(0.2, 0.7)), _colour(rng, 20, 255)]
    palette = palette[: rng.choice([2, 2, 3])]
    x, y = (size * rng.gauss(0.5, 0.04) for _ in range(2))
    phase = rng.choice([0.0, rng.uniform(0, 360 / wedges)])
    for k in range(wedges):
        angle = [math.radians(phase + 360 * (k + end) / wedges) for end in (0, 1)]
        edge = [(x + 2 * size * math.cos(a), y + 2 * size * math.sin(a)) for a in angle]
        draw.polygon([(x, y), *edge], fill=palette[k % len(palette)])
    return image


def _gradient(rng: random.Random) -> Image.Image:
    """Draw one colour, or a linear transition between two."""
    first = np.array(_colour(rng))
    second = first if rng.random() < 0.3 else np.array(_colour(rng))
    angle = rng.uniform(0, 2 * math.pi)
    coarse = SIDE // 4  # A linear ramp can be enlarged without loss.
    y, x = np.mgrid[0:coarse, 0:coarse] / coarse - 0.5
    mix = np.clip(0.5 + x * math.cos(angle) + y * math.sin(angle), 0, 1)[..., None]
    ramp = Image.fromarray((first * (1 - mix) + second * mix).astype(np.uint8))
    return ramp.resize((SIDE * SCALE, SIDE * SCALE), Image.Resampling.BILINEAR)


def _texture(rng: random.Random) -> Image.Image:
    """Draw smooth noise over a gradient; its power falls with frequency, as in photographs."""
    field = np.zeros((SIDE, SIDE))
    for octave in range(1, 8):
        cells = 2**octave + 1
        grid = np.frombuffer(rng.randbytes(cells * cells), np.uint8).reshape(cells, cells)
        smooth = Image.fromarray(grid).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        field += (np.asarray(smooth, float) / 255 - 0.5) * rng.uniform(0.5, 1.2) * 0.8**octave
    field = field / np.abs(field).max() * rng.uniform(80, 200)
    background = np.asarray(_gradient(rng).resize((SIDE, SIDE)), float) * 0.7 + 40
    tint = np.array([rng.uniform(0.7, 1.1) for _ in range(3)])
    texture = Image.fromarray(
        np.clip(background + field[..., None] * tint, 0, 255).astype(np.uint8)
    )
    return texture.resize((SIDE * SCALE, SIDE * SCALE), Image.Resampling.BILINEAR)


def _paste_object(canvas: Image.Image, rng: random.Random) -> Image.Image:
    """Paste a shaded ellipse, box or polygon of random place and size."""
    size = SIDE * SCALE
    mask = Image.new("L", (size, size))
    draw = ImageDraw.Draw(mask)
    x, y = rng.uniform(0, size), rng.uniform(0.1 * size, size)
    w, h = rng.uniform(0.08, 0.4) * size, rng.uniform(0.1, 0.5) * size
    shape = rng.choice(["ellipse", "box", "polygon"])
    if shape == "ellipse":
        draw.ellipse((x - w, y - h, x + w, y + h), fill=255)
    elif shape == "box":
        draw.rectangle((x - w, y - h, x + w, y + h), fill=255)
    else:
        draw.polygon(_blob(rng, x, y, w, h, rng.randint(3, 9), 0.5), fill=255)
    mask = mask.filter(ImageFilter.GaussianBlur(rng.uniform(0, 6)))
    fill = _gradient(rng) if rng.random() < 0.5 else _texture(rng)
    return Image.composite(fill, canvas, mask)


def _paste_figure(canvas: Image.Image, rng: random.Random) -> Image.Image:
    """Draw a head with ears, eyes and mouth on shoulders, about the middle of the canvas."""
    size = SIDE * SCALE
    draw = ImageDraw.Draw(canvas)
    x, y = size * rng.gauss(0.5, 0.07), size * rng.gauss(0.5, 0.06)
    w, h = size * rng.uniform(0.13, 0.27), size * rng.uniform(0.17, 0.31)
    fur = _colour(rng, 20, 240)
    body = _shade(fur, rng.uniform(0.5, 1.3)) if rng.random() < 0.6 else _colour(rng)
    shoulders = y + h * rng.uniform(0.6, 1.0)
    draw.polygon(
        _blob(
            rng,
            x + rng.gauss(0, 0.1) * size,
            size,
            w * rng.uniform(1.1, 2.2),
            size - shoulders,
            14,
            0.12,
        ),
        fill=body,
    )
    if rng.random() < 0.6:  # ears
        for side in (-1, 1):
            ear = (x + side * w * 0.75, y - h * rng.uniform(0.7, 1.0))
            draw.polygon(_blob(rng, *ear, w * 0.4, h * 0.5, 5, 0.3), fill=_shade(fur, 0.75))
    draw.polygon(_blob(rng, x, y, w, h, 18, 0.12), fill=fur)
    for _ in range(rng.randint(2, 6)):  # lighter and darker patches
        patch = (x + rng.gauss(0, 0.45) * w, y + rng.gauss(0, 0.45) * h)
        draw.polygon(
            _blob(rng, *patch, w * rng.uniform(0.1, 0.5), h * rng.uniform(0.1, 0.45), 9, 0.3),
            fill=_shade(fur, rng.uniform(0.4, 1.6)),
        )
    eye = w * rng.uniform(0.1, 0.2)
    for side in (-1, 1):
        ex, ey = x + side * w * rng.uniform(0.3, 0.5), y - h * rng.uniform(0.1, 0.35)
        draw.ellipse((ex - eye, ey - eye, ex + eye, ey + eye), fill=(245, 245, 240))
        draw.ellipse((ex - eye / 2, ey - eye / 2, ex + eye / 2, ey + eye / 2), fill=(15, 15, 15))
    mouth = (x, y + h * rng.uniform(0.3, 0.55))
    draw.polygon(
        _blob(rng, *mouth, w * rng.uniform(0.2, 0.5), h * rng.uniform(0.05, 0.2), 10, 0.2),
        fill=_shade(fur, 0.3),
    )
    return canvas


def _blob(
    rng: random.Random, x: float, y: float, w: float, h: float, corners: int, rough: float
) -> list[tuple[float, float]]:
    """Return the corners of an ellipse whose radius varies by a fraction of about ``rough``."""
    points = []
    for k in range(corners):
        angle = 2 * math.pi * k / corners
        radius = max(0.2, rng.gauss(1, rough))
        points.append((x + w * radius * math.cos(angle), y + h * radius * math.sin(angle)))
    return points
