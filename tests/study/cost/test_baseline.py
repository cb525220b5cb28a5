"""What costs.py counts is what the reference does."""

import numpy as np
import pytest
from PIL import Image

from finhash.find import reference
from finhash.study.cost import baseline, operations
from finhash.study.data import memes
from tests.conftest import noise

SIZES = [(7, 5), (64, 64), (65, 64), (30, 70), (130, 66)]


class Counted(list):
    """A list that counts how often it is read."""

    reads = 0

    def __getitem__(self, index):
        self.reads += 1
        return super().__getitem__(index)


@pytest.mark.parametrize(("cols", "rows"), SIZES)
def test_additions_are_the_reads_of_the_box_filter(cols, rows):
    luma = Counted([1.0] * (cols * rows))
    reference.box_filter(luma, rows, cols)
    assert luma.reads == operations.operations(cols, rows)["box filter"]


@pytest.mark.parametrize(("cols", "rows"), SIZES)
def test_used_results_are_the_different_reads_of_decimation(cols, rows):
    samples = reference.decimate(list(range(cols * rows)), rows, cols)
    assert len({value for row in samples for value in row}) == operations.used_results(cols, rows)


def test_dct_reads_each_sample_for_each_row_kept():
    samples = [Counted([1.0] * 64) for _ in range(64)]
    reference.dct_64_to_16(samples)
    second = 16 * 16 * 64
    assert sum(row.reads for row in samples) + second == operations.operations(64, 64)["DCT"]


def test_shrunk_is_what_the_reference_does():
    for size in [(512, 512), (2048, 256), (513, 100), (700, 900), (30, 40)]:
        assert operations.shrunk(*size) == reference.shrink(Image.new("RGB", size)).size


def test_window_widens_above_multiples():
    table = operations.windows([64, 65, 192, 193, 512]).set_index("side")
    assert table["window"].tolist() == [2, 4, 4, 6, 10]
    assert table["used"][512] == 1 / 64


def test_inner_loops_are_the_ones_that_count():
    table = operations.inner_loops()
    assert set(table["step"]) == set(operations.LOOPS)
    assert any("total += luma[" in code for code in table["code"])
    assert not any("range(top, bottom)" in code for code in table["code"])
    assert (operations.bytecodes() > 5).all()


def test_operation_times():
    table = baseline.operation_times({"a": Image.fromarray(noise(20, 30))}, 1)
    assert table["operations"].tolist() == list(operations.operations(30, 20).values())
    assert (table["ns_a_bytecode"] > 0).all()


def test_memory_of_lists_of_floats():
    pixels = 64 * 64
    table = baseline.memory_steps({64: Image.fromarray(noise(64, 64))})
    assert table["step"].tolist() == list(baseline.STEPS)
    by_step = table.set_index("step")
    assert 24 * pixels < by_step["kept"]["luma"] < 34 * pixels
    assert (table["peak"] >= table["kept"]).all()
    assert baseline.memory_peaks(table)["bytes"][0] > 56 * pixels


def test_exponent_of_a_power():
    x = np.array([1, 2, 4, 8, 16])
    found = operations.exponent(x, 3 * x**1.5 * [1.01, 0.99, 1.01, 0.99, 1])
    assert found["low"] < 1.5 < found["high"]
    assert found["high"] - found["low"] < 0.1


def test_prices_are_found_again():
    prices = np.array([5e6, 900, 150, 70])
    sizes = [(side, side) for side in (64, 65, 128, 193, 250, 321, 449, 512, 1024)]
    exact = [np.array(list(operations.work(*size).values())) @ prices / 1e9 for size in sizes]
    fitted = operations.fit_work(sizes, exact)
    np.testing.assert_allclose(fitted, prices, rtol=1e-3)
    np.testing.assert_allclose(operations.predict(fitted, sizes), exact, rtol=1e-6)


def test_extrapolation():
    row = operations.extrapolate(0.36, [10**6]).iloc[0]
    assert row["core_hours"] == pytest.approx(100)
    assert row["dollars"] == pytest.approx(100 * operations.DOLLARS_A_CORE_HOUR)


def test_published_faults():
    table = baseline.published_faults(
        [Image.fromarray(noise(80, 80))], [(64, 64), (80, 64), (64, 65)]
    )
    assert table["errors"].tolist() == [0, 0, 1]
    assert table["bits_wrong"][0] == 0
    assert table["bits_wrong"][1] > 0
    assert table["unwritten"][1] == pytest.approx(1 - (63 * 64 + 80) / (64 * 80))


def test_steps_of_an_encoded_picture():
    table = baseline.step_seconds(memes.jpeg(Image.fromarray(noise(20, 30))), 2)
    assert table["step"].tolist() == list(baseline.STEPS) * 2
