"""Claims about matching and clustering at scale: notebook 09 and the report's section on it."""

from collections.abc import Callable

import pandas as pd

from finhash.study.results import medians

LOSSY = ["FAISS hash, 16 bits, 2 flips", "FAISS HNSW, 100 nearest"]
"""Indexes that lose many pairs."""

SLOW = ["PDQ's index (FAISS multi-index, exact)", "BK-tree"]
"""Exact indexes that are slower than comparing everything."""


def _work(work: pd.DataFrame, column: str, centres: str = "of the join") -> list[float]:
    """Return a column at the cluster and at the search threshold, the smaller and the larger."""
    return work[work["centres"] == centres].sort_values("radius")[column].tolist()


def _ladder(ladder: pd.DataFrame, contender: str) -> float:
    """Return how many times as many pairs per second the join handles as a contender."""
    rates = ladder.set_index("contender")["pairs_per_second"]
    return rates["finhash join"] / rates[contender]


def _ratio(ratios: pd.DataFrame, name: str, contender: str = "join", *, wide: bool = True) -> float:
    """Return a ratio to FAISS's flat index at the search or at the cluster threshold."""
    rows = ratios[(ratios["set"] == name) & (ratios["contender"] == contender)]
    return rows.sort_values("radius")["ratio"].iloc[-1 if wide else 0]


def _queries(table: pd.DataFrame) -> pd.Series:
    """Return queries per second by contender, on one core."""
    return table[table["workers"] == 1].set_index("contender")["throughput"]


def _recall(table: pd.DataFrame) -> pd.Series:
    """Return recall by contender, on one core."""
    return table[table["workers"] == 1].set_index("contender")["recall"]


def _flat(one: pd.DataFrame, kind: str) -> float:
    """Return how many times as long a look-up takes in FAISS's flat index as in the gallery."""
    return medians(one)[f"{kind}, FAISS flat"] / medians(one)[kind]


def _grouping(one: pd.DataFrame, kind: str) -> float:
    """Return how many times as long a look-up takes in a gallery that is not grouped."""
    return medians(one)[f"{kind}, exhaustive"] / medians(one)[kind]


def _slope(exponents: pd.DataFrame) -> float:
    """Return the exponent of the join over the last decade, at the cluster threshold."""
    rows = exponents.query(
        "growth == 'number' and contender == 'pruned' and span == 'last decade'"
    ).sort_values("radius")
    return rows["exponent"].iloc[0]


def _seconds(times: pd.DataFrame, contender: str, *, wide: bool = False) -> float:
    """Return the seconds of a join of 100,000 images at the cluster or the search threshold."""
    rows = times.query("growth == 'number' and number == 100000 and contender == @contender")
    by_radius = rows.groupby("radius")["seconds"].median()
    return by_radius.iloc[-1 if wide else 0]


def _largest(jobs: pd.DataFrame, column: str, algorithm: str = "components") -> float:
    """Return a column of the largest clustering job of an algorithm."""
    return jobs[jobs["algorithm"] == algorithm].sort_values("images")[column].iloc[-1]


def _model(model: pd.DataFrame, column: str, images: int) -> float:
    """Return a column of the model for a number of images."""
    return model.set_index("images")[column][images]


CLAIMS: dict[str, tuple[Callable[..., bool], tuple[str, ...]]] = {
    "pruning-compares": (
        lambda work: (
            0.01 < _work(work, "evaluated")[0] < 0.03
            and 0.13 < _work(work, "evaluated")[1] < 0.2
            and _work(work, "left")[1] > 0.8 * _work(work, "evaluated")[1]
            and max(_work(work, "distances")) < 0.06
        ),
        ("pruning_work",),
    ),
    "pruning-families": (
        lambda work: all(
            own > found
            for own, found in zip(
                _work(work, "evaluated", "of the families"), _work(work, "evaluated"), strict=True
            )
        ),
        ("pruning_work",),
    ),
    "ladder-loop": (
        lambda ladder: 5000 < _ladder(ladder, "imagehash, a - b in a loop") < 20_000,
        ("search_ladder",),
    ),
    "ladder-numpy": (
        lambda ladder: 90 < _ladder(ladder, "NumPy, XOR and bit counts") < 180,
        ("search_ladder",),
    ),
    "ladder-pruning": (
        lambda ladder: 1.55 < _ladder(ladder, "finhash, all pairs compared") < 3.05,
        ("search_ladder",),
    ),
    "ratio-search": (lambda ratios: 4 < _ratio(ratios, "shuffled") < 6.3, ("search_ratios",)),
    "ratio-cluster": (
        lambda ratios: 12 < _ratio(ratios, "shuffled", wide=False) < 19,
        ("search_ratios",),
    ),
    "ratio-sets": (
        lambda ratios: (
            4 < _ratio(ratios, "other memes, noisy") < 9
            and 2.4 < _ratio(ratios, "families of eight") < 3.7
        ),
        ("search_ratios",),
    ),
    "ratio-order": (
        lambda ratios: (
            _ratio(ratios, "by family", "exhaustive join")
            / _ratio(ratios, "shuffled", "exhaustive join")
            > 1.35
            and _ratio(ratios, "by family") / _ratio(ratios, "shuffled")
            < _ratio(ratios, "by family", "exhaustive join")
            / _ratio(ratios, "shuffled", "exhaustive join")
        ),
        ("search_ratios",),
    ),
    "ratio-eight": (
        lambda ratios: (
            0.75
            < _ratio(ratios, "families of eight")
            / _ratio(ratios, "families of eight", "exhaustive join")
            < 1
        ),
        ("search_ratios",),
    ),
    "roofline-vector": (
        lambda roof: (roof["limit"] == "vector").all() and roof["share"].between(0.53, 1.02).all(),
        ("roofline",),
    ),
    "processors-same": (
        lambda runs: (
            runs["found"].gt(0).all()
            and runs.groupby("kernel")["found"].nunique().eq(1).all()
            and runs.set_index(["processor", "kernel"])["throughput"]["native"]
            .div(runs.set_index(["processor", "kernel"])["throughput"]["haswell"])
            .between(2.4, 3.8)
            .all()
        ),
        ("search_processors",),
    ),
    "peers-exact": (
        lambda found: (
            _queries(found)[_recall(found) == 1].idxmax() == "finhash gallery"
            and 2 <= _queries(found)["finhash gallery"] / _queries(found)["FAISS flat"] < 4.5
        ),
        ("search_contenders",),
    ),
    "peers-single": (
        lambda found: (
            found[found["workers"] == 1]
            .set_index("contender")["p50"][["FAISS flat", "finhash gallery"]]
            .between(5e-5, 1.5e-4)
            .all()
        ),
        ("search_contenders",),
    ),
    "peers-ivf": (
        lambda found: (
            0.98 < _recall(found)["FAISS IVF, 1/32 of the lists"] < 0.995
            and 2.5
            < _queries(found)["FAISS IVF, 1/32 of the lists"] / _queries(found)["finhash gallery"]
            < 5.5
        ),
        ("search_contenders",),
    ),
    "peers-lossy": (
        lambda found: _recall(found)[LOSSY].between(0.4, 0.6).all(),
        ("search_contenders",),
    ),
    "peers-slow": (
        lambda found: (
            130 < (slower := _queries(found)["FAISS flat"] / _queries(found)[SLOW]).iloc[0] < 220
            and 700 < slower.iloc[1] < 1300
        ),
        ("search_contenders",),
    ),
    "lookup-million": (
        lambda one: 0.0004 < medians(one)["within the radius"] < 0.001,
        ("search_one",),
    ),
    "lookup-flat": (
        lambda one: (
            1.6 < _flat(one, "within the radius") < 2.6 and 3.8 < _flat(one, "nearest") < 6.3
        ),
        ("search_one",),
    ),
    "lookup-batch": (
        lambda one: (
            2.2 < _flat(one, "batch") < 3.8
            and 1.6 < _grouping(one, "within the radius") < 2.6
            and 0.7 < _grouping(one, "batch") < 1
            and 8 < medians(one)["layout"] < 25
        ),
        ("search_one",),
    ),
    "threads-gain": (
        lambda threads: (
            1.25
            < threads.groupby("workers")["seconds"].median()[1]
            / threads.groupby("workers")["seconds"].median()[2]
            < 1.85
        ),
        ("search_threads",),
    ),
    "simulated-alike": (
        lambda likeness: (
            likeness["recall"].max() - likeness["recall"].min() < 0.01
            and likeness["same_mean"].max() - likeness["same_mean"].min() < 1
            and (likeness["other"] / likeness["hashes"]).iloc[1]
            < 1.2 * (likeness["other"] / likeness["hashes"]).iloc[0]
        ),
        ("growth_check",),
    ),
    "growth-square": (lambda exponents: 1.7 < _slope(exponents) < 1.95, ("growth_exponents",)),
    "growth-exhaustive": (
        lambda times: 5.5 < _seconds(times, "exhaustive") / _seconds(times, "pruned") < 11,
        ("growth_times",),
    ),
    "growth-ivf": (
        lambda times: (
            10 < _seconds(times, "FAISS IVF") / _seconds(times, "pruned") < 20
            and 0.98
            < times.query("contender == 'FAISS IVF' and number == 100000")["recall"].min()
            < 0.995
        ),
        ("growth_times",),
    ),
    "growth-threshold": (
        lambda times: (
            2.5 < _seconds(times, "pruned", wide=True) / _seconds(times, "pruned", wide=False) < 4.1
        ),
        ("growth_times",),
    ),
    "clusters-million": (
        lambda jobs: (
            _largest(jobs, "images") == 10**6
            and 7 < _largest(jobs, "seconds") < 14
            and 1.6e8 < _largest(jobs.assign(added=jobs["peak"] - jobs["before"]), "added") < 2.6e8
        ),
        ("search_cluster_jobs",),
    ),
    "clusters-spheres": (
        lambda jobs: (
            1.7 < _largest(jobs, "seconds", "spheres") / _largest(jobs, "seconds") < 3.6
            and abs(_largest(jobs, "f1", "spheres") - 0.74) < 0.02
            and abs(_largest(jobs, "f1") - 0.91) < 0.02
        ),
        ("search_cluster_jobs",),
    ),
    "clusters-adding": (
        lambda added: (
            (added["seconds"] < added["seconds_again"] / 2).all()
            and added.set_index("algorithm")["same"]["components"]
            and added[["kept", "found"]].min(axis=None) > 0.985
        ),
        ("search_adding",),
    ),
    "blocks-same": (
        lambda spread: (
            spread["same"].all() and spread["kept"].iloc[-1] >= spread["files"].iloc[-1] / 2
        ),
        ("search_join_cluster",),
    ),
    "blocks-slower": (
        lambda spread: spread["seconds"].iloc[0] < spread["seconds"].iloc[1:].min(),
        ("search_join_cluster",),
    ),
    "model-square": (
        lambda known: 0.8 < known["square"].iloc[-1] / known["measured"].iloc[-1] < 2.2,
        ("search_model_check",),
    ),
    "model-fitted": (
        lambda known: known["fitted"].iloc[-1] < known["measured"].iloc[-1],
        ("search_model_check",),
    ),
    "model-billion": (
        lambda model: (
            40 < _model(model, "core_hours", 10**8) < 65
            and 100 < _model(model, "dollars", 10**9) < 1000
        ),
        ("search_model",),
    ),
    "model-network": (
        lambda model: 1.4 < _model(model, "network_hours", 10**9) < 2.6,
        ("search_model",),
    ),
}
"""Key of a sentence -> predicate, and the results tables that it reads."""
