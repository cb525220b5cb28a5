"""Page on which a user judges whether two families show one image.

``write_page`` writes one HTML file that needs no network. It shows pairs of families side by side
and saves the user's verdicts as a CSV file, which ``finhash.accuracy.verdicts.read`` reads. The
template of the page is ``review.html``, next to this module.
"""

import base64
import hashlib
import html
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from PIL import Image

from finhash.accuracy.verdicts import MEANINGS, VERDICTS
from finhash.images import open_image
from finhash.jobs.files import whole_file

SHOWN = 4
"""Number of images shown per family, at most."""

SIDE = 160
"""Longer side of a thumbnail, in pixels."""

ImagePath = str | os.PathLike[str]
"""Path of an image file."""


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
        Earlier verdict, one of ``finhash.accuracy.verdicts.VERDICTS``; None if there is none.
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
) -> None:
    """Write the page on which a user judges pairs of families.

    The page is one HTML file with embedded thumbnails. An image that cannot be read is shown as a
    grey square whose alternative text gives the reason. Judgements are kept in the browser until
    the page is written with another title, other pairs or other earlier verdicts.

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
    tags = {each: _image_tag(each) for each in dict.fromkeys(shown)}
    cards = [_card(number, len(ranked), pair, tags) for number, pair in enumerate(ranked, 1)]
    template = Template(files("finhash.pages").joinpath("review.html").read_text("utf-8"))
    page = template.substitute(
        title=html.escape(title),
        introduction=html.escape(_introduction(len(ranked), threshold_text)),
        pairs="\n".join(cards),
        data=_data(title, ranked, others),
    )
    with whole_file(path) as partial:
        # A file name that is not UTF-8 holds surrogates, which cannot be encoded.
        partial.write_text(page, encoding="utf-8", errors="xmlcharrefreplace")


def _introduction(number: int, threshold_text: str) -> str:
    """Return the sentences above the pairs."""
    if not number:
        return "No two families have images that match, so there is nothing to judge."
    sentences = (
        "Each box shows two families whose images match, the closest families first.",
        threshold_text,
        "Do the two families show one image under two names?",
    )
    return " ".join(filter(None, sentences))


def _data(title: str, pairs: Sequence[Pair], others: Sequence[tuple[str, str, str]]) -> str:
    """Return what the page's program needs, as JSON that is safe inside a script element."""
    names = [[pair.first, pair.second] for pair in pairs]
    facts = json.dumps([title, names, [pair.verdict for pair in pairs]])
    key = "finhash review " + hashlib.sha256(facts.encode()).hexdigest()
    data = {"key": key, "pairs": names, "others": [list(row) for row in others]}
    return json.dumps(data).replace("<", "\\u003c")


def _card(number: int, count: int, pair: Pair, tags: Mapping[ImagePath, str]) -> str:
    """Return the HTML of one pair; ``number`` counts from 1."""
    names, sizes = (pair.first, pair.second), (pair.first_size, pair.second_size)
    families = [
        f"<section><h3>{html.escape(name)}: {_number(size, 'image')}</h3>"
        f'<div class="images">{"".join(tags[each] for each in images)}</div></section>'
        for name, size, images in zip(names, sizes, _images(pair), strict=True)
    ]
    radios = [
        f'<label><input type="radio" name="pair-{number}" value="{word}" autocomplete="off"'
        f"{' checked' if word == pair.verdict else ''}> <kbd>{key}</kbd> "
        f"<strong>{word}</strong> {html.escape(meaning)}</label>"
        for key, (word, meaning) in enumerate(MEANINGS.items(), 1)
    ]
    heading = html.escape(f"{pair.first} and {pair.second}")
    return (
        f'<article class="pair" tabindex="-1"><h2>{heading}</h2>'
        f"<div>Pair {number} of {count}. {100 * pair.share:.3g} % of the image pairs match.</div>"
        f'<div class="families">{"".join(families)}</div>'
        f'<fieldset aria-label="Verdict">{"".join(radios)}</fieldset></article>'
    )


def _images(pair: Pair) -> tuple[Sequence[ImagePath], Sequence[ImagePath]]:
    """Return the paths of the images shown of the two families."""
    return pair.first_images[:SHOWN], pair.second_images[:SHOWN]


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _image_tag(path: ImagePath) -> str:
    """Return an image element with an embedded thumbnail, or a grey square with the reason."""
    text = Path(path).name
    try:
        image = open_image(path).convert("RGB")
        image.thumbnail((SIDE, SIDE))
    except (OSError, ValueError) as error:
        # The message of an OSError holds the whole path.
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        text = f"{text}: {reason}"
        image = Image.new("RGB", (SIDE, SIDE), "grey")
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=75)
    encoded = base64.b64encode(buffer.getvalue()).decode()
    text = html.escape(text)
    return (
        f'<img src="data:image/jpeg;base64,{encoded}" width="{image.width}" '
        f'height="{image.height}" alt="{text}" title="{text}" loading="lazy" decoding="async">'
    )
