"""Functions that format the report's numbers and tables as LaTeX."""

import math
import re
import unicodedata
from collections.abc import Callable, Mapping

import numpy as np

from finhash.study.report import available

Texts = dict[str, str]
"""File name of a table, or key of a number -> its text."""

Numbers = dict[str, tuple[str, str]]
"""Key of a number -> its text, and the results table that the number comes from."""


NONE = "--"
"""Text in the place of a number that does not exist."""


def tables_from(functions: Mapping[str, tuple[Callable[..., str], tuple[str, ...]]]) -> Texts:
    """Return the table that each function writes from the results tables listed with it.

    A user's own set has no table if it lacks the results, or if no column is left.
    """
    found = {}
    for file, (function, names) in functions.items():
        tables = [available.load(name) for name in names]
        if all(table is not None for table in tables):
            text = function(*tables)
            if text:
                found[file] = text
    return found


def with_source(texts: Texts, name: str) -> Numbers:
    """Return the numbers with the results table ``name`` as their source."""
    return {key: (text, name) for key, text in texts.items()}


def numeric(texts: Numbers) -> Numbers:
    r"""Return the numbers that exist, without texts such as ``nan`` or a dash.

    >>> numeric({"a": ("nan\\,\\%", "rates"), "b": ("--", "rates"), "c": ("5", "rates")})
    {'c': ('5', 'rates')}
    """
    return {key: entry for key, entry in texts.items() if not _lacks_number(entry[0])}


def without_empty_columns(
    columns: str, head: list[str], rows: list[list[str]]
) -> tuple[str, list[str], list[list[str]]]:
    """Return the arguments of ``tabular`` without columns in which no row has a number.

    >>> without_empty_columns("lrr", ["hash", "a", "b"], [["FINd", "--", "1"], ["PDQ", "nan", "2"]])
    ('lr', ['hash', 'b'], [['FINd', '1'], ['PDQ', '2']])
    """
    kept = [k for k in range(len(head)) if not all(_lacks_number(row[k]) for row in rows)]
    shown = [[NONE if _lacks_number(row[k]) else row[k] for k in kept] for row in rows]
    return "".join(columns[k] for k in kept), [head[k] for k in kept], shown


def _lacks_number(text: str) -> bool:
    """Return whether a text stands in the place of a number that does not exist."""
    return text == NONE or bool(re.search(r"\b(nan|inf)\b|\\infty", text))


def tabular(columns: str, head: list[str], rows: list[list[str]]) -> str:
    r"""Return a booktabs table.

    Parameters
    ----------
    columns : str
        LaTeX column types. If they begin with ``ll``, the first column names groups of rows: a
        name is printed in the first row of its group only, and groups are set apart.
    head : list of str
        Column headings.
    rows : list of list of str
        Cells, as LaTeX text.

    Examples
    --------
    >>> print(tabular("lr", ["hash", "bits"], [["FINd", "256"]]))
    \begin{tabular}{lr}
    \toprule
    hash & bits \\
    \midrule
    FINd & 256 \\
    \bottomrule
    \end{tabular}
    <BLANKLINE>
    """
    grouped = columns.startswith("ll")
    lines: list[str] = []
    group = None
    for first, *others in rows:
        repeated = grouped and first == group
        if grouped and group is not None and not repeated:
            lines.append(r"\addlinespace")
        lines.append(" & ".join(["" if repeated else first, *others]) + r" \\")
        group = first
    body = "\n".join([" & ".join(head) + r" \\", r"\midrule", *lines])
    return f"\\begin{{tabular}}{{{columns}}}\n\\toprule\n{body}\n\\bottomrule\n\\end{{tabular}}\n"


def whole(value: float) -> str:
    """Return the nearest whole number, with commas between thousands.

    >>> whole(55_972)
    '55,972'
    """
    return f"{value:,.0f}"


def fixed(value: float, digits: int) -> str:
    """Return a number with ``digits`` decimals, or with one significant digit if that rounds to 0.

    >>> fixed(0.5978, 1), fixed(0.0123, 1), fixed(0, 1)
    ('0.6', '0.01', '0.0')
    """
    text = f"{value:.{digits}f}"
    if value and math.isfinite(value) and float(text) == 0:
        return np.format_float_positional(value, precision=1, fractional=False, trim="-")
    return text


def significant(value: float, digits: int) -> str:
    """Return a number with so many significant digits, and commas between thousands.

    >>> significant(1931.4, 2), significant(0.4567, 2), significant(9.98, 2)
    ('1,900', '0.46', '10')
    """
    if not value or not math.isfinite(value):
        return f"{value:.0f}"
    rounded = float(f"{value:.{digits - 1}e}")
    decimals = digits - 1 - math.floor(math.log10(abs(rounded)))
    return f"{rounded:,.{max(decimals, 0)}f}"


def scientific(rate: float) -> str:
    r"""Return a small rate as a power of ten with two significant digits.

    >>> print(scientific(0.0000123))
    $1.2\times10^{-5}$
    """
    if not math.isfinite(rate) or not rate:
        return f"{rate:.0f}"
    digits, exponent = f"{rate:.1e}".split("e")
    return f"${digits}\\times10^{{{int(exponent)}}}$"


def percent(share: float, digits: int = 1) -> str:
    r"""Return a share as a percentage with ``digits`` decimals.

    >>> print(percent(0.1234))
    12.3\,\%
    """
    return f"{share * 100:.{digits}f}\\,\\%"


def milliseconds(seconds: float) -> str:
    """Return a duration in milliseconds.

    It has no decimals from 100 ms on, three significant digits from 1 ms on, and below 1 ms two
    decimals, or one significant digit.

    >>> milliseconds(0.3224), milliseconds(0.00123), milliseconds(0.00045)
    ('322', '1.23', '0.45')
    """
    value = seconds * 1e3
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}" if value >= 1 else fixed(value, 2)


def exponent(rate: float) -> int:
    """Return the exponent of a false positive rate without its sign, as keys of numbers hold it.

    >>> exponent(1e-4)
    4
    """
    return round(-math.log10(rate))


SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
SPECIAL |= {character: f"\\{character}" for character in "%_&#${}"}
"""Character that LaTeX does not print as it is -> its command."""


def tex(text: str) -> str:
    r"""Return plain text for LaTeX, with special characters escaped.

    Letters that the report's font lacks lose their accents; other characters become a question
    mark.

    >>> print(tex("2.4% noise & more"))
    2.4\% noise \& more
    """
    return "".join(SPECIAL.get(character, character) for character in map(_printable, text))


def _printable(character: str) -> str:
    """Return the character, or the nearest one that the report's font has."""
    if " " <= character <= "~" or ("À" <= character <= "ÿ" and character not in "×÷"):
        return character
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return plain[:1] if plain[:1].isprintable() and plain else "?"
