"""How much recall depends on single families: the heaviest pair of families, equal weights."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from finhash.accuracy import rates
from finhash.accuracy.counting import PairTable


def heaviest(tables: Mapping[str, PairTable], target: float) -> pd.DataFrame:
    """Measure how much recall depends on the pair of families with the most false matches.

    Returns
    -------
    DataFrame
        One row per method that has false matches:

        method : str
            Method name.
        first, second : int
            Ranks of the two family numbers among those counted, from 0.
        share : float
            Share of the false matches, at the threshold for the target, between the two.
        recall : float
            Recall at the target.
        without : float
            Recall at the target if the matches between the two did not count as false.
    """
    rows = []
    for name, table in tables.items():
        radius, recall = rates.at_rate(*table.rates(), target)
        both = table.first * len(table.sizes) + table.second
        near = table.distance <= radius
        if not near.any():
            continue
        claimed = np.bincount(both[near], table.count[near])
        first, second = divmod(int(claimed.argmax()), len(table.sizes))
        kept = both != claimed.argmax()
        cells = (c[kept] for c in (table.first, table.second, table.distance, table.count))
        rest = PairTable(table.sizes, table.same, *cells, table.reach)
        _, without = rates.at_rate(*rest.rates(), target)
        rows.append((name, first, second, claimed.max() / claimed.sum(), recall, without))
    return pd.DataFrame(rows, columns=["method", "first", "second", "share", "recall", "without"])


def macro(tables: Mapping[str, PairTable], targets: Sequence[float]) -> pd.DataFrame:
    """Compute recall at false positive rates, both averaged over families.

    Returns
    -------
    DataFrame
        One row per method and target:

        method : str
            Method name.
        target : float
            False positive rate, averaged over pairs of families.
        radius : int
            Largest radius with at most this rate, in bits; -1 if there is none. It is capped at the
            ``reach`` of the counts.
        recall : float
            Recall at this radius, averaged over families.
    """
    rows = []
    for name, table in tables.items():
        macro_rates = table.macro_rates()
        rows += [(name, target, *rates.at_rate(*macro_rates, target)) for target in targets]
    return pd.DataFrame(rows, columns=["method", "target", "radius", "recall"])
