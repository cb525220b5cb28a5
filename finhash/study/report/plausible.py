"""Checks for values that cannot be: a part slower than its whole, or a share above 1.

``faults`` lists them for the results tables of a run. ``finhash.study.report.build`` stops if a
full run has any; a small run, whose single timings are noise, only prints them.
"""

from collections.abc import Callable, Iterator

import pandas as pd

from finhash.study import results
from finhash.study.cost import parallel
from finhash.study.results import medians

SHARES = ("recall", "fpr", "fpr_high", "precision", "f1", "coverage", "share", "auc", "p")
"""Columns whose values lie between 0 and 1."""

NOISE = 1.1
"""Factor by which repeated timings of one thing may differ."""

SERIAL_SHARE = "parallel_serial_share"
"""Table whose shares come from Amdahl's law; noise can make them negative."""


def faults(names: list[str]) -> Iterator[str]:
    """Yield one sentence per impossible value in the results tables of the given names."""
    for name in names:
        yield from _shares_and_intervals(name, results.load(name))
        if name in CHECKS:
            yield from (f"{name}: {text}" for text in CHECKS[name](results.load(name)))


def _shares_and_intervals(name: str, table: pd.DataFrame) -> Iterator[str]:
    numbers = table.select_dtypes("number")
    for column in set(SHARES) & set(numbers) if name != SERIAL_SHARE else ():
        values = table[column].dropna()
        if len(values) and not values.between(0, 1 + 1e-9).all():
            yield f"{name}: {column} is {values.min():g} to {values.max():g}, beyond 0 to 1"
    if {"low", "high"} <= set(table):
        for column in {"recall", "difference", "exponent"} & set(table):
            rows = table.dropna(subset=[column, "low", "high"])
            outside = rows[(rows[column] < rows["low"]) | (rows[column] > rows["high"])]
            if len(outside):
                yield f"{name}: {len(outside)} intervals do not hold their {column}"


def _kernel(timings: pd.DataFrame) -> Iterator[str]:
    seconds = medians(timings)
    for part, whole in (("decode", "file to hash"), ("kernel", "file to hash")):
        if seconds[part] > NOISE * seconds[whole]:
            yield f"{part} takes longer than {whole}"


def _workers(table: pd.DataFrame) -> Iterator[str]:
    rows = table[(table["executor"] != parallel.DECODE) & (table["efficiency"] > NOISE)]
    for row in rows.itertuples():
        yield f"{row.workers} {row.executor} have an efficiency of {row.efficiency:.2f}"
    rate = table.set_index(["executor", "workers"])["throughput"]
    if NOISE * rate[parallel.DECODE, 1] < rate["serial", 1]:
        yield "decoding alone is slower than decoding and hashing"


def _whole_set(table: pd.DataFrame) -> Iterator[str]:
    core_seconds = table["seconds"] * table["workers"]
    decoding = table["executor"] == parallel.DECODE
    if core_seconds[decoding].min() > NOISE * core_seconds[~decoding].min():
        yield "decoding alone takes more core time than the whole job"


def _large(table: pd.DataFrame) -> Iterator[str]:
    rows = table[(table["contender"] == "find") & (table["over_decode"] * NOISE < 1)]
    for row in rows.itertuples():
        yield f"at {row.side} pixels FINd takes less time than decoding"


CHECKS: dict[str, Callable[[pd.DataFrame], Iterator[str]]] = {
    "ladder_kernel": _kernel,
    "parallel_throughput_small": _workers,
    "parallel_throughput_large": _workers,
    "parallel_whole_set": _whole_set,
    "large_images_costs": _large,
}
"""Results table -> function that yields what is impossible in it."""
