"""Facts about the files of a hash table, and which of its rows are one file."""

import os
import re
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa
from PIL import Image

from finhash.jobs.items import reason
from finhash.tables.hash_table import HashTable

MISSING = "missing"
"""Why a file is left alone that is not at its path."""

NOT_TEXT = "its name is not valid UTF-8: rename the file and hash it again"
"""Why a file is left alone whose path the table holds with escapes."""

CHANGED = "changed since it was hashed"
"""Why a file is left alone whose size or modification time differs from those in the table."""


class Facts(NamedTuple):
    """Facts by which an image to keep is chosen; those that a table does not hold are None."""

    width: int | None = None
    """Pixels per row."""

    height: int | None = None
    """Rows of pixels."""

    bytes: int | None = None
    """Size of the file."""

    modified: int | None = None
    """Time of the last modification, in nanoseconds since 1970."""


@dataclass(frozen=True)
class File:
    """An image file as it was when it was looked at."""

    row: int
    """Row of the table."""

    path: str
    """Path, as it stands in the table."""

    pixels: tuple[int, int]
    """Width and height."""

    status: os.stat_result
    """Status of the file; of its target if it is a symbolic link."""

    is_link: bool
    """Whether it is a symbolic link."""

    entry: tuple[str, str]
    """Its folder, without symbolic links, and its name."""

    @property
    def inode(self) -> tuple[int, int]:
        """Device and number of the file's content, which hard links share."""
        return self.status.st_dev, self.status.st_ino

    def is_unchanged(self) -> bool:
        """Return whether a file of this size and modification time is still at the path."""
        try:
            now = os.stat(self.path)
        except OSError:
            return False
        before = self.status
        return (now.st_size, now.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


class Folders(dict[str, str]):
    """Folders without symbolic links, by the way they are written; each is resolved once."""

    def __missing__(self, folder: str) -> str:
        self[folder] = os.path.realpath(folder)
        return self[folder]


def facts_in(table: HashTable, rows: Sequence[int]) -> list[Facts]:
    """Return the facts that a table holds about some of its rows.

    Parameters
    ----------
    table : HashTable
        Hash table, with or without the columns ``width``, ``height``, ``bytes`` and ``modified``.
    rows : sequence of int
        Rows.

    Returns
    -------
    list of Facts
        Facts of each row; a fact that the table does not hold is None.

    Examples
    --------
    >>> facts_in(HashTable(pa.table({"path": ["a.jpg"], "bytes": [1200]})), [0])
    [Facts(width=None, height=None, bytes=1200, modified=None)]
    """
    chosen = table.arrow.take(pa.array(rows, pa.int64()))
    columns: list[list[int | None]] = []
    for name in Facts._fields:
        place = chosen.schema.get_field_index(name)  # -1 if there is no such column
        if place >= 0 and pa.types.is_integer(chosen.schema.field(place).type):
            columns.append(chosen.column(place).to_pylist())
        else:
            columns.append([None] * len(rows))
    return [Facts(*values) for values in zip(*columns, strict=True)]


def look_up(row: int, path: str, known: Facts, folders: Folders) -> File | str:
    """Return a file as it is now, or why it must be left alone.

    Parameters
    ----------
    row : int
        Row of the table.
    path : str
        Path of the file.
    known : Facts
        What the table says about the file. If the size or the modification time differs, the file
        has changed. The width and height are read from the file if they are not known.
    folders : Folders
        Folders that have been resolved so far.

    Returns
    -------
    File or str
        The file, or the reason.

    Examples
    --------
    >>> look_up(0, "no-such-image.jpg", Facts(), Folders())
    'missing'
    """
    try:
        is_link = stat.S_ISLNK(os.lstat(path).st_mode)
        status = os.stat(path)
    except FileNotFoundError:
        return NOT_TEXT if os.path.lexists(_unescaped(path)) else MISSING
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        return f"cannot be read: {reason(error)}"
    if not stat.S_ISREG(status.st_mode):
        return "not a regular file"
    if known.bytes not in (None, status.st_size) or known.modified not in (
        None,
        status.st_mtime_ns,
    ):
        return CHANGED
    if known.width is None or known.height is None:
        try:
            with Image.open(path) as image:
                pixels = image.size
        except Exception as error:  # Pillow's readers raise errors of many types
            return f"cannot be read: {reason(error)}"
    else:
        pixels = known.width, known.height
    folder, name = os.path.split(path)
    return File(row, path, pixels, status, is_link, (folders[folder], name))


class Names(NamedTuple):
    """Rows that the names of files restrict, with the reason."""

    others: dict[int, str]
    """Rows that stand for the same file as another row, which counts in their place."""

    fixed: dict[int, str]
    """Rows that may be kept, but must not be moved or replaced."""


def check_names(files: Iterable[File]) -> Names:
    """Return which rows must be left alone because of their names.

    Hard links are files of their own, because moving one does not affect the other.

    Parameters
    ----------
    files : iterable of File
        Files, in the order of the table.

    Returns
    -------
    Names
        others : rows with another spelling of the path of an earlier row, and symbolic links to a
            file that has a row of its own
        fixed : other symbolic links, and files to which a symbolic link of the table points

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> Image.radial_gradient("L").save(f"{folder.name}/a.png")
    >>> folders = Folders()
    >>> paths = [f"{folder.name}/a.png", f"{folder.name}/./a.png"]
    >>> files = [look_up(row, path, Facts(), folders) for row, path in enumerate(paths)]
    >>> check_names(files)
    Names(others={1: 'the same file as ...a.png'}, fixed={})
    >>> folder.cleanup()
    """
    # Symbolic links come last, so that the row of a file stands for it and not that of a link.
    ordered = sorted(files, key=lambda file: file.is_link)
    entries: dict[tuple[str, str], File] = {}
    inodes: dict[tuple[int, int], File] = {}
    names = Names({}, {})
    for file in ordered:
        same = entries.setdefault(file.entry, file)
        first = inodes.setdefault(file.inode, file)
        if same is not file:
            names.others[file.row] = f"the same file as {same.path}"
        elif file.is_link:
            names.fixed[file.row] = "a symbolic link"
            if first is not file:
                names.others[file.row] = f"a symbolic link to the same file as {first.path}"
                names.fixed.setdefault(first.row, f"the symbolic link {file.path} points to it")
        elif first is not file and file.status.st_nlink == 1:
            # A file system that ignores case, or one that is mounted twice.
            names.others[file.row] = f"the same file as {first.path}"
    return names


def _unescaped(path: str) -> bytes:
    """Return a path in which bytes that are not UTF-8 were escaped, as it was before."""
    name = os.fsencode(path)
    return re.sub(rb"\\x([89a-f][0-9a-f])", lambda found: bytes.fromhex(found[1].decode()), name)
