"""``HashTable``: the hashes of many files, with their paths and errors."""

import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from finhash import methods as registry
from finhash.files import text, whole_file
from finhash.methods import RESERVED, MethodName
from finhash.preparation import Preparation
from finhash.tables import csv_file, parquet, preview, schema
from finhash.tables.columns import as_hex, conform, fixed_width, packed
from finhash.tables.folder import as_part, check_parts, read_parts
from finhash.tables.formats import format_of
from finhash.tables.provenance import difference
from finhash.tables.schema import KEY, METADATA_KEY

if TYPE_CHECKING:
    import pandas as pd


class Changes(NamedTuple):
    """Paths in which two tables differ, as returned by ``HashTable.compare``."""

    added: list[str]
    """Paths that only the other table has."""

    removed: list[str]
    """Paths that only this table has."""

    changed: list[str]
    """Paths whose hash differs, or is missing in one of the tables."""


class HashTable:
    """Table of the hashes of many files: one row per file, one column per method.

    ``hash_files`` returns one, ``HashTable.read`` reads one from disk, and
    ``HashTable.from_hashes`` makes one of hashes that are already known. Tables never change:
    methods return new ones. Two tables are equal (``==``) if they have the same paths, methods,
    hashes and errors in the same order; the provenance is not compared.

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
        width, height : int32, optional
            Size of the image in pixels, before EXIF orientation.
        bytes : int64, optional
            Size of the file, or of the encoded image.
        format : string, optional
            Pillow's name of the format, such as ``"JPEG"``.
        modified : int64, optional
            Modification time of the file, in nanoseconds since 1970.
        orientation : int8, optional
            EXIF orientation of the image, 1 to 8, where 1 is upright.
        quality : int8, optional
            Quality of the image, 0 to 100, as ``finhash.quality.quality`` returns it. Hashes of
            images below ``finhash.quality.LOWEST`` mean little.

        The columns from ``width`` on are in tables that ``hash_files`` and ``hash_images`` made;
        ``quality`` only if it was asked for. Their
        values are null if they are not known, such as the time of an image that is no file, or all
        values of rows that earlier versions of finhash made.

        The schema's metadata holds the provenance. Types that other programs make of these
        columns, such as hexadecimal digits, are converted, and a missing ``error`` is added.

    Raises
    ------
    TypeError
        If ``arrow`` is not a ``pyarrow.Table``.
    ValueError
        If it has no column ``path``, or a column cannot be converted.

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
    >>> table
    HashTable: 2 rows, 1 failed; methods: find, dhash64
    ...
    >>> folder.cleanup()
    """

    def __init__(self, arrow: pa.Table) -> None:
        if not isinstance(arrow, pa.Table):
            raise TypeError(
                f"HashTable takes a pyarrow.Table, not {type(arrow).__name__}: make a table of "
                'hashes with HashTable.from_hashes(ids, {"find": hashes}), or read a file with '
                "HashTable.read(path)"
            )
        self._arrow: pa.Table | None = conform(arrow)

    @classmethod
    def _from_batches(cls, batches: Iterable[pa.RecordBatch], keyed: pa.Schema) -> "HashTable":
        """Return a table of the rows that workers return, without their column ``key``."""
        table = as_part(batches, keyed).drop_columns(KEY)
        return HashTable(table.combine_chunks())

    @classmethod
    def from_hashes(
        cls,
        ids: Iterable[str | os.PathLike[str]],
        hashes: Mapping[str, NDArray[np.uint8]],
        errors: Iterable[str] | None = None,
    ) -> "HashTable":
        """Return a table of hashes that are already known.

        Its provenance is empty; ``with_provenance`` adds facts.

        Parameters
        ----------
        ids : iterable of str or path-like
            Path or another id of each row.
        hashes : mapping of str to ndarray of uint8, shape (n, bits / 8)
            Hashes by name of method, most significant bit first.
        errors : iterable of str, optional
            Reason why each row has no hash; empty if it has one. The hashes of other rows are
            ignored. By default all rows have hashes.

        Returns
        -------
        HashTable
            One row per id.

        Raises
        ------
        TypeError
            If an array is not ``uint8``.
        ValueError
            If an array has another shape, or a registered method another number of bits.

        Examples
        --------
        >>> import numpy as np
        >>> HashTable.from_hashes(["17", "18"], {"dhash64": np.zeros((2, 8), np.uint8)})
        HashTable: 2 rows, all hashed; methods: dhash64
        path  dhash64        error
        17    000000000000…
        18    000000000000…
        """
        if not isinstance(hashes, Mapping):
            raise TypeError(
                f"hashes is of type {type(hashes).__name__}; pass arrays by name of method, such "
                'as {"find": hashes}'
            )
        names = [text(os.fsdecode(name)) for name in ids]
        reasons = [""] * len(names) if errors is None else list(errors)
        if len(reasons) != len(names):
            raise ValueError(f"there are {len(reasons)} errors for {len(names)} ids: pass one each")
        rows = np.arange(len(names))
        places = pa.array(rows, mask=np.array([bool(reason) for reason in reasons], bool))
        columns = {
            name: packed(_checked(name, values, len(names))).take(places)
            for name, values in hashes.items()
        }
        texts = pa.array(names, pa.string()), pa.array(reasons, pa.string())
        return HashTable(pa.table({"path": texts[0], **columns, "error": texts[1]}))

    @classmethod
    def from_pandas(
        cls, frame: "pd.DataFrame", methods: Sequence[MethodName | str] | None = None
    ) -> "HashTable":
        """Return the table of a data frame.

        Parameters
        ----------
        frame : pandas.DataFrame
            Column ``path``; columns of hashes, as ``bytes`` or hexadecimal digits, named after
            their methods; optionally ``error``. The index is ignored.
        methods : sequence of str, optional
            Columns of hashes wanted, in this order, as for ``read``. By default all columns of the
            data frame are kept. Those of ``bytes``, and of hexadecimal digits under the name of a
            registered method, are hashes.

        Returns
        -------
        HashTable
            The rows of the data frame, without provenance.

        Raises
        ------
        ValueError
            If there is no column ``path``, or a column of hashes cannot be converted.
        KeyError
            If there is no column of one of ``methods``, or it holds no hashes.

        Examples
        --------
        >>> import pandas as pd
        >>> table = HashTable.from_pandas(pd.DataFrame({"path": ["17"], "dhash64": ["0f" * 8]}))
        >>> table.hashes("dhash64").tolist()
        [[15, 15, 15, 15, 15, 15, 15, 15]]
        """
        if not hasattr(frame, "columns"):  # pandas need not be loaded to tell
            raise TypeError(f"frame is of type {type(frame).__name__}; pass a pandas.DataFrame")
        names = _names(methods)
        table = HashTable(conform(pa.Table.from_pandas(frame, preserve_index=False), names or ()))
        return table if names is None else table.select(names)

    @classmethod
    def concat(cls, tables: Iterable["HashTable"]) -> "HashTable":
        """Return the rows of several tables, one table after the other.

        Parameters
        ----------
        tables : iterable of HashTable
            Tables with the same methods. A path that occurs in several tables keeps all its rows.

        Returns
        -------
        HashTable
            All rows, without columns other than those listed under ``HashTable``. A column that
            only some tables have is null in the rows of the others. The provenance holds the facts
            that all tables share.

        Raises
        ------
        ValueError
            If there is no table, methods or numbers of bits differ, or tables were made by versions
            of the software that give other hashes, or of images that were prepared in other ways.

        Examples
        --------
        >>> import numpy as np
        >>> first = HashTable.from_hashes(["17"], {"dhash64": np.zeros((1, 8), np.uint8)})
        >>> second = HashTable.from_hashes(["18"], {"dhash64": np.ones((1, 8), np.uint8)})
        >>> HashTable.concat([first, second]).paths
        ['17', '18']
        """
        several = [] if isinstance(tables, HashTable) else list(tables)
        if isinstance(tables, HashTable) or not all(isinstance(t, HashTable) for t in several):
            raise TypeError("tables must be a list of HashTables, such as [first, second]")
        if not several:
            raise ValueError("there are no tables to concatenate: pass at least one")
        first = several[0]
        for other in several[1:]:
            _check_comparable(first, other)
        arrow = pa.concat_tables(
            [table.select(first.methods).arrow.replace_schema_metadata(None) for table in several],
            promote_options="default",  # tables of other programs may allow nulls in all columns
        )
        shared = {
            name: fact
            for name, fact in first.provenance.items()
            if all(name in t.provenance and t.provenance[name] == fact for t in several)
        }
        return HashTable(arrow).with_provenance(**shared)

    @classmethod
    def read(
        cls, path: str | os.PathLike[str], methods: Sequence[MethodName | str] | None = None
    ) -> "HashTable":
        r"""Read a file made by ``write``, or a folder given to ``hash_files`` as ``out``.

        Files that pandas, Polars or DuckDB made of a hash table can be read too. They have no
        provenance. Their columns of binary values, and of hexadecimal digits under the name of a
        registered method, are hashes. Hexadecimal digits under another name are not, because they
        can be anything, such as MD5 sums; ``methods`` names those that are.

        Parameters
        ----------
        path : str or path-like
            Parquet file, CSV file (its name ends in ``.csv``), or folder of parts. Other processes
            may add to the folder meanwhile.
        methods : sequence of str, optional
            Columns of hashes wanted, in this order; columns that are not listed under ``HashTable``
            are then left out. By default all columns.

        Returns
        -------
        HashTable
            Rows of the file. If ``path`` is a folder, the newest row of each file, sorted by path.

        Raises
        ------
        ValueError
            If the file is not a hash table or is in a format of a later version of finhash, or the
            folder holds no parts of a hash table.
        KeyError
            If there is no column of one of ``methods``, or it holds no hashes.
        OSError
            If the file cannot be read.

        Examples
        --------
        A CSV file of another program, with hashes by a method that is not registered:

        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> file = Path(folder.name, "hashes.csv")
        >>> _ = file.write_text("path,mine,md5\na.jpg,0f0f0f0f0f0f0f0f,d41d8cd98f00b204\n")
        >>> HashTable.read(file, ["mine"]).hashes("mine").tolist()
        [[15, 15, 15, 15, 15, 15, 15, 15]]
        >>> HashTable.read(file).methods
        []
        >>> folder.cleanup()
        """
        path, names = Path(path), _names(methods)
        if path.is_dir():
            arrow = read_parts(path)
        elif path.suffix.lower() == ".csv":
            arrow = csv_file.read_csv(path, names or ())
        else:
            arrow = parquet.read_table(path, names or ())
        return HashTable(arrow) if names is None else HashTable(arrow).select(names)

    @classmethod
    def scan(
        cls,
        folder: str | os.PathLike[str],
        paths: Collection[str | os.PathLike[str]] | None = None,
        methods: Sequence[MethodName | str] | None = None,
    ) -> "HashTable":
        """Return the table of a folder of parts, whose rows are read when first needed.

        Until its rows are first used, the table takes constant memory, and ``paths`` must not
        change. The rows are those that the folder has when they are read.

        Parameters
        ----------
        folder : str or path-like
            Folder given to ``hash_files`` as ``out``.
        paths : collection of str or path-like, optional
            Files whose rows are wanted, in this order. By default all files, sorted by path.
        methods : sequence of str, optional
            Columns of hashes wanted, in this order. By default all.

        Returns
        -------
        HashTable
            The newest row of each file. The first use of its rows raises ``ValueError`` if the
            folder has no row for one of ``paths``, and ``KeyError`` if it has no column of one of
            ``methods``.

        Raises
        ------
        ValueError
            If the folder holds no parts of a hash table.
        """
        return _ScannedTable(folder, paths, methods)

    @property
    def arrow(self) -> pa.Table:
        """The rows as a ``pyarrow.Table``, with the columns listed under ``HashTable``."""
        return self._arrow

    def __len__(self) -> int:
        rows: int = self.arrow.num_rows
        return rows

    def __repr__(self) -> str:
        return preview.as_text(self.arrow, self.methods)

    def _repr_html_(self) -> str:
        """Return the HTML that notebooks show."""
        return preview.as_html(self.arrow, self.methods)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, HashTable):
            return NotImplemented
        columns = ["path", *self.methods, "error"]
        return self.methods == other.methods and all(
            self.arrow[name].equals(other.arrow[name]) for name in columns
        )

    def __hash__(self) -> int:
        return hash((len(self), *self.methods, *self.arrow["path"].slice(0, 1).to_pylist()))

    @cached_property
    def paths(self) -> list[str]:
        """Path of each file, as it was given. The list belongs to the table: do not change it.

        Bytes that are not UTF-8 are escaped, so such a path cannot be opened again.
        """
        paths: list[str] = self.arrow["path"].to_pylist()
        return paths

    @cached_property
    def errors(self) -> list[str]:
        """Reason why each file has no hash; empty if it has one. Do not change the list."""
        errors: list[str] = self.arrow["error"].to_pylist()
        return errors

    def column(self, name: str) -> list[Any]:
        """Return the values of any column.

        Parameters
        ----------
        name : str
            Name of the column, such as ``"width"``.

        Returns
        -------
        list
            One value per row, in the order of the rows; None where the value is null.

        Raises
        ------
        KeyError
            If the table has no such column; the message lists its columns.

        Examples
        --------
        >>> from PIL import Image
        >>> from finhash import hash_images
        >>> table = hash_images([("17", Image.radial_gradient("L"))], progress=False)
        >>> table.column("width"), table.column("bytes")
        ([256], [None])
        """
        if name not in self.arrow.column_names:
            known = ", ".join(self.arrow.column_names)
            raise KeyError(f"the table has no column {name!r}; it has: {known}")
        values: list[Any] = self.arrow[name].to_pylist()
        return values

    @property
    def methods(self) -> list[str]:
        """Names of the columns of hashes, even of methods that are not registered here."""
        return schema.hash_columns(self.arrow.schema)

    @property
    def provenance(self) -> dict[str, Any]:
        """Facts about the making of the table: ``"versions"``, and those added later."""
        return schema.provenance_of(self.arrow.schema)

    @property
    def preparation(self) -> Preparation:
        """What was done to the images before they were hashed; nothing if this is not recorded."""
        return schema.preparation_of(self.arrow.schema)

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
            Names of methods. A name that is given several times counts once.

        Returns
        -------
        HashTable
            The same rows with the columns ``path``, these methods in this order, and those that
            follow them under ``HashTable``.

        Raises
        ------
        KeyError
            If the table has no column of one of the methods.
        TypeError
            If ``methods`` is a single string.
        """
        names = [self._known(name) for name in _names(methods)]
        facts = schema.fact_columns(self.arrow.schema)
        return HashTable(self.arrow.select(["path", *names, "error", *facts]))

    def without_errors(self) -> "HashTable":
        """Return a table of the rows that have hashes.

        Returns
        -------
        HashTable
            The rows whose ``error`` is empty and that have a hash of each method, in the same
            order. Select methods first to keep rows that lack a hash of another one.
        """
        hashed = pc.call_function("equal", [self.arrow["error"], ""])
        for name in self.methods:
            if self.arrow[name].null_count:
                hashed = pc.call_function("and", [hashed, self.arrow[name].is_valid()])
        return HashTable(self.arrow.filter(hashed))

    def filter(
        self,
        rows: Callable[[str], bool] | Collection[str | os.PathLike[str] | bool] | NDArray[np.bool_],
    ) -> "HashTable":
        """Return a table of some of the rows, in the same order.

        Parameters
        ----------
        rows : callable, collection of paths, or sequence of bool, shape (n,)
            Rows to keep: those for whose path the function returns true, those of these paths, or
            those whose value is true.

        Returns
        -------
        HashTable
            The chosen rows, with the same provenance.

        Raises
        ------
        KeyError
            If a path is not in the table.
        TypeError
            If ``rows`` is a single path, or holds something else than paths or truth values.
        ValueError
            If there is not one truth value per row.

        Examples
        --------
        >>> import numpy as np
        >>> table = HashTable.from_hashes(["17", "18"], {"dhash64": np.zeros((2, 8), np.uint8)})
        >>> table.filter(["18"]).paths
        ['18']
        >>> table.filter(lambda path: path < "18").paths
        ['17']
        >>> table.filter((table.hashes("dhash64") == 0).all(axis=1)).paths
        ['17', '18']
        """
        if isinstance(rows, str | bytes | os.PathLike):
            raise TypeError(f"rows is the single path {rows!r}: pass a list of paths")
        if callable(rows):
            keep = np.array([bool(rows(path)) for path in self.paths], bool)
        elif (values := np.asarray(rows)).dtype == bool:
            keep = values
            if keep.shape != (len(self),):
                raise ValueError(f"the array has shape {keep.shape}, not ({len(self)},)")
        elif not isinstance(rows, Iterable):
            raise TypeError(
                f"rows is of type {type(rows).__name__}; pass a function of a path, a list of "
                "paths, or one truth value per row"
            )
        else:
            keep = self._rows_of(rows)
        return HashTable(self.arrow.filter(pa.array(keep)))

    def compare(self, other: "HashTable", method: MethodName | str = "find") -> Changes:
        """Return the paths in which another table differs.

        Parameters
        ----------
        other : HashTable
            Table to compare with, such as a later one of the same folder.
        method : str, default "find"
            Column of hashes to compare. If a path has several rows, its last one counts.

        Returns
        -------
        Changes
            Lists of paths, in the order of the tables:

            added : only in ``other``
            removed : only in this table
            changed : in both, but the hash differs or one of them is missing

        Raises
        ------
        KeyError
            If a table has no column of this method.

        Examples
        --------
        >>> import numpy as np
        >>> before = HashTable.from_hashes(["17", "18"], {"find": np.zeros((2, 32), np.uint8)})
        >>> after = HashTable.from_hashes(["18", "19"], {"find": np.ones((2, 32), np.uint8)})
        >>> before.compare(after)
        Changes(added=['19'], removed=['17'], changed=['18'])
        """
        if not isinstance(other, HashTable):
            raise TypeError(f"other is of type {type(other).__name__}; pass a HashTable")
        before, after = (
            dict(zip(table.paths, table.arrow[table._known(method)].to_pylist(), strict=True))
            for table in (self, other)
        )
        return Changes(
            added=[path for path in after if path not in before],
            removed=[path for path in before if path not in after],
            changed=[path for path in before if path in after and before[path] != after[path]],
        )

    def to_pandas(self, *, hexadecimal: bool = False) -> "pd.DataFrame":
        """Return the table as a data frame, which ``from_pandas`` turns back into a table.

        Parameters
        ----------
        hexadecimal : bool, default False
            Whether hashes are text in hexadecimal digits instead of ``bytes``.

        Returns
        -------
        pandas.DataFrame
            Columns:

            path : str
                Path of the file.
            one column per method : bytes or str
                Hash; missing (None or NaN) if the file has none.
            error : str
                Reason why the file has no hash; empty if it has one.
            width, height : Int32
                Size of the image in pixels; missing if not known, as in the next columns.
            bytes : Int64
                Size of the file.
            format : str
                Pillow's name of the format.
            modified : Int64
                Modification time of the file, in nanoseconds since 1970.
            orientation : Int8
                EXIF orientation, 1 to 8.
            quality : Int8
                Quality, 0 to 100.

            Tables that lack one of the columns from ``width`` on give frames without it.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                'HashTable.to_pandas needs: pip install "finhash[evaluate]"'
            ) from error
        arrow = self.arrow
        for name in self.methods if hexadecimal else ():
            place = arrow.column_names.index(name)
            arrow = arrow.set_column(place, name, as_hex(arrow[name]))
        frame: pd.DataFrame = arrow.to_pandas()
        # Columns of integers with nulls would become floating-point numbers, which are not exact.
        kinds = {
            pa.int8(): pd.Int8Dtype(),
            pa.int32(): pd.Int32Dtype(),
            pa.int64(): pd.Int64Dtype(),
        }
        for name in schema.fact_columns(arrow.schema):
            if arrow[name].type in kinds:
                frame[name] = arrow[name].to_pandas(types_mapper=kinds.get)
        return frame

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
            call ``without_errors()`` first. A row without an error also lacks the hash if the
            method was added to a folder later and its file has not been hashed since.
        KeyError
            If the table has no column of this method.
        """
        column = self.arrow[self._known(method)]
        if column.null_count:
            raise ValueError(
                f"{column.null_count} of {len(self)} rows have no hash; use without_errors()"
            )
        return fixed_width(column)

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
        for path in self.arrow["path"].to_pylist():  # not kept, unlike self.paths
            state.update(Path(path).name.encode() + b"\0")
        state.update(self.hashes(method).tobytes())
        return state.hexdigest()

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the table as one file, which appears complete or not at all.

        Parameters
        ----------
        path : str or path-like
            Name of the file; missing folders are created. If it ends in ``.csv``, the hashes are
            in hexadecimal digits, and the provenance is not written. If it ends in ``.parquet`` or
            ``.pq`` or has no ending, the file is Parquet. A symbolic link is followed; a device or
            pipe is written to as it is.

        Raises
        ------
        ValueError
            If the name has another ending, or a column cannot be written as CSV.
        IsADirectoryError
            If there is a folder of this name.
        OSError
            If the file cannot be written.
        """
        if format_of(path, ["parquet", "csv"]) == "csv":
            with whole_file(path) as partial:
                csv_file.write_csv(self.arrow, self.methods, partial)
        else:
            parquet.write_table(self.arrow, path)

    def _known(self, method: object) -> str:
        """Return the name of a method; raise ``KeyError`` unless the table has its hashes."""
        if method not in self.methods:
            known = ", ".join(self.methods) or "none"
            words = f"the table has no hashes {method!r}; its methods are: {known}"
            if method in self.arrow.column_names:
                words += (
                    f". If its column {method!r} is hashes in hexadecimal digits, read the table "
                    f"with methods=[{method!r}]"
                )
            raise KeyError(words)
        return str(method)

    def _rows_of(self, paths: Iterable[object]) -> NDArray[np.bool_]:
        """Return which rows have one of these paths; raise ``KeyError`` if a path has no row."""
        wanted: set[str] = set()
        for path in paths:
            if not isinstance(path, str | os.PathLike):
                raise TypeError(
                    f"rows holds {path!r}: pass paths, a function of a path, or one truth value "
                    "per row"
                )
            wanted.add(text(os.fsdecode(path)))
        if unknown := sorted(wanted.difference(self.paths)):
            raise KeyError(f"the table has no row for {unknown[0]}: pass paths of the table")
        return np.array([path in wanted for path in self.paths], bool)


class _ScannedTable(HashTable):
    """A table in a folder of parts, read on the first access to ``arrow`` and then kept."""

    def __init__(
        self,
        folder: str | os.PathLike[str],
        paths: Collection[str | os.PathLike[str]] | None,
        methods: Sequence[str] | None,
    ) -> None:
        check_parts(folder)
        self._arrow = None
        self._folder = folder
        self._paths = paths
        self._methods = methods

    @property
    def arrow(self) -> pa.Table:
        if self._arrow is None:
            self._arrow = read_parts(self._folder, self._paths, self._methods)
            self._paths = None
        return self._arrow


@overload
def _names(methods: Iterable[str]) -> list[str]: ...
@overload
def _names(methods: Iterable[str] | None) -> list[str] | None: ...
def _names(methods: Iterable[str] | None) -> list[str] | None:
    """Return the names of methods, each once; raise ``TypeError`` if they are a single string."""
    if isinstance(methods, str):
        raise TypeError(f"methods is {methods!r}; pass a list of names, such as [{methods!r}]")
    return None if methods is None else list(dict.fromkeys(methods))


def _checked(name: str, values: NDArray[np.uint8], rows: int) -> NDArray[np.uint8]:
    """Return the hashes of one method; raise an error unless they fit the ids and the method."""
    if name in RESERVED:
        raise ValueError(f"a method cannot have the name {name!r}: choose another name")
    hashes = np.asarray(values)
    if hashes.dtype != np.uint8:
        raise TypeError(
            f"the hashes {name!r} have dtype {hashes.dtype}, not uint8: pack bits with "
            "numpy.packbits(bits, axis=1)"
        )
    bits = registry.METHODS[name].bits if name in registry.METHODS else None
    width = hashes.shape[1] if hashes.ndim == 2 else 0
    if len(hashes) != rows or width == 0 or width % 8 or bits not in (None, 8 * width):
        wanted = "bits / 8" if bits is None else bits // 8
        raise ValueError(
            f"the hashes {name!r} have shape {hashes.shape}, not ({rows}, {wanted}): pass one hash "
            "per id, eight bits per byte, of a multiple of 64 bits"
        )
    return hashes


def _check_comparable(first: HashTable, other: HashTable) -> None:
    """Raise ``ValueError`` unless the hashes of two tables can be compared."""
    kinds = [
        {name: table.arrow.schema.field(name).type.bit_width for name in table.methods}
        for table in (first, other)
    ]
    if kinds[0] != kinds[1]:
        raise ValueError(
            f"the tables have hashes of different methods or bits, {kinds[0]} and {kinds[1]}: "
            "select the same methods of both"
        )
    here, there = (table.provenance.get("versions") for table in (first, other))
    if here and there and (differ := difference(here, there, first.methods)):
        raise ValueError(f"a table was made by {differ}: hash its files again with one version")
    if first.preparation != other.preparation:
        raise ValueError(
            f"the images of the tables were prepared in different ways, {first.preparation} and "
            f"{other.preparation}: hash the files of one table again with the options of the other"
        )
