"""Which images are kept, superfluous, or left alone."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finhash import HashTable, hash_files
from finhash.duplicates import plan as planning
from finhash.duplicates.facts import Folders
from finhash.duplicates.plan import find_duplicates
from finhash.orientations import of_hashes
from tests.duplicates.conftest import draw, notes, roles, table_of
from tests.duplicates.conftest import tree as snapshot


def test_the_largest_image_is_kept_and_distances_are_to_it(tmp_path):
    small, large, medium = (draw(tmp_path / f"{side}.png", side) for side in (10, 30, 20))
    draw(tmp_path / "other.png", 99)
    before = snapshot(tmp_path)
    plan = find_duplicates(
        table_of({small: 0, large: 7, medium: 30, tmp_path / "other.png": 200}), 52
    )
    (family,) = plan.families
    found = [
        (Path(m.path), m.role, m.kept and Path(m.kept.path), m.distance) for m in family.members
    ]
    assert found == [
        (large, "keep", None, None),
        (small, "superfluous", large, 7),
        (medium, "superfluous", large, 23),
    ]
    assert plan.freed == small.stat().st_size + medium.stat().st_size
    assert plan.left_alone == []
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    ("keep", "kept"), [("largest", "wide"), ("oldest", "b"), ("newest", "wide"), ("first", "c")]
)
def test_rules(tmp_path, keep, kept):
    paths = [draw(tmp_path / f"{name}.png", 20) for name in ("c", "b", "a")]
    paths.append(draw(tmp_path / "wide.png", 21))
    for path, time in zip(paths, (5, 3, 3, 9), strict=True):
        os.utime(path, (time, time))
    oldest = "a" if keep == "oldest" else kept  # of two equally old ones, the first in the alphabet
    plan = find_duplicates(table_of(dict.fromkeys(paths, 0)), 0, keep=keep)
    assert [name for name, role in roles(plan).items() if role == "keep"] == [f"{oldest}.png"]


def test_among_equal_numbers_of_pixels_the_file_with_most_bytes_is_kept(tmp_path):
    paths = [draw(tmp_path / f"{name}.png") for name in "abc"]
    with paths[1].open("ab") as file:
        file.write(b"more bytes after the image")
    plan = find_duplicates(table_of(dict.fromkeys(paths, 0)), 0)
    assert roles(plan) == {"b.png": "keep", "a.png": "superfluous", "c.png": "superfluous"}


def test_a_chain_keeps_images_that_are_far_from_the_kept_one(tmp_path):
    chain = {draw(tmp_path / f"{k}.png", 90 - k): 10 * k for k in range(6)}
    plan = find_duplicates(table_of(chain), 10)
    assert roles(plan) == {f"{k}.png": "superfluous" if k % 2 else "keep" for k in range(6)}
    # Image 1 is as close to image 2, which is kept as well, but image 0 comes first.
    assert [m.distance for m in plan.superfluous] == [10] * 3
    assert Path(plan.superfluous[0].kept.path).name == "0.png"


@settings(deadline=None, max_examples=60)
@given(
    bits=st.lists(st.integers(0, 80), min_size=2, max_size=20),
    radius=st.integers(0, 30),
    by=st.sampled_from(["components", "spheres"]),
    pixels=st.randoms(use_true_random=False),
)
def test_superfluous_images_are_near_a_kept_one_and_kept_ones_far_apart(
    bits, radius, by, pixels, tmp_path_factory
):
    home = tmp_path_factory.getbasetemp() / "chain"
    paths = [home / f"{k}.png" for k in range(len(bits))]
    for path in paths:
        if not path.exists():
            draw(path)
    order = {str(path): pixels.random() for path in paths}
    table = table_of(dict(zip(paths, bits, strict=True)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(planning.ORDERS, "largest", lambda file: (order[file.path],))
        plan = find_duplicates(table, radius, by=by)
    position = dict(zip(map(str, paths), bits, strict=True))
    for family in plan.families:
        kept = [m.path for m in family.members if m.role == "keep"]
        for member in family.superfluous:
            distances = {path: abs(position[path] - position[member.path]) for path in kept}
            assert member.distance == distances[member.kept.path] == min(distances.values())
            assert member.distance <= radius
        apart = [abs(position[a] - position[b]) for a in kept for b in kept if a != b]
        assert min(apart, default=radius + 1) > radius
    if by == "components":
        listed = {m.path for family in plan.families for m in family.members}
        alone = [position[path] for path in position if path not in listed]
        everything = [position[path] for path in position]
        for place in alone:  # nothing near it except itself
            assert sum(abs(place - other) <= radius for other in everything) == 1


def test_references_are_all_kept_and_win_over_the_rule(tmp_path):
    inside = [draw(tmp_path / "originals" / name, 10) for name in ("a.png", "deep/b.png")]
    outside = draw(tmp_path / "originals of others" / "c.png", 50)
    alone = draw(tmp_path / "d.png", 50)
    table = table_of({outside: 0, inside[0]: 1, inside[1]: 3, alone: 99})
    plan = find_duplicates(table, 20, references=[tmp_path / "originals"])
    assert roles(plan) == {"a.png": "keep", "b.png": "keep", "c.png": "superfluous"}
    assert plan.superfluous[0].distance == 1
    only = find_duplicates(table_of(dict.fromkeys(inside, 0)), 20, references=[tmp_path])
    assert only.families == []


def test_a_reference_may_be_spelled_through_a_link(tmp_path):
    draw(tmp_path / "originals" / "a.png", 10)
    draw(tmp_path / "b.png", 50)
    (tmp_path / "link").symlink_to("originals")
    table = table_of({tmp_path / "link" / "a.png": 0, tmp_path / "b.png": 0})
    plan = find_duplicates(table, 0, references=[tmp_path / "originals"])
    assert roles(plan) == {"a.png": "keep", "b.png": "superfluous"}


def test_a_reference_without_images_of_the_table_is_an_error(tmp_path):
    table = table_of({draw(tmp_path / "photos" / "a.png"): 0})
    (tmp_path / "photo").mkdir()
    with pytest.raises(ValueError, match=r"no image in the reference folder .*photo:"):
        find_duplicates(table, references=[tmp_path / "photo"])


def test_files_that_are_missing_or_damaged_are_left_alone(tmp_path):
    good = [draw(tmp_path / f"{name}.png", 20) for name in "ab"]
    (tmp_path / "text.png").write_text("no longer an image")
    (tmp_path / "folder.png").mkdir()
    bad = [tmp_path / name for name in ("text.png", "folder.png", "gone.png", "n\0l.png")]
    plan = find_duplicates(table_of(dict.fromkeys([*bad, *good], 0)), 0)
    assert [(m.path, m.role) for m in plan.families[0].members][:2] == [
        (str(good[0]), "keep"),
        (str(good[1]), "superfluous"),
    ]
    found = notes(plan)
    assert found["gone.png"] == "missing"
    assert found["folder.png"] == "not a regular file"
    assert found["text.png"].startswith("cannot be read: UnidentifiedImageError")
    assert found["n\0l.png"].startswith("cannot be read: ValueError")


def test_a_file_whose_name_is_not_utf8_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    latin = Path(os.fsdecode(b"caf\xe9.png"))
    paths = [draw(Path("a.png"), 30), draw(latin, 20), draw(Path("b.png"), 10)]
    plan = find_duplicates(hash_files(paths, progress=False), 256)
    assert roles(plan) == {"a.png": "keep", "b.png": "superfluous", "caf\\xe9.png": "left alone"}
    assert "not valid UTF-8: rename" in notes(plan)["caf\\xe9.png"]


@pytest.mark.parametrize("change", ["size", "time"])
def test_a_file_that_has_changed_since_it_was_hashed_is_left_alone(tmp_path, change):
    paths = [draw(tmp_path / f"{name}.png", 20) for name in "abc"]
    table = table_of(dict.fromkeys(paths, 0), facts=True)
    status = paths[0].stat()
    if change == "size":
        with paths[0].open("ab") as file:
            file.write(b"+")
        os.utime(paths[0], ns=(0, status.st_mtime_ns))
    else:
        os.utime(paths[0], ns=(0, status.st_mtime_ns + 1))
    plan = find_duplicates(table, 0)
    assert roles(plan) == {"b.png": "keep", "c.png": "superfluous", "a.png": "left alone"}
    assert notes(plan) == {"a.png": "changed since it was hashed"}


def test_facts_of_the_table_are_used(tmp_path):
    """Files whose size in pixels the table knows are not opened."""
    paths = [tmp_path / name for name in ("a.png", "b.png")]
    for path in paths:
        path.write_bytes(b"not decoded")
    plan = find_duplicates(table_of(dict.fromkeys(paths, 0), facts=True), 0)
    assert roles(plan) == {"a.png": "keep", "b.png": "superfluous"}
    assert plan.superfluous[0].file.pixels == (20, 20)


def test_another_spelling_of_a_path_is_not_a_duplicate(tmp_path, monkeypatch):
    draw(tmp_path / "photos" / "a.png")
    (tmp_path / "link").symlink_to("photos")
    monkeypatch.chdir(tmp_path)
    spellings = ["photos/a.png", "./photos/a.png", "link/a.png", str(tmp_path / "photos" / "a.png")]
    plan = find_duplicates(table_of(dict.fromkeys(spellings, 0)), 0)
    assert plan.families == []
    assert {m.note for m in plan.left_alone} == {"the same file as photos/a.png"}
    assert [m.path for m in plan.left_alone] == spellings[1:]


def test_hard_links_of_a_kept_file_are_left_alone_and_others_free_bytes_once(tmp_path):
    large, small = draw(tmp_path / "large.png", 30), draw(tmp_path / "small.png", 10)
    (tmp_path / "large2.png").hardlink_to(large)
    (tmp_path / "small2.png").hardlink_to(small)
    table = table_of(dict.fromkeys(sorted(tmp_path.iterdir()), 0))
    plan = find_duplicates(table, 0)
    assert roles(plan) == {
        "large.png": "keep",
        "small.png": "superfluous",
        "small2.png": "superfluous",
        "large2.png": "left alone",
    }
    assert notes(plan)["large2.png"].startswith("a hard link to the file")
    assert plan.freed == small.stat().st_size
    (tmp_path / "a third name").hardlink_to(small)
    assert find_duplicates(table, 0).freed == 0


def test_symbolic_links_are_kept_or_left_alone_and_never_broken(tmp_path):
    draw(tmp_path / "elsewhere" / "real.png", 90)
    kept = tmp_path / "kept.png"
    kept.symlink_to("elsewhere/real.png")
    draw(tmp_path / "copy.png", 20)
    (tmp_path / "small.png").symlink_to(draw(tmp_path / "elsewhere" / "small.png", 10))
    pointed = draw(tmp_path / "pointed.png", 15)
    (tmp_path / "alias.png").symlink_to(pointed)
    table = table_of(dict.fromkeys(sorted(tmp_path.glob("*.png")), 0))
    plan = find_duplicates(table, 0)
    assert roles(plan) == {
        "kept.png": "keep",
        "copy.png": "superfluous",
        "pointed.png": "left alone",
        "small.png": "left alone",
        "alias.png": "left alone",
    }
    found = notes(plan)
    assert found["small.png"] == "a symbolic link"
    assert found["alias.png"].startswith("a symbolic link to the same file as")
    assert "alias.png points to it" in found["pointed.png"]


def test_families_have_the_numbers_of_finhash_cluster(tmp_path):
    sizes = {"pair": 2, "single": 1, "triple": 3}
    bits = {
        draw(tmp_path / f"{name}{k}.png"): 100 * n
        for n, (name, size) in enumerate(sizes.items())
        for k in range(size)
    }
    plan = find_duplicates(table_of(bits), 5)
    numbers = [(family.number, len(family.members)) for family in plan.families]
    assert numbers == [(0, 3), (1, 2)]
    assert plan.folder == str(tmp_path)


def test_rows_without_this_hash_are_ignored(tmp_path):
    paths = [draw(tmp_path / f"{name}.png") for name in "ab"]
    arrow = hash_files([*paths, tmp_path / "gone.png"], ["find", "dhash64"], progress=False)
    plan = find_duplicates(arrow, method="dhash64")
    assert plan.radius == 2
    assert roles(plan) == {"a.png": "keep", "b.png": "superfluous"}
    assert plan.left_alone == []


def test_an_empty_table_has_no_duplicates():
    empty = HashTable.from_hashes([], {"find": np.empty((0, 32), np.uint8)})
    assert find_duplicates(empty).families == []


@pytest.mark.parametrize("wrong", [{"keep": "best"}, {"by": "cubes"}, {"radius": 257}])
def test_wrong_arguments(tmp_path, wrong):
    table = table_of({draw(tmp_path / "a.png"): 0})
    with pytest.raises(ValueError, match=r"best|cubes|257"):
        find_duplicates(table, **wrong)


def test_a_method_without_default_threshold_needs_one(tmp_path):
    path = draw(tmp_path / "a.png")
    table = HashTable.from_hashes([path], {"own": np.zeros((1, 8), np.uint8)})
    with pytest.raises(KeyError, match="no threshold of 'own' is known"):
        find_duplicates(table, method="own")
    assert find_duplicates(table, 3, method="own").families == []


def test_turned_images_are_superfluous_if_asked(tmp_path):
    """The distance of two images is the smallest over the orientations."""
    files = [draw(tmp_path / f"{name}.png", 20 - k) for k, name in enumerate("abcd")]
    first = np.packbits(np.random.default_rng(1).random((1, 256)) < 0.5, axis=1)
    other = np.packbits(np.random.default_rng(2).random((1, 256)) < 0.5, axis=1)
    turned = of_hashes(first, "all", "phash256")
    hashes = np.concatenate([first, turned["flip_left_right"], turned["rotate_270"], other])
    hashes[1, 0] ^= 0b111  # 3 bits from the mirrored image
    table = HashTable.from_hashes(map(str, files), {"phash256": hashes})
    options = {"radius": 10, "method": "phash256"}
    assert find_duplicates(table, **options).families == []
    mirrored = find_duplicates(table, orientations="mirror", **options)
    assert roles(mirrored) == {"a.png": "keep", "b.png": "superfluous"}
    every = find_duplicates(table, orientations="all", **options)
    assert roles(every) == {"a.png": "keep", "b.png": "superfluous", "c.png": "superfluous"}
    found = [(member.distance, member.orientation) for member in every.superfluous]
    assert found == [(0, "rotate_270"), (3, "flip_left_right")]
    # A turned image that is considered first is kept, and the others are compared with it.
    last = find_duplicates(table.filter([False, True, True, True]), orientations="all", **options)
    assert [(Path(one.path).name, one.distance) for one in last.superfluous] == [("c.png", 3)]
    for wrong in ({"by": "spheres", "orientations": "all"}, {"orientations": "upside down"}):
        with pytest.raises(ValueError, match=r"spheres|upside down"):
            find_duplicates(table, **options, **wrong)


def test_folders_are_resolved_once(tmp_path, monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(os.path, "realpath", lambda path: asked.append(path) or path)
    folders = Folders()
    assert [folders[name] for name in "aab"] == ["a", "a", "b"]
    assert asked == ["a", "b"]
