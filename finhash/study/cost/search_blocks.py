"""Cost of joining a table in blocks on a Dask cluster, also when a worker dies."""

import subprocess
import tempfile
import time
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pandas as pd
from distributed import KilledWorker

from finhash import hamming
from finhash.jobs import pairs
from finhash.study import timing
from finhash.study.cost import parallel
from finhash.tables.hash_table import HashTable

PAIR_FILES = "pairs-*.parquet"
"""Pattern of the names of pair files."""


def join_on_cluster(table: HashTable, radius: int, block: int, workers: int) -> pd.DataFrame:
    """Compare joins of a table on threads and on a Dask cluster on this machine.

    The second join on the cluster loses one of its workers half way.

    Parameters
    ----------
    table : HashTable
        FINd hashes.
    radius : int
        Threshold, in bits.
    block : int
        Rows per block of the distributed join.
    workers : int
        Number of threads, and of Dask workers, at least 2.

    Returns
    -------
    DataFrame
        One row per join:

        where : str
            ``"threads"``, ``"Dask, loopback"`` or ``"Dask, one worker killed"``.
        seconds : float
            Wall time, without the start of the cluster, in seconds.
        calls : int
            Number of calls of ``join_table``. A call that fails is repeated.
        kept : int
            Number of pair files that were complete when the worker was killed.
        files : int
            Number of pair files in the end.
        bytes : int
            Size of these files, in bytes.
        pairs : int
            Number of pairs found.
        same : bool
            Whether the pairs are those found on threads.
    """
    hashes = table.hashes("find")
    with timing.stopwatch() as seconds:
        i, j, _ = hamming.join(hashes, radius=radius, workers=workers)
    expected = np.sort(i.astype(np.int64) * len(hashes) + j)
    rows = [("threads", seconds(), 1, 0, 0, 0, len(i), True)]
    with tempfile.TemporaryDirectory() as folder, parallel.loopback_cluster(workers) as running:
        options = {"executor": "dask", "scheduler": running.address, "progress": False}
        few = HashTable(table.arrow.slice(0, 1000))
        pairs.join_table(few, Path(folder) / "warm", radius=radius, block=100, **options)
        for name, victim in (
            ("Dask, loopback", None),
            ("Dask, one worker killed", running.workers[-1]),
        ):
            out = Path(folder) / name
            kept: list[int] = []
            killer = Thread(target=_kill_half_way, args=(victim, out, _files(table, block), kept))
            with timing.stopwatch() as seconds:
                if victim:
                    killer.start()
                calls = _join_until_done(table, out, radius=radius, block=block, **options)
            if victim:
                killer.join()
            found = [a * len(hashes) + b for a, b, _ in pairs.read_pairs(out)]
            found = np.sort(np.concatenate([np.empty(0, np.int64), *found]))
            sizes = [file.stat().st_size for file in out.glob(PAIR_FILES)]
            same = np.array_equal(found, expected)
            totals = len(sizes), sum(sizes), len(found)
            rows.append((name, seconds(), calls, sum(kept), *totals, same))
    columns = ["where", "seconds", "calls", "kept", "files", "bytes", "pairs", "same"]
    return pd.DataFrame(rows, columns=columns)


def _files(table: HashTable, block: int) -> int:
    """Return the number of pair files of a join of a table."""
    blocks = -(-len(table) // block)
    return blocks * (blocks + 1) // 2


def _kill_half_way(victim: subprocess.Popen | None, out: Path, files: int, kept: list[int]) -> None:
    """Kill a worker once half of the pair files are complete, and note their number."""
    while (complete := len(list(out.glob(PAIR_FILES)))) < files / 2:
        time.sleep(0.005)
    if victim:
        victim.kill()
    kept.append(complete)


def _join_until_done(table: HashTable, out: Path, **options: Any) -> int:  # noqa: ANN401
    """Join a table, again whenever the call fails; return the number of calls."""
    for call in range(1, 4):
        try:
            pairs.join_table(table, out, **options)
        except (KilledWorker, OSError):
            continue
        return call
    raise RuntimeError(f"the join into {out} failed three times")
