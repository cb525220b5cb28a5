"""The tables of the reports, as LaTeX, from results tables.

``STANDIN`` and ``OWN`` list the tables of ``report.tex`` and of ``your_images.tex``; both print
those of ``SHARED``.
"""

from collections.abc import Callable

import pandas as pd

from finhash import methods
from finhash.accuracy import rates
from finhash.study import project, results
from finhash.study.cost.operations import DOLLARS_PER_CORE_HOUR
from finhash.study.report.measures import LADDER_NAMES
from finhash.study.report.rounding import (
    NONE,
    Texts,
    exponent,
    milliseconds,
    percent,
    scientific,
    significant,
    tables_from,
    tabular,
    tex,
    whole,
    without_empty_columns,
)
from finhash.study.results import medians

USES = {
    "human review": "review by people",
    "search": "search, ranked answers",
    "match": "unreviewed (strict)",
}
"""Use -> its name in the table of thresholds. Matching and clustering share a threshold."""

OPTIMISATIONS = {
    "box filter": "1",
    "luma": "1",
    "DCT": "1",
    "all arithmetic": "2",
    "open, decode": "decoder",
    "everything": "3",
}
"""Step of ``baseline_plan`` -> the number or name of the optimisation in the text."""


NEEDS = {"a proof, BLAS": "a proof; a BLAS library"}
"""Text of the column ``needs`` of ``ladder_costs`` -> its text in the report."""


VERDICTS = {"not shown within 5 points of the best": "not shown as good"}
"""Verdict of ``choice_criteria`` -> its text in the report, where that is shorter."""


def tables() -> Texts:
    """Return the tables of this run's report as LaTeX, by file name."""
    return tables_from(SHARED | (STANDIN if project.is_standin() else OWN))


def _deploy(thresholds: pd.DataFrame, certainty: pd.DataFrame, confirmation: pd.DataFrame) -> str:
    """Write FINd's threshold and what it finds on set B, by use."""
    chosen = thresholds[thresholds["method"] == "find"].set_index("use")
    merged = confirmation.query("method == 'find' and labels == 'merged'").set_index("target")
    bounds = certainty.query("method == 'find' and labels == 'merged' and templates == 'all'")
    bounds = bounds.set_index("target")["fpr_high"]
    rows = []
    for use, name in USES.items():
        if use not in chosen.index or chosen["target"][use] not in merged.index:
            continue
        target = chosen["target"][use]
        found, bound = merged.loc[target], bounds.get(target)
        among = _false_matches(found["fpr"])
        rows.append(
            [
                name,
                f"{chosen['threshold'][use]:.0f}",
                _one_in(target),
                _one_in(found["fpr"]),
                NONE if bound is None else _one_in(bound),
                f"{percent(found['recall'], 0)} ({_interval(found)})",
                among if bound is None else f"{among} (up to {_false_matches(bound)})",
            ]
        )
    head = ["use", "bits", "target", "measured", "upper bound", "recall", "false per query"]
    return tabular("lrrrrrr", head, rows)


def _one_in(rate: float) -> str:
    """Return a rate of false matches as one in so many pairs."""
    return f"1 in {significant(1 / rate, 2)}"


def _false_matches(rate: float) -> str:
    """Return the mean false matches of a query among a million images."""
    return significant(rate * 1e6, 2)


def _before(
    ladder: pd.DataFrame,
    costs: pd.DataFrame,
    whole_set: pd.DataFrame,
    search: pd.DataFrame,
    one: pd.DataFrame,
    jobs: pd.DataFrame,
    model: pd.DataFrame,
) -> str:
    """Write the cost of hashing and matching with plain loops, and now."""
    own = medians(ladder)["reference"] / 3600
    peak = costs.set_index("rung")["peak_kB"]
    hashing = whole_set[whole_set["executor"].isin(["threads", "processes"])]
    # Two cores share the work; prices count core-seconds.
    rate = (hashing["images"] / hashing["seconds"]).max() / hashing["workers"].max()
    loop = search["pairs_per_second"].iloc[0]
    million = 10**6
    pairs = million * (million - 1) / 2
    largest = jobs[(jobs["images"] == jobs["images"].max()) & (jobs["algorithm"] == "components")]
    cluster = largest["seconds"].iloc[0]
    last = model.iloc[-1]
    rows = [
        [
            "hash one image",
            _spread(ladder, "reference"),
            _spread(ladder, "+ simplejpeg"),
        ],
        [
            "memory for one image",
            rf"{whole(peak['reference'])}\,kB",
            rf"{whole(peak['+ simplejpeg'])}\,kB",
        ],
        [
            r"hash $10^6$ images",
            _bill(own * million),
            _bill(million / rate / 3600),
        ],
        [
            r"hash $10^9$ images",
            _bill(own * 10**9),
            _bill(10**9 / rate / 3600),
        ],
        [
            r"look up one hash among $10^6$",
            rf"{_time(million / loop)}",
            _time(medians(one)["within the radius"]),
        ],
        [r"cluster $10^6$ hashes", _bill(pairs / loop / 3600), _bill(cluster * 2 / 3600)],
        [r"cluster $10^9$ hashes", "not feasible", _bill(last["core_hours"], last["dollars"])],
    ]
    return tabular("lrr", ["", "Python loops", r"\texttt{finhash}"], rows)


def _plan(plan: pd.DataFrame) -> str:
    rows = [
        [
            tex(row.idea),
            percent(row.share, int(0.99 < row.share < 1)),
            significant(row.bound, 2),
            OPTIMISATIONS[row.step],
            tex(row.difficulty),
            tex(row.risk),
        ]
        for row in plan.itertuples()
    ]
    head = ["idea", "share", "bound", "part of", "difficulty", "main risk"]
    return tabular(rf"{_ragged(4.3)}rrll{_ragged(5.7)}", head, rows)


def _after(costs: pd.DataFrame, throughput: pd.DataFrame, memory: pd.DataFrame) -> str:
    """Write time, memory and needs of each step, and the slowdown if only this step is undone."""
    costs = costs.copy()
    # Without the last step, the job is that of the row above.
    costs.loc[costs.index[-1], "alone"] = costs["ms"].iloc[-2] / costs["ms"].iloc[-1]
    rows = []
    for row in costs.to_dict("records"):
        rows.append(
            [
                tex(LADDER_NAMES.get(row["rung"], row["rung"])),
                milliseconds(row["ms"] / 1e3),
                rf"{whole(row['peak_kB'])}\,kB",
                NONE if pd.isna(row["alone"]) else f"{significant(row['alone'], 2)}",
                NEEDS.get(row["needs"], tex(row["needs"])),
                tex(row["portability"]),
                tex(row["difficulty"].replace("-", NONE)),
            ]
        )
    two = throughput.query("executor == 'processes' and workers == 2")
    if len(two):
        saved = two["gain"].iloc[0]
        rate = costs["ms"].iloc[-1] / saved
        whole_job = memory.loc[memory["executor"] == "processes", "bytes"]
        peak = rf"{significant(whole_job.iloc[0] / 1e6, 2)}\,MB" if len(whole_job) else NONE
        cells = ["+ two processes", milliseconds(rate / 1e3), peak, significant(saved, 2)]
        rows.append([*cells, "memory per worker", "wherever Python runs", "medium"])
    head = ["step", "ms", "memory", "if undone", "needs", "runs", "difficulty"]
    return tabular("lrrrlll", head, rows)


def _hashes(
    accuracy: pd.DataFrame,
    intervals: pd.DataFrame,
    confirmed: pd.DataFrame,
    each_hash: pd.DataFrame,
    criteria: pd.DataFrame,
) -> str:
    """Write recall on both sets, time relative to FINd's, memory and the rule's verdict.

    The best recalls are bold.
    """
    recall = results.headline(accuracy).set_index("method")
    on_a = results.headline(intervals).set_index(["method", "target"])
    on_b = confirmed.set_index(["method", "target"])
    cost = each_hash.set_index("method")
    names = [name for name in each_hash["method"] if name in recall.index]
    own = cost["ms_file"]["find"]
    columns = [[_in_percent(recall["tpr_1e-03"][name]) for name in names]]
    for table in (on_a, on_b):
        for target in (1e-4, 1e-5):
            cells = []
            for name in names:
                if (name, target) in table.index:
                    row = table.loc[(name, target)]
                    cells.append(f"{_in_percent(row['recall'])} ({_interval(row)})")
                elif table is on_a:
                    cells.append(_in_percent(recall[f"tpr_{target:.0e}"][name]))
                else:
                    cells.append(NONE)
            columns.append(cells)
    columns = [_bold_best(column) for column in columns]
    columns.append([significant(cost["ms_file"][name] / own, 2) for name in names])
    columns.append([whole(cost["peak_kB"][name]) for name in names])
    verdicts = criteria.set_index("method")["verdict"].reindex(names).fillna(NONE)
    columns.append([tex(VERDICTS.get(verdict, verdict)) for verdict in verdicts])
    labels = [methods.get(name).label for name in names]
    powers = [r"$10^{-4}$", r"$10^{-5}$"]
    head = ["hash", r"$10^{-3}$", *powers, *powers, "time", "kB", "verdict"]
    rows = [list(row) for row in zip(labels, *columns, strict=True)]
    types, head, rows = without_empty_columns("lrrrrrrrl", head, rows)
    table = tabular(types, head, rows)
    if len(head) < 9:  # a small run lacks columns
        return table
    above = (
        r" & \multicolumn{3}{c}{recall on set A} & \multicolumn{2}{c}{recall on set B} & & & \\"
        r" \cmidrule(lr){2-4} \cmidrule(lr){5-6}"
    )
    return table.replace("\\toprule\n", f"\\toprule\n{above}\n")


def _in_percent(share: float) -> str:
    return f"{100 * share:.0f}"


def _bold_best(cells: list[str]) -> list[str]:
    r"""Return the cells with the largest leading number, as printed, in bold.

    >>> print(_bold_best(["93 (48--85)", "94", "--"])[1])
    \textbf{94}
    """
    values = [int(cell.split()[0]) if cell[:1].isdigit() else -1 for cell in cells]
    return [
        rf"\textbf{{{cell}}}" if value == max(values) >= 0 else cell
        for cell, value in zip(cells, values, strict=True)
    ]


def _tasks(open_set: pd.DataFrame, held_out: pd.DataFrame) -> str:
    """Write what the hashes of 256 bits reach in search and clustering."""
    search = open_set[open_set["use"] == "search"].set_index("method")
    best = held_out[held_out["rule"] == "f1"].groupby(["algorithm", "method"])["f1"].mean()
    rows = []
    for name in held_out["method"].unique():
        cells = [methods.get(name).label]
        for column in ("identified", "false_accepts"):
            found = search[column].get(name)
            cells.append(NONE if found is None else f"{100 * found:.1f}")
        cells += [f"{100 * best[way, name]:.0f}" for way in ("components", "spheres")]
        rows.append(cells)
    head = ["hash", "right", "false alarm", "F1 of components", "F1 of spheres"]
    return tabular("lrrrr", head, rows)


def _accuracy(table: pd.DataFrame, retrieval: pd.DataFrame) -> str:
    score = retrieval[retrieval["ties"] == "expected"].set_index(["score", "method"])["images"]
    targets = rates.FPR_TARGETS[1:]
    rows = []
    for row in results.headline(table).to_dict("records"):
        name = row["method"]
        cells = [methods.get(name).label, f"{row['auc']:.4f}", percent(row["eer"], 2)]
        cells += [percent(row[f"tpr_{target:.0e}"]) for target in targets]
        cells += [percent(row["recall_p0.99"])]
        cells += [percent(score.get((key, name), float("nan"))) for key in ("p1", "ap")]
        rows.append([*cells, f"{row['effective_bits']:.0f}"])
    powers = [f"$10^{{-{exponent(target)}}}$" for target in targets]
    head = ["hash", "AUC", "EER", *powers, r"at 99\,\%", "P@1", "mAP", "bits"]
    return tabular(*without_empty_columns("l" + "r" * (len(head) - 1), head, rows))


def _recall(intervals: pd.DataFrame, differences: pd.DataFrame) -> str:
    shown = results.headline(intervals)
    recall = shown.set_index(["method", "target"])
    tests = differences.set_index(["method", "target"])
    targets = sorted(shown["target"].unique(), reverse=True)
    rows = []
    for name in shown["method"].unique():
        cells = [methods.get(name).label]
        for target in targets:
            row = recall.loc[(name, target)]
            cells += [f"{100 * row['recall']:.1f}", _interval(row)]
            tested = (name, target) in tests.index
            for column in ("p", "p_equivalent"):
                cells.append(f"{tests[column][name, target]:.3f}" if tested else NONE)
        rows.append(cells)
    over = [f"$10^{{-{exponent(target)}}}$" for target in targets]
    return _grouped(over, ["recall", "interval", "$p$", "$p_=$"], rows)


def _thresholds(thresholds: pd.DataFrame) -> str:
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


def _cost(each_hash: pd.DataFrame, matching: pd.DataFrame, growth: pd.DataFrame) -> str:
    seconds = medians(matching)
    largest = growth[growth["side"] == growth["side"].max()]
    large = largest.groupby("method")["seconds"].median()
    rows = [
        [
            methods.get(row.method).label,
            str(row.bytes),
            milliseconds(row.ms_file / 1e3),
            milliseconds(row.ms_pixels / 1e3),
            milliseconds(large[row.method]) if row.method in large.index else NONE,
            whole(row.peak_kB),
            f"{seconds[row.method]:.2f}" if row.method in seconds.index else NONE,
        ]
        for row in each_hash.itertuples()
    ]
    head = ["hash", "bytes", "ms file", "ms pixels", "ms large", "kB", "s all pairs"]
    return tabular(*without_empty_columns("lrrrrrr", head, rows))


def _grouped(over: list[str], head: list[str], rows: list[list[str]]) -> str:
    """Return a table of hashes whose columns ``head`` repeat under each heading of ``over``."""
    width = len(head)
    above = "".join(rf" & \multicolumn{{{width}}}{{c}}{{{text}}}" for text in over)
    firsts = [2 + width * k for k in range(len(over))]
    rules = "".join(rf"\cmidrule(lr){{{first}-{first + width - 1}}}" for first in firsts)
    table = tabular("l" + "r" * width * len(over), ["hash", *head * len(over)], rows)
    return table.replace("\\toprule\n", f"\\toprule\n{above} \\\\ {rules}\n")


def _ragged(centimetres: float) -> str:
    """Return the column type of a column of text that is not justified."""
    return rf">{{\raggedright\arraybackslash}}p{{{centimetres}cm}}"


def _interval(row: pd.Series) -> str:
    """Return the interval of a recall in per cent."""
    return f"{100 * row['low']:.0f}--{100 * row['high']:.0f}"


def _spread(timings: pd.DataFrame, contender: str) -> str:
    """Return median milliseconds with the quartiles of the warm repeats."""
    rows = timings[(timings["contender"] == contender) & (timings["state"] == "warm")]
    low, middle, high = rows["seconds"].quantile([0.25, 0.5, 0.75])
    return rf"{milliseconds(middle)}\,ms ({milliseconds(low)}--{milliseconds(high)})"


def _time(seconds: float) -> str:
    """Return a duration with two significant digits, in a unit that suits it."""
    year, day = 365.25 * 86_400, 86_400
    for unit, length in (("years", year), ("days", day), ("hours", 3600), ("minutes", 60)):
        if seconds >= length:
            return f"{significant(seconds / length, 2)} {unit}"
    if seconds >= 1:
        return rf"{significant(seconds, 2)}\,s"
    return rf"{significant(seconds * 1e3, 2)}\,ms"


def _bill(core_hours: float | None, dollars: float | None = None) -> str:
    """Return core time and its price."""
    if core_hours is None:
        return NONE
    price = core_hours * DOLLARS_PER_CORE_HOUR if dollars is None else dollars
    cost = f"\\${significant(price, 1 if price < 10 else 2)}" if price >= 0.01 else r"under \$0.01"
    return f"{_time(core_hours * 3600)}, {cost}"


Table = tuple[Callable[..., str], tuple[str, ...]]
"""Function that writes a table, and results tables that it reads."""

SHARED: dict[str, Table] = {
    "table_plan": (_plan, ("baseline_plan",)),
    "table_after": (_after, ("ladder_costs", "parallel_throughput_small", "parallel_memory")),
}
"""File name -> table of both reports."""

STANDIN: dict[str, Table] = {
    "table_deploy": (_deploy, ("thresholds", "confirmation_certainty", "confirmation")),
    "table_before": (
        _before,
        (
            "ladder",
            "ladder_costs",
            "parallel_whole_set",
            "search_ladder",
            "search_one",
            "search_cluster_jobs",
            "search_model",
        ),
    ),
    "table_hashes": (
        _hashes,
        (
            "rates",
            "resampling_intervals",
            "confirmation_intervals",
            "each_hash",
            "choice_criteria",
        ),
    ),
    "table_tasks": (_tasks, ("retrieval_open_set", "clustering_held_out")),
}
"""File name -> table of the report on the stand-in."""

OWN: dict[str, Table] = {
    "table_accuracy": (_accuracy, ("rates", "retrieval")),
    "table_recall": (_recall, ("resampling_intervals", "resampling_differences")),
    "table_thresholds": (_thresholds, ("thresholds",)),
    "table_cost": (_cost, ("each_hash", "each_hash_matching", "each_hash_growth")),
}
"""File name -> table of the report on a user's own set."""
