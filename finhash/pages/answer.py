"""The folder that an evaluation is written to: tables, figures and one page that explains them."""

import base64
import html
import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from finhash.accuracy import findings
from finhash.accuracy.findings import percent, rate
from finhash.files import whole_file
from finhash.tables.provenance import versions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from finhash.evaluation import Evaluation

FIGURES = {
    "recall": "Recall of each method at its threshold, with the 95 % interval. Hashes of 64 bits "
    "have open circles.",
    "roc": "Recall against false positive rate as the threshold grows. Dots mark the thresholds of "
    "the table, and the dotted line the wanted rate. Hashes of 64 bits are dashed. A rate of 0 is "
    "drawn at the left edge.",
    "distances": "Distances between images of one family and between images of different families. "
    "The dotted line is the threshold.",
}
"""Figures of the page, with their captions; each is a function of ``finhash.pages.charts``."""

STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #222; margin: 0 auto; padding: 1rem;
  max-width: 60rem; }
h1 { font-size: 1.5rem; line-height: 1.2; }
h2 { font-size: 1.15rem; margin-top: 2rem; }
.answer { border-left: 4px solid #0072b2; background: #eef5fa; padding: .8rem 1rem;
  font-size: 1.1rem; }
pre { background: #f6f6f6; padding: .6rem 1rem; overflow-x: auto; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid #ddd; }
td { white-space: nowrap; }
th { vertical-align: bottom; }
thead th { border-bottom: 2px solid #222; }
th:first-child, td:first-child { text-align: left; }
small { display: block; font-weight: normal; color: #555; }
tbody tr:first-child { font-weight: bold; }
figure { margin: 1.5rem 0; break-inside: avoid; }
figure img { width: 100%; max-width: 36rem; height: auto; }
figcaption, dd { color: #444; }
li, code, .answer, p, dd { overflow-wrap: anywhere; }
dt { font-weight: bold; }
dd { margin: 0 0 .5rem; }
@media print { body { font-size: 10pt; max-width: none; padding: 0; } table { font-size: 7.5pt; }
  th, td { padding: .1rem .3rem; } .wide { overflow: visible; }
  figure img { max-height: 22cm; width: auto; max-width: 100%; } }
"""
"""Style sheet of the page."""

Cell = Callable[["pd.Series[object]"], str]

COLUMNS: dict[str, tuple[str, Cell]] = {
    "method": ("", lambda row: str(row["method"])),
    "threshold": ("bits", lambda row: str(row["threshold"]) if row["threshold"] >= 0 else "none"),
    "margin": ("bits", lambda row: str(row["margin"])),
    "recall": ("higher is better", lambda row: percent(row["recall"])),
    "interval": (
        "of recall, %",
        lambda row: f"{100 * row['recall_low']:.1f} – {100 * row['recall_high']:.1f}",
    ),
    "fpr": ("lower is better", lambda row: rate(row["fpr"])),
    "fpr_high": ("lower is better", lambda row: rate(row["fpr_high"])),
    "AUC": ("higher is better", lambda row: f"{row['auc']:.4f}"),
    "time": (
        "ms per image; lower is better",
        lambda row: "" if pd.isna(row["ms_per_image"]) else f"{row['ms_per_image']:.2f}",
    ),
    "size": ("bytes; lower is better", lambda row: str(row["bytes"])),
}
"""Columns of the table for readers: note below the heading, and text of a cell."""


def write(found: "Evaluation", folder: Path, command: str = "") -> None:
    """Write the tables, the figures and the page of an evaluation into a folder.

    Parameters
    ----------
    found : Evaluation
        What to write.
    folder : Path
        Folder for ``methods.csv``, ``comparisons.csv``, figures as PNG and SVG, and ``index.html``.
    command : str
        Command that the page names as its origin.

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    from finhash.pages import charts  # Matplotlib takes a second to import

    for name in ("methods", "comparisons"):
        with whole_file(folder / f"{name}.csv") as partial:
            getattr(found, name).to_csv(partial, index=False, float_format="%.9g")
    images = {}
    with charts.style():
        for name in FIGURES:
            figure = getattr(charts, name)(found)
            images[name] = _encoded(figure, "svg")
            for kind, data in (("svg", images[name]), ("png", _encoded(figure, "png"))):
                with whole_file(folder / f"{name}.{kind}") as partial:
                    partial.write_bytes(data)
    with whole_file(folder / "index.html") as partial:
        # A file name that is not UTF-8 holds surrogates, which cannot be encoded.
        text = page(found, images, command)
        partial.write_text(text, encoding="utf-8", errors="xmlcharrefreplace")


def text_table(found: "Evaluation") -> str:
    """Return the table by method as aligned text, one line per method, the best first."""
    rows = [list(COLUMNS), *_cells(found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def page(found: "Evaluation", images: dict[str, bytes], command: str = "") -> str:
    """Return the page as HTML that needs no other file.

    Parameters
    ----------
    found : Evaluation
        What to show.
    images : dict of str to bytes
        Figures as SVG, by their names in ``FIGURES``.
    command : str
        Command to name as the page's origin.

    Returns
    -------
    str
        HTML document without scripts; all text from outside is escaped.
    """
    heads = "".join(f"<th>{name}<small>{note}</small></th>" for name, (note, _) in COLUMNS.items())
    rows = "".join(
        "<tr>" + "".join(f"<td>{_escaped(cell)}</td>" for cell in cells) + "</tr>"
        for cells in _cells(found)
    )
    notes = "".join(f"<li>{_escaped(note)}</li>" for note in found.notes)
    figures = "".join(
        f'<figure><img alt="{html.escape(FIGURES[name])}" src="data:image/svg+xml;base64,'
        f'{base64.b64encode(data).decode()}"><figcaption>{html.escape(FIGURES[name])}</figcaption>'
        "</figure>"
        for name, data in images.items()
    )
    commands = findings.next_step(found.methods)
    step = f"<p>To use it:</p><pre>{html.escape(commands)}</pre>" if commands else ""
    origin = f"<p>Made by <code>{html.escape(command)}</code></p>" if command else ""
    used = ", ".join(f"{name} {number}" for name, number in versions().items())
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Which hash, which threshold</title>
<style>{STYLE}</style>
</head>
<body>
<h1>Which hash, at which threshold, for these images?</h1>
<p>{found.images:,} images in {found.families:,} families; wanted false positive rate:
{rate(found.fpr)}.</p>
<p class="answer">{_escaped(found.answer)}</p>
{step}
<h2>Methods, best first</h2>
<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>
<h2>What to know</h2>
<ul>{notes}</ul>
<h2>Figures</h2>
{figures}
<h2>How it was measured</h2>
<dl>
<dt>Pairs</dt>
<dd>Images of one label are a family. All pairs of images were compared. Two images match if their
hashes differ in at most as many bits as the threshold.</dd>
<dt>method</dt>
<dd>Names end in the number of bits; those without one have 256. find is FINd, find_middle is FINd
of the middle half of the rows, and find_luma is FINd of the luma of a JPEG at reduced size. Short
hashes have few possible thresholds, so they often stay below the wanted rate.</dd>
<dt>recall, fpr</dt>
<dd>Recall is the share of pairs within families that match. The false positive rate, fpr, is the
share of pairs between families that match. The interval of recall (95 %) says how much it
would vary with other families of this kind, at the same threshold; it comes from random halves of
the families.</dd>
<dt>threshold, margin, fpr_high</dt>
<dd>The threshold is the largest one for which an upper bound of the false positive rate on unseen
families, fpr_high, is at most the wanted rate. The margin is the price of this caution: the number
of bits by which the threshold lies below the largest one that meets the rate on these images. If no
threshold has a bound that small, the largest one that meets the rate on these images is given, and
the margin is 0.</dd>
<dt>AUC</dt>
<dd>The area under the ROC curve: the probability that a random pair within a family is closer than
a random pair between families. It averages over rates that nobody uses, so choose by recall.</dd>
<dt>time</dt>
<dd>Median time from file to hash in one thread, all methods in turn on the same images.</dd>
</dl>
{origin}
<p>Versions: {html.escape(used)}.</p>
</body>
</html>
"""


def _escaped(text: str) -> str:
    """Return text as HTML, with no line break before a percent sign."""
    return html.escape(text).replace(" %", "&nbsp;%")


def _cells(found: "Evaluation") -> list[list[str]]:
    """Return the cells of the table for readers, one list per method."""
    return [[cell(row) for _, cell in COLUMNS.values()] for _, row in found.methods.iterrows()]


def _encoded(figure: "Figure", kind: str) -> bytes:
    """Return a figure as the content of an SVG or PNG file."""
    buffer = io.BytesIO()
    metadata = {"Date": None} if kind == "svg" else None
    figure.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()
