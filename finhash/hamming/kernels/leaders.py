"""Numba loops that choose centres from a sample."""

import numpy as np

from finhash.hamming.kernels.distances import GROUP, STRIP, TILE, distance, group, measure
from finhash.jit import kernel


@kernel
def greedy(words, n, apart, exact):
    """Return leaders: each hash that is not within ``apart`` of an earlier leader is one."""
    leaders, number = np.empty((len(words), n), np.uint64), 0
    for i in range(n):
        near = False
        for start in range(0, number, STRIP):
            least = np.uint64(64 * len(words))
            for j in range(np.uint64(start), np.uint64(min(number, start + STRIP))):
                least = min(least, distance(words, i, leaders, j, exact))
            if least <= apart:
                near = True
                break
        if not near:
            leaders[:, number] = words[:, i]
            number += 1
    return leaders[:, :number].copy()


@kernel
def nearest(words, leaders, exact, lo, hi):
    """Return the leader that is nearest to each of the hashes ``lo .. hi``."""
    number = leaders.shape[1]
    # The distance and, in the lowest bits, the leader.
    best = np.full(hi - lo, ~np.uint64(0))
    distances = np.empty((GROUP, TILE), np.uint16)
    for start in range(lo, hi, TILE):
        stop = min(hi, start + TILE)
        tile = best[start - lo : stop - lo]
        for leader in range(0, number, GROUP):
            measure(leaders, group(leader, number), words, start, stop, exact, distances)
            for r in range(min(GROUP, number - leader)):
                for j in range(np.uint64(stop - start)):
                    found = np.uint64(distances[r, j]) << np.uint64(32)
                    tile[j] = min(tile[j], found | np.uint64(leader + r))
    return (best & np.uint64(0xFFFFFFFF)).astype(np.int64)


@kernel
def majority(words, owner, number):
    """Return the bitwise majority of each leader's hashes; a tie gives 0."""
    votes = np.zeros((number, len(words), 64), np.int32)
    for j in range(len(owner)):
        for word in range(len(words)):
            value = words[word, j]
            for bit in range(np.uint64(64)):
                votes[owner[j], word, bit] += np.int32((value >> bit) & np.uint64(1)) * 2 - 1
    result = np.zeros((len(words), number), np.uint64)
    for leader in range(number):
        for word in range(len(words)):
            for bit in range(64):
                if votes[leader, word, bit] > 0:
                    result[word, leader] |= np.uint64(1) << np.uint64(bit)
    return result
