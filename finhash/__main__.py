"""The command line ``finhash``, whose commands are in ``finhash.commands``.

Results go to stdout or to the given file; messages and progress go to stderr. Numba, SciPy and
PyArrow are imported by the commands that need them, so ``finhash --help`` answers at once. What
native libraries and Pillow say about damaged images is discarded; see ``finhash.jobs.chatter``.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from finhash import __version__
from finhash.commands.cluster import cluster_command
from finhash.commands.duplicates import duplicates, undo
from finhash.commands.evaluate import evaluate
from finhash.commands.export import export
from finhash.commands.hash import hash_command
from finhash.commands.match import match
from finhash.commands.shared import COMPILATION_NOTICE, LOG
from finhash.commands.threshold import threshold_command
from finhash.files import printable
from finhash.jobs import chatter


@contextmanager
def _installed_modules_only() -> Iterator[None]:
    """Start Python processes that do not look for modules in the current folder.

    It may be a folder of images by strangers.
    """
    given = "PYTHONSAFEPATH" in os.environ
    os.environ.setdefault("PYTHONSAFEPATH", "1")
    try:
        yield
    finally:
        if not given:
            del os.environ["PYTHONSAFEPATH"]


class _InOrder(click.Group):
    """Commands that are listed in the order in which they were added."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - what the command returns
        """Run a command. Messages of errors can hold names of files: escape what terminals obey."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            message = printable(error.format_message(), but="\n")
            raise click.UsageError(message, error.ctx) from error


@click.group(cls=_InOrder, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
@click.pass_context
def main(context: click.Context) -> None:
    """Find near-duplicate images by perceptual hashes.

    Hash a folder of images into a table first. The other commands read the table. Each command says
    more with --help.

    Exit status: 0 if done, also if nothing was found; 1 if done, but some inputs failed; 2 if the
    usage is wrong.
    """
    chatter.reopen_closed()
    context.call_on_close(chatter.discard())
    context.with_resource(_installed_modules_only())
    LOG.setLevel(logging.INFO)
    LOG.addHandler(COMPILATION_NOTICE)


for command in (
    hash_command,
    match,
    cluster_command,
    threshold_command,
    duplicates,
    undo,
    export,
    evaluate,
):
    main.add_command(command)

if __name__ == "__main__":
    main(prog_name="finhash")
