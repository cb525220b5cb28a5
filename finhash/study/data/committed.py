"""Hash tables for measuring accuracy: hashed now, or read from the repository.

Accuracy is measured on real templates, which not every machine has. The repository therefore holds
the hash tables of the complete ``memes`` set, ``data/hashes/memes/<method>.parquet``, with file
names and hashes but no images. If the data set of the run is drawn, these tables are read;
otherwise its own images are hashed.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from finhash.jobs.batch import hash_files
from finhash.methods import METHODS
from finhash.study import project
from finhash.study.data import layouts, standin, transforms
from finhash.study.data.datasets import Dataset, families_of
from finhash.tables.hash_table import HashTable

COMPARED = tuple(name for name, method in METHODS.items() if not method.approximates)
"""Methods whose accuracy is compared."""

SAMPLE = 200
"""Images hashed again before saved hashes of the same files are used in place of new ones."""

TRANSFORMED_METHODS = tuple(name for name in COMPARED if METHODS[name].bits == 256)
"""Methods that hash the transformed images: those with 256 bits."""


def hash_or_load(dataset: Dataset, methods: Sequence[str], *, progress: bool = True) -> HashTable:
    """Return the hashes of a data set: saved ones where they are valid, else new ones.

    If the data set is drawn, the committed table is loaded at the run's scale. Otherwise the saved
    hashes of this run or of the checkout are loaded if they come from the same bytes of all files,
    and if ``SAMPLE`` evenly spaced images still give the same hashes. Else all images are hashed,
    and their hashes are saved in the output folder, where the next notebook finds them.
    """
    if dataset.name == "drawn":
        return subset(load(methods), project.scale())
    for folder in (project.out(), project.root()):
        table = _saved(dataset, methods, folder)
        if table is not None and _still_valid(table, dataset):
            return table
    table = hash_dataset(dataset, methods, progress=progress)
    if not (project.writes_to_checkout() and project.scale().name != "full"):
        save(table)
    return table


def _saved(dataset: Dataset, methods: Sequence[str], folder: Path) -> HashTable | None:
    """Return saved hashes of the same files, or None."""
    files = [_file(dataset.name, method, folder) for method in methods]
    if not all(file.exists() for file in files):
        return None
    if any(HashTable.read(f).provenance.get("fingerprint") != dataset.fingerprint for f in files):
        return None
    return load(methods, dataset.name, folder)


def _still_valid(table: HashTable, dataset: Dataset) -> bool:
    """Return whether evenly spaced images still have the hashes of the table."""
    rows = np.linspace(0, len(table) - 1, min(SAMPLE, len(table)), dtype=int)
    known = HashTable(table.arrow.take(pa.array(rows))).without_errors()
    paths = [dataset.paths[row] for row in rows]
    fresh = hash_files(paths, table.methods, executor="serial", progress=False).without_errors()
    return all(fresh.digest(name) == known.digest(name) for name in table.methods)


def hash_dataset(dataset: Dataset, methods: Sequence[str], *, progress: bool = True) -> HashTable:
    """Hash all images of a data set on all cores.

    In the table, ``path`` is the file name without its folder. The provenance holds the name and
    the fingerprint of the data set.
    """
    table = hash_files(
        dataset.paths,
        methods,
        workers=os.cpu_count() or 1,
        executor="processes",
        progress=progress,
    )
    # Without the facts about the files, because modification times differ between machines.
    arrow = table.arrow.select(["path", *table.methods, "error"])
    names = pa.array([path.name for path in dataset.paths])
    named = HashTable(arrow.set_column(0, arrow.schema.field("path"), names))
    return named.with_provenance(dataset=dataset.name, fingerprint=dataset.fingerprint)


def load(methods: Sequence[str], dataset: str = "memes", folder: Path | None = None) -> HashTable:
    """Load the committed table of a complete data set, with one column of hashes per method."""
    tables = [HashTable.read(_file(dataset, method, folder)) for method in methods]
    first = tables[0].arrow
    joined = first.select(["path"])
    for method, table in zip(methods, tables, strict=True):
        if not table.arrow["path"].equals(first["path"]):
            raise ValueError(
                f"{_file(dataset, method)} lists other images than {_file(dataset, methods[0])}: "
                "hash the complete data set again with all methods"
            )
        joined = joined.append_column(table.arrow.schema.field(method), table.arrow[method])
    return HashTable(joined.append_column(first.schema.field("error"), first["error"]))


def exists(dataset: str) -> bool:
    """Return whether the hash tables of a data set are committed."""
    return _file(dataset, "find").exists()


def compare(table: HashTable) -> dict[str, bool]:
    """Return for each method whether its hashes equal the committed ones at the run's scale."""
    expected = subset(load(table.methods), project.scale())
    return {method: table.digest(method) == expected.digest(method) for method in table.methods}


def save(table: HashTable) -> None:
    """Write a table of a complete data set to the output folder, one Parquet file per method."""
    for method in table.methods:
        table.select([method]).write(_file(table.provenance["dataset"], method, project.out()))


def hash_or_load_transformed(dataset: Dataset, gallery: HashTable, workers: int) -> HashTable:
    """Hash transformed images, or load the committed hashes if the data set is drawn.

    Parameters
    ----------
    dataset : Dataset
        Data set whose images are transformed: one readable image of each of up to 517 families at
        full scale, which is every second family of the stand-in.
    gallery : HashTable
        Hashes of the unchanged images. Of the committed hashes, only those whose original is in
        the gallery are loaded.
    workers : int
        Number of processes.

    Returns
    -------
    HashTable
        As from ``transforms.hash_transformed``.
    """
    scale = project.scale()
    if dataset.name != "drawn":
        originals = transforms.queries(dataset, scale.pick(full=517, quick=50, smoke=3))
        for folder in (project.out(), project.root()):
            file = _file(dataset.name, "transformed", folder)
            if file.exists():
                saved = HashTable.read(file)
                asked = {path.name for path in originals}
                same_files = saved.provenance.get("fingerprint") == dataset.fingerprint
                if same_files and set(saved.paths) == asked and _still_transforms(saved, dataset):
                    return saved
        return transforms.hash_transformed(dataset, originals, TRANSFORMED_METHODS, workers=workers)
    return _rows_of(load_transformed(), gallery.arrow["path"].combine_chunks())


def _still_transforms(saved: HashTable, dataset: Dataset) -> bool:
    """Return whether three evenly spaced originals still give the saved hashes of all changes."""
    names = sorted(set(saved.paths))
    names = [names[k * (len(names) - 1) // 2] for k in range(3)]
    paths = [dataset.folder / name for name in dict.fromkeys(names)]
    fresh = transforms.hash_transformed(dataset, paths, saved.methods, progress=False)
    known = _rows_of(saved, pa.array([path.name for path in paths]))
    return all(fresh.digest(name) == known.digest(name) for name in saved.methods)


def load_transformed(dataset: str = "memes") -> HashTable:
    """Load the committed hashes of a data set's transformed images."""
    return HashTable.read(_file(dataset, "transformed"))


def save_transformed(table: HashTable) -> None:
    """Write the hashes of transformed images to the output folder."""
    table.write(_file(table.provenance["dataset"], "transformed", project.out()))


def hash_or_load_layouts(dataset: Dataset, workers: int) -> HashTable:
    """Hash images with other caption layouts, or load the committed hashes.

    Parameters
    ----------
    dataset : Dataset
        Data set of the run. Images are rendered and hashed only if it is ``memes``.
    workers : int
        Number of processes.

    Returns
    -------
    HashTable
        As from ``layouts.hash_layouts``, for the images that ``layouts.images`` names at the run's
        scale.
    """
    names = layouts.images(project.scale())
    if dataset.name == standin.MEMES.name:
        table = layouts.hash_layouts(standin.MEMES, names, workers=workers)
        return table.with_provenance(dataset=dataset.name, fingerprint=dataset.fingerprint)
    return _rows_of(HashTable.read(_file("memes", "layouts")), pa.array(names))


def hash_or_load_middle(dataset: Dataset, gallery: HashTable, workers: int) -> HashTable:
    """Hash the middle half of all images with dHash, or load the committed hashes.

    Parameters
    ----------
    dataset : Dataset
        Data set of the run. Images are hashed unless it is ``drawn``.
    gallery : HashTable
        Table of its readable images, as from ``hash_or_load``.
    workers : int
        Number of processes.

    Returns
    -------
    HashTable
        As from ``layouts.hash_middle``, with the rows of ``gallery``.
    """
    if dataset.name != "drawn":
        paths = [dataset.folder / name for name in gallery.paths]
        table = layouts.hash_middle(paths, workers=workers)
        return table.with_provenance(dataset=dataset.name, fingerprint=dataset.fingerprint)
    table = HashTable.read(_file("memes", layouts.DHASH_MIDDLE))
    return _rows_of(table, gallery.arrow["path"].combine_chunks())


def save_layouts(table: HashTable, middle: HashTable) -> None:
    """Write the hashes of images with other layouts, and of the middle half, to the output folder.

    The two tables are those of ``hash_or_load_layouts`` and of ``hash_or_load_middle``.
    """
    for name, each in (("layouts", table), (layouts.DHASH_MIDDLE, middle)):
        each.write(_file(each.provenance["dataset"], name, project.out()))


def families(table: HashTable) -> np.ndarray:
    """Return the family of each row, taken from its file name."""
    return families_of(table.paths)


def subset(table: HashTable, scale: project.Scale) -> HashTable:
    """Return the rows of the images that ``datasets.load`` would choose at this scale."""
    labels = families(table)
    _, first, rank = np.unique(labels, return_index=True, return_inverse=True)
    number = np.arange(len(labels)) - first[rank]  # Position of each image within its family.
    chosen = np.ones(len(labels), bool)
    if scale.families is not None:
        chosen &= rank < scale.families
    if scale.per_family is not None:
        chosen &= number < scale.per_family
    return HashTable(table.arrow.filter(pa.array(chosen)))


def _rows_of(table: HashTable, paths: pa.Array) -> HashTable:
    """Return the rows whose path is one of ``paths``, in the table's order."""
    return HashTable(table.arrow.filter(pc.is_in(table.arrow["path"], paths)))


def _file(dataset: str, method: str, folder: Path | None = None) -> Path:
    return project.hashes(folder) / dataset / f"{method}.parquet"
