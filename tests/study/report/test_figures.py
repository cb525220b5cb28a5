"""Figures draw what their results tables hold, with labelled axes, units and legends."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from finhash import methods
from finhash.study import project
from finhash.study.cost import operations
from finhash.study.report import available, figures, figures_growth, style
from finhash.study.report import figures_accuracy as accuracy
from finhash.study.report import figures_cost as cost
from tests.study.report.tables import table, timings


@pytest.fixture(autouse=True)
def _style():
    with matplotlib.rc_context():
        plt.switch_backend("agg")
        style.use_style()
        yield
        plt.close("all")


def widths(axes: Axes) -> list[float]:
    return [bar.get_width() for bar in axes.patches]


def faces(axes: Axes) -> list[str]:
    return [to_hex(bar.get_facecolor()) for bar in axes.patches]


def rows(axes: Axes) -> list[str]:
    """Return the names of the rows, from top to bottom."""
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
    return [label.get_text() for label in axes.get_yticklabels()]


def texts(axes: Axes) -> list[str]:
    return [text.get_text().strip() for text in axes.texts]


def lines(axes: Axes) -> list[tuple[list[float], list[float]]]:
    """Return the coordinates of all lines, without those that only make legend entries."""
    drawn = [(list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines]
    return [(x, y) for x, y in drawn if x]


def legend(owner: Axes | Figure) -> list[str]:
    found = owner.get_legend() if isinstance(owner, Axes) else owner.legends[0]
    return [text.get_text() for text in found.get_texts()]


def labels(axes: Axes) -> tuple[str, str]:
    return axes.get_xlabel(), axes.get_ylabel()


# Cost


def test_profile_draws_medians_and_states_shares():
    steps = table(
        "step seconds", ("luma", 0.02), ("luma", 0.02), ("luma", 0.9), ("box filter", 0.18)
    )
    [axes] = cost.profile(steps).axes
    assert labels(axes)[0] == "milliseconds per image (lower is better)"
    assert rows(axes) == ["luma", "box filter"]
    np.testing.assert_allclose(widths(axes), [20, 180])
    assert texts(axes) == [
        "20 ms (10.0%), without it 1.11 times faster",
        "180 ms (90.0%), without it 10 times faster",
    ]


def test_profile_states_no_gain_for_small_steps():
    steps = table("step seconds", ("shrink", 0.001), ("box filter", 0.999))
    [axes] = cost.profile(steps).axes
    assert texts(axes)[0] == "1 ms (0.1%)"


def test_growth_draws_medians_by_count_and_fastest_repeats_by_side():
    counts = table("images seconds", *((n, 0.2 * n) for n in (1, 2, 4)))
    sides = table(
        "content side seconds",
        ("noise", 64, 0.02),
        ("noise", 64, 0.01),
        ("noise", 128, 0.04),
        ("flat", 64, 0.01),
    )
    left, right = cost.growth(counts, sides).axes
    assert labels(left) == ("images of the set", "seconds")
    assert labels(right) == ("side of a square image, pixels", "seconds per image")
    np.testing.assert_allclose(lines(left), [([1, 2, 4], [0.2, 0.4, 0.8])])
    assert texts(left) == ["exponent 1.00\n95 % interval: 1.00 to 1.00"]
    fit, *measured = lines(right)
    assert measured == [([64, 128], [0.01, 0.04]), ([64], [0.01])]
    model = operations.fit_work([(64, 64), (128, 128)], [0.01, 0.04])
    np.testing.assert_allclose(fit[1], operations.predict(model, [(side, side) for side in fit[0]]))
    assert legend(right) == ["fit to counted operations", "measured, noise", "measured, flat"]
    assert texts(right) == []  # nothing larger than 512 pixels


def test_operation_costs_draws_steps_and_shapes():
    steps = table(
        "step cols ns_per_operation",
        ("luma", 64, 600.0),
        ("luma", 128, 610.0),
        ("box filter", 64, 190.0),
        ("DCT", 64, 48.0),
    )
    shapes = table(
        "cols rows seconds predicted",
        (512, 128, 0.4, 0.2),
        (512, 128, 0.3, 0.2),
        (128, 512, 0.5, 0.3),
    )
    left, right = cost.operation_costs(steps, shapes).axes
    assert labels(left) == ("side of a square image, pixels", "nanoseconds per operation")
    assert labels(right) == ("seconds per image, predicted", "seconds per image, measured")
    assert lines(left) == [([64, 128], [600.0, 610.0]), ([64], [190.0]), ([64], [48.0])]
    assert legend(left) == ["luma", "box filter", "DCT"]
    diagonal, landscape, portrait = lines(right)
    assert diagonal[0] == diagonal[1]
    assert (landscape, portrait) == (([0.2], [0.3]), ([0.3], [0.5]))
    assert legend(right) == ["landscape", "portrait"]


def test_candidates_fills_exact_ones_only():
    seconds = timings({"reference": 0.2, "summed area": 0.0005})
    exactness = table("contender bits_changed", ("reference", 0), ("summed area", 1_274))
    [axes] = cost.candidates(seconds, exactness).axes
    assert labels(axes)[0] == "microseconds per image, log scale (lower is better)"
    assert axes.get_xscale() == "log"
    assert rows(axes) == ["reference", "summed area"]
    np.testing.assert_allclose(widths(axes), [200_000, 500])
    assert faces(axes) == [style.FIND.lower(), "#ffffff"]
    assert texts(axes) == ["200 ms, exact", "500 µs, 1,274 bits changed"]


def test_margins_draws_shares_of_each_kind():
    counts = table(
        "kind exponent images",
        ("memes", -2, 1),
        ("memes", 0, 3),
        ("random", -2, 5),
        ("random", 0, 5),
    )
    [axes] = cost.margins(counts).axes
    assert labels(axes)[1] == "share of images"
    assert axes.get_xlabel().endswith("units of luma")
    assert [bar.get_height() for bar in axes.patches] == [0.25, 0.75, 0.5, 0.5]
    assert legend(axes) == ["images of the set", "random"]
    [([left, right], _)] = lines(axes)
    assert left == right
    assert -8 < left < -6  # the bound is a power of ten, like the axis


def test_ladder_compares_optimisations_with_the_first():
    seconds = timings({"reference": 0.2, "+ box filter": 0.05, "ahash64": 0.0008})
    [axes] = cost.ladder(seconds).axes
    assert labels(axes)[0].startswith("milliseconds per image, JPEG file to hash, log scale")
    assert rows(axes) == ["reference", "+ box filter", "aHash 64 (imagehash)"]
    np.testing.assert_allclose(widths(axes), [200, 50, 0.8])
    assert texts(axes) == ["200 ms", "50 ms, 4 times faster", "800 µs"]


def test_large_images_draws_times_and_ratios_by_size():
    costs = table(
        "side contender ms over_decode over_decode_low over_decode_high",
        (500, "decode", 0.8, 1.0, 1.0, 1.0),
        (600, "decode", 1.0, 1.0, 1.0, 1.0),
        (1000, "decode", 2.0, 1.0, 1.0, 1.0),
        (500, "find", 1.2, 1.5, 1.4, 1.6),
        (600, "find", 1.8, 1.8, 1.7, 1.9),
        (500, "find, Pillow's thumbnail", 1.2, 1.5, 1.4, 1.6),
        (600, "find, Pillow's thumbnail", 5.0, 5.0, 4.9, 5.1),
        (600, "ahash64, draft", 0.5, 0.5, 0.5, 0.5),
    )
    figure = cost.large_images(costs)
    left, right = figure.axes
    assert labels(left) == ("longer side, pixels", "milliseconds, file to hash")
    assert labels(right) == ("longer side, pixels", "time over that of decoding alone")
    assert (left.get_xscale(), left.get_yscale(), right.get_xscale()) == ("log",) * 3
    assert lines(left) == [
        ([500, 600, 1000], [0.8, 1.0, 2.0]),
        ([500, 600], [1.2, 1.8]),
        ([600], [5.0]),  # Pillow does not shrink the smaller image
    ]
    assert lines(right) == [
        ([500, 600, 1000], [1.0, 1.0, 1.0]),
        ([500, 600], [1.5, 1.8]),
        ([600], [5.0]),
    ]
    assert list(left.get_xticks()) == [500, 1000]  # 600 would overlap 500
    assert legend(figure)[:2] == ["decoding alone", "FINd"]
    assert "FINd, shrunk by Pillow" in legend(figure)


def test_throughput_draws_both_bars_and_decoding():
    jobs = table(
        "executor workers throughput with_start",
        ("decode only", 1, 500.0, 500.0),
        ("serial", 1, 300.0, 300.0),
        ("processes", 2, 600.0, 400.0),
    )
    figure = cost.throughput(jobs, jobs)
    assert len(figure.axes) == 2
    for axes in figure.axes:
        assert labels(axes)[0] == "images per second (higher is better)"
        assert rows(axes) == ["serial, 1", "processes, 2"]
        assert widths(axes) == [300, 300, 600, 400]
        assert [x for x, _ in lines(axes)] == [[500, 500], [1000, 1000]]


def test_memory_of_jobs_is_in_megabytes():
    jobs = table("executor workers bytes", ("serial", 1, 200e6), ("dask", 2, 500e6))
    files = table("files bytes", (10**4, 400e6), (10**6, 430e6))
    left, right = cost.memory_jobs(jobs, files).axes
    assert labels(left)[0] == "peak memory, MB (lower is better)"
    assert rows(left) == ["serial, 1", "dask, 2"]
    assert widths(left) == [200, 500]
    assert labels(right) == ("files, two processes", "peak memory, MB")
    assert lines(right) == [([10**4, 10**6], [400, 430])]


def test_scaling_model_draws_model_measurements_and_proportion():
    model = table(
        "executor cores throughput",
        ("processes", 1, 100.0),
        ("processes", 8, 700.0),
        ("dask", 1, 90.0),
    )
    measured = table("executor workers throughput", ("processes", 2, 190.0), ("serial", 1, 100.0))
    [axes] = cost.scaling_model(model, measured).axes
    assert labels(axes) == ("cores", "images per second")
    assert lines(axes) == [
        ([1, 8], [100, 700]),
        ([2], [190]),
        ([1], [90]),
        ([1, 8], [90, 720]),
    ]
    assert legend(axes) == ["processes, model", "dask, model", "proportional to cores"]


def test_contenders_fills_searches_that_find_everything():
    searches = table(
        "contender workers throughput recall",
        ("finhash gallery", 1, 80_000.0, 1.0),
        ("FAISS flat", 1, 20_000.0, 1.0),
        ("FAISS HNSW, 100 nearest", 1, 10_000.0, 0.531),
    )
    both = pd.concat([searches, searches.assign(workers=2)])
    [axes] = cost.contenders(both).axes
    assert labels(axes)[0] == "queries per second, one core, log scale (higher is better)"
    assert rows(axes) == list(searches["contender"])
    assert widths(axes) == list(searches["throughput"])
    assert faces(axes) == [style.FIND.lower(), style.DARK, "#ffffff"]
    assert texts(axes) == ["80,000, recall 100%", "20,000, recall 100%", "10,000, recall 53.1%"]


def test_cluster_jobs_draws_seconds_and_megabytes():
    jobs = table(
        "algorithm images seconds peak",
        ("components", 1_000, 0.2, 3e8),
        ("components", 9_000, 2.0, 4e8),
        ("spheres", 1_000, 0.5, 3e8),
    )
    left, right = cost.cluster_jobs(jobs).axes
    assert labels(left) == ("images", "seconds")
    assert labels(right) == ("images", "peak memory, MB")
    assert lines(left) == [([1_000, 9_000], [0.2, 2.0]), ([1_000], [0.5])]
    assert lines(right) == [([1_000, 9_000], [300, 400]), ([1_000], [300])]
    assert legend(left) == ["components", "spheres"]


def test_pruning_shades_the_band_about_the_distance_of_the_member():
    counted = pd.DataFrame({"distance": range(9), "members": 0, "others": 0, "member": 2})
    counted.loc[[1, 2], "members"] = 3, 1
    counted.loc[[4, 7], "others"] = 2, 10
    figure = figures_growth.pruning(counted.assign(radius=3))
    [axes] = figure.axes
    assert labels(axes) == ("Hamming distance from the centre $c$, bits", "hashes, log scale")
    band = axes.patches[0]
    assert (band.get_x(), band.get_x() + band.get_width()) == (-0.5, 5.5)
    others, members = axes.containers
    assert [(bar.get_x(), bar.get_height()) for bar in others] == [(3.5, 2), (5.5, 10)]
    assert [(bar.get_x(), bar.get_height()) for bar in members] == [(-0.5, 3), (1.5, 1)]
    assert texts(axes) == ["$d(m, c)$", "left out: 62.5%"]
    assert legend(figure) == ["compared with $m$", "other hashes", "family of the centre"]


def test_join_growth_draws_the_first_radius_of_each_hash():
    times = table(
        "method growth radius contender number seconds recall",
        ("find", "number", 31, "exhaustive", 1_000, 1.0, 1.0),
        ("find", "number", 31, "exhaustive", 1_000, 3.0, 1.0),
        ("find", "number", 31, "exhaustive", 9_000, 90.0, 1.0),
        ("find", "number", 31, "FAISS IVF", 1_000, 4.0, 0.9),
        ("find", "size", 31, "exhaustive", 1_000, 2.0, 1.0),
        ("find", "number", 47, "exhaustive", 1_000, 8.0, 1.0),
        ("dhash64", "number", 4, "exhaustive", 1_000, 0.5, 1.0),
    )
    slopes = table(
        "method growth radius contender span exponent",
        ("find", "number", 31, "exhaustive", "last decade", 1.732),
        ("find", "number", 31, "exhaustive", "all", 1.9),
        ("find", "number", 31, "FAISS IVF", "last decade", np.nan),
    )
    figure = figures_growth.join_growth(times, slopes)
    panels = figure.axes
    assert [axes.get_title(loc="left") for axes in panels[::3]] == [
        "FINd, 256 bits, radius 31\nfamilies grow in number",
        "dHash 64, 64 bits, radius 4\nfamilies grow in size",
    ]
    assert lines(panels[0])[0] == ([1_000, 9_000], [2.0, 90.0])
    assert texts(panels[0]) == ["1.73"]
    [open_marker] = [line for line in panels[0].lines if line.get_markerfacecolor() == "white"]
    assert list(open_marker.get_ydata()) == [4.0]
    assert labels(panels[2]) == ("hashes", "seconds, one core")
    assert legend(figure) == ["exhaustive", "FAISS IVF"]


def test_offload_stacks_the_steps_of_both_ways():
    seconds = {"file to pixels": 2e-4, "file to hash": 3e-4, "file to gathered pixels": 2.4e-4}
    floors = table("what seconds", ("image, sent", 1e-5), ("image, sent", 2e-5), ("image", 1.0))
    figure = cost.offload(timings(seconds), floors)
    [axes] = figure.axes
    assert labels(axes)[0].startswith("microseconds per image of 250 × 250 pixels")
    assert rows(axes) == ["CPU alone", "with a GPU"]
    np.testing.assert_allclose(widths(axes), [200, 100, 200, 40, 20])
    np.testing.assert_allclose([bar.get_x() for bar in axes.patches], [0, 200, 0, 200, 240])
    assert texts(axes) == ["300 µs", "260 µs"]
    assert legend(figure) == ["read and decode", "hash", "gather", "send (bound)"]


# Accuracy


def test_family_sizes_are_drawn_by_rank():
    [axes] = accuracy.family_sizes(table("rank images", (1, 700), (2, 300))).axes
    assert labels(axes) == ("rank of the family", "images")
    assert lines(axes) == [([1, 2], [700, 300])]


def test_calibration_draws_means_with_deviations():
    values = {"same_mean": 50, "same_sd": 20, "other_mean": 128, "other_sd": 9}
    calibration = pd.DataFrame(
        [
            (name, source, metric, value + shift)
            for name in ("find", "pdq")
            for source, shift in (("published", 0), ("ours", 1))
            for metric, value in values.items()
        ],
        columns=["method", "source", "metric", "value"],
    )
    figure = accuracy.calibration(calibration)
    left, right = figure.axes
    assert labels(left)[0] == "Hamming distance of 256 bits, mean ± sd"
    assert rows(left) == ["FINd", "PDQ"]
    assert [bars.lines[0].get_xdata().item() for bars in left.containers] == [50, 51] * 2
    assert [bars.lines[0].get_xdata().item() for bars in right.containers] == [128, 129] * 2
    ends = left.containers[1].lines[2][0].get_segments()[0][:, 0]
    np.testing.assert_array_equal(ends, [51 - 21, 51 + 21])
    assert legend(figure) == ["published", "ours"]


@pytest.fixture
def histograms() -> pd.DataFrame:
    """Counts of pairs at the distances 0 to 3, for two hashes and both labels."""
    counts = {"same": [2, 1, 1, 0], "other": [0, 1, 1, 6], "distance": range(4)}
    return pd.concat(
        pd.DataFrame(counts).assign(method=name, labels=kind)
        for kind in ("as labelled", "merged")
        for name in ("find", "find64")
    )


def test_distances_draws_shares_of_pairs_in_bins_of_two(histograms):
    figure = accuracy.distances(histograms)
    [axes] = figure.axes  # not that of the hash with 64 bits
    assert axes.get_title(loc="left") == "FINd"
    same, other = (set(each.get_paths()[0].vertices[:, 1]) for each in axes.collections)
    assert same == {0, 0.75, 0.25}
    assert other == {0, 0.125, 0.875}
    assert (figure.get_supxlabel(), figure.get_supylabel()) == (
        "Hamming distance of 256 bits",
        "share of pairs",
    )
    assert legend(figure) == ["same family", "other family"]


def test_roc_draws_recall_against_the_false_positive_rate(histograms):
    left, right = accuracy.roc(histograms).axes
    assert labels(left) == ("false positive rate", "recall of same-family pairs")
    assert left.get_xscale() == "log"
    assert lines(left) == lines(right) == [([0.125, 0.25, 1.0], [0.75, 1.0, 1.0])]
    assert legend(right) == ["FINd"]
    assert left.yaxis.get_major_formatter()(0.5) == "50%"


def test_roc_of_labels_that_nobody_judged_has_one_panel(histograms):
    [axes] = accuracy.roc(histograms[histograms["labels"] == "as labelled"]).axes
    assert axes.get_title(loc="left") == "as labelled"
    assert axes.get_xlim()[0] == 0.1  # ten pairs show no smaller rate


def test_figures_of_a_set_without_same_family_pairs_are_drawn(histograms):
    alone = histograms[histograms["labels"] == "as labelled"].assign(same=0)
    assert [lines(axes) for axes in accuracy.roc(alone).axes] == [[]]
    assert len(accuracy.distances(alone).axes) == 1


def test_recall_intervals_marks_merged_labels_by_filled_circles():
    intervals = table(
        "method target recall low high labels",
        ("find", 1e-4, 0.8, 0.7, 0.9, "as labelled"),
        ("find", 1e-5, 0.4, 0.3, 0.5, "as labelled"),
        ("find", 1e-4, 0.9, 0.8, 1.0, "merged"),
        ("find", 1e-5, 0.6, 0.5, 0.7, "merged"),
    )
    left, right = accuracy.recall_intervals(intervals).axes
    assert rows(left) == ["FINd"]
    assert [axes.get_title(loc="left") for axes in (left, right)] == [
        "false positive rate $10^{-4}$",
        "false positive rate $10^{-5}$",
    ]
    assert labels(left)[0] == "recall"
    assert [x for x, _ in lines(left)] == [[0.7, 0.9], [0.8], [0.8, 1.0], [0.9]]
    assert [x for x, _ in lines(right)] == [[0.3, 0.5], [0.4], [0.5, 0.7], [0.6]]
    assert [line.get_markerfacecolor() for line in left.lines[1::2]] == ["white", style.FIND]


def test_pareto_draws_recall_against_both_costs():
    names = ["find", "find64"]
    rates = pd.DataFrame(
        {"method": names, "labels": "merged", "pairs": 10, "tpr_1e-05": [0.8, 0.4]}
    )
    each_hash = table("method ms_file", ("find", 0.3), ("find64", 0.4), ("find_middle", 0.25))
    matching = timings({"find": 0.2, "find64": 0.1})
    middle = table(
        "method target recall",
        ("find_middle", 1e-5, 0.95),
        ("find_middle", 1e-4, 1.0),
        ("find", 1e-5, 0.8),
    )
    figure = accuracy.pareto(each_hash, timings({"reference": 0.2}), matching, rates, middle)
    left, right = figure.axes
    assert labels(left) == (
        "milliseconds per image, JPEG file to hash",
        "recall at false positive rate $10^{-5}$",
    )
    assert labels(right)[0] == "seconds, all pairs of 5 images"
    assert lines(left) == [([0.3], [0.8]), ([0.4], [0.4]), ([200], [0.8]), ([0.25], [0.95])]
    assert lines(right) == [([0.2], [0.8]), ([0.1], [0.4]), ([0.2], [0.95])]
    assert legend(figure) == ["FINd", "64 bits", "FINd middle"]


def test_pareto_takes_the_smallest_rate_that_the_set_shows():
    rates = table(
        "method labels pairs tpr_1e-05 tpr_1e-04", ("find", "as labelled", 10, np.nan, 0.8)
    )
    each_hash, middle = table("method ms_file", ("find", 0.3)), table("method target recall")
    seconds = timings({"find": 0.2})
    figure = accuracy.pareto(each_hash, timings({"reference": 0.2}), seconds, rates, middle)
    assert labels(figure.axes[0])[1] == "recall at false positive rate $10^{-4}$"
    assert legend(figure) == ["FINd", "64 bits"]


def test_clusterings_draws_merged_labels_against_the_share_of_bits():
    scores = table(
        "truth algorithm method radius f1 largest",
        ("merged", "components", "find", 64, 0.9, 0.02),
        ("merged", "components", "find", 128, 0.1, 1.0),
        ("merged", "spheres", "find", 64, 0.8, 0.01),
        ("as labelled", "spheres", "find", 64, 0.0, 0.0),
    )
    figure = accuracy.clusterings(scores)
    left, right = figure.axes
    assert labels(left) == ("threshold as a share of the bits", "pairwise F1 (higher is better)")
    assert labels(right)[1] == "images in the largest cluster"
    assert lines(left) == [([0.25, 0.5], [0.9, 0.1]), ([0.25], [0.8])]
    assert lines(right) == [([0.25, 0.5], [0.02, 1.0]), ([0.25], [0.01])]
    assert legend(figure) == ["FINd", "components", "spheres"]


def test_bit_maps_draws_both_columns_as_they_lie():
    bits = table(
        "method row column same entropy",
        ("find", 1, 1, 0.4, 0.9),
        ("find", 0, 0, 0.1, 0.6),
        ("find", 0, 1, 0.2, 0.7),
        ("find", 1, 0, 0.3, 0.8),
    )
    same, entropy, *bars = accuracy.bit_maps(bits).axes
    np.testing.assert_array_equal(same.images[0].get_array(), [[0.1, 0.2], [0.3, 0.4]])
    np.testing.assert_array_equal(entropy.images[0].get_array(), [[0.6, 0.7], [0.8, 0.9]])
    assert same.get_title(loc="left") == "FINd"
    assert [bar.get_ylabel() for bar in bars] == ["differs within families", "entropy, bits"]


def test_caption_area_draws_medians_by_rounded_area():
    areas = table(
        "method area distance",
        ("find", 0.09, 10),
        ("find", 0.11, 20),
        ("find", 0.3, 40),
        ("pdq", 0.1, 5),
    )
    figure = accuracy.caption_area(areas)
    [axes] = figure.axes
    assert labels(axes) == ("share of the image under captions", "median distance, bits")
    np.testing.assert_allclose(lines(axes)[0], ([0.1, 0.3], [15, 40]))
    assert lines(axes)[1] == ([0.1], [5])
    assert legend(figure) == ["FINd", "PDQ"]


def test_variants_draws_one_panel_per_false_positive_rate():
    variants = table(
        "variant bits target recall low high",
        ("FINd", 256, 1e-4, 0.9, 0.8, 1.0),
        ("FINd, 128 best bits", 128, 1e-4, 0.8, 0.7, 0.9),
        ("FINd", 256, 1e-5, 0.5, 0.4, 0.6),
        ("FINd, 128 best bits", 128, 1e-5, 0.6, 0.5, 0.7),
    )
    left, right = accuracy.variants(variants).axes
    assert rows(left) == ["FINd (256)", "FINd, 128 best bits (128)"]
    assert [axes.get_title(loc="left") for axes in (left, right)] == [
        "FPR $10^{-4}$",
        "FPR $10^{-5}$",
    ]
    assert labels(left)[0] == "recall"
    assert [x for x, _ in lines(left)] == [[0.8, 1.0], [0.9], [0.7, 0.9], [0.8]]
    assert [x for x, _ in lines(right)] == [[0.4, 0.6], [0.5], [0.5, 0.7], [0.6]]


@pytest.mark.parametrize(
    ("draw", "column", "label"),
    [
        (accuracy.robustness, "recall", "recall"),
        (accuracy.robustness_distance, "own_median", "median distance, bits"),
    ],
)
def test_robustness_draws_strengths_in_order_and_leaves_gaps(draw, column, label):
    grid = table(
        f"method transform strength {column}",
        ("phash256", "jpeg", "50", 0.9),
        ("phash256", "jpeg", "20", 0.7),
        ("phash256", "caption_removed", "all", 0.1),
    )
    figure = draw(grid)
    axes, bar = figure.axes
    assert axes.get_title(loc="left") == "pHash"
    assert [text.get_text() for text in axes.get_yticklabels()] == ["jpeg", "caption removed"]
    cells = np.ma.filled(axes.images[0].get_array(), np.nan)
    np.testing.assert_array_equal(cells, [[0.9, 0.7], [0.1, np.nan]])
    assert bar.get_ylabel() == label
    assert figure.get_supxlabel() == "strength: mild to strong, left to right"


# Registry and style


def test_a_figure_without_results_is_not_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(project, "figures", lambda: tmp_path / "figures")
    monkeypatch.setattr(available, "exists", lambda name: False)
    assert figures.export("roc") is None
    assert not (tmp_path / "figures").exists()


def test_figures_read_committed_results():
    committed = project.results(project.root())
    read = {name for _, tables in figures.FIGURES.values() for name in tables}
    assert {name for name in read if not (committed / f"{name}.csv").exists()} == set()


def test_a_figure_is_exported_twice_as_the_same_bytes(tmp_path, monkeypatch):
    sizes = table("rank images", (1, 700), (2, 300))
    monkeypatch.setattr(available, "load", {"datasets_family_sizes": sizes}.__getitem__)
    monkeypatch.setattr(project, "figures", lambda: tmp_path / "figures")
    files = [tmp_path / "figures" / f"family_sizes.{kind}" for kind in ("pdf", "png")]
    written = []
    for _ in range(2):
        figures.export("family_sizes")
        written.append([file.read_bytes() for file in files])
    assert written[0] == written[1]
    assert written[0][0].startswith(b"%PDF")
    assert written[0][1].startswith(b"\x89PNG")


def test_every_hash_and_executor_has_a_colour_of_its_own():
    wide = [method for method in methods.METHODS.values() if method.bits == 256]
    assert len({method.colour for method in wide}) == len(wide)
    assert len(set(style.EXECUTOR_COLOURS.values())) == len(style.EXECUTOR_COLOURS)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (7.24e-5, "72.4 µs"),
        (0.00024, "240 µs"),
        (0.001, "1 ms"),
        (0.1589, "159 ms"),
        (231.4, "231 s"),
    ],
)
def test_durations_have_a_fitting_unit(seconds, text):
    assert style.duration(seconds) == text


def test_powers_are_mathematical_text():
    assert style.power(1e-5) == "$10^{-5}$"
