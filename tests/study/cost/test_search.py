"""Joins, loops and look-ups are timed, and their throughput is compared."""

import numpy as np
import pytest

from finhash import hamming
from finhash.study.cost import search
from tests.study.report.tables import table


@pytest.mark.slow  # compiles the kernels for one width
def test_kernels_keep_every_repeat_of_every_set(hashes):
    sets = {
        "shuffled": search.Joined(hashes, [30, 50], np.arange(600) % 20, plain=True),
        "harder": search.Joined(hashes[:100], [30]),
    }
    found = search.kernels(sets, repeats=2, workers=(1, 2))
    counted = found.groupby(["set", "radius", "contender", "workers"]).size()
    assert (counted == 2).all()
    at = (("shuffled", 30), ("shuffled", 50), ("harder", 30))
    joins = ["FAISS flat", "exhaustive join", "join"]
    plain = [
        ("shuffled", radius, name, 1) for radius in (30, 50) for name in ("NumPy", "imagehash")
    ]
    assert set(counted.index) == {
        (name, radius, contender, workers)
        for name, radius in at
        for contender in joins
        for workers in (1, 2)
    } | {("shuffled", 0, "histogram", workers) for workers in (1, 2)} | set(plain)
    assert (found["bits"] == 256).all()
    assert (found["throughput"] > 0).all()


@pytest.mark.parametrize("width", [8, 32])
def test_the_python_loop_finds_the_pairs_of_the_join(hashes, width):
    some = np.ascontiguousarray(hashes[:60, :width])
    radius = 2 * width
    i, j, _ = hamming.join(some, radius=radius)
    found = search.imagehash_loop(search.imagehash_objects(some), radius)
    assert found == list(zip(i.tolist(), j.tolist(), strict=True))
    assert found


def speeds(*rows):
    return table("set radius contender workers repeat throughput", *rows)


def test_ladder_goes_from_the_loop_to_the_join():
    rows = [
        ("shuffled", 72, contender, 1, repeat, rate * (1 + repeat))
        for contender, rate in (
            ("join", 6e9),
            ("exhaustive join", 3e9),
            ("FAISS flat", 1e9),
            ("NumPy", 4e7),
            ("imagehash", 5e5),
        )
        for repeat in range(3)
    ]
    other = [("shuffled", 52, "join", 1, 0, 9e9), ("shuffled", 72, "join", 2, 0, 9e9)]
    found = search.ladder(speeds(*rows, *other), "shuffled", 72)
    assert found["contender"].tolist() == list(search.LADDER.values())
    assert found["pairs_per_second"].tolist() == [1e6, 8e7, 2e9, 6e9, 12e9]
    assert found["times"].tolist() == [1, 80, 2000, 6000, 12000]
    assert found[["low", "high"]].iloc[-1].tolist() == [6e9, 18e9]


def test_ratios_are_formed_within_each_repeat():
    found = search.ratios(
        speeds(
            ("shuffled", 72, "join", 1, 0, 8e9),
            ("shuffled", 72, "join", 1, 1, 4e9),
            ("shuffled", 72, "join", 2, 0, 99e9),
            ("shuffled", 72, "exhaustive join", 1, 0, 2e9),
            ("shuffled", 72, "exhaustive join", 1, 1, 2e9),
            ("shuffled", 72, "FAISS flat", 1, 0, 1e9),
            ("shuffled", 72, "FAISS flat", 1, 1, 2e9),
            ("shuffled", 0, "histogram", 1, 0, 2e9),
        )
    )
    assert found.to_dict("split")["data"] == [
        ["shuffled", 72, "join", 5, 2, 8],
        ["shuffled", 72, "exhaustive join", 1.5, 1, 2],
    ]


def test_look_ups_time_galleries_and_the_flat_index(hashes):
    found = search.look_ups(hashes, hashes[:30], 3, 30, repeats=1, workers=1)
    names = ["within the radius", "nearest", "batch"]
    suffixes = ("", ", exhaustive", ", FAISS flat")
    assert set(found["contender"]) == {f"{n}{end}" for n in names for end in suffixes} | {"layout"}
    assert (found["seconds"] > 0).all()


def test_joins_by_threads_find_the_same_pairs(hashes):
    found = search.by_threads(hashes, 40, repeats=2)
    assert sorted(found["workers"]) == [1, 1, 2, 2]
    assert (found["pairs"] == len(hamming.join(hashes, radius=40)[0])).all()


@pytest.mark.slow  # compiles the kernels for two processors, unless that code is kept
def test_kernels_without_avx512_find_the_same_pairs():
    found = search.by_processor(["native", "x86-64"], number=700, radius=110, repeats=1)
    assert (found.groupby("kernel")["found"].nunique() == 1).all()
    assert (found["found"] > 0).all()
