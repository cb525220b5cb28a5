"""``HashTable``: the hashes of many files, with their paths and errors."""

import hashlib
import json
import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from finhash.jobs import parquet
from finhash.jobs.rows import KEY, METADATA_KEY
from finhash.methods import MethodName


class HashTable:
    """Table of the hashes of many files: one row per file, one column per method.

    ``hash_files`` returns one; ``HashTable.read`` reads one from disk.

    Parameters
    ----------
    arrow : pyarrow.Table
        Columns:

        path : string
            Path of the file, as it was given. Bytes that are not UTF-8 are escaped, so such a path
            cannot be opened again.
        one column per method : fixed-size binary of ``bits / 8`` bytes
            Hash; null if the file has none.
        error : string
            Reason why the file has no hash, as ``"ExceptionType: message"``; empty if it has one.

        The schema's metadata holds the provenance.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> from finhash import HashTable, hash_files
    >>> folder = tempfile.TemporaryDirectory()
    >>> Image.radial_gradient("L").save(f"{folder.name}/image.png")
    >>> paths = [f"{folder.name}/image.png", f"{folder.name}/missing.png"]
    >>> table = hash_files(paths, ["find", "dhash64"], progress=False)
    >>> table.methods
    ['find', 'dhash64']
    >>> table.errors
    ['', 'FileNotFoundError: No such file or directory']
    >>> table.write(f"{folder.name}/hashes.parquet")
    >>> table = HashTable.read(f"{folder.name}/hashes.parquet")
    >>> table.without_errors().hashes("dhash64").shape
    (1, 8)
    >>> folder.cleanup()
    """

    def __init__(self, arrow: pa.Table) -> None:
        self._arrow = arrow

    @classmethod
    def _from_batches(
        cls, batches: Iterable[pa.RecordBatch], methods: Sequence[str]
    ) -> "HashTable":
        """Return a table of the rows that workers return, without their column ``key``."""
        table = parquet.as_part(batches, methods).drop_columns(KEY)
        return HashTable(table.combine_chunks())

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "HashTable":
        """Read a file made by ``write``, or a folder given to ``hash_files`` as ``out``.

        Parameters
        ----------
        path : str or path-like
            Parquet file, or folder of parts.

        Returns
        -------
        HashTable
            Rows of the file. If ``path`` is a folder, the newest row of each file, sorted by path.

        Raises
        ------
        ValueError
            If the file is not a hash table, or the folder holds no parts of one.
        OSError
            If the file cannot be read.
        """
        if Path(path).is_dir():
            return HashTable(parquet.read_parts(path))
        return HashTable(parquet.read_table(path))

    @classmethod
    def scan(
        cls,
        folder: str | os.PathLike[str],
        paths: Collection[str | os.PathLike[str]] | None = None,
    ) -> "HashTable":
        """Return the table of a folder of parts, whose rows are read when first needed.

        Until its rows are first used, the table takes constant memory, and the folder and ``paths``
        must not change.

        Parameters
        ----------
        folder : str or path-like
            Folder given to ``hash_files`` as ``out``.
        paths : collection of str or path-like, optional
            Files whose rows are wanted, in this order. By default all files, sorted by path.

        Returns
        -------
        HashTable
            The newest row of each file. The first use of its rows raises ``ValueError`` if the
            folder has no row for one of ``paths``.

        Raises
        ------
        ValueError
            If the folder holds no parts of a hash table.
        """
        return _ScannedTable(folder, paths)

    @property
    def arrow(self) -> pa.Table:
        """The rows as a ``pyarrow.Table``, with the columns listed under ``HashTable``."""
        return self._arrow

    def __len__(self) -> int:
        rows: int = self.arrow.num_rows
        return rows

    @property
    def paths(self) -> list[str]:
        """Path of each file, as it was given.

        Bytes that are not UTF-8 are escaped, so such a path cannot be opened again.
        """
        paths: list[str] = self.arrow["path"].to_pylist()
        return paths

    @property
    def errors(self) -> list[str]:
        """Reason why each file has no hash; empty if it has one."""
        errors: list[str] = self.arrow["error"].to_pylist()
        return errors

    @property
    def methods(self) -> list[str]:
        """Names of the columns of hashes, even of methods that are not registered here."""
        return [
            field.name
            for field in self.arrow.schema
            if pa.types.is_fixed_size_binary(field.type) and field.name != KEY
        ]

    @property
    def provenance(self) -> dict[str, Any]:
        """Facts about the making of the table: ``"versions"``, and those added later."""
        return parquet.provenance_of(self.arrow.schema)

    def with_provenance(self, **facts: object) -> "HashTable":
        """Return a table of the same rows, with facts added to its provenance.

        Parameters
        ----------
        **facts
            Values that can be written as JSON.

        Returns
        -------
        HashTable
            The same rows with the extended provenance.

        Raises
        ------
        TypeError
            If a value cannot be written as JSON.
        """
        text = json.dumps({**self.provenance, **facts})
        return HashTable(self.arrow.replace_schema_metadata({METADATA_KEY: text}))

    def select(self, methods: Iterable[MethodName | str]) -> "HashTable":
        """Return a table of the same rows with the columns of these methods only.

        Parameters
        ----------
        methods : iterable of str
            Names of methods.

        Returns
        -------
        HashTable
            The same rows with the columns ``path``, these methods in this order, and ``error``.

        Raises
        ------
        KeyError
            If the table has no column of one of the methods.
        """
        return HashTable(self.arrow.select(["path", *methods, "error"]))

    def without_errors(self) -> "HashTable":
        """Return a table of the rows that have hashes.

        Returns
        -------
        HashTable
            The rows whose ``error`` is empty, in the same order.
        """
        hashed = pc.call_function("equal", [self.arrow["error"], ""])
        return HashTable(self.arrow.filter(hashed))

    def hashes(self, method: MethodName | str) -> NDArray[np.uint8]:
        """Return the hashes of one method.

        Parameters
        ----------
        method : str
            Name of the method.

        Returns
        -------
        ndarray of uint8, shape (n, bits / 8)
            One hash per row, in the order of the rows.

        Raises
        ------
        ValueError
            If a row has no hash. Dropping it here would shift the hashes against ``paths``, so
            call ``without_errors()`` first.
        KeyError
            If the table has no column of this method.
        """
        column = self.arrow[method]
        if column.null_count:
            raise ValueError(
                f"{column.null_count} of {len(self)} rows have no hash; use without_errors()"
            )
        return parquet.fixed_width(column)

    def digest(self, method: MethodName | str) -> str:
        """Return a SHA-256 of file names and hashes, to tell whether two tables are equal.

        Parameters
        ----------
        method : str
            Name of the method.

        Returns
        -------
        str
            64 hexadecimal digits. Folders in the paths do not change it; the order of rows does.

        Raises
        ------
        ValueError
            If a row has no hash.
        KeyError
            If the table has no column of this method.
        """
        state = hashlib.sha256()
        for path in self.paths:
            state.update(Path(path).name.encode() + b"\0")
        state.update(self.hashes(method).tobytes())
        return state.hexdigest()

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the table as one Parquet file, which appears complete or not at all.

        Parameters
        ----------
        path : str or path-like
            Name of the file; missing folders are created.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        parquet.write_table(self.arrow, path)


class _ScannedTable(HashTable):
    """A table in a folder of parts, read on the first access to ``arrow`` and then kept."""

    def __init__(
        self,
        folder: str | os.PathLike[str],
        paths: Collection[str | os.PathLike[str]] | None,
    ) -> None:
        parquet.check_parts(folder)
        super().__init__(None)
        self._folder = folder
        self._paths = paths

    @property
    def arrow(self) -> pa.Table:
        if self._arrow is None:
            self._arrow = parquet.read_parts(self._folder, self._paths)
            self._paths = None
        return self._arrow
