"""Hashes that several tests share."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def hashes() -> np.ndarray:
    """Twenty families of thirty, family by family in turn."""
    rng = np.random.default_rng(1)
    centres = rng.integers(0, 256, (20, 32), dtype=np.uint8)
    return centres[np.arange(600) % 20] ^ np.packbits(rng.random((600, 256)) < 0.08, axis=1)
