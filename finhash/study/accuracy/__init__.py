"""How accurate each hash is: counts, rates, intervals, retrieval, clusters, robustness."""
