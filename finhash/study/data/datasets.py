"""The data set of a run: the course's set, or a stand-in that is rendered.

A data set is a folder of files named ``FFFF_ID.jpg``: the number of the family in four digits, an
underscore, and the number of the image. ``load`` returns the first of these that is available:

1. ``das_images``: the course's set, from ``data/das_images`` or from ``FINHASH_DAS_IMAGES``;
2. ``memes``: captions on real templates, which the folder ``FINHASH_TEMPLATES`` holds;
3. ``drawn``: captions on drawn templates, which need no files.

The last two are stand-ins, which the module ``standin`` renders. A third stand-in, ``memes_b``, is
loaded by its name only.
"""

import hashlib
import os
import re
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from tqdm import tqdm

from finhash.jobs.files import whole_file
from finhash.study import project
from finhash.study.data import standin

FILE_NAME = re.compile(r"(\d{4})_(\d+)\.jpe?g", re.IGNORECASE)
DAS_MD5 = "fcb1ff3c62f3ca39c39985a4bba0d873"
"""MD5 of the course's zip."""


@dataclass(frozen=True)
class Dataset:
    """A folder of images whose file names begin with their family.

    Attributes
    ----------
    name : str
        ``"das_images"``, or the name of a stand-in: ``"memes"``, ``"memes_b"`` or ``"drawn"``.
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


def load(
    scale: project.Scale | None = None, *, name: str | None = None, progress: bool = True
) -> Dataset:
    """Return a data set; render a stand-in's missing images first.

    Parameters
    ----------
    scale : Scale, optional
        Number of families and images to use. The default is the scale of ``FINHASH_SCALE``.
    name : str, optional
        Name of the data set. The default is the data set of this run, which is never ``memes_b``.
    progress : bool
        Show progress bars.

    Raises
    ------
    FileNotFoundError
        If an environment variable names a place without images, or a folder that lacks a template.
    ValueError
        If the course's zip does not have its known MD5, or a template not its listed SHA-256.
    """
    scale = scale or project.scale()
    name = name or project.data_set()
    if name == "das_images":
        source = _das_images()
        folder = source if source.is_dir() else _unpack(source, progress)
    else:
        folder = project.data() / name
        standin.STANDINS[name].render(folder, scale, progress=progress)
    paths = list(_subset(sorted(_image_files(folder)), scale))
    if not paths:
        raise FileNotFoundError(f"{folder} holds no images named FFFF_ID.jpg")
    return Dataset(name, folder, paths)


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
