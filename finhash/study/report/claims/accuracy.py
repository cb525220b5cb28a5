"""Claims about the accuracy of the hashes and what follows: notebooks 05 to 08 and 11 to 13, Part 2."""

from collections.abc import Callable

CLAIMS: dict[str, tuple[Callable[..., bool], tuple[str, ...]]] = {}
"""Key of a sentence -> predicate, and the results tables that it reads."""
