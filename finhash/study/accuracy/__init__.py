"""Accuracy of each hash: pair counts, rates, intervals, retrieval, clustering and robustness."""
