"""Which code made a hash: versions that can change its bits."""

import platform
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

from PIL import features

PACKAGES = ("finhash", "pillow", "simplejpeg", "numpy", "numba", "imagehash", "pdqhash")


@lru_cache(maxsize=1)
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


def difference(here: dict[str, str], there: dict[str, str]) -> str:
    """In words, which versions differ; empty if none does. Python's own is not asked for."""
    names = sorted((here.keys() | there.keys()) - {"python"})
    return ", ".join(
        f"{name} {there.get(name, 'missing')} instead of {here.get(name, 'none')}"
        for name in names
        if here.get(name) != there.get(name)
    )
