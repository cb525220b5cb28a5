"""All pairs within a radius on any number of machines: blocks of a table, joined two by two.

A task joins two blocks of rows and writes its pairs as one Parquet file, whole or not at all, so
a run that stops goes on where it was. Workers read the hashes from the folder that they write to:
on a cluster it must be one that all of them see.
"""

import json
import os
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from finhash import hamming
from finhash.jobs.executors import EXECUTORS
from finhash.jobs.files import whole_file
from finhash.jobs.table import HashTable

BLOCK = 2**17
"""Rows of a block: two of them take a core a few seconds."""

HASHES, RECIPE = "hashes.npy", "recipe.json"


def join_table(
    table: HashTable,
    out: str | os.PathLike,
    *,
    radius: int,
    method: str = "find",
    workers: int = 1,
    executor: str = "processes",
    scheduler: str | None = None,
    block: int = BLOCK,
    progress: bool = True,
) -> None:
    """Write the pairs of ``hamming.join`` into the folder ``out``; ``read_pairs`` reads them.

    ``executor`` and ``scheduler`` are those of ``hash_files``. What ``out`` has is not joined
    again. Raises ``ValueError`` if it holds pairs of other hashes, or of another radius or block.
    """
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"method": method, "radius": radius, "block": block, "digest": table.digest(method)}
    _keep_recipe(folder / RECIPE, json.dumps(facts))
    if not (folder / HASHES).exists():
        with whole_file(folder / HASHES) as partial, partial.open("wb") as file:
            np.save(file, table.hashes(method))
    starts = range(0, len(table), block)
    tasks = list(combinations_with_replacement(starts, 2))
    todo = [task for task in tasks if not _part(folder, *task).exists()]
    running: set[Future] = set()
    with (
        tqdm(
            total=len(tasks),
            initial=len(tasks) - len(todo),
            disable=not progress,
            leave=False,
            desc="joining",
            unit="block",
        ) as bar,
        EXECUTORS[executor](workers, (), scheduler) as pool,
    ):
        for a, b in todo:
            while len(running) >= pool.ahead():
                running -= _collect(running, bar)
            running.add(pool.submit(_join_blocks, folder, a, b, block, radius))
        while running:
            running -= _collect(running, bar)


def read_pairs(out: str | os.PathLike) -> Iterator[hamming.Pairs]:
    """The pairs that ``join_table`` wrote, file by file: rows ``int64``, distances ``uint16``."""
    for part in sorted(Path(out).glob("pairs-*.parquet")):
        yield tuple(column.to_numpy() for column in pq.read_table(part).columns)


def _collect(running: set[Future], bar: tqdm) -> set[Future]:
    done = wait(running, return_when=FIRST_COMPLETED).done
    for future in done:
        future.result()
        bar.update()
    return done


def _join_blocks(folder: Path, a: int, b: int, block: int, radius: int) -> None:
    hashes = np.load(folder / HASHES, mmap_mode="r")
    left, right = hashes[a : a + block], hashes[b : b + block]
    i, j, distance = hamming.join(left, None if a == b else right, radius=radius)
    columns = {"i": i + np.int64(a), "j": j + np.int64(b), "distance": distance}
    with whole_file(_part(folder, a, b)) as partial:
        pq.write_table(pa.table(columns), partial, compression="zstd")


def _part(folder: Path, a: int, b: int) -> Path:
    return folder / f"pairs-{a:010d}-{b:010d}.parquet"


def _keep_recipe(note: Path, recipe: str) -> None:
    if not note.exists():
        with whole_file(note) as partial:
            partial.write_text(recipe)
    elif note.read_text() != recipe:
        raise ValueError(f"{note.parent} holds pairs made otherwise: {note.read_text()}")
