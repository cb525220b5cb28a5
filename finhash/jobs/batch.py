"""``hash_files`` and ``hash_images``: hash many images into one table."""

import os
import pickle
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

import pyarrow as pa
from tqdm import tqdm

from finhash import methods as registry
from finhash.images import Source
from finhash.jobs.dispatch import Dispatcher, Tasks
from finhash.jobs.executors import Executor, open_workers
from finhash.jobs.folders import files_of
from finhash.jobs.items import DEFAULTS, Item, Options, Pair, of_pairs, of_paths
from finhash.jobs.parts import Parts, Tally
from finhash.methods import Method, MethodName
from finhash.preparation import Preparation
from finhash.tables.hash_table import HashTable
from finhash.tables.schema import keyed_schema


def hash_files(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    methods: Sequence[MethodName | str] = ("find",),
    *,
    workers: int = 1,
    executor: Executor = "threads",
    out: str | os.PathLike[str] | None = None,
    scheduler: str | None = None,
    progress: bool = True,
    quality: bool = False,
    background: str | None = None,
    exif: bool = False,
    max_pixels: int | None = None,
) -> HashTable:
    """Hash many files into one table. Every file gets a row, even if it cannot be hashed.

    Each file is decoded once, however many methods there are.

    Parameters
    ----------
    paths : iterable of str or path-like, or one path
        Image files. A generator runs in the calling thread, is consumed as files are hashed, and is
        closed at the end. The path of a folder stands for all image files in it and in its
        subfolders, sorted; a ``RuntimeWarning`` names a subfolder that cannot be read.
    methods : sequence of str, default ("find",)
        Names of hashes, as in ``finhash.methods.METHODS``. ``finhash.methods.register`` adds your
        own, and so does ``"module:name"`` (see ``finhash.methods.resolve``).
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
        file. A file that is given under two spellings, such as ``"a.jpg"`` and its absolute path,
        gets two rows; ``finhash.jobs.sync.plan(out, paths).paths`` are the spellings that a folder
        has. A folder keeps all its methods: those that the call asks for and the folder lacks are
        added to it. ``HashTable.read(out)`` reads all rows of the folder. If ``paths`` can be
        iterated only once (a generator), the table returned is that of the whole folder, sorted by
        path.
    scheduler : str, optional
        Address of a running Dask scheduler, such as ``"tcp://10.0.0.1:8786"``. All its workers
        must see the files under the same paths and have the same versions installed.
    progress : bool, default True
        Whether to show a progress bar on stderr.
    quality : bool, default False
        Whether the table has the column ``quality``. A folder ``out`` keeps this column, as it
        keeps its methods.
    background : str, optional
        Colour on which transparent images are composed before they are hashed, such as
        ``"white"``. By default transparency is dropped, so colours that nobody sees count.
    exif : bool, default False
        Whether images are turned as their EXIF orientation says before they are hashed. By default
        they are hashed as stored.
    max_pixels : int, optional
        Largest number of pixels, rows times columns, of an image that is decoded. Larger images
        get a row with ``ImageTooLargeError``, and are tried again by later runs. By default only
        Pillow's limit holds: twice ``PIL.Image.MAX_IMAGE_PIXELS``, 178,956,970 pixels, which take
        716 MB as an RGB image.

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
        width, height : int32
            Size of the image in pixels, before EXIF orientation; null if it could not be read.
        bytes : int64
            Size of the file; null if it is missing.
        format : string
            Pillow's name of the format, such as ``"JPEG"``; null if it could not be read.
        modified : int64
            Modification time of the file, in nanoseconds since 1970; null if it is missing.
        orientation : int8
            EXIF orientation, 1 to 8, where 1 is upright; null if the image has none, as TIFF files
            always do, because Pillow turns them itself.
        quality : int8
            With ``quality=True``: quality of the prepared image, 0 to 100, as
            ``finhash.quality.quality`` returns it; null without a hash. Hashes of images below
            ``finhash.quality.LOWEST`` mean little.

    Raises
    ------
    finhash.methods.UnknownMethodError
        If a method is unknown. It is a ``KeyError`` and a ``ValueError``.
    TypeError
        If ``paths`` or ``methods`` holds anything but paths or names, ``methods`` is one string,
        ``workers`` is not a whole number, or ``out`` is no path.
    ValueError
        If ``paths`` is one path at which there is no file, or a folder without image files. If
        ``paths`` or ``out`` is an empty string. If
        ``methods`` is empty or names a method twice. If ``executor`` is unknown, ``workers`` is
        below 1, a ``scheduler`` is given for another executor than ``"dask"``, or ``out`` holds
        rows that were made by other versions, by a method of another number of bits, or with
        another ``background`` or ``exif``. If ``background`` is no colour, or ``max_pixels`` is
        below 1 or above Pillow's limit. With
        ``"processes"`` and ``"dask"``, also if the function of a registered method is a lambda or
        is defined inside another function.
    RuntimeError
        If another run is using ``out`` and does not end within some seconds, if worker processes
        end while they start, or if a worker has other versions installed, lacks a method's package
        or cannot import the function of a registered method. With ``scheduler``, also if the
        cluster has no workers for 20 seconds, or the connection to it is lost.
    ImportError
        If Dask or a method's package is not installed.
    OSError
        If ``out`` is a file or cannot be written.

    Notes
    -----
    **Bad files.** A file that is missing, unreadable, not an image, damaged or too large does not
    stop the job: its row holds the reason in ``error``. If a registered function raises an
    exception for a file, the row of this file holds the exception.

    **Crashes.** If a worker process dies, its files are hashed again by other workers. If two
    workers die while hashing a single file, the row of this file holds ``WorkerDiedError``. With
    ``"serial"`` and ``"threads"``, a crash ends the whole program.

    **Interruption.** Ctrl-C raises ``KeyboardInterrupt`` without waiting for the running tasks.
    With ``out``, the rows of all tasks that have ended are written first; a task takes about half a
    second. If the program is killed, the rows that were finished after the last part was written
    are lost; a part is written at least every minute, also while a generator waits. If a generator
    raises an exception, the files that it gave before are hashed and written first.

    **Memory.** Without ``out``, all rows are held in memory. With ``out``, memory use does not grow
    with the number of files, apart from 16 bytes per finished file when resuming. Until its rows
    are first used, the table takes constant memory, and the folder and ``paths`` must not change.
    The rows are then read from disk.

    **Messages.** Worker processes discard what native libraries and Pillow print about images. An
    image between Pillow's limit for warnings and its limit for errors, which is twice as large, is
    hashed. With ``"serial"`` and ``"threads"``, Pillow warns as Python's warning filters say.

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
    ['path', 'find', 'error', 'width', 'height', 'bytes', 'format', 'modified', 'orientation']
    >>> table.column("format")
    ['PNG', 'PNG', None]
    >>> table.errors
    ['', '', 'FileNotFoundError: No such file or directory']
    >>> table.without_errors().hashes("find").shape
    (2, 32)
    >>> len(HashTable.read(f"{folder.name}/hashes"))
    3
    >>> folder.cleanup()
    """
    if isinstance(paths, str | os.PathLike) and not os.fspath(paths):
        raise ValueError('paths is an empty path; pass "." for the current folder')
    options = Options(Preparation(background, exif), quality, max_pixels)
    files = files_of(paths)
    ids = files if isinstance(files, Collection) else None
    with _closed(paths):
        return run(
            of_paths(files),
            ids,
            None if ids is None else len(ids),
            registry.usable(methods),
            workers=workers,
            executor=executor,
            out=out,
            scheduler=scheduler,
            progress=progress,
            options=options,
        )


def hash_images(
    items: Iterable[tuple[str, Source]],
    methods: Sequence[MethodName | str] = ("find",),
    *,
    workers: int = 1,
    executor: Executor = "threads",
    out: str | os.PathLike[str] | None = None,
    scheduler: str | None = None,
    progress: bool = True,
    rehash: bool = False,
    quality: bool = False,
    background: str | None = None,
    exif: bool = False,
    max_pixels: int | None = None,
) -> HashTable:
    """Hash a stream of images into one table. Every image gets a row, even if it cannot be hashed.

    ``hash_files`` does this for files. Here each image comes with an id, and need not be a file.

    Parameters
    ----------
    items : iterable of (str, source)
        Pairs of an id and an image. The image is a path, ``bytes``, ``bytearray`` or
        ``memoryview`` of an encoded image, a file open in binary mode, a PIL image, or RGB pixels
        as ``uint8`` of shape ``(rows, cols, 3)``. A generator runs in the calling thread, is
        consumed as images are hashed, and is closed at the end.
    methods, workers, executor, scheduler, progress
        As for ``hash_files``.
    out : str or path-like, optional
        Folder in which finished rows are kept, as for ``hash_files``. Another call with the same
        folder resumes. It skips an id that has a row with a hash, without reading the image, so an
        image that has changed needs a new id or ``rehash=True``. An image that is given as a path
        is also hashed again if the file has changed. If ``items`` can be iterated only once (a
        generator), the table returned is that of the whole folder, sorted by id.
    rehash : bool, default False
        Whether to hash all items again, even if ``out`` has their rows.
    quality, background, exif, max_pixels
        As for ``hash_files``. ``max_pixels`` does not apply to PIL images and arrays.

    Returns
    -------
    HashTable
        One row per item, in the order of ``items``, with the columns that ``hash_files`` returns;
        ``path`` holds the id. ``modified`` is null unless the image is given as a path, and
        ``bytes`` and ``format`` also unless it is encoded. If an id occurs several times, each row
        without ``out`` has its own hash, but ``out`` keeps only the last one.

    Raises
    ------
    KeyError, TypeError, ValueError, RuntimeError, ImportError, OSError
        As for ``hash_files``. An item that is not a pair, or whose id is not a string, is a
        ``TypeError``.

    Notes
    -----
    **Sources.** Before the next item is taken, open files are read, and images, arrays and buffers
    are copied. A generator may therefore close a file or use a buffer again. A PIL image that is
    not loaded is decoded in the calling thread; give paths, bytes or open files to decode in
    parallel.

    **Slow streams.** If items come slowly, those that have come are hashed, and finished rows are
    written, without waiting for a full task. There are two exceptions. With ``"serial"``, up to
    half a second of items waits for the next one. If ``out`` has rows, paths are compared with them
    in groups of up to 1,024, of which the last waits for the next item.

    **Memory.** Items are taken only as workers need them: for each worker, three tasks of about
    8 MB of images, or of one image if that is larger. With ``"processes"`` and ``"dask"``, another
    copy is on its way to a worker. For rows, see ``hash_files``; in addition, the ids of a list
    are kept until the table is read.

    Bad images, crashes, interruptions and scripts are treated as by ``hash_files``.

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> from finhash import hash_images
    >>> file = io.BytesIO()
    >>> Image.radial_gradient("L").save(file, "PNG")
    >>> items = [("17", file.getvalue()), ("18", Image.linear_gradient("L")), ("19", b"no image")]
    >>> table = hash_images(items, progress=False)
    >>> table.paths
    ['17', '18', '19']
    >>> [error.split(":")[0] for error in table.errors]
    ['', '', 'NotAnImageError']
    """
    if not isinstance(items, Iterable) or isinstance(items, str | os.PathLike):
        raise TypeError(
            f"items is of type {type(items).__name__}; pass pairs of an id and an image, or paths "
            "to finhash.hash_files"
        )
    if isinstance(items, Mapping):
        raise TypeError(
            f"items is of type {type(items).__name__}; pass its pairs of an id and an image, "
            "items.items()"
        )
    options = Options(Preparation(background, exif), quality, max_pixels)
    ids: list[str] | None = [] if isinstance(items, Collection) else None
    with _closed(items):
        return run(
            of_pairs(items, ids),
            ids,
            len(items) if isinstance(items, Collection) else None,
            registry.usable(methods),
            workers=workers,
            executor=executor,
            out=out,
            scheduler=scheduler,
            progress=progress,
            rehash=rehash,
            options=options,
        )


def run(
    pairs: Iterator[Pair],
    ids: Collection[str | os.PathLike[str]] | None,
    length: int | None,
    methods: Sequence[Method],
    *,
    workers: int,
    executor: Executor,
    out: str | os.PathLike[str] | None,
    scheduler: str | None,
    progress: bool,
    rehash: bool = False,
    options: Options = DEFAULTS,
    tally: Tally | None = None,
    remove: Iterable[str] = (),
) -> HashTable:
    """Hash images; ``hash_files`` and ``hash_images`` prepare their arguments and call this.

    Parameters
    ----------
    pairs : iterator of (str, source)
        Ids and sources.
    ids : collection of str or path-like, or None
        Ids in the order of the table's rows. None gives the whole folder, sorted.
    length : int or None
        Number of images, if known.
    methods : sequence of finhash.methods.Method
        Hashes.
    workers, executor, out, scheduler, progress, rehash
        As for ``hash_images``.
    options : finhash.jobs.items.Options, optional
        Preparation, quality and limit on pixels.
    tally : finhash.jobs.parts.Tally, optional
        With ``out``, filled with what the run does.
    remove : iterable of str
        Ids whose rows are removed from ``out``, unless they are hashed.

    Returns
    -------
    HashTable
        One row per image.
    """
    names = [method.name for method in methods]
    _check_picklable(methods, executor)
    _check_folder(out)
    pool = open_workers(executor, workers, names, scheduler)
    # The first pair is checked before workers are started and a folder is made.
    pairs = chain(list(islice(pairs, 1)), pairs)
    with tqdm(total=length, unit="image", disable=not progress, leave=False) as bar:
        if out is None:
            rows = RowsInMemory()
            with pool as running:
                tasks = Tasks(_in_full(pairs), length)
                Dispatcher(running, names, rows, bar.update, options).run(tasks)
            return rows.table(names, options)
        with Parts(
            out, names, tally=tally, quality=options.quality, preparation=options.preparation
        ) as parts:
            parts.remove(remove)
            _check_picklable(registry.usable(parts.methods), executor)
            todo = _in_full(pairs) if rehash else parts.missing(pairs, bar.update)
            options = replace(options, quality=parts.quality)
            with pool as running:
                dispatcher = Dispatcher(running, parts.methods, parts, bar.update, options)
                dispatcher.run(Tasks(todo, length))
    return HashTable.scan(out, ids, names)


def _in_full(pairs: Iterable[Pair]) -> Iterator[Item]:
    """Yield the items of pairs that are hashed with all methods."""
    for name, source in pairs:
        yield name, source, None


def _closed(items: object) -> AbstractContextManager[object]:
    """Return a context that closes a generator at its end."""
    return closing(items) if isinstance(items, Generator) else nullcontext()


def _check_folder(out: object) -> None:
    """Raise an error unless ``out`` can be the path of a folder, or is None."""
    if out is None:
        return
    if not isinstance(out, str | os.PathLike):
        raise TypeError(f"out is of type {type(out).__name__}; pass the path of a folder")
    if not os.fspath(out):
        raise ValueError('out is an empty path; name a folder, such as "hashes"')
    if Path(out).exists() and not Path(out).is_dir():
        raise NotADirectoryError(f"out is {os.fspath(out)!r}, which is no folder; name a folder")


def _check_picklable(methods: Iterable[Method], executor: Executor) -> None:
    """Raise ``ValueError`` unless methods can be sent to the executor's workers."""
    if executor not in ("processes", "dask"):
        return
    for method in methods:
        try:
            pickle.dumps(method)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise ValueError(
                f"the method {method.name!r} cannot be sent to worker processes ({error}): define "
                'its function with "def" at the top level of a module, or use executor="threads"'
            ) from error


class RowsInMemory:
    """Finished rows of a job without an output folder."""

    def __init__(self) -> None:
        self._rows: dict[int, pa.RecordBatch] = {}

    def add(self, position: int, rows: pa.RecordBatch) -> None:
        """Keep the rows of consecutive items, of which the first has number ``position``."""
        self._rows[position] = rows

    def write_due(self) -> None:
        """Do nothing: there is no file to write."""

    def table(self, methods: Sequence[str], options: Options) -> HashTable:
        """Return the rows in the order of the items."""
        keyed = keyed_schema(methods, quality=options.quality, preparation=options.preparation)
        return HashTable._from_batches([self._rows[k] for k in sorted(self._rows)], keyed)
