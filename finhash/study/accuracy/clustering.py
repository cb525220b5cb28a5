"""Agreement of clusters with families, over thresholds, clustering algorithms and labellings.

All pairs within the largest radius are found once per method. Every smaller radius, and every
collection of some of the families, is clustered from these pairs.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from tqdm import tqdm

from finhash import hamming
from finhash.accuracy import resampling
from finhash.jit import kernel

FEWEST = 8
"""Fewest families of which a half can say something about the other half."""

ALGORITHMS = ("components", "spheres")
"""Clustering algorithms of ``finhash.cluster``."""


@dataclass(frozen=True)
class Neighbours:
    """Neighbours of each image, nearest first, as the rows of one sparse matrix.

    Attributes
    ----------
    start : int64 array of shape (n + 1,)
        The neighbours of image ``k`` are the entries ``start[k]`` to ``start[k + 1]`` of ``index``
        and ``distance``.
    index : int32 array of shape (2 * pairs,)
        Neighbours. Each pair is stored for both of its images.
    distance : uint16 array of shape (2 * pairs,)
        Distances in bits.
    radius : int
        Largest distance, in bits, up to which neighbours were sought.
    """

    start: np.ndarray
    index: np.ndarray
    distance: np.ndarray
    radius: int

    @classmethod
    def within(cls, hashes: np.ndarray, radius: int, *, workers: int = 1) -> "Neighbours":
        """Find the neighbours of all hashes within a radius, in bits."""
        i, j, distance = hamming.join(hashes, radius=radius, workers=workers)
        ends = np.bincount(i, minlength=len(hashes)) + np.bincount(j, minlength=len(hashes))
        start = np.concatenate([[0], np.cumsum(ends)])
        order = np.argsort(distance, kind="stable")
        return cls(start, *_by_image(i, j, distance, order, start[:-1].copy()), radius)

    def clusters(
        self, radii: Sequence[int], algorithms: Sequence[str], members: np.ndarray | None = None
    ) -> Iterator[tuple[int, str, np.ndarray]]:
        """Cluster some of the images at each radius.

        Parameters
        ----------
        radii : sequence of int
            Radii in bits.
        algorithms : sequence of str
            Of ``ALGORITHMS``.
        members : int array of shape (m,), optional
            Images to cluster, in ascending order; all by default. Other images have no effect.

        Yields
        ------
        radius : int
            Each radius, in ascending order.
        algorithm : str
            Each algorithm.
        labels : int array of shape (m,)
            Cluster of each member.

        Raises
        ------
        ValueError
            If a radius is larger than that up to which neighbours were sought.
        """
        if max(radii) > self.radius:
            raise ValueError(
                f"cannot cluster at radius {max(radii)}: neighbours were sought up to "
                f"{self.radius}; find them within a larger radius"
            )
        n = len(self.start) - 1
        members = np.arange(n) if members is None else members
        active = np.zeros(n, bool)
        active[members] = True
        state = self.start[:-1].copy(), np.arange(n), np.zeros(n, np.int64)
        end, root, degree = state
        for radius in sorted(set(radii)):
            _grow(self.start, self.index, self.distance, members, active, radius, *state)
            for algorithm in algorithms:
                if algorithm == "components":
                    labels = _roots(root, members)
                else:
                    order = members[np.argsort(-degree[members], kind="stable")]
                    labels = _spheres(self.start, self.index, end, order)[members]
                yield radius, algorithm, labels


BASELINES: dict[str, Callable[[int], np.ndarray]] = {
    "each alone": lambda n: np.arange(n),
    "all in one": lambda n: np.zeros(n, int),
}
"""Clusterings of n images that use no hashes."""


def sweep(
    hashes: Mapping[str, np.ndarray | Neighbours],
    radii: Mapping[str, Sequence[int]],
    truths: Mapping[str, np.ndarray],
    *,
    algorithms: Sequence[str] = ALGORITHMS,
    workers: int = 1,
) -> pd.DataFrame:
    """Cluster every method's hashes at each of its radii and score the clusters.

    Parameters
    ----------
    hashes : mapping of str to uint8 array of shape (n, bits / 8)
        Packed hashes of each method, or their ``Neighbours`` if these have been found before.
    radii : mapping of str to sequence of int
        Radii of each method, in bits.
    truths : mapping of str to array of shape (n,)
        Family of each image, under each labelling.
    algorithms : sequence of str
        Of ``ALGORITHMS``.
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
            near = _neighbours(hashes[name], max(radii[name]), workers)

            def score(clustered: tuple[int, str, np.ndarray], name: str = name) -> list[dict]:
                radius, algorithm, labels = clustered
                key = {"method": name, "algorithm": algorithm, "radius": radius}
                return [key | {"truth": t} | scores(labels, truths[t]) for t in truths]

            for scored in pool.map(score, near.clusters(radii[name], algorithms)):
                rows += scored
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
    clusters, truth = _numbered(labels), _numbered(families)
    cluster_sizes, family_sizes = np.bincount(clusters), np.bincount(truth)
    order = np.argsort(truth, kind="stable")
    found, b3_precision, b3_recall = _agreement(
        clusters[order], truth[order], cluster_sizes, family_sizes
    )
    true, claimed = map(_pairs_of, (family_sizes, cluster_sizes))
    precision = found / claimed if claimed else 1.0
    recall = found / true if true else 1.0
    return {
        "clusters": int(np.count_nonzero(cluster_sizes)),
        "largest": float(cluster_sizes.max() / len(labels)),
        "precision": precision,
        "recall": recall,
        "f1": _harmonic_mean(precision, recall),
        "b3_precision": b3_precision,
        "b3_recall": b3_recall,
        "b3_f1": _harmonic_mean(b3_precision, b3_recall),
    }


def held_out(
    hashes: Mapping[str, np.ndarray | Neighbours],
    radii: Mapping[str, Sequence[int]],
    families: np.ndarray,
    *,
    score: str | Sequence[str],
    algorithms: Sequence[str],
    seed: int,
    splits: int = 1,
    given: Mapping[str, Mapping[str, int]] | None = None,
    workers: int = 1,
) -> pd.DataFrame:
    """Choose each radius on one half of the families and score it on the other half.

    Parameters
    ----------
    hashes, radii, algorithms, workers
        As for ``sweep``.
    families : array of shape (n,)
        Family of each image.
    score : str or sequence of str
        Keys of ``scores``. For each of them the radius with its highest value is chosen, the
        smaller one of equals.
    seed : int
        Seed of the first random split of the families. The next splits use the next numbers.
    splits : int
        Number of random splits into two halves.
    given : mapping of str to mapping of str to int, optional
        Rules that are given: name of the rule -> a radius of each method, in bits, that is scored
        on every half too. Methods may be left out.

    Returns
    -------
    DataFrame
        One row per method, split, half, algorithm and rule: the columns of ``scores``, and

        method : str
            Method name.
        algorithm : str
            Clustering algorithm.
        radius : int
            Radius chosen on the other half, or given, in bits.
        rule : str
            Score by which the radius was chosen, or key of ``given``.
        split : int
            Number of the split, from 0.
        half : int
            Half that was scored, 0 or 1.

        The table is empty if there are fewer than ``FEWEST`` families.
    """
    rules = [score] if isinstance(score, str) else list(score)
    names, labels = np.unique(families, return_inverse=True)
    if len(names) < FEWEST:
        keys = ["method", "algorithm", "radius", "rule", "split", "half"]
        return pd.DataFrame(columns=[*keys, *scores(labels, labels)])
    halves = [
        np.flatnonzero(fold == half)
        for k in range(splits)
        for fold in [resampling.assign_folds(len(names), 2, seed + k)[labels]]
        for half in (0, 1)
    ]
    rows = []
    for name in tqdm(hashes, "held out", unit="method", leave=False):
        near = _neighbours(hashes[name], max(radii[name]), workers)
        fixed = {rule: each[name] for rule, each in (given or {}).items() if name in each}
        every = [*radii[name], *fixed.values()]
        swept = _score_members(near, every, algorithms, families, halves, workers)
        for k, own in enumerate(swept):
            other = swept[k ^ 1]
            chosen = {rule: _best(other[other["radius"].isin(radii[name])], rule) for rule in rules}
            chosen |= {rule: own[own["radius"] == radius] for rule, radius in fixed.items()}
            for rule, picked in chosen.items():
                found = own.merge(picked[["algorithm", "radius"]])
                rows.append(found.assign(method=name, rule=rule, split=k // 2, half=k % 2))
    return _in_order(pd.concat(rows, ignore_index=True))


def growth(
    hashes: Mapping[str, np.ndarray | Neighbours],
    radii: Mapping[str, Sequence[int]],
    families: np.ndarray,
    sizes: Sequence[int],
    *,
    score: Sequence[str] = ("f1", "b3_f1"),
    algorithms: Sequence[str],
    draws: int,
    seed: int,
    workers: int = 1,
) -> pd.DataFrame:
    """Find the best radius of collections of some of the families, and of the whole collection.

    Each draw is a random order of the families. Its collection of size s is the first s of them,
    so a draw's smaller collections are parts of its larger ones.

    Parameters
    ----------
    hashes, radii, algorithms, workers
        As for ``sweep``.
    families : array of shape (n,)
        Family of each image.
    sizes : sequence of int
        Numbers of families in the collections. Sizes that are not smaller than the whole are
        left out.
    score : sequence of str
        Keys of ``scores``; the radius with the highest value is best, the smaller one of equals.
    draws : int
        Number of collections of each size. The whole is one collection.
    seed : int
        Seed of the draws.

    Returns
    -------
    DataFrame
        One row per method, algorithm, score and collection:

        method : str
            Method name.
        algorithm : str
            Clustering algorithm.
        score : str
            Key of ``scores``.
        families : int
            Number of families in the collection.
        images : int
            Number of images in the collection.
        draw : int
            Number of the draw, from 0; 0 for the whole.
        radius : int
            Best radius of the collection, in bits.
        value : float
            Score of the collection at this radius.
        whole : float
            Score of the whole collection at this radius.
        loss : float
            Highest score of the whole collection, less ``whole``.
    """
    names, labels = np.unique(families, return_inverse=True)
    rng = np.random.default_rng(seed)
    ranks = [rng.permutation(len(names))[labels] for _ in range(draws)]
    smaller = [size for size in sizes if size < len(names)]
    drawn = [(size, draw) for size in smaller for draw in range(draws)]
    members = [np.flatnonzero(ranks[draw] < size) for size, draw in drawn]
    members.append(np.arange(len(families)))
    drawn.append((len(names), 0))
    rows = []
    for name in tqdm(hashes, "growth", unit="method", leave=False):
        near = _neighbours(hashes[name], max(radii[name]), workers)
        swept = _score_members(near, radii[name], algorithms, families, members, workers)
        whole = swept[-1].set_index(["algorithm", "radius"])
        for (size, draw), images, found in zip(drawn, members, swept, strict=True):
            for rule in score:
                best = _best(found, rule)
                at_best = whole.loc[list(zip(best["algorithm"], best["radius"], strict=True)), rule]
                highest = whole.groupby("algorithm")[rule].max()[best["algorithm"]]
                rows.append(
                    pd.DataFrame(
                        {
                            "method": name,
                            "algorithm": best["algorithm"].to_numpy(),
                            "score": rule,
                            "families": size,
                            "images": len(images),
                            "draw": draw,
                            "radius": best["radius"].to_numpy(),
                            "value": best[rule].to_numpy(),
                            "whole": at_best.to_numpy(),
                            "loss": highest.to_numpy() - at_best.to_numpy(),
                        }
                    )
                )
    return _in_order(pd.concat(rows, ignore_index=True))


def per_doubling(grown: pd.DataFrame) -> pd.DataFrame:
    """Fit the change of the best radius per doubling of the number of families.

    A straight line in the logarithm of the number of families is fitted to each draw, whose last
    point is the whole collection.

    Parameters
    ----------
    grown : DataFrame
        Table of ``growth``.

    Returns
    -------
    DataFrame
        One row per method, algorithm and score with collections of two sizes or more:

        method : str
            Method name.
        algorithm : str
            Clustering algorithm.
        score : str
            Score whose highest value makes a radius the best.
        bits : float
            Median slope over draws, in bits per doubling.
        low, high : float
            Smallest and largest slope of a draw.

    Examples
    --------
    >>> columns = ["method", "algorithm", "score", "families", "draw", "radius"]
    >>> rows = [("find", "spheres", "f1", 2 ** k, 0, 80 - 4 * k) for k in range(4)]
    >>> per_doubling(pd.DataFrame(rows, columns=columns))["bits"].round(6).item()
    -4.0
    """
    keys = ["method", "algorithm", "score"]
    rows = []
    for key, group in grown.groupby(keys, sort=False):
        if group["families"].nunique() < 2:
            continue
        whole = group["families"] == group["families"].max()
        slopes = []
        for draw in group["draw"].unique():
            points = group[whole | (group["draw"] == draw)]
            doublings = np.log2(points["families"])
            slopes.append(np.polyfit(doublings, points["radius"], 1)[0])
        rows.append((*key, float(np.median(slopes)), float(min(slopes)), float(max(slopes))))
    return pd.DataFrame(rows, columns=[*keys, "bits", "low", "high"])


def _neighbours(hashes: np.ndarray | Neighbours, radius: int, workers: int) -> Neighbours:
    """Return the neighbours of hashes, or those that are given in their place."""
    if isinstance(hashes, Neighbours):
        return hashes
    return Neighbours.within(hashes, radius, workers=workers)


def _score_members(
    near: Neighbours,
    radii: Sequence[int],
    algorithms: Sequence[str],
    families: np.ndarray,
    members: Sequence[np.ndarray],
    workers: int,
) -> list[pd.DataFrame]:
    """Cluster and score each collection of images at every radius, one table per collection."""

    def sweep_one(images: np.ndarray) -> pd.DataFrame:
        truth = families[images]
        return pd.DataFrame(
            {"algorithm": algorithm, "radius": radius} | scores(labels, truth)
            for radius, algorithm, labels in near.clusters(radii, algorithms, images)
        )

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(sweep_one, members))


def _best(swept: pd.DataFrame, score: str) -> pd.DataFrame:
    """Return the row with the highest score of each algorithm; radii must be ascending."""
    return swept.loc[swept.groupby("algorithm", sort=False)[score].idxmax()]


def _in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with the column ``method`` first."""
    return table[["method", *table.columns.drop("method")]]


def _numbered(labels: np.ndarray) -> np.ndarray:
    """Return labels as integers from 0, below twice the number of images."""
    labels = np.asarray(labels)
    if labels.dtype.kind in "iu" and labels.min() >= 0 and labels.max() < 2 * len(labels):
        return labels
    return np.unique(labels, return_inverse=True)[1]


def _pairs_of(sizes: np.ndarray) -> float:
    """Return the number of pairs within groups of these sizes."""
    return float((sizes * (sizes - 1) // 2).sum())


def _harmonic_mean(a: float, b: float) -> float:
    """Return the harmonic mean, and 0 if both numbers are 0."""
    return 2 * a * b / (a + b) if a + b else 0.0


@kernel
def _agreement(
    clusters: np.ndarray, truth: np.ndarray, cluster_sizes: np.ndarray, family_sizes: np.ndarray
) -> tuple[float, float, float]:
    """Return the number of claimed true pairs, B-cubed precision and B-cubed recall.

    ``truth`` is ascending, so the images of a family lie together. Each of the c images that a
    family and a cluster share has the B-cubed precision c / cluster size and the B-cubed recall
    c / family size.
    """
    shared = np.zeros(len(cluster_sizes), np.int64)
    pairs = precision = recall = 0.0
    start = 0
    while start < len(truth):
        end = start + family_sizes[truth[start]]
        for k in range(start, end):
            shared[clusters[k]] += 1
        for k in range(start, end):
            count = shared[clusters[k]]
            if count:
                pairs += count * (count - 1) / 2
                precision += count * count / cluster_sizes[clusters[k]]
                recall += count * count / family_sizes[truth[start]]
                shared[clusters[k]] = 0
        start = end
    return pairs, precision / len(truth), recall / len(truth)


@kernel
def _by_image(
    i: np.ndarray, j: np.ndarray, distance: np.ndarray, order: np.ndarray, place: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Store each pair for both of its images, at ``place``, in the given order of pairs."""
    index = np.empty(2 * len(i), np.int32)
    distances = np.empty(2 * len(i), distance.dtype)
    for pair in order:
        for a, b in ((i[pair], j[pair]), (j[pair], i[pair])):
            index[place[a]] = b
            distances[place[a]] = distance[pair]
            place[a] += 1
    return index, distances


@kernel
def _root(root: np.ndarray, k: int) -> int:
    """Return the root of ``k`` and halve the path to it."""
    while root[k] != k:
        root[k] = root[root[k]]
        k = root[k]
    return k


@kernel
def _grow(
    start: np.ndarray,
    index: np.ndarray,
    distance: np.ndarray,
    members: np.ndarray,
    active: np.ndarray,
    radius: int,
    end: np.ndarray,
    root: np.ndarray,
    degree: np.ndarray,
) -> None:
    """Add the neighbours up to ``radius``: advance ``end``, merge roots, count neighbours.

    ``end``, ``root`` and ``degree`` hold the state at the last radius and are changed in place.
    The smaller of two roots becomes the root of both.
    """
    for a in members:
        while end[a] < start[a + 1] and distance[end[a]] <= radius:
            b = index[end[a]]
            end[a] += 1
            if active[b]:
                degree[a] += 1
                if a < b:
                    first, second = _root(root, a), _root(root, b)
                    root[max(first, second)] = min(first, second)


@kernel
def _roots(root: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Return the root of each member."""
    labels = np.empty(len(members), np.int64)
    for k in range(len(members)):
        labels[k] = _root(root, members[k])
    return labels


@kernel
def _spheres(
    start: np.ndarray, index: np.ndarray, end: np.ndarray, order: np.ndarray
) -> np.ndarray:
    """Assign each image of ``order`` to a sphere, as ``finhash.cluster.spheres`` does.

    Returns the position in ``order`` of each image's centre. Images that are not in ``order`` may
    be claimed too; they claim none themselves.
    """
    centre = np.full(len(end), -1, np.int64)
    for k in range(len(order)):
        a = order[k]
        if centre[a] < 0:
            centre[a] = k
            for entry in range(start[a], end[a]):
                if centre[index[entry]] < 0:
                    centre[index[entry]] = k
    return centre
