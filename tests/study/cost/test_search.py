"""Exact methods find all pairs; kernels, clustering and forecasts are tabulated."""

import numpy as np
import pandas as pd
import pytest

from finhash import cluster, hash_files
from finhash.study.accuracy import clustering
from finhash.study.cost import goals, search


@pytest.mark.slow  # compiles the kernels for one width
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


def test_goal_values_are_medians_of_the_256_bit_kernels():
    rows = [
        ("join", 256, 1, 8e9),
        ("join", 256, 2, 12e9),
        ("join", 64, 1, 90e9),
        ("histogram", 256, 1, 2e9),
        ("histogram", 256, 2, 4e9),
        ("FAISS flat", 256, 1, 1e9),
    ]
    real = pd.DataFrame(rows, columns=["contender", "bits", "workers", "throughput"])
    random = real.assign(throughput=real["throughput"] / 2)
    found = goals.judge(goals.SEARCH, search.goal_values(real, random))
    assert found["measured"].tolist() == pytest.approx([8, 4, 8, 2, 1.5, 2])
    assert found["met"].tolist() == [True, False, True, False, False, True]


@pytest.mark.slow  # starts a Dask cluster
def test_dask_cluster_finds_the_pairs_of_threads(folder):
    paths = sorted(folder.glob("0*.jpg"))
    table = hash_files(paths + paths, executor="serial", progress=False)
    found = search.on_a_cluster(table, radius=100, block=7, workers=2).set_index("where")
    assert found["same"].all()
    assert found["pairs"]["Dask, loopback"] == found["pairs"]["threads"] >= len(paths)


@pytest.mark.slow  # one process per set
def test_clustering_of_simulated_sets_repeats_that_of_the_hashes(hashes):
    families, radii = np.arange(600) % 20, {"components": 40, "spheres": 60}
    jobs = search.cluster_jobs(hashes, families, [600, 1200], radii, seed=1, workers=1)
    assert len(jobs) == 2 * len(cluster.METHODS)
    found = jobs.set_index(["algorithm", "images"])
    assert found["clusters"]["components", 600] == cluster.families(hashes, 40).max() + 1
    assert found["clusters"]["components", 1200] == 2 * found["clusters"]["components", 600]
    scored = clustering.scores(cluster.families(hashes, 60, "spheres"), families)
    assert found["f1"]["spheres", 600] == pytest.approx(scored["f1"])
    assert (jobs["peak"] >= jobs["before"]).all()


def test_forecast_grows_with_the_square_of_the_number():
    measured = pd.DataFrame({"algorithm": ["components"], "images": [1000], "seconds": [2.0]})
    cost = search.forecast(measured, [1000, 10_000], workers=2).set_index("images")
    assert cost["core_hours"][1000] == pytest.approx(4 / 3600)
    assert cost["core_hours"][10_000] == pytest.approx(400 / 3600)
    assert cost["bytes"][1000] == 44_000


@pytest.mark.slow  # compiles the kernels twice
def test_kernels_without_avx512_find_the_same_pairs():
    found = search.by_processor(["native", "x86-64"], number=700, radius=110)
    assert (found.groupby("kernel")["found"].nunique() == 1).all()
    assert (found["found"] > 0).all()
