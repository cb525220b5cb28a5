"""Settings and fixtures shared by the tests of jobs."""

import os

from finhash.jobs import compaction

# Dask gives up connecting after 30 s by default, which a busy machine may exceed.
os.environ.setdefault("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "300s")
os.environ.setdefault("DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP", "300s")


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
