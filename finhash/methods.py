"""The registry of hashes: name -> label, bits, colour, function. One calling shape for all.

What computes a hash is imported when it is first called: a process that only hands out work, or
compares hashes, needs neither a compiler nor the peers, and saves their memory.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from finhash.images import Source, open_image, to_rgb

if TYPE_CHECKING:
    from imagehash import ImageHash


@dataclass(frozen=True)
class Method:
    """A perceptual hash: how it is called, shown and computed."""

    name: str
    label: str
    bits: int
    colour: str
    function: Callable[[Source], np.ndarray]

    def hash(self, image: Source) -> np.ndarray:
        """The packed hash, ``uint8 [bits / 8]``, most significant bit first."""
        return self.function(image)

    def image_hash(self, image: Source) -> "ImageHash":
        """The same hash as an ``imagehash.ImageHash``."""
        from imagehash import ImageHash

        side = int(self.bits**0.5)
        return ImageHash(np.unpackbits(self.hash(image)).astype(bool).reshape(side, side))


def get(name: str) -> Method:
    """The method called ``name``; a ``KeyError`` lists the names there are."""
    try:
        return METHODS[name]
    except KeyError:
        raise KeyError(f"unknown method {name!r}; known: {', '.join(METHODS)}") from None


def _find(bits: int) -> Callable[[Source], np.ndarray]:
    def find(image: Source) -> np.ndarray:
        from finhash.find.compiled import hash_rgb

        return hash_rgb(to_rgb(image, reuse=True), bits)

    return find


def _find_middle(image: Source) -> np.ndarray:
    """FINd of the middle half of the rows, where captions seldom reach."""
    from finhash.find.compiled import hash_rgb

    rgb = to_rgb(image, reuse=True)
    quarter = len(rgb) // 4
    return hash_rgb(rgb[quarter : len(rgb) - quarter])


def _imagehash(function: str, bits: int) -> Callable[[Source], np.ndarray]:
    side = int(bits**0.5)

    def peer(image: Source) -> np.ndarray:
        import imagehash

        return np.packbits(getattr(imagehash, function)(open_image(image), hash_size=side).hash)

    return peer


def _pdq(image: Source) -> np.ndarray:
    import pdqhash  # optional: a peer to measure against

    bits, _quality = pdqhash.compute(np.array(open_image(image).convert("RGB")))
    return np.packbits(bits)


def _registry() -> dict[str, Method]:
    # One colour a hash, told apart by colour-blind readers too (Okabe and Ito's palette).
    methods = [
        Method("find", "FINd", 256, "#D55E00", _find(256)),
        Method("find64", "FINd 64", 64, "#D55E00", _find(64)),
        Method("find_middle", "FINd middle", 256, "#882255", _find_middle),
    ]
    for name, label, colour, function in (
        ("ahash", "aHash", "#E69F00", "average_hash"),
        ("phash", "pHash", "#0072B2", "phash"),
        ("dhash", "dHash", "#009E73", "dhash"),
        ("whash", "wHash", "#CC79A7", "whash"),
    ):
        for bits in (256, 64):
            methods.append(
                Method(f"{name}{bits}", f"{label} {bits}", bits, colour, _imagehash(function, bits))
            )
    methods.append(Method("pdq", "PDQ", 256, "#56B4E9", _pdq))
    return {method.name: method for method in methods}


METHODS = _registry()
