"""Command that renders a stand-in and compares it with the committed fingerprint."""

import sys

import click

from finhash.study import project
from finhash.study.data import datasets
from finhash.study.data.standin import STANDINS
from finhash.tables.hash_table import HashTable
from finhash.tables.provenance import versions

EXAMPLE = (
    "Example: FINHASH_TEMPLATES=MemeProject/im2txt/memes python -m finhash.study.data.render memes"
)


@click.command(epilog=EXAMPLE)
@click.argument("name", type=click.Choice(list(STANDINS)))
def main(name: str) -> None:
    """Render the missing images of a stand-in and compare its fingerprint with the committed one.

    Run the command again to resume it.

    Exit status: 0 if the fingerprints are equal or none is committed, 1 if they differ, 2 for wrong
    usage, such as a missing template.
    """
    try:
        dataset = datasets.load(project.SCALES["full"], name=name)
    except (FileNotFoundError, FileExistsError, ValueError) as error:
        raise click.UsageError(str(error)) from error
    click.echo(f"{dataset.fingerprint} {name}, {len(dataset):,} images, {_encoder(versions())}")
    committed = project.hashes() / name / "find.parquet"
    if not committed.exists():
        click.echo("nothing is committed to compare it with")
        return
    facts = HashTable.read(committed).provenance
    click.echo(f"{facts['fingerprint']} committed, {_encoder(facts['versions'])}")
    equal = facts["fingerprint"] == dataset.fingerprint
    click.echo("equal" if equal else "different: the bytes of JPEG files depend on these versions")
    sys.exit(not equal)


def _encoder(versions: dict[str, str]) -> str:
    """Return the versions of the software that decides the bytes of a JPEG file."""
    return f"Pillow {versions['pillow']}, libjpeg-turbo {versions['libjpeg-turbo']}"


if __name__ == "__main__":
    main()
