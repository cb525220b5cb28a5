"""Figure of FINd's steps. It is computed from a drawn meme, so it needs no results table."""

import io

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from finhash.find import reference
from finhash.find.geometry import KEPT, MAX_SIDE, SAMPLES, half_width
from finhash.study.data import standin
from finhash.study.report.style import DARK, SMALLEST

FAMILY = 0
"""Family of the drawn template."""


def pipeline() -> Figure:
    """Draw the six stages from an image to its FINd hash, with a caption of what each step does.

    The steps are those of ``finhash.find.reference``. The example is a drawn template with a
    caption, which may be published.
    """
    image = reference.shrink(Image.open(io.BytesIO(standin.example(FAMILY))).convert("RGB"))
    cols, rows = image.size
    luma = reference.fill_luma(image)
    blurred = reference.box_filter(luma, rows, cols)
    samples = reference.decimate(blurred, rows, cols)
    coefficients = reference.dct_64_to_16(samples)
    bits = reference.hash_bits(coefficients)

    side = 2 * half_width(cols)
    # Coefficients span orders of magnitude; square roots show the small ones too.
    signed = np.sign(coefficients) * np.sqrt(np.abs(coefficients))
    limit = np.abs(signed).max()
    grey = {"cmap": "gray", "vmin": 0, "vmax": 255}
    balanced = {"cmap": "gray", "vmin": -limit, "vmax": limit}  # zero is grey
    shape = (rows, cols)
    stages = [
        (image, {}, "1  image", f"{cols} × {rows} pixels;\nlarger ones are\nshrunk to {MAX_SIDE}"),
        (np.reshape(luma, shape), grey, "2  luma", "brightness:\n0.299 R + 0.587 G\n+ 0.114 B"),
        (np.reshape(blurred, shape), grey, "3  box filter", f"mean of {side} × {side}\npixels"),
        (samples, grey, "4  decimate", f"{SAMPLES} × {SAMPLES} of the\npixels, evenly\nspaced"),
        (signed, balanced, "5  DCT", f"{KEPT} × {KEPT} lowest\nfrequencies,\nwithout the mean"),
        (
            bits,
            {"cmap": "gray"},
            "6  median",
            f"{KEPT**2} bits: 1 (white)\nabove the median,\nlast one first",
        ),
    ]
    figure, panels = plt.subplots(1, len(stages), figsize=(6.3, 1.6))
    figure.get_layout_engine().set(w_pad=0.01, wspace=0.14)
    for axes, (pixels, colours, title, caption) in zip(panels, stages, strict=True):
        axes.imshow(pixels, interpolation="nearest", **colours)
        axes.set(xticks=[], yticks=[])
        axes.grid(visible=False)
        axes.spines[:].set(visible=True, color=DARK, linewidth=0.6)
        axes.set_title(title, fontsize=8)
        axes.set_xlabel(caption, fontsize=SMALLEST, linespacing=1.15)
    arrow = {"arrowstyle": "-|>", "color": DARK, "linewidth": 0.8, "mutation_scale": 7}
    for axes in panels[1:]:
        axes.annotate(
            "",
            (0, 0.5),
            (-0.16, 0.5),
            xycoords="axes fraction",
            arrowprops=arrow | {"shrinkA": 0, "shrinkB": 0},
            annotation_clip=False,
        )
    return figure
