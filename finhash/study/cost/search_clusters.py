"""Cost of clustering large sets, in time and memory, and of adding images to the clusters."""

import time
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
from tqdm import tqdm

from finhash import cluster
from finhash.study import results, timing
from finhash.study.accuracy import clustering
from finhash.study.data import simulated

COMPILED_ON = 30_000
"""Number of hashes clustered before the timed call: enough for the pruned join to be compiled."""

LONGEST = 25
"""Seconds after which no further sample of a clustering job is taken."""


def cluster_jobs(
    hashes: np.ndarray,
    families: np.ndarray,
    numbers: Sequence[int],
    radii: Mapping[str, int],
    seed: int,
    workers: int,
    repeats: int,
) -> pd.DataFrame:
    """Measure the clustering of simulated sets of growing size, each in a fresh process.

    The images of a set are in random order.

    Parameters
    ----------
    hashes : ndarray of uint8, shape (n, bytes)
        Hashes from which the sets are simulated.
    families : ndarray of int, shape (n,)
        Family of each hash.
    numbers : sequence of int
        Sizes of the sets.
    radii : mapping of str to int
        Threshold of each algorithm, in bits.
    seed : int
        Seed of the simulation.
    workers : int
        Number of threads.
    repeats : int
        Number of samples. Jobs that take more than ``LONGEST`` seconds in total have fewer.

    Returns
    -------
    DataFrame
        One row per algorithm and size:

        algorithm : str
            Clustering algorithm: ``algorithm`` of ``cluster.families``.
        images : int
            Number of images in the set.
        seconds, low, high : float
            Median, shortest and longest wall time of the samples, in seconds.
        samples : int
            Number of samples.
        clusters : int
            Number of clusters found.
        f1 : float
            Pairwise F1 score against the simulated families.
        before, peak : int
            Resident memory before the simulation, and at the peak, in bytes.
    """
    rows = []
    for algorithm, radius in radii.items():
        for number in tqdm(numbers, algorithm, unit="set", leave=False):
            (seconds, labels), before, peak = timing.in_fresh_process(
                _cluster, hashes, number, radius, seed, algorithm, workers, repeats
            )
            found = clustering.scores(labels, simulated.families(families, number))
            times = np.median(seconds), min(seconds), max(seconds), len(seconds)
            quality = found["clusters"], found["f1"]
            rows.append((algorithm, number, *times, *quality, before, peak))
    columns = ["algorithm", "images", "seconds", "low", "high", "samples", "clusters", "f1"]
    return pd.DataFrame(rows, columns=[*columns, "before", "peak"])


def adding(
    hashes: np.ndarray, late: np.ndarray, radii: Mapping[str, int], workers: int, repeats: int
) -> pd.DataFrame:
    """Compare adding hashes to families with a run from scratch.

    Parameters
    ----------
    hashes : ndarray of uint8, shape (n, bytes)
        All hashes.
    late : ndarray of bool, shape (n,)
        Which of them come later.
    radii : mapping of str to int
        Threshold of each algorithm, in bits.
    workers : int
        Number of threads.
    repeats : int
        Number of samples.

    Returns
    -------
    DataFrame
        One row per algorithm:

        algorithm : str
            Clustering algorithm.
        added : int
            Number of hashes that come later.
        seconds, seconds_again : float
            Wall time of adding them, and of a run from scratch, in seconds: medians.
        clusters, clusters_again : int
            Number of clusters after adding, and from scratch.
        kept : float
            Share of the pairs together after adding that are together from scratch too.
        found : float
            Share of the pairs together from scratch that are together after adding too.
        same : bool
            Whether the clusters are the same.
    """
    rows, old, new = [], hashes[~late], hashes[late]
    both = np.concatenate([old, new])
    for algorithm, radius in radii.items():
        labels = cluster.families(old, radius, algorithm, workers=workers)
        options = {"radius": radius, "method": algorithm, "workers": workers}
        calls = {
            "add": partial(cluster.add, old, labels, new, **options),
            "again": partial(cluster.families, both, **options),
        }
        added, scratch = calls["add"](), calls["again"]()
        seconds = results.medians(timing.time_calls(calls, repeats))
        found = clustering.scores(added, scratch)
        numbers = len(np.unique(added)), len(np.unique(scratch))
        shares = found["precision"], found["recall"]
        rows.append((algorithm, len(new), *seconds, *numbers, *shares, min(shares) == 1))
    columns = ["algorithm", "added", "seconds", "seconds_again", "clusters", "clusters_again"]
    return pd.DataFrame(rows, columns=[*columns, "kept", "found", "same"])


def _cluster(
    hashes: np.ndarray,
    number: int,
    radius: int,
    seed: int,
    algorithm: str,
    workers: int,
    repeats: int,
) -> tuple[list[float], np.ndarray]:
    """Cluster a simulated set in random order; return the seconds and the labels in its own."""
    order = np.random.default_rng(seed).permutation(number)
    many = simulated.hashes(hashes, number, seed)[order]
    # Compiles before the timed call; the pruned join is compiled too if there are enough hashes.
    cluster.families(many[:COMPILED_ON], radius, algorithm)
    seconds: list[float] = []
    while len(seconds) < repeats and sum(seconds) < LONGEST:
        start = time.perf_counter()
        labels = cluster.families(many, radius, algorithm, workers=workers)
        seconds.append(time.perf_counter() - start)
    in_order = np.empty_like(labels)
    in_order[order] = labels
    return seconds, in_order
