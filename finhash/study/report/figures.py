"""Figures: one function each, from results tables alone, so that restyling measures nothing again.

``export(stem)`` draws one from its results and writes it, as PDF for the report and PNG for the
README, under the stem that the report's label has too. ``python -m finhash.study.report.figures`` does all.
"""

from collections.abc import Callable

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from finhash.study import project, results
from finhash.study.report import figures_accuracy, figures_cost
from finhash.study.report.style import use_style


def export(stem: str) -> Figure:
    """Draw the figure from its results tables and write ``figures/<stem>.pdf`` and ``.png``.

    Neither file holds a date: equal figures are equal files.
    """
    function, tables = FIGURES[stem]
    figure = function(*map(results.load, tables))
    folder = project.figures()
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"{stem}.pdf", metadata={"CreationDate": None})
    figure.savefig(folder / f"{stem}.png", metadata={"Software": None})
    return figure


FIGURES: dict[str, tuple[Callable[..., Figure], tuple[str, ...]]] = {
    "family_sizes": (figures_accuracy.family_sizes, ("memes_family_sizes",)),
    "calibration": (figures_accuracy.calibration, ("rates_calibration",)),
    "profile": (figures_cost.profile, ("baseline_steps",)),
    "growth": (figures_cost.growth, ("baseline_growth_count", "baseline_growth_side")),
    "operations": (figures_cost.operation_costs, ("baseline_operations", "baseline_growth_shape")),
    "box_filter": (figures_cost.candidates, ("candidates_box", "candidates_box_exactness")),
    "luma": (figures_cost.candidates, ("candidates_luma", "candidates_luma_exactness")),
    "margins": (figures_cost.margins, ("certificate_margins",)),
    "ladder": (figures_cost.ladder, ("ladder",)),
    "throughput": (figures_cost.throughput, ("parallel_rates_small", "parallel_rates_large")),
    "memory_jobs": (figures_cost.memory_jobs, ("parallel_memory", "parallel_memory_files")),
    "scaling_model": (figures_cost.scaling_model, ("parallel_model", "parallel_rates_small")),
    "distances": (figures_accuracy.distances, ("counting_histograms",)),
    "roc": (figures_accuracy.roc, ("counting_histograms",)),
    "recall_intervals": (figures_accuracy.recall_intervals, ("resampling_intervals",)),
    "clusters": (figures_accuracy.clusterings, ("clustering",)),
    "robustness": (figures_accuracy.robustness, ("robustness",)),
    "robustness_distance": (figures_accuracy.robustness_distance, ("robustness",)),
    "bits": (figures_accuracy.bit_maps, ("bits",)),
    "caption_area": (figures_accuracy.caption_area, ("bits_caption_area",)),
    "variants": (figures_accuracy.variants, ("bits_variants",)),
    "peers": (figures_cost.peers, ("search_peers",)),
    "cluster_jobs": (figures_cost.cluster_jobs, ("search_cluster_jobs",)),
    "offload": (figures_cost.offload, ("gpu_offload", "gpu_floors")),
    "pareto": (
        figures_accuracy.pareto,
        ("each_hash", "ladder", "each_hash_matching", "rates", "bits_variant_intervals"),
    ),
}
"""Stem -> the function that draws the figure, and the results tables that it reads."""


def main() -> None:
    """Draw all figures again."""
    use_style()
    for stem in FIGURES:
        plt.close(export(stem))


if __name__ == "__main__":
    main()
