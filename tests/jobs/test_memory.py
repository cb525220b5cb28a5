"""An image for which a worker lacks memory costs one row, not the job."""

import io
import os
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from finhash import HashTable
from tests.conftest import jpeg_bytes

pytestmark = pytest.mark.slow

LIMIT = 300
"""Seconds after which a test gives up."""

GROUPS = Path("/sys/fs/cgroup/memory")
"""Control groups of version 1 that limit memory."""

SCRIPT = """
import resource, sys, finhash
from PIL import Image

Image.MAX_IMAGE_PIXELS = None
if __name__ == "__main__":
    finhash.hash_files("images", workers=1, executor="processes", out="out", progress=False)
elif sys.argv[1:]:
    resource.setrlimit(resource.RLIMIT_AS, [int(sys.argv[1])] * 2)
"""
"""Hashes a folder of images. An argument limits the address space of each worker, in bytes."""


@pytest.fixture(autouse=True)
def images(tmp_path, monkeypatch) -> Path:
    """Return a folder of eleven small images; the current directory holds it and a script."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "script.py").write_text(SCRIPT)
    folder = tmp_path / "images"
    folder.mkdir()
    for k in range(11):
        (folder / f"{k:02d}.jpg").write_bytes(jpeg_bytes(seed=k))
    return folder


@pytest.fixture
def group() -> Iterator[Path]:
    """Yield a new control group, which needs rights that only some systems give."""
    folder = GROUPS / f"finhash-test-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made: {error}")
    yield folder
    deadline = time.monotonic() + LIMIT
    while (folder / "cgroup.procs").read_text() and time.monotonic() < deadline:
        time.sleep(0.01)
    folder.rmdir()


def check_rows(lacking: str, *reasons: str) -> None:
    """Check that one image has one of the errors, and all other images have hashes."""
    table = HashTable.read("out")
    assert len(table) == 12
    errors = {Path(path).name: error for path, error in zip(table.paths, table.errors, strict=True)}
    assert errors.pop(lacking).startswith(reasons)
    assert not any(errors.values())
    assert len(table.without_errors()) == 11


def test_an_image_beyond_a_limit_of_address_space(images):
    pytest.importorskip("resource")
    # The pixels need 6.4 GB. Pillow reserves them before it reads any, so the file may lack them.
    file = io.BytesIO()
    Image.new("RGB", (1, 1)).save(file, "PNG")
    header = b"IHDR" + struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    content = file.getvalue()
    rest = content[33:]
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    (images / "huge.png").write_bytes(content[:8] + chunk + rest)
    subprocess.run([sys.executable, "script.py", str(4 * 10**9)], check=True, timeout=LIMIT)
    check_rows("huge.png", "MemoryError", "WorkerDiedError")


def test_an_image_beyond_the_memory_of_a_control_group(images, group):
    """The system kills the process that uses the most memory of the group: the worker."""
    Image.new("RGB", (14_000, 14_000)).save(images / "huge.jpg")  # 588 MB when decoded
    (group / "memory.limit_in_bytes").write_text(str(600 * 10**6))
    code = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
    command = ["sh", "-c", code, str(group), sys.executable, "script.py"]
    subprocess.run(command, check=True, timeout=LIMIT)
    check_rows("huge.jpg", "WorkerDiedError")
