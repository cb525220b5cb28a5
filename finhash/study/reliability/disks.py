"""Small disks in memory, which become full, in a table of mounts that only this program sees."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PRIVATE = "FINHASH_PRIVATE_MOUNTS"
"""Environment variable that is set in a program with its own table of mounts."""


class NotPossibleError(RuntimeError):
    """A fault cannot be provoked on this machine or by this user."""


def with_private_mounts(module: str) -> None:
    """Start the program ``python -m module`` again with its own table of mounts, if possible.

    The program that calls this is replaced. ``unshare`` starts the new one as root, or as a user
    who is taken for root there.
    """
    if os.environ.get(PRIVATE) or not shutil.which("unshare"):
        return
    words = ["unshare", "--mount", *([] if os.getuid() == 0 else ["--map-root-user"])]
    if subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0:
        os.environ[PRIVATE] = "1"
        os.execvp(words[0], [*words, sys.executable, "-m", module, *sys.argv[1:]])


@contextmanager
def small_disk(folder: Path, kibibytes: int) -> Iterator[None]:
    """Put an empty disk of that size into the place of a folder.

    Raises
    ------
    NotPossibleError
        Unless this program has its own table of mounts.
    """
    if not os.environ.get(PRIVATE):
        raise NotPossibleError("needs the right to mount a disk")
    folder.mkdir(parents=True, exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs", str(folder))
    try:
        yield
    finally:
        _run("umount", "--lazy", str(folder))


def enlarge(folder: Path, kibibytes: int) -> None:
    """Give a disk that ``small_disk`` made another size."""
    _run("mount", "-o", f"remount,size={kibibytes}k", str(folder))


def _run(*words: str) -> None:
    """Run a command; raise ``CalledProcessError`` if it fails."""
    subprocess.run(words, check=True)
