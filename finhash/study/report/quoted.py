r"""The numbers that the reports quote, each with its results table, query and format.

``NUMBERS`` lists them by the key of ``\result{key}``. A test checks that it holds exactly the keys
that ``report.tex``, ``your_images.tex``, ``part1.tex`` and the README's block quote. A digit in a
key is that of a false positive rate: ``b-rate5-find`` is FINd's recall on set B at 1e-5.
"""

import datetime
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from finhash.accuracy import findings
from finhash.find.geometry import MAX_SIDE
from finhash.study import project, results
from finhash.study.accuracy import twins
from finhash.study.cost import operations, parallel
from finhash.study.data import memes
from finhash.study.report import available
from finhash.study.report.measures import (
    false_share,
    gain_of_two,
    labelled_pairs,
    processes_pay,
    step_shares,
    volume_images,
)
from finhash.study.report.rounding import (
    NONE,
    Numbers,
    fixed,
    milliseconds,
    percent,
    scientific,
    significant,
    tex,
    whole,
    with_source,
)
from finhash.study.results import medians


class Number(NamedTuple):
    """Where a number comes from, and how it is printed."""

    table: str
    query: Callable[[pd.DataFrame], Any]
    text: Callable[[Any], str]


def numbers() -> Numbers:
    """Return the text of every number, by key.

    A number that the tables of this run cannot give is left out on a user's own set, and printed
    as a dash on the stand-in, whose small runs lack some.
    """
    found = _setting()
    for key, number in NUMBERS.items():
        table = available.load(number.table)
        if table is None:
            continue
        try:
            text = number.text(number.query(table))
        except (KeyError, IndexError, ValueError, ZeroDivisionError, OverflowError):
            text = NONE
        found[key] = (text, number.table)
    return found


def _setting() -> Numbers:
    """Describe the machine, the software and the data, from the provenance of ``ladder``."""
    facts = results.load_provenance("ladder")
    versions = facts["versions"]
    texts = {key: versions[key] for key in ("python", "pillow", "numpy", "numba")}
    texts |= {
        "cpu": facts["cpu"],
        "cores": str(facts["cores"]),
        "date": _in_words(facts["date"]),
        "imagehash-version": versions["imagehash"],
        "title": tex(available.title()),
        "vectors": str(len(list((project.root() / "tests" / "vectors").glob("*.*")))),
    }
    if project.is_standin():
        judged = twins.known("memes")
        kappa = twins.agreement(judged).set_index("found_by").loc["all", "kappa"]
        merged = twins.labellings(np.arange(memes.FAMILIES), "memes")["merged"]
        texts |= {
            "families-full": whole(memes.FAMILIES),
            "images-full": whole(memes.IMAGES),
            "twins-looked-at": str(len(judged)),
            "twins-same": str((judged["verdict"] == "same").sum()),
            "twins-kappa": fixed(kappa, 2),
            "smallest-rate": scientific(findings.smallest_rate(len(np.unique(merged)))),
        }
    return with_source(texts, "ladder")


def _in_words(date: str) -> str:
    """Return a date such as 2026-11-28 as 28 November 2026."""
    day = datetime.date.fromisoformat(date)
    return f"{day.day} {day:%B} {day.year}"


def one(column: str, **where: object) -> Callable[[pd.DataFrame], Any]:
    """Return a query for the value of a column in the row where other columns have given values."""

    def query(table: pd.DataFrame) -> Any:  # noqa: ANN401
        rows = table
        for name, value in where.items():
            rows = rows[rows[name] == value]
        return rows[column].iloc[0]

    return query


def warm(contender: str) -> Callable[[pd.DataFrame], float]:
    """Return a query for the median warm seconds of a contender."""
    return lambda table: medians(table)[contender]


def gain(slow: str, fast: str) -> Callable[[pd.DataFrame], float]:
    """Return a query for how many times as fast one contender is as another."""
    return lambda table: medians(table)[slow] / medians(table)[fast]


def headline(column: str, method: str, **where: object) -> Callable[[pd.DataFrame], Any]:
    """Return a query as ``one`` does, among the labels that are reported first."""
    return lambda table: one(column, method=method, **where)(results.headline(table))


def _as_labelled(column: str) -> Callable[[pd.DataFrame], Any]:
    """Return a query for FINd's value before families of one image are merged."""
    return one(column, method="find", labels="as labelled")


def _percent0(share: float) -> str:
    return percent(share, 0)


def _fixed0(value: float) -> str:
    return fixed(value, 0)


def _fixed1(value: float) -> str:
    return fixed(value, 1)


def _fixed2(value: float) -> str:
    return fixed(value, 2)


def _about(value: float) -> str:
    return significant(value, 2)


def _p(value: float) -> str:
    """Return a p-value with two decimals, or with three below 0.1."""
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def _growth(column: str) -> Callable[[pd.DataFrame], float]:
    return lambda table: operations.exponent(table["images"], table["seconds"])[column]


def _bytes_per_pixel(memory: pd.DataFrame) -> float:
    largest = memory.loc[memory["side"].idxmax()]
    return largest["bytes"] / largest["side"] ** 2


def _compiling(timings: pd.DataFrame) -> float:
    """Return the seconds of the contender that is timed once, since it compiles."""
    return timings[~timings["contender"].isin(medians(timings).index)]["seconds"].item()


def _uncertified(table: pd.DataFrame) -> pd.DataFrame:
    """Return number and share of the images that are computed again, by kind, the set's first."""
    by_kind = table.set_index("kind")
    number = by_kind["images"] - by_kind["certified"]
    return pd.DataFrame({"number": number, "share": number / by_kind["images"]})


def _largest(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["families"] == table["families"].max()]


def _half_samples(table: pd.DataFrame) -> pd.Series:
    rows = _largest(table)
    return rows.loc[rows["interval"] == "half-samples", "coverage"]


def _merged(table: pd.DataFrame) -> pd.DataFrame:
    return table[(table["labels"] == "merged")]


def _flips(table: pd.DataFrame, rows: slice) -> float:
    """Return how often FINd's bits of some vertical frequencies differ within families."""
    by_row = table[table["method"] == "find"].groupby("row")["same"].mean()
    return by_row[rows].mean()


def _given_f1(table: pd.DataFrame) -> float:
    rows = table[table["rule"] == "given"].groupby(["algorithm", "method"])["f1"].mean()
    return rows["components", "find"]


def _interval(table: pd.DataFrame) -> str:
    row = table[(table["method"] == "find_middle") & (table["target"] == 1e-5)].iloc[0]
    return f"{_percent0(row['low'])} to {_percent0(row['high'])}"


def _loss(table: pd.DataFrame) -> float:
    row = results.headline(table).set_index("method").loc["dhash256"]
    return 100 * (row["tpr_1e-03"] - row["tpr_1e-05"])


def _largest_side(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["side"] == table["side"].max()]


def _provoked(faults: pd.DataFrame) -> pd.DataFrame:
    """Return the faults that were provoked, except the deletion of the output folder."""
    return faults[(faults["repeats"] > 0) & (faults["fault"] != "folder removed")]


def _of_find(contender: str, text: Callable[[float], str] = _percent0) -> Number:
    """Return the time of a contender on the largest images, relative to FINd's."""
    return Number(
        "large_images_costs",
        lambda t: one("over_find", contender=contender)(_largest_side(t)),
        text,
    )


def _per_doubling(algorithm: str, column: str) -> Number:
    """Return by how many bits FINd's best threshold falls per doubling of families."""
    where = {"method": "find", "algorithm": algorithm, "score": "f1"}
    return Number("clustering_per_doubling", one(column, **where), lambda bits: str(round(-bits)))


def _gain_of(executor: str) -> Number:
    return Number("parallel_throughput_small", lambda t: gain_of_two(t, executor), _fixed1)


def _rate(table: pd.DataFrame, contender: str) -> float:
    """Return the median pairs per second of a join of shuffled hashes at the widest threshold."""
    rows = table[(table["set"] == "shuffled") & (table["bits"] == 256) & (table["workers"] == 1)]
    rows = rows[rows["radius"] == rows["radius"].max()]
    return rows.loc[rows["contender"] == contender, "throughput"].median()


def _cluster(algorithm: str) -> Number:
    def query(table: pd.DataFrame) -> float:
        largest = table[table["images"] == table["images"].max()]
        return one("seconds", algorithm=algorithm)(largest)

    return Number(CLUSTERS, query, _about)


def _hashing(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["executor"] != parallel.DECODE]


def _images(column: str) -> Number:
    """Return a number of ``datasets_images``; a count of 0 is not printed."""
    return Number("datasets_images", lambda table: table[column].iloc[0] or np.nan, whole)


SETTING = {
    "cpu",
    "cores",
    "python",
    "pillow",
    "numpy",
    "numba",
    "imagehash-version",
    "title",
    "vectors",
    "families-full",
    "images-full",
    "twins-looked-at",
    "twins-same",
    "twins-kappa",
    "smallest-rate",
    "date",
}
"""Keys that ``_setting`` adds to ``NUMBERS``."""

RUNGS = {
    "reference": "reference",
    "certified": "+ certified integers",
    "deployed": "+ simplejpeg",
}
"""Key -> contender of ``ladder``."""

CLUSTERS = "search_cluster_jobs"
"""Table of clustering jobs."""

MEMORY = "baseline_memory"
KERNELS = "search_kernels"
OPEN_SET = "retrieval_open_set"

NUMBERS: dict[str, Number] = {
    # Part 1: cost today
    "reference-ms": Number("ladder", warm(RUNGS["reference"]), milliseconds),
    "share-box": Number("baseline_steps", lambda t: step_shares(t)["box filter"], _percent0),
    "growth-power": Number("baseline_growth_count", _growth("exponent"), _fixed2),
    "growth-low": Number("baseline_growth_count", _growth("low"), _fixed2),
    "growth-high": Number("baseline_growth_count", _growth("high"), _fixed2),
    "growth-images": Number("baseline_growth_count", lambda t: t["images"].max(), whole),
    "days-million": Number("ladder", lambda t: warm("reference")(t) * 1e6 / 86_400, _fixed1),
    "memory-pixel": Number(MEMORY, _bytes_per_pixel, _fixed0),
    "memory-largest": Number(MEMORY, lambda t: _bytes_per_pixel(t) * MAX_SIDE**2 / 1e6, _fixed0),
    "wrong-bits": Number(
        "baseline_faults", lambda t: t.loc[t["cols"] > t["rows"], "bits_wrong"].max(), _fixed0
    ),
    # Part 1: optimisations
    "box-samples-times": Number("candidates_box", gain("reference", "samples only"), _about),
    "box-samples-saved": Number(
        "candidates_box", lambda t: 1 - 1 / gain("reference", "samples only")(t), _percent0
    ),
    "box-numba-times": Number("candidates_box", gain("reference", "Numba"), _about),
    "proved-random": Number("certificate", one("images", kind="random"), whole),
    "fallback-set": Number("certificate", lambda t: _uncertified(t).iloc[0]["number"], whole),
    "fallback-random": Number(
        "certificate", lambda t: _uncertified(t).loc["random", "share"], _percent0
    ),
    "proved-bits": Number("certificate", lambda t: t["bits_changed"].sum(), whole),
    "volume-images": Number("volume", volume_images, whole),
    "fuzz-files": Number("fuzz", lambda t: t["files"].sum(), whole),
    "volume-bits": Number("volume", lambda t: t["bits"].sum(), whole),
    "fuzz-lost": Number("fuzz", lambda t: t["wrong_rows"].sum(), whole),
    "faults-lost": Number("faults", lambda t: _provoked(t)["rows_lost"].sum(), whole),
    "fault-kinds": Number("faults", lambda t: _provoked(t)["fault"].nunique(), whole),
    "certified-ms": Number("ladder", warm(RUNGS["certified"]), milliseconds),
    "deployed-ms": Number("ladder", warm(RUNGS["deployed"]), milliseconds),
    "deployed-times": Number("ladder", gain(RUNGS["reference"], RUNGS["deployed"]), _about),
    "certified-gain": Number(
        "ladder", gain("+ DCT, compiled", RUNGS["certified"]), lambda ratio: fixed(ratio, 1)
    ),
    "start-compile": Number("ladder_cold_start", _compiling, _fixed0),
    "start-load": Number("ladder_cold_start", warm("load"), _fixed1),
    "large-luma-share": _of_find("find_luma"),
    "large-to": Number("large_images_costs", lambda t: t["side"].max(), whole),
    "large-dhash-times": _of_find("dhash64", _fixed1),
    "large-phash-times": _of_find("phash64", _fixed1),
    "large-dhash-share": _of_find("dhash64, draft"),
    "large-phash-share": _of_find("phash64, draft"),
    "luma-bits-mean": Number("large_luma_bits", lambda t: t["mean"].iloc[0], _fixed1),
    "threads-gain-small": _gain_of("threads"),
    "processes-gain-small": _gain_of("processes"),
    "dask-gain-small": _gain_of("dask"),
    "processes-pay": Number(
        "parallel_throughput_small", processes_pay, lambda images: significant(images, 1)
    ),
    "whole-seconds": Number("parallel_whole_set", lambda t: _hashing(t)["seconds"].min(), _fixed0),
    "images": Number("parallel_whole_set", lambda t: t["images"].iloc[0], whole),
    # Part 2: data and method
    "pairs-billion": Number(
        "counting_histograms",
        lambda t: labelled_pairs(t).sum() / 1e9,
        _fixed1,
    ),
    "prevalence": Number(
        "counting_histograms",
        lambda t: labelled_pairs(t)["same"] / labelled_pairs(t).sum(),
        lambda share: percent(share, 2),
    ),
    "false-claims-3": Number("counting_histograms", false_share, _percent0),
    "effective-families": Number(
        "thresholds_effective", lambda t: t["families"].iloc[0], lambda n: significant(n, 1)
    ),
    "coverage-half-samples-least": Number(
        "resampling_coverage", lambda t: _half_samples(t).min(), _percent0
    ),
    "coverage-half-samples-most": Number(
        "resampling_coverage", lambda t: _half_samples(t).max(), _percent0
    ),
    "unmerged4-find": Number("rates", _as_labelled("tpr_1e-04"), _percent0),
    "unmerged5-find": Number("rates", _as_labelled("tpr_1e-05"), _percent0),
    # Part 2: accuracy
    "dhash-loss": Number("rates", _loss, _fixed0),
    "heaviest-find": Number("resampling_heaviest", one("share", method="find"), _percent0),
    "rule-exceeds-most": Number(
        "thresholds_coverage", lambda t: _largest(t)["rule_exceeds"].max(), _percent0
    ),
    "estimate-exceeds-most": Number(
        "thresholds_coverage", lambda t: _largest(t)["estimate_exceeds"].max(), _percent0
    ),
    "b-equal4-phash256": Number(
        "confirmation_differences", one("p_equivalent", method="phash256", target=1e-4), _p
    ),
    **{
        f"b-rate4-{name}": Number("confirmation_rates", headline("tpr_1e-04", name), _percent0)
        for name in ("find", "phash256", "dhash256", "ahash256", "whash256")
    },
    "b5-find": Number("confirmation", headline("recall", "find", target=1e-5), _percent0),
    "b-rate5-find": Number("confirmation_rates", headline("tpr_1e-05", "find"), _percent0),
    "b-held": Number(
        "confirmation", lambda t: (_merged(t)["fpr"] <= _merged(t)["target"]).sum(), str
    ),
    "b-thresholds": Number("confirmation", lambda t: len(_merged(t)), str),
    # Part 2: search, clusters, changed images, bits
    "open-search-find": Number(
        OPEN_SET, one("false_accepts", method="find", use="search"), _percent0
    ),
    "given-components-find": Number("clustering_held_out", _given_f1, _percent0),
    **{
        f"doubling-{algorithm}{end}": _per_doubling(algorithm, column)
        for algorithm in ("components", "spheres")
        for end, column in (("", "bits"), ("-least", "high"), ("-most", "low"))
    },
    "cell-jpeg-50-find": Number(
        "robustness", one("recall", transform="jpeg", strength="50", method="find"), _percent0
    ),
    "cell-crop-5-find": Number(
        "robustness", one("recall", transform="crop", strength="5", method="find"), _percent0
    ),
    "flips-low-find": Number("bits", lambda t: _flips(t, slice(1, 7)), _percent0),
    "flips-high-find": Number("bits", lambda t: _flips(t, slice(8, None)), _percent0),
    "effective-find": Number(
        "rates", headline("effective_bits", "find"), lambda bits: significant(bits, 1)
    ),
    "effective-ahash256": Number(
        "rates", headline("effective_bits", "ahash256"), lambda bits: significant(bits, 1)
    ),
    "middle5": Number(
        "bits_variant_intervals", one("recall", method="find_middle", target=1e-5), _percent0
    ),
    "middle5-between": Number("bits_variant_intervals", _interval, str),
    "layout-across-find": Number(
        "layouts_recall",
        one("recall", variant="FINd", layout="across the middle", target=1e-5),
        _percent0,
    ),
    "layout-across-middle": Number(
        "layouts_recall",
        one("recall", variant="FINd, middle half", layout="across the middle", target=1e-5),
        _percent0,
    ),
    # Part 2: matching at scale
    "cluster-components-seconds": _cluster("components"),
    "cluster-spheres-seconds": _cluster("spheres"),
    "join-rate": Number(KERNELS, lambda t: _rate(t, "join") / 1e9, _fixed1),
    "join-flat": Number(KERNELS, lambda t: _rate(t, "join") / _rate(t, "FAISS flat"), _fixed1),
    "match-one": Number("search_one", warm("within the radius"), milliseconds),
    "exponent-pruned": Number(
        "growth_exponents",
        one("exponent", method="find", growth="number", contender="pruned", span="last decade"),
        _fixed1,
    ),
    "join-flat-eight": Number(
        "search_ratios", one("ratio", set="families of eight", contender="join"), _fixed1
    ),
    # Part 2: which to use
    "false-search-a": Number(
        "thresholds", lambda t: 1e6 * one("fpr", method="find", use="search")(t), _about
    ),
    "false-search-b": Number(
        "confirmation", lambda t: 1e6 * headline("fpr", "find", target=1e-4)(t), _about
    ),
    "images-strict": Number(
        "choice_needs", one("images_high", use="match"), lambda n: significant(n, 1)
    ),
    "each-find-ms": Number(
        "each_hash", lambda t: one("ms_file", method="find")(t) / 1e3, milliseconds
    ),
    "cpu-share": Number("each_hash", one("cpu", method="find"), _percent0),
    "tuned-phash-times": Number(
        "tuned_phash", one("ratio", contender="pHash, compiled"), lambda ratio: fixed(ratio, 1)
    ),
    # A user's own set
    "families": _images("families"),
    "set-single-families": _images("single_families"),
    "set-unreadable": _images("unreadable"),
    "set-skipped": _images("skipped"),
    "set-width-min": _images("width_min"),
    "set-width-median": _images("width_median"),
    "set-width-max": _images("width_max"),
    "set-height-min": _images("height_min"),
    "set-height-median": _images("height_median"),
    "set-height-max": _images("height_max"),
    "set-kilobytes": Number("datasets_images", lambda t: t["bytes_median"].iloc[0] / 1e3, _fixed0),
    "cost-find": Number(
        "each_hash", lambda t: one("ms_file", method="find")(t) / 1e3, milliseconds
    ),
    "large-side": Number("each_hash_growth", lambda t: t["side"].max(), whole),
    "transforms": Number("robustness", lambda t: t["transform"].nunique(), str),
    "cluster-images": Number(CLUSTERS, lambda t: t["images"].max(), whole),
}
"""Key of a number -> results table, query and format."""
