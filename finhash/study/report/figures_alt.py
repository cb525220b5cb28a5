"""Alternative texts of the figures: what each one shows, for readers who do not see it.

They describe axes, lines and dots, not results, and so hold for every set of images.
"""

ALT = {
    "family_sizes": "Line on log axes: the number of images of each family against its rank.",
    "calibration": (
        "Two panels of dots with bars: mean and standard deviation of the distances within and "
        "between families, published and measured, for each hash."
    ),
    "pipeline": (
        "Six small images in a row, joined by arrows: a drawn meme, its luma, the luma after the "
        "box filter, 64 by 64 samples, 16 by 16 DCT coefficients, and 256 bits in black and white."
    ),
    "profile": (
        "Bars: milliseconds of each step of the reference implementation, with its share of the "
        "total."
    ),
    "growth": (
        "Dots and a fitted line on log axes: seconds per image of the reference implementation "
        "against the side of the image, rising up to 512 pixels and level beyond."
    ),
    "operations": (
        "Two panels: nanoseconds per operation of three steps against the side of the image, and "
        "measured against predicted seconds of images of other shapes."
    ),
    "box_filter": (
        "Dots on a log axis: milliseconds of each candidate for the box filter; dots of candidates "
        "that change bits are open."
    ),
    "luma": (
        "Dots on a log axis: milliseconds of each candidate for luma; dots of candidates that "
        "change bits are open."
    ),
    "margins": (
        "Bars on a log axis: the share of images by the margin of their median, for the set and "
        "for random images, with a line at the bound above which the fast path is proved exact."
    ),
    "ladder": (
        "Dots on a log axis: milliseconds per image from the reference implementation through "
        "each added optimisation, and below them those of the hashes of imagehash."
    ),
    "large_images": (
        "Two panels of lines on log axes: milliseconds per image against its longer side, for "
        "FINd, hashes of imagehash and decoding alone, and the same times relative to decoding."
    ),
    "throughput": (
        "Two panels of bars, for small and for large images: images per second of serial, "
        "threaded, multiprocess and Dask jobs, with and without the start of the workers, and "
        "lines for decoding alone on one and on two cores."
    ),
    "memory_jobs": (
        "Bars of the peak memory of jobs by executor, and a line of peak memory against the number "
        "of files."
    ),
    "scaling_model": (
        "Lines on log axes: modelled images per second against the number of cores for processes "
        "and Dask, with measured points and a line proportional to the cores."
    ),
    "distances": (
        "One panel per hash of 256 bits: the distributions of Hamming distances within families "
        "and between families."
    ),
    "roc": (
        "One line per hash of 256 bits: recall of same-family pairs against the false positive "
        "rate on a log axis, with intervals of recall at some rates."
    ),
    "confirmation": (
        "Three panels, one per target rate: measured false positive rate and recall of each hash "
        "on set B, with a line at the target."
    ),
    "recall_intervals": (
        "One panel per false positive rate: recall of each hash with its interval, for families as "
        "labelled and for merged ones."
    ),
    "clusters": (
        "Two panels, connected components and spheres: pairwise F1 of FINd, pHash and dHash "
        "against the threshold in bits, the share of images in FINd's largest cluster, and FINd's "
        "recommended threshold."
    ),
    "cluster_growth": (
        "Two panels of lines: the best clustering threshold against the number of families, and "
        "the F1 of the whole collection at that threshold."
    ),
    "cost_curves": (
        "Two panels of lines: the cost of FINd's thresholds for several costs of a false pair, and "
        "each hash's threshold of least cost."
    ),
    "robustness": (
        "Table of shaded cells: recall in percent of each hash, undisturbed and after each kind of "
        "change to the image, from the most to the least harmless change."
    ),
    "robustness_distance": (
        "One panel per hash: the median distance of changed images to their originals as colours, "
        "by kind and strength of the change."
    ),
    "bits": (
        "Two rows of squares, one column per hash: how often each of 256 bits differs within "
        "families, and the entropy of each bit."
    ),
    "caption_area": (
        "One line per hash: median distance to the family's majority hash against the share of the "
        "image under captions."
    ),
    "variants": (
        "One panel per false positive rate: recall of FINd and dHash, and of hashes with chosen or "
        "weighted bits, with the span of the folds."
    ),
    "peers": (
        "Dots on a log axis: queries per second and recall of each search library; dots of "
        "searches that miss matches are open."
    ),
    "cluster_jobs": (
        "Two panels of lines: seconds and added memory of clustering against the number of images, "
        "for connected components and spheres."
    ),
    "pruning": (
        "Histogram: hashes by their distance from one centre, with the band of distances that a "
        "member of its family is compared with."
    ),
    "join_growth": (
        "Panels of lines on log axes, one per hash and kind of growth: seconds of a self join "
        "against the number of hashes, for exhaustive, pruned and approximate joins."
    ),
    "offload": (
        "Two stacked bars: microseconds per image of reading, decoding and hashing on the CPU "
        "alone, and of reading, decoding, gathering and sending with a GPU."
    ),
    "pareto": (
        "Dots: recall of each hash at a small false positive rate, with its interval, against the "
        "milliseconds from file to hash on a log axis."
    ),
}
"""Stem of a figure -> its alternative text."""
