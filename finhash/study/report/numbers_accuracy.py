"""Part 2 of the report in numbers: how right each hash is, what it costs, which to use."""

import math

import pandas as pd

from finhash import methods
from finhash.study import results
from finhash.study.accuracy import rates, twins
from finhash.study.report.rounding import (
    Numbers,
    milliseconds,
    percent,
    scientific,
    tabular,
    times,
    whole,
)
from finhash.study.results import medians

LABELS = {"as labelled": "labelled", "merged": "merged"}
"""Which labels a number counts by, as they stand in its key."""

VARIANTS = {
    "FINd, 128 best bits": "find-128",
    "FINd, 192 best bits": "find-192",
    "FINd, bits weighed": "find-weighed",
    "FINd, middle half": "find-middle",
    "dHash, middle rows": "dhash-middle",
    "FINd and dHash, 128 best of each": "both",
}
"""Short keys for the variants that the text names."""


def numbers() -> Numbers:
    """Every number that Part 2 quotes."""
    parts = (
        _accuracy,
        _by_family,
        _noise,
        _retrieval,
        _clusters,
        _robustness,
        _why,
        _variants,
        _cost,
        _scale,
    )
    return {key: value for part in parts for key, value in part().items()}


def tables() -> dict[str, str]:
    """Part 2's tables by file name, as LaTeX."""
    return {
        "table_accuracy": _accuracy_table(),
        "table_recall": _recall_table(),
        "table_cost": _cost_table(),
    }


def _from(source: str, found: dict[str, str]) -> Numbers:
    return {key: (text, source) for key, text in found.items()}


def _accuracy() -> Numbers:
    found = {}
    table = results.load("rates")
    for labels, rows in table.groupby("labels"):
        key = LABELS[labels]
        for row in rows.to_dict("records"):
            name = row["method"]
            found[f"{key}-auc-{name}"] = f"{row['auc']:.4f}"
            for target in rates.FPR_TARGETS[1:]:
                power = _power(target)
                found[f"{key}{power}-{name}"] = percent(row[f"tpr_{target:.0e}"])
                found[f"{key}{power}-{name}-radius"] = str(int(row[f"radius_{target:.0e}"]))
            for target in rates.PRECISION_TARGETS:
                share = percent(row[f"recall_p{target:g}"])
                found[f"{key}-p{target * 100:g}-{name}"] = share
            found[f"{key}-effective-{name}"] = f"{row['effective_bits']:.0f}"
        wide = rows[rows["bits"] == 256].set_index("method")
        for power in (3, 4, 5):
            best = wide[f"tpr_1e-0{power}"].idxmax()
            found[f"{key}{power}-best"] = methods.get(best).label
    untuned = results.load("rates_published_radii").set_index(["method", "radius"])
    radii = {}
    for (name, radius), row in untuned.iterrows():
        radii[f"untuned-{name}-{radius}"] = percent(row["recall"])
        radii[f"untuned-{name}-{radius}-fpr"] = scientific(row["fpr"])
    claims = results.load("rates_prevalence").set_index("families")
    precise = {
        f"precision{_power(float(rate))}-{number}": percent(share, 0)
        for rate, column in claims.items()
        for number, share in column.items()
    }
    return (
        _from("rates", found)
        | _from("rates_published_radii", radii)
        | _from("rates_prevalence", precise)
    )


def _by_family() -> Numbers:
    found: Numbers = {}
    share = results.load("twins_false_share")
    most = share[share["target"] == share["target"].min()]["share"].min()
    found["twins-least"] = percent(most), "twins_false_share"
    for row in results.load("resampling_intervals").to_dict("records"):
        key = f"{LABELS[row['labels']]}{_power(row['target'])}-{row['method']}-between"
        between = f"{percent(row['low'])} to {percent(row['high'])}"
        found[key] = between, "resampling_intervals"
    held = results.load("resampling_held_out")
    held = held[held["labels"] == "merged"].drop(columns="labels").groupby(["target", "method"])
    for (target, name), row in held.mean().iterrows():
        key = f"held{_power(target)}-{name}"
        found[f"{key}-radius"] = f"{row['radius']:.0f}", "resampling_held_out"
        found[f"{key}-recall"] = percent(row["recall"]), "resampling_held_out"
        found[f"{key}-fpr"] = scientific(row["fpr"]), "resampling_held_out"
    apart = results.load("resampling_differences")
    for row in apart[apart["labels"] == "merged"].to_dict("records"):
        found[f"p{_power(row['target'])}-{row['method']}"] = (
            f"{row['p']:.2f}",
            "resampling_differences",
        )
    for row in results.load("resampling_macro").to_dict("records"):
        key = f"macro{_power(row['target'])}-{row['method']}"
        found[key] = percent(row["recall"]), "resampling_macro"
    looked_at = twins.known("memes")["verdict"].value_counts()
    for verdict, number in looked_at.items():
        found[f"twins-{verdict}"] = str(number), "twins_closest"
    found["twins-looked-at"] = str(looked_at.sum()), "twins_closest"
    return found


def _noise() -> Numbers:
    table = results.load("rates_label_noise").set_index(["labels", "method"]).sort_index()
    found = {"noise": percent(rates.PUBLISHED_NOISE)}
    found |= {f"noisy-auc-{name}": f"{auc:.4f}" for name, auc in table.loc["noisy", "auc"].items()}
    found["noisy-auc-best"] = f"{table.loc['noisy', 'auc'].max():.4f}"
    return _from("rates_label_noise", found)


def _retrieval() -> Numbers:
    found = {}
    for row in results.load("retrieval").to_dict("records"):
        key = f"{row['score']}-{row['method']}" + ("-worst" if row["ties"] == "worst" else "")
        found[key] = percent(row["images"])
    opened = {}
    for row in results.load("retrieval_open_set").to_dict("records"):
        for what in ("identified", "mistaken", "false_accepts"):
            key = f"{what.replace('_', '-')}{_power(row['target'])}-{row['method']}"
            opened[key] = percent(row[what])
    return _from("retrieval", found) | _from("retrieval_open_set", opened)


def _clusters() -> Numbers:
    scores = results.load("clustering")
    scores = scores[scores["truth"] == "merged"]
    found = {}
    for (algorithm, name), rows in scores.groupby(["algorithm", "method"], sort=False):
        best = rows.loc[rows["f1"].idxmax()]
        key = f"{algorithm}-{name}"
        found[f"{key}-f1"] = percent(best["f1"])
        found[f"{key}-b3"] = percent(rows["b3_f1"].max())
        found[f"{key}-ari"] = f"{best['ari']:.3f}"
        found[f"{key}-radius"] = str(int(best["radius"]))
        found[f"{key}-precision"] = percent(best["precision"])
        found[f"{key}-recall"] = percent(best["recall"])
    halves = results.load("clustering_held_out").groupby(["algorithm", "method"], sort=False)
    held = {
        f"held-{algorithm}-{name}-{score}": percent(row[score])
        if score != "radius"
        else f"{row[score]:.0f}"
        for (algorithm, name), row in halves[["f1", "b3_f1", "radius"]].mean().iterrows()
        for score in ("f1", "b3_f1", "radius")
    }
    chained = results.load("clustering_chaining").set_index("method")
    starts = {}
    for name in scores["method"].unique():
        # Where no radius of the sweep chains there is nothing to quote but a dash.
        there = name in chained.index
        starts[f"chain-radius-{name}"] = str(chained["radius"][name]) if there else "--"
        starts[f"chain-share-{name}"] = percent(chained["largest"][name]) if there else "--"
    return (
        _from("clustering", found)
        | _from("clustering_held_out", held)
        | _from("clustering_chaining", starts)
    )


def _robustness() -> Numbers:
    table = results.load("robustness")
    found = {}
    for (transform, name), share in table.groupby(["transform", "method"])["recall"].mean().items():
        found[f"robust-{transform}-{name}"] = percent(share, 0)
    for name, share in table.groupby("method")["recall"].mean().items():
        found[f"robust-{name}"] = percent(share, 0)
    for row in table.to_dict("records"):
        cell = f"{row['transform']}-{row['strength']}".replace(" ", "-")
        found[f"cell-{cell}-{row['method']}"] = percent(row["recall"], 0)
    facts = {"transforms": str(table["transform"].nunique())}
    facts["cells"] = str(len(table[["transform", "strength"]].drop_duplicates()))
    return _from("robustness", found | facts)


def _why() -> Numbers:
    bits = results.load("bits")
    found = {}
    for name, rows in bits.groupby("method"):
        rates = rows.groupby("row")["same"].mean()
        found[f"flips-{name}"] = percent(rows["same"].mean(), 0)
        found[f"flips-low-{name}"] = percent(rates[1:8].mean(), 0)
        found[f"flips-high-{name}"] = percent(rates[8:].mean(), 0)
        found[f"flips-middle-{name}"] = percent(rates[4:12].mean(), 0)
        found[f"flips-outer-{name}"] = percent(pd.concat([rates[:4], rates[12:]]).mean(), 0)
    few = results.load("bits_concentration").set_index("method")
    claims = {}
    for name, row in few.iterrows():
        claims[f"claims-pairs-{name}"] = whole(row["pairs"])
        claims[f"claims-first-{name}"] = percent(row["first_ten"], 0)
    return _from("bits", found) | _from("bits_concentration", claims)


def _variants() -> Numbers:
    found = {}
    for row in results.load("bits_variants").to_dict("records"):
        if row["variant"] in VARIANTS:
            key = f"variant{_power(row['target'])}-{VARIANTS[row['variant']]}"
            found[key] = percent(row["recall"])
        elif row["variant"] == "FINd":
            found[f"variant{_power(row['target'])}-find"] = percent(row["recall"])
    sure = {}
    for row in (
        results.load("bits_variant_intervals").query("method == 'find_middle'").to_dict("records")
    ):
        key = f"middle{_power(row['target'])}"
        sure[key] = percent(row["recall"])
        sure[f"{key}-between"] = f"{percent(row['low'])} to {percent(row['high'])}"
    grouped = {"middle-f1": percent(results.load("bits_variant_clusters")["f1"].max())}
    return (
        _from("bits_variant_clusters", grouped)
        | _from("bits_variants", found)
        | _from("bits_variant_intervals", sure)
    )


def _cost() -> Numbers:
    table = results.load("each_hash").set_index("method")
    found = {}
    for name, row in table.iterrows():
        found[f"cost-{name}"] = milliseconds(row["ms_file"] / 1e3)
        found[f"pixels-{name}"] = milliseconds(row["ms_pixels"] / 1e3)
        found[f"rate-{name}"] = whole(row["rate"])
    seconds = medians(results.load("each_hash_matching"))
    matched = {f"matching-{name}": f"{value:.2f}" for name, value in seconds.items()}
    grown = results.load("each_hash_growth")
    largest = grown[grown["side"] == grown["side"].max()].groupby("method")["seconds"].median()
    large = {f"large-{name}": milliseconds(value) for name, value in largest.items()}
    large["large-side"] = whole(grown["side"].max())
    return (
        _from("each_hash", found)
        | _from("each_hash_matching", matched)
        | _from("each_hash_growth", large)
    )


PEERS = {
    "FAISS flat": "flat",
    "FAISS multi-index, 16 x 16, 1 flip": "multi",
    "FAISS IVF, 1/32 of the lists": "ivf",
    "FAISS HNSW, 100 nearest": "hnsw",
    "finhash scan": "scan",
}
"""Short keys for the peers that the text names."""


def _scale() -> Numbers:
    goals = results.load("search_goals").set_index("quantity")["measured"]
    quoted = {
        "join-rate": "join, real hashes, 1e9 pairs a second",
        "join-flat": "join / FAISS flat",
        "join-gain": "two threads / one, join",
        "histogram-rate": "histogram, 1e9 pairs a second",
    }
    found = {key: f"{goals[quantity]:.1f}" for key, quantity in quoted.items()}
    rates = results.load("search_kernels").groupby(["contender", "bits"])["rate"].median()
    order = {"join-scattered": f"{rates['join, scattered', 256] / 1e9:.1f}"}
    table = results.load("search_peers").set_index("peer")
    asked = {}
    for name, key in PEERS.items():
        asked[f"peer-{key}-recall"] = percent(table["recall"][name], 0)
        asked[f"peer-{key}-rate"] = whole(table["a_second"][name])
    speed = table["a_second"]["FAISS IVF, 1/32 of the lists"] / table["a_second"]["finhash scan"]
    asked["ivf-times"] = times(speed)
    one = medians(results.load("search_one"))
    jobs = results.load("search_cluster_jobs")
    largest = jobs[jobs["images"] == jobs["images"].max()].set_index("algorithm")
    grouped = {"cluster-pictures": whole(largest["images"].iloc[0])}
    for name, row in largest.iterrows():
        grouped[f"cluster-{name}-seconds"] = f"{row['seconds']:.0f}"
        grouped[f"cluster-{name}-memory"] = whole((row["peak"] - row["before"]) / 1e6)
    model = results.load("search_model").set_index("images")
    priced = {f"model-{power}-dollars": whole(model["dollars"][10**power]) for power in (8, 9)} | {
        f"model-{power}-hours": whole(model["core_hours"][10**power]) for power in (8, 9)
    }
    return (
        _from("search_goals", found)
        | _from("search_kernels", order)
        | _from("search_peers", asked)
        | _from("search_one", {"match-one": milliseconds(one["within the radius"])})
        | _from("search_cluster_jobs", grouped)
        | _from("search_model", priced)
    )


def _power(target: float) -> int:
    """4 for a rate of 1 in 10,000."""
    return round(-math.log10(target))


def _accuracy_table() -> str:
    merged = results.load("rates").query("labels == 'merged'").set_index("method")
    number = {key: text for key, (text, _) in (_accuracy() | _retrieval()).items()}
    rows = [
        [
            methods.get(name).label,
            f"{row['auc']:.4f}",
            percent(row["eer"], 2),
            *(number[f"merged{power}-{name}"] for power in (3, 4, 5, 6)),
            number[f"merged-p99-{name}"],
            number[f"p1-{name}"],
            number[f"ap-{name}"],
            f"{row['effective_bits']:.0f}",
        ]
        for name, row in merged.iterrows()
    ]
    rates = [f"$10^{{-{power}}}$" for power in (3, 4, 5, 6)]
    head = ["hash", "AUC", "EER", *rates, r"at 99\,\%", "P@1", "mAP", "bits"]
    return tabular("lrrrrrrrrrr", head, rows)


def _recall_table() -> str:
    recall = results.load("resampling_intervals")
    number = {key: text for key, (text, _) in _by_family().items()}
    rows = []
    for name in recall["method"].unique():
        cells = [methods.get(name).label]
        for target in sorted(recall["target"].unique(), reverse=True):
            own = recall.query("method == @name and target == @target").set_index("labels")
            low, high = 100 * own.loc["merged", ["low", "high"]]
            cells += [f"{100 * own['recall'][labels]:.1f}" for labels in LABELS]
            cells.append(f"{low:.0f} to {high:.0f}")
            cells.append("--" if name == "find" else number[f"p{_power(target)}-{name}"])
        cells += [number[f"held5-{name}-{what}"] for what in ("radius", "fpr", "recall")]
        rows.append(cells)
    head = ["hash", *["labelled", "merged", "interval", "$p$"] * 2, "radius", "rate", "recall"]
    over = r" & \multicolumn{4}{c}{$10^{-4}$} & \multicolumn{4}{c}{$10^{-5}$} & \multicolumn{3}{c}"
    over += r"{held out, $10^{-5}$} \\ \cmidrule(lr){2-5}\cmidrule(lr){6-9}\cmidrule(lr){10-12}"
    return tabular("l" + "r" * 11, head, rows).replace("\\toprule\n", f"\\toprule\n{over}\n")


def _cost_table() -> str:
    number = {key: text for key, (text, _) in _cost().items()}
    rows = [
        [
            methods.get(row["method"]).label,
            str(row["bytes"]),
            *(number[f"{what}-{row['method']}"] for what in ("cost", "pixels", "large")),
            whole(row["peak_kB"]),
            number[f"rate-{row['method']}"],
            number.get(f"matching-{row['method']}", "--"),
        ]
        for row in results.load("each_hash").to_dict("records")
    ]
    head = ["hash", "bytes", "ms file", "ms pixels", "ms large", "kB", "a second", "s all pairs"]
    return tabular("lrrrrrrr", head, rows)
