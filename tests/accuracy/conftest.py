"""Fixtures and helpers shared by tests of accuracy."""

from collections.abc import Sequence

import numpy as np
import pytest

from finhash.accuracy import counting

REACH = 120
"""Largest distance that ``pair_table`` counts between families."""


def on_a_line(positions: Sequence[int]) -> np.ndarray:
    """Return hashes of 64 bits whose distances are the differences of ``positions``.

    Position p sets the first p bits.
    """
    return np.packbits(np.arange(64) < np.reshape(positions, (-1, 1)), axis=1)


@pytest.fixture(scope="package")
def ten_families() -> tuple[np.ndarray, np.ndarray]:
    """200 hashes of 256 bits and their families, numbered 0, 3, ..., 27.

    The centres of the families are random, except those of the last two, which differ in one bit.
    """
    rng = np.random.default_rng(1)
    centres = rng.integers(0, 256, (10, 32), dtype=np.uint8)
    centres[9] = centres[8] ^ np.eye(1, 32, dtype=np.uint8)[0]
    families = rng.integers(0, 10, 200) * 3
    flips = np.packbits(rng.random((200, 256)) < 0.08, axis=1)
    return centres[families // 3] ^ flips, families


@pytest.fixture(scope="package")
def pair_table(ten_families) -> counting.PairTable:
    """The counts of ``ten_families``, up to the distance ``REACH`` between families."""
    hashes, families = ten_families
    return counting.count_pairs(hashes, {"": families}, REACH)[""]
