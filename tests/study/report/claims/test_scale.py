"""Claims about matching at scale hold on tables that fit them, and fail on others."""

import pandas as pd
import pytest

from finhash.study.report.claims.scale import CLAIMS
from tests.study.report.tables import table, timings


def fits(key: str, *tables: pd.DataFrame) -> bool:
    return bool(CLAIMS[key][0](*tables))


@pytest.mark.parametrize(("join", "holds"), [(6e9, True), (4e9, False), (9e9, False)])
def test_the_ratio_at_the_search_threshold_is_the_one_of_the_larger_radius(join, holds):
    ratios = table(
        "set radius contender ratio",
        ("shuffled", 52, "join", 16),
        ("shuffled", 72, "join", join / 1e9),
        ("families of eight", 72, "join", join / 2e9),
        ("other memes, noisy", 72, "join", 7.5),
        ("shuffled", 72, "exhaustive join", 2),
    )
    assert fits("ratio-search", ratios) == holds
    assert fits("ratio-sets", ratios) == (2.4 < join / 2e9 < 3.7)
    assert fits("ratio-cluster", ratios)
    assert not fits("ratio-cluster", ratios.assign(ratio=9))


@pytest.mark.parametrize(("loop", "holds"), [(6e5, True), (6e6, False)])
def test_the_ladder_compares_the_join_with_the_loop(loop, holds):
    ladder = table(
        "contender pairs_per_second",
        ("imagehash, a - b in a loop", loop),
        ("NumPy, XOR and bit counts", 4e7),
        ("finhash, all pairs compared", 2e9),
        ("finhash join", 6e9),
    )
    assert fits("ladder-loop", ladder) == holds
    assert fits("ladder-numpy", ladder)
    assert fits("ladder-pruning", ladder)


def test_look_ups_are_compared_with_the_flat_index():
    seconds = {
        "within the radius": 7e-4,
        "nearest": 3e-4,
        "batch": 1e-4,
        "within the radius, exhaustive": 1.5e-3,
        "within the radius, FAISS flat": 1.6e-3,
        "nearest, FAISS flat": 1.5e-3,
        "batch, exhaustive": 9e-5,
        "batch, FAISS flat": 3e-4,
        "layout": 15.0,
    }
    keys = ("lookup-million", "lookup-flat", "lookup-batch")
    assert all(fits(key, timings(seconds)) for key in keys)
    assert not fits("lookup-flat", timings(seconds | {"nearest": 1e-3}))
    assert not fits("lookup-batch", timings(seconds | {"layout": 90.0}))
    assert not fits("lookup-million", timings(seconds | {"within the radius": 5e-3}))


@pytest.mark.parametrize(("seconds", "holds"), [(9.0, True), (40.0, False)])
def test_the_largest_job_of_components_counts(seconds, holds):
    jobs = table(
        "algorithm images seconds f1 before peak",
        ("components", 250_000, 1.0, 0.92, 2e8, 3e8),
        ("components", 1_000_000, seconds, 0.915, 2e8, 4.3e8),
        ("spheres", 1_000_000, 2.5 * seconds, 0.742, 2e8, 5e8),
    )
    assert fits("clusters-million", jobs) == holds
    assert fits("clusters-spheres", jobs)
    assert not fits("clusters-spheres", jobs.assign(f1=0.8))


def test_the_exponent_is_that_of_the_cluster_threshold():
    exponents = table(
        "growth contender span radius exponent",
        ("number", "pruned", "last decade", 72, 1.5),
        ("number", "pruned", "last decade", 52, 1.85),
        ("number", "pruned", "all", 52, 1.3),
        ("size", "pruned", "last decade", 52, 1.3),
    )
    assert fits("growth-square", exponents)
    assert not fits("growth-square", exponents.assign(exponent=1.3))
