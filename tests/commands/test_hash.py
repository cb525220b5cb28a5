"""``finhash hash``: which files it takes, tables that follow folders, what it says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from finhash import HashTable
from finhash.__main__ import main
from finhash.preparation import Preparation
from finhash.quality import LOWEST
from tests.commands.conftest import drawn, run
from tests.conftest import jpeg_bytes


def hashed(*sources: object, options: tuple = (), stdin: bytes = b"") -> Result:
    words = ["hash", *sources, "-o", "hashes", "--executor", "serial", *options]
    return CliRunner().invoke(main, list(map(str, words)), input=stdin)


def sync(*sources: object, options: tuple = ()) -> Result:
    return hashed(*sources, options=("--sync", *options))


def names() -> list[str]:
    return [Path(path).name for path in HashTable.read("hashes").paths]


def last(result: Result) -> str:
    """Return the last line on stderr without the seconds."""
    line, seconds = result.stderr.splitlines()[-1].split("; ")
    assert seconds.endswith(" s")
    return line


def test_photos_are_told_by_their_first_bytes_and_skipped_files_are_counted(photos):
    (photos / "scan").write_bytes(jpeg_bytes(seed=5))
    (photos / "phone.heic").write_bytes(jpeg_bytes(seed=6))
    (photos / "a.pdf").write_bytes(b"%PDF-1.7")
    (photos / "b.pdf").write_bytes(b"%PDF-1.7")
    (photos / "film.mpg").write_bytes(b"\x00\x00\x01\xb3" + bytes(60))
    for shown in (run("hash", photos), hashed(photos)):
        assert shown.exit_code == 0
        assert "skipped 3 files that are not images (2 .pdf, 1 .mpg)" in shown.stderr
    assert last(shown) == "hashed 8 files, 0 unchanged, 3 skipped, 0 failed"
    assert {"scan", "phone.heic"} < set(names())
    named = run("hash", photos / "a.pdf")
    assert named.exit_code == 1
    assert "a.pdf: NotAnImageError" in named.stderr
    assert last(named) == "hashed 0 files, 0 skipped, 1 failed"


@pytest.mark.parametrize("end", [b"\0", b"\n"])
def test_paths_are_read_from_stdin(photos, end):
    (photos / "with\ttab.png").write_bytes((photos / "0.png").read_bytes())
    latin = os.fsdecode(b"photos/caf\xe9.png")
    drawn(7).save(latin)
    paths = ["photos/2.png", "photos/with\ttab.png", latin, "photos/missing.png"]
    stdin = end.join(map(os.fsencode, paths)) + end
    result = hashed("-", photos / "1.png", stdin=stdin)
    assert result.exit_code == 1
    assert last(result) == "hashed 4 files, 0 unchanged, 0 skipped, 1 failed"
    assert sorted(names()) == ["1.png", "2.png", "caf\\xe9.png", "missing.png", "with\ttab.png"]
    printed = CliRunner().invoke(main, ["hash", "-"], input=stdin)
    lines = [line.split(",")[1] for line in printed.stdout.splitlines()]
    assert lines == [*paths[:2], "photos/caf\\xe9.png"]


def test_names_with_newlines_come_with_null_characters(photos):
    odd = photos / "two\nlines.png"
    drawn(7).save(odd)
    stdin = f"{odd}\0photos".encode()
    assert last(hashed("-", stdin=stdin)) == "hashed 7 files, 0 unchanged, 0 skipped, 0 failed"
    assert "two\nlines.png" in names()


def test_stdin_without_paths_is_wrong_usage(photos):
    empty = hashed("-")
    assert empty.exit_code == 2
    assert "no image files in the paths on stdin" in empty.stderr


def test_a_file_has_one_row_however_it_is_spelled(photos, tmp_path):
    path = tmp_path / "photos" / "0.png"
    sources = ["photos/0.png", "./photos/../photos/0.png", path, "photos"]
    assert last(hashed(*sources)) == "hashed 6 files, 0 unchanged, 0 skipped, 0 failed"
    assert HashTable.read("hashes").paths[1] == str(path)
    os.chdir(tmp_path / "photos")
    words = ["hash", ".", "-o", "../hashes", "--executor", "serial"]
    assert last(run(*words)) == "hashed 0 files, 6 unchanged, 0 skipped, 0 failed"


def test_a_relative_path_of_a_row_stays(photos):
    from finhash import hash_files

    hash_files(["photos/0.png"], out="hashes", progress=False, quality=True)
    assert last(hashed(photos)) == "hashed 5 files, 1 unchanged, 0 skipped, 0 failed"
    assert "photos/0.png" in HashTable.read("hashes").paths
    assert len(HashTable.read("hashes")) == 6


def test_sync_says_what_was_added_changed_and_removed(photos):
    hashed(photos)
    drawn(8).save(photos / "new.png")
    drawn(9).save(photos / "0.png")
    (photos / "2.png").unlink()
    home = photos.absolute()
    result = sync(photos)
    assert result.exit_code == 0
    assert result.stderr.splitlines()[:-1] == [
        "added 1 file:",
        f"  {home / 'new.png'}",
        "changed 1 file:",
        f"  {home / '0.png'}",
        "removed 1 file:",
        f"  {home / '2.png'}",
    ]
    assert last(result) == "hashed 2 files, 4 unchanged, 1 removed, 0 skipped, 0 failed"
    assert sorted(names()) == sorted(path.name for path in photos.iterdir())
    again = sync(photos)
    assert again.stderr.splitlines()[:-1] == []
    assert last(again) == "hashed 0 files, 6 unchanged, 0 removed, 0 skipped, 0 failed"


def test_sync_of_a_new_table_lists_the_first_files(photos):
    result = sync(photos)
    lines = result.stderr.splitlines()
    assert lines[0] == "added 6 files:"
    assert lines[6] == "  and 1 more"


def test_without_sync_rows_of_deleted_files_stay(photos):
    hashed(photos)
    (photos / "2.png").unlink()
    assert last(hashed(photos)) == "hashed 0 files, 5 unchanged, 0 skipped, 0 failed"
    assert len(names()) == 6


def test_sync_leaves_rows_of_other_folders_alone(photos):
    Path("other").mkdir()
    drawn(8).save("other/8.png")
    hashed(photos, "other")
    Path("other/8.png").unlink()
    sync(photos)
    assert "8.png" in names()


def test_sync_of_an_empty_folder_removes_nothing_without_yes(photos):
    hashed(photos)
    photos.rename("elsewhere")
    missing = sync("photos")
    assert (missing.exit_code, len(names())) == (2, 6)
    assert "does not exist" in missing.stderr
    photos.mkdir()
    for options in ((), ("--quiet",)):
        refused = sync(photos, options=options)
        assert (refused.exit_code, len(names())) == (2, 6)
        message = " ".join(refused.stderr.split())
        assert "6 rows of hashes would be removed" in message
        assert f"the folder {photos.absolute()} is empty; a disk may be missing" in message
        assert "Pass --yes" in message
    confirmed = sync(photos, options=("--yes",))
    assert (confirmed.exit_code, len(names())) == (0, 0)
    assert last(confirmed) == "hashed 0 files, 0 unchanged, 6 removed, 0 skipped, 0 failed"
    photos.rmdir()
    Path("elsewhere").rename(photos)
    assert last(sync(photos)) == "hashed 6 files, 0 unchanged, 0 removed, 0 skipped, 0 failed"


def test_sync_asks_at_a_terminal(photos, monkeypatch):
    hashed(photos)
    for path in sorted(photos.iterdir())[:4]:
        path.unlink()
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda self: True)
    words = ["hash", str(photos), "-o", "hashes", "--executor", "serial", "--sync"]
    no = CliRunner().invoke(main, words, input="n\n")
    assert (no.exit_code, len(names())) == (1, 6)
    assert f"4 of 6 files in {photos.absolute()} are no longer there" in no.stderr
    assert "Remove 4 rows of hashes? [y/N]" in no.stderr
    yes = CliRunner().invoke(main, words, input="y\n")
    assert (yes.exit_code, len(names())) == (0, 2)


def test_sync_without_images_and_rows_is_wrong_usage(photos):
    Path("empty").mkdir()
    refused = sync("empty", options=("--yes",))
    assert refused.exit_code == 2
    assert "no image files found in SOURCES" in refused.stderr
    assert not Path("hashes").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sync"], "--sync needs --out"),
        (["--executor", "serial"], "--executor needs --out"),
        (["--yes", "-o", "hashes"], "--yes is for --sync"),
    ],
)
def test_options_that_need_others_are_wrong_usage(photos, words, message):
    refused = run("hash", photos, *words)
    assert refused.exit_code == 2
    assert message in refused.stderr


def test_quiet_hides_all_but_failures_and_skipped_files(photos):
    assert hashed(photos, options=("--quiet",)).stderr == ""
    (photos / "notes.txt").write_text("text")
    (photos / "broken.png").write_bytes(b"no PNG")
    result = sync(photos, options=("--quiet",))
    assert result.exit_code == 1
    first, second, third = result.stderr.splitlines()
    assert first == "skipped 1 file that is not an image (1 .txt)"
    assert second == "1 of 7 files could not be hashed:"
    assert third.startswith(f"  {photos.absolute() / 'broken.png'}: NotAnImageError")
    printed = run("hash", photos / "0.png", "--quiet")
    assert (printed.exit_code, printed.stderr) == (0, "")


def test_folders_that_cannot_be_read_are_failures(photos, monkeypatch):
    (photos / "closed").mkdir()
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("closed"):
            raise PermissionError(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    for result in (run("hash", photos), hashed(photos)):
        assert result.exit_code == 1
        assert "skipped 1 folder that cannot be read" in result.stderr


def test_tables_hold_the_facts_about_the_images(photos):
    hashed(photos)
    table = HashTable.read("hashes")
    assert sorted(table.column("width")) == [90, *[120] * 5]
    sizes = [Path(path).stat().st_size for path in table.paths]
    assert table.column("bytes") == sizes
    assert set(table.column("format")) == {"PNG"}


@pytest.mark.slow
def test_progress_is_shown_only_at_a_terminal(photos):
    command = [sys.executable, "-m", "finhash", "hash", "photos", "-o", "hashes"]
    result = subprocess.run(
        [*command, "--executor", "threads"], capture_output=True, text=True, check=True
    )
    assert len(result.stderr.splitlines()) == 1
    assert "\r" not in result.stderr


# Preparation, quality and the limit on pixels.


@pytest.fixture
def odd(tmp_path, monkeypatch) -> Path:
    """Work in a folder with ``odd``: a flat image, a turned, a transparent and a large one."""
    monkeypatch.chdir(tmp_path)
    folder = Path("odd")
    folder.mkdir()
    Image.new("RGB", (60, 60), "grey").save(folder / "flat.png")
    exif = Image.Exif()
    exif[0x0112] = 8
    drawn(0).save(folder / "turned.jpg", exif=exif)
    clear = drawn(1).convert("RGBA")
    clear.paste((0, 0, 0, 0), (0, 0, 60, 45))
    clear.save(folder / "clear.png")
    drawn(2).resize((300, 200)).save(folder / "large.png")
    return folder


def test_the_summary_tells_of_images_whose_hashes_mean_little_or_are_turned(odd):
    result = hashed(odd)
    assert result.exit_code == 0
    assert result.stderr.splitlines()[:-1] == [
        f"1 image has a quality below {LOWEST}: its hash means little; see the column 'quality'",
        "1 image has an EXIF orientation other than 1: hashed as stored; --exif hashes them as "
        "shown",
    ]
    for kind in ("flat", "turned"):
        path = next(odd.glob(f"{kind}.*"))
        path.with_stem("again").write_bytes(path.read_bytes())
    result = hashed(odd)
    assert "2 images have a quality below" in result.stderr
    assert "their hashes mean little" in result.stderr
    assert "2 images have an EXIF orientation other than 1" in result.stderr
    assert hashed(odd, options=("--quiet",)).stderr == ""


def test_nothing_is_said_of_ordinary_images(photos):
    assert len(hashed(photos).stderr.splitlines()) == 1
    assert len(run("hash", photos).stderr.splitlines()) == 1


def test_without_out_images_whose_hashes_mean_little_are_listed(odd):
    result = run("hash", odd)
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 4
    assert result.stderr.splitlines()[:-1] == [
        f"1 image has a quality below {LOWEST}: its hash means little:",
        f"  {odd / 'flat.png'}",
        "1 image has an EXIF orientation other than 1: hashed as stored; --exif hashes them as "
        "shown",
    ]
    assert "quality" not in run("hash", odd, "--no-quality").stderr


def test_the_options_apply_with_and_without_out(odd):
    options = ("--exif", "--background", "White", "--max-pixels", 20_000)
    printed = run("hash", odd, *options)
    written = hashed(odd, options=options)
    assert printed.exit_code == written.exit_code == 1
    assert "EXIF" not in printed.stderr + written.stderr
    table = HashTable.read("hashes")
    assert table.preparation == Preparation("white", exif=True)
    errors = dict(zip(names(), table.errors, strict=True))
    assert errors.pop("large.png").startswith("ImageTooLargeError: 300 x 200 pixels are more than")
    assert set(errors.values()) == {""}
    hashes = [line.split(",")[0] for line in printed.stdout.splitlines()]
    assert hashes == [row.tobytes().hex() for row in table.without_errors().hashes("find")]
    plain = [line.split(",")[0] for line in run("hash", odd).stdout.splitlines()]
    assert len(set(plain) & set(hashes)) == 1
    refused = hashed(odd, options=("--exif",))
    assert refused.exit_code == 2
    assert "was made with another preparation: background #ffffff and EXIF" in refused.stderr


def test_tables_have_the_quality_unless_it_is_declined(odd):
    hashed(odd, options=("--no-quality",))
    assert "quality" not in HashTable.read("hashes").arrow.column_names
    assert last(hashed(odd)) == "hashed 4 files, 0 unchanged, 0 skipped, 0 failed"
    assert None not in HashTable.read("hashes").column("quality")
    assert last(hashed(odd)) == "hashed 0 files, 4 unchanged, 0 skipped, 0 failed"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--background", "wite"), "background is 'wite', which is no colour"),
        (("--max-pixels", 0), "0 is not in the range x>=1"),
        (("--max-pixels", 10**9), "Pillow refuses images of more than 178,956,970 pixels"),
    ],
)
def test_wrong_options_are_wrong_usage(photos, options, message):
    for result in (run("hash", photos, *options), hashed(photos, options=options)):
        assert result.exit_code == 2
        assert message in result.stderr


def test_an_empty_out_is_wrong_usage(photos):
    result = run("hash", photos, "-o", "")
    assert result.exit_code == 2
    assert 'an empty path; name a folder, such as "hashes"' in result.stderr
    assert not list(Path().glob("*.parquet"))
