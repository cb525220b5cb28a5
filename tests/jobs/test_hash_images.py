"""``hash_images`` hashes sources of every kind under ids, and resumes by id."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from itertools import count

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from finhash import HashTable, find_hash, hash_files, hash_images, methods
from finhash.images import to_rgb
from finhash.jobs import dispatch, parts
from finhash.tables.folder import part_files
from tests.conftest import VECTORS, jpeg_bytes, noise


def sources_of(path) -> dict[str, object]:
    """Return every kind of source of one image."""
    content = path.read_bytes()
    return {
        "path": path,
        "str": str(path),
        "bytes": content,
        "bytearray": bytearray(content),
        "memoryview": memoryview(content),
        "BytesIO": io.BytesIO(content),
        "file": path.open("rb"),
        "image": Image.open(path),
        "array": np.asarray(Image.open(path).convert("RGB")),
    }


EXECUTORS = pytest.mark.parametrize(
    "executor",
    [
        "serial",
        "threads",
        pytest.param("processes", marks=pytest.mark.slow),
        pytest.param("dask", marks=pytest.mark.slow),
    ],
)


@EXECUTORS
def test_every_source_gives_the_hash_of_the_file(executor, tmp_path):
    path = VECTORS / "scene_250.png"
    items = sources_of(path)
    table = hash_images(
        items.items(),
        ["find", "dhash64"],
        workers=2,
        executor=executor,
        out=tmp_path / "out",
        progress=False,
    )
    assert table.paths == list(items)
    assert table.errors == [""] * len(items)
    expected = hash_files(path, ["find", "dhash64"], progress=False)
    for name in ("find", "dhash64"):
        assert (table.hashes(name) == expected.hashes(name)).all()


@pytest.mark.parametrize("executor", ["threads", pytest.param("processes", marks=pytest.mark.slow)])
def test_images_of_every_mode_arrive_as_they_are(executor):
    pixels, items = Image.fromarray(noise(600, 700)), []
    for mode in ("1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "F"):
        image = pixels.convert("L").convert(mode) if mode in ("I;16", "F") else pixels.convert(mode)
        if mode == "P":
            image.info["transparency"] = 3
        items.append((mode, image))
    table = hash_images(items, executor=executor, progress=False)
    found = [row.tobytes().hex() for row in table.hashes("find")]
    assert found == [str(find_hash(image)) for _, image in items]


@EXECUTORS
def test_bad_images_are_rows_and_the_job_goes_on(executor, tmp_path):
    text = (tmp_path / "text").open("w+")
    items = [
        ("damaged", jpeg_bytes(200, 200)[:3000]),
        ("empty", b""),
        ("none", None),
        ("float", np.zeros((3, 3, 3))),
        ("lazy", Image.open(io.BytesIO(jpeg_bytes(200, 200)[:3000]))),
        ("text", text),
        ("missing", tmp_path / "missing.jpg"),
        ("generator", (k for k in range(3))),
        ("good", jpeg_bytes()),
    ]
    table = hash_images(items, executor=executor, progress=False)
    assert table.paths == [name for name, _ in items]
    assert [error.split(":")[0] for error in table.errors] == [
        "DamagedImageError",
        "EmptyImageError",
        "TypeError",
        "TypeError",
        "DamagedImageError",
        "TypeError",
        "FileNotFoundError",
        "TypeError",
        "",
    ]


def test_finished_ids_are_skipped_without_reading_their_images(tmp_path):
    class Unread(io.BytesIO):
        def read(self, *_):
            raise AssertionError("the image was read")

    def table(items):
        return hash_images(items, out=tmp_path / "out", progress=False)

    first = table([("a", jpeg_bytes(seed=1)), ("b", b"damaged"), ("c", b"")])
    assert [bool(error) for error in first.errors] == [False, True, True]
    again = table([("a", Unread()), ("b", jpeg_bytes(seed=2)), ("d", jpeg_bytes(seed=3))])
    assert again.paths == ["a", "b", "d"]
    assert again.errors == [""] * 3
    assert (again.hashes("find")[0] == first.without_errors().hashes("find")[0]).all()
    assert HashTable.read(tmp_path / "out").paths == ["a", "b", "c", "d"]


def test_rehash_replaces_finished_rows(tmp_path):
    out = tmp_path / "out"
    hash_images([("a", jpeg_bytes(seed=1)), ("b", jpeg_bytes(seed=2))], out=out, progress=False)
    new = [("a", jpeg_bytes(seed=5))]
    assert hash_images(new, out=out, progress=False).hashes("find")[0].tobytes().hex() == str(
        find_hash(jpeg_bytes(seed=1))
    )
    changed = hash_images(new, out=out, rehash=True, progress=False)
    assert changed.hashes("find")[0].tobytes().hex() == str(find_hash(jpeg_bytes(seed=5)))
    assert len(HashTable.read(out)) == 2


def test_a_path_under_an_id_is_hashed_again_if_the_file_has_changed(tmp_path):
    path, out = tmp_path / "a.jpg", tmp_path / "out"
    for seed in (1, 2):
        path.write_bytes(jpeg_bytes(seed=seed))
        os.utime(path, (seed, seed))
        table = hash_images([("17", path)], out=out, progress=False)
        assert table.paths == ["17"]
        assert table.hashes("find")[0].tobytes().hex() == str(find_hash(path))


def test_the_last_of_equal_ids_stays_in_a_folder(tmp_path):
    items = [("a", jpeg_bytes(seed=1)), ("b", jpeg_bytes(seed=2)), ("a", jpeg_bytes(seed=3))]
    expected = [str(find_hash(source)) for _, source in items]
    table = hash_images(items, executor="serial", progress=False)
    assert [row.tobytes().hex() for row in table.hashes("find")] == expected
    table = hash_images(items, executor="serial", out=tmp_path / "out", progress=False)
    hashes = [row.tobytes().hex() for row in table.hashes("find")]
    assert hashes == [expected[2], expected[1], expected[2]]


@pytest.mark.parametrize("with_out", [False, True])
def test_a_generator_may_close_its_files_and_reuse_its_buffer(tmp_path, with_out):
    paths = sorted(VECTORS.glob("*.png"))
    pixels = np.empty((64, 64, 3), np.uint8)

    def items():
        for path in paths:
            with path.open("rb") as file:
                yield path.name, file
            with Image.open(path) as image:
                yield f"image of {path.name}", image
        for k in range(50):
            pixels[:] = noise(64, 64, k)
            yield f"frame {k:02d}", pixels

    out = tmp_path / "out" if with_out else None
    if with_out:  # some ids are then known, so that states are compared
        hash_images([("frame 60", pixels)], out=out, progress=False)
    table = hash_images(items(), workers=4, out=out, progress=False)
    found = dict(zip(table.paths, table.arrow["find"].to_pylist(), strict=True))
    for path in paths:
        assert found[path.name].hex() == str(find_hash(path))
        assert found[f"image of {path.name}"].hex() == str(find_hash(path))
    for k in range(50):
        assert found[f"frame {k:02d}"].hex() == str(find_hash(noise(64, 64, k)))


def test_more_open_files_than_the_system_allows_are_hashed_again(tmp_path):
    """Each file stays open until the generator goes on, and the folder knows some of the ids."""
    script = (
        "import resource, sys, finhash\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))\n"
        "def items(n):\n"
        "    for k in range(n):\n"
        "        with open(sys.argv[1], 'rb') as file:\n"
        "            yield str(k), file\n"
        "out = sys.argv[2]\n"
        "finhash.hash_images(items(5), out=out, progress=False)\n"
        "print(len(finhash.hash_images(items(200), out=out, progress=False).without_errors()))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, VECTORS / "scene_250.png", tmp_path / "out"],
        capture_output=True,
        text=True,
    )
    assert run.stdout.strip() == "200", run.stderr


@pytest.mark.parametrize("with_out", [False, True])
def test_memory_does_not_grow_with_the_number_of_images(monkeypatch, tmp_path, with_out):
    monkeypatch.setattr(dispatch, "LARGEST_BYTES", 2**20)
    content = jpeg_bytes() + bytes(2**19)  # what follows the end of a JPEG is ignored

    def items():
        for k in range(400):
            yield str(k), io.BytesIO(content)

    out = tmp_path / "out" if with_out else None
    if with_out:
        hash_images([("0", content)], out=out, progress=False)
    tracemalloc.start()
    try:
        table = hash_images(items(), workers=2, out=out, progress=False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(table.without_errors()) == 400
    assert peak < 40 * 2**20  # all images take 200 MB


def deadly(image: Image.Image) -> np.ndarray:
    """Kill the process that hashes an image whose first pixel is (1, 2, 3)."""
    if image.getpixel((0, 0)) == (1, 2, 3):
        os.kill(os.getpid(), signal.SIGKILL)
    return np.zeros(8, np.uint8)


@pytest.mark.slow
def test_an_image_that_kills_its_workers_is_a_row_with_that_reason(monkeypatch, tmp_path):
    monkeypatch.setattr(methods, "METHODS", dict(methods.METHODS))
    methods.register("deadly", deadly, bits=64)
    images = [noise(600, 600, k) for k in range(20)]
    images[11][0, 0] = (1, 2, 3)
    table = hash_images(
        ((str(k), pixels) for k, pixels in enumerate(images)),
        ["deadly"],
        workers=2,
        executor="processes",
        out=tmp_path / "out",
        progress=False,
    )
    errors = dict(zip(table.paths, table.errors, strict=True))
    assert errors.pop("11") == "WorkerDiedError: two workers died hashing this image"
    assert set(errors.values()) == {""}
    assert len(errors) == 19


def test_an_exception_of_the_generator_keeps_finished_rows(tmp_path):
    def items():
        yield "a", jpeg_bytes(seed=1)
        yield "b", jpeg_bytes(seed=2)
        raise ConnectionError("the store of images is gone")

    with pytest.raises(ConnectionError, match="is gone"):
        hash_images(items(), executor="serial", out=tmp_path / "out", progress=False)
    assert HashTable.read(tmp_path / "out").paths == ["a", "b"]


def test_ids_are_in_the_table_as_they_were_given():
    ids = ["17", "https://example.org/é?x=1", "", "🦊"]
    table = hash_images([(name, jpeg_bytes()) for name in ids], progress=False)
    assert table.paths == ids


def test_an_empty_stream_gives_an_empty_table(tmp_path):
    assert len(hash_images([], progress=False)) == 0
    assert len(hash_images(iter([]), out=tmp_path / "out", progress=False)) == 0


def test_pixels_of_any_size_are_accepted():
    pixels = to_rgb(VECTORS / "scene_250.png")
    table = hash_images([("1", pixels), ("2", pixels[:, ::-1])], progress=False)
    assert table.errors == ["", ""]
    assert table.hashes("find")[1].tobytes().hex() == str(find_hash(pixels[:, ::-1]))


def rows_in(out) -> int:
    return sum(pq.read_metadata(part).num_rows for part in part_files(out))


@pytest.mark.parametrize("workers", [1, 2])
def test_rows_are_written_while_a_generator_waits(workers, tmp_path):
    pixels, seen = noise(20, 20), []

    def items():
        yield from ((str(k), pixels) for k in range(40))
        deadline = time.monotonic() + 60
        while rows_in(tmp_path) < 40 and time.monotonic() < deadline:
            time.sleep(0.05)
        seen.append(rows_in(tmp_path))

    hash_images(items(), ["dhash64"], workers=workers, out=tmp_path, progress=False)
    assert seen == [40]


@pytest.mark.parametrize("executor", ["serial", "threads"])
@pytest.mark.parametrize("resumed", [False, True])
def test_what_a_generator_gave_before_an_exception_is_written(executor, resumed, tmp_path):
    path = VECTORS / "scene_250.png"
    if resumed:
        hash_images([("first", path)], ["dhash64"], out=tmp_path, progress=False)

    def items():
        yield from ((str(k), path) for k in range(300))
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        hash_images(items(), ["dhash64"], executor=executor, out=tmp_path, progress=False)
    assert rows_in(tmp_path) == 300 + resumed


def test_a_generator_runs_in_the_calling_thread_and_is_closed(tmp_path, monkeypatch):
    threads, closed = set(), []

    def endless():
        try:
            for k in count():
                threads.add(threading.get_ident())
                yield str(k), noise(9, 9)
        finally:
            closed.append(True)

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(dispatch, "wait", interrupt)
    generator = endless()  # a reference that keeps it from being closed as garbage
    with pytest.raises(KeyboardInterrupt):
        hash_images(generator, ["dhash64"], out=tmp_path, progress=False)
    assert closed
    assert threads == {threading.get_ident()}


def test_a_problem_of_the_writing_thread_ends_the_job(tmp_path, monkeypatch):
    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(parts, "write_table", full)
    monkeypatch.setattr(dispatch, "PATIENCE", 0.01)

    def items():
        for k in range(1000):
            yield str(k), noise(9, 9)
            time.sleep(0.01 * (k > 5))

    with pytest.raises(OSError, match="no space left"):
        hash_images(items(), ["dhash64"], out=tmp_path, progress=False)
