"""Peers find what the scan finds; simulated sets are what they are said to be."""

import numpy as np
import pandas as pd
import pytest

from finhash import cluster
from finhash.study import clustering, matching


@pytest.fixture(scope="module")
def hashes() -> np.ndarray:
    rng = np.random.default_rng(1)
    centres = rng.integers(0, 256, (20, 32), dtype=np.uint8)
    return centres[np.arange(600) % 20] ^ np.packbits(rng.random((600, 256)) < 0.08, axis=1)


EXACT = ("finhash scan", "NumPy scan", "FAISS flat", "BK-tree")


def test_peers_on_the_same_queries(hashes):
    found = matching.compare(hashes, hashes[:30], 45, singles=3).set_index("peer")
    assert (found.loc[list(EXACT), "recall"] == 1).all()
    assert found["recall"].between(0, 1).all()
    assert found.loc["FAISS IVF, 1/4 of the lists", "recall"] > 0.2
    assert (found["a_second"] > 0).all()
    assert found.loc["finhash scan", "bytes"] == hashes.nbytes


def test_kernels_keep_every_repeat(hashes):
    found = matching.kernels({256: hashes}, np.arange(600) % 20, {256: 30}, repeats=2)
    assert found.groupby(["contender", "workers"]).size().to_dict() == {
        ("FAISS flat", 1): 2,
        ("histogram", 1): 2,
        ("histogram", 2): 2,
        ("join", 1): 2,
        ("join", 2): 2,
    }


def test_copies_keep_the_distances_within(hashes):
    many = matching.simulate(hashes, 1500, seed=2)
    assert many.shape == (1500, 32)
    assert (many[:600] == hashes).all()
    own = np.bitwise_count(hashes[3] ^ hashes[500]).sum()
    assert np.bitwise_count(many[603] ^ many[1100]).sum() == own
    across = np.bitwise_count(many[:600] ^ many[600:1200]).sum(axis=1)
    assert len(np.unique(across)) == 1
    assert 90 < across[0] < 166


def test_the_check_of_a_simulation(hashes):
    families = np.arange(600) % 20
    found = matching.simulation_check(hashes, families, 3, 100, seed=1, workers=1)
    found = found.set_index("copies")
    assert found["same_mean"][3] == pytest.approx(found["same_mean"][1])
    assert found["recall"][3] == pytest.approx(found["recall"][1])
    labels = matching.simulated_families(families, 1500)
    assert len(np.unique(labels)) == 60
    assert (labels[:600] == families).all()


def test_cluster_jobs_and_forecast(hashes):
    families, radii = np.arange(600) % 20, {"components": 40, "spheres": 60}
    jobs = matching.cluster_jobs(hashes, families, [600, 1200], radii, seed=1, workers=1)
    assert len(jobs) == 2 * len(cluster.METHODS)
    found = jobs.set_index(["algorithm", "pictures"])
    assert found["clusters"]["components", 600] == cluster.families(hashes, 40).max() + 1
    assert found["clusters"]["components", 1200] == 2 * found["clusters"]["components", 600]
    scored = clustering.scores(cluster.families(hashes, 60, "spheres"), families)
    assert found["f1"]["spheres", 600] == pytest.approx(scored["f1"])
    assert (jobs["peak"] >= jobs["before"]).all()
    made = pd.DataFrame({"algorithm": ["components"], "pictures": [1000], "seconds": [2.0]})
    cost = matching.forecast(made, [1000, 10_000], workers=2).set_index("pictures")
    assert cost["core_hours"][1000] == pytest.approx(4 / 3600)
    assert cost["core_hours"][10_000] == pytest.approx(400 / 3600)


def test_without_avx512_the_same_is_found():
    found = matching.by_processor(["native", "x86-64"], number=700, radius=110)
    assert (found.groupby("kernel")["found"].nunique() == 1).all()
    assert (found["found"] > 0).all()
