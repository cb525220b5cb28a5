"""Claims about cost hold on the committed results, and fail on results that contradict them."""

import pandas as pd
import pytest

from finhash.study import project
from finhash.study.report.claims.cost import CLAIMS


def read(stem: str) -> pd.DataFrame:
    """Return a committed results table; skip the test if a new one has not been committed yet."""
    file = project.results(project.root()) / f"{stem}.csv"
    if not file.exists():
        pytest.skip(f"{stem} is not committed yet")
    return pd.read_csv(file)


@pytest.mark.parametrize("key", CLAIMS)
def test_predicates_read_the_tables_that_they_name(key):
    predicate, names = CLAIMS[key]
    assert bool(predicate(*map(read, names))) in (True, False)


@pytest.mark.parametrize(
    ("key", "column", "value"),
    [
        ("all-used", "skipped", 1),
        ("images-equal", "unreadable", 1),
        ("large-families-hold-pairs", "images", 100),
        ("box-filter-leads", "seconds", 1.0),
        ("memory-of-lists", "bytes", 10**9),
        ("numba-box-fastest", "seconds", 1.0),
        ("published-order-exact", "bits_changed", 0),
        ("ladder-speed", "seconds", 1.0),
        ("kernel-small", "seconds", 1.0),
        ("shrinking-exact", "kernel_changed", 1),
        ("narrow-images-change", "smooth_bits_mean", 1.0),
        ("luma-variant-bits", "most", 100.0),
        ("processes-double", "gain", 1.2),
        ("dispatch-cheap", "share", 0.5),
        ("memory-by-way", "bytes", 1.0),
        ("cold-reading", "seconds", 1.0),
        ("gpu-gains-little", "seconds", 1.0),
        ("gpu-double", "share", 1.0),
    ],
)
def test_a_claim_fails_on_results_that_contradict_it(key, column, value):
    predicate, names = CLAIMS[key]
    first, *others = map(read, names)
    assert predicate(first, *others)
    assert not predicate(first.assign(**{column: value}), *others)
