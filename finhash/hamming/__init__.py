"""Hamming distances between packed hashes."""

from finhash.hamming.scan import join, join_blocks, nearest, pair_histogram, query_histograms
from finhash.hamming.words import Gallery, Hashes, Pairs

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
