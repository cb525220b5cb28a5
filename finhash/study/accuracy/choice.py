"""Choice of a hash and of its thresholds by a rule, from results tables.

The rule has four steps. It names no hash, so another set of images may choose another one.

1. **Candidates** are the hashes of at most ``MOST_BITS`` bits that were not designed on these
   images. ``DESIGNED_HERE`` lists those that were.
2. **Nothing finds more.** A candidate is rejected if another candidate finds significantly more at
   a false positive rate of a use (p below ``LEVEL`` after Holm's correction).
3. **As good as the best.** Of the others, a candidate is kept if its recall at the rate for search
   is the highest, or is shown to lie within ``MARGIN`` of the highest. A difference that is merely
   not significant does not count as equality.
4. **Cheapest.** Of the kept ones, the cheapest per image from file to hash is chosen. Costs within
   ``TIE`` of the lowest are a tie, which the hash that is stored already wins.

Rates of false matches per pair become false matches per query by multiplying with the number of
images in the collection, because nearly all of them belong to other families than the query.
"""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from finhash import methods
from finhash.accuracy import findings, rates
from finhash.accuracy.resampling import MARGIN
from finhash.study import results
from finhash.study.data.datasets import NoPairsError

MOST_BITS = 256
"""Longest hash that is considered, in bits."""

DESIGNED_HERE = ("find_middle",)
"""Hashes designed while looking at the images that compare them."""

LEVEL = 0.05
"""Corrected p-value below which a difference, or an equivalence, counts as shown."""

TIE = 0.1
"""Relative difference of cost up to which two costs are a tie: machines repeat no better."""

STORED = "find"
"""Hash that FIN has stored for its images."""

RATES = (1e-4, 1e-3, 1e-2)
"""False positive rates at which hashes may be compared: that of search, then larger ones."""

SIZES = (10**3, 10**4, 10**5, 10**6)
"""Numbers of images in a collection."""


def smallest_rate(histograms: pd.DataFrame) -> float:
    """Return the smallest false positive rate that the counted pairs can show.

    It is the rate of a single false match, from the table ``counting_histograms``.

    Examples
    --------
    >>> counts = pd.DataFrame({"labels": "as labelled", "method": "find", "other": [900, 1600]})
    >>> smallest_rate(counts)
    0.0004
    """
    return 1 / max(1, int(results.headline(histograms).groupby("method")["other"].sum().max()))


def compared_rate(histograms: pd.DataFrame) -> float:
    """Return the false positive rate at which the rule compares recall.

    It is the first of ``RATES`` that ``smallest_rate`` allows.

    Raises
    ------
    NoPairsError
        If there is none.

    Examples
    --------
    >>> counts = pd.DataFrame({"labels": "as labelled", "method": "find", "other": [900, 1600]})
    >>> compared_rate(counts)
    0.001
    """
    smallest = smallest_rate(histograms)
    for rate in RATES:
        if rate >= smallest:
            return rate
    raise NoPairsError(
        f"too few pairs of images from different families for a false positive rate of {rate:g}"
    )


def recalls(accuracy: pd.DataFrame, rate: float) -> pd.Series:
    """Return the recall of each method at a rate, from the table ``rates``."""
    column = f"tpr_{rate:.0e}"
    return results.headline(accuracy).set_index("method")[column].dropna().rename("recall")


def every_test(
    differences: pd.DataFrame, pairs: pd.DataFrame | None = None, smallest: float = 0.0
) -> pd.DataFrame:
    """Return the tests of two methods, each in both directions.

    Parameters
    ----------
    differences : DataFrame
        Tests against FINd, as from ``resampling.differences``, with corrected p-values.
    pairs : DataFrame, optional
        Tests of any two methods, as from ``resampling.every_pair``. They replace the tests of
        ``differences`` of the same two methods at the same rate.
    smallest : float
        Result of ``smallest_rate``; tests at smaller rates are left out.

    Returns
    -------
    DataFrame
        One row per ordered pair of methods and rate:

        method, against : str
            The two methods.
        target : float
            False positive rate.
        difference : float
            Recall of ``method`` less that of ``against``.
        p, p_equivalent : float
            Corrected p-values of no difference, and of a difference of ``MARGIN`` or more.

    Examples
    --------
    >>> columns = ["method", "target", "difference", "p", "p_equivalent"]
    >>> every_test(pd.DataFrame([("pdq", 1e-4, -0.2, 0.01, 1)], columns=columns))["method"].tolist()
    ['pdq', 'find']
    """
    keys = ["method", "against", "target"]
    columns = [*keys, "difference", "p", "p_equivalent"]
    known = [differences.assign(against=STORED)]
    if pairs is not None:
        known.insert(0, pairs)
    found = pd.concat([table[columns] for table in known], ignore_index=True)
    found = found[found["target"] >= smallest]
    turned = found.rename(columns={"method": "against", "against": "method"})
    turned["difference"] *= -1
    both = pd.concat([found, turned[columns]]).sort_index(kind="stable")
    return both.drop_duplicates(keys).reset_index(drop=True)


def criteria(
    recall: pd.Series, tests: pd.DataFrame, ms: pd.Series, rate: float, stored: str = STORED
) -> pd.DataFrame:
    """Apply the rule of this module.

    Parameters
    ----------
    recall : Series of float
        Recall of each method at ``rate``, as from ``recalls``.
    tests : DataFrame
        Result of ``every_test``; two methods without a test count as not tested.
    ms : Series of float
        Milliseconds per image from file to hash, by method.
    rate : float
        False positive rate at which the third step compares.
    stored : str
        Hash that wins a tie of costs.

    Returns
    -------
    DataFrame
        One row per method, in the order of ``recall``:

        method : str
            Method name.
        recall : float
            Recall at ``rate``.
        candidate : bool
            Whether the hash was not designed on these images and is short enough.
        beaten_by : str
            Candidate with the largest significant lead, at any rate; empty if there is none.
        as_good : bool
            Whether its recall is the highest of the candidates, or shown within ``MARGIN`` of it.
        ms : float
            Milliseconds per image.
        verdict : str
            ``"chosen"``, or the first criterion that rejects the hash.
    """
    table = recall.rename_axis("method").reset_index(name="recall")
    table["candidate"] = table["method"].map(is_candidate)
    own = table[table["candidate"]].set_index("method")["recall"]
    among = tests[tests["method"].isin(own.index) & tests["against"].isin(own.index)]
    winners = beaten_by(among)
    table["beaten_by"] = [winners.get(name, "") for name in table["method"]]
    table["as_good"] = table["method"].isin(as_good(own, among[among["target"] == rate]))
    table["ms"] = table["method"].map(ms)
    kept = table[table["candidate"] & (table["beaten_by"] == "") & table["as_good"]]
    wins = cheapest(kept.set_index("method")["ms"], stored)
    table["verdict"] = [_verdict(row, wins, ms) for row in table.itertuples(index=False)]
    return table


def is_candidate(name: str) -> bool:
    """Return whether a hash is short enough and was not designed on these images (step 1)."""
    return name not in DESIGNED_HERE and methods.get(name).bits <= MOST_BITS


def beaten_by(tests: pd.DataFrame) -> dict[str, str]:
    """Return the candidate with the largest significant lead over each beaten method (step 2)."""
    lost = tests[(tests["p"] < LEVEL) & (tests["difference"] < 0)].sort_values("difference")
    return lost.groupby("method")["against"].first().to_dict()


def as_good(recall: pd.Series, tests: pd.DataFrame) -> set[str]:
    """Return the methods with the highest recall and those shown to be as good (step 3)."""
    best = recall.index[recall == recall.max()]
    alike = tests[(tests["p_equivalent"] < LEVEL) & tests["against"].isin(best)]
    return {*best, *alike["method"]}


def cheapest(ms: pd.Series, stored: str) -> str:
    """Return the cheapest method, or the stored one if it costs hardly more (step 4)."""
    tied = ms.index[ms <= ms.min() * (1 + TIE)]
    return stored if stored in tied else str(ms.idxmin())


def chosen(table: pd.DataFrame) -> str:
    """Return the method that the rule chooses, from the table of ``criteria``."""
    return str(table.loc[table["verdict"] == "chosen", "method"].item())


def sentence(table: pd.DataFrame, tests: pd.DataFrame, rate: float) -> str:
    """Say which hash the rule chooses, and what the tests leave open.

    Parameters
    ----------
    table : DataFrame
        Result of ``criteria``.
    tests : DataFrame
        Result of ``every_test``.
    rate : float
        False positive rate at which the third step compares.
    """
    found = f"The rule chooses {methods.get(chosen(table)).label}."
    if not (tests["target"] == rate).any():
        return f"{found} Nothing was tested at this rate: the choice rests on estimates of recall."
    unknown = table[table["candidate"] & (table["beaten_by"] == "") & ~table["as_good"]]
    if unknown.empty:
        return found
    names = findings.listed(methods.get(name).label for name in unknown["method"])
    return f"{found} Shown neither to be as good as the best nor to be worse: {names}."


def needs(
    thresholds: pd.DataFrame,
    histograms: pd.DataFrame,
    method: str,
    confirmation: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return what a method finds at its threshold for each use, and at which rate.

    Parameters
    ----------
    thresholds : DataFrame
        Table ``thresholds``; its thresholds have the margin for unseen families.
    histograms : DataFrame
        Table ``counting_histograms``.
    method : str
        Method name.
    confirmation : DataFrame, optional
        Table ``confirmation`` of set B.

    Returns
    -------
    DataFrame
        One row per use that has a threshold:

        use, method : str
            Use and method.
        threshold : int
            Threshold, in bits.
        target, rate, rate_high : float
            Largest acceptable false positive rate; its estimate on families that the choice had
            not seen; the upper bound on unseen families.
        recall : float
            Share of all same-family pairs within the threshold.
        images_high, images : float
            Collection in which a query meets one false match on average: by the upper bound, and
            by the estimate.
        rate_b, recall_b, low_b, high_b : float
            Rate, recall and its interval on set B; only with ``confirmation``.
    """
    own = thresholds[thresholds["method"] == method]
    curve = _curve(histograms, method)
    table = own[["use", "method", "threshold", "target"]].assign(
        rate=own["fpr"], rate_high=own["fpr_high"], recall=curve["tpr"][own["threshold"]].to_numpy()
    )
    table["images_high"], table["images"] = 1 / table["rate_high"], 1 / table["rate"]
    if confirmation is not None:
        rows = confirmation[
            (confirmation["labels"] == "merged") & (confirmation["method"] == method)
        ].set_index("target")
        wanted = {"rate_b": "fpr", "recall_b": "recall", "low_b": "low", "high_b": "high"}
        for column, name in wanted.items():
            table[column] = table["target"].map(rows[name])
    return table.reset_index(drop=True)


def by_threshold(uses: pd.DataFrame) -> pd.DataFrame:
    """Return one row per threshold, whose ``use`` names all uses that have this threshold.

    Parameters
    ----------
    uses : DataFrame
        Result of ``needs``.

    Returns
    -------
    DataFrame
        The columns of ``uses``, with one row per threshold and target.

    Examples
    --------
    >>> uses = pd.DataFrame({"use": ["match", "cluster"], "threshold": 52, "target": 1e-5})
    >>> by_threshold(uses)["use"].tolist()
    ['match and cluster']
    """
    keys = ["threshold", "target"]
    named = uses.groupby(keys, sort=False)["use"].agg(" and ".join).reset_index()
    return named.merge(uses.drop_duplicates(keys).drop(columns="use"), on=keys)


def growth(uses: pd.DataFrame, sizes: Sequence[int] = SIZES) -> pd.DataFrame:
    """Return the expected false matches of one query, by use and size of the collection.

    Parameters
    ----------
    uses : DataFrame
        Result of ``needs``.
    sizes : sequence of int
        Numbers of images in the collection.

    Returns
    -------
    DataFrame
        One row per use and size:

        use : str
            Use.
        threshold : int
            Threshold, in bits.
        images : int
            Number of images in the collection.
        per_query, per_query_high : float
            Mean number of false matches per query: the estimate, and the upper bound.

    Examples
    --------
    >>> uses = pd.DataFrame({"use": ["match"], "threshold": 52, "rate": 2e-6, "rate_high": 1e-5})
    >>> growth(uses, [10**5])["per_query_high"].round(6).tolist()
    [1.0]
    """
    grown = uses[["use", "threshold", "rate", "rate_high"]].merge(
        pd.DataFrame({"images": sizes}), how="cross"
    )
    grown["per_query"] = grown["images"] * grown["rate"]
    grown["per_query_high"] = grown["images"] * grown["rate_high"]
    return grown.drop(columns=["rate", "rate_high"])


def by_size(
    thresholds: pd.DataFrame, histograms: pd.DataFrame, method: str, sizes: Sequence[int] = SIZES
) -> pd.DataFrame:
    """Return the largest threshold with at most one false match per query, by collection size.

    Parameters
    ----------
    thresholds, histograms : DataFrame
        Tables ``thresholds`` and ``counting_histograms``.
    method : str
        Method name.
    sizes : sequence of int
        Numbers of images in the collection.

    Returns
    -------
    DataFrame
        One row per size:

        images : int
            Number of images in the collection.
        threshold, recall : float
            Largest threshold of ``thresholds`` whose upper bound allows at most one false match
            per query, in bits, and its recall; missing if there is none.
        estimated, estimated_recall : float
            Largest threshold whose measured rate, without a margin, does; missing if there is none.
    """
    own, curve = thresholds[thresholds["method"] == method], _curve(histograms, method)
    rows = []
    for images in sizes:
        promised = own.loc[own["fpr_high"] <= 1 / images, "threshold"].max()
        # If no pair has this distance, the threshold finds the same pairs as the one below it.
        measured = curve.index[(curve["fpr"] <= 1 / images) & curve["occurs"]].max()
        recall = [curve["tpr"].get(threshold, math.nan) for threshold in (promised, measured)]
        rows.append((images, promised, recall[0], measured, recall[1]))
    columns = ["images", "threshold", "recall", "estimated", "estimated_recall"]
    return pd.DataFrame(rows, columns=columns)


def _verdict(row: Any, chosen: str, ms: pd.Series) -> str:  # noqa: ANN401
    """Return ``"chosen"``, or the first criterion that rejects a row of ``criteria``."""
    if row.method == chosen:
        return "chosen"
    if not row.candidate:
        return "designed on these images"
    if row.beaten_by:
        return f"{methods.get(row.beaten_by).label} finds more"
    if not row.as_good:
        return f"not shown within {100 * MARGIN:.0f} points of the best"
    if row.ms >= ms[chosen]:
        return f"{row.ms / ms[chosen]:.1f} times the cost"
    return "a tie of costs"


def _curve(histograms: pd.DataFrame, method: str) -> pd.DataFrame:
    """Return both rates of a method at every threshold, and whether any pair has this distance."""
    rows = results.headline(histograms)
    counts = rows[rows["method"] == method].set_index("distance").sort_index()
    curve = rates.roc(counts["same"].to_numpy(), counts["other"].to_numpy())
    return curve.assign(occurs=(counts["same"] + counts["other"]).to_numpy() > 0)
