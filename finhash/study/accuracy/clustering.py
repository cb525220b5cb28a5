"""How well clusters are the families: a sweep over radii, ways of clustering and truths."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from sklearn.cluster import DBSCAN
from sklearn.metrics import adjusted_rand_score
from tqdm import tqdm

from finhash import cluster, hamming

MIN_SAMPLES = 5
"""Pictures that make a core point of DBSCAN, as in Zannettou et al. 2018."""


def dbscan(n: int, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Labels by DBSCAN of pairs within the radius; noise is a cluster of its own each."""
    ends = np.concatenate([i, j]), np.concatenate([j, i])
    close = coo_array((np.ones(2 * len(i)), ends), (n, n)).tocsr()
    labels = DBSCAN(eps=1, min_samples=MIN_SAMPLES, metric="precomputed").fit(close).labels_
    noise = labels < 0
    labels[noise] = labels.max() + 1 + np.arange(noise.sum())
    return labels


def components(n: int, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """The deployed components, of pairs that are all there."""
    return cluster.components(np.arange(n), [(i, j, i)])


def spheres(n: int, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """The deployed spheres, of pairs that are all there."""

    def blocks_in(order: np.ndarray) -> list[hamming.Pairs]:
        rank = np.empty(n, np.int64)
        rank[order] = np.arange(n)
        first, second = np.minimum(rank[i], rank[j]), np.maximum(rank[i], rank[j])
        return [(*np.divmod(np.sort(first * n + second), n), first)]

    return cluster.spheres(cluster.neighbours(n, [(i, j, i)]), blocks_in)


ALGORITHMS: dict[str, Callable[[int, np.ndarray, np.ndarray], np.ndarray]] = {
    "components": components,
    "spheres": spheres,
    "DBSCAN": dbscan,
}


BASELINES = {
    "each alone": lambda n: np.arange(n),
    "all in one": lambda n: np.zeros(n, int),
}


def sweep(
    hashes: Mapping[str, np.ndarray],
    radii: Mapping[str, Sequence[int]],
    truths: Mapping[str, np.ndarray],
    *,
    algorithms: Sequence[str] = tuple(ALGORITHMS),
    workers: int = 1,
) -> pd.DataFrame:
    """Every method's clusters at its radii, scored against each of the truths.

    ``method, algorithm, radius, truth`` and the columns of ``scores``. Pairs are joined once, at
    the largest radius.
    """
    rows = []
    with ThreadPoolExecutor(workers) as pool:
        for name in tqdm(hashes, "clustering", unit="method", leave=False):
            pairs = hamming.join(hashes[name], radius=max(radii[name]), workers=workers)
            at = partial(_at_radius, len(hashes[name]), pairs, algorithms, truths)
            rows += [{"method": name} | row for part in pool.map(at, radii[name]) for row in part]
    return pd.DataFrame(rows)


def baselines(truths: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """The scores of clusterings that look at no picture."""
    return pd.DataFrame(
        {"algorithm": name, "truth": truth} | scores(make(len(families)), families)
        for name, make in BASELINES.items()
        for truth, families in truths.items()
    )


def scores(labels: np.ndarray, families: np.ndarray) -> dict[str, float]:
    """Clusters judged by families, by pairs and by pictures.

    ``clusters``, ``largest`` (share of all pictures), ``ari`` (adjusted Rand index), ``precision``,
    ``recall`` and ``f1`` of "in one cluster" as a claim on pairs (precision 1 if none is made), and
    ``b3_precision``, ``b3_recall``, ``b3_f1`` (B-cubed: Bagga and Baldwin 1998).
    """
    _, labels = np.unique(labels, return_inverse=True)
    _, families = np.unique(families, return_inverse=True)
    clusters, true = np.bincount(labels), np.bincount(families)
    cell, cells = np.unique(labels * len(true) + families, return_counts=True)
    cluster_of, family_of = np.divmod(cell, len(true))
    together, claimed, wanted = map(_pairs, (cells, clusters, true))
    precision = together / claimed if claimed else 1.0
    recall = together / wanted if wanted else 1.0
    # A picture of a cell shares its cluster and its family with that cell's pictures.
    b3_precision = float((cells**2 / clusters[cluster_of]).sum() / len(labels))
    b3_recall = float((cells**2 / true[family_of]).sum() / len(labels))
    return {
        "clusters": len(clusters),
        "largest": clusters.max() / len(labels),
        "ari": adjusted_rand_score(families, labels),
        "precision": precision,
        "recall": recall,
        "f1": _harmonic(precision, recall),
        "b3_precision": b3_precision,
        "b3_recall": b3_recall,
        "b3_f1": _harmonic(b3_precision, b3_recall),
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
    """The radius with the best ``score`` on half of the families, judged on the other half.

    ``method, algorithm, half, radius`` and the scores on the half that did not choose.
    """
    names, labels = np.unique(families, return_inverse=True)
    half = (np.random.default_rng(seed).permutation(len(names)) % 2)[labels]
    swept = []
    for k in (0, 1):
        part = {name: table[half == k] for name, table in hashes.items()}
        truth = {"families": families[half == k]}
        swept.append(sweep(part, radii, truth, algorithms=algorithms, workers=workers))
    keys = ["method", "algorithm"]
    rows = []
    for k in (0, 1):
        chosen = swept[1 - k].loc[swept[1 - k].groupby(keys, sort=False)[score].idxmax()]
        rows.append(swept[k].merge(chosen[[*keys, "radius"]]).assign(half=k))
    return pd.concat(rows, ignore_index=True).drop(columns="truth")


def _at_radius(
    n: int,
    pairs: hamming.Pairs,
    algorithms: Sequence[str],
    truths: Mapping[str, np.ndarray],
    radius: int,
) -> list[dict[str, object]]:
    i, j, distance = pairs
    near = distance <= radius
    i, j = i[near], j[near]
    rows = []
    for algorithm in algorithms:
        labels = ALGORITHMS[algorithm](n, i, j)
        for truth, families in truths.items():
            key = {"algorithm": algorithm, "radius": radius, "truth": truth}
            rows.append(key | scores(labels, families))
    return rows


def _pairs(sizes: np.ndarray) -> int:
    return int((sizes * (sizes - 1) // 2).sum())


def _harmonic(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b else 0.0
