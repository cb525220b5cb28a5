"""Upper bounds on the throughput of the all-pairs kernels, from their compiled instructions.

The innermost loop of each kernel is taken from the listing that Numba compiled for this machine.
Its instructions are counted by class, and the throughput of each class is measured here with loops
of independent instructions. A loop is limited by the resource that it exhausts first.

To compile for another processor, set ``NUMBA_CPU_NAME`` and ``NUMBA_CPU_FEATURES`` before Python
starts, as ``search.by_processor`` does.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
from llvmlite import binding, ir
from numba import njit, types
from numba.extending import intrinsic

from finhash.hamming.kernels import counting, masks
from finhash.hamming.kernels.distances import (
    GROUP,
    TILE,
    bounds,
    cheapest_bound,
    group,
    least,
    word_groups,
)
from finhash.hamming.words import as_rows, as_words, columns
from finhash.study import timing

CLASSES: Mapping[str, str] = {
    "logic": r"vp(xor|and|andn|or|ternlog)[dq]?",
    "popcount": r"v(popcnt[bwdq]|pshufb|psadbw)",
    "add": r"vp(add|sub|madd|mul|sll|srl|sra)\w*",
    "compare": r"vp(min|max|cmp|blend)\w*|vblend\w*",
    "narrow": r"vp(mov[swdqu]|ack|erm|unpck|shufd)\w*|v(extract|insert|shuf)\w*",
}
"""Classes of vector arithmetic, by a pattern of the instructions' names.

Without AVX-512, bits are counted by ``vpshufb``, which looks up four bits per byte, and
``vpsadbw``, which adds the bytes of a word.
"""

MEMORY = ("load", "store", "scalar load", "increment")
"""Classes of memory accesses. A memory operand of a vector instruction counts as a load."""

BLOCK = 16
"""Independent instructions in a loop that measures a class."""

RUN = 100_000 * BLOCK
"""Instructions per timed run of such a loop."""

SCALAR = {"scalar load": "movl {offset}($0), %eax", "increment": "incl {offset}($0)"}
"""Instruction that measures each class without vectors."""

MICRO: Mapping[int, Mapping[str, str]] = {
    512: {
        "logic": "vpxorq %zmm30, %zmm31, %zmm{k}",
        "popcount": "vpopcntq %zmm31, %zmm{k}",
        "add": "vpaddq %zmm30, %zmm31, %zmm{k}",
        "compare": "vpminuq %zmm30, %zmm31, %zmm{k}",
        "narrow": "vpmovqw %zmm31, %xmm{k}",
        "load": "vmovdqu64 {offset}($0), %zmm{k}",
        "store": "vmovdqu64 %zmm31, {offset}($0)",
    },
    256: {
        "logic": "vpxor %ymm14, %ymm15, %ymm{k}",
        "popcount": "vpshufb %ymm14, %ymm15, %ymm{k}",
        "add": "vpaddq %ymm14, %ymm15, %ymm{k}",
        "compare": "vpcmpgtq %ymm14, %ymm15, %ymm{k}",
        "narrow": "vpackusdw %ymm14, %ymm15, %ymm{k}",
        "load": "vmovdqu {offset}($0), %ymm{k}",
        "store": "vmovdqu %ymm15, {offset}($0)",
    },
}
"""Instruction that measures each class, by the bits of a register."""


def hot_loop(listing: str) -> list[str]:
    r"""Return the instructions of the innermost loop that counts the most bits per run.

    Parameters
    ----------
    listing : str
        Assembly code in AT&T syntax, as from ``inspect_asm`` of a function compiled by Numba.

    Returns
    -------
    list of str
        Instructions from the loop's label to the jump back to it.

    Raises
    ------
    ValueError
        If no loop counts bits by vector instructions.

    Examples
    --------
    >>> hot_loop(".L1:\n vpopcntq %zmm1, %zmm2\n decq %rax\n jne .L1\n retq")
    ['vpopcntq %zmm1, %zmm2', 'decq %rax', 'jne .L1']
    """
    lines = [line.split("#")[0].strip() for line in listing.splitlines()]
    labels = {line[:-1]: number for number, line in enumerate(lines) if line.endswith(":")}
    spans = []
    for number, line in enumerate(lines):
        jump = re.fullmatch(r"j\w+\s+(\S+)", line)
        if jump and labels.get(jump[1], number) < number:
            spans.append((labels[jump[1]], number))
    loops = [
        [line for line in lines[first : last + 1] if line and line[0] != "." and line[-1] != ":"]
        for first, last in spans
        if sum(first <= start and end <= last for start, end in spans) == 1  # no loop within
    ]
    best = max(loops, key=_words_counted, default=[])
    if not _words_counted(best):
        raise ValueError(
            "the listing has no loop with vpopcntq or vpshufb; pass a kernel's listing"
        )
    return best


def count(loop: Sequence[str], words: int) -> tuple[pd.Series, int]:
    """Count a loop's instructions by class.

    Parameters
    ----------
    loop : sequence of str
        Instructions, as from ``hot_loop``.
    words : int
        Words of 64 bits whose bits are counted per pair of hashes.

    Returns
    -------
    per_pair : Series
        Instructions per pair of hashes for each of ``CLASSES`` and ``MEMORY``, and ``"vector"``,
        the sum over ``CLASSES``.
    bits : int
        Bits of the vector registers.

    Examples
    --------
    >>> per_pair, bits = count(["vpxorq (%rax), %zmm1, %zmm2", "vpopcntq %zmm2, %zmm2"], 1)
    >>> per_pair["logic"].item(), per_pair["load"].item(), bits
    (0.125, 0.125, 512)
    """
    found = Counter(kind for line in loop for kind in _classes(line))
    found["vector"] = sum(found[kind] for kind in CLASSES)
    names = [*CLASSES, "vector", *MEMORY]
    pairs = _words_counted(loop) / words
    bits = 512 if any("%zmm" in line for line in loop) else 256
    return pd.Series({name: found[name] / pairs for name in names}), bits


def instruction_loops(bits: int) -> dict[str, Callable[[], None]]:
    """Return a function per class of instructions that executes ``RUN`` of them.

    The registers and addresses of successive instructions are independent, and the memory fits the
    L1 cache. All vector units execute logic, so its loop serves for ``"vector"`` too.

    Parameters
    ----------
    bits : int
        Bits of the vector registers, 256 or 512.
    """
    memory = np.zeros(64 * (BLOCK + 1), np.uint8)
    address = -(-memory.ctypes.data // 64) * 64
    texts = {**MICRO[bits], **SCALAR, "vector": MICRO[bits]["logic"]}
    # The functions keep the memory alive.
    return {kind: partial(_micro(text), memory, address) for kind, text in texts.items()}


KERNELS = ("lower bound", "mask", "histogram")
"""Kernels of ``roofline``."""


def roofline(
    hashes: np.ndarray, radius: int, repeats: int, kernels: Sequence[str] = KERNELS
) -> pd.DataFrame:
    """Compare the throughput of the kernels' innermost loops with their upper bounds.

    The kernels and the loops that measure instructions are timed in alternation, and the fastest
    samples count. Each class is bounded for itself. Latencies, accesses beyond the L1 cache, and
    competition of loads, stores and increments for one unit are not modelled, so the bounds are
    optimistic.

    Parameters
    ----------
    hashes : ndarray of uint8, shape (n, bytes)
        Packed hashes, at least 2048 for a fair measurement.
    radius : int
        Threshold in bits, which decides how many words the distance test ORs together.
    repeats : int
        Number of samples per kernel and class of instructions.
    kernels : sequence of str
        Kernels to measure, of ``KERNELS``. Each one is compiled anew.

    Returns
    -------
    DataFrame
        One row per kernel:

        kernel : str
            ``"lower bound"`` (which tiles the exhaustive join can pass over), ``"mask"`` (which
            hashes lie within the radius, the inner loop of the joins) or ``"histogram"``.
        bits : int
            Bits of the vector registers.
        logic, popcount, add, compare, narrow : float
            Vector instructions per pair of hashes, by the classes of ``CLASSES``.
        vector : float
            Sum of these classes.
        load, store : float
            Vector loads and stores per pair.
        scalar load, increment : float
            Scalar loads and increments in memory per pair.
        limit : str
            Class whose throughput bounds the kernel.
        bound : float
            Upper bound of the throughput, in pairs per second on one core.
        measured : float
            Measured throughput, in pairs per second on one core.
        share : float
            ``measured / bound``.
    """
    words, padded = as_words(hashes), columns(as_rows(hashes)).words
    exact = word_groups(len(words))
    bound = bounds(len(words))[cheapest_bound(len(words), radius)]
    n = words.shape[1]
    rows, ends = min(n, 1024) // 12 * 12, np.arange(1, n + 1)  # whole groups of 3 and of 4 rows
    histogram = njit(nogil=True)(
        counting.histogram_rows.py_func
    )  # listings of cached code are lost
    whole, later = n // masks.COLUMNS * masks.COLUMNS, sum(n - 1 - i for i in range(rows))
    cases: dict[str, tuple[Callable, tuple, int, int]] = {
        "lower bound": (_bounds, (words, rows, bound), len(bound), rows * n),
        "mask": (_masks, (padded, rows, whole, radius, exact), len(exact), rows * whole),
        "histogram": (histogram, (words, ends, exact, 0, rows), len(exact), later),
    }
    cases = {name: cases[name] for name in kernels}
    calls: dict[str, Callable] = {name: partial(f, *a) for name, (f, a, _, _) in cases.items()}
    counts = {}
    for name, (function, arguments, counted, _) in cases.items():
        function(*arguments)  # compiles it
        listing = function.inspect_asm(function.signatures[-1])
        counts[name] = count(hot_loop(listing), counted)
    for bits in {bits for _, bits in counts.values()}:
        loops = instruction_loops(bits)
        calls |= {f"{kind} {bits}": loop for kind, loop in loops.items()}
    samples = timing.time_calls(calls, repeats)
    fastest = samples[samples["state"] == "warm"].groupby("contender")["seconds"].min()
    table = []
    for name, (per_pair, bits) in counts.items():
        speeds = pd.Series({kind: RUN / fastest[f"{kind} {bits}"] for kind in per_pair.index})
        limit, bound = bound_of(per_pair, speeds)
        measured = cases[name][-1] / fastest[name]
        table.append(
            {"kernel": name, "bits": bits, **per_pair}
            | {"limit": limit, "bound": bound, "measured": measured, "share": measured / bound}
        )
    return pd.DataFrame(table)


def bound_of(per_pair: pd.Series, speeds: pd.Series) -> tuple[str, float]:
    """Return the scarcest class and the pairs per second that its throughput allows.

    >>> bound_of(pd.Series({"logic": 0.5, "load": 2.0}), pd.Series({"logic": 6e9, "load": 4e9}))
    ('load', 2000000000.0)
    """
    used = per_pair[per_pair > 0]
    bounds = speeds[used.index] / used
    return str(bounds.idxmin()), float(bounds.min())


@njit(nogil=True)
def _bounds(words, rows, groups):  # noqa: ANN001, ANN202 - Numba infers the types
    """Return the sum of the least lower bounds of each group of rows to each tile."""
    total = 0
    for start in range(0, words.shape[1], TILE):
        stop = min(words.shape[1], start + TILE)
        for i in range(0, rows, GROUP):
            total += least(words, group(i, rows), words, start, stop, groups)
    return total


@njit(nogil=True)
def _masks(words, rows, number, radius, groups):  # noqa: ANN001, ANN202 - Numba infers the types
    """Return all masks of the columns within the radius of each row, combined."""
    combined = np.uint64(0)
    for i in range(rows):
        for j in range(0, number, masks.COLUMNS):
            combined ^= masks.within(words, i, words, j, radius, groups)
    return combined


def _micro(text: str) -> Callable[[np.ndarray, int], None]:
    """Compile a loop of ``BLOCK`` copies of an instruction.

    The compiled function takes an array, which it does not look at, and an address in it.
    """
    binding.initialize_native_asmparser()
    # Registers from 14 on hold operands. The offset gives each access a cache line of its own.
    block = "\n".join(text.format(k=k % 14, offset=64 * k) for k in range(BLOCK))
    clobbered = ",".join(f"~{{xmm{k}}}" for k in range(14))

    @intrinsic
    def instructions(typingctx, address):  # noqa: ANN001, ANN202 - Numba infers the types
        def codegen(context, builder, signature, arguments):  # noqa: ANN001, ANN202
            kind = ir.FunctionType(ir.VoidType(), [ir.IntType(64)])
            constraints = f"r,~{{rax}},~{{memory}},~{{flags}},{clobbered}"
            builder.asm(kind, block, constraints, arguments, side_effect=True)
            return context.get_dummy_value()

        return types.void(types.int64), codegen

    @njit(nogil=True)
    def loop(memory, address):  # noqa: ANN001, ANN202 - Numba infers the types
        for _ in range(RUN // BLOCK):
            instructions(address)

    return loop


def _classes(line: str) -> list[str]:
    """Return the classes of an instruction: of its arithmetic and of its memory access."""
    name, operands = (*line.split(None, 1), "")[:2]
    vector = re.search(r"%[xyz]mm", operands) is not None
    found = [kind for kind, names in CLASSES.items() if vector and re.fullmatch(names, name)]
    # The last operand is the target. Commas within parentheses belong to an address.
    *sources, target = re.split(r",\s*(?![^(]*\))", operands)
    if "(" in target and re.match("inc|add", name):
        found.append("increment")
    elif "(" in target and vector:
        found.append("store")
    elif any("(" in source for source in sources) and not name.startswith("lea"):
        found.append("load" if vector else "scalar load")
    return found


def _words_counted(loop: Sequence[str]) -> int:
    """Return the number of 64-bit words whose bits a run of the loop counts in vectors.

    Without ``vpopcntq``, ``vpshufb`` is applied to both halves of each byte. The number of
    ``vpsadbw`` is no measure: LLVM may add the bytes of several words first.
    """
    halves = {"vpopcntq": 2, "vpshufb": 1}
    lanes = {"x": 2, "y": 4, "z": 8}
    return sum(
        halves[found[1]] * lanes[found[2]] // 2
        for line in loop
        if (found := re.match(r"(vpopcntq|vpshufb)\s.*?%([xyz])mm", line))
    )
