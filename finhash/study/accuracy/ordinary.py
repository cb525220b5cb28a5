"""What thresholds that were found on memes do to ordinary images.

The set is small, so each share has an exact binomial interval (Clopper and Pearson 1934), whose
unit is the image: the pairs and the changes of one image are not independent.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

from finhash import hamming
from finhash.accuracy.resampling import LEVEL
from finhash.study.data.transforms import CELL, FROM_TEMPLATE
from finhash.tables.hash_table import HashTable


def false_matches(
    images: HashTable, memes: HashTable, thresholds: Mapping[str, int]
) -> pd.DataFrame:
    """Count false matches of ordinary images, with each other and with memes.

    Parameters
    ----------
    images : HashTable
        Hashes of ordinary images, all of them different.
    memes : HashTable
        Hashes of memes, none of which shows one of the images.
    thresholds : mapping of str to int
        Threshold of each method, in bits.

    Returns
    -------
    DataFrame
        Two rows per method:

        method : str
            Method name.
        against : str
            ``"ordinary"``: the other ordinary images. ``"memes"``: the memes.
        threshold : int
            Largest distance of a match, in bits.
        images : int
            Number of ordinary images.
        pairs : int
            Number of pairs compared.
        matches : int
            Number of pairs within the threshold; all of them are false.
        matched : int
            Number of ordinary images that occur in such pairs.
        high : float
            Upper bound of the share of ordinary images that would match an image of this gallery:
            the upper end of the 95 % interval. It treats images as independent, which those that
            match each other are not.
        nearest : int
            Smallest distance of a pair, in bits.
    """
    found = []
    for method, threshold in thresholds.items():
        hashes = images.hashes(method)
        for against, gallery in (("ordinary", None), ("memes", memes.hashes(method))):
            counts = _counts(hashes, gallery)
            if gallery is None:
                counts = counts / 2  # Each pair was counted from both sides.
            near = counts[:, : threshold + 1].sum(axis=1)
            matched = int((near > 0).sum())
            _, high = interval(matched / len(hashes), len(hashes))
            total = counts.sum(axis=0)
            row = (len(hashes), int(total.sum()), int(near.sum()), matched, high)
            found.append((method, against, threshold, *row, np.flatnonzero(total)[0]))
    columns = ["method", "against", "threshold", "images", "pairs", "matches", "matched", "high"]
    return pd.DataFrame(found, columns=[*columns, "nearest"])


def recall(
    transformed: HashTable, unchanged: HashTable, thresholds: Mapping[str, int]
) -> pd.DataFrame:
    """Measure how many transformed images are still within the threshold of their originals.

    Transforms that change a caption are left out, so memes can be compared with other images.

    Parameters
    ----------
    transformed : HashTable
        Hashes of transformed images, as from ``transforms.hash_transformed``.
    unchanged : HashTable
        Hashes of their originals.
    thresholds : mapping of str to int
        Threshold of each method, in bits.

    Returns
    -------
    DataFrame
        One row per method and transform, and one per method for all transforms:

        method : str
            Method name.
        transform : str
            Name of the transform, or ``"all"``.
        threshold : int
            Largest distance of a match, in bits.
        images : int
            Number of originals.
        changed : int
            Number of transformed images, at all strengths.
        recall : float
            Share of the transformed images within the threshold of their originals.
        low, high : float
            95 % interval of the recall. It counts each original as one observation, however many
            strengths its share is the mean of, and is therefore rather too wide.
    """
    cells = transformed.arrow.select(["path", *CELL]).to_pandas()
    kept = ~cells["transform"].isin(FROM_TEMPLATE).to_numpy()
    original = pd.Series(range(len(unchanged)), unchanged.paths).loc[cells["path"]].to_numpy()
    found = []
    for method, threshold in thresholds.items():
        difference = transformed.hashes(method) ^ unchanged.hashes(method)[original]
        hit = np.bitwise_count(difference).sum(axis=1, dtype=int) <= threshold
        hits = cells.assign(hit=hit)[kept]
        groups = {**dict(iter(hits.groupby("transform", sort=False))), "all": hits}
        for transform, group in groups.items():
            number, share = group["path"].nunique(), group["hit"].mean()
            row = (number, len(group), share, *interval(share, number))
            found.append((method, transform, threshold, *row))
    columns = ["method", "transform", "threshold", "images", "changed", "recall", "low", "high"]
    return pd.DataFrame(found, columns=columns)


def interval(share: float, number: int) -> tuple[float, float]:
    """Return the exact 95 % binomial interval of a share of independent images.

    Parameters
    ----------
    share : float
        Observed share. ``share * number`` need not be a whole number.
    number : int
        Number of images.

    Returns
    -------
    low, high : float
        Ends of the interval.

    Examples
    --------
    >>> low, high = interval(0, 93)
    >>> low, round(high, 3)
    (0.0, 0.039)
    """
    tail, count = (1 - LEVEL) / 2, share * number
    low = stats.beta.ppf(tail, count, number - count + 1) if share > 0 else 0.0
    high = stats.beta.ppf(1 - tail, count + 1, number - count) if share < 1 else 1.0
    return float(low), float(high)


def _counts(hashes: np.ndarray, gallery: np.ndarray | None) -> np.ndarray:
    """Count the gallery, or the other hashes, by distance from each hash, ``int [n, bits + 1]``."""
    strangers = None if gallery is None else np.full(len(gallery), -1)
    blocks = hamming.query_histograms(hashes, np.arange(len(hashes)), gallery, strangers)
    return np.concatenate([other for _, _, _, other in blocks])
