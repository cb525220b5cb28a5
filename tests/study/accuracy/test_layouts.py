"""Counts and rates by caption layout, and the rule on hashes of the middle half."""

import numpy as np
import pandas as pd
import pytest

from finhash import hamming
from finhash.accuracy import rates
from finhash.study.accuracy import bits, layouts

LAYOUT = np.repeat(["natural", "4 lines"], 100)


@pytest.fixture(scope="module")
def hashes(ten_families):
    packed, _ = ten_families
    names = ("find", "find_middle", "dhash256", "dhash_middle")
    return {name: packed ^ np.uint8(k) for k, name in enumerate(names)}


@pytest.fixture(scope="module")
def trained(hashes, ten_families):
    return layouts.train(hashes, ten_families[1])


@pytest.fixture(scope="module")
def counts(hashes, ten_families, trained):
    return layouts.count(hashes, ten_families[1], LAYOUT, trained)


def recalls(**by_variant: tuple[float, float]) -> pd.DataFrame:
    """Build a table for ``verdict``: recall in the natural layout and with four lines."""
    length = {"FINd": 256, "small": 128, "large": 512}
    rows = [
        (layout, name, length.get(name, 256), recall)
        for name, each in by_variant.items()
        for layout, recall in zip(("natural", "4 lines"), each, strict=True)
    ]
    return pd.DataFrame(rows, columns=["layout", "variant", "bits", "recall"])


def test_pairs_are_counted_within_layouts(counts, hashes, ten_families, trained):
    _, families = ten_families
    unpacked = {name: bits.unpack(packed) for name, packed in hashes.items()}
    for (layout, title), group in counts.groupby(["layout", "variant"]):
        rows = layout == LAYOUT
        made = layouts.VARIANTS[title](unpacked, trained)[rows]
        same, other = hamming.pair_histogram(bits.pack(made), families[rows])
        assert group["same"].tolist() == same.tolist()
        assert group["other"].tolist() == other.tolist()
        assert set(group["bits"]) == {made.shape[1]}


def test_targets_and_thresholds_agree(counts):
    labelled = pd.concat([counts.assign(labels=labels) for labels in ("one", "two")])
    found = layouts.at_targets(labelled, [0.01, 0.1])
    assert len(found) == 2 * 2 * len(layouts.VARIANTS) * 2
    row = found.query("layout == '4 lines' and variant == 'FINd' and labels == 'two'").iloc[1]
    own = counts.query("layout == '4 lines' and variant == 'FINd'")
    assert (row["threshold"], row["recall"]) == rates.at_fpr(own["same"], own["other"], 0.1)
    assert row["other"] == own["other"].sum()
    assert row["fpr_0"] == own["other"].iloc[0] / own["other"].sum()
    at = layouts.at_thresholds(own, {"FINd": row["threshold"]}).iloc[0]
    assert (at["fpr"], at["recall"]) == (row["fpr"], row["recall"])


def test_no_threshold_claims_no_pair():
    facts = {"layout": "all", "variant": "FINd", "bits": 1}
    counts = pd.DataFrame({**facts, "distance": [0, 1], "same": [3, 1], "other": [1, 3]})
    row = layouts.at_targets(counts, [0.1]).iloc[0]
    assert row[["threshold", "fpr", "recall", "fpr_0"]].tolist() == [-1, 0, 0, 0.25]
    at = layouts.at_thresholds(counts, {"FINd": -1}).iloc[0]
    assert (at["fpr"], at["recall"]) == (0, 0)


def test_variants_that_choose_no_bits_need_no_training(hashes, ten_families, counts):
    found = layouts.count(hashes, ten_families[1], LAYOUT, {}, titles=layouts.UNTRAINED)
    expected = counts[counts["variant"].isin(layouts.UNTRAINED)].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize(
    ("middle", "rival", "expected"),
    [
        ((0.9, 0.46), (0.8, 0.9), (True, "", "4 lines")),
        ((0.9, 0.44), (0.8, 0.9), (False, "", "4 lines")),  # loses more than 5 points
        ((0.64, 0.5), (0.6, 0.5), (False, "", "4 lines")),  # gains too little
        ((0.9, 0.5), (0.91, 0.0), (False, "small", "4 lines")),  # is beaten with fewer bits
    ],
)
def test_the_rule_recommends(middle, rival, expected):
    table = recalls(FINd=(0.6, 0.5), middle=middle, small=rival, large=(1.0, 1.0))
    row = layouts.verdict(table, ["middle"]).iloc[0]
    assert (row["recommended"], row["beaten_by"], row["worst_layout"]) == expected
    assert row["mixture_gain"] == pytest.approx(middle[0] - 0.6)
    assert row["worst_gain"] == pytest.approx(middle[1] - 0.5)
