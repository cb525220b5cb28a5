"""Sentences about an evaluation: which method to use, and what the images are too few to show.

The sentences are made from the tables of ``finhash.evaluation``, for terminal and page alike.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from finhash.accuracy.resampling import MARGIN
from finhash.accuracy.thresholds import PARTS, UNSEEN, families_needed
from finhash.files import counted

LEVEL = 0.05
"""Level of significance: p-values below it count as shown."""

FEW = 15
"""Families of several images below which intervals are rough and nothing is significant."""

FASTER = 1.5
"""Ratio of times from which a method is called faster."""

LISTED = 3
"""Number of files without a hash whose reasons are listed."""


@dataclass(frozen=True)
class Facts:
    """Facts about the images of an evaluation that its tables do not hold.

    Attributes
    ----------
    sizes : int array of shape (families,)
        Number of images in each family.
    merged : int
        Number of families that verdicts have removed by merging.
    judged : bool
        Whether verdicts were given.
    files : int
        Number of files given.
    failed : sequence of (str, str)
        Files without a hash of each method, with reasons.
    absent : sequence of (str, str)
        Methods left out, with reasons.
    unpromised : sequence of str
        Methods whose threshold does not meet the rule.
    other : int
        Number of pairs of images from different families.
    suspicious : int
        Number of pairs of families without a verdict that most methods match mostly.
    example : (str, str)
        Name of a file, and its label.
    """

    sizes: np.ndarray
    merged: int = 0
    judged: bool = False
    files: int = 0
    failed: Sequence[tuple[str, str]] = field(default=())
    absent: Sequence[tuple[str, str]] = field(default=())
    unpromised: Sequence[str] = field(default=())
    other: int = 0
    suspicious: int = 0
    example: tuple[str, str] = ("", "")


def percent(value: float) -> str:
    """Return a share as a percentage with one decimal.

    Shares that are not quite 0 or 1 are not rounded to them.

    >>> percent(0.97812), percent(0.99999), percent(1)
    ('97.8 %', '> 99.9 %', '100.0 %')
    """
    if 0 < value < 0.0005:
        return "< 0.1 %"
    return "> 99.9 %" if 0.9995 <= value < 1 else f"{100 * value:.1f} %"


def rate(value: float) -> str:
    """Return a small rate with two significant digits.

    >>> rate(0), rate(1e-4), rate(0.034), rate(2.31e-5)
    ('0', '1e-4', '0.034', '2.3e-5')
    """
    if 0 < value < 1e-2:
        digits, _, power = f"{value:.1e}".partition("e-")
        return f"{digits.removesuffix('.0')}e-{int(power)}"
    return f"{value:.2g}"


def listed(names: Iterable[str]) -> str:
    """Return names as an enumeration.

    >>> listed(["find"]), listed(["find", "pdq", "dhash64"])
    ('find', 'find, pdq and dhash64')
    """
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def answer(rows: pd.DataFrame, fpr: float, unpromised: Sequence[str] = ()) -> str:
    """Return which method to use at which threshold, given the table by method.

    If the threshold of the best method is among the ``unpromised``, the sentence says only what was
    found on these images.
    """
    best = rows.iloc[0]
    if best["threshold"] < 0:
        return (
            f"No hash meets a false positive rate of {rate(fpr)} on these images: "
            "images of different families have equal hashes. Check their labels."
        )
    threshold = counted(int(best["threshold"]), "bit")
    false = f"a share of {rate(best['fpr'])}" if best["fpr"] else "none"
    advice = f"Use {best['method']} with a threshold of {threshold}: it finds "
    if best["method"] in unpromised:
        advice = (
            f"The set is too small to promise a rate of {rate(fpr)}. On these images the largest "
            f"recall is that of {best['method']} with a threshold of {threshold}: it finds "
        )
    return (
        f"{advice}{percent(best['recall'])} of the pairs within families (95 % interval "
        f"{percent(best['recall_low'])} to {percent(best['recall_high'])}) and, by "
        f"mistake, {false} of the pairs between families."
    )


def next_step(rows: pd.DataFrame) -> str:
    """Return the commands that use the best method; an empty string if it has no threshold."""
    best = rows.iloc[0]
    if best["threshold"] < 0:
        return ""
    options = f"--method {best['method']}"
    return (
        f"finhash hash IMAGES -o hashes {options}\n"
        f"finhash cluster hashes {options} --radius {best['threshold']} -o families.csv"
    )


def smallest_rate(families: int) -> float:
    """Return the smallest false positive rate that the rule can promise with this many families.

    It is the upper bound if no false match is seen and the largest part of the families is left
    out.

    >>> f"{smallest_rate(252):.2e}"
    '9.96e-05'
    """
    left = families - -(-families // PARTS)
    return min(1.0, UNSEEN / max(1.0, left * (left - 1) / 2))


def notes(rows: pd.DataFrame, comparisons: pd.DataFrame, fpr: float, facts: Facts) -> list[str]:
    """Return sentences that say what an evaluation cannot show and left out, and what to do.

    Parameters
    ----------
    rows, comparisons : DataFrame
        ``Evaluation.methods`` and ``Evaluation.comparisons``.
    fpr : float
        Wanted false positive rate.
    facts : Facts
        Facts about the images.

    Returns
    -------
    list of str
        Sentences, the most important first.
    """
    return [
        *_labels(facts),
        *_alike(rows, comparisons),
        *_promises(rows, fpr, facts),
        *_too_few(fpr, facts),
        *_left_out(facts),
    ]


def _alike(rows: pd.DataFrame, comparisons: pd.DataFrame) -> list[str]:
    """Say which methods cannot be told apart from the best, and which are as good."""
    best = rows["method"].iloc[0]
    if rows["threshold"].iloc[0] < 0:
        return []
    others = comparisons[comparisons["method"] == best].set_index("against")
    # The row of two methods starts with the better one, so all rows of the best are here.
    alike = list(others.index[others["p"] >= LEVEL])
    equal = list(others.index[others["p_equivalent"] < LEVEL])
    found = []
    if len(others) and not alike:
        found.append(
            f"Every other method finds less than {best}, beyond chance (p < {LEVEL:g}, corrected "
            "for all comparisons)."
        )
    if alike:
        found.append(
            f"{listed(alike)} cannot be told apart from {best} on these images: the "
            f"{'difference' if len(alike) == 1 else 'differences'} in recall may be chance."
        )
        times = rows[rows["method"].isin([best, *alike])].set_index("method")["ms_per_image"]
        if times.notna().all() and times.min() < times[best] / FASTER:
            fastest = times.idxmin()
            found.append(
                f"The fastest of them is {fastest}: {times[fastest]:.2g} ms per image, against "
                f"{times[best]:.2g} ms of {best}."
            )
    if equal:
        found.append(
            f"{listed(equal)} {'is' if len(equal) == 1 else 'are'} as good as {best} to within "
            f"{100 * MARGIN:.0f} percentage points of recall."
        )
    return found


def _promises(rows: pd.DataFrame, fpr: float, facts: Facts) -> list[str]:
    """Say which thresholds are not promised to hold for unseen families, and why."""
    unusable = list(rows["method"][rows["threshold"] < 0])
    shaky = [name for name in facts.unpromised if name not in unusable]
    needed, families = families_needed(fpr), len(facts.sizes)
    found = []
    if shaky and families < needed:
        found.append(
            f"The set has {counted(families, 'family', 'families')}. Promising a false positive "
            f"rate of {rate(fpr)} on unseen families takes at least {needed:,}, so the thresholds "
            "meet the rate on these images only: on others expect up to fpr_high. Add families, or "
            f"ask for a rate well above {rate(smallest_rate(families))}: no smaller one can be "
            "promised with this number of families."
        )
    elif shaky:
        found.append(
            f"The {'threshold' if len(shaky) == 1 else 'thresholds'} of {listed(shaky)} "
            f"{'meets' if len(shaky) == 1 else 'meet'} the rate on these images only: for unseen "
            f"families even the smallest threshold cannot be promised to keep {rate(fpr)}."
        )
    if 0 < len(unusable) < len(rows):
        found.append(
            f"{listed(unusable)} {'has' if len(unusable) == 1 else 'have'} no threshold (-1): "
            f"equal hashes of different families alone exceed the rate of {rate(fpr)}."
        )
    return found


def _too_few(fpr: float, facts: Facts) -> list[str]:
    """Say what the numbers of pairs and families are too small to show."""
    found = []
    if facts.other * fpr < 1:
        found.append(
            f"The set has {counted(facts.other, 'pair')} of images from different families, so a "
            f"rate of {rate(fpr)} allows no false match, and a single image can move the "
            "thresholds."
        )
    several, single = int((facts.sizes > 1).sum()), int((facts.sizes == 1).sum())
    if several < FEW:
        found.append(
            f"Only {counted(several, 'family has', 'families have')} several images, so the "
            "intervals are rough and no difference between methods can be shown "
            f"(this takes about {FEW} such families)."
        )
    if single:
        found.append(
            f"{counted(single, 'family has', 'families have')} one image only: "
            f"{'it counts' if single == 1 else 'they count'} for the false positive rate, but not "
            "for recall."
        )
    return found


def _labels(facts: Facts) -> list[str]:
    """Say whether anybody has judged if two families show one image."""
    file, label = facts.example
    found = [f"Labels are like {label!r} for {file}."] if file else []
    if facts.judged:
        changed = counted(facts.merged, "label")
        found.append(
            f"Families judged the same count as one, which leaves {changed} fewer; variants count "
            "as different."
        )
    else:
        found.append(
            "Nobody has judged whether two families show one image, so families count as labelled."
        )
    if facts.suspicious:
        pairs = counted(facts.suspicious, "pair of families", "pairs of families")
        found.append(
            f"{pairs} without a verdict may show one image: at least half of the methods match "
            "more than half of the image pairs between the two. If they do show one image, their "
            "matches are wrongly counted as false, and thresholds and ranking may change. Judge "
            "them first: --review page.html shows them and saves verdicts.csv."
        )
    return found


def _left_out(facts: Facts) -> list[str]:
    """Say which files and methods were left out."""
    found = []
    if facts.failed:
        reasons = "; ".join(f"{path}: {reason}" for path, reason in facts.failed[:LISTED])
        more = len(facts.failed) - LISTED
        found.append(
            f"{len(facts.failed):,} of {counted(facts.files, 'file')} "
            f"{'has no hash and was' if len(facts.failed) == 1 else 'have no hash and were'} "
            f"left out: {reasons}" + (f"; and {more:,} more." if more > 0 else ".")
        )
    found += [f"{name} was left out: {reason}." for name, reason in facts.absent]
    return found
