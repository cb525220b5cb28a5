"""Claims about the confirmation, about set A itself and about the choice: notebooks 11 to 13."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from finhash.accuracy import findings, thresholds
from finhash.study import results
from finhash.study.accuracy import choice, confirmation, published, twins
from finhash.study.data import memes
from finhash.study.report.measures import near

SHORT = ("find64", "ahash64", "phash64", "dhash64", "whash64")
"""Hashes of 64 bits."""

CRITERIA = ("counting_histograms", "rates", "resampling_differences", "resampling_pairs")
"""Results tables that the rule reads besides ``each_hash``."""

MILD = ("jpeg", "resize", "aspect", "blur", "noise", "gamma", "contrast", "colour")
"""Changes after which ordinary images are found again."""

GEOMETRIC = ("border", "flip", "screenshot")
"""Changes that cost nearly all recall."""

MIDDLE, DMIDDLE, FUSED = "FINd, middle half", "dHash, middle half", "FINd + dHash, middle rows"
"""Variants of the table ``layouts_recall``."""


def _merged(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["labels"] == "merged"]


def _at(table: pd.DataFrame, column: str, target: float) -> pd.Series:
    """Return a column at a target, by method."""
    return table[table["target"] == target].set_index("method")[column]


def _whole(certain: pd.DataFrame) -> pd.DataFrame:
    """Return the merged rows of ``confirmation_certainty`` over all templates."""
    return _merged(certain)[_merged(certain)["templates"] == "all"]


def _ms(each_hash: pd.DataFrame) -> pd.Series:
    return each_hash.set_index("method")["ms_file"]


def _judged(*tables: pd.DataFrame) -> pd.DataFrame:
    """Return the criteria by method, from the tables ``CRITERIA`` and ``each_hash``."""
    histograms, accuracy, differences, pairs, each_hash = tables
    rate = choice.compared_rate(histograms)
    tests = choice.every_test(differences, pairs, choice.smallest_rate(histograms))
    recall = choice.recalls(accuracy, rate)
    return choice.criteria(recall, tests, _ms(each_hash), rate).set_index("method")


def _judged_on_b(
    accuracy: pd.DataFrame, differences: pd.DataFrame, each_hash: pd.DataFrame
) -> pd.DataFrame:
    """Apply the rule to set B's tables."""
    recall = choice.recalls(accuracy, choice.RATES[0])
    tests = choice.every_test(differences)
    return choice.criteria(recall, tests, _ms(each_hash), choice.RATES[0]).set_index("method")


def _needs(given: pd.DataFrame, histograms: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    return choice.needs(given, histograms, "find", b).set_index("use")


def _sized(given: pd.DataFrame, histograms: pd.DataFrame) -> pd.DataFrame:
    return choice.by_size(given, histograms, "find").set_index("images")


def _changed(robustness: pd.DataFrame) -> pd.Series:
    """Return FINd's mean recall after each change."""
    own = robustness[robustness["method"] == "find"]
    return own.groupby("transform")["recall"].mean()


def _undisturbed(robustness: pd.DataFrame) -> float:
    """Return FINd's recall if only the words of the caption change."""
    rows = robustness.query("method == 'find' and strength == 'another'")
    return float(rows["recall"].item())


def _least(costs: pd.DataFrame, growth: int = 1) -> pd.Series:
    """Return FINd's threshold of least cost, by ratio."""
    rows = results.headline(costs)
    rows = rows[(rows["method"] == "find") & (rows["growth"] == growth)]
    return rows.set_index("ratio")["threshold"]


def _layouts(table: pd.DataFrame) -> pd.DataFrame:
    """Return recall at 1e-5, by variant and layout."""
    return table[table["target"] == 1e-5].pivot(index="variant", columns="layout", values="recall")


def _noise(effect: pd.DataFrame, column: str) -> pd.DataFrame:
    return effect.pivot(index="method", columns="labels", values=column)


def _ordinary(table: pd.DataFrame, method: str = "find") -> pd.DataFrame:
    """Return recall after each change, by kind of image."""
    own = table[table["method"] == method]
    return own.pivot(index="transform", columns="kind", values="recall")


def _matches(false: pd.DataFrame, against: str, kind: str) -> pd.DataFrame:
    """Return the numbers of false matches, by method and use."""
    rows = false[(false["against"] == against) & (false["kind"] == kind)]
    return rows.pivot(index="method", columns="use", values="matches")


def _second_class(area: pd.DataFrame) -> pd.Series:
    """Return how many bits the median distance grows from under 10 % covered to 10 to 20 %."""
    second = area[area["area"].between(0.1, 0.2, inclusive="right")]
    return (
        second.groupby("method")["distance"].median()
        - area[area["area"] <= 0.1].groupby("method")["distance"].median()
    )


def _covered(area: pd.DataFrame) -> pd.Series:
    """Return the median distance of widely covered images over that of hardly covered ones."""
    much = area[area["area"] > 0.3].groupby("method")["distance"].median()
    return much / area[area["area"] <= 0.1].groupby("method")["distance"].median()


CLAIMS: dict[str, tuple[Callable[..., bool], tuple[str, ...]]] = {
    # Notebook 11
    "b-readers": (
        lambda: (
            (judged := twins.known("memes_b"))["verdict"].isin(["same", "variant"]).sum() == 90
            and judged.query("first_reader != second_reader")[["first_reader", "second_reader"]]
            .isin(["background", "different"])
            .all(axis=None)
        ),
        (),
    ),
    "b-rates-met": (
        lambda found: (
            len(_merged(found)) == 36
            and _missed(found).index.tolist() == ["dhash64"]
            and near((_missed(found)["fpr"] / _missed(found)["target"]).item(), 1.2, 0.05)
        ),
        ("confirmation",),
    ),
    "b-find-recall": (
        lambda found: all(
            near(_at(_merged(found), "recall", target)["find"], recall, 0.005)
            for target, recall in ((1e-3, 0.91), (1e-4, 0.81), (1e-5, 0.50))
        ),
        ("confirmation",),
    ),
    "b-bounds-met": (
        lambda certain: (
            (met := _whole(certain)["fpr_high"] <= _whole(certain)["target"]).sum() == 20
            and met[_whole(certain)["target"] == 1e-5].sum() == 4
        ),
        ("confirmation_certainty",),
    ),
    "b-few-pairs": (
        lambda certain: (
            _at(_whole(certain), "family_pairs", 1e-5).between(0.99, 6).all()
            and 0.5e-5 < thresholds.UNSEEN / (967 * 966 / 2) < 1e-5
        ),
        ("confirmation_certainty",),
    ),
    "b-unseen": (
        lambda certain: (
            _merged(certain)
            .pivot(index=["method", "target"], columns="templates", values="recall")
            .diff(axis=1)["unseen"]
            .abs()
            .max()
            < 0.006
        ),
        ("confirmation_certainty",),
    ),
    "b-labels": (
        lambda found: (
            (
                rates := found.query("method == 'find' and target == 1e-5").set_index("labels")[
                    "fpr"
                ]
            )["as labelled"]
            > 1e-5
            and near(rates["as labelled"] / rates["merged"], 14, 0.5)
        ),
        ("confirmation",),
    ),
    "b-equivalent": (
        lambda tests: (
            _at(tests, "p_equivalent", 1e-4)["phash256"] < choice.LEVEL
            and _at(tests, "p_equivalent", 1e-5)["phash256"] >= choice.LEVEL
            and _at(tests, "p", 1e-5)["phash256"] >= choice.LEVEL
        ),
        ("confirmation_differences",),
    ),
    "b-predictions": (
        lambda found, tests: (
            ", ".join(confirmation.predictions(found, tests)["verdict"])
            == "confirmed for 35 of 36, confirmed, confirmed for 6 of 7, not shown, not shown"
            and _at(tests, "difference", 1e-4)["find_middle"] > 0
            and _at(tests, "difference", 1e-5)["dhash256"] < 0
        ),
        ("confirmation", "confirmation_differences"),
    ),
    "b-middle-more": (
        lambda tests: (
            near(_at(tests, "difference", 1e-5)["find_middle"], 0.15, 0.01)
            and near(_at(tests, "p", 1e-5)["find_middle"], 0.04, 0.005)
        ),
        ("confirmation_differences",),
    ),
    "b-pdq": (
        lambda tests: (
            near(_at(tests, "difference", 1e-4)["pdq"], -0.024, 0.006)
            and _at(tests, "p", 1e-4)["pdq"] >= choice.LEVEL
            and _at(tests, "p_equivalent", 1e-4)["pdq"] >= choice.LEVEL
        ),
        ("confirmation_differences",),
    ),
    "b-intervals": (
        lambda tests: (
            near(_at(tests, "p", 1e-4)["pdq"], 0.26, 0.006)
            and _at(tests, "high", 1e-4)["pdq"] < 0
            and len(tests) * 2 == 44
        ),
        ("confirmation_differences",),
    ),
    # Notebook 12
    "a-largest-families": (
        lambda sizes: (
            len(sizes) == 1034
            and near(
                (pairs := sizes["images"] * (sizes["images"] - 1))[:20].sum() / pairs.sum(),
                0.5,
                0.05,
            )
        ),
        ("memes_family_sizes",),
    ),
    "a-published-close": (
        lambda beside: (
            (gap := beside.set_index(["metric", "method"])["difference"].abs().unstack())
            .loc[["auc", "tpr_1%"]]
            .max(axis=None)
            < 0.01
            and gap.loc[["same_mean", "other_mean"]].max(axis=None) < 3
        ),
        ("rates_published_difference",),
    ),
    "a-published-whash": (
        lambda beside: (
            (recall := beside[beside["metric"].str.startswith("tpr")].set_index("method"))[
                "difference"
            ]
            .abs()
            .idxmax()
            == "whash256"
            and near(recall["difference"].min(), -0.06, 0.01)
        ),
        ("rates_published_difference",),
    ),
    "a-noise-cap": (
        lambda effect: (
            _noise(effect, "auc")["noisy"].max() < 0.988 + 1e-9
            and near(_noise(effect, "tpr_1e-02")["noisy"].max(), 1 - published.NOISE, 0.001)
        ),
        ("rates_label_noise",),
    ),
    "a-noise-nearest": (
        lambda found: (
            (
                first := found.query("method == 'find' and score == 'p1' and ties == 'expected'")
                .set_index("case")["images"]
                .round(2)
            )["noise"]
            == 0.96
            and first["as labelled"] == 0.98
        ),
        ("retrieval_noise",),
    ),
    "a-noise-auc": (
        lambda table: (
            (
                auc := table[table["metric"] == "auc"].pivot(
                    index="method", columns="source", values="value"
                )
            )["set A, no noise"]
            .sub(auc["set A, 2.4% noise"])
            .between(0.008, 0.014)
            .all()
            and ((auc["set A, no noise"] - auc["published"]) / (1 - auc["published"]) > 0.5).all()
        ),
        ("rates_calibration",),
    ),
    "a-caption-area": (
        lambda area: (
            (ratio := _covered(area)).min() > 1.1
            and near(ratio["find"], 1.5, 0.15)
            and ratio[["dhash256", "ahash256"]].min() > 2
            and abs(_second_class(area)["whash256"]) <= 1
        ),
        ("bits_caption_area",),
    ),
    "layouts-none": (
        lambda decided: not decided["recommended"].any(),
        ("layouts_verdict",),
    ),
    "layouts-natural": (
        lambda table: (
            near((natural := _layouts(table)["natural"])[MIDDLE], 0.78, 0.01)
            and near(natural["FINd"], 0.63, 0.01)
            and natural[DMIDDLE] > natural[MIDDLE]
        ),
        ("layouts_recall",),
    ),
    "layouts-across": (
        lambda table: (
            near(
                (across := _layouts(table)["across the middle"])["FINd"] - across[MIDDLE],
                0.19,
                0.01,
            )
            and near(across["FINd"] - across[DMIDDLE], 0.11, 0.01)
        ),
        ("layouts_recall",),
    ),
    "layouts-lines": (
        lambda lines, table: (
            near(lines.loc[lines["lines"] >= 3, "images"].sum(), 0.2, 0.025)
            and (_layouts(table)["3 full lines"] < _layouts(table)["stand-in"]).all()
        ),
        ("layouts_lines", "layouts_recall"),
    ),
    "layouts-fixed": (
        lambda fixed: (
            near(
                (three := fixed[fixed["layout"] == "3 full lines"].set_index("variant")["recall"])[
                    "dHash, middle rows"
                ],
                0.18,
                0.01,
            )
            and near(three[MIDDLE], 0.53, 0.01)
        ),
        ("layouts_fixed",),
    ),
    "layouts-fusion": (
        lambda table, fixed: (
            (_layouts(table).loc[FUSED] >= _layouts(table).loc["FINd"]).all()
            and _layouts(table).loc[DMIDDLE, "natural"] > _layouts(table).loc[FUSED, "natural"]
            and (
                (at := fixed.pivot(index="layout", columns="variant", values="recall"))[FUSED]
                < at["FINd"]
            ).pipe(lambda below: set(below.index[below]) == {"4 full lines", "across the middle"})
        ),
        ("layouts_recall", "layouts_fixed"),
    ),
    "layouts-weighted": (
        lambda table: (
            (
                gain := _layouts(table)
                .loc[["FINd, 192 best bits", "FINd, weighted bits"]]
                .sub(_layouts(table).loc["FINd"])
            )["natural"]
            .between(0, 0.042)
            .all()
            and gain.max(axis=None) < 0.07
        ),
        ("layouts_recall",),
    ),
    "ordinary-photographs": (
        lambda false: (_matches(false, "ordinary", "photographs") == 0).all(axis=None),
        ("ordinary_false",),
    ),
    "ordinary-drawings": (
        lambda false: (
            (found := _matches(false, "ordinary", "drawings")["search"])["find"] == 1
            and found["pdq"] == 1
            and near(found["dhash256"], 15, 1)
        ),
        ("ordinary_false",),
    ),
    "ordinary-memes": (
        lambda false: (
            (_matches(false, "memes", "all").loc[["find", "phash256", "pdq"]] == 0).all(axis=None)
            and near(false[false["matched"] == 0].query("kind == 'all'")["high"].min(), 0.04, 0.002)
        ),
        ("ordinary_false",),
    ),
    "ordinary-others": (
        lambda false: (
            (
                pairs := pd.concat(
                    _matches(false, "memes", kind)["search"].rename(kind)
                    for kind in ("photographs", "drawings")
                )
                .to_frame("pairs")
                .loc[["ahash256", "dhash256", "whash256"], "pairs"]
            ).min()
            > 0
            and (both := pairs.groupby(level=0).sum()).min() == 23
            and both.max() == 67
        ),
        ("ordinary_false",),
    ),
    "ordinary-mild": (
        lambda found: (
            (recall := _ordinary(found).loc[list(MILD)])["photographs"].min() > 0.99
            and recall["memes"].min() > 0.99
            and recall["drawings"].min() > 0.9
        ),
        ("ordinary_recall",),
    ),
    "ordinary-geometry": (
        lambda found: (
            (recall := _ordinary(found)).loc[list(GEOMETRIC)].max(axis=None) < 0.2
            and recall.loc["crop"].between(0.28, 0.4).all()
        ),
        ("ordinary_recall",),
    ),
    "ordinary-all": (
        lambda found: (
            near(_ordinary(found).loc["all", "all"], 0.70, 0.01)
            and near(_ordinary(found).loc["all", "memes"], 0.73, 0.01)
            and near(
                found.query("method == 'find' and transform == 'all' and kind == 'all'")
                .eval("high - low")
                .item(),
                0.19,
                0.01,
            )
        ),
        ("ordinary_recall",),
    ),
    # Notebook 13
    "choice-find": (
        lambda *tables: _judged(*tables)["verdict"]["find"] == "chosen",
        (*CRITERIA, "each_hash"),
    ),
    "choice-find-on-b": (
        lambda *tables: _judged_on_b(*tables)["verdict"]["find"] == "chosen",
        ("confirmation_rates", "confirmation_differences", "each_hash"),
    ),
    "choice-runner-up": (
        lambda *tables: (
            (judged := _judged(*tables))
            .index[(judged["beaten_by"] == "") & judged["as_good"]]
            .tolist()
            == ["find", "phash256"]
        ),
        (*CRITERIA, "each_hash"),
    ),
    "choice-phash-cost": (
        lambda each_hash, tuned: (
            2.75 < _ms(each_hash)["phash256"] / _ms(each_hash)["find"] < 5.25
            and 2.75 < tuned.set_index("contender")["ratio"]["pHash of imagehash"] < 5.25
        ),
        ("each_hash", "tuned_phash"),
    ),
    "choice-beaten": (
        lambda *tables: (
            (judged := _judged(*tables)).index[judged["beaten_by"] != ""].tolist()
            == ["find64", "ahash256", "ahash64", "dhash64", "whash256", "whash64", "pdq"]
        ),
        (*CRITERIA, "each_hash"),
    ),
    "choice-pdq-narrow": (
        lambda pairs: (
            len(
                pairs.query(
                    "method == 'phash256' and against == 'pdq' and target == 1e-5"
                    " and 0.04 < p < 0.05 and 0.055 < difference < 0.07"
                )
            )
            == 1
        ),
        ("resampling_pairs",),
    ),
    "choice-not-shown": (
        lambda *tables: (
            (judged := _judged(*tables))
            .index[judged["candidate"] & (judged["beaten_by"] == "") & ~judged["as_good"]]
            .tolist()
            == ["phash64", "dhash256"]
        ),
        (*CRITERIA, "each_hash"),
    ),
    "choice-pdq-points": (
        lambda accuracy, b: all(
            0.01 < recall["find"] - recall["pdq"] < 0.06
            for table in (accuracy, b)
            for recall in (choice.recalls(table, 1e-4), choice.recalls(table, 1e-5))
        ),
        ("rates", "confirmation_rates"),
    ),
    "tuned-exact": (
        lambda tuned: tuned["changed"].sum() == 0 and tuned["images"].min() >= 50,
        ("tuned_phash",),
    ),
    "tuned-libraries": (
        lambda tuned: (
            (ms := tuned.set_index("contender")["ms"])["pHash, libraries only"]
            > 0.58 * ms["pHash of imagehash"]
            and ms["pHash, libraries only"] < 0.83 * ms["pHash of imagehash"]
        ),
        ("tuned_phash",),
    ),
    "tuned-phash": (
        lambda tuned: 1.2 < tuned.set_index("contender")["ratio"]["pHash, compiled"] < 1.8,
        ("tuned_phash",),
    ),
    "tuned-choice": (
        lambda *tables: (
            _judged(*tables[:4], _with_tuned(*tables[4:]))["verdict"]["find"] == "chosen"
        ),
        (*CRITERIA, "each_hash", "tuned_phash"),
    ),
    "tuned-most": (
        lambda tuned: (
            (ms := tuned.set_index("contender")["ms"])["pHash of imagehash"] - ms["pHash, compiled"]
            > ms["pHash, compiled"] - ms["FINd"]
        ),
        ("tuned_phash",),
    ),
    "needs-search": (
        lambda *tables: (
            near((search := _needs(*tables).loc["search"])["recall"], 0.80, 0.015)
            and near(search["recall_b"], 0.80, 0.015)
        ),
        ("thresholds", "counting_histograms", "confirmation"),
    ),
    "needs-review": (
        lambda *tables: (
            near((review := _needs(*tables).loc["human review"])["recall"], 0.92, 0.01)
            and near(review["recall_b"], 0.92, 0.01)
        ),
        ("thresholds", "counting_histograms", "confirmation"),
    ),
    "needs-match": (
        lambda *tables: (
            near((match := _needs(*tables).loc["match"])["recall"], 0.5, 0.02)
            and near(match["recall_b"], 0.5, 0.02)
            and match["target"] == 1e-5
        ),
        ("thresholds", "counting_histograms", "confirmation"),
    ),
    "needs-b-rates": (
        lambda *tables: (
            (needs := _needs(*tables))["rate_b"].lt(needs["target"]).all() and len(needs) == 4
        ),
        ("thresholds", "counting_histograms", "confirmation"),
    ),
    "size-thresholds": (
        lambda *tables: (
            _sized(*tables)["threshold"].dropna().to_dict() == {10**3: 90, 10**4: 72, 10**5: 52}
        ),
        ("thresholds", "counting_histograms"),
    ),
    "size-limit": (
        lambda: (
            near(findings.smallest_rate(families := _families()), 7e-6, 0.5e-6)
            and near(families, 1000, 60)
        ),
        (),
    ),
    "size-million": (
        lambda *tables: (
            pd.isna((million := _sized(*tables).loc[10**6])["threshold"])
            and million["estimated"] == 54
            and near(million["estimated_recall"], 0.5, 0.05)
        ),
        ("thresholds", "counting_histograms"),
    ),
    "size-workflow": (
        lambda *tables: (
            (needs := _needs(*tables)).loc["search", "threshold"] == 72
            and needs.loc["match", "threshold"] == 52
            and near(1e5 * needs.loc["match", "rate"], 0.3, 0.05)
            and near(1e5 * needs.loc["match", "rate_high"], 0.9, 0.05)
            and near(1e6 * needs.loc["search", "rate_b"], 10, 1.5)
            and near(1e6 * needs.loc["search", "rate"], 30, 5)
            and near(1e6 * needs.loc["search", "rate_high"], 82, 0.5)
        ),
        ("thresholds", "counting_histograms", "confirmation"),
    ),
    "cluster-best": (
        lambda clusters: (
            (
                rows := clusters.query(
                    "method == 'find' and algorithm == 'components' and truth == 'merged'"
                )
            ).loc[rows["f1"].idxmax(), "radius"]
            == 54
        ),
        ("clustering",),
    ),
    "cluster-untested": (
        lambda jobs, likeness: (
            near((f1 := jobs[jobs["algorithm"] == "components"]["f1"]).iloc[0], 0.93, 0.01)
            and near(f1.iloc[-1], 0.91, 0.01)
            and (false := likeness["other"] / likeness["hashes"]).iloc[1] < 1.2 * false.iloc[0]
        ),
        ("search_cluster_jobs", "growth_check"),
    ),
    "cluster-shrinks": (
        lambda slopes: (
            len(
                slopes.query(
                    "method == 'find' and algorithm == 'components' and score == 'f1'"
                    " and -6 < bits < -4 and -6.5 < low < -5 and -2 < high < -0.5"
                )
            )
            == 1
        ),
        ("clustering_per_doubling",),
    ),
    "changed-geometry": (
        lambda robust: _changed(robust)[list(GEOMETRIC)].max() < 0.25 * _undisturbed(robust),
        ("robustness",),
    ),
    "changed-crop": (
        lambda robust: (
            robust.query("method == 'find' and transform == 'crop' and strength == '5'")[
                "recall"
            ].item()
            < _undisturbed(robust) / 2
        ),
        ("robustness",),
    ),
    "changed-nobody": (
        lambda robust: (
            robust[robust["transform"].isin(["screenshot"])]
            .groupby("method")["recall"]
            .mean()
            .max()
            < 0.2
        ),
        ("robustness",),
    ),
    "changed-mirror": (
        lambda turned, costs, false: (
            (
                found := turned.query(
                    "compared == 'mirror' and turned == 'image' and use == 'search'"
                ).set_index("copies")["found_other"]
            )["mirrored"]
            > found["upright"] - 0.01
            and 1.75 < (s := costs.set_index("compared")["seconds"])["mirror"] / s["one"] < 3.25
            and (rate := false[false["use"] == "search"].set_index("compared")["rate"])["mirror"]
            < 1.1 * rate["one"]
        ),
        ("orientations", "orientations_cost", "orientations_false"),
    ),
    "costs-uses": (
        lambda costs, given: (
            (bits := given[given["method"] == "find"].set_index("use")["threshold"])["search"]
            == _least(costs)[10]
            and _least(costs)[1000] <= bits["match"] <= _least(costs)[100]
        ),
        ("costs", "thresholds"),
    ),
    "middle-search": (
        lambda given, found: (
            _at(given[given["use"] == "search"], "threshold", 1e-4)["find_middle"] == 68
            and near(_at(_merged(found), "recall", 1e-4)["find_middle"], 0.95, 0.005)
        ),
        ("thresholds", "confirmation"),
    ),
    "middle-match": (
        lambda given, found: (
            _at(given[given["use"] == "match"], "threshold", 1e-5)["find_middle"] == 24
            and near(_at(_merged(found), "recall", 1e-5)["find_middle"], 0.5, 0.03)
            and near(_at(_merged(found), "recall", 1e-5)["find"], 0.5, 0.03)
        ),
        ("thresholds", "confirmation"),
    ),
    "middle-across": (
        lambda table: near(
            (across := _layouts(table)["across the middle"])["FINd"] - across[MIDDLE], 0.19, 0.01
        ),
        ("layouts_recall",),
    ),
    "middle-beaten": (
        lambda table: (
            _layouts(table).loc[DMIDDLE, "natural"] > _layouts(table).loc[MIDDLE, "natural"]
        ),
        ("layouts_recall",),
    ),
    "middle-verdict": (
        lambda decided: not decided["recommended"].any(),
        ("layouts_verdict",),
    ),
    "faults-square": (
        lambda faults: (
            (square := faults[faults["cols"] == faults["rows"]])["bits_wrong"].max() == 0
            and square["errors"].sum() == 0
        ),
        ("baseline_faults",),
    ),
    "faults-landscape": (
        lambda faults: (
            (faults[faults["cols"] >= 1.1 * faults["rows"]]["bits_wrong"] / 256)
            .between(0.3, 0.52)
            .all()
        ),
        ("baseline_faults",),
    ),
    "faults-portrait": (
        lambda faults: (
            len(tall := faults[faults["cols"] < faults["rows"]]) > 0
            and (tall["errors"] == tall["images"]).all()
        ),
        ("baseline_faults",),
    ),
}
"""Key of a sentence -> predicate, and the results tables that it reads."""


def _families() -> int:
    """Return the number of families of set A under the merged labels."""
    labels = twins.labellings(np.arange(memes.FAMILIES), "memes")["merged"]
    return len(np.unique(labels))


def _missed(found: pd.DataFrame) -> pd.DataFrame:
    """Return the merged rows of ``confirmation`` whose rate exceeds the target, by method."""
    rows = _merged(found)
    return rows[rows["fpr"] > rows["target"]].set_index("method")


def _with_tuned(each_hash: pd.DataFrame, tuned: pd.DataFrame) -> pd.DataFrame:
    """Return ``each_hash`` with the cost of compiled pHash in place of imagehash's."""
    ratio = tuned.set_index("contender")["ratio"]["pHash, compiled"]
    costs = each_hash.set_index("method")
    costs.loc["phash256", "ms_file"] = costs.loc["find", "ms_file"] * ratio
    return costs.reset_index()
