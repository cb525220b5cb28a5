"""Registry of the report's figures.

Every figure but ``pipeline`` is drawn from results tables alone, so restyling a figure measures
nothing again.
``export(stem)`` draws one figure; ``python -m finhash.study.report.figures`` draws them all.
"""

from base64 import b64encode
from collections.abc import Callable
from io import BytesIO

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

from finhash.files import whole_file
from finhash.study import project, results
from finhash.study.report import available
from finhash.study.report import figures_accuracy as accuracy
from finhash.study.report import figures_cost as cost
from finhash.study.report import figures_growth as growth
from finhash.study.report import figures_pipeline as pipeline
from finhash.study.report import figures_thresholds as thresholds
from finhash.study.report.figures_alt import ALT
from finhash.study.report.style import use_style

FIGURES: dict[str, tuple[Callable[..., Figure], tuple[str, ...]]] = {
    "family_sizes": (accuracy.family_sizes, ("datasets_family_sizes",)),
    "calibration": (accuracy.calibration, ("rates_calibration",)),
    "pipeline": (pipeline.pipeline, ()),
    "profile": (cost.profile, ("baseline_steps",)),
    "growth": (cost.growth, ("baseline_growth_side",)),
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
    "pareto": (accuracy.pareto, ("each_hash", "ladder", "rates")),
}
"""Stem of the files -> function that draws the figure, and results tables that it needs."""

OPTIONAL: dict[str, tuple[str, ...]] = {
    "roc": ("resampling_intervals", "bits_variant_intervals"),
    "clusters": ("thresholds",),
    "pareto": ("resampling_intervals", "bits_variant_intervals", "tuned_phash"),
}
"""Stem of the files -> further tables, drawn if there are any; else the function is given None."""

SCREEN = 110
"""Pixels per inch of a figure on the screen. The PNG files hold a multiple, for sharp displays."""


def exists(stem: str) -> bool:
    """Return whether this run draws the figure ``stem``; a user's own set may lack its results."""
    return all(available.exists(name) for name in FIGURES[stem][1])


def draw(stem: str) -> Figure:
    """Draw the figure ``stem`` from the results tables of this run."""
    function, tables = FIGURES[stem]
    further = (name if results.exists(name) else None for name in OPTIONAL.get(stem, ()))
    return function(
        *map(available.load, tables), *(name and available.load(name) for name in further)
    )


def export(stem: str) -> None:
    """Draw the figure ``stem``, write it to files, and show it if called in a notebook.

    The files are a PDF for the report and a PNG for the README. They hold no date, so a figure that
    has not changed is written as the same bytes. The notebook shows the PNG with its alternative
    text. If a user's own set lacks the results, nothing is drawn.
    """
    if not exists(stem):
        return
    figure = draw(stem)
    folder = project.figures()
    with whole_file(folder / f"{stem}.pdf") as partial:
        figure.savefig(partial, format="pdf", metadata={"CreationDate": None})
    png = _png(figure)
    with whole_file(folder / f"{stem}.png") as partial:
        partial.write_bytes(png)
    plt.close(figure)
    _show(png, ALT[stem], round(figure.get_figwidth() * SCREEN))


def _png(figure: Figure) -> bytes:
    """Return the figure as a PNG of 256 colours, which takes less than half the bytes."""
    drawn, reduced = BytesIO(), BytesIO()
    figure.savefig(drawn, format="png")
    colours = Image.open(drawn).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    colours.save(reduced, format="png", optimize=True)
    return reduced.getvalue()


def _show(png: bytes, alt: str, width: int) -> None:
    """Show an image of ``width`` pixels in the notebook that this is called in, if any.

    The alternative text is in the metadata, where IPython puts it and nbconvert's template
    ``classic`` looks for it, and it is the output for programs that show text only.
    """
    from IPython import get_ipython
    from IPython.display import display

    if get_ipython() is None:
        return
    data = {"image/png": b64encode(png).decode(), "text/plain": alt}
    display(data, metadata={"image/png": {"alt": alt, "width": width}}, raw=True)


def main() -> None:
    """Draw all figures of this run again."""
    use_style()
    for stem in FIGURES:
        export(stem)


if __name__ == "__main__":
    main()
