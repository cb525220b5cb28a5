"""Results tables: tidy CSV, a row a measurement, and a JSON of the same stem that says whence."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from finhash.jobs.files import whole_file
from finhash.jobs.provenance import versions
from finhash.study import project

if TYPE_CHECKING:
    from finhash.study.data.datasets import Dataset


def save(
    table: pd.DataFrame,
    name: str,
    *,
    by: str,
    data: "Dataset | str",
    machine: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Write ``data/results/<name>.csv`` and its provenance, and return the table.

    ``by`` is the notebook that made it, ``data`` the data set it was measured on, or in words what
    stands for one, ``machine`` what the provenance should say beside the usual.
    """
    folder = project.results()
    with whole_file(folder / f"{name}.csv") as partial:
        table.to_csv(partial, index=False, float_format="%.9g")
    with whole_file(folder / f"{name}.json") as partial:
        partial.write_text(json.dumps(provenance(by, data) | dict(machine or {}), indent=1) + "\n")
    return table


def load(name: str) -> pd.DataFrame:
    """The results table called ``name``."""
    return pd.read_csv(project.results() / f"{name}.csv")


def load_provenance(name: str) -> dict:
    """Where the results table called ``name`` comes from."""
    return json.loads((project.results() / f"{name}.json").read_text())


def provenance(by: str, data: "Dataset | str") -> dict:
    """Command, data, commit, seed, machine and versions of this run."""
    facts: dict[str, object] = {
        "command": f"jupyter nbconvert --execute notebooks/{by}.ipynb",
        "scale": project.scale().name,
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "seed": project.SEED,
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions(),
    }
    if not isinstance(data, str):
        facts |= {"dataset": data.name, "images": len(data), "fingerprint": data.fingerprint}
    else:
        facts |= {"dataset": data}
    return facts


def commit() -> str:
    """The checkout's commit, with a plus if the module's code differs from it."""
    here = Path(__file__).resolve().parents[2]

    def git(*words: str) -> str:
        run = subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, check=False)
        return run.stdout.strip()

    head = git("rev-parse", "--short=12", "HEAD")
    if not head:
        return "not a git checkout"
    return head + ("+" if git("status", "--porcelain", "--", "finhash") else "")


def cpu_name() -> str:
    """The processor's name, as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except FileNotFoundError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def medians(timings: pd.DataFrame) -> pd.Series:
    """Median warm seconds of each contender, in the order first timed."""
    warm = timings[timings["state"] == "warm"]
    return warm.groupby("contender", sort=False)["seconds"].median()
