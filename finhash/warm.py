"""``warm_up``: compile and load all compiled code before the first request."""

from math import isqrt
from typing import get_args

import numpy as np
from numpy.typing import NDArray

MEMBERS = 40
"""Hashes per family of the example that is joined."""


def warm_up() -> None:
    """Compile what has not been compiled on this machine, and load it into this process.

    Without this call, code is compiled or loaded when it is first used: a second or more for FINd,
    and again for the first join, look-up or clustering. Call it when a service starts, and when its
    container image is built. A Dockerfile needs this line after the installation::

        RUN python -c "import finhash; finhash.warm_up()"

    The machine code is kept beside the modules or in the user's cache folder, if one of them can be
    written (see ``finhash.jit``). It depends on the processor: on another type of processor, it is
    compiled again.

    Raises
    ------
    ImportError
        If Numba is not installed.

    Examples
    --------
    >>> import finhash
    >>> finhash.warm_up()
    """
    from finhash import cluster, hamming
    from finhash.find import loading

    if not loading.load():
        raise ImportError("compiled code needs: pip install numba")
    for bits in (64, 256):
        hashes = _families_of_hashes(bits)
        labels = np.arange(len(hashes)) // MEMBERS
        some, radius = hashes[:MEMBERS], bits // 8
        gallery = hamming.Gallery(hashes)
        gallery.add(some)
        hamming.nearest(some, gallery, k=2)
        hamming.join(hashes, radius=radius)
        hamming.join(some, gallery, radius=radius)
        hamming.pair_histogram(some, labels[:MEMBERS])
        list(hamming.query_histograms(some, labels[:MEMBERS]))
        gallery.search(some[0], radius=radius)
        for algorithm in get_args(cluster.Method):
            found = cluster.families(hashes, radius, algorithm)
            cluster.add(hashes, found, some, radius, algorithm)


def _families_of_hashes(bits: int) -> NDArray[np.uint8]:
    """Return just enough hashes, near each other in families, for joins to group them."""
    from finhash.hamming.pruned import FEWEST

    rng = np.random.default_rng(0)
    centres = rng.integers(0, 2, (isqrt(2 * FEWEST) // MEMBERS + 2, 1, bits), np.uint8)
    differ = rng.random((len(centres), MEMBERS, bits)) < 0.02
    return np.packbits((centres ^ differ).reshape(-1, bits), axis=1)
