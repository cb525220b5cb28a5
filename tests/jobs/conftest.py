"""Settings and fixtures shared by the tests of jobs."""

import os

import numpy as np
import pytest
from PIL import Image

from finhash import methods
from finhash.jobs import compaction

# Dask gives up connecting after 30 s by default, which a busy machine may exceed.
os.environ.setdefault("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "300s")
os.environ.setdefault("DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP", "300s")


def thumbnail(image: Image.Image) -> np.ndarray:
    """Hash an RGB image into 192 bits; worker processes import this function."""
    return np.array(image.resize((8, 1))).ravel()


@pytest.fixture
def own(monkeypatch) -> methods.Method:
    """Register a hash of the user's own until the test ends."""
    monkeypatch.setattr(methods, "METHODS", dict(methods.METHODS))
    return methods.register("thumbnail", thumbnail, bits=192)


class Killed(BaseException):
    """Stands for the end of the process."""


def kill_at(step, patch):
    """End the process before a step of the next compaction, which writes and removes parts."""
    left = step

    def counted(function):
        def run(*arguments, **options):
            nonlocal left
            if not left:
                raise Killed
            left -= 1
            return function(*arguments, **options)

        return run

    patch.setattr(compaction, "write_table", counted(compaction.write_table))
    patch.setattr("pathlib.Path.unlink", counted(compaction.Path.unlink))
