"""The pictures: the course's own set, or a stand-in from real or drawn templates; one loader.

Every data set is a folder of ``FFFF_ID.jpg`` files: four digits of family, an underscore, the
picture's number. ``load()`` takes the first that can be had:

1. ``das_images``: the course's set, in ``data/das_images`` or where ``FINHASH_DAS_IMAGES`` says;
2. ``memes``: real blank templates from the folder ``FINHASH_TEMPLATES``, captioned;
3. ``drawn``: drawn templates, captioned. Nothing is needed.

Rendering is deterministic: every picture has its own random stream, named by seed, family and
number, so neither the number of workers nor an interruption changes a byte.
"""

import hashlib
import json
import os
import random
import re
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import PIL
from PIL import Image
from tqdm import tqdm

from finhash.images import open_image
from finhash.jobs.files import whole_file
from finhash.study import project
from finhash.study.data import drawn, memes

FEW = 500
"""Missing pictures below which starting processes does not pay."""
NAME = re.compile(r"(\d{4})_(\d+)\.jpe?g", re.IGNORECASE)
DAS_MD5 = "fcb1ff3c62f3ca39c39985a4bba0d873"
"""MD5 of the course's zip."""


@dataclass(frozen=True)
class Dataset:
    """A folder of pictures whose names tell their families."""

    name: str
    folder: Path
    paths: list[Path]

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def families(self) -> np.ndarray:
        """The family of each path, ``int [n]``."""
        return families_of(self.paths)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the names and bytes of all pictures, in order.

        Reading every byte takes seconds, so the answer is kept with the pictures' sizes and times.
        """
        state = hashlib.sha256()
        for path in self.paths:
            facts = path.stat()
            state.update(f"{path.name} {facts.st_size} {facts.st_mtime_ns}\n".encode())
        kept = project.data() / "fingerprints" / state.hexdigest()
        if not kept.exists():
            with whole_file(kept) as partial:
                partial.write_text(self._read_fingerprint())
        return kept.read_text()

    def _read_fingerprint(self) -> str:
        state = hashlib.sha256()
        for path in self.paths:
            state.update(path.name.encode() + b"\0")
            state.update(hashlib.sha256(path.read_bytes()).digest())
        return state.hexdigest()


def families_of(paths: Iterable[str | os.PathLike]) -> np.ndarray:
    """The family number in each ``FFFF_ID.jpg`` name, ``int [n]``."""
    return np.array([int(Path(path).name[:4]) for path in paths])


def family_and_number(path: str | os.PathLike) -> tuple[int, int]:
    """The two numbers in a ``FFFF_ID.jpg`` name."""
    family, number = NAME.fullmatch(Path(path).name).groups()
    return int(family), int(number)


def load(scale: project.Scale | None = None, *, progress: bool = True) -> Dataset:
    """The pictures of this run, rendered first if they are not there yet.

    ``scale`` is that of ``FINHASH_SCALE`` unless given.
    """
    scale = scale or project.scale()
    own = _das_images(progress)
    if own is not None:
        name, folder = "das_images", own
    else:
        name = "memes" if _templates() else "drawn"
        folder = project.data() / name
        render(folder, scale, progress=progress)
    paths = list(_subset(sorted(_pictures(folder)), scale))
    if not paths:
        raise FileNotFoundError(f"no FFFF_ID.jpg pictures in {folder}")
    return Dataset(name, folder, paths)


def render(
    folder: Path, scale: project.Scale, *, progress: bool = True, workers: int | None = None
) -> None:
    """Render the stand-in's missing pictures into ``folder``, with all cores unless told.

    A file appears whole or not at all, so an interrupted run resumes. Pictures of another recipe
    (other seed, templates, renderer or Pillow) are removed first.
    """
    _keep_recipe(folder)
    there = {path.name for path in _pictures(folder)}
    tasks = []
    for family, size in enumerate(memes.family_sizes()[: scale.families]):
        numbers = range(min(size, scale.per_family or size))
        missing = [n for n in numbers if f"{family:04d}_{n:05d}.jpg" not in there]
        if missing:
            tasks.append((folder, family, missing))
    total = sum(len(missing) for *_, missing in tasks)
    workers = workers or os.cpu_count() or 1
    with tqdm(
        total=total,
        desc="rendering",
        unit="image",
        disable=not progress or not total,
        leave=False,
    ) as bar:
        if workers == 1 or total < FEW:
            for task in tasks:
                bar.update(_render_family(*task))
            return
        with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
            futures = [pool.submit(_render_family, *task) for task in tasks]
            try:
                for future in as_completed(futures):
                    bar.update(future.result())
            finally:
                pool.shutdown(wait=False, cancel_futures=True)


def template(family: int) -> Image.Image:
    """The blank template of a stand-in family, 250 x 250 RGB."""
    names = _templates()
    if not names:
        return drawn.draw_template(project.SEED, family)
    side = (memes.SIDE, memes.SIDE)
    image = open_image(names[family]).convert("RGB")
    return image if image.size == side else image.resize(side, Image.Resampling.LANCZOS)


def caption(family: int, number: int) -> tuple[str, str]:
    """The upper and the lower caption of a stand-in picture."""
    return memes.draw_caption(random.Random(f"caption {project.SEED} {family} {number}"))


def example(family: int) -> bytes:
    """The JPEG of a captioned picture of a drawn template: ours to show, unlike real ones."""
    rng = random.Random(f"sheet {project.SEED} {family}")
    return memes.render(drawn.draw_template(project.SEED, family), *memes.draw_caption(rng))


def _render_family(folder: Path, family: int, numbers: list[int]) -> int:
    blank = template(family)
    for number in numbers:
        jpeg = memes.render(blank, *caption(family, number))
        with whole_file(folder / f"{family:04d}_{number:05d}.jpg") as partial:
            partial.write_bytes(jpeg)
    return len(numbers)


def _templates() -> list[Path]:
    """The real templates of the 1,034 families; [] if ``FINHASH_TEMPLATES`` is not set.

    Which template gets which family, and so which size of family, is drawn from the seed.
    """
    folder = os.environ.get("FINHASH_TEMPLATES")
    if not folder:
        return []
    paths = sorted(Path(folder).glob("*.jpg"))
    if len(paths) < memes.FAMILIES:
        raise FileNotFoundError(
            f"FINHASH_TEMPLATES={folder} holds {len(paths)} .jpg templates; "
            f"{memes.FAMILIES} are needed (see data/README.md)"
        )
    random.Random(f"templates {project.SEED}").shuffle(paths)
    return paths[: memes.FAMILIES]


def _recipe() -> dict[str, str]:
    """What decides the pictures' bytes."""
    renderer = hashlib.sha256()
    for module in (memes, drawn):
        renderer.update(Path(module.__file__).read_bytes())
    for asset in (memes.FONT, memes.WORDS, memes.WORD_COUNTS, memes.WORD_LENGTHS):
        renderer.update(asset.read_bytes())
    names = hashlib.sha256("\n".join(path.name for path in _templates()).encode())
    return {
        "seed": str(project.SEED),
        "templates": names.hexdigest() if _templates() else "drawn",
        "renderer": renderer.hexdigest(),
        "pillow": PIL.__version__,
    }


def _keep_recipe(folder: Path) -> None:
    """Empty ``folder`` unless its pictures were made by today's recipe."""
    recipe, note = json.dumps(_recipe(), indent=1), folder / "recipe.json"
    if note.exists() and note.read_text() == recipe:
        return
    if folder.exists():
        if not note.exists() and any(_pictures(folder)):
            raise FileExistsError(f"{folder} holds pictures that were not rendered here")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    note.write_text(recipe)


def _pictures(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (path for path in folder.iterdir() if NAME.fullmatch(path.name))


def _subset(paths: list[Path], scale: project.Scale) -> Iterator[Path]:
    """The first ``per_family`` pictures of the first ``families`` families."""
    counts: dict[str, int] = {}
    for path in paths:
        family = path.name[:4]
        if family not in counts and len(counts) == scale.families:
            return
        counts[family] = counts.get(family, 0) + 1
        if scale.per_family is None or counts[family] <= scale.per_family:
            yield path


def _das_images(progress: bool) -> Path | None:
    """The folder of the course's own set, unpacked from its zip if need be; None if not there."""
    home = project.data() / "das_images"
    given = os.environ.get("FINHASH_DAS_IMAGES")
    if given and not Path(given).exists():
        raise FileNotFoundError(f"FINHASH_DAS_IMAGES={given} does not exist")
    place = Path(given) if given else home
    if place.is_dir():
        # The zip may have been unpacked here, with or without a folder of its own.
        inside = sorted(p for p in place.iterdir() if p.is_dir() and p.name != ".partial")
        for folder in (place, *inside):
            if any(_pictures(folder)):
                return folder
    zips = [place] if place.is_file() else sorted(place.glob("*.zip"))
    if zips:
        return _unpack(zips[0], home / "unpacked", progress)
    if given:
        raise FileNotFoundError(f"FINHASH_DAS_IMAGES={given} holds no FFFF_ID.jpg pictures")
    return None


def _unpack(archive: Path, folder: Path, progress: bool) -> Path:
    with archive.open("rb") as file:
        md5 = hashlib.file_digest(file, "md5").hexdigest()
    if md5 != DAS_MD5:
        raise ValueError(f"{archive.name} has MD5 {md5}, not the course set's {DAS_MD5}")
    partial = folder.parent / ".partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    with zipfile.ZipFile(archive) as contents:
        members = [m for m in contents.infolist() if NAME.fullmatch(Path(m.filename).name)]
        for member in tqdm(members, "unpacking", unit="file", disable=not progress, leave=False):
            # Only the last part of a member's name is used, so none can leave the folder.
            (partial / Path(member.filename).name).write_bytes(contents.read(member))
    return partial.replace(folder)
