import logging
import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

from finhash import jit

MODULE = """
from finhash.jit import kernel
from helper import triple

@kernel
def six_times(x):
    return 2 * triple(x)
"""

HELPER = """
from finhash.jit import kernel

@kernel
def triple(x):
    return 3 * x
"""


def run(program, folder, **environment):
    """Run a program in a new process, with the modules of a folder."""
    environment = {**os.environ, "PYTHONPATH": str(folder), **environment}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment
    )
    assert not done.returncode, done.stderr
    return done.stdout.strip()


def write_modules(folder):
    """Write two modules of which one calls the other's kernel."""
    (folder / "helper.py").write_text(HELPER)
    (folder / "module.py").write_text(MODULE)


PROGRAM = (
    "import module; from numba.core import event;"
    "compiled = event.install_recorder('numba:compile');"
    "recorder = compiled.__enter__(); result = module.six_times(7);"
    "print(result, len(recorder.buffer) // 2)"
)


@pytest.mark.slow
def test_machine_code_is_kept_until_a_module_of_the_folder_changes(tmp_path):
    write_modules(tmp_path)
    assert run(PROGRAM, tmp_path) == "42 2"
    assert run(PROGRAM, tmp_path) == "42 0"
    (tmp_path / "helper.py").write_text(HELPER.replace("3 * x", "5 * x"))
    assert run(PROGRAM, tmp_path) == "70 2"


@pytest.mark.slow
def test_kept_machine_code_is_found_without_loading_it(tmp_path):
    write_modules(tmp_path)
    program = "import module; from finhash import jit; print(jit.is_kept(module.six_times))"
    assert run(program, tmp_path) == "False"
    run(PROGRAM, tmp_path)
    assert run(program, tmp_path) == "True"
    (tmp_path / "helper.py").write_text(HELPER + "\n# changed\n")
    assert run(program, tmp_path) == "False"


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_is_ignored(tmp_path):
    write_modules(tmp_path)
    full = tmp_path / "cache"
    full.mkdir()
    # No file may grow: writing fails as on a full disk.
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)); {PROGRAM}"
    ignore = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    assert run(ignore + limited, tmp_path, NUMBA_CACHE_DIR=str(full)) == "42 2"


def test_without_a_cache_folder_kernels_are_compiled_in_each_process(monkeypatch):
    def no_locator(function):
        raise RuntimeError(f"cannot cache function {function.__name__!r}: no locator available")

    monkeypatch.setattr(jit, "_Cache", no_locator)

    @jit.kernel
    def add(x, y):
        return x + y

    assert add(2, 3) == 5


def test_compilations_are_logged(caplog, monkeypatch, tmp_path):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))  # no code of an earlier run

    def negative(x):
        return -x

    negative.__module__ = "finhash.example"
    with caplog.at_level(logging.INFO, "finhash"):
        jit.kernel(negative)(np.float32(1))
    assert "compiling finhash.example." in caplog.text


def test_all_kernels_use_this_decorator():
    package = Path(jit.__file__).parent
    for module in package.rglob("*.py"):
        if module.name not in ("jit.py", "roofline.py"):
            assert "njit" not in module.read_text(), module
