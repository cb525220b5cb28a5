"""Clusterings and their scores, against tables worked by hand and brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finhash import cluster
from finhash.accuracy import resampling
from finhash.study.accuracy import clustering

LABELS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=20)


@pytest.fixture(scope="module")
def eight_families() -> tuple[np.ndarray, np.ndarray]:
    """120 hashes of 64 bits and their families."""
    rng = np.random.default_rng(1)
    centres = rng.integers(0, 256, (8, 8), dtype=np.uint8)
    families = rng.integers(0, 8, 120)
    return centres[families] ^ np.packbits(rng.random((120, 64)) < 0.06, axis=1), families


def test_scores_by_hand():
    # Images 1 to 4; clusters {1, 2, 3} and {4}, families {1, 2} and {3, 4}.
    # Claimed pairs: 12 13 23. True pairs: 12 34. Both: 12.
    # B-cubed precision of the images: 2 / 3, 2 / 3, 1 / 3, 1; recall: 1, 1, 1 / 2, 1 / 2.
    found = clustering.scores(np.array([4, 4, 4, 2]), np.array([7, 7, 8, 8]))
    assert found == pytest.approx(
        {
            "clusters": 2,
            "largest": 3 / 4,
            "precision": 1 / 3,
            "recall": 1 / 2,
            "f1": 2 / 5,
            "b3_precision": 2 / 3,
            "b3_recall": 3 / 4,
            "b3_f1": 12 / 17,
        }
    )


@given(LABELS)
def test_scores_by_brute_force(pairs):
    labels, families = map(np.array, zip(*pairs, strict=True))
    found = clustering.scores(labels, families)
    together, related = labels[:, None] == labels, families[:, None] == families
    both = together & related
    each_once = np.triu(np.ones_like(together), 1)
    right, claimed, true = ((x & each_once).sum() for x in (both, together, related))
    assert found["precision"] == pytest.approx(right / claimed if claimed else 1)
    assert found["recall"] == pytest.approx(right / true if true else 1)
    assert found["b3_precision"] == pytest.approx((both.sum(1) / together.sum(1)).mean())
    assert found["b3_recall"] == pytest.approx((both.sum(1) / related.sum(1)).mean())
    assert found["clusters"] == len(set(labels))
    assert found["largest"] == together.sum(1).max() / len(labels)


def test_baselines_by_hand():
    # Of 10 pairs, 3 + 1 are within families.
    truth = {"families": np.array([7, 7, 7, 9, 9])}
    alone, one = clustering.baselines(truth).to_dict("records")
    assert (alone["precision"], alone["recall"], alone["b3_precision"]) == (1, 0, 1)
    assert (one["precision"], one["recall"], one["largest"]) == (0.4, 1, 1)


def test_sweep_clusters_as_the_library_does(eight_families):
    hashes, families = eight_families
    truths = {"families": families, "halves": families % 2}
    found = clustering.sweep({"find64": hashes}, {"find64": [0, 6, 64]}, truths)
    assert len(found) == 3 * 2 * 2
    for method in cluster.METHODS:
        rows = found[(found["algorithm"] == method) & (found["radius"] == 6)].set_index("truth")
        labels = cluster.families(hashes, 6, method)
        for truth, expected in truths.items():
            wanted = clustering.scores(labels, expected)
            assert rows.loc[truth, list(wanted)].to_dict() == wanted


def test_held_out_radius_is_the_best_of_the_other_half(eight_families):
    hashes, families = eight_families
    radii = {"find64": [0, 4, 8, 12]}
    found = clustering.held_out(
        {"find64": hashes}, radii, families, score="f1", algorithms=["components"], seed=3
    )
    assert found["half"].tolist() == [0, 1]
    half_of = resampling.assign_folds(8, 2, seed=3)[families]
    for half, row in found.set_index("half").iterrows():
        own, other = half_of == half, half_of != half
        f1 = {
            radius: clustering.scores(cluster.families(hashes[other], radius), families[other])[
                "f1"
            ]
            for radius in radii["find64"]
        }
        assert row["radius"] == max(f1, key=f1.get)
        labels = cluster.families(hashes[own], row["radius"])
        assert row["f1"] == clustering.scores(labels, families[own])["f1"]
