"""Part 1 of the report in numbers: what FINd costs, what each optimisation brought."""

import math

from finhash import methods
from finhash.study import results
from finhash.study.cost import gpu, operations, parallel
from finhash.study.data import memes
from finhash.study.report.rounding import Numbers, milliseconds, percent, tabular, tex, times, whole
from finhash.study.results import medians

PEERS = ("ahash64", "phash64", "dhash64", "whash64")
RUNGS = {
    "reference": "reference",
    "box": "+ box filter",
    "luma": "+ luma",
    "compiled": "+ DCT, compiled",
    "certified": "+ certified integers",
    "deployed": "+ simplejpeg",
}


def numbers() -> Numbers:
    """Every number that Part 1 quotes, and the setting of the whole."""
    parts = _setting, _profile, _candidates, _certificate, _kernel, _ladder, _batch, _gpu
    return {key: value for part in parts for key, value in part().items()}


def tables() -> dict[str, str]:
    """Part 1's tables by file name, as LaTeX."""
    return {"table_calibration": _calibration_table(), "table_candidates": _candidates_table()}


def _setting() -> Numbers:
    facts = results.load_provenance("ladder")
    found = {
        "scale": facts["scale"],
        "cpu": facts["cpu"],
        "cores": str(facts["cores"]),
        **{key: facts["versions"][key] for key in ("python", "pillow", "numpy", "numba")},
        "imagehash-version": facts["versions"]["imagehash"],
        "libjpeg-turbo": facts["versions"]["libjpeg-turbo"],
        "families-full": whole(memes.FAMILIES),
        "pictures-full": whole(memes.PICTURES),
    }
    counts = results.load("counting_histograms").query(
        "labels == 'as labelled' and method == 'find'"
    )
    same, other = counts[["same", "other"]].sum()
    source = {
        "pairs": whole(same + other),
        "pairs-same": whole(same),
        "pairs-other": whole(other),
        "prevalence": percent(same / (same + other), 2),
        "false-claims-3": percent(1e-3 * other / (same + 1e-3 * other), 0),
        "false-claims-4": percent(1e-4 * other / (same + 1e-4 * other), 0),
    }
    return {
        **{key: (text, "ladder") for key, text in found.items()},
        **{key: (text, "counting_histograms") for key, text in source.items()},
    }


def _profile() -> Numbers:
    steps = results.load("baseline_steps").groupby("step", sort=False)["seconds"].median()
    share = steps / steps.sum()
    found = {}
    for key, step in (
        ("box", "box filter"),
        ("luma", "luma"),
        ("dct", "DCT"),
        ("decode", "open, decode"),
    ):
        found[f"share-{key}"] = percent(share[step])
        found[f"bound-{key}"] = f"{1 / (1 - share[step]):.1f}"
    numbers_ = {key: (text, "baseline_steps") for key, text in found.items()}

    bill = results.load("operations_bill").set_index("images")
    numbers_ |= {
        "hours-set": (f"{bill['core_hours'][memes.PICTURES]:.1f}", "operations_bill"),
        "days-million": (f"{bill['core_hours'][10**6] / 24:.1f}", "operations_bill"),
        "dollars-million": (f"{bill['dollars'][10**6]:.0f}", "operations_bill"),
        "years-billion": (f"{bill['core_years'][10**9]:.0f}", "operations_bill"),
        "dollars-billion": (whole(bill["dollars"][10**9]), "operations_bill"),
    }
    counts = results.load("baseline_growth_count")
    power = operations.exponent(counts["images"], counts["seconds"])
    numbers_["growth-power"] = f"{power['exponent']:.2f}", "baseline_growth_count"
    numbers_["growth-low"] = f"{power['low']:.2f}", "baseline_growth_count"
    numbers_["growth-high"] = f"{power['high']:.2f}", "baseline_growth_count"
    each = results.load("baseline_operations").query("step == 'box filter' and cols == cols.max()")
    numbers_["ns-addition"] = f"{each['ns_an_operation'].median():.0f}", "baseline_operations"
    numbers_["bytecodes-addition"] = f"{each['bytecodes'].iloc[0]:.0f}", "baseline_operations"
    faults = results.load("baseline_faults").query("cols > rows")
    numbers_["wrong-bits"] = f"{faults['bits_wrong'].max():.0f}", "baseline_faults"
    sides = results.load("baseline_growth_side")
    by_side = sides[sides["content"] == "noise"].groupby("side")["seconds"].median()
    small, large = by_side.index.min(), by_side.index.max()
    numbers_ |= {
        "side-small": (str(small), "baseline_growth_side"),
        "side-large": (str(large), "baseline_growth_side"),
        "side-small-ms": (f"{by_side[small] * 1e3:.0f}", "baseline_growth_side"),
        "side-large-seconds": (f"{by_side[large]:.1f}", "baseline_growth_side"),
        "side-512-seconds": (
            f"{by_side[by_side.index <= 512].iloc[-1]:.1f}",
            "baseline_growth_side",
        ),
    }
    memory = results.load("baseline_memory").set_index("side")["bytes"]
    side = memory.index.max()
    numbers_["memory-pixel"] = (f"{memory[side] / side**2:.0f}", "baseline_memory")
    return numbers_


CANDIDATES = {
    "candidates_box": {
        "samples": "samples only",
        "shifted": "shifted copies",
        "area": "summed area",
        "integers": "integer area",
        "scipy": "SciPy uniform",
        "numba": "Numba",
    },
    "candidates_luma": {
        "channels": "NumPy channels",
        "matmul": "NumPy matmul",
        "integers": "integers",
        "pillow": "Pillow L",
        "numba": "Numba",
    },
}
"""Short keys for the candidates that the text names."""


def _candidates() -> Numbers:
    found: Numbers = {}
    for step, names in CANDIDATES.items():
        speed = medians(results.load(step))
        facts = results.load(f"{step}_exactness").set_index("contender")
        short, exactness = step.removeprefix("candidates_"), f"{step}_exactness"
        for key, name in names.items():
            fact = facts.loc[name]
            found[f"{short}-{key}-times"] = times(speed.iloc[0] / speed[name]), step
            found[f"{short}-{key}-bits"] = whole(fact["bits_changed"]), exactness
            found[f"{short}-{key}-memory"] = f"{fact['peak_kB'] / 1000:.1f}", exactness
        found[f"{short}-pictures"] = whole(facts["images"].iloc[0]), exactness
    return found


def _certificate() -> Numbers:
    table = results.load("certificate").set_index("kind")
    random, real = table.loc["random"], table.drop(index="random").iloc[0]
    found = {
        "proved-pictures": whole(table["images"].sum()),
        "proved-bits": whole(table["bits_changed"].sum()),
        "proved-pixels": whole(table["pixels_changed"].sum()),
        "fallback-set": whole(real["images"] - real["certified"]),
        "fallback-random": percent(1 - random["certified"] / random["images"], 0),
        "unproved-bits": whole(table["fast_bits_changed"].sum()),
    }
    return {key: (text, "certificate") for key, text in found.items()}


def _kernel() -> Numbers:
    speed = medians(results.load("ladder_kernel"))
    fresh = results.load("ladder_cold_start")
    start = medians(fresh)
    compiling = fresh[~fresh["contender"].isin(start.index)]["seconds"]  # once, and so cold
    found = {
        "kernel-us": f"{speed['kernel'] * 1e6:.0f}",
        "kernel-decode": percent(speed["kernel"] / speed["decode"]),
        "kernel-pdq": f"{speed['PDQ kernel'] / speed['kernel']:.0f}",
        "decode-ms": milliseconds(speed["decode"]),
        "decode-pillow-ms": milliseconds(speed["decode, Pillow"]),
        "over-decoding": f"{speed['file to hash'] / speed['file to pixels']:.2f}",
    }
    cold = {
        "start-import": milliseconds(start["import finhash"] - start["python"]),
        "start-hash": f"{start['find_hash']:.1f}",
        "start-compile": f"{compiling.item():.0f}",
    }
    return {
        **{key: (text, "ladder_kernel") for key, text in found.items()},
        **{key: (text, "ladder_cold_start") for key, text in cold.items()},
    }


def _ladder() -> Numbers:
    speed = medians(results.load("ladder"))
    found = {}
    for key, rung in RUNGS.items():
        found[f"{key}-ms"] = milliseconds(speed[rung])
        found[f"{key}-times"] = times(speed["reference"] / speed[rung])
    for peer in PEERS:
        found[f"against-{peer}"] = f"{speed[RUNGS['deployed']] / speed[peer]:.2f}"
    found["peer-fastest-ms"] = milliseconds(min(speed[peer] for peer in PEERS))
    found["peer-slowest-ms"] = milliseconds(max(speed[peer] for peer in PEERS))
    return {key: (text, "ladder") for key, text in found.items()}


def _batch() -> Numbers:
    found: Numbers = {}
    for size in ("small", "large"):
        name = f"parallel_rates_{size}"
        table = results.load(name).set_index(["executor", "workers"])
        found[f"serial-rate-{size}"] = whole(table["rate"]["serial", 1]), name
        for executor in ("threads", "processes", "dask"):
            found[f"{executor}-gain-{size}"] = f"{table['gain'][executor, 2]:.2f}", name
    small = results.load("parallel_rates_small")
    share = small.set_index(["executor", "workers"])["gain"]
    of_decoding = share["processes", 2] / (2 * share[parallel.DECODE, 1])
    found["processes-of-decoding"] = percent(of_decoding, 0), "parallel_rates_small"
    starts = small.set_index(["executor", "workers"])["start"]
    for executor in ("processes", "dask"):
        found[f"{executor}-start"] = f"{starts[executor, 2]:.1f}", "parallel_rates_small"
        even = parallel.break_even(small, (executor, 2))
        number = whole(round(even, -2)) if math.isfinite(even) else r"$\infty$"
        found[f"{executor}-even"] = number, "parallel_rates_small"
    found["job-pictures"] = whole(small["images"].iloc[0]), "parallel_rates_small"
    shares = results.load("parallel_serial_share").set_index(["executor", "images"])["share"]
    found["threads-share"] = percent(shares["threads", "small"], 0), "parallel_serial_share"
    overheads = results.load("parallel_overheads").set_index("executor")
    for executor, row in overheads.iterrows():
        found[f"{executor}-overhead"] = percent(row["share"]), "parallel_overheads"
    memory = results.load("parallel_memory").set_index("executor")["bytes"] / 1e6
    found |= {f"{e}-memory": (whole(value), "parallel_memory") for e, value in memory.items()}
    files = results.load("parallel_memory_files").sort_values("files").iloc[[0, -1]]
    found["files-most"] = whole(files["files"].iloc[1]), "parallel_memory_files"
    for key, value in zip(("few", "many"), files["bytes"] / 1e6, strict=True):
        found[f"memory-{key}"] = whole(value), "parallel_memory_files"
    reading = results.load("parallel_reading").groupby("state")["seconds"].median()
    found["cold-times"] = f"{reading['cold'] / reading['warm']:.0f}", "parallel_reading"
    job = results.load("parallel_whole_set").set_index("executor")
    best = job["seconds"].drop(parallel.DECODE)
    found["whole-seconds"] = f"{best.min():.0f}", "parallel_whole_set"
    found["images"] = whole(job["images"].iloc[0]), "parallel_whole_set"
    found["cluster-rows"] = (
        whole(results.load("parallel_cluster")["rows"].iloc[0]),
        "parallel_cluster",
    )
    forecast = results.load("parallel_model").set_index(["executor", "cores"])
    for executor, cores in (("processes", 64), ("dask", 64), ("dask", 1000)):
        share = percent(forecast["efficiency"][executor, cores], 0)
        found[f"{executor}-model-{cores}"] = share, "parallel_model"
    return found


def _gpu() -> Numbers:
    speed = medians(results.load("gpu_offload"))
    beyond = speed - speed["file to pixels"]
    precision = results.load("gpu_precision").set_index("precision")["share"]
    floors = results.load("gpu_floors").groupby("what")["seconds"].max()
    found = {
        "gpu-gather": (
            percent(beyond["file to gathered pixels"] / beyond["file to hash"], 0),
            "gpu_offload",
        ),
        "gpu-single": (percent(precision["single"], 0), "gpu_precision"),
        "gpu-floor": (f"{floors['all pairs']:.1f}", "gpu_floors"),
        "gpu-measured": ("not measured", "gpu_floors"),
    }
    if gpu.measured():
        table = gpu.rates(results.load("gpu_times"), results.load("gpu_floors"))
        table = table.set_index(["task", "contender"])
        rate = whole(round(table["a_second"]["hash", "compute"], -3))
        join = table["seconds"]["pairs of many", "join"]
        found["gpu-measured"] = (
            f"{rate} hashes a second, those pairs in {join:.1f}\\,s",
            "gpu_times",
        )
    return found


def _calibration_table() -> str:
    wide = results.load("rates_calibration").pivot_table(
        index=["method", "source"], columns="metric", values="value", sort=False
    )
    rows = []
    for (name, source), row in wide.iterrows():
        rows.append(
            [
                methods.get(name).label,
                tex(source),
                f"${row['same_mean']:.1f} \\pm {row['same_sd']:.1f}$",
                f"${row['other_mean']:.1f} \\pm {row['other_sd']:.1f}$",
                f"{row['auc']:.4f}",
                f"{row['tpr_0.1%']:.3f}",
                f"{row['tpr_1%']:.3f}",
            ]
        )
    head = ["hash", "images", "same family", "other family", "AUC", r"recall 0.1\,\%", r"1\,\%"]
    return tabular("llccccc", head, rows)


def _candidates_table() -> str:
    rows = []
    for step, label in (("candidates_box", "box filter"), ("candidates_luma", "luma")):
        speed = medians(results.load(step))
        facts = results.load(f"{step}_exactness").set_index("contender")
        for name, seconds in speed.items():
            fact = facts.loc[name]
            changed = f"{whole(fact['bits_changed'])} in {whole(fact['images_changed'])}"
            rows.append(
                [
                    label,
                    name,
                    milliseconds(seconds),
                    times(speed.iloc[0] / seconds),
                    "0" if not fact["bits_changed"] else changed,
                    f"{fact['peak_kB'] / 1000:.1f}",
                ]
            )
    head = ["step", "candidate", "ms", "times faster", "bits changed in pictures", "peak MB"]
    return tabular("llrrrr", head, rows)
