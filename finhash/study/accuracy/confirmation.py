"""Confirmation of set A's results on set B, as ``data/plan_b.md`` prescribes.

``python -m finhash.study.accuracy.confirmation candidates`` writes the pairs of templates that may
show the same image, and sheets of them to look at, into ``build/confirmation``. The verdicts are
kept in ``assets/twins_b.csv``. With ``evaluate`` in the place of ``candidates``, the command then
computes the results tables ``confirmation*``. It reads the committed hash tables of set B; if there
are none, it first renders and hashes the set, for which ``FINHASH_TEMPLATES_B`` must name the
templates' folder.
"""

import os
from collections.abc import Mapping, Sequence

import click
import numpy as np
import pandas as pd
from tqdm import tqdm

from finhash import methods
from finhash.accuracy import counting, rates, resampling, thresholds
from finhash.accuracy.counting import PairTable
from finhash.files import whole_file
from finhash.study import project, results
from finhash.study.accuracy import choice, twins
from finhash.study.data import committed, datasets, lookalikes, memes, standin
from finhash.tables.hash_table import HashTable

BY = "finhash.study.accuracy.confirmation"
DATASET = results.SET_B
TARGETS = (1e-3, 1e-4, 1e-5)
"""False positive rates of the thresholds that set A gave."""
COMPARED = (1e-4, 1e-5)
"""False positive rates at which methods are compared with FINd."""
DRAWS = 1000
"""Number of half-samples for intervals at fixed thresholds."""
TEST_DRAWS = 10_000
"""Number of half-samples for tests, so that 44 times the smallest p-value stays below 5 %."""
SHEET = 40
"""Pairs on one sheet."""
ROOM = 8
"""Bits counted beyond the largest threshold that is needed."""

Tables = Mapping[str, PairTable]
"""Counts of each method."""


def given(table: pd.DataFrame) -> dict[tuple[str, float], int]:
    """Return set A's threshold for each method and target, from the table ``thresholds``.

    Examples
    --------
    >>> row = {"use": "match", "method": "find", "target": 1e-5, "threshold": 52}
    >>> given(pd.DataFrame([row]))
    {('find', 1e-05): 52}
    """
    keys = zip(table["method"], table["target"].astype(float), strict=True)
    return dict(zip(keys, table["threshold"].astype(int), strict=True))


def at_thresholds(tables: Tables, chosen: Mapping[tuple[str, float], int]) -> pd.DataFrame:
    """Measure every method at the given thresholds.

    Returns
    -------
    DataFrame
        One row per method and target that has a threshold:

        method : str
            Method name.
        target : float
            False positive rate for which the threshold was chosen.
        threshold : int
            Threshold in bits.
        fpr : float
            Share of all other-family pairs within the threshold.
        recall : float
            Share of all same-family pairs within the threshold.
        low, high : float
            Bounds of the 95 % interval of recall; see ``resampling.interval``.
    """
    draws = resampling.resample(tables, TARGETS, DRAWS, standin.MEMES_B.seed, chosen)
    table = resampling.intervals(draws)
    keys = list(zip(table["method"], table["target"], strict=True))
    table["threshold"] = [chosen[key] for key in keys]
    table["fpr"] = [tables[name].rates()[0][chosen[name, target]] for name, target in keys]
    return table[["method", "target", "threshold", "fpr", "recall", "low", "high"]]


def certainty(tables: Tables, chosen: Mapping[tuple[str, float], int]) -> pd.DataFrame:
    """Compute how sure the false positive rates at the given thresholds are.

    Returns
    -------
    DataFrame
        One row per method and target that has a threshold:

        method, target, threshold
            As in ``at_thresholds``.
        fpr, recall : float
            As in ``at_thresholds``.
        fpr_high : float
            Upper bound of the rate on unseen families; see ``thresholds.upper_bound``.
        family_pairs, families : float
            Effective numbers; see ``PairTable.effective_numbers``.
    """
    rows = []
    for name, table in tables.items():
        bound, (fpr, recall) = thresholds.upper_bound(table), table.rates()
        for target in TARGETS:
            if (name, target) in chosen:
                radius = chosen[name, target]
                measured = fpr[radius], recall[radius], bound[radius]
                effective = table.effective_numbers(radius)
                rows.append((name, target, radius, *measured, *effective))
    columns = ["method", "target", "threshold", "fpr", "recall", "fpr_high"]
    return pd.DataFrame(rows, columns=[*columns, "family_pairs", "families"])


def compare(tables: Tables) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare every method with FINd at equal false positive rates.

    Returns
    -------
    intervals, differences : DataFrame
        As from ``resampling.intervals`` and ``resampling.differences``. ``p`` and ``p_equivalent``
        are corrected together, over all methods and targets, by Holm's method.
    """
    draws = resampling.resample(tables, COMPARED, TEST_DRAWS, standin.MEMES_B.seed)
    found = resampling.differences(draws, "find")
    tests = found[["p", "p_equivalent"]].stack()
    found[["p", "p_equivalent"]] = resampling.holm(tests).unstack()
    return resampling.intervals(draws), found


def predictions(found: pd.DataFrame, tests: pd.DataFrame) -> pd.DataFrame:
    """Compare the five predictions of ``data/plan_b.md`` with the results of set B.

    Parameters
    ----------
    found : DataFrame
        Table ``confirmation``.
    tests : DataFrame
        Table ``confirmation_differences``.

    Returns
    -------
    DataFrame
        One row per prediction:

        prediction : str
            What set A predicts.
        result : str
            What set B shows: differences of recall in points, and corrected p-values.
        verdict : str
            ``"confirmed"``, ``"not shown"``, or how many parts of the prediction are confirmed.
    """
    merged = found[found["labels"] == "merged"]
    rows = tests.set_index(["method", "target"])
    weaker = ["ahash256", "whash256", *(n for n in committed.COMPARED if methods.get(n).bits == 64)]
    less = {name: rows.loc[name, 1e-4] for name in weaker}
    phash, unsure = (rows.loc["phash256", rate] for rate in COMPARED)
    middle, dhash = rows.loc["find_middle", 1e-4], rows.loc["dhash256", 1e-5]
    below = [_is_different(row) and row["difference"] < 0 for row in less.values()]
    missed = merged[merged["fpr"] > merged["target"]]
    not_less = [name for name, lower in zip(less, below, strict=True) if not lower]
    table = [
        (
            "each rate is at most its target",
            "; ".join(
                f"{methods.get(row.method).label}: {1e5 * row.fpr:.3g} false matches per 100,000"
                f" pairs at a target of {1e5 * row.target:g}"
                for row in missed.itertuples()
            ),
            _verdict((merged["fpr"] <= merged["target"]).tolist()),
        ),
        (
            "FINd and pHash are equivalent at 1 in 10,000; no answer at 1 in 100,000",
            f"p of equivalence {phash['p_equivalent']:.2g} and {unsure['p_equivalent']:.2g}",
            _verdict(
                [
                    phash["p_equivalent"] < choice.LEVEL,
                    unsure["p_equivalent"] >= choice.LEVEL and not _is_different(unsure),
                ]
            ),
        ),
        (
            "FINd finds more than aHash, wHash and every 64-bit hash at 1 in 10,000",
            "; ".join(f"{methods.get(name).label}: {_points(less[name])}" for name in not_less),
            _verdict(below),
        ),
        (
            "FINd of the middle half finds at least 5 points more at 1 in 10,000",
            _points(middle),
            _verdict([_is_different(middle) and middle["difference"] >= resampling.MARGIN]),
        ),
        (
            "dHash finds less than FINd at 1 in 100,000",
            _points(dhash),
            _verdict([_is_different(dhash) and dhash["difference"] < 0]),
        ),
    ]
    return pd.DataFrame(table, columns=["prediction", "result", "verdict"])


def _is_different(test: pd.Series) -> bool:
    """Return whether a test shows a difference from FINd."""
    return bool(test["p"] < choice.LEVEL)


def _points(test: pd.Series) -> str:
    """Return a difference from FINd in points, with its p-value."""
    return f"{100 * test['difference']:+.1f} points (p = {test['p']:.2g})"


def _verdict(parts: Sequence[bool]) -> str:
    """Return how much of a prediction is confirmed, given whether each of its parts is."""
    if all(parts):
        return "confirmed"
    return f"confirmed for {sum(parts)} of {len(parts)}" if any(parts) else "not shown"


def shared_families() -> list[int]:
    """Return the families of set B whose template is byte-identical to one of set A's."""
    known = {template.sha256 for template in standin.MEMES.templates()}
    return [k for k, t in enumerate(standin.MEMES_B.templates()) if t.sha256 in known]


@click.group()
def main() -> None:
    """Confirm set A's results on set B, as data/plan_b.md prescribes."""


@main.command()
def candidates() -> None:
    """Write pairs of templates to judge, and sheets of them, into build/confirmation."""
    templates = [standin.MEMES_B.template(family) for family in range(memes.FAMILIES)]
    pairs = lookalikes.candidates(templates)
    folder = project.root() / "build" / "confirmation"
    with whole_file(folder / "candidates.csv") as partial:
        pairs.to_csv(partial, index=False)
    for start in range(0, len(pairs), SHEET):
        sheet = lookalikes.draw_pairs(templates, pairs.iloc[start : start + SHEET], columns=4)
        with whole_file(folder / f"{start:04d}.png") as partial:
            sheet.save(partial, "png")
    click.echo(f"{len(pairs)} pairs in {folder}")


@main.command()
def evaluate() -> None:
    """Compute the tables ``confirmation*`` of set B."""
    table = _hashes()
    families = committed.families(table)
    chosen = given(results.load("thresholds"))
    truths = twins.labellings(families, DATASET)
    unseen = ~np.isin(families, shared_families())
    main_labels = truths["merged"]
    certain, summaries, measured = [], [], []
    counts: dict[str, dict[str, PairTable]] = {key: {} for key in truths}
    for name in tqdm(committed.COMPARED, "set B", unit="method"):
        own = table.hashes(name)
        histograms = counting.labelled_histograms(table, [name], truths, _cores())
        found = [
            rates.summary(part).assign(labels=key)
            for key, part in histograms.groupby("labels", sort=False)
        ]
        summaries += found
        widest = max(summary[f"radius_{max(TARGETS):.0e}"].item() for summary in found)
        largest = max(radius for (method, _), radius in chosen.items() if method == name)
        reach = max(widest, largest) + ROOM
        for key, pairs in counting.count_pairs(own, truths, reach, workers=_cores()).items():
            counts[key][name] = pairs
        alone = {"": main_labels[unseen]}
        few = counting.count_pairs(own[unseen], alone, reach, workers=_cores())[""]
        certain.append(certainty({name: few}, chosen).assign(labels="merged", templates="unseen"))
    for key, tables in counts.items():
        measured.append(at_thresholds(tables, chosen).assign(labels=key))
        certain.append(certainty(tables, chosen).assign(labels=key, templates="all"))
    columns = ["method", "labels", "target", "threshold", "fpr", "recall", "low", "high"]
    intervals, differences = compare(counts["merged"])
    facts = {
        "command": f"python -m {BY} evaluate",
        "seed": standin.MEMES_B.seed,
        "run": results.SET_B,
    }
    about = {"data": f"{DATASET}, {len(table):,} images", "machine": facts}
    results.save(pd.concat(measured)[columns], "confirmation", by=BY, **about)
    results.save(pd.concat(certain), "confirmation_certainty", by=BY, **about)
    results.save(pd.concat(summaries), "confirmation_rates", by=BY, **about)
    results.save(intervals, "confirmation_intervals", by=BY, **about)
    results.save(differences, "confirmation_differences", by=BY, **about)


def _hashes() -> HashTable:
    """Return the hash table of set B: the committed one, or one hashed and saved now."""
    if committed.exists(DATASET):
        return committed.load(list(committed.COMPARED), DATASET)
    dataset = datasets.load(project.SCALES["full"], name=DATASET)
    table = committed.hash_dataset(dataset, list(committed.COMPARED))
    if len(table.without_errors()) < len(table):
        raise click.ClickException(f"some images in {dataset.folder} cannot be hashed")
    committed.save(table)
    return table


def _cores() -> int:
    return os.cpu_count() or 1


if __name__ == "__main__":
    main()
