"""Names of files and labels that are code in HTML, on all pages that commands write."""

import csv
import io

import pytest

from tests.test_security import fill, run

HOSTILE = [
    "<img src=x onerror=window.hacked=1>",
    "' onclick='window.hacked=1",
    '"><svg onload=window.hacked=1>',
    "<!--<script>window.hacked=1<",
    "a\nb\u2028c\u2029{{data}}${1}&lt;",
]
"""Names that are code in HTML or JavaScript if they are not escaped; files can have them."""


@pytest.mark.slow
def test_pages_hold_hostile_names_as_text(browser, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "photos", HOSTILE)
    run("hash", "photos", "-o", "hashes", "--executor", "serial")
    labelled = io.StringIO()
    rows = csv.writer(labelled)
    rows.writerow(["path", "label"])
    rows.writerows(
        [path, path.name.rstrip(" 12").removesuffix(".jpg")]
        for path in (tmp_path / "photos").iterdir()
    )
    (tmp_path / "labels.csv").write_text(labelled.getvalue())
    assert run("cluster", "hashes", "--html", "families.html").exit_code == 0
    words = ["--labels", "labels.csv", "--method", "dhash64", "--workers", "1", "--quiet"]
    evaluated = run("evaluate", "photos", *words, "-o", "answer", "--review", "pairs.html")
    assert (evaluated.exit_code, evaluated.stderr) == (1, "")  # an image is damaged
    for page, element in (
        ("families.html", ".family .path"),
        ("answer/index.html", "li"),
        ("pairs.html", "h1"),
    ):
        browser.open(tmp_path / page)
        browser.run("new Promise(done => setTimeout(done, 200))")
        assert browser.run("typeof window.hacked") == "undefined"
        assert browser.run("document.querySelectorAll('svg, [onclick], [onerror]').length") == 0
        assert browser.texts(element)
        if page == "answer/index.html":
            assert f"{HOSTILE[0]}.jpg: NotAnImageError" in " ".join(browser.texts("li"))
    browser.open(tmp_path / "families.html")
    shown = set(browser.texts(".family .path"))
    assert shown == {f"{name} {copy}" for name in HOSTILE for copy in "12"}
