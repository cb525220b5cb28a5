"""Files are written completely or not at all; devices, pipes, sockets and links stay in place."""

import errno
import io
import os
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from finhash.files import output, sync_folder, whole_file

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may do this")


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    """Put temporary files into a folder of the test; fail if one is left."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", os.fspath(folder))
    yield folder
    assert not list(folder.iterdir())


@pytest.fixture
def place(tmp_path):
    """Return the folder of the files that a test writes; fail if a temporary file is left."""
    folder = tmp_path / "place"
    folder.mkdir()
    yield folder
    assert not list(folder.rglob("*.partial"))


def write(path: Path, text: str) -> None:
    with whole_file(path) as partial:
        partial.write_text(text)


def identity(path: Path) -> tuple[int, ...]:
    status = path.lstat()
    return (status.st_ino, status.st_dev, status.st_mode, status.st_rdev, status.st_uid)


WRITE = """
import os, sys
from finhash.files import whole_file

if os.geteuid() == 0:
    os.setgroups([12345])
    os.setgid(65534)
    os.setuid(65534)
print("before")
with whole_file(sys.argv[1]) as partial:
    partial.write_text("new\\n")
print("after")
"""
"""Program that gives up root's rights, prints a line, writes one to a path, and prints another."""


def write_without_rights(path: str, folder: Path, stdout: object = subprocess.DEVNULL) -> str:
    """Write "new" to a path in a process without root's rights; return its error, if any.

    A fault then cannot replace the machine's devices.
    """
    done = subprocess.run(
        [sys.executable, "-c", WRITE, path],
        cwd=folder,
        env={**os.environ, "TMPDIR": os.fspath(folder / "tmp"), "PYTHONUNBUFFERED": ""},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    return done.stderr


@pytest.fixture
def open_place():
    """Return a folder that every user can reach, which a test's own folder need not be."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "tmp").mkdir()
        (folder / "tmp").chmod(0o777)
        yield folder


def test_the_file_appears_when_the_block_ends(place):
    target = place / "new" / "note.txt"
    with whole_file(target) as partial:
        partial.write_text("done")
        assert not target.exists()
    assert target.read_text() == "done"
    assert list(target.parent.iterdir()) == [target]


def test_a_failed_block_keeps_the_old_file(place):
    target = place / "note.txt"
    target.write_text("old")
    with pytest.raises(OSError, match="disk full"), whole_file(target) as partial:
        partial.write_text("ne")
        raise OSError("disk full")
    assert target.read_text() == "old"
    assert list(place.iterdir()) == [target]


def test_the_name_may_be_as_long_as_the_file_system_permits(place):
    target = place / ("n" * os.pathconf(place, "PC_NAME_MAX"))
    write(target, "done")
    assert target.read_text() == "done"


def test_threads_that_write_one_file_leave_one_of_their_contents(place):
    target = place / "note.txt"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda k: write(target, f"{k}" * 5000), range(8)))
    assert len(set(target.read_text())) == 1
    assert list(place.iterdir()) == [target]


def test_new_files_have_the_permissions_of_any_new_file(place):
    before = os.umask(0o027)
    try:
        write(place / "note.txt", "done")
    finally:
        os.umask(before)
    assert stat.S_IMODE((place / "note.txt").stat().st_mode) == 0o640


def test_the_permissions_of_an_existing_file_are_kept(place):
    target = place / "note.txt"
    target.write_text("old")
    target.chmod(0o604)
    os.utime(target, (1, 1))
    write(target, "new")
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o604
    assert target.stat().st_mtime > 1


def test_extended_attributes_are_kept(place):
    target = place / "note.txt"
    target.write_text("old")
    try:
        os.setxattr(target, "user.origin", b"scanner")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    write(target, "new")
    assert os.getxattr(target, "user.origin") == b"scanner"


@only_root
def test_the_owner_of_an_existing_file_is_kept(place):
    target = place / "note.txt"
    target.write_text("old")
    os.chown(target, 12345, 23456)
    target.chmod(0o640)
    write(target, "new")
    status = target.stat()
    assert (status.st_uid, status.st_gid) == (12345, 23456)
    assert stat.S_IMODE(status.st_mode) == 0o640


@only_root
def test_a_file_of_another_owner_is_replaced_and_keeps_its_group(open_place):
    open_place.chmod(0o777)
    target = open_place / "note.txt"
    target.write_text("old")
    os.chown(target, 0, 12345)
    target.chmod(0o644)
    assert write_without_rights("note.txt", open_place) == ""
    assert target.read_text() == "new\n"
    assert (target.stat().st_uid, target.stat().st_gid) == (65534, 12345)
    assert stat.S_IMODE(target.stat().st_mode) == 0o644


@only_root
def test_a_file_in_a_folder_that_accepts_no_new_ones_is_overwritten(open_place):
    target = open_place / "note.txt"
    target.write_text("a longer text than the new one")
    target.chmod(0o666)
    before = identity(target)
    assert write_without_rights("note.txt", open_place) == ""
    assert target.read_text() == "new\n"
    assert identity(target) == before
    assert not list((open_place / "tmp").iterdir())


@only_root
def test_a_file_of_another_user_in_a_sticky_folder_is_overwritten(open_place):
    open_place.chmod(0o1777)
    target = open_place / "note.txt"
    target.write_text("a longer text than the new one")
    target.chmod(0o666)
    assert write_without_rights("note.txt", open_place) == ""
    assert target.read_text() == "new\n"
    assert target.stat().st_uid == 0
    assert sorted(path.name for path in open_place.iterdir()) == ["note.txt", "tmp"]


@only_root
@pytest.mark.parametrize("exists", [True, False])
def test_missing_permission_is_an_error_that_names_the_file(open_place, exists):
    target = open_place / "note.txt"
    if exists:
        target.write_text("old")
        target.chmod(0o644)
    error = write_without_rights("note.txt", open_place)
    assert "PermissionError: [Errno 13] Permission denied: " in error
    assert error.strip().endswith("/note.txt'")
    assert [path.read_text() for path in open_place.glob("note.txt")] == ["old"] * exists


def test_a_mount_point_is_overwritten(place, monkeypatch):
    """The kernel refuses to rename over a file that is mounted by itself, as containers do."""
    target = place / "note.txt"
    target.write_text("a longer text than the new one")

    def busy(*_):
        raise OSError(errno.EBUSY, "Device or resource busy")

    before = identity(target)
    monkeypatch.setattr(Path, "replace", busy)
    write(target, "new")
    assert target.read_text() == "new"
    assert identity(target) == before


@pytest.mark.parametrize("by_link", [False, True])
def test_a_folder_is_an_error(place, by_link):
    folder = place / "folder"
    folder.mkdir()
    if by_link:
        (place / "link").symlink_to("folder")
    path = place / "link" if by_link else folder
    with pytest.raises(IsADirectoryError, match="is a folder: give the name of a file"):
        write(path, "text")
    assert not list(folder.iterdir())


def test_a_link_stays_and_its_target_is_replaced_whole(place):
    target = place / "there" / "note.txt"
    target.parent.mkdir()
    target.write_text("old")
    target.chmod(0o600)
    (place / "near").symlink_to("there/note.txt")
    (place / "far").symlink_to(place / "near")
    before = [identity(place / name) for name in ("near", "far")]
    with whole_file(place / "far") as partial:
        partial.write_text("new")
        assert target.read_text() == "old"
        assert partial.parent.samefile(target.parent)
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [identity(place / name) for name in ("near", "far")] == before


def test_the_target_of_a_dangling_link_is_created(place):
    (place / "link").symlink_to("new/note.txt")
    write(place / "link", "done")
    assert (place / "link").is_symlink()
    assert (place / "new" / "note.txt").read_text() == "done"


def test_links_in_a_circle_are_an_error(place):
    (place / "a").symlink_to("b")
    (place / "b").symlink_to("a")
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        write(place / "a", "text")


def test_a_linked_folder_is_used(place):
    (place / "folder").mkdir()
    (place / "link").symlink_to("folder")
    write(place / "link" / "note.txt", "done")
    assert (place / "folder" / "note.txt").read_text() == "done"
    assert (place / "link").is_symlink()


def read_in_thread(path: Path) -> tuple[threading.Thread, list[bytes]]:
    found: list[bytes] = []
    thread = threading.Thread(target=lambda: found.append(path.read_bytes()), daemon=True)
    thread.start()
    return thread, found


@pytest.mark.parametrize("by_link", [False, True])
def test_a_named_pipe_gets_the_content_and_stays(place, by_link):
    pipe = place / "pipe"
    os.mkfifo(pipe)
    (place / "link").symlink_to("pipe")
    before = identity(pipe)
    thread, found = read_in_thread(pipe)
    content = os.urandom(300_000)  # more than a pipe holds
    with whole_file(place / "link" if by_link else pipe) as partial:
        partial.write_bytes(content)
    thread.join(30)
    assert found == [content]
    assert identity(pipe) == before
    assert (place / "link").is_symlink()


def test_the_reader_of_a_pipe_gets_nothing_from_a_failed_block(place):
    pipe = place / "pipe"
    os.mkfifo(pipe)
    thread, found = read_in_thread(pipe)
    with pytest.raises(ValueError, match="stop"), whole_file(pipe) as partial:
        partial.write_text("half")
        raise ValueError("stop")
    thread.join(30)
    assert found == [b""]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_reader_that_leaves_is_a_broken_pipe(place):
    pipe = place / "pipe"
    os.mkfifo(pipe)
    thread = threading.Thread(target=lambda: pipe.open("rb").close(), daemon=True)
    thread.start()
    with pytest.raises(BrokenPipeError), whole_file(pipe) as partial:
        thread.join(30)
        partial.write_bytes(bytes(300_000))


def test_a_socket_gets_the_content_and_stays(place, monkeypatch):
    monkeypatch.chdir(place)  # the paths of sockets may have only about 100 characters
    content, found = os.urandom(300_000), []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        server.listen()
        before = identity(Path("socket"))

        def serve() -> None:
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as file:
                found.append(file.read())

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with whole_file("socket") as partial:
            partial.write_bytes(content)
        thread.join(30)
        assert identity(Path("socket")) == before
    assert found == [content]


def test_a_socket_without_a_server_is_an_error(place, monkeypatch):
    monkeypatch.chdir(place)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
    with pytest.raises(ConnectionRefusedError):
        write(Path("socket"), "text")
    assert Path("socket").is_socket()


@only_root
@pytest.mark.parametrize("number", [3, 7])
def test_a_device_stays_a_device(place, number):
    """Numbers 1, 3 and 1, 7 are those of /dev/null and /dev/full."""
    node = place / "node"
    try:
        os.mknod(node, 0o666 | stat.S_IFCHR, os.makedev(1, number))
        node.open("r+b", buffering=0).close()
    except PermissionError:
        pytest.skip("devices cannot be made or opened here")
    before = identity(node)
    if number == 3:
        write(node, "text")
    else:
        with pytest.raises(OSError, match="No space left on device"):
            write(node, "text")
    assert identity(node) == before
    assert list(place.iterdir()) == [node]


def test_the_null_device_stays(open_place):
    before = identity(Path("/dev/null"))
    assert write_without_rights("/dev/null", open_place) == ""
    assert identity(Path("/dev/null")) == before


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"])
@pytest.mark.parametrize("mode", ["wb", "ab"])
def test_standard_output_by_name_is_not_replaced(open_place, name, mode):
    """The lines come in order, and a file that is appended to keeps its beginning."""
    if not os.path.lexists(name) and name != "link":
        pytest.skip(f"there is no {name} here")
    (open_place / "link").symlink_to("/dev/stdout")
    target = open_place / "out.txt"
    target.write_text("first\n")
    before = identity(target)
    with target.open(mode) as file:
        assert write_without_rights(name, open_place, file) == ""
    first = "first\n" if mode == "ab" else ""
    assert target.read_text() == f"{first}before\nnew\nafter\n"
    assert identity(target) == before


def test_standard_output_may_be_a_socket(open_place):
    here, there = socket.socketpair()
    with here, there:
        assert write_without_rights("/dev/stdout", open_place, there) == ""
        there.close()
        with here.makefile("r") as file:
            assert file.read() == "before\nnew\nafter\n"


def test_a_file_whose_name_is_a_number_is_a_file(place):
    write(place / "1", "done")
    assert (place / "1").read_text() == "done"


def test_output_is_a_file_or_standard_output(place, capsys):
    for path in (None, "-", Path("-")):
        with output(path) as file:
            file.write("a\n")
    assert capsys.readouterr().out == "a\na\na\n"
    with output(place / "new" / "out.csv") as file:
        file.write("ä\r\n")
        assert not (place / "new" / "out.csv").exists()
    assert (place / "new" / "out.csv").read_bytes() == "ä\r\n".encode()
    with pytest.raises(ValueError, match="stop"), output(place / "new" / "out.csv") as file:
        file.write("half")
        raise ValueError("stop")
    assert (place / "new" / "out.csv").read_bytes() == "ä\r\n".encode()


def test_output_takes_bytes(place, monkeypatch):
    stdout = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stdout", stdout)
    for path in ("-", place / "out.bin"):
        with output(path) as file:
            file.buffer.write(b"\xff\n")
    with output(None) as file:
        file.write("text")
    assert stdout.buffer.getvalue() == b"\xff\ntext"  # without waiting for the end of the program
    assert (place / "out.bin").read_bytes() == b"\xff\n"


def test_a_new_file_and_then_its_name_are_brought_to_the_disk(place, monkeypatch):
    synced = []
    fsync = os.fsync

    def note(descriptor):
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        synced.append((kind, (place / "a").exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    with whole_file(place / "a") as partial:
        partial.write_text("new")
    assert synced == [("file", False), ("folder", True)]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EACCES])
def test_folders_that_cannot_be_synced_hold_files_nevertheless(place, monkeypatch, number):
    fsync = os.fsync

    def refuse(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse)
    with whole_file(place / "a") as partial:
        partial.write_text("new")
    assert (place / "a").read_text() == "new"


def test_a_disk_that_fails_is_told(place, monkeypatch):
    def fail(descriptor):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output error"):
        sync_folder(place)
    with pytest.raises(FileNotFoundError):
        sync_folder(place / "missing")
