"""Search by transformed images, against a table worked by hand and brute force."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.spatial.distance import cdist

from finhash.study.accuracy import robustness
from finhash.study.data import transforms
from finhash.tables.hash_table import HashTable
from finhash.tables.schema import schema as table_schema
from tests.accuracy.conftest import on_a_line

MADE = [("resize", "2"), ("resize", "1"), ("blur", "1"), ("blur", "2")]
"""Transforms and strengths of the made queries, which need not be sorted."""


def hash_table(
    paths: Sequence[str],
    hashes: Sequence[np.ndarray | None],
    cells: Sequence[tuple[str, str]] | None = None,
) -> HashTable:
    """Make a hash table; a hash of None stands for a file that could not be hashed."""
    found = [
        {"path": path, "error": "DamagedImageError: made"}
        if hash_ is None
        else {"path": path, "dhash64": hash_.tobytes(), "error": ""}
        for path, hash_ in zip(paths, hashes, strict=True)
    ]
    table = pa.Table.from_pylist(found, table_schema(["dhash64"]))
    if cells is not None:
        for column, values in zip(transforms.CELL, zip(*cells, strict=True), strict=True):
            table = table.append_column(column, [values])
    return HashTable(table)


def test_robustness_by_hand():
    # On a line: family A at 0, 4 and 10, family B at 20 and 30. The first image of each family is
    # transformed, which moves A's to 3 and B's to 15. Distances of the two queries:
    #              to the original   to the same family   to the other family
    #   A's at 3          3                 1 7                  17 27
    #   B's at 15         5                 15                   15 11 5
    gallery = hash_table(["a0", "a1", "a2", "b0", "b1"], on_a_line([0, 4, 10, 20, 30]))
    table = hash_table(["a0", "b0"], on_a_line([3, 15]), [("blur", "1")] * 2)
    families = np.array([1, 1, 1, 2, 2])
    found, distances = robustness.robustness(table, gallery, families, {"dhash64": 5})
    (row,) = found.to_dict("records")
    # Quartiles of 3 and 5.
    assert (row["own_low"], row["own_median"], row["own_high"]) == (3.5, 4, 4.5)
    # Both originals are within 5; of the family's other images, 1 of 2 and 0 of 1.
    assert row["found_own"] == 1
    assert row["recall"] == pytest.approx((1 / 2 + 0) / 2)
    # Only B's query has an image of the other family within 5, and it is its nearest image.
    assert row["false_accepts"] == 1 / 2
    assert row["nearest_right"] == 1 / 2
    counted = distances[["kind", "distance", "count"]].itertuples(index=False, name=None)
    assert list(counted) == [
        ("own", 3, 1),
        ("own", 5, 1),
        ("same", 1, 1),
        ("same", 7, 1),
        ("same", 15, 1),
    ]


@pytest.fixture(scope="module")
def made() -> tuple[HashTable, HashTable, np.ndarray]:
    """Queries, gallery and the gallery's families; one family has a single image."""
    rng = np.random.default_rng(1)
    families = np.append(rng.integers(0, 30, 1499) * 2, 77)
    centres = rng.integers(0, 256, (78, 8), dtype=np.uint8)
    hashes = centres[families] ^ np.packbits(rng.random((1500, 64)) < 0.15, axis=1)
    names = np.array([f"{family:04d}_{k:05d}.jpg" for k, family in enumerate(families)])
    original = np.append(rng.permutation(1499)[:79], 1499).repeat(4)
    share = np.tile([0.02, 0.3, 0.1, 0.2], 80)[:, None]
    changed = hashes[original] ^ np.packbits(rng.random((320, 64)) < share, axis=1)
    # The last row has no hash, and its original is not in the gallery.
    cells = [*MADE * 80, MADE[0]]
    table = hash_table([*names[original], "0000_99999.jpg"], [*changed, None], cells)
    return table, hash_table(names, hashes), families


@pytest.fixture(scope="module")
def pairs(made) -> pd.DataFrame:
    """Every query with every image of the gallery, one row per pair."""
    table, gallery = made[0].without_errors(), made[1]
    bits = [np.unpackbits(t.hashes("dhash64"), axis=1).astype(int) for t in (table, gallery)]
    query, image = (index.ravel() for index in np.indices((len(table), len(gallery))))
    names, others = np.array(table.paths)[query], np.array(gallery.paths)[image]
    return pd.DataFrame(
        {
            "query": query,
            "cell": query % len(MADE),
            "distance": cdist(*bits, "cityblock").astype(int).ravel(),
            "own": names == others,
            "same": [name[:4] == other[:4] for name, other in zip(names, others, strict=True)],
        }
    )


@pytest.mark.parametrize("radius", [-1, 6, 17])
@pytest.mark.parametrize("workers", [1, 2])
def test_summary_by_brute_force(made, pairs, radius, workers):
    found, _ = robustness.robustness(*made, {"dhash64": radius}, workers=workers)
    assert list(found[transforms.CELL].itertuples(index=False, name=None)) == MADE
    for row, (_, group) in zip(found.itertuples(), pairs.groupby("cell"), strict=True):
        own = group[group["own"]].set_index("query")["distance"]
        rest = group[~group["own"]].assign(near=lambda g: g["distance"] <= radius)
        same, other = rest[rest["same"]], rest[~rest["same"]]
        nearest = rest[rest["distance"] == rest.groupby("query")["distance"].transform("min")]
        assert (row.own_low, row.own_median, row.own_high) == tuple(own.quantile([0.25, 0.5, 0.75]))
        assert row.found_own == (own <= radius).mean()
        assert row.recall == pytest.approx(same.groupby("query")["near"].mean().mean())
        assert row.false_accepts == other.groupby("query")["near"].any().mean()
        assert row.nearest_right == pytest.approx(nearest.groupby("query")["same"].mean().mean())


def test_distances_by_brute_force(made, pairs):
    _, counted = robustness.robustness(*made, {"dhash64": 6})
    for kind, kept in (("own", pairs["own"]), ("same", pairs["same"] & ~pairs["own"])):
        expected = pairs[kept].groupby(["cell", "distance"]).size().reset_index()
        cell = [MADE[k] for k in expected.pop("cell")]
        found = counted[counted["kind"] == kind]
        assert list(found[transforms.CELL].itertuples(index=False, name=None)) == cell
        np.testing.assert_array_equal(found[["distance", "count"]], expected)


def test_every_original_must_be_in_the_gallery(made):
    table, gallery, families = made
    fewer = HashTable(gallery.arrow.slice(0, 1000))
    with pytest.raises(KeyError):
        robustness.robustness(table, fewer, families[:1000], {"dhash64": 5})
