"""The command line ``finhash``, whose commands are in ``finhash.commands``.

Results go to stdout or to the given file; messages and progress go to stderr. Numba, SciPy and
PyArrow are imported by the commands that need them, so ``finhash --help`` answers at once.
"""

import logging

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


class _InOrder(click.Group):
    """Commands that are listed in the order in which they were added."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(self.commands)


@click.group(cls=_InOrder, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Find near-duplicate images by perceptual hashes.

    Hash a folder of images into a table first. The other commands read the table. Each command says
    more with --help.

    Exit status: 0 if done, also if nothing was found; 1 if done, but some inputs failed; 2 if the
    usage is wrong.
    """
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
