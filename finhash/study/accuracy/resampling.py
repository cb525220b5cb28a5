"""How sure accuracy is: families resampled, radii chosen on other families, labels put right.

All pairs are counted, so there is no sampling error in them; but 1.6e9 pairs come from 1,034
families, and another thousand memes would give other numbers. So families are resampled, not pairs:
one that is drawn w times counts w times in its own pairs, and w_a w_b times in its pairs with
another (not w squared in its own: that would invent pairs of a family with its copy).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from tqdm import tqdm

from finhash.study.accuracy import rates
from finhash.study.accuracy.counting import PairTable

LEVEL = 0.95
"""What intervals cover."""


def bootstrap(
    tables: Mapping[str, PairTable], targets: Sequence[float], draws: int, seed: int
) -> pd.DataFrame:
    """Recall at false positive rates, families drawn with replacement.

    ``method, target, draw, recall``; draw -1 is the set as it is. All methods see the same draws,
    so that they can be compared draw by draw.
    """
    number = len(next(iter(tables.values())).sizes)
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(number, np.full(number, 1 / number), draws).astype(float)
    rows = []
    weights = np.vstack([np.ones(number), weights])
    for name, table in tqdm(tables.items(), "bootstrap", unit="method", leave=False):
        for draw, (fpr, tpr) in enumerate(zip(*table.rates(weights), strict=True), start=-1):
            for target in targets:
                _, recall = rates.at_rate(fpr, tpr, target)
                rows.append((name, target, draw, recall))
    return pd.DataFrame(rows, columns=["method", "target", "draw", "recall"])


def intervals(draws: pd.DataFrame) -> pd.DataFrame:
    """``method, target, recall, low, high``: the set's own value and the draws' percentiles."""
    rows = []
    for (name, target), group in draws.groupby(["method", "target"], sort=False):
        own, drawn = group["recall"][group["draw"] < 0].item(), group["recall"][group["draw"] >= 0]
        rows.append((name, target, own, *_percentiles(drawn)))
    return pd.DataFrame(rows, columns=["method", "target", "recall", "low", "high"])


def differences(draws: pd.DataFrame, against: str) -> pd.DataFrame:
    """Every method's recall less that of ``against``, draw by draw.

    ``method, target, difference, low, high, p``: p is two-sided, by Holm's step-down over the
    methods at each target.
    """
    rows = []
    for target, group in draws.groupby("target", sort=False):
        wide = group.pivot_table(index="draw", columns="method", values="recall", sort=False)
        less = wide.drop(columns=against).sub(wide[against], axis=0)
        drawn = less[less.index >= 0]
        beyond = np.minimum((drawn <= 0).sum(), (drawn >= 0).sum())
        p = holm(2 * (beyond + 1) / (len(drawn) + 1))
        for name in less.columns:
            rows.append((name, target, less.loc[-1, name], *_percentiles(drawn[name]), p[name]))
    return pd.DataFrame(rows, columns=["method", "target", "difference", "low", "high", "p"])


def holm(p: pd.Series) -> pd.Series:
    """P-values corrected for their number by Holm's step-down method."""
    ordered = p.clip(upper=1).sort_values()
    steps = ordered * np.arange(len(ordered), 0, -1)
    return steps.cummax().clip(upper=1).reindex(p.index)


def macro(tables: Mapping[str, PairTable], targets: Sequence[float]) -> pd.DataFrame:
    """Recall at false positive rates, both by family: ``method, target, radius, recall``."""
    rows = []
    for name, table in tables.items():
        macro_rates = table.macro_rates()
        rows += [(name, target, *rates.at_rate(*macro_rates, target)) for target in targets]
    return pd.DataFrame(rows, columns=["method", "target", "radius", "recall"])


def held_out(
    tables: Mapping[str, PairTable], targets: Sequence[float], folds: int, seed: int
) -> pd.DataFrame:
    """Radii chosen on all folds but one, judged on that one: families are in one fold each.

    ``method, target, fold, radius, fpr, recall``, the last two on the fold's own pairs.
    """
    number = len(next(iter(tables.values())).sizes)
    fold_of = np.random.default_rng(seed).permutation(number) % folds
    rows = []
    for name, table in tables.items():
        for fold in range(folds):
            test = (fold_of == fold).astype(float)
            fpr, tpr = table.rates(test)
            for target in targets:
                radius = table.radius(target, 1 - test)
                judged = (fpr[radius], tpr[radius]) if radius >= 0 else (0.0, 0.0)
                rows.append((name, target, fold, radius, *judged))
    return pd.DataFrame(rows, columns=["method", "target", "fold", "radius", "fpr", "recall"])


def _percentiles(values: pd.Series) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def noisy(families: np.ndarray, share: float, seed: int) -> np.ndarray:
    """The labels with ``share`` of same-family pairs made wrong.

    A pair is wrong as soon as one of its two pictures has a false label, so half of ``share`` of
    the pictures get that of another picture.
    """
    rng = np.random.default_rng(seed)
    moved = rng.random(len(families)) < share / 2
    families = families.copy()
    families[moved] = rng.choice(families, moved.sum())
    return families
