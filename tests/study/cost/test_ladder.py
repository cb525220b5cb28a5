"""Every rung of the ladder gives the same hash, and its costs are tabulated."""

import numpy as np
import pandas as pd
import pytest

from finhash.study import timing
from finhash.study.cost import ladder
from tests.conftest import jpeg_bytes


@pytest.fixture
def path(tmp_path):
    """Return a small JPEG file."""
    path = tmp_path / "image.jpg"
    path.write_bytes(jpeg_bytes(70, 90))
    return path


def frame(rows):
    """Return timings as from ``timing.time_calls``, from contender, state and seconds."""
    table = pd.DataFrame(rows, columns=["contender", "state", "seconds"])
    return table.assign(repeat=range(len(table)))


def test_every_rung_gives_the_same_hash(path):
    hashes = {hash_file(path).tobytes() for hash_file in ladder.LADDER.values()}
    assert len(hashes) == 1


def test_every_rung_can_be_taken_back(path):
    expected = ladder.LADDER["reference"](path)
    for hash_file in ladder.REVERTED.values():
        np.testing.assert_array_equal(hash_file(path), expected)
    assert list(ladder.REVERTED) == list(ladder.LADDER)[1:]
    assert list(ladder.TRADES) == list(ladder.LADDER)


def test_costs_compare_rungs(path, monkeypatch):
    reference = ladder.LADDER["reference"]
    monkeypatch.setitem(ladder.LADDER, "+ luma", lambda path: ~reference(path))
    states = (("cold", 30.0), ("warm", 1.0), ("warm", 2.0), ("warm", 9.0))
    timings = frame(
        [(rung, *state) for rung in ladder.LADDER for state in states]
        + [("+ simplejpeg", "warm", 0.5), ("+ simplejpeg", "warm", 0.5)]
    )
    one_less = [(rung, "warm", 2.0 + k) for k, rung in enumerate(ladder.REVERTED)]
    reverted = frame([(ladder.DEPLOYED, "warm", 2.0), *one_less])
    first = pd.Series(range(6), index=list(ladder.LADDER), dtype=float)
    table = ladder.ladder_costs([path, path], timings, reverted, first).set_index("rung")
    assert table.index.tolist() == list(ladder.LADDER)
    assert table["ms"].tolist() == [2000] * 5 + [1000]
    assert table[["low_ms", "high_ms"]].iloc[0].tolist() == [1500, 5500]
    assert table["times"].tolist() == [1] * 5 + [2]
    assert table["step"].fillna(0).tolist() == [0] + [1] * 4 + [2]
    assert table["alone"].fillna(0).tolist() == [0, 1, 1.5, 2, 2.5, 3]
    assert table["first_s"].tolist() == list(range(6))
    assert table["bits_changed"].tolist() == [0, 0, 512, 0, 0, 0]
    assert (table["images"] == 2).all()
    assert table["needs"]["+ box filter"] == "Numba"
    assert table["peak_kB"]["reference"] > table["peak_kB"]["+ simplejpeg"] > 0


def test_slow_rungs_hash_few_files_per_sample(path, monkeypatch):
    seen = []
    slow, fast = ladder.SLOW[0], "+ simplejpeg"
    monkeypatch.setattr(ladder, "LADDER", {slow: seen.append, fast: seen.append})
    calls, items = ladder.contenders(["a", "b", "c"], 2)
    assert items == {slow: 2, fast: 3}
    calls[slow]()
    calls[slow]()
    calls[fast]()
    assert seen == ["a", "b", "c", "a", "a", "b", "c"]


@pytest.mark.slow  # starts an interpreter and compiles
def test_first_calls_compile(path):
    first = ladder.first_calls(path)
    assert first.index.tolist() == list(ladder.LADDER)
    assert first["+ DCT, compiled"] > 1


def test_sections_of_the_kernel_are_timed(path):
    timings = timing.time_calls(ladder.kernel_contenders([path]), 1, items=1)
    assert (timings["seconds"] > 0).all()
    assert timings["contender"].nunique() == 7


def test_programs_that_compile_find_an_empty_cache():
    program = "import os; print(os.listdir(os.environ['NUMBA_CACHE_DIR']))"
    assert ladder._run(program, compiling=True) == "[]\n"


@pytest.mark.slow  # starts interpreters
def test_cold_start_programs_run():
    programs = ladder.START_PROGRAMS | ladder.COMPILE_PROGRAMS
    table = ladder.cold_start(programs, 0)
    assert table["contender"].tolist() == list(programs)
    assert table["seconds"].min() > 0
