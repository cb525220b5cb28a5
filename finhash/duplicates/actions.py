"""Moving superfluous files, and replacing them by links to the files that are kept."""

import errno
import filecmp
import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import count

from tqdm import tqdm

from finhash.duplicates.facts import File
from finhash.duplicates.log import (
    Link,
    Log,
    LogError,
    MakeFolder,
    Move,
    Outcome,
    Relink,
    Replacement,
    State,
    new_log,
    temporary_name,
)
from finhash.duplicates.plan import Member, Plan
from finhash.duplicates.transfer import give_second_name, move
from finhash.files import sync_folder
from finhash.jobs.items import reason


def check_target(plan: Plan, move_to: str | os.PathLike[str]) -> None:
    """Raise ``ValueError`` if a folder for superfluous files holds images of the plan.

    Parameters
    ----------
    plan : Plan
        Plan.
    move_to : str or path-like
        Folder to which superfluous files shall be moved.

    Raises
    ------
    ValueError
        If it holds an image of a listed family.

    Examples
    --------
    >>> check_target(Plan([], 52, "."), "superfluous")
    """
    outer = os.path.join(os.path.realpath(move_to), "")
    for family in plan.families:
        for member in family.members:
            if member.file and os.path.join(member.file.entry[0], "").startswith(outer):
                raise ValueError(
                    f"{member.path} is in {os.fspath(move_to)} already: move superfluous files to "
                    "another folder, or make the table without this one"
                )


def only_equal(plan: Plan) -> Plan:
    """Return a plan in which superfluous files that differ from the kept file are left alone.

    A link gives a file the content of the kept one. Unless the file is moved first, this keeps all
    content only if both are equal byte for byte.

    Parameters
    ----------
    plan : Plan
        Plan.

    Returns
    -------
    Plan
        Plan whose superfluous files can be replaced by links.

    Examples
    --------
    >>> only_equal(Plan([], 52, ".")).families
    []
    """
    return plan.spare(_difference)


def act(
    plan: Plan,
    log: str | os.PathLike[str],
    *,
    move_to: str | os.PathLike[str] | None = None,
    link: Link | None = None,
    progress: bool = False,
) -> Outcome:
    """Move superfluous files into a folder, or replace them by links to the kept files, or both.

    Each step is written to the log first, so that ``finhash.duplicates.undo.undo`` can take it
    back, even if the run was stopped at any point. A file that cannot be moved or linked is left as
    it was, and so is one that has changed, or whose kept file has changed, since the plan was made.

    Parameters
    ----------
    plan : Plan
        Plan of ``find_duplicates``.
    log : str or path-like
        Path of the log, where there is no file.
    move_to : str or path-like, optional
        Folder; created if missing. A file keeps its place relative to the common folder of all
        images of the table. If a name is in use, a number is added to it.
    link : {"hard", "sym"}, optional
        Links that take the place of the files. Without ``move_to``, only files that equal the kept
        file byte for byte are replaced.
    progress : bool, default False
        Whether to show a progress bar on stderr, if that is a terminal.

    Returns
    -------
    Outcome
        Number of files and bytes, and the files that were left as they were.

    Raises
    ------
    ValueError
        If neither ``move_to`` nor ``link`` is given, or ``move_to`` holds images of the plan.
    OSError
        If the log exists already, or the log or ``move_to`` cannot be created.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> from finhash import hash_files
    >>> from finhash.duplicates.plan import find_duplicates
    >>> folder = tempfile.TemporaryDirectory()
    >>> images = os.path.join(folder.name, "images")
    >>> os.mkdir(images)
    >>> for name in ("first.png", "second.png"):
    ...     Image.radial_gradient("L").save(os.path.join(images, name))
    >>> plan = find_duplicates(hash_files(images, progress=False))
    >>> other = os.path.join(folder.name, "superfluous")
    >>> act(plan, os.path.join(folder.name, "log.jsonl"), move_to=other).done
    1
    >>> os.listdir(images), os.listdir(other)
    (['first.png'], ['second.png'])
    >>> folder.cleanup()
    """
    if move_to is None and link is None:
        raise ValueError("nothing to do: pass a folder as move_to, or 'hard' or 'sym' as link")
    target = None
    if move_to is not None:
        check_target(plan, move_to)
        target = os.path.abspath(os.fspath(move_to))
        os.makedirs(target, exist_ok=True)
    members = plan.superfluous
    outcome = Outcome()
    with new_log(log) as steps:
        shown = tqdm(
            members,
            desc="moving" if target else "linking",
            unit="file",
            leave=False,
            disable=None if progress else True,  # None: unless stderr is a terminal
        )
        for member in shown:
            assert member.file is not None and member.kept is not None
            try:
                _check(member.file, member.kept)
                if target:
                    _move(member.file, member.kept, plan.folder, target, link, steps)
                elif link:
                    _relink(member.file, member.kept, link, steps)
            except LogError as error:
                outcome.stopped = str(error)
                break
            except OSError as error:
                outcome.failed.append((member.path, reason(error)))
            else:
                outcome.done += 1
                outcome.bytes += member.file.status.st_size
    return outcome


def _difference(member: Member) -> str:
    """Return why a superfluous file cannot be replaced by a link, or an empty string."""
    assert member.file is not None and member.kept is not None
    if member.file.status.st_size == member.kept.status.st_size:
        try:
            if filecmp.cmp(member.file.path, member.kept.path, shallow=False):
                return ""
        except OSError as error:
            return f"cannot be read: {reason(error)}"
    return f"its content differs from that of {member.kept.path}"


def _check(file: File, kept: File) -> None:
    """Raise ``OSError`` unless both files are as they were when the plan was made."""
    if not file.is_unchanged() or os.path.islink(file.path):
        raise OSError(errno.ESTALE, "the file is missing or has changed since it was looked at")
    if not kept.is_unchanged():
        raise OSError(errno.ESTALE, f"{kept.path}, which is to be kept, is missing or has changed")
    if os.path.samefile(file.path, kept.path):
        raise OSError(errno.ESTALE, f"it is the same file as {kept.path}, which is to be kept")


def _move(file: File, kept: File, base: str, target: str, kind: Link | None, log: Log) -> None:
    """Move a file below ``target`` and, if a kind of link is given, put a link in its place."""
    old = os.path.abspath(file.path)
    new = _unused(os.path.join(target, os.path.relpath(old, base)))
    folder = os.path.dirname(new)
    for missing in reversed(list(_missing(folder))):
        log.add(MakeFolder(missing))
        os.mkdir(missing)
        sync_folder(os.path.dirname(missing))
    link = _replacement(old, kept, kind) if kind else None
    log.add(Move(old, new, State.of(file.status), link))
    if link is None:
        move(old, new, temporary_name(folder, log.token))
        return
    with _LinkBeside(old, link, log.token) as beside:
        give_second_name(old, new, temporary_name(folder, log.token))
        try:
            _check(file, kept)
            os.replace(beside, old)
        except OSError:
            os.unlink(new)
            raise


def _relink(file: File, kept: File, kind: Link, log: Log) -> None:
    """Replace a file by a link to the kept file, which has the same content."""
    old = os.path.abspath(file.path)
    with open(old, "rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    link = _replacement(old, kept, kind)
    log.add(Relink(old, State.of(file.status), digest, link))
    with _LinkBeside(old, link, log.token) as beside:
        # The link is compared, which shows that it leads where it should.
        if not filecmp.cmp(old, beside, shallow=False):
            raise OSError(errno.ESTALE, f"its content differs from that of {kept.path}")
        _check(file, kept)
        os.replace(beside, old)


class _LinkBeside:
    """A link beside a file, which is removed unless it takes the place of the file."""

    def __init__(self, old: str, link: Replacement, token: str) -> None:
        self.link = link
        self.path = temporary_name(os.path.dirname(old), token)

    def __enter__(self) -> str:
        if self.link.kind == "hard":
            os.link(self.link.kept, self.path)
        else:
            os.symlink(self.link.text, self.path)
        return self.path

    def __exit__(self, *_: object) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self.path)


def _replacement(old: str, kept: File, kind: Link) -> Replacement:
    """Return the link that takes the place of a file.

    A symbolic link is relative, so that it still holds if the folder of all images is moved.
    """
    real = os.path.realpath(kept.path)
    text = os.path.relpath(real, os.path.realpath(os.path.dirname(old)))
    return Replacement(kind, real, text)


def _missing(folder: str) -> Iterator[str]:
    """Yield the folders that must be made for this one to exist, the deepest first."""
    while not os.path.exists(folder):
        yield folder
        folder = os.path.dirname(folder)


def _unused(path: str) -> str:
    """Return the path, with a number in its name if there is a file at the path."""
    stem, suffix = os.path.splitext(path)
    for number in count(2):
        if not os.path.lexists(path):
            break
        path = f"{stem}~{number}{suffix}"
    return path
