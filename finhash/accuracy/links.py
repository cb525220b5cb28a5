"""Links, the pairs of images that hold families together, and what verdicts on them say.

A family of n images, by connected components, is held together by n - 1 links: the shortest pairs
that connect its images, which are the edges of its minimum spanning tree. The links up to
a distance are enough to tell the families at that threshold, and there are fewer links than images.
If the two images of a link do not show one image, the link is wrong.

``links`` finds all links, ``draw`` chooses some at random for a person to judge, and ``judge``
estimates from the verdicts which share of the links is wrong at each threshold.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finhash.accuracy.verdict_file import Verdict
from finhash.hamming import Pairs, join_blocks

Ints = NDArray[np.integer[Any]]
"""Array of whole numbers, of any size."""

BATCH = 2**20
"""Pairs that are gathered, at least, before links are chosen among them."""

CONFIDENCE = 0.95
"""Nominal confidence of the interval of a threshold."""

RESAMPLES = 500
"""Number of samples of the verdicts from which an interval is computed."""


def links(hashes: NDArray[np.uint8], reach: int, *, workers: int = 1) -> Pairs:
    """Return the shortest pairs that connect hashes: a minimum spanning forest.

    Parameters
    ----------
    hashes : ndarray of uint8, shape (n, bits / 8)
        Packed hashes.
    reach : int
        Largest Hamming distance of a link, in bits.
    workers : int, default 1
        Threads.

    Returns
    -------
    first, second : ndarray of int32, shape (links,)
        Rows of the two hashes, the smaller one first.
    distance : ndarray of uint16, shape (links,)
        Their distance in bits. Links are sorted by distance, then by row. There are fewer than
        hashes.

    Raises
    ------
    ValueError
        If the hashes have a wrong dtype or shape, or ``reach`` is not between 0 and their bits.

    Examples
    --------
    Each of three hashes differs from the next in 3 bits, so the first and the last need no link:

    >>> import numpy as np
    >>> from finhash.accuracy.links import links
    >>> hashes = np.packbits(np.arange(64) < np.array([[0], [3], [6]]), axis=1)
    >>> first, second, distance = links(hashes, reach=10)
    >>> first.tolist(), second.tolist(), distance.tolist()
    ([0, 1], [1, 2], [3, 3])
    """
    n = len(hashes)
    empty = np.empty(0, np.int32)
    found: Pairs = (empty, empty, np.empty(0, np.uint16))
    for batch in _batches(join_blocks(hashes, radius=reach, workers=workers), max(n, BATCH)):
        joined = [np.concatenate(columns) for columns in zip(found, *batch, strict=True)]
        found = _forest(n, joined[0], joined[1], joined[2])
    return found


def _batches(blocks: Iterable[Pairs], least: int) -> Iterator[list[Pairs]]:
    """Yield lists of blocks that hold ``least`` pairs or more; the last may hold fewer."""
    batch, held = [], 0
    for block in blocks:
        batch.append(block)
        held += len(block[0])
        if held >= least:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def _forest(n: int, i: Ints, j: Ints, distance: Ints) -> Pairs:
    """Return the edges of a minimum spanning forest of ``n`` nodes."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import minimum_spanning_tree

    # SciPy takes an edge of weight 0 for none.
    weights = distance.astype(float) + 1
    tree = minimum_spanning_tree(coo_array((weights, (i, j)), (n, n)).tocsr()).tocoo()
    first, second = np.minimum(tree.row, tree.col), np.maximum(tree.row, tree.col)
    order = np.lexsort((second, first, tree.data))
    return (
        first[order].astype(np.int32),
        second[order].astype(np.int32),
        (tree.data[order] - 1).astype(np.uint16),
    )


def draw(
    distance: Ints, radius: int, margin: int, most: int, *, seed: int = 0
) -> NDArray[np.int64]:
    """Draw links to judge, the most doubtful first.

    Links are drawn in rounds. A round takes one random link of each distance that differs from the
    threshold by at most ``margin`` bits, in the order of this difference, and then one of the
    closer links. Whoever judges the first links of the order, however many, has judged a random
    sample of each distance.

    Parameters
    ----------
    distance : array of int, shape (links,)
        Distance of each link, in bits.
    radius : int
        Threshold in bits.
    margin : int
        Largest difference from the threshold, in bits. Links beyond it are not drawn.
    most : int
        Number of links to draw, at most.
    seed : int, default 0
        Seed of the random numbers.

    Returns
    -------
    ndarray of int64, shape (drawn,)
        Positions of the links drawn.

    Examples
    --------
    >>> import numpy as np
    >>> from finhash.accuracy.links import draw
    >>> distance = np.array([2, 3, 50, 50, 53, 80])
    >>> distance[draw(distance, radius=52, margin=4, most=10)].tolist()
    [53, 50, 2, 50, 3]
    """
    near = np.flatnonzero(distance <= radius + margin)
    mixed = np.random.default_rng(seed).permutation(near)
    # Links closer than the margin are one stratum.
    stratum = np.maximum(distance[mixed].astype(int), radius - margin - 1)
    order = np.argsort(stratum, kind="stable")
    mixed, stratum = mixed[order], stratum[order]
    turn = np.arange(len(mixed)) - np.searchsorted(stratum, stratum)
    return mixed[np.lexsort((stratum > radius, abs(stratum - radius), turn))][:most]


@dataclass(frozen=True)
class Judged:
    """Links and verdicts by distance, as ``judge`` returns them.

    All arrays have one element per distance, from 0 to the largest distance judged.

    Attributes
    ----------
    links : ndarray of int
        Number of links of this distance.
    judged, wrong : ndarray of int
        Number of pairs of this distance that were judged, and judged not to show one image.
    unknown : int
        Number of verdicts on images that are not in the table.
    far : int
        Number of judged pairs that were left out because they are farther apart than ``reach``.
    """

    links: Ints
    judged: Ints
    wrong: Ints
    unknown: int = 0
    far: int = 0

    def shares(self) -> NDArray[np.float64]:
        """Estimate the share of wrong links among the links within each threshold.

        The share of wrong links at one distance is estimated by isotonic regression: it never falls
        as the distance grows. At a distance without verdicts it is that of the next larger distance
        with some.

        Returns
        -------
        ndarray of float
            Share at each threshold from 0 bits on. It is 0 where there are no links.
        """
        return _shares(self.links, self.judged, self.wrong)

    def threshold(self, most: float) -> int:
        """Return the largest threshold whose estimated share of wrong links is at most ``most``.

        It is the distance of a link: larger thresholds up to the next link would give the same
        families, but no verdict supports them.

        Parameters
        ----------
        most : float
            Largest acceptable share of wrong links.

        Returns
        -------
        int
            Threshold in bits; -1 if the share exceeds ``most`` at every threshold.
        """
        return _largest(self.links, self.shares(), most)

    def interval(self, most: float, *, seed: int = 0) -> tuple[int, int]:
        """Return the range in which ``threshold`` varies between samples of the verdicts.

        Parameters
        ----------
        most : float
            Largest acceptable share of wrong links.
        seed : int, default 0
            Seed of the random numbers.

        Returns
        -------
        low, high : int
            Quantiles of the threshold over ``RESAMPLES`` bootstrap samples. They hold the same
            value if no sample has another, for example if all verdicts are ``same``.
        """
        cells = np.concatenate([self.judged - self.wrong, self.wrong])
        number = int(cells.sum())
        samples = np.random.default_rng(seed).multinomial(number, cells / number, RESAMPLES)
        found = []
        for sample in samples:
            right, wrong = np.split(sample, 2)
            shares = _shares(self.links, right + wrong, wrong)
            found.append(_largest(self.links, shares, most))
        tail = (1 - CONFIDENCE) / 2
        low, high = np.quantile(found, [tail, 1 - tail], method="nearest")
        return int(low), int(high)


def judge(
    paths: Sequence[str],
    hashes: NDArray[np.uint8],
    verdicts: Iterable[Verdict],
    *,
    reach: int | None = None,
    workers: int = 1,
) -> Judged:
    """Estimate from verdicts on pairs of images which share of the links is wrong.

    A link is wrong if its verdict is not ``same``.

    Parameters
    ----------
    paths : sequence of str, shape (n,)
        Path of each image.
    hashes : ndarray of uint8, shape (n, bits / 8)
        Hash of each image, packed.
    verdicts : iterable of Verdict
        Verdicts on pairs of images, by path. Pairs known not to be drawn at random are left out.
        Of several verdicts on a pair, the last counts.
    reach : int, optional
        Largest distance in bits. Verdicts on pairs farther apart are left out. By default it is
        that of the farthest pair judged. All pairs of images up to this distance are computed,
        which at large distances takes time and memory quadratic in the number of images.
    workers : int, default 1
        Threads.

    Returns
    -------
    Judged
        Numbers of links and verdicts by distance.

    Raises
    ------
    ValueError
        If no verdict concerns two different images of the table within ``reach``.

    Examples
    --------
    Two of three links are judged; the one of 9 bits is wrong:

    >>> import numpy as np
    >>> from finhash.accuracy.links import judge
    >>> from finhash.accuracy.verdict_file import Verdict
    >>> hashes = np.packbits(np.arange(64) < np.array([[0], [3], [6], [15]]), axis=1)
    >>> verdicts = [Verdict("a", "b", "same"), Verdict("d", "c", "different")]
    >>> found = judge(["a", "b", "c", "d"], hashes, verdicts)
    >>> found.links[[3, 9]].tolist(), found.wrong[[3, 9]].tolist()
    ([2, 1], [0, 1])
    >>> found.threshold(most=0.1)
    3
    """
    rows = {path.strip(): row for row, path in enumerate(paths)}
    words: dict[tuple[int, int], str] = {}
    unknown = 0
    for verdict in verdicts:
        if verdict.drawn is False:
            continue
        first, second = rows.get(verdict.first.strip()), rows.get(verdict.second.strip())
        if first is None or second is None:
            unknown += 1
        elif first != second:
            words[min(first, second), max(first, second)] = verdict.verdict
    if not words:
        raise ValueError(
            f"no verdict is about two images of this table, and {unknown} are about other images; "
            "judge pairs on the page of 'finhash cluster --html' made from this table"
        )
    i, j = np.array(list(words)).T
    distance = np.bitwise_count(hashes[i] ^ hashes[j]).sum(axis=1, dtype=np.int64)
    wrong = np.array([word != "same" for word in words.values()])
    near = np.full(len(distance), True) if reach is None else distance <= reach
    if not near.any():
        raise ValueError(f"no pair judged differs in {reach} bits or fewer; judge closer pairs")
    far = int((~near).sum())
    distance, wrong = distance[near], wrong[near]
    reach = int(distance.max())
    return Judged(
        links=np.bincount(links(hashes, reach, workers=workers)[2], minlength=reach + 1),
        judged=np.bincount(distance),
        wrong=np.bincount(distance[wrong], minlength=reach + 1),
        unknown=unknown,
        far=far,
    )


def _shares(counts: Ints, judged: Ints, wrong: Ints) -> NDArray[np.float64]:
    """Return the estimated share of wrong links within each threshold."""
    from scipy.optimize import isotonic_regression

    at = np.flatnonzero(judged)
    fitted = isotonic_regression(wrong[at] / judged[at], weights=judged[at]).x
    known = np.minimum(np.searchsorted(at, np.arange(len(counts))), len(at) - 1)
    share: NDArray[np.float64] = (counts * fitted[known]).cumsum() / np.maximum(counts.cumsum(), 1)
    return share


def _largest(counts: Ints, shares: NDArray[np.float64], most: float) -> int:
    """Return the largest distance of a link whose share is at most ``most``; -1 if none is."""
    return int(np.flatnonzero((counts > 0) & (shares <= most)).max(initial=-1))
