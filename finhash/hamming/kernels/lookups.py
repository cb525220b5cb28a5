"""Numba loops that look up hashes in a gallery."""

import numpy as np

from finhash.hamming.kernels import masks
from finhash.hamming.kernels.distances import GROUP, STRIP, TILE, bit_count, distance, group, least
from finhash.jit import kernel


@kernel
def fill(rows, ids, first, room, blocks):
    """Write each centre's members word by word."""
    for c in range(len(first)):
        for k in range(room[c]):
            for word in range(rows.shape[1]):
                place = first[c] * rows.shape[1] + word * room[c] + k
                blocks[place] = rows[ids[first[c] + k], word]


@kernel
def look_up(queries, query_ids, centres, places, blocks, ids, radius, exact, where, lo, hi):
    """Return the keys of the pairs of queries ``lo .. hi`` with members of groups."""
    number, spread = len(places), places[:, 2].max()
    keys, count = np.empty(0, np.uint64), 0
    for start in range(0, number, masks.COLUMNS):
        for q in range(lo, hi):
            mask = masks.within(queries, q, centres, start, spread + radius, exact)
            mask &= masks.between(0, number - start)
            while mask:
                c = start + masks.lowest(mask)
                mask &= mask - np.uint64(1)
                if distance(queries, q, centres, c, exact) > places[c, 2] + radius:
                    continue
                first, last, _ = places[c]
                stride = _room(first, last)
                for j in range(0, last - first, masks.LANES):
                    place = first * len(queries) + j
                    near = masks.within_few(queries, q, blocks, place, stride, radius, exact)
                    near &= masks.between(0, last - first - j)
                    if count + masks.LANES > len(keys):
                        keys = np.concatenate((keys, np.empty(max(1024, len(keys)), np.uint64)))
                    while near:
                        k = masks.lowest(near)
                        near &= near - np.uint64(1)
                        d = _block_distance(queries, q, blocks, place + k, stride)
                        key = np.uint64(query_ids[q]) << np.uint64(where.first)
                        key |= np.uint64(ids[first + j + k]) << np.uint64(where.second)
                        keys[count] = key | d
                        count += 1
    return keys[:count].copy()


@kernel
def nearest_members(queries, centres, places, blocks, ids, exact, best, lo, hi):
    """Put the members of groups that are nearer into ``best``, for queries ``lo .. hi``.

    Groups whose centres are near the query are visited first. The neighbours found there limit
    which other groups can have nearer ones.
    """
    number, bits, spread = len(places), 64 * len(queries), np.int64(places[:, 2].max())
    for q in range(lo, hi):
        own = best[q - lo]
        for far in (False, True):
            reach = _reach(own, bits)
            limit = spread + reach if far else spread
            for start in range(0, number, masks.COLUMNS):
                mask = masks.within(queries, q, centres, start, limit, exact)
                mask &= masks.between(0, number - start)
                while mask:
                    c = start + masks.lowest(mask)
                    mask &= mask - np.uint64(1)
                    d = np.int64(distance(queries, q, centres, c, exact))
                    reach = _reach(own, bits)
                    if (far and d <= spread) or d > places[c, 2] + reach:
                        continue
                    first, last, _ = places[c]
                    stride = _room(first, last)
                    for j in range(0, last - first, masks.LANES):
                        place = first * len(queries) + j
                        near = masks.within_few(queries, q, blocks, place, stride, reach, exact)
                        near &= masks.between(0, last - first - j)
                        while near:
                            k = masks.lowest(near)
                            near &= near - np.uint64(1)
                            d = _block_distance(queries, q, blocks, place + k, stride)
                            _insert(own, d, ids[first + j + k])


@kernel
def _reach(best, bits):
    """Return the distance of the farthest neighbour found, or ``bits`` if some are missing."""
    return min(bits, np.int64(best[-1] >> np.uint64(32)))


@kernel
def _room(first, last):
    """Return the number of members that a centre's block has room for."""
    return (last - first + masks.LANES - 1) // masks.LANES * masks.LANES


@kernel
def _block_distance(queries, q, blocks, place, stride):
    """Return the distance of a query from the member of a block at ``place``."""
    total = np.uint64(0)
    for word in range(len(queries)):
        total += bit_count(queries[word, q] ^ blocks[place + word * stride])
    return total


@kernel
def nearest_columns(queries, words, ids, bound, exact, best, lo, hi):
    """Put those of the columns that are nearer into ``best``, for queries ``lo .. hi``."""
    n = len(ids)
    for start in range(0, n, TILE):
        stop = min(n, start + TILE)
        for i in range(lo, hi, GROUP):
            farthest = best[i - lo : i - lo + GROUP, -1].max() >> np.uint64(32)
            if least(queries, group(i, hi), words, start, stop, bound) > farthest:
                continue
            for q in range(i, min(hi, i + GROUP)):
                own = best[q - lo]
                for first in range(start, stop, STRIP):
                    last = min(stop, first + STRIP)
                    reach = own[-1] >> np.uint64(32)
                    if least(queries, (q,), words, first, last, exact) > reach:
                        continue
                    for k in range(first, last):
                        _insert(own, distance(queries, q, words, k, exact), ids[k])


@kernel
def _insert(best, d, number):
    """Insert a neighbour into the sorted keys if it comes before the last one."""
    key = d << np.uint64(32) | np.uint64(number)
    at = len(best) - 1
    if key >= best[at]:
        return
    while at > 0 and best[at - 1] > key:
        best[at] = best[at - 1]
        at -= 1
    best[at] = key
