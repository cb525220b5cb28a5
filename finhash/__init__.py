"""FINd, FIN's 256-bit perceptual image hash: fast, exact, for one picture or for millions.

``find_hash(image)`` hashes one picture; ``FINDHasher`` is the drop-in for FIN's present code;
``hash_files(paths)`` hashes many into a ``HashTable``. Importing the package loads none of the
compiled code: each name is fetched when it is first used.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOME = {
    "find_hash": "finhash.hasher",
    "FINDHasher": "finhash.hasher",
    "hash_files": "finhash.jobs.batch",
    "HashTable": "finhash.jobs.table",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
