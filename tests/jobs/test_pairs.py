"""Pairs joined in blocks are those of one join, wherever blocks are joined."""

import numpy as np
import pytest

from finhash import cluster, hamming, hash_files
from finhash.jobs import pairs
from finhash.study.cost.parallel import loopback_cluster


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    from tests.conftest import jpeg_bytes

    folder = tmp_path_factory.mktemp("pictures")
    paths = [folder / f"{k:02d}.jpg" for k in range(25)]
    for k, path in enumerate(paths):
        path.write_bytes(jpeg_bytes(seed=k // 2))
    return hash_files(paths, progress=False)


def sorted_pairs(blocks) -> np.ndarray:
    found = np.concatenate([np.stack(block).astype(int).T for block in blocks])
    return found[np.lexsort(found.T[::-1])]


@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
@pytest.mark.parametrize("block", [7, 25, 1000])
def test_blocks_give_the_pairs_of_one_join(table, tmp_path, executor, block):
    options = {"executor": executor, "block": block, "progress": False, "workers": 2}
    pairs.join_table(table, tmp_path / "out", radius=120, **options)
    expected = sorted_pairs([hamming.join(table.hashes("find"), radius=120)])
    assert (sorted_pairs(pairs.read_pairs(tmp_path / "out")) == expected).all()


def test_on_a_cluster_and_into_families(table, tmp_path):
    with loopback_cluster(2) as running:
        options = {"executor": "dask", "scheduler": running.address, "progress": False}
        pairs.join_table(table, tmp_path, radius=20, block=10, **options)
    labels = cluster.components(np.arange(len(table)), pairs.read_pairs(tmp_path))
    assert labels.tolist() == cluster.families(table.hashes("find"), 20).tolist()


def test_goes_on_with_what_is_missing(table, tmp_path, monkeypatch):
    options = {"executor": "serial", "progress": False, "block": 10}
    pairs.join_table(table, tmp_path, radius=100, **options)
    expected = sorted_pairs(pairs.read_pairs(tmp_path))
    sorted(tmp_path.glob("pairs-*"))[2].unlink()
    joined = []
    join = hamming.join
    monkeypatch.setattr(hamming, "join", lambda *a, **o: joined.append(a) or join(*a, **o))
    pairs.join_table(table, tmp_path, radius=100, **options)
    assert len(joined) == 1
    assert (sorted_pairs(pairs.read_pairs(tmp_path)) == expected).all()


def test_other_pairs_are_refused(table, tmp_path):
    pairs.join_table(table, tmp_path, radius=10, executor="serial", progress=False)
    with pytest.raises(ValueError, match="made otherwise"):
        pairs.join_table(table, tmp_path, radius=11, executor="serial", progress=False)
    with pytest.raises(ValueError, match="radius"):
        pairs.join_table(table, tmp_path / "b", radius=300, executor="serial", progress=False)
