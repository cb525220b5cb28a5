"""Cost of batch jobs: throughput, start, memory and dispatch overhead, and a scaling model.

Functions that other processes call are defined here, because a process cannot import functions from
a notebook.
"""

import gc
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from threading import Thread, get_ident

import pandas as pd
import psutil
import pyarrow as pa
import simplejpeg
from PIL import Image
from tqdm import tqdm

from finhash.find import loading
from finhash.images import ImageError, open_image
from finhash.jobs.batch import RowsInMemory, hash_files
from finhash.jobs.dispatch import TASK_SECONDS, Dispatcher, Tasks
from finhash.jobs.executors import Workers, open_workers, wait_for
from finhash.study import timing
from finhash.study.data import memes
from finhash.tables.folder import part_files

DECODE = "decode only"
"""Label, in the column ``executor``, of a job that only reads and decodes, in threads.

Its throughput is an upper bound for hashing with as many workers.
"""

Setting = tuple[str, int]
"""Executor and number of workers."""


def job_size(seconds: float, per_image: float, most: int) -> int:
    """Return how many images make a serial job of about ``seconds``.

    Parameters
    ----------
    seconds : float
        Duration of the job, in seconds.
    per_image : float
        Time per image, in seconds.
    most : int
        Largest number of images.

    Examples
    --------
    >>> job_size(10, 0.1, most=5000), job_size(10, 0.0003, most=5000)
    (100, 5000)
    """
    return max(1, min(most, round(seconds / per_image)))


def repeated(paths: Sequence[Path], number: int) -> list[Path]:
    """Return ``number`` paths: the first ones, in turn again if there are fewer.

    >>> repeated(["a", "b"], 5)
    ['a', 'b', 'a', 'b', 'a']
    """
    return list(islice(cycle(paths), number))


def resized(paths: Sequence[Path], folder: Path, side: int) -> list[Path]:
    """Write images as square JPEGs of ``side`` pixels to ``folder``, and return their paths.

    The images must be readable.
    """
    written = []
    for path in tqdm(paths, f"{side} pixels", unit="image", leave=False):
        image = open_image(path).convert("RGB")
        larger = image.resize((side, side), Image.Resampling.BICUBIC)
        written.append(folder / path.name)
        written[-1].write_bytes(memes.jpeg(larger, quality=85))
    return written


def whole_jobs(paths: Sequence[Path], settings: Sequence[Setting], repeats: int) -> pd.DataFrame:
    """Time whole jobs of ``hash_files``, including the start of the workers.

    Before the first job, all files are read and one is hashed, so that every job finds the files in
    the page cache and, if it starts no workers, the compiled code loaded.

    Parameters
    ----------
    paths : sequence of Path
        Images to hash. Unreadable ones take part in the job, as rows with an error.
    settings : sequence of (str, int)
        Executors, or ``DECODE``, and numbers of workers.
    repeats : int
        Number of jobs per setting; settings alternate.

    Returns
    -------
    DataFrame
        One row per job:

        executor : str
            Executor of ``hash_files``, or ``DECODE``.
        workers : int
            Number of workers.
        repeat : int
            Number of the job, from 0.
        images : int
            Number of images.
        seconds : float
            Wall time of the job, in seconds.
        driver : float
            CPU time of the calling process per job, in seconds.
    """
    timing.read_files(paths)
    loading.load()
    rows = []
    for repeat in tqdm(range(repeats), "whole jobs", unit="round", leave=False):
        for executor, workers in settings:
            gc.collect()
            wall, cpu = time.perf_counter(), time.process_time()
            if executor == DECODE:
                _decode_only(paths, workers)
            else:
                hash_files(paths, workers=workers, executor=executor, progress=False)
            spent = time.perf_counter() - wall, time.process_time() - cpu
            rows.append((executor, workers, repeat, len(paths), *spent))
    columns = ["executor", "workers", "repeat", "images", "seconds", "driver"]
    return pd.DataFrame(rows, columns=columns)


def jobs_on_open_workers(
    paths: Sequence[Path], settings: Sequence[Setting], repeats: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Time jobs on workers that have been started, and the start of these workers.

    Workers are started once and stay idle between their jobs. Dask's are started after the jobs of
    all other settings, because an idle scheduler takes time from them. Before the first job, all
    files are read, so that every job finds them in the page cache.

    Parameters
    ----------
    paths : sequence of Path
        Images to hash, as in ``whole_jobs``.
    settings : sequence of (str, int)
        Executors, or ``DECODE``, and numbers of workers.
    repeats : int
        Number of jobs per setting; settings other than Dask alternate.

    Returns
    -------
    jobs : DataFrame
        One row per job, with the columns of ``whole_jobs``. The times leave the start out.
    starts : DataFrame
        One row per setting:

        executor : str
            Executor of ``hash_files``, or ``DECODE``.
        workers : int
            Number of workers.
        seconds : float
            Wall time until all workers can hash, in seconds.
    """
    timing.read_files(paths)
    rows, starts = [], []
    dask = [setting for setting in settings if setting[0] == "dask"]
    for together in ([setting for setting in settings if setting not in dask], dask):
        with ExitStack() as stack:
            jobs = {}
            for executor, workers in together:
                start = time.perf_counter()
                if executor == DECODE:
                    jobs[executor, workers] = partial(_decode_only, paths, workers)
                else:
                    pool = stack.enter_context(open_workers(executor, workers, ["find"]))
                    _wait_for_workers(pool, workers)
                    jobs[executor, workers] = partial(_hash_on, pool, paths)
                starts.append((executor, workers, time.perf_counter() - start))
            rows += _time_jobs(jobs, repeats, len(paths))
    columns = ["executor", "workers", "repeat", "images", "seconds", "driver"]
    return (
        pd.DataFrame(rows, columns=columns),
        pd.DataFrame(starts, columns=["executor", "workers", "seconds"]),
    )


def _time_jobs(
    jobs: Mapping[Setting, Callable[[], object]], repeats: int, images: int
) -> list[tuple]:
    """Return a row of ``jobs_on_open_workers`` for each of ``repeats`` runs of each job."""
    rows = []
    for repeat in tqdm(range(repeats), "jobs", unit="round", leave=False):
        for setting, job in jobs.items():
            gc.collect()
            wall, cpu = time.perf_counter(), time.process_time()
            job()
            spent = time.perf_counter() - wall, time.process_time() - cpu
            rows.append((*setting, repeat, images, *spent))
    return rows


def throughput(jobs: pd.DataFrame, starts: pd.DataFrame) -> pd.DataFrame:
    """Summarise jobs by throughput, with and without the start of the workers.

    Parameters
    ----------
    jobs, starts : DataFrame
        Results of ``jobs_on_open_workers``.

    Returns
    -------
    DataFrame
        One row per executor and number of workers; values are medians:

        executor : str
            Executor of ``hash_files``, or ``DECODE``.
        workers : int
            Number of workers.
        images : float
            Number of images per job.
        seconds, low, high : float
            Median and quartiles of the wall time per job without the start, in seconds.
        driver : float
            CPU time of the calling process per image, in seconds.
        start : float
            Wall time until all workers can hash, in seconds.
        with_start : float
            Throughput in images per second, start included.
        throughput : float
            Throughput in images per second, without the start.
        gain : float
            ``throughput`` divided by that of the serial job.
        efficiency : float
            ``gain`` divided by ``workers``.
    """
    keys = ["executor", "workers"]
    groups = jobs.groupby(keys, sort=False)
    table = groups[["images", "seconds"]].median()
    table["low"] = groups["seconds"].quantile(0.25)
    table["high"] = groups["seconds"].quantile(0.75)
    table["driver"] = groups["driver"].median() / table["images"]
    table["start"] = starts.set_index(keys)["seconds"]
    table["with_start"] = table["images"] / (table["seconds"] + table["start"])
    table["throughput"] = table["images"] / table["seconds"]
    table["gain"] = table["throughput"] / table["throughput"]["serial", 1]
    table["efficiency"] = table["gain"] / table.index.get_level_values("workers")
    return table.reset_index()


def break_even(table: pd.DataFrame, setting: Setting) -> float:
    """Return the number of images from which a setting is faster than the serial job.

    Parameters
    ----------
    table : DataFrame
        Result of ``throughput``.
    setting : (str, int)
        Executor and number of workers.

    Returns
    -------
    float
        Number of images; infinity if the setting is never faster.

    Examples
    --------
    Two processes save 5 ms per image, so a start of 1 s pays off from 200 images.

    >>> table = pd.DataFrame(
    ...     {
    ...         "executor": ["serial", "processes"],
    ...         "workers": [1, 2],
    ...         "start": [0.0, 1.0],
    ...         "throughput": [100.0, 200.0],
    ...     }
    ... )
    >>> round(float(break_even(table, ("processes", 2))))
    200
    """
    row = table.set_index(["executor", "workers"]).loc
    saved = 1 / row["serial", 1]["throughput"] - 1 / row[setting]["throughput"]
    return row[setting]["start"] / saved if saved > 0 else float("inf")


def model(table: pd.DataFrame, dispatch: pd.DataFrame, cores: Sequence[int]) -> pd.DataFrame:
    """Bound the throughput on many cores by the cost of dispatching, which is all that is modelled.

    An image costs ``t`` seconds of a worker, as in the serial job, and ``d`` seconds of the calling
    process: the CPU time of dispatching a task, which is the column ``driver`` of ``overheads`` in
    microseconds, divided by the images per task. Workers share the first cost but not the second,
    so the throughput is ``1 / (d + t / cores)``, at most ``1 / d``.

    Parameters
    ----------
    table : DataFrame
        Result of ``throughput``.
    dispatch : DataFrame
        Result of ``overheads``.
    cores : sequence of int
        Numbers of cores.

    Returns
    -------
    DataFrame
        One row per executor and number of cores:

        executor : str
            Executor of ``dispatch``, but not ``"threads"``: threads work in the calling process.
        cores : int
            Number of cores.
        throughput : float
            Throughput in images per second.
        efficiency : float
            Throughput per core divided by the throughput of the serial job.
        ceiling : float
            Limit of the throughput for many cores, ``1 / d``, in images per second.
    """
    serial = table.set_index("executor").loc["serial", "throughput"]
    rows = []
    for executor, each in (
        dispatch.set_index("executor")["driver"].drop("threads", errors="ignore").items()
    ):
        driver = each / (TASK_SECONDS * serial)
        for count in cores:
            speed = 1 / (driver / 1e6 + 1 / serial / count)
            rows.append((executor, count, speed, speed / serial / count, 1e6 / driver))
    columns = ["executor", "cores", "throughput", "efficiency", "ceiling"]
    return pd.DataFrame(rows, columns=columns)


def serial_share(table: pd.DataFrame) -> pd.DataFrame:
    """Return the serial fraction that explains the throughput of two workers by Amdahl's law.

    The fraction ``s`` solves ``gain = 1 / (s + (1 - s) / 2)``, where ``gain`` compares two workers
    with the serial job. It also holds everything else that slows two workers, such as dispatching
    and a shared memory bus.

    Parameters
    ----------
    table : DataFrame
        Result of ``throughput``.

    Returns
    -------
    DataFrame
        One row per executor that was measured with two workers:

        executor : str
            Executor of ``hash_files``.
        share : float
            Serial fraction; negative if the gain exceeds 2.

    Examples
    --------
    >>> rows = [("serial", 1, 1.0), ("threads", 2, 1.6)]
    >>> table = pd.DataFrame(rows, columns=["executor", "workers", "gain"])
    >>> serial_share(table)["share"].item()
    0.25
    """
    gain = table[table["workers"] == 2].set_index("executor")["gain"]
    return (2 / gain - 1).rename("share").reset_index()


def overheads(settings: Sequence[Setting], tasks: int) -> pd.DataFrame:
    """Measure the dispatch overhead of tasks that carry 1,000 paths and do nothing.

    Parameters
    ----------
    settings : sequence of (str, int)
        Executors and numbers of workers.
    tasks : int
        Number of tasks per setting.

    Returns
    -------
    DataFrame
        One row per setting:

        executor : str
            Executor of ``hash_files``.
        workers : int
            Number of workers.
        microseconds : float
            Wall time per task, in microseconds.
        driver : float
            CPU time of the calling process per task, in microseconds.
        share : float
            Wall time per task divided by the target duration of a task, times ``workers``: the
            fraction of the workers' time that dispatching costs.
    """
    paths = [f"folder/{k:09d}.jpg" for k in range(1000)]
    rows = []
    for executor, workers in settings:
        with open_workers(executor, workers, ["find"]) as pool:
            wait([pool.submit(_nothing, paths) for _ in range(workers)])
            wall, cpu = time.perf_counter(), time.process_time()
            wait([pool.submit(_nothing, paths) for _ in range(tasks)])
            seconds = (time.perf_counter() - wall) / tasks
            driver = (time.process_time() - cpu) / tasks
        share = seconds * workers / TASK_SECONDS
        rows.append((executor, workers, seconds * 1e6, driver * 1e6, share))
    return pd.DataFrame(rows, columns=["executor", "workers", "microseconds", "driver", "share"])


JOB = """
import sys, tempfile, finhash
from pathlib import Path

folder, number = Path(sys.argv[1]), int(sys.argv[2])
executor, workers = sys.argv[3], int(sys.argv[4])
suffixes = (".jpg", ".jpeg")
files = sorted(file.name for file in folder.iterdir() if file.suffix.lower() in suffixes)
with tempfile.TemporaryDirectory() as home:
    links = [Path(home, str(k)) for k in range(-(-number // len(files)))]
    for link in links:
        link.symlink_to(folder.resolve(), target_is_directory=True)
    names = (f"{link}/{file}" for link in links for file in files)
    todo = (name for name, _ in zip(names, range(number)))
    out = Path(home, "out")
    finhash.hash_files(todo, executor=executor, workers=workers, out=out, progress=False)
"""
"""Program of a job that hashes ``number`` paths and writes the table to a folder.

The images of one folder repeat. The paths come from an iterator, through symbolic links, so that
the job never holds them all.
"""


def job_memory(folder: Path, number: int, executor: str, workers: int) -> dict[str, object]:
    """Measure the peak memory of a job with all its processes, sampled every 50 ms.

    Pages shared by several processes are counted once (PSS) if the system reports that.

    Parameters
    ----------
    folder : Path
        Folder of images named ``.jpg`` or ``.jpeg``, which need not be readable.
    number : int
        Number of paths to hash; images repeat.
    executor : str
        Executor of ``hash_files``.
    workers : int
        Number of workers.

    Returns
    -------
    dict
        executor : str
            Executor of ``hash_files``.
        workers : int
            Number of workers.
        files : int
            Number of paths hashed.
        bytes : int
            Peak memory, in bytes.
        seconds : float
            Wall time of the job, in seconds.

    Raises
    ------
    RuntimeError
        If the job fails.
    """
    arguments = [str(folder), str(number), executor, str(workers)]
    start, peak = time.perf_counter(), 0
    with subprocess.Popen([sys.executable, "-c", JOB, *arguments]) as process:
        root = psutil.Process(process.pid)
        while process.poll() is None:
            peak = max(peak, _tree_bytes(root))
            time.sleep(0.05)
    if process.returncode:
        raise RuntimeError(f"the measured job failed with exit code {process.returncode}")
    seconds = time.perf_counter() - start
    facts = {"executor": executor, "workers": workers, "files": number}
    return {**facts, "bytes": peak, "seconds": seconds}


def reading(paths: Sequence[Path], repeats: int) -> pd.DataFrame:
    """Time reading files without decoding, from disk and from the page cache.

    Parameters
    ----------
    paths : sequence of Path
        Files to read.
    repeats : int
        Number of samples per state.

    Returns
    -------
    DataFrame
        One row per sample:

        state : str
            ``"cold"`` after the system was asked to drop the files from its page cache, else
            ``"warm"``. A cache of the disk or of the hypervisor may still hold the files.
        repeat : int
            Number of the sample, from 0.
        images : int
            Number of files.
        seconds : float
            Wall time of reading all files, in seconds.
    """
    rows = []
    for repeat in range(repeats):
        for state in ("cold", "warm"):
            if state == "cold":
                forget(paths)
            start = time.perf_counter()
            timing.read_files(paths)
            rows.append((state, repeat, len(paths), time.perf_counter() - start))
    return pd.DataFrame(rows, columns=["state", "repeat", "images", "seconds"])


def forget(paths: Sequence[Path]) -> None:
    """Ask the system, if it supports that, to drop files from its page cache."""
    os.sync()  # pages that are not yet written would be kept
    for path in paths:
        with suppress(OSError), path.open("rb") as file:
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@dataclass(frozen=True)
class Cluster:
    """Address of a Dask scheduler, and the processes of its workers."""

    address: str
    workers: list[subprocess.Popen]


@contextmanager
def loopback_cluster(workers: int) -> Iterator[Cluster]:
    """Start a Dask scheduler and ``workers`` workers on this machine, each in its own process.

    The processes are started by Dask's command line, as on a real cluster, and killed at the end.
    """
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
        # The client warns of results that it computes again because their worker was killed.
        logging.getLogger("distributed.client").setLevel(logging.ERROR)
        try:
            _wait_for(lambda: file.exists() and file.read_text().endswith("}"))
            yield Cluster(json.loads(file.read_text())["address"], started[1:])
        finally:
            for process in started:
                process.kill()
                process.wait()


def kill_when_under_way(process: subprocess.Popen, out: Path) -> Thread:
    """Start a thread that kills a process as soon as the job has written a part to ``out``."""

    def kill() -> None:
        _wait_for(lambda: part_files(out))
        process.kill()

    thread = Thread(target=kill)
    thread.start()
    return thread


def _wait_for(condition: Callable[[], object], seconds: float = 300) -> None:
    """Wait until a condition holds; raise ``TimeoutError`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"a condition did not hold after {seconds} seconds; check the cluster's processes"
            )
        time.sleep(0.01)


def _decode_only(paths: Sequence[Path], workers: int) -> None:
    """Read and decode images in threads and discard the pixels; pass over unreadable ones."""
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(_decode_files, (paths[k::workers] for k in range(workers))):
            pass


def _decode_files(paths: Sequence[Path]) -> None:
    """Read and decode images one after another."""
    for path in paths:
        with suppress(OSError, ImageError):
            _decode(path.read_bytes())


def _decode(data: bytes) -> None:
    """Decode an image of any format; JPEGs by simplejpeg, the rest by Pillow."""
    try:
        simplejpeg.decode_jpeg(data, "RGB", fastdct=False, fastupsample=False)
    except ValueError:
        open_image(data)


def _hash_on(pool: Workers, paths: Sequence[Path]) -> None:
    """Hash files with workers that have been started; the rows are collected and discarded."""
    items = ((name, name, None) for name in map(os.fsdecode, paths))
    tasks = Tasks(items, len(paths))
    Dispatcher(pool, ["find"], RowsInMemory(), int).run(tasks)


def _wait_for_workers(pool: Workers, workers: int) -> None:
    """Return as soon as every worker has run a task; raise ``RuntimeError`` if all are lost."""
    seen: set[tuple[int, int]] = set()
    while len(seen) < workers:
        tasks = wait_for([pool.submit(_identity) for _ in range(workers)], pool)
        seen |= {task.result() for task in tasks}


def _identity() -> tuple[int, int]:
    """Return the process and thread of a worker, after a moment in which others can take tasks."""
    time.sleep(0.01)
    return os.getpid(), get_ident()


def _nothing(paths: list[str]) -> tuple[pa.RecordBatch, float]:
    """Take and return the same kinds of objects as a task of ``hash_files``, without hashing."""
    return pa.record_batch({"path": paths}), 0.0


def _tree_bytes(root: psutil.Process) -> int:
    """Return the memory of a process and its descendants, in bytes."""
    total = 0
    for process in (root, *_children(root)):
        try:
            memory = process.memory_full_info()
            total += getattr(memory, "pss", 0) or memory.rss
        except psutil.Error:  # the process has ended
            continue
    return total


def _children(root: psutil.Process) -> list[psutil.Process]:
    """Return the descendants of a process; none if it has ended."""
    try:
        return root.children(recursive=True)
    except psutil.Error:
        return []
