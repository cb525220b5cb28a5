"""Output folders that follow folders of images: one row per file, and no rows of missing files."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from finhash.jobs.folders import absolute, is_image_file, is_table
from finhash.jobs.parts import Parts
from finhash.tables.folder import read_names

REASONS = 2
"""Reasons for doubt that are given at most."""


class Plan(NamedTuple):
    """What is to be done so that a folder's rows are those of some files."""

    paths: list[str]
    """Files to hash: absolute paths, or as a row of the folder spells them."""

    superfluous: list[str]
    """Paths of rows to remove."""

    doubt: str
    """Why the removal may be a mistake; empty if it seems to be none."""


def plan(
    out: str | os.PathLike[str],
    files: Iterable[str | os.PathLike[str]],
    folders: Iterable[str | os.PathLike[str]] = (),
) -> Plan:
    """Compare the rows of an output folder with the files that are there now.

    A file has one row, under its absolute path. If the output folder already has a row of the file
    under another spelling, such as a relative path, this spelling stays. Relative paths of rows are
    looked up from the current folder. Symbolic and hard links are files of their own. A row whose
    id is not the path of its image, as ``hash_images`` can make them, belongs to no file.

    Parameters
    ----------
    out : str or path-like
        Output folder of ``hash_files``, which need not exist.
    files : iterable of str or path-like
        Files that are there now.
    folders : iterable of str or path-like
        Folders that were searched for files. Only rows of files in these folders can be gone.

    Returns
    -------
    Plan
        paths : one path per file, for ``hash_files``
        superfluous : rows in ``folders`` whose files are no longer there or are no image files any
            more, and further rows of files that have several, for ``remove``
        doubt : a reason to ask before removing rows: more than half of the files of a folder are
            gone, or the folder is empty in which they were, as if a disk were missing

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> from finhash import HashTable, hash_files
    >>> folder = tempfile.TemporaryDirectory()
    >>> paths = [f"{folder.name}/{name}.png" for name in "abc"]
    >>> for path in paths:
    ...     Image.radial_gradient("L").save(path)
    >>> out = f"{folder.name}/hashes"
    >>> table = hash_files(paths, out=out, progress=False)
    >>> Path(paths[1]).unlink()
    >>> todo = plan(out, [paths[0], paths[2]], [folder.name])
    >>> [Path(path).name for path in todo.superfluous], todo.doubt
    (['b.png'], '')
    >>> remove(out, todo.superfluous)
    >>> len(HashTable.read(out))
    2
    >>> folder.cleanup()
    """
    rows: dict[str, list[str]] = {}
    for name in read_names(out) if _is_output(out) else ():
        rows.setdefault(absolute(name), []).append(name)
    paths: list[str] = []
    superfluous: dict[str, None] = {}
    there = dict.fromkeys(map(absolute, files))
    for path in there:
        spellings = rows.get(path, [path])
        paths.append(path if path in spellings else spellings[0])
        if len(spellings) > 1:
            superfluous |= dict.fromkeys(name for name in spellings if name != paths[-1])
    doubts: dict[str, None] = {}
    for folder in map(absolute, folders):
        start = folder.rstrip(os.sep) + os.sep
        inside = [path for path in rows if path.startswith(start)]
        gone = [path for path in inside if path not in there and _is_gone(path)]
        superfluous |= dict.fromkeys(name for path in gone for name in rows[path])
        if 2 * len(gone) > len(inside):
            doubts[f"{len(gone)} of {len(inside)} files in {folder} are no longer there"] = None
        for place in dict.fromkeys(_existing_folder(path) for path in gone):
            if not any(Path(place).iterdir()):
                doubts[f"the folder {place} is empty"] = None
    return Plan(paths, list(superfluous), " and ".join(list(doubts)[:REASONS]))


def remove(out: str | os.PathLike[str], paths: Iterable[str | os.PathLike[str]]) -> None:
    """Remove the rows of some paths from an output folder.

    An interruption leaves rows that another call removes, and no incomplete file.

    Parameters
    ----------
    out : str or path-like
        Output folder of ``hash_files``.
    paths : iterable of str or path-like
        Paths, as the rows spell them. Paths without a row are ignored.

    Raises
    ------
    ValueError
        If ``out`` is no such folder, or ``hash_files`` could not add to it.
    RuntimeError
        If another run is using the folder.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from finhash import HashTable, hash_images
    >>> folder = tempfile.TemporaryDirectory()
    >>> images = [(name, np.zeros((9, 9, 3), np.uint8)) for name in ("17", "18")]
    >>> table = hash_images(images, out=folder.name, progress=False)
    >>> remove(folder.name, ["17"])
    >>> HashTable.read(folder.name).paths
    ['18']
    >>> folder.cleanup()
    """
    if not _is_output(out):
        raise ValueError(f"{out} holds no parts of a finhash table: give a folder that has some")
    with Parts(out, []) as parts:
        parts.remove(map(os.fsdecode, paths))


def _is_output(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is an output folder that holds parts."""
    return Path(path).is_dir() and is_table(path)


def _is_gone(path: str) -> bool:
    """Return whether there is certainly no image file at a path; a disk error leaves it open."""
    try:
        status = Path(path).stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return True
    except OSError:
        return False
    if not stat.S_ISREG(status.st_mode):
        return True
    return os.access(path, os.R_OK) and not is_image_file(path)


def _existing_folder(path: str) -> str:
    """Return the innermost folder of a missing file's path that exists."""
    return next(str(parent) for parent in Path(path).parents if parent.is_dir())
