"""Faults that are provoked in jobs, galleries and moves of duplicates, and what they cost.

``FINHASH_OUT=. python -m finhash.study.reliability.faults`` provokes each fault several times, lets
the next run finish, and replaces the results table ``faults``. Some faults need root.
"""

import random
import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGKILL, SIGTERM

import click
import pandas as pd
from tqdm import tqdm

from finhash.study import project, results
from finhash.study.reliability import faults_jobs, faults_stores
from finhash.study.reliability.disks import NotPossibleError, with_private_mounts
from finhash.study.reliability.disturbed import MissedError, Outcome, Rows, make_images, undisturbed
from finhash.study.reliability.faults_jobs import (
    OTHER_NAME,
    Trial,
    cluster_killed,
    second_run,
    signalled,
    workers_killed,
)

BY = "finhash.study.reliability.faults"

FILES, REPEATS = 200, 5
"""Images of a job, and how often each fault is provoked."""

TRIES = 20
"""How often a fault is tried again because the job ended before it."""

JOBS: list[tuple[str, str, Callable[[Trial], None]]] = [
    ("disk full", "processes", faults_jobs.disk_full),
    ("folder made read-only", "processes", faults_jobs.folder_made_read_only),
    ("folder removed", "processes", faults_jobs.folder_removed),
    ("second run", "processes", partial(second_run, prefix=())),
    ("second run, other host name", "processes", partial(second_run, prefix=OTHER_NAME)),
    ("second run, first one stopped", "threads", faults_jobs.second_run_refused),
    ("clock set back by a day", "processes", faults_jobs.clock_set_back),
    *(
        ("program killed", name, partial(signalled, executor=name, sent=SIGKILL))
        for name in ("threads", "processes", "dask")
    ),
    *(
        ("one worker killed", name, partial(workers_killed, executor=name, all_of=False))
        for name in ("processes", "dask")
    ),
    *(
        ("all workers killed", name, partial(workers_killed, executor=name, all_of=True))
        for name in ("processes", "dask")
    ),
    ("worker of a cluster killed", "dask", partial(cluster_killed, module="dask_worker")),
    ("scheduler of a cluster killed", "dask", partial(cluster_killed, module="dask_scheduler")),
    *(
        ("Ctrl-C", name, partial(signalled, executor=name, sent=SIGINT, all_of=True))
        for name in ("threads", "processes", "dask")
    ),
    (
        "Ctrl-C twice",
        "processes",
        partial(signalled, executor="processes", sent=SIGINT, all_of=True, times=2),
    ),
    ("SIGTERM", "processes", partial(signalled, executor="processes", sent=SIGTERM)),
    (
        "terminal closed (SIGHUP)",
        "processes",
        partial(signalled, executor="processes", sent=SIGHUP, all_of=True),
    ),
    ("nobody reads stderr", "processes", faults_jobs.messages_unread),
    ("stdout and stderr closed", "processes", faults_jobs.messages_closed),
    ("compaction killed", "processes", faults_jobs.compaction_killed),
    ("images deleted", "processes", faults_jobs.images_deleted),
    ("images changed", "processes", faults_jobs.images_changed),
    ("images unreadable (EIO)", "processes", faults_jobs.images_unreadable),
]
"""Faults of jobs: name, executor, and the function that disturbs a job."""

STORES: list[tuple[str, str, Callable[[Path, random.Random], Outcome]]] = [
    ("writer killed", "gallery", faults_stores.gallery_killed),
    ("disk full", "gallery", faults_stores.gallery_disk_full),
    ("move killed", "duplicates", faults_stores.move_killed),
    ("disk full", "duplicates", faults_stores.move_disk_full),
]
"""Faults of galleries, and of moves of duplicates."""

UNTRIED = [
    ("power cut", "processes", "needs a machine whose power can be cut"),
    ("two machines, one network folder", "processes", "needs a second machine"),
]
"""Faults that are not provoked, with the reasons."""


@dataclass(frozen=True)
class Setting:
    """What all faults of jobs share."""

    images: Path
    """Folder of images."""

    expected: Rows
    """Rows of an undisturbed run."""


SUMMED = [field.name for field in fields(Outcome) if field.name != "message"]
"""Columns that are sums over the repeats."""

NOT_POSSIBLE = "not possible here: "
"""Beginning of the message of a fault that was not provoked."""

COLUMNS = ["fault", "where", "repeats", *SUMMED, "message"]
"""Columns of the table."""

_NONE = (0,) * (1 + len(SUMMED))
"""Numbers of a fault that was not provoked."""

Provoke = Callable[[Path, random.Random], Outcome]
"""Provokes a fault at a random moment, in an empty folder."""


def faults(setting: Setting) -> list[tuple[str, str, Provoke]]:
    """Return the name of each fault, where it happens, and the function that provokes it."""
    jobs = ((name, where, partial(in_job, disturb, setting)) for name, where, disturb in JOBS)
    return [*jobs, *STORES]


def in_job(
    disturb: Callable[[Trial], None], setting: Setting, home: Path, chance: random.Random
) -> Outcome:
    """Disturb a job, and judge its folder."""
    trial = Trial(home, setting.images, chance)
    with trial.cleanup:
        disturb(trial)
        return trial.judge(setting.expected)


def measure(
    folder: Path, repeats: int, files: int, seed: int, only: Sequence[str] = ()
) -> pd.DataFrame:
    """Provoke each fault several times.

    Parameters
    ----------
    folder : Path
        Empty folder for images and jobs.
    repeats : int
        How often each fault is provoked.
    files : int
        Images of a job.
    seed : int
        Seed of the images and of the moments.
    only : sequence of str
        Names of faults; by default all.

    Returns
    -------
    DataFrame
        One row per fault:

        fault : str
            What happened.
        where : str
            Executor of the disturbed job, ``"gallery"``, or ``"duplicates"``.
        repeats : int
            How often it was provoked; 0 if it could not be.
        rows_before, rows_lost, unreadable, stray, processes_left, tracebacks : int
            Sums over the repeats of the fields of ``Outcome``.
        completed : int
            Repeats after which the next run succeeded, with the table of an undisturbed run.
        message : str
            Most frequent last line of the disturbed program, or why the fault was not provoked.
    """
    images = folder / "images"
    make_images(images, files, seed)
    every = faults(Setting(images, undisturbed(images)))
    chosen = [fault for fault in every if not only or fault[0] in only]
    rows = []
    with tqdm(total=len(chosen) * repeats, unit="fault") as bar:
        for name, where, provoke in chosen:
            bar.set_description(f"{name}, {where}")
            moments = [random.Random(f"{seed} {name} {where} {k}") for k in range(repeats)]
            rows.append((name, where, *_repeated(folder, provoke, moments, bar.update)))
    if not only:
        rows += [(name, where, *_NONE, NOT_POSSIBLE + why) for name, where, why in UNTRIED]
    return pd.DataFrame(rows, columns=COLUMNS)


def _repeated(
    folder: Path,
    provoke: Provoke,
    moments: Sequence[random.Random],
    advance: Callable[[], object],
) -> tuple[object, ...]:
    """Provoke a fault at several moments; return the row's values from ``repeats`` on."""
    outcomes = []
    for chance in moments:
        try:
            outcomes.append(_provoked(folder, provoke, chance))
        except NotPossibleError as error:
            return *_NONE, f"{NOT_POSSIBLE}{error}"
        advance()
    told = Counter(outcome.message for outcome in outcomes).most_common(1)[0][0]
    return len(outcomes), *(sum(getattr(o, name) for o in outcomes) for name in SUMMED), told


def _provoked(folder: Path, provoke: Provoke, chance: random.Random) -> Outcome:
    """Provoke a fault once; if the job ends too early, try again at another moment."""
    for _ in range(TRIES):
        with tempfile.TemporaryDirectory(dir=folder) as home:
            try:
                return provoke(Path(home), chance)
            except MissedError:
                continue
    raise MissedError(f"{TRIES} jobs ended before they could be disturbed: use more files")


EXAMPLE = "Example: FINHASH_OUT=. python -m finhash.study.reliability.faults"


@click.command(epilog=EXAMPLE, context_settings={"show_default": True})
@click.option("--repeats", type=click.IntRange(1), default=REPEATS, help="Times per fault.")
@click.option("--files", type=click.IntRange(20), default=FILES, help="Images per job.")
@click.option("--only", multiple=True, help="Name of a fault; repeat the option for several.")
def main(repeats: int, files: int, only: tuple[str, ...]) -> None:
    """Provoke faults in jobs, galleries and moves of duplicates, and save what they cost.

    The table is written to data/results in the folder FINHASH_OUT, by default build. With --only,
    the rows of these faults replace the earlier ones.
    """
    # A shell can start programs in the background so that they ignore these signals.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    with_private_mounts(BY)
    with tempfile.TemporaryDirectory(prefix="finhash-faults-") as folder:
        table = measure(Path(folder), repeats, files, project.SEED, only)
    click.echo(table.to_string(index=False))
    if only:
        table = updated(results.load("faults"), table)
    about = f"jobs of {files} drawn images"
    results.save(table, "faults", by=BY, data=about, machine={"run": results.GENERATED})


def updated(table: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Return a table in which new rows have replaced those of the same faults.

    Examples
    --------
    >>> old = pd.DataFrame({"fault": ["a", "b"], "where": "processes", "repeats": [1, 1]})
    >>> updated(old, old[1:].assign(repeats=5))["repeats"].tolist()
    [1, 5]
    """
    keys = ["fault", "where"]
    old, new = table.set_index(keys), new.set_index(keys)
    return pd.concat([old.drop(new.index), new]).reindex(old.index).reset_index()


if __name__ == "__main__":
    main()
