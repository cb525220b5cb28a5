"""A Dask cluster finds the pairs of threads."""

import pytest

from finhash import hash_files
from finhash.study.cost import search_blocks


@pytest.mark.slow  # starts a Dask cluster
def test_dask_cluster_finds_the_pairs_of_threads_also_without_a_worker(folder):
    paths = sorted(folder.glob("0*.jpg"))
    hashed = hash_files(paths + paths, executor="serial", progress=False)
    found = search_blocks.join_on_cluster(hashed, radius=100, block=7, workers=2).set_index("where")
    assert found["same"].all()
    assert found["pairs"].nunique() == 1
    assert found["pairs"]["threads"] >= len(paths)
    assert found["files"]["Dask, one worker killed"] == found["files"]["Dask, loopback"]
    assert found["kept"]["Dask, one worker killed"] >= found["files"]["Dask, loopback"] / 2
