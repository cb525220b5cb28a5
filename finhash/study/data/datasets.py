"""The data set of a run: the user's own images, or a stand-in that is rendered.

A data set is a folder of files named ``FFFF_ID.jpg``: the number of the family in at least four
digits, an underscore, and the number of the image. ``load`` returns the first of these that is
available:

1. ``das_images``: the user's own set, such as that of the course, from ``data/das_images`` or from
   ``FINHASH_DAS_IMAGES``;
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
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice, pairwise, zip_longest
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from finhash.accuracy.labels import VERDICTS_FILE
from finhash.files import printable, whole_file
from finhash.images import ImageError, open_image
from finhash.study import project
from finhash.study.data import memes, standin

FILE_NAME = re.compile(r"(\d{4,18})_(\d+)\.jpe?g", re.IGNORECASE | re.ASCII)
LOC_TABLES = ("families.csv", "report.csv")
"""Tables that ``loc`` writes beside the images that it downloads."""
DAS_MD5 = "fcb1ff3c62f3ca39c39985a4bba0d873"
"""MD5 of the course's zip."""
TITLES = {"memes": "set A", "memes_b": "set B", "drawn": "the drawn set"}
"""Titles of the stand-ins."""
UNTITLED = "your images"
"""Title of a user's set whose folder is named ``das_images`` or ``unpacked``."""
ONE_IN = (1_000, 10_000, 100_000)
"""Pairs per false match at the rates for which the study reports recall."""
LARGEST = 2**28
"""Largest accepted file in a zip, in bytes: a few kilobytes of a zip can claim any size."""
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError)
"""Exceptions that a damaged zip raises."""
LISTED = 5
"""Number of file names that a message lists, at most."""


class NoPairsError(ValueError):
    """A data set without the pairs of images that measuring accuracy takes."""


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
        The images of this run, sorted by family and name.
    title : str
        Name of the set in reports: of a user's set, that of the folder or zip.
    left_out : int
        Number of images in the folder that the scale of this run leaves out.
    skipped : tuple of str
        Names in the user's folder or zip that do not match ``FFFF_ID.jpg``, without hidden files
        and ``verdicts.csv``.
    verdicts : Path, optional
        The user's file of families that show the same image.
    """

    name: str
    folder: Path
    paths: list[Path]
    title: str = UNTITLED
    left_out: int = 0
    skipped: tuple[str, ...] = ()
    verdicts: Path | None = None

    def __len__(self) -> int:
        return len(self.paths)

    def __str__(self) -> str:
        text = f"{self.title}: {len(self):,} images of {len(self.by_family()):,} families"
        if self.left_out:
            text += f"; the scale {project.scale().name} leaves out {self.left_out:,} more"
        if self.skipped:
            listed = ", ".join(map(printable, self.skipped[:LISTED]))
            listed += ", ..." * (len(self.skipped) > LISTED)
            text += f"; not named FFFF_ID.jpg, so left out ({len(self.skipped):,}): {listed}"
        return text

    @property
    def standin(self) -> bool:
        """Whether the set is one of the stand-ins, and not the user's own."""
        return self.name in standin.STANDINS

    @property
    def families(self) -> np.ndarray:
        """The family of each image, as integers of shape ``(images,)``."""
        return families_of(self.paths)

    def by_family(self) -> dict[int, list[Path]]:
        """Return the images of each family, families in ascending order."""
        found: dict[int, list[Path]] = {}
        for family, path in zip(self.families.tolist(), self.paths, strict=True):
            found.setdefault(family, []).append(path)
        return found

    def pairs(self) -> list[tuple[Path, Path]]:
        """Return the first two readable images of each family that has them."""
        found = (list(islice(filter(readable, f), 2)) for f in self.by_family().values())
        return [(pair[0], pair[1]) for pair in found if len(pair) == 2]

    def some(self, number: int) -> list[Path]:
        """Return up to ``number`` readable images, evenly spaced over the set.

        Raises
        ------
        ValueError
            If no image can be read.
        """
        bounds = np.linspace(0, len(self), min(number, len(self)) + 1).astype(int)
        sections = [filter(readable, self.paths[a:b]) for a, b in pairwise(bounds)]
        # The first image of each section; second images follow if a section has no readable one.
        spread = filter(None, chain.from_iterable(zip_longest(*sections)))
        found = list(islice(spread, number))
        if not found:
            raise ValueError(
                f"none of the {len(self):,} images in {self.folder} can be read: check that they "
                "are complete JPEG files"
            )
        return found

    def squares(self, number: int) -> list[Path]:
        """Return up to ``number`` JPEG files of 250 x 250 pixels, made from images of the set.

        They are ``some(number)``. An image that is no RGB JPEG of this size is resized, and the
        copy is kept in the folder ``squares`` of the run.
        """
        folder = project.out() / "squares" / self.fingerprint[:16]
        return [_square(path, folder) for path in self.some(number)]

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
    >>> families_of(["memes/0007_00001.jpg", "12345_31.jpg"]).tolist()
    [7, 12345]
    """
    return np.array([int(Path(path).name.split("_", 1)[0]) for path in paths], np.int64)


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


def readable(path: Path) -> bool:
    """Return whether an image file can be decoded."""
    return not _facts(path).error


def load(
    scale: project.Scale | None = None, *, name: str | None = None, progress: bool = True
) -> Dataset:
    """Return a data set; render a stand-in's missing images, or unpack the user's zip, first.

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
        If the user's set is ambiguous, if its zip cannot be unpacked, or if a template does not
        have its listed SHA-256.
    """
    scale = scale or project.scale()
    name = name or project.data_set()
    if name == "das_images":
        return _load_own(scale, progress)
    folder = project.data() / name
    standin.STANDINS[name].render(folder, scale, progress=progress)
    images, _ = _sorted_out(folder)
    paths = _subset(images, scale)
    return Dataset(name, folder, paths, TITLES[name], len(images) - len(paths))


def load_standin(scale: project.Scale | None = None, *, progress: bool = True) -> Dataset:
    """Return the stand-in that this run can render: ``memes`` if it has templates, else ``drawn``.

    The parameters are those of ``load``.
    """
    name = "memes" if os.environ.get("FINHASH_TEMPLATES") else "drawn"
    return load(scale, name=name, progress=progress)


def require_pairs(dataset: Dataset) -> None:
    """Raise ``NoPairsError`` unless there are pairs of readable images of one and of two families.

    Only as many images are decoded as this takes.
    """
    largest = families = 0
    for paths in dataset.by_family().values():
        number = len(list(islice(filter(readable, paths), 2)))
        largest, families = max(largest, number), families + (number > 0)
        if largest == 2 and families > 1:
            return
    raise NoPairsError(
        "no family has two readable images, so recall cannot be measured"
        if largest < 2
        else "all readable images are of one family, so no false positive rate can be measured"
    )


def inspect(dataset: Dataset) -> pd.DataFrame:
    """Decode all images of a data set.

    Returns
    -------
    DataFrame
        One row per image:

        name : str
            File name.
        family : int
            Number of the family.
        bytes : int
            Size of the file, in bytes.
        width, height : float
            Size of the image, in pixels; missing if it cannot be read.
        error : str
            Why the image cannot be read; otherwise empty.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        bar = tqdm(pool.map(_facts, dataset.paths), "decoding", len(dataset), leave=False)
        table = pd.DataFrame(bar, columns=list(_Facts._fields))
    table.insert(1, "family", dataset.families)
    return table


def summary(dataset: Dataset, files: pd.DataFrame) -> pd.DataFrame:
    """Summarise a data set.

    Parameters
    ----------
    dataset : Dataset
        A data set with at least one readable image.
    files : DataFrame
        Result of ``inspect``.

    Returns
    -------
    DataFrame
        One row:

        images : int
            Number of images.
        families : int
            Number of families.
        single_families : int
            Number of families with exactly one readable image.
        unreadable : int
            Number of images that cannot be read.
        skipped : int
            Number of files that are left out because of their names.
        width_min, width_median, width_max, height_min, height_median, height_max : int
            Sizes of the readable images, in pixels.
        bytes_median : int
            Median size of the files of the readable images, in bytes.
        same_pairs, other_pairs : int
            Number of pairs of readable images of one family, and of two families.
    """
    good = files[files["error"] == ""]
    sizes = good["family"].value_counts()
    same = int((sizes * (sizes - 1) // 2).sum())
    row = {
        "images": len(files),
        "families": files["family"].nunique(),
        "single_families": int((sizes == 1).sum()),
        "unreadable": len(files) - len(good),
        "skipped": len(dataset.skipped),
    }
    for side in ("width", "height"):
        for statistic in ("min", "median", "max"):
            row[f"{side}_{statistic}"] = int(good[side].agg(statistic))
    row["bytes_median"] = int(good["bytes"].median())
    row["same_pairs"] = same
    row["other_pairs"] = len(good) * (len(good) - 1) // 2 - same
    return pd.DataFrame([row])


def family_sizes(dataset: Dataset) -> pd.DataFrame:
    """Count the images of each family.

    Returns
    -------
    DataFrame
        One row per family, the largest first:

        rank : int
            Rank of the family, from 1.
        images : int
            Number of its images.
    """
    sizes = sorted(map(len, dataset.by_family().values()), reverse=True)
    return pd.DataFrame({"rank": range(1, len(sizes) + 1), "images": sizes})


def limits(same_pairs: int, other_pairs: int) -> str:
    """Say in one sentence what a data set is too small to show; empty if it is large enough.

    Parameters
    ----------
    same_pairs, other_pairs : int
        Numbers of pairs of readable images of one family, and of two families.

    Examples
    --------
    >>> print(limits(500, 40_000))
    The 40,000 pairs of images of different families are too few to measure a false positive rate
    of 1 in 100,000.
    """
    if not same_pairs:
        return "No family has two readable images, so recall cannot be measured."
    if not other_pairs:
        return "All readable images are of one family, so no false positive rate can be measured."
    beyond = [f"1 in {one_in:,}" for one_in in ONE_IN if other_pairs < one_in]
    if not beyond:
        return ""
    return (
        f"The {other_pairs:,} pairs of images of different families are too few to measure a false "
        f"positive rate of {' or '.join(beyond)}."
    )


class _Facts(NamedTuple):
    """What ``inspect`` finds out about a file."""

    name: str
    bytes: int
    width: float
    height: float
    error: str


def _facts(path: Path) -> _Facts:
    """Decode an image and return what ``inspect`` tabulates."""
    try:
        size = path.stat().st_size
        width, height = open_image(path).size
    except (OSError, ImageError) as error:
        return _Facts(path.name, 0, np.nan, np.nan, f"{type(error).__name__}: {error}")
    return _Facts(path.name, size, width, height, "")


def _square(path: Path, folder: Path) -> Path:
    """Return a JPEG file of 250 x 250 RGB pixels: ``path``, or a copy in ``folder``."""
    side = (memes.SIDE, memes.SIDE)
    with Image.open(path) as image:
        if (image.format, image.mode, image.size) == ("JPEG", "RGB", side):
            return path
    copy = folder / f"{path.stem}.jpg"
    if not copy.exists():
        resized = open_image(path).convert("RGB").resize(side, Image.Resampling.LANCZOS)
        with whole_file(copy) as partial:
            partial.write_bytes(memes.jpeg(resized))
    return copy


def _load_own(scale: project.Scale, progress: bool) -> Dataset:
    """Return the user's own set."""
    place = _place()
    beside = place.parent / VERDICTS_FILE
    folder, skipped = place, None
    if place.is_file():
        folder, skipped = _unpack(place, progress)
    images, others = _sorted_out(folder)
    skipped = others if skipped is None else skipped
    title = place.stem if place.is_file() else place.resolve().name
    candidates = [folder / VERDICTS_FILE] if place.is_dir() else [beside, folder / VERDICTS_FILE]
    paths = _subset(images, scale)
    return Dataset(
        "das_images",
        folder,
        paths,
        UNTITLED if title in ("das_images", "unpacked") else title,
        len(images) - len(paths),
        tuple(skipped),
        next(filter(Path.is_file, candidates), None),
    )


def _place() -> Path:
    """Return the folder of the user's own images, or their zip."""
    given = os.environ.get("FINHASH_DAS_IMAGES")
    place = project.das_images()
    if given:
        # A relative path is relative to the checkout: notebooks run in a folder of their own.
        place = project.root() / Path(given).expanduser()
        if not place.exists():
            raise FileNotFoundError(
                f"FINHASH_DAS_IMAGES is {given!r}, but {place} does not exist: set it to a folder "
                "of images or to a zip; relative paths are relative to the checkout"
            )
    if place.is_file():
        return place
    if any(_sorted_out(place)[0]):
        return place
    # Unpacking a zip by hand may have made a folder in this one.
    inside = [folder for folder in _folders(place) if any(_sorted_out(folder)[0])]
    found = inside or sorted(path for path in place.glob("*.[zZ][iI][pP]") if path.is_file())
    if not found:
        raise FileNotFoundError(
            f"{place} holds neither images named FFFF_ID.jpg, for example 0007_00001.jpg, nor a zip"
        )
    if len(found) > 1:
        listed = ", ".join(str(path.relative_to(place)) for path in found[:LISTED])
        raise ValueError(
            f"{place} holds {len(found)} folders of images or zips ({listed}): keep one of them "
            "there, or set FINHASH_DAS_IMAGES to one"
        )
    return found[0]


def _folders(place: Path) -> list[Path]:
    """Return the folders below ``place``, without hidden ones and the cache of unpacked zips."""
    found = []
    for path in sorted(place.glob("[!.]*")):
        if path.is_dir() and path != project.unpacked():
            found += [path, *_folders(path)]
    return found


def _sorted_out(folder: Path) -> tuple[list[Path], list[str]]:
    """Return the images of a folder, sorted by family and name, and the names of the rest.

    Hidden files, verdicts and the cache of unpacked zips are in neither list.
    """
    images, others = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if FILE_NAME.fullmatch(entry.name) and entry.is_file():
                images.append(folder / entry.name)
            elif not _ignored(entry.name) and Path(entry) != project.unpacked():
                others.append(entry.name)
    return sorted(images, key=lambda path: (family_and_number(path)[0], path.name)), sorted(others)


def _ignored(name: str) -> bool:
    """Return whether a file is neither an image nor worth a mention."""
    return name.startswith(".") or name in (VERDICTS_FILE, *LOC_TABLES)


def _unpack(archive: Path, progress: bool) -> tuple[Path, list[str]]:
    """Unpack the images of a zip, unless that was done before.

    Returns the folder of the images, and the names of the zip's other files. A folder is complete
    if it does not begin with a dot; an interrupted one is continued.
    """
    with archive.open("rb") as file:
        md5 = hashlib.file_digest(file, "md5").hexdigest()
    folder = project.unpacked() / f"{archive.stem}-{md5[:8]}"
    try:
        with zipfile.ZipFile(archive) as contents:
            files = [member for member in contents.infolist() if not member.is_dir()]
            wanted = _wanted(archive, files)
            if not folder.exists():
                course = ", the course's zip" if md5 == DAS_MD5 else ""
                tqdm.write(f"unpacking {archive.name}{course}, into {folder}")
                _extract(contents, wanted, folder, progress)
    except (*DAMAGED, RuntimeError) as error:  # RuntimeError: a password is needed
        raise ValueError(
            f"{archive} cannot be unpacked ({error}): copy or download it again, or unpack it "
            "yourself and set FINHASH_DAS_IMAGES to the folder"
        ) from error
    names = (Path(member.filename) for member in files)
    return folder, sorted(
        str(path)
        for path in names
        if not FILE_NAME.fullmatch(path.name) and not _ignored(path.name)
    )


def _wanted(archive: Path, files: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """Return the images and verdicts of a zip by their names without folders.

    Without its folders, the name of a member cannot lead out of the folder of the images.
    """
    wanted: dict[str, zipfile.ZipInfo] = {}
    for member in files:
        name = Path(member.filename).name
        if not FILE_NAME.fullmatch(name) and name != VERDICTS_FILE:
            continue
        if member.file_size > LARGEST:
            raise ValueError(
                f"{archive} holds {member.filename}, which has {member.file_size:,} bytes unpacked "
                f"and may have {LARGEST:,}: if you trust the zip, unpack it yourself and set "
                "FINHASH_DAS_IMAGES to the folder"
            )
        # Some file systems do not tell capital letters from small ones.
        earlier = wanted.setdefault(name.casefold(), member)
        if (earlier.CRC, earlier.file_size) != (member.CRC, member.file_size):
            raise ValueError(
                f"{archive} holds two different files named {name}: {earlier.filename} and "
                f"{member.filename}; give one of them another number"
            )
    named = {Path(member.filename).name: member for member in wanted.values()}
    if not any(map(FILE_NAME.fullmatch, named)):
        raise FileNotFoundError(
            f"{archive} holds no images named FFFF_ID.jpg, for example 0007_00001.jpg"
        )
    return named


def _extract(
    contents: zipfile.ZipFile, wanted: dict[str, zipfile.ZipInfo], folder: Path, progress: bool
) -> None:
    """Write members of a zip to ``folder``, which appears when all are written."""
    partial = folder.with_name(f".{folder.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    # Others were written before an interruption.
    missing = {name: each for name, each in wanted.items() if not (partial / name).exists()}
    needed, free = sum(each.file_size for each in missing.values()), shutil.disk_usage(partial).free
    if needed > free:
        raise ValueError(
            f"the images of {contents.filename} take {needed:,} bytes unpacked, and {partial} has "
            f"{free:,} bytes free: free some space, or unpack the zip elsewhere and set "
            "FINHASH_DAS_IMAGES to the folder"
        )
    for name, member in tqdm(
        missing.items(), "unpacking", unit="file", disable=not progress, leave=False
    ):
        with whole_file(partial / name) as unfinished:
            unfinished.write_bytes(contents.read(member))
    partial.replace(folder)


def _subset(paths: list[Path], scale: project.Scale) -> list[Path]:
    """Return the first ``per_family`` images of each of the first ``families`` families."""
    counts: dict[int, int] = {}
    chosen = []
    for path, family in zip(paths, families_of(paths).tolist(), strict=True):
        if family not in counts and len(counts) == scale.families:
            break
        counts[family] = counts.get(family, 0) + 1
        if scale.per_family is None or counts[family] <= scale.per_family:
            chosen.append(path)
    return chosen
