"""The memory that one large image takes is measured in fresh processes."""

import pytest

from finhash.study.reliability import memory


@pytest.mark.slow
def test_memory_is_measured_per_kind_and_method(monkeypatch):
    monkeypatch.setattr(memory, "KINDS", (("PNG", "RGB"),))
    monkeypatch.setattr(memory, "METHODS", ("dhash256",))
    (row,) = memory.measure(4_000_000).to_dict("records")
    assert (row["format"], row["mode"], row["method"]) == ("PNG", "RGB", "dhash256")
    assert row["pixels"] == 4_000_000
    assert 4 <= row["bytes_per_pixel"] <= 20  # Pillow keeps an RGB pixel in 4 bytes
