"""Fixtures shared by tests of joins and galleries."""

import pytest

from finhash.hamming import centres, layout, pruned


@pytest.fixture(scope="module")
def centres_for_few_hashes():
    """Look for centres however few the hashes are, in small batches."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pruned, "FEWEST", 1)
        patch.setattr(pruned, "BATCH", 5)
        patch.setattr(centres, "MEMBERS", 2)
        patch.setattr(centres, "GROUPED", 0)
        patch.setattr(centres, "PROBE", 2)
        patch.setattr(centres, "SAMPLE", 2)
        # Of so few hashes, most of which have near duplicates, many pairs are close.
        for module in (pruned, layout):
            patch.setattr(module, "SHARE", 0.4)
        patch.setattr(centres, "CLOSE", 0.4)
        patch.setattr(centres, "RARE", 0.4)
        patch.setattr(centres, "LEADERS", 0.6)
        patch.setattr(centres, "GATHERED", 1)
        yield
