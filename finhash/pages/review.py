"""Pages on which a user looks at families of images and judges pairs.

``write_families`` writes the page of ``finhash cluster --html``: all families, with a slider for
the threshold, and the doubtful links between images, to be judged one by one. ``write_page`` writes
the page of ``finhash evaluate --review``: pairs of labelled families, to be judged in the same way.

Each page is one HTML file that needs no network. It saves the user's verdicts as a CSV file, which
``finhash.accuracy.verdict_file`` reads. The template ``review.html``, next to this module, builds
both pages in the browser from data in JSON. Text from outside is only ever set as text content, and
the page's content security policy lets the browser run no script but the template's own.
"""

import base64
import hashlib
import html
import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from finhash.accuracy.links import draw, links
from finhash.accuracy.verdict_file import MEANINGS, VERDICTS, Verdict
from finhash.files import counted, text, whole_file
from finhash.hamming.words import check_radius
from finhash.pages.thumbnails import ImagePath, Thumbnail, thumbnails
from finhash.preparation import AS_STORED, Preparation
from finhash.quality import LOWEST
from finhash.thresholds import review_margin

SHOWN = 4
"""Number of images shown per family of a pair of families, at most."""

DRAWN = 200
"""Number of links drawn for judging, at most."""

MOST = 20_000
"""Number of images with a thumbnail, at most; the file then has about 45 MB."""

SIDE = 112
"""Longer side of a thumbnail in a family, in pixels."""

JUDGED_SIDE = 400
"""Longer side of a thumbnail in a pair to judge, in pixels."""

CHUNK = 64
"""Number of thumbnails that the page decodes together."""

CARD_WORDS = ("same", "different")
"""Verdicts on links."""


@dataclass(frozen=True)
class Pair:
    """Two families that may show one image.

    Attributes
    ----------
    first, second : str
        Names of the families.
    share : float
        Share of the image pairs between the two families that match, from 0 to 1.
    first_images, second_images : sequence of str or path-like
        Paths of images of each family, those nearest to the other family first. The page shows the
        first ``SHOWN``.
    first_size, second_size : int
        Number of images in each family.
    verdict : str, optional
        Earlier verdict, one of ``finhash.accuracy.verdict_file.VERDICTS``; None if there is none.
    """

    first: str
    second: str
    share: float
    first_images: Sequence[ImagePath]
    second_images: Sequence[ImagePath]
    first_size: int
    second_size: int
    verdict: str | None = None

    def __post_init__(self) -> None:
        """Raise ``ValueError`` if the verdict is unknown."""
        if self.verdict is not None and self.verdict not in VERDICTS:
            raise ValueError(
                f"unknown verdict {self.verdict!r} on {self.first!r} and {self.second!r}; "
                f"use one of {', '.join(VERDICTS)}, or None"
            )


def write_page(
    path: ImagePath,
    pairs: Sequence[Pair],
    *,
    title: str,
    threshold_text: str = "",
    others: Sequence[tuple[str, str, str]] = (),
    preparation: Preparation = AS_STORED,
) -> None:
    """Write the page on which a user judges pairs of families.

    The page is one HTML file with embedded thumbnails. In place of an image that cannot be read, it
    gives the reason. Judgements are kept in the browser until the page is written with another
    title, other pairs or other earlier verdicts.

    Parameters
    ----------
    path : str or path-like
        File to write; it is written completely or not at all.
    pairs : sequence of Pair
        Pairs to judge; the page shows the pair with the largest share first.
    title : str
        Title of the page.
    threshold_text : str
        Sentence that says when two images match, for example "Two images match if their hashes
        differ in at most 52 of 256 bits."
    others : sequence of (str, str, str)
        Earlier verdicts on further pairs (first, second, verdict). The page does not show them, but
        repeats them in the file that it saves, which can then replace the earlier file.
    preparation : Preparation, optional
        What was done to the images before they were hashed; the page shows them like this.

    Raises
    ------
    OSError
        If the page cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from finhash.pages.review import Pair, write_page
    >>> folder = tempfile.TemporaryDirectory()
    >>> image, page = Path(folder.name, "1.png"), Path(folder.name, "review.html")
    >>> Image.new("RGB", (40, 30), "red").save(image)
    >>> pair = Pair("0085", "0086", 0.9, [image], [image], first_size=1, second_size=1)
    >>> write_page(page, [pair], title="One image under two names?")
    >>> "0085 and 0086" in page.read_text()
    True
    >>> folder.cleanup()
    """
    ranked = sorted(pairs, key=lambda pair: pair.share, reverse=True)
    shown = [each for pair in ranked for group in _images(pair) for each in group]
    rows = {each: row for row, each in enumerate(dict.fromkeys(shown))}
    made = thumbnails(list(rows), [JUDGED_SIDE] * len(rows), preparation=preparation)
    given = [
        {
            "first": pair.first,
            "second": pair.second,
            "heading": f"{pair.first} and {pair.second}",
            "detail": f"{100 * pair.share:.3g} % of the image pairs match.",
            "verdict": pair.verdict,
            "groups": [
                [f"{name}: {counted(size, 'image')}", [rows[each] for each in images]]
                for name, size, images in zip(
                    (pair.first, pair.second),
                    (pair.first_size, pair.second_size),
                    _images(pair),
                    strict=True,
                )
            ],
        }
        for pair in ranked
    ]
    data = {
        "words": list(MEANINGS.items()),
        "introduction": _introduction(len(ranked), threshold_text),
        "advice": "Put the saved file into the folder of images, or pass it with --verdicts.",
        "images": [_facts(Path(each).name, image) for each, image in zip(rows, made, strict=True)],
        "pairs": given,
        "others": [list(row) for row in others],
    }
    names = [[pair.first, pair.second] for pair in ranked]
    _write(path, title, data, made, [title, names, [pair.verdict for pair in ranked]])


def write_families(
    path: ImagePath,
    paths: Sequence[ImagePath],
    hashes: NDArray[np.uint8],
    radius: int,
    *,
    margin: int | None = None,
    labels: Sequence[int | str] | None = None,
    qualities: Sequence[int | None] | None = None,
    preparation: Preparation = AS_STORED,
    verdicts: Iterable[Verdict] = (),
    title: str = "Families of near-duplicate images",
    command: str = "",
    workers: int = 1,
    progress: bool = True,
) -> None:
    """Write the page that shows families of images and on which a user judges their links.

    Families are the connected components at a threshold, which a slider changes in the browser.
    Above them, the page shows links drawn by ``finhash.accuracy.links.draw`` one by one, those near
    the threshold first. ``finhash.accuracy.links.judge`` estimates from the saved verdicts at which
    thresholds the links are right.

    The page is one HTML file with embedded thumbnails, of ``MOST`` images at most. In place of an
    image that cannot be read, it gives the reason. Judgements are kept in the browser, also if the
    page is written again for images in the same folder, until other earlier verdicts are passed.

    Parameters
    ----------
    path : str or path-like
        File to write; it is written completely or not at all.
    paths : sequence of str or path-like, shape (n,)
        Path of each image. Verdicts name images by these paths.
    hashes : ndarray of uint8, shape (n, bits / 8)
        Hash of each image, packed.
    radius : int
        Threshold in bits.
    margin : int, optional
        Bits above ``radius`` up to which the slider reaches, and by which the distance of links to
        judge differs from ``radius`` at most. By default a sixteenth of the hash.
    labels : sequence of int or str, shape (n,), optional
        Name of each image's family in a list of families, which the page repeats.
    qualities : sequence of int or None, shape (n,), optional
        Quality of each image, 0 to 100, or None if it is unknown. The page marks images below
        ``finhash.quality.LOWEST``.
    preparation : Preparation, optional
        What was done to the images before they were hashed; the page shows them like this.
    verdicts : iterable of Verdict
        Earlier verdicts on pairs of images. The page shows them and repeats them in the file that
        it saves, which can then replace the earlier file.
    title : str
        Title of the page.
    command : str
        Command that chooses the threshold from the saved file.
    workers : int, default 1
        Threads.
    progress : bool, default True
        Whether to show a progress bar on stderr, if stderr is a terminal.

    Raises
    ------
    ValueError
        If the numbers of paths, hashes, labels and qualities differ, or ``radius`` is not between 0
        and the number of bits.
    OSError
        If the page cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from finhash.pages.review import write_families
    >>> folder = tempfile.TemporaryDirectory()
    >>> page = Path(folder.name, "review.html")
    >>> hashes = np.array([[0] * 32, [1] + [0] * 31], np.uint8)
    >>> write_families(page, ["a.jpg", "b.jpg"], hashes, radius=52)
    >>> "a.jpg" in page.read_text()
    True
    >>> folder.cleanup()
    """
    for what, number in (
        ("hashes", len(hashes)),
        ("labels", len(paths if labels is None else labels)),
        ("qualities", len(paths if qualities is None else qualities)),
    ):
        if number != len(paths):
            raise ValueError(
                f"the number of paths is {len(paths)} and that of {what} {number}; pass one each"
            )
    bits = 8 * hashes.shape[1]
    radius = check_radius(radius, bits)
    margin = review_margin(bits) if margin is None else margin
    reach = min(bits, radius + margin)
    first, second, distance = links(hashes, reach, workers=workers)
    drawn = draw(distance, radius, margin, DRAWN)
    shown = _order(len(paths), first, second, int((distance <= radius).sum()))
    place = np.full(len(paths), -1)
    place[shown] = np.arange(len(shown))
    large = np.isin(shown, [first[drawn], second[drawn]])
    names = [text(os.fspath(paths[row])) for row in shown]
    files_shown = [paths[row] for row in shown[:MOST]]
    sides = np.where(large, JUDGED_SIDE, SIDE)[:MOST].tolist()
    made = thumbnails(
        files_shown, sides, preparation=preparation, workers=workers, progress=progress
    )
    made += [Thumbnail("", 0, 0, -1, "no thumbnail")] * (len(shown) - len(made))
    folder = os.path.commonprefix(names)  # noqa: RUF071 - it is cut at a separator
    folder = folder[: folder.rfind(os.sep) + 1]
    data = {
        "words": [(word, MEANINGS[word]) for word in CARD_WORDS],
        "introduction": _introduction_of_families(len(paths), len(shown), bits),
        "advice": "To choose the threshold from the saved verdicts:" if command else "",
        "command": command,
        "images": [
            _facts(name[len(folder) :], image) for name, image in zip(names, made, strict=True)
        ],
        "poor": _poor(qualities, shown),
        "folder": folder,
        "base": _url(folder, path),
        "links": [place[first].tolist(), place[second].tolist(), distance.tolist()],
        "drawn": drawn.tolist(),
        "labels": None if labels is None else [str(labels[row]) for row in shown],
        "total": len(paths),
        "radius": radius,
        "reach": reach,
        "others": [
            [*row[:3], "" if row.drawn is None else ("no", "yes")[row.drawn]] for row in verdicts
        ],
    }
    _write(path, title, data, made, [title, str(Path(folder).absolute()), data["others"]])


def _order(n: int, first: NDArray[Any], second: NDArray[Any], within: int) -> NDArray[np.int64]:
    """Return the rows of all images with links, those of the largest families first.

    Families are those of the first ``within`` links. Images of one family keep their order.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = first[:within], second[:within]
    graph = coo_array((np.ones(within), ends), (n, n))
    numbers = connected_components(graph, directed=False)[1]
    _, start, inverse, sizes = np.unique(
        numbers, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.lexsort((np.arange(n), start[inverse], -sizes[inverse]))
    return order[np.isin(order, [first, second])]


def _url(folder: str, page: ImagePath) -> str:
    """Return the relative URL of a folder of images, seen from the page."""
    # Colons are quoted, so a folder called "javascript:..." is not taken for a scheme.
    return quote(os.path.relpath(folder or ".", Path(page).absolute().parent)) + "/"


def _introduction(number: int, threshold_text: str) -> str:
    """Return the sentences above pairs of families."""
    if not number:
        return "No two families have images that match, so there is nothing to judge."
    sentences = (
        "Each pair of families has images that match; the closest families come first.",
        threshold_text,
        "Do the two families show one image under two names?",
    )
    return " ".join(filter(None, sentences))


def _introduction_of_families(total: int, shown: int, bits: int) -> str:
    """Return the sentences above families."""
    if not shown:
        return f"No two of the {counted(total, 'image')} match, so there is nothing to show."
    sentences = [
        f"Two images are linked if their hashes differ in at most as many of {bits} bits as the "
        "threshold, and linked images are one family.",
    ]
    if shown > MOST:
        sentences.append(f"The {MOST:,} images of the largest families have thumbnails.")
    return " ".join(sentences)


def _facts(name: str, image: Thumbnail) -> list[str | int]:
    """Return what the page says about an image."""
    return [name, image.width, image.height, image.size, image.error]


def _poor(qualities: Sequence[int | None] | None, shown: NDArray[np.int64]) -> dict[int, int]:
    """Return the quality of each image shown whose hash means little, by its place on the page."""
    found = [None] * len(shown) if qualities is None else [qualities[row] for row in shown]
    return {k: value for k, value in enumerate(found) if value is not None and value < LOWEST}


def _images(pair: Pair) -> tuple[Sequence[ImagePath], Sequence[ImagePath]]:
    """Return the paths of the images shown of the two families."""
    return pair.first_images[:SHOWN], pair.second_images[:SHOWN]


def _write(
    path: ImagePath, title: str, data: dict[str, Any], made: Sequence[Thumbnail], key: object
) -> None:
    """Write a page; judgements that a browser keeps belong to ``key``."""
    digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()
    data = {"key": f"finhash review {digest}", "chunk": CHUNK, **data}
    template = files("finhash.pages").joinpath("review.html").read_text("utf-8")
    values = {
        "policy": _policy(template),
        "title": html.escape(title),
        # Nothing in JSON can then end the script element or open a comment in it.
        "data": json.dumps(data).replace("<", "\\u003c"),
        "thumbnails": "\n".join(
            f'<script type="text/plain" id="thumbnails-{number}">'
            f"{' '.join(each.encoded for each in made[start : start + CHUNK])}</script>"
            for number, start in enumerate(range(0, len(made), CHUNK))
        ),
    }
    # One pass, so that text of one value is never taken for the place of another.
    page = re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], template)
    with whole_file(path) as partial:
        # A title that is not UTF-8 holds surrogates, which cannot be encoded.
        partial.write_text(page, encoding="utf-8", errors="xmlcharrefreplace")


def _policy(template: str) -> str:
    """Return the content security policy that admits the template's style and script alone."""
    hashes = {
        tag: base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        for tag, content in re.findall(r"<(style|script)>(.*?)</\1>", template, re.DOTALL)
    }
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{hashes['style']}'; "
        f"script-src 'sha256-{hashes['script']}'; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'"
    )
