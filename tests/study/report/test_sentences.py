"""Sentences say what the tables hold, and nothing that they do not."""

import numpy as np
import pandas as pd
import pytest

from finhash.study import project, results
from finhash.study.report import sentences
from tests.study.report.tables import table


def accuracy(rate: str = "1e-04", **recalls: float) -> pd.DataFrame:
    """Build ``rates`` with recall at one rate; the set is too small for the others."""
    rates = pd.DataFrame({"method": recalls.keys(), "labels": "as labelled"})
    rates[["tpr_1e-02", "tpr_1e-03", "tpr_1e-04"]] = np.nan
    rates[f"tpr_{rate}"] = recalls.values()
    return rates


def differing(**rows: tuple[float, float, float]) -> pd.DataFrame:
    """Build ``resampling_differences`` at 1e-4: difference from FINd, p, and p of equivalence."""
    columns = "method target difference p p_equivalent"
    return table(columns, *((name, 1e-4, *row) for name, row in rows.items()))


FIND_WORST = accuracy(find=0.259, phash256=0.204, dhash256=0.665)
WORST_TESTS = differing(phash256=(-0.055, 0.84, 1), dhash256=(0.406, 0.001, 1))


# Recommendation


def leading(method, **against) -> pd.DataFrame:
    """Return the tests of one hash against others, given p and p_equivalent of each."""
    rows = [(method, name, 1e-4, *values) for name, values in against.items()]
    return pd.DataFrame(rows, columns=["method", "against", "target", "p", "p_equivalent"])


def test_the_best_hash_is_recommended_even_if_it_is_not_ours():
    pairs = leading("dhash256", find=(0.001, 1), phash256=(0.001, 1))
    text = sentences.recommendation(FIND_WORST, pairs)
    assert text == (
        r"\textbf{Use dHash:} it finds most at $10^{-4}$, 66.5\,\%; FINd finds 25.9\,\%. "
        "Every other hash of 256 bits finds less, beyond chance."
    )


def test_our_hash_is_recommended_if_all_others_find_less():
    rates = accuracy(find=0.9, phash256=0.5, dhash256=0.4)
    apart = leading("find", phash256=(0.001, 1), dhash256=(0.001, 1))
    text = sentences.recommendation(rates, apart)
    assert text.startswith(r"\textbf{Use FINd:}")
    assert text.endswith("Every other hash of 256 bits finds less, beyond chance.")
    unsure = leading("find", phash256=(0.3, 1), dhash256=(0.001, 1))
    assert sentences.recommendation(rates, unsure).endswith("Its lead over pHash may be chance.")


def test_a_difference_that_may_be_chance_is_no_equality():
    rates = accuracy(find=0.5, dhash256=0.6)
    text = sentences.recommendation(rates, leading("dhash256", find=(0.4, 1)))
    assert "Its lead over FINd may be chance. A set with more families would tell" in text
    assert "equivalent" not in text


def test_equivalence_is_said_only_if_it_was_shown():
    rates = accuracy(find=0.5, dhash256=0.51)
    text = sentences.recommendation(rates, leading("dhash256", find=(0.4, 0.01)))
    assert "FINd is equivalent to it within 5 points, so stored hashes can stay." in text


def test_hashes_that_find_equally_many_are_not_ranked():
    rates = accuracy(find=1.0, phash256=1.0, dhash256=0.9)
    text = sentences.recommendation(rates, None)
    which = "The set does not tell which hash is best"
    assert text == rf"{which}: FINd and pHash find 100.0\,\% each at $10^{{-4}}$."


@pytest.mark.parametrize("untested", [None, leading("pdq", find=(0.001, 1))])
def test_without_tests_no_difference_is_beyond_chance(untested):
    for rates in (FIND_WORST, accuracy(find=0.9, dhash256=0.5)):
        text = sentences.recommendation(rates, untested)
        assert "was not tested" in text
        assert "beyond" not in text
        assert "Use" not in text


def test_a_set_that_is_too_small_recommends_nothing():
    rates = accuracy(find=np.nan, dhash256=np.nan)
    assert sentences.recommendation(rates, None) == "The set is too small to recommend a hash."
    assert sentences.compared_rate(rates) is None
    assert sentences.compared(rates) == sentences.thresholds(pd.DataFrame(), rates) == ""
    assert "cannot be measured" in sentences.recall(rates)


def test_a_small_set_is_compared_at_a_larger_rate():
    rates = accuracy("1e-02", find=0.4, dhash256=0.6)
    assert sentences.compared(rates) == "$10^{-2}$"
    # The tests are of another rate, so they do not count here.
    text = sentences.recommendation(rates, leading("dhash256", find=(0.001, 1)))
    assert "at $10^{-2}$" in text
    assert "was not tested" in text


# Accuracy


def test_recall_is_listed_from_the_best_hash_on():
    text = sentences.recall(accuracy(find=0.259, phash256=0.204, dhash256=0.665, phash64=0.1))
    assert text == (
        r"At a false positive rate of $10^{-4}$ dHash finds most of the true pairs, 66.5\,\%; "
        r"the others: FINd 25.9\,\%, pHash 20.4\,\%. "
        r"Of the hashes of 64 bits, pHash 64 finds most, 10.0\,\%."
    )
    assert "FINd and dHash find most of the true pairs, 50.0\\,\\% each" in sentences.recall(
        accuracy(find=0.5, phash256=0.4, dhash256=0.5)
    )
    assert "all hashes of 256 bits find 50.0" in sentences.recall(accuracy(find=0.5, dhash256=0.5))


def test_differences_are_sorted_into_more_less_equivalent_and_unknown():
    rates = accuracy(find=0.5, ahash256=0.4, phash256=0.51, dhash256=0.9, pdq=0.3)
    apart = differing(
        dhash256=(0.4, 0.01, 1),
        pdq=(-0.2, 0.01, 1),
        phash256=(0.01, 1, 0.01),
        ahash256=(-0.1, 0.6, 1),
        phash64=(-0.4, 0.01, 1),
    )
    assert sentences.differences(apart, rates) == (
        "At $10^{-4}$: dHash finds more than FINd, beyond chance. "
        "PDQ finds less than FINd, beyond chance. "
        "pHash is equivalent to FINd within 5 points. "
        "The set does not tell whether aHash differs from FINd: "
        "it finds neither more nor less beyond chance."
    )


def test_where_nothing_can_be_told_no_order_is_stated():
    text = sentences.differences(
        differing(phash256=(-0.05, 0.84, 1), dhash256=(0.4, 0.2, 1)),
        accuracy(find=0.2, phash256=0.15, dhash256=0.6),
    )
    assert text == (
        "At $10^{-4}$: The set does not tell whether pHash and dHash differ from FINd: "
        "they find neither more nor less beyond chance."
    )
    assert sentences.differences(differing(), FIND_WORST) == ""


def histograms(same: int, other: int, *labels: str) -> pd.DataFrame:
    rows = [(kind, "find", same, other) for kind in labels or ("as labelled",)]
    return table("labels method same other", *rows)


def test_pairs_are_counted_and_rates_beyond_them_named():
    text = sentences.reach(histograms(60, 46_877))
    assert "60 within families and 46,877 between them" in text
    assert text.endswith(r"Rates below $10^{-4}$ need more pairs and are left out.")
    assert sentences.reach(histograms(60, 10**7)).endswith("between them.")
    assert "too few" in sentences.reach(histograms(4, 6))
    assert "Without pairs within families" in sentences.reach(histograms(0, 28))


def test_labels_are_said_to_be_judged_only_if_somebody_did():
    assert sentences.labels(histograms(1, 1)).startswith("Nobody has judged")
    judged = sentences.labels(histograms(1, 1, "as labelled", "merged"))
    assert judged.startswith("Somebody judged")


# Use


def test_thresholds_are_those_of_the_recommended_hash():
    recommended = table(
        "use method threshold",
        ("human review", "dhash256", 60),
        ("search", "dhash256", 40),
        ("human review", "find", 90),
        ("match", "find", 52),
    )
    text = sentences.thresholds(recommended, FIND_WORST)
    assert text == (
        "With dHash, search at 40 bits and let people review candidates up to 60 bits. "
        "For match and cluster no threshold of dHash can be promised: the set has too few families "
        "to bound a rate by $10^{-5}$."
    )


def test_the_nearest_image_is_quoted_for_wide_hashes():
    retrieval = table(
        "method score ties images",
        ("find", "p1", "expected", 0.9),
        ("dhash256", "p1", "expected", 0.95),
        ("phash64", "p1", "expected", 0.99),
        ("find", "p1", "worst", 0.1),
        ("find", "ap", "expected", 0.2),
    )
    assert sentences.nearest(retrieval) == (
        r"Share of queries whose nearest image is of the right family: dHash 95.0\,\% and FINd "
        r"90.0\,\%. These differences were not tested."
    )
    assert sentences.nearest(retrieval.assign(images=np.nan)) == ""


def test_clusters_are_averaged_over_halves():
    held_out = table(
        "rule algorithm method f1",
        ("f1", "components", "find", 0.5),
        ("f1", "components", "find", 0.7),
        ("f1", "components", "dhash256", 0.8),
        ("given", "components", "find", 0.0),
    )
    assert sentences.clusters(held_out) == (
        r"Connected components reach these F1 scores: dHash 80.0\,\% and FINd 60.0\,\%. "
        "These differences were not tested."
    )
    assert sentences.clusters(held_out.assign(f1=np.nan)) == ""


def test_changes_are_named_from_the_worst_on():
    changes = [("flip", 0.0), ("border", 0.1), ("crop_far", 0.2), ("jpeg", 0.9)]
    rows = [("find", change, recall) for change, recall in changes]
    text = sentences.robustness(table("method transform recall", *rows, ("pdq", "jpeg", 0.1)))
    assert text == (
        r"Recall, averaged over all changes and strengths: FINd 30.0\,\% and PDQ 10.0\,\%. "
        r"With FINd it is lowest after flip (0\,\%), border (10\,\%) and crop far (20\,\%), "
        r"highest after jpeg (90\,\%)."
    )


def test_the_cheapest_hash_is_named_for_both_sizes():
    each_hash = table("method ms_file", ("find", 0.9), ("dhash256", 0.8), ("phash64", 0.1))
    growth = table("method side seconds", ("find", 2000, 0.02), ("dhash256", 2000, 0.04))
    text = sentences.cost(each_hash, growth)
    assert "dHash is the cheapest from file to hash (0.80\\,ms)" in text
    assert text.endswith(r"2,000 pixels a side, FINd (20\,ms).")
    assert sentences.cost(each_hash, None).endswith(r"(0.80\,ms).")


# Registry


def test_a_users_set_has_only_the_sentences_that_its_tables_carry(monkeypatch):
    tables = {"rates": FIND_WORST, "retrieval": None}
    monkeypatch.setattr(sentences.available, "load", tables.get)
    found = sentences.texts()
    assert found.keys() == {"sentence-rate", "sentence-recall", "sentence-recommendation"}
    assert found["sentence-recall"][1] == "rates"


def test_sentences_read_tables_that_are_saved():
    committed = project.results(project.root())
    read = {name for _, names in sentences.SENTENCES.values() for name in names}
    assert {name for name in read if not (committed / f"{name}.csv").exists()} == set()
    assert read <= results.makers().keys()
