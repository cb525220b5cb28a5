"""What is said of GPUs where there is none."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from finhash.find import compiled
from finhash.study import results
from finhash.study.cost import gpu
from finhash.study.data import datasets
from tests.conftest import jpeg_bytes

hamming_cuda = pytest.importorskip("finhash.hamming.gpu", exc_type=ImportError)


def test_a_simulated_gpu_is_none(monkeypatch):
    monkeypatch.setenv("NUMBA_ENABLE_CUDASIM", "1")
    assert not gpu.present()


def test_everything_else_works_without_cuda():
    program = """
import sys
sys.modules["numba.cuda"] = None  # importing it fails
import numpy as np, finhash
from finhash import hamming
from finhash.study.cost import gpu
assert str(finhash.find_hash(np.zeros((9, 9, 3), np.uint8)))
assert len(hamming.join(np.zeros((2, 32), np.uint8), radius=0)[0]) == 1
assert not gpu.present()
try:
    import finhash.find.gpu
except ImportError:
    print("no CUDA")
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.stdout == "no CUDA\n", run.stderr


def test_offload_times_what_a_gpu_takes_over_and_adds(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg_bytes())
    found = gpu.offload([tmp_path / "a.jpg"], repeats=2)
    names = {"file to pixels", "file to hash", "file to gathered pixels"}
    assert set(found.query("state == 'warm'")["contender"]) == names


def test_single_precision_leaves_more_to_the_second_path(tmp_path):
    for k in range(3):
        (tmp_path / f"{k}.jpg").write_bytes(jpeg_bytes(seed=k))
    found = gpu.doubtful(sorted(tmp_path.iterdir())).set_index("precision")
    assert found["share"]["single"] > found["share"]["double"]
    assert found["margin"]["single"] == pytest.approx(2**29 * compiled.MARGIN / 1000)


def test_floors_are_proportional_to_pairs():
    small, large = (gpu.floors(250, n).groupby("what")["seconds"].max() for n in (1000, 2000))
    assert large["all pairs"] == pytest.approx(4 * small["all pairs"], rel=1e-3)
    assert large["image"] == small["image"] == pytest.approx(250 * 250 * 3 / 4.8e12)


def test_comparison_counts_what_differs(monkeypatch):
    """A simulated GPU whose second path is wrong is found out; its pairs are right."""
    from finhash.find import gpu as cuda

    monkeypatch.setattr(cuda, "published_hash", lambda rgb: np.zeros(32, np.uint8))
    flat = np.full((3, 3, 3), 9, np.uint8)
    hashes = np.random.default_rng(1).integers(0, 256, (6, 32), dtype=np.uint8)
    found = gpu.compare({"flat": [flat]}, hashes, np.arange(6) % 2, 128).set_index("kind")
    wrong = int(np.bitwise_count(compiled.published_hash(flat)).sum())
    assert found.loc["flat", ["cases", "doubtful", "differing"]].tolist() == [1, 1, wrong]
    assert found.loc["all pairs by distance", ["cases", "differing"]].tolist() == [15, 0]
    assert found.loc["pairs within the radius", "differing"] == 0


def test_a_measurement_is_taken_and_told(monkeypatch, tmp_path):
    """The whole of it, on a simulated GPU and in small."""
    monkeypatch.setenv("FINHASH_HOME", str(tmp_path))
    for name, value in {"THREADS": 2, "TILE": 2}.items():
        monkeypatch.setattr(hamming_cuda, name, value)
    monkeypatch.setattr(gpu, "describe", lambda: {"gpu": "a simulated one"})
    paths = [tmp_path / f"000{k}_00000.jpg" for k in range(2)]
    for path in paths:
        path.write_bytes(jpeg_bytes(2, 2))
    assert not gpu.measured()
    sizes = gpu.Sizes(hashes=4, pictures=1, batches=1, edges=0, provoking=1, copied=64)
    gpu.measure(datasets.Dataset("two", tmp_path, paths), 70, 1, sizes)
    assert gpu.measured()
    assert results.load_provenance("gpu_times")["gpu"] == "a simulated one"
    assert (results.load("gpu_exactness")["differing"] == 0).all()
    told = gpu.rates(results.load("gpu_times"), gpu.floors(250, 4)).set_index(["task", "contender"])
    assert (told["a_second"] > 0).all()
    bounded = {"compute", "send", "join", "join, nothing found", "histogram"}
    assert set(told.dropna().index.get_level_values("contender")) == bounded


def test_rates_and_floors():
    timings = pd.DataFrame(
        {
            "task": ["hash", "pairs of many"],
            "contender": ["compute", "join"],
            "state": "warm",
            "repeat": 0,
            "seconds": [1.0, 2.0],
            "number": [100, 1000],
        }
    )
    told = gpu.rates(timings, gpu.floors(250, 10**6))
    assert told["a_second"].tolist() == [100, 1000 * 999 / 2 / 2]
    least = gpu.floors(250, 1000).groupby("what")["seconds"].max()
    expected = [0.01 / least["image"], 2 / least["all pairs"]]
    assert told["floors"].tolist() == pytest.approx(expected, rel=1e-6)
