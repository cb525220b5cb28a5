"""A gallery in a folder: processes that share it, and processes that are killed."""

import copy
import errno
import io
import json
import multiprocessing
import os
import pickle
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from finhash import Gallery, hamming
from finhash.hamming.gallery import store
from tests.hamming.test_gallery import Model, check
from tests.hamming.test_scan import random_hashes

pytestmark = pytest.mark.usefixtures("centres_for_few_hashes")


FORMAT_1 = Path(__file__).parent / "format_1"


@contextmanager
def changing(folder):
    """Change the gallery in a folder for as long as the block runs."""
    with closing(sqlite3.connect(folder / "gallery.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def set_fact(folder, name, value):
    with closing(sqlite3.connect(folder / "gallery.sqlite")) as database, database:
        database.execute("UPDATE facts SET value = ? WHERE name = ?", (json.dumps(value), name))


def run(program, *arguments, **options):
    """Run a program in a process of its own."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, **options)


@pytest.mark.parametrize("ids", [None, [f"{k}.jpg" if k % 3 else k for k in range(500)]])
def test_save_and_load(tmp_path, ids):
    hashes = random_hashes(500, 32)
    gallery = Gallery(hashes[:300], None if ids is None else ids[:300], method="find")
    gallery.add(hashes[300:], None if ids is None else ids[300:])
    gallery.remove(gallery.ids[::100])
    gallery.save(tmp_path / "new" / "folder")
    loaded = Gallery.load(tmp_path / "new" / "folder")
    assert (loaded.method, loaded.bits) == ("find", 256)
    assert repr(loaded).startswith("Gallery(495 hashes of 256 bits, method='find', folder='")
    rows = [k for k in range(500) if k % 100]
    check(loaded, [ids[k] if ids else k for k in rows], hashes[rows], seed=4)
    assert loaded.snapshot().parts[0].groups
    check(gallery, list(loaded.ids), hashes[rows], seed=5)


def test_loading_maps_the_files(tmp_path):
    Gallery(random_hashes(500, 32), [f"{k}" for k in range(500)]).save(tmp_path)
    part, ids = Gallery.load(tmp_path).snapshot().segments[0]
    for array in (part.rows, *part.others, *part.groups, *ids.arrays):
        while array.base is not None and not isinstance(array, np.memmap):
            array = array.base
        assert isinstance(array, np.memmap)


def test_an_empty_gallery(tmp_path):
    Gallery(method="dhash64").save(tmp_path)
    loaded = Gallery.load(tmp_path, readonly=False)
    assert (len(loaded), loaded.method, loaded.bits) == (0, "dhash64", 64)
    assert loaded.search("0f" * 8, k=3) == []
    loaded.add("0f" * 8)
    loaded.remove(0)
    loaded.optimize()
    assert len(Gallery.load(tmp_path)) == 0
    loaded.add("0f" * 8)
    assert list(Gallery.load(tmp_path).ids) == [1]


def test_a_missing_gallery_is_made_if_asked_for(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no gallery; save one there, or load it"):
        Gallery.load(tmp_path / "new")
    made = Gallery.load(tmp_path / "new", create=True, readonly=False, method="phash64")
    assert (made.method, made.bits) == ("phash64", 64)
    made.add("0f" * 8, "a")
    again = Gallery.load(tmp_path / "new", create=True, method="phash64")
    assert list(again.ids) == ["a"]


def test_a_gallery_that_is_created_can_be_written_unless_it_is_only_to_be_read(tmp_path):
    for _ in range(2):
        Gallery.load(tmp_path, create=True).add("0f" * 32)
    with pytest.raises(io.UnsupportedOperation, match="readonly=False"):
        Gallery.load(tmp_path, create=True, readonly=True).add("0f" * 32)
    with pytest.raises(io.UnsupportedOperation, match="readonly=False"):
        Gallery.load(tmp_path).add("0f" * 32)


def test_every_change_is_in_the_folder(tmp_path):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        folder = tmp_path / str(seed)
        Gallery(random_hashes(200, 32, seed)).save(folder)
        model = Model(Gallery.load(folder, readonly=False))
        reader = Gallery.load(folder)
        for step in range(10):
            model.change(rng)
            reader.refresh()
            for gallery in (model.gallery, reader, Gallery.load(folder)):
                assert list(gallery.ids) == model.ids
                np.testing.assert_array_equal(np.asarray(gallery), model.hashes)
                query = random_hashes(1, 32, step)
                got = hamming.join(query, gallery, radius=110)
                expected = hamming.join(query, model.hashes, radius=110)
                np.testing.assert_array_equal(got, expected)


def test_a_large_addition(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "ROWS", 40)
    gallery = Gallery.load(tmp_path, readonly=False, create=True)
    hashes = random_hashes(100, 32)
    gallery.add(hashes)
    check(Gallery.load(tmp_path), list(range(100)), hashes, seed=6)


def test_two_writers_and_a_reader(tmp_path):
    one, two = (Gallery.load(tmp_path, readonly=False, create=True) for _ in range(2))
    reader = Gallery.load(tmp_path)
    one.add("00" * 32, "a")
    with pytest.raises(ValueError, match="the id 'a' is in the gallery already"):
        two.add("01" * 32, "a")
    two.add("01" * 32)
    two.remove("a")
    with pytest.raises(KeyError, match="no hash has the id 'a'"):
        one.remove("a")
    one.add("02" * 32, "a")
    one.add("03" * 32)
    assert list(one.ids) == [0, "a", 1]
    assert len(reader) == 0
    reader.refresh()
    assert reader.ids == one.ids
    before = reader.snapshot()
    reader.refresh()
    assert reader.snapshot() is before
    assert list(two.ids) == [0]
    two.refresh()
    assert two.ids == one.ids


def test_grouping_by_one_process_leaves_the_others_as_they_are(tmp_path):
    hashes = random_hashes(600, 32)
    Gallery(hashes[:300]).save(tmp_path)
    one, two = (Gallery.load(tmp_path, readonly=False) for _ in range(2))
    one.add(hashes[300:])
    one.remove(range(0, 300, 2))
    two.refresh()
    one.optimize()
    left = [k for k in range(600) if k >= 300 or k % 2]
    check(two, left, hashes[left], seed=7)  # its files were deleted
    two.remove(599)
    two.add(hashes[:10], [f"{k}" for k in range(10)])
    one.refresh()
    left.remove(599)
    expected = np.concatenate([hashes[left], hashes[:10]])
    for gallery in (one, two, Gallery.load(tmp_path)):
        check(gallery, left + [f"{k}" for k in range(10)], expected, seed=8)
    assert len(list((tmp_path / "segments").iterdir())) == 1


def test_changes_by_others_during_grouping_are_kept(tmp_path, monkeypatch):
    hashes = random_hashes(600, 32)
    one, two = (Gallery.load(tmp_path, readonly=False, create=True) for _ in range(2))
    one.add(hashes[:500])
    lay_out = one._lay_out

    def meanwhile(*arguments):
        two.remove([3, 400])
        two.add(hashes[500:])
        with pytest.raises(TimeoutError, match="has been changing the gallery"):
            Gallery.load(tmp_path, readonly=False, wait=0.1).optimize()
        return lay_out(*arguments)

    monkeypatch.setattr(one, "_lay_out", meanwhile)
    one.optimize()
    left = [k for k in range(600) if k not in (3, 400)]
    for gallery in (one, Gallery.load(tmp_path)):
        check(gallery, left, hashes[left], seed=9)
        assert gallery.snapshot().added == 100


def test_threads_share_a_gallery_in_a_folder(tmp_path):
    gallery = Gallery.load(tmp_path, readonly=False, create=True)
    hashes, errors, done = random_hashes(60, 32), [], threading.Event()

    def call(function, *arguments):
        try:
            function(*arguments)
        except BaseException as error:
            errors.append(error)

    def add(name):
        for k in range(30):
            gallery.add(hashes[k], f"{name}/{k}")
            assert gallery.search(hashes[k], k=1)[0].distance == 0
            gallery.remove(f"{name}/{k}")
            gallery.add(hashes[k : k + 2], [f"{name}/{k}", f"{name}/{k}+"])

    def read():
        while not done.is_set():
            gallery.refresh()
            matches = gallery.search(hashes[0], k=20)
            assert len({match.id for match in matches}) == len(matches)
            gallery.optimize()

    writers = [threading.Thread(target=call, args=(add, name)) for name in "ab"]
    readers = [threading.Thread(target=call, args=(read,)) for _ in range(2)]
    for thread in writers + readers:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in readers:
        thread.join()
    assert not errors
    expected = {f"{name}/{k}{end}" for name in "ab" for k in range(30) for end in ("", "+")}
    assert set(gallery.ids) == set(Gallery.load(tmp_path).ids) == expected
    assert len(gallery) == len(expected)


def test_grouping_shortens_the_list_of_changes(tmp_path):
    gallery = Gallery.load(tmp_path, readonly=False, create=True)
    gallery.add(random_hashes(100, 32))
    gallery.optimize()
    before = gallery.snapshot()
    gallery.optimize()
    assert gallery.snapshot() is before
    gallery.remove([3, 50])
    with closing(sqlite3.connect(tmp_path / "gallery.sqlite")) as database:
        assert database.execute("SELECT count(*) FROM changes").fetchone() == (1,)
        gallery.optimize()
        assert database.execute("SELECT count(*) FROM changes").fetchone() == (0,)
    left = [k for k in range(100) if k not in (3, 50)]
    for one in (gallery, Gallery.load(tmp_path)):
        check(one, left, random_hashes(100, 32)[left], seed=10)
        assert len(one.snapshot().segments) == 1
        assert one.snapshot().size == 100


def test_a_second_writer_waits(tmp_path):
    impatient = Gallery.load(tmp_path, readonly=False, create=True, wait=0.2)
    patient = Gallery.load(tmp_path, readonly=False, wait=60)
    reader = Gallery.load(tmp_path)
    with changing(tmp_path):
        for call in (
            lambda: impatient.add("0f" * 32, "a"),
            lambda: impatient.remove("a"),
            lambda: Gallery().save(tmp_path, wait=0.2),
        ):
            with pytest.raises(TimeoutError, match=r"for more than 0.2 seconds; try again, or"):
                call()
        reader.refresh()
        assert reader.search("0f" * 32, k=1) == []
        adding = threading.Thread(target=patient.add, args=("0f" * 32, "b"))
        adding.start()
        time.sleep(0.3)
        reader.refresh()
        assert len(reader) == 0
    adding.join()
    reader.refresh()
    assert list(reader.ids) == ["b"]
    impatient.add("0f" * 32, "a")
    assert list(impatient.ids) == ["b", "a"]


def test_a_gallery_to_read_only(tmp_path):
    Gallery(["0f" * 32]).save(tmp_path)
    gallery = Gallery.load(tmp_path)
    for call in (
        lambda: gallery.add("00" * 32),
        lambda: gallery.remove(0),
        gallery.optimize,
        lambda: gallery.save(tmp_path),
    ):
        with pytest.raises(io.UnsupportedOperation, match="load it with readonly=False"):
            call()
    gallery.save(tmp_path / "copy")
    assert list(Gallery.load(tmp_path / "copy").ids) == [0]


def test_saving_replaces_what_the_folder_holds(tmp_path):
    writer = Gallery.load(tmp_path, readonly=False, create=True, method="find")
    writer.add(random_hashes(5, 32))
    reader = Gallery.load(tmp_path)
    hashes = random_hashes(20, 32, 1)
    gallery = Gallery(hashes, [f"{k}" for k in range(20)], method="find", grouped=False)
    for _ in range(2):
        gallery.save(tmp_path)
        writer.add(random_hashes(1, 32))
        reader.refresh()
        assert list(reader.ids) == [*gallery.ids, 0]
        writer.remove(0)
    assert not Gallery.load(tmp_path)._grouped
    with pytest.raises(ValueError, match=r"hashes of 256 bits by the method 'find', and this"):
        Gallery(method="phash256").save(tmp_path)
    writer.save(tmp_path)
    assert len(Gallery.load(tmp_path)) == 20
    assert len(list((tmp_path / "segments").iterdir())) == 1


def test_a_folder_of_format_1(tmp_path):
    """Every version must read this folder, which the first version with galleries has written."""
    folder = shutil.copytree(FORMAT_1, tmp_path / "gallery")
    gallery = Gallery.load(folder, method="find", readonly=False)
    named = [f"{k}.jpg" for k in range(60, 72) if k != 61]
    ids = [*(k for k in range(60) if k != 3), *named, 61, 62]
    assert [len(segment.ids) for segment in gallery.snapshot().segments] == [60, 12]
    assert gallery.snapshot().parts[0].groups
    rows = [k for k in range(75) if k not in (3, 61, 72)]
    check(gallery, ids, random_hashes(120, 32)[rows], seed=11)
    gallery.add("0f" * 32)
    assert gallery.ids[-1] == 63


def test_folders_that_are_refused(tmp_path):
    Gallery(["0f" * 32]).save(tmp_path)
    with pytest.raises(ValueError, match=r"holds hashes by the method 'find', not 'phash256'"):
        Gallery.load(tmp_path, method="phash256")
    set_fact(tmp_path, "format", 99)
    with pytest.raises(ValueError, match=r"has format 99, and this version of finhash reads"):
        Gallery.load(tmp_path)
    for content in (b"this is text" * 1000, b""):
        (tmp_path / "gallery.sqlite").write_bytes(content)
        with pytest.raises(ValueError, match=r"is not a gallery's database; choose another folder"):
            Gallery.load(tmp_path)


def test_a_method_that_is_not_registered_here(tmp_path):
    Gallery(["0f" * 8], bits=64).save(tmp_path)
    set_fact(tmp_path, "method", "theirs")
    gallery = Gallery.load(tmp_path)
    assert gallery.search("0f" * 8, k=1)[0].distance == 0
    with pytest.raises(KeyError, match="unknown method 'theirs'"):
        gallery.search(b"image", k=1)


def test_a_copied_folder(tmp_path):
    gallery = Gallery.load(tmp_path / "a", readonly=False, create=True)
    gallery.add("0f" * 32)
    gallery.optimize()
    del gallery
    shutil.copytree(tmp_path / "a", tmp_path / "b?#%")
    assert len(Gallery.load(tmp_path / "b?#%")) == 1


# The other user may not be able to read the files of the interpreter, so all is imported before.
READ_AS_ANOTHER_USER = """
import mmap, os, sys
from finhash import Gallery
from finhash.hamming.gallery import store
gallery = Gallery(["0f" * 32])
gallery.search("0f" * 32, k=1)
if not os.getuid():
    os.setuid(65534)
gallery = Gallery.load(sys.argv[1])
gallery.refresh()
print(gallery.search("0f" * 32, k=1))
try:
    Gallery.load(sys.argv[1], readonly=False).add("00" * 32)
except PermissionError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions")
def let_others_in(folder):
    """Let other users open a folder, and the temporary folders in which it lies."""
    for path in (folder, *folder.parents):
        if path.stat().st_mode & 0o777 == 0o700:
            path.chmod(0o755)


def test_a_folder_that_cannot_be_written(tmp_path):
    folder = tmp_path / "gallery"
    Gallery(["0f" * 32]).save(folder)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    let_others_in(tmp_path)
    out, _ = run(READ_AS_ANOTHER_USER, folder).communicate()
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)
    found, refused = out.splitlines()
    assert found == "[Match(id=0, distance=0)]"
    assert "cannot be written by this user" in refused


READ_AGAIN_AS_ANOTHER_USER = """
import mmap, os, sys
from finhash import Gallery
from finhash.hamming.gallery import store
Gallery(["0f" * 32]).search("0f" * 32, k=1)
if not os.getuid():
    os.setuid(65534)
gallery = Gallery.load(sys.argv[1])
print(gallery._store._unlocked, flush=True)
for line in sys.stdin:
    gallery.refresh()
    print(*gallery.ids, flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions")
@pytest.mark.skipif(os.name == "posix" and os.getuid() != 0, reason="needs a second user")
@pytest.mark.parametrize("seen_open", [False, True])
def test_a_reader_that_cannot_write_sees_changes(tmp_path, seen_open):
    folder = tmp_path / "gallery"
    Gallery(["0f" * 32]).save(folder)
    let_others_in(tmp_path)
    reader = run(READ_AGAIN_AS_ANOTHER_USER, folder, stdin=subprocess.PIPE)

    def seen():
        reader.stdin.write("\n")
        reader.stdin.flush()
        return [int(one) for one in reader.stdout.readline().split()]

    assert reader.stdout.readline() == "True\n"
    assert seen() == [0]
    for k in range(1, 5):
        writer = Gallery.load(folder, readonly=False)
        writer.add("0f" * 32)
        if k == 3:
            writer.optimize()
        if seen_open:
            assert seen() == list(range(k + 1))
        del writer
        assert seen() == list(range(k + 1))
    reader.stdin.close()
    assert reader.wait() == 0
    reader.stdout.close()


@pytest.mark.parametrize("replaced", [False, True])
@pytest.mark.parametrize("move", [shutil.rmtree, lambda folder: folder.rename(f"{folder}2")])
def test_a_folder_that_was_moved_or_deleted(tmp_path, move, replaced):
    folder = tmp_path / "gallery"
    writer = Gallery.load(folder, readonly=False, create=True)
    writer.add("0f" * 32, "a")
    reader = Gallery.load(folder)
    move(folder)
    if replaced:
        Gallery(["00" * 32], ids=["other"]).save(folder)
    for call in (
        lambda: writer.add("0f" * 32, "b"),
        lambda: writer.remove("a"),
        writer.optimize,
        writer.refresh,
        reader.refresh,
    ):
        with pytest.raises(FileNotFoundError, match="was moved, deleted or replaced after it was"):
            call()
    assert folder.exists() == replaced
    if replaced:
        assert Gallery.load(folder).ids == ["other"]
    assert reader.search("0f" * 32, k=1)[0].id == "a"


def test_a_relative_folder_stays_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gallery = Gallery.load("gallery", readonly=False, create=True)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    gallery.add("0f" * 32)
    gallery.optimize()
    assert Gallery.load(tmp_path / "gallery").ids == [0]


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))]
)
def test_a_copy_opens_the_folder_itself(tmp_path, duplicate):
    writer = Gallery.load(tmp_path, readonly=False, create=True, wait=3)
    reader = Gallery.load(tmp_path)
    copies = duplicate(writer), duplicate(reader)
    copies[0].add("0f" * 32)
    copies[1].refresh()
    for gallery in (writer, reader):
        gallery.refresh()
        assert list(gallery.ids) == list(copies[1].ids) == [0]
    assert copies[0]._store.wait == 3
    with pytest.raises(io.UnsupportedOperation):
        copies[1].add("00" * 32)


def add_one(gallery, one):
    gallery.add("0f" * 32, one)


@pytest.mark.slow
def test_a_spawned_process_opens_the_folder_itself(tmp_path):
    gallery = Gallery.load(tmp_path, readonly=False, create=True)
    child = multiprocessing.get_context("spawn").Process(target=add_one, args=(gallery, "child"))
    child.start()
    child.join()
    assert child.exitcode == 0
    gallery.refresh()
    assert list(gallery.ids) == ["child"]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_uses_its_own_connections(tmp_path):
    gallery = Gallery.load(tmp_path, readonly=False, create=True)
    gallery.add("0f" * 32, "parent")
    for one in ("first", "second"):
        child = multiprocessing.get_context("fork").Process(target=add_one, args=(gallery, one))
        child.start()
        child.join()
        assert child.exitcode == 0
    gallery.add("0f" * 32, "last")
    assert list(gallery.ids) == ["parent", "first", "second", "last"]


WRITE = """
import sys
from finhash import Gallery
folder, name, optimize = sys.argv[1:]
gallery = Gallery.load(folder, readonly=False, create=True)
for k in range(10**6):
    gallery.add([f"{k:064x}", f"{k + 1:064x}"], [f"{name}/{k}", f"{name}/{k}+"])
    if k % 3 == 2:
        gallery.remove(f"{name}/{k - 1}+")
    if optimize == "optimize" and k % 5 == 4:
        gallery.optimize()
    print(k, flush=True)
"""


def contents(gallery):
    """Return the hash of each identifier as hexadecimal digits."""
    return {
        one: packed.tobytes().hex()
        for one, packed in zip(gallery.ids, np.asarray(gallery), strict=True)
    }


def expected_of(name, last):
    """Return which hash each identifier has after the writer has printed ``last``."""
    found = {f"{name}/{k}": f"{k:064x}" for k in range(last + 1)}
    found |= {f"{name}/{k}+": f"{k + 1:064x}" for k in range(last + 1) if k % 3 != 1 or k == last}
    return found


@pytest.mark.slow
@pytest.mark.parametrize("optimize", ["", "optimize"])
def test_a_killed_writer_leaves_all_that_it_had_added(tmp_path, optimize):
    reader, expected = Gallery.load(tmp_path, create=True), {}
    for round_ in range(4):
        writer = run(WRITE, tmp_path, round_, optimize)
        seen = [writer.stdout.readline() for _ in range(10 + 7 * round_)]
        time.sleep(0.003 * round_)
        writer.send_signal(signal.SIGKILL)
        seen += writer.stdout.readlines()
        writer.wait()
        last = int(seen[-1])
        expected |= expected_of(round_, last)
        reader.refresh()
        for gallery in (reader, Gallery.load(tmp_path)):
            held = contents(gallery)
            # The step that was interrupted is there completely or not at all.
            extra = held.keys() - expected.keys()
            assert extra in (set(), {f"{round_}/{last + 1}", f"{round_}/{last + 1}+"})
            missing = expected.keys() - held.keys()
            assert missing in (set(), {f"{round_}/{last}+"})
            assert all(held[one] == expected[one] for one in expected.keys() & held.keys())
        expected = held
    writer = Gallery.load(tmp_path, readonly=False)
    # Without a change, files that the killed process has just replaced would stay.
    writer.add("0f" * 32, "end")
    writer.optimize()
    gallery = Gallery.load(tmp_path)
    assert contents(gallery) == expected | {"end": "0f" * 32}
    assert len(list((tmp_path / "segments").iterdir())) == len(gallery.snapshot().segments)


@pytest.mark.slow
def test_two_processes_add_at_once(tmp_path):
    reader = Gallery.load(tmp_path, create=True)
    writers = [run(WRITE, tmp_path, name, "") for name in ("one", "two")]
    for writer in writers:
        for _ in range(50):
            line = writer.stdout.readline()
    for writer in writers:
        writer.send_signal(signal.SIGKILL)
        writer.stdout.close()
        writer.wait()
    assert int(line) == 49
    reader.refresh()
    for name in ("one", "two"):
        assert {f"{name}/{k}" for k in range(50)} <= set(reader.ids)


def test_a_full_disk_is_an_error_that_names_the_folder():
    connection = sqlite3.connect(":memory:")
    connection.execute("PRAGMA max_page_count=2")
    connection.execute("CREATE TABLE a (b)")
    words = "no space left on the disk of the gallery in here"
    with pytest.raises(OSError, match=words) as caught, store._busy(Path("here"), 0):
        connection.execute("INSERT INTO a VALUES (?)", [bytes(100_000)])
    assert caught.value.errno == errno.ENOSPC
