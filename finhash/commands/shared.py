"""Options and checks that several commands share."""

import csv
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from finhash import methods
from finhash.jobs.folders import image_files, is_table

if TYPE_CHECKING:
    from finhash import HashTable

FC = TypeVar("FC", bound=Callable[..., Any])

SHOWN = 5
"""Number of files that are listed on stderr."""


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


radius_option = click.option(
    "--radius", required=True, type=click.IntRange(0), help="Largest Hamming distance, in bits."
)


def workers_option(help_text: str) -> Callable[[FC], FC]:
    """Return the option ``--workers`` with this help."""
    return click.option(
        "--workers",
        default=os.cpu_count() or 1,
        type=click.IntRange(1),
        show_default="all cores",
        help=help_text,
    )


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
    sources: Iterable[str | os.PathLike[str]], argument: str
) -> list[str | os.PathLike[str]]:
    """Return the image files in the sources, which are the value of an argument."""
    found: list[str | os.PathLike[str]] = []
    for source in sources:
        files = list(image_files([source]))
        if files in ([], [source]) and is_table(source):
            raise click.UsageError(
                f"{source} holds hashes; {argument} must be image files, or folders of them"
            )
        if not files:
            click.echo(f"no image files in {source}", err=True)
        found += files
    if not found:
        raise click.UsageError(
            f"no image files found in {argument}; name files, or folders with image file extensions"
        )
    return found


def read_table(table: Path, method: str) -> "HashTable":
    """Return a hash table that has a column of this method; otherwise raise ``UsageError``."""
    from finhash.jobs.table import HashTable

    with usage_errors():
        found = HashTable.read(table)
    if method not in found.methods:
        known = ", ".join(found.methods)
        raise click.UsageError(
            f"{table} has no hashes of {method!r}; it has: {known}. Pass one of these as --method"
        )
    return found


def printable(text: str) -> str:
    r"""Return a path or message for a terminal: newlines and control characters are escaped.

    Examples
    --------
    >>> print(printable("a\nb.jpg"))
    a\nb.jpg
    """
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )


def report_failures(table: "HashTable", where: str = "") -> bool:
    """Print to stderr which files could not be hashed; return whether there are any.

    ``where`` says where the reasons of files that are not listed can be found.
    """
    failed = [row for row in zip(table.paths, table.errors, strict=True) if row[1]]
    if failed:
        click.echo(f"{len(failed)} of {len(table)} files could not be hashed:", err=True)
    for path, error in failed[:SHOWN]:
        click.echo(f"  {path}: {error}", err=True)
    if len(failed) > SHOWN:
        click.echo(f"  and {len(failed) - SHOWN} more{where}", err=True)
    return bool(failed)


def write_csv(file: TextIO, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write rows as CSV to a file that is open for writing."""
    csv.writer(file, lineterminator="\n").writerows(chain([header], rows))
