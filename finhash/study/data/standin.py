"""The stand-ins: sets of captioned templates that are rendered where the course's set is missing.

There are three. ``memes``, which the report calls set A, has captions on real templates.
``memes_b``, set B, follows the same recipe, but has other templates and other captions. ``drawn``
has drawn templates and needs no files. The templates of the two real sets are named, with their
digests, in ``assets/templates.csv``, so every folder that contains them gives the same images.

Rendering is deterministic: each caption has its own random stream, seeded by the stand-in's seed,
the family and the number of the image. The bytes of an image therefore depend neither on the number
of workers nor on interruptions.

``python -m finhash.study.data.render memes`` renders a set and compares it with the committed one.
"""

import csv
import hashlib
import json
import os
import random
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import as_completed
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import PIL
from PIL import Image
from tqdm import tqdm

from finhash.files import whole_file
from finhash.images import open_image
from finhash.study import project
from finhash.study.data import drawn, memes

TEMPLATES = project.ASSETS / "templates.csv"
"""List of the real templates: set, family, name of the file, and SHA-256 of the file."""
SMALL = 500
"""Number of images below which rendering them here is faster than starting processes."""
PROBES = range(0, memes.FAMILIES, 76)
"""Families whose first images represent the stand-in in its recipe.

With the project's seed they include all three kinds of drawn templates and a variant of one.
"""


class Template(NamedTuple):
    """A file of a real template: its name and its SHA-256 in hexadecimal."""

    name: str
    sha256: str


@dataclass(frozen=True)
class StandIn:
    """A set of images that is rendered from templates and captions.

    Attributes
    ----------
    name : str
        Name of the data set, and of its folder in ``data``.
    seed : int
        Seed of the captions, and of drawn templates.
    variable : str, optional
        Environment variable that names the folder of the real templates. Without one, the templates
        are drawn.

    Examples
    --------
    >>> MEMES.caption(family=7, number=3)
    ('APPLE QUIET A LETTER', 'OF I')
    """

    name: str
    seed: int
    variable: str | None = None

    def templates(self) -> list[Template]:
        """Return the real templates by family; none if the templates are drawn.

        Examples
        --------
        >>> len(MEMES_B.templates()), len(DRAWN.templates())
        (1034, 0)
        """
        return _listed(TEMPLATES).get(self.name, [])

    def template(self, family: int) -> Image.Image:
        """Return the blank template of a family, 250 x 250 pixels, RGB."""
        if self.variable is None:
            return drawn.draw_template(self.seed, family)
        side = (memes.SIDE, memes.SIDE)
        image = open_image(self._source() / self.templates()[family].name).convert("RGB")
        return image if image.size == side else image.resize(side, Image.Resampling.LANCZOS)

    def caption(self, family: int, number: int) -> tuple[str, str]:
        """Return the upper and the lower caption of an image."""
        return memes.draw_caption(random.Random(f"caption {self.seed} {family} {number}"))

    def check_templates(self) -> None:
        """Read all real templates and compare their digests with the list.

        Raises
        ------
        FileNotFoundError
            If the folder of the templates is not set, or lacks a template.
        ValueError
            If a file differs from the listed one.
        """
        if self.variable is None:
            return
        folder = self._source()
        missing, other = [], []
        for template in self.templates():
            path = folder / template.name
            if not path.is_file():
                missing.append(template.name)
            elif hashlib.sha256(path.read_bytes()).hexdigest() != template.sha256:
                other.append(template.name)
        place, number = f"{self.variable}={os.environ[self.variable]}", len(self.templates())
        if missing:
            raise FileNotFoundError(
                f"{place} lacks {len(missing)} of the {number} templates of {self.name}, the first "
                f"is {missing[0]}: data/README.md says where to get them"
            )
        if other:
            raise ValueError(
                f"{place}: {len(other)} of the {number} templates of {self.name} do not have the "
                f"SHA-256 listed in {TEMPLATES.name}, the first is {other[0]}: data/README.md says "
                "where to get them"
            )

    def render(
        self,
        folder: Path,
        scale: project.Scale,
        *,
        progress: bool = True,
        workers: int | None = None,
    ) -> None:
        """Render the missing images into ``folder``.

        Every file appears complete or not at all, so an interrupted run can be repeated to finish
        it. If the folder's images were rendered by another recipe (another seed, other templates,
        another Pillow or other code), they are deleted first.

        Parameters
        ----------
        folder : Path
            Folder for the images and their recipe, ``recipe.json``.
        scale : Scale
            Number of families and images to render.
        progress : bool
            Show a progress bar.
        workers : int, optional
            Number of processes. The default is the number of cores.

        Raises
        ------
        FileNotFoundError, ValueError
            As from ``check_templates``.
        FileExistsError
            If the folder holds files but no ``recipe.json``. Nothing is deleted then.
        """
        self.check_templates()
        self._delete_outdated(folder)
        missing = _missing(folder, scale)
        total = sum(map(len, missing.values()))
        workers = workers or os.cpu_count() or 1
        with tqdm(
            total=total,
            desc="rendering",
            unit="image",
            disable=not progress or not total,
            leave=False,
        ) as bar:
            if workers == 1 or total < SMALL:
                for family, numbers in missing.items():
                    bar.update(self._render_family(folder, family, numbers))
                return
            with project.spawn_pool(workers) as pool:
                futures = [
                    pool.submit(self._render_family, folder, *task) for task in missing.items()
                ]
                try:
                    for future in as_completed(futures):
                        bar.update(future.result())
                finally:
                    pool.shutdown(wait=False, cancel_futures=True)

    def recipe(self) -> dict[str, str]:
        """Return what determines the pixels of the images.

        The code is represented by the images that it renders for ``PROBES``, not by its text, so
        rewording a comment renders nothing again. A change that affects none of these images goes
        unnoticed.
        """
        names = [template.name for template in self.templates()]
        assets = (memes.FONT, memes.WORDS, memes.WORD_COUNTS, memes.WORD_LENGTHS)
        return {
            "seed": str(self.seed),
            "pillow": PIL.__version__,
            "templates": _digest(name.encode() for name in names) if names else "drawn",
            "family_sizes": _digest(str(size).encode() for size in memes.family_sizes()),
            "assets": _digest(asset.read_bytes() for asset in assets),
            "probes": _digest(self._probes()),
        }

    def _source(self) -> Path:
        """Return the folder of the real templates."""
        folder = os.environ.get(self.variable or "")
        if not folder:
            raise FileNotFoundError(
                f"{self.variable} is not set: set it to the folder of the templates of "
                f"{self.name}, which data/README.md says where to get"
            )
        # A relative path is relative to the checkout: notebooks run in a folder of their own.
        return project.root() / folder

    def _render_family(self, folder: Path, family: int, numbers: list[int]) -> int:
        """Render these images of one family; return how many there are."""
        blank = self.template(family)
        for number in numbers:
            with whole_file(folder / _file_name(family, number)) as partial:
                partial.write_bytes(memes.render(blank, *self.caption(family, number)))
        return len(numbers)

    def _delete_outdated(self, folder: Path) -> None:
        """Delete ``folder`` if another recipe rendered its images, and note the current recipe."""
        recipe, note = json.dumps(self.recipe(), indent=1), folder / "recipe.json"
        if note.exists() and note.read_text() == recipe:
            return
        if folder.exists():
            if not note.exists() and any(folder.iterdir()):
                raise FileExistsError(
                    f"{folder} holds files but no recipe.json, so they were not rendered here: "
                    "move them elsewhere"
                )
            shutil.rmtree(folder)
        with whole_file(note) as partial:
            partial.write_text(recipe)

    def _probes(self) -> Iterator[bytes]:
        """Yield the JPEG bytes of the first three images of each family in ``PROBES``."""
        for family in PROBES:
            blank = self.template(family)
            for number in range(3):
                yield memes.render(blank, *self.caption(family, number))


DRAWN = StandIn("drawn", project.SEED)
MEMES = StandIn("memes", project.SEED, "FINHASH_TEMPLATES")
MEMES_B = StandIn("memes_b", 2019, "FINHASH_TEMPLATES_B")

STANDINS = {standin.name: standin for standin in (MEMES, MEMES_B, DRAWN)}
"""The stand-ins by name."""


def example(family: int) -> bytes:
    """Return a captioned drawn template as JPEG bytes; unlike a real one it may be published."""
    rng = random.Random(f"sheet {DRAWN.seed} {family}")
    return memes.render(DRAWN.template(family), *memes.draw_caption(rng))


@cache
def _listed(file: Path) -> dict[str, list[Template]]:
    """Return the templates that the file lists, by set; within a set they are in family order."""
    found: dict[str, list[Template]] = {}
    with file.open(newline="") as lines:
        for row in csv.DictReader(lines):
            found.setdefault(row["set"], []).append(Template(row["name"], row["sha256"]))
    return found


def _missing(folder: Path, scale: project.Scale) -> dict[int, list[int]]:
    """Return the numbers of the images that are not in ``folder``, by family."""
    present = {path.name for path in folder.glob("*.jpg")}
    missing = {}
    for family, size in enumerate(memes.family_sizes()[: scale.families]):
        numbers = range(min(size, scale.per_family or size))
        absent = [number for number in numbers if _file_name(family, number) not in present]
        if absent:
            missing[family] = absent
    return missing


def _file_name(family: int, number: int) -> str:
    return f"{family:04d}_{number:05d}.jpg"


def _digest(items: Iterable[bytes]) -> str:
    """Return the SHA-256 of a sequence of byte strings, in hexadecimal."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(hashlib.sha256(item).digest())
    return digest.hexdigest()
