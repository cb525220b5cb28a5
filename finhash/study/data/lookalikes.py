"""Search blank templates for pairs that may show the same image.

The search does not use any of the hashes that the study compares. It finds candidates only; a
person decides, looking at the pairs on the sheets that ``draw_pairs`` draws.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter
from tqdm import tqdm

SIDE = 96
"""Side to which a template is reduced before it is cropped, in pixels."""
SMALL = 16
"""Side at which crops are compared, in pixels."""
SCALES = (1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.42)
"""Widths and heights of crops, as fractions of the template's."""
STRETCH = 1.5
"""Largest ratio of a crop's relative width and height."""
POSITIONS = 5
"""Positions of a crop along each axis."""
CENTRES = (1, 0.8, 0.6)
"""Sides of the central crops that all crops are compared with; the smaller two omit frames."""
BLUR = 2.0
"""Standard deviation of the blur that is subtracted for ``detail``, in pixels of ``SMALL``."""
KEPT = 500
"""Number of pairs kept by each of the two correlations."""


def candidates(templates: Sequence[Image.Image], *, progress: bool = True) -> pd.DataFrame:
    """Find the pairs of templates that are most alike, by normalised cross-correlation.

    Crops of every template, also mirrored, are compared with every whole template and its central
    crops, in grey. ``whole`` correlates the pixels. ``detail`` correlates them after subtracting a
    blurred copy, so that backgrounds that only share a gradient of brightness correlate less.

    Parameters
    ----------
    templates : sequence of PIL.Image.Image
        Blank templates; their positions are the families' numbers.
    progress : bool
        Show a progress bar.

    Returns
    -------
    DataFrame
        One row per pair among the ``KEPT`` highest of either correlation, sorted by the mean of
        the two, from high to low:

        first, second : int
            Positions of the two templates, ``first < second``.
        whole, detail : float
            Largest correlation over all crops, between -1 and 1.

    Examples
    --------
    >>> ramp = Image.linear_gradient("L")
    >>> found = candidates([ramp, Image.radial_gradient("L"), ramp], progress=False)
    >>> found.loc[0, ["first", "second", "whole"]].round(2).tolist()
    [0.0, 2.0, 1.0]
    """
    side = (SIDE, SIDE)
    images = np.stack(
        [
            np.asarray(image.convert("L").resize(side, Image.Resampling.BOX), np.float32)
            for image in templates
        ]
    )
    centres = [((1 - share) / 2, (1 + share) / 2) for share in CENTRES]
    galleries = [_vectors(_crop(images, centre, centre)) for centre in centres]
    best = np.full((2, len(images), len(images)), -1.0, np.float32)
    boxes = list(_boxes())
    for across, down in tqdm(boxes, "crops", unit="crop", leave=False, disable=not progress):
        crops = _crop(images, across, down)
        for seen in (crops, np.ascontiguousarray(crops[:, :, ::-1])):
            for kind, vectors in enumerate(_vectors(seen)):
                for gallery in galleries:
                    np.maximum(best[kind], vectors @ gallery[kind].T, out=best[kind])
    first, second = np.triu_indices(len(images), 1)
    values = np.maximum(best, best.transpose(0, 2, 1))[:, first, second]
    kept = np.unique(np.argsort(-values, axis=1)[:, :KEPT])
    table = pd.DataFrame({"first": first[kept], "second": second[kept]})
    table[["whole", "detail"]] = values[:, kept].T
    order = np.argsort(-(table["whole"] + table["detail"]).to_numpy(), kind="stable")
    return table.iloc[order].reset_index(drop=True)


def draw_pairs(
    templates: Sequence[Image.Image], pairs: pd.DataFrame, *, columns: int = 5, side: int = 150
) -> Image.Image:
    """Draw pairs of templates side by side, each under its row number in ``pairs``."""
    gap, head = 8, 16
    width, height = 2 * side + gap, side + head
    sheet = Image.new("RGB", (columns * width, -(-len(pairs) // columns) * height), "white")
    draw = ImageDraw.Draw(sheet)
    for place, pair in enumerate(pairs.itertuples()):
        x, y = place % columns * width, place // columns * height
        draw.text((x + 2, y + 2), f"#{pair.Index}", "black")
        for k, family in enumerate((pair.first, pair.second)):
            small = templates[family].resize((side, side), Image.Resampling.LANCZOS)
            sheet.paste(small, (x + k * side, y + head))
    return sheet


Span = tuple[float, float]
"""Part of an axis: start and end, as fractions of the side."""


def _boxes() -> Iterator[tuple[Span, Span]]:
    """Yield the crops of a template: the span across and the span down."""
    for width in SCALES:
        for height in SCALES:
            if max(width / height, height / width) <= STRETCH:
                yield from ((across, down) for across in _spans(width) for down in _spans(height))


def _spans(share: float) -> list[Span]:
    """Return evenly spaced spans of this length."""
    starts = np.linspace(0, 1 - share, POSITIONS if share < 1 else 1)
    return [(float(start), float(start + share)) for start in starts]


def _crop(images: np.ndarray, across: Span, down: Span) -> np.ndarray:
    """Crop images ``[n, SIDE, SIDE]`` and reduce them to ``[n, SMALL, SMALL]`` by area."""
    return _area_weights(*down) @ images @ _area_weights(*across).T


def _area_weights(start: float, end: float) -> np.ndarray:
    """Return weights ``float32 [SMALL, SIDE]`` that average pixels by area along one axis."""
    edges, pixels = np.linspace(start * SIDE, end * SIDE, SMALL + 1), np.arange(SIDE)
    left, right = np.maximum(edges[:-1, None], pixels), np.minimum(edges[1:, None], pixels + 1)
    covered = np.clip(right - left, 0, None)
    return (covered / covered.sum(axis=1, keepdims=True)).astype(np.float32)


def _vectors(crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return unit vectors of the pixels and of their detail, ``float32 [n, SMALL ** 2]``."""
    return _unit(crops), _unit(crops - gaussian_filter(crops, (0, BLUR, BLUR)))


def _unit(images: np.ndarray) -> np.ndarray:
    """Flatten images, subtract each one's mean and scale it to length 1; flat images become 0."""
    flat = images.reshape(len(images), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
