r"""Sentences that compare, in the report on a user's own images, made from results tables.

``SENTENCES`` lists each sentence with the results tables that it needs. The text quotes one as
``\result{sentence-...}``. A sentence about a difference of two hashes follows three rules:

- "more" or "less" stands alone only if the corrected p-value is below ``findings.LEVEL``;
- "equivalent" is said only if the equivalence test, not a large p-value, says so;
- otherwise the sentence says that the set does not tell.
"""

from collections.abc import Callable, Sequence

import pandas as pd

from finhash import methods
from finhash.accuracy.findings import LEVEL, listed
from finhash.accuracy.rates import FPR_TARGETS
from finhash.accuracy.resampling import MARGIN
from finhash.study import results
from finhash.study.report import available
from finhash.study.report.rounding import (
    Numbers,
    exponent,
    milliseconds,
    percent,
    whole,
    with_source,
)
from finhash.thresholds import TARGETS

RATES = (1e-4, 1e-3, 1e-2)
"""False positive rates at which hashes may be compared, the preferred one first."""

OWN_HASH = "find"
"""Hash that the differences of ``resampling_differences`` are taken from."""


def texts() -> Numbers:
    """Return the sentences that this run's results carry, by key."""
    found: Numbers = {}
    for key, (function, names) in SENTENCES.items():
        tables = [available.load(name) for name in names]
        if tables[0] is not None:
            text = function(*tables)
            if text:
                found |= with_source({f"sentence-{key}": text}, names[0])
    return found


def reach(histograms: pd.DataFrame) -> str:
    """Say how many pairs were counted and which false positive rates they can show."""
    rows = results.headline(histograms)
    same, other = rows.groupby("method")[["same", "other"]].sum().max()
    text = (
        f"The set has {whole(same + other)} pairs of images: {whole(same)} within families and "
        f"{whole(other)} between them."
    )
    measured = [rate for rate in FPR_TARGETS if available.measurable(rate, int(other))]
    if not same:
        return f"{text} Without pairs within families recall cannot be measured."
    if not measured:
        return f"{text} That is too few to measure recall at a false positive rate of 1 in 100."
    if len(measured) == len(FPR_TARGETS):
        return text
    return f"{text} Rates below {_power(measured[-1])} need more pairs and are left out."


def labels(histograms: pd.DataFrame) -> str:
    """Say whether somebody judged which families show one image."""
    if (histograms["labels"] == "merged").any():
        return (
            "Somebody judged which families show one image; families judged to be the same are "
            "merged in all that follows."
        )
    return (
        "Nobody has judged whether two families show one image, so labels are taken as they are: "
        "some matches counted as false may be right."
    )


def compared(accuracy: pd.DataFrame) -> str:
    """Return the false positive rate at which hashes are compared, or ""."""
    rate = compared_rate(accuracy)
    return _power(rate) if rate else ""


def recall(accuracy: pd.DataFrame) -> str:
    """Say which hashes of 256 bits find most true pairs, and what the best one of 64 bits finds."""
    rate = compared_rate(accuracy)
    if rate is None:
        return "Recall at small false positive rates cannot be measured on so few pairs."
    found = _recalls(accuracy, rate, 256)
    most = _best(found)
    rest = [f"{_label(name)} {percent(found[name])}" for name in found.index.drop(most)]
    where = f"At a false positive rate of {_power(rate)}"
    if not rest:
        text = f"{where} all hashes of 256 bits find {percent(found.iloc[0])} of the true pairs."
    else:
        verb, each = ("finds", "") if len(most) == 1 else ("find", " each")
        share = f"{percent(found.iloc[0])}{each}"
        text = f"{where} {_names(most)} {verb} most of the true pairs, {share}; "
        text += f"the others: {', '.join(rest)}."
    short = _recalls(accuracy, rate, 64)
    if len(short):
        text += f" Of the hashes of 64 bits, {_label(short.index[0])} finds most, "
        text += f"{percent(short.iloc[0])}."
    return text


def differences(tests: pd.DataFrame, accuracy: pd.DataFrame) -> str:
    """Say which hashes of 256 bits find more or less than FINd, which are equivalent, which not."""
    rate = compared_rate(accuracy)
    at_rate = _tests(tests, rate)
    if at_rate.empty:
        return ""
    apart = at_rate["p"] < LEVEL
    more = list(at_rate.index[apart & (at_rate["difference"] > 0)])
    less = list(at_rate.index[apart & (at_rate["difference"] < 0)])
    alike = list(at_rate.index[at_rate["p_equivalent"] < LEVEL])
    open_ = [name for name in at_rate.index if name not in {*more, *less, *alike}]
    own, sentences = _label(OWN_HASH), []
    for names, what in ((more, "more"), (less, "less")):
        if names:
            verb = "finds" if len(names) == 1 else "find"
            sentences.append(f"{_names(names)} {verb} {what} than {own}, beyond chance.")
    if alike:
        verb = "is" if len(alike) == 1 else "are"
        points = f"{100 * MARGIN:.0f} points"
        sentences.append(f"{_names(alike)} {verb} equivalent to {own} within {points}.")
    if open_:
        pronoun = "it finds" if len(open_) == 1 else "they find"
        sentences.append(
            f"The set does not tell whether {_names(open_)} differ{'s' * (len(open_) == 1)} from "
            f"{own}: {pronoun} neither more nor less beyond chance."
        )
    return f"At {_power(rate)}: " + " ".join(sentences)


def recommendation(accuracy: pd.DataFrame, pairs: pd.DataFrame | None) -> str:
    """Recommend a hash of 256 bits, as far as the set tells.

    ``pairs`` is the table ``resampling_pairs`` of tests of every two hashes.
    """
    rate = compared_rate(accuracy)
    if rate is None:
        return "The set is too small to recommend a hash."
    found = _recalls(accuracy, rate, 256)
    most, own = _best(found), _label(OWN_HASH)
    if len(most) > 1:
        return (
            f"The set does not tell which hash is best: {_names(most)} find "
            f"{percent(found.iloc[0])} each at {_power(rate)}."
        )
    best = most[0]
    facts = f"finds most at {_power(rate)}, {percent(found[best])}"
    if best != OWN_HASH and OWN_HASH in found.index:
        facts += f"; {own} finds {percent(found[OWN_HASH])}"
    tests = pd.DataFrame()
    if pairs is not None:
        tests = pairs[(pairs["target"] == rate) & (pairs["method"] == best)].set_index("against")
    if tests.empty:
        return f"On these images {_label(best)} {facts}. Whether its lead is chance was not tested."
    text = rf"\textbf{{Use {_label(best)}:}} it {facts}"
    behind = tests["p"] < LEVEL
    if behind.all():
        return f"{text}. Every other hash of 256 bits finds less, beyond chance."
    text += f". Its lead over {_names(list(tests.index[~behind]))} may be chance."
    if best != OWN_HASH and OWN_HASH in tests.index and not behind[OWN_HASH]:
        if tests["p_equivalent"][OWN_HASH] < LEVEL:
            points = f"{100 * MARGIN:.0f} points"
            text += f" {own} is equivalent to it within {points}, so stored hashes can stay."
        else:
            text += f" A set with more families would tell whether {own} finds less."
    return text


def thresholds(table: pd.DataFrame, accuracy: pd.DataFrame) -> str:
    """Say at which thresholds the recommended hash is used, and for which uses there is none."""
    rate = compared_rate(accuracy)
    if rate is None:
        return ""
    name = _best(_recalls(accuracy, rate, 256))[0]
    bits = table[table["method"] == name].set_index("use")["threshold"]
    phrases = {
        "search": "search at {} bits",
        "human review": "let people review candidates up to {} bits",
        "match": "match without review at {} bits",
        "cluster": "cluster at {} bits",
    }
    given = [phrase.format(bits[use]) for use, phrase in phrases.items() if use in bits.index]
    none = [use for use in phrases if use not in bits.index]
    sentences = []
    if given:
        sentences.append(f"With {_label(name)}, {listed(given)}.")
    if none:
        targets = sorted({TARGETS[use] for use in none}, reverse=True)
        sentences.append(
            f"For {listed(none)} no threshold of {_label(name)} can be promised: the set has too "
            f"few families to bound a rate by {listed([_power(t) for t in targets])}."
        )
    return " ".join(sentences)


def nearest(retrieval: pd.DataFrame) -> str:
    """Say for what share of queries the nearest image is of the right family."""
    rows = retrieval[(retrieval["score"] == "p1") & (retrieval["ties"] == "expected")]
    shares = _of_bits(rows.set_index("method")["images"].dropna(), 256)
    if shares.empty:
        return ""
    return (
        f"Share of queries whose nearest image is of the right family: {_shares(shares)}. "
        "These differences were not tested."
    )


def clusters(held_out: pd.DataFrame) -> str:
    """Say which F1 clusters reach with thresholds chosen on other families."""
    rows = held_out[held_out["rule"] == "f1"].dropna(subset=["f1"])
    ways = {"components": "Connected components", "spheres": "Spheres"}
    sentences = []
    for algorithm, name in ways.items():
        scores = rows[rows["algorithm"] == algorithm].groupby("method")["f1"].mean()
        if len(scores):
            sentences.append(f"{name} reach these F1 scores: {_shares(scores)}.")
    return " ".join([*sentences, "These differences were not tested."] if sentences else [])


def robustness(table: pd.DataFrame) -> str:
    """Say what each hash finds of changed images on average, and which changes cost most."""
    known = table.dropna(subset=["recall"])
    if known.empty:
        return ""
    means = known.groupby("method")["recall"].mean().sort_values(ascending=False)
    first = means.index[0]
    by_change = known[known["method"] == first].groupby("transform")["recall"].mean()
    ordered = by_change.sort_values(kind="stable")
    text = f"Recall, averaged over all changes and strengths: {_shares(means)}."
    if len(ordered) < 4:
        return text
    least = [f"{_words(name)} ({percent(share, 0)})" for name, share in ordered[:3].items()]
    most = f"{_words(ordered.index[-1])} ({percent(ordered.iloc[-1], 0)})"
    return f"{text} With {_label(first)} it is lowest after {listed(least)}, highest after {most}."


def cost(each_hash: pd.DataFrame, growth: pd.DataFrame | None) -> str:
    """Say which hash of 256 bits is the cheapest, on the set's images and on large ones."""
    from_file = _of_bits(each_hash.set_index("method")["ms_file"], 256)
    name = from_file.idxmin()
    text = f"Of the hashes of 256 bits, {_label(name)} is the cheapest from file to hash"
    text += rf" ({milliseconds(from_file[name] / 1e3)}\,ms)"
    if growth is None:
        return f"{text}."
    side = growth["side"].max()
    large = growth[growth["side"] == side].groupby("method")["seconds"].median()
    large = _of_bits(large, 256)
    name = large.idxmin()
    return (
        f"{text}; on images of {whole(side)} pixels a side, {_label(name)} "
        rf"({milliseconds(large[name])}\,ms)."
    )


def compared_rate(accuracy: pd.DataFrame) -> float | None:
    """Return the false positive rate at which hashes are compared, from the table ``rates``.

    It is the first one of ``RATES`` that the set can show; None if there is none.
    """
    return next((rate for rate in RATES if len(_recalls(accuracy, rate, 256))), None)


def _recalls(accuracy: pd.DataFrame, rate: float, bits: int) -> pd.Series:
    """Return recall at a rate of the hashes with so many bits, by method, largest first."""
    column = results.headline(accuracy).set_index("method")[f"tpr_{rate:.0e}"]
    return _of_bits(column.dropna(), bits).sort_values(ascending=False, kind="stable")


def _best(recalls: pd.Series) -> list[str]:
    """Return the methods whose recall is printed like the largest one."""
    return [name for name in recalls.index if percent(recalls[name]) == percent(recalls.iloc[0])]


def _tests(tests: pd.DataFrame, rate: float | None) -> pd.DataFrame:
    """Return the tests of 256-bit hashes against FINd at a rate, by method."""
    rows = tests[tests["target"] == rate].set_index("method").dropna(subset=["p"])
    return rows[[methods.get(name).bits == 256 for name in rows.index]]


def _of_bits(values: pd.Series, bits: int) -> pd.Series:
    return values[[methods.get(name).bits == bits for name in values.index]]


def _shares(values: pd.Series) -> str:
    """Return each method with its share, the largest first."""
    ordered = values.sort_values(ascending=False, kind="stable")
    return listed([f"{_label(name)} {percent(share)}" for name, share in ordered.items()])


def _label(name: str) -> str:
    """Return the method's name in a sentence; hashes of 256 bits go without their size."""
    return methods.get(name).label.removesuffix(" 256")


def _names(names: Sequence[str]) -> str:
    return listed([_label(name) for name in names])


def _words(name: str) -> str:
    return name.replace("_", " ")


def _power(rate: float) -> str:
    return f"$10^{{-{exponent(rate)}}}$"


SENTENCES: dict[str, tuple[Callable[..., str], tuple[str, ...]]] = {
    "reach": (reach, ("counting_histograms",)),
    "labels": (labels, ("counting_histograms",)),
    "rate": (compared, ("rates",)),
    "recall": (recall, ("rates",)),
    "differences": (differences, ("resampling_differences", "rates")),
    "recommendation": (recommendation, ("rates", "resampling_pairs")),
    "thresholds": (thresholds, ("thresholds", "rates")),
    "nearest": (nearest, ("retrieval",)),
    "clusters": (clusters, ("clustering_held_out",)),
    "robustness": (robustness, ("robustness",)),
    "cost": (cost, ("each_hash", "each_hash_growth")),
}
"""Key of a sentence -> function that makes it, and results tables that it reads.

The function gets None for a table that a user's own set lacks, except for the first table: without
it there is no sentence.
"""
