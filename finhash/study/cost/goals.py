"""Goals that speed and memory should reach, and a function that judges measured values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd
from llvmlite.binding import get_host_cpu_features


@dataclass(frozen=True)
class Goal:
    """Bound on one measured quantity: at ``"least"`` or at ``"most"`` ``value``."""

    name: str
    at: Literal["least", "most"]
    value: float

    def met(self, measured: float) -> bool:
        """Return whether a measured value meets the bound.

        >>> Goal("peak memory, MB", "most", 400).met(432.8)
        False
        """
        return measured >= self.value if self.at == "least" else measured <= self.value


LADDER = (
    Goal("reference / file to hash", "least", 700),
    Goal("kernel / decoding", "most", 0.10),
    Goal("file to hash / file to pixels", "most", 1.25),
    Goal("kernel / PDQ's kernel", "most", 0.10),
    Goal("file to hash / aHash 64", "most", 0.65),
    Goal("file to hash / pHash 64", "most", 0.58),
    Goal("file to hash / dHash 64", "most", 0.64),
    Goal("file to hash / wHash 64", "most", 0.27),
)
"""Goals of a single hash: ratios of median times; see ``ladder.goal_values``."""

PARALLEL = (
    Goal("2 processes / serial, small images", "least", 1.9),
    Goal("Dask with 2 workers / serial, small images", "least", 1.9),
    Goal("2 threads / serial, large images", "least", 1.7),
    Goal("2 processes / decoding on 2 cores, small images", "least", 0.85),
    Goal("fastest job / decoding on 2 cores, whole set", "least", 0.55),
    Goal("peak memory of 2 processes, MB", "most", 400),
)
"""Goals of a batch job: ratios of throughput, and memory; see ``parallel.goal_values``."""

FLAT = {
    "FINd's radius": (8, 5),
    "50 bits": (12, 7),
    "harder set": (6, 4),
    "families of eight": (5.5, 3),
}
"""Goals of the join over FAISS's flat index, with AVX-512 and with AVX2, by what is joined."""

SEARCH = {
    vectors: (
        *(Goal(f"join / FAISS flat, {name}", "least", goal[k]) for name, goal in FLAT.items()),
        Goal("join, 2 threads / 1 thread", "least", 1.85),
        Goal("histogram / its roofline", "least", 0.85),
        Goal("one image, within the radius: exhaustive / gallery", "least", 4),
        Goal("one image, nearest: exhaustive / gallery", "least", 4),
    )
    for k, vectors in enumerate(("AVX-512", "AVX2"))
}
"""Goals of matching 256-bit hashes, by vector instructions; see ``search.goal_values``.

All are ratios of throughputs in one run. Threads are compared on the largest simulated set, as are
look-ups.
"""


def vectors() -> str:
    """Return the key of ``SEARCH`` for this machine: ``"AVX-512"`` if it counts bits in vectors."""
    return "AVX-512" if get_host_cpu_features().get("avx512vpopcntdq") else "AVX2"


def judge(goals: Sequence[Goal], measured: Mapping[str, float]) -> pd.DataFrame:
    """Compare measured values with their goals.

    Parameters
    ----------
    goals : sequence of Goal
        One of the groups of this module.
    measured : mapping of str to float
        Measured value of each goal, by the goal's name.

    Returns
    -------
    DataFrame
        One row per goal, in the order of ``goals``:

        goal : str
            Name of the goal.
        at : str
            ``"least"`` or ``"most"``, the direction of the bound.
        value : float
            The bound.
        measured : float
            The measured value.
        met : bool
            Whether the measured value meets the bound.

    Raises
    ------
    ValueError
        If the names of the measured values are not the names of the goals.

    Examples
    --------
    >>> two = [Goal("gain", "least", 1.9), Goal("memory, MB", "most", 400)]
    >>> judge(two, {"gain": 2.0, "memory, MB": 433.0})
             goal     at  value  measured    met
    0        gain  least    1.9       2.0   True
    1  memory, MB   most  400.0     433.0  False
    """
    differ = {goal.name for goal in goals} ^ measured.keys()
    if differ:
        raise ValueError(f"goals and measured values differ in {sorted(differ)}; use equal names")
    rows = [
        (goal.name, goal.at, goal.value, measured[goal.name], goal.met(measured[goal.name]))
        for goal in goals
    ]
    return pd.DataFrame(rows, columns=["goal", "at", "value", "measured", "met"])
