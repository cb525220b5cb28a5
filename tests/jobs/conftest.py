"""Settings shared by the tests of jobs."""

import os

# Dask gives up connecting after 30 s by default, which a busy machine may exceed.
os.environ.setdefault("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "300s")
os.environ.setdefault("DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP", "300s")
