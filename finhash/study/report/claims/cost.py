"""Claims about the cost of FINd and its optimisations: notebooks 00 to 04 and 10, Part 1."""

from collections.abc import Callable

import pandas as pd

from finhash.study.results import medians

CLAIMS: dict[str, tuple[Callable[..., bool], tuple[str, ...]]] = {
    "below-imagehash": (
        lambda ladder: (
            medians(ladder)["+ simplejpeg"]
            < medians(ladder)[["ahash64", "phash64", "dhash64", "whash64"]].min()
        ),
        ("ladder",),
    ),
    "box-filter-leads": (
        lambda steps: _share(steps)["box filter"] > 0.5,
        ("baseline_steps",),
    ),
}
"""Key of a sentence -> predicate, and the results tables that it reads."""


def _share(steps: pd.DataFrame) -> pd.Series:
    """Return each step's share of the time, from ``baseline_steps``."""
    seconds = steps.groupby("step", sort=False)["seconds"].median()
    return seconds / seconds.sum()
