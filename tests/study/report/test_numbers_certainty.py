"""Labels, intervals, thresholds and set B, quoted from small tables worked out by hand."""

from finhash.study.report import numbers_certainty
from tests.study.report.tables import table

NUMBERS = numbers_certainty.NUMBERS


def test_intervals_are_named_by_labels_and_target():
    columns = "method target recall low high labels"
    intervals = table(columns, ("find", 1e-4, 0.9, 0.8, 0.95, "as labelled"))
    found = NUMBERS["resampling_intervals"](intervals)
    assert found == {"labelled4-find-between": r"80.0\,\% to 95.0\,\%"}


def test_verdicts_on_both_sets_are_counted():
    for dataset in ("memes", "memes_b"):
        found = numbers_certainty._verdicts(dataset, "twins")
        counted = sum(int(found[f"twins-{verdict}"]) for verdict in numbers_certainty.VERDICTS)
        assert counted == int(found["twins-looked-at"]) > 0
        families = [int(found[f"twins-families-{k}"]) for k in ("labelled", "merged", "variants")]
        assert families[0] == 1034 > families[1] > families[2]


def test_coverage_is_quoted_for_the_largest_samples():
    coverage = table(
        "families interval coverage",
        (100, "half-samples", 0.5),
        (900, "half-samples", 0.93),
        (900, "half-samples", 0.96),
        (900, "percentile bootstrap", 0.8),
    )
    assert NUMBERS["resampling_coverage"](coverage) == {
        "coverage-half-samples-least": r"93\,\%",
        "coverage-half-samples-most": r"96\,\%",
        "coverage-percentile-bootstrap-least": r"80\,\%",
        "coverage-percentile-bootstrap-most": r"80\,\%",
    }


def test_a_use_without_a_threshold_is_a_dash():
    columns = "use method threshold target fpr fpr_high margin"
    found = NUMBERS["thresholds"](table(columns, ("search", "find", 72, 1e-4, 2e-5, 9e-5, 8)))
    assert found["threshold-search-find"] == "72"
    assert found["threshold-search-find-high"] == r"$9.0\times10^{-5}$"
    assert found["threshold-search-find-margin"] == "8"
    assert found["threshold-human-review-pdq-fpr"] == "--"


def test_set_b_names_its_labels_and_counts_thresholds_that_held():
    columns = "method labels target fpr recall low high"
    found = NUMBERS["confirmation"](
        table(
            columns,
            ("find", "merged", 1e-4, 2e-5, 0.8, 0.7, 0.9),
            ("pdq", "merged", 1e-4, 2e-4, 0.8, 0.7, 0.9),
            ("find", "as labelled", 1e-4, 2e-3, 0.5, 0.4, 0.6),
        )
    )
    assert found["b4-find"] == r"80.0\,\%"
    assert found["b4-find-labelled"] == r"50.0\,\%"
    assert (found["b-held"], found["b-thresholds"]) == ("1", "2")


def test_recall_table_has_labels_intervals_and_both_tests():
    labels = {"as labelled": 0.4, "merged": 0.75, "merged with variants": 0.7}
    rows = [
        (name, target, recall, 0.6, 0.9, key)
        for name in ("find", "pdq")
        for target in (1e-4, 1e-5)
        for key, recall in labels.items()
    ]
    differences = table(
        "method target p p_equivalent", ("pdq", 1e-5, 0.5, 0.02), ("pdq", 1e-4, 0.25, 1.0)
    )
    intervals = table("method target recall low high labels", *rows)
    text = numbers_certainty._recall_table(intervals, differences)
    cells = "40.0 & 75.0 & 70.0 & 60 to 90"
    assert rf"FINd & {cells} & -- & -- & {cells} & -- & -- \\" in text
    assert rf"PDQ & {cells} & 0.25 & 1.00 & {cells} & 0.50 & 0.020 \\" in text


def test_recall_table_of_labels_that_nobody_judged():
    intervals = table(
        "method target recall low high labels",
        ("find", 1e-4, 0.5, 0.4, 0.6, "as labelled"),
        ("pdq", 1e-4, 0.75, 0.6, 0.9, "as labelled"),
    )
    differences = table("method target p p_equivalent", ("pdq", 1e-4, 0.25, 1.0))
    text = numbers_certainty._recall_table(intervals, differences)
    assert r" & \multicolumn{4}{c}{$10^{-4}$} \\ \cmidrule(lr){2-5}" in text
    assert r"hash & recall & interval & $p$ & $p_=$ \\" in text
    assert r"PDQ & 75.0 & 60 to 90 & 0.25 & 1.00 \\" in text


def test_thresholds_table_joins_uses_of_one_target():
    columns = "use method threshold target fpr fpr_high margin"
    thresholds = table(
        columns,
        ("human review", "find", 90, 1e-3, 5e-4, 9e-4, 4),
        ("human review", "pdq", 88, 1e-3, 4e-4, 8e-4, 4),
        ("match", "find", 52, 1e-5, 0.0, 9e-6, 14),
        ("cluster", "find", 52, 1e-5, 0.0, 9e-6, 14),
    )
    text = numbers_certainty._thresholds_table(thresholds)
    assert r"\multicolumn{3}{c}{human review} & \multicolumn{3}{c}{match, cluster}" in text
    high = r"$9.0\times10^{-4}$ & 52 & 0 & $9.0\times10^{-6}$"
    assert rf"FINd & 90 & $5.0\times10^{{-4}}$ & {high} \\" in text
    assert r"PDQ & 88 & $4.0\times10^{-4}$ & $8.0\times10^{-4}$ & -- & -- & -- \\" in text


def test_confirmation_table_has_a_dash_where_there_is_no_threshold():
    columns = "method labels target threshold fpr recall low high"
    confirmation = table(
        columns,
        ("find", "merged", 1e-4, 72, 2e-5, 0.8, 0.7, 0.9),
        ("find", "merged", 1e-5, 52, 1e-6, 0.5, 0.4, 0.6),
        ("find64", "merged", 1e-4, 10, 2e-5, 0.6, 0.5, 0.7),
    )
    text = numbers_certainty._confirmation_table(confirmation)
    assert r"FINd & 72 & $2.0\times10^{-5}$ & 80.0 & 70 to 90 & 52" in text
    assert r"FINd 64 & 10 & $2.0\times10^{-5}$ & 60.0 & 50 to 70 & -- & -- & -- & -- \\" in text
