"""The hash tables that accuracy is computed from: made from pictures, or the committed ones.

Accuracy needs the real templates, which not every machine has, so the tables of the full ``memes``
data set are committed: ``data/hashes/memes/<method>.parquet``, hashes and file names only. Where
there are real pictures they are hashed again.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from finhash.jobs.batch import hash_files
from finhash.jobs.table import HashTable
from finhash.methods import METHODS
from finhash.study import project
from finhash.study.data import transforms
from finhash.study.data.datasets import Dataset, families_of

TRANSFORMED = tuple(name for name, method in METHODS.items() if method.bits == 256)
"""Methods whose hashes of transformed pictures are kept."""


def obtain(dataset: Dataset, methods: Sequence[str], *, progress: bool = True) -> HashTable:
    """Hashes for accuracy: of ``dataset``, or the committed ones if its templates are drawn."""
    if dataset.name == "drawn":
        return subset(committed(methods), project.scale())
    return make(dataset, methods, progress=progress)


def make(dataset: Dataset, methods: Sequence[str], *, progress: bool = True) -> HashTable:
    """The hash table of a data set, by file name, hashed on all cores."""
    table = hash_files(
        dataset.paths,
        methods,
        workers=os.cpu_count() or 1,
        executor="processes",
        progress=progress,
    )
    names = pa.array([path.name for path in dataset.paths])
    named = HashTable(table.arrow.set_column(0, table.arrow.schema.field("path"), names))
    return named.with_provenance(dataset=dataset.name, fingerprint=dataset.fingerprint)


def committed(methods: Sequence[str], dataset: str = "memes") -> HashTable:
    """The committed hash table of a full data set."""
    tables = [HashTable.read(_file(dataset, method)) for method in methods]
    columns = [table.arrow[method] for table, method in zip(tables, methods, strict=True)]
    first = tables[0].arrow
    fields = [tables[k].arrow.schema.field(method) for k, method in enumerate(methods)]
    schema = pa.schema(
        [first.schema.field("path"), *fields, first.schema.field("error")], first.schema.metadata
    )
    if any(not table.arrow["path"].equals(first["path"]) for table in tables):
        raise ValueError("the committed tables are not of the same pictures")
    return HashTable(pa.table([first["path"], *columns, first["error"]], schema=schema))


def agree(table: HashTable) -> dict[str, bool]:
    """Whether each method's hashes are the committed ones of the same pictures."""
    kept = subset(committed(table.methods), project.scale())
    return {name: table.digest(name) == kept.digest(name) for name in table.methods}


def keep(table: HashTable) -> None:
    """Commit-ready: a full table of real pictures, one Parquet file a method."""
    for method in table.methods:
        table.select([method]).write(_file(table.provenance["dataset"], method))


def obtain_transformed(dataset: Dataset, gallery: HashTable, workers: int) -> HashTable:
    """Hashes of transformed pictures: of ``dataset``, or the committed ones if it is drawn.

    Of every second family one picture; only pictures that are in ``gallery``.
    """
    scale = project.scale()
    if dataset.name != "drawn":
        chosen = transforms.queries(dataset, scale.pick(full=517, quick=50, smoke=3))
        return transforms.hash_transformed(dataset, chosen, TRANSFORMED, workers=workers)
    table = HashTable.read(_file("memes", "transformed"))
    known = pc.is_in(table.arrow["path"], gallery.arrow["path"].combine_chunks())
    return HashTable(table.arrow.filter(known))


def keep_transformed(table: HashTable) -> None:
    """Commit-ready: the hashes of transformed real pictures."""
    table.write(_file(table.provenance["dataset"], "transformed"))


def families(table: HashTable) -> np.ndarray:
    """The family of each row, from its file name."""
    return families_of(table.paths)


def _file(dataset: str, method: str) -> Path:
    return project.hashes() / dataset / f"{method}.parquet"


def subset(table: HashTable, scale: project.Scale) -> HashTable:
    """The rows of the pictures that ``scale`` would load, as ``datasets.load`` picks them."""
    labels = families(table)
    _, first, family_rank = np.unique(labels, return_index=True, return_inverse=True)
    number = np.arange(len(labels)) - first[family_rank]
    keep = family_rank < scale.families
    if scale.per_family is not None:
        keep &= number < scale.per_family
    return HashTable(table.arrow.filter(pa.array(keep)))
