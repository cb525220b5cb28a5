"""Settings of a run: folders, scale, seed.

Three environment variables steer a run: ``FINHASH_OUT`` (where its results go), ``FINHASH_SCALE``
(how many images it uses) and, for tests, ``FINHASH_HOME`` (the checkout with its sources, images
and caches).
"""

import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.resources import files
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

SEED = 2018
"""Seed of every random stream in the study."""

ASSETS = files("finhash.study.data") / "assets"
"""Folder of the typeface, word lists, published numbers and verdicts."""


def root() -> Path:
    """Return the checkout: ``FINHASH_HOME``, or the one that holds this module."""
    home = os.environ.get("FINHASH_HOME")
    return Path(home).resolve() if home else Path(__file__).resolve().parents[2]


def out() -> Path:
    """Return the folder that this run writes to: ``FINHASH_OUT``, or ``build`` in the checkout.

    A relative ``FINHASH_OUT`` is relative to the checkout, because notebooks run in a folder of
    their own.

    Raises
    ------
    ValueError
        If a run on a user's own images would replace what is committed.
    """
    folder = (root() / os.environ.get("FINHASH_OUT", "build")).resolve()
    if folder == root() and not is_standin():
        raise ValueError(
            f"FINHASH_OUT is {folder}, where results of your own images would replace the "
            "committed ones: unset it, or set it to another folder"
        )
    return folder


def writes_to_checkout() -> bool:
    """Return whether this run replaces the committed results, as ``make report`` does."""
    return out() == root()


def data() -> Path:
    """Return the folder of images and of committed hash tables."""
    return root() / "data"


def hashes(folder: Path | None = None) -> Path:
    """Return the folder of hash tables in the checkout, or in ``folder``."""
    return (folder or root()) / "data" / "hashes"


def results(folder: Path | None = None) -> Path:
    """Return the folder of results tables of this run, or of the run that wrote to ``folder``."""
    return (folder or out()) / "data" / "results"


def das_images() -> Path:
    """Return the folder into which users put their own set; it may be missing."""
    return data() / "das_images"


def unpacked() -> Path:
    """Return the folder of unpacked zips, a cache."""
    return das_images() / "unpacked"


def data_set() -> str:
    """Return the name of this run's data set: ``das_images``, ``memes`` or ``drawn``.

    ``das_images`` is the user's own set, if ``FINHASH_DAS_IMAGES`` names one or the folder
    ``data/das_images`` holds anything; ``memes`` is the stand-in made from real templates, if
    ``FINHASH_TEMPLATES`` names their folder; ``drawn`` needs nothing.
    """
    put_there = (path for path in das_images().glob("[!.]*") if path != unpacked())
    if os.environ.get("FINHASH_DAS_IMAGES") or any(put_there):
        return "das_images"
    return "memes" if os.environ.get("FINHASH_TEMPLATES") else "drawn"


def is_standin() -> bool:
    """Return whether this run measures a stand-in, not a user's own images."""
    return data_set() != "das_images"


def figures() -> Path:
    """Return the folder of exported figures: PDF for the report, PNG for the README."""
    return out() / "figures"


def notebooks() -> Path:
    """Return the folder of executed notebooks."""
    return out() / "notebooks"


def report() -> Path:
    """Return the folder in which the report is built."""
    return out() / "report"


@dataclass(frozen=True)
class Scale:
    """Size of a run: the first ``per_family`` images of each of the first ``families`` families.

    None means all families, or all images of a family.
    """

    name: str
    families: int | None
    per_family: int | None

    def pick(self, *, full: T, quick: T, smoke: T) -> T:
        """Return the argument named like this scale, to size an experiment."""
        return {"full": full, "quick": quick, "smoke": smoke}[self.name]


SCALES = {
    "full": Scale("full", None, None),
    "quick": Scale("quick", 200, 10),  # at most 2,000 images
    "smoke": Scale("smoke", 10, 6),  # at most 60 images
}


def scale() -> Scale:
    """Return the scale named by ``FINHASH_SCALE``; ``full`` if it is unset."""
    name = os.environ.get("FINHASH_SCALE", "full")
    if name not in SCALES:
        raise ValueError(f"FINHASH_SCALE is {name!r}; set it to one of {', '.join(SCALES)}")
    return SCALES[name]


def spawn_pool(workers: int) -> ProcessPoolExecutor:
    """Return a pool of ``workers`` fresh processes.

    Processes are spawned rather than forked: a forked process would inherit the locks of the
    parent's threads.
    """
    return ProcessPoolExecutor(workers, get_context("spawn"))
