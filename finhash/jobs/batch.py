"""``hash_files``: hash many files into one table."""

import os
import pickle
from collections.abc import Collection, Iterable, Sequence

import pyarrow as pa
from tqdm import tqdm

from finhash import methods as registry
from finhash.jobs.dispatch import Dispatcher, Tasks
from finhash.jobs.executors import Executor, open_workers
from finhash.jobs.parts import Parts
from finhash.jobs.table import HashTable
from finhash.methods import Method, MethodName


def hash_files(
    paths: Iterable[str | os.PathLike[str]],
    methods: Sequence[MethodName | str] = ("find",),
    *,
    workers: int = 1,
    executor: Executor = "threads",
    out: str | os.PathLike[str] | None = None,
    scheduler: str | None = None,
    progress: bool = True,
) -> HashTable:
    """Hash many files into one table. Every file gets a row, even if it cannot be hashed.

    Each file is decoded once, however many methods there are.

    Parameters
    ----------
    paths : iterable of str or path-like
        Image files. A generator is consumed as files are hashed.
    methods : sequence of str, default ("find",)
        Names of hashes, as in ``finhash.methods.METHODS``. ``finhash.methods.register`` adds your
        own.
    workers : int, default 1
        Number of threads or processes. Without effect on ``"serial"`` and with ``scheduler``.
    executor : {"threads", "serial", "processes", "dask"}, default "threads"
        Workers to use:

        - ``"threads"``: threads of this process.
        - ``"serial"``: the calling thread.
        - ``"processes"``: new processes on this machine. They take seconds to start, but unlike
          threads they do not share Python's global interpreter lock (GIL).
        - ``"dask"``: a Dask cluster, started on this machine unless ``scheduler`` is given. Needs
          ``pip install "finhash[cluster]"``.
    out : str or path-like, optional
        Folder in which finished rows are kept, as Parquet files called parts. Another call with
        the same folder resumes: it hashes only files that have no row yet, that have changed in
        size or modification time, or whose row holds an error that may pass, such as a missing
        file. ``HashTable.read(out)`` reads all rows of the folder.
    scheduler : str, optional
        Address of a running Dask scheduler, such as ``"tcp://10.0.0.1:8786"``. All its workers
        must see the files under the same paths and have the same versions installed.
    progress : bool, default True
        Whether to show a progress bar on stderr.

    Returns
    -------
    HashTable
        One row per file, in the order of ``paths``, with the columns:

        path : string
            Path of the file, as it was given. Bytes that are not UTF-8 are escaped, so such a path
            cannot be opened again.
        one column per method : fixed-size binary of ``bits / 8`` bytes
            Hash, most significant bit first; null if the file has none.
        error : string
            Reason why the file has no hash, as ``"ExceptionType: message"``; empty if it has one.

        With ``out`` and a ``paths`` that can be iterated only once (a generator), the table is
        that of the whole folder, sorted by path.

    Raises
    ------
    KeyError
        If a method is unknown.
    ValueError
        If ``executor`` is unknown, ``workers`` is below 1, a ``scheduler`` is given for another
        executor than ``"dask"``, or ``out`` holds rows of other methods or versions. With
        ``"processes"`` and ``"dask"``, also if the function of a registered method is a lambda or
        is defined inside another function.
    RuntimeError
        If another run is using ``out``, or a worker has other versions installed or cannot import
        the function of a registered method.
    ImportError
        If Dask is not installed; with ``"threads"``, also if a method's package is not installed.
        The other executors then report the missing package in ``error`` of every row.
    OSError
        If ``out`` cannot be written.

    Notes
    -----
    **Bad files.** A file that is missing, unreadable, not an image, damaged or too large does not
    stop the job: its row holds the reason in ``error``. If a registered function raises an
    exception for a file, the row of this file holds the exception.

    **Crashes.** If a worker process dies, its files are hashed again by other workers. If two
    workers die while hashing a single file, the row of this file holds ``WorkerDiedError``. With
    ``"serial"`` and ``"threads"``, a crash ends the whole program.

    **Interruption.** Ctrl-C raises ``KeyboardInterrupt`` without waiting for the running tasks.
    With ``out``, all finished rows are written first. If the program is killed, the rows that were
    finished after the last part was written are lost; a part is written at least every minute.

    **Memory.** Without ``out``, all rows are held in memory. With ``out``, memory use does not grow
    with the number of files, apart from 16 bytes per finished file when resuming. Until its rows
    are first used, the table takes constant memory, and the folder and ``paths`` must not change.
    The rows are then read from disk.

    **Scripts.** ``"processes"``, and ``"dask"`` without ``scheduler``, start new Python processes
    that import the calling script. The call must therefore stand below
    ``if __name__ == "__main__":``. Notebooks do not need this.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> from finhash import HashTable, hash_files
    >>> folder = tempfile.TemporaryDirectory()
    >>> Image.radial_gradient("L").save(f"{folder.name}/round.png")
    >>> Image.linear_gradient("L").save(f"{folder.name}/line.png")
    >>> paths = [f"{folder.name}/{name}.png" for name in ("round", "line", "missing")]
    >>> table = hash_files(paths, out=f"{folder.name}/hashes", progress=False)
    >>> table.arrow.column_names
    ['path', 'find', 'error']
    >>> table.errors
    ['', '', 'FileNotFoundError: No such file or directory']
    >>> table.without_errors().hashes("find").shape
    (2, 32)
    >>> len(HashTable.read(f"{folder.name}/hashes"))
    3
    >>> folder.cleanup()
    """
    methods = list(methods)
    for name in methods:
        method = registry.get(name)
        if executor in ("processes", "dask"):
            _check_picklable(method)
    pool = open_workers(executor, workers, methods, scheduler)
    length = len(paths) if isinstance(paths, Collection) else None
    names = map(os.fsdecode, paths)
    with tqdm(total=length, unit="file", disable=not progress, leave=False) as bar:
        if out is None:
            rows = _RowsInMemory()
            with pool as running:
                Dispatcher(running, methods, rows, bar.update).run(Tasks(names, length))
            return rows.table(methods)
        with Parts(out, methods) as parts, pool as running:
            missing = parts.missing(names, bar.update)
            Dispatcher(running, methods, parts, bar.update).run(Tasks(missing, length))
    return HashTable.scan(out, paths if isinstance(paths, Collection) else None)


def _check_picklable(method: Method) -> None:
    """Raise ``ValueError`` unless a method can be sent to another process."""
    try:
        pickle.dumps(method)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ValueError(
            f"the method {method.name!r} cannot be sent to worker processes ({error}): define its "
            'function with "def" at the top level of a module, or use executor="threads"'
        ) from error


class _RowsInMemory:
    """Finished rows of a job without an output folder."""

    def __init__(self) -> None:
        self._rows: dict[int, pa.RecordBatch] = {}

    def add(self, position: int, rows: pa.RecordBatch) -> None:
        """Keep the rows of consecutive files, of which the first has number ``position``."""
        self._rows[position] = rows

    def table(self, methods: Sequence[str]) -> HashTable:
        """Return the rows in the order of the files."""
        return HashTable._from_batches([self._rows[k] for k in sorted(self._rows)], methods)
