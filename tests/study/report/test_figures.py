"""Figures draw what their results tables hold, with labelled axes, units and legends."""

import io
from base64 import b64encode

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from finhash import methods
from finhash.study import project
from finhash.study.cost import operations
from finhash.study.data import standin
from finhash.study.report import available, figures, figures_growth, figures_pipeline, style
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


def dots(axes: Axes) -> list[float]:
    """Return the values of a chart of dots, from top to bottom."""
    return [float(x[0]) for x, _ in lines(axes) if len(x) == 1]


def fills(axes: Axes) -> list[str]:
    """Return the colours that fill the dots of a chart, from top to bottom."""
    return [to_hex(line.get_markerfacecolor()) for line in axes.lines if len(line.get_xdata())]


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
        "20 ms (10.0%), without it 1.1 times faster",
        "180 ms (90.0%), without it 10 times faster",
    ]


def test_profile_states_no_gain_for_small_steps():
    steps = table("step seconds", ("shrink", 0.001), ("box filter", 0.999))
    [axes] = cost.profile(steps).axes
    assert texts(axes)[0] == "1.0 ms (0.1%)"


def test_growth_draws_the_fastest_repeats_by_side():
    sides = table(
        "content side seconds",
        ("noise", 64, 0.02),
        ("noise", 64, 0.01),
        ("noise", 128, 0.04),
        ("flat", 64, 0.01),
    )
    figure = cost.growth(sides)
    [axes] = figure.axes
    assert labels(axes) == ("side of a square image, pixels", "seconds per image")
    guide, fit, *measured = lines(axes)
    assert guide == ([64, 128], [0.01, 0.04])
    assert measured == [([64, 128], [0.01, 0.04]), ([64], [0.01])]
    model = operations.fit_work([(64, 64), (128, 128)], [0.01, 0.04])
    np.testing.assert_allclose(fit[1], operations.predict(model, [(side, side) for side in fit[0]]))
    assert legend(figure) == [
        "proportional to pixels",
        "fit to counted operations",
        "measured, noise",
        "measured, one colour",
    ]
    assert texts(axes) == []  # nothing larger than 512 pixels


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
    assert labels(axes)[0] == "milliseconds per image, log scale (lower is better)"
    assert axes.get_xscale() == "log"
    assert rows(axes) == ["reference", "summed area"]
    np.testing.assert_allclose(dots(axes), [200, 0.5])
    assert fills(axes) == [style.FIND.lower(), "#ffffff"]
    assert texts(axes) == ["200 ms, fastest exact one", "0.50 ms, 1,274 bits changed"]


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
    seconds = timings({"reference": 0.2, "+ simplejpeg": 0.05, "ahash64": 0.0008})
    figure = cost.ladder(seconds)
    [axes] = figure.axes
    assert labels(axes)[0].startswith("milliseconds per image, JPEG file to hash, log scale")
    assert rows(axes) == ["reference", "+ faster JPEG decoder", "aHash"]
    np.testing.assert_allclose(dots(axes), [200, 50, 0.8])
    assert texts(axes) == ["200 ms", "50 ms, 4.0 times faster", "0.80 ms"]
    assert legend(figure) == [
        "FINd, cumulative optimisations",
        "imagehash, 64 bits, Pillow decoder",
    ]


def test_ladder_without_other_hashes_has_no_entry_for_them():
    figure = cost.ladder(timings({"reference": 0.2, "+ box filter": 0.05}))
    assert legend(figure) == ["FINd, cumulative optimisations"]


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
        assert rows(axes) == ["serial", "2 processes"]
        assert widths(axes) == [300, 300, 600, 400]
        assert faces(axes) == ["#ffffff", style.BLUE.lower()] * 2
        assert texts(axes) == ["300", "400", "600"]
        assert [x for x, _ in lines(axes)] == [[500, 500], [1000, 1000]]
    assert legend(figure) == [
        "whole job",
        "start of the workers left out",
        "decoding alone, one core and twice that",
    ]


def test_memory_of_jobs_is_in_megabytes():
    jobs = table("executor workers bytes", ("serial", 1, 200e6), ("dask", 2, 500e6))
    files = table("files bytes", (10**4, 400e6), (10**6, 430e6))
    left, right = cost.memory_jobs(jobs, files).axes
    assert labels(left)[0] == "peak memory, MB (lower is better)"
    assert rows(left) == ["serial", "2 Dask workers"]
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
    assert legend(axes) == [
        "processes, model",
        "processes, measured",
        "dask, model",
        "proportional to cores",
    ]


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
    assert dots(axes) == list(searches["throughput"])
    assert fills(axes) == [style.FIND.lower(), style.DARK, "#ffffff"]
    assert texts(axes) == ["80,000, recall 100%", "20,000, recall 100%", "10,000, recall 53.1%"]


def test_cluster_jobs_draws_seconds_and_megabytes():
    jobs = table(
        "algorithm images seconds before peak",
        ("components", 1_000, 0.2, 1e8, 3e8),
        ("components", 9_000, 2.0, 1e8, 4e8),
        ("spheres", 1_000, 0.5, 2e8, 3e8),
    )
    left, right = cost.cluster_jobs(jobs).axes
    assert labels(left) == ("images", "seconds")
    assert labels(right) == ("images", "added memory, MB")
    assert lines(left) == [([1_000, 9_000], [0.2, 2.0]), ([1_000], [0.5])]
    assert lines(right) == [([1_000, 9_000], [200, 300]), ([1_000], [100])]
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
        "FINd, 256 bits, threshold 31\nfamilies grow in number",
        "dHash 64, 64 bits, threshold 4\nfamilies grow in size",
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


def test_roc_draws_the_labels_that_are_reported_first(histograms):
    [axes] = accuracy.roc(histograms, None, None).axes
    assert labels(axes) == ("false positive rate, log scale", "recall of same-family pairs")
    assert axes.get_xscale() == "log"
    [(rates, recall)] = lines(axes)
    # Ten pairs can show no smaller rate than 0.1, but the smallest one here is 1 / 8.
    np.testing.assert_allclose(rates, [0.125, 0.25, 1.0])
    np.testing.assert_allclose(recall, [0.75, 1.0, 1.0])
    assert list(axes.get_xticks()) == [0.1, 1]
    assert texts(axes) == ["FINd"]
    assert axes.yaxis.get_major_formatter()(0.5) == "50%"


def test_roc_draws_intervals_at_rates_that_the_pairs_can_show(histograms):
    intervals = table(
        "method target recall low high labels",
        ("find", 0.25, 1.0, 0.6, 1.0, "merged"),
        ("find", 0.25, 1.0, 0.1, 1.0, "as labelled"),
        ("find", 0.01, 0.5, 0.4, 0.9, "merged"),
        ("pdq", 0.25, 0.5, 0.4, 0.9, "merged"),  # a hash without histogram
    )
    [axes] = accuracy.roc(histograms, intervals, None).axes
    _, (at, interval), dot = lines(axes)
    assert at == [0.25, 0.25]
    assert interval == [0.6, 1.0]
    np.testing.assert_allclose(dot, [[0.25], [1.0]])


def test_roc_says_of_the_middle_half_whose_captions_decide(histograms):
    middle = table(
        "method target recall low high",
        ("find_middle", 0.25, 0.9, 0.8, 1.0),
        ("find_middle", 0.125, 0.8, 0.7, 0.9),
        ("find", 0.25, 0.9, 0.8, 1.0),
    )
    [axes] = accuracy.roc(histograms, None, middle).axes
    assert [y for _, y in lines(axes)[1:]] == [[0.7, 0.9], [0.8, 1.0], [0.8, 0.9]]
    assert texts(axes) == ["FINd", "FINd middle (captions placed by us)"]


def test_figures_of_a_set_without_same_family_pairs_are_drawn(histograms):
    alone = histograms[histograms["labels"] == "as labelled"].assign(same=0)
    assert [lines(axes) for axes in accuracy.roc(alone, None, None).axes] == [[]]
    assert len(accuracy.distances(alone).axes) == 1


def test_recall_intervals_marks_merged_labels_by_filled_circles():
    intervals = table(
        "method target recall low high labels",
        ("find", 1e-4, 0.8, 0.7, 0.9, "as labelled"),
        ("find", 1e-5, 0.4, 0.3, 0.5, "as labelled"),
        ("find", 1e-4, 0.9, 0.8, 1.0, "merged"),
        ("find", 1e-5, 0.6, 0.5, 0.7, "merged"),
    )
    figure = accuracy.recall_intervals(intervals)
    left, right = figure.axes
    assert legend(figure) == ["as labelled", "families of one image merged"]
    assert rows(left) == ["FINd"]
    assert [axes.get_title(loc="left") for axes in (left, right)] == [
        "false positive rate $10^{-4}$",
        "false positive rate $10^{-5}$",
    ]
    assert labels(left)[0] == "recall"
    assert [x for x, _ in lines(left)] == [[0.7, 0.9], [0.8], [0.8, 1.0], [0.9]]
    assert [x for x, _ in lines(right)] == [[0.3, 0.5], [0.4], [0.5, 0.7], [0.6]]
    assert fills(left)[1::2] == ["#ffffff", style.FIND.lower()]


@pytest.fixture
def costs() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Milliseconds of three hashes, and seconds of the reference implementation."""
    each_hash = table("method ms_file", ("find", 0.3), ("find64", 0.4), ("find_middle", 0.25))
    return each_hash, timings({"reference": 0.2, "+ simplejpeg": 0.0004})


def test_pareto_draws_recall_against_the_time_of_a_hash(costs):
    rates = table(
        "method labels tpr_1e-04 tpr_1e-03",
        ("find", "merged", 0.8, 0.9),
        ("find64", "merged", 0.4, 0.5),
    )
    intervals = table(
        "method target recall low high labels",
        ("find", 1e-4, 0.8, 0.7, 0.9, "merged"),
        ("find", 1e-5, 0.4, 0.3, 0.5, "merged"),
    )
    middle = table(
        "method target recall low high",
        ("find_middle", 1e-4, 0.95, 0.9, 1.0),
        ("find_middle", 1e-5, 0.9, 0.8, 1.0),
        ("find", 1e-4, 0.8, 0.7, 0.9),
    )
    [axes] = accuracy.pareto(*costs, rates, intervals, middle).axes
    assert labels(axes) == (
        "milliseconds per image, JPEG file to hash, log scale (lower is better)",
        "recall at false positive rate $10^{-4}$",
    )
    assert lines(axes) == [
        ([0.3, 0.3], [0.7, 0.9]),
        ([0.25, 0.25], [0.9, 1.0]),
        ([0.3], [0.8]),
        ([0.4], [0.4]),
        ([0.25], [0.95]),
    ]
    assert texts(axes) == [
        "reference: 500 times\nFINd's time →",
        "FINd",
        "FINd 64",
        "FINd middle (captions placed by us)",
    ]


def test_pareto_draws_compiled_phash_at_a_multiple_of_finds_time(costs):
    each_hash, ladder = costs
    each_hash = pd.concat([each_hash, table("method ms_file", ("phash256", 0.9))])
    rates = table("method labels tpr_1e-04", ("find", "merged", 0.8), ("phash256", "merged", 0.85))
    tuned = table("contender ratio", ("pHash, compiled", 1.5), ("FINd", 1.0))
    [axes] = accuracy.pareto(each_hash, ladder, rates, None, None, tuned).axes
    np.testing.assert_allclose(lines(axes)[-1], ([0.45], [0.85]))
    assert "pHash, compiled" in texts(axes)


def test_pareto_takes_the_smallest_rate_that_the_set_shows(costs):
    rates = table("method labels tpr_1e-04 tpr_1e-03", ("find", "as labelled", np.nan, 0.8))
    [axes] = accuracy.pareto(*costs, rates, None, None).axes
    assert labels(axes)[1] == "recall at false positive rate $10^{-3}$"
    assert lines(axes) == [([0.3], [0.8])]


def test_pareto_leaves_out_hashes_without_recall(costs):
    rates = table("method labels tpr_1e-04", ("find", "merged", 0.8), ("find64", "merged", np.nan))
    [axes] = accuracy.pareto(*costs, rates, None, None).axes
    assert texts(axes)[1:] == ["FINd"]


def test_clusterings_draws_one_panel_per_algorithm():
    scores = table(
        "truth algorithm method radius f1 largest",
        ("merged", "components", "find", 64, 0.9, 0.02),
        ("merged", "components", "find", 128, 0.1, 1.0),
        ("merged", "spheres", "find", 64, 0.8, 0.01),
        ("merged", "spheres", "pdq", 64, 0.8, 0.01),
        ("as labelled", "spheres", "find", 64, 0.0, 0.0),
    )
    ruled = table(
        "use method threshold",
        ("cluster", "find", 52),
        ("cluster", "pdq", 54),
        ("search", "find", 72),
        ("match", "find", 1),
    )
    figure = accuracy.clusterings(scores, ruled)
    left, right = figure.axes
    assert labels(left) == ("threshold, bits", "pairwise F1 (higher is better)")
    assert lines(left)[:2] == [([64, 128], [0.9, 0.1]), ([64, 128], [0.02, 1.0])]
    assert lines(right)[0] == ([64], [0.8])
    assert (lines(left)[2][0], lines(right)[1][0]) == ([52, 52], [72, 72])
    assert texts(left) == ["52"]
    assert legend(figure) == ["FINd", "images in FINd's largest cluster", "FINd's threshold"]


def test_clusterings_of_a_set_without_thresholds_are_drawn():
    scores = table(
        "truth algorithm method radius f1 largest",
        ("as labelled", "components", "dhash256", 64, np.nan, 0.02),
    )
    figure = accuracy.clusterings(scores, None)
    assert legend(figure) == ["dHash"]


def test_bit_maps_draws_both_columns_as_they_lie():
    bits = table(
        "method row column same entropy",
        ("find", 1, 1, 0.4, 0.9),
        ("find", 0, 0, 0.1, 0.6),
        ("find", 0, 1, 0.2, 0.7),
        ("find", 1, 0, 0.3, 0.8),
    )
    frequencies = bits.assign(method="dhash256")
    figure = accuracy.bit_maps(pd.concat([frequencies, bits]))
    same, place, entropy, _, *bars = figure.axes
    assert (labels(entropy), place.get_ylabel()) == (
        ("horizontal\nfrequency", "vertical\nfrequency"),
        "row",
    )
    same, _, entropy, *_ = figure.axes  # FINd, whose bits are frequencies, is first
    np.testing.assert_array_equal(same.images[0].get_array(), [[0.1, 0.2], [0.3, 0.4]])
    np.testing.assert_array_equal(entropy.images[0].get_array(), [[0.6, 0.7], [0.8, 0.9]])
    assert same.get_title(loc="left") == "FINd"
    assert [bar.get_ylabel() for bar in bars] == ["differs within\nfamilies", "entropy, bits"]


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


def test_variants_draws_one_panel_per_small_false_positive_rate():
    variants = table(
        "variant bits target recall low high",
        ("FINd", 256, 1e-4, 0.9, 0.8, 1.0),
        ("FINd", 256, 1e-5, 0.5, 0.4, 0.6),
        ("dHash, middle rows", 128, 1e-5, 0.6, 0.5, 0.7),
        ("FINd and dHash, 128 best of each", 256, 1e-5, 0.7, 0.6, 0.8),
    )
    [axes] = accuracy.variants(variants).axes
    assert rows(axes) == [
        "FINd (256)",
        "dHash, middle rows (128)",
        "FINd and dHash, 128 best of each (256)",
    ]
    assert axes.get_title(loc="left") == "false positive rate $10^{-5}$"
    assert labels(axes)[0] == "recall"
    assert [x for x, _ in lines(axes)] == [
        *([0.4, 0.6], [0.5]),
        *([0.5, 0.7], [0.6]),
        *([0.6, 0.8], [0.7]),
    ]
    dhash = methods.get("dhash256").colour
    assert [line.get_color() for line in axes.lines[1::2]] == [style.FIND, dhash, style.DARK]
    assert fills(axes)[1::2] == [style.FIND.lower(), "#ffffff", "#ffffff"]


def test_variants_of_a_small_set_are_drawn_at_the_rates_it_has():
    variants = table("variant bits target recall low high", ("FINd", 256, 1e-3, 0.9, 0.8, 1.0))
    [axes] = accuracy.variants(variants).axes
    assert dots(axes) == [0.9]


def test_robustness_draws_the_middle_strengths_beside_undisturbed_images():
    grid = table(
        "method transform strength own_median own_high recall",
        ("phash256", "crop", "1", 4, 6, 0.7),
        ("phash256", "crop", "5", 70, 80, 0.25),
        ("phash256", "crop", "10", 120, 130, 0.0),
        ("phash256", "colour", "half", 0, 0, 0.91),
        ("phash256", "colour", "grey", 0, 2, 0.9),
        ("pdq", "crop", "1", 4, 6, 0.5),
    )
    [axes] = accuracy.robustness(grid).axes
    assert rows(axes) == ["pHash", "PDQ"]
    columns = [label.get_text() for label in axes.get_xticklabels()]
    assert columns == ["undisturbed", "colour: half", "crop 5 % per side"]
    # PDQ: nothing but its mildest change
    assert texts(axes) == ["91", "91", "25", "50", "kept", "partly lost"]
    assert labels(axes)[0] == "recall of the other images of the family, %"


def test_robustness_names_a_change_that_it_does_not_know():
    grid = table(
        "method transform strength own_median own_high recall", ("find", "new_one", "2", 1, 1, 0.5)
    )
    [axes] = accuracy.robustness(grid).axes
    assert axes.get_xticklabels()[1].get_text() == "new one 2"


def test_robustness_distance_draws_strengths_in_order_and_leaves_gaps():
    grid = table(
        "method transform strength own_median",
        ("phash256", "jpeg", "50", 9),
        ("phash256", "jpeg", "20", 7),
        ("phash256", "caption_removed", "all", 1),
    )
    axes, bar = accuracy.robustness_distance(grid).axes
    assert axes.get_title(loc="left") == "pHash"
    assert [text.get_text() for text in axes.get_yticklabels()] == ["jpeg", "caption removed"]
    cells = np.ma.filled(axes.images[0].get_array(), np.nan)
    np.testing.assert_array_equal(cells, [[9, 7], [1, np.nan]])
    assert bar.get_ylabel() == "median distance, bits"


def test_confirmation_draws_one_panel_per_target():
    found = table(
        "labels method target fpr recall low high",
        ("merged", "find", 1e-3, 4e-4, 0.9, 0.8, 1.0),
        ("merged", "find", 1e-4, 2e-5, 0.7, 0.6, 0.8),
        ("merged", "find64", 1e-4, 2e-5, 0.7, 0.6, 0.8),
        ("as labelled", "find", 1e-4, 2e-5, 0.1, 0.0, 0.2),
    )
    figure = accuracy.confirmation(found)
    left, right = figure.axes
    assert right.get_title(loc="left") == "target $10^{-4}$"
    assert lines(right) == [
        ([1e-4, 1e-4], [0, 1]),
        ([2e-5, 2e-5], [0.6, 0.8]),
        ([2e-5], [0.7]),
    ]
    assert labels(left) == ("false positive rate", "recall on set B")
    assert legend(figure) == ["FINd"]


def test_pipeline_ends_in_the_bits_of_the_hash():
    figure = figures_pipeline.pipeline()
    image, luma, blurred, samples, coefficients, bits = (axes.images[0] for axes in figure.axes)
    assert image.get_array().shape == (250, 250, 3)
    assert luma.get_array().shape == blurred.get_array().shape == (250, 250)
    assert samples.get_array().shape == (64, 64)
    assert coefficients.get_array().shape == (16, 16)
    example = io.BytesIO(standin.example(figures_pipeline.FAMILY))
    unpacked = np.unpackbits(methods.get("find").hash(Image.open(example))).reshape(16, 16)
    np.testing.assert_array_equal(bits.get_array(), unpacked)


# Registry and style


def test_a_figure_without_results_is_not_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(project, "figures", lambda: tmp_path / "figures")
    monkeypatch.setattr(available, "exists", lambda name: False)
    figures.export("roc")
    assert not (tmp_path / "figures").exists()


def test_figures_read_committed_results():
    committed = project.results(project.root())
    needed = [tables for _, tables in figures.FIGURES.values()]
    read = {name for tables in (*needed, *figures.OPTIONAL.values()) for name in tables}
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


def test_a_table_that_a_figure_can_do_without_may_be_missing(tmp_path, monkeypatch, histograms):
    monkeypatch.setattr(figures.results, "exists", lambda name: False)
    monkeypatch.setattr(available, "load", {"counting_histograms": histograms}.__getitem__)
    assert texts(figures.draw("roc").axes[0]) == ["FINd"]


def test_a_notebook_shows_a_figure_with_its_alternative_text(tmp_path, monkeypatch, capsys):
    sizes = table("rank images", (1, 700), (2, 300))
    monkeypatch.setattr(available, "load", {"datasets_family_sizes": sizes}.__getitem__)
    monkeypatch.setattr(project, "figures", lambda: tmp_path / "figures")
    figures.export("family_sizes")
    assert capsys.readouterr() == ("", "")  # not in a notebook
    monkeypatch.setattr("IPython.get_ipython", object)
    shown = []
    monkeypatch.setattr(
        "IPython.display.display", lambda data, **kinds: shown.append((data, kinds))
    )
    figures.export("family_sizes")
    [(data, kinds)] = shown
    alt = figures.ALT["family_sizes"]
    png = (tmp_path / "figures" / "family_sizes.png").read_bytes()
    assert data == {"image/png": b64encode(png).decode(), "text/plain": alt}
    assert kinds == {"metadata": {"image/png": {"alt": alt, "width": 396}}, "raw": True}
    assert Image.open(io.BytesIO(png)).width == 2 * 396
    assert not plt.get_fignums()


def test_every_figure_has_an_alternative_text_of_one_sentence():
    assert list(figures.ALT) == list(figures.FIGURES)
    for text in figures.ALT.values():
        assert text.endswith(".")
        assert ". " not in text


def test_no_text_is_smaller_than_7_points(histograms, costs):
    rates = table("method labels tpr_1e-04", ("find", "merged", 0.8), ("find64", "merged", 0.4))
    grid = table(
        "method transform strength own_median own_high recall", ("find", "jpeg", "9", 1, 1, 0.5)
    )
    drawn = (
        accuracy.roc(histograms, None, None),
        accuracy.pareto(*costs, rates, None, None),
        accuracy.robustness(grid),
        cost.ladder(timings({"reference": 0.2, "ahash64": 0.0008})),
        figures_pipeline.pipeline(),
    )
    for figure in drawn:
        figure.draw_without_rendering()
        sizes = [each.get_fontsize() for each in figure.findobj(Text) if each.get_text().strip()]
        assert min(sizes) >= style.SMALLEST
        assert figure.get_figwidth() * 2.54 <= 16.2


def test_every_hash_and_executor_has_a_colour_of_its_own():
    wide = [method for method in methods.METHODS.values() if method.bits == 256]
    assert len({method.colour for method in wide}) == len(wide)
    looks = [style.look(method.name) for method in wide]
    assert len({look["marker"] for look in looks}) == len(wide)
    assert len({str(look["linestyle"]) for look in looks}) == len(wide)
    assert len(set(style.EXECUTOR_COLOURS.values())) == len(style.EXECUTOR_COLOURS)


def test_short_hashes_and_registered_ones_have_a_look(monkeypatch):
    monkeypatch.setattr(methods, "METHODS", dict(methods.METHODS))
    methods.register("mine", lambda image: np.zeros(8, np.uint8), bits=64)
    methods.register("yours", lambda image: np.zeros(32, np.uint8), bits=256)
    mine, yours, dhash = (style.look(name) for name in ("mine", "yours", "dhash64"))
    assert mine["marker"] != yours["marker"]
    assert (mine["markerfacecolor"], yours["markerfacecolor"]) == ("white", yours["color"])
    assert dhash["marker"] == style.look("dhash256")["marker"]


def test_labels_that_touch_are_moved_apart():
    assert style.spread([], 1).tolist() == []
    np.testing.assert_allclose(style.spread([3, 0, 3, 3], 1), [2, 0, 3, 4])


def test_labels_of_points_do_not_overlap():
    figure, axes = plt.subplots()
    points = [(0.5, 0.5, "one"), (0.52, 0.5, "two"), (0.5, 0.52, "three")]
    axes.plot([0, 1], [0, 1], ".")
    for x, y, _ in points:
        axes.plot(x, y, "o")
    style.label_points(axes, points)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axes.texts]
    assert [text.get_text() for text in axes.texts] == ["one", "two", "three"]
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0724, "0.072 ms"),
        (0.24, "0.24 ms"),
        (0.999, "1.0 ms"),
        (99.6, "100 ms"),
        (231.4, "231 ms"),
    ],
)
def test_milliseconds_have_two_digits_or_three(value, text):
    assert style.milliseconds(value) == text


def test_powers_are_mathematical_text():
    assert style.power(1e-5) == "$10^{-5}$"
