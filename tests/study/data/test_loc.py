"""Downloads from a local server that imitates the archive and its faults."""

import csv
import gzip
import hashlib
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pandas as pd
import pytest
from click.testing import CliRunner

from finhash.study import project
from finhash.study.data import datasets, drawn, loc, memes

HEADER = [
    *("Meme ID", "Archived URL", "Base Meme Name", "Meme Page URL", "MD5 Hash"),
    *("File Size (In Bytes)", "Alternate Text", "Display Name", "Upper Text", "Lower Text"),
]


IMAGES = [memes.jpeg(drawn.draw_template(1, family)) for family in range(4)]

PATIENT = 300
"""Seconds that no test reaches unless something hangs, however busy the machine is."""


@dataclass
class Answer:
    body: bytes = b""
    status: int = 200
    headers: dict = field(default_factory=dict)
    never: bool = False


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        archive = self.server.archive
        answers = archive.answers.get(self.path, [Answer(status=404)])
        answer = answers[min(archive.asked.count(self.path), len(answers) - 1)]
        archive.asked.append(self.path)
        archive.agents.add(self.headers["User-Agent"])
        if answer.never:
            archive.over.wait(PATIENT)
            return
        self.send_response(answer.status)
        headers = {"Content-Type": "image/jpeg", "Content-Length": len(answer.body)}
        for name, value in (headers | answer.headers).items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_):
        pass


class Archive:
    """The answers to each path: one after the other, then the last one repeatedly."""

    def __init__(self, url):
        self.url = url
        self.answers = {}
        self.asked = []
        self.agents = set()
        self.over = threading.Event()

    def row(self, number, base_meme="Y U No", *answers, body=IMAGES[0], **columns):
        """Register the answers for an image (by default its ``body``); return its row."""
        path = f"/all/0/http://cdn.meme.am/instances/250x250/{number}.jpg"
        self.answers[path] = answers or [Answer(body)]
        row = dict.fromkeys(HEADER, "-") | {
            "Meme ID": str(number),
            "Archived URL": self.url + path,
            "Base Meme Name": base_meme,
            "MD5 Hash": hashlib.md5(body).hexdigest(),
            "File Size (In Bytes)": str(len(body)),
        }
        return row | columns


@pytest.fixture
def archive():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.archive = Archive(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.archive
    server.archive.over.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    """Record the length of each pause, in seconds, instead of pausing."""
    recorded = []
    monkeypatch.setattr(time, "sleep", recorded.append)
    return recorded


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "loc"


@pytest.fixture
def table(tmp_path):
    """Return a function that writes rows in the format of the Library's file."""

    def write(rows, header=HEADER, encoding="utf-16"):
        path = tmp_path / "memegenerator.csv"
        with path.open("w", encoding=encoding, newline="") as file:
            writer = csv.DictWriter(file, header, delimiter="\t", extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
        return path

    return write


@pytest.fixture
def fetch(table, folder):
    """Return a function that downloads the images of these rows and returns the report."""

    def call(*rows, **options):
        options = {"retries": 2, "timeout": PATIENT, "progress": False} | options
        return loc.fetch(loc.read_rows(table(rows)), folder, **options).set_index("id")

    return call


@pytest.fixture
def run(table, folder):
    def invoke(*rows, **options):
        return CliRunner().invoke(loc.main, [str(table(rows, **options)), "--to", str(folder)])

    return invoke


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_images_are_downloaded_and_load_as_a_data_set(archive, fetch, folder, monkeypatch):
    report = fetch(
        archive.row(32207992, "Futurama Fry"),
        archive.row(7, "Y U No", body=IMAGES[1]),
        archive.row(8, "Y U No", body=IMAGES[2]),
    )
    assert report["status"].tolist() == ["fetched"] * 3
    assert report["reason"].tolist() == [""] * 3
    assert report["file"].tolist() == ["0001_32207992.jpg", "0000_7.jpg", "0000_8.jpg"]
    assert (folder / "0000_8.jpg").read_bytes() == IMAGES[2]
    assert (folder / "families.csv").read_text() == "family,base_meme\n0,Y U No\n1,Futurama Fry\n"
    kept = pd.read_csv(folder / "report.csv", dtype=str, keep_default_na=False)
    assert list(kept) == ["id", "family", "file", "url", "status", "reason"]
    assert kept["file"].tolist() == report["file"].tolist()
    assert all(agent.startswith("finhash/") for agent in archive.agents)

    monkeypatch.setenv("FINHASH_HOME", str(folder.parent))
    monkeypatch.setenv("FINHASH_DAS_IMAGES", str(folder))
    dataset = datasets.load(project.SCALES["full"], progress=False)
    assert dataset.families.tolist() == [0, 0, 1]


def test_a_failed_image_is_reported_and_the_others_are_downloaded(
    archive, fetch, folder, monkeypatch
):
    monkeypatch.setattr(loc, "LARGEST", 2 * len(IMAGES[0]))
    archive.answers["/all/1/9.jpg"] = [Answer(status=302, headers={"Location": "/all/1/9.jpg"})]
    size, half = len(IMAGES[0]), IMAGES[0][: len(IMAGES[0]) // 2]
    rows = {
        "HTTP 404": archive.row(1, "a", Answer(status=404)),
        "HTTP 503": archive.row(2, "a", Answer(status=503)),
        f"size differs: {len(half)} bytes, not {size}": archive.row(3, "a", Answer(half)),
        "MD5 differs": archive.row(4, "a", Answer(IMAGES[0][::-1])),
        "ProtocolError: Connection broken": archive.row(
            5, "a", Answer(half, headers={"Content-Length": size})
        ),
        "a web page": archive.row(
            7, "a", Answer(b"<html>", headers={"Content-Type": "text/html"}), **{"MD5 Hash": "-"}
        ),
        "larger than": archive.row(
            8, "a", Answer(IMAGES[0] * 3, headers={"Content-Length": 10**9})
        ),
        "ResponseError: too many redirects": archive.row(
            9, "a", Answer(status=302, headers={"Location": "/all/1/9.jpg"})
        ),
        "NewConnectionError": archive.row(10, "a", **{"Archived URL": "http://127.0.0.1:1/"}),
        "LocationParseError": archive.row(11, "a", **{"Archived URL": "http://[/"}),
        f"larger than {2 * size} bytes": archive.row(
            18, "a", Answer(gzip.compress(bytes(10**8)), headers={"Content-Encoding": "gzip"})
        ),
        "LocationValueError": archive.row(
            19, "a", Answer(status=302, headers={"Location": "file:///etc/passwd"})
        ),
        "ValueError": archive.row(17, "a", Answer(status=302, headers={"Location": "http://["})),
        "no URL": archive.row(12, "a", **{"Archived URL": "-"}),
        "not an HTTP URL": archive.row(13, "a", **{"Archived URL": "file:///etc/passwd"}),
        "no base meme": archive.row(14, "-"),
        "Meme ID is not a number": archive.row("../../15", "a"),
        "": archive.row(16, "a"),
        "Meme ID repeated": archive.row(16, "b"),
    }
    report = fetch(*rows.values(), retries=1)
    for expected, reason in zip(rows, report["reason"], strict=True):
        assert reason.startswith(expected)
    assert report["reason"].eq("").sum() == 1
    assert report["status"].eq("failed").sum() == len(rows) - 1
    assert names(folder) == ["0000_16.jpg", "families.csv", "report.csv"]


def test_a_server_that_never_answers_is_a_timeout(archive, fetch):
    report = fetch(archive.row(1, "a", Answer(never=True)), retries=1, timeout=0.1)
    assert report["reason"].tolist() == ["timeout"]


@pytest.mark.parametrize("number", ["", "1e3", "²", "-1", "1 ", "9" * 300, "0001_1", "a/b"])
def test_only_a_number_becomes_a_file_name(archive, fetch, folder, number):
    report = fetch(archive.row(number))
    assert report["reason"].tolist() == ["Meme ID is not a number"]
    assert not archive.asked
    assert names(folder) == ["families.csv", "report.csv"]


def test_requests_are_repeated_after_growing_pauses(archive, fetch, pauses):
    busy = Answer(status=503)
    good = archive.row(1, "a", busy, busy, Answer(IMAGES[0]))
    report = fetch(good, archive.row(2, "a", busy), rate=10)
    assert report["reason"].tolist() == ["", "HTTP 503"]
    assert [path[-5] for path in archive.asked] == ["1"] * 3 + ["2"] * 3
    assert pauses == pytest.approx([0.1, 0.1, 0.1, 0.2] * 2)


def test_a_busy_archive_chooses_the_pause(archive, fetch, pauses):
    busy = Answer(status=429, headers={"Retry-After": "3600"})
    report = fetch(archive.row(1, "a", busy, Answer(IMAGES[0])))
    assert report["status"].tolist() == ["fetched"]
    assert 3600 in pauses


def test_there_is_a_pause_before_every_request(archive, fetch, pauses):
    onward = Answer(status=302, headers={"Location": "/capture"})
    archive.answers["/capture"] = [Answer(IMAGES[0])]
    rows = [archive.row(1), archive.row(2), archive.row(3, "Y U No", onward), archive.row("bad")]
    report = fetch(*rows, rate=4, retries=0)
    assert report["status"].tolist() == ["fetched"] * 3 + ["failed"]
    assert pauses == [0.25] * len(archive.asked) == [0.25] * 4


def test_correct_images_are_not_downloaded_again(archive, fetch, folder):
    rows = [archive.row(1), archive.row(2, body=IMAGES[1]), archive.row(3)]
    fetch(*rows)
    archive.asked.clear()
    assert fetch(*rows)["status"].tolist() == ["present"] * 3
    assert not archive.asked

    (folder / "0000_2.jpg").write_bytes(IMAGES[1][:-1])
    (folder / "0000_3.jpg").write_bytes(IMAGES[0][::-1])
    archive.row(3, "Y U No", Answer(status=404))
    assert fetch(*rows)["status"].tolist() == ["present", "fetched", "failed"]
    assert len(archive.asked) == 2
    assert (folder / "0000_2.jpg").read_bytes() == IMAGES[1]
    assert not (folder / "0000_3.jpg").exists()  # A wrong image would become part of the data set.


def test_an_interrupted_run_resumes(archive, fetch, folder, monkeypatch):
    rows = [archive.row(1), archive.row(2), archive.row(3)]
    pauses = iter([None, None])

    def interrupt(_):
        if next(pauses, "over") == "over":
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fetch(*rows)
    assert names(folder) == ["0000_1.jpg", "0000_2.jpg", "families.csv"]
    monkeypatch.setattr(time, "sleep", lambda _: None)
    assert fetch(*rows)["status"].tolist() == ["present", "present", "fetched"]
    assert len(archive.asked) == 3


def test_family_numbers_depend_on_neither_order_nor_limit(archive, fetch, table, folder):
    base_memes = ["b", "B", "b ", "c", "c", "a", "-"]
    rows = [archive.row(k, meme, Answer(status=404)) for k, meme in enumerate(base_memes)]
    numbers = dict(zip(base_memes, loc.read_rows(table(rows))["family"], strict=True))
    assert numbers.pop("-") is pd.NA
    assert numbers == {"c": 0, "B": 1, "a": 2, "b": 3, "b ": 4}
    few = fetch(*rows, limit=2)
    whole = fetch(*rows[::-1])
    assert few["family"].tolist() == whole["family"].tolist()[:-3:-1] == [3, 1]
    assert len(pd.read_csv(folder / "families.csv")) == 5


def test_a_folder_of_other_images_is_refused(archive, fetch, folder):
    fetch(archive.row(1, "a"))
    with pytest.raises(loc.UsageError, match="another memegenerator"):
        fetch(archive.row(1, "a"), archive.row(2, "b"))
    (folder / "families.csv").unlink()
    with pytest.raises(loc.UsageError, match=r"no families\.csv"):
        fetch(archive.row(1, "a"))


def test_unknown_values_are_reported_as_not_checked(archive, fetch):
    unknown = {"MD5 Hash": "-", "File Size (In Bytes)": "-"}
    rows = [
        archive.row(1, **unknown),
        archive.row(2, **{"MD5 Hash": "-"}),
        archive.row(3, **{"MD5 Hash": hashlib.md5(IMAGES[0]).hexdigest().upper()}),
    ]
    reasons = ["not checked: size, md5", "not checked: md5", ""]
    assert fetch(*rows)["reason"].tolist() == reasons
    assert fetch(*rows)["reason"].tolist() == reasons
    assert len(archive.asked) == 3


def test_captions_with_quotes_and_tabs_are_read(archive, fetch):
    captions = ['"so" it says', 'a 5" screen', '"', "two\r\nlines", "a\ttab", "", "NA", "¿Y tú? 猫"]
    rows = [archive.row(k, **{"Upper Text": text}) for k, text in enumerate(captions)]
    rows += [archive.row(k, '"The" Cat', **{"Lower Text": '"'}) for k in (10, 11)]
    report = fetch(*rows)
    assert report.index.tolist() == [row["Meme ID"] for row in rows]
    assert report["status"].eq("fetched").all()


def test_short_and_long_rows_shift_no_columns(tmp_path):
    path = tmp_path / "memegenerator.csv"
    path.write_text("\t".join(HEADER) + "\n1\tu\tb" + "\t-" * 8 + "\n2\tu\tb\n", "utf-16")
    rows = loc.read_rows(path)
    assert rows["id"].tolist() == ["1", "2"]
    assert rows["base_meme"].tolist() == ["b", "b"]
    assert rows["md5"].tolist() == ["-", "-"]


def test_the_command_counts_results_and_sets_the_exit_status(archive, run):
    good, bad = archive.row(1), archive.row(2, "Y U No", Answer(status=404))
    some = run(good, bad, archive.row(3, "Y U No", Answer(IMAGES[0][:9])))
    assert some.exit_code == 1
    assert not some.stdout
    assert [line.split(maxsplit=1) for line in some.stderr.splitlines()[-3:]] == [
        ["1", "failed: HTTP 404"],
        ["1", "failed: size differs"],
        ["1", "fetched"],
    ]
    bad = archive.row(2)
    archive.row(3)
    assert run(good, bad, archive.row(3)).exit_code == 0


def test_another_file_than_the_librarys_is_refused(archive, run, folder, tmp_path):
    row = archive.row(1)
    for options, why in (
        ({"encoding": "utf-8"}, "UTF-16"),
        ({"header": [name for name in HEADER if name != "MD5 Hash"]}, "MD5 Hash"),
    ):
        result = run(row, **options)
        assert result.exit_code == 2
        assert "not the Library's" in result.stderr
        assert why in result.stderr
    assert not folder.exists()
    assert CliRunner().invoke(loc.main, [str(tmp_path / "none.csv")]).exit_code == 2
    first_edition = HEADER[:7]
    for header in (first_edition, first_edition[::-1]):
        assert run(row, header=header).exit_code == 0


def test_the_default_folder_is_data_loc(archive, table, tmp_path, monkeypatch):
    monkeypatch.setenv("FINHASH_HOME", str(tmp_path))
    assert CliRunner().invoke(loc.main, [str(table([archive.row(1)]))]).exit_code == 0
    assert (tmp_path / "data" / "loc" / "0000_1.jpg").exists()
