"""Clusters and their scores, against counting pairs and pictures one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import DBSCAN

from finhash import cluster, hamming
from finhash.study.accuracy import clustering, resampling

LABELS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=20)


@pytest.fixture(scope="module")
def made() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    centres = rng.integers(0, 256, (8, 8), dtype=np.uint8)
    families = rng.integers(0, 8, 120)
    return centres[families] ^ np.packbits(rng.random((120, 64)) < 0.06, axis=1), families


@given(LABELS)
def test_scores_by_counting(pairs):
    labels, families = map(np.array, zip(*pairs, strict=True))
    found = clustering.scores(labels, families)
    together, related = labels[:, None] == labels, families[:, None] == families
    each = np.triu(np.ones_like(together), 1)
    right, claims, true = ((x & each).sum() for x in (together & related, together, related))
    assert found["precision"] == pytest.approx(right / claims if claims else 1)
    assert found["recall"] == pytest.approx(right / true if true else 1)
    both = together & related
    assert found["b3_precision"] == pytest.approx((both.sum(1) / together.sum(1)).mean())
    assert found["b3_recall"] == pytest.approx((both.sum(1) / related.sum(1)).mean())
    assert found["clusters"] == len(set(labels))
    assert found["largest"] == together.sum(1).max() / len(labels)


def test_baselines():
    truth = {"families": np.array([7, 7, 7, 9, 9])}
    alone, one = (row for _, row in clustering.baselines(truth).iterrows())
    assert (alone["precision"], alone["recall"], alone["b3_precision"]) == (1, 0, 1)
    assert (one["precision"], one["recall"], one["largest"]) == (0.4, 1, 1)
    assert alone["ari"] == one["ari"] == 0


def test_dbscan_is_that_of_the_distances(made):
    hashes, _ = made
    i, j, _ = hamming.join(hashes, radius=5)
    labels = clustering.dbscan(len(hashes), i, j)
    apart = np.bitwise_count(hashes[:, None] ^ hashes[None]).sum(axis=2)
    whole = DBSCAN(eps=5, min_samples=clustering.MIN_SAMPLES, metric="precomputed").fit(apart)
    noise = whole.labels_ < 0
    assert noise.any()
    assert (labels[~noise] == whole.labels_[~noise]).all()
    assert len(set(labels[noise])) == noise.sum()
    assert not set(labels[noise]) & set(labels[~noise])


def test_a_sweep_clusters_as_the_deployed_module_does(made):
    hashes, families = made
    truths = {"families": families, "halves": families % 2}
    found = clustering.sweep({"find64": hashes}, {"find64": [0, 6, 64]}, truths)
    assert len(found) == 3 * 3 * 2
    for method in cluster.METHODS:
        rows = found[(found["algorithm"] == method) & (found["radius"] == 6)].set_index("truth")
        labels = cluster.families(hashes, 6, method)
        for truth, expected in truths.items():
            wanted = clustering.scores(labels, expected)
            assert rows.loc[truth, list(wanted)].to_dict() == wanted


def test_noise_spoils_the_share_of_pairs_that_was_asked_for():
    families = np.repeat(np.arange(200), 50)
    noisy = resampling.noisy(families, 0.1, seed=0)
    claimed = noisy[:, None] == noisy
    np.fill_diagonal(claimed, False)
    wrong = (claimed & (families[:, None] != families)).sum() / claimed.sum()
    assert wrong == pytest.approx(0.1, abs=0.02)
    assert (families == np.repeat(np.arange(200), 50)).all()


def test_held_out_radii_are_the_other_halfs_best(made):
    hashes, families = made
    found = clustering.held_out(
        {"find64": hashes},
        {"find64": [0, 4, 8, 12]},
        families,
        score="f1",
        algorithms=["components"],
        seed=3,
    )
    assert found["half"].tolist() == [0, 1]
    half = (np.random.default_rng(3).permutation(8) % 2)[families]
    for k, row in found.set_index("half").iterrows():
        part = {"find64": hashes[half != k]}
        swept = clustering.sweep(
            part, {"find64": [0, 4, 8, 12]}, {"": families[half != k]}, algorithms=["components"]
        )
        assert row["radius"] == swept.loc[swept["f1"].idxmax(), "radius"]
