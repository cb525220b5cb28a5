"""Joining a table in blocks gives the pairs of one join."""

from concurrent.futures import Future
from contextlib import nullcontext

import numpy as np
import pytest

from finhash import cluster, hamming, hash_files
from finhash.jobs import pairs
from finhash.jobs.executors import Workers
from finhash.study.cost.parallel import loopback_cluster
from tests.conftest import jpeg_bytes


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    paths = [folder / f"{k:02d}.jpg" for k in range(25)]
    for k, path in enumerate(paths):
        path.write_bytes(jpeg_bytes(seed=k // 2))
    return hash_files(paths, progress=False)


def sorted_pairs(blocks) -> np.ndarray:
    found = np.concatenate([np.stack(block).astype(int).T for block in blocks])
    return found[np.lexsort(found.T[::-1])]


@pytest.mark.parametrize(
    ("executor", "block"),
    [
        ("serial", 7),
        ("threads", 7),
        ("threads", 25),
        ("threads", 1000),
        pytest.param("processes", 7, marks=pytest.mark.slow),
    ],
)
def test_blocks_give_the_pairs_of_one_join(table, tmp_path, executor, block):
    pairs.join_table(
        table, tmp_path, radius=120, executor=executor, block=block, workers=2, progress=False
    )
    expected = sorted_pairs([hamming.join(table.hashes("find"), radius=120)])
    np.testing.assert_array_equal(sorted_pairs(pairs.read_pairs(tmp_path)), expected)


@pytest.mark.slow
def test_pairs_joined_on_a_cluster_give_families(table, tmp_path):
    with loopback_cluster(2) as running:
        pairs.join_table(
            table,
            tmp_path,
            radius=20,
            block=10,
            executor="dask",
            scheduler=running.address,
            progress=False,
        )
    labels = cluster.components(np.arange(len(table)), pairs.read_pairs(tmp_path))
    np.testing.assert_array_equal(labels, cluster.families(table.hashes("find"), 20))


def test_only_missing_blocks_are_joined_again(table, tmp_path, monkeypatch):
    def join_table() -> None:
        pairs.join_table(table, tmp_path, radius=100, executor="serial", block=10, progress=False)

    join_table()
    expected = sorted_pairs(pairs.read_pairs(tmp_path))
    sorted(tmp_path.glob("pairs-*"))[2].unlink()
    joined = []
    join = hamming.join
    monkeypatch.setattr(hamming, "join", lambda *a, **o: joined.append(a) or join(*a, **o))
    join_table()
    assert len(joined) == 1
    np.testing.assert_array_equal(sorted_pairs(pairs.read_pairs(tmp_path)), expected)


def test_another_radius_in_the_same_folder_is_refused(table, tmp_path):
    pairs.join_table(table, tmp_path, radius=10, executor="serial", progress=False)
    with pytest.raises(ValueError, match="holds pairs of another join"):
        pairs.join_table(table, tmp_path, radius=11, executor="serial", progress=False)


def test_a_join_ends_if_nobody_is_left_to_finish_it(table, tmp_path, monkeypatch):
    class Nobody(Workers):
        def submit(self, function, *arguments):
            return Future()

        def check(self):
            raise RuntimeError("no workers are left")

    monkeypatch.setattr(pairs, "open_workers", lambda *_: nullcontext(Nobody(None, 1)))
    with pytest.raises(RuntimeError, match="no workers are left"):
        pairs.join_table(table, tmp_path, radius=10, progress=False)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"radius": 300}, "radius"),
        ({"radius": 10, "block": 0}, "block must be at least 1 row, not 0"),
        ({"radius": 10, "executor": "fibres"}, "unknown executor 'fibres'"),
    ],
)
def test_wrong_arguments_are_refused_before_the_folder_is_made(table, tmp_path, arguments, words):
    with pytest.raises(ValueError, match=words):
        pairs.join_table(table, tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()
