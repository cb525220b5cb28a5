"""The operation counts are those of the reference, and fitted times predict measured ones."""

import numpy as np
import pytest

from finhash.find import reference
from finhash.study.cost import operations

SIZES = [(7, 5), (64, 64), (65, 64), (30, 70), (130, 66)]


class Counted(list):
    """List that counts how often its items are read."""

    reads = 0

    def __getitem__(self, index):
        self.reads += 1
        return super().__getitem__(index)


@pytest.mark.parametrize(("cols", "rows"), SIZES)
def test_box_filter_reads_as_many_values_as_counted(cols, rows):
    luma = Counted([1.0] * (cols * rows))
    reference.box_filter(luma, rows, cols)
    assert luma.reads == operations.operations(cols, rows)["box filter"]


@pytest.mark.parametrize(("cols", "rows"), SIZES)
def test_decimation_keeps_as_many_distinct_values_as_counted(cols, rows):
    samples = reference.decimate(list(range(cols * rows)), rows, cols)
    assert len({value for row in samples for value in row}) == operations.used_results(cols, rows)


def test_dct_reads_as_many_samples_as_counted():
    samples = [Counted([1.0] * 64) for _ in range(64)]
    reference.dct_64_to_16(samples)
    second_product = 16 * 16 * 64
    counted = operations.operations(64, 64)["DCT"]
    assert sum(row.reads for row in samples) + second_product == counted


def test_window_widens_above_multiples_of_64():
    table = operations.windows([64, 65, 192, 193, 512]).set_index("side")
    assert table["window"].tolist() == [2, 4, 4, 6, 10]
    assert table["used"][512] == 1 / 64


def test_inner_loops_exclude_outer_loops():
    table = operations.inner_loops()
    assert set(table["step"]) == set(operations.LOOPS)
    assert any("total += luma[" in code for code in table["code"])
    assert not any("range(top, bottom)" in code for code in table["code"])
    assert (operations.bytecodes() > 5).all()


def test_confidence_interval_of_an_exponent_contains_it():
    x = np.array([1, 2, 4, 8, 16])
    found = operations.exponent(x, 3 * x**1.5 * [1.01, 0.99, 1.01, 0.99, 1])
    assert found["low"] < 1.5 < found["high"]
    assert found["high"] - found["low"] < 0.1


def test_fit_recovers_the_time_per_operation():
    nanoseconds = np.array([5e6, 900, 150, 70])
    sizes = [(side, side) for side in (64, 65, 128, 193, 250, 321, 449, 512, 1024)]
    counts = [list(operations.work(*size).values()) for size in sizes]
    seconds = np.array(counts) @ nanoseconds / 1e9
    fitted = operations.fit_work(sizes, seconds)
    np.testing.assert_allclose(fitted, nanoseconds, rtol=1e-3)
    np.testing.assert_allclose(operations.predict(fitted, sizes), seconds, rtol=1e-6)


def test_extrapolation_is_proportional_to_the_number_of_images():
    row = operations.extrapolate(0.36, [10**6]).iloc[0]
    assert row["core_hours"] == pytest.approx(100)
    assert row["dollars"] == pytest.approx(100 * operations.DOLLARS_PER_CORE_HOUR)
