"""Shells complete commands and options, and the list of commands reads well."""

import click
from click.testing import CliRunner

from finhash.__main__ import main
from tests.commands.conftest import run


def completed(*words: str) -> list[str]:
    """Return what a shell would offer after these words."""
    environment = {
        "_FINHASH_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(["finhash", *words]),
        "COMP_CWORD": str(len(words)),
    }
    shown = CliRunner().invoke(main, env=environment, prog_name="finhash").stdout
    return [line.partition(",")[2] for line in shown.splitlines()]


def test_commands_options_and_choices_are_completed():
    assert completed("ma") == ["match"]
    assert completed("match", "--ori") == ["--orientations"]
    assert completed("match", "--orientations", "r") == ["rotate"]


def test_each_command_is_listed_with_one_whole_line():
    listed = run("--help").stdout.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == list(main.commands)
    for line in listed:
        assert not line.endswith("...")
        assert line.endswith(".")
    context = click.Context(main)
    assert main.list_commands(context)[0] == "hash"
