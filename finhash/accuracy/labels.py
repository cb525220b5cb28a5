"""Labels of a user's images: the family of each image, from file names, folders or a CSV file."""

import csv
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

VERDICTS_FILE = "verdicts.csv"
"""Name of a file of verdicts on families, which is read if it lies beside the images."""

COLUMNS = ("path", "label")
"""Columns of a file of labels."""

NUMBERED = re.compile(r"(\d+)_\d+")
"""Name of a file that carries its label: family, underscore, number; without the extension."""

Paths = Sequence[str | os.PathLike[str]]


def from_paths(paths: Paths) -> NDArray[np.str_]:
    """Return the family of each image, from its file name or its folder.

    If all file names consist of a family number, an underscore and another number, as in
    ``0007_00012.jpg``, the family is the first number. Otherwise, it is the name of the folder that
    contains the file.

    Parameters
    ----------
    paths : sequence of str or path-like
        Image files.

    Returns
    -------
    ndarray of str, shape (n,)
        Label of each image.

    Raises
    ------
    ValueError
        If the paths carry no labels: some names lack a family and all files lie in one folder.

    Examples
    --------
    >>> from finhash.accuracy import labels
    >>> labels.from_paths(["a/0007_1.jpg", "a/0008_1.jpg"]).tolist()
    ['0007', '0008']
    >>> labels.from_paths(["photos/cat/1.jpg", "photos/dog/1.jpg"]).tolist()
    ['cat', 'dog']
    """
    files = [Path(path) for path in paths]
    numbered = [NUMBERED.fullmatch(file.stem) for file in files]
    if all(numbered):
        return np.array([match[1] for match in numbered if match], str)
    folders = [file.absolute().parent.name for file in files]
    if len(set(folders)) == 1:
        others = [file.name for file, match in zip(files, numbered, strict=True) if not match]
        raise ValueError(
            f"the images have no labels: all {len(files)} lie in one folder, and not all are named "
            f"FAMILY_NUMBER like 0007_00012.jpg, for example {others[0]!r} (names that are not: "
            f"{len(others)}); rename these files or take them out, put each family in a folder of "
            "its own, or give a file of labels"
        )
    return np.array(folders, str)


def read(path: str | os.PathLike[str], images: Paths) -> NDArray[np.str_]:
    r"""Read the family of each image from a CSV file with the columns path and label.

    Parameters
    ----------
    path : str or path-like
        CSV file in UTF-8 with a header. Its paths are absolute, or relative to its folder or to the
        current directory. Further columns and rows of other files are ignored.
    images : sequence of str or path-like
        Image files whose labels are wanted.

    Returns
    -------
    ndarray of str, shape (n,)
        Label of each image.

    Raises
    ------
    ValueError
        If the file is not a CSV file in UTF-8, if a column is missing, or if an image has no label
        or two different ones.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from finhash.accuracy import labels
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = Path(folder.name, "labels.csv")
    >>> _ = file.write_text("path,label\na.jpg,cat\nb.jpg,dog\n")
    >>> labels.read(file, [f"{folder.name}/b.jpg", f"{folder.name}/a.jpg"]).tolist()
    ['dog', 'cat']
    >>> folder.cleanup()
    """
    path = Path(path)
    # A path relative to the file's folder goes before one relative to the current directory.
    bases = [path.absolute().parent, Path.cwd()]
    found: list[dict[str, str]] = [{}, {}]
    with open_csv(path) as file:
        for line, name, label in _rows(path, file):
            for base, labels in zip(bases, found, strict=True):
                place = os.path.realpath(base / name)
                if labels.setdefault(place, label) != label:
                    raise ValueError(
                        f"{path}, line {line}: {name!r} has the label {label!r}, but an "
                        f"earlier line says {labels[place]!r}; delete one of the two"
                    )
    places = [os.path.realpath(image) for image in images]
    wanted = [found[0].get(place) or found[1].get(place) for place in places]
    missing = [os.fspath(image) for image, one in zip(images, wanted, strict=True) if one is None]
    if missing:
        raise ValueError(
            f"{path} has no label for {len(missing)} of {len(images)} images, for example "
            f"{missing[0]!r}; add a line for each, or leave these images out"
        )
    return np.array(wanted, str)


@contextmanager
def open_csv(path: Path) -> Iterator[TextIO]:
    """Open a CSV file in UTF-8; raise ``ValueError`` if its content turns out to be another."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            yield file
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(
            f"{path} cannot be read as CSV: {error}; save it as CSV in UTF-8"
        ) from error


def _rows(path: Path, lines: Iterator[str]) -> Iterator[tuple[int, str, str]]:
    """Yield line number, path and label of each row that is not blank."""
    reader = csv.DictReader(lines, skipinitialspace=True)
    header = [name.strip().lower() for name in reader.fieldnames or []]
    absent = [column for column in COLUMNS if column not in header]
    if absent:
        raise ValueError(
            f"{path} has no column {' and no column '.join(absent)}; its first line must be "
            f"{','.join(COLUMNS)}, separated by commas"
        )
    reader.fieldnames = header
    for row in reader:
        name, label = ((row[column] or "").strip() for column in COLUMNS)
        if name and label:
            yield reader.line_num, name, label
        elif name or label:
            raise ValueError(
                f"{path}, line {reader.line_num} has the path {name!r} and the label {label!r}; "
                "write both"
            )
