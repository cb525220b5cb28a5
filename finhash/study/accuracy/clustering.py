"""Agreement of clusters with families, over thresholds, clustering algorithms and labellings."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from sklearn.cluster import DBSCAN
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.cluster import contingency_matrix, pair_confusion_matrix
from tqdm import tqdm

from finhash import cluster, hamming
from finhash.study.accuracy import resampling

MIN_SAMPLES = 5
"""Number of images within the radius that make an image a core point of DBSCAN.

The image itself counts as one of them. The value is that of Zannettou et al. (2018).
"""


def dbscan(n: int, pairs: hamming.Pairs) -> np.ndarray:
    """Cluster with DBSCAN, given all pairs within the radius; each noise point stays alone."""
    i, j, _ = pairs
    ends = np.concatenate([i, j]), np.concatenate([j, i])
    # Only pairs within the radius are stored, so any eps that includes all stored values is right.
    within = coo_array((np.ones(2 * len(i)), ends), (n, n)).tocsr()
    labels = DBSCAN(eps=1, min_samples=MIN_SAMPLES, metric="precomputed").fit(within).labels_
    noise = labels < 0
    labels[noise] = labels.max() + 1 + np.arange(noise.sum())
    return labels


def components(n: int, pairs: hamming.Pairs) -> np.ndarray:
    """Cluster with ``finhash.cluster.components``, given all pairs within the radius."""
    return cluster.components(np.arange(n), [pairs])


def spheres(n: int, pairs: hamming.Pairs) -> np.ndarray:
    """Cluster with ``finhash.cluster.spheres``, given all pairs within the radius."""
    i, j, distance = pairs

    def blocks_in(order: np.ndarray) -> list[hamming.Pairs]:
        """Return the pairs as ``join_blocks(hashes[order])`` would: ``i < j``, sorted."""
        rank = np.empty(n, np.int64)
        rank[order] = np.arange(n)
        first, second = np.minimum(rank[i], rank[j]), np.maximum(rank[i], rank[j])
        by_first = np.argsort(first * n + second)
        return [(first[by_first], second[by_first], distance[by_first])]

    return cluster.spheres(cluster.neighbours(n, [pairs]), blocks_in)


ALGORITHMS: dict[str, Callable[[int, hamming.Pairs], np.ndarray]] = {
    "components": components,
    "spheres": spheres,
    "DBSCAN": dbscan,
}
"""Functions that return a cluster label for each of n images, ``int [n]``."""

BASELINES: dict[str, Callable[[int], np.ndarray]] = {
    "each alone": lambda n: np.arange(n),
    "all in one": lambda n: np.zeros(n, int),
}
"""Clusterings of n images that use no hashes."""


def sweep(
    hashes: Mapping[str, np.ndarray],
    radii: Mapping[str, Sequence[int]],
    truths: Mapping[str, np.ndarray],
    *,
    algorithms: Sequence[str] = tuple(ALGORITHMS),
    workers: int = 1,
) -> pd.DataFrame:
    """Cluster every method's hashes at each of its radii and score the clusters.

    Parameters
    ----------
    hashes : mapping of str to uint8 array of shape (n, bits / 8)
        Packed hashes of each method.
    radii : mapping of str to sequence of int
        Radii of each method, in bits.
    truths : mapping of str to array of shape (n,)
        Family of each image, under each labelling.
    algorithms : sequence of str
        Keys of ``ALGORITHMS``.
    workers : int
        Number of threads.

    Returns
    -------
    DataFrame
        One row per method, radius, algorithm and labelling: the columns of ``scores``, and

        method : str
            Method name.
        algorithm : str
            Clustering algorithm.
        radius : int
            Threshold in bits.
        truth : str
            Labelling that the clusters are compared with.
    """
    rows = []
    with ThreadPoolExecutor(workers) as pool:
        for name in tqdm(hashes, "clustering", unit="method", leave=False):
            # Pairs are found once, at the largest radius.
            pairs = hamming.join(hashes[name], radius=max(radii[name]), workers=workers)
            at_radius = partial(_at_radius, len(hashes[name]), pairs, algorithms, truths)
            for scored in pool.map(at_radius, radii[name]):
                rows += [{"method": name} | row for row in scored]
    return pd.DataFrame(rows)


def baselines(truths: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Score the clusterings that use no hashes.

    Returns
    -------
    DataFrame
        One row per baseline and labelling: the columns of ``scores``, and

        algorithm : str
            Key of ``BASELINES``.
        truth : str
            Labelling that the clusters are compared with.
    """
    return pd.DataFrame(
        {"algorithm": name, "truth": truth} | scores(make(len(families)), families)
        for name, make in BASELINES.items()
        for truth, families in truths.items()
    )


def scores(labels: np.ndarray, families: np.ndarray) -> dict[str, float]:
    """Score clusters against families.

    Two images in one cluster are a claimed pair, two images of one family a true pair.

    Parameters
    ----------
    labels, families : array of shape (n,)
        Cluster and family of each image.

    Returns
    -------
    dict
        clusters : int
            Number of clusters.
        largest : float
            Share of all images that are in the largest cluster.
        ari : float
            Adjusted Rand index.
        precision : float
            Share of claimed pairs that are true; 1 if no pair is claimed.
        recall : float
            Share of true pairs that are claimed; 1 if there is no true pair.
        f1 : float
            Harmonic mean of precision and recall.
        b3_precision : float
            B-cubed precision (Bagga and Baldwin 1998): the share of an image's cluster that is of
            its family, averaged over images.
        b3_recall : float
            B-cubed recall: the share of an image's family that is in its cluster, averaged over
            images.
        b3_f1 : float
            Harmonic mean of the two.

    Examples
    --------
    Of 3 claimed pairs one is true; of 2 true pairs one is claimed.

    >>> found = scores(np.array([0, 0, 0, 1]), np.array([7, 7, 8, 8]))
    >>> round(found["precision"], 3), found["recall"], round(found["f1"], 3)
    (0.333, 0.5, 0.4)
    """
    (_, false), (missed, found) = pair_confusion_matrix(families, labels).tolist()
    precision = found / (found + false) if found + false else 1.0
    recall = found / (found + missed) if found + missed else 1.0
    # ``cells.data`` counts the images of one family in one cluster. Each has precision
    # count / cluster size and recall count / family size.
    cells = contingency_matrix(families, labels, sparse=True).tocoo()
    family_sizes = np.bincount(cells.row, cells.data)
    cluster_sizes = np.bincount(cells.col, cells.data)
    b3_precision = float((cells.data**2 / cluster_sizes[cells.col]).sum() / len(labels))
    b3_recall = float((cells.data**2 / family_sizes[cells.row]).sum() / len(labels))
    return {
        "clusters": len(cluster_sizes),
        "largest": float(cluster_sizes.max() / len(labels)),
        "ari": adjusted_rand_score(families, labels),
        "precision": precision,
        "recall": recall,
        "f1": _harmonic_mean(precision, recall),
        "b3_precision": b3_precision,
        "b3_recall": b3_recall,
        "b3_f1": _harmonic_mean(b3_precision, b3_recall),
    }


def held_out(
    hashes: Mapping[str, np.ndarray],
    radii: Mapping[str, Sequence[int]],
    families: np.ndarray,
    *,
    score: str,
    algorithms: Sequence[str],
    seed: int,
    workers: int = 1,
) -> pd.DataFrame:
    """Choose each radius on one half of the families and score it on the other half.

    Parameters
    ----------
    hashes, radii, algorithms, workers
        As for ``sweep``.
    families : array of shape (n,)
        Family of each image.
    score : str
        Key of ``scores``; the radius with its highest value is chosen.
    seed : int
        Seed of the random split of families.

    Returns
    -------
    DataFrame
        One row per method, algorithm and half: the columns of ``scores``, and

        method : str
            Method name.
        algorithm : str
            Clustering algorithm.
        radius : int
            Radius chosen on the other half, in bits.
        half : int
            Half that was scored, 0 or 1.
    """
    names, labels = np.unique(families, return_inverse=True)
    half_of = resampling.assign_folds(len(names), 2, seed)[labels]
    swept = []
    for half in (0, 1):
        own = {name: packed[half_of == half] for name, packed in hashes.items()}
        truth = {"families": families[half_of == half]}
        swept.append(sweep(own, radii, truth, algorithms=algorithms, workers=workers))
    keys = ["method", "algorithm"]
    rows = []
    for half in (0, 1):
        other = swept[1 - half]
        chosen = other.loc[other.groupby(keys, sort=False)[score].idxmax()]
        rows.append(swept[half].merge(chosen[[*keys, "radius"]]).assign(half=half))
    return pd.concat(rows, ignore_index=True).drop(columns="truth")


def _at_radius(
    n: int,
    pairs: hamming.Pairs,
    algorithms: Sequence[str],
    truths: Mapping[str, np.ndarray],
    radius: int,
) -> list[dict[str, object]]:
    """Cluster with every algorithm at one radius and score against every labelling."""
    i, j, distance = pairs
    near = distance <= radius
    within = i[near], j[near], distance[near]
    rows = []
    for algorithm in algorithms:
        labels = ALGORITHMS[algorithm](n, within)
        for truth, families in truths.items():
            key = {"algorithm": algorithm, "radius": radius, "truth": truth}
            rows.append(key | scores(labels, families))
    return rows


def _harmonic_mean(a: float, b: float) -> float:
    """Return the harmonic mean, and 0 if both numbers are 0."""
    return 2 * a * b / (a + b) if a + b else 0.0
