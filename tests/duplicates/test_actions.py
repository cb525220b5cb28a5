"""Superfluous files are moved or linked, and put back."""

import errno
import os
import resource
import subprocess
import tempfile
from pathlib import Path

import pytest

from finhash.duplicates import transfer
from finhash.duplicates.actions import act, only_equal
from finhash.duplicates.log import read_log
from finhash.duplicates.plan import find_duplicates
from finhash.duplicates.undo import undo
from tests.duplicates.conftest import draw, in_child, table_of, tree

MOVED = ["b.png", "sub/c.png", "sub/deep/d.png", "sub/f.png", "sub/g.png"]
"""Superfluous files of the folder of photos."""

NOBODY = 65534
"""User and group without rights."""

ONLY_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can do this")


@pytest.fixture
def plan(hashed):
    found = find_duplicates(hashed)
    assert len(found.superfluous) == 5
    return found


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "superfluous"


@pytest.fixture
def log(tmp_path) -> Path:
    return tmp_path / "log.jsonl"


def names(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())


def no_hard_links(*_: object, **__: object) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


@pytest.mark.parametrize("way", ["hard links", "renaming", "copying"])
def test_files_are_moved_and_put_back(photos, plan, log, target, way, monkeypatch, request):
    if way == "renaming":
        monkeypatch.setattr(transfer.os, "link", no_hard_links)
    elif way == "copying":
        target = request.getfixturevalue("other_file_system") / "superfluous"
    before = tree(photos)
    outcome = act(plan, log, move_to=target)
    assert (outcome.done, outcome.failed, outcome.stopped) == (5, [], "")
    assert outcome.bytes == plan.freed
    assert names(target) == MOVED
    assert names(photos) == ["a.png", "e.png", "sub/alone.png"]
    for name in MOVED:  # with content, permissions and modification time
        assert tree(target)[name] == before[name]
    back = undo(log)
    assert (back.done, back.bytes, back.failed) == (5, outcome.bytes, [])
    assert tree(photos) == before
    assert list(target.iterdir()) == []
    again = undo(log)
    assert (again.done, again.failed) == (0, [])
    assert tree(photos) == before


@pytest.mark.parametrize("kind", ["hard", "sym"])
@pytest.mark.parametrize("way", ["hard links", "copying"])
def test_moved_files_leave_links(photos, plan, log, target, kind, way, request):
    if way == "copying":
        target = request.getfixturevalue("other_file_system") / "superfluous"
    before = tree(photos)
    assert act(plan, log, move_to=target, link=kind).done == 5
    assert names(target) == MOVED
    for name in MOVED:
        assert tree(target)[name] == before[name]
        place = photos / name
        assert place.is_symlink() == (kind == "sym")
        assert place.samefile(photos / ("e.png" if place.stem in "fg" else "a.png"))
    assert undo(log).done == 5
    assert tree(photos) == before
    assert undo(log).done == 0


@pytest.mark.parametrize("kind", ["hard", "sym"])
def test_equal_files_are_replaced_by_links(photos, plan, log, kind):
    before = tree(photos)
    equal = only_equal(plan)
    assert [Path(m.path).name for m in equal.superfluous] == ["f.png", "g.png"]
    assert len(equal.families) == 1
    differing = [m for m in equal.left_alone if "differs" in m.note]
    assert sorted(Path(m.path).name for m in differing) == ["b.png", "c.png", "d.png"]
    outcome = act(equal, log, link=kind)
    assert (outcome.done, outcome.failed) == (2, [])
    for name in ("sub/f.png", "sub/g.png"):
        assert (photos / name).samefile(photos / "e.png")
        assert (photos / name).is_symlink() == (kind == "sym")
    if kind == "sym":
        photos.rename(photos.with_name("moved"))  # relative links still lead to the kept file
        assert (photos.with_name("moved") / "sub/f.png").exists()
        photos.with_name("moved").rename(photos)
    assert undo(log).done == 2
    assert tree(photos) == before
    assert not (photos / "sub/f.png").samefile(photos / "e.png")
    assert undo(log).done == 0


def test_links_without_moving_never_lose_content(photos, plan, log):
    before = tree(photos)
    outcome = act(plan, log, link="hard")
    assert outcome.done == 2
    assert sorted(Path(path).name for path, _ in outcome.failed) == ["b.png", "c.png", "d.png"]
    assert {name: tree(photos)[name] for name in MOVED[:3]} == {n: before[n] for n in MOVED[:3]}
    assert undo(log).done == 2
    assert tree(photos) == before


def test_what_has_changed_since_the_plan_is_left_alone(photos, plan, log, target):
    (photos / "b.png").write_bytes(b"edited")
    (photos / "sub/c.png").unlink()
    (photos / "e.png").unlink()
    outcome = act(plan, log, move_to=target)
    reasons = {Path(path).name: why for path, why in outcome.failed}
    assert reasons.keys() == {"b.png", "c.png", "f.png", "g.png"}
    assert "missing or has changed" in reasons["b.png"]
    assert "which is to be kept, is missing" in reasons["f.png"]
    assert names(target) == ["sub/deep/d.png"]


def test_a_file_that_became_the_kept_one_is_left_alone(photos, plan, log, target):
    (photos / "sub/f.png").unlink()
    (photos / "sub/f.png").symlink_to(photos / "e.png")
    (photos / "sub/g.png").unlink()
    (photos / "sub/g.png").hardlink_to(photos / "e.png")
    os.utime(photos / "e.png", ns=(0, plan.families[1].members[0].file.status.st_mtime_ns))
    assert act(plan, log, move_to=target).done == 3
    assert (photos / "sub/f.png").is_symlink()
    assert (photos / "sub/g.png").exists()


def test_names_in_use_get_a_number(photos, plan, log, target):
    (target / "sub").mkdir(parents=True)
    for name in ("b.png", "b~2.png"):
        (target / name).write_text(name)
    (target / "sub/c.png").symlink_to("nowhere")
    before = tree(photos)
    assert act(plan, log, move_to=target).done == 5
    assert {"b.png", "b~2.png", "b~3.png", "sub/c.png", "sub/c~2.png"} <= set(names(target))
    assert (target / "b.png").read_text() == "b.png"
    assert undo(log).done == 5
    assert tree(photos) == before
    assert names(target) == ["b.png", "b~2.png", "sub/c.png"]


@pytest.mark.parametrize(
    "name",
    ["new\nline.png", "n" * 251 + ".png", "=cmd|'x'!A1.png", "ünï 👍.png", "-rf.png", "$(x).png"],
)
def test_names_of_all_kinds(tmp_path, log, target, name):
    home = tmp_path / "photos"
    paths = [draw(home / "a.png", 30), draw(home / name, 20)]
    before = tree(home)
    plan = find_duplicates(table_of(dict.fromkeys(paths, 0)))
    assert act(plan, log, move_to=target).done == 1
    assert names(target) == [name]
    assert undo(log).done == 1
    assert tree(home) == before


def test_folders_with_names_that_are_not_utf8(tmp_path, log, monkeypatch):
    home = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    for name, side in (("a.png", 30), ("b.png", 20)):
        draw(home / "photos" / name, side)
    monkeypatch.chdir(home)
    plan = find_duplicates(table_of({"photos/a.png": 0, "photos/b.png": 0}))
    before = tree(home / "photos")
    assert act(plan, log, move_to="superfluous").done == 1
    assert names(home / "superfluous") == ["b.png"]
    monkeypatch.chdir(tmp_path)
    assert undo(log).done == 1
    assert tree(home / "photos") == before


def test_a_path_that_would_be_too_long_is_left_alone(tmp_path, log, plan, photos):
    target = tmp_path
    while (room := 4088 - len(str(target))) > 0:  # Linux allows 4,095 bytes
        target /= "x" * min(room - 1, 200)
    before = tree(photos)
    outcome = act(plan, log, move_to=target)
    assert outcome.done == 1
    assert {why for _, why in outcome.failed} == {"OSError: File name too long"}
    back = undo(log)
    assert (back.done, back.failed) == (1, [])
    assert tree(photos) == before


def test_the_folder_may_not_hold_images_of_the_table(photos, plan, log):
    for folder in (photos, photos / "sub"):
        with pytest.raises(ValueError, match=r"is in .* already"):
            act(plan, log, move_to=folder)
    assert not log.exists()


def test_an_existing_log_is_not_overwritten(photos, plan, log, target):
    log.write_text("precious")
    with pytest.raises(FileExistsError):
        act(plan, log, move_to=target)
    assert log.read_text() == "precious"
    assert names(target) == []


def test_nothing_to_do_is_an_error(plan, log):
    with pytest.raises(ValueError, match="move_to"):
        act(plan, log)


@pytest.fixture
def open_folder():
    """Return a folder that other users can enter, unlike the temporary folders of pytest."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@ONLY_ROOT
@pytest.mark.parametrize("link", [None, "hard", "sym"])
def test_a_folder_without_permission_leaves_its_files(open_folder, link):
    """The process gives up root's rights; it may not write to one of two folders."""
    home, target, log = (open_folder / name for name in ("photos", "other", "log.jsonl"))
    paths = [draw(home / name) for name in ("a.png", "b.png", "sub/c.png", "sub/deep/d.png")]
    for path in (*paths, home, home / "sub" / "deep"):
        os.chown(path, NOBODY, NOBODY)
    before = tree(home)
    plan = find_duplicates(table_of(dict.fromkeys(paths, 0)))

    def run() -> None:
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
        outcome = act(plan, log, move_to=target, link=link)
        assert outcome.failed == [(str(paths[2]), "PermissionError: Permission denied")]
        assert outcome.done == 2

    assert in_child(run) == 0
    assert names(target) == ["b.png", "sub/deep/d.png"]
    assert tree(home)["sub/c.png"] == before["sub/c.png"]
    assert undo(log).done == 2
    assert tree(home) == before


@pytest.fixture
def small_disk(tmp_path):
    """Mount a disk of 64 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(["mount", *options], capture_output=True).returncode:
        pytest.skip("only root can mount a small disk, and not in every container")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.parametrize("log_on_it", [False, True])
@pytest.mark.parametrize("link", [None, "sym"])
def test_a_full_disk_leaves_every_file_whole(tmp_path, small_disk, log, log_on_it, link):
    home = tmp_path / "photos"
    paths = [draw(home / f"{k}.png", 100 - k) for k in range(8)]
    for k, path in enumerate(paths):
        with path.open("ab") as file:
            file.write(os.urandom(11_000 + k))
    before = tree(home)
    plan = find_duplicates(table_of(dict.fromkeys(paths, 0)))
    log = small_disk / "log.jsonl" if log_on_it else log
    outcome = act(plan, log, move_to=small_disk, link=link)
    assert 0 < outcome.done < 7
    assert outcome.failed
    assert {why for _, why in outcome.failed} == {"OSError: No space left on device"}
    whole = {name: content for name, content in tree(small_disk).items() if name != "log.jsonl"}
    assert len(whole) == outcome.done
    assert whole.items() <= before.items()
    left = {name: content for name, content in tree(home).items() if name not in whole}
    assert left.items() <= before.items()
    assert left.keys() | whole.keys() == before.keys()
    assert undo(log).done == outcome.done
    assert tree(home) == before


def test_a_log_that_cannot_be_written_stops_the_run(photos, plan, log, target):
    before = tree(photos)

    def run() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (700, 700))
        outcome = act(plan, log, move_to=target)
        assert outcome.done in (1, 2)
        assert outcome.failed == []
        assert "cannot be written: [Errno 27] File too large" in outcome.stopped

    assert in_child(run) == 0
    assert not log.read_bytes().endswith(b"\n")
    moved = names(target)
    assert moved
    assert undo(log).done == len(moved)
    assert tree(photos) == before


def test_undo_leaves_alone_what_has_changed(photos, plan, log, target):
    before = tree(photos)
    act(plan, log, move_to=target)
    (target / "b.png").write_bytes(b"edited")
    (target / "sub/c.png").unlink()
    (photos / "sub/f.png").write_bytes(b"a new file")
    outcome = undo(log)
    assert outcome.done == 2
    reasons = {Path(path).name: why for path, why in outcome.failed}
    assert reasons.keys() == {"b.png", "c.png", "f.png"}
    assert "has changed since it was moved" in reasons["b.png"]
    assert "is missing" in reasons["c.png"]
    assert "another file in its place" in reasons["f.png"]
    assert (photos / "sub/f.png").read_bytes() == b"a new file"
    (photos / "sub/f.png").unlink()
    assert undo(log).done == 1
    assert tree(photos)["sub/f.png"] == before["sub/f.png"]


@pytest.mark.parametrize("kind", ["hard", "sym"])
def test_undo_leaves_links_alone_that_have_changed(photos, plan, log, kind):
    act(only_equal(plan), log, link=kind)
    (photos / "sub/f.png").unlink()
    (photos / "sub/f.png").write_bytes(b"a new file")
    with (photos / "e.png").open("ab") as file:
        file.write(b"edited")
    outcome = undo(log)
    assert outcome.done == 0
    assert [Path(path).name for path, _ in outcome.failed] == ["g.png"]
    assert "has changed since the link was made" in outcome.failed[0][1]
    assert (photos / "sub/f.png").read_bytes() == b"a new file"
    assert (photos / "sub/g.png").read_bytes().endswith(b"edited")


def test_undo_works_when_the_old_folder_is_gone(photos, plan, log, target):
    before = tree(photos)
    act(plan, log, move_to=target)
    (photos / "sub/deep").rmdir()
    assert undo(log).done == 5
    assert tree(photos) == before


def test_undo_makes_do_with_coarse_times(photos, plan, log, target):
    """FAT stores modification times in steps of two seconds."""
    before = tree(photos)
    act(plan, log, move_to=target)
    for path in target.rglob("*.png"):
        os.utime(path, ns=(0, path.stat().st_mtime_ns // (2 * 10**9) * 2 * 10**9))
    assert undo(log).done == 5
    assert tree(photos) == before


@pytest.mark.parametrize(
    "content",
    ["text", "text\n", '{"a": 1}\n', '{"log": "finhash duplicates", "format": 2, "token": ""}\n'],
)
def test_undo_refuses_other_files(log, content):
    log.write_text(content)
    with pytest.raises(ValueError, match="is not a log of 'finhash duplicates'"):
        undo(log)


def test_a_log_that_was_cut_short_is_read_up_to_there(photos, plan, log, target):
    act(plan, log, move_to=target)
    content, (_, steps) = log.read_bytes(), read_log(log)
    for length in {*range(0, len(content), 23), len(content) - 1, len(content)}:
        log.write_bytes(content[:length])
        lines = content[:length].count(b"\n")
        assert len(read_log(log)[1]) == max(lines - 1, 0)
    assert len(steps) == 7  # five files, and two folders
