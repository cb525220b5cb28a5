"""Versions of software that change the bits of a hash, measured in environments of their own.

``FINHASH_OUT=. python -m finhash.study.cost.versions`` hashes the same files with all methods in
one environment per version of a package, and saves how many hashes differ from those of the
version before it. All other packages have the installed versions. The command needs uv and a
package index. Versions of Python that are not installed are left out.
"""

import io
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from importlib.util import find_spec
from itertools import islice, pairwise
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from finhash.study import project, results
from finhash.study.cost import shrinking
from finhash.study.data import memes
from finhash.study.data.drawn import draw_template

BY = "finhash.study.cost.versions"

PACKAGES = (
    *("pillow", "simplejpeg", "numpy", "numba"),
    *("imagehash", "scipy", "PyWavelets", "pdqhash"),
)
"""Packages that compute hashes."""

UV = (sys.executable, "-m", "uv")
"""The command uv."""

OWN = f"{sys.version_info.major}.{sys.version_info.minor}"
"""Version of the Python that all environments but Python's own use."""

GENERATED = 60
"""Number of generated images of each of two kinds, beside the golden images of the tests."""

LARGEST = 1_500_000
"""Most pixels of a generated image."""

FORMATS = {
    "q75.jpg": {"quality": 75},
    "q95.jpg": {"quality": 95, "subsampling": "4:4:4"},
    "progressive.jpg": {"quality": 60, "progressive": True},
    "png": {},
    "lossy.webp": {"quality": 80},
    "lossless.webp": {"lossless": True},
    "gif": {},
    "avif": {"quality": 70},
    "jp2": {"quality_mode": "rates", "quality_layers": [20]},
}
"""Options of Pillow's ``save`` by the end of the file name."""


class Trial(NamedTuple):
    """An environment that differs from the installed one in one package."""

    package: str
    """Name of the package, or ``"python"``."""

    version: str
    """Version of the package."""

    others: tuple[str, ...] = ()
    """Packages, or ``python``, that have to change with it, as ``name==version``."""


class Outcome(NamedTuple):
    """What an environment computed."""

    trial: Trial
    """The environment."""

    versions: dict[str, str]
    """Its versions, as returned by ``finhash.tables.provenance.versions``."""

    hashes: dict[str, np.ndarray]
    """Its hashes by method, as returned by ``version_hashes.hash_files``."""


TRIALS = (
    *(Trial("pillow", v) for v in ("11.3.0", "12.0.0", "12.1.1", "12.2.0", "12.3.0", "13.0.0")),
    *(Trial("simplejpeg", v) for v in ("1.7.6", "1.8.0", "1.8.2", "1.9.0")),
    *(Trial("numpy", v) for v in ("2.0.2", "2.1.3", "2.2.6", "2.3.5", "2.4.6")),
    Trial("numpy", "2.5.5", ("python==3.12",)),
    Trial("numba", "0.61.2", ("numpy==2.2.6",)),
    Trial("numba", "0.62.1", ("numpy==2.3.5",)),
    Trial("numba", "0.63.1", ("numpy==2.3.5",)),
    *(Trial("numba", v) for v in ("0.65.1", "0.68.1")),
    *(Trial("imagehash", v) for v in ("4.3.1", "4.3.2")),
    Trial("scipy", "1.14.1", ("numpy==2.2.6",)),
    Trial("scipy", "1.15.3", ("numpy==2.2.6",)),
    *(Trial("scipy", v) for v in ("1.16.3", "1.17.1")),
    Trial("scipy", "1.18.1", ("python==3.12",)),
    *(Trial("PyWavelets", v) for v in ("1.6.0", "1.7.0", "1.8.0", "1.9.0")),
    Trial("PyWavelets", "1.10.0", ("python==3.12",)),
    *(Trial("pdqhash", v) for v in ("0.2.5", "0.2.7", "0.2.8")),
    *(Trial("python", v) for v in ("3.11", "3.12", "3.13", "3.14")),
)
"""The environments, oldest version first.

Numba and SciPy name the newest NumPy that they support; some packages need a newer Python.
"""

COLUMNS = [
    *["package", "before", "version", "with"],
    *["libjpeg_turbo_before", "libjpeg_turbo"],
    *["method", "images", "changed", "most_bits"],
]
"""Columns of ``compare``."""


def write_images(folder: Path, count: int, seed: int) -> None:
    """Write the golden images of the tests, and ``2 * count`` generated ones.

    Half of the generated images are drawn memes of different sizes, modes and file formats. The
    other half are the images of ``shrinking.image`` up to ``LARGEST`` pixels, in lossless formats.

    Parameters
    ----------
    folder : Path
        Empty folder.
    count : int
        Number of images of each kind.
    seed : int
        Seed of the random stream.
    """
    for path in sorted((project.root() / "tests" / "vectors").iterdir()):
        shutil.copy(path, folder)
    for number in range(count):
        _meme(number, seed, folder)
    for number, image in enumerate(islice(_large(seed), count)):
        image.save(folder / f"large_{number:04d}.{'tif' if image.mode == 'CMYK' else 'png'}")


def compare(before: Outcome, after: Outcome) -> pd.DataFrame:
    """Count the hashes that differ between two versions of a package.

    Parameters
    ----------
    before, after : Outcome
        Hashes of the same files, with the older and the newer version.

    Returns
    -------
    DataFrame
        One row per method:

        package : str
            Name of the package.
        before, version : str
            The older and the newer version.
        with : str
            Packages, or Python, that had to change with the newer version; empty if none.
        libjpeg_turbo_before, libjpeg_turbo : str
            Versions of libjpeg-turbo in Pillow, in the older and the newer environment.
        method : str
            Name of the hash. FINd's hashes are computed by NumPy too, without Numba.
        images : int
            Number of images.
        changed : int
            Number of images whose hash differs, or that only one of the versions can hash.
        most_bits : int
            Largest number of bits by which two hashes of one image differ.

    Examples
    --------
    >>> one, other = np.array([[[1, 7], [1, 0]], [[1, 4], [1, 0]]], np.uint8)
    >>> before = Outcome(Trial("pillow", "1.0"), {"libjpeg-turbo": "3.0"}, {"a": one})
    >>> after = Outcome(Trial("pillow", "2.0"), {"libjpeg-turbo": "3.1"}, {"a": other})
    >>> compare(before, after)[["method", "images", "changed", "most_bits"]]
      method  images  changed  most_bits
    0      a       2        1          2
    """
    trial = after.trial
    environment = [trial.package, before.trial.version, trial.version, " ".join(trial.others)]
    environment += [outcome.versions["libjpeg-turbo"] for outcome in (before, after)]
    rows = []
    for method, new in after.hashes.items():
        old = before.hashes[method]
        bits = np.bitwise_count(old[:, 1:] ^ new[:, 1:]).sum(axis=1, dtype=int)
        both = (old[:, 0] & new[:, 0]) == 1
        changed = np.count_nonzero((bits > 0) | (old[:, 0] != new[:, 0]))
        most = int(bits[both].max(initial=0))
        rows.append([*environment, method, len(new), changed, most])
    return pd.DataFrame(rows, columns=COLUMNS)


def measure(trials: Iterable[Trial], count: int, seed: int) -> pd.DataFrame:
    """Return ``compare`` of each environment and the one before it with the same package."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = folder / "images"
        images.mkdir()
        write_images(images, count, seed)
        outcomes = (_try(trial, images, folder) for trial in tqdm(list(trials), "versions"))
        tables = [
            compare(before, after)
            for before, after in pairwise(outcomes)
            if before.trial.package == after.trial.package
        ]
    return pd.concat(tables, ignore_index=True)


def available(trials: Iterable[Trial]) -> list[Trial]:
    """Return the trials whose version of Python is installed."""
    found = []
    for trial in trials:
        pins = (*trial.others, f"{trial.package}=={trial.version}")
        wanted = [pin.removeprefix("python==") for pin in pins if pin.startswith("python==")]
        if all(map(_python, wanted)):
            found.append(trial)
    return found


EXAMPLE = "Example: FINHASH_OUT=. python -m finhash.study.cost.versions"


@click.command(epilog=EXAMPLE, context_settings={"show_default": True})
@click.option(
    "--count", type=click.IntRange(1), default=GENERATED, help="Generated images of each kind."
)
@click.option("--package", multiple=True, help="Try the versions of this package alone.")
def main(count: int, package: tuple[str, ...]) -> None:
    """Hash the same files with other versions and save how many hashes change.

    The table is written to data/results in the folder FINHASH_OUT, by default build.
    """
    if find_spec("uv") is None:
        raise click.ClickException("uv creates the environments: pip install uv")
    trials = [trial for trial in available(TRIALS) if not package or trial.package in package]
    table = measure(trials, count, project.SEED)
    about = {"data": f"{table['images'].max():,} golden, drawn and generated images"}
    results.save(table, "versions", by=BY, **about, machine={"run": results.GENERATED})
    click.echo(table[table["changed"] > 0].to_string(index=False))


def _meme(number: int, seed: int, folder: Path) -> None:
    """Write a drawn meme whose size, mode and format depend on the number."""
    rng = random.Random(f"versions {seed} {number}")
    encoded = memes.render(draw_template(seed, number), *memes.draw_caption(rng))
    image = Image.open(io.BytesIO(encoded))
    factor = rng.choice([0.4, 1, 1, 1.7, 2.5, 5])
    size = tuple(round(side * factor * rng.uniform(0.8, 1.25)) for side in image.size)
    image = image.resize(size, Image.Resampling.BICUBIC)
    if rng.random() < 0.2:
        image = image.convert("L")
    end = list(FORMATS)[number % len(FORMATS)]
    image.save(folder / f"meme_{number:04d}.{end}", **FORMATS[end])


def _large(seed: int) -> Iterator[Image.Image]:
    """Yield images of ``shrinking.image`` of at most ``LARGEST`` pixels."""
    for _, _, image in shrinking.images(sys.maxsize, seed):
        if image.width * image.height <= LARGEST:
            yield image


def _try(trial: Trial, images: Path, folder: Path) -> Outcome:
    """Create the environment of a trial and hash the images there."""
    chosen = dict(pin.split("==") for pin in trial.others) | {trial.package: trial.version}
    python = chosen.get("python", OWN)
    pins = {name: f"{name}=={chosen.get(name) or version(name)}" for name in PACKAGES}
    file = folder / f"{' '.join([python, *pins.values()])}.npz"
    if not file.exists():  # the installed versions are part of several series
        home, module = folder / "environment", "finhash.study.cost.version_hashes"
        program = home / "bin" / "python"
        _run(*UV, "venv", "--quiet", "--clear", "--python", _python(python), home)
        _run(*UV, "pip", "install", "--quiet", "--python", program, *pins.values())
        # Environments share compiled code if their compilers are the same.
        cache = folder / " ".join([python, pins["numba"], pins["numpy"]])
        _run(program, "-m", module, images, file, NUMBA_CACHE_DIR=str(cache))
    with np.load(file) as saved:
        hashes = dict(saved)
    used = json.loads(str(hashes.pop("versions")))
    if not used[trial.package].startswith(trial.version):
        raise RuntimeError(
            f"the environment of {trial.package} {trial.version} has {used[trial.package]}: "
            "another package requires it, so name that package's version in TRIALS too"
        )
    return Outcome(trial, used, hashes)


def _python(wanted: str) -> str:
    """Return the path of an installed interpreter, or an empty string."""
    command = [*UV, "python", "find", "--no-python-downloads", "--system", wanted]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _run(*command: str | Path, **environment: str) -> None:
    """Run a command in the checkout that holds this module; raise an error if it fails."""
    here = Path(__file__).resolve().parents[3]
    subprocess.run(command, cwd=here, check=True, env={**os.environ, **environment})


if __name__ == "__main__":
    main()
