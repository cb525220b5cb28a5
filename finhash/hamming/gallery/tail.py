"""Hashes that were added to a gallery and are not grouped yet."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from finhash.hamming.gallery.ids import Id
from finhash.hamming.kernels.distances import PADDING
from finhash.hamming.layout import Part
from finhash.hamming.words import Columns, aligned

BLOCK = 2**15
"""Hashes per block. Memory is taken only where hashes have been written."""


class Block(NamedTuple):
    """Room for ``BLOCK`` hashes, in the memory layouts of a ``Part``."""

    rows: NDArray[np.uint64]
    columns: Columns


class Tail:
    """Hashes in blocks that never move.

    An addition writes after the hashes that are there, so it costs the same however many there are.
    A reader that knows how many hashes there were when it began is not disturbed. Additions must
    not overlap.

    Parameters
    ----------
    first : int
        Number of the first hash in the gallery.
    words : int
        64-bit words per hash.
    """

    def __init__(self, first: int, words: int) -> None:
        self.first = first
        self._words = words
        self._blocks: list[Block] = []
        self.ids: list[Id] = []
        self._numbers: dict[Id, int] = {}
        # Numbers of removed hashes whose identifiers were used again, for readers of older states.
        self._earlier: dict[Id, list[int]] = {}

    def write(self, at: int, rows: NDArray[np.uint64], ids: Sequence[Id]) -> None:
        """Write hashes after the first ``at`` ones."""
        start = 0
        while start < len(rows):
            block, place = divmod(at + start, BLOCK)
            if block == len(self._blocks):
                self._blocks.append(self._block(block))
            some = rows[start : start + BLOCK - place]
            into = self._blocks[block]
            into.rows[place : place + len(some)] = some
            into.columns.words[:, place : place + len(some)] = some.T
            start += len(some)
        self.ids[at:] = ids
        first = self.first + at
        for one in self._numbers.keys() & set(ids):
            if self._numbers[one] < first:  # it is not written again after an interruption
                self._earlier.setdefault(one, []).append(self._numbers[one])
        self._numbers.update((one, first + k) for k, one in enumerate(ids))

    def parts(self, size: int) -> list[Part]:
        """Return the first ``size`` hashes as parts of a gallery."""
        found = []
        for k, block in enumerate(self._blocks[: -(-size // BLOCK)]):
            n = min(BLOCK, size - k * BLOCK)
            words, numbers = block.columns
            found.append(Part(block.rows[:n], None, Columns(words, numbers[:n])))
        return found

    def find(self, one: Id, size: int) -> int | None:
        """Return the number of the last hash with an identifier among the first, or None.

        ``size`` counts the hashes before the tail too.
        """
        number = self._numbers.get(one)
        if number is None or number < size:
            return number
        earlier = reversed(self._earlier.get(one, ()))
        return next((number for number in earlier if number < size), None)

    def _block(self, k: int) -> Block:
        """Return block ``k`` without hashes."""
        first = self.first + k * BLOCK
        words = aligned(self._words, BLOCK + PADDING)
        rows = np.empty((BLOCK, self._words), np.uint64)
        return Block(rows, Columns(words, np.arange(first, first + BLOCK, dtype=np.int32)))
