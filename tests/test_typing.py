"""Type checkers accept the library and a program that uses it, and reject wrong uses."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ("mypy",),
        ("pyright", "--pythonpath", sys.executable),
    ],
    ids=lambda command: command[0],
)
def test_library_and_client_pass(command):
    # With its warnings on, pyright looks for a newer version on the internet.
    result = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env={**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.slow
def test_checker_rejects_names_that_do_not_exist(tmp_path):
    program = tmp_path / "program.py"
    program.write_text("import finhash\n\nfinhash.find_hsah(b'')\nfinhash.find_hash(3)\n")
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", tmp_path / "cache", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "program.py:3" in result.stdout
    assert "program.py:4" in result.stdout
