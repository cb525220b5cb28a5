"""Bounds and comparisons for a GPU hold on Numba's simulator; without CUDA the rest still works."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from finhash.find import compiled
from finhash.find.certificate import MARGIN
from finhash.jobs.batch import hash_files
from finhash.study import results
from finhash.study.cost import gpu
from finhash.study.data import committed, datasets
from tests.conftest import jpeg_bytes

find_gpu = pytest.importorskip("finhash.find.gpu", exc_type=ImportError)
hamming_gpu = pytest.importorskip("finhash.hamming.gpu", exc_type=ImportError)


def shrink_blocks(monkeypatch) -> None:
    """Use two threads per block, because the simulator starts a thread for each."""
    for name in ("THREADS", "TILE"):
        monkeypatch.setattr(hamming_gpu, name, 2)


def test_a_simulated_gpu_does_not_count_as_present(monkeypatch):
    monkeypatch.setenv("NUMBA_ENABLE_CUDASIM", "1")
    assert not gpu.present()


@pytest.mark.slow  # starts an interpreter
def test_hashing_and_matching_need_no_cuda():
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


def test_offload_times_the_work_with_and_without_a_gpu(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg_bytes())
    found = gpu.offload([tmp_path / "a.jpg"], repeats=2)
    names = {"file to pixels", "file to hash", "file to gathered pixels"}
    assert set(found.query("state == 'warm'")["contender"]) == names


def test_single_precision_leaves_more_to_the_second_path(tmp_path):
    for k in range(3):
        (tmp_path / f"{k}.jpg").write_bytes(jpeg_bytes(seed=k))
    (tmp_path / "broken.jpg").write_text("not an image")
    found = gpu.doubtful(sorted(tmp_path.iterdir())).set_index("precision")
    assert found["images"].tolist() == [3, 3]
    assert found["share"]["single"] > found["share"]["double"]
    assert found["margin"]["single"] == pytest.approx(2**29 * MARGIN / 1000)


def test_floors_are_proportional_to_pairs():
    small, large = (gpu.floors(250, n).groupby("what")["seconds"].max() for n in (1000, 2000))
    assert large["all pairs"] == pytest.approx(4 * small["all pairs"], rel=1e-3)
    assert large["image"] == small["image"] == pytest.approx(250 * 250 * 3 / 4.8e12)


@pytest.mark.slow  # runs kernels on the simulator
def test_comparison_counts_wrong_bits(monkeypatch):
    shrink_blocks(monkeypatch)
    monkeypatch.setattr(find_gpu, "published_hash", lambda rgb: np.zeros(32, np.uint8))
    flat = np.full((3, 3, 3), 9, np.uint8)
    hashes = np.random.default_rng(1).integers(0, 256, (6, 32), dtype=np.uint8)
    found = gpu.compare({"flat": [flat]}, hashes, np.arange(6) % 2, 128).set_index("kind")
    wrong = int(np.bitwise_count(compiled.published_hash(flat)).sum())
    assert found.loc["flat", ["cases", "doubtful", "differing"]].tolist() == [1, 1, wrong]
    assert found.loc["all pairs by distance", ["cases", "differing"]].tolist() == [15, 0]
    assert found.loc["pairs within the threshold", "differing"] == 0


@pytest.mark.slow  # spawns a process
def test_simulation_in_a_fresh_process_finds_no_difference():
    found = gpu.simulate(edges=0, images=1, number=12, radius=70).set_index("kind")
    assert found["cases"]["random images, bits"] == 1
    assert found["cases"]["all pairs by distance"] == 12 * 11 // 2
    assert not found["differing"].any()


def hash_here(paths, names, **_):
    """Hash files on one thread."""
    return hash_files(paths, names, executor="serial", progress=False)


@pytest.mark.slow  # runs every kernel on the simulator
def test_a_measurement_on_the_simulator_is_saved_and_summarised(monkeypatch, tmp_path):
    monkeypatch.setenv("FINHASH_HOME", str(tmp_path))
    monkeypatch.setenv("FINHASH_OUT", str(tmp_path / "build"))
    shrink_blocks(monkeypatch)
    monkeypatch.setattr(gpu, "describe", lambda: {"gpu": "simulated"})
    # Hash in this process: workers would take seconds to start.
    monkeypatch.setattr(committed, "hash_files", hash_here)
    paths = [tmp_path / f"000{k}_00000.jpg" for k in range(3)]
    for path in paths[1:]:
        path.write_bytes(jpeg_bytes(2, 2))
    paths[0].write_text("not an image")
    assert not gpu.measured()
    sizes = gpu.Sizes(hashes=4, images=1, batches=1, edges=0, provoking=0, copied=64)
    gpu.measure(datasets.Dataset("two", tmp_path, paths), 70, 1, sizes)
    assert gpu.measured()
    assert results.load_provenance("gpu_times")["gpu"] == "simulated"
    assert (results.load("gpu_exactness")["differing"] == 0).all()
    table = gpu.summary(results.load("gpu_times"), gpu.floors(250, 4))
    assert (table["throughput"] > 0).all()
    items = table.groupby("task")["items"].first()
    assert items.to_dict() == {
        "copy": 64,
        "hash": 1,
        "hash, in all": 1,
        "pairs of the set": 1,
        "pairs of many": 6,
    }
    assert set(table.dropna()["contender"]) == set(gpu.BOUNDED)


def test_summary_compares_the_time_per_item_with_its_floor():
    timings = pd.DataFrame(
        {
            "task": ["hash", "hash", "pairs of many"],
            "contender": ["compute", "CPU, one core", "join"],
            "state": "warm",
            "repeat": 0,
            "seconds": [1.0, 5.0, 2.0],
            "items": [100, 100, 499_500],
        }
    )
    floors = gpu.floors(250, 10**6)
    table = gpu.summary(timings, floors)
    assert table["throughput"].tolist() == [100, 20, 249_750]
    image = floors[floors["what"] == "image"]["seconds"].max()
    pairs = gpu.floors(250, 1000)
    expected = [0.01 / image, np.nan, 2 / pairs[pairs["what"] == "all pairs"]["seconds"].max()]
    np.testing.assert_allclose(table["floors"], expected, rtol=1e-6)
