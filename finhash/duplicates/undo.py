"""Putting back what a run has moved or linked, from its log."""

import errno
import filecmp
import hashlib
import os
import stat
from contextlib import suppress

from tqdm import tqdm

from finhash.duplicates.log import (
    MakeFolder,
    Move,
    Outcome,
    Relink,
    Replacement,
    State,
    read_log,
    temporary_name,
)
from finhash.duplicates.transfer import copy, move
from finhash.files import sync_folder
from finhash.jobs.items import reason

COARSE = 2 * 10**9
"""Largest difference of modification times, in nanoseconds: FAT stores even seconds."""


class _LeftAloneError(Exception):
    """A file that is not as the run left it."""


def undo(log: str | os.PathLike[str], *, progress: bool = False) -> Outcome:
    """Put all files back that a run has moved or replaced by links.

    It can be called again, after an interruption too. What has changed since the run is left alone:
    a moved file that was edited or is gone, or a new file in its old place. Folders that the run
    has made are removed if they are empty.

    Parameters
    ----------
    log : str or path-like
        Log of the run.
    progress : bool, default False
        Whether to show a progress bar on stderr, if that is a terminal.

    Returns
    -------
    Outcome
        Number of files and bytes that were put back, and files that were left alone.

    Raises
    ------
    ValueError
        If the file is not a log.
    OSError
        If it cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from finhash.duplicates.log import new_log
    >>> folder = tempfile.TemporaryDirectory()
    >>> with new_log(f"{folder.name}/log.jsonl"):
    ...     pass
    >>> undo(f"{folder.name}/log.jsonl").done
    0
    >>> folder.cleanup()
    """
    token, steps = read_log(log)
    outcome = Outcome()
    shown = tqdm(
        reversed(steps),
        total=len(steps),
        desc="putting back",
        unit="step",
        leave=False,
        disable=None if progress else True,  # None: unless stderr is a terminal
    )
    for step in shown:
        if isinstance(step, MakeFolder):
            with suppress(OSError):  # it is not empty, or gone
                os.rmdir(step.path)
            continue
        try:
            back = _move_back(step, token) if isinstance(step, Move) else _unlink(step, token)
        except _LeftAloneError as error:
            outcome.failed.append((step.old, str(error)))
        except OSError as error:
            outcome.failed.append((step.old, reason(error)))
        else:
            outcome.done += back
            outcome.bytes += step.state.bytes if back else 0
    return outcome


def _move_back(step: Move, token: str) -> bool:
    """Move a file back; return whether that was necessary."""
    old, new, link = step.old, step.new, step.link
    beside = temporary_name(os.path.dirname(old), token)
    for name in (beside, temporary_name(os.path.dirname(new), token)):
        _remove(name)
    there, here = _status(new), _status(old)
    if there is None:
        if here is None or (link and _is_link(old, link)):
            raise _LeftAloneError(f"{new} is missing")
        return False
    if not _is_as_before(there, step.state):
        raise _LeftAloneError(f"{new} has changed since it was moved")
    if here is None:
        os.makedirs(os.path.dirname(old), exist_ok=True)
        move(new, old, beside)
    elif link and _is_link(old, link):
        _move_over(new, old, beside)
    elif stat.S_ISREG(here.st_mode) and filecmp.cmp(old, new, shallow=False):
        os.unlink(new)  # the run or its undoing was stopped between two names
    else:
        raise _LeftAloneError(f"there is another file in its place; the moved one is {new}")
    _restore(old, step.state)
    return True


def _unlink(step: Relink, token: str) -> bool:
    """Replace a link by a file of its own; return whether that was necessary."""
    beside = temporary_name(os.path.dirname(step.old), token)
    _remove(beside)
    if not _is_link(step.old, step.link):
        if _status(step.old) is None:
            raise _LeftAloneError("the link is missing")
        return False
    with open(step.old, "rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    if digest != step.digest:
        raise _LeftAloneError(f"{step.link.kept} has changed since the link was made")
    copy(step.old, beside)
    _restore(beside, step.state)
    os.replace(beside, step.old)
    return True


def _move_over(new: str, old: str, beside: str) -> None:
    """Move a file back over the link in its place, also from another file system."""
    try:
        os.replace(new, old)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy(new, beside)
        os.replace(beside, old)
        sync_folder(os.path.dirname(old))
        os.unlink(new)


def _is_link(path: str, link: Replacement) -> bool:
    """Return whether a path is still the link that the run has made."""
    try:
        if link.kind == "sym":
            return os.path.islink(path) and os.readlink(path) == link.text
        return not os.path.islink(path) and os.path.samefile(path, link.kept)
    except OSError:
        return False


def _is_as_before(status: os.stat_result, state: State) -> bool:
    """Return whether a moved file is the one that the run has moved."""
    return (
        stat.S_ISREG(status.st_mode)
        and status.st_size == state.bytes
        and abs(status.st_mtime_ns - state.modified) <= COARSE
    )


def _restore(path: str, state: State) -> None:
    """Give a file the permissions and the modification time that it had."""
    status = os.stat(path)
    if status.st_mode & 0o7777 != state.mode:
        os.chmod(path, state.mode)
    if status.st_mtime_ns != state.modified:
        os.utime(path, ns=(status.st_atime_ns, state.modified))


def _status(path: str) -> os.stat_result | None:
    """Return the status of a file or link; None if there is none."""
    try:
        return os.lstat(path)
    except OSError as error:
        # A step with too long a name was logged, but could not be taken.
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
            return None
        raise


def _remove(path: str) -> None:
    """Remove a file that an interrupted run has left, if there is one."""
    with suppress(OSError):  # usually there is none
        os.unlink(path)
