"""The study of preparation and quality compares and times each option."""

import pytest
from click.testing import CliRunner

from finhash.study.reliability import options


@pytest.fixture
def few(monkeypatch) -> None:
    monkeypatch.setattr(options, "TIMED", 2)


def test_a_preparation_makes_the_files_of_one_image_equal(few):
    table = options.bits(4)
    assert list(table.columns) == options.BITS_COLUMNS
    prepared = table[table["preparation"] != "no preparation"]
    assert len(table) == 5 and len(prepared) == 2
    assert (prepared["most_bits"] == 0).all()
    stored = table[table["preparation"] == "no preparation"].set_index("files")["median_bits"]
    assert stored["8-bit and 16-bit grey"] > 72 and stored["upright and turned with EXIF"] > 72


def test_every_option_is_timed_for_every_kind_of_file(few, tmp_path):
    table = options.cost(1, tmp_path)
    assert len(table) == 4 * (len(options.OPTIONS) + 1)
    assert (table["microseconds"] > 0).all()
    assert (table.loc[table["options"] == "none", "added"] == 0).all()


def test_the_command_saves_both_tables(few, tmp_path, monkeypatch):
    monkeypatch.setenv("FINHASH_OUT", str(tmp_path))
    result = CliRunner().invoke(options.main, ["--images", "2", "--repeats", "1"])
    assert result.exit_code == 0, result.output
    names = {path.name for path in tmp_path.rglob("options_*")}
    assert names == {"options_bits.csv", "options_bits.json"} | {
        "options_cost.csv",
        "options_cost.json",
    }
