"""Joins of a hash table with itself, for tables too large for one call or one machine.

The rows are divided into blocks. A task joins two blocks and writes their pairs as one Parquet
file, a pair file, which appears complete or not at all, so an interrupted join can resume. Workers
read the hashes from the output folder, so all machines of a cluster must see this folder.
"""

import json
import os
from collections.abc import Iterator
from concurrent.futures import Future
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from finhash import hamming
from finhash.files import whole_file
from finhash.hamming.words import check_radius
from finhash.jobs.executors import Executor, Workers, open_workers, wait_for
from finhash.methods import MethodName
from finhash.tables.hash_table import HashTable

BLOCK = 2**17
"""Rows per block. Joining two such blocks takes one core a few seconds."""

HASHES, RECIPE = "hashes.npy", "recipe.json"
"""Files of the output folder: the hashes, and the arguments that determine the pairs."""


def join_table(
    table: HashTable,
    out: str | os.PathLike[str],
    *,
    radius: int,
    method: MethodName | str = "find",
    workers: int = 1,
    executor: Executor = "processes",
    scheduler: str | None = None,
    block: int = BLOCK,
    progress: bool = True,
) -> None:
    """Write all pairs of rows within a radius into a folder, from which ``read_pairs`` reads them.

    The pairs are those of ``finhash.hamming.join``. Another call with the same arguments resumes:
    it joins only the blocks whose pair file is missing. If a worker dies, Dask gives its blocks to
    another one; with processes the call fails and can be repeated.

    Parameters
    ----------
    table : HashTable
        Table in which every row has a hash (see ``HashTable.without_errors``).
    out : str or path-like
        Output folder; created if missing.
    radius : int
        Largest Hamming distance of a pair, in bits.
    method : str, default "find"
        Column of hashes to join.
    workers : int, default 1
        Number of threads or processes. Without effect on ``"serial"`` and with ``scheduler``.
    executor : {"processes", "serial", "threads", "dask"}, default "processes"
        Workers to use, as in ``hash_files``. ``"processes"``, and ``"dask"`` without
        ``scheduler``, start new Python processes, so a script needs the guard
        ``if __name__ == "__main__":``.
    scheduler : str, optional
        Address of a running Dask scheduler, whose workers must all see ``out``.
    block : int
        Rows per block. Memory per worker grows with it; the number of tasks falls with its square.
    progress : bool, default True
        Whether to show a progress bar on stderr.

    Raises
    ------
    ValueError
        If a row has no hash, ``radius`` is not between 0 and the number of bits, ``block`` or
        ``workers`` is below 1, ``executor`` is unknown, a ``scheduler`` is given for another
        executor than ``"dask"``, or ``out`` holds pairs of other hashes, another radius or
        another block size.
    TypeError
        If ``table`` is not a ``HashTable``, or ``radius`` or ``workers`` is not a whole number.
    KeyError
        If the table has no column ``method``.
    ImportError
        If Dask is asked for and not installed.
    RuntimeError
        If a cluster has no workers for 20 seconds, or the connection to its scheduler is lost.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> from finhash import hash_files
    >>> folder = tempfile.TemporaryDirectory()
    >>> paths = [f"{folder.name}/{name}.png" for name in ("round", "line", "copy")]
    >>> Image.radial_gradient("L").save(paths[0])
    >>> Image.linear_gradient("L").save(paths[1])
    >>> Image.linear_gradient("L").save(paths[2])
    >>> table = hash_files(paths, progress=False)
    >>> out = f"{folder.name}/pairs"
    >>> join_table(table, out, radius=20, executor="serial", progress=False)
    >>> for i, j, distance in read_pairs(out):
    ...     print(i, j, distance)
    [1] [2] [0]
    >>> folder.cleanup()
    """
    if not isinstance(table, HashTable):
        raise TypeError(
            f"table is of type {type(table).__name__}; pass a HashTable, such as "
            "HashTable.read(path)"
        )
    hashes = table.hashes(method)
    radius = check_radius(radius, 8 * hashes.shape[1])
    if block < 1:
        raise ValueError(f"block must be at least 1 row, not {block}")
    pool = open_workers(executor, workers, (), scheduler)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"method": method, "radius": radius, "block": block, "digest": table.digest(method)}
    _keep_recipe(folder / RECIPE, json.dumps(facts))
    if not (folder / HASHES).exists():
        with whole_file(folder / HASHES) as partial, partial.open("wb") as file:
            np.save(file, hashes)
    starts = range(0, len(table), block)
    tasks = list(combinations_with_replacement(starts, 2))
    todo = [task for task in tasks if not _pair_file(folder, *task).exists()]
    running: set[Future[None]] = set()
    with (
        tqdm(
            total=len(tasks),
            initial=len(tasks) - len(todo),
            disable=not progress,
            leave=False,
            desc="joining",
            unit="block",
        ) as bar,
        pool as started,
    ):
        for a, b in todo:
            while len(running) >= started.ahead():
                running -= _collect(running, started, bar)
            running.add(started.submit(_join_blocks, folder, a, b, block, radius))
        while running:
            running -= _collect(running, started, bar)


def read_pairs(out: str | os.PathLike[str]) -> Iterator[hamming.Pairs]:
    """Yield the pairs that ``join_table`` has written, one pair file at a time.

    Parameters
    ----------
    out : str or path-like
        Output folder of ``join_table``. If the join has not finished, some pairs are missing.

    Yields
    ------
    i, j : ndarray of int64, shape (n_pairs,)
        Rows of the table, ``i < j``.
    distance : ndarray of uint16, shape (n_pairs,)
        Hamming distance, in bits.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as empty:
    ...     list(read_pairs(empty))
    []
    """
    for file in sorted(Path(out).glob("pairs-*.parquet")):
        i, j, distance = (column.to_numpy() for column in pq.read_table(file).columns)
        yield i, j, distance


def _collect(running: "set[Future[None]]", workers: Workers, bar: tqdm) -> "set[Future[None]]":
    """Return the tasks that have ended, at least one; raise the first exception among them."""
    done = wait_for(running, workers, first=True)
    for future in done:
        future.result()
        bar.update()
    return done


def _join_blocks(folder: Path, a: int, b: int, block: int, radius: int) -> None:
    """Write the pairs between the blocks that begin at rows ``a`` and ``b``."""
    hashes = np.load(folder / HASHES, mmap_mode="r")
    left, right = hashes[a : a + block], hashes[b : b + block]
    i, j, distance = hamming.join(left, None if a == b else right, radius=radius)
    columns = {"i": i + np.int64(a), "j": j + np.int64(b), "distance": distance}
    with whole_file(_pair_file(folder, a, b)) as partial:
        pq.write_table(pa.table(columns), partial, compression="zstd")


def _pair_file(folder: Path, a: int, b: int) -> Path:
    """Return the path of the pair file of the blocks that begin at rows ``a`` and ``b``."""
    return folder / f"pairs-{a:010d}-{b:010d}.parquet"


def _keep_recipe(note: Path, recipe: str) -> None:
    """Write the recipe of a new folder; raise ``ValueError`` if the folder has another one."""
    if not note.exists():
        with whole_file(note) as partial:
            partial.write_text(recipe)
    elif note.read_text() != recipe:
        raise ValueError(
            f"{note.parent} holds pairs of another join ({note.read_text()}); "
            "pass the same arguments or use another folder"
        )
