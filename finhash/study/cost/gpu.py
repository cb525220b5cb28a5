"""Hashing and matching on a GPU: bounds, exactness and, where there is a GPU, a measurement.

``python -m finhash.study.cost.gpu`` runs the measurement on a machine with an NVIDIA GPU.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
from PIL.Image import Resampling
from tqdm import tqdm

from finhash import hamming, methods, thresholds
from finhash.find import compiled
from finhash.find.certificate import MARGIN
from finhash.find.geometry import KEPT, SAMPLES
from finhash.find.geometry import side as windows_along
from finhash.images import ImageError, to_rgb
from finhash.study import project, results, timing
from finhash.study.cost import candidates, certificate
from finhash.study.data import committed, datasets, simulated

Calls = dict[str, Callable[[], object]]

BY = "10_gpu"
"""Notebook that saves the results of this module."""

RESULTS = ("gpu_times", "gpu_exactness")
"""Results tables that a measurement saves."""

STAGING = 256 << 20
"""Bytes of a batch, far more than CPU caches hold."""

SINGLE = MARGIN * 2.0**29
"""Certificate's margin in single precision, whose unit roundoff is 2**29 times as large."""

H200 = {
    "memory, bytes/s": 4.8e12,
    "link, bytes/s": 64e9,
    "words, logic and sums": 132 * 64 * 1.98e9,
    "words, bits counted": 132 * 16 * 1.98e9,
    "products, double": 132 * 64 * 1.98e9,
}
"""Limits of an NVIDIA H200, from its data sheet and the CUDA programming guide.

"words, logic and sums" are 32-bit integer operations/s, "words, bits counted" are 32-bit
popcounts/s, and "products, double" are double-precision multiply-adds/s.
"""

BOUNDED = {
    "send": "image, sent",
    "compute": "image",
    "join": "all pairs",
    "join, nothing found": "all pairs",
    "histogram": "all pairs",
}
"""Row label of ``floors`` that bounds each contender of ``times`` that runs on the GPU."""


@dataclass(frozen=True)
class Sizes:
    """Sizes of a measurement.

    Attributes
    ----------
    hashes : int
        Number of simulated hashes to match.
    images : int
        Number of images per batch.
    batches : int
        Number of batches.
    edges, provoking : int
        Number of edge cases, and of random images, on which exactness is checked.
    copied : int
        Number of bytes to copy.
    """

    hashes: int = 1_000_000
    images: int = 1400  # about as many thread blocks as an H200 runs at once
    batches: int = 8
    edges: int = 9
    provoking: int = 5000
    copied: int = 1 << 30


def present() -> bool:
    """Return whether Numba can use an NVIDIA GPU; a simulated GPU does not count."""
    try:
        from numba import cuda
    except ImportError:
        return False
    return cuda.is_available() and os.environ.get("NUMBA_ENABLE_CUDASIM") != "1"


def describe() -> dict[str, str]:
    """Return the GPU's name and the versions of its software, for the provenance of results."""
    from numba import cuda

    device = cuda.get_current_device()
    return {
        "gpu": device.name.decode() if isinstance(device.name, bytes) else device.name,
        "compute capability": ".".join(map(str, device.compute_capability)),
        "cuda runtime": ".".join(map(str, cuda.runtime.get_version())),
        "numba-cuda": version("numba-cuda"),
    }


def measure(
    dataset: datasets.Dataset, radius: int, repeats: int, sizes: Sizes | None = None
) -> None:
    """Measure this machine's GPU and save the tables ``RESULTS``.

    Parameters
    ----------
    dataset : Dataset
        Images to hash.
    radius : int
        Threshold for matching, in bits.
    repeats : int
        Number of warm samples per contender.
    sizes : Sizes, optional
        Sizes of the measurement.
    """
    sizes = sizes or Sizes()
    table = committed.hash_or_load(dataset, ["find"]).without_errors()
    find, families = table.hashes("find"), committed.families(table)
    many = simulated.hashes(find, sizes.hashes, project.SEED)
    labels = simulated.families(families, len(many))
    kept = {"by": BY, "data": dataset, "machine": describe()}

    found = compare(
        {
            "images of the data set, bits": _decoded(dataset.paths, "GPU exactness"),
            "edge cases, bits": _edges(sizes.edges, 250),
            "random images, bits": certificate.random_images(sizes.provoking, project.SEED),
        },
        find,
        families,
        radius,
    )
    results.save(found, "gpu_exactness", **kept)
    some = [to_rgb(path) for path in dataset.some(sizes.images)]
    calls = {
        "copy": (_copies(sizes.copied), sizes.copied),
        "hash": (_hashing(some), len(some)),
        "hash, in all": (_overlapped(some, sizes.batches), sizes.batches * len(some)),
        "pairs of the set": (_matching(find, families, radius), _pairs(len(find))),
        "pairs of many": (_matching(many, labels, radius), _pairs(len(many))),
    }
    results.save(times(calls, repeats), "gpu_times", **kept)


def measured() -> bool:
    """Return whether there are results of a measurement on a GPU."""
    return all(map(results.exists, RESULTS))


def offload(paths: Sequence[Path], repeats: int) -> pd.DataFrame:
    """Time the CPU's share of the work if it hashes, and if it only gathers pixels for a GPU.

    Without a GPU, the CPU decodes and hashes the image. With a GPU, the CPU decodes the image and
    gathers its pixels in a batch, from which the GPU could copy them. All work is on one core.

    Parameters
    ----------
    paths : sequence of Path
        Readable images.
    repeats : int
        Number of warm samples.

    Returns
    -------
    DataFrame
        Result of ``timing.time_calls``; ``contender`` is ``"file to pixels"``, ``"file to hash"``
        or ``"file to gathered pixels"``, and ``seconds`` is per image.
    """
    staging = np.ones(STAGING, np.uint8)  # written once, so that its pages are mapped beforehand
    end = 0

    def gather(path: Path) -> None:
        nonlocal end
        rgb = to_rgb(path, reuse=True)
        end = rgb.size if end + rgb.size > STAGING else end + rgb.size
        staging[end - rgb.size : end] = rgb.reshape(-1)

    ways = {
        "pixels": lambda path: to_rgb(path, reuse=True),
        "hash": methods.get("find").hash,
        "gathered pixels": gather,
    }
    calls = {f"file to {goal}": timing.over(way, paths) for goal, way in ways.items()}
    return timing.time_calls(calls, repeats, items=len(paths))


def doubtful(paths: Sequence[Path]) -> pd.DataFrame:
    """Compute the share of images whose fast hash is not certified, by precision.

    These images are hashed again in the published order.

    Parameters
    ----------
    paths : sequence of Path
        Images to hash. Unreadable ones are passed over.

    Returns
    -------
    DataFrame
        One row per precision:

        precision : str
            ``"double"`` or ``"single"``.
        margin : float
            Margin that the certificate needs, in units of luma.
        images : int
            Number of readable images.
        share : float
            Share of the images whose margin is not larger.
    """
    margins = np.array([compiled.fast_hash(rgb)[0] for rgb in _decoded(paths, "margins")])
    rows = [
        (name, margin / 1000, len(margins), float((margins <= margin).mean()))
        for name, margin in {"double": MARGIN, "single": SINGLE}.items()
    ]
    return pd.DataFrame(rows, columns=["precision", "margin", "images", "share"])


def floors(side: int, number: int) -> pd.DataFrame:
    """Compute lower bounds of the time on an H200, from bytes and operations.

    Parameters
    ----------
    side : int
        Side of the image, in pixels.
    number : int
        Number of hashes, of which all pairs are compared.

    Returns
    -------
    DataFrame
        One row per task and resource. The floor of a task is the largest of its times.

        what : str
            Task: ``"image"`` hashes one, ``"image, sent"`` sends one to the GPU, ``"all pairs"``
            compares all pairs of hashes.
        items : int
            Number of images or pairs in the task.
        resource : str
            Resource that limits the task, a key of ``H200``.
        amount : int
            Number of bytes or operations that the task needs.
        seconds : float
            ``amount`` divided by the limit, in seconds.

    Examples
    --------
    A set of 1,000 hashes has 499,500 pairs.

    >>> floors(250, 1000).groupby("what")["items"].first().to_dict()
    {'all pairs': 499500, 'image': 1, 'image, sent': 1}
    """
    windows = windows_along(side)
    tall = int((windows.stop - windows.start).sum(dtype=int))
    pairs = _pairs(number)
    rows = [
        ("image", 1, "memory, bytes/s", 3 * side**2),
        # Three channels down the columns of 64 rows of windows, then luma along the rows.
        ("image", 1, "words, logic and sums", 3 * tall * side + SAMPLES * tall),
        ("image", 1, "products, double", KEPT * SAMPLES * (SAMPLES + KEPT)),
        ("image, sent", 1, "link, bytes/s", 3 * side**2),
        ("all pairs", pairs, "memory, bytes/s", 32 * number),
        # Per pair: 8 differences, 8 instructions of four adders, 3 additions of the four counts,
        # 1 comparison with the radius: 8 + 8 + 3 + 1 = 20.
        ("all pairs", pairs, "words, logic and sums", 20 * pairs),
        ("all pairs", pairs, "words, bits counted", 4 * pairs),
    ]
    table = pd.DataFrame(rows, columns=["what", "items", "resource", "amount"])
    return table.assign(seconds=table["amount"] / table["resource"].map(H200))


def simulate(edges: int, images: int, number: int, radius: int) -> pd.DataFrame:
    """Compare a simulated GPU with the CPU, in a fresh process.

    Parameters
    ----------
    edges : int
        Number of edge cases, of 64 x 64 pixels.
    images : int
        Number of random images.
    number : int
        Number of random hashes in five families.
    radius : int
        Threshold, in bits.

    Returns
    -------
    DataFrame
        Result of ``compare``.
    """
    # Numba reads the variable when it is first imported.
    with patch.dict(os.environ, NUMBA_ENABLE_CUDASIM="1"):
        return timing.in_fresh_process(_on_simulated, edges, images, number, radius)[0]


def compare(
    images: Mapping[str, Iterable[np.ndarray]],
    hashes: np.ndarray,
    families: np.ndarray,
    radius: int,
) -> pd.DataFrame:
    """Count the differences between results of the GPU and of the CPU.

    Parameters
    ----------
    images : mapping of str to iterable of uint8 arrays, shape (rows, cols, 3)
        RGB pixels by kind.
    hashes : ndarray of uint8, shape (n, 32)
        Hashes to join, and whose distances are counted.
    families : ndarray of int, shape (n,)
        Family of each hash.
    radius : int
        Threshold of the join, in bits.

    Returns
    -------
    DataFrame
        One row per kind of image, one for the join and one for the histogram:

        kind : str
            Kind of the images or name of the task.
        cases : int
            Number of images or of pairs.
        doubtful : int
            Number of images that the certificate leaves to the second path.
        fast_differing : int
            Number of bits that differ from the published hashes, without the second path.
        differing : int
            Number of bits that differ with the second path; for the join, number of differing
            pairs; for the histogram, number of differing counts.
    """
    from finhash.hamming import gpu as hamming_gpu

    rows = [(kind, *_compare_hashes(pixels)) for kind, pixels in images.items()]
    found, expected = (  # distance < 512, so each (i, j, distance) has its own number
        (i.astype(np.int64) * len(hashes) + j) * 512 + distance
        for i, j, distance in (
            hamming_gpu.join(hashes, radius=radius),
            hamming.join(hashes, radius=radius),
        )
    )
    wrong = len(np.setxor1d(found, expected))
    rows.append(("pairs within the threshold", len(expected), 0, 0, wrong))
    counted, exact = (
        np.stack(count(hashes, families))
        for count in (hamming_gpu.pair_histogram, hamming.pair_histogram)
    )
    rows.append(("all pairs by distance", int(exact.sum()), 0, 0, int((counted != exact).sum())))
    columns = ["kind", "cases", "doubtful", "fast_differing", "differing"]
    return pd.DataFrame(rows, columns=columns)


def times(tasks: Mapping[str, tuple[Calls, int]], repeats: int) -> pd.DataFrame:
    """Time the contenders of several tasks.

    Parameters
    ----------
    tasks : mapping of str to (mapping of str to callable, int)
        Contenders of each task, and the number of items that one call handles.
    repeats : int
        Number of warm samples per contender.

    Returns
    -------
    DataFrame
        One row per sample:

        contender, state, repeat, seconds : str, str, int, float
            As from ``timing.time_calls``; ``seconds`` is per call.
        task : str
            Name of the task.
        items : int
            Number of images, pairs or bytes per call.
    """
    tables = [
        timing.time_calls(calls, repeats).assign(task=task, items=items)
        for task, (calls, items) in tasks.items()
    ]
    return pd.concat(tables, ignore_index=True)


def summary(timings: pd.DataFrame, floor: pd.DataFrame) -> pd.DataFrame:
    """Summarise a measurement and compare it with the lower bounds.

    Parameters
    ----------
    timings : DataFrame
        Result of ``times``.
    floor : DataFrame
        Result of ``floors``, for the images of the data set.

    Returns
    -------
    DataFrame
        One row per task and contender:

        task, contender : str
            Name of the task and of the contender.
        items : int
            Number of images, pairs or bytes per call.
        seconds : float
            Median warm time per call, in seconds.
        throughput : float
            Throughput in items per second.
        floors : float
            Time per item divided by its lower bound; missing for contenders without a bound.
    """
    warm = timings[timings["state"] == "warm"]
    table = warm.groupby(["task", "contender", "items"], sort=False)["seconds"].median()
    table = table.reset_index()
    each = (floor["seconds"] / floor["items"]).groupby(floor["what"]).max()
    throughput = table["items"] / table["seconds"]
    bound = table["contender"].map(BOUNDED).map(each)
    return table.assign(throughput=throughput, floors=1 / throughput / bound)


def _pairs(number: int) -> int:
    """Return the number of pairs of ``number`` hashes."""
    return number * (number - 1) // 2


def _edges(number: int, side: int) -> list[np.ndarray]:
    """Return the pixels of the first edge cases, resized."""
    cases = list(candidates.edge_cases().values())[:number]
    return [to_rgb(case.resize((side, side), Resampling.NEAREST)) for case in cases]


def _decoded(paths: Sequence[Path], title: str) -> Iterator[np.ndarray]:
    """Yield the pixels of the readable files, decoded on all cores."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in tqdm(range(0, len(paths), 1000), title, unit="thousand", leave=False):
            found = pool.map(_pixels, paths[start : start + 1000])
            yield from (rgb for rgb in found if rgb is not None)


def _pixels(path: Path) -> np.ndarray | None:
    """Return the pixels of a file; None if it cannot be read."""
    try:
        return to_rgb(path)
    except (OSError, ImageError):
        return None


def _compare_hashes(images: Iterable[np.ndarray]) -> tuple[int, int, int, int]:
    """Return ``cases, doubtful, fast_differing, differing`` of ``compare`` for images."""
    from finhash.find import gpu as find_gpu

    batch, counts = find_gpu.Batch(), np.zeros(4, int)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for group in find_gpu.split(images, find_gpu.SIZE):
            expected = np.stack(list(pool.map(compiled.published_hash, group)))
            batch.gather(group)
            batch.send()
            batch.compute()
            margins, fast = batch.fetch()
            counts += [
                len(group),
                np.count_nonzero(margins <= MARGIN),
                int(np.bitwise_count(fast ^ expected).sum()),
                int(np.bitwise_count(batch.hashes() ^ expected).sum()),
            ]
    return tuple(counts.tolist())


def _on_simulated(edges: int, images: int, number: int, radius: int) -> pd.DataFrame:
    """Draw images and hashes, and compare them; see ``simulate``."""
    rng = np.random.default_rng(project.SEED)
    families = rng.integers(0, 5, number)
    noise = np.packbits(rng.random((number, 256)) < 0.1, axis=1)
    near = rng.integers(0, 256, (5, 32), dtype=np.uint8)[families] ^ noise
    drawn = {
        "edge cases, bits": _edges(edges, 64),
        "random images, bits": certificate.random_images(images, project.SEED, largest=96),
    }
    return compare(drawn, near, families, radius)


def _copies(size: int) -> Calls:
    """Return functions that copy ``size`` bytes to, from and on the GPU."""
    from numba import cuda

    here, there, other = (
        cuda.pinned_array(size, np.uint8),
        *(cuda.device_array(size, np.uint8) for _ in range(2)),
    )
    here[:] = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    return {
        "to the GPU": lambda: _wait(there.copy_to_device(here)),
        "from the GPU": lambda: _wait(there.copy_to_host(here)),
        "on the GPU": lambda: _wait(other.copy_to_device(there)),
    }


def _hashing(images: Sequence[np.ndarray]) -> Calls:
    """Return functions that hash a batch of images: the steps on the GPU, and the CPU."""
    from finhash.find import gpu as find_gpu

    batch = find_gpu.Batch()
    batch.gather(images)
    batch.send()
    pool = ThreadPoolExecutor(os.cpu_count())
    return {
        "gather": lambda: batch.gather(images),
        "send": lambda: _wait(batch.send()),
        "compute": lambda: _wait(batch.compute()),
        "fetch": batch.fetch,
        "CPU, one core": timing.over(compiled.hash_rgb, images),
        "CPU, all cores": lambda: list(pool.map(compiled.hash_rgb, images)),
    }


def _overlapped(images: Sequence[np.ndarray], batches: int) -> Calls:
    """Return a function that hashes the images ``batches`` times, gathering while computing."""
    from finhash.find import gpu as find_gpu

    many, size = batches * list(images), sum(rgb.size for rgb in images)
    return {"hash_many": lambda: find_gpu.hash_many(many, size)}


def _matching(hashes: np.ndarray, families: np.ndarray, radius: int) -> Calls:
    """Return functions that compare all pairs of hashes, on the GPU and on the CPU."""
    from finhash.hamming import gpu as hamming_gpu

    cores = os.cpu_count()
    return {
        "join": lambda: hamming_gpu.join(hashes, radius=radius),
        "join, nothing found": lambda: hamming_gpu.join(hashes, radius=0),
        "histogram": lambda: hamming_gpu.pair_histogram(hashes, families),
        "join, CPU": lambda: hamming.join(hashes, radius=radius, workers=cores),
        "histogram, CPU": lambda: hamming.pair_histogram(hashes, families, workers=cores),
    }


def _wait(_: object) -> None:
    """Wait until the GPU has finished; the argument starts its work."""
    from numba import cuda

    cuda.synchronize()


def main() -> None:
    """Run the measurement of notebook 10, with FINd's threshold for matching."""
    measure(datasets.load(), thresholds.threshold("match"), repeats=10)


if __name__ == "__main__":
    main()
