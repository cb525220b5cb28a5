"""Registry of the report's figures.

Every figure is drawn from results tables alone, so restyling a figure measures nothing again.
``export(stem)`` draws one figure; ``python -m finhash.study.report.figures`` draws them all.
"""

from collections.abc import Callable

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from finhash.study import project
from finhash.study.report import available
from finhash.study.report import figures_accuracy as accuracy
from finhash.study.report import figures_cost as cost
from finhash.study.report import figures_growth as growth
from finhash.study.report import figures_thresholds as thresholds
from finhash.study.report.style import use_style

FIGURES: dict[str, tuple[Callable[..., Figure], tuple[str, ...]]] = {
    "family_sizes": (accuracy.family_sizes, ("datasets_family_sizes",)),
    "calibration": (accuracy.calibration, ("rates_calibration",)),
    "profile": (cost.profile, ("baseline_steps",)),
    "growth": (cost.growth, ("baseline_growth_count", "baseline_growth_side")),
    "operations": (cost.operation_costs, ("baseline_operations", "baseline_growth_shape")),
    "box_filter": (cost.candidates, ("candidates_box", "candidates_box_exactness")),
    "luma": (cost.candidates, ("candidates_luma", "candidates_luma_exactness")),
    "margins": (cost.margins, ("certificate_margins",)),
    "ladder": (cost.ladder, ("ladder",)),
    "large_images": (cost.large_images, ("large_images_costs",)),
    "throughput": (cost.throughput, ("parallel_throughput_small", "parallel_throughput_large")),
    "memory_jobs": (cost.memory_jobs, ("parallel_memory", "parallel_memory_files")),
    "scaling_model": (cost.scaling_model, ("parallel_model", "parallel_throughput_small")),
    "distances": (accuracy.distances, ("counting_histograms",)),
    "roc": (accuracy.roc, ("counting_histograms",)),
    "confirmation": (accuracy.confirmation, ("confirmation",)),
    "recall_intervals": (accuracy.recall_intervals, ("resampling_intervals",)),
    "clusters": (accuracy.clusterings, ("clustering",)),
    "cluster_growth": (thresholds.cluster_growth, ("clustering_growth",)),
    "cost_curves": (thresholds.cost_curves, ("costs_curve",)),
    "robustness": (accuracy.robustness, ("robustness",)),
    "robustness_distance": (accuracy.robustness_distance, ("robustness",)),
    "bits": (accuracy.bit_maps, ("bits",)),
    "caption_area": (accuracy.caption_area, ("bits_caption_area",)),
    "variants": (accuracy.variants, ("bits_variants",)),
    "peers": (cost.contenders, ("search_contenders",)),
    "cluster_jobs": (cost.cluster_jobs, ("search_cluster_jobs",)),
    "pruning": (growth.pruning, ("pruning_distances",)),
    "join_growth": (growth.join_growth, ("growth_times", "growth_exponents")),
    "offload": (cost.offload, ("gpu_offload", "gpu_floors")),
    "pareto": (
        accuracy.pareto,
        ("each_hash", "ladder", "each_hash_matching", "rates", "bits_variant_intervals"),
    ),
}
"""Stem of the files -> function that draws the figure, and results tables that it reads."""


def exists(stem: str) -> bool:
    """Return whether this run draws the figure ``stem``; a user's own set may lack its results."""
    return all(available.exists(name) for name in FIGURES[stem][1])


def export(stem: str) -> Figure | None:
    """Draw the figure ``stem`` and write it as PDF for the report and as PNG for the README.

    The files hold no date, so a figure that has not changed is written as the same bytes. Return
    None, without a figure, if a user's own set lacks the results.
    """
    if not exists(stem):
        return None
    function, tables = FIGURES[stem]
    figure = function(*map(available.load, tables))
    folder = project.figures()
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"{stem}.pdf", metadata={"CreationDate": None})
    figure.savefig(folder / f"{stem}.png", metadata={"Software": None})
    return figure


def main() -> None:
    """Draw all figures of this run again."""
    use_style()
    for stem in FIGURES:
        export(stem)
        plt.close()


if __name__ == "__main__":
    main()
