"""Results tables: tidy CSV files, each beside a JSON file that says how it was made."""

import json
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from finhash.files import whole_file
from finhash.study import project
from finhash.tables.provenance import versions

if TYPE_CHECKING:
    from finhash.study.data.datasets import Dataset


VECTORS = {"avx512f": "AVX-512", "avx2": "AVX2"}
"""Vector instructions that decide the kernels' speed, by the system's flag, widest first."""


SET_B = "memes_b"
"""Name of the data set that only the confirmation uses."""

GENERATED = "generated images"
"""Value of ``run`` in the provenance of tables that do not depend on the data set."""


class MissingResultError(FileNotFoundError):
    """No results table of that name has been made from this run's data set."""


def save(
    table: pd.DataFrame,
    name: str,
    *,
    by: str,
    data: "Dataset | str",
    machine: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Write a results table and its provenance, and return the table.

    Parameters
    ----------
    table : DataFrame
        One row per measurement.
    name : str
        Stem of the files. It begins with the name of the module that makes the table.
    by : str
        Stem of the notebook, or dotted name of the module, that saves the table.
    data : Dataset or str
        Data set that was measured, or a description of what was measured in its place.
    machine : mapping, optional
        Further entries of the provenance.
    """
    folder = project.results()
    facts = provenance(by, data) | dict(machine or {})
    with whole_file(folder / f"{name}.csv") as partial:
        table.to_csv(partial, index=False, float_format="%.9g")
    with whole_file(folder / f"{name}.json") as partial:
        partial.write_text(json.dumps(facts, indent=1) + "\n")
    return table


def load(name: str) -> pd.DataFrame:
    """Return the results table ``name``, from this run or else from the checkout.

    Raises
    ------
    MissingResultError
        If neither holds the table, or the committed one comes from another data set.
    """
    return pd.read_csv(_find(name).with_suffix(".csv"))


def load_provenance(name: str) -> dict:
    """Return how the results table ``name`` was made; raise as ``load`` does."""
    return json.loads(_find(name).read_text())


def exists(name: str) -> bool:
    """Return whether ``load(name)`` would find a table."""
    return _locate(name) is not None


def headline(table: pd.DataFrame, column: str = "labels") -> pd.DataFrame:
    """Return the rows of the labelling that is reported first.

    It is ``"merged"`` if somebody judged which families show the same image, and ``"as labelled"``
    otherwise.
    """
    labels = "merged" if (table[column] == "merged").any() else "as labelled"
    return table[table[column] == labels]


def medians(timings: pd.DataFrame) -> pd.Series:
    """Return the median warm seconds of each contender, in the order first timed.

    ``timings`` is a table that ``timing.time_calls`` made.
    """
    warm = timings[timings["state"] == "warm"]
    return warm.groupby("contender", sort=False)["seconds"].median()


def provenance(by: str, data: "Dataset | str") -> dict:
    """Return what a reader needs to repeat a measurement.

    The entries are the command, scale, date, commit, seed, CPU, cores, system, versions and data
    set; ``run`` names the data set of the run, ``dataset`` what this table was measured on. For a
    ``Dataset`` there are also its ``title``, the numbers of its images and families, and its
    fingerprint.
    """
    facts: dict[str, object] = {
        "command": command(by),
        "scale": project.scale().name,
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "seed": project.SEED,
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions(),
        "run": project.data_set(),
    }
    if isinstance(data, str):
        return facts | {"dataset": data}
    return facts | {
        "dataset": data.name,
        "title": data.title,
        "images": len(data),
        "families": len(data.by_family()),
        "fingerprint": data.fingerprint,
    }


def commit() -> str:
    """Return the checkout's commit, followed by ``+`` if ``finhash/`` has uncommitted changes."""
    here = Path(__file__).resolve().parents[2]

    def git(*words: str) -> str:
        run = subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, check=False)
        return run.stdout.strip()

    head = git("rev-parse", "--short=12", "HEAD")
    if not head:
        return "not a git checkout"
    return head + ("+" if git("status", "--porcelain", "--", "finhash") else "")


def cpu_name() -> str:
    """Return the processor's name and, where the system tells, its widest vector instructions."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except FileNotFoundError:
        return platform.processor() or platform.machine()
    facts = {key.strip(): value.strip() for key, _, value in (ln.partition(":") for ln in lines)}
    name, flags = facts.get("model name", platform.machine()), facts.get("flags", "").split()
    widest = [label for flag, label in VECTORS.items() if flag in flags]
    return f"{name} with {widest[0]}" if widest else name


def makers() -> dict[str, str]:
    """Return what saves each results table, by the table's name.

    It is the stem of a notebook, or the dotted name of a module that is run as a script.
    """
    found = {}
    for path in sorted((project.root() / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text())["cells"]
        code = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
        found |= dict.fromkeys(_saved(code), path.stem)
    study = Path(__file__).resolve().parent
    for path in sorted(study.rglob("*.py")):
        module = ".".join(path.relative_to(study.parents[1]).with_suffix("").parts)
        found |= dict.fromkeys(_saved(path.read_text()), module)
    return found


def command(by: str) -> str:
    """Return the command that runs a notebook, or a module if the name has dots."""
    return f"python -m {by}" if "." in by else f"jupyter nbconvert --execute notebooks/{by}.ipynb"


def _saved(code: str) -> list[str]:
    """Return the names of the results tables that a program saves."""
    return re.findall(r'"(\w+)",\s*by=BY', code)


def _locate(name: str) -> Path | None:
    """Return the path of a table's JSON file, or None if this run has no such table."""
    own = project.results() / f"{name}.json"
    if own.exists():
        return own
    committed = project.results(project.root()) / own.name
    if committed.exists() and _comparable(json.loads(committed.read_text())):
        return committed
    return None


def _find(name: str) -> Path:
    """Return the path of a table's JSON file; raise an error that names the maker of the table."""
    found = _locate(name)
    if found is not None:
        return found
    maker = makers().get(name)
    run = f"make it by {command(maker)}" if maker else "no program makes it"
    raise MissingResultError(
        f"no results table {name!r} of the data set {project.data_set()!r}: {run}"
    )


def _comparable(facts: dict) -> bool:
    """Return whether this run may use a committed table.

    It may if both runs use the same data set. A run on drawn templates may also use the tables of a
    ``memes`` run that hold no fingerprint: these were computed from the committed hashes, which
    both runs share, or without images. Tables of set B, which no run uses, and of generated images
    hold for every run.
    """
    if facts["run"] in (SET_B, GENERATED):
        return True
    sets = {facts["run"], project.data_set()}
    return len(sets) == 1 or ("fingerprint" not in facts and sets == {"memes", "drawn"})
