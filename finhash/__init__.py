"""FINd, the 256-bit perceptual image hash of Find Images Now: fast and exact.

``find_hash``
    Hash one image.
``hash_files``
    Hash many files, on several cores or a cluster, into a ``HashTable``.
``hash_images``
    Hash a stream of images with ids, which need not be files, into a ``HashTable``.
``HashTable``
    Paths, hashes and errors of many files, stored as Parquet.
``Gallery``
    Hashes to look up, to add and to remove, in memory or in a folder that processes share.
``evaluate``
    Find which hash, at which threshold, suits one's own labelled images.
``warm_up``
    Compile and load all code before the first request.
``FINDHasher``
    Drop-in replacement for the class of the published FINd program.

Further modules are imported by name:

``finhash.methods``
    FINd and the other hashes (aHash, pHash, dHash, wHash, PDQ) under one interface; ``register``
    adds a hash of your own.
``finhash.hamming``
    Joins within a radius, nearest neighbours and histograms of Hamming distances.
``finhash.thresholds``
    Recommended thresholds, by use and hash.
``finhash.cluster``
    Families of near-duplicate images.
``finhash.jobs.pairs.join_table``, ``finhash.jobs.pairs.read_pairs``
    Resumable joins of large hash tables, on several cores or a cluster.
``finhash.sheet.contact_sheet``
    Contact sheets: one row of small images per family.
``finhash.images.open_image``, ``finhash.images.to_rgb``
    Decoding of images, as a PIL image or as the RGB pixels that FINd hashes.
``finhash.find.gpu``
    FINd on a GPU, many images at once.
``finhash.hamming.gpu``
    Joins and histograms of 256-bit hashes on a GPU.

Importing ``finhash`` is cheap: Numba, SciPy and imagehash are loaded on first use.

Examples
--------
>>> from PIL import Image
>>> from finhash import find_hash
>>> image = Image.radial_gradient("L")
>>> str(find_hash(image))[:16]
'f330d332bcccfccc'
>>> int(find_hash(image) - find_hash(image.resize((100, 100))))  # of 256 bits
18
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

# Without "evaluate", so that "from finhash import *" works without the packages that it needs.
__all__ = [
    "FINDHasher",
    "Gallery",
    "HashTable",
    "find_hash",
    "hash_files",
    "hash_images",
    "warm_up",
]

if TYPE_CHECKING:
    from finhash.evaluation import evaluate as evaluate
    from finhash.hamming.gallery.gallery import Gallery
    from finhash.hasher import FINDHasher, find_hash
    from finhash.jobs.batch import hash_files, hash_images
    from finhash.tables.hash_table import HashTable
    from finhash.warm import warm_up
else:
    # Hidden from type checkers, which would otherwise accept any name.
    _MODULES = {
        "FINDHasher": "finhash.hasher",
        "Gallery": "finhash.hamming.gallery.gallery",
        "HashTable": "finhash.tables.hash_table",
        "evaluate": "finhash.evaluation",
        "find_hash": "finhash.hasher",
        "hash_files": "finhash.jobs.batch",
        "hash_images": "finhash.jobs.batch",
        "warm_up": "finhash.warm",
    }

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_MODULES[name]), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *_MODULES})
