"""Exact methods find all pairs; kernels, clustering and forecasts are tabulated."""

import numpy as np
import pandas as pd
import pytest

from finhash import cluster, hamming, hash_files
from finhash.study.accuracy import clustering
from finhash.study.cost import goals, search
from tests.study.report.tables import table, timings


@pytest.mark.slow  # compiles the kernels for one width
def test_kernels_keep_every_repeat_of_every_set(hashes):
    sets = {
        "shuffled": search.Joined(hashes, [30, 50], np.arange(600) % 20),
        "harder": search.Joined(hashes[:100], [30]),
    }
    found = search.kernels(sets, repeats=2)
    counted = found.groupby(["set", "radius", "contender", "workers"]).size()
    assert (counted == 2).all()
    joins = ["FAISS flat", "exhaustive join", "join"]
    assert set(counted.index) == {
        (name, radius, contender, workers)
        for name, radius in (("shuffled", 30), ("shuffled", 50), ("harder", 30))
        for contender in joins
        for workers in (1, 2)
    } | {("shuffled", 0, "histogram", workers) for workers in (1, 2)}
    assert (found["bits"] == 256).all()
    assert (found["throughput"] > 0).all()


def test_goal_values_are_ratios_of_medians_on_one_thread():
    columns = "set radius contender workers throughput"
    speed = table(
        columns,
        ("shuffled", 67, "join", 1, 8e9),
        ("shuffled", 67, "join", 2, 99e9),
        ("shuffled", 67, "FAISS flat", 1, 1e9),
        ("shuffled", 50, "join", 1, 11e9),
        ("shuffled", 50, "FAISS flat", 1, 1e9),
        ("harder", 67, "join", 1, 12e9),
        ("harder", 67, "FAISS flat", 1, 2e9),
        ("families of eight", 60, "join", 1, 5e9),
        ("families of eight", 60, "FAISS flat", 1, 1e9),
    )
    threads = table("workers seconds", (1, 30.0), (2, 15.0))
    roof = table("kernel share", ("mask", 0.1), ("histogram", 0.9))
    one = timings(
        {
            "within the radius": 1.0,
            "within the radius, exhaustive": 4.0,
            "nearest": 1.0,
            "nearest, exhaustive": 3.0,
        }
    )
    values = search.goal_values(speed, 67, threads, roof, one)
    found = goals.judge(goals.SEARCH["AVX-512"], values)
    assert found["measured"].tolist() == pytest.approx([8, 11, 6, 5, 2, 0.9, 4, 3])
    assert found["met"].tolist() == [True, False, True, False, True, True, True, False]


def test_look_ups_time_both_galleries(hashes):
    found = search.look_ups(hashes, hashes[:3], 30, repeats=1, workers=1)
    names = ["within the radius", "nearest", "ten nearest", "layout"]
    assert set(found["contender"]) == {f"{n}{end}" for n in names for end in ("", ", exhaustive")}
    assert (found["seconds"] > 0).all()


def test_joins_by_threads_find_the_same_pairs(hashes):
    found = search.by_threads(hashes, 40)
    assert found["workers"].tolist() == [1, 2]
    assert found["pairs"].tolist() == [len(hamming.join(hashes, radius=40)[0])] * 2


def test_added_components_are_those_from_scratch(hashes):
    late = np.arange(600) % 9 == 0
    found = search.adding(hashes, late, {"components": 45, "spheres": 45}, workers=1)
    found = found.set_index("algorithm")
    assert found["added"].tolist() == [late.sum()] * 2
    assert found["same"]["components"]
    assert found[["kept", "found"]].loc["components"].tolist() == [1, 1]
    assert found[["kept", "found"]].loc["spheres"].between(0, 1).all()


@pytest.mark.slow  # starts a Dask cluster
def test_dask_cluster_finds_the_pairs_of_threads_also_without_a_worker(folder):
    paths = sorted(folder.glob("0*.jpg"))
    hashed = hash_files(paths + paths, executor="serial", progress=False)
    found = search.on_a_cluster(hashed, radius=100, block=7, workers=2).set_index("where")
    assert found["same"].all()
    assert found["pairs"].nunique() == 1
    assert found["pairs"]["threads"] >= len(paths)
    assert found["files"]["Dask, one worker killed"] == found["files"]["Dask, loopback"]
    assert found["kept"]["Dask, one worker killed"] >= found["files"]["Dask, loopback"] / 2


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


@pytest.fixture
def jobs() -> pd.DataFrame:
    """Jobs whose seconds grow with the power 1.5."""
    rows = [("components", n, 2.0 * (n / 1000) ** 1.5) for n in (1000, 4000, 16_000)]
    return table("algorithm images seconds", *rows, ("spheres", 1000, 9.0))


def test_forecast_grows_with_the_square_and_with_the_fitted_power(jobs):
    numbers = [16_000, 1_600_000]
    cost = search.forecast(
        jobs, numbers, workers=2, pairs_per_image=5, bytes_per_pair=3, block=400_000
    ).set_index("images")
    hours = 2 * 2 * 64 / 3600
    assert cost["core_hours"].tolist() == pytest.approx([hours, 1e4 * hours])
    assert cost["core_hours_fitted"].tolist() == pytest.approx([hours, 1e3 * hours])
    assert cost["bytes"][16_000] == 84 * 16_000
    assert cost["pairs"].tolist() == [80_000, 8_000_000]
    assert cost["network_bytes"].tolist() == [480_000, 48_000_000 + 32 * 1_600_000 * 5]


def test_forecasts_are_checked_on_measured_sets(jobs):
    found = search.check_forecast(jobs).set_index("images")
    assert found["square"].tolist() == pytest.approx([32, 256])
    assert found["fitted"][16_000] == pytest.approx(found["measured"][16_000]) == 128
    assert np.isnan(found["fitted"][4000])


@pytest.mark.slow  # compiles the kernels twice
def test_kernels_without_avx512_find_the_same_pairs():
    found = search.by_processor(["native", "x86-64"], number=700, radius=110)
    assert (found.groupby("kernel")["found"].nunique() == 1).all()
    assert (found["found"] > 0).all()
