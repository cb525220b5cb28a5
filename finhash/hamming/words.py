"""Packed hashes laid out as the kernels read them."""

import numpy as np


class Gallery:
    """Hashes laid out as the kernels hold them, for a service that asks again and again.

    It stands for its hashes wherever they are joined or searched. Laying them out costs several
    times as much as comparing one query with them.
    """

    def __init__(self, hashes: np.ndarray) -> None:
        self.words = as_words(hashes)

    def __len__(self) -> int:
        return self.words.shape[1]


Hashes = np.ndarray | Gallery


Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]


def as_words(hashes: Hashes, word: type = np.uint64) -> np.ndarray:
    """``word [words, n]`` of ``uint8 [n, bytes]``, contiguous along n; a gallery's own words."""
    if isinstance(hashes, Gallery):
        if word is np.uint64:
            return hashes.words
        hashes = np.ascontiguousarray(hashes.words.T).view(np.uint8)
    hashes = np.asarray(hashes)
    if hashes.dtype != np.uint8 or hashes.ndim != 2 or hashes.shape[1] % 8 or not hashes.shape[1]:
        raise ValueError(
            "expected uint8 [n, bits / 8] with bits a multiple of 64, "
            f"got {hashes.dtype} {hashes.shape}"
        )
    return np.ascontiguousarray(np.ascontiguousarray(hashes).view(word).T)


def both_as_words(
    a: Hashes, b: Hashes | None, word: type = np.uint64
) -> tuple[np.ndarray, np.ndarray]:
    """``as_words`` of two sets of equally long hashes; without ``b``, ``a``'s twice."""
    left = as_words(a, word)
    right = left if b is None else as_words(b, word)
    if len(left) != len(right):
        bits = [8 * words.itemsize * len(words) for words in (left, right)]
        raise ValueError(f"hashes of {bits[0]} and {bits[1]} bits do not compare")
    return left, right


def by_family(words: np.ndarray, families: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The columns sorted by family, and for each where its family ends, ``int [n]``.

    So sorted, a column's pairs with later ones split at one place.
    """
    families = as_labels(families, words.shape[1])
    order = np.argsort(families, kind="stable")
    families = families[order]
    return np.ascontiguousarray(words[:, order]), np.searchsorted(families, families, side="right")


def check_radius(radius: int, bits: int) -> None:
    """A ValueError unless hashes of so many bits can be so far apart."""
    if not 0 <= radius <= bits:
        raise ValueError(f"radius must be between 0 and {bits}, not {radius}")


def as_labels(labels: np.ndarray, n: int) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.shape != (n,):
        raise ValueError(f"expected {n} family labels, got shape {labels.shape}")
    return labels
