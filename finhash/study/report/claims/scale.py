"""Claims about matching and clustering at scale: notebook 09 and the report's section on it."""

from collections.abc import Callable

CLAIMS: dict[str, tuple[Callable[..., bool], tuple[str, ...]]] = {}
"""Key of a sentence -> predicate, and the results tables that it reads."""
