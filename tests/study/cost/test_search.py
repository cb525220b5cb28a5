"""Peers find what the scan finds; jobs and forecasts add up."""

import numpy as np
import pandas as pd
import pytest

from finhash import cluster
from finhash.study.accuracy import clustering
from finhash.study.cost import search

EXACT = ("finhash scan", "NumPy scan", "FAISS flat", "BK-tree")


def test_peers_on_the_same_queries(hashes):
    found = search.compare(hashes, hashes[:30], 45, singles=3).set_index("peer")
    assert (found.loc[list(EXACT), "recall"] == 1).all()
    assert found["recall"].between(0, 1).all()
    assert found.loc["FAISS IVF, 1/4 of the lists", "recall"] > 0.2
    assert (found["a_second"] > 0).all()
    assert found.loc["finhash scan", "bytes"] == hashes.nbytes


def test_kernels_keep_every_repeat(hashes):
    found = search.kernels({256: hashes}, np.arange(600) % 20, {256: 30}, repeats=2)
    assert found.groupby(["contender", "workers"]).size().to_dict() == {
        ("FAISS flat", 1): 2,
        ("histogram", 1): 2,
        ("histogram", 2): 2,
        ("join", 1): 2,
        ("join", 2): 2,
        ("join, scattered", 1): 2,
    }


def test_cluster_jobs_and_forecast(hashes):
    families, radii = np.arange(600) % 20, {"components": 40, "spheres": 60}
    jobs = search.cluster_jobs(hashes, families, [600, 1200], radii, seed=1, workers=1)
    assert len(jobs) == 2 * len(cluster.METHODS)
    found = jobs.set_index(["algorithm", "images"])
    assert found["clusters"]["components", 600] == cluster.families(hashes, 40).max() + 1
    assert found["clusters"]["components", 1200] == 2 * found["clusters"]["components", 600]
    scored = clustering.scores(cluster.families(hashes, 60, "spheres"), families)
    assert found["f1"]["spheres", 600] == pytest.approx(scored["f1"])
    assert (jobs["peak"] >= jobs["before"]).all()
    made = pd.DataFrame({"algorithm": ["components"], "images": [1000], "seconds": [2.0]})
    cost = search.forecast(made, [1000, 10_000], workers=2).set_index("images")
    assert cost["core_hours"][1000] == pytest.approx(4 / 3600)
    assert cost["core_hours"][10_000] == pytest.approx(400 / 3600)


def test_without_avx512_the_same_is_found():
    found = search.by_processor(["native", "x86-64"], number=700, radius=110)
    assert (found.groupby("kernel")["found"].nunique() == 1).all()
    assert (found["found"] > 0).all()
