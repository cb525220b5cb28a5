"""Many pictures on many workers: whole jobs, their start, memory and overhead, a cluster, a model.

What a notebook measures in fresh processes must be importable there, so it stands here.
"""

import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import pandas as pd
import psutil
import pyarrow as pa
import simplejpeg
from PIL import Image
from tqdm import tqdm

from finhash.jobs.batch import TASK_SECONDS, hash_files
from finhash.jobs.executors import EXECUTORS
from finhash.jobs.table import part_files

DECODE = "decode only"
"""A job that reads and decodes, in one thread, and does nothing else: what hashing can not beat."""

Setting = tuple[str, int]


def resized(paths: Sequence[Path], folder: Path, side: int) -> list[Path]:
    """The pictures as square JPEGs of another size, in ``folder``."""
    written = []
    for path in tqdm(paths, f"{side} pixels", unit="image", leave=False):
        with Image.open(path) as image:
            larger = image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
        larger.save(folder / path.name, quality=85)
        written.append(folder / path.name)
    return written


def whole_jobs(paths: Sequence[Path], settings: Sequence[Setting], repeats: int) -> pd.DataFrame:
    """Jobs by executor and workers: ``executor, workers, repeat, pictures, seconds, driver``.

    A job is ``hash_files``: starting the workers, reading, decoding, hashing, making the table.
    ``driver`` is the processor time of the calling process, in seconds.
    """
    rows = []
    for repeat in tqdm(range(repeats), "whole jobs", unit="round", leave=False):
        for executor, workers in settings:
            gc.collect()
            wall, cpu = time.perf_counter(), time.process_time()
            if executor == DECODE:
                _decode_only(paths)
            else:
                hash_files(paths, workers=workers, executor=executor, progress=False)
            spent = time.perf_counter() - wall, time.process_time() - cpu
            rows.append((executor, workers, repeat, len(paths), *spent))
    columns = ["executor", "workers", "repeat", "images", "seconds", "driver"]
    return pd.DataFrame(rows, columns=columns)


def rates(jobs: pd.DataFrame, starts: pd.DataFrame) -> pd.DataFrame:
    """Medians by executor and workers: ``start`` seconds, pictures a second with and without it.

    ``starts`` are jobs of a few pictures, enough to start all workers. ``driver`` is in seconds a
    picture; it, ``gain`` and ``efficiency``, both against the serial job, leave the start out.
    """
    keys = ["executor", "workers"]
    table = jobs.groupby(keys, sort=False)[["images", "seconds", "driver"]].median()
    start = starts.groupby(keys)[["seconds", "driver"]].median().reindex(table.index).fillna(0.0)
    table["start"] = start["seconds"]
    table["driver"] = (table["driver"] - start["driver"]) / table["images"]
    table["with_start"] = table["images"] / table["seconds"]
    steady = table["seconds"] - table["start"]
    # In a tiny job the start may seem to take longer than the job: then it is not told apart.
    table["rate"] = table["images"] / steady.where(steady > 0, table["seconds"])
    table["gain"] = table["rate"] / table["rate"]["serial", 1]
    table["efficiency"] = table["gain"] / table.index.get_level_values("workers")
    return table.reset_index()


def break_even(table: pd.DataFrame, setting: Setting) -> float:
    """From how many pictures on a setting of ``rates`` is faster than the serial job; or inf."""
    row = table.set_index(["executor", "workers"]).loc
    saved = 1 / row["serial", 1]["rate"] - 1 / row[setting]["rate"]
    return row[setting]["start"] / saved if saved > 0 else float("inf")


def model(table: pd.DataFrame, handing: pd.DataFrame, cores: Sequence[int]) -> pd.DataFrame:
    """A model, not a measurement: ``executor, cores, rate, efficiency, ceiling``.

    A picture costs a worker ``t`` seconds, the serial job's, which more workers share, and the
    driver ``d`` seconds, which they do not: what handing over a task costs its processor, by
    ``overheads``, spread over the task. rate = 1 / (d + t / cores), below the ceiling 1 / d.
    """
    serial = table.set_index("executor").loc["serial", "rate"]
    rows = []
    for executor in ("processes", "dask"):
        driver = handing.set_index("executor").loc[executor, "driver"] / (TASK_SECONDS * serial)
        for count in cores:
            rate = 1 / (driver / 1e6 + 1 / serial / count)
            rows.append((executor, count, rate, rate / serial / count, 1e6 / driver))
    return pd.DataFrame(rows, columns=["executor", "cores", "rate", "efficiency", "ceiling"])


def serial_share(table: pd.DataFrame) -> pd.DataFrame:
    """Amdahl's serial fraction that explains two workers' rate: ``executor, share``.

    For ``gain = 1 / (share + (1 - share) / 2)`` against the same executor's single worker.
    """
    wide = table.pivot_table(index="executor", columns="workers", values="rate")
    gain = (wide[2] / wide[1]).dropna()
    return (2 / gain - 1).rename("share").reset_index()


def overheads(settings: Sequence[Setting], tasks: int) -> pd.DataFrame:
    """What handing over a task costs: ``executor, workers, microseconds, driver, share``.

    Tasks carry what tasks carry, and do nothing. ``driver`` is the calling process's processor
    time, also in microseconds; ``share`` is of the time that a task is meant to last, with all
    workers busy.
    """
    paths = [f"folder/{k:09d}.jpg" for k in range(1000)]
    rows = []
    for executor, workers in settings:
        with EXECUTORS[executor](workers, ["find"], None) as pool:
            wait([pool.submit(_nothing, paths) for _ in range(workers)])
            wall, cpu = time.perf_counter(), time.process_time()
            wait([pool.submit(_nothing, paths) for _ in range(tasks)])
            seconds = (time.perf_counter() - wall) / tasks
            driver = (time.process_time() - cpu) / tasks
        share = seconds * workers / TASK_SECONDS
        rows.append((executor, workers, seconds * 1e6, driver * 1e6, share))
    return pd.DataFrame(rows, columns=["executor", "workers", "microseconds", "driver", "share"])


def goals(
    small: pd.DataFrame, large: pd.DataFrame, whole: pd.DataFrame, memory: pd.DataFrame
) -> pd.DataFrame:
    """What the batch job should reach: ``quantity, goal, measured, met``; memory is a most."""
    small, large = (table.set_index(["executor", "workers"]) for table in (small, large))
    seconds = whole.set_index("executor")["seconds"]
    pair = seconds[DECODE] / 2
    rows = [
        ("processes, 2 / serial, small", 1.9, small["gain"]["processes", 2]),
        ("Dask, 2 / serial, small", 1.9, small["gain"]["dask", 2]),
        ("threads, 2 / serial, large", 1.7, large["gain"]["threads", 2]),
        ("processes, 2 / twice decoding", 0.85, small["gain"]["processes", 2] / _twice(small)),
        ("whole set: decoding by a core pair / job", 11 / 20, pair / seconds.drop(DECODE).min()),
        ("processes, 2: peak memory, MB", 400, memory["bytes"].max() / 1e6),
    ]
    table = pd.DataFrame(rows, columns=["quantity", "goal", "measured"])
    met = table["measured"] >= table["goal"]
    met.iloc[-1] = table["measured"].iloc[-1] <= table["goal"].iloc[-1]
    return table.assign(met=met)


JOB = """
import sys, tempfile, finhash
from pathlib import Path

folder, number, executor, workers = Path(sys.argv[1]), *map(int, sys.argv[2:3]), *sys.argv[3:]
files = sorted(folder.glob("*.jpg"))
with tempfile.TemporaryDirectory() as home:
    links = [Path(home, str(k)) for k in range(-(-number // len(files)))]
    for link in links:
        link.symlink_to(folder.resolve(), target_is_directory=True)
    names = (f"{link}/{file.name}" for link in links for file in files)
    todo = (name for name, _ in zip(names, range(number)))
    out = Path(home, "out")
    finhash.hash_files(todo, executor=executor, workers=int(workers), out=out, progress=False)
"""
"""A job of that many names for the pictures in a folder, never listed; its rows go to a folder."""


def job_memory(folder: Path, number: int, executor: str, workers: int) -> dict[str, object]:
    """Peak memory of ``JOB`` with all its processes: ``executor, workers, files, bytes, seconds``.

    Sampled; pages shared by several processes are counted once (PSS) where the system tells.
    """
    arguments = [str(folder), str(number), executor, str(workers)]
    start, peak = time.perf_counter(), 0
    with subprocess.Popen([sys.executable, "-c", JOB, *arguments]) as process:
        root = psutil.Process(process.pid)
        while process.poll() is None:
            peak = max(peak, _tree_bytes(root))
            time.sleep(0.05)
    if process.returncode:
        raise RuntimeError(f"the measured job ended with {process.returncode}")
    seconds = time.perf_counter() - start
    facts = {"executor": executor, "workers": workers, "files": number}
    return {**facts, "bytes": peak, "seconds": seconds}


def reading(paths: Sequence[Path], repeats: int) -> pd.DataFrame:
    """Reading alone, from the disk and from the page cache: ``state, repeat, pictures, seconds``.

    Cold means that the system was asked to forget these files' pages; a disk's or a hypervisor's
    own cache may still hold them.
    """
    rows = []
    for repeat in range(repeats):
        for state in ("cold", "warm"):
            if state == "cold":
                forget(paths)
            start = time.perf_counter()
            for path in paths:
                path.read_bytes()
            rows.append((state, repeat, len(paths), time.perf_counter() - start))
    return pd.DataFrame(rows, columns=["state", "repeat", "images", "seconds"])


def forget(paths: Sequence[Path]) -> None:
    """Ask the system to drop the files' pages from its cache, where it can be asked."""
    os.sync()  # only clean pages are dropped
    for path in paths:
        with path.open("rb") as file:
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@dataclass(frozen=True)
class Cluster:
    """A Dask scheduler's address, and the worker processes beside it."""

    address: str
    workers: list[subprocess.Popen]


@contextmanager
def loopback_cluster(workers: int) -> Iterator[Cluster]:
    """A scheduler and workers as an operator would start them, each a process, on this machine."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scheduler.json"
        common = ["--scheduler-file", str(file), "--no-dashboard"]
        commands = [["dask_scheduler", *common, "--host", "127.0.0.1", "--port", "0"]]
        commands += [["dask_worker", *common, "--nthreads", "1", "--no-nanny"]] * workers
        started = [
            subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{module}", *arguments],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=folder,
            )
            for module, *arguments in commands
        ]
        try:
            _wait_for(lambda: file.exists() and file.read_text().endswith("}"))
            yield Cluster(json.loads(file.read_text())["address"], started[1:])
        finally:
            for process in started:
                process.kill()
                process.wait()


def kill_when_under_way(process: subprocess.Popen, out: Path) -> Thread:
    """In the background: kill -9 the process as soon as the job has written a part to ``out``."""

    def kill() -> None:
        _wait_for(lambda: part_files(out))
        process.kill()

    thread = Thread(target=kill)
    thread.start()
    return thread


def _wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing happened for {seconds} seconds")
        time.sleep(0.01)


def _decode_only(paths: Sequence[Path]) -> None:
    for path in paths:
        simplejpeg.decode_jpeg(path.read_bytes(), "RGB", fastdct=False, fastupsample=False)


def _twice(table: pd.DataFrame) -> float:
    """Twice the rate of decoding alone, in serial jobs."""
    return 2 * table["gain"][DECODE, 1]


def _nothing(paths: list[str]) -> tuple[pa.RecordBatch, float]:
    """What ``hash_batch`` takes and gives, without its work."""
    return pa.record_batch({"path": paths}), 0.0


def _tree_bytes(root: psutil.Process) -> int:
    total = 0
    for process in (root, *_children(root)):
        try:
            memory = process.memory_full_info()
            total += getattr(memory, "pss", 0) or memory.rss
        except psutil.Error:  # it has ended
            continue
    return total


def _children(root: psutil.Process) -> list[psutil.Process]:
    try:
        return root.children(recursive=True)
    except psutil.Error:
        return []
