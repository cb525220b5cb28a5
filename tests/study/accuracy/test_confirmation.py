"""The confirmation's measures, on counts small enough to check."""

import numpy as np
import pandas as pd
import pytest

from finhash.accuracy import counting
from finhash.study.accuracy import confirmation
from finhash.study.data import committed
from tests.accuracy.conftest import REACH

CHOSEN = {("find", 1e-3): 60, ("find", 1e-4): 50, ("pdq", 1e-3): 40}


@pytest.fixture
def tables(pair_table) -> dict[str, counting.PairTable]:
    return {"find": pair_table, "pdq": pair_table}


def test_rates_are_plain_counts_at_the_given_thresholds(tables, ten_families):
    hashes, families = ten_families
    found = confirmation.at_thresholds(tables, CHOSEN)
    i, j = np.triu_indices(len(hashes), 1)
    distance = np.bitwise_count(hashes[i] ^ hashes[j]).sum(axis=1)
    same = families[i] == families[j]
    assert len(found) == len(CHOSEN)
    for row in found.itertuples():
        assert row.threshold == CHOSEN[row.method, row.target]
        near = distance <= row.threshold
        assert row.fpr == pytest.approx(near[~same].mean())
        assert row.recall == pytest.approx(near[same].mean())
        assert row.low <= row.recall <= row.high


def test_certainty_has_the_same_rates_below_their_bounds(tables):
    found = confirmation.certainty(tables, CHOSEN).set_index(["method", "target"])
    plain = confirmation.at_thresholds(tables, CHOSEN).set_index(["method", "target"])
    pd.testing.assert_series_equal(found["fpr"], plain["fpr"], check_like=True)
    assert (found["fpr_high"] > found["fpr"]).all()


def test_all_p_values_are_corrected_together(tables, ten_families):
    hashes, families = ten_families
    rng = np.random.default_rng(2)
    noisier = hashes ^ np.packbits(rng.random((200, 256)) < 0.1, axis=1)
    worse = counting.count_pairs(noisier, {"": families}, REACH)[""]
    _, alone = confirmation.compare(tables)
    _, found = confirmation.compare(tables | {"dhash256": worse})
    key = ["method", "target"]
    together = found.set_index(key).loc[alone.set_index(key).index]
    assert (together["p_equivalent"].to_numpy() >= alone["p_equivalent"].to_numpy()).all()
    assert (alone["p"] == 1).all()  # the same counts twice


def test_shared_families_are_those_that_the_plan_names():
    assert confirmation.shared_families() == [19, 56, 219, 532, 539, 549, 563, 809, 950]


def compared(p: float, p_equivalent: float, difference: float) -> pd.DataFrame:
    """Return equal tests of every method against FINd, at both rates."""
    columns = ["method", "target", "difference", "p", "p_equivalent"]
    methods = [name for name in committed.COMPARED if name != "find"]
    rows = [(n, t, difference, p, p_equivalent) for n in methods for t in confirmation.COMPARED]
    return pd.DataFrame(rows, columns=columns)


def test_verdicts_on_the_predictions_follow_the_tests():
    met = pd.DataFrame(
        [("find", "merged", 1e-3, 5e-4), ("pdq", "merged", 1e-3, 2e-3), ("pdq", "other", 1e-3, 1)],
        columns=["method", "labels", "target", "fpr"],
    )
    unclear = confirmation.predictions(met, compared(p=1, p_equivalent=1, difference=-0.1))
    assert unclear["verdict"].tolist() == [
        "confirmed for 1 of 2",
        "confirmed for 1 of 2",
        "not shown",
        "not shown",
        "not shown",
    ]
    assert unclear["result"][0] == "PDQ: 200 false matches per 100,000 pairs at a target of 100"
    assert unclear["result"][4] == "-10.0 points (p = 1)"
    less = confirmation.predictions(met[:1], compared(p=0.01, p_equivalent=1, difference=-0.1))
    assert less["verdict"].tolist() == [
        "confirmed",
        "not shown",
        "confirmed",
        "not shown",
        "confirmed",
    ]
    more = confirmation.predictions(met[:1], compared(p=0.01, p_equivalent=1, difference=0.1))
    assert more["verdict"].tolist()[2:] == ["not shown", "confirmed", "not shown"]
