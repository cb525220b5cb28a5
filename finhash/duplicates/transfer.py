"""Moving a file so that it is whole at its old or its new place, whenever the program stops."""

import errno
import filecmp
import os
import shutil
from contextlib import suppress

from finhash.files import sync_folder


def move(source: str, target: str, temporary: str) -> None:
    """Move a file, also to another file system; an existing target is never replaced.

    The file is on the disk under its new name before the old name is removed.

    Parameters
    ----------
    source : str
        File to move.
    target : str
        New path of the file. Its folder exists.
    temporary : str
        Unused name in the folder of ``target``, for a copy that is not complete.

    Raises
    ------
    FileExistsError
        If there is a file at the new path.
    OSError
        If the file cannot be moved; it then remains in its old place.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> old, new, temporary = (os.path.join(folder.name, name) for name in ("a", "b", "c"))
    >>> open(old, "w").close()
    >>> move(old, new, temporary)
    >>> os.listdir(folder.name)
    ['b']
    >>> folder.cleanup()
    """
    if not _hard_link(source, target):
        try:
            os.rename(source, target)  # FAT, for one, has no hard links
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            _copy_to(source, target, temporary)
        else:
            sync_folder(os.path.dirname(target))
            return
    sync_folder(os.path.dirname(target))
    try:
        os.unlink(source)
    except OSError:
        os.unlink(target)
        raise


def give_second_name(source: str, target: str, temporary: str) -> None:
    """Make a hard link to a file or, if that is impossible, a copy; never replace a file.

    Parameters
    ----------
    source : str
        File.
    target : str
        Path of the link or copy.
    temporary : str
        Unused name in the folder of ``target``, for a copy that is not complete.

    Raises
    ------
    FileExistsError
        If there is a file at ``target``.
    OSError
        If the file cannot be copied.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> first, second, temporary = (os.path.join(folder.name, name) for name in ("a", "b", "c"))
    >>> open(first, "w").close()
    >>> give_second_name(first, second, temporary)
    >>> sorted(os.listdir(folder.name))
    ['a', 'b']
    >>> folder.cleanup()
    """
    if not _hard_link(source, target):
        _copy_to(source, target, temporary)
    sync_folder(os.path.dirname(target))


def copy(source: str, target: str) -> None:
    """Copy a file with its times and permissions, compare the copy, and wait until it is on disk.

    Parameters
    ----------
    source : str
        File; a symbolic link is followed.
    target : str
        Path of the copy, where there is no file.

    Raises
    ------
    OSError
        If the file cannot be copied; the incomplete copy is removed.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> first, second = os.path.join(folder.name, "a"), os.path.join(folder.name, "b")
    >>> with open(first, "w") as file:
    ...     _ = file.write("content")
    >>> copy(first, second)
    >>> open(second).read()
    'content'
    >>> folder.cleanup()
    """
    with open(source, "rb") as original, open(target, "xb") as duplicate:
        try:
            shutil.copyfileobj(original, duplicate)
            duplicate.flush()
            shutil.copystat(source, target)
            with suppress(AttributeError, OSError):  # usually only root may give files away
                status = os.fstat(original.fileno())
                os.chown(target, status.st_uid, status.st_gid)
            os.fsync(duplicate.fileno())
            if not filecmp.cmp(source, target, shallow=False):
                raise OSError(errno.EIO, "the copy differs from the file; try again", source)
        except BaseException:
            os.unlink(target)
            raise


def _hard_link(source: str, target: str) -> bool:
    """Make a hard link; return False if there can be none, such as to another file system."""
    try:
        os.link(source, target)
    except OSError:
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target) from None
        return False
    return True


def _copy_to(source: str, target: str, temporary: str) -> None:
    """Copy a file so that the copy appears complete or not at all."""
    copy(source, temporary)
    os.rename(temporary, target)
