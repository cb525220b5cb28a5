r"""Numbers and tables of the report's Part 1: what FINd costs and what each optimisation brought.

``NUMBERS`` lists the results tables that are read, each with the function that takes the report's
numbers from it. Keys are those of ``\result{key}`` in the report's sources.
"""

import math
from collections.abc import Callable
from functools import partial

import pandas as pd

from finhash import methods
from finhash.find.geometry import MAX_SIDE
from finhash.study import project, results
from finhash.study.cost import gpu, large, operations, parallel
from finhash.study.data import memes
from finhash.study.report import available
from finhash.study.report.rounding import (
    Numbers,
    Texts,
    duration,
    fixed,
    milliseconds,
    numbers_from,
    percent,
    tables_from,
    tabular,
    tex,
    times,
    whole,
    with_source,
)
from finhash.study.results import medians

STEPS = {"box": "box filter", "luma": "luma", "dct": "DCT", "decode": "open, decode"}
"""Key -> step of the reference implementation, in ``baseline_steps``."""

BOX_FILTERS = {
    "samples": "samples only",
    "shifted": "shifted copies",
    "area": "summed area",
    "integers": "integer area",
    "scipy": "SciPy uniform",
    "numba": "Numba",
}
"""Key -> contender of ``candidates_box``."""

LUMAS = {
    "channels": "NumPy channels",
    "matmul": "NumPy matmul",
    "integers": "integers",
    "pillow": "Pillow L",
    "numba": "Numba",
}
"""Key -> contender of ``candidates_luma``."""

RUNGS = {
    "reference": "reference",
    "box": "+ box filter",
    "luma": "+ luma",
    "compiled": "+ DCT, compiled",
    "certified": "+ certified integers",
    "deployed": "+ simplejpeg",
}
"""Key -> optimisation, a contender of ``ladder``."""

OTHER_HASHES = ("ahash64", "phash64", "dhash64", "whash64")
"""The hashes of imagehash among the contenders of ``ladder``."""

LARGE_SIDES = (250, 600, 1000, 2000, 4000)
"""Longer sides whose costs are quoted from ``large_images_costs``, in pixels."""


def numbers() -> Numbers:
    """Return all numbers of Part 1, and those that describe machine, software and data."""
    setting = _setting(results.load_provenance("ladder")) | {"title": tex(available.title())}
    if not project.is_standin():
        data = numbers_from({"datasets_images": _images})
    else:
        setting |= {"families-full": whole(memes.FAMILIES), "images-full": whole(memes.IMAGES)}
        data = {}
    return with_source(setting, "ladder") | numbers_from(NUMBERS) | data | _gpu_measured()


def tables() -> Texts:
    """Return the tables of Part 1 as LaTeX, by file name."""
    return tables_from(TABLES)


def _setting(facts: dict) -> Texts:
    """Describe the machine and the software, from the provenance of ``ladder``."""
    versions = facts["versions"]
    found = {key: versions[key] for key in ("python", "pillow", "numpy", "numba", "libjpeg-turbo")}
    return found | {
        "scale": facts["scale"],
        "cpu": facts["cpu"],
        "cores": str(facts["cores"]),
        "imagehash-version": versions["imagehash"],
    }


def _images(table: pd.DataFrame) -> Texts:
    """Describe a user's own set; numbers of what is rare are absent if there is none."""
    row = table.iloc[0]
    found = {key: whole(row[key]) for key in ("images", "families")}
    for key in ("single_families", "unreadable", "skipped"):
        if row[key]:
            found[f"set-{key.replace('_', '-')}"] = whole(row[key])
    for side in ("width", "height"):
        for end in ("min", "median", "max"):
            found[f"set-{side}-{end}"] = whole(row[f"{side}_{end}"])
    return found | {
        "set-kilobytes": fixed(row["bytes_median"] / 1000, 0),
        "set-pairs-same": whole(row["same_pairs"]),
        "set-pairs-other": whole(row["other_pairs"]),
    }


def _pairs(histograms: pd.DataFrame) -> Texts:
    rows = histograms.query("labels == 'as labelled' and method == 'find'")
    same, other = rows[["same", "other"]].sum()
    found = {
        "pairs": whole(same + other),
        "pairs-same": whole(same),
        "pairs-other": whole(other),
        "prevalence": percent(same / (same + other), 2),
    }
    for digit in (3, 4):
        # Share of false matches at perfect recall.
        false = 10.0**-digit * other
        found[f"false-claims-{digit}"] = percent(false / (same + false), 0)
    return found


def _steps(steps: pd.DataFrame) -> Texts:
    seconds = steps.groupby("step", sort=False)["seconds"].median()
    share = seconds / seconds.sum()
    found = {}
    for key, step in STEPS.items():
        found[f"share-{key}"] = percent(share[step])
        # Amdahl's law: the speed-up if the step took no time.
        found[f"bound-{key}"] = f"{1 / (1 - share[step]):.1f}"
    return found


def _bill(bill: pd.DataFrame) -> Texts:
    # The first row is that of the set.
    whole_set, row = bill.iloc[0], bill.set_index("images").loc
    return {
        "bill-images": whole(whole_set["images"]),
        "bill-set": duration(whole_set["core_hours"] * 3600),
        "days-million": fixed(row[10**6]["core_hours"] / 24, 1),
        "dollars-million": fixed(row[10**6]["dollars"], 0),
        "years-billion": fixed(row[10**9]["core_years"], 0),
        "dollars-billion": whole(row[10**9]["dollars"]),
    }


def _growth_count(counts: pd.DataFrame) -> Texts:
    fit = operations.exponent(counts["images"], counts["seconds"])
    return {
        "growth-power": f"{fit['exponent']:.2f}",
        "growth-low": f"{fit['low']:.2f}",
        "growth-high": f"{fit['high']:.2f}",
    }


def _operations(table: pd.DataFrame) -> Texts:
    largest = table.query("step == 'box filter' and cols == cols.max()")
    return {
        "ns-addition": f"{largest['ns_per_operation'].median():.0f}",
        "bytecodes-addition": f"{largest['bytecodes'].iloc[0]:.0f}",
    }


def _faults(faults: pd.DataFrame) -> Texts:
    landscape = faults.query("cols > rows")
    return {"wrong-bits": f"{landscape['bits_wrong'].max():.0f}"}


def _growth_side(sides: pd.DataFrame) -> Texts:
    seconds = sides[sides["content"] == "noise"].groupby("side")["seconds"].median()
    small, large = seconds.index.min(), seconds.index.max()
    most = seconds.index[seconds.index <= MAX_SIDE].max()
    found = {
        "side-small": str(small),
        "side-small-ms": milliseconds(seconds[small]),
        "side-most": str(most),
        "side-most-seconds": fixed(seconds[most], 1),
    }
    if large > MAX_SIDE:
        found |= {"side-large": str(large), "side-large-seconds": fixed(seconds[large], 1)}
    return found


def _memory(memory: pd.DataFrame) -> Texts:
    largest = memory.loc[memory["side"].idxmax()]
    per_pixel = largest["bytes"] / largest["side"] ** 2
    return {
        "memory-pixel": f"{per_pixel:.0f}",
        "memory-largest": f"{per_pixel * MAX_SIDE**2 / 1e6:.0f}",
    }


def _candidate_times(timings: pd.DataFrame, step: str, names: dict[str, str]) -> Texts:
    seconds = medians(timings)
    return {
        f"{step}-{key}-times": times(seconds.iloc[0] / seconds[name]) for key, name in names.items()
    }


def _candidate_exactness(exactness: pd.DataFrame, step: str, names: dict[str, str]) -> Texts:
    table = exactness.set_index("contender")
    found = {f"{step}-images": whole(table["images"].iloc[0])}
    for key, name in names.items():
        found[f"{step}-{key}-bits"] = whole(table["bits_changed"][name])
        found[f"{step}-{key}-memory"] = f"{table['peak_kB'][name] / 1000:.1f}"
    return found


def _certificate(certificate: pd.DataFrame) -> Texts:
    table = certificate.set_index("kind")
    random, real = table.loc["random"], table.drop(index="random").iloc[0]
    return {
        "proved-images": whole(table["images"].sum()),
        "proved-random": whole(random["images"]),
        "proved-bits": whole(table["bits_changed"].sum()),
        "proved-pixels": whole(table["pixels_changed"].sum()),
        "fallback-set": whole(real["images"] - real["certified"]),
        "fallback-random": percent(1 - random["certified"] / random["images"], 0),
        "unproved-bits": whole(table["fast_bits_changed"].sum()),
    }


def _kernel(timings: pd.DataFrame) -> Texts:
    """Quote kernel and decoder; the way from file to hash only if it outlasts decoding."""
    seconds = medians(timings)
    found = {
        "kernel-us": f"{seconds['kernel'] * 1e6:.0f}",
        "kernel-decode": percent(seconds["kernel"] / seconds["decode"]),
        "kernel-pdq": times(seconds["PDQ kernel"] / seconds["kernel"]),
        "decode-ms": milliseconds(seconds["decode"]),
        "decode-pillow-ms": milliseconds(seconds["decode, Pillow"]),
    }
    over = seconds["file to hash"] / seconds["file to pixels"]
    return found | ({"over-decoding": f"{over:.2f}"} if over >= 1 else {})


def _cold_start(timings: pd.DataFrame) -> Texts:
    seconds = medians(timings)
    # Compilation is timed once, so it is the contender without warm repeats.
    compiling = timings[~timings["contender"].isin(seconds.index)]["seconds"].item()
    return {
        "start-import": milliseconds(seconds["import finhash"] - seconds["python"]),
        "start-hash": fixed(seconds["find_hash"], 1),
        "start-compile": fixed(compiling, 0),
    }


def _ladder(timings: pd.DataFrame) -> Texts:
    seconds = medians(timings)
    found = {}
    for key, rung in RUNGS.items():
        found[f"{key}-ms"] = milliseconds(seconds[rung])
        found[f"{key}-times"] = times(seconds["reference"] / seconds[rung])
    for name in OTHER_HASHES:
        found[f"against-{name}"] = f"{seconds[RUNGS['deployed']] / seconds[name]:.2f}"
    others = seconds[list(OTHER_HASHES)]
    found["peer-fastest-ms"] = milliseconds(others.min())
    found["peer-slowest-ms"] = milliseconds(others.max())
    return found


def _large_images(table: pd.DataFrame, prefix: str) -> Texts:
    """Quote times at some sizes, and the fastest other hash at the size where it is best."""
    rows = table.set_index(["side", "contender"])
    found = {}
    for side in LARGE_SIDES:
        if side not in table["side"].values:
            continue
        for name in (large.DECODE, "find", "find_luma"):
            found[f"{prefix}-{side}-{name}-ms"] = milliseconds(rows["ms"][side, name] / 1e3)
        for name in ("find", "find_luma"):
            found[f"{prefix}-{side}-{name}-over-decode"] = f"{rows['over_decode'][side, name]:.2f}"
        if side > MAX_SIDE:  # smaller images are not shrunk
            found[f"{prefix}-{side}-old-ms"] = milliseconds(rows["ms"][side, large.OLD] / 1e3)
            found[f"{prefix}-{side}-old-times"] = times(rows["over_find"][side, large.OLD])
    found[f"{prefix}-from"] = whole(table["side"].min())
    found[f"{prefix}-to"] = whole(table["side"].max())
    over_find = table.pivot(index="side", columns="contender", values="over_find")
    found[f"{prefix}-luma-share"] = f"{over_find['find_luma'].iloc[-1]:.2f}"
    drafts = over_find[list(large.DRAFT.values())]
    fastest = {
        "peer": over_find[list(large.PEERS)].min(axis=1),
        "draft": drafts.min(axis=1),
        "draft-luma": drafts.div(over_find["find_luma"], axis=0).min(axis=1),
    }
    for key, ratio in fastest.items():
        found[f"{prefix}-{key}-least"] = f"{ratio.min():.2f}"
        found[f"{prefix}-{key}-least-side"] = whole(ratio.idxmin())
    return found


def _shrinking(table: pd.DataFrame) -> Texts:
    # Every version of Pillow was compared on the same images; the kernel shrinks most kinds.
    shrunk = table[table["kernel_values"] > 0]
    return {
        "shrink-images": whole(shrunk.groupby("pillow")["images"].sum().max()),
        "shrink-changed": whole(shrunk["kernel_changed"].sum()),
    }


def _luma_bits(table: pd.DataFrame) -> Texts:
    row = table.iloc[0]
    return {"luma-bits-mean": fixed(row["mean"], 1), "luma-bits-most": whole(row["most"])}


def _throughput(table: pd.DataFrame, size: str) -> Texts:
    rows = table.set_index(["executor", "workers"])
    found = {f"serial-rate-{size}": whole(rows["throughput"]["serial", 1])}
    for executor in ("threads", "processes", "dask"):
        found[f"{executor}-gain-{size}"] = fixed(rows["gain"][executor, 2], 2)
    return found | {f"job-images-{size}": whole(table["images"].iloc[0])}


def _throughput_small(table: pd.DataFrame) -> Texts:
    found = _throughput(table, "small")
    rows = table.set_index(["executor", "workers"])
    gain = rows["gain"]
    of_decoding = gain["processes", 2] / (2 * gain[parallel.DECODE, 1])
    return found | {"processes-of-decoding": rf"{fixed(100 * of_decoding, 0)}\,\%"}


def _serial_share(table: pd.DataFrame) -> Texts:
    """Quote the share that threads cannot run at once, where Amdahl's law gives one."""
    share = table.set_index(["executor", "images"])["share"]["threads", "small"]
    return {"threads-share": percent(share, 0)} if 0 < share < 1 else {}


def _overheads(table: pd.DataFrame) -> Texts:
    return {f"{row.executor}-overhead": percent(row.share) for row in table.itertuples()}


def _memory_jobs(table: pd.DataFrame) -> Texts:
    return {f"{row.executor}-memory": whole(row.bytes / 1e6) for row in table.itertuples()}


def _memory_files(table: pd.DataFrame) -> Texts:
    few, many = table.loc[table["files"].idxmin()], table.loc[table["files"].idxmax()]
    return {
        "files-least": whole(few["files"]),
        "files-most": whole(many["files"]),
        "memory-few": whole(few["bytes"] / 1e6),
        "memory-many": whole(many["bytes"] / 1e6),
    }


def _reading(table: pd.DataFrame) -> Texts:
    seconds = table.groupby("state")["seconds"].median()
    return {"cold-times": times(seconds["cold"] / seconds["warm"])}


def _whole_set(table: pd.DataFrame) -> Texts:
    hashing = table[table["executor"] != parallel.DECODE]
    return {
        "whole-seconds": fixed(hashing["seconds"].min(), 0),
        "images": whole(table["images"].iloc[0]),
    }


def _cluster(table: pd.DataFrame) -> Texts:
    """Quote the rows of a job that lost a worker, if they are those of the serial job."""
    row = table.iloc[0]
    return {"cluster-rows": whole(row["rows"])} if row["identical"] else {}


def _model(table: pd.DataFrame) -> Texts:
    efficiency = table.set_index(["executor", "cores"])["efficiency"]
    return {
        f"{executor}-model-{cores}": percent(efficiency[executor, cores], 0)
        for executor, cores in (("processes", 64), ("dask", 64), ("dask", 1000))
        if (executor, cores) in efficiency.index
    }


def _gpu_offload(timings: pd.DataFrame) -> Texts:
    seconds = medians(timings)
    beyond_decoding = seconds - seconds["file to pixels"]
    gather, kernel = beyond_decoding[["file to gathered pixels", "file to hash"]]
    return {"gpu-gather": percent(gather / kernel, 0)} if min(gather, kernel) > 0 else {}


def _gpu_precision(table: pd.DataFrame) -> Texts:
    return {"gpu-single": percent(table.set_index("precision")["share"]["single"], 0)}


def _gpu_floors(table: pd.DataFrame) -> Texts:
    pairs = table[table["what"] == "all pairs"]
    # n hashes form n (n - 1) / 2 pairs, so n is the whole number above the root of their double.
    hashes = math.isqrt(2 * int(pairs["items"].iloc[0])) + 1
    return {"gpu-floor": duration(pairs["seconds"].max()), "gpu-floor-hashes": whole(hashes)}


def _gpu_measured() -> Numbers:
    """Quote the measurement on a GPU, if there is one."""
    if not gpu.measured():
        return {"gpu-measured": ("not measured", "gpu_floors")}
    table = gpu.summary(results.load("gpu_times"), results.load("gpu_floors"))
    table = table.set_index(["task", "contender"])
    hashes = whole(round(table["throughput"]["hash", "compute"], -3))
    join = table["seconds"]["pairs of many", "join"]
    return {
        "gpu-measured": (f"{hashes} hashes per second, those pairs in {join:.1f}\\,s", "gpu_times")
    }


NUMBERS: dict[str, Callable[[pd.DataFrame], Texts]] = {
    "counting_histograms": _pairs,
    "baseline_steps": _steps,
    "operations_bill": _bill,
    "baseline_growth_count": _growth_count,
    "baseline_operations": _operations,
    "baseline_faults": _faults,
    "baseline_growth_side": _growth_side,
    "baseline_memory": _memory,
    "candidates_box": partial(_candidate_times, step="box", names=BOX_FILTERS),
    "candidates_box_exactness": partial(_candidate_exactness, step="box", names=BOX_FILTERS),
    "candidates_luma": partial(_candidate_times, step="luma", names=LUMAS),
    "candidates_luma_exactness": partial(_candidate_exactness, step="luma", names=LUMAS),
    "certificate": _certificate,
    "ladder_kernel": _kernel,
    "ladder_cold_start": _cold_start,
    "ladder": _ladder,
    "large_images_costs": partial(_large_images, prefix="large"),
    "large_images_grain": partial(_large_images, prefix="grain"),
    "shrinking": _shrinking,
    "large_luma_bits": _luma_bits,
    "parallel_throughput_small": _throughput_small,
    "parallel_throughput_large": partial(_throughput, size="large"),
    "parallel_serial_share": _serial_share,
    "parallel_overheads": _overheads,
    "parallel_memory": _memory_jobs,
    "parallel_memory_files": _memory_files,
    "parallel_reading": _reading,
    "parallel_whole_set": _whole_set,
    "parallel_cluster": _cluster,
    "parallel_model": _model,
    "gpu_offload": _gpu_offload,
    "gpu_precision": _gpu_precision,
    "gpu_floors": _gpu_floors,
}
"""Results table -> function that takes the report's numbers from it.

``numbers`` adds the provenance of ``ladder`` and, if a GPU was measured, ``gpu_times``.
"""


def _calibration_table(calibration: pd.DataFrame) -> str:
    wide = calibration.pivot_table(
        index=["method", "source"], columns="metric", values="value", sort=False
    )
    rows = [
        [
            methods.get(name).label,
            tex(source),
            f"${row['same_mean']:.1f} \\pm {row['same_sd']:.1f}$",
            f"${row['other_mean']:.1f} \\pm {row['other_sd']:.1f}$",
            f"{row['auc']:.4f}",
            f"{row['tpr_0.1%']:.3f}",
            f"{row['tpr_1%']:.3f}",
        ]
        for (name, source), row in wide.iterrows()
    ]
    head = ["hash", "images", "same family", "other family", "AUC", r"recall 0.1\,\%", r"1\,\%"]
    return tabular("llccccc", head, rows)


def _candidates_table(
    box: pd.DataFrame,
    box_exactness: pd.DataFrame,
    luma: pd.DataFrame,
    luma_exactness: pd.DataFrame,
) -> str:
    rows = []
    steps = (("box filter", box, box_exactness), ("luma", luma, luma_exactness))
    for step, timings, exactness in steps:
        seconds = medians(timings)
        table = exactness.set_index("contender")
        for name, value in seconds.items():
            changed, images = table["bits_changed"][name], table["images_changed"][name]
            rows.append(
                [
                    step,
                    name,
                    milliseconds(value),
                    times(seconds.iloc[0] / value),
                    f"{whole(changed)} in {whole(images)}" if changed else "0",
                    f"{table['peak_kB'][name] / 1000:.1f}",
                ]
            )
    head = ["step", "candidate", "ms", "times faster", "bits changed in images", "peak MB"]
    return tabular("llrrrr", head, rows)


TABLES: dict[str, tuple[Callable[..., str], tuple[str, ...]]] = {
    "table_calibration": (_calibration_table, ("rates_calibration",)),
    "table_candidates": (
        _candidates_table,
        (
            "candidates_box",
            "candidates_box_exactness",
            "candidates_luma",
            "candidates_luma_exactness",
        ),
    ),
}
"""File name -> function that writes the table, and results tables that it reads."""
