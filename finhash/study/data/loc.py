"""The Library of Congress's meme pictures, fetched one at a time from its web archive.

LC Labs' *Meme Generator Data Set* (https://labs.loc.gov/work/experiments/webarchive-datasets/)
is one file, ``memegenerator.csv``: links to archived pictures, but no pictures. Once you have it,
``python -m finhash.study.data.loc memegenerator.csv`` makes a folder of ``FFFF_ID.jpg`` files, such as
``finhash.study.data.datasets`` loads. What is there is not fetched again, so it may be interrupted.

Untested against the live archive: the tests serve pictures, and faults, from their own machine.
"""

import hashlib
import re
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import click
import pandas as pd
import urllib3
from tqdm import tqdm
from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError, TimeoutError

from finhash import __version__
from finhash.jobs.files import whole_file
from finhash.study import project

RATE = 1.0
"""Requests a second: loc.gov blocks for an hour whoever makes more than 80 a minute (its "Working
Within Limits"); for the archive no limit is published."""
RETRIES = 5
TIMEOUT = 30.0
REDIRECTS = 5
LARGEST = 2**22
"""Bytes read of an answer, at most: many times the largest picture."""
MISSING = "-"
"""What the file has for an unknown value."""
COLUMNS = {
    "Meme ID": "id",
    "Archived URL": "url",
    "Base Meme Name": "base_meme",
    "MD5 Hash": "md5",
    "File Size (In Bytes)": "size",
}
"""What is used of the file, and its name here."""


class UsageError(ValueError):
    """The file is not the Library's, or the folder is not for its pictures."""


def read_rows(path: Path) -> pd.DataFrame:
    """The file's ``id, url, base_meme, md5, size``, all text, and the number of each ``family``.

    Families are the base memes, case and spaces as in the file, numbered over the whole file: the
    largest first, as in the stand-in, those of one size by name. The order of rows does not
    matter. Raises ``UsageError`` if the file is not the Library's.
    """
    try:
        # Quotes are Excel's, as the Library's own notebook takes them.
        rows = pd.read_csv(
            path,
            sep="\t",
            encoding="utf-16",
            usecols=[*COLUMNS],
            index_col=False,  # else tabs at the ends of rows would shift the columns
            dtype=str,
            keep_default_na=False,
        )
    except ValueError as error:
        raise UsageError(f"{path.name} is not the Library's memegenerator.csv: {error}") from error
    rows = rows[[*COLUMNS]].rename(columns=COLUMNS).fillna(MISSING).replace("", MISSING)
    sizes = Counter(rows["base_meme"])
    del sizes[MISSING]
    names = sorted(sizes, key=lambda name: (-sizes[name], name))
    numbers = {name: number for number, name in enumerate(names)}
    return rows.assign(family=rows["base_meme"].map(numbers).astype("Int64"))


def fetch(
    rows: pd.DataFrame,
    folder: Path,
    *,
    limit: int | None = None,
    rate: float = RATE,
    retries: int = RETRIES,
    timeout: float = TIMEOUT,
    progress: bool = True,
) -> pd.DataFrame:
    """The report, a row a picture: ``id, family, file, url, status, reason``.

    ``rows`` are those of ``read_rows``, of which the first ``limit`` are fetched: ``rate`` requests
    a second at most, ``timeout`` seconds for connecting and for each wait. ``status`` is
    ``fetched``, ``there`` or ``failed``. Writes pictures, ``families.csv`` and at the end
    ``report.csv`` to ``folder``. Raises ``UsageError`` if that holds pictures of other origin.
    """
    _claim(folder, rows)
    client = _client(rate, retries, timeout)
    rows = rows[:limit]
    rows = rows.assign(repeated=rows["id"].duplicated())
    each = map(_Row._make, rows.itertuples(index=False))
    report = []
    for row in tqdm(each, "fetching", len(rows), unit="image", disable=not progress, leave=False):
        file, status, reason = "", "failed", ""
        try:
            file = _file_name(row)
            status, reason = _have(row, folder / file, client, 1 / rate)
        except _NotHadError as error:
            reason = str(error)
        except (HTTPError, ValueError) as error:  # the latter for a redirect to what is no URL
            reason = _reason(error)
        report.append((row.id, row.family, file, row.url, status, reason))
    table = pd.DataFrame(report, columns=["id", "family", "file", "url", "status", "reason"])
    with whole_file(folder / "report.csv") as partial:
        table.to_csv(partial, index=False)
    return table


EXAMPLE = "Example: python -m finhash.study.data.loc memegenerator.csv --limit 100 --rate 0.5"
POSITIVE = click.FloatRange(0, min_open=True)


@click.command(epilog=EXAMPLE, context_settings={"show_default": True})
@click.argument("table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=lambda: project.data() / "loc",
    show_default="data/loc",
    help="Folder for the pictures.",
)
@click.option("--limit", type=click.IntRange(1), help="Fetch the first so many rows only.")
@click.option("--rate", type=POSITIVE, default=RATE, help="Requests a second, at most.")
@click.option("--retries", type=click.IntRange(0), default=RETRIES, help="Further tries a request.")
@click.option("--timeout", type=POSITIVE, default=TIMEOUT, help="Seconds to wait for an answer.")
def main(table: Path, folder: Path, **options: float | None) -> None:
    """Fetch the pictures that TABLE, the Library of Congress's memegenerator.csv, links to.

    Run it again to resume, or to try again what failed. Beside the pictures lie report.csv, which
    says what became of each, and families.csv, the base memes by number.

    Exit status: 0 if all pictures were had, 1 if some could not be, 2 for wrong usage, such as a
    file that is not the Library's.
    """
    try:
        report = fetch(read_rows(table), folder, **options)
    except UsageError as error:
        raise click.UsageError(str(error)) from error
    kinds = report["reason"].str.partition(":")[0]
    for (status, kind), count in report.groupby(["status", kinds]).size().items():
        click.echo(f"{count:6} {status}{kind and ': '}{kind}", err=True)
    sys.exit(int((report["status"] == "failed").any()))


class _Row(NamedTuple):
    id: str
    url: str
    base_meme: str
    md5: str
    size: str
    family: int
    repeated: bool


class _NotHadError(Exception):
    """Why a picture could not be had: a kind of reason, and after a colon the particulars."""


class _Paced(urllib3.Retry):
    """Retries and redirects that come no faster than first requests."""

    def increment(self, *args: object, **options: object) -> urllib3.Retry:
        following = super().increment(*args, **options)
        time.sleep(self.backoff_factor)
        return following


def _client(rate: float, retries: int, timeout: float) -> urllib3.PoolManager:
    policy = _Paced(
        total=None,  # it would count redirects, which every link of the archive needs
        redirect=REDIRECTS,
        **dict.fromkeys(("connect", "read", "status", "other"), retries),
        status_forcelist=(429, 500, 502, 503, 504),
        raise_on_status=False,
        backoff_factor=1 / rate,
    )
    agent = f"finhash/{__version__} (research; urllib3/{urllib3.__version__})"
    return urllib3.PoolManager(headers={"User-Agent": agent}, retries=policy, timeout=timeout)


def _claim(folder: Path, rows: pd.DataFrame) -> None:
    """Make the folder these rows' own: no picture of another numbering may be among theirs."""
    families = rows[["family", "base_meme"]].dropna().drop_duplicates().sort_values("family")
    text, note = families.to_csv(index=False).encode(), folder / "families.csv"
    if not note.exists():
        if any(folder.glob("*.jpg")):
            raise UsageError(f"{folder} holds pictures that were not fetched here")
        with whole_file(note) as partial:
            partial.write_bytes(text)
    elif note.read_bytes() != text:
        raise UsageError(f"{folder} holds pictures of another memegenerator.csv")


def _file_name(row: _Row) -> str:
    # Digits, and not too many: what stands in the file becomes a path.
    if not re.fullmatch("[0-9]{1,20}", row.id):
        raise _NotHadError("Meme ID is not a number")
    if row.repeated:
        raise _NotHadError("Meme ID repeated")
    if row.base_meme == MISSING:
        raise _NotHadError("no base meme")
    if row.url == MISSING:
        raise _NotHadError("no URL")
    if not row.url.startswith(("http://", "https://")):
        raise _NotHadError("not an HTTP URL")
    return f"{row.family:04d}_{row.id}.jpg"


def _have(row: _Row, path: Path, client: urllib3.PoolManager, pause: float) -> tuple[str, str]:
    """Status of the picture, once it is at ``path``, and what of it could not be checked."""
    with suppress(FileNotFoundError, _NotHadError):
        return "there", _check(path.read_bytes(), row)
    path.unlink(missing_ok=True)
    time.sleep(pause)
    body = _download(row.url, client)
    unchecked = _check(body, row)
    with whole_file(path) as partial:
        partial.write_bytes(body)
    return "fetched", unchecked


def _download(url: str, client: urllib3.PoolManager) -> bytes:
    with client.request("GET", url, preload_content=False) as response:
        if response.status != 200:
            raise _NotHadError(f"HTTP {response.status}")
        if response.headers.get("Content-Type", "").startswith("text/"):
            raise _NotHadError("a web page, no picture")
        body = response.read(LARGEST + 1)
    if len(body) > LARGEST:
        raise _NotHadError(f"larger than {LARGEST} bytes")
    return body


def _check(body: bytes, row: _Row) -> str:
    if row.size not in (MISSING, str(len(body))):
        raise _NotHadError(f"size differs: {len(body)} of {row.size} bytes")
    if row.md5.lower() not in (MISSING, hashlib.md5(body).hexdigest()):
        raise _NotHadError("MD5 differs")
    unknown = [name for name in ("size", "md5") if getattr(row, name) == MISSING]
    return f"not checked: {', '.join(unknown)}" if unknown else ""


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, MaxRetryError) else error
    # To urllib3 a refused connection is a kind of time-out.
    if isinstance(cause, TimeoutError) and not isinstance(cause, NewConnectionError):
        return "time-out"
    return f"{type(cause).__name__}: {cause.args[0]}"


if __name__ == "__main__":
    main()
