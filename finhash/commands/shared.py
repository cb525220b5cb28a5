"""Options and checks that several commands share."""

import csv
import logging
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click
import numpy as np
from numpy.typing import NDArray

from finhash import methods
from finhash.files import counted, printable
from finhash.jobs.folders import describe_skipped, image_files, is_table
from finhash.orientations import ORIENTATIONS, Which
from finhash.quality import LOWEST
from finhash.thresholds import Use, threshold

if TYPE_CHECKING:
    from finhash import HashTable

FC = TypeVar("FC", bound=Callable[..., Any])

LOG = logging.getLogger("finhash")
"""Logger that reports when code is compiled."""

SHOWN = 5
"""Number of files that are listed on stderr."""

CLUSTERINGS = ("components", "spheres")
"""Values of ``--by``: the keys of ``finhash.cluster.METHODS``, which would load SciPy."""

USES: dict[Use, str] = {
    "search": "a search, whose answers a person looks at",
    "cluster": "families that nobody checks",
}
"""Uses of commands, in words."""

METHODS_HELP = f"""One of {", ".join(methods.METHODS)}; or module:name, a function of your own in a
module of the current directory or an installed one. It takes an RGB PIL image and returns an
imagehash.ImageHash or packed bits."""
"""Values of ``--method``."""


def method_name(text: str) -> str:
    """Return the name of a method given as ``--method``; import the method if it is a function.

    Modules are looked for in the current directory first. This affects later imports, also those of
    worker processes, so other calls leave ``sys.path`` as it is.
    """
    here = str(Path.cwd())
    if ":" in text and here != sys.path[0]:
        sys.path.insert(0, here)
    try:
        return methods.resolve(text).name
    except (KeyError, TypeError, ValueError) as error:
        raise click.BadParameter(error.args[0]) from error


table_argument = click.argument("table", type=click.Path(exists=True, path_type=Path))
"""The argument ``TABLE``."""

column_option = click.option(
    "--method",
    default="find",
    metavar="METHOD",
    show_default=True,
    help="Column of TABLE with the hashes to compare: the value of --method with which 'finhash "
    "hash' made them.",
)
"""The option ``--method`` of commands that read a table."""


def format_option(help_text: str) -> Callable[[FC], FC]:
    """Return the option ``--format`` with the values csv and json and this help."""
    return click.option(
        "--format",
        "output_format",
        default="csv",
        show_default=True,
        type=click.Choice(["csv", "json"]),
        help=help_text,
    )


def radius_option(use: Use) -> Callable[[FC], FC]:
    """Return the option ``--radius``, whose default is that of ``threshold_for`` for this use."""
    return click.option(
        "--radius",
        type=click.IntRange(0),
        help="Threshold: the largest Hamming distance of a match, in bits, at most the number of "
        f"bits of the hash.  [default: depends on the hash; {threshold(use, 'find')} for find]",
    )


def threshold_for(use: Use, method: str, *, quiet: bool = False) -> int:
    """Return the recommended threshold of a method for a use, and say it on stderr.

    Raise ``UsageError`` if there is none, for example for a function of one's own.
    """
    try:
        radius = threshold(use, method)
    except KeyError as error:
        raise click.UsageError(f"{error.args[0]}; pass --radius") from error
    if not quiet:
        click.echo(f"threshold: {radius} bits, the default of {method} for {USES[use]}", err=True)
    return radius


orientations_option = click.option(
    "--orientations",
    "which",
    type=click.Choice(list(ORIENTATIONS)),
    help="Also join images that are mirrored (mirror), turned by quarter turns (rotate), or both "
    "(all). Hashes are turned without their images, which adds about 15 bits to the distances.",
)
"""The option ``--orientations`` of commands that find families."""


def check_orientations(which: Which | None, algorithm: str) -> None:
    """Raise ``UsageError`` if families of this algorithm cannot join turned images."""
    if which and algorithm != "components":
        raise click.UsageError(f"--orientations needs --by components, not {algorithm}")


quality_option = click.option(
    "--min-quality",
    default=LOWEST,
    show_default=True,
    type=click.IntRange(0, 100),
    metavar="N",
    help="Leave out images with a quality below N (0 to 100), such as those of one colour: their "
    "hashes mean little. 0 keeps all images. Without effect on hashes whose quality is unknown.",
)
"""The option ``--min-quality``."""


def workers_option(help_text: str) -> Callable[[FC], FC]:
    """Return the option ``--workers`` with this help."""
    return click.option(
        "--workers",
        default=os.cpu_count() or 1,
        type=click.IntRange(1),
        show_default="all cores",
        help=help_text,
    )


background_option = click.option(
    "--background",
    metavar="COLOUR",
    help="Compose transparent images on this colour, such as white or #ffffff, before they are "
    "hashed.  [default: drop transparency]",
)
"""The option ``--background`` of commands that hash images."""

exif_option = click.option(
    "--exif",
    is_flag=True,
    help="Turn images as their EXIF orientation says before they are hashed.  [default: hash them "
    "as stored]",
)
"""The option ``--exif`` of commands that hash images without a table."""


def max_pixels_option(effect: str) -> Callable[[FC], FC]:
    """Return the option ``--max-pixels``; ``effect`` says what becomes of larger images."""
    return click.option(
        "--max-pixels",
        type=click.IntRange(1),
        metavar="N",
        help=f"Do not decode images of more pixels; {effect}  [default: Pillow's limit, "
        "178,956,970]",
    )


class _CompilationNotice(logging.Handler):
    """Says on stderr, once, that code is being compiled, which takes seconds."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print the notice, and listen no longer."""
        if record.getMessage().startswith("compiling"):
            LOG.removeHandler(self)
            click.echo("compiling code for this processor; later runs start sooner", err=True)


COMPILATION_NOTICE = _CompilationNotice()
"""The handler of ``LOG``. A process adds it once, however many commands it runs."""


@contextmanager
def usage_errors() -> Iterator[None]:
    """Report wrong arguments, missing packages and unwritable files as wrong usage (status 2)."""
    try:
        yield
    except BrokenPipeError:
        raise  # the reader of the output has seen enough; click ends without a message
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        raise click.UsageError(str(error)) from error


def images_in(
    sources: Iterable[str | os.PathLike[str]],
    argument: str,
    *,
    skipped: Counter[str] | None = None,
    may_be_empty: bool = False,
) -> list[str | os.PathLike[str]]:
    """Return the image files in the sources, which are the value of an argument.

    The source ``-`` reads paths from stdin. Files that are not images are skipped: their number is
    printed to stderr and added to ``skipped``. Raise ``UsageError`` if no image file is found.
    """
    others: Counter[str] = Counter() if skipped is None else skipped
    found: list[str | os.PathLike[str]] = []
    for source in sources:
        from_stdin = source == "-"
        files = list(image_files(_listed() if from_stdin else [source], others))
        if not from_stdin and files in ([], [source]) and is_table(source):
            raise click.UsageError(
                f"{source} holds hashes; {argument} must be image files, or folders of them"
            )
        if not files:
            where = "the paths on stdin" if from_stdin else source
            click.echo(printable(f"no image files in {where}"), err=True)
        found += files
    if others:
        click.echo(printable(describe_skipped(others)), err=True)
    if not found and not may_be_empty:
        raise click.UsageError(
            f"no image files found in {argument}; name files, or folders with image files"
        )
    return found


def _listed() -> list[str]:
    """Return the paths on stdin, which end with null characters or else with newlines."""
    text = sys.stdin.buffer.read()
    return [os.fsdecode(path) for path in text.split(b"\0" if b"\0" in text else b"\n") if path]


def read_table(table: Path, *names: str) -> "HashTable":
    """Return a hash table with the columns of these methods, by default of all.

    Raise ``UsageError`` if it lacks one.
    """
    from finhash.tables.hash_table import HashTable

    with usage_errors():
        try:
            return HashTable.read(table, list(dict.fromkeys(names)) if names else None)
        except KeyError:
            there = HashTable.read(table).methods
    missing = next((name for name in names if name not in there), names[0])
    raise click.UsageError(
        f"{table} has no hashes of {missing!r}; it has: {', '.join(there)}. Pass one of these as "
        "--method"
    )


def qualities(table: "HashTable") -> list[int | None]:
    """Return the quality of each row of a table; None if it is unknown."""
    known = "quality" in table.arrow.column_names
    return table.column("quality") if known else [None] * len(table)


def is_poor(table: "HashTable", least: int) -> NDArray[np.bool_]:
    """Return which rows of a table have a quality below ``least``."""
    return np.array([value is not None and value < least for value in qualities(table)], bool)


def of_quality(table: "HashTable", least: int, *, quiet: bool = False) -> "HashTable":
    """Return the rows of a table whose quality is at least ``least`` or unknown.

    Say on stderr how many rows are left out.
    """
    poor = is_poor(table, least)
    if not poor.any():
        return table
    if not quiet:
        click.echo(
            f"left out {counted(int(poor.sum()), 'image')} with a quality below {least}; "
            "--min-quality 0 keeps them",
            err=True,
        )
    return table.filter(~poor)


def report_failures(table: "HashTable", where: str = "") -> bool:
    """Print to stderr which files could not be hashed; return whether there are any.

    ``where`` says where the reasons of files that are not listed can be found.
    """
    failed = [row for row in zip(table.paths, table.errors, strict=True) if row[1]]
    report_failed(failed, len(table), where)
    return bool(failed)


def report_failed(failed: Sequence[tuple[str, str]], files: int, where: str = "") -> None:
    """Print to stderr which of the files could not be hashed, as pairs of path and reason."""
    heading = f"{len(failed)} of {files} files could not be hashed"
    list_first(heading, [f"{path}: {error}" for path, error in failed], where)


def list_first(heading: str, lines: Sequence[str], where: str = "") -> None:
    """Print a heading and the first lines to stderr, and how many more there are; or nothing.

    ``where`` says where the other lines can be found.
    """
    if lines:
        click.echo(f"{heading}:", err=True)
    for line in lines[:SHOWN]:
        click.echo(f"  {printable(line)}", err=True)
    if len(lines) > SHOWN:
        click.echo(f"  and {len(lines) - SHOWN:,} more{where}", err=True)


def note_missing(paths: Iterable[str]) -> None:
    """Say on stderr how many of the listed paths lead to no file, if any."""
    listed = set(paths)
    if missing := sum(not Path(path).exists() for path in listed):
        click.echo(
            f"no file is at {missing:,} of {len(listed):,} listed paths, looked up from the "
            "current folder; 'finhash hash --sync' removes deleted images from a table",
            err=True,
        )


class CsvLines:
    r"""File for a CSV writer, whose lines end with a newline.

    The writer keeps its own line end, ``"\r\n"``, because before Python 3.13 it quotes only the
    characters of its line end, and a path can hold a carriage return.

    Examples
    --------
    >>> import io
    >>> file = io.StringIO()
    >>> _ = csv.writer(CsvLines(file)).writerow(["a\rb", "c"])
    >>> file.getvalue()
    '"a\rb",c\n'
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, line: str) -> int:
        """Write one line."""
        return self._file.write(line.removesuffix("\r\n") + "\n")


def write_csv(file: TextIO, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write rows as CSV to a file that is open for writing."""
    csv.writer(CsvLines(file)).writerows(chain([header], rows))
