"""A GPU, where there is one: what it could win, whether its kernels are right, what it measures.

``python -m finhash.study.cost.gpu`` takes the measurement on a machine with a GPU.
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

from finhash import hamming, methods
from finhash.find import compiled
from finhash.find.geometry import KEPT, SAMPLES
from finhash.images import to_rgb
from finhash.study import project, results, timing
from finhash.study.cost import candidates, certificate
from finhash.study.data import committed, datasets, simulated

Calls = dict[str, Callable[[], object]]

BY = "07_gpu"
RESULTS = ("gpu_times", "gpu_exactness")
"""What a measurement leaves in ``data/results``."""

STAGING = 256 << 20
"""Bytes of a batch: far more than caches hold."""

SINGLE = compiled.MARGIN * 2.0**29
"""The certificate's margin if the kernel used floats: their unit roundoff is so much larger."""

H200 = {
    "memory, bytes/s": 4.8e12,
    "link, bytes/s": 64e9,
    "words, logic and sums": 132 * 64 * 1.98e9,
    "words, bits counted": 132 * 16 * 1.98e9,
    "products, double": 132 * 64 * 1.98e9,
}
"""Ceilings of an H200: NVIDIA's data sheet; operations a clock from its CUDA programming guide."""


@dataclass(frozen=True)
class Sizes:
    """How much a measurement handles."""

    hashes: int = 1_000_000
    pictures: int = 1400  # about as many blocks of threads as an H200 runs at once
    batches: int = 8
    edges: int = 9
    provoking: int = 5000
    copied: int = 1 << 30


def present() -> bool:
    """Whether there is an NVIDIA GPU that Numba can use."""
    try:
        from numba import cuda
    except ImportError:
        return False
    return cuda.is_available() and os.environ.get("NUMBA_ENABLE_CUDASIM") != "1"


def describe() -> dict[str, str]:
    """The GPU's name and what it runs under, for a result's provenance."""
    from numba import cuda

    gpu = cuda.get_current_device()
    return {
        "gpu": gpu.name.decode() if isinstance(gpu.name, bytes) else gpu.name,
        "compute capability": ".".join(map(str, gpu.compute_capability)),
        "cuda runtime": ".".join(map(str, cuda.runtime.get_version())),
        "numba-cuda": version("numba-cuda"),
    }


def measure(
    dataset: datasets.Dataset, radius: int, repeats: int, sizes: Sizes | None = None
) -> None:
    """Take the measurement on this machine's GPU, and save it as ``RESULTS``."""
    sizes = sizes or Sizes()
    table = committed.obtain(dataset, ["find"])
    find, families = table.hashes("find"), committed.families(table)
    many = simulated.hashes(find, sizes.hashes, project.SEED)
    labels = simulated.families(families, len(many))
    kept = {"by": BY, "data": dataset, "machine": describe()}

    found = compare(
        {
            "pictures of the set, bits": _decoded(dataset.paths),
            "edge cases, bits": _edges(sizes.edges, 250),
            "random pictures, bits": certificate.random_pictures(sizes.provoking, project.SEED),
        },
        find,
        families,
        radius,
    )
    results.save(found, "gpu_exactness", **kept)
    some = [to_rgb(path) for path in dataset.paths[: sizes.pictures]]
    calls = {
        "copy": (_copies(sizes.copied), sizes.copied),
        "hash": (_hashing(some), len(some)),
        "hash, in all": (_overlapped(some, sizes.batches), sizes.batches * len(some)),
        "pairs of the set": (_matching(find, families, radius), len(find)),
        "pairs of many": (_matching(many, labels, radius), len(many)),
    }
    results.save(times(calls, repeats), "gpu_times", **kept)


def measured() -> bool:
    """Whether there are results of a measurement on a GPU."""
    return all((project.results() / f"{name}.csv").exists() for name in RESULTS)


def offload(paths: Sequence[Path], repeats: int) -> pd.DataFrame:
    """Seconds a picture, on one core, of a file's way to its hash and of its way to a GPU.

    The latter ends where the pixels are gathered in a batch, from where a GPU could fetch them.
    """
    staging = np.ones(STAGING, np.uint8)  # its pages are there before they are timed
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
    """Share of pictures that the certificate leaves to the second path, by precision."""
    margins = np.array([compiled.fast_hash(to_rgb(path))[0] for path in paths])
    rows = [
        (name, margin / 1000, len(paths), float((margins <= margin).mean()))
        for name, margin in {"double": compiled.MARGIN, "single": SINGLE}.items()
    ]
    return pd.DataFrame(rows, columns=["precision", "margin", "images", "share"])


def floors(side: int, number: int) -> pd.DataFrame:
    """Least seconds on an H200 by bytes and operations: ``what, resource, amount, seconds``.

    Of one picture of ``side`` pixels a side, and of all pairs of ``number`` hashes; the largest of
    a thing's times is its floor.
    """
    windows = compiled.side(side)
    tall = int((windows.stop - windows.start).sum(dtype=int))
    pairs = number * (number - 1) / 2
    rows = [
        ("image", "memory, bytes/s", 3 * side**2),
        # Three channels down the columns of 64 rows of windows, then luma along them.
        ("image", "words, logic and sums", 3 * tall * side + SAMPLES * tall),
        ("image", "products, double", KEPT * SAMPLES * (SAMPLES + KEPT)),
        ("image, sent", "link, bytes/s", 3 * side**2),
        ("all pairs", "memory, bytes/s", 32 * number),
        # Eight differences, four adders of two, the sum and the comparison.
        ("all pairs", "words, logic and sums", 20 * pairs),
        ("all pairs", "words, bits counted", 4 * pairs),
    ]
    table = pd.DataFrame(rows, columns=["what", "resource", "amount"])
    return table.assign(seconds=table["amount"] / table["resource"].map(H200))


def simulate(edges: int, pictures: int, number: int, radius: int) -> pd.DataFrame:
    """What ``compare`` gives on a simulated GPU, for so many of each.

    Edge cases of 64 pixels a side, random pictures that provoke ties, hashes of few families.
    """
    # Numba reads it when it is first imported: hence the fresh process.
    with patch.dict(os.environ, NUMBA_ENABLE_CUDASIM="1"):
        return timing.in_fresh_process(_on_simulated, edges, pictures, number, radius)[0]


def compare(
    pictures: Mapping[str, Iterable[np.ndarray]],
    hashes: np.ndarray,
    families: np.ndarray,
    radius: int,
) -> pd.DataFrame:
    """GPU against CPU: ``kind, cases, doubtful, fast_differing, differing``.

    Bits of the pictures' hashes against the published order, without and with the second path for
    doubtful pictures; then pairs within the radius, and counts of distances, that are not the same.
    """
    from finhash.hamming import gpu as hamming_gpu

    rows = [(kind, *_compare_hashes(some)) for kind, some in pictures.items()]
    found, expected = (
        (i.astype(np.int64) * len(hashes) + j) * 512 + distance
        for i, j, distance in (
            hamming_gpu.join(hashes, radius=radius),
            hamming.join(hashes, radius=radius),
        )
    )
    wrong = len(np.setxor1d(found, expected))
    rows.append(("pairs within the radius", len(expected), 0, 0, wrong))
    counted, exact = (
        np.stack(count(hashes, families))
        for count in (hamming_gpu.pair_histogram, hamming.pair_histogram)
    )
    rows.append(("all pairs by distance", int(exact.sum()), 0, 0, int((counted != exact).sum())))
    columns = ["kind", "cases", "doubtful", "fast_differing", "differing"]
    return pd.DataFrame(rows, columns=columns)


def times(tasks: Mapping[str, tuple[Calls, int]], repeats: int) -> pd.DataFrame:
    """Seconds of each task's calls: ``task, contender, state, repeat, seconds, number``.

    ``number`` is how many pictures, hashes or bytes a call of the task handles.
    """
    tables = [
        timing.time_calls(calls, repeats).assign(task=task, number=number)
        for task, (calls, number) in tasks.items()
    ]
    return pd.concat(tables, ignore_index=True)


def rates(timings: pd.DataFrame, floor: pd.DataFrame) -> pd.DataFrame:
    """Medians of a measurement: ``task, contender, seconds, a_second, floors``.

    ``a_second`` counts bytes copied, pictures hashed, or pairs compared; ``floors`` is how many
    times the floor the GPU's own part took.
    """
    least = floor.groupby("what")["seconds"].max()
    most = floor[floor["what"] == "all pairs"]["amount"].min() / 32
    warm = timings[timings["state"] == "warm"]
    table = warm.groupby(["task", "contender", "number"], sort=False)["seconds"].median()
    table = table.reset_index()
    number, seconds = table["number"].astype(float), table["seconds"]
    paired = table["contender"].str.startswith(("join", "histogram"))
    done = number.where(~paired, number * (number - 1) / 2)
    a_second = done / seconds
    own = {"compute": 1 / least["image"], "send": 1 / least["image, sent"]}
    bound = table["contender"].map(own)
    pairs = most * (most - 1) / 2 / least["all pairs"]
    on_gpu = paired & ~table["contender"].str.contains("CPU")
    return table.assign(a_second=a_second, floors=bound.where(~on_gpu, pairs) / a_second)


def _edges(number: int, side: int) -> list[np.ndarray]:
    cases = list(candidates.edge_cases().values())[:number]
    return [to_rgb(case.resize((side, side), Resampling.NEAREST)) for case in cases]


def _decoded(paths: Sequence[Path]) -> Iterator[np.ndarray]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in tqdm(range(0, len(paths), 1000), "GPU exactness", unit="thousand"):
            yield from pool.map(to_rgb, paths[start : start + 1000])


def _compare_hashes(pictures: Iterable[np.ndarray]) -> tuple[int, int, int, int]:
    from finhash.find import gpu as cuda

    batch, counts = cuda.Batch(), np.zeros(4, int)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for group in cuda.groups(pictures, cuda.SIZE):
            expected = np.stack(list(pool.map(compiled.published_hash, group)))
            batch.gather(group)
            batch.send()
            batch.compute()
            margins, fast = batch.fetch()
            counts += [
                len(group),
                np.count_nonzero(margins <= compiled.MARGIN),
                int(np.bitwise_count(fast ^ expected).sum()),
                int(np.bitwise_count(batch.hashes() ^ expected).sum()),
            ]
    return tuple(counts.tolist())


def _on_simulated(edges: int, pictures: int, number: int, radius: int) -> pd.DataFrame:
    rng = np.random.default_rng(project.SEED)
    families = rng.integers(0, 5, number)
    noise = np.packbits(rng.random((number, 256)) < 0.1, axis=1)
    near = rng.integers(0, 256, (5, 32), dtype=np.uint8)[families] ^ noise
    some = {
        "edge cases, bits": _edges(edges, 64),
        "random pictures, bits": certificate.random_pictures(pictures, project.SEED, largest=96),
    }
    return compare(some, near, families, radius)


def _copies(size: int) -> Calls:
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


def _hashing(pictures: Sequence[np.ndarray]) -> Calls:
    from finhash.find import gpu as cuda

    batch = cuda.Batch()
    batch.gather(pictures)
    batch.send()
    pool = ThreadPoolExecutor(os.cpu_count())
    return {
        "gather": lambda: batch.gather(pictures),
        "send": lambda: _wait(batch.send()),
        "compute": lambda: _wait(batch.compute()),
        "fetch": batch.fetch,
        "CPU, one core": timing.over(compiled.hash_rgb, pictures),
        "CPU, all cores": lambda: list(pool.map(compiled.hash_rgb, pictures)),
    }


def _overlapped(pictures: Sequence[np.ndarray], batches: int) -> Calls:
    from finhash.find import gpu as cuda

    many, size = batches * list(pictures), sum(rgb.size for rgb in pictures)
    return {"hash_many": lambda: cuda.hash_many(many, size)}


def _matching(hashes: np.ndarray, families: np.ndarray, radius: int) -> Calls:

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
    from numba import cuda

    cuda.synchronize()


def main() -> None:
    """Measure at FINd's radius, as notebook 07 does where there is a GPU."""
    accuracy = results.load("rates").query("labels == 'merged'").set_index("method")
    measure(datasets.load(), int(accuracy["radius_1e-05"]["find"]), repeats=10)


if __name__ == "__main__":
    main()
