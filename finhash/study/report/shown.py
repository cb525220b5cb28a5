"""Results tables as notebooks show them: heads in words, labels of methods, numbers rounded."""

import math
import re
from collections.abc import Hashable, Mapping
from numbers import Real

import pandas as pd

from finhash import methods

HEADS = {
    "ap": "average precision",
    "auc": "area under ROC curve",
    "b3_f1": "B-cubed F1",
    "bits_changed": "bits changed",
    "bytes": "bytes",
    "bytes_median": "size of a file, bytes (median)",
    "clusters": "clusters",
    "core_hours": "core-hours",
    "core_years": "core-years",
    "f1": "F1",
    "fpr": "false matches per 100,000 pairs",
    "fpr_high": "false matches per 100,000 pairs, upper bound",
    "height_max": "height, pixels, largest",
    "height_median": "height, pixels, median",
    "height_min": "height, pixels, smallest",
    "high": "high",
    "low": "low",
    "margin": "margin, bits",
    "ms": "ms per image",
    "ms_file": "ms per image, file to hash",
    "other_pairs": "pairs of different families",
    "p": "p",
    "p1": "precision at 1",
    "p_equivalent": "p of equivalence",
    "peak_kB": "peak memory, kB",
    "r_precision": "R-precision",
    "radius": "threshold, bits",
    "rate": "false matches per 100,000 pairs",
    "rate_high": "false matches per 100,000 pairs, upper bound",
    "recall": "recall",
    "same_pairs": "pairs of one family",
    "single_families": "families of one image",
    "skipped": "files with other names",
    "target": "target",
    "threshold": "threshold, bits",
    "unreadable": "unreadable images",
    "width_max": "width, pixels, largest",
    "width_median": "width, pixels, median",
    "width_min": "width, pixels, smallest",
}
"""Heads of columns that several tables have, by their names in the results tables."""

PER_100000 = ("fpr", "rate")
"""Names of columns of false positive rates, also followed by ``_`` and a word such as ``high``."""


def show(table: pd.DataFrame, heads: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Return a table to print.

    Numbers have three significant digits and thousands separators, false positive rates are counts
    per 100,000 pairs, targets are "1 in 10,000", missing values are blank, and truth values are
    "yes" and "no". Methods have their labels, also in the index.

    Parameters
    ----------
    table : DataFrame
        A results table, or a part of one. Its index is kept, unless it only counts the rows.
    heads : mapping of str to str, optional
        Heads by name of column, in addition to ``HEADS``. Other columns keep their names, with
        spaces for underscores.

    Returns
    -------
    DataFrame
        The same rows and columns as text.

    Examples
    --------
    >>> table = pd.DataFrame({"method": ["dhash256"], "target": [1e-4], "fpr": [8.21e-5]})
    >>> print(show(table).to_string())
                   target false matches per 100,000 pairs
    method
    dHash 256  1 in 10,000                            8.21
    """
    if isinstance(table.index, pd.RangeIndex):
        table = table.set_index(table.columns[0])
    given = {**HEADS, **(heads or {})}
    columns = [_text(table[name], name) for name in table.columns]
    shown = pd.concat(columns, axis=1) if columns else table
    shown.columns = pd.Index([_head(name, given) for name in table.columns])
    shown.index = _index(table.index, given)
    return shown


def one_in(rate: float) -> str:
    """Return a rate as "1 in N".

    >>> one_in(1e-5)
    '1 in 100,000'
    """
    return f"1 in {round(1 / rate):,}"


def number(value: object) -> object:
    """Return a number as text with three significant digits; anything else as it is.

    >>> number(1.234e-5), number(55972), number(0.5), number(float("nan"))
    ('1.23e-05', '55,972', '0.5', '')
    """
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return "yes" if value else "no"
    if not isinstance(value, Real):
        return "" if value is None else value
    found = float(value)
    if math.isnan(found):
        return ""
    return f"{found:,.0f}" if found.is_integer() or abs(found) >= 1000 else f"{found:.3g}"


def _text(column: pd.Series, name: Hashable) -> pd.Series:
    """Return a column as text; ``name`` decides how numbers are written."""
    parts = [str(part) for part in (name if isinstance(name, tuple) else (name,))]
    if "target" in parts:
        return column.map(lambda value: one_in(value) if _is_rate(value) else number(value))
    if any(part in PER_100000 or part.startswith(("fpr_", "rate_")) for part in parts):
        return column.map(lambda value: number(1e5 * value if _is_rate(value) else value))
    return column.map(lambda value: _label(value) if isinstance(value, str) else number(value))


def _head(name: Hashable, heads: Mapping[str, str], level: str = "") -> Hashable:
    """Return the head of a column; the parts of a head with several levels one by one."""
    if isinstance(name, tuple):
        return tuple(_head(part, heads) for part in name)
    if not isinstance(name, str):
        return one_in(float(str(name))) if level == "target" or _is_rate(name) else name
    if at := re.fullmatch(r"(\w+?)_?(1e-\d\d)", name):
        words = {"tpr": "recall", "radius": "threshold"}.get(at[1]) or _head(at[1], heads)
        return f"{words} at {one_in(float(at[2]))}"
    if at := re.fullmatch(r"recall_p(0\.\d+)", name):
        return f"recall at a precision of {at[1]}"
    return heads.get(name) or (_label(name) if name in methods.METHODS else name.replace("_", " "))


def _index(index: pd.Index, heads: Mapping[str, str]) -> pd.Index:
    """Return an index with labels of methods, targets in words and heads for its names."""
    names = [name and _head(name, heads) for name in index.names]
    if isinstance(index, pd.MultiIndex):
        levels = [
            [_key(value, str(name)) for value in index.get_level_values(place)]
            for place, name in enumerate(index.names)
        ]
        return pd.MultiIndex.from_arrays(levels, names=names)
    return pd.Index([_key(value, str(index.name)) for value in index], name=names[0])


def _key(value: Hashable, level: str) -> Hashable:
    """Return a value of the index named ``level`` as text."""
    if isinstance(value, str):
        return _label(value)
    return one_in(float(str(value))) if level == "target" else number(value)


def _label(word: str) -> str:
    """Return the label of a method, or the word itself."""
    return methods.METHODS[word].label if word in methods.METHODS else word


def _is_rate(value: object) -> bool:
    """Return whether a value is a number between 0 and 1, and neither."""
    return isinstance(value, Real) and not isinstance(value, bool) and 0 < float(value) < 1
