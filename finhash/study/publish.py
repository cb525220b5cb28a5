r"""Results tables -> LaTeX numbers and tables, and the README's block: the one place that rounds.

``python -m finhash.study.publish`` writes ``report/generated/`` and builds the PDF. The report
takes every number as ``\result{key}``; beside each key stands the table that it comes from.
"""

import math
import re
import shutil
import subprocess
import sys

from finhash import methods
from finhash.study import costs, evaluate, families, memes, project, results, scaling
from finhash.study.bench import medians

Numbers = dict[str, tuple[str, str]]
"""Key -> (text, results table it comes from)."""

PEERS = ("ahash64", "phash64", "dhash64", "whash64")
RUNGS = {
    "reference": "reference",
    "box": "+ box filter",
    "luma": "+ luma",
    "compiled": "+ DCT, compiled",
    "certified": "+ certified integers",
    "deployed": "+ simplejpeg",
}


def main() -> None:
    """Write the generated part of the report and the README's block, and build the PDF."""
    folder = project.report() / "generated"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "numbers.tex").write_text(numbers_tex())
    for name, table in tables().items():
        (folder / f"{name}.tex").write_text(table)
    (folder / "words.tex").write_text(f"{count_words()}\n")
    readme = project.root() / "README.md"
    if readme.exists():
        readme.write_text(with_block(readme.read_text()))
    sys.exit(build_pdf())


def count_words() -> int:
    """Words of the report's text, headers and captions, by ``texcount``."""
    command = ["texcount", "-1", "-sum", "-q", "report.tex"]
    run = subprocess.run(command, cwd=project.report(), capture_output=True, text=True, check=True)
    return int(run.stdout.split()[0])


def build_pdf() -> int:
    """Build ``report/report.pdf`` by ``latexmk``; its exit code, with the log's errors printed."""
    build = project.root() / "build" / "latex"
    options = ["-pdf", "-interaction=nonstopmode", "-halt-on-error", "-file-line-error", "-silent"]
    command = ["latexmk", *options, f"-outdir={build}", "report.tex"]
    run = subprocess.run(command, cwd=project.report(), capture_output=True, text=True, check=False)
    if run.returncode:
        log = (build / "report.log").read_text(errors="replace")
        errors = re.findall(r"^(?:.*:\d+: .*|! .*)(?:\n(?!\n).*){0,3}", log, re.MULTILINE)
        print("\n".join(errors) or run.stdout + run.stderr)
    else:
        shutil.copy(build / "report.pdf", project.report() / "report.pdf")
    return run.returncode


def numbers_tex() -> str:
    """The numbers as LaTeX definitions, each with the results table that it comes from."""
    return "".join(
        f"\\expandafter\\def\\csname result@{key}\\endcsname{{{text}}}% data/results/{source}.csv\n"
        for key, (text, source) in numbers().items()
    )


def numbers() -> Numbers:
    """Every number that the report's text quotes."""
    first = _setting, _profile, _candidates, _certificate, _kernel, _ladder, _batch
    second = _accuracy, _by_family, _clusters
    return {key: value for part in first + second for key, value in part().items()}


def tables() -> dict[str, str]:
    """The report's tables by file name, as LaTeX."""
    return {
        "table_calibration": _calibration_table(),
        "table_candidates": _candidates_table(),
        "table_methods": _methods_table(),
        "table_recall": _recall_table(),
    }


def with_block(readme: str) -> str:
    """The README's text with its results block made anew."""
    return re.sub(
        r"(<!-- results -->\n).*?(<!-- /results -->)",
        lambda found: found[1] + readme_block() + found[2],
        readme,
        flags=re.DOTALL,
    )


def readme_block() -> str:
    """The headline numbers as Markdown."""
    text = {
        key: value.replace("\\,\\%", "%").replace("\\,", ",").replace("\\%", "%").replace("\\", "")
        for key, (value, _) in numbers().items()
    }
    rows = [
        ("FINd as published, file to hash", f"{text['reference-ms']} ms"),
        (
            "`finhash`, file to hash",
            f"{text['deployed-ms']} ms, {text['deployed-times']} times faster, "
            f"{text['proved-bits']} bits changed",
        ),
        (
            "`imagehash`, 64 bits, file to hash",
            f"{text['peer-fastest-ms']} to {text['peer-slowest-ms']} ms",
        ),
        (f"all {text['pictures']} pictures, {text['cores']} cores", f"{text['whole-seconds']} s"),
        (
            "recall at a false positive rate of 1 in 10,000, one picture one family",
            ", ".join(
                f"{methods.get(n).label} {text[f'merged4-{n}']}"
                for n in ("find", "phash256", "dhash256", "whash256", "ahash256")
            ),
        ),
    ]
    lines = [f"| {what} | {value} |\n" for what, value in rows]
    machine = (
        f"{text['cpu']}, {text['cores']} cores; Python {text['python']}, "
        f"Pillow {text['pillow']}, Numba {text['numba']}"
    )
    return f"| measured ({machine}) | |\n|---|---|\n" + "".join(lines)


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
    pairs = results.load("pair_histograms").groupby("method", sort=False)[["same", "other"]].sum()
    same, other = pairs.loc["find"]
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
        **{key: (text, "pair_histograms") for key, text in source.items()},
    }


def _profile() -> Numbers:
    steps = results.load("profile_steps").groupby("step", sort=False)["seconds"].median()
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
    numbers_ = {key: (text, "profile_steps") for key, text in found.items()}

    bill = results.load("extrapolation").set_index("pictures")
    numbers_ |= {
        "hours-set": (f"{bill['core_hours'][memes.PICTURES]:.1f}", "extrapolation"),
        "days-million": (f"{bill['core_hours'][10**6] / 24:.1f}", "extrapolation"),
        "dollars-million": (f"{bill['dollars'][10**6]:.0f}", "extrapolation"),
        "years-billion": (f"{bill['core_years'][10**9]:.0f}", "extrapolation"),
        "dollars-billion": (whole(bill["dollars"][10**9]), "extrapolation"),
    }
    counts = results.load("growth_count")
    power = costs.exponent(counts["pictures"], counts["seconds"])
    numbers_["growth-power"] = f"{power['exponent']:.2f}", "growth_count"
    numbers_["growth-low"] = f"{power['low']:.2f}", "growth_count"
    numbers_["growth-high"] = f"{power['high']:.2f}", "growth_count"
    each = results.load("operations").query("step == 'box filter' and cols == cols.max()")
    numbers_["ns-addition"] = f"{each['ns_an_operation'].median():.0f}", "operations"
    numbers_["bytecodes-addition"] = f"{each['bytecodes'].iloc[0]:.0f}", "operations"
    faults = results.load("published_faults").query("cols > rows")
    numbers_["wrong-bits"] = f"{faults['bits_wrong'].max():.0f}", "published_faults"
    sides = results.load("growth_side")
    by_side = sides[sides["content"] == "noise"].groupby("side")["seconds"].median()
    small, large = by_side.index.min(), by_side.index.max()
    numbers_ |= {
        "side-small": (str(small), "growth_side"),
        "side-large": (str(large), "growth_side"),
        "side-small-ms": (f"{by_side[small] * 1e3:.0f}", "growth_side"),
        "side-large-seconds": (f"{by_side[large]:.1f}", "growth_side"),
        "side-512-seconds": (f"{by_side[by_side.index <= 512].iloc[-1]:.1f}", "growth_side"),
    }
    memory = results.load("memory_reference").set_index("side")["bytes"]
    side = memory.index.max()
    numbers_["memory-pixel"] = (f"{memory[side] / side**2:.0f}", "memory_reference")
    return numbers_


CANDIDATES = {
    "box_filter": {
        "samples": "samples only",
        "shifted": "shifted copies",
        "area": "summed area",
        "integers": "integer area",
        "scipy": "SciPy uniform",
        "numba": "Numba",
    },
    "luma": {
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
        short, exactness = step.split("_")[0], f"{step}_exactness"
        for key, name in names.items():
            fact = facts.loc[name]
            found[f"{short}-{key}-times"] = times(speed.iloc[0] / speed[name]), step
            found[f"{short}-{key}-bits"] = whole(fact["bits_changed"]), exactness
            found[f"{short}-{key}-memory"] = f"{fact['peak_kB'] / 1000:.1f}", exactness
        found[f"{short}-pictures"] = whole(facts["pictures"].iloc[0]), exactness
    return found


def _certificate() -> Numbers:
    table = results.load("certificate").set_index("kind")
    random, real = table.loc["random"], table.drop(index="random").iloc[0]
    found = {
        "proved-pictures": whole(table["pictures"].sum()),
        "proved-bits": whole(table["bits_changed"].sum()),
        "proved-pixels": whole(table["pixels_changed"].sum()),
        "fallback-set": whole(real["pictures"] - real["certified"]),
        "fallback-random": percent(1 - random["certified"] / random["pictures"], 0),
        "unproved-bits": whole(table["fast_bits_changed"].sum()),
    }
    return {key: (text, "certificate") for key, text in found.items()}


def _kernel() -> Numbers:
    speed = medians(results.load("kernel"))
    fresh = results.load("cold_start")
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
        **{key: (text, "kernel") for key, text in found.items()},
        **{key: (text, "cold_start") for key, text in cold.items()},
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
        name = f"rates_{size}"
        table = results.load(name).set_index(["executor", "workers"])
        found[f"serial-rate-{size}"] = whole(table["rate"]["serial", 1]), name
        for executor in ("threads", "processes", "dask"):
            found[f"{executor}-gain-{size}"] = f"{table['gain'][executor, 2]:.2f}", name
    small = results.load("rates_small")
    share = small.set_index(["executor", "workers"])["gain"]
    of_decoding = share["processes", 2] / (2 * share[scaling.DECODE, 1])
    found["processes-of-decoding"] = percent(of_decoding, 0), "rates_small"
    starts = small.set_index(["executor", "workers"])["start"]
    for executor in ("processes", "dask"):
        found[f"{executor}-start"] = f"{starts[executor, 2]:.1f}", "rates_small"
        even = scaling.break_even(small, (executor, 2))
        number = whole(round(even, -2)) if math.isfinite(even) else r"$\infty$"
        found[f"{executor}-even"] = number, "rates_small"
    found["job-pictures"] = whole(small["pictures"].iloc[0]), "rates_small"
    shares = results.load("serial_share").set_index(["executor", "pictures"])["share"]
    found["threads-share"] = percent(shares["threads", "small"], 0), "serial_share"
    overheads = results.load("overheads").set_index("executor")
    for executor, row in overheads.iterrows():
        found[f"{executor}-overhead"] = percent(row["share"]), "overheads"
    memory = results.load("memory_jobs").set_index("executor")["bytes"] / 1e6
    found |= {f"{e}-memory": (whole(value), "memory_jobs") for e, value in memory.items()}
    files = results.load("memory_paths").sort_values("files").iloc[[0, -1]]
    found["files-most"] = whole(files["files"].iloc[1]), "memory_paths"
    for key, value in zip(("few", "many"), files["bytes"] / 1e6, strict=True):
        found[f"memory-{key}"] = whole(value), "memory_paths"
    reading = results.load("reading").groupby("state")["seconds"].median()
    found["cold-times"] = f"{reading['cold'] / reading['warm']:.0f}", "reading"
    job = results.load("whole_job").set_index("executor")
    best = job["seconds"].drop(scaling.DECODE)
    found["whole-seconds"] = f"{best.min():.0f}", "whole_job"
    found["pictures"] = whole(job["pictures"].iloc[0]), "whole_job"
    found["cluster-rows"] = whole(results.load("cluster")["rows"].iloc[0]), "cluster"
    forecast = results.load("scaling_model").set_index(["executor", "cores"])
    for executor, cores in (("processes", 64), ("dask", 64), ("dask", 1000)):
        share = percent(forecast["efficiency"][executor, cores], 0)
        found[f"{executor}-model-{cores}"] = share, "scaling_model"
    return found


def _accuracy() -> Numbers:
    accuracy = results.load("accuracy").set_index("method")
    found = {}
    for name, row in accuracy.iterrows():
        found[f"auc-{name}"] = f"{row['auc']:.4f}"
        for power in (3, 4, 5):
            found[f"tpr{power}-{name}"] = percent(row[f"tpr_1e-0{power}"])
            found[f"radius{power}-{name}"] = str(int(row[f"radius_1e-0{power}"]))
    best = {
        power: accuracy[accuracy["bits"] == 256][f"tpr_1e-0{power}"].idxmax() for power in (3, 4, 5)
    }
    found |= {f"best{power}": methods.get(name).label for power, name in best.items()}
    numbers_ = {key: (text, "accuracy") for key, text in found.items()}
    cost = medians(results.load("cost"))
    return numbers_ | {f"cost-{n}": (milliseconds(cost[n]), "cost") for n in accuracy.index}


def _by_family() -> Numbers:
    found: Numbers = {}
    share = results.load("twins_share")
    for row in share.to_dict("records"):
        found[f"twins{_power(row['target'])}-{row['method']}"] = (
            percent(row["share"]),
            "twins_share",
        )
    most = share[share["target"] == share["target"].min()]["share"].min()
    found["twins-least"] = percent(most), "twins_share"
    recall = results.load("recall_intervals")
    for row in recall.to_dict("records"):
        labels = "merged" if row["labels"] == "merged" else "labelled"
        key = f"{labels}{_power(row['target'])}-{row['method']}"
        found[key] = percent(row["recall"]), "recall_intervals"
        between = f"{percent(row['low'])} to {percent(row['high'])}"
        found[f"{key}-between"] = between, "recall_intervals"
    held = results.load("held_out")
    held = held[held["labels"] == "merged"].drop(columns="labels").groupby(["target", "method"])
    for (target, name), row in held.mean().iterrows():
        key = f"held{_power(target)}-{name}"
        found[f"{key}-radius"] = f"{row['radius']:.0f}", "held_out"
        found[f"{key}-recall"] = percent(row["recall"]), "held_out"
        found[f"{key}-fpr"] = scientific(row["fpr"]), "held_out"
    apart = results.load("recall_differences")
    for row in apart[apart["labels"] == "merged"].to_dict("records"):
        found[f"p{_power(row['target'])}-{row['method']}"] = f"{row['p']:.2f}", "recall_differences"
    looked_at = families.twins("memes")["verdict"].value_counts()
    for verdict, number in looked_at.items():
        found[f"twins-{verdict}"] = str(number), "closest_families"
    found["twins-looked-at"] = str(looked_at.sum()), "closest_families"
    return found


def _power(target: float) -> int:
    """4 for a rate of 1 in 10,000."""
    return round(-math.log10(target))


def _clusters() -> Numbers:
    scores = results.load("clusters")
    found = {}
    for name, rows in scores.groupby("method", sort=False):
        best = rows.loc[rows["f1"].idxmax()]
        found[f"cluster-f1-{name}"] = percent(best["f1"])
        found[f"cluster-radius-{name}"] = str(int(best["radius"]))
        found[f"cluster-precision-{name}"] = percent(best["precision"])
        found[f"cluster-recall-{name}"] = percent(best["recall"])
        found[f"chain-share-{name}"] = percent(rows["largest_share"].iloc[-1], 0)
        found[f"chain-radius-{name}"] = str(int(rows["radius"].iloc[-1]))
    return {key: (text, "clusters") for key, text in found.items()}


def _calibration_table() -> str:
    wide = results.load("calibration").pivot_table(
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
    head = ["hash", "pictures", "same family", "other family", "AUC", r"recall 0.1\,\%", r"1\,\%"]
    return tabular("llccccc", head, rows)


def _candidates_table() -> str:
    rows = []
    for step, label in (("box_filter", "box filter"), ("luma", "luma")):
        speed = medians(results.load(step))
        facts = results.load(f"{step}_exactness").set_index("contender")
        for name, seconds in speed.items():
            fact = facts.loc[name]
            changed = f"{whole(fact['bits_changed'])} in {whole(fact['pictures_changed'])}"
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


def _methods_table() -> str:
    accuracy, cost = results.load("accuracy"), medians(results.load("cost"))
    rows = [
        [
            methods.get(row["method"]).label,
            str(row["bits"]),
            milliseconds(cost[row["method"]]),
            f"{row['auc']:.4f}",
            *(percent(row[f"tpr_{target:.0e}"]) for target in evaluate.FPR_TARGETS[1:]),
            f"{int(row['radius_1e-04'])}",
        ]
        for _, row in accuracy.iterrows()
    ]
    head = ["hash", "bits", "ms a file", "AUC", "$10^{-3}$", "$10^{-4}$", "$10^{-5}$", "radius"]
    return tabular("lrrrrrrr", head, rows)


def _recall_table() -> str:
    number = {key: text for key, (text, _) in _by_family().items()}
    rows = []
    for name in results.load("recall_intervals")["method"].unique():
        recalls = [
            f"{labels}{power}-{name}" for power in (4, 5) for labels in ("labelled", "merged")
        ]
        p = "--" if name == "find" else number[f"p4-{name}"]
        held = [f"held4-{name}-{what}" for what in ("radius", "fpr", "recall")]
        cells = [*(number[key] for key in recalls), p, *(number[key] for key in held)]
        rows.append([methods.get(name).label, *cells])
    head = ["hash", *["labelled", "merged"] * 2, "$p$", "radius", "rate", "recall"]
    return tabular("lrrrrrrrr", head, rows)


def tabular(columns: str, head: list[str], rows: list[list[str]]) -> str:
    """A booktabs table; the first column is left empty where it repeats the row above."""
    lines, last = [], None
    for row in rows:
        first = "" if row[0] == last and columns.startswith("ll") else row[0]
        if first and last is not None and columns.startswith("ll"):
            lines.append(r"\addlinespace")
        lines.append(" & ".join([first, *row[1:]]) + r" \\")
        last = row[0]
    body = "\n".join([" & ".join(head) + r" \\", r"\midrule", *lines])
    return f"\\begin{{tabular}}{{{columns}}}\n\\toprule\n{body}\n\\bottomrule\n\\end{{tabular}}\n"


def whole(value: float) -> str:
    """A count with thin spaces between thousands."""
    return f"{round(value):,}".replace(",", "\\,")


def scientific(rate: float) -> str:
    """A small rate to two digits."""
    digits, power = f"{rate:.1e}".split("e")
    return f"${digits}\\times10^{{{int(power)}}}$"


def percent(share: float, digits: int = 1) -> str:
    """A share as a percentage."""
    return f"{share * 100:.{digits}f}\\,\\%"


def milliseconds(seconds: float) -> str:
    """Milliseconds to three significant digits."""
    value = seconds * 1e3
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}" if value >= 1 else f"{value:.2f}"


def times(ratio: float) -> str:
    """A speed-up: whole from ten on, one decimal below."""
    return whole(ratio) if ratio >= 9.95 else f"{ratio:.1f}"


def tex(text: str) -> str:
    """Plain text with LaTeX's special characters escaped."""
    return re.sub(r"([%_&#])", r"\\\1", text)


if __name__ == "__main__":
    main()
