"""Every file has a row, with its hashes or with the reason why it has none."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from finhash import find_hash, hash_files, methods
from finhash.jobs.rows import hash_batch
from finhash.tables.provenance import versions
from tests.conftest import jpeg_bytes, noise


def test_every_file_is_a_row_with_a_hash_or_a_reason(folder):
    paths = [*sorted(folder.iterdir()), folder / "missing.jpg"]
    table = hash_files(paths, progress=False)
    assert table.paths == [str(path) for path in paths]
    reasons = {
        Path(path).name: error.split(":")[0]
        for path, error in zip(table.paths, table.errors, strict=True)
        if error
    }
    assert reasons == {
        "empty.jpg": "EmptyImageError",
        "text.jpg": "NotAnImageError",
        "truncated.jpg": "DamagedImageError",
        "directory.jpg": "IsADirectoryError",
        "missing.jpg": "FileNotFoundError",
    }
    good = table.without_errors()
    assert len(good) == 12
    assert good.hashes("find")[3].tobytes().hex() == str(find_hash(good.paths[3]))


@pytest.mark.parametrize(
    "executor",
    [
        "threads",
        pytest.param("processes", marks=pytest.mark.slow),
        pytest.param("dask", marks=pytest.mark.slow),
    ],
)
def test_odd_names_and_special_files_are_rows(folder, tmp_path, executor):
    os.mkfifo(folder / "fifo.jpg")
    latin = os.fsdecode(os.fsencode(folder) + b"/caf\xe9.jpg")
    Path(latin).write_bytes(jpeg_bytes(seed=3))
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    good = folder / "0000_00001.jpg"
    paths = [folder / "fifo.jpg", latin, folder / "loop.jpg", "nul\0.jpg", good]
    table = hash_files(paths, executor=executor, out=tmp_path / "out", progress=False)
    kinds = [error.split(":")[0] for error in table.errors]
    assert kinds == ["NotAnImageError", "", "OSError", "ValueError", ""]
    assert table.paths[1].endswith("caf\\xe9.jpg")
    again = hash_files(paths, out=tmp_path / "out", progress=False)
    assert again.arrow.equals(table.arrow)


@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_a_row(folder):
    path = folder / "0000_00000.jpg"
    path.chmod(0)
    assert hash_files([path], progress=False).errors == ["PermissionError: Permission denied"]


def test_a_method_that_decodes_files_itself_is_given_the_file(tmp_path):
    """Hashed from the image that the other methods share, ``find_luma`` would be exact."""
    paths = []
    for seed in range(20):
        paths.append(tmp_path / f"{seed}.jpg")
        Image.fromarray(noise(6, 8, seed)).resize((320, 240)).save(paths[-1])
    both = hash_files(paths, ["find", "find_luma"], progress=False)
    alone = hash_files(paths, ["find_luma"], progress=False)
    np.testing.assert_array_equal(both.hashes("find_luma"), alone.hashes("find_luma"))
    assert (both.hashes("find") != both.hashes("find_luma")).any()


def test_a_worker_with_other_versions_is_refused():
    with pytest.raises(RuntimeError, match=r"a worker has pillow .* instead of 1\.0"):
        hash_batch([], [methods.get("find")], {**versions(), "pillow": "1.0"})
    rows, _ = hash_batch([], [methods.get("find")], {**versions(), "numpy": "1.0"})
    assert len(rows) == 0


@pytest.mark.slow
def test_a_worker_without_a_methods_package_ends_the_job(folder, tmp_path, monkeypatch):
    code = tmp_path / "code"
    code.mkdir()
    (code / "sitecustomize.py").write_text("import sys\nsys.modules['pdqhash'] = None\n")
    monkeypatch.setenv("PYTHONPATH", str(code))
    paths = sorted(folder.glob("0*.jpg"))[:3]
    with pytest.raises(RuntimeError, match="on a worker, the method 'pdq' needs the package"):
        hash_files(paths, ["pdq"], executor="processes", progress=False)


def test_errors_of_images_can_be_pickled_where_dask_is_loaded():
    """Dask uses tblib, which makes an exception by its class's ``__new__``, without arguments."""
    code = (
        "import pickle, finhash.images, tblib.pickling_support\n"
        "tblib.pickling_support.install()\n"
        "error = finhash.images.EmptyImageError('0 bytes')\n"
        "print(repr(pickle.loads(pickle.dumps(error))))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "EmptyImageError('0 bytes')"


@pytest.mark.parametrize("executor", ["serial", "threads"])
def test_exceptions_of_a_function_of_ones_own_are_rows(folder, own, executor):
    def fail(image):
        raise ZeroDivisionError("an image without contrast")

    methods.register("fails", fail, bits=64)
    methods.register("lies", lambda image: np.zeros(16, np.uint8), bits=64)
    paths = sorted(folder.glob("0*.jpg"))[:2]
    errors = hash_files(paths, [own.name, "fails"], executor=executor, progress=False).errors
    assert errors == ["ZeroDivisionError: an image without contrast"] * 2
    errors = hash_files(paths, ["lies"], executor=executor, progress=False).errors
    assert "the method 'lies' returned 128 bits, but is registered with 64" in errors[0]
