"""Extrapolated cost of clustering collections that are larger than any that was measured."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from finhash.study.cost import operations

BYTES_PER_SECOND = 10e9 / 8
"""Assumed bandwidth of a network link of 10 Gbit/s, in bytes per second."""


def forecast(
    jobs: pd.DataFrame,
    numbers: Sequence[int],
    workers: int,
    *,
    pairs_per_image: float,
    bytes_per_pair: float,
    block: int = 2**22,
) -> pd.DataFrame:
    """Extrapolate the cost of clustering by components from the measured sets.

    Families are assumed to grow in number and to keep their size. The number of centres then grows
    with the number of images, and distances to centres with its square, so the time is
    extrapolated with the square from the largest measured set. The exponent that is fitted to all
    measured sets gives a second, lower estimate. The number of pairs grows with the number of
    images. If families grew in size instead, it would grow with the square.

    Parameters
    ----------
    jobs : DataFrame
        Result of ``search_clusters.cluster_jobs``.
    numbers : sequence of int
        Sizes of the sets.
    workers : int
        Number of threads in ``jobs``.
    pairs_per_image : float
        Number of pairs that come out, per image.
    bytes_per_pair : float
        Size of a pair in a pair file, in bytes.
    block : int
        Rows per block of ``finhash.jobs.pairs.join_table``.

    Returns
    -------
    DataFrame
        One row per size:

        images : int
            Number of images in the set.
        core_hours : float
            Time on one core by the square, in hours.
        core_hours_fitted : float
            Time on one core by the fitted exponent, in hours; missing if there is only one job.
        dollars : float
            Price in US dollars, at ``operations.DOLLARS_PER_CORE_HOUR``, of ``core_hours`` and of a
            core that waits for ``network_hours``.
        bytes : int
            Memory of the streaming job: 84 bytes per image, for the hash in two layouts, its number
            and its label.
        pairs : float
            Number of pairs that come out.
        pair_bytes : float
            Size of the pair files, in bytes.
        network_bytes : float
            Bytes that cross the network: the hashes, of which two blocks are read per pair of
            blocks, and the pair files, written and read once.
        network_hours : float
            Their time at ``BYTES_PER_SECOND`` on one link, in hours.
    """
    components = _components(jobs)
    largest = components.iloc[-1]
    table = pd.DataFrame({"images": numbers})
    images = table["images"].astype(float)
    per_hour = workers / 3600
    table["core_hours"] = (images / largest["images"]) ** 2 * largest["seconds"] * per_hour
    table["core_hours_fitted"] = _power_law(components, images) * per_hour
    table["bytes"] = table["images"] * 84
    table["pairs"] = images * pairs_per_image
    table["pair_bytes"] = table["pairs"] * bytes_per_pair
    blocks = np.ceil(images / block)
    read = 32 * images * np.where(blocks > 1, blocks + 1, 1)
    table["network_bytes"] = read + 2 * table["pair_bytes"]
    table["network_hours"] = table["network_bytes"] / BYTES_PER_SECOND / 3600
    hours = table["core_hours"] + table["network_hours"]
    return table.assign(dollars=hours * operations.DOLLARS_PER_CORE_HOUR)


def check_forecast(jobs: pd.DataFrame) -> pd.DataFrame:
    """Predict each of the larger measured jobs from the smaller ones.

    Parameters
    ----------
    jobs : DataFrame
        Result of ``search_clusters.cluster_jobs``.

    Returns
    -------
    DataFrame
        One row per size of clustering by components, but for the smallest:

        images : int
            Number of images in the set.
        measured : float
            Wall time, in seconds.
        square : float
            Time predicted with the square from the next smaller set, in seconds.
        fitted : float
            Time predicted by the exponent of all smaller sets, in seconds; missing if there is
            only one.
    """
    components = _components(jobs)
    rows = []
    for k in range(1, len(components)):
        smaller, this = components.iloc[:k], components.iloc[k]
        before = smaller.iloc[-1]
        square = (this["images"] / before["images"]) ** 2 * before["seconds"]
        fitted = _power_law(smaller, this["images"])
        rows.append((int(this["images"]), this["seconds"], square, fitted))
    return pd.DataFrame(rows, columns=["images", "measured", "square", "fitted"])


def _components(jobs: pd.DataFrame) -> pd.DataFrame:
    """Return the jobs of clustering by components, smallest first."""
    return jobs[jobs["algorithm"] == "components"].sort_values("images")


def _power_law(jobs: pd.DataFrame, images: float | pd.Series) -> float | pd.Series:
    """Return the seconds that a power law predicts which is fitted to the jobs' seconds.

    They are missing if there is only one job.
    """
    if len(jobs) < 2:
        return np.nan * images
    slope, constant = np.polyfit(np.log(jobs["images"]), np.log(jobs["seconds"]), 1)
    return np.exp(constant + slope * np.log(images))
