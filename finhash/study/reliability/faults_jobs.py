"""Faults of jobs: each function here disturbs one job that hashes many files."""

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import psutil

from finhash.study.cost.parallel import loopback_cluster
from finhash.study.reliability.disks import NotPossibleError, enlarge, small_disk
from finhash.study.reliability.disturbed import (
    COMMAND,
    POLL,
    PYTHON,
    TASK,
    Found,
    MissedError,
    Outcome,
    Rows,
    end,
    kill,
    look,
    lost,
    message,
    session,
    start,
    stray,
    undisturbed,
    workers,
)

FULL = (0.2, 1.0)
"""Least and greatest size of a disk that becomes full, in KiB per image of the job."""

SOME = 0.1
"""Share of the images that are deleted or changed, or of attempts to read one that fail."""

CLOCK = """
import time
real, began = time.time, time.monotonic()
time.time = lambda: real() - (86_400 if time.monotonic() > began + 1.5 else 0)
time.time_ns = lambda: int(1e9 * time.time())
"""
"""Sets a process's clock back by a day, 1.5 s after its start."""

KILLED = """
import os, signal, sys
from finhash.jobs import compaction, parts
steps, left, compact = int(sys.argv.pop()), float("inf"), parts.compact
def begin(*arguments, **options):
    global left
    left = steps
    compact(*arguments, **options)
def counted(function):
    def call(*arguments, **options):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return call
parts.compact = begin
compaction.write_table = counted(compaction.write_table)
compaction.Path.unlink = counted(compaction.Path.unlink)
"""
"""Kills a process before a step of its compaction: a part is written, or a file removed."""

UNREADABLE = f"""
import errno, random, sys
def fail(event, arguments):
    if event == "open" and str(arguments[0]).endswith(".jpg") and random.random() < {SOME}:
        raise OSError(errno.EIO, "Input/output error", arguments[0])
sys.addaudithook(fail)
"""
"""Lets reading images fail now and then in all new processes."""

AS_OTHERS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"]
"""Runs a command of root, whom permissions then bind as they do other users."""

OTHER_NAME = ["unshare", "--uts", "sh", "-c", 'hostname other-machine; exec "$@"', "sh"]
"""Runs a command of root on a machine of another name."""

UNREAD = ["bash", "-c", 'set -o pipefail; "$@" 2>&1 | head -c 100', "bash"]
"""Runs a command whose messages are read for 100 bytes only."""

CLOSED = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh"]
"""Runs a command with stdout and stderr closed."""


class Trial:
    """A job that is disturbed once, in a folder of its own.

    Parameters
    ----------
    home : Path
        Empty folder.
    images : Path
        Folder of images; the trial's own folder gets hard links to them.
    chance : random.Random
        Decides at which moment the job is disturbed.
    """

    def __init__(self, home: Path, images: Path, chance: random.Random) -> None:
        self.images, self.out, self.chance = home / "images", home / "hashes", chance
        shutil.copytree(images, self.images, copy_function=os.link)
        self.names = sorted(self.images.iterdir())
        self.cleanup = ExitStack()
        """Closed at the end of the trial; kills the processes that are left."""
        self.changed = False
        """Whether the images are no longer those of other trials."""
        self.written = False
        """Whether all rows were on the disk before the fault."""
        self.away = home / "away"
        """Empty folder for images that are missing for a while."""
        self.away.mkdir()
        self._home = home
        self._before: Rows = {}
        self._unreadable = self._left = self._tracebacks = 0
        self._told: list[str] = []
        self._errors: dict[int, Path] = {}

    def start(
        self,
        executor: str,
        first: str = "",
        words: Sequence[str] = (),
        prefix: Sequence[str] = (),
    ) -> "subprocess.Popen[bytes]":
        """Start ``finhash hash`` on the images; the code ``first`` runs before it."""
        command = ["hash", self.images, "-o", self.out, "--executor", executor, "--workers", "2"]
        return self._start(first + COMMAND, [*command, *words], prefix)

    def start_python(
        self, executor: str, scheduler: str = "", prefix: Sequence[str] = ()
    ) -> "subprocess.Popen[bytes]":
        """Start ``hash_files`` on the images, with a progress bar."""
        return self._start(PYTHON, [self.images, self.out, executor, scheduler], prefix)

    def under_way(self, run: "subprocess.Popen[bytes]", most: float = 0.8) -> None:
        """Wait until a random number of rows is on the disk, and for some milliseconds more.

        Raises
        ------
        MissedError
            If the job succeeded before.
        """
        wanted = self.chance.uniform(0.02, most) * len(self.names)
        while len(self._before) < wanted and run.poll() is None:
            time.sleep(POLL)
            self._before = self._look().rows
        time.sleep(self.chance.uniform(0, 2 * POLL))
        if run.poll() == 0:
            raise MissedError
        self._before = self._look().rows

    def end(self, run: "subprocess.Popen[bytes]") -> bool:
        """Wait for the end of a job, keep its message, and return whether it succeeded."""
        errors = self._errors[run.pid]
        try:
            self._left += end(run)
            told = message(run, errors)
        except TimeoutError as error:
            told = str(error)
        self._told.append(told.replace(f"{self._home}/", ""))
        self._tracebacks += errors.read_text(errors="replace").count("Traceback (most recent")
        return run.returncode == 0

    def judge(self, expected: Rows) -> Outcome:
        """Look at the folder after the fault, run the job again, and compare the tables."""
        before, after = expected if self.written else self._before, self._look().rows
        told, left, tracebacks = self._told[:], self._left, self._tracebacks
        succeeded = self.end(self.start("threads"))
        last = self._look()
        if self.changed:
            expected = undisturbed(self.images)
        return Outcome(
            rows_before=len(before),
            rows_lost=lost(before, after),
            unreadable=self._unreadable,
            stray=len(stray(self.out)),
            processes_left=left,
            completed=succeeded and not last.doubled and last.rows == expected,
            tracebacks=tracebacks,
            message=next(filter(None, told), ""),
        )

    def some_images(self) -> list[Path]:
        """Return a random share of the images."""
        return self.chance.sample(self.names, max(1, round(SOME * len(self.names))))

    def _start(
        self, code: str, words: Sequence[str | os.PathLike[str]], prefix: Sequence[str] = ()
    ) -> "subprocess.Popen[bytes]":
        """Start a process whose messages are kept."""
        errors = self._home / f"{len(self._errors)}.txt"
        run = start(code, words, errors, prefix)
        self._errors[run.pid] = errors
        self.cleanup.callback(lambda: kill(session(run.pid)))
        return run

    def _look(self) -> Found:
        """Return what the folder holds, and count the parts that cannot be read."""
        found = look(self.out)
        self._unreadable += found.unreadable
        return found


def disk_full(trial: Trial) -> None:
    """Hash into a small disk; afterwards the disk is large enough."""
    size = round(trial.chance.uniform(*FULL) * len(trial.names))
    trial.cleanup.enter_context(small_disk(trial.out, size))
    run = trial.start("processes")
    trial.under_way(run, most=0.2)
    if trial.end(run):
        raise MissedError
    enlarge(trial.out, 2**16)


def folder_made_read_only(trial: Trial) -> None:
    """Withdraw the permission to write to the folder."""
    run = trial.start("processes", prefix=AS_OTHERS if os.getuid() == 0 else ())
    trial.under_way(run)
    trial.out.chmod(0o555)
    trial.end(run)
    trial.out.chmod(0o755)


def folder_removed(trial: Trial) -> None:
    """Remove the folder with all rows."""
    run = trial.start("processes")
    trial.under_way(run)
    while trial.out.exists():
        shutil.rmtree(trial.out, ignore_errors=True)
    trial.end(run)


def second_run(trial: Trial, prefix: Sequence[str]) -> None:
    """Start the same job while it runs; the second one waits."""
    if prefix and os.getuid() != 0:
        raise NotPossibleError("needs root to change the name of the machine")
    first = trial.start("processes")
    trial.under_way(first)
    second = trial.start("threads", prefix=prefix)
    trial.end(second)
    trial.end(first)


def second_run_refused(trial: Trial) -> None:
    """Stop a job, start it again, which must be refused, and continue the first one."""
    first = trial.start("threads")
    trial.under_way(first)
    first.send_signal(signal.SIGSTOP)
    trial.end(trial.start("threads"))
    first.send_signal(signal.SIGCONT)
    trial.end(first)


def clock_set_back(trial: Trial) -> None:
    """Set the clock back by a day; files written before are then from the future."""
    run = trial.start("processes", first=CLOCK)
    trial.under_way(run)
    tomorrow = time.time() + 86_400
    for part in trial.out.glob("part-*"):
        os.utime(part, (tomorrow, tomorrow))
    trial.end(run)


def signalled(
    trial: Trial, executor: str, sent: signal.Signals, *, all_of: bool = False, times: int = 1
) -> None:
    """Send a signal once or several times to a job's program, or to all of its processes."""
    run = trial.start(executor)
    trial.under_way(run)
    for _ in range(times):
        if run.poll() is None:
            (os.killpg if all_of else os.kill)(run.pid, sent)
        time.sleep(trial.chance.uniform(0, 0.2))
    trial.end(run)


def workers_killed(trial: Trial, executor: str, *, all_of: bool) -> None:
    """Kill one worker process, or all of them at once."""
    run = trial.start(executor)
    trial.under_way(run)
    found = workers(run.pid)
    if not kill(found if all_of else found[:1]):
        raise MissedError
    trial.end(run)


def cluster_killed(trial: Trial, module: str) -> None:
    """Kill a process of a running Dask cluster: its scheduler, or one of its workers."""
    with loopback_cluster(2) as cluster:
        run = trial.start_python("dask", cluster.address)
        trial.under_way(run)
        own = psutil.Process().children()
        found = [process for process in own if module in " ".join(process.cmdline())]
        kill(found[:1])
        trial.end(run)


def messages_unread(trial: Trial) -> None:
    """Close the pipe to which a job writes its progress."""
    run = trial.start_python("processes", prefix=UNREAD)
    trial.under_way(run)
    trial.end(run)


def messages_closed(trial: Trial) -> None:
    """Run a job whose stdout and stderr are closed."""
    run = trial.start("processes", prefix=CLOSED)
    trial.under_way(run)
    trial.end(run)


def compaction_killed(trial: Trial) -> None:
    """Kill a job before a random step of its compaction."""
    trial.written = True
    steps = trial.chance.randrange(len(trial.names) // TASK)
    if trial.end(trial.start("processes", first=KILLED, words=[str(steps)])):
        raise MissedError


def images_deleted(trial: Trial) -> None:
    """Delete images during the job, and put them back after it."""
    run, chosen = trial.start("processes"), trial.some_images()
    trial.under_way(run)
    for path in chosen:
        path.rename(trial.away / path.name)
    trial.end(run)
    for path in chosen:
        (trial.away / path.name).rename(path)


def images_changed(trial: Trial) -> None:
    """Replace images by others during the job."""
    run = trial.start("processes")
    trial.under_way(run)
    trial.changed = True
    for path in trial.some_images():
        fresh = trial.away / path.name
        shutil.copyfile(trial.chance.choice(trial.names), fresh)
        fresh.replace(path)
    trial.end(run)


def images_unreadable(trial: Trial) -> None:
    """Let some attempts to open an image fail with the error EIO, as on a bad disk."""
    code = trial.away / "sitecustomize.py"
    code.write_text(UNREADABLE)
    run = trial.start("processes", prefix=["env", f"PYTHONPATH={code.parent}"])
    trial.under_way(run)
    trial.end(run)
