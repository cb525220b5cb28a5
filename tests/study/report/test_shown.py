"""Results tables are shown in words."""

import numpy as np
import pandas as pd

from finhash.study.report.shown import show


def test_heads_labels_and_numbers():
    table = pd.DataFrame(
        {
            "method": ["find", "dhash256"],
            "radius_1e-04": [72, 40],
            "tpr_1e-04": [0.88251, np.nan],
            "rate_high": [8.2e-5, 0],
            "as_good": [True, False],
            "beaten_by": ["", "phash256"],
        }
    )
    shown = show(table, {"as_good": "as good"})
    assert list(shown.index) == ["FINd", "dHash 256"]
    assert shown.to_dict("list") == {
        "threshold at 1 in 10,000": ["72", "40"],
        "recall at 1 in 10,000": ["0.883", ""],
        "false matches per 100,000 pairs, upper bound": ["8.2", "0"],
        "as good": ["yes", "no"],
        "beaten by": ["", "pHash 256"],
    }


def test_pivots_keep_their_levels():
    table = pd.DataFrame(
        {"method": ["find"] * 2, "target": [1e-3, 1e-4], "recall": [0.9, 0.8], "images": [1e6, 2]}
    )
    wide = show(table.pivot(index="method", columns="target", values=["recall", "images"]))
    assert list(wide.columns) == [
        ("recall", "1 in 10,000"),
        ("recall", "1 in 1,000"),
        ("images", "1 in 10,000"),
        ("images", "1 in 1,000"),
    ]
    assert wide.loc["FINd"].tolist() == ["0.8", "0.9", "2", "1,000,000"]
    both = show(table.set_index(["method", "target"])[["recall"]])
    assert list(both.index) == [("FINd", "1 in 1,000"), ("FINd", "1 in 10,000")]
    assert both["recall"].tolist() == ["0.9", "0.8"]
