"""What is made of measured jobs: rates, gains, break-even, the model. Nothing is timed here."""

import pandas as pd
import pytest

from finhash.study.cost import parallel

COLUMNS = ["executor", "workers", "repeat", "images", "seconds", "driver"]


@pytest.fixture
def rates() -> pd.DataFrame:
    """One core hashes 100 pictures a second; two processes 200, after a second of starting."""
    jobs = [
        (parallel.DECODE, 1, 0, 1000, 8.0, 8.0),
        ("serial", 1, 0, 1000, 10.0, 10.0),
        ("processes", 1, 0, 1000, 11.0, 0.2),
        ("processes", 2, 0, 1000, 6.0, 0.2),
        ("dask", 2, 0, 1000, 7.0, 0.3),
    ]
    starts = [("processes", 1, 0, 32, 1.0, 0.1), ("processes", 2, 0, 32, 1.0, 0.1)]
    starts.append(("dask", 2, 0, 32, 9.0, 0.1))
    return parallel.rates(
        pd.DataFrame(jobs, columns=COLUMNS), pd.DataFrame(starts, columns=COLUMNS)
    )


def test_gain_leaves_the_start_out(rates):
    row = rates.set_index(["executor", "workers"]).loc[("processes", 2)]
    assert (row["rate"], row["gain"], row["efficiency"]) == (200, 2, 1)
    assert row["with_start"] == pytest.approx(1000 / 6)
    assert row["driver"] == pytest.approx(0.1 / 1000)


def test_a_start_longer_than_its_job_is_not_told_apart(rates):
    row = rates.set_index(["executor", "workers"]).loc[("dask", 2)]
    assert row["rate"] == row["with_start"] == pytest.approx(1000 / 7)


def test_break_even(rates):
    assert parallel.break_even(rates, ("processes", 2)) == pytest.approx(200)
    assert parallel.break_even(rates, ("processes", 1)) == float("inf")


def test_serial_share(rates):
    share = parallel.serial_share(rates).set_index("executor")["share"]
    assert share.to_dict() == pytest.approx({"processes": 0})


def test_the_model_is_amdahls(rates):
    handing = pd.DataFrame({"executor": ["processes", "dask"], "driver": [500.0, 5000.0]})
    found = parallel.model(rates, handing, [1, 1000]).set_index(["executor", "cores"])
    driver = 500e-6 / (parallel.TASK_SECONDS * 100)
    assert found["rate"]["processes", 1000] == pytest.approx(1 / (driver + 0.01 / 1000))
    assert found["rate"]["dask", 1000] < found["ceiling"]["dask", 1000]
    assert found["efficiency"]["processes", 1] == pytest.approx(1, abs=0.01)


def test_goals_know_a_least_from_a_most(rates):
    large = rates.replace({"executor": {"processes": "threads"}})
    whole = pd.DataFrame({"executor": [parallel.DECODE, "processes"], "seconds": [22.0, 12.0]})
    found = parallel.goals(rates, large, whole, pd.DataFrame({"bytes": [300e6, 410e6]}))
    met = found.set_index("quantity")["met"]
    assert met["processes, 2 / serial, small"]
    assert not met["processes, 2: peak memory, MB"]
