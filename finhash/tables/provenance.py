"""Versions of the software that can change the bits of a hash, and the platform it ran on."""

import platform
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

from PIL import features

from finhash.methods import BUILT_IN

PACKAGES = (
    *("finhash", "pillow", "simplejpeg", "numpy", "numba"),
    *("imagehash", "scipy", "PyWavelets", "pdqhash"),
)
"""Packages whose versions are recorded."""

Spans = tuple[tuple[str, str], ...]
"""Oldest and newest version of each range in which all measured versions gave the same bits."""

_DECODERS = {"pillow": (("11.3.0", "13.0.0"),), "libjpeg-turbo": (("3.1.1", "3.2.0"),)}
_FIND = _DECODERS | {"simplejpeg": (("1.7.6", "1.9.0"),)}
_IMAGEHASH = _DECODERS | {
    "pillow": (("11.3.0", "12.1.1"), ("12.2.0", "12.3.0")),
    "imagehash": (("4.3.1", "4.3.2"),),
}

SOFTWARE: Mapping[str, Mapping[str, Spans]] = {
    "find": _FIND,
    "find_middle": _FIND,
    "find_luma": _FIND,
    "ahash": _IMAGEHASH,
    "dhash": _IMAGEHASH,
    "phash": _IMAGEHASH | {"scipy": (("1.14.1", "1.18.1"),)},
    "whash": _IMAGEHASH | {"PyWavelets": (("1.6.0", "1.10.0"),)},
    "pdq": _DECODERS | {"pdqhash": (("0.2.5", "0.2.8"),)},
}
"""Software that can change the bits of the built-in methods, by name without the number of bits.

The study's table ``versions`` holds the measurements. NumPy, Numba and Python changed no bits.
"""

_NEVER = {"python", "platform", "libc"}
"""Entries of ``versions`` that ``difference`` never compares.

The study's table ``platforms`` holds the measurements for processors and C libraries.
"""


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Return the versions of Python, of libjpeg-turbo and of the packages that compute hashes.

    The system, the kind of processor and the C library are listed too. They change no bits.

    Returns
    -------
    dict of str to str
        ``"python"``, ``"libjpeg-turbo"`` and the name of each installed package, with its version;
        ``"platform"``, such as ``"Linux x86_64"``; and ``"libc"``, such as ``"glibc 2.36"``, if
        Python recognises the C library.

    Examples
    --------
    >>> sorted(versions())[:2]
    ['PyWavelets', 'finhash']
    """
    found = {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }
    if libc := " ".join(platform.libc_ver()).strip():
        found["libc"] = libc
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    found["libjpeg-turbo"] = features.version("libjpeg_turbo") or "not used by this Pillow"
    return found


def difference(
    here: Mapping[str, str], there: Mapping[str, str], methods: Iterable[str] | None = None
) -> str:
    """Describe how the versions ``there`` differ from those ``here``, if hashes depend on them.

    Versions are compared only if both sides recorded them. For a built-in method, ``SOFTWARE`` says
    which ones matter, and which of them give the same bits. For a registered method all packages
    matter, but neither Python nor the platform.

    Parameters
    ----------
    here, there : mapping of str to str
        Versions as returned by ``versions``.
    methods : iterable of str, optional
        Names of the hashes to compare. By default all packages matter.

    Returns
    -------
    str
        The differences in words; empty if there are none.

    Examples
    --------
    >>> here = {"python": "3.12", "numpy": "2.4.6", "scipy": "1.17.1", "pillow": "13.0.0"}
    >>> there = {"python": "3.11", "numpy": "2.2.6", "scipy": "1.17.1", "pillow": "12.3.0"}
    >>> difference(here, there, ["find"])
    ''
    >>> difference(here, there, ["find", "phash64"])
    'pillow 12.3.0 instead of 13.0.0'
    """
    shared = here.keys() & there.keys() - _NEVER
    everything: dict[str, Spans] = dict.fromkeys(shared, ())
    differ = set()
    for spans in [everything] if methods is None else [_spans(m) or everything for m in methods]:
        names = shared & spans.keys()
        differ |= {name for name in names if not _same(spans[name], here[name], there[name])}
    return ", ".join(f"{name} {there[name]} instead of {here[name]}" for name in sorted(differ))


def _spans(method: str) -> Mapping[str, Spans]:
    """Return the entry of a built-in method in ``SOFTWARE``; empty for another method."""
    return SOFTWARE[method.rstrip("0123456789")] if method in BUILT_IN else {}


def _same(spans: Spans, one: str, other: str) -> bool:
    """Return whether two versions are equal, or one range holds both."""
    low, high = sorted([_numbers(one), _numbers(other)])
    return one == other or any(
        _numbers(first) <= low and high <= _numbers(last) for first, last in spans
    )


def _numbers(text: str) -> tuple[int, ...]:
    """Return the numbers of a version; for other text, a tuple that no range holds."""
    return tuple(map(int, re.findall(r"\d+", text))) if re.match(r"\d", text) else ()
