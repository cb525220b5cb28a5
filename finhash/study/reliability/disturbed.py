"""Jobs in processes of their own, which ``faults`` and ``soak`` disturb and then check."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pyarrow as pa

from finhash import hash_files
from finhash.study.data import drawn
from finhash.tables.folder import part_files
from finhash.tables.parquet import read_columns
from finhash.tables.schema import keyed_schema

SIDE = 1500
"""Pixels per side of an image. Hashing one takes about 10 ms, so that jobs can be disturbed."""

DISTINCT = 12
"""Images that differ. The other files are hard links to them."""

TASK = 4
"""Images per task. A part is written after each task."""

LIMIT = 300.0
"""Seconds after which a process that does not end is killed."""

GRACE = 15.0
"""Seconds that processes have to end after the one that started them."""

POLL = 0.02
"""Seconds between two looks at a folder."""

COMMAND = f"""
import sys
from finhash.jobs import dispatch, parts
parts.SHORTEST, dispatch.LARGEST_TASK = 0, {TASK}
if __name__ == "__main__":
    from finhash.__main__ import main
    main(prog_name="finhash")
"""
"""The command line of ``finhash``, but with small tasks and a part after each of them."""

PYTHON = f"""
import sys, finhash
from finhash.jobs import dispatch, parts
parts.SHORTEST, dispatch.LARGEST_TASK = 0, {TASK}
if __name__ == "__main__":
    folder, out, executor, scheduler = sys.argv[1:]
    finhash.hash_files(
        folder, workers=2, executor=executor, out=out, scheduler=scheduler or None
    )
"""
"""A call of ``hash_files`` with a progress bar, likewise; it can use a running cluster."""

Rows = dict[str, tuple[bytes | None, str]]
"""Hash by FINd and error of each file, by its name."""


class MissedError(RuntimeError):
    """A job ended before it was disturbed."""


@dataclass
class Found:
    """What the parts of a folder hold."""

    rows: Rows = field(default_factory=dict)
    """The newest row of each file."""

    doubled: int = 0
    """Rows of files that have another, newer row."""

    unreadable: int = 0
    """Parts that cannot be read."""


@dataclass(frozen=True)
class Outcome:
    """What one fault did."""

    rows_before: int
    """Finished rows, or hashes or files, that were on the disk before the fault."""

    rows_lost: int
    """Those among them that the disk did not hold after the fault."""

    unreadable: int
    """Files of the table that could not be read, at any look."""

    stray: int
    """Other files that were left after the next run."""

    processes_left: int
    """Processes that had not ended ``GRACE`` seconds after the program that started them."""

    completed: bool
    """Whether the next run succeeded, with the table of an undisturbed run."""

    tracebacks: int
    """Tracebacks among the messages of the disturbed program."""

    message: str
    """Last line of the messages, if the program failed."""


def make_images(folder: Path, number: int, seed: int, side: int = SIDE) -> None:
    """Draw images of ``side`` x ``side`` pixels as JPEG files; ``DISTINCT`` of them differ."""
    folder.mkdir(parents=True)
    names = [folder / f"{k:05d}.jpg" for k in range(number)]
    for k, name in enumerate(names):
        if k < DISTINCT:
            drawn.draw_template(seed, k).resize((side, side)).save(name, quality=85)
        else:
            name.hardlink_to(names[k % DISTINCT])


def undisturbed(folder: Path) -> Rows:
    """Return the rows of all images in a folder, hashed in this process."""
    table = hash_files(folder, executor="threads", workers=os.cpu_count() or 1, progress=False)
    return _by_path(table.arrow)


def look(folder: Path) -> Found:
    """Return what the parts of a folder hold; a part that a run has just replaced is left out."""
    fields = pa.schema([keyed_schema(["find"]).field(name) for name in ("path", "find", "error")])
    found = Found()
    for file in part_files(folder):
        try:
            rows = _by_path(part := read_columns(file, fields))
        except FileNotFoundError:
            continue
        except (OSError, pa.ArrowException):
            found.unreadable += 1
            continue
        found.doubled += len(part) - len(rows.keys() - found.rows.keys())
        found.rows |= rows
    return found


def lost(before: Rows, after: Rows) -> int:
    """Return how many rows with a hash another table lacks, or has with another hash."""
    return sum(row[0] is not None and after.get(path) != row for path, row in before.items())


def start(
    code: str,
    words: Sequence[str | os.PathLike[str]],
    errors: Path,
    prefix: Sequence[str] = (),
    answers: Path | None = None,
) -> "subprocess.Popen[bytes]":
    """Start Python code in a session of its own.

    Parameters
    ----------
    code : str
        Program.
    words : sequence of str or path-like
        Arguments of the program.
    errors : Path
        File to which its messages on stderr go.
    prefix : sequence of str
        Command that runs the program.
    answers : Path, optional
        File to which its output goes; its input is then a pipe. By default it has neither.
    """
    with errors.open("wb") as messages, (answers or Path(os.devnull)).open("wb") as output:
        return subprocess.Popen(
            [*prefix, sys.executable, "-c", code, *map(os.fspath, words)],
            stdin=subprocess.PIPE if answers else subprocess.DEVNULL,
            stdout=output,
            stderr=messages,
            start_new_session=True,
        )


def end(run: "subprocess.Popen[bytes]", limit: float = LIMIT) -> int:
    """Wait for a process and those that it started; return how many of the latter were killed.

    They are killed ``GRACE`` seconds after the end of the process.

    Raises
    ------
    TimeoutError
        If the process itself did not end within ``limit`` seconds and was killed.
    """
    try:
        run.wait(limit)
        await_that(lambda: not session(run.pid), GRACE)
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"no end within {limit:g} s") from error
    finally:
        left = session(run.pid)
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        run.wait()
    return len(left)


def session(leader: int) -> list[psutil.Process]:
    """Return the processes of a session that have not ended."""
    found = []
    for number in psutil.pids():
        with suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getsid(number) == leader:
                process = psutil.Process(number)
                if process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
    return found


def workers(leader: int) -> list[psutil.Process]:
    """Return the worker processes of a job that runs in a session of its own."""
    found = []
    for process in session(leader):
        with suppress(psutil.NoSuchProcess):
            if "spawn_main" in " ".join(process.cmdline()):
                found.append(process)
    return found


def kill(processes: Sequence[psutil.Process]) -> int:
    """Kill processes at once; return how many of them were still running."""
    killed = 0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
            killed += 1
    return killed


def message(run: "subprocess.Popen[bytes]", errors: Path) -> str:
    """Return the last line that a process has written if it failed, or the signal that ended it."""
    if not run.returncode:
        return ""
    if run.returncode < 0:
        return f"ended by {signal.Signals(-run.returncode).name}"
    lines = [line for line in errors.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else f"ended with status {run.returncode}"


def stray(folder: Path) -> list[str]:
    """Return the names of files in an output folder that are neither parts nor the lock."""
    names = (path.name for path in folder.iterdir())
    return [name for name in names if name != ".lock" and not name.startswith("part-")]


def await_that(condition: Callable[[], object], seconds: float = LIMIT) -> bool:
    """Wait until a condition holds, for some seconds at most; return whether it does."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return True


def _by_path(table: pa.Table) -> Rows:
    """Return the rows of a table by the names of their files."""
    columns = (table[name].to_pylist() for name in ("path", "find", "error"))
    return {Path(path).name: (bits, error) for path, bits, error in zip(*columns, strict=True)}
