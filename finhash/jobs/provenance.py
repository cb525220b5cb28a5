"""Versions of the software that can change the bits of a hash."""

import platform
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

from PIL import features

PACKAGES = ("finhash", "pillow", "simplejpeg", "numpy", "numba", "imagehash", "pdqhash")


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Return the versions of Python, of libjpeg-turbo and of the packages that compute hashes.

    Returns
    -------
    dict of str to str
        ``"python"``, ``"libjpeg-turbo"`` and the name of each installed package, with its version.

    Examples
    --------
    >>> sorted(versions())[:2]
    ['finhash', 'imagehash']
    """
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    found["libjpeg-turbo"] = features.version("libjpeg_turbo") or "not used by this Pillow"
    return found


def difference(here: dict[str, str], there: dict[str, str]) -> str:
    """Describe how the versions ``there`` differ from those ``here``, ignoring Python's own.

    Parameters
    ----------
    here, there : dict of str to str
        Versions as returned by ``versions``.

    Returns
    -------
    str
        The differences in words; empty if there are none.

    Examples
    --------
    >>> difference({"python": "3.12", "pillow": "12.0"}, {"python": "3.11", "pillow": "11.3"})
    'pillow 11.3 instead of 12.0'
    """
    names = sorted((here.keys() | there.keys()) - {"python"})
    return ", ".join(
        f"{name} {there.get(name, 'missing')} instead of {here.get(name, 'none')}"
        for name in names
        if here.get(name) != there.get(name)
    )
