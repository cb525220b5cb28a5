"""Claims about the cost of FINd and its optimisations: notebooks 00 to 04 and 10."""

from collections.abc import Callable

import pandas as pd

from finhash.study.cost import operations, parallel
from finhash.study.cost.baseline import DECODING
from finhash.study.cost.ladder import DEPLOYED
from finhash.study.cost.large import DECODE, DRAFT, OLD, PEERS
from finhash.study.report.measures import gain_of_two, step_shares
from finhash.study.results import medians

SMALL, LARGE = "small", "large"
"""Values of ``images`` in ``parallel_serial_share``."""

OTHERS = ["ahash64", "phash64", "dhash64", "whash64"]
"""Hashes of imagehash in ``ladder``."""


def _without(steps: pd.DataFrame, *names: str) -> float:
    """Return how many times faster a hash would be without steps, from ``baseline_steps``."""
    return 1 / (1 - step_shares(steps)[list(names)].sum())


def _ratio(table: pd.DataFrame, tool: str) -> pd.Series:
    """Return the time under a profiler over the wall time by step, from ``baseline_distortion``."""
    return table.set_index("step")[f"{tool}_ratio"]


def _by_side(sides: pd.DataFrame, content: str = "noise") -> pd.Series:
    """Return the shortest time by side, from ``baseline_growth_side``."""
    return sides[sides["content"] == content].groupby("side")["seconds"].min()


def _additions_exponent(sides: pd.DataFrame) -> float:
    """Return the fitted exponent of time in the box filter's additions, up to 512 pixels."""
    small = sides[(sides["content"] == "noise") & (sides["side"] <= 512)]
    work = [operations.work(side, side)["additions"] for side in small["side"]]
    return operations.exponent(work, small["seconds"])["exponent"]


def _steady(each: pd.DataFrame, step: str) -> pd.Series:
    """Return the nanoseconds per operation of a step by side, from ``baseline_operations``."""
    return each[each["step"] == step].set_index("cols")["ns_per_operation"].sort_index()


def _shapes(shapes: pd.DataFrame) -> pd.Series:
    """Return measured over predicted time by shape, from ``baseline_growth_shape``."""
    best = shapes.groupby(["cols", "rows"])[["seconds", "predicted"]].min()
    return best["seconds"] / best["predicted"]


def _changed(table: pd.DataFrame, kind: str | None = None) -> pd.Series:
    """Return the changed bits by contender, from a table of ``candidates.exactness``."""
    rows = table if kind is None else table[table["kind"] == kind]
    return rows.groupby("contender")["bits_changed"].sum()


def _gains(timings: pd.DataFrame) -> pd.Series:
    """Return how many times faster than the first contender each contender is."""
    seconds = medians(timings)
    return seconds.iloc[0] / seconds


def _alone(reverted: pd.DataFrame) -> pd.Series:
    """Return what each step is worth if all others are done, from ``ladder_reverted``."""
    seconds = medians(reverted)
    return seconds.drop(DEPLOYED) / seconds[DEPLOYED]


def _over_find(costs: pd.DataFrame) -> pd.DataFrame:
    """Return time over FINd's by side and contender, from ``large_images_costs``."""
    return costs.pivot(index="side", columns="contender", values="over_find")


def _over_old(costs: pd.DataFrame) -> pd.Series:
    """Return decoding's share of the hash with Pillow's thumbnail, above 512 pixels."""
    ms = costs[costs["side"] > 512].pivot(index="side", columns="contender", values="ms")
    return ms[DECODE] / ms[OLD]


def _rates(found: pd.DataFrame) -> pd.DataFrame:
    """Return ``large_luma_rates`` by method, with one column per measure and radius."""
    return found.pivot(index="method", columns="radius", values=["recall", "fpr"])


def _job(table: pd.DataFrame, column: str) -> pd.Series:
    """Return a column of a table with one row per executor."""
    return table.set_index("executor")[column]


def _pairs(sizes: pd.DataFrame) -> pd.Series:
    """Return the same-family pairs of each family, from ``datasets_family_sizes``."""
    return sizes["images"] * (sizes["images"] - 1) / 2


def _kinds_changed(table: pd.DataFrame, pillow: str) -> set[str]:
    """Return the kinds of images that a version of Pillow changes, from ``shrinking``."""
    return set(table[(table["pillow"] == pillow) & (table["pillow_images"] > 0)]["kind"])


def _smooth_bits(table: pd.DataFrame, *kinds: str) -> pd.Series:
    """Return the mean bits that a version of Pillow changes, by kind of image, from ``shrinking``.

    Only smooth images whose pixels differ count.
    """
    means = table[table["pillow_images"] > 0].set_index("kind")["smooth_bits_mean"]
    return means[list(kinds)] if kinds else means


def _floor(floors: pd.DataFrame, what: str) -> float:
    """Return the bound of a task in seconds, from ``gpu_floors``."""
    return floors[floors["what"] == what]["seconds"].max()


CLAIMS: dict[str, tuple[Callable[..., bool], tuple[str, ...]]] = {
    # 00
    "all-used": (
        lambda images: (
            images[["images", "families", "unreadable", "skipped"]].iloc[0].tolist()
            == [55_972, 1034, 0, 0]
            and images["other_pairs"][0] > 100_000
        ),
        ("datasets_images",),
    ),
    "images-equal": (
        lambda images: (
            images["unreadable"][0] == 0
            and set(images[["width_min", "width_max", "height_min", "height_max"]].iloc[0]) == {250}
        ),
        ("datasets_images",),
    ),
    "pairs-rare": (
        lambda images: 380 < images["other_pairs"][0] / images["same_pairs"][0] < 420,
        ("datasets_images",),
    ),
    "large-families-hold-pairs": (
        lambda sizes: (
            len(sizes) == 1034 and 0.45 < _pairs(sizes)[:20].sum() / _pairs(sizes).sum() < 0.57
        ),
        ("datasets_family_sizes",),
    ),
    # 01
    "box-filter-leads": (
        lambda steps: 0.72 < step_shares(steps)["box filter"] < 0.88,
        ("baseline_steps",),
    ),
    "profilers-distort": (
        lambda table: (
            _ratio(table, "cProfile")["luma"] > _ratio(table, "cProfile")["box filter"] > 1.2
            and _ratio(table, "line_profiler").min() > 1.3
            and _ratio(table, "line_profiler").median() > 3
        ),
        ("baseline_distortion",),
    ),
    "amdahl-order": (
        lambda steps: (
            step_shares(steps).nlargest(3).index.tolist() == ["box filter", "luma", "DCT"]
            and 25 < _without(steps, "box filter", "luma") < 45
        ),
        ("baseline_steps",),
    ),
    "shrinking-small": (
        lambda steps: (
            medians(steps.assign(state="warm", contender=steps["step"]))["shrink"]
            / steps["seconds"].sum()
            < 0.03
        ),
        ("baseline_shrinking",),
    ),
    "memory-of-lists": (
        lambda memory: 62 < (memory["bytes"] / memory["side"] ** 2).iloc[-1] < 69,
        ("baseline_memory",),
    ),
    "additions-cheaper": (
        lambda each: (
            0.2 < _steady(each, "box filter").iloc[-1] / _steady(each, "box filter").iloc[0] < 0.42
            and _steady(each, "DCT").max() < 1.4 * _steady(each, "DCT").min()
            and _steady(each, "luma").max() < 1.4 * _steady(each, "luma").min()
        ),
        ("baseline_operations",),
    ),
    "bill": (
        lambda bill: (
            1.5 < bill.set_index("images")["core_hours"][10**6] / 24 < 3.5
            and bill.set_index("images")["core_years"][10**9] > 2
        ),
        ("operations_bill",),
    ),
    "grows-in-steps": (
        lambda sides: (
            min(_by_side(sides)[k + 1] / _by_side(sides)[k] for k in (64, 192, 320, 448)) > 1.1
            and 0.8 < _by_side(sides)[1024] / _by_side(sides)[512] < 1.2
        ),
        ("baseline_growth_side",),
    ),
    "flat-like-noise": (
        lambda sides: (_by_side(sides, "flat") / _by_side(sides)).dropna().between(0.7, 1.4).all(),
        ("baseline_growth_side",),
    ),
    "slower-than-additions": (
        lambda sides: _additions_exponent(sides) < 1,
        ("baseline_growth_side",),
    ),
    "counts-predict": (
        lambda shapes: (_shapes(shapes) - 1).abs().median() < 0.12,
        ("baseline_growth_shape",),
    ),
    "plan-bounds": (
        lambda steps: (
            3.5 < _without(steps, "box filter") < 6.5
            and 1.15 < _without(steps, "luma") < 1.35
            and 1.01 < _without(steps, "DCT") < 1.04
            and 150 < 1 / step_shares(steps)[list(DECODING)].sum() < 350
            and _without(steps, "open, decode") < 1.02
        ),
        ("baseline_steps",),
    ),
    "squares-right": (
        lambda faults: faults.query("cols == rows")["bits_wrong"].max() == 0,
        ("baseline_faults",),
    ),
    # 02
    "published-order-exact": (
        lambda bits: (
            _changed(bits)[["samples only", "shifted copies", "Numba"]].max() == 0
            and _changed(bits)[["summed area", "integer area", "SciPy uniform"]].min() > 0
        ),
        ("candidates_box_exactness",),
    ),
    "samples-exact": (
        lambda times, bits: (
            _changed(bits)["samples only"] == 0 and _gains(times)["samples only"] > 10
        ),
        ("candidates_box", "candidates_box_exactness"),
    ),
    "shifted-copies-large": (
        lambda times, bits: (
            _gains(times)["shifted copies"] < _gains(times)["samples only"]
            and bits.set_index("contender")["peak_kB"]["shifted copies"]
            > 5 * bits.set_index("contender")["peak_kB"].drop("shifted copies").max()
        ),
        ("candidates_box", "candidates_box_exactness"),
    ),
    "numba-box-fastest": (
        lambda times, bits: _gains(times).idxmax() == "Numba" and _changed(bits)["Numba"] == 0,
        ("candidates_box", "candidates_box_exactness"),
    ),
    # 03
    "luma-exact": (
        lambda times, bits: (
            _gains(times)["NumPy channels"] > 100
            and _gains(times)["Numba"] > 300
            and _changed(bits)[["NumPy channels", "Numba"]].max() == 0
        ),
        ("candidates_luma", "candidates_luma_exactness"),
    ),
    "pillow-luma-ordinary": (
        lambda bits: bits.set_index("contender")["images_changed"]["Pillow L"] > 9,
        ("candidates_luma_exactness",),
    ),
    "dct-exact": (
        lambda times, bits: 200 < _gains(times)["Numba"] < 600 and _changed(bits)["Numba"] == 0,
        ("candidates_dct", "candidates_dct_exactness"),
    ),
    "matmul-ties": (
        lambda times, bits: (
            _gains(times).idxmax() == "NumPy matmul"
            and _changed(bits, "set")["NumPy matmul"] == 0
            and _changed(bits, "edge")["NumPy matmul"] > 0
        ),
        ("candidates_dct", "candidates_dct_exactness"),
    ),
    "certificate-fails-on-ties": (
        lambda table: (
            0.2 < (1 - table["certified"] / table["images"])[table["kind"] == "random"].item() < 0.6
        ),
        ("certificate",),
    ),
    "ladder-speed": (lambda ladder: _gains(ladder)["+ simplejpeg"] > 600, ("ladder",)),
    "below-with-pillow": (
        lambda ladder: medians(ladder)["+ certified integers"] < medians(ladder)[OTHERS].min(),
        ("ladder",),
    ),
    "worth-depends": (
        lambda reverted, steps: (
            _alone(reverted)["+ DCT, compiled"] > 10 and step_shares(steps)["DCT"] < 0.03
        ),
        ("ladder_reverted", "baseline_steps"),
    ),
    "decoder-worth": (
        lambda reverted: 1.6 < _alone(reverted)["+ simplejpeg"] < 2.4,
        ("ladder_reverted",),
    ),
    "certificate-gains-least": (
        lambda reverted: _alone(reverted).idxmin() == "+ certified integers",
        ("ladder_reverted",),
    ),
    "ladder-exact": (lambda costs: costs["bits_changed"].sum() == 0, ("ladder_costs",)),
    "kernel-small": (
        lambda kernel: 0.2 < medians(kernel)["kernel"] / medians(kernel)["decode"] < 0.4,
        ("ladder_kernel",),
    ),
    "near-decoding": (
        lambda kernel: (
            1.1 < medians(kernel)["file to hash"] / medians(kernel)["file to pixels"] < 1.4
        ),
        ("ladder_kernel",),
    ),
    "faster-than-pdq": (
        lambda kernel: 8 < medians(kernel)["PDQ kernel"] / medians(kernel)["kernel"] < 15,
        ("ladder_kernel",),
    ),
    "shrinking-exact": (lambda table: table["kernel_changed"].sum() == 0, ("shrinking",)),
    "pillow-versions": (
        lambda table: (
            _kinds_changed(table, "12.3.0") == {"narrow", "slight", "averaged", "extreme"}
            and _kinds_changed(table, "13.0.0") == set(table["kind"]) - {"P"}
            and not _kinds_changed(table, "12.1.1")
        ),
        ("shrinking",),
    ),
    "narrow-images-change": (
        lambda table: (
            _smooth_bits(table, "averaged", "extreme").between(13.5, 22.4).all()
            and _smooth_bits(table, "narrow").between(6.5, 17.4).all()
            and _smooth_bits(table).drop(["averaged", "extreme", "narrow"]).max() < 5
            and _smooth_bits(table, "screenshots").max() < 1
        ),
        ("shrinking",),
    ),
    "pillow-shrinking-leads": (
        lambda costs: _over_old(costs).max() < 0.5,
        ("large_images_costs",),
    ),
    "below-whole-decoding": (
        lambda costs: _over_find(costs)[list(PEERS)].min(axis=None) > 1,
        ("large_images_costs",),
    ),
    "draft-faster": (
        lambda costs: _over_find(costs)[list(DRAFT.values())].min(axis=1).loc[500:].max() < 1,
        ("large_images_costs",),
    ),
    "luma-variant-bits": (
        lambda bits: 0.3 < bits["mean"].item() < 0.8 and bits["most"].item() <= 9,
        ("large_luma_bits",),
    ),
    "luma-variant-rates": (
        lambda found: (
            (_rates(found).loc["find_luma"] - _rates(found).loc["find"])["recall"].abs().max()
            < 0.002
            and (_rates(found).loc["find_luma"] / _rates(found).loc["find"] - 1)["fpr"].abs().max()
            < 0.01
        ),
        ("large_luma_rates",),
    ),
    "luma-variant-faster": (
        lambda costs: _over_find(costs)["find_luma"].loc[513:].max() < 0.72,
        ("large_images_costs",),
    ),
    "first-hash": (
        lambda start: (
            medians(start)["find_hash"] < 0.5
            and 0.4 < medians(start)["load"] < 2.5
            and medians(start)["import finhash"] - medians(start)["python"] < 0.1
            and start[start["state"] == "cold"]["seconds"].max() - medians(start)["load"] > 3
        ),
        ("ladder_cold_start",),
    ),
    # 04
    "processes-double": (
        lambda speed: 1.6 < gain_of_two(speed, "processes") < 2.2,
        ("parallel_throughput_small",),
    ),
    "threads-gain-less": (
        lambda speed: (
            1.25 < gain_of_two(speed, "threads") < 1.75
            and gain_of_two(speed, "threads") < gain_of_two(speed, "processes")
        ),
        ("parallel_throughput_small",),
    ),
    "dask-gains-less": (
        lambda speed: (
            gain_of_two(speed, "dask") < gain_of_two(speed, "processes")
            and _job(speed[speed["workers"] == 2], "driver")["dask"]
            > 3 * _job(speed[speed["workers"] == 2], "driver")["processes"]
        ),
        ("parallel_throughput_small",),
    ),
    "threads-gain-large": (
        lambda speed: (
            1.45 < gain_of_two(speed, "threads") < 2.05
            and 0.85 < gain_of_two(speed, "threads") / gain_of_two(speed, "processes") < 1.2
        ),
        ("parallel_throughput_large",),
    ),
    "serial-shares": (
        lambda shares: (
            (part := shares.pivot(index="executor", columns="images", values="share"))[SMALL][
                "threads"
            ]
            > max(2 * part[SMALL]["processes"], part[LARGE]["threads"])
            and abs(part[LARGE]["threads"] - part[LARGE]["processes"])
            < part[SMALL]["threads"] - part[SMALL]["processes"]
        ),
        ("parallel_serial_share",),
    ),
    "dispatch-cheap": (
        lambda table: (
            table["share"].max() < 0.025
            and _job(table, "microseconds")["dask"] > 1000
            and 6
            < _job(table, "microseconds")["dask"] / _job(table, "microseconds")["processes"]
            < 16
        ),
        ("parallel_overheads",),
    ),
    "start-pays-late": (
        lambda speed: (
            30 < parallel.break_even(speed, ("threads", 2)) < 300
            and 2000 < parallel.break_even(speed, ("processes", 2)) < 20_000
            and 0.6 < _job(speed[speed["workers"] == 2], "start")["processes"] < 1.5
            and _job(speed[speed["workers"] == 2], "start")["dask"]
            > _job(speed[speed["workers"] == 2], "start")["processes"]
        ),
        ("parallel_throughput_small",),
    ),
    "memory-by-way": (
        lambda memory: (
            _job(memory, "bytes")["threads"] < 1.2 * _job(memory, "bytes")["serial"]
            and 1.6 < _job(memory, "bytes")["processes"] / _job(memory, "bytes")["serial"] < 2.6
            and _job(memory, "bytes").idxmax() == "dask"
        ),
        ("parallel_memory",),
    ),
    "cold-reading": (
        lambda reading: (
            reading.groupby("state")["seconds"].median()["cold"]
            > 3 * reading.groupby("state")["seconds"].median()["warm"]
        ),
        ("parallel_reading",),
    ),
    "whole-near-decoding": (
        lambda whole: (
            1
            < _job(whole, "seconds").drop(parallel.DECODE).min()
            / _job(whole, "seconds")[parallel.DECODE]
            < 2
        ),
        ("parallel_whole_set",),
    ),
    "tables-equal": (lambda table: table["equal"].all(), ("parallel_equal",)),
    "model-limits": (
        lambda model, speed: (
            (bound := model.set_index(["executor", "cores"])["efficiency"])["processes", 64] > 0.9
            and bound["dask", 1000] < 0.25
            and gain_of_two(speed, "processes") / 2 < bound["processes", 2]
            and gain_of_two(speed, "dask") / 2 < bound["dask", 2] - 0.1
        ),
        ("parallel_model", "parallel_throughput_small"),
    ),
    # 10
    "gpu-gains-little": (
        lambda offload: (
            medians(offload)["file to pixels"] < medians(offload)["file to gathered pixels"]
            and medians(offload)["file to hash"] / medians(offload)["file to gathered pixels"]
            > 1.05
            and 1.1 < medians(offload)["file to hash"] / medians(offload)["file to pixels"] < 1.3
        ),
        ("gpu_offload",),
    ),
    "gpu-double": (
        lambda table: (
            table.set_index("precision")["share"]["single"] > 0.9
            and table.set_index("precision")["share"]["double"] < 0.01
        ),
        ("gpu_precision",),
    ),
    "gpu-bounds": (
        lambda floors, speed: (
            74.9 < _floor(floors, "image, sent") / _floor(floors, "image") < 75.1
            and 0.3 < _floor(floors, "all pairs") < 1
            and floors[floors["what"] == "all pairs"]["items"].max()
            / speed.query("set == 'shuffled' and contender == 'exhaustive join'")
            .groupby("radius")["throughput"]
            .median()
            .iloc[-1]
            > 100 * _floor(floors, "all pairs")
        ),
        ("gpu_floors", "search_kernels"),
    ),
}
"""Key of a sentence -> predicate, and the results tables that it reads."""
