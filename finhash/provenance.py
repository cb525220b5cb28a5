"""Which code made a hash: versions that can change its bits."""

import platform
from importlib.metadata import PackageNotFoundError, version

from PIL import features

PACKAGES = ("finhash", "pillow", "simplejpeg", "numpy", "numba", "imagehash", "pdqhash")


def versions() -> dict[str, str]:
    """Versions of Python, libjpeg-turbo and the packages that hashes depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    found["libjpeg-turbo"] = features.version("libjpeg_turbo") or "not used by this Pillow"
    return found
