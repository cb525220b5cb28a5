"""Segments of a gallery as files, which are mapped into memory and never change."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finhash.files import sync_folder
from finhash.hamming.gallery.ids import Arrays, Counted, Listed
from finhash.hamming.gallery.snapshot import Segment
from finhash.hamming.layout import Groups, Part
from finhash.hamming.words import Columns


def write(segment: Segment, folder: Path) -> None:
    """Write a segment into a new folder; return once it is on the disk.

    Each array is one file in NumPy's format: the fields of ``Part``, of ``Groups`` if there are
    any, and of ``ids.Arrays`` unless the identifiers are consecutive integers.
    """
    part, ids = segment
    arrays: dict[str, NDArray[Any]] = {
        "rows": part.rows,
        "words": part.others.words,
        "others": part.others.ids,
    }
    if part.groups:
        arrays |= part.groups._asdict()
    if isinstance(ids, Listed):
        arrays |= ids.arrays._asdict()
    folder.mkdir(parents=True)
    for name, array in arrays.items():
        with _file(folder, name).open("wb") as file:
            np.save(file, array)
            file.flush()
            os.fsync(file.fileno())
    for each in (folder, folder.parent):
        sync_folder(each)


def read(folder: Path, first_id: int | None) -> Segment:
    """Map a segment into memory; ``first_id`` is the first of consecutive integers, or None."""
    rows = _array(folder, "rows")
    groups = None
    if _file(folder, "centres").exists():
        groups = Groups(*(_array(folder, name) for name in Groups._fields))
    others = Columns(_array(folder, "words"), _array(folder, "others"))
    if first_id is None:
        ids: Listed | Counted = Listed(Arrays(*(_array(folder, name) for name in Arrays._fields)))
    else:
        ids = Counted(first_id, len(rows))
    return Segment(Part(rows, groups, others), ids)


def first_id(segment: Segment) -> int | None:
    """Return the first identifier if they are consecutive integers, else None."""
    return segment.ids.first if isinstance(segment.ids, Counted) else None


def _array(folder: Path, name: str) -> NDArray[Any]:
    """Map an array into memory.

    The map is copy-on-write: Numba compiles kernels a second time for arrays that are read-only.
    """
    return np.load(_file(folder, name), mmap_mode="c").view(np.ndarray)


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.npy"
