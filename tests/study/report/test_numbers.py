"""Numbers of the report are those worked out by hand from small results tables."""

import numpy as np
import pandas as pd
import pytest

from finhash.study import project, results
from finhash.study.cost import gpu, large, parallel
from finhash.study.report import numbers_accuracy, numbers_certainty, numbers_cost
from tests.study.report.tables import table, timings

COST, ACCURACY = numbers_cost.NUMBERS, numbers_accuracy.NUMBERS


# Part 1


def test_setting_quotes_provenance():
    names = ("python", "pillow", "numpy", "numba", "libjpeg-turbo", "imagehash")
    versions = {name: f"{k}.0" for k, name in enumerate(names)}
    facts = {"scale": "full", "cpu": "a processor", "cores": 2, "versions": versions}
    found = numbers_cost._setting(facts)
    assert (found["cpu"], found["cores"], found["scale"]) == ("a processor", "2", "full")
    assert (found["numpy"], found["imagehash-version"]) == ("2.0", "5.0")


def test_what_a_users_set_has_none_of_is_not_quoted():
    counts = {"images": 5, "families": 2, "single_families": 1, "unreadable": 0, "skipped": 0}
    sides = {f"{s}_{e}": 64 for s in ("width", "height") for e in ("min", "median", "max")}
    pairs = {"bytes_median": 900, "same_pairs": 4, "other_pairs": 6}
    found = numbers_cost._images(pd.DataFrame([counts | sides | pairs]))
    assert (found["images"], found["families"], found["set-single-families"]) == ("5", "2", "1")
    assert not {"set-unreadable", "set-skipped"} & found.keys()
    assert (found["set-kilobytes"], found["set-pairs-other"]) == ("1", "6")


def test_pairs_count_find_as_labelled():
    histograms = table(
        "method same other labels",
        ("find", 1, 4_000, "as labelled"),
        ("find", 1, 5_998, "as labelled"),
        ("find", 99, 99, "merged"),
        ("pdq", 99, 99, "as labelled"),
    )
    assert COST["counting_histograms"](histograms) == {
        "pairs": r"10\,000",
        "pairs-same": "2",
        "pairs-other": r"9\,998",
        "prevalence": r"0.02\,\%",
        "false-claims-3": r"83\,\%",  # 9.998 of 11.998 claims
        "false-claims-4": r"33\,\%",  # 0.9998 of 2.9998 claims
    }


def test_steps_have_shares_and_bounds_by_amdahls_law():
    seconds = {"open, decode": 1, "luma": 2, "box filter": 5, "DCT": 2}
    steps = table(
        "step repeat seconds",
        *((s, k, v * f) for s, v in seconds.items() for k, f in enumerate((1, 1, 9))),
    )
    found = COST["baseline_steps"](steps)
    assert (found["share-box"], found["bound-box"]) == (r"50.0\,\%", "2.0")
    assert (found["share-decode"], found["bound-decode"]) == (r"10.0\,\%", "1.1")


def test_bill_is_quoted_in_fitting_units():
    bill = table(
        "images core_hours core_years dollars",
        (500, 0.03, 0.000004, 0.0016),
        (10**6, 48.0, 0.005, 2.4),
        (10**9, 48_000.0, 5.48, 2_400.0),
    )
    assert COST["operations_bill"](bill) == {
        "bill-images": "500",
        "bill-set": "1.8 minutes",
        "days-million": "2.0",
        "dollars-million": "2",
        "years-billion": "5",
        "dollars-billion": r"2\,400",
    }


def test_growth_in_proportion_has_exponent_one():
    counts = table("images seconds", *((n, 0.2 * n) for n in (1, 2, 4, 8)))
    found = COST["baseline_growth_count"](counts)
    assert found == {"growth-power": "1.00", "growth-low": "1.00", "growth-high": "1.00"}


def test_growth_by_side_quotes_the_ends_and_512():
    sides = table(
        "content side seconds",
        ("noise", 64, 0.011),
        ("noise", 512, 1.8),
        ("noise", 2048, 1.9),
        ("flat", 64, 9.0),
    )
    found = {
        "side-small": "64",
        "side-small-ms": "11",
        "side-most": "512",
        "side-most-seconds": "1.8",
    }
    beyond = {"side-large": "2048", "side-large-seconds": "1.9"}
    assert COST["baseline_growth_side"](sides) == found | beyond
    assert COST["baseline_growth_side"](sides[sides["side"] <= 512]) == found


def test_memory_per_pixel_is_scaled_to_the_largest_image():
    memory = table("side bytes", (64, 10**6), (250, 4_062_500))
    assert COST["baseline_memory"](memory) == {"memory-pixel": "65", "memory-largest": "17"}


def test_candidates_are_compared_with_the_first():
    names = ["reference", *numbers_cost.BOX_FILTERS.values()]
    seconds = timings({name: 1 / (k + 1) for k, name in enumerate(names)})
    assert COST["candidates_box"](seconds)["box-samples-times"] == "2.0"
    exactness = pd.DataFrame(
        {"contender": names, "images": 109, "bits_changed": range(7), "peak_kB": 1234}
    )
    found = COST["candidates_box_exactness"](exactness)
    assert (found["box-images"], found["box-area-bits"]) == ("109", "3")
    assert found["box-numba-memory"] == "1.2"


def test_certificate_tells_real_from_random_images():
    certificate = table(
        "kind images certified fast_bits_changed bits_changed pixels_changed",
        ("memes", 1_000, 997, 1, 0, 2),
        ("random", 500, 375, 40, 0, 0),
    )
    assert COST["certificate"](certificate) == {
        "proved-images": r"1\,500",
        "proved-random": "500",
        "proved-bits": "0",
        "proved-pixels": "2",
        "fallback-set": "3",
        "fallback-random": r"25\,\%",
        "unproved-bits": "41",
    }


def test_cold_start_takes_compilation_from_its_only_run():
    warm = timings({"python": 0.03, "import finhash": 0.04, "find_hash": 1.1})
    compiled = table(
        "contender state repeat seconds", ("find_hash, not yet compiled", "cold", 0, 12.8)
    )
    assert COST["ladder_cold_start"](pd.concat([warm, compiled])) == {
        "start-import": "10",
        "start-hash": "1.1",
        "start-compile": "13",
    }


def test_ladder_compares_medians_of_warm_repeats():
    seconds = dict.fromkeys(numbers_cost.RUNGS.values(), 0.01)
    seconds |= {"reference": 0.2, "+ simplejpeg": 0.001}
    seconds |= {"ahash64": 0.002, "phash64": 0.004, "dhash64": 0.0016, "whash64": 0.005}
    found = COST["ladder"](timings(seconds))
    assert (found["reference-ms"], found["deployed-ms"], found["luma-ms"]) == ("200", "1", "10")
    assert (found["deployed-times"], found["box-times"]) == ("200", "20")
    assert (found["against-ahash64"], found["against-phash64"]) == ("0.50", "0.25")
    assert (found["peer-fastest-ms"], found["peer-slowest-ms"]) == ("1.6", "5")


@pytest.fixture
def large_costs() -> pd.DataFrame:
    """One row per size and contender, with the ratios of its own times."""
    seconds = {
        250: {large.DECODE: 0.2, "find": 0.25, "find_luma": 0.22, large.OLD: 0.25},
        600: {large.DECODE: 1.0, "find": 2.0, "find_luma": 1.25, large.OLD: 8.0},
    }
    others = {250: (0.5, 0.5, 0.75, 0.44, 0.5, 0.5), 600: (3.0, 3.2, 4.0, 1.8, 1.0, 2.0)}
    rows = []
    for side, times in seconds.items():
        times |= dict(zip([*large.PEERS, *large.DRAFT.values()], others[side], strict=True))
        rows += [
            (side, name, ms, ms / times[large.DECODE], ms / times["find"])
            for name, ms in times.items()
        ]
    return pd.DataFrame(rows, columns=["side", "contender", "ms", "over_decode", "over_find"])


def test_large_images_are_quoted_at_the_sizes_that_were_measured(large_costs):
    found = COST["large_images_costs"](large_costs)
    at_600 = {key: text for key, text in found.items() if key.startswith("large-600-")}
    assert at_600 == {
        "large-600-decode-ms": "1",
        "large-600-find-ms": "2",
        "large-600-find_luma-ms": "1.25",
        "large-600-old-ms": "8",
        "large-600-find-over-decode": "2.00",
        "large-600-find_luma-over-decode": "1.25",
        "large-600-old-times": "4.0",
    }
    assert found["large-250-find_luma-ms"] == "0.22"
    assert not {"large-250-old-ms", "large-1000-find-ms"} & found.keys()


def test_the_fastest_other_hash_is_quoted_where_it_is_best(large_costs):
    found = COST["large_images_costs"](large_costs)
    assert {key: text for key, text in found.items() if "least" in key} == {
        "large-peer-least": "1.50",
        "large-peer-least-side": "600",
        "large-draft-least": "0.50",
        "large-draft-least-side": "600",
        "large-draft-luma-least": "0.80",
        "large-draft-luma-least-side": "600",
    }
    assert (found["large-from"], found["large-to"]) == ("250", "600")


def test_values_of_the_kernel_are_added_up_over_versions_of_pillow():
    rows = table(
        "pillow kind images kernel_values kernel_changed",
        ("12.1", "large", 2000, 9, 0),
        ("12.1", "narrow", 500, 9, 1),
        ("12.1", "RGBA", 100, 0, 0),
        ("13.0", "large", 2000, 9, 3),
        ("13.0", "narrow", 500, 9, 0),
        ("13.0", "RGBA", 100, 0, 0),
    )
    assert COST["shrinking"](rows) == {"shrink-images": r"2\,500", "shrink-changed": "4"}


def test_bits_of_find_luma():
    bits = table("mean p99 most images", (0.59, 4.0, 6, 1000))
    assert COST["large_luma_bits"](bits) == {"luma-bits-mean": "0.6", "luma-bits-most": "6"}


@pytest.fixture
def throughput() -> pd.DataFrame:
    rows = (
        (parallel.DECODE, 1, 10_000, 0.0, 2_000.0, 2.0),
        ("serial", 1, 10_000, 0.0, 1_000.0, 1.0),
        ("threads", 2, 10_000, 0.0, 1_600.0, 1.6),
        ("processes", 2, 10_000, 1.5, 2_000.0, 2.0),
        ("dask", 2, 10_000, 1.8, 900.0, 0.9),
    )
    return table("executor workers images start throughput gain", *rows)


def test_throughput_of_small_images(throughput):
    assert COST["parallel_throughput_small"](throughput) == {
        "serial-rate-small": r"1\,000",
        "threads-gain-small": "1.60",
        "processes-gain-small": "2.00",
        "dask-gain-small": "0.90",
        "processes-of-decoding": r"50\,\%",
        "job-images-small": r"10\,000",
    }


def test_throughput_of_large_images(throughput):
    found = COST["parallel_throughput_large"](throughput)
    assert found.keys() == {
        "serial-rate-large",
        "threads-gain-large",
        "processes-gain-large",
        "dask-gain-large",
        "job-images-large",
    }


@pytest.mark.parametrize("share", [-0.5, 0, 1.2])
def test_a_share_that_amdahls_law_does_not_give_is_not_quoted(share):
    shares = table("executor images share", ("threads", "small", share))
    assert COST["parallel_serial_share"](shares) == {}
    assert COST["parallel_serial_share"](shares.assign(share=0.25)) == {"threads-share": r"25\,\%"}


def test_rows_of_a_job_are_quoted_only_if_it_gave_the_serial_table():
    job = table("rows identical", (40, True))
    assert COST["parallel_cluster"](job) == {"cluster-rows": "40"}
    assert COST["parallel_cluster"](job.assign(identical=False)) == {}


def test_whole_set_leaves_decoding_alone_out():
    jobs = table(
        "executor images seconds",
        (parallel.DECODE, 55_972, 5.0),
        ("processes", 55_972, 12.4),
        ("threads", 55_972, 14.0),
    )
    found = COST["parallel_whole_set"](jobs)
    assert found == {"whole-seconds": "12", "images": r"55\,972"}


def test_memory_is_quoted_in_megabytes_for_few_and_many_files():
    files = table("files bytes", (10**6, 432.4e6), (10**4, 404.2e6))
    assert COST["parallel_memory_files"](files) == {
        "files-least": r"10\,000",
        "files-most": r"1\,000\,000",
        "memory-few": "404",
        "memory-many": "432",
    }


def test_gathering_pixels_is_a_share_of_hashing():
    seconds = {"file to pixels": 2e-4, "file to hash": 3e-4, "file to gathered pixels": 2.4e-4}
    assert COST["gpu_offload"](timings(seconds)) == {"gpu-gather": r"40\,\%"}
    # On a noisy machine hashing may seem to take no time.
    assert COST["gpu_offload"](timings(seconds | {"file to hash": 1.9e-4})) == {}


def test_hashing_is_compared_with_decoding_only_if_it_takes_longer():
    names = ("kernel", "decode", "decode, Pillow", "PDQ kernel", "file to pixels", "file to hash")
    seconds = dict.fromkeys(names, 1e-4) | {"file to hash": 1.5e-4}
    assert COST["ladder_kernel"](timings(seconds))["over-decoding"] == "1.50"
    assert "over-decoding" not in COST["ladder_kernel"](timings(seconds | {"file to hash": 5e-5}))


def test_the_bound_of_a_gpu_names_its_hashes():
    floors = table("what items seconds", ("image", 1, 9.0), ("all pairs", 499_999_500_000, 0.5978))
    found = {"gpu-floor": r"0.6\,s", "gpu-floor-hashes": r"1\,000\,000"}
    assert COST["gpu_floors"](floors) == found
    few = table("what items seconds", ("all pairs", 1, 2e-6), ("all pairs", 1, 1e-6))
    assert COST["gpu_floors"](few) == {"gpu-floor": r"0.002\,ms", "gpu-floor-hashes": "2"}


def test_a_gpu_is_quoted_only_if_one_was_measured(monkeypatch):
    summary = table(
        "task contender throughput seconds",
        ("hash", "compute", 1_234_567.0, 0.1),
        ("pairs of many", "join", 1e12, 0.62),
    )
    monkeypatch.setattr(gpu, "measured", lambda: False)
    assert numbers_cost._gpu_measured() == {"gpu-measured": ("not measured", "gpu_floors")}
    monkeypatch.setattr(gpu, "measured", lambda: True)
    monkeypatch.setattr(gpu, "summary", lambda timings, floors: summary)
    monkeypatch.setattr(results, "load", lambda name: name)
    text = r"1\,235\,000 hashes per second, those pairs in 0.6\,s"
    assert numbers_cost._gpu_measured() == {"gpu-measured": (text, "gpu_times")}


# Part 2


def test_rates_name_labels_targets_and_the_best_hash():
    columns = ["method", "bits", "labels", "auc", "effective_bits"]
    rows = [("find", 256, "merged", 0.99991, 200.4), ("phash64", 64, "merged", 0.9, 50.0)]
    rates = pd.DataFrame([*rows, ("pdq", 256, "merged", 0.99, 150.0)], columns=columns)
    for digit in (2, 3, 4, 5, 6):
        rates[f"radius_1e-0{digit}"] = [100 - digit, 5, 90]
        rates[f"tpr_1e-0{digit}"] = [0.5, 0.9, 0.6 if digit == 4 else 0.4]
    for precision in ("0.9", "0.99", "0.999"):
        rates[f"recall_p{precision}"] = [0.25, 0.5, 0.75]
    found = ACCURACY["rates"](rates)
    assert (found["merged-auc-find"], found["merged-effective-find"]) == ("0.9999", "200")
    assert (found["merged5-find"], found["merged5-find-radius"]) == (r"50.0\,\%", "95")
    assert (found["merged-p99-find"], found["merged-p99.9-pdq"]) == (r"25.0\,\%", r"75.0\,\%")
    # Only hashes of 256 bits compete.
    assert (found["merged4-best"], found["merged5-best"]) == ("PDQ", "FINd")
    assert "merged2-find" not in found


def test_precision_falls_with_the_number_of_families():
    prevalence = table("times 1e-04 1e-05", (1, 0.958, 0.99), (100, 0.2, 0.7))
    assert ACCURACY["rates_prevalence"](prevalence) == {
        "precision4-1": r"96\,\%",
        "precision4-100": r"20\,\%",
        "precision5-1": r"99\,\%",
        "precision5-100": r"70\,\%",
    }


def test_clustering_is_quoted_at_the_threshold_of_the_best_f1():
    scores = table(
        "method algorithm radius truth ari precision recall f1 b3_f1",
        ("find", "components", 40, "merged", 0.8, 0.9, 0.7, 0.79, 0.9),
        ("find", "components", 50, "merged", 0.9, 0.8, 0.9, 0.85, 0.8),
        ("find", "components", 60, "as labelled", 1.0, 1.0, 1.0, 1.0, 1.0),
    )
    assert ACCURACY["clustering"](scores) == {
        "components-find-f1": r"85.0\,\%",
        "components-find-b3": r"90.0\,\%",
        "components-find-ari": "0.900",
        "components-find-radius": "50",
        "components-find-precision": r"80.0\,\%",
        "components-find-recall": r"90.0\,\%",
    }


def test_clustering_as_labelled_is_quoted_if_nobody_judged_the_labels():
    columns = "method algorithm radius truth ari precision recall f1 b3_f1"
    scores = table(columns, ("find", "components", 40, "as labelled", 0.8, 0.9, 0.7, 0.79, 0.9))
    assert ACCURACY["clustering"](scores)["components-find-f1"] == r"79.0\,\%"


def test_clustering_on_other_families_is_averaged_by_rule():
    halves = table(
        "method algorithm rule f1 b3_f1 radius",
        ("find", "components", "f1", 0.8, 0.9, 54),
        ("find", "components", "f1", 0.9, 0.9, 56),
        ("find", "components", "given", 0.7, 0.6, 52),
    )
    found = ACCURACY["clustering_held_out"](halves)
    assert found["held-components-find-f1"] == r"85.0\,\%"
    assert found["held-components-find-radius"] == "55"
    assert found["given-components-find-f1"] == r"70.0\,\%"


def test_a_hash_that_never_chains_is_quoted_as_a_dash():
    chaining = table("method radius largest", ("find", 74, 0.25))
    assert numbers_accuracy._chaining(chaining, ["find", "pdq"]) == {
        "chain-radius-find": "74",
        "chain-share-find": r"25.0\,\%",
        "chain-radius-pdq": "--",
        "chain-share-pdq": "--",
    }


def test_robustness_is_averaged_over_strengths():
    grid = table(
        "method transform strength recall",
        ("find", "crop", "5", 0.5),
        ("find", "crop", "10", 0.1),
        ("find", "caption changed", "3 lines", 0.9),
    )
    assert ACCURACY["robustness"](grid) == {
        "transforms": "2",
        "cells": "3",
        "robust-crop-find": r"30\,\%",
        "robust-caption changed-find": r"90\,\%",
        "robust-find": r"50\,\%",
        "cell-crop-5-find": r"50\,\%",
        "cell-crop-10-find": r"10\,\%",
        "cell-caption-changed-3-lines-find": r"90\,\%",
    }


def test_flips_are_averaged_by_band_of_rows():
    rows, columns = np.mgrid[:16, :16]
    bits = pd.DataFrame({"method": "find", "row": rows.ravel(), "column": columns.ravel()})
    bits["same"] = bits["row"].ge(8) * 0.5
    assert ACCURACY["bits"](bits) == {
        "flips-find": r"25\,\%",
        "flips-low-find": r"0\,\%",
        "flips-high-find": r"50\,\%",
        "flips-middle-find": r"25\,\%",
        "flips-outer-find": r"25\,\%",
    }


def test_searches_are_compared_with_the_gallery_on_one_thread():
    names = [*numbers_accuracy.SEARCHES, "BK-tree"]
    searches = pd.DataFrame({"contender": names, "throughput": 1_000.0, "recall": 1.0})
    searches = searches.assign(workers=1)
    searches.loc[searches["contender"].str.contains("IVF"), ["throughput", "recall"]] = 3_000, 0.9
    both = pd.concat([searches, searches.assign(workers=2, throughput=9_000.0)])
    found = ACCURACY["search_contenders"](both)
    assert (found["ivf-times"], found["peer-ivf-recall"]) == ("3.0", r"90\,\%")
    assert found["peer-gallery-rate"] == r"1\,000"


def test_joins_are_quoted_shuffled_at_the_first_radius_on_one_thread():
    speed = table(
        "set bits radius contender workers throughput",
        ("shuffled", 256, 67, "join", 1, 8.4e9),
        ("shuffled", 256, 67, "exhaustive join", 1, 2.1e9),
        ("shuffled", 256, 0, "histogram", 1, 2.5e9),
        ("shuffled", 256, 50, "join", 1, 16e9),
        ("shuffled", 256, 67, "join", 2, 15e9),
        ("by family", 256, 67, "join", 1, 9e9),
        ("64 bits", 64, 10, "join", 1, 20e9),
    )
    assert ACCURACY["search_kernels"](speed) == {
        "join-rate": "8.4",
        "join-exhaustive-rate": "2.1",
        "join-times": "4.0",
        "histogram-rate": "2.5",
    }


def test_pruning_is_quoted_at_the_largest_radius():
    counted = table(
        "radius centres rounds distances evaluated",
        (50, "of the join", 2, 0.01, 0.02),
        (67, "of the join", 2, 0.05, 0.08),
        (67, "of the families", 1, 0.03, 0.1),
    )
    assert ACCURACY["pruning_work"](counted) == {
        "pruning-distances": r"5.0\,\%",
        "pruning-evaluated": r"8.0\,\%",
        "pruning-families-distances": r"3.0\,\%",
        "pruning-families-evaluated": r"10.0\,\%",
    }


def test_exponents_of_joins_are_those_of_the_last_decade():
    fits = table(
        "method growth radius span contender exponent",
        ("find", "number", 67, "last decade", "pruned", 1.712),
        ("find", "number", 67, "all", "pruned", 1.6),
        ("find", "size", 67, "last decade", "pruned", 2.0),
        ("pdq", "number", 67, "last decade", "pruned", 1.9),
        ("find", "number", 67, "last decade", "FAISS HNSW", float("nan")),
        ("find", "number", 50, "last decade", "pruned", 0.7),
    )
    assert ACCURACY["growth_exponents"](fits) == {"exponent-pruned": "1.71"}


def test_cluster_jobs_are_quoted_at_the_largest_number_of_images():
    jobs = table(
        "algorithm images seconds before peak",
        ("components", 50_000, 0.2, 1e8, 2e8),
        ("components", 1_000_000, 46.7, 2e8, 5e8),
    )
    assert ACCURACY["search_cluster_jobs"](jobs) == {
        "cluster-images": r"1\,000\,000",
        "cluster-components-seconds": "47",
        "cluster-components-memory": "300",
    }


def test_calibration_table():
    values = {"same_mean": 54.71, "same_sd": 22, "other_mean": 127.2, "other_sd": 8.94}
    values |= {"auc": 0.98971, "tpr_0.1%": 0.963, "tpr_1%": 0.9721}
    calibration = pd.DataFrame({"metric": values.keys(), "value": values.values()})
    text = numbers_cost._calibration_table(calibration.assign(method="find", source="2% noise"))
    assert (
        r"FINd & 2\% noise & $54.7 \pm 22.0$ & $127.2 \pm 8.9$ & 0.9897 & 0.963 & 0.972 \\" in text
    )


def test_candidates_table_counts_changed_bits():
    box = timings({"reference": 0.2, "Numba": 0.0001})
    luma = timings({"getpixel": 0.04, "Pillow L": 0.02})
    columns = "contender bits_changed images_changed peak_kB"
    text = numbers_cost._candidates_table(
        box,
        table(columns, ("reference", 0, 0, 4_000), ("Numba", 0, 0, 500)),
        luma,
        table(columns, ("getpixel", 0, 0, 2_500), ("Pillow L", 1_295, 9, 70)),
    )
    assert r" & Numba & 0.10 & 2\,000 & 0 & 0.5 \\" in text
    assert r" & Pillow L & 20 & 2.0 & 1\,295 in 9 & 0.1 \\" in text


def test_numbers_and_tables_read_committed_results():
    modules = (numbers_cost, numbers_accuracy, numbers_certainty)
    read = {"clustering_chaining", "twins_agreement"}
    read.update(name for module in modules for name in module.NUMBERS)
    for function_and_names in (entry for m in modules for entry in m.TABLES.values()):
        read.update(function_and_names[1])
    committed = project.results(project.root())
    assert {name for name in read if not (committed / f"{name}.csv").exists()} == set()
