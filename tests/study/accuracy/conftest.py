"""Fixtures shared with the tests of ``finhash.accuracy``."""

from tests.accuracy.conftest import pair_table, ten_families

__all__ = ["pair_table", "ten_families"]
