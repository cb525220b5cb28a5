"""The page on which a user judges pairs of families, in a browser."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from finhash.accuracy import verdicts
from finhash.pages.review import JUDGED_SIDE, SHOWN, Pair, write_page

HOSTILE = [
    "</script><script>window.hacked = 1</script>",
    '"><img src=x onerror="window.hacked = 1">',
    "' onclick='window.hacked = 1",
    "<!-- <script>",
    'a,b\n\u2028"c" & \U0001f600',
    "{{title}} ${data} &lt;",
]


def pair(first: str, second: str, share: float = 0.5, images=(), verdict=None) -> Pair:
    return Pair(first, second, share, images, images, 1, 1, verdict)


def write(folder: Path, pairs, **options) -> Path:
    options.setdefault("title", "Names")
    write_page(folder / "page.html", pairs, **options)
    return folder / "page.html"


def saved(browser) -> list[list[str]]:
    return verdicts.read(browser.save()).to_numpy().tolist()


def headings(browser, number: int) -> list[str]:
    """Return the headings of all pairs, walking through them."""
    found = [browser.text("#heading")]
    for _ in range(number - 1):
        browser.press("ArrowRight")
        found.append(browser.text("#heading"))
    return found


def test_verdicts_are_read_as_the_page_saves_them(browser, tmp_path):
    pairs = [pair(name, "0086", 1 - k / 10) for k, name in enumerate(HOSTILE)]
    browser.open(write(tmp_path, pairs, others=[("0020", 'x"y', "variant")]))
    browser.press(*"123svd")
    assert browser.text("#progress") == "Pair 6 of 6; 6 judged"
    words = ["same", "variant", "different"] * 2
    expected = [[name, "0086", word] for name, word in zip(HOSTILE, words, strict=True)]
    assert saved(browser) == [["0020", 'x"y', "variant"], *expected]


def test_keys_move_judge_and_take_back(browser, tmp_path):
    pairs = [pair("a", "b", 0.9), pair("c", "d", 0.8, verdict="same"), pair("e", "f", 0.7)]
    browser.open(write(tmp_path, pairs))
    assert saved(browser) == [["c", "d", "same"]]
    browser.press("ArrowLeft", "1", "2", "3", "x", "u", "0", "ArrowRight", "d")
    assert saved(browser) == [["c", "d", "same"], ["a", "b", "same"], ["e", "f", "different"]]
    browser.press("ArrowLeft", "ArrowLeft", "u", "u", "u")
    # Without an earlier judgement to take back, the verdict on the pair shown is.
    assert saved(browser) == [["c", "d", "same"]]


def test_buttons_do_what_keys_do(browser, tmp_path):
    browser.open(write(tmp_path, [pair("a", "b", 0.9), pair("c", "d", 0.8)]))
    browser.click("#words button:nth-child(3)")
    assert browser.text("#heading") == "c and d"
    browser.click("#previous")
    pressed = "[...document.querySelectorAll('#words button')].map(e => e.ariaPressed)"
    assert browser.run(pressed) == ["false", "false", "true"]
    browser.click("#next")
    browser.click("#undo")
    assert browser.text("#heading") == "a and b"
    assert saved(browser) == []


def test_judgements_survive_a_reload_but_not_new_verdicts(browser, tmp_path):
    pairs = [pair("a", "b", 0.9), pair("c", "d", 0.8)]
    page = write(tmp_path, pairs)
    browser.open(page)
    browser.press("1", "3")
    first = saved(browser)
    browser.open(page)
    assert saved(browser) == first == [["a", "b", "same"], ["c", "d", "different"]]
    assert "2 judged" in browser.text("#progress")
    kept = browser.run("Object.entries(localStorage)[0]")
    for other in (
        write(tmp_path, [pairs[0], pair("c", "d", 0.8, verdict="variant")]),
        write(tmp_path, [pairs[0], pair("c", "e", 0.8)]),
        write(tmp_path, pairs, title="Other names"),
    ):
        browser.open(other)
        assert "2 judged" not in browser.text("#progress")
    for damaged in ("", "[", "null", "3", '["x"]', '[["a", "b", 3]]', '[["a"]]'):
        browser.run(f"localStorage.setItem({json.dumps(kept[0])}, {json.dumps(damaged)})")
        browser.open(write(tmp_path, pairs))
        assert "0 judged" in browser.text("#progress")


def test_a_browser_without_storage_is_told(browser, tmp_path):
    refuse = "Object.defineProperty(window, 'localStorage', {get() { throw new Error(); }})"
    added = browser.call("Page.addScriptToEvaluateOnNewDocument", source=refuse)
    try:
        browser.open(write(tmp_path, [pair("a", "b")]))
        browser.press("1")
        assert "loses your judgements" in browser.text("#kept")
        assert "1 judged" in browser.text("#progress")
    finally:
        browser.call("Page.removeScriptToEvaluateOnNewDocument", identifier=added["identifier"])


def test_names_are_inert(browser, tmp_path):
    browser.open(write(tmp_path, [pair("a", "b")] * len(HOSTILE), threshold_text="Text."))
    count = "document.querySelectorAll('*').length"
    elements = browser.run(count)
    for hostile in HOSTILE:
        pairs = [pair(hostile, name) for name in HOSTILE]
        browser.open(write(tmp_path, pairs, title=hostile, threshold_text=hostile))
        assert browser.text("title") == browser.text("h1") == hostile
        assert hostile in browser.text("#introduction")
        assert headings(browser, 6) == [f"{hostile} and {name}" for name in HOSTILE]
        assert browser.run(count) == elements
        assert browser.run("window.hacked") is None


def test_the_page_runs_no_other_script_and_loads_nothing(browser, tmp_path):
    page = write(tmp_path, [pair("a", "b")])
    assert not re.search(r"https?://|<link|@import|url\(", page.read_text("utf-8"))
    browser.open(page)
    policy = browser.run("document.querySelector('meta[http-equiv]').content")
    assert re.search("default-src 'none'; .*script-src 'sha256-[^ ]*'; base-uri", policy)
    assert "unsafe" not in policy
    for program in (
        "document.body.innerHTML = '<b>'",
        "document.createElement('script').text = 'window.hacked = 1'",
        "document.createElement('script').src = 'data:text/javascript,window.hacked = 1'",
    ):
        assert browser.run(f"(() => {{ try {{ {program}; }} catch (e) {{ return e.name; }} }})()")
    violated = browser.run(
        "new Promise(done => { document.addEventListener('securitypolicyviolation', "
        "e => done(e.effectiveDirective)); new Image().src = 'http://127.0.0.1:9/x.png'; })"
    )
    assert violated == "img-src"
    browser.log.clear()


def test_file_names_are_inert_and_without_folder(browser, tmp_path):
    image = tmp_path / '"><script>window.hacked = 1<!--.png'
    Image.new("RGB", (30, 20)).save(image)
    missing = tmp_path / "gone.jpg"
    broken = tmp_path / "broken.jpg"
    broken.write_text("<b>this is not an image</b>")
    page = write(tmp_path, [pair("a", "b", images=[image, missing, broken])])
    browser.open(page)
    assert browser.run("window.hacked") is None
    assert browser.texts("figcaption .path")[:3] == [image.name, "gone.jpg", "broken.jpg"]
    assert browser.run("document.querySelector('img').alt") == image.name
    reasons = browser.texts(".missing")[:2]
    assert reasons[0] == "No such file or directory"
    assert reasons[1].startswith("not in an image format")
    assert str(tmp_path) not in page.read_text("utf-8")


def test_a_name_that_is_not_utf8_is_written(browser, tmp_path):
    browser.open(write(tmp_path, [pair("caf\udce9", "b", images=["caf\udce9.jpg"])]))
    assert "and b" in browser.text("#heading")


def test_thumbnails_are_embedded_and_few(browser, tmp_path):
    paths = []
    for number, size in enumerate([(640, 320), (10, 1000), (8, 8), (400, 400), (9, 9)]):
        paths.append(tmp_path / f"{number}.png")
        Image.new("RGBA", size).save(paths[-1])
    browser.open(write(tmp_path, [Pair("a", "b", 1, paths, paths[:1], 1234, 1)]))
    shown = browser.run(
        "Promise.all([...document.querySelectorAll('img')].map(e => e.decode().then(() =>"
        "[e.src.slice(0, 23), e.naturalWidth, e.naturalHeight])))"
    )
    assert len(shown) == SHOWN + 1
    assert {source for source, *_ in shown} == {"data:image/webp;base64,"}
    sides = [size for _, *size in shown]
    large = JUDGED_SIDE
    assert sides == [[large, large // 2], [4, large], [8, 8], [large, large], [large, large // 2]]
    assert browser.texts("#groups h3") == ["a: 1,234 images", "b: 1 image"]
    assert browser.text("figcaption span").startswith("640 × 320, ")


def test_the_closest_pair_comes_first(browser, tmp_path):
    pairs = [pair("a", "b", 0.0004), pair("c", "d", 1), pair("e", "f", 0.97)]
    browser.open(write(tmp_path, pairs))
    assert browser.text("#detail") == "100 % of the image pairs match."
    assert headings(browser, 3) == ["c and d", "e and f", "a and b"]
    assert browser.text("#detail") == "0.04 % of the image pairs match."


def test_a_page_without_pairs_says_so(browser, tmp_path):
    browser.open(write(tmp_path, []))
    assert "nothing to judge" in browser.text("#introduction")
    assert browser.run("byId('judging').hidden && byId('families').hidden")
    browser.press("1")


def test_an_unknown_verdict_is_an_error():
    with pytest.raises(ValueError, match="unknown verdict 'equal' on 'a' and 'b'; use one of same"):
        pair("a", "b", verdict="equal")


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path):
    page = write(tmp_path, [pair("a", "b")])
    before = page.read_bytes()
    with pytest.raises(TypeError):
        write(tmp_path, [pair("c", "d", images=[3])])
    assert page.read_bytes() == before
