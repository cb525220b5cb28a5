"""Claims about the accuracy of the hashes: the findings of notebooks 05 to 08."""

from collections.abc import Callable

import pandas as pd

from finhash.accuracy.findings import LEVEL
from finhash.study.report.measures import near
from finhash.study.results import medians

DCT = ("find", "phash256", "pdq")
"""Hashes of 256 bits that come from a discrete cosine transform."""

PIXELS = ("ahash256", "dhash256", "whash256")
"""Hashes of 256 bits that come from pixels or wavelets."""

AVERAGES = ("ahash256", "whash256")
"""Hashes of 256 bits that compare local means with a global one."""

SHORTER = {"find64": "find"} | {
    f"{name}64": f"{name}256" for name in ("ahash", "phash", "dhash", "whash")
}
"""Hash of 64 bits -> the one of 256 bits that is made in the same way."""


def _rates(rates: pd.DataFrame, column: str, labels: str = "merged") -> pd.Series:
    return rates[rates["labels"] == labels].set_index("method")[column]


def _at(table: pd.DataFrame, target: float, column: str) -> pd.Series:
    """Return a column by method or variant, at one false positive rate."""
    key = "variant" if "variant" in table else "method"
    return table[table["target"] == target].set_index(key)[column]


def _threshold(thresholds: pd.DataFrame, use: str, column: str = "threshold") -> pd.Series:
    return thresholds[thresholds["use"] == use].set_index("method")[column]


def _retrieved(retrieval: pd.DataFrame, score: str) -> pd.Series:
    rows = retrieval[(retrieval["score"] == score) & (retrieval["ties"] == "expected")]
    return rows.set_index("method")["images"]


def _f1(clusters: pd.DataFrame, algorithm: str, method: str = "find") -> pd.Series:
    """Return F1 by radius; labels are merged where a column says so."""
    rows = clusters[(clusters["algorithm"] == algorithm) & (clusters["method"] == method)]
    return rows[rows["truth"] == "merged"].set_index("radius")["f1"]


def _best_f1(clusters: pd.DataFrame, algorithm: str) -> pd.Series:
    """Return the best F1 of each method; labels are merged where a column says so."""
    rows = clusters[(clusters["algorithm"] == algorithm) & (clusters["truth"] == "merged")]
    return rows.groupby("method")["f1"].max()


def _strangers(opened: pd.DataFrame, counted: pd.DataFrame) -> float:
    """Return the mean number of images of other families within FINd's threshold for search."""
    rows = counted[(counted["labels"] == "merged") & (counted["method"] == "find")]
    images = (1 + (1 + 8 * rows[["same", "other"]].to_numpy().sum()) ** 0.5) / 2
    near = rows["distance"] <= _threshold(opened, "search", "radius")["find"]
    return 2 * rows.loc[near, "other"].sum() / images


def _held_out(halves: pd.DataFrame, algorithm: str, rule: str, method: str = "find") -> pd.Series:
    keys = {"algorithm": algorithm, "rule": rule, "method": method}
    return halves[(halves[list(keys)] == pd.Series(keys)).all(axis=1)]["f1"]


def _slope(slopes: pd.DataFrame, algorithm: str, score: str = "f1") -> pd.DataFrame:
    rows = slopes[(slopes["algorithm"] == algorithm) & (slopes["score"] == score)]
    return rows.set_index("method")


def _loss_of_60(grown: pd.DataFrame, algorithm: str) -> float:
    """Return the mean loss of F1 if FINd's threshold for 60 families is kept for all."""
    keys = {"method": "find", "algorithm": algorithm, "score": "f1", "families": 60}
    return grown[(grown[list(keys)] == pd.Series(keys)).all(axis=1)]["loss"].mean()


def _lost(robust: pd.DataFrame, method: str = "find") -> pd.Series:
    """Return the recall that each change costs, against changing the caption alone."""
    recall = robust[robust["method"] == method].set_index(["transform", "strength"])["recall"]
    return recall["caption_changed", "another"] - recall


def _found(turned: pd.DataFrame, compared: str, way: str, share: str) -> pd.Series:
    """Return the share of copies that are found, by use and kind of copy."""
    rows = turned[(turned["compared"] == compared) & (turned["turned"] == way)]
    return rows.set_index(["use", "copies"])[share]


def _lost_by(robust: pd.DataFrame, methods: tuple[str, ...], transform: str) -> list[float]:
    return [_lost(robust, name)[transform].mean() for name in methods]


def _nearest_right(robust: pd.DataFrame, transform: str, strength: str) -> float:
    """Return how often FINd's nearest image of a changed one is of its family."""
    of_find = robust[robust["method"] == "find"].set_index(["transform", "strength"])
    return float(of_find["nearest_right"][transform, strength])


def _rows(bits: pd.DataFrame, method: str) -> pd.Series:
    """Return how often a bit of each row differs within families."""
    return bits[bits["method"] == method].groupby("row")["same"].mean()


def _higher_rows(bits: pd.DataFrame, method: str) -> float:
    """Return how much more often rows from the eighth on flip than the first seven."""
    return _rows(bits, method).loc[7:].mean() / _rows(bits, method).loc[:6].mean()


def _best_rows(bits: pd.DataFrame, method: str, number: int) -> set[int]:
    """Return the rows of the bits with the largest log odds ratios."""
    rows = bits[bits["method"] == method].set_index("row")
    odds = rows["other"] / (1 - rows["other"]) / (rows["same"] / (1 - rows["same"]))
    return set(odds.nlargest(number).index)


def _least_cost(costs: pd.DataFrame, ratio: int, growth: int = 1) -> pd.Series:
    keys = {"method": "find", "labels": "merged", "ratio": ratio, "growth": growth}
    return costs[(costs[list(keys)] == pd.Series(keys)).all(axis=1)].iloc[0]


def _half_samples(coverage: pd.DataFrame, interval: str = "half-samples") -> pd.Series:
    rows = coverage[(coverage["interval"] == interval) & (coverage["target"] == 1e-5)]
    return rows["coverage"]


def _over_cheapest(cost: pd.Series) -> float:
    """Return FINd's cost over the least of the hashes that are not versions of FINd."""
    return cost["find"] / cost[~cost.index.str.startswith("find")].min()


def _side(growth: pd.DataFrame, side: int) -> pd.Series:
    return growth[growth["side"] == side].groupby("method")["seconds"].median()


def _peaks(memory: pd.DataFrame) -> pd.Series:
    """Return by how many times memory grows from 250 to 2,000 pixels a side."""
    wide = memory.pivot(index="method", columns="side", values="bytes")
    return wide[2000] / wide[250]


ACCURACY: dict[str, tuple[Callable[..., bool], tuple[str, ...]]] = {
    # Every pair
    "auc-orders-otherwise": (
        lambda rates: (
            _rates(rates, "auc").idxmax() == "ahash256"
            and near(_rates(rates, "tpr_1e-05")["ahash256"], 0.495, 0.02)
            and near(_rates(rates, "tpr_1e-05")["find"], 0.73, 0.02)
        ),
        ("rates",),
    ),
    "no-hash-finds-all": (
        lambda rates: (
            _rates(rates, "tpr_1e-03").max() < 0.94
            and near(_rates(rates, "tpr_1e-03")["find"], 0.93, 0.005)
            and near(_rates(rates, "tpr_1e-03", "as labelled")["find"], 0.99, 0.005)
        ),
        ("rates",),
    ),
    "64-bits-find-less": (
        lambda rates: all(
            _rates(rates, f"tpr_{rate}")[short] < _rates(rates, f"tpr_{rate}")[long]
            for rate in ("1e-03", "1e-04", "1e-05")
            for short, long in SHORTER.items()
        ),
        ("rates",),
    ),
    "labels-lower-recall": (
        lambda rates: near(_rates(rates, "tpr_1e-05", "as labelled")["find"], 0.31, 0.02),
        ("rates",),
    ),
    "a-rate-suits-a-size": (
        lambda shares: (
            near(shares.set_index("times")["1e-04"][1], 0.96, 0.01)
            and near(shares.set_index("times")["1e-04"][100], 0.18, 0.01)
        ),
        ("rates_prevalence",),
    ),
    "copies-threshold-misses": (
        lambda untuned: (
            untuned.query("radius == 31")["fpr"].max() == 0
            and near(untuned.set_index("method")["recall"]["pdq"], 0.08, 0.01)
        ),
        ("rates_published_radii",),
    ),
    # One image under two names
    "readers-agree": (
        lambda agreed: (
            near(agreed.set_index("found_by")["agreement"]["all"], 0.97, 0.01)
            and near(agreed.set_index("found_by")["kappa"]["all"], 0.82, 0.02)
        ),
        ("twins_agreement",),
    ),
    "hashes-propose-no-twin": (
        lambda agreed: agreed.set_index("found_by")["both"]["hashes"] == 0,
        ("twins_agreement",),
    ),
    "labels-are-wrong": (
        lambda share: (
            near(_at(share, 1e-5, "share").min(), 0.976, 0.01)
            and near(_at(share, 1e-5, "share").max(), 0.997, 0.003)
        ),
        ("twins_false_share",),
    ),
    # How sure?
    "intervals-cover": (
        lambda covered: (
            _half_samples(covered).between(0.915, 0.965).all()
            and _half_samples(covered, "percentile bootstrap").between(0.795, 0.875).all()
        ),
        ("resampling_coverage",),
    ),
    "dhash-covers-less": (
        lambda covered: near(
            covered.query(
                "method == 'dhash256' and interval == 'half-samples'"
                " and target == 1e-4 and families == 956"
            )["coverage"].iloc[0],
            0.88,
            0.01,
        ),
        ("resampling_coverage",),
    ),
    "small-rates-are-biased": (
        lambda covered: covered[covered["target"] == 1e-5]["bias"].between(0.015, 0.054).all(),
        ("resampling_coverage",),
    ),
    "one-pair-of-families": (
        lambda heavy: (
            near(heavy.set_index("method")["share"]["find"], 0.54, 0.03)
            and (heavy["recall"].rank() == heavy["without"].rank()).all()
        ),
        ("resampling_heaviest",),
    ),
    "phash-and-pdq-equivalent": (
        lambda apart: (_at(apart, 1e-4, "p_equivalent")[["phash256", "pdq"]] < 0.01).all(),
        ("resampling_differences",),
    ),
    "nothing-shown-at-1e-5": (
        lambda apart: (
            (_at(apart, 1e-5, "p")[["phash256", "pdq"]] > LEVEL).all()
            and (_at(apart, 1e-5, "p_equivalent")[["phash256", "pdq"]] > LEVEL).all()
        ),
        ("resampling_differences",),
    ),
    "phash-beats-pdq": (
        lambda pairs: all(
            (found := pairs.set_index(["target", "method", "against"]).loc[row])["p"] < LEVEL
            and found["difference"] > 0
            for row in (
                *((rate, "phash256", other) for rate in (1e-4, 1e-5) for other in AVERAGES),
                *((1e-4, "pdq", other) for other in AVERAGES),
                (1e-4, "dhash256", "whash256"),
                (1e-5, "phash256", "pdq"),
            )
        ),
        ("resampling_pairs",),
    ),
    "averages-and-short-find-less": (
        lambda apart: all(
            _at(apart, target, "p")[name] < 0.02 and _at(apart, target, "difference")[name] < 0
            for target in (1e-4, 1e-5)
            for name in ("find64", "ahash256", "ahash64", "whash256", "whash64", "dhash64")
        ),
        ("resampling_differences",),
    ),
    "others-not-told-apart": (
        lambda apart: all(
            _at(apart, target, "p")[name] > LEVEL
            for target in (1e-4, 1e-5)
            for name in ("dhash256", "phash64", "find_middle")
        ),
        ("resampling_differences",),
    ),
    "intervals-not-corrected": (
        lambda apart: (
            _at(apart, 1e-5, "high")["dhash256"] < 0 < _at(apart, 1e-5, "low")["find_middle"]
            and (_at(apart, 1e-5, "p")[["dhash256", "find_middle"]] > LEVEL).all()
        ),
        ("resampling_differences",),
    ),
    "equal-weights-same-order": (
        lambda macro, rates: all(
            _at(macro, target, "recall")
            .rank()
            .equals(_rates(rates, f"tpr_{target:.0e}")[_at(macro, target, "recall").index].rank())
            for target in (1e-4, 1e-5)
        ),
        ("resampling_macro", "rates"),
    ),
    # Thresholds and costs of errors
    "thresholds-of-find": (
        lambda chosen: (
            [_threshold(chosen, use)["find"] for use in ("human review", "search", "match")]
            == [90, 72, 52]
            and _threshold(chosen, "cluster")["find"] == 52
        ),
        ("thresholds",),
    ),
    "bound-costs-more-at-small-rates": (
        lambda chosen: (
            _threshold(chosen, "human review", "margin")["find"] == 4
            and _threshold(chosen, "search", "margin")["find"] == 8
            and _threshold(chosen, "match", "margin")["find"] == 14
        ),
        ("thresholds",),
    ),
    "rates-rest-on-few-pairs": (
        lambda effective: (
            _threshold(effective, "match", "family_pairs")[["find", "phash256"]]
            .between(1.5, 2.5)
            .all()
        ),
        ("thresholds_effective",),
    ),
    "rule-keeps-its-promise": (
        lambda promised: (
            promised["rule_exceeds"].max() < 0.105
            and promised[promised["target"] < 1e-3]["estimate_exceeds"].between(0.395, 0.705).all()
        ),
        ("thresholds_coverage",),
    ),
    "cost-lowers-the-threshold": (
        lambda costs: (
            near(_least_cost(costs, 1)["threshold"], 82, 2)
            and near(_least_cost(costs, 100)["threshold"], 60, 2)
        ),
        ("costs",),
    ),
    "growth-acts-like-a-ratio": (
        lambda costs: all(
            _least_cost(costs, ratio, 10)["threshold"]
            == _least_cost(costs, 10 * ratio)["threshold"]
            for ratio in (1, 10, 100)
        ),
        ("costs",),
    ),
    "few-false-pairs-up-to-40": (
        lambda counted: (
            counted.query("labels == 'merged' and method == 'find' and distance <= 40")[
                "other"
            ].sum()
            < 100
        ),
        ("counting_histograms",),
    ),
    # Cost of each hash
    "find-is-cheapest": (
        lambda cost: (
            _over_cheapest(cost.set_index("method")["ms_file"]) < 0.5
            and near(_over_cheapest(cost.set_index("method")["ms_pixels"]), 0.3, 0.08)
        ),
        ("each_hash",),
    ),
    "find-is-cheapest-on-large": (
        lambda growth: near(_over_cheapest(_side(growth, 2000)), 0.5, 0.12),
        ("each_hash_growth",),
    ),
    "memory-of-whash-and-pdq-grows": (
        lambda memory: (
            _peaks(memory)[["whash256", "pdq"]].min() > 50
            and near(
                memory[~memory["method"].isin(["whash256", "whash64", "pdq"])]["bytes"].max(),
                1.56e6,
                0.2e6,
            )
        ),
        ("each_hash_memory",),
    ),
    "matching-is-a-small-part": (
        lambda matched, cost, images: (
            medians(matched).max() < 0.3
            and medians(matched).max()
            < 0.1 * images["images"].iloc[0] * cost["ms_file"].min() / 1e3
        ),
        ("each_hash_matching", "each_hash", "datasets_images"),
    ),
}
"""Claims of notebook 05."""

RETRIEVAL: dict[str, tuple[Callable[..., bool], tuple[str, ...]]] = {
    "nearest-is-right": (
        lambda found: (
            near(_retrieved(found, "p1")["find"], 0.999, 0.0006)
            and _retrieved(found, "p1")["dhash256"] > 0.9999
        ),
        ("retrieval",),
    ),
    "dhash-ranks-best": (
        lambda found, rates: (
            _retrieved(found, "ap").idxmax() == "dhash256"
            and _rates(rates, "tpr_1e-05")["dhash256"] < _rates(rates, "tpr_1e-05")[list(DCT)].min()
        ),
        ("retrieval", "rates"),
    ),
    "copies-do-not-matter": (
        lambda cases, found: all(
            near(
                _retrieved(cases[cases["case"] == "without copies"], score)[name],
                _retrieved(found, score)[name],
                0.001,
            )
            for score in ("p1", "ap")
            for name in ("find", "phash256", "dhash256")
        ),
        ("retrieval_cases", "retrieval"),
    ),
    "small-threshold-identifies": (
        lambda opened: (
            near(_threshold(opened, "match", "identified")["find"], 0.93, 0.01)
            and near(_threshold(opened, "search", "identified")["find"], 0.995, 0.002)
            and _threshold(opened, "search", "mistaken")["find"] < 0.0003
        ),
        ("retrieval_open_set",),
    ),
    "review-accepts-strangers": (
        lambda opened: (
            near(_threshold(opened, "human review", "mistaken")["find"], 0.0009, 0.0002)
            and near(_threshold(opened, "human review", "false_accepts")["find"], 0.63, 0.01)
        ),
        ("retrieval_open_set",),
    ),
    "few-queries-meet-strangers": (
        lambda opened, counted: (
            near(share := _threshold(opened, "search", "false_accepts")["find"], 0.05, 0.005)
            and near(_strangers(opened, counted), 1.2, 0.05)
            and near(_strangers(opened, counted) / share, 25, 1.5)
        ),
        ("retrieval_open_set", "counting_histograms"),
    ),
    "components-and-spheres": (
        lambda clusters: (
            _f1(clusters, "components").idxmax() == 54
            and _f1(clusters, "spheres").idxmax() == 76
            and near(_f1(clusters, "components").max(), 0.92, 0.005)
            and near(_f1(clusters, "spheres").max(), 0.93, 0.005)
            and near(_best_f1(clusters, "components")["phash256"], 0.94, 0.005)
            and _best_f1(clusters, "components").idxmax() == "phash256"
            and _best_f1(clusters, "spheres").idxmax() == "phash256"
            and _best_f1(clusters, "spheres")["phash256"] - _f1(clusters, "spheres").max() < 0.01
        ),
        ("clustering",),
    ),
    "components-fall-spheres-stay": (
        lambda clusters: (
            near(_f1(clusters, "components")[74], 0.5, 0.05)
            and near(_f1(clusters, "components")[80], 0.025, 0.015)
            and _f1(clusters, "spheres").loc[68:84].min() > _f1(clusters, "spheres").max() - 0.045
        ),
        ("clustering",),
    ),
    "held-out-clusters": (
        lambda halves: (
            near(_held_out(halves, "components", "f1").mean(), 0.93, 0.015)
            and near(_held_out(halves, "spheres", "f1").mean(), 0.935, 0.015)
        ),
        ("clustering_held_out",),
    ),
    "rule-suits-components": (
        lambda halves, clusters, chosen: (
            near(_held_out(halves, "components", "given").mean(), 0.92, 0.005)
            and _held_out(halves, "spheres", "given").mean() < 0.8
            and _f1(clusters, "spheres").max()
            - _f1(clusters, "spheres")[_threshold(chosen, "search")["find"]]
            < 0.01
        ),
        ("clustering_held_out", "clustering", "thresholds"),
    ),
    "dct-hashes-within-spread": (
        lambda halves: all(
            abs(
                _held_out(halves, algorithm, "f1", name).mean()
                - _held_out(halves, algorithm, "f1").mean()
            )
            < _held_out(halves, algorithm, "f1").max() - _held_out(halves, algorithm, "f1").min()
            for algorithm in ("components", "spheres")
            for name in DCT
        ),
        ("clustering_held_out",),
    ),
    "components-need-less-when-growing": (
        lambda slopes: (
            near(_slope(slopes, "components")["bits"]["find"], -5, 1)
            and (_slope(slopes, "components")["high"] < 0).all()
            and near(_slope(slopes, "spheres")["bits"]["find"], -1.3, 0.5)
            and _slope(slopes, "spheres")["high"]["find"] >= 0
        ),
        ("clustering_per_doubling",),
    ),
    "kept-threshold-loses": (
        lambda grown: (
            near(_loss_of_60(grown, "components"), 0.46, 0.06)
            and near(_loss_of_60(grown, "spheres"), 0.027, 0.015)
        ),
        ("clustering_growth",),
    ),
}
"""Claims of notebook 06."""

CHANGES: dict[str, tuple[Callable[..., bool], tuple[str, ...]]] = {
    "mild-changes-cost-little": (
        lambda robust: (
            _lost(robust)[["jpeg", "aspect", "blur", "noise", "colour"]].abs().max() < 0.015
        ),
        ("robustness",),
    ),
    "strong-changes-of-light": (
        lambda robust: (
            near(_lost(robust)["resize", "0.25"], 0.06, 0.02)
            and near(_lost(robust)["gamma", "2"], 0.10, 0.02)
            and near(_lost(robust)["watermark", "0.75"], 0.12, 0.02)
        ),
        ("robustness",),
    ),
    "geometry-costs-most": (
        lambda robust: (
            near(_lost(robust)["rotation", "3"], 0.32, 0.04)
            and near(_lost(robust)["crop", "5"], 0.55, 0.04)
            and near(_lost(robust)[["flip", "screenshot"]].min(), 0.85, 0.02)
        ),
        ("robustness",),
    ),
    "orientations-find-copies": (
        lambda turned: (
            _found(turned, "all", "image", "found_own").min() > 0.98
            and _found(turned, "one", "image", "found_own").drop("upright", level="copies").max()
            < 0.02
        ),
        ("orientations",),
    ),
    "orientations-false-matches": (
        lambda false: (
            1.15
            < (rate := false[false["use"] == "search"].set_index("compared")["rate"])["all"]
            / rate["one"]
            < 1.25
        ),
        ("orientations_false",),
    ),
    "orientations-cost": (
        lambda costs: 4.5 < (s := costs.set_index("compared")["seconds"])["all"] / s["one"] < 7.5,
        ("orientations_cost",),
    ),
    "turned-hashes-lose-little": (
        lambda turned: (
            (
                _found(turned, "all", "image", "found_other")
                - _found(turned, "all", "hash", "found_other")
            ).max()
            < 0.06
        ),
        ("orientations",),
    ),
    "long-captions-cost": (
        lambda robust: (
            near(_lost(robust)["caption_changed", "2 lines"], 0.11, 0.03)
            and near(_lost(robust)["caption_changed", "3 lines"], 0.50, 0.04)
        ),
        ("robustness",),
    ),
    "pixel-hashes-lose-more": (
        lambda robust: all(
            min(_lost_by(robust, PIXELS, change)) > max(_lost_by(robust, DCT, change))
            for change in ("gamma", "watermark")
        ),
        ("robustness",),
    ),
    "nearest-survives-small-crops": (
        lambda robust: (
            near(_nearest_right(robust, "crop", "5"), 0.976, 0.01)
            and near(_nearest_right(robust, "crop", "10"), 0.28, 0.02)
        ),
        ("robustness",),
    ),
}
"""Claims of notebook 07."""

BITS: dict[str, tuple[Callable[..., bool], tuple[str, ...]]] = {
    "captions-flip-high-frequencies": (
        lambda bits: near(_higher_rows(bits, "find"), 1.4, 0.15),
        ("bits",),
    ),
    "captions-flip-outer-rows": (
        lambda bits: (
            near(_rows(bits, "dhash256").loc[4:11].mean(), 0.05, 0.01)
            and near(_rows(bits, "dhash256").drop(range(4, 12)).mean(), 0.29, 0.015)
        ),
        ("bits",),
    ),
    "averages-say-the-same": (
        lambda bits, rates: (
            bits.groupby("method")["same"].mean().nsmallest(2).index.isin(PIXELS).all()
            and near(_rates(rates, "effective_bits")["ahash256"], 33, 1)
            and near(_rates(rates, "effective_bits")["whash256"], 37, 1)
            and near(_rates(rates, "effective_bits")["find"], 200, 10)
        ),
        ("bits", "rates"),
    ),
    "dhash-claims-concentrate": (
        lambda claims: (
            claims.set_index("method")["pairs"].idxmin() == "dhash256"
            and claims["first_ten"].between(0.2, 0.55).all()
        ),
        ("bits_concentration",),
    ),
    "choosing-bits-helps": (
        lambda made: (
            (
                _at(made, 1e-5, "recall")[
                    ["FINd, 192 best bits", "FINd, 128 best bits", "FINd, weighted bits"]
                ]
                - _at(made, 1e-5, "recall")["FINd"]
            )
            .between(0.045, 0.075)
            .all()
            and near(_at(made, 1e-5, "recall")["FINd"], 0.755, 0.02)
        ),
        ("bits_variants",),
    ),
    "middle-finds-more": (
        lambda made: (
            _at(made, 1e-5, "recall")[
                ["FINd, middle half", "dHash, middle rows", "FINd and dHash, 128 best of each"]
            ]
            .between(0.93, 0.945)
            .all()
        ),
        ("bits_variants",),
    ),
    "best-bits-of-dhash-in-middle": (
        lambda bits: _best_rows(bits, "dhash256", 128) == set(range(4, 12)),
        ("bits",),
    ),
    "intervals-of-middle-overlap": (
        lambda sure: _at(sure, 1e-5, "low")["find_middle"] < _at(sure, 1e-5, "high")["find"],
        ("bits_variant_intervals",),
    ),
    "middle-clusters-better": (
        lambda own, clusters: near(
            own[own["algorithm"] == "components"]["f1"].max() - _f1(clusters, "components").max(),
            0.045,
            0.01,
        ),
        ("bits_variant_clusters", "clustering"),
    ),
    "fusions-add-little": (
        lambda fused: all(
            _at(fused, 1e-5, "recall")[f"FINd + {part}"]
            - max(_at(fused, 1e-5, "recall")[["FINd", part]])
            < gain
            and _at(fused, 1e-5, "ms_file")[f"FINd + {part}"]
            > 2.5 * _at(fused, 1e-5, "ms_file")["FINd"]
            for part, gain in (("dHash", 0), ("pHash", 0.0145))
        ),
        ("bits_fusion",),
    ),
    "middle-rows-need-no-find": (
        lambda fused: (
            near(_at(fused, 1e-5, "recall")["FINd + dHash, middle rows"], 0.914, 0.005)
            and near(_at(fused, 1e-5, "recall")["dHash, middle rows"], 0.94, 0.005)
        ),
        ("bits_fusion",),
    ),
    "only-phash-finds-more": (
        lambda cost, rates: (
            _rates(rates, "tpr_1e-04").nlargest(2).index.tolist() == ["phash256", "find"]
            and 2.5
            < cost.set_index("method")["ms_file"]["phash256"]
            / cost.set_index("method")["ms_file"]["find"]
            < 4.5
        ),
        ("each_hash", "rates"),
    ),
}
"""Claims of notebook 08."""

CLAIMS = ACCURACY | RETRIEVAL | CHANGES | BITS
"""Key of a sentence -> predicate, and the results tables that it reads."""
