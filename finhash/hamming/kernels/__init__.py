"""Compiled loops, in Numba's subset of Python, of the functions of ``finhash.hamming``.

Hashes come word by word, ``uint64 [words, n]`` (see ``finhash.hamming.words``): a *row* of one set
is compared with *columns* of another. Ranges ``lo .. hi`` include ``lo`` and exclude ``hi``.

``distances`` holds what the others share, ``masks`` vector operations in LLVM's language. Numba
caches compiled functions and notices only changes of the file that defines them. Whoever changes
``distances``, ``keys`` or ``masks`` must delete the cache files (``*.nbi``, ``*.nbc``) of this
folder.
"""
