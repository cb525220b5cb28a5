"""Exact comparison of packed hashes by Hamming distance, on the CPU.

``join`` and ``join_blocks`` find all pairs within a radius, and ``nearest`` finds each query's
nearest neighbours. A ``Gallery`` holds hashes that are looked up often, with identifiers, in memory
or in a folder that processes share; its ``search`` returns a list of ``Match``. ``pair_histogram``
and ``query_histograms`` count pairs at every distance. ``finhash.hamming.gpu`` joins and counts on
a GPU.

``scan`` holds the functions. They divide the work into tasks for threads: ``pruned`` groups hashes
about centres, chosen by ``centres``, and skips pairs that the triangle inequality excludes, and
``exhaustive`` compares all pairs. Tasks return pairs as the keys that ``pairs`` describes. The
compiled loops are in ``kernels``.

Galleries are in the package ``gallery``. ``layout`` groups their hashes, and ``live`` looks queries
up and leaves removed hashes out.

A packed hash holds 8 bits per byte, most significant bit first, as from ``HashTable.hashes`` or
``np.packbits``.
"""

from finhash.hamming.gallery.gallery import Gallery, Match
from finhash.hamming.scan import join, join_blocks, nearest, pair_histogram, query_histograms
from finhash.hamming.words import Hashes, Pairs

__all__ = [
    "Gallery",
    "Hashes",
    "Match",
    "Pairs",
    "join",
    "join_blocks",
    "nearest",
    "pair_histogram",
    "query_histograms",
]
