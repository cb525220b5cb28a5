"""The log of a run: each step is on the disk before it is taken, so that it can be undone."""

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TextIO

from finhash.files import sync_folder

TITLE = "finhash duplicates"
"""What the first line of a log says."""

FORMAT = 1
"""Version of the format, in the first line of a log."""

Link = Literal["hard", "sym"]
"""Kinds of links."""


class LogError(OSError):
    """A log that cannot be written, so that no further step may be taken."""


@dataclass
class Outcome:
    """What a run, or its undoing, has done."""

    done: int = 0
    """Files that were moved, linked or put back."""

    bytes: int = 0
    """Their size."""

    failed: list[tuple[str, str]] = field(default_factory=list)
    """Files that were left as they were, each with the reason."""

    stopped: str = ""
    """Why the run stopped before its end; empty if it did not."""


@dataclass(frozen=True)
class State:
    """State of a file before a step, by which ``undo`` recognizes it."""

    bytes: int
    """Size."""

    modified: int
    """Time of the last modification, in nanoseconds since 1970."""

    mode: int
    """Permissions."""

    @classmethod
    def of(cls, status: os.stat_result) -> "State":
        """Return the state in a status."""
        return cls(status.st_size, status.st_mtime_ns, status.st_mode & 0o7777)


@dataclass(frozen=True)
class Replacement:
    """Link that takes the place of a file."""

    kind: Link
    """Kind of the link."""

    kept: str
    """Path of the file to which it leads."""

    text: str
    """Content of a symbolic link."""


@dataclass(frozen=True)
class MakeFolder:
    """A new folder."""

    path: str


@dataclass(frozen=True)
class Move:
    """A file that is moved, and the link that takes its place, if any."""

    old: str
    new: str
    state: State
    link: Replacement | None


@dataclass(frozen=True)
class Relink:
    """A file that is replaced by a link to a file with the same content."""

    old: str
    state: State
    digest: str
    """SHA-256 of the content, in hexadecimal digits."""
    link: Replacement


Step = MakeFolder | Move | Relink
"""A step of a run."""

_STEPS = {"folder": MakeFolder, "move": Move, "link": Relink}
"""Steps by the name that they have in the log."""


class Log:
    """A log that is being written.

    Parameters
    ----------
    file : file
        File open for writing.
    token : str
        Part of the names of temporary files.
    """

    def __init__(self, file: TextIO, token: str) -> None:
        self.token = token
        self._file = file
        self._write({"log": TITLE, "format": FORMAT, "token": token})

    def add(self, step: Step) -> None:
        """Write a step that is about to be taken; return once it is on the disk.

        Raises
        ------
        LogError
            If it cannot be written.
        """
        name = next(name for name, kind in _STEPS.items() if isinstance(step, kind))
        self._write({"step": name, **asdict(step)})

    def _write(self, line: dict[str, object]) -> None:
        # ASCII alone: paths that are not valid UTF-8 become escapes, which json can read.
        try:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise LogError(f"the log {self._file.name} cannot be written: {error}") from error


@contextmanager
def new_log(path: str | os.PathLike[str]) -> Iterator[Log]:
    """Create a log.

    Parameters
    ----------
    path : str or path-like
        Path of the log, where there is no file. Its folder exists.

    Yields
    ------
    Log
        The log, open for writing.

    Raises
    ------
    OSError
        If the file exists already or cannot be created.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> with new_log(f"{folder.name}/log.jsonl") as log:
    ...     log.add(MakeFolder("moved"))
    >>> read_log(f"{folder.name}/log.jsonl")[1]
    [MakeFolder(path='moved')]
    >>> folder.cleanup()
    """
    file = open(path, "x", encoding="utf-8")  # noqa: SIM115 - closed below
    try:
        sync_folder(os.path.dirname(path))
        yield Log(file, uuid.uuid4().hex[:8])
    finally:
        # The text of a step that could not be written would raise the same error again.
        with suppress(OSError):
            file.close()


def read_log(path: str | os.PathLike[str]) -> tuple[str, list[Step]]:
    """Read a log; a last line that is not complete is left out, because its step was not taken.

    Parameters
    ----------
    path : str or path-like
        Path of the log.

    Returns
    -------
    token : str
        Part of the names of temporary files.
    steps : list of Step
        Steps, in their order.

    Raises
    ------
    ValueError
        If the file is not a log of this format.
    OSError
        If it cannot be read.

    Examples
    --------
    >>> read_log(__file__)
    Traceback (most recent call last):
    ValueError: ...log.py is not a log of 'finhash duplicates': pass the file that the run named
    """
    with open(path, "rb") as file:
        *lines, rest = file.read().split(b"\n")
    if not lines and json.dumps({"log": TITLE}).encode().startswith(rest[:20]):
        return "", []  # stopped before the first line was complete
    try:
        head, *steps = [json.loads(line) for line in lines]
        if head["log"] != TITLE or head["format"] != FORMAT:
            raise ValueError(f"unknown format {head['format']}")
        return head["token"], [_step(fields) for fields in steps]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is not a log of {TITLE!r}: pass the file that the run named"
        ) from error


def temporary_name(folder: str, token: str) -> str:
    """Return the name of the temporary file in a folder.

    It is short, because the names of files may be as long as the file system allows.

    Examples
    --------
    >>> temporary_name("photos", "0a1b2c3d")
    'photos/.finhash-0a1b2c3d'
    """
    return os.path.join(folder, f".finhash-{token}")


def _step(fields: dict[str, Any]) -> Step:
    """Return the step that a line holds."""
    kind = _STEPS[fields.pop("step")]
    if "state" in fields:
        fields["state"] = State(**fields["state"])
    if fields.get("link"):
        fields["link"] = Replacement(**fields["link"])
    step: Step = kind(**fields)
    return step
