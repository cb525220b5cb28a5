"""Galleries: hashes with identifiers that are looked up, added, removed and kept in folders.

``gallery`` holds the class. Its state at one moment is a ``snapshot``: segments that
``hamming.layout`` has grouped, with their ``ids``, and a ``tail`` of additions. ``items`` turns
images into hashes, ``store`` is the folder, and ``segments`` are the files in it.
"""

from importlib.util import find_spec

if find_spec("numba") is None:
    raise ImportError("a gallery needs compiled code: pip install numba")
