import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from finhash import find_hash
from finhash.find import compiled, loading, plain, resample

RGB = np.random.default_rng(0).integers(0, 256, (600, 900, 3), dtype=np.uint8)


@pytest.fixture
def fresh(monkeypatch):
    """Pretend that this process has not hashed anything."""
    monkeypatch.setattr(loading._State, "compiled", False)
    monkeypatch.setattr(loading._State, "spent", 0.0)
    monkeypatch.setattr(loading._State, "thread", None)


def used(monkeypatch, module, name):
    """Count the calls of a function."""
    calls, function = [], getattr(module, name)
    monkeypatch.setattr(module, name, lambda *a, **k: calls.append(a) or function(*a, **k))
    return calls


def test_first_hashes_need_no_compiled_code(fresh, monkeypatch):
    calls = used(monkeypatch, plain, "hash_rgb")
    small = loading.shrink(RGB)
    assert loading.hash_rgb(small).tobytes() == compiled.hash_rgb(small).tobytes()
    assert len(calls) == 1
    assert not loading._State.compiled
    assert loading._State.spent > 0


def test_compiled_code_is_loaded_once_the_budget_is_spent(fresh, monkeypatch):
    calls = used(monkeypatch, plain, "hash_rgb")
    small = resample.shrink(RGB)
    loading.hash_rgb(small)
    monkeypatch.setattr(loading, "BUDGET", loading._State.spent / 2)
    loading.hash_rgb(small)
    loading._State.thread.join()
    calls.clear()
    assert loading.hash_rgb(small).tobytes() == compiled.hash_rgb(small).tobytes()
    assert not calls


def test_hashes_are_computed_while_compiled_code_is_loaded(fresh, monkeypatch):
    monkeypatch.setattr(loading, "BUDGET", -1.0)
    small = resample.shrink(RGB)
    with loading._State.lock:  # loading waits
        assert loading.hash_rgb(small).tobytes() == compiled.hash_rgb(small).tobytes()
        assert loading._State.thread.is_alive()
        assert not loading._State.compiled
    loading._State.thread.join()
    assert loading._State.compiled


def test_a_fork_waits_until_compiled_code_is_loaded(fresh, monkeypatch):
    monkeypatch.setattr(loading, "BUDGET", -1.0)
    loading.hash_rgb(resample.shrink(RGB))
    child = os.fork()
    if child == 0:
        os._exit(0 if loading._State.compiled and loading.load() else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("loaded", [True, False])
def test_shrinking_is_the_same_with_and_without_compiled_code(fresh, monkeypatch, loaded):
    monkeypatch.setattr(loading, "BUDGET", 1e9)
    if loaded:
        loading.load()
    image = Image.fromarray(RGB)
    assert loading.shrink(RGB).tobytes() == resample.shrink(RGB).tobytes()
    assert loading.shrink(RGB[:, :, 0]).tobytes() == resample.shrink(RGB[:, :, 0]).tobytes()
    assert loading.shrink_image(image).tobytes() == resample.shrink_image(image).tobytes()
    assert loading._State.compiled == loaded


def test_without_numba_all_hashes_are_computed_by_numpy():
    program = """
import sys
sys.modules["numba"] = None
from finhash import find_hash
from finhash.find import loading
loading.BUDGET = -1.0
from PIL import Image
image = Image.radial_gradient("L").resize((600, 700))
print(find_hash(image), find_hash(image), loading.load())
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    expected = find_hash(Image.radial_gradient("L").resize((600, 700)))
    assert result.stdout.split() == [str(expected), str(expected), "False"], result.stderr


def test_the_first_hash_of_a_process_loads_neither_numba_nor_scipy():
    program = (
        "import sys; from finhash import find_hash; from PIL import Image; "
        "find_hash(Image.radial_gradient('L').resize((800, 700))); "
        "print([name for name in ('numba', 'scipy', 'pyarrow') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.stdout == "[]\n", result.stderr
