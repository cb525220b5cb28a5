"""Files are written completely or not at all."""

import pytest

from finhash.jobs.files import whole_file


def test_the_file_appears_when_the_block_ends(tmp_path):
    target = tmp_path / "new" / "note.txt"
    with whole_file(target) as partial:
        partial.write_text("done")
        assert not target.exists()
    assert target.read_text() == "done"
    assert list(target.parent.iterdir()) == [target]


def test_a_failed_block_keeps_the_old_file(tmp_path):
    target = tmp_path / "note.txt"
    target.write_text("old")
    with pytest.raises(OSError, match="disk full"), whole_file(target) as partial:
        partial.write_text("ne")
        raise OSError("disk full")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]
