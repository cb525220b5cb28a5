import subprocess
import sys

import pytest

PROGRAM = """
import io
import numpy as np
from numba.core import event
from PIL import Image
import finhash
from finhash import cluster, find_hash, hamming

finhash.warm_up()
rng = np.random.default_rng(1)
with event.install_recorder("numba:compile") as recorder:
    for size in ((1, 1), (250, 250), (700, 30), (3000, 2000)):
        for mode in ("RGB", "L", "RGBA", "P"):
            image = Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).convert(mode)
            find_hash(image)
        find_hash(np.asarray(image.convert("RGB")))
        file = io.BytesIO()
        image.convert("RGB").save(file, "JPEG")
        find_hash(file.getvalue())
    for bits in (64, 256):
        for n in (0, 1, 2, 700, 30_000):
            hashes = rng.integers(0, 256, (n, bits // 8), np.uint8)
            hashes[n // 2 :] = hashes[: n - n // 2]
            given = hashes.copy()
            given.flags.writeable = n % 2 == 0
            for radius in (0, bits // 8, bits // 4):
                hamming.join(given, radius=radius)
                hamming.join(given[::2], hashes, radius=radius, workers=2)
                for method in cluster.METHODS:
                    cluster.families(given, radius, method)
            gallery = hamming.Gallery(hashes)
            gallery.add(rng.integers(0, 256, (3, bits // 8), np.uint8))
            hamming.nearest(hashes[:50], gallery, k=3)
            hamming.join(hashes[:50], gallery, radius=bits // 4)
            if n < 10_000:
                hamming.join(hashes, radius=bits)
                hamming.pair_histogram(given, np.arange(n) // 2)
                list(hamming.query_histograms(given, np.arange(n) % 7))
print(sorted({e.data["dispatcher"].py_func.__qualname__ for _, e in recorder.buffer}))
"""


@pytest.mark.slow
def test_nothing_is_compiled_after_warm_up():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stdout + done.stderr[-2000:]
