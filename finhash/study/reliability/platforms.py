r"""Hashes, tables and matches of the same files in other environments, bit by bit.

``FINHASH_OUT=. python -m finhash.study.reliability.platforms`` hashes the same files in one new
process per environment: with code for other processors, under emulated processors, in other
locales, time zones and orders, with other executors, Pythons and packages. It saves the table
``platforms``, which says what differs from the default environment, and ``platforms_libm``, the
bits that the cosines of other C libraries would have changed. Environments whose programs are not
installed are left out: uv, a package index, other versions of Python, and on Debian 13
``apt-get install qemu-user musl-tools gcc``. QEMU 7.2, of Debian 12, computes some AVX2
instructions wrongly, so x86-64 processors are emulated by QEMU 10 or later.

``--aarch64 FOLDER`` adds an emulated ARM processor. The folder holds Debian for it, with Python
3.11. As root::

    apt-get install debootstrap qemu-user
    debootstrap --foreign --arch arm64 --variant minbase \
        --include python3.11,libgomp1,libstdc++6 bookworm FOLDER
    for file in FOLDER/var/cache/apt/archives/*.deb; do dpkg-deb -x $file FOLDER; done
"""

import json
import locale
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import pandas as pd
from llvmlite import binding
from tqdm import tqdm

from finhash.find.geometry import DCT
from finhash.images import to_rgb
from finhash.study import project, results
from finhash.study.cost import versions
from finhash.study.cost.versions import UV
from finhash.study.reliability import cosines, platform_tables
from finhash.study.reliability.platform_tables import MATCHES

BY = "finhash.study.reliability.platforms"

CHECKOUT = Path(__file__).resolve().parents[3]
"""Folder of the checkout that holds this module."""

GENERATED = 80
"""Number of generated images of each of two kinds, beside the golden images of the tests."""

WHEELS = (
    *("click", "filelock", "imagehash", "llvmlite", "numba", "numpy"),
    *("pillow", "pyarrow", "PyWavelets", "scipy", "simplejpeg", "tqdm"),
)
"""Packages that have wheels for ARM processors; pdqhash has none."""

NUMBA = {"generic": "sse2", "nehalem": "sse4.2", "haswell": "avx2", "skylake-avx512": "avx512bw"}
"""Instructions that this processor needs to run code that Numba compiles for others."""

EMULATED = {"nehalem": "Nehalem", "haswell": "Haswell-noTSX"}
"""QEMU's names of processors without AVX and without AVX-512, by LLVM's name."""

OLDEST_QEMU = 10
"""Oldest major version of QEMU whose x86-64 instructions gave the results of a real processor."""

LOCALES = ("C", "C.UTF-8", "tr_TR.UTF-8")
"""Locales. In a Turkish one, numbers have decimal commas, and i and I are different letters."""

Program = tuple[str, ...]
"""Words of a command."""


class Environment(NamedTuple):
    """What differs from the default environment."""

    varied: str
    """What was varied."""

    value: str
    """Its value."""

    variables: Mapping[str, str] = {}
    """Variables of the process."""

    settings: Mapping[str, Any] = {}
    """Fields of ``platform_tables.Settings``."""

    program: Program = (sys.executable,)
    """Command that runs Python."""

    install: Callable[[Path], Program] | None = None
    """Function that installs packages into an empty folder and returns the command to use."""

    umask: int = -1
    """Permissions that new files lack; -1 means those that they lack already."""

    relative: bool = False
    """Whether another working folder is used, and relative paths."""


class Outcome(NamedTuple):
    """What an environment computed."""

    versions: dict[str, str]
    """Its versions, as returned by ``finhash.tables.provenance.versions``."""

    facts: np.ndarray
    """Rows of its table without paths and hashes, ``str [n_images]``."""

    matches: dict[str, np.ndarray]
    """What was computed from FINd's hashes, by the names in ``platform_tables.MATCHES``."""

    matrix: np.ndarray
    """Its DCT matrix, ``float64 [16, 64]``."""

    cosines: np.ndarray
    """The same cosines by its C library, ``float64 [16, 64]``."""

    hashes: dict[str, np.ndarray]
    """Its hashes by method, as returned by ``version_hashes.hash_files``."""


DEFAULT = Environment("nothing", "default")
"""The environment with which the others are compared."""


def environments() -> list[Environment]:
    """Return the environments that this machine can make, apart from the default one."""
    quick = {"plain": False}
    return [
        Environment("nothing", "a second process"),
        *processors(),
        *_varied("instructions of NumPy", "NPY_DISABLE_CPU_FEATURES", _numpy_features()),
        *_varied("instructions of BLAS", "OPENBLAS_CORETYPE", ("Nehalem", "Haswell")),
        *_varied("threads of BLAS", "OPENBLAS_NUM_THREADS", ("1", "2")),
        *_varied("instructions of libjpeg-turbo", "JSIMD_FORCENONE", ("1",)),
        *_varied("locale", "LC_ALL", filter(_has_locale, LOCALES), quick),
        *_varied("time zone", "TZ", ("Pacific/Kiritimati", "America/St_Johns"), quick),
        *_varied("seed of str hashes", "PYTHONHASHSEED", ("0", "1", "random"), quick),
        *_varied("optimisation of Python", "PYTHONOPTIMIZE", ("2",), quick),
        *(
            Environment("workers", f"{kind} ({workers})", settings=quick | _workers(kind, workers))
            for kind, workers in (
                *(("serial", 1), ("threads", 2), ("threads", 5)),
                *(("processes", 1), ("processes", 2), ("processes", 5), ("dask", 2)),
            )
        ),
        *(
            Environment("order of files", order, settings=quick | {"order": order})
            for order in ("reversed", "shuffled")
        ),
        Environment("umask", "0o077", settings=quick, umask=0o077),
        Environment("working folder", "another one", settings=quick, relative=True),
        *pythons(),
    ]


def processors() -> list[Environment]:
    """Return environments for other x86-64 processors.

    Numba compiles for them here. An emulated processor then runs this code, and the instructions
    that NumPy, Pillow and the other libraries choose for it.
    """
    here = binding.get_host_cpu_features()
    found = [
        Environment("instructions of Numba", name, _numba(name))
        for name, needed in NUMBA.items()
        if here.get(needed)
    ]
    if found and _qemu("qemu-x86_64") >= OLDEST_QEMU:
        for name, model in EMULATED.items():
            program = ("qemu-x86_64", "-cpu", model, sys.executable)
            found.append(Environment("processor", model, _numba(name), program=program))
    return found


def pythons() -> list[Environment]:
    """Return environments with other versions of Python and of the packages."""
    if find_spec("uv") is None:
        return []
    locked = ("--constraint", "requirements.lock")
    trials = [versions.Trial("python", number) for number in ("3.12", "3.13", "3.14")]
    return [
        *(
            Environment("Python", f"Python {number}", install=partial(_installed, number, locked))
            for _, number, _ in versions.available(trials)
        ),
        *(
            Environment("packages", name, install=partial(_installed, versions.OWN, options))
            for name, options in (
                ("oldest", ("--resolution", "lowest-direct")),
                ("newest", ("--resolution", "highest")),
            )
        ),
    ]


def aarch64(root: Path) -> list[Environment]:
    """Return the environment with an emulated ARM processor.

    Parameters
    ----------
    root : Path
        Folder of Debian for this processor, as the module's docstring describes it.
    """
    return [Environment("architecture", "aarch64", install=partial(_aarch64, root))]


def write_files(folder: Path, count: int, seed: int) -> None:
    """Write the golden images of the tests, ``2 * count`` generated ones and three damaged files.

    Parameters
    ----------
    folder : Path
        Empty folder.
    count : int
        Number of images of each of the two kinds that ``versions.write_images`` describes.
    seed : int
        Seed of the random stream.
    """
    versions.write_images(folder, count, seed)
    whole = next(iter(sorted(folder.glob("*.jpg")))).read_bytes()
    (folder / "damaged_cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "damaged_empty.jpg").write_bytes(b"")
    (folder / "damaged_text.jpg").write_text("this is not an image")


def run(environment: Environment, images: Path, folder: Path) -> Outcome:
    """Hash the images in a new process.

    Parameters
    ----------
    environment : Environment
        What differs from this process.
    images : Path
        Folder of the images.
    folder : Path
        Folder for temporary files. Environments share the compiled code in it.

    Returns
    -------
    Outcome
        What the process saved.
    """
    own, file = folder / "environment", folder / "outcome.npz"
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir()
    program = environment.install(own) if environment.install else environment.program
    # Numba keeps code for several processors apart, but not for several versions of Numba.
    cache = own if own in Path(program[-1]).parents else folder
    subprocess.run(
        [
            *(*program, "-m", platform_tables.__name__),
            *(images.name if environment.relative else images, file),
            json.dumps(dict(environment.settings)),
        ],
        cwd=images.parent if environment.relative else CHECKOUT,
        env={
            **os.environ,
            "PYTHONPATH": f"{CHECKOUT}{os.pathsep}{own / 'packages'}",
            "NUMBA_CACHE_DIR": str(cache / "numba"),
            **environment.variables,
        },
        umask=environment.umask,
        check=True,
    )
    with np.load(file) as saved:
        arrays = dict(saved)
    return Outcome(
        json.loads(str(arrays.pop("versions"))),
        arrays.pop("facts"),
        {name: arrays.pop(name) for name in MATCHES},
        arrays.pop("matrix"),
        arrays.pop("cosines"),
        arrays,
    )


def compare(default: Outcome, other: Outcome) -> dict[str, object]:
    """Count what differs between the default environment and another one.

    Returns
    -------
    dict
        The entries of a row of ``measure`` from ``python`` on.
    """
    shared = [name for name in default.hashes if name in other.hashes]
    differing, bits = {}, 0
    for name in shared:
        old, new = default.hashes[name], other.hashes[name]
        differing[name] = int(np.count_nonzero((old != new).any(axis=1)))
        both = (old[:, 0] & new[:, 0]) == 1
        bits += int(np.bitwise_count(old[both] ^ new[both]).sum(dtype=int))
    images = len(default.facts)
    return {
        **{name: other.versions.get(name, "") for name in ("python", "platform", "libc")},
        "images": images,
        "methods": len(shared),
        "hashes": images * len(shared),
        "differing": sum(differing.values()),
        "bits": bits,
        "differing_methods": " ".join(name for name in shared if differing[name]),
        "facts": int(np.count_nonzero(default.facts != other.facts)),
        **{name: np.array_equal(default.matches[name], other.matches[name]) for name in MATCHES},
        "matrix": int(np.count_nonzero(default.matrix != other.matrix)),
        "cosines": int(np.count_nonzero(other.cosines != DCT)),
    }


def measure(
    several: Iterable[Environment], images: Path, folder: Path
) -> Iterator[dict[str, object]]:
    """Hash the images in several environments and compare them with the default one.

    Parameters
    ----------
    several : iterable of Environment
        The environments, without the default one.
    images : Path
        Folder of the images.
    folder : Path
        Folder for temporary files.

    Yields
    ------
    dict
        One row of the table ``platforms`` per environment:

        date, commit : str
            When the environment was tried, and from which commit.
        varied, value : str
            What was varied, and its value.
        python, platform, libc : str
            Version of Python, system and processor, and C library.
        images : int
            Number of files.
        methods : int
            Number of methods in both environments. FINd's methods in NumPy count as further ones.
        hashes : int
            Number of hashes compared.
        differing : int
            Number of hashes that differ, or that only one of the environments has.
        bits : int
            Number of bits that differ, of all hashes together.
        differing_methods : str
            Methods with differing hashes, separated by spaces.
        facts : int
            Number of rows whose error or facts, such as ``width``, differ.
        join, nearest, families : bool
            Whether the same pairs, neighbours and families were found from FINd's hashes.
        matrix : int
            Number of the 1,024 values of the DCT matrix that differ.
        cosines : int
            Number of these values that this environment's C library rounds in another way.
    """
    default = run(DEFAULT, images, folder)
    for environment in tqdm(list(several), "environments"):
        yield {
            "date": datetime.now(UTC).date().isoformat(),
            "commit": results.commit(),
            "varied": environment.varied,
            "value": environment.value,
            **compare(default, run(environment, images, folder)),
        }


def updated(table: pd.DataFrame | None, row: Mapping[str, object]) -> pd.DataFrame:
    """Return a table with a new row, which replaces an older one of the same environment.

    Rows of another number of images are left out.

    Examples
    --------
    >>> row = {"varied": "umask", "value": "077", "images": 2}
    >>> table = updated(updated(None, row | {"bits": 1}), row | {"bits": 0})
    >>> table["bits"].tolist()
    [0]
    """
    new = pd.DataFrame([row])
    if table is None:
        return new
    same = (table["varied"] == row["varied"]) & (table["value"] == row["value"])
    kept = table[~same & (table["images"] == row["images"])]
    return pd.concat([kept, new], ignore_index=True) if len(kept) else new


def pixels(folder: Path) -> dict[str, list[np.ndarray]]:
    """Return the pixels that FINd hashes, by the kind of image, and flat images."""
    golden = {path.name for path in (project.root() / "tests" / "vectors").iterdir()}
    kinds = {
        "golden": sorted(path for path in folder.iterdir() if path.name in golden),
        "drawn memes": sorted(folder.glob("meme_*")),
        "generated": sorted(p for p in folder.glob("large_*") if p.name not in golden),
    }
    decoded = {kind: [to_rgb(path) for path in some] for kind, some in kinds.items()}
    return decoded | {"flat": cosines.flat_images()}


EXAMPLE = "Example: FINHASH_OUT=. python -m finhash.study.reliability.platforms"


@click.command(epilog=EXAMPLE, context_settings={"show_default": True})
@click.option(
    "--count", type=click.IntRange(1), default=GENERATED, help="Generated images of each kind."
)
@click.option(
    "--aarch64",
    "root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of Debian for ARM processors; see the module's docstring.",
)
@click.option("--varied", multiple=True, help="Try only environments that vary this.")
def main(count: int, root: Path | None, varied: tuple[str, ...]) -> None:
    """Hash the same files in other environments and save what differs.

    The tables are written to data/results in the folder FINHASH_OUT, by default build. Each row is
    saved when it is known. Rows of environments that are not tried again stay.
    """
    several = environments() + (aarch64(root.resolve()) if root else [])
    several = [one for one in several if not varied or one.varied in varied]
    if not several:
        known = ", ".join(sorted({one.varied for one in environments()}))
        raise click.UsageError(f"nothing varies {', '.join(varied)}: choose some of {known}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = folder / "images"
        images.mkdir()
        write_files(images, count, project.SEED)
        about = f"{len(list(images.iterdir()))} golden, drawn, generated and damaged files"
        machine = {"run": results.GENERATED}
        table = results.load("platforms") if results.exists("platforms") else None
        for row in measure(several, images, folder):
            table = updated(table, row)
            results.save(table, "platforms", by=BY, data=about, machine=machine)
        libraries = cosines.compare(cosines.matrices(), pixels(images))
    results.save(libraries, "platforms_libm", by=BY, data=about, machine=machine)
    click.echo(table[["varied", "value", "hashes", "differing", "bits"]].to_string(index=False))
    click.echo(libraries[libraries["bits"] > 0].to_string(index=False))


def _varied(
    what: str, variable: str, values: Iterable[str], settings: Mapping[str, Any] = {}
) -> Iterator[Environment]:
    """Yield one environment per value of a variable."""
    for value in values:
        yield Environment(what, f"{variable}={value}", {variable: value}, settings)


def _numba(name: str) -> dict[str, str]:
    """Return variables that make Numba compile for a processor, by LLVM's name."""
    return {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": ""}


def _numpy_features() -> list[str]:
    """Return the instructions that NumPy would use here, as one value; none if it uses no more."""
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    return [" ".join(found)] if found else []


def _qemu(program: str) -> int:
    """Return the major version of an emulator; 0 if it is not installed."""
    if shutil.which(program) is None:
        return 0
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return int(done.stdout.split("version ")[1].split(".")[0])


def _workers(kind: str, workers: int) -> dict[str, Any]:
    """Return the settings of an executor."""
    return {"executor": kind, "workers": workers}


def _has_locale(name: str) -> bool:
    """Return whether a locale is installed."""
    before = locale.setlocale(locale.LC_ALL)
    try:
        locale.setlocale(locale.LC_ALL, name)
    except locale.Error:
        return False
    finally:
        locale.setlocale(locale.LC_ALL, before)
    return True


def _installed(python: str, options: tuple[str, ...], folder: Path) -> Program:
    """Install the library's packages for a version of Python into ``folder``."""
    program = folder / "bin" / "python"
    install = ("pip", "install", "--quiet", "--python", program, "-r", "pyproject.toml")
    for words in (
        ("venv", "--quiet", "--clear", "--no-python-downloads", "--python", python, folder),
        (*install, "--extra", "pdq", *options),
    ):
        subprocess.run([*UV, *words], cwd=CHECKOUT, check=True)
    return (str(program),)


def _aarch64(root: Path, folder: Path) -> Program:
    """Install the installed packages for ARM processors into ``folder``."""
    pins = [f"{name}=={version(name)}" for name in WHEELS]
    target = ("--target", folder / "packages", "--python-version", "3.11")
    options = ("--python-platform", "aarch64-manylinux_2_34", "--only-binary", ":all:")
    subprocess.run([*UV, "pip", "install", "--quiet", *target, *options, *pins], check=True)
    return ("qemu-aarch64", "-L", str(root), str(root / "usr" / "bin" / "python3.11"))


if __name__ == "__main__":
    main()
