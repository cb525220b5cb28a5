"""Latency of a gallery in a folder, and of the example service, asked by one client.

``FINHASH_OUT=. python -m finhash.study.cost.service`` measures galleries of 55,972 and of a million
hashes, and replaces the results table ``service``.
"""

import io
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
from tqdm import tqdm

from finhash import Gallery, thresholds
from finhash.study import project, results
from finhash.study.data import committed, drawn, simulated

BY = "finhash.study.cost.service"

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
"""Folder of the example service."""

WORKERS = 2
"""Processes that serve requests."""

LARGE = 10**6
"""Hashes of the largest gallery."""

REQUESTS, WARM = 500, 50
"""Images that are added, looked up and removed, and those among them that come first and do not
count. They let all workers load and compile their code."""

OPERATIONS = ["load", "add", "refresh", "look up", "remove"]
"""Operations in the order of the table."""

FIRST = 10**9
"""Identifier of the first image that is added. Those of the gallery are smaller."""


def images(number: int, seed: int) -> list[bytes]:
    """Return drawn images of 250 x 250 pixels as JPEG files."""
    files = []
    for family in range(number):
        file = io.BytesIO()
        drawn.draw_template(seed, family).save(file, "JPEG", quality=90)
        files.append(file.getvalue())
    return files


def in_process(folder: Path, files: Sequence[bytes], warm: int) -> pd.DataFrame:
    """Time a gallery in a folder, which one object changes and another one reads.

    Parameters
    ----------
    folder : Path
        Folder of the gallery. Afterwards it holds what it held before.
    files : sequence of bytes
        Images. Each is added, taken over by the reader, looked up and removed.
    warm : int
        Number of images that come first and are not counted.

    Returns
    -------
    DataFrame
        One row per call:

        operation : str
            One of ``OPERATIONS``. ``"add"`` and ``"look up"`` hash the image; ``"refresh"`` takes
            one addition over.
        ms : float
            Wall time in milliseconds.
    """
    radius = thresholds.threshold("match")
    writer, rows = Gallery.load(folder, readonly=False), []
    for k, file in enumerate(tqdm(files, "in process", unit="image", leave=False)):
        reader = Gallery.load(folder)
        calls = {
            "load": partial(Gallery.load, folder),
            "add": partial(writer.add, file, ids=k + FIRST),
            "refresh": reader.refresh,
            "look up": partial(reader.search, file, radius=radius, k=10),
            "remove": partial(writer.remove, k + FIRST),
        }
        rows += _timed(calls, counted=k >= warm)
    return pd.DataFrame(rows, columns=["operation", "ms"])


def over_http(folder: Path, files: Sequence[bytes], warm: int) -> pd.DataFrame:
    """Time requests to the example service on this machine, over one connection at a time.

    Parameters and columns are those of ``in_process``. Workers refresh within each look-up. A new
    connection for each image lets all workers answer.
    """
    radius, rows = thresholds.threshold("match"), []
    with serving(folder) as address:
        for k, file in enumerate(tqdm(files, "over HTTP", unit="image", leave=False)):
            with httpx.Client(base_url=address, verify=False, timeout=60) as client:
                client.get("/docs")  # connects
                look_up = f"/search?radius={radius}&k=10"
                calls = {
                    "add": partial(_succeed, client.post, f"/images/{k}", content=file),
                    "look up": partial(_succeed, client.post, look_up, content=file),
                    "remove": partial(_succeed, client.delete, f"/images/{k}"),
                }
                rows += _timed(calls, counted=k >= warm)
    return pd.DataFrame(rows, columns=["operation", "ms"])


@contextmanager
def serving(folder: Path, workers: int = WORKERS) -> Iterator[str]:
    """Run the example service on a gallery's folder, and yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--workers", str(workers), "--port", str(port), "--log-level", "warning"]
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "service:app", *options],
        cwd=EXAMPLES,
        env=os.environ | {"GALLERY": str(folder)},
    )
    try:
        address = f"http://127.0.0.1:{port}"
        _await(address, process)
        yield address
    finally:
        process.terminate()
        process.wait(60)


def measure(
    hashes: np.ndarray, sizes: Sequence[int], files: Sequence[bytes], warm: int = WARM
) -> pd.DataFrame:
    """Time galleries of several sizes, in this process and over HTTP.

    Parameters
    ----------
    hashes : ndarray of uint8, shape (n, 32)
        Measured hashes by FINd. Larger galleries are simulated from them.
    sizes : sequence of int
        Numbers of hashes.
    files, warm
        As for ``in_process``.

    Returns
    -------
    DataFrame
        One row per size, place and operation:

        hashes : int
            Hashes in the gallery.
        where : str
            ``"in process"`` or ``"over HTTP"``.
        operation : str
            One of ``OPERATIONS``.
        calls : int
            Number of calls.
        median_ms, p95_ms, p99_ms, most_ms : float
            Quantiles and maximum of the wall time, in milliseconds.
    """
    tables = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name, "gallery")
            several = simulated.hashes(hashes, size, project.SEED)
            Gallery(several, method="find", workers=os.cpu_count() or 1).save(folder)
            for where, call in (("in process", in_process), ("over HTTP", over_http)):
                table = summary(call(folder, files, warm))
                tables.append(table.assign(hashes=size, where=where))
    first = ["hashes", "where"]
    return pd.concat(tables, ignore_index=True)[[*first, *tables[0].columns.drop(first)]]


def summary(calls: pd.DataFrame) -> pd.DataFrame:
    """Summarise the calls of each operation; ``measure`` describes the columns."""
    table = calls.groupby("operation")["ms"].agg(
        calls="size",
        median_ms="median",
        p95_ms=lambda ms: ms.quantile(0.95),
        p99_ms=lambda ms: ms.quantile(0.99),
        most_ms="max",
    )
    return table.reindex([one for one in OPERATIONS if one in table.index]).reset_index()


def main() -> None:
    """Measure with the committed hashes and drawn images, and save the table."""
    hashes = committed.load(["find"]).without_errors().hashes("find")
    files = images(REQUESTS + WARM, project.SEED)
    table = measure(hashes, [len(hashes), LARGE], files)
    about = f"{len(hashes):,} committed hashes, simulated ones and {len(files):,} drawn images"
    results.save(table, "service", by=BY, data=about, machine={"run": results.GENERATED})
    print(table.to_string(index=False))


def _timed(calls: Mapping[str, Callable[[], object]], *, counted: bool) -> list[tuple[str, float]]:
    """Make each call once; return the milliseconds of each, or nothing if they do not count."""
    rows = []
    for name, call in calls.items():
        start = time.perf_counter()
        call()
        rows.append((name, 1000 * (time.perf_counter() - start)))
    return rows if counted else []


def _succeed(request: Callable[..., httpx.Response], path: str, **options: bytes) -> None:
    """Make a request; raise an error unless it succeeds."""
    request(path, **options).raise_for_status()


def _await(address: str, process: subprocess.Popen) -> None:
    """Wait until the service answers."""
    while True:
        try:
            httpx.get(f"{address}/docs")
            return
        except httpx.TransportError:
            if process.poll() is not None:
                raise RuntimeError("the service ended; see its messages above") from None
            time.sleep(0.1)


if __name__ == "__main__":
    main()
