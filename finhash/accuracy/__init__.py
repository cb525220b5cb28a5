"""Accuracy of hashes on labelled images: counts of pairs, rates, intervals, thresholds."""
