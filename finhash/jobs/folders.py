"""Image files in folders, told by their names or their content."""

import os
import struct
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageFile

from finhash.files import counted

KINDS = 5
"""Kinds of files that are named when files are skipped."""

CERTAIN = {"AVIF", "GIF", "JPEG", "JPEG2000", "PNG", "TIFF", "WEBP"}
"""Formats whose signatures are too long for text to begin so by chance."""

NO_PHOTOS = {"EPS", "MPEG"}
"""Formats that Pillow recognizes, but opens as documents or not at all."""

UNREADABLE = "/"
"""Key under which folders that cannot be read are counted among skipped files."""


def image_files(
    sources: Iterable[str | os.PathLike[str]],
    skipped: Counter[str] | None = None,
    unreadable: list[str] | None = None,
) -> Iterator[str | os.PathLike[str]]:
    """Yield each file, and each image file of a folder.

    A file of a folder is an image file if its name has the extension of an image format, or if its
    first bytes are those of such a format. Damaged images are thus found, and photos without an
    extension or with a wrong one. A file with the extension of an image is not opened.

    Parameters
    ----------
    sources : iterable of str or path-like
        Files and folders. Folders are searched with their subfolders, but links to folders are not
        followed.
    skipped : Counter of str, optional
        Counts the files of the folders that are no image files, by lower-case extension, and under
        ``UNREADABLE`` the folders that cannot be read.
    unreadable : list of str, optional
        Gets the paths of the folders that cannot be read.

    Yields
    ------
    str or path-like
        A file as it was given, or the path of a file in a folder. Files of a folder are sorted.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> for name in ("b.JPG", "notes.txt"):
    ...     Path(folder.name, name).touch()
    >>> Image.radial_gradient("L").save(f"{folder.name}/a", "PNG")
    >>> skipped = Counter()
    >>> files = image_files([folder.name, "./other.bin"], skipped)
    >>> [Path(path).name for path in files], skipped
    (['a', 'b.JPG', 'other.bin'], Counter({'.txt': 1}))
    >>> folder.cleanup()
    """
    others: Counter[str] = Counter() if skipped is None else skipped
    closed: list[str] = [] if unreadable is None else unreadable
    for source in sources:
        path = Path(source)
        if not path.is_dir():
            yield source
            continue
        known = len(closed)
        for file in _files(str(path), closed):
            if is_image_file(file):
                yield file
            else:
                others[Path(file).suffix.lower()] += 1
        if len(closed) > known:
            others[UNREADABLE] += len(closed) - known


def is_image_file(path: str | os.PathLike[str]) -> bool:
    """Return whether ``image_files`` takes a file of a folder for an image file.

    Examples
    --------
    >>> is_image_file("photos/a.JPG")
    True
    """
    formats = _formats()
    if Path(path).suffix.lower() in formats.extensions:
        return True
    try:
        with Path(path).open("rb", buffering=0) as file:
            head = file.read(16)  # what Pillow passes to these functions
            possible = [name for name, fits in formats.signatures.items() if _accepts(fits, head)]
            if not possible or not CERTAIN.isdisjoint(possible):
                return bool(possible)
            file.seek(0)
            # Other signatures are as short as two letters, so the header must fit too.
            with Image.open(file, formats=possible):
                return True
    except Image.DecompressionBombError:
        return True
    except Exception:  # Pillow's readers raise errors of many types
        return False


def describe_skipped(skipped: Counter[str]) -> str:
    """Return in words how many files were skipped, by extension; empty if there are none.

    Examples
    --------
    >>> describe_skipped(Counter({".pdf": 2, "": 1}))
    'skipped 3 files that are not images (2 .pdf, 1 without extension)'
    """
    files = Counter({kind: count for kind, count in skipped.items() if kind != UNREADABLE})
    first, total = files.most_common(KINDS), files.total()
    kinds = [f"{count} {kind or 'without extension'}" for kind, count in first]
    if more := total - sum(count for _, count in first):
        kinds.append(f"{more} others")
    words = []
    if total:
        number = counted(total, "file that is not an image", "files that are not images")
        words.append(f"skipped {number} ({', '.join(kinds)})")
    if folders := skipped[UNREADABLE]:
        words.append(f"skipped {counted(folders, 'folder')} that cannot be read")
    return "; ".join(words)


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

    Warns
    -----
    RuntimeWarning
        If the folder has subfolders that cannot be read.

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
        unreadable: list[str] = []
        found = list(image_files([path], unreadable=unreadable))
        words = _unreadable(unreadable)
        if not found:
            raise ValueError(
                f"the folder {path} has no image files{f' ({words})' if words else ''}; pass "
                "another folder, or a list of files"
            )
        if words:
            warnings.warn(
                f"images are left out, because {words}; let this process read it, or pass a list "
                "of files",
                RuntimeWarning,
                stacklevel=3,  # the caller of hash_files or evaluate
            )
        return found
    if not path.exists():
        raise ValueError(
            f"there is no file or folder {path}; pass an existing one, or a list of files, such as "
            f"glob.glob({os.fspath(paths)!r}) for a pattern"
        )
    return [paths]


def _unreadable(folders: Sequence[str]) -> str:
    """Return in words that folders cannot be read, with the first one's name; empty if none."""
    if not folders:
        return ""
    more = f" and {len(folders) - 1} more" if len(folders) > 1 else ""
    return f"the folder {folders[0]}{more} cannot be read"


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


def absolute(path: str | os.PathLike[str]) -> str:
    """Return the absolute path of a file without ``.``, ``..`` and repeated slashes.

    Symbolic links are kept, except in front of ``..``, where they decide which folder is meant.

    Examples
    --------
    >>> absolute("/photos//./more/../a.jpg")
    '/photos/a.jpg'
    """
    path = os.fspath(path)
    if path.startswith("/") and not ("//" in path or "/." in path or path.endswith("/")):
        return path  # saves most of the time for long lists
    normal = os.path.abspath(path)  # noqa: PTH100 - Path.resolve() would follow links
    if os.pardir in path:
        given, parent = Path(path), Path(normal).parent
        with suppress(OSError):
            if not given.parent.samefile(parent):
                return str(given.parent.resolve() / given.name)
    return normal


class _Formats(NamedTuple):
    """What image files look like."""

    extensions: frozenset[str]
    """Lower-case extensions of image formats."""

    signatures: dict[str, Callable[[bytes], bool | str]]
    """By format, a function that says whether a file that begins so can be of the format."""


@lru_cache(maxsize=1)
def _formats() -> _Formats:
    """Return the extensions and signatures of the formats that Pillow can decode here."""
    extensions = Image.registered_extensions()
    known = {
        name: fits
        for name, (reader, fits) in Image.OPEN.items()
        # Pillow only recognizes the formats of stubs.
        if name not in NO_PHOTOS
        and not (isinstance(reader, type) and issubclass(reader, ImageFile.StubImageFile))
    }
    return _Formats(
        # Pillow 12.1 and earlier register "" when an image is saved as SPIDER to an open file.
        frozenset(e for e, name in extensions.items() if e and (name in known or name == "MPO")),
        {name: fits for name, fits in known.items() if fits is not None},
    )


def _accepts(fits: Callable[[bytes], bool | str], head: bytes) -> bool:
    """Return whether a format's function finds its signature in the first bytes of a file."""
    try:
        accepted = fits(head)
    except (SyntaxError, IndexError, TypeError, struct.error):  # as in Pillow: the file is short
        return False
    # Text says that the format is recognized, but not supported by this Pillow.
    return bool(accepted) and not isinstance(accepted, str)


def _files(folder: str, unreadable: list[str]) -> Iterator[str]:
    """Yield the regular files of a folder and its subfolders, sorted by parts of their paths."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError:
        unreadable.append(folder)
        return
    for entry in entries:
        path = entry.name if folder == "." else entry.path
        with suppress(OSError):
            if entry.is_dir(follow_symlinks=False):
                yield from _files(path, unreadable)
            elif entry.is_file():
                yield path
