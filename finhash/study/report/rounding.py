"""How numbers are written in the report: the one place that rounds; and its tables, as LaTeX."""

import re

Numbers = dict[str, tuple[str, str]]
"""Key -> (text, results table it comes from)."""


def tabular(columns: str, head: list[str], rows: list[list[str]]) -> str:
    """A booktabs table; the first column is left empty where it repeats the row above."""
    lines, last = [], None
    for row in rows:
        first = "" if row[0] == last and columns.startswith("ll") else row[0]
        if first and last is not None and columns.startswith("ll"):
            lines.append(r"\addlinespace")
        lines.append(" & ".join([first, *row[1:]]) + r" \\")
        last = row[0]
    body = "\n".join([" & ".join(head) + r" \\", r"\midrule", *lines])
    return f"\\begin{{tabular}}{{{columns}}}\n\\toprule\n{body}\n\\bottomrule\n\\end{{tabular}}\n"


def whole(value: float) -> str:
    """A count with thin spaces between thousands."""
    return f"{round(value):,}".replace(",", "\\,")


def scientific(rate: float) -> str:
    """A small rate to two digits."""
    digits, power = f"{rate:.1e}".split("e")
    return f"${digits}\\times10^{{{int(power)}}}$"


def percent(share: float, digits: int = 1) -> str:
    """A share as a percentage."""
    return f"{share * 100:.{digits}f}\\,\\%"


def milliseconds(seconds: float) -> str:
    """Milliseconds to three significant digits."""
    value = seconds * 1e3
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}" if value >= 1 else f"{value:.2f}"


def times(ratio: float) -> str:
    """A speed-up: whole from ten on, one decimal below."""
    return whole(ratio) if ratio >= 9.95 else f"{ratio:.1f}"


def tex(text: str) -> str:
    """Plain text with LaTeX's special characters escaped."""
    return re.sub(r"([%_&#])", r"\\\1", text)
