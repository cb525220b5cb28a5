"""Why hashes rank as they do, bit by bit; and what choosing or weighing bits would bring.

A bit helps if it differs between families and stays within them. Both are counted exactly over all
pairs, from how often each bit is set in each family.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from tqdm import tqdm

from finhash import hamming
from finhash.study.accuracy import rates
from finhash.study.data import datasets, memes

SIDE = 16
MIDDLE = range(SIDE // 4, SIDE - SIDE // 4)
"""Rows of a 16 x 16 hash that look at the middle half of the picture."""


@dataclass(frozen=True)
class BitRates:
    """For each bit: how often it is set, and in which share of same and of other pairs it differs.

    Arrays ``[bits]``; other pairs are those of different families.
    """

    ones: np.ndarray
    same: np.ndarray
    other: np.ndarray

    @property
    def entropy(self) -> np.ndarray:
        """Bits of information in each bit, 0 to 1, over all pictures."""
        p = np.clip(self.ones, 1e-12, 1 - 1e-12)
        return -(p * np.log2(p) + (1 - p) * np.log2(1 - p))

    @property
    def evidence(self) -> np.ndarray:
        """What a bit that differs says against "same family": its log odds ratio.

        Were bits independent, the sum of these over the differing bits would order pairs best.
        """
        same, other = (np.clip(rate, 1e-4, 1 - 1e-4) for rate in (self.same, self.other))
        return np.log(other / (1 - other)) - np.log(same / (1 - same))


def unpack(hashes: np.ndarray) -> np.ndarray:
    """The bits of packed hashes, ``bool [n, bits]``."""
    return np.unpackbits(hashes, axis=1).astype(bool)


def pack(bits: np.ndarray) -> np.ndarray:
    """Packed hashes of bits ``[n, any]``, filled up to whole words by bits that never differ."""
    return np.packbits(np.pad(bits, ((0, 0), (0, -bits.shape[1] % 64))), axis=1)


def bit_rates(bits: np.ndarray, families: np.ndarray) -> BitRates:
    """The rates of all bits over all pairs of the pictures."""
    _, labels, sizes = np.unique(families, return_inverse=True, return_counts=True)
    starts = np.cumsum(sizes) - sizes
    ones = np.add.reduceat(bits[np.argsort(labels, kind="stable")], starts, axis=0, dtype=np.int64)
    n, total, sizes = len(bits), ones.sum(axis=0), sizes[:, None]
    differing = (ones * (sizes - ones)).sum(axis=0)
    same_pairs = (sizes * (sizes - 1) // 2).sum()
    other_pairs = n * (n - 1) // 2 - same_pairs
    other = (total * (n - total) - differing) / other_pairs
    return BitRates(total / n, differing / same_pairs, other)


def table(hashes: Mapping[str, np.ndarray], families: np.ndarray) -> pd.DataFrame:
    """``method, row, column, entropy, same, other`` of each bit, as the picture lies.

    Of DCT hashes row and column are vertical and horizontal frequencies, the lowest at the top
    left: FINd and PDQ store them in reverse.
    """
    parts = []
    for name, packed in hashes.items():
        found = bit_rates(unpack(packed), families)
        place = np.arange(SIDE**2)[:: -1 if name in ("find", "find_middle", "pdq") else 1]
        columns = {"row": place // SIDE, "column": place % SIDE, "entropy": found.entropy}
        columns |= {"same": found.same, "other": found.other}
        parts.append(pd.DataFrame({"method": name, **columns}))
    return pd.concat(parts, ignore_index=True)


def by_caption_area(
    hashes: Mapping[str, np.ndarray], paths: Sequence[str], families: np.ndarray
) -> pd.DataFrame:
    """Distance of each picture to its family's majority hash: ``method, area, distance``.

    ``area`` is the share of the picture under its captions, which is known of the stand-in only;
    where two names are one family, the name's own captions count.
    """
    named = map(datasets.family_and_number, paths)
    area = np.array([memes.caption_area(*datasets.caption(*name)) for name in named])
    _, labels = np.unique(families, return_inverse=True)
    parts = []
    for name, packed in hashes.items():
        bits = unpack(packed)
        share = pd.DataFrame(bits.astype(np.float32)).groupby(labels).mean().to_numpy()
        apart = (bits != (share > 0.5)[labels]).sum(axis=1)
        parts.append(pd.DataFrame({"method": name, "area": area, "distance": apart}))
    return pd.concat(parts, ignore_index=True)


def concentration(
    hashes: Mapping[str, np.ndarray],
    families: np.ndarray,
    radii: Mapping[str, int],
    *,
    workers: int = 1,
) -> pd.DataFrame:
    """How many pairs of families false claims lie between: ``method, claims, pairs, first_ten``.

    ``first_ten`` is the share of the claims that the ten commonest pairs of families have.
    """
    _, labels = np.unique(families, return_inverse=True)
    found = []
    for name, radius in radii.items():
        i, j, _ = hamming.join(hashes[name], radius=radius, workers=workers)
        first, second = np.minimum(labels[i], labels[j]), np.maximum(labels[i], labels[j])
        false = first != second
        between = pd.Series(zip(first[false], second[false], strict=True)).value_counts()
        claims = between.sum()
        found.append((name, claims, len(between), between.iloc[:10].sum() / max(1, claims)))
    return pd.DataFrame(found, columns=["method", "claims", "pairs", "first_ten"])


Bits = Mapping[str, np.ndarray]
"""Method -> its bits, ``bool [n, bits]``."""

Variant = Callable[[Bits, Mapping[str, BitRates]], np.ndarray]
"""Makes a hash's bits from methods' bits and from the rates that training families give."""


def best(name: str, number: int) -> Variant:
    """The bits of a method with most evidence."""

    def variant(bits: Bits, learnt: Mapping[str, BitRates]) -> np.ndarray:
        order = np.argsort(-learnt[name].evidence, kind="stable")
        return bits[name][:, np.sort(order[:number])]

    return variant


def weighed(name: str, mean: int = 2) -> Variant:
    """A method's bits repeated in proportion to their evidence, ``mean`` times on the average."""

    def variant(bits: Bits, learnt: Mapping[str, BitRates]) -> np.ndarray:
        evidence = np.clip(learnt[name].evidence, 0, None)
        times = np.rint(mean * evidence / evidence.mean()).astype(int)
        return np.repeat(bits[name], times, axis=1)

    return variant


def whole(name: str) -> Variant:
    """A method as it is."""
    return lambda bits, _: bits[name]


def rows(name: str, kept: range) -> Variant:
    """The rows ``kept`` of a method's 16."""
    return lambda bits, _: bits[name].reshape(-1, SIDE, SIDE)[:, kept].reshape(-1, SIDE * len(kept))


def both(*parts: Variant) -> Variant:
    """The bits of several variants side by side."""
    return lambda bits, learnt: np.hstack([part(bits, learnt) for part in parts])


VARIANTS: dict[str, Variant] = {
    "FINd": whole("find"),
    "FINd, 192 best bits": best("find", 192),
    "FINd, 128 best bits": best("find", 128),
    "FINd, bits weighed": weighed("find"),
    "FINd, middle half": whole("find_middle"),
    "dHash": whole("dhash256"),
    "dHash, middle rows": rows("dhash256", MIDDLE),
    "FINd and dHash, 128 best of each": both(best("find", 128), best("dhash256", 128)),
}


def held_out(
    hashes: Mapping[str, np.ndarray],
    families: np.ndarray,
    targets: Sequence[float],
    *,
    folds: int,
    seed: int,
    workers: int = 1,
) -> pd.DataFrame:
    """What each variant recalls on families that its bits were not chosen on.

    ``variant, bits, target, recall, low, high``: from the pairs within all the folds together, each
    counted once, with the least and the most of a single fold.
    """
    names, labels = np.unique(families, return_inverse=True)
    fold = (np.random.default_rng(seed).permutation(len(names)) % folds)[labels]
    bits = {name: unpack(packed) for name, packed in hashes.items()}
    learnt = [
        {name: bit_rates(table[fold != k], labels[fold != k]) for name, table in bits.items()}
        for k in range(folds)
    ]
    found = []
    for title, variant in tqdm(VARIANTS.items(), "variants", unit="variant", leave=False):
        counts = []
        for k in range(folds):
            judged = {name: table[fold == k] for name, table in bits.items()}
            made = variant(judged, learnt[k])
            same_other = hamming.pair_histogram(pack(made), labels[fold == k], workers=workers)
            counts.append(np.pad(same_other, ((0, 0), (0, 64 * 64 - len(same_other[0])))))
        pooled = np.sum(counts, axis=0)
        for target in targets:
            each = [rates.at_fpr(*count, target)[1] for count in counts]
            _, recall = rates.at_fpr(*pooled, target)
            found.append((title, made.shape[1], target, recall, min(each), max(each)))
    columns = ["variant", "bits", "target", "recall", "low", "high"]
    return pd.DataFrame(found, columns=columns)
