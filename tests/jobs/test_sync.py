"""Output folders follow folders of images: rows of missing files are found and removed."""

import os
import re
import shutil
from itertools import count
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from finhash import HashTable, hash_files, hash_images
from finhash.jobs import compaction, dispatch, parts
from finhash.jobs.folders import image_files
from finhash.jobs.sync import plan, remove
from finhash.tables.folder import part_files
from tests.conftest import jpeg_bytes, noise
from tests.jobs.conftest import Killed, kill_at


@pytest.fixture
def photos(tmp_path, monkeypatch) -> Path:
    """Work in a folder with ``photos``, which holds six images, two of them in ``photos/more``."""
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "photos"
    (home / "more").mkdir(parents=True)
    for k, name in enumerate(["a", "b", "c", "d", "more/e", "more/f"]):
        (home / f"{name}.jpg").write_bytes(jpeg_bytes(seed=k))
    return home


def hashed(paths, out="hashes") -> HashTable:
    return hash_files(paths, out=out, progress=False)


def todo(*folders, out="hashes"):
    return plan(out, list(image_files(folders)), folders)


def names(paths) -> list[str]:
    return [Path(path).name for path in paths]


def test_a_new_folder_gets_absolute_paths(photos):
    found = todo("photos")
    assert found.paths == sorted(map(str, photos.rglob("*.jpg")), key=lambda path: Path(path).parts)
    assert (found.superfluous, found.doubt) == ([], "")


def test_one_file_under_several_spellings_is_one_path(photos):
    spellings = ["photos/a.jpg", "./photos/../photos/a.jpg", photos / "a.jpg", "photos//a.jpg"]
    assert plan("hashes", spellings).paths == [str(photos / "a.jpg")]


def test_a_spelling_that_has_a_row_stays(photos):
    hashed(["photos/a.jpg", photos / "b.jpg"])
    found = todo("photos")
    assert found.paths[0] == "photos/a.jpg"
    assert found.paths[1] == str(photos / "b.jpg")
    hashed(found.paths)
    assert len(HashTable.read("hashes")) == 6
    assert todo(photos) == found


def test_further_rows_of_one_file_are_superfluous(photos):
    hashed(["photos/a.jpg", photos / "a.jpg", "photos/../photos/a.jpg", "photos/b.jpg"])
    found = todo("photos")
    assert found.paths[:2] == [str(photos / "a.jpg"), "photos/b.jpg"]
    assert sorted(found.superfluous) == ["photos/../photos/a.jpg", "photos/a.jpg"]
    remove("hashes", found.superfluous)
    assert sorted(HashTable.read("hashes").paths) == [str(photos / "a.jpg"), "photos/b.jpg"]


def test_links_have_rows_of_their_own(photos):
    (photos / "soft.jpg").symlink_to("a.jpg")
    (photos / "hard.jpg").hardlink_to(photos / "a.jpg")
    hashed(todo("photos").paths)
    assert {"a.jpg", "soft.jpg", "hard.jpg"} < set(names(HashTable.read("hashes").paths))
    assert todo("photos").superfluous == []


def test_rows_of_missing_files_of_the_folders_are_superfluous(photos):
    other = photos.parent / "photos2"
    other.mkdir()
    (other / "g.jpg").write_bytes(jpeg_bytes(seed=9))
    hashed(todo("photos", "photos2").paths)
    for path in (photos / "b.jpg", photos / "more" / "e.jpg", other / "g.jpg"):
        path.unlink()
    assert names(todo("photos").superfluous) == ["b.jpg", "e.jpg"]
    assert names(todo("photos/more").superfluous) == ["e.jpg"]
    assert names(todo("photos", "photos2").superfluous) == ["b.jpg", "e.jpg", "g.jpg"]
    assert plan("hashes", image_files(["photos"])).superfluous == []


def test_files_that_are_no_images_any_more_are_superfluous(photos):
    for name in ("scan", "odd", "link"):
        (photos / name).write_bytes(jpeg_bytes())
    hashed(todo("photos").paths)
    (photos / "scan").write_bytes(b"text")
    (photos / "odd").unlink()
    (photos / "odd").mkdir()
    (photos / "link").unlink()
    (photos / "link").symlink_to("nothing")
    (photos / "a.jpg").write_bytes(b"damaged")
    assert names(todo("photos").superfluous) == ["link", "odd", "scan"]


def test_files_that_may_still_be_there_are_kept(photos, monkeypatch):
    hashed(todo("photos").paths)
    stat = Path.stat

    def refuse(path, **options):
        if path.parent.name == "more":
            raise PermissionError(str(path))
        return stat(path, **options)

    scandir = os.scandir

    def closed(path):
        if str(path).endswith("more"):
            raise PermissionError(path)
        return scandir(path)

    monkeypatch.setattr(Path, "stat", refuse)
    monkeypatch.setattr(os, "scandir", closed)
    assert len(list(image_files(["photos"]))) == 4
    assert todo("photos").superfluous == []


def test_ids_of_images_that_are_no_files_are_kept(photos):
    hash_images([("17", noise(9, 9)), ("photos/x", jpeg_bytes())], out="hashes", progress=False)
    hashed([*todo(".").paths, "photos/gone.jpg"])
    assert todo(".").superfluous == ["photos/gone.jpg"]


def test_ids_of_files_that_are_not_their_paths_are_kept(photos):
    names = ["17", "photos/17", "photos/late", "photos/x.jpg"]
    images = [photos / "a.jpg", photos / "b.jpg", photos / "missing.jpg", b"no image"]
    for _ in range(2):
        hash_images(zip(names, images, strict=True), out="hashes", progress=False)
        hashed(todo(".").paths)
        assert todo(".").superfluous == []
    assert set(names) < set(HashTable.read("hashes").paths)
    assert str(photos / "a.jpg") in todo(".").paths


def test_files_under_other_ids_are_hashed_again_when_they_change(photos):
    def run() -> HashTable:
        return hash_images([("17", photos / "a.jpg")], out="hashes", progress=False)

    (photos / "a.jpg").rename(photos / "hidden")
    assert run().errors == ["FileNotFoundError: No such file or directory"]
    (photos / "hidden").rename(photos / "a.jpg")
    first = run()
    assert first.errors == [""]
    (photos / "a.jpg").write_bytes(jpeg_bytes(seed=9))
    assert run() != first


def test_files_under_other_ids_that_did_not_change_are_not_hashed_again(photos, monkeypatch):
    items = [("17", photos / "a.jpg"), ("photos/b.jpg", "photos/b.jpg")]
    table = hash_images(items, out="hashes", progress=False)
    monkeypatch.setattr(dispatch, "hash_batch", None)
    assert hash_images(items, out="hashes", progress=False) == table


def test_names_that_are_not_utf_8_are_kept_while_they_are_there(photos):
    latin = os.fsdecode(os.fsencode(photos) + b"/caf\xe9.jpg")
    literal = str(photos / "caf\\xe8.jpg")
    for path in (latin, literal):
        Path(path).write_bytes(jpeg_bytes())
    hashed(todo("photos").paths)
    assert {latin, literal} < set(todo("photos").paths)
    assert todo("photos").superfluous == []
    Path(latin).unlink()
    Path(literal).unlink()
    assert sorted(todo("photos").superfluous) == sorted([latin, literal])
    remove("hashes", todo("photos").superfluous)
    assert len(HashTable.read("hashes")) == 6


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        (["a", "b", "c"], ""),
        (["a", "b", "c", "d"], "4 of 6 files in {photos} are no longer there"),
        (["more/e"], ""),
        (["more/e", "more/f"], "the folder {photos}/more is empty"),
    ],
)
def test_doubt_says_why_files_may_be_missing_by_mistake(photos, gone, words):
    hashed(todo("photos").paths)
    for name in gone:
        (photos / f"{name}.jpg").unlink()
    found = todo("photos")
    assert len(found.superfluous) == len(gone)
    assert found.doubt == words.format(photos=photos)


def test_a_folder_that_was_deleted_on_purpose_raises_no_doubt(photos):
    hashed(todo("photos").paths)
    shutil.rmtree(photos / "more")
    assert todo("photos").doubt == ""
    assert names(todo("photos").superfluous) == ["e.jpg", "f.jpg"]


def test_one_of_two_folders_that_vanished_raises_doubt(photos):
    (photos.parent / "disk").mkdir()
    path = photos.parent / "disk" / "g.jpg"
    path.write_bytes(jpeg_bytes(seed=9))
    hashed(todo("photos", "disk").paths)
    path.unlink()
    assert todo("photos").doubt == ""
    assert todo("photos", "disk").doubt == (
        f"1 of 1 files in {path.parent} are no longer there and the folder {path.parent} is empty"
    )


def test_removed_rows_are_gone_for_every_reader(photos):
    table = hashed(todo("photos").paths)
    remove("hashes", [*table.paths[1:3], "never hashed"])
    kept = [path for k, path in enumerate(table.paths) if k not in (1, 2)]
    assert HashTable.read("hashes") == table.filter(kept)
    assert sum(pq.read_metadata(part).num_rows for part in part_files("hashes")) == 4
    assert hashed(table.paths) == table


def test_all_rows_can_be_removed_and_others_added(photos):
    table = hashed(todo("photos").paths)
    remove("hashes", table.paths)
    assert len(HashTable.read("hashes")) == 0
    assert hashed(table.paths) == table
    remove("hashes", [])
    assert HashTable.read("hashes") == table


def test_only_folders_of_parts_have_rows_to_remove(photos):
    hashed(["photos/a.jpg"]).write("hashes.parquet")
    for path in ("hashes.parquet", "photos", "missing"):
        with pytest.raises(ValueError, match=f"{path} holds no parts of a finhash table"):
            remove(path, ["photos/a.jpg"])
    assert not Path("missing").exists()


def test_removing_rewrites_only_the_parts_concerned(photos, monkeypatch):
    monkeypatch.setattr(compaction, "PART_ROWS", 2)
    monkeypatch.setattr(parts, "PART_ROWS", 2)
    paths = todo("photos").paths
    for start in range(0, 6, 2):
        hashed(paths[start : start + 2])
    before = {part: part.stat().st_mtime_ns for part in part_files("hashes")}
    remove("hashes", [paths[2]])
    same = [part.exists() and part.stat().st_mtime_ns == before[part] for part in before]
    assert same == [True, False, True]


def test_no_other_row_is_lost_if_removing_is_killed_at_any_step(photos, monkeypatch):
    paths = todo("photos").paths
    for step in count():
        out = f"hashes{step}"
        for start in range(0, 6, 2):
            hashed(paths[start : start + 2], out)
        (photos / "c.jpg").write_bytes(jpeg_bytes(seed=100 + step))
        expected = hash_files(paths, progress=False)
        hash_images([(paths[2], paths[2])], out=out, progress=False)
        with monkeypatch.context() as patch:
            kill_at(step, patch)
            patch.setattr(compaction, "PART_ROWS", 3)
            try:
                remove(out, [paths[1], paths[4]])
            except Killed:
                finished = False
            else:
                finished = True
        wanted = [path for k, path in enumerate(paths) if k not in (1, 4)]
        assert HashTable.read(out).filter(wanted) == expected.filter(wanted)
        remove(out, [paths[1], paths[4]])
        assert HashTable.read(out) == expected.filter(wanted)
        if finished:
            break
    assert step > 1


def test_rows_that_a_run_writes_are_not_removed_by_it(photos):
    table = hashed(todo("photos").paths)
    (photos / "a.jpg").write_bytes(jpeg_bytes(seed=99))
    tally = parts.Tally()
    from finhash.jobs.batch import run
    from finhash.jobs.items import of_paths
    from finhash.methods import usable

    again = run(
        of_paths(table.paths),
        table.paths,
        6,
        usable(["find"]),
        workers=1,
        executor="serial",
        out="hashes",
        scheduler=None,
        progress=False,
        tally=tally,
        remove=table.paths[:1],
    )
    assert again == hash_files(table.paths, progress=False)
    assert (tally.added, tally.changed, tally.hashed) == ([], table.paths[:1], 1)


def test_a_tally_counts_new_changed_and_hashed_images(photos):
    digest = np.array(hashed([photos / "a.jpg", photos / "gone.jpg"]).errors) == ""
    assert digest.tolist() == [True, False]
    tally = parts.Tally()
    with parts.Parts("hashes", ["find"], tally=tally) as opened:
        (photos / "a.jpg").write_bytes(jpeg_bytes(seed=99))
        names_ = [str(photos / name) for name in ("a.jpg", "b.jpg", "gone.jpg")]
        items = list(opened.missing(((name, name) for name in names_), lambda count: None))
    assert [item[0] for item in items] == names_
    assert (tally.added, tally.changed, tally.hashed) == (names_[1:2], names_[:1], 0)


def test_the_guides_code_makes_a_table_equal_to_a_folder(photos):
    hashed(todo("photos").paths)
    (photos / "a.jpg").unlink()
    (photos / "new.jpg").write_bytes(jpeg_bytes(seed=9))
    text = (Path(__file__).parents[2] / "docs" / "guide.md").read_text()
    code = re.search(
        r"```python\n(from finhash.jobs import folders, sync\n.*?)```", text, re.DOTALL
    )
    exec(compile(code[1], "guide.md", "exec"), {"hash_files": hash_files})
    wanted = ["b.jpg", "c.jpg", "d.jpg", "e.jpg", "f.jpg", "new.jpg"]
    assert names(HashTable.read("hashes").paths) == wanted
