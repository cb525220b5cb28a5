"""Claims of the report's and the README's sentences that no notebook makes."""

from collections.abc import Callable

import pandas as pd

from finhash import methods
from finhash.accuracy.findings import LEVEL
from finhash.study import results
from finhash.study.cost import operations
from finhash.study.report.measures import (
    false_share,
    gain_of_two,
    step_shares,
    volume_images,
)
from finhash.study.results import medians

DEPLOYED = "+ simplejpeg"
"""Last rung of ``ladder``."""

SHORT = {"find64": "find"} | {
    f"{name}64": f"{name}256" for name in ("ahash", "phash", "dhash", "whash")
}
"""Each hash of 64 bits, and the one of 256 bits with the same idea."""

LIGHT = ("jpeg", "blur", "noise", "aspect", "colour")
"""Changes that cost FINd hardly any recall."""


def _found(accuracy: pd.DataFrame, rate: str) -> pd.Series:
    """Return recall at a rate by method, from ``rates`` or ``confirmation_rates``."""
    return results.headline(accuracy).set_index("method")[f"tpr_{rate}"]


def _tests(differences: pd.DataFrame, target: float) -> pd.DataFrame:
    return differences[differences["target"] == target].set_index("method")


def _cell(robustness: pd.DataFrame, transform: str, strength: str | None = None) -> float:
    """Return FINd's mean recall after a change."""
    rows = robustness[(robustness["method"] == "find") & (robustness["transform"] == transform)]
    if strength is not None:
        rows = rows[rows["strength"] == strength]
    return rows["recall"].mean()


def _speed_up(ladder: pd.DataFrame) -> float:
    return medians(ladder)["reference"] / medians(ladder)[DEPLOYED]


def _equivalent(differences: pd.DataFrame, method: str, target: float = 1e-4) -> bool:
    return _tests(differences, target).loc[method, "p_equivalent"] < LEVEL


def _open_set(table: pd.DataFrame) -> float:
    return table.query("method == 'find' and use == 'search'")["false_accepts"].iloc[0]


def _b(confirmation: pd.DataFrame, method: str, target: float) -> float:
    rows = confirmation[(confirmation["labels"] == "merged") & (confirmation["method"] == method)]
    return rows.loc[rows["target"] == target, "recall"].iloc[0]


def _beyond(clustering: pd.DataFrame, algorithm: str, beyond: int) -> float:
    """Return the F1 of FINd's clusters ``beyond`` bits above the best threshold."""
    rows = results.headline(clustering, "truth")
    rows = rows[(rows["algorithm"] == algorithm) & (rows["method"] == "find")]
    scores = rows.dropna(subset=["f1"]).set_index("radius")["f1"].sort_index()
    above = scores[scores.index >= scores.idxmax() + beyond]
    return above.iloc[0]


def _over_faiss(ratios: pd.DataFrame, hashes: str) -> float:
    """Return the rate of the join over that of FAISS at the threshold for search."""
    rows = ratios[(ratios["contender"] == "join") & (ratios["radius"] == ratios["radius"].max())]
    return rows.set_index("set")["ratio"][hashes]


def _layout(table: pd.DataFrame, variant: str) -> float:
    rows = table[(table["layout"] == "across the middle") & (table["target"] == 1e-5)]
    return rows.loc[rows["variant"] == variant, "recall"].iloc[0]


def _of_256_bits(values: pd.Series) -> pd.Series:
    return values[[methods.get(name).bits == 256 for name in values.index]]


def _largest_side(costs: pd.DataFrame) -> pd.Series:
    return costs[costs["side"] == costs["side"].max()].set_index("contender")["ms"]


def _gain_of_reduced(costs: pd.DataFrame) -> pd.Series:
    """Return how many times faster each hash of the largest images is with reduced decoding."""
    ms = _largest_side(costs)
    gains = {name: ms[name] / ms[f"{name}, draft"] for name in ("ahash64", "dhash64", "phash64")}
    return pd.Series(gains | {"find": ms["find"] / ms["find_luma"]})


def _spread_of_reduced(costs: pd.DataFrame) -> float:
    """Return the slowest over the fastest hash of the largest images with reduced decoding."""
    ms = _largest_side(costs)
    reduced = ms[["ahash64, draft", "dhash64, draft", "phash64, draft", "find_luma"]]
    return reduced.max() / reduced.min()


def _count_exponent(counts: pd.DataFrame) -> pd.Series:
    """Return the fitted exponent of time in the number of images, with its interval."""
    return operations.exponent(counts["images"], counts["seconds"])


def _side_exponent(sides: pd.DataFrame) -> float:
    """Return the exponent of time against pixels, up to 512 pixels per side."""
    rows = sides[(sides["content"] == "noise") & (sides["side"] <= 512)]
    return operations.exponent(rows["side"] ** 2, rows["seconds"])["exponent"]


def _changed(exactness: pd.DataFrame) -> pd.Series:
    return exactness.set_index("contender")["bits_changed"]


def _rows(bits: pd.DataFrame) -> pd.Series:
    return bits[bits["method"] == "find"].groupby("row")["same"].mean()


def _per_doubling(table: pd.DataFrame) -> pd.Series:
    """Return by how many bits FINd's best threshold moves per doubling, by algorithm."""
    rows = table[(table["method"] == "find") & (table["score"] == "f1")]
    return rows.set_index("algorithm")["bits"]


def _hashing_hours(whole_set: pd.DataFrame, images: int) -> float:
    """Return the core-hours to hash a number of images with two processes."""
    row = whole_set[whole_set["executor"] == "processes"].iloc[0]
    return row["seconds"] * row["workers"] / row["images"] * images / 3600


def _million(jobs: pd.DataFrame) -> float:
    """Return the core-hours of the largest job by components, on two cores."""
    rows = jobs[jobs["algorithm"] == "components"]
    return rows.loc[rows["images"].idxmax(), "seconds"] * 2 / 3600


def _strict(b: pd.DataFrame) -> pd.Series:
    """Return FINd's row for the strictest target on set B."""
    rows = b[(b["labels"] == "merged") & (b["templates"] == "all") & (b["method"] == "find")]
    return rows[rows["target"] == 1e-5].iloc[0]


CLAIMS: dict[str, tuple[Callable[..., bool], tuple[str, ...]]] = {
    # Summary
    "speed-up": (lambda ladder: _speed_up(ladder) > 100, ("ladder",)),
    "equivalent-phash": (
        lambda a, b: _equivalent(a, "phash256") and _equivalent(b, "phash256"),
        ("resampling_differences", "confirmation_differences"),
    ),
    "find-cheapest": (
        lambda cost: (
            _of_256_bits(cost.set_index("method")["ms_file"]).drop("find_middle").idxmin() == "find"
        ),
        ("each_hash",),
    ),
    "match-misses-half": (
        lambda b: 0.45 < _b(b, "find", 1e-5) < 0.55,
        ("confirmation",),
    ),
    "search-open-set": (lambda table: _open_set(table) > 0.01, ("retrieval_open_set",)),
    "geometry-lost": (
        lambda r: max(_cell(r, "flip"), _cell(r, "crop", "10"), _cell(r, "border", "10")) < 0.05,
        ("robustness",),
    ),
    "decoder-decides": (
        lambda costs: _gain_of_reduced(costs).min() > _spread_of_reduced(costs) > 1,
        ("large_images_costs",),
    ),
    "dhash-nearest": (
        lambda a, b: (
            _found(a, "1e-03")["dhash256"] > _found(a, "1e-03")["find"]
            and _found(b, "1e-03")["dhash256"] > _found(b, "1e-03")["find"]
        ),
        ("rates", "confirmation_rates"),
    ),
    # Part 1
    "reference-slow": (lambda ladder: medians(ladder)["reference"] > 0.1, ("ladder",)),
    "most-sums-discarded": (
        lambda ops: (ops["cols"] * ops["rows"]).max() > 2 * 64**2,
        ("baseline_operations",),
    ),
    "luma-second": (
        lambda steps: (
            step_shares(steps).drop("box filter").idxmax() == "luma"
            and step_shares(steps)["luma"] > 0.5 * (1 - step_shares(steps)["box filter"])
        ),
        ("baseline_steps",),
    ),
    "time-proportional": (
        lambda counts: abs(_count_exponent(counts)["exponent"] - 1) < 0.1,
        ("baseline_growth_count",),
    ),
    "grows-with-pixels": (lambda sides: 1 < _side_exponent(sides) < 1.4, ("baseline_growth_side",)),
    "memory-small": (
        lambda memory: 30 < (memory["bytes"] / memory["side"] ** 2).iloc[-1] < 120,
        ("baseline_memory",),
    ),
    "faults": (
        lambda faults: (
            faults.query("cols > rows")["bits_wrong"].max() > 64
            and (
                faults.query("cols < rows")["errors"] == faults.query("cols < rows")["images"]
            ).all()
        ),
        ("baseline_faults",),
    ),
    "numba-box-exact": (
        lambda table: _changed(table)["Numba"] == 0,
        ("candidates_box_exactness",),
    ),
    "summed-area-inexact": (
        lambda table, times: (
            min(_changed(table)[["summed area", "SciPy uniform"]]) > 0
            and medians(times)["Numba"] < medians(times)[["summed area", "SciPy uniform"]].min()
        ),
        ("candidates_box_exactness", "candidates_box"),
    ),
    "pillow-luma-inexact": (
        lambda table: _changed(table)["Pillow L"] > 0,
        ("candidates_luma_exactness",),
    ),
    "certificate-exact": (lambda table: table["bits_changed"].sum() == 0, ("certificate",)),
    "certificate-needed": (lambda table: table["fast_bits_changed"].sum() > 0, ("certificate",)),
    "decoder-exact": (lambda table: table["pixels_changed"].sum() == 0, ("certificate",)),
    "two-processes": (
        lambda speed: gain_of_two(speed, "processes") > 1.5,
        ("parallel_throughput_small",),
    ),
    "threads-gil": (
        lambda speed: gain_of_two(speed, "threads") < gain_of_two(speed, "processes") - 0.1,
        ("parallel_throughput_small",),
    ),
    "below-imagehash": (
        lambda ladder: (
            medians(ladder)[DEPLOYED]
            < medians(ladder)[["ahash64", "phash64", "dhash64", "whash64"]].min()
        ),
        ("ladder",),
    ),
    "decoding-left": (
        lambda kernel: medians(kernel)["decode"] > medians(kernel)["kernel"],
        ("ladder_kernel",),
    ),
    "cold-start": (
        lambda start: (
            medians(start)["find_hash"]
            < medians(start)["load"]
            < start.loc[start["contender"] == "compile and load", "seconds"].item()
        ),
        ("ladder_cold_start",),
    ),
    "job-memory-flat": (
        lambda memory: (
            memory.sort_values("files")["bytes"].iloc[-1]
            < 1.3 * memory.sort_values("files")["bytes"].iloc[0]
        ),
        ("parallel_memory_files",),
    ),
    "cluster-survives": (lambda table: table["identical"].all(), ("parallel_cluster",)),
    "million-exact": (
        lambda table: table["bits"].sum() == 0 and volume_images(table) >= 1_000_000,
        ("volume",),
    ),
    "mutated-survive": (
        lambda table: not table[["wrong_rows", "died", "bits"]].to_numpy().any(),
        ("fuzz",),
    ),
    "rows-kept": (
        lambda faults, soak: (
            not faults.loc[faults["fault"] != "folder removed", "rows_lost"].any()
            and (faults["completed"] == faults["repeats"]).all()
            and not soak[["rows_lost", "rows_doubled", "rows_wrong", "not_mended"]].to_numpy().any()
        ),
        ("faults", "soak"),
    ),
    "same-everywhere": (
        lambda table: (
            not table["differing_methods"].fillna("").str.contains("find").any()
            and table[["join", "nearest", "families"]].to_numpy().all()
        ),
        ("platforms",),
    ),
    # Part 2
    "prevalence-matters": (
        lambda h: false_share(h) > 0.1,
        ("counting_histograms",),
    ),
    "few-effective": (
        lambda table: table["families"].iloc[0] < 100,
        ("thresholds_effective",),
    ),
    "ahash-whash-less": (
        lambda a, b: all(
            (_tests(table, 1e-4).loc[["ahash256", "whash256"], "p"] < 0.01).all()
            and (_tests(table, 1e-4).loc[["ahash256", "whash256"], "difference"] < 0).all()
            for table in (a, b)
        ),
        ("resampling_differences", "confirmation_differences"),
    ),
    "dhash-undecided": (
        lambda a, b: all(
            _tests(table, 1e-4).loc["dhash256", ["p", "p_equivalent"]].min() > LEVEL
            for table in (a, b)
        ),
        ("resampling_differences", "confirmation_differences"),
    ),
    "dhash-falls": (
        lambda a: (
            _of_256_bits(_found(a, "1e-03"))["dhash256"]
            > _of_256_bits(_found(a, "1e-03")).max() - 0.02
            and _found(a, "1e-03")["dhash256"] - _found(a, "1e-05")["dhash256"] > 0.25
        ),
        ("rates",),
    ),
    "short-find-less": (
        lambda a: all(
            _found(a, rate)[short]
            < _found(a, rate)[short.replace("64", "256").replace("find256", "find")]
            for short in SHORT
            for rate in ("1e-03", "1e-04", "1e-05")
        ),
        ("rates",),
    ),
    "sunburst": (
        lambda table: table.set_index("method")["share"]["find"] > 0.3,
        ("resampling_heaviest",),
    ),
    "rule-holds": (
        lambda table: (
            table["rule_exceeds"].max() <= 0.15
            and table["estimate_exceeds"].max() > 2 * table["rule_exceeds"].max()
        ),
        ("thresholds_coverage",),
    ),
    "rates-held": (
        lambda b: (
            (b.query("labels == 'merged'")["fpr"] <= b.query("labels == 'merged'")["target"]).mean()
            > 0.9
        ),
        ("confirmation",),
    ),
    "nearest-all": (
        lambda table: (
            _of_256_bits(
                table.query("score == 'p1' and ties == 'expected'").set_index("method")["images"]
            ).min()
            > 0.99
        ),
        ("retrieval",),
    ),
    "components-given": (
        lambda table: (
            table.query("rule == 'given' and algorithm == 'components' and method == 'find'")[
                "f1"
            ].mean()
            > 0.85
        ),
        ("clustering_held_out",),
    ),
    "components-collapse": (
        lambda table: (
            _beyond(table, "components", 24) < 0.5 * _beyond(table, "components", 0)
            and _beyond(table, "spheres", 14) > 0.8 * _beyond(table, "spheres", 0)
        ),
        ("clustering",),
    ),
    "photometric-kept": (
        lambda r: min(_cell(r, change) for change in LIGHT) > _cell(r, "jpeg", "50") - 0.02,
        ("robustness",),
    ),
    "geometry-costs": (
        lambda r: (
            _cell(r, "crop", "5") < 0.5 * _cell(r, "jpeg", "50")
            and max(_cell(r, "flip"), _cell(r, "border", "10"), _cell(r, "screenshot")) < 0.05
        ),
        ("robustness",),
    ),
    "captions-high": (
        lambda bits: _rows(bits).loc[8:].mean() > 1.3 * _rows(bits).loc[1:7].mean(),
        ("bits",),
    ),
    "ahash-correlated": (
        lambda a: (
            results.headline(a).set_index("method")["effective_bits"]["ahash256"]
            < 0.3 * results.headline(a).set_index("method")["effective_bits"]["find"]
        ),
        ("rates",),
    ),
    "middle-loses": (
        lambda t: _layout(t, "FINd, middle half") < _layout(t, "FINd") - 0.05,
        ("layouts_recall",),
    ),
    "lookup-fast": (lambda one: medians(one)["within the radius"] < 0.002, ("search_one",)),
    "threshold-shrinks": (
        lambda t: _per_doubling(t)["components"] < -2 < _per_doubling(t)["spheres"] < 0,
        ("clustering_per_doubling",),
    ),
    "matching-dominates": (
        lambda model, jobs, job: (
            model.set_index("images")["core_hours"][10**9] > 10 * _hashing_hours(job, 10**9)
            and _million(jobs) < _hashing_hours(job, 10**6)
        ),
        ("search_model", "search_cluster_jobs", "parallel_whole_set"),
    ),
    "certificate-modest": (
        lambda ladder: (
            medians(ladder)["+ DCT, compiled"] < 2 * medians(ladder)["+ certified integers"]
        ),
        ("ladder",),
    ),
    "join-beats-faiss": (
        lambda ratios: (
            1 < _over_faiss(ratios, "families of eight") < _over_faiss(ratios, "shuffled")
        ),
        ("search_ratios",),
    ),
    "pdq-dropped": (
        lambda pairs, b: (
            len(
                pairs.query(
                    "method == 'phash256' and against == 'pdq' and target == 1e-5"
                    " and 0.04 < p < 0.05 and difference > 0"
                )
            )
            == 1
            and _tests(b, 1e-4).loc["pdq", "p_equivalent"] >= LEVEL
            and _tests(b, 1e-4).loc["pdq", "p"] >= LEVEL
            and _tests(b, 1e-5).loc["pdq", "p"] >= LEVEL
        ),
        ("resampling_pairs", "confirmation_differences"),
    ),
    "million-cheap": (
        lambda job: _hashing_hours(job, 10**6) * operations.DOLLARS_PER_CORE_HOUR < 0.01,
        ("parallel_whole_set",),
    ),
    "b-bounded": (
        lambda b: _strict(b)["fpr"] < 0.5e-5 and _strict(b)["fpr_high"] > 1e-5,
        ("confirmation_certainty",),
    ),
}
"""Key of a sentence -> predicate, and the results tables that it reads."""
