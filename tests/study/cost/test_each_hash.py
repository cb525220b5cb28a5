"""Costs of hash methods are complete tables; no test depends on how long anything takes."""

import pytest
from PIL import Image

from finhash import hash_files
from finhash.study.cost import each_hash
from tests.conftest import noise

NAMES = ["find", "dhash64"]


@pytest.fixture(scope="module")
def images() -> dict[int, Image.Image]:
    """Return two square images by their side."""
    return {side: Image.fromarray(noise(side, side)) for side in (32, 64)}


def test_summary_has_every_method(folder, images):
    paths = sorted(folder.glob("0*.jpg"))[:3]
    timings = each_hash.times(paths, NAMES, repeats=2)
    warm = timings[timings["state"] == "warm"]
    assert (warm.groupby(["contender", "start"])["seconds"].count() == 2).all()
    peaks = each_hash.memory(images, NAMES)
    shares = each_hash.cpu_share(paths, NAMES)
    table = each_hash.summary(timings, shares, peaks)
    assert table["method"].tolist() == NAMES
    assert table["bytes"].tolist() == [32, 8]
    assert (table.drop(columns="method") > 0).all(axis=None)


def test_growth_and_matching_keep_every_repeat(folder, images):
    grown = each_hash.growth(images, NAMES, repeats=2)
    assert (grown.groupby(["method", "side"])["seconds"].count() == 2).all()
    table = hash_files(sorted(folder.glob("0*.jpg")), NAMES, executor="serial", progress=False)
    matched = each_hash.matching(table, {"find": 20, "dhash64": 5}, repeats=2)
    assert matched.groupby(["contender", "state"]).size().tolist() == [1, 2, 1, 2]
