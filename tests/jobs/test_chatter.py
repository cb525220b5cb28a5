"""What libraries print about damaged images stays off the terminal; Python's messages do not."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from finhash import HashTable
from finhash.jobs import chatter

NATIVE = ("Using code not yet in table", "Bogus DQT index 15")
WARNINGS = ("DecompressionBombWarning", "Corrupt EXIF data", "Palette images")

SCRIPT = """
import sys, finhash
from PIL import Image

Image.MAX_IMAGE_PIXELS = 2000  # the images of 60 x 60 pixels exceed it, but not twice as much
if __name__ == "__main__":
    folder, out, executor = sys.argv[1:]
    finhash.hash_files(folder, ["find", "phash64"], executor=executor, out=out, progress=False)
"""

CRASH = """
import ctypes, logging, finhash
from finhash import methods

logging.basicConfig()

def crash(image):
    logging.getLogger("own").warning("about to read address 0")
    ctypes.string_at(0)

if __name__ == "__main__":
    methods.register("crash", crash, bits=64)
    finhash.hash_files([__file__[:-2] + "png"], ["crash"], executor="processes", progress=False)
"""


@pytest.fixture
def noisy(tmp_path) -> Path:
    """Return a folder of images that make libtiff, libjpeg and Pillow print something."""
    folder = tmp_path / "images"
    folder.mkdir()
    image = Image.radial_gradient("L").resize((50, 50)).convert("RGB")
    lzw = encoded(image, "TIFF", compression="tiff_lzw")
    (folder / "lzw.tif").write_bytes(lzw[:900] + bytes([255] * 20) + lzw[920:])
    jpeg = encoded(image, "TIFF", compression="jpeg")
    table = jpeg.index(b"\xff\xdb") + 4
    (folder / "jpeg.tif").write_bytes(jpeg[:table] + b"\x0f" + jpeg[table + 1 :])
    (folder / "large.png").write_bytes(encoded(image, "PNG"))
    exif = b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x05\x00\x12\x01"
    (folder / "exif.jpg").write_bytes(encoded(image, "JPEG", exif=exif))
    palette = image.convert("P", palette=Image.Palette.ADAPTIVE)
    (folder / "palette.png").write_bytes(encoded(palette, "PNG", transparency=bytes(9)))
    return folder


def encoded(image: Image.Image, file_format: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def run(*arguments: object) -> str:
    """Run Python, and return what it printed on stderr."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=300,
        check=False,
    )
    return done.stderr


def test_native_messages_are_discarded_until_the_end(capfd):
    stream = sys.stderr
    restore = chatter.discard()
    os.write(2, b"native")
    with chatter.shown():
        os.write(2, b"of a new process, ")
    os.write(2, b"native")
    restore()
    os.write(2, b"after the end")
    assert capfd.readouterr().err == "of a new process, after the end"
    assert sys.stderr is stream


def test_python_still_prints_its_messages():
    printed = run(
        "-c",
        "import faulthandler, logging, os, sys, warnings\n"
        "from finhash.jobs import chatter\n"
        "logging.basicConfig(format='%(message)s')\n"
        "restore = chatter.discard()\n"
        "os.system('echo native >&2')\n"
        "print('printed', file=sys.stderr)\n"
        "logging.warning('logged')\n"
        "warnings.warn('warned')\n"
        "assert faulthandler.is_enabled()\n"
        "restore()\n"
        "assert not faulthandler.is_enabled()\n"
        "print('restored', file=sys.stderr)\n"
        "logging.warning('logged again')\n"
        "1 / 0\n",
    )
    words = ("printed", "logged\n", "warned", "restored", "logged again", "ZeroDivisionError")
    assert [word for word in words if word not in printed] == []
    assert "native" not in printed


def test_warnings_of_pillow_appear_if_they_are_asked_for():
    code = (
        "import warnings\n"
        "from finhash.jobs import chatter\n"
        "chatter.discard()\n"
        "warnings.warn_explicit('about an image', UserWarning, 'file', 1, module='PIL.Image')\n"
    )
    assert run("-c", code) == ""
    assert "about an image" in run("-W", "default", "-c", code)


def test_a_closed_stderr_is_no_error():
    code = "import os; os.close(2); from finhash.jobs import chatter; chatter.discard()()"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
def test_workers_print_nothing_about_images(noisy, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    serial = run(script, noisy, tmp_path / "serial", "serial")
    assert [words for words in NATIVE + WARNINGS if words not in serial] == []
    for executor in ("processes", "dask"):
        printed = run(script, noisy, tmp_path / executor, executor)
        assert [words for words in NATIVE + WARNINGS if words in printed] == []
    tables = [HashTable.read(tmp_path / name) for name in ("serial", "processes", "dask")]
    assert tables[0].arrow.equals(tables[1].arrow)
    assert tables[0].arrow.equals(tables[2].arrow)


@pytest.mark.slow
@pytest.mark.parametrize("out", [(), ("--out", "hashes")])
def test_commands_print_nothing_of_libraries(noisy, tmp_path, out):
    out = out and (out[0], tmp_path / out[1])
    printed = run("-m", "finhash", "hash", noisy, "--method", "find", "--method", "phash64", *out)
    assert "3 files" in printed, "the summary is missing"
    assert [words for words in NATIVE + WARNINGS if words in printed] == []


@pytest.mark.slow
def test_a_crashing_worker_says_where_and_its_log_is_kept(tmp_path):
    script = tmp_path / "crash.py"
    script.write_text(CRASH)
    Image.new("RGB", (9, 9)).save(tmp_path / "crash.png")
    printed = run(script)
    assert "about to read address 0" in printed
    assert "Segmentation fault" in printed
    assert f'"{script}", line 9 in crash' in printed


def test_a_command_runs_with_closed_streams(folder, tmp_path):
    command = f"{sys.executable} -m finhash hash {folder} -o {tmp_path / 'out'} --executor serial"
    done = subprocess.run(["sh", "-c", f"{command} <&- >&- 2>&-"])
    assert done.returncode == 1  # some files of the folder cannot be hashed
    assert sum(not error for error in HashTable.read(tmp_path / "out").errors) == 12
