"""The page of families with their links to judge, in a browser."""

import base64
import io
import os
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from finhash import HashTable, cluster, hash_files
from finhash.accuracy.verdict_file import Verdict, read_rows
from finhash.commands.threshold import threshold_command
from finhash.pages import review
from finhash.pages.review import write_families
from finhash.pages.thumbnails import thumbnail
from finhash.preparation import AS_STORED, Preparation
from finhash.quality import LOWEST
from tests.accuracy.conftest import on_a_line

NAMES = [
    "</script><script>window.hacked = 1</script>.png".replace("/", ""),
    "\" onload='window.hacked = 1' <!-- & &lt;.png",
    "a\nb\u2028c\u2029.png",
    "\U0001f600 100% #1?.png",
    " spaces at both ends.png ",
    "javascript:window.hacked = 1",
]
"""Names of files, all of them valid on POSIX systems."""


def write(folder: Path, paths, hashes, radius: int, **options) -> Path:
    options = {"progress": False, **options}
    write_families(folder / "review.html", paths, hashes, radius, **options)
    return folder / "review.html"


def numbered(count: int) -> list[str]:
    return [f"images/{number}.jpg" for number in range(count)]


def drawn_image(path: Path, size=(60, 40), **options) -> Path:
    Image.linear_gradient("L").resize(size).save(path, **options)
    return path


def set_threshold(browser, bits: int) -> None:
    browser.run(
        f"byId('threshold').value = {bits}, byId('threshold').dispatchEvent(new Event('input')),"
        "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )


def members(browser) -> list[list[str]]:
    """Return the names of the images of each family shown."""
    return browser.run(
        "[...document.querySelectorAll('.family')].map(family =>"
        "[...family.querySelectorAll('.path')].map(each => each.textContent))"
    )


def test_families_are_shown_with_distances_sizes_and_paths(browser, tmp_path):
    paths = [
        drawn_image(tmp_path / f"{name}.png", (60 + 10 * k, 40)) for k, name in enumerate("abcde")
    ]
    hashes = on_a_line([0, 30, 33, 35, 64])
    browser.open(write(tmp_path, paths, hashes, 4, labels=["x", "x", "17", "x", "y"]))
    assert browser.text("#summary") == "1 family of two or more images, with 3 of the 5 images."
    assert browser.text("#folder") == f"Paths start with {tmp_path}/"
    titles = browser.texts(".family h3")
    assert titles == ["1. 3 images · longest link 3 bits · listed as families x, 17"]
    assert members(browser) == [["b.png", "c.png", "d.png"]]
    assert browser.texts(".family .link") == ["2: 3 bits from 1", "3: 2 bits from 2"]
    sizes = [path.stat().st_size for path in paths[1:4]]
    captions = browser.texts(".family figcaption")
    for caption, side, size in zip(captions, (70, 80, 90), sizes, strict=True):
        assert f"{side} × 40, {size} bytes" in caption


def test_images_of_low_quality_are_marked(browser, tmp_path):
    qualities = [LOWEST, LOWEST - 1, None, 0]
    hashes = on_a_line([0, 1, 2, 60])  # the last one has no family
    browser.open(write(tmp_path, numbered(4), hashes, 4, qualities=qualities))
    (family,) = members(browser)
    captions = browser.texts(".family figcaption")
    marked = [name for name, text in zip(family, captions, strict=True) if "Low quality" in text]
    assert marked == ["1.jpg"]
    words = f"Low quality ({LOWEST - 1}): the hash means little"
    assert browser.texts(".family .poor") == [words]
    assert browser.texts("#groups .poor") in ([], [words])


@pytest.mark.parametrize("seed", [0, 1])
def test_the_slider_gives_the_families_of_the_library(browser, tmp_path, seed):
    rng = np.random.default_rng(seed)
    bits = np.repeat(rng.random((12, 256)) < 0.5, 5, axis=0)
    hashes = np.packbits(bits ^ (rng.random((60, 256)) < rng.random((60, 1)) / 6), axis=1)
    paths = numbered(60)
    browser.open(write(tmp_path, paths, hashes, 40, margin=30))
    seen = set()
    for radius in range(0, 71, 5):
        set_threshold(browser, radius)
        labels = cluster.families(hashes, radius)
        families = [np.flatnonzero(labels == label) for label in range(labels.max() + 1)]
        # The first ones are the largest, as in the file of 'finhash cluster'.
        families = sorted((each for each in families if len(each) > 1), key=len, reverse=True)
        expected = [sorted(f"{row}.jpg" for row in family) for family in families]
        found = [sorted(names) for names in members(browser)]
        assert sorted(found) == sorted(expected)
        assert list(map(len, found)) == list(map(len, expected))
        if radius == 40:
            assert found == expected
        seen.add(len(found))
    assert len(seen) > 3
    assert "The page was made with the threshold 40" in browser.text("#summary")


def test_doubtful_links_come_first_and_are_judged(browser, tmp_path):
    # Links of 30, 10, 12 and 17 bits; the last two images are in no family at a threshold of 11.
    paths, hashes = numbered(5), on_a_line([0, 30, 40, 52, 35])
    page = write(tmp_path, paths, hashes, 11, margin=2)
    browser.open(page)
    assert browser.text("#progress") == "Pair 1 of 3; 0 judged"
    distances = [browser.text("#detail")]
    for key in "ds":
        browser.press(key)
        distances.append(browser.text("#detail"))
    assert [int(text.split()[4]) for text in distances] == [12, 5, 5]
    browser.press("s", "s")
    rows = read_rows(browser.save())
    assert [row.verdict for row in rows] == ["different", "same", "same"]
    assert all(row.drawn for row in rows)
    assert (rows[0].first, rows[0].second) == ("images/2.jpg", "images/3.jpg")


def test_a_click_on_a_link_judges_it_and_marks_it(browser, tmp_path, monkeypatch):
    monkeypatch.setattr(review, "DRAWN", 1)
    browser.open(write(tmp_path, numbered(3), on_a_line([0, 3, 8]), 8))
    assert browser.text("#detail").startswith("Their hashes differ in 5 bits")
    browser.click(".family .link")
    assert browser.text("#detail").startswith("Their hashes differ in 3 bits")
    assert browser.run("document.activeElement.id") == "judge"
    assert browser.text("#progress") == "Another pair than those of 1; 0 judged"
    browser.press("d")
    assert browser.texts(".family .link") == ["2: 3 bits from 1: different", "3: 5 bits from 2"]
    assert browser.run("document.querySelector('.family .link.different') !== null")
    assert [row.drawn for row in read_rows(browser.save())] == [False]
    browser.click("#back")
    browser.press("u")
    assert browser.texts(".family .link")[0] == "2: 3 bits from 1"
    browser.press("ArrowRight", "s")
    assert browser.texts(".family .link") == ["2: 3 bits from 1", "3: 5 bits from 2: same"]


def test_keys_in_the_filter_judge_nothing(browser, tmp_path):
    names = [f"{folder}/{name}.jpg" for folder in ("Summer", "other") for name in "ab"]
    browser.open(write(tmp_path, names, on_a_line([0, 1, 40, 43]), 5))
    browser.click("#filter")
    browser.press(*"summer", "ArrowLeft", "ArrowLeft")
    assert members(browser) == [["Summer/a.jpg", "Summer/b.jpg"]]
    assert browser.text(".range") == "1 to 1 of 1"
    assert "0 judged" in browser.text("#progress")
    browser.press("x")
    assert members(browser) == []
    assert browser.text(".range") == "No family"
    browser.run("byId('threshold').focus()")
    browser.press("ArrowRight", "s")
    assert "Pair 1 of 2; 0 judged" in browser.text("#progress")


def many(families: int) -> np.ndarray:
    """Return three hashes for each family."""
    rng = np.random.default_rng(0)
    hashes = np.repeat(rng.integers(0, 256, (families, 32), np.uint8), 3, axis=0)
    hashes[1::3, 0] ^= 1
    hashes[2::3, 0] ^= 6
    return hashes


def test_families_are_shown_in_portions(browser, tmp_path):
    browser.open(write(tmp_path, numbered(360), many(120), 10))
    assert browser.texts(".range") == ["1 to 50 of 120"] * 2
    browser.click(".later")
    browser.click(".later")
    assert browser.text(".range") == "101 to 120 of 120"
    assert len(members(browser)) == 20
    assert browser.text(".family h3").startswith("101. 3 images")
    assert browser.run("document.querySelector('.later').disabled")
    browser.click(".earlier")
    assert browser.text(".range") == "51 to 100 of 120"


def test_a_large_family_opens_on_demand(browser, tmp_path):
    browser.open(write(tmp_path, numbered(100), np.zeros((100, 8), np.uint8), 0))
    assert len(members(browser)[0]) == 24
    browser.run("document.querySelector('.family > button').click()")
    assert len(members(browser)[0]) == 100
    assert browser.texts(".family > button") == []


@pytest.mark.slow
def test_ten_thousand_families_open_quickly_and_stay_small(browser, tmp_path):
    page = write(tmp_path, numbered(30_000), many(10_000), 52)
    assert page.stat().st_size < 5e6
    browser.open(page)
    assert browser.text("#summary").startswith("10,000 families of two or more images, with 30,000")
    assert browser.run("document.querySelectorAll('*').length") < 3000
    set_threshold(browser, 0)
    assert browser.text("#summary").startswith("0 families")
    assert browser.text(".range") == "No family"


def test_names_are_inert_and_lead_to_their_files(browser, tmp_path):
    folder = tmp_path / "javascript:100% & 'more' #1"
    folder.mkdir()
    paths = [drawn_image(folder / name, format="PNG") for name in NAMES]
    browser.open(write(tmp_path, paths, on_a_line([0] * len(paths)), 3, title=NAMES[1]))
    assert browser.text("h1") == NAMES[1]
    assert members(browser) == [NAMES]
    links = browser.run("[...document.querySelectorAll('.family a')].map(link => link.href)")
    assert [unquote(link) for link in links] == [f"file://{path}" for path in paths]
    assert browser.run("window.hacked") is None


def test_relative_paths_lead_to_their_files(browser, tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)
    for paths in (["photos/a.png", "photos/b.png"], ["a.png", "photos/b.png"]):
        for path in paths:
            drawn_image(tmp_path / path)
        browser.open(write(tmp_path / "pages", paths, on_a_line([0, 1]), 3))
        links = browser.run("[...document.querySelectorAll('.family a')].map(link => link.href)")
        assert links == [f"file://{tmp_path / path}" for path in paths]


def test_verdicts_on_files_of_any_name_give_a_threshold(browser, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for name in [*NAMES[:-2], os.fsdecode(b"caf\xe9.png")]:
        drawn_image(folder / name, (300, 200))
    hash_files(folder, out=tmp_path / "hashes", progress=False)
    table = HashTable.read(tmp_path / "hashes")
    paths = table.without_errors().paths
    assert len(paths) == len(NAMES) - 1
    command = "finhash threshold hashes --verdicts verdicts.csv"
    browser.open(write(tmp_path, paths, table.hashes("find"), 52, command=command))
    assert browser.text("#command") == command
    for _ in paths[1:]:
        browser.press("s")
    saved = browser.save()
    assert {row.first for row in read_rows(saved)} < set(paths)
    arguments = [str(tmp_path / "hashes"), "--verdicts", str(saved)]
    done = CliRunner().invoke(threshold_command, arguments)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        "threshold,links,judged,different,wrong",
        f"0,{len(paths) - 1},{len(paths) - 1},0,0.0000",
    ]
    assert "Use --radius 0: an estimated 1 % of the links or fewer are wrong" in done.stderr
    saved.write_text("first,second,verdict\nx,y,same\n")
    done = CliRunner().invoke(threshold_command, arguments)
    assert done.exit_code == 2
    assert "no verdict is about two images of this table" in done.stderr


def test_earlier_verdicts_are_shown_and_repeated(browser, tmp_path):
    paths, hashes = numbered(4), on_a_line([0, 1, 3, 6])
    earlier = [
        Verdict("images/1.jpg", "images/0.jpg", "same", True),
        Verdict("elsewhere.jpg", "gone.jpg", "variant", False),
        Verdict("images/2.jpg", "images/3.jpg", "different"),
    ]
    browser.open(write(tmp_path, paths, hashes, 2, margin=1, verdicts=earlier))
    assert browser.text("#progress").endswith("of 3; 2 judged")
    assert browser.texts(".family .link") == ["2: 1 bit from 1: same", "3: 2 bits from 2"]
    rows = read_rows(browser.save())
    assert rows[:2] == earlier[:2]
    assert rows[2][:3] == earlier[2][:3]
    browser.press("d")
    assert read_rows(browser.save())[3][:3] == ("images/1.jpg", "images/2.jpg", "different")


def test_judgements_survive_new_images_in_the_folder(browser, tmp_path):
    paths, hashes = numbered(4), on_a_line([0, 1, 3, 6])
    browser.open(write(tmp_path, paths[:3], hashes[:3], 2))
    browser.press("s", "d")
    before = read_rows(browser.save())
    browser.open(write(tmp_path, paths, hashes, 3))
    assert read_rows(browser.save()) == before
    browser.open(write(tmp_path, [f"other/{path}" for path in paths], hashes, 3))
    assert read_rows(browser.save()) == []


def test_an_image_that_cannot_be_shown_says_why(browser, tmp_path):
    broken, pipe = tmp_path / "broken.jpg", tmp_path / "pipe.jpg"
    whole = drawn_image(tmp_path / "whole.jpg", (500, 400)).read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    os.mkfifo(pipe)
    paths = [tmp_path / "gone.jpg", broken, pipe, tmp_path]
    browser.open(write(tmp_path, paths, on_a_line([0] * 4), 3))
    reasons = browser.texts(".family .missing")
    assert reasons[0] == "No such file or directory"
    assert reasons[1].startswith("cannot be decoded")
    assert reasons[2].startswith("a pipe, socket or device")
    assert reasons[3] == "Is a directory"
    assert "3 kBtest" in browser.texts(".family figcaption")[1]


def test_thumbnails_show_what_was_hashed(browser, tmp_path, monkeypatch):
    turned = Image.new("RGB", (400, 200), "red")
    turned.getexif()[0x0112] = 6
    turned.save(tmp_path / "turned.jpg", exif=turned.getexif())
    clear = Image.new("RGBA", (10, 600), (0, 0, 255, 0))
    clear.save(tmp_path / "clear.png")
    cmyk = Image.new("CMYK", (4000, 1000), (0, 255, 255, 0))
    cmyk.save(tmp_path / "cmyk.jpg")
    paths = [tmp_path / name for name in ("turned.jpg", "clear.png", "cmyk.jpg")]
    monkeypatch.setattr(review, "DRAWN", 1)
    browser.open(write(tmp_path, paths, on_a_line([0, 1, 3]), 2, margin=0, workers=2))
    found = browser.run(
        "Promise.all([...document.querySelectorAll('.family img')].map(e => e.decode().then(() => {"
        "const canvas = document.createElement('canvas').getContext('2d');"
        "canvas.drawImage(e, 0, 0); const pixel = [...canvas.getImageData(0, 0, 1, 1).data];"
        "return [e.naturalWidth, e.naturalHeight, pixel.map(value => Math.round(value / 64))]; })))"
    )
    red, blue = [4, 0, 0, 4], [0, 0, 4, 4]
    # The second and the third image are the pair to judge, for which thumbnails are larger.
    assert found == [[112, 56, red], [7, 400, blue], [400, 100, red]]
    assert "400 × 200" in " ".join(browser.texts(".family figcaption"))


def test_thumbnails_show_prepared_images(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn clockwise
    clear = Image.new("RGBA", (60, 40))
    clear.save(tmp_path / "clear.png", exif=exif)
    prepared = Preparation(background="white", exif=True)
    for preparation, size, colour in ((AS_STORED, (60, 40), 0), (prepared, (40, 60), 255)):
        made = thumbnail(tmp_path / "clear.png", 20, preparation)
        assert (made.width, made.height) == size
        with Image.open(io.BytesIO(base64.b64decode(made.encoded))) as shown:
            assert np.abs(np.array(shown, int) - colour).max() < 9


def test_only_so_many_images_have_thumbnails(browser, tmp_path, monkeypatch):
    monkeypatch.setattr(review, "MOST", 2)
    paths = [drawn_image(tmp_path / f"{number}.png") for number in range(3)]
    browser.open(write(tmp_path, paths, on_a_line([0, 0, 0]), 1))
    assert browser.texts(".family .missing") == ["no thumbnail"]
    assert browser.run("document.querySelectorAll('.family img').length") == 2
    assert "The 2 images of the largest families have thumbnails." in browser.text("#introduction")


def test_the_page_fits_a_phone(browser, tmp_path):
    paths = [drawn_image(tmp_path / ("long_name" * 20 + f"{k}.png"), (300, 900)) for k in range(5)]
    page = write(tmp_path, paths, on_a_line([0, 1, 2, 3, 4]), 3, title="One very long title " * 5)
    browser.open(page, 360, 740)
    assert browser.run("document.documentElement.scrollWidth <= innerWidth")
    heights = "[...document.querySelectorAll('#words button')].map(e => e.offsetHeight)"
    assert min(browser.run(heights)) >= 44
    # Both images and the verdicts are visible at once.
    browser.run("byId('judge').scrollIntoView()")
    assert browser.run("byId('words').getBoundingClientRect().bottom <= innerHeight")


def test_a_page_without_links_says_so(browser, tmp_path):
    browser.open(write(tmp_path, numbered(2), on_a_line([0, 60]), 3))
    assert "No two of the 2 images match" in browser.text("#introduction")
    assert browser.run("byId('judging').hidden && byId('families').hidden")


def test_wrong_input_is_an_error(tmp_path):
    hashes = on_a_line([0, 1])
    with pytest.raises(ValueError, match="the number of paths is 1 and that of hashes 2"):
        write(tmp_path, ["a"], hashes, 3)
    with pytest.raises(ValueError, match="the number of paths is 2 and that of labels 3"):
        write(tmp_path, ["a", "b"], hashes, 3, labels=[1, 2, 3])
    with pytest.raises(ValueError, match="the number of paths is 2 and that of qualities 1"):
        write(tmp_path, ["a", "b"], hashes, 3, qualities=[1])
    with pytest.raises(ValueError, match="radius is 65; it must be between 0"):
        write(tmp_path, ["a", "b"], hashes, 65)
    assert not (tmp_path / "review.html").exists()
