"""Quantities from results tables that both the reports' numbers and their claims read."""

import pandas as pd

LADDER_NAMES = {
    "+ DCT, compiled": "+ DCT",
    "+ certified integers": "+ exact integer arithmetic",
    "+ simplejpeg": "+ faster JPEG decoder",
}
"""Contender of ``ladder`` -> its name in figures and tables, where that is another one."""


def step_shares(steps: pd.DataFrame) -> pd.Series:
    """Return each step's share of the time, from ``baseline_steps``."""
    seconds = steps.groupby("step", sort=False)["seconds"].median()
    return seconds / seconds.sum()


def gain_of_two(throughput: pd.DataFrame, executor: str) -> float:
    """Return the gain of two workers, from a table of ``parallel.throughput``."""
    return throughput.set_index(["executor", "workers"])["gain"][executor, 2]


def processes_pay(throughput: pd.DataFrame) -> float:
    """Return the number of images from which two processes are faster than two threads.

    It is computed from a table of ``parallel.throughput``: the later start of the processes over
    the time that they save per image.
    """
    rows = throughput.set_index(["executor", "workers"])
    threads, processes = rows.loc[("threads", 2)], rows.loc[("processes", 2)]
    saved = 1 / threads["throughput"] - 1 / processes["throughput"]
    return (processes["start"] - threads["start"]) / saved


def labelled_pairs(histograms: pd.DataFrame) -> pd.Series:
    """Return the numbers of same-family and other-family pairs, from ``counting_histograms``.

    Labels are those of the files; the two entries are ``same`` and ``other``.
    """
    rows = histograms[(histograms["labels"] == "as labelled") & (histograms["method"] == "find")]
    return rows[["same", "other"]].sum()


def false_share(histograms: pd.DataFrame) -> float:
    """Return the share of false matches at perfect recall and a false positive rate of 1e-3."""
    pairs = labelled_pairs(histograms)
    false = 1e-3 * pairs["other"]
    return false / (pairs["same"] + false)


def near(value: float, expected: float, tolerance: float) -> bool:
    """Return whether a value differs from the expected one by at most the tolerance."""
    return abs(value - expected) <= tolerance


def volume_images(volume: pd.DataFrame) -> int:
    """Return the number of images in the table ``volume``; some routes take images of others."""
    return int(volume.loc[volume["route"].isin(["compiled", "shrunk"]), "images"].sum())
