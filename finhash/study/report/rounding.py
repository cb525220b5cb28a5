"""Functions that format the report's numbers and tables as LaTeX."""

import math
import re
from collections.abc import Callable, Mapping

import pandas as pd

from finhash.study import results

Texts = dict[str, str]
"""Key of a number, or file name of a table -> its text."""

Numbers = dict[str, tuple[str, str]]
"""Key of a number -> its text, and the results table that the number comes from."""


def numbers_from(functions: Mapping[str, Callable[[pd.DataFrame], Texts]]) -> Numbers:
    """Return the numbers that each function takes from the results table it is listed under."""
    found: Numbers = {}
    for name, function in functions.items():
        found |= with_source(function(results.load(name)), name)
    return found


def tables_from(functions: Mapping[str, tuple[Callable[..., str], tuple[str, ...]]]) -> Texts:
    """Return the table that each function writes from the results tables listed with it."""
    return {
        file: function(*map(results.load, names)) for file, (function, names) in functions.items()
    }


def with_source(texts: Texts, name: str) -> Numbers:
    """Return the numbers with the results table ``name`` as their source."""
    return {key: (text, name) for key, text in texts.items()}


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
    r"""Return the nearest whole number, with thin spaces between thousands.

    >>> print(whole(55_972))
    55\,972
    """
    return f"{round(value):,}".replace(",", "\\,")


def scientific(rate: float) -> str:
    r"""Return a small rate as a power of ten with two significant digits.

    >>> print(scientific(0.0000123))
    $1.2\times10^{-5}$
    """
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

    It has no decimals from 100 ms on, three significant digits from 1 ms on, and two decimals below
    1 ms.

    >>> milliseconds(0.3224), milliseconds(0.00123), milliseconds(0.00045)
    ('322', '1.23', '0.45')
    """
    value = seconds * 1e3
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}" if value >= 1 else f"{value:.2f}"


def times(ratio: float) -> str:
    """Return a speed-up: one decimal below ten, none from ten on.

    >>> times(3.14), times(712.4)
    ('3.1', '712')
    """
    return whole(ratio) if ratio >= 9.95 else f"{ratio:.1f}"


def between(low: float, high: float) -> str:
    r"""Return an interval of shares as percentages.

    >>> print(between(0.25, 0.5))
    25.0\,\% to 50.0\,\%
    """
    return f"{percent(low)} to {percent(high)}"


def exponent(rate: float) -> int:
    """Return the exponent of a false positive rate without its sign, as keys of numbers hold it.

    >>> exponent(1e-4)
    4
    """
    return round(-math.log10(rate))


def tex(text: str) -> str:
    r"""Return plain text with LaTeX's special characters escaped.

    >>> print(tex("2.4% noise & more"))
    2.4\% noise \& more
    """
    return re.sub(r"([%_&#])", r"\\\1", text)
