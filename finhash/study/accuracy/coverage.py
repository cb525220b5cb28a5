"""Simulations that show how often intervals, bounds and thresholds keep their promise.

``FINHASH_OUT=. python -m finhash.study.accuracy.coverage`` runs them on the committed hashes of set
A and saves the results tables ``resampling_coverage`` and ``thresholds_coverage``. They take about
a minute and depend on these hashes alone, so notebook 05 only shows the tables.
"""

import os
from collections.abc import Mapping, Sequence

import click
import numpy as np
import pandas as pd
from tqdm import tqdm

from finhash.accuracy import counting, rates
from finhash.accuracy.counting import PairTable
from finhash.accuracy.resampling import LEVEL, half_samples, interval, near, recalls, tails
from finhash.accuracy.thresholds import attainable, largest, upper_bound
from finhash.study import project, results
from finhash.study.accuracy import twins
from finhash.study.data import committed, standin

BY = "finhash.study.accuracy.coverage"

INTERVALS_OF = ("find", "dhash256")
"""Methods whose intervals of recall are simulated."""
RATES = (1e-4, 1e-5)
"""False positive rates at which recall has an interval."""
SAMPLES = 100
"""Number of simulated collections for intervals."""
DRAWS = 200
"""Number of half-samples, and of bootstrap samples, of each simulated collection."""

THRESHOLDS_OF = ("find", "phash256", "dhash256")
"""Methods whose thresholds are simulated."""
TARGETS = (1e-3, 1e-4, 1e-5)
"""Largest acceptable false positive rates of the thresholds."""
RULE_SAMPLES = 200
"""Number of simulated collections for thresholds."""

REACH = {"find": 103, "phash256": 101, "dhash256": 83}
"""Largest distance counted, in bits: 8 beyond the radius of set A's false positive rate 1e-3."""

FEWEST = 5
"""Fewest families in a sample; a simulation with fewer says nothing."""


def of_intervals(
    table: PairTable,
    target: float,
    sizes: Sequence[int],
    *,
    simulations: int,
    draws: int,
    seed: int,
) -> pd.DataFrame:
    """Simulate how often intervals of recall at a false positive rate hold the true value.

    The families of the table are the population, and its recall is the true value. Samples of some
    of the families are drawn without replacement, and samples of all of them with replacement.

    Parameters
    ----------
    table : PairTable
        Counts of one method.
    target : float
        False positive rate.
    sizes : sequence of int
        Numbers of families in a sample. Those below ``FEWEST`` are left out.
    simulations : int
        Number of samples of each size.
    draws : int
        Number of half-samples, or bootstrap samples, of each sample.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    DataFrame
        One row per size and kind of interval:

        families : int
            Number of families in a sample.
        interval : str
            ``"half-samples"``: the interval that the study reports. ``"percentile bootstrap"``: the
            2.5th and 97.5th percentiles over samples drawn with replacement, for comparison.
        coverage : float
            Share of samples whose interval holds the true value.
        width : float
            Mean width of the interval.
        bias : float
            Mean recall in the samples less the true value.
    """
    rng = np.random.default_rng(seed)
    number = len(table.sizes)
    _, truth = rates.at_rate(*table.rates(), target)
    table = near(table, [target], None)
    rows = []
    for size in _large_enough(sizes):
        found = []
        for _ in tqdm(range(simulations), f"samples of {size}", leave=False):
            units = rng.choice(number, size, replace=size == number)
            weights = np.bincount(units, minlength=number).astype(float)
            sample = table.sample(weights)
            again = rng.integers(2**63)
            bootstrap = _bootstrap_samples(units, number, draws, again)
            halves = half_samples(units, number, draws, again)
            stacked = np.vstack([weights, halves, bootstrap])
            own, *others = recalls(sample, stacked, [target], None)[:, 0]
            halves, bootstrap = np.split(np.array(others), 2)
            bounds = {
                "half-samples": interval(own, halves),
                "percentile bootstrap": tuple(np.quantile(bootstrap, tails(LEVEL))),
            }
            for kind, (low, high) in bounds.items():
                found.append((size, kind, low <= truth <= high, high - low, own - truth))
        rows += found
    return _means(rows, ["families", "interval"], ["coverage", "width", "bias"])


def of_thresholds(
    tables: Mapping[str, PairTable],
    targets: Sequence[float],
    sizes: Sequence[int],
    *,
    simulations: int,
    seed: int,
) -> pd.DataFrame:
    """Simulate how often the upper bound holds, and how often the rule exceeds its target.

    The families of the tables are the population. Samples of some of the families are drawn without
    replacement, and samples of all of them with replacement.

    Parameters
    ----------
    tables : mapping of str to PairTable
        Counts of each method, all of the same families.
    targets : sequence of float
        False positive rates.
    sizes : sequence of int
        Numbers of families in a sample. Those below ``FEWEST`` are left out.
    simulations : int
        Number of samples of each size.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    DataFrame
        One row per method, size and target:

        method : str
            Method name.
        families : int
            Number of families in a sample.
        target : float
            False positive rate.
        bound_holds : float
            Share of samples whose upper bound, at the largest threshold that truly meets the
            target, is not below the true rate there.
        rule_exceeds : float
            Share of samples whose chosen threshold truly exceeds the target.
        estimate_exceeds : float
            The same share if the threshold is chosen by the estimated rate, without a bound.
        none : float
            Share of samples in which no threshold meets the rule.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for name, table in tables.items():
        distances, truth = attainable(table), table.rates()[0]
        true = [largest(truth, target, distances) for target in targets]
        for size in _large_enough(sizes):
            for _ in tqdm(range(simulations), f"{name}, {size} families", leave=False):
                units = rng.choice(len(table.sizes), size, replace=size == len(table.sizes))
                weights = np.bincount(units, minlength=len(table.sizes)).astype(float)
                sample = table.sample(weights)
                bound, estimate = upper_bound(sample, weights), sample.rates(weights)[0]
                for target, radius in zip(targets, true, strict=True):
                    chosen = largest(bound, target, distances)
                    naive = largest(estimate, target, distances)
                    holds = bound[radius] >= truth[radius] if radius >= 0 else np.nan
                    exceeds = [r >= 0 and truth[r] > target for r in (chosen, naive)]
                    rows.append((name, size, target, holds, *exceeds, chosen < 0))
    values = ["bound_holds", "rule_exceeds", "estimate_exceeds", "none"]
    return _means(rows, ["method", "families", "target"], values)


def _large_enough(sizes: Sequence[int]) -> list[int]:
    return [size for size in sizes if size >= FEWEST]


def _means(rows: list[tuple], keys: list[str], values: list[str]) -> pd.DataFrame:
    """Average the values of the simulations of each key, in the order of the keys."""
    table = pd.DataFrame(rows, columns=[*keys, *values]).astype(dict.fromkeys(values, float))
    return table.groupby(keys, sort=False)[values].mean().reset_index()


def _bootstrap_samples(units: np.ndarray, number: int, draws: int, seed: int) -> np.ndarray:
    """Draw as many families as there are, with replacement; otherwise as ``half_samples``."""
    rng = np.random.default_rng(seed)
    drawn = rng.choice(units, (draws, len(units)))
    return np.stack([np.bincount(row, minlength=number) for row in drawn]).astype(float)


@click.command()
@click.option("--samples", default=SAMPLES, help="Simulated collections for intervals.")
@click.option("--rule-samples", default=RULE_SAMPLES, help="Simulated collections for thresholds.")
def main(samples: int, rule_samples: int) -> None:
    """Simulate intervals and thresholds on the committed hashes of set A; save two tables."""
    names = list(REACH)
    table = committed.subset(committed.load(names), project.scale())
    merged = twins.labellings(committed.families(table), standin.MEMES.name)["merged"]
    counts = {
        name: counting.count_pairs(
            table.hashes(name), {"": merged}, REACH[name], workers=os.cpu_count() or 1
        )[""]
        for name in names
    }
    number = len(next(iter(counts.values())).sizes)
    covered = pd.concat(
        of_intervals(
            counts[name],
            rate,
            [number // 3, number],
            simulations=samples,
            draws=DRAWS,
            seed=project.SEED,
        ).assign(method=name, target=rate)
        for name in INTERVALS_OF
        for rate in RATES
    )
    promised = of_thresholds(
        {name: counts[name] for name in THRESHOLDS_OF},
        TARGETS,
        [number // 2, number],
        simulations=rule_samples,
        seed=project.SEED,
    )
    about = {
        "data": f"{standin.MEMES.name}, {len(table):,} images",
        "machine": {"run": standin.MEMES.name},
    }
    results.save(covered, "resampling_coverage", by=BY, **about)
    results.save(promised, "thresholds_coverage", by=BY, **about)


if __name__ == "__main__":
    main()
