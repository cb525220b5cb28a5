"""The command line ``finhash``, whose commands are in ``finhash.commands``.

Results go to stdout or to the given file; messages and progress go to stderr. Numba, SciPy and
PyArrow are imported by the commands that need them, so ``finhash --help`` answers at once.
"""

import click

from finhash import __version__
from finhash.commands.cluster import cluster_command
from finhash.commands.duplicates import duplicates, undo
from finhash.commands.evaluate import evaluate
from finhash.commands.export import export
from finhash.commands.hash import hash_command
from finhash.commands.match import match


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Hash, match and cluster images by perceptual hashes.

    Exit status: 0 if done; 1 if done, but some files could not be read (hash) or nothing was found
    (match); 2 if the usage is wrong, the input is unusable, or a query image could not be read
    (match; results for the others are still printed).
    """


for command in (hash_command, match, cluster_command, duplicates, undo, export, evaluate):
    main.add_command(command)

if __name__ == "__main__":
    main(prog_name="finhash")
