"""Accuracy under other caption layouts, and the rule that decides on hashes of the middle half.

``python -m finhash.study.accuracy.layouts`` renders and hashes the images with other layouts, and
writes their hash tables to the output folder. ``FINHASH_TEMPLATES`` must name the templates'
folder. It takes some minutes.
"""

import os
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from finhash import hamming
from finhash.accuracy import rates
from finhash.study import project
from finhash.study.accuracy import bits
from finhash.study.data import committed as hash_tables
from finhash.study.data import datasets
from finhash.tables.hash_table import HashTable

VARIANTS: dict[str, bits.Variant] = {
    "FINd": bits.all_bits("find"),
    "FINd, 192 best bits": bits.best_bits("find", 192),
    "FINd, weighted bits": bits.weighted_bits("find"),
    "FINd, middle half": bits.all_bits("find_middle"),
    "FINd, middle half, 128 best bits": bits.best_bits("find_middle", 128),
    "dHash": bits.all_bits("dhash256"),
    "dHash, middle half": bits.all_bits("dhash_middle"),
    "dHash, middle rows": bits.some_rows("dhash256", bits.MIDDLE_ROWS),
    "FINd + dHash, middle rows": bits.FUSIONS["FINd + dHash, middle rows"],
}
"""The variants compared under other layouts, by title."""

UNTRAINED = tuple(
    title for title in VARIANTS if not title.endswith("best bits") and "weighted" not in title
)
"""Variants that choose no bits, so that they need no training families."""

MARGIN = 0.05
"""Difference in recall that the rule of ``verdict`` counts as a loss or a gain."""

COUNTED = ("distance", "same", "other")
"""Columns of counts; the other columns of ``count`` say what was counted."""


def committed(names: Sequence[str], table: str = "layouts") -> HashTable:
    """Load the committed hashes of some images of the stand-in.

    Parameters
    ----------
    names : sequence of str
        File names of the images.
    table : str
        ``"layouts"`` for the images with other caption layouts, ``"dhash_middle"`` for dHash of the
        middle half of the images themselves.

    Returns
    -------
    HashTable
        As from ``finhash.study.data.layouts.hash_layouts`` or ``hash_middle``.

    Examples
    --------
    >>> len(committed(["0000_00000.jpg"]))
    7
    >>> len(committed(["0000_00000.jpg", "0000_00001.jpg"], "dhash_middle"))
    2
    """
    whole = HashTable.read(project.hashes() / "memes" / f"{table}.parquet").arrow
    return HashTable(whole.filter(pc.is_in(whole["path"], pa.array(names))))


def train(hashes: Mapping[str, np.ndarray], families: np.ndarray) -> dict[str, bits.BitStatistics]:
    """Return the statistics of the bits of each method, on which the variants choose bits."""
    return {
        name: bits.bit_statistics(bits.unpack(packed), families) for name, packed in hashes.items()
    }


def count(
    hashes: Mapping[str, np.ndarray],
    families: np.ndarray,
    layout: np.ndarray,
    trained: Mapping[str, bits.BitStatistics],
    *,
    titles: Sequence[str] = tuple(VARIANTS),
    workers: int = 1,
) -> pd.DataFrame:
    """Count the pairs of images within each layout by distance, for every variant.

    Parameters
    ----------
    hashes : mapping of str to uint8 array of shape (n, bits / 8)
        Packed hashes of the methods that ``VARIANTS`` use.
    families : array of shape (n,)
        Family of each image.
    layout : array of shape (n,)
        Layout of each image, as text.
    trained : mapping of str to BitStatistics
        Statistics of each method on other families, as from ``train``; empty if no variant in
        ``titles`` needs them.
    titles : sequence of str
        Keys of ``VARIANTS``.
    workers : int
        Number of threads.

    Returns
    -------
    DataFrame
        One row per layout, variant and distance:

        layout : str
            Layout of both images.
        variant : str
            Key of ``VARIANTS``.
        bits : int
            Length of the variant's hash.
        distance : int
            Distance in bits.
        same, other : int
            Number of pairs within and between families.
    """
    unpacked = {name: bits.unpack(packed) for name, packed in hashes.items()}
    groups = {name: np.flatnonzero(layout == name) for name in pd.unique(layout)}
    tables = []
    for title in tqdm(titles, "variants", unit="variant", leave=False):
        made = VARIANTS[title](unpacked, trained)
        packed = bits.pack(made)
        for name, rows in groups.items():
            same, other = hamming.pair_histogram(packed[rows], families[rows], workers=workers)
            counts = {"distance": np.arange(len(same)), "same": same, "other": other}
            facts = {"layout": name, "variant": title, "bits": made.shape[1]}
            tables.append(pd.DataFrame(facts | counts))
    return pd.concat(tables, ignore_index=True)


def at_targets(counts: pd.DataFrame, targets: Sequence[float]) -> pd.DataFrame:
    """Compute recall at false positive rates, each reached by a threshold of the counts' own.

    Parameters
    ----------
    counts : DataFrame
        Result of ``count``; columns may be added, such as one for the labels.
    targets : sequence of float
        False positive rates.

    Returns
    -------
    DataFrame
        One row per combination counted and target. Besides the columns of ``counts`` that say what
        was counted:

        target : float
            False positive rate.
        threshold : int
            Largest threshold with at most this rate, in bits; -1 if there is none.
        fpr, recall : float
            Both rates at this threshold; 0 if there is none.
        fpr_0 : float
            False positive rate at distance 0, the lowest rate that a threshold can reach.
        other : int
            Number of pairs between families.
    """
    rows = []
    for facts, group in _groups(counts):
        same, other = group["same"].to_numpy(), group["other"].to_numpy()
        false = np.cumsum(other) / other.sum()
        for target in targets:
            threshold, recall = rates.at_fpr(same, other, target)
            reached = {"threshold": threshold, "fpr": false[threshold] if threshold >= 0 else 0.0}
            own = {"recall": recall, "fpr_0": false[0], "other": other.sum()}
            rows.append(facts | {"target": target} | reached | own)
    return pd.DataFrame(rows)


def at_thresholds(counts: pd.DataFrame, thresholds: Mapping[str, int]) -> pd.DataFrame:
    """Compute both rates at given thresholds.

    Parameters
    ----------
    counts : DataFrame
        Result of ``count``.
    thresholds : mapping of str to int
        Threshold of each variant, in bits; -1 claims no pair.

    Returns
    -------
    DataFrame
        One row per combination counted. Besides the columns of ``counts`` that say what was
        counted:

        threshold : int
            Threshold in bits.
        fpr, recall : float
            False positive rate and recall.
    """
    rows = []
    for facts, group in _groups(counts):
        threshold = thresholds[facts["variant"]]
        within = group["distance"] <= threshold
        found = {
            "fpr": group.loc[within, "other"].sum() / group["other"].sum(),
            "recall": group.loc[within, "same"].sum() / group["same"].sum(),
        }
        rows.append(facts | {"threshold": threshold} | found)
    return pd.DataFrame(rows)


def verdict(
    table: pd.DataFrame,
    candidates: Sequence[str],
    *,
    reference: str = "FINd",
    mixture: str = "natural",
) -> pd.DataFrame:
    """Decide by rule whether to recommend each candidate in place of the reference.

    A candidate is recommended if all of this holds: its recall is below the reference's by more
    than ``MARGIN`` in no layout; it is above the reference's by more than ``MARGIN`` in the
    mixture; and no other variant with as many bits or fewer has a higher recall in the mixture.

    Parameters
    ----------
    table : DataFrame
        Columns ``layout``, ``variant``, ``bits`` and ``recall``, at one false positive rate, as
        from ``at_targets``.
    candidates : sequence of str
        Variants to decide on.
    reference : str
        Variant to compare with.
    mixture : str
        Layout with captions in real proportions.

    Returns
    -------
    DataFrame
        One row per candidate:

        variant : str
            Candidate.
        worst_layout : str
            Layout in which recall is lowest compared with the reference.
        worst_gain : float
            Recall of the candidate minus that of the reference in this layout.
        mixture_gain : float
            The same difference in the mixture.
        beaten_by : str
            Variant with as many bits or fewer and the highest recall in the mixture; empty if no
            variant has a higher recall than the candidate.
        recommended : bool
            Whether the rule recommends the candidate.

    Examples
    --------
    >>> rows = [("natural", "FINd", 256, 0.6), ("natural", "middle", 256, 0.9)]
    >>> rows += [("4 lines", "FINd", 256, 0.5), ("4 lines", "middle", 256, 0.2)]
    >>> table = pd.DataFrame(rows, columns=["layout", "variant", "bits", "recall"])
    >>> verdict(table, ["middle"])[["worst_layout", "recommended"]].to_numpy().tolist()
    [['4 lines', False]]
    """
    recall = table.pivot(index="layout", columns="variant", values="recall")
    lengths = table.groupby("variant")["bits"].first()
    rows = []
    for name in candidates:
        gains = recall[name] - recall[reference]
        rival = stronger(name, recall.loc[mixture], lengths)
        passed = is_recommended(gains, gains[mixture], rival)
        rows.append((name, gains.idxmin(), gains.min(), gains[mixture], rival, passed))
    columns = ["variant", "worst_layout", "worst_gain", "mixture_gain", "beaten_by", "recommended"]
    return pd.DataFrame(rows, columns=columns)


def stronger(name: str, recall: pd.Series, lengths: pd.Series) -> str:
    """Return the variant that exceeds ``name`` most with as many bits or fewer; "" if none does."""
    rivals = recall[lengths <= lengths[name]]
    return rivals.idxmax() if rivals.max() > recall[name] else ""


def is_recommended(gains: pd.Series, mixture_gain: float, rival: str) -> bool:
    """Return whether a variant loses in no layout, gains in the mixture and has no stronger rival.

    ``gains`` are its recalls less those of the reference, by layout.
    """
    return bool(gains.min() >= -MARGIN and mixture_gain > MARGIN and not rival)


def _groups(counts: pd.DataFrame) -> list[tuple[dict, pd.DataFrame]]:
    """Return what was counted, by column, with the rows of each combination."""
    keys = [column for column in counts if column not in COUNTED]
    groups = counts.groupby(keys, sort=False)
    return [(dict(zip(keys, values, strict=True)), group) for values, group in groups]


def main() -> None:
    """Render and hash the images with other layouts, and write their hash tables."""
    dataset, workers = datasets.load_standin(), os.cpu_count() or 1
    gallery = hash_tables.subset(hash_tables.load(["find"]), project.scale())
    layouts = hash_tables.hash_or_load_layouts(dataset, workers)
    hash_tables.save_layouts(layouts, hash_tables.hash_or_load_middle(dataset, gallery, workers))


if __name__ == "__main__":
    main()
