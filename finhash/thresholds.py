"""Recommended thresholds: the largest distance at which two hashes count as a match.

A threshold depends on its use, which decides how many false matches are acceptable. Each of these
is the largest distance, in bits, for which an upper bound (nominally 95 %) of the false positive
rate on unseen families of images stays below the target of the use. They were chosen on 55,972
captioned memes; ``data/results/thresholds.csv`` of the project's repository adds the measured
rates. On a second set of memes, evaluated once, 35 of 36 measured rates meet their target (that of
``dhash64`` for search is 1.2 in 10,000); for matches and clusters the set is too small to confirm
the bound. Other kinds of images need thresholds of their own. ``find_luma`` has the thresholds of
``find``, which it approximates.
"""

from typing import Literal

from finhash.methods import MethodName, UnknownMethodError

Use = Literal["human review", "search", "match", "cluster"]
"""Uses, for type checkers and editors."""

TARGETS: dict[Use, float] = {"human review": 1e-3, "search": 1e-4, "match": 1e-5, "cluster": 1e-5}
"""Largest acceptable false positive rate of each use.

Human review: candidates that a person confirms. Search: ranked answers to a query. Match: a
decision on one pair that nobody checks. Cluster: families by connected components, where one false
match joins two families.
"""

_UNREVIEWED: dict[MethodName, int] = {
    "find": 52,
    "find64": 6,
    "find_middle": 24,
    "find_luma": 52,
    "ahash256": 16,
    "ahash64": 1,
    "phash256": 52,
    "phash64": 4,
    "dhash256": 33,
    "dhash64": 2,
    "whash256": 17,
    "whash64": 1,
    "pdq": 54,
}
"""Thresholds of the uses that nobody reviews; they have the same target."""

THRESHOLDS: dict[Use, dict[MethodName, int]] = {
    "human review": {
        "find": 90,
        "find64": 16,
        "find_middle": 90,
        "find_luma": 90,
        "ahash256": 38,
        "ahash64": 8,
        "phash256": 90,
        "phash64": 14,
        "dhash256": 68,
        "dhash64": 12,
        "whash256": 41,
        "whash64": 7,
        "pdq": 90,
    },
    "search": {
        "find": 72,
        "find64": 10,
        "find_middle": 68,
        "find_luma": 72,
        "ahash256": 26,
        "ahash64": 4,
        "phash256": 72,
        "phash64": 10,
        "dhash256": 48,
        "dhash64": 7,
        "whash256": 27,
        "whash64": 5,
        "pdq": 72,
    },
    "match": _UNREVIEWED,
    "cluster": _UNREVIEWED,
}
"""Threshold in bits by use and method; a method that meets no target is missing."""


def threshold(use: Use | str, method: MethodName | str = "find") -> int:
    """Return the recommended threshold for a use and a method.

    Parameters
    ----------
    use : str
        A key of ``TARGETS``.
    method : str
        Name of a hash in ``finhash.methods.METHODS``.

    Returns
    -------
    int
        Largest distance, in bits, at which two hashes count as a match.

    Raises
    ------
    KeyError
        If the use is unknown, or no threshold of the method meets its target. The latter is a
        ``finhash.methods.UnknownMethodError``.

    Examples
    --------
    >>> from finhash.thresholds import threshold
    >>> threshold("search", "find")
    72
    """
    if use not in THRESHOLDS:
        raise KeyError(f"unknown use {use!r}; choose one of {', '.join(THRESHOLDS)}")
    chosen = THRESHOLDS[use]
    if method not in chosen:
        raise UnknownMethodError(f"no threshold of {method!r} is known for the use {use!r}")
    return chosen[method]


def review_margin(bits: int) -> int:
    """Return by how many bits a review page shows pairs beyond its threshold.

    Parameters
    ----------
    bits : int
        Length of the hash in bits.

    Returns
    -------
    int
        Bits.

    Examples
    --------
    >>> review_margin(256)
    16
    """
    return bits // 16
