"""The figures in ``docs/reliability.md``, which are filled in from the results tables.

``FINHASH_OUT=. python -m finhash.study.reliability.page`` writes the page again.
"""

import re
from collections.abc import Callable, Sequence

import pandas as pd

from finhash.files import whole_file
from finhash.study import project, results
from finhash.study.reliability.faults import NOT_POSSIBLE

INTENDED = "folder removed"
"""Fault that itself removes rows."""

VARIED = {
    "seed of str hashes": "Python hash seed",
    "optimisation of Python": "Python optimisation",
}
"""Words of the page for values of the column ``varied`` of ``platforms``."""

Cells = Sequence[Sequence[object]]


def filled(text: str) -> str:
    """Return a page with its blocks of figures replaced by the current ones.

    Blocks whose tables are missing stay as they are.

    Parameters
    ----------
    text : str
        Page with blocks such as ``<!-- soak --> ... <!-- /soak -->``.

    Examples
    --------
    >>> filled("No figures.")
    'No figures.'
    """
    for name, block in BLOCKS.items():
        try:
            figures = block()
        except results.MissingResultError:
            continue
        opening, closing = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        text = re.sub(
            f"{opening}.*?{closing}",
            lambda _, new=opening + figures + closing: new,
            text,
            flags=re.DOTALL,
        )
    return text


def fuzz() -> str:
    """Return the outcomes of mutated files, per executor."""
    table = results.load("fuzz")
    table["executor"] = table["executor"].replace("command", "`finhash hash`")
    columns = ["files", "hashed", "wrong_rows", "untyped", "died", "compared", "bits"]
    sums = table.groupby("executor", sort=False)[columns].sum()
    sums.loc["total"] = sums.sum()
    heads = [
        "executor",
        "mutated files",
        "hashed",
        "missing or duplicate rows",
        "undocumented error type",
        "workers that died",
        "hashes compared",
        "bits that differ",
    ]
    return _table(heads, sums.reset_index().values.tolist())


def fuzz_memory() -> str:
    """Return how memory grew while mutated files were hashed into a folder."""
    table = results.load("fuzz_memory")
    table = table[table["out"]]
    names = ["executor", "files", "driver_mb", "driver_slope_mb", "workers_mb", "workers_slope_mb"]
    heads = [
        "executor",
        "files",
        "program, MB",
        "program growth, MB per 100,000 files",
        "largest worker, MB",
        "worker growth, MB per 100,000 files",
    ]
    rows = [[e, f, *(f"{x:.0f}" for x in sizes)] for e, f, *sizes in table[names].values.tolist()]
    return _table(heads, rows)


def memory() -> str:
    """Return the memory that a worker needs for one large image, per method and kind of image."""
    table = results.load("memory")
    table["kind"] = table["format"] + " " + table["mode"]
    kinds = table["kind"].unique().tolist()
    growth = (table["peak_bytes"] - table["before_bytes"]) / 1e6
    wide = table.assign(mb=growth).pivot(index="method", columns="kind", values="mb")
    rows = [
        [f"`{method}`", *(f"{wide.loc[method, kind]:,.0f}" for kind in kinds)]
        for method in table["method"].unique()
    ]
    return _table(["MB per worker", *kinds], rows)


def volume() -> str:
    """Return how many bits differ from the published order of operations, per route."""
    table = results.load("volume")
    sums = table.groupby("route", sort=False)[["images", "images_changed", "bits"]].sum()
    heads = ["route", "images", "images with another hash", "bits that differ"]
    return _table(heads, sums.reset_index().values.tolist())


def faults() -> str:
    """Return what each fault cost, and the sums over all faults."""
    table = results.load("faults")
    tried, untried = table[table["repeats"] > 0], table[table["repeats"] == 0]
    sums = tried[tried["fault"] != INTENDED].sum(numeric_only=True)
    unreadable, stray, left = tried[["unreadable", "stray", "processes_left"]].sum()
    lines = [
        f"- {sums['rows_lost']:,} of {sums['rows_before']:,} finished rows were lost, apart from "
        "those in folders that were removed.",
        f"- {unreadable:,} table files could not be read."
        if unreadable
        else "- All table files were readable.",
        f"- {stray:,} temporary files were left after the next run."
        if stray
        else "- No temporary files were left after the next run.",
        f"- {left:,} processes were left running." if left else "- No processes were left running.",
        f"- {tried['completed'].sum():,} of {tried['repeats'].sum():,} next runs completed, with "
        "the table of an undisturbed run.",
    ]
    lines += [
        f"- Not tested: {row.fault} ({row.message.removeprefix(NOT_POSSIBLE)})."
        for row in untried.itertuples()
    ]
    rows = [
        [
            row.fault,
            row.where,
            f"{row.rows_lost:,} of {row.rows_before:,}",
            f"{row.completed} of {row.repeats}",
            f"`{row.message}`" if isinstance(row.message, str) else "",
        ]
        for row in tried.itertuples()
    ]
    heads = ["fault", "where", "rows lost", "next runs completed", "message of the failed program"]
    return "".join(f"{line}\n" for line in lines) + "\n" + _table(heads, rows)


def soak() -> str:
    """Return what random kills cost, and how the memory of long-running programs changed."""
    table, programs = results.load("soak"), results.load("soak_programs")
    names = {
        "jobs": "jobs",
        "rows": "rows",
        "workers_killed": "workers killed",
        "programs_killed": "programs killed",
        "runs_failed": "runs that ended with an error and were repeated",
        "rows_lost": "rows lost",
        "rows_doubled": "duplicate rows",
        "rows_wrong": "rows with another hash or error",
        "worker_died": "rows with `WorkerDiedError`",
        "not_mended": "of these, not fixed by the next run",
        "unreadable": "table files that could not be read",
        "stray": "temporary files left",
        "processes_left": "processes left running",
    }
    rows = [[label, *table[name]] for name, label in names.items()]
    return _table(["", *table["executor"]], rows) + _growth(programs)


def platforms() -> str:
    """Return what differs from the default environment, by what was varied."""
    table = results.load("platforms")
    table["equal"] = table[["join", "nearest", "families"]].all(axis=1)
    heads = [
        *("varied", "environments", "hashes compared", "hashes that differ", "methods affected"),
        *("rows with different metadata", "matching results equal (FINd)"),
    ]
    rows = [
        [
            VARIED.get(varied, varied),
            ", ".join(f"`{value}`" for value in group["value"]),
            int(group["hashes"].sum()),
            int(group["differing"].sum()),
            " ".join(group["differing_methods"].dropna()),
            int(group["facts"].sum()),
            f"{group['equal'].sum()} of {len(group)}",
        ]
        for varied, group in table.groupby("varied", sort=False)
    ]
    return _table(heads, rows)


def platforms_libm() -> str:
    """Return how many images other cosines would have given another hash."""
    table = results.load("platforms_libm")
    heads = ["cosines of", "values that differ", *table["set"].unique()]
    rows = [
        [
            origin,
            f"{group['values'].iloc[0]} of 1,024",
            *(f"{row.changed} of {row.images}" for row in group.itertuples()),
        ]
        for origin, group in table.groupby("cosines", sort=False)
    ]
    return _table(heads, rows)


BLOCKS: dict[str, Callable[[], str]] = {
    "fuzz": fuzz,
    "fuzz-memory": fuzz_memory,
    "memory": memory,
    "volume": volume,
    "faults": faults,
    "soak": soak,
    "platforms": platforms,
    "platforms-libm": platforms_libm,
}
"""Blocks of the page, by the names in their markers."""


def main() -> None:
    """Write the figures into the page."""
    page = project.root() / "docs" / "reliability.md"
    text = filled(page.read_text())
    with whole_file(page) as partial:
        partial.write_text(text)


def _growth(programs: pd.DataFrame) -> str:
    """Return a sentence per executor about the program that completed most jobs."""
    text = ""
    for executor, group in programs.groupby("executor", sort=False):
        longest = group.loc[group["jobs"].idxmax()]
        text += (
            f"\nWith {executor}, the program that completed most jobs completed {longest.jobs} "
            f"while {longest.workers_killed} workers were killed. From the end of its first job to "
            f"the end of its last one, its memory went from {longest.mb_first:.0f} to "
            f"{longest.mb_last:.0f} MB, its open files from {longest.open_files_first} to "
            f"{longest.open_files_last}, and its threads from {longest.threads_first} to "
            f"{longest.threads_last}.\n"
        )
    return text


def _table(heads: Sequence[str], rows: Cells) -> str:
    """Return a Markdown table."""
    lines = [heads, ["---"] * len(heads), *([_cell(value) for value in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(value: object) -> str:
    """Return a value as text; whole numbers have separators."""
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    main()
