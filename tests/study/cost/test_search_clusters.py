"""Clustering jobs repeat the clusters of the hashes, and added hashes join them."""

import numpy as np
import pytest

from finhash import cluster
from finhash.study.accuracy import clustering
from finhash.study.cost import search_clusters


def test_added_components_are_those_from_scratch(hashes):
    late = np.arange(600) % 9 == 0
    found = search_clusters.adding(
        hashes, late, {"components": 45, "spheres": 45}, workers=1, repeats=1
    )
    found = found.set_index("algorithm")
    assert found["added"].tolist() == [late.sum()] * 2
    assert found["same"]["components"]
    assert found[["kept", "found"]].loc["components"].tolist() == [1, 1]
    assert found[["kept", "found"]].loc["spheres"].between(0, 1).all()


@pytest.mark.slow  # one process per set
def test_clustering_of_simulated_sets_repeats_that_of_the_hashes(hashes):
    families, radii = np.arange(600) % 20, {"components": 40, "spheres": 60}
    jobs = search_clusters.cluster_jobs(
        hashes, families, [600, 1200], radii, seed=1, workers=1, repeats=2
    )
    assert len(jobs) == 2 * len(cluster.METHODS)
    found = jobs.set_index(["algorithm", "images"])
    assert found["clusters"]["components", 600] == cluster.families(hashes, 40).max() + 1
    assert found["clusters"]["components", 1200] == 2 * found["clusters"]["components", 600]
    scored = clustering.scores(cluster.families(hashes, 60, "spheres"), families)
    assert found["f1"]["spheres", 600] == pytest.approx(scored["f1"])
    assert (jobs["samples"] == 2).all()
    assert jobs["seconds"].between(jobs["low"], jobs["high"]).all()
    assert (jobs["peak"] >= jobs["before"]).all()
