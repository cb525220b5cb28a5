"""What is gained and lost by looking up images in several orientations.

Copies of images are mirrored and turned, encoded as JPEG and looked up. ``finhash.orientations``
turns a copy back in two ways: as an image, or its hash alone.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from finhash import hamming, methods
from finhash.hamming.words import threads
from finhash.images import open_image
from finhash.orientations import ORIENTATIONS, ORIGINAL, hashes, of_hashes
from finhash.study import timing
from finhash.study.data import memes
from finhash.study.data.transforms import QUALITY

METHOD = "find"
"""Method that is measured."""

COMPARED = {"one": (ORIGINAL,), **ORIENTATIONS}
"""Orientations in which a query is looked up, by name; ``"one"`` is the usual look-up."""

COPIES = {
    "upright": (ORIGINAL,),
    "mirrored": ("flip_left_right",),
    "turned": ("rotate_90", "rotate_180", "rotate_270"),
    "mirrored and turned": ("flip_top_bottom", "transpose", "transverse"),
}
"""Orientations of copies, by kind of copy."""


def recall(
    pairs: Sequence[tuple[Path, Path]], thresholds: Mapping[str, int], *, workers: int = 1
) -> pd.DataFrame:
    """Measure what mirrored and turned copies of images find.

    Parameters
    ----------
    pairs : sequence of pairs of Path
        Images, each with another image of its family.
    thresholds : mapping of str to int
        Threshold of each use, in bits.
    workers : int
        Number of threads.

    Returns
    -------
    DataFrame
        One row per kind of copy, orientations, way of turning and use:

        copies : str
            Kind of the copies, a key of ``COPIES``.
        compared : str
            Orientations in which each copy was looked up, a key of ``COMPARED``.
        turned : str
            ``"image"`` or ``"hash"``: what was turned for that.
        use : str
            Use of the threshold.
        threshold : int
            Largest distance of a match, in bits.
        number : int
            Number of copies.
        own_median : float
            Median distance from copy to original, in bits.
        found_own : float
            Share of the copies whose original is within the threshold.
        found_other : float
            Share of the copies for which the other image of the family is within the threshold.
    """
    with threads(workers) as each:
        found = each(_distances, pairs)
        measured = np.stack(list(tqdm(found, "orientations", len(pairs), leave=False)))
    place = {name: number for number, name in enumerate(ORIENTATIONS["all"])}
    rows = []
    # Axes: way of turning, pair, image of the pair, orientation of the copy, that of the query.
    for way, distances in zip(("image", "hash"), np.moveaxis(measured, 1, 0), strict=True):
        for kind, made in COPIES.items():
            for compared, names in COMPARED.items():
                chosen = np.ix_([place[name] for name in made], [place[name] for name in names])
                nearest = distances[:, :, *chosen].min(axis=3)
                own, other = nearest[:, 0], nearest[:, 1]
                for use, radius in thresholds.items():
                    shares = (own <= radius).mean(), (other <= radius).mean()
                    measures = own.size, np.median(own), *shares
                    rows.append((kind, compared, way, use, radius, *measures))
    columns = ["copies", "compared", "turned", "use", "threshold", "number", "own_median"]
    return pd.DataFrame(rows, columns=[*columns, "found_own", "found_other"])


def false_matches(
    packed: np.ndarray, families: np.ndarray, thresholds: Mapping[str, int], *, workers: int = 1
) -> pd.DataFrame:
    """Count false matches of images whose hashes are looked up in several orientations.

    The first image of each family is a query, and all images are the gallery.

    Parameters
    ----------
    packed : uint8 array of shape (n, bits / 8)
        Hashes of upright images.
    families : int array of shape (n,)
        Family of each image. Images of two families do not match, in any orientation.
    thresholds : mapping of str to int
        Threshold of each use, in bits.
    workers : int
        Number of threads.

    Returns
    -------
    DataFrame
        One row per orientations and use:

        compared : str
            Orientations in which each query was looked up, a key of ``COMPARED``.
        use : str
            Use of the threshold.
        threshold : int
            Largest distance of a match, in bits.
        queries : int
            Number of queries.
        pairs : int
            Number of pairs of a query and an image of another family.
        matches : int
            Number of these pairs within the threshold in at least one orientation.
        rate : float
            ``matches / pairs``, the false positive rate.
        matched : float
            Share of the queries with a false match.
    """
    queries = np.unique(families, return_index=True)[1]
    sizes = np.unique(families, return_counts=True)[1]
    pairs = int((len(families) - sizes).sum())
    turned = of_hashes(packed[queries], "all", METHOD)
    gallery = hamming.Gallery(packed)
    rows = []
    for use, radius in thresholds.items():
        found = {
            name: _false_pairs(one, gallery, families, queries, radius, workers)
            for name, one in turned.items()
        }
        for compared, names in COMPARED.items():
            wrong = np.unique(np.concatenate([found[name] for name in names]))
            matched = len(np.unique(wrong // len(packed))) / len(queries)
            counts = len(queries), pairs, len(wrong), len(wrong) / pairs, matched
            rows.append((compared, use, radius, *counts))
    columns = ["compared", "use", "threshold", "queries", "pairs", "matches", "rate", "matched"]
    return pd.DataFrame(rows, columns=columns)


def costs(images: Mapping[str, bytes], repeats: int) -> pd.DataFrame:
    """Time how long hashing an image in several orientations takes.

    Parameters
    ----------
    images : mapping of str to bytes
        Encoded images, by name.
    repeats : int
        Number of warm samples.

    Returns
    -------
    DataFrame
        One row per image and orientations:

        image : str
            Name of the image.
        compared : str
            Orientations that were hashed, a key of ``COMPARED``.
        seconds : float
            Median wall time, decoding included.
    """
    usual = methods.get(METHOD).hash

    def contender(data: bytes, compared: str) -> object:
        return usual(data) if compared == "one" else hashes(data, compared, METHOD)

    contenders = {
        (name, compared): lambda data=data, compared=compared: contender(data, compared)
        for name, data in images.items()
        for compared in COMPARED
    }
    timings = timing.time_calls(contenders, repeats)
    warm = timings[timings["state"] == "warm"]
    medians = warm.groupby("contender", sort=False)["seconds"].median()
    rows = [(*contender, seconds) for contender, seconds in medians.items()]
    return pd.DataFrame(rows, columns=["image", "compared", "seconds"])


def _distances(pair: tuple[Path, Path]) -> np.ndarray:
    """Return distances in bits from copies of the first image to both images of the pair.

    The axes of the array are the way of turning, the image, the orientation of the copy and that in
    which the copy is compared.
    """
    image, other = (open_image(path).convert("RGB") for path in pair)
    usual = methods.get(METHOD).hash
    targets = np.stack([usual(image), usual(other)])
    found = np.empty((2, 2, 8, 8), int)
    for number, name in enumerate(ORIENTATIONS["all"]):
        copy = image if name == ORIGINAL else image.transpose(Image.Transpose[name.upper()])
        exact = np.stack(list(hashes(memes.jpeg(copy, QUALITY), "all", METHOD).values()))
        about = np.concatenate(list(of_hashes(exact[:1], "all", METHOD).values()))
        for way, turned in enumerate((exact, about)):
            apart = np.bitwise_count(targets[:, None] ^ turned)
            found[way, :, number] = apart.sum(axis=2, dtype=int)
    return found


def _false_pairs(
    turned: np.ndarray,
    gallery: hamming.Gallery,
    families: np.ndarray,
    queries: np.ndarray,
    radius: int,
    workers: int,
) -> np.ndarray:
    """Return pairs within the radius as ``query * n + image``, without those of one family."""
    i, j, _ = hamming.join(turned, gallery, radius=radius, workers=workers)
    wrong = families[queries[i]] != families[j]
    return i[wrong].astype(np.int64) * len(families) + j[wrong]
