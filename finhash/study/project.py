"""Where things are and how large a run is: the folders, and the switch FINHASH_SCALE."""

import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

SEED = 2018
"""Every random stream of the study is named by this seed."""

ASSETS = files("finhash.study.data") / "assets"
"""Typeface, words, published numbers, verdicts."""


def root() -> Path:
    """The project's folder: ``FINHASH_HOME``, or the checkout that this module lies in."""
    home = os.environ.get("FINHASH_HOME")
    return Path(home).resolve() if home else Path(__file__).resolve().parents[2]


def data() -> Path:
    """Pictures, hash tables and results."""
    return root() / "data"


def results() -> Path:
    """Results tables: CSV, and JSON provenance of the same stem."""
    return data() / "results"


def hashes() -> Path:
    """Committed hash tables, a Parquet file a method."""
    return data() / "hashes"


def figures() -> Path:
    """Exported figures: PDF for the report, PNG for the README."""
    return root() / "figures"


def report() -> Path:
    """The report's LaTeX sources and PDF."""
    return root() / "report"


@dataclass(frozen=True)
class Scale:
    """How much of the data a run uses: the first ``per_family`` pictures of ``families``."""

    name: str
    families: int
    per_family: int | None

    def pick(self, *, full: T, quick: T, smoke: T) -> T:
        """The value for this scale: sizes and repeats of experiments."""
        return {"full": full, "quick": quick, "smoke": smoke}[self.name]


SCALES = {
    "full": Scale("full", 1034, None),  # 55,972 pictures
    "quick": Scale("quick", 200, 10),  # 2,000
    "smoke": Scale("smoke", 10, 6),  # 60
}


def scale() -> Scale:
    """The scale of this run, from ``FINHASH_SCALE``; full unless said otherwise."""
    name = os.environ.get("FINHASH_SCALE", "full")
    if name not in SCALES:
        raise ValueError(f"FINHASH_SCALE={name!r}; known: {', '.join(SCALES)}")
    return SCALES[name]
