"""Drawn images with made-up hashes, and snapshots of folders."""

import os
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from finhash import HashTable
from finhash.duplicates.plan import Plan

Roles = dict[str, str]


def draw(path: Path, side: int = 20, shade: int = 0) -> Path:
    """Draw a square image and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (side, side), shade).save(path, "PNG")
    return path


def table_of(bits: dict[Path | str, int], *, facts: bool = False) -> HashTable:
    """Return a table of files; the first bits of a hash are set, as many as given."""
    hashes = np.packbits(np.arange(256) < np.array(list(bits.values()))[:, None], axis=1)
    table = HashTable.from_hashes(map(str, bits), {"find": hashes})
    if not facts:
        return table
    arrow = table.arrow
    statuses = [Path(path).stat() for path in bits]
    for name, value in {
        "width": [20] * len(bits),
        "height": [20] * len(bits),
        "bytes": [status.st_size for status in statuses],
        "modified": [status.st_mtime_ns for status in statuses],
    }.items():
        arrow = arrow.append_column(name, pa.array(value, pa.int64()))
    return HashTable(arrow)


def roles(plan: Plan) -> Roles:
    """Return the role of each image of the listed families by the name of the file."""
    return {
        Path(member.path).name: member.role for family in plan.families for member in family.members
    }


def notes(plan: Plan) -> Roles:
    """Return why images were left alone, by the name of the file."""
    return {Path(member.path).name: member.note for member in plan.left_alone}


def tree(folder: Path) -> dict[str, object]:
    """Return content, permissions and modification time of all files, and all other entries."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = path.readlink()
        elif path.is_file():
            status = path.stat()
            found[name] = path.read_bytes(), status.st_mode, status.st_mtime_ns
        else:
            found[name] = "folder"
    return found


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder of three families: 4 images, 3 equal ones, and 1."""
    home = tmp_path / "photos"
    for k, name in enumerate(["a.png", "b.png", "sub/c.png", "sub/deep/d.png"]):
        draw(home / name, 40 - k, shade=k)
    draw(home / "e.png", 30, shade=90)
    for name in ("sub/f.png", "sub/g.png"):
        (home / name).write_bytes((home / "e.png").read_bytes())
    draw(home / "sub" / "alone.png", shade=200)
    for k, path in enumerate(sorted(home.rglob("*.png"))):
        path.chmod(0o640 if k % 2 else 0o604)
        os.utime(path, ns=(0, 10**18 + k * 10**9 + 123_456_789))
    return home


@pytest.fixture
def hashed(photos: Path) -> HashTable:
    bits = {"a": 0, "b": 10, "c": 20, "d": 30, "e": 120, "f": 120, "g": 120, "alone": 220}
    return table_of({path: bits[path.stem] for path in sorted(photos.rglob("*.png"))})


@pytest.fixture
def other_file_system(tmp_path: Path) -> Path:
    """Return a folder on another file system than the other files of the test."""
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK) or shared.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    folder = shared / f"finhash-test-{os.getpid()}-{tmp_path.name}"
    folder.mkdir()
    yield folder
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    folder.rmdir()


def in_child(action: Callable[[], object]) -> int:
    """Run an action in a forked process; return its exit status, or the negative signal number."""
    child = os.fork()
    if child == 0:
        try:
            action()
        except BaseException:
            traceback.print_exc()
            os._exit(99)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
