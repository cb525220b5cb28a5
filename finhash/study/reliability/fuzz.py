"""What damaged image files give, in every way in which files can be hashed.

``FINHASH_OUT=. python -m finhash.study.reliability.fuzz`` hashes 500,000 files of
``finhash.study.reliability.mutated`` and replaces the results tables ``fuzz`` and ``fuzz_memory``.
"""

import builtins
import faulthandler
import io
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from pathlib import Path
from typing import NamedTuple, TextIO

import click
import numpy as np
import pandas as pd
import psutil
from PIL import Image, ImageOps
from scipy.stats import theilslopes
from tqdm import tqdm

from finhash import HashTable, find_hash, hash_files, hash_images
from finhash.find import compiled, reference
from finhash.images import ImageError
from finhash.jobs.executors import Executor
from finhash.study import project, results
from finhash.study.reliability import mutated

BY = "finhash.study.reliability.fuzz"

FILES = 500_000
"""Number of different damaged files."""

SHARED = 2_000
"""Files that are hashed in every way, but at most a tenth of all."""

EVERY = 53
"""Every 53rd file is compared with Pillow's decoding. The number is prime, so that files of all
kinds, which take turns, are compared.
"""

SAMPLES = 40
"""Samples of memory per run, at equal numbers of files."""

WARM = 0.25
"""Share of the samples that come first and do not count in the slope: buffers still grow."""

LIMIT = 900
"""Seconds without progress after which the command shows what all threads do, and ends."""

KEPT = 100
"""Failing files that are kept at most."""


BACKGROUND = "white"
"""Background of transparent images in runs that prepare images."""


class Way(NamedTuple):
    """A way to hash files."""

    executor: Executor | None
    """Executor, or None for the command ``finhash hash``."""

    source: str
    """``"bytes"`` for contents in memory, ``"paths"`` for files on disk."""

    out: bool
    """Whether rows are written to a folder."""

    share: int
    """Its files, as a share of the sum of all shares."""

    prepared: bool = False
    """Whether transparent images are composed on ``BACKGROUND``, images are turned as their EXIF
    orientation says, and the quality is computed.
    """

    def label(self) -> dict[str, object]:
        """Return the values of the columns that name the way."""
        return {
            "executor": self.executor or "command",
            "source": self.source,
            "out": self.out,
            "prepared": self.prepared,
        }


WAYS = (
    Way("serial", "bytes", False, 2),
    Way("serial", "paths", True, 1),
    Way("threads", "bytes", True, 3),
    Way("threads", "paths", False, 1),
    Way("threads", "bytes", False, 2, prepared=True),
    Way("processes", "bytes", True, 6),
    Way("processes", "paths", False, 2),
    Way("dask", "bytes", True, 2),
    Way("dask", "paths", False, 1),
    Way(None, "paths", True, 2),
)
"""All ways. Each executor gets bytes and paths, and writes rows or holds them in memory."""

REASONS = [*(error.__name__ for error in ImageError.__subclasses__()), "OSError", "MemoryError"]
"""Types of reasons that a row may hold; ``OSError`` stands for all built-in types derived from it.
"""

OUTCOMES = ["hashed", *REASONS, "died", "untyped"]
"""Values of ``outcome``."""

FAULTS = ["wrong_rows", "died", "untyped", "bits", "disputed", "disagreeing"]
"""Columns of ``check`` that should be 0."""

Row = tuple[bytes | None, str]
"""Hash by FINd, and error."""

Rows = dict[int, list[Row]]
"""Rows by the number of the file."""


@dataclass
class Watch:
    """Memory during a run, and its longest wait for a task."""

    interval: int
    """Files between two samples."""

    bar: tqdm
    """Progress bar over the files of all runs."""

    stream: TextIO
    """Receiver of the stacks of all threads if there is no progress for ``LIMIT`` seconds."""

    samples: list[tuple[int, float, float]] = field(default_factory=list)
    """Files taken so far, then memory of this process and of the largest worker, in MB."""

    longest: float = 0.0
    """Longest time between two files taken after the first ``interval`` files, or between the last
    one and ``stop``, in seconds.
    """

    _last: float = float("inf")

    def over(self, numbers: Sequence[int]) -> Iterator[int]:
        """Yield the numbers of the files; take samples and times meanwhile."""
        for taken, number in enumerate(numbers):
            if taken % self.interval == 0:
                faulthandler.dump_traceback_later(LIMIT, exit=True, file=self.stream)
                self.samples.append((taken, *_memory()))
            start = time.perf_counter()
            yield number
            self._last = time.perf_counter()
            if taken > self.interval:  # the first files wait until the workers have started
                self.longest = max(self.longest, self._last - start)
            self.bar.update()

    def stop(self) -> None:
        """Note the end of the run."""
        self.longest = max(self.longest, time.perf_counter() - self._last)
        faulthandler.cancel_dump_traceback_later()


class Run(NamedTuple):
    """What a run gave."""

    way: Way
    numbers: list[int]
    """Numbers of the files."""

    rows: Rows
    seconds: float
    """Wall time, with the start and the end of the workers."""

    watch: Watch


class Result(NamedTuple):
    """What all runs gave."""

    table: pd.DataFrame
    """Table ``fuzz``, with the columns of ``check`` after those of ``Way.label``."""

    memory: pd.DataFrame
    """Table ``fuzz_memory``, with the columns of ``memory``."""

    failing: dict[int, str]
    """What is wrong, by the number of the file."""


def outcome(error: str) -> str:
    """Return which of ``OUTCOMES`` the error of a row stands for.

    Examples
    --------
    >>> outcome(""), outcome("DamagedImageError: cannot be decoded"), outcome("KeyError: 7")
    ('hashed', 'DamagedImageError', 'untyped')
    """
    name = error.split(":")[0]
    kind = getattr(builtins, name, None)
    if not error:
        return "hashed"
    if name == "WorkerDiedError":
        return "died"
    if isinstance(kind, type) and issubclass(kind, OSError):
        return "OSError"
    return name if name in REASONS else "untyped"


def published(content: bytes, *, prepared: bool = False) -> bytes | None:
    """Return the published hash of an image as Pillow decodes it, or None if Pillow cannot.

    Parameters
    ----------
    content : bytes
        Content of the file.
    prepared : bool, default False
        Whether Pillow prepares the image as a ``Way`` says.

    Returns
    -------
    bytes or None
        32 bytes.

    Examples
    --------
    >>> from finhash.study.reliability import mutated
    >>> whole = mutated.originals("GIF", seed=0)[0]
    >>> len(published(whole)), published(whole[:40])
    (32, None)
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            shown = _prepared(image) if prepared else image
            pixels = np.asarray(reference.shrink(shown).convert("RGB"))
    except Exception:  # Pillow raises errors of many types
        return None
    return compiled.published_hash(pixels).tobytes()


def measure(files: int, seed: int, workers: int, ways: Sequence[Way] = WAYS) -> Result:
    """Hash damaged files in several ways, and check what they give.

    Parameters
    ----------
    files : int
        Number of different files. The first ones are hashed in every way, the others in one.
    seed : int
        Seed of the files.
    workers : int
        Number of threads or processes.
    ways : sequence of Way
        Ways to hash files.

    Returns
    -------
    Result
        Tables, and failing files.
    """
    shared = min(SHARED, files // 10)
    ends = np.array([0, *accumulate(way.share for way in ways)])
    bounds = shared + (files - shared) * ends // ends[-1]
    runs = []
    with (
        _quiet() as stream,
        tqdm(total=files + shared * (len(ways) - 1), unit="file", file=stream) as bar,
    ):
        for way, (start, stop) in zip(ways, pairwise(bounds.tolist()), strict=True):
            bar.set_description(" ".join(map(str, way.label().values())))
            numbers = [*range(shared), *range(start, stop)]
            watch = Watch(max(1, len(numbers) // SAMPLES), bar, stream)
            runs.append(_run(way, numbers, seed, workers, watch))
        tables: list[pd.DataFrame] = []
        failing: dict[int, str] = {}
        for run in tqdm(runs, "check", unit="run", file=stream):
            comparable = run is not runs[0] and not run.way.prepared
            table, wrong = check(run, runs[0].rows if comparable else {}, seed)
            tables.append(_labelled(table, run.way))
            failing |= wrong
    return Result(pd.concat(tables, ignore_index=True), memory(runs), failing)


def check(run: Run, others: Rows, seed: int) -> tuple[pd.DataFrame, dict[int, str]]:
    """Check the rows of a run.

    Parameters
    ----------
    run : Run
        Run.
    others : dict of int to list
        Rows of another run, which has some of the files.
    seed : int
        Seed of the files.

    Returns
    -------
    table : DataFrame
        One row per kind:

        kind : str
            Kind of the files.
        files : int
            Number of files.
        wrong_rows : int
            Files that do not have exactly one row.
        hashed : int
            Files with a hash.
        one column per type of reason : int
            Files with this reason.
        died : int
            Files whose workers died.
        untyped : int
            Files with a reason of another type.
        compared : int
            Files that were compared with the published hash of the image as Pillow decodes it.
        bits : int
            Bits of these hashes that differ.
        disputed : int
            Files of these that either Pillow or ``finhash`` can hash alone.
        shared : int
            Files that the other run has too.
        disagreeing : int
            Files of these with another hash in the other run, or with a hash in one run alone.
        other_reason : int
            Files of these with another type of reason in the other run.
    failing : dict of int to str
        Columns of ``FAULTS`` to which a file adds, by the file's number.
    """
    counts: dict[str, Counter[str]] = {}
    failing = {}
    for number in run.numbers:
        found = _check_file(number, run, others.get(number, []), seed)
        counts.setdefault(mutated.kind(number), Counter()).update(found)
        if wrong := [fault for fault in FAULTS if found[fault]]:
            failing[number] = ", ".join(wrong)
    columns = ["kind", "files", "wrong_rows", *OUTCOMES]
    columns += ["compared", "bits", "disputed", "shared", "disagreeing", "other_reason"]
    records = [{"kind": kind, **found} for kind, found in counts.items()]
    return pd.DataFrame(records).reindex(columns=columns).fillna(0).astype(
        dict.fromkeys(columns[1:], int)
    ), failing


def memory(runs: Sequence[Run]) -> pd.DataFrame:
    """Return how much memory runs took, and whether it grew.

    Parameters
    ----------
    runs : sequence of Run
        Runs.

    Returns
    -------
    DataFrame
        One row per run but that of the command:

        executor, source, out, prepared
            Labels of the way.
        files : int
            Number of files.
        seconds : float
            Wall time in seconds, with the start and the end of the workers.
        longest_s : float
            Longest time in seconds between two files taken, or between the last one and the end of
            the run, after the first fortieth of the files. Files are taken whenever a task ends.
        samples : int
            Number of samples.
        driver_mb, workers_mb : float
            Median memory (resident set) of the process, and of its largest worker, in MB.
        driver_most_mb, workers_most_mb : float
            Largest memory in MB.
        driver_slope_mb, workers_slope_mb : float
            Median slope of all pairs of samples after the first quarter (Theil and Sen), in MB per
            100,000 files. Runs without output hold their rows in memory.
    """
    tables = []
    for run in runs:
        if run.way.executor is None:
            continue
        samples = np.array(run.watch.samples)
        warm = samples[int(WARM * len(samples)) :]
        row: dict[str, object] = {
            "files": len(run.numbers),
            "seconds": run.seconds,
            "longest_s": run.watch.longest,
            "samples": len(samples),
        }
        for column, who in enumerate(("driver", "workers"), 1):
            row[f"{who}_mb"] = np.median(samples[:, column])
            row[f"{who}_most_mb"] = samples[:, column].max()
            row[f"{who}_slope_mb"] = 1e5 * theilslopes(warm[:, column], warm[:, 0]).slope
        tables.append(_labelled(pd.DataFrame([row]), run.way))
    return pd.concat(tables, ignore_index=True)


def replay(number: int, seed: int, folder: Path) -> str:
    """Write a file to a folder, hash it again, and return what happens.

    Parameters
    ----------
    number : int
        Number of the file.
    seed : int
        Seed of the files.
    folder : Path
        Folder; created if missing.

    Returns
    -------
    str
        Path, kind, mutations, and the hash or error of ``finhash`` and of Pillow's decoding.
    """
    file = mutated.file(number, seed)
    path = _write(number, seed, folder)
    try:
        found = str(find_hash(path))
    except Exception as error:  # the error is what the user wants to see
        found = f"{type(error).__name__}: {error}"
    other = published(file.content)
    lines = [f"{path}: {file.kind}; {', '.join(file.mutations)}", f"finhash: {found}"]
    return "\n".join([*lines, f"Pillow:  {other.hex() if other else 'cannot decode it'}"])


EXAMPLE = "Example: FINHASH_OUT=. python -m finhash.study.reliability.fuzz"


@click.command(epilog=EXAMPLE, context_settings={"show_default": True})
@click.option("--files", type=click.IntRange(10), default=FILES, help="Number of damaged files.")
@click.option("--seed", type=int, default=project.SEED, help="Seed of the files.")
@click.option("--workers", type=click.IntRange(1), default=os.cpu_count() or 1)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    default=project.root() / "build" / "fuzz",
    show_default="build/fuzz",
    help="Folder for failing files.",
)
@click.option(
    "--replay", "number", type=click.IntRange(0), help="Hash only the file of this number."
)
def main(files: int, seed: int, workers: int, keep: Path, number: int | None) -> None:
    """Hash damaged image files in every way, and save what happens.

    The tables are written to data/results in the folder FINHASH_OUT, by default build.
    """
    if number is not None:
        click.echo(replay(number, seed, keep))
        return
    table, used, failing = measure(files, seed, workers)
    about = f"{files:,} damaged image files of {table['kind'].nunique()} kinds"
    machine = {"run": results.GENERATED}
    results.save(table, "fuzz", by=BY, data=about, machine=machine)
    results.save(used, "fuzz_memory", by=BY, data=about, machine=machine)
    labels = list(WAYS[0].label())
    by_way = table.drop(columns="kind").groupby(labels, sort=False).sum()
    click.echo(by_way.T.to_string())
    click.echo(used.to_string(index=False))
    for failed in list(failing)[:KEPT]:
        click.echo(f"{_write(failed, seed, keep)}: {failing[failed]}")
    if failing:
        raise click.ClickException(
            f"{len(failing):,} files failed; look at one with --replay NUMBER"
        )


def _labelled(table: pd.DataFrame, way: Way) -> pd.DataFrame:
    """Return a table with the columns that name a way before the others."""
    return table.assign(**way.label())[[*way.label(), *table.columns]]


def _run(way: Way, numbers: list[int], seed: int, workers: int, watch: Watch) -> Run:
    """Hash the files of some numbers in one way."""
    with tempfile.TemporaryDirectory() as name:
        folder, out = Path(name, "files"), Path(name, "hashes") if way.out else None
        start = time.perf_counter()
        if way.executor is None:
            for number in watch.over(numbers):
                _write(number, seed, folder)
            table = _by_command(folder, Path(name, "hashes"), workers)
        elif way.source == "bytes":
            items = ((str(n), mutated.file(n, seed).content) for n in watch.over(numbers))
            table = hash_images(
                items,
                executor=way.executor,
                workers=workers,
                out=out,
                quality=way.prepared,
                background=BACKGROUND if way.prepared else None,
                exif=way.prepared,
                progress=False,
            )
        else:
            paths = (_write(number, seed, folder) for number in watch.over(numbers))
            table = hash_files(
                paths, executor=way.executor, workers=workers, out=out, progress=False
            )
        watch.stop()
        return Run(way, numbers, _rows(table), time.perf_counter() - start, watch)


def _by_command(folder: Path, out: Path, workers: int) -> HashTable:
    """Hash a folder with ``finhash hash``; status 1 says that some files have no hash."""
    command = [sys.executable, "-m", "finhash", "hash", str(folder), "-o", str(out)]
    options = ["--quiet", "--workers", str(workers)]
    run = subprocess.run([*command, *options], check=False)
    if run.returncode not in (0, 1):
        raise RuntimeError(f"finhash hash ended with status {run.returncode}")
    return HashTable.read(out)


def _write(number: int, seed: int, folder: Path) -> Path:
    """Write a file to a folder, and return its path."""
    file = mutated.file(number, seed)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{number}.{file.extension}"
    path.write_bytes(file.content)
    return path


def _rows(table: HashTable) -> Rows:
    """Return the rows of a table."""
    rows: Rows = {}
    columns = (table.arrow[name].to_pylist() for name in ("path", "find", "error"))
    for name, packed, error in zip(*columns, strict=True):
        rows.setdefault(int(Path(name).stem), []).append((packed, error))
    return rows


def _check_file(number: int, run: Run, others: list[Row], seed: int) -> Counter[str]:
    """Return what a file adds to the columns of ``check``."""
    rows = run.rows.get(number, [])
    found = Counter(files=1, wrong_rows=int(len(rows) != 1))
    if not rows:
        return found
    packed, error = rows[0]
    found[outcome(error)] += 1
    if others:
        found["shared"] = 1
        found["disagreeing"] = int(packed != others[0][0])
        found["other_reason"] = int(outcome(error) != outcome(others[0][1]))
    if number % EVERY == 0:
        content = mutated.file(number, seed).content
        expected = published(content, prepared=run.way.prepared)
        found["disputed"] = int((packed is None) != (expected is None))
        if packed and expected:
            found["compared"] = 1
            found["bits"] = (int.from_bytes(packed) ^ int.from_bytes(expected)).bit_count()
    return found


def _prepared(image: Image.Image) -> Image.Image:
    """Return an image as viewers show it, on ``BACKGROUND``, by Pillow's own operations."""
    image.load()
    with suppress(Exception):  # Pillow raises errors of many types for damaged EXIF data
        image = ImageOps.exif_transpose(image)
    if not image.has_transparency_data or image.mode.startswith(("I", "F")):
        return image
    ground = Image.new("RGBA", image.size, BACKGROUND)
    ground.alpha_composite(image.convert("RGBA"))
    return ground.convert("RGB")


def _memory() -> tuple[float, float]:
    """Return the memory of this process and of its largest descendant, in MB; 0 if it has none."""
    own, largest = psutil.Process(), 0.0
    for child in own.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            largest = max(largest, child.memory_info().rss / 1e6)
    return own.memory_info().rss / 1e6, largest


@contextmanager
def _quiet() -> Iterator[TextIO]:
    """Yield a stream to stderr, and silence all other messages of this process and its workers.

    Libraries warn of damaged files, some of them in C.
    """
    before = os.environ.get("PYTHONWARNINGS")
    sys.stderr.flush()
    with (
        os.fdopen(os.dup(2), "w") as stream,
        Path(os.devnull).open("wb") as nowhere,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        os.environ["PYTHONWARNINGS"] = "ignore"
        os.dup2(nowhere.fileno(), 2)
        try:
            yield stream
        finally:
            os.dup2(stream.fileno(), 2)
            os.environ.pop("PYTHONWARNINGS")
            if before is not None:
                os.environ["PYTHONWARNINGS"] = before


if __name__ == "__main__":
    main()
