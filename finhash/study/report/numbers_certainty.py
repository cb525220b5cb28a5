r"""Numbers and tables of Part 2 that say how sure it is: labels, intervals, thresholds, set B.

Keys are those of ``\result{key}`` in the report's sources. A digit in a key is that of a false
positive rate. Keys that begin with ``b`` and a digit are of set B, at set A's thresholds.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from finhash import methods
from finhash.study import project, results
from finhash.study.accuracy import twins
from finhash.study.data import committed, memes
from finhash.study.report.numbers_accuracy import LABELS
from finhash.study.report.rounding import (
    NONE,
    Numbers,
    Texts,
    between,
    exponent,
    numbers_from,
    percent,
    scientific,
    tables_from,
    tabular,
    with_source,
)
from finhash.thresholds import TARGETS

VERDICTS = ("same", "variant", "background", "different")


def numbers() -> Numbers:
    """Return all numbers of this part."""
    if not project.is_standin():
        return numbers_from(NUMBERS)
    verdicts = _verdicts("memes", "twins") | _verdicts("memes_b", "twins-b")
    return numbers_from(NUMBERS) | with_source(verdicts, "twins_agreement")


def tables() -> Texts:
    """Return the tables of this part as LaTeX, by file name."""
    return tables_from(TABLES if project.is_standin() else OWN_TABLES)


def _verdicts(dataset: str, key: str) -> Texts:
    """Count the verdicts on a set's pairs of templates, and its families after merging."""
    pairs = twins.known(dataset)
    counts = pairs["verdict"].value_counts()
    found = {f"{key}-{verdict}": str(counts.get(verdict, 0)) for verdict in VERDICTS}
    found[f"{key}-looked-at"] = str(len(pairs))
    together = twins.agreement(pairs).set_index("found_by").loc["all"]
    found[f"{key}-agreement"] = percent(together["agreement"])
    found[f"{key}-kappa"] = f"{together['kappa']:.2f}"
    families = np.arange(memes.FAMILIES)
    for labels, merged in twins.labellings(families, dataset).items():
        found[f"{key}-families-{LABELS[labels]}"] = str(len(np.unique(merged)))
    return found


def _intervals(table: pd.DataFrame) -> Texts:
    found = {}
    for row in table.itertuples():
        key = f"{LABELS[row.labels]}{exponent(row.target)}-{row.method}"
        found[f"{key}-between"] = between(row.low, row.high)
    return found


def _differences(table: pd.DataFrame) -> Texts:
    found = {}
    for row in table.itertuples():
        key = f"{exponent(row.target)}-{row.method}"
        found |= {f"p{key}": _p(row.p), f"equal{key}": _p(row.p_equivalent)}
    return found


def _p(value: float) -> str:
    """Return a p-value with two decimals, or with three below 0.1."""
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def _coverage(table: pd.DataFrame) -> Texts:
    largest = table[table["families"] == table["families"].max()]
    found = {}
    for kind, rows in largest.groupby("interval"):
        key = f"coverage-{kind.replace(' ', '-')}"
        found[f"{key}-least"] = percent(rows["coverage"].min(), 0)
        found[f"{key}-most"] = percent(rows["coverage"].max(), 0)
    return found


def _heaviest(table: pd.DataFrame) -> Texts:
    """Quote the heaviest pair of families; a dash for methods without false matches."""
    keys = ("heaviest", "without-heaviest")
    found = {f"{key}-{name}": NONE for key in keys for name in committed.COMPARED}
    for row in table.itertuples():
        found[f"heaviest-{row.method}"] = percent(row.share, 0)
        found[f"without-heaviest-{row.method}"] = percent(row.without)
    return found


def _thresholds(table: pd.DataFrame) -> Texts:
    found = {}
    for use in TARGETS:
        for name in committed.COMPARED:
            key = f"threshold-{use.replace(' ', '-')}-{name}"
            found |= dict.fromkeys([key, f"{key}-fpr", f"{key}-high", f"{key}-margin"], NONE)
    for row in table.itertuples():
        key = f"threshold-{row.use.replace(' ', '-')}-{row.method}"
        found |= {key: str(row.threshold), f"{key}-margin": str(row.margin)}
        found |= {f"{key}-fpr": scientific(row.fpr), f"{key}-high": scientific(row.fpr_high)}
    return found


def _thresholds_coverage(table: pd.DataFrame) -> Texts:
    largest = table[table["families"] == table["families"].max()]
    return {
        f"{column.replace('_', '-')}-{end}": percent(value, 0)
        for column in ("bound_holds", "rule_exceeds", "estimate_exceeds")
        for end, value in (("least", largest[column].min()), ("most", largest[column].max()))
    }


def _effective(table: pd.DataFrame) -> Texts:
    found = {
        f"effective-{row.use.replace(' ', '-')}-{row.method}": f"{row.family_pairs:.1f}"
        for row in table.itertuples()
    }
    families = table["families"]
    return found | {"effective-families": f"{families.iloc[0]:.0f}" if len(families) else NONE}


def _confirmation(table: pd.DataFrame) -> Texts:
    found = {}
    for row in table.itertuples():
        key = f"b{exponent(row.target)}-{row.method}"
        if row.labels != "merged":
            key = f"{key}-{LABELS[row.labels]}"
        found |= {key: percent(row.recall), f"{key}-fpr": scientific(row.fpr)}
        found[f"{key}-between"] = between(row.low, row.high)
    merged = table[table["labels"] == "merged"]
    held = merged["fpr"] <= merged["target"]
    return found | {"b-held": str(held.sum()), "b-thresholds": str(len(held))}


def _confirmation_rates(table: pd.DataFrame) -> Texts:
    found = {}
    for row in table[table["labels"] == "merged"].to_dict("records"):
        found[f"b-auc-{row['method']}"] = f"{row['auc']:.3f}"
        for digit in (3, 4, 5):
            found[f"b-rate{digit}-{row['method']}"] = percent(row[f"tpr_1e-0{digit}"])
    return found


def _confirmation_certainty(table: pd.DataFrame) -> Texts:
    merged = table[(table["labels"] == "merged") & (table["templates"] == "all")]
    return {"b-bounded": str((merged["fpr_high"] <= merged["target"]).sum())}


def _confirmation_differences(table: pd.DataFrame) -> Texts:
    return {f"b-{key}": text for key, text in _differences(table).items()}


NUMBERS: dict[str, Callable[[pd.DataFrame], Texts]] = {
    "resampling_intervals": _intervals,
    "resampling_differences": _differences,
    "resampling_coverage": _coverage,
    "resampling_heaviest": _heaviest,
    "thresholds": _thresholds,
    "thresholds_coverage": _thresholds_coverage,
    "thresholds_effective": _effective,
    "confirmation": _confirmation,
    "confirmation_certainty": _confirmation_certainty,
    "confirmation_rates": _confirmation_rates,
    "confirmation_differences": _confirmation_differences,
}
"""Results table -> function that takes the report's numbers from it.

``numbers`` adds the stand-in's verdicts on twins, read from a list.
"""


def _recall_table(intervals: pd.DataFrame, differences: pd.DataFrame) -> str:
    number = _differences(differences)
    recall = intervals.set_index(["method", "target", "labels"])
    targets = sorted(intervals["target"].unique(), reverse=True)
    labellings = [labels for labels in LABELS if labels in set(intervals["labels"])]
    reported = results.headline(intervals)["labels"].iloc[0]
    rows = []
    for name in intervals["method"].unique():
        cells = [methods.get(name).label]
        for target in targets:
            cells += [f"{100 * recall['recall'][name, target, kind]:.1f}" for kind in labellings]
            low, high = 100 * recall.loc[(name, target, reported), ["low", "high"]]
            cells.append(f"{low:.0f} to {high:.0f}")
            key = f"{exponent(target)}-{name}"
            cells += [number.get(f"{test}{key}", NONE) for test in ("p", "equal")]
        rows.append(cells)
    names = [LABELS[labels] for labels in labellings] if len(labellings) > 1 else ["recall"]
    head = [*names, "interval", "$p$", "$p_=$"]
    return _grouped([f"$10^{{-{exponent(target)}}}$" for target in targets], head, rows)


def _confirmation_table(confirmation: pd.DataFrame) -> str:
    merged = confirmation[confirmation["labels"] == "merged"].set_index(["method", "target"])
    targets = sorted(confirmation["target"].unique(), reverse=True)
    rows = []
    for name in merged.index.unique("method"):
        cells = [methods.get(name).label]
        for target in targets:
            if (name, target) not in merged.index:
                cells += [NONE] * 4
                continue
            row = merged.loc[(name, target)]
            cells += [f"{row['threshold']:.0f}", scientific(row["fpr"])]
            cells += [f"{100 * row['recall']:.1f}"]
            cells += [f"{100 * row['low']:.0f} to {100 * row['high']:.0f}"]
        rows.append(cells)
    over = [f"target $10^{{-{exponent(target)}}}$" for target in targets]
    return _grouped(over, ["bits", "rate", "recall", "interval"], rows)


def _thresholds_table(thresholds: pd.DataFrame) -> str:
    """Write threshold, estimated rate and upper bound by use; uses of one target share columns."""
    uses = thresholds.groupby("target", sort=False)["use"].unique().sort_index(ascending=False)
    row = thresholds.drop_duplicates(["method", "target"]).set_index(["method", "target"])
    rows = []
    for name in thresholds["method"].unique():
        cells = [methods.get(name).label]
        for target in uses.index:
            if (name, target) in row.index:
                one = row.loc[(name, target)]
                cells += [f"{one['threshold']:.0f}"]
                cells += [scientific(one["fpr"]), scientific(one["fpr_high"])]
            else:
                cells += [NONE] * 3
        rows.append(cells)
    return _grouped([", ".join(names) for names in uses], ["bits", "rate", "bound"], rows)


def _grouped(over: list[str], head: list[str], rows: list[list[str]]) -> str:
    """Return a table of hashes whose columns ``head`` repeat under each heading of ``over``."""
    width = len(head)
    above = "".join(rf" & \multicolumn{{{width}}}{{c}}{{{text}}}" for text in over)
    firsts = [2 + width * k for k in range(len(over))]
    rules = "".join(rf"\cmidrule(lr){{{first}-{first + width - 1}}}" for first in firsts)
    table = tabular("l" + "r" * width * len(over), ["hash", *head * len(over)], rows)
    return table.replace("\\toprule\n", f"\\toprule\n{above} \\\\ {rules}\n")


RECALL = (_recall_table, ("resampling_intervals", "resampling_differences"))

TABLES: dict[str, tuple[Callable[..., str], tuple[str, ...]]] = {
    "table_recall": RECALL,
    "table_confirmation": (_confirmation_table, ("confirmation",)),
}
"""File name -> function that writes the table, and results tables that it reads: the stand-in."""

OWN_TABLES: dict[str, tuple[Callable[..., str], tuple[str, ...]]] = {
    "table_recall": RECALL,
    "table_thresholds": (_thresholds_table, ("thresholds",)),
}
"""Tables of the report on a user's own set, as in ``TABLES``."""
