"""Every rung of the ladder gives the same hash, and its costs are tabulated."""

import numpy as np
import pandas as pd
import pytest

from finhash.study import timing
from finhash.study.cost import goals, ladder
from tests.conftest import jpeg_bytes


@pytest.fixture
def path(tmp_path):
    """Return a small JPEG file."""
    path = tmp_path / "image.jpg"
    path.write_bytes(jpeg_bytes(70, 90))
    return path


def test_every_rung_gives_the_same_hash(path):
    hashes = {hash_file(path).tobytes() for hash_file in ladder.LADDER.values()}
    assert len(hashes) == 1


def test_costs_are_medians_in_milliseconds(path, monkeypatch):
    reference = ladder.LADDER["reference"]
    monkeypatch.setitem(ladder.LADDER, "+ luma", lambda path: ~reference(path))
    timings = pd.DataFrame(
        [
            (rung, state, 0, seconds + k)
            for k, rung in enumerate(ladder.LADDER)
            for state, seconds in (("cold", 30.0), ("warm", 1.0), ("warm", 2.0), ("warm", 9.0))
        ],
        columns=["contender", "state", "repeat", "seconds"],
    )
    table = ladder.ladder_costs(path, timings).set_index("rung")
    assert table.index.tolist() == list(ladder.LADDER)
    assert table["ms"].tolist() == [2000, 3000, 4000, 5000, 6000, 7000]
    assert table["cold_ms"].tolist() == [30000, 31000, 32000, 33000, 34000, 35000]
    assert table["bits_changed"].tolist() == [0, 0, 256, 0, 0, 0]
    assert table["needs"].to_dict() == ladder.NEEDS
    assert table["peak_kB"]["reference"] > table["peak_kB"]["+ simplejpeg"] > 0


def test_sections_of_the_kernel_are_timed(path):
    timings = timing.time_calls(ladder.kernel_contenders([path]), 1, items=1)
    assert (timings["seconds"] > 0).all()
    assert timings["contender"].nunique() == 7


def test_goal_values_compare_with_the_deployed_rung():
    speed = pd.Series(2.0, index=["ahash64", "phash64", "dhash64", "whash64"])
    speed = pd.concat([speed, pd.Series({"reference": 800.0, "+ simplejpeg": 1.0})])
    kernel = pd.Series(
        {"kernel": 1.0, "decode": 5.0, "PDQ kernel": 20.0, "file to hash": 6, "file to pixels": 5}
    )
    table = goals.judge(goals.LADDER, ladder.goal_values(speed, kernel))
    np.testing.assert_allclose(table["measured"], [800, 0.2, 1.2, 0.05, 0.5, 0.5, 0.5, 0.5])
    assert table["met"].tolist() == [True, False, True, True, True, True, True, False]


@pytest.mark.slow  # starts interpreters and compiles
def test_cold_start_programs_run():
    programs = ladder.START_PROGRAMS | ladder.COMPILE_PROGRAMS
    table = ladder.cold_start(programs, 0)
    assert table["contender"].tolist() == list(programs)
    assert table["seconds"].min() > 0
