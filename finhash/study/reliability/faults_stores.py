"""Faults of galleries in folders, and of moves of duplicates that can be undone."""

import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from finhash import Gallery, hash_files
from finhash.study.data import drawn
from finhash.study.reliability.disks import enlarge, small_disk
from finhash.study.reliability.disturbed import (
    COMMAND,
    POLL,
    MissedError,
    Outcome,
    await_that,
    end,
    message,
    start,
)

GALLERY_DISK, MOVED_DISK = (150, 600), (200, 1500)
"""Least and greatest sizes of disks that become full, in KiB: of a gallery, of moved files."""

FAMILIES, COPIES, PADDING = 20, 4, 50_000
"""Families of equal files, files of a family, and bytes that are appended to each file."""

ADDED = 3000
"""Hashes that a writer adds before it may be killed, at most."""

WRITE = """
import sys
from finhash import Gallery
gallery, told = Gallery.load(sys.argv[1], readonly=False, create=True), open(sys.argv[2], "a")
for k in range(10**6):
    gallery.add(f"{k:064x}", k)
    if k % 500 == 499:
        gallery.optimize()
    print(k, file=told, flush=True)
"""
"""Adds hashes to a gallery one by one, and writes down each that was added."""


def gallery_killed(home: Path, chance: random.Random) -> Outcome:
    """Kill a process that adds hashes to a gallery."""
    run, errors = _start_writer(home)
    wanted = chance.randrange(1, ADDED)
    await_that(lambda: _added(home) >= wanted or run.poll() is not None)
    time.sleep(chance.uniform(0, POLL))
    run.send_signal(signal.SIGKILL)
    return _judge_gallery(home, run, errors)


def gallery_disk_full(home: Path, chance: random.Random) -> Outcome:
    """Add hashes to a gallery on a small disk; afterwards the disk is large enough."""
    with small_disk(home / "gallery", round(chance.uniform(*GALLERY_DISK))):
        run, errors = _start_writer(home)
        run.wait()
        enlarge(home / "gallery", 2**16)
        return _judge_gallery(home, run, errors)


def move_killed(home: Path, chance: random.Random) -> Outcome:
    """Kill a process that moves duplicates; then put all files back."""

    def disturb(run: "subprocess.Popen[bytes]") -> None:
        wanted = chance.randrange(FAMILIES * (COPIES - 1))
        await_that(lambda: _steps(home) >= wanted or run.poll() is not None)
        time.sleep(chance.uniform(0, 0.005))
        run.send_signal(signal.SIGKILL)
        if run.wait() == 0:
            raise MissedError

    return _move_and_undo(home, disturb)


def move_disk_full(home: Path, chance: random.Random) -> Outcome:
    """Move duplicates to a small disk; then put all files back."""
    with small_disk(home / "moved", round(chance.uniform(*MOVED_DISK))):
        return _move_and_undo(home, lambda run: None)


def _start_writer(home: Path) -> "tuple[subprocess.Popen[bytes], Path]":
    """Start a process that adds hashes to a gallery."""
    errors = home / "errors.txt"
    return start(WRITE, [home / "gallery", home / "told.txt"], errors), errors


def _added(home: Path) -> int:
    """Return how many additions a writer has written down."""
    told = home / "told.txt"
    return told.read_bytes().count(b"\n") if told.exists() else 0


def _judge_gallery(home: Path, run: "subprocess.Popen[bytes]", errors: Path) -> Outcome:
    """Look at a gallery whose writer has ended, and change it again."""
    left = end(run)
    known = _added(home)
    held, unreadable = _held(home / "gallery")
    expected = {k: f"{k:064x}" for k in range(known)}
    writer = Gallery.load(home / "gallery", readonly=False)
    writer.add("0f" * 32, -1)
    writer.optimize()
    last, again = _held(home / "gallery")
    segments = list((home / "gallery" / "segments").iterdir())
    return Outcome(
        rows_before=known,
        rows_lost=sum(held.get(k) != digits for k, digits in expected.items()),
        unreadable=unreadable + again,
        stray=len(segments) - len(writer.snapshot().segments),
        processes_left=left,
        # The hash whose addition was interrupted is there, or is not.
        completed=last.items() - {(known, f"{known:064x}")} == {*expected.items(), (-1, "0f" * 32)},
        tracebacks=errors.read_text().count("Traceback (most recent"),
        message=message(run, errors).replace(f"{home}/", ""),
    )


def _held(folder: Path) -> tuple[dict[object, str], int]:
    """Return the hashes of a gallery by identifier, and whether it could not be read."""
    try:
        gallery = Gallery.load(folder)
    except (OSError, ValueError):
        return {}, 1
    pairs = zip(gallery.ids, np.asarray(gallery), strict=True)
    return {one: packed.tobytes().hex() for one, packed in pairs}, 0


def _steps(home: Path) -> int:
    """Return how many steps the log of a move holds."""
    return sum(log.read_bytes().count(b"\n") for log in (home / "moved").glob("*.jsonl"))


def _move_and_undo(home: Path, disturb: Callable[["subprocess.Popen[bytes]"], None]) -> Outcome:
    """Move duplicates while they are disturbed, look at all files, and put them back."""
    photos, moved, errors = home / "photos", home / "moved", home / "errors.txt"
    _draw_families(photos)
    hash_files(photos, progress=False).write(home / "hashes.parquet")
    before = _contents(photos)
    words = ["duplicates", home / "hashes.parquet", "--move-to", moved, "--yes"]
    run = start(COMMAND, words, errors)
    disturb(run)
    left = end(run)
    now, there = _contents(photos), _contents(moved)
    undone = [_undo(home, log) for log in moved.glob("*.jsonl")]
    return Outcome(
        rows_before=len(before),
        rows_lost=sum(
            now.get(name) != data and there.get(name) != data for name, data in before.items()
        ),
        unreadable=sum(data not in set(before.values()) for data in (now | there).values()),
        stray=len(_contents(moved)),
        processes_left=left,
        completed=all(undone) and _contents(photos) == before,
        tracebacks=errors.read_text().count("Traceback (most recent"),
        message=message(run, errors).replace(f"{home}/", ""),
    )


def _draw_families(folder: Path) -> None:
    """Draw families of equal files, large enough for a process to be killed while it copies one."""
    chance = random.Random(0)
    for family in range(FAMILIES):
        first = folder / f"{family}" / "0.jpg"
        first.parent.mkdir(parents=True)
        drawn.draw_template(1, family).save(first)
        with first.open("ab") as file:
            file.write(chance.randbytes(PADDING))
        for k in range(1, COPIES):
            shutil.copyfile(first, first.with_name(f"{k}.jpg"))


def _contents(folder: Path) -> dict[str, bytes]:
    """Return the contents of the images in a folder, also of temporary files, by relative path."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".jsonl")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def _undo(home: Path, log: Path) -> bool:
    """Put all files of a log back; return whether the command succeeded."""
    run = start(COMMAND, ["undo", log], home / "undo.txt")
    end(run)
    return run.returncode == 0
