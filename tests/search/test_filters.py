"""Search filters: valid ones are sent in Routee's terms, invalid ones raise InvalidSearch."""

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
    ("arguments", "sent"),
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
def test_filter_is_sent_with_routees_names_and_values(arguments: Any, sent: tuple[str, str, str]) -> None:
    """Fields, operators and values are accepted in any letter case; a new value of Routee as a member of its enum."""
    sent_json = Filter(*arguments).to_json()
    assert tuple(sent_json.values()) == sent
    assert [*sent_json] == ["fieldName", "searchOperator", "searchTerm"]
    assert all(type(value) is str for value in sent_json.values())


@pytest.mark.parametrize(
    ("arguments", "problems"),
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
                "search_term: must be one of Queued, InProgress, Succeeded, Failed; pass a new one as FlowStatus(...)",
            ],
        ),
        (("type", "is", "Mail"), ["search_term: must be one of Viber, Sms, Voice; pass a new one as Channel(...)"]),
        (
            ("status", "is", Channel.SMS),
            [
                "search_term: must be one of Queued, InProgress, Succeeded, Failed; pass a new one as FlowStatus(...)",
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
def test_invalid_filter_lists_all_its_problems(arguments: Any, problems: list[str]) -> None:
    """The error lists every problem, with the valid values."""
    with pytest.raises(InvalidSearch) as caught:
        Filter(*arguments)
    assert [str(problem) for problem in caught.value.problems] == problems


def test_filter_errors_and_repr_mask_the_phone_number() -> None:
    """A search term may be a phone number: no error quotes it."""
    with pytest.raises(InvalidSearch) as caught:
        Filter("status", "contains", PHONE)
    assert PHONE[1:] not in str(caught.value)
    assert PHONE[1:] not in repr(Filter("to", "is", PHONE))
    assert "3069****" in repr(Filter("to", "is", PHONE))
    assert "'Failed'" in repr(Filter("status", "is", "failed"))


def test_equal_filters_are_equal_hashable_and_picklable() -> None:
    """Equal filters compare equal, are hashable, and survive pickling and copying."""
    first, second = Filter("status", "is", "failed"), Filter("STATUS", "IS", FlowStatus.FAILED)
    assert first == second
    assert len({first, second}) == 1
    assert pickle.loads(pickle.dumps(first)) == copy.deepcopy(first) == first


@pytest.mark.parametrize(
    ("arguments", "record", "contradicted"),
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
def test_record_contradicts_a_filter_only_by_fields_it_holds(arguments: Any, record: Any, contradicted: bool) -> None:
    """Missing fields, and channels of steps that were not attempted, do not exclude a record."""
    assert Filter(*arguments).contradicted_by(FlowRecord.from_dict(record)) is contradicted


@pytest.mark.parametrize(
    ("first", "second", "conflict"),
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
def test_filters_conflict_if_no_flow_can_match_both(first: Any, second: Any, conflict: bool) -> None:
    """A flow has one status, but may have several channels and recipients."""
    assert Filter(*first).conflicts_with(Filter(*second)) is conflict
    assert Filter(*second).conflicts_with(Filter(*first)) is conflict


ANYTHING = (
    st.none() | st.integers() | st.text() | st.lists(st.text(), max_size=1) | st.sampled_from([*FilterField, "is"])
)


@given(ANYTHING, ANYTHING, ANYTHING)
def test_any_three_arguments_are_a_filter_or_invalid_search(field: Any, operator: Any, term: Any) -> None:
    """Any three values make a filter or raise `InvalidSearch`."""
    with suppress(InvalidSearch):
        assert Filter(field, operator, term).to_json()["searchTerm"]
