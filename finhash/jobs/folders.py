"""Image files in folders."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from PIL import Image


def image_files(
    sources: Iterable[str | os.PathLike[str]],
) -> Iterator[str | os.PathLike[str]]:
    """Yield each file, and each file of a folder whose extension is an image format's.

    Parameters
    ----------
    sources : iterable of str or path-like
        Files and folders. Folders are searched with their subfolders.

    Yields
    ------
    str or path-like
        A file as it was given, or the path of a file in a folder. Files of a folder are sorted.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> for name in ("b.JPG", "a.png", "notes.txt"):
    ...     Path(folder.name, name).touch()
    >>> [Path(path).name for path in image_files([folder.name, "./other.bin"])]
    ['a.png', 'b.JPG', 'other.bin']
    >>> folder.cleanup()
    """
    for source in sources:
        path = Path(source)
        if path.is_dir():
            # Loads all of Pillow's formats, so it waits for the first folder.
            extensions = Image.registered_extensions()
            found = (path for path in path.rglob("*") if path.suffix.lower() in extensions)
            yield from sorted(path for path in found if path.is_file())
        else:
            yield source


def files_of(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
) -> Iterable[str | os.PathLike[str]]:
    """Return the files that an argument stands for: those of a folder, one file, or the given ones.

    Parameters
    ----------
    paths : iterable of str or path-like, or one path
        Files, which are returned as they are; or the path of a file or of a folder.

    Returns
    -------
    iterable of str or path-like
        The files.

    Raises
    ------
    TypeError
        If ``paths`` cannot be iterated.
    ValueError
        If there is no file at the path, or no image file in the folder.

    Examples
    --------
    >>> files_of(["a.jpg", "b.jpg"])
    ['a.jpg', 'b.jpg']
    >>> files_of("*.jpg")
    Traceback (most recent call last):
    ValueError: there is no file or folder *.jpg; pass an existing one, or a list of files, such as
    glob.glob('*.jpg') for a pattern
    """
    if not isinstance(paths, str | os.PathLike):
        if not isinstance(paths, Iterable):
            raise TypeError(
                f"paths is of type {type(paths).__name__}; pass paths of files, or pairs of an id "
                "and an image to finhash.hash_images"
            )
        return paths
    path = Path(paths)
    if path.is_dir():
        if found := list(image_files([path])):
            return found
        raise ValueError(
            f"the folder {path} has no files with the extension of an image format; pass another "
            "folder, or a list of files"
        )
    if not path.exists():
        raise ValueError(
            f"there is no file or folder {path}; pass an existing one, or a list of files, such as "
            f"glob.glob({os.fspath(paths)!r}) for a pattern"
        )
    return [paths]


def is_table(path: str | os.PathLike[str]) -> bool:
    """Return whether a path holds hashes: a Parquet file, or a folder of parts.

    Examples
    --------
    >>> is_table("photos")
    False
    """
    path = Path(path)
    if path.is_dir():
        return any(path.glob("part-*.parquet"))
    with suppress(OSError):
        if path.is_file():  # opening a pipe would wait for a writer
            with path.open("rb") as file:
                return file.read(4) == b"PAR1"
    return False
