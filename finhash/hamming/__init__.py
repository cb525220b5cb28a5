"""Exact comparison of packed hashes by Hamming distance, on the CPU.

``join`` and ``join_blocks`` find all pairs within a radius, and ``nearest`` finds each query's
nearest neighbours. A ``Gallery`` prepares hashes for many look-ups. ``pair_histogram`` and
``query_histograms`` count pairs at every distance. ``finhash.hamming.gpu`` joins and counts on a
GPU.

``scan`` holds these functions. They divide the work into tasks for threads: ``pruned`` groups
hashes about centres, chosen by ``centres``, and skips pairs that the triangle inequality excludes,
``exhaustive`` compares all pairs, and ``gallery`` looks queries up in a gallery. Tasks return pairs
as the keys that ``pairs`` describes. The compiled loops are in ``kernels``.

A packed hash holds 8 bits per byte, most significant bit first, as from ``HashTable.hashes`` or
``np.packbits``.
"""

from finhash.hamming.gallery import Gallery
from finhash.hamming.scan import join, join_blocks, nearest, pair_histogram, query_histograms
from finhash.hamming.words import Hashes, Pairs

__all__ = [
    "Gallery",
    "Hashes",
    "Pairs",
    "join",
    "join_blocks",
    "nearest",
    "pair_histogram",
    "query_histograms",
]
