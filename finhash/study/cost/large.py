"""Cost from JPEG file to hash for images of every size, and bits that faster decoding changes."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import imagehash
import numpy as np
import pandas as pd
import simplejpeg
from PIL import Image, ImageOps
from tqdm import tqdm

from finhash import methods
from finhash.find import compiled
from finhash.find.geometry import MAX_SIDE
from finhash.find.thumbnail import thumbnail
from finhash.images import open_image
from finhash.study import timing

SIDES = (64, 125, 250, 500, 600, 1000, 2000, 4000)
"""Longer sides of the test images, in pixels. FINd shrinks those above 512 pixels."""

QUALITY = 85
"""JPEG quality of the test images."""

DECODE = "decode"
"""Contender that reads and decodes a file and hashes nothing."""

OLD = "find, Pillow's thumbnail"
"""Contender that shrinks by Pillow, as FINd did before it had a kernel for it."""

PEERS = {
    "ahash64": imagehash.average_hash,
    "dhash64": imagehash.dhash,
    "phash64": imagehash.phash,
}
"""Hash of 64 bits -> function of imagehash that computes it."""

DRAFT = {name: f"{name}, draft" for name in PEERS}
"""Hash -> contender that computes it from luma that the JPEG decoder scales down."""

DRAFT_SIZE = (64, 64)
"""Smallest size at which a draft is decoded, in pixels: twice what pHash reads per side."""

GRAIN = 5.0
"""Standard deviation of the grain that gives an enlarged image a photograph's detail, in levels."""

REPEAT_MORE = 1000
"""Longer side, in pixels, below which ``costs`` takes three times as many samples."""


def _decode_file(path: Path) -> np.ndarray:
    """Read and decode a JPEG file, with the options that FINd prescribes."""
    with path.open("rb", buffering=0) as file:
        return simplejpeg.decode_jpeg(file.read(), "RGB", fastdct=False, fastupsample=False)


def _old_file(path: Path) -> np.ndarray:
    """Hash a file by FINd; Pillow shrinks the image if a side is too long."""
    pixels = _decode_file(path)
    if max(pixels.shape) > MAX_SIDE:
        pixels = np.asarray(thumbnail(Image.fromarray(pixels)))
    return compiled.hash_rgb(pixels)


def _draft_file(path: Path, function: Callable[..., imagehash.ImageHash]) -> np.ndarray:
    """Hash a file by a function of imagehash; the decoder scales the luma of large images down."""
    with Image.open(path) as image:
        image.draft("L", DRAFT_SIZE)
        return np.packbits(function(image, hash_size=8).hash)


CONTENDERS: dict[str, Callable[[Path], np.ndarray]] = {
    DECODE: _decode_file,
    **{name: methods.get(name).hash for name in ("find", "find_luma", *PEERS)},
    OLD: _old_file,
    **{DRAFT[name]: partial(_draft_file, function=function) for name, function in PEERS.items()},
}
"""Functions from file to packed hash, by name. ``decode`` returns pixels instead."""

APPROXIMATE = {"find_luma": "find"} | {draft: name for name, draft in DRAFT.items()}
"""Contender that takes luma from the decoder -> contender whose bits it approximates."""


def make_files(
    paths: Sequence[Path], folder: Path, sides: Sequence[int] = SIDES, *, grain: float = 0.0
) -> dict[int, list[Path]]:
    """Write every image at every size as a JPEG of quality 85.

    Every other image is first cropped to 4:3 around its centre. An image that is enlarged holds
    less detail than a photograph of that size, so its file is smaller and decoded in less time.
    Grain adds detail.

    Parameters
    ----------
    paths : sequence of Path
        Images of any size.
    folder : Path
        Existing folder for the files. Files of the same names are replaced.
    sides : sequence of int
        Longer sides, in pixels.
    grain : float
        Standard deviation of random noise that is added to each pixel, in levels of 0 to 255.

    Returns
    -------
    dict of int to list of Path
        Files by longer side, in the order of ``paths``.
    """
    files: dict[int, list[Path]] = {side: [] for side in sides}
    for k, path in enumerate(tqdm(paths, "resizing", unit="image", leave=False)):
        image = open_image(path).convert("RGB")
        for side in sides:
            file = folder / f"{side}_{k:04d}.jpg"
            made = _resized(image, side, crop=k % 2 == 1)
            _grainy(made, grain, seed=k).save(file, quality=QUALITY)
            files[side].append(file)
    return files


def contenders(paths: Sequence[Path]) -> dict[str, Callable[[], object]]:
    """Return functions for ``timing.time_calls`` that apply each of ``CONTENDERS`` to all files."""
    return {name: timing.over(call, paths) for name, call in CONTENDERS.items()}


def costs(files: Mapping[int, Sequence[Path]], repeats: int) -> pd.DataFrame:
    """Time all contenders on files of every size. The contenders of one size alternate.

    Parameters
    ----------
    files : mapping of int to sequence of Path
        JPEG files by longer side in pixels, as ``make_files`` returns them.
    repeats : int
        Number of warm samples per contender and side. Sides below 1,000 pixels get three times as
        many.

    Returns
    -------
    DataFrame
        One row per sample:

        side : int
            Longer side of the images, in pixels.
        contender : str
            Name in ``CONTENDERS``.
        state : str
            ``"cold"`` for the first call, else ``"warm"``.
        repeat : int
            Number of the sample, from 0.
        seconds : float
            Wall time per image, in seconds.
    """
    tables = []
    for side, paths in files.items():
        number = repeats if side >= REPEAT_MORE else 3 * repeats
        timings = timing.time_calls(contenders(paths), number, items=len(paths))
        timings.insert(0, "side", side)
        tables.append(timings)
    return pd.concat(tables, ignore_index=True)


def summary(timings: pd.DataFrame) -> pd.DataFrame:
    """Summarise the warm samples of every contender at every size.

    A ratio divides two samples of the same repeat, so that a slow spell of the machine affects
    both.

    Parameters
    ----------
    timings : DataFrame
        Result of ``costs``.

    Returns
    -------
    DataFrame
        One row per side and contender:

        side : int
            Longer side of the images, in pixels.
        contender : str
            Name in ``CONTENDERS``.
        ms : float
            Median time per image, in milliseconds.
        over_decode : float
            Time divided by that of decoding, median of all repeats.
        over_decode_low, over_decode_high : float
            Lower and upper quartile of that ratio.
        over_find : float
            Time divided by that of FINd, median of all repeats.
    """
    key = ["side", "repeat"]
    warm = timings[timings["state"] == "warm"]
    for name, column in ((DECODE, "over_decode"), ("find", "over_find")):
        base = warm[warm["contender"] == name].set_index(key)["seconds"].rename("base")
        warm = warm.join(base, on=key)
        warm = warm.assign(**{column: warm["seconds"] / warm["base"]}).drop(columns="base")
    groups = warm.groupby(["side", "contender"], sort=False)
    table = {
        "ms": groups["seconds"].median() * 1e3,
        "over_decode": groups["over_decode"].median(),
        "over_decode_low": groups["over_decode"].quantile(0.25),
        "over_decode_high": groups["over_decode"].quantile(0.75),
        "over_find": groups["over_find"].median(),
    }
    return pd.DataFrame(table).reset_index()


def bits_changed(files: Mapping[int, Sequence[Path]]) -> pd.DataFrame:
    """Count the bits that change if luma comes from the JPEG decoder, which scales large images.

    Parameters
    ----------
    files : mapping of int to sequence of Path
        JPEG files by longer side in pixels, as ``make_files`` returns them.

    Returns
    -------
    DataFrame
        One row per side and contender of ``APPROXIMATE``:

        side : int
            Longer side of the images, in pixels.
        contender : str
            ``"find_luma"``, of 256 bits, or a draft variant of a hash of 64 bits.
        images : int
            Number of images.
        mean, p99, most : float
            Mean, 99th percentile and largest number of bits that differ from the same hash of the
            completely decoded image.
    """
    rows = []
    for side, paths in files.items():
        counts = {name: [] for name in APPROXIMATE}
        for path in tqdm(paths, f"bits at {side} pixels", unit="image", leave=False):
            for name, exact in APPROXIMATE.items():
                changed = CONTENDERS[name](path) ^ CONTENDERS[exact](path)
                counts[name].append(np.bitwise_count(changed).sum())
        for name, bits in counts.items():
            rows.append(
                (side, name, len(bits), np.mean(bits), np.percentile(bits, 99), float(max(bits)))
            )
    return pd.DataFrame(rows, columns=["side", "contender", "images", "mean", "p99", "most"])


def _resized(image: Image.Image, side: int, *, crop: bool) -> Image.Image:
    """Return the image with a longer side of ``side`` pixels; ``crop`` makes it 4:3."""
    if crop:
        return ImageOps.fit(image, (side, round(side * 3 / 4)), Image.Resampling.BICUBIC)
    size = [max(1, round(length * side / max(image.size))) for length in image.size]
    return image.resize(tuple(size), Image.Resampling.BICUBIC)


def _grainy(image: Image.Image, grain: float, seed: int) -> Image.Image:
    """Return the image with random noise, which is equal in all channels of a pixel."""
    if not grain:
        return image
    shape = (image.height, image.width, 1)
    noise = np.random.default_rng(seed).standard_normal(shape, np.float32) * np.float32(grain)
    return Image.fromarray(np.clip(np.asarray(image) + noise + 0.5, 0, 255).astype(np.uint8))
