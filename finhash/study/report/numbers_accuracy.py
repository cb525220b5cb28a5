r"""Numbers and tables of the report's Part 2: how accurate each hash is, and what it costs.

``NUMBERS`` lists the results tables that are read, each with the function that takes the report's
numbers from it. Keys are those of ``\result{key}`` in the report's sources. A digit in a key is
that of a false positive rate: ``merged5-find`` is FINd's recall at 1e-5.
"""

from collections.abc import Callable, Iterable

import pandas as pd

from finhash import methods
from finhash.accuracy import rates
from finhash.study import results
from finhash.study.accuracy import published
from finhash.study.report import available
from finhash.study.report.rounding import (
    NONE,
    Numbers,
    Texts,
    between,
    exponent,
    fixed,
    milliseconds,
    numbers_from,
    percent,
    scientific,
    tables_from,
    tabular,
    times,
    whole,
    with_source,
    without_empty_columns,
)
from finhash.study.results import medians

LABELS = {"as labelled": "labelled", "merged": "merged", "merged with variants": "variants"}
"""Labels of families -> their name in keys."""

VARIANTS = {
    "FINd": "find",
    "FINd, 128 best bits": "find-128",
    "FINd, 192 best bits": "find-192",
    "FINd, weighted bits": "find-weighted",
    "FINd, middle half": "find-middle",
    "dHash, middle rows": "dhash-middle",
    "FINd and dHash, 128 best of each": "both",
    "dHash": "dhash",
    "pHash": "phash",
    "dHash, middle half": "dhash-half",
    "FINd + dHash": "find-dhash",
    "FINd + pHash": "find-phash",
    "FINd + dHash, middle rows": "find-dhash-middle",
}
"""Variant in ``bits_variants``, ``bits_fusion`` and ``layouts_recall`` -> its name in keys."""

SEARCHES = {
    "FAISS flat": "flat",
    "FAISS multi-index, 16 x 16, 1 flip": "multi",
    "FAISS IVF, 1/32 of the lists": "ivf",
    "FAISS HNSW, 100 nearest": "hnsw",
    "finhash gallery": "gallery",
}
"""Contender of ``search_contenders`` -> its name in keys."""

GOALS = {
    "join-flat": "join / FAISS flat, FINd's radius",
    "join-flat-50": "join / FAISS flat, 50 bits",
    "join-flat-harder": "join / FAISS flat, harder set",
    "join-flat-eight": "join / FAISS flat, families of eight",
    "join-gain": "join, 2 threads / 1 thread",
    "one-gain": "one image, within the radius: exhaustive / gallery",
    "nearest-gain": "one image, nearest: exhaustive / gallery",
}
"""Key -> goal in ``search_goals``."""


def numbers() -> Numbers:
    """Return all numbers of Part 2."""
    found = numbers_from(NUMBERS)
    clustered, chained = available.load("clustering"), available.load("clustering_chaining")
    if clustered is not None and chained is not None:
        chaining = _chaining(chained, clustered["method"].unique())
        found |= with_source(chaining, "clustering_chaining")
    return found


def tables() -> Texts:
    """Return the tables of Part 2 as LaTeX, by file name."""
    return tables_from(TABLES)


def _rates(table: pd.DataFrame) -> Texts:
    found = {}
    for row in table.to_dict("records"):
        name, key = row["method"], LABELS[row["labels"]]
        found[f"{key}-auc-{name}"] = f"{row['auc']:.4f}"
        found[f"{key}-effective-{name}"] = f"{row['effective_bits']:.0f}"
        for target in rates.FPR_TARGETS[1:]:
            digit = exponent(target)
            found[f"{key}{digit}-{name}"] = percent(row[f"tpr_{target:.0e}"])
            found[f"{key}{digit}-{name}-radius"] = f"{row[f'radius_{target:.0e}']:.0f}"
        for target in rates.PRECISION_TARGETS:
            found[f"{key}-p{target * 100:g}-{name}"] = percent(row[f"recall_p{target:g}"])
    for labels, rows in table[table["bits"] == 256].groupby("labels"):
        recall = rows.set_index("method")
        for digit in (3, 4, 5):
            at_rate = recall[f"tpr_1e-0{digit}"].dropna()
            if len(at_rate):
                found[f"{LABELS[labels]}{digit}-best"] = methods.get(at_rate.idxmax()).label
    return found


def _published_radii(table: pd.DataFrame) -> Texts:
    found = {}
    for row in table.itertuples():
        key = f"untuned-{row.method}-{row.radius}"
        found[key] = percent(row.recall)
        found[f"{key}-fpr"] = scientific(row.fpr)
    return found


def _prevalence(table: pd.DataFrame) -> Texts:
    precision = table.set_index("times")
    return {
        f"precision{exponent(float(rate))}-{times}": percent(share, 0)
        for rate, column in precision.items()
        for times, share in column.items()
    }


def _label_noise(table: pd.DataFrame) -> Texts:
    auc = table[table["labels"] == "noisy"].set_index("method")["auc"]
    found = {f"noisy-auc-{name}": f"{value:.4f}" for name, value in auc.items()}
    found["noisy-auc-best"] = f"{auc.max():.4f}"
    found["noise"] = percent(published.NOISE)
    return found


def _false_share(table: pd.DataFrame) -> Texts:
    lowest = table[table["target"] == table["target"].min()]
    return {"twins-least": percent(lowest["share"].min())}


def _macro(table: pd.DataFrame) -> Texts:
    return {
        f"macro{exponent(row.target)}-{row.method}": percent(row.recall)
        for row in table.itertuples()
    }


def _retrieval(table: pd.DataFrame) -> Texts:
    return {
        f"{row.score}-{row.method}" + ("-worst" if row.ties == "worst" else ""): percent(row.images)
        for row in table.itertuples()
    }


def _open_set(table: pd.DataFrame) -> Texts:
    found = {}
    for row in table.itertuples():
        key = f"-{row.use.replace(' ', '-')}-{row.method}"
        found[f"identified{key}"] = percent(row.identified)
        found[f"mistaken{key}"] = percent(row.mistaken)
        found[f"false-accepts{key}"] = percent(row.false_accepts)
    return found


def _clustering(table: pd.DataFrame) -> Texts:
    found = {}
    known = results.headline(table, "truth").dropna(subset=["f1"])
    for (algorithm, name), rows in known.groupby(["algorithm", "method"], sort=False):
        key, best = f"{algorithm}-{name}", rows.loc[rows["f1"].idxmax()]
        found[f"{key}-f1"] = percent(best["f1"])
        found[f"{key}-b3"] = percent(rows["b3_f1"].max())
        found[f"{key}-ari"] = f"{best['ari']:.3f}"
        found[f"{key}-radius"] = str(int(best["radius"]))
        found[f"{key}-precision"] = percent(best["precision"])
        found[f"{key}-recall"] = percent(best["recall"])
    return found


def _clustering_held_out(table: pd.DataFrame) -> Texts:
    keys = ["rule", "algorithm", "method"]
    halves = table.groupby(keys, sort=False)[["f1", "b3_f1", "radius"]].mean()
    found = {}
    for row in halves.reset_index().itertuples():
        rule = {"f1": "held", "b3_f1": "held-b3", "given": "given"}[row.rule]
        key = f"{rule}-{row.algorithm}-{row.method}"
        found[f"{key}-f1"] = percent(row.f1)
        found[f"{key}-b3_f1"] = percent(row.b3_f1)
        found[f"{key}-radius"] = f"{row.radius:.0f}"
    return found


def _chaining(table: pd.DataFrame, clustered: Iterable[str]) -> Texts:
    """Quote where clusters chain; a dash for clustered methods that never do, and have no row."""
    found = {}
    for name in clustered:
        found[f"chain-radius-{name}"] = found[f"chain-share-{name}"] = NONE
    for row in table.itertuples():
        found[f"chain-radius-{row.method}"] = str(row.radius)
        found[f"chain-share-{row.method}"] = percent(row.largest)
    return found


def _robustness(table: pd.DataFrame) -> Texts:
    found = {
        "transforms": str(table["transform"].nunique()),
        "cells": str(len(table[["transform", "strength"]].drop_duplicates())),
    }
    for (transform, name), recall in (
        table.groupby(["transform", "method"])["recall"].mean().items()
    ):
        found[f"robust-{transform}-{name}"] = percent(recall, 0)
    for name, recall in table.groupby("method")["recall"].mean().items():
        found[f"robust-{name}"] = percent(recall, 0)
    for row in table.itertuples():
        cell = f"{row.transform}-{row.strength}".replace(" ", "-")
        found[f"cell-{cell}-{row.method}"] = percent(row.recall, 0)
    return found


def _bits(table: pd.DataFrame) -> Texts:
    found = {}
    for name, cells in table.groupby("method"):
        # A row is a vertical frequency in FINd, pHash and PDQ, and a place in the other hashes.
        by_row = cells.groupby("row")["same"].mean()
        outer = pd.concat([by_row[:4], by_row[12:]])
        found[f"flips-{name}"] = percent(cells["same"].mean(), 0)
        found[f"flips-low-{name}"] = percent(by_row[1:8].mean(), 0)
        found[f"flips-high-{name}"] = percent(by_row[8:].mean(), 0)
        found[f"flips-middle-{name}"] = percent(by_row[4:12].mean(), 0)
        found[f"flips-outer-{name}"] = percent(outer.mean(), 0)
    return found


def _concentration(table: pd.DataFrame) -> Texts:
    found = {}
    for row in table.itertuples():
        found[f"claims-pairs-{row.method}"] = whole(row.pairs)
        found[f"claims-first-{row.method}"] = percent(row.first_ten, 0)
    return found


def _variants(table: pd.DataFrame) -> Texts:
    return {
        f"variant{exponent(row.target)}-{VARIANTS[row.variant]}": percent(row.recall)
        for row in table.itertuples()
        if row.variant in VARIANTS
    }


def _variant_intervals(table: pd.DataFrame) -> Texts:
    found = {}
    for row in table[table["method"] == "find_middle"].itertuples():
        key = f"middle{exponent(row.target)}"
        found[key] = percent(row.recall)
        found[f"{key}-between"] = between(row.low, row.high)
    return found


def _layouts(table: pd.DataFrame) -> Texts:
    return {
        f"layout-{row.layout.replace(' ', '-')}-{VARIANTS[row.variant]}": percent(row.recall, 0)
        for row in table[table["target"] == 1e-5].itertuples()
        if row.variant in VARIANTS
    }


def _fusion(table: pd.DataFrame) -> Texts:
    return {
        f"fusion{exponent(row.target)}-{VARIANTS[row.variant]}": percent(row.recall)
        for row in table.itertuples()
    }


def _variant_clusters(table: pd.DataFrame) -> Texts:
    return {"middle-f1": percent(table["f1"].max())}


def _each_hash(table: pd.DataFrame) -> Texts:
    found = {}
    for row in table.itertuples():
        found[f"cost-{row.method}"] = milliseconds(row.ms_file / 1e3)
        found[f"pixels-{row.method}"] = milliseconds(row.ms_pixels / 1e3)
        found[f"rate-{row.method}"] = whole(row.throughput)
    return found


def _matching(timings: pd.DataFrame) -> Texts:
    return {f"matching-{name}": fixed(value, 2) for name, value in medians(timings).items()}


def _growth(table: pd.DataFrame) -> Texts:
    side = table["side"].max()
    seconds = table[table["side"] == side].groupby("method")["seconds"].median()
    found = {f"large-{name}": milliseconds(value) for name, value in seconds.items()}
    return found | {"large-side": whole(side)}


def _goals(table: pd.DataFrame) -> Texts:
    measured = table.set_index("goal")["measured"]
    return {key: fixed(measured[goal], 1) for key, goal in GOALS.items() if goal in measured}


def _kernels(table: pd.DataFrame) -> Texts:
    """Quote the joins of shuffled hashes of 256 bits at FINd's radius, the first of the table."""
    wide = table[(table["bits"] == 256) & (table["workers"] == 1)]
    radius = wide.loc[wide["contender"] == "join", "radius"].iloc[0]
    at_radius = wide[wide["radius"].isin([radius, 0])]
    rate = at_radius.groupby(["set", "contender"])["throughput"].median()
    join, exhaustive = rate["shuffled", "join"], rate["shuffled", "exhaustive join"]
    return {
        "join-rate": fixed(join / 1e9, 1),
        "join-exhaustive-rate": fixed(exhaustive / 1e9, 1),
        "join-times": times(join / exhaustive),
        "histogram-rate": fixed(rate["shuffled", "histogram"] / 1e9, 1),
    }


def _pruning(table: pd.DataFrame) -> Texts:
    """Quote the work of the join at the largest radius."""
    largest = table[table["radius"] == table["radius"].max()].set_index("centres")
    found = {}
    for key, centres in {"pruning": "of the join", "pruning-families": "of the families"}.items():
        for column in ("distances", "evaluated"):
            found[f"{key}-{column}"] = percent(largest[column][centres], 1)
    return found


def _contenders(table: pd.DataFrame) -> Texts:
    rows = table[table["workers"] == 1].set_index("contender")
    found = {}
    for name, key in SEARCHES.items():
        if name in rows.index:
            found[f"peer-{key}-recall"] = percent(rows["recall"][name], 0)
            found[f"peer-{key}-rate"] = whole(rows["throughput"][name])
    rate = rows["throughput"].reindex(["FAISS IVF, 1/32 of the lists", "finhash gallery"])
    return found | {"ivf-times": times(rate.iloc[0] / rate.iloc[1])}


def _growth_of_joins(table: pd.DataFrame) -> Texts:
    """Quote the exponents of FINd's joins over the last decade, with families growing in number.

    The first radius is that of matching.
    """
    rows = table.query("method == 'find' and growth == 'number' and span == 'last decade'")
    rows = rows[rows["radius"] == rows["radius"].iloc[:1].squeeze()]
    return {
        f"exponent-{row.contender.split()[-1].lower()}": fixed(row.exponent, 2)
        for row in rows.itertuples()
        if row.exponent == row.exponent  # missing if all sets are of one size
    }


def _one(timings: pd.DataFrame) -> Texts:
    return {"match-one": milliseconds(medians(timings)["within the radius"])}


def _cluster_jobs(table: pd.DataFrame) -> Texts:
    largest = table[table["images"] == table["images"].max()]
    found = {"cluster-images": whole(largest["images"].iloc[0])}
    for row in largest.itertuples():
        found[f"cluster-{row.algorithm}-seconds"] = fixed(row.seconds, 0)
        found[f"cluster-{row.algorithm}-memory"] = whole((row.peak - row.before) / 1e6)
    return found


def _model(table: pd.DataFrame) -> Texts:
    rows = table.set_index("images")
    found = {}
    for digit in (8, 9):
        if 10**digit in rows.index:
            found[f"model-{digit}-dollars"] = whole(rows["dollars"][10**digit])
            found[f"model-{digit}-hours"] = whole(rows["core_hours"][10**digit])
            found[f"model-{digit}-hours-fitted"] = whole(rows["core_hours_fitted"][10**digit])
            found[f"model-{digit}-network"] = whole(rows["network_hours"][10**digit])
    return found


NUMBERS: dict[str, Callable[[pd.DataFrame], Texts]] = {
    "rates": _rates,
    "rates_published_radii": _published_radii,
    "rates_prevalence": _prevalence,
    "rates_label_noise": _label_noise,
    "twins_false_share": _false_share,
    "resampling_macro": _macro,
    "retrieval": _retrieval,
    "retrieval_open_set": _open_set,
    "clustering": _clustering,
    "clustering_held_out": _clustering_held_out,
    "robustness": _robustness,
    "bits": _bits,
    "bits_concentration": _concentration,
    "bits_variants": _variants,
    "bits_variant_intervals": _variant_intervals,
    "bits_variant_clusters": _variant_clusters,
    "bits_fusion": _fusion,
    "layouts_recall": _layouts,
    "each_hash": _each_hash,
    "each_hash_matching": _matching,
    "each_hash_growth": _growth,
    "search_goals": _goals,
    "search_kernels": _kernels,
    "pruning_work": _pruning,
    "growth_exponents": _growth_of_joins,
    "search_contenders": _contenders,
    "search_one": _one,
    "search_cluster_jobs": _cluster_jobs,
    "search_model": _model,
}
"""Results table -> function that takes the report's numbers from it.

``numbers`` adds ``clustering_chaining``, which needs more than one table.
"""


def _accuracy_table(table: pd.DataFrame, retrieval: pd.DataFrame) -> str:
    number = _rates(table) | _retrieval(retrieval)
    digits = (3, 4, 5, 6)
    rows = []
    for row in results.headline(table).itertuples():
        key = LABELS[row.labels]
        cells = [methods.get(row.method).label, f"{row.auc:.4f}", percent(row.eer, 2)]
        cells += [number[f"{key}{digit}-{row.method}"] for digit in digits]
        cells += [number[f"{key}-p99-{row.method}"]]
        cells += [number.get(f"{score}-{row.method}", NONE) for score in ("p1", "ap")]
        rows.append([*cells, number[f"{key}-effective-{row.method}"]])
    powers = [f"$10^{{-{digit}}}$" for digit in digits]
    head = ["hash", "AUC", "EER", *powers, r"at 99\,\%", "P@1", "mAP", "bits"]
    return tabular(*without_empty_columns("lrrrrrrrrrr", head, rows))


def _cost_table(each_hash: pd.DataFrame, matching: pd.DataFrame, growth: pd.DataFrame) -> str:
    number = _each_hash(each_hash) | _matching(matching) | _growth(growth)
    rows = [
        [
            methods.get(row.method).label,
            str(row.bytes),
            *(number.get(f"{key}-{row.method}", NONE) for key in ("cost", "pixels", "large")),
            whole(row.peak_kB),
            number[f"rate-{row.method}"],
            number.get(f"matching-{row.method}", NONE),
        ]
        for row in each_hash.itertuples()
    ]
    head = ["hash", "bytes", "ms file", "ms pixels", "ms large", "kB", "per second", "s all pairs"]
    return tabular(*without_empty_columns("lrrrrrrr", head, rows))


TABLES: dict[str, tuple[Callable[..., str], tuple[str, ...]]] = {
    "table_accuracy": (_accuracy_table, ("rates", "retrieval")),
    "table_cost": (_cost_table, ("each_hash", "each_hash_matching", "each_hash_growth")),
}
"""File name -> function that writes the table, and results tables that it reads."""
