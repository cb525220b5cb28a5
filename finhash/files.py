"""Files that are written completely or not at all, and output to devices, pipes and stdout."""

import codecs
import errno
import io
import os
import shutil
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, BinaryIO, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_UNSYNCED = {errno.EACCES, errno.EPERM, errno.EINVAL, errno.ENOTSUP}
"""Errors of folders that this process may not read, or that their file system cannot sync."""

_IRREPLACEABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EXDEV}
"""Errors with which a folder refuses a new file that one of its own files may still accept."""


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path to write to; put its content at ``path`` if the block succeeds.

    A file, or a name without one, gets the content by renaming. The temporary file is then in the
    same folder, and missing folders are created. The file is complete even if the machine then
    loses power: its content is on disk before it is renamed, and its name when the call has
    returned, if the file system supports that. Permissions and extended attributes of
    an existing file are kept, and its owner and group if this process may set them. Other hard
    links to an existing file keep the old content. A symbolic link is followed: the link stays, and
    the file to which it leads is replaced or created.

    Some files cannot be replaced, because their folder accepts no new files or they are mount
    points. They are overwritten instead, which a crash can leave incomplete.

    Devices, pipes and sockets stay in place, and so do names of open files, such as
    ``/dev/stdout``. They are opened before the block runs, and a named pipe waits for its reader.
    The temporary file is in the system's folder for temporary files, and its content is copied
    after the block.

    If the block raises, the temporary file is deleted, an existing file stays as it was, and
    nothing is written to a device, pipe or socket.

    Parameters
    ----------
    path : str or path-like
        Where the content is wanted.

    Yields
    ------
    Path
        Empty file to write to.

    Raises
    ------
    IsADirectoryError
        If there is a folder at ``path``.
    OSError
        If ``path`` cannot be written.

    Examples
    --------
    >>> folder = TemporaryDirectory()
    >>> target = Path(folder.name, "new", "note.txt")
    >>> with whole_file(target) as partial:
    ...     _ = partial.write_text("done")
    ...     target.exists()
    False
    >>> target.read_text()
    'done'
    >>> folder.cleanup()
    """
    path = Path(path)
    try:
        status = path.stat()
    except FileNotFoundError:
        status = None
    if status and stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(f"{path} is a folder: give the name of a file")
    descriptor = _descriptor(path)
    if descriptor is None and (status is None or stat.S_ISREG(status.st_mode)):
        target = Path(os.path.realpath(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        with _temporary(target, status) as partial:
            yield partial
            _put(partial, target, status)
    else:
        with _opened(path, descriptor) as file, TemporaryDirectory(prefix="finhash-") as folder:
            partial = Path(folder, "partial")
            partial.touch()
            yield partial
            with partial.open("rb") as written:
                shutil.copyfileobj(written, file)


@contextmanager
def output(path: str | os.PathLike[str] | None) -> Iterator[TextIO]:
    r"""Yield a file that is open for writing: standard output, or one written by ``whole_file``.

    Parameters
    ----------
    path : str or path-like, optional
        Where the output is wanted. None and ``-`` are standard output.

    Yields
    ------
    file
        File open for text, with ``"\n"`` as it is and in UTF-8, unless it is standard output. Its
        attribute ``buffer`` takes bytes. If standard output is a terminal, control characters are
        escaped, so that names of files cannot give it commands.

    Raises
    ------
    OSError
        If ``path`` cannot be written.

    Examples
    --------
    >>> with output("-") as file:
    ...     _ = file.write("done")
    done
    """
    if path is None or os.fspath(path) == "-":
        if sys.stdout.isatty():
            with io.TextIOWrapper(io.BufferedWriter(_Terminal()), "utf-8", newline="") as file:
                yield file
        else:
            yield sys.stdout
        sys.stdout.flush()
    else:
        with whole_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
            yield file


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun, for messages.

    Parameters
    ----------
    count : int
        Number of things.
    noun : str
        What they are, in the singular.
    plural : str
        The plural; by default the noun with an "s".

    Returns
    -------
    str
        The number, with commas between thousands, and the noun.

    Examples
    --------
    >>> counted(1, "query", "queries"), counted(1200, "image")
    ('1 query', '1,200 images')
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def printable(text: str, *, but: str = "") -> str:
    r"""Return text with all characters escaped that cannot be printed, apart from those in ``but``.

    They are control characters, and others that terminals and editors obey instead of showing them,
    such as those that turn the direction of writing.

    Parameters
    ----------
    text : str
        Any text.
    but : str
        Characters to keep.

    Returns
    -------
    str
        Text with escapes as in Python's strings.

    Examples
    --------
    >>> print(printable("\x1b[2J\n", but="\n") + "a.jpg")
    \x1b[2J
    a.jpg
    """
    return "".join(
        sign if sign.isprintable() or sign in but else sign.encode("unicode_escape").decode()
        for sign in text
    )


def text(name: str) -> str:
    r"""Return an id as UTF-8 text; bytes of a path that are not UTF-8 are escaped.

    Examples
    --------
    >>> print(text(os.fsdecode(b"caf\xe9.jpg")))
    caf\xe9.jpg
    """
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def sync_folder(folder: str | os.PathLike[str]) -> None:
    """Wait until the names in a folder are on the disk, if the system supports that.

    Parameters
    ----------
    folder : str or path-like
        Folder; ``""`` is the current one.

    Raises
    ------
    OSError
        If the folder is missing, or the disk fails.

    Examples
    --------
    >>> sync_folder(".")
    """
    if os.name != "posix":
        return
    try:
        descriptor = os.open(os.fspath(folder) or os.curdir, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _UNSYNCED:
            raise


class _Terminal(io.RawIOBase):
    """Bytes in UTF-8 that standard output prints, escaped, as they are written."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    def writable(self) -> bool:
        """Return that bytes can be written."""
        return True

    def write(self, data: "ReadableBuffer") -> int:
        """Print bytes; those of a character that is not complete follow with the next ones."""
        sys.stdout.write(printable(self._decoder.decode(bytes(data)), but="\n"))
        return memoryview(data).nbytes


def _descriptor(path: Path) -> int | None:
    """Return the number of the open file that a path names, such as 1 for ``/dev/stdout``."""
    folders = {os.path.realpath(folder) for folder in ("/dev/fd", "/proc/self/fd")}
    while True:
        # Following the last link would lose the position in an open file, and opens no socket.
        if path.name.isdecimal() and os.path.realpath(path.parent) in folders:
            return int(path.name)
        if not path.is_symlink():
            return None
        path = path.parent / path.readlink()


@contextmanager
def _temporary(target: Path, before: os.stat_result | None) -> Iterator[Path]:
    """Yield an empty file beside a target; elsewhere if the folder of an existing one refuses."""
    partial = target.with_name(f".{os.urandom(8).hex()}.partial")
    # Whoever may not read the target, whose status was `before`, may not read its new content.
    mode = 0o666 if before is None else 0o600 | (stat.S_IMODE(before.st_mode) & 0o666)
    try:
        partial.touch(mode, exist_ok=False)
    except OSError as error:
        if before is None or error.errno not in _IRREPLACEABLE:
            raise OSError(error.errno, error.strerror, os.fspath(target)) from error
        with TemporaryDirectory(prefix="finhash-") as folder:
            partial = Path(folder, "partial")
            partial.touch()
            yield partial
        return
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


def _put(partial: Path, target: Path, before: os.stat_result | None) -> None:
    """Give a temporary file the place of the target, whose status was ``before``."""
    with partial.open("r+b") as file:
        os.fsync(file.fileno())
    if before:
        _resemble(partial, target, before)
    try:
        partial.replace(target)
    except OSError as error:
        if before is None or error.errno not in _IRREPLACEABLE:
            raise
        # Unlike "wb", this mode never creates a file, which sticky folders refuse.
        with partial.open("rb") as written, target.open("r+b") as file:
            shutil.copyfileobj(written, file)
            file.truncate()
            file.flush()
            os.fsync(file.fileno())
    else:
        sync_folder(target.parent)


def _resemble(partial: Path, target: Path, before: os.stat_result) -> None:
    """Give a temporary file the owner, permissions and attributes of the target, where possible."""
    for owner in ((before.st_uid, before.st_gid), (-1, before.st_gid)):
        try:
            os.chown(partial, *owner)
        except (AttributeError, OSError):
            continue  # Windows has no owners, and elsewhere only root may give files away
        break
    shutil.copystat(target, partial)
    os.utime(partial)  # copystat also copies the time of the last modification


@contextmanager
def _opened(path: Path, descriptor: int | None) -> Iterator[BinaryIO]:
    """Yield an open file, a device, a pipe or a socket as a file open for writing."""
    if descriptor is not None:
        sys.stdout.flush()  # what was printed before comes first
        with os.fdopen(os.dup(descriptor), "wb") as file:
            yield file
    elif path.is_socket():
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(os.fspath(path))
            with connection.makefile("wb") as file:
                yield file
    else:
        # Without O_CREAT, so that no file appears if the pipe vanishes meanwhile.
        with os.fdopen(os.open(path, os.O_WRONLY), "wb") as file:
            yield file
