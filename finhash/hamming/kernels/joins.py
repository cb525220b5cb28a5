"""Numba loops that join sets of hashes."""

import numpy as np

from finhash.hamming.kernels import masks
from finhash.hamming.kernels.distances import (
    GROUP,
    LINE,
    PROBES,
    TILE,
    distance,
    group,
    least_bound,
)
from finhash.hamming.kernels.keys import AS_GIVEN, SMALLER, append
from finhash.jit import kernel

LARGE = 16
"""Members from which on it pays to sort a centre's candidates by distance."""

CHUNK = 512
"""Candidates that are gathered before they are compared with the members of their centre.

At least ``TILE``, and a multiple of the columns of a mask.
"""

GONE = np.uint16(0xFFFF)
"""Turn of a hash that a centre of an earlier batch has taken."""

NEVER = np.uint16(0)
"""Turn of a hash that no centre has taken."""


@kernel
def join_rows(
    left, left_ids, right, right_ids, ends, radius, itself, groupings, bound, where, lo, hi
):
    """Return the keys of the pairs within ``radius`` of rows ``lo .. hi``.

    A row is paired with columns before its entry of ``ends``, and only with later columns if
    ``itself`` is true, which means that ``left`` and ``right`` are one set. Of the lower
    bounds by ``groupings``, number ``bound`` is used.
    """
    exact = groupings[0]
    keys, count, order = np.empty(0, np.uint64), 0, SMALLER if itself else AS_GIVEN
    for start in range(lo // TILE * TILE if itself else 0, ends[hi - 1] if hi > lo else 0, TILE):
        last = min(hi, start + TILE) if itself else hi
        probes = passed = 0
        for i in range(lo, last, GROUP):
            rows = group(i, last)
            first = max(start, i // masks.COLUMNS * masks.COLUMNS) if itself else start
            stop = min(start + TILE, ends[rows[-1]])
            if first >= stop:
                continue
            # If most groups of rows have a column within the bound, the bound saves no work in this
            # tile. The distances are then computed without it.
            if probes < PROBES or passed * 2 < probes:
                probes += 1
                if least_bound(left, rows, right, first, stop, groupings, bound) > radius:
                    continue
                passed += 1
            for row in range(i, min(i + GROUP, last)):
                for j in range(first, min(stop, ends[row]), masks.COLUMNS):
                    near = masks.within(left, row, right, j, radius, exact)
                    if near:
                        after = row + 1 - j if itself else 0
                        near &= masks.between(after, min(stop, ends[row]) - j)
                        ids = left_ids[row], right_ids
                        keys, count = append(
                            near, left, row, right, j, ids, exact, order, where, keys, count
                        )
    return keys[:count].copy()


@kernel
def take_members(batch, spreads, radius, words, before, turn, exact, lo, hi):
    """Let the centres of a batch take members among the hashes ``lo .. hi``.

    A hash goes to the first centre that it is within the spread of, unless it was taken ``before``.
    Its ``turn`` is set. Return the members' keys, which hold the centre, the distance and the
    place of each from bits 48, 32 and 0 on, and the masks of the hashes that are at most ``radius``
    beyond the spread of each centre, ``uint64 [masks, centres]``.
    """
    number = len(spreads)
    taken, count = np.empty(1024, np.uint64), 0
    near = np.empty((-(-(hi - lo) // masks.COLUMNS), number), np.uint64)
    for start in range(lo, hi, TILE):
        stop = min(hi, start + TILE)
        for k in range(start, stop):
            turn[k] = NEVER if before[k] == NEVER else GONE
        for c in range(number):
            for j in range(start, stop, masks.COLUMNS):
                mask, beyond = masks.within_both(
                    batch, c, words, j, spreads[c], spreads[c] + radius, exact
                )
                inside = masks.between(0, stop - j)
                near[(j - lo) // masks.COLUMNS, c] = beyond & inside
                if mask:
                    mask &= masks.at_most(turn, j, NEVER) & inside
                if count + masks.COLUMNS > len(taken):
                    taken = np.concatenate((taken, np.empty_like(taken)))
                while mask:
                    k = j + masks.lowest(mask)
                    mask &= mask - np.uint64(1)
                    turn[k] = number - c
                    d = distance(batch, c, words, k, exact)
                    taken[count] = np.uint64(c) << np.uint64(48) | d << np.uint64(32) | np.uint64(k)
                    count += 1
    return taken[:count].copy(), near


@kernel
def join_members(
    batch, members, member_ids, distances, firsts, words, ids, turn, near, radius, exact, later,
    order, where, lo, hi,
):  # fmt: skip
    """Return the keys of the pairs of a batch's members with their candidates.

    The members of centre ``c`` are ``firsts[c] .. firsts[c + 1]``, sorted by distance. Its
    candidates are those of the hashes ``lo .. hi`` in ``near`` that the distance of its farthest
    member allows and whose turn comes with the centre or after it, only after it if ``later`` is 1.
    Return the number of candidates and that of compared pairs, too.
    """
    number = len(firsts) - 1
    keys, count, candidates, compared = np.empty(0, np.uint64), 0, 0, 0
    # One more entry, because a candidate is written before it is known whether it counts.
    held = np.empty((number, len(batch), CHUNK + LINE // 8), np.uint64)
    held_ids = np.empty((number, CHUNK + 1), np.int32)
    held_far = np.empty((number, CHUNK + 1), np.uint16)
    sizes = np.zeros(number, np.int64)
    spare = np.empty((len(batch), CHUNK), np.uint64), np.empty(CHUNK, np.int32)
    ends = np.empty(64 * len(batch) + 2, np.int64)
    places = np.empty(TILE + 3, np.int32)
    for start in range(lo, hi + TILE, TILE):
        for c in range(number):
            first, last = firsts[c], firsts[c + 1]
            if first == last:
                continue
            found = 0
            for j in range(start, min(hi, start + TILE), masks.COLUMNS):
                mask = near[(j - lo) // masks.COLUMNS, c]
                if mask:
                    mask &= masks.at_most(turn, j, number - c - later)
                    found = masks.write_columns(mask, j, places, found)
            size = sizes[c]
            if size + found > CHUNK or start >= hi:
                keys, count, of_chunk = _compare(
                    members, member_ids, distances, first, last, held[c], held_ids[c], held_far[c],
                    size, ends, *spare, radius, exact, order, where, keys, count,
                )  # fmt: skip
                candidates += size
                compared += of_chunk
                size = 0
            reach = np.int64(distances[last - 1]) + radius
            for k in places[:found]:
                d = distance(batch, c, words, k, exact)
                for word in range(len(batch)):
                    held[c, word, size] = words[word, k]
                held_ids[c, size], held_far[c, size] = ids[k], d
                size += d <= reach
            sizes[c] = size
    return keys[:count].copy(), candidates, compared


@kernel
def _compare(
    members, member_ids, distances, first, last, chunk, chunk_ids, far, size, ends, sorted_chunk,
    sorted_ids, radius, exact, order, where, keys, count,
):  # fmt: skip
    """Append the keys of the pairs of a centre's members with candidates; count what is compared.

    If there are many members, the candidates are first sorted by their distance ``far`` from the
    centre. Those that a member's own distance allows are then the first ones.
    """
    compared = 0
    if last - first >= LARGE:
        _sort(chunk, chunk_ids, far, size, ends, sorted_chunk, sorted_ids)
        chunk, chunk_ids = sorted_chunk, sorted_ids
    else:
        ends[:] = size
    for i in range(first, last):
        end = ends[min(len(ends) - 1, distances[i] + radius)]
        compared += end
        for j in range(0, end, masks.COLUMNS):
            near = masks.within(members, i, chunk, j, radius, exact)
            if near:
                near &= masks.between(0, end - j)
                keys, count = append(
                    near, members, i, chunk, j, (member_ids[i], chunk_ids), exact, order, where,
                    keys, count,
                )  # fmt: skip
    return keys, count, compared


@kernel
def _sort(words, ids, far, size, ends, sorted_words, sorted_ids):
    """Sort candidates by their distance ``far``; let ``ends[d]`` be the number within ``d``."""
    ends[:] = 0
    for k in range(size):
        ends[far[k] + 1] += 1
    for d in range(len(ends) - 1):
        ends[d + 1] += ends[d]
    for k in range(size):
        place = ends[far[k]]
        ends[far[k]] += 1
        sorted_ids[place] = ids[k]
        for word in range(len(words)):
            sorted_words[word, place] = words[word, k]
