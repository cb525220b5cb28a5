"""Fixtures shared by tests of the study."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def hashes() -> np.ndarray:
    """600 hashes of 256 bits; row k belongs to family ``k % 20``."""
    rng = np.random.default_rng(1)
    centres = rng.integers(0, 256, (20, 32), dtype=np.uint8)
    return centres[np.arange(600) % 20] ^ np.packbits(rng.random((600, 256)) < 0.08, axis=1)
