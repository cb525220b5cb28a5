"""Measured values are judged by the direction of each goal's bound."""

import pytest

from finhash.study.cost import goals
from finhash.study.cost.goals import Goal


@pytest.mark.parametrize(
    ("at", "measured", "met"),
    [
        ("least", 2.1, True),
        ("least", 2.0, True),
        ("least", 1.9, False),
        ("most", 2.1, False),
        ("most", 2.0, True),
        ("most", 1.9, True),
    ],
)
def test_bound_includes_its_value(at, measured, met):
    table = goals.judge([Goal("a", at, 2)], {"a": measured})
    assert table.to_dict("records") == [
        {"goal": "a", "at": at, "value": 2, "measured": measured, "met": met}
    ]


@pytest.mark.parametrize("measured", [{}, {"a": 1.0, "b": 1.0}])
def test_missing_and_unknown_values_are_refused(measured):
    with pytest.raises(ValueError, match="use equal names"):
        goals.judge([Goal("a", "least", 2)], measured)


@pytest.mark.parametrize("group", [goals.LADDER, goals.PARALLEL, *goals.SEARCH.values()])
def test_goals_have_distinct_names(group):
    assert len({goal.name for goal in group}) == len(group)


def test_goals_without_avx512_have_the_same_names_and_are_not_higher():
    wide, narrow = goals.SEARCH["AVX-512"], goals.SEARCH["AVX2"]
    assert [goal.name for goal in wide] == [goal.name for goal in narrow]
    assert all(low.value <= high.value for low, high in zip(narrow, wide, strict=True))
    assert goals.vectors() in goals.SEARCH
