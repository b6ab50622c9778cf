"""Conditions: those that can work are written in Routee's words, those that cannot are refused in ours."""

import copy
import pickle
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover import (
    Channel,
    Filter,
    FilterField,
    FlowKind,
    FlowRecord,
    FlowStatus,
    InvalidSearch,
    SearchOperator,
)

PHONE = "+306912345678"


@pytest.mark.parametrize(
    ("given_words", "sent"),
    [
        (("to", "contains", "6912"), ("to", "contains", "6912")),
        (("to", "STARTS_WITH", "+30"), ("to", "starts_with", "+30")),
        (("to", "ends_with", PHONE), ("to", "ends_with", PHONE)),
        (("status", "is", "failed"), ("status", "is", "Failed")),
        (("STATUS", "Is_Not", "inprogress"), ("status", "is_not", "InProgress")),
        (("termination_channel", "is", "SMS"), ("terminationChannel", "is", "Sms")),
        (("terminationChannel", "is_not", Channel.VOICE), ("terminationChannel", "is_not", "Voice")),
        (("type", SearchOperator.IS, "viber"), ("type", "is", "Viber")),
        ((FilterField.FLOW_KIND, "is", "Transactional"), ("flowKind", "is", "transactional")),
        (("status", "is", FlowStatus("Paused")), ("status", "is", "Paused")),
        (("type", "is", Channel("Pigeon")), ("type", "is", "Pigeon")),
    ],
)
def test_a_condition_is_sent_in_routees_words(given_words: Any, sent: tuple[str, str, str]) -> None:
    """Fields, operators and words are taken in any letter case; a word that Routee has added is taken when marked."""
    dumped = Filter(*given_words).to_json()
    assert tuple(dumped.values()) == sent
    assert [*dumped] == ["fieldName", "searchOperator", "searchTerm"]
    assert all(type(value) is str for value in dumped.values())


@pytest.mark.parametrize(
    ("words", "problems"),
    [
        (("price", "is", "1"), ["field_name: must be one of type, to, status, terminationChannel, flowKind"]),
        ((None, "is", "1"), ["field_name: must be one of type, to, status, terminationChannel, flowKind"]),
        (
            ("to", "like", "1"),
            ["search_operator: must be one of is, is_not, contains, starts_with, ends_with"],
        ),
        (("to", 5, "1"), ["search_operator: must be one of is, is_not, contains, starts_with, ends_with"]),
        (("status", "contains", "Failed"), ["search_operator: must be is or is_not: contains is for to only"]),
        (("flowKind", "ends_with", "standard"), ["search_operator: must be is or is_not: ends_with is for to only"]),
        (
            ("status", "is", "Delivered"),
            [
                "search_term: must be one of Queued, InProgress, Succeeded, Failed; a new one is FlowStatus(...)",
            ],
        ),
        (("type", "is", "Mail"), ["search_term: must be one of Viber, Sms, Voice; a new one is Channel(...)"]),
        (
            ("status", "is", Channel.SMS),
            [
                "search_term: must be one of Queued, InProgress, Succeeded, Failed; a new one is FlowStatus(...)",
            ],
        ),
        (("to", "is", ""), ["search_term: must not be empty"]),
        (("to", "is", "  "), ["search_term: must not be empty"]),
        (("to", "is", 306912345678), ["search_term: must be text, not int"]),
        (
            ("to", "is", "\ud800"),
            ["search_term: must be text that can be sent as UTF-8: it holds half of a surrogate pair"],
        ),
        (
            ("price", "like", None),
            [
                "field_name: must be one of type, to, status, terminationChannel, flowKind",
                "search_operator: must be one of is, is_not, contains, starts_with, ends_with",
                "search_term: must be text, not NoneType",
            ],
        ),
    ],
)
def test_a_condition_that_cannot_work_is_refused(words: Any, problems: list[str]) -> None:
    """Everything that is wrong is said, with what would be right."""
    with pytest.raises(InvalidSearch) as caught:
        Filter(*words)
    assert [str(problem) for problem in caught.value.problems] == problems


def test_a_refusal_quotes_no_number() -> None:
    """What was searched for may be a person's number: no refusal repeats it."""
    with pytest.raises(InvalidSearch) as caught:
        Filter("status", "contains", PHONE)
    assert PHONE[1:] not in str(caught.value)
    assert PHONE[1:] not in repr(Filter("to", "is", PHONE))
    assert "3069****" in repr(Filter("to", "is", PHONE))
    assert "'Failed'" in repr(Filter("status", "is", "failed"))


def test_conditions_are_values() -> None:
    """Equal conditions are equal, can be keys, and survive pickling and copying."""
    one, other = Filter("status", "is", "failed"), Filter("STATUS", "IS", FlowStatus.FAILED)
    assert one == other
    assert len({one, other}) == 1
    assert pickle.loads(pickle.dumps(one)) == copy.deepcopy(one) == one


@pytest.mark.parametrize(
    ("words", "said", "disproved"),
    [
        (("status", "is", "Failed"), {"status": "FAILED"}, False),
        (("status", "is", "Failed"), {"status": "Succeeded"}, True),
        (("status", "is", "Failed"), {}, False),
        (("status", "is_not", "Failed"), {"status": "Failed"}, True),
        (("status", "is_not", "Failed"), {"status": "Queued"}, False),
        (("terminationChannel", "is", "Sms"), {"terminationChannel": "Viber"}, True),
        (("terminationChannel", "is", "Sms"), {"terminationChannel": None}, False),
        (("flowKind", "is", "standard"), {"flowKind": "transactional"}, True),
        (("flowKind", "is", "standard"), {"flowKind": "Standard"}, False),
        (("type", "is", "Viber"), {"messages": [{"type": "Sms"}]}, False),
        (("to", "is", PHONE), {"messages": [{"to": "+301"}]}, False),
    ],
)
def test_a_flow_speaks_against_a_condition_only_by_what_it_says(words: Any, said: Any, disproved: bool) -> None:
    """What a flow leaves open, and what it cannot know of steps that were not tried, does not leave it out."""
    assert Filter(*words).contradicted_by(FlowRecord.from_dict(said)) is disproved


@pytest.mark.parametrize(
    ("one", "other", "excludes"),
    [
        (("status", "is", "Failed"), ("status", "is", "Succeeded"), True),
        (("status", "is", "Failed"), ("status", "is", "failed"), False),
        (("status", "is", "Failed"), ("status", "is_not", "Failed"), True),
        (("status", "is_not", "Failed"), ("status", "is_not", "Succeeded"), False),
        (("status", "is", "Failed"), ("status", "is_not", "Succeeded"), False),
        (("flowKind", "is", FlowKind.STANDARD), ("status", "is", "Failed"), False),
        (("type", "is", "Viber"), ("type", "is", "Sms"), False),
        (("to", "is", "+301"), ("to", "is", "+302"), False),
    ],
)
def test_conditions_that_exclude_each_other(one: Any, other: Any, excludes: bool) -> None:
    """A flow has one status and may have several channels and recipients."""
    assert Filter(*one).conflicts_with(Filter(*other)) is excludes
    assert Filter(*other).conflicts_with(Filter(*one)) is excludes


ANYTHING = (
    st.none() | st.integers() | st.text() | st.lists(st.text(), max_size=1) | st.sampled_from([*FilterField, "is"])
)


@given(ANYTHING, ANYTHING, ANYTHING)
def test_whatever_is_no_condition_ends_in_one_error(field: Any, operator: Any, term: Any) -> None:
    """Any three things are a condition or `InvalidSearch`."""
    with suppress(InvalidSearch):
        assert Filter(field, operator, term).to_json()["searchTerm"]
