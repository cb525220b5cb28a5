"""Small results tables that several tests of the report build."""

import pandas as pd


def table(columns: str, *rows: tuple) -> pd.DataFrame:
    """Build a table from its columns, separated by spaces, and its rows."""
    return pd.DataFrame(rows, columns=columns.split())


def timings(seconds: dict[str, float]) -> pd.DataFrame:
    """Build a table of ``time_calls``: a slow cold call and three warm ones per contender."""
    rows = []
    for name, value in seconds.items():
        rows.append((name, "cold", 0, 100 * value))
        rows += [(name, "warm", k, factor * value) for k, factor in enumerate((0.5, 1, 7))]
    return pd.DataFrame(rows, columns=["contender", "state", "repeat", "seconds"])
