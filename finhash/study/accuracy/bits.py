"""Statistics of single bits, and hashes made by selecting or weighting bits.

A bit is useful if it differs between families and agrees within them. Both shares are exact over
all pairs of images; they follow from the number of images in each family that have the bit set.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from tqdm import tqdm

from finhash import hamming
from finhash.accuracy import rates, resampling
from finhash.study import timing
from finhash.study.data import datasets, memes, standin

SIDE = 16
"""Rows and columns of a 256-bit hash."""

MIDDLE_ROWS = range(SIDE // 4, SIDE - SIDE // 4)
"""Rows of a pixel-based hash, such as dHash, that cover the middle half of the image."""


@dataclass(frozen=True)
class BitStatistics:
    """Statistics of each bit over a set of images.

    Attributes
    ----------
    ones : float array of shape (bits,)
        Share of images in which the bit is set.
    same : float array of shape (bits,)
        Share of same-family pairs in which the bit differs.
    other : float array of shape (bits,)
        Share of other-family pairs in which the bit differs.
    """

    ones: np.ndarray
    same: np.ndarray
    other: np.ndarray

    @property
    def entropy(self) -> np.ndarray:
        """Entropy of each bit over all images, between 0 and 1 bit."""
        p = np.clip(self.ones, 1e-12, 1 - 1e-12)
        return -(p * np.log2(p) + (1 - p) * np.log2(1 - p))

    @property
    def log_odds_ratio(self) -> np.ndarray:
        """Log of the ratio of the odds that a bit differs: other-family over same-family pairs.

        If bits were independent, the sum of these values over the differing bits would be the best
        distance: it ranks pairs by their likelihood ratio.
        """
        same, other = (np.clip(share, 1e-4, 1 - 1e-4) for share in (self.same, self.other))
        return np.log(other / (1 - other)) - np.log(same / (1 - same))


def unpack(hashes: np.ndarray) -> np.ndarray:
    """Return the bits of packed hashes, ``bool [n, bits]``."""
    return np.unpackbits(hashes, axis=1).astype(bool)


def pack(bits: np.ndarray) -> np.ndarray:
    """Pack bits ``[n, any]`` into hashes, padding with zeros to a multiple of 64 bits."""
    return np.packbits(np.pad(bits, ((0, 0), (0, -bits.shape[1] % 64))), axis=1)


def bit_statistics(bits: np.ndarray, families: np.ndarray) -> BitStatistics:
    """Compute the statistics of each bit over all pairs of images.

    Examples
    --------
    One bit of four images; it differs in one of the two same-family pairs, and in two of the four
    other-family pairs:

    >>> found = bit_statistics(np.array([[1], [1], [1], [0]], bool), np.array([7, 7, 8, 8]))
    >>> found.ones.tolist(), found.same.tolist(), found.other.tolist()
    ([0.75], [0.5], [0.5])
    """
    _, labels, sizes = np.unique(families, return_inverse=True, return_counts=True)
    starts = np.cumsum(sizes) - sizes
    ones = np.add.reduceat(bits[np.argsort(labels, kind="stable")], starts, axis=0, dtype=np.int64)
    n, total, sizes = len(bits), ones.sum(axis=0), sizes[:, None]
    # A bit differs in (number of ones) * (number of zeros) pairs.
    same_differing = (ones * (sizes - ones)).sum(axis=0)
    other_differing = total * (n - total) - same_differing
    same_pairs = (sizes * (sizes - 1) // 2).sum()
    other_pairs = n * (n - 1) // 2 - same_pairs
    return BitStatistics(total / n, same_differing / same_pairs, other_differing / other_pairs)


def table(hashes: Mapping[str, np.ndarray], families: np.ndarray) -> pd.DataFrame:
    """Tabulate the statistics of each bit of 256-bit hashes, by its position in the image.

    Rows of DCT hashes are vertical frequencies and columns horizontal ones, with the lowest at
    (0, 0). FINd and PDQ store them in reverse order, so their positions are reversed here.

    Returns
    -------
    DataFrame
        One row per method and bit:

        method : str
            Method name.
        row, column : int
            Position of the bit, 0 to 15.
        entropy : float
            Entropy over all images, in bits.
        same, other : float
            Share of same-family and of other-family pairs in which the bit differs.
    """
    tables = []
    for name, packed in hashes.items():
        found = bit_statistics(unpack(packed), families)
        place = np.arange(SIDE**2)[:: -1 if name in ("find", "find_middle", "pdq") else 1]
        columns = {"row": place // SIDE, "column": place % SIDE, "entropy": found.entropy}
        columns |= {"same": found.same, "other": found.other}
        tables.append(pd.DataFrame({"method": name, **columns}))
    return pd.concat(tables, ignore_index=True)


def by_caption_area(
    hashes: Mapping[str, np.ndarray], paths: Sequence[str], families: np.ndarray
) -> pd.DataFrame:
    """Compute each image's distance to its family's majority hash, and the area of its captions.

    The majority hash has each bit that is set in more than half of the family's images. Captions
    are drawn again from the number in the file name, so this works for the stand-in set only.

    Returns
    -------
    DataFrame
        One row per method and image:

        method : str
            Method name.
        area : float
            Share of the image that captions cover.
        distance : int
            Distance to the majority hash, in bits.
    """
    names = map(datasets.family_and_number, paths)
    # File names hold the original family, which is the one that determines the caption, even where
    # ``families`` merges two families.
    area = np.array([memes.caption_area(*standin.MEMES.caption(*name)) for name in names])
    _, labels = np.unique(families, return_inverse=True)
    tables = []
    for name, packed in hashes.items():
        bits = unpack(packed)
        share = pd.DataFrame(bits.astype(np.float32)).groupby(labels).mean().to_numpy()
        distance = (bits != (share > 0.5)[labels]).sum(axis=1)
        tables.append(pd.DataFrame({"method": name, "area": area, "distance": distance}))
    return pd.concat(tables, ignore_index=True)


def concentration(
    hashes: Mapping[str, np.ndarray],
    families: np.ndarray,
    radii: Mapping[str, int],
    *,
    workers: int = 1,
) -> pd.DataFrame:
    """Compute how strongly false claims concentrate on few pairs of families.

    Returns
    -------
    DataFrame
        One row per method in ``radii``:

        method : str
            Method name.
        claims : int
            Number of other-family pairs of images within the radius.
        pairs : int
            Number of pairs of families that these lie between.
        first_ten : float
            Share of the claims that lie between the ten most frequent pairs of families.
    """
    _, labels = np.unique(families, return_inverse=True)
    rows = []
    for name, radius in radii.items():
        i, j, _ = hamming.join(hashes[name], radius=radius, workers=workers)
        first, second = np.minimum(labels[i], labels[j]), np.maximum(labels[i], labels[j])
        false = first != second
        between = pd.Series(zip(first[false], second[false], strict=True)).value_counts()
        claims = between.sum()
        rows.append((name, claims, len(between), between.iloc[:10].sum() / max(1, claims)))
    return pd.DataFrame(rows, columns=["method", "claims", "pairs", "first_ten"])


Bits = Mapping[str, np.ndarray]
"""Bits of each method's hashes, ``bool [n, bits]``."""

Variant = Callable[[Bits, Mapping[str, BitStatistics]], np.ndarray]
"""Function that makes a new hash, ``bool [n, any]``.

Its arguments are the bits of the methods, and the methods' statistics on training families.
"""


def all_bits(name: str) -> Variant:
    """Return a variant that keeps all bits of a method."""
    return lambda bits, _: bits[name]


def best_bits(name: str, number: int) -> Variant:
    """Return a variant that keeps the ``number`` bits with the largest log odds ratios."""

    def variant(bits: Bits, trained: Mapping[str, BitStatistics]) -> np.ndarray:
        order = np.argsort(-trained[name].log_odds_ratio, kind="stable")
        return bits[name][:, np.sort(order[:number])]

    return variant


def weighted_bits(name: str, mean: int = 2) -> Variant:
    """Return a variant that repeats each bit in proportion to its log odds ratio.

    Repeating a bit w times gives it the weight w in the Hamming distance. ``mean`` is the mean
    number of repetitions before rounding.
    """

    def variant(bits: Bits, trained: Mapping[str, BitStatistics]) -> np.ndarray:
        weights = np.clip(trained[name].log_odds_ratio, 0, None)
        times = np.rint(mean * weights / weights.mean()).astype(int)
        return np.repeat(bits[name], times, axis=1)

    return variant


def some_rows(name: str, kept: range) -> Variant:
    """Return a variant that keeps some of the 16 rows of a 256-bit hash."""
    return lambda bits, _: bits[name].reshape(-1, SIDE, SIDE)[:, kept].reshape(-1, SIDE * len(kept))


def concatenated(*variants: Variant) -> Variant:
    """Return a variant that joins the bits of several variants."""
    return lambda bits, trained: np.hstack([variant(bits, trained) for variant in variants])


VARIANTS: dict[str, Variant] = {
    "FINd": all_bits("find"),
    "FINd, 192 best bits": best_bits("find", 192),
    "FINd, 128 best bits": best_bits("find", 128),
    "FINd, weighted bits": weighted_bits("find"),
    "FINd, middle half": all_bits("find_middle"),
    "dHash": all_bits("dhash256"),
    "dHash, middle rows": some_rows("dhash256", MIDDLE_ROWS),
    "FINd and dHash, 128 best of each": concatenated(
        best_bits("find", 128), best_bits("dhash256", 128)
    ),
}
"""The variants compared in the report, by title."""

FUSIONS: dict[str, Variant] = {
    "FINd": all_bits("find"),
    "dHash": all_bits("dhash256"),
    "pHash": all_bits("phash256"),
    "dHash, middle rows": some_rows("dhash256", MIDDLE_ROWS),
    "FINd + dHash": concatenated(all_bits("find"), all_bits("dhash256")),
    "FINd + pHash": concatenated(all_bits("find"), all_bits("phash256")),
    "FINd + dHash, middle rows": concatenated(all_bits("find"), some_rows("dhash256", MIDDLE_ROWS)),
}
"""Fusions of two hashes, and the hashes alone, by title. The distance of a fusion is the sum of the
distances of its parts."""

FUSED_METHODS: dict[str, list[str]] = {
    "FINd": ["find"],
    "dHash": ["dhash256"],
    "pHash": ["phash256"],
    "dHash, middle rows": ["dhash256"],
    "FINd + dHash": ["find", "dhash256"],
    "FINd + pHash": ["find", "phash256"],
    "FINd + dHash, middle rows": ["find", "dhash256"],
}
"""Key of ``FUSIONS`` -> methods that must be computed."""


def held_out(
    hashes: Mapping[str, np.ndarray],
    families: np.ndarray,
    targets: Sequence[float],
    *,
    folds: int,
    seed: int,
    variants: Mapping[str, Variant] | None = None,
    workers: int = 1,
) -> pd.DataFrame:
    """Cross-validate the variants: compute recall on families not used to select bits.

    For each fold of the families, a variant is made from the statistics of all other folds, and
    the pairs within the fold are counted. ``recall`` comes from the counts of all folds together.

    Parameters
    ----------
    hashes : mapping of str to uint8 array of shape (n, bits / 8)
        Packed hashes of the methods that the variants use.
    families : array of shape (n,)
        Family of each image.
    targets : sequence of float
        False positive rates.
    folds, seed : int
        See ``resampling.assign_folds``. Each fold must have two families or more.
    variants : mapping of str to Variant, optional
        Variants by title. The default is ``VARIANTS``.
    workers : int
        Number of threads.

    Returns
    -------
    DataFrame
        One row per variant and target:

        variant : str
            Title of the variant.
        bits : int
            Length of the variant's hash; of the last fold, if folds differ.
        target : float
            False positive rate.
        recall : float
            Recall at this rate, over the pairs within all folds.
        low, high : float
            Lowest and highest recall of a single fold.

        The table is empty if the families are fewer than two per fold.
    """
    names, labels = np.unique(families, return_inverse=True)
    columns = ["variant", "bits", "target", "recall", "low", "high"]
    if len(names) < 2 * folds:
        return pd.DataFrame(columns=columns)
    fold_of = resampling.assign_folds(len(names), folds, seed)[labels]
    bits = {name: unpack(packed) for name, packed in hashes.items()}
    trained = [
        {
            name: bit_statistics(own[fold_of != k], labels[fold_of != k])
            for name, own in bits.items()
        }
        for k in range(folds)
    ]
    rows = []
    variants = VARIANTS if variants is None else variants
    for title, variant in tqdm(variants.items(), "variants", unit="variant", leave=False):
        counts = []
        for k in range(folds):
            test = {name: own[fold_of == k] for name, own in bits.items()}
            made = variant(test, trained[k])
            counted = hamming.pair_histogram(pack(made), labels[fold_of == k], workers=workers)
            # Lengths differ between folds if bits are weighted; pad to a common length. 64 * 64
            # counts are more than any variant has: weighting makes 2 * 256 bits before rounding,
            # which adds at most half a bit to each of the 256, so at most 640 bits.
            counts.append(np.pad(counted, ((0, 0), (0, 64 * 64 - len(counted[0])))))
        pooled = np.sum(counts, axis=0)
        for target in targets:
            each = [rates.at_fpr(*count, target)[1] for count in counts]
            _, recall = rates.at_fpr(*pooled, target)
            rows.append((title, made.shape[1], target, recall, min(each), max(each)))
    return pd.DataFrame(rows, columns=columns)


def scan_times(
    hashes: Mapping[str, np.ndarray], families: np.ndarray, repeats: int, *, workers: int = 1
) -> pd.DataFrame:
    """Time counting all pairs of images by distance, for the fusions of each length.

    Parameters
    ----------
    hashes : mapping of str to uint8 array of shape (n, bits / 8)
        Packed hashes of the methods that ``FUSIONS`` use.
    families : array of shape (n,)
        Family of each image.
    repeats : int
        Number of warm samples per length.
    workers : int
        Number of threads.

    Returns
    -------
    DataFrame
        Result of ``timing.time_calls``; ``contender`` is the length in bits, ``seconds`` the time
        to count all pairs.
    """
    unpacked = {name: unpack(packed) for name, packed in hashes.items()}
    packed = [pack(variant(unpacked, {})) for variant in FUSIONS.values()]
    contenders = {
        8 * made.shape[1]: partial(hamming.pair_histogram, made, families, workers=workers)
        for made in packed
    }
    return timing.time_calls(contenders, repeats)
