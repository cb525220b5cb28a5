"""Killed at any point, every file is whole in its old or its new place, and can be put back."""

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from click.testing import CliRunner

from finhash.commands.duplicates import duplicates, undo
from finhash.duplicates import actions
from finhash.duplicates.actions import act, only_equal
from finhash.duplicates.plan import find_duplicates
from finhash.duplicates.undo import undo as put_back
from tests.duplicates.conftest import draw, in_child, table_of, tree

pytestmark = pytest.mark.slow

CHANGES = {
    "open",
    "os.chmod",
    "os.chown",
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.symlink",
    "os.utime",
    "shutil.copystat",
}
"""Events before which a process can be killed."""


def killed(action: Callable[[], object], point: int) -> bool:
    """Run an action in a child that is killed before its n-th event; return whether it was."""
    events = 0

    def hook(event: str, _: object) -> None:
        nonlocal events
        if event in CHANGES:
            events += 1
            if events == point:
                os.kill(os.getpid(), signal.SIGKILL)

    def run() -> None:
        sys.addaudithook(hook)
        action()

    status = in_child(run)
    assert status in (0, -signal.SIGKILL)
    return status != 0


def contents(*folders: Path) -> set[bytes]:
    """Return the contents of all files that have the name of an image."""
    return {
        path.read_bytes()
        for folder in folders
        for path in folder.rglob("*.png")
        if path.exists() and path.stat().st_size
    }


Case = tuple[Path | None, str | None]


@pytest.fixture(
    params=[
        ("one file system", None),
        ("one file system", "hard"),
        ("one file system", "sym"),
        ("two file systems", None),
        ("two file systems", "sym"),
        ("in place", "hard"),
        ("in place", "sym"),
    ],
    ids=lambda case: f"{case[0]}, {case[1] or 'no'} links",
)
def case(request, tmp_path) -> Case:
    """Return the folder to which files are moved, and the kind of links."""
    way, link = request.param
    if way == "in place":
        return None, link
    if way == "two file systems":
        return request.getfixturevalue("other_file_system") / "superfluous", link
    return tmp_path / "superfluous", link


def test_killed_before_any_change(tmp_path, photos, hashed, case):
    target, link = case
    folders = [photos, target] if target else [photos]
    before, whole = tree(photos), contents(photos)
    for point in count(1):
        plan = find_duplicates(hashed)
        log = tmp_path / f"{point}.jsonl"
        if not target:
            plan = only_equal(plan)
        was_killed = killed(partial(act, plan, log, move_to=target, link=link), point)
        now = tree(photos)
        for name, value in before.items():  # whole here, or whole there
            if now.get(name) != value and target:
                assert tree(target)[name] == value
            assert (photos / name).exists() or not link  # a link takes its place at once
        assert contents(*folders) == whole
        if log.exists():
            killed(partial(put_back, log), point)
            assert contents(*folders) == whole
            assert put_back(log).failed == []
        assert tree(photos) == before
        assert not target or not target.exists() or list(target.iterdir()) == []
        if not was_killed:
            break
    assert point > 10


def test_undo_killed_before_any_change(tmp_path, photos, hashed, case):
    target, link = case
    folders = [photos, target] if target else [photos]
    before, whole = tree(photos), contents(photos)
    for point in count(1):
        plan = find_duplicates(hashed)
        log = tmp_path / f"{point}.jsonl"
        if not target:
            plan = only_equal(plan)
        assert act(plan, log, move_to=target, link=link).failed == []
        was_killed = killed(partial(put_back, log), point)
        assert contents(*folders) == whole
        assert put_back(log).failed == []
        assert tree(photos) == before
        assert not target or list(target.iterdir()) == []
        if not was_killed:
            break
    assert point > 5


def test_killed_at_random_moments(tmp_path, case):
    """Files are large enough for the process to be killed while it copies one."""
    target, link = case
    home = tmp_path / "photos"
    paths = [draw(home / f"{k % 3}" / f"{k}.png", 99) for k in range(16)]
    random_bytes = os.urandom(1_000_000)
    for path in paths:
        with path.open("ab") as file:
            file.write(random_bytes)
    before = tree(home)
    plan = find_duplicates(table_of(dict.fromkeys(paths, 0)))
    for seed in range(15):
        chance = random.Random(seed)
        steps = chance.randrange(16)
        log = tmp_path / f"{seed}.jsonl"
        child = os.fork()
        if child == 0:
            act(plan, log, move_to=target, link=link)
            os._exit(0)
        while os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if log.exists() and log.read_bytes().count(b"\n") > steps:
                break
        time.sleep(chance.uniform(0, 0.005))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        now, moved = tree(home), tree(target) if target and target.exists() else {}
        changed = [name for name, value in before.items() if now.get(name) != value]
        for name in changed:
            if target:
                assert moved[name] == before[name]
            else:
                assert (home / name).read_bytes() == before[name][0]
        if log.exists():
            assert put_back(log).failed == []
        assert tree(home) == before
        assert not target or not target.exists() or list(target.iterdir()) == []


def test_an_interrupted_command_can_be_undone(tmp_path, photos, hashed, monkeypatch):
    """Ctrl-C while a file is being copied."""
    before, calls = tree(photos), []
    real = actions.move

    def interrupted(*paths: str) -> None:
        calls.append(paths)
        if len(calls) == 3:
            raise KeyboardInterrupt
        real(*paths)

    monkeypatch.setattr(actions, "move", interrupted)
    hashed.write(tmp_path / "hashes.parquet")
    log = tmp_path / "log.jsonl"
    words = [tmp_path / "hashes.parquet", "--move-to", tmp_path / "other", "--log", log, "--yes"]
    result = CliRunner().invoke(duplicates, list(map(str, words)))
    assert result.exit_code == 1
    assert f"finhash undo {log}" in result.stderr
    assert tree(photos) != before
    assert CliRunner().invoke(undo, [str(log)]).exit_code == 0
    assert tree(photos) == before
