"""What notebooks show besides tables: images, and the source of functions.

Images are pairs that a hash confuses or misses, and one image in every change.

Templates of a real stand-in belong to other people and are not shown. Drawn memes, which have
captions of the same lengths, represent them. Of a user's own set, the images themselves are shown.
"""

import ast
import inspect
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from IPython import display
from matplotlib.figure import Figure
from PIL import Image, ImageOps

from finhash import methods
from finhash.images import Source, open_image
from finhash.sheet import contact_sheet
from finhash.study.data import memes, standin, transforms
from finhash.study.data.datasets import Dataset, readable

SIDE = 160
"""Side of a shown image, in pixels."""

WIDTH = 6.3
"""Width of a figure, in inches."""

SCREEN, SHARP = 110, 220
"""Pixels per inch on the screen, and in the file, for sharp displays."""

SHOWN_FAMILY = 7
"""Family of the drawn meme that is shown in every change."""

SAME, OTHER = "one family, farthest", "two families, nearest"
"""Kinds of pairs in the table of ``extremes``."""


def images(dataset: Dataset, families: int = 64, each: int = 6) -> tuple[list[Source], np.ndarray]:
    """Return images that may be shown, and their families.

    Parameters
    ----------
    dataset : Dataset
        Data set of the run.
    families, each : int
        Largest number of families, and of images of a family.

    Returns
    -------
    sources : list
        JPEG bytes of drawn memes for a stand-in, else paths of readable images.
    labels : int array of shape (n,)
        Family of each image.
    """
    if not dataset.standin:
        groups = list(dataset.by_family().items())[:families]
        shown = [(f, path) for f, paths in groups for path in filter(readable, paths[:each])]
    else:
        drawn = standin.DRAWN
        blanks = [drawn.template(family) for family in range(families)]
        shown = [
            (family, memes.render(blank, *drawn.caption(family, number)))
            for family, blank in enumerate(blanks)
            for number in range(each)
        ]
    labels, sources = zip(*shown, strict=True)
    return list(sources), np.array(labels)


def show_code(*functions: Callable[..., object]) -> display.Markdown:
    """Show the source of functions without their docstrings."""
    code = "\n\n".join(map(_without_docstring, functions))
    return display.Markdown(f"```python\n{code}```")


def extremes(hashes: np.ndarray, labels: np.ndarray, number: int) -> pd.DataFrame:
    """Find the farthest pairs within families and the nearest pairs between families.

    Parameters
    ----------
    hashes : uint8 array of shape (n, bits / 8)
        Packed hashes.
    labels : array of shape (n,)
        Family of each image.
    number : int
        Number of pairs of each kind, at most. Each family, or pair of families, gives one pair.

    Returns
    -------
    DataFrame
        One row per pair:

        kind : str
            ``SAME`` or ``OTHER``.
        first, second : int
            Indices of the two images.
        distance : int
            Distance in bits.

    Examples
    --------
    >>> hashes = np.array([[0], [1], [3], [7]], np.uint8)
    >>> extremes(hashes, np.array([5, 5, 6, 6]), number=1)["distance"].tolist()
    [1, 1]
    """
    first, second = np.triu_indices(len(hashes), 1)
    distance = np.bitwise_count(hashes[first] ^ hashes[second]).sum(axis=1, dtype=int)
    _, rank = np.unique(labels, return_inverse=True)
    low, high = np.sort([rank[first], rank[second]], axis=0)
    table = pd.DataFrame(
        {"first": first, "second": second, "distance": distance, "low": low, "high": high}
    )
    same = table["low"] == table["high"]
    farthest = table[same].sort_values("distance", ascending=False, kind="stable")
    nearest = table[~same].sort_values("distance", kind="stable")
    kinds = [
        pairs.drop_duplicates(["low", "high"]).head(number).assign(kind=kind)
        for kind, pairs in ((SAME, farthest), (OTHER, nearest))
    ]
    return pd.concat(kinds, ignore_index=True)[["kind", "first", "second", "distance"]]


def show_families(sources: Sequence[Source], labels: np.ndarray, number: int) -> display.Image:
    """Show the images of the first families, one row per family."""
    rows = [
        [sources[k] for k in np.flatnonzero(labels == label)]
        for label in pd.unique(labels)[:number]
    ]
    sheet = contact_sheet(rows, side=2 * SCREEN, most=6)
    alt = f"Contact sheet of {len(rows)} families of images, one row per family."
    return _shown(sheet, alt, sheet.width // 2)


def show_pairs(sources: Sequence[Source], pairs: pd.DataFrame) -> display.Image:
    """Show pairs of images, one row per kind of the table of ``extremes``, with distances."""
    rows = list(pairs.groupby("kind", sort=False))
    columns = max(len(members) for _, members in rows)
    height = (0.5 * WIDTH / columns + 0.4) * len(rows)
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    parts = np.atleast_1d(figure.subfigures(len(rows)))
    for part, (kind, members) in zip(parts, rows, strict=True):
        part.suptitle(kind, x=0.01, ha="left", fontsize=8.5, fontweight="bold")
        panels = part.subplots(1, columns, squeeze=False)[0]
        for axes in panels:
            axes.axis("off")
        for axes, pair in zip(panels, members.itertuples(), strict=False):
            axes.imshow(contact_sheet([[sources[pair.first], sources[pair.second]]], side=SIDE))
            axes.set_title(f"{pair.distance} bits", fontsize=7.5, fontweight="normal")
    alt = "; ".join(f"{kind}: {', '.join(map(str, m['distance']))} bits apart" for kind, m in rows)
    return _drawn(figure, f"Pairs of images. {alt[0].upper()}{alt[1:]}.")


def changed(dataset: Dataset, place: int = -1) -> list[tuple[str, str, bytes]]:
    """Change one image in every way that the data set allows.

    Parameters
    ----------
    dataset : Dataset
        Data set of the run; if it is a stand-in, a drawn meme is changed.
    place : int
        Index of the strength of each change; by default the last and roughly the strongest.

    Returns
    -------
    list of (str, str, bytes)
        What changes, its strength with its unit, and the changed image as JPEG bytes. The first
        entry is the image without a change.
    """
    with TemporaryDirectory() as folder:
        subject = transforms.Subject(_subject(dataset, Path(folder)))
        shown = [("no change", "", memes.jpeg(subject.image, transforms.QUALITY))]
        for name in transforms.grid(standin.DRAWN.name if dataset.standin else dataset.name):
            change = transforms.TRANSFORMS[name]
            strength = change.strengths[place]
            text = f"{strength} ({change.unit})"
            shown.append((change.label, text, change.apply(subject, strength)))
    return shown


def show_changed(shown: Sequence[tuple[str, str, bytes]], columns: int = 6) -> display.Image:
    """Show the images of ``changed``, each with FINd's distance to the first, in bits."""
    find = methods.get("find")
    hashes = np.stack([find.hash(image) for _, _, image in shown])
    distances = np.bitwise_count(hashes ^ hashes[0]).sum(axis=1, dtype=int)
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(WIDTH, 1.55 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, (label, strength, image), distance in zip(grid.flat, shown, distances, strict=False):
        axes.imshow(_fitted(image))
        title = f"{label}\n{strength}\n{distance} bits" if strength else f"\n{label}\n"
        axes.set_title(title, fontsize=7, fontweight="normal", loc="center")
    listed = [f"{label} {d} bits" for (label, _, _), d in zip(shown, distances, strict=True)]
    return _drawn(figure, f"One image after each change, and FINd's distance: {', '.join(listed)}.")


def _without_docstring(function: Callable[..., object]) -> str:
    """Return the source of a function without its docstring."""
    source = inspect.getsource(function)
    first = ast.parse(source).body[0].body[0]
    lines = source.splitlines(keepends=True)
    if inspect.getdoc(function):
        del lines[first.lineno - 1 : first.end_lineno]
    return "".join(lines)


def _subject(dataset: Dataset, folder: Path) -> Path:
    """Return the path of the image to change; that of a stand-in is drawn into ``folder``."""
    if not dataset.standin:
        return next(filter(readable, dataset.paths))
    drawn = standin.DRAWN
    path = folder / drawn.name / f"{SHOWN_FAMILY:04d}_00001.jpg"
    path.parent.mkdir()
    blank = drawn.template(SHOWN_FAMILY)
    path.write_bytes(memes.render(blank, *drawn.caption(SHOWN_FAMILY, 1)))
    return path


def _fitted(image: bytes) -> Image.Image:
    """Return an image that fits into a square of ``SIDE``, on a grey ground."""
    return ImageOps.pad(open_image(image).convert("RGB"), (SIDE, SIDE), color="#dddddd")


def _drawn(figure: Figure, alt: str) -> display.Image:
    """Return a figure of photographs for the notebook, sharp enough for large displays."""
    drawn = BytesIO()
    figure.savefig(drawn, format="png", dpi=SHARP)
    return _shown(Image.open(drawn).convert("RGB"), alt, round(WIDTH * SCREEN))


def _shown(image: Image.Image, alt: str, width: int) -> display.Image:
    """Return an image as JPEG, with alternative text and its width on the screen in pixels."""
    encoded = BytesIO()
    image.save(encoded, format="jpeg", quality=85, subsampling=0)
    return display.Image(encoded.getvalue(), format="jpeg", width=width, alt=alt)
