"""Compiled loops, in Numba's subset of Python, of the functions of ``finhash.hamming``.

Hashes come word by word, ``uint64 [words, n]`` (see ``finhash.hamming.words``): a *row* of one set
is compared with *columns* of another. Ranges ``lo .. hi`` include ``lo`` and exclude ``hi``.

``distances`` holds functions that the others share, and ``masks`` holds vector operations in LLVM's
language. Changing any module in this folder recompiles its kernels (see ``finhash.jit``).
"""
