"""The steps of the reference are timed, traced and compared with the published program."""

import cProfile
import pstats

import pandas as pd
import pytest
from line_profiler import LineProfiler
from PIL import Image

from finhash.find import reference
from finhash.study.cost import baseline, operations
from finhash.study.data import memes
from tests.conftest import noise


def test_steps_begin_with_decoding():
    table = baseline.step_seconds(memes.jpeg(Image.fromarray(noise(20, 30))), 2)
    assert table["step"].tolist() == list(baseline.STEPS) * 2
    assert table["repeat"].tolist() == [0] * 7 + [1] * 7


def test_operation_times_divide_by_the_counts():
    table = baseline.operation_times({"a": Image.fromarray(noise(20, 30))}, 1)
    assert table["operations"].tolist() == list(operations.operations(30, 20).values())
    per_operation = table["ns_per_operation"] * table["operations"] / 1e9
    assert per_operation.tolist() == pytest.approx(table["seconds"].tolist())
    assert (table["ns_per_bytecode"] < table["ns_per_operation"]).all()


def test_memory_is_that_of_lists_of_floats():
    pixels = 64 * 64
    table = baseline.memory_steps({64: Image.fromarray(noise(64, 64))})
    assert table["step"].tolist() == list(baseline.STEPS)
    by_step = table.set_index("step")
    assert 24 * pixels < by_step["kept"]["luma"] < 34 * pixels
    assert (table["peak"] >= table["kept"]).all()
    assert baseline.memory_peaks(table)["bytes"][0] > 56 * pixels


def test_profilers_are_compared_with_unprofiled_times():
    image = Image.fromarray(noise(20, 30))
    calls, lines = cProfile.Profile(), LineProfiler(reference.fill_luma)
    calls.runcall(reference.find_hash, image)
    lines.runcall(reference.find_hash, image)
    steps = baseline.step_seconds(image, 1)
    table = baseline.distortion(pstats.Stats(calls), lines, steps)
    assert table.index.tolist() == list(operations.LOOPS)
    assert (table["cProfile_ratio"] > 0).all()
    assert table["line_profiler"].notna().tolist() == [True, False, False, False]
    by_line = baseline.line_table(lines)
    assert by_line["share"].sum() == pytest.approx(1)
    assert by_line["milliseconds"].sum() == pytest.approx(table["line_profiler"]["luma"])


def test_published_program_is_wrong_unless_the_image_is_square():
    table = baseline.published_faults(
        [Image.fromarray(noise(80, 80))], [(64, 64), (80, 64), (64, 65)]
    )
    assert table["errors"].tolist() == [0, 0, 1]
    assert table["bits_wrong"][0] == 0
    assert table["bits_wrong"][1] > 0
    assert table["unwritten"][1] == pytest.approx(1 - (63 * 64 + 80) / (64 * 80))


def test_plan_bounds_follow_amdahl():
    steps = pd.DataFrame({"step": baseline.STEPS, "seconds": [0.5, 0.5, 20, 75, 0, 3, 1]})
    table = baseline.plan(steps, cores=4).set_index("step")
    assert table.index.tolist() == list(baseline.IDEAS)
    assert table["bound"][["box filter", "luma"]].tolist() == pytest.approx([4, 1.25])
    assert table["bound"]["all arithmetic"] == pytest.approx(100)
    assert table.loc["everything", ["share", "bound"]].tolist() == [1, 4]


def test_known_answers_are_those_of_the_published_program():
    table = baseline.known_answers(5000)
    assert len(table) > 5
    assert table[["published_equal", "corrected_equal"]].all(axis=None)
    assert (table["published"] == "IndexError").any()
