"""Jobs one after another, whose workers and programs are killed at random moments.

``FINHASH_OUT=. python -m finhash.study.reliability.soak`` does this for ten minutes, and replaces
the results tables ``soak`` and ``soak_programs``.
"""

import json
import random
import shutil
import tempfile
import time
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import click
import pandas as pd
from tqdm import tqdm

from finhash.jobs.executors import Executor
from finhash.study import project, results
from finhash.study.reliability.disturbed import (
    LIMIT,
    await_that,
    end,
    kill,
    look,
    make_images,
    message,
    start,
    stray,
    undisturbed,
    workers,
)
from finhash.tables.folder import part_files

BY = "finhash.study.reliability.soak"

MINUTES, FILES, SIDE = 10.0, 2000, 1000
"""Duration, images of a job, and pixels per side of an image."""

PAUSES = (0.2, 5.0)
"""Least and greatest time between two kills, in seconds."""

PROGRAM = 0.03
"""Share of the kills that hit the program, not one of its workers."""

EARLY = 0.1
"""Share of the kills that do not wait until the job has written a part since the last kill."""

MOST = 12
"""Kills per job at most, so that each job ends on a busy machine too."""

LIFE = 6
"""Jobs of a program, unless it is killed."""

EXECUTORS: tuple[Executor, ...] = ("processes", "processes", "dask")
"""Executors of the programs, in turn."""

JOBS = """
import gc, json, sys
import finhash, psutil
if __name__ == "__main__":
    own = psutil.Process()
    for line in sys.stdin:
        images, out = json.loads(line)
        finhash.hash_files(images, workers=2, executor=sys.argv[1], out=out, progress=False)
        gc.collect()
        found = own.memory_info().rss, own.num_fds(), own.num_threads()
        print(json.dumps(found), flush=True)
"""
"""Runs the jobs that it reads, and prints its memory, open files and threads after each."""

COUNTS = [
    "jobs",
    "rows",
    "rows_lost",
    "rows_doubled",
    "rows_wrong",
    "worker_died",
    "not_mended",
    "unreadable",
    "stray",
    "workers_killed",
    "programs_killed",
    "runs_failed",
    "processes_left",
]
"""Columns of the table ``soak`` that are counts."""

USED = ["mb", "open_files", "threads"]
"""What a program uses."""


@dataclass
class Program:
    """A program that runs jobs one after another until it is killed."""

    executor: Executor
    home: Path
    used: list[tuple[float, int, int]] = field(default_factory=list)
    """Memory in MB, open files and threads after each job."""

    workers_killed: int = 0

    def __post_init__(self) -> None:
        """Start the program."""
        self.home.mkdir()
        self._answers, self._errors = self.home / "answers.txt", self.home / "errors.txt"
        self.run = start(JOBS, [self.executor], self._errors, answers=self._answers)

    def ask(self, images: Path, out: Path) -> None:
        """Tell the program to hash images, unless it has just ended."""
        with suppress(BrokenPipeError):
            self.run.stdin.write(json.dumps([str(images), str(out)]).encode() + b"\n")
            self.run.stdin.flush()

    def answered(self) -> bool:
        """Return whether the program has finished a further job; note what it uses."""
        lines = [line for line in self._answers.read_text().splitlines(True) if "\n" in line]
        is_new = len(lines) > len(self.used)
        self.used = [(m / 1e6, files, threads) for m, files, threads in map(json.loads, lines)]
        return is_new

    def close(self) -> tuple[int, str]:
        """Wait for the program's end; return how many processes it left, and its message."""
        with suppress(BrokenPipeError):
            self.run.stdin.close()
        left = end(self.run)
        return left, message(self.run, self._errors)


class Soak:
    """Jobs that are disturbed, and resumed until they are complete.

    Parameters
    ----------
    home : Path
        Empty folder.
    files, side : int
        Images of a job, and pixels per side of an image.
    seed : int
        Seed of the images, and of what is killed when.
    """

    def __init__(self, home: Path, files: int, side: int, seed: int) -> None:
        self.programs: list[Program] = []
        self.counts: dict[Executor, Counter[str]] = defaultdict(Counter)
        self.messages: dict[Executor, Counter[str]] = defaultdict(Counter)
        """Messages of runs that failed without being killed."""
        self._home, self._chance = home, random.Random(seed)
        self._images, self._out = home / "images", home / "hashes"
        self._is_open = False
        make_images(self._images, files, seed, side)
        self._expected = undisturbed(self._images)

    def __enter__(self) -> "Soak":
        return self

    def __exit__(self, *_: object) -> None:
        """End the last program."""
        if self._is_open:
            self.programs[-1].run.kill()
            self._close("interrupted")

    def job(self) -> None:
        """Run one job, kill processes until it is complete, and check its table."""
        self._run(kills=MOST)
        found = look(self._out)
        bad = {name for name, row in self._expected.items() if found.rows.get(name) != row}
        died = {name for name in bad & found.rows.keys() if "WorkerDied" in found.rows[name][1]}
        counts = self.counts[self.programs[-1].executor]
        if died:
            self._run(kills=0)
        after = look(self._out).rows
        counts["jobs"] += 1
        counts["rows"] += len(self._expected)
        counts["rows_lost"] += len(bad - found.rows.keys())
        counts["rows_doubled"] += found.doubled
        counts["rows_wrong"] += len((bad & found.rows.keys()) - died)
        counts["worker_died"] += len(died)
        counts["not_mended"] += sum(after.get(name) != self._expected[name] for name in died)
        counts["unreadable"] += found.unreadable
        counts["stray"] += len(stray(self._out))
        shutil.rmtree(self._out)
        if len(self.programs[-1].used) >= LIFE:
            self._close("programs_ended")

    def _run(self, kills: int) -> None:
        """Run a job on the folder, with a number of kills at most; resume it until it is complete.

        Raises
        ------
        TimeoutError
            If that takes too long after the last kill.
        """
        self._ask()
        last, parts = time.monotonic(), part_files(self._out)
        while not self._answered_within(self._chance.uniform(*PAUSES)):
            if self.programs[-1].run.poll() is not None:
                self._close("runs_failed")
                self._ask()
            elif kills and (part_files(self._out) != parts or self._chance.random() < EARLY):
                kills -= 1
                last, parts = time.monotonic(), part_files(self._out)
                self._kill()
            elif time.monotonic() > last + LIMIT:
                raise TimeoutError(f"a job did not end within {LIMIT:g} s after the last kill")

    def _ask(self) -> None:
        """Tell a program to run the job; start one if there is none."""
        if not self._is_open:
            name = EXECUTORS[len(self.programs) % len(EXECUTORS)]
            self.programs.append(Program(name, self._home / f"program-{len(self.programs)}"))
            self._is_open = True
        self.programs[-1].ask(self._images, self._out)

    def _answered_within(self, seconds: float) -> bool:
        """Return whether the job is complete; wait for that, or for the program's end."""
        program = self.programs[-1]
        return program.answered() or (
            await_that(lambda: program.answered() or program.run.poll() is not None, seconds)
            and program.run.poll() is None
        )

    def _kill(self) -> None:
        """Kill a worker, or now and then the program."""
        program = self.programs[-1]
        if self._chance.random() < PROGRAM:
            program.run.kill()
            self._close("programs_killed")
            self._ask()
        elif found := workers(program.run.pid):
            program.workers_killed += kill([self._chance.choice(found)])

    def _close(self, reason: str) -> None:
        """Wait for the end of a program, and count it under a reason."""
        program = self.programs[-1]
        left, told = program.close()
        self._is_open = False
        self.counts[program.executor].update({"processes_left": left, reason: 1})
        if reason == "runs_failed":
            self.messages[program.executor][told] += 1


def soak(
    folder: Path, minutes: float, files: int, side: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Disturb jobs for some minutes.

    Parameters
    ----------
    folder : Path
        Empty folder for images and jobs.
    minutes : float
        Time after which no further job is started.
    files, side, seed : int
        As for ``Soak``.

    Returns
    -------
    counts : DataFrame
        One row per executor:

        executor : str
            ``"processes"`` or ``"dask"``.
        jobs, rows : int
            Jobs that were completed by this executor, and the rows that they should have.
        rows_lost, rows_doubled, rows_wrong : int
            Rows that were missing, had an older duplicate, or were neither correct nor those of
            images during which two workers died.
        worker_died, not_mended : int
            Rows with ``WorkerDiedError``, and those among them that the next run did not correct.
        unreadable, stray : int
            Parts that could not be read, and other files that were left in the folder.
        workers_killed, programs_killed : int
            Kills of workers, and of programs that ran jobs.
        runs_failed : int
            Runs that ended with an error, and were repeated.
        processes_left : int
            Processes that had not ended some seconds after the program that started them.
        message : str
            Most frequent message of a run that failed.
    programs : DataFrame
        One row per program that completed two jobs or more:

        executor : str
            As above.
        jobs, workers_killed : int
            Jobs that it completed, and kills of its workers.
        mb_first, mb_last : float
            Its memory in MB after the first and the last job.
        open_files_first, open_files_last, threads_first, threads_last : int
            Its open files and threads after these.
    """
    begin = time.monotonic()
    with Soak(folder, files, side, seed) as run, tqdm(total=round(60 * minutes), unit="s") as bar:
        while bar.n < bar.total:
            run.job()
            bar.update(min(bar.total, round(time.monotonic() - begin)) - bar.n)
    for program in run.programs:
        run.counts[program.executor]["workers_killed"] += program.workers_killed
    rows = []
    for name in dict.fromkeys(EXECUTORS):
        told = run.messages[name].most_common(1)
        numbers = (run.counts[name][column] for column in COUNTS)
        rows.append((name, *numbers, told[0][0] if told else ""))
    return pd.DataFrame(rows, columns=["executor", *COUNTS, "message"]), _programs(run.programs)


def _programs(programs: list[Program]) -> pd.DataFrame:
    """Return what programs used; ``soak`` describes the columns."""
    several = [program for program in programs if len(program.used) > 1]
    table = pd.DataFrame({"executor": [program.executor for program in several]})
    table["jobs"] = [len(program.used) for program in several]
    table["workers_killed"] = [program.workers_killed for program in several]
    for k, name in enumerate(USED):
        table[f"{name}_first"] = [program.used[0][k] for program in several]
        table[f"{name}_last"] = [program.used[-1][k] for program in several]
    return table


EXAMPLE = "Example: FINHASH_OUT=. python -m finhash.study.reliability.soak --minutes 10"


@click.command(epilog=EXAMPLE, context_settings={"show_default": True})
@click.option("--minutes", type=click.FloatRange(0), default=MINUTES, help="Duration.")
@click.option("--files", type=click.IntRange(20), default=FILES, help="Images per job.")
def main(minutes: float, files: int) -> None:
    """Kill workers and programs of jobs at random, resume the jobs, and save what was lost.

    The tables are written to data/results in the folder FINHASH_OUT, by default build.
    """
    with tempfile.TemporaryDirectory(prefix="finhash-soak-") as folder:
        counts, programs = soak(Path(folder), minutes, files, SIDE, project.SEED)
    about = f"jobs of {files:,} drawn images, {minutes:g} minutes"
    facts = {"run": results.GENERATED}
    results.save(counts, "soak", by=BY, data=about, machine=facts)
    results.save(programs, "soak_programs", by=BY, data=about, machine=facts)
    click.echo(counts.to_string(index=False))
    click.echo(programs.to_string(index=False))


if __name__ == "__main__":
    main()
