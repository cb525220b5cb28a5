"""The data set of a run: the course's set, or a stand-in that is rendered.

A data set is a folder of files named ``FFFF_ID.jpg``: the number of the family in four digits, an
underscore, and the number of the image. ``load`` returns the first of these that is available:

1. ``das_images``: the course's set, from ``data/das_images`` or from ``FINHASH_DAS_IMAGES``;
2. ``memes``: captions on real templates, which the folder ``FINHASH_TEMPLATES`` holds;
3. ``drawn``: captions on drawn templates, which need no files.

Rendering is deterministic: each image has its own random stream, seeded by the project's seed, the
family and the number of the image. The bytes of an image therefore depend neither on the number of
workers nor on interruptions.
"""

import hashlib
import json
import os
import random
import re
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from concurrent.futures import as_completed
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import PIL
from PIL import Image
from tqdm import tqdm

from finhash.images import open_image
from finhash.jobs.files import whole_file
from finhash.study import project
from finhash.study.data import drawn, memes

FILE_NAME = re.compile(r"(\d{4})_(\d+)\.jpe?g", re.IGNORECASE)
DAS_MD5 = "fcb1ff3c62f3ca39c39985a4bba0d873"
"""MD5 of the course's zip."""
SMALL = 500
"""Number of images below which rendering them here is faster than starting processes."""
PROBES = range(0, memes.FAMILIES, 76)
"""Families whose first images represent the stand-in in its recipe.

With the project's seed they include all three kinds of drawn templates and a variant of one.
"""


@dataclass(frozen=True)
class Dataset:
    """A folder of images whose file names begin with their family.

    Attributes
    ----------
    name : str
        ``"das_images"``, ``"memes"`` or ``"drawn"``.
    folder : Path
        Folder of the images.
    paths : list of Path
        The images of this run, sorted by name.
    """

    name: str
    folder: Path
    paths: list[Path]

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def families(self) -> np.ndarray:
        """The family of each image, as integers of shape ``(images,)``."""
        return families_of(self.paths)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the names and bytes of all images, in order, in hexadecimal.

        Reading all images takes seconds, so the value is cached on disk. The cache key holds the
        name, size and modification time of each image.
        """
        key = hashlib.sha256()
        for path in self.paths:
            facts = path.stat()
            key.update(f"{path.name} {facts.st_size} {facts.st_mtime_ns}\n".encode())
        cached = project.data() / "fingerprints" / key.hexdigest()
        if not cached.exists():
            with whole_file(cached) as partial:
                partial.write_text(self._read_fingerprint())
        return cached.read_text()

    def _read_fingerprint(self) -> str:
        digest = hashlib.sha256()
        for path in self.paths:
            digest.update(path.name.encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()


def families_of(paths: Iterable[str | os.PathLike[str]]) -> np.ndarray:
    """Return the family number of each file name, as integers of shape ``(paths,)``.

    Examples
    --------
    >>> families_of(["memes/0007_00001.jpg", "0012_31.jpg"]).tolist()
    [7, 12]
    """
    return np.array([int(Path(path).name[:4]) for path in paths])


def family_and_number(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Return the two numbers of a file name.

    Examples
    --------
    >>> family_and_number("memes/0007_00001.jpg")
    (7, 1)
    """
    match = FILE_NAME.fullmatch(Path(path).name)
    if match is None:
        raise ValueError(f"{Path(path).name} is not named FFFF_ID.jpg, for example 0007_00001.jpg")
    return int(match[1]), int(match[2])


def load(scale: project.Scale | None = None, *, progress: bool = True) -> Dataset:
    """Return the data set of this run; render the stand-in's missing images first.

    Parameters
    ----------
    scale : Scale, optional
        Number of families and images to use. The default is the scale of ``FINHASH_SCALE``.
    progress : bool
        Show progress bars.

    Raises
    ------
    FileNotFoundError
        If an environment variable names a place without images or with too few templates.
    ValueError
        If the course's zip does not have its known MD5.
    """
    scale = scale or project.scale()
    name = project.data_set()
    if name == "das_images":
        source = _das_images()
        folder = source if source.is_dir() else _unpack(source, progress)
    else:
        folder = project.data() / name
        render(folder, scale, progress=progress)
    paths = list(_subset(sorted(_image_files(folder)), scale))
    if not paths:
        raise FileNotFoundError(f"{folder} holds no images named FFFF_ID.jpg")
    return Dataset(name, folder, paths)


def render(
    folder: Path, scale: project.Scale, *, progress: bool = True, workers: int | None = None
) -> None:
    """Render the missing images of the stand-in into ``folder``.

    Every file appears complete or not at all, so an interrupted run can be repeated to finish it.
    If the folder's images were rendered by another recipe (another seed, other templates, another
    Pillow or other code), they are deleted first.

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
    FileExistsError
        If the folder holds files but no ``recipe.json``. Nothing is deleted then.
    """
    _delete_outdated(folder)
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
                bar.update(_render_family(folder, family, numbers))
            return
        with project.spawn_pool(workers) as pool:
            futures = [pool.submit(_render_family, folder, *task) for task in missing.items()]
            try:
                for future in as_completed(futures):
                    bar.update(future.result())
            finally:
                pool.shutdown(wait=False, cancel_futures=True)


def template(family: int) -> Image.Image:
    """Return the blank template of a stand-in family, 250 x 250 pixels, RGB."""
    paths = _templates()
    if not paths:
        return drawn.draw_template(project.SEED, family)
    side = (memes.SIDE, memes.SIDE)
    image = open_image(paths[family]).convert("RGB")
    return image if image.size == side else image.resize(side, Image.Resampling.LANCZOS)


def caption(family: int, number: int) -> tuple[str, str]:
    """Return the upper and the lower caption of a stand-in image."""
    return memes.draw_caption(random.Random(f"caption {project.SEED} {family} {number}"))


def example(family: int) -> bytes:
    """Return a captioned drawn template as JPEG bytes; unlike a real one it may be published."""
    rng = random.Random(f"sheet {project.SEED} {family}")
    return memes.render(drawn.draw_template(project.SEED, family), *memes.draw_caption(rng))


def _das_images() -> Path:
    """Return the folder of the user's own set, or its zip if that is not unpacked yet."""
    given = os.environ.get("FINHASH_DAS_IMAGES")
    # A relative path is relative to the checkout: notebooks run in a folder of their own.
    place = project.root() / given if given else project.data() / "das_images"
    if not place.exists():
        raise FileNotFoundError(f"FINHASH_DAS_IMAGES={given} does not exist")
    if place.is_file():
        return place
    if place.is_dir():
        # Unpacking the zip by hand may have made a folder in this one.
        inside = sorted(path for path in place.iterdir() if path.is_dir() and path.name[0] != ".")
        for folder in (place, *inside):
            if any(_image_files(folder)):
                return folder
        archives = sorted(place.glob("*.zip"))
        if archives:
            return archives[0]
    raise FileNotFoundError(
        f"{place} holds neither images named FFFF_ID.jpg, for example 0007_00001.jpg, nor a zip"
    )


def _unpack(archive: Path, progress: bool) -> Path:
    """Unpack the images of the course's zip, unless that was done before; return their folder."""
    with archive.open("rb") as file:
        md5 = hashlib.file_digest(file, "md5").hexdigest()
    if md5 != DAS_MD5:
        raise ValueError(
            f"{archive} has the MD5 {md5}, but the course's zip has {DAS_MD5}: download it again"
        )
    folder = project.data() / "das_images" / "unpacked"
    if folder.exists():
        return folder
    partial = folder.with_name(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    with zipfile.ZipFile(archive) as contents:
        members = [m for m in contents.infolist() if FILE_NAME.fullmatch(Path(m.filename).name)]
        for member in tqdm(members, "unpacking", unit="file", disable=not progress, leave=False):
            # Without its folders the name of a member cannot lead outside.
            (partial / Path(member.filename).name).write_bytes(contents.read(member))
    return partial.replace(folder)


def _image_files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (path for path in folder.iterdir() if FILE_NAME.fullmatch(path.name))


def _subset(paths: list[Path], scale: project.Scale) -> Iterator[Path]:
    """Yield the first ``per_family`` images of each of the first ``families`` families."""
    counts: dict[str, int] = {}
    for path in paths:
        family = path.name[:4]
        if family not in counts and len(counts) == scale.families:
            return
        counts[family] = counts.get(family, 0) + 1
        if scale.per_family is None or counts[family] <= scale.per_family:
            yield path


def _templates() -> list[Path]:
    """Return the real templates by family; none if ``FINHASH_TEMPLATES`` is not set.

    The seed decides which template belongs to which family, and therefore to which family size.
    """
    folder = os.environ.get("FINHASH_TEMPLATES")
    if not folder:
        return []
    paths = sorted((project.root() / folder).glob("*.jpg"))
    if len(paths) < memes.FAMILIES:
        raise FileNotFoundError(
            f"FINHASH_TEMPLATES={folder} holds {len(paths)} .jpg files, but {memes.FAMILIES} "
            "templates are needed: see data/README.md"
        )
    random.Random(f"templates {project.SEED}").shuffle(paths)
    return paths[: memes.FAMILIES]


def _missing(folder: Path, scale: project.Scale) -> dict[int, list[int]]:
    """Return the numbers of the images that are not in ``folder``, by family."""
    present = {path.name for path in _image_files(folder)}
    missing = {}
    for family, size in enumerate(memes.family_sizes()[: scale.families]):
        numbers = range(min(size, scale.per_family or size))
        absent = [number for number in numbers if _file_name(family, number) not in present]
        if absent:
            missing[family] = absent
    return missing


def _render_family(folder: Path, family: int, numbers: list[int]) -> int:
    """Render these images of one family; return how many there are."""
    blank = template(family)
    for number in numbers:
        with whole_file(folder / _file_name(family, number)) as partial:
            partial.write_bytes(memes.render(blank, *caption(family, number)))
    return len(numbers)


def _file_name(family: int, number: int) -> str:
    return f"{family:04d}_{number:05d}.jpg"


def _delete_outdated(folder: Path) -> None:
    """Delete ``folder`` if another recipe rendered its images, and note the current recipe."""
    recipe, note = json.dumps(_recipe(), indent=1), folder / "recipe.json"
    if note.exists() and note.read_text() == recipe:
        return
    if folder.exists():
        if not note.exists() and any(folder.iterdir()):
            raise FileExistsError(
                f"{folder} holds files but no recipe.json, so they were not rendered here: "
                "move them elsewhere"
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    note.write_text(recipe)


def _recipe() -> dict[str, str]:
    """Return what determines the pixels of the stand-in.

    The code is represented by the images that it renders for ``PROBES``, not by its text, so
    rewording a comment renders nothing again. A change that affects none of these images goes
    unnoticed.
    """
    names = [path.name for path in _templates()]
    assets = (memes.FONT, memes.WORDS, memes.WORD_COUNTS, memes.WORD_LENGTHS)
    return {
        "seed": str(project.SEED),
        "pillow": PIL.__version__,
        "templates": _digest(file.encode() for file in names) if names else "drawn",
        "family_sizes": _digest(str(size).encode() for size in memes.family_sizes()),
        "assets": _digest(asset.read_bytes() for asset in assets),
        "probes": _digest(_probes()),
    }


def _probes() -> Iterator[bytes]:
    """Yield the JPEG bytes of the first three images of each family in ``PROBES``."""
    for family in PROBES:
        blank = template(family)
        for number in range(3):
            yield memes.render(blank, *caption(family, number))


def _digest(items: Iterable[bytes]) -> str:
    """Return the SHA-256 of a sequence of byte strings, in hexadecimal."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(hashlib.sha256(item).digest())
    return digest.hexdigest()
