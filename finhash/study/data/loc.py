"""Download of the Library of Congress's meme images from its web archive.

LC Labs' *Meme Generator Data Set* (https://labs.loc.gov/work/experiments/webarchive-datasets/) is
one file, ``memegenerator.csv``, which links to archived images but holds none.
``python -m finhash.study.data.loc memegenerator.csv`` downloads the images one at a time into a
folder that ``finhash.study.data.datasets`` can load. An interrupted download can be repeated to
finish it: images that are present are not requested again.

This module was tested against a local server that imitates the archive and its faults, but not yet
against the archive itself.
"""

import hashlib
import re
import sys
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import click
import pandas as pd
import urllib3
from tqdm import tqdm
from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError, TimeoutError

from finhash import __version__
from finhash.files import whole_file
from finhash.study import project

RATE = 1.0
"""Requests per second. loc.gov blocks clients for an hour after more than 80 requests per minute
(its page "Working Within Limits"); no limit is published for the archive."""
RETRIES = 5
"""Further attempts after a failed request."""
TIMEOUT = 30.0
"""Seconds to wait for a connection, and for each piece of the response."""
REDIRECTS = 5
"""Redirects to follow per request."""
LARGEST = 2**22
"""Largest accepted response, in bytes: many times the size of the images."""
MISSING = "-"
"""Mark of an unknown value in the file."""
COLUMNS = {
    "Meme ID": "id",
    "Archived URL": "url",
    "Base Meme Name": "base_meme",
    "MD5 Hash": "md5",
    "File Size (In Bytes)": "size",
}
"""Columns of the file that are used, and their names here."""


class UsageError(ValueError):
    """The file is not the Library's, or the folder holds other images."""


def read_rows(path: Path) -> pd.DataFrame:
    """Read ``memegenerator.csv`` and number its families.

    Each base meme is a family; names that differ in case or spaces are different families. Families
    are numbered from the largest to the smallest, and by name if their sizes are equal, so the
    numbers do not depend on the order of rows.

    Returns
    -------
    DataFrame
        One row per row of the file, with ``"-"`` for unknown text:

        id : str
            Number of the image.
        url : str
            Archived address of the image.
        base_meme : str
            Name of the family.
        md5 : str
            MD5 of the image, in hexadecimal.
        size : str
            Size of the image, in bytes.
        family : Int64
            Number of the family; missing if the base meme is unknown.

    Raises
    ------
    UsageError
        If the file is not UTF-16 or lacks a column.
    """
    try:
        # The Library's own notebook also reads the file with Excel's rules for quotes.
        rows = pd.read_csv(
            path,
            sep="\t",
            encoding="utf-16",
            usecols=[*COLUMNS],
            index_col=False,  # Otherwise tabs at the ends of rows would shift the columns.
            dtype=str,
            keep_default_na=False,
        )
    except ValueError as error:
        raise UsageError(
            f"{path} is not the Library's memegenerator.csv ({error}): get it from LC Labs"
        ) from error
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
    """Download images into ``folder`` and report on each.

    Parameters
    ----------
    rows : DataFrame
        All rows of the file, from ``read_rows``.
    folder : Path
        Folder for the images, ``families.csv`` (family numbers and names) and, at the end, the
        report as ``report.csv``.
    limit : int, optional
        Download only the first ``limit`` rows.
    rate : float
        Largest number of requests per second.
    retries : int
        Further attempts after a failed request.
    timeout : float
        Seconds to wait for a connection, and for each piece of the response.
    progress : bool
        Show a progress bar.

    Returns
    -------
    DataFrame
        One row per image:

        id : str
            Number of the image.
        family : Int64
            Number of its family.
        file : str
            File name; empty if the row of the file is unusable.
        url : str
            Archived address.
        status : str
            ``"fetched"`` now, ``"present"`` already, or ``"failed"``.
        reason : str
            Why the image failed, or which of its values are unknown and were not checked.

    Raises
    ------
    UsageError
        If ``folder`` holds images that were not downloaded from this file.
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
            status, reason = _ensure(row, folder / file, client, 1 / rate)
        except _UnavailableError as error:
            reason = str(error)
        except (HTTPError, ValueError) as error:  # A redirect to a malformed URL: ValueError.
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
    help="Folder for the images.",
)
@click.option("--limit", type=click.IntRange(1), help="Download only this many rows.")
@click.option("--rate", type=POSITIVE, default=RATE, help="Largest number of requests per second.")
@click.option(
    "--retries",
    type=click.IntRange(0),
    default=RETRIES,
    help="Further attempts after a failed request.",
)
@click.option("--timeout", type=POSITIVE, default=TIMEOUT, help="Seconds to wait for a response.")
def main(table: Path, folder: Path, **options: float | None) -> None:
    """Download the images that TABLE, the Library of Congress's memegenerator.csv, links to.

    Run the command again to resume it, or to retry failed images. The folder also receives
    report.csv, with the status of each image, and families.csv, with the number of each base meme.

    Exit status: 0 if all images were downloaded, 1 if some failed, 2 for wrong usage, such as a
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


class _UnavailableError(Exception):
    """The image cannot be obtained; the message is a kind of reason, a colon and the details."""


class _Paced(urllib3.Retry):
    """Retry policy that pauses before every retry and redirect, as before a first request."""

    def increment(self, *args: object, **options: object) -> urllib3.Retry:
        following = super().increment(*args, **options)
        time.sleep(self.backoff_factor)
        return following


def _client(rate: float, retries: int, timeout: float) -> urllib3.PoolManager:
    policy = _Paced(
        total=None,  # A total would count redirects, and every archived link has some.
        redirect=REDIRECTS,
        **dict.fromkeys(("connect", "read", "status", "other"), retries),
        status_forcelist=(429, 500, 502, 503, 504),
        raise_on_status=False,
        backoff_factor=1 / rate,
    )
    agent = f"finhash/{__version__} (research; urllib3/{urllib3.__version__})"
    return urllib3.PoolManager(headers={"User-Agent": agent}, retries=policy, timeout=timeout)


def _claim(folder: Path, rows: pd.DataFrame) -> None:
    """Write ``families.csv``, or check that the folder's images have the same family numbers."""
    families = rows[["family", "base_meme"]].dropna().drop_duplicates().sort_values("family")
    text, note = families.to_csv(index=False).encode(), folder / "families.csv"
    if not note.exists():
        if any(folder.glob("*.jpg")):
            raise UsageError(
                f"{folder} holds images but no families.csv, so they were not downloaded here: "
                "choose another folder"
            )
        with whole_file(note) as partial:
            partial.write_bytes(text)
    elif note.read_bytes() != text:
        raise UsageError(
            f"{folder} holds images of another memegenerator.csv, whose families have other "
            "numbers: choose another folder"
        )


def _file_name(row: _Row) -> str:
    """Return the image's file name; raise ``_UnavailableError`` if the row is unusable."""
    # The number becomes part of a path, so only digits are accepted, and a limited number of them.
    if not re.fullmatch("[0-9]{1,20}", row.id):
        raise _UnavailableError("Meme ID is not a number")
    if row.repeated:
        raise _UnavailableError("Meme ID repeated")
    if row.base_meme == MISSING:
        raise _UnavailableError("no base meme")
    if row.url == MISSING:
        raise _UnavailableError("no URL")
    if not row.url.startswith(("http://", "https://")):
        raise _UnavailableError("not an HTTP URL")
    return f"{row.family:04d}_{row.id}.jpg"


def _ensure(row: _Row, path: Path, client: urllib3.PoolManager, pause: float) -> tuple[str, str]:
    """Download the image to ``path`` unless a correct one is present; return status and reason."""
    try:
        return "present", _check(path.read_bytes(), row)
    except (FileNotFoundError, _UnavailableError):
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
            raise _UnavailableError(f"HTTP {response.status}")
        if response.headers.get("Content-Type", "").startswith("text/"):
            raise _UnavailableError("a web page, not an image")
        body = response.read(LARGEST + 1)
    if len(body) > LARGEST:
        raise _UnavailableError(f"larger than {LARGEST} bytes")
    return body


def _check(body: bytes, row: _Row) -> str:
    """Compare size and MD5 with the row; return a note on the values that are unknown."""
    if row.size not in (MISSING, str(len(body))):
        raise _UnavailableError(f"size differs: {len(body)} bytes, not {row.size}")
    if row.md5.lower() not in (MISSING, hashlib.md5(body).hexdigest()):
        raise _UnavailableError("MD5 differs")
    unknown = [name for name in ("size", "md5") if getattr(row, name) == MISSING]
    return f"not checked: {', '.join(unknown)}" if unknown else ""


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, MaxRetryError) else error
    # urllib3 derives the error for a refused connection from its timeout error.
    if isinstance(cause, TimeoutError) and not isinstance(cause, NewConnectionError):
        return "timeout"
    return f"{type(cause).__name__}: {cause.args[0]}"


if __name__ == "__main__":
    main()
