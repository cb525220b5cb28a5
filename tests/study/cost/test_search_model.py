"""Forecasts grow with the square and with the fitted power, and are checked on measured sets."""

import numpy as np
import pandas as pd
import pytest

from finhash.study.cost import search_model
from tests.study.report.tables import table


@pytest.fixture
def jobs() -> pd.DataFrame:
    """Jobs whose seconds grow with the power 1.5."""
    rows = [("components", n, 2.0 * (n / 1000) ** 1.5) for n in (1000, 4000, 16_000)]
    return table("algorithm images seconds", *rows, ("spheres", 1000, 9.0))


def test_forecast_grows_with_the_square_and_with_the_fitted_power(jobs):
    numbers = [16_000, 1_600_000]
    cost = search_model.forecast(
        jobs, numbers, workers=2, pairs_per_image=5, bytes_per_pair=3, block=400_000
    ).set_index("images")
    hours = 2 * 2 * 64 / 3600
    assert cost["core_hours"].tolist() == pytest.approx([hours, 1e4 * hours])
    assert cost["core_hours_fitted"].tolist() == pytest.approx([hours, 1e3 * hours])
    assert cost["bytes"][16_000] == 84 * 16_000
    assert cost["pairs"].tolist() == [80_000, 8_000_000]
    small = 480_000 + 32 * 16_000
    assert cost["network_bytes"].tolist() == [small, 48_000_000 + 32 * 1_600_000 * 5]
    hours_waited = small / search_model.BYTES_PER_SECOND / 3600
    assert cost["dollars"][16_000] == pytest.approx(0.05 * (hours + hours_waited))


def test_forecasts_are_checked_on_measured_sets(jobs):
    found = search_model.check_forecast(jobs).set_index("images")
    assert found["square"].tolist() == pytest.approx([32, 256])
    assert found["fitted"][16_000] == pytest.approx(found["measured"][16_000]) == 128
    assert np.isnan(found["fitted"][4000])
