"""Throughput, break-even and model follow from measured jobs; small jobs are measured."""

import pandas as pd
import pytest
from PIL import Image

from finhash.study.cost import parallel
from tests.conftest import jpeg_bytes

COLUMNS = ["executor", "workers", "repeat", "images", "seconds", "driver"]


@pytest.fixture
def speed() -> pd.DataFrame:
    """Return jobs in which one core hashes 100 images per second, and two cores 200.

    The processes take one second to start.
    """
    jobs = [
        (parallel.DECODE, 1, 0, 1000, 8.0, 8.0),
        ("serial", 1, 0, 1000, 10.0, 10.0),
        ("processes", 1, 0, 1000, 10.0, 0.2),
        ("processes", 2, 0, 1000, 4.0, 0.2),
        ("processes", 2, 1, 1000, 5.0, 0.2),
        ("processes", 2, 2, 1000, 6.0, 0.2),
    ]
    starts = [(parallel.DECODE, 1, 0.0), ("serial", 1, 0.0)]
    starts += [("processes", 1, 1.0), ("processes", 2, 1.0)]
    return parallel.throughput(
        pd.DataFrame(jobs, columns=COLUMNS),
        pd.DataFrame(starts, columns=["executor", "workers", "seconds"]),
    )


@pytest.fixture
def odd_images(tmp_path):
    """Return a folder of a JPEG, a PNG named like one, a truncated file and a text."""
    home = tmp_path / "images"
    home.mkdir()
    (home / "0.JPEG").write_bytes(jpeg_bytes())
    Image.new("RGB", (9, 9)).save(home / "1.jpg", "PNG")
    (home / "2.jpg").write_bytes(jpeg_bytes()[:500])
    (home / "3.jpg").write_text("not an image")
    (home / "notes.txt").touch()
    return home


@pytest.fixture
def two_images(tmp_path):
    """Return a folder of two JPEG files."""
    home = tmp_path / "images"
    home.mkdir()
    for k in range(2):
        (home / f"{k}.jpg").write_bytes(jpeg_bytes(seed=k))
    return home


def test_gain_leaves_the_start_out(speed):
    row = speed.set_index(["executor", "workers"]).loc[("processes", 2)]
    assert (row["throughput"], row["gain"], row["efficiency"]) == (200, 2, 1)
    assert (row["seconds"], row["low"], row["high"]) == (5, 4.5, 5.5)
    assert row["with_start"] == pytest.approx(1000 / 6)
    assert row["driver"] == pytest.approx(0.2 / 1000)


def test_break_even_is_infinite_without_a_gain(speed):
    assert parallel.break_even(speed, ("processes", 2)) == pytest.approx(200)
    assert parallel.break_even(speed, ("processes", 1)) == float("inf")


def test_serial_share_compares_two_workers_with_the_serial_job(speed):
    share = parallel.serial_share(speed).set_index("executor")["share"]
    assert share.to_dict() == pytest.approx({"processes": 0})


def test_model_is_limited_by_dispatching(speed):
    dispatch = pd.DataFrame(
        {"executor": ["threads", "processes", "dask"], "driver": [9.0, 500.0, 5000.0]}
    )
    found = parallel.model(speed, dispatch, [1, 1000]).set_index(["executor", "cores"])
    assert set(found.index.get_level_values("executor")) == {"processes", "dask"}
    driver = 500e-6 / (parallel.TASK_SECONDS * 100)
    assert found["throughput"]["processes", 1000] == pytest.approx(1 / (driver + 0.01 / 1000))
    assert found["throughput"]["dask", 1000] < found["ceiling"]["dask", 1000]
    assert found["efficiency"]["processes", 1] == pytest.approx(1, abs=0.01)


def test_jobs_are_timed_in_every_setting(two_images):
    paths = sorted(two_images.iterdir())
    jobs = parallel.whole_jobs(paths, [(parallel.DECODE, 1), ("serial", 1)], repeats=2)
    assert jobs["executor"].tolist() == [parallel.DECODE, "serial"] * 2
    assert jobs["images"].tolist() == [2] * 4
    assert (jobs[["seconds", "driver"]] > 0).all(axis=None)


def test_unreadable_images_do_not_end_a_job(odd_images):
    paths = sorted(odd_images.glob("*.[jJ]*"))
    jobs = parallel.whole_jobs(paths, [(parallel.DECODE, 1), ("serial", 1)], repeats=1)
    assert jobs["images"].tolist() == [4, 4]


def test_png_files_are_decoded_too(odd_images, monkeypatch):
    opened = []
    monkeypatch.setattr(parallel, "open_image", opened.append)
    parallel.whole_jobs([odd_images / "0.JPEG", odd_images / "1.jpg"], [(parallel.DECODE, 2)], 1)
    assert opened == [(odd_images / "1.jpg").read_bytes()]


def test_a_png_is_resized_to_a_jpeg(odd_images, tmp_path):
    (written,) = parallel.resized([odd_images / "1.jpg"], tmp_path, 32)
    with Image.open(written) as image:
        assert (image.format, image.size) == ("JPEG", (32, 32))


def test_files_that_are_gone_are_not_read(tmp_path):
    read = parallel.reading([tmp_path / "gone.jpg"], repeats=1)
    assert read["images"].tolist() == [1, 1]


@pytest.mark.slow  # spawns processes
def test_jobs_on_open_workers_are_timed_without_their_start(two_images):
    paths = sorted(two_images.iterdir())
    settings = [(parallel.DECODE, 2), ("dask", 1), ("serial", 1), ("threads", 2)]
    jobs, starts = parallel.jobs_on_open_workers(paths, settings, repeats=2)
    dask = settings.pop(1)
    assert list(zip(jobs["executor"], jobs["workers"], strict=True)) == settings * 2 + [dask] * 2
    assert (jobs["images"] == 2).all()
    assert starts["executor"].tolist() == [executor for executor, _ in [*settings, dask]]
    assert starts["seconds"].iloc[-1] > 10 * jobs["seconds"].iloc[-1]


def test_resized_images_are_square(two_images, tmp_path):
    written = parallel.resized(sorted(two_images.iterdir()), tmp_path, 32)
    assert [path.name for path in written] == ["0.jpg", "1.jpg"]
    assert {Image.open(path).size for path in written} == {(32, 32)}


def test_reading_alternates_between_cold_and_warm(two_images):
    read = parallel.reading(sorted(two_images.iterdir()), repeats=2)
    assert read["state"].tolist() == ["cold", "warm"] * 2
    assert (read["seconds"] > 0).all()


def test_dispatch_overhead_is_measured_without_hashing():
    found = parallel.overheads([("threads", 2)], tasks=5).iloc[0]
    assert found["share"] == pytest.approx(found["microseconds"] / 1e6 * 2 / parallel.TASK_SECONDS)


@pytest.mark.slow  # starts an interpreter
def test_memory_of_a_job_includes_the_interpreter(two_images):
    found = parallel.job_memory(two_images, 5, "serial", 1)
    assert found["files"] == 5
    assert found["bytes"] > 30e6


@pytest.mark.slow  # starts an interpreter
def test_a_job_may_have_unreadable_images(odd_images):
    assert parallel.job_memory(odd_images, 9, "serial", 1)["files"] == 9


@pytest.mark.slow  # starts an interpreter
def test_a_failed_job_is_reported(two_images):
    with pytest.raises(RuntimeError, match="exit code 1"):
        parallel.job_memory(two_images, 5, "no such executor", 1)


def test_waiting_ends_with_an_error():
    with pytest.raises(TimeoutError, match="0 seconds"):
        parallel._wait_for(lambda: False, seconds=0)
